/* An Arduino with StandardFirmata (firmata/protocol 2.5): says who it is when it was reset,
 * answers what it is asked and reports the analog channels that were switched on. An Uno R3
 * with 6 channels; serial numbers from MEGA_SERIAL on are a Mega 2560 with 16. */
#include <math.h>
#include <string.h>

#include "simulation/device_model.h"

enum {
    ANALOG_REPORT = 0xE0,
    DIGITAL_REPORT = 0x90,
    ANALOG_SWITCH = 0xC0,
    DIGITAL_SWITCH = 0xD0,
    SYSEX = 0xF0,
    SYSEX_END = 0xF7,
    PIN_MODE = 0xF4,
    PIN_VALUE = 0xF5,
    VERSION = 0xF9,
    RESET = 0xFF,
    NAME_QUERY = 0x79,
    CAPABILITY_QUERY = 0x6B,
    CAPABILITY_ANSWER = 0x6C,
    MAP_QUERY = 0x69,
    MAP_ANSWER = 0x6A,
    INTERVAL = 0x7A,
    NOTHING = 0x7F,
    MAJOR = 2,
    MINOR = 5,
    MEGA_SERIAL = 0x70000000,
    CHANNEL_MAX = 16,
    MESSAGE_MAX = 64,
    ANSWER_MAX = 1536, /* the capabilities of a Mega, twice what they take */
    INTERVAL_DEFAULT_MS = 19,
    SILENT_MS = 20 /* to look again while nothing is reported */
};

static const double FULL_COUNT = 1023.0;
static const char NAME[] = "StandardFirmata.ino";

struct board {
    unsigned pin_count;
    unsigned first_analog_pin; /* the analog pins are the last ones */
    unsigned first_i2c_pin;
    uint16_t pwm_pins; /* of the first 16 */
};

/* Pins of an Uno R3 and of a Mega 2560 (the makers' pinout diagrams). */
static const struct board UNO = {20, 14, 18, 0x0E68};
static const struct board MEGA = {70, 54, 20, 0x3FFC};

struct firmata {
    bool is_mega;
    bool reports[CHANNEL_MAX];
    unsigned interval_ms;
    uint8_t message[MESSAGE_MAX]; /* not ended yet */
    size_t message_size;
};

_Static_assert(sizeof(struct firmata) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct firmata *firmata_of(struct device_model *model)
{
    return (struct firmata *)(void *)model->state;
}

static const struct firmata *firmata_look(const struct device_model *model)
{
    return (const struct firmata *)(const void *)model->state;
}

static const struct board *board_of(const struct firmata *firmata)
{
    return firmata->is_mega ? &MEGA : &UNO;
}

static unsigned channel_count(const struct firmata *firmata)
{
    return board_of(firmata)->pin_count - board_of(firmata)->first_analog_pin;
}

/* ---- answers ---- */

static size_t version_say(uint8_t *bytes)
{
    const uint8_t version[3] = {VERSION, MAJOR, MINOR};
    memcpy(bytes, version, sizeof version);
    return sizeof version;
}

static size_t name_say(uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = SYSEX;
    bytes[size++] = NAME_QUERY;
    bytes[size++] = MAJOR;
    bytes[size++] = MINOR;
    for (const char *letter = NAME; *letter; letter++) {
        bytes[size++] = (uint8_t)(*letter & 0x7F);
        bytes[size++] = (uint8_t)((unsigned char)*letter >> 7);
    }
    bytes[size++] = SYSEX_END;
    return size;
}

/* Modes of a pin with their resolution in bits: 0 input, 0B pull-up, 1 output, 2 analog, 3
 * PWM, 4 servo, 6 I2C. */
static size_t pin_modes(const struct board *board, unsigned pin, uint8_t *bytes)
{
    size_t size = 0;
    bool is_serial = pin < 2;
    bool is_pwm = pin < 16 && (board->pwm_pins >> pin & 1u);
    const uint8_t modes[][3] = {
        {0x00, 1, !is_serial},
        {0x0B, 1, !is_serial},
        {0x01, 1, !is_serial},
        {0x02, 10, pin >= board->first_analog_pin},
        {0x03, 8, is_pwm},
        {0x04, 14, !is_serial},
        {0x06, 1, pin >= board->first_i2c_pin && pin < board->first_i2c_pin + 2},
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (modes[i][2]) {
            bytes[size++] = modes[i][0];
            bytes[size++] = modes[i][1];
        }
    }
    bytes[size++] = NOTHING;
    return size;
}

static size_t capability_say(const struct board *board, uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = SYSEX;
    bytes[size++] = CAPABILITY_ANSWER;
    for (unsigned pin = 0; pin < board->pin_count; pin++) {
        size += pin_modes(board, pin, bytes + size);
    }
    bytes[size++] = SYSEX_END;
    return size;
}

static size_t map_say(const struct board *board, uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = SYSEX;
    bytes[size++] = MAP_ANSWER;
    for (unsigned pin = 0; pin < board->pin_count; pin++) {
        bool is_analog = pin >= board->first_analog_pin;
        bytes[size++] = (uint8_t)(is_analog ? pin - board->first_analog_pin : NOTHING);
    }
    bytes[size++] = SYSEX_END;
    return size;
}

/* ---- obeying ---- */

static size_t sysex_obey(struct firmata *firmata, uint8_t *bytes)
{
    const uint8_t *message = firmata->message;
    if (firmata->message_size < 2) {
        return 0;
    }
    switch (message[1]) {
    case NAME_QUERY:
        return name_say(bytes);
    case CAPABILITY_QUERY:
        return capability_say(board_of(firmata), bytes);
    case MAP_QUERY:
        return map_say(board_of(firmata), bytes);
    case INTERVAL:
        if (firmata->message_size >= 4) {
            unsigned interval_ms = message[2] | (unsigned)message[3] << 7;
            firmata->interval_ms = interval_ms > 0 ? interval_ms : 1;
        }
        return 0;
    default:
        return 0;
    }
}

/* Length of a message that is no sysex. */
static size_t message_length(uint8_t command)
{
    switch (command & 0xF0) {
    case ANALOG_SWITCH:
    case DIGITAL_SWITCH:
        return 2;
    case ANALOG_REPORT:
    case DIGITAL_REPORT:
        return 3;
    default:
        return command == PIN_MODE || command == PIN_VALUE ? 3 : 1;
    }
}

static size_t message_obey(struct firmata *firmata, uint8_t *bytes)
{
    uint8_t command = firmata->message[0];
    if ((command & 0xF0) == ANALOG_SWITCH) {
        unsigned channel = command & 0x0F;
        if (channel < channel_count(firmata)) {
            firmata->reports[channel] = firmata->message[1] != 0;
        }
        return 0;
    }
    if (command == RESET) {
        /* The sketch keeps its interval. */
        memset(firmata->reports, 0, sizeof firmata->reports);
        return 0;
    }
    return command == VERSION ? version_say(bytes) : 0;
}

/* One byte from the host. */
static size_t byte_hear(struct firmata *firmata, uint8_t byte, uint8_t *bytes)
{
    bool in_sysex = firmata->message_size > 0 && firmata->message[0] == SYSEX;
    if (in_sysex && byte == SYSEX_END) {
        size_t size = sysex_obey(firmata, bytes);
        firmata->message_size = 0;
        return size;
    }
    if (byte >= 0x80) {
        firmata->message_size = 0;
    } else if (firmata->message_size == 0) {
        return 0;
    }
    if (firmata->message_size < sizeof firmata->message) {
        firmata->message[firmata->message_size++] = byte;
    }
    uint8_t command = firmata->message[0];
    if (command == SYSEX || firmata->message_size < message_length(command)) {
        return 0;
    }
    size_t size = message_obey(firmata, bytes);
    firmata->message_size = 0;
    return size;
}

static size_t firmata_hear(struct device_model *model, uint64_t time_us,
                           const uint8_t *bytes, size_t size, uint8_t *reply)
{
    struct firmata *firmata = firmata_of(model);
    size_t reply_size = 0;
    (void)time_us;
    for (size_t i = 0; i < size; i++) {
        uint8_t answer[ANSWER_MAX];
        size_t answer_size = byte_hear(firmata, bytes[i], answer);
        if (reply_size + answer_size <= DEVICE_MODEL_OUT_MAX) {
            memcpy(reply + reply_size, answer, answer_size);
            reply_size += answer_size;
        }
    }
    return reply_size;
}

/* ---- starting and sampling ---- */

static void sketch_start(struct firmata *firmata)
{
    memset(firmata->reports, 0, sizeof firmata->reports);
    firmata->interval_ms = INTERVAL_DEFAULT_MS;
    firmata->message_size = 0;
}

static void firmata_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct firmata *firmata = firmata_of(model);
    (void)rate_hz; /* the sketch remembers nothing */
    memset(firmata, 0, sizeof *firmata);
    firmata->is_mega = serial >= MEGA_SERIAL;
    sketch_start(firmata);
}

/* Opening the port resets the board. */
static size_t firmata_open(struct device_model *model, uint64_t time_us, uint8_t *bytes)
{
    (void)time_us;
    sketch_start(firmata_of(model));
    size_t size = version_say(bytes);
    return size + name_say(bytes + size);
}

static bool is_reporting(const struct firmata *firmata)
{
    for (unsigned i = 0; i < CHANNEL_MAX; i++) {
        if (firmata->reports[i]) {
            return true;
        }
    }
    return false;
}

/* All channels that are on, lowest first. */
static size_t firmata_sample(struct device_model *model, uint64_t time_us,
                             const struct device_reading *reading, uint8_t *bytes)
{
    const struct firmata *firmata = firmata_look(model);
    size_t size = 0;
    (void)time_us;
    for (unsigned i = 0; i < CHANNEL_MAX; i++) {
        double share = reading->analog_share[i % DEVICE_MODEL_ANALOG_COUNT];
        unsigned count = (unsigned)lround(FULL_COUNT * fmax(0.0, fmin(1.0, share)));
        if (firmata->reports[i]) {
            bytes[size++] = (uint8_t)(ANALOG_REPORT | i);
            bytes[size++] = (uint8_t)(count & 0x7F);
            bytes[size++] = (uint8_t)(count >> 7 & 0x7F);
        }
    }
    return size;
}

static double firmata_period_s(const struct device_model *model)
{
    const struct firmata *firmata = firmata_look(model);
    unsigned period_ms = is_reporting(firmata) ? firmata->interval_ms : SILENT_MS;
    return period_ms / 1000.0;
}

/* ---- USB: the Uno R3's converter (Arduino's usbserial firmware) ---- */

static const uint8_t DESCRIPTORS[] = {
    /* device: USB 1.10, class 02, 8, 2341:0043, 0001, strings 1, 2, 3, one configuration */
    0x12, 0x01, 0x10, 0x01, 0x02, 0x00, 0x00, 0x08, 0x41, 0x23, 0x43, 0x00, 0x01, 0x00,
    0x01, 0x02, 0x03, 0x01,
    /* configuration: 62 bytes, 2 interfaces, self-powered, 100 mA */
    0x09, 0x02, 0x3E, 0x00, 0x02, 0x01, 0x00, 0xC0, 0x32,
    /* interface 0: 02/02/01, one endpoint */
    0x09, 0x04, 0x00, 0x00, 0x01, 0x02, 0x02, 0x01, 0x00,
    /* header 1.10, ACM 06, union 0 1 */
    0x05, 0x24, 0x00, 0x10, 0x01, 0x04, 0x24, 0x02, 0x06, 0x05, 0x24, 0x06, 0x00, 0x01,
    /* endpoint 82: interrupt, 8 bytes */
    0x07, 0x05, 0x82, 0x03, 0x08, 0x00, 0xFF,
    /* interface 1: 0A/00/00, two endpoints: bulk OUT 04, bulk IN 83, 64 bytes */
    0x09, 0x04, 0x01, 0x00, 0x02, 0x0A, 0x00, 0x00, 0x00, 0x07, 0x05, 0x04, 0x02, 0x40,
    0x00, 0x01, 0x07, 0x05, 0x83, 0x02, 0x40, 0x00, 0x01};

static const struct device_model_usb USB = {
    .descriptors = DESCRIPTORS,
    .descriptors_size = sizeof DESCRIPTORS,
    .strings = {NULL, "Arduino (www.arduino.cc)", "Arduino Uno", "75334303331351F0D1B2"},
    .speed_mbit = 12,
    .sample_endpoint = 0x83,
    .reply_endpoint = 0x83,
    .command_endpoint = 0x04,
    .control = device_model_cdc_control,
};

extern const struct device_model_type model_arduino_firmata;

const struct device_model_type model_arduino_firmata = {
    .driver = "arduino-firmata",
    .has_analog = true,
    .rate_hz = 1000.0 / INTERVAL_DEFAULT_MS,
    .init = firmata_init,
    .open = firmata_open,
    .hear = firmata_hear,
    .sample = firmata_sample,
    .period_s = firmata_period_s,
    .usb = &USB,
};

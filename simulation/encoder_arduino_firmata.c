#include "simulation/encoder_arduino_firmata.h"

#include <string.h>

enum {
    ANALOG_REPORT = 0xE0,
    ANALOG_SWITCH = 0xC0,
    SYSEX = 0xF0,
    SYSEX_END = 0xF7,
    PIN_MODE = 0xF4,
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
    PIN_COUNT = 20,
    FIRST_ANALOG_PIN = 14, /* of an Uno */
    INTERVAL_DEFAULT_MS = 19
};

static const char NAME[] = "StandardFirmata.ino";

void encoder_firmata_init(struct encoder_firmata *encoder)
{
    memset(encoder, 0, sizeof *encoder);
    encoder->interval_ms = INTERVAL_DEFAULT_MS;
}

static size_t answer_version(uint8_t *bytes)
{
    const uint8_t version[3] = {VERSION, MAJOR, MINOR};
    memcpy(bytes, version, sizeof version);
    return sizeof version;
}

static size_t answer_name(uint8_t *bytes)
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

/* Modes of the pins of an Uno with their resolution in bits: 0 input, 0B pull-up, 1 output,
 * 2 analog, 3 PWM, 4 servo, 6 I2C. */
static size_t pin_modes(unsigned pin, uint8_t *bytes)
{
    size_t size = 0;
    bool is_serial = pin < 2;
    bool is_pwm = pin == 3 || pin == 5 || pin == 6 || pin == 9 || pin == 10 || pin == 11;
    const uint8_t modes[][3] = {
        {0x00, 1, !is_serial}, {0x0B, 1, !is_serial},
        {0x01, 1, !is_serial}, {0x02, 10, pin >= FIRST_ANALOG_PIN},
        {0x03, 8, is_pwm},     {0x04, 14, !is_serial},
        {0x06, 1, pin >= 18},
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

static size_t answer_capability(uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = SYSEX;
    bytes[size++] = CAPABILITY_ANSWER;
    for (unsigned pin = 0; pin < PIN_COUNT; pin++) {
        size += pin_modes(pin, bytes + size);
    }
    bytes[size++] = SYSEX_END;
    return size;
}

static size_t answer_map(uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = SYSEX;
    bytes[size++] = MAP_ANSWER;
    for (unsigned pin = 0; pin < PIN_COUNT; pin++) {
        bytes[size++] =
            (uint8_t)(pin < FIRST_ANALOG_PIN ? NOTHING : pin - FIRST_ANALOG_PIN);
    }
    bytes[size++] = SYSEX_END;
    return size;
}

static size_t sysex_obey(struct encoder_firmata *encoder, uint8_t *bytes)
{
    const uint8_t *message = encoder->message;
    if (encoder->message_size < 2) {
        return 0;
    }
    switch (message[1]) {
    case NAME_QUERY:
        return answer_name(bytes);
    case CAPABILITY_QUERY:
        return answer_capability(bytes);
    case MAP_QUERY:
        return answer_map(bytes);
    case INTERVAL:
        if (encoder->message_size >= 4) {
            unsigned interval_ms = message[2] | (unsigned)message[3] << 7;
            encoder->interval_ms = interval_ms > 0 ? interval_ms : 1;
        }
        return 0;
    default:
        return 0;
    }
}

/* Length of a message that is no sysex. */
static size_t message_length(uint8_t command)
{
    if ((command & 0xF0) == ANALOG_SWITCH || (command & 0xF0) == 0xD0) {
        return 2;
    }
    if (command == PIN_MODE || command == 0xF5 || (command & 0xF0) == ANALOG_REPORT
        || (command & 0xF0) == 0x90) {
        return 3;
    }
    return 1;
}

static size_t message_obey(struct encoder_firmata *encoder, uint8_t *bytes)
{
    uint8_t command = encoder->message[0];
    if ((command & 0xF0) == ANALOG_SWITCH) {
        unsigned channel = command & 0x0F;
        if (channel < ENCODER_FIRMATA_CHANNEL_COUNT) {
            encoder->reports[channel] = encoder->message[1] != 0;
        }
        return 0;
    }
    if (command == RESET) {
        memset(encoder->reports, 0, sizeof encoder->reports);
        encoder->interval_ms = INTERVAL_DEFAULT_MS;
        return 0;
    }
    return command == VERSION ? answer_version(bytes) : 0;
}

/* One byte from the host. */
static size_t byte_hear(struct encoder_firmata *encoder, uint8_t byte, uint8_t *bytes)
{
    bool in_sysex = encoder->message_size > 0 && encoder->message[0] == SYSEX;
    if (in_sysex && byte == SYSEX_END) {
        size_t size = sysex_obey(encoder, bytes);
        encoder->message_size = 0;
        return size;
    }
    if (byte >= 0x80) {
        encoder->message_size = 0;
    } else if (encoder->message_size == 0) {
        return 0;
    }
    if (encoder->message_size < sizeof encoder->message) {
        encoder->message[encoder->message_size++] = byte;
    }
    uint8_t command = encoder->message[0];
    if (command == SYSEX || encoder->message_size < message_length(command)) {
        return 0;
    }
    size_t size = message_obey(encoder, bytes);
    encoder->message_size = 0;
    return size;
}

size_t encoder_firmata_boot(struct encoder_firmata *encoder, uint8_t *bytes)
{
    encoder_firmata_init(encoder);
    size_t size = answer_version(bytes);
    return size + answer_name(bytes + size);
}

size_t encoder_firmata_hear(struct encoder_firmata *encoder, const uint8_t *bytes,
                            size_t size, uint8_t *reply, size_t capacity)
{
    size_t reply_size = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t answer[ENCODER_FIRMATA_REPLY_MAX];
        size_t answer_size = byte_hear(encoder, bytes[i], answer);
        if (answer_size > 0 && reply_size + answer_size <= capacity) {
            memcpy(reply + reply_size, answer, answer_size);
            reply_size += answer_size;
        }
    }
    return reply_size;
}

bool encoder_firmata_is_reporting(const struct encoder_firmata *encoder)
{
    for (unsigned i = 0; i < ENCODER_FIRMATA_CHANNEL_COUNT; i++) {
        if (encoder->reports[i]) {
            return true;
        }
    }
    return false;
}

size_t encoder_firmata_scan(const struct encoder_firmata *encoder,
                            const unsigned counts[ENCODER_FIRMATA_CHANNEL_COUNT],
                            uint8_t *bytes)
{
    size_t size = 0;
    for (unsigned i = 0; i < ENCODER_FIRMATA_CHANNEL_COUNT; i++) {
        if (encoder->reports[i]) {
            bytes[size++] = (uint8_t)(ANALOG_REPORT | i);
            bytes[size++] = (uint8_t)(counts[i] & 0x7F);
            bytes[size++] = (uint8_t)(counts[i] >> 7 & 0x7F);
        }
    }
    return size;
}

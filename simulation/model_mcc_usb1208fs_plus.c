/* Measurement Computing USB-1208FS-Plus as its USB wire shows it. With 9 as the fourth
 * digit from the right of its serial number (00009000) its buffer runs over after 1000
 * scans, once a start. Written from the public driver of W. Jasper; no real unit was seen.
 */
#include <string.h>

#include "simulation/device_model.h"

enum {
    PACKET_SIZE = 64,
    INPUT_COUNT = 8,
    OVERRUN_SCAN_COUNT = 1000,
    STATUS_RUNNING = 0x02,
    STATUS_OVERRUN = 0x04,
    STALL = -1
};

struct board {
    uint32_t serial;
    uint8_t ranges[INPUT_COUNT];
    uint16_t codes[INPUT_COUNT]; /* newest readings */
    bool is_running;
    bool has_overrun; /* since the last start */
    bool is_halted;   /* its bulk endpoint */
    uint8_t mask;
    uint8_t options;
    uint32_t count; /* samples to take, 0 = until stopped */
    uint32_t taken;
    uint32_t pacer;
    uint32_t scan_count;
    uint8_t packet[PACKET_SIZE + 2 * INPUT_COUNT];
    size_t packet_size;
};

_Static_assert(sizeof(struct board) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct board *board_of(struct device_model *model)
{
    return (struct board *)(void *)model->state;
}

static uint32_t u32_of(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (unsigned place = 4; place > 0; place--) {
        value = value << 8 | bytes[place - 1];
    }
    return value;
}

/* ---- requests ---- */

/* Single-ended constants of this unit: slope and intercept of each input, in codes. */
static const float CONSTANTS[INPUT_COUNT][2] = {
    {1.0021F, -3.25F}, {0.9987F, 1.5F},  {1.0009F, 0.75F},  {0.9994F, -2.0F},
    {1.0013F, 2.25F},  {0.9979F, -1.0F}, {1.0002F, -0.25F}, {0.9991F, 3.0F}};

static void put_float(uint8_t *bytes, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned place = 0; place < 4; place++) {
        bytes[place] = (uint8_t)(bits >> 8 * place);
    }
}

/* Calibration memory: differential at 0, single-ended at 0x100, 768 bytes. */
static int calibration_read(unsigned address, unsigned size, uint8_t *reply)
{
    uint8_t memory[0x300];
    if (address + size > sizeof memory) {
        return STALL;
    }
    for (unsigned entry = 0; entry < sizeof memory / 8; entry++) {
        bool is_single = entry >= 0x20 && entry < 0x20 + INPUT_COUNT;
        const float plain[2] = {1.0F, 0.0F};
        const float *constants = is_single ? CONSTANTS[entry - 0x20] : plain;
        put_float(memory + 8 * (size_t)entry, constants[0]);
        put_float(memory + 8 * (size_t)entry + 4, constants[1]);
    }
    memcpy(reply, memory + address, size);
    return (int)size;
}

static int serial_read(const struct board *board, uint8_t *reply)
{
    uint32_t rest = board->serial;
    for (unsigned place = 8; place > 0; place--) {
        reply[place - 1] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    }
    return 8;
}

static int status_read(const struct board *board, uint8_t *reply)
{
    reply[0] = (uint8_t)((board->is_running ? STATUS_RUNNING : 0)
                         | (board->has_overrun ? STATUS_OVERRUN : 0));
    reply[1] = 0;
    return 2;
}

static int input_read(const struct board *board, unsigned input, uint8_t *reply)
{
    if (board->is_running || input >= INPUT_COUNT) {
        return STALL;
    }
    reply[0] = (uint8_t)board->codes[input];
    reply[1] = (uint8_t)(board->codes[input] >> 8);
    return 2;
}

/* IN requests, answered with no more than was asked for. */
static int request_in(struct board *board, const uint8_t *setup, uint8_t *reply)
{
    unsigned value = setup[2] | (unsigned)setup[3] << 8;
    unsigned wanted = setup[6] | (unsigned)setup[7] << 8;
    int size = STALL;
    switch (setup[1]) {
    case 0x10:
        size = input_read(board, value & 0xFF, reply);
        break;
    case 0x14:
        memcpy(reply, board->ranges, INPUT_COUNT);
        size = board->is_running ? STALL : INPUT_COUNT;
        break;
    case 0x30:
        size = calibration_read(value, wanted, reply);
        break;
    case 0x44:
        size = status_read(board, reply);
        break;
    case 0x48:
        size = serial_read(board, reply);
        break;
    default:
        break;
    }
    return size > (int)wanted ? (int)wanted : size;
}

static double rate_hz(const struct board *board)
{
    return 60e6 / ((double)board->pacer + 1.0);
}

static int scan_start(struct board *board, const uint8_t *setup, const uint8_t *data)
{
    if (board->is_running || board->is_halted || setup[6] != 14 || data[12] == 0) {
        return STALL;
    }
    uint32_t pacer = u32_of(data + 8);
    if (pacer < 599) {
        return STALL; /* faster than 100 kHz, or an outer pacer, which nothing drives */
    }
    board->count = u32_of(data);
    board->pacer = pacer;
    board->mask = data[12];
    board->options = data[13];
    board->is_running = true;
    board->has_overrun = false;
    board->taken = 0;
    board->scan_count = 0;
    board->packet_size = 0;
    return 0;
}

static int ranges_write(struct board *board, const uint8_t *setup, const uint8_t *data)
{
    bool is_good = !board->is_running && setup[6] == INPUT_COUNT;
    for (unsigned input = 0; is_good && input < INPUT_COUNT; input++) {
        is_good = data[input] <= 7;
    }
    if (!is_good) {
        return STALL;
    }
    memcpy(board->ranges, data, INPUT_COUNT);
    return 0;
}

/* OUT requests; memories are locked, and so is everything that would change the firmware.
 */
static int request_out(struct board *board, const uint8_t *setup, const uint8_t *data)
{
    switch (setup[1]) {
    case 0x11:
        return scan_start(board, setup, data);
    case 0x12:
        board->is_running = false;
        return 0;
    case 0x14:
        return ranges_write(board, setup, data);
    case 0x15:
        board->packet_size = 0;
        return 0;
    case 0x16:
    case 0x41:
        return setup[6] == 1 ? 0 : STALL;
    default:
        return STALL;
    }
}

/* State of the bulk endpoint: GET_STATUS and CLEAR_FEATURE(ENDPOINT_HALT) of USB 2.0, 9.4.
 */
static int endpoint_request(struct board *board, const uint8_t *setup, uint8_t *reply)
{
    if (setup[4] != 0x81) {
        return STALL;
    }
    if (setup[0] == 0x82 && setup[1] == 0x00) {
        reply[0] = board->is_halted;
        reply[1] = 0;
        return 2;
    }
    if (setup[0] == 0x02 && setup[1] == 0x01 && setup[2] == 0) {
        board->is_halted = false;
        return 0;
    }
    return STALL;
}

static int mcc_control(struct device_model *model, uint64_t time_us, const uint8_t setup[8],
                       const uint8_t *data, uint8_t *reply)
{
    (void)time_us;
    struct board *board = board_of(model);
    switch (setup[0]) {
    case 0x40:
        return request_out(board, setup, data);
    case 0xC0:
        return request_in(board, setup, reply);
    default:
        return endpoint_request(board, setup, reply);
    }
}

/* ---- scans ---- */

/* What its converter gives: 12 bits over +-10 V, before the constants are applied. */
static uint16_t code_of(double share)
{
    double code = share * 4095.0 + 0.5;
    code = code < 0.0 ? 0.0 : code > 4095.0 ? 4095.0 : code;
    return (uint16_t)code;
}

static void inputs_read(struct board *board, const struct device_reading *reading)
{
    for (unsigned input = 0; input < INPUT_COUNT; input++) {
        board->codes[input] = code_of(reading->analog_share[input]);
    }
}

static void scan_take(struct board *board)
{
    for (unsigned input = 0; input < INPUT_COUNT; input++) {
        if (board->mask & 1u << input) {
            board->packet[board->packet_size++] = (uint8_t)board->codes[input];
            board->packet[board->packet_size++] = (uint8_t)(board->codes[input] >> 8);
            board->taken++;
        }
    }
    board->scan_count++;
    if (board->count > 0 && board->taken >= board->count) {
        board->is_running = false;
    }
    bool is_slow = board->serial / 1000 % 10 == 9;
    if (is_slow && board->scan_count == OVERRUN_SCAN_COUNT) {
        board->is_running = false;
        board->has_overrun = true;
        board->is_halted = !(board->options & 0x80);
        board->packet_size = 0;
    }
}

/* Full packets, or in immediate mode what each scan gave, or the rest at the end. */
static size_t packet_give(struct board *board, uint8_t *bytes)
{
    size_t size = board->packet_size < PACKET_SIZE ? board->packet_size : PACKET_SIZE;
    bool is_due = size == PACKET_SIZE || (board->options & 1) || !board->is_running;
    if (size == 0 || !is_due) {
        return 0;
    }
    memcpy(bytes, board->packet, size);
    board->packet_size -= size;
    memmove(board->packet, board->packet + size, board->packet_size);
    return size;
}

static size_t mcc_sample(struct device_model *model, uint64_t time_us,
                         const struct device_reading *reading, uint8_t *bytes)
{
    (void)time_us;
    struct board *board = board_of(model);
    inputs_read(board, reading);
    if (!board->is_running) {
        return 0;
    }
    scan_take(board);
    return packet_give(board, bytes);
}

static double mcc_period_s(const struct device_model *model)
{
    const struct board *board = (const struct board *)(const void *)model->state;
    return 1.0 / rate_hz(board);
}

static void mcc_init(struct device_model *model, double rate, uint32_t serial)
{
    (void)rate; /* nothing but a start of scans sets it */
    struct board *board = board_of(model);
    memset(model->state, 0, sizeof model->state);
    board->serial = serial;
    board->pacer = 599999; /* 100 Hz until told */
}

/* ---- USB: one interface, one bulk endpoint in, one out for its analog outputs ---- */

static const uint8_t DESCRIPTORS[] = {
    /* device: USB 2.0, the vendor's class, 09DB:00E8 */
    18, 1, 0x00, 0x02, 0xFF, 0, 0, 64, 0xDB, 0x09, 0xE8, 0x00, 0x00, 0x01, 1, 2, 0, 1,
    /* configuration of 32 bytes, powered by the bus, 500 mA */
    9, 2, 32, 0, 1, 1, 0, 0x80, 250,
    /* interface 0, two endpoints */
    9, 4, 0, 0, 2, 0xFF, 0, 0, 0,
    /* bulk: scans, analog output */
    7, 5, 0x81, 2, 64, 0, 0, 7, 5, 0x02, 2, 64, 0, 0};

static const struct device_model_usb USB = {
    .descriptors = DESCRIPTORS,
    .descriptors_size = sizeof DESCRIPTORS,
    .strings = {NULL, "Measurement Computing Corp.", "USB-1208FS-Plus", NULL},
    .speed_mbit = 12,
    .sample_endpoint = 0x81,
    .is_packeted = true,
    .control = mcc_control,
};

extern const struct device_model_type model_mcc_usb1208fs_plus;

const struct device_model_type model_mcc_usb1208fs_plus = {
    .driver = "mcc-usb1208fs-plus",
    .has_analog = true,
    .rate_hz = 100.0,
    .init = mcc_init,
    .sample = mcc_sample,
    .period_s = mcc_period_s,
    .usb = &USB,
};

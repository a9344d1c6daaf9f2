/* LabJack U3 as its USB wire shows it. Serial numbers: from 330000000 on a U3-HV; with 9 as
 * the fourth digit from the right (320009000) its host falls behind every 1000 scans until
 * 37 scans are lost. */
#include <string.h>

#include "simulation/device_model.h"

enum {
    SERIAL_HV_FIRST = 330000000,
    STALL_SCAN_COUNT = 1000,
    STALL_LOST_COUNT = 37,

    PACKET_MAX = 64,
    FIFO_SIZE = 512, /* samples: the least of the datasheet, chapter 3.2 */
    INPUT_COUNT_MAX = 25,
    READING_COUNT = 16,

    FAULT_FUNCTION_INVALID = 5,
    FAULT_FLASH_LOCKED = 25,
    FAULT_BLOCK_INVALID = 26,
    FAULT_STREAM_ACTIVE = 48,
    FAULT_TABLE_INVALID = 49,
    FAULT_CONFIG_INVALID = 50,
    FAULT_NOT_RUNNING = 52,
    FAULT_RATE_INVALID = 58,
    OVERFLOW_NOW = 59,
    OVERFLOW_REPORT = 60
};

enum labjack_link {
    LINK_FREE,
    LINK_STALLED, /* the host does not take packets */
    LINK_STALLED_FULL
};

struct labjack {
    uint32_t serial;
    bool is_hv;
    uint8_t fio_analog;
    uint8_t eio_analog;
    uint8_t timers;
    uint8_t heard[PACKET_MAX]; /* of a command that is not complete */
    size_t heard_size;
    uint16_t readings[READING_COUNT]; /* newest counts of the inputs */

    bool is_configured;
    bool is_streaming;
    uint8_t input_count;
    uint8_t packet_samples;
    uint8_t clock_bits;
    uint16_t interval;
    uint8_t inputs[INPUT_COUNT_MAX][2];

    uint8_t counter;
    uint16_t fifo[FIFO_SIZE];
    unsigned fifo_first;
    unsigned fifo_count;
    uint32_t scan_count;
    bool is_recovering;
    bool is_report_due;
    uint32_t dropped;
    enum labjack_link link;
};

_Static_assert(sizeof(struct labjack) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct labjack *labjack_of(struct device_model *model)
{
    return (struct labjack *)(void *)model->state;
}

/* ---- its constants ---- */

/* This unit's own, a little off the nominal ones. */
static const double CONSTANTS[5][4] = {
    {3.7305e-5, 0.0004, 7.4610e-5, -2.4409}, {51.66, 0.15, 51.75, -0.1},
    {0.013012, 2.4402, 3.6601, 3.3012},      {3.1432e-4, 3.1387e-4, 3.1401e-4, 3.1415e-4},
    {-10.312, -10.287, -10.301, -10.295},
};

static void put_u16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    put_u16(bytes, value & 0xFFFF);
    put_u16(bytes + 2, value >> 16);
}

/* Signed 32.32 fixed point, lower half first. */
static void put_fixed(uint8_t *bytes, double value)
{
    int64_t fixed = (int64_t)(value * 4294967296.0 + (value < 0 ? -0.5 : 0.5));
    put_u32(bytes, (uint32_t)(uint64_t)fixed);
    put_u32(bytes + 4, (uint32_t)((uint64_t)fixed >> 32));
}

/* ---- checksums ---- */

static unsigned sum_of(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    while (size > 0) {
        sum += bytes[--size];
    }
    return sum;
}

/* Quotient and remainder by 256 added, twice. */
static uint8_t folded(unsigned sum)
{
    sum = sum / 256 + sum % 256;
    return (uint8_t)(sum / 256 + sum % 256);
}

static void seal(uint8_t *packet, size_t size)
{
    put_u16(packet + 4, sum_of(packet + 6, size - 6));
    packet[0] = folded(sum_of(packet + 1, 5));
}

static size_t reply_begin(uint8_t *reply, uint8_t command, size_t size, uint8_t fault)
{
    memset(reply, 0, size);
    reply[1] = 0xF8;
    reply[2] = (uint8_t)(size / 2 - 3);
    reply[3] = command;
    reply[6] = fault;
    return size;
}

static size_t short_reply(uint8_t *reply, uint8_t command, uint8_t fault)
{
    reply[1] = command;
    reply[2] = fault;
    reply[3] = 0;
    reply[0] = folded(sum_of(reply + 1, 3));
    return 4;
}

/* ---- commands ---- */

static size_t config_hear(struct labjack *labjack, const uint8_t *command, uint8_t *reply)
{
    bool is_write = command[6] != 0 || command[7] != 0;
    size_t size = reply_begin(reply, 0x08, 38, is_write ? FAULT_FLASH_LOCKED : 0);
    reply[9] = 46; /* firmware 1.46 */
    reply[10] = 1;
    reply[11] = 27;
    reply[13] = 30; /* hardware 1.30 */
    reply[14] = 1;
    put_u32(reply + 15, labjack->serial);
    reply[19] = 3;
    reply[21] = 1;
    reply[23] = labjack->fio_analog;
    reply[37] = labjack->is_hv ? 0x12 : 0x02;
    return size;
}

static size_t calibration_hear(const uint8_t *command, uint8_t *reply)
{
    if (command[7] > 4) {
        return reply_begin(reply, 0x2D, 8, FAULT_BLOCK_INVALID);
    }
    size_t size = reply_begin(reply, 0x2D, 40, 0);
    for (unsigned number = 0; number < 4; number++) {
        put_fixed(reply + 8 + 8 * number, CONSTANTS[command[7]][number]);
    }
    return size;
}

static size_t io_hear(struct labjack *labjack, const uint8_t *command, uint8_t *reply)
{
    if (labjack->is_streaming) {
        return reply_begin(reply, 0x0B, 12, FAULT_STREAM_ACTIVE);
    }
    uint8_t mask = command[6];
    labjack->timers = mask & 0x01 ? command[8] : labjack->timers;
    labjack->fio_analog = mask & 0x04 ? command[10] : labjack->fio_analog;
    labjack->eio_analog = mask & 0x08 ? command[11] : labjack->eio_analog;
    if (labjack->is_hv) {
        labjack->fio_analog |= 0x0F; /* these four are always analog */
    }
    size_t size = reply_begin(reply, 0x0B, 12, 0);
    reply[8] = labjack->timers;
    reply[10] = labjack->fio_analog;
    reply[11] = labjack->eio_analog;
    return size;
}

/* Most samples a second at each resolution; datasheet 3.2. */
static const double RATE_LIMITS_HZ[4] = {2500.0, 10000.0, 20000.0, 50000.0};

static double scan_rate_hz(const struct labjack *labjack)
{
    double clock_hz = labjack->clock_bits & 8 ? 48e6 : 4e6;
    return clock_hz / (labjack->clock_bits & 4 ? 256 : 1) / labjack->interval;
}

static uint8_t stream_config_fault(const struct labjack *labjack, const uint8_t *command)
{
    if (labjack->is_streaming) {
        return FAULT_STREAM_ACTIVE;
    }
    if (command[6] == 0 || command[6] > INPUT_COUNT_MAX || command[2] != command[6] + 3) {
        return FAULT_TABLE_INVALID;
    }
    if (command[7] == 0 || command[7] > 25) {
        return FAULT_CONFIG_INVALID;
    }
    return command[10] == 0 && command[11] == 0 ? FAULT_RATE_INVALID : 0;
}

static size_t stream_config_hear(struct labjack *labjack, const uint8_t *command,
                                 uint8_t *reply)
{
    uint8_t fault = stream_config_fault(labjack, command);
    if (fault == 0) {
        labjack->input_count = command[6];
        labjack->packet_samples = command[7];
        labjack->clock_bits = command[9];
        labjack->interval = (uint16_t)(command[10] | command[11] << 8);
        memcpy(labjack->inputs, command + 12, 2 * (size_t)command[6]);
        labjack->is_configured = scan_rate_hz(labjack) * labjack->input_count
                                 <= RATE_LIMITS_HZ[labjack->clock_bits & 3] * 1.0001;
        fault = labjack->is_configured ? 0 : FAULT_RATE_INVALID;
    }
    return reply_begin(reply, 0x11, 8, fault);
}

/* One reading; other kinds are not known to this model. */
static size_t feedback_hear(const struct labjack *labjack, const uint8_t *command,
                            size_t size, uint8_t *reply)
{
    if (labjack->is_streaming || size < 10 || command[7] != 0x01) {
        size_t reply_size = reply_begin(reply, 0x00, 10,
                                        labjack->is_streaming ? FAULT_STREAM_ACTIVE
                                                              : FAULT_FUNCTION_INVALID);
        reply[7] = 1;
        reply[8] = command[6];
        return reply_size;
    }
    size_t reply_size = reply_begin(reply, 0x00, 12, 0);
    reply[8] = command[6];
    put_u16(reply + 9, labjack->readings[command[8] % READING_COUNT]);
    return reply_size;
}

static size_t extended_hear(struct labjack *labjack, const uint8_t *command, size_t size,
                            uint8_t *reply)
{
    size_t reply_size = 0;
    switch (command[3]) {
    case 0x00:
        reply_size = feedback_hear(labjack, command, size, reply);
        break;
    case 0x08:
        reply_size = size == 26 ? config_hear(labjack, command, reply) : 0;
        break;
    case 0x0B:
        reply_size = size == 12 ? io_hear(labjack, command, reply) : 0;
        break;
    case 0x11:
        reply_size = size >= 14 ? stream_config_hear(labjack, command, reply) : 0;
        break;
    case 0x28: /* writes and erasures of user and calibration memory */
    case 0x29:
    case 0x2B:
    case 0x2C:
        reply_size = reply_begin(reply, command[3], 8, FAULT_FLASH_LOCKED);
        break;
    case 0x2D:
        reply_size = calibration_hear(command, reply);
        break;
    default:
        break;
    }
    if (reply_size == 0) {
        reply_size = reply_begin(reply, command[3], 8, FAULT_FUNCTION_INVALID);
    }
    seal(reply, reply_size);
    return reply_size;
}

static size_t start_hear(struct labjack *labjack, uint8_t *reply)
{
    uint8_t fault = labjack->is_streaming     ? FAULT_STREAM_ACTIVE
                    : !labjack->is_configured ? FAULT_CONFIG_INVALID
                                              : 0;
    if (fault == 0) {
        labjack->is_streaming = true;
        labjack->counter = 0;
        labjack->fifo_count = 0;
        labjack->scan_count = 0;
        labjack->is_recovering = false;
        labjack->is_report_due = false;
        labjack->dropped = 0;
        labjack->link = LINK_FREE;
    }
    return short_reply(reply, 0xA9, fault);
}

static size_t stop_hear(struct labjack *labjack, uint8_t *reply)
{
    uint8_t fault = labjack->is_streaming ? 0 : FAULT_NOT_RUNNING;
    labjack->is_streaming = false;
    return short_reply(reply, 0xB1, fault);
}

static size_t refusal(uint8_t *reply)
{
    reply[0] = 0xB8;
    reply[1] = 0xB8;
    return 2;
}

static bool is_sealed(const uint8_t *command, size_t size)
{
    unsigned sum = sum_of(command + 6, size - 6);
    return command[4] == sum % 256 && command[5] == sum / 256
           && command[0] == folded(sum_of(command + 1, 5));
}

/* Size of the command at the front; 0 = not known yet, more than PACKET_MAX = none. */
static size_t command_size(const uint8_t *bytes, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (bytes[1] == 0xA8 || bytes[1] == 0xB0) {
        return 2;
    }
    if (bytes[1] != 0xF8) {
        return PACKET_MAX + 1;
    }
    return size < 6 ? 0 : 6 + 2 * (size_t)bytes[2];
}

/* @return Size of the answer; 0 = the command is not complete. */
static size_t command_take(struct labjack *labjack, uint8_t *reply)
{
    const uint8_t *command = labjack->heard;
    size_t size = command_size(command, labjack->heard_size);
    if (size == 0 || (size <= PACKET_MAX && size > labjack->heard_size)) {
        return 0;
    }
    bool is_extended = size > 2 && size <= PACKET_MAX;
    if (size > PACKET_MAX || (is_extended && !is_sealed(command, size))
        || (!is_extended && command[0] != command[1])) {
        labjack->heard_size = 0; /* the rest of the transfer is not looked at */
        return refusal(reply);
    }
    size_t reply_size = is_extended          ? extended_hear(labjack, command, size, reply)
                        : command[1] == 0xA8 ? start_hear(labjack, reply)
                                             : stop_hear(labjack, reply);
    labjack->heard_size -= size;
    memmove(labjack->heard, labjack->heard + size, labjack->heard_size);
    return reply_size;
}

static size_t labjack_hear(struct device_model *model, uint64_t time_us,
                           const uint8_t *bytes, size_t size, uint8_t *reply)
{
    (void)time_us;
    struct labjack *labjack = labjack_of(model);
    size_t reply_size = 0;
    for (size_t used = 0; used < size; used++) {
        labjack->heard[labjack->heard_size++] = bytes[used];
        if (reply_size + PACKET_MAX <= DEVICE_MODEL_OUT_MAX) {
            reply_size += command_take(labjack, reply + reply_size);
        }
        if (labjack->heard_size == PACKET_MAX) {
            labjack->heard_size = 0;
        }
    }
    return reply_size;
}

/* ---- stream ---- */

/* 12 bits in the upper part of 16. */
static uint16_t count_of(double share)
{
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return (uint16_t)((unsigned)(share * 4095.0 + 0.5) << 4);
}

static void inputs_read(struct labjack *labjack, const struct device_reading *reading)
{
    for (unsigned input = 0; input < READING_COUNT; input++) {
        labjack->readings[input] =
            input < DEVICE_MODEL_ANALOG_COUNT ? count_of(reading->analog_share[input]) : 0;
        /* A line that is not analog reads nothing. */
        bool is_digital = input < 8 && !(labjack->fio_analog & 1u << input);
        labjack->readings[input] = is_digital ? 0 : labjack->readings[input];
    }
}

static void fifo_put(struct labjack *labjack, uint16_t count)
{
    labjack->fifo[(labjack->fifo_first + labjack->fifo_count++) % FIFO_SIZE] = count;
}

static uint16_t fifo_take(struct labjack *labjack)
{
    uint16_t count = labjack->fifo[labjack->fifo_first];
    labjack->fifo_first = (labjack->fifo_first + 1) % FIFO_SIZE;
    labjack->fifo_count--;
    return count;
}

static void scan_put(struct labjack *labjack, bool is_dummy)
{
    for (unsigned place = 0; place < labjack->input_count; place++) {
        uint8_t input = labjack->inputs[place][0] % READING_COUNT;
        fifo_put(labjack, is_dummy ? 0xFFFF : labjack->readings[input]);
    }
}

/* Once fewer samples than a packet are left, scans are kept again; a dummy scan stands
 * where those that were lost would be and counts as one of them. */
static void scan_take(struct labjack *labjack)
{
    labjack->scan_count++;
    if (!labjack->is_recovering && labjack->fifo_count + labjack->input_count > FIFO_SIZE) {
        labjack->is_recovering = true;
        labjack->dropped = 0;
    }
    if (!labjack->is_recovering) {
        scan_put(labjack, false);
        return;
    }
    labjack->dropped++;
    if (labjack->fifo_count < labjack->packet_samples) {
        scan_put(labjack, true);
        labjack->is_recovering = false;
        labjack->is_report_due = true;
    }
}

static void link_step(struct labjack *labjack)
{
    bool is_slow = labjack->serial / 1000 % 10 == 9;
    if (is_slow && labjack->scan_count % STALL_SCAN_COUNT == 0) {
        labjack->link = LINK_STALLED;
    }
    if (labjack->link == LINK_STALLED && labjack->is_recovering) {
        labjack->link = LINK_STALLED_FULL;
    }
    if (labjack->link == LINK_STALLED_FULL && labjack->dropped >= STALL_LOST_COUNT) {
        labjack->link = LINK_FREE;
    }
}

static size_t packet_give(struct labjack *labjack, uint8_t *packet)
{
    unsigned count = labjack->packet_samples;
    if (labjack->link != LINK_FREE || labjack->fifo_count < count) {
        return 0;
    }
    size_t size = 14 + 2 * (size_t)count;
    memset(packet, 0, size);
    packet[1] = 0xF9;
    packet[2] = (uint8_t)(4 + count);
    packet[3] = 0xC0;
    packet[10] = labjack->counter++;
    if (labjack->is_recovering) {
        packet[11] = OVERFLOW_NOW;
    } else if (labjack->is_report_due) {
        packet[11] = OVERFLOW_REPORT;
        put_u32(packet + 6, labjack->dropped);
        labjack->is_report_due = false;
    }
    for (unsigned place = 0; place < count; place++) {
        put_u16(packet + 12 + 2 * place, fifo_take(labjack));
    }
    unsigned backlog = labjack->fifo_count * 256 / FIFO_SIZE;
    packet[12 + 2 * count] = (uint8_t)(backlog > 255 ? 255 : backlog);
    seal(packet, size);
    return size;
}

static size_t labjack_sample(struct device_model *model, uint64_t time_us,
                             const struct device_reading *reading, uint8_t *bytes)
{
    (void)time_us;
    struct labjack *labjack = labjack_of(model);
    inputs_read(labjack, reading);
    if (!labjack->is_streaming) {
        return 0;
    }
    scan_take(labjack);
    link_step(labjack);
    return packet_give(labjack, bytes);
}

static double labjack_period_s(const struct device_model *model)
{
    const struct labjack *labjack = (const struct labjack *)(const void *)model->state;
    return labjack->is_configured ? 1.0 / scan_rate_hz(labjack) : 0.01;
}

static void labjack_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)rate_hz; /* nothing but a stream configuration sets it */
    struct labjack *labjack = labjack_of(model);
    memset(model->state, 0, sizeof model->state);
    labjack->serial = serial;
    labjack->is_hv = serial >= SERIAL_HV_FIRST;
    labjack->fio_analog = 0x0F;
    labjack->timers = 0x40;
    labjack->interval = 40000;
    labjack->input_count = 1;
    labjack->packet_samples = 25;
}

/* ---- USB: one interface, one way out, two in, full speed ---- */

static const uint8_t DESCRIPTORS[] = {
    /* device: USB 2.0, class by interface, 0CD5:0003 */
    18, 1, 0x00, 0x02, 0, 0, 0, 64, 0xD5, 0x0C, 0x03, 0x00, 0x00, 0x00, 1, 2, 0, 1,
    /* configuration of 39 bytes, powered by the bus, 500 mA */
    9, 2, 39, 0, 1, 1, 0, 0x80, 250,
    /* interface 0, three endpoints, of the vendor's class */
    9, 4, 0, 0, 3, 0xFF, 0, 0, 0,
    /* bulk: commands, replies, stream */
    7, 5, 0x01, 2, 64, 0, 0, 7, 5, 0x82, 2, 64, 0, 0, 7, 5, 0x83, 2, 64, 0, 0};

static const struct device_model_usb USB = {
    .descriptors = DESCRIPTORS,
    .descriptors_size = sizeof DESCRIPTORS,
    .strings = {NULL, "LabJack Corporation", "LabJack U3", NULL},
    .speed_mbit = 12,
    .sample_endpoint = 0x83,
    .reply_endpoint = 0x82,
    .command_endpoint = 0x01,
};

extern const struct device_model_type model_labjack_u3;

const struct device_model_type model_labjack_u3 = {
    .driver = "labjack-u3",
    .has_analog = true,
    .rate_hz = 100.0,
    .init = labjack_init,
    .hear = labjack_hear,
    .sample = labjack_sample,
    .period_s = labjack_period_s,
    .usb = &USB,
};

/* A MicroStrain 3DM-CV7 as seen from its serial line: MIP commands and sensor data (maker's
 * MIP SDK). */
#include "simulation/device_model.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

enum {
    PACKET_MAX = 261,
    FORMAT_COUNT_MAX = 16,
    BASE_RATE_HZ = 1000,
    SERIAL_BYTES_S = 11520, /* 115200 baud: faster formats are refused */
    TEXT_SIZE = 16
};

enum ack_code {
    ACK_OK = 0,
    ACK_UNKNOWN = 1,
    ACK_CHECKSUM = 2,
    ACK_PARAMETER = 3,
    ACK_FAILED = 4
};

enum set {
    SET_BASE = 0x01,
    SET_3DM = 0x0C,
    SET_SENSOR = 0x80
};

struct format_entry {
    uint8_t descriptor;
    uint16_t decimation;
};

struct mip {
    uint32_t serial;
    bool is_idle;
    bool is_streaming;
    unsigned format_count;
    struct format_entry format[FORMAT_COUNT_MAX];
    uint64_t instant; /* in base periods */
    uint64_t last_us; /* of the sample before, for the time delta */
    uint8_t packet[PACKET_MAX];
    size_t packet_size;
};

_Static_assert(sizeof(struct mip) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct mip *mip_of(struct device_model *model)
{
    return (struct mip *)(void *)model->state;
}

/* ---- writing packets ---- */

static size_t be_put(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)(value >> 8 * (size - 1 - index));
    }
    return size;
}

static void packet_begin(uint8_t *packet, uint8_t set)
{
    packet[0] = 'u';
    packet[1] = 'e';
    packet[2] = set;
    packet[3] = 0;
}

/* @return Where the data of the new field go. */
static uint8_t *field_add(uint8_t *packet, uint8_t descriptor, size_t data_size)
{
    uint8_t *field = packet + 4 + packet[3];
    field[0] = (uint8_t)(data_size + 2);
    field[1] = descriptor;
    packet[3] = (uint8_t)(packet[3] + field[0]);
    return field + 2;
}

static void checksum_of(const uint8_t *packet, size_t size, uint8_t sums[2])
{
    sums[0] = sums[1] = 0;
    for (size_t index = 0; index < size; index++) {
        sums[0] = (uint8_t)(sums[0] + packet[index]);
        sums[1] = (uint8_t)(sums[1] + sums[0]);
    }
}

/* @return Size of the packet. */
static size_t packet_end(uint8_t *packet)
{
    size_t size = (size_t)4 + packet[3];
    checksum_of(packet, size, packet + size);
    return size + 2;
}

/* ---- measurements ---- */

typedef void field_put_fn(const struct mip *mip, uint64_t time_us,
                          const struct device_reading *reading, uint8_t *data);

static void floats_put(uint8_t *data, const double *values, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        float value = (float)values[index];
        uint32_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        be_put(data + (size_t)4 * index, bits, 4);
    }
}

static double quantised(double value, double range, double step)
{
    return round(fmin(fmax(value, -range), range) / step) * step;
}

static void vector_put(uint8_t *data, const double vector[3], double range, double step,
                       double scale)
{
    double values[3];
    for (unsigned axis = 0; axis < 3; axis++) {
        values[axis] = quantised(vector[axis], range, step) * scale;
    }
    floats_put(data, values, 3);
}

/* 3DM-CV7: 8 g and 500 deg/s, steps of 16 bits and finer. */
static const double ACCEL_RANGE_G = 8.0;
static const double ACCEL_STEP_G = 8.0 / 32768.0;
static const double GYRO_RANGE_DEG_S = 500.0;
static const double GYRO_STEP_DEG_S = 500.0 / 32768.0;

static void acceleration_put(const struct mip *mip, uint64_t time_us,
                             const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    vector_put(data, reading->accel_g, ACCEL_RANGE_G, ACCEL_STEP_G, 1.0);
}

static void rate_put(const struct mip *mip, uint64_t time_us,
                     const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    vector_put(data, reading->gyro_deg_s, GYRO_RANGE_DEG_S, GYRO_STEP_DEG_S, RAD_PER_DEG);
}

static void magnetic_put(const struct mip *mip, uint64_t time_us,
                         const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    vector_put(data, reading->field_ut, 250.0, 0.05, 0.01);
}

static void quaternion_put(const struct mip *mip, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    const double values[4] = {reading->orientation.w, reading->orientation.x,
                              reading->orientation.y, reading->orientation.z};
    floats_put(data, values, 4);
}

static void temperature_put(const struct mip *mip, uint64_t time_us,
                            const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    const double mean = reading->temperature_deg_c;
    const double values[3] = {mean - 0.25, mean + 0.25, mean};
    floats_put(data, values, 3);
}

static void overrange_put(const struct mip *mip, uint64_t time_us,
                          const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)time_us;
    unsigned status = 0;
    for (unsigned axis = 0; axis < 3; axis++) {
        status |= (unsigned)(fabs(reading->accel_g[axis]) >= ACCEL_RANGE_G) << axis;
        status |= (unsigned)(fabs(reading->gyro_deg_s[axis]) >= GYRO_RANGE_DEG_S)
                  << (4 + axis);
    }
    be_put(data, status, 2);
}

static void time_put(const struct mip *mip, uint64_t time_us,
                     const struct device_reading *reading, uint8_t *data)
{
    (void)mip;
    (void)reading;
    be_put(data, time_us * 1000u, 8);
}

static void delta_put(const struct mip *mip, uint64_t time_us,
                      const struct device_reading *reading, uint8_t *data)
{
    (void)reading;
    be_put(data, (time_us - mip->last_us) * 1000u, 8);
}

struct offered {
    uint8_t descriptor;
    uint8_t size;
    field_put_fn *put;
};

static const struct offered OFFERED[] = {
    {0x04, 12, acceleration_put}, {0x05, 12, rate_put},        {0x06, 12, magnetic_put},
    {0x0A, 16, quaternion_put},   {0x14, 12, temperature_put}, {0x18, 2, overrange_put},
    {0xD5, 8, time_put},          {0xD6, 8, delta_put},
};

static const struct offered *offered_find(uint8_t descriptor)
{
    for (size_t index = 0; index < sizeof OFFERED / sizeof OFFERED[0]; index++) {
        if (OFFERED[index].descriptor == descriptor) {
            return &OFFERED[index];
        }
    }
    return NULL;
}

/* ---- commands ---- */

/* A command field and the packet that answers it. */
struct request {
    struct mip *mip;
    const uint8_t *data;
    size_t size;
    uint8_t *reply; /* an acknowledgement stands in it */
};

static enum ack_code ping_run(struct request *request)
{
    (void)request;
    return ACK_OK;
}

static enum ack_code idle_run(struct request *request)
{
    request->mip->is_idle = true;
    return ACK_OK;
}

static enum ack_code resume_run(struct request *request)
{
    request->mip->is_idle = false;
    return ACK_OK;
}

static enum ack_code info_run(struct request *request)
{
    uint8_t *data = field_add(request->reply, 0x81, 2 + 5 * TEXT_SIZE);
    be_put(data, 1104, 2);
    memset(data + 2, ' ', (size_t)5 * TEXT_SIZE);
    memcpy(data + 2, "    3DM-CV7-AHRS", TEXT_SIZE);
    memcpy(data + 2 + TEXT_SIZE, "       6286-9910", TEXT_SIZE);
    uint8_t *serial = data + 2 + 2 * TEXT_SIZE;
    memcpy(serial, "     6286.", 10);
    uint32_t number = request->mip->serial;
    for (unsigned digit = 0; digit < 6; digit++) {
        serial[TEXT_SIZE - 1 - digit] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
    return ACK_OK;
}

static enum ack_code base_rate_run(struct request *request)
{
    if (request->size != 1 || request->data[0] != SET_SENSOR) {
        return ACK_PARAMETER;
    }
    uint8_t *data = field_add(request->reply, 0x8E, 3);
    data[0] = SET_SENSOR;
    be_put(data + 1, BASE_RATE_HZ, 2);
    return ACK_OK;
}

static enum ack_code format_read(struct request *request)
{
    const struct mip *mip = request->mip;
    uint8_t *data = field_add(request->reply, 0x8F, 2 + (size_t)3 * mip->format_count);
    data[0] = SET_SENSOR;
    data[1] = (uint8_t)mip->format_count;
    for (unsigned index = 0; index < mip->format_count; index++) {
        uint8_t *entry = data + 2 + (size_t)3 * index;
        entry[0] = mip->format[index].descriptor;
        be_put(entry + 1, mip->format[index].decimation, 2);
    }
    return ACK_OK;
}

static enum ack_code format_write(struct request *request)
{
    const uint8_t *data = request->data;
    if (request->size < 3 || data[2] > FORMAT_COUNT_MAX
        || request->size != 3 + (size_t)3 * data[2]) {
        return ACK_PARAMETER;
    }
    struct format_entry format[FORMAT_COUNT_MAX] = {{0}};
    double bytes_s = 0.0;
    for (unsigned index = 0; index < data[2]; index++) {
        const uint8_t *entry = data + 3 + (size_t)3 * index;
        const struct offered *offered = offered_find(entry[0]);
        format[index].descriptor = entry[0];
        format[index].decimation = (uint16_t)(entry[1] << 8 | entry[2]);
        if (!offered || format[index].decimation == 0) {
            return ACK_PARAMETER;
        }
        double head_size = index == 0 ? 6.0 : 0.0;
        bytes_s +=
            (offered->size + 2.0 + head_size) * BASE_RATE_HZ / format[index].decimation;
    }
    if (bytes_s > SERIAL_BYTES_S) {
        return ACK_FAILED;
    }
    request->mip->instant = 0;
    request->mip->format_count = data[2];
    memcpy(request->mip->format, format, sizeof format);
    return ACK_OK;
}

static enum ack_code format_run(struct request *request)
{
    if (request->size < 2 || request->data[1] != SET_SENSOR) {
        return ACK_PARAMETER;
    }
    if (request->data[0] == 2) {
        return format_read(request);
    }
    return request->data[0] == 1 ? format_write(request) : ACK_PARAMETER;
}

static enum ack_code stream_run(struct request *request)
{
    const uint8_t *data = request->data;
    if (request->size < 2 || data[1] != SET_SENSOR) {
        return ACK_PARAMETER;
    }
    if (data[0] == 2) {
        uint8_t *reply = field_add(request->reply, 0x85, 2);
        reply[0] = SET_SENSOR;
        reply[1] = request->mip->is_streaming;
        return ACK_OK;
    }
    if (data[0] != 1 || request->size != 3) {
        return ACK_PARAMETER;
    }
    request->mip->is_streaming = data[2] != 0;
    return ACK_OK;
}

typedef enum ack_code command_fn(struct request *request);

struct command {
    uint8_t set;
    uint8_t descriptor;
    command_fn *run;
};

static const struct command COMMANDS[] = {
    {SET_BASE, 0x01, ping_run},     {SET_BASE, 0x02, idle_run},
    {SET_BASE, 0x03, info_run},     {SET_BASE, 0x06, resume_run},
    {SET_3DM, 0x0E, base_rate_run}, {SET_3DM, 0x0F, format_run},
    {SET_3DM, 0x11, stream_run},
};

static enum ack_code field_run(struct request *request, uint8_t set, uint8_t descriptor)
{
    for (size_t index = 0; index < sizeof COMMANDS / sizeof COMMANDS[0]; index++) {
        if (COMMANDS[index].set == set && COMMANDS[index].descriptor == descriptor) {
            return COMMANDS[index].run(request);
        }
    }
    return ACK_UNKNOWN;
}

/* One answer a field: the acknowledgement first, then what was asked for. */
static size_t field_answer(struct mip *mip, uint8_t set, const uint8_t *field,
                           uint8_t *reply)
{
    packet_begin(reply, set);
    uint8_t *ack = field_add(reply, 0xF1, 2);
    struct request request = {mip, field + 2, field[0] - (size_t)2, reply};
    ack[0] = field[1];
    ack[1] = (uint8_t)field_run(&request, set, field[1]);
    return packet_end(reply);
}

static size_t packet_answer(struct mip *mip, uint8_t *reply)
{
    const uint8_t *packet = mip->packet;
    size_t end = (size_t)4 + packet[3];
    uint8_t sums[2];
    size_t size = 0;
    checksum_of(packet, end, sums);
    bool is_good = memcmp(sums, packet + end, 2) == 0;
    for (size_t at = 4; at + 2 <= end && packet[at] >= 2 && at + packet[at] <= end;
         at += packet[at]) {
        if (size + PACKET_MAX > DEVICE_MODEL_OUT_MAX) {
            break;
        }
        if (is_good) {
            size += field_answer(mip, packet[2], packet + at, reply + size);
            continue;
        }
        packet_begin(reply, packet[2]);
        uint8_t *ack = field_add(reply, 0xF1, 2);
        ack[0] = packet[at + 1];
        ack[1] = ACK_CHECKSUM;
        return packet_end(reply);
    }
    return size;
}

/* ---- the model ---- */

static void mip_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    static const uint8_t descriptors[] = {0xD5, 0x04, 0x05};
    struct mip *mip = mip_of(model);
    memset(mip, 0, sizeof *mip);
    mip->serial = serial;
    mip->is_streaming = true;
    double decimation = fmax(1.0, round(BASE_RATE_HZ / (rate_hz > 0.0 ? rate_hz : 100.0)));
    for (size_t index = 0; index < sizeof descriptors; index++) {
        mip->format[mip->format_count++] =
            (struct format_entry){descriptors[index], (uint16_t)decimation};
    }
}

/* A byte that cannot belong to a packet ends it; so does a full one. */
static size_t byte_hear(struct mip *mip, uint8_t byte, uint8_t *reply)
{
    mip->packet[mip->packet_size++] = byte;
    size_t size = mip->packet_size;
    if ((size == 1 && byte != 'u') || (size == 2 && byte != 'e')) {
        mip->packet_size = byte == 'u';
        mip->packet[0] = byte;
    }
    if (size < 6 || size < (size_t)6 + mip->packet[3]) {
        return 0;
    }
    mip->packet_size = 0;
    return packet_answer(mip, reply);
}

static size_t mip_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                       size_t size, uint8_t *reply)
{
    (void)time_us;
    struct mip *mip = mip_of(model);
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = 0;
    for (size_t index = 0; index < size; index++) {
        size_t answer_size = byte_hear(mip, bytes[index], answer);
        if (reply_size + answer_size <= DEVICE_MODEL_OUT_MAX) {
            memcpy(reply + reply_size, answer, answer_size);
            reply_size += answer_size;
        }
    }
    return reply_size;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Base periods between sampling instants: at each some field may be due. */
static unsigned stride(const struct mip *mip)
{
    unsigned divisor = 0;
    for (unsigned index = 0; index < mip->format_count; index++) {
        divisor = common_divisor(divisor, mip->format[index].decimation);
    }
    return divisor > 0 ? divisor : 10;
}

static size_t mip_sample(struct device_model *model, uint64_t time_us,
                         const struct device_reading *reading, uint8_t *bytes)
{
    struct mip *mip = mip_of(model);
    mip->instant += stride(mip);
    if (mip->is_idle || !mip->is_streaming) {
        return 0;
    }
    packet_begin(bytes, SET_SENSOR);
    for (unsigned index = 0; index < mip->format_count; index++) {
        const struct format_entry *entry = &mip->format[index];
        const struct offered *offered = offered_find(entry->descriptor);
        if (offered && mip->instant % entry->decimation == 0) {
            offered->put(mip, time_us, reading,
                         field_add(bytes, entry->descriptor, offered->size));
        }
    }
    mip->last_us = time_us;
    return bytes[3] > 0 ? packet_end(bytes) : 0;
}

static double mip_period_s(const struct device_model *model)
{
    const struct mip *mip = (const struct mip *)(const void *)model->state;
    return (double)stride(mip) / BASE_RATE_HZ;
}

extern const struct device_model_type model_microstrain_mip;

const struct device_model_type model_microstrain_mip = {
    .driver = "microstrain-mip",
    .has_inertial = true,
    .rate_hz = 100.0,
    .init = mip_init,
    .hear = mip_hear,
    .sample = mip_sample,
    .period_s = mip_period_s,
};

/* A virtual Xsens MTi, after the maker's low level protocol document: states, stored output
 * configuration, MTData2. The serial number chooses the family, as device identifiers do:
 * 036xxxxx an MTi-30, 037xxxxx an MTi-G-710 (adds GNSS messages), 038xxxxx an MTi-3. */
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "simulation/device_model.h"

enum {
    MID_DEVICE = 0x00,
    MID_MEASURE = 0x10,
    MID_FIRMWARE = 0x12,
    MID_PRODUCT = 0x1C,
    MID_CONFIG_STATE = 0x30,
    MID_DATA = 0x36,
    MID_WAKE_UP = 0x3E,
    MID_WAKE_UP_ACK = 0x3F,
    MID_RESET = 0x40,
    MID_ERROR = 0x42,
    MID_OUTPUT = 0xC0,

    ERROR_UNKNOWN = 4,
    ERROR_PARAMETER = 33,

    OUTPUT_MAX = 32, /* entries of an output configuration */
    HEARD_MAX = 300, /* longest message it takes */
    DATA_MAX = 1024,
    ITEM_SIZE_MAX = 128, /* a longer message than its buffer takes is cut at an item */
    EACH = 0xFFFF,       /* rate: with every message */
    BASE_HZ = 400,
    GNSS_LATE_TICKS = 24806 /* as seen in a recording of an MTi-G-700 */
};

static const uint64_t BOOT_US = 1200000; /* until WakeUp */
static const uint64_t WAKE_US = 500000;  /* WakeUp waits for its answer */
static const uint64_t TICK_US = 100;
static const double EARTH_FIELD_UT = 50.0; /* what an arbitrary unit stands for */

enum state {
    BOOTING,
    WAKING,
    CONFIG,
    MEASURING
};

struct output {
    uint16_t id;
    uint16_t rate_hz;
};

/* What tells the families apart. */
struct family {
    uint32_t id; /* upper 12 bits of the device identifier */
    const char *product;
    uint64_t clock_end; /* ticks after which the clock begins anew */
    unsigned rate_max_hz;
    double turn_max_deg_s;
    double acceleration_max_m_s2;
    bool has_gnss;
};

static const struct family FAMILIES[] = {
    {0x036, "MTi-30-2A5G4", 864000000, 400, 450.0, 50.0, false},
    {0x037, "MTi-G-710-2A5G4", 864000000, 400, 450.0, 50.0, true},
    {0x038, "MTi-3-8A7G6", (uint64_t)1 << 32, 100, 2000.0, 160.0, false},
};

struct mti_model {
    const struct family *family;
    uint32_t serial;
    enum state state;
    uint64_t start_us; /* last reset: its clock counts from there */
    uint64_t state_us; /* since when it is in this state */
    uint16_t counter;
    uint64_t instant; /* sampling instants since measurement began */
    struct output outputs[OUTPUT_MAX];
    unsigned output_count;
    uint8_t heard[HEARD_MAX];
    size_t heard_size;
};

_Static_assert(sizeof(struct mti_model) <= DEVICE_MODEL_STATE_SIZE, "model too large");

static struct mti_model *mti_of(struct device_model *model)
{
    return (struct mti_model *)(void *)model->state;
}

/* ---- writing ---- */

struct writer {
    uint8_t *bytes;
    size_t size;
};

static void put(struct writer *writer, uint64_t value, unsigned byte_count)
{
    for (unsigned left = byte_count; left-- > 0;) {
        writer->bytes[writer->size++] = (uint8_t)(value >> 8 * left);
    }
}

static void put_real(struct writer *writer, double value, unsigned precision)
{
    if (precision == 0) {
        float narrow = (float)value;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        put(writer, bits, 4);
    } else if (precision == 1) {
        put(writer, (uint32_t)(int32_t)llround(value * 0x1p20), 4);
    } else if (precision == 2) {
        int64_t fixed = llround(value * 0x1p32);
        put(writer, (uint32_t)(fixed & 0xFFFFFFFF), 4);
        put(writer, (uint16_t)(fixed >> 32), 2);
    } else {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        put(writer, bits, 8);
    }
}

static const uint8_t REAL_SIZES[4] = {4, 4, 6, 8};

static void put_reals(struct writer *writer, uint16_t id, const double *values,
                      unsigned count)
{
    put(writer, id, 2);
    put(writer, (uint64_t)count * REAL_SIZES[id & 3], 1);
    for (unsigned i = 0; i < count; i++) {
        put_real(writer, values[i], id & 3);
    }
}

/* One message with its checksum.
 * @return Size. */
static size_t message_put(uint8_t message, const uint8_t *data, size_t size, uint8_t *bytes)
{
    struct writer writer = {.bytes = bytes};
    put(&writer, 0xFAFF, 2);
    put(&writer, message, 1);
    if (size < 0xFF) {
        put(&writer, size, 1);
    } else {
        put(&writer, 0xFF, 1);
        put(&writer, size, 2);
    }
    if (size > 0) {
        memcpy(bytes + writer.size, data, size);
    }
    writer.size += size;
    unsigned sum = 0;
    for (size_t i = 1; i < writer.size; i++) {
        sum += bytes[i];
    }
    put(&writer, 0x100 - (sum & 0xFF), 1);
    return writer.size;
}

/* ---- what it measures ---- */

/* A reading in its own units and words. */
struct measured {
    double turn_rad_s[3];
    double acceleration_m_s2[3];
    double field_au[3];
    uint32_t status;
};

/* 16 bits over the range; a value beyond stands at its end.
 * @param status  Gets the bit when it does. */
static double quantise(double value, double range, uint32_t bit, uint32_t *status)
{
    const double step = range / 32768.0;
    if (fabs(value) >= range) {
        *status |= bit | 1u << 19;
        return value > 0.0 ? range - step : -range;
    }
    return floor(value / step + 0.5) * step;
}

static void measure(const struct family *family, const struct device_reading *reading,
                    struct measured *measured)
{
    measured->status = 3; /* self-test passed, filter valid */
    for (unsigned axis = 0; axis < 3; axis++) {
        uint32_t *status = &measured->status;
        measured->acceleration_m_s2[axis] =
            quantise(reading->accel_g[axis] * GRAVITY_M_S2, family->acceleration_max_m_s2,
                     1u << (8 + axis), status);
        measured->turn_rad_s[axis] =
            quantise(reading->gyro_deg_s[axis], family->turn_max_deg_s, 1u << (11 + axis),
                     status)
            * RAD_PER_DEG;
        measured->field_au[axis] = quantise(reading->field_ut[axis] / EARTH_FIELD_UT, 1.9,
                                            1u << (14 + axis), status);
    }
}

/* Orientation in the Earth frame of the identifier: east-north-up, else north-east-down or
 * north-west-up. */
static struct quaternion frame_turn(uint16_t id, struct quaternion q)
{
    const double half = sqrt(0.5);
    const struct quaternion ned = {0.0, half, half, 0.0};
    const struct quaternion nwu = {half, 0.0, 0.0, -half};
    if ((id & 0xC) == 0x4) {
        return quaternion_multiply(ned, q);
    }
    return (id & 0xC) == 0x8 ? quaternion_multiply(nwu, q) : q;
}

static void euler_put(struct writer *writer, uint16_t id, struct quaternion q)
{
    double sine = 2.0 * (q.w * q.y - q.x * q.z);
    const double values[3] = {
        atan2(2.0 * (q.w * q.x + q.y * q.z), 1.0 - 2.0 * (q.x * q.x + q.y * q.y))
            * DEG_PER_RAD,
        asin(fmax(-1.0, fmin(1.0, sine))) * DEG_PER_RAD,
        atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
            * DEG_PER_RAD};
    put_reals(writer, id, values, 3);
}

static void matrix_put(struct writer *writer, uint16_t id, struct quaternion q)
{
    double values[9];
    for (unsigned column = 0; column < 3; column++) {
        struct vector3 axis = {column == 0, column == 1, column == 2};
        struct vector3 turned = quaternion_rotate(q, axis);
        values[3 * column] = turned.x;
        values[3 * column + 1] = turned.y;
        values[3 * column + 2] = turned.z;
    }
    put_reals(writer, id, values, 9);
}

/* Acceleration without gravity, in Earth axes. */
static void free_put(struct writer *writer, uint16_t id, struct quaternion q,
                     const double *acceleration)
{
    struct vector3 a = {acceleration[0], acceleration[1], acceleration[2]};
    struct vector3 turned = quaternion_rotate(q, a);
    bool is_down = (id & 0xC) == 0x4;
    const double values[3] = {turned.x, turned.y,
                              turned.z + (is_down ? GRAVITY_M_S2 : -GRAVITY_M_S2)};
    put_reals(writer, id, values, 3);
}

static void delta_put(struct writer *writer, uint16_t id, const double *rates,
                      double period_s)
{
    double values[4];
    for (unsigned axis = 0; axis < 3; axis++) {
        values[axis + 1] = rates[axis] * period_s;
    }
    if ((id & 0xFFF0) == 0x4010) {
        put_reals(writer, id, values + 1, 3);
        return;
    }
    values[0] = 1.0;
    for (unsigned axis = 1; axis < 4; axis++) {
        values[axis] /= 2.0;
        values[0] -= values[axis] * values[axis] / 2.0;
    }
    put_reals(writer, id, values, 4);
}

/* ---- its items ---- */

enum item {
    UTC,
    COUNTER,
    FINE_TIME,
    COARSE_TIME,
    TEMPERATURE,
    QUATERNION,
    MATRIX,
    EULER,
    PRESSURE,
    DELTA_V,
    ACCELERATION,
    FREE_ACCELERATION,
    GNSS,
    TURN,
    DELTA_Q,
    FIELD,
    STATUS_BYTE,
    STATUS_WORD,
    ITEM_COUNT
};

struct item_type {
    uint16_t id;
    bool is_real;    /* the low nibble chooses precision and frame */
    unsigned max_hz; /* 0 = with every message, whatever is asked */
};

static const struct item_type ITEMS[ITEM_COUNT] = {
    [UTC] = {0x1010, false, 0},           [COUNTER] = {0x1020, false, 0},
    [FINE_TIME] = {0x1060, false, 0},     [COARSE_TIME] = {0x1070, false, 0},
    [TEMPERATURE] = {0x0810, true, 100},  [QUATERNION] = {0x2010, true, 400},
    [MATRIX] = {0x2020, true, 400},       [EULER] = {0x2030, true, 400},
    [PRESSURE] = {0x3010, false, 50},     [DELTA_V] = {0x4010, true, 400},
    [ACCELERATION] = {0x4020, true, 400}, [FREE_ACCELERATION] = {0x4030, true, 400},
    [GNSS] = {0x7010, false, 4},          [TURN] = {0x8020, true, 400},
    [DELTA_Q] = {0x8030, true, 400},      [FIELD] = {0xC020, true, 100},
    [STATUS_BYTE] = {0xE010, false, 0},   [STATUS_WORD] = {0xE020, false, 0},
};

/* ITEM_COUNT when it has no such item. */
static enum item item_of(const struct family *family, uint16_t id)
{
    for (unsigned i = 0; i < ITEM_COUNT; i++) {
        uint16_t mask = ITEMS[i].is_real ? 0xFFF0 : 0xFFFF;
        bool is_here = i != GNSS || family->has_gnss;
        if ((id & mask) == ITEMS[i].id && is_here && (id & 0xC) != 0xC) {
            return (enum item)i;
        }
    }
    return ITEM_COUNT;
}

/* Everything that an item may tell. */
struct moment {
    const struct mti_model *mti;
    const struct device_reading *reading;
    struct measured measured;
    uint64_t time_us;
    double period_s;
};

static uint64_t clock_ticks(const struct mti_model *mti, uint64_t time_us)
{
    return (time_us - mti->start_us) / TICK_US % mti->family->clock_end;
}

static void utc_put(struct writer *writer, uint64_t time_us)
{
    /* Noon of the first of March 2026 was when it was switched on. */
    uint64_t second = time_us / 1000000;
    put(writer, time_us % 1000000 * 1000, 4);
    put(writer, 2026, 2);
    put(writer, 3, 1);
    put(writer, 1 + (second + 43200) / 86400 % 28, 1);
    put(writer, (second + 43200) / 3600 % 24, 1);
    put(writer, second / 60 % 60, 1);
    put(writer, second % 60, 1);
    put(writer, 0x07, 1);
}

/* Items of whole numbers. */
static void plain_put(struct writer *writer, enum item item, const struct moment *moment)
{
    static const uint8_t sizes[ITEM_COUNT] = {
        [UTC] = 12,     [COUNTER] = 2,     [FINE_TIME] = 4,  [COARSE_TIME] = 4,
        [PRESSURE] = 4, [STATUS_BYTE] = 1, [STATUS_WORD] = 4};
    put(writer, ITEMS[item].id, 2);
    put(writer, sizes[item], 1);
    uint64_t ticks = clock_ticks(moment->mti, moment->time_us);
    if (item == UTC) {
        utc_put(writer, moment->time_us);
    } else if (item == COUNTER) {
        put(writer, moment->mti->counter, 2);
    } else if (item == FINE_TIME) {
        put(writer, ticks, 4);
    } else if (item == COARSE_TIME) {
        put(writer, ticks / 10000, 4);
    } else if (item == PRESSURE) {
        put(writer, 101325, 4);
    } else {
        put(writer, moment->measured.status, sizes[item]);
    }
}

static void real_item_put(struct writer *writer, enum item item, uint16_t id,
                          const struct moment *moment)
{
    const struct measured *measured = &moment->measured;
    const struct quaternion turned = frame_turn(id, moment->reading->orientation);
    const double orientation[4] = {turned.w, turned.x, turned.y, turned.z};
    if (item == TEMPERATURE) {
        put_reals(writer, id, &moment->reading->temperature_deg_c, 1);
    } else if (item == QUATERNION) {
        put_reals(writer, id, orientation, 4);
    } else if (item == MATRIX) {
        matrix_put(writer, id, turned);
    } else if (item == EULER) {
        euler_put(writer, id, turned);
    } else if (item == DELTA_V) {
        delta_put(writer, id, measured->acceleration_m_s2, moment->period_s);
    } else if (item == DELTA_Q) {
        delta_put(writer, id, measured->turn_rad_s, moment->period_s);
    } else if (item == ACCELERATION) {
        put_reals(writer, id, measured->acceleration_m_s2, 3);
    } else if (item == FREE_ACCELERATION) {
        free_put(writer, id, turned, measured->acceleration_m_s2);
    } else if (item == TURN) {
        put_reals(writer, id, measured->turn_rad_s, 3);
    } else {
        put_reals(writer, id, measured->field_au, 3);
    }
}

/* Fastest rate of its outputs: how often it has something to say. */
static unsigned base_rate_hz(const struct mti_model *mti)
{
    unsigned base_hz = 0;
    for (unsigned i = 0; i < mti->output_count; i++) {
        unsigned rate_hz = mti->outputs[i].rate_hz;
        bool is_gnss = mti->outputs[i].id == ITEMS[GNSS].id;
        if (rate_hz < EACH && rate_hz > base_hz && !is_gnss) {
            base_hz = rate_hz;
        }
    }
    return base_hz;
}

static bool is_due(const struct mti_model *mti, const struct output *output)
{
    unsigned base_hz = base_rate_hz(mti);
    return output->rate_hz == EACH
           || (output->rate_hz > 0 && mti->instant % (base_hz / output->rate_hz) == 0);
}

static size_t data_put(struct mti_model *mti, const struct moment *moment, uint8_t *bytes)
{
    uint8_t data[DATA_MAX];
    struct writer writer = {.bytes = data};
    for (unsigned i = 0; i < mti->output_count; i++) {
        const struct output *output = &mti->outputs[i];
        enum item item = item_of(mti->family, output->id);
        if (item == GNSS || !is_due(mti, output)
            || writer.size > DATA_MAX - ITEM_SIZE_MAX) {
            continue;
        }
        if (ITEMS[item].is_real) {
            real_item_put(&writer, item, output->id, moment);
        } else {
            plain_put(&writer, item, moment);
        }
    }
    mti->counter++;
    return message_put(MID_DATA, data, writer.size, bytes);
}

/* A message of the GNSS receiver alone: other order, a time that lies before. */
static size_t gnss_put(struct mti_model *mti, const struct moment *moment, uint8_t *bytes)
{
    uint8_t data[DATA_MAX] = {0};
    struct writer writer = {.bytes = data};
    put(&writer, ITEMS[GNSS].id, 2);
    put(&writer, 94, 1);
    writer.size += 94;
    struct moment late = *moment;
    uint64_t late_us = GNSS_LATE_TICKS * TICK_US;
    late.time_us -= late.time_us - mti->start_us > late_us ? late_us : 0;
    plain_put(&writer, FINE_TIME, &late);
    plain_put(&writer, COUNTER, &late);
    mti->counter++;
    return message_put(MID_DATA, data, writer.size, bytes);
}

static bool is_gnss_due(const struct mti_model *mti)
{
    for (unsigned i = 0; i < mti->output_count; i++) {
        const struct output *output = &mti->outputs[i];
        if (output->id == ITEMS[GNSS].id && output->rate_hz > 0) {
            unsigned every = base_rate_hz(mti) / output->rate_hz;
            return every > 0 && mti->instant % every == every / 2;
        }
    }
    return false;
}

/* ---- what it is told ---- */

/* The rate that is really used: a whole part of 400 Hz, not above what is asked. */
static uint16_t rate_choose(const struct mti_model *mti, enum item item, uint16_t asked_hz)
{
    unsigned max_hz = ITEMS[item].max_hz;
    if (max_hz == 0) {
        return asked_hz == 0 ? 0 : EACH;
    }
    max_hz = max_hz < mti->family->rate_max_hz ? max_hz : mti->family->rate_max_hz;
    unsigned limit_hz = asked_hz < max_hz ? asked_hz : max_hz;
    for (unsigned divisor = 1; divisor <= BASE_HZ; divisor++) {
        if (BASE_HZ % divisor == 0 && BASE_HZ / divisor <= limit_hz) {
            return (uint16_t)(BASE_HZ / divisor);
        }
    }
    return 0;
}

/* Take a new output configuration; what it has not is left out. */
static void outputs_set(struct mti_model *mti, const uint8_t *data, size_t size)
{
    mti->output_count = 0;
    for (size_t used = 0; used < size; used += 4) {
        uint16_t id = (uint16_t)(data[used] << 8 | data[used + 1]);
        uint16_t asked_hz = (uint16_t)(data[used + 2] << 8 | data[used + 3]);
        enum item item = item_of(mti->family, id);
        if (item != ITEM_COUNT) {
            mti->outputs[mti->output_count++] =
                (struct output){id, rate_choose(mti, item, asked_hz)};
        }
    }
}

static size_t outputs_answer(const struct mti_model *mti, uint8_t *reply)
{
    uint8_t data[4 * OUTPUT_MAX];
    struct writer writer = {.bytes = data};
    for (unsigned i = 0; i < mti->output_count; i++) {
        put(&writer, mti->outputs[i].id, 2);
        put(&writer, mti->outputs[i].rate_hz, 2);
    }
    return message_put(MID_OUTPUT + 1, data, writer.size, reply);
}

static size_t error_answer(uint8_t code, uint8_t *reply)
{
    return message_put(MID_ERROR, &code, 1, reply);
}

static size_t device_answer(const struct mti_model *mti, uint8_t *reply)
{
    uint8_t data[4];
    struct writer writer = {.bytes = data};
    put(&writer, mti->serial, 4);
    return message_put(MID_DEVICE + 1, data, sizeof data, reply);
}

static size_t product_answer(const struct mti_model *mti, uint8_t *reply)
{
    char data[20];
    memset(data, ' ', sizeof data);
    memcpy(data, mti->family->product, strlen(mti->family->product));
    return message_put(MID_PRODUCT + 1, (const uint8_t *)data, sizeof data, reply);
}

static void state_enter(struct mti_model *mti, enum state state, uint64_t time_us)
{
    mti->state = state;
    mti->state_us = time_us;
    if (state == MEASURING) {
        mti->instant = 0;
        mti->counter = 0;
    }
    if (state == BOOTING) {
        mti->start_us = time_us;
    }
}

/* Requests that are only taken in config state. */
static size_t config_answer(struct mti_model *mti, uint64_t time_us, const uint8_t *data,
                            size_t size, uint8_t *reply)
{
    static const uint8_t firmware[] = {1, 8, 2};
    uint8_t message = mti->heard[2];
    if (message == MID_DEVICE) {
        return device_answer(mti, reply);
    }
    if (message == MID_PRODUCT) {
        return product_answer(mti, reply);
    }
    if (message == MID_FIRMWARE) {
        return message_put(MID_FIRMWARE + 1, firmware, sizeof firmware, reply);
    }
    if (message == MID_OUTPUT) {
        if (size % 4 != 0 || size > (size_t)4 * OUTPUT_MAX) {
            return error_answer(ERROR_PARAMETER, reply);
        }
        if (size > 0) {
            outputs_set(mti, data, size);
        }
        return outputs_answer(mti, reply);
    }
    if (message == MID_MEASURE) {
        state_enter(mti, MEASURING, time_us);
        return message_put(MID_MEASURE + 1, NULL, 0, reply);
    }
    return error_answer(ERROR_UNKNOWN, reply);
}

/* One whole message has been heard. */
static size_t message_answer(struct mti_model *mti, uint64_t time_us, size_t size,
                             uint8_t *reply)
{
    uint8_t message = mti->heard[2];
    if (mti->state == BOOTING) {
        return 0;
    }
    if (message == MID_RESET) {
        state_enter(mti, BOOTING, time_us);
        return message_put(MID_RESET + 1, NULL, 0, reply);
    }
    if (mti->state == WAKING) {
        if (message == MID_WAKE_UP_ACK) {
            state_enter(mti, CONFIG, time_us);
        }
        return 0;
    }
    if (message == MID_CONFIG_STATE) {
        state_enter(mti, CONFIG, time_us);
        return message_put(MID_CONFIG_STATE + 1, NULL, 0, reply);
    }
    if (mti->state != CONFIG) {
        return error_answer(ERROR_UNKNOWN, reply);
    }
    return config_answer(mti, time_us, mti->heard + 4, size, reply);
}

/* ---- the model ---- */

static void mti_output_add(struct mti_model *mti, enum item item, unsigned rate_hz)
{
    mti->outputs[mti->output_count++] =
        (struct output){ITEMS[item].id, rate_choose(mti, item, (uint16_t)rate_hz)};
}

static void mti_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct mti_model *mti = mti_of(model);
    memset(mti, 0, sizeof *mti);
    mti->family = &FAMILIES[0];
    for (unsigned i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++) {
        if (FAMILIES[i].id == serial >> 20) {
            mti->family = &FAMILIES[i];
        }
    }
    mti->serial = mti->family->id << 20 | (serial & 0xFFFFF);
    mti->state = MEASURING;
    unsigned rate = rate_hz > 0.0 ? (unsigned)lround(fmin(rate_hz, BASE_HZ)) : 100;
    mti_output_add(mti, COUNTER, EACH);
    mti_output_add(mti, FINE_TIME, EACH);
    mti_output_add(mti, QUATERNION, rate);
    mti_output_add(mti, ACCELERATION, rate);
    mti_output_add(mti, TURN, rate);
    mti_output_add(mti, STATUS_WORD, EACH);
    if (mti->family->has_gnss) {
        mti_output_add(mti, GNSS, ITEMS[GNSS].max_hz);
    }
}

/* Drop what is no message from the front of what was heard.
 * @return Size of the whole message at the front, 0 = none yet. */
static size_t heard_look(struct mti_model *mti)
{
    while (mti->heard_size > 0) {
        const uint8_t *heard = mti->heard;
        bool is_start = heard[0] == 0xFA && (mti->heard_size < 2 || heard[1] == 0xFF)
                        && (mti->heard_size < 4 || heard[3] < 0xFF);
        size_t size = mti->heard_size < 4 ? 4 : (size_t)heard[3] + 5;
        if (is_start && (mti->heard_size < 4 || mti->heard_size < size)) {
            return 0;
        }
        unsigned sum = 0;
        for (size_t i = 1; i < size && is_start; i++) {
            sum += heard[i];
        }
        if (is_start && (sum & 0xFF) == 0) {
            return size;
        }
        mti->heard_size--;
        memmove(mti->heard, mti->heard + 1, mti->heard_size);
    }
    return 0;
}

static size_t mti_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                       size_t size, uint8_t *reply)
{
    struct mti_model *mti = mti_of(model);
    size_t reply_size = 0;
    for (size_t i = 0; i < size; i++) {
        mti->heard[mti->heard_size++] = bytes[i];
        size_t heard = heard_look(mti);
        if (heard == 0) {
            continue;
        }
        uint8_t answer[4 * OUTPUT_MAX + 8];
        size_t answer_size = message_answer(mti, time_us, heard - 5, answer);
        if (reply_size + answer_size <= DEVICE_MODEL_OUT_MAX) {
            memcpy(reply + reply_size, answer, answer_size);
            reply_size += answer_size;
        }
        mti->heard_size -= heard;
        memmove(mti->heard, mti->heard + heard, mti->heard_size);
    }
    return reply_size;
}

static double mti_period_s(const struct device_model *model)
{
    const struct mti_model *mti = (const struct mti_model *)(const void *)model->state;
    unsigned base_hz = base_rate_hz(mti);
    return base_hz > 0 ? 1.0 / base_hz : 1.0;
}

/* Starting up after a reset.
 * @return Size of what it says. */
static size_t boot_go_on(struct mti_model *mti, uint64_t time_us, uint8_t *bytes)
{
    if (mti->state == BOOTING && time_us - mti->state_us >= BOOT_US) {
        state_enter(mti, WAKING, time_us);
        return message_put(MID_WAKE_UP, NULL, 0, bytes);
    }
    if (mti->state == WAKING && time_us - mti->state_us >= WAKE_US) {
        state_enter(mti, MEASURING, time_us);
    }
    return 0;
}

static size_t mti_sample(struct device_model *model, uint64_t time_us,
                         const struct device_reading *reading, uint8_t *bytes)
{
    struct mti_model *mti = mti_of(model);
    if (mti->state != MEASURING) {
        return boot_go_on(mti, time_us, bytes);
    }
    if (base_rate_hz(mti) == 0) {
        return 0;
    }
    struct moment moment = {.mti = mti,
                            .reading = reading,
                            .time_us = time_us,
                            .period_s = mti_period_s(model)};
    measure(mti->family, reading, &moment.measured);
    size_t size = data_put(mti, &moment, bytes);
    if (is_gnss_due(mti)) {
        size += gnss_put(mti, &moment, bytes + size);
    }
    mti->instant++;
    return size;
}

/* Device descriptor, then the configuration: one interface of the maker's own, bulk OUT 02
 * and bulk IN 83. */
static const uint8_t DESCRIPTORS[] = {
    18,   1, 0x00, 0x02, 0,    0, 0,  64, 0x39, 0x26, 0x03, 0x00, 0x00, 0x01, 1, 2,    3,
    1,    9, 2,    32,   0,    1, 1,  0,  0x80, 125,  9,    4,    0,    0,    2, 0xFF, 0xFF,
    0xFF, 0, 7,    5,    0x02, 2, 64, 0,  0,    7,    5,    0x83, 2,    64,   0, 0,
};

static const struct device_model_usb USB = {
    .descriptors = DESCRIPTORS,
    .descriptors_size = sizeof DESCRIPTORS,
    .strings = {NULL, "Xsens", "MTi-30 AHRS", "03600001"},
    .speed_mbit = 12,
    .sample_endpoint = 0x83,
    .reply_endpoint = 0x83,
    .command_endpoint = 0x02,
};

extern const struct device_model_type model_xsens_mti;

const struct device_model_type model_xsens_mti = {
    .driver = "xsens-mti",
    .has_inertial = true,
    .rate_hz = 100.0,
    .init = mti_init,
    .hear = mti_hear,
    .sample = mti_sample,
    .period_s = mti_period_s,
    .usb = &USB,
};

/* WitMotion unit with the "standard" protocol: registers with a lock, output content and
 * rate, read-back, gyroscope zeroed at rest. Sources: the maker's REG.h and manuals; what
 * they leave open is marked "estimate". */
#include "simulation/model_witmotion.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

enum {
    FRAME_SIZE = 11,
    REGISTER_COUNT = 0x80,
    SAVE = 0x00,
    CONTENT = 0x02,
    RATE = 0x03,
    BAUD = 0x04,
    BANDWIDTH = 0x1F,
    GYROSCOPE_RANGE = 0x20,
    ACCELEROMETER_RANGE = 0x21,
    AXES = 0x24,
    FILTER = 0x25,
    READ_ADDRESS = 0x27,
    VERSION = 0x2E,
    NUMBER_LOW = 0x7F,
    KEY_ADDRESS = 0x69,
    KEY = 0xB588,
    COMMAND_SIZE = 5,
    REST_COUNT = 10 /* quiet samples before the gyroscope is zeroed: estimate */
};

/* How long it stays unlocked: estimate. */
static const uint64_t UNLOCKED_US = 10000000;
/* A write that follows another faster is lost: the manual asks for 20 ms. */
static const uint64_t WRITE_PAUSE_US = 20000;
/* Below this the unit takes itself to rest: estimate. */
static const double REST_DEG_S = 0.5;

struct witmotion_model {
    uint16_t registers[REGISTER_COUNT];
    uint16_t saved[REGISTER_COUNT];
    uint8_t command[COMMAND_SIZE];
    uint8_t command_size;
    bool is_unlocked;
    bool is_locked_for_good;
    bool is_mute;
    bool is_auto_zero;
    bool has_written;
    unsigned rest_count;
    uint64_t unlocked_us;
    uint64_t written_us;
    uint64_t line_us; /* when the last byte had come in */
};

_Static_assert(sizeof(struct witmotion_model) <= DEVICE_MODEL_STATE_SIZE, "too large");

static struct witmotion_model *of(struct device_model *model)
{
    return (struct witmotion_model *)(void *)model->state;
}

static const struct witmotion_model *look(const struct device_model *model)
{
    return (const struct witmotion_model *)(const void *)model->state;
}

/* Rate codes and what they mean. */
struct rate_code {
    uint16_t code;
    double rate_hz;
};

static const struct rate_code RATES[] = {{3, 1.0},  {4, 2.0},  {5, 5.0},   {6, 10.0},
                                         {7, 20.0}, {8, 50.0}, {9, 100.0}, {11, 200.0}};

static double rate_find(uint16_t code)
{
    for (unsigned i = 0; i < sizeof RATES / sizeof RATES[0]; i++) {
        if (RATES[i].code == code) {
            return RATES[i].rate_hz;
        }
    }
    return 0.0;
}

static double line_baud(uint16_t code)
{
    static const double bauds[] = {0.0,     4800.0,   9600.0,   19200.0,  38400.0,
                                   57600.0, 115200.0, 230400.0, 460800.0, 921600.0};
    return code < sizeof bauds / sizeof bauds[0] && code > 0 ? bauds[code] : 9600.0;
}

static void model_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct witmotion_model *state = of(model);
    memset(state, 0, sizeof *state);
    state->is_auto_zero = true;
    uint16_t *registers = state->registers;
    registers[CONTENT] = 0x1E; /* acceleration, rate, angle, field: as delivered */
    registers[RATE] = 6;
    registers[BAUD] = 6;
    registers[BANDWIDTH] = 4;
    registers[GYROSCOPE_RANGE] = 3;
    registers[ACCELEROMETER_RANGE] = 3;
    registers[FILTER] = 30;
    registers[VERSION] = 18124;
    registers[NUMBER_LOW] = (uint16_t)serial;
    for (unsigned i = 0; i < sizeof RATES / sizeof RATES[0]; i++) {
        if (rate_hz > 0.0 && fabs(RATES[i].rate_hz - rate_hz) < 0.01 * rate_hz) {
            registers[RATE] = RATES[i].code;
        }
    }
    memcpy(state->saved, registers, sizeof state->saved);
}

/* ---- frames ---- */

static uint8_t *frame_begin(uint8_t *bytes, uint8_t type)
{
    bytes[0] = 'U';
    bytes[1] = type;
    return bytes + 2;
}

static size_t frame_end(uint8_t *bytes)
{
    unsigned sum = 0;
    for (unsigned i = 0; i + 1 < FRAME_SIZE; i++) {
        sum += bytes[i];
    }
    bytes[FRAME_SIZE - 1] = (uint8_t)(sum & 0xFF);
    return FRAME_SIZE;
}

static void put_word(uint8_t *bytes, unsigned word)
{
    bytes[0] = (uint8_t)(word & 0xFF);
    bytes[1] = (uint8_t)(word >> 8 & 0xFF);
}

/* Quantised, and clipped at the rails of 16 bits. */
static unsigned counts(double value, double full_scale)
{
    double count = nearbyint(value / full_scale * 32768.0);
    count = fmin(fmax(count, -32768.0), 32767.0);
    return (unsigned)((int)count & 0xFFFF);
}

static size_t frame_of_four(uint8_t type, const unsigned words[4], uint8_t *bytes)
{
    uint8_t *payload = frame_begin(bytes, type);
    for (unsigned i = 0; i < 4; i++) {
        put_word(payload + (size_t)2 * i, words[i]);
    }
    return frame_end(bytes);
}

static unsigned temperature_word(const struct device_reading *reading)
{
    return (unsigned)((int)lround(reading->temperature_deg_c * 100.0) & 0xFFFF);
}

static size_t time_frame(uint64_t time_us, uint8_t *bytes)
{
    /* Switched on at 2024-05-17 08:00:00; a model never runs past midnight. */
    uint8_t *payload = frame_begin(bytes, 0x50);
    uint64_t seconds = time_us / 1000000;
    payload[0] = 24;
    payload[1] = 5;
    payload[2] = 17;
    payload[3] = (uint8_t)((8 + seconds / 3600) % 24);
    payload[4] = (uint8_t)(seconds / 60 % 60);
    payload[5] = (uint8_t)(seconds % 60);
    put_word(payload + 6, (unsigned)(time_us / 1000 % 1000));
    return frame_end(bytes);
}

static bool is_resting(struct witmotion_model *state, const struct device_reading *reading)
{
    const double *rate = reading->gyro_deg_s;
    bool is_quiet = fabs(rate[0]) < REST_DEG_S && fabs(rate[1]) < REST_DEG_S
                    && fabs(rate[2]) < REST_DEG_S;
    state->rest_count = is_quiet ? state->rest_count + 1 : 0;
    return state->is_auto_zero && state->rest_count > REST_COUNT;
}

static void angles_of(const struct quaternion *q, double angles_deg[3])
{
    double sine = fmin(fmax(2.0 * (q->w * q->y - q->z * q->x), -1.0), 1.0);
    angles_deg[0] =
        atan2(2.0 * (q->w * q->x + q->y * q->z), 1.0 - 2.0 * (q->x * q->x + q->y * q->y))
        * DEG_PER_RAD;
    angles_deg[1] = asin(sine) * DEG_PER_RAD;
    angles_deg[2] =
        atan2(2.0 * (q->w * q->z + q->x * q->y), 1.0 - 2.0 * (q->y * q->y + q->z * q->z))
        * DEG_PER_RAD;
}

static size_t angle_frame(const struct witmotion_model *state,
                          const struct device_reading *reading, uint8_t *bytes)
{
    double angles_deg[3];
    angles_of(&reading->orientation, angles_deg);
    const unsigned words[4] = {counts(angles_deg[0], 180.0), counts(angles_deg[1], 180.0),
                               counts(angles_deg[2], 180.0), state->registers[VERSION]};
    return frame_of_four(0x53, words, bytes);
}

static size_t inertial_frames(struct witmotion_model *state,
                              const struct device_reading *reading, uint8_t *bytes)
{
    const unsigned content = state->registers[CONTENT];
    const bool is_zero = is_resting(state, reading);
    unsigned accelerometer[4] = {0, 0, 0, temperature_word(reading)};
    unsigned gyroscope[4] = {0, 0, 0, temperature_word(reading)};
    for (unsigned i = 0; i < 3; i++) {
        accelerometer[i] = counts(reading->accel_g[i], 16.0);
        gyroscope[i] = is_zero ? 0 : counts(reading->gyro_deg_s[i], 2000.0);
    }
    size_t size = 0;
    if (content & 0x02) {
        size += frame_of_four(0x51, accelerometer, bytes + size);
    }
    if (content & 0x04) {
        size += frame_of_four(0x52, gyroscope, bytes + size);
    }
    return size;
}

static size_t estimate_frames(const struct witmotion_model *state,
                              const struct device_reading *reading, uint8_t *bytes)
{
    const unsigned content = state->registers[CONTENT];
    size_t size = 0;
    if (content & 0x08) {
        size += angle_frame(state, reading, bytes + size);
    }
    if (content & 0x10) {
        /* About 0.15 uT a count: one model's scale. */
        const unsigned words[4] = {counts(reading->field_ut[0], 0.15 * 32768.0),
                                   counts(reading->field_ut[1], 0.15 * 32768.0),
                                   counts(reading->field_ut[2], 0.15 * 32768.0),
                                   temperature_word(reading)};
        size += frame_of_four(0x54, words, bytes + size);
    }
    if (content & 0x40) {
        const uint32_t height_cm = 10000;
        const unsigned words[4] = {101325 & 0xFFFF, 101325 >> 16, height_cm, 0};
        size += frame_of_four(0x56, words, bytes + size);
    }
    if (content & 0x200) {
        const struct quaternion *q = &reading->orientation;
        const unsigned words[4] = {counts(q->w, 1.0), counts(q->x, 1.0), counts(q->y, 1.0),
                                   counts(q->z, 1.0)};
        size += frame_of_four(0x59, words, bytes + size);
    }
    return size;
}

static size_t model_sample(struct device_model *model, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *bytes)
{
    struct witmotion_model *state = of(model);
    if (rate_find(state->registers[RATE]) <= 0.0) {
        return 0;
    }
    size_t size = 0;
    if (state->registers[CONTENT] & 0x01) {
        size += time_frame(time_us, bytes);
    }
    size += inertial_frames(state, reading, bytes + size);
    return size + estimate_frames(state, reading, bytes + size);
}

/* ---- commands ---- */

static void save_command(struct witmotion_model *state, uint16_t value)
{
    if (value == 0) {
        memcpy(state->saved, state->registers, sizeof state->saved);
    } else if (value == 0xFF) {
        memcpy(state->registers, state->saved, sizeof state->registers);
    }
}

static void command_write(struct witmotion_model *state, uint8_t address, uint16_t value,
                          uint64_t time_us)
{
    bool is_rushed = state->has_written && time_us - state->written_us < WRITE_PAUSE_US;
    state->has_written = true;
    state->written_us = time_us;
    if (is_rushed || address >= REGISTER_COUNT) {
        return;
    }
    if (address == KEY_ADDRESS) {
        state->is_unlocked = value == KEY && !state->is_locked_for_good;
        state->unlocked_us = time_us;
        return;
    }
    if (!state->is_unlocked || time_us - state->unlocked_us > UNLOCKED_US) {
        return;
    }
    if (address == SAVE) {
        save_command(state, value);
    } else if (address != VERSION) {
        state->registers[address] = value;
    }
}

static size_t command_answer(struct witmotion_model *state, uint8_t address, uint8_t *reply)
{
    unsigned words[4];
    state->registers[READ_ADDRESS] = address;
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = address + i;
        words[i] = at < REGISTER_COUNT ? state->registers[at] : 0;
    }
    return state->is_mute ? 0 : frame_of_four(0x5F, words, reply);
}

/* Take one byte; five of the right look are a command. */
static bool command_collect(struct witmotion_model *state, uint8_t byte)
{
    static const uint8_t head[2] = {0xFF, 0xAA};
    if (state->command_size < 2 && byte != head[state->command_size]) {
        state->command_size = byte == head[0] ? 1 : 0;
        return false;
    }
    state->command[state->command_size++] = byte;
    if (state->command_size < COMMAND_SIZE) {
        return false;
    }
    state->command_size = 0;
    return true;
}

static size_t model_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                         size_t size, uint8_t *reply)
{
    struct witmotion_model *state = of(model);
    double byte_us = 1e7 / line_baud(state->registers[BAUD]);
    size_t answered = 0;
    uint64_t begin_us = time_us > state->line_us ? time_us : state->line_us;
    for (size_t i = 0; i < size; i++) {
        state->line_us = begin_us + (uint64_t)llround((double)(i + 1) * byte_us);
        if (!command_collect(state, bytes[i])) {
            continue;
        }
        const uint8_t *command = state->command;
        uint16_t value = (uint16_t)(command[3] + 256 * command[4]);
        if (command[2] != READ_ADDRESS) {
            command_write(state, command[2], value, state->line_us);
        } else if (answered + FRAME_SIZE <= DEVICE_MODEL_OUT_MAX) {
            answered += command_answer(state, command[3], reply + answered);
        }
    }
    return answered;
}

static double model_period_s(const struct device_model *model)
{
    double rate_hz = rate_find(look(model)->registers[RATE]);
    return 1.0 / (rate_hz > 0.0 ? rate_hz : 10.0);
}

void model_witmotion_auto_zero_set(struct device_model *model, bool is_on)
{
    of(model)->is_auto_zero = is_on;
}

void model_witmotion_lock_set(struct device_model *model, bool is_locked)
{
    of(model)->is_locked_for_good = is_locked;
}

void model_witmotion_mute_set(struct device_model *model, bool is_mute)
{
    of(model)->is_mute = is_mute;
}

uint16_t model_witmotion_register_get(const struct device_model *model, uint8_t address)
{
    return address < REGISTER_COUNT ? look(model)->registers[address] : 0;
}

void model_witmotion_register_set(struct device_model *model, uint8_t address,
                                  uint16_t value)
{
    if (address < REGISTER_COUNT) {
        of(model)->registers[address] = value;
    }
}

extern const struct device_model_type model_witmotion;

const struct device_model_type model_witmotion = {
    .driver = "witmotion",
    .has_inertial = true,
    .rate_hz = 10.0,
    .init = model_init,
    .hear = model_hear,
    .sample = model_sample,
    .period_s = model_period_s,
};

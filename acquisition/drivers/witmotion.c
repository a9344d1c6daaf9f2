/* WitMotion "standard" protocol: frames of 11 bytes, 55 type 4 x int16 sum; one output
 * cycle is a few frames in rising order of type (maker's wit_c_sdk and REG.h). There is no
 * clock and no number of the cycle: samples bear the time of arrival, and cycles are
 * counted by where the type does not rise. A cycle that is lost whole is not seen, but for
 * silence. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "acquisition/overlap.h"

enum {
    START = 0x55,
    FRAME_SIZE = 11,
    FRAME_MAX = 64, /* so much that overlapping candidates can be told apart */
    TYPE_TIME = 0x50,
    TYPE_ACCELEROMETER = 0x51,
    TYPE_GYROSCOPE = 0x52,
    TYPE_ANGLE = 0x53,
    TYPE_PRESSURE = 0x56,
    TYPE_QUATERNION = 0x59,
    TYPE_LAST = 0x5A, /* 57, 58 and 5A are satellite positions */
    TYPE_REGISTERS = 0x5F,
    TYPE_BLUETOOTH = 0x61, /* 20 bytes without a sum: not this protocol */
    BLUETOOTH_MARK_SIZE = 2,
    BLUETOOTH_MARK_MIN = 8, /* in a row without a good frame: then it is no accident */
    RAIL = INT16_MAX,
    ZERO_MIN = 50, /* gyroscope frames of zeros in a row: zeroed, not by accident */
    COMMAND_SIZE = 5,
    REGISTER_COUNT = 4, /* in one read-back frame */
    NOTICE_SIZE = 160,
    IDENTITY_SIZE = 48,
    READ_TRY_MAX = 3, /* two retries, 0.5 s each */
    WRITE_TRY_MAX = 3
};

/* Register addresses (REG.h). */
enum wit_register {
    REGISTER_CONTENT = 0x02, /* then rate, baud, an accelerometer offset */
    REGISTER_RATE = 0x03,
    REGISTER_READ = 0x27,
    REGISTER_KEY = 0x69
};

enum {
    KEY = 0xB588,
    CONTENT_ACCELEROMETER = 0x02,
    CONTENT_GYROSCOPE = 0x04,
    CONTENT_ANGLE = 0x08,
    CONTENT_QUATERNION = 0x200,
    CONTENT_INERTIAL = CONTENT_ACCELEROMETER | CONTENT_GYROSCOPE,
    CONTENT_ALL = 0x7FF
};

static const int64_t ANSWER_TIMEOUT_NS = 500000000;
/* The maker asks for 20 ms between writes. */
static const int64_t WRITE_PAUSE_NS = 30000000;
/* Part of the line that data may fill. */
static const double LINE_LOAD_MAX = 0.9;

static const double ACCELEROMETER_G = 16.0 / 32768.0;
static const double GYROSCOPE_DEG_S = 2000.0 / 32768.0;
static const double ANGLE_DEG = 180.0 / 32768.0;
static const double QUATERNION_UNIT = 1.0 / 32768.0;
static const double TEMPERATURE_DEG_C = 0.01;

enum wit_stream {
    INERTIAL,
    ANGLE,
    QUATERNION,
    MAGNETOMETER,
    TIME,
    PRESSURE,
    TEMPERATURE,
    REGISTERS,
    WIT_STREAM_COUNT
};

static const struct stream_info STREAMS[WIT_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {2000.0F, 2000.0F, 2000.0F, 16.0F, 16.0F, 16.0F}},
    [ANGLE] = {"angle",
               STREAM_ORIENTATION,
               3,
               {"roll_deg", "pitch_deg", "yaw_deg"},
               {"deg", "deg", "deg"},
               {0}},
    [QUATERNION] = {"quaternion",
                    STREAM_ORIENTATION,
                    4,
                    {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z"},
                    {"1", "1", "1", "1"},
                    {0}},
    /* The size of a count differs from model to model. */
    [MAGNETOMETER] = {"magnetometer",
                      STREAM_MAGNETIC,
                      3,
                      {"magnetometer_x_count", "magnetometer_y_count",
                       "magnetometer_z_count"},
                      {"1", "1", "1"},
                      {0}},
    [TIME] = {"time",
              STREAM_STATUS,
              7,
              {"time_year", "time_month", "time_day", "time_h", "time_min", "time_s",
               "time_ms"},
              {"a", "mo", "d", "h", "min", "s", "ms"},
              {0}},
    [PRESSURE] =
        {"pressure", STREAM_STATUS, 2, {"pressure_pa", "height_cm"}, {"Pa", "cm"}, {0}},
    [TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
    [REGISTERS] = {"registers",
                   STREAM_STATUS,
                   REGISTER_COUNT,
                   {"register_0", "register_1", "register_2", "register_3"},
                   {"1", "1", "1", "1"},
                   {0}},
};

/* Settings of a sensor. */
struct setup {
    uint16_t content;
    uint16_t rate;
    uint16_t baud;
};

/* How it was found; outlives an unplugging. */
struct kept {
    struct setup found;
    bool is_found;
    bool is_changed; /* something was written: put it back */
};

_Static_assert(sizeof(struct kept) <= DRIVER_KEPT_SIZE, "too much to keep");

struct wit {
    bool is_in_step; /* what came last was a good frame */

    /* The running cycle. */
    uint32_t cycle;
    uint8_t last_type;
    bool has_accelerometer;
    bool is_accelerometer_clipped;
    float accelerometer_g[3];

    unsigned zero_count; /* gyroscope frames of zeros in a row */
    bool is_zero_told;
    unsigned bluetooth_count;
    bool is_bluetooth_told;

    double rate_hz; /* as the sensor said, 0 = not yet */
    char identity[IDENTITY_SIZE];

    /* Read-back: what came last, and how many. */
    uint16_t answer[REGISTER_COUNT];
    unsigned answer_count;

    /* The dialogue. */
    unsigned step;
    unsigned try_count;       /* of this step */
    unsigned write_try_count; /* rounds of writing and reading back */
    unsigned seen_count;      /* answers before the last question */
    bool is_waiting;
    bool is_started; /* something was sent, at sent_ns */
    int64_t sent_ns;
    double wanted_hz;
    struct setup wanted;

    unsigned stop_count; /* commands of the end that were sent */

    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

_Static_assert(sizeof(struct wit) <= DRIVER_CONTEXT_SIZE, "context too small");

static struct wit *wit_of(struct driver_context *context)
{
    return (struct wit *)(void *)context->memory;
}

static const struct wit *wit_look(const struct driver_context *context)
{
    return (const struct wit *)(const void *)context->memory;
}

static struct kept *kept_of(struct driver_context *context)
{
    return (struct kept *)(void *)context->kept;
}

static void notice_set(struct wit *wit, const char *text)
{
    (void)snprintf(wit->notice, sizeof wit->notice, "%s", text);
    wit->notice_count++;
}

/* ---- codes of the registers ---- */

static const double RATES_HZ[] = {
    [0x03] = 1.0,  [0x04] = 2.0,  [0x05] = 5.0,   [0x06] = 10.0,
    [0x07] = 20.0, [0x08] = 50.0, [0x09] = 100.0, [0x0B] = 200.0,
};

enum {
    RATE_COUNT = sizeof RATES_HZ / sizeof RATES_HZ[0],
    RATE_CODE_MAX = 0x0D, /* 0C = once, 0D = off */
    RATE_SLOWEST = 0x03
};

static const unsigned BAUDS[] = {
    [0x01] = 4800,   [0x02] = 9600,   [0x03] = 19200,  [0x04] = 38400,  [0x05] = 57600,
    [0x06] = 115200, [0x07] = 230400, [0x08] = 460800, [0x09] = 921600,
};

enum {
    BAUD_COUNT = sizeof BAUDS / sizeof BAUDS[0]
};

static double rate_of(uint16_t code)
{
    return code < RATE_COUNT ? RATES_HZ[code] : 0.0;
}

static unsigned type_count(unsigned content)
{
    unsigned count = 0;
    for (; content != 0; content &= content - 1) {
        count++;
    }
    return count;
}

static bool line_carries(unsigned baud, unsigned content, double rate_hz)
{
    /* Ten bits a byte: start and stop bit. */
    return FRAME_SIZE * type_count(content) * rate_hz <= LINE_LOAD_MAX * baud / 10.0;
}

/* The rate nearest to the wanted one that the line carries, and what of the sensor's own
 * estimate the line carries besides: it is kept for later, not used. */
static struct setup setup_choose(double wanted_hz, unsigned baud)
{
    static const uint16_t extras[] = {CONTENT_QUATERNION, CONTENT_ANGLE};
    struct setup setup = {.content = CONTENT_INERTIAL, .rate = RATE_SLOWEST};
    for (uint16_t code = RATE_SLOWEST; code < RATE_COUNT; code++) {
        double rate_hz = rate_of(code);
        double error = fabs(log(rate_hz / wanted_hz));
        if (rate_hz > 0.0 && line_carries(baud, CONTENT_INERTIAL, rate_hz)
            && error < fabs(log(rate_of(setup.rate) / wanted_hz))) {
            setup.rate = code;
        }
    }
    for (size_t index = 0; index < sizeof extras / sizeof extras[0]; index++) {
        unsigned content = setup.content | (unsigned)extras[index];
        if (line_carries(baud, content, rate_of(setup.rate))) {
            setup.content = (uint16_t)content;
        }
    }
    return setup;
}

/* ---- frames ---- */

static bool is_type(uint8_t type)
{
    return (type >= TYPE_TIME && type <= TYPE_LAST) || type == TYPE_REGISTERS;
}

static enum frame_verdict frame_check(const uint8_t *bytes, size_t size)
{
    if (bytes[0] != START || (size > 1 && !is_type(bytes[1]))) {
        return FRAME_SKIP;
    }
    if (size < FRAME_SIZE) {
        return FRAME_NEED_MORE;
    }
    /* The start byte is summed too. */
    return framing_sum8(bytes, FRAME_SIZE - 1) == bytes[FRAME_SIZE - 1] ? FRAME_FOUND
                                                                        : FRAME_SKIP;
}

static bool is_in_step(const struct driver_context *context)
{
    return wit_look(context)->is_in_step;
}

static const struct overlap_format FORMAT = {
    .frame_size = FRAME_SIZE, .check = frame_check, .is_in_step = is_in_step};

static enum frame_verdict wit_frame_next(const struct driver_context *context,
                                         const uint8_t *bytes, size_t size,
                                         size_t *frame_size)
{
    if (bytes[0] == START && size > 1 && bytes[1] == TYPE_BLUETOOTH) {
        /* Its two marks alone: what follows is looked at as ever. */
        *frame_size = BLUETOOTH_MARK_SIZE;
        return FRAME_FOUND;
    }
    enum frame_verdict verdict =
        overlap_frame_next(&FORMAT, context, bytes, size, frame_size);
    if (verdict != FRAME_SKIP) {
        return verdict;
    }
    /* Junk ends where a bluetooth mark may begin. */
    for (size_t place = 1; place < *frame_size; place++) {
        bool is_last = place + 1 == size;
        if (bytes[place] == START && (is_last || bytes[place + 1] == TYPE_BLUETOOTH)) {
            *frame_size = place;
        }
    }
    return FRAME_SKIP;
}

/* ---- meaning of a frame ---- */

static struct sample *sample_start(const struct wit *wit, enum wit_stream stream,
                                   struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = (uint8_t)stream;
    sample->channel_count = (uint8_t)STREAMS[stream].channel_count;
    sample->sequence = wit->cycle;
    return sample;
}

static int16_t word_get(const uint8_t *frame, unsigned index)
{
    return framing_i16(frame + 2 + (size_t)2 * index);
}

static void words_scale(const uint8_t *frame, unsigned count, double scale, float *values)
{
    for (unsigned index = 0; index < count; index++) {
        values[index] = (float)(word_get(frame, index) * scale);
    }
}

static bool is_at_rail(const uint8_t *frame)
{
    bool is_there = false;
    for (unsigned index = 0; index < 3; index++) {
        int word = word_get(frame, index);
        is_there = is_there || word >= RAIL || word <= -RAIL;
    }
    return is_there;
}

static int accelerometer_decode(struct wit *wit, const uint8_t *frame,
                                struct sample *samples)
{
    words_scale(frame, 3, ACCELEROMETER_G, wit->accelerometer_g);
    wit->has_accelerometer = true;
    wit->is_accelerometer_clipped = is_at_rail(frame);
    struct sample *sample = sample_start(wit, TEMPERATURE, &samples[0]);
    sample->values[0] = (float)(word_get(frame, 3) * TEMPERATURE_DEG_C);
    return 1;
}

/* At rest these sensors send exactly 0 instead of what they measure. */
static void zeros_watch(struct wit *wit, const uint8_t *frame)
{
    bool is_zero =
        word_get(frame, 0) == 0 && word_get(frame, 1) == 0 && word_get(frame, 2) == 0;
    wit->zero_count = is_zero ? wit->zero_count + 1 : 0;
    if (wit->zero_count == ZERO_MIN && !wit->is_zero_told) {
        wit->is_zero_told = true;
        notice_set(wit, "the sensor sends 0 deg/s at rest (its own zeroing); very slow "
                        "movement may read as none");
    }
}

/* Completes an inertial sample: at once, not when the next cycle starts, for the time of
 * arrival is all the time there is. */
static int gyroscope_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    zeros_watch(wit, frame);
    if (!wit->has_accelerometer) {
        return 0;
    }
    struct sample *sample = sample_start(wit, INERTIAL, &samples[0]);
    words_scale(frame, 3, GYROSCOPE_DEG_S, sample->values);
    memcpy(sample->values + 3, wit->accelerometer_g, sizeof wit->accelerometer_g);
    if (wit->is_accelerometer_clipped || is_at_rail(frame)) {
        sample->flags |= SAMPLE_CLIPPED;
    }
    return 1;
}

static int angle_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    words_scale(frame, 3, ANGLE_DEG, sample_start(wit, ANGLE, &samples[0])->values);
    if (wit->identity[0] == '\0' && word_get(frame, 3) != 0) {
        (void)snprintf(wit->identity, sizeof wit->identity, "WitMotion, firmware %u",
                       framing_u16(frame + 8));
    }
    return 1;
}

static int quaternion_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    words_scale(frame, 4, QUATERNION_UNIT,
                sample_start(wit, QUATERNION, &samples[0])->values);
    return 1;
}

static int magnetometer_decode(struct wit *wit, const uint8_t *frame,
                               struct sample *samples)
{
    words_scale(frame, 3, 1.0, sample_start(wit, MAGNETOMETER, &samples[0])->values);
    return 1;
}

static int time_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    struct sample *sample = sample_start(wit, TIME, &samples[0]);
    for (unsigned index = 0; index < 6; index++) {
        sample->values[index] = (float)frame[2 + index];
    }
    sample->values[0] += 2000.0F;
    sample->values[6] = (float)framing_u16(frame + 8);
    return 1;
}

static int pressure_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    struct sample *sample = sample_start(wit, PRESSURE, &samples[0]);
    sample->values[0] = (float)(int32_t)framing_u32(frame + 2);
    sample->values[1] = (float)(int32_t)framing_u32(frame + 6);
    return 1;
}

/* Read-back frames do not say which registers they hold: content, rate and baud are known
 * by their look. Content always has both inertial parts where this driver set it. Nothing
 * else may be asked for: bandwidth and ranges (4, 3, 3) look the same. */
static bool is_setup(const uint16_t *words)
{
    return (words[0] & CONTENT_INERTIAL) != 0 && (words[0] & ~CONTENT_ALL) == 0
           && words[1] >= 1 && words[1] <= RATE_CODE_MAX && words[2] >= 1
           && words[2] < BAUD_COUNT;
}

static int registers_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    struct sample *sample = sample_start(wit, REGISTERS, &samples[0]);
    sample->sequence = 0; /* not part of a cycle */
    for (unsigned index = 0; index < REGISTER_COUNT; index++) {
        wit->answer[index] = framing_u16(frame + 2 + (size_t)2 * index);
        sample->values[index] = (float)wit->answer[index];
    }
    wit->answer_count++;
    if (is_setup(wit->answer)) {
        wit->rate_hz = rate_of(wit->answer[1]);
    }
    return 1;
}

static int other_decode(struct wit *wit, const uint8_t *frame, struct sample *samples)
{
    (void)wit;
    (void)frame;
    (void)samples;
    return 0;
}

typedef int type_decode_fn(struct wit *wit, const uint8_t *frame, struct sample *samples);

static type_decode_fn *const TYPES[TYPE_REGISTERS - TYPE_TIME + 1] = {
    [0] = time_decode,
    [TYPE_ACCELEROMETER - TYPE_TIME] = accelerometer_decode,
    [TYPE_GYROSCOPE - TYPE_TIME] = gyroscope_decode,
    [TYPE_ANGLE - TYPE_TIME] = angle_decode,
    [0x54 - TYPE_TIME] = magnetometer_decode,
    [0x55 - TYPE_TIME] = other_decode,
    [TYPE_PRESSURE - TYPE_TIME] = pressure_decode,
    [0x57 - TYPE_TIME] = other_decode,
    [0x58 - TYPE_TIME] = other_decode,
    [TYPE_QUATERNION - TYPE_TIME] = quaternion_decode,
    [0x5A - TYPE_TIME] = other_decode,
    [TYPE_REGISTERS - TYPE_TIME] = registers_decode,
};

static void bluetooth_note(struct wit *wit)
{
    wit->bluetooth_count++;
    if (wit->bluetooth_count >= BLUETOOTH_MARK_MIN && !wit->is_bluetooth_told) {
        wit->is_bluetooth_told = true;
        notice_set(wit, "frames of WitMotion's Bluetooth models (55 61): not readable; "
                        "connect the sensor by its cable, or use another model");
    }
}

static int wit_decode(struct driver_context *context, const uint8_t *frame,
                      size_t frame_size, struct sample *samples)
{
    struct wit *wit = wit_of(context);
    wit->is_in_step = false;
    if (frame_size == BLUETOOTH_MARK_SIZE) {
        bluetooth_note(wit);
        return -1;
    }
    if (frame_size != FRAME_SIZE || frame_check(frame, frame_size) != FRAME_FOUND) {
        return -1;
    }
    wit->is_in_step = true;
    wit->bluetooth_count = 0;
    uint8_t type = frame[1];
    if (type != TYPE_REGISTERS) {
        if (type <= wit->last_type || wit->cycle == 0) {
            wit->cycle++;
            wit->has_accelerometer = false;
        }
        wit->last_type = type;
    }
    return TYPES[type - TYPE_TIME](wit, frame, samples);
}

/* ---- what the sensor is told ---- */

static size_t command_make(uint8_t address, uint16_t value, uint8_t *bytes)
{
    const uint8_t command[COMMAND_SIZE] = {0xFF, 0xAA, address, (uint8_t)value,
                                           (uint8_t)(value >> 8)};
    memcpy(bytes, command, sizeof command);
    return sizeof command;
}

enum step {
    STEP_FIND, /* content, rate, baud as found */
    STEP_UNLOCK,
    STEP_CONTENT,
    STEP_RATE,
    STEP_CHECK, /* content and rate as they are now */
    STEP_DONE
};

/* Address that a step reads, 0 = it writes. */
static const uint8_t STEP_READS[STEP_DONE] = {
    [STEP_FIND] = REGISTER_CONTENT,
    [STEP_CHECK] = REGISTER_CONTENT,
};

static void step_enter(struct wit *wit, enum step step)
{
    wit->step = step;
    wit->try_count = 0;
    wit->is_waiting = false;
}

static unsigned baud_of(uint16_t code)
{
    return code < BAUD_COUNT ? BAUDS[code] : 0;
}

static void found_take(struct wit *wit, struct kept *kept)
{
    const struct setup now = {wit->answer[0], wit->answer[1], wit->answer[2]};
    if (!kept->is_found) {
        kept->found = now;
        kept->is_found = true;
    }
    wit->wanted = setup_choose(wit->wanted_hz, baud_of(now.baud));
}

/* Both are what was wanted; a model without quaternions may leave that bit out. */
static bool is_as_wanted(const struct wit *wit)
{
    return wit->answer[1] == wit->wanted.rate
           && (wit->answer[0] | CONTENT_QUATERNION)
                  == (wit->wanted.content | CONTENT_QUATERNION);
}

static void rate_tell(struct wit *wit)
{
    double rate_hz = rate_of(wit->answer[1]);
    if (fabs(rate_hz - wit->wanted_hz) <= 0.01 * wit->wanted_hz) {
        return;
    }
    const struct setup free_choice = setup_choose(wit->wanted_hz, BAUDS[BAUD_COUNT - 1]);
    bool is_line = free_choice.rate != wit->wanted.rate;
    (void)snprintf(wit->notice, sizeof wit->notice,
                   "asked for %g Hz, the sensor sends %g Hz%s", wit->wanted_hz, rate_hz,
                   is_line ? "; its baud rate carries no more, raise it with the maker's "
                             "program"
                           : "");
    wit->notice_count++;
}

static void check_take(struct wit *wit)
{
    if (is_as_wanted(wit)) {
        rate_tell(wit);
        step_enter(wit, STEP_DONE);
    } else if (++wit->write_try_count < WRITE_TRY_MAX) {
        step_enter(wit, STEP_UNLOCK);
    } else {
        (void)snprintf(wit->notice, sizeof wit->notice,
                       "the sensor refuses settings (locked?): it stays at %g Hz, content "
                       "%03X; set it with the maker's program",
                       rate_of(wit->answer[1]), wit->answer[0]);
        wit->notice_count++;
        step_enter(wit, STEP_DONE);
    }
}

/* An answer to the question of this step has come; another read-back frame is passed
 * over. */
static void answer_take(struct wit *wit, struct kept *kept)
{
    switch ((enum step)wit->step) {
    case STEP_FIND:
        if (is_setup(wit->answer)) {
            found_take(wit, kept);
            step_enter(wit, STEP_UNLOCK);
        }
        break;
    case STEP_CHECK:
        if (is_setup(wit->answer)) {
            check_take(wit);
        }
        break;
    case STEP_UNLOCK:
    case STEP_CONTENT:
    case STEP_RATE:
    case STEP_DONE:
        break;
    }
}

/* Nothing answers: it is read as it is. */
static void silence_take(struct wit *wit)
{
    notice_set(wit, wit->step == STEP_FIND
                        ? "the sensor does not answer questions (older model, or its RX "
                          "line is not connected): it is read as it is set"
                        : "the sensor did not say whether it took the settings; look at "
                          "the rate");
    step_enter(wit, STEP_DONE);
}

static size_t question_send(struct wit *wit, uint8_t *bytes)
{
    wit->try_count++;
    wit->is_waiting = true;
    wit->seen_count = wit->answer_count;
    return command_make(REGISTER_READ, STEP_READS[wit->step], bytes);
}

/* A written setting has no answer: the next step follows after the pause. */
static size_t setting_send(struct wit *wit, struct kept *kept, uint8_t *bytes)
{
    static const uint8_t addresses[STEP_DONE] = {[STEP_UNLOCK] = REGISTER_KEY,
                                                 [STEP_CONTENT] = REGISTER_CONTENT,
                                                 [STEP_RATE] = REGISTER_RATE};
    uint16_t value = KEY;
    if (wit->step == STEP_CONTENT) {
        value = wit->wanted.content;
    } else if (wit->step == STEP_RATE) {
        value = wit->wanted.rate;
    }
    kept->is_changed = true;
    size_t size = command_make(addresses[wit->step], value, bytes);
    step_enter(wit, (enum step)(wit->step + 1));
    return size;
}

/* Look for the answer to the question that was sent last.
 * @return true when nothing is waited for any more. */
static bool waiting_end(struct wit *wit, struct kept *kept, int64_t now_ns)
{
    if (wit->is_waiting && wit->answer_count != wit->seen_count) {
        wit->seen_count = wit->answer_count;
        answer_take(wit, kept);
    }
    if (wit->is_waiting && now_ns - wit->sent_ns >= ANSWER_TIMEOUT_NS) {
        wit->is_waiting = false;
        if (wit->try_count >= READ_TRY_MAX) {
            silence_take(wit);
        }
    }
    return !wit->is_waiting;
}

/* As wanted from the start: nothing has to be written. */
static bool is_set_already(const struct wit *wit, const struct kept *kept)
{
    return wit->write_try_count == 0 && !kept->is_changed
           && kept->found.content == wit->wanted.content
           && kept->found.rate == wit->wanted.rate;
}

static size_t wit_command_next(struct driver_context *context, int64_t now_ns,
                               uint8_t *bytes)
{
    struct wit *wit = wit_of(context);
    struct kept *kept = kept_of(context);
    if (wit->step == STEP_DONE || !waiting_end(wit, kept, now_ns)
        || wit->step == STEP_DONE) {
        return 0;
    }
    if (wit->is_started && now_ns - wit->sent_ns < WRITE_PAUSE_NS) {
        return 0;
    }
    wit->is_started = true;
    if (wit->step == STEP_UNLOCK && is_set_already(wit, kept)) {
        step_enter(wit, STEP_CHECK);
    }
    wit->sent_ns = now_ns;
    return STEP_READS[wit->step] != 0 ? question_send(wit, bytes)
                                      : setting_send(wit, kept, bytes);
}

/* As found, but not saved: what is in its flash was never changed. */
static size_t wit_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct wit *wit = wit_of(context);
    const struct kept *kept = kept_of(context);
    if (!kept->is_changed) {
        return 0;
    }
    switch (wit->stop_count++) {
    case 0:
        return command_make(REGISTER_KEY, KEY, bytes);
    case 1:
        return command_make(REGISTER_CONTENT, kept->found.content, bytes);
    case 2:
        return command_make(REGISTER_RATE, kept->found.rate, bytes);
    default:
        return 0;
    }
}

/* ---- the driver ---- */

static enum status wit_init(struct driver_context *context,
                            const struct driver_settings *settings)
{
    struct wit *wit = wit_of(context);
    wit->wanted_hz = settings->rate_hz > 0.0 ? settings->rate_hz : 100.0;
    return STATUS_OK;
}

static double wit_rate_hz_get(const struct driver_context *context)
{
    return wit_look(context)->rate_hz;
}

static const char *wit_identity_get(const struct driver_context *context)
{
    return wit_look(context)->identity;
}

static const char *wit_notice_get(const struct driver_context *context, unsigned *count)
{
    *count = wit_look(context)->notice_count;
    return wit_look(context)->notice;
}

static const struct usb_id USB_IDS[] = {{0x1A86, 0x7523, true}, {0x10C4, 0xEA60, true}};
static const unsigned BAUDS_FOUND[] = {9600, 115200, 921600, 230400, 0};
/* Read the registers of content, rate and baud: changes nothing. */
static const uint8_t QUESTION[] = {0xFF, 0xAA, REGISTER_READ, REGISTER_CONTENT, 0x00};

extern const struct driver driver_witmotion;

const struct driver driver_witmotion = {
    .name = "witmotion",
    .title = "WitMotion (0x55 frames)",
    .streams = STREAMS,
    .stream_count = WIT_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .bauds = BAUDS_FOUND,
    .question = QUESTION,
    .question_size = sizeof QUESTION,
    .init = wit_init,
    .frame_next = wit_frame_next,
    .decode = wit_decode,
    .command_next = wit_command_next,
    .command_stop = wit_command_stop,
    .rate_hz_get = wit_rate_hz_get,
    .identity_get = wit_identity_get,
    .notice_get = wit_notice_get,
};

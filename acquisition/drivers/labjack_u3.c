/* LabJack U3: analog inputs for flex strips, sampled by its own clock. Replies and stream
 * packets come as one stream of bytes and are told apart by their command bytes; both carry
 * a checksum of the head and one of the data. Layouts: LabJack U3 datasheet, chapter 5. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "base/log.h"

enum {
    EXTENDED = 0xF8, /* second byte of commands and replies with data */
    STREAM_DATA = 0xF9,
    STREAM_DATA_COMMAND = 0xC0,
    BAD_CHECKSUM = 0xB8, /* "B8 B8": what came was damaged */
    STREAM_START = 0xA8,
    STREAM_START_REPLY = 0xA9,
    STREAM_STOP = 0xB0,
    STREAM_STOP_REPLY = 0xB1,

    COMMAND_FEEDBACK = 0x00,
    COMMAND_CONFIG = 0x08,
    COMMAND_IO = 0x0B,
    COMMAND_STREAM_CONFIG = 0x11,
    COMMAND_CALIBRATION_READ = 0x2D,

    ERROR_STREAM_ACTIVE = 48,
    ERROR_SCAN_OVERLAP = 55,
    ERROR_RECOVERY = 59,        /* buffer full: scans are being dropped */
    ERROR_RECOVERY_REPORT = 60, /* buffer empty again: how many were dropped */

    HEAD_SIZE = 6,
    FRAME_MAX = 64,
    WORD_MAX = (FRAME_MAX - HEAD_SIZE) / 2,
    SHORT_REPLY_SIZE = 4,
    SHORT_COMMAND_SIZE = 2,
    STREAM_HEAD_SIZE = 12,
    STREAM_TAIL_SIZE = 2,
    PACKET_SAMPLE_MAX = 25,
    CONFIG_REPLY_SIZE = 38,
    CALIBRATION_REPLY_SIZE = 40,

    CHANNEL_MAX = 8,     /* FIO0 .. FIO7: those that need no extra connector */
    CHANNEL_DEFAULT = 4, /* FIO0 .. FIO3 are analog as delivered, and always on the -HV */
    HV_CHANNEL_COUNT = 4,
    NEGATIVE_GROUND = 31,
    NEGATIVE_REFERENCE = 30, /* and 32: the special range 0 .. 3.6 V */
    NEGATIVE_SPECIAL = 32,
    INPUT_MAX = 16,
    COUNT_CLIPPED = 65520, /* 12 bits in the upper part of 16 */
    COUNT_DUMMY = 0xFFFF,  /* fills the scan that stands for dropped ones */

    CALIBRATION_COUNT = 20,
    CALIBRATION_BLOCK_SIZE = 4, /* numbers in a block */
    BLOCK_LOW = 0,              /* slopes and offsets 0 .. 2.44 V and differential */
    BLOCK_REFERENCE = 2,        /* 2.44 V and 3.66 V references */
    BLOCK_HIGH_SLOPE = 3,       /* of the four inputs of the -HV */
    BLOCK_HIGH_OFFSET = 4,
    BLOCK_COUNT = 5,

    FIRST_COUNTER_MAX = 15, /* a run begins with packet 0; so many may have been damaged */
    REPLY_PACKETS = 64,     /* more than can be under way when a reply comes */
    NOTICE_SIZE = 160,
    IDENTITY_SIZE = 64,
    RETRY_MAX = 3 /* first try and two more */
};

static const int64_t RETRY_NS = 500000000;
/* Time in which packets of an earlier run have left the device and the host's transfers. */
static const int64_t DRAIN_NS = 100000000;
/* When it did not answer the whole dialogue begins again. */
static const int64_t REST_NS = 5000000000;
/* Packets are filled within this time so that cues do not come late. */
static const double PACKET_TIME_MAX_S = 0.02;
static const double SAMPLE_RATE_MAX_HZ = 50000.0;
/* Nothing is learnt about a strip from a supply below this. */
static const double SUPPLY_MIN_V = 0.1;
static const double RATE_TOLERANCE = 0.001;

/* Nominal constants, U3 datasheet 5.4: LV slope, offset, differential slope, offset, two
 * DACs, temperature slope, references 2.44 and 3.66 V, regulator; HV slopes and offsets. */
static const double NOMINAL[CALIBRATION_COUNT] = {
    3.7231e-5, 0.0, 7.4463e-5, -2.44,   51.717,  0.0,     51.717, 0.0,   0.013021, 2.44,
    3.66,      3.3, 3.14e-4,   3.14e-4, 3.14e-4, 3.14e-4, -10.3,  -10.3, -10.3,    -10.3};
/* Constants of a real unit lie this close to the nominal ones; else the memory is empty. */
static const double CALIBRATION_TOLERANCE = 0.1;

enum u3_stream {
    ANALOG_SCAN,
    BACKLOG,
    EARLY_ANALOG,
    ANALOG_SINGLE,
    U3_STREAM_COUNT
};

#define FULL_SCALE_LOW  2.44F
#define FULL_SCALE_HIGH 10.3F

static const struct stream_info STREAMS[U3_STREAM_COUNT] = {
    [ANALOG_SCAN] = {"analog",
                     STREAM_ANALOG,
                     CHANNEL_DEFAULT,
                     {"analog_0_v", "analog_1_v", "analog_2_v", "analog_3_v", "analog_4_v",
                      "analog_5_v", "analog_6_v", "analog_7_v"},
                     {"V", "V", "V", "V", "V", "V", "V", "V"},
                     {FULL_SCALE_LOW, FULL_SCALE_LOW, FULL_SCALE_LOW, FULL_SCALE_LOW,
                      FULL_SCALE_LOW, FULL_SCALE_LOW, FULL_SCALE_LOW, FULL_SCALE_LOW}},
    [BACKLOG] = {"backlog",
                 STREAM_STATUS,
                 2,
                 {"backlog_percent", "error_code"},
                 {"%", "1"},
                 {100.0F, 255.0F}},
    /* Packets of a run that began before this session: kept to be seen, never measured
     * with. */
    [EARLY_ANALOG] = {"early_analog",
                      STREAM_STATUS,
                      2,
                      {"early_packet_counter", "early_analog_count"},
                      {"1", "1"},
                      {255.0F, 65535.0F}},
    /* Answers to single readings that another program asked for. */
    [ANALOG_SINGLE] = {"analog_single",
                       STREAM_STATUS,
                       2,
                       {"analog_single_count", "analog_single_v"},
                       {"1", "V"},
                       {65535.0F, 0.0F}},
};

static const char *const RATIO_NAMES[CHANNEL_MAX] = {
    "analog_0_ratio", "analog_1_ratio", "analog_2_ratio", "analog_3_ratio",
    "analog_4_ratio", "analog_5_ratio", "analog_6_ratio", "analog_7_ratio"};

/* One input pair as the U3 numbers it. */
struct input {
    uint8_t positive;
    uint8_t negative;
};

/* What one scan consists of and how often it is taken. */
struct scan_plan {
    struct input inputs[PACKET_SAMPLE_MAX];
    uint8_t input_count;
    uint8_t packet_sample_count;
    uint8_t config; /* clock and resolution bits */
    uint16_t interval;
};

/* Where the stream stands. From the device's own bytes alone. */
struct run {
    bool is_on;
    bool has_heard;      /* replies came: a session is being set up */
    bool has_plan;       /* a stream was configured since the run began */
    unsigned start_left; /* packets for which a confirmed start is remembered */
    unsigned stop_left;  /* and a stop */
    uint8_t expected;    /* counter of the next packet */
    uint64_t position;   /* samples of the run before the next, those never received too */
    uint64_t dropped;    /* scans that the device dropped */
    uint64_t dropping;   /* as reported; counts from the dummy scan on */
    uint8_t filled;      /* inputs of the scan in hand, without a hole */
    uint16_t counts[PACKET_SAMPLE_MAX];
};

/* Replies that command_next waits for. */
enum answer {
    ANSWER_STOP,
    ANSWER_CONFIG,
    ANSWER_CALIBRATION,
    ANSWER_IO,
    ANSWER_STREAM_CONFIG,
    ANSWER_START,
    ANSWER_COUNT
};

enum step {
    STEP_STOP,
    STEP_DRAIN,
    STEP_CONFIG,
    STEP_CALIBRATION,
    STEP_IO_READ,
    STEP_IO_WRITE,
    STEP_STREAM_CONFIG,
    STEP_START,
    STEP_RUNNING,
    STEP_REST,
    STEP_COUNT
};

struct dialogue {
    enum step step;
    unsigned block; /* calibration block being read */
    unsigned try_count;
    unsigned seen_count;    /* answers of the awaited kind before the command was sent */
    unsigned refused_count; /* B8 B8 before the command was sent */
    unsigned failed_count;
    int64_t sent_ns;
    unsigned stop_step;
};

/* What outlives an unplugging. */
struct u3_kept {
    bool has_io;
    bool is_changed;  /* lines were told to be analog, heard or not */
    uint8_t fio_mask; /* analog lines as found */
    char identity[IDENTITY_SIZE];
};

struct u3 {
    struct stream_info streams[U3_STREAM_COUNT];
    double asked_hz;
    unsigned channel; /* that carries the sensor */
    bool has_supply;  /* the sensor's reading is divided by the supply's */
    unsigned supply;
    struct scan_plan plan;
    bool is_plan_foreign; /* a command in the capture said what was asked */

    bool has_config;
    bool is_hv;
    bool is_plan_confirmed;
    unsigned block_mask; /* calibration blocks that were read */
    double calibration[CALIBRATION_COUNT];
    struct run run;
    bool has_tail; /* a frame of two bytes just ended in this byte */
    uint8_t tail;
    bool has_single; /* a command asked for one reading of this input */
    struct input single;

    unsigned answer_counts[ANSWER_COUNT];
    uint8_t answer_errors[ANSWER_COUNT];
    uint8_t fio_mask; /* analog lines in force */
    unsigned refused_count;
    unsigned failed_count; /* packets that say that the stream has ended */
    struct dialogue dialogue;

    unsigned notice_count;
    uint8_t told_error; /* of the stream, that the newest notice is about */
    char notice[NOTICE_SIZE];
    char identity[IDENTITY_SIZE];
};

_Static_assert(sizeof(struct u3) <= DRIVER_CONTEXT_SIZE, "context too small");
_Static_assert(sizeof(struct u3_kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct u3 *u3_of(struct driver_context *context)
{
    return (struct u3 *)(void *)context->memory;
}

static const struct u3 *u3_look(const struct driver_context *context)
{
    return (const struct u3 *)(const void *)context->memory;
}

static struct u3_kept *kept_of(struct driver_context *context)
{
    return (struct u3_kept *)(void *)context->kept;
}

/* ---- frames ---- */

/* The carries are added in again, twice (datasheet 5.1). */
static uint8_t checksum8(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 0; index < size; index++) {
        sum += bytes[index];
    }
    sum = (sum & 0xFF) + (sum >> 8);
    return (uint8_t)((sum & 0xFF) + (sum >> 8));
}

static uint16_t checksum16(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 0; index < size; index++) {
        sum += bytes[index];
    }
    return (uint16_t)sum;
}

/* A frame with data; its first checksum may stand before the bytes in view.
 * @param bytes  From the second byte of the frame on.
 * @param size   Bytes there.
 * @param frame_size  Out: of the frame without its first byte. */
static enum frame_verdict extended_next(uint8_t check, const uint8_t *bytes, size_t size,
                                        size_t *frame_size)
{
    unsigned word_min = bytes[0] == STREAM_DATA ? 5 : 1;
    *frame_size = 1;
    if (size > 1 && (bytes[1] < word_min || bytes[1] > WORD_MAX)) {
        return FRAME_SKIP;
    }
    if (size > 2 && bytes[0] == STREAM_DATA && bytes[2] != STREAM_DATA_COMMAND) {
        return FRAME_SKIP;
    }
    if (size < HEAD_SIZE - 1) {
        return FRAME_NEED_MORE;
    }
    if (checksum8(bytes, HEAD_SIZE - 1) != check) {
        return FRAME_SKIP;
    }
    size_t wanted = HEAD_SIZE - 1 + 2 * (size_t)bytes[1];
    if (size < wanted) {
        return FRAME_NEED_MORE;
    }
    if (checksum16(bytes + HEAD_SIZE - 1, wanted - (HEAD_SIZE - 1))
        != framing_u16(bytes + 3)) {
        return FRAME_SKIP;
    }
    /* The sums do not see a 00 that came in between: the last byte is then no longer 0. */
    if (bytes[0] == STREAM_DATA && bytes[wanted - 1] != 0) {
        return FRAME_SKIP;
    }
    *frame_size = wanted;
    return FRAME_FOUND;
}

static bool is_extended(uint8_t byte)
{
    return byte == EXTENDED || byte == STREAM_DATA;
}

static bool is_short_reply(uint8_t byte)
{
    return byte == STREAM_START_REPLY || byte == STREAM_STOP_REPLY;
}

static bool is_short_command(uint8_t byte)
{
    return byte == BAD_CHECKSUM || byte == STREAM_START || byte == STREAM_STOP;
}

static enum frame_verdict short_reply_next(const uint8_t *bytes, size_t size,
                                           size_t *frame_size)
{
    *frame_size = 1;
    if (size < SHORT_REPLY_SIZE) {
        return FRAME_NEED_MORE;
    }
    if (bytes[3] != 0 || checksum8(bytes + 1, SHORT_REPLY_SIZE - 1) != bytes[0]) {
        return FRAME_SKIP;
    }
    *frame_size = SHORT_REPLY_SIZE;
    return FRAME_FOUND;
}

/* Bytes at the front that cannot begin a frame: the second byte of each tells. */
static size_t junk_size(const uint8_t *bytes, size_t size)
{
    size_t index = 0;
    while (index + 1 < size && !is_extended(bytes[index + 1])
           && !is_short_reply(bytes[index + 1])
           && !(is_short_command(bytes[index + 1]) && bytes[index] == bytes[index + 1])) {
        index++;
    }
    return index;
}

/* Two equal bytes that pass for a short command may be the end of something damaged and the
 * first byte of what follows: that frame is then recognised without it. (The short replies
 * end in 00, which no frame begins with: a folded sum is never 0.) */
static enum frame_verdict headless_next(const struct u3 *u3, const uint8_t *bytes,
                                        size_t size, size_t *frame_size)
{
    *frame_size = 1;
    return u3->has_tail && is_extended(bytes[0])
               ? extended_next(u3->tail, bytes, size, frame_size)
               : FRAME_SKIP;
}

static enum frame_verdict u3_frame_next(const struct driver_context *context,
                                        const uint8_t *bytes, size_t size,
                                        size_t *frame_size)
{
    enum frame_verdict verdict = headless_next(u3_look(context), bytes, size, frame_size);
    if (verdict != FRAME_SKIP || size == 1) {
        return verdict == FRAME_SKIP ? FRAME_NEED_MORE : verdict;
    }
    size_t junk = junk_size(bytes, size);
    if (junk > 0) {
        /* One by one while a frame without its head may follow. */
        *frame_size = u3_look(context)->has_tail ? 1 : junk;
        return FRAME_SKIP;
    }
    if (is_extended(bytes[1])) {
        verdict = extended_next(bytes[0], bytes + 1, size - 1, frame_size);
        *frame_size += verdict == FRAME_FOUND;
        return verdict;
    }
    if (is_short_reply(bytes[1])) {
        return short_reply_next(bytes, size, frame_size);
    }
    *frame_size = SHORT_COMMAND_SIZE;
    return FRAME_FOUND;
}

/* ---- what a person should read ---- */

static void notice_set(struct u3 *u3, const char *text)
{
    snprintf(u3->notice, sizeof u3->notice, "%s", text);
    u3->notice_count++;
}

static void notice_error(struct u3 *u3, const char *what, unsigned error)
{
    char text[NOTICE_SIZE];
    snprintf(text, sizeof text, "LabJack U3: %s (its error %u)", what, error);
    notice_set(u3, text);
}

/* ---- counts to volts ---- */

static bool is_high(const struct u3 *u3, struct input input)
{
    return u3->is_hv && input.positive < HV_CHANNEL_COUNT
           && input.negative == NEGATIVE_GROUND;
}

static double volts(const struct u3 *u3, struct input input, uint16_t count)
{
    const double *constants = u3->calibration;
    if (is_high(u3, input)) {
        return constants[12 + input.positive] * count + constants[16 + input.positive];
    }
    if (input.negative == NEGATIVE_GROUND) {
        return constants[0] * count + constants[1];
    }
    double value = constants[2] * count + constants[3];
    bool is_special =
        input.negative == NEGATIVE_REFERENCE || input.negative == NEGATIVE_SPECIAL;
    return is_special ? value + constants[9] : value;
}

static bool is_calibrated(const struct u3 *u3)
{
    unsigned wanted = 1u << BLOCK_LOW;
    if (u3->is_hv) {
        wanted |= 1u << BLOCK_HIGH_SLOPE | 1u << BLOCK_HIGH_OFFSET;
    }
    return u3->has_config && (u3->block_mask & wanted) == wanted;
}

static bool is_near(double value, double nominal)
{
    return fabs(value - nominal) <= CALIBRATION_TOLERANCE * fabs(nominal);
}

static bool is_near_all(const double *values, const double *nominal)
{
    bool is_all = true;
    for (unsigned index = 0; index < CALIBRATION_BLOCK_SIZE; index++) {
        is_all = is_all && is_near(values[index], nominal[index]);
    }
    return is_all;
}

/* The reply does not say which block it is; the sizes of its numbers do.
 * @return Block, or BLOCK_COUNT for one that is not needed or empty. */
static unsigned block_recognise(const double *values)
{
    if (is_near(values[0], NOMINAL[0]) && is_near(values[2], NOMINAL[2])
        && is_near(values[3], NOMINAL[3])) {
        return BLOCK_LOW;
    }
    if (is_near(values[1], NOMINAL[9]) && is_near(values[2], NOMINAL[10])) {
        return BLOCK_REFERENCE;
    }
    if (is_near_all(values, NOMINAL + 12)) {
        return BLOCK_HIGH_SLOPE;
    }
    return is_near_all(values, NOMINAL + 16) ? BLOCK_HIGH_OFFSET : BLOCK_COUNT;
}

static void calibration_decode(struct u3 *u3, const uint8_t *frame)
{
    double values[CALIBRATION_BLOCK_SIZE];
    for (unsigned index = 0; index < CALIBRATION_BLOCK_SIZE; index++) {
        const uint8_t *number = frame + 8 + 8 * index;
        /* Signed whole part in the upper half, 2^-32 in the lower. */
        values[index] = (int32_t)framing_u32(number + 4) + ldexp(framing_u32(number), -32);
    }
    unsigned block = block_recognise(values);
    if (block < BLOCK_COUNT) {
        memcpy(u3->calibration + CALIBRATION_BLOCK_SIZE * (size_t)block, values,
               sizeof values);
        u3->block_mask |= 1u << block;
    }
}

/* ---- scans ---- */

static bool is_rail(uint16_t count)
{
    return count == 0 || count >= COUNT_CLIPPED;
}

static float ratio(double value_v, double supply_v)
{
    return supply_v >= SUPPLY_MIN_V ? (float)(value_v / supply_v) : NAN;
}

static void scan_values(const struct u3 *u3, struct sample *sample)
{
    for (unsigned slot = 0; slot < sample->channel_count; slot++) {
        sample->values[slot] = NAN;
    }
    for (unsigned index = 0; index < u3->plan.input_count; index++) {
        struct input input = u3->plan.inputs[index];
        uint16_t count = u3->run.counts[index];
        if (input.positive >= sample->channel_count) {
            continue;
        }
        sample->values[input.positive] = (float)volts(u3, input, count);
        bool is_used = input.positive == u3->channel
                       || (u3->has_supply && input.positive == u3->supply);
        if (is_used && is_rail(count)) {
            sample->flags |= SAMPLE_CLIPPED;
        }
    }
}

static void scan_fill(const struct u3 *u3, uint64_t index, struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = ANALOG_SCAN;
    sample->channel_count = (uint8_t)u3->streams[ANALOG_SCAN].channel_count;
    sample->device_ticks = index;
    sample->sequence = (uint32_t)(index + 1);
    sample->flags = is_calibrated(u3) ? 0 : SAMPLE_UNCALIBRATED;
    scan_values(u3, sample);
    if (u3->has_supply) {
        float *value = &sample->values[u3->channel];
        *value = ratio((double)*value, (double)sample->values[u3->supply]);
        sample->flags |= SAMPLE_DERIVED;
    }
}

static bool is_dummy(const uint16_t *counts, unsigned count)
{
    bool is_all = count > 0;
    for (unsigned index = 0; index < count; index++) {
        is_all = is_all && counts[index] == COUNT_DUMMY;
    }
    return is_all;
}

/* Take one count of the stream.
 * @return Count of samples given. */
static int count_take(struct u3 *u3, uint16_t count, struct sample *sample)
{
    struct run *run = &u3->run;
    unsigned input_count = u3->plan.input_count;
    unsigned place = (unsigned)(run->position % input_count);
    uint64_t index = run->position / input_count + run->dropped;
    run->position++;
    if (place == 0) {
        run->filled = 0;
    }
    if (run->filled != place) {
        return 0; /* the beginning of this scan was lost */
    }
    run->counts[place] = count;
    run->filled++;
    if (place + 1 < input_count) {
        return 0;
    }
    if (run->dropping > 0 && is_dummy(run->counts, input_count)) {
        run->dropped += run->dropping - 1; /* the dummy is one of them */
        run->dropping = 0;
        return 0;
    }
    scan_fill(u3, index, sample);
    return 1;
}

/* Whether the scan of FFFF that stands for dropped ones lies in the packet or begins there
 * (datasheet 5.2.12: at the beginning, middle or end, or into the following packets). */
static bool has_dummy(const struct u3 *u3, const uint16_t *counts, unsigned count)
{
    unsigned input_count = u3->plan.input_count;
    unsigned place = (unsigned)(u3->run.position % input_count);
    for (unsigned first = (input_count - place) % input_count; first < count;
         first += input_count) {
        unsigned left = count - first;
        if (is_dummy(counts + first, left < input_count ? left : input_count)) {
            return true;
        }
    }
    return false;
}

static void recovery_note(struct u3 *u3, uint64_t lost, const uint16_t *counts,
                          unsigned count)
{
    if (has_dummy(u3, counts, count)) {
        u3->run.dropping = lost;
    } else {
        u3->run.dropped += lost;
    }
}

static void run_begin(struct u3 *u3, uint8_t counter, unsigned packet_sample_count)
{
    struct run *run = &u3->run;
    /* Limber never asks for packets shorter than a scan: this capture is another's. */
    if (!u3->is_plan_foreign && packet_sample_count < u3->plan.input_count) {
        u3->plan.input_count = (uint8_t)packet_sample_count;
    }
    *run = (struct run){.is_on = true, .has_heard = run->has_heard, .expected = counter};
    run->position = (uint64_t)counter * packet_sample_count;
    run->filled = PACKET_SAMPLE_MAX + 1;
}

/* Whether a packet belongs to the run, or begins one; the rest is from before. Replies and
 * packets come over two endpoints, and a damaged packet may contain what looks like a
 * reply: without a configuration before the start a counter that goes on is believed more.
 */
static bool run_join(struct u3 *u3, uint8_t counter, unsigned packet_sample_count)
{
    struct run *run = &u3->run;
    unsigned ahead = (uint8_t)(counter - run->expected);
    bool is_far = ahead > FIRST_COUNTER_MAX;
    bool has_start = run->start_left > 0;
    bool is_first = counter <= FIRST_COUNTER_MAX
                    && (run->is_on ? has_start && (is_far || run->has_plan)
                                   : has_start || !run->has_heard);
    if (is_first) {
        run_begin(u3, counter, packet_sample_count);
        return true;
    }
    bool is_doubtful = has_start || run->stop_left > 0;
    run->start_left -= run->is_on && has_start;
    run->stop_left -= run->stop_left > 0;
    if (!run->is_on || (is_doubtful && is_far)) {
        return false;
    }
    if (ahead > 0) {
        run->position += (uint64_t)ahead * packet_sample_count;
        run->filled = PACKET_SAMPLE_MAX + 1;
    }
    return true;
}

static int early_fill(uint8_t counter, const uint16_t *counts, unsigned count,
                      struct sample *samples)
{
    for (unsigned index = 0; index < count; index++) {
        memset(&samples[index], 0, sizeof samples[index]);
        samples[index].stream = EARLY_ANALOG;
        samples[index].channel_count = 2;
        samples[index].flags = SAMPLE_UNCALIBRATED;
        samples[index].values[0] = counter;
        samples[index].values[1] = counts[index];
    }
    return (int)count;
}

static void backlog_fill(const struct u3 *u3, uint8_t backlog, uint8_t error,
                         struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = BACKLOG;
    sample->channel_count = 2;
    sample->device_ticks = u3->run.position / u3->plan.input_count + u3->run.dropped;
    sample->values[0] = (float)backlog * 100.0F / 256.0F;
    sample->values[1] = error;
}

/* Say once what a stream packet complains about.
 * @return Whether its readings can be used. */
static bool error_note(struct u3 *u3, uint8_t error)
{
    bool is_new = error != u3->told_error;
    u3->told_error = error;
    switch (error) {
    case 0:
    case ERROR_RECOVERY_REPORT:
        return true;
    case ERROR_RECOVERY:
        if (is_new) {
            notice_set(u3, "LabJack U3: its buffer is full, scans are lost; set a lower "
                           "rate or close other programs");
        }
        return true;
    case ERROR_SCAN_OVERLAP:
        if (is_new) {
            notice_set(u3, "LabJack U3: too fast for its inputs; set a lower rate");
        }
        return true;
    default:
        if (is_new) {
            notice_error(u3, "the stream failed and is started again", error);
        }
        u3->failed_count++;
        return false;
    }
}

static int packet_decode(struct u3 *u3, const uint8_t *frame, size_t frame_size,
                         struct sample *samples)
{
    uint16_t counts[PACKET_SAMPLE_MAX];
    unsigned count = (unsigned)(frame_size - STREAM_HEAD_SIZE - STREAM_TAIL_SIZE) / 2;
    uint8_t counter = frame[10];
    uint8_t error = frame[11];
    for (unsigned index = 0; index < count; index++) {
        counts[index] = framing_u16(frame + STREAM_HEAD_SIZE + 2 * (size_t)index);
    }
    if (!error_note(u3, error)) {
        return 0; /* counts as lost: the next packet shows the gap */
    }
    if (!run_join(u3, counter, count)) {
        return early_fill(counter, counts, count, samples);
    }
    u3->run.expected = (uint8_t)(counter + 1);
    if (error == ERROR_RECOVERY_REPORT) {
        recovery_note(u3, framing_u32(frame + 6), counts, count);
    }
    int given = 0;
    for (unsigned index = 0; index < count; index++) {
        given += count_take(u3, counts[index], &samples[given]);
    }
    backlog_fill(u3, frame[frame_size - 2], error, &samples[given]);
    return given + 1;
}

/* ---- replies ---- */

static void answer_note(struct u3 *u3, enum answer answer, uint8_t error)
{
    u3->answer_counts[answer]++;
    u3->answer_errors[answer] = error;
    u3->run.has_heard = true;
}

static void config_decode(struct u3 *u3, const uint8_t *frame)
{
    /* Bits 4 and 1 of the version byte: the variant with four +-10 V inputs. */
    u3->is_hv = (frame[37] & 0x12) == 0x12;
    u3->has_config = true;
    for (unsigned channel = 0; channel < HV_CHANNEL_COUNT; channel++) {
        bool is_ratio = u3->has_supply && channel == u3->channel;
        u3->streams[ANALOG_SCAN].full_scale[channel] = is_ratio    ? 1.0F
                                                       : u3->is_hv ? FULL_SCALE_HIGH
                                                                   : FULL_SCALE_LOW;
    }
    snprintf(u3->identity, sizeof u3->identity,
             "LabJack U3-%s %" PRIu32 ", firmware %u.%02u", u3->is_hv ? "HV" : "LV",
             framing_u32(frame + 15), frame[10], frame[9]);
}

static double plan_rate_hz(const struct scan_plan *plan)
{
    double clock_hz = plan->config & 0x08 ? 48e6 : 4e6;
    clock_hz = plan->config & 0x04 ? clock_hz / 256.0 : clock_hz;
    return clock_hz / plan->interval;
}

static void rate_note(struct u3 *u3)
{
    double rate_hz = plan_rate_hz(&u3->plan);
    if (fabs(rate_hz - u3->asked_hz) > RATE_TOLERANCE * u3->asked_hz) {
        snprintf(u3->notice, sizeof u3->notice,
                 "asked for %g Hz, the LabJack U3 takes %g Hz with %u inputs", u3->asked_hz,
                 rate_hz, u3->plan.input_count);
        u3->notice_count++;
    }
}

static void stream_config_reply(struct u3 *u3, uint8_t error)
{
    answer_note(u3, ANSWER_STREAM_CONFIG, error);
    if (error != 0) {
        notice_error(u3, "it refused the rate and inputs", error);
        return;
    }
    u3->is_plan_confirmed = true;
    u3->run.has_plan = true;
    rate_note(u3);
}

/* The command, in a capture that has both directions. */
static void stream_config_command(struct u3 *u3, const uint8_t *frame, size_t frame_size)
{
    unsigned count = frame[6];
    uint16_t interval = framing_u16(frame + 10);
    if (count == 0 || count > PACKET_SAMPLE_MAX || frame_size < 12 + 2 * (size_t)count
        || interval == 0) {
        return;
    }
    u3->plan.input_count = (uint8_t)count;
    u3->plan.packet_sample_count = frame[7];
    u3->plan.config = frame[9];
    u3->plan.interval = interval;
    u3->is_plan_foreign = true;
    u3->run.is_on = false;
    for (unsigned index = 0; index < count; index++) {
        u3->plan.inputs[index].positive = frame[12 + 2 * index];
        u3->plan.inputs[index].negative = frame[13 + 2 * index];
    }
}

/* Commands to read inputs begin with the kind of reading, replies with "no error, none at
 * fault". */
static int feedback_decode(struct u3 *u3, const uint8_t *frame, size_t frame_size,
                           struct sample *sample)
{
    if (frame_size == 10 && frame[6] == 0 && frame[7] == 1) {
        u3->has_single = true;
        u3->single = (struct input){frame[8] & 0x1F, frame[9]};
        return 0;
    }
    if (frame_size != 12 || framing_u16(frame + 6) != 0 || frame[11] != 0) {
        return 0;
    }
    memset(sample, 0, sizeof *sample);
    sample->stream = ANALOG_SINGLE;
    sample->channel_count = 2;
    sample->flags = is_calibrated(u3) ? 0 : SAMPLE_UNCALIBRATED;
    uint16_t count = framing_u16(frame + 9);
    sample->values[0] = count;
    sample->values[1] = u3->has_single ? (float)volts(u3, u3->single, count) : NAN;
    u3->has_single = false;
    return 1;
}

static int extended_decode(struct u3 *u3, const uint8_t *frame, size_t frame_size,
                           struct sample *samples)
{
    switch (frame[3]) {
    case COMMAND_FEEDBACK:
        return frame_size >= 10 ? feedback_decode(u3, frame, frame_size, samples) : 0;
    case COMMAND_CONFIG:
        if (frame_size == CONFIG_REPLY_SIZE) {
            answer_note(u3, ANSWER_CONFIG, frame[6]);
            config_decode(u3, frame);
        }
        return 0;
    case COMMAND_IO:
        if (frame_size == 12) {
            answer_note(u3, ANSWER_IO, frame[6]);
            u3->fio_mask = frame[10];
        }
        return 0;
    case COMMAND_STREAM_CONFIG:
        if (frame_size == 8) {
            stream_config_reply(u3, frame[6]);
        } else if (frame_size >= 14) {
            stream_config_command(u3, frame, frame_size);
        }
        return 0;
    case COMMAND_CALIBRATION_READ:
        if (frame_size == CALIBRATION_REPLY_SIZE) {
            answer_note(u3, ANSWER_CALIBRATION, frame[6]);
            calibration_decode(u3, frame);
        }
        return 0;
    default:
        return 0;
    }
}

static void short_decode(struct u3 *u3, const uint8_t *frame, size_t frame_size)
{
    u3->has_tail = frame_size == SHORT_COMMAND_SIZE;
    u3->tail = frame[1];
    if (frame[1] == STREAM_STOP_REPLY) {
        answer_note(u3, ANSWER_STOP, frame[2]);
        u3->run.stop_left = REPLY_PACKETS;
    } else if (frame[1] == STREAM_START_REPLY) {
        answer_note(u3, ANSWER_START, frame[2]);
        u3->run.start_left = frame[2] == 0 ? REPLY_PACKETS : 0;
    } else if (frame[1] == BAD_CHECKSUM) {
        u3->refused_count++;
    }
}

static int u3_decode(struct driver_context *context, const uint8_t *frame,
                     size_t frame_size, struct sample *samples)
{
    struct u3 *u3 = u3_of(context);
    uint8_t whole[FRAME_MAX + 1];
    if (u3->has_tail && is_extended(frame[0]) && frame_size % 2 == 1) {
        whole[0] = u3->tail; /* which the frame before had taken */
        memcpy(whole + 1, frame, frame_size);
        frame = whole;
        frame_size++;
    }
    u3->has_tail = false;
    if (frame[1] == STREAM_DATA) {
        return packet_decode(u3, frame, frame_size, samples);
    }
    if (frame[1] == EXTENDED) {
        return extended_decode(u3, frame, frame_size, samples);
    }
    short_decode(u3, frame, frame_size);
    return 0;
}

/* ---- commands ---- */

/* Put both checksums into a command whose data stand from byte 6 on. */
static size_t command_finish(uint8_t *bytes, uint8_t command, size_t size)
{
    bytes[1] = EXTENDED;
    bytes[2] = (uint8_t)((size - HEAD_SIZE) / 2);
    bytes[3] = command;
    uint16_t sum = checksum16(bytes + HEAD_SIZE, size - HEAD_SIZE);
    bytes[4] = (uint8_t)sum;
    bytes[5] = (uint8_t)(sum >> 8);
    bytes[0] = checksum8(bytes + 1, HEAD_SIZE - 1);
    return size;
}

static size_t short_command(uint8_t *bytes, uint8_t command)
{
    bytes[0] = command;
    bytes[1] = command;
    return SHORT_COMMAND_SIZE;
}

/* Read configuration: a write mask of zero changes nothing. */
static const uint8_t QUESTION[26] = {0x0B, EXTENDED, 0x0A, COMMAND_CONFIG};

/* @param write_mask  0 = only read; 4 = set which FIO lines are analog. */
static size_t io_command(uint8_t *bytes, uint8_t write_mask, uint8_t fio_mask)
{
    memset(bytes, 0, 12);
    bytes[6] = write_mask;
    bytes[8] = 0x40; /* timers begin at FIO4, as delivered; not written */
    bytes[10] = fio_mask;
    return command_finish(bytes, COMMAND_IO, 12);
}

static size_t calibration_command(uint8_t *bytes, unsigned block)
{
    memset(bytes, 0, 8);
    bytes[7] = (uint8_t)block;
    return command_finish(bytes, COMMAND_CALIBRATION_READ, 8);
}

static size_t stream_config_send(const struct scan_plan *plan, uint8_t *bytes)
{
    bytes[6] = plan->input_count;
    bytes[7] = plan->packet_sample_count;
    bytes[8] = 0;
    bytes[9] = plan->config;
    bytes[10] = (uint8_t)plan->interval;
    bytes[11] = (uint8_t)(plan->interval >> 8);
    for (unsigned index = 0; index < plan->input_count; index++) {
        bytes[12 + 2 * index] = plan->inputs[index].positive;
        bytes[13 + 2 * index] = plan->inputs[index].negative;
    }
    return command_finish(bytes, COMMAND_STREAM_CONFIG, 12 + 2 * (size_t)plan->input_count);
}

static uint8_t wanted_mask(const struct u3 *u3)
{
    return (uint8_t)((1u << u3->plan.input_count) - 1);
}

/* The command of the step. */
static size_t step_send(const struct u3 *u3, uint8_t *bytes)
{
    switch (u3->dialogue.step) {
    case STEP_STOP:
        return short_command(bytes, STREAM_STOP);
    case STEP_CONFIG:
        memcpy(bytes, QUESTION, sizeof QUESTION);
        return sizeof QUESTION;
    case STEP_CALIBRATION:
        return calibration_command(bytes, u3->dialogue.block);
    case STEP_IO_READ:
        return io_command(bytes, 0, 0);
    case STEP_IO_WRITE:
        return io_command(bytes, 4, u3->fio_mask | wanted_mask(u3));
    case STEP_STREAM_CONFIG:
        return stream_config_send(&u3->plan, bytes);
    case STEP_START:
        return short_command(bytes, STREAM_START);
    case STEP_DRAIN:
    case STEP_RUNNING:
    case STEP_REST:
    case STEP_COUNT:
        break;
    }
    return 0;
}

static const enum answer STEP_ANSWERS[STEP_COUNT] = {
    [STEP_STOP] = ANSWER_STOP,
    [STEP_CONFIG] = ANSWER_CONFIG,
    [STEP_CALIBRATION] = ANSWER_CALIBRATION,
    [STEP_IO_READ] = ANSWER_IO,
    [STEP_IO_WRITE] = ANSWER_IO,
    [STEP_STREAM_CONFIG] = ANSWER_STREAM_CONFIG,
    [STEP_START] = ANSWER_START,
};

static void step_enter(struct u3 *u3, enum step step, int64_t now_ns)
{
    u3->dialogue.step = step;
    u3->dialogue.try_count = 0;
    u3->dialogue.sent_ns = now_ns;
}

/* What was found in another unit is nothing to put back into this one. */
static void unit_note(const struct u3 *u3, struct u3_kept *kept)
{
    if (strcmp(kept->identity, u3->identity) != 0) {
        memset(kept, 0, sizeof *kept);
        memcpy(kept->identity, u3->identity, sizeof kept->identity);
    }
}

/* The step was answered: keep what was found, choose the next. */
static enum step step_after(struct u3 *u3, struct u3_kept *kept, uint8_t error)
{
    struct dialogue *dialogue = &u3->dialogue;
    bool is_analog = (u3->fio_mask & wanted_mask(u3)) == wanted_mask(u3);
    switch (dialogue->step) {
    case STEP_STOP: /* "was not running" is as good */
        return STEP_DRAIN;
    case STEP_CONFIG:
        unit_note(u3, kept);
        dialogue->block = 0;
        return STEP_CALIBRATION;
    case STEP_CALIBRATION:
        dialogue->block++;
        if (dialogue->block < BLOCK_COUNT) {
            return STEP_CALIBRATION;
        }
        if (!is_calibrated(u3)) {
            notice_set(u3, "LabJack U3: its calibration memory cannot be read; "
                           "readings are nominal");
        }
        return STEP_IO_READ;
    case STEP_IO_READ:
        if (!kept->has_io && error == 0) {
            kept->fio_mask = u3->fio_mask;
            kept->has_io = true;
        }
        if (!kept->has_io) {
            notice_set(u3, "LabJack U3: settings could not be read: it is read as it is");
        }
        return is_analog || !kept->has_io ? STEP_STREAM_CONFIG : STEP_IO_WRITE;
    case STEP_IO_WRITE:
        if (!is_analog) {
            notice_set(u3, "LabJack U3: inputs stayed digital; free FIO lines that timers "
                           "or counters use");
        }
        return STEP_STREAM_CONFIG;
    case STEP_STREAM_CONFIG:
        return error == 0                     ? STEP_START
               : error == ERROR_STREAM_ACTIVE ? STEP_STOP
                                              : STEP_REST;
    case STEP_START:
        dialogue->failed_count = u3->failed_count;
        if (error == 0) {
            return STEP_RUNNING;
        }
        if (error != ERROR_STREAM_ACTIVE) {
            notice_error(u3, "it refused to start", error);
        }
        return error == ERROR_STREAM_ACTIVE ? STEP_STOP : STEP_REST;
    case STEP_DRAIN:
    case STEP_RUNNING:
    case STEP_REST:
    case STEP_COUNT:
        break;
    }
    return dialogue->step;
}

/* Send the command of the step, again when it was not answered.
 * @return Bytes to send. */
static size_t step_try(struct u3 *u3, int64_t now_ns, uint8_t *bytes)
{
    struct dialogue *dialogue = &u3->dialogue;
    bool is_refused = u3->refused_count != dialogue->refused_count;
    if (dialogue->try_count > 0 && !is_refused && now_ns - dialogue->sent_ns < RETRY_NS) {
        return 0;
    }
    if (dialogue->try_count == RETRY_MAX) {
        notice_set(u3, "LabJack U3 does not answer; unplug it and plug it in");
        step_enter(u3, STEP_REST, now_ns);
        return 0;
    }
    dialogue->try_count++;
    dialogue->sent_ns = now_ns;
    dialogue->refused_count = u3->refused_count;
    dialogue->seen_count = u3->answer_counts[STEP_ANSWERS[dialogue->step]];
    return step_send(u3, bytes);
}

static size_t u3_command_next(struct driver_context *context, int64_t now_ns,
                              uint8_t *bytes)
{
    struct u3 *u3 = u3_of(context);
    struct dialogue *dialogue = &u3->dialogue;
    if (dialogue->step == STEP_RUNNING) {
        if (u3->failed_count == dialogue->failed_count) {
            return 0;
        }
        step_enter(u3, STEP_STOP, now_ns);
    }
    if (dialogue->step == STEP_DRAIN || dialogue->step == STEP_REST) {
        bool is_drain = dialogue->step == STEP_DRAIN;
        if (now_ns - dialogue->sent_ns < (is_drain ? DRAIN_NS : REST_NS)) {
            return 0;
        }
        step_enter(u3, is_drain ? STEP_CONFIG : STEP_STOP, now_ns);
    }
    enum answer answer = STEP_ANSWERS[dialogue->step];
    if (dialogue->try_count > 0 && u3->answer_counts[answer] != dialogue->seen_count) {
        step_enter(u3, step_after(u3, kept_of(context), u3->answer_errors[answer]), now_ns);
        return u3_command_next(context, now_ns, bytes);
    }
    size_t size = step_try(u3, now_ns, bytes);
    if (size > 0 && dialogue->step == STEP_IO_WRITE) {
        kept_of(context)->is_changed = true; /* also when its answer gets lost */
    }
    return size;
}

static size_t u3_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct u3 *u3 = u3_of(context);
    struct u3_kept *kept = kept_of(context);
    struct dialogue *dialogue = &u3->dialogue;
    switch (dialogue->stop_step++) {
    case 0:
        return short_command(bytes, STREAM_STOP);
    case 1:
        if (kept->has_io && kept->is_changed) {
            kept->is_changed = false;
            return io_command(bytes, 4, kept->fio_mask);
        }
        break;
    default:
        break;
    }
    *dialogue = (struct dialogue){.step = STEP_STOP};
    return 0;
}

/* ---- the driver ---- */

struct clock_choice {
    double clock_hz;
    uint8_t bits;
};

/* Finest first. */
static const struct clock_choice CLOCKS[] = {
    {48e6, 0x08}, {4e6, 0x00}, {48e6 / 256.0, 0x0C}, {4e6 / 256.0, 0x04}};

enum {
    CLOCK_COUNT = sizeof CLOCKS / sizeof CLOCKS[0],
    INTERVAL_MAX = 65535
};

/* Effective bits go down as the rate of samples goes up (datasheet 3.2). */
static uint8_t resolution_bits(double sample_rate_hz)
{
    static const double limits_hz[] = {2500.0, 10000.0, 20000.0};
    uint8_t bits = 0;
    while (bits < 3 && sample_rate_hz > limits_hz[bits]) {
        bits++;
    }
    return bits;
}

static void plan_make(struct scan_plan *plan, double rate_hz, unsigned input_count)
{
    rate_hz = fmin(rate_hz, SAMPLE_RATE_MAX_HZ / input_count);
    unsigned choice = 0;
    while (choice + 1 < CLOCK_COUNT
           && round(CLOCKS[choice].clock_hz / rate_hz) > INTERVAL_MAX) {
        choice++;
    }
    double interval = round(CLOCKS[choice].clock_hz / rate_hz);
    plan->interval = (uint16_t)fmin(fmax(interval, 1.0), INTERVAL_MAX);
    plan->config = CLOCKS[choice].bits | resolution_bits(rate_hz * input_count);
    plan->input_count = (uint8_t)input_count;
    for (unsigned index = 0; index < input_count; index++) {
        plan->inputs[index] = (struct input){(uint8_t)index, NEGATIVE_GROUND};
    }
    /* Whole scans, so that a lost packet never shifts the inputs. */
    double scans = floor(rate_hz * PACKET_TIME_MAX_S);
    double scans_max = PACKET_SAMPLE_MAX / input_count;
    plan->packet_sample_count =
        (uint8_t)(input_count * (unsigned)fmin(fmax(scans, 1.0), scans_max));
}

/* "A0", or "A0/A3": the reading of A0 divided by that of A3, which measures the supply. */
static enum status channels_parse(struct u3 *u3, const struct driver_settings *settings)
{
    const char *channel = settings->channel ? settings->channel : "";
    const char *slash = strchr(channel, '/');
    if (channel[0] == '\0') {
        return STATUS_OK;
    }
    enum status status = driver_channel_parse(channel, CHANNEL_MAX, &u3->channel);
    if (status || !slash) {
        return status;
    }
    status = driver_channel_parse(slash + 1, CHANNEL_MAX, &u3->supply);
    if (status == STATUS_OK && u3->supply == u3->channel) {
        log_error("channel '%s': sensor and supply must be two inputs", channel);
        return STATUS_BAD_INPUT;
    }
    /* With a known supply volts are wanted. */
    u3->has_supply = settings->excitation_v <= 0.0;
    return status;
}

static enum status u3_init(struct driver_context *context,
                           const struct driver_settings *settings)
{
    struct u3 *u3 = u3_of(context);
    memcpy(u3->streams, STREAMS, sizeof STREAMS);
    memcpy(u3->calibration, NOMINAL, sizeof NOMINAL);
    enum status status = channels_parse(u3, settings);
    if (status) {
        return status;
    }
    struct stream_info *stream = &u3->streams[ANALOG_SCAN];
    unsigned highest = u3->channel > u3->supply ? u3->channel : u3->supply;
    if (highest >= stream->channel_count) {
        stream->channel_count = highest + 1;
    }
    if (u3->has_supply) {
        stream->channels[u3->channel] = RATIO_NAMES[u3->channel];
        stream->units[u3->channel] = "1";
        stream->full_scale[u3->channel] = 1.0F;
    }
    u3->asked_hz = settings->rate_hz > 0.0 ? settings->rate_hz : 100.0;
    plan_make(&u3->plan, u3->asked_hz, stream->channel_count);
    return STATUS_OK;
}

static const struct stream_info *u3_streams_get(const struct driver_context *context,
                                                unsigned *stream_count)
{
    *stream_count = U3_STREAM_COUNT;
    return u3_look(context)->streams;
}

static double u3_tick_s_get(const struct driver_context *context)
{
    return 1.0 / plan_rate_hz(&u3_look(context)->plan);
}

static double u3_rate_hz_get(const struct driver_context *context)
{
    const struct u3 *u3 = u3_look(context);
    return u3->is_plan_confirmed ? plan_rate_hz(&u3->plan) : 0.0;
}

static const char *u3_identity_get(const struct driver_context *context)
{
    return u3_look(context)->identity;
}

static const char *u3_notice_get(const struct driver_context *context, unsigned *count)
{
    const struct u3 *u3 = u3_look(context);
    *count = u3->notice_count;
    return u3->notice;
}

static const struct usb_id USB_IDS[] = {{0x0CD5, 0x0003, false}};

/* Each stream packet is a transfer of its own; 128 of at most 20 ms hold 2.56 s. */
static const struct transport_usb_profile USB = {
    .kind = TRANSPORT_USB_BULK, .transfer_size = 64, .transfer_count = 128};

extern const struct driver driver_labjack_u3;

const struct driver driver_labjack_u3 = {
    .name = "labjack-u3",
    .title = "LabJack U3",
    .streams = STREAMS,
    .stream_count = U3_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 0.01,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .usb = &USB,
    .is_usb_only = true,
    .question = QUESTION,
    .question_size = sizeof QUESTION,
    .init = u3_init,
    .frame_next = u3_frame_next,
    .decode = u3_decode,
    .command_next = u3_command_next,
    .command_stop = u3_command_stop,
    .rate_hz_get = u3_rate_hz_get,
    .identity_get = u3_identity_get,
    .streams_get = u3_streams_get,
    .tick_s_get = u3_tick_s_get,
    .notice_get = u3_notice_get,
};

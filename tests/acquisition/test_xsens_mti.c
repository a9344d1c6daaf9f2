/* Real captures: einride/xsens-go testdata (MIT), capture 1 with its decoded reference.
 * Short vectors: the maker's low level protocol document, and messages of a real MTi-G-700.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/units.h"
#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "xsens-mti";

static const char VENDOR[] =
    "FA FF 36 31 10 20 02 DF C5 10 60 04 00 45 9D A0 40 20 0C BE DC 9A FA 3F 54 9F 37 41 "
    "1C BB 70 80 20 0C BB AA 5C 80 3B 8C 55 01 BB 81 33 00 E0 20 04 00 00 00 81 45";
static const char REAL[] =
    "FA FF 36 44 1020 02 E686 1060 04 00575126 2010 10 3F7F1DDE BDA63508 BC8E1BCD 3AB3C088 "
    "4020 0C 3EB6FC53 BFC6F4B9 41172691 8020 0C BBB38400 3C1FC8BD BA8DE78C E020 04 "
    "00000001 7A";
static const char GNSS_ONLY[] =
    "faff366d70105e0008bb5a07bc010600091100ffffffff0ee6b28000000000000000000000000000"
    "000000ffffbd98ffffffffdf84ba00000000000000000000000000000000000000000000004e2001"
    "12a88000000000270f270f270f270f270f270f270f1060040056efdc102002e6879a";

/* Values that went through the driver's change of unit, in double, and one rounding to
 * float: half a unit in the last place, 2^-24 of the value, twice to be sure; going back
 * to the wire's unit here is in double again. */
static bool is_same_float(double got, double wanted)
{
    return fabs(got - wanted) <= fabs(wanted) * 0x1p-23;
}

enum {
    MESSAGE_MAX = 2064,
    DATA_MESSAGE = 0x36
};

/* One message around data. @return Size. */
static size_t message_write(uint8_t id, const uint8_t *data, size_t size, uint8_t *bytes)
{
    size_t used = 3;
    bytes[0] = 0xFA;
    bytes[1] = 0xFF;
    bytes[2] = id;
    if (size < 255) {
        bytes[used++] = (uint8_t)size;
    } else {
        bytes[used++] = 0xFF;
        bytes[used++] = (uint8_t)(size >> 8);
        bytes[used++] = (uint8_t)size;
    }
    if (size > 0) {
        memcpy(bytes + used, data, size);
    }
    used += size;
    bytes[used] = (uint8_t)-framing_sum8(bytes + 1, used - 1);
    return used + 1;
}

static size_t message_from_hex(uint8_t id, const char *hex, uint8_t *bytes)
{
    uint8_t data[1024];
    return message_write(id, data, hex_decode(hex, data, sizeof data), bytes);
}

static void feed_message(struct collected *collected, uint8_t id, const char *hex)
{
    uint8_t bytes[MESSAGE_MAX];
    collected_feed(collected, bytes, message_from_hex(id, hex, bytes), 0);
}

/* Acceleration (0 0 8) m/s2 and rate of turn (0.5 0 0) rad/s. */
#define MOTION "40200C 00000000 00000000 41000000 80200C 3F000000 00000000 00000000"

static void feed_motion(struct collected *collected, uint16_t counter, uint32_t time)
{
    char hex[256];
    snprintf(hex, sizeof hex, "102002%04X 106004%08lX " MOTION, (unsigned)counter,
             (unsigned long)time);
    feed_message(collected, DATA_MESSAGE, hex);
}

/* Newest sample of a stream. */
static const struct sample *sample_last(const struct collected *collected, const char *name)
{
    unsigned stream = collected_stream(collected, name);
    for (size_t index = collected->count; index-- > 0;) {
        if (collected->samples[index].stream == stream) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("no sample of %s", name);
    return NULL;
}

static void check_inertial(const struct sample *sample, const double turn_rad_s[3],
                           const double acceleration_m_s2[3])
{
    for (unsigned axis = 0; axis < 3; axis++) {
        double turn = (double)sample->values[axis] * RAD_PER_DEG;
        double acceleration = (double)sample->values[3 + axis] * GRAVITY_M_S2;
        ck_assert_double_eq_tol(turn, turn_rad_s[axis], 5e-7); /* six decimals quoted */
        ck_assert_double_eq_tol(acceleration, acceleration_m_s2[axis], 1e-6);
    }
}

/* ---- vectors ---- */

START_TEST(example_of_the_maker)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, VENDOR);
    ck_assert_uint_eq(collected.count, 3);
    const struct sample *sample = sample_last(&collected, "inertial");
    check_inertial(sample, (const double[]){-0.005199, 0.004283, -0.003943},
                   (const double[]){-0.430870, 0.830554, 9.795761});
    ck_assert_uint_eq(sample->device_ticks, 4562336);
    ck_assert_uint_eq(sample->sequence, 57285);
    ck_assert_uint_eq(sample->flags, 0);
    sample = sample_last(&collected, "status");
    check_float_eq(sample->values[0], 0x81);
    check_float_eq(sample->values[1], 0);
    ck_assert_uint_eq(sample->device_ticks, 4562336);
    sample = sample_last(&collected, "packet");
    check_float_eq(sample->values[0], 57285);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(message_of_a_real_unit)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, REAL);
    const struct sample *sample = sample_last(&collected, "inertial");
    check_inertial(sample, (const double[]){-0.005478, 0.009752, -0.001083},
                   (const double[]){0.357394, -1.554343, 9.446916});
    ck_assert_uint_eq(sample->sequence, 59014);
    ck_assert_uint_eq(sample->device_ticks, 0x575126);
    static const double quaternion[] = {0.996549, -0.081156, -0.017347, 0.001371};
    sample = sample_last(&collected, "quaternion");
    for (unsigned index = 0; index < 4; index++) {
        ck_assert_double_eq_tol((double)sample->values[index], quaternion[index], 5e-7);
    }
    check_float_eq(sample->values[4], 0); /* east-north-up */
    ck_assert_uint_eq(sample->sequence, 59014);
    ck_assert_uint_eq(sample->device_ticks, 0x575126);
    collected_free(&collected);
}

END_TEST

/* First acceleration of captures 1, 2 and 3: the same quantity in three precisions. */
START_TEST(precisions_of_real_units)
{
    static const struct {
        const char *hex;
        double wanted[3];
    } cases[] = {
        {"40200C BC8E5466 C0E82F10 BF9AD29E", {-0.0173742, -7.2557449, -1.2095525}},
        {"40210C 00007D65 FF8BB2CA FFEBFC2E", {0.0306139, -7.2688503, -1.2509327}},
        {"402212 0BD2D9600000 BC86A000FFF8 C82AB000FFFE",
         {0.0461861, -7.2635708, -1.2180986}},
        {"402318 3FE0000000000000 C01D000000000000 3FF8000000000000", {0.5, -7.25, 1.5}},
    };

    char hex[256];
    snprintf(hex, sizeof hex, "%s 80200C 00000000 00000000 00000000", cases[_i].hex);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, DATA_MESSAGE, hex);
    ck_assert_uint_eq(collected.count, 1);
    for (unsigned axis = 0; axis < 3; axis++) {
        /* Seven decimals are quoted; a float near 7.26 m/s2 has steps of 5e-7. */
        double got = (double)collected.samples[0].values[3 + axis] * GRAVITY_M_S2;
        ck_assert_double_eq_tol(got, cases[_i].wanted[axis], 6e-7);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(earth_frames_are_told)
{
    static const char *const items[] = {
        "201010 3F800000 00000000 00000000 00000000",
        "201410 3F800000 00000000 00000000 00000000",
        "201820 3FF0000000000000 0000000000000000 0000000000000000 0000000000000000"};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned frame = 0; frame < 3; frame++) {
        char hex[128];
        snprintf(hex, sizeof hex, "%s", items[frame]);
        hex[3] = frame == 2 ? 'B' : hex[3]; /* 201B: north-west-up, double */
        feed_message(&collected, DATA_MESSAGE, hex);
        ck_assert_uint_eq(collected.count, frame + 1);
        check_float_eq(collected.samples[frame].values[0], 1);
        check_float_eq(collected.samples[frame].values[4], frame);
    }
    /* There is no fourth. */
    feed_message(&collected, DATA_MESSAGE, "201C10 3F800000 00000000 00000000 00000000");
    ck_assert_uint_eq(collected.count, 3);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(every_item_goes_to_its_stream)
{
    static const struct {
        const char *hex;
        const char *stream;
        unsigned count;
        float values[10];
    } cases[] = {
        {"2020 24 3F800000 40000000 40400000 40800000 40A00000 40C00000 40E00000 41000000 "
         "41100000",
         "matrix",
         10,
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 0}},
        {"2034 0C 3F800000 40000000 40400000", "euler", 4, {1, 2, 3, 1}},
        {"4038 0C 3F800000 40000000 40400000", "free_acceleration", 4, {1, 2, 3, 2}},
        {"4010 0C 3F800000 40000000 40400000", "delta_v", 3, {1, 2, 3}},
        {"8030 10 3F800000 40000000 40400000 40800000", "delta_q", 4, {1, 2, 3, 4}},
        {"C020 0C 3F800000 40000000 40400000", "magnetometer", 3, {1, 2, 3}},
        {"0810 04 41F80000", "temperature", 1, {31}},
        {"0811 04 01F00000", "temperature", 1, {31}},
        {"3010 04 00018BCD", "pressure", 1, {101325}},
        {"E020 04 01800007", "status", 2, {7, 0x180}},
        {"1010 0C 07440BE0 07E3 01 14 0D 2F 18 37",
         "utc",
         9,
         {2019, 1, 20, 13, 47, 24, 121900, 0, 0x37}},
        {"4040 0C 3F800000 40000000 40400000", "acceleration_high_rate", 3, {1, 2, 3}},
        {"8040 0C 3F800000 40000000 40400000", "rate_of_turn_high_rate", 3, {1, 2, 3}},
        {"5040 08 3F800000 40000000", "position", 2, {1, 2}},
        {"5020 04 3F800000", "altitude", 1, {1}},
        {"D010 0C 3F800000 40000000 40400000", "velocity", 4, {1, 2, 3, 0}},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, DATA_MESSAGE, cases[_i].hex);
    ck_assert_uint_eq(collected.count, 1);
    const struct sample *sample = sample_last(&collected, cases[_i].stream);
    ck_assert_uint_eq(sample->channel_count, cases[_i].count);
    for (unsigned index = 0; index < cases[_i].count; index++) {
        check_float_eq(sample->values[index], cases[_i].values[index]);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(half_an_inertial_sample_is_none)
{
    static const char *const messages[] = {
        "40200C 00000000 00000000 41000000", "80200C 00000000 00000000 41000000",
        "40200C 00000000 00000000 41000000 80200C 7FC00000 00000000 00000000", /* NaN */
        "40200C 00000000 7F800000 41000000 80200C 00000000 00000000 00000000", /* inf */
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, DATA_MESSAGE, messages[_i]);
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    feed_message(&collected, DATA_MESSAGE, MOTION);
    ck_assert_uint_eq(collected.count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(unknown_items_are_skipped_by_size)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, DATA_MESSAGE,
                 "1090 01 55 4020 0C 00000000 00000000 41000000 A010 06 FAFF3600FAFF "
                 "7020 00 8020 0C 3F000000 00000000 00000000 1070 04 00000001");
    ck_assert_uint_eq(collected.count, 1);
    check_float_eq(collected.samples[0].values[0], (float)(0.5 * DEG_PER_RAD));
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

/* Items of newer firmware, of a group that is not listed: when the next message follows. */
START_TEST(unlisted_groups_are_skipped_by_size)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned message = 0; message < 3; message++) {
        feed_message(&collected, DATA_MESSAGE, "7810 02 0001 " MOTION);
    }
    feed_message(&collected, DATA_MESSAGE, MOTION);
    ck_assert_uint_eq(collected.count, 4);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(extended_length_is_read)
{
    uint8_t data[300];
    uint8_t bytes[MESSAGE_MAX];
    size_t size = hex_decode("7020 FF", data, sizeof data);
    memset(data + size, 0xFA, 255);
    size += 255;
    size += hex_decode(MOTION, data + size, sizeof data - size);
    ck_assert_uint_gt(size, 254);
    size = message_write(DATA_MESSAGE, data, size, bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
}

END_TEST

START_TEST(clipping_is_flagged)
{
    static const struct {
        const char *status;
        bool is_inertial;
        bool is_magnetic;
    } cases[] = {
        {"00000003", false, false}, {"00080100", true, false},  {"00000800", true, false},
        {"00002000", true, false},  {"00004000", false, true},  {"00090000", false, true},
        {"00080000", true, true},   {"01E00007", false, false},
    };

    char hex[256];
    snprintf(hex, sizeof hex, MOTION " C0200C 00000000 00000000 3F800000 E02004 %s",
             cases[_i].status);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, DATA_MESSAGE, hex);
    bool is_inertial = sample_last(&collected, "inertial")->flags & SAMPLE_CLIPPED;
    bool is_magnetic = sample_last(&collected, "magnetometer")->flags & SAMPLE_CLIPPED;
    ck_assert(is_inertial == cases[_i].is_inertial);
    ck_assert(is_magnetic == cases[_i].is_magnetic);
    collected_free(&collected);
}

END_TEST

/* ---- capture with its decoded reference ---- */

/* Reads the reference field by field and takes the next sample of each stream for it. */
struct reference {
    const struct collected *collected;
    size_t next[STREAM_MAX]; /* per stream: where to look on */
    size_t next_counter;     /* the packet stream serves two fields */
    const char *stream;      /* of the field being read */
    unsigned first;          /* its first channel */
    unsigned index;          /* values read of it */
    double scale;            /* from the channel's unit to that of the reference */
    const struct sample *sample;
    unsigned checked;
};

/* @param next  Where to look; moves behind the sample. */
static const struct sample *stream_next(const struct collected *collected, const char *name,
                                        size_t *next)
{
    unsigned stream = collected_stream(collected, name);
    size_t index = *next;
    while (index < collected->count && collected->samples[index].stream != stream) {
        index++;
    }
    ck_assert_msg(index < collected->count, "too few samples of %s", name);
    *next = index + 1;
    return &collected->samples[index];
}

static const struct sample *reference_next(struct reference *reference, const char *name)
{
    unsigned stream = collected_stream(reference->collected, name);
    return stream_next(reference->collected, name, &reference->next[stream]);
}

static const struct reference_field {
    const char *title;
    const char *stream;
    unsigned first;
    double scale;
} FIELDS[] = {
    {"EulerAngles(EastNorthUp,Float32):", "euler", 0, 1.0},
    {"Acceleration(Float32):", "inertial", 3, GRAVITY_M_S2},
    {"RateOfTurn(Float32):", "inertial", 0, RAD_PER_DEG},
    {"DeltaV(Float32):", "delta_v", 0, 1.0},
    {"DeltaQ(Float32):", "delta_q", 0, 1.0},
    {"LatLon(Float32):", "position", 0, 1.0},
    {"AltitudeEllipsoid(Float32):", "altitude", 0, 1.0},
    {"VelocityXYZ(EastNorthUp,Float32):", "velocity", 0, 1.0},
};

/* "PacketCounter:" and what follows until the next title. */
static void title_take(struct reference *reference, const char *line)
{
    static const char *const plain[] = {
        "PacketCounter:", "SampleTimeFine:", "UTCTime:", "StatusWord:", "GNSSPVTData:"};
    reference->stream = NULL;
    reference->index = 0;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(line, plain[i]) == 0) {
            reference->stream = plain[i];
            return;
        }
    }
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (strcmp(line, FIELDS[i].title) == 0) {
            reference->stream = FIELDS[i].stream;
            reference->first = FIELDS[i].first;
            reference->scale = FIELDS[i].scale;
            /* Rate of turn stands after the acceleration of the same sample. */
            if (strncmp(line, "RateOfTurn", 10) != 0) {
                reference->sample = reference_next(reference, FIELDS[i].stream);
            } else {
                unsigned stream = collected_stream(reference->collected, "inertial");
                size_t index = reference->next[stream] - 1;
                reference->sample = &reference->collected->samples[index];
            }
            return;
        }
    }
    ck_abort_msg("unknown title %s", line);
}

static void utc_check(const struct sample *sample, const char *text)
{
    char got[64];
    const float *values = sample->values;
    snprintf(got, sizeof got, "%04.0f-%02.0f-%02.0fT%02.0f:%02.0f:%02.0f.%04d", /* 0.1 ms */
             (double)values[0], (double)values[1], (double)values[2], (double)values[3],
             (double)values[4], (double)values[5], (int)values[6] / 100);
    /* The reference leaves out zeros at the end. */
    size_t size = strlen(got);
    while (got[size - 1] == '0') {
        size--;
    }
    size -= got[size - 1] == '.';
    snprintf(got + size, sizeof got - size, "Z");
    ck_assert_str_eq(got, text);
}

/* Fields of whole numbers. In messages of the GNSS receiver the time comes first. */
static void plain_check(struct reference *reference, const char *text)
{
    double low = 0.0;
    double high = 0.0;
    if (strcmp(reference->stream, "PacketCounter:") == 0) {
        const struct sample *sample =
            stream_next(reference->collected, "packet", &reference->next_counter);
        ck_assert_double_eq((double)sample->values[0], strtod(text, NULL));
    } else if (strcmp(reference->stream, "SampleTimeFine:") == 0) {
        const struct sample *sample = reference_next(reference, "packet");
        low = (double)sample->values[1];
        high = (double)sample->values[2];
        ck_assert_double_eq(low + 65536.0 * high, strtod(text, NULL));
    } else if (strcmp(reference->stream, "StatusWord:") == 0) {
        const struct sample *sample = reference_next(reference, "status");
        low = (double)sample->values[0];
        high = (double)sample->values[1];
        ck_assert_double_eq(low + 65536.0 * high, (double)strtoul(text, NULL, 2));
    } else if (strcmp(reference->stream, "UTCTime:") == 0) {
        utc_check(reference_next(reference, "utc"), text);
    } else {
        return; /* the GNSS receiver's solution is not read */
    }
    reference->checked++;
}

/* "  X:-0.017374228686094284" or "  43398". */
static void value_take(struct reference *reference, const char *line)
{
    while (*line == ' ') {
        line++;
    }
    if (strchr(reference->stream, ':')) {
        plain_check(reference, line);
        return;
    }
    const char *colon = strchr(line, ':');
    double wanted = strtod(colon ? colon + 1 : line, NULL);
    double got = (double)reference->sample->values[reference->first + reference->index++];
    if (reference->scale == 1.0) {
        ck_assert_msg(got == (double)(float)wanted, "%s: %.9g is not %.9g",
                      reference->stream, got, wanted);
    } else {
        ck_assert_msg(is_same_float(got * reference->scale, wanted), "%s: %.9g not %.9g",
                      reference->stream, got * reference->scale, wanted);
    }
    reference->checked++;
}

START_TEST(capture_equals_its_reference)
{
    size_t size = 0;
    size_t text_size = 0;
    uint8_t *bytes = shared_read("captures/xsens_mti710_1_output.bin", &size);
    char *text =
        (char *)shared_read("captures/xsens_mti710_1_output.golden.txt", &text_size);
    if (!bytes || !text) {
        free(bytes);
        free(text);
        return;
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    text[text_size - 1] = '\0';
    struct reference reference = {.collected = &collected};
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
        }
        if (line[0] == ' ') {
            value_take(&reference, line);
        } else if (line[0] != '\0') {
            title_take(&reference, line);
        }
        line = end ? end + 1 : NULL;
    }
    /* 100 counters, times and UTC; 96 each of status and the inertial groups, three or four
     * numbers; 95 Euler; 76 position, altitude and velocity. */
    ck_assert_uint_eq(reference.checked,
                      300 + 96 * (1 + 3 + 3 + 3 + 4) + 95 * 3 + 76 * (2 + 1 + 3));
    ck_assert_uint_eq(collected_count(&collected, collected_stream(&collected, "inertial")),
                      96);
    ck_assert_uint_eq(collected_count(&collected, collected_stream(&collected, "euler")),
                      95);
    ck_assert_uint_eq(collected.device.counters.frame_count, 100);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    collected_free(&collected);
    free(bytes);
    free(text);
}

END_TEST

/* The clock of the inertial samples runs evenly through the messages of the receiver. */
START_TEST(capture_has_an_even_clock)
{
    size_t size = 0;
    uint8_t *bytes = shared_read("captures/xsens_mti710_1_output.bin", &size);
    if (!bytes) {
        return;
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    unsigned stream = collected_stream(&collected, "inertial");
    uint64_t ticks = 0;
    uint32_t sequence = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != stream) {
            continue;
        }
        ck_assert_uint_eq(sample->flags & SAMPLE_GAP_BEFORE, 0);
        ck_assert(ticks == 0 || sample->device_ticks == ticks + 100);
        ck_assert(sequence == 0 || sample->sequence == sequence + 1);
        ticks = sample->device_ticks;
        sequence = sample->sequence;
    }
    collected_free(&collected);
    free(bytes);
}

END_TEST

START_TEST(capture_in_every_chunk_size)
{
    size_t size = 0;
    uint8_t *bytes = shared_read("captures/xsens_mti710_1_output.bin", &size);
    if (bytes) {
        check_chunk_invariance(DRIVER, NULL, bytes, size, size);
        /* Opened in the middle of a message. */
        check_chunk_invariance(DRIVER, NULL, bytes + 22, size - 22 - 30, 300);
        check_damage_is_survived(DRIVER, NULL, bytes, size, 200);
    }
    free(bytes);
}

END_TEST

/* ---- damage ---- */

/* Three messages: what stands in the middle is damaged. */
struct triple {
    uint8_t bytes[3 * MESSAGE_MAX];
    size_t starts[4];
};

static void triple_fill(struct triple *triple, const char *const hex[3])
{
    triple->starts[0] = 0;
    for (unsigned index = 0; index < 3; index++) {
        size_t at = triple->starts[index];
        triple->starts[index + 1] =
            at + hex_decode(hex[index], triple->bytes + at, MESSAGE_MAX);
    }
}

START_TEST(flipped_bit_never_gives_a_sample)
{
    static const char *const messages[][3] = {
        {REAL, VENDOR, REAL}, {VENDOR, REAL, VENDOR}, {VENDOR, GNSS_ONLY, REAL}};
    struct triple triple;
    triple_fill(&triple, messages[_i]);
    struct collected clean;
    collected_init(&clean, DRIVER, NULL);
    collected_feed(&clean, triple.bytes, triple.starts[1], 0);
    size_t before = clean.count;
    collected_feed(&clean, triple.bytes + triple.starts[2],
                   triple.starts[3] - triple.starts[2], 0);
    for (size_t bit = 8 * triple.starts[1]; bit < 8 * triple.starts[2]; bit++) {
        struct collected damaged;
        triple.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        collected_init(&damaged, DRIVER, NULL);
        collected_feed(&damaged, triple.bytes, triple.starts[3], 0);
        triple.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(damaged.count == clean.count, "bit %zu: %zu samples, not %zu", bit,
                      damaged.count, clean.count);
        for (size_t index = 0; index < clean.count; index++) {
            ck_assert_mem_eq(damaged.samples[index].values, clean.samples[index].values,
                             sizeof clean.samples[index].values);
        }
        ck_assert_uint_eq(damaged.device.counters.frame_count, 2);
        collected_free(&damaged);
    }
    ck_assert_uint_gt(clean.count, before);
    collected_free(&clean);
}

END_TEST

/* A damaged length holds the next message back no longer than until its own last byte. */
START_TEST(damaged_length_holds_nothing_back)
{
    static const char *const messages[3] = {VENDOR, REAL, VENDOR};
    struct triple triple;
    triple_fill(&triple, messages);
    for (unsigned length = 0; length < 256; length++) {
        if (length == triple.bytes[3]) {
            continue;
        }
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        uint8_t kept = triple.bytes[3];
        triple.bytes[3] = (uint8_t)length;
        collected_feed(&collected, triple.bytes, triple.starts[2], 1);
        triple.bytes[3] = kept;
        ck_assert_msg(collected.device.counters.frame_count == 1, "length %u", length);
        ck_assert_uint_eq(
            collected_count(&collected, collected_stream(&collected, "quaternion")), 1);
        ck_assert_uint_eq(collected.device.counters.bad_count, 1);
        collected_free(&collected);
    }
}

END_TEST

/* A message cut anywhere, and the next at once behind it. The constant is varied so that
 * the sum of the cut message fits by chance in one case of 256 at each place. */
START_TEST(cut_message_never_swallows_the_next)
{
    uint8_t cut[MESSAGE_MAX];
    uint8_t whole[MESSAGE_MAX];
    uint8_t bytes[2 * MESSAGE_MAX];
    size_t whole_size = message_from_hex(
        DATA_MESSAGE, "102002000A 10600400001000 " MOTION " E0200400000001", whole);
    for (unsigned value = 0; value < 256; value++) {
        char hex[256];
        snprintf(hex, sizeof hex, "1020020009 106004000010%02X " MOTION " E02004FAFF36%02X",
                 value, value);
        size_t cut_size = message_from_hex(DATA_MESSAGE, hex, cut);
        for (size_t size = 1; size < cut_size; size++) {
            memcpy(bytes, cut, size);
            memcpy(bytes + size, whole, whole_size);
            struct collected collected;
            collected_init(&collected, DRIVER, NULL);
            collected_feed(&collected, bytes, size + whole_size, 0);
            ck_assert_uint_gt(collected.count, 0);
            const struct sample *sample = sample_last(&collected, "packet");
            ck_assert_msg(sample->values[0] == 10.0F, "value %u, cut at %zu", value, size);
            collected_free(&collected);
        }
    }
}

END_TEST

/* A message whose end looks like a start: by its sum byte FA, or by FA before a sum byte
 * FF.
 * @return Size. */
static size_t message_with_end(bool has_two, uint16_t counter, uint8_t *bytes)
{
    for (unsigned value = 0; value < 256; value++) {
        char hex[256];
        snprintf(hex, sizeof hex, "102002%04X 10600400001000 " MOTION " E0200400%02X00%s",
                 (unsigned)counter, value, has_two ? "FA" : "01");
        size_t size = message_from_hex(DATA_MESSAGE, hex, bytes);
        if (bytes[size - 1] == (has_two ? 0xFF : 0xFA)) {
            return size;
        }
    }
    ck_abort_msg("no such message");
    return 0;
}

/* The end stays where it is until it is known what it begins. */
START_TEST(end_like_a_start)
{
    uint8_t bytes[4 * MESSAGE_MAX];
    size_t size = message_with_end(_i == 1, 1, bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    size += message_with_end(_i == 1, 2, bytes + size);
    collected_feed(&collected, bytes + size / 2, size / 2, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 2);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
    check_chunk_invariance(DRIVER, NULL, bytes, size - 1, size);
    /* The next one lost its start: both can be read, and are. */
    size_t lost = _i == 1 ? 2 : 1;
    memmove(bytes + size / 2, bytes + size / 2 + lost, size / 2 - lost);
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size - lost, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 2);
    check_float_eq(sample_last(&collected, "packet")->values[0], 2);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size - lost, size);
}

END_TEST

/* ---- clock and counter ---- */

START_TEST(receivers_time_is_not_the_clock)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_motion(&collected, 59013, 0x575126 - 100);
    collected_feed_hex(&collected, REAL);      /* 59014 */
    collected_feed_hex(&collected, GNSS_ONLY); /* 59015, 2.4906 s before */
    feed_motion(&collected, 59016, 0x575126 + 100);
    const struct sample *sample = sample_last(&collected, "inertial");
    ck_assert_uint_eq(sample->device_ticks, 0x575126 + 100);
    ck_assert_uint_eq(sample->flags, 0);
    ck_assert_uint_eq(sample->sequence, 59015); /* the third inertial sample */
    ck_assert_uint_eq(collected_count(&collected, 0), 3);
    ck_assert_uint_eq(collected.device.counters.frame_count, 4);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(receivers_message_may_come_first)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, GNSS_ONLY);
    ck_assert_uint_eq(collected_count(&collected, 0), 0);
    feed_motion(&collected, 59016, 0x575126);
    feed_motion(&collected, 59017, 0x575126 + 100);
    ck_assert_uint_eq(collected_count(&collected, 0), 2);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    collected_free(&collected);
}

END_TEST

/* Lost messages count as lost samples only as far as they fit in the time: one of these
 * two was the receiver's. */
START_TEST(lost_messages_are_counted)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_motion(&collected, 65530, 1000);
    feed_motion(&collected, 65531, 1100);
    feed_motion(&collected, 65533, 1300); /* one lost */
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->flags, SAMPLE_GAP_BEFORE);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->sequence, 65533);
    feed_motion(&collected, 0, 1500); /* the counter comes round; two lost, time for one */
    ck_assert_uint_eq(collected.device.counters.lost_count, 2);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->sequence, 65535);
    feed_motion(&collected, 1, 1600);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->sequence, 65536);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->flags, 0);
    ck_assert_uint_eq(collected.device.counters.gap_count, 2);
    collected_free(&collected);
}

END_TEST

/* A slow stream misses nothing when the message lost between did not carry it. */
START_TEST(slow_streams_are_not_called_lossy)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned index = 0; index < 50; index++) {
        char hex[256];
        snprintf(hex, sizeof hex, "102002%04X 106004%08X " MOTION "%s", index,
                 1000 + 100 * index, index % 10 == 0 ? " 081004 41F80000" : "");
        if (index != 25) {
            feed_message(&collected, DATA_MESSAGE, hex);
        }
    }
    unsigned temperature = collected_stream(&collected, "temperature");
    ck_assert_uint_eq(collected_count(&collected, temperature), 5);
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        ck_assert(sample->stream != temperature || sample->flags == 0);
    }
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(clock_ends_are_unwrapped)
{
    static const struct {
        uint32_t before;
        uint32_t after;
        uint64_t wanted;
    } cases[] = {
        {863999950, 50, 864000050},        /* MTi-10 and MTi-100 series: a day */
        {0xFFFFFFCE, 0x32, 0x100000032},   /* MTi-1 and MTi-600: 32 bits */
        {863999999, 864000099, 864000099}, /* the same moment on those: nothing happens */
        {0xFFFFFFFF, 0, 0x100000000},      {863999999, 0, 864000000},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_motion(&collected, 1, cases[_i].before);
    feed_motion(&collected, 2, cases[_i].after);
    const struct sample *sample = sample_last(&collected, "inertial");
    ck_assert_uint_eq(sample->device_ticks, cases[_i].wanted);
    ck_assert_uint_eq(sample->flags, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    feed_motion(&collected, 3, cases[_i].after + 100);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->device_ticks,
                      cases[_i].wanted + 100);
    collected_free(&collected);
}

END_TEST

START_TEST(restart_is_no_wrap)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_motion(&collected, 40000, 5000000);
    feed_motion(&collected, 40001, 5000100);
    feed_motion(&collected, 0, 200);
    feed_motion(&collected, 1, 300);
    ck_assert_uint_eq(collected.device.counters.restart_count, 1);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(sample_last(&collected, "inertial")->device_ticks, 300);
    collected_free(&collected);
}

END_TEST

START_TEST(without_counter_the_clock_tells_of_loss)
{
    struct collected collected;
    collected_init(&collected, DRIVER, &(struct driver_settings){.rate_hz = 100.0});
    for (unsigned index = 0; index < 100; index++) {
        char hex[256];
        snprintf(hex, sizeof hex, "106004%08X " MOTION, 1000 + 100 * index);
        if (index < 50 || index > 52) {
            feed_message(&collected, DATA_MESSAGE, hex);
        }
    }
    ck_assert_uint_eq(collected.device.counters.lost_count, 3);
    collected_free(&collected);
}

END_TEST

/* ---- many frames from the model, some of them damaged ---- */

static void model_tell(struct device_model *model, uint8_t id, const char *hex)
{
    uint8_t bytes[MESSAGE_MAX];
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t size = message_from_hex(id, hex, bytes);
    ck_assert_uint_gt(model->type->hear(model, 0, bytes, size, reply), 0);
}

static void model_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    model->type = device_model_find(DRIVER);
    ck_assert_ptr_nonnull(model->type);
    model->type->init(model, rate_hz, serial);
}

enum {
    STORM_COUNT = 40000,
    PENDING_MAX = 16
};

/* What identifies a frame: counter and time as the packet stream tells them. */
struct mark {
    float values[3];
};

struct storm {
    struct device device;
    uint64_t random;
    struct mark pending[PENDING_MAX]; /* intact frames that did not come out yet */
    unsigned pending_count;
    struct mark forbidden[PENDING_MAX]; /* frames with one flipped bit */
    unsigned forbidden_count;
    unsigned packet;
    unsigned missing;
    unsigned false_count;
    unsigned leaked; /* frames with a flipped bit that gave samples */
};

static bool is_mark(const struct mark *mark, const struct sample *sample)
{
    return memcmp(mark->values, sample->values, sizeof mark->values) == 0;
}

static void storm_take(void *user, const struct sample *sample)
{
    struct storm *storm = user;
    if (sample->stream != storm->packet) {
        return;
    }
    for (unsigned index = 0; index < storm->pending_count; index++) {
        if (!is_mark(&storm->pending[index], sample)) {
            continue;
        }
        storm->missing += index;
        storm->pending_count -= index + 1;
        memmove(storm->pending, storm->pending + index + 1,
                storm->pending_count * sizeof storm->pending[0]);
        return;
    }
    storm->false_count++;
    for (unsigned index = 0; index < storm->forbidden_count; index++) {
        storm->leaked += is_mark(&storm->forbidden[index], sample);
    }
}

static struct mark mark_of(uint16_t counter, uint32_t time)
{
    return (struct mark){{(float)counter, (float)(time & 0xFFFF), (float)(time >> 16)}};
}

/* Cut at either end, overwrite, insert, flip one bit.
 * @param is_flip  Out: only one bit was flipped. @return New size. */
static size_t frame_damage(struct storm *storm, uint8_t *bytes, size_t size, bool *is_flip)
{
    uint64_t random = random_next(&storm->random);
    size_t place = (random >> 8) % size;
    *is_flip = false;
    switch (random % 6) {
    case 0: /* the end is missing */
        return place;
    case 1: /* the beginning is */
        memmove(bytes, bytes + place, size - place);
        return size - place;
    case 2: /* one byte is */
        memmove(bytes + place, bytes + place + 1, size - place - 1);
        return size - 1;
    case 3:
        memmove(bytes + place + 1, bytes + place, size - place);
        bytes[place] = (random >> 40) % 2 ? 0xFA : (uint8_t)(random >> 48);
        return size + 1;
    case 4:
        for (size_t index = place; index < size && index < place + 8; index++) {
            bytes[index] = (uint8_t)random_next(&storm->random);
        }
        return size;
    default:
        bytes[place] ^= (uint8_t)(1u << (random >> 40) % 8);
        *is_flip = true;
        return size;
    }
}

/* @param is_damaged  Whether this frame is. */
static void storm_frame(struct storm *storm, uint8_t *bytes, size_t size, bool is_damaged,
                        struct mark mark)
{
    bool is_flip = false;
    if (is_damaged) {
        size = frame_damage(storm, bytes, size, &is_flip);
    } else {
        ck_assert_uint_lt(storm->pending_count, PENDING_MAX);
        storm->pending[storm->pending_count++] = mark;
    }
    if (is_flip) {
        storm->forbidden[storm->forbidden_count++ % PENDING_MAX] = mark;
        storm->forbidden_count %= PENDING_MAX;
    }
    size_t first = random_next(&storm->random) % (size + 1);
    device_feed(&storm->device, bytes, first, 0, storm_take, storm);
    device_feed(&storm->device, bytes + first, size - first, 0, storm_take, storm);
}

/* 1 % of the frames are damaged or cut; each carries what looks like a message of its own
 * and FA elsewhere; every intact one must come out. */
START_TEST(every_intact_frame_is_found)
{
    static const uint8_t constant[8] = {0xFA, 0xFF, 0x36, 0x0D, 0x10, 0x20, 0x02, 0xFA};
    static const char *const configs[] = {
        /* The constant in the middle, and at the end. */
        "1020FFFF 1060FFFF 08130064 40200064 80200064 E020FFFF",
        "1020FFFF 1060FFFF 40200064 80200064 08130064"};
    struct storm *storm = calloc(1, sizeof *storm);
    ck_assert_ptr_nonnull(storm);
    struct driver_settings settings = {.rate_hz = 100.0};
    ck_assert_int_eq(device_init(&storm->device, driver_find(DRIVER), &settings),
                     STATUS_OK);
    storm->random = 0x9E3779B97F4A7C15u;
    storm->packet = 12;
    ck_assert_str_eq(storm->device.driver->streams[storm->packet].name, "packet");
    struct device_model model;
    model_init(&model, 0.0, 7);
    model_tell(&model, 0x30, "");
    model_tell(&model, 0xC0, configs[_i]);
    model_tell(&model, 0x10, "");
    struct device_reading reading = {.accel_g = {0.0, 0.0, 1.0}};
    /* As a double with its highest byte first. */
    uint64_t bits = framing_u64_be(constant);
    memcpy(&reading.temperature_deg_c, &bits, sizeof bits);
    unsigned damaged_count = 0;
    for (unsigned index = 0; index < STORM_COUNT; index++) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        reading.gyro_deg_s[index % 3] = index % 1000 * 0.4;
        size_t size = model.type->sample(&model, (uint64_t)index * 10000, &reading, bytes);
        bool is_damaged =
            random_next(&storm->random) % 100 == 0 && index + PENDING_MAX < STORM_COUNT;
        damaged_count += is_damaged;
        storm_frame(storm, bytes, size, is_damaged, mark_of((uint16_t)index, index * 100));
    }
    /* The last frame may end like the start of a message: what follows decides. */
    device_feed(&storm->device, (const uint8_t[4]){0}, 4, 0, storm_take, storm);
    ck_assert_uint_eq(storm->missing, 0);
    ck_assert_uint_eq(storm->pending_count, 0);
    ck_assert_uint_eq(storm->leaked, 0);
    ck_assert_uint_gt(damaged_count, STORM_COUNT / 200);
    /* An 8 bit sum lets one of 256 damaged frames pass; some damage leaves a frame whole
     * (a byte doubled before it, all but nothing cut off). */
    ck_assert_uint_lt(storm->false_count, damaged_count / 20);
    free(storm);
}

END_TEST

START_TEST(model_in_every_chunk_size)
{
    static const uint32_t serials[] = {1, 0x03700001, 0x03800001};
    struct device_model model;
    model_init(&model, 100.0, serials[_i]);
    static uint8_t bytes[1 << 16];
    size_t size = 0;
    for (unsigned index = 0; index < 200; index++) {
        struct device_reading reading = {.accel_g = {0.0, index * 0.1, 1.0}};
        reading.orientation = QUATERNION_IDENTITY;
        size += model.type->sample(&model, 5000000 + (uint64_t)index * 10000, &reading,
                                   bytes + size);
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 200);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    /* Full scale: 50 m/s2 or 160 m/s2. */
    ck_assert_uint_eq(collected.samples[0].flags & SAMPLE_CLIPPED, 0);
    ck_assert_uint_ne(sample_last(&collected, "inertial")->flags & SAMPLE_CLIPPED, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 1000);
}

END_TEST

/* The model's own clock comes to its end in both families. */
START_TEST(model_clock_comes_round)
{
    static const struct {
        uint32_t serial;
        uint64_t end_ticks;
    } cases[] = {{1, 864000000}, {0x03800001, (uint64_t)1 << 32}};
    struct device_model model;
    model_init(&model, 100.0, cases[_i].serial);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned index = 0; index < 100; index++) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        struct device_reading reading = {.accel_g = {0.0, 0.0, 1.0}};
        uint64_t ticks = cases[_i].end_ticks - 5000 + 100 * index;
        size_t size = model.type->sample(&model, ticks * 100, &reading, bytes);
        collected_feed(&collected, bytes, size, 0);
        ck_assert_uint_eq(sample_last(&collected, "inertial")->device_ticks, ticks);
    }
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    collected_free(&collected);
}

END_TEST

/* ---- the dialogue over a line in memory ---- */

enum {
    LINE_SIZE = 1 << 16,
    REPLY_DELAY_MS = 15 /* measurement goes on before the answer */
};

struct line {
    struct collected collected;
    struct device_model model;
    uint64_t now_ms;
    uint64_t next_us;
    uint8_t reply[LINE_SIZE]; /* on its way */
    size_t reply_size;
    uint64_t reply_ms;
    /* what goes wrong */
    bool is_stubborn;       /* hears only Reset */
    bool is_mute;           /* answers nothing */
    uint64_t lost_replies;  /* bit n: answer n gets lost */
    bool refuses_long_list; /* error 33 to a list that has a temperature */
    /* what was seen */
    unsigned reply_count;
    unsigned reset_count;
    unsigned wake_count;
    unsigned config_count;
    uint64_t last_config_ms;
    uint64_t first_config_gap_ms;
    unsigned set_count;
};

static struct line *line_create(const struct driver_settings *settings, double rate_hz,
                                uint32_t serial)
{
    struct line *line = calloc(1, sizeof *line);
    ck_assert_ptr_nonnull(line);
    collected_init(&line->collected, DRIVER, settings);
    model_init(&line->model, rate_hz, serial);
    return line;
}

static void line_destroy(struct line *line)
{
    collected_free(&line->collected);
    free(line);
}

static void line_note(struct line *line, const uint8_t *bytes)
{
    if (bytes[2] == 0x30) {
        line->config_count++;
        if (line->config_count == 2) {
            line->first_config_gap_ms = line->now_ms - line->last_config_ms;
        }
        line->last_config_ms = line->now_ms;
    }
    line->reset_count += bytes[2] == 0x40;
    line->wake_count += bytes[2] == 0x3F;
    line->set_count += bytes[2] == 0xC0 && bytes[3] > 0;
}

static bool is_temperature_listed(const uint8_t *bytes, size_t size)
{
    for (size_t index = 4; index + 4 < size; index += 4) {
        if (bytes[2] == 0xC0 && framing_u16_be(bytes + index) == 0x0810) {
            return true;
        }
    }
    return false;
}

/* One command reaches the unit, or does not. */
static void line_say(struct line *line, const uint8_t *bytes, size_t size)
{
    line_note(line, bytes);
    if (line->is_mute || (line->is_stubborn && bytes[2] != 0x40)) {
        return;
    }
    line->is_stubborn = false;
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = 0;
    if (line->refuses_long_list && is_temperature_listed(bytes, size)) {
        static const uint8_t code = 33;
        reply_size = message_write(0x42, &code, 1, reply);
    } else {
        reply_size =
            line->model.type->hear(&line->model, line->now_ms * 1000, bytes, size, reply);
    }
    if (reply_size == 0 || (line->lost_replies >> line->reply_count++ & 1)) {
        return;
    }
    ck_assert_uint_lt(line->reply_size + reply_size, sizeof line->reply);
    memcpy(line->reply + line->reply_size, reply, reply_size);
    line->reply_size += reply_size;
    line->reply_ms = line->now_ms + REPLY_DELAY_MS;
}

static void line_sample(struct line *line)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct device_reading reading = {.accel_g = {0.0, 0.0, 1.0}};
    reading.orientation = QUATERNION_IDENTITY;
    while (line->next_us <= line->now_ms * 1000) {
        size_t size =
            line->model.type->sample(&line->model, line->next_us, &reading, bytes);
        collected_feed(&line->collected, bytes, size, 0);
        line->next_us += (uint64_t)llround(line->model.type->period_s(&line->model) * 1e6);
    }
}

static void line_run(struct line *line, uint64_t duration_ms)
{
    struct device *device = &line->collected.device;
    for (uint64_t end_ms = line->now_ms + duration_ms; line->now_ms < end_ms;
         line->now_ms++) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        size_t size = device->driver->command_next(&device->context,
                                                   (int64_t)line->now_ms * 1000000, bytes);
        if (size > 0) {
            ck_assert_uint_eq(framing_sum8(bytes + 1, size - 1), 0);
            line_say(line, bytes, size);
        }
        line_sample(line);
        if (line->reply_size > 0 && line->now_ms >= line->reply_ms) {
            collected_feed(&line->collected, line->reply, line->reply_size, 0);
            line->reply_size = 0;
        }
    }
}

static unsigned line_stop(struct line *line)
{
    struct device *device = &line->collected.device;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    unsigned count = 0;
    for (size_t size; count < DRIVER_STOP_MAX
                      && (size = device->driver->command_stop(&device->context, bytes)) > 0;
         count++) {
        line_say(line, bytes, size);
    }
    return count;
}

/* What the unit's stored output configuration is, asked beside the driver.
 * @return Size; the unit measures afterwards. */
static size_t line_config(struct line *line, uint8_t *entries)
{
    static const uint8_t ask[] = {0xFA, 0xFF, 0x30, 0x00, 0xD1, 0xFA, 0xFF, 0xC0,
                                  0x00, 0x41, 0xFA, 0xFF, 0x10, 0x00, 0xF1};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t size =
        line->model.type->hear(&line->model, line->now_ms * 1000, ask, sizeof ask, reply);
    ck_assert_uint_gt(size, 15);
    ck_assert_uint_eq(reply[2], 0x31);
    ck_assert_uint_eq(reply[5 + 2], 0xC1);
    memcpy(entries, reply + 9, reply[8]);
    return reply[8];
}

static void check_config(struct line *line, const char *hex)
{
    uint8_t entries[256];
    uint8_t wanted[256];
    size_t size = line_config(line, entries);
    ck_assert_uint_eq(size, hex_decode(hex, wanted, sizeof wanted));
    ck_assert_mem_eq(entries, wanted, size);
}

static const char *line_notice(struct line *line)
{
    unsigned count = 0;
    return line->collected.device.driver->notice_get(&line->collected.device.context,
                                                     &count);
}

static size_t line_rate_hz(struct line *line)
{
    size_t before = collected_count(&line->collected, 0);
    line_run(line, 1000);
    return collected_count(&line->collected, 0) - before;
}

static const char WANTED_100[] =
    "1020FFFF 1060FFFF 40200064 80200064 C0200064 08100001 E020FFFF";
static const char FOUND_50[] = "1020FFFF 1060FFFF 20100032 40200032 80200032 E020FFFF";

START_TEST(unit_is_configured_and_left_as_found)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    struct device *device = &line->collected.device;
    line_run(line, 1000);
    ck_assert_double_eq(device->driver->rate_hz_get(&device->context), 100.0);
    ck_assert_str_eq(device->driver->identity_get(&device->context),
                     "Xsens MTi-30-2A5G4, device 0360002A, firmware 1.8.2");
    ck_assert_str_eq(line_notice(line), "");
    size_t rate_hz = line_rate_hz(line);
    ck_assert_uint_ge(rate_hz, 99);
    ck_assert_uint_le(rate_hz, 101);
    ck_assert_uint_eq(device->counters.bad_count, 0);
    ck_assert_uint_eq(line->set_count, 1);
    check_config(line, WANTED_100);
    ck_assert_uint_eq(line_stop(line), 3);
    check_config(line, FOUND_50);
    ck_assert_uint_eq(line_stop(line), 0);
    line_destroy(line);
}

END_TEST

/* Unplugged and found again with its new settings: the old ones are still put back. */
START_TEST(found_settings_outlive_an_unplugging)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    line_run(line, 1000);
    device_interrupt(&line->collected.device);
    line_run(line, 1000);
    /* Nothing to change this time. */
    ck_assert_uint_eq(line->set_count, 1);
    ck_assert_uint_ge(line_rate_hz(line), 99);
    ck_assert_uint_eq(line_stop(line), 3);
    check_config(line, FOUND_50);
    line_destroy(line);
}

END_TEST

START_TEST(refused_rate_is_told)
{
    static const struct {
        double asked_hz;
        unsigned baud;
        uint32_t serial;
        double wanted_hz;
        const char *notice;
    } cases[] = {
        {200.0, 921600, 0x03800001, 100.0, "asked for 200 Hz, the sensor set 100 Hz"},
        {150.0, 0, 1, 100.0, "asked for 150 Hz, the sensor set 100 Hz"},
        {400.0, 0, 1, 200.0,
         "asked for 400 Hz, the sensor set 200 Hz: the line carries no more, set a higher "
         "baud"},
        {400.0, 460800, 1, 400.0, ""},
        {200.0, 0, 1, 200.0, ""},
        {0.0, 0, 1, 100.0, ""},
    };
    struct driver_settings settings = {.rate_hz = cases[_i].asked_hz,
                                       .baud = cases[_i].baud};
    struct line *line = line_create(&settings, 50.0, cases[_i].serial);
    struct device *device = &line->collected.device;
    line_run(line, 1000);
    ck_assert_str_eq(line_notice(line), cases[_i].notice);
    double rate_hz = device->driver->rate_hz_get(&device->context);
    double measured_hz = (double)line_rate_hz(line);
    ck_assert_double_eq_tol(measured_hz, rate_hz, 1.01); /* one more or less in a second */
    line_destroy(line);
}

END_TEST

/* The bytes of one second fit the line with some room. */
START_TEST(line_is_never_overfull)
{
    static const struct {
        double rate_hz;
        unsigned baud;
    } cases[] = {{100, 0}, {200, 0},      {400, 0},      {2000, 0}, {100, 9600},
                 {1, 0},   {400, 921600}, {400, 460800}, {158, 0},  {159, 0}};
    struct driver_settings settings = {.rate_hz = cases[_i].rate_hz,
                                       .baud = cases[_i].baud};
    struct line *line = line_create(&settings, 50.0, 1);
    line_run(line, 1500);
    uint64_t before = line->collected.device.counters.byte_count;
    ck_assert_uint_gt(line_rate_hz(line), 0);
    uint64_t count = line->collected.device.counters.byte_count - before;
    unsigned baud = cases[_i].baud ? cases[_i].baud : 115200;
    ck_assert_uint_lt(count, baud / 10 * 97 / 100);
    line_destroy(line);
}

END_TEST

/* A unit in a bad state hears nothing but Reset. */
START_TEST(bad_state_is_left_by_reset)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    line->is_stubborn = true;
    line_run(line, 6000);
    ck_assert_uint_eq(line->reset_count, 1);
    ck_assert_uint_ge(line->wake_count, 1);
    ck_assert_uint_eq(line->first_config_gap_ms, 100);
    ck_assert_uint_ge(line_rate_hz(line), 99);
    ck_assert_str_eq(line_notice(line), "");
    check_config(line, WANTED_100);
    line_stop(line);
    check_config(line, FOUND_50);
    line_destroy(line);
}

END_TEST

START_TEST(mute_unit_is_read_as_it_is)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    line->is_mute = true;
    line_run(line, 10000);
    ck_assert_uint_eq(line->reset_count, 1);
    ck_assert_uint_eq(line->config_count, 60);
    ck_assert_uint_eq(line->set_count, 0);
    ck_assert_str_eq(line_notice(line),
                     "Xsens MTi does not answer; it is read as it was set "
                     "up before");
    size_t rate_hz = line_rate_hz(line);
    ck_assert_uint_ge(rate_hz, 49);
    ck_assert_uint_le(rate_hz, 51);
    ck_assert_uint_eq(line_stop(line), 0);
    line_destroy(line);
}

END_TEST

/* Any one or two answers in a row are lost; the end is always the same. */
START_TEST(lost_answers_are_asked_for_again)
{
    for (unsigned first = 0; first < 10; first++) {
        struct line *line =
            line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
        line->lost_replies = (uint64_t)(_i == 0 ? 1 : 3) << first;
        line_run(line, 4000);
        ck_assert_str_eq(line_notice(line), "");
        ck_assert_uint_ge(line_rate_hz(line), 99);
        struct device *device = &line->collected.device;
        ck_assert_double_eq(device->driver->rate_hz_get(&device->context), 100.0);
        check_config(line, WANTED_100);
        line_stop(line);
        check_config(line, FOUND_50);
        line_destroy(line);
    }
}

END_TEST

START_TEST(long_list_refused_short_list_sent)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    line->refuses_long_list = true;
    line_run(line, 1500);
    ck_assert_str_eq(line_notice(line),
                     "Xsens MTi error 33: parameter not valid or out of range");
    check_config(line, "1020FFFF 1060FFFF 40200064 80200064 E020FFFF");
    ck_assert_uint_ge(line_rate_hz(line), 99);
    line_stop(line);
    check_config(line, FOUND_50);
    line_destroy(line);
}

END_TEST

/* A unit whose configuration cannot be read is not changed: it could not be put back. */
START_TEST(unknown_settings_are_not_changed)
{
    struct line *line = line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
    line->lost_replies = 0x70; /* after GoToConfig, device, product and firmware */
    line_run(line, 4000);
    ck_assert_uint_eq(line->set_count, 0);
    ck_assert_str_eq(line_notice(line), "Xsens MTi does not tell its output configuration: "
                                        "left as it is");
    ck_assert_uint_eq(line_rate_hz(line) / 10, 5);
    ck_assert_uint_eq(line_stop(line), 0);
    line_destroy(line);
}

END_TEST

/* To send an empty configuration back would be to ask for it. */
START_TEST(empty_settings_are_not_changed)
{
    static const char *const answers[] = {
        "FA FF 31 00 D0", "FA FF 01 08 03 60 00 01 23 45 67 EF D6", "FA FF 1D 00 E4",
        "FA FF 13 00 EE", "FA FF C1 00 40"};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    const struct driver *driver = collected.device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    for (unsigned index = 0; index < sizeof answers / sizeof answers[0]; index++) {
        ck_assert_uint_gt(driver->command_next(&collected.device.context, 0, bytes), 0);
        collected_feed_hex(&collected, answers[index]);
    }
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_str_eq(driver->identity_get(&collected.device.context),
                     "Xsens MTi, device 03600001234567EF");
    ck_assert_uint_eq(driver->command_next(&collected.device.context, 0, bytes), 5);
    ck_assert_uint_eq(bytes[2], 0x10); /* GoToMeasurement */
    collected_feed_hex(&collected, "FA FF 11 00 F0");
    unsigned count = 0;
    ck_assert_ptr_nonnull(
        strstr(driver->notice_get(&collected.device.context, &count), "is empty"));
    ck_assert_uint_eq(driver->command_next(&collected.device.context, 0, bytes), 0);
    ck_assert_uint_eq(driver->command_stop(&collected.device.context, bytes), 0);
    collected_free(&collected);
}

END_TEST

/* Stopped in the middle of the dialogue: it measures again. */
START_TEST(stopped_early_it_measures)
{
    for (uint64_t stop_ms = 1; stop_ms < 200; stop_ms += 7) {
        struct line *line =
            line_create(&(struct driver_settings){.rate_hz = 100.0}, 50.0, 42);
        line_run(line, stop_ms);
        line_stop(line);
        size_t before = collected_count(&line->collected, 0);
        line_run(line, 500);
        ck_assert_uint_ge(collected_count(&line->collected, 0), before + 24);
        check_config(line, FOUND_50);
        line_destroy(line);
    }
}

END_TEST

START_TEST(errors_are_explained)
{
    static const struct {
        const char *code;
        const char *notice;
    } cases[] = {
        {"29", "Xsens MTi error 41: data lost: baud rate too low for what is sent"},
        {"04", "Xsens MTi error 4: message not known, or not in this state"},
        {"63", "Xsens MTi error 99: see the maker's manual"},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed_message(&collected, 0x42, cases[_i].code);
    unsigned count = 0;
    ck_assert_str_eq(collected.device.driver->notice_get(&collected.device.context, &count),
                     cases[_i].notice);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(commands_are_as_documented)
{
    const struct driver *driver = driver_find(DRIVER);
    uint8_t wanted[64];
    size_t size = hex_decode("FA FF 00 00 01", wanted, sizeof wanted);
    ck_assert_uint_eq(driver->question_size, size);
    ck_assert_mem_eq(driver->question, wanted, size);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    uint8_t bytes[DRIVER_COMMAND_MAX];
    size = driver->command_next(&collected.device.context, 0, bytes);
    ck_assert_uint_eq(size, hex_decode("FA FF 30 00 D1", wanted, sizeof wanted));
    ck_assert_mem_eq(bytes, wanted, size);
    collected_feed_hex(&collected, "FA FF 31 00 D0");
    size = driver->command_next(&collected.device.context, 0, bytes);
    ck_assert_uint_eq(size, hex_decode("FA FF 00 00 01", wanted, sizeof wanted));
    ck_assert_mem_eq(bytes, wanted, size);
    /* A unit that starts up is asked to wait. */
    collected_feed_hex(&collected, "FA FF 3E 00 C3");
    size = driver->command_next(&collected.device.context, 0, bytes);
    ck_assert_uint_eq(size, hex_decode("FA FF 3F 00 C2", wanted, sizeof wanted));
    ck_assert_mem_eq(bytes, wanted, size);
    collected_free(&collected);
}

END_TEST

START_TEST(model_refuses_what_it_does_not_know)
{
    struct device_model model;
    model_init(&model, 100.0, 42);
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    uint8_t bytes[64];
    uint8_t wanted[64];
    size_t size = hex_decode("FA FF 30 00 D1 00 FA FF 77 00 8A", bytes, sizeof bytes);
    size_t got = 0;
    /* Byte by byte, with a stray one between. */
    for (size_t index = 0; index < size; index++) {
        got += model.type->hear(&model, 0, bytes + index, 1, reply + got);
    }
    ck_assert_uint_eq(
        got, hex_decode("FA FF 31 00 D0 FA FF 42 01 04 BA", wanted, sizeof wanted));
    ck_assert_mem_eq(reply, wanted, got);
    struct device_reading reading = {0};
    ck_assert_uint_eq(model.type->sample(&model, 0, &reading, reply), 0);
}

END_TEST

static TCase *decoding_case(void)
{
    TCase *tests = tcase_create("decoding");
    tcase_add_test(tests, example_of_the_maker);
    tcase_add_test(tests, message_of_a_real_unit);
    tcase_add_loop_test(tests, precisions_of_real_units, 0, 4);
    tcase_add_test(tests, earth_frames_are_told);
    tcase_add_loop_test(tests, every_item_goes_to_its_stream, 0, 16);
    tcase_add_loop_test(tests, half_an_inertial_sample_is_none, 0, 4);
    tcase_add_test(tests, unknown_items_are_skipped_by_size);
    tcase_add_test(tests, unlisted_groups_are_skipped_by_size);
    tcase_add_test(tests, extended_length_is_read);
    tcase_add_loop_test(tests, clipping_is_flagged, 0, 8);
    tcase_add_test(tests, capture_equals_its_reference);
    tcase_add_test(tests, capture_has_an_even_clock);
    tcase_add_test(tests, capture_in_every_chunk_size);
    tcase_add_loop_test(tests, errors_are_explained, 0, 3);
    return tests;
}

static TCase *damage_case(void)
{
    TCase *tests = tcase_create("damage");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, flipped_bit_never_gives_a_sample, 0, 3);
    tcase_add_test(tests, damaged_length_holds_nothing_back);
    tcase_add_test(tests, cut_message_never_swallows_the_next);
    tcase_add_loop_test(tests, end_like_a_start, 0, 2);
    tcase_add_loop_test(tests, every_intact_frame_is_found, 0, 2);
    return tests;
}

static TCase *clock_case(void)
{
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, receivers_time_is_not_the_clock);
    tcase_add_test(tests, receivers_message_may_come_first);
    tcase_add_test(tests, lost_messages_are_counted);
    tcase_add_test(tests, slow_streams_are_not_called_lossy);
    tcase_add_loop_test(tests, clock_ends_are_unwrapped, 0, 5);
    tcase_add_test(tests, restart_is_no_wrap);
    tcase_add_test(tests, without_counter_the_clock_tells_of_loss);
    tcase_add_loop_test(tests, model_in_every_chunk_size, 0, 3);
    tcase_add_loop_test(tests, model_clock_comes_round, 0, 2);
    return tests;
}

static TCase *dialogue_case(void)
{
    TCase *tests = tcase_create("dialogue");
    tcase_add_test(tests, unit_is_configured_and_left_as_found);
    tcase_add_test(tests, found_settings_outlive_an_unplugging);
    tcase_add_loop_test(tests, refused_rate_is_told, 0, 6);
    tcase_add_loop_test(tests, line_is_never_overfull, 0, 10);
    tcase_add_test(tests, bad_state_is_left_by_reset);
    tcase_add_test(tests, mute_unit_is_read_as_it_is);
    tcase_add_loop_test(tests, lost_answers_are_asked_for_again, 0, 2);
    tcase_add_test(tests, long_list_refused_short_list_sent);
    tcase_add_test(tests, unknown_settings_are_not_changed);
    tcase_add_test(tests, empty_settings_are_not_changed);
    tcase_add_test(tests, stopped_early_it_measures);
    tcase_add_test(tests, commands_are_as_documented);
    tcase_add_test(tests, model_refuses_what_it_does_not_know);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("xsens_mti");
    suite_add_tcase(suite, decoding_case());
    suite_add_tcase(suite, damage_case());
    suite_add_tcase(suite, clock_case());
    suite_add_tcase(suite, dialogue_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/units.h"
#include "tests/acquisition/dialogue_support.h"

static const char DRIVER[] = "vectornav-vn100";

/* First frame of the public recording F00294 (LoggerWavesInIce). */
static const char FIRST_FRAME[] =
    "fa143e003a007143b4bd82c8a4bdfb51d33e3a6b99bfd88a18c0f82616c19c2f45b9e0bc9fb61fba70bb"
    "3ba59b410f2dcc426bed07435082e2c0c6ab6341168636bf0b0827bf497a833e65b5303f1aad37bf3786"
    "bf3db35efc3d54c9793e2641763f4a9c843e00d916b9f5a2d53e00002bb98092a83b111a1cc17a2e";

enum {
    FRAME_BUFFER = 700
};

/* ---- an encoder of the tests: any groups, masks and payload ---- */

static uint16_t crc_bitwise(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0;
    for (size_t bit = 0; bit < 8 * size + 16; bit++) {
        unsigned next =
            bit < 8 * size ? (unsigned)bytes[bit / 8] >> (7 - bit % 8) & 1u : 0u;
        crc = crc << 1 | next;
        crc = crc & 0x10000 ? crc ^ 0x11021 : crc;
    }
    return (uint16_t)crc;
}

/* @param head  Group bytes and masks as they stand in the frame. */
static size_t frame_make(const uint8_t *head, size_t head_size, const void *payload,
                         size_t payload_size, uint8_t *frame)
{
    frame[0] = 0xFA;
    memcpy(frame + 1, head, head_size);
    memcpy(frame + 1 + head_size, payload, payload_size);
    size_t size = 1 + head_size + payload_size;
    uint16_t crc = crc_bitwise(frame + 1, size - 1);
    frame[size] = (uint8_t)(crc >> 8);
    frame[size + 1] = (uint8_t)crc;
    return size + 2;
}

static size_t floats_make(uint8_t *bytes, const float *values, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        uint32_t bits;
        memcpy(&bits, &values[index], 4);
        for (unsigned byte = 0; byte < 4; byte++) {
            bytes[4 * index + byte] = (uint8_t)(bits >> 8 * byte);
        }
    }
    return (size_t)4 * count;
}

static const struct sample *sample_of(const struct collected *collected, const char *stream)
{
    unsigned wanted = collected_stream(collected, stream);
    for (size_t index = 0; index < collected->count; index++) {
        if (collected->samples[index].stream == wanted) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("no sample of %s", stream);
    return NULL;
}

static void check_near(double value, double wanted, double tolerance)
{
    ck_assert_double_eq_tol(value, wanted, tolerance);
}

/* ---- frames ---- */

START_TEST(first_frame_of_a_recording_decodes)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, FIRST_FRAME);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    /* Printed with five digits behind the point. */
    static const double rate_rad_s[] = {-0.00019, -0.0, -0.00367};
    static const double acceleration_m_s2[] = {-1.19858, -2.38347, -9.38451};
    static const double magnetic_gauss[] = {-0.08802, -0.08046, 0.41273};
    static const double ypr_deg[] = {135.927, -7.078, 14.229};
    const float *inertial = sample_of(&collected, "inertial")->values;
    const float *magnetic = sample_of(&collected, "magnetic")->values;
    const float *ypr = sample_of(&collected, "ypr")->values;
    for (unsigned axis = 0; axis < 3; axis++) {
        check_near((double)inertial[axis] * RAD_PER_DEG, rate_rad_s[axis], 6e-6);
        check_near((double)inertial[3 + axis] * GRAVITY_M_S2, acceleration_m_s2[axis],
                   6e-6);
        check_near((double)magnetic[axis], magnetic_gauss[axis], 6e-6);
        check_near((double)ypr[axis], ypr_deg[axis], 6e-4);
    }
    check_near((double)sample_of(&collected, "temperature")->values[0], 19.456, 6e-4);
    check_near((double)sample_of(&collected, "pressure")->values[0], 102.088, 6e-4);
    collected_free(&collected);
}

END_TEST

START_TEST(flipped_bit_gives_no_sample)
{
    uint8_t frame[FRAME_BUFFER];
    size_t size = hex_decode(FIRST_FRAME, frame, sizeof frame);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        collected_feed(&collected, frame, size, 0);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_eq(collected.count, 0);
        /* Nor does it cost the next ones, whatever length it claimed. */
        uint8_t filler[FRAME_BUFFER] = {0};
        collected_feed(&collected, frame, size, 0);
        collected_feed(&collected, filler, sizeof filler, 0);
        ck_assert_uint_eq(collected_count(&collected, 0), 1);
        collected_free(&collected);
    }
}

END_TEST

/* Sizes of the fields in the order of their bits, 0 = unknown; written from the facts. */
static const uint8_t SIZES[5][15] = {
    {8, 8, 8, 12, 16, 12, 24, 12, 12, 24, 20, 28, 2, 4, 8},
    {8, 8, 8, 2, 8, 8, 8, 4, 4, 1, 0, 0, 0, 0, 0},
    {2, 12, 12, 12, 4, 4, 16, 12, 12, 12, 12, 2, 40, 0, 0},
    {0},
    {2, 12, 16, 36, 12, 12, 12, 12, 12, 12, 28, 24, 12, 4, 0},
};

START_TEST(every_field_has_its_size)
{
    for (unsigned group = 0; group < 5; group++) {
        for (unsigned bit = 0; bit < 15; bit++) {
            uint8_t frame[FRAME_BUFFER] = {0};
            const uint8_t payload[64] = {0};
            unsigned mask = 1u << bit;
            const uint8_t head[] = {(uint8_t)(1u << group), (uint8_t)mask,
                                    (uint8_t)(mask >> 8)};
            size_t size = frame_make(head, sizeof head, payload, SIZES[group][bit], frame);
            struct collected collected;
            collected_init(&collected, DRIVER, NULL);
            collected_feed(&collected, frame, size, 0);
            ck_assert_uint_eq(collected.device.counters.frame_count, SIZES[group][bit] > 0);
            collected_free(&collected);
        }
    }
}

END_TEST

START_TEST(random_combinations_are_found)
{
    uint64_t random = 5;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t head[9] = {0};
        uint8_t payload[FRAME_BUFFER];
        uint8_t frame[FRAME_BUFFER + 16];
        size_t head_size = 1;
        size_t payload_size = 0;
        for (unsigned group = 0; group < 5; group++) {
            unsigned mask = (unsigned)random_next(&random) & 0x7FFF;
            for (unsigned bit = 0; bit < 15; bit++) {
                mask &= SIZES[group][bit] ? 0xFFFFu : ~(1u << bit);
            }
            if (mask == 0 || random_next(&random) % 3 == 0) {
                continue;
            }
            head[0] |= (uint8_t)(1u << group);
            head[head_size++] = (uint8_t)mask;
            head[head_size++] = (uint8_t)(mask >> 8);
            for (unsigned bit = 0; bit < 15; bit++) {
                payload_size += (mask >> bit & 1) ? SIZES[group][bit] : 0u;
            }
        }
        for (size_t index = 0; index < payload_size; index++) {
            payload[index] = (uint8_t)(random_next(&random) >> 32);
        }
        size_t size = frame_make(head, head_size, payload, payload_size, frame);
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        collected_feed(&collected, frame, size, 1 + random_next(&random) % 100);
        ck_assert_uint_eq(collected.device.counters.frame_count, head_size > 1);
        ck_assert_uint_eq(collected.device.counters.skipped_size > 0, head_size == 1);
        collected_free(&collected);
    }
}

END_TEST

START_TEST(extension_words_are_read)
{
    static const struct {
        uint8_t head[6];
        size_t head_size;
        unsigned frame_count;
    } cases[] = {
        {{0x02, 0x01, 0x00}, 3, 1},                   /* time */
        {{0x02, 0x01, 0x80, 0x00, 0x00}, 5, 1},       /* empty extension of the mask */
        {{0x02, 0x01, 0x80, 0x01, 0x00}, 5, 0},       /* an unknown field in it */
        {{0x82, 0x00, 0x01, 0x00}, 4, 1},             /* empty extension of the groups */
        {{0x82, 0x10, 0x01, 0x00, 0x01, 0x00}, 6, 0}, /* an unknown group in it */
        {{0x02, 0x00, 0x00}, 3, 0},                   /* a group without fields */
        {{0x00}, 1, 0},
        {{0x0A, 0x01, 0x00, 0x01, 0x00}, 5, 0}, /* satellites: another device */
    };

    static const uint8_t payload[8] = {1, 2, 3, 4};
    uint8_t frame[64];
    size_t size =
        frame_make(cases[_i].head, cases[_i].head_size, payload, sizeof payload, frame);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, frame, size, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, cases[_i].frame_count);
    collected_free(&collected);
}

END_TEST

START_TEST(compensated_readings_are_preferred)
{
    /* Common: uncompensated acceleration and rate; inertial: both again, then compensated
     * magnetic, acceleration, rate. */
    static const uint8_t head[] = {0x05, 0x00, 0x02, 0x0E, 0x07};
    float values[24];
    for (unsigned index = 0; index < 24; index++) {
        values[index] = (float)index * 0.125F;
    }
    uint8_t payload[96];
    uint8_t frame[128];
    size_t size =
        frame_make(head, sizeof head, payload, floats_make(payload, values, 24), frame);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, frame, size, 0);
    const struct sample *inertial = sample_of(&collected, "inertial");
    const struct sample *magnetic = sample_of(&collected, "magnetic");
    for (unsigned axis = 0; axis < 3; axis++) {
        /* One rounding to float after the conversion. */
        check_near((double)inertial->values[axis], (double)values[21 + axis] * DEG_PER_RAD,
                   1e-4);
        check_near((double)inertial->values[3 + axis],
                   (double)values[18 + axis] / GRAVITY_M_S2, 1e-6);
        check_float_eq(magnetic->values[axis], values[15 + axis]);
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 1);
    collected_free(&collected);
}

END_TEST

START_TEST(composite_fields_are_taken_apart)
{
    /* Common: quaternion, uncompensated acceleration and rate, magnetic with temperature
     * and pressure. */
    static const uint8_t head[] = {0x01, 0x10, 0x06};
    static const float values[] = {0.1F, 0.2F, 0.3F, 0.4F,  1.0F,  2.0F,  3.0F, 4.0F,
                                   5.0F, 6.0F, 0.7F, -0.8F, 0.25F, 21.5F, 99.5F};
    uint8_t payload[64];
    uint8_t frame[80];
    size_t size =
        frame_make(head, sizeof head, payload, floats_make(payload, values, 15), frame);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, frame, size, 0);
    ck_assert_uint_eq(collected.count, 5);
    const float *quaternion = sample_of(&collected, "quaternion")->values;
    check_float_eq(quaternion[0], 0.4F); /* w comes last on the wire */
    check_float_eq(quaternion[1], 0.1F);
    check_float_eq(quaternion[3], 0.3F);
    const float *inertial = sample_of(&collected, "inertial")->values;
    check_near((double)inertial[0], 4.0 * DEG_PER_RAD, 1e-4);
    check_near((double)inertial[3], 1.0 / GRAVITY_M_S2, 1e-6);
    check_float_eq(sample_of(&collected, "magnetic")->values[2], 0.25F);
    check_float_eq(sample_of(&collected, "temperature")->values[0], 21.5F);
    check_float_eq(sample_of(&collected, "pressure")->values[0], 99.5F);
    collected_free(&collected);
}

END_TEST

START_TEST(saturation_is_flagged)
{
    /* Inertial group: acceleration, rate, saturation bits. */
    static const uint8_t head[] = {0x04, 0x00, 0x0E};

    static const struct {
        float acceleration_m_s2;
        float rate_rad_s;
        uint8_t bits[2];
        bool is_clipped;
    } cases[] = {
        {9.8F, 0.1F, {0, 0}, false},       {-157.0F, 0.1F, {0, 0}, true},
        {9.8F, 34.95F, {0, 0}, true},      {9.8F, 0.1F, {0x08, 0}, true},
        {9.8F, 0.1F, {0x00, 0x01}, true},  {9.8F, 0.1F, {0x07, 0}, false},
        {9.8F, 0.1F, {0x00, 0x02}, false},
    };

    float values[6] = {cases[_i].acceleration_m_s2, 0, 0, cases[_i].rate_rad_s, 0, 0};
    uint8_t payload[32];
    uint8_t frame[48];
    size_t used = floats_make(payload, values, 6);
    memcpy(payload + used, cases[_i].bits, 2);
    size_t size = frame_make(head, sizeof head, payload, used + 2, frame);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, frame, size, 0);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq((collected.samples[0].flags & SAMPLE_CLIPPED) != 0,
                      cases[_i].is_clipped);
    collected_free(&collected);
}

END_TEST

START_TEST(half_or_no_number_is_no_inertial_sample)
{
    static const struct {
        uint8_t head[3];
        unsigned float_count;
        float first;
    } cases[] = {
        {{0x04, 0x00, 0x02}, 3, 1.0F}, /* acceleration alone */
        {{0x04, 0x00, 0x04}, 3, 1.0F}, /* rate alone */
        {{0x04, 0x00, 0x06}, 6, NAN},  /* not a number */
        {{0x04, 0x00, 0x06}, 6, INFINITY},
    };

    const float values[6] = {cases[_i].first, 1, 1, 1, 1, 1};
    uint8_t payload[32];
    uint8_t frame[48];
    size_t size = frame_make(cases[_i].head, 3, payload,
                             floats_make(payload, values, cases[_i].float_count), frame);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, frame, size, 0);
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    collected_free(&collected);
}

END_TEST

/* ---- time ---- */

/* Time (if any), rate, acceleration. */
static void inertial_feed(struct collected *collected, uint64_t ticks, bool has_time)
{
    const uint8_t head[] = {0x01, has_time ? 0x21 : 0x20, 0x01};
    uint8_t payload[40] = {0};
    uint8_t frame[64];
    size_t used = 0;
    for (; used < 8 && has_time; used++) {
        payload[used] = (uint8_t)(ticks >> 8 * used);
    }
    size_t size = frame_make(head, sizeof head, payload, used + 24, frame);
    collected_feed(collected, frame, size, 0);
}

static void attitude_feed(struct collected *collected)
{
    static const uint8_t head[] = {0x10, 0x02, 0x00};
    const uint8_t payload[12] = {0};
    uint8_t frame[32];
    size_t size = frame_make(head, sizeof head, payload, sizeof payload, frame);
    collected_feed(collected, frame, size, 0);
}

START_TEST(frames_without_time_have_no_clock)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    const struct device *device = &collected.device;
    for (unsigned index = 0; index < 20; index++) {
        inertial_feed(&collected, 0, false);
        attitude_feed(&collected);
    }
    check_float_eq(driver_tick_s(device->driver, &device->context), 0.0);
    for (size_t index = 0; index < collected.count; index++) {
        ck_assert_uint_eq(collected.samples[index].device_ticks, 0);
        ck_assert_uint_eq(collected.samples[index].flags, 0);
    }
    ck_assert_int_eq(device->newest_ns, 19 * 10000000LL);
    /* Then output with time is configured: neither a gap nor a restart. */
    for (unsigned index = 0; index < 20; index++) {
        inertial_feed(&collected, 7000000000u + 10000000u * (uint64_t)index, true);
        attitude_feed(&collected);
    }
    ck_assert(driver_tick_s(device->driver, &device->context) > 0.0);
    ck_assert_uint_eq(device->counters.gap_count, 0);
    ck_assert_uint_eq(device->counters.restart_count, 0);
    ck_assert_int_eq(device->newest_ns, 39 * 10000000LL);
    for (size_t index = 0; index < collected.count; index++) {
        ck_assert_uint_eq(collected.samples[index].flags, 0);
    }
    /* A lesser frame without time belongs to the time last seen. */
    ck_assert_uint_eq(collected.samples[collected.count - 1].device_ticks, 7190000000u);
    collected_free(&collected);
}

END_TEST

/* Two outputs, one of them without time: the clock of the other is kept. When it ends, none
 * is left. */
START_TEST(output_without_time_does_not_hide_the_clock)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    const struct device *device = &collected.device;
    for (unsigned index = 0; index < 50; index++) {
        uint64_t ticks = 7000000000u + 10000000u * (uint64_t)index;
        inertial_feed(&collected, ticks, true);
        inertial_feed(&collected, 0, false);
        ck_assert(driver_tick_s(device->driver, &device->context) > 0.0);
        ck_assert_uint_eq(collected.samples[collected.count - 1].device_ticks, ticks);
    }
    ck_assert_uint_eq(device->counters.gap_count, 0);
    ck_assert_uint_eq(device->counters.restart_count, 0);
    for (unsigned index = 0; index < 100; index++) {
        inertial_feed(&collected, 0, false);
    }
    check_float_eq(driver_tick_s(device->driver, &device->context), 0.0);
    collected_free(&collected);
}

END_TEST

START_TEST(lost_samples_and_restarts_are_seen_by_time)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    for (unsigned index = 0; index < 100; index++) {
        if (index < 50 || index >= 57) {
            inertial_feed(&collected, 0xFFFFFFF0u + 10000000u * (uint64_t)index, true);
        }
    }
    ck_assert_uint_eq(collected.device.counters.lost_count, 7);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    ck_assert_uint_ne(collected.samples[50].flags & SAMPLE_GAP_BEFORE, 0);
    inertial_feed(&collected, 5000000, true);
    ck_assert_uint_eq(collected.device.counters.restart_count, 1);
    ck_assert_uint_ne(collected.samples[collected.count - 1].flags & SAMPLE_CLOCK_RESTARTED,
                      0);
    collected_free(&collected);
}

END_TEST

/* ---- recordings ---- */

struct csv_column {
    const char *stream;
    unsigned channel;
    double scale; /* CSV unit of one of the channel's */
};

/* MagX ... ACCNED3, as the title line names them. */
static const struct csv_column CSV_COLUMNS[] = {
    {"magnetic", 0, 1},
    {"magnetic", 1, 1},
    {"magnetic", 2, 1},
    {"inertial", 3, GRAVITY_M_S2},
    {"inertial", 4, GRAVITY_M_S2},
    {"inertial", 5, GRAVITY_M_S2},
    {"inertial", 0, RAD_PER_DEG},
    {"inertial", 1, RAD_PER_DEG},
    {"inertial", 2, RAD_PER_DEG},
    {"temperature", 0, 1},
    {"pressure", 0, 1},
    {"ypr", 0, 1},
    {"ypr", 1, 1},
    {"ypr", 2, 1},
    {"matrix", 0, 1},
    {"matrix", 1, 1},
    {"matrix", 2, 1},
    {"matrix", 3, 1},
    {"matrix", 4, 1},
    {"matrix", 5, 1},
    {"matrix", 6, 1},
    {"matrix", 7, 1},
    {"matrix", 8, 1},
    {"magnetic_earth", 0, 1},
    {"magnetic_earth", 1, 1},
    {"magnetic_earth", 2, 1},
    {"acceleration_earth", 0, 1},
    {"acceleration_earth", 1, 1},
    {"acceleration_earth", 2, 1},
};

enum {
    CSV_COLUMN_COUNT = sizeof CSV_COLUMNS / sizeof CSV_COLUMNS[0],
    RECORDING_FRAMES = 99,
    /* The reference lacks this one: the checksum before it ends in FA, which its decoder
     * took for the start. */
    REFERENCE_GAP = 78
};

/* The n-th sample of a stream. */
static const struct sample *sample_nth(const struct collected *collected, unsigned stream,
                                       size_t n)
{
    for (size_t index = 0; index < collected->count; index++) {
        if (collected->samples[index].stream == stream && n-- == 0) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("too few samples of stream %u", stream);
    return NULL;
}

START_TEST(recording_equals_its_reference)
{
    size_t size = 0;
    size_t csv_size = 0;
    uint8_t *bytes = shared_read("captures/vn100_F00294.bin", &size);
    uint8_t *csv = shared_read("captures/vn100_F00294_decoded_B.csv", &csv_size);
    if (!bytes || !csv) {
        free(bytes);
        free(csv);
        return;
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, RECORDING_FRAMES);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), RECORDING_FRAMES);
    csv[csv_size] = '\0'; /* shared_read leaves room */
    char *line = strchr((char *)csv, '\n') + 1;
    size_t compared = 0;
    for (size_t row = 0; row < RECORDING_FRAMES; row++) {
        if (row == REFERENCE_GAP) {
            continue;
        }
        for (unsigned column = 0; column < CSV_COLUMN_COUNT; column++) {
            const struct csv_column *wanted = &CSV_COLUMNS[column];
            char *end = NULL;
            double value = strtod(line, &end);
            ck_assert(end != line);
            line = end + strspn(end, ", \r\n");
            unsigned stream = collected_stream(&collected, wanted->stream);
            const struct sample *sample = sample_nth(&collected, stream, row);
            double decoded = (double)sample->values[wanted->channel] * wanted->scale;
            /* Seven digits are printed; a float conversion costs another 6e-8. */
            check_near(decoded, value, 5.1e-7 * fabs(value) + 1e-12);
            compared++;
        }
    }
    ck_assert_str_eq(line, "");
    ck_assert_uint_eq(compared, (size_t)(RECORDING_FRAMES - 1) * CSV_COLUMN_COUNT);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
    free(bytes);
    free(csv);
    collected_free(&collected);
}

END_TEST

START_TEST(false_sync_is_stepped_over)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    /* Head of the recording F00379: the header twice, then zeros. */
    uint8_t bytes[512] = {0};
    size_t used = hex_decode("fa143e003a00fa143e003a00", bytes, sizeof bytes) + 116;
    used += hex_decode(FIRST_FRAME, bytes + used, sizeof bytes - used);
    static const char text[] = "\r\nM,4240\r\n$GPRMC,000012.800,V,,,N*49\r\nB,\n$VN";
    memcpy(bytes + used, text, sizeof text - 1);
    used += sizeof text - 1;
    used += hex_decode(FIRST_FRAME, bytes + used, sizeof bytes - used);
    collected_feed(&collected, bytes, used, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 2);
    ck_assert_uint_eq(collected.device.counters.bad_count, 2);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, used, used);
}

END_TEST

/* ---- streams of the model ---- */

static size_t model_say(struct device_model *model, const char *text)
{
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    unsigned sum = 0;
    char command[128];
    for (const char *next = text; *next; next++) {
        sum ^= (uint8_t)*next;
    }
    int size = snprintf(command, sizeof command, "$%s*%02X\r\n", text, sum);
    return model->type->hear(model, 0, (const uint8_t *)command, (size_t)size, answer);
}

/* A constant field that looks like the start of a frame of this very form. */
static double sync_float(void)
{
    static const uint8_t bytes[4] = {0xFA, 0x01, 0x31, 0x05};
    return (double)framing_f32(bytes);
}

static void model_prepare(struct device_model *model, struct device_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    model->type = device_model_find(DRIVER);
    model->type->init(model, 100.0, 1);
    ck_assert_uint_gt(model_say(model, "VNWRG,75,1,8,01,0531"), 0);
    reading->temperature_deg_c = sync_float();
    reading->orientation.w = sync_float();
    reading->orientation.x = sync_float();
    reading->accel_g[2] = 1.0;
    reading->gyro_deg_s[1] = -35.0;
    uint8_t frame[DEVICE_MODEL_OUT_MAX];
    static const uint8_t sync[] = {0xFA, 0x01, 0x31, 0x05};
    ck_assert_uint_gt(model->type->sample(model, 0, reading, frame), 4);
    ck_assert_mem_eq(frame, sync, sizeof sync);
    ck_assert_mem_eq(frame + 4 + 8, sync, sizeof sync);
}

enum {
    MANY_COUNT = 40000
};

enum injury {
    INJURY_FLIP,
    INJURY_CUT,
    INJURY_BYTE,
    INJURY_INSERT,
    INJURY_COUNT
};

static size_t frame_injure(uint8_t *frame, size_t size, uint64_t *random)
{
    size_t place = random_next(random) % size;
    switch ((enum injury)(random_next(random) % INJURY_COUNT)) {
    case INJURY_FLIP:
        frame[place] ^= (uint8_t)(1u << random_next(random) % 8);
        break;
    case INJURY_CUT: {
        /* A lost last byte that equals the next first one is no damage: tested below. */
        place = place == size - 1 ? 0 : place;
        size_t gone = 1 + random_next(random) % (size - place);
        memmove(frame + place, frame + place + gone, size - place - gone);
        return size - gone;
    }
    case INJURY_BYTE:
        frame[place] ^= (uint8_t)(1 + random_next(random) % 255);
        break;
    case INJURY_INSERT:
        memmove(frame + place + 1, frame + place, size - place);
        frame[place] = 0xFA;
        /* In front of the frame it does no harm: one more inside. */
        memmove(frame + 3, frame + 2, size - 1);
        return size + 2;
    case INJURY_COUNT:
        break;
    }
    return size;
}

START_TEST(every_intact_frame_is_found)
{
    struct device_model model;
    struct device_reading reading;
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    model_prepare(&model, &reading);
    uint8_t *is_intact = calloc(MANY_COUNT, 1);
    ck_assert_ptr_nonnull(is_intact);
    uint64_t random = 11;
    for (unsigned index = 0; index < MANY_COUNT; index++) {
        uint8_t frame[DEVICE_MODEL_OUT_MAX];
        size_t size =
            model.type->sample(&model, 10000u * (uint64_t)(index + 1), &reading, frame);
        is_intact[index] = random_next(&random) % 100 != 0 || index + 20 > MANY_COUNT;
        size = is_intact[index] ? size : frame_injure(frame, size, &random);
        collected_feed(&collected, frame, size, 0);
    }
    size_t found = 0;
    size_t false_count = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != 0) {
            continue;
        }
        uint64_t number = sample->device_ticks / 10000000u - 1;
        bool is_true = sample->device_ticks % 10000000u == 0 && number < MANY_COUNT
                       && is_intact[number];
        found += is_true;
        false_count += !is_true;
    }
    size_t wanted = 0;
    for (unsigned index = 0; index < MANY_COUNT; index++) {
        wanted += is_intact[index];
    }
    ck_assert_uint_eq(found, wanted);
    ck_assert_uint_eq(false_count, 0);
    free(is_intact);
    collected_free(&collected);
}

END_TEST

/* The borrowed byte belongs to both: neither frame may be lost, nor is anything stray when
 * nothing is lost. */
START_TEST(sync_byte_at_the_end_is_shared)
{
    unsigned variant = (unsigned)_i;
    struct device_model model;
    struct device_reading reading;
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    model_prepare(&model, &reading);
    uint8_t frame[DEVICE_MODEL_OUT_MAX];
    size_t size = 0;
    uint64_t index = 0;
    do {
        size = model.type->sample(&model, 10000u * ++index, &reading, frame);
    } while (frame[size - 1] != 0xFA);
    size_t lost = variant % 2;
    collected_feed(&collected, frame, size - lost, variant / 2);
    if (variant >= 4) {
        static const char line[] = "$VNRRG,06,0*69\r\n";
        collected_feed(&collected, line, sizeof line - 1, 0);
    }
    size = model.type->sample(&model, 10000u * ++index, &reading, frame);
    collected_feed(&collected, frame, size, variant / 2);
    /* With the byte lost a line gives none back: that frame is damaged. */
    bool is_damaged = variant == 5;
    ck_assert_uint_eq(collected_count(&collected, 0), is_damaged ? 1 : 2);
    ck_assert_uint_eq(collected.device.counters.skipped_size > 0, is_damaged);
    ck_assert_uint_eq(collected.device.counters.bad_count > 0, is_damaged);
    collected_free(&collected);
}

END_TEST

/* Frames, register lines and the factory's ASCII output on one line. */
static size_t mixed_make(uint8_t *bytes, unsigned count)
{
    struct device_model model;
    struct device_reading reading;
    model_prepare(&model, &reading);
    model_say(&model, "VNWRG,06,14");
    size_t size = 0;
    for (unsigned index = 0; index < count; index++) {
        size +=
            model.type->sample(&model, 10000u * (uint64_t)index, &reading, bytes + size);
        if (index % 10 == 3) {
            static const char question[] = "$VNRRG,75*60\r\n$VNRRG,99*6A\r\n";
            size += model.type->hear(&model, 0, (const uint8_t *)question,
                                     sizeof question - 1, bytes + size);
        }
    }
    return size;
}

START_TEST(mixed_stream_survives_every_chunking)
{
    static uint8_t bytes[20000];
    size_t size = mixed_make(bytes, 50);
    ck_assert_uint_lt(size, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 50);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 2000);
    check_chunk_invariance(DRIVER, NULL, bytes + 17, 3000, 3000);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 200);
}

END_TEST

/* ---- commands ---- */

/* Text of a register of the model. */
static void check_register(struct dialogue *dialogue, const char *question,
                           const char *wanted)
{
    uint8_t answer[DEVICE_MODEL_OUT_MAX + 1];
    size_t size = dialogue_ask(dialogue, question, strlen(question), answer);
    answer[size] = 0;
    ck_assert_msg(strncmp((const char *)answer, wanted, strlen(wanted)) == 0,
                  "%s instead of %s", (const char *)answer, wanted);
}

static const char READ_ASCII[] = "$VNRRG,06*75\r\n";
static const char READ_OUTPUT[] = "$VNRRG,75*71\r\n";

START_TEST(commands_are_those_of_the_manual)
{
    static const char *const wanted[] = {
        "$VNRRG,01*72\r\n",
        "$VNRRG,03*70\r\n",
        "$VNRRG,04*77\r\n",
        READ_ASCII,
        READ_OUTPUT,
        "$VNWRG,06,0*6C\r\n",
        "$VNWRG,75,1,8,01,0131*7F\r\n",
        READ_OUTPUT,
    };

    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 0.0);
    for (unsigned index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        while (dialogue.command_count == index) {
            dialogue_run(&dialogue, 1);
        }
        ck_assert_str_eq((const char *)dialogue.command, wanted[index]);
    }
    dialogue_run(&dialogue, 2000);
    ck_assert_uint_eq(dialogue.command_count, sizeof wanted / sizeof wanted[0]);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(device_is_configured_and_restored)
{
    struct dialogue dialogue;
    /* Asked for 100; found at 50 Hz, or as from the maker: ASCII at 40 Hz. */
    static const double found_hz[] = {0.0, 50.0};
    dialogue_init(&dialogue, DRIVER, 100.0, found_hz[_i]);
    struct device *device = &dialogue.collected.device;
    dialogue_run(&dialogue, 2000);
    check_register(&dialogue, READ_ASCII, "$VNRRG,06,0*");
    check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,8,01,0131*");
    check_float_eq(driver_rate_hz(device->driver, &device->context), 100.0);
    ck_assert_str_eq(device->driver->identity_get(&device->context),
                     "VN-100S-CR 0000004711, firmware 2.1.0.0");
    unsigned notice_count = 0;
    dialogue_notice(&dialogue, &notice_count);
    ck_assert_uint_eq(notice_count, 0);
    /* 2 s less the dialogue. */
    ck_assert_uint_ge(collected_count(&dialogue.collected, 0), 190);
    ck_assert_uint_eq(device->counters.skipped_size, 0);
    ck_assert_uint_eq(device->counters.bad_count, 0);
    dialogue_stop(&dialogue);
    check_register(&dialogue, READ_ASCII, _i ? "$VNRRG,06,0*" : "$VNRRG,06,14*");
    check_register(&dialogue, READ_OUTPUT,
                   _i ? "$VNRRG,75,1,16,01,0131*" : "$VNRRG,75,0,8,");
    /* It stays so. */
    unsigned command_count = dialogue.command_count;
    dialogue_run(&dialogue, 2000);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 0);
    ck_assert_uint_eq(dialogue.command_count, command_count);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(lower_rate_is_accepted_and_told)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 400.0, 0.0);
    const struct device *device = &dialogue.collected.device;
    dialogue_run(&dialogue, 2000);
    /* 115200 baud carry 54 bytes 200 times a second, not 400 times. */
    check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,4,01,0131*");
    check_float_eq(driver_rate_hz(device->driver, &device->context), 200.0);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "asked for 400 Hz, the sensor set 200 Hz");
    ck_assert_uint_eq(notice_count, 2); /* the refusal, then this */
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(rate_between_the_steps_is_told)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 120.0, 0.0);
    dialogue_run(&dialogue, 1000);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "asked for 120 Hz, the sensor set 114.3 Hz");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(lost_answers_and_commands_are_repeated)
{
    for (unsigned before = 0; before < 8; before++) {
        struct dialogue dialogue;
        dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
        while (dialogue.command_count < before) {
            dialogue_run(&dialogue, 1);
        }
        *(_i ? &dialogue.answers_lost : &dialogue.commands_lost) = 2;
        dialogue_run(&dialogue, 4000);
        check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,8,01,0131*");
        ck_assert_uint_eq(dialogue.command_count, 8 + 2);
        dialogue_stop(&dialogue);
        check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,16,01,0131*");
        dialogue_free(&dialogue);
    }
}

END_TEST

START_TEST(mute_device_is_asked_three_times_each)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue.commands_lost = 1000;
    dialogue_run(&dialogue, 499);
    ck_assert_uint_eq(dialogue.command_count, 1);
    dialogue_run(&dialogue, 60000);
    /* What it had is not known: it is not changed. */
    ck_assert_uint_eq(dialogue.command_count, 5 * 3);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "settings could not be read: the sensor is read as it is");
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 0);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(unread_register_is_left_alone)
{
    struct dialogue dialogue;
    /* ASCII as from the maker with register 06 unread; 50 Hz with register 75 unread. */
    dialogue_init(&dialogue, DRIVER, 100.0, _i ? 50.0 : 0.0);
    while (dialogue.command_count < (_i ? 4 : 3)) {
        dialogue_run(&dialogue, 1);
    }
    dialogue.answers_lost = 3;
    dialogue_run(&dialogue, 5000);
    check_register(&dialogue, READ_ASCII, _i ? "$VNRRG,06,0*" : "$VNRRG,06,14*");
    check_register(&dialogue, READ_OUTPUT,
                   _i ? "$VNRRG,75,1,16,01,0131*" : "$VNRRG,75,1,8,01,0131*");
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "settings could not be read: the sensor is read as it is");
    size_t count = dialogue.collected.count;
    dialogue_stop(&dialogue);
    check_register(&dialogue, READ_ASCII, _i ? "$VNRRG,06,0*" : "$VNRRG,06,14*");
    check_register(&dialogue, READ_OUTPUT,
                   _i ? "$VNRRG,75,1,16,01,0131*" : "$VNRRG,75,0,8,");
    ck_assert_uint_gt(count, 100);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(replugged_device_keeps_its_first_settings)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 1000);
    device_interrupt(&dialogue.collected.device);
    dialogue_run(&dialogue, 1000);
    dialogue_stop(&dialogue);
    check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,16,01,0131*");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(other_unit_keeps_its_own_settings)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 1000);
    device_interrupt(&dialogue.collected.device);
    dialogue.model.type->init(&dialogue.model, 25.0, 4712);
    dialogue_run(&dialogue, 1000);
    dialogue_stop(&dialogue);
    check_register(&dialogue, READ_OUTPUT, "$VNRRG,75,1,32,01,0131*");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(stop_before_anything_was_told_sends_nothing)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 2);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 0);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(errors_are_told_to_people)
{
    static const struct {
        const char *line;
        const char *notice;
    } cases[] = {
        {"$VNERR,03*72\r\n", "the sensor reports error 3: invalid checksum"},
        {"$VNERR,0C*02\r\n", "the sensor reports error 12: baud rate too low for this "
                             "output"},
        {"$VNERR,12*72\r\n", "the sensor reports error 12: baud rate too low for this "
                             "output"},
        {"$VNERR,FF*71\r\n", "the sensor reports error 255: see its manual"},
        {"$VNERR,zz*71\r\n", ""},
        {"$VNERR,03*73\r\n", ""}, /* damaged */
        {"$VNERR*5D\r\n", ""},
    };

    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, cases[_i].line, strlen(cases[_i].line), 0);
    unsigned count = 0;
    const struct device *device = &collected.device;
    ck_assert_str_eq(device->driver->notice_get(&device->context, &count),
                     cases[_i].notice);
    ck_assert_uint_eq(count, cases[_i].notice[0] != '\0');
    collected_free(&collected);
}

END_TEST

START_TEST(lines_may_carry_a_crc)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    /* Of the maker's SDK: four digits are a CRC-16. */
    static const char text[] = "$VNRRG,75,3,400,01,0321*3B31\r\n$VNRRG,06,1,1*0865\n";
    collected_feed(&collected, text, sizeof text - 1, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 2);
    check_float_eq(driver_rate_hz(collected.device.driver, &collected.device.context), 2.0);
    collected_free(&collected);
}

END_TEST

START_TEST(damaged_lines_are_bad)
{
    static const char *const lines[] = {
        "$VNRRG,01*73\r\n",  "$VNRRG,01\r\n",    "$VNRRG,01*\r\n",  "$VNRRG,01*7\r\n",
        "$VNRRG,01*072\r\n", "$VNRRG,01*G2\r\n", "$VNRRG,01*72*\n", "$VN\n",
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, lines[_i], strlen(lines[_i]), 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    /* A frame right behind a line that never ends is not held back. */
    static const char open[] = "$VNYMR,+001";
    collected_feed(&collected, open, sizeof open - 1, 0);
    collected_feed_hex(&collected, FIRST_FRAME);
    ck_assert_uint_eq(collected_count(&collected, 0), 1);
    collected_free(&collected);
}

END_TEST

START_TEST(question_is_answered_by_the_model)
{
    const struct driver *driver = driver_find(DRIVER);
    struct dialogue dialogue;
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    dialogue_init(&dialogue, DRIVER, 100.0, 0.0);
    const struct device *device = &dialogue.collected.device;
    ck_assert_str_eq(driver->identity_get(&device->context), "");
    size_t size = dialogue_ask(&dialogue, driver->question, driver->question_size, answer);
    collected_feed(&dialogue.collected, answer, size, 0);
    ck_assert_str_eq(driver->identity_get(&device->context), "VN-100S-CR");
    dialogue_free(&dialogue);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("vectornav_vn100");
    TCase *frames = tcase_create("frames");
    tcase_add_test(frames, first_frame_of_a_recording_decodes);
    tcase_add_test(frames, flipped_bit_gives_no_sample);
    tcase_add_test(frames, every_field_has_its_size);
    tcase_add_test(frames, random_combinations_are_found);
    tcase_add_loop_test(frames, extension_words_are_read, 0, 8);
    tcase_add_test(frames, compensated_readings_are_preferred);
    tcase_add_test(frames, composite_fields_are_taken_apart);
    tcase_add_loop_test(frames, saturation_is_flagged, 0, 7);
    tcase_add_loop_test(frames, half_or_no_number_is_no_inertial_sample, 0, 4);
    tcase_add_test(frames, frames_without_time_have_no_clock);
    tcase_add_test(frames, output_without_time_does_not_hide_the_clock);
    tcase_add_test(frames, lost_samples_and_restarts_are_seen_by_time);
    tcase_add_test(frames, false_sync_is_stepped_over);
    suite_add_tcase(suite, frames);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 120);
    tcase_add_test(streams, recording_equals_its_reference);
    tcase_add_test(streams, every_intact_frame_is_found);
    tcase_add_loop_test(streams, sync_byte_at_the_end_is_shared, 0, 6);
    tcase_add_test(streams, mixed_stream_survives_every_chunking);
    suite_add_tcase(suite, streams);
    TCase *commands = tcase_create("commands");
    tcase_add_test(commands, commands_are_those_of_the_manual);
    tcase_add_loop_test(commands, device_is_configured_and_restored, 0, 2);
    tcase_add_test(commands, lower_rate_is_accepted_and_told);
    tcase_add_test(commands, rate_between_the_steps_is_told);
    tcase_add_loop_test(commands, lost_answers_and_commands_are_repeated, 0, 2);
    tcase_add_test(commands, mute_device_is_asked_three_times_each);
    tcase_add_loop_test(commands, unread_register_is_left_alone, 0, 2);
    tcase_add_test(commands, replugged_device_keeps_its_first_settings);
    tcase_add_test(commands, other_unit_keeps_its_own_settings);
    tcase_add_test(commands, stop_before_anything_was_told_sends_nothing);
    tcase_add_loop_test(commands, errors_are_told_to_people, 0, 7);
    tcase_add_test(commands, lines_may_carry_a_crc);
    tcase_add_loop_test(commands, damaged_lines_are_bad, 0, 8);
    tcase_add_test(commands, question_is_answered_by_the_model);
    suite_add_tcase(suite, commands);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

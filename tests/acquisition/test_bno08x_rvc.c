#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "simulation/model_bno08x_rvc.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "bno08x-rvc";

enum {
    FRAME_SIZE = 19,
    ANGLES = 1,
    MOTION = 2
};

/* The data sheet's worked example. */
static const char EXAMPLE[] = "AA AA DE 01 00 92 FF 25 08 8D FE EC FF D1 03 00 00 00 E7";

static void model_start(struct device_model *model)
{
    memset(model, 0, sizeof *model);
    model->type = device_model_find(DRIVER);
    ck_assert_ptr_nonnull(model->type);
    model->type->init(model, 0.0, 1);
}

/* A movement about all three axes, up to 300 deg/s. */
static struct quaternion movement(double time_s)
{
    const struct vector3 rotation_rad = {1.1 * sin(2.0 * time_s), 0.9 * sin(3.1 * time_s),
                                         2.5 * sin(1.3 * time_s)};
    return quaternion_from_rotation(rotation_rad);
}

static void reading_make(double time_s, struct device_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    reading->orientation = movement(time_s);
    struct vector3 up = quaternion_rotate(quaternion_conjugate(reading->orientation),
                                          (struct vector3){0.0, 0.0, 1.0});
    reading->accel_g[0] = up.x;
    reading->accel_g[1] = up.y;
    reading->accel_g[2] = up.z;
}

static size_t report_make(struct device_model *model, double time_s, uint8_t *bytes)
{
    struct device_reading reading;
    reading_make(time_s, &reading);
    return model->type->sample(model, 0, &reading, bytes);
}

static size_t stream_make(unsigned report_count, uint8_t *bytes)
{
    struct device_model model;
    model_start(&model);
    size_t size = 0;
    for (unsigned report = 0; report < report_count; report++) {
        size += report_make(&model, 0.01 * report, bytes + size);
    }
    return size;
}

/* ---- frames ---- */

START_TEST(example_decodes)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, EXAMPLE);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.samples[0].stream, ANGLES);
    /* 1e-6: float. */
    ck_assert_double_eq_tol((double)collected.samples[0].values[0], 0.01, 1e-6);
    ck_assert_double_eq_tol((double)collected.samples[0].values[1], -1.10, 1e-6);
    ck_assert_double_eq_tol((double)collected.samples[0].values[2], 20.85, 2e-6);
    ck_assert_uint_eq(collected.samples[0].device_ticks, 222 + 1);
    /* The same once more, one report later: now there is a rate. */
    uint8_t next[FRAME_SIZE];
    hex_decode(EXAMPLE, next, sizeof next);
    next[2]++;
    next[18]++;
    collected_feed(&collected, next, sizeof next, 0);
    ck_assert_uint_eq(collected.count, 3);
    const struct sample *sample = &collected.samples[1];
    ck_assert_uint_eq(sample->stream, 0);
    ck_assert_uint_eq(sample->flags, SAMPLE_DERIVED);
    ck_assert_double_eq_tol((double)sample->values[0], 0.0, 1e-6);
    ck_assert_double_eq_tol((double)sample->values[3], -0.371, 1e-6);
    ck_assert_double_eq_tol((double)sample->values[4], -0.020, 1e-6);
    ck_assert_double_eq_tol((double)sample->values[5], 0.977, 1e-6);
    collected_free(&collected);
}

END_TEST

/* What the angles of the example say about up must be what its accelerations say: only then
 * rates and accelerations have the same axes. */
START_TEST(example_shows_the_axes)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model);
    struct device_reading reading = {.accel_g = {-0.371, -0.020, 0.977}};
    /* The shortest turn that brings the measured direction up. */
    const struct vector3 up = {0.0, 0.0, 1.0};
    struct vector3 measured = {-0.371, -0.020, 0.977};
    reading.orientation = quaternion_between(vector3_normalise(measured), up);
    ck_assert_uint_eq(model.type->sample(&model, 0, &reading, bytes), FRAME_SIZE);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, FRAME_SIZE, 0);
    /* 0.1 deg: the example's sensor was held by hand and shows 1.045 g. */
    ck_assert_double_eq_tol((double)collected.samples[0].values[1], -1.10, 0.1);
    ck_assert_double_eq_tol((double)collected.samples[0].values[2], 20.85, 0.1);
    collected_free(&collected);
}

END_TEST

START_TEST(flipped_bit_gives_no_sample)
{
    uint8_t bytes[3 * DEVICE_MODEL_OUT_MAX];
    size_t size = stream_make(3, bytes);
    ck_assert_uint_eq(size, 3 * FRAME_SIZE);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        collected_feed(&collected, bytes, size, 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_eq(collected.device.counters.frame_count, 2);
        ck_assert_uint_eq(collected_count(&collected, ANGLES), 2);
        /* Counted where it follows a good frame and is still seen to be one. */
        bool is_counted = bit / 8 >= FRAME_SIZE && bit / 8 % FRAME_SIZE >= 2;
        ck_assert_uint_ge(collected.device.counters.bad_count, is_counted);
        ck_assert_uint_le(collected.device.counters.bad_count, bit / 8 >= FRAME_SIZE);
        collected_free(&collected);
    }
}

END_TEST

START_TEST(stream_survives_every_chunking)
{
    static uint8_t bytes[800 * FRAME_SIZE];
    size_t size = stream_make(700, bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 699);
    ck_assert_uint_eq(collected_count(&collected, ANGLES), 700);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    /* 700 reports: the index wrapped twice. */
    const struct sample *last = &collected.samples[collected.count - 1];
    ck_assert_uint_eq(last->device_ticks - collected.samples[0].device_ticks, 699);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 300);
    for (size_t place = 0; place < size; place += 101) {
        bytes[place] ^= 0xAA;
    }
    check_chunk_invariance(DRIVER, NULL, bytes, size, 300);
}

END_TEST

START_TEST(damage_is_survived)
{
    static uint8_t bytes[200 * FRAME_SIZE];
    size_t size = stream_make(200, bytes);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 300);
}

END_TEST

START_TEST(banner_is_passed_over)
{
    struct device_model model;
    uint8_t bytes[2 * DEVICE_MODEL_OUT_MAX];
    model_start(&model);
    model_bno08x_rvc_banner_set(&model, true);
    size_t banner_size = model.type->open(&model, 0, bytes);
    ck_assert_uint_gt(banner_size, 0);
    size_t size = banner_size + report_make(&model, 0.0, bytes + banner_size);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, banner_size);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

/* ---- rates ---- */

/* Rotation vectors of the samples, one after the other, from the first report on. */
START_TEST(rates_add_up_to_the_orientation)
{
    struct device_model model;
    struct collected collected;
    model_start(&model);
    collected_init(&collected, DRIVER, NULL);
    struct quaternion orientation = QUATERNION_IDENTITY;
    size_t used = 0;
    uint64_t last_ticks = 0;
    double worst_deg = 0.0;
    for (unsigned report = 0; report < 3000; report++) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        double time_s = 0.01 * report;
        size_t size = report_make(&model, time_s, bytes);
        /* In the second half every seventh report is lost. */
        if (report < 1500 || report % 7 != 0) {
            collected_feed(&collected, bytes, size, 0);
        }
        if (report == 0) {
            orientation = movement(0.0);
            last_ticks = collected.samples[0].device_ticks;
        }
        for (; used < collected.count; used++) {
            const struct sample *sample = &collected.samples[used];
            if (sample->stream != 0) {
                continue;
            }
            double step_s = (double)(sample->device_ticks - last_ticks) * 0.01;
            const struct vector3 rate = {(double)sample->values[0],
                                         (double)sample->values[1],
                                         (double)sample->values[2]};
            orientation = quaternion_multiply(
                orientation,
                quaternion_from_rotation(vector3_scale(rate, RAD_PER_DEG * step_s)));
            last_ticks = sample->device_ticks;
            double now_s = (double)(last_ticks - collected.samples[0].device_ticks) * 0.01;
            double error_deg = quaternion_angle(orientation, movement(now_s)) * DEG_PER_RAD;
            worst_deg = fmax(worst_deg, error_deg);
        }
    }
    ck_assert_uint_gt(used, 5000);
    /* 0.05 deg: steps of 0.01 deg of three angles, at the begin and at the end; twice that
     * near a pitch of 90 deg, which this movement keeps away from. */
    ck_assert_double_le(worst_deg, 0.05);
    collected_free(&collected);
}

END_TEST

/* About one axis of the board: the rate appears there with its sign. */
START_TEST(rate_has_the_axes_of_the_board)
{
    static const double rate_deg_s = 40.0;
    struct device_model model;
    struct collected collected;
    model_start(&model);
    collected_init(&collected, DRIVER, NULL);
    /* Lying on one side, so that no axis is that of one angle alone. */
    const struct quaternion start = quaternion_from_rotation((struct vector3){0.4, 0.5, 0});
    for (unsigned report = 0; report < 101; report++) {
        double angle_rad = rate_deg_s * RAD_PER_DEG * 0.01 * report;
        struct vector3 axis = {_i == 0, _i == 1, _i == 2};
        struct device_reading reading = {
            .orientation =
                quaternion_multiply(start, quaternion_from_axis_angle(axis, angle_rad))};
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        size_t size = model.type->sample(&model, 0, &reading, bytes);
        collected_feed(&collected, bytes, size, 0);
    }
    double sums[3] = {0};
    unsigned count = 0;
    for (size_t index = 0; index < collected.count; index++) {
        for (unsigned axis = 0; collected.samples[index].stream == 0 && axis < 3; axis++) {
            sums[axis] += (double)collected.samples[index].values[axis];
            count++;
        }
    }
    ck_assert_uint_eq(count, 300);
    for (int axis = 0; axis < 3; axis++) {
        /* 0.05 deg/s: 0.02 deg at both ends of a second. */
        ck_assert_double_eq_tol(sums[axis] / 100.0, axis == _i ? rate_deg_s : 0.0, 0.05);
    }
    collected_free(&collected);
}

END_TEST

/* ---- losses ---- */

/* Reports lost; does the next one give a rate, and samples of stream 0 that miss. */
static const struct {
    unsigned lost;
    bool has_rate;
    unsigned counted;
} GAPS[] = {
    {0, true, 0},      {1, true, 1},      {9, true, 9},
    {10, false, 11},   {100, false, 101}, {254, false, 255},
    {255, false, 256}, {256, true, 0}, /* a whole round: not seen */
};

START_TEST(gap_is_counted)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct collected collected;
    model_start(&model);
    collected_init(&collected, DRIVER, NULL);
    for (unsigned report = 0; report < 40; report++) {
        if (report == 20) {
            model_bno08x_rvc_skip(&model, GAPS[_i].lost);
        }
        collected_feed(&collected, bytes, report_make(&model, 0.0, bytes), 0);
    }
    unsigned lost = GAPS[_i].lost % 256;
    ck_assert_uint_eq(collected_count(&collected, 0), GAPS[_i].has_rate ? 39 : 38);
    ck_assert_uint_eq(collected.device.counters.lost_count, GAPS[_i].counted);
    ck_assert_uint_eq(collected.device.counters.gap_count, GAPS[_i].counted > 0);
    unsigned flagged = 0;
    for (size_t index = 0; index < collected.count; index++) {
        flagged += collected.samples[index].stream == 0
                   && (collected.samples[index].flags & SAMPLE_GAP_BEFORE);
    }
    ck_assert_uint_eq(flagged, GAPS[_i].counted > 0);
    uint64_t ticks = collected.samples[collected.count - 1].device_ticks
                     - collected.samples[0].device_ticks;
    ck_assert_uint_eq(ticks, 39 + lost);
    collected_free(&collected);
}

END_TEST

START_TEST(sensor_that_was_unplugged_starts_again)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct collected collected;
    model_start(&model);
    collected_init(&collected, DRIVER, NULL);
    for (unsigned report = 0; report < 300; report++) {
        collected_feed(&collected, bytes, report_make(&model, 0.01 * report, bytes), 0);
    }
    device_interrupt(&collected.device);
    model_start(&model);
    size_t before = collected.count;
    collected_feed(&collected, bytes, report_make(&model, 9.0, bytes), 0);
    collected_feed(&collected, bytes, report_make(&model, 9.01, bytes), 0);
    ck_assert_uint_eq(collected.count - before, 3);
    ck_assert_uint_eq(collected.device.counters.restart_count, 1);
    ck_assert_uint_eq(collected.samples[before + 1].stream, 0);
    ck_assert_uint_ne(collected.samples[before + 1].flags & SAMPLE_CLOCK_RESTARTED, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(motion_bytes_are_told_when_they_change)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct collected collected;
    model_start(&model);
    collected_init(&collected, DRIVER, NULL);
    for (unsigned report = 0; report < 30; report++) {
        model_bno08x_rvc_motion_set(&model, report >= 10, report >= 20 ? 3 : 0);
        collected_feed(&collected, bytes, report_make(&model, 0.0, bytes), 0);
    }
    ck_assert_uint_eq(collected_count(&collected, MOTION), 2);
    const struct sample *last = NULL;
    for (size_t index = 0; index < collected.count; index++) {
        last = collected.samples[index].stream == MOTION ? &collected.samples[index] : last;
    }
    ck_assert_ptr_nonnull(last);
    if (last) {
        check_float_eq(last->values[0], 1.0F);
        check_float_eq(last->values[1], 3.0F);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(rail_is_clipped)
{
    uint8_t frame[FRAME_SIZE] = {0xAA, 0xAA};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned report = 0; report < 4; report++) {
        frame[2] = (uint8_t)report;
        frame[11] = report < 2 ? 0x10 : 0xFF;
        frame[12] = report < 2 ? 0x10 : 0x7F;
        frame[18] = (uint8_t)(frame[2] + frame[11] + frame[12]);
        collected_feed(&collected, frame, sizeof frame, 0);
    }
    ck_assert_uint_eq(collected.count, 7);
    ck_assert_uint_eq(collected.samples[1].flags, SAMPLE_DERIVED);
    ck_assert_uint_eq(collected.samples[5].flags, SAMPLE_DERIVED | SAMPLE_CLIPPED);
    collected_free(&collected);
}

END_TEST

/* ---- resynchronisation ---- */

enum {
    LONG_REPORTS = 40000,
    LONG_SIZE = LONG_REPORTS * 24
};

/* Reports with AA AA in constant places; 1 % have a bit flipped, are cut, or are cut and
 * followed by junk. intact[i] tells which are whole. */
static size_t long_stream_make(uint8_t *bytes, bool *intact, unsigned *damaged_count)
{
    struct device_model model;
    uint64_t random = 0xBEEF;
    size_t size = 0;
    model_start(&model);
    for (unsigned report = 0; report < LONG_REPORTS; report++) {
        double roll_rad = (report % 30000 / 100.0 - 150.0) * RAD_PER_DEG;
        struct device_reading reading = {
            .orientation = quaternion_from_axis_angle((struct vector3){0, 1, 0}, roll_rad),
        };
        uint8_t *frame = bytes + size;
        model.type->sample(&model, 0, &reading, frame);
        /* More than 8 g, which no movement of the model gives. */
        memset(frame + 9, 0xAA, 5);
        unsigned sum = 0;
        for (unsigned index = 2; index < FRAME_SIZE - 1; index++) {
            sum += frame[index];
        }
        frame[FRAME_SIZE - 1] = (uint8_t)sum;
        size_t frame_size = FRAME_SIZE;
        intact[report] = random_next(&random) % 100 != 0;
        if (!intact[report]) {
            (*damaged_count)++;
            unsigned kind = (unsigned)(random_next(&random) % 3);
            size_t place = random_next(&random) % FRAME_SIZE;
            if (kind == 0) {
                frame[place] ^= (uint8_t)(1u << random_next(&random) % 8);
            } else {
                frame_size = place;
            }
            for (unsigned junk = 0; kind == 2 && junk < 4; junk++) {
                frame[frame_size++] = 0xAA;
            }
        }
        size += frame_size;
    }
    return size;
}

START_TEST(every_intact_report_is_found)
{
    uint8_t *bytes = malloc(LONG_SIZE);
    bool *intact = malloc(LONG_REPORTS * sizeof *intact);
    ck_assert(bytes && intact);
    unsigned damaged_count = 0;
    size_t size = long_stream_make(bytes, intact, &damaged_count);
    ck_assert_uint_gt(damaged_count, LONG_REPORTS / 200);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 4096);
    size_t missing = 0;
    size_t extra = 0;
    unsigned next = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != ANGLES) {
            continue;
        }
        unsigned place = next;
        unsigned passed = 0;
        float roll_deg = 0.0F;
        for (; place < LONG_REPORTS && passed < 20; place++) {
            roll_deg = (float)(((double)(place % 30000) - 15000.0) * 0.01);
            if (intact[place] && sample->values[2] == roll_deg) {
                break;
            }
            passed += intact[place];
        }
        bool is_found = place < LONG_REPORTS && passed < 20;
        missing += is_found ? passed : 0;
        extra += !is_found;
        next = is_found ? place + 1 : next;
    }
    /* The last report may wait for what follows it. */
    ck_assert_uint_ge(next + 2, LONG_REPORTS);
    ck_assert_uint_eq(missing, 0);
    /* A flipped bit is always seen; of reports cut and filled with junk, one in 256 has the
     * right sum by chance: four times that leaves room for it. */
    ck_assert_uint_le(extra, damaged_count / 64);
    free(bytes);
    free(intact);
    collected_free(&collected);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("bno08x_rvc");
    TCase *frames = tcase_create("frames");
    tcase_set_timeout(frames, 60);
    tcase_add_test(frames, example_decodes);
    tcase_add_test(frames, example_shows_the_axes);
    tcase_add_test(frames, flipped_bit_gives_no_sample);
    tcase_add_test(frames, stream_survives_every_chunking);
    tcase_add_test(frames, damage_is_survived);
    tcase_add_test(frames, banner_is_passed_over);
    tcase_add_test(frames, every_intact_report_is_found);
    suite_add_tcase(suite, frames);
    TCase *rates = tcase_create("rates");
    tcase_add_test(rates, rates_add_up_to_the_orientation);
    tcase_add_loop_test(rates, rate_has_the_axes_of_the_board, 0, 3);
    suite_add_tcase(suite, rates);
    TCase *losses = tcase_create("losses");
    tcase_add_loop_test(losses, gap_is_counted, 0, sizeof GAPS / sizeof GAPS[0]);
    tcase_add_test(losses, sensor_that_was_unplugged_starts_again);
    tcase_add_test(losses, motion_bytes_are_told_when_they_change);
    tcase_add_test(losses, rail_is_clipped);
    suite_add_tcase(suite, losses);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

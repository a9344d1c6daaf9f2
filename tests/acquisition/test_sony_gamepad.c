#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/units.h"
#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"

enum {
    REPORT_SIZE = 64,
    HID_INTERFACE = 3, /* of the DualSense; the DualShock 4 has it as 0 */
    GENUINE_SERIAL = 0x1234
};

static const uint32_t CLONE_SERIAL = 0xC0000001u;

/* The two controllers, for tests that are the same for both. */
struct kind {
    const char *driver;
    uint64_t step_ticks; /* of 4 ms */
    size_t time;         /* offsets in reports */
    size_t counter;
    size_t gyro;
    size_t accel;
    size_t buttons;
    size_t status;
    uint8_t counter_unit; /* one count in its byte */
    double tick_s;
    uint8_t calibration_id;
    uint8_t calibration_size;
    uint8_t firmware_id;
    uint8_t firmware_size;
    uint8_t interface;
};

static const struct kind KINDS[] = {
    {"sony-dualsense", 12000, 28, 7, 16, 22, 8, 53, 1, 1.0 / 3e6, 0x05, 41, 0x20, 64,
     HID_INTERFACE},
    {"sony-dualshock4", 750, 10, 7, 13, 19, 5, 30, 4, 16.0 / 3e6, 0x02, 37, 0xA3, 49, 0},
};

enum {
    KIND_COUNT = sizeof KINDS / sizeof KINDS[0]
};

/* nondebug/dualsense README.md: a real controller at rest. */
static const char DUALSENSE_REPORT[] =
    "017e81848400004b08000000ac0aaf14f2ff0a00f2ffb8ffff1d9e08da8fe8ae"
    "1bfc3e0026f97f870bbd0909000000000092a0e8ae290800b07ec876f8cca22b";
/* hhd-dev/hid-tools, PS5Controller and PS4ControllerUSB. */
static const char DUALSENSE_CALIBRATION[] =
    "05fffff2ff04009d225edd922252ddba2251dd1c021c02fb1f05e0831f99df0720fcdf050000000000";
static const char DUALSENSE_FIRMWARE[] =
    "20417567203138203230323030363a32303a323903000400130300001e000001"
    "410a00000000000000000000040200002a000100060001000600000098d8b3b7";
static const char DUALSHOCK4_CALIBRATION[] =
    "021e000500e2fff2224fddbe224ddd8d2239dd1c021c02e31f8bdf8c1eb4de302071e01000";
/* im-0/random-things ds4dump: a clone that counts by two, 4 ms apart, and its calibration.
 */
static const char *const CLONE_REPORTS[] = {
    "01808080800800c40000260c00f0fff9ffeeffea00681f0e0500000000001b00"
    "0000008000000080000000008000000080000000008000000080000000008000",
    "01808080800800cc0000120f00eefff9ffeeff0701721f240500000000001b00"
    "0000008000000080000000008000000080000000008000000080000000008000",
    "01808080800800d40000fe1100edfff9ffeeff0f01831f260500000000001b00"
    "0000008000000080000000008000000080000000008000000080000000008000",
};
static const char CLONE_CALIBRATION[] =
    "020000000000007d22dcdd7d22dcdd7d22dcdd1c021c02002000e0002000e0002000e00700";

/* ---- reports of our own ---- */

static void put_u16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put_time(const struct kind *kind, uint8_t *report, uint64_t ticks)
{
    put_u16(report + kind->time, (unsigned)(ticks & 0xFFFF));
    if (kind == &KINDS[0]) {
        put_u16(report + kind->time + 2, (unsigned)(ticks >> 16 & 0xFFFF));
    }
}

/* A published report with another counter and time. */
static void report_make(const struct kind *kind, uint64_t count, uint64_t ticks,
                        uint8_t *report)
{
    hex_decode(kind == &KINDS[0] ? DUALSENSE_REPORT : CLONE_REPORTS[0], report,
               REPORT_SIZE);
    report[kind->counter] = (uint8_t)(count * kind->counter_unit);
    put_time(kind, report, ticks);
}

static struct device_model model_make(const struct kind *kind, uint32_t serial)
{
    struct device_model model = {.type = device_model_find(kind->driver)};
    ck_assert_ptr_nonnull(model.type);
    model.type->init(&model, 0.0, serial);
    return model;
}

/* A slow bend: rates through +-40 deg/s put 01 into the high bytes. */
static struct device_reading reading_make(size_t index)
{
    double time_s = (double)index * 0.004;
    double angle_rad = 0.5 * sin(1.4 * time_s);
    return (struct device_reading){
        .gyro_deg_s = {40.0 * cos(1.4 * time_s), 25.0 * sin(0.9 * time_s), -18.0},
        .accel_g = {sin(angle_rad), cos(angle_rad), 0.05},
        .temperature_deg_c = 31.0,
        .battery_percent = 70.0,
    };
}

/* count reports of a model, one after the other. The caller frees. */
static uint8_t *recording_make(const struct kind *kind, uint32_t serial, size_t count)
{
    struct device_model model = model_make(kind, serial);
    uint8_t *bytes = malloc(count * REPORT_SIZE);
    ck_assert_ptr_nonnull(bytes);
    for (size_t index = 0; index < count; index++) {
        struct device_reading reading = reading_make(index);
        uint8_t out[DEVICE_MODEL_OUT_MAX];
        ck_assert_uint_eq(model.type->sample(&model, index * 4000, &reading, out),
                          REPORT_SIZE);
        memcpy(bytes + index * REPORT_SIZE, out, REPORT_SIZE);
    }
    return bytes;
}

/* A request as the transport sends it, answered by the model; -1 = refused. */
static int model_ask(const struct kind *kind, struct device_model *model,
                     const uint8_t request[8], uint8_t *reply)
{
    uint8_t setup[8];
    memcpy(setup, request, sizeof setup);
    setup[4] = kind->interface;
    return model->type->usb->control(model, 0, setup, NULL, reply);
}

static size_t calibration_ask(const struct kind *kind, struct device_model *model,
                              uint8_t *reply)
{
    const uint8_t request[8] = {0xA1, 0x01, kind->calibration_id,   0x03,
                                0,    0,    kind->calibration_size, 0};
    int size = model_ask(kind, model, request, reply);
    ck_assert_int_eq(size, kind->calibration_size);
    return (size_t)size;
}

static const struct sample *inertial_at(const struct collected *collected, size_t number)
{
    for (size_t index = 0; index < collected->count; index++) {
        if (collected->samples[index].stream == 0 && number-- == 0) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("too few inertial samples");
    return NULL;
}

/* ---- published vectors ---- */

START_TEST(dualsense_vector_before_and_after_calibration)
{
    /* Printed digits of the reference; float adds less. */
    const double tolerance = 5e-4;
    static const double expected[] = {-0.853, 0.609, -0.851, -0.0088, 0.9526, 0.2689};
    struct collected collected;
    collected_init(&collected, "sony-dualsense", NULL);
    collected_feed_hex(&collected, DUALSENSE_REPORT);
    const struct sample *sample = inertial_at(&collected, 0);
    ck_assert_uint_eq(sample->sequence, 0x4B);
    ck_assert_uint_eq(sample->device_ticks, 0xAEE88FDA);
    ck_assert_uint_eq(sample->flags, SAMPLE_UNCALIBRATED);
    ck_assert_double_eq_tol((double)sample->values[0], -14 * 2048.0 / 32767.0, 1e-6);
    ck_assert_double_eq_tol((double)sample->values[4], 7679 * 4.0 / 32767.0, 1e-6);
    const struct sample *battery = &collected.samples[1];
    ck_assert_uint_eq(battery->stream, collected_stream(&collected, "battery"));
    check_float_eq(battery->values[0], 90.0F);
    check_float_eq(battery->values[1], 2.0F);
    collected_free(&collected);

    collected_init(&collected, "sony-dualsense", NULL);
    collected_feed_hex(&collected, DUALSENSE_CALIBRATION);
    collected_feed_hex(&collected, DUALSENSE_REPORT);
    sample = inertial_at(&collected, 0);
    ck_assert_uint_eq(sample->flags, 0);
    for (unsigned channel = 0; channel < 6; channel++) {
        ck_assert_double_eq_tol((double)sample->values[channel], expected[channel],
                                tolerance);
    }
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

/* The kernel's self-test knows these calibrations: counts that are a denominator must give
 * the turntable's 1080 deg/s, counts a range above the bias 2 g. Exact but for float. */
struct calibration_vector {
    const struct kind *kind;
    const char *hex;
    int denominators[3];
    int biases[3];
    int ranges[3];
};

static const struct calibration_vector CALIBRATIONS[] = {
    {&KINDS[0],
     DUALSENSE_CALIBRATION,
     {17727, 17728, 17769},
     {0, -114, 2},
     {16374, 16362, 16395}},
    {&KINDS[1],
     DUALSHOCK4_CALIBRATION,
     {17827, 17777, 17748},
     {-73, -352, 81},
     {16472, 16344, 16319}},
    {&KINDS[1], CLONE_CALIBRATION, {17569, 17569, 17569}, {0, 0, 0}, {16384, 16384, 16384}},
};

START_TEST(calibration_vector_is_used_exactly)
{
    const struct calibration_vector *vector = &CALIBRATIONS[_i];
    const double tolerance = 1e-4; /* float at 1080: 6e-5 */
    uint8_t report[REPORT_SIZE];
    struct collected collected;
    collected_init(&collected, vector->kind->driver, NULL);
    collected_feed_hex(&collected, vector->hex);
    report_make(vector->kind, 0, 250, report);
    collected_feed(&collected, report, sizeof report, 0);
    report_make(vector->kind, 1, 250 + vector->kind->step_ticks, report);
    for (size_t axis = 0; axis < 3; axis++) {
        put_u16(report + vector->kind->gyro + 2 * axis,
                (unsigned)vector->denominators[axis]);
        put_u16(report + vector->kind->accel + 2 * axis,
                (unsigned)(vector->biases[axis] + vector->ranges[axis]) & 0xFFFF);
    }
    collected_feed(&collected, report, sizeof report, 0);
    const struct sample *sample = inertial_at(&collected, 1);
    for (size_t axis = 0; axis < 3; axis++) {
        ck_assert_double_eq_tol((double)sample->values[axis], 1080.0, tolerance);
        ck_assert_double_eq_tol((double)sample->values[3 + axis], 2.0, tolerance);
    }
    ck_assert_uint_eq(sample->flags, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(firmware_names_the_controller)
{
    struct collected collected;
    collected_init(&collected, "sony-dualsense", NULL);
    const struct driver *driver = collected.device.driver;
    ck_assert_str_eq(driver->identity_get(&collected.device.context), "");
    collected_feed_hex(&collected, DUALSENSE_FIRMWARE);
    ck_assert_str_eq(driver->identity_get(&collected.device.context),
                     "DualSense, firmware of Aug 18 2020");
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(clone_that_counts_by_two_loses_nothing)
{
    static const uint64_t ticks[] = {3110, 3858, 4606};
    struct collected collected;
    collected_init(&collected, "sony-dualshock4", NULL);
    collected_feed_hex(&collected, CLONE_CALIBRATION);
    for (size_t index = 0; index < 3; index++) {
        collected_feed_hex(&collected, CLONE_REPORTS[index]);
        const struct sample *sample = inertial_at(&collected, index);
        ck_assert_uint_eq(sample->device_ticks, ticks[index]);
        ck_assert_uint_eq(sample->sequence, 49 + index);
        ck_assert_uint_eq(sample->flags, 0);
    }
    const struct sample *first = inertial_at(&collected, 0);
    ck_assert_double_eq_tol((double)first->values[0], -16 * 1080.0 / 17569.0, 1e-6);
    ck_assert_double_eq_tol((double)first->values[4], 8040 / 8192.0, 1e-6);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    const struct sample *battery = &collected.samples[1];
    ck_assert_uint_eq(battery->stream, collected_stream(&collected, "battery"));
    check_float_eq(battery->values[0], 100.0F);
    check_float_eq(battery->values[1], 2.0F);
    collected_free(&collected);
}

END_TEST

/* Seen of another clone: the counter stands still, steps of 1870 and now and then 3740
 * ticks. */
START_TEST(clone_that_does_not_count_has_no_false_gaps)
{
    const struct kind *kind = &KINDS[1];
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t report[REPORT_SIZE];
    uint64_t ticks = 1268;
    for (unsigned index = 0; index < 200; index++) {
        report_make(kind, 0, ticks, report);
        collected_feed(&collected, report, sizeof report, 0);
        ticks += index % 7 == 6 ? 3740 : 1870;
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 200);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    /* A longer silence is a gap; the next reports confirm it. */
    ticks += 10 * (uint64_t)1870;
    for (unsigned index = 0; index < 3; index++) {
        report_make(kind, 0, ticks, report);
        collected_feed(&collected, report, sizeof report, 0);
        ticks += 1870;
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 203);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    /* Mean step 2137 ticks: 87.7 Hz. */
    double rate_hz = driver_rate_hz(collected.device.driver, &collected.device.context);
    ck_assert_double_eq(rate_hz, 88.0);
    collected_free(&collected);
}

END_TEST

/* ---- clock and counter ---- */

START_TEST(clock_wraps_are_followed)
{
    const struct kind *kind = &KINDS[_i];
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t report[REPORT_SIZE];
    /* 0.1 s before 32 and 16 bits are over: for the second kind also 5 wraps more. */
    const uint64_t start = 0xFFFFFFFFu - 25 * kind->step_ticks;
    const uint64_t count = 500;
    for (uint64_t index = 0; index < count; index++) {
        report_make(kind, index, start + index * kind->step_ticks, report);
        collected_feed(&collected, report, sizeof report, 0);
    }
    ck_assert_uint_eq(collected_count(&collected, 0), count);
    uint64_t first_ticks = inertial_at(&collected, 0)->device_ticks;
    for (uint64_t index = 0; index < count; index++) {
        const struct sample *sample = inertial_at(&collected, index);
        ck_assert_uint_eq(sample->device_ticks, first_ticks + index * kind->step_ticks);
        ck_assert_uint_eq(sample->sequence, index);
    }
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    ck_assert_double_eq(driver_rate_hz(collected.device.driver, &collected.device.context),
                        250.0);
    collected_free(&collected);
}

END_TEST

START_TEST(clock_at_the_last_tick_wraps)
{
    struct collected collected;
    collected_init(&collected, "sony-dualsense", NULL);
    uint8_t report[REPORT_SIZE];
    for (uint64_t index = 0; index < 3; index++) {
        report_make(&KINDS[0], 255 + index, 0xFFFFFFFFu + index * 12000, report);
        collected_feed(&collected, report, sizeof report, 0);
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 3);
    ck_assert_uint_eq(inertial_at(&collected, 2)->device_ticks, 0xFFFFFFFFu + 24000ull);
    ck_assert_uint_eq(inertial_at(&collected, 2)->sequence, 257);
    collected_free(&collected);
}

END_TEST

/* Silences of 2 .. 250 reports: the loss is exact, and no wrap of the short clock is
 * missed: its counter tells how many passed. */
START_TEST(lost_reports_are_counted_exactly)
{
    const struct kind *kind = &KINDS[_i];
    for (size_t lost = 1; lost < 250; lost++) {
        size_t count = 100 + lost + 100;
        uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, count);
        struct collected collected;
        collected_init(&collected, kind->driver, NULL);
        collected_feed(&collected, bytes, (size_t)100 * REPORT_SIZE, 0);
        collected_feed(&collected, bytes + (100 + lost) * REPORT_SIZE,
                       (size_t)100 * REPORT_SIZE, 0);
        ck_assert_uint_eq(collected_count(&collected, 0), 200);
        ck_assert_uint_eq(collected.device.counters.gap_count, 1);
        ck_assert_uint_eq(collected.device.counters.lost_count, lost);
        const struct sample *after = inertial_at(&collected, 100);
        ck_assert_uint_eq(after->flags & SAMPLE_GAP_BEFORE, SAMPLE_GAP_BEFORE);
        ck_assert_uint_eq(after->device_ticks - inertial_at(&collected, 0)->device_ticks,
                          (100 + lost) * kind->step_ticks);
        collected_free(&collected);
        free(bytes);
    }
}

END_TEST

/* 10 s of silence: the long clock tells the loss, the short one only that there was one. */
START_TEST(long_silence_is_a_gap)
{
    const struct kind *kind = &KINDS[_i];
    const size_t lost = 2500;
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, 200 + lost);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, (size_t)100 * REPORT_SIZE, 0);
    collected_feed(&collected, bytes + (100 + lost) * REPORT_SIZE,
                   (size_t)100 * REPORT_SIZE, 0);
    ck_assert_uint_ge(collected_count(&collected, 0), 199);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    ck_assert_uint_ge(collected.device.counters.lost_count, 1);
    if (kind == &KINDS[0]) {
        ck_assert_uint_eq(inertial_at(&collected, 198)->device_ticks
                              - inertial_at(&collected, 0)->device_ticks,
                          (199 + lost) * kind->step_ticks);
    }
    collected_free(&collected);
    free(bytes);
}

END_TEST

/* The wraps of the short clock in a silence cannot be counted: the clock is said to begin
 * anew, whether or not some count of them fits. Below one wrap (87 reports) it goes on. */
START_TEST(silence_of_unknown_length_is_flagged)
{
    static const size_t losses[] = {20, 60, 300, 1250, 2000, 3000};
    const struct kind *kind = &KINDS[_i];
    for (unsigned i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        size_t lost = losses[i];
        uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, 200 + lost);
        struct collected collected;
        collected_init(&collected, kind->driver, NULL);
        collected_feed(&collected, bytes, (size_t)100 * REPORT_SIZE, 0);
        size_t before = collected_count(&collected, 0);
        collected_feed(&collected, bytes + (100 + lost) * REPORT_SIZE,
                       (size_t)100 * REPORT_SIZE, 0);
        unsigned flags = inertial_at(&collected, before)->flags;
        bool is_unknown = kind == &KINDS[1] && lost > 87;
        ck_assert_uint_ne(flags & SAMPLE_GAP_BEFORE, 0);
        ck_assert_int_eq((flags & SAMPLE_CLOCK_RESTARTED) != 0, is_unknown);
        ck_assert_uint_eq(inertial_at(&collected, before + 1)->flags
                              & (SAMPLE_GAP_BEFORE | SAMPLE_CLOCK_RESTARTED),
                          0);
        collected_free(&collected);
        free(bytes);
    }
}

END_TEST

START_TEST(controller_switched_off_and_on_restarts)
{
    const struct kind *kind = &KINDS[0];
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t report[REPORT_SIZE];
    for (unsigned run = 0; run < 2; run++) {
        uint64_t start = run == 0 ? 900000000 : 5000;
        for (uint64_t index = 0; index < 50; index++) {
            report_make(kind, index, start + index * kind->step_ticks, report);
            collected_feed(&collected, report, sizeof report, 0);
        }
    }
    ck_assert_uint_eq(collected.device.counters.restart_count, 1);
    /* The first after a restart is not believed before the second. */
    ck_assert_uint_ge(collected_count(&collected, 0), 99);
    collected_free(&collected);
}

END_TEST

START_TEST(replug_begins_anew)
{
    const struct kind *kind = &KINDS[_i];
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, 100);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, 50 * REPORT_SIZE - 10, 0);
    device_interrupt(&collected.device);
    collected_feed(&collected, bytes + (size_t)70 * REPORT_SIZE, 30 * REPORT_SIZE, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 79);
    ck_assert_uint_eq(collected.device.counters.skipped_size, REPORT_SIZE - 10);
    collected_free(&collected);
    free(bytes);
}

END_TEST

/* ---- flags and side streams ---- */

START_TEST(rails_are_flagged)
{
    const struct kind *kind = &KINDS[_i];
    static const unsigned rails[] = {0x7FFF, 0x8000, 0x8001};
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t report[REPORT_SIZE];
    report_make(kind, 0, 0, report);
    collected_feed(&collected, report, sizeof report, 0);
    for (unsigned index = 0; index < 3 * 6; index++) {
        report_make(kind, index + 1, (index + 1) * kind->step_ticks, report);
        put_u16(report + kind->gyro + (size_t)2 * (index / 3), rails[index % 3]);
        collected_feed(&collected, report, sizeof report, 0);
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 19);
    ck_assert_uint_eq(inertial_at(&collected, 0)->flags & SAMPLE_CLIPPED, 0);
    for (size_t index = 1; index < 19; index++) {
        ck_assert_uint_eq(inertial_at(&collected, index)->flags & SAMPLE_CLIPPED,
                          SAMPLE_CLIPPED);
    }
    collected_free(&collected);
}

END_TEST

struct status_case {
    unsigned kind;
    uint8_t status;
    float percent;
    float charge;
    bool is_low;
};

static const struct status_case STATUS_CASES[] = {
    {0, 0x05, 50, 0, false}, {0, 0x01, 10, 0, true},   {0, 0x00, 0, 0, true},
    {0, 0x11, 10, 1, false}, {0, 0x2A, 100, 2, false}, {0, 0xA3, 30, 3, false},
    {0, 0xF3, 30, 3, false}, {1, 0x08, 80, 0, false},  {1, 0x01, 10, 0, true},
    {1, 0x11, 10, 1, false}, {1, 0x1B, 100, 2, false}, {1, 0x1F, 100, 3, false},
};

START_TEST(battery_status_is_told)
{
    const struct status_case *status = &STATUS_CASES[_i];
    const struct kind *kind = &KINDS[status->kind];
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t report[REPORT_SIZE];
    for (unsigned index = 0; index < 3; index++) {
        report_make(kind, index, index * kind->step_ticks, report);
        report[kind->status] = status->status;
        collected_feed(&collected, report, sizeof report, 0);
    }
    ck_assert_uint_eq(collected_count(&collected, 1), 1);
    const struct sample *sample = &collected.samples[1];
    check_float_eq(sample->values[0], status->percent);
    check_float_eq(sample->values[1], status->charge);
    bool is_low = sample->flags & SAMPLE_LOW_BATTERY;
    ck_assert_int_eq(is_low, status->is_low);
    is_low = inertial_at(&collected, 2)->flags & SAMPLE_LOW_BATTERY;
    ck_assert_int_eq(is_low, status->is_low);
    collected_free(&collected);
}

END_TEST

START_TEST(cross_button_marks_on_change)
{
    const struct kind *kind = &KINDS[_i];
    static const bool is_pressed[] = {false, false, true, true, false, true};
    static const float expected[] = {1, 0, 1};
    static const uint64_t at[] = {2, 4, 5};
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    for (size_t index = 0; index < 6; index++) {
        struct device_reading reading = reading_make(index);
        reading.is_pressed = is_pressed[index];
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        size_t size = model.type->sample(&model, index * 4000, &reading, bytes);
        collected_feed(&collected, bytes, size, 0);
    }
    unsigned stream = collected_stream(&collected, "button");
    ck_assert_uint_eq(collected_count(&collected, stream), 3);
    uint64_t first_ticks = inertial_at(&collected, 0)->device_ticks;
    size_t found = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream == stream) {
            check_float_eq(sample->values[0], expected[found]);
            ck_assert_uint_eq(sample->device_ticks - first_ticks,
                              at[found] * kind->step_ticks);
            found++;
        }
    }
    unsigned count = 0;
    ck_assert_int_eq(device_streams(&collected.device, &count)[stream].kind, STREAM_MARKER);
    collected_free(&collected);
}

END_TEST

START_TEST(temperature_is_told_on_change)
{
    struct collected collected;
    collected_init(&collected, "sony-dualshock4", NULL);
    uint8_t report[REPORT_SIZE];
    static const uint8_t counts[] = {0, 18, 18, 19};
    for (unsigned index = 0; index < 4; index++) {
        report_make(&KINDS[1], index, index * (uint64_t)750, report);
        report[12] = counts[index];
        collected_feed(&collected, report, sizeof report, 0);
    }
    ck_assert_uint_eq(
        collected_count(&collected, collected_stream(&collected, "temperature")), 2);
    collected_free(&collected);
}

END_TEST

/* ---- the model and the driver understand each other ---- */

START_TEST(model_to_driver_round_trip)
{
    const struct kind *kind = &KINDS[_i / 3];
    const uint32_t serial = GENUINE_SERIAL + (uint32_t)(_i % 3);
    /* Half a count: 1080 / 17600 deg/s and 2 / 15500 g a count; the whole-number bias
     * halves (the factory formula divides whole numbers) add half a count of g. */
    const double gyro_tolerance = 0.5 * 1080.0 / 17580.0 + 1e-5;
    const double accel_tolerance = 1.0 * 2.0 / 15500.0;
    struct device_model model = model_make(kind, serial);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    collected_feed(&collected, bytes, calibration_ask(kind, &model, bytes), 0);
    double worst_nominal_g = 0.0;
    for (size_t index = 0; index < 2000; index++) {
        struct device_reading reading = reading_make(index);
        size_t size = model.type->sample(&model, index * 4000, &reading, bytes);
        size_t count = collected.count;
        collected_feed(&collected, bytes, size, 0);
        ck_assert_uint_gt(collected.count, count);
        const struct sample *sample = &collected.samples[count];
        ck_assert_uint_eq(sample->stream, 0);
        ck_assert_uint_eq(sample->flags, 0);
        for (size_t axis = 0; axis < 3; axis++) {
            ck_assert_double_eq_tol((double)sample->values[axis], reading.gyro_deg_s[axis],
                                    gyro_tolerance);
            ck_assert_double_eq_tol((double)sample->values[3 + axis], reading.accel_g[axis],
                                    accel_tolerance);
            double nominal_g = framing_i16(bytes + kind->accel + 2 * axis) * 4.0 / 32767.0;
            worst_nominal_g =
                fmax(worst_nominal_g, fabs(nominal_g - reading.accel_g[axis]));
        }
    }
    /* Without its calibration it would not have agreed. */
    ck_assert_double_gt(worst_nominal_g, 10.0 * accel_tolerance);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(model_saturates)
{
    const struct kind *kind = &KINDS[_i];
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    struct device_reading reading = {.gyro_deg_s = {3000, -3000, NAN},
                                     .accel_g = {9, -9, 1}};
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    ck_assert_uint_eq(model.type->sample(&model, 0, &reading, bytes), REPORT_SIZE);
    ck_assert_int_eq(framing_i16(bytes + kind->gyro), INT16_MAX);
    ck_assert_int_eq(framing_i16(bytes + kind->gyro + 2), INT16_MIN);
    ck_assert_int_eq(framing_i16(bytes + kind->accel), INT16_MAX);
    ck_assert_int_eq(framing_i16(bytes + kind->accel + 2), INT16_MIN);
}

END_TEST

START_TEST(descriptors_are_whole)
{
    const struct device_model_usb *usb = device_model_find(KINDS[_i].driver)->usb;
    const uint8_t *bytes = usb->descriptors;
    size_t offset = 0;
    unsigned interface_count = 0;
    unsigned endpoints_left = 0;
    bool is_hid = false;
    bool has_sample_endpoint = false;
    while (offset < usb->descriptors_size) {
        const uint8_t *next = bytes + offset;
        ck_assert_uint_ge(next[0], 2);
        if (next[1] == 4) {
            ck_assert_uint_eq(endpoints_left, 0);
            interface_count += next[3] == 0;
            endpoints_left = next[4];
            is_hid = next[5] == 3;
            ck_assert(!is_hid || next[2] == KINDS[_i].interface);
        } else if (next[1] == 5) {
            endpoints_left--;
            if (is_hid && next[2] == usb->sample_endpoint) {
                ck_assert_uint_eq(next[3], 3);
                ck_assert_uint_eq(framing_u16(next + 4), REPORT_SIZE);
                has_sample_endpoint = true;
            }
        }
        offset += next[0];
    }
    ck_assert_uint_eq(offset, usb->descriptors_size);
    ck_assert_uint_eq(bytes[0] + (size_t)framing_u16(bytes + 20), usb->descriptors_size);
    ck_assert_uint_eq(bytes[18 + 4], interface_count);
    ck_assert(has_sample_endpoint);
    const struct driver *driver = driver_find(KINDS[_i].driver);
    ck_assert_uint_eq(framing_u16(bytes + 8), driver->usb_ids[0].vendor_id);
    ck_assert_uint_eq(framing_u16(bytes + 10), driver->usb_ids[0].product_id);
}

END_TEST

/* ---- requests ---- */

START_TEST(dialogue_asks_calibration_then_firmware)
{
    const struct kind *kind = &KINDS[_i];
    const uint8_t wanted[2][8] = {
        {0xA1, 0x01, kind->calibration_id, 0x03, 0, 0, kind->calibration_size, 0},
        {0xA1, 0x01, kind->firmware_id, 0x03, 0, 0, kind->firmware_size, 0}};
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    const struct driver *driver = collected.device.driver;
    struct driver_context *context = &collected.device.context;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    for (unsigned step = 0; step < 2; step++) {
        uint8_t request[DRIVER_COMMAND_MAX];
        ck_assert_uint_eq(driver->command_next(context, 0, request), 8);
        ck_assert_mem_eq(request, wanted[step], 8);
        ck_assert_uint_eq(driver->command_next(context, 1000000, request), 0);
        int size = model_ask(kind, &model, request, bytes);
        ck_assert_int_eq(size, request[6]);
        collected_feed(&collected, bytes, (size_t)size, 0);
    }
    ck_assert_uint_eq(driver->command_next(context, 10 * NS_PER_S, bytes), 0);
    ck_assert_ptr_nonnull(strstr(driver->identity_get(context), "firmware of Mar  7 2023"));
    unsigned notice_count = 0;
    driver->notice_get(context, &notice_count);
    ck_assert_uint_eq(notice_count, 0);
    ck_assert_uint_eq(driver->question_size, 8);
    ck_assert_mem_eq(driver->question, wanted[1], 8);
    ck_assert(!driver->command_stop);
    collected_free(&collected);
}

END_TEST

START_TEST(refused_calibration_is_asked_three_times)
{
    const struct kind *kind = &KINDS[_i];
    struct device_model model = model_make(kind, CLONE_SERIAL);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    const struct driver *driver = collected.device.driver;
    struct driver_context *context = &collected.device.context;
    uint8_t request[DRIVER_COMMAND_MAX];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    unsigned count[256] = {0};
    for (size_t index = 0; index < 2500; index++) {
        int64_t now_ns = (int64_t)index * 4000000;
        if (driver->command_next(context, now_ns, request) > 0) {
            count[request[2]]++;
            ck_assert_int_eq(model_ask(kind, &model, request, bytes), -1);
        }
        struct device_reading reading = reading_make(index);
        size_t size = model.type->sample(&model, index * 4000, &reading, bytes);
        collected_feed(&collected, bytes, size, 0);
        unsigned notice_count = 0;
        driver->notice_get(context, &notice_count);
        ck_assert_uint_eq(notice_count, now_ns >= 3 * NS_PER_S);
    }
    ck_assert_uint_eq(count[kind->calibration_id], 3);
    ck_assert_uint_eq(count[kind->firmware_id], 2);
    unsigned notice_count = 0;
    ck_assert_str_eq(driver->notice_get(context, &notice_count),
                     "no factory calibration: angles are of less quality");
    ck_assert_str_eq(driver->identity_get(context), "");
    ck_assert_uint_eq(collected_count(&collected, 0), 2500);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    const struct sample *last = inertial_at(&collected, 2499);
    struct device_reading reading = reading_make(2499);
    ck_assert_uint_eq(last->flags, SAMPLE_UNCALIBRATED);
    /* Nominal scales on nominal hardware: half a count. */
    ck_assert_double_eq_tol((double)last->values[0], reading.gyro_deg_s[0], 0.032);
    ck_assert_double_eq_tol((double)last->values[4], reading.accel_g[1], 6.2e-5);
    collected_free(&collected);
}

END_TEST

START_TEST(model_refuses_what_it_does_not_know)
{
    const struct kind *kind = &KINDS[_i];
    const uint8_t good[8] = {
        0xA1, 0x01, kind->calibration_id, 0x03, kind->interface, 0, kind->calibration_size};
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    static const size_t bytes_that_matter[] = {0, 1, 2, 3, 4};
    for (size_t index = 0; index < 5; index++) {
        uint8_t setup[8];
        memcpy(setup, good, sizeof setup);
        setup[bytes_that_matter[index]] ^= 0x08;
        ck_assert_int_eq(model.type->usb->control(&model, 0, setup, NULL, reply), -1);
    }
    uint8_t brief[8];
    memcpy(brief, good, sizeof brief);
    brief[6] = 4;
    ck_assert_int_eq(model.type->usb->control(&model, 0, brief, NULL, reply), 4);
}

END_TEST

START_TEST(empty_calibration_is_nominal)
{
    const struct kind *kind = &KINDS[_i];
    uint8_t bytes[REPORT_SIZE] = {kind->calibration_id};
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, kind->calibration_size, 0);
    report_make(kind, 1, 1000, bytes);
    collected_feed(&collected, bytes, REPORT_SIZE, 0);
    const struct sample *sample = inertial_at(&collected, 0);
    ck_assert_uint_eq(sample->flags, SAMPLE_UNCALIBRATED);
    ck_assert_double_eq_tol((double)sample->values[4],
                            framing_i16(bytes + kind->accel + 2) * 4.0 / 32767.0, 1e-6);
    unsigned notice_count = 0;
    collected.device.driver->notice_get(&collected.device.context, &notice_count);
    ck_assert_uint_eq(notice_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(calibration_without_a_range_has_no_bias)
{
    const struct kind *kind = &KINDS[_i];
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    size_t size = calibration_ask(kind, &model, bytes);
    put_u16(bytes + 23, 100); /* accelerometer x: +1 g and -1 g read the same */
    put_u16(bytes + 25, 100);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, size, 0);
    report_make(kind, 1, 1000, bytes);
    collected_feed(&collected, bytes, REPORT_SIZE, 0);
    /* Nominal scale, no bias; tolerance: the rounding of a float. */
    ck_assert_double_eq_tol((double)inertial_at(&collected, 0)->values[3],
                            framing_i16(bytes + kind->accel) * 4.0 / 32767.0, 1e-6);
    collected_free(&collected);
}

END_TEST

START_TEST(wrong_calibration_is_not_taken)
{
    const struct kind *kind = &KINDS[_i];
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    size_t size = calibration_ask(kind, &model, bytes);
    put_u16(bytes + 23, 100); /* accelerometer x: +1 g and -1 g read almost the same */
    put_u16(bytes + 25, 0);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, size, 0);
    report_make(kind, 1, 1000, bytes);
    collected_feed(&collected, bytes, REPORT_SIZE, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 1);
    ck_assert_uint_eq(inertial_at(&collected, 0)->flags, SAMPLE_UNCALIBRATED);
    ck_assert_uint_eq(collected.device.counters.skipped_size, size);
    collected_free(&collected);
}

END_TEST

START_TEST(asked_rate_that_it_does_not_have_is_told)
{
    const struct kind *kind = &KINDS[_i];
    const struct driver_settings settings = {.rate_hz = 100.0};
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, 100);
    struct collected collected;
    collected_init(&collected, kind->driver, &settings);
    collected_feed(&collected, bytes, (size_t)100 * REPORT_SIZE, 0);
    unsigned notice_count = 0;
    ck_assert_str_eq(
        collected.device.driver->notice_get(&collected.device.context, &notice_count),
        "asked for 100 Hz; the controller always sends 250 Hz");
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_double_eq(collected.device.rate_hz, 250.0);
    collected_free(&collected);
    free(bytes);
}

END_TEST

/* ---- finding reports ---- */

START_TEST(report_is_given_with_its_last_byte)
{
    const struct kind *kind = &KINDS[_i];
    const size_t count = 300;
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, count);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    for (size_t index = 0; index < count; index++) {
        collected_feed(&collected, bytes + index * REPORT_SIZE, REPORT_SIZE - 1, 0);
        ck_assert_uint_eq(collected_count(&collected, 0), index);
        collected_feed(&collected, bytes + index * REPORT_SIZE + REPORT_SIZE - 1, 1, 0);
        ck_assert_uint_eq(collected_count(&collected, 0), index + 1);
    }
    collected_free(&collected);
    free(bytes);
}

END_TEST

START_TEST(replies_may_stand_anywhere_between)
{
    const struct kind *kind = &KINDS[_i];
    const size_t count = 40;
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, count);
    struct device_model model = model_make(kind, GENUINE_SERIAL);
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = calibration_ask(kind, &model, reply);
    const uint8_t request[8] = {0xA1, 0x01, kind->firmware_id,   0x03,
                                0,    0,    kind->firmware_size, 0};
    reply_size += (size_t)model_ask(kind, &model, request, reply + reply_size);
    for (size_t place = 0; place < count; place++) {
        struct collected collected;
        collected_init(&collected, kind->driver, NULL);
        collected_feed(&collected, bytes, place * REPORT_SIZE, 0);
        collected_feed(&collected, reply, reply_size, 0);
        collected_feed(&collected, bytes + place * REPORT_SIZE,
                       (count - place) * REPORT_SIZE, 0);
        ck_assert_uint_eq(collected_count(&collected, 0), count);
        ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
        for (size_t index = 0; index < count; index++) {
            ck_assert_uint_eq(inertial_at(&collected, index)->flags,
                              index < place ? SAMPLE_UNCALIBRATED : 0);
        }
        collected_free(&collected);
    }
    free(bytes);
}

END_TEST

/* A recording with damage, and which of its reports are whole. */
struct damaged {
    uint8_t *bytes;
    size_t size;
    bool *is_whole;
    size_t report_count;
};

static struct damaged damaged_make(size_t report_count)
{
    struct damaged damaged = {.bytes = malloc(report_count * 4 * REPORT_SIZE),
                              .is_whole = calloc(report_count, sizeof(bool)),
                              .report_count = report_count};
    ck_assert_ptr_nonnull(damaged.bytes);
    ck_assert_ptr_nonnull(damaged.is_whole);
    return damaged;
}

static void damaged_free(struct damaged *damaged)
{
    free(damaged->bytes);
    free(damaged->is_whole);
}

static void damaged_add(struct damaged *damaged, const void *bytes, size_t size)
{
    memcpy(damaged->bytes + damaged->size, bytes, size);
    damaged->size += size;
}

/* Feed and count the whole reports that were not given, and what was given that is no
 * report of the recording at its time. */
struct verdict {
    size_t missed;
    size_t invented;
    size_t given;
};

static struct verdict damaged_run(const struct kind *kind, const struct damaged *damaged,
                                  const uint8_t *original, size_t chunk_size)
{
    struct collected collected;
    struct verdict verdict = {0};
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, damaged->bytes, damaged->size, chunk_size);
    bool *is_given = calloc(damaged->report_count, sizeof(bool));
    ck_assert_ptr_nonnull(is_given);
    size_t next = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != 0) {
            continue;
        }
        verdict.given++;
        /* Reports are told apart by time and motion as sent. */
        size_t found = damaged->report_count;
        for (size_t report = next; report < damaged->report_count && report < next + 400;
             report++) {
            const uint8_t *bytes = original + report * REPORT_SIZE;
            uint64_t time = kind == &KINDS[0] ? framing_u32(bytes + kind->time)
                                              : framing_u16(bytes + kind->time);
            uint64_t mask = kind == &KINDS[0] ? UINT32_MAX : UINT16_MAX;
            double yaw = framing_i16(bytes + kind->gyro + 2) * 2048.0 / 32767.0;
            double lateral = framing_i16(bytes + kind->accel) * 4.0 / 32767.0;
            if ((sample->device_ticks & mask) == time
                && fabs((double)sample->values[1] - yaw) < 1e-4
                && fabs((double)sample->values[3] - lateral) < 1e-6) {
                found = report;
                break;
            }
        }
        if (found == damaged->report_count) {
            verdict.invented++;
        } else {
            is_given[found] = true;
            next = found + 1;
        }
    }
    for (size_t report = 0; report < damaged->report_count; report++) {
        verdict.missed += damaged->is_whole[report] && !is_given[report];
    }
    free(is_given);
    collected_free(&collected);
    return verdict;
}

enum {
    AROUND = 12, /* reports before and after the damage */
    SPOT_COUNT = 2 * AROUND + 1
};

/* One report of many damaged at each of its bytes; all others must be given.
 * @param cut     Bytes taken out at the place.
 * @param insert  Bytes put in there instead.
 * @return Samples that are of no report. */
static size_t spot_check(const struct kind *kind, const uint8_t *original, size_t place,
                         size_t cut, const uint8_t *insert, size_t insert_size)
{
    struct damaged damaged = damaged_make(SPOT_COUNT);
    const size_t start = (size_t)AROUND * REPORT_SIZE + place;
    damaged_add(&damaged, original, start);
    damaged_add(&damaged, insert, insert_size);
    damaged_add(&damaged, original + start + cut,
                (size_t)SPOT_COUNT * REPORT_SIZE - start - cut);
    for (size_t report = 0; report < SPOT_COUNT; report++) {
        size_t first = report * REPORT_SIZE;
        damaged.is_whole[report] = first + REPORT_SIZE <= start || first >= start + cut;
    }
    struct verdict verdict = damaged_run(kind, &damaged, original, 0);
    ck_assert_msg(verdict.missed == 0, "%s: %zu whole reports missed: at %zu -%zu +%zu",
                  kind->driver, verdict.missed, place, cut, insert_size);
    damaged_free(&damaged);
    return verdict.invented;
}

START_TEST(cut_loses_only_what_was_cut)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    uint8_t *original = recording_make(kind, serial, SPOT_COUNT);
    size_t invented = 0;
    size_t count = 0;
    for (size_t place = 0; place < REPORT_SIZE; place++) {
        for (size_t cut = 1; cut <= 2 * REPORT_SIZE; cut += 1 + cut / 16) {
            invented += spot_check(kind, original, place, cut, original, 0);
            count++;
        }
    }
    /* A report that lost bytes behind its time and motion cannot be told from a good one;
     * what is decoded of it is right. Those cut within may give one wrong sample. */
    ck_assert_uint_lt(invented, count / 5);
    free(original);
}

END_TEST

START_TEST(garbage_hides_no_report)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    uint8_t *original = recording_make(kind, serial, SPOT_COUNT);
    uint64_t random = 99;
    for (size_t place = 0; place < REPORT_SIZE; place++) {
        for (size_t size = 1; size <= 3 * REPORT_SIZE; size += 1 + size / 8) {
            uint8_t garbage[3 * REPORT_SIZE];
            for (size_t i = 0; i < size; i++) {
                garbage[i] = (uint8_t)(random_next(&random) % 3 ? 0x01 : random >> 20);
            }
            spot_check(kind, original, place, 0, garbage, size);
            /* Start bytes only, and parts of other reports. */
            memset(garbage, 0x01, size);
            spot_check(kind, original, place, 0, garbage, size);
            if (size < REPORT_SIZE) {
                spot_check(kind, original, place, 0, original + place, size);
            }
        }
    }
    free(original);
}

END_TEST

START_TEST(flipped_bit_harms_its_report_only)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    uint8_t *original = recording_make(kind, serial, SPOT_COUNT);
    for (size_t place = 0; place < REPORT_SIZE; place++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t byte = original[(size_t)AROUND * REPORT_SIZE + place];
            byte ^= (uint8_t)(1u << bit);
            spot_check(kind, original, place, 1, &byte, 1);
        }
    }
    free(original);
}

END_TEST

/* A file may begin anywhere in a report: all that follow are found. */
START_TEST(cut_start_is_overcome)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    const size_t count = 2000;
    uint8_t *original = recording_make(kind, serial, count);
    size_t invented = 0;
    for (size_t first = 0; first + 100 < count; first += 3) {
        const size_t place = first % REPORT_SIZE;
        struct damaged damaged = damaged_make(100);
        damaged_add(&damaged, original + first * REPORT_SIZE + place,
                    (size_t)100 * REPORT_SIZE - place);
        memset(damaged.is_whole + 1, true, 99);
        struct verdict verdict =
            damaged_run(kind, &damaged, original + first * REPORT_SIZE, 0);
        ck_assert_msg(verdict.missed == 0, "%s: start at %zu of report %zu: %zu missed",
                      kind->driver, place, first, verdict.missed);
        invented += verdict.invented;
        damaged_free(&damaged);
    }
    /* What stands at a false start is rarely believable: fewer than 1 in 20 starts. */
    ck_assert_uint_lt(invented, count / 3 / 20);
    free(original);
}

END_TEST

/* One in a hundred reports damaged in any way: every whole one is found. */
START_TEST(every_whole_report_of_many_is_found)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    const size_t count = 30000;
    uint8_t *original = recording_make(kind, serial, count);
    struct damaged damaged = damaged_make(count);
    uint64_t random = 7;
    size_t hurt = 0;
    for (size_t index = 0; index < count; index++) {
        uint8_t report[REPORT_SIZE];
        memcpy(report, original + index * REPORT_SIZE, REPORT_SIZE);
        uint64_t chance = random_next(&random);
        size_t place = random_next(&random) % REPORT_SIZE;
        damaged.is_whole[index] = chance % 100 != 0;
        hurt += !damaged.is_whole[index];
        if (damaged.is_whole[index]) {
            damaged_add(&damaged, report, REPORT_SIZE);
        } else if (chance / 100 % 3 == 0) {
            report[place] ^= (uint8_t)(1u << chance / 1000 % 8);
            damaged_add(&damaged, report, REPORT_SIZE);
        } else if (chance / 100 % 3 == 1) {
            damaged_add(&damaged, report, place);
        } else {
            damaged_add(&damaged, report, place);
            damaged_add(&damaged, report, REPORT_SIZE - place / 2);
        }
    }
    struct verdict verdict = damaged_run(kind, &damaged, original, 777);
    ck_assert_uint_eq(verdict.missed, 0);
    ck_assert_uint_lt(verdict.invented, hurt);
    ck_assert_uint_ge(verdict.given, count - hurt);
    damaged_free(&damaged);
    free(original);
}

END_TEST

START_TEST(every_chunk_size_gives_the_same)
{
    const struct kind *kind = &KINDS[_i / 2];
    const uint32_t serial = _i % 2 ? CLONE_SERIAL : GENUINE_SERIAL;
    const size_t count = 60;
    uint8_t *original = recording_make(kind, serial, count);
    struct damaged damaged = damaged_make(count);
    /* Whole, with a calibration inside, cut, with garbage, cut start. */
    damaged_add(&damaged, original + 13, 10 * REPORT_SIZE - 13);
    uint8_t reply[REPORT_SIZE];
    size_t size = hex_decode(kind == &KINDS[0] ? DUALSENSE_CALIBRATION : CLONE_CALIBRATION,
                             reply, sizeof reply);
    damaged_add(&damaged, reply, size);
    damaged_add(&damaged, original + (size_t)10 * REPORT_SIZE, 10 * REPORT_SIZE - 5);
    damaged_add(&damaged, original + (size_t)20 * REPORT_SIZE, 10 * REPORT_SIZE);
    damaged_add(&damaged, original + 1, 100);
    damaged_add(&damaged, original + (size_t)35 * REPORT_SIZE, 25 * REPORT_SIZE);
    check_chunk_invariance(kind->driver, NULL, damaged.bytes, damaged.size, damaged.size);
    check_damage_is_survived(kind->driver, NULL, damaged.bytes, damaged.size, 500);
    damaged_free(&damaged);
    free(original);
}

END_TEST

START_TEST(doubled_report_is_given_once)
{
    const struct kind *kind = &KINDS[_i];
    uint8_t *bytes = recording_make(kind, GENUINE_SERIAL, 10);
    struct collected collected;
    collected_init(&collected, kind->driver, NULL);
    collected_feed(&collected, bytes, (size_t)5 * REPORT_SIZE, 0);
    collected_feed(&collected, bytes + (size_t)4 * REPORT_SIZE, (size_t)6 * REPORT_SIZE, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 10);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    collected_free(&collected);
    free(bytes);
}

END_TEST

/* Lines "name hex" of the shared captures. */
START_TEST(capture_decodes)
{
    size_t size = 0;
    char *text = (char *)shared_read("captures/dualsense_usb_reports.hex.txt", &size);
    if (!text) {
        return;
    }
    struct collected collected;
    collected_init(&collected, "sony-dualsense", NULL);
    text[size - 1] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "input ", 6) == 0) {
            collected_feed_hex(&collected, line + 6);
        } else if (strncmp(line, "feature 05", 10) == 0
                   || strncmp(line, "feature 20", 10) == 0) {
            collected_feed_hex(&collected, line + 8);
        }
    }
    ck_assert_uint_eq(collected_count(&collected, 0), 1);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 3);
    collected_free(&collected);
    free(text);
}

END_TEST

static void tests_add_values(TCase *tests)
{
    tcase_add_test(tests, dualsense_vector_before_and_after_calibration);
    tcase_add_loop_test(tests, calibration_vector_is_used_exactly, 0,
                        sizeof CALIBRATIONS / sizeof CALIBRATIONS[0]);
    tcase_add_test(tests, firmware_names_the_controller);
    tcase_add_test(tests, clone_that_counts_by_two_loses_nothing);
    tcase_add_test(tests, clone_that_does_not_count_has_no_false_gaps);
    tcase_add_loop_test(tests, clock_wraps_are_followed, 0, KIND_COUNT);
    tcase_add_test(tests, clock_at_the_last_tick_wraps);
    tcase_add_loop_test(tests, lost_reports_are_counted_exactly, 0, KIND_COUNT);
    tcase_add_loop_test(tests, long_silence_is_a_gap, 0, KIND_COUNT);
    tcase_add_loop_test(tests, silence_of_unknown_length_is_flagged, 0, KIND_COUNT);
    tcase_add_test(tests, controller_switched_off_and_on_restarts);
    tcase_add_loop_test(tests, replug_begins_anew, 0, KIND_COUNT);
    tcase_add_loop_test(tests, rails_are_flagged, 0, KIND_COUNT);
    tcase_add_loop_test(tests, battery_status_is_told, 0,
                        sizeof STATUS_CASES / sizeof STATUS_CASES[0]);
    tcase_add_loop_test(tests, cross_button_marks_on_change, 0, KIND_COUNT);
    tcase_add_test(tests, temperature_is_told_on_change);
    tcase_add_test(tests, capture_decodes);
}

static void tests_add_dialogue(TCase *tests)
{
    tcase_add_loop_test(tests, model_to_driver_round_trip, 0, 3 * KIND_COUNT);
    tcase_add_loop_test(tests, model_saturates, 0, KIND_COUNT);
    tcase_add_loop_test(tests, descriptors_are_whole, 0, KIND_COUNT);
    tcase_add_loop_test(tests, dialogue_asks_calibration_then_firmware, 0, KIND_COUNT);
    tcase_add_loop_test(tests, refused_calibration_is_asked_three_times, 0, KIND_COUNT);
    tcase_add_loop_test(tests, model_refuses_what_it_does_not_know, 0, KIND_COUNT);
    tcase_add_loop_test(tests, empty_calibration_is_nominal, 0, KIND_COUNT);
    tcase_add_loop_test(tests, calibration_without_a_range_has_no_bias, 0, KIND_COUNT);
    tcase_add_loop_test(tests, wrong_calibration_is_not_taken, 0, KIND_COUNT);
    tcase_add_loop_test(tests, asked_rate_that_it_does_not_have_is_told, 0, KIND_COUNT);
}

static void tests_add_damage(TCase *tests)
{
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, report_is_given_with_its_last_byte, 0, KIND_COUNT);
    tcase_add_loop_test(tests, replies_may_stand_anywhere_between, 0, KIND_COUNT);
    tcase_add_loop_test(tests, cut_loses_only_what_was_cut, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, garbage_hides_no_report, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, flipped_bit_harms_its_report_only, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, cut_start_is_overcome, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, every_whole_report_of_many_is_found, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, every_chunk_size_gives_the_same, 0, 2 * KIND_COUNT);
    tcase_add_loop_test(tests, doubled_report_is_given_once, 0, KIND_COUNT);
}

int main(void)
{
    Suite *suite = suite_create("sony_gamepad");
    TCase *values = tcase_create("values");
    TCase *dialogue = tcase_create("dialogue");
    TCase *damage = tcase_create("damage");
    tests_add_values(values);
    tests_add_dialogue(dialogue);
    tests_add_damage(damage);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, dialogue);
    suite_add_tcase(suite, damage);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "acquisition/monitor.h"
#include "base/units.h"
#include "tests/support/tiny_driver.h"

static const int64_t MS = 1000000;

enum {
    RATE_HZ = 100
};

struct world {
    struct device device;
    struct monitor monitor;
    struct monitor_report report;
    uint32_t number;
};

static struct world *world_make(const struct driver *driver,
                                const struct driver_settings *settings)
{
    struct world *world = calloc(1, sizeof *world);
    ck_assert_ptr_nonnull(world);
    ck_assert_int_eq(device_init(&world->device, driver, settings), STATUS_OK);
    monitor_init(&world->monitor, &world->device);
    return world;
}

static struct world *tiny_make(const struct driver *driver)
{
    const struct driver_settings settings = {.rate_hz = RATE_HZ};
    return world_make(driver, &settings);
}

/* A second of samples. The device's clock (ms ticks) runs fast by skew; arrival alternates
 * by +-late_ns, the value by +-spread. */
static void second_feed(struct world *world, double skew, int64_t late_ns, float spread)
{
    for (unsigned i = 0; i < RATE_HZ; i++, world->number++) {
        bool is_odd = world->number % 2 == 1;
        int64_t true_ns = (int64_t)world->number * 10 * MS;
        struct sample sample = {
            .device_ticks = (uint64_t)llround((double)(true_ns / MS) * (1.0 + skew)),
            .sequence = world->number,
            .host_ns = true_ns + (is_odd ? late_ns : -late_ns),
            .channel_count = 1,
            .values = {is_odd ? spread : -spread},
        };
        monitor_update(&world->monitor, &sample);
    }
    monitor_take(&world->monitor, 1.0, &world->report);
}

START_TEST(rate_is_what_came)
{
    struct world *world = tiny_make(&tiny_driver);
    second_feed(world, 0.0, 0, 0.0F);
    ck_assert_double_eq(world->report.rate_hz, RATE_HZ);
    monitor_take(&world->monitor, 0.5, &world->report);
    ck_assert_double_eq(world->report.rate_hz, 0.0);
    ck_assert_double_nan(world->report.jitter_ms);
    free(world);
}

END_TEST

START_TEST(jitter_is_seen_and_skew_is_not)
{
    struct world *world = tiny_make(&tiny_driver);
    second_feed(world, 0.003, 2 * MS, 0.0F);
    /* Rounding of the ticks adds 0.3 ms rms, the two lost degrees of freedom 1 %. */
    ck_assert_double_eq_tol(world->report.jitter_ms, 2.0, 0.1);
    second_feed(world, 0.003, 0, 0.0F);
    ck_assert_double_le(world->report.jitter_ms, 0.35);
    free(world);
}

END_TEST

START_TEST(jitter_without_a_device_clock_is_by_the_count)
{
    struct world *world = tiny_make(&tiny_clockless_driver);
    world->device.tick_s = 0.0;
    second_feed(world, 0.0, 3 * MS, 0.0F);
    ck_assert_double_eq_tol(world->report.jitter_ms, 3.0, 0.05);
    free(world);
}

END_TEST

START_TEST(restart_of_the_clock_is_no_jitter)
{
    struct world *world = tiny_make(&tiny_driver);
    for (unsigned i = 0; i < 20; i++) {
        const struct sample sample = {
            .device_ticks = 10 * (i < 10 ? 100000 + i : i),
            .host_ns = (int64_t)i * 10 * MS,
            .flags = i == 10 ? SAMPLE_CLOCK_RESTARTED : 0,
            .channel_count = 1,
        };
        monitor_update(&world->monitor, &sample);
    }
    monitor_take(&world->monitor, 0.2, &world->report);
    ck_assert_double_le(world->report.jitter_ms, 1e-6);
    free(world);
}

END_TEST

START_TEST(noise_is_that_of_the_quietest_period)
{
    struct world *world = tiny_make(&tiny_driver);
    second_feed(world, 0.0, 0, 5.0F);
    ck_assert_double_eq_tol(world->report.analog_noise, 5.0, 0.05); /* n - 1 for n */
    second_feed(world, 0.0, 0, 0.5F);
    second_feed(world, 0.0, 0, 9.0F);
    ck_assert_double_eq_tol(world->report.analog_noise, 0.5, 0.005);
    ck_assert_str_eq(world->report.analog_unit, "deg");
    ck_assert_double_nan(world->report.gyro_noise_deg_s);
    free(world);
}

END_TEST

START_TEST(period_with_a_gap_is_no_rest)
{
    struct world *world = tiny_make(&tiny_driver);
    const struct sample gap = {.flags = SAMPLE_GAP_BEFORE, .channel_count = 1};
    monitor_update(&world->monitor, &gap);
    second_feed(world, 0.0, 0, 0.1F);
    ck_assert_double_nan(world->report.analog_noise);
    free(world);
}

END_TEST

/* Gyroscope +-0.1 deg/s on one axis of three, accelerometer +-3 mg on all. */
static void inertial_feed(struct world *world)
{
    for (unsigned i = 0; i < 1000; i++) {
        float sign = i % 2 == 0 ? 1.0F : -1.0F;
        const struct sample sample = {
            .device_ticks = i * 10000ULL,
            .host_ns = (int64_t)i * 10 * MS,
            .channel_count = 6,
            .values = {0.1F * sign, 1.0F, -2.0F, 0.003F * sign, 0.003F * sign,
                       1.0F + 0.003F * sign},
        };
        monitor_update(&world->monitor, &sample);
    }
    monitor_take(&world->monitor, 10.0, &world->report);
}

START_TEST(inertial_noise_has_its_units)
{
    const struct driver_settings settings = {0};
    struct world *world = world_make(driver_find("xio-ximu3"), &settings);
    inertial_feed(world);
    /* rms over three axes; 1 in 1000 for n - 1, float rounding of 1 g is 6e-5 mg. */
    ck_assert_double_eq_tol(world->report.gyro_noise_deg_s, 0.1 / sqrt(3.0), 1e-4);
    ck_assert_double_eq_tol(world->report.accel_noise_mg, 3.0, 0.01);
    ck_assert_double_nan(world->report.analog_noise);
    ck_assert_ptr_null(world->report.analog_unit);
    free(world);
}

END_TEST

START_TEST(battery_is_the_newest_and_low_is_said)
{
    const struct driver_settings settings = {0};
    struct world *world = world_make(driver_find("xio-ximu3"), &settings);
    unsigned count = 0;
    const struct stream_info *streams = device_streams(&world->device, &count);
    uint8_t battery = 0;
    while (battery < count && streams[battery].kind != STREAM_BATTERY) {
        battery++;
    }
    ck_assert_uint_lt(battery, count);
    monitor_take(&world->monitor, 1.0, &world->report);
    ck_assert_double_nan(world->report.battery_percent);
    struct sample sample = {.stream = battery, .channel_count = 1, .values = {81.0F}};
    monitor_update(&world->monitor, &sample);
    sample.values[0] = 9.0F;
    sample.flags = SAMPLE_LOW_BATTERY;
    monitor_update(&world->monitor, &sample);
    monitor_take(&world->monitor, 1.0, &world->report);
    ck_assert_double_eq(world->report.battery_percent, 9.0);
    ck_assert(world->report.is_low_battery);
    ck_assert_double_eq(world->report.rate_hz, 0.0); /* the main stream gave nothing */
    free(world);
}

END_TEST

START_TEST(losses_are_those_of_the_period)
{
    struct world *world = tiny_make(&tiny_driver);
    world->device.counters =
        (struct device_counters){.lost_count = 7, .bad_count = 2, .skipped_size = 100};
    monitor_take(&world->monitor, 1.0, &world->report);
    ck_assert_uint_eq(world->report.lost_count, 7);
    ck_assert_uint_eq(world->report.bad_count, 2);
    ck_assert_uint_eq(world->report.skipped_size, 100);
    world->device.counters.lost_count = 5; /* two were taken back */
    monitor_take(&world->monitor, 1.0, &world->report);
    ck_assert_uint_eq(world->report.lost_count, 0);
    ck_assert_uint_eq(world->report.skipped_size, 0);
    free(world);
}

END_TEST

static Suite *suite_make(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, rate_is_what_came);
    tcase_add_test(tcase, jitter_is_seen_and_skew_is_not);
    tcase_add_test(tcase, jitter_without_a_device_clock_is_by_the_count);
    tcase_add_test(tcase, restart_of_the_clock_is_no_jitter);
    tcase_add_test(tcase, noise_is_that_of_the_quietest_period);
    tcase_add_test(tcase, period_with_a_gap_is_no_rest);
    tcase_add_test(tcase, inertial_noise_has_its_units);
    tcase_add_test(tcase, battery_is_the_newest_and_low_is_said);
    tcase_add_test(tcase, losses_are_those_of_the_period);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_make());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

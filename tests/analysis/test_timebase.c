#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/timebase.h"

/* Deterministic uniform numbers, 0 .. 1 (Knuth's MMIX constants). */
static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* A sensor with a clock of 1 us ticks: true time, clock error, arrival in bursts. */
struct rig {
    struct timebase timebase;
    double start_s;
    double clock_rate; /* device seconds per true second */
    double burst_s;    /* arrivals only at multiples of this */
    double latency_s;
    uint64_t random;
};

static struct rig rig_make(double clock_error, double burst_s)
{
    struct rig rig = {.start_s = 3.0,
                      .clock_rate = 1.0 + clock_error,
                      .burst_s = burst_s,
                      .latency_s = 0.001,
                      .random = 7};
    struct timebase_settings settings = timebase_default_settings;
    settings.tick_s = 1e-6;
    timebase_init(&rig.timebase, &settings);
    return rig;
}

/* Arrival of a sample taken at true_s: next burst, and up to 2 ms of jitter. */
static double arrival_s(struct rig *rig, double true_s)
{
    double ready_s = true_s + rig->latency_s + 0.002 * uniform(&rig->random);
    return rig->burst_s > 0.0 ? ceil(ready_s / rig->burst_s) * rig->burst_s : ready_s;
}

static double feed(struct rig *rig, double true_s, double *arrived_s)
{
    *arrived_s = arrival_s(rig, true_s);
    uint64_t ticks = 5000000 + (uint64_t)((true_s - rig->start_s) * rig->clock_rate * 1e6);
    return timebase_update(&rig->timebase, ticks, (int64_t)(*arrived_s * 1e9));
}

/* Bursts of 16 ms and clock errors of 0.5 %: after 5 s within 4 ms of the truth (a quarter
 * of a burst and the latency), monotone, and never after the arrival. */
START_TEST(test_bursts_and_skew)
{
    const double errors[] = {-0.005, -0.003, 0.0, 0.003, 0.005};
    for (unsigned i = 0; i < 5; i++) {
        struct rig rig = rig_make(errors[i], 0.016);
        double last_s = 0.0;
        for (unsigned k = 0; k < 60 * 100; k++) {
            double true_s = rig.start_s + k * 0.01;
            double arrived_s;
            double time_s = feed(&rig, true_s, &arrived_s);
            ck_assert_double_ge(time_s, last_s);
            ck_assert_double_le(time_s, arrived_s + 1e-9);
            if (k > 500) {
                ck_assert_double_lt(fabs(time_s - true_s), k > 1500 ? 0.004 : 0.006);
            }
            last_s = time_s;
        }
    }
}

END_TEST

/* Two sensors with opposite clock errors and different bursts see one movement. */
START_TEST(test_two_sensors_agree)
{
    struct rig a = rig_make(0.004, 0.016);
    struct rig b = rig_make(-0.004, 0.0);
    b.random = 99;
    for (unsigned k = 0; k < 3000; k++) {
        double true_s = a.start_s + k * 0.01;
        double arrived_s;
        double difference_s = feed(&a, true_s, &arrived_s) - feed(&b, true_s, &arrived_s);
        if (k > 500) {
            ck_assert_double_lt(fabs(difference_s), 0.005);
        }
    }
    double offset_s;
    double skew;
    timebase_get(&a.timebase, &offset_s, &skew);
    /* True skew is -0.4 %; 30 s of 16 ms bursts leave 4 ms in 30 s. */
    ck_assert_double_eq_tol(skew, -0.004, 0.00015);
}

END_TEST

/* A file: stamps equal to the device's own time, or one stamp for a whole chunk. */
START_TEST(test_recorded_stamps)
{
    struct rig rig = rig_make(0.0, 0.0);
    for (unsigned k = 0; k < 1000; k++) {
        double time_s = timebase_update(&rig.timebase, k * 10000u, (int64_t)k * 10000000);
        ck_assert_double_eq_tol(time_s, k * 0.01, 1e-6);
    }
    /* Chunks of 40 samples, stamped with the time of their last. */
    timebase_reset(&rig.timebase);
    for (unsigned k = 0; k < 1000; k++) {
        unsigned last = k / 40 * 40 + 39;
        double time_s =
            timebase_update(&rig.timebase, k * 10000u, (int64_t)last * 10000000);
        if (k >= 80) {
            ck_assert_double_eq_tol(time_s, k * 0.01, 0.001);
        }
    }
}

END_TEST

/* Steps of the even clock are those of the device, whatever the arrival does. */
START_TEST(test_even_steps)
{
    struct rig rig = rig_make(0.003, 0.016);
    double last_s = 0.0;
    for (unsigned k = 0; k < 2000; k++) {
        double arrived_s;
        feed(&rig, rig.start_s + k * 0.01, &arrived_s);
        double even_s = timebase_even_s(&rig.timebase);
        if (k > 0) {
            /* 0.3 % of clock error and at most 1 % of believed skew. */
            ck_assert_double_eq_tol(even_s - last_s, 0.01, 0.00014);
        }
        last_s = even_s;
    }
}

END_TEST

/* No clock: 97 Hz told as 100, bursts of 16 ms; even spacing, close behind the arrivals. */
START_TEST(test_without_clock)
{
    struct timebase timebase;
    struct timebase_settings settings = timebase_default_settings;
    timebase_init(&timebase, &settings);
    double last_s = 0.0;
    for (unsigned k = 0; k < 3000; k++) {
        double true_s = 1.0 + k / 97.0;
        double arrived_s = ceil(true_s / 0.016) * 0.016;
        double time_s = timebase_update(&timebase, 0, (int64_t)(arrived_s * 1e9));
        ck_assert_double_ge(time_s, last_s);
        ck_assert_double_le(time_s, arrived_s + 1e-9);
        if (k > 1000) {
            ck_assert_double_lt(fabs(time_s - true_s), 0.006);
            ck_assert_double_lt(fabs(time_s - last_s - 1.0 / 97.0), 0.001);
        }
        last_s = time_s;
    }
}

END_TEST

/* Samples that never came show as a gap of a device without a clock. */
START_TEST(test_gap_without_clock)
{
    struct timebase timebase;
    timebase_init(&timebase, &timebase_default_settings);
    double time_s = 0.0;
    for (unsigned k = 0; k < 600; k++) {
        double host_s = k * 0.01 + (k < 300 ? 0.0 : 2.0);
        time_s = timebase_update(&timebase, 0, (int64_t)(host_s * 1e9));
    }
    ck_assert_double_eq_tol(time_s, 7.99, 0.02);
}

END_TEST

/* Without a clock a frozen host looks like a loss until the samples come after all. */
START_TEST(test_frozen_host_without_clock)
{
    struct timebase timebase;
    timebase_init(&timebase, &timebase_default_settings);
    for (unsigned k = 0; k < 3000; k++) {
        double true_s = k * 0.01;
        double host_s = true_s > 8.0 && true_s < 11.0 ? 11.0 : true_s;
        double time_s = timebase_update(&timebase, 0, (int64_t)(host_s * 1e9));
        ck_assert_double_le(time_s, host_s + 1e-9);
        if (true_s > 11.5) {
            ck_assert_double_eq_tol(time_s, true_s, 0.02);
        }
    }
}

END_TEST

/* The clock starts again: time goes on from the arrivals, not from the past. */
START_TEST(test_restart)
{
    struct rig rig = rig_make(0.0, 0.0);
    double before_s = 0.0;
    for (unsigned k = 0; k < 500; k++) {
        before_s =
            timebase_update(&rig.timebase, 9000000 + k * 10000u, (int64_t)k * 10000000);
    }
    double after_s = timebase_update(&rig.timebase, 0, 7000000000);
    ck_assert_double_ge(after_s, before_s);
    ck_assert_double_eq_tol(after_s, 7.0, 1e-9);
    after_s = timebase_update(&rig.timebase, 10000, 7010000000);
    ck_assert_double_eq_tol(after_s, 7.01, 1e-9);
}

END_TEST

/* The host was frozen for 3 s and takes all in one burst: nothing is dated to the thaw. */
START_TEST(test_frozen_host)
{
    struct rig rig = rig_make(0.0, 0.0);
    for (unsigned k = 0; k < 1500; k++) {
        double true_s = k * 0.01;
        double host_s = true_s > 8.0 && true_s < 11.0 ? 11.0 : true_s;
        double time_s = timebase_update(&rig.timebase, k * 10000u, (int64_t)(host_s * 1e9));
        ck_assert_double_eq_tol(time_s, true_s, 0.002);
    }
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("timebase");
    TCase *group = tcase_create("timebase");
    tcase_add_test(group, test_bursts_and_skew);
    tcase_add_test(group, test_two_sensors_agree);
    tcase_add_test(group, test_recorded_stamps);
    tcase_add_test(group, test_even_steps);
    tcase_add_test(group, test_without_clock);
    tcase_add_test(group, test_gap_without_clock);
    tcase_add_test(group, test_frozen_host_without_clock);
    tcase_add_test(group, test_restart);
    tcase_add_test(group, test_frozen_host);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

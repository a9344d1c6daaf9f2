#include <check.h>
#include <math.h>
#include <stdbool.h>
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

/* How a line delivers: what came in up to 16 ms is given at once. */
enum delivery {
    DELIVERY_RANDOM_BURSTS, /* 0 to 16 ms apart */
    DELIVERY_LATENCY_TIMER, /* an adapter's timer: every 16 ms, phase unknown */
    DELIVERY_COUNT
};

struct sensor {
    struct timebase timebase;
    enum delivery delivery;
    double rate; /* true samples per second */
    double start_s;
    double burst_s; /* of the last delivery */
    uint64_t random;
};

static void sensor_init(struct sensor *sensor, enum delivery delivery, bool has_clock,
                        uint64_t *random)
{
    struct timebase_settings settings = timebase_default_settings;
    settings.tick_s = has_clock ? 1e-6 : 0.0;
    timebase_init(&sensor->timebase, &settings);
    sensor->delivery = delivery;
    sensor->rate = 100.0 * (1.0 + 0.003 * (2.0 * uniform(random) - 1.0));
    sensor->start_s = 3.0 + 0.01 * uniform(random);
    sensor->burst_s = 2.9 + 0.016 * uniform(random);
    sensor->random = *random;
}

/* @return Session time that is given to sample k, less the truth. */
static double sensor_error_s(struct sensor *sensor, unsigned k)
{
    double true_s = sensor->start_s + k / sensor->rate;
    while (sensor->burst_s < true_s + 0.0005) {
        bool is_random = sensor->delivery == DELIVERY_RANDOM_BURSTS;
        sensor->burst_s += is_random ? 0.016 * uniform(&sensor->random) : 0.016;
    }
    double arrived_s = sensor->burst_s + 0.0002 * uniform(&sensor->random);
    return timebase_update(&sensor->timebase, 10000u * (uint64_t)k,
                           (int64_t)(arrived_s * 1e9))
           - true_s;
}

/* Two sensors with clock errors of up to 0.3 % each see one movement: within 2 ms after 10
 * s, for two minutes, with and without clocks of their own. On a latency timer the least
 * delay of a second says nothing while the sampling hardly moves against the timer: there
 * one sample in 300 may be off by as much as 3 ms (measured: one in 420). */
START_TEST(test_two_sensors_agree)
{
    enum delivery delivery = (enum delivery)(_i % DELIVERY_COUNT);
    bool has_clock = _i >= DELIVERY_COUNT;
    uint64_t random = 11;
    unsigned far_count = 0;
    unsigned count = 0;
    for (unsigned pair = 0; pair < 30; pair++) {
        struct sensor a;
        struct sensor b;
        sensor_init(&a, delivery, has_clock, &random);
        sensor_init(&b, delivery, has_clock, &random);
        for (unsigned k = 0; k < 12000; k++) {
            double difference_s = fabs(sensor_error_s(&a, k) - sensor_error_s(&b, k));
            if (k >= 1000) {
                count++;
                far_count += difference_s > 0.002;
                ck_assert_double_lt(difference_s, 0.003);
            }
        }
    }
    ck_assert_uint_le(far_count, delivery == DELIVERY_LATENCY_TIMER ? count / 300 : 0);
}

END_TEST

/* The true skew is found: 30 s of 16 ms bursts leave 4 ms in 30 s. */
START_TEST(test_skew)
{
    struct rig rig = rig_make(0.004, 0.016);
    double arrived_s;
    for (unsigned k = 0; k < 3000; k++) {
        (void)feed(&rig, rig.start_s + k * 0.01, &arrived_s);
    }
    double offset_s;
    double skew;
    timebase_get(&rig.timebase, &offset_s, &skew);
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
    tcase_add_loop_test(group, test_two_sensors_agree, 0, 2 * DELIVERY_COUNT);
    tcase_add_test(group, test_skew);
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

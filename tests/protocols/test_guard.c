#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "protocols/guard.h"

#define STEP_S (1.0 / POSE_RATE_HZ)

static const struct protocol_guard LIMITS = {30.0, 60.0,  20.0, 40.0,
                                             60.0, 120.0, 0.1,  0.05};

static struct guard guard;
static double time_s;

static void setup(void)
{
    guard_init(&guard, &LIMITS);
    time_s = 0.0;
}

/* One instant; NaN for an axis that has no data. */
static bool give(double sagittal, double frontal, double transverse, double segment)
{
    const struct pose_guard rates = {
        .time_s = time_s,
        .joint_rate_rad_s = {sagittal * RAD_PER_DEG, frontal * RAD_PER_DEG,
                             transverse * RAD_PER_DEG},
        .segment_rate_rad_s = segment * RAD_PER_DEG,
    };
    time_s += STEP_S;
    return guard_update(&guard, &rates);
}

static void give_for(double duration_s, double sagittal)
{
    unsigned count = (unsigned)lround(duration_s / STEP_S);
    for (unsigned index = 0; index < count; index++) {
        give(sagittal, 0.0, 0.0, 0.0);
    }
}

static void give_gap(double duration_s)
{
    unsigned count = (unsigned)lround(duration_s / STEP_S);
    for (unsigned index = 0; index < count; index++) {
        give((double)NAN, (double)NAN, (double)NAN, (double)NAN);
    }
}

/* Clinical reference 2.5: latency of at most 100 ms, for each axis and sign. */
START_TEST(step_of_200_deg_s_stops_within_100_ms)
{
    static const double AXES[][4] = {
        {200, 0, 0, 0}, {-200, 0, 0, 0}, {0, -200, 0, 0}, {0, 0, 200, 0}, {0, 0, 0, 200}};
    static const int AXIS[] = {0, 0, 1, 2, 3};
    const double *rates = AXES[_i];
    give_for(1.0, 0.0);
    double step_s = time_s;
    while (guard.level != GUARD_STOP) {
        give(rates[0], rates[1], rates[2], rates[3]);
        ck_assert_double_le(time_s - step_s, 0.1);
    }
    ck_assert_int_eq(guard.axis, AXIS[_i]);
    ck_assert_double_eq_tol(guard.value_deg_s, 200.0, 1e-9);
}

END_TEST

START_TEST(half_an_hour_of_slow_movement_never_trips)
{
    /* Sinusoid of 45 deg in 6 s, 23.6 deg/s at its fastest: the metronome default of
     * cat-cow. */
    unsigned count = (unsigned)lround(1800.0 / STEP_S);
    for (unsigned index = 0; index < count; index++) {
        double rate = PI_RAD * 45.0 / 6.0 * sin(2.0 * PI_RAD * time_s / 6.0);
        give(rate, rate / 4.0, -rate / 2.0, rate);
        ck_assert_int_eq(guard.level, GUARD_CLEAR);
    }
    ck_assert_uint_eq(guard.caution_count, 0);
}

END_TEST

START_TEST(short_peaks_are_forgiven)
{
    give_for(0.08, 40.0); /* over the caution for less than 100 ms */
    give_for(0.5, 0.0);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
    give_for(0.04, 90.0); /* over the stop for less than 50 ms */
    give_for(0.5, 0.0);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
}

END_TEST

START_TEST(caution_lasts_until_a_calm_second)
{
    give_for(0.12, 40.0);
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
    ck_assert_double_eq_tol(guard.limit_deg_s, 30.0, 1e-9);
    give_for(0.9, 10.0);
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
    give_for(0.2, 10.0);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
    ck_assert_uint_eq(guard.caution_count, 1);
    give_for(0.12, 40.0);
    ck_assert_uint_eq(guard.caution_count, 2);
}

END_TEST

START_TEST(one_long_caution_counts_once)
{
    give_for(5.0, 40.0);
    ck_assert_uint_eq(guard.caution_count, 1);
}

END_TEST

START_TEST(axial_limits_are_stricter)
{
    for (unsigned index = 0; index < 15; index++) {
        give(25.0, 0.0, 0.0, 0.0);
    }
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
    for (unsigned index = 0; index < 15; index++) {
        give(0.0, 0.0, 25.0, 0.0);
    }
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
}

END_TEST

START_TEST(stop_is_latched)
{
    give_for(0.1, 100.0);
    ck_assert_int_eq(guard.level, GUARD_STOP);
    give_for(60.0, 0.0);
    ck_assert_int_eq(guard.level, GUARD_STOP);
    give_gap(1.0);
    ck_assert_int_eq(guard.level, GUARD_STOP);
    guard_reset(&guard);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
    give_for(0.1, 0.0);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
}

END_TEST

START_TEST(gap_never_clears)
{
    give_for(0.12, 40.0);
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
    give_for(0.5, 0.0);
    give_gap(10.0);
    ck_assert_int_eq(guard.level, GUARD_UNKNOWN);
    give_for(0.9, 0.0); /* the half second before the gap does not count */
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
    give_for(0.2, 0.0);
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
}

END_TEST

START_TEST(instants_left_out_are_a_gap_too)
{
    give_for(0.12, 40.0);
    give_for(0.5, 0.0);
    time_s += 5.0;
    give(0.0, 0.0, 0.0, 0.0);
    give_for(0.5, 0.0);
    ck_assert_int_eq(guard.level, GUARD_CAUTION);
}

END_TEST

START_TEST(too_fast_across_a_short_gap_still_stops)
{
    give_for(0.03, 100.0);
    give_gap(0.1);
    give_for(0.02, 100.0);
    ck_assert_int_eq(guard.level, GUARD_STOP);
}

END_TEST

/* A set without one of the axes is watched on the others. */
START_TEST(axis_never_seen_is_no_gap)
{
    for (unsigned index = 0; index < 100; index++) {
        give((double)NAN, (double)NAN, (double)NAN, 10.0);
    }
    ck_assert_int_eq(guard.level, GUARD_CLEAR);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, step_of_200_deg_s_stops_within_100_ms, 0, 5);
    tcase_add_test(tcase, half_an_hour_of_slow_movement_never_trips);
    tcase_add_test(tcase, short_peaks_are_forgiven);
    tcase_add_test(tcase, caution_lasts_until_a_calm_second);
    tcase_add_test(tcase, one_long_caution_counts_once);
    tcase_add_test(tcase, axial_limits_are_stricter);
    tcase_add_test(tcase, stop_is_latched);
    tcase_add_test(tcase, gap_never_clears);
    tcase_add_test(tcase, instants_left_out_are_a_gap_too);
    tcase_add_test(tcase, too_fast_across_a_short_gap_still_stops);
    tcase_add_test(tcase, axis_never_seen_is_no_gap);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/pose.h"
#include "analysis/smoother.h"
#include "base/units.h"

/* Feed one measure; all others stay without data. */
static bool feed(struct smoother *smoother, double angle_rad,
                 struct smoother_result *result)
{
    double angles[MEASURE_COUNT];
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        angles[i] = (double)NAN;
    }
    angles[MEASURE_LUMBAR_FLEXION] = angle_rad;
    return smoother_update(smoother, angles, result);
}

/* A straight line passes unchanged, with its slope; the answer is six instants old. */
START_TEST(test_line)
{
    struct smoother smoother;
    struct smoother_result result;
    smoother_init(&smoother);
    for (int k = 0; k < 60; k++) {
        bool is_out = feed(&smoother, 0.1 + 0.004 * k, &result);
        ck_assert(is_out == (k >= SMOOTHER_REACH));
        if (is_out) {
            double expected = 0.1 + 0.004 * (k - SMOOTHER_REACH);
            ck_assert_double_eq_tol(result.angle_rad[MEASURE_LUMBAR_FLEXION], expected,
                                    1e-12);
            ck_assert_double_eq_tol(result.raw_angle_rad[MEASURE_LUMBAR_FLEXION], expected,
                                    1e-12);
            ck_assert(isnan(result.angle_rad[MEASURE_PELVIS_ROLL]));
        }
        if (k >= 2 * SMOOTHER_REACH) {
            ck_assert_double_eq_tol(result.rate_rad_s[MEASURE_LUMBAR_FLEXION], 0.4, 1e-10);
        }
    }
}

END_TEST

/* Half power at 6 Hz: a gain of 0.71 +- 0.02; nearly all of a movement of 0.5 Hz. */
START_TEST(test_gain)
{
    const double frequencies_hz[] = {0.5, 6.0};
    const double gains[] = {0.998, 0.709};
    struct smoother smoother;
    struct smoother_result result;
    smoother_init(&smoother);
    double peak = 0.0;
    for (int k = 0; k < 1000; k++) {
        double angle = 0.1 * sin(2.0 * PI_RAD * frequencies_hz[_i] * k / POSE_RATE_HZ);
        if (feed(&smoother, angle, &result) && k > 50) {
            peak = fmax(peak, fabs(result.angle_rad[MEASURE_LUMBAR_FLEXION]));
        }
    }
    ck_assert_double_eq_tol(peak / 0.1, gains[_i], 0.02);
}

END_TEST

/* Without data at the centre there is no angle; beside a gap the line goes on without a
 * jump. */
START_TEST(test_gap)
{
    struct smoother smoother;
    struct smoother_result result;
    smoother_init(&smoother);
    for (int k = 0; k < 100; k++) {
        bool is_gap = k >= 40 && k < 60;
        bool is_out = feed(&smoother, is_gap ? (double)NAN : 0.004 * k, &result);
        int centre = k - SMOOTHER_REACH;
        if (is_out && centre >= 40 && centre < 60) {
            ck_assert(isnan(result.angle_rad[MEASURE_LUMBAR_FLEXION]));
        } else if (is_out) {
            ck_assert_double_eq_tol(result.angle_rad[MEASURE_LUMBAR_FLEXION],
                                    0.004 * centre, 1e-12);
            ck_assert_double_eq_tol(result.rate_rad_s[MEASURE_LUMBAR_FLEXION], 0.4, 1e-10);
        }
    }
}

END_TEST

/* Four lone instants are not enough for a line. */
START_TEST(test_too_few)
{
    struct smoother smoother;
    struct smoother_result result;
    smoother_init(&smoother);
    for (int k = 0; k < 40; k++) {
        bool is_out = feed(&smoother, k >= 20 && k < 24 ? 0.5 : (double)NAN, &result);
        ck_assert(!is_out || isnan(result.angle_rad[MEASURE_LUMBAR_FLEXION]));
        ck_assert(!is_out || isnan(result.rate_rad_s[MEASURE_LUMBAR_FLEXION]));
    }
}

END_TEST

/* A turn past 180 deg, given back from -180: no spike of the rate. */
START_TEST(test_turn_past_the_cut)
{
    struct smoother smoother;
    struct smoother_result result;
    smoother_init(&smoother);
    for (int k = 0; k < 60; k++) {
        double angle = remainder(PI_RAD - 0.1 + 0.004 * k, 2.0 * PI_RAD);
        if (feed(&smoother, angle, &result) && k >= 2 * SMOOTHER_REACH) {
            ck_assert_double_eq_tol(result.rate_rad_s[MEASURE_LUMBAR_FLEXION], 0.4, 1e-9);
        }
    }
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("smoother");
    TCase *group = tcase_create("smoother");
    tcase_add_test(group, test_line);
    tcase_add_loop_test(group, test_gain, 0, 2);
    tcase_add_test(group, test_gap);
    tcase_add_test(group, test_too_few);
    tcase_add_test(group, test_turn_past_the_cut);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

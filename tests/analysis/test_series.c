#include <check.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/series.h"
#include "base/units.h"

enum {
    SAMPLE_MAX = 20000,
    BELL_COUNT = 200
};

/* The published test vectors have five decimals. */
#define VECTOR_TOLERANCE 1e-4

/* Sums of some thousand doubles. */
#define ROUNDING_TOLERANCE 1e-9

static double uniform(void)
{
    return 2.0 * (rand() / (double)RAND_MAX) - 1.0;
}

static void bell_fill(double speed[BELL_COUNT])
{
    for (int i = 0; i < BELL_COUNT; i++) {
        const double time_s = -1.0 + 0.01 * i;
        speed[i] = exp(-5.0 * time_s * time_s);
    }
}

START_TEST(range_is_percentiles)
{
    double angles[1001];
    struct series_range range;

    for (int i = 0; i <= 1000; i++) {
        angles[(i * 2) % 1001] = i / 10.0;
    }
    ck_assert_int_eq(series_range_get(angles, 1001, &range), STATUS_OK);
    ck_assert_double_eq_tol(range.peak_rad, 98.0, ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(range.valley_rad, 2.0, ROUNDING_TOLERANCE);
    ck_assert_double_eq(range.peak_raw_rad, 100.0);
    ck_assert_double_eq(range.valley_raw_rad, 0.0);
    ck_assert_double_eq(range.coverage, 1.0);
}

END_TEST

START_TEST(range_leaves_out_what_is_missing)
{
    double angles[100];
    struct series_range range = {.peak_rad = -7.0};

    for (int i = 0; i < 100; i++) {
        angles[i] = i < 91 ? (double)NAN : 1.0;
    }
    ck_assert_int_eq(series_range_get(angles, 100, &range), STATUS_NOT_READY);
    ck_assert_double_eq(range.peak_rad, -7.0);
    angles[0] = INFINITY;
    angles[1] = 1.0;
    ck_assert_int_eq(series_range_get(angles, 100, &range), STATUS_OK);
    ck_assert_double_eq(range.peak_raw_rad, 1.0);
    ck_assert_double_eq_tol(range.coverage, 0.1, ROUNDING_TOLERANCE);
    ck_assert_int_eq(series_range_get(angles, 0, &range), STATUS_NOT_READY);
}

END_TEST

struct hold_signal {
    double times[SAMPLE_MAX];
    double angles[SAMPLE_MAX];
    double rates[SAMPLE_MAX];
    size_t count;
};

/* A line with a sine of amplitude on it, a start at 100 s. */
static struct hold_signal *signal_make(double time_s, double slope, double amplitude,
                                       double hz)
{
    struct hold_signal *signal = calloc(1, sizeof *signal);

    ck_assert_ptr_nonnull(signal);
    signal->count = (size_t)lround(time_s * 100.0);
    for (size_t i = 0; i < signal->count; i++) {
        const double t = 0.01 * (double)i;
        const double phase = 2.0 * PI_RAD * hz * t;
        signal->times[i] = 100.0 + t;
        signal->angles[i] = 0.8 + slope * t + amplitude * sin(phase);
        signal->rates[i] = slope + amplitude * 2.0 * PI_RAD * hz * cos(phase);
    }
    return signal;
}

static struct series_hold hold_of(const struct hold_signal *signal)
{
    struct series_hold hold;

    ck_assert_int_eq(
        series_hold_get(signal->times, signal->angles, signal->rates, signal->count, &hold),
        STATUS_OK);
    return hold;
}

START_TEST(hold_anatomy)
{
    struct hold_signal *signal = signal_make(30.0, 0.0, 0.02, 0.5);
    const struct series_hold hold = hold_of(signal);

    ck_assert_double_eq_tol(hold.mean_rad, 0.8, ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(hold.deviation_rad, 0.02 / sqrt(2.0), 1e-5); /* n - 1 for n */
    /* The least squares line through 15 periods of a sine is not quite flat: 0.3 % of it.
     */
    ck_assert_double_eq_tol(hold.wobble_rad, 0.02 / sqrt(2.0), 1e-4);
    ck_assert_double_eq_tol(hold.stillness_rad_s, 0.02 * PI_RAD / sqrt(2.0),
                            ROUNDING_TOLERANCE);
    ck_assert_double_eq(hold.coverage, 1.0);
    free(signal);
}

END_TEST

START_TEST(slope_of_a_line_with_outliers)
{
    const double slope = 2.0 * RAD_PER_DEG / 60.0;
    struct hold_signal *signal = signal_make(60.0, slope, 0.0, 1.0);

    srand(3);
    for (size_t i = 0; i < signal->count; i++) {
        signal->angles[i] += 0.003 * uniform();
        if (i >= 2000 && i < 2200) {
            signal->angles[i] += 0.3; /* a shift of position for 2 s: not a slope */
        }
        if (i < 250) {
            signal->angles[i] -= 0.5; /* settling within the first 3 s */
        }
    }
    const struct series_hold hold = hold_of(signal);
    /* Standard error of the line: 0.003 / sqrt(3 * 50) per block of 114 over 57 s. */
    ck_assert_double_eq_tol(hold.slope_rad_s, slope, 5e-6);
    ck_assert_double_lt(hold.slope_low_rad_s, slope);
    ck_assert_double_gt(hold.slope_high_rad_s, slope);
    /* The interval keeps some of the outliers' spread: 0.3 rad over 4 of 114 blocks. */
    ck_assert_double_lt(hold.slope_high_rad_s - hold.slope_low_rad_s, 5e-4);
    free(signal);
}

END_TEST

START_TEST(slope_of_exact_lines)
{
    struct hold_signal *signal = signal_make(20.0, 0.001 * _i, 0.0, 1.0);
    const struct series_hold hold = hold_of(signal);

    ck_assert_double_eq_tol(hold.slope_rad_s, 0.001 * _i, ROUNDING_TOLERANCE);
    free(signal);
}

END_TEST

START_TEST(short_holds_have_no_slope)
{
    struct hold_signal *signal = signal_make(5.0, 0.0, 0.01, 1.0);
    const struct series_hold hold = hold_of(signal);

    ck_assert_double_nan(hold.slope_rad_s);
    ck_assert(isfinite(hold.mean_rad));
    free(signal);
}

END_TEST

START_TEST(hold_without_data)
{
    struct hold_signal *signal = signal_make(10.0, 0.0, 0.01, 1.0);
    struct series_hold hold = {.mean_rad = -7.0};

    for (size_t i = 0; i < signal->count; i++) {
        signal->rates[i] = i < 5 ? 0.0 : (double)NAN;
    }
    ck_assert_int_eq(
        series_hold_get(signal->times, signal->angles, signal->rates, signal->count, &hold),
        STATUS_NOT_READY);
    ck_assert_double_eq(hold.mean_rad, -7.0);
    ck_assert_int_eq(
        series_hold_get(signal->times, signal->angles, signal->rates, 0, &hold),
        STATUS_NOT_READY);
    free(signal);
}

END_TEST

START_TEST(summary_values)
{
    const double values[] = {10.0, NAN, 12.0, 14.0, 20.0};
    struct series_summary summary;

    ck_assert_int_eq(series_summary_get(values, 5, 8.0, &summary), STATUS_OK);
    ck_assert_uint_eq(summary.count, 4);
    ck_assert_double_eq_tol(summary.mean, 14.0, ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(summary.deviation, sqrt(56.0 / 3.0), ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(summary.variation_percent, 100.0 * sqrt(56.0 / 3.0) / 14.0,
                            ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(summary.median, 13.0, ROUNDING_TOLERANCE);
    ck_assert_double_eq(summary.best, 20.0);
}

END_TEST

START_TEST(summary_limits)
{
    const double values[] = {7.0, 8.9};
    const double none[] = {NAN};
    struct series_summary summary = {.mean = -7.0};

    ck_assert_int_eq(series_summary_get(none, 1, 8.0, &summary), STATUS_NOT_READY);
    ck_assert_int_eq(series_summary_get(none, 0, 8.0, &summary), STATUS_NOT_READY);
    ck_assert_double_eq(summary.mean, -7.0);
    ck_assert_int_eq(series_summary_get(values, 2, 8.0, &summary), STATUS_OK);
    ck_assert_double_nan(summary.variation_percent); /* mean 7.95 */
    ck_assert_int_eq(series_summary_get(values, 1, 0.0, &summary), STATUS_OK);
    ck_assert_double_nan(summary.deviation); /* one value has none */
}

END_TEST

START_TEST(smoothness_vectors)
{
    double speed[BELL_COUNT];
    double sparc;
    double ldlj;

    bell_fill(speed);
    ck_assert_int_eq(series_sparc(speed, BELL_COUNT, 100.0, &sparc), STATUS_OK);
    ck_assert_double_eq_tol(sparc, -1.41403, VECTOR_TOLERANCE);
    ck_assert_int_eq(series_ldlj(speed, BELL_COUNT, 100.0, &ldlj), STATUS_OK);
    ck_assert_double_eq_tol(ldlj, -5.81636, VECTOR_TOLERANCE);
}

END_TEST

START_TEST(smoothness_does_not_depend_on_scale)
{
    double speed[BELL_COUNT];
    double sparc;
    double ldlj;

    bell_fill(speed);
    for (int i = 0; i < BELL_COUNT; i++) {
        speed[i] *= 0.01;
    }
    ck_assert_int_eq(series_sparc(speed, BELL_COUNT, 100.0, &sparc), STATUS_OK);
    ck_assert_double_eq_tol(sparc, -1.41403, VECTOR_TOLERANCE);
    ck_assert_int_eq(series_ldlj(speed, BELL_COUNT, 100.0, &ldlj), STATUS_OK);
    ck_assert_double_eq_tol(ldlj, -5.81636, VECTOR_TOLERANCE);
}

END_TEST

START_TEST(jerky_is_less_smooth)
{
    double speed[BELL_COUNT];
    double smooth[2];
    double jerky[2];

    bell_fill(speed);
    series_sparc(speed, BELL_COUNT, 100.0, &smooth[0]);
    series_ldlj(speed, BELL_COUNT, 100.0, &smooth[1]);
    for (int i = 0; i < BELL_COUNT; i++) {
        speed[i] *= 1.0 + 0.3 * sin(2.0 * PI_RAD * 4.0 * 0.01 * i);
    }
    ck_assert_int_eq(series_sparc(speed, BELL_COUNT, 100.0, &jerky[0]), STATUS_OK);
    ck_assert_int_eq(series_ldlj(speed, BELL_COUNT, 100.0, &jerky[1]), STATUS_OK);
    ck_assert_double_lt(jerky[0], smooth[0]);
    ck_assert_double_lt(jerky[1], smooth[1]);
}

END_TEST

START_TEST(smoothness_needs_a_movement)
{
    double speed[BELL_COUNT] = {0.0};
    double result = -7.0;

    ck_assert_int_eq(series_sparc(speed, BELL_COUNT, 100.0, &result), STATUS_NOT_READY);
    ck_assert_int_eq(series_ldlj(speed, BELL_COUNT, 100.0, &result), STATUS_NOT_READY);
    bell_fill(speed);
    ck_assert_int_eq(series_sparc(speed, 19, 100.0, &result), STATUS_NOT_READY);
    ck_assert_int_eq(series_ldlj(speed, 19, 100.0, &result), STATUS_NOT_READY);
    speed[50] = NAN;
    ck_assert_int_eq(series_sparc(speed, BELL_COUNT, 100.0, &result), STATUS_NOT_READY);
    ck_assert_int_eq(series_ldlj(speed, BELL_COUNT, 100.0, &result), STATUS_NOT_READY);
    ck_assert_double_eq(result, -7.0);
}

END_TEST

/* Bins of 100 Hz / 16384 are 0.4 breaths per minute wide; noise shifts the peak by another.
 */
#define BREATHING_TOLERANCE_PER_MIN 0.8

START_TEST(breathing_is_found)
{
    static const double HZ[] = {0.15, 0.2, 0.25, 0.4};
    struct hold_signal *signal = signal_make(30.0 + 30.0 * _i, 0.0005, 0.01, HZ[_i]);
    double rate;

    srand(5);
    for (size_t i = 0; i < signal->count; i++) {
        signal->angles[i] += 0.005 * uniform();
        if (i % 500 < 20) {
            signal->angles[i] = NAN; /* 4 % missing */
        }
    }
    ck_assert_int_eq(series_breathing(signal->angles, signal->count, 100.0, &rate),
                     STATUS_OK);
    ck_assert_double_eq_tol(rate, 60.0 * HZ[_i], BREATHING_TOLERANCE_PER_MIN);
    free(signal);
}

END_TEST

START_TEST(breathing_is_not_invented)
{
    struct hold_signal *signal = signal_make(60.0, 0.0, 0.01, 0.25);
    double rate = -7.0;

    ck_assert_int_eq(series_breathing(signal->angles, 2900, 100.0, &rate),
                     STATUS_NOT_READY);
    for (size_t i = 0; i < signal->count / 3; i++) {
        signal->angles[i] = NAN;
    }
    ck_assert_int_eq(series_breathing(signal->angles, signal->count, 100.0, &rate),
                     STATUS_NOT_READY);
    for (size_t i = 0; i < signal->count; i++) {
        signal->angles[i] = 0.8;
    }
    ck_assert_int_eq(series_breathing(signal->angles, signal->count, 100.0, &rate),
                     STATUS_NOT_READY);
    for (size_t i = 0; i < signal->count; i++) {
        signal->angles[i] = NAN;
    }
    ck_assert_int_eq(series_breathing(signal->angles, signal->count, 100.0, &rate),
                     STATUS_NOT_READY);
    ck_assert_double_eq(rate, -7.0);
    free(signal);
}

END_TEST

static void add_windows(TCase *tests)
{
    tcase_add_test(tests, range_is_percentiles);
    tcase_add_test(tests, range_leaves_out_what_is_missing);
    tcase_add_test(tests, hold_anatomy);
    tcase_add_test(tests, slope_of_a_line_with_outliers);
    tcase_add_loop_test(tests, slope_of_exact_lines, 0, 3);
    tcase_add_test(tests, short_holds_have_no_slope);
    tcase_add_test(tests, hold_without_data);
    tcase_add_test(tests, summary_values);
    tcase_add_test(tests, summary_limits);
}

static void add_spectra(TCase *tests)
{
    tcase_add_test(tests, smoothness_vectors);
    tcase_add_test(tests, smoothness_does_not_depend_on_scale);
    tcase_add_test(tests, jerky_is_less_smooth);
    tcase_add_test(tests, smoothness_needs_a_movement);
    tcase_add_loop_test(tests, breathing_is_found, 0, 4);
    tcase_add_test(tests, breathing_is_not_invented);
}

int main(void)
{
    Suite *suite = suite_create("series");
    TCase *tests = tcase_create("series");

    gsl_set_error_handler_off();
    add_windows(tests);
    add_spectra(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/hold.h"
#include "base/units.h"

/* The detector decides on grid instants: one sample of 10 ms, and rounding of sums of them.
 */
#define TIME_TOLERANCE_S 0.0101

#define STEP_S        0.01
#define ZONE_LOW_DEG  40.0
#define ZONE_HIGH_DEG 60.0

enum {
    HOLD_MAX = 8
};

/* The signal is a list of stretches of time, each from one angle to another. NaN = no data.
 */
struct piece {
    double time_s;
    double from_deg;
    double to_deg;
};

struct detected {
    struct hold_result holds[HOLD_MAX];
    unsigned count;
};

static struct hold_settings settings_make(void)
{
    struct hold_settings settings = hold_default_settings;

    settings.zone_low_rad = ZONE_LOW_DEG * RAD_PER_DEG;
    settings.zone_high_rad = ZONE_HIGH_DEG * RAD_PER_DEG;
    return settings;
}

static void take(struct detected *detected, const struct hold *hold)
{
    ck_assert_uint_lt(detected->count, HOLD_MAX);
    detected->holds[detected->count++] = hold->result;
}

/* Credit may stand still or grow by at most what passed; without data it stands still. */
static void check_credit(const struct hold *hold, double before_s, bool has_data)
{
    const double credited_s = hold_credited_s(hold);

    ck_assert(credited_s >= 0.0);
    if (!has_data && hold->state == HOLD_IN) {
        ck_assert_double_eq(credited_s, before_s);
    }
}

/* Play the pieces at 100 Hz; leave_out: instants without data are not even given. */
static struct detected play(const struct piece *pieces, unsigned piece_count,
                            bool leave_out)
{
    const struct hold_settings settings = settings_make();
    struct detected detected = {.count = 0};
    struct hold hold;
    unsigned tick = 0;

    hold_init(&hold, &settings);
    for (unsigned p = 0; p < piece_count; p++) {
        const unsigned ticks = (unsigned)lround(pieces[p].time_s / STEP_S);
        const double slope_deg_s =
            (pieces[p].to_deg - pieces[p].from_deg) / pieces[p].time_s;

        for (unsigned i = 0; i < ticks; i++, tick++) {
            const double angle_deg = pieces[p].from_deg + slope_deg_s * i * STEP_S;
            const double before_s = hold_credited_s(&hold);

            if (leave_out && isnan(angle_deg)) {
                continue;
            }
            if (hold_update(&hold, tick * STEP_S, angle_deg * RAD_PER_DEG,
                            slope_deg_s * RAD_PER_DEG)) {
                take(&detected, &hold);
            }
            check_credit(&hold, before_s, !isnan(angle_deg));
        }
    }
    if (hold_finish(&hold)) {
        take(&detected, &hold);
    }
    ck_assert(!hold_finish(&hold));
    return detected;
}

struct expected {
    double start_s;
    double end_s;
    double credited_s;
    enum hold_cause cause;
    unsigned exit_count;
};

struct row {
    const char *name;
    struct piece pieces[8];
    unsigned piece_count;
    struct expected holds[2];
    unsigned hold_count;
};

/* Up at 20 deg/s from 0 to 50: at 40 deg after 2 s, at 50 after 2.5 s; too fast to enter
 * before. Down from 50 at 10 deg/s: 37 (low end less hysteresis) is passed after 1.3 s.
 * Down at 20 deg/s: too fast from the first sample. */
#define UP                                                                                 \
    {                                                                                      \
        2.5, 0.0, 50.0                                                                     \
    }
#define DOWN_SLOW                                                                          \
    {                                                                                      \
        5.0, 50.0, 0.0                                                                     \
    }
#define DOWN_FAST                                                                          \
    {                                                                                      \
        2.5, 50.0, 0.0                                                                     \
    }

static const struct row ROWS[] = {
    {"plain, left slowly",
     {UP, {10.0, 50.0, 50.0}, DOWN_SLOW},
     3,
     {{2.5, 13.81, 11.31, HOLD_CAUSE_ZONE, 0}},
     1},
    {"left fast: ends with the first fast sample",
     {UP, {10.0, 50.0, 50.0}, DOWN_FAST},
     3,
     {{2.5, 12.5, 10.0, HOLD_CAUSE_RATE, 0}},
     1},
    {"never in the zone", {{1.0, 0.0, 30.0}, {10.0, 30.0, 30.0}}, 2, {{.start_s = 0.0}}, 0},
    {"too short to enter", {UP, {0.45, 50.0, 50.0}, DOWN_FAST}, 3, {{.start_s = 0.0}}, 0},
    {"just long enough to enter",
     {UP, {0.52, 50.0, 50.0}, DOWN_FAST},
     3,
     {{2.5, 3.02, 0.52, HOLD_CAUSE_RATE, 0}},
     1},
    {"too far over the zone",
     {{3.0, 0.0, 70.0}, {5.0, 70.0, 70.0}},
     2,
     {{.start_s = 0.0}},
     0},
    {"leaves over the top",
     {UP, {5.0, 50.0, 50.0}, {4.0, 50.0, 90.0}, {3.0, 90.0, 90.0}},
     4,
     {{2.5, 8.81, 6.31, HOLD_CAUSE_ZONE, 0}},
     1},
    {"data end while holding",
     {UP, {4.0, 50.0, 50.0}},
     2,
     {{2.5, 6.49, 3.99, HOLD_CAUSE_END, 0}},
     1},
    {"dip of 0.4 s below: not an exit",
     {UP, {3.0, 50.0, 50.0}, {0.4, 36.0, 36.0}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 8.9, 6.4, HOLD_CAUSE_RATE, 0}},
     1},
    {"break of 0.8 s that stayed near: merged, one exit",
     {UP, {3.0, 50.0, 50.0}, {0.8, 36.0, 36.0}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 9.3, 6.8, HOLD_CAUSE_RATE, 1}},
     1},
    {"break of 0.8 s that went too low: two holds",
     {UP, {3.0, 50.0, 50.0}, {0.8, 33.0, 33.0}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 5.5, 3.0, HOLD_CAUSE_ZONE, 0}, {6.3, 9.3, 3.0, HOLD_CAUSE_RATE, 0}},
     2},
    {"break of 1.2 s: two holds",
     {UP, {3.0, 50.0, 50.0}, {1.2, 36.0, 36.0}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 5.5, 3.0, HOLD_CAUSE_ZONE, 0}, {6.7, 9.7, 3.0, HOLD_CAUSE_RATE, 0}},
     2},
    {"gap of 0.1 s: credited",
     {UP, {3.0, 50.0, 50.0}, {0.1, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 8.6, 6.1, HOLD_CAUSE_RATE, 0}},
     1},
    {"gap of 0.25 s: credited",
     {UP, {3.0, 50.0, 50.0}, {0.25, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 8.75, 6.25, HOLD_CAUSE_RATE, 0}},
     1},
    {"gap of 0.27 s: kept, not credited",
     {UP, {3.0, 50.0, 50.0}, {0.27, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 8.77, 6.0, HOLD_CAUSE_RATE, 0}},
     1},
    {"gap of 1.0 s: kept, not credited",
     {UP, {3.0, 50.0, 50.0}, {1.0, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 9.5, 6.0, HOLD_CAUSE_RATE, 0}},
     1},
    {"gap of 1.02 s: two holds, the first ends with its last sample",
     {UP, {3.0, 50.0, 50.0}, {1.02, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 5.49, 2.99, HOLD_CAUSE_DATA_LOSS, 0}, {6.52, 9.52, 3.0, HOLD_CAUSE_RATE, 0}},
     2},
    {"gap of 3 s to the end of the hold",
     {UP, {3.0, 50.0, 50.0}, {3.0, NAN, NAN}, DOWN_FAST},
     4,
     {{2.5, 5.49, 2.99, HOLD_CAUSE_DATA_LOSS, 0}},
     1},
    {"gap of 0.6 s in a merged break: not credited",
     {UP,
      {3.0, 50.0, 50.0},
      {0.1, 36.0, 36.0},
      {0.6, NAN, NAN},
      {0.1, 36.0, 36.0},
      {3.0, 50.0, 50.0},
      DOWN_FAST},
     7,
     {{2.5, 9.3, 6.2, HOLD_CAUSE_RATE, 1}},
     1},
    {"gap of 0.2 s while entering: the run goes on",
     {UP, {0.3, 50.0, 50.0}, {0.2, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{2.5, 6.0, 3.5, HOLD_CAUSE_RATE, 0}},
     1},
    {"gap of 0.6 s while entering: the run starts again",
     {UP, {0.3, 50.0, 50.0}, {0.6, NAN, NAN}, {3.0, 50.0, 50.0}, DOWN_FAST},
     5,
     {{3.4, 6.4, 3.0, HOLD_CAUSE_RATE, 0}},
     1},
};

static void check_row(const struct row *row, bool leave_out)
{
    const struct detected detected = play(row->pieces, row->piece_count, leave_out);

    ck_assert_msg(detected.count == row->hold_count, "%s: %u holds, expected %u", row->name,
                  detected.count, row->hold_count);
    for (unsigned i = 0; i < row->hold_count; i++) {
        const struct hold_result *result = &detected.holds[i];
        const struct expected *expected = &row->holds[i];
        const double credited_s = result->end_s - result->start_s - result->uncredited_s;

        ck_assert_msg(fabs(result->start_s - expected->start_s) <= TIME_TOLERANCE_S
                          && fabs(result->end_s - expected->end_s) <= TIME_TOLERANCE_S
                          && fabs(credited_s - expected->credited_s) <= TIME_TOLERANCE_S,
                      "%s: %.3f .. %.3f credited %.3f", row->name, result->start_s,
                      result->end_s, credited_s);
        ck_assert_msg(result->cause == expected->cause, "%s: cause %s", row->name,
                      hold_cause_text(result->cause));
        ck_assert_msg(result->exit_count == expected->exit_count, "%s: %u exits", row->name,
                      result->exit_count);
    }
}

START_TEST(signals_give_exact_holds)
{
    check_row(&ROWS[_i], false);
}

END_TEST

START_TEST(missing_instants_count_like_nan)
{
    check_row(&ROWS[_i], true);
}

END_TEST

/* Tremor of 8 Hz and 1 deg: its rate of up to 50 deg/s would break the hold at once if one
 * fast sample were enough; smoothed rates of 12 deg/s do not, and the back-dating loses
 * nothing. */
START_TEST(tremor_does_not_shorten)
{
    struct hold_settings settings = settings_make();
    struct hold hold;

    settings.still_rad_s = 15.0 * RAD_PER_DEG;
    hold_init(&hold, &settings);
    for (unsigned i = 0; i <= 2000; i++) {
        const double time_s = i * STEP_S;
        const double phase = 2.0 * PI_RAD * 8.0 * time_s;
        ck_assert(!hold_update(&hold, time_s, (50.0 + sin(phase)) * RAD_PER_DEG,
                               12.0 * cos(phase) * RAD_PER_DEG));
    }
    ck_assert_double_eq_tol(hold_credited_s(&hold), 20.0, TIME_TOLERANCE_S);
    ck_assert_uint_eq(hold.result.exit_count, 0);
}

END_TEST

/* Fast spikes shorter than 0.3 s do not end the hold. */
START_TEST(short_fast_spikes_do_not_end)
{
    const struct hold_settings settings = settings_make();
    struct hold hold;

    hold_init(&hold, &settings);
    for (unsigned i = 0; i <= 1000; i++) {
        const double rate_deg_s = i > 100 && i % 100 < 25 ? 40.0 : 0.0;
        ck_assert(
            !hold_update(&hold, i * STEP_S, 50.0 * RAD_PER_DEG, rate_deg_s * RAD_PER_DEG));
    }
    ck_assert_double_eq_tol(hold_credited_s(&hold), 10.0, TIME_TOLERANCE_S);
}

END_TEST

/* Noise may only cost time at the edges: the credited time is never under the time that the
 * clean signal is good, less what noise itself takes out of the zone (none: it is 15 sigma
 * in). */
START_TEST(noise_never_shortens)
{
    const struct hold_settings settings = settings_make();
    struct hold hold;

    srand((unsigned)_i + 1);
    hold_init(&hold, &settings);
    for (unsigned i = 0; i < 1500; i++) {
        const bool inside = i >= 300 && i < 1300;
        const double noise_deg = 1.3 * (rand() / (double)RAND_MAX - 0.5);
        const double noise_deg_s = 8.0 * (rand() / (double)RAND_MAX - 0.5);

        if (hold_update(&hold, i * STEP_S,
                        ((inside ? 50.0 : 10.0) + noise_deg) * RAD_PER_DEG,
                        noise_deg_s * RAD_PER_DEG)) {
            ck_assert_double_eq_tol(hold.result.start_s, 3.0, TIME_TOLERANCE_S);
            ck_assert_double_eq_tol(hold.result.end_s, 13.0, TIME_TOLERANCE_S);
            return;
        }
    }
    ck_abort_msg("no hold");
}

END_TEST

START_TEST(credit_waits_in_a_break)
{
    const struct hold_settings settings = settings_make();
    struct hold hold;
    unsigned i = 0;

    hold_init(&hold, &settings);
    for (; i < 300; i++) {
        hold_update(&hold, i * STEP_S, 50.0 * RAD_PER_DEG, 0.0);
    }
    const double before_s = hold_credited_s(&hold);
    for (; i < 340; i++) {
        hold_update(&hold, i * STEP_S, 36.0 * RAD_PER_DEG, 0.0);
        ck_assert_double_eq_tol(hold_credited_s(&hold), before_s, TIME_TOLERANCE_S);
    }
    hold_update(&hold, i * STEP_S, 50.0 * RAD_PER_DEG, 0.0);
    ck_assert_double_eq_tol(hold_credited_s(&hold), 3.4, TIME_TOLERANCE_S);
}

END_TEST

START_TEST(bad_times_are_ignored)
{
    const struct hold_settings settings = settings_make();
    struct hold hold;

    hold_init(&hold, &settings);
    ck_assert(!hold_finish(&hold));
    ck_assert(!hold_update(&hold, NAN, 50.0 * RAD_PER_DEG, 0.0));
    for (unsigned i = 0; i < 100; i++) {
        hold_update(&hold, 5.0, 50.0 * RAD_PER_DEG, 0.0);
        hold_update(&hold, 4.0 - i, 50.0 * RAD_PER_DEG, 0.0);
    }
    ck_assert_int_eq(hold.state, HOLD_OUT);
    ck_assert_double_eq(hold_credited_s(&hold), 0.0);
    ck_assert(!hold_update(&hold, 6.0, INFINITY, 0.0));
    ck_assert(!hold_update(&hold, 7.0, 50.0, NAN));
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("hold");
    TCase *tests = tcase_create("hold");
    const int row_count = (int)(sizeof ROWS / sizeof *ROWS);

    tcase_add_loop_test(tests, signals_give_exact_holds, 0, row_count);
    tcase_add_loop_test(tests, missing_instants_count_like_nan, 0, row_count);
    tcase_add_test(tests, tremor_does_not_shorten);
    tcase_add_test(tests, short_fast_spikes_do_not_end);
    tcase_add_loop_test(tests, noise_never_shortens, 0, 20);
    tcase_add_test(tests, credit_waits_in_a_break);
    tcase_add_test(tests, bad_times_are_ignored);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

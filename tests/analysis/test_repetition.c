#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/repetition.h"
#include "base/units.h"

#define STEP_S 0.01

/* A rest ends when the cycle has left it by 1 deg and noise, 0.5 deg: for 15 deg in 5 s
 * that is 0.51 s. Between cycles half of the noise's effect on either side remains. */
#define REST_TOLERANCE_S     0.51
#define BOUNDARY_TOLERANCE_S 0.2

/* Noise of 0.3 deg (uniform, so at most 0.52 deg) and a percentile that is an extremum
 * here. */
#define ANGLE_TOLERANCE_RAD (0.8 * RAD_PER_DEG)

/* How a movement begins and ends; the middle is neutral. */
enum path {
    PATH_MIDDLE_UP,       /* neutral, high, low ... neutral */
    PATH_MIDDLE_DOWN,     /* neutral, low, high ... neutral */
    PATH_LOW,             /* low, high, low */
    PATH_MIDDLE_DOWN_LOW, /* neutral, low, high ... low */
    PATH_COUNT
};

struct movement {
    enum path path;
    unsigned cycles;
    double range_deg;
    double cycle_s;
    double variation; /* of the range from cycle to cycle, +- share */
    double drift_deg_min;
    double noise_deg;
    double rest_s; /* before and after */
    double offset_deg;
};

static double noise_deg(double amplitude_deg)
{
    return amplitude_deg * sqrt(3.0) * (2.0 * (rand() / (double)RAND_MAX) - 1.0);
}

/* Phase in cycles at which a path begins, and how much longer it runs than its cycles. */
static double path_phase(enum path path)
{
    static const double PHASES[PATH_COUNT] = {0.0, 0.5, -0.25, 0.5};

    return PHASES[path];
}

static double path_extra(enum path path)
{
    /* Down first: the last high point is followed by the way back to neutral, or to low. */
    static const double EXTRA[PATH_COUNT] = {0.0, 0.0, 0.0, 0.25};

    return EXTRA[path];
}

static double amplitude(const struct movement *movement, double phase)
{
    const double share =
        movement->variation * (((long)floor(phase + 0.25)) % 2 ? 1.0 : -1.0);

    return movement->range_deg / 2.0 * (1.0 + share);
}

static double movement_angle_deg(const struct movement *movement, double time_s)
{
    const double move_s =
        (movement->cycles + path_extra(movement->path)) * movement->cycle_s;
    const double moved_s = fmin(fmax(time_s - movement->rest_s, 0.0), move_s);
    const double phase = path_phase(movement->path) + moved_s / movement->cycle_s;

    return movement->offset_deg + amplitude(movement, phase) * sin(2.0 * PI_RAD * phase)
           + movement->drift_deg_min * time_s / 60.0 + noise_deg(movement->noise_deg);
}

static double movement_time_s(const struct movement *movement)
{
    return (movement->cycles + path_extra(movement->path)) * movement->cycle_s
           + 2.0 * movement->rest_s;
}

static unsigned play(struct repetition *repetition, const struct movement *movement)
{
    const unsigned ticks = (unsigned)lround(movement_time_s(movement) / STEP_S);
    unsigned counted = 0;

    for (unsigned i = 0; i < ticks; i++) {
        const double time_s = i * STEP_S;
        counted += repetition_update(repetition, time_s,
                                     movement_angle_deg(movement, time_s) * RAD_PER_DEG);
    }
    counted += repetition_finish(repetition);
    return counted;
}

static struct repetition_settings settings_make(const struct movement *movement,
                                                bool practised)
{
    struct repetition_settings settings = repetition_default_settings;

    if (practised) {
        settings.middle_rad = movement->offset_deg * RAD_PER_DEG;
        settings.half_range_rad = movement->range_deg / 2.0 * RAD_PER_DEG;
    }
    return settings;
}

static const struct movement MOVEMENTS[] = {
    {PATH_LOW, 12, 15.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0},
    {PATH_LOW, 12, 15.0, 5.0, 0.0, 0.0, 0.3, 2.0, 30.0},
    {PATH_LOW, 10, 60.0, 4.0, 0.2, 0.0, 0.3, 2.0, 0.0},
    {PATH_LOW, 10, 15.0, 5.0, 0.25, 5.0, 0.3, 4.0, 0.0},
    {PATH_LOW, 15, 20.0, 8.0, 0.1, 10.0, 0.3, 4.0, -20.0},
    {PATH_MIDDLE_UP, 12, 15.0, 5.0, 0.0, 0.0, 0.3, 3.0, 0.0},
    {PATH_MIDDLE_UP, 10, 40.0, 6.0, 0.2, 3.0, 0.3, 30.0, 10.0},
    {PATH_MIDDLE_UP, 10, 15.0, 3.0, 0.0, -5.0, 0.3, 3.0, 0.0},
    {PATH_MIDDLE_DOWN, 12, 15.0, 5.0, 0.0, 0.0, 0.3, 3.0, 0.0},
    {PATH_MIDDLE_DOWN, 10, 40.0, 4.0, 0.2, 3.0, 0.3, 30.0, 0.0},
    {PATH_MIDDLE_DOWN_LOW, 6, 30.0, 5.0, 0.1, 2.0, 0.3, 3.0, 5.0},
    {PATH_LOW, 6, 30.0, 18.0, 0.0, 0.0, 0.3, 5.0, 0.0},
    {PATH_LOW, 20, 25.0, 1.8, 0.0, 0.0, 0.3, 1.0, 0.0},
    {PATH_MIDDLE_UP, 1, 30.0, 5.0, 0.0, 0.0, 0.3, 3.0, 0.0},
    {PATH_MIDDLE_DOWN, 1, 30.0, 5.0, 0.0, 0.0, 0.3, 3.0, 0.0},
    {PATH_LOW, 1, 30.0, 5.0, 0.0, 0.0, 0.3, 3.0, 0.0},
};

enum {
    MOVEMENT_COUNT = sizeof MOVEMENTS / sizeof *MOVEMENTS
};

static void check_count(const struct movement *movement, bool practised)
{
    for (unsigned seed = 1; seed <= 10; seed++) {
        const struct repetition_settings settings = settings_make(movement, practised);
        struct repetition repetition;

        srand(seed);
        repetition_init(&repetition, &settings);
        const unsigned counted = play(&repetition, movement);
        ck_assert_msg(counted == movement->cycles && repetition.count == counted
                          && repetition.partial_count == 0,
                      "movement %d seed %u: %u counted, %u partial, expected %u",
                      (int)(movement - MOVEMENTS), seed, counted, repetition.partial_count,
                      movement->cycles);
    }
}

START_TEST(counts_are_exact_after_practice)
{
    check_count(&MOVEMENTS[_i], true);
}

END_TEST

START_TEST(counts_are_exact_while_learning)
{
    check_count(&MOVEMENTS[_i], false);
}

END_TEST

/* Practice may have been larger or smaller than what follows. */
START_TEST(practice_may_be_off)
{
    static const double SHARES[] = {0.6, 0.8, 1.3, 1.6};
    const struct movement movement = {PATH_LOW, 10, 20.0, 5.0, 0.0, 0.0, 0.3, 2.0, 0.0};
    struct repetition_settings settings = settings_make(&movement, true);
    struct repetition repetition;

    settings.half_range_rad *= SHARES[_i];
    settings.middle_rad += 2.0 * RAD_PER_DEG;
    repetition_init(&repetition, &settings);
    ck_assert_uint_eq(play(&repetition, &movement), movement.cycles);
}

END_TEST

START_TEST(boundaries_are_the_extrema)
{
    const struct movement movement = {PATH_LOW, 5, 15.0, 5.0, 0.0, 0.0, 0.3, 4.0, 10.0};
    const struct repetition_settings settings = settings_make(&movement, false);
    struct repetition repetition;
    unsigned done = 0;

    repetition_init(&repetition, &settings);
    for (unsigned i = 0; i <= 4000; i++) {
        const double time_s = i * STEP_S;
        if (!repetition_update(&repetition, time_s,
                               movement_angle_deg(&movement, time_s) * RAD_PER_DEG)) {
            continue;
        }
        const struct repetition_result *result = &repetition.result;
        const double start_s = 4.0 + 5.0 * done;
        ck_assert_double_eq_tol(result->start_s, start_s,
                                done == 0 ? REST_TOLERANCE_S : BOUNDARY_TOLERANCE_S);
        ck_assert_double_eq_tol(result->peak_s, start_s + 2.5, REST_TOLERANCE_S);
        ck_assert_double_eq_tol(result->end_s, start_s + 5.0,
                                done == 4 ? REST_TOLERANCE_S : BOUNDARY_TOLERANCE_S);
        ck_assert_double_eq_tol(result->start_rad, 2.5 * RAD_PER_DEG, ANGLE_TOLERANCE_RAD);
        ck_assert_double_eq_tol(result->peak_rad, 17.5 * RAD_PER_DEG, ANGLE_TOLERANCE_RAD);
        ck_assert_double_eq_tol(result->end_rad, 2.5 * RAD_PER_DEG, ANGLE_TOLERANCE_RAD);
        ck_assert_double_eq(result->missing_s, 0.0);
        done++;
    }
    ck_assert_uint_eq(done, 5); /* the last while resting: no finish needed */
}

END_TEST

/* A list of turning points, 2 s apart, joined by half cosines. */
static unsigned play_points(struct repetition *repetition, const double *points_deg,
                            unsigned count)
{
    unsigned counted = 0;

    for (unsigned p = 0; p + 1 < count; p++) {
        for (unsigned i = 0; i < 200; i++) {
            const double share = 0.5 - 0.5 * cos(PI_RAD * i / 200.0);
            const double angle_deg =
                points_deg[p] + share * (points_deg[p + 1] - points_deg[p]);
            counted += repetition_update(repetition, p * 2.0 + i * STEP_S,
                                         angle_deg * RAD_PER_DEG);
        }
    }
    return counted + repetition_finish(repetition);
}

START_TEST(partial_moves_are_counted_apart)
{
    /* Two good ones, one that turns back at the middle, two good ones. */
    static const double POINTS_DEG[] = {0, 30, 0, 30, 0, 13, 0, 30, 0, 30, 0};
    struct repetition_settings settings = repetition_default_settings;
    struct repetition repetition;

    settings.middle_rad = 15.0 * RAD_PER_DEG;
    settings.half_range_rad = 15.0 * RAD_PER_DEG;
    repetition_init(&repetition, &settings);
    ck_assert_uint_eq(play_points(&repetition, POINTS_DEG, 11), 4);
    ck_assert_uint_eq(repetition.partial_count, 1);
}

END_TEST

START_TEST(half_way_back_and_up_is_one)
{
    static const double POINTS_DEG[] = {0, 30, 18, 30, 0, 30, 0};
    struct repetition_settings settings = repetition_default_settings;
    struct repetition repetition;

    settings.middle_rad = 15.0 * RAD_PER_DEG;
    settings.half_range_rad = 15.0 * RAD_PER_DEG;
    repetition_init(&repetition, &settings);
    ck_assert_uint_eq(play_points(&repetition, POINTS_DEG, 7), 2);
}

END_TEST

START_TEST(data_that_end_high_leave_a_partial_one)
{
    static const double POINTS_DEG[] = {0, 30, 0, 30, 25};
    struct repetition repetition;

    repetition_init(&repetition, &repetition_default_settings);
    ck_assert_uint_eq(play_points(&repetition, POINTS_DEG, 5), 1);
    ck_assert_uint_eq(repetition.partial_count, 1);
}

END_TEST

START_TEST(data_that_begin_high_count_no_first_one)
{
    static const double POINTS_DEG[] = {30, 0, 30, 0};
    struct repetition_settings settings = repetition_default_settings;
    struct repetition repetition;

    settings.middle_rad = 15.0 * RAD_PER_DEG;
    settings.half_range_rad = 15.0 * RAD_PER_DEG;
    repetition_init(&repetition, &settings);
    ck_assert_uint_eq(play_points(&repetition, POINTS_DEG, 4), 1);
    repetition_init(&repetition, &repetition_default_settings);
    ck_assert_uint_eq(play_points(&repetition, POINTS_DEG, 4), 1);
}

END_TEST

START_TEST(sway_and_noise_are_no_cycles)
{
    struct repetition repetition;

    repetition_init(&repetition, &repetition_default_settings);
    for (unsigned i = 0; i < 6000; i++) {
        const double time_s = i * STEP_S;
        ck_assert(!repetition_update(
            &repetition, time_s,
            (1.5 * sin(2.0 * PI_RAD * 0.25 * time_s) + noise_deg(0.3)) * RAD_PER_DEG));
    }
    ck_assert(!repetition_finish(&repetition));
    ck_assert_uint_eq(repetition.partial_count, 0);
}

END_TEST

START_TEST(too_fast_and_too_slow_are_partial)
{
    static const double CYCLES_S[] = {1.2, 24.0};
    const struct movement movement = {PATH_LOW, 6,   30.0, CYCLES_S[_i], 0.0,
                                      0.0,      0.0, 1.0,  0.0};
    const struct repetition_settings settings = settings_make(&movement, true);
    struct repetition repetition;

    repetition_init(&repetition, &settings);
    ck_assert_uint_eq(play(&repetition, &movement), 0);
    ck_assert_uint_eq(repetition.partial_count, movement.cycles);
}

END_TEST

/* Gaps in the second of four cycles of 5 s. */
static unsigned play_gap(struct repetition *repetition, double gap_s, bool leave_out,
                         double *missing_s)
{
    const struct movement movement = {PATH_LOW, 4, 30.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    unsigned counted = 0;

    *missing_s = 0.0;
    for (unsigned i = 0; i < 2000; i++) {
        const double time_s = i * STEP_S;
        const bool is_gap = time_s > 7.0 && time_s <= 7.0 + gap_s + 1e-6;
        const double angle_rad = movement_angle_deg(&movement, time_s) * RAD_PER_DEG;

        if (is_gap && leave_out) {
            continue;
        }
        if (repetition_update(repetition, time_s, is_gap ? (double)NAN : angle_rad)) {
            counted++;
            *missing_s += repetition->result.missing_s;
        }
    }
    return counted + repetition_finish(repetition);
}

START_TEST(short_gaps_are_noted)
{
    struct repetition repetition;
    double missing_s;

    repetition_init(&repetition, &repetition_default_settings);
    ck_assert_uint_eq(play_gap(&repetition, 1.0, _i == 1, &missing_s), 4);
    ck_assert_double_eq_tol(missing_s, 1.0, 1e-6); /* rounding of sums of 0.01 s */
}

END_TEST

START_TEST(long_gaps_break_off)
{
    struct repetition repetition;
    double missing_s;

    repetition_init(&repetition, &repetition_default_settings);
    ck_assert_uint_eq(play_gap(&repetition, 2.0, _i == 1, &missing_s), 3);
    ck_assert_uint_eq(repetition.partial_count, 1);
}

END_TEST

START_TEST(bad_times_are_ignored)
{
    struct repetition repetition;

    repetition_init(&repetition, &repetition_default_settings);
    ck_assert(!repetition_finish(&repetition));
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert(!repetition_update(&repetition, 3.0, i % 2));
        ck_assert(!repetition_update(&repetition, NAN, i % 2));
    }
    ck_assert_uint_eq(repetition.count, 0);
}

END_TEST

static void add_counting(TCase *tests)
{
    tcase_add_loop_test(tests, counts_are_exact_after_practice, 0, MOVEMENT_COUNT);
    tcase_add_loop_test(tests, counts_are_exact_while_learning, 0, MOVEMENT_COUNT);
    tcase_add_loop_test(tests, practice_may_be_off, 0, 4);
    tcase_add_test(tests, boundaries_are_the_extrema);
}

static void add_refusing(TCase *tests)
{
    tcase_add_test(tests, partial_moves_are_counted_apart);
    tcase_add_test(tests, half_way_back_and_up_is_one);
    tcase_add_test(tests, data_that_end_high_leave_a_partial_one);
    tcase_add_test(tests, data_that_begin_high_count_no_first_one);
    tcase_add_test(tests, sway_and_noise_are_no_cycles);
    tcase_add_loop_test(tests, too_fast_and_too_slow_are_partial, 0, 2);
    tcase_add_loop_test(tests, short_gaps_are_noted, 0, 2);
    tcase_add_loop_test(tests, long_gaps_break_off, 0, 2);
    tcase_add_test(tests, bad_times_are_ignored);
}

int main(void)
{
    Suite *suite = suite_create("repetition");
    TCase *tests = tcase_create("repetition");

    add_counting(tests);
    add_refusing(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

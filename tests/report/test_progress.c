#include "suites.h"

#include <math.h>
#include <string.h>

#include "report/progress.h"
#include "report/words.h"
#include "sample.h"

/* Sums of a few decimal numbers. */
static const double TOLERANCE = 1e-9;

static struct session *sessions[SAMPLE_SESSION_COUNT];
static const struct session *views[SAMPLE_SESSION_COUNT];

static void setup(void)
{
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        sessions[i] = sample_session_create(i, 100.0);
        ck_assert_ptr_nonnull(sessions[i]);
        views[i] = sessions[i];
    }
}

static void teardown(void)
{
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        sample_session_destroy(sessions[i]);
    }
}

static struct metric *range_right(unsigned session)
{
    struct session *owner = sessions[session];
    for (size_t i = 0; i < owner->metric_count; i++) {
        if (owner->metrics[i].id == METRIC_RANGE_OF_MOTION
            && owner->metrics[i].side == SIDE_RIGHT) {
            return &owner->metrics[i];
        }
    }
    ck_abort_msg("no range");
    return NULL;
}

/* Baseline (32 + 34) / 2; MDC95 of a trunk turn is 10, MDC90 is 10 / 1.19 = 8.40. */
struct rule {
    double today;
    enum metric_verdict verdict;
};

static const struct rule RULES[] = {
    {33.0, METRIC_NO_CLEAR_CHANGE},  {41.3, METRIC_NO_CLEAR_CHANGE},
    {41.5, METRIC_MAY_HAVE_CHANGED}, {42.9, METRIC_MAY_HAVE_CHANGED},
    {43.0, METRIC_CHANGED},          {23.0, METRIC_CHANGED},
    {24.0, METRIC_MAY_HAVE_CHANGED}, {25.0, METRIC_NO_CLEAR_CHANGE},
};

START_TEST(verdict_follows_the_rule)
{
    range_right(2)->value = RULES[_i].today;
    struct progress progress = progress_compare(views, 3, range_right(2));
    ck_assert_double_eq_tol(progress.baseline, 33.0, TOLERANCE);
    ck_assert_double_eq_tol(progress.change, RULES[_i].today - 33.0, TOLERANCE);
    ck_assert_int_eq(progress.verdict, RULES[_i].verdict);
    ck_assert_int_eq(progress.reason, PROGRESS_COMPARABLE);
    ck_assert_uint_eq(progress.baseline_count, 2);
}

END_TEST

START_TEST(two_sessions_compare_with_the_first)
{
    struct progress progress = progress_compare(views, 2, range_right(1));
    ck_assert_double_eq_tol(progress.baseline, 32.0, TOLERANCE);
    ck_assert_uint_eq(progress.baseline_count, 1);
}

END_TEST

START_TEST(first_session_cannot_compare)
{
    struct progress progress = progress_compare(views, 1, range_right(0));
    ck_assert_int_eq(progress.verdict, METRIC_CANNOT_COMPARE);
    ck_assert_int_eq(progress.reason, PROGRESS_FIRST_TIME);
    ck_assert(isnan(progress.change));
}

END_TEST

START_TEST(other_placement_cannot_compare)
{
    strcpy(sessions[2]->stretches[0].protocol.placement, "VENTRAL");
    struct progress progress = progress_compare(views, 3, range_right(2));
    ck_assert_int_eq(progress.verdict, METRIC_CANNOT_COMPARE);
    ck_assert_int_eq(progress.reason, PROGRESS_PLACEMENT);
}

END_TEST

START_TEST(other_version_cannot_compare)
{
    strcpy(sessions[2]->stretches[0].protocol.version, "2");
    ck_assert_int_eq(progress_compare(views, 3, range_right(2)).reason, PROGRESS_VERSION);
}

END_TEST

START_TEST(one_other_placement_leaves_the_baseline_to_the_rest)
{
    strcpy(sessions[0]->stretches[0].protocol.placement, "VENTRAL");
    struct progress progress = progress_compare(views, 3, range_right(2));
    ck_assert_double_eq_tol(progress.baseline, 34.0, TOLERANCE);
    ck_assert_int_eq(progress.verdict, METRIC_CHANGED);
}

END_TEST

START_TEST(poor_data_are_not_compared)
{
    sessions[2]->grade = 'F';
    ck_assert_int_eq(progress_compare(views, 3, range_right(2)).reason, PROGRESS_QUALITY);
    sessions[2]->grade = 'C';
    ck_assert_int_eq(progress_compare(views, 3, range_right(2)).verdict, METRIC_CHANGED);
    range_right(2)->coverage = 0.94;
    ck_assert_int_eq(progress_compare(views, 3, range_right(2)).reason, PROGRESS_QUALITY);
}

END_TEST

START_TEST(poor_sessions_are_no_baseline)
{
    sessions[0]->grade = 'F';
    ck_assert_double_eq_tol(progress_compare(views, 3, range_right(2)).baseline, 34.0,
                            TOLERANCE);
    sessions[1]->grade = 'F';
    ck_assert_int_eq(progress_compare(views, 3, range_right(2)).reason, PROGRESS_QUALITY);
}

END_TEST

START_TEST(withheld_value_cannot_compare)
{
    range_right(2)->value = NAN;
    struct progress progress = progress_compare(views, 3, range_right(2));
    ck_assert_int_eq(progress.verdict, METRIC_CANNOT_COMPARE);
    ck_assert_int_eq(progress.reason, PROGRESS_WITHHELD);
}

END_TEST

START_TEST(numbers_have_proper_signs)
{
    char text[WORDS_NUMBER_SIZE];
    ck_assert_str_eq(words_number(12.34, 1, true, text), "+12.3");
    ck_assert_str_eq(words_number(-12.34, 0, false, text), "\xE2\x88\x92"
                                                           "12");
    ck_assert_str_eq(words_number(-0.04, 1, true, text), "0.0");
    ck_assert_str_eq(words_number(NAN, 1, true, text), "\xE2\x80\x93");
}

END_TEST

START_TEST(dates_are_in_utc)
{
    char text[WORDS_DATE_SIZE];
    ck_assert_str_eq(words_date_time(0, text), "1 January 1970, 00:00 UTC");
    ck_assert_str_eq(words_date_time(1793702700LL * 1000000LL, text),
                     "3 November 2026, 10:45 UTC");
    ck_assert_str_eq(words_day(-1, text), "31 Dec");
}

END_TEST

Suite *progress_suite(void)
{
    Suite *suite = suite_create("progress");
    TCase *tests = tcase_create("progress");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, verdict_follows_the_rule, 0,
                        (int)(sizeof RULES / sizeof RULES[0]));
    tcase_add_test(tests, two_sessions_compare_with_the_first);
    tcase_add_test(tests, first_session_cannot_compare);
    tcase_add_test(tests, other_placement_cannot_compare);
    tcase_add_test(tests, other_version_cannot_compare);
    tcase_add_test(tests, one_other_placement_leaves_the_baseline_to_the_rest);
    tcase_add_test(tests, poor_data_are_not_compared);
    tcase_add_test(tests, poor_sessions_are_no_baseline);
    tcase_add_test(tests, withheld_value_cannot_compare);
    tcase_add_test(tests, numbers_have_proper_signs);
    tcase_add_test(tests, dates_are_in_utc);
    suite_add_tcase(suite, tests);
    return suite;
}

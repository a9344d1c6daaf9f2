#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/metric.h"

START_TEST(every_definition_is_complete)
{
    static const char *const UNITS[] = {"deg", "s", "deg/s", "deg/min", "%", "1", "/min"};
    static const char *const TAGS[] = {"seed", "verified", "project default"};
    const struct metric_definition *definition = metric_definition_get((enum metric_id)_i);
    bool has_unit = false;
    bool has_tag = false;

    ck_assert_ptr_nonnull(definition);
    ck_assert_ptr_nonnull(definition->id);
    ck_assert_uint_gt(strlen(definition->title), 3);
    ck_assert_uint_gt(strlen(definition->definition), 20);
    ck_assert_uint_gt(strlen(definition->source), 3);
    ck_assert_uint_eq(definition->version, 1);
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        has_unit = has_unit || strcmp(definition->unit, UNITS[i]) == 0;
    }
    for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++) {
        has_tag = has_tag || strcmp(definition->evidence, TAGS[i]) == 0;
    }
    ck_assert_msg(has_unit && has_tag, "%s: unit %s, evidence %s", definition->id,
                  definition->unit, definition->evidence);
}

END_TEST

START_TEST(every_id_reads_back)
{
    enum metric_id id = METRIC_COUNT;

    ck_assert(metric_parse(metric_definition_get((enum metric_id)_i)->id, &id));
    ck_assert_int_eq(id, _i);
}

END_TEST

START_TEST(unknown_ids_are_refused)
{
    enum metric_id id = METRIC_HOLD_TIME;

    ck_assert(!metric_parse("", &id));
    ck_assert(!metric_parse("hold", &id));
    ck_assert(!metric_parse("hold_time ", &id));
    ck_assert_int_eq(id, METRIC_HOLD_TIME);
    ck_assert_ptr_null(metric_definition_get(METRIC_COUNT));
}

END_TEST

START_TEST(defaults_of_detectable_change)
{
    ck_assert_double_eq(metric_mdc95(METRIC_PEAK_ANGLE, MEASURE_LUMBAR_FLEXION), 10.0);
    ck_assert_double_eq(metric_mdc95(METRIC_RANGE_OF_MOTION, MEASURE_LUMBAR_LATERAL), 8.0);
    ck_assert_double_eq(metric_mdc95(METRIC_PEAK_ANGLE, MEASURE_TRUNK_ROTATION), 10.0);
    ck_assert_double_eq(metric_mdc95(METRIC_PEAK_ANGLE, MEASURE_HIP_FLEXION_L), 10.0);
    ck_assert_double_eq(metric_mdc95(METRIC_HOLD_TIME, MEASURE_COUNT), 2.0);
    ck_assert_double_nan(metric_mdc95(METRIC_PEAK_ANGLE, MEASURE_PELVIS_ROLL));
    ck_assert_double_nan(metric_mdc95(METRIC_PEAK_ANGLE, MEASURE_COUNT));
    ck_assert_double_nan(metric_mdc95(METRIC_SMOOTHNESS_SPARC, MEASURE_LUMBAR_FLEXION));
}

END_TEST

struct verdict_row {
    double baseline;
    double value;
    double mdc95;
    enum metric_verdict verdict;
};

/* MDC95 11.9 deg makes MDC90 10 deg. */
static const struct verdict_row VERDICTS[] = {
    {50.0, 61.9, 11.9, METRIC_CHANGED},
    {50.0, 38.1, 11.9, METRIC_CHANGED},
    {50.0, 61.8999, 11.9, METRIC_MAY_HAVE_CHANGED},
    {50.0, 60.0, 11.9, METRIC_MAY_HAVE_CHANGED},
    {50.0, 40.0, 11.9, METRIC_MAY_HAVE_CHANGED},
    {50.0, 59.9999, 11.9, METRIC_NO_CLEAR_CHANGE},
    {50.0, 50.0, 11.9, METRIC_NO_CLEAR_CHANGE},
    {0.3, 10.3, 10.0, METRIC_CHANGED}, /* 10.3 - 0.3 is 10 but for rounding */
    {NAN, 50.0, 11.9, METRIC_CANNOT_COMPARE},
    {50.0, NAN, 11.9, METRIC_CANNOT_COMPARE},
    {50.0, 60.0, NAN, METRIC_CANNOT_COMPARE},
    {INFINITY, 60.0, 11.9, METRIC_CANNOT_COMPARE},
};

START_TEST(verdicts_at_the_boundaries)
{
    const struct verdict_row *row = &VERDICTS[_i];

    ck_assert_int_eq(metric_compare(row->baseline, row->value, row->mdc95), row->verdict);
}

END_TEST

START_TEST(verdict_words)
{
    ck_assert_str_eq(metric_verdict_text(METRIC_CHANGED), "changed");
    ck_assert_str_eq(metric_verdict_text(METRIC_MAY_HAVE_CHANGED), "may have changed");
    ck_assert_str_eq(metric_verdict_text(METRIC_NO_CLEAR_CHANGE), "no clear change yet");
    ck_assert_str_eq(metric_verdict_text(METRIC_CANNOT_COMPARE), "cannot compare");
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("metric");
    TCase *tests = tcase_create("metric");

    tcase_add_loop_test(tests, every_definition_is_complete, 0, METRIC_COUNT);
    tcase_add_loop_test(tests, every_id_reads_back, 0, METRIC_COUNT);
    tcase_add_test(tests, unknown_ids_are_refused);
    tcase_add_test(tests, defaults_of_detectable_change);
    tcase_add_loop_test(tests, verdicts_at_the_boundaries, 0,
                        (int)(sizeof VERDICTS / sizeof *VERDICTS));
    tcase_add_test(tests, verdict_words);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

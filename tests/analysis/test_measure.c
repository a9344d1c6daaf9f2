#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measure.h"

START_TEST(test_every_measure_has_words_and_parses)
{
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        const struct measure_info *info = measure_info_get((enum measure)i);
        ck_assert_uint_gt(strlen(info->id), 3);
        ck_assert_uint_gt(strlen(info->title), 5);
        ck_assert_int_eq(strncmp(info->plain, "how ", 4), 0);
        ck_assert_uint_ne(info->roles[0], 0);
        enum measure found = MEASURE_COUNT;
        ck_assert(measure_parse(info->id, &found));
        ck_assert_uint_eq(found, i); /* so no id stands twice */
    }
}

END_TEST

START_TEST(test_unknown_id)
{
    enum measure found = MEASURE_COUNT;
    ck_assert(!measure_parse("lumbar", &found));
    ck_assert_uint_eq(found, MEASURE_COUNT);
    ck_assert_ptr_null(measure_info_get(MEASURE_COUNT));
}

END_TEST

START_TEST(test_availability)
{
    unsigned dorsal = 1u << ROLE_THORAX_DORSAL | 1u << ROLE_PELVIS_DORSAL;
    unsigned mixed = 1u << ROLE_THORAX_DORSAL | 1u << ROLE_PELVIS_VENTRAL;
    ck_assert(measure_is_available(MEASURE_LUMBAR_FLEXION, dorsal));
    ck_assert(measure_is_available(MEASURE_LUMBAR_FLEXION, mixed));
    ck_assert(!measure_is_available(MEASURE_LUMBAR_FLEXION, 1u << ROLE_THORAX_DORSAL));
    ck_assert(!measure_is_available(MEASURE_TRUNK_FLEXION, dorsal));
    ck_assert(!measure_is_available(MEASURE_HIP_EXTENSION, dorsal | 1u << ROLE_THIGH_L));
    ck_assert(!measure_is_available(MEASURE_COUNT, ~0u));
}

END_TEST

/* The table of clinical reference 3.1.4. */
START_TEST(test_gravity_table)
{
    ck_assert(measure_is_gravity_seen(MEASURE_LUMBAR_FLEXION, POSTURE_SUPINE));
    ck_assert(measure_is_gravity_seen(MEASURE_LUMBAR_LATERAL, POSTURE_STANDING));
    ck_assert(!measure_is_gravity_seen(MEASURE_LUMBAR_LATERAL, POSTURE_QUADRUPED));
    ck_assert(!measure_is_gravity_seen(MEASURE_LUMBAR_ROTATION, POSTURE_SITTING));
    ck_assert(measure_is_gravity_seen(MEASURE_LUMBAR_ROTATION, POSTURE_SUPINE));
    ck_assert(measure_is_gravity_seen(MEASURE_PELVIS_ROLL, POSTURE_SUPINE));
    ck_assert(!measure_is_gravity_seen(MEASURE_PELVIS_ROLL, POSTURE_STANDING));
    ck_assert(measure_is_gravity_seen(MEASURE_THORAX_SIDE, POSTURE_QUADRUPED));
    ck_assert(measure_is_gravity_seen(MEASURE_FLEX_LUMBAR, POSTURE_QUADRUPED));
    ck_assert(!measure_is_gravity_seen(MEASURE_LUMBAR_FLEXION, POSTURE_COUNT));
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("measure");
    TCase *group = tcase_create("measure");
    tcase_add_test(group, test_every_measure_has_words_and_parses);
    tcase_add_test(group, test_unknown_id);
    tcase_add_test(group, test_availability);
    tcase_add_test(group, test_gravity_table);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

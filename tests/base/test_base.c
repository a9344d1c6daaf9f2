#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "base/clock.h"
#include "base/quaternion.h"
#include "base/status.h"
#include "base/units.h"

/* A few roundings of double on values near 1. */
static const double ROUNDING = 1e-14;

static void quaternion_equal(struct quaternion a, struct quaternion b, double tolerance)
{
    ck_assert_double_eq_tol(a.w, b.w, tolerance);
    ck_assert_double_eq_tol(a.x, b.x, tolerance);
    ck_assert_double_eq_tol(a.y, b.y, tolerance);
    ck_assert_double_eq_tol(a.z, b.z, tolerance);
}

static void vector3_equal(struct vector3 a, struct vector3 b, double tolerance)
{
    ck_assert_double_eq_tol(a.x, b.x, tolerance);
    ck_assert_double_eq_tol(a.y, b.y, tolerance);
    ck_assert_double_eq_tol(a.z, b.z, tolerance);
}

START_TEST(test_status_texts_and_exit_codes)
{
    for (int status = STATUS_OK; status >= STATUS_CORRUPT; status--) {
        ck_assert_uint_gt(strlen(status_text((enum status)status)), 0);
    }
    ck_assert_int_eq(status_exit_code(STATUS_OK), EXIT_CODE_OK);
    ck_assert_int_eq(status_exit_code(STATUS_IO), EXIT_CODE_DISK);
    ck_assert_int_eq(status_exit_code(STATUS_DEVICE), EXIT_CODE_DEVICE);
    ck_assert_int_eq(status_exit_code(STATUS_REFUSED), EXIT_CODE_FINDING);
}

END_TEST

START_TEST(test_clock_text_of_known_instants)
{
    char text[CLOCK_TEXT_SIZE];
    clock_utc_text(0, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
    /* 20,454 days after the epoch is 1 January 2026. */
    clock_utc_text(20454LL * 86400 * 1000000 + 1, text);
    ck_assert_str_eq(text, "2026-01-01T00:00:00.000001Z");
    clock_utc_text(-1, text);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999999Z");
}

END_TEST

START_TEST(test_host_clock_does_not_go_back)
{
    int64_t before_ns = clock_host_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now_ns = clock_host_ns();
        ck_assert_int_ge(now_ns, before_ns);
        before_ns = now_ns;
    }
}

END_TEST

START_TEST(test_names_round_trip)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        enum role role = ROLE_COUNT;
        ck_assert(role_parse(role_text((enum role)i), &role));
        ck_assert_int_eq(role, i);
        ck_assert_uint_gt(strlen(role_title((enum role)i)), 0);
    }
    for (int i = 0; i < POSTURE_COUNT; i++) {
        enum posture posture = POSTURE_COUNT;
        ck_assert(posture_parse(posture_text((enum posture)i), &posture));
        ck_assert_int_eq(posture, i);
    }
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = SIDE_COUNT;
        ck_assert(side_parse(side_text((enum side)i), &side));
        ck_assert_int_eq(side, i);
    }
}

END_TEST

START_TEST(test_unknown_names_leave_the_result_alone)
{
    enum role role = ROLE_THIGH_R;
    ck_assert(!role_parse("Thorax_dorsal", &role));
    ck_assert(!role_parse("", &role));
    ck_assert_int_eq(role, ROLE_THIGH_R);
    ck_assert(role_is_flex(ROLE_FLEX_KNEE_L));
    ck_assert(!role_is_flex(ROLE_STERNUM));
}

END_TEST

START_TEST(test_quaternion_rotates_as_its_matrix)
{
    struct quaternion q = quaternion_normalise((struct quaternion){0.3, -0.5, 0.7, 0.1});
    double m[3][3];
    quaternion_to_matrix(q, m);
    struct vector3 v = {1.0, -2.0, 0.5};
    struct vector3 expected = {
        m[0][0] * v.x + m[0][1] * v.y + m[0][2] * v.z,
        m[1][0] * v.x + m[1][1] * v.y + m[1][2] * v.z,
        m[2][0] * v.x + m[2][1] * v.y + m[2][2] * v.z,
    };
    vector3_equal(quaternion_rotate(q, v), expected, 8 * ROUNDING);
    struct quaternion back = quaternion_from_matrix((const double(*)[3])m);
    ck_assert_double_le(quaternion_angle(q, back), 1e-7); /* acos near 1: half the digits */
}

END_TEST

START_TEST(test_rotation_vector_round_trip)
{
    static const double ANGLES_RAD[] = {0.0, 1e-12, 1e-6, 0.1, 1.0, 3.0, PI_RAD - 1e-6};
    for (size_t i = 0; i < sizeof ANGLES_RAD / sizeof ANGLES_RAD[0]; i++) {
        struct vector3 axis = vector3_normalise((struct vector3){1.0, 2.0, -2.0});
        struct vector3 rotation = vector3_scale(axis, ANGLES_RAD[i]);
        struct quaternion q = quaternion_from_rotation(rotation);
        vector3_equal(quaternion_to_rotation(q), rotation, 1e-12);
        quaternion_equal(q, quaternion_from_axis_angle(axis, ANGLES_RAD[i]), ROUNDING);
    }
}

END_TEST

START_TEST(test_product_applies_right_factor_first)
{
    struct quaternion about_z =
        quaternion_from_axis_angle((struct vector3){0, 0, 1}, PI_RAD / 2);
    struct quaternion about_x =
        quaternion_from_axis_angle((struct vector3){1, 0, 0}, PI_RAD / 2);
    /* x to y by z, then y to z by x. */
    struct vector3 turned =
        quaternion_rotate(quaternion_multiply(about_x, about_z), (struct vector3){1, 0, 0});
    vector3_equal(turned, (struct vector3){0, 0, 1}, ROUNDING);
}

END_TEST

START_TEST(test_between_opposite_vectors)
{
    struct vector3 a = {0, 0, 1};
    struct vector3 b = {0, 0, -1};
    struct quaternion q = quaternion_between(a, b);
    ck_assert(quaternion_is_finite(q));
    vector3_equal(quaternion_rotate(q, a), b, 4 * ROUNDING);
}

END_TEST

START_TEST(test_interpolation_takes_the_shorter_arc)
{
    struct quaternion a = QUATERNION_IDENTITY;
    struct quaternion b = quaternion_from_axis_angle((struct vector3){0, 1, 0}, 1.0);
    struct quaternion minus_b = {-b.w, -b.x, -b.y, -b.z};
    struct quaternion half = quaternion_interpolate(a, minus_b, 0.5);
    ck_assert_double_eq_tol(quaternion_angle(a, half), 0.5, 1e-7);
    ck_assert_double_eq_tol(quaternion_angle(half, b), 0.5, 1e-7);
}

END_TEST

START_TEST(test_bad_quaternions_become_identity)
{
    quaternion_equal(quaternion_normalise((struct quaternion){0, 0, 0, 0}),
                     QUATERNION_IDENTITY, ROUNDING);
    quaternion_equal(quaternion_normalise((struct quaternion){NAN, 0, 0, 1}),
                     QUATERNION_IDENTITY, ROUNDING);
    ck_assert(!quaternion_is_finite((struct quaternion){1, INFINITY, 0, 0}));
    vector3_equal(vector3_normalise((struct vector3){0, 0, 0}), (struct vector3){0, 0, 0},
                  ROUNDING);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, test_status_texts_and_exit_codes);
    tcase_add_test(tests, test_clock_text_of_known_instants);
    tcase_add_test(tests, test_host_clock_does_not_go_back);
    tcase_add_test(tests, test_names_round_trip);
    tcase_add_test(tests, test_unknown_names_leave_the_result_alone);
    tcase_add_test(tests, test_quaternion_rotates_as_its_matrix);
    tcase_add_test(tests, test_rotation_vector_round_trip);
    tcase_add_test(tests, test_product_applies_right_factor_first);
    tcase_add_test(tests, test_between_opposite_vectors);
    tcase_add_test(tests, test_interpolation_takes_the_shorter_arc);
    tcase_add_test(tests, test_bad_quaternions_become_identity);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

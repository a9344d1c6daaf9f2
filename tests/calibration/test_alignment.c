#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "calibration/alignment.h"

static const double STEP_S = 0.01;

/* A unit worn 20 deg off its nominal place, about an axis across all others. */
static struct quaternion mounting(enum role role)
{
    struct vector3 axis = vector3_normalise((struct vector3){1.0, 2.0, -1.5});
    return quaternion_multiply(quaternion_from_axis_angle(axis, 20.0 * RAD_PER_DEG),
                               calibration_nominal(role));
}

static struct alignment begin(enum role role)
{
    struct alignment_settings settings = alignment_default_settings;
    settings.nominal = calibration_nominal(role);
    struct alignment alignment;
    alignment_init(&alignment, &settings);
    return alignment;
}

/* Upright stance with a deterministic wobble of the rates. */
static void stand(struct alignment *alignment, struct quaternion mount, unsigned count,
                  double wobble_rad_s, double bias_rad_s)
{
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(mount), (struct vector3){0, 1, 0});
    for (unsigned i = 0; i < count; i++) {
        double wobble = i % 2 == 0 ? wobble_rad_s : -wobble_rad_s;
        struct inertial sample = {
            .time_s = i * STEP_S,
            .gyro_rad_s = {bias_rad_s + wobble, bias_rad_s - wobble, bias_rad_s},
            .accel_m_s2 = vector3_scale(up, GRAVITY_M_S2)};
        alignment_update_still(alignment, &sample);
    }
}

/* Forward and back about an axis of the segment, half a second each way, count times. */
static void bend(struct alignment *alignment, struct quaternion mount, struct vector3 turn,
                 unsigned count)
{
    for (unsigned i = 0; i < 100 * count; i++) {
        bool outward = i % 100 < 50;
        struct vector3 rate = vector3_scale(turn, outward ? 0.8 : -0.8);
        struct inertial sample = {.gyro_rad_s =
                                      quaternion_rotate(quaternion_conjugate(mount), rate)};
        alignment_update_move(alignment, &sample, outward);
    }
}

START_TEST(test_nominal_axes)
{
    struct quaternion back = calibration_nominal(ROLE_PELVIS_DORSAL);
    struct quaternion front = calibration_nominal(ROLE_STERNUM);
    struct vector3 label_back = quaternion_rotate(back, (struct vector3){0, 0, 1});
    struct vector3 label_front = quaternion_rotate(front, (struct vector3){0, 0, 1});
    struct vector3 arrow = quaternion_rotate(back, (struct vector3){0, 1, 0});
    ck_assert_double_eq_tol(label_back.x, -1.0, 1e-12);
    ck_assert_double_eq_tol(label_front.x, 1.0, 1e-12);
    ck_assert_double_eq_tol(arrow.y, 1.0, 1e-12);
}

END_TEST

/* Exact data: the mounting comes back to rounding. */
START_TEST(test_functional_finds_any_mounting)
{
    const enum role roles[] = {ROLE_THORAX_DORSAL, ROLE_PELVIS_VENTRAL};

    for (unsigned i = 0; i < 2; i++) {
        struct alignment alignment = begin(roles[i]);
        stand(&alignment, mounting(roles[i]), 300, 0.002, 0.0);
        bend(&alignment, mounting(roles[i]), (struct vector3){0, 0, -1}, 3);
        struct calibration_alignment out;
        ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_OK);
        ck_assert_double_lt(quaternion_angle(out.sensor_to_segment, mounting(roles[i])),
                            1e-6);
        ck_assert_int_eq(out.grade, 'A');
        ck_assert_double_gt(out.explained, 0.999);
        ck_assert_double_lt(out.uncertainty_rad[1], 1.0 * RAD_PER_DEG);
    }
}

END_TEST

/* The axis leans 10 deg: usable, but not the best grade; gravity stays exact. */
START_TEST(test_leaning_axis_is_grade_b)
{
    struct quaternion mount = mounting(ROLE_THORAX_DORSAL);
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 300, 0.002, 0.0);
    bend(&alignment, mount,
         (struct vector3){0, sin(10.0 * RAD_PER_DEG), -cos(10.0 * RAD_PER_DEG)}, 3);
    struct calibration_alignment out;
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_OK);
    ck_assert_int_eq(out.grade, 'B');
    ck_assert_double_lt(quaternion_angle(out.sensor_to_segment, mount), 1e-6);
}

END_TEST

START_TEST(test_without_move_gravity_only)
{
    struct quaternion mount = mounting(ROLE_THORAX_DORSAL);
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 300, 0.002, 0.0);
    struct calibration_alignment out;
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_OK);
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(mount), (struct vector3){0, 1, 0});
    ck_assert_double_eq_tol(quaternion_rotate(out.sensor_to_segment, up).y, 1.0, 1e-9);
    ck_assert_int_eq(out.grade, 'C');
    ck_assert_double_eq_tol(out.uncertainty_rad[1], 10.0 * RAD_PER_DEG, 1e-9);
    ck_assert_ptr_nonnull(strstr(out.reason, "placement guide"));
}

END_TEST

START_TEST(test_round_move_is_not_used)
{
    struct quaternion mount = mounting(ROLE_THORAX_DORSAL);
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 300, 0.002, 0.0);
    bend(&alignment, mount, (struct vector3){0, 0, -1}, 3);
    bend(&alignment, mount, (struct vector3){1, 0, 0}, 3);
    struct calibration_alignment out;
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_OK);
    ck_assert_int_eq(out.grade, 'C');
    ck_assert_double_eq_tol(out.explained, 0.5, 1e-6);
}

END_TEST

START_TEST(test_refusals)
{
    struct calibration_alignment out = {.grade = 'x'};
    struct quaternion mount = mounting(ROLE_THORAX_DORSAL);
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 99, 0.0, 0.0);
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_NOT_READY);
    alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 300, 1.0 * RAD_PER_DEG, 0.0);
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    /* Upside down. */
    struct quaternion wrong = quaternion_multiply(
        quaternion_from_axis_angle((struct vector3){1, 0, 0}, 170.0 * RAD_PER_DEG),
        calibration_nominal(ROLE_THORAX_DORSAL));
    alignment = begin(ROLE_THORAX_DORSAL);
    stand(&alignment, wrong, 300, 0.0, 0.0);
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    ck_assert_int_eq(out.grade, 'x'); /* untouched on failure */
}

END_TEST

/* A unit on the back worn with its x up: turned by 90 deg on its label. What fits gravity
 * with the label outward is in use, and is called wrong all the same. */
START_TEST(test_turned_on_its_label)
{
    struct alignment alignment = begin(ROLE_PELVIS_DORSAL);
    struct quaternion quarter =
        quaternion_from_axis_angle((struct vector3){1.0, 0.0, 0.0}, 90.0 * RAD_PER_DEG);
    struct quaternion mount =
        quaternion_multiply(quarter, calibration_nominal(ROLE_PELVIS_DORSAL));
    stand(&alignment, mount, 500, 0.001, 0.0);
    struct calibration_alignment out = {.grade = '\0'};
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    ck_assert_int_eq(out.grade, 'F');
    ck_assert_str_eq(out.reason, "worn turned by 90 deg; label side taken as outward");
    /* Exact up to rounding: gravity is exact, and the label kept its side. */
    ck_assert_double_lt(quaternion_angle(out.sensor_to_segment, mount), 1e-6);
    /* A bend about the axis that this placement expects changes nothing. */
    bend(&alignment, mount, alignment_default_settings.turn_in_segment, 3);
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    ck_assert_int_eq(out.grade, 'F');
    ck_assert_double_lt(quaternion_angle(out.sensor_to_segment, mount), 1e-6);
}

END_TEST

/* Turned, and bending about an axis that the label's side does not explain: nothing is
 * believed. So is a unit upside down. */
START_TEST(test_turned_and_contradicted)
{
    struct alignment alignment = begin(ROLE_PELVIS_DORSAL);
    struct quaternion quarter =
        quaternion_from_axis_angle((struct vector3){1.0, 0.0, 0.0}, 90.0 * RAD_PER_DEG);
    struct quaternion mount =
        quaternion_multiply(quarter, calibration_nominal(ROLE_PELVIS_DORSAL));
    stand(&alignment, mount, 500, 0.001, 0.0);
    bend(&alignment, mount, (struct vector3){1.0, 0.0, 0.0}, 3);
    struct calibration_alignment out = {.grade = '?'};
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    ck_assert_int_eq(out.grade, '?');

    alignment = begin(ROLE_PELVIS_DORSAL);
    struct quaternion over =
        quaternion_from_axis_angle((struct vector3){1.0, 0.0, 0.0}, 160.0 * RAD_PER_DEG);
    stand(&alignment, quaternion_multiply(over, calibration_nominal(ROLE_PELVIS_DORSAL)),
          500, 0.001, 0.0);
    ck_assert_int_eq(alignment_solve(&alignment, &out), STATUS_REFUSED);
    ck_assert_int_eq(out.grade, '?');
}

END_TEST

START_TEST(test_bias_with_its_doubt)
{
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    double bias[3];
    double error[3];
    ck_assert_int_eq(alignment_bias_get(&alignment, bias, error), STATUS_NOT_READY);
    stand(&alignment, calibration_nominal(ROLE_THORAX_DORSAL), 400, 0.002, 0.01);
    ck_assert_int_eq(alignment_bias_get(&alignment, bias, error), STATUS_OK);
    ck_assert_double_eq_tol(bias[0], 0.01, 1e-9);
    /* White wobble: SD over the root of the count. */
    ck_assert_double_eq_tol(error[0], 0.002 / 20.0, 0.0001 / 20.0);
    ck_assert_double_eq_tol(error[2], 0.0, 1e-9);
}

END_TEST

START_TEST(test_nan_is_left_out)
{
    struct alignment alignment = begin(ROLE_THORAX_DORSAL);
    struct quaternion mount = mounting(ROLE_THORAX_DORSAL);
    stand(&alignment, mount, 200, 0.002, 0.0);
    struct inertial broken = {.gyro_rad_s = {(double)NAN, 0, 0}, .accel_m_s2 = {0, 9.8, 0}};
    alignment_update_still(&alignment, &broken);
    alignment_update_move(&alignment, &broken, true);
    ck_assert_uint_eq(alignment.still_count, 200);
    ck_assert_uint_eq(alignment.move_count, 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("alignment");
    TCase *group = tcase_create("alignment");
    tcase_add_test(group, test_nominal_axes);
    tcase_add_test(group, test_functional_finds_any_mounting);
    tcase_add_test(group, test_leaning_axis_is_grade_b);
    tcase_add_test(group, test_without_move_gravity_only);
    tcase_add_test(group, test_round_move_is_not_used);
    tcase_add_test(group, test_refusals);
    tcase_add_test(group, test_turned_on_its_label);
    tcase_add_test(group, test_turned_and_contradicted);
    tcase_add_test(group, test_bias_with_its_doubt);
    tcase_add_test(group, test_nan_is_left_out);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

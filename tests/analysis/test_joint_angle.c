#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/joint_angle.h"
#include "base/units.h"

/* Test vectors are printed with six digits. */
static const double PRINTED = 2e-6;

static struct quaternion about(double x, double y, double z, double angle_deg)
{
    return quaternion_from_axis_angle((struct vector3){x, y, z}, angle_deg * RAD_PER_DEG);
}

/* A person facing east, upright: X forward = east, Y up, Z right = south. */
static struct quaternion upright(void)
{
    return about(1, 0, 0, 90.0);
}

/* Clinical reference 3.10: flexion 50, right bend 10, left rotation 5. */
START_TEST(test_vector_quaternion)
{
    struct quaternion distal = {0.903606, 0.097279, 0.002584, -0.417164};
    struct joint_angle angle =
        joint_angle_trunk(QUATERNION_IDENTITY, quaternion_normalise(distal));
    ck_assert_double_eq_tol(angle.flexion_rad, 50.0 * RAD_PER_DEG, PRINTED);
    ck_assert_double_eq_tol(angle.lateral_right_rad, 10.0 * RAD_PER_DEG, PRINTED);
    ck_assert_double_eq_tol(angle.rotation_right_rad, -5.0 * RAD_PER_DEG, PRINTED);
}

END_TEST

START_TEST(test_vector_matrix)
{
    static const double matrix[3][3] = {{0.651935, 0.754407, -0.076493},
                                        {-0.753401, 0.633022, -0.177959},
                                        {-0.085832, 0.173648, 0.981060}};
    struct joint_angle angle =
        joint_angle_trunk(QUATERNION_IDENTITY, quaternion_from_matrix(matrix));
    ck_assert_double_eq_tol(angle.flexion_rad, 50.0 * RAD_PER_DEG, PRINTED);
    ck_assert_double_eq_tol(angle.lateral_right_rad, 10.0 * RAD_PER_DEG, PRINTED);
    ck_assert_double_eq_tol(angle.rotation_right_rad, -5.0 * RAD_PER_DEG, PRINTED);
}

END_TEST

/* The same angles in the order Rz Ry Rx read differently: the order is ZXY (3.10). */
START_TEST(test_vector_other_order)
{
    struct quaternion distal =
        quaternion_multiply(about(0, 0, 1, -50.0),
                            quaternion_multiply(about(0, 1, 0, 5.0), about(1, 0, 0, 10.0)));
    struct joint_angle angle = joint_angle_trunk(QUATERNION_IDENTITY, distal);
    ck_assert_double_eq_tol(angle.flexion_rad * DEG_PER_RAD, 50.88, 0.005);
    ck_assert_double_eq_tol(angle.lateral_right_rad * DEG_PER_RAD, 9.96, 0.005);
    ck_assert_double_eq_tol(angle.rotation_right_rad * DEG_PER_RAD, -5.08, 0.005);
}

END_TEST

/* Turning the whole body changes no joint angle. */
START_TEST(test_joint_ignores_the_room)
{
    struct quaternion room = about(0.6, 0.0, 0.8, 73.0);
    struct quaternion pelvis = about(0, 1, 0, 12.0);
    struct quaternion thorax = quaternion_multiply(pelvis, about(0, 0, 1, -40.0));
    struct joint_angle a = joint_angle_trunk(pelvis, thorax);
    struct joint_angle b = joint_angle_trunk(quaternion_multiply(room, pelvis),
                                             quaternion_multiply(room, thorax));
    ck_assert_double_eq_tol(a.flexion_rad, 40.0 * RAD_PER_DEG, 1e-12);
    ck_assert_double_eq_tol(b.flexion_rad, a.flexion_rad, 1e-12);
    ck_assert_double_eq_tol(b.lateral_right_rad, a.lateral_right_rad, 1e-12);
}

END_TEST

START_TEST(test_hip_sign)
{
    /* Thigh forward: its Y axis (towards the hip) tips backward, +a about Z. */
    struct joint_angle angle = joint_angle_hip(QUATERNION_IDENTITY, about(0, 0, 1, 110.0));
    ck_assert_double_eq_tol(angle.flexion_rad, 110.0 * RAD_PER_DEG, 1e-12);
}

END_TEST

START_TEST(test_inclination_postures)
{
    const double leans_deg[] = {0.0, 30.0, 90.0, 140.0, -90.0};
    for (unsigned i = 0; i < 5; i++) {
        /* Leaning forward is -angle about the axis to the right. */
        struct quaternion body =
            quaternion_multiply(upright(), about(0, 0, 1, -leans_deg[i]));
        ck_assert_double_eq_tol(joint_angle_inclination(body), leans_deg[i] * RAD_PER_DEG,
                                1e-12);
        ck_assert_double_eq_tol(joint_angle_side_inclination(body), 0.0, 1e-12);
    }
    struct quaternion right = quaternion_multiply(upright(), about(1, 0, 0, 20.0));
    ck_assert_double_eq_tol(joint_angle_side_inclination(right), 20.0 * RAD_PER_DEG, 1e-12);
}

END_TEST

START_TEST(test_roll_when_lying)
{
    struct quaternion supine = quaternion_multiply(upright(), about(0, 0, 1, 90.0));
    ck_assert_double_eq_tol(joint_angle_roll(supine), 0.0, 1e-12);
    /* On the back, turning to the right side is a right turn: -25 about the long axis. */
    struct quaternion rolled = quaternion_multiply(supine, about(0, 1, 0, -25.0));
    ck_assert_double_eq_tol(joint_angle_roll(rolled), 25.0 * RAD_PER_DEG, 1e-12);
}

END_TEST

START_TEST(test_heading_fix)
{
    for (int degrees = -170; degrees <= 170; degrees += 20) {
        struct quaternion body = quaternion_multiply(about(0, 0, 1, degrees), upright());
        struct quaternion fix = joint_angle_heading_fix(body);
        struct vector3 right =
            quaternion_rotate(quaternion_multiply(fix, body), (struct vector3){0, 0, 1});
        ck_assert_double_eq_tol(right.x, 1.0, 1e-12);
        ck_assert_double_eq_tol(fix.x, 0.0, 1e-12);
        ck_assert_double_eq_tol(fix.y, 0.0, 1e-12);
    }
    /* Lying on the side the axis is vertical: nothing to turn by. */
    struct quaternion side = quaternion_multiply(upright(), about(1, 0, 0, 88.0));
    ck_assert_double_eq_tol(joint_angle_heading_fix(side).w, 1.0, 1e-12);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("joint_angle");
    TCase *group = tcase_create("joint_angle");
    tcase_add_test(group, test_vector_quaternion);
    tcase_add_test(group, test_vector_matrix);
    tcase_add_test(group, test_vector_other_order);
    tcase_add_test(group, test_joint_ignores_the_room);
    tcase_add_test(group, test_hip_sign);
    tcase_add_test(group, test_inclination_postures);
    tcase_add_test(group, test_roll_when_lying);
    tcase_add_test(group, test_heading_fix);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

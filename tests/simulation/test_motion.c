/* Moves, and the skeleton they drive. */
#include "suites.h"

#include <math.h>

#include "base/units.h"
#include "simulation/body.h"
#include "simulation/choreography.h"
#include "simulation/motion.h"

START_TEST(move_is_minimum_jerk)
{
    struct motion motion;
    motion_init(&motion, 2.0);
    motion_move(&motion, 1.0, 4.0, 12.0);
    ck_assert_double_eq(motion_value(&motion, 0.5), 2.0);
    ck_assert_double_eq(motion_value(&motion, 5.0), 12.0);
    /* Rounding only: halfway in the middle, peak rate 1.875 A / T (clinical reference 2.5).
     */
    ck_assert_double_eq_tol(motion_value(&motion, 3.0), 7.0, 1e-12);
    ck_assert_double_eq_tol(motion_rate(&motion, 3.0), 1.875 * 10.0 / 4.0, 1e-12);
}

END_TEST

START_TEST(interrupted_move_has_no_step)
{
    struct motion motion;
    motion_init(&motion, 0.0);
    motion_move(&motion, 0.0, 3.0, 1.0);
    motion_move(&motion, 1.3, 2.0, -1.0);
    motion_stop(&motion, 2.0, 0.6);
    const double joins_s[] = {1.3, 2.0, 2.6};
    for (unsigned i = 0; i < 3; i++) {
        double before_s = joins_s[i] - 1e-7;
        double after_s = joins_s[i] + 1e-7;
        /* 2e-7 s at rates below 2 and accelerations below 10. */
        ck_assert_double_eq_tol(motion_value(&motion, before_s),
                                motion_value(&motion, after_s), 1e-6);
        ck_assert_double_eq_tol(motion_rate(&motion, before_s),
                                motion_rate(&motion, after_s), 1e-5);
    }
    ck_assert_double_eq(motion_rate(&motion, 2.7), 0.0);
}

END_TEST

START_TEST(old_moves_can_be_looked_back_to)
{
    struct motion motion;
    motion_init(&motion, 0.0);
    for (unsigned i = 0; i < 40; i++) {
        motion_move(&motion, i, 0.5, i + 1.0);
    }
    ck_assert_double_eq(motion_value(&motion, 30.9), 31.0);
    ck_assert_double_eq(motion_value(&motion, 100.0), 40.0);
}

END_TEST

static double segment_angle(enum channel channel, enum segment segment, double value_deg,
                            double (*angle)(struct quaternion))
{
    double channels[CHANNEL_COUNT] = {0.0};
    channels[channel] = value_deg * RAD_PER_DEG;
    return angle(body_segment(channels, segment, 0.7).orientation) * DEG_PER_RAD;
}

START_TEST(signs_are_those_of_the_reference)
{
    /* Exact but for rounding. */
    const double tolerance_deg = 1e-9;
    ck_assert_double_eq_tol(
        segment_angle(CHANNEL_PELVIS_PITCH, SEGMENT_PELVIS, 90.0, body_inclination), 90.0,
        tolerance_deg);
    ck_assert_double_eq_tol(
        segment_angle(CHANNEL_LUMBAR_FLEXION, SEGMENT_THORAX, 40.0, body_inclination), 40.0,
        tolerance_deg);
    ck_assert_double_eq_tol(
        segment_angle(CHANNEL_LUMBAR_LATERAL, SEGMENT_THORAX, 20.0, body_side_inclination),
        20.0, tolerance_deg);
    ck_assert_double_eq_tol(
        segment_angle(CHANNEL_HIP_FLEXION_L, SEGMENT_THIGH_L, 50.0, body_inclination),
        -50.0, tolerance_deg);
    double lying[CHANNEL_COUNT] = {0.0};
    lying[CHANNEL_PELVIS_PITCH] = -90.0 * RAD_PER_DEG;
    lying[CHANNEL_PELVIS_ROLL] = 25.0 * RAD_PER_DEG;
    struct quaternion pelvis = body_segment(lying, SEGMENT_PELVIS, -1.0).orientation;
    ck_assert_double_eq_tol(body_roll(pelvis) * DEG_PER_RAD, 25.0, tolerance_deg);
}

END_TEST

START_TEST(joint_angles_are_zxy_cardan)
{
    /* Flexion 50, right bend 10, left rotation 5: vector of the clinical reference 3.10,
     * given to six decimals. */
    double channels[CHANNEL_COUNT] = {0.0};
    channels[CHANNEL_PELVIS_PITCH] = 0.3;
    channels[CHANNEL_LUMBAR_FLEXION] = 50.0 * RAD_PER_DEG;
    channels[CHANNEL_LUMBAR_LATERAL] = 10.0 * RAD_PER_DEG;
    channels[CHANNEL_LUMBAR_ROTATION] = -5.0 * RAD_PER_DEG;
    struct quaternion q = quaternion_multiply(
        quaternion_conjugate(body_segment(channels, SEGMENT_PELVIS, 2.0).orientation),
        body_segment(channels, SEGMENT_THORAX, 2.0).orientation);
    double sign = q.w < 0.0 ? -1.0 : 1.0;
    ck_assert_double_eq_tol(sign * q.w, 0.903606, 1e-6);
    ck_assert_double_eq_tol(sign * q.x, 0.097279, 1e-6);
    ck_assert_double_eq_tol(sign * q.y, 0.002584, 1e-6);
    ck_assert_double_eq_tol(sign * q.z, -0.417164, 1e-6);
    struct vector3 cardan = body_cardan(q);
    ck_assert_double_eq_tol(-cardan.x, channels[CHANNEL_LUMBAR_FLEXION], 1e-12);
    ck_assert_double_eq_tol(cardan.y, channels[CHANNEL_LUMBAR_LATERAL], 1e-12);
    ck_assert_double_eq_tol(-cardan.z, channels[CHANNEL_LUMBAR_ROTATION], 1e-12);
}

END_TEST

START_TEST(mirror_twice_is_the_same)
{
    double channels[CHANNEL_COUNT];
    double mirrored[CHANNEL_COUNT];
    double again[CHANNEL_COUNT];
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        channels[i] = 0.1 * (i + 1);
    }
    body_mirror(channels, mirrored);
    ck_assert_double_eq(mirrored[CHANNEL_LUMBAR_ROTATION],
                        -channels[CHANNEL_LUMBAR_ROTATION]);
    ck_assert_double_eq(mirrored[CHANNEL_HIP_FLEXION_L], channels[CHANNEL_HIP_FLEXION_R]);
    body_mirror(mirrored, again);
    ck_assert_mem_eq(again, channels, sizeof channels);
}

END_TEST

START_TEST(moves_of_a_usual_person_stay_under_the_guard)
{
    /* Peak rate of a minimum-jerk move is 1.875 A / T; cautions of the clinical
     * reference 2.5: low back 30 deg/s sagittal and 20 deg/s axial or lateral, segments 60
     * deg/s. */
    unsigned count;
    const struct choreography *list = choreography_list(&count);
    for (unsigned i = 0; i < count; i++) {
        const double *start = list[i].start->value;
        const double *peak = list[i].peak->value;
        double rate = 1.875 / list[i].move_s;
        ck_assert_double_lt(
            fabs(peak[CHANNEL_LUMBAR_FLEXION] - start[CHANNEL_LUMBAR_FLEXION]) * rate,
            30.0);
        ck_assert_double_lt(
            fabs(peak[CHANNEL_LUMBAR_ROTATION] + peak[CHANNEL_UPPER_ROTATION]) * rate,
            20.0);
        ck_assert_double_lt(fabs(peak[CHANNEL_PELVIS_PITCH] + peak[CHANNEL_LUMBAR_FLEXION]
                                 - start[CHANNEL_PELVIS_PITCH]
                                 - start[CHANNEL_LUMBAR_FLEXION])
                                * rate,
                            60.0);
        if (list[i].high) {
            double half_rate = 1.875 / (list[i].cycle_s / 2.0);
            const double *high = list[i].high->value;
            const double *low = list[i].low->value;
            ck_assert_double_lt(
                fabs(high[CHANNEL_LUMBAR_FLEXION] - low[CHANNEL_LUMBAR_FLEXION])
                    * half_rate,
                30.0);
            ck_assert_double_lt(
                fabs(high[CHANNEL_LUMBAR_LATERAL] - low[CHANNEL_LUMBAR_LATERAL])
                    * half_rate,
                20.0);
        }
    }
}

END_TEST

START_TEST(unknown_stretches_are_not_found)
{
    ck_assert_ptr_null(choreography_find("handstand", "hold"));
    ck_assert_ptr_null(choreography_alignment("elbow"));
    ck_assert_str_eq(choreography_find("standing_forward_bend", "sway")->part, "sway");
    ck_assert_str_eq(choreography_find("bridge", "other")->part, "hold");
}

END_TEST

Suite *motion_suite(void)
{
    Suite *suite = suite_create("motion");
    TCase *tests = tcase_create("body");
    tcase_add_test(tests, move_is_minimum_jerk);
    tcase_add_test(tests, interrupted_move_has_no_step);
    tcase_add_test(tests, old_moves_can_be_looked_back_to);
    tcase_add_test(tests, signs_are_those_of_the_reference);
    tcase_add_test(tests, joint_angles_are_zxy_cardan);
    tcase_add_test(tests, mirror_twice_is_the_same);
    tcase_add_test(tests, moves_of_a_usual_person_stay_under_the_guard);
    tcase_add_test(tests, unknown_stretches_are_not_found);
    suite_add_tcase(suite, tests);
    return suite;
}

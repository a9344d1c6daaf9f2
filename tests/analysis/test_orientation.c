#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "analysis/orientation.h"
#include "base/units.h"

/* Deterministic numbers, about normal with SD 1 (sum of 12 uniform ones). */
static double noise(uint64_t *state)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*state >> 11) / 9007199254740992.0;
    }
    return sum;
}

/* A unit on a rocking body: sensor to earth at a time; still for the first 5 s. */
static struct quaternion truth(double time_s)
{
    double t = fmax(0.0, time_s - 5.0);
    struct quaternion pitch = quaternion_from_axis_angle(
        (struct vector3){0.0, 1.0, 0.0}, 50.0 * RAD_PER_DEG * (1.0 - cos(1.2 * t)) / 2.0);
    struct quaternion roll = quaternion_from_axis_angle((struct vector3){1.0, 0.0, 0.0},
                                                        20.0 * RAD_PER_DEG * sin(0.7 * t));
    struct quaternion yaw = quaternion_from_axis_angle((struct vector3){0.0, 0.0, 1.0},
                                                       30.0 * RAD_PER_DEG * sin(0.4 * t));
    return quaternion_multiply(yaw, quaternion_multiply(pitch, roll));
}

/* What an x-IMU3 would say: mean rate over the step, gravity, noise, bias. */
struct unit {
    double step_s;
    struct vector3 bias_rad_s;
    double noise; /* 1 = realistic: 0.1 deg/s, 3 mg */
    uint64_t random;
};

static struct vector3 shake(struct unit *unit, struct vector3 v, double scale)
{
    return vector3_add(v, (struct vector3){scale * unit->noise * noise(&unit->random),
                                           scale * unit->noise * noise(&unit->random),
                                           scale * unit->noise * noise(&unit->random)});
}

static struct inertial unit_sample(struct unit *unit, double time_s)
{
    struct quaternion before = truth(time_s - unit->step_s);
    struct quaternion now = truth(time_s);
    struct vector3 turn =
        quaternion_to_rotation(quaternion_multiply(quaternion_conjugate(before), now));
    struct vector3 rate =
        vector3_add(vector3_scale(turn, 1.0 / unit->step_s), unit->bias_rad_s);
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(now), (struct vector3){0, 0, 1});
    return (struct inertial){.time_s = time_s,
                             .gyro_rad_s = shake(unit, rate, 0.1 * RAD_PER_DEG),
                             .accel_m_s2 =
                                 shake(unit, vector3_scale(up, GRAVITY_M_S2), 0.03)};
}

/* Angle between the estimated and the true vertical. */
static double tilt_error(const struct orientation *orientation, double time_s)
{
    struct vector3 up = {0.0, 0.0, 1.0};
    struct vector3 seen =
        quaternion_rotate(quaternion_conjugate(orientation_get(orientation)), up);
    struct vector3 real = quaternion_rotate(quaternion_conjugate(truth(time_s)), up);
    return atan2(vector3_norm(vector3_cross(seen, real)), vector3_dot(seen, real));
}

static struct orientation begin(void)
{
    struct orientation orientation;
    orientation_init(&orientation, &orientation_default_settings);
    return orientation;
}

/* Right from the first sample: the start posture may be any. */
START_TEST(test_first_second)
{
    struct unit unit = {.step_s = 0.01, .noise = 1.0, .random = 1};
    struct orientation orientation = begin();
    for (unsigned k = 0; k < 100; k++) {
        struct inertial sample = unit_sample(&unit, k * 0.01);
        orientation_update(&orientation, &sample);
        /* 3 mg of noise are 0.2 deg; three of them in the first sample, less later. */
        ck_assert_double_lt(tilt_error(&orientation, k * 0.01), 0.8 * RAD_PER_DEG);
    }
    ck_assert_double_lt(tilt_error(&orientation, 0.99), 0.1 * RAD_PER_DEG);
}

END_TEST

/* Inclination within 0.5 deg at 50 Hz to 1 kHz, with a bias of 0.4 deg/s found at rest. */
START_TEST(test_tilt_at_all_rates)
{
    const double rates_hz[] = {50.0, 100.0, 400.0, 1000.0};
    struct unit unit = {.step_s = 1.0 / rates_hz[_i],
                        .bias_rad_s = {0.4 * RAD_PER_DEG, -0.3 * RAD_PER_DEG, 0.0},
                        .noise = 1.0,
                        .random = 2};
    struct orientation orientation = begin();
    double square = 0.0;
    unsigned count = 0;
    for (unsigned k = 0; k < 60.0 * rates_hz[_i]; k++) {
        struct inertial sample = unit_sample(&unit, k * unit.step_s);
        orientation_update(&orientation, &sample);
        if (sample.time_s > 5.0) {
            double error = tilt_error(&orientation, sample.time_s);
            square += error * error;
            count++;
        }
    }
    ck_assert_double_lt(sqrt(square / count), 0.5 * RAD_PER_DEG);
}

END_TEST

/* Five seconds of rest find the bias; a minute later the heading is off by under 2 deg, and
 * the stated doubt covers it without being idle. */
START_TEST(test_heading_after_rest)
{
    struct unit unit = {.step_s = 0.01,
                        .bias_rad_s = {0.0, 0.2 * RAD_PER_DEG, 0.5 * RAD_PER_DEG},
                        .noise = 1.0,
                        .random = 3};
    struct orientation orientation = begin();
    struct quaternion offset = QUATERNION_IDENTITY;
    for (unsigned k = 0; k < 6500; k++) {
        struct inertial sample = unit_sample(&unit, k * 0.01);
        orientation_update(&orientation, &sample);
        if (k == 500) {
            orientation_heading_reset(&orientation);
            ck_assert(orientation_is_rest(&orientation));
            offset = quaternion_multiply(orientation_get(&orientation),
                                         quaternion_conjugate(truth(5.0)));
        }
    }
    struct quaternion error = quaternion_multiply(
        orientation_get(&orientation),
        quaternion_conjugate(quaternion_multiply(offset, truth(64.99))));
    double heading_error = fabs(2.0 * atan2(error.z, error.w));
    heading_error = fmin(heading_error, 2.0 * PI_RAD - heading_error);
    ck_assert_double_lt(heading_error, 2.0 * RAD_PER_DEG);
    double stated = orientation_heading_error_rad(&orientation);
    ck_assert_double_lt(heading_error, 3.0 * stated);
    ck_assert_double_lt(stated, 3.0 * RAD_PER_DEG);
}

END_TEST

/* Turning the recording turns the result: rates and accelerations in other sensor axes. */
START_TEST(test_other_axes_turn_the_result)
{
    struct quaternion turn = quaternion_from_rotation((struct vector3){0.7, -1.1, 0.4});
    struct unit unit = {.step_s = 0.01, .noise = 1.0, .random = 4};
    struct orientation plain = begin();
    struct orientation turned = begin();
    struct quaternion offset = QUATERNION_IDENTITY;
    for (unsigned k = 0; k < 3000; k++) {
        struct inertial sample = unit_sample(&unit, k * 0.01);
        struct inertial other = sample;
        other.gyro_rad_s = quaternion_rotate(turn, sample.gyro_rad_s);
        other.accel_m_s2 = quaternion_rotate(turn, sample.accel_m_s2);
        orientation_update(&plain, &sample);
        orientation_update(&turned, &other);
        struct quaternion back = quaternion_multiply(orientation_get(&turned), turn);
        if (k == 0) {
            offset =
                quaternion_multiply(back, quaternion_conjugate(orientation_get(&plain)));
        }
        struct quaternion expected = quaternion_multiply(offset, orientation_get(&plain));
        /* Clipping works by axis, so not exact; far below any error of the sensor. */
        ck_assert_double_lt(quaternion_angle(back, expected), 0.02 * RAD_PER_DEG);
    }
    ck_assert_double_lt(fabs(offset.x) + fabs(offset.y), 1e-9); /* heading only */
}

END_TEST

START_TEST(test_bias_is_forgotten_after_settling)
{
    struct unit clean = {.step_s = 0.01, .noise = 1.0, .random = 5};
    struct unit biased = clean;
    biased.bias_rad_s = (struct vector3){0.3 * RAD_PER_DEG, 0.3 * RAD_PER_DEG, 0.0};
    struct orientation a = begin();
    struct orientation b = begin();
    for (unsigned k = 0; k < 6000; k++) {
        struct inertial sample_a = unit_sample(&clean, k * 0.01);
        struct inertial sample_b = unit_sample(&biased, k * 0.01);
        orientation_update(&a, &sample_a);
        orientation_update(&b, &sample_b);
        if (k > 1500) {
            ck_assert_double_lt(fabs(tilt_error(&a, k * 0.01) - tilt_error(&b, k * 0.01)),
                                0.1 * RAD_PER_DEG);
        }
    }
}

END_TEST

/* Uneven steps: every sample early or late by up to 4 ms. */
START_TEST(test_uneven_steps)
{
    struct unit unit = {.step_s = 0.01, .random = 6};
    struct orientation orientation = begin();
    double time_s = 0.0;
    for (unsigned k = 0; k < 3000; k++) {
        unit.step_s = 0.006 + 0.008 * (double)(k * 7919 % 100) / 100.0;
        time_s += unit.step_s;
        struct inertial sample = unit_sample(&unit, time_s);
        orientation_update(&orientation, &sample);
        ck_assert_double_lt(tilt_error(&orientation, time_s), 0.3 * RAD_PER_DEG);
    }
}

END_TEST

/* A gap of 2 s in motion: inclination at once from gravity, heading doubt larger, no NaN.
 */
START_TEST(test_gap)
{
    struct unit unit = {.step_s = 0.01, .noise = 1.0, .random = 8};
    struct orientation orientation = begin();
    double doubt = 0.0;
    for (unsigned k = 0; k < 1500; k++) {
        if (k == 800) {
            doubt = orientation_heading_error_rad(&orientation);
            k = 1000;
        }
        struct inertial sample = unit_sample(&unit, k * 0.01);
        orientation_update(&orientation, &sample);
        ck_assert(quaternion_is_finite(orientation_get(&orientation)));
        ck_assert_double_lt(tilt_error(&orientation, k * 0.01), 1.0 * RAD_PER_DEG);
    }
    ck_assert_double_gt(orientation_heading_error_rad(&orientation), doubt + 0.1);
}

END_TEST

START_TEST(test_bad_samples_never_show)
{
    struct unit unit = {.step_s = 0.01, .random = 9};
    struct orientation orientation = begin();
    ck_assert_double_eq(orientation_get(&orientation).w, 1.0);
    for (unsigned k = 0; k < 2000; k++) {
        struct inertial sample = unit_sample(&unit, k * 0.01);
        switch (k % 50) {
        case 7:
            sample.accel_m_s2 = (struct vector3){0.0, 0.0, 0.0};
            break;
        case 17:
            sample.accel_m_s2.y = (double)NAN;
            break;
        case 27:
            sample.gyro_rad_s.x = (double)NAN;
            break;
        case 37:
            sample.time_s -= 1.0;
            break;
        case 47:
            sample.gyro_rad_s.z = (double)INFINITY;
            break;
        default:
            break;
        }
        orientation_update(&orientation, &sample);
        ck_assert(quaternion_is_finite(orientation_get(&orientation)));
        ck_assert(isfinite(orientation_tilt_error_rad(&orientation)));
        /* A step bridged with the rate of its end costs up to 0.1 deg at 30 deg/s. */
        ck_assert_double_lt(tilt_error(&orientation, k * 0.01), 1.0 * RAD_PER_DEG);
    }
}

END_TEST

/* A stuck unit and one at full scale: nonsense in, finite and unit length out. */
START_TEST(test_stuck_and_saturated)
{
    struct orientation orientation = begin();
    for (unsigned k = 0; k < 3000; k++) {
        double rate = k < 1000 ? 0.3 : 2000.0 * RAD_PER_DEG;
        struct inertial sample = {.time_s = k * 0.01,
                                  .gyro_rad_s = {rate, -rate, rate},
                                  .accel_m_s2 = {156.9, -156.9, 156.9}};
        orientation_update(&orientation, &sample);
        struct quaternion q = orientation_get(&orientation);
        ck_assert_double_eq_tol(q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z, 1.0, 1e-9);
    }
    ck_assert_double_gt(orientation_tilt_error_rad(&orientation), 0.5);
}

END_TEST

START_TEST(test_known_bias)
{
    struct orientation orientation = begin();
    orientation_bias_set(&orientation, (struct vector3){0.01, -0.02, 0.0}, 0.0005);
    struct inertial sample = {.gyro_rad_s = {0.01, -0.02, 0.1}};
    struct vector3 rate = orientation_rate(&orientation, &sample);
    ck_assert_double_eq_tol(
        vector3_norm(vector3_subtract(rate, (struct vector3){0, 0, 0.1})), 0.0, 1e-15);
    /* A second opinion with the same doubt meets in the middle. */
    const double other[3] = {0.02, -0.02, 0.0};
    const double error[3] = {0.0005, 0.0005, 0.0005};
    orientation_bias_merge(&orientation, other, error);
    ck_assert_double_eq_tol(orientation_rate(&orientation, &sample).x, -0.005, 1e-9);
    /* The bias lives through an interruption, the heading doubt grows. */
    orientation_restart(&orientation);
    ck_assert_double_eq_tol(orientation_rate(&orientation, &sample).x, -0.005, 1e-9);
    ck_assert_double_ge(orientation_heading_error_rad(&orientation), 9.9 * RAD_PER_DEG);
}

END_TEST

/* A bias of 0.2 deg/s about the vertical that shows as a turn in 40 s, known to 0.7 deg:
 * the rest of the bias after merging is what the Kalman weight leaves of it (0.5 against
 * 0.018 deg/s: a share of 0.0013, tolerance ten times that). */
START_TEST(test_drift_is_learnt)
{
    struct orientation orientation;
    orientation_init(&orientation, &orientation_default_settings);
    for (unsigned i = 0; i < 10; i++) {
        struct inertial sample = {.time_s = i * 0.01,
                                  .accel_m_s2 = {0.0, GRAVITY_M_S2, 0.0}};
        orientation_update(&orientation, &sample);
    }
    double drift_rad_s = 0.2 * RAD_PER_DEG;
    orientation_drift_merge(&orientation, drift_rad_s, 0.7 * RAD_PER_DEG / 40.0);
    ck_assert_double_eq_tol(orientation.bias_rad_s[0], 0.0, 0.01 * drift_rad_s);
    ck_assert_double_eq_tol(orientation.bias_rad_s[1], drift_rad_s, 0.015 * drift_rad_s);
    ck_assert_double_eq_tol(orientation.bias_rad_s[2], 0.0, 0.01 * drift_rad_s);
    double before_rad_s = orientation.bias_rad_s[1];
    orientation_drift_merge(&orientation, -drift_rad_s, 100.0 * RAD_PER_DEG);
    ck_assert_double_eq_tol(orientation.bias_rad_s[1], before_rad_s, 0.001 * drift_rad_s);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("orientation");
    TCase *group = tcase_create("orientation");
    tcase_set_timeout(group, 30);
    tcase_add_test(group, test_first_second);
    tcase_add_loop_test(group, test_tilt_at_all_rates, 0, 4);
    tcase_add_test(group, test_heading_after_rest);
    tcase_add_test(group, test_other_axes_turn_the_result);
    tcase_add_test(group, test_bias_is_forgotten_after_settling);
    tcase_add_test(group, test_uneven_steps);
    tcase_add_test(group, test_gap);
    tcase_add_test(group, test_bad_samples_never_show);
    tcase_add_test(group, test_stuck_and_saturated);
    tcase_add_test(group, test_known_bias);
    tcase_add_test(group, test_drift_is_learnt);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

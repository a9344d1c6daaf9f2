#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "calibration/calibration.h"

/* Samples are floats: 24 bits, so a part in 1e6 of the value. */
static const double FLOAT_SHARE = 1e-6;

START_TEST(test_units)
{
    struct sample sample = {.channel_count = 6,
                            .flags = SAMPLE_CLIPPED,
                            .values = {180.0F, -90.0F, 1.0F, 0.0F, 0.5F, -1.0F}};
    struct inertial inertial = calibration_apply_imu(&calibration_imu_default, &sample);
    ck_assert_double_eq_tol(inertial.gyro_rad_s.x, PI_RAD, FLOAT_SHARE);
    ck_assert_double_eq_tol(inertial.gyro_rad_s.y, -PI_RAD / 2.0, FLOAT_SHARE);
    ck_assert_double_eq_tol(inertial.accel_m_s2.y, 0.5 * GRAVITY_M_S2, FLOAT_SHARE);
    ck_assert_double_eq_tol(inertial.accel_m_s2.z, -GRAVITY_M_S2, 10.0 * FLOAT_SHARE);
    ck_assert_uint_eq(inertial.flags, SAMPLE_CLIPPED);
}

END_TEST

/* true = matrix * (measured - bias): bias first, matrix rows act on columns. */
START_TEST(test_bias_before_matrix)
{
    struct calibration_imu calibration = calibration_imu_default;
    calibration.accel_bias_m_s2[0] = GRAVITY_M_S2;
    calibration.accel_matrix[1][0] = 2.0;
    struct sample sample = {.channel_count = 6, .values = {0, 0, 0, 3.0F, 1.0F, 0.0F}};
    struct inertial inertial = calibration_apply_imu(&calibration, &sample);
    ck_assert_double_eq_tol(inertial.accel_m_s2.x, 2.0 * GRAVITY_M_S2, 1e-5);
    ck_assert_double_eq_tol(inertial.accel_m_s2.y, 5.0 * GRAVITY_M_S2, 1e-5);
}

END_TEST

START_TEST(test_too_few_channels_give_nan)
{
    struct sample sample = {.channel_count = 3, .values = {1.0F, 1.0F, 1.0F}};
    struct inertial inertial = calibration_apply_imu(&calibration_imu_default, &sample);
    ck_assert(isnan(inertial.gyro_rad_s.x) && isnan(inertial.accel_m_s2.z));
}

END_TEST

START_TEST(test_flex_polynomial_and_range)
{
    struct calibration_flex flex = {.offset = 100.0,
                                    .scale = 100.0,
                                    .terms_rad = {0.1, 1.0, 0.5},
                                    .term_count = 3,
                                    .low = 100.0,
                                    .high = 300.0};
    bool flagged = true;
    /* x = 1: 0.1 + 1 + 0.5; exact but for rounding. */
    ck_assert_double_eq_tol(calibration_apply_flex(&flex, 200.0, &flagged), 1.6, 1e-12);
    ck_assert(!flagged);
    calibration_apply_flex(&flex, 319.0, &flagged); /* 9.5 % outside */
    ck_assert(!flagged);
    calibration_apply_flex(&flex, 321.0, &flagged);
    ck_assert(flagged);
    calibration_apply_flex(&flex, 79.0, &flagged);
    ck_assert(flagged);
}

END_TEST

START_TEST(test_flex_uncalibrated)
{
    struct calibration_flex flex = {.term_count = 0};
    bool flagged = false;
    ck_assert(isnan(calibration_apply_flex(&flex, 1.0, &flagged)));
    ck_assert(flagged);
    flex = (struct calibration_flex){.term_count = 2, .scale = 0.0};
    ck_assert(isnan(calibration_apply_flex(&flex, 1.0, &flagged)));
    flex = (struct calibration_flex){.term_count = 2, .scale = 1.0, .high = 1.0};
    ck_assert(isnan(calibration_apply_flex(&flex, (double)NAN, &flagged)));
    ck_assert(flagged);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("calibration");
    TCase *group = tcase_create("apply");
    tcase_add_test(group, test_units);
    tcase_add_test(group, test_bias_before_matrix);
    tcase_add_test(group, test_too_few_channels_give_nan);
    tcase_add_test(group, test_flex_polynomial_and_range);
    tcase_add_test(group, test_flex_uncalibrated);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

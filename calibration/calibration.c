#include "calibration/calibration.h"

#include <math.h>

#include "base/units.h"

/* A reading this far outside the calibrated range, as a share of it, is flagged (4.4). */
static const double FLEX_OUTSIDE_SHARE = 0.1;

const struct calibration_imu calibration_imu_default = {
    .gyro_matrix = {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}},
    .accel_matrix = {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}},
    .temperature_c = NAN,
};

/* matrix * (values * unit - bias) */
static struct vector3 correct(const float values[3], double unit, const double bias[3],
                              const double matrix[3][3])
{
    double out[3] = {0.0, 0.0, 0.0};
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 3; column++) {
            out[row] +=
                matrix[row][column] * ((double)values[column] * unit - bias[column]);
        }
    }
    return (struct vector3){out[0], out[1], out[2]};
}

struct inertial calibration_apply_imu(const struct calibration_imu *calibration,
                                      const struct sample *sample)
{
    if (sample->channel_count < 6) {
        struct vector3 none = {NAN, NAN, NAN};
        return (struct inertial){
            .gyro_rad_s = none, .accel_m_s2 = none, .flags = sample->flags};
    }
    return (struct inertial){
        .gyro_rad_s = correct(sample->values, RAD_PER_DEG, calibration->gyro_bias_rad_s,
                              calibration->gyro_matrix),
        .accel_m_s2 = correct(sample->values + 3, GRAVITY_M_S2,
                              calibration->accel_bias_m_s2, calibration->accel_matrix),
        .flags = sample->flags,
    };
}

double calibration_apply_flex(const struct calibration_flex *calibration, double reading,
                              bool *flagged)
{
    *flagged = true;
    if (calibration->term_count == 0 || calibration->term_count > CALIBRATION_FLEX_TERM_MAX
        || calibration->scale == 0.0 || !isfinite(reading)) {
        return NAN;
    }
    double margin = FLEX_OUTSIDE_SHARE * fabs(calibration->high - calibration->low);
    *flagged = reading < fmin(calibration->low, calibration->high) - margin
               || reading > fmax(calibration->low, calibration->high) + margin;
    double x = (reading - calibration->offset) / calibration->scale;
    double angle_rad = 0.0;
    for (unsigned term = calibration->term_count; term-- > 0;) {
        angle_rad = angle_rad * x + calibration->terms_rad[term];
    }
    return angle_rad;
}

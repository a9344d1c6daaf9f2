/* What turns the raw units of one sensor into SI units in the frame of its body segment.
 * Plain values with their doubt; any thread. */
#ifndef LIMBER_CALIBRATION_CALIBRATION_H
#define LIMBER_CALIBRATION_CALIBRATION_H

#include <stdbool.h>

#include "base/quaternion.h"
#include "base/sample.h"

/* Errors of an inertial unit: true = matrix * (measured - bias). */
struct calibration_imu {
    double gyro_bias_rad_s[3];
    double gyro_matrix[3][3];
    double accel_bias_m_s2[3];
    double accel_matrix[3][3];
    double temperature_c; /* NaN = unknown */
};

extern const struct calibration_imu calibration_imu_default; /* no bias, unit matrices */

enum {
    CALIBRATION_FLEX_TERM_MAX = 4
};

/* Flex strip: angle_rad = polynomial of the normalised reading (reading - offset) / scale.
 */
struct calibration_flex {
    double offset;
    double scale;
    double terms_rad[CALIBRATION_FLEX_TERM_MAX]; /* constant term first */
    unsigned term_count;                         /* 0 = not calibrated */
    double low; /* calibrated range of readings; outside by 10 % = flagged */
    double high;
    double residual_rad;
};

/* Sensor to segment: v_segment = rotate(sensor_to_segment, v_sensor). Segment axes: X
 * forward (anterior), Y up (cranial), Z to the right (ISB; Wu 2002). */
struct calibration_alignment {
    struct quaternion sensor_to_segment;
    double uncertainty_rad[3]; /* standard error of the rotation about segment X, Y, Z */
    double
        explained;   /* variance share of the first axis of the functional move, 0 = none */
    char grade;      /* 'A' best, 'B', 'C', 'F'; 'C' at best without a functional move */
    char reason[96]; /* why not better, "" */
};

/* An inertial sample in SI units and sensor frame. */
struct inertial {
    double time_s;
    struct vector3 gyro_rad_s;
    struct vector3 accel_m_s2;
    unsigned flags; /* of enum sample_flag */
};

/* Apply unit factors and errors to a STREAM_INERTIAL sample (deg/s, g). time_s is set to 0.
 */
struct inertial calibration_apply_imu(const struct calibration_imu *calibration,
                                      const struct sample *sample);

/* Angle of a flex reading, NaN if not calibrated.
 * @param flagged  Out: true outside the calibrated range by more than 10 % of it. */
double calibration_apply_flex(const struct calibration_flex *calibration, double reading,
                              bool *flagged);

#endif

/* Orientation of one inertial unit without magnetometer: strapdown gyroscope integration,
 * inclination corrected by low-passed acceleration in the almost-inertial frame (Laidig and Seel,
 * VQF, Information Fusion 91, 2023), gyroscope bias from rest. Heading is free and drifts; its
 * doubt is an output. Pure, no allocation; any thread. */
#ifndef LIMBER_ANALYSIS_ORIENTATION_H
#define LIMBER_ANALYSIS_ORIENTATION_H

#include <stdbool.h>

#include "calibration/calibration.h"

struct orientation_settings {
    double accel_time_constant_s;  /* trust in gyroscopes before gravity; default 3 s */
    double rest_gyro_rad_s;        /* deviation limit at rest; default 2 deg/s */
    double rest_accel_m_s2;        /* deviation limit at rest; default 0.5 */
    double rest_time_s;            /* still this long counts as rest; default 1.5 s */
    double bias_error_rad_s;       /* initial standard error of bias; default 0.5 deg/s */
    double bias_limit_rad_s;       /* largest believed bias; default 2 deg/s */
    double gyro_noise_rad_s_rthz;  /* noise density; default 0.014 deg/s/sqrt(Hz) */
};

extern const struct orientation_settings orientation_default_settings;

/* State is private to orientation.c; sized here so that callers can embed it. */
struct orientation {
    struct orientation_settings settings;
    struct quaternion gyro_quaternion;   /* sensor to almost-inertial frame */
    struct quaternion accel_quaternion;  /* almost-inertial frame to earth */
    struct vector3 bias_rad_s;
    double bias_variance;
    double heading_variance;
    double tilt_variance;
    double last_time_s;
    double start_time_s;
    struct vector3 accel_low_pass;
    double accel_filter_state[3][2];
    struct vector3 rest_gyro;
    struct vector3 rest_accel;
    double rest_since_s;
    bool is_rest;
    bool started;
};

void orientation_init(struct orientation *orientation,
                      const struct orientation_settings *settings);

/* Take one sample; uneven steps from 0.5 ms to 0.25 s are integrated as they are. After a longer
 * gap the inclination is found again from acceleration and the heading doubt grows by the gap.
 * NaN or zero acceleration is ignored; a NaN rate counts as a gap. Never gives NaN. */
void orientation_update(struct orientation *orientation, const struct inertial *sample);

/* Sensor to earth (Z up, heading free). Identity before the first sample. */
struct quaternion orientation_get(const struct orientation *orientation);

/* Rate freed of bias, sensor frame, of a sample. */
struct vector3 orientation_rate(const struct orientation *orientation,
                                const struct inertial *sample);

/* Known bias (from a calibration or a still window) with its standard error. */
void orientation_bias_set(struct orientation *orientation, struct vector3 bias_rad_s,
                          double error_rad_s);

/* Heading doubt starts again from zero (a start posture has just fixed it). */
void orientation_heading_reset(struct orientation *orientation);

/* Standard errors now, rad. */
double orientation_tilt_error_rad(const struct orientation *orientation);
double orientation_heading_error_rad(const struct orientation *orientation);

#endif

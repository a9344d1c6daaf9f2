/* Orientation of one inertial unit without magnetometer: strapdown gyroscope integration,
 * inclination corrected by low-passed acceleration in the almost-inertial frame (Laidig and
 * Seel, VQF, Information Fusion 91, 2023), gyroscope bias from rest and from that
 * correction. Heading is free and drifts; its doubt is an output. Pure, no allocation; any
 * thread. */
#ifndef LIMBER_ANALYSIS_ORIENTATION_H
#define LIMBER_ANALYSIS_ORIENTATION_H

#include <stdbool.h>

#include "calibration/calibration.h"

struct orientation_settings {
    double accel_time_constant_s; /* trust in gyroscopes before gravity; default 3 s */
    double rest_gyro_rad_s;       /* deviation limit at rest; default 2 deg/s */
    double rest_accel_m_s2;       /* deviation limit at rest; default 0.5 */
    double rest_time_s;           /* still this long counts as rest; default 1.5 s */
    double rest_sway_rad_s;  /* slow rates (SD) of what rests; a rest that turns more than
                              * this and the doubt of the bias allow (3 SD) is no rest;
                              * default 0: no such check */
    double bias_error_rad_s; /* initial standard error of bias; default 0.5 deg/s */
    double bias_limit_rad_s; /* largest believed bias; default 2 deg/s */
    double gyro_noise_rad_s_rthz; /* noise density; default 0.014 deg/s/sqrt(Hz) */
};

extern const struct orientation_settings orientation_default_settings;

/* State of a second-order low pass: band and low output of a state-variable filter. */
struct orientation_low_pass {
    double band;
    double low;
};

/* State is private to orientation.c; sized here so that callers can embed it. */
struct orientation {
    struct orientation_settings settings;
    struct quaternion gyro_quaternion;  /* sensor to almost-inertial frame */
    struct quaternion accel_quaternion; /* almost-inertial frame to earth */
    double bias_rad_s[3];
    double bias_covariance[3][3]; /* drives the estimate; (rad/s)^2 */
    double bias_variance;         /* doubt of the bias about the vertical; (rad/s)^2 */
    double tilt_variance;
    double heading_variance; /* white noise and gaps since the last reset */
    double heading_bias_rad; /* integral of the bias doubt since then */
    double heading_turn_rad; /* net turn about the vertical since then, for scale errors */
    double last_time_s;
    double average_s; /* age of the slow low passes, which start as plain means */
    unsigned average_count;
    struct orientation_low_pass accel[3];
    struct orientation_low_pass rotation[3][3];
    struct orientation_low_pass rotated_bias[2];
    double rest_average_s;
    unsigned rest_count;
    struct orientation_low_pass rest_gyro[3];
    struct orientation_low_pass rest_accel[3];
    double rest_s; /* how long the sensor has been still */
    bool started;
};

void orientation_init(struct orientation *orientation,
                      const struct orientation_settings *settings);

/* Take one sample; uneven steps from 0.5 ms to 0.25 s are integrated as they are. After a
 * longer gap the inclination is found again from acceleration and the heading doubt grows
 * by the gap. NaN or zero acceleration is ignored; a NaN rate counts as a gap. Never gives
 * NaN. */
void orientation_update(struct orientation *orientation, const struct inertial *sample);

/* The sensor was away: start again, keep the bias (with a doubt of at least 0.1 deg/s), add
 * 10 deg to the doubt of heading. */
void orientation_restart(struct orientation *orientation);

/* Sensor to earth (Z up, heading free). Identity before the first sample. */
struct quaternion orientation_get(const struct orientation *orientation);

/* Rate freed of bias, sensor frame, of a sample. */
struct vector3 orientation_rate(const struct orientation *orientation,
                                const struct inertial *sample);

/* Known bias (from a calibration or a still window) with its standard error. */
void orientation_bias_set(struct orientation *orientation, struct vector3 bias_rad_s,
                          double error_rad_s);

/* Take a bias measured elsewhere together with the one known here, each by its doubt. */
void orientation_bias_merge(struct orientation *orientation, const double bias_rad_s[3],
                            const double error_rad_s[3]);

/* The heading was seen to run away at this rate while nothing turned (a posture was taken
 * again): that much bias about the vertical is left. */
void orientation_drift_merge(struct orientation *orientation, double rate_rad_s,
                             double error_rad_s);

/* True while the sensor lies still (longer than rest_time_s). */
bool orientation_is_rest(const struct orientation *orientation);

/* Heading doubt starts again from zero (a start posture has just fixed it). */
void orientation_heading_reset(struct orientation *orientation);

/* Standard errors now, rad. */
double orientation_tilt_error_rad(const struct orientation *orientation);
double orientation_heading_error_rad(const struct orientation *orientation);

#endif

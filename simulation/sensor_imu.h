/* An inertial unit on a body segment: what its sensors feel, with noise, bias, scale error
 * and a mounting of its own; steps and ranges are the device's (device_model.h). Plain
 * value; one thread. */
#ifndef LIMBER_SIMULATION_SENSOR_IMU_H
#define LIMBER_SIMULATION_SENSOR_IMU_H

#include "base/body.h"
#include "simulation/motion.h"
#include "simulation/person.h"

struct sensor_imu {
    const struct person *person; /* borrowed */
    enum segment segment;
    struct vector3 position_m;    /* on the segment */
    struct quaternion to_segment; /* sensor axes as mounted to segment axes */
    struct motion slip; /* turn on the skin, rad, about the axis that points outward */
    double noise;       /* 1 = as the data sheet says */
    struct vector3 gyro_bias_deg_s;
    struct vector3 accel_bias_g;
    struct vector3 gyro_scale;
    struct vector3 accel_scale;
    struct random random;
    /* end of the sample before */
    bool has_last;
    double last_s;
    struct quaternion last_orientation;
    struct vector3 last_position_m;
};

struct sensor_imu_reading {
    double gyro_deg_s[3];
    double accel_g[3];
    double field_ut[3];            /* magnetic, in sensor axes, without noise */
    struct quaternion orientation; /* sensor to earth, exact */
};

/* Sensor axes to segment axes when worn exactly as the guide says: y is the printed arrow
 * (up), z points out of the label, x = y cross z. On the back z looks backward, else
 * forward. */
struct quaternion sensor_imu_nominal(enum role role);

/* @param person  Borrowed; its patient says how good the sensor is.
 * @param role    Not a flex strip. */
void sensor_imu_init(struct sensor_imu *sensor, const struct person *person, enum role role,
                     uint64_t seed);

/* Average over the time since the call before (or period_s at first, and after a longer
 * break) up to time_s, to which the person must have advanced. */
void sensor_imu_read(struct sensor_imu *sensor, double time_s, double period_s,
                     struct sensor_imu_reading *reading);

#endif

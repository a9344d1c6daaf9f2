#include "simulation/sensor_imu.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

/* x-IMU3 (maker's specification): noise densities and bandwidths. */
static const double GYRO_NOISE_DEG_S_RT_HZ = 0.014;
static const double ACCEL_NOISE_G_RT_HZ = 175e-6;
static const double GYRO_BANDWIDTH_HZ = 47.0;
static const double ACCEL_BANDWIDTH_HZ = 145.0;
/* Wandering of the offset, deg/s per square root of a minute (project estimate). */
static const double GYRO_WALK_DEG_S_RT_MIN = 0.01;
/* Middle Europe, east north up (World Magnetic Model, rounded). */
static const struct vector3 FIELD_UT = {0.0, 20.0, -44.0};

/* Where each unit sits: segment, place on it (m), and whether it looks backward. */
struct placement {
    enum segment segment;
    struct vector3 position_m;
    bool looks_back;
};

static const struct placement PLACEMENTS[ROLE_COUNT] = {
    [ROLE_THORAX_DORSAL] = {SEGMENT_THORAX, {-0.10, 0.13, 0.0}, true},
    [ROLE_PELVIS_DORSAL] = {SEGMENT_PELVIS, {-0.10, 0.08, 0.0}, true},
    [ROLE_STERNUM] = {SEGMENT_STERNUM, {0.10, 0.15, 0.0}, false},
    [ROLE_PELVIS_VENTRAL] = {SEGMENT_PELVIS, {0.10, 0.08, 0.0}, false},
    [ROLE_THIGH_L] = {SEGMENT_THIGH_L, {0.08, -0.22, 0.0}, false},
    [ROLE_THIGH_R] = {SEGMENT_THIGH_R, {0.08, -0.22, 0.0}, false},
    [ROLE_SHANK_L] = {SEGMENT_SHANK_L, {0.05, -0.15, 0.0}, false},
    [ROLE_SHANK_R] = {SEGMENT_SHANK_R, {0.05, -0.15, 0.0}, false},
};

struct quaternion sensor_imu_nominal(enum role role)
{
    /* Columns: sensor x, y, z in segment axes. */
    static const double BACK[3][3] = {{0.0, 0.0, -1.0}, {0.0, 1.0, 0.0}, {1.0, 0.0, 0.0}};
    static const double FRONT[3][3] = {{0.0, 0.0, 1.0}, {0.0, 1.0, 0.0}, {-1.0, 0.0, 0.0}};
    return quaternion_from_matrix(PLACEMENTS[role].looks_back ? BACK : FRONT);
}

static struct vector3 random_vector(struct random *random, double limit)
{
    double x = random_uniform(random, -limit, limit);
    double y = random_uniform(random, -limit, limit);
    double z = random_uniform(random, -limit, limit);
    return (struct vector3){x, y, z};
}

void sensor_imu_init(struct sensor_imu *sensor, const struct person *person, enum role role,
                     uint64_t seed)
{
    const struct patient_sensors *quality = &person->patient->sensors;
    memset(sensor, 0, sizeof *sensor);
    sensor->person = person;
    sensor->segment = PLACEMENTS[role].segment;
    sensor->position_m = PLACEMENTS[role].position_m;
    random_init(&sensor->random, seed, 100u + (unsigned)role);
    struct vector3 askew =
        random_vector(&sensor->random, quality->mounting_deg * RAD_PER_DEG);
    sensor->to_segment =
        quaternion_multiply(quaternion_from_rotation(askew), sensor_imu_nominal(role));
    sensor->noise = quality->noise;
    sensor->gyro_bias_deg_s = random_vector(&sensor->random, quality->gyro_bias_deg_s);
    sensor->accel_bias_g = random_vector(&sensor->random, quality->accel_bias_g);
    sensor->gyro_scale = random_vector(&sensor->random, quality->scale_error);
    sensor->accel_scale = random_vector(&sensor->random, quality->scale_error);
    motion_init(&sensor->slip, 0.0);
}

/* Orientation (sensor to earth) and place of the unit. */
static struct segment_pose unit_pose(const struct sensor_imu *sensor, double time_s)
{
    static const struct vector3 OUTWARD = {0.0, 0.0, 1.0};
    double channels[CHANNEL_COUNT];
    person_channels(sensor->person, time_s, channels);
    struct segment_pose segment =
        body_segment(channels, sensor->segment, sensor->person->heading_rad);
    struct quaternion orientation =
        quaternion_multiply(segment.orientation, sensor->to_segment);
    double slip_rad = motion_value(&sensor->slip, time_s);
    if (slip_rad != 0.0) {
        orientation =
            quaternion_multiply(orientation, quaternion_from_axis_angle(OUTWARD, slip_rad));
    }
    return (struct segment_pose){
        orientation, vector3_add(segment.origin_m, quaternion_rotate(segment.orientation,
                                                                     sensor->position_m))};
}

static void gyro_spoil(struct sensor_imu *sensor, double period_s, const double exact[3],
                       double measured[3])
{
    double bandwidth_hz = fmin(GYRO_BANDWIDTH_HZ, 0.5 / period_s);
    double noise_deg_s = sensor->noise * GYRO_NOISE_DEG_S_RT_HZ * sqrt(bandwidth_hz);
    double walk_deg_s = sensor->noise * GYRO_WALK_DEG_S_RT_MIN * sqrt(period_s / 60.0);
    double *const biases[3] = {&sensor->gyro_bias_deg_s.x, &sensor->gyro_bias_deg_s.y,
                               &sensor->gyro_bias_deg_s.z};
    const double scales[3] = {sensor->gyro_scale.x, sensor->gyro_scale.y,
                              sensor->gyro_scale.z};
    for (unsigned i = 0; i < 3; i++) {
        *biases[i] += walk_deg_s * random_normal(&sensor->random);
        measured[i] = exact[i] * (1.0 + scales[i]) + *biases[i]
                      + noise_deg_s * random_normal(&sensor->random);
    }
}

static void accel_spoil(struct sensor_imu *sensor, double period_s, const double exact[3],
                        double measured[3])
{
    double bandwidth_hz = fmin(ACCEL_BANDWIDTH_HZ, 0.5 / period_s);
    double noise_g = sensor->noise * ACCEL_NOISE_G_RT_HZ * sqrt(bandwidth_hz);
    const double biases[3] = {sensor->accel_bias_g.x, sensor->accel_bias_g.y,
                              sensor->accel_bias_g.z};
    const double scales[3] = {sensor->accel_scale.x, sensor->accel_scale.y,
                              sensor->accel_scale.z};
    for (unsigned i = 0; i < 3; i++) {
        measured[i] = exact[i] * (1.0 + scales[i]) + biases[i]
                      + noise_g * random_normal(&sensor->random);
    }
}

void sensor_imu_read(struct sensor_imu *sensor, double time_s, double period_s,
                     struct sensor_imu_reading *reading)
{
    double begin_s = time_s - period_s;
    if (!sensor->has_last || fabs(sensor->last_s - begin_s) > 1e-9) {
        struct segment_pose begin = unit_pose(sensor, begin_s);
        sensor->last_orientation = begin.orientation;
        sensor->last_position_m = begin.origin_m;
    }
    double half_s = period_s / 2.0;
    struct segment_pose middle = unit_pose(sensor, time_s - half_s);
    struct segment_pose end = unit_pose(sensor, time_s);
    /* The mean rate is the whole turn over the time, so that adding samples up gives the
     * true rotation; the acceleration is the second difference about the middle. */
    struct vector3 turn_rad = quaternion_to_rotation(quaternion_multiply(
        quaternion_conjugate(sensor->last_orientation), end.orientation));
    struct vector3 rate_deg_s = vector3_scale(turn_rad, DEG_PER_RAD / period_s);
    struct vector3 curve_m =
        vector3_add(vector3_subtract(end.origin_m, middle.origin_m),
                    vector3_subtract(sensor->last_position_m, middle.origin_m));
    struct vector3 force_g = vector3_scale(curve_m, 1.0 / (half_s * half_s * GRAVITY_M_S2));
    force_g.z += 1.0;
    force_g = quaternion_rotate(quaternion_conjugate(middle.orientation), force_g);
    const double rates[3] = {rate_deg_s.x, rate_deg_s.y, rate_deg_s.z};
    const double forces[3] = {force_g.x, force_g.y, force_g.z};
    gyro_spoil(sensor, period_s, rates, reading->gyro_deg_s);
    accel_spoil(sensor, period_s, forces, reading->accel_g);
    struct vector3 field =
        quaternion_rotate(quaternion_conjugate(end.orientation), FIELD_UT);
    reading->field_ut[0] = field.x;
    reading->field_ut[1] = field.y;
    reading->field_ut[2] = field.z;
    reading->orientation = end.orientation;
    sensor->has_last = true;
    sensor->last_s = time_s;
    sensor->last_orientation = end.orientation;
    sensor->last_position_m = end.origin_m;
}

/* What sensors say about a body whose motion is known. */
#include "suites.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "simulation/person.h"
#include "simulation/sensor_flex.h"
#include "simulation/sensor_imu.h"

static struct patient steady_patient(double noise)
{
    return (struct patient){
        .name = "test",
        .movement = {.range_left = 1.0,
                     .range_right = 1.0,
                     .speed = 1.0,
                     .reaction_s = 0.4,
                     .countdown_s = 3.0,
                     .hold_effort = 1.0},
        .steadiness = {.breathing_hz = 0.25},
        .sensors = {.mounting_deg = 8.0, .noise = noise},
    };
}

static void ask(struct person *person, double time_s, const char *phase,
                const char *stretch, const char *part, enum side side)
{
    const struct simulation_cue cue = {.time_ns = (int64_t)(time_s * 1e9),
                                       .stretch = stretch,
                                       .part = part,
                                       .phase = phase,
                                       .stage = "",
                                       .side = side,
                                       .repetition = 1};
    person_cue(person, &cue);
}

START_TEST(still_body_shows_gravity_and_no_rate)
{
    struct patient patient = steady_patient(1.0);
    struct person person;
    struct sensor_imu sensor;
    person_init(&person, &patient, 7);
    sensor_imu_init(&sensor, &person, (enum role)_i, 7);
    double force_g = 0.0;
    double rate_deg_s[3] = {0.0};
    double square = 0.0;

    enum {
        COUNT = 2000
    };

    for (unsigned k = 1; k <= COUNT; k++) {
        person_advance(&person, 0.01 * k);
        struct sensor_imu_reading reading;
        sensor_imu_read(&sensor, 0.01 * k, 0.01, &reading);
        force_g += sqrt(reading.accel_g[0] * reading.accel_g[0]
                        + reading.accel_g[1] * reading.accel_g[1]
                        + reading.accel_g[2] * reading.accel_g[2])
                   / COUNT;
        for (unsigned i = 0; i < 3; i++) {
            rate_deg_s[i] += reading.gyro_deg_s[i] / COUNT;
            square += reading.gyro_deg_s[i] * reading.gyro_deg_s[i] / (3.0 * COUNT);
        }
    }
    /* Noise 1.2 mg: mean within 4 SE of 0.03 mg plus 1e-6 g of |noise| across the axis. */
    ck_assert_double_eq_tol(force_g, 1.0, 1.2e-4);
    for (unsigned i = 0; i < 3; i++) {
        /* 0.1 deg/s over sqrt(2000) samples: 4 SE = 0.009, and the offset wanders. */
        ck_assert_double_eq_tol(rate_deg_s[i], 0.0, 0.03);
    }
    /* 0.014 dps/rtHz over 47 Hz: 0.096 deg/s. */
    ck_assert_double_eq_tol(sqrt(square), 0.096, 0.006);
}

END_TEST

/* Turn of the unit up to a time, added up from its rates. */
static struct quaternion turned(struct sensor_imu *sensor, struct person *person,
                                double from_s, double to_s, double period_s)
{
    struct quaternion q = QUATERNION_IDENTITY;
    unsigned count = (unsigned)lround((to_s - from_s) / period_s);
    for (unsigned k = 1; k <= count; k++) {
        double time_s = from_s + period_s * k;
        person_advance(person, time_s);
        struct sensor_imu_reading reading;
        sensor_imu_read(sensor, time_s, period_s, &reading);
        double factor = period_s * RAD_PER_DEG;
        q = quaternion_multiply(
            q, quaternion_from_rotation((struct vector3){reading.gyro_deg_s[0] * factor,
                                                         reading.gyro_deg_s[1] * factor,
                                                         reading.gyro_deg_s[2] * factor}));
    }
    return q;
}

static struct quaternion unit_orientation(const struct sensor_imu *sensor,
                                          const struct person *person, double time_s)
{
    double channels[CHANNEL_COUNT];
    person_channels(person, time_s, channels);
    return quaternion_multiply(
        body_segment(channels, sensor->segment, person->heading_rad).orientation,
        sensor->to_segment);
}

START_TEST(rates_add_up_to_the_true_turn)
{
    struct patient patient = steady_patient(0.0);
    struct person person;
    struct sensor_imu sensor;
    person_init(&person, &patient, 3);
    sensor_imu_init(&sensor, &person, ROLE_STERNUM, 3);
    ask(&person, 0.0, "SETUP", "seated_spinal_twist", "hold", SIDE_LEFT);
    ask(&person, 6.0, "READY", "seated_spinal_twist", "hold", SIDE_LEFT);
    struct quaternion start = unit_orientation(&sensor, &person, 0.0);
    struct quaternion turn = turned(&sensor, &person, 0.0, 20.0, 0.01);
    struct quaternion end = unit_orientation(&sensor, &person, 20.0);
    double error_deg =
        quaternion_angle(quaternion_multiply(start, turn), end) * DEG_PER_RAD;
    /* Asked for: 0.05 deg; without noise only rounding is left. */
    ck_assert_double_lt(error_deg, 1e-6);
    ck_assert_double_gt(quaternion_angle(start, end) * DEG_PER_RAD, 30.0);
}

END_TEST

START_TEST(acceleration_adds_up_to_the_true_way)
{
    struct patient patient = steady_patient(0.0);
    struct person person;
    struct sensor_imu sensor;
    person_init(&person, &patient, 3);
    sensor_imu_init(&sensor, &person, ROLE_THORAX_DORSAL, 3);
    ask(&person, 0.0, "READY", "standing_forward_bend", "hold", SIDE_BOTH);
    double speed_m_s[3] = {0.0};
    double way_m = 0.0;
    for (unsigned k = 1; k <= 1200; k++) {
        double time_s = 0.01 * k;
        person_advance(&person, time_s);
        struct sensor_imu_reading reading;
        sensor_imu_read(&sensor, time_s, 0.01, &reading);
        struct quaternion middle = unit_orientation(&sensor, &person, time_s - 0.005);
        struct vector3 force = quaternion_rotate(
            middle,
            (struct vector3){reading.accel_g[0], reading.accel_g[1], reading.accel_g[2]});
        speed_m_s[0] += 0.01 * GRAVITY_M_S2 * force.x;
        speed_m_s[1] += 0.01 * GRAVITY_M_S2 * force.y;
        speed_m_s[2] += 0.01 * GRAVITY_M_S2 * (force.z - 1.0);
        way_m += 0.01 * speed_m_s[2];
    }
    double channels[CHANNEL_COUNT];
    person_channels(&person, 0.0, channels);
    struct segment_pose before = body_segment(channels, SEGMENT_THORAX, person.heading_rad);
    person_channels(&person, 12.0, channels);
    struct segment_pose after = body_segment(channels, SEGMENT_THORAX, person.heading_rad);
    double fall_m =
        after.origin_m.z + quaternion_rotate(after.orientation, sensor.position_m).z
        - before.origin_m.z - quaternion_rotate(before.orientation, sensor.position_m).z;
    /* Second differences over 10 ms are short of the mean acceleration by about 1e-5 of it.
     */
    ck_assert_double_eq_tol(way_m, fall_m, 2e-3);
    ck_assert_double_lt(fall_m, -0.1);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(speed_m_s[i], 0.0, 2e-3);
    }
}

END_TEST

START_TEST(nominal_placement_is_arrow_up_and_label_out)
{
    const struct vector3 arrow = {0.0, 1.0, 0.0};
    const struct vector3 label = {0.0, 0.0, 1.0};
    struct vector3 up = quaternion_rotate(sensor_imu_nominal(ROLE_PELVIS_DORSAL), arrow);
    struct vector3 out = quaternion_rotate(sensor_imu_nominal(ROLE_PELVIS_DORSAL), label);
    ck_assert_double_eq_tol(up.y, 1.0, 1e-12);
    ck_assert_double_eq_tol(out.x, -1.0, 1e-12);
    out = quaternion_rotate(sensor_imu_nominal(ROLE_STERNUM), label);
    ck_assert_double_eq_tol(out.x, 1.0, 1e-12);
}

END_TEST

START_TEST(flex_falls_with_bending_and_has_play)
{
    struct patient patient = steady_patient(1.0);
    struct person person;
    struct sensor_flex sensor;
    person_init(&person, &patient, 5);
    sensor_flex_init(&sensor, &person, ROLE_FLEX_LUMBAR, 5);
    double before = 0.0;
    double after = 0.0;
    ask(&person, 4.0, "READY", "standing_forward_bend", "hold", SIDE_BOTH);
    for (unsigned k = 1; k <= 1600; k++) {
        person_advance(&person, 0.01 * k);
        double count = 1023.0 * sensor_flex_read(&sensor, 0.01 * k);
        ck_assert_double_le(count, 1023.0);
        before += k <= 400 ? count / 400.0 : 0.0;
        after += k > 1400 ? count / 200.0 : 0.0;
    }
    /* 45 deg at about 1.2 counts/deg, less play and creep. */
    ck_assert_double_gt(before - after, 30.0);
    ck_assert_double_lt(before - after, 70.0);
}

END_TEST

Suite *sensor_suite(void)
{
    Suite *suite = suite_create("sensor");
    TCase *tests = tcase_create("models");
    tcase_add_loop_test(tests, still_body_shows_gravity_and_no_rate, ROLE_THORAX_DORSAL,
                        ROLE_FLEX_LUMBAR);
    tcase_add_test(tests, rates_add_up_to_the_true_turn);
    tcase_add_test(tests, acceleration_adds_up_to_the_true_way);
    tcase_add_test(tests, nominal_placement_is_arrow_up_and_label_out);
    tcase_add_test(tests, flex_falls_with_bending_and_has_play);
    suite_add_tcase(suite, tests);
    return suite;
}

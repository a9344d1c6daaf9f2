#include "analysis/orientation.h"

#include <math.h>

#include "base/units.h"

/* Names of equations and parameters: Laidig and Seel, "VQF: Highly accurate IMU orientation
 * estimation with bias estimation and magnetic disturbance rejection", Information Fusion
 * 91 (2023). The low passes are state-variable filters by trapezoidal integration
 * (Zavalishin, "The Art of VA Filter Design", 2012), which keep their meaning when the time
 * step changes. */

static const double STEP_MIN_S = 0.0001; /* shorter steps wait for the next sample */
static const double STEP_MAX_S = 0.25;   /* longer ones are gaps */

/* Rest detection low pass; bias random walk, as 0.1 deg/s over 100 s; steady doubt of the
 * bias in motion and at rest; VQF table 1. */
static const double REST_TIME_CONSTANT_S = 0.5;
static const double BIAS_WALK_RAD2_S3 = (0.1 * RAD_PER_DEG) * (0.1 * RAD_PER_DEG) / 100.0;
static const double BIAS_MOTION_RAD_S = 0.1 * RAD_PER_DEG;
static const double BIAS_REST_RAD_S = 0.03 * RAD_PER_DEG;
/* What gravity cannot see decays 10,000 times more slowly than what it sees. */
static const double BIAS_VERTICAL_SHARE = 0.0001;

/* Stated doubt of heading: bias walk of 0.01 deg/s per square root of a minute (devices
 * reference N), floor of what a still window can tell, scale error of gyroscopes after
 * factory calibration. */
static const double HEADING_WALK_RAD2_S3 =
    (0.01 * RAD_PER_DEG) * (0.01 * RAD_PER_DEG) / 60.0;
static const double HEADING_BIAS_FLOOR_RAD_S = 0.01 * RAD_PER_DEG;
static const double HEADING_SCALE_ERROR = 0.005;
static const double HEADING_GAP_RAD_S = 10.0 * RAD_PER_DEG;

/* Stated doubt of inclination: 5 mg left in a calibrated accelerometer; nothing known at
 * start. */
static const double TILT_FLOOR_RAD = 0.005;
static const double TILT_START_RAD = 5.0 * RAD_PER_DEG;
static const double TILT_SETTLE_S = 1.0;

const struct orientation_settings orientation_default_settings = {
    .accel_time_constant_s = 3.0,
    .rest_gyro_rad_s = 2.0 * RAD_PER_DEG,
    .rest_accel_m_s2 = 0.5,
    .rest_time_s = 1.5,
    .rest_sway_rad_s = 0.0,
    .bias_error_rad_s = 0.5 * RAD_PER_DEG,
    .bias_limit_rad_s = 2.0 * RAD_PER_DEG,
    .gyro_noise_rad_s_rthz = 0.014 * RAD_PER_DEG,
};

struct gains {
    double a1;
    double a2;
    double a3;
};

static double square(double x)
{
    return x * x;
}

static double clamp(double value, double limit)
{
    return fmax(-limit, fmin(limit, value));
}

static bool is_finite(struct vector3 v)
{
    return isfinite(v.x) && isfinite(v.y) && isfinite(v.z);
}

/* Butterworth of second order with corner sqrt(2) / tau. Its pre-warping is left out: the
 * corner lies a thousand times under the sampling rate. */
static struct gains gains_make(double time_constant_s, double step_s)
{
    double g = step_s / (sqrt(2.0) * time_constant_s);
    double a1 = 1.0 / (1.0 + g * (g + sqrt(2.0)));
    return (struct gains){a1, g * a1, g * g * a1};
}

static double low_pass(struct orientation_low_pass *state, const struct gains *gains,
                       double x)
{
    double difference = x - state->low;
    double band = gains->a1 * state->band + gains->a2 * difference;
    double low = state->low + gains->a2 * state->band + gains->a3 * difference;
    state->band = 2.0 * band - state->band;
    state->low = 2.0 * low - state->low;
    return low;
}

/* While it is younger than its time constant, a low pass is the plain mean: right from the
 * first sample, and as smooth as can be. */
static double low_pass_or_mean(struct orientation_low_pass *state,
                               const struct gains *gains, double x, unsigned mean_count)
{
    if (mean_count == 0) {
        return low_pass(state, gains, x);
    }
    state->low += (x - state->low) / mean_count;
    state->band = 0.0;
    return state->low;
}

static void covariance_set(struct orientation *orientation, const double error_rad_s[3])
{
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            orientation->bias_covariance[i][j] = i == j ? square(error_rad_s[i]) : 0.0;
        }
    }
}

/* The filter of the rotated bias as if the new bias had always been known: it is linear. */
static void rotated_bias_rebuild(struct orientation *orientation)
{
    for (int i = 0; i < 2; i++) {
        struct orientation_low_pass sum = {0.0, 0.0};
        for (int j = 0; j < 3; j++) {
            sum.band += orientation->rotation[i][j].band * orientation->bias_rad_s[j];
            sum.low += orientation->rotation[i][j].low * orientation->bias_rad_s[j];
        }
        orientation->rotated_bias[i] = sum;
    }
}

/* One scalar measurement row * bias = value of the Kalman filter of the bias. */
static void bias_measure(struct orientation *orientation, const double row[3], double value,
                         double variance)
{
    double gain[3];
    double predicted = 0.0;
    double total = variance;
    for (int i = 0; i < 3; i++) {
        const double *p = orientation->bias_covariance[i];
        gain[i] = p[0] * row[0] + p[1] * row[1] + p[2] * row[2];
        total += row[i] * gain[i];
        predicted += row[i] * orientation->bias_rad_s[i];
    }
    double limit = orientation->settings.bias_limit_rad_s;
    double innovation = clamp(value - predicted, limit) / total;
    for (int i = 0; i < 3; i++) {
        orientation->bias_rad_s[i] =
            clamp(orientation->bias_rad_s[i] + gain[i] * innovation, limit);
        for (int j = 0; j < 3; j++) {
            orientation->bias_covariance[i][j] -= gain[i] * gain[j] / total;
        }
    }
}

static void bias_walk(struct orientation *orientation, double step_s)
{
    double limit = square(orientation->settings.bias_error_rad_s);
    for (int i = 0; i < 3; i++) {
        double *variance = &orientation->bias_covariance[i][i];
        *variance = *variance < limit ? *variance + BIAS_WALK_RAD2_S3 * step_s : *variance;
    }
}

/* Measurement variance that makes a Kalman filter with this walk settle at this doubt. */
static double settling_variance(double doubt_rad_s, double step_s)
{
    double p = square(doubt_rad_s);
    return p * p / (BIAS_WALK_RAD2_S3 * step_s) + p;
}

/* A slow turn of a body can be as even as rest; once the bias is known it gives itself
 * away. */
static bool is_turning(const struct orientation *orientation)
{
    double sway = orientation->settings.rest_sway_rad_s;
    for (int i = 0; i < 3 && sway > 0.0; i++) {
        double rate = orientation->rest_gyro[i].low - orientation->bias_rad_s[i];
        double variance = square(sway) + fmax(0.0, orientation->bias_covariance[i][i]);
        if (square(rate) > 9.0 * variance) {
            return true;
        }
    }
    return false;
}

static void bias_measure_rest(struct orientation *orientation, double step_s)
{
    if (is_turning(orientation)) {
        return;
    }
    double variance = settling_variance(BIAS_REST_RAD_S, step_s);
    for (int i = 0; i < 3; i++) {
        double row[3] = {0.0, 0.0, 0.0};
        row[i] = 1.0;
        bias_measure(orientation, row, orientation->rest_gyro[i].low, variance);
    }
}

/* The rate at which gravity has to correct the inclination is the bias, seen from the earth
 * through the low pass of the acceleration. */
static void bias_measure_motion(struct orientation *orientation, double low_rotation[3][3],
                                const double low_rotated_bias[2], struct vector3 up,
                                double step_s)
{
    double variance = settling_variance(BIAS_MOTION_RAD_S, step_s);
    bias_measure(orientation, low_rotation[0], low_rotated_bias[0] - up.y / step_s,
                 variance);
    bias_measure(orientation, low_rotation[1], low_rotated_bias[1] + up.x / step_s,
                 variance);
    bias_measure(orientation, low_rotation[2], 0.0, variance / BIAS_VERTICAL_SHARE);
}

/* @param up  Low-passed acceleration in the earth frame before its correction, unit length.
 */
static void bias_update(struct orientation *orientation, struct vector3 up,
                        const struct gains *gains, unsigned mean_count, double step_s)
{
    double rotation[3][3];
    double low_rotation[3][3];
    double low_bias[2];
    const double *bias = orientation->bias_rad_s;
    quaternion_to_matrix(orientation_get(orientation), rotation);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            low_rotation[i][j] = low_pass_or_mean(&orientation->rotation[i][j], gains,
                                                  rotation[i][j], mean_count);
        }
    }
    for (int i = 0; i < 2; i++) {
        const double *row = rotation[i];
        double rotated = row[0] * bias[0] + row[1] * bias[1] + row[2] * bias[2];
        low_bias[i] =
            low_pass_or_mean(&orientation->rotated_bias[i], gains, rotated, mean_count);
    }
    bias_walk(orientation, step_s);
    if (orientation_is_rest(orientation)) {
        bias_measure_rest(orientation, step_s);
    } else if (mean_count == 0) {
        bias_measure_motion(orientation, low_rotation, low_bias, up, step_s);
    }
}

/* Squared distance of a value from its own low pass. */
static double deviation_square(struct orientation_low_pass state[3],
                               const struct gains *gains, struct vector3 v,
                               unsigned mean_count)
{
    return square(v.x - low_pass_or_mean(&state[0], gains, v.x, mean_count))
           + square(v.y - low_pass_or_mean(&state[1], gains, v.y, mean_count))
           + square(v.z - low_pass_or_mean(&state[2], gains, v.z, mean_count));
}

static void rest_update(struct orientation *orientation, struct vector3 gyro,
                        struct vector3 accel, double step_s)
{
    const struct orientation_settings *settings = &orientation->settings;
    struct gains gains = gains_make(REST_TIME_CONSTANT_S, step_s);
    orientation->rest_average_s += step_s;
    orientation->rest_count++;
    unsigned mean_count =
        orientation->rest_average_s < REST_TIME_CONSTANT_S ? orientation->rest_count : 0;
    double gyro_square = deviation_square(orientation->rest_gyro, &gains, gyro, mean_count);
    double accel_square =
        deviation_square(orientation->rest_accel, &gains, accel, mean_count);
    bool is_still = gyro_square < square(settings->rest_gyro_rad_s)
                    && accel_square < square(settings->rest_accel_m_s2);
    for (int i = 0; i < 3; i++) {
        is_still =
            is_still && fabs(orientation->rest_gyro[i].low) < settings->bias_limit_rad_s;
    }
    orientation->rest_s = is_still ? orientation->rest_s + step_s : 0.0;
}

static void doubt_update(struct orientation *orientation, double low_accel_m_s2,
                         double step_s)
{
    double noise = square(orientation->settings.gyro_noise_rad_s_rthz);
    double variance = orientation->bias_variance + HEADING_WALK_RAD2_S3 * step_s;
    if (orientation_is_rest(orientation)) {
        variance = 1.0 / (1.0 / variance + step_s / noise);
        variance = fmax(variance, square(HEADING_BIAS_FLOOR_RAD_S));
    }
    orientation->bias_variance = variance;
    orientation->heading_bias_rad += sqrt(variance) * step_s;
    orientation->heading_variance += noise * step_s;
    /* A low-passed acceleration longer or shorter than gravity leans by about as much. */
    double lean = low_accel_m_s2 / GRAVITY_M_S2 - 1.0;
    double settled = square(TILT_FLOOR_RAD) + square(lean)
                     + variance * square(orientation->settings.accel_time_constant_s);
    double share = fmin(1.0, step_s / TILT_SETTLE_S);
    orientation->tilt_variance += share * (settled - orientation->tilt_variance);
}

static void accel_update(struct orientation *orientation, struct vector3 accel,
                         double step_s)
{
    double time_constant_s = orientation->settings.accel_time_constant_s;
    struct gains gains = gains_make(time_constant_s, step_s);
    orientation->average_s += step_s;
    orientation->average_count++;
    unsigned mean_count =
        orientation->average_s < time_constant_s ? orientation->average_count : 0;
    struct vector3 still = quaternion_rotate(orientation->gyro_quaternion, accel);
    struct vector3 low = {
        low_pass_or_mean(&orientation->accel[0], &gains, still.x, mean_count),
        low_pass_or_mean(&orientation->accel[1], &gains, still.y, mean_count),
        low_pass_or_mean(&orientation->accel[2], &gains, still.z, mean_count),
    };
    double norm = vector3_norm(low);
    if (!(norm > 0.0)) {
        return;
    }
    struct vector3 up =
        quaternion_rotate(orientation->accel_quaternion, vector3_scale(low, 1.0 / norm));
    struct quaternion correction = quaternion_between(up, (struct vector3){0.0, 0.0, 1.0});
    orientation->accel_quaternion = quaternion_normalise(
        quaternion_multiply(correction, orientation->accel_quaternion));
    bias_update(orientation, up, &gains, mean_count, step_s);
    doubt_update(orientation, norm, step_s);
}

/* Find the inclination anew from the next accelerations; the heading goes on as it was. */
static void inclination_forget(struct orientation *orientation)
{
    orientation->average_s = 0.0;
    orientation->average_count = 0;
    orientation->rest_average_s = 0.0;
    orientation->rest_count = 0;
    orientation->rest_s = 0.0;
    orientation->tilt_variance = square(TILT_START_RAD);
}

static void gap_pass(struct orientation *orientation, double gap_s)
{
    inclination_forget(orientation);
    double doubt_rad = fmin(PI_RAD, HEADING_GAP_RAD_S * gap_s);
    orientation->heading_variance += square(doubt_rad);
    orientation->bias_variance += HEADING_WALK_RAD2_S3 * gap_s;
}

static void integrate(struct orientation *orientation, struct vector3 rate, double step_s)
{
    /* The newest rate holds for the whole step: gyroscopes report the mean over the
     * interval that ends at the sample. The trapezoid rule costs 0.2 deg of inclination on
     * BROAD. */
    struct quaternion turn = quaternion_from_rotation(vector3_scale(rate, step_s));
    orientation->gyro_quaternion =
        quaternion_normalise(quaternion_multiply(orientation->gyro_quaternion, turn));
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(orientation_get(orientation)),
                          (struct vector3){0.0, 0.0, 1.0});
    orientation->heading_turn_rad += vector3_dot(up, rate) * step_s;
}

void orientation_init(struct orientation *orientation,
                      const struct orientation_settings *settings)
{
    *orientation = (struct orientation){
        .settings = *settings,
        .gyro_quaternion = QUATERNION_IDENTITY,
        .accel_quaternion = QUATERNION_IDENTITY,
        .bias_variance = square(settings->bias_error_rad_s),
        .tilt_variance = square(TILT_START_RAD),
    };
    double error = settings->bias_error_rad_s;
    covariance_set(orientation, (double[3]){error, error, error});
}

void orientation_restart(struct orientation *orientation)
{
    struct orientation before = *orientation;
    orientation_init(orientation, &before.settings);
    double least = 0.1 * RAD_PER_DEG;
    double error[3];
    for (int i = 0; i < 3; i++) {
        orientation->bias_rad_s[i] = before.bias_rad_s[i];
        error[i] = fmax(least, sqrt(fmax(0.0, before.bias_covariance[i][i])));
    }
    covariance_set(orientation, error);
    orientation->bias_variance = fmax(square(least), before.bias_variance);
    orientation->heading_variance = before.heading_variance + square(10.0 * RAD_PER_DEG);
    orientation->heading_bias_rad = before.heading_bias_rad;
}

void orientation_update(struct orientation *orientation, const struct inertial *sample)
{
    if (!is_finite(sample->gyro_rad_s) || !isfinite(sample->time_s)) {
        return;
    }
    struct vector3 rate = orientation_rate(orientation, sample);
    double step_s = orientation->started ? sample->time_s - orientation->last_time_s : 0.0;
    if (orientation->started && step_s < STEP_MIN_S) {
        return;
    }
    if (!orientation->started) {
        step_s = STEP_MIN_S;
        orientation->started = true;
    } else if (step_s > STEP_MAX_S) {
        gap_pass(orientation, step_s);
        step_s = STEP_MIN_S;
    } else {
        integrate(orientation, rate, step_s);
    }
    orientation->last_time_s = sample->time_s;
    if (is_finite(sample->accel_m_s2) && vector3_norm(sample->accel_m_s2) > 0.0) {
        rest_update(orientation, sample->gyro_rad_s, sample->accel_m_s2, step_s);
        accel_update(orientation, sample->accel_m_s2, step_s);
    }
}

struct quaternion orientation_get(const struct orientation *orientation)
{
    return quaternion_multiply(orientation->accel_quaternion, orientation->gyro_quaternion);
}

struct vector3 orientation_rate(const struct orientation *orientation,
                                const struct inertial *sample)
{
    return (struct vector3){sample->gyro_rad_s.x - orientation->bias_rad_s[0],
                            sample->gyro_rad_s.y - orientation->bias_rad_s[1],
                            sample->gyro_rad_s.z - orientation->bias_rad_s[2]};
}

void orientation_bias_set(struct orientation *orientation, struct vector3 bias_rad_s,
                          double error_rad_s)
{
    orientation->bias_rad_s[0] = bias_rad_s.x;
    orientation->bias_rad_s[1] = bias_rad_s.y;
    orientation->bias_rad_s[2] = bias_rad_s.z;
    covariance_set(orientation, (double[3]){error_rad_s, error_rad_s, error_rad_s});
    orientation->bias_variance = square(error_rad_s);
    rotated_bias_rebuild(orientation);
}

void orientation_bias_merge(struct orientation *orientation, const double bias_rad_s[3],
                            const double error_rad_s[3])
{
    double precision = 0.0;
    for (int i = 0; i < 3; i++) {
        double row[3] = {0.0, 0.0, 0.0};
        row[i] = 1.0;
        bias_measure(orientation, row, bias_rad_s[i], square(error_rad_s[i]));
        precision = fmax(precision, square(error_rad_s[i]));
    }
    /* The doubt about the vertical takes the worst axis: which one is vertical may change.
     */
    orientation->bias_variance =
        fmax(square(HEADING_BIAS_FLOOR_RAD_S),
             1.0 / (1.0 / orientation->bias_variance + 1.0 / precision));
    rotated_bias_rebuild(orientation);
}

void orientation_drift_merge(struct orientation *orientation, double rate_rad_s,
                             double error_rad_s)
{
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(orientation_get(orientation)),
                          (struct vector3){0.0, 0.0, 1.0});
    const double row[3] = {up.x, up.y, up.z};
    const double *bias = orientation->bias_rad_s;
    double known = row[0] * bias[0] + row[1] * bias[1] + row[2] * bias[2];
    bias_measure(orientation, row, known + rate_rad_s, square(error_rad_s));
    orientation->bias_variance =
        fmax(square(HEADING_BIAS_FLOOR_RAD_S),
             1.0 / (1.0 / orientation->bias_variance + 1.0 / square(error_rad_s)));
    rotated_bias_rebuild(orientation);
}

bool orientation_is_rest(const struct orientation *orientation)
{
    return orientation->rest_s >= orientation->settings.rest_time_s;
}

void orientation_heading_reset(struct orientation *orientation)
{
    orientation->heading_variance = 0.0;
    orientation->heading_bias_rad = 0.0;
    orientation->heading_turn_rad = 0.0;
}

double orientation_tilt_error_rad(const struct orientation *orientation)
{
    return sqrt(orientation->tilt_variance);
}

double orientation_heading_error_rad(const struct orientation *orientation)
{
    double error_rad =
        sqrt(orientation->heading_variance + square(orientation->heading_bias_rad)
             + square(HEADING_SCALE_ERROR * orientation->heading_turn_rad));
    return fmin(PI_RAD, error_rad);
}

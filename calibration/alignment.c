#include "calibration/alignment.h"

#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdio.h>

#include "base/units.h"

/* 2 s at 50 Hz (clinical reference 4.2, L1). */
static const unsigned STILL_COUNT_MIN = 100;
/* One slow bend of a second at 50 Hz. */
static const unsigned MOVE_COUNT_MIN = 50;

/* Acceptance limits of 4.5; a grade A keeps all of them by half. */
static const double PERPENDICULAR_LIMIT_RAD = 15.0 * RAD_PER_DEG;
static const double WORN_WRONGLY_RAD = 60.0 * RAD_PER_DEG;
/* Nearly upside down: any level axis could have turned it there. */
static const double UPSIDE_DOWN_RAD = 150.0 * RAD_PER_DEG;
static const double HEADING_STRANGE_RAD = 60.0 * RAD_PER_DEG;

/* Doubts that no window can average away: residual accelerometer offset of 5 mg (4.2, L2),
 * skill of the person at moving about one axis, placement by hand. */
static const double TILT_FLOOR_RAD = 0.005;
static const double AXIS_FLOOR_RAD = 0.5 * RAD_PER_DEG;
static const double NOMINAL_HEADING_RAD = 10.0 * RAD_PER_DEG;
static const double TURNED_HEADING_RAD = 20.0 * RAD_PER_DEG;

const struct alignment_settings alignment_default_settings = {
    .up_in_segment = {0.0, 1.0, 0.0},
    .turn_in_segment = {0.0, 0.0, -1.0},
    .nominal = {1.0, 0.0, 0.0, 0.0},
    .still_gyro_rad_s = 0.3 * RAD_PER_DEG,
    .move_gyro_rad_s = 10.0 * RAD_PER_DEG,
    .explained_min = 0.85,
};

/* First principal axis of the functional move. */
struct axis {
    struct vector3 direction;
    double explained;
    double error_rad;
};

static double square(double x)
{
    return x * x;
}

static bool is_finite(struct vector3 v)
{
    return isfinite(v.x) && isfinite(v.y) && isfinite(v.z);
}

static double angle_between(struct vector3 a, struct vector3 b)
{
    return atan2(vector3_norm(vector3_cross(a, b)), vector3_dot(a, b));
}

/* Part of v across the unit vector u, unit length. */
static struct vector3 across(struct vector3 v, struct vector3 u)
{
    return vector3_normalise(vector3_subtract(v, vector3_scale(u, vector3_dot(v, u))));
}

/* Largest standard deviation of the three rates in the still window. */
static double still_deviation(const struct alignment *alignment)
{
    double worst = 0.0;
    for (int i = 0; i < 3; i++) {
        worst = fmax(worst, alignment->still_gyro_square[i]);
    }
    return sqrt(worst / (alignment->still_count - 1.0));
}

static enum status still_check(const struct alignment *alignment)
{
    if (alignment->still_count < STILL_COUNT_MIN) {
        return STATUS_NOT_READY;
    }
    return still_deviation(alignment) <= alignment->settings.still_gyro_rad_s
               ? STATUS_OK
               : STATUS_REFUSED;
}

/* PCA of the rates (4.5 step B). */
static enum status move_axis(const struct alignment *alignment, struct axis *axis)
{
    if (alignment->move_count < MOVE_COUNT_MIN) {
        return STATUS_NOT_READY;
    }
    double moments[9];
    for (int i = 0; i < 9; i++) {
        moments[i] = alignment->move_square[i / 3][i % 3];
    }
    double values[3];
    double vectors[9];
    gsl_matrix_view matrix = gsl_matrix_view_array(moments, 3, 3);
    gsl_vector_view value = gsl_vector_view_array(values, 3);
    gsl_matrix_view vector = gsl_matrix_view_array(vectors, 3, 3);
    gsl_eigen_symmv_workspace *work = gsl_eigen_symmv_alloc(3);
    if (!work) {
        return STATUS_NO_MEMORY;
    }
    int failed = gsl_eigen_symmv(&matrix.matrix, &value.vector, &vector.matrix, work);
    gsl_eigen_symmv_free(work);
    if (failed
        || gsl_eigen_symmv_sort(&value.vector, &vector.matrix, GSL_EIGEN_SORT_VAL_DESC)) {
        return STATUS_REFUSED;
    }
    /* Eigenvectors stand in columns. */
    axis->direction = (struct vector3){vectors[0], vectors[3], vectors[6]};
    axis->explained = values[0] / (values[0] + values[1] + values[2]);
    double noise = fmax(0.0, values[1]) / values[0] / alignment->move_count;
    axis->error_rad = hypot(sqrt(noise), AXIS_FLOOR_RAD);
    return STATUS_OK;
}

/* Rotation that takes the pair (up, turn) of the sensor onto the pair of the segment; turn
 * only says the heading. */
static struct quaternion rotation_from_pairs(struct vector3 up_sensor,
                                             struct vector3 turn_sensor,
                                             struct vector3 up_segment,
                                             struct vector3 turn_segment)
{
    struct vector3 from[3] = {up_sensor, across(turn_sensor, up_sensor), {0.0, 0.0, 0.0}};
    struct vector3 to[3] = {up_segment, across(turn_segment, up_segment), {0.0, 0.0, 0.0}};
    from[2] = vector3_cross(from[0], from[1]);
    to[2] = vector3_cross(to[0], to[1]);
    double matrix[3][3] = {{0.0}};
    for (int i = 0; i < 3; i++) {
        const double left[3] = {to[i].x, to[i].y, to[i].z};
        const double right[3] = {from[i].x, from[i].y, from[i].z};
        for (int row = 0; row < 3; row++) {
            for (int column = 0; column < 3; column++) {
                matrix[row][column] += left[row] * right[column];
            }
        }
    }
    return quaternion_from_matrix((const double(*)[3])matrix);
}

/* Rotation about the vertical gets the axis doubt, the two others the tilt doubt. */
static void uncertainty_set(struct calibration_alignment *out, struct vector3 up,
                            double tilt_rad, double axis_rad)
{
    const double part[3] = {up.x, up.y, up.z};
    for (int i = 0; i < 3; i++) {
        out->uncertainty_rad[i] = sqrt(square(tilt_rad) * (1.0 - square(part[i]))
                                       + square(axis_rad) * square(part[i]));
    }
}

static void grade_nominal(struct calibration_alignment *out, double explained,
                          const char *reason)
{
    out->explained = explained;
    out->grade = 'C';
    snprintf(out->reason, sizeof out->reason, "%s", reason);
}

/* Use the functional axis if it is good enough; leaves the nominal heading otherwise.
 * @return false when the axis contradicts the nominal heading. */
static bool heading_solve(const struct alignment *alignment, struct vector3 up_sensor,
                          double tilt_rad, struct calibration_alignment *out)
{
    const struct alignment_settings *settings = &alignment->settings;
    struct axis axis;
    if (move_axis(alignment, &axis)) {
        grade_nominal(out, 0.0, "no functional move: heading from the placement guide");
        return true;
    }
    if (axis.explained < settings->explained_min) {
        grade_nominal(out, axis.explained,
                      "move not about one axis: heading from the placement guide");
        return true;
    }
    double off_rad = fabs(PI_RAD / 2.0 - angle_between(axis.direction, up_sensor));
    if (off_rad > PERPENDICULAR_LIMIT_RAD) {
        grade_nominal(out, axis.explained,
                      "move not about a level axis: heading from the placement guide");
        return true;
    }
    struct vector3 expected = quaternion_rotate(
        quaternion_conjugate(out->sensor_to_segment), settings->turn_in_segment);
    struct vector3 known =
        vector3_norm(alignment->move_outward) > 0.0 ? alignment->move_outward : expected;
    if (vector3_dot(axis.direction, known) < 0.0) {
        axis.direction = vector3_scale(axis.direction, -1.0);
    }
    bool is_strange = angle_between(axis.direction, expected) > HEADING_STRANGE_RAD;
    bool is_best = off_rad <= PERPENDICULAR_LIMIT_RAD / 2.0
                   && axis.explained >= (1.0 + settings->explained_min) / 2.0;
    out->sensor_to_segment = rotation_from_pairs(
        up_sensor, axis.direction, settings->up_in_segment, settings->turn_in_segment);
    out->explained = axis.explained;
    out->grade = 'A';
    out->reason[0] = '\0';
    if (is_strange) {
        grade_nominal(out, axis.explained, "unit turned more than 60 deg from the guide");
    } else if (!is_best) {
        out->grade = 'B';
        snprintf(out->reason, sizeof out->reason,
                 "functional move not quite about one level axis");
    }
    uncertainty_set(out, settings->up_in_segment, tilt_rad, axis.error_rad);
    return !is_strange;
}

struct quaternion calibration_nominal(enum role role)
{
    /* Columns: sensor x, y, z in segment axes (X forward, Y up, Z right). */
    static const double BACK[3][3] = {{0.0, 0.0, -1.0}, {0.0, 1.0, 0.0}, {1.0, 0.0, 0.0}};
    static const double FRONT[3][3] = {{0.0, 0.0, 1.0}, {0.0, 1.0, 0.0}, {-1.0, 0.0, 0.0}};
    if (role_is_flex(role)) {
        return QUATERNION_IDENTITY;
    }
    bool is_back = role == ROLE_THORAX_DORSAL || role == ROLE_PELVIS_DORSAL;
    return quaternion_from_matrix(is_back ? BACK : FRONT);
}

void alignment_init(struct alignment *alignment, const struct alignment_settings *settings)
{
    *alignment = (struct alignment){.settings = *settings};
}

void alignment_update_still(struct alignment *alignment, const struct inertial *sample)
{
    if (!is_finite(sample->gyro_rad_s) || !is_finite(sample->accel_m_s2)) {
        return;
    }
    const double gyro[3] = {sample->gyro_rad_s.x, sample->gyro_rad_s.y,
                            sample->gyro_rad_s.z};
    bool is_first = alignment->still_count == 0;
    alignment->still_first_s = is_first ? sample->time_s : alignment->still_first_s;
    alignment->still_last_s = sample->time_s;
    alignment->still_count++;
    for (int i = 0; i < 3; i++) {
        double before = gyro[i] - alignment->still_gyro_mean[i];
        alignment->still_gyro_mean[i] += before / alignment->still_count;
        alignment->still_gyro_square[i] +=
            before * (gyro[i] - alignment->still_gyro_mean[i]);
        alignment->still_gyro_jump[i] +=
            is_first ? 0.0 : square(gyro[i] - alignment->still_gyro_last[i]);
        alignment->still_gyro_last[i] = gyro[i];
    }
    alignment->still_accel_sum =
        vector3_add(alignment->still_accel_sum, sample->accel_m_s2);
}

void alignment_update_move(struct alignment *alignment, const struct inertial *sample,
                           bool outward)
{
    struct vector3 rate = sample->gyro_rad_s;
    if (!(vector3_norm(rate) > alignment->settings.move_gyro_rad_s) || !is_finite(rate)) {
        return;
    }
    const double gyro[3] = {rate.x, rate.y, rate.z};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            alignment->move_square[i][j] += gyro[i] * gyro[j];
        }
    }
    if (outward) {
        alignment->move_outward = vector3_add(alignment->move_outward, rate);
    }
    alignment->move_count++;
}

enum status alignment_bias_get(const struct alignment *alignment, double bias_rad_s[3],
                               double error_rad_s[3])
{
    enum status status = still_check(alignment);
    if (status) {
        return status;
    }
    double count = alignment->still_count;
    double seconds = fmax(1.0, alignment->still_last_s - alignment->still_first_s);
    for (int i = 0; i < 3; i++) {
        /* Von Neumann: half the mean squared difference of neighbours is the white part. */
        double total = alignment->still_gyro_square[i] / (count - 1.0);
        double white = fmin(total, alignment->still_gyro_jump[i] / (2.0 * (count - 1.0)));
        bias_rad_s[i] = alignment->still_gyro_mean[i];
        error_rad_s[i] = sqrt(white / count + (total - white) / seconds);
    }
    return STATUS_OK;
}

enum status alignment_solve(const struct alignment *alignment,
                            struct calibration_alignment *out)
{
    const struct alignment_settings *settings = &alignment->settings;
    enum status status = still_check(alignment);
    struct vector3 up_sensor = vector3_normalise(alignment->still_accel_sum);
    if (status || !(vector3_norm(up_sensor) > 0.0)) {
        return status ? status : STATUS_REFUSED;
    }
    struct vector3 up_nominal = quaternion_rotate(settings->nominal, up_sensor);
    double turned_rad = angle_between(up_nominal, settings->up_in_segment);
    bool is_turned = turned_rad > WORN_WRONGLY_RAD;
    if (turned_rad > UPSIDE_DOWN_RAD) {
        return STATUS_REFUSED;
    }
    /* The mean of a swaying sensor leans by its mean sway: a deviation of the rate over a
     * second. */
    double seconds = fmax(1.0, alignment->still_last_s - alignment->still_first_s);
    double tilt_rad = hypot(TILT_FLOOR_RAD, still_deviation(alignment) / sqrt(seconds));
    struct quaternion tilt = quaternion_between(up_nominal, settings->up_in_segment);
    struct calibration_alignment result = {
        .sensor_to_segment =
            quaternion_normalise(quaternion_multiply(tilt, settings->nominal)),
    };
    uncertainty_set(&result, settings->up_in_segment, tilt_rad,
                    is_turned ? TURNED_HEADING_RAD : NOMINAL_HEADING_RAD);
    bool agrees = heading_solve(alignment, up_sensor, tilt_rad, &result);
    if (is_turned && !agrees) {
        return STATUS_REFUSED;
    }
    if (is_turned) {
        result.grade = 'F';
        snprintf(result.reason, sizeof result.reason,
                 "worn turned by %.0f deg; label side taken as outward",
                 turned_rad * DEG_PER_RAD);
    }
    *out = result;
    return is_turned ? STATUS_REFUSED : STATUS_OK;
}

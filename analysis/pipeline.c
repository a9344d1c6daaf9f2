#include "analysis/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/joint_angle.h"
#include "analysis/smoother.h"
#include "analysis/track.h"
#include "base/log.h"
#include "base/units.h"

enum {
    GUARD_CHANNEL_COUNT = 4, /* three planes and the segment rate */
    STILL_COUNT = 50         /* instants in 0.5 s */
};

static const double WAIT_MAX_S = 0.1; /* a sensor later than this misses its instant */

/* tan(pi * 10 Hz / 100 Hz): Butterworth of second order at 10 Hz on the grid. */
static const double GUARD_GAIN = 0.32491969623290634;

/* Skin moves under the sensor: project default (pipeline.h). */
static const double SKIN_ERROR_RAD = 1.5 * RAD_PER_DEG;

/* Sine of 20 deg between the long axis and the vertical. */
static const double ROLL_SHARE_MIN = 0.342;

/* Where the full turn of an inclination is cut: far from any posture of the stretches. A
 * trunk goes from lying on the back (-90) over upright to hanging (+140), a thigh from
 * standing (0) over lying (-90) to the knee at the chest (-220). */
static const double TRUNK_CUT_RAD = -145.0 * RAD_PER_DEG;
static const double THIGH_CUT_RAD = -255.0 * RAD_PER_DEG;

static const char *const STAGE_TEXTS[] = {
    [PIPELINE_STAGE_NONE] = "none",       [PIPELINE_STAGE_NEUTRAL] = "neutral",
    [PIPELINE_STAGE_TRUNK] = "trunk",     [PIPELINE_STAGE_THIGH_L] = "thigh_l",
    [PIPELINE_STAGE_THIGH_R] = "thigh_r", [PIPELINE_STAGE_SOLVE] = "solve",
    [PIPELINE_STAGE_START] = "start",     [PIPELINE_STAGE_CLOSURE] = "closure",
};

/* Second-order low pass of one guard rate; starts at its first value. */
struct guard_filter {
    struct orientation_low_pass state;
    bool is_running;
};

/* The body at one instant, by role. */
struct frame {
    double time_s;
    bool has_pose[ROLE_COUNT];
    bool has_rate[ROLE_COUNT];
    struct quaternion segment[ROLE_COUNT];
    struct vector3 rate_rad_s[ROLE_COUNT]; /* segment axes */
    double flex_rad[ROLE_COUNT];
};

struct pipeline {
    struct track *tracks;
    unsigned count;
    struct track *by_role[ROLE_COUNT]; /* NULL = not worn */
    enum pipeline_stage stage;
    bool started;
    long long next; /* grid instant to compute next, in units of 10 ms */
    double clock_s;
    struct smoother smoother;
    struct guard_filter guard[GUARD_CHANNEL_COUNT];
    double still_square[STILL_COUNT]; /* ring of mean squared rates, NaN = none */
    unsigned still_next;
    double tilt_error_rad;
    double heading_error_rad;
    double heading_drift_rad; /* largest removed since the last START; NaN = none */
};

static double square(double x)
{
    return x * x;
}

/* The role among two that is worn, the first one if both are. */
static enum role worn_of(const struct pipeline *pipeline, enum role first, enum role second)
{
    return pipeline->by_role[first] ? first : second;
}

static enum role pelvis_role(const struct pipeline *pipeline, enum measure measure)
{
    switch (measure) {
    case MEASURE_TRUNK_FLEXION:
    case MEASURE_TRUNK_LATERAL:
    case MEASURE_TRUNK_ROTATION:
    case MEASURE_HIP_FLEXION_L:
    case MEASURE_HIP_FLEXION_R:
    case MEASURE_HIP_EXTENSION:
    case MEASURE_PELVIS_ROLL:
        return worn_of(pipeline, ROLE_PELVIS_VENTRAL, ROLE_PELVIS_DORSAL);
    case MEASURE_LUMBAR_FLEXION:
    case MEASURE_LUMBAR_LATERAL:
    case MEASURE_LUMBAR_ROTATION:
    case MEASURE_BRIDGE_LINE:
    case MEASURE_THORAX_INCLINATION:
    case MEASURE_THORAX_SIDE:
    case MEASURE_STERNUM_INCLINATION:
    case MEASURE_PELVIS_INCLINATION:
    case MEASURE_PELVIS_SIDE:
    case MEASURE_THIGH_INCLINATION_L:
    case MEASURE_THIGH_INCLINATION_R:
    case MEASURE_FLEX_LUMBAR:
    case MEASURE_COUNT:
        break;
    }
    return worn_of(pipeline, ROLE_PELVIS_DORSAL, ROLE_PELVIS_VENTRAL);
}

/* angle + whole turns, from cut_rad on. */
static double wrap_from(double angle_rad, double cut_rad)
{
    return angle_rad < cut_rad                   ? angle_rad + 2.0 * PI_RAD
           : angle_rad >= cut_rad + 2.0 * PI_RAD ? angle_rad - 2.0 * PI_RAD
                                                 : angle_rad;
}

/* ---- angles of a frame ------------------------------------------------------------------
 */

static void trunk_measure(const struct frame *frame, enum role pelvis, enum role upper,
                          double flexion_first[3])
{
    if (!frame->has_pose[pelvis] || !frame->has_pose[upper]) {
        return;
    }
    struct joint_angle angle =
        joint_angle_trunk(frame->segment[pelvis], frame->segment[upper]);
    flexion_first[0] = angle.flexion_rad;
    flexion_first[1] = angle.lateral_right_rad;
    flexion_first[2] = angle.rotation_right_rad;
}

static double hip_measure(const struct frame *frame, enum role proximal, enum role thigh)
{
    if (!frame->has_pose[proximal] || !frame->has_pose[thigh]) {
        return (double)NAN;
    }
    return joint_angle_hip(frame->segment[proximal], frame->segment[thigh]).flexion_rad;
}

static double inclination_measure(const struct frame *frame, enum role role, double cut_rad)
{
    return frame->has_pose[role]
               ? wrap_from(joint_angle_inclination(frame->segment[role]), cut_rad)
               : (double)NAN;
}

static double side_measure(const struct frame *frame, enum role role)
{
    return frame->has_pose[role] ? joint_angle_side_inclination(frame->segment[role])
                                 : (double)NAN;
}

/* Roll is the direction of up across the long axis: it means nothing while that axis is
 * itself nearly upright. */
static double roll_measure(const struct frame *frame, enum role role)
{
    struct vector3 up = quaternion_rotate(quaternion_conjugate(frame->segment[role]),
                                          (struct vector3){0.0, 0.0, 1.0});
    bool is_lying = frame->has_pose[role] && hypot(up.x, up.z) > ROLL_SHARE_MIN;
    return is_lying ? joint_angle_roll(frame->segment[role]) : (double)NAN;
}

static void frame_measure(const struct pipeline *pipeline, const struct frame *frame,
                          double angle_rad[MEASURE_COUNT])
{
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        angle_rad[i] = (double)NAN;
    }
    enum role back = pelvis_role(pipeline, MEASURE_LUMBAR_FLEXION);
    enum role front = pelvis_role(pipeline, MEASURE_TRUNK_FLEXION);
    trunk_measure(frame, back, ROLE_THORAX_DORSAL, &angle_rad[MEASURE_LUMBAR_FLEXION]);
    trunk_measure(frame, front, ROLE_STERNUM, &angle_rad[MEASURE_TRUNK_FLEXION]);
    double hip_left = hip_measure(frame, front, ROLE_THIGH_L);
    double hip_right = hip_measure(frame, front, ROLE_THIGH_R);
    angle_rad[MEASURE_HIP_FLEXION_L] = hip_left;
    angle_rad[MEASURE_HIP_FLEXION_R] = hip_right;
    angle_rad[MEASURE_HIP_EXTENSION] = -(hip_left + hip_right) / 2.0;
    angle_rad[MEASURE_BRIDGE_LINE] = -(hip_measure(frame, ROLE_STERNUM, ROLE_THIGH_L)
                                       + hip_measure(frame, ROLE_STERNUM, ROLE_THIGH_R))
                                     / 2.0;
    angle_rad[MEASURE_THORAX_INCLINATION] =
        inclination_measure(frame, ROLE_THORAX_DORSAL, TRUNK_CUT_RAD);
    angle_rad[MEASURE_THORAX_SIDE] = side_measure(frame, ROLE_THORAX_DORSAL);
    angle_rad[MEASURE_STERNUM_INCLINATION] =
        inclination_measure(frame, ROLE_STERNUM, TRUNK_CUT_RAD);
    angle_rad[MEASURE_PELVIS_INCLINATION] = inclination_measure(frame, back, TRUNK_CUT_RAD);
    angle_rad[MEASURE_PELVIS_SIDE] = side_measure(frame, back);
    angle_rad[MEASURE_PELVIS_ROLL] = roll_measure(frame, front);
    angle_rad[MEASURE_THIGH_INCLINATION_L] =
        inclination_measure(frame, ROLE_THIGH_L, THIGH_CUT_RAD);
    angle_rad[MEASURE_THIGH_INCLINATION_R] =
        inclination_measure(frame, ROLE_THIGH_R, THIGH_CUT_RAD);
    angle_rad[MEASURE_FLEX_LUMBAR] = frame->flex_rad[ROLE_FLEX_LUMBAR];
}

/* ---- guard and stillness ----------------------------------------------------------------
 */

static double guard_filter_update(struct guard_filter *filter, double value)
{
    if (!isfinite(value)) {
        filter->is_running = false;
        return (double)NAN;
    }
    if (!filter->is_running) {
        filter->state = (struct orientation_low_pass){.band = 0.0, .low = value};
        filter->is_running = true;
        return value;
    }
    struct orientation_low_pass *state = &filter->state;
    double a1 = 1.0 / (1.0 + GUARD_GAIN * (GUARD_GAIN + sqrt(2.0)));
    double difference = value - state->low;
    double band = a1 * (state->band + GUARD_GAIN * difference);
    double low = state->low + GUARD_GAIN * band;
    state->band = 2.0 * band - state->band;
    state->low = 2.0 * low - state->low;
    return low;
}

/* Rate of the upper segment seen from the pelvis, in pelvis axes, signed as the measures
 * are. */
static void joint_rate(const struct frame *frame, enum role pelvis, enum role upper,
                       double rate_rad_s[3])
{
    struct quaternion relative = quaternion_multiply(
        quaternion_conjugate(frame->segment[pelvis]), frame->segment[upper]);
    struct vector3 rate = vector3_subtract(
        quaternion_rotate(relative, frame->rate_rad_s[upper]), frame->rate_rad_s[pelvis]);
    rate_rad_s[PLANE_SAGITTAL] = -rate.z;
    rate_rad_s[PLANE_FRONTAL] = rate.x;
    rate_rad_s[PLANE_TRANSVERSE] = -rate.y;
}

static void guard_update(struct pipeline *pipeline, const struct frame *frame,
                         struct pose_guard *guard)
{
    static const enum role TRUNK_ROLES[] = {ROLE_THORAX_DORSAL, ROLE_PELVIS_DORSAL,
                                            ROLE_STERNUM, ROLE_PELVIS_VENTRAL};

    double rates[GUARD_CHANNEL_COUNT] = {(double)NAN, (double)NAN, (double)NAN,
                                         (double)NAN};
    enum role upper = worn_of(pipeline, ROLE_THORAX_DORSAL, ROLE_STERNUM);
    enum measure measure =
        upper == ROLE_THORAX_DORSAL ? MEASURE_LUMBAR_FLEXION : MEASURE_TRUNK_FLEXION;
    enum role pelvis = pelvis_role(pipeline, measure);
    bool is_pair = pipeline->by_role[upper] && pipeline->by_role[pelvis];
    bool has_pair = frame->has_rate[upper] && frame->has_rate[pelvis];
    if (has_pair) {
        joint_rate(frame, pelvis, upper, rates);
    }
    for (unsigned i = 0; i < 4 && (has_pair || !is_pair); i++) {
        enum role role = TRUNK_ROLES[i];
        if (frame->has_rate[role]) {
            rates[3] = fmax(rates[3], vector3_norm(frame->rate_rad_s[role]));
        }
    }
    guard->time_s = frame->time_s;
    for (unsigned i = 0; i < 3; i++) {
        guard->joint_rate_rad_s[i] = guard_filter_update(&pipeline->guard[i], rates[i]);
    }
    guard->segment_rate_rad_s = guard_filter_update(&pipeline->guard[3], rates[3]);
}

static double still_rate_update(struct pipeline *pipeline, const struct frame *frame)
{
    double sum = 0.0;
    unsigned count = 0;
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (frame->has_rate[role]) {
            sum += square(vector3_norm(frame->rate_rad_s[role]));
            count++;
        }
    }
    pipeline->still_square[pipeline->still_next] = count > 0 ? sum / count : (double)NAN;
    pipeline->still_next = (pipeline->still_next + 1) % STILL_COUNT;
    sum = 0.0;
    count = 0;
    for (unsigned i = 0; i < STILL_COUNT; i++) {
        if (isfinite(pipeline->still_square[i])) {
            sum += pipeline->still_square[i];
            count++;
        }
    }
    return count > 0 ? sqrt(sum / count) : (double)NAN;
}

/* ---- the grid ---------------------------------------------------------------------------
 */

static double instant_s(long long index)
{
    return (double)index / POSE_RATE_HZ;
}

/* Rates go into the guard even when the next sample is late: the newest one stands in, as
 * long as it is no older than the wait. */
static void frame_role(struct frame *frame, const struct track *track)
{
    enum role role = track->config.role;
    struct track_state state;
    enum track_answer answer = track_at(track, frame->time_s, &state);
    if (answer == TRACK_KNOWN) {
        frame->flex_rad[role] = state.flex_rad;
        frame->has_pose[role] = !role_is_flex(role);
    } else {
        const struct track_state *newest = track_before(track, frame->time_s);
        if (!newest || frame->time_s - newest->time_s > WAIT_MAX_S) {
            return;
        }
        state = *newest;
    }
    if (!role_is_flex(role)) {
        frame->has_rate[role] = true;
        frame->segment[role] = track_segment(track, state.orientation);
        frame->rate_rad_s[role] =
            quaternion_rotate(track->config.alignment.sensor_to_segment, state.rate_rad_s);
    }
}

/* Worst inclination, and the doubt of heading between the two worst units. */
static void errors_update(struct pipeline *pipeline, double time_s)
{
    double tilt = 0.0;
    double heading[2] = {0.0, 0.0};
    for (unsigned i = 0; i < pipeline->count; i++) {
        const struct track_state *state = track_before(&pipeline->tracks[i], time_s);
        if (!state || role_is_flex(pipeline->tracks[i].config.role)) {
            continue;
        }
        tilt = fmax(tilt, state->tilt_error_rad);
        heading[1] = fmax(heading[1], fmin(heading[0], state->heading_error_rad));
        heading[0] = fmax(heading[0], state->heading_error_rad);
    }
    pipeline->tilt_error_rad = tilt;
    pipeline->heading_error_rad = fmin(PI_RAD, hypot(heading[0], heading[1]));
}

/* True when every sensor has a sample after the instant, or is too late to be waited for.
 */
static bool is_due(const struct pipeline *pipeline, double time_s)
{
    if (pipeline->clock_s - time_s > WAIT_MAX_S) {
        return true;
    }
    for (unsigned i = 0; i < pipeline->count; i++) {
        if (pipeline->tracks[i].newest_s <= time_s) {
            return false;
        }
    }
    return true;
}

/* Compute the next grid instant. @return true when the smoother gave a pose. */
static bool grid_step(struct pipeline *pipeline, struct pose *pose)
{
    struct frame frame = {.time_s = instant_s(pipeline->next)};
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        frame.flex_rad[role] = (double)NAN;
    }
    for (unsigned i = 0; i < pipeline->count; i++) {
        frame_role(&frame, &pipeline->tracks[i]);
        track_forget(&pipeline->tracks[i], frame.time_s);
    }
    errors_update(pipeline, frame.time_s);
    double angle_rad[MEASURE_COUNT];
    frame_measure(pipeline, &frame, angle_rad);
    struct pose_guard guard;
    guard_update(pipeline, &frame, &guard);
    double still_rate_rad_s = still_rate_update(pipeline, &frame);
    pipeline->next++;
    struct smoother_result smooth;
    if (!smoother_update(&pipeline->smoother, angle_rad, &smooth)) {
        return false;
    }
    pose->time_s = instant_s(pipeline->next - 1 - SMOOTHER_REACH);
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        pose->angle_rad[i] = smooth.angle_rad[i];
        pose->rate_rad_s[i] = smooth.rate_rad_s[i];
        pose->raw_angle_rad[i] = smooth.raw_angle_rad[i];
    }
    pose->tilt_error_rad = pipeline->tilt_error_rad;
    pose->heading_error_rad = pipeline->heading_error_rad;
    pose->still_rate_rad_s = still_rate_rad_s;
    pose->guard = guard;
    return true;
}

/* ---- stages -----------------------------------------------------------------------------
 */

static enum status worse(enum status a, enum status b)
{
    return a < b ? a : b;
}

/* Why a unit could not be aligned, kept with its alignment. */
static void reason_set(struct track *track, const char *reason)
{
    snprintf(track->config.alignment.reason, sizeof track->config.alignment.reason, "%s",
             reason);
}

static enum status stage_solve(struct pipeline *pipeline)
{
    enum status worst = STATUS_OK;
    for (unsigned i = 0; i < pipeline->count; i++) {
        struct track *track = &pipeline->tracks[i];
        if (role_is_flex(track->config.role)) {
            continue;
        }
        enum status status = track_solve(track);
        if (status == STATUS_NOT_READY) {
            reason_set(track, "no still pose; stand still for 5 s and take it again");
        } else if (status && track->config.alignment.grade != 'F') {
            reason_set(track,
                       "moved, or worn upside down; check its arrow and take the pose "
                       "again");
        }
        worst = worse(worst, status);
    }
    return worst;
}

/* Trunk and pelvis keep their relative heading in a start posture; legs are put elsewhere.
 */
static bool is_core(enum role role)
{
    return role == ROLE_THORAX_DORSAL || role == ROLE_STERNUM || role == ROLE_PELVIS_DORSAL
           || role == ROLE_PELVIS_VENTRAL;
}

/* A person may face elsewhere than before, so only what the units turned apart is drift:
 * the mean turn is taken out, and with it the bias that all have in common, which moves no
 * relative heading. */
static void closure_learn(struct pipeline *pipeline)
{
    struct track *tracks[4] = {NULL, NULL, NULL, NULL};
    double turns_rad[4] = {0.0, 0.0, 0.0, 0.0};
    double spans_s[4] = {0.0, 0.0, 0.0, 0.0};
    double mean_rad = 0.0;
    unsigned count = 0;
    for (unsigned i = 0; i < pipeline->count; i++) {
        struct track *track = &pipeline->tracks[i];
        if (is_core(track->config.role)
            && track_closure_get(track, &turns_rad[count], &spans_s[count])) {
            /* Near the first one, so that half a turn does not average to nothing. */
            turns_rad[count] =
                turns_rad[0] + remainder(turns_rad[count] - turns_rad[0], 2.0 * PI_RAD);
            mean_rad += turns_rad[count];
            tracks[count++] = track;
        }
    }
    if (count < 2) {
        return;
    }
    mean_rad /= count;
    double least = turns_rad[0];
    double most = turns_rad[0];
    for (unsigned i = 0; i < count; i++) {
        track_closure_learn(tracks[i], turns_rad[i] - mean_rad, spans_s[i]);
        least = fmin(least, turns_rad[i]);
        most = fmax(most, turns_rad[i]);
    }
    pipeline->heading_drift_rad = fmax(pipeline->heading_drift_rad, most - least);
}

static bool is_start(enum pipeline_stage stage)
{
    return stage == PIPELINE_STAGE_START || stage == PIPELINE_STAGE_CLOSURE;
}

static enum status stage_start_finish(struct pipeline *pipeline)
{
    enum status worst = STATUS_OK;
    for (unsigned i = 0; i < pipeline->count; i++) {
        if (!role_is_flex(pipeline->tracks[i].config.role)) {
            worst = worse(worst, track_start_finish(&pipeline->tracks[i]));
        }
    }
    if (pipeline->stage == PIPELINE_STAGE_CLOSURE) {
        closure_learn(pipeline);
    }
    return worst;
}

/* ---- public -----------------------------------------------------------------------------
 */

const char *pipeline_stage_text(enum pipeline_stage stage)
{
    return (unsigned)stage < sizeof STAGE_TEXTS / sizeof STAGE_TEXTS[0] ? STAGE_TEXTS[stage]
                                                                        : "";
}

static enum status roles_check(const struct pipeline_sensor *sensors, unsigned count)
{
    unsigned worn = 0;
    for (unsigned i = 0; i < count; i++) {
        if ((unsigned)sensors[i].role >= ROLE_COUNT) {
            log_error("sensor %u: unknown role; see 'limber protocols show'", i);
            return STATUS_BAD_INPUT;
        }
        if (worn & 1u << sensors[i].role) {
            log_error(
                "sensor %u: role %s is already worn by another sensor; give each role once",
                i, role_text(sensors[i].role));
            return STATUS_BAD_INPUT;
        }
        worn |= 1u << sensors[i].role;
    }
    return STATUS_OK;
}

enum status pipeline_create(const struct pipeline_sensor *sensors, unsigned count,
                            struct pipeline **out)
{
    if (count == 0 || count > PIPELINE_SENSOR_MAX) {
        log_error("%u sensors: give 1 to %d", count, PIPELINE_SENSOR_MAX);
        return STATUS_BAD_INPUT;
    }
    enum status status = roles_check(sensors, count);
    if (status) {
        return status;
    }
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct track *tracks = calloc(count, sizeof *tracks);
    if (!pipeline || !tracks) {
        free(tracks);
        free(pipeline);
        return STATUS_NO_MEMORY;
    }
    pipeline->tracks = tracks;
    pipeline->count = count;
    pipeline->clock_s = -INFINITY;
    pipeline->heading_drift_rad = (double)NAN;
    for (unsigned i = 0; i < count; i++) {
        track_init(&tracks[i], &sensors[i]);
        pipeline->by_role[sensors[i].role] = &tracks[i];
    }
    for (unsigned i = 0; i < STILL_COUNT; i++) {
        pipeline->still_square[i] = (double)NAN;
    }
    smoother_init(&pipeline->smoother);
    *out = pipeline;
    return STATUS_OK;
}

void pipeline_push(struct pipeline *pipeline, unsigned sensor, const struct sample *sample,
                   double *time_s)
{
    struct track *track = &pipeline->tracks[sensor];
    *time_s = track_push(track, sample, pipeline->stage);
    if (!isfinite(track->newest_s)) {
        return;
    }
    if (!pipeline->started) {
        pipeline->started = true;
        pipeline->next = (long long)ceil(track->newest_s * POSE_RATE_HZ);
    }
    pipeline->clock_s = fmax(pipeline->clock_s, *time_s);
}

void pipeline_advance(struct pipeline *pipeline, int64_t now_ns)
{
    pipeline->clock_s = fmax(pipeline->clock_s, (double)now_ns * 1e-9);
}

enum status pipeline_pop(struct pipeline *pipeline, struct pose *pose)
{
    while (pipeline->started && is_due(pipeline, instant_s(pipeline->next))) {
        if (grid_step(pipeline, pose)) {
            return STATUS_OK;
        }
    }
    return STATUS_NOT_READY;
}

void pipeline_interrupt(struct pipeline *pipeline, unsigned sensor)
{
    track_interrupt(&pipeline->tracks[sensor]);
}

void pipeline_clock_set(struct pipeline *pipeline, unsigned sensor, double tick_s,
                        double rate_hz)
{
    struct timebase_settings *settings = &pipeline->tracks[sensor].timebase.settings;
    bool is_new =
        settings->tick_s != tick_s || (tick_s <= 0.0 && settings->rate_hz != rate_hz);
    if (!is_new) {
        return;
    }
    settings->tick_s = tick_s;
    settings->rate_hz = rate_hz;
    pipeline->tracks[sensor].config.timebase = *settings;
    track_interrupt(&pipeline->tracks[sensor]);
}

enum status pipeline_stage_set(struct pipeline *pipeline, enum pipeline_stage stage)
{
    enum status status = STATUS_OK;
    if (is_start(pipeline->stage) && stage != pipeline->stage) {
        status = stage_start_finish(pipeline);
    }
    if (stage == PIPELINE_STAGE_START) {
        pipeline->heading_drift_rad = (double)NAN;
    }
    if (stage == PIPELINE_STAGE_SOLVE) {
        status = worse(status, stage_solve(pipeline));
    }
    for (unsigned i = 0; i < pipeline->count && stage != pipeline->stage; i++) {
        if (stage == PIPELINE_STAGE_NEUTRAL) {
            track_neutral_begin(&pipeline->tracks[i]);
        } else if (is_start(stage)) {
            track_start_begin(&pipeline->tracks[i]);
        }
    }
    pipeline->stage = stage;
    return status;
}

double pipeline_heading_drift_rad(const struct pipeline *pipeline)
{
    return pipeline->heading_drift_rad;
}

struct quaternion pipeline_sensor_orientation(const struct pipeline *pipeline,
                                              unsigned sensor)
{
    return orientation_get(&pipeline->tracks[sensor].orientation);
}

struct quaternion pipeline_segment_orientation(const struct pipeline *pipeline,
                                               unsigned sensor)
{
    const struct track *track = &pipeline->tracks[sensor];
    return track->orientation.started
               ? track_segment(track, orientation_get(&track->orientation))
               : QUATERNION_IDENTITY;
}

struct inertial pipeline_sensor_inertial(const struct pipeline *pipeline, unsigned sensor)
{
    return pipeline->tracks[sensor].newest;
}

const struct pipeline_sensor *pipeline_sensor_get(const struct pipeline *pipeline,
                                                  unsigned sensor)
{
    return &pipeline->tracks[sensor].config;
}

void pipeline_clock_get(const struct pipeline *pipeline, unsigned sensor, double *offset_s,
                        double *skew)
{
    timebase_get(&pipeline->tracks[sensor].timebase, offset_s, skew);
}

/* Units that make up a measure; both pelvis units count as the one in use. */
static unsigned measure_tracks(const struct pipeline *pipeline, enum measure measure,
                               const struct track *tracks[3])
{
    const struct measure_info *info = measure_info_get(measure);
    unsigned pelvis = 1u << ROLE_PELVIS_DORSAL | 1u << ROLE_PELVIS_VENTRAL;
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned role = 0; role < ROLE_COUNT; role++) {
            bool is_used = info->roles[i] & 1u << role;
            if (is_used && pelvis & 1u << role) {
                is_used = role == (unsigned)pelvis_role(pipeline, measure);
            }
            if (is_used && pipeline->by_role[role]) {
                tracks[count++] = pipeline->by_role[role];
            }
        }
    }
    return count;
}

static unsigned plane_axis(enum plane plane)
{
    return plane == PLANE_SAGITTAL ? 2 : plane == PLANE_FRONTAL ? 0 : 1;
}

struct pipeline_error pipeline_measure_error(const struct pipeline *pipeline,
                                             enum measure measure, enum posture posture)
{
    const struct track *tracks[3] = {NULL, NULL, NULL};
    unsigned count = measure_tracks(pipeline, measure, tracks);
    unsigned axis = plane_axis(measure_info_get(measure)->plane);
    bool is_seen = measure_is_gravity_seen(measure, posture);
    double noise = 0.0;
    double alignment = 0.0;
    double heading = 0.0;
    for (unsigned i = 0; i < count; i++) {
        if (role_is_flex(tracks[i]->config.role)) {
            noise += square(tracks[i]->config.flex.residual_rad);
            continue;
        }
        const struct orientation *orientation = &tracks[i]->orientation;
        noise += square(orientation_tilt_error_rad(orientation));
        alignment += square(tracks[i]->config.alignment.uncertainty_rad[axis]);
        heading += square(orientation_heading_error_rad(orientation));
    }
    return (struct pipeline_error){
        .noise_rad = sqrt(noise),
        .alignment_rad = sqrt(alignment),
        .heading_rad = is_seen ? 0.0 : sqrt(heading),
        .skin_rad = SKIN_ERROR_RAD,
    };
}

void pipeline_destroy(struct pipeline *pipeline)
{
    if (pipeline) {
        free(pipeline->tracks);
        free(pipeline);
    }
}

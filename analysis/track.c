#include "analysis/track.h"

#include <math.h>
#include <stddef.h>

#include "analysis/joint_angle.h"
#include "base/units.h"

static const double BRACKET_MAX_S = 0.25;      /* a longer gap is no data (3.2) */
static const double HISTORY_STEP_MIN_S = 9e-4; /* 256 states hold 0.23 s at any rate */

/* Standing people sway at 0.3 to 1.5 deg/s (SD of trunk units), so "still" on a body is
 * wider than still on a table; the doubt of the bias is computed from the sway itself. */
static const double STILL_RATE_RAD_S = 5.0 * RAD_PER_DEG;
static const double STILL_DEVIATION_RAD_S = 2.0 * RAD_PER_DEG;
static const double MOVED_RATE_RAD_S =
    10.0 * RAD_PER_DEG; /* start posture was left: again */
static const double START_TIME_MIN_S = 0.5;

/* A body in a still window ends somewhere else than it began, by this much (project
 * default): a bias of so much over the window cannot be told from sway. */
static const double SWAY_ANGLE_RAD = 0.1 * RAD_PER_DEG;

/* At rest as a thing on a table is: with the wider limits that are right elsewhere, the
 * slow beginning of a stretch counts as rest and passes for bias (0.3 deg/s of false bias
 * about the vertical after a simulated seated twist; under 0.03 with these). */
static const double REST_RATE_RAD_S = 0.5 * RAD_PER_DEG;
static const double REST_TIME_S = 3.0;
static const double REST_SWAY_RAD_S = 0.08 * RAD_PER_DEG;

/* Start postures as closures: how well a person comes back, how long the bias may be taken
 * as one, and how far the inclination may differ (project defaults). */
static const double CLOSURE_ERROR_RAD = 0.5 * RAD_PER_DEG;
static const double CLOSURE_SPAN_MIN_S = 10.0;
static const double CLOSURE_SPAN_MAX_S = 300.0;
static const double CLOSURE_TILT_RAD = 10.0 * RAD_PER_DEG;

/* Doubt of a placement that was never checked against gravity. */
static const double NOMINAL_DOUBT_RAD = 10.0 * RAD_PER_DEG;

static const unsigned STAGE_ROLES[] = {
    [PIPELINE_STAGE_TRUNK] = 1u << ROLE_THORAX_DORSAL | 1u << ROLE_PELVIS_DORSAL
                             | 1u << ROLE_STERNUM | 1u << ROLE_PELVIS_VENTRAL,
    [PIPELINE_STAGE_THIGH_L] = 1u << ROLE_THIGH_L | 1u << ROLE_SHANK_L,
    [PIPELINE_STAGE_THIGH_R] = 1u << ROLE_THIGH_R | 1u << ROLE_SHANK_R,
    [PIPELINE_STAGE_CLOSURE] = 0,
};

static bool is_leg(enum role role)
{
    return role == ROLE_THIGH_L || role == ROLE_THIGH_R || role == ROLE_SHANK_L
           || role == ROLE_SHANK_R;
}

static bool is_shank(enum role role)
{
    return role == ROLE_SHANK_L || role == ROLE_SHANK_R;
}

static struct alignment_settings alignment_settings_of(const struct track *track)
{
    struct alignment_settings settings = alignment_default_settings;
    settings.nominal = track->nominal;
    settings.still_gyro_rad_s = STILL_DEVIATION_RAD_S;
    if (is_leg(track->config.role)) {
        settings.turn_in_segment = (struct vector3){0.0, 0.0, 1.0};
    }
    return settings;
}

static struct quaternion segment_free(const struct track *track,
                                      struct quaternion orientation)
{
    return quaternion_multiply(
        orientation, quaternion_conjugate(track->config.alignment.sensor_to_segment));
}

/* The first orientation decides the heading: as before an interruption, else straight
 * ahead. */
static void heading_begin(struct track *track)
{
    struct quaternion segment = segment_free(track, orientation_get(&track->orientation));
    track->heading_fix = joint_angle_heading_fix(segment);
    if (track->has_heading_before) {
        track->heading_fix = quaternion_multiply(
            quaternion_conjugate(track->heading_before), track->heading_fix);
    }
    track->heading_known = true;
}

static void history_append(struct track *track, const struct track_state *state)
{
    if (track->count > 0) {
        unsigned last = (track->first + track->count - 1) % TRACK_HISTORY_COUNT;
        if (state->time_s - track->history[last].time_s < HISTORY_STEP_MIN_S) {
            track->history[last] = *state;
            return;
        }
    }
    if (track->count == TRACK_HISTORY_COUNT) {
        track->first = (track->first + 1) % TRACK_HISTORY_COUNT;
        track->count--;
    }
    track->history[(track->first + track->count) % TRACK_HISTORY_COUNT] = *state;
    track->count++;
}

/* Up in the sensor frame turns at up x rate; it leaves the neutral up while that points
 * away. */
static bool is_outward(const struct track *track, struct vector3 rate)
{
    struct vector3 up =
        quaternion_rotate(quaternion_conjugate(orientation_get(&track->orientation)),
                          (struct vector3){0, 0, 1});
    return vector3_dot(track->alignment.still_accel_sum, vector3_cross(up, rate)) < 0.0;
}

static void start_update(struct track *track, double speed_rad_s)
{
    if (speed_rad_s > MOVED_RATE_RAD_S) {
        track_start_begin(track);
    }
    if (speed_rad_s >= STILL_RATE_RAD_S) {
        return;
    }
    alignment_update_still(&track->start, &track->newest);
    struct quaternion q = orientation_get(&track->orientation);
    struct quaternion *sum = &track->start_sum;
    double sign =
        sum->w * q.w + sum->x * q.x + sum->y * q.y + sum->z * q.z < 0.0 ? -1.0 : 1.0;
    sum->w += sign * q.w;
    sum->x += sign * q.x;
    sum->y += sign * q.y;
    sum->z += sign * q.z;
}

static void stage_update(struct track *track, struct vector3 rate,
                         enum pipeline_stage stage)
{
    double speed_rad_s = vector3_norm(rate);
    struct inertial unbiased = track->newest;
    unbiased.gyro_rad_s = rate;
    switch (stage) {
    case PIPELINE_STAGE_NEUTRAL:
        if (speed_rad_s < STILL_RATE_RAD_S) {
            alignment_update_still(&track->alignment, &track->newest);
            track->neutral = orientation_get(&track->orientation);
        }
        break;
    case PIPELINE_STAGE_TRUNK:
    case PIPELINE_STAGE_THIGH_L:
    case PIPELINE_STAGE_THIGH_R:
        if (STAGE_ROLES[stage] & 1u << track->config.role) {
            /* A shank may swing either way when its knee is lifted: the axis counts, not
             * the direction. */
            bool outward = !is_shank(track->config.role) && is_outward(track, rate);
            alignment_update_move(&track->alignment, &unbiased, outward);
        }
        break;
    case PIPELINE_STAGE_START:
    case PIPELINE_STAGE_CLOSURE:
        start_update(track, speed_rad_s);
        break;
    case PIPELINE_STAGE_NONE:
    case PIPELINE_STAGE_SOLVE:
        break;
    }
}

static double median_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* One sample of damaged bytes that still passes as data is no movement: nothing on a body
 * turns for a single sample. After a gap the newest sample stands alone. */
static struct vector3 rate_without_spike(struct track *track, struct vector3 rate,
                                         double time_s)
{
    struct vector3 *before = track->rates_before;
    if (!(time_s - track->newest_s <= BRACKET_MAX_S)) {
        before[0] = rate;
        before[1] = rate;
    }
    struct vector3 median = {median_of_three(rate.x, before[0].x, before[1].x),
                             median_of_three(rate.y, before[0].y, before[1].y),
                             median_of_three(rate.z, before[0].z, before[1].z)};
    before[1] = before[0];
    before[0] = rate;
    return median;
}

static void inertial_push(struct track *track, const struct sample *sample, double time_s,
                          enum pipeline_stage stage)
{
    struct inertial inertial = calibration_apply_imu(&track->config.imu, sample);
    inertial.time_s = time_s;
    track->newest = inertial;
    struct inertial even = inertial;
    even.time_s = track->even_s;
    if (!isfinite(vector3_norm(inertial.gyro_rad_s))) {
        return;
    }
    orientation_update(&track->orientation, &even);
    if (!track->heading_known) {
        heading_begin(track);
    }
    struct vector3 rate = orientation_rate(&track->orientation, &inertial);
    struct track_state state = {
        .time_s = time_s,
        .orientation = orientation_get(&track->orientation),
        .rate_rad_s = rate_without_spike(track, rate, time_s),
        .flex_rad = (double)NAN,
        .tilt_error_rad = orientation_tilt_error_rad(&track->orientation),
        .heading_error_rad = orientation_heading_error_rad(&track->orientation),
    };
    track->newest_s = time_s;
    history_append(track, &state);
    stage_update(track, rate, stage);
}

static void flex_push(struct track *track, const struct sample *sample, double time_s)
{
    if (track->config.channel >= sample->channel_count
        || track->config.channel >= SAMPLE_CHANNEL_MAX) {
        return;
    }
    bool is_flagged;
    double reading = (double)sample->values[track->config.channel];
    struct track_state state = {
        .time_s = time_s,
        .orientation = QUATERNION_IDENTITY,
        .flex_rad = calibration_apply_flex(&track->config.flex, reading, &is_flagged),
    };
    if (is_flagged) {
        state.flex_rad = (double)NAN; /* not to be used for peaks (4.4) */
    }
    track->newest_s = time_s;
    history_append(track, &state);
}

/* Session time of a sample; notes a clock that began again. */
static double clock_update(struct track *track, const struct sample *sample,
                           bool is_carrier)
{
    if (sample->flags & SAMPLE_CLOCK_RESTARTED) {
        track_interrupt(track);
    }
    if (!is_carrier && !(track->config.timebase.tick_s > 0.0)) {
        double host_s = (double)sample->host_ns * 1e-9;
        return track->timebase.started ? fmin(host_s, track->timebase.last_time_s) : host_s;
    }
    double time_s =
        timebase_update(&track->timebase, sample->device_ticks, sample->host_ns);
    double even_s = timebase_even_s(&track->timebase);
    if (even_s < track->even_s) {
        track_interrupt(track);
        time_s = timebase_update(&track->timebase, sample->device_ticks, sample->host_ns);
    }
    track->even_s = timebase_even_s(&track->timebase);
    return time_s;
}

void track_init(struct track *track, const struct pipeline_sensor *config)
{
    *track = (struct track){.config = *config, .newest_s = -INFINITY};
    struct calibration_alignment *alignment = &track->config.alignment;
    struct quaternion given = alignment->sensor_to_segment;
    /* No unit lies on a body with its axes along the segment's: identity means "not told".
     */
    bool is_given =
        quaternion_is_finite(given) && (given.x != 0.0 || given.y != 0.0 || given.z != 0.0);
    track->nominal =
        is_given ? quaternion_normalise(given) : calibration_nominal(config->role);
    alignment->sensor_to_segment = track->nominal;
    if (alignment->grade == '\0') {
        alignment->grade = 'C';
        for (int i = 0; i < 3; i++) {
            alignment->uncertainty_rad[i] = NOMINAL_DOUBT_RAD;
        }
    }
    track->heading_fix = QUATERNION_IDENTITY;
    timebase_init(&track->timebase, &config->timebase);
    struct orientation_settings settings = orientation_default_settings;
    settings.rest_gyro_rad_s = REST_RATE_RAD_S;
    settings.rest_time_s = REST_TIME_S;
    settings.rest_sway_rad_s = REST_SWAY_RAD_S;
    orientation_init(&track->orientation, &settings);
    track_neutral_begin(track);
    track_start_begin(track);
}

double track_push(struct track *track, const struct sample *sample,
                  enum pipeline_stage stage)
{
    bool is_carrier = sample->stream == track->config.stream;
    double time_s = clock_update(track, sample, is_carrier);
    if (is_carrier && role_is_flex(track->config.role)) {
        flex_push(track, sample, time_s);
    } else if (is_carrier) {
        inertial_push(track, sample, time_s, stage);
    }
    return time_s;
}

void track_interrupt(struct track *track)
{
    if (track->heading_known) {
        struct quaternion segment =
            track_segment(track, orientation_get(&track->orientation));
        track->heading_before = joint_angle_heading_fix(segment);
        track->has_heading_before = true;
    }
    track->heading_known = false;
    track->fix.is_known = false;
    track->first = 0;
    track->count = 0;
    track->even_s = 0.0;
    /* Time never runs backwards in the history, nor across the interruption. */
    double last_time_s = track->timebase.last_time_s;
    timebase_reset(&track->timebase);
    track->timebase.last_time_s = last_time_s;
    orientation_restart(&track->orientation);
}

const struct track_state *track_before(const struct track *track, double time_s)
{
    const struct track_state *found = NULL;
    for (unsigned i = 0; i < track->count; i++) {
        const struct track_state *state =
            &track->history[(track->first + i) % TRACK_HISTORY_COUNT];
        if (state->time_s > time_s) {
            break;
        }
        found = state;
    }
    return found;
}

enum track_answer track_at(const struct track *track, double time_s,
                           struct track_state *state)
{
    if (track->newest_s <= time_s) {
        return TRACK_WAIT;
    }
    const struct track_state *before = track_before(track, time_s);
    if (!before) {
        return TRACK_NONE;
    }
    unsigned slot = (unsigned)(before - track->history);
    const struct track_state *after = &track->history[(slot + 1) % TRACK_HISTORY_COUNT];
    double span_s = after->time_s - before->time_s;
    if (span_s > BRACKET_MAX_S) {
        return TRACK_NONE;
    }
    double share = (time_s - before->time_s) / span_s;
    *state = *after;
    state->time_s = time_s;
    state->orientation =
        quaternion_interpolate(before->orientation, after->orientation, share);
    state->rate_rad_s = vector3_add(vector3_scale(before->rate_rad_s, 1.0 - share),
                                    vector3_scale(after->rate_rad_s, share));
    state->flex_rad = before->flex_rad + share * (after->flex_rad - before->flex_rad);
    return TRACK_KNOWN;
}

void track_forget(struct track *track, double time_s)
{
    while (track->count > 1) {
        unsigned second = (track->first + 1) % TRACK_HISTORY_COUNT;
        if (track->history[second].time_s > time_s) {
            return;
        }
        track->first = second;
        track->count--;
    }
}

struct quaternion track_segment(const struct track *track, struct quaternion orientation)
{
    return quaternion_multiply(track->heading_fix, segment_free(track, orientation));
}

void track_neutral_begin(struct track *track)
{
    struct alignment_settings settings = alignment_settings_of(track);
    alignment_init(&track->alignment, &settings);
}

static void bias_merge(struct track *track, const struct alignment *still)
{
    double bias_rad_s[3];
    double error_rad_s[3];
    if (alignment_bias_get(still, bias_rad_s, error_rad_s) == STATUS_OK) {
        double seconds = fmax(1.0, still->still_last_s - still->still_first_s);
        for (int i = 0; i < 3; i++) {
            error_rad_s[i] = hypot(error_rad_s[i], sqrt(2.0) * SWAY_ANGLE_RAD / seconds);
        }
        orientation_bias_merge(&track->orientation, bias_rad_s, error_rad_s);
    }
}

enum status track_solve(struct track *track)
{
    struct calibration_alignment solved = {.grade = '\0'};
    enum status status = alignment_solve(&track->alignment, &solved);
    if (solved.grade == '\0') {
        return status;
    }
    track->config.alignment = solved;
    bias_merge(track, &track->alignment);
    track->heading_fix = joint_angle_heading_fix(segment_free(track, track->neutral));
    track->heading_known = true;
    return status;
}

void track_start_begin(struct track *track)
{
    struct alignment_settings settings = alignment_settings_of(track);
    alignment_init(&track->start, &settings);
    track->start_sum = (struct quaternion){0.0, 0.0, 0.0, 0.0};
}

enum status track_start_finish(struct track *track)
{
    const struct alignment *start = &track->start;
    if (start->still_count == 0
        || start->still_last_s - start->still_first_s < START_TIME_MIN_S) {
        track->fix_before.is_known = false; /* nothing new to close with */
        return STATUS_NOT_READY;
    }
    bias_merge(track, start);
    struct quaternion mean = quaternion_normalise(track->start_sum);
    track->heading_fix = joint_angle_heading_fix(segment_free(track, mean));
    track->heading_known = true;
    track->fix_before = track->fix;
    track->fix = (struct track_fix){
        .is_known = true,
        .time_s = (start->still_first_s + start->still_last_s) / 2.0,
        .heading_rad = -2.0 * atan2(track->heading_fix.z, track->heading_fix.w),
        .up = quaternion_rotate(quaternion_conjugate(mean), (struct vector3){0, 0, 1}),
    };
    orientation_heading_reset(&track->orientation);
    return STATUS_OK;
}

bool track_closure_get(const struct track *track, double *turn_rad, double *span_s)
{
    const struct track_fix *from = &track->fix_before;
    const struct track_fix *to = &track->fix;
    double between_s = to->time_s - from->time_s;
    if (!from->is_known || !to->is_known || between_s > CLOSURE_SPAN_MAX_S
        || vector3_dot(from->up, to->up) < cos(CLOSURE_TILT_RAD)) {
        return false;
    }
    *turn_rad = remainder(to->heading_rad - from->heading_rad, 2.0 * PI_RAD);
    *span_s = between_s;
    return true;
}

void track_closure_learn(struct track *track, double drift_rad, double span_s)
{
    if (span_s >= CLOSURE_SPAN_MIN_S) {
        orientation_drift_merge(&track->orientation, drift_rad / span_s,
                                sqrt(2.0) * CLOSURE_ERROR_RAD / span_s);
    }
}

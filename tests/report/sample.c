#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum {
    SAMPLE_METRIC_MAX = 128,
    SAMPLE_EVENT_MAX = 128
};

static const double GRID_S = 0.01;

static void text_set(char *slot, size_t size, const char *text)
{
    snprintf(slot, size, "%s", text);
}

static const struct protocol_guard GUARD = {
    .sagittal_caution_deg_s = 30,
    .sagittal_stop_deg_s = 60,
    .axial_caution_deg_s = 20,
    .axial_stop_deg_s = 40,
    .segment_caution_deg_s = 60,
    .segment_stop_deg_s = 120,
    .caution_time_s = 0.1,
    .stop_time_s = 0.05,
};

static void twist_init(struct protocol *protocol)
{
    text_set(protocol->id, sizeof protocol->id, "seated_spinal_twist");
    text_set(protocol->title, sizeof protocol->title,
             "Seated Spinal Twist (Gentle Rotation)");
    text_set(protocol->version, sizeof protocol->version, "1");
    text_set(protocol->placement, sizeof protocol->placement, "DORSAL");
    text_set(protocol->cannot_tell, sizeof protocol->cannot_tell, "Which vertebra turned.");
    protocol->posture = POSTURE_SITTING;
    protocol->guard = GUARD;
    protocol->part_count = 1;
    struct protocol_part *part = &protocol->parts[0];
    text_set(part->id, sizeof part->id, "hold");
    text_set(part->title, sizeof part->title, "Turn and hold");
    part->kind = PROTOCOL_HOLD;
    part->has_sides = true;
    part->measure[SIDE_LEFT] = MEASURE_TRUNK_ROTATION;
    part->measure[SIDE_RIGHT] = MEASURE_TRUNK_ROTATION;
    part->sign[SIDE_LEFT] = -1.0;
    part->sign[SIDE_RIGHT] = 1.0;
    part->reps = 1;
    part->hold_s = 25.0;
}

static void cat_init(struct protocol *protocol)
{
    text_set(protocol->id, sizeof protocol->id, "cat_cow");
    text_set(protocol->title, sizeof protocol->title,
             "Cat-Cow Stretch (Dynamic Mobilization)");
    text_set(protocol->version, sizeof protocol->version, "1");
    text_set(protocol->placement, sizeof protocol->placement, "DORSAL");
    protocol->posture = POSTURE_QUADRUPED;
    protocol->guard = GUARD;
    protocol->part_count = 1;
    struct protocol_part *part = &protocol->parts[0];
    text_set(part->id, sizeof part->id, "rounds");
    text_set(part->title, sizeof part->title, "Round and arch");
    part->kind = PROTOCOL_CYCLE;
    part->measure[SIDE_BOTH] = MEASURE_LUMBAR_FLEXION;
    part->sign[SIDE_BOTH] = 1.0;
    part->reps = 12;
    part->cycle_s = 6.0;
}

static struct metric *metric_add(struct session *session, enum metric_id id,
                                 enum measure measure, enum side side, unsigned stretch,
                                 unsigned repetition, double value)
{
    struct metric *metric = &session->metrics[session->metric_count++];
    *metric = (struct metric){.id = id,
                              .measure = measure,
                              .side = side,
                              .stretch = stretch,
                              .repetition = repetition,
                              .value = value,
                              .uncertainty = NAN,
                              .coverage = 0.998,
                              .quality = NAN};
    return metric;
}

static struct event *event_add(struct session *session, enum event_type type, double time_s,
                               double duration_s, unsigned stretch, enum side side,
                               double value)
{
    struct event *event = &session->events[session->event_count++];
    *event = (struct event){.type = type,
                            .time_s = time_s,
                            .duration_s = duration_s,
                            .stretch = stretch,
                            .side = side,
                            .value = value,
                            .value2 = NAN};
    return event;
}

/* Smooth step up at a, down at b. */
static double hump(double time_s, double a, double b)
{
    return 0.5 * (tanh((time_s - a) / 1.2) - tanh((time_s - b) / 1.2));
}

static bool angles_fill(struct session *session, double duration_s, double twist_deg,
                        double cat_deg)
{
    struct session_angles *angles = &session->angles;
    angles->count = (size_t)(2.0 * duration_s / GRID_S);
    angles->time_s = calloc(angles->count, sizeof(double));
    double *twist = calloc(angles->count, sizeof(double));
    double *cat = calloc(angles->count, sizeof(double));
    angles->angle_rad[MEASURE_TRUNK_ROTATION] = twist;
    angles->angle_rad[MEASURE_LUMBAR_FLEXION] = cat;
    if (!angles->time_s || !twist || !cat) {
        return false;
    }
    for (size_t i = 0; i < angles->count; i++) {
        double time_s = (double)i * GRID_S;
        double sway_deg = 0.8 * sin(1.3 * time_s);
        angles->time_s[i] = time_s;
        double right = hump(time_s, 0.1 * duration_s, 0.45 * duration_s);
        double left = hump(time_s, 0.55 * duration_s, 0.9 * duration_s);
        twist[i] = (twist_deg * right - (twist_deg - 10.0) * left + sway_deg) * RAD_PER_DEG;
        bool is_cat = time_s > duration_s;
        cat[i] =
            is_cat ? cat_deg / 2.0 * sin(2.0 * PI_RAD * time_s / 6.0) * RAD_PER_DEG : 0.0;
        if (time_s > 0.62 * duration_s && time_s < 0.66 * duration_s) {
            twist[i] = NAN; /* a sensor was silent */
        }
    }
    return true;
}

static void events_fill(struct session *session, double duration_s)
{
    double hold_s = 0.35 * duration_s - 5.0;
    struct event *event = event_add(session, EVENT_HOLD, 0.1 * duration_s + 2.5, hold_s, 0,
                                    SIDE_RIGHT, hold_s);
    event->repetition = 1;
    event = event_add(session, EVENT_HOLD, 0.55 * duration_s + 2.5, hold_s, 0, SIDE_LEFT,
                      hold_s - 0.04 * duration_s);
    event->repetition = 1;
    event = event_add(session, EVENT_PAIN, 0.7 * duration_s, 0.0, 0, SIDE_BOTH, 3.0);
    event = event_add(session, EVENT_SENSOR, 0.62 * duration_s, 0.04 * duration_s, 0,
                      SIDE_BOTH, NAN);
    text_set(event->label, sizeof event->label, "stalled");
    event = event_add(session, EVENT_GUARD, 0.55 * duration_s, 0.0, 0, SIDE_LEFT, 22.0);
    text_set(event->label, sizeof event->label, "caution");
    event = event_add(session, EVENT_NOTE, duration_s, 0.0, 0, SIDE_BOTH, NAN);
    text_set(event->cause, sizeof event->cause, "Twists with a round back on the left.");
    event = event_add(session, EVENT_NOTE, duration_s, 0.0, 0, SIDE_BOTH, NAN);
    text_set(event->cause, sizeof event->cause,
             "Next time: sit tall. Turn slowly to the left.");
    for (unsigned i = 0; i < 12; i++) {
        event = event_add(session, EVENT_REPETITION, duration_s + 6.0 * (double)i, 6.0, 1,
                          SIDE_BOTH, 40.0);
        event->repetition = i + 1;
    }
}

static void hold_metrics(struct session *session, enum side side, double angle_deg,
                         double hold_s)
{
    const enum measure measure = MEASURE_TRUNK_ROTATION;
    metric_add(session, METRIC_RANGE_OF_MOTION, measure, side, 0, 0, angle_deg)
        ->uncertainty = 5.2;
    metric_add(session, METRIC_PEAK_ANGLE, measure, side, 0, 0, angle_deg + 1.0)
        ->uncertainty = 5.2;
    metric_add(session, METRIC_HOLD_TIME, MEASURE_COUNT, side, 0, 0, hold_s);
    struct metric *hold =
        metric_add(session, METRIC_HOLD_TIME, MEASURE_COUNT, side, 0, 1, hold_s);
    hold->quality = side == SIDE_LEFT ? 60.0 : 100.0;
    if (side == SIDE_LEFT) {
        text_set(hold->remark, sizeof hold->remark, "guard caution, hold short");
    }
    metric_add(session, METRIC_HOLD_MEAN_ANGLE, measure, side, 0, 1, angle_deg - 1.2);
    metric_add(session, METRIC_HOLD_WOBBLE, measure, side, 0, 1, 0.9);
    metric_add(session, METRIC_HOLD_SLOPE, measure, side, 0, 1, -0.6);
    metric_add(session, METRIC_MOVE_PEAK_RATE, measure, side, 0, 1, 17.4);
}

static void metrics_fill(struct session *session, double twist_deg, double cat_deg)
{
    hold_metrics(session, SIDE_LEFT, twist_deg - 10.0, 21.0);
    hold_metrics(session, SIDE_RIGHT, twist_deg, 25.0);
    metric_add(session, METRIC_SIDE_DIFFERENCE, MEASURE_TRUNK_ROTATION, SIDE_BOTH, 0, 0,
               10.0)
        ->uncertainty = 7.0;
    struct metric *breathing =
        metric_add(session, METRIC_BREATHING_RATE, MEASURE_COUNT, SIDE_LEFT, 0, 0, NAN);
    text_set(breathing->withheld, sizeof breathing->withheld,
             "hold shorter than 30 s: no breathing rate");
    metric_add(session, METRIC_RANGE_OF_MOTION, MEASURE_LUMBAR_FLEXION, SIDE_BOTH, 1, 0,
               cat_deg)
        ->uncertainty = 3.4;
    metric_add(session, METRIC_REPETITION_COUNT, MEASURE_COUNT, SIDE_BOTH, 1, 0, 12.0)
        ->quality = 100.0;
    metric_add(session, METRIC_CYCLE_TIME, MEASURE_COUNT, SIDE_BOTH, 1, 0, 6.1);
    metric_add(session, METRIC_CYCLE_VARIATION, MEASURE_COUNT, SIDE_BOTH, 1, 0, 7.2);
}

static void stretches_fill(struct session *session, double duration_s)
{
    session->stretch_count = 2;
    twist_init(&session->stretches[0].protocol);
    cat_init(&session->stretches[1].protocol);
    for (unsigned i = 0; i < session->stretch_count; i++) {
        struct session_stretch *stretch = &session->stretches[i];
        stretch->start_s = (double)i * duration_s;
        stretch->end_s = (double)(i + 1) * duration_s - GRID_S;
        stretch->completed = true;
        stretch->gyro_drift_removed_rad = i == 0 ? 1.8 * RAD_PER_DEG : (double)NAN;
        for (int measure = 0; measure < MEASURE_COUNT; measure++) {
            stretch->errors[measure] =
                (struct pipeline_error){.noise_rad = 0.5 * RAD_PER_DEG,
                                        .alignment_rad = 1.0 * RAD_PER_DEG,
                                        .heading_rad = i == 0 ? 1.3 * RAD_PER_DEG : 0.0,
                                        .skin_rad = 1.5 * RAD_PER_DEG};
        }
    }
    struct runner_zone none = {NAN, NAN, NAN, NAN};
    session->stretches[0].zones[0][SIDE_BOTH] = none;
    session->stretches[0].zones[0][SIDE_LEFT] = (struct runner_zone){36, 27, 36, 0};
    session->stretches[0].zones[0][SIDE_RIGHT] = (struct runner_zone){46, 34, 46, 0};
    session->stretches[1].zones[0][SIDE_BOTH] = none;
}

static void sensors_fill(struct session *session)
{
    static const enum role roles[] = {ROLE_THORAX_DORSAL, ROLE_PELVIS_DORSAL,
                                      ROLE_FLEX_LUMBAR};

    session->sensor_count = 3;
    for (unsigned i = 0; i < session->sensor_count; i++) {
        struct session_sensor *sensor = &session->sensors[i];
        sensor->role = roles[i];
        sensor->sample_count = 20000;
        sensor->lost_count = i == 0 ? 240 : 0;
        sensor->alignment.grade = i == 0 ? 'A' : 'B';
    }
    text_set(session->sensors[1].alignment.reason,
             sizeof session->sensors[1].alignment.reason, "sensor 6 deg off the guide");
}

static void head_fill(struct session *session, unsigned number, double duration_s)
{
    text_set(session->subject, sizeof session->subject, "K7Q2M9XW4D");
    text_set(session->operator_code, sizeof session->operator_code, "PT-02");
    text_set(session->software, sizeof session->software, "limber 0.1.0");
    text_set(session->grade_reason, sizeof session->grade_reason,
             "one sensor was silent for some seconds");
    /* 3 November 2026 10:45 UTC, then every fourth day. */
    session->start_utc_us = (1793702700LL + number * 4LL * 86400LL) * 1000000LL;
    session->duration_s = 2.0 * duration_s;
    session->grade = 'B';
    session->pain_before = 3;
    session->pain_highest = 3;
    session->pain_after = 2;
    for (unsigned i = 0; i < SCREENING_QUESTION_COUNT; i++) {
        session->screening.answers[i] = i == 10 ? SCREENING_YES : SCREENING_NO;
    }
    session->screening.acknowledged = true;
}

struct session *sample_session_create(unsigned number, double duration_s)
{
    static const double twist_deg[SAMPLE_SESSION_COUNT] = {32.0, 34.0, 46.0};
    static const double cat_deg[SAMPLE_SESSION_COUNT] = {38.0, 40.0, 41.0};
    unsigned index = number % SAMPLE_SESSION_COUNT;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        return NULL;
    }
    session->sensors = calloc(3, sizeof *session->sensors);
    session->events = calloc(SAMPLE_EVENT_MAX, sizeof *session->events);
    session->metrics = calloc(SAMPLE_METRIC_MAX, sizeof *session->metrics);
    if (!session->sensors || !session->events || !session->metrics
        || !angles_fill(session, duration_s, twist_deg[index], cat_deg[index])) {
        sample_session_destroy(session);
        return NULL;
    }
    head_fill(session, number, duration_s);
    sensors_fill(session);
    stretches_fill(session, duration_s);
    events_fill(session, duration_s);
    metrics_fill(session, twist_deg[index], cat_deg[index]);
    return session;
}

void sample_session_destroy(struct session *session)
{
    if (!session) {
        return;
    }
    free(session->angles.time_s);
    for (int measure = 0; measure < MEASURE_COUNT; measure++) {
        free(session->angles.angle_rad[measure]);
    }
    free(session->sensors);
    free(session->events);
    free(session->metrics);
    free(session);
}

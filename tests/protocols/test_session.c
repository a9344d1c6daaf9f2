#include <check.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "protocols/session.h"

/* Percentiles and means of exact signals on the grid: rounding, and one sample more or less
 * at the end of a window. */
#define ANGLE_TOLERANCE_DEG 0.02
#define TIME_TOLERANCE_S    0.0101
#define ROUNDING_TOLERANCE  1e-9

enum {
    STRETCH_SIDES, /* side bend held left and right, then cycles */
    STRETCH_BEND,  /* forward bend with breathing */
    STRETCH_TWIST, /* needs a sensor that is not worn */
    TICK_COUNT = 15000
};

/* 1.96 * sqrt(0.5^2 + 1^2 + 1.5^2), of the errors set below. */
#define ANGLE_ERROR_DEG 3.66682

/* ------------------------------------------------------------------------- signals */

/* Ramp in, level, ramp out. */
struct held {
    double in_s;
    double hold_s;
    double hold_end_s;
    double out_s;
    double level_deg;
};

static double held_deg(const struct held *held, double time_s)
{
    if (time_s <= held->in_s || time_s >= held->out_s) {
        return 0.0;
    }
    if (time_s < held->hold_s) {
        return held->level_deg * (time_s - held->in_s) / (held->hold_s - held->in_s);
    }
    if (time_s <= held->hold_end_s) {
        return held->level_deg;
    }
    return held->level_deg * (held->out_s - time_s) / (held->out_s - held->hold_end_s);
}

/* Left twice (the second with a gap), right once, shorter and crooked. */
static const struct held LEFT_1 = {5.0, 8.0, 18.0, 21.0, -30.0};
static const struct held LEFT_2 = {30.0, 33.0, 43.0, 46.0, -20.0};
static const struct held RIGHT_1 = {55.0, 58.0, 66.0, 69.0, 33.0};
static const struct held CROOKED = {55.0, 58.0, 66.0, 69.0, 16.5};
static const struct held BEND_THORAX = {110.0, 115.0, 145.5, 149.0, 100.0};
static const struct held BEND_LUMBAR = {110.0, 115.0, 145.5, 149.0, 40.0};
static const struct held BEND_PELVIS = {110.0, 115.0, 145.5, 149.0, 60.0};

#define GAP_START_S   35.0
#define GAP_END_S     37.0
#define CYCLE_START_S 75.0
#define CYCLE_S       5.0
#define CYCLE_COUNT   5

static double cycles_deg(double time_s)
{
    const double phase = (time_s - CYCLE_START_S) / CYCLE_S;

    if (phase < 0.0 || phase > CYCLE_COUNT) {
        return 0.0;
    }
    const double range_deg = (int)floor(phase) % 2 ? 24.0 : 20.0;
    return range_deg / 2.0 * (1.0 - cos(2.0 * PI_RAD * phase));
}

static double breathing_deg(double time_s)
{
    const bool inside = time_s > BEND_THORAX.hold_s && time_s < BEND_THORAX.hold_end_s;

    return inside ? sin(2.0 * PI_RAD * 0.25 * time_s) : 0.0;
}

static double lateral_deg(double time_s)
{
    if (time_s > GAP_START_S && time_s <= GAP_END_S) {
        return NAN;
    }
    return held_deg(&LEFT_1, time_s) + held_deg(&LEFT_2, time_s)
           + held_deg(&RIGHT_1, time_s);
}

static double angle_deg(enum measure measure, double time_s)
{
    if (measure == MEASURE_LUMBAR_LATERAL) {
        return lateral_deg(time_s);
    }
    if (measure == MEASURE_LUMBAR_FLEXION) {
        return cycles_deg(time_s) + held_deg(&CROOKED, time_s)
               + held_deg(&BEND_LUMBAR, time_s);
    }
    if (measure == MEASURE_THORAX_INCLINATION) {
        return held_deg(&BEND_THORAX, time_s) + breathing_deg(time_s);
    }
    return measure == MEASURE_PELVIS_INCLINATION ? held_deg(&BEND_PELVIS, time_s)
                                                 : (double)NAN;
}

static struct pose pose_at(double time_s)
{
    struct pose pose;

    memset(&pose, 0, sizeof pose);
    pose.time_s = time_s;
    for (int i = 0; i < MEASURE_COUNT; i++) {
        const enum measure measure = (enum measure)i;
        const double after = angle_deg(measure, time_s + 0.001);
        const double before = angle_deg(measure, time_s - 0.001);
        pose.angle_rad[i] = angle_deg(measure, time_s) * RAD_PER_DEG;
        pose.rate_rad_s[i] = (after - before) / 0.002 * RAD_PER_DEG;
    }
    return pose;
}

/* ------------------------------------------------------------------------ protocols */

static struct protocol_part part_make(const char *id, enum protocol_part_kind kind,
                                      enum measure measure)
{
    struct protocol_part part;

    memset(&part, 0, sizeof part);
    snprintf(part.id, sizeof part.id, "%s", id);
    part.kind = kind;
    for (int side = 0; side < SIDE_COUNT; side++) {
        part.measure[side] = measure;
        part.sign[side] = side == SIDE_LEFT ? -1.0 : 1.0;
    }
    part.hold_s = 10.0;
    part.cycle_min_s = 6.0;
    part.cycle_max_s = 8.0;
    return part;
}

static void protocol_add(struct session *session, const char *id)
{
    struct session_stretch *stretch = &session->stretches[session->stretch_count++];
    stretch->start_s = 0.0;

    snprintf(stretch->protocol.id, sizeof stretch->protocol.id, "%s", id);
    for (int i = 0; i < MEASURE_COUNT; i++) {
        stretch->errors[i] = (struct pipeline_error){
            .noise_rad = 0.5 * RAD_PER_DEG,
            .alignment_rad = 1.0 * RAD_PER_DEG,
            .skin_rad = 1.5 * RAD_PER_DEG,
        };
    }
}

static void part_add(struct session *session, const struct protocol_part *part)
{
    struct protocol *protocol = &session->stretches[session->stretch_count - 1].protocol;

    protocol->parts[protocol->part_count++] = *part;
}

static void protocols_make(struct session *session)
{
    struct protocol_part sides =
        part_make("side_bend", PROTOCOL_HOLD, MEASURE_LUMBAR_LATERAL);
    struct protocol_part cycles =
        part_make("cycles", PROTOCOL_CYCLE, MEASURE_LUMBAR_FLEXION);
    struct protocol_part bend =
        part_make("bend", PROTOCOL_HOLD, MEASURE_THORAX_INCLINATION);
    const struct protocol_part twist =
        part_make("twist", PROTOCOL_HOLD, MEASURE_TRUNK_ROTATION);

    sides.has_sides = true;
    sides.secondary[sides.secondary_count++] = MEASURE_LUMBAR_FLEXION;
    sides.secondary[sides.secondary_count++] = MEASURE_TRUNK_ROTATION;
    bend.hold_s = 30.0;
    bend.secondary[bend.secondary_count++] = MEASURE_LUMBAR_FLEXION;
    bend.secondary[bend.secondary_count++] = MEASURE_PELVIS_INCLINATION;
    protocol_add(session, "sides");
    part_add(session, &sides);
    part_add(session, &cycles);
    protocol_add(session, "bend");
    part_add(session, &bend);
    protocol_add(session, "twist");
    part_add(session, &twist);
}

/* --------------------------------------------------------------------------- events */

struct place {
    unsigned stretch;
    unsigned part;
    enum side side;
    unsigned repetition;
};

static void event_add(struct session *session, enum event_type type, struct place place,
                      double time_s, double duration_s, double value, const char *label)
{
    struct event event;

    memset(&event, 0, sizeof event);
    event.type = type;
    event.time_s = time_s;
    event.duration_s = duration_s;
    event.stretch = place.stretch;
    event.part = place.part;
    event.side = place.side;
    event.repetition = place.repetition;
    event.value = value;
    event.value2 = NAN;
    snprintf(event.label, sizeof event.label, "%s", label);
    ck_assert_int_eq(session_event_add(session, &event), STATUS_OK);
}

static void phase_add(struct session *session, struct place place, double time_s,
                      enum phase phase)
{
    event_add(session, EVENT_PHASE, place, time_s, 0.0, NAN, phase_text(phase));
}

static void held_add(struct session *session, struct place place, const struct held *held,
                     double credited_s)
{
    phase_add(session, place, held->in_s - 2.0, PHASE_READY);
    phase_add(session, place, held->in_s, PHASE_MOVE_IN);
    phase_add(session, place, held->hold_s + 0.5, PHASE_HOLD);
    phase_add(session, place, held->hold_end_s, PHASE_MOVE_OUT);
    event_add(session, EVENT_HOLD, place, held->hold_s, held->hold_end_s - held->hold_s,
              credited_s, "left the zone");
    phase_add(session, place, held->out_s + 1.0, PHASE_REST);
}

static void events_make(struct session *session)
{
    const struct place left_1 = {STRETCH_SIDES, 0, SIDE_LEFT, 1};
    const struct place left_2 = {STRETCH_SIDES, 0, SIDE_LEFT, 2};
    const struct place right_1 = {STRETCH_SIDES, 0, SIDE_RIGHT, 1};

    held_add(session, left_1, &LEFT_1, 10.0);
    held_add(session, left_2, &LEFT_2, 8.0);
    held_add(session, right_1, &RIGHT_1, 8.0);
    event_add(session, EVENT_GUARD, right_1, 57.0, 0.0, 25.0,
              guard_level_text(GUARD_CAUTION));
    for (unsigned i = 0; i < CYCLE_COUNT; i++) {
        const struct place cycle = {STRETCH_SIDES, 1, SIDE_BOTH, i + 1};
        event_add(session, EVENT_REPETITION, cycle, CYCLE_START_S + CYCLE_S * i, CYCLE_S,
                  i % 2 ? 24.0 : 20.0, "cycle");
    }
    event_add(session, EVENT_PAIN, (struct place){STRETCH_SIDES, 1, SIDE_BOTH, 0}, 104.0,
              0.0, 5.0, "");
    held_add(session, (struct place){STRETCH_BEND, 0, SIDE_BOTH, 1}, &BEND_THORAX, 30.5);
}

/* -------------------------------------------------------------------------- session */

static void sensors_make(struct session *session)
{
    session->sensors = calloc(2, sizeof *session->sensors);
    ck_assert_ptr_nonnull(session->sensors);
    session->sensor_count = 2;
    session->sensors[0].role = ROLE_THORAX_DORSAL;
    session->sensors[1].role = ROLE_PELVIS_DORSAL;
    for (unsigned i = 0; i < 2; i++) {
        session->sensors[i].alignment.grade = 'A';
        session->sensors[i].sample_count = 100000;
    }
}

static struct session *session_make(void)
{
    struct session *session = NULL;

    ck_assert_int_eq(session_create(&session), STATUS_OK);
    session->duration_s = TICK_COUNT / POSE_RATE_HZ;
    session->screening.pain_now = 3;
    protocols_make(session);
    session->stretches[STRETCH_SIDES].zones[0][SIDE_LEFT].start_deg = 1.0;
    session->stretches[STRETCH_SIDES].zones[0][SIDE_RIGHT].start_deg = 0.0;
    session->stretches[STRETCH_BEND].zones[0][SIDE_BOTH].start_deg = 0.0;
    events_make(session);
    sensors_make(session);
    for (unsigned i = 0; i < TICK_COUNT; i++) {
        const struct pose pose = pose_at(i / POSE_RATE_HZ);
        ck_assert_int_eq(session_pose_add(session, &pose), STATUS_OK);
    }
    return session;
}

static struct session *session_evaluated(void)
{
    struct session *session = session_make();

    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    return session;
}

static const struct metric *find(const struct session *session, enum metric_id id,
                                 struct place place)
{
    const struct metric *metric = session_metric_find(
        session, id, place.stretch, place.part, place.side, place.repetition);

    ck_assert_msg(metric != NULL, "%s is not there", metric_definition_get(id)->id);
    return metric;
}

static double value(const struct session *session, enum metric_id id, struct place place)
{
    const struct metric *metric = find(session, id, place);

    ck_assert_msg(metric->withheld[0] == '\0', "%s: %s", metric_definition_get(id)->id,
                  metric->withheld);
    return metric->value;
}

static const struct metric *find_secondary(const struct session *session, enum metric_id id,
                                           struct place place, enum measure measure)
{
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == id && metric->measure == measure
            && metric->stretch == place.stretch && metric->part == place.part
            && metric->side == place.side && metric->repetition == place.repetition) {
            return metric;
        }
    }
    ck_abort_msg("%s of %s is not there", metric_definition_get(id)->id,
                 measure_info_get(measure)->id);
    return NULL;
}

/* ---------------------------------------------------------------------------- tests */

START_TEST(hold_values)
{
    struct session *session = session_evaluated();
    const struct place at = {STRETCH_SIDES, 0, SIDE_LEFT, 1};

    ck_assert_double_eq_tol(value(session, METRIC_PEAK_ANGLE, at), 30.0,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(value(session, METRIC_RANGE_OF_MOTION, at), 29.0,
                            ANGLE_TOLERANCE_DEG); /* from a start posture of 1 deg */
    ck_assert_double_eq(value(session, METRIC_HOLD_TIME, at), 10.0);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_MEAN_ANGLE, at), 30.0,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_WOBBLE, at), 0.0,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_SLOPE, at), 0.0,
                            ANGLE_TOLERANCE_DEG);
    /* Two of 1001 samples stand on the corners, half of 10 deg/s: 5 sqrt(2 / 1001). */
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_STILLNESS, at), 0.22, 0.01);
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_IN_TIME, at), 3.0, TIME_TOLERANCE_S);
    /* 10 deg/s back from 30 to 9, which is 8 off the start posture. */
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_OUT_TIME, at), 2.1,
                            TIME_TOLERANCE_S);
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_PEAK_RATE, at), 10.0, 1e-6);
    ck_assert_double_lt(value(session, METRIC_SMOOTHNESS_SPARC, at), -1.0);
    ck_assert_double_lt(value(session, METRIC_SMOOTHNESS_LDLJ, at), 0.0);
    session_destroy(session);
}

END_TEST

START_TEST(doubt_stands_beside_values)
{
    struct session *session = session_evaluated();
    const struct place at = {STRETCH_SIDES, 0, SIDE_LEFT, 1};
    const struct metric *peak = find(session, METRIC_PEAK_ANGLE, at);

    ck_assert_double_eq_tol(peak->uncertainty, ANGLE_ERROR_DEG, 1e-4);
    ck_assert_double_eq_tol(peak->coverage, 1.0, ROUNDING_TOLERANCE);
    ck_assert_double_eq(peak->quality, 100.0);
    ck_assert_str_eq(peak->remark, "");
    ck_assert_double_eq(find(session, METRIC_HOLD_TIME, at)->uncertainty, 0.05);
    ck_assert_double_nan(find(session, METRIC_MOVE_PEAK_RATE, at)->uncertainty);
    session_destroy(session);
}

END_TEST

START_TEST(gaps_withhold_and_void)
{
    struct session *session = session_evaluated();
    const struct place at = {STRETCH_SIDES, 0, SIDE_LEFT, 2};
    const struct place all = {STRETCH_SIDES, 0, SIDE_LEFT, 0};
    const struct metric *peak = find(session, METRIC_PEAK_ANGLE, at);
    const struct metric *time = find(session, METRIC_HOLD_TIME, at);

    ck_assert_double_nan(peak->value);
    ck_assert_double_nan(peak->uncertainty);
    /* 2 s of the 17 s from the onset to the end of the move out. */
    ck_assert_str_eq(peak->withheld, "no data for 12 % of the movement");
    ck_assert_double_eq_tol(peak->coverage, 15.0 / 17.0, 0.001); /* one sample of 1700 */
    ck_assert_double_eq(peak->quality, 0.0);
    ck_assert_double_eq(time->value, 8.0); /* credited time had data */
    ck_assert_double_eq(time->quality, 0.0);
    ck_assert_ptr_nonnull(strstr(time->remark, "no data for 12 %"));
    ck_assert_double_eq_tol(value(session, METRIC_PEAK_ANGLE, all), 30.0,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq(value(session, METRIC_HOLD_TIME, all), 10.0);
    ck_assert_str_eq(find(session, METRIC_PEAK_ANGLE, all)->remark,
                     "1 of 2 repetitions used");
    ck_assert_double_eq(value(session, METRIC_REPETITION_COUNT, all), 2.0);
    session_destroy(session);
}

END_TEST

START_TEST(quality_says_why)
{
    struct session *session = session_evaluated();
    const struct metric *time =
        find(session, METRIC_HOLD_TIME, (struct place){STRETCH_SIDES, 0, SIDE_RIGHT, 1});

    /* Short (8 of 10 s) 20, crooked (50 %) 10, too fast 20. */
    ck_assert_double_eq(time->quality, 50.0);
    ck_assert_str_eq(time->remark,
                     "held 8.0 s of 10 s; off-axis movement 50 %; too fast: caution");
    session_destroy(session);
}

END_TEST

START_TEST(guard_stops_void)
{
    struct session *session = session_make();
    const struct place at = {STRETCH_SIDES, 0, SIDE_RIGHT, 1};

    event_add(session, EVENT_GUARD, at, 60.0, 0.0, 50.0, guard_level_text(GUARD_STOP));
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    const struct metric *peak = find(session, METRIC_PEAK_ANGLE, at);
    ck_assert_double_eq(peak->quality, 0.0);
    ck_assert_double_eq_tol(peak->value, 33.0, ANGLE_TOLERANCE_DEG);
    ck_assert_str_eq(
        find(session, METRIC_PEAK_ANGLE, (struct place){STRETCH_SIDES, 0, SIDE_RIGHT, 0})
            ->withheld,
        "no repetition can be used");
    ck_assert_double_eq(value(session, METRIC_GUARD_STOP_COUNT, (struct place){0}), 1.0);
    ck_assert_double_eq(value(session, METRIC_GUARD_CAUTION_COUNT, (struct place){0}), 1.0);
    session_destroy(session);
}

END_TEST

START_TEST(sides_are_compared)
{
    struct session *session = session_evaluated();
    const struct metric *difference = find(session, METRIC_SIDE_DIFFERENCE,
                                           (struct place){STRETCH_SIDES, 0, SIDE_BOTH, 0});

    ck_assert_double_eq_tol(difference->value, 3.0, ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(difference->uncertainty, sqrt(2.0) * ANGLE_ERROR_DEG, 1e-4);
    session_destroy(session);
}

END_TEST

START_TEST(secondary_angles)
{
    struct session *session = session_evaluated();
    const struct place at = {STRETCH_SIDES, 0, SIDE_RIGHT, 0};
    const struct metric *peak =
        find_secondary(session, METRIC_PEAK_ANGLE, at, MEASURE_LUMBAR_FLEXION);
    const struct metric *ratio =
        find_secondary(session, METRIC_OFF_AXIS_RATIO, at, MEASURE_LUMBAR_FLEXION);
    const struct metric *missing =
        find_secondary(session, METRIC_RANGE_OF_MOTION, at, MEASURE_TRUNK_ROTATION);

    ck_assert_double_eq_tol(peak->value, 16.5, ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(ratio->value, 50.0, ANGLE_TOLERANCE_DEG);
    ck_assert_double_nan(missing->value);
    ck_assert_str_eq(missing->withheld, "sensor not worn: sternum");
    session_destroy(session);
}

END_TEST

START_TEST(cycle_values)
{
    struct session *session = session_evaluated();
    const struct place first = {STRETCH_SIDES, 1, SIDE_BOTH, 1};
    const struct place all = {STRETCH_SIDES, 1, SIDE_BOTH, 0};
    /* The 98th and 2nd percentile of a cosine lie cos(0.02 pi) of its amplitude off the
     * middle. */
    const double share = cos(0.02 * PI_RAD);

    ck_assert_double_eq_tol(value(session, METRIC_RANGE_OF_MOTION, first), 20.0 * share,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(value(session, METRIC_PEAK_ANGLE, first), 10.0 + 10.0 * share,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(value(session, METRIC_RANGE_OF_MOTION, all), 21.6 * share,
                            ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq(value(session, METRIC_REPETITION_COUNT, all), 5.0);
    ck_assert_double_eq_tol(value(session, METRIC_CYCLE_TIME, all), 5.0,
                            ROUNDING_TOLERANCE);
    ck_assert_double_eq_tol(value(session, METRIC_TEMPO_VARIATION, all), 0.0, 1e-6);
    /* Ranges 20 24 20 24 20: SD 2.1909 over mean 21.6. */
    ck_assert_double_eq_tol(value(session, METRIC_CYCLE_VARIATION, all), 10.143, 0.05);
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_PEAK_RATE, first), 4.0 * PI_RAD,
                            0.01);
    ck_assert_double_eq(find(session, METRIC_CYCLE_TIME, first)->quality, 90.0);
    ck_assert_str_eq(find(session, METRIC_CYCLE_TIME, first)->remark, "faster than 6 s");
    session_destroy(session);
}

END_TEST

START_TEST(a_redone_part_counts_once)
{
    struct session *session = session_make();

    for (unsigned i = 0; i < 3; i++) {
        event_add(session, EVENT_REPETITION,
                  (struct place){STRETCH_SIDES, 1, SIDE_BOTH, i + 1},
                  CYCLE_START_S + CYCLE_S * i, CYCLE_S, 20.0, "cycle");
    }
    held_add(session, (struct place){STRETCH_SIDES, 0, SIDE_LEFT, 1}, &LEFT_1, 9.5);
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_double_eq(value(session, METRIC_REPETITION_COUNT,
                              (struct place){STRETCH_SIDES, 1, SIDE_BOTH, 0}),
                        3.0);
    ck_assert_double_eq(
        value(session, METRIC_HOLD_TIME, (struct place){STRETCH_SIDES, 0, SIDE_LEFT, 1}),
        9.5);
    session_destroy(session);
}

END_TEST

START_TEST(hold_in_two_parts_is_added)
{
    struct session *session = session_make();
    const struct place at = {STRETCH_SIDES, 0, SIDE_LEFT, 1};

    event_add(session, EVENT_HOLD, at, 19.0, 1.0, 1.0, "moved");
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_double_eq(value(session, METRIC_HOLD_TIME, at), 11.0);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_MEAN_ANGLE, at), 30.0,
                            ANGLE_TOLERANCE_DEG); /* of the longest */
    ck_assert_double_eq(find(session, METRIC_HOLD_TIME, at)->quality, 90.0);
    ck_assert_str_eq(find(session, METRIC_HOLD_TIME, at)->remark, "hold in 2 parts");
    session_destroy(session);
}

END_TEST

START_TEST(bend_values)
{
    struct session *session = session_evaluated();
    const struct place at = {STRETCH_BEND, 0, SIDE_BOTH, 1};
    const struct metric *share = find(session, METRIC_LUMBAR_SHARE, at);

    ck_assert_double_eq_tol(share->value, 40.0, ANGLE_TOLERANCE_DEG);
    /* 100 / 100^2 * sqrt((60 e)^2 + (40 e)^2) with e of every angle. */
    ck_assert_double_eq_tol(share->uncertainty, 0.01 * sqrt(5200.0) * ANGLE_ERROR_DEG,
                            1e-3);
    /* Bins of 0.4 breaths per minute. */
    ck_assert_double_eq_tol(value(session, METRIC_BREATHING_RATE, at), 15.0, 0.8);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_WOBBLE, at), 1.0 / sqrt(2.0), 0.02);
    ck_assert_double_eq_tol(value(session, METRIC_HOLD_MEAN_ANGLE, at), 100.0, 0.05);
    session_destroy(session);
}

END_TEST

START_TEST(missing_sensors_are_named)
{
    struct session *session = session_evaluated();
    const struct place all = {STRETCH_TWIST, 0, SIDE_BOTH, 0};
    const struct metric *count = find(session, METRIC_REPETITION_COUNT, all);

    ck_assert_str_eq(find(session, METRIC_PEAK_ANGLE, all)->withheld,
                     "sensor not worn: sternum");
    ck_assert_str_eq(count->withheld, "sensor not worn: sternum");
    ck_assert_double_nan(count->value);
    session_destroy(session);
}

END_TEST

START_TEST(a_part_not_done_says_so)
{
    struct session *session = session_make();

    session->event_count = 0;
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_str_eq(
        find(session, METRIC_HOLD_TIME, (struct place){STRETCH_BEND, 0, SIDE_BOTH, 0})
            ->withheld,
        "no hold was detected");
    ck_assert_str_eq(
        find(session, METRIC_CYCLE_TIME, (struct place){STRETCH_SIDES, 1, SIDE_BOTH, 0})
            ->withheld,
        "no cycle was counted");
    ck_assert_double_eq(value(session, METRIC_REPETITION_COUNT,
                              (struct place){STRETCH_SIDES, 1, SIDE_BOTH, 0}),
                        0.0);
    session_destroy(session);
}

END_TEST

START_TEST(session_values)
{
    struct session *session = session_evaluated();
    const struct place whole = {3, 0, SIDE_BOTH, 0};
    const struct metric *observed =
        find_secondary(session, METRIC_OBSERVED_RANGE, whole, MEASURE_LUMBAR_LATERAL);

    /* More than 2 % of the time at 33 and at -30 deg. */
    ck_assert_double_eq_tol(observed->value, 63.0, ANGLE_TOLERANCE_DEG);
    ck_assert_double_eq_tol(observed->uncertainty, ANGLE_ERROR_DEG, 1e-4);
    ck_assert_double_eq(value(session, METRIC_PAIN_BEFORE, whole), 3.0);
    ck_assert_double_eq(value(session, METRIC_PAIN_HIGHEST, whole), 5.0);
    ck_assert_str_eq(find(session, METRIC_PAIN_AFTER, whole)->withheld, "not asked");
    ck_assert_int_eq(session->pain_before, 3);
    ck_assert_int_eq(session->pain_highest, 5);
    ck_assert_int_eq(session->pain_after, -1);
    session_destroy(session);
}

END_TEST

/* Roll of somebody who stands jumps round the circle: no range of 360 deg comes of it. */
START_TEST(angles_that_turn_over_have_no_range)
{
    struct session *session = session_make();
    double *roll_rad = session->angles.angle_rad[MEASURE_LUMBAR_FLEXION];

    for (size_t i = 0; i < session->angles.count; i++) {
        roll_rad[i] = i % 2 ? 3.1 : -3.1;
    }
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    const struct metric *observed =
        find_secondary(session, METRIC_OBSERVED_RANGE, (struct place){3, 0, SIDE_BOTH, 0},
                       MEASURE_LUMBAR_FLEXION);
    ck_assert_double_nan(observed->value);
    ck_assert_str_eq(observed->withheld, "not defined in every posture of the session");
    session_destroy(session);
}

END_TEST

/* 8 deg would be back before a move of 8.25 deg has begun to come back. */
START_TEST(small_moves_come_back_by_their_own_measure)
{
    struct session *session = session_make();
    double *lateral_rad = session->angles.angle_rad[MEASURE_LUMBAR_LATERAL];

    session->stretches[STRETCH_SIDES].zones[0][SIDE_RIGHT].start_deg = 0.0;
    for (size_t i = 0; i < session->angles.count; i++) {
        lateral_rad[i] *= 0.25; /* 8.25 deg: back after 65 % of the way */
    }
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_OUT_TIME,
                                  (struct place){STRETCH_SIDES, 0, SIDE_RIGHT, 1}),
                            0.65 * 3.0, TIME_TOLERANCE_S);
    session_destroy(session);
}

END_TEST

/* Somebody who comes back right out of the hold has no phase of moving out. */
START_TEST(coming_back_needs_no_phase)
{
    struct session *session = session_make();
    const struct place at = {STRETCH_SIDES, 0, SIDE_LEFT, 1};

    for (size_t i = 0; i < session->event_count; i++) {
        struct event *event = &session->events[i];
        if (strcmp(event->label, phase_text(PHASE_MOVE_OUT)) == 0) {
            event->type = EVENT_NOTE;
        }
    }
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_double_eq_tol(value(session, METRIC_MOVE_OUT_TIME, at), 2.1,
                            TIME_TOLERANCE_S);
    session_destroy(session);
}

END_TEST

START_TEST(uncalibrated_strips_are_named)
{
    struct session *session = session_make();

    session->sensors[1].role = ROLE_FLEX_LUMBAR;
    session->stretches[STRETCH_TWIST].protocol.parts[0].measure[SIDE_BOTH] =
        MEASURE_FLEX_LUMBAR;
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_str_eq(
        find(session, METRIC_PEAK_ANGLE, (struct place){STRETCH_TWIST, 0, SIDE_BOTH, 0})
            ->withheld,
        "not calibrated: flex_lumbar");
    session_destroy(session);
}

END_TEST

START_TEST(same_input_same_bits)
{
    struct session *first = session_evaluated();
    struct session *second = session_evaluated();

    ck_assert_uint_gt(first->metric_count, 50);
    ck_assert_uint_eq(first->metric_count, second->metric_count);
    ck_assert_mem_eq(first->metrics, second->metrics,
                     first->metric_count * sizeof *first->metrics);
    ck_assert_int_eq(session_evaluate(second), STATUS_OK); /* again: nothing is doubled */
    ck_assert_uint_eq(first->metric_count, second->metric_count);
    ck_assert_mem_eq(first->metrics, second->metrics,
                     first->metric_count * sizeof *first->metrics);
    session_destroy(first);
    session_destroy(second);
}

END_TEST

START_TEST(every_metric_is_value_or_reason)
{
    struct session *session = session_evaluated();

    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        const char *id = metric_definition_get(metric->id)->id;
        ck_assert_msg(isnan(metric->value) == (metric->withheld[0] != '\0'), "%s %u: %s",
                      id, metric->repetition, metric->withheld);
        ck_assert_msg(!isnan(metric->value) || isnan(metric->uncertainty), "%s", id);
        ck_assert_msg(metric->coverage >= 0.0
                          && metric->coverage <= 1.0 + ROUNDING_TOLERANCE,
                      "%s: coverage %g", id, metric->coverage);
    }
    session_destroy(session);
}

END_TEST

/* ---------------------------------------------------------------------------- grade */

START_TEST(grade_follows_the_worst)
{
    struct session *session = session_evaluated();

    /* The second hold to the left misses 2 of 17 s, one of nine repetitions: 1.3 %. */
    ck_assert_int_eq(session->grade, 'B');
    ck_assert_str_eq(session->grade_reason, "no data for 1.3 % of the movements");
    session->sensors[1].lost_count = 2000;
    session->sensors[0].alignment.grade = 'C';
    snprintf(session->sensors[0].alignment.reason,
             sizeof session->sensors[0].alignment.reason, "no functional move");
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_int_eq(session->grade, 'C');
    ck_assert_str_eq(session->grade_reason,
                     "thorax_dorsal: alignment C, no functional move; "
                     "pelvis_dorsal: 2 % of the samples lost");
    session->stretches[0].gyro_drift_removed_rad = -11.0 * RAD_PER_DEG;
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_int_eq(session->grade, 'F');
    ck_assert_str_eq(session->grade_reason, "sides: heading drift of 11.0 deg");
    session_destroy(session);
}

END_TEST

START_TEST(grade_counts_silence)
{
    struct session *session = session_make();

    for (unsigned i = 0; i < 3; i++) {
        event_add(session, EVENT_SENSOR, (struct place){0}, 10.0 * i, 3.0, NAN,
                  sensor_state_text(SENSOR_STALLED));
    }
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_int_eq(session->grade, 'C');
    ck_assert_str_eq(session->grade_reason, "sensors went silent 3 times");
    session_destroy(session);
}

END_TEST

START_TEST(nothing_recorded_is_graded_f)
{
    struct session *session = NULL;

    ck_assert_int_eq(session_create(&session), STATUS_OK);
    protocols_make(session);
    ck_assert_int_eq(session_evaluate(session), STATUS_OK);
    ck_assert_int_eq(session->grade, 'F');
    ck_assert_str_eq(session->grade_reason, "no sensor gave an angle");
    session_destroy(session);
    session_destroy(NULL);
}

END_TEST

/* -------------------------------------------------------------------------- storage */

static const struct stream_info STREAM = {
    .name = "inertial",
    .kind = STREAM_INERTIAL,
    .channel_count = 3,
    .channels = {"x_deg_s", "y_deg_s", "z_deg_s"},
    .units = {"deg/s", "deg/s", "deg/s"},
};

START_TEST(samples_are_kept)
{
    struct session *session = NULL;
    struct sample sample = {.stream = 0, .channel_count = 2, .values = {1.0F, 2.0F, 9.0F}};

    ck_assert_int_eq(session_create(&session), STATUS_OK);
    sensors_make(session);
    struct session_sensor *sensor = &session->sensors[0];
    ck_assert_int_eq(session_sample_add(sensor, &sample, 0.0), STATUS_BAD_INPUT);
    ck_assert_int_eq(session_stream_describe(&sensor->streams[0], &STREAM), STATUS_OK);
    sensor->stream_count = 1;
    for (unsigned i = 0; i < 1000; i++) {
        sample.device_ticks = i;
        sample.values[0] = (float)i;
        ck_assert_int_eq(session_sample_add(sensor, &sample, i * 0.01), STATUS_OK);
        ck_assert_int_eq(session_orientation_add(sensor, i * 0.01, QUATERNION_IDENTITY),
                         STATUS_OK);
    }
    const struct session_stream *stream = &sensor->streams[0];
    ck_assert_uint_eq(stream->count, 1000);
    ck_assert(stream->values[3 * 999] == 999.0F);
    ck_assert_double_nan((double)stream->values[3 * 999 + 2]); /* it had two channels */
    ck_assert_uint_eq(stream->device_ticks[999], 999);
    ck_assert_uint_eq(sensor->orientation_count, 1000);
    ck_assert(sensor->orientation[4 * 999] == 1.0F);
    sample.stream = 1;
    ck_assert_int_eq(session_sample_add(sensor, &sample, 0.0), STATUS_BAD_INPUT);
    session_destroy(session);
}

END_TEST

START_TEST(angles_that_come_late_start_with_nothing)
{
    struct session *session = NULL;

    ck_assert_int_eq(session_create(&session), STATUS_OK);
    for (unsigned i = 0; i < 700; i++) {
        struct pose pose;
        memset(&pose, 0, sizeof pose);
        pose.time_s = 0.01 * i;
        for (int k = 0; k < MEASURE_COUNT; k++) {
            pose.angle_rad[k] = NAN;
            pose.rate_rad_s[k] = NAN;
        }
        if (i >= 600) {
            pose.angle_rad[MEASURE_FLEX_LUMBAR] = 0.5;
        }
        ck_assert_int_eq(session_pose_add(session, &pose), STATUS_OK);
    }
    const struct session_angles *angles = &session->angles;
    ck_assert_uint_eq(angles->count, 700);
    ck_assert_ptr_null(angles->angle_rad[MEASURE_LUMBAR_FLEXION]);
    ck_assert_double_nan(angles->angle_rad[MEASURE_FLEX_LUMBAR][0]);
    ck_assert_double_nan(angles->angle_rad[MEASURE_FLEX_LUMBAR][599]);
    ck_assert_double_eq(angles->angle_rad[MEASURE_FLEX_LUMBAR][600], 0.5);
    session_destroy(session);
}

END_TEST

static void add_repetitions(TCase *tests)
{
    tcase_add_test(tests, hold_values);
    tcase_add_test(tests, doubt_stands_beside_values);
    tcase_add_test(tests, gaps_withhold_and_void);
    tcase_add_test(tests, quality_says_why);
    tcase_add_test(tests, guard_stops_void);
    tcase_add_test(tests, sides_are_compared);
    tcase_add_test(tests, secondary_angles);
    tcase_add_test(tests, cycle_values);
    tcase_add_test(tests, a_redone_part_counts_once);
    tcase_add_test(tests, hold_in_two_parts_is_added);
    tcase_add_test(tests, bend_values);
}

static void add_sessions(TCase *tests)
{
    tcase_add_test(tests, missing_sensors_are_named);
    tcase_add_test(tests, a_part_not_done_says_so);
    tcase_add_test(tests, session_values);
    tcase_add_test(tests, angles_that_turn_over_have_no_range);
    tcase_add_test(tests, small_moves_come_back_by_their_own_measure);
    tcase_add_test(tests, coming_back_needs_no_phase);
    tcase_add_test(tests, uncalibrated_strips_are_named);
    tcase_add_test(tests, same_input_same_bits);
    tcase_add_test(tests, every_metric_is_value_or_reason);
    tcase_add_test(tests, grade_follows_the_worst);
    tcase_add_test(tests, grade_counts_silence);
    tcase_add_test(tests, nothing_recorded_is_graded_f);
    tcase_add_test(tests, samples_are_kept);
    tcase_add_test(tests, angles_that_come_late_start_with_nothing);
}

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");

    gsl_set_error_handler_off();
    add_repetitions(tests);
    add_sessions(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

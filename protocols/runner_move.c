/* The movements: ready, in, hold, out, and cycles. Angles in degrees as signed by the
 * protocol: further is larger. */
#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "protocols/runner_steps.h"

/* Project defaults. */
static const double RATE_PER_ONSET = 3.0 / 5.0; /* 3 deg/s with an onset of 5 deg */
static const double ARM_TIME_S = 0.3;           /* the smoothed angle follows the posture */
static const double BASELINE_TIMEOUT_S = 2.0;
static const double POSTURE_DRIFT_S =
    3.0;                                  /* away from the start, but the angle can drift */
static const double POSTURE_NEW_S = 10.0; /* away from the start, seen by gravity */
static const double RETURN_SHARE = 0.35;
static const double RETURN_FLOOR_DEG = 1.0;
static const double BACK_TIME_S = 1.0;
static const double BACK_PRACTICE_TIME_S = 0.5;
static const double TURN_SHARE = 0.2;
static const double TURN_FLOOR_DEG = 1.5;
static const double PEAK_TIME_S = 1.0; /* slow for so long: the end of the way out */
static const double MOVE_IN_TIMEOUT_S = 30.0;
static const double MOVE_OUT_TIMEOUT_S = 20.0;
static const double OUT_OF_ZONE_S = 5.0;
static const double CYCLE_STILL_DEG_S = 2.0;
static const double CYCLE_STILL_S = 8.0;
/* Movement that is never counted as rounds ends after so many times the slowest dose. */
static const double CYCLE_TIME_FACTOR = 3.0;
static const double CYCLE_TIME_EXTRA_S = 30.0;

static bool is_practice(const struct runner *runner)
{
    return runner->view.practice > 0;
}

static bool is_cycle(const struct runner *runner)
{
    return runner_part(runner)->kind == PROTOCOL_CYCLE;
}

static double slow_limit_deg_s(const struct runner *runner)
{
    return RATE_PER_ONSET * runner_part(runner)->onset_deg;
}

/* False without data. */
static bool is_slow(const struct runner *runner)
{
    return fabs(runner->view.rate_deg_s) < slow_limit_deg_s(runner);
}

void runner_ready_begin(struct runner *runner, double time_s, const char *cause,
                        const char *actor)
{
    struct hold_settings settings = runner->hold.settings;
    hold_init(&runner->hold, &settings);
    runner->view.stage = PIPELINE_STAGE_NONE;
    guard_reset(&runner->guard);
    runner->view.guard = GUARD_CLEAR;
    runner->is_armed = false;
    runner->is_returning = false;
    runner->still_since_s = NAN;
    runner->back_since_s = NAN;
    runner->out_since_s = NAN;
    runner->credited_before_s = 0.0;
    runner->view.hold_credited_s = 0.0;
    runner->peak_deg = NAN;
    runner_enter(runner, PHASE_READY, time_s, cause, actor);
}

static void arm(struct runner *runner)
{
    runner->is_armed = true;
    runner->start_deg = runner->view.angle_deg;
    if (!runner->has_start) {
        runner->has_start = true;
        runner_zone(runner)->start_deg = runner->start_deg;
    }
    runner_words(runner);
}

/* Away from the start posture, resting: after this long the posture is taken as it is. An
 * angle that gravity does not see may only have drifted. */
static double posture_wait_s(const struct runner *runner)
{
    bool is_seen =
        measure_is_gravity_seen(runner->view.measure, runner_protocol(runner)->posture);
    return is_seen ? POSTURE_NEW_S : POSTURE_DRIFT_S;
}

static void arm_update(struct runner *runner, double time_s)
{
    const struct protocol_part *part = runner_part(runner);
    double elapsed_s = time_s - runner->phase_since_s;
    double away_deg = fabs(runner->view.angle_deg - runner->start_deg);
    runner_run_update(&runner->still_since_s, is_slow(runner), time_s);
    if (elapsed_s < ARM_TIME_S) {
        return;
    }
    if (!runner->has_start) {
        if (is_slow(runner) || elapsed_s >= BASELINE_TIMEOUT_S) {
            arm(runner);
        }
    } else if (away_deg <= part->return_deg) {
        arm(runner);
    } else if (runner_has_lasted(runner->still_since_s, time_s, posture_wait_s(runner))) {
        arm(runner);
    }
}

/* Has the movement begun? Cycles may begin either way. */
static bool has_left(const struct runner *runner)
{
    double away_deg = runner->view.angle_deg - runner->start_deg;
    double rate_deg_s = runner->view.rate_deg_s;
    if (is_cycle(runner)) {
        away_deg = fabs(away_deg);
        rate_deg_s = fabs(rate_deg_s);
    }
    return away_deg > runner_part(runner)->onset_deg
           && rate_deg_s > slow_limit_deg_s(runner);
}

static void cycle_feed(struct runner *runner, const struct pose *pose);

void runner_ready_pose(struct runner *runner, const struct pose *pose)
{
    double elapsed_s = pose->time_s - runner->phase_since_s;
    double timeout_s = runner->settings.onset_timeout_s;
    if (!runner->is_armed && !isnan(runner->view.angle_deg)) {
        arm_update(runner, pose->time_s);
    }
    if (runner->is_armed && is_cycle(runner)) {
        cycle_feed(runner, pose);
    }
    if (runner->is_armed && has_left(runner)) {
        runner->peak_deg = runner->view.angle_deg;
        runner->peak_s = pose->time_s;
        runner->back_since_s = NAN;
        runner->still_since_s = NAN;
        runner_enter(runner, is_cycle(runner) ? PHASE_CYCLE : PHASE_MOVE_IN, pose->time_s,
                     "movement began", "runner");
    } else if (timeout_s > 0.0 && elapsed_s >= timeout_s) {
        runner_rest_begin(runner, pose->time_s, "no movement in time", "runner");
        runner_rest_end(runner, pose->time_s, "no movement in time", "runner");
    } else if (elapsed_s < runner_protocol(runner)->countdown_s + 0.1) {
        runner_words(runner); /* "get ready" gives way to the cue */
    }
}

/* How close to the start counts as back: less for a small movement. */
static double return_limit_deg(const struct runner *runner)
{
    double way_deg = fabs(runner->peak_deg - runner->start_deg);
    double limit_deg = fmin(runner_part(runner)->return_deg, RETURN_SHARE * way_deg);
    return fmax(limit_deg, RETURN_FLOOR_DEG);
}

/* Keeps peak and the run back in the start posture. True when the person is back. */
static bool back_update(struct runner *runner, const struct pose *pose)
{
    double angle_deg = runner->view.angle_deg;
    double wait_s = is_practice(runner) ? BACK_PRACTICE_TIME_S : BACK_TIME_S;
    if (angle_deg > runner->peak_deg) {
        runner->peak_deg = angle_deg;
        runner->peak_s = pose->time_s;
    }
    bool is_back =
        fabs(angle_deg - runner->start_deg) <= return_limit_deg(runner) && is_slow(runner);
    runner_run_update(&runner->back_since_s, is_back, pose->time_s);
    return runner_has_lasted(runner->back_since_s, pose->time_s, wait_s);
}

static void hold_record(struct runner *runner)
{
    const struct hold_result *result = &runner->hold.result;
    double credited_s = result->end_s - result->start_s - result->uncredited_s;
    struct event *event = runner_emit(runner, EVENT_HOLD, result->start_s, "runner");
    event->duration_s = result->end_s - result->start_s;
    event->value = credited_s;
    snprintf(event->label, sizeof event->label, "%s", hold_cause_text(result->cause));
    snprintf(event->cause, sizeof event->cause, "breaks joined: %u", result->exit_count);
    runner->credited_before_s += credited_s;
}

void runner_hold_close(struct runner *runner)
{
    if (hold_finish(&runner->hold)) {
        hold_record(runner);
    }
}

/* Practice has no zone yet. */
void runner_hold_feed(struct runner *runner, const struct pose *pose)
{
    if (is_practice(runner) || is_cycle(runner)) {
        return;
    }
    if (hold_update(&runner->hold, pose->time_s, runner->view.angle_deg * RAD_PER_DEG,
                    runner->view.rate_deg_s * RAD_PER_DEG)) {
        hold_record(runner);
    }
    runner->view.hold_credited_s =
        runner->credited_before_s + hold_credited_s(&runner->hold);
}

static void peak_record(struct runner *runner)
{
    if (runner->practice_count < RUNNER_PRACTICE_MAX) {
        runner->practice_peaks[runner->practice_count++] = runner->peak_deg;
    }
    struct event *event = runner_emit(runner, EVENT_PEAK, runner->peak_s, "runner");
    event->value = runner->peak_deg;
    snprintf(event->label, sizeof event->label, "practice %u", runner->view.practice);
}

static void come_back(struct runner *runner, double time_s, const char *cause)
{
    runner_enter(runner, PHASE_MOVE_OUT, time_s, cause, "runner");
}

static void move_end(struct runner *runner, double time_s, const char *cause)
{
    runner->guard_pauses = 0;
    if (is_practice(runner)) {
        peak_record(runner);
    }
    runner_rest_begin(runner, time_s, cause, "runner");
}

static void practice_in_pose(struct runner *runner, const struct pose *pose)
{
    double turn_deg =
        fmax(TURN_FLOOR_DEG, TURN_SHARE * (runner->peak_deg - runner->start_deg));
    runner_run_update(&runner->still_since_s, is_slow(runner), pose->time_s);
    if (runner->view.angle_deg < runner->peak_deg - turn_deg) {
        come_back(runner, pose->time_s, "came back");
    } else if (runner_has_lasted(runner->still_since_s, pose->time_s, PEAK_TIME_S)) {
        come_back(runner, pose->time_s, "reached the end");
    }
}

void runner_move_in_pose(struct runner *runner, const struct pose *pose)
{
    runner_hold_feed(runner, pose);
    if (back_update(runner, pose)) {
        move_end(runner, pose->time_s, "came back before a hold");
    } else if (is_practice(runner)) {
        practice_in_pose(runner, pose);
    } else if (runner->hold.state == HOLD_IN) {
        runner->out_since_s = NAN;
        runner_enter(runner, PHASE_HOLD, pose->time_s, "still in the zone", "runner");
    }
    if (runner->view.phase == PHASE_MOVE_IN
        && pose->time_s - runner->phase_since_s >= MOVE_IN_TIMEOUT_S) {
        come_back(runner, pose->time_s, "zone not reached in time");
    }
}

void runner_hold_pose(struct runner *runner, const struct pose *pose)
{
    runner_hold_feed(runner, pose);
    bool is_out = runner->hold.state == HOLD_OUT && !isnan(runner->view.angle_deg);
    runner_run_update(&runner->out_since_s, is_out, pose->time_s);
    if (runner->view.hold_credited_s >= runner->view.hold_target_s) {
        come_back(runner, pose->time_s, "hold time reached");
    } else if (back_update(runner, pose)) {
        move_end(runner, pose->time_s, "left the zone early");
    } else if (runner_has_lasted(runner->out_since_s, pose->time_s, OUT_OF_ZONE_S)) {
        come_back(runner, pose->time_s, "left the zone early");
    }
}

static void return_pose(struct runner *runner, const struct pose *pose)
{
    bool is_back = back_update(runner, pose);
    if (is_back || pose->time_s - runner->phase_since_s >= MOVE_OUT_TIMEOUT_S) {
        runner_ready_begin(runner, pose->time_s,
                           is_back ? "back in the start posture"
                                   : "not back in the start posture in time",
                           "runner");
    }
}

void runner_move_out_pose(struct runner *runner, const struct pose *pose)
{
    if (runner->is_returning) {
        return_pose(runner, pose);
        return;
    }
    runner_hold_feed(runner, pose);
    if (back_update(runner, pose)) {
        move_end(runner, pose->time_s, "back in the start posture");
    } else if (pose->time_s - runner->phase_since_s >= MOVE_OUT_TIMEOUT_S) {
        move_end(runner, pose->time_s, "not back in the start posture in time");
    }
}

static void cycle_record(struct runner *runner)
{
    const struct repetition_result *result = &runner->repetition.result;
    runner->guard_pauses = 0;
    runner->view.cycle_done = runner->cycles_before + runner->repetition.count;
    runner->view.repetition = runner->view.cycle_done;
    struct event *event = runner_emit(runner, EVENT_REPETITION, result->start_s, "runner");
    event->duration_s = result->end_s - result->start_s;
    event->value =
        (result->peak_rad - fmin(result->start_rad, result->end_rad)) * DEG_PER_RAD;
    snprintf(event->label, sizeof event->label, "cycle %u", runner->view.cycle_done);
}

static void cycle_feed(struct runner *runner, const struct pose *pose)
{
    if (repetition_update(&runner->repetition, pose->time_s,
                          runner->view.angle_deg * RAD_PER_DEG)) {
        cycle_record(runner);
    }
}

void runner_cycle_close(struct runner *runner)
{
    if (is_cycle(runner) && repetition_finish(&runner->repetition)) {
        cycle_record(runner);
    }
}

void runner_cycle_pose(struct runner *runner, const struct pose *pose)
{
    cycle_feed(runner, pose);
    bool is_resting = fabs(runner->view.rate_deg_s) < CYCLE_STILL_DEG_S;
    runner_run_update(&runner->still_since_s, is_resting, pose->time_s);
    bool has_stopped =
        runner_has_lasted(runner->still_since_s, pose->time_s, CYCLE_STILL_S);
    const struct protocol_part *part = runner_part(runner);
    double limit_s =
        CYCLE_TIME_FACTOR * part->reps * part->cycle_max_s + CYCLE_TIME_EXTRA_S;
    bool is_late = pose->time_s - runner->phase_since_s >= limit_s;
    if (has_stopped && runner->view.cycle_done < runner->view.cycle_target) {
        runner_cycle_close(runner);
    }
    if (runner->view.cycle_done >= runner->view.cycle_target) {
        runner_rest_begin(runner, pose->time_s, "all rounds done", "runner");
    } else if (has_stopped || is_late) {
        runner_rest_begin(runner, pose->time_s,
                          is_late ? "rounds not done in time"
                                  : "stopped before the last round",
                          "runner");
    }
}

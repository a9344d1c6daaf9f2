/* What comes after a movement: the rest, then the next repetition, side, part or stretch.
 */
#include <math.h>

#include "base/units.h"
#include "protocols/runner_steps.h"

/* Project default: between practice repetitions nobody has to recover. */
static const double PRACTICE_REST_S = 3.0;

/* Closure of the headings in a rest (project defaults): how still, for how long before the
 * window opens, how long it has to be, and how long before the next movement it ends, so
 * that the smoothed angles have taken the new headings by then. */
static const double CLOSURE_STILL_RAD_S = 3.0 * RAD_PER_DEG;
static const double CLOSURE_LEAD_S = 0.3;
static const double CLOSURE_TIME_S = 1.5;
static const double CLOSURE_TAIL_S = 0.4;

void runner_part_reset(struct runner *runner)
{
    struct runner_view *view = &runner->view;
    const struct protocol_part *part = runner_part(runner);
    if (part->has_sides != (view->side != SIDE_BOTH)) {
        view->side = part->has_sides ? SIDE_LEFT : SIDE_BOTH;
    }
    view->measure = part->measure[view->side];
    view->practice = 0;
    view->repetition = 0;
    view->repetition_count = part->reps;
    view->hold_target_s = part->kind == PROTOCOL_HOLD ? part->hold_s : 0.0;
    view->hold_credited_s = 0.0;
    view->rest_left_s = 0.0;
    view->cycle_done = 0;
    view->cycle_target = part->kind == PROTOCOL_CYCLE ? part->reps : 0;
    view->zone = ZONE_NONE;
    view->zone_low_deg = NAN;
    view->zone_high_deg = NAN;
    runner->has_start = false;
    runner->start_deg = NAN;
    runner->practice_count = 0;
    runner->cycles_before = 0;
    hold_init(&runner->hold, &hold_default_settings);
    repetition_init(&runner->repetition, &repetition_default_settings);
}

/* Practice first, unless the part has none. */
void runner_part_begin(struct runner *runner)
{
    const struct protocol_part *part = runner_part(runner);
    struct protocol_guard limits = runner_protocol(runner)->guard;
    unsigned cautions = runner->guard.caution_count;
    guard_init(&runner->guard, &limits);
    runner->guard.caution_count = cautions;
    if (part->practice_reps > 0) {
        runner->view.practice = 1;
        return;
    }
    runner->view.repetition = 1;
    if (part->kind == PROTOCOL_HOLD) {
        runner_zone_fix(runner, runner->pose_s);
    }
}

static enum runner_step step_after_part(const struct runner *runner)
{
    const struct protocol_part *part = runner_part(runner);
    if (part->has_sides && runner->view.side == SIDE_LEFT) {
        return RUNNER_STEP_SIDE;
    }
    if (runner->view.part + 1 < runner_protocol(runner)->part_count) {
        return RUNNER_STEP_PART;
    }
    return runner->view.stretch + 1 < runner->settings.protocol_count ? RUNNER_STEP_STRETCH
                                                                      : RUNNER_STEP_DONE;
}

enum runner_step runner_step_next(const struct runner *runner)
{
    const struct protocol_part *part = runner_part(runner);
    bool is_more = runner->view.practice > 0 || runner->view.repetition < part->reps;
    if (part->kind == PROTOCOL_HOLD && is_more) {
        return RUNNER_STEP_REPETITION;
    }
    return step_after_part(runner);
}

static double rest_time_s(const struct runner *runner)
{
    const struct protocol_part *part = runner_part(runner);
    if (runner->view.practice > 0) {
        return fmin(part->rest_s, PRACTICE_REST_S);
    }
    bool is_change = runner->step == RUNNER_STEP_SIDE || runner->step == RUNNER_STEP_PART;
    return is_change ? part->rest_side_s : part->rest_s;
}

void runner_rest_begin(struct runner *runner, double time_s, const char *cause,
                       const char *actor)
{
    runner->step = runner_step_next(runner);
    runner->is_finish =
        runner->step == RUNNER_STEP_STRETCH || runner->step == RUNNER_STEP_DONE;
    runner->view.rest_left_s = rest_time_s(runner);
    runner->still_since_s = NAN;
    runner_enter(runner, PHASE_REST, time_s, cause, actor);
}

static void repetition_next(struct runner *runner, double time_s)
{
    struct runner_view *view = &runner->view;
    if (view->practice == 0) {
        view->repetition++;
    } else if (view->practice < runner_part(runner)->practice_reps) {
        view->practice++;
    } else {
        view->practice = 0;
        view->repetition = 1;
        runner_zone_fix(runner, time_s);
    }
}

/* A new side whose angle can drift starts from a still posture again, so that the drift of
 * the first side is not carried over (clinical reference 3.1.4). */
static void part_enter(struct runner *runner, double time_s, const char *cause,
                       const char *actor)
{
    const struct protocol *protocol = runner_protocol(runner);
    bool is_seen = measure_is_gravity_seen(runner_part(runner)->measure[runner->view.side],
                                           protocol->posture);
    if (!is_seen) {
        runner_setup_begin(runner, time_s, cause);
        return;
    }
    runner_part_reset(runner);
    runner_part_begin(runner);
    runner_ready_begin(runner, time_s, cause, actor);
}

static void part_side_first(struct runner *runner)
{
    runner->view.side = runner_part(runner)->has_sides ? SIDE_LEFT : SIDE_BOTH;
}

void runner_rest_end(struct runner *runner, double time_s, const char *cause,
                     const char *actor)
{
    runner_hold_close(runner);
    runner->is_finish = false;
    runner->view.rest_left_s = 0.0;
    runner->view.stage = PIPELINE_STAGE_NONE;
    switch (runner->step) {
    case RUNNER_STEP_REPETITION:
        repetition_next(runner, time_s);
        runner_ready_begin(runner, time_s, cause, actor);
        break;
    case RUNNER_STEP_SIDE:
        runner->view.side = SIDE_RIGHT;
        part_enter(runner, time_s, cause, actor);
        break;
    case RUNNER_STEP_PART:
        runner->view.part++;
        part_side_first(runner);
        part_enter(runner, time_s, cause, actor);
        break;
    case RUNNER_STEP_STRETCH:
        runner->view.stretch++;
        runner->has_fix = false;
        runner->view.part = 0;
        part_side_first(runner);
        runner_setup_begin(runner, time_s, cause);
        break;
    case RUNNER_STEP_DONE:
        runner_enter(runner, PHASE_DONE, time_s, "all stretches done", actor);
        break;
    }
}

/* A hold that was left late may still wait for its end. */
static void hold_follow(struct runner *runner, const struct pose *pose)
{
    if (hold_credited_s(&runner->hold) > 0.0) {
        runner_hold_feed(runner, pose);
    }
}

/* A person who rests still in the start posture closes the headings (clinical reference
 * 3.1.4); one who does not goes on without. */
static void closure_follow(struct runner *runner, const struct pose *pose)
{
    double away_deg = fabs(runner->view.angle_deg - runner->start_deg);
    bool is_home = runner->has_start && away_deg <= runner_part(runner)->return_deg
                   && pose->still_rate_rad_s < CLOSURE_STILL_RAD_S;
    bool was_open = runner->view.stage != PIPELINE_STAGE_NONE;
    double left_s = runner->view.rest_left_s - CLOSURE_TAIL_S;
    runner_run_update(&runner->still_since_s, is_home, pose->time_s);
    bool is_calm = runner_has_lasted(runner->still_since_s, pose->time_s, CLOSURE_LEAD_S);
    if (is_calm && left_s > (was_open ? 0.0 : CLOSURE_TIME_S)) {
        runner->view.stage = runner_start_stage(runner);
        return;
    }
    runner->has_fix = runner->has_fix || (was_open && is_calm);
    runner->view.stage = PIPELINE_STAGE_NONE;
}

void runner_rest_pose(struct runner *runner, const struct pose *pose, double elapsed_s)
{
    hold_follow(runner, pose);
    if (!runner_sensors_ok(runner) || isnan(runner->view.angle_deg)) {
        runner->view.stage = PIPELINE_STAGE_NONE;
        return; /* nothing counts time without data */
    }
    runner->view.rest_left_s -= elapsed_s;
    closure_follow(runner, pose);
    if (runner->view.rest_left_s <= 0.0) {
        runner_rest_end(runner, pose->time_s, "rest over", "runner");
    }
}

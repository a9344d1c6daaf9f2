/* Pausing, going on, ending early, and what the speed guard asks for. */
#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "protocols/runner_steps.h"

enum {
    CAUTIONS_MAX = 3,    /* that many pause (clinical reference 2.2) */
    GUARD_PAUSES_MAX = 3 /* that many without a finished movement end the session (project
                          * default) */
};

/* Calm for so long ends a pause for speed when nobody operates (project default). */
static const double GUARD_CALM_S = 10.0;

static const double STILL_RAD_S = 3.0 * RAD_PER_DEG;

static const char *axis_text(int axis)
{
    static const char *const TEXTS[] = {"bending", "leaning", "turning", "whole body"};
    return (unsigned)axis < sizeof TEXTS / sizeof TEXTS[0] ? TEXTS[axis] : "";
}

void runner_pause_begin(struct runner *runner, double time_s, enum runner_pause pause,
                        const char *reason, const char *actor)
{
    runner_hold_close(runner);
    runner_cycle_close(runner);
    runner->pause = pause;
    runner->still_since_s = NAN;
    runner->view.phase_before = runner->view.phase;
    runner->view.stage = PIPELINE_STAGE_NONE;
    snprintf(runner->reason, sizeof runner->reason, "%s", reason);
    runner_enter(runner, PHASE_PAUSED, time_s, reason, actor);
}

/* Cycles counted before the pause stay; the size that was learned stays too. */
static void cycles_keep(struct runner *runner)
{
    struct repetition_settings settings = repetition_default_settings;
    if (runner->repetition.count > 0) {
        settings.middle_rad = runner->repetition.middle_rad;
        settings.half_range_rad = runner->repetition.half_range_rad;
    }
    runner->cycles_before = runner->view.cycle_done;
    repetition_init(&runner->repetition, &settings);
}

/* The repetition begins anew; somebody who stayed in the stretch is asked to come back
 * first. */
static void repetition_again(struct runner *runner, double time_s, const char *cause,
                             const char *actor)
{
    double away_deg = fabs(runner->view.angle_deg - runner->start_deg);
    bool is_hold = runner_part(runner)->kind == PROTOCOL_HOLD;
    cycles_keep(runner);
    if (is_hold && runner->has_start && away_deg > runner_part(runner)->return_deg) {
        runner->is_returning = true;
        runner->back_since_s = NAN;
        runner_enter(runner, PHASE_MOVE_OUT, time_s, cause, actor);
    } else {
        runner_ready_begin(runner, time_s, cause, actor);
    }
}

static void go_on(struct runner *runner, double time_s, const char *cause,
                  const char *actor)
{
    switch (runner->view.phase_before) {
    case PHASE_ALIGN:
        runner_align_begin(runner, time_s);
        break;
    case PHASE_SETUP:
        runner_setup_begin(runner, time_s, cause);
        break;
    case PHASE_REST:
        runner_enter(runner, PHASE_REST, time_s, cause, actor);
        break;
    case PHASE_MOVE_OUT:
        if (runner->is_returning) {
            repetition_again(runner, time_s, cause, actor);
        } else { /* the work of this repetition was done */
            runner_rest_begin(runner, time_s, cause, actor);
        }
        break;
    case PHASE_READY:
    case PHASE_MOVE_IN:
    case PHASE_HOLD:
    case PHASE_CYCLE:
    case PHASE_PAUSED:
    case PHASE_ABORTED:
    case PHASE_DONE:
    case PHASE_COUNT:
        repetition_again(runner, time_s, cause, actor);
        break;
    }
}

enum status runner_resume(struct runner *runner, double time_s, const char *cause,
                          const char *actor)
{
    if (runner->view.phase != PHASE_PAUSED || !runner_sensors_steady(runner, time_s)) {
        return STATUS_REFUSED;
    }
    runner->pause = RUNNER_PAUSE_NONE;
    runner->cautions = 0;
    runner->reason[0] = '\0';
    go_on(runner, time_s, cause, actor);
    return STATUS_OK;
}

void runner_pause_pose(struct runner *runner, const struct pose *pose)
{
    bool is_still = pose->still_rate_rad_s < STILL_RAD_S;
    runner_run_update(&runner->still_since_s, is_still, pose->time_s);
    if (runner->pause == RUNNER_PAUSE_GUARD && runner->settings.auto_resume
        && runner_has_lasted(runner->still_since_s, pose->time_s, GUARD_CALM_S)) {
        runner_resume(runner, pose->time_s, "calm again", "runner");
    }
}

void runner_abort(struct runner *runner, double time_s, const char *reason,
                  const char *actor)
{
    runner_hold_close(runner);
    runner_cycle_close(runner);
    runner->view.stage = PIPELINE_STAGE_NONE;
    snprintf(runner->reason, sizeof runner->reason, "%s", reason);
    runner_enter(runner, PHASE_ABORTED, time_s, reason, actor);
}

/* The guard watches movements and rests; not the way into the next posture, where people
 * lie down, kneel or stand up. */
static bool is_guarded(const struct runner *runner)
{
    switch (runner->view.phase) {
    case PHASE_READY:
    case PHASE_MOVE_IN:
    case PHASE_HOLD:
    case PHASE_MOVE_OUT:
    case PHASE_CYCLE:
        return true;
    case PHASE_REST:
        return !runner->is_finish || runner_part(runner)->kind == PROTOCOL_CYCLE;
    case PHASE_ALIGN:
    case PHASE_SETUP:
    case PHASE_PAUSED:
    case PHASE_ABORTED:
    case PHASE_DONE:
    case PHASE_COUNT:
        break;
    }
    return false;
}

static void guard_event(struct runner *runner, double time_s, enum guard_level level)
{
    struct event *event = runner_emit(runner, EVENT_GUARD, time_s, "guard");
    snprintf(event->label, sizeof event->label, "%s", guard_level_text(level));
    if (level != GUARD_CLEAR) {
        event->value = runner->guard.value_deg_s;
        event->value2 = runner->guard.limit_deg_s;
        snprintf(event->cause, sizeof event->cause, "%s", axis_text(runner->guard.axis));
    }
}

static void caution_take(struct runner *runner, double time_s)
{
    runner->cautions++;
    if (runner->cautions < CAUTIONS_MAX) {
        return;
    }
    runner->guard_pauses++;
    if (runner->guard_pauses >= GUARD_PAUSES_MAX) {
        runner_abort(runner, time_s, "too fast again and again", "guard");
    } else {
        runner_pause_begin(runner, time_s, RUNNER_PAUSE_GUARD,
                           "Too fast three times. Rest, then go on more slowly.", "guard");
    }
}

void runner_guard_pose(struct runner *runner, const struct pose *pose)
{
    if (!is_guarded(runner)) {
        return;
    }
    enum guard_level before = runner->guard.held;
    guard_update(&runner->guard, &pose->guard);
    enum guard_level now = runner->guard.held;
    runner->view.guard = runner->guard.level;
    if (now == before) {
        return;
    }
    guard_event(runner, pose->time_s, now);
    if (runner_is_recorded(runner)) {
        return; /* noted: it is over, and nobody is there to be stopped */
    }
    if (now == GUARD_STOP) {
        runner_abort(runner, pose->time_s, "moved much too fast", "guard");
    } else if (now == GUARD_CAUTION) {
        caution_take(runner, pose->time_s);
    }
}

#include "protocols/runner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "protocols/runner_steps.h"

/* Sums of grid steps miss a limit by rounding. */
static const double TIME_EPSILON_S = 1e-5;

const struct runner_settings runner_default_settings = {
    .align = true,
    .auto_resume = true,
    .pain_start = -1,
    .stall_s = 0.5,
    .pause_s = 2.0,
};

const char *phase_text(enum phase phase)
{
    static const char *const TEXTS[PHASE_COUNT] = {
        "ALIGN", "SETUP", "READY",  "MOVE_IN", "HOLD", "MOVE_OUT",
        "CYCLE", "REST",  "PAUSED", "ABORTED", "DONE",
    };
    return (unsigned)phase < PHASE_COUNT ? TEXTS[phase] : "";
}

const char *sensor_state_text(enum sensor_state state)
{
    static const char *const TEXTS[] = {"starting", "ok", "stalled", "unplugged"};
    return (unsigned)state < sizeof TEXTS / sizeof TEXTS[0] ? TEXTS[state] : "";
}

const struct protocol *runner_protocol(const struct runner *runner)
{
    return &runner->settings.protocols[runner->view.stretch];
}

const struct protocol_part *runner_part(const struct runner *runner)
{
    return &runner_protocol(runner)->parts[runner->view.part];
}

const struct protocol_cues *runner_cues(const struct runner *runner)
{
    return &runner_part(runner)->cues[runner->view.side];
}

struct runner_zone *runner_zone(struct runner *runner)
{
    return &runner->zones[runner->view.stretch][runner->view.part][runner->view.side];
}

bool runner_is_recorded(const struct runner *runner)
{
    return runner->settings.setup_timeout_s > 0.0 && runner->settings.onset_timeout_s > 0.0;
}

bool runner_has_lasted(double since_s, double now_s, double time_s)
{
    return now_s - since_s >= time_s - TIME_EPSILON_S; /* false for NaN: no run */
}

void runner_run_update(double *since_s, bool holds, double now_s)
{
    if (!holds) {
        *since_s = NAN;
    } else if (isnan(*since_s)) {
        *since_s = now_s;
    }
}

struct event *runner_emit(struct runner *runner, enum event_type type, double time_s,
                          const char *source)
{
    const struct runner_view *view = &runner->view;
    if (runner->event_count == RUNNER_EVENT_MAX) {
        /* Nobody drains; the oldest goes, so that the end of a session is never lost. */
        runner->event_count--;
        memmove(runner->events, runner->events + 1,
                runner->event_count * sizeof runner->events[0]);
    }
    struct event *event = &runner->events[runner->event_count++];
    *event = (struct event){
        .type = type,
        .time_s = time_s,
        .stretch = view->stretch,
        .part = view->part,
        .repetition = view->practice > 0 ? 0 : view->repetition,
        .side = view->side,
        .value = NAN,
        .value2 = NAN,
    };
    snprintf(event->source, sizeof event->source, "%s", source);
    return event;
}

static bool is_counting_down(const struct runner *runner)
{
    double elapsed_s = runner->pose_s - runner->phase_since_s;
    return !(elapsed_s >= runner_protocol(runner)->countdown_s);
}

static const char *ready_cue(const struct runner *runner)
{
    double away_deg = fabs(runner->view.angle_deg - runner->start_deg);
    if (!runner->is_armed && runner->has_start
        && away_deg > runner_part(runner)->return_deg) {
        return "First come back to the start.";
    }
    return is_counting_down(runner) ? "Get ready." : runner_cues(runner)->move_in;
}

static const char *rest_cue(const struct runner *runner)
{
    const char *cue = runner_cues(runner)->rest;
    if (runner->is_finish && runner_part(runner)->kind == PROTOCOL_HOLD) {
        return runner_protocol(runner)->finish;
    }
    return cue[0] ? cue : "Rest. Breathe.";
}

static const char *setup_cue(const struct runner *runner)
{
    const char *cue = runner_cues(runner)->setup;
    return cue[0] ? cue : runner_protocol(runner)->setup;
}

static const char *phase_cue(const struct runner *runner)
{
    switch (runner->view.phase) {
    case PHASE_ALIGN:
        return NULL; /* set by the alignment step */
    case PHASE_SETUP:
        return setup_cue(runner);
    case PHASE_READY:
        return ready_cue(runner);
    case PHASE_MOVE_IN:
        return runner_cues(runner)->move_in;
    case PHASE_HOLD:
    case PHASE_CYCLE:
        return runner_cues(runner)->hold;
    case PHASE_MOVE_OUT:
        return runner_cues(runner)->move_out;
    case PHASE_REST:
        return rest_cue(runner);
    case PHASE_PAUSED:
        return runner->reason;
    case PHASE_ABORTED:
        return "Stop. Come out slowly and rest.";
    case PHASE_DONE:
        return "Well done. You are finished.";
    case PHASE_COUNT:
        break;
    }
    return "";
}

/* What follows the rest that is running or will come. */
static void next_step_words(struct runner *runner)
{
    const struct runner_view *view = &runner->view;
    const struct protocol *protocol = runner_protocol(runner);
    char *next = runner->next;
    size_t size = sizeof runner->next;
    switch (runner_step_next(runner)) {
    case RUNNER_STEP_REPETITION:
        if (view->practice > 0 && view->practice < runner_part(runner)->practice_reps) {
            snprintf(next, size, "Then one more for practice.");
        } else {
            snprintf(next, size, "Then round %u of %u.",
                     view->practice ? 1 : view->repetition + 1, view->repetition_count);
        }
        break;
    case RUNNER_STEP_SIDE:
        snprintf(next, size, "Then the right side.");
        break;
    case RUNNER_STEP_PART:
        snprintf(next, size, "Then: %.*s.", 120, protocol->parts[view->part + 1].title);
        break;
    case RUNNER_STEP_STRETCH:
        snprintf(next, size, "Then: %.*s.", 120, protocol[1].title);
        break;
    case RUNNER_STEP_DONE:
        snprintf(next, size, "Then you are done.");
        break;
    }
}

static void next_words(struct runner *runner)
{
    const char *words = NULL;
    switch (runner->view.phase) {
    case PHASE_ALIGN:
        words = runner_protocol(runner)->title;
        break;
    case PHASE_SETUP:
        words = "Then stay still for a moment.";
        break;
    case PHASE_READY:
        words = is_counting_down(runner) ? runner_cues(runner)->move_in
                                         : runner_cues(runner)->hold;
        break;
    case PHASE_MOVE_IN:
        words = runner->view.practice ? runner_cues(runner)->move_out
                                      : runner_cues(runner)->hold;
        break;
    case PHASE_HOLD:
        words = runner_cues(runner)->move_out;
        break;
    case PHASE_MOVE_OUT:
    case PHASE_CYCLE:
    case PHASE_REST:
        next_step_words(runner);
        return;
    case PHASE_PAUSED:
    case PHASE_ABORTED:
    case PHASE_DONE:
    case PHASE_COUNT:
        break;
    }
    snprintf(runner->next, sizeof runner->next, "%s", words ? words : "");
}

void runner_words(struct runner *runner)
{
    const char *cue = phase_cue(runner);
    if (cue) {
        snprintf(runner->cue, sizeof runner->cue, "%s", cue);
    }
    next_words(runner);
    runner->view.cue = runner->cue;
    runner->view.next = runner->next;
    runner->view.reason = runner->reason;
}

void runner_enter(struct runner *runner, enum phase phase, double time_s, const char *cause,
                  const char *actor)
{
    runner->view.phase = phase;
    runner->phase_since_s = time_s;
    runner_words(runner);
    struct event *event = runner_emit(runner, EVENT_PHASE, time_s, actor);
    snprintf(event->label, sizeof event->label, "%s", phase_text(phase));
    snprintf(event->cause, sizeof event->cause, "%s", cause);
}

static enum status protocol_is_worn(const struct protocol *protocol, unsigned worn)
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (protocol->roles_required & ~worn & 1U << role) {
            log_error("protocol %s needs a sensor worn as %s; add it to the sensor file",
                      protocol->id, role_text((enum role)role));
            return STATUS_BAD_INPUT;
        }
    }
    return STATUS_OK;
}

static enum status settings_check(const struct runner_settings *settings)
{
    if (settings->protocol_count == 0 || settings->protocol_count > RUNNER_STRETCH_MAX) {
        log_error("%u stretches in one session; choose 1 to %d", settings->protocol_count,
                  RUNNER_STRETCH_MAX);
        return STATUS_BAD_INPUT;
    }
    for (unsigned index = 0; index < settings->protocol_count; index++) {
        enum status status = protocol_is_worn(&settings->protocols[index], settings->worn);
        if (status) {
            return status;
        }
    }
    return STATUS_OK;
}

static void zones_clear(struct runner *runner)
{
    static const struct runner_zone UNKNOWN = {NAN, NAN, NAN, NAN};
    for (unsigned stretch = 0; stretch < RUNNER_STRETCH_MAX; stretch++) {
        for (unsigned part = 0; part < PROTOCOL_PART_MAX; part++) {
            for (unsigned side = 0; side < SIDE_COUNT; side++) {
                runner->zones[stretch][part][side] = UNKNOWN;
            }
        }
    }
}

enum status runner_init(struct runner *runner, const struct runner_settings *settings)
{
    enum status status = settings_check(settings);
    if (status) {
        return status;
    }
    memset(runner, 0, sizeof *runner);
    runner->settings = *settings;
    runner->pose_s = NAN;
    runner->tick_s = NAN;
    runner->still_since_s = NAN;
    runner->back_since_s = NAN;
    runner->out_since_s = NAN;
    runner->peak_deg = NAN;
    runner->pain_first = settings->pain_start;
    runner->pain_last = settings->pain_start;
    runner->pain_before = -1;
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        runner->sensors[role] = (struct runner_sensor){SENSOR_STARTING, NAN, NAN};
    }
    zones_clear(runner);
    runner->view.angle_deg = NAN;
    runner->view.rate_deg_s = NAN;
    guard_init(&runner->guard, &settings->protocols[0].guard);
    runner_part_reset(runner);
    runner_words(runner);
    return STATUS_OK;
}

static void start(struct runner *runner, double time_s)
{
    if (!runner->started) {
        runner->started = true;
        runner_align_begin(runner, time_s);
    }
}

static void angle_view(struct runner *runner, const struct pose *pose)
{
    struct runner_view *view = &runner->view;
    double sign = runner_part(runner)->sign[view->side];
    view->angle_deg = sign * pose->angle_rad[view->measure] * DEG_PER_RAD;
    view->rate_deg_s = sign * pose->rate_rad_s[view->measure] * DEG_PER_RAD;
    runner_zone_view(runner);
}

static void phase_pose(struct runner *runner, const struct pose *pose, double elapsed_s)
{
    switch (runner->view.phase) {
    case PHASE_ALIGN:
        runner_align_pose(runner, pose);
        break;
    case PHASE_SETUP:
        runner_setup_pose(runner, pose);
        break;
    case PHASE_READY:
        runner_ready_pose(runner, pose);
        break;
    case PHASE_MOVE_IN:
        runner_move_in_pose(runner, pose);
        break;
    case PHASE_HOLD:
        runner_hold_pose(runner, pose);
        break;
    case PHASE_MOVE_OUT:
        runner_move_out_pose(runner, pose);
        break;
    case PHASE_CYCLE:
        runner_cycle_pose(runner, pose);
        break;
    case PHASE_REST:
        runner_rest_pose(runner, pose, elapsed_s);
        break;
    case PHASE_PAUSED:
        runner_pause_pose(runner, pose);
        break;
    case PHASE_ABORTED:
    case PHASE_DONE:
    case PHASE_COUNT:
        break;
    }
}

void runner_pose(struct runner *runner, const struct pose *pose)
{
    double elapsed_s = isnan(runner->pose_s) ? 0.0 : pose->time_s - runner->pose_s;
    runner->pose_s = pose->time_s;
    start(runner, pose->time_s);
    angle_view(runner, pose);
    runner_guard_pose(runner, pose);
    phase_pose(runner, pose, elapsed_s);
}

void runner_tick(struct runner *runner, double time_s, const double newest_s[ROLE_COUNT])
{
    if (isnan(runner->tick_s)) {
        runner->tick_s = time_s;
    }
    start(runner, time_s);
    runner_watch(runner, time_s, newest_s);
}

void runner_finish(struct runner *runner, double time_s)
{
    runner_hold_close(runner);
    runner_cycle_close(runner);
    if (!runner_is_over(runner)) {
        runner->view.stage = PIPELINE_STAGE_NONE;
        runner_enter(runner, PHASE_DONE, time_s, "the data ended", "runner");
    }
}

bool runner_is_over(const struct runner *runner)
{
    return runner->view.phase == PHASE_DONE || runner->view.phase == PHASE_ABORTED;
}

unsigned runner_events_take(struct runner *runner, struct event *events, unsigned capacity)
{
    unsigned count = runner->event_count < capacity ? runner->event_count : capacity;
    memcpy(events, runner->events, count * sizeof events[0]);
    runner->event_count -= count;
    memmove(runner->events, runner->events + count,
            runner->event_count * sizeof runner->events[0]);
    return count;
}

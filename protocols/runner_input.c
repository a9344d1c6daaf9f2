/* What the operator and the patient say. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/runner_steps.h"

enum {
    PAIN_MAX = 10,
    PAIN_ABORT = 6, /* red zone of the pain traffic light (clinical reference 2.5) */
    PAIN_RISE = 2   /* smallest important rise (Ostelo 2008) */
};

static enum status input_pause(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    if (runner_is_over(runner)) {
        return STATUS_REFUSED;
    }
    if (runner->view.phase == PHASE_PAUSED) {
        /* Whatever paused before: now a person wants it, and only a person ends it. */
        runner->pause = RUNNER_PAUSE_OPERATOR;
        return STATUS_OK;
    }
    runner_pause_begin(runner, time_s, RUNNER_PAUSE_OPERATOR, "Paused. Take your time.",
                       "operator");
    return STATUS_OK;
}

static enum status input_resume(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    return runner_resume(runner, time_s, "go on", "operator");
}

static enum status input_stop(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    if (runner_is_over(runner)) {
        return STATUS_REFUSED;
    }
    runner_abort(runner, time_s, "stopped by the operator", "operator");
    return STATUS_OK;
}

static void leave_movement(struct runner *runner, double time_s)
{
    runner_hold_close(runner);
    runner_enter(runner, PHASE_MOVE_OUT, time_s, "skipped", "operator");
}

static enum status input_skip(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    switch (runner->view.phase) {
    case PHASE_ALIGN:
        runner_align_skip(runner, time_s);
        return STATUS_OK;
    case PHASE_SETUP:
        runner->view.stage = PIPELINE_STAGE_NONE;
        runner_part_begin(runner);
        runner_ready_begin(runner, time_s, "skipped", "operator");
        return STATUS_OK;
    case PHASE_READY:
    case PHASE_MOVE_OUT:
    case PHASE_CYCLE:
        runner->is_returning = false;
        runner_cycle_close(runner);
        runner_rest_begin(runner, time_s, "skipped", "operator");
        return STATUS_OK;
    case PHASE_MOVE_IN:
    case PHASE_HOLD:
        leave_movement(runner, time_s);
        return STATUS_OK;
    case PHASE_REST:
        runner_rest_end(runner, time_s, "skipped", "operator");
        return STATUS_OK;
    case PHASE_PAUSED:
    case PHASE_ABORTED:
    case PHASE_DONE:
    case PHASE_COUNT:
        break;
    }
    return STATUS_REFUSED;
}

/* In a rest: the repetition before it once more. */
static enum status input_redo(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    if (runner->view.phase != PHASE_REST || runner_part(runner)->kind == PROTOCOL_CYCLE) {
        return STATUS_REFUSED;
    }
    runner_hold_close(runner);
    runner->is_finish = false;
    runner->view.rest_left_s = 0.0;
    if (runner->view.practice > 0 && runner->practice_count > 0) {
        runner->practice_count--;
    }
    runner_ready_begin(runner, time_s, "once more", "operator");
    return STATUS_OK;
}

static enum status input_undo(struct runner *runner, double time_s, const char *argument)
{
    (void)argument;
    if (!runner->can_undo) {
        return STATUS_REFUSED;
    }
    struct event *event = runner_emit(runner, EVENT_OPERATOR, time_s, "operator");
    snprintf(event->label, sizeof event->label, "undo");
    snprintf(event->cause, sizeof event->cause, "pain %d taken back", runner->pain_last);
    event->value = runner->pain_last;
    runner->pain_last = runner->pain_before;
    runner->pain_first = runner->pain_before < 0 ? -1 : runner->pain_first;
    runner->can_undo = false;
    return STATUS_OK;
}

static enum status input_sharp_pain(struct runner *runner, double time_s,
                                    const char *argument)
{
    (void)argument;
    struct event *event = runner_emit(runner, EVENT_PAIN, time_s, "patient");
    snprintf(event->label, sizeof event->label, "sharp");
    if (!runner_is_over(runner)) {
        runner_abort(runner, time_s, "sharp pain", "patient");
    }
    return STATUS_OK;
}

static bool pain_parse(const char *text, int *pain)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > PAIN_MAX) {
        return false;
    }
    *pain = (int)value;
    return true;
}

static void pain_act(struct runner *runner, double time_s)
{
    int rise = runner->pain_last - runner->pain_first;
    if (runner_is_over(runner)) {
        return;
    }
    if (runner->pain_last >= PAIN_ABORT) {
        runner_abort(runner, time_s, "pain of 6 or more", "patient");
    } else if (rise >= PAIN_RISE && runner->view.phase != PHASE_PAUSED) {
        runner_pause_begin(runner, time_s, RUNNER_PAUSE_PAIN,
                           "pain rose by 2: ask questions 1, 2, 3, 6 again", "patient");
    }
}

/* A mark is kept also after the end: pain afterwards is asked for. */
static enum status input_pain(struct runner *runner, double time_s, const char *argument)
{
    int pain = -1;
    if (!pain_parse(argument, &pain)) {
        return STATUS_BAD_INPUT;
    }
    runner->pain_before = runner->pain_last;
    runner->pain_last = pain;
    runner->pain_first = runner->pain_first < 0 ? pain : runner->pain_first;
    runner->can_undo = true;
    struct event *event = runner_emit(runner, EVENT_PAIN, time_s, "patient");
    event->value = pain;
    pain_act(runner, time_s);
    return STATUS_OK;
}

static enum status input_note(struct runner *runner, double time_s, const char *argument)
{
    if (argument[0] == '\0') {
        return STATUS_BAD_INPUT;
    }
    struct event *event = runner_emit(runner, EVENT_NOTE, time_s, "operator");
    snprintf(event->cause, sizeof event->cause, "%s", argument);
    return STATUS_OK;
}

static enum status input_guard_ack(struct runner *runner, double time_s,
                                   const char *argument)
{
    (void)argument;
    if (runner->view.phase != PHASE_PAUSED || runner->pause != RUNNER_PAUSE_GUARD) {
        return STATUS_REFUSED;
    }
    return runner_resume(runner, time_s, "nothing new was felt", "operator");
}

typedef enum status input_fn(struct runner *runner, double time_s, const char *argument);

struct input {
    const char *word;
    bool has_argument;
    bool is_kept; /* an own event row, beside what follows from it */
    input_fn *run;
};

static const struct input INPUTS[] = {
    {"pause", false, true, input_pause},
    {"resume", false, true, input_resume},
    {"stop", false, true, input_stop},
    {"skip", false, true, input_skip},
    {"redo", false, true, input_redo},
    {"undo", false, false, input_undo},
    {"sharp_pain", false, false, input_sharp_pain},
    {"pain", true, false, input_pain},
    {"note", true, false, input_note},
    {"guard_ack", false, true, input_guard_ack},
};

static const struct input *input_find(const char *text, const char **argument)
{
    for (size_t index = 0; index < sizeof INPUTS / sizeof INPUTS[0]; index++) {
        size_t length = strlen(INPUTS[index].word);
        if (strncmp(text, INPUTS[index].word, length) != 0) {
            continue;
        }
        if (!INPUTS[index].has_argument && text[length] == '\0') {
            *argument = "";
            return &INPUTS[index];
        }
        if (INPUTS[index].has_argument && text[length] == ' ') {
            *argument = text + length + 1;
            return &INPUTS[index];
        }
    }
    return NULL;
}

enum status runner_input(struct runner *runner, double time_s, const char *text)
{
    const char *argument = "";
    const struct input *input = input_find(text, &argument);
    if (!input) {
        return STATUS_BAD_INPUT;
    }
    unsigned count_before = runner->event_count;
    if (input->is_kept) {
        struct event *event = runner_emit(runner, EVENT_OPERATOR, time_s, "operator");
        snprintf(event->label, sizeof event->label, "%s", input->word);
    }
    enum status status = input->run(runner, time_s, argument);
    if (status && input->is_kept) {
        runner->event_count = count_before; /* what was refused did not happen */
    }
    return status;
}

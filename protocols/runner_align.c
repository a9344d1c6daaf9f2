/* Neutral pose, functional moves, and the still start posture of each stretch. */
#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "protocols/runner_steps.h"

enum {
    EXCURSION_COUNT = 3, /* moves asked for */
    RETRIES_MAX = 2, /* new tries after a refused alignment, then the nominal placement */
    WATCH_MAX = 5
};

/* Project defaults. */
static const double STILL_RAD_S = 3.0 * RAD_PER_DEG;
static const double STILL_LEAD_S = 1.0; /* calm before a still window opens */
static const double NEUTRAL_STILL_S = 5.0;
static const double NEUTRAL_SHORT_STILL_S = 3.0; /* without guided alignment */
static const double NEUTRAL_TIMEOUT_S = 30.0;    /* without guided alignment */
static const double MOVE_TIMEOUT_S = 40.0;       /* a slow person needs 25 s */
static const double SETUP_LEAD_S = 5.0;          /* time to take the posture */
static const double SETUP_STILL_S = 3.0;

/* One step of the alignment. */
struct align_step {
    enum pipeline_stage stage;
    unsigned role_mask; /* worn roles that need it; 0 = always */
    double out_rad;
    double back_rad;
    enum measure
        watch[WATCH_MAX]; /* any of these shows the move, also when a unit sits askew */
    unsigned watch_count;
    const char *cue;
};

static const struct align_step STEPS[] = {
    {PIPELINE_STAGE_NEUTRAL, 0, 0.0, 0.0, {0}, 0, "Stand tall and still."},
    {PIPELINE_STAGE_TRUNK,
     0,
     15.0 * RAD_PER_DEG,
     6.0 * RAD_PER_DEG,
     {MEASURE_THORAX_INCLINATION, MEASURE_THORAX_SIDE, MEASURE_STERNUM_INCLINATION,
      MEASURE_PELVIS_INCLINATION, MEASURE_PELVIS_SIDE},
     5,
     "Bend forward slowly and come back, three times."},
    {PIPELINE_STAGE_THIGH_L,
     1U << ROLE_THIGH_L,
     20.0 * RAD_PER_DEG,
     8.0 * RAD_PER_DEG,
     {MEASURE_HIP_FLEXION_L, MEASURE_THIGH_INCLINATION_L},
     2,
     "Lift your left knee slowly and put it down, three times."},
    {PIPELINE_STAGE_THIGH_R,
     1U << ROLE_THIGH_R,
     20.0 * RAD_PER_DEG,
     8.0 * RAD_PER_DEG,
     {MEASURE_HIP_FLEXION_R, MEASURE_THIGH_INCLINATION_R},
     2,
     "Lift your right knee slowly and put it down, three times."},
    {PIPELINE_STAGE_SOLVE, 0, 0.0, 0.0, {0}, 0, "Thank you. One moment."},
};

enum {
    STEP_COUNT = sizeof STEPS / sizeof STEPS[0],
    STEP_SOLVE = STEP_COUNT - 1
};

static void step_enter(struct runner *runner, unsigned step, double time_s)
{
    runner->align_step = step;
    runner->stage_since_s = time_s;
    runner->still_since_s = NAN;
    runner->excursions = 0;
    runner->is_out = false;
    /* The neutral stage opens only once the person is still. */
    runner->view.stage = step == 0 ? PIPELINE_STAGE_NONE : STEPS[step].stage;
    snprintf(runner->cue, sizeof runner->cue, "%s", STEPS[step].cue);
}

static bool step_is_wanted(const struct runner *runner, unsigned step)
{
    if (step == 0 || step == STEP_SOLVE) {
        return true;
    }
    bool is_worn =
        !STEPS[step].role_mask || (STEPS[step].role_mask & runner->settings.worn);
    return runner->settings.align && is_worn;
}

static void step_next(struct runner *runner, double time_s, const char *cause)
{
    unsigned step = runner->align_step + 1;
    while (step < STEP_SOLVE && !step_is_wanted(runner, step)) {
        step++;
    }
    step_enter(runner, step, time_s);
    runner_enter(runner, PHASE_ALIGN, time_s, cause, "runner");
}

void runner_align_begin(struct runner *runner, double time_s)
{
    step_enter(runner, 0, time_s);
    runner_enter(runner, PHASE_ALIGN, time_s, "start", "runner");
}

static bool is_still(const struct pose *pose)
{
    return pose->still_rate_rad_s < STILL_RAD_S; /* false for NaN */
}

/* Opens the stage when the person has been calm, closes it when they move. @return true
 * when the window has been open for long enough. */
static bool still_window(struct runner *runner, const struct pose *pose,
                         enum pipeline_stage stage, double still_s)
{
    runner_run_update(&runner->still_since_s, is_still(pose), pose->time_s);
    bool is_open = runner_has_lasted(runner->still_since_s, pose->time_s, STILL_LEAD_S);
    runner->view.stage = is_open ? stage : PIPELINE_STAGE_NONE;
    return runner_has_lasted(runner->still_since_s, pose->time_s, STILL_LEAD_S + still_s);
}

static double neutral_timeout_s(const struct runner *runner)
{
    if (runner->settings.setup_timeout_s > 0.0) {
        return runner->settings.setup_timeout_s;
    }
    return runner->settings.align ? HUGE_VAL : NEUTRAL_TIMEOUT_S;
}

static void neutral_pose(struct runner *runner, const struct pose *pose)
{
    double still_s = runner->settings.align ? NEUTRAL_STILL_S : NEUTRAL_SHORT_STILL_S;
    bool is_done = still_window(runner, pose, PIPELINE_STAGE_NEUTRAL, still_s);
    if (is_done) {
        for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
            runner->neutral_rad[measure] = pose->angle_rad[measure];
        }
        step_next(runner, pose->time_s, "stood still");
    } else if (pose->time_s - runner->stage_since_s >= neutral_timeout_s(runner)) {
        step_next(runner, pose->time_s, "did not stand still in time");
    }
}

/* Largest change from neutral of what is watched; NaN without data. */
static double displacement_rad(const struct runner *runner, const struct align_step *step,
                               const struct pose *pose)
{
    double largest = NAN;
    for (unsigned index = 0; index < step->watch_count; index++) {
        enum measure measure = step->watch[index];
        double change = fabs(pose->angle_rad[measure] - runner->neutral_rad[measure]);
        largest = fmax(largest, change); /* fmax ignores NaN */
    }
    return largest;
}

static void move_pose(struct runner *runner, const struct pose *pose)
{
    const struct align_step *step = &STEPS[runner->align_step];
    double displacement = displacement_rad(runner, step, pose);
    if (displacement > step->out_rad) {
        runner->is_out = true;
    } else if (runner->is_out && displacement < step->back_rad) {
        runner->is_out = false;
        runner->excursions++;
    }
    if (runner->excursions >= EXCURSION_COUNT) {
        step_next(runner, pose->time_s, "moved three times");
    } else if (pose->time_s - runner->stage_since_s >= MOVE_TIMEOUT_S) {
        step_next(runner, pose->time_s, "did not move three times in time");
    }
}

void runner_align_pose(struct runner *runner, const struct pose *pose)
{
    if (runner->align_step == 0) {
        neutral_pose(runner, pose);
    } else if (runner->align_step == STEP_SOLVE) {
        /* Nobody answered since the pose before: go on with what there is. */
        if (pose->time_s > runner->stage_since_s) {
            runner_setup_begin(runner, pose->time_s, "alignment not answered");
        }
    } else {
        move_pose(runner, pose);
    }
}

void runner_align_skip(struct runner *runner, double time_s)
{
    if (runner->align_step == STEP_SOLVE) {
        runner_setup_begin(runner, time_s, "skipped");
    } else {
        step_next(runner, time_s, "skipped");
    }
}

void runner_aligned(struct runner *runner, double time_s, enum status status)
{
    if (runner->view.phase != PHASE_ALIGN || runner->align_step != STEP_SOLVE) {
        return;
    }
    struct event *event = runner_emit(runner, EVENT_ALIGNMENT, time_s, "runner");
    snprintf(event->label, sizeof event->label, "%s", status ? "not aligned" : "aligned");
    snprintf(event->cause, sizeof event->cause, "%s", status ? status_text(status) : "");
    /* Nobody in recorded data will stand still once more. */
    bool may_retry = runner->settings.align && !runner_is_recorded(runner)
                     && runner->align_retries < RETRIES_MAX;
    if (status && may_retry) {
        runner->align_retries++;
        step_enter(runner, 0, time_s);
        runner_enter(runner, PHASE_ALIGN, time_s, "alignment refused, once more", "runner");
        return;
    }
    runner_setup_begin(runner, time_s, status ? "placement as far as known" : "aligned");
}

/* The first time in a stretch begins, every other time closes. */
enum pipeline_stage runner_start_stage(const struct runner *runner)
{
    return runner->has_fix ? PIPELINE_STAGE_CLOSURE : PIPELINE_STAGE_START;
}

void runner_setup_begin(struct runner *runner, double time_s, const char *cause)
{
    runner->view.stage = PIPELINE_STAGE_NONE;
    runner->still_since_s = NAN;
    runner_part_reset(runner);
    runner_enter(runner, PHASE_SETUP, time_s, cause, "runner");
}

void runner_setup_pose(struct runner *runner, const struct pose *pose)
{
    double elapsed_s = pose->time_s - runner->phase_since_s;
    double timeout_s = runner->settings.setup_timeout_s;
    const char *cause = NULL;
    if (elapsed_s < SETUP_LEAD_S - STILL_LEAD_S) {
        return;
    }
    if (still_window(runner, pose, runner_start_stage(runner), SETUP_STILL_S)) {
        cause = "still in the start posture";
        runner->has_fix = true;
    } else if (timeout_s > 0.0 && elapsed_s >= timeout_s) {
        cause = "not still in time";
    }
    if (cause) {
        runner->view.stage = PIPELINE_STAGE_NONE;
        runner_part_begin(runner);
        runner_ready_begin(runner, pose->time_s, cause, "runner");
    }
}

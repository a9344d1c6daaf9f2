#include "simulation/person.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

/* Shares of sway that show: standing or lying quietly, in a hold, in repeated movement. */
static const double SWAY_STILL = 0.15;
static const double SWAY_HOLD = 1.0;
static const double SWAY_CYCLE = 0.4;

static const double CHANGE_OVER_S = 4.0; /* from one posture to another */
static const double PRACTICE_STAY_S = 1.5;
static const double CALMED_SPEED = 0.72;
static const double STOP_S = 0.6; /* to come to rest when told to pause */

enum wave {
    WAVE_SLOW,
    WAVE_SLOWER,
    WAVE_BREATHING,
    WAVE_TREMOR
};

/* How much of each wave a coordinate shows, of the patient's amplitude. */
static const struct {
    enum channel channel;
    double share[4];
} SWAYS[] = {
    {CHANNEL_PELVIS_PITCH, {0.2, 0.1, 0.05, 0.3}},
    {CHANNEL_PELVIS_ROLL, {-0.1, 0.2, 0.0, 0.2}},
    {CHANNEL_LUMBAR_FLEXION, {0.5, 0.4, 0.3, 0.5}},
    {CHANNEL_LUMBAR_LATERAL, {0.2, -0.3, 0.0, 0.4}},
    {CHANNEL_LUMBAR_ROTATION, {-0.3, 0.2, 0.0, 0.4}},
    {CHANNEL_UPPER_FLEXION, {0.1, 0.1, 0.7, 0.5}},
    {CHANNEL_HIP_FLEXION_L, {0.4, 0.4, 0.0, 0.6}},
    {CHANNEL_HIP_FLEXION_R, {0.5, 0.3, 0.0, 0.6}},
};

/* Normal about 1 with SD spread, cut at 2.5 SD so that no repetition is absurd. */
static double vary(struct person *person, double spread)
{
    double z = fmax(-2.5, fmin(2.5, random_normal(&person->random)));
    return 1.0 + spread * z;
}

static double react_s(struct person *person)
{
    return fmax(0.25, person->patient->movement.reaction_s * vary(person, 0.15));
}

static double plan_end_s(const struct person *person)
{
    if (person->step_count == 0) {
        return person->running_end_s;
    }
    const struct person_step *last = &person->steps[person->step_count - 1];
    return last->start_s + last->duration_s;
}

static void plan_clear(struct person *person)
{
    person->step_count = 0;
    person->is_known = false;
}

/* Add a move to the plan; it never begins in a past that sensors have already seen. */
static void plan_move(struct person *person, double start_s, double duration_s,
                      const double target[CHANNEL_COUNT], double sway, const char *action,
                      const char *action_after)
{
    assert(person->step_count < PERSON_STEP_MAX);
    struct person_step *step = &person->steps[person->step_count++];
    step->start_s = fmax(start_s, person->advanced_s + 0.001);
    step->duration_s = duration_s;
    step->is_stop = false;
    step->action = action;
    step->action_after = action_after;
    memcpy(step->target, target, sizeof step->target);
    step->target[CHANNEL_SWAY] = sway;
    memcpy(step->label, person->label, sizeof step->label);
    memcpy(person->planned, step->target, sizeof person->planned);
    person->is_known = true;
}

static void plan_stop(struct person *person, double start_s)
{
    double here[CHANNEL_COUNT] = {0.0};
    plan_clear(person);
    plan_move(person, start_s, STOP_S, here, 0.0, "paused", "paused");
    person->steps[0].is_stop = true;
    person->is_known = false;
}

static bool plan_ends_at(const struct person *person, const double target[CHANNEL_COUNT])
{
    if (!person->is_known) {
        return false;
    }
    for (unsigned i = 0; i < CHANNEL_SWAY; i++) {
        if (fabs(person->planned[i] - target[i]) > 1e-9) {
            return false;
        }
    }
    return true;
}

static void mark_add(struct person *person, double start_s, const char *label,
                     const char *action)
{
    struct person_mark *mark = &person->marks[person->mark_count++ % PERSON_MARK_MAX];
    mark->start_s = start_s;
    snprintf(mark->text, sizeof mark->text, "%.90s/%s", label, action);
}

/* Turn a planned move into movement. */
static void step_begin(struct person *person, const struct person_step *step)
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        if (step->is_stop && i != CHANNEL_SWAY) {
            motion_stop(&person->motions[i], step->start_s, step->duration_s);
        } else if (!step->is_stop) {
            motion_move(&person->motions[i], step->start_s, step->duration_s,
                        step->target[i]);
        }
    }
    /* An interrupted move never reaches its end mark. */
    while (person->mark_count > 0
           && person->marks[(person->mark_count - 1) % PERSON_MARK_MAX].start_s
                  >= step->start_s) {
        person->mark_count--;
    }
    mark_add(person, step->start_s, step->label, step->action);
    mark_add(person, step->start_s + step->duration_s, step->label, step->action_after);
    person->running_end_s = step->start_s + step->duration_s;
}

/* "bridge/hold/both/3", "bridge/hold/both/practice1". */
static void label_make(struct person *person, unsigned repetition)
{
    const struct choreography *choreography = person->choreography;
    snprintf(person->label, sizeof person->label, "%.40s/%.20s/%s/%s%u",
             choreography ? choreography->stretch : "none",
             choreography ? choreography->part : "none", side_text(person->side),
             person->is_practice ? "practice" : "", repetition);
}

static double own_range(const struct person *person, bool is_left)
{
    const struct patient_movement *movement = &person->patient->movement;
    double range = is_left ? movement->range_left : movement->range_right;
    return 1.0 + person->choreography->range_share * (range - 1.0);
}

/* Start posture of the part, mirrored for the left. */
static void start_channels(const struct person *person, double channels[CHANNEL_COUNT])
{
    choreography_channels(person->choreography->start, person->side == SIDE_LEFT, channels);
}

/* A share of the way from one posture to another. */
static void between(const double from[CHANNEL_COUNT], const double to[CHANNEL_COUNT],
                    double share, double channels[CHANNEL_COUNT])
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        channels[i] = from[i] + share * (to[i] - from[i]);
    }
}

static void peak_channels(struct person *person, double effort,
                          double channels[CHANNEL_COUNT])
{
    double start[CHANNEL_COUNT];
    double peak[CHANNEL_COUNT];
    bool is_left = person->side == SIDE_LEFT;
    start_channels(person, start);
    choreography_channels(person->choreography->peak, is_left, peak);
    between(start, peak, effort * own_range(person, is_left), channels);
}

static double move_s(struct person *person)
{
    const struct patient_movement *movement = &person->patient->movement;
    return person->choreography->move_s / person->speed * vary(person, movement->tempo_cv);
}

static void plan_return(struct person *person, double start_s)
{
    double start[CHANNEL_COUNT];
    start_channels(person, start);
    person->leave_s = fmax(start_s, person->advanced_s + 0.001);
    plan_move(person, start_s, move_s(person), start, SWAY_STILL, "move_out", "still");
}

/* Somebody who cannot keep still may sag and recover, or give up before the time. */
static void plan_hold_faults(struct person *person, double hold_from_s, double effort)
{
    const struct patient_steadiness *steadiness = &person->patient->steadiness;
    double hold_s = person->choreography->hold_s;
    bool sags = random_uniform(&person->random, 0.0, 1.0) < steadiness->drift_out;
    bool leaves = random_uniform(&person->random, 0.0, 1.0) < steadiness->leave_early;
    double sag_share = random_uniform(&person->random, 0.25, 0.40);
    double leave_share = random_uniform(&person->random, 0.55, 0.85);
    if (sags) {
        double sagged[CHANNEL_COUNT];
        double back[CHANNEL_COUNT];
        peak_channels(person, effort * 0.6, sagged);
        peak_channels(person, effort, back);
        double sag_s = hold_from_s + sag_share * hold_s;
        plan_move(person, sag_s, 2.0, sagged, SWAY_HOLD, "sag", "sagged");
        plan_move(person, sag_s + 3.5, 2.0, back, SWAY_HOLD, "recover", "hold");
    }
    if (leaves) {
        plan_return(person,
                    fmax(hold_from_s + leave_share * hold_s, plan_end_s(person) + 0.5));
    }
}

static void plan_hold(struct person *person, double start_s, bool is_practice)
{
    const struct patient_movement *movement = &person->patient->movement;
    double effort =
        (is_practice ? 1.0 : movement->hold_effort) * vary(person, movement->range_cv);
    double peak[CHANNEL_COUNT];
    peak_channels(person, effort, peak);
    plan_move(person, start_s, move_s(person), peak, SWAY_HOLD, "move_in", "hold");
    person->leave_s = INFINITY;
    if (is_practice) {
        plan_return(person, plan_end_s(person) + PRACTICE_STAY_S);
    } else {
        plan_hold_faults(person, plan_end_s(person), effort);
    }
}

static bool has_way_in(const struct choreography *choreography)
{
    return choreography->peak != choreography->start;
}

static void plan_cycles(struct person *person, double start_s)
{
    person->is_cycling = true;
    person->is_first_half = true;
    person->next_is_high = false;
    person->cycle_count = 0;
    person->stop_s = INFINITY;
    person->next_half_s = fmax(start_s, person->advanced_s + 0.001);
    if (has_way_in(person->choreography)) {
        double middle[CHANNEL_COUNT];
        peak_channels(person, 1.0, middle);
        plan_move(person, start_s, move_s(person), middle, SWAY_CYCLE, "move_in", "still");
        person->next_half_s = plan_end_s(person) + 1.0;
    }
}

static void middle_channels(struct person *person, double channels[CHANNEL_COUNT])
{
    if (has_way_in(person->choreography)) {
        peak_channels(person, 1.0, channels);
    } else {
        start_channels(person, channels);
    }
}

/* Sideways movements have a left half of its own range. */
static bool low_is_left(const struct choreography *choreography)
{
    return choreography->low->value[CHANNEL_PELVIS_ROLL] != 0.0
           || choreography->low->value[CHANNEL_LUMBAR_LATERAL] != 0.0;
}

static double half_s(struct person *person)
{
    const struct patient_movement *movement = &person->patient->movement;
    return person->choreography->cycle_s / 2.0 / person->speed
           * vary(person, movement->tempo_cv);
}

/* One half of a cycle, to one of its ends. */
static void half_begin(struct person *person)
{
    const struct choreography *choreography = person->choreography;
    double usual_middle[CHANNEL_COUNT];
    double end[CHANNEL_COUNT];
    double middle[CHANNEL_COUNT];
    double target[CHANNEL_COUNT];
    bool is_left = !person->next_is_high && low_is_left(choreography);
    choreography_channels(choreography->peak, false, usual_middle);
    choreography_channels(person->next_is_high ? choreography->high : choreography->low,
                          false, end);
    middle_channels(person, middle);
    double share =
        own_range(person, is_left) * vary(person, person->patient->movement.range_cv);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        target[i] = middle[i] + share * (end[i] - usual_middle[i]);
    }
    double duration_s = half_s(person) * (person->is_first_half ? 0.75 : 1.0);
    person->cycle_count += person->next_is_high ? 1 : 0;
    label_make(person, person->cycle_count);
    plan_move(person, person->next_half_s, duration_s, target, SWAY_CYCLE,
              person->next_is_high ? "up" : "down", "turn");
    person->next_is_high = !person->next_is_high;
    person->is_first_half = false;
    person->next_half_s += duration_s;
}

static void cycles_end(struct person *person)
{
    double middle[CHANNEL_COUNT];
    middle_channels(person, middle);
    person->is_cycling = false;
    plan_move(person, person->next_half_s, 0.8 * half_s(person), middle, SWAY_STILL,
              "centre", "still");
    if (has_way_in(person->choreography)) {
        plan_return(person, plan_end_s(person) + 0.5);
    }
}

static void cycles_stop(struct person *person, double time_s)
{
    if (!person->is_cycling) {
        return;
    }
    person->stop_s = time_s;
    if (person->is_first_half && person->next_half_s > time_s
        && !has_way_in(person->choreography)) {
        person->is_cycling = false; /* had not begun */
    }
}

static void go_neutral(struct person *person, double start_s)
{
    double standing[CHANNEL_COUNT];
    choreography_channels(choreography_neutral(), false, standing);
    if (!plan_ends_at(person, standing)) {
        plan_clear(person);
        plan_move(person, start_s, CHANGE_OVER_S, standing, SWAY_STILL, "setup", "still");
    }
    person->leave_s = -INFINITY;
}

/* Three slow moves there and back, with a still moment before. */
static void hear_align(struct person *person, const struct simulation_cue *cue,
                       double start_s)
{
    const struct posture_table *posture = choreography_alignment(cue->stage);
    bool is_neutral = strcmp(cue->stage, "neutral") == 0;
    person->is_cycling = false;
    if (!posture && !is_neutral) {
        return;
    }
    if (person->step_count + 7 > PERSON_STEP_MAX) {
        plan_clear(person); /* told again and again: the newest wish counts */
    }
    snprintf(person->label, sizeof person->label, "align/%.40s", cue->stage);
    go_neutral(person, start_s);
    if (is_neutral) {
        return;
    }
    double standing[CHANNEL_COUNT];
    double peak[CHANNEL_COUNT];
    choreography_channels(choreography_neutral(), false, standing);
    choreography_channels(posture, strcmp(cue->stage, "thigh_l") == 0, peak);
    double speed = fmin(person->speed, 1.2);
    double next_s = fmax(start_s, plan_end_s(person)) + 1.0;
    for (unsigned i = 0; i < 3; i++) {
        double target[CHANNEL_COUNT];
        between(standing, peak, vary(person, 0.03), target);
        plan_move(person, next_s, 2.2 / speed, target, SWAY_STILL, "move_in", "peak");
        plan_move(person, plan_end_s(person) + 0.3, 2.2 / speed, standing, SWAY_STILL,
                  "move_out", "still");
        next_s = plan_end_s(person) + 0.6;
    }
}

static void hear_setup(struct person *person, const struct simulation_cue *cue,
                       double start_s)
{
    (void)cue;
    double start[CHANNEL_COUNT];
    if (!person->choreography) {
        return;
    }
    start_channels(person, start);
    person->is_cycling = false;
    person->leave_s = -INFINITY;
    if (!plan_ends_at(person, start)) {
        plan_clear(person);
        plan_move(person, start_s, CHANGE_OVER_S, start, SWAY_STILL, "setup", "still");
    }
}

/* Where the next part begins in another posture and nobody asked for it. */
static void start_take(struct person *person, double start_s)
{
    double start[CHANNEL_COUNT];
    start_channels(person, start);
    if (!plan_ends_at(person, start)) {
        plan_move(person, fmax(start_s, plan_end_s(person)), CHANGE_OVER_S, start,
                  SWAY_STILL, "setup", "still");
    }
}

static void hear_ready(struct person *person, const struct simulation_cue *cue,
                       double start_s)
{
    if (!person->choreography) {
        return;
    }
    if (person->is_cycling) {
        cycles_stop(person, start_s);
        person->is_cycling = false;
        if (!person->is_first_half) {
            cycles_end(person);
        }
    } else if (person->leave_s > start_s) {
        plan_clear(person);
        plan_return(person, start_s);
    }
    start_take(person, start_s);
    double begin_s =
        fmax(start_s + person->patient->movement.countdown_s, plan_end_s(person) + 0.5);
    if (person->choreography->high) {
        plan_cycles(person, begin_s);
    } else {
        plan_hold(person, begin_s, cue->is_practice);
    }
}

/* MOVE_IN, HOLD, CYCLE: the person is on the way already, unless it was told to pause. */
static void hear_go_on(struct person *person, const struct simulation_cue *cue,
                       double start_s)
{
    bool was_paused = person->is_paused;
    person->is_paused = false;
    if (!person->choreography) {
        return;
    }
    bool is_cycle = person->choreography->high != NULL;
    if (is_cycle && !person->is_cycling && strcmp(cue->phase, "CYCLE") == 0) {
        plan_clear(person);
        plan_cycles(person, start_s);
    } else if (!is_cycle && was_paused) {
        plan_clear(person);
        plan_hold(person, start_s, cue->is_practice);
    }
}

static void hear_back(struct person *person, const struct simulation_cue *cue,
                      double start_s)
{
    (void)cue;
    if (!person->choreography) {
        return;
    }
    if (person->is_cycling) {
        cycles_stop(person, start_s);
    } else if (person->leave_s > start_s) {
        plan_clear(person);
        plan_return(person, start_s);
    }
}

static void hear_pause(struct person *person, const struct simulation_cue *cue,
                       double start_s)
{
    (void)cue;
    /* Who was told to stop hurries less from then on. */
    person->speed = fmax(fmin(1.0, person->speed), CALMED_SPEED * person->speed);
    person->is_cycling = false;
    person->is_paused = true;
    plan_stop(person, start_s);
    person->leave_s = INFINITY;
}

static void hear_end(struct person *person, const struct simulation_cue *cue,
                     double start_s)
{
    (void)cue;
    person->is_cycling = false;
    go_neutral(person, start_s);
}

static void remember(struct person *person, const struct simulation_cue *cue)
{
    const struct choreography *found =
        choreography_find(cue->stretch ? cue->stretch : "", cue->part ? cue->part : "");
    if (found != person->choreography || cue->side != person->side || !cue->is_practice) {
        person->practice_count = 0;
    }
    person->choreography = found;
    person->side = cue->side;
    if (cue->is_practice) {
        person->practice_count += strcmp(cue->phase, "READY") == 0 ? 1 : 0;
    }
    person->is_practice = cue->is_practice;
    label_make(person, cue->is_practice ? person->practice_count : cue->repetition);
}

typedef void person_hear_fn(struct person *person, const struct simulation_cue *cue,
                            double start_s);

static const struct {
    const char *phase;
    person_hear_fn *hear;
} HEARINGS[] = {
    {"ALIGN", hear_align},   {"SETUP", hear_setup}, {"READY", hear_ready},
    {"MOVE_IN", hear_go_on}, {"HOLD", hear_go_on},  {"CYCLE", hear_go_on},
    {"MOVE_OUT", hear_back}, {"REST", hear_back},   {"PAUSED", hear_pause},
    {"DONE", hear_end},      {"ABORTED", hear_end},
};

void person_init(struct person *person, const struct patient *patient, uint64_t seed)
{
    memset(person, 0, sizeof *person);
    person->patient = patient;
    person->speed = patient->movement.speed;
    random_init(&person->random, seed, 0);
    person->heading_rad = random_uniform(&person->random, -PI_RAD, PI_RAD);
    double slow_hz = random_uniform(&person->random, 0.20, 0.30);
    double slower_hz = random_uniform(&person->random, 0.10, 0.15);
    const double rates_hz[4] = {slow_hz, slower_hz, patient->steadiness.breathing_hz, 9.0};
    for (unsigned i = 0; i < 4; i++) {
        person->waves[i].rate_rad_s = 2.0 * PI_RAD * rates_hz[i];
        person->waves[i].phase_rad = random_uniform(&person->random, -PI_RAD, PI_RAD);
    }
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        motion_init(&person->motions[i], i == CHANNEL_SWAY ? SWAY_STILL : 0.0);
    }
    person->is_known = true;
    person->leave_s = -INFINITY;
    person->stop_s = INFINITY;
    mark_add(person, -INFINITY, "align/neutral", "still");
}

void person_cue(struct person *person, const struct simulation_cue *cue)
{
    double cue_s = (double)cue->time_ns / (double)NS_PER_S;
    person_advance(person, cue_s);
    double start_s = cue_s + react_s(person);
    if (strcmp(cue->phase, "ALIGN") != 0) {
        remember(person, cue);
    }
    for (size_t i = 0; i < sizeof HEARINGS / sizeof HEARINGS[0]; i++) {
        if (strcmp(HEARINGS[i].phase, cue->phase) == 0) {
            HEARINGS[i].hear(person, cue, start_s);
        }
    }
    if (strcmp(cue->phase, "PAUSED") != 0) {
        person->is_paused = false;
    }
}

/* Time of what comes next; INFINITY = nothing planned. */
static double next_s(const struct person *person)
{
    double step_s = person->step_count > 0 ? person->steps[0].start_s : HUGE_VAL;
    return person->is_cycling ? fmin(step_s, person->next_half_s) : step_s;
}

static void next_begin(struct person *person)
{
    if (person->step_count == 0 || person->steps[0].start_s > next_s(person)) {
        if (person->next_half_s >= person->stop_s) {
            cycles_end(person);
        } else {
            half_begin(person);
        }
        return;
    }
    struct person_step step = person->steps[0];
    person->step_count--;
    memmove(&person->steps[0], &person->steps[1],
            person->step_count * sizeof person->steps[0]);
    step_begin(person, &step);
}

void person_advance(struct person *person, double time_s)
{
    /* Moves that were due begin at their own time; plan_move compares with advanced_s,
     * which therefore moves on with them. */
    while (next_s(person) <= time_s) {
        next_begin(person);
    }
    person->advanced_s = fmax(person->advanced_s, time_s);
}

void person_channels(const struct person *person, double time_s,
                     double channels[CHANNEL_COUNT])
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        channels[i] = motion_value(&person->motions[i], time_s);
    }
    const struct patient_steadiness *steadiness = &person->patient->steadiness;
    const double amplitudes_deg[4] = {steadiness->sway_deg, steadiness->sway_deg,
                                      steadiness->breathing_deg, steadiness->tremor_deg};
    double waves[4];
    for (unsigned i = 0; i < 4; i++) {
        const struct person_wave *wave = &person->waves[i];
        waves[i] = channels[CHANNEL_SWAY] * amplitudes_deg[i] * RAD_PER_DEG
                   * sin(wave->rate_rad_s * time_s + wave->phase_rad);
    }
    for (size_t i = 0; i < sizeof SWAYS / sizeof SWAYS[0]; i++) {
        for (unsigned k = 0; k < 4; k++) {
            channels[SWAYS[i].channel] += SWAYS[i].share[k] * waves[k];
        }
    }
}

const char *person_label(const struct person *person, double time_s)
{
    unsigned oldest =
        person->mark_count > PERSON_MARK_MAX ? person->mark_count - PERSON_MARK_MAX : 0;
    for (unsigned i = person->mark_count; i > oldest; i--) {
        const struct person_mark *mark = &person->marks[(i - 1) % PERSON_MARK_MAX];
        if (mark->start_s <= time_s) {
            return mark->text;
        }
    }
    return "";
}

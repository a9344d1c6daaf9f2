#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "protocols/runner.h"

#define STEP_S (1.0 / POSE_RATE_HZ)

/* Detection decides on grid instants: hold ends within one sample and rounding. */
#define TIME_TOLERANCE_S 0.05 /* the accuracy asked for in clinical reference 3.4 */

enum {
    EVENTS_MAX = 2048,
    TICK_EVERY = 10 /* poses between ticks: 0.1 s */
};

/* A person who does what the view says, after 0.4 s, along minimum-jerk moves. */
struct person {
    double peak_deg;
    double start_deg;
    double move_s;
    double swing_deg; /* cycles: half range */
    double cycle_s;
    double leave_after_s; /* leaves a hold after so long; 0 = waits for the cue */
    bool is_deaf;         /* never moves */
    enum phase heard;
    bool has_heard;
    double from_deg;
    double to_deg;
    double begin_s;
    double cycle_begin_s; /* NaN = not cycling */
    double hold_from_s;   /* truth of the newest arrival and departure */
    double hold_to_s;
};

struct world {
    struct runner runner;
    struct protocol protocols[2];
    unsigned protocol_count;
    struct person person;
    struct event events[EVENTS_MAX];
    unsigned event_count;
    double time_s;
    unsigned tick;
    double newest_s[ROLE_COUNT];
    unsigned silent;   /* roles that send nothing now */
    double rate_deg_s; /* of the guard path, sagittal; NaN = none */
    double last_deg;
    enum pipeline_stage stage;
};

static double minimum_jerk(double from, double to, double fraction)
{
    double u = fmax(0.0, fmin(1.0, fraction));
    return from + (to - from) * u * u * u * (10.0 - 15.0 * u + 6.0 * u * u);
}

static double person_angle(const struct person *person, double time_s)
{
    if (!isnan(person->cycle_begin_s) && time_s >= person->cycle_begin_s) {
        double phase = 2.0 * PI_RAD * (time_s - person->cycle_begin_s) / person->cycle_s;
        /* Starts at rest in the valley. */
        return person->start_deg + person->swing_deg * (1.0 - cos(phase));
    }
    return minimum_jerk(person->from_deg, person->to_deg,
                        (time_s - person->begin_s) / person->move_s);
}

static void person_go(struct person *person, double time_s, double to_deg)
{
    person->from_deg = person_angle(person, time_s);
    person->to_deg = to_deg;
    person->begin_s = time_s + 0.4;
    person->cycle_begin_s = NAN;
}

static void person_ready(struct person *person, const struct runner_view *view,
                         double time_s)
{
    if (person->is_deaf) {
        return;
    }
    if (view->cycle_target > 0) {
        person->cycle_begin_s = time_s + 1.0;
    } else {
        person_go(person, time_s + 0.6, person->peak_deg);
    }
}

static void person_hear(struct person *person, const struct runner_view *view,
                        double time_s)
{
    if (person->has_heard && view->phase == person->heard) {
        double arrived_s = time_s - person->begin_s - person->move_s;
        if (view->phase == PHASE_HOLD && person->leave_after_s > 0.0
            && person->to_deg == person->peak_deg && arrived_s > person->leave_after_s) {
            person_go(person, time_s, person->start_deg);
        }
        return;
    }
    person->heard = view->phase;
    person->has_heard = true;
    if (view->phase == PHASE_READY) {
        person_ready(person, view, time_s);
    } else if ((view->phase == PHASE_MOVE_OUT || view->phase == PHASE_REST
                || view->phase == PHASE_PAUSED)
               && (person->to_deg != person->start_deg || !isnan(person->cycle_begin_s))) {
        person_go(person, time_s, person->start_deg);
    }
}

static struct pose pose_make(struct world *world)
{
    struct pose pose = {.time_s = world->time_s};
    double angle_deg = person_angle(&world->person, world->time_s);
    double rate_deg_s = (angle_deg - world->last_deg) / STEP_S;
    const struct runner_view *view = &world->runner.view;
    double sign = world->protocols[view->stretch].parts[view->part].sign[view->side];
    world->last_deg = angle_deg;
    bool has_data = world->silent == 0;
    for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
        pose.angle_rad[measure] = has_data ? sign * angle_deg * RAD_PER_DEG : (double)NAN;
        pose.rate_rad_s[measure] = has_data ? sign * rate_deg_s * RAD_PER_DEG : (double)NAN;
        pose.raw_angle_rad[measure] = pose.angle_rad[measure];
    }
    pose.still_rate_rad_s = has_data ? fabs(rate_deg_s) * RAD_PER_DEG : (double)NAN;
    pose.guard.time_s = world->time_s;
    pose.guard.joint_rate_rad_s[PLANE_SAGITTAL] =
        has_data ? world->rate_deg_s * RAD_PER_DEG : (double)NAN;
    pose.guard.segment_rate_rad_s = has_data ? 0.0 : (double)NAN;
    return pose;
}

static void drain(struct world *world)
{
    struct event events[RUNNER_EVENT_MAX];
    unsigned count = runner_events_take(&world->runner, events, RUNNER_EVENT_MAX);
    for (unsigned index = 0; index < count; index++) {
        ck_assert_uint_lt(world->event_count, EVENTS_MAX);
        world->events[world->event_count++] = events[index];
    }
}

static void step(struct world *world)
{
    world->tick++;
    world->time_s = world->tick * STEP_S;
    person_hear(&world->person, &world->runner.view, world->time_s);
    struct pose pose = pose_make(world);
    runner_pose(&world->runner, &pose);
    if (world->runner.view.stage == PIPELINE_STAGE_SOLVE
        && world->stage != PIPELINE_STAGE_SOLVE) {
        runner_aligned(&world->runner, world->time_s, STATUS_OK);
    }
    world->stage = world->runner.view.stage;
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (!(world->silent & 1U << role)) {
            world->newest_s[role] = world->time_s;
        }
    }
    if (world->tick % TICK_EVERY == 0) {
        runner_tick(&world->runner, world->time_s, world->newest_s);
    }
    drain(world);
}

static void run_for(struct world *world, double time_s)
{
    unsigned count = (unsigned)lround(time_s / STEP_S);
    for (unsigned index = 0; index < count; index++) {
        step(world);
    }
}

/* Until the phase; fails after limit_s. */
static void run_until(struct world *world, enum phase phase, double limit_s)
{
    double end_s = world->time_s + limit_s;
    while (world->runner.view.phase != phase) {
        ck_assert_msg(world->time_s < end_s, "still in %s instead of %s at %.1f s",
                      phase_text(world->runner.view.phase), phase_text(phase),
                      world->time_s);
        step(world);
    }
}

/* Until the first repetition that counts is in the phase. */
static void run_until_counted(struct world *world, enum phase phase, double limit_s)
{
    double end_s = world->time_s + limit_s;
    while (world->runner.view.phase != phase || world->runner.view.practice > 0) {
        ck_assert_msg(world->time_s < end_s, "no counted %s", phase_text(phase));
        step(world);
    }
}

static struct world *world_create(const char *id, const struct runner_settings *wanted)
{
    struct world *world = calloc(1, sizeof *world);
    ck_assert_ptr_nonnull(world);
    ck_assert_int_eq(protocol_find(id, &world->protocols[0]), STATUS_OK);
    world->protocol_count = 1;
    struct runner_settings settings = wanted ? *wanted : runner_default_settings;
    settings.align = wanted ? wanted->align : false;
    settings.protocols = world->protocols;
    settings.protocol_count = 1;
    settings.worn = (1U << ROLE_COUNT) - 1;
    ck_assert_int_eq(runner_init(&world->runner, &settings), STATUS_OK);
    world->person = (struct person){.peak_deg = 100.0,
                                    .start_deg = 0.0,
                                    .move_s = 5.0,
                                    .swing_deg = 20.0,
                                    .cycle_s = 6.0,
                                    .cycle_begin_s = NAN};
    world->person.begin_s = -100.0;
    return world;
}

static void world_destroy(struct world *world)
{
    for (unsigned index = 0; index < world->protocol_count; index++) {
        protocol_release(&world->protocols[index]);
    }
    free(world);
}

static unsigned count_events(const struct world *world, enum event_type type,
                             const char *label)
{
    unsigned count = 0;
    for (unsigned index = 0; index < world->event_count; index++) {
        const struct event *event = &world->events[index];
        count += event->type == type && (!label || strcmp(event->label, label) == 0);
    }
    return count;
}

static const struct event *find_event(const struct world *world, enum event_type type,
                                      const char *label, unsigned which)
{
    for (unsigned index = 0; index < world->event_count; index++) {
        const struct event *event = &world->events[index];
        if (event->type == type && (!label || strcmp(event->label, label) == 0)
            && which-- == 0) {
            return event;
        }
    }
    ck_abort_msg("no %s %s", event_type_text(type), label ? label : "");
    return NULL;
}

START_TEST(hold_protocol_runs_through)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    run_until(world, PHASE_DONE, 600.0);
    ck_assert_uint_eq(count_events(world, EVENT_PEAK, NULL), 3);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 2);
    ck_assert_uint_eq(count_events(world, EVENT_REPETITION, NULL), 6);
    const struct event *zone = find_event(world, EVENT_ZONE, "hold", 0);
    /* Person goes to exactly 100 deg each time: P = 100, zone 75 to 100. */
    ck_assert_double_eq_tol(zone->value, 75.0, 0.01);
    ck_assert_double_eq_tol(zone->value2, 100.0, 0.01);
    world_destroy(world);
}

END_TEST

/* Times at which the true movement of the person enters and leaves the detector's
 * conditions. */
START_TEST(hold_event_has_true_start_and_end)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    double move_begin_s = world->person.begin_s;
    run_until(world, PHASE_REST, 300.0);
    run_until(world, PHASE_DONE, 60.0);
    const struct event *hold = find_event(world, EVENT_HOLD, NULL, 0);
    /* The way in takes 5 s over 100 deg; its rate falls under 5 deg/s where
     * 30 u^2 (1-u)^2 * 100 / 5 = 5, u = 0.9, so 4.5 s after its begin (angle 99.1 deg: in
     * zone). */
    double u = 0.0;
    for (u = 0.6; 30.0 * u * u * (1.0 - u) * (1.0 - u) * 100.0 / 5.0 > 5.0; u += 1e-5) {
    }
    double true_start_s = move_begin_s + 5.0 * u;
    ck_assert_double_eq_tol(hold->time_s, true_start_s, TIME_TOLERANCE_S);
    /* The end: rate passes 15 deg/s on the way out (lasting over 0.3 s), while still at 97
     * deg. */
    double out_s = world->person.begin_s;
    for (u = 0.0; 30.0 * u * u * (1.0 - u) * (1.0 - u) * 100.0 / 5.0 < 15.0; u += 1e-5) {
    }
    ck_assert_double_eq_tol(hold->time_s + hold->duration_s, out_s + 5.0 * u,
                            TIME_TOLERANCE_S);
    ck_assert_double_ge(hold->value, 120.0);
    ck_assert_double_lt(hold->value,
                        123.0); /* reaction 0.4 s and the first part of the way */
    ck_assert_uint_eq(hold->repetition, 1);
    world_destroy(world);
}

END_TEST

/* Every still rest closes the headings for 1.5 s and more, and is done with that before the
 * next movement begins; only the first start posture of a stretch starts them. */
START_TEST(rests_close_the_headings)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    unsigned starts = 0;
    unsigned closures = 0;
    double since_s = 0.0;
    while (world->runner.view.phase != PHASE_DONE) {
        enum pipeline_stage before = world->stage;
        ck_assert_double_lt(world->time_s, 600.0);
        step(world);
        starts += before == PIPELINE_STAGE_START && world->stage != before;
        if (before != PIPELINE_STAGE_CLOSURE && world->stage == PIPELINE_STAGE_CLOSURE) {
            since_s = world->time_s;
        } else if (before == PIPELINE_STAGE_CLOSURE && world->stage != before) {
            ck_assert_double_ge(world->time_s - since_s, 1.5);
            ck_assert_int_eq(world->runner.view.phase, PHASE_REST);
            closures++;
        }
    }
    ck_assert_uint_eq(starts, 1);
    /* After three practices, two holds and the sways. */
    ck_assert_uint_eq(closures, 6);
    world_destroy(world);
}

END_TEST

START_TEST(moving_rest_closes_nothing)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until(world, PHASE_REST, 120.0);
    step(world); /* the person has heard that it rests */
    world->person.cycle_begin_s = world->time_s;
    while (world->runner.view.phase == PHASE_REST) {
        step(world);
        ck_assert_int_eq(world->stage, PIPELINE_STAGE_NONE);
    }
    ck_assert_int_eq(world->runner.view.phase, PHASE_READY);
    world_destroy(world);
}

END_TEST

/* What was too fast in recorded data is noted and does not end them. */
START_TEST(recorded_speed_is_noted_only)
{
    struct runner_settings settings = runner_default_settings;
    settings.align = false;
    settings.setup_timeout_s = 10.0;
    settings.onset_timeout_s = 20.0;
    struct world *world = world_create("childs_pose", &settings);
    run_until(world, PHASE_READY, 60.0);
    world->rate_deg_s = 200.0;
    run_for(world, 1.0);
    world->rate_deg_s = 0.0;
    ck_assert_uint_eq(count_events(world, EVENT_GUARD, "stop"), 1);
    run_until(world, PHASE_DONE, 600.0);
    ck_assert_uint_eq(count_events(world, EVENT_PHASE, "ABORTED"), 0);
    ck_assert_uint_eq(count_events(world, EVENT_PHASE, "PAUSED"), 0);
    world_destroy(world);
}

END_TEST

/* 75 to 80 % of 100 deg; a low back that turns 20 deg has a zone of 4 deg under 16. */
START_TEST(very_flexible_people_stay_under_their_peak)
{
    static const unsigned BACK_ONLY = 1U << ROLE_THORAX_DORSAL | 1U << ROLE_PELVIS_DORSAL;
    struct runner_settings settings = runner_default_settings;
    settings.align = false;
    settings.hypermobile = true;
    struct world *world = world_create("childs_pose", &settings);
    run_until_counted(world, PHASE_READY, 120.0);
    const struct event *zone = find_event(world, EVENT_ZONE, NULL, 0);
    ck_assert_double_eq_tol(zone->value, 75.0, 0.01);
    ck_assert_double_eq_tol(zone->value2, 80.0, 0.01);
    world_destroy(world);

    world = world_create("seated_spinal_twist", &settings);
    protocol_adapt(&world->protocols[0], BACK_ONLY);
    world->person.peak_deg = 20.0;
    run_until_counted(world, PHASE_READY, 120.0);
    zone = find_event(world, EVENT_ZONE, NULL, 0);
    ck_assert_double_eq_tol(zone->value, 12.0, 0.01);
    ck_assert_double_eq_tol(zone->value2, 16.0, 0.01);
    world_destroy(world);
}

END_TEST

/* 3 * 12 * 8 s and 30 s after the begin of cat-cow: who then still moves, ever so often but
 * never a countable round (a cycle of 30 s is none), has done what could be done. */
START_TEST(endless_cycles_end)
{
    struct world *world = world_create("cat_cow", NULL);
    world->person.cycle_s = 30.0;
    run_until(world, PHASE_CYCLE, 60.0);
    double began_s = world->time_s;
    run_until(world, PHASE_REST, 400.0);
    ck_assert_double_eq_tol(world->time_s - began_s, 318.0, 0.1);
    ck_assert_str_eq(find_event(world, EVENT_PHASE, "REST", 0)->cause,
                     "rounds not done in time");
    run_until(world, PHASE_DONE, 60.0);
    world_destroy(world);
}

END_TEST

START_TEST(both_sides_run_left_then_right)
{
    struct world *world = world_create("seated_spinal_twist", NULL);
    world->person.peak_deg = 40.0;
    run_until(world, PHASE_DONE, 900.0);
    ck_assert_uint_eq(count_events(world, EVENT_PEAK, NULL), 6);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 4);
    ck_assert_int_eq(find_event(world, EVENT_HOLD, NULL, 0)->side, SIDE_LEFT);
    ck_assert_int_eq(find_event(world, EVENT_HOLD, NULL, 1)->side, SIDE_LEFT);
    ck_assert_uint_eq(find_event(world, EVENT_HOLD, NULL, 1)->repetition, 2);
    ck_assert_int_eq(find_event(world, EVENT_HOLD, NULL, 2)->side, SIDE_RIGHT);
    /* The angle can drift: each side begins from a still start posture. */
    ck_assert_uint_eq(count_events(world, EVENT_PHASE, "SETUP"), 2);
    world_destroy(world);
}

END_TEST

/* 4 deg is hardly more than the tolerance of the zone: its end must still be seen. */
START_TEST(small_twist_leaves_its_zone)
{
    struct world *world = world_create("seated_spinal_twist", NULL);
    protocol_adapt(&world->protocols[0],
                   1U << ROLE_THORAX_DORSAL | 1U << ROLE_PELVIS_DORSAL);
    world->person.peak_deg = 4.0;
    run_until(world, PHASE_DONE, 900.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 4);
    for (unsigned index = 0; index < 4; index++) {
        const struct event *hold = find_event(world, EVENT_HOLD, NULL, index);
        ck_assert_double_lt(hold->value, 30.0);
        ck_assert_str_eq(hold->label, "left the zone");
    }
    world_destroy(world);
}

END_TEST

START_TEST(cycles_are_counted)
{
    struct world *world = world_create("cat_cow", NULL);
    run_until(world, PHASE_DONE, 300.0);
    ck_assert_uint_eq(count_events(world, EVENT_REPETITION, NULL), 12);
    for (unsigned index = 0; index < 12; index++) {
        const struct event *cycle = find_event(world, EVENT_REPETITION, NULL, index);
        ck_assert_uint_eq(cycle->repetition, index + 1);
        ck_assert_double_eq_tol(cycle->value, 40.0, 0.1); /* twice the half range of 20 */
        /* The short rest before the first cycle cannot be told from its beginning. */
        double tolerance_s = index == 0 ? 0.7 : 2 * TIME_TOLERANCE_S;
        ck_assert_double_eq_tol(cycle->duration_s, 6.0, tolerance_s);
    }
    world_destroy(world);
}

END_TEST

START_TEST(absolute_zone_needs_no_practice)
{
    struct world *world = world_create("bridge", NULL);
    world->person.start_deg = -55.0;
    world->person.from_deg = -55.0;
    world->person.to_deg = -55.0;
    world->last_deg = -55.0;
    world->person.peak_deg = -2.0;
    world->person.move_s = 3.0;
    run_until(world, PHASE_DONE, 600.0);
    ck_assert_uint_eq(count_events(world, EVENT_PEAK, NULL), 0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 10);
    ck_assert_double_ge(find_event(world, EVENT_HOLD, NULL, 9)->value, 5.0);
    world_destroy(world);
}

END_TEST

START_TEST(early_exit_is_a_short_hold)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    world->person.leave_after_s = 12.0;
    run_until_counted(world, PHASE_REST, 300.0);
    const struct event *hold = find_event(world, EVENT_HOLD, NULL, 0);
    ck_assert_double_gt(hold->value, 11.5);
    ck_assert_double_lt(hold->value, 14.0);
    run_until(world, PHASE_DONE, 600.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 2);
    world_destroy(world);
}

END_TEST

START_TEST(gap_is_not_credited)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 10.0);
    double before_s = world->runner.view.hold_credited_s;
    world->silent = 1U << ROLE_THORAX_DORSAL;
    run_for(world, 0.8);
    /* Bridged for 0.25 s at most, nothing after. */
    ck_assert_double_le(world->runner.view.hold_credited_s, before_s + 0.25 + STEP_S);
    ck_assert_int_eq(world->runner.view.zone, ZONE_NONE);
    world->silent = 0;
    run_until(world, PHASE_DONE, 300.0);
    const struct event *hold = find_event(world, EVENT_HOLD, NULL, 0);
    ck_assert_double_eq_tol(hold->duration_s - hold->value, 0.8, 2 * STEP_S);
    world_destroy(world);
}

END_TEST

START_TEST(stall_and_return_are_events_with_exact_gap)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 5.0);
    double last_s = world->time_s;
    world->silent = 1U << ROLE_PELVIS_DORSAL;
    run_for(world, 1.5);
    ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD); /* not 2 s yet */
    world->silent = 0;
    run_for(world, 0.5);
    const struct event *stalled = find_event(world, EVENT_SENSOR, "stalled", 0);
    ck_assert_str_eq(stalled->source, "pelvis_dorsal");
    /* Watched once every 0.1 s. */
    ck_assert_double_eq_tol(stalled->time_s, last_s + 0.5, 0.1 + STEP_S);
    const struct event *returned = find_event(world, EVENT_SENSOR, "returned", 0);
    ck_assert_double_eq_tol(returned->time_s, last_s, 0.1 + STEP_S);
    ck_assert_double_eq_tol(returned->duration_s, 1.5, 0.1 + STEP_S);
    world_destroy(world);
}

END_TEST

START_TEST(silent_required_sensor_pauses_and_goes_on)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 30.0);
    world->silent = 1U << ROLE_PELVIS_DORSAL;
    run_for(world, 2.2);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    ck_assert_int_eq(world->runner.view.phase_before, PHASE_HOLD);
    ck_assert_str_ne(world->runner.view.reason, "");
    const struct event *hold = find_event(world, EVENT_HOLD, NULL, 0);
    ck_assert_double_eq_tol(hold->value, 30.5, 1.0); /* kept, up to the last good sample */
    run_for(world, 20.0);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "resume"), STATUS_REFUSED);
    world->silent = 0;
    run_for(world, 1.8);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    run_for(world, 0.5);
    ck_assert_int_eq(world->runner.view.phase, PHASE_READY);
    ck_assert_uint_eq(world->runner.view.repetition, 1); /* redone */
    ck_assert_double_eq(world->runner.view.hold_credited_s, 0.0);
    run_until(world, PHASE_DONE, 400.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 2);
    world_destroy(world);
}

END_TEST

/* Still in the stretch when it goes on: first back to the start, then the repetition anew.
 */
START_TEST(going_on_in_the_stretch_asks_back_first)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 10.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "pause"), STATUS_OK);
    run_for(world, 0.2);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "resume"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_MOVE_OUT);
    run_until(world, PHASE_READY, 20.0);
    ck_assert_uint_eq(world->runner.view.repetition, 1);
    ck_assert_double_lt(fabs(world->runner.view.angle_deg), 8.0);
    run_until(world, PHASE_DONE, 300.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 2);
    world_destroy(world);
}

END_TEST

START_TEST(silent_optional_sensor_does_not_pause)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    /* Other roles keep sending: the pose has data. */
    for (unsigned tick = 0; tick < 400; tick++) {
        world->newest_s[ROLE_FLEX_LUMBAR] = 1.0;
        world->tick++;
        world->time_s = world->tick * STEP_S;
        struct pose pose = pose_make(world);
        runner_pose(&world->runner, &pose);
        for (unsigned role = 0; role < ROLE_COUNT; role++) {
            world->newest_s[role] = role == ROLE_FLEX_LUMBAR ? 1.0 : world->time_s;
        }
        runner_tick(&world->runner, world->time_s, world->newest_s);
    }
    ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD);
    world_destroy(world);
}

END_TEST

START_TEST(sensor_that_never_starts_pauses)
{
    struct world *world = world_create("childs_pose", NULL);
    double newest_s[ROLE_COUNT];
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        newest_s[role] = NAN;
    }
    for (unsigned tick = 0; tick < 200; tick++) {
        runner_tick(&world->runner, tick * 0.1, newest_s);
    }
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    world_destroy(world);
}

END_TEST

START_TEST(unplug_is_an_event_and_pauses)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    double last_s = world->time_s;
    runner_link(&world->runner, world->time_s, ROLE_PELVIS_DORSAL, false);
    world->silent = 1U << ROLE_PELVIS_DORSAL;
    run_for(world, 3.0);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    ck_assert_uint_eq(count_events(world, EVENT_SENSOR, "unplugged"), 1);
    runner_link(&world->runner, world->time_s, ROLE_PELVIS_DORSAL, true);
    world->silent = 0;
    run_for(world, 2.5);
    ck_assert_int_ne(world->runner.view.phase, PHASE_PAUSED);
    run_until(world, PHASE_READY, 20.0);
    const struct event *returned = find_event(world, EVENT_SENSOR, "returned", 0);
    ck_assert_double_eq_tol(returned->time_s, last_s, 0.1 + STEP_S);
    ck_assert_double_eq_tol(returned->duration_s, 3.0, 0.1 + STEP_S);
    world_destroy(world);
}

END_TEST

START_TEST(button_of_a_sensor_is_a_marker)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    runner_marker(&world->runner, world->time_s - 0.25, ROLE_PELVIS_DORSAL, "button");
    run_for(world, 1.0);
    const struct event *marker = find_event(world, EVENT_MARKER, "button", 0);
    ck_assert_str_eq(marker->source, "pelvis_dorsal");
    ck_assert_double_le(marker->time_s, world->time_s - 1.0);
    ck_assert_double_eq(marker->duration_s, 0.0);
    ck_assert_uint_eq(count_events(world, EVENT_MARKER, NULL), 1);
    ck_assert_str_eq(event_type_text(EVENT_MARKER), "marker");
    ck_assert_int_eq(event_type_parse("marker"), EVENT_MARKER);
    ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD); /* changes nothing */
    world_destroy(world);
}

END_TEST

START_TEST(rest_stands_still_without_data)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    run_until_counted(world, PHASE_REST, 300.0);
    run_for(world, 3.0);
    double left_s = world->runner.view.rest_left_s;
    world->silent = 1U << ROLE_PELVIS_DORSAL;
    run_for(world, 1.5);
    ck_assert_double_eq_tol(world->runner.view.rest_left_s, left_s, STEP_S);
    world_destroy(world);
}

END_TEST

START_TEST(operator_pause_needs_operator)
{
    struct world *world = world_create("cat_cow", NULL);
    run_until(world, PHASE_CYCLE, 60.0);
    run_for(world, 33.0);
    unsigned done = world->runner.view.cycle_done;
    ck_assert_uint_ge(done, 4);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "pause"), STATUS_OK);
    run_for(world, 60.0);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    done = world->runner.view.cycle_done;
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "resume"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_READY);
    ck_assert_uint_eq(world->runner.view.cycle_done, done);
    run_until(world, PHASE_DONE, 300.0);
    ck_assert_uint_eq(count_events(world, EVENT_REPETITION, NULL), 12);
    world_destroy(world);
}

END_TEST

START_TEST(skip_goes_one_step_on)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    run_until_counted(world, PHASE_HOLD, 200.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "skip"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_MOVE_OUT);
    run_until(world, PHASE_REST, 30.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "skip"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_READY);
    ck_assert_uint_eq(world->runner.view.repetition, 2);
    world_destroy(world);
}

END_TEST

START_TEST(redo_repeats_in_a_rest_only)
{
    struct world *world = world_create("standing_forward_bend", NULL);
    run_until_counted(world, PHASE_HOLD, 200.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "redo"), STATUS_REFUSED);
    run_until(world, PHASE_REST, 60.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "redo"), STATUS_OK);
    ck_assert_uint_eq(world->runner.view.repetition, 1);
    ck_assert_int_eq(world->runner.view.phase, PHASE_READY);
    run_until(world, PHASE_DONE, 400.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 3);
    world_destroy(world);
}

END_TEST

START_TEST(sharp_pain_and_six_abort)
{
    static const char *const INPUTS[] = {"sharp_pain", "pain 6", "pain 10", "stop"};
    const char *input = INPUTS[_i];
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 5.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, input), STATUS_OK);
    drain(world);
    ck_assert_int_eq(world->runner.view.phase, PHASE_ABORTED);
    ck_assert(runner_is_over(&world->runner));
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 1); /* what was held is kept */
    run_for(world, 30.0);
    ck_assert_int_eq(world->runner.view.phase, PHASE_ABORTED);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "resume"), STATUS_REFUSED);
    world_destroy(world);
}

END_TEST

START_TEST(pain_rise_pauses_and_undo_takes_back)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "undo"), STATUS_REFUSED);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "pain 2"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "pain 3"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "undo"), STATUS_OK);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "undo"), STATUS_REFUSED);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "pain 4"), STATUS_OK);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    ck_assert_ptr_nonnull(strstr(world->runner.view.reason, "1, 2, 3, 6"));
    run_for(world, 30.0);
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED); /* a person must answer */
    world_destroy(world);
}

END_TEST

START_TEST(bad_inputs_are_refused)
{
    static const char *const INPUTS[] = {"",       "pain",    "pain 11",  "pain -1",
                                         "pain x", "pain 3x", "stop now", "note",
                                         "note ",  "jump"};
    struct world *world = world_create("childs_pose", NULL);
    run_for(world, 1.0);
    unsigned count = world->event_count;
    ck_assert_int_eq(runner_input(&world->runner, 1.0, INPUTS[_i]), STATUS_BAD_INPUT);
    drain(world);
    ck_assert_uint_eq(world->event_count, count);
    ck_assert_int_eq(world->runner.view.phase, PHASE_ALIGN);
    world_destroy(world);
}

END_TEST

START_TEST(guard_stop_aborts)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    world->rate_deg_s = 90.0;
    run_for(world, 0.1);
    ck_assert_int_eq(world->runner.view.phase, PHASE_ABORTED);
    const struct event *stop = find_event(world, EVENT_GUARD, "stop", 0);
    ck_assert_double_eq_tol(stop->value, 90.0, 1e-9);
    ck_assert_double_eq_tol(stop->value2, 60.0, 1e-9);
    world_destroy(world);
}

END_TEST

START_TEST(three_cautions_pause)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    for (unsigned caution = 0; caution < 3; caution++) {
        ck_assert_int_eq(world->runner.view.phase, PHASE_HOLD);
        world->rate_deg_s = 40.0;
        run_for(world, 0.2);
        world->rate_deg_s = 0.0;
        run_for(world, 1.2);
    }
    ck_assert_int_eq(world->runner.view.phase, PHASE_PAUSED);
    ck_assert_uint_eq(count_events(world, EVENT_GUARD, "caution"), 3);
    ck_assert_int_eq(runner_input(&world->runner, world->time_s, "guard_ack"), STATUS_OK);
    run_until(world, PHASE_READY, 20.0);
    ck_assert_uint_eq(world->runner.view.repetition, 1);
    world_destroy(world);
}

END_TEST

/* Nothing goes on for ever: too fast in every try, and no movement finished. */
START_TEST(always_too_fast_ends_the_session)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    while (!runner_is_over(&world->runner)) {
        ck_assert_double_lt(world->time_s, 900.0);
        bool is_moving = world->runner.view.phase == PHASE_HOLD;
        world->rate_deg_s = is_moving ? 40.0 : 0.0;
        run_for(world, 0.2);
        world->rate_deg_s = 0.0;
        run_for(world, 1.2);
    }
    ck_assert_int_eq(world->runner.view.phase, PHASE_ABORTED);
    ck_assert_uint_eq(count_events(world, EVENT_PHASE, "PAUSED"), 2);
    world_destroy(world);
}

END_TEST

START_TEST(getting_into_posture_is_not_guarded)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until(world, PHASE_SETUP, 60.0);
    world->rate_deg_s = 200.0;
    run_for(world, 0.5);
    world->rate_deg_s = 0.0;
    run_until(world, PHASE_READY, 60.0);
    ck_assert_int_eq(world->runner.view.guard, GUARD_CLEAR);
    world_destroy(world);
}

END_TEST

START_TEST(nobody_moves_and_it_still_ends)
{
    struct runner_settings settings = runner_default_settings;
    settings.align = false;
    settings.setup_timeout_s = 10.0;
    settings.onset_timeout_s = 20.0;
    struct world *world = world_create("standing_forward_bend", &settings);
    world->person.is_deaf = true;
    run_until(world, PHASE_DONE, 300.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 0);
    ck_assert_uint_eq(count_events(world, EVENT_REPETITION, NULL), 0);
    world_destroy(world);
}

END_TEST

START_TEST(never_still_setup_times_out)
{
    struct runner_settings settings = runner_default_settings;
    settings.align = false;
    settings.setup_timeout_s = 8.0;
    struct world *world = world_create("cat_cow", &settings);
    world->person.cycle_begin_s = 0.0;
    run_until(world, PHASE_SETUP, 20.0);
    run_until(world, PHASE_READY, 20.0);
    ck_assert_str_eq(find_event(world, EVENT_PHASE, "READY", 0)->cause,
                     "not still in time");
    world_destroy(world);
}

END_TEST

/* Guided alignment: still, bend three times, both knees, solve. */
START_TEST(alignment_goes_through_its_stages)
{
    struct runner_settings settings = runner_default_settings;
    struct world *world = world_create("childs_pose", &settings);

    static const enum pipeline_stage ORDER[] = {
        PIPELINE_STAGE_NONE,    PIPELINE_STAGE_NEUTRAL, PIPELINE_STAGE_TRUNK,
        PIPELINE_STAGE_THIGH_L, PIPELINE_STAGE_THIGH_R, PIPELINE_STAGE_NONE,
        PIPELINE_STAGE_START};

    unsigned place = 0;
    while (world->runner.view.phase != PHASE_READY) {
        ck_assert_double_lt(world->time_s, 120.0);
        bool is_moving = world->stage == PIPELINE_STAGE_TRUNK
                         || world->stage == PIPELINE_STAGE_THIGH_L
                         || world->stage == PIPELINE_STAGE_THIGH_R;
        if (is_moving && isnan(world->person.cycle_begin_s)) {
            world->person.cycle_begin_s = world->time_s;
        } else if (!is_moving) {
            world->person.cycle_begin_s = NAN;
        }
        step(world);
        if (place + 1 < sizeof ORDER / sizeof ORDER[0]
            && world->stage == ORDER[place + 1]) {
            place++;
        }
    }
    ck_assert_uint_eq(place + 1, sizeof ORDER / sizeof ORDER[0]);
    ck_assert_uint_eq(count_events(world, EVENT_ALIGNMENT, "aligned"), 1);
    world_destroy(world);
}

END_TEST

START_TEST(refused_alignment_is_tried_again_then_nominal)
{
    struct runner_settings settings = runner_default_settings;
    settings.setup_timeout_s = 5.0;
    struct world *world = world_create("childs_pose", &settings);
    unsigned refusals = 0;
    world->person.is_deaf = true;
    while (world->runner.view.phase == PHASE_ALIGN || refusals == 0) {
        ck_assert_double_lt(world->time_s, 600.0);
        world->stage = PIPELINE_STAGE_SOLVE; /* so that step() does not answer */
        step(world);
        if (world->runner.view.stage == PIPELINE_STAGE_SOLVE) {
            refusals++;
            runner_aligned(&world->runner, world->time_s, STATUS_REFUSED);
        }
    }
    ck_assert_uint_eq(refusals, 3);
    ck_assert_int_eq(world->runner.view.phase, PHASE_SETUP);
    world_destroy(world);
}

END_TEST

START_TEST(same_inputs_same_events)
{
    struct world *worlds[2];
    for (unsigned index = 0; index < 2; index++) {
        worlds[index] = world_create("standing_forward_bend", NULL);
        run_until_counted(worlds[index], PHASE_HOLD, 300.0);
        runner_input(&worlds[index]->runner, worlds[index]->time_s, "pain 1");
        run_for(worlds[index], 7.0);
        worlds[index]->silent = 1U << ROLE_THORAX_DORSAL;
        run_for(worlds[index], 2.5);
        worlds[index]->silent = 0;
        run_until(worlds[index], PHASE_DONE, 600.0);
    }
    ck_assert_uint_gt(worlds[0]->event_count, 30);
    ck_assert_uint_eq(worlds[0]->event_count, worlds[1]->event_count);
    for (unsigned index = 0; index < worlds[0]->event_count; index++) {
        const struct event *a = &worlds[0]->events[index];
        const struct event *b = &worlds[1]->events[index];
        ck_assert_int_eq(a->type, b->type);
        ck_assert(a->time_s == b->time_s && a->duration_s == b->duration_s);
        ck_assert(a->value == b->value || (isnan(a->value) && isnan(b->value)));
        ck_assert_str_eq(a->label, b->label);
        ck_assert_str_eq(a->cause, b->cause);
    }
    world_destroy(worlds[0]);
    world_destroy(worlds[1]);
}

END_TEST

START_TEST(finish_closes_a_running_hold)
{
    struct world *world = world_create("childs_pose", NULL);
    run_until_counted(world, PHASE_HOLD, 120.0);
    run_for(world, 20.0);
    runner_finish(&world->runner, world->time_s);
    drain(world);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 1);
    ck_assert(runner_is_over(&world->runner));
    ck_assert_str_eq(find_event(world, EVENT_PHASE, "DONE", 0)->cause, "the data ended");
    world_destroy(world);
}

END_TEST

START_TEST(missing_role_is_refused)
{
    struct world *world = world_create("childs_pose", NULL);
    struct runner_settings settings = runner_default_settings;
    settings.protocols = world->protocols;
    settings.protocol_count = 1;
    settings.worn = 1U << ROLE_PELVIS_DORSAL;
    ck_assert_int_eq(runner_init(&world->runner, &settings), STATUS_BAD_INPUT);
    settings.worn = (1U << ROLE_COUNT) - 1;
    settings.protocol_count = 0;
    ck_assert_int_eq(runner_init(&world->runner, &settings), STATUS_BAD_INPUT);
    settings.protocol_count = RUNNER_STRETCH_MAX + 1;
    ck_assert_int_eq(runner_init(&world->runner, &settings), STATUS_BAD_INPUT);
    world_destroy(world);
}

END_TEST

START_TEST(two_stretches_follow_each_other)
{
    struct world *world = world_create("childs_pose", NULL);
    ck_assert_int_eq(protocol_find("cat_cow", &world->protocols[1]), STATUS_OK);
    world->protocol_count = 2;
    struct runner_settings settings = runner_default_settings;
    settings.align = false;
    settings.protocols = world->protocols;
    settings.protocol_count = 2;
    settings.worn = (1U << ROLE_COUNT) - 1;
    ck_assert_int_eq(runner_init(&world->runner, &settings), STATUS_OK);
    run_until(world, PHASE_DONE, 900.0);
    ck_assert_uint_eq(count_events(world, EVENT_HOLD, NULL), 1);
    ck_assert_uint_eq(find_event(world, EVENT_REPETITION, NULL, 11)->stretch, 1);
    ck_assert_uint_eq(count_events(world, EVENT_PHASE, "ALIGN"), 2); /* still, then solve */
    world_destroy(world);
}

END_TEST

/* A gap in the data inside a cycle session must not hang or crash it; nor may an event
 * flood. */
START_TEST(undrained_events_keep_the_newest)
{
    struct world *world = world_create("childs_pose", NULL);
    run_for(world, 1.0);
    for (unsigned index = 0; index < 3 * RUNNER_EVENT_MAX; index++) {
        ck_assert_int_eq(runner_input(&world->runner, 2.0, "note x"), STATUS_OK);
    }
    ck_assert_int_eq(runner_input(&world->runner, 2.0, "stop"), STATUS_OK);
    struct event events[RUNNER_EVENT_MAX];
    unsigned count = runner_events_take(&world->runner, events, RUNNER_EVENT_MAX);
    ck_assert_uint_eq(count, RUNNER_EVENT_MAX);
    ck_assert_str_eq(events[count - 1].label, "ABORTED");
    world_destroy(world);
}

END_TEST

static Suite *suite_make(void)
{
    Suite *suite = suite_create("runner");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, hold_protocol_runs_through);
    tcase_add_test(tcase, hold_event_has_true_start_and_end);
    tcase_add_test(tcase, recorded_speed_is_noted_only);
    tcase_add_test(tcase, very_flexible_people_stay_under_their_peak);
    tcase_add_test(tcase, endless_cycles_end);
    tcase_add_test(tcase, rests_close_the_headings);
    tcase_add_test(tcase, moving_rest_closes_nothing);
    tcase_add_test(tcase, both_sides_run_left_then_right);
    tcase_add_test(tcase, small_twist_leaves_its_zone);
    tcase_add_test(tcase, cycles_are_counted);
    tcase_add_test(tcase, absolute_zone_needs_no_practice);
    tcase_add_test(tcase, early_exit_is_a_short_hold);
    tcase_add_test(tcase, gap_is_not_credited);
    tcase_add_test(tcase, stall_and_return_are_events_with_exact_gap);
    tcase_add_test(tcase, silent_required_sensor_pauses_and_goes_on);
    tcase_add_test(tcase, going_on_in_the_stretch_asks_back_first);
    tcase_add_test(tcase, silent_optional_sensor_does_not_pause);
    tcase_add_test(tcase, sensor_that_never_starts_pauses);
    tcase_add_test(tcase, unplug_is_an_event_and_pauses);
    tcase_add_test(tcase, button_of_a_sensor_is_a_marker);
    tcase_add_test(tcase, rest_stands_still_without_data);
    tcase_add_test(tcase, operator_pause_needs_operator);
    tcase_add_test(tcase, skip_goes_one_step_on);
    tcase_add_test(tcase, redo_repeats_in_a_rest_only);
    tcase_add_loop_test(tcase, sharp_pain_and_six_abort, 0, 4);
    tcase_add_test(tcase, pain_rise_pauses_and_undo_takes_back);
    tcase_add_loop_test(tcase, bad_inputs_are_refused, 0, 10);
    tcase_add_test(tcase, guard_stop_aborts);
    tcase_add_test(tcase, three_cautions_pause);
    tcase_add_test(tcase, always_too_fast_ends_the_session);
    tcase_add_test(tcase, getting_into_posture_is_not_guarded);
    tcase_add_test(tcase, nobody_moves_and_it_still_ends);
    tcase_add_test(tcase, never_still_setup_times_out);
    tcase_add_test(tcase, alignment_goes_through_its_stages);
    tcase_add_test(tcase, refused_alignment_is_tried_again_then_nominal);
    tcase_add_test(tcase, same_inputs_same_events);
    tcase_add_test(tcase, finish_closes_a_running_hold);
    tcase_add_test(tcase, missing_role_is_refused);
    tcase_add_test(tcase, two_stretches_follow_each_other);
    tcase_add_test(tcase, undrained_events_keep_the_newest);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_make());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Silent and lost sensors, and what their buttons say. */
#include <math.h>
#include <stdio.h>

#include "protocols/runner_steps.h"

/* Good data for so long before going on (interface specification, project default). */
static const double STEADY_S = 2.0;
/* A sensor that never starts pauses after this (project default). */
static const double START_TIMEOUT_S = 10.0;

static bool is_required(const struct runner *runner, unsigned role)
{
    return runner_protocol(runner)->roles_required & 1U << role;
}

static struct event *sensor_event(struct runner *runner, double time_s, unsigned role,
                                  const char *label)
{
    struct event *event =
        runner_emit(runner, EVENT_SENSOR, time_s, role_text((enum role)role));
    snprintf(event->label, sizeof event->label, "%s", label);
    return event;
}

static void data_take(struct runner *runner, unsigned role, double newest_s)
{
    struct runner_sensor *sensor = &runner->sensors[role];
    double before_s = sensor->newest_s;
    if (isnan(newest_s) || newest_s <= before_s) {
        return;
    }
    sensor->newest_s = newest_s;
    if (sensor->state == SENSOR_UNPLUGGED || sensor->state == SENSOR_OK) {
        return; /* unplugged: what had arrived before the plug was pulled */
    }
    if (sensor->state == SENSOR_STALLED && !isnan(before_s)) {
        struct event *event = sensor_event(runner, before_s, role, "returned");
        event->duration_s = newest_s - before_s;
    }
    sensor->state = SENSOR_OK;
    sensor->ok_since_s = newest_s;
}

static double silence_s(const struct runner *runner, unsigned role, double time_s)
{
    double newest_s = runner->sensors[role].newest_s;
    return time_s - (isnan(newest_s) ? runner->tick_s : newest_s);
}

static void stall_check(struct runner *runner, unsigned role, double time_s)
{
    struct runner_sensor *sensor = &runner->sensors[role];
    double silent_s = silence_s(runner, role, time_s);
    if (sensor->state == SENSOR_OK && silent_s > runner->settings.stall_s) {
        sensor->state = SENSOR_STALLED;
        struct event *event = sensor_event(runner, time_s, role, "stalled");
        event->value = silent_s;
    }
}

static bool should_pause(const struct runner *runner, unsigned role, double time_s)
{
    enum sensor_state state = runner->sensors[role].state;
    if (!is_required(runner, role) || state == SENSOR_OK) {
        return false;
    }
    double limit_s = state == SENSOR_STARTING ? START_TIMEOUT_S : runner->settings.pause_s;
    return silence_s(runner, role, time_s) > limit_s;
}

static void pause_check(struct runner *runner, unsigned role, double time_s)
{
    char reason[64];
    if (runner->view.phase == PHASE_PAUSED || runner_is_over(runner)
        || !should_pause(runner, role, time_s)) {
        return;
    }
    snprintf(reason, sizeof reason, "One sensor stopped sending: %s.",
             role_title((enum role)role));
    runner_pause_begin(runner, time_s, RUNNER_PAUSE_SENSOR, reason,
                       role_text((enum role)role));
}

bool runner_sensors_ok(const struct runner *runner)
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (is_required(runner, role) && runner->sensors[role].state != SENSOR_OK) {
            return false;
        }
    }
    return true;
}

bool runner_sensors_steady(const struct runner *runner, double time_s)
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        const struct runner_sensor *sensor = &runner->sensors[role];
        if (is_required(runner, role)
            && (sensor->state != SENSOR_OK || time_s - sensor->ok_since_s < STEADY_S)) {
            return false;
        }
    }
    return true;
}

void runner_watch(struct runner *runner, double time_s, const double newest_s[ROLE_COUNT])
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (runner->settings.worn & 1U << role) {
            data_take(runner, role, newest_s[role]);
            stall_check(runner, role, time_s);
            pause_check(runner, role, time_s);
        }
    }
    if (runner->pause == RUNNER_PAUSE_SENSOR && runner->view.phase == PHASE_PAUSED
        && runner->settings.auto_resume) {
        runner_resume(runner, time_s, "all sensors send again", "runner");
    }
}

void runner_link(struct runner *runner, double time_s, enum role role, bool is_open)
{
    struct runner_sensor *sensor = &runner->sensors[role];
    if (!is_open && sensor->state != SENSOR_UNPLUGGED) {
        sensor->state = SENSOR_UNPLUGGED;
        sensor_event(runner, time_s, role, "unplugged");
    } else if (is_open && sensor->state == SENSOR_UNPLUGGED) {
        sensor->state = SENSOR_STALLED; /* until it sends */
    }
}

void runner_marker(struct runner *runner, double time_s, enum role role, const char *button)
{
    struct event *event = runner_emit(runner, EVENT_MARKER, time_s, role_text(role));
    snprintf(event->label, sizeof event->label, "%s", button);
}

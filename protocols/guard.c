#include "protocols/guard.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

enum {
    AXIS_COUNT = 4,
    AXIS_SEGMENT = 3
};

/* Calm for so long ends a caution (project default). */
static const double CLEAR_TIME_S = 1.0;
/* Instants further apart than this are a gap (clinical reference 3.4: gaps that are
 * bridged). */
static const double GAP_S = 0.25;
/* Sums of grid steps miss a limit by rounding. */
static const double TIME_EPSILON_S = 1e-5;

const char *guard_level_text(enum guard_level level)
{
    static const char *const TEXTS[] = {"clear", "caution", "stop", "unknown"};
    return (unsigned)level < sizeof TEXTS / sizeof TEXTS[0] ? TEXTS[level] : "";
}

static void timers_clear(struct guard *guard)
{
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        guard->over_caution_since_s[axis] = NAN;
        guard->over_stop_since_s[axis] = NAN;
    }
    guard->clear_since_s = NAN;
    guard->last_time_s = NAN;
}

void guard_init(struct guard *guard, const struct protocol_guard *limits)
{
    memset(guard, 0, sizeof *guard);
    guard->limits = *limits;
    guard->value_deg_s = NAN;
    guard->limit_deg_s = NAN;
    timers_clear(guard);
}

static double axis_rate_deg_s(const struct pose_guard *rates, unsigned axis)
{
    double rate_rad_s =
        axis == AXIS_SEGMENT ? rates->segment_rate_rad_s : rates->joint_rate_rad_s[axis];
    return fabs(rate_rad_s) * DEG_PER_RAD;
}

static double caution_limit(const struct protocol_guard *limits, unsigned axis)
{
    if (axis == AXIS_SEGMENT) {
        return limits->segment_caution_deg_s;
    }
    return axis == PLANE_SAGITTAL ? limits->sagittal_caution_deg_s
                                  : limits->axial_caution_deg_s;
}

static double stop_limit(const struct protocol_guard *limits, unsigned axis)
{
    if (axis == AXIS_SEGMENT) {
        return limits->segment_stop_deg_s;
    }
    return axis == PLANE_SAGITTAL ? limits->sagittal_stop_deg_s : limits->axial_stop_deg_s;
}

/* Keeps the start of the run over the limit; true when the run is long enough. */
static bool run_update(double *since_s, bool is_over, double time_s, double limit_s)
{
    if (!is_over) {
        *since_s = NAN;
        return false;
    }
    if (isnan(*since_s)) {
        *since_s = time_s;
    }
    return time_s - *since_s >= limit_s - TIME_EPSILON_S;
}

static void trip(struct guard *guard, enum guard_level level, unsigned axis,
                 double rate_deg_s, double limit_deg_s)
{
    if (level <= guard->held) {
        return;
    }
    guard->held = level;
    guard->axis = (int)axis;
    guard->value_deg_s = rate_deg_s;
    guard->limit_deg_s = limit_deg_s;
    guard->clear_since_s = NAN;
    guard->caution_count += level == GUARD_CAUTION;
}

/* @return true when the rate of the axis is under its caution limit. */
static bool axis_update(struct guard *guard, unsigned axis, double rate_deg_s,
                        double time_s)
{
    const struct protocol_guard *limits = &guard->limits;
    double caution = caution_limit(limits, axis);
    double stop = stop_limit(limits, axis);
    if (run_update(&guard->over_stop_since_s[axis], rate_deg_s > stop, time_s,
                   limits->stop_time_s)) {
        trip(guard, GUARD_STOP, axis, rate_deg_s, stop);
    }
    if (run_update(&guard->over_caution_since_s[axis], rate_deg_s > caution, time_s,
                   limits->caution_time_s)) {
        trip(guard, GUARD_CAUTION, axis, rate_deg_s, caution);
    }
    return rate_deg_s <= caution;
}

static void clear_update(struct guard *guard, bool is_calm, double time_s)
{
    if (!is_calm) {
        guard->clear_since_s = NAN;
        return;
    }
    if (isnan(guard->clear_since_s)) {
        guard->clear_since_s = time_s;
    }
    if (guard->held == GUARD_CAUTION
        && time_s - guard->clear_since_s >= CLEAR_TIME_S - TIME_EPSILON_S) {
        guard->held = GUARD_CLEAR;
    }
}

bool guard_update(struct guard *guard, const struct pose_guard *rates)
{
    bool has_gap = rates->time_s - guard->last_time_s > GAP_S;
    bool is_calm = true;
    guard->last_time_s = rates->time_s;
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        double rate_deg_s = axis_rate_deg_s(rates, axis);
        if (isnan(rate_deg_s)) {
            /* Timers stay: what was too fast before a gap is not forgiven by it. */
            has_gap = has_gap || guard->is_watched[axis];
            continue;
        }
        guard->is_watched[axis] = true;
        is_calm = axis_update(guard, axis, rate_deg_s, rates->time_s) && is_calm;
    }
    clear_update(guard, is_calm && !has_gap, rates->time_s);
    enum guard_level before = guard->level;
    guard->level = has_gap && guard->held != GUARD_STOP ? GUARD_UNKNOWN : guard->held;
    return guard->level != before;
}

void guard_reset(struct guard *guard)
{
    guard->level = GUARD_CLEAR;
    guard->held = GUARD_CLEAR;
    timers_clear(guard);
}

#include "analysis/hold.h"

#include <math.h>
#include <string.h>

#include "analysis/pose.h"
#include "base/units.h"

/* Distance of two grid instants: what is missing between two samples is the rest. */
static const double STEP_S = 1.0 / POSE_RATE_HZ;

/* Sums of grid steps miss a limit by rounding; a thousandth of a step decides nothing. */
static const double TIME_EPSILON_S = 1e-5;

/* Clinical reference 3.4, project defaults. */
const struct hold_settings hold_default_settings = {
    .hysteresis_rad = 3.0 * RAD_PER_DEG,
    .enter_time_s = 0.5,
    .exit_time_s = 0.5,
    .still_rad_s = 5.0 * RAD_PER_DEG,
    .break_rad_s = 15.0 * RAD_PER_DEG,
    .break_time_s = 0.3,
    .gap_bridge_s = 0.25,
    .gap_keep_s = 1.0,
    .merge_time_s = 1.0,
};

static bool has_lasted(double since_s, double now_s, double time_s)
{
    return now_s - since_s >= time_s - TIME_EPSILON_S; /* false for NaN: not running */
}

/* End of what counts: the first sample that was not good, or the newest one. */
static double good_end_s(const struct hold *hold)
{
    return isnan(hold->bad_since_s) ? hold->last_time_s : hold->bad_since_s;
}

static void close_at(struct hold *hold, double end_s, enum hold_cause cause)
{
    hold->result.end_s = end_s;
    hold->result.cause = cause;
    hold->state = HOLD_OUT;
    hold->run_start_s = NAN;
    hold->bad_since_s = NAN;
    hold->rate_since_s = NAN;
}

/* A hold that waits for merging is over when the angle fell too far, or the time is up and
 * no candidate run started early enough. */
static bool is_merge_over(const struct hold *hold, double time_s)
{
    const struct hold_settings *settings = &hold->settings;
    const double next_s = isnan(hold->run_start_s) ? time_s : hold->run_start_s;

    return hold->lowest_rad < settings->zone_low_rad - 2.0 * settings->hysteresis_rad
           || has_lasted(hold->result.end_s, next_s, settings->merge_time_s);
}

static bool end_pending(struct hold *hold, double time_s)
{
    if (!hold->closed || !is_merge_over(hold, time_s)) {
        return false;
    }
    hold->closed = false;
    hold->gap_pending_s = 0.0;
    return true;
}

static void add_uncredited(struct hold *hold, double gap_s)
{
    if (!isnan(hold->bad_since_s) || hold->closed) {
        hold->gap_pending_s += gap_s; /* counts only if the hold goes on */
    } else if (hold->state == HOLD_IN) {
        hold->result.uncredited_s += gap_s;
    }
}

/* missing_s seconds without data have passed; ended: data are back. True if a hold ended.
 */
static bool take_gap(struct hold *hold, double missing_s, bool ended)
{
    if (!(missing_s > hold->settings.gap_bridge_s + TIME_EPSILON_S)) {
        return false;
    }
    hold->run_start_s = NAN;
    if (hold->state == HOLD_IN && missing_s > hold->settings.gap_keep_s + TIME_EPSILON_S) {
        close_at(hold, good_end_s(hold), HOLD_CAUSE_DATA_LOSS);
        hold->gap_pending_s = 0.0;
        return true;
    }
    if (ended) {
        add_uncredited(hold, missing_s);
    }
    return false;
}

static bool update_without_data(struct hold *hold, double time_s)
{
    if (isnan(hold->last_time_s)) {
        return false;
    }
    const bool finished = take_gap(hold, time_s - hold->last_time_s, false);

    return end_pending(hold, time_s) || finished;
}

static void enter(struct hold *hold)
{
    if (hold->closed) {
        hold->closed = false;
        hold->result.exit_count++;
        hold->result.uncredited_s += hold->gap_pending_s;
        hold->result.cause = HOLD_CAUSE_NONE;
    } else {
        hold->result = (struct hold_result){.start_s = hold->run_start_s};
    }
    hold->state = HOLD_IN;
    hold->gap_pending_s = 0.0;
}

static bool update_out(struct hold *hold, double time_s, double angle_rad,
                       double rate_rad_s)
{
    const struct hold_settings *settings = &hold->settings;
    const bool fits = angle_rad >= settings->zone_low_rad
                      && angle_rad <= settings->zone_high_rad + settings->hysteresis_rad
                      && fabs(rate_rad_s) <= settings->still_rad_s;

    if (!fits) {
        hold->run_start_s = NAN;
    } else if (isnan(hold->run_start_s)) {
        hold->run_start_s = time_s;
    }
    hold->lowest_rad = fmin(hold->lowest_rad, angle_rad);
    if (end_pending(hold, time_s)) {
        return true;
    }
    if (has_lasted(hold->run_start_s, time_s, settings->enter_time_s)) {
        enter(hold);
    }
    return false;
}

static void settle(struct hold *hold)
{
    hold->result.uncredited_s += hold->gap_pending_s;
    hold->gap_pending_s = 0.0;
    hold->bad_since_s = NAN;
    hold->rate_since_s = NAN;
}

/* Time at which the present break began, by zone or rate; the angle's low point goes with
 * it. */
static void note_break(struct hold *hold, double time_s, double angle_rad, bool is_slow)
{
    if (isnan(hold->bad_since_s)) {
        hold->bad_since_s = time_s;
        hold->lowest_rad = angle_rad;
    }
    hold->lowest_rad = fmin(hold->lowest_rad, angle_rad);
    if (is_slow) {
        hold->rate_since_s = NAN;
    } else if (isnan(hold->rate_since_s)) {
        hold->rate_since_s = time_s;
    }
}

static bool update_in(struct hold *hold, double time_s, double angle_rad, double rate_rad_s)
{
    const struct hold_settings *settings = &hold->settings;
    const bool in_zone = angle_rad >= settings->zone_low_rad - settings->hysteresis_rad
                         && angle_rad <= settings->zone_high_rad + settings->hysteresis_rad;
    const bool is_slow = fabs(rate_rad_s) < settings->break_rad_s;

    if (in_zone && is_slow) {
        settle(hold);
        return false;
    }
    note_break(hold, time_s, angle_rad, is_slow);
    if (!has_lasted(hold->bad_since_s, time_s, settings->exit_time_s)
        && !has_lasted(hold->rate_since_s, time_s, settings->break_time_s)) {
        return false;
    }
    close_at(hold, hold->bad_since_s, in_zone ? HOLD_CAUSE_RATE : HOLD_CAUSE_ZONE);
    hold->closed = true;
    return end_pending(hold, time_s);
}

const char *hold_cause_text(enum hold_cause cause)
{
    static const char *const TEXTS[] = {
        [HOLD_CAUSE_NONE] = "",      [HOLD_CAUSE_ZONE] = "left the zone",
        [HOLD_CAUSE_RATE] = "moved", [HOLD_CAUSE_DATA_LOSS] = "data loss",
        [HOLD_CAUSE_END] = "ended",
    };

    return (unsigned)cause < sizeof TEXTS / sizeof *TEXTS ? TEXTS[cause] : "";
}

void hold_init(struct hold *hold, const struct hold_settings *settings)
{
    memset(hold, 0, sizeof *hold);
    hold->settings = *settings;
    hold->run_start_s = NAN;
    hold->bad_since_s = NAN;
    hold->rate_since_s = NAN;
    hold->last_time_s = NAN;
}

bool hold_update(struct hold *hold, double time_s, double angle_rad, double rate_rad_s)
{
    if (isnan(time_s) || time_s <= hold->last_time_s) {
        return false;
    }
    if (!isfinite(angle_rad) || !isfinite(rate_rad_s)) {
        return update_without_data(hold, time_s);
    }
    const bool lost = take_gap(hold, time_s - hold->last_time_s - STEP_S, true);

    hold->last_time_s = time_s;
    if (hold->state == HOLD_IN) {
        return update_in(hold, time_s, angle_rad, rate_rad_s);
    }
    return update_out(hold, time_s, angle_rad, rate_rad_s) || lost;
}

bool hold_finish(struct hold *hold)
{
    if (hold->state == HOLD_IN) {
        close_at(hold, good_end_s(hold), HOLD_CAUSE_END);
    } else if (!hold->closed) {
        return false;
    }
    hold->closed = false;
    hold->gap_pending_s = 0.0;
    hold->run_start_s = NAN;
    return true;
}

double hold_credited_s(const struct hold *hold)
{
    if (hold->state == HOLD_OUT && !hold->closed) {
        return 0.0;
    }
    const double end_s = hold->state == HOLD_IN ? good_end_s(hold) : hold->result.end_s;

    return end_s - hold->result.start_s - hold->result.uncredited_s;
}

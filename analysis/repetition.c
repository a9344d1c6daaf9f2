#include "analysis/repetition.h"

#include <math.h>
#include <string.h>

#include "analysis/pose.h"
#include "base/units.h"

/* Distance of two grid instants: what is missing between two samples is the rest. */
static const double STEP_S = 1.0 / POSE_RATE_HZ;

static const double TIME_EPSILON_S = 1e-5;

/* Project defaults, all as shares of the half range A round the middle m. The trigger
 * levels m +- 0.5 A are of clinical reference 3.5. Measured from the last extremum, which
 * lies at m -+ A, the same levels are 1.5 A away: that form follows drift, so either one
 * triggers. */
static const double TRIGGER_SHARE = 0.5;
static const double TRAVEL_SHARE = 1.5;

/* Leaving a low point by this much confirms it. */
static const double LEAVE_SHARE = 0.5;

/* Rising less than this is no attempt at a cycle; falling back by half makes it a partial
 * one. */
static const double ATTEMPT_SHARE = 0.5;

/* At most this far above the middle a movement may rest to end there. */
static const double MIDDLE_SHARE = 0.25;

/* So near to a low point the movement counts as resting there: share of A, and at least. */
static const double NEAR_SHARE = 0.1;
static const double NEAR_MIN_RAD = 1.0 * RAD_PER_DEG;

/* A stay at a low point that is long beside the way to it is a rest: a sine of 15 deg and
 * more stays for at most half of its way. A rest ends a cycle; in the middle, where some
 * pause in passing, it must be longer. */
static const double REST_SHARE = 0.65;
static const double REST_LOW_S = 1.0;
static const double REST_MIDDLE_S = 2.0;

enum repetition_state {
    STATE_LEARN, /* middle and half range unknown */
    STATE_START, /* they are known; neither side was visited yet */
    STATE_LOW,
    STATE_HIGH
};

const struct repetition_settings repetition_default_settings = {
    .middle_rad = NAN,
    .half_range_rad = NAN,
    .update_weight = 0.2,
    .time_min_s = 1.5,
    .time_max_s = 20.0,
    .range_min = 0.4,
    .range_floor_rad = 5.0 * RAD_PER_DEG,
};

static double near_rad(const struct repetition *repetition)
{
    const double share_rad = NEAR_SHARE * repetition->half_range_rad;

    return share_rad > NEAR_MIN_RAD ? share_rad : NEAR_MIN_RAD; /* also while it is NaN */
}

static struct repetition_valley valley_at(const struct repetition *repetition,
                                          double time_s, double angle_rad)
{
    return (struct repetition_valley){
        .angle_rad = angle_rad,
        .time_s = time_s,
        .near_first_s = time_s,
        .near_last_s = time_s,
        .near_first_rad = angle_rad,
        .near_next_s = time_s,
        .near_next_rad = angle_rad,
        .missing_s = repetition->missing_s,
    };
}

static void valley_update(const struct repetition *repetition,
                          struct repetition_valley *valley, double time_s, double angle_rad)
{
    const double reach_rad = near_rad(repetition);

    if (angle_rad < valley->angle_rad) {
        valley->angle_rad = angle_rad;
        valley->time_s = time_s;
    }
    if (valley->near_next_rad > valley->near_first_rad - reach_rad / 2.0) {
        valley->near_next_s = time_s;
        valley->near_next_rad = angle_rad;
    }
    if (valley->near_first_rad > valley->angle_rad + reach_rad) {
        valley->near_first_s = valley->near_next_s;
        valley->near_first_rad = valley->near_next_rad;
        valley->near_next_s = time_s;
        valley->near_next_rad = angle_rad;
    }
    if (angle_rad <= valley->angle_rad + reach_rad) {
        valley->near_last_s = time_s;
        valley->missing_s = repetition->missing_s;
    }
}

/* @param travel_s  Time of the way between the peak and the neighbourhood of the valley. */
static bool is_rest(const struct repetition_valley *valley, double travel_s, double rest_s)
{
    const double stay_s = valley->near_last_s - valley->near_first_s;

    return stay_s >= fmax(rest_s, REST_SHARE * travel_s) - TIME_EPSILON_S;
}

static bool has_rested(const struct repetition *repetition, double time_s, double rest_s)
{
    const struct repetition_valley *end = &repetition->end;

    return end->near_last_s >= time_s - TIME_EPSILON_S
           && is_rest(end, end->near_first_s - repetition->peak_s, rest_s);
}

/* Halfway between first and last time near: an extremum that noise does not shift. */
static double valley_middle_s(const struct repetition_valley *valley)
{
    return (valley->near_first_s + valley->near_last_s) / 2.0;
}

/* A rest at a low point belongs to neither cycle. */
static double valley_leave_s(const struct repetition_valley *valley, double peak_s)
{
    return is_rest(valley, peak_s - valley->near_last_s, 0.0) ? valley->near_last_s
                                                              : valley_middle_s(valley);
}

static double valley_arrive_s(const struct repetition_valley *valley, double peak_s)
{
    return is_rest(valley, valley->near_first_s - peak_s, 0.0) ? valley->near_first_s
                                                               : valley_middle_s(valley);
}

static struct repetition_result result_make(const struct repetition *repetition)
{
    return (struct repetition_result){
        .start_s = valley_leave_s(&repetition->start, repetition->peak_s),
        .peak_s = repetition->peak_s,
        .end_s = valley_arrive_s(&repetition->end, repetition->peak_s),
        .start_rad = repetition->start.angle_rad,
        .peak_rad = repetition->peak_rad,
        .end_rad = repetition->end.angle_rad,
        .missing_s = repetition->end.missing_s - repetition->start.missing_s,
    };
}

static bool is_cycle(const struct repetition *repetition,
                     const struct repetition_result *result)
{
    const struct repetition_settings *settings = &repetition->settings;
    const double time_s = result->end_s - result->start_s;
    const double range_rad = result->peak_rad - fmin(result->start_rad, result->end_rad);
    const double rise_rad = result->peak_rad - result->start_rad;

    return time_s >= settings->time_min_s && time_s <= settings->time_max_s
           && range_rad >= 2.0 * settings->range_min * repetition->half_range_rad
           /* Data that begin on the high side show no rise. A rise from the middle is half
            * the range. */
           && rise_rad >= settings->range_min * repetition->half_range_rad;
}

static void adapt(struct repetition *repetition, const struct repetition_result *result)
{
    const double weight = repetition->learned ? repetition->settings.update_weight : 1.0;
    const double middle_rad = (result->peak_rad + result->end_rad) / 2.0;
    const double half_range_rad = (result->peak_rad - result->end_rad) / 2.0;

    repetition->middle_rad += weight * (middle_rad - repetition->middle_rad);
    repetition->half_range_rad += weight * (half_range_rad - repetition->half_range_rad);
    repetition->learned = true;
}

/* The cycle that waited is over; its end is the start of the next. */
static bool complete(struct repetition *repetition, bool at_low_point)
{
    const struct repetition_result result = result_make(repetition);
    const bool counts = is_cycle(repetition, &result);

    if (counts) {
        repetition->count++;
        repetition->result = result;
    } else {
        repetition->partial_count++;
    }
    if (counts && at_low_point) {
        adapt(repetition, &result);
    }
    repetition->pending = false;
    repetition->start = repetition->end;
    repetition->top_rad = repetition->end.angle_rad;
    repetition->state = STATE_LOW;
    return counts;
}

static void rise(struct repetition *repetition, double time_s, double angle_rad)
{
    repetition->state = STATE_HIGH;
    repetition->peak_rad = angle_rad;
    repetition->peak_s = time_s;
    repetition->end = valley_at(repetition, time_s, angle_rad);
}

/* Learning: the first swing there and half back again gives a first middle and half range.
 */
static void update_learn(struct repetition *repetition, double time_s, double angle_rad)
{
    struct repetition_valley *low = &repetition->start;

    valley_update(repetition, low, time_s, angle_rad);
    if (angle_rad > repetition->peak_rad) {
        repetition->peak_rad = angle_rad;
        repetition->peak_s = time_s;
    }
    const double range_rad = repetition->peak_rad - low->angle_rad;
    const double middle_rad = (repetition->peak_rad + low->angle_rad) / 2.0;
    const bool is_up = repetition->peak_s > low->time_s;

    if (range_rad < repetition->settings.range_floor_rad
        || (is_up ? angle_rad > middle_rad : angle_rad < middle_rad)) {
        return;
    }
    repetition->middle_rad = middle_rad;
    repetition->half_range_rad = range_rad / 2.0;
    repetition->state = is_up ? STATE_HIGH : STATE_LOW;
    repetition->top_rad = angle_rad;
    repetition->end = valley_at(repetition, time_s, angle_rad);
}

static void update_partial(struct repetition *repetition, double angle_rad)
{
    const double rise_rad = repetition->top_rad - repetition->start.angle_rad;

    if (rise_rad > ATTEMPT_SHARE * repetition->half_range_rad
        && angle_rad < repetition->start.angle_rad + rise_rad / 2.0) {
        repetition->partial_count++;
        repetition->top_rad = angle_rad;
    }
    repetition->top_rad = fmax(repetition->top_rad, angle_rad);
}

static bool is_high(const struct repetition *repetition, double angle_rad)
{
    const double half_rad = repetition->half_range_rad;

    return angle_rad > repetition->middle_rad + TRIGGER_SHARE * half_rad
           || angle_rad > repetition->start.angle_rad + TRAVEL_SHARE * half_rad;
}

static bool is_low(const struct repetition *repetition, double angle_rad)
{
    const double half_rad = repetition->half_range_rad;

    return angle_rad < repetition->middle_rad - TRIGGER_SHARE * half_rad
           || angle_rad < repetition->peak_rad - TRAVEL_SHARE * half_rad;
}

/* On the low side after a peak: is the low point that ends the cycle known? */
static bool update_pending(struct repetition *repetition, double time_s, double angle_rad)
{
    const struct repetition_valley *end = &repetition->end;
    const double leave_rad = end->angle_rad + LEAVE_SHARE * repetition->half_range_rad;

    valley_update(repetition, &repetition->end, time_s, angle_rad);
    if (angle_rad <= leave_rad && !has_rested(repetition, time_s, REST_LOW_S)) {
        return false;
    }
    return complete(repetition, true);
}

static bool update_low(struct repetition *repetition, double time_s, double angle_rad)
{
    if (repetition->pending) {
        return update_pending(repetition, time_s, angle_rad);
    }
    if (angle_rad < repetition->start.angle_rad) {
        repetition->top_rad = angle_rad;
    }
    valley_update(repetition, &repetition->start, time_s, angle_rad);
    update_partial(repetition, angle_rad);
    if (is_high(repetition, angle_rad)) {
        rise(repetition, time_s, angle_rad);
    } else if (repetition->state == STATE_START && is_low(repetition, angle_rad)) {
        repetition->state = STATE_LOW;
    }
    return false;
}

static bool is_back_in_middle(const struct repetition *repetition)
{
    return repetition->end.angle_rad
           < repetition->middle_rad + MIDDLE_SHARE * repetition->half_range_rad;
}

static bool update_high(struct repetition *repetition, double time_s, double angle_rad)
{
    if (angle_rad > repetition->peak_rad) {
        rise(repetition, time_s, angle_rad);
        return false;
    }
    valley_update(repetition, &repetition->end, time_s, angle_rad);
    if (is_low(repetition, angle_rad)) {
        repetition->state = STATE_LOW;
        repetition->pending = true;
        return false;
    }
    return is_back_in_middle(repetition) && has_rested(repetition, time_s, REST_MIDDLE_S)
           && complete(repetition, false);
}

/* A cycle could hide in the gap: what runs is broken off, what was learned stays. */
static void break_off(struct repetition *repetition, double time_s, double angle_rad)
{
    if (repetition->pending || repetition->state == STATE_HIGH) {
        repetition->partial_count++;
    }
    repetition->pending = false;
    repetition->state = isnan(repetition->middle_rad) ? STATE_LEARN : STATE_START;
    repetition->start = valley_at(repetition, time_s, angle_rad);
    repetition->top_rad = angle_rad;
    repetition->peak_rad = angle_rad;
    repetition->peak_s = time_s;
}

static void take_gap(struct repetition *repetition, double time_s, double angle_rad)
{
    const double missing_s = time_s - repetition->last_time_s - STEP_S;

    if (missing_s > TIME_EPSILON_S) {
        repetition->missing_s += missing_s;
    }
    /* A first sample begins like one after a gap. */
    if (isnan(missing_s) || missing_s >= repetition->settings.time_min_s) {
        break_off(repetition, time_s, angle_rad);
    }
}

void repetition_init(struct repetition *repetition,
                     const struct repetition_settings *settings)
{
    const bool is_known = settings->half_range_rad > 0.0 && isfinite(settings->middle_rad);

    memset(repetition, 0, sizeof *repetition);
    repetition->settings = *settings;
    repetition->state = is_known ? STATE_START : STATE_LEARN;
    repetition->learned = is_known;
    repetition->middle_rad = is_known ? settings->middle_rad : (double)NAN;
    repetition->half_range_rad = is_known ? settings->half_range_rad : (double)NAN;
    repetition->last_time_s = NAN;
}

bool repetition_update(struct repetition *repetition, double time_s, double angle_rad)
{
    if (!isfinite(angle_rad) || isnan(time_s) || time_s <= repetition->last_time_s) {
        return false;
    }
    take_gap(repetition, time_s, angle_rad);
    repetition->last_time_s = time_s;
    switch ((enum repetition_state)repetition->state) {
    case STATE_LEARN:
        update_learn(repetition, time_s, angle_rad);
        return false;
    case STATE_START:
    case STATE_LOW:
        return update_low(repetition, time_s, angle_rad);
    case STATE_HIGH:
        return update_high(repetition, time_s, angle_rad);
    }
    return false;
}

bool repetition_finish(struct repetition *repetition)
{
    if (repetition->pending) {
        return complete(repetition, true);
    }
    if (repetition->state != STATE_HIGH) {
        return false;
    }
    if (is_back_in_middle(repetition)) {
        return complete(repetition, false);
    }
    repetition->partial_count++;
    repetition->state = STATE_START;
    return false;
}

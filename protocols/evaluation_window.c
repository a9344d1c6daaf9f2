/* Where the repetitions of a part lie in time, from the events of the session. */
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "protocols/evaluation.h"

/* So near to the start posture is back: as the protocol says, 8 deg by default (clinical
 * reference 2.2), but no more than this share of the way, and no less than the floor.
 * Project defaults. */
static const double BACK_DEG = 8.0;
static const double BACK_SHARE = 0.35;
static const double BACK_FLOOR_DEG = 1.0;

/* Grid times are sums of 0.01 s. */
static const double TIME_EPSILON_S = 1e-6;

static bool is_here(const struct evaluation *evaluation, const struct event *event)
{
    return event->stretch == evaluation->stretch && event->part == evaluation->part
           && event->side == evaluation->side;
}

static bool is_phase(const struct event *event, enum phase phase)
{
    return event->type == EVENT_PHASE && strcmp(event->label, phase_text(phase)) == 0;
}

static bool is_of(const struct evaluation *evaluation, const struct event *event,
                  unsigned number)
{
    return is_here(evaluation, event) && event->repetition == number;
}

/* First instant at or after time_s. */
static size_t index_at(const struct session_angles *angles, double time_s)
{
    size_t low = 0;
    size_t high = angles->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (angles->time_s[middle] < time_s - TIME_EPSILON_S) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static double coverage_of(const double *angle_rad, size_t count,
                          struct evaluation_span span)
{
    const double expected =
        floor((span.end_s - span.start_s) * POSE_RATE_HZ + TIME_EPSILON_S);
    size_t valid_count = 0;

    for (size_t i = 0; i < count; i++) {
        valid_count += isfinite(angle_rad[i]) ? 1 : 0;
    }
    return expected >= 1.0 ? fmin(1.0, (double)valid_count / expected) : 0.0;
}

struct evaluation_slice evaluation_slice(struct evaluation *evaluation,
                                         enum measure measure, double sign,
                                         struct evaluation_span span)
{
    const struct session_angles *angles = &evaluation->session->angles;
    struct evaluation_slice slice = {NULL, NULL, NULL, 0, 0.0};

    if ((unsigned)measure >= MEASURE_COUNT || !angles->angle_rad[measure]
        || !(span.end_s >= span.start_s)) {
        return slice;
    }
    const size_t first = index_at(angles, span.start_s);
    const size_t end = index_at(angles, span.end_s + 2.0 * TIME_EPSILON_S);

    for (size_t i = first; i < end; i++) {
        evaluation->angle_rad[i - first] = sign * angles->angle_rad[measure][i];
        evaluation->rate_rad_s[i - first] = sign * angles->rate_rad_s[measure][i];
    }
    slice.time_s = angles->time_s + first;
    slice.angle_rad = evaluation->angle_rad;
    slice.rate_rad_s = evaluation->rate_rad_s;
    slice.count = end - first;
    slice.coverage = coverage_of(slice.angle_rad, slice.count, span);
    return slice;
}

unsigned evaluation_event_count(const struct session *session, enum event_type type,
                                const char *label, unsigned stretch,
                                struct evaluation_span span)
{
    unsigned count = 0;

    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (event->type == type && event->stretch == stretch
            && (!label || strcmp(event->label, label) == 0) && event->time_s >= span.start_s
            && event->time_s <= span.end_s) {
            count++;
        }
    }
    return count;
}

/* Index of the event that begins the last attempt at a repetition: a redone one counts
 * alone. */
static size_t attempt_begin(const struct evaluation *evaluation, unsigned number)
{
    const struct session *session = evaluation->session;
    size_t begin = 0;

    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (is_of(evaluation, event, number) && is_phase(event, PHASE_READY)) {
            begin = i;
        }
    }
    return begin;
}

/* Time at which the phase that begins at the event ended; NaN at the end of the events. */
static double phase_end_s(const struct session *session, size_t index)
{
    for (size_t i = index + 1; i < session->event_count; i++) {
        if (session->events[i].type == EVENT_PHASE) {
            return session->events[i].time_s;
        }
    }
    return NAN;
}

static void take_hold(struct evaluation_repetition *repetition, const struct event *event)
{
    const double longest_s = repetition->hold.end_s - repetition->hold.start_s;

    repetition->has_result = true;
    repetition->credited_s += event->value;
    repetition->hold_count++;
    if (isnan(longest_s) || event->duration_s > longest_s) {
        repetition->hold.start_s = event->time_s;
        repetition->hold.end_s = event->time_s + event->duration_s;
    }
}

static bool is_movement(const struct event *event)
{
    return is_phase(event, PHASE_MOVE_IN) || is_phase(event, PHASE_HOLD)
           || is_phase(event, PHASE_MOVE_OUT);
}

/* The spans that phases give: onset of the move in, and the end of the last phase of
 * movement (somebody may come back right out of the hold). */
static void take_events(const struct evaluation *evaluation, size_t begin,
                        struct evaluation_repetition *repetition)
{
    const struct session *session = evaluation->session;

    for (size_t i = begin; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (!is_of(evaluation, event, repetition->number)) {
            continue;
        }
        if (event->type == EVENT_HOLD) {
            take_hold(repetition, event);
        } else if (is_movement(event)) {
            repetition->whole.end_s = phase_end_s(session, i);
        }
        if (is_phase(event, PHASE_MOVE_IN) && isnan(repetition->move_in.start_s)) {
            repetition->move_in.start_s = event->time_s;
        }
    }
}

static double away_deg(const struct evaluation *evaluation,
                       const struct evaluation_slice *slice, size_t index)
{
    return fabs(slice->angle_rad[index] * DEG_PER_RAD - evaluation->start_deg);
}

static double back_limit_deg(struct evaluation *evaluation, struct evaluation_span whole)
{
    const struct evaluation_slice slice =
        evaluation_slice(evaluation, evaluation->measure, evaluation->sign, whole);
    const double return_deg = evaluation->rule->return_deg;
    double way_deg = 0.0;

    for (size_t i = 0; i < slice.count; i++) {
        way_deg = fmax(way_deg, away_deg(evaluation, &slice, i)); /* fmax passes NaN over */
    }
    return fmax(BACK_FLOOR_DEG,
                fmin(return_deg > 0.0 ? return_deg : BACK_DEG, BACK_SHARE * way_deg));
}

/* First instant after the hold with the angle near the start posture; NaN = none. */
static double back_s(struct evaluation *evaluation,
                     const struct evaluation_repetition *repetition)
{
    const struct evaluation_span span = {repetition->hold.end_s, repetition->whole.end_s};
    const double limit_deg = back_limit_deg(evaluation, repetition->whole);
    const struct evaluation_slice slice =
        evaluation_slice(evaluation, evaluation->measure, evaluation->sign, span);

    for (size_t i = 0; i < slice.count; i++) {
        if (away_deg(evaluation, &slice, i) <= limit_deg) {
            return slice.time_s[i];
        }
    }
    return NAN;
}

static void complete_spans(struct evaluation *evaluation,
                           struct evaluation_repetition *repetition)
{
    const double session_end_s = evaluation->session->duration_s;

    if (isnan(repetition->whole.end_s)) {
        repetition->whole.end_s =
            isnan(repetition->hold.end_s) ? session_end_s : repetition->hold.end_s;
    }
    repetition->whole.start_s = isnan(repetition->move_in.start_s)
                                    ? repetition->hold.start_s
                                    : repetition->move_in.start_s;
    repetition->move_in.end_s = repetition->hold.start_s;
    repetition->move_out.start_s = repetition->hold.end_s;
    repetition->move_out.end_s = back_s(evaluation, repetition);
}

static struct evaluation_repetition repetition_make(unsigned number)
{
    static const struct evaluation_span UNKNOWN = {NAN, NAN};
    struct evaluation_repetition repetition;

    memset(&repetition, 0, sizeof repetition);
    repetition.number = number;
    repetition.whole = UNKNOWN;
    repetition.move_in = UNKNOWN;
    repetition.hold = UNKNOWN;
    repetition.move_out = UNKNOWN;
    repetition.quality = NAN;
    return repetition;
}

/* Largest repetition that was begun. */
static unsigned number_max(const struct evaluation *evaluation)
{
    const struct session *session = evaluation->session;
    unsigned number = 0;

    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        const bool begins = event->type == EVENT_HOLD || is_phase(event, PHASE_MOVE_IN);
        if (begins && is_here(evaluation, event) && event->repetition > number) {
            number = event->repetition;
        }
    }
    return number < EVALUATION_REPETITION_MAX ? number : EVALUATION_REPETITION_MAX;
}

static void find_holds(struct evaluation *evaluation)
{
    const unsigned count = number_max(evaluation);

    for (unsigned number = 1; number <= count; number++) {
        struct evaluation_repetition repetition = repetition_make(number);

        take_events(evaluation, attempt_begin(evaluation, number), &repetition);
        if (repetition.has_result || !isnan(repetition.move_in.start_s)) {
            complete_spans(evaluation, &repetition);
            evaluation->repetitions[evaluation->repetition_count++] = repetition;
        }
    }
}

/* Cycles are numbered as counted; a lower number again is a part that was redone. */
static void find_cycles(struct evaluation *evaluation)
{
    const struct session *session = evaluation->session;

    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (event->type != EVENT_REPETITION || !is_here(evaluation, event)
            || event->repetition == 0) {
            continue;
        }
        while (evaluation->repetition_count > 0
               && evaluation->repetitions[evaluation->repetition_count - 1].number
                      >= event->repetition) {
            evaluation->repetition_count--;
        }
        if (evaluation->repetition_count == EVALUATION_REPETITION_MAX) {
            return;
        }
        struct evaluation_repetition repetition = repetition_make(event->repetition);
        repetition.has_result = true;
        repetition.whole.start_s = event->time_s;
        repetition.whole.end_s = event->time_s + event->duration_s;
        evaluation->repetitions[evaluation->repetition_count++] = repetition;
    }
}

void evaluation_repetitions_find(struct evaluation *evaluation)
{
    evaluation->repetition_count = 0;
    if (evaluation->rule->kind == PROTOCOL_HOLD) {
        find_holds(evaluation);
    } else {
        find_cycles(evaluation);
    }
    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        struct evaluation_repetition *repetition = &evaluation->repetitions[i];
        repetition->coverage = evaluation_slice(evaluation, evaluation->measure,
                                                evaluation->sign, repetition->whole)
                                   .coverage;
    }
}

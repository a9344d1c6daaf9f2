/* Metrics of a session from its events and angles. Pure but for memory: same input, same
 * bits. */
#include "protocols/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/series.h"
#include "base/units.h"

static const double COVERAGE_MIN = 0.95;

/* ------------------------------------------------------------------ parts of a stretch */

static enum status count_add(struct evaluation *evaluation)
{
    struct metric metric =
        evaluation_metric(evaluation, METRIC_REPETITION_COUNT, evaluation->measure);
    const unsigned count = evaluation->repetition_count;
    unsigned done = 0;

    metric.quality = count > 0 ? 0.0 : (double)NAN;
    for (unsigned i = 0; i < count; i++) {
        done += evaluation->repetitions[i].has_result ? 1 : 0;
        metric.coverage += evaluation->repetitions[i].coverage;
        metric.quality += evaluation->repetitions[i].quality;
    }
    if (count > 0) {
        metric.coverage /= count;
        metric.quality /= count;
    }
    metric.value = done;
    metric.uncertainty = 0.0;
    if (count == 0) {
        evaluation_missing_reason(evaluation, evaluation->measure, metric.withheld);
    }
    if (metric.withheld[0]) {
        metric.value = NAN;
        metric.uncertainty = NAN;
    }
    return session_metric_add(evaluation->session, &metric);
}

/* From the first repetition to the last. */
static struct evaluation_span span_of_all(const struct evaluation *evaluation)
{
    struct evaluation_span span = {NAN, NAN};

    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        span.start_s = fmin(span.start_s, evaluation->repetitions[i].whole.start_s);
        span.end_s = fmax(span.end_s, evaluation->repetitions[i].whole.end_s);
    }
    return span;
}

/* The percentile that lies further from zero: secondary angles have no "further" of their
 * own. */
static double outer_deg(const struct series_range *range)
{
    const double outer_rad = fabs(range->peak_rad) >= fabs(range->valley_rad)
                                 ? range->peak_rad
                                 : range->valley_rad;

    return outer_rad * DEG_PER_RAD;
}

static void secondary_fill(struct metric *metric, const struct series_range *range)
{
    metric->value = metric->id == METRIC_PEAK_ANGLE
                        ? outer_deg(range)
                        : (range->peak_rad - range->valley_rad) * DEG_PER_RAD;
}

/* Peak or range of a measure over a span. */
static enum status span_metric_add(struct evaluation *evaluation, enum metric_id id,
                                   enum measure measure, struct evaluation_span span)
{
    struct metric metric = evaluation_metric(evaluation, id, measure);
    const struct evaluation_slice slice = evaluation_slice(evaluation, measure, 1.0, span);
    struct series_range range;

    metric.coverage = slice.coverage;
    evaluation_missing_reason(evaluation, measure, metric.withheld);
    if (metric.withheld[0]) {
        return session_metric_add(evaluation->session, &metric);
    }
    if (isnan(span.start_s)) {
        evaluation_withhold(&metric, "no repetition to measure");
    } else if (slice.coverage < COVERAGE_MIN) {
        evaluation_withhold(&metric, "no data for %.0f %% of the movement",
                            ceil(100.0 * (1.0 - slice.coverage)));
    } else if (series_range_get(slice.angle_rad, slice.count, &range)) {
        evaluation_withhold(&metric, "too few samples");
    } else {
        secondary_fill(&metric, &range);
        metric.uncertainty = evaluation_angle_error_deg(evaluation, measure);
    }
    return session_metric_add(evaluation->session, &metric);
}

static enum status off_axis_add(struct evaluation *evaluation, enum measure measure)
{
    struct metric metric = evaluation_metric(evaluation, METRIC_OFF_AXIS_RATIO, measure);
    double sum_percent = 0.0;
    unsigned count = 0;

    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        const struct evaluation_repetition *repetition = &evaluation->repetitions[i];
        const double percent =
            evaluation_off_axis_percent(evaluation, measure, repetition->whole);
        metric.coverage += repetition->coverage;
        if (isfinite(percent) && !repetition->is_void) {
            sum_percent += percent;
            count++;
        }
    }
    if (evaluation->repetition_count > 0) {
        metric.coverage /= evaluation->repetition_count;
    }
    evaluation_missing_reason(evaluation, measure, metric.withheld);
    if (!metric.withheld[0] && count == 0) {
        evaluation_withhold(&metric, "no repetition of 8 deg or more to compare with");
    }
    metric.value = count > 0 ? sum_percent / count : (double)NAN;
    return session_metric_add(evaluation->session, &metric);
}

static enum status secondaries_add(struct evaluation *evaluation)
{
    const struct evaluation_span span = span_of_all(evaluation);
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < evaluation->rule->secondary_count && !status; i++) {
        const enum measure measure = evaluation->rule->secondary[i];
        if (measure == evaluation->measure) {
            continue;
        }
        status = span_metric_add(evaluation, METRIC_PEAK_ANGLE, measure, span);
        if (!status) {
            status = span_metric_add(evaluation, METRIC_RANGE_OF_MOTION, measure, span);
        }
        if (!status && evaluation_is_off_axis(evaluation, measure)) {
            status = off_axis_add(evaluation, measure);
        }
    }
    return status;
}

static enum status side_evaluate(struct evaluation *evaluation, enum side side)
{
    const struct session_stretch *stretch =
        &evaluation->session->stretches[evaluation->stretch];
    typedef enum status step(struct evaluation * of);
    static step *const STEPS[] = {count_add, evaluation_rules_apply, secondaries_add};
    enum status status = STATUS_OK;

    evaluation->side = side;
    evaluation->measure = evaluation->rule->measure[side];
    evaluation->sign = evaluation->rule->sign[side];
    evaluation->start_deg = stretch->zones[evaluation->part][side].start_deg;
    if ((unsigned)evaluation->measure >= MEASURE_COUNT) {
        return STATUS_OK; /* the protocol names none for this side */
    }
    evaluation_repetitions_find(evaluation);
    evaluation_quality(evaluation);
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS && !status; i++) {
        status = STEPS[i](evaluation);
    }
    return status;
}

static enum status difference_add(struct evaluation *evaluation)
{
    const struct session *session = evaluation->session;
    const struct metric *left = session_metric_find(
        session, METRIC_PEAK_ANGLE, evaluation->stretch, evaluation->part, SIDE_LEFT, 0);
    const struct metric *right = session_metric_find(
        session, METRIC_PEAK_ANGLE, evaluation->stretch, evaluation->part, SIDE_RIGHT, 0);

    if (!left || !right) {
        return STATUS_OK;
    }
    evaluation->side = SIDE_BOTH;
    struct metric metric =
        evaluation_metric(evaluation, METRIC_SIDE_DIFFERENCE, right->measure);

    metric.coverage = fmin(left->coverage, right->coverage);
    metric.value = right->value - left->value;
    metric.uncertainty = hypot(left->uncertainty, right->uncertainty);
    if (left->withheld[0]) {
        evaluation_withhold(&metric, "left: %.80s", left->withheld);
    } else if (right->withheld[0]) {
        evaluation_withhold(&metric, "right: %.80s", right->withheld);
    }
    return session_metric_add(evaluation->session, &metric);
}

static enum status part_evaluate(struct evaluation *evaluation)
{
    if (!evaluation->rule->has_sides) {
        return side_evaluate(evaluation, SIDE_BOTH);
    }
    enum status status = side_evaluate(evaluation, SIDE_LEFT);

    if (!status) {
        status = side_evaluate(evaluation, SIDE_RIGHT);
    }
    return status ? status : difference_add(evaluation);
}

/* ---------------------------------------------------------------- stretch and session */

static enum status value_add(struct evaluation *evaluation, enum metric_id id, double value,
                             const char *reason)
{
    struct metric metric = evaluation_metric(evaluation, id, MEASURE_COUNT);

    metric.coverage = 1.0;
    metric.value = value;
    if (isnan(value)) {
        evaluation_withhold(&metric, "%s", reason);
    } else {
        metric.uncertainty = 0.0;
    }
    return session_metric_add(evaluation->session, &metric);
}

static enum status guard_add(struct evaluation *evaluation, enum metric_id id,
                             enum guard_level level)
{
    const struct evaluation_span all = {-INFINITY, INFINITY};

    evaluation->side = SIDE_BOTH;
    evaluation->part = 0;
    return value_add(evaluation, id,
                     evaluation_event_count(evaluation->session, EVENT_GUARD,
                                            guard_level_text(level), evaluation->stretch,
                                            all),
                     "");
}

static enum status stretch_evaluate(struct evaluation *evaluation)
{
    const struct protocol *protocol =
        &evaluation->session->stretches[evaluation->stretch].protocol;
    enum status status = STATUS_OK;

    for (unsigned part = 0; part < protocol->part_count && !status; part++) {
        evaluation->part = part;
        evaluation->rule = &protocol->parts[part];
        status = part_evaluate(evaluation);
    }
    if (!status) {
        status = guard_add(evaluation, METRIC_GUARD_CAUTION_COUNT, GUARD_CAUTION);
    }
    return status ? status : guard_add(evaluation, METRIC_GUARD_STOP_COUNT, GUARD_STOP);
}

/* What belongs to the whole session stands behind its last stretch, part 0. */
static void session_place(struct evaluation *evaluation)
{
    const unsigned count = evaluation->session->stretch_count;

    evaluation->stretch = count < RUNNER_STRETCH_MAX ? count : RUNNER_STRETCH_MAX - 1;
    evaluation->part = 0;
    evaluation->side = SIDE_BOTH;
}

/* The doubt of the last stretch that began: it grew from one to the next. */
static double session_error_deg(struct evaluation *evaluation, enum measure measure)
{
    const unsigned place = evaluation->stretch;
    double error_deg = NAN;

    for (unsigned i = evaluation->session->stretch_count; i > 0; i--) {
        if (isfinite(evaluation->session->stretches[i - 1].start_s)) {
            evaluation->stretch = i - 1;
            error_deg = evaluation_angle_error_deg(evaluation, measure);
            break;
        }
    }
    evaluation->stretch = place;
    return error_deg;
}

/* An angle that jumps from one side of the circle to the other was taken in a posture in
 * which it has no meaning, such as roll while standing. */
static bool turns_over(const struct evaluation_slice *slice)
{
    double last_rad = NAN;

    for (size_t i = 0; i < slice->count; i++) {
        if (fabs(slice->angle_rad[i] - last_rad) > PI_RAD) {
            return true;
        }
        last_rad = isfinite(slice->angle_rad[i]) ? slice->angle_rad[i] : last_rad;
    }
    return false;
}

static enum status observed_add(struct evaluation *evaluation, enum measure measure)
{
    const struct session_angles *angles = &evaluation->session->angles;
    const struct evaluation_span all = {angles->time_s[0],
                                        angles->time_s[angles->count - 1]};
    const struct evaluation_slice slice = evaluation_slice(evaluation, measure, 1.0, all);
    struct series_range range;

    evaluation->side = measure_info_get(measure)->side;
    struct metric metric = evaluation_metric(evaluation, METRIC_OBSERVED_RANGE, measure);
    const enum status status = series_range_get(slice.angle_rad, slice.count, &range);

    metric.coverage = slice.coverage;
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    if (status) {
        evaluation_withhold(&metric, "too few samples");
    } else if (turns_over(&slice)) {
        evaluation_withhold(&metric, "not defined in every posture of the session");
    } else {
        metric.value = (range.peak_rad - range.valley_rad) * DEG_PER_RAD;
        metric.uncertainty = session_error_deg(evaluation, measure);
    }
    return session_metric_add(evaluation->session, &metric);
}

static enum status observed_all_add(struct evaluation *evaluation)
{
    const struct session_angles *angles = &evaluation->session->angles;
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < MEASURE_COUNT && angles->count > 0 && !status; i++) {
        if (angles->angle_rad[i]) {
            status = observed_add(evaluation, (enum measure)i);
        }
    }
    evaluation->side = SIDE_BOTH;
    return status;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* A mark counts unless the operator took it back before the next one. */
static bool pain_stands(const struct session *session, size_t index)
{
    for (size_t i = index + 1; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (event->type == EVENT_PAIN) {
            return true;
        }
        if (event->type == EVENT_OPERATOR && strcmp(event->label, "undo") == 0) {
            return false;
        }
    }
    return true;
}

/* Answers before and after come with the screening; marks are events; the last mark after
 * the end is the answer to "pain now?". -1 = not asked. */
static void pain_collect(struct session *session)
{
    bool is_over = false;
    if (session->pain_before < 0) {
        session->pain_before = session->screening.pain_now;
    }
    if (session->pain_after < 0) {
        session->pain_after = session->screening.pain_after;
    }
    session->pain_highest =
        larger(session->pain_highest, larger(session->pain_before, session->pain_after));
    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        is_over = is_over
                  || (event->type == EVENT_PHASE
                      && (strcmp(event->label, "DONE") == 0
                          || strcmp(event->label, "ABORTED") == 0));
        if (event->type != EVENT_PAIN || !isfinite(event->value)
            || !pain_stands(session, i)) {
            continue;
        }
        const int pain = (int)lround(event->value);
        session->pain_highest = larger(session->pain_highest, pain);
        if (is_over && session->screening.pain_after < 0) {
            session->pain_after = pain;
        }
    }
}

static enum status pain_add(struct evaluation *evaluation, enum metric_id id, int pain)
{
    return value_add(evaluation, id, pain >= 0 ? (double)pain : (double)NAN, "not asked");
}

static enum status session_metrics_add(struct evaluation *evaluation)
{
    const struct session *session = evaluation->session;

    session_place(evaluation);
    enum status status = observed_all_add(evaluation);

    if (!status) {
        status = pain_add(evaluation, METRIC_PAIN_BEFORE, session->pain_before);
    }
    if (!status) {
        status = pain_add(evaluation, METRIC_PAIN_HIGHEST, session->pain_highest);
    }
    return status ? status : pain_add(evaluation, METRIC_PAIN_AFTER, session->pain_after);
}

static unsigned worn_roles(const struct session *session)
{
    unsigned worn = 0;

    for (unsigned i = 0; i < session->sensor_count; i++) {
        worn |= 1u << session->sensors[i].role;
    }
    return worn;
}

static void evaluation_destroy(struct evaluation *evaluation)
{
    if (evaluation) {
        free(evaluation->angle_rad);
        free(evaluation->rate_rad_s);
        free(evaluation);
    }
}

static struct evaluation *evaluation_create(struct session *session)
{
    const size_t count = session->angles.count + 1; /* never zero */
    struct evaluation *evaluation = calloc(1, sizeof *evaluation);

    if (!evaluation) {
        return NULL;
    }
    evaluation->session = session;
    evaluation->worn = worn_roles(session);
    evaluation->angle_rad = calloc(count, sizeof *evaluation->angle_rad);
    evaluation->rate_rad_s = calloc(count, sizeof *evaluation->rate_rad_s);
    if (!evaluation->angle_rad || !evaluation->rate_rad_s) {
        evaluation_destroy(evaluation);
        return NULL;
    }
    return evaluation;
}

enum status session_evaluate(struct session *session)
{
    struct evaluation *evaluation = evaluation_create(session);
    enum status status = STATUS_OK;

    if (!evaluation) {
        return STATUS_NO_MEMORY;
    }
    session->metric_count = 0;
    pain_collect(session);
    for (unsigned i = 0; i < session->stretch_count && !status; i++) {
        evaluation->stretch = i;
        status = stretch_evaluate(evaluation);
    }
    if (!status) {
        status = session_metrics_add(evaluation);
    }
    evaluation_destroy(evaluation);
    if (!status) {
        evaluation_grade(session);
    }
    return status;
}

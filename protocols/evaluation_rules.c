/* How each metric is computed: one table row per metric, one function per row. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/series.h"
#include "base/units.h"
#include "protocols/evaluation.h"

enum {
    KIND_HOLD = 1u << PROTOCOL_HOLD,
    KIND_CYCLE = 1u << PROTOCOL_CYCLE
};

static const double COVERAGE_MIN = 0.95;

/* Start and end of a hold on the 100 Hz grid of smoothed angles: acceptance target of the
 * hold detector (clinical reference 3.4). */
static const double HOLD_TIME_ERROR_S = 0.05;

/* Coefficients of variation of small ranges say nothing (3.3). */
static const double VARIATION_MEAN_MIN_DEG = 8.0;

/* Shares of a small bend say nothing. Project default. */
static const double SHARE_BEND_MIN_DEG = 15.0;

/* The start posture before a bend: onset is noticed 5 deg late. */
static const double START_BEFORE_S = 1.5;
static const double START_UNTIL_S = 0.5;

static const double BREATHING_TIME_MIN_S = 30.0;

/* Where the doubt of a value comes from. */
enum uncertainty {
    UNCERTAINTY_UNKNOWN,
    UNCERTAINTY_ANGLE,
    UNCERTAINTY_HOLD_TIME,
    UNCERTAINTY_OWN /* the function sets it */
};

typedef void metric_compute(struct evaluation *evaluation,
                            const struct evaluation_repetition *repetition,
                            struct metric *metric);
typedef bool metric_applies(const struct evaluation *evaluation);

struct metric_rule {
    enum metric_id id;
    unsigned kinds;
    bool needs_result;   /* a hold or cycle; else a movement is enough */
    bool needs_coverage; /* withheld with too little data */
    enum uncertainty uncertainty;
    metric_compute *compute;
    metric_applies *applies; /* NULL = always */
};

/* -------------------------------------------------------------------- shared helpers */

struct metric evaluation_metric(const struct evaluation *evaluation, enum metric_id id,
                                enum measure measure)
{
    struct metric metric;

    memset(&metric, 0, sizeof metric);
    metric.id = id;
    metric.measure = measure;
    metric.side = evaluation->side;
    metric.stretch = evaluation->stretch;
    metric.part = evaluation->part;
    metric.value = NAN;
    metric.uncertainty = NAN;
    metric.quality = NAN;
    return metric;
}

void evaluation_withhold(struct metric *metric, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(metric->withheld, sizeof metric->withheld, format, arguments);
    va_end(arguments);
    metric->value = NAN;
    metric->uncertainty = NAN;
}

/* First role of a mask. */
static const char *role_of_mask(unsigned mask)
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (mask & 1u << role) {
            return role_text((enum role)role);
        }
    }
    return "";
}

static bool is_uncalibrated(const struct session *session, unsigned mask)
{
    for (unsigned i = 0; i < session->sensor_count; i++) {
        const struct session_sensor *sensor = &session->sensors[i];
        if (mask & 1u << sensor->role && role_is_flex(sensor->role)
            && sensor->flex.term_count == 0) {
            return true;
        }
    }
    return false;
}

void evaluation_missing_reason(const struct evaluation *evaluation, enum measure measure,
                               char reason[METRIC_REASON_SIZE])
{
    const struct measure_info *info = measure_info_get(measure);

    reason[0] = '\0';
    if (evaluation->session->angles.angle_rad[measure]) {
        return;
    }
    for (size_t i = 0; i < sizeof info->roles / sizeof *info->roles; i++) {
        if (info->roles[i] && !(info->roles[i] & evaluation->worn)) {
            snprintf(reason, METRIC_REASON_SIZE, "sensor not worn: %s",
                     role_of_mask(info->roles[i]));
            return;
        }
        if (is_uncalibrated(evaluation->session, info->roles[i])) {
            snprintf(reason, METRIC_REASON_SIZE, "not calibrated: %s",
                     role_of_mask(info->roles[i]));
            return;
        }
    }
    snprintf(reason, METRIC_REASON_SIZE, "the sensors gave no data");
}

double evaluation_angle_error_deg(const struct evaluation *evaluation, enum measure measure)
{
    const struct pipeline_error *error =
        &evaluation->session->stretches[evaluation->stretch].errors[measure];
    const double square =
        error->noise_rad * error->noise_rad + error->alignment_rad * error->alignment_rad
        + error->heading_rad * error->heading_rad + error->skin_rad * error->skin_rad;

    return 1.96 * sqrt(square) * DEG_PER_RAD;
}

static struct evaluation_slice primary_slice(struct evaluation *evaluation,
                                             struct evaluation_span span)
{
    return evaluation_slice(evaluation, evaluation->measure, evaluation->sign, span);
}

/* False, and withheld, without enough samples. */
static bool range_take(struct evaluation *evaluation,
                       const struct evaluation_repetition *repetition,
                       struct series_range *range, struct metric *metric)
{
    const struct evaluation_slice slice = primary_slice(evaluation, repetition->whole);

    if (slice.count == 0 || series_range_get(slice.angle_rad, slice.count, range)) {
        evaluation_withhold(metric, "too few samples");
        return false;
    }
    return true;
}

static bool hold_take(struct evaluation *evaluation,
                      const struct evaluation_repetition *repetition,
                      struct series_hold *hold, struct metric *metric)
{
    const struct evaluation_slice slice = primary_slice(evaluation, repetition->hold);

    metric->coverage = slice.coverage;
    if (slice.count == 0
        || series_hold_get(slice.time_s, slice.angle_rad, slice.rate_rad_s, slice.count,
                           hold)) {
        evaluation_withhold(metric, "too few samples in the hold");
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ angles and times */

static void compute_peak(struct evaluation *evaluation,
                         const struct evaluation_repetition *repetition,
                         struct metric *metric)
{
    struct series_range range;

    if (range_take(evaluation, repetition, &range, metric)) {
        metric->value = range.peak_rad * DEG_PER_RAD;
    }
}

static void compute_hold_range(struct evaluation *evaluation,
                               const struct evaluation_repetition *repetition,
                               struct metric *metric)
{
    struct series_range range;

    if (isnan(evaluation->start_deg)) {
        evaluation_withhold(metric, "the start posture was not measured");
    } else if (range_take(evaluation, repetition, &range, metric)) {
        metric->value = fabs(range.peak_rad * DEG_PER_RAD - evaluation->start_deg);
    }
}

static void compute_cycle_range(struct evaluation *evaluation,
                                const struct evaluation_repetition *repetition,
                                struct metric *metric)
{
    struct series_range range;

    if (range_take(evaluation, repetition, &range, metric)) {
        metric->value = (range.peak_rad - range.valley_rad) * DEG_PER_RAD;
    }
}

static void compute_hold_time(struct evaluation *evaluation,
                              const struct evaluation_repetition *repetition,
                              struct metric *metric)
{
    (void)evaluation;
    metric->value = repetition->credited_s;
}

static void compute_hold_mean(struct evaluation *evaluation,
                              const struct evaluation_repetition *repetition,
                              struct metric *metric)
{
    struct series_hold hold;

    if (hold_take(evaluation, repetition, &hold, metric)) {
        metric->value = hold.mean_rad * DEG_PER_RAD;
    }
}

static void compute_wobble(struct evaluation *evaluation,
                           const struct evaluation_repetition *repetition,
                           struct metric *metric)
{
    struct series_hold hold;

    if (hold_take(evaluation, repetition, &hold, metric)) {
        metric->value = hold.wobble_rad * DEG_PER_RAD;
    }
}

static void compute_stillness(struct evaluation *evaluation,
                              const struct evaluation_repetition *repetition,
                              struct metric *metric)
{
    struct series_hold hold;

    if (hold_take(evaluation, repetition, &hold, metric)) {
        metric->value = hold.stillness_rad_s * DEG_PER_RAD;
    }
}

static void compute_slope(struct evaluation *evaluation,
                          const struct evaluation_repetition *repetition,
                          struct metric *metric)
{
    struct series_hold hold;

    if (!hold_take(evaluation, repetition, &hold, metric)) {
        return;
    }
    if (isnan(hold.slope_rad_s)) {
        evaluation_withhold(metric, "hold too short for a slope");
        return;
    }
    metric->value = hold.slope_rad_s * DEG_PER_RAD * 60.0;
    metric->uncertainty =
        (hold.slope_high_rad_s - hold.slope_low_rad_s) / 2.0 * DEG_PER_RAD * 60.0;
}

static void compute_cycle_time(struct evaluation *evaluation,
                               const struct evaluation_repetition *repetition,
                               struct metric *metric)
{
    (void)evaluation;
    metric->value = repetition->whole.end_s - repetition->whole.start_s;
}

static void compute_move_in_time(struct evaluation *evaluation,
                                 const struct evaluation_repetition *repetition,
                                 struct metric *metric)
{
    (void)evaluation;
    metric->value = repetition->move_in.end_s - repetition->move_in.start_s;
    if (isnan(metric->value)) {
        evaluation_withhold(metric, "the onset of the movement was not seen");
    }
}

static void compute_move_out_time(struct evaluation *evaluation,
                                  const struct evaluation_repetition *repetition,
                                  struct metric *metric)
{
    metric->value = repetition->move_out.end_s - repetition->move_out.start_s;
    if (isnan(evaluation->start_deg)) {
        evaluation_withhold(metric, "the start posture was not measured");
    } else if (isnan(metric->value)) {
        evaluation_withhold(metric, "did not come back to the start posture");
    }
}

/* ------------------------------------------------------------------------- movements */

static double fastest_rad_s(struct evaluation *evaluation, struct evaluation_span span)
{
    const struct evaluation_slice slice = primary_slice(evaluation, span);
    double fastest = NAN;

    for (size_t i = 0; i < slice.count; i++) {
        fastest = fmax(fastest, fabs(slice.rate_rad_s[i])); /* fmax passes NaN over */
    }
    return fastest;
}

static void compute_peak_rate(struct evaluation *evaluation,
                              const struct evaluation_repetition *repetition,
                              struct metric *metric)
{
    const bool is_hold = evaluation->rule->kind == PROTOCOL_HOLD;
    const struct evaluation_span out = {repetition->hold.end_s, repetition->whole.end_s};
    const double fastest = is_hold ? fmax(fastest_rad_s(evaluation, repetition->move_in),
                                          fastest_rad_s(evaluation, out))
                                   : fastest_rad_s(evaluation, repetition->whole);

    metric->value = fastest * DEG_PER_RAD;
    if (isnan(metric->value)) {
        evaluation_withhold(metric, "no move in or out was seen");
    }
}

typedef enum status smoothness_get(const double *speed, size_t count, double rate_hz,
                                   double *value);

static void compute_smoothness(struct evaluation *evaluation,
                               const struct evaluation_repetition *repetition,
                               smoothness_get *get, struct metric *metric)
{
    const struct evaluation_slice slice = primary_slice(evaluation, repetition->move_in);
    double value;

    metric->coverage = slice.coverage;
    for (size_t i = 0; i < slice.count; i++) {
        evaluation->rate_rad_s[i] = fabs(evaluation->rate_rad_s[i]);
    }
    if (slice.count == 0) {
        evaluation_withhold(metric, "the onset of the movement was not seen");
    } else if (get(slice.rate_rad_s, slice.count, POSE_RATE_HZ, &value)) {
        evaluation_withhold(metric, "the move in is too short or has gaps");
    } else {
        metric->value = value;
    }
}

static void compute_sparc(struct evaluation *evaluation,
                          const struct evaluation_repetition *repetition,
                          struct metric *metric)
{
    compute_smoothness(evaluation, repetition, series_sparc, metric);
}

static void compute_ldlj(struct evaluation *evaluation,
                         const struct evaluation_repetition *repetition,
                         struct metric *metric)
{
    compute_smoothness(evaluation, repetition, series_ldlj, metric);
}

/* ------------------------------------------------------------------ share, breathing */

static bool has_measure(const struct protocol_part *rule, enum side side,
                        enum measure measure)
{
    bool has = rule->measure[side] == measure;

    for (unsigned i = 0; i < rule->secondary_count; i++) {
        has = has || rule->secondary[i] == measure;
    }
    return has;
}

static bool applies_share(const struct evaluation *evaluation)
{
    return has_measure(evaluation->rule, evaluation->side, MEASURE_LUMBAR_FLEXION)
           && has_measure(evaluation->rule, evaluation->side, MEASURE_PELVIS_INCLINATION);
}

static double mean_rad(struct evaluation *evaluation, enum measure measure,
                       struct evaluation_span span)
{
    const struct evaluation_slice slice = evaluation_slice(evaluation, measure, 1.0, span);
    struct series_summary summary;

    if (slice.count == 0
        || series_summary_get(slice.angle_rad, slice.count, 0.0, &summary)) {
        return NAN;
    }
    return summary.mean;
}

/* Change of an angle from the start posture to the hold. */
static double change_deg(struct evaluation *evaluation, enum measure measure,
                         const struct evaluation_repetition *repetition)
{
    const struct evaluation_span start = {repetition->move_in.start_s - START_BEFORE_S,
                                          repetition->move_in.start_s - START_UNTIL_S};

    return (mean_rad(evaluation, measure, repetition->hold)
            - mean_rad(evaluation, measure, start))
           * DEG_PER_RAD;
}

static void compute_share(struct evaluation *evaluation,
                          const struct evaluation_repetition *repetition,
                          struct metric *metric)
{
    const double lumbar_deg = change_deg(evaluation, MEASURE_LUMBAR_FLEXION, repetition);
    const double pelvis_deg =
        change_deg(evaluation, MEASURE_PELVIS_INCLINATION, repetition);
    const double sum_deg = lumbar_deg + pelvis_deg;
    const double lumbar_error =
        evaluation_angle_error_deg(evaluation, MEASURE_LUMBAR_FLEXION);
    const double pelvis_error =
        evaluation_angle_error_deg(evaluation, MEASURE_PELVIS_INCLINATION);

    metric->measure = MEASURE_LUMBAR_FLEXION;
    if (isnan(sum_deg)) {
        evaluation_withhold(metric,
                            "low back or pelvis has no data in start posture or hold");
    } else if (sum_deg < SHARE_BEND_MIN_DEG) {
        evaluation_withhold(metric, "bend below %g deg", SHARE_BEND_MIN_DEG);
    } else {
        metric->value = 100.0 * lumbar_deg / sum_deg;
        metric->uncertainty = 100.0 / (sum_deg * sum_deg)
                              * hypot(pelvis_deg * lumbar_error, lumbar_deg * pelvis_error);
    }
}

static bool applies_breathing(const struct evaluation *evaluation)
{
    return evaluation->rule->hold_s >= BREATHING_TIME_MIN_S;
}

/* The trunk's tilt where it is measured, else the primary angle. */
static enum measure breathing_measure(const struct evaluation *evaluation)
{
    const struct session_angles *angles = &evaluation->session->angles;

    if (angles->angle_rad[MEASURE_STERNUM_INCLINATION]) {
        return MEASURE_STERNUM_INCLINATION;
    }
    return angles->angle_rad[MEASURE_THORAX_INCLINATION] ? MEASURE_THORAX_INCLINATION
                                                         : evaluation->measure;
}

static void compute_breathing(struct evaluation *evaluation,
                              const struct evaluation_repetition *repetition,
                              struct metric *metric)
{
    const enum measure measure = breathing_measure(evaluation);
    const struct evaluation_slice slice =
        evaluation_slice(evaluation, measure, 1.0, repetition->hold);
    double value;

    metric->measure = measure;
    metric->coverage = slice.coverage;
    if (repetition->hold.end_s - repetition->hold.start_s < BREATHING_TIME_MIN_S) {
        evaluation_withhold(metric, "hold shorter than %g s", BREATHING_TIME_MIN_S);
    } else if (slice.count == 0
               || series_breathing(slice.angle_rad, slice.count, POSE_RATE_HZ, &value)) {
        evaluation_withhold(metric, "no clear breathing rhythm");
    } else {
        metric->value = value;
    }
}

/* ------------------------------------------------------------------------- the table */

static const struct metric_rule RULES[] = {
    {METRIC_PEAK_ANGLE, KIND_HOLD | KIND_CYCLE, false, true, UNCERTAINTY_ANGLE,
     compute_peak, NULL},
    {METRIC_RANGE_OF_MOTION, KIND_HOLD, false, true, UNCERTAINTY_ANGLE, compute_hold_range,
     NULL},
    {METRIC_RANGE_OF_MOTION, KIND_CYCLE, true, true, UNCERTAINTY_ANGLE, compute_cycle_range,
     NULL},
    {METRIC_HOLD_TIME, KIND_HOLD, true, false, UNCERTAINTY_HOLD_TIME, compute_hold_time,
     NULL},
    {METRIC_HOLD_MEAN_ANGLE, KIND_HOLD, true, true, UNCERTAINTY_ANGLE, compute_hold_mean,
     NULL},
    {METRIC_HOLD_WOBBLE, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_wobble, NULL},
    {METRIC_HOLD_STILLNESS, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_stillness,
     NULL},
    {METRIC_HOLD_SLOPE, KIND_HOLD, true, true, UNCERTAINTY_OWN, compute_slope, NULL},
    {METRIC_CYCLE_TIME, KIND_CYCLE, true, true, UNCERTAINTY_UNKNOWN, compute_cycle_time,
     NULL},
    {METRIC_MOVE_IN_TIME, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_move_in_time,
     NULL},
    {METRIC_MOVE_OUT_TIME, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN,
     compute_move_out_time, NULL},
    {METRIC_MOVE_PEAK_RATE, KIND_HOLD | KIND_CYCLE, true, true, UNCERTAINTY_UNKNOWN,
     compute_peak_rate, NULL},
    {METRIC_SMOOTHNESS_SPARC, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_sparc,
     NULL},
    {METRIC_SMOOTHNESS_LDLJ, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_ldlj,
     NULL},
    {METRIC_LUMBAR_SHARE, KIND_HOLD, true, true, UNCERTAINTY_OWN, compute_share,
     applies_share},
    {METRIC_BREATHING_RATE, KIND_HOLD, true, true, UNCERTAINTY_UNKNOWN, compute_breathing,
     applies_breathing},
};

static const char *nothing_detected(const struct evaluation *evaluation)
{
    return evaluation->rule->kind == PROTOCOL_HOLD ? "no hold was detected"
                                                   : "no cycle was counted";
}

/* False, and withheld, where the rule's conditions are not met. */
static bool may_compute(const struct evaluation *evaluation, const struct metric_rule *rule,
                        const struct evaluation_repetition *repetition,
                        struct metric *metric)
{
    if (rule->needs_result && !repetition->has_result) {
        evaluation_withhold(metric, "%s", nothing_detected(evaluation));
        return false;
    }
    if (!rule->needs_coverage) {
        return true;
    }
    evaluation_missing_reason(evaluation, evaluation->measure, metric->withheld);
    if (metric->withheld[0]) {
        return false;
    }
    if (repetition->coverage < COVERAGE_MIN) {
        evaluation_withhold(metric, "no data for %.0f %% of the movement",
                            ceil(100.0 * (1.0 - repetition->coverage)));
        return false;
    }
    return true;
}

static double uncertainty_of(const struct evaluation *evaluation,
                             const struct metric_rule *rule, const struct metric *metric)
{
    switch (rule->uncertainty) {
    case UNCERTAINTY_ANGLE:
        return evaluation_angle_error_deg(evaluation, metric->measure);
    case UNCERTAINTY_HOLD_TIME:
        return HOLD_TIME_ERROR_S;
    case UNCERTAINTY_OWN:
        return metric->uncertainty;
    case UNCERTAINTY_UNKNOWN:
        break;
    }
    return NAN;
}

static struct metric row_make(struct evaluation *evaluation, const struct metric_rule *rule,
                              const struct evaluation_repetition *repetition)
{
    struct metric metric = evaluation_metric(evaluation, rule->id, evaluation->measure);

    metric.repetition = repetition->number;
    metric.coverage = repetition->coverage;
    metric.quality = repetition->quality;
    memcpy(metric.remark, repetition->remark, sizeof metric.remark);
    if (may_compute(evaluation, rule, repetition, &metric)) {
        rule->compute(evaluation, repetition, &metric);
    }
    if (isfinite(metric.value)) {
        metric.uncertainty = uncertainty_of(evaluation, rule, &metric);
    }
    return metric;
}

/* Sums over the repetitions that count. */
struct total {
    double value;
    double uncertainty;
    double coverage;
    double quality;
    unsigned used_count;
};

static struct total total_of(const struct evaluation *evaluation)
{
    struct total total = {0.0, 0.0, 0.0, 0.0, 0};

    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        const struct metric *row = &evaluation->rows[i];
        total.coverage += row->coverage;
        total.quality += row->quality;
        if (isfinite(row->value) && !evaluation->repetitions[i].is_void) {
            total.value += row->value;
            total.uncertainty += row->uncertainty;
            total.used_count++;
        }
    }
    return total;
}

static const char *first_reason(const struct evaluation *evaluation)
{
    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        if (evaluation->rows[i].withheld[0]) {
            return evaluation->rows[i].withheld;
        }
    }
    return evaluation->repetition_count > 0 ? "no repetition can be used"
                                            : nothing_detected(evaluation);
}

static void overall_withhold(const struct evaluation *evaluation, struct metric *metric)
{
    evaluation_missing_reason(evaluation, evaluation->measure, metric->withheld);
    if (!metric->withheld[0]) {
        evaluation_withhold(metric, "%s", first_reason(evaluation));
    }
}

/* Mean over the repetitions that are not void; the uncertainty does not shrink with their
 * number, as most of it is the same for all. */
static struct metric overall_make(const struct evaluation *evaluation,
                                  const struct metric_rule *rule)
{
    const struct total total = total_of(evaluation);
    const unsigned count = evaluation->repetition_count;
    struct metric metric =
        evaluation_metric(evaluation, rule->id,
                          count > 0 ? evaluation->rows[0].measure : evaluation->measure);

    if (count > 0) {
        metric.coverage = total.coverage / count;
        metric.quality = total.quality / count;
    }
    if (total.used_count == 0) {
        overall_withhold(evaluation, &metric);
        return metric;
    }
    metric.value = total.value / total.used_count;
    metric.uncertainty = total.uncertainty / total.used_count;
    if (total.used_count < count) {
        snprintf(metric.remark, sizeof metric.remark, "%u of %u repetitions used",
                 total.used_count, count);
    }
    return metric;
}

static enum status variation_add(struct evaluation *evaluation, enum metric_id id,
                                 double mean_min)
{
    struct metric metric = evaluation_metric(evaluation, id, evaluation->measure);
    double values[EVALUATION_REPETITION_MAX];
    struct series_summary summary;

    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        values[i] =
            evaluation->repetitions[i].is_void ? (double)NAN : evaluation->rows[i].value;
        metric.coverage += evaluation->rows[i].coverage;
    }
    if (evaluation->repetition_count > 0) {
        metric.coverage /= evaluation->repetition_count;
    }
    const enum status status =
        series_summary_get(values, evaluation->repetition_count, mean_min, &summary);

    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    if (status || summary.count < 2) {
        evaluation_withhold(&metric, "fewer than 2 repetitions");
    } else if (isnan(summary.variation_percent)) {
        evaluation_withhold(&metric, "mean below %g deg", mean_min);
    } else {
        metric.value = summary.variation_percent;
    }
    return session_metric_add(evaluation->session, &metric);
}

/* Spread of what the rows hold. */
static enum status spread_add(struct evaluation *evaluation, const struct metric_rule *rule)
{
    if (evaluation->rule->kind != PROTOCOL_CYCLE) {
        return STATUS_OK;
    }
    if (rule->id == METRIC_RANGE_OF_MOTION) {
        return variation_add(evaluation, METRIC_CYCLE_VARIATION, VARIATION_MEAN_MIN_DEG);
    }
    if (rule->id == METRIC_CYCLE_TIME) {
        return variation_add(evaluation, METRIC_TEMPO_VARIATION, 0.0);
    }
    return STATUS_OK;
}

static enum status rule_apply(struct evaluation *evaluation, const struct metric_rule *rule)
{
    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        evaluation->rows[i] = row_make(evaluation, rule, &evaluation->repetitions[i]);
    }
    const struct metric overall = overall_make(evaluation, rule);
    enum status status = session_metric_add(evaluation->session, &overall);

    for (unsigned i = 0; i < evaluation->repetition_count && !status; i++) {
        status = session_metric_add(evaluation->session, &evaluation->rows[i]);
    }
    return status ? status : spread_add(evaluation, rule);
}

enum status evaluation_rules_apply(struct evaluation *evaluation)
{
    const unsigned kind = 1u << evaluation->rule->kind;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof RULES / sizeof *RULES && !status; i++) {
        const struct metric_rule *rule = &RULES[i];
        if (rule->kinds & kind && (!rule->applies || rule->applies(evaluation))) {
            status = rule_apply(evaluation, rule);
        }
    }
    return status;
}

/* The quality score of a repetition (clinical reference 2.7, project defaults): starts at
 * 100 and says what it lost and why. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/series.h"
#include "base/units.h"
#include "protocols/evaluation.h"

static const double COVERAGE_MIN = 0.95;
static const double SHORT_SHARE = 0.9;
static const double OFF_AXIS_MAX_PERCENT = 40.0;

/* Below this a ratio of ranges is a ratio of errors. */
static const double OFF_AXIS_RANGE_MIN_DEG = 8.0;

/* Bouncing: the hold was left and found again, or its rate is over the limit of stillness
 * (3.4). */
static const double BOUNCE_RATE_DEG_S = 5.0;

/* Guard events are stamped with the newest raw rate, ahead of the smoothed angles. */
static const double GUARD_LEAD_S = 0.2;

static void remark_add(struct evaluation_repetition *repetition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void remark_add(struct evaluation_repetition *repetition, const char *format, ...)
{
    const size_t used = strlen(repetition->remark);
    const size_t size = sizeof repetition->remark;
    char text[METRIC_REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(repetition->remark + used, size - used, "%s%.90s", used > 0 ? "; " : "", text);
}

bool evaluation_is_off_axis(const struct evaluation *evaluation, enum measure secondary)
{
    return secondary != evaluation->measure
           && measure_info_get(secondary)->plane
                  != measure_info_get(evaluation->measure)->plane;
}

/* NaN without data. */
static double range_deg(struct evaluation *evaluation, enum measure measure,
                        struct evaluation_span span)
{
    const struct evaluation_slice slice = evaluation_slice(evaluation, measure, 1.0, span);
    struct series_range range;

    if (slice.count == 0 || series_range_get(slice.angle_rad, slice.count, &range)) {
        return NAN;
    }
    return (range.peak_rad - range.valley_rad) * DEG_PER_RAD;
}

double evaluation_off_axis_percent(struct evaluation *evaluation, enum measure secondary,
                                   struct evaluation_span span)
{
    const double primary_deg = range_deg(evaluation, evaluation->measure, span);
    const double secondary_deg = range_deg(evaluation, secondary, span);

    return primary_deg >= OFF_AXIS_RANGE_MIN_DEG ? 100.0 * secondary_deg / primary_deg
                                                 : (double)NAN;
}

static unsigned guard_count(const struct evaluation *evaluation,
                            const struct evaluation_repetition *repetition,
                            const char *label)
{
    const struct evaluation_span span = {repetition->whole.start_s,
                                         repetition->whole.end_s + GUARD_LEAD_S};

    return evaluation_event_count(evaluation->session, EVENT_GUARD, label,
                                  evaluation->stretch, span);
}

/* Each rule returns what it takes off, with its remark added. */
static double rule_short(struct evaluation *evaluation,
                         struct evaluation_repetition *repetition)
{
    const double target_s = evaluation->rule->hold_s;

    if (evaluation->rule->kind != PROTOCOL_HOLD
        || repetition->credited_s >= SHORT_SHARE * target_s) {
        return 0.0;
    }
    remark_add(repetition, "held %.1f s of %g s", repetition->credited_s, target_s);
    return 20.0;
}

static double rule_tempo(struct evaluation *evaluation,
                         struct evaluation_repetition *repetition)
{
    const double time_s = repetition->whole.end_s - repetition->whole.start_s;

    if (evaluation->rule->kind != PROTOCOL_CYCLE) {
        return 0.0;
    }
    if (time_s < evaluation->rule->cycle_min_s) {
        remark_add(repetition, "faster than %g s", evaluation->rule->cycle_min_s);
        return 10.0;
    }
    if (evaluation->rule->cycle_max_s > 0.0 && time_s > evaluation->rule->cycle_max_s) {
        remark_add(repetition, "slower than %g s", evaluation->rule->cycle_max_s);
        return 10.0;
    }
    return 0.0;
}

static double rule_bounce(struct evaluation *evaluation,
                          struct evaluation_repetition *repetition)
{
    if (evaluation->rule->kind != PROTOCOL_HOLD || !repetition->has_result) {
        return 0.0;
    }
    if (repetition->hold_count > 1) {
        remark_add(repetition, "hold in %u parts", repetition->hold_count);
        return 10.0;
    }
    const struct evaluation_slice slice = evaluation_slice(
        evaluation, evaluation->measure, evaluation->sign, repetition->hold);
    struct series_hold hold;

    if (slice.count > 0
        && !series_hold_get(slice.time_s, slice.angle_rad, slice.rate_rad_s, slice.count,
                            &hold)
        && hold.stillness_rad_s * DEG_PER_RAD > BOUNCE_RATE_DEG_S) {
        remark_add(repetition, "moved in the hold");
        return 10.0;
    }
    return 0.0;
}

static double rule_off_axis(struct evaluation *evaluation,
                            struct evaluation_repetition *repetition)
{
    double worst_percent = 0.0;

    for (unsigned i = 0; i < evaluation->rule->secondary_count; i++) {
        const enum measure secondary = evaluation->rule->secondary[i];
        if (evaluation_is_off_axis(evaluation, secondary)) {
            worst_percent =
                fmax(worst_percent, /* fmax passes NaN over */
                     evaluation_off_axis_percent(evaluation, secondary, repetition->whole));
        }
    }
    if (worst_percent <= OFF_AXIS_MAX_PERCENT) {
        return 0.0;
    }
    remark_add(repetition, "off-axis movement %.0f %%", worst_percent);
    return 10.0;
}

static double rule_caution(struct evaluation *evaluation,
                           struct evaluation_repetition *repetition)
{
    if (guard_count(evaluation, repetition, guard_level_text(GUARD_CAUTION)) == 0) {
        return 0.0;
    }
    remark_add(repetition, "too fast: caution");
    return 20.0;
}

static double rule_void(struct evaluation *evaluation,
                        struct evaluation_repetition *repetition)
{
    if (guard_count(evaluation, repetition, guard_level_text(GUARD_STOP)) > 0) {
        remark_add(repetition, "too fast: stopped");
        repetition->is_void = true;
    }
    if (repetition->coverage < COVERAGE_MIN) {
        remark_add(repetition, "no data for %.0f %% of the movement",
                   ceil(100.0 * (1.0 - repetition->coverage)));
        repetition->is_void = true;
    }
    return repetition->is_void ? 100.0 : 0.0;
}

typedef double quality_rule(struct evaluation *evaluation,
                            struct evaluation_repetition *repetition);

/* What voids comes first: remarks may be cut. */
static quality_rule *const RULES[] = {
    rule_void, rule_short, rule_tempo, rule_bounce, rule_off_axis, rule_caution,
};

void evaluation_quality(struct evaluation *evaluation)
{
    for (unsigned i = 0; i < evaluation->repetition_count; i++) {
        struct evaluation_repetition *repetition = &evaluation->repetitions[i];
        double score = 100.0;

        for (size_t k = 0; k < sizeof RULES / sizeof *RULES; k++) {
            score -= RULES[k](evaluation, repetition);
        }
        repetition->quality = fmax(score, 0.0);
    }
}

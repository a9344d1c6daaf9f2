#include "report/progress.h"

#include <math.h>
#include <string.h>

/* Below this share of samples a value is not good enough to compare (2.7: void below 95 %).
 */
static const double COVERAGE_MIN = 0.95;

const char *progress_reason_text(enum progress_reason reason)
{
    switch (reason) {
    case PROGRESS_COMPARABLE:
        return "";
    case PROGRESS_FIRST_TIME:
        return "first time";
    case PROGRESS_PLACEMENT:
        return "other placement";
    case PROGRESS_VERSION:
        return "other version";
    case PROGRESS_QUALITY:
        return "low data quality";
    case PROGRESS_WITHHELD:
        return "no value";
    case PROGRESS_NO_LIMIT:
        return "no MDC95";
    }
    return "";
}

static bool quality_is_low(const struct session *session, const struct metric *metric)
{
    return session->grade == 'F' || metric->coverage < COVERAGE_MIN;
}

static bool metric_is_same(const struct metric *a, const struct metric *b)
{
    return a->id == b->id && a->measure == b->measure && a->side == b->side
           && a->part == b->part && a->repetition == b->repetition;
}

/* True for values of the whole recording, which stand beside the stretches. */
static bool is_of_session(const struct session *session, const struct metric *metric)
{
    return metric->id == METRIC_OBSERVED_RANGE || metric->stretch >= session->stretch_count;
}

static const struct metric *find_in_session(const struct session *session,
                                            const struct metric *wanted)
{
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == wanted->id && metric->measure == wanted->measure
            && metric->side == wanted->side && isfinite(metric->value)) {
            return metric;
        }
    }
    return NULL;
}

static const struct metric *find_in_stretch(const struct session *session, unsigned stretch,
                                            const struct metric *wanted)
{
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->stretch == stretch && metric_is_same(metric, wanted)
            && isfinite(metric->value)) {
            return metric;
        }
    }
    return NULL;
}

/* Why a value of a stretch of the same name is none to compare with. */
static enum progress_reason compare_stretch(const struct session *session,
                                            const struct protocol *then,
                                            const struct protocol *now,
                                            const struct metric *metric)
{
    if (strcmp(then->placement, now->placement) != 0) {
        return PROGRESS_PLACEMENT;
    }
    if (strcmp(then->version, now->version) != 0) {
        return PROGRESS_VERSION;
    }
    if (!metric) {
        return PROGRESS_FIRST_TIME;
    }
    return quality_is_low(session, metric) ? PROGRESS_QUALITY : PROGRESS_COMPARABLE;
}

const struct metric *progress_find(const struct session *session,
                                   const struct session *today, const struct metric *metric,
                                   enum progress_reason *reason)
{
    *reason = PROGRESS_FIRST_TIME;
    if (is_of_session(today, metric)) {
        const struct metric *found = find_in_session(session, metric);
        *reason = found ? PROGRESS_COMPARABLE : PROGRESS_FIRST_TIME;
        return found;
    }
    const struct protocol *now = &today->stretches[metric->stretch].protocol;
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const struct protocol *then = &session->stretches[i].protocol;
        if (strcmp(then->id, now->id) != 0) {
            continue;
        }
        const struct metric *found = find_in_stretch(session, i, metric);
        *reason = compare_stretch(session, then, now, found);
        if (*reason == PROGRESS_COMPARABLE) {
            return found;
        }
    }
    return NULL;
}

/* Mean of the first two comparable values before today's. */
static void baseline_find(const struct session *const *sessions, size_t count,
                          const struct metric *metric, struct progress *progress)
{
    double sum = 0.0;
    enum progress_reason newest = PROGRESS_FIRST_TIME;
    for (size_t i = 0; i + 1 < count && progress->baseline_count < 2; i++) {
        enum progress_reason reason = PROGRESS_FIRST_TIME;
        const struct metric *found =
            progress_find(sessions[i], sessions[count - 1], metric, &reason);
        if (found) {
            sum += found->value;
            progress->baseline_count++;
        } else if (reason != PROGRESS_FIRST_TIME) {
            newest = reason;
        }
    }
    progress->reason = progress->baseline_count > 0 ? PROGRESS_COMPARABLE : newest;
    if (progress->baseline_count > 0) {
        progress->baseline = sum / (double)progress->baseline_count;
        progress->change = metric->value - progress->baseline;
    }
}

struct progress progress_compare(const struct session *const *sessions, size_t count,
                                 const struct metric *metric)
{
    struct progress progress = {
        .baseline = NAN,
        .change = NAN,
        .mdc95 = metric_mdc95(metric->id, metric->measure),
        .verdict = METRIC_CANNOT_COMPARE,
    };
    if (!isfinite(metric->value)) {
        progress.reason = PROGRESS_WITHHELD;
        return progress;
    }
    if (quality_is_low(sessions[count - 1], metric)) {
        progress.reason = PROGRESS_QUALITY;
        return progress;
    }
    baseline_find(sessions, count, metric, &progress);
    if (progress.reason == PROGRESS_COMPARABLE && !isfinite(progress.mdc95)) {
        progress.reason = PROGRESS_NO_LIMIT;
    }
    progress.verdict = metric_compare(progress.baseline, metric->value, progress.mdc95);
    return progress;
}

/* What can be followed in place of a primary angle without a smallest detectable change. */
static enum measure companion_of(enum measure measure)
{
    static const enum measure companions[][2] = {
        {MEASURE_THORAX_INCLINATION, MEASURE_LUMBAR_FLEXION},
        {MEASURE_STERNUM_INCLINATION, MEASURE_TRUNK_FLEXION},
        {MEASURE_LUMBAR_ROTATION, MEASURE_TRUNK_ROTATION},
    };

    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        if (companions[i][0] == measure) {
            return companions[i][1];
        }
    }
    return measure;
}

const struct metric *progress_range(const struct session *session, unsigned stretch,
                                    unsigned part, enum side side)
{
    const struct metric *primary =
        progress_primary(session, METRIC_RANGE_OF_MOTION, stretch, part, side);
    const struct protocol_part *rule = &session->stretches[stretch].protocol.parts[part];
    if (rule->kind == PROTOCOL_CYCLE) {
        return primary;
    }
    enum measure companion = companion_of(rule->measure[side]);
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == METRIC_RANGE_OF_MOTION && metric->stretch == stretch
            && metric->part == part && metric->side == side && metric->repetition == 0
            && metric->measure == companion) {
            return metric;
        }
    }
    return primary;
}

const struct metric *progress_primary(const struct session *session, enum metric_id id,
                                      unsigned stretch, unsigned part, enum side side)
{
    enum measure primary = session->stretches[stretch].protocol.parts[part].measure[side];
    const struct metric *other = NULL;
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id != id || metric->stretch != stretch || metric->part != part
            || metric->side != side || metric->repetition != 0) {
            continue;
        }
        if (metric->measure == primary) {
            return metric;
        }
        /* Times belong to no measure. */
        other = metric->measure == MEASURE_COUNT ? metric : other;
    }
    return other;
}

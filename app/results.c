#include "app/results.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"

static const char *part_title(const struct session *session, const struct metric *metric)
{
    const struct protocol *protocol = &session->stretches[metric->stretch].protocol;
    return metric->part < protocol->part_count ? protocol->parts[metric->part].id : "";
}

static void value_text(const struct metric *metric, char text[64])
{
    const char *unit = metric_definition_get(metric->id)->unit;
    if (strcmp(unit, "1") == 0) {
        unit = "";
    }
    if (strcmp(unit, "") == 0 && metric->uncertainty == 0.0) {
        snprintf(text, 64, "%6.0f", metric->value); /* a count */
        return;
    }
    if (isfinite(metric->uncertainty)) {
        snprintf(text, 64, "%8.1f +- %-5.1f %s", metric->value, metric->uncertainty, unit);
    } else {
        snprintf(text, 64, "%8.1f          %s", metric->value, unit);
    }
}

static void row_print(const struct session *session, const struct metric *metric)
{
    const struct metric_definition *definition = metric_definition_get(metric->id);
    char name[96];
    if (metric->measure < MEASURE_COUNT) {
        snprintf(name, sizeof name, "%s: %s", definition->title,
                 measure_info_get(metric->measure)->title);
    } else {
        snprintf(name, sizeof name, "%s", definition->title);
    }
    printf("  %-6s %-5s %-62.62s ", part_title(session, metric),
           metric->side == SIDE_BOTH ? "" : side_text(metric->side), name);
    if (metric->withheld[0]) {
        printf("withheld: %s\n", metric->withheld);
    } else {
        char value[64];
        value_text(metric, value);
        printf("%s\n", value);
    }
}

/* The table shows what the stretch is about; the file has all. */
static bool is_shown(const struct metric *metric)
{
    switch (metric->id) {
    case METRIC_PEAK_ANGLE:
    case METRIC_RANGE_OF_MOTION:
    case METRIC_HOLD_TIME:
    case METRIC_HOLD_MEAN_ANGLE:
    case METRIC_REPETITION_COUNT:
    case METRIC_CYCLE_TIME:
    case METRIC_SIDE_DIFFERENCE:
    case METRIC_LUMBAR_SHARE:
    case METRIC_BREATHING_RATE:
    case METRIC_GUARD_CAUTION_COUNT:
    case METRIC_GUARD_STOP_COUNT:
        return metric->repetition == 0;
    case METRIC_OBSERVED_RANGE:
    case METRIC_HOLD_WOBBLE:
    case METRIC_HOLD_STILLNESS:
    case METRIC_HOLD_SLOPE:
    case METRIC_CYCLE_VARIATION:
    case METRIC_TEMPO_VARIATION:
    case METRIC_MOVE_IN_TIME:
    case METRIC_MOVE_OUT_TIME:
    case METRIC_MOVE_PEAK_RATE:
    case METRIC_SMOOTHNESS_SPARC:
    case METRIC_SMOOTHNESS_LDLJ:
    case METRIC_OFF_AXIS_RATIO:
    case METRIC_PAIN_BEFORE:
    case METRIC_PAIN_HIGHEST:
    case METRIC_PAIN_AFTER:
    case METRIC_COUNT:
        return false;
    }
    return false;
}

void results_print_table(const struct session *session)
{
    for (unsigned stretch = 0; stretch < session->stretch_count; stretch++) {
        const struct session_stretch *row = &session->stretches[stretch];
        printf("\n%s%s\n", row->protocol.title, row->completed ? "" : "  (not completed)");
        for (size_t index = 0; index < session->metric_count; index++) {
            const struct metric *metric = &session->metrics[index];
            if (metric->stretch == stretch && is_shown(metric)) {
                row_print(session, metric);
            }
        }
    }
    printf("\nData quality: grade %c%s%s\n", session->grade ? session->grade : 'F',
           session->grade_reason[0] ? ", " : "", session->grade_reason);
    puts("+- is the half width of the 95 % interval.");
}

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *metric_json(const struct session *session, const struct metric *metric)
{
    const struct metric_definition *definition = metric_definition_get(metric->id);
    const struct measure_info *measure =
        metric->measure < MEASURE_COUNT ? measure_info_get(metric->measure) : NULL;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:i}", "id",
        definition->id, "joint", measure ? measure->joint : "", "measure",
        measure ? measure->id : "", "side", side_text(metric->side), "stretch",
        session->stretches[metric->stretch].protocol.id, "part",
        part_title(session, metric), "repetition", (int)metric->repetition, "value",
        number_json(metric->value), "unit", definition->unit, "uncertainty",
        number_json(metric->uncertainty), "coverage", number_json(metric->coverage),
        "quality", number_json(metric->quality), "withheld", metric->withheld, "remark",
        metric->remark, "definition_version", (int)definition->version);
}

enum status results_print_json(const struct session *session)
{
    json_t *list = json_array();
    for (size_t index = 0; index < session->metric_count; index++) {
        if (json_array_append_new(list, metric_json(session, &session->metrics[index]))) {
            json_decref(list);
            return STATUS_NO_MEMORY;
        }
    }
    char *text = json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(list);
    if (!text) {
        return STATUS_NO_MEMORY;
    }
    puts(text);
    free(text);
    return STATUS_OK;
}

enum status results_show(const char *path, bool json)
{
    const struct archive_read_settings settings = {0};
    struct session *session = NULL;
    enum status status = archive_read(path, &settings, &session);
    if (status) {
        return status;
    }
    if (json) {
        status = results_print_json(session);
    } else {
        results_print_table(session);
        printf("\nSession file: %s\n", path);
    }
    session_destroy(session);
    return status;
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool metric_same(const struct metric *a, const struct metric *b)
{
    return a->id == b->id && a->measure == b->measure && a->side == b->side
           && a->stretch == b->stretch && a->part == b->part
           && a->repetition == b->repetition && same_bits(a->value, b->value)
           && same_bits(a->uncertainty, b->uncertainty)
           && same_bits(a->coverage, b->coverage) && same_bits(a->quality, b->quality)
           && strcmp(a->withheld, b->withheld) == 0;
}

size_t results_difference_count(const struct session *a, const struct session *b)
{
    size_t shorter = a->metric_count < b->metric_count ? a->metric_count : b->metric_count;
    size_t longer = a->metric_count > b->metric_count ? a->metric_count : b->metric_count;
    size_t count = longer - shorter;
    for (size_t index = 0; index < shorter; index++) {
        count += !metric_same(&a->metrics[index], &b->metrics[index]);
    }
    return count;
}

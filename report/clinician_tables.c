/* Tables of the clinician report. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "report/clinician.h"
#include "report/progress.h"
#include "report/words.h"

/* Half width of a 95 % interval in standard errors. */
static const double Z95 = 1.96;

enum {
    WITHHELD_ROW_MAX = 40,
    SOURCE_MAX = 8,
    REASON_SIZE = 256,
    LIST_SIZE = 768
};

/* What stands in the key table, with its short name. */
static const char *const KEY_NAMES[METRIC_COUNT] = {
    [METRIC_RANGE_OF_MOTION] = "range",       [METRIC_HOLD_TIME] = "held",
    [METRIC_REPETITION_COUNT] = "rounds",     [METRIC_SIDE_DIFFERENCE] = "right minus left",
    [METRIC_LUMBAR_SHARE] = "low back share", [METRIC_OBSERVED_RANGE] = "range seen",
};

/* "deg" -> "deg", "1" -> "". */
static const char *unit_of(const struct metric *metric)
{
    const char *unit = metric_definition_get(metric->id)->unit;
    return strcmp(unit, "1") == 0 ? "" : unit;
}

static bool is_in_stretch(const struct session *session, const struct metric *metric)
{
    return metric->id != METRIC_OBSERVED_RANGE && metric->stretch < session->stretch_count
           && metric->part < session->stretches[metric->stretch].protocol.part_count;
}

/* "Forward bend, sway, range, left": where it belongs, what it is. */
static void label_of(const struct session *session, const struct metric *metric,
                     const char *name, char *text, size_t size)
{
    if (is_in_stretch(session, metric)) {
        const struct protocol *protocol = &session->stretches[metric->stretch].protocol;
        char stretch[WORDS_LABEL_SIZE];
        words_append(text, size, "%s", words_stretch_brief(protocol, stretch));
        if (protocol->part_count > 1) {
            words_append(text, size, ", %s", protocol->parts[metric->part].id);
        }
    }
    /* The name follows a comma where there is a stretch. */
    if (name[0] != '\0') {
        char first = text[0] != '\0' ? (char)tolower((unsigned char)name[0]) : name[0];
        words_append(text, size, "%s%c%s", text[0] != '\0' ? ", " : "", first, name + 1);
    }
    words_append(text, size, "%s%s", metric->side == SIDE_BOTH ? "" : ", ",
                 words_side(metric->side));
}

/* First cell of a row of the key table: where, what, unit. An angle is named by its
 * measure. */
static void key_label_cell(struct document *document, const struct session *session,
                           const struct metric *metric)
{
    char label[2 * WORDS_LABEL_SIZE] = "";
    char name[WORDS_LABEL_SIZE];
    struct metric named = *metric;
    bool is_range =
        metric->id == METRIC_RANGE_OF_MOTION || metric->id == METRIC_OBSERVED_RANGE;
    snprintf(name, sizeof name, "%s", KEY_NAMES[metric->id]);
    if (is_range && metric->measure < MEASURE_COUNT) {
        words_measure(metric->measure, name);
        if (measure_info_get(metric->measure)->side != SIDE_BOTH) {
            named.side = SIDE_BOTH; /* the measure says the side */
        }
    }
    label_of(session, &named, name, label, sizeof label);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    document_run(document, DOCUMENT_QUIET, " %s", unit_of(metric));
}

/* Value and doubt; whole degrees hide no doubt of several. */
static void value_cell(struct document *document, const struct metric *metric, int decimals)
{
    char number[WORDS_NUMBER_SIZE];
    document_cell(document, DOCUMENT_PLAIN, "%s",
                  words_number(metric->value, decimals, false, number));
    if (isfinite(metric->value) && isfinite(metric->uncertainty)
        && metric->uncertainty > 0.0) {
        document_run(document, DOCUMENT_QUIET, " \xC2\xB1 %s",
                     words_number(metric->uncertainty, decimals, false, number));
    }
}

static const char *verdict_symbol(const struct progress *progress)
{
    switch (progress->verdict) {
    case METRIC_CHANGED:
        return progress->change < 0.0 ? "\xE2\x96\xBC" : "\xE2\x96\xB2";
    case METRIC_MAY_HAVE_CHANGED:
        return progress->change < 0.0 ? "\xE2\x96\xBD" : "\xE2\x96\xB3";
    case METRIC_NO_CLEAR_CHANGE:
        return "=";
    case METRIC_CANNOT_COMPARE:
        break;
    }
    return "\xE2\x80\x93";
}

static void verdict_cell(struct document *document, const struct progress *progress)
{
    bool has_changed = progress->verdict == METRIC_CHANGED;
    bool may_have = progress->verdict == METRIC_MAY_HAVE_CHANGED;
    const char *way = progress->change < 0.0 ? ", less" : ", more";
    document_cell(document, has_changed ? DOCUMENT_STRONG : DOCUMENT_PLAIN, "%s %s%s",
                  verdict_symbol(progress), metric_verdict_text(progress->verdict),
                  has_changed || may_have ? way : "");
    if (progress->verdict == METRIC_CANNOT_COMPARE) {
        document_run(document, DOCUMENT_QUIET, " (%s)",
                     progress_reason_text(progress->reason));
    }
}

/* Where a reference came from, once each. @return Its number from 1; 0 = no more room. */
static unsigned source_number(const char *sources[SOURCE_MAX], const char *source)
{
    for (unsigned i = 0; i < SOURCE_MAX; i++) {
        if (!sources[i] || strcmp(sources[i], source) == 0) {
            sources[i] = source;
            return i + 1;
        }
    }
    return 0;
}

static void reference_cell(struct document *document, const struct session *session,
                           const struct metric *metric, const char *sources[SOURCE_MAX])
{
    const char *source = NULL;
    const char *text = NULL;
    const struct protocol *protocol = NULL;
    if (is_in_stretch(session, metric)) {
        protocol = &session->stretches[metric->stretch].protocol;
        text = words_reference(protocol->id, metric, &source);
    }
    if (text) {
        document_cell(document, DOCUMENT_QUIET, "%s [%u]", text,
                      source_number(sources, source));
    } else if (protocol && metric->id == METRIC_HOLD_TIME) {
        document_cell(document, DOCUMENT_QUIET, "plan %g",
                      protocol->parts[metric->part].hold_s);
    } else if (protocol && metric->id == METRIC_REPETITION_COUNT) {
        document_cell(document, DOCUMENT_QUIET, "plan %u",
                      protocol->parts[metric->part].reps);
    } else {
        document_cell(document, DOCUMENT_QUIET, "none");
    }
}

static void key_row(struct document *document, const struct session *const *sessions,
                    size_t count, const struct metric *metric,
                    const char *sources[SOURCE_MAX])
{
    const struct session *session = sessions[count - 1];
    struct progress progress = progress_compare(sessions, count, metric);
    int decimals = metric->id == METRIC_HOLD_TIME ? 1 : 0;
    char number[WORDS_NUMBER_SIZE];
    document_row(document);
    key_label_cell(document, session, metric);
    if (metric->side == SIDE_RIGHT) {
        document_cell(document, DOCUMENT_PLAIN, "%s", "");
        value_cell(document, metric, decimals);
    } else {
        value_cell(document, metric, decimals);
        document_cell(document, DOCUMENT_PLAIN, "%s", "");
    }
    if (count > 1) {
        document_cell(document, DOCUMENT_PLAIN, "%s",
                      words_number(progress.change, decimals, true, number));
    }
    document_cell(document, DOCUMENT_PLAIN, "%s",
                  words_number(progress.mdc95, 0, false, number));
    if (count > 1) {
        verdict_cell(document, &progress);
    }
    reference_cell(document, session, metric, sources);
}

/* True if the session has ranges of guided movement: then the range seen is no key value.
 */
static bool has_ranges(const struct session *session)
{
    for (size_t i = 0; i < session->metric_count; i++) {
        if (session->metrics[i].id == METRIC_RANGE_OF_MOTION
            && isfinite(session->metrics[i].value)) {
            return true;
        }
    }
    return false;
}

/* Other planes than that of the primary angle are poor to moderate in reliability (3.3;
 * Bailes 2024). */
static bool is_low_confidence(const struct session *session, const struct metric *metric)
{
    if (!is_in_stretch(session, metric) || metric->measure >= MEASURE_COUNT) {
        return false;
    }
    const struct protocol_part *part =
        &session->stretches[metric->stretch].protocol.parts[metric->part];
    enum side side =
        part->has_sides && metric->side == SIDE_BOTH ? SIDE_RIGHT : metric->side;
    enum measure primary = part->measure[side];
    return primary < MEASURE_COUNT
           && measure_info_get(primary)->plane != measure_info_get(metric->measure)->plane;
}

static bool is_cycle(const struct session *session, const struct metric *metric)
{
    return is_in_stretch(session, metric)
           && session->stretches[metric->stretch].protocol.parts[metric->part].kind
                  == PROTOCOL_CYCLE;
}

/* The primary angle, the one that can be followed, and any with a reference value. */
static bool is_key_range(const struct session *session, const struct metric *metric)
{
    const char *source = NULL;
    if (!is_in_stretch(session, metric)) {
        return false;
    }
    const struct protocol *protocol = &session->stretches[metric->stretch].protocol;
    return metric->measure == protocol->parts[metric->part].measure[metric->side]
           || metric == progress_range(session, metric->stretch, metric->part, metric->side)
           || words_reference(protocol->id, metric, &source);
}

static bool is_key(const struct session *session, const struct metric *metric)
{
    if (metric->repetition != 0 || !KEY_NAMES[metric->id]) {
        return false;
    }
    if (metric->id == METRIC_OBSERVED_RANGE) {
        return !has_ranges(session);
    }
    if (metric->id == METRIC_REPETITION_COUNT) {
        return is_cycle(session, metric);
    }
    return metric->id != METRIC_RANGE_OF_MOTION || is_key_range(session, metric);
}

/* A first session has nothing to compare with, so that three columns say nothing. */
static void key_columns(struct document *document, bool has_history)
{
    document_column(document, "Measure", false);
    document_column(document,
                    "L,\xC2\xA0"
                    "both",
                    true);
    document_column(document, "Right", true);
    if (has_history) {
        document_column(document, "Change", true);
    }
    document_column(document, "MDC95", true);
    if (has_history) {
        document_column(document, "Verdict", false);
    }
    document_column(document, "Reference", false);
}

void clinician_key_table(struct document *document, const struct session *const *sessions,
                         size_t count)
{
    const struct session *session = sessions[count - 1];
    const char *sources[SOURCE_MAX] = {0};
    document_section_open(document, "Key results");
    document_table_open(
        document, count > 1
                      ? "Ranges, times and counts \xC2\xB1 95 %. Change is against "
                        "the baseline. MDC95: smallest change larger than noise."
                      : "Ranges, times and counts \xC2\xB1 95 %. First session: nothing "
                        "to compare. MDC95: smallest change larger than noise.");
    key_columns(document, count > 1);
    for (size_t i = 0; i < session->metric_count; i++) {
        if (is_key(session, &session->metrics[i])) {
            key_row(document, sessions, count, &session->metrics[i], sources);
        }
    }
    document_close(document);
    for (unsigned i = 0; i < SOURCE_MAX && sources[i]; i++) {
        document_paragraph(document, DOCUMENT_QUIET, "[%u] %s.", i + 1, sources[i]);
    }
    document_close(document);
}

/* A value of one repetition in any measure of the part, NaN if there is none. */
static const struct metric *round_metric(const struct session *session, enum metric_id id,
                                         const struct metric *round)
{
    return session_metric_find(session, id, round->stretch, round->part, round->side,
                               round->repetition);
}

static void number_cell(struct document *document, const struct metric *metric,
                        int decimals)
{
    char number[WORDS_NUMBER_SIZE];
    document_cell(
        document, DOCUMENT_PLAIN, "%s",
        words_number(metric ? metric->value : (double)NAN, decimals, false, number));
}

static void score_cells(struct document *document, const struct metric *metric,
                        const char *extra)
{
    char number[WORDS_NUMBER_SIZE];
    document_cell(document, DOCUMENT_PLAIN, "%s",
                  words_number(metric->quality, 0, false, number));
    const char *remark = metric->withheld[0] != '\0' ? metric->withheld : metric->remark;
    const char *between = *extra != '\0' && remark[0] != '\0' ? "; " : "";
    const char *nothing = *extra == '\0' && remark[0] == '\0' ? "none" : "";
    document_cell(document, DOCUMENT_PLAIN, "%s%s%s%s", extra, between, remark, nothing);
}

/* The six columns behind the label for one hold. */
static void hold_row(struct document *document, const struct session *session,
                     const struct metric *held)
{
    const struct protocol *protocol = &session->stretches[held->stretch].protocol;
    char label[2 * WORDS_LABEL_SIZE] = "";
    char round[WORDS_NUMBER_SIZE];
    char number[WORDS_NUMBER_SIZE];
    snprintf(round, sizeof round, "hold %u", held->repetition);
    label_of(session, held, round, label, sizeof label);
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    document_cell(document, DOCUMENT_PLAIN, "%s / %g s",
                  words_number(held->value, 1, false, number),
                  protocol->parts[held->part].hold_s);
    number_cell(document, round_metric(session, METRIC_HOLD_MEAN_ANGLE, held), 1);
    number_cell(document, round_metric(session, METRIC_HOLD_WOBBLE, held), 1);
    number_cell(document, round_metric(session, METRIC_HOLD_SLOPE, held), 1);
    number_cell(document, round_metric(session, METRIC_MOVE_PEAK_RATE, held), 0);
    score_cells(document, held, "");
}

/* All cycles of a part in one row. */
static void cycle_row(struct document *document, const struct session *session,
                      const struct metric *done)
{
    const struct protocol *protocol = &session->stretches[done->stretch].protocol;
    const struct metric *time = round_metric(session, METRIC_CYCLE_TIME, done);
    const struct metric *variation = round_metric(session, METRIC_CYCLE_VARIATION, done);
    char label[2 * WORDS_LABEL_SIZE] = "";
    char extra[REASON_SIZE] = "";
    char number[WORDS_NUMBER_SIZE];
    label_of(session, done, "rounds", label, sizeof label);
    if (time && isfinite(time->value)) {
        words_append(extra, sizeof extra, "%.1f s each", time->value);
    }
    if (variation && isfinite(variation->value)) {
        words_append(extra, sizeof extra, "%sCV %.0f %%", *extra ? ", " : "",
                     variation->value);
    }
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    document_cell(document, DOCUMENT_PLAIN, "%s / %u",
                  words_number(done->value, 0, false, number),
                  protocol->parts[done->part].reps);
    number_cell(document,
                progress_primary(session, METRIC_RANGE_OF_MOTION, done->stretch, done->part,
                                 done->side),
                1);
    number_cell(document, NULL, 1);
    number_cell(document, NULL, 1);
    number_cell(document, round_metric(session, METRIC_MOVE_PEAK_RATE, done), 0);
    score_cells(document, done, extra);
}

static void round_row(struct document *document, const struct session *session,
                      const struct metric *metric)
{
    if (!is_in_stretch(session, metric)) {
        return;
    }
    enum protocol_part_kind kind =
        session->stretches[metric->stretch].protocol.parts[metric->part].kind;
    if (metric->id == METRIC_HOLD_TIME && metric->repetition > 0 && kind == PROTOCOL_HOLD) {
        hold_row(document, session, metric);
    }
    if (metric->id == METRIC_REPETITION_COUNT && metric->repetition == 0
        && kind == PROTOCOL_CYCLE) {
        cycle_row(document, session, metric);
    }
}

void clinician_round_table(struct document *document, const struct session *session)
{
    static const char *const columns[] = {"Held / plan",       "Mean or range (deg)",
                                          "Wobble (deg)",      "Slope (deg/min)",
                                          "Peak rate (deg/s)", "Score"};
    document_section_open(document, "Holds and rounds");
    document_table_open(document,
                        "A slope above 2 deg/min is a change of posture or sensor, not "
                        "of tissue. Score: 100 less the reasons.");
    document_column(document, "Stretch, round", false);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        document_column(document, columns[i], true);
    }
    document_column(document, "Reasons", false);
    for (size_t i = 0; i < session->metric_count; i++) {
        round_row(document, session, &session->metrics[i]);
    }
    document_close(document);
    document_close(document);
}

static void error_row(struct document *document, const struct session_stretch *stretch,
                      enum measure measure)
{
    const struct pipeline_error *error = &stretch->errors[measure];
    const double parts[] = {error->noise_rad, error->alignment_rad, error->heading_rad,
                            error->skin_rad};
    double square = 0.0;
    char stretch_name[WORDS_LABEL_SIZE];
    char measure_name[WORDS_LABEL_SIZE];
    char number[WORDS_NUMBER_SIZE];
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s,",
                  words_stretch_brief(&stretch->protocol, stretch_name));
    document_run(document, DOCUMENT_QUIET, " %s", words_measure(measure, measure_name));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        square += parts[i] * parts[i];
        document_cell(document, DOCUMENT_PLAIN, "%s",
                      words_number(Z95 * parts[i] * DEG_PER_RAD, 1, false, number));
    }
    document_cell(document, DOCUMENT_STRONG, "%s",
                  words_number(Z95 * sqrt(square) * DEG_PER_RAD, 1, false, number));
    bool is_seen = measure_is_gravity_seen(measure, stretch->protocol.posture);
    document_cell(document, DOCUMENT_PLAIN, "%s",
                  is_seen ? "gravity: no drift" : "gyroscope only: can drift");
}

static void error_rows(struct document *document, const struct session_stretch *stretch)
{
    bool is_done[MEASURE_COUNT] = {false};
    for (unsigned part = 0; part < stretch->protocol.part_count; part++) {
        const struct protocol_part *row = &stretch->protocol.parts[part];
        for (int side = row->has_sides ? SIDE_LEFT : SIDE_BOTH;
             side < (row->has_sides ? SIDE_COUNT : SIDE_LEFT); side++) {
            enum measure measure = row->measure[side];
            if (measure < MEASURE_COUNT && !is_done[measure]) {
                is_done[measure] = true;
                error_row(document, stretch, measure);
            }
        }
    }
}

void clinician_error_table(struct document *document, const struct session *session)
{
    static const char *const columns[] = {"Sensor noise, offset", "Alignment to the body",
                                          "Drift", "Skin movement", "All together"};
    document_section_open(document, "Where the \xC2\xB1 comes from");
    document_table_open(document, "In deg, 95 %. Skin movement is a project default.");
    document_column(document, "Angle", false);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        document_column(document, columns[i], true);
    }
    document_column(document, "Held by", false);
    for (unsigned i = 0; i < session->stretch_count; i++) {
        error_rows(document, &session->stretches[i]);
    }
    document_close(document);
    document_close(document);
}

/* True for values of the same part and side that are withheld for the same reason. */
static bool is_same_reason(const struct metric *a, const struct metric *b)
{
    return a->stretch == b->stretch && a->part == b->part && a->side == b->side
           && a->measure == b->measure && strcmp(a->withheld, b->withheld) == 0;
}

static bool is_first_of_reason(const struct session *session, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_same_reason(&session->metrics[i], &session->metrics[index])) {
            return false;
        }
    }
    return true;
}

/* All values withheld for one reason, each named once. */
static void withheld_row(struct document *document, const struct session *session,
                         const struct metric *metric)
{
    bool is_named[METRIC_COUNT] = {false};
    char names[LIST_SIZE] = "";
    char label[LIST_SIZE] = "";
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *other = &session->metrics[i];
        if (is_same_reason(metric, other) && !is_named[other->id]) {
            is_named[other->id] = true;
            const char *title = metric_definition_get(other->id)->title;
            words_append(names, sizeof names, "%s%c%s", names[0] != '\0' ? "; " : "",
                         tolower((unsigned char)title[0]), title + 1);
        }
    }
    label_of(session, metric, names, label, sizeof label);
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    if (metric->measure < MEASURE_COUNT) {
        char measure[WORDS_LABEL_SIZE];
        document_run(document, DOCUMENT_QUIET, ", %s",
                     words_measure(metric->measure, measure));
    }
    document_cell(document, DOCUMENT_PLAIN, "%s", metric->withheld);
}

void clinician_withheld_table(struct document *document, const struct session *session)
{
    size_t count = 0;
    document_section_open(document, "Withheld values");
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->withheld[0] == '\0' || !is_first_of_reason(session, i)) {
            continue;
        }
        if (count++ == 0) {
            document_table_open(document, "No number is better than a wrong one.");
            document_column(document, "Measures", false);
            document_column(document, "Reason", false);
        }
        if (count <= WITHHELD_ROW_MAX) {
            withheld_row(document, session, metric);
        }
    }
    if (count > 0) {
        document_close(document);
    } else {
        document_paragraph(document, DOCUMENT_PLAIN, "None.");
    }
    if (count > WITHHELD_ROW_MAX) {
        document_paragraph(document, DOCUMENT_QUIET, "%zu more stand in the archive.",
                           count - WITHHELD_ROW_MAX);
    }
    document_close(document);
}

/* Columns of the appendix, one row for each part and side. */
static const struct {
    enum metric_id id;
    const char *title;
    int decimals;
} MOVES[] = {
    {METRIC_PEAK_ANGLE, "Peak (deg)", 0},
    {METRIC_MOVE_IN_TIME, "Move in (s)", 1},
    {METRIC_MOVE_OUT_TIME, "Move out (s)", 1},
    {METRIC_SMOOTHNESS_SPARC, "SPARC (1)", 1},
    {METRIC_CYCLE_TIME, "Cycle (s)", 1},
    {METRIC_CYCLE_VARIATION, "Range CV (%)", 0},
    {METRIC_TEMPO_VARIATION, "Tempo CV (%)", 0},
    {METRIC_BREATHING_RATE, "Breathing (/min)", 0},
};

static void move_row(struct document *document, const struct session *session,
                     const struct metric *peak)
{
    char label[2 * WORDS_LABEL_SIZE] = "";
    label_of(session, peak, "", label, sizeof label);
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++) {
        number_cell(
            document,
            progress_primary(session, MOVES[i].id, peak->stretch, peak->part, peak->side),
            MOVES[i].decimals);
    }
    char coverage[WORDS_NUMBER_SIZE];
    document_cell(document, DOCUMENT_PLAIN, "%s",
                  words_number(100.0 * peak->coverage, 1, false, coverage));
}

static void move_table(struct document *document, const struct session *session)
{
    document_section_open(document, "Appendix: moves");
    document_table_open(document,
                        "Means over all repetitions of a part. SPARC: smoothness, "
                        "nearer 0 is smoother.");
    document_column(document, "Stretch", false);
    for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++) {
        document_column(document, MOVES[i].title, true);
    }
    document_column(document, "Coverage (%)", true);
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == METRIC_PEAK_ANGLE && is_in_stretch(session, metric)
            && metric
                   == progress_primary(session, METRIC_PEAK_ANGLE, metric->stretch,
                                       metric->part, metric->side)) {
            move_row(document, session, metric);
        }
    }
    document_close(document);
    document_close(document);
}

static bool is_secondary(const struct session *session, const struct metric *metric)
{
    return metric->id == METRIC_RANGE_OF_MOTION && metric->repetition == 0
           && isfinite(metric->value) && is_in_stretch(session, metric)
           && metric->measure < MEASURE_COUNT
           && metric->measure
                  != session->stretches[metric->stretch]
                         .protocol.parts[metric->part]
                         .measure[metric->side];
}

static void secondary_row(struct document *document, const struct session *session,
                          const struct metric *metric)
{
    char label[2 * WORDS_LABEL_SIZE] = "";
    char name[WORDS_LABEL_SIZE];
    label_of(session, metric, words_measure(metric->measure, name), label, sizeof label);
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", label);
    value_cell(document, metric, 1);
    document_cell(document, DOCUMENT_QUIET, "%s",
                  is_low_confidence(session, metric) ? "other plane, low confidence" : "");
}

void clinician_other_table(struct document *document, const struct session *session)
{
    bool is_open = false;
    if (session->metric_count == 0 || session->stretch_count == 0) {
        return;
    }
    move_table(document, session);
    for (size_t i = 0; i < session->metric_count; i++) {
        if (!is_secondary(session, &session->metrics[i])) {
            continue;
        }
        if (!is_open) {
            is_open = true;
            document_section_open(document, "Appendix: secondary angles");
            document_table_open(document,
                                "Ranges over all repetitions, \xC2\xB1 95 %. All other "
                                "values stand in the archive.");
            document_column(document, "Angle", false);
            document_column(document, "Range (deg)", true);
            document_column(document, "Remark", false);
        }
        secondary_row(document, session, &session->metrics[i]);
    }
    if (is_open) {
        document_close(document);
        document_close(document);
    }
}

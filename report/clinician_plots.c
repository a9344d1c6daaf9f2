/* Charts of the clinician report: angle over time, and trend over sessions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/clinician.h"
#include "report/progress.h"
#include "report/words.h"

/* Silence that shows as a gap; shorter ones were bridged when sampling (3.2). */
static const double GAP_S = 0.3;
/* Seconds shown before and after what happened in a part. */
static const double MARGIN_S = 2.0;

enum {
    TREND_CHART_MAX = 2,
    TREND_SESSION_MAX = 12, /* the newest; older ones stay in the baseline */
    DESCRIPTION_SIZE = 512
};

/* A part of a stretch being plotted. */
struct view {
    const struct session *session;
    const struct session_stretch *stretch;
    unsigned stretch_index;
    unsigned part;
    double start_s;
    double end_s;
};

static bool event_is_in(const struct view *view, const struct event *event)
{
    return event->stretch == view->stretch_index && event->part == view->part;
}

/* When the part ran: from its first move to its last event. */
static void view_times(struct view *view)
{
    double first_s = INFINITY;
    double last_s = -INFINITY;
    for (size_t i = 0; i < view->session->event_count; i++) {
        const struct event *event = &view->session->events[i];
        bool is_move = event->type == EVENT_HOLD || event->type == EVENT_REPETITION
                       || (event->type == EVENT_PHASE
                           && strcmp(event->label, phase_text(PHASE_SETUP)) != 0
                           && strcmp(event->label, phase_text(PHASE_ALIGN)) != 0);
        if (event_is_in(view, event) && is_move) {
            first_s = fmin(first_s, event->time_s);
            last_s = fmax(last_s, event->time_s + event->duration_s);
        }
    }
    view->start_s = view->stretch->start_s;
    view->end_s = view->stretch->end_s;
    if (first_s < last_s) {
        view->start_s = fmax(view->start_s, first_s - MARGIN_S);
        view->end_s = fmin(view->end_s, last_s + MARGIN_S);
    }
}

/* Rows of the angle table in the view. */
static size_t view_rows(const struct view *view, size_t *first)
{
    const struct session_angles *angles = &view->session->angles;
    size_t start = 0;
    while (start < angles->count && angles->time_s[start] < view->start_s) {
        start++;
    }
    size_t end = start;
    while (end < angles->count && angles->time_s[end] <= view->end_s) {
        end++;
    }
    *first = start;
    return end - start;
}

static void add_line(struct chart *chart, const struct view *view, enum measure measure,
                     enum chart_line line, const char *label)
{
    const struct session_angles *angles = &view->session->angles;
    size_t first = 0;
    size_t count = view_rows(view, &first);
    if (!angles->angle_rad[measure] || count == 0) {
        return;
    }
    double *time_s = malloc(2 * count * sizeof *time_s);
    if (!time_s) {
        return;
    }
    double *angle_deg = time_s + count;
    for (size_t i = 0; i < count; i++) {
        time_s[i] = angles->time_s[first + i] - view->start_s;
        angle_deg[i] = angles->angle_rad[measure][first + i] * DEG_PER_RAD;
    }
    chart_line_add(chart, line, label, time_s, angle_deg, count, GAP_S);
    free(time_s);
}

/* Left and right are two lines only where they are two measures. */
static void add_lines(struct chart *chart, const struct view *view)
{
    const struct protocol_part *part = &view->stretch->protocol.parts[view->part];
    if (!part->has_sides) {
        add_line(chart, view, part->measure[SIDE_BOTH], CHART_SOLID, "");
    } else if (part->measure[SIDE_LEFT] == part->measure[SIDE_RIGHT]) {
        add_line(chart, view, part->measure[SIDE_LEFT], CHART_SOLID, "");
    } else {
        add_line(chart, view, part->measure[SIDE_LEFT], CHART_DASHED, "");
        add_line(chart, view, part->measure[SIDE_RIGHT], CHART_SOLID, "");
    }
}

/* Zones are kept with further = larger; the plot shows anatomical signs. */
static void add_zones(struct chart *chart, const struct view *view)
{
    const struct protocol_part *part = &view->stretch->protocol.parts[view->part];
    for (int side = SIDE_BOTH; side < SIDE_COUNT; side++) {
        const struct runner_zone *zone = &view->stretch->zones[view->part][side];
        bool is_used = part->has_sides == (side != SIDE_BOTH);
        if (is_used && isfinite(zone->low_deg) && isfinite(zone->high_deg)
            && zone->high_deg > zone->low_deg) {
            double sign = part->sign[side] < 0.0 ? -1.0 : 1.0;
            chart_band_add(chart, sign * zone->low_deg, sign * zone->high_deg);
        }
    }
}

static void add_event(struct chart *chart, const struct view *view,
                      const struct event *event)
{
    char label[WORDS_LABEL_SIZE] = "";
    double start_s = event->time_s - view->start_s;
    if (event->type == EVENT_HOLD && event_is_in(view, event)) {
        const char *side = event->side == SIDE_BOTH   ? ""
                           : event->side == SIDE_LEFT ? "L "
                                                      : "R ";
        words_append(label, sizeof label, "%s%.1f s", side, event->value);
        chart_shade_add(chart, start_s, start_s + event->duration_s, label);
    }
    if (event->type == EVENT_PAIN && event->time_s >= view->start_s
        && event->time_s <= view->end_s) {
        words_append(label, sizeof label, "pain %.0f%s", event->value,
                     strcmp(event->label, "sharp") == 0 ? " sharp" : "");
        chart_mark_add(chart, start_s, label);
    }
}

static void describe(const struct view *view, char *text, size_t size)
{
    unsigned hold_count = 0;
    unsigned round_count = 0;
    for (size_t i = 0; i < view->session->event_count; i++) {
        const struct event *event = &view->session->events[i];
        if (!event_is_in(view, event)) {
            continue;
        }
        hold_count += event->type == EVENT_HOLD;
        round_count += event->type == EVENT_REPETITION;
        if (event->type == EVENT_HOLD && hold_count <= 8) {
            words_append(text, size, "%s%.1f", hold_count == 1 ? "Holds of " : ", ",
                         event->value);
        }
    }
    if (hold_count > 0) {
        words_append(text, size, "%s seconds are shaded. ",
                     hold_count > 8 ? " and more" : "");
    }
    if (round_count > 0) {
        words_append(text, size, "%u rounds were counted. ", round_count);
    }
    words_append(text, size, "The numbers stand in the table Holds and rounds.");
}

static void caption_of(const struct view *view, char *text, size_t size)
{
    const struct protocol_part *part = &view->stretch->protocol.parts[view->part];
    enum side first = part->has_sides ? SIDE_LEFT : SIDE_BOTH;
    const struct measure_info *info = measure_info_get(part->measure[first]);
    bool is_one = !part->has_sides || part->measure[SIDE_LEFT] == part->measure[SIDE_RIGHT];
    words_append(text, size, "%s, deg.%s", info->title,
                 is_one ? "" : " Left dashed, right solid.");
    for (int side = SIDE_BOTH; side < SIDE_COUNT; side++) {
        const struct runner_zone *zone = &view->stretch->zones[view->part][side];
        if (part->has_sides == (side != SIDE_BOTH) && isfinite(zone->low_deg)
            && zone->high_deg > zone->low_deg) {
            char low[WORDS_NUMBER_SIZE];
            char high[WORDS_NUMBER_SIZE];
            words_append(text, size, " Zone%s%s %s to %s.", side == SIDE_BOTH ? "" : " ",
                         words_side((enum side)side),
                         words_number(zone->low_deg, 0, false, low),
                         words_number(zone->high_deg, 0, false, high));
        }
    }
}

static void add_plot(struct document *document, const struct view *view,
                     enum chart_shape shape)
{
    char heading[2 * WORDS_LABEL_SIZE] = "";
    char caption[DESCRIPTION_SIZE] = "";
    char description[DESCRIPTION_SIZE] = "";
    const struct protocol *protocol = &view->stretch->protocol;
    words_stretch(protocol, heading);
    if (protocol->part_count > 1) {
        words_append(heading, sizeof heading, ": %s", protocol->parts[view->part].title);
    }
    describe(view, description, sizeof description);
    caption_of(view, caption, sizeof caption);
    char title[3 * WORDS_LABEL_SIZE] = "";
    words_append(title, sizeof title, "%s, angle over time", heading);
    struct chart_settings settings = {
        .shape = shape,
        .x_max = view->end_s - view->start_s,
        .x_unit = "s",
        .has_x_numbers = true,
    };
    struct chart *chart = NULL;
    if (chart_create(&settings, title, description, &chart)) {
        return;
    }
    add_zones(chart, view);
    add_lines(chart, view);
    for (size_t i = 0; i < view->session->event_count; i++) {
        add_event(chart, view, &view->session->events[i]);
    }
    document_chart(document, chart, heading, caption, view->part == 0 ? protocol->id : "");
}

static bool has_angles(const struct view *view)
{
    size_t first = 0;
    const struct protocol_part *part = &view->stretch->protocol.parts[view->part];
    enum side side = part->has_sides ? SIDE_LEFT : SIDE_BOTH;
    enum side other = part->has_sides ? SIDE_RIGHT : SIDE_BOTH;
    return view_rows(view, &first) > 1
           && (view->session->angles.angle_rad[part->measure[side]]
               || view->session->angles.angle_rad[part->measure[other]]);
}

/* Views of all parts with data. @return Their number, at most capacity. */
static size_t views_collect(const struct session *session, struct view *views,
                            size_t capacity)
{
    size_t count = 0;
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const struct session_stretch *stretch = &session->stretches[i];
        for (unsigned part = 0; part < stretch->protocol.part_count && count < capacity;
             part++) {
            struct view view = {
                .session = session, .stretch = stretch, .stretch_index = i, .part = part};
            view_times(&view);
            if (has_angles(&view)) {
                views[count++] = view;
            }
        }
    }
    return count;
}

void clinician_plots(struct document *document, const struct session *session)
{
    struct view views[RUNNER_STRETCH_MAX * PROTOCOL_PART_MAX];
    size_t count = views_collect(session, views, sizeof views / sizeof views[0]);
    if (count == 0) {
        return;
    }
    document_paragraph(
        document, DOCUMENT_QUIET,
        "Plots: time in s. Green band: target zone. Grey: credited hold. Triangle: "
        "pain. Hatched: no data.");
    if (count <= 2) {
        for (size_t i = 0; i < count; i++) {
            add_plot(document, &views[i], CHART_WIDE);
        }
        return;
    }
    for (size_t i = 0; i < count; i += 2) {
        document_columns_open(document);
        add_plot(document, &views[i], CHART_HALF);
        if (i + 1 < count) {
            add_plot(document, &views[i + 1], CHART_HALF);
        }
        document_close(document);
    }
}

/* Metrics of today that at least one earlier session can be compared with: changed ones
 * first. */
static size_t trends_collect(const struct session *const *sessions, size_t count,
                             const struct metric *found[TREND_CHART_MAX])
{
    const struct session *today = sessions[count - 1];
    size_t found_count = 0;
    for (int wanted = METRIC_CHANGED; wanted >= METRIC_NO_CLEAR_CHANGE; wanted--) {
        for (size_t i = 0; i < today->metric_count && found_count < TREND_CHART_MAX; i++) {
            const struct metric *metric = &today->metrics[i];
            if (metric->id != METRIC_RANGE_OF_MOTION || metric->repetition != 0) {
                continue;
            }
            struct progress progress = progress_compare(sessions, count, metric);
            if (progress.verdict == (enum metric_verdict)wanted
                && progress.baseline_count > 0) {
                found[found_count++] = metric;
            }
        }
    }
    return found_count;
}

static void trend_heading(const struct session *session, const struct metric *metric,
                          char *text, size_t size)
{
    char stretch[WORDS_LABEL_SIZE];
    words_stretch(&session->stretches[metric->stretch].protocol, stretch);
    words_append(text, size, "%s%s%s", stretch, metric->side == SIDE_BOTH ? "" : ", ",
                 words_side(metric->side));
}

static void add_trend(struct document *document, const struct session *const *sessions,
                      size_t count, const struct metric *metric)
{
    struct progress progress = progress_compare(sessions, count, metric);
    size_t first = count > TREND_SESSION_MAX ? count - TREND_SESSION_MAX : 0;
    char heading[2 * WORDS_LABEL_SIZE] = "";
    char description[DESCRIPTION_SIZE] = "";
    trend_heading(sessions[count - 1], metric, heading, sizeof heading);
    words_append(
        description, sizeof description,
        "Baseline %.0f degrees, band of plus or minus %.0f. Today %.0f. The values stand "
        "in the table below.",
        progress.baseline, progress.mdc95, metric->value);
    struct chart_settings settings = {.shape = CHART_HALF,
                                      .x_min = (double)first - 0.4,
                                      .x_max = (double)count - 0.6,
                                      .x_unit = ""};
    struct chart *chart = NULL;
    if (chart_create(&settings, heading, description, &chart)) {
        return;
    }
    char label[WORDS_LABEL_SIZE] = "";
    words_append(label, sizeof label, "baseline \xC2\xB1 MDC95 %.0f deg", progress.mdc95);
    chart_reference_add(chart, progress.baseline, progress.mdc95, label);
    size_t in_baseline = 0;
    for (size_t i = 0; i < count; i++) {
        enum progress_reason reason;
        const struct metric *value =
            i + 1 == count
                ? metric
                : progress_find(sessions[i], sessions[count - 1], metric, &reason);
        in_baseline += value != NULL;
        char number[WORDS_NUMBER_SIZE];
        snprintf(number, sizeof number, "S%zu", i + 1);
        if (value && i >= first) {
            bool is_open = in_baseline <= progress.baseline_count && i + 1 < count;
            chart_point_add(chart, (double)i, value->value, value->uncertainty, is_open,
                            number, "");
        }
    }
    char caption[DESCRIPTION_SIZE] = "";
    words_append(caption, sizeof caption,
                 "%s, range in deg. Open dots: baseline. Bars: 95 %%.",
                 measure_info_get(metric->measure)->title);
    document_chart(document, chart, heading, caption, "");
}

static void trend_row(struct document *document, const struct session *const *sessions,
                      size_t count, size_t index, const struct metric *const *metrics,
                      size_t metric_count)
{
    const struct session *session = sessions[index];
    char text[WORDS_DATE_SIZE];
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "S%zu", index + 1);
    document_cell(document, DOCUMENT_PLAIN, "%s", words_date(session->start_utc_us, text));
    for (size_t i = 0; i < metric_count; i++) {
        enum progress_reason reason;
        const struct metric *value =
            index + 1 == count
                ? metrics[i]
                : progress_find(session, sessions[count - 1], metrics[i], &reason);
        char number[WORDS_NUMBER_SIZE];
        document_cell(document, DOCUMENT_PLAIN, "%s",
                      words_number(value ? value->value : (double)NAN, 1, false, number));
        if (value && isfinite(value->uncertainty)) {
            document_run(document, DOCUMENT_QUIET, " \xC2\xB1 %.1f", value->uncertainty);
        }
    }
    document_cell(
        document, DOCUMENT_PLAIN, "%s to %s",
        words_number(session->pain_before < 0 ? (double)NAN : session->pain_before, 0,
                     false, text),
        words_number(session->pain_after < 0 ? (double)NAN : session->pain_after, 0, false,
                     (char[WORDS_NUMBER_SIZE]){0}));
    document_cell(document, DOCUMENT_PLAIN, "%c", session->grade ? session->grade : '-');
}

void clinician_trend(struct document *document, const struct session *const *sessions,
                     size_t count)
{
    const struct metric *metrics[TREND_CHART_MAX] = {0};
    size_t metric_count = trends_collect(sessions, count, metrics);
    if (metric_count == 0) {
        return;
    }
    document_columns_open(document);
    for (size_t i = 0; i < metric_count; i++) {
        add_trend(document, sessions, count, metrics[i]);
    }
    document_close(document);
    document_section_open(document, "Values of the trend");
    document_table_open(document,
                        "Range in deg, with 95 % interval; pain from start to end.");
    document_column(document, "Session", false);
    document_column(document, "Date", false);
    for (size_t i = 0; i < metric_count; i++) {
        char heading[2 * WORDS_LABEL_SIZE] = "";
        trend_heading(sessions[count - 1], metrics[i], heading, sizeof heading);
        document_column(document, heading, true);
    }
    document_column(document, "Pain", true);
    document_column(document, "Grade", false);
    for (size_t i = count > TREND_SESSION_MAX ? count - TREND_SESSION_MAX : 0; i < count;
         i++) {
        trend_row(document, sessions, count, i, metrics, metric_count);
    }
    document_close(document);
    document_close(document);
}

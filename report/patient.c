#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "report/progress.h"
#include "report/report.h"
#include "report/words.h"

enum {
    LINE_MAX_COUNT = 3, /* more than three messages are not remembered (5.2) */
    CANDIDATE_MAX = 64,
    TREND_MAX = 6, /* sessions in the chart */
    TEXT_SIZE = 512
};

/* A value that may be worth a line. */
struct candidate {
    const struct metric *metric;
    struct progress progress;
    int rank; /* small = first */
};

static bool is_time(const struct metric *metric)
{
    return metric->id == METRIC_HOLD_TIME;
}

static int rank_of(const struct progress *progress, const struct metric *metric)
{
    int rank = 0;
    switch (progress->verdict) {
    case METRIC_CHANGED:
        rank = 0;
        break;
    case METRIC_MAY_HAVE_CHANGED:
    case METRIC_NO_CLEAR_CHANGE:
        rank = 2;
        break;
    case METRIC_CANNOT_COMPARE:
        rank = 4;
        break;
    }
    return rank + is_time(metric);
}

static void candidate_add(const struct session *const *sessions, size_t count,
                          const struct metric *metric, struct candidate *candidates,
                          size_t *candidate_count)
{
    if (!metric || *candidate_count == CANDIDATE_MAX) {
        return;
    }
    struct progress progress = progress_compare(sessions, count, metric);
    /* Without a limit there is nothing to say to the person. */
    if (progress.reason == PROGRESS_NO_LIMIT) {
        return;
    }
    struct candidate candidate = {metric, progress, rank_of(&progress, metric)};
    size_t place = (*candidate_count)++;
    while (place > 0 && candidates[place - 1].rank > candidate.rank) {
        candidates[place] = candidates[place - 1];
        place--;
    }
    candidates[place] = candidate;
}

/* Range and hold time of every part and side, the most worth telling first. Range gains of
 * very flexible people are no aim (2.6) and stay out. */
static size_t candidates_collect(const struct session *const *sessions, size_t count,
                                 struct candidate candidates[CANDIDATE_MAX])
{
    const struct session *session = sessions[count - 1];
    size_t candidate_count = 0;
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const struct protocol *protocol = &session->stretches[i].protocol;
        for (unsigned part = 0; part < protocol->part_count; part++) {
            for (int side = SIDE_BOTH; side < SIDE_COUNT; side++) {
                if (!session->screening.hypermobile) {
                    candidate_add(sessions, count,
                                  progress_range(session, i, part, (enum side)side),
                                  candidates, &candidate_count);
                }
                candidate_add(
                    sessions, count,
                    progress_primary(session, METRIC_HOLD_TIME, i, part, (enum side)side),
                    candidates, &candidate_count);
            }
        }
    }
    return candidate_count;
}

/* "forward bend", "right twist", "child's pose hold", "knee hug rock". */
static void subject_of(const struct session *session, const struct metric *metric,
                       char *text, size_t size)
{
    char stretch[WORDS_LABEL_SIZE];
    const struct protocol *protocol = &session->stretches[metric->stretch].protocol;
    const struct protocol_part *part = &protocol->parts[metric->part];
    const char *side = words_side(metric->side);
    words_append(text, size, "%s%s%s%s", side, *side ? " " : "",
                 words_stretch_plain(protocol, stretch), is_time(metric) ? " hold" : "");
    if (protocol->part_count > 1 && part->kind == PROTOCOL_CYCLE) {
        words_append(text, size, " %s", part->id);
    }
}

static const char *plain_reason(enum progress_reason reason)
{
    switch (reason) {
    case PROGRESS_FIRST_TIME:
        return "It was the first time.";
    case PROGRESS_PLACEMENT:
        return "The sensors were placed in another way.";
    case PROGRESS_VERSION:
        return "The plan was not the same.";
    case PROGRESS_QUALITY:
    case PROGRESS_WITHHELD:
        return "The sensors did not see enough.";
    case PROGRESS_COMPARABLE:
    case PROGRESS_NO_LIMIT:
        break;
    }
    return "";
}

static void changed_item(struct document *document, const struct candidate *candidate,
                         const char *subject)
{
    enum document_mark mark =
        candidate->progress.change < 0.0 ? DOCUMENT_MARK_LESS : DOCUMENT_MARK_MORE;
    document_item(document, mark, "Your %s went from ", subject);
    document_run(document, DOCUMENT_STRONG, "%.0f to %.0f %s", candidate->progress.baseline,
                 candidate->metric->value,
                 is_time(candidate->metric) ? "seconds" : "degrees");
    document_run(document, DOCUMENT_PLAIN,
                 ". That is more than normal day-to-day variation.");
}

static void candidate_item(struct document *document, const struct session *session,
                           const struct candidate *candidate)
{
    char subject[2 * WORDS_LABEL_SIZE] = "";
    subject_of(session, candidate->metric, subject, sizeof subject);
    switch (candidate->progress.verdict) {
    case METRIC_CHANGED:
        changed_item(document, candidate, subject);
        break;
    case METRIC_MAY_HAVE_CHANGED:
    case METRIC_NO_CLEAR_CHANGE:
        document_item(document, DOCUMENT_MARK_SAME, "Your %s is ", subject);
        document_run(document, DOCUMENT_STRONG, "about the same");
        document_run(document, DOCUMENT_PLAIN, ". Small differences are normal.");
        break;
    case METRIC_CANNOT_COMPARE:
        document_item(document, DOCUMENT_MARK_UNKNOWN, "We could not compare your %s. %s",
                      subject, plain_reason(candidate->progress.reason));
        break;
    }
}

/* Today's values of a first visit. */
static void first_visit(struct document *document, const struct session *session,
                        const struct candidate *candidates, size_t count)
{
    document_paragraph(document, DOCUMENT_PLAIN,
                       "This is your first visit. Next time we can compare.");
    bool has_table = false;
    for (size_t i = 0; i < count && i < LINE_MAX_COUNT; i++) {
        const struct metric *metric = candidates[i].metric;
        char subject[2 * WORDS_LABEL_SIZE] = "";
        if (!isfinite(metric->value)) {
            continue;
        }
        if (!has_table) {
            has_table = true;
            document_table_open(document, "Your numbers today");
            document_column(document, "Stretch", false);
            document_column(document, "Today", false);
        }
        subject_of(session, metric, subject, sizeof subject);
        subject[0] = (char)toupper((unsigned char)subject[0]);
        document_row(document);
        document_cell(document, DOCUMENT_PLAIN, "%s", subject);
        document_cell(document, DOCUMENT_PLAIN, "%.0f %s", metric->value,
                      is_time(metric) ? "seconds" : "degrees");
    }
    if (has_table) {
        document_close(document);
    }
}

static void add_changes(struct document *document, const struct session *const *sessions,
                        size_t count, const struct candidate *candidates,
                        size_t candidate_count)
{
    const struct session *session = sessions[count - 1];
    document_section_open(document, "What changed");
    if (count == 1) {
        first_visit(document, session, candidates, candidate_count);
        document_close(document);
        return;
    }
    if (session->screening.hypermobile) {
        document_paragraph(
            document, DOCUMENT_PLAIN,
            "You bend with ease. So more is not the goal. Slow and steady is.");
    }
    if (candidate_count == 0) {
        document_paragraph(document, DOCUMENT_PLAIN, "We could not compare today.");
    } else {
        document_list_open(document);
        for (size_t i = 0; i < candidate_count && i < LINE_MAX_COUNT; i++) {
            candidate_item(document, session, &candidates[i]);
        }
        document_close(document);
    }
    document_close(document);
}

/* One value of the chart. */
struct trend_value {
    const struct metric *metric;
    int64_t start_utc_us;
    bool is_baseline;
};

/* The newest values that can be compared, oldest first, today's last. */
static size_t trend_collect(const struct session *const *sessions, size_t count,
                            const struct candidate *candidate,
                            struct trend_value values[TREND_MAX])
{
    size_t found_count = 0;
    size_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        enum progress_reason reason;
        const struct metric *metric = i + 1 == count
                                          ? candidate->metric
                                          : progress_find(sessions[i], sessions[count - 1],
                                                          candidate->metric, &reason);
        if (!metric || !isfinite(metric->value)) {
            continue;
        }
        if (found_count == TREND_MAX) {
            memmove(values, values + 1, (TREND_MAX - 1) * sizeof *values);
            found_count--;
        }
        bool is_baseline = seen++ < candidate->progress.baseline_count;
        values[found_count++] =
            (struct trend_value){metric, sessions[i]->start_utc_us, is_baseline};
    }
    return found_count;
}

static void value_label(const struct trend_value *values, size_t count, size_t index,
                        char text[WORDS_DATE_SIZE])
{
    if (index + 1 == count) {
        snprintf(text, WORDS_DATE_SIZE, "today");
    } else {
        words_day(values[index].start_utc_us, text);
    }
}

static void add_points(struct chart *chart, const struct candidate *candidate,
                       const struct trend_value *values, size_t count)
{
    chart_reference_add(chart, candidate->progress.baseline, candidate->progress.mdc95,
                        "normal day-to-day variation");
    for (size_t i = 0; i < count; i++) {
        char label[WORDS_DATE_SIZE];
        char text[WORDS_NUMBER_SIZE];
        value_label(values, count, i, label);
        snprintf(text, sizeof text, "%.0f%s", values[i].metric->value,
                 is_time(candidate->metric) ? " s" : "\xC2\xB0");
        chart_point_add(chart, (double)i, values[i].metric->value, NAN,
                        values[i].is_baseline, label, text);
    }
}

static void add_numbers(struct document *document, const struct candidate *candidate,
                        const struct trend_value *values, size_t count)
{
    document_details_open(document, "Show the numbers");
    document_table_open(document, "The numbers of the chart");
    document_column(document, "Day", false);
    document_column(document, is_time(candidate->metric) ? "Seconds" : "Degrees", false);
    for (size_t i = 0; i < count; i++) {
        char label[WORDS_DATE_SIZE];
        value_label(values, count, i, label);
        document_row(document);
        document_cell(document, DOCUMENT_PLAIN, "%s", label);
        document_cell(document, DOCUMENT_PLAIN, "%.0f", values[i].metric->value);
    }
    document_close(document);
    document_close(document);
}

/* How far or how long, in words over the chart. */
static void chart_caption(const struct session *session, const struct candidate *candidate,
                          char *text, size_t size)
{
    char subject[2 * WORDS_LABEL_SIZE] = "";
    subject_of(session, candidate->metric, subject, sizeof subject);
    words_append(text, size, "Your %s in %s", subject,
                 is_time(candidate->metric) ? "seconds" : "degrees");
}

static void add_chart(struct document *document, const struct session *const *sessions,
                      size_t count, const struct candidate *candidate)
{
    struct trend_value values[TREND_MAX];
    size_t value_count = trend_collect(sessions, count, candidate, values);
    char caption[TEXT_SIZE] = "";
    char description[TEXT_SIZE] = "The numbers were ";
    if (value_count < 2 || candidate->progress.verdict == METRIC_CANNOT_COMPARE) {
        return;
    }
    chart_caption(sessions[count - 1], candidate, caption, sizeof caption);
    for (size_t i = 0; i < value_count; i++) {
        words_append(description, sizeof description, "%s%.0f",
                     i == 0 ? "" : (i + 1 == value_count ? " and " : ", "),
                     values[i].metric->value);
    }
    bool is_in_band = candidate->progress.verdict != METRIC_CHANGED;
    words_append(description, sizeof description,
                 ". The grey band shows normal day-to-day variation. The last dot is %s.",
                 is_in_band ? "in the band" : "out of the band");
    struct chart_settings settings = {.shape = CHART_LARGE,
                                      .x_min = -0.2,
                                      .x_max = (double)value_count - 0.9,
                                      .x_unit = ""};
    struct chart *chart = NULL;
    if (chart_create(&settings, caption, description, &chart)) {
        return;
    }
    add_points(chart, candidate, values, value_count);
    document_chart(document, chart, "", caption, "");
    add_numbers(document, candidate, values, value_count);
}

static void add_done(struct document *document, const struct session *session, size_t count)
{
    unsigned completed = 0;
    for (unsigned i = 0; i < session->stretch_count; i++) {
        completed += session->stretches[i].completed;
    }
    document_columns_open(document);
    document_section_open(document, "What you did");
    document_paragraph(document, DOCUMENT_PLAIN, "You have come ");
    document_run(document, DOCUMENT_STRONG, "%zu %s", count, count == 1 ? "time" : "times");
    document_run(document, DOCUMENT_PLAIN, ". Today you did ");
    document_run(document, DOCUMENT_STRONG, "%u %s", completed,
                 completed == 1 ? "stretch" : "stretches");
    document_run(document, DOCUMENT_PLAIN, " in ");
    double minutes = fmax(1.0, round(session->duration_s / 60.0));
    document_run(document, DOCUMENT_STRONG, "%.0f %s", minutes,
                 minutes < 1.5 ? "minute" : "minutes");
    document_run(document, DOCUMENT_PLAIN, ".%s",
                 completed < session->stretch_count
                     ? " One part was stopped early. That is fine."
                     : "");
    document_close(document);
    document_figures_open(document);
    for (unsigned i = 0; i < session->stretch_count && i < 4; i++) {
        document_figure(document, session->stretches[i].protocol.id);
    }
    document_close(document);
    document_close(document);
}

static void pain_fact(struct document *document, const char *term, int score)
{
    if (score < 0) {
        document_fact(document, term, "%s", "");
        document_run(document, DOCUMENT_QUIET, "not asked");
    } else {
        document_fact(document, term, "%d", score);
        document_run(document, DOCUMENT_QUIET, " of 10");
    }
}

/* What a clinician wrote for the person: a note that begins with "next time"; untouched if
 * there is none. */
static void next_time_note(const struct session *session, char *note, size_t size)
{
    static const char start[] = "next time";
    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        const char *text = event->cause[0] != '\0' ? event->cause : event->label;
        if (event->type == EVENT_NOTE && strncasecmp(text, start, sizeof start - 1) == 0) {
            text += sizeof start - 1;
            snprintf(note, size, "%s", text + strspn(text, ": ,"));
            note[0] = (char)toupper((unsigned char)note[0]);
        }
    }
}

static void add_feelings(struct document *document, const struct session *session)
{
    char note[TEXT_SIZE] = "";
    next_time_note(session, note, sizeof note);
    document_columns_open(document);
    document_section_open(document, "How you felt");
    document_facts_open(document);
    pain_fact(document, "Pain at the start", session->pain_before);
    pain_fact(document, "Pain at the end", session->pain_after);
    document_close(document);
    document_close(document);
    document_section_open(document, "Next time");
    document_paragraph(document, DOCUMENT_PLAIN, "%s",
                       note[0] != '\0' ? note : "Ask your clinician what to do next.");
    document_close(document);
    document_close(document);
}

static void add_warning_signs(struct document *document)
{
    static const char *const signs[] = {
        "you feel sharp pain",          "pain shoots down your leg",
        "your legs feel numb or weak",  "you feel dizzy",
        "the pain started with a fall", "rest does not change the pain",
    };
    document_notice_open(document, DOCUMENT_STOP, "Stop and get help if");
    document_list_open(document);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        document_item(document, DOCUMENT_MARK_DOT, "%s", signs[i]);
    }
    document_close(document);
    document_paragraph(document, DOCUMENT_PLAIN, "%s", "");
    document_run(document, DOCUMENT_STRONG, "Go to emergency care right away");
    document_run(
        document, DOCUMENT_PLAIN,
        " if you cannot control your bladder or bowel. Go, too, if you are numb between "
        "your legs.");
    document_close(document);
}

static void add_frame(struct document *document, const struct session *session,
                      size_t count, const char *file_hash)
{
    char line[WORDS_LABEL_SIZE] = "";
    char left[WORDS_LABEL_SIZE] = "";
    char middle[WORDS_LABEL_SIZE] = "";
    char date[WORDS_DATE_SIZE];
    words_append(line, sizeof line, "%s, visit %zu",
                 words_date(session->start_utc_us, date), count);
    words_append(left, sizeof left, "%s, visit %zu", session->subject, count);
    words_append(middle, sizeof middle, "Archive %.16s%s", file_hash,
                 strlen(file_hash) > 16 ? " ..." : "");
    document_head(document, session->subject, line);
    document_foot(document, left, middle);
}

static void add_simulated(struct document *document, const struct session *session)
{
    if (session->simulated) {
        document_notice_open(document, DOCUMENT_CAUTION,
                             "Practice data: the sensors were not real.");
        document_close(document);
    }
}

enum status report_patient(const struct session *const *sessions, size_t count,
                           const char *file_hash, struct document **out)
{
    struct document *document = NULL;
    enum status status =
        document_create("Your back stretches", "en", DOCUMENT_LARGE, &document);
    if (status) {
        return status;
    }
    const struct session *session = sessions[count - 1];
    struct candidate candidates[CANDIDATE_MAX];
    size_t candidate_count = candidates_collect(sessions, count, candidates);
    add_frame(document, session, count, file_hash ? file_hash : "");
    add_simulated(document, session);
    add_done(document, session, count);
    add_changes(document, sessions, count, candidates, candidate_count);
    if (candidate_count > 0 && count > 1) {
        add_chart(document, sessions, count, &candidates[0]);
    }
    add_feelings(document, session);
    add_warning_signs(document);
    document_paragraph(document, DOCUMENT_QUIET, "%s", report_disclaimer());
    status = document_status(document);
    if (status) {
        document_destroy(document);
        return status;
    }
    *out = document;
    return STATUS_OK;
}

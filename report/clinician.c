#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"
#include "report/clinician.h"
#include "report/progress.h"
#include "report/report.h"
#include "report/words.h"

enum {
    LINE_SIZE = 1024,
    HASH_SHOWN = 16 /* first characters of the archive's hash in the foot */
};

static const char *event_text(const struct event *event)
{
    return event->cause[0] != '\0' ? event->cause : event->label;
}

static unsigned event_count(const struct session *session, enum event_type type,
                            const char *label)
{
    unsigned count = 0;
    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        count += event->type == type && strcasecmp(event->label, label) == 0;
    }
    return count;
}

static void append_once(char *text, size_t size, const char *item)
{
    if (!strstr(text, item)) {
        words_append(text, size, "%s%s", text[0] != '\0' ? ", " : "", item);
    }
}

static void stretch_facts(struct document *document, const struct session *session)
{
    char stretches[LINE_SIZE] = "";
    char placements[LINE_SIZE] = "";
    char versions[LINE_SIZE] = "";
    for (unsigned i = 0; i < session->stretch_count; i++) {
        char name[WORDS_LABEL_SIZE];
        const struct session_stretch *stretch = &session->stretches[i];
        words_append(stretches, sizeof stretches, "%s%s%s", i > 0 ? ", " : "",
                     words_stretch_brief(&stretch->protocol, name),
                     stretch->completed ? "" : " (not completed)");
        append_once(placements, sizeof placements, stretch->protocol.placement);
        append_once(versions, sizeof versions, stretch->protocol.version);
    }
    document_fact(document, "Stretches", "%s", stretches);
    document_fact(document, "Placement set", "%s", placements);
    document_fact(document, "Protocol version", "%s", versions);
}

/* "1", or "1 to 2" when they differ. */
static void definition_versions(char *text, size_t size)
{
    unsigned low = metric_definition_get((enum metric_id)0)->version;
    unsigned high = low;
    for (int i = 0; i < METRIC_COUNT; i++) {
        unsigned version = metric_definition_get((enum metric_id)i)->version;
        low = version < low ? version : low;
        high = version > high ? version : high;
    }
    if (low == high) {
        words_append(text, size, "%u", low);
    } else {
        words_append(text, size, "%u to %u", low, high);
    }
}

static void add_facts(struct document *document, const struct session *session,
                      size_t count)
{
    char versions[WORDS_NUMBER_SIZE] = "";
    definition_versions(versions, sizeof versions);
    document_facts_open(document);
    document_fact(document, "Operator", "%s",
                  session->operator_code[0] != '\0' ? session->operator_code : "not given");
    stretch_facts(document, session);
    document_fact(document, "Program, metrics", "%s, definitions %s", session->software,
                  versions);
    document_fact(document, "Heading", "gyroscope, set equal at start");
    document_fact(document, "Sessions", "%zu", count);
    document_fact(document, "Record", "%s%s", session->simulated ? "simulated" : "measured",
                  session->recovered ? ", recovered" : "");
    document_close(document);
}

static void add_warnings(struct document *document, const struct session *session)
{
    if (session->simulated) {
        document_notice_open(document, DOCUMENT_CAUTION, "Simulated sensors");
        document_paragraph(
            document, DOCUMENT_PLAIN,
            "At least one sensor was simulated. These numbers are of no person.");
        document_close(document);
    }
    if (session->recovered) {
        document_notice_open(document, DOCUMENT_CAUTION, "Recovered recording");
        document_paragraph(
            document, DOCUMENT_PLAIN,
            "The recording was cut off and finished later from what was on disk. "
            "%llu bytes at its end could not be read.",
            (unsigned long long)session->journal_torn_size);
        document_close(document);
    }
}

static void screening_text(const struct session *session, char *text, size_t size)
{
    const struct screening *screening = &session->screening;
    unsigned count = 0;
    unsigned not_asked = 0;
    for (unsigned i = 0; i < SCREENING_QUESTION_COUNT; i++) {
        enum screening_answer answer = screening->answers[i];
        not_asked += answer == SCREENING_NOT_ASKED;
        if (answer == SCREENING_YES || answer == SCREENING_BOTH) {
            words_append(text, size, "%s%s",
                         count++ > 0 ? " " : "Yes to: ", screening_question(i + 1));
        }
    }
    words_append(text, size, "%s", count > 0 ? " " : "No question answered yes. ");
    if (not_asked > 0) {
        words_append(text, size, "%u of %d questions not asked. ", not_asked,
                     SCREENING_QUESTION_COUNT);
    }
    if (screening->override_role[0] != '\0') {
        words_append(text, size, "Overridden by %s: %s. ", screening->override_role,
                     screening->override_reason);
    } else {
        words_append(text, size, "Override: none. ");
    }
}

static void guard_text(const struct session *session, char *text, size_t size)
{
    unsigned cautions = event_count(session, EVENT_GUARD, "caution");
    unsigned stops = event_count(session, EVENT_GUARD, "stop");
    words_append(text, size, "Speed guard: cautions %u, stops %u. ", cautions, stops);
}

static void pain_text(const struct session *session, char *text, size_t size)
{
    const int scores[] = {session->pain_before, session->pain_highest, session->pain_after};
    static const char *const names[] = {"before", "highest", "after"};
    words_append(text, size, "Pain");
    for (size_t i = 0; i < 3; i++) {
        if (scores[i] < 0) {
            words_append(text, size, " %s not asked%s", names[i], i < 2 ? "," : ".");
        } else {
            words_append(text, size, " %s %d%s", names[i], scores[i], i < 2 ? "," : ".");
        }
    }
    unsigned sharp = event_count(session, EVENT_PAIN, "sharp");
    if (sharp > 0) {
        words_append(text, size, " Sharp pain reported: %u.", sharp);
    }
}

static enum document_tone safety_tone(const struct session *session,
                                      enum screening_outcome outcome)
{
    bool was_stopped = event_count(session, EVENT_GUARD, "stop") > 0
                       || event_count(session, EVENT_PAIN, "sharp") > 0;
    if (was_stopped || outcome == SCREENING_REFER || outcome == SCREENING_EMERGENCY) {
        return DOCUMENT_STOP;
    }
    return outcome == SCREENING_CAUTION ? DOCUMENT_CAUTION : DOCUMENT_GOOD;
}

static void add_safety(struct document *document, const struct session *session)
{
    char text[LINE_SIZE] = "";
    char title[WORDS_LABEL_SIZE] = "";
    enum screening_outcome outcome = screening_evaluate(&session->screening);
    words_append(title, sizeof title, "Safety: %s%s", screening_outcome_text(outcome),
                 session->screening.acknowledged ? ", confirmed by a clinician" : "");
    screening_text(session, text, sizeof text);
    guard_text(session, text, sizeof text);
    pain_text(session, text, sizeof text);
    document_notice_open(document, safety_tone(session, outcome), title);
    document_paragraph(document, DOCUMENT_PLAIN, "%s", text);
    if (session->screening.hypermobile) {
        document_paragraph(document, DOCUMENT_PLAIN,
                           "Hypermobility mode: more range is not a success here.");
    }
    document_close(document);
}

static void sensor_text(const struct session *session, char *text, size_t size)
{
    unsigned long long lost = 0;
    unsigned long long samples = 0;
    for (unsigned i = 0; i < session->sensor_count; i++) {
        lost += session->sensors[i].lost_count;
        samples += session->sensors[i].sample_count;
    }
    double share =
        samples + lost > 0 ? 100.0 * (double)lost / (double)(samples + lost) : 0.0;
    words_append(text, size, "Lost samples: %llu of %llu (%.2f %%). ", lost, samples + lost,
                 share);
    unsigned stalls = event_count(session, EVENT_SENSOR, "stalled");
    unsigned unplugged = event_count(session, EVENT_SENSOR, "unplugged");
    words_append(text, size, "Sensor stalls: %u, unplugged: %u. ", stalls, unplugged);
}

static void coverage_text(const struct session *session, char *text, size_t size)
{
    double lowest = INFINITY;
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (isfinite(metric->value) && metric->repetition == 0
            && metric->id == METRIC_RANGE_OF_MOTION) {
            lowest = fmin(lowest, metric->coverage);
        }
    }
    if (isfinite(lowest)) {
        words_append(text, size, "Lowest coverage %.1f %%. ", 100.0 * lowest);
    }
}

static void alignment_text(const struct session *session, char *text, size_t size)
{
    for (unsigned i = 0; i < session->sensor_count; i++) {
        const struct session_sensor *sensor = &session->sensors[i];
        const struct calibration_alignment *alignment = &sensor->alignment;
        if (role_is_flex(sensor->role) || alignment->grade == '\0') {
            continue;
        }
        words_append(text, size, "%s: alignment %c%s%s. ", role_title(sensor->role),
                     alignment->grade, alignment->reason[0] != '\0' ? ", " : "",
                     alignment->reason);
    }
}

static void drift_text(const struct session *session, char *text, size_t size)
{
    for (unsigned i = 0; i < session->stretch_count; i++) {
        char name[WORDS_LABEL_SIZE];
        double drift_rad = session->stretches[i].gyro_drift_removed_rad;
        if (isfinite(drift_rad)) {
            words_append(text, size, "Drift removed in %s: %.1f deg. ",
                         words_stretch(&session->stretches[i].protocol, name),
                         fabs(drift_rad) * DEG_PER_RAD);
        }
    }
}

static enum document_tone grade_tone(char grade)
{
    if (grade == 'A' || grade == 'B') {
        return DOCUMENT_GOOD;
    }
    return grade == 'C' ? DOCUMENT_CAUTION : DOCUMENT_STOP;
}

static void add_quality(struct document *document, const struct session *session)
{
    char text[LINE_SIZE] = "";
    char title[WORDS_LABEL_SIZE] = "";
    words_append(title, sizeof title, "Data quality: grade %c",
                 session->grade ? session->grade : '-');
    if (session->grade_reason[0] != '\0') {
        words_append(text, sizeof text, "%c%s. ",
                     toupper((unsigned char)session->grade_reason[0]),
                     session->grade_reason + 1);
    }
    coverage_text(session, text, sizeof text);
    sensor_text(session, text, sizeof text);
    alignment_text(session, text, sizeof text);
    drift_text(session, text, sizeof text);
    document_notice_open(document, grade_tone(session->grade), title);
    document_paragraph(document, DOCUMENT_PLAIN, "%s", text);
    document_close(document);
}

static void add_notes(struct document *document, const struct session *session)
{
    char title[WORDS_LABEL_SIZE] = "Notes";
    if (session->operator_code[0] != '\0') {
        words_append(title, sizeof title, " (%s)", session->operator_code);
    }
    document_notice_open(document, DOCUMENT_PLAIN, title);
    bool is_empty = true;
    for (size_t i = 0; i < session->event_count; i++) {
        if (session->events[i].type == EVENT_NOTE) {
            is_empty = false;
            document_paragraph(document, DOCUMENT_PLAIN, "%s",
                               event_text(&session->events[i]));
        }
    }
    if (is_empty) {
        document_paragraph(document, DOCUMENT_PLAIN, "None.");
    }
    document_close(document);
}

static void method_entry(struct document *document, const char *term, const char *text)
{
    document_paragraph(document, DOCUMENT_PLAIN, "%s", "");
    document_run(document, DOCUMENT_STRONG, "%s", term);
    document_run(document, DOCUMENT_PLAIN, " %s", text);
}

/* Limits of every stretch; stretches with the same limits share a sentence. */
static void guard_limits(const struct session *session, char *text, size_t size)
{
    const struct protocol_guard *before = NULL;
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const struct protocol *protocol = &session->stretches[i].protocol;
        const struct protocol_guard *guard = &protocol->guard;
        char name[WORDS_LABEL_SIZE];
        if (before && memcmp(before, guard, sizeof *guard) == 0) {
            continue;
        }
        if (before) {
            words_append(text, size, " Other in %s. ", words_stretch(protocol, name));
        }
        words_append(
            text, size,
            "Forward and back %g / %g deg/s, turning and side %g / %g deg/s, any segment "
            "%g / %g deg/s (caution after %g s / stop after %g s).",
            guard->sagittal_caution_deg_s, guard->sagittal_stop_deg_s,
            guard->axial_caution_deg_s, guard->axial_stop_deg_s,
            guard->segment_caution_deg_s, guard->segment_stop_deg_s, guard->caution_time_s,
            guard->stop_time_s);
        before = guard;
    }
}

static void add_cannot_tell(struct document *document, const struct session *session)
{
    char text[LINE_SIZE] =
        "No sensor here can feel pain, see a disc, or tell what a click means.";
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const struct protocol *protocol = &session->stretches[i].protocol;
        char name[WORDS_LABEL_SIZE];
        if (protocol->cannot_tell[0] != '\0') {
            words_append(text, sizeof text, " %s: %s", words_stretch(protocol, name),
                         protocol->cannot_tell);
        }
    }
    method_entry(document, "Cannot tell.", text);
}

static void add_method(struct document *document, const struct session *session)
{
    char limits[LINE_SIZE] = "";
    guard_limits(session, limits, sizeof limits);
    document_section_open(document, "Method and limits");
    document_fine_open(document);
    method_entry(
        document, "Angles.",
        "Distal relative to proximal segment, ISB axes, Cardan ZXY; forward bend, right "
        "bend and right turn positive; zero at the neutral pose of this session. Leans "
        "against gravity.");
    method_entry(
        document, "Filter.",
        "Orientation of each unit from gyroscope and accelerometer, no magnetometer; "
        "100 Hz grid, smoothed angles; robust peak = 98th percentile. The guard runs on "
        "raw rates.");
    method_entry(
        document, "Holds.",
        "Start and end are dated back to the first and the last good sample. Gaps over "
        "0.25 s are not credited.");
    method_entry(document, "Guard limits.", limits);
    method_entry(
        document, "Verdicts.",
        "Baseline = mean of the first two comparable sessions before this one (same "
        "protocol version and placement). Changed: at least MDC95. May have changed: at "
        "least MDC90 = MDC95 / 1.19. The MDC95 are project defaults. Changed does not "
        "mean better or worse.");
    add_cannot_tell(document, session);
    document_close(document);
    document_close(document);
}

static void add_foot(struct document *document, const struct session *session, size_t count,
                     const char *file_hash)
{
    char left[WORDS_LABEL_SIZE] = "";
    char middle[WORDS_LABEL_SIZE] = "";
    words_append(left, sizeof left, "%s, session %zu", session->subject, count);
    words_append(middle, sizeof middle, "Archive SHA-256 %.*s%s", HASH_SHOWN, file_hash,
                 strlen(file_hash) > HASH_SHOWN ? " ..." : "");
    document_foot(document, left, middle);
}

static void add_head(struct document *document, const struct session *session, size_t count)
{
    char line[WORDS_LABEL_SIZE] = "";
    char date[WORDS_DATE_SIZE];
    words_append(line, sizeof line, "Session %zu, %s", count,
                 words_date_time(session->start_utc_us, date));
    document_head(document, session->subject, line);
}

static void add_end(struct document *document, const char *file_hash)
{
    document_signature(document);
    document_paragraph(
        document, DOCUMENT_QUIET,
        "%s Warning signs: loss of bladder or bowel control, numbness between the "
        "legs, leg pain or weakness, pain after a fall, pain that rest does not "
        "change.",
        report_disclaimer());
    document_paragraph(document, DOCUMENT_QUIET, "Archive file SHA-256: %s",
                       file_hash[0] != '\0' ? file_hash : "not known");
}

enum status report_clinician(const struct session *const *sessions, size_t count,
                             const char *file_hash, struct document **out)
{
    struct document *document = NULL;
    enum status status =
        document_create("Clinician report", "en", DOCUMENT_DENSE, &document);
    if (status) {
        return status;
    }
    const struct session *session = sessions[count - 1];
    file_hash = file_hash ? file_hash : "";
    add_head(document, session, count);
    add_foot(document, session, count, file_hash);
    add_facts(document, session, count);
    add_warnings(document, session);
    document_columns_open(document);
    add_safety(document, session);
    add_quality(document, session);
    document_close(document);
    clinician_key_table(document, sessions, count);
    clinician_plots(document, session);
    clinician_trend(document, sessions, count);
    clinician_round_table(document, session);
    clinician_error_table(document, session);
    clinician_withheld_table(document, session);
    add_notes(document, session);
    add_method(document, session);
    add_end(document, file_hash);
    clinician_other_table(document, session);
    status = document_status(document);
    if (status) {
        document_destroy(document);
        return status;
    }
    *out = document;
    return STATUS_OK;
}

/* The letter for the data of a session: the worst of what can go wrong with sensors, not
 * with the person. Limits are project defaults. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "protocols/evaluation.h"

/* Largest (or, for coverage, smallest) value that still earns A, B, C. */
struct grade_limits {
    double a;
    double b;
    double c;
};

static const struct grade_limits MISSING_PERCENT = {1.0, 3.0, 5.0};
static const struct grade_limits LOST_PERCENT = {0.1, 1.0, 5.0};
static const struct grade_limits STALLS = {0.0, 2.0, 10.0};
static const struct grade_limits DRIFT_DEG = {3.0, 5.0, 10.0};

/* The worst letter so far and what was found, by letter. */
struct finding {
    char grade;
    char reason[sizeof((struct session *)0)->grade_reason];
};

static char letter(double value, const struct grade_limits *limits)
{
    if (value <= limits->a) {
        return 'A';
    }
    if (value <= limits->b) {
        return 'B';
    }
    return value <= limits->c ? 'C' : 'F';
}

static void finding_add(struct finding *finding, char grade, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The reasons of the worst letter are kept. */
static void finding_add(struct finding *finding, char grade, const char *format, ...)
{
    char text[sizeof finding->reason];
    va_list arguments;

    if (grade == 'A' || grade < finding->grade) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (grade > finding->grade) {
        finding->grade = grade;
        finding->reason[0] = '\0';
    }
    const size_t used = strlen(finding->reason);

    if (used + strlen(text) + sizeof "; " <= sizeof finding->reason) {
        char *end = finding->reason + used;
        if (used > 0) {
            memcpy(end, "; ", 2);
            end += 2;
        }
        memcpy(end, text, strlen(text) + 1);
    }
}

static bool has_angles(const struct session *session)
{
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        if (session->angles.angle_rad[i]) {
            return session->angles.count > 0;
        }
    }
    return false;
}

/* Mean over the repetitions. */
static void judge_coverage(const struct session *session, struct finding *finding)
{
    double sum = 0.0;
    unsigned count = 0;

    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == METRIC_PEAK_ANGLE && metric->repetition > 0) {
            sum += metric->coverage;
            count++;
        }
    }
    if (!has_angles(session)) {
        finding_add(finding, 'F', "no sensor gave an angle");
    } else if (count == 0) {
        finding_add(finding, 'C', "no repetition was measured");
    } else {
        const double missing_percent = 100.0 * (1.0 - sum / count);
        finding_add(finding, letter(missing_percent, &MISSING_PERCENT),
                    "no data for %.1f %% of the movements", missing_percent);
    }
}

static void judge_alignment(const struct session_sensor *sensor, struct finding *finding)
{
    const struct calibration_alignment *alignment = &sensor->alignment;

    if (role_is_flex(sensor->role)) {
        return;
    }
    if (alignment->grade < 'A' || alignment->grade > 'F') {
        finding_add(finding, 'C', "%s: not aligned to the body", role_text(sensor->role));
        return;
    }
    finding_add(finding, alignment->grade, "%s: alignment %c%s%.60s",
                role_text(sensor->role), alignment->grade, alignment->reason[0] ? ", " : "",
                alignment->reason);
}

static void judge_lost(const struct session_sensor *sensor, struct finding *finding)
{
    const double lost = (double)sensor->lost_count;
    const double all = lost + (double)sensor->sample_count;

    if (all > 0.0) {
        finding_add(finding, letter(100.0 * lost / all, &LOST_PERCENT),
                    "%s: %.2g %% of the samples lost", role_text(sensor->role),
                    100.0 * lost / all);
    }
}

static void judge_sensors(const struct session *session, struct finding *finding)
{
    for (unsigned i = 0; i < session->sensor_count; i++) {
        judge_alignment(&session->sensors[i], finding);
        judge_lost(&session->sensors[i], finding);
    }
}

static void judge_stalls(const struct session *session, struct finding *finding)
{
    unsigned count = 0;

    for (size_t i = 0; i < session->event_count; i++) {
        const struct event *event = &session->events[i];
        if (event->type == EVENT_SENSOR
            && (strcmp(event->label, sensor_state_text(SENSOR_STALLED)) == 0
                || strcmp(event->label, sensor_state_text(SENSOR_UNPLUGGED)) == 0)) {
            count++;
        }
    }
    finding_add(finding, letter(count, &STALLS), "sensors went silent %u time%s", count,
                count == 1 ? "" : "s");
}

static void judge_drift(const struct session *session, struct finding *finding)
{
    for (unsigned i = 0; i < session->stretch_count; i++) {
        const double drift_deg =
            fabs(session->stretches[i].gyro_drift_removed_rad) * DEG_PER_RAD;
        if (isfinite(drift_deg)) {
            finding_add(finding, letter(drift_deg, &DRIFT_DEG),
                        "%s: heading drift of %.1f deg", session->stretches[i].protocol.id,
                        drift_deg);
        }
    }
}

void evaluation_grade(struct session *session)
{
    struct finding finding;

    memset(&finding, 0, sizeof finding);
    finding.grade = 'A';
    judge_coverage(session, &finding);
    judge_sensors(session, &finding);
    judge_stalls(session, &finding);
    judge_drift(session, &finding);
    session->grade = finding.grade;
    memcpy(session->grade_reason, finding.reason, sizeof session->grade_reason);
}

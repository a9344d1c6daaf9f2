#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "archive/export_csv.h"
#include "base/clock.h"

/* Text that names a device, place or person: left out of a de-identified export. */
static void identifying_text(const struct export_run *run, struct csv *csv,
                             const char *text)
{
    csv_text(csv, run->settings->deidentify ? NULL : text);
}

/* A pain score, NA when not asked. */
static void score_put(struct csv *csv, int score)
{
    if (score < 0) {
        csv_text(csv, NULL);
    } else {
        csv_integer(csv, score);
    }
}

static void letter_put(struct csv *csv, char letter)
{
    const char text[2] = {letter, '\0'};
    csv_text(csv, text);
}

static void item_put(struct csv *csv, const struct export_item *item)
{
    csv_text(csv, item->session_id);
    csv_text(csv, item->subject);
}

static void session_row(struct export_run *run, const struct export_item *item,
                        const struct session *session)
{
    struct csv *csv = &run->tables[EXPORT_TABLE_SESSIONS];
    char start[CLOCK_TEXT_SIZE];
    clock_utc_text(session->start_utc_us, start);
    item_put(csv, item);
    identifying_text(run, csv, session->uuid);
    csv_text(csv, item->parent_id);
    identifying_text(run, csv, start);
    csv_integer(csv, item->day);
    csv_text(csv, item->time_of_day);
    csv_double(csv, session->duration_s);
    identifying_text(run, csv, session->operator_code);
    letter_put(csv, session->grade);
    csv_text(csv, session->grade_reason);
    csv_integer(csv, session->simulated);
    csv_integer(csv, session->recovered);
    csv_text(csv, screening_outcome_text(screening_evaluate(&session->screening)));
    csv_integer(csv, session->screening.hypermobile);
    score_put(csv, session->pain_before);
    score_put(csv, session->pain_highest);
    score_put(csv, session->pain_after);
    csv_text(csv, session->software);
    csv_text(csv, session->software_commit);
    identifying_text(run, csv, session->journal_hash);
    csv_row_end(csv);
}

/* Protocols written by a clinic may name people or places; only the built-in texts are
 * shown in a de-identified export. */
static bool is_library_text(const struct protocol *protocol)
{
    size_t count = 0;
    const char *const *ids = protocol_library(&count);
    struct protocol *known = calloc(1, sizeof *known);
    bool same = false;
    for (size_t index = 0; known && index < count; index++) {
        if (strcmp(ids[index], protocol->id) == 0
            && protocol_find(ids[index], known) == STATUS_OK) {
            same = known->text_size == protocol->text_size
                   && memcmp(known->text, protocol->text, known->text_size) == 0;
            protocol_release(known);
        }
    }
    free(known);
    return same;
}

/* Write the exact text once. @param name  Out: its place in the export, "" when left out.
 */
static enum status protocol_text_write(struct export_run *run,
                                       const struct protocol *protocol, const char *hash,
                                       char name[EXPORT_PATH_SIZE])
{
    char path[EXPORT_PATH_SIZE];
    struct stat info;
    struct csv file;
    name[0] = '\0';
    if (!protocol->text || (run->settings->deidentify && !is_library_text(protocol))
        || !catalogue_subject_is_valid(protocol->id)) {
        return STATUS_OK;
    }
    snprintf(name, EXPORT_PATH_SIZE, "protocols/%s_%.8s.yaml", protocol->id, hash);
    if (snprintf(path, sizeof path, "%s/%s", run->folder, name) >= (int)sizeof path) {
        return STATUS_IO;
    }
    if (stat(path, &info) == 0) {
        return STATUS_OK;
    }
    enum status status = csv_open(&file, path);
    if (status == STATUS_OK) {
        fwrite(protocol->text, 1, protocol->text_size, file.stream);
        status = export_file_finish(run, &file);
    }
    return status;
}

static enum status protocol_rows(struct export_run *run, const struct export_item *item,
                                 const struct session *session)
{
    struct csv *csv = &run->tables[EXPORT_TABLE_PROTOCOLS];
    enum status status = STATUS_OK;
    for (unsigned index = 0; index < session->stretch_count && status == STATUS_OK;
         index++) {
        const struct session_stretch *stretch = &session->stretches[index];
        const struct protocol *protocol = &stretch->protocol;
        char hash[SESSION_HASH_SIZE];
        char file[EXPORT_PATH_SIZE];
        archive_hash_bytes(protocol->text, protocol->text ? protocol->text_size : 0, hash);
        status = protocol_text_write(run, protocol, hash, file);
        item_put(csv, item);
        csv_unsigned(csv, index);
        csv_text(csv, protocol->id);
        csv_text(csv, protocol->title);
        csv_text(csv, protocol->version);
        csv_text(csv, protocol->placement);
        csv_text(csv, posture_text(protocol->posture));
        csv_double(csv, stretch->start_s);
        csv_double(csv, stretch->end_s);
        csv_integer(csv, stretch->completed);
        csv_text(csv, protocol->text ? hash : NULL);
        csv_text(csv, file);
        csv_row_end(csv);
    }
    return status;
}

static void device_rows(struct export_run *run, const struct export_item *item,
                        const struct session *session)
{
    struct csv *csv = &run->tables[EXPORT_TABLE_DEVICES];
    for (unsigned index = 0; index < session->sensor_count; index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        item_put(csv, item);
        csv_text(csv, role_text(sensor->role));
        csv_text(csv, sensor->driver);
        /* A device tells its name here, which its owner may have chosen. */
        identifying_text(run, csv, sensor->model);
        identifying_text(run, csv, sensor->serial_number);
        identifying_text(run, csv, sensor->port);
        csv_double(csv, sensor->rate_hz);
        csv_double(csv, sensor->rate_measured_hz);
        csv_double(csv, sensor->clock_skew);
        csv_unsigned(csv, sensor->sample_count);
        csv_unsigned(csv, sensor->lost_count);
        csv_unsigned(csv, sensor->bad_count);
        for (unsigned axis = 0; axis < 3; axis++) {
            csv_double(csv, sensor->imu.gyro_bias_rad_s[axis]);
        }
        letter_put(csv, sensor->alignment.grade);
        csv_text(csv, sensor->alignment.reason);
        csv_row_end(csv);
    }
}

/* Protocol of a stretch, NULL when the index is wrong. */
static const struct protocol *protocol_at(const struct session *session, unsigned stretch)
{
    return stretch < session->stretch_count ? &session->stretches[stretch].protocol : NULL;
}

static const struct protocol_part *part_at(const struct session *session, unsigned stretch,
                                           unsigned part)
{
    const struct protocol *protocol = protocol_at(session, stretch);
    return protocol && part < protocol->part_count ? &protocol->parts[part] : NULL;
}

/* The columns of COLUMN_PLACE. */
static void place_put(struct csv *csv, const struct session *session, unsigned stretch,
                      unsigned part, enum side side, unsigned repetition)
{
    const struct protocol *protocol = protocol_at(session, stretch);
    const struct protocol_part *where = part_at(session, stretch, part);
    csv_unsigned(csv, stretch);
    csv_text(csv, protocol ? protocol->id : NULL);
    csv_text(csv, where ? where->id : NULL);
    csv_text(csv, side_text(side));
    csv_unsigned(csv, repetition);
}

static void metric_rows(struct export_run *run, const struct export_item *item,
                        const struct session *session)
{
    struct csv *csv = &run->tables[EXPORT_TABLE_METRICS];
    for (size_t index = 0; index < session->metric_count; index++) {
        const struct metric *metric = &session->metrics[index];
        const struct metric_definition *definition = metric_definition_get(metric->id);
        const struct measure_info *info = (unsigned)metric->measure < MEASURE_COUNT
                                              ? measure_info_get(metric->measure)
                                              : NULL;
        item_put(csv, item);
        place_put(csv, session, metric->stretch, metric->part, metric->side,
                  metric->repetition);
        csv_text(csv, definition->id);
        csv_text(csv, info ? info->id : NULL);
        csv_text(csv, info ? info->joint : NULL);
        csv_double(csv, metric->value);
        csv_text(csv, definition->unit);
        csv_double(csv, metric->uncertainty);
        csv_double(csv, metric->coverage);
        csv_double(csv, metric->quality);
        csv_text(csv, metric->withheld);
        csv_text(csv, metric->remark);
        csv_unsigned(csv, definition->version);
        csv_row_end(csv);
    }
}

/* Whether what an event says was written by the program, not by a person. */
static bool event_label_is_fixed(enum event_type type)
{
    return type != EVENT_OPERATOR && type != EVENT_NOTE;
}

static bool event_cause_is_fixed(enum event_type type)
{
    return type == EVENT_PHASE || type == EVENT_HOLD || type == EVENT_REPETITION;
}

static void event_rows(struct export_run *run, const struct export_item *item,
                       const struct session *session)
{
    struct csv *csv = &run->tables[EXPORT_TABLE_EVENTS];
    bool deidentify = run->settings->deidentify;
    for (size_t index = 0; index < session->event_count; index++) {
        const struct event *event = &session->events[index];
        if (deidentify && event->type == EVENT_NOTE) {
            continue;
        }
        item_put(csv, item);
        csv_double(csv, event->time_s);
        csv_double(csv, event->duration_s);
        csv_text(csv, event_type_text(event->type));
        csv_text(csv,
                 deidentify && !event_label_is_fixed(event->type) ? NULL : event->label);
        csv_text(csv, event->source);
        csv_text(csv,
                 deidentify && !event_cause_is_fixed(event->type) ? NULL : event->cause);
        place_put(csv, session, event->stretch, event->part, event->side,
                  event->repetition);
        csv_double(csv, event->value);
        csv_double(csv, event->value2);
        csv_row_end(csv);
    }
}

/* Value of a metric of the same repetition as an event, NaN when there is none. */
static double event_metric(const struct session *session, const struct event *event,
                           enum metric_id id)
{
    const struct metric *metric = session_metric_find(
        session, id, event->stretch, event->part, event->side, event->repetition);
    return metric ? metric->value : (double)NAN;
}

/* Columns that holds and repetitions share at their front and end. */
static void action_front(struct csv *csv, const struct export_item *item,
                         const struct session *session, const struct event *event)
{
    const struct protocol_part *part = part_at(session, event->stretch, event->part);
    item_put(csv, item);
    place_put(csv, session, event->stretch, event->part, event->side, event->repetition);
    csv_text(csv, part ? measure_info_get(part->measure[event->side])->id : NULL);
    csv_double(csv, event->time_s);
    csv_double(csv, event->duration_s);
    csv_double(csv, event->value);
}

static void action_peak(struct csv *csv, const struct session *session,
                        const struct event *event)
{
    const struct metric *peak =
        session_metric_find(session, METRIC_PEAK_ANGLE, event->stretch, event->part,
                            event->side, event->repetition);
    csv_double(csv, peak ? peak->value : (double)NAN);
    csv_double(csv, peak ? peak->uncertainty : (double)NAN);
    csv_double(csv, event_metric(session, event, METRIC_RANGE_OF_MOTION));
}

static void action_end(struct csv *csv, const struct session *session,
                       const struct event *event, enum metric_id id)
{
    const struct metric *metric = session_metric_find(
        session, id, event->stretch, event->part, event->side, event->repetition);
    csv_double(csv, metric ? metric->coverage : (double)NAN);
    csv_double(csv, metric ? metric->quality : (double)NAN);
    csv_row_end(csv);
}

static void hold_row(struct csv *csv, const struct export_item *item,
                     const struct session *session, const struct event *event)
{
    const struct runner_zone *zone = NULL;
    if (part_at(session, event->stretch, event->part)) {
        zone = &session->stretches[event->stretch].zones[event->part][event->side];
    }
    action_front(csv, item, session, event);
    csv_text(csv, event->label);
    csv_double(csv, zone ? zone->low_deg : (double)NAN);
    csv_double(csv, zone ? zone->high_deg : (double)NAN);
    action_peak(csv, session, event);
    csv_double(csv, event_metric(session, event, METRIC_HOLD_MEAN_ANGLE));
    csv_double(csv, event_metric(session, event, METRIC_HOLD_WOBBLE));
    csv_double(csv, event_metric(session, event, METRIC_HOLD_STILLNESS));
    csv_double(csv, event_metric(session, event, METRIC_HOLD_SLOPE));
    action_end(csv, session, event, METRIC_HOLD_TIME);
}

static void repetition_row(struct csv *csv, const struct export_item *item,
                           const struct session *session, const struct event *event)
{
    action_front(csv, item, session, event);
    action_peak(csv, session, event);
    csv_double(csv, event_metric(session, event, METRIC_MOVE_IN_TIME));
    csv_double(csv, event_metric(session, event, METRIC_MOVE_OUT_TIME));
    csv_double(csv, event_metric(session, event, METRIC_MOVE_PEAK_RATE));
    csv_double(csv, event_metric(session, event, METRIC_SMOOTHNESS_SPARC));
    action_end(csv, session, event, METRIC_PEAK_ANGLE);
}

static void action_rows(struct export_run *run, const struct export_item *item,
                        const struct session *session)
{
    for (size_t index = 0; index < session->event_count; index++) {
        const struct event *event = &session->events[index];
        if (event->type == EVENT_HOLD) {
            hold_row(&run->tables[EXPORT_TABLE_HOLDS], item, session, event);
        } else if (event->type == EVENT_REPETITION) {
            repetition_row(&run->tables[EXPORT_TABLE_REPETITIONS], item, session, event);
        }
    }
}

enum status export_rows_write(struct export_run *run, const struct export_item *item,
                              const struct session *session)
{
    session_row(run, item, session);
    device_rows(run, item, session);
    metric_rows(run, item, session);
    event_rows(run, item, session);
    action_rows(run, item, session);
    return protocol_rows(run, item, session);
}

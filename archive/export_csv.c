#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/csv.h"
#include "archive/export_plan.h"
#include "archive/folder.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

enum {
    CSV_PATH_SIZE = 768,
    CSV_COLUMN_MAX = 32
};

/* A column of a table: the header line and the data dictionary come from the same entry. */
struct column {
    const char *name;
    const char *unit;
    const char *definition;
};

enum table {
    TABLE_SESSIONS,
    TABLE_PROTOCOLS,
    TABLE_DEVICES,
    TABLE_METRICS,
    TABLE_EVENTS,
    TABLE_HOLDS,
    TABLE_REPETITIONS,
    TABLE_COUNT
};

struct table_info {
    const char *file;
    const char *title; /* for the README */
    struct column columns[CSV_COLUMN_MAX];
};

#define COLUMN_SESSION                                                                     \
    {"session_id", "1",                                                                    \
     "key of a session in all tables and in names of time series files"},                  \
    {                                                                                      \
        "subject", "1", "pseudonym of the person"                                          \
    }
#define COLUMN_PLACE                                                                       \
    {"stretch", "1", "index of the stretch in the session, from 0"},                       \
        {"protocol", "1", "id of the stretch"},                                            \
        {"part", "1", "id of the part of the stretch"},                                    \
        {"side", "1", "left or right of the person, or both"},                             \
    {                                                                                      \
        "repetition", "1", "running number from 1; 0 = over all repetitions of the part"   \
    }

static const struct table_info TABLES[TABLE_COUNT] = {
    [TABLE_SESSIONS] =
        {
            "sessions.csv",
            "one row per session",
            {
                COLUMN_SESSION,
                {"uuid", "1", "identity of the session file"},
                {"parent_session", "1", "session_id that this one computes again"},
                {"start_time_utc", "1", "ISO 8601"},
                {"day", "d", "calendar days since the person's first session"},
                {"time_of_day", "1", "night, morning, afternoon or evening at the clinic"},
                {"duration_s", "s", "length of the recording"},
                {"operator", "1", "code of who recorded it"},
                {"grade", "1", "data quality A (best) to F"},
                {"grade_reason", "1", "why not better"},
                {"simulated", "1", "1 = some sensor was simulated"},
                {"recovered", "1", "1 = the recording was cut off and finished later"},
                {"screening_outcome", "1", "result of the questions before the session"},
                {"hypermobile", "1", "1 = the hypermobility rules were in force"},
                {"pain_before", "1", "0 to 10"},
                {"pain_highest", "1", "0 to 10"},
                {"pain_after", "1", "0 to 10"},
                {"software", "1", "program that computed the results"},
                {"software_commit", "1", "its source version"},
                {"journal_sha256", "1", "SHA-256 of the recorded bytes"},
            },
        },
    [TABLE_PROTOCOLS] =
        {
            "protocols.csv",
            "one row per stretch of a session",
            {
                COLUMN_SESSION,
                {"stretch", "1", "index of the stretch in the session, from 0"},
                {"protocol", "1", "id of the stretch"},
                {"title", "1", "its name in words"},
                {"version", "1", "version of the protocol"},
                {"placement", "1", "where the sensors were worn: DORSAL or VENTRAL"},
                {"posture", "1", "posture of the body"},
                {"start_s", "s", "session time of its start"},
                {"end_s", "s", "session time of its end"},
                {"completed", "1", "1 = done to the end"},
                {"sha256", "1", "SHA-256 of the exact protocol text"},
                {"text_file", "1", "that text, from this folder"},
            },
        },
    [TABLE_DEVICES] =
        {
            "devices.csv",
            "one row per sensor of a session",
            {
                COLUMN_SESSION,
                {"role", "1", "where it was worn"},
                {"driver", "1", "data format"},
                {"model", "1", "as the device says"},
                {"serial_number", "1", "as the device says"},
                {"port", "1", "how it was connected"},
                {"rate_hz", "Hz", "nominal sampling rate"},
                {"rate_measured_hz", "Hz", "sampling rate over the session"},
                {"clock_skew", "1", "error of the device's clock against the computer's"},
                {"sample_count", "1", "samples received"},
                {"lost_count", "1", "samples lost"},
                {"bad_count", "1", "damaged frames"},
                {"gyro_bias_x_rad_s", "rad/s", "gyroscope bias that was taken off"},
                {"gyro_bias_y_rad_s", "rad/s", "the same, y"},
                {"gyro_bias_z_rad_s", "rad/s", "the same, z"},
                {"alignment_grade", "1", "sensor on body segment, A (best) to F"},
                {"alignment_reason", "1", "why not better"},
            },
        },
    [TABLE_METRICS] =
        {
            "metrics.csv",
            "all results, long form: one row per value",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"metric", "1", "id of the metric; defined below"},
                {"measure", "1", "angle it is about; defined below"},
                {"joint", "1", "joint or segment of that angle"},
                {"value", "see unit", "NA where withheld"},
                {"unit", "1", "UCUM"},
                {"uncertainty_95", "see unit", "half width of the 95 % interval"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
                {"withheld", "1", "why there is no value"},
                {"remark", "1", "why the quality is below 100"},
                {"definition_version", "1", "version of the metric's definition"},
            },
        },
    [TABLE_EVENTS] =
        {
            "events.csv",
            "what happened, in order",
            {
                COLUMN_SESSION,
                {"onset_s", "s", "session time of the start"},
                {"duration_s", "s", "0 = an instant"},
                {"type", "1",
                 "phase, hold, repetition, peak, zone, pain, screening, guard, "
                 "sensor, alignment, operator or note"},
                {"label", "1", "what exactly"},
                {"source", "1", "sensor role, runner, operator, patient or guard"},
                {"cause", "1", "why"},
                COLUMN_PLACE,
                {"value", "by type",
                 "hold: credited s; repetition: range deg; peak: deg; zone: "
                 "low deg; pain: 0 to 10; guard: deg/s"},
                {"value2", "by type", "zone: high deg; guard: limit deg/s"},
            },
        },
    [TABLE_HOLDS] =
        {
            "holds.csv",
            "one row per hold",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"measure", "1", "angle that was held"},
                {"onset_s", "s", "session time of its start"},
                {"duration_s", "s", "from start to end"},
                {"credited_s", "s", "without gaps in the data"},
                {"end_cause", "1", "why it ended"},
                {"zone_low_deg", "deg", "target zone"},
                {"zone_high_deg", "deg", "target zone"},
                {"peak_angle_deg", "deg", "metric peak_angle"},
                {"peak_angle_uncertainty_deg", "deg", "its uncertainty_95"},
                {"range_of_motion_deg", "deg", "metric range_of_motion"},
                {"mean_angle_deg", "deg", "metric hold_mean_angle"},
                {"wobble_deg", "deg", "metric hold_wobble"},
                {"stillness_deg_s", "deg/s", "metric hold_stillness"},
                {"slope_deg_min", "deg/min", "metric hold_slope"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
            },
        },
    [TABLE_REPETITIONS] =
        {
            "repetitions.csv",
            "one row per counted cycle of a repeated movement",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"measure", "1", "angle that moved"},
                {"onset_s", "s", "session time of its start"},
                {"duration_s", "s", "from valley to valley"},
                {"range_deg", "deg", "peak to valley as counted live"},
                {"peak_angle_deg", "deg", "metric peak_angle"},
                {"peak_angle_uncertainty_deg", "deg", "its uncertainty_95"},
                {"range_of_motion_deg", "deg", "metric range_of_motion"},
                {"move_in_time_s", "s", "metric move_in_time"},
                {"move_out_time_s", "s", "metric move_out_time"},
                {"move_peak_rate_deg_s", "deg/s", "metric move_peak_rate"},
                {"smoothness_sparc", "1", "metric smoothness_sparc"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
            },
        },
};

/* One export under way. */
struct export_run {
    const struct export_settings *settings;
    const char *folder;
    struct csv tables[TABLE_COUNT];
    struct csv sums; /* SHA256SUMS, as sha256sum -c reads it */
};

static enum status table_open(struct export_run *run, enum table table)
{
    char path[CSV_PATH_SIZE];
    struct csv *csv = &run->tables[table];
    const struct column *column = TABLES[table].columns;
    snprintf(path, sizeof path, "%s/%s", run->folder, TABLES[table].file);
    enum status status = csv_open(csv, path);
    for (; status == STATUS_OK && column->name; column++) {
        csv_text(csv, column->name);
    }
    if (status == STATUS_OK) {
        csv_row_end(csv);
    }
    return status;
}

/* Close a file and note its checksum. */
static enum status file_finish(struct export_run *run, struct csv *csv)
{
    char hash[SESSION_HASH_SIZE];
    enum status status = csv_close(csv);
    if (status == STATUS_OK) {
        status = archive_hash_file(csv->path, hash);
    }
    if (status == STATUS_OK) {
        fprintf(run->sums.stream, "%s  %s\n", hash, csv->path + strlen(run->folder) + 1);
    }
    return status;
}

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
    struct csv *csv = &run->tables[TABLE_SESSIONS];
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
                                       char name[CSV_PATH_SIZE])
{
    char path[CSV_PATH_SIZE];
    struct stat info;
    struct csv file;
    name[0] = '\0';
    if (!protocol->text || (run->settings->deidentify && !is_library_text(protocol))
        || !catalogue_subject_is_valid(protocol->id)) {
        return STATUS_OK;
    }
    snprintf(name, CSV_PATH_SIZE, "protocols/%s_%.8s.yaml", protocol->id, hash);
    if (snprintf(path, sizeof path, "%s/%s", run->folder, name) >= (int)sizeof path) {
        return STATUS_IO;
    }
    if (stat(path, &info) == 0) {
        return STATUS_OK;
    }
    enum status status = csv_open(&file, path);
    if (status == STATUS_OK) {
        fwrite(protocol->text, 1, protocol->text_size, file.stream);
        status = file_finish(run, &file);
    }
    return status;
}

static enum status protocol_rows(struct export_run *run, const struct export_item *item,
                                 const struct session *session)
{
    struct csv *csv = &run->tables[TABLE_PROTOCOLS];
    enum status status = STATUS_OK;
    for (unsigned index = 0; index < session->stretch_count && status == STATUS_OK;
         index++) {
        const struct session_stretch *stretch = &session->stretches[index];
        const struct protocol *protocol = &stretch->protocol;
        char hash[SESSION_HASH_SIZE];
        char file[CSV_PATH_SIZE];
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
    struct csv *csv = &run->tables[TABLE_DEVICES];
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
    struct csv *csv = &run->tables[TABLE_METRICS];
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
    struct csv *csv = &run->tables[TABLE_EVENTS];
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
    csv_text(csv, event->cause);
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
            hold_row(&run->tables[TABLE_HOLDS], item, session, event);
        } else if (event->type == EVENT_REPETITION) {
            repetition_row(&run->tables[TABLE_REPETITIONS], item, session, event);
        }
    }
}

static enum status series_open(struct export_run *run, const struct export_item *item,
                               const char *name, struct csv *csv)
{
    char path[CSV_PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/timeseries/%s_%s.csv", run->folder,
                 item->session_id, name)
        >= (int)sizeof path) {
        log_error("%s: the path is too long; use a shorter folder", run->folder);
        return STATUS_IO;
    }
    return csv_open(csv, path);
}

static enum status angles_write(struct export_run *run, const struct export_item *item,
                                const struct session_angles *angles)
{
    struct csv csv;
    enum status status = series_open(run, item, "angles", &csv);
    if (status != STATUS_OK) {
        return status;
    }
    csv_text(&csv, "time_s");
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        char name[64];
        const char *id = measure_info_get((enum measure)index)->id;
        if (angles->angle_rad[index]) {
            snprintf(name, sizeof name, "%s_deg", id);
            csv_text(&csv, name);
        }
        if (angles->rate_rad_s[index]) {
            snprintf(name, sizeof name, "%s_deg_s", id);
            csv_text(&csv, name);
        }
    }
    csv_row_end(&csv);
    for (size_t row = 0; row < angles->count; row++) {
        csv_decimal(&csv, angles->time_s[row], 4);
        for (unsigned index = 0; index < MEASURE_COUNT; index++) {
            if (angles->angle_rad[index]) {
                csv_decimal(&csv, angles->angle_rad[index][row] * DEG_PER_RAD, 4);
            }
            if (angles->rate_rad_s[index]) {
                csv_decimal(&csv, angles->rate_rad_s[index][row] * DEG_PER_RAD, 4);
            }
        }
        csv_row_end(&csv);
    }
    return file_finish(run, &csv);
}

/* A device clock may count from 1970: in a de-identified export it counts from the first
 * sample. */
static uint64_t ticks_origin(const struct export_run *run,
                             const struct session_stream *stream)
{
    return run->settings->deidentify && stream->count > 0 ? stream->device_ticks[0] : 0;
}

static void stream_row(struct csv *csv, const struct session_stream *stream, size_t row,
                       uint64_t origin)
{
    unsigned channels = stream->info.channel_count;
    csv_decimal(csv, stream->time_s[row], 6);
    /* Wraps to a negative number when the device restarted below its first tick. */
    csv_integer(csv, (int64_t)(stream->device_ticks[row] - origin));
    csv_unsigned(csv, stream->sequence[row]);
    csv_unsigned(csv, stream->flags[row]);
    for (unsigned channel = 0; channel < channels; channel++) {
        csv_float(csv, stream->values[row * channels + channel]);
    }
    csv_row_end(csv);
}

static enum status stream_write(struct export_run *run, const struct export_item *item,
                                const struct session_sensor *sensor,
                                const struct session_stream *stream)
{
    struct csv csv;
    char name[96];
    snprintf(name, sizeof name, "%s_%.48s", role_text(sensor->role), stream->info.name);
    if (strchr(stream->info.name, '/')) {
        log_warning("%s: stream '%s' has no name for a file and is left out",
                    item->session_id, stream->info.name);
        return STATUS_OK;
    }
    enum status status = series_open(run, item, name, &csv);
    if (status != STATUS_OK) {
        return status;
    }
    static const char *const FRONT[] = {"time_s", "device_ticks", "sequence", "flags"};
    for (unsigned index = 0; index < sizeof FRONT / sizeof FRONT[0]; index++) {
        csv_text(&csv, FRONT[index]);
    }
    for (unsigned channel = 0; channel < stream->info.channel_count; channel++) {
        csv_text(&csv, stream->info.channels[channel]);
    }
    csv_row_end(&csv);
    for (size_t row = 0; row < stream->count; row++) {
        stream_row(&csv, stream, row, ticks_origin(run, stream));
    }
    return file_finish(run, &csv);
}

static enum status orientation_write(struct export_run *run, const struct export_item *item,
                                     const struct session_sensor *sensor)
{
    static const char *const HEADER[] = {"time_s", "w", "x", "y", "z"};
    struct csv csv;
    char name[64];
    snprintf(name, sizeof name, "%s_orientation", role_text(sensor->role));
    enum status status = series_open(run, item, name, &csv);
    if (status != STATUS_OK) {
        return status;
    }
    for (unsigned index = 0; index < sizeof HEADER / sizeof HEADER[0]; index++) {
        csv_text(&csv, HEADER[index]);
    }
    csv_row_end(&csv);
    for (size_t row = 0; row < sensor->orientation_count; row++) {
        csv_decimal(&csv, sensor->orientation_time_s[row], 6);
        for (unsigned axis = 0; axis < 4; axis++) {
            csv_float(&csv, sensor->orientation[row * 4 + axis]);
        }
        csv_row_end(&csv);
    }
    return file_finish(run, &csv);
}

static enum status series_write(struct export_run *run, const struct export_item *item,
                                const struct session *session)
{
    enum status status = angles_write(run, item, &session->angles);
    for (unsigned index = 0; index < session->sensor_count && status == STATUS_OK;
         index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        for (unsigned stream = 0; stream < sensor->stream_count && status == STATUS_OK;
             stream++) {
            const struct session_stream *what = &sensor->streams[stream];
            /* Status channels may hold a calendar or an address. */
            bool hidden = run->settings->deidentify && what->info.kind == STREAM_STATUS;
            if (what->count > 0 && !hidden) {
                status = stream_write(run, item, sensor, what);
            }
        }
        if (status == STATUS_OK && sensor->orientation_count > 0) {
            status = orientation_write(run, item, sensor);
        }
    }
    return status;
}

static enum status session_write(struct export_run *run, const struct export_item *item,
                                 const struct session *session)
{
    session_row(run, item, session);
    device_rows(run, item, session);
    metric_rows(run, item, session);
    event_rows(run, item, session);
    action_rows(run, item, session);
    enum status status = protocol_rows(run, item, session);
    return status == STATUS_OK ? series_write(run, item, session) : status;
}

static void dictionary_row(struct csv *csv, const char *name, const char *unit,
                           const char *definition, unsigned version, const char *source,
                           const char *table)
{
    csv_text(csv, name);
    csv_text(csv, unit);
    csv_text(csv, definition);
    if (version > 0) {
        csv_unsigned(csv, version);
    } else {
        csv_text(csv, NULL);
    }
    csv_text(csv, source);
    csv_text(csv, table);
    csv_row_end(csv);
}

static void dictionary_measures(struct csv *csv)
{
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const struct measure_info *info = measure_info_get((enum measure)index);
        char name[64];
        char definition[192];
        snprintf(name, sizeof name, "%s_deg", info->id);
        snprintf(definition, sizeof definition, "%s; smoothed, 100 Hz", info->title);
        dictionary_row(csv, name, "deg", definition, 0, NULL, "timeseries/*_angles.csv");
        snprintf(name, sizeof name, "%s_deg_s", info->id);
        snprintf(definition, sizeof definition, "rate of change of %s", info->id);
        dictionary_row(csv, name, "deg/s", definition, 0, NULL, "timeseries/*_angles.csv");
    }
}

static void dictionary_series(struct csv *csv)
{
    static const struct column COLUMNS[] = {
        {"time_s", "s", "seconds since the session began"},
        {"device_ticks", "1", "the device's own clock"},
        {"sequence", "1", "running number of the frame"},
        {"flags", "1",
         "sum of: 1 samples were lost before this one, 2 clipped at full scale, 4 not "
         "calibrated, 8 low battery, 16 the device restarted"},
        {"gyroscope_x_deg_s", "deg/s",
         "angular rate in the sensor's axes, as sent; y and z alike"},
        {"accelerometer_x_g", "g",
         "specific force in the sensor's axes, as sent, in standard gravities (UCUM [g]); "
         "y and z alike"},
        {"w", "1", "orientation quaternion w,x,y,z: sensor to earth, Z up, heading free"},
    };
    for (size_t index = 0; index < sizeof COLUMNS / sizeof COLUMNS[0]; index++) {
        dictionary_row(csv, COLUMNS[index].name, COLUMNS[index].unit,
                       COLUMNS[index].definition, 0, NULL, "timeseries/*.csv");
    }
}

static enum status dictionary_write(struct export_run *run)
{
    static const char *const HEADER[] = {"name",    "unit",   "definition",
                                         "version", "source", "table"};
    struct csv csv;
    char path[CSV_PATH_SIZE];
    snprintf(path, sizeof path, "%s/data_dictionary.csv", run->folder);
    enum status status = csv_open(&csv, path);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t index = 0; index < sizeof HEADER / sizeof HEADER[0]; index++) {
        csv_text(&csv, HEADER[index]);
    }
    csv_row_end(&csv);
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        for (const struct column *column = TABLES[table].columns; column->name; column++) {
            dictionary_row(&csv, column->name, column->unit, column->definition, 0, NULL,
                           TABLES[table].file);
        }
    }
    for (unsigned index = 0; index < METRIC_COUNT; index++) {
        const struct metric_definition *metric =
            metric_definition_get((enum metric_id)index);
        dictionary_row(&csv, metric->id, metric->unit, metric->definition, metric->version,
                       metric->source, "metrics.csv: metric");
    }
    dictionary_measures(&csv);
    dictionary_series(&csv);
    return file_finish(run, &csv);
}

static void readme_text(const struct export_run *run, FILE *stream, size_t count)
{
    const struct export_settings *settings = run->settings;
    bool deidentify = settings->deidentify;
    fprintf(stream, "Movement data exported by limber %s: %zu session%s.\n\n",
            LIMBER_VERSION, count, count == 1 ? "" : "s");
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        fprintf(stream, "  %-20s %s\n", TABLES[table].file, TABLES[table].title);
    }
    fputs(
        "  data_dictionary.csv  every column, metric and angle: unit, definition, version, "
        "source\n"
        "  protocols/           exact text of the stretches\n"
        "  timeseries/          SESSION_angles.csv: joint angles, 100 Hz, degrees\n"
        "                       SESSION_ROLE_STREAM.csv: samples as the sensor sent them\n"
        "                       SESSION_ROLE_orientation.csv: quaternions w,x,y,z\n"
        "  SHA256SUMS           check with: sha256sum -c SHA256SUMS\n\n"
        "Tables are UTF-8, comma separated, quoted as in RFC 4180, one header line, "
        "decimal "
        "point.\n"
        "NA means: no value; the column withheld of metrics.csv says why. Join tables by "
        "session_id,\n"
        "then stretch, part, side and repetition. Times are seconds since the session "
        "began.\n\n"
        "Angles are those of the thorax (or sternum) relative to the pelvis, Cardan ZXY; "
        "bending forward,\n"
        "bending right and turning right are positive; left and right are the person's. "
        "The "
        "earth frame has\n"
        "Z up and a free heading. uncertainty_95 is the half width of the 95 % "
        "interval.\n\n",
        stream);
    fprintf(stream, "Made with: limber export csv --archive DIR%s%s OUT\n",
            settings->subject && !deidentify ? " --subject " : "",
            settings->subject && !deidentify ? settings->subject : "");
    fputs(deidentify
              ? "           with --deidentify: pseudonyms, dates, serial numbers, ports, "
                "operators, notes and\n"
                "           protocol texts that are not built in were left out.\n"
              : "           Results can be computed again from each session file: limber "
                "analyse SESSION.h5\n",
          stream);
    fputs("\nThis remains data about people. Movement can be as personal as a face: "
          "recordings of "
          "it may be\n"
          "recognised by who has others of the same person. Treat it as health data.\n"
          "Licence: set by the owner of the archive; none is granted by this file.\n"
          "Limber is research and education software, not a medical device.\n",
          stream);
}

static enum status readme_write(struct export_run *run, size_t count)
{
    struct csv file;
    char path[CSV_PATH_SIZE];
    snprintf(path, sizeof path, "%s/README.txt", run->folder);
    enum status status = csv_open(&file, path);
    if (status == STATUS_OK) {
        readme_text(run, file.stream, count);
        status = file_finish(run, &file);
    }
    return status;
}

static enum status run_open(struct export_run *run)
{
    static const char *const FOLDERS[] = {"", "/timeseries", "/protocols"};
    char path[CSV_PATH_SIZE];
    enum status status = STATUS_OK;
    for (unsigned index = 0; index < 3 && status == STATUS_OK; index++) {
        snprintf(path, sizeof path, "%s%s", run->folder, FOLDERS[index]);
        status = folder_create(path);
    }
    if (status == STATUS_OK) {
        snprintf(path, sizeof path, "%s/SHA256SUMS", run->folder);
        status = csv_open(&run->sums, path);
    }
    for (unsigned table = 0; table < TABLE_COUNT && status == STATUS_OK; table++) {
        status = table_open(run, (enum table)table);
    }
    return status;
}

/* Close everything; on success with checksums. */
static enum status run_close(struct export_run *run, enum status status)
{
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        struct csv *csv = &run->tables[table];
        enum status closed = status == STATUS_OK ? file_finish(run, csv) : csv_close(csv);
        status = status == STATUS_OK ? closed : status;
    }
    enum status closed = csv_close(&run->sums);
    return status == STATUS_OK ? closed : status;
}

/* Export what can be read. @param written  Out: sessions in the export. */
static enum status sessions_write(struct export_run *run, const struct export_plan *plan,
                                  size_t *written)
{
    static const struct archive_read_settings SAMPLES = {.with_samples = true};
    enum status status = STATUS_OK;
    *written = 0;
    for (size_t index = 0; index < plan->count && status == STATUS_OK; index++) {
        struct session *session = NULL;
        if (archive_read(plan->items[index].entry.path, &SAMPLES, &session) == STATUS_OK) {
            status = session_write(run, &plan->items[index], session);
            session_destroy(session);
            (*written)++;
        }
    }
    return status;
}

static enum status tables_write(const struct export_settings *settings,
                                const struct export_plan *plan, const char *folder,
                                size_t *written)
{
    struct export_run run = {.settings = settings, .folder = folder};
    enum status status = run_open(&run);
    if (status == STATUS_OK) {
        status = sessions_write(&run, plan, written);
    }
    if (status == STATUS_OK) {
        status = dictionary_write(&run);
    }
    if (status == STATUS_OK) {
        status = readme_write(&run, *written);
    }
    return run_close(&run, status);
}

/* Say what an export with gaps lacks. */
static enum status result_check(const struct export_settings *settings,
                                const struct export_plan *plan, size_t written)
{
    if (written == plan->count) {
        return STATUS_OK;
    }
    log_error(
        "%s: %zu of %zu sessions could not be read and are not in it; see the lines above",
        settings->out, plan->count - written, plan->count);
    return STATUS_CORRUPT;
}

static enum status export_csv_write(const struct export_settings *settings)
{
    char part[CSV_PATH_SIZE / 2];
    struct export_plan plan = {.items = NULL};
    size_t written = 0;
    if (!folder_is_free(settings->out)) {
        log_error("%s: exists and is not empty; name a new folder", settings->out);
        return STATUS_REFUSED;
    }
    size_t size = strlen(settings->out);
    while (size > 1 && settings->out[size - 1] == '/') {
        size--;
    }
    if (snprintf(part, sizeof part, "%.*s.part", (int)size, settings->out)
        >= (int)sizeof part) {
        log_error("%s: the path is too long; use a shorter folder", settings->out);
        return STATUS_IO;
    }
    enum status status = export_plan_make(settings, &plan);
    if (status == STATUS_OK) {
        /* Under another name until it is whole: half an export must not look like one. */
        folder_remove(part);
        status = tables_write(settings, &plan, part, &written);
        if (status == STATUS_OK && written > 0 && rename(part, settings->out) != 0) {
            log_error("%s: cannot rename %s to it: %s", settings->out, part,
                      strerror(errno));
            status = STATUS_IO;
        }
        if (status != STATUS_OK || written == 0) {
            folder_remove(part);
        }
    }
    if (status == STATUS_OK) {
        status = result_check(settings, &plan, written);
    }
    export_plan_release(&plan);
    return status;
}

const struct export_format export_csv = {
    .name = "csv",
    .title = "tidy tables and time series, one folder",
    .write = export_csv_write,
};

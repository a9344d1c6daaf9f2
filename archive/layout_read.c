#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/layout.h"
#include "base/log.h"
#include "base/units.h"

static void fields_get(struct hdf5_reader *reader, hid_t object,
                       const struct layout_fields *fields, void *base)
{
    hdf5_fields_get(reader, object, fields->fields, fields->count, base);
}

/* Open a group, read the fields of a struct, close it. */
static void group_fields_get(struct hdf5_reader *reader, hid_t parent, const char *name,
                             const struct layout_fields *fields, void *base)
{
    hid_t group = hdf5_object_open(reader, parent, name);
    fields_get(reader, group, fields, base);
    hdf5_reader_end(reader, group);
}

static void root_read(struct hdf5_reader *reader, struct session *session)
{
    static const struct hdf5_field FORMAT[] = {
        {"format", HDF5_FIELD_TEXT, 0, sizeof LAYOUT_FORMAT}};
    char format[sizeof LAYOUT_FORMAT] = "";
    hdf5_fields_get(reader, reader->file, FORMAT, 1, format);
    if (hdf5_reader_is_good(reader) && strcmp(format, LAYOUT_FORMAT) != 0) {
        hdf5_reader_fail(reader, reader->file, "format", "not a Limber session");
    }
    fields_get(reader, reader->file, &LAYOUT_ROOT, session);
}

static void provenance_read(struct hdf5_reader *reader, struct session *session)
{
    size_t size = 0;
    hid_t group = hdf5_object_open(reader, reader->file, "provenance");
    fields_get(reader, group, &LAYOUT_PROVENANCE, session);
    session->header_json = hdf5_document_get(reader, group, "header_json", &size);
    hdf5_reader_end(reader, group);
}

static void screening_read_group(struct hdf5_reader *reader, struct session *session)
{
    hid_t group = hdf5_object_open(reader, reader->file, "screening");
    fields_get(reader, group, &LAYOUT_SCREENING, &session->screening);
    uint8_t *answers = hdf5_dataset_get(
        reader, group,
        &(struct hdf5_expected){"answers", HDF5_U1, SCREENING_QUESTION_COUNT, 0}, NULL);
    for (unsigned index = 0; answers && index < SCREENING_QUESTION_COUNT; index++) {
        if (answers[index] > SCREENING_BOTH) {
            hdf5_reader_fail(reader, group, "answers", "an answer is out of range");
            break;
        }
        session->screening.answers[index] = (enum screening_answer)answers[index];
    }
    free(answers);
    hdf5_reader_end(reader, group);
}

static void zones_read(struct hdf5_reader *reader, hid_t group,
                       struct session_stretch *stretch)
{
    double *rows =
        hdf5_dataset_get(reader, group,
                         &(struct hdf5_expected){"zones", HDF5_F8,
                                                 (size_t)PROTOCOL_PART_MAX * SIDE_COUNT, 4},
                         NULL);
    for (unsigned row = 0; rows && row < PROTOCOL_PART_MAX * SIDE_COUNT; row++) {
        const double *zone = rows + (size_t)row * 4;
        stretch->zones[row / SIDE_COUNT][row % SIDE_COUNT] =
            (struct runner_zone){.peak_deg = zone[0],
                                 .low_deg = zone[1],
                                 .high_deg = zone[2],
                                 .start_deg = zone[3]};
    }
    free(rows);
}

/* Rows are matched by name: a file with other measures still reads. */
static void errors_read(struct hdf5_reader *reader, hid_t group,
                        struct session_stretch *stretch)
{
    char **names = NULL;
    size_t rows = 0;
    hid_t dataset = hdf5_object_open(reader, group, "errors");
    size_t count = hdf5_texts_get(reader, dataset, "measures", &names);
    double *errors = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"errors", HDF5_F8, count, 4}, &rows);
    for (size_t row = 0; errors && row < rows; row++) {
        enum measure measure = MEASURE_COUNT;
        const double *error = errors + row * 4;
        if (measure_parse(names[row], &measure) && (unsigned)measure < MEASURE_COUNT) {
            stretch->errors[measure] = (struct pipeline_error){.noise_rad = error[0],
                                                               .alignment_rad = error[1],
                                                               .heading_rad = error[2],
                                                               .skin_rad = error[3]};
        }
    }
    free(errors);
    hdf5_names_free(names, count);
    hdf5_reader_end(reader, dataset);
}

/* The protocol as its text says. Files from before a rule of the protocol checker changed
 * keep their id, title and version and lose only the details. */
static void protocol_text_read(struct hdf5_reader *reader, hid_t group, const char *path,
                               struct session_stretch *stretch)
{
    size_t size = 0;
    char *text = hdf5_document_get(reader, group, "text", &size);
    if (text && size > 0) {
        struct protocol *parsed = calloc(1, sizeof *parsed);
        if (parsed && protocol_parse(path, text, size, parsed) == STATUS_OK) {
            stretch->protocol = *parsed;
        } else {
            log_warning(
                "%s: the protocol text of this session cannot be used; shown with its "
                "title only",
                path);
        }
        free(parsed);
    }
    free(text);
}

static void stretch_read(struct hdf5_reader *reader, hid_t protocols, const char *name,
                         struct session_stretch *stretch)
{
    hid_t group = hdf5_object_open(reader, protocols, name);
    fields_get(reader, group, &LAYOUT_STRETCH, stretch);
    if (hdf5_reader_is_good(reader)) {
        protocol_text_read(reader, group, name, stretch);
    }
    zones_read(reader, group, stretch);
    errors_read(reader, group, stretch);
    hdf5_reader_end(reader, group);
}

static void protocols_read(struct hdf5_reader *reader, struct session *session)
{
    char **names = NULL;
    hid_t group = hdf5_object_open(reader, reader->file, "protocols");
    size_t count = hdf5_names_get(reader, group, &names);
    if (count > RUNNER_STRETCH_MAX) {
        hdf5_reader_fail(reader, group, "", "too many stretches");
    }
    for (size_t index = 0; index < count && hdf5_reader_is_good(reader); index++) {
        /* Sorted by name, so the leading digit must count up. */
        if (names[index][0] != (char)('0' + index) || names[index][1] != '_') {
            hdf5_reader_fail(reader, group, names[index],
                             "stretches are not numbered 0, 1, 2");
            break;
        }
        session->stretch_count = (unsigned)index + 1;
        stretch_read(reader, group, names[index], &session->stretches[index]);
    }
    hdf5_names_free(names, count);
    hdf5_reader_end(reader, group);
}

/* Place of a device in the order it was recorded; count if it is wrong. */
static unsigned index_get(struct hdf5_reader *reader, hid_t group, unsigned count)
{
    static const struct hdf5_field INDEX[] = {{"index", HDF5_FIELD_I64, 0, 1}};
    int64_t index = -1;
    hdf5_fields_get(reader, group, INDEX, 1, &index);
    if (hdf5_reader_is_good(reader) && (index < 0 || index >= (int64_t)count)) {
        hdf5_reader_fail(reader, group, "index", "out of range");
    }
    return hdf5_reader_is_good(reader) ? (unsigned)index : count;
}

static void device_read(struct hdf5_reader *reader, hid_t devices, const char *name,
                        struct session *session, unsigned *seen)
{
    enum role role = ROLE_COUNT;
    if (!role_parse(name, &role)) {
        hdf5_reader_fail(reader, devices, name, "no known role");
        return;
    }
    hid_t group = hdf5_object_open(reader, devices, name);
    unsigned index = index_get(reader, group, session->sensor_count);
    if (index < session->sensor_count) {
        if (*seen & 1U << index) {
            hdf5_reader_fail(reader, group, "index", "used twice");
        }
        *seen |= 1U << index;
        session->sensors[index].role = role;
        fields_get(reader, group, &LAYOUT_DEVICE, &session->sensors[index]);
    }
    hdf5_reader_end(reader, group);
}

static void devices_read(struct hdf5_reader *reader, struct session *session)
{
    char **names = NULL;
    unsigned seen = 0;
    hid_t group = hdf5_object_open(reader, reader->file, "devices");
    size_t count = hdf5_names_get(reader, group, &names);
    if (count > ROLE_COUNT) {
        hdf5_reader_fail(reader, group, "", "too many devices");
    } else if (count > 0) {
        session->sensors = calloc(count, sizeof *session->sensors);
        if (!session->sensors) {
            reader->status = STATUS_NO_MEMORY;
        } else {
            session->sensor_count = (unsigned)count;
        }
    }
    for (size_t index = 0; index < count && hdf5_reader_is_good(reader); index++) {
        device_read(reader, group, names[index], session, &seen);
    }
    hdf5_names_free(names, count);
    hdf5_reader_end(reader, group);
}

static void calibration_read(struct hdf5_reader *reader, struct session *session)
{
    hid_t calibration = hdf5_object_open(reader, reader->file, "calibration");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        struct session_sensor *sensor = &session->sensors[index];
        hid_t group = hdf5_object_open(reader, calibration, role_text(sensor->role));
        fields_get(reader, group, &LAYOUT_IMU, &sensor->imu);
        fields_get(reader, group, &LAYOUT_FLEX, &sensor->flex);
        fields_get(reader, group, &LAYOUT_ALIGNMENT, &sensor->alignment);
        if (sensor->flex.term_count > CALIBRATION_FLEX_TERM_MAX) {
            hdf5_reader_fail(reader, group, "flex_term_count", "out of range");
        }
        hdf5_reader_end(reader, group);
    }
    hdf5_reader_end(reader, calibration);
}

/* Take over the description of a stream; the texts are copied. */
static void stream_info_keep(struct hdf5_reader *reader, struct session_stream *stream,
                             struct stream_info *info, char *const *channels,
                             char *const *units)
{
    for (unsigned index = 0; index < info->channel_count; index++) {
        info->channels[index] = channels[index];
        info->units[index] = units[index];
    }
    if (session_stream_describe(stream, info) != STATUS_OK) {
        reader->status = STATUS_NO_MEMORY;
    }
}

static void stream_info_read(struct hdf5_reader *reader, hid_t group, const char *name,
                             struct session_stream *stream)
{
    static const struct hdf5_field KIND[] = {{"kind", HDF5_FIELD_TEXT, 0, 16}};
    char kind[16] = "";
    char **channels = NULL;
    char **units = NULL;
    double full_scale[SAMPLE_CHANNEL_MAX] = {0};
    struct stream_info info = {.name = name};
    hdf5_fields_get(reader, group, KIND, 1, kind);
    size_t count = hdf5_texts_get(reader, group, "channels", &channels);
    size_t unit_count = hdf5_texts_get(reader, group, "channel_units", &units);
    if (hdf5_reader_is_good(reader)
        && (count < 1 || count > SAMPLE_CHANNEL_MAX || unit_count != count
            || !layout_stream_kind_parse(kind, &info.kind))) {
        hdf5_reader_fail(reader, group, "", "channels, units or kind are wrong");
    }
    if (hdf5_reader_is_good(reader)) {
        info.channel_count = (unsigned)count;
        hdf5_doubles_get(reader, group, "full_scale", full_scale, count);
        for (size_t index = 0; index < count; index++) {
            info.full_scale[index] = (float)full_scale[index];
        }
    }
    if (hdf5_reader_is_good(reader)) {
        stream_info_keep(reader, stream, &info, channels, units);
    }
    hdf5_names_free(channels, count);
    hdf5_names_free(units, unit_count);
}

/* Put the columns of one dataset back into the row-major table. */
static void quantity_read(struct hdf5_reader *reader, hid_t group,
                          struct session_stream *stream,
                          const struct layout_quantity *quantity)
{
    float *columns = hdf5_dataset_get(
        reader, group,
        &(struct hdf5_expected){quantity->name, HDF5_F4, stream->count, quantity->count},
        NULL);
    for (size_t row = 0; columns && row < stream->count; row++) {
        memcpy(stream->values + row * stream->info.channel_count + quantity->first,
               columns + row * quantity->count, quantity->count * sizeof *columns);
    }
    free(columns);
}

static void stream_rows_read(struct hdf5_reader *reader, hid_t group,
                             struct session_stream *stream)
{
    struct layout_quantity quantities[LAYOUT_QUANTITY_MAX];
    size_t count = 0;
    stream->time_s = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"time", HDF5_F8, HDF5_ANY_ROWS, 0}, &count);
    stream->device_ticks = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"device_ticks", HDF5_U8, count, 0}, NULL);
    stream->sequence = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"sequence", HDF5_U4, count, 0}, NULL);
    stream->flags = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"flags", HDF5_U2, count, 0}, NULL);
    if (!hdf5_reader_is_good(reader)) {
        return;
    }
    stream->count = count;
    stream->capacity = count;
    if (count > 0) {
        stream->values = calloc(count, stream->info.channel_count * sizeof *stream->values);
        if (!stream->values) {
            reader->status = STATUS_NO_MEMORY;
            return;
        }
    }
    unsigned quantity_count =
        layout_quantities(stream->info.kind, stream->info.channel_count, quantities);
    for (unsigned index = 0; index < quantity_count; index++) {
        quantity_read(reader, group, stream, &quantities[index]);
    }
}

/* Rows that were only read to be checked. */
static void stream_rows_drop(struct session_stream *stream)
{
    free(stream->time_s);
    free(stream->device_ticks);
    free(stream->sequence);
    free(stream->flags);
    free(stream->values);
    stream->time_s = NULL;
    stream->device_ticks = NULL;
    stream->sequence = NULL;
    stream->flags = NULL;
    stream->values = NULL;
    stream->count = 0;
    stream->capacity = 0;
}

static void streams_read(struct hdf5_reader *reader, hid_t group,
                         const struct layout_read_settings *settings,
                         struct session_sensor *sensor)
{
    char **names = NULL;
    unsigned seen = 0;
    size_t count = hdf5_names_get(reader, group, &names);
    for (size_t number = 0; number < count && hdf5_reader_is_good(reader); number++) {
        hid_t object = hdf5_object_open(reader, group, names[number]);
        unsigned index = index_get(reader, object, STREAM_MAX);
        if (index < STREAM_MAX && seen & 1U << index) {
            hdf5_reader_fail(reader, object, "index", "used twice");
        }
        if (hdf5_reader_is_good(reader)) {
            struct session_stream *stream = &sensor->streams[index];
            seen |= 1U << index;
            sensor->stream_count =
                index >= sensor->stream_count ? index + 1 : sensor->stream_count;
            stream_info_read(reader, object, names[number], stream);
            stream_rows_read(reader, object, stream);
            if (settings->check_only) {
                stream_rows_drop(stream);
            }
        }
        hdf5_reader_end(reader, object);
    }
    hdf5_names_free(names, count);
}

static void orientation_read(struct hdf5_reader *reader, hid_t parent,
                             const struct layout_read_settings *settings,
                             struct session_sensor *sensor)
{
    const char *name = role_text(sensor->role);
    size_t count = 0;
    if (!hdf5_object_has(reader, parent, name)) {
        return;
    }
    hid_t group = hdf5_object_open(reader, parent, name);
    sensor->orientation_time_s = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"time", HDF5_F8, HDF5_ANY_ROWS, 0}, &count);
    sensor->orientation = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"quaternion", HDF5_F4, count, 4}, NULL);
    hdf5_reader_end(reader, group);
    if (hdf5_reader_is_good(reader) && !settings->check_only) {
        sensor->orientation_count = count;
        sensor->orientation_capacity = count;
        return;
    }
    free(sensor->orientation_time_s);
    free(sensor->orientation);
    sensor->orientation_time_s = NULL;
    sensor->orientation = NULL;
}

static void samples_read(struct hdf5_reader *reader,
                         const struct layout_read_settings *settings,
                         struct session *session)
{
    hid_t streams = hdf5_object_open(reader, reader->file, "streams");
    hid_t derived = hdf5_object_open(reader, reader->file, "derived");
    hid_t orientation = hdf5_object_open(reader, derived, "orientation");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        struct session_sensor *sensor = &session->sensors[index];
        hid_t group = hdf5_object_open(reader, streams, role_text(sensor->role));
        streams_read(reader, group, settings, sensor);
        hdf5_reader_end(reader, group);
        orientation_read(reader, orientation, settings, sensor);
    }
    hdf5_reader_end(reader, orientation);
    hdf5_reader_end(reader, derived);
    hdf5_reader_end(reader, streams);
}

/* One series in radians; NULL where the file has none. */
static double *angle_read(struct hdf5_reader *reader, hid_t group, const char *name,
                          size_t count)
{
    if (!hdf5_object_has(reader, group, name)) {
        return NULL;
    }
    double *series = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){name, HDF5_F8, count, 0}, NULL);
    for (size_t row = 0; series && row < count; row++) {
        series[row] *= RAD_PER_DEG;
    }
    return series;
}

static void angles_read(struct hdf5_reader *reader, struct session_angles *angles)
{
    hid_t derived = hdf5_object_open(reader, reader->file, "derived");
    hid_t group = hdf5_object_open(reader, derived, "angles");
    size_t count = 0;
    angles->time_s = hdf5_dataset_get(
        reader, group, &(struct hdf5_expected){"time", HDF5_F8, HDF5_ANY_ROWS, 0}, &count);
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const char *name = measure_info_get((enum measure)index)->id;
        char rate[48];
        snprintf(rate, sizeof rate, "%s_rate", name);
        angles->angle_rad[index] = angle_read(reader, group, name, count);
        angles->rate_rad_s[index] = angle_read(reader, group, rate, count);
    }
    if (hdf5_reader_is_good(reader)) {
        angles->count = count;
        angles->capacity = count;
    }
    hdf5_reader_end(reader, group);
    hdf5_reader_end(reader, derived);
}

/* False when the row names something this program does not know. */
static bool metric_from_row(const struct layout_metric *row, struct metric *metric)
{
    *metric = (struct metric){
        .measure = MEASURE_COUNT,
        .stretch = row->stretch,
        .part = row->part,
        .repetition = row->repetition,
        .value = row->value,
        .uncertainty = row->uncertainty_95,
        .coverage = row->coverage,
        .quality = row->quality,
    };
    snprintf(metric->withheld, sizeof metric->withheld, "%s", row->withheld);
    snprintf(metric->remark, sizeof metric->remark, "%s", row->remark);
    return metric_parse(row->id, &metric->id) && side_parse(row->side, &metric->side)
           && (row->measure[0] == '\0' || measure_parse(row->measure, &metric->measure));
}

static void metrics_read(struct hdf5_reader *reader, struct session *session)
{
    hid_t derived = hdf5_object_open(reader, reader->file, "derived");
    size_t count = 0;
    struct layout_metric *rows =
        hdf5_rows_get(reader, derived, "metrics", LAYOUT_METRIC.fields, LAYOUT_METRIC.count,
                      sizeof *rows, &count);
    session->metrics = rows ? calloc(count, sizeof *session->metrics) : NULL;
    if (rows && !session->metrics) {
        reader->status = STATUS_NO_MEMORY;
    }
    for (size_t row = 0; session->metrics && row < count; row++) {
        if (!metric_from_row(&rows[row], &session->metrics[row])
            || rows[row].stretch >= RUNNER_STRETCH_MAX
            || rows[row].part >= PROTOCOL_PART_MAX) {
            hdf5_reader_fail(reader, derived, "metrics", "a row names something unknown");
            break;
        }
        session->metric_count = row + 1;
    }
    session->metric_capacity = session->metrics ? count : 0;
    free(rows);
    hdf5_reader_end(reader, derived);
}

static bool event_from_row(const struct layout_event *row, struct event *event)
{
    int type = event_type_parse(row->type);
    if (type < 0) {
        return false;
    }
    *event = (struct event){
        .type = (enum event_type)type,
        .time_s = row->onset_s,
        .duration_s = row->duration_s,
        .stretch = row->stretch,
        .part = row->part,
        .repetition = row->repetition,
        .value = row->value,
        .value2 = row->value2,
    };
    snprintf(event->label, sizeof event->label, "%s", row->label);
    snprintf(event->source, sizeof event->source, "%s", row->source);
    snprintf(event->cause, sizeof event->cause, "%s", row->cause);
    return side_parse(row->side, &event->side);
}

static void events_read(struct hdf5_reader *reader, struct session *session)
{
    size_t count = 0;
    struct layout_event *rows =
        hdf5_rows_get(reader, reader->file, "events", LAYOUT_EVENT.fields,
                      LAYOUT_EVENT.count, sizeof *rows, &count);
    session->events = rows ? calloc(count, sizeof *session->events) : NULL;
    if (rows && !session->events) {
        reader->status = STATUS_NO_MEMORY;
    }
    for (size_t row = 0; session->events && row < count; row++) {
        if (!event_from_row(&rows[row], &session->events[row])
            || rows[row].stretch >= RUNNER_STRETCH_MAX
            || rows[row].part >= PROTOCOL_PART_MAX) {
            hdf5_reader_fail(reader, reader->file, "events",
                             "a row names something unknown");
            break;
        }
        session->event_count = row + 1;
    }
    session->event_capacity = session->events ? count : 0;
    free(rows);
}

static void journal_read(struct hdf5_reader *reader, struct session *session)
{
    static const struct hdf5_field HASH[] = {
        {"sha256", HDF5_FIELD_TEXT, 0, SESSION_HASH_SIZE}};
    char stored[SESSION_HASH_SIZE] = "";
    char computed[SESSION_HASH_SIZE];
    hid_t raw = hdf5_object_open(reader, reader->file, "raw");
    hid_t dataset = hdf5_object_open(reader, raw, "journal");
    hdf5_fields_get(reader, dataset, HASH, 1, stored);
    hdf5_reader_end(reader, dataset);
    session->journal = hdf5_dataset_get(
        reader, raw, &(struct hdf5_expected){"journal", HDF5_U1, HDF5_ANY_ROWS, 0},
        &session->journal_size);
    archive_hash_bytes(session->journal, session->journal_size, computed);
    if (hdf5_reader_is_good(reader)
        && (strcmp(stored, computed) != 0
            || (session->journal_hash[0] != '\0'
                && strcmp(session->journal_hash, computed) != 0))) {
        hdf5_reader_fail(reader, raw, "journal", "its SHA-256 does not match");
    }
    hdf5_reader_end(reader, raw);
}

void layout_read(struct hdf5_reader *reader, const struct layout_read_settings *settings,
                 struct session *session)
{
    root_read(reader, session);
    provenance_read(reader, session);
    group_fields_get(reader, reader->file, "subject", &LAYOUT_SUBJECT, session);
    screening_read_group(reader, session);
    protocols_read(reader, session);
    devices_read(reader, session);
    calibration_read(reader, session);
    session_protocols_adapt(session);
    if (settings->with_samples || settings->check_only) {
        samples_read(reader, settings, session);
    }
    angles_read(reader, &session->angles);
    metrics_read(reader, session);
    events_read(reader, session);
    if (settings->with_journal || settings->check_only) {
        journal_read(reader, session);
    }
}

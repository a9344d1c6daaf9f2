#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/layout.h"
#include "archive/seal.h"
#include "base/clock.h"
#include "base/units.h"

static void fields_set(struct hdf5_writer *writer, hid_t object,
                       const struct layout_fields *fields, const void *base)
{
    hdf5_fields_set(writer, object, fields->fields, fields->count, base);
}

/* Create a dataset that needs no further attributes. */
static void dataset_put(struct hdf5_writer *writer, hid_t parent,
                        const struct hdf5_dataset *dataset)
{
    hdf5_writer_end(writer, hdf5_dataset_create(writer, parent, dataset));
}

static void root_write(struct hdf5_writer *writer, const struct session *session)
{
    char start[CLOCK_TEXT_SIZE];
    clock_utc_text(session->start_utc_us, start);
    hdf5_text_set(writer, writer->file, "format", LAYOUT_FORMAT);
    hdf5_text_set(writer, writer->file, "format_version", SEAL_FORMAT_VERSION);
    hdf5_text_set(writer, writer->file, "start_time", start);
    hdf5_text_set(writer, writer->file, "quaternion_convention",
                  "w,x,y,z; sensor to earth; see /frames");
    hdf5_text_set(writer, writer->file, "axis_convention",
                  "segments X forward, Y up, Z right; earth Z up; see /frames");
    fields_set(writer, writer->file, &LAYOUT_ROOT, session);
}

static void provenance_write(struct hdf5_writer *writer, const struct session *session)
{
    char version[24];
    unsigned numbers[3] = {0, 0, 0};
    hid_t group = hdf5_group_create(writer, writer->file, "provenance");
    H5get_libversion(&numbers[0], &numbers[1], &numbers[2]);
    snprintf(version, sizeof version, "%u.%u.%u", numbers[0], numbers[1], numbers[2]);
    fields_set(writer, group, &LAYOUT_PROVENANCE, session);
    hdf5_text_set(writer, group, "hdf5_version", version);
    hdf5_text_set(
        writer, group, "steps",
        "journal -> decode -> time base -> calibration -> orientation -> angles -> "
        "metrics, by the software named in the root attributes; 'limber analyse' "
        "repeats them from /raw/journal");
    const char *header = session->header_json ? session->header_json : "";
    hdf5_writer_end(
        writer, hdf5_document_create(writer, group, "header_json", header, strlen(header)));
    hdf5_writer_end(writer, group);
}

static void subject_write(struct hdf5_writer *writer, const struct session *session)
{
    hid_t group = hdf5_group_create(writer, writer->file, "subject");
    fields_set(writer, group, &LAYOUT_SUBJECT, session);
    hdf5_writer_end(writer, group);
}

static void screening_write(struct hdf5_writer *writer, const struct session *session)
{
    const struct screening *screening = &session->screening;
    const char *questions[SCREENING_QUESTION_COUNT];
    uint8_t answers[SCREENING_QUESTION_COUNT];
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        questions[index] = screening_question(index + 1);
        answers[index] = (uint8_t)screening->answers[index];
    }
    hid_t group = hdf5_group_create(writer, writer->file, "screening");
    fields_set(writer, group, &LAYOUT_SCREENING, screening);
    hdf5_text_set(writer, group, "outcome",
                  screening_outcome_text(screening_evaluate(screening)));
    hdf5_texts_set(writer, group, "questions", questions, SCREENING_QUESTION_COUNT);
    hid_t dataset = hdf5_dataset_create(
        writer, group,
        &(struct hdf5_dataset){.name = "answers",
                               .number = HDF5_U1,
                               .rows = SCREENING_QUESTION_COUNT,
                               .data = answers,
                               .units = "1",
                               .description = "answer to each of the questions"});
    hdf5_text_set(writer, dataset, "flag_meanings", "0 not_asked, 1 no, 2 yes, 3 both");
    hdf5_writer_end(writer, dataset);
    hdf5_writer_end(writer, group);
}

/* Zones as reached: part x side x (peak, low, high, start), flattened to rows of 4. */
static void zones_write(struct hdf5_writer *writer, hid_t group,
                        const struct session_stretch *stretch)
{
    double rows[PROTOCOL_PART_MAX * SIDE_COUNT][4];
    size_t count = 0;
    for (unsigned part = 0; part < PROTOCOL_PART_MAX; part++) {
        for (unsigned side = 0; side < SIDE_COUNT; side++) {
            const struct runner_zone *zone = &stretch->zones[part][side];
            const double row[4] = {zone->peak_deg, zone->low_deg, zone->high_deg,
                                   zone->start_deg};
            memcpy(rows[count++], row, sizeof row);
        }
    }
    dataset_put(writer, group,
                &(struct hdf5_dataset){
                    .name = "zones",
                    .number = HDF5_F8,
                    .rows = count,
                    .columns = 4,
                    .data = rows,
                    .units = "deg",
                    .components = "peak,low,high,start",
                    .description =
                        "target zone as fixed for each part and side; row = "
                        "3 * part + side (0 both, 1 left, 2 right); NaN = not used",
                });
}

/* Standard errors of every measure at the end of the stretch. */
static void errors_write(struct hdf5_writer *writer, hid_t group,
                         const struct session_stretch *stretch)
{
    double rows[MEASURE_COUNT][4];
    const char *names[MEASURE_COUNT];
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const struct pipeline_error *error = &stretch->errors[index];
        const double row[4] = {error->noise_rad, error->alignment_rad, error->heading_rad,
                               error->skin_rad};
        memcpy(rows[index], row, sizeof row);
        names[index] = measure_info_get((enum measure)index)->id;
    }
    hid_t dataset = hdf5_dataset_create(
        writer, group,
        &(struct hdf5_dataset){.name = "errors",
                               .number = HDF5_F8,
                               .rows = MEASURE_COUNT,
                               .columns = 4,
                               .data = rows,
                               .units = "rad",
                               .components = "noise,alignment,heading,skin",
                               .description =
                                   "standard error of each measure by part, at the "
                                   "end of the stretch"});
    hdf5_texts_set(writer, dataset, "measures", names, MEASURE_COUNT);
    hdf5_writer_end(writer, dataset);
}

static void stretch_write(struct hdf5_writer *writer, hid_t protocols,
                          const struct session_stretch *stretch, unsigned index)
{
    const struct protocol *protocol = &stretch->protocol;
    char name[LAYOUT_NAME_SIZE];
    char hash[SESSION_HASH_SIZE];
    const char *text = protocol->text ? protocol->text : "";
    size_t size = protocol->text ? protocol->text_size : 0;
    const char *primary = "";
    if (protocol->part_count > 0) {
        const struct protocol_part *part = &protocol->parts[0];
        enum side side = part->has_sides ? SIDE_LEFT : SIDE_BOTH;
        primary = measure_info_get(part->measure[side])->id;
    }
    archive_hash_bytes(text, size, hash);
    snprintf(name, sizeof name, "%u_%s", index, protocol->id);
    hid_t group = hdf5_group_create(writer, protocols, name);
    fields_set(writer, group, &LAYOUT_STRETCH, stretch);
    hdf5_text_set(writer, group, "posture", posture_text(protocol->posture));
    hdf5_text_set(writer, group, "primary_measure", primary);
    hdf5_text_set(writer, group, "sha256", hash);
    hdf5_writer_end(writer, hdf5_document_create(writer, group, "text", text, size));
    zones_write(writer, group, stretch);
    errors_write(writer, group, stretch);
    hdf5_writer_end(writer, group);
}

static void protocols_write(struct hdf5_writer *writer, const struct session *session)
{
    hid_t group = hdf5_group_create(writer, writer->file, "protocols");
    for (unsigned index = 0; index < session->stretch_count; index++) {
        stretch_write(writer, group, &session->stretches[index], index);
    }
    hdf5_writer_end(writer, group);
}

static void devices_write(struct hdf5_writer *writer, const struct session *session)
{
    hid_t devices = hdf5_group_create(writer, writer->file, "devices");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        hid_t group = hdf5_group_create(writer, devices, role_text(sensor->role));
        hdf5_integer_set(writer, group, "index", index);
        hdf5_text_set(writer, group, "placement", role_title(sensor->role));
        fields_set(writer, group, &LAYOUT_DEVICE, sensor);
        hdf5_writer_end(writer, group);
    }
    hdf5_writer_end(writer, devices);
}

static void calibration_write(struct hdf5_writer *writer, const struct session *session)
{
    hid_t calibration = hdf5_group_create(writer, writer->file, "calibration");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        hid_t group = hdf5_group_create(writer, calibration, role_text(sensor->role));
        fields_set(writer, group, &LAYOUT_IMU, &sensor->imu);
        fields_set(writer, group, &LAYOUT_FLEX, &sensor->flex);
        fields_set(writer, group, &LAYOUT_ALIGNMENT, &sensor->alignment);
        hdf5_writer_end(writer, group);
    }
    hdf5_writer_end(writer, calibration);
}

/* The common unit of some channels, or "mixed". */
static const char *units_common(const struct stream_info *info, unsigned first,
                                unsigned count)
{
    const char *units = count > 0 && info->units[first] ? info->units[first] : "1";
    for (unsigned index = first + 1; index < first + count; index++) {
        if (!info->units[index] || strcmp(info->units[index], units) != 0) {
            return "mixed: see attribute channel_units of the group";
        }
    }
    return units;
}

/* Columns first .. first + count of a row-major table; NULL without memory or rows. */
static float *columns_copy(const struct session_stream *stream, unsigned first,
                           unsigned count)
{
    float *copy = calloc(stream->count * count + 1, sizeof *copy);
    for (size_t row = 0; copy && row < stream->count; row++) {
        memcpy(copy + row * count,
               stream->values + row * stream->info.channel_count + first,
               count * sizeof *copy);
    }
    return copy;
}

static void quantity_write(struct hdf5_writer *writer, hid_t group,
                           const struct session_stream *stream,
                           const struct layout_quantity *quantity, hid_t scale)
{
    char components[SAMPLE_CHANNEL_MAX * 48] = "";
    size_t used = 0;
    for (unsigned index = 0; !quantity->components && index < quantity->count; index++) {
        int size =
            snprintf(components + used, sizeof components - used, "%s%s",
                     index > 0 ? "," : "", stream->info.channels[quantity->first + index]);
        used = size > 0 && used + (size_t)size < sizeof components ? used + (size_t)size
                                                                   : used;
    }
    float *values = columns_copy(stream, quantity->first, quantity->count);
    if (!values) {
        writer->failed = true;
        return;
    }
    dataset_put(writer, group,
                &(struct hdf5_dataset){
                    .name = quantity->name,
                    .number = HDF5_F4,
                    .rows = stream->count,
                    .columns = quantity->count,
                    .data = values,
                    .units = units_common(&stream->info, quantity->first, quantity->count),
                    .description = quantity->description,
                    .components = quantity->components ? quantity->components : components,
                    .scale = scale,
                });
    free(values);
}

/* Time of the rows below it: seconds, a dimension scale. @return Open dataset. */
static hid_t time_create(struct hdf5_writer *writer, hid_t group, const double *time_s,
                         size_t count)
{
    hid_t dataset = hdf5_dataset_create(
        writer, group,
        &(struct hdf5_dataset){.name = "time",
                               .number = HDF5_F8,
                               .rows = count,
                               .data = time_s,
                               .units = "s",
                               .description = "seconds since the session began"});
    hdf5_scale_set(writer, dataset, "time");
    return dataset;
}

static void stream_info_write(struct hdf5_writer *writer, hid_t group, unsigned index,
                              const struct stream_info *info)
{
    const char *channels[SAMPLE_CHANNEL_MAX];
    const char *units[SAMPLE_CHANNEL_MAX];
    double full_scale[SAMPLE_CHANNEL_MAX];
    for (unsigned channel = 0; channel < info->channel_count; channel++) {
        channels[channel] = info->channels[channel] ? info->channels[channel] : "";
        units[channel] = info->units[channel] ? info->units[channel] : "";
        full_scale[channel] = (double)info->full_scale[channel];
    }
    hdf5_integer_set(writer, group, "index", index);
    hdf5_text_set(writer, group, "kind", layout_stream_kind_text(info->kind));
    hdf5_texts_set(writer, group, "channels", channels, info->channel_count);
    hdf5_texts_set(writer, group, "channel_units", units, info->channel_count);
    hdf5_doubles_set(writer, group, "full_scale", full_scale, info->channel_count);
}

static void flags_write(struct hdf5_writer *writer, hid_t group,
                        const struct session_stream *stream, hid_t scale)
{
    hid_t dataset = hdf5_dataset_create(
        writer, group,
        &(struct hdf5_dataset){.name = "flags",
                               .number = HDF5_U2,
                               .rows = stream->count,
                               .data = stream->flags,
                               .units = "1",
                               .description = "facts about each sample; bits combine",
                               .scale = scale});
    hdf5_text_set(writer, dataset, "flag_masks", "1, 2, 4, 8, 16");
    hdf5_text_set(writer, dataset, "flag_meanings",
                  "gap_before clipped uncalibrated low_battery clock_restarted");
    hdf5_writer_end(writer, dataset);
}

static void stream_write(struct hdf5_writer *writer, hid_t parent, unsigned index,
                         const struct session_stream *stream)
{
    struct layout_quantity quantities[LAYOUT_QUANTITY_MAX];
    hid_t group = hdf5_group_create(writer, parent, stream->info.name);
    stream_info_write(writer, group, index, &stream->info);
    hid_t time = time_create(writer, group, stream->time_s, stream->count);
    dataset_put(writer, group,
                &(struct hdf5_dataset){.name = "device_ticks",
                                       .number = HDF5_U8,
                                       .rows = stream->count,
                                       .data = stream->device_ticks,
                                       .units = "1",
                                       .description =
                                           "the device's own clock, unwrapped; 0 = it "
                                           "has none",
                                       .scale = time});
    dataset_put(writer, group,
                &(struct hdf5_dataset){.name = "sequence",
                                       .number = HDF5_U4,
                                       .rows = stream->count,
                                       .data = stream->sequence,
                                       .units = "1",
                                       .description = "running number of the frame",
                                       .scale = time});
    flags_write(writer, group, stream, time);
    unsigned count =
        layout_quantities(stream->info.kind, stream->info.channel_count, quantities);
    for (unsigned quantity = 0; quantity < count; quantity++) {
        quantity_write(writer, group, stream, &quantities[quantity], time);
    }
    hdf5_writer_end(writer, time);
    hdf5_writer_end(writer, group);
}

static void streams_write(struct hdf5_writer *writer, const struct session *session)
{
    hid_t streams = hdf5_group_create(writer, writer->file, "streams");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        hid_t group = hdf5_group_create(writer, streams, role_text(sensor->role));
        for (unsigned stream = 0; stream < sensor->stream_count; stream++) {
            if (sensor->streams[stream].info.name) {
                stream_write(writer, group, stream, &sensor->streams[stream]);
            }
        }
        hdf5_writer_end(writer, group);
    }
    hdf5_writer_end(writer, streams);
}

static void orientation_write(struct hdf5_writer *writer, hid_t derived,
                              const struct session *session)
{
    hid_t orientation = hdf5_group_create(writer, derived, "orientation");
    for (unsigned index = 0; index < session->sensor_count; index++) {
        const struct session_sensor *sensor = &session->sensors[index];
        if (sensor->orientation_count == 0) {
            continue;
        }
        hid_t group = hdf5_group_create(writer, orientation, role_text(sensor->role));
        hid_t time = time_create(writer, group, sensor->orientation_time_s,
                                 sensor->orientation_count);
        dataset_put(writer, group,
                    &(struct hdf5_dataset){.name = "quaternion",
                                           .number = HDF5_F4,
                                           .rows = sensor->orientation_count,
                                           .columns = 4,
                                           .data = sensor->orientation,
                                           .units = "1",
                                           .components = "w,x,y,z",
                                           .description =
                                               "sensor to earth, six-axis estimate "
                                               "(heading free)",
                                           .scale = time});
        hdf5_writer_end(writer, time);
        hdf5_writer_end(writer, group);
    }
    hdf5_writer_end(writer, orientation);
}

/* One series of the grid in degrees; a series that was never available is not written. */
static void angle_write(struct hdf5_writer *writer, hid_t group, const char *name,
                        const char *units, const double *radians, size_t count, hid_t scale)
{
    if (!radians || writer->failed) {
        return;
    }
    double *degrees = calloc(count + 1, sizeof *degrees);
    if (!degrees) {
        writer->failed = true;
        return;
    }
    for (size_t row = 0; row < count; row++) {
        degrees[row] = radians[row] * DEG_PER_RAD;
    }
    dataset_put(writer, group,
                &(struct hdf5_dataset){.name = name,
                                       .number = HDF5_F8,
                                       .rows = count,
                                       .data = degrees,
                                       .units = units,
                                       .description =
                                           "smoothed, on the 100 Hz grid; NaN = no "
                                           "data; signs in /frames",
                                       .scale = scale});
    free(degrees);
}

static void angles_write(struct hdf5_writer *writer, hid_t derived,
                         const struct session_angles *angles)
{
    hid_t group = hdf5_group_create(writer, derived, "angles");
    hid_t time = time_create(writer, group, angles->time_s, angles->count);
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const struct measure_info *info = measure_info_get((enum measure)index);
        char rate[48];
        snprintf(rate, sizeof rate, "%s_rate", info->id);
        angle_write(writer, group, info->id, "deg", angles->angle_rad[index], angles->count,
                    time);
        angle_write(writer, group, rate, "deg/s", angles->rate_rad_s[index], angles->count,
                    time);
    }
    hdf5_writer_end(writer, time);
    hdf5_writer_end(writer, group);
}

static struct layout_metric metric_row(const struct metric *metric)
{
    /* Zeroed, so that the bytes after each text are always the same. */
    struct layout_metric row = {
        .stretch = metric->stretch,
        .part = metric->part,
        .repetition = metric->repetition,
        .value = metric->value,
        .uncertainty_95 = metric->uncertainty,
        .coverage = metric->coverage,
        .quality = metric->quality,
    };
    const struct metric_definition *definition = metric_definition_get(metric->id);
    snprintf(row.id, sizeof row.id, "%s", definition->id);
    snprintf(row.unit, sizeof row.unit, "%s", definition->unit);
    row.definition_version = definition->version;
    if ((unsigned)metric->measure < MEASURE_COUNT) {
        const struct measure_info *info = measure_info_get(metric->measure);
        snprintf(row.measure, sizeof row.measure, "%s", info->id);
        snprintf(row.joint, sizeof row.joint, "%s", info->joint);
    }
    snprintf(row.side, sizeof row.side, "%s", side_text(metric->side));
    snprintf(row.withheld, sizeof row.withheld, "%s", metric->withheld);
    snprintf(row.remark, sizeof row.remark, "%s", metric->remark);
    return row;
}

static void metrics_write(struct hdf5_writer *writer, hid_t derived,
                          const struct session *session)
{
    struct layout_metric *rows = calloc(session->metric_count + 1, sizeof *rows);
    if (!rows) {
        writer->failed = true;
        return;
    }
    for (size_t index = 0; index < session->metric_count; index++) {
        rows[index] = metric_row(&session->metrics[index]);
    }
    hdf5_writer_end(
        writer, hdf5_rows_create(writer, derived,
                                 &(struct hdf5_rows){
                                     .name = "metrics",
                                     .fields = LAYOUT_METRIC.fields,
                                     .field_count = LAYOUT_METRIC.count,
                                     .row_size = sizeof *rows,
                                     .rows = rows,
                                     .row_count = session->metric_count,
                                     .description = "results; unit in its column; "
                                                    "uncertainty_95 is the half width of "
                                                    "the 95 % interval; value NaN where "
                                                    "withheld says why",
                                 }));
    free(rows);
}

static struct layout_event event_row(const struct event *event)
{
    struct layout_event row = {
        .onset_s = event->time_s,
        .duration_s = event->duration_s,
        .stretch = event->stretch,
        .part = event->part,
        .repetition = event->repetition,
        .value = event->value,
        .value2 = event->value2,
    };
    snprintf(row.type, sizeof row.type, "%s", event_type_text(event->type));
    snprintf(row.label, sizeof row.label, "%s", event->label);
    snprintf(row.source, sizeof row.source, "%s", event->source);
    snprintf(row.cause, sizeof row.cause, "%s", event->cause);
    snprintf(row.side, sizeof row.side, "%s", side_text(event->side));
    return row;
}

static void events_write(struct hdf5_writer *writer, const struct session *session)
{
    struct layout_event *rows = calloc(session->event_count + 1, sizeof *rows);
    if (!rows) {
        writer->failed = true;
        return;
    }
    for (size_t index = 0; index < session->event_count; index++) {
        rows[index] = event_row(&session->events[index]);
    }
    hdf5_writer_end(
        writer, hdf5_rows_create(writer, writer->file,
                                 &(struct hdf5_rows){
                                     .name = "events",
                                     .fields = LAYOUT_EVENT.fields,
                                     .field_count = LAYOUT_EVENT.count,
                                     .row_size = sizeof *rows,
                                     .rows = rows,
                                     .row_count = session->event_count,
                                     .description = "what happened; onset_s and duration_s "
                                                    "in seconds of session time; angles in "
                                                    "value and value2 in degrees",
                                 }));
    free(rows);
}

static void raw_write(struct hdf5_writer *writer, const struct session *session)
{
    char hash[SESSION_HASH_SIZE];
    archive_hash_bytes(session->journal, session->journal_size, hash);
    hid_t group = hdf5_group_create(writer, writer->file, "raw");
    hid_t dataset = hdf5_dataset_create(
        writer, group,
        &(struct hdf5_dataset){.name = "journal",
                               .number = HDF5_U1,
                               .rows = session->journal_size,
                               .data = session->journal,
                               .units = "1",
                               .description =
                                   "the recording itself, byte by byte: every frame "
                                   "the sensors sent and every key pressed"});
    hdf5_text_set(writer, dataset, "sha256", hash);
    hdf5_writer_end(writer, dataset);
    hdf5_writer_end(writer, group);
}

static void frames_write(struct hdf5_writer *writer)
{
    hid_t group = hdf5_group_create(writer, writer->file, "frames");
    for (size_t index = 0; index < LAYOUT_FRAME_COUNT; index++) {
        hdf5_text_set(writer, group, LAYOUT_FRAMES[index].name, LAYOUT_FRAMES[index].text);
    }
    hdf5_writer_end(writer, group);
}

void layout_write(struct hdf5_writer *writer, const struct session *session)
{
    root_write(writer, session);
    frames_write(writer);
    provenance_write(writer, session);
    subject_write(writer, session);
    screening_write(writer, session);
    protocols_write(writer, session);
    devices_write(writer, session);
    calibration_write(writer, session);
    streams_write(writer, session);
    hid_t derived = hdf5_group_create(writer, writer->file, "derived");
    orientation_write(writer, derived, session);
    angles_write(writer, derived, &session->angles);
    metrics_write(writer, derived, session);
    hdf5_writer_end(writer, derived);
    events_write(writer, session);
    raw_write(writer, session);
}

#include <stdio.h>
#include <string.h>

#include "archive/export_csv.h"
#include "base/log.h"
#include "base/units.h"

static enum status series_open(struct export_run *run, const struct export_item *item,
                               const char *name, struct csv *csv)
{
    char path[EXPORT_PATH_SIZE];
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
    return export_file_finish(run, &csv);
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
    return export_file_finish(run, &csv);
}

static enum status orientation_write(struct export_run *run, const struct export_item *item,
                                     const struct session_sensor *sensor)
{
    static const char *const HEADER[] = {"time_s", "w", "x", "y", "z"};
    struct csv csv;
    char name[64];
    snprintf(name, sizeof name, "%s_derived_orientation", role_text(sensor->role));
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
    return export_file_finish(run, &csv);
}

enum status export_series_write(struct export_run *run, const struct export_item *item,
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

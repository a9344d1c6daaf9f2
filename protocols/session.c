#include "protocols/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY_FIRST = 256,
    QUATERNION_SIZE = 4
};

static size_t capacity_next(size_t capacity)
{
    return capacity > 0 ? 2 * capacity : CAPACITY_FIRST;
}

/* One array of a table whose columns grow together. */
struct column {
    void *array; /* owned by the table; take it back after growing, also on failure */
    size_t element_size;
};

static enum status column_grow(struct column *column, size_t capacity)
{
    void *grown = capacity <= SIZE_MAX / column->element_size
                      ? realloc(column->array, capacity * column->element_size)
                      : NULL;

    if (!grown) {
        return STATUS_NO_MEMORY;
    }
    column->array = grown;
    return STATUS_OK;
}

/* Columns that grew before one failed are only larger than they need be. */
static enum status columns_grow(struct column *columns, size_t column_count,
                                size_t *capacity)
{
    const size_t next = capacity_next(*capacity);

    for (size_t i = 0; i < column_count; i++) {
        if (column_grow(&columns[i], next)) {
            return STATUS_NO_MEMORY;
        }
    }
    *capacity = next;
    return STATUS_OK;
}

static void stretch_init(struct session_stretch *stretch)
{
    stretch->start_s = NAN;
    stretch->end_s = NAN;
    stretch->gyro_drift_removed_rad = NAN;
    for (unsigned part = 0; part < PROTOCOL_PART_MAX; part++) {
        for (unsigned side = 0; side < SIDE_COUNT; side++) {
            stretch->zones[part][side] = (struct runner_zone){NAN, NAN, NAN, NAN};
        }
    }
}

enum status session_create(struct session **out)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session) {
        return STATUS_NO_MEMORY;
    }
    screening_init(&session->screening);
    session->pain_before = -1;
    session->pain_highest = -1;
    session->pain_after = -1;
    session->grade = 'F';
    for (unsigned i = 0; i < RUNNER_STRETCH_MAX; i++) {
        stretch_init(&session->stretches[i]);
    }
    *out = session;
    return STATUS_OK;
}

static void stream_release(struct session_stream *stream)
{
    free(stream->texts);
    free(stream->time_s);
    free(stream->device_ticks);
    free(stream->sequence);
    free(stream->flags);
    free(stream->values);
}

static void sensor_release(struct session_sensor *sensor)
{
    for (unsigned i = 0; i < STREAM_MAX; i++) {
        stream_release(&sensor->streams[i]);
    }
    free(sensor->orientation_time_s);
    free(sensor->orientation);
}

static void angles_release(struct session_angles *angles)
{
    free(angles->time_s);
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        free(angles->angle_rad[i]);
        free(angles->rate_rad_s[i]);
    }
}

void session_destroy(struct session *session)
{
    if (!session) {
        return;
    }
    for (unsigned i = 0; i < session->sensor_count; i++) {
        sensor_release(&session->sensors[i]);
    }
    for (unsigned i = 0; i < RUNNER_STRETCH_MAX; i++) {
        protocol_release(&session->stretches[i].protocol);
    }
    angles_release(&session->angles);
    free(session->sensors);
    free(session->journal);
    free(session->header_json);
    free(session->events);
    free(session->metrics);
    free(session);
}

enum status session_event_add(struct session *session, const struct event *event)
{
    if (session->event_count == session->event_capacity) {
        struct column column = {session->events, sizeof *session->events};
        const enum status status = columns_grow(&column, 1, &session->event_capacity);

        session->events = column.array;
        if (status) {
            return status;
        }
    }
    /* memcpy, not assignment: the bytes between fields are compared and archived too. */
    memcpy(&session->events[session->event_count], event, sizeof *event);
    session->event_count++;
    return STATUS_OK;
}

enum status session_metric_add(struct session *session, const struct metric *metric)
{
    if (session->metric_count == session->metric_capacity) {
        struct column column = {session->metrics, sizeof *session->metrics};
        const enum status status = columns_grow(&column, 1, &session->metric_capacity);

        session->metrics = column.array;
        if (status) {
            return status;
        }
    }
    memcpy(&session->metrics[session->metric_count], metric, sizeof *metric);
    session->metric_count++;
    return STATUS_OK;
}

static enum status angles_grow(struct session_angles *angles)
{
    struct column columns[1 + 2 * MEASURE_COUNT] = {{angles->time_s, sizeof(double)}};
    size_t count = 1;

    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        if (angles->angle_rad[i]) {
            columns[count++] = (struct column){angles->angle_rad[i], sizeof(double)};
            columns[count++] = (struct column){angles->rate_rad_s[i], sizeof(double)};
        }
    }
    const enum status status = columns_grow(columns, count, &angles->capacity);

    angles->time_s = columns[0].array;
    count = 1;
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        if (angles->angle_rad[i]) {
            angles->angle_rad[i] = columns[count++].array;
            angles->rate_rad_s[i] = columns[count++].array;
        }
    }
    return status;
}

static double *column_create(size_t capacity, size_t filled_count)
{
    double *column = malloc(capacity * sizeof *column);

    for (size_t i = 0; column && i < filled_count; i++) {
        column[i] = NAN;
    }
    return column;
}

/* First value of a measure: the instants before had none. */
static enum status measure_begin(struct session_angles *angles, unsigned measure)
{
    double *angle_rad = column_create(angles->capacity, angles->count);
    double *rate_rad_s = column_create(angles->capacity, angles->count);

    if (!angle_rad || !rate_rad_s) {
        free(angle_rad);
        free(rate_rad_s);
        return STATUS_NO_MEMORY;
    }
    angles->angle_rad[measure] = angle_rad;
    angles->rate_rad_s[measure] = rate_rad_s;
    return STATUS_OK;
}

static enum status measure_add(struct session_angles *angles, unsigned measure,
                               const struct pose *pose)
{
    if (!angles->angle_rad[measure]) {
        if (!isfinite(pose->angle_rad[measure])) {
            return STATUS_OK;
        }
        if (measure_begin(angles, measure)) {
            return STATUS_NO_MEMORY;
        }
    }
    angles->angle_rad[measure][angles->count] = pose->angle_rad[measure];
    angles->rate_rad_s[measure][angles->count] = pose->rate_rad_s[measure];
    return STATUS_OK;
}

enum status session_pose_add(struct session *session, const struct pose *pose)
{
    struct session_angles *angles = &session->angles;

    if (angles->count == angles->capacity && angles_grow(angles)) {
        return STATUS_NO_MEMORY;
    }
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        if (measure_add(angles, i, pose)) {
            return STATUS_NO_MEMORY;
        }
    }
    angles->time_s[angles->count] = pose->time_s;
    angles->count++;
    return STATUS_OK;
}

static enum status stream_grow(struct session_stream *stream)
{
    struct column columns[] = {
        {stream->time_s, sizeof *stream->time_s},
        {stream->device_ticks, sizeof *stream->device_ticks},
        {stream->sequence, sizeof *stream->sequence},
        {stream->flags, sizeof *stream->flags},
        {stream->values, stream->info.channel_count * sizeof *stream->values},
    };
    const enum status status =
        columns_grow(columns, sizeof columns / sizeof *columns, &stream->capacity);

    stream->time_s = columns[0].array;
    stream->device_ticks = columns[1].array;
    stream->sequence = columns[2].array;
    stream->flags = columns[3].array;
    stream->values = columns[4].array;
    return status;
}

static void values_copy(struct session_stream *stream, const struct sample *sample)
{
    const unsigned channel_count = stream->info.channel_count;
    float *row = stream->values + stream->count * channel_count;

    for (unsigned i = 0; i < channel_count; i++) {
        row[i] = i < sample->channel_count ? sample->values[i] : NAN;
    }
}

enum status session_sample_add(struct session_sensor *sensor, const struct sample *sample,
                               double time_s)
{
    if (sample->stream >= sensor->stream_count) {
        return STATUS_BAD_INPUT;
    }
    struct session_stream *stream = &sensor->streams[sample->stream];

    if (stream->count == stream->capacity && stream_grow(stream)) {
        return STATUS_NO_MEMORY;
    }
    stream->time_s[stream->count] = time_s;
    stream->device_ticks[stream->count] = sample->device_ticks;
    stream->sequence[stream->count] = sample->sequence;
    stream->flags[stream->count] = sample->flags;
    values_copy(stream, sample);
    stream->count++;
    return STATUS_OK;
}

static enum status orientation_grow(struct session_sensor *sensor)
{
    struct column columns[] = {
        {sensor->orientation_time_s, sizeof *sensor->orientation_time_s},
        {sensor->orientation, QUATERNION_SIZE * sizeof *sensor->orientation},
    };
    const enum status status = columns_grow(columns, sizeof columns / sizeof *columns,
                                            &sensor->orientation_capacity);

    sensor->orientation_time_s = columns[0].array;
    sensor->orientation = columns[1].array;
    return status;
}

enum status session_orientation_add(struct session_sensor *sensor, double time_s,
                                    struct quaternion orientation)
{
    if (sensor->orientation_count == sensor->orientation_capacity
        && orientation_grow(sensor)) {
        return STATUS_NO_MEMORY;
    }
    float *row = sensor->orientation + QUATERNION_SIZE * sensor->orientation_count;

    row[0] = (float)orientation.w;
    row[1] = (float)orientation.x;
    row[2] = (float)orientation.y;
    row[3] = (float)orientation.z;
    sensor->orientation_time_s[sensor->orientation_count] = time_s;
    sensor->orientation_count++;
    return STATUS_OK;
}

const struct metric *session_metric_find(const struct session *session, enum metric_id id,
                                         unsigned stretch, unsigned part, enum side side,
                                         unsigned repetition)
{
    for (size_t i = 0; i < session->metric_count; i++) {
        const struct metric *metric = &session->metrics[i];
        if (metric->id == id && metric->stretch == stretch && metric->part == part
            && metric->side == side && metric->repetition == repetition) {
            return metric;
        }
    }
    return NULL;
}

void session_protocols_adapt(struct session *session)
{
    unsigned worn = 0;

    for (unsigned i = 0; i < session->sensor_count; i++) {
        worn |= 1u << session->sensors[i].role;
    }
    for (unsigned i = 0; i < session->stretch_count; i++) {
        protocol_adapt(&session->stretches[i].protocol, worn);
    }
}

#include "app/assembly.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/engine.h"
#include "app/event_text.h"
#include "base/units.h"

/* Length of the smoothing with the delay of poses. */
static const double SMOOTHING_S = 0.3;

enum {
    EXPECTED_MAX = RUNNER_EVENT_MAX
};

/* One replay in progress. */
struct assembly {
    const struct assembly_settings *settings;
    struct session *session;
    struct engine *engine;
    enum status status; /* of the first failed row */
    uint64_t frame_count;
    uint64_t event_count;
    uint64_t event_mismatch_count;
    /* Events decided by the replay that the journal has not confirmed yet. */
    char expected[EXPECTED_MAX][EVENT_TEXT_SIZE];
    unsigned expected_count;
    double aligned_s; /* angles are kept after this */
    unsigned stretch; /* that the runner is in */
    bool stretch_open;
};

static void status_keep(struct assembly *assembly, enum status status)
{
    if (status && !assembly->status) {
        assembly->status = status;
    }
}

static void sample_keep(void *user, unsigned sensor, const struct sample *sample,
                        double time_s)
{
    struct assembly *assembly = user;
    struct session_sensor *row = &assembly->session->sensors[sensor];
    status_keep(assembly, session_sample_add(row, sample, time_s));
    if (!role_is_flex(row->role)
        && sample->stream
               == pipeline_sensor_get(engine_pipeline(assembly->engine), sensor)->stream) {
        status_keep(assembly, session_orientation_add(
                                  row, time_s,
                                  pipeline_sensor_orientation(
                                      engine_pipeline(assembly->engine), sensor)));
    }
}

static void pose_keep(void *user, const struct pose *pose)
{
    struct assembly *assembly = user;
    struct pose kept = *pose;
    /* Angles mean nothing before the sensors are aligned to the body, nor while the
     * smoothing still sees those. */
    if (engine_runner(assembly->engine)->view.phase == PHASE_ALIGN) {
        assembly->aligned_s = pose->time_s + SMOOTHING_S;
    }
    bool is_aligned = pose->time_s > assembly->aligned_s;
    for (unsigned measure = 0; measure < MEASURE_COUNT && !is_aligned; measure++) {
        kept.angle_rad[measure] = NAN;
        kept.rate_rad_s[measure] = NAN;
        kept.raw_angle_rad[measure] = NAN;
    }
    status_keep(assembly, session_pose_add(assembly->session, &kept));
}

static void event_keep(void *user, const struct event *event)
{
    struct assembly *assembly = user;
    status_keep(assembly, session_event_add(assembly->session, event));
    assembly->event_count++;
    if (assembly->expected_count == EXPECTED_MAX) {
        /* The live program wrote none of them: an old or foreign journal. */
        assembly->event_mismatch_count++;
        assembly->expected_count--;
    }
    event_text_encode(event, assembly->expected[assembly->expected_count++]);
}

/* The live program wrote what it decided; replay must have decided the same, in order. */
static void event_compare(struct assembly *assembly, const struct journal_frame *frame)
{
    bool same = assembly->expected_count > 0 && strlen(assembly->expected[0]) == frame->size
                && memcmp(assembly->expected[0], frame->payload, frame->size) == 0;
    if (!same) {
        assembly->event_mismatch_count++;
    }
    if (assembly->expected_count > 0) {
        assembly->expected_count--;
        memmove(assembly->expected[0], assembly->expected[1],
                assembly->expected_count * sizeof assembly->expected[0]);
    }
}

/* Keep what is known about a stretch at the moment it ends. */
static void stretch_close(struct assembly *assembly, double time_s, bool completed)
{
    struct session_stretch *stretch = &assembly->session->stretches[assembly->stretch];
    const struct pipeline *pipeline = engine_pipeline(assembly->engine);
    for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
        stretch->errors[measure] = pipeline_measure_error(pipeline, (enum measure)measure,
                                                          stretch->protocol.posture);
    }
    memcpy(stretch->zones, engine_runner(assembly->engine)->zones[assembly->stretch],
           sizeof stretch->zones);
    stretch->gyro_drift_removed_rad = pipeline_heading_drift_rad(pipeline);
    stretch->end_s = time_s;
    stretch->completed = completed;
    assembly->stretch_open = false;
}

static bool phase_is_stretch(enum phase phase)
{
    return phase != PHASE_ALIGN && phase != PHASE_DONE && phase != PHASE_ABORTED;
}

static void stretch_follow(struct assembly *assembly, int64_t host_ns)
{
    const struct runner_view *view = &engine_runner(assembly->engine)->view;
    double time_s = (double)host_ns / (double)NS_PER_S;
    bool is_over = view->phase == PHASE_DONE || view->phase == PHASE_ABORTED;
    if (assembly->stretch_open && (is_over || view->stretch != assembly->stretch)) {
        stretch_close(assembly, time_s, view->phase != PHASE_ABORTED);
    }
    if (!assembly->stretch_open && phase_is_stretch(view->phase)
        && view->phase != PHASE_PAUSED
        && view->stretch < assembly->session->stretch_count) {
        assembly->stretch = view->stretch;
        assembly->session->stretches[view->stretch].start_s = time_s;
        assembly->stretch_open = true;
    }
}

static enum status stretches_init(struct session *session, const struct header *header)
{
    for (unsigned index = 0; index < header->protocol_count; index++) {
        struct session_stretch *stretch = &session->stretches[index];
        enum status status =
            protocol_parse(header->protocols[index].id, header->protocols[index].text,
                           header->protocols[index].text_size, &stretch->protocol);
        if (status) {
            return status;
        }
        session->stretch_count++;
        stretch->start_s = NAN;
        stretch->end_s = NAN;
        stretch->gyro_drift_removed_rad = NAN;
        for (unsigned part = 0; part < PROTOCOL_PART_MAX; part++) {
            for (unsigned side = 0; side < SIDE_COUNT; side++) {
                stretch->zones[part][side] = (struct runner_zone){NAN, NAN, NAN, NAN};
            }
        }
    }
    return STATUS_OK;
}

static enum status sensors_init(struct session *session, const struct header *header)
{
    session->sensors = calloc(header->sensors.count, sizeof *session->sensors);
    if (!session->sensors) {
        return STATUS_NO_MEMORY;
    }
    session->sensor_count = header->sensors.count;
    for (unsigned index = 0; index < header->sensors.count; index++) {
        const struct sensor_entry *entry = &header->sensors.entries[index];
        struct session_sensor *sensor = &session->sensors[index];
        const char *patient = NULL;
        sensor->role = entry->role;
        memcpy(sensor->driver, entry->driver, sizeof sensor->driver);
        snprintf(sensor->port, sizeof sensor->port, "%.127s", entry->port);
        session->simulated |= sensor_entry_is_simulated(entry, &patient);
    }
    return STATUS_OK;
}

static enum status streams_init(struct assembly *assembly)
{
    for (unsigned index = 0; index < assembly->session->sensor_count; index++) {
        unsigned count = 0;
        const struct stream_info *streams =
            device_streams(engine_device(assembly->engine, index), &count);
        struct session_sensor *sensor = &assembly->session->sensors[index];
        for (unsigned stream = 0; stream < count && stream < STREAM_MAX; stream++) {
            enum status status =
                session_stream_describe(&sensor->streams[stream], &streams[stream]);
            if (status) {
                return status;
            }
            sensor->stream_count++;
        }
    }
    return STATUS_OK;
}

static enum status session_init(struct session *session, const struct header *header,
                                const struct journal_frame *frame)
{
    memcpy(session->uuid, header->uuid, sizeof session->uuid);
    memcpy(session->visit_uuid, header->visit_uuid, sizeof session->visit_uuid);
    memcpy(session->subject, header->subject, sizeof session->subject);
    memcpy(session->operator_code, header->operator_code, sizeof session->operator_code);
    memcpy(session->software, header->software, sizeof session->software);
    memcpy(session->software_commit, header->commit, sizeof session->software_commit);
    session->start_utc_us = header->start_utc_us;
    session->screening = header->screening;
    session->header_json = calloc(1, frame->size + 1);
    if (!session->header_json) {
        return STATUS_NO_MEMORY;
    }
    memcpy(session->header_json, frame->payload, frame->size);
    enum status status = stretches_init(session, header);
    if (!status) {
        status = sensors_init(session, header);
    }
    if (!status) {
        session_protocols_adapt(session);
    }
    return status;
}

/* What is known about each sensor only at the end. */
static void sensors_close(struct assembly *assembly)
{
    const struct pipeline *pipeline = engine_pipeline(assembly->engine);
    for (unsigned index = 0; index < assembly->session->sensor_count; index++) {
        struct session_sensor *sensor = &assembly->session->sensors[index];
        const struct device *device = engine_device(assembly->engine, index);
        const struct pipeline_sensor *used = pipeline_sensor_get(pipeline, index);
        const struct session_stream *main_stream = &sensor->streams[used->stream];
        snprintf(sensor->model, sizeof sensor->model, "%s", device->driver->title);
        sensor->rate_hz = device->rate_hz;
        sensor->sample_count = device->counters.sample_count;
        sensor->lost_count = device->counters.lost_count;
        sensor->bad_count = device->counters.bad_count;
        sensor->imu = used->imu;
        sensor->flex = used->flex;
        sensor->alignment = used->alignment;
        pipeline_clock_get(pipeline, index, &sensor->clock_offset_s, &sensor->clock_skew);
        sensor->rate_measured_hz = NAN;
        if (main_stream->count > 1) {
            double span_s =
                main_stream->time_s[main_stream->count - 1] - main_stream->time_s[0];
            sensor->rate_measured_hz =
                span_s > 0.0 ? (double)(main_stream->count - 1) / span_s : (double)NAN;
        }
    }
}

/* Replay all frames after the header. @param last_ns  Out: time of the last one. */
static enum status frames_replay(struct assembly *assembly, struct journal_reader *reader,
                                 int64_t *last_ns, bool *has_end)
{
    struct journal_frame frame;
    size_t total = 0;
    size_t done = 0;
    journal_reader_bytes(reader, &total);
    enum status status = journal_reader_next(reader, &frame);
    for (; status == STATUS_OK && !assembly->status;
         status = journal_reader_next(reader, &frame)) {
        *last_ns = frame.host_ns;
        assembly->frame_count++;
        done += frame.size + JOURNAL_HEAD_SIZE;
        if (frame.type == JOURNAL_END) {
            *has_end = true;
            /* A stretch that the end cut off is not completed, whatever closes it. */
            if (assembly->stretch_open) {
                stretch_close(assembly, (double)frame.host_ns / (double)NS_PER_S, false);
            }
            engine_finish(assembly->engine, frame.host_ns);
        } else if (frame.type == JOURNAL_EVENT) {
            event_compare(assembly, &frame);
        } else {
            /* An input that was refused live is refused again: nothing to do. */
            (void)engine_frame(assembly->engine, &frame);
        }
        stretch_follow(assembly, frame.host_ns);
        if (assembly->settings->progress && assembly->frame_count % 4096 == 0
            && total > 0) {
            assembly->settings->progress(assembly->settings->progress_user,
                                         (double)done / (double)total);
        }
    }
    return status == STATUS_END ? assembly->status : status;
}

static enum status journal_keep(struct session *session,
                                const struct journal_reader *reader)
{
    size_t size = 0;
    const uint8_t *bytes = journal_reader_bytes(reader, &size);
    session->journal = malloc(size > 0 ? size : 1);
    if (!session->journal) {
        return STATUS_NO_MEMORY;
    }
    memcpy(session->journal, bytes, size);
    session->journal_size = size;
    session->journal_torn_size = journal_reader_torn_size(reader);
    return STATUS_OK;
}

static enum status assembly_run(struct assembly *assembly, struct journal_reader *reader,
                                const struct header *header,
                                const struct journal_frame *first)
{
    const struct engine_sink sink = {
        .user = assembly,
        .sample = assembly->settings->with_samples ? sample_keep : NULL,
        .pose = pose_keep,
        .event = event_keep,
    };
    enum status status = session_init(assembly->session, header, first);
    if (status) {
        return status;
    }
    status = engine_create(header, &sink, &assembly->engine);
    if (status) {
        return status;
    }
    status = streams_init(assembly);
    if (status) {
        return status;
    }
    int64_t last_ns = 0;
    bool has_end = false;
    assembly->frame_count = 1;
    status = frames_replay(assembly, reader, &last_ns, &has_end);
    if (status) {
        return status;
    }
    if (!has_end) {
        engine_finish(assembly->engine, last_ns);
    }
    if (assembly->stretch_open) {
        stretch_close(assembly, (double)last_ns / (double)NS_PER_S, false);
    }
    sensors_close(assembly);
    assembly->session->recovered = !has_end;
    assembly->session->journal_frame_count = assembly->frame_count;
    assembly->session->duration_s = (double)last_ns / (double)NS_PER_S;
    status = journal_keep(assembly->session, reader);
    return status ? status : session_evaluate(assembly->session);
}

enum status assembly_build(struct journal_reader *reader,
                           const struct assembly_settings *settings,
                           struct assembly_report *report, struct session **out)
{
    struct journal_frame first;
    struct header *header = NULL;
    struct assembly *assembly = calloc(1, sizeof *assembly);
    if (!assembly) {
        return STATUS_NO_MEMORY;
    }
    assembly->settings = settings;
    enum status status = journal_reader_next(reader, &first);
    if (!status && first.type != JOURNAL_HEADER) {
        status = STATUS_CORRUPT;
    }
    if (!status) {
        status = header_decode((const char *)first.payload, first.size, &header);
    }
    if (!status) {
        status = session_create(&assembly->session);
    }
    if (!status) {
        status = assembly_run(assembly, reader, header, &first);
    }
    engine_destroy(assembly->engine);
    header_destroy(header);
    if (status) {
        session_destroy(assembly->session);
    } else {
        *out = assembly->session;
        if (!assembly->session->recovered) {
            assembly->event_mismatch_count += assembly->expected_count;
        }
        if (report) {
            *report = (struct assembly_report){
                .event_count = assembly->event_count,
                .event_mismatch_count = assembly->event_mismatch_count,
                .has_end = !assembly->session->recovered,
            };
        }
    }
    free(assembly);
    return status;
}

#include "app/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"

struct engine {
    const struct header *header;
    struct engine_sink sink;
    struct device *devices;
    unsigned
        streams[CAPTURE_DEVICE_MAX];     /* stream of each sensor that the pipeline reads */
    double newest_s[ROLE_COUNT];         /* arrival of the newest sample, by role */
    bool is_pressed[CAPTURE_DEVICE_MAX]; /* button of each sensor */
    struct pipeline *pipeline;
    struct runner runner;
    enum pipeline_stage stage;
    /* Of the frame being handled: */
    unsigned sensor;
    int64_t host_ns;
};

/* Longest wait for movement when nobody follows the cues (recorded files). */
static const double RECORDED_ONSET_TIMEOUT_S = 20.0;
static const double RECORDED_SETUP_TIMEOUT_S = 10.0;

/* A simulated person that does not move any more would be waited for at full speed. */
static const double SIMULATED_ONSET_TIMEOUT_S = 120.0;

static enum stream_kind role_stream_kind(enum role role)
{
    return role_is_flex(role) ? STREAM_ANALOG : STREAM_INERTIAL;
}

static enum status stream_find(const struct device *device, enum role role,
                               unsigned *stream)
{
    unsigned count = 0;
    const struct stream_info *streams = device_streams(device, &count);
    for (unsigned index = 0; index < count; index++) {
        if (streams[index].kind == role_stream_kind(role)) {
            *stream = index;
            return STATUS_OK;
        }
    }
    log_error("%s: driver %s gives no %s data; wear another sensor there", role_text(role),
              device->driver->name, role_is_flex(role) ? "analog" : "inertial");
    return STATUS_BAD_INPUT;
}

/* Which channel of an analog sensor is meant; the first where none is named. */
static enum status channel_find(const struct device *device,
                                const struct sensor_entry *entry, unsigned stream,
                                unsigned *channel)
{
    unsigned count = 0;
    const struct stream_info *streams = device_streams(device, &count);
    *channel = 0;
    return entry->channel[0] ? driver_channel_parse(entry->channel,
                                                    streams[stream].channel_count, channel)
                             : STATUS_OK;
}

static enum status sensor_init(struct engine *engine, unsigned index,
                               struct pipeline_sensor *sensor)
{
    const struct sensor_entry *entry = &engine->header->sensors.entries[index];
    const struct driver *driver = driver_find(entry->driver);
    if (!driver) {
        log_error("%s: no driver '%s'; 'limber devices' lists them", role_text(entry->role),
                  entry->driver);
        return STATUS_BAD_INPUT;
    }
    struct device *device = &engine->devices[index];
    struct driver_settings settings = sensor_entry_settings(entry);
    enum status status = device_init(device, driver, &settings);
    if (status) {
        return status;
    }
    status = stream_find(device, entry->role, &engine->streams[index]);
    unsigned channel = 0;
    if (!status) {
        status = channel_find(device, entry, engine->streams[index], &channel);
    }
    if (status) {
        return status;
    }
    *sensor = (struct pipeline_sensor){
        .role = entry->role,
        .timebase = {.tick_s = device->tick_s,
                     .rate_hz = device->rate_hz,
                     .skew_max = 0.01},
        .stream = engine->streams[index],
        .channel = channel,
        .imu = calibration_imu_default,
        .flex = entry->flex,
        .alignment = {.sensor_to_segment = QUATERNION_IDENTITY},
    };
    return STATUS_OK;
}

static enum status sensors_init(struct engine *engine)
{
    const struct sensor_list *list = &engine->header->sensors;
    struct pipeline_sensor *sensors = calloc(list->count, sizeof *sensors);
    if (!sensors) {
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_OK;
    for (unsigned index = 0; index < list->count && !status; index++) {
        status = sensor_init(engine, index, &sensors[index]);
    }
    if (!status) {
        status = pipeline_create(sensors, list->count, &engine->pipeline);
    }
    free(sensors);
    return status;
}

static enum status runner_prepare(struct engine *engine)
{
    const struct header *header = engine->header;
    struct runner_settings settings = runner_default_settings;
    settings.protocols = header->protocols;
    settings.protocol_count = header->protocol_count;
    settings.worn = sensor_list_worn(&header->sensors);
    settings.align = header->align;
    settings.pain_start = header->screening.pain_now;
    settings.hypermobile = header->screening.hypermobile;
    if (header->is_recorded) {
        settings.setup_timeout_s = RECORDED_SETUP_TIMEOUT_S;
        settings.onset_timeout_s = RECORDED_ONSET_TIMEOUT_S;
    } else if (header_is_simulated(header)) {
        settings.onset_timeout_s = SIMULATED_ONSET_TIMEOUT_S;
    }
    return runner_init(&engine->runner, &settings);
}

enum status engine_create(const struct header *header, const struct engine_sink *sink,
                          struct engine **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        return status;
    }
    engine->header = header;
    engine->sink = *sink;
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        engine->newest_s[role] = NAN;
    }
    engine->devices = calloc(header->sensors.count, sizeof *engine->devices);
    if (!engine->devices) {
        goto fail;
    }
    status = sensors_init(engine);
    if (status) {
        goto fail;
    }
    status = runner_prepare(engine);
    if (status) {
        goto fail;
    }
    *out = engine;
    return STATUS_OK;
fail:
    engine_destroy(engine);
    return status;
}

static void events_drain(struct engine *engine)
{
    struct event events[RUNNER_EVENT_MAX];
    unsigned count = runner_events_take(&engine->runner, events, RUNNER_EVENT_MAX);
    for (unsigned index = 0; index < count && engine->sink.event; index++) {
        engine->sink.event(engine->sink.user, &events[index]);
    }
}

/* The runner says what the person does for alignment; the pipeline has to follow. */
static void stage_follow(struct engine *engine)
{
    enum pipeline_stage wanted = engine->runner.view.stage;
    if (wanted == engine->stage) {
        return;
    }
    engine->stage = wanted;
    enum status status = pipeline_stage_set(engine->pipeline, wanted);
    if (wanted == PIPELINE_STAGE_SOLVE) {
        runner_aligned(&engine->runner, (double)engine->host_ns / (double)NS_PER_S, status);
    }
}

static void poses_handle(struct engine *engine)
{
    struct pose pose;
    while (pipeline_pop(engine->pipeline, &pose) == STATUS_OK) {
        if (engine->sink.pose) {
            engine->sink.pose(engine->sink.user, &pose);
        }
        runner_pose(&engine->runner, &pose);
        stage_follow(engine);
        events_drain(engine);
    }
}

/* A button that goes down is a person's mark; one held down is still the same. */
static void marker_handle(struct engine *engine, const struct sample *sample, double time_s)
{
    unsigned count = 0;
    const struct stream_info *streams =
        device_streams(&engine->devices[engine->sensor], &count);
    if (sample->stream >= count || streams[sample->stream].kind != STREAM_MARKER) {
        return;
    }
    bool is_pressed = sample->values[0] > 0.5f;
    bool was_pressed = engine->is_pressed[engine->sensor];
    engine->is_pressed[engine->sensor] = is_pressed;
    if (is_pressed && !was_pressed) {
        runner_marker(&engine->runner,
                      isfinite(time_s) ? time_s
                                       : (double)engine->host_ns / (double)NS_PER_S,
                      engine->header->sensors.entries[engine->sensor].role,
                      streams[sample->stream].name);
    }
}

static void sample_handle(void *user, const struct sample *sample)
{
    struct engine *engine = user;
    unsigned sensor = engine->sensor;
    const struct device *device = &engine->devices[sensor];
    double time_s = 0.0;
    pipeline_clock_set(engine->pipeline, sensor, device->tick_s, device->rate_hz);
    pipeline_push(engine->pipeline, sensor, sample, &time_s);
    if (sample->stream == engine->streams[sensor]) {
        engine->newest_s[engine->header->sensors.entries[sensor].role] =
            (double)engine->host_ns / (double)NS_PER_S;
    }
    if (engine->sink.sample) {
        engine->sink.sample(engine->sink.user, sensor, sample, time_s);
    }
    marker_handle(engine, sample, time_s);
    poses_handle(engine);
}

static void link_handle(struct engine *engine, bool is_open)
{
    device_interrupt(&engine->devices[engine->sensor]);
    engine->is_pressed[engine->sensor] = false;
    if (!is_open) {
        pipeline_interrupt(engine->pipeline, engine->sensor);
    }
    runner_link(&engine->runner, (double)engine->host_ns / (double)NS_PER_S,
                engine->header->sensors.entries[engine->sensor].role, is_open);
}

static void tick_handle(struct engine *engine)
{
    pipeline_advance(engine->pipeline, engine->host_ns);
    poses_handle(engine);
    runner_tick(&engine->runner, (double)engine->host_ns / (double)NS_PER_S,
                engine->newest_s);
    stage_follow(engine);
}

static enum status input_handle(struct engine *engine, const struct journal_frame *frame)
{
    char text[256];
    size_t size = frame->size < sizeof text - 1 ? frame->size : sizeof text - 1;
    memcpy(text, frame->payload, size);
    text[size] = '\0';
    enum status status =
        runner_input(&engine->runner, (double)engine->host_ns / (double)NS_PER_S, text);
    stage_follow(engine);
    return status;
}

enum status engine_frame(struct engine *engine, const struct journal_frame *frame)
{
    enum status status = STATUS_OK;
    bool has_sensor = frame->device < engine->header->sensors.count;
    engine->sensor = has_sensor ? frame->device : 0;
    engine->host_ns = frame->host_ns;
    switch (frame->type) {
    case JOURNAL_BYTES:
        if (has_sensor) {
            device_feed(&engine->devices[frame->device], frame->payload, frame->size,
                        frame->host_ns, sample_handle, engine);
        }
        break;
    case JOURNAL_TICK:
        tick_handle(engine);
        break;
    case JOURNAL_LINK:
        if (has_sensor && frame->size == 1) {
            link_handle(engine, frame->payload[0] != 0);
        }
        break;
    case JOURNAL_INPUT:
        status = input_handle(engine, frame);
        break;
    case JOURNAL_HEADER:
    case JOURNAL_EVENT:
    case JOURNAL_END:
        break;
    }
    events_drain(engine);
    return status;
}

void engine_finish(struct engine *engine, int64_t host_ns)
{
    engine->host_ns = host_ns;
    pipeline_advance(engine->pipeline, host_ns);
    poses_handle(engine);
    runner_finish(&engine->runner, (double)host_ns / (double)NS_PER_S);
    events_drain(engine);
}

struct device *engine_device(struct engine *engine, unsigned sensor)
{
    return &engine->devices[sensor];
}

const struct pipeline *engine_pipeline(const struct engine *engine)
{
    return engine->pipeline;
}

const struct runner *engine_runner(const struct engine *engine)
{
    return &engine->runner;
}

struct pipeline_error engine_measure_error(const struct engine *engine,
                                           enum measure measure)
{
    unsigned stretch = engine->runner.view.stretch;
    enum posture posture = stretch < engine->header->protocol_count
                               ? engine->header->protocols[stretch].posture
                               : POSTURE_STANDING;
    return pipeline_measure_error(engine->pipeline, measure, posture);
}

void engine_destroy(struct engine *engine)
{
    if (!engine) {
        return;
    }
    pipeline_destroy(engine->pipeline);
    free(engine->devices);
    free(engine);
}

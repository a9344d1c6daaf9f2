#include "app/assessment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "acquisition/capture.h"
#include "app/closing.h"
#include "app/engine.h"
#include "app/event_text.h"
#include "app/sensor_port.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "simulation/device_model.h"
#include "simulation/simulation.h"

/* Data still wanted after the last phase, so that its end is on record. */
static const double AFTER_OVER_S = 1.0;

/* Time to press a digit for the pain at the end. */
static const double PAIN_ANSWER_S = 20.0;

/* Disk reserved at the start: two sensors at 100 Hz for half an hour. More is taken as it
 * comes. */
static const uint64_t RESERVE_SIZE = 16u << 20;

struct assessment {
    const struct assessment_settings *settings;
    struct header *header;
    char journal_path[CATALOGUE_PATH_SIZE];
    int lock;
    struct recorder *recorder;
    struct capture *capture;
    struct engine *engine;
    struct simulation *simulation;
    struct guide guide;
    unsigned notice_counts[CAPTURE_DEVICE_MAX]; /* texts of each sensor shown so far */
    double over_since_s; /* session time at which the runner was done, NaN before */
    /* What the simulated person was told last. */
    enum phase cued_phase;
    enum pipeline_stage cued_stage;
    unsigned cued_stretch;
    unsigned cued_part;
    unsigned cued_repetition;
    unsigned cued_practice;
    enum side cued_side;
    bool cued;
    /* Terminal and signals. */
    uv_signal_t signals[3];
    uv_poll_t keys;
    bool has_signals;
    bool has_keys;
    int keyboard; /* the terminal opened anew: polling makes it non-blocking for us alone */
    bool was_open[CAPTURE_DEVICE_MAX]; /* a port that was lost is tried again quietly */
    struct termios terminal;
};

static bool cue_is_new(const struct assessment *assessment, const struct runner_view *view)
{
    return !assessment->cued || assessment->cued_phase != view->phase
           || assessment->cued_stage != view->stage
           || assessment->cued_stretch != view->stretch
           || assessment->cued_part != view->part
           || assessment->cued_repetition != view->repetition
           || assessment->cued_practice != view->practice
           || assessment->cued_side != view->side;
}

/* Tell the simulated person what the screen says. */
static void cue_send(struct assessment *assessment)
{
    const struct runner *runner = engine_runner(assessment->engine);
    const struct runner_view *view = &runner->view;
    if (!assessment->simulation || !cue_is_new(assessment, view)) {
        return;
    }
    assessment->cued = true;
    assessment->cued_phase = view->phase;
    assessment->cued_stage = view->stage;
    assessment->cued_stretch = view->stretch;
    assessment->cued_part = view->part;
    assessment->cued_repetition = view->repetition;
    assessment->cued_practice = view->practice;
    assessment->cued_side = view->side;
    const struct protocol *protocol = view->stretch < assessment->header->protocol_count
                                          ? &assessment->header->protocols[view->stretch]
                                          : NULL;
    bool has_part = protocol && view->part < protocol->part_count;
    const struct simulation_cue cue = {
        .time_ns = capture_now_ns(assessment->capture),
        .stretch = protocol ? protocol->id : "",
        .part = has_part ? protocol->parts[view->part].id : "",
        .phase = phase_text(view->phase),
        .stage = pipeline_stage_text(view->stage),
        .side = view->side,
        .repetition = view->repetition,
        .is_practice = view->practice > 0,
    };
    simulation_cue(assessment->simulation, &cue);
}

/* Which sensor could not be aligned, and what to do about it. */
static void alignment_warn(const struct assessment *assessment)
{
    for (unsigned index = 0; index < assessment->header->sensors.count; index++) {
        const struct pipeline_sensor *sensor =
            pipeline_sensor_get(engine_pipeline(assessment->engine), index);
        if (sensor->alignment.reason[0]) {
            log_warning("%s: %s", role_text(sensor->role), sensor->alignment.reason);
        }
    }
}

static void event_record(void *user, const struct event *event)
{
    struct assessment *assessment = user;
    char text[EVENT_TEXT_SIZE];
    if (event->type == EVENT_ALIGNMENT && strcmp(event->cause, "refused") == 0) {
        alignment_warn(assessment);
    }
    event_text_encode(event, text);
    /* A full disk ends the session in the capture; here there is nothing to add. */
    (void)capture_event(assessment->capture, text);
}

/* Sensors that talk ("battery low") are passed on to the operator. */
static void notice_show(struct assessment *assessment, unsigned device_index)
{
    const struct device *device = engine_device(assessment->engine, device_index);
    unsigned count = 0;
    if (!device->driver->notice_get) {
        return;
    }
    const char *text = device->driver->notice_get(&device->context, &count);
    if (count != assessment->notice_counts[device_index]) {
        assessment->notice_counts[device_index] = count;
        log_warning("%s: the sensor says: %s",
                    role_text(assessment->header->sensors.entries[device_index].role),
                    text);
    }
}

/* "Pain now?" is asked at the end when somebody can answer and nobody has before. */
static double after_over_s(const struct assessment *assessment)
{
    bool is_asked = assessment->has_keys && assessment->header->screening.pain_after < 0;
    return is_asked ? PAIN_ANSWER_S + AFTER_OVER_S : AFTER_OVER_S;
}

static enum status frame_handle(void *user, const struct journal_frame *frame)
{
    struct assessment *assessment = user;
    enum status status = engine_frame(assessment->engine, frame);
    if (frame->type == JOURNAL_INPUT && status) {
        status = STATUS_OK; /* refused: the runner said why on the screen */
    }
    if (frame->type == JOURNAL_BYTES) {
        notice_show(assessment, frame->device);
    }
    cue_send(assessment);
    const struct runner *runner = engine_runner(assessment->engine);
    double time_s = (double)frame->host_ns / (double)NS_PER_S;
    if (assessment->settings->show_guide
        && (frame->type == JOURNAL_TICK || frame->type == JOURNAL_INPUT)) {
        guide_update(&assessment->guide, runner, time_s, clock_host_ns());
    }
    if (runner_is_over(runner) && !assessment->header->is_recorded) {
        if (!(assessment->over_since_s >= 0.0)) {
            assessment->over_since_s = time_s;
        }
        if (frame->type == JOURNAL_INPUT) {
            assessment->over_since_s = time_s - PAIN_ANSWER_S; /* answered: done soon */
        }
        if (time_s - assessment->over_since_s >= after_over_s(assessment)) {
            capture_stop(assessment->capture);
        }
    }
    return status;
}

static enum status port_open(void *user, unsigned device, struct transport **out)
{
    struct assessment *assessment = user;
    enum status status =
        sensor_port_open(&assessment->header->sensors.entries[device],
                         engine_device(assessment->engine, device)->driver,
                         assessment->was_open[device], assessment->simulation, out);
    assessment->was_open[device] = assessment->was_open[device] || !status;
    return status;
}

/* Simulated strips are connected where the sensor file says. */
static enum status channels_set(struct simulation *simulation,
                                const struct sensor_list *list)
{
    for (unsigned index = 0; index < list->count; index++) {
        const struct sensor_entry *entry = &list->entries[index];
        const char *patient = NULL;
        unsigned channel = 0;
        if (!sensor_entry_is_simulated(entry, &patient) || !role_is_flex(entry->role)
            || !entry->channel[0]) {
            continue;
        }
        enum status status =
            driver_channel_parse(entry->channel, DEVICE_MODEL_ANALOG_COUNT, &channel);
        if (status) {
            return status;
        }
        simulation_channel_set(simulation, entry->role, channel);
    }
    return STATUS_OK;
}

/* The simulated person, where a port asks for one; one person wears all sensors. */
static enum status simulation_start(struct assessment *assessment)
{
    const struct sensor_list *list = &assessment->header->sensors;
    const char *patient = NULL;
    for (unsigned index = 0; index < list->count; index++) {
        const char *name = NULL;
        if (!sensor_entry_is_simulated(&list->entries[index], &name)) {
            continue;
        }
        if (patient && strcmp(patient, name) != 0) {
            log_error(
                "simulated:%s and simulated:%s: one person wears all sensors; name one",
                patient, name);
            return STATUS_BAD_INPUT;
        }
        patient = name;
    }
    if (!patient) {
        return STATUS_OK;
    }
    const struct simulation_settings settings = {
        .patient = patient,
        .seed = assessment->settings->seed,
        .truth_path = assessment->settings->truth_path,
    };
    enum status status = simulation_create(&settings, &assessment->simulation);
    return status ? status : channels_set(assessment->simulation, list);
}

static void key_handle(struct assessment *assessment, char key)
{
    static const struct {
        char key;
        const char *input;
    } KEYS[] = {
        {'s', "stop"}, {'x', "sharp_pain"}, {'k', "skip"},      {'r', "redo"},
        {'u', "undo"}, {'t', "pain 10"},    {'g', "guard_ack"},
    };

    char text[16];
    if (key >= '0' && key <= '9') {
        snprintf(text, sizeof text, "pain %c", key);
        (void)capture_input(assessment->capture, text);
        return;
    }
    if (key == ' ') {
        bool is_paused = engine_runner(assessment->engine)->view.phase == PHASE_PAUSED;
        (void)capture_input(assessment->capture, is_paused ? "resume" : "pause");
        return;
    }
    for (size_t index = 0; index < sizeof KEYS / sizeof KEYS[0]; index++) {
        if (KEYS[index].key == key) {
            (void)capture_input(assessment->capture, KEYS[index].input);
        }
    }
}

static void on_keys(uv_poll_t *poll, int status, int events)
{
    struct assessment *assessment = poll->data;
    char keys[16];
    ssize_t count =
        status == 0 && events ? read(assessment->keyboard, keys, sizeof keys) : 0;
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        uv_poll_stop(poll); /* the terminal is gone */
        return;
    }
    for (ssize_t index = 0; index < count; index++) {
        key_handle(assessment, keys[index]);
    }
}

/* Ctrl-C and a polite kill stop the session and keep everything. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct assessment *assessment = handle->data;
    (void)number;
    if (runner_is_over(engine_runner(assessment->engine))) {
        capture_stop(assessment->capture);
        return;
    }
    (void)capture_input(assessment->capture, "stop");
    capture_stop(assessment->capture);
}

static void terminal_start(struct assessment *assessment)
{
    uv_loop_t *loop = capture_loop(assessment->capture);
    static const int NUMBERS[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned index = 0; index < 3; index++) {
        uv_signal_init(loop, &assessment->signals[index]);
        assessment->signals[index].data = assessment;
        uv_signal_start(&assessment->signals[index], on_signal, NUMBERS[index]);
    }
    assessment->has_signals = true;
    const char *name = isatty(STDIN_FILENO) ? ttyname(STDIN_FILENO) : NULL;
    if (!assessment->settings->read_keys || !name
        || tcgetattr(STDIN_FILENO, &assessment->terminal) != 0) {
        return;
    }
    assessment->keyboard = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct termios raw = assessment->terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (assessment->keyboard >= 0
        && uv_poll_init(loop, &assessment->keys, assessment->keyboard) == 0) {
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        assessment->keys.data = assessment;
        uv_poll_start(&assessment->keys, UV_READABLE, on_keys);
        assessment->has_keys = true;
    }
}

static void terminal_stop(struct assessment *assessment)
{
    if (assessment->has_keys) {
        uv_close((uv_handle_t *)&assessment->keys, NULL);
        tcsetattr(STDIN_FILENO, TCSANOW, &assessment->terminal);
        tcflush(STDIN_FILENO, TCIFLUSH);
    }
    for (unsigned index = 0; index < 3 && assessment->has_signals; index++) {
        uv_close((uv_handle_t *)&assessment->signals[index], NULL);
    }
    assessment->has_keys = false;
    assessment->has_signals = false;
}

/* DIR/SUBJECT/20261122T104500Z_1a2b3c4d.journal */
static enum status journal_path_make(struct assessment *assessment)
{
    const struct header *header = assessment->header;
    char folder[CATALOGUE_PATH_SIZE];
    char stamp[24];
    time_t time_s = (time_t)(header->start_utc_us / 1000000);
    struct tm parts = {0};
    gmtime_r(&time_s, &parts);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
    int size = snprintf(folder, sizeof folder, "%s/%s", assessment->settings->archive,
                        header->subject);
    if (size < 0 || (size_t)size >= sizeof folder - 64) {
        log_error("%s: folder name too long", assessment->settings->archive);
        return STATUS_IO;
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        log_error("%s: could not create the subject's folder: %s", folder, strerror(errno));
        return STATUS_IO;
    }
    size = snprintf(assessment->journal_path, sizeof assessment->journal_path,
                    "%s/%s_%.8s.journal", folder, stamp, header->uuid);
    return size > 0 && (size_t)size < sizeof assessment->journal_path ? STATUS_OK
                                                                      : STATUS_IO;
}

/* A lock tells 'limber recover' that somebody is still writing. */
static enum status journal_lock(struct assessment *assessment)
{
    assessment->lock = open(assessment->journal_path, O_RDONLY | O_CLOEXEC);
    if (assessment->lock < 0 || flock(assessment->lock, LOCK_EX | LOCK_NB) != 0) {
        log_error("%s: could not lock the journal: %s", assessment->journal_path,
                  strerror(errno));
        return STATUS_IO;
    }
    return STATUS_OK;
}

static enum status recorder_start(struct assessment *assessment)
{
    struct recorder_settings settings = recorder_default_settings;
    settings.reserve_size = RESERVE_SIZE;
    enum status status = journal_path_make(assessment);
    if (!status) {
        status = recorder_open(assessment->journal_path, &settings, &assessment->recorder);
    }
    return status ? status : journal_lock(assessment);
}

static enum status capture_start(struct assessment *assessment)
{
    const struct capture_settings settings = {
        .recorder = assessment->recorder,
        .handle = frame_handle,
        .handle_user = assessment,
        .open = port_open,
        .open_user = assessment,
        .pace = assessment->settings->pace,
        .read_interval_ms = 0,
    };
    enum status status = capture_create(&settings, &assessment->capture);
    for (unsigned index = 0; index < assessment->header->sensors.count && !status;
         index++) {
        status = capture_add(assessment->capture, engine_device(assessment->engine, index));
    }
    if (status) {
        return status;
    }
    char *text = NULL;
    status = header_encode(assessment->header, &text);
    if (!status) {
        status = capture_header(assessment->capture, text);
    }
    free(text);
    return status;
}

static void header_complete(struct header *header)
{
    archive_uuid(header->uuid);
    if (!header->visit_uuid[0]) {
        archive_uuid(header->visit_uuid);
    }
    header->start_utc_us = clock_utc_us();
    snprintf(header->software, sizeof header->software, "limber %s", LIMBER_VERSION);
    snprintf(header->commit, sizeof header->commit, "%s", LIMBER_COMMIT);
}

/* The end frame, and behind it the events that the end itself made. */
static enum status recording_end(struct assessment *assessment)
{
    struct recorder_counters counters;
    char text[256];
    recorder_counters_get(assessment->recorder, &counters);
    int size = snprintf(
        text, sizeof text, "{\"frames\":%llu,\"dropped\":%llu,\"ring_peak_size\":%zu}",
        (unsigned long long)counters.frame_count,
        (unsigned long long)counters.dropped_count, counters.ring_peak_size);
    struct journal_frame frame = {
        .type = JOURNAL_END,
        .device = JOURNAL_NO_DEVICE,
        .host_ns = capture_now_ns(assessment->capture),
        .payload = (const uint8_t *)text,
        .size = (size_t)size,
    };
    enum status status = recorder_append(assessment->recorder, &frame);
    engine_finish(assessment->engine, frame.host_ns);
    return status;
}

static enum status assessment_record(struct assessment *assessment)
{
    const struct engine_sink sink = {.user = assessment, .event = event_record};
    enum status status = engine_create(assessment->header, &sink, &assessment->engine);
    if (!status) {
        status = simulation_start(assessment);
    }
    if (!status) {
        status = recorder_start(assessment);
    }
    if (!status) {
        status = capture_start(assessment);
    }
    if (status) {
        return status;
    }
    terminal_start(assessment);
    cue_send(assessment);
    status = capture_run(assessment->capture);
    enum status end_status = recording_end(assessment);
    terminal_stop(assessment);
    if (assessment->settings->show_guide && !status) {
        guide_update(&assessment->guide, engine_runner(assessment->engine),
                     (double)capture_now_ns(assessment->capture) / (double)NS_PER_S,
                     INT64_MAX);
        guide_finish(&assessment->guide);
    }
    return status ? status : end_status;
}

/* Free in reverse order; the journal stays on disk. */
static enum status assessment_release(struct assessment *assessment)
{
    capture_destroy(assessment->capture);
    enum status status = recorder_close(assessment->recorder);
    engine_destroy(assessment->engine);
    enum status truth_status = simulation_destroy(assessment->simulation);
    return status ? status : truth_status;
}

/* A journal that holds no data of a sensor is not worth keeping when the start failed. */
static void start_undo(struct assessment *assessment)
{
    if (assessment->journal_path[0]) {
        unlink(assessment->journal_path);
    }
}

enum status assessment_run(const struct assessment_settings *settings,
                           struct assessment_result *result)
{
    struct catalogue *catalogue = NULL;
    enum status status = catalogue_open(settings->archive, &catalogue);
    if (status) {
        return status;
    }
    catalogue_close(catalogue);
    struct assessment *assessment = calloc(1, sizeof *assessment);
    if (!assessment) {
        return STATUS_NO_MEMORY;
    }
    assessment->settings = settings;
    assessment->header = settings->header;
    assessment->over_since_s = -1.0;
    assessment->lock = -1;
    assessment->keyboard = -1;
    header_complete(assessment->header);
    header_protocols_adapt(assessment->header);
    guide_init(&assessment->guide, stdout, isatty(STDOUT_FILENO) == 1);
    status = assessment_record(assessment);
    bool has_data = false;
    for (unsigned index = 0; assessment->engine && index < settings->header->sensors.count;
         index++) {
        has_data |= engine_device(assessment->engine, index)->counters.byte_count > 0;
    }
    enum status release_status = assessment_release(assessment);
    status = status ? status : release_status;
    if (!has_data && status) {
        start_undo(assessment);
    } else {
        enum status closing_status =
            closing_run(settings->archive, assessment->journal_path, result->path);
        status = status ? status : closing_status;
    }
    if (assessment->keyboard >= 0) {
        close(assessment->keyboard);
    }
    if (assessment->lock >= 0) {
        close(assessment->lock);
    }
    free(assessment);
    return status;
}

#include "app/device_watch.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "acquisition/monitor.h"
#include "app/sensor_port.h"
#include "base/log.h"
#include "base/units.h"

enum {
    SIGNAL_COUNT = 3,
    NAME_SIZE = 64
};

/* Without a sample for so long a sensor is silent: as the runner counts it. */
static const int64_t SILENT_NS = NS_PER_S / 2;
static const double LAST_PERIOD_MIN_S = 0.1; /* a rest that is worth a report */

enum watch_state {
    WATCH_WAITING, /* open, nothing came yet */
    WATCH_OK,
    WATCH_SILENT,
    WATCH_GONE
};

static const char *const STATE_TEXTS[] = {"waiting", "ok", "silent", "unplugged"};

struct watched {
    struct watch *watch;
    const struct sensor_entry *entry;
    char name[NAME_SIZE];
    struct device device;
    struct monitor monitor;
    enum watch_state state;
    bool was_open;
    bool is_missed;       /* missing at the start and told so */
    int64_t newest_ns;    /* arrival of the newest sample of stream 0, -1 = none */
    uint64_t lost_before; /* counter before the sensor went away */
    unsigned notice_count;
};

struct watch {
    const struct device_watch_settings *settings;
    struct capture *capture;
    struct watched *sensors;
    unsigned count;
    uv_signal_t signals[SIGNAL_COUNT];
    int64_t period_start_ns;
    int64_t period_taken_ns; /* when the last report was made */
    int64_t now_ns;
};

/* ---- lines ---- */

static double seconds_of(int64_t time_ns)
{
    return (double)time_ns / (double)NS_PER_S;
}

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void line_print(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

/* @param gap_s  How long nothing came, NaN = does not apply. */
static void event_print(const struct watched *sensor, const char *event, double gap_s,
                        const char *text)
{
    const struct watch *watch = sensor->watch;
    if (watch->settings->is_json) {
        json_t *object = json_pack("{s:f, s:s, s:s}", "time_s", seconds_of(watch->now_ns),
                                   "sensor", sensor->name, "event", event);
        if (isfinite(gap_s)) {
            json_object_set_new(object, "gap_s", json_real(gap_s));
            json_object_set_new(object, "lost",
                                json_integer((json_int_t)(sensor->device.counters.lost_count
                                                          - sensor->lost_before)));
        }
        if (text) {
            json_object_set_new(object, "text", json_string(text));
        }
        line_print(object);
        return;
    }
    printf("%7.1f s  %-16s %s", seconds_of(watch->now_ns), sensor->name, event);
    if (isfinite(gap_s)) {
        printf(
            " after %.3f s, %llu samples lost", gap_s,
            (unsigned long long)(sensor->device.counters.lost_count - sensor->lost_before));
    }
    printf("%s%s\n", text ? ": " : "", text ? text : "");
    fflush(stdout);
}

static json_t *counts_json(uint64_t lost, uint64_t bad, uint64_t skipped)
{
    return json_pack("{s:I, s:I, s:I}", "lost", (json_int_t)lost, "bad", (json_int_t)bad,
                     "skipped", (json_int_t)skipped);
}

static void report_json(const struct watched *sensor, const struct monitor_report *report)
{
    const struct device_counters *counters = &sensor->device.counters;
    json_t *object =
        counts_json(report->lost_count, report->bad_count, report->skipped_size);
    json_t *total =
        counts_json(counters->lost_count, counters->bad_count, counters->skipped_size);
    json_t *noise = json_pack(
        "{s:o, s:o, s:o, s:s?}", "gyroscope_deg_s", number_json(report->gyro_noise_deg_s),
        "accelerometer_mg", number_json(report->accel_noise_mg), "analog",
        number_json(report->analog_noise), "unit", report->analog_unit);
    json_object_set_new(total, "samples", json_integer((json_int_t)counters->sample_count));
    json_object_set_new(total, "bytes", json_integer((json_int_t)counters->byte_count));
    json_object_set_new(total, "restarts",
                        json_integer((json_int_t)counters->restart_count));
    json_object_set_new(object, "time_s", json_real(seconds_of(sensor->watch->now_ns)));
    json_object_set_new(object, "sensor", json_string(sensor->name));
    json_object_set_new(object, "port", json_string(sensor->entry->port));
    json_object_set_new(object, "driver", json_string(sensor->entry->driver));
    json_object_set_new(object, "state", json_string(STATE_TEXTS[sensor->state]));
    json_object_set_new(object, "rate_hz", json_real(report->rate_hz));
    json_object_set_new(object, "jitter_ms", number_json(report->jitter_ms));
    json_object_set_new(object, "battery_percent", number_json(report->battery_percent));
    json_object_set_new(object, "is_low_battery", json_boolean(report->is_low_battery));
    json_object_set_new(object, "noise", noise);
    json_object_set_new(object, "total", total);
    line_print(object);
}

static void noise_print(const struct monitor_report *report)
{
    if (isfinite(report->gyro_noise_deg_s) || isfinite(report->accel_noise_mg)) {
        printf("  at rest %.3f deg/s %.2f mg", report->gyro_noise_deg_s,
               report->accel_noise_mg);
    } else if (isfinite(report->analog_noise)) {
        printf("  at rest %.4g %s", report->analog_noise,
               strcmp(report->analog_unit, "1") == 0 ? "counts" : report->analog_unit);
    }
}

static void report_print(const struct watched *sensor, const struct monitor_report *report)
{
    printf("%7.1f s  %-16s ", seconds_of(sensor->watch->now_ns), sensor->name);
    if (sensor->state != WATCH_OK) {
        printf("%s\n", STATE_TEXTS[sensor->state]);
        return;
    }
    printf("%7.1f Hz  lost %llu  bad %llu  skipped %llu B", report->rate_hz,
           (unsigned long long)report->lost_count, (unsigned long long)report->bad_count,
           (unsigned long long)report->skipped_size);
    if (isfinite(report->jitter_ms)) {
        printf("  jitter %.2f ms", report->jitter_ms);
    }
    if (isfinite(report->battery_percent) || report->is_low_battery) {
        printf("  battery");
    }
    if (isfinite(report->battery_percent)) {
        printf(" %.0f %%", report->battery_percent);
    }
    printf("%s", report->is_low_battery ? " LOW" : "");
    noise_print(report);
    putchar('\n');
}

/* ---- what happens ---- */

static void sample_take(void *user, const struct sample *sample)
{
    struct watched *sensor = user;
    monitor_update(&sensor->monitor, sample);
    if (sample->stream != 0) {
        return;
    }
    int64_t before_ns = sensor->newest_ns;
    enum watch_state state = sensor->state;
    sensor->newest_ns = sample->host_ns;
    sensor->state = WATCH_OK;
    if (state == WATCH_OK || state == WATCH_WAITING) {
        sensor->lost_before = sensor->device.counters.lost_count;
    }
    if (state != WATCH_OK && before_ns >= 0) {
        event_print(sensor, "returned", seconds_of(sample->host_ns - before_ns), NULL);
        sensor->lost_before = sensor->device.counters.lost_count;
    }
}

static void notice_take(struct watched *sensor)
{
    const struct driver *driver = sensor->device.driver;
    unsigned count = 0;
    const char *text =
        driver->notice_get ? driver->notice_get(&sensor->device.context, &count) : "";
    if (count != sensor->notice_count) {
        sensor->notice_count = count;
        event_print(sensor, "notice", NAN, text);
    }
}

static void bytes_take(struct watched *sensor, const struct journal_frame *frame)
{
    device_feed(&sensor->device, frame->payload, frame->size, frame->host_ns, sample_take,
                sensor);
    notice_take(sensor);
}

static void link_take(struct watched *sensor, bool is_open)
{
    sensor->notice_count = 0; /* the driver begins afresh */
    if (!is_open) {
        sensor->state = WATCH_GONE;
        event_print(sensor, "unplugged", NAN, NULL);
        return;
    }
    sensor->state = sensor->newest_ns < 0 ? WATCH_WAITING : WATCH_SILENT;
    event_print(sensor, "plugged in", NAN, NULL);
}

static void silence_check(struct watched *sensor)
{
    if (sensor->state == WATCH_OK
        && sensor->watch->now_ns - sensor->newest_ns > SILENT_NS) {
        sensor->state = WATCH_SILENT;
        event_print(sensor, "silent", NAN, NULL);
    }
}

/* Periods begin on whole seconds, whenever the tick came that ended the one before. */
static void period_report(struct watch *watch)
{
    double period_s = seconds_of(watch->now_ns - watch->period_taken_ns);
    watch->period_taken_ns = watch->now_ns;
    watch->period_start_ns = watch->now_ns - watch->now_ns % NS_PER_S;
    for (unsigned i = 0; i < watch->count; i++) {
        struct monitor_report report;
        monitor_take(&watch->sensors[i].monitor, period_s, &report);
        if (watch->settings->is_json) {
            report_json(&watch->sensors[i], &report);
        } else {
            report_print(&watch->sensors[i], &report);
        }
    }
    fflush(stdout);
}

static void tick_take(struct watch *watch)
{
    for (unsigned i = 0; i < watch->count; i++) {
        silence_check(&watch->sensors[i]);
    }
    if (watch->now_ns - watch->period_start_ns >= NS_PER_S) {
        period_report(watch);
    }
    if (watch->settings->seconds > 0.0
        && seconds_of(watch->now_ns) >= watch->settings->seconds) {
        capture_stop(watch->capture);
    }
}

static enum status frame_take(void *user, const struct journal_frame *frame)
{
    struct watch *watch = user;
    watch->now_ns = frame->host_ns;
    switch (frame->type) {
    case JOURNAL_BYTES:
        bytes_take(&watch->sensors[frame->device], frame);
        break;
    case JOURNAL_LINK:
        link_take(&watch->sensors[frame->device], frame->payload[0] != 0);
        break;
    case JOURNAL_TICK:
        tick_take(watch);
        break;
    case JOURNAL_HEADER:
    case JOURNAL_EVENT:
    case JOURNAL_INPUT:
    case JOURNAL_END:
        break;
    }
    return STATUS_OK;
}

/* A port that is missing is waited for, at the start too: nothing is recorded yet. */
static enum status port_open(void *user, unsigned device, struct transport **out)
{
    struct watch *watch = user;
    struct watched *sensor = &watch->sensors[device];
    if (!sensor->was_open && !sensor->is_missed
        && !sensor_port_exists(sensor->entry->port)) {
        sensor->is_missed = true;
        sensor->state = WATCH_GONE;
        log_warning("%s: not there: plug the sensor in (or see 'limber devices')",
                    sensor->entry->port);
    }
    enum status status = sensor_port_open(sensor->entry, sensor->device.driver,
                                          sensor->was_open || sensor->is_missed, NULL, out);
    sensor->was_open = sensor->was_open || !status;
    if (status == STATUS_DEVICE && !sensor_port_exists(sensor->entry->port)) {
        sensor->is_missed = true; /* pulled out while it was being opened */
        sensor->state = WATCH_GONE;
        return STATUS_GONE;
    }
    return status;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct watch *watch = handle->data;
    (void)number;
    capture_stop(watch->capture);
}

/* ---- start and end ---- */

static enum status sensor_init(struct watch *watch, unsigned index)
{
    struct watched *sensor = &watch->sensors[index];
    const char *rest = NULL;
    sensor->watch = watch;
    sensor->entry = &watch->settings->sensors->entries[index];
    sensor->newest_ns = -1;
    if (sensor_port_kind_of(sensor->entry->port, &rest) == SENSOR_PORT_SIMULATED) {
        log_error("%s: simulated sensors cannot be watched; 'limber demo' shows them",
                  sensor->entry->port);
        return STATUS_BAD_INPUT;
    }
    snprintf(sensor->name, sizeof sensor->name, "%.63s",
             watch->settings->has_roles ? role_text(sensor->entry->role)
                                        : sensor->entry->port);
    struct driver_settings settings = sensor_entry_settings(sensor->entry);
    enum status status =
        device_init(&sensor->device, driver_find(sensor->entry->driver), &settings);
    if (status) {
        return status;
    }
    monitor_init(&sensor->monitor, &sensor->device);
    return capture_add(watch->capture, &sensor->device);
}

static enum status watch_start(struct watch *watch)
{
    const struct capture_settings settings = {
        .handle = frame_take,
        .handle_user = watch,
        .open = port_open,
        .open_user = watch,
    };
    watch->count = watch->settings->sensors->count;
    watch->sensors = calloc(watch->count, sizeof *watch->sensors);
    if (!watch->sensors) {
        return STATUS_NO_MEMORY;
    }
    enum status status = capture_create(&settings, &watch->capture);
    for (unsigned i = 0; i < watch->count && !status; i++) {
        status = sensor_init(watch, i);
    }
    return status;
}

/* A script must be able to tell that a sensor never came. */
static enum status presence_judge(const struct watch *watch)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < watch->count; i++) {
        if (watch->sensors[i].newest_ns < 0) {
            log_error("%s: gave no sample while it was watched",
                      watch->sensors[i].entry->port);
            status = STATUS_DEVICE;
        }
    }
    return status;
}

static enum status watch_run(struct watch *watch)
{
    static const int NUMBERS[SIGNAL_COUNT] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(capture_loop(watch->capture), &watch->signals[i]);
        watch->signals[i].data = watch;
        uv_signal_start(&watch->signals[i], on_signal, NUMBERS[i]);
    }
    enum status status = capture_run(watch->capture);
    if (!status && seconds_of(watch->now_ns - watch->period_taken_ns) > LAST_PERIOD_MIN_S) {
        period_report(watch);
    }
    if (!status) {
        status = presence_judge(watch);
    }
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        uv_close((uv_handle_t *)&watch->signals[i], NULL);
    }
    return status;
}

enum status device_watch_run(const struct device_watch_settings *settings)
{
    struct watch watch = {.settings = settings};
    enum status status = watch_start(&watch);
    if (!status) {
        status = watch_run(&watch);
    }
    capture_destroy(watch.capture);
    free(watch.sensors);
    return status;
}

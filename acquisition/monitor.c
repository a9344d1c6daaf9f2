#include "acquisition/monitor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/units.h"

/* A period with fewer samples tells nothing about jitter or noise. */
static const uint64_t EVIDENCE_COUNT_MIN = 4;
static const double MG_PER_G = 1000.0;
static const double MS_PER_S = 1000.0;

enum {
    AXIS_COUNT = 3
};

static const struct stream_info *main_stream(const struct monitor *monitor)
{
    unsigned count = 0;
    return device_streams(monitor->device, &count);
}

static void period_begin(struct monitor *monitor)
{
    monitor->before = monitor->device->counters;
    monitor->sample_count = 0;
    monitor->line_count = 0;
    monitor->even_mean_s = 0.0;
    monitor->arrival_mean_s = 0.0;
    monitor->even_square_sum = 0.0;
    monitor->arrival_square_sum = 0.0;
    monitor->product_sum = 0.0;
    monitor->is_broken = false;
    monitor->is_low_battery = false;
    memset(monitor->spreads, 0, sizeof monitor->spreads);
}

/* ---- jitter: distance from a line, so that offset and skew of the clock do not count ----
 */

static double even_s(const struct monitor *monitor, const struct sample *sample)
{
    const struct device *device = monitor->device;
    if (device->tick_s > 0.0) {
        return (double)(sample->device_ticks - monitor->first_ticks) * device->tick_s;
    }
    return (double)(sample->sequence - monitor->first_sequence) / device->rate_hz;
}

static void line_update(struct monitor *monitor, const struct sample *sample)
{
    bool is_new_run = sample->flags & SAMPLE_CLOCK_RESTARTED;
    if (monitor->line_count == 0 || is_new_run) {
        monitor->first_ticks = sample->device_ticks;
        monitor->first_sequence = sample->sequence;
        monitor->first_ns = sample->host_ns;
        monitor->line_count = 0;
        monitor->even_mean_s = 0.0;
        monitor->arrival_mean_s = 0.0;
        monitor->even_square_sum = 0.0;
        monitor->arrival_square_sum = 0.0;
        monitor->product_sum = 0.0;
    }
    double even = even_s(monitor, sample);
    double arrival = (double)(sample->host_ns - monitor->first_ns) / (double)NS_PER_S;
    double count = (double)++monitor->line_count;
    double even_step = even - monitor->even_mean_s;
    double arrival_step = arrival - monitor->arrival_mean_s;
    monitor->even_mean_s += even_step / count;
    monitor->arrival_mean_s += arrival_step / count;
    monitor->even_square_sum += even_step * (even - monitor->even_mean_s);
    monitor->arrival_square_sum += arrival_step * (arrival - monitor->arrival_mean_s);
    monitor->product_sum += even_step * (arrival - monitor->arrival_mean_s);
}

static double line_jitter_ms(const struct monitor *monitor)
{
    if (monitor->line_count < EVIDENCE_COUNT_MIN || monitor->even_square_sum <= 0.0) {
        return NAN;
    }
    double explained =
        monitor->product_sum * monitor->product_sum / monitor->even_square_sum;
    double rest = fmax(monitor->arrival_square_sum - explained, 0.0);
    return sqrt(rest / (double)(monitor->line_count - 2)) * MS_PER_S;
}

/* ---- noise ---- */

static void spread_update(struct monitor_spread *spread, double value, uint64_t count)
{
    double step = value - spread->mean;
    spread->mean += step / (double)count;
    spread->square_sum += step * (value - spread->mean);
}

/* Standard deviation, rms over the axes from the first on. */
static double axes_noise(const struct monitor *monitor, unsigned first)
{
    double sum = 0.0;
    for (unsigned axis = first; axis < first + AXIS_COUNT; axis++) {
        sum += monitor->spreads[axis].square_sum;
    }
    return sqrt(sum / (double)(AXIS_COUNT * (monitor->sample_count - 1)));
}

/* Some inertial sensors have no gyroscope: those channels are NaN. */
static void inertial_noise_update(struct monitor *monitor)
{
    double gyro = axes_noise(monitor, 0);
    double accel = axes_noise(monitor, AXIS_COUNT);
    double quietness = isfinite(accel) ? accel : gyro;
    if (quietness < monitor->quietest) {
        monitor->quietest = quietness;
        monitor->noise_main = gyro;
        monitor->noise_second = accel * MG_PER_G;
    }
}

static void analog_noise_update(struct monitor *monitor)
{
    double noise = sqrt(monitor->spreads[monitor->channel].square_sum
                        / (double)(monitor->sample_count - 1));
    if (noise < monitor->quietest) {
        monitor->quietest = noise;
        monitor->noise_main = noise;
    }
}

static void noise_update(struct monitor *monitor)
{
    if (monitor->is_broken || monitor->sample_count < EVIDENCE_COUNT_MIN) {
        return;
    }
    if (main_stream(monitor)->kind == STREAM_INERTIAL) {
        inertial_noise_update(monitor);
    } else {
        analog_noise_update(monitor);
    }
}

/* ---- public ---- */

void monitor_init(struct monitor *monitor, const struct device *device)
{
    memset(monitor, 0, sizeof *monitor);
    monitor->device = device;
    monitor->quietest = INFINITY;
    monitor->noise_main = NAN;
    monitor->noise_second = NAN;
    monitor->battery_percent = NAN;
    const struct stream_info *stream = main_stream(monitor);
    if (device->settings.channel && stream->kind == STREAM_ANALOG) {
        /* A name that does not fit was refused before; the first channel stands then. */
        (void)driver_channel_parse(device->settings.channel, SAMPLE_CHANNEL_MAX,
                                   &monitor->channel);
    }
    period_begin(monitor);
}

void monitor_update(struct monitor *monitor, const struct sample *sample)
{
    unsigned count = 0;
    const struct stream_info *streams = device_streams(monitor->device, &count);
    monitor->is_low_battery = monitor->is_low_battery || sample->flags & SAMPLE_LOW_BATTERY;
    if (sample->stream < count && streams[sample->stream].kind == STREAM_BATTERY) {
        monitor->battery_percent = (double)sample->values[0];
    }
    if (sample->stream != 0) {
        return;
    }
    monitor->sample_count++;
    monitor->is_broken =
        monitor->is_broken || sample->flags & (SAMPLE_GAP_BEFORE | SAMPLE_CLOCK_RESTARTED);
    line_update(monitor, sample);
    for (unsigned i = 0; i < sample->channel_count; i++) {
        spread_update(&monitor->spreads[i], (double)sample->values[i],
                      monitor->sample_count);
    }
}

void monitor_take(struct monitor *monitor, double period_s, struct monitor_report *report)
{
    assert(period_s > 0.0);
    const struct device_counters *now = &monitor->device->counters;
    const struct stream_info *stream = main_stream(monitor);
    bool is_inertial = stream->kind == STREAM_INERTIAL;
    noise_update(monitor);
    *report = (struct monitor_report){
        .rate_hz = (double)monitor->sample_count / period_s,
        /* A loss that turned out to be a damaged clock is taken back. */
        .lost_count = now->lost_count > monitor->before.lost_count
                          ? now->lost_count - monitor->before.lost_count
                          : 0,
        .bad_count = now->bad_count - monitor->before.bad_count,
        .skipped_size = now->skipped_size - monitor->before.skipped_size,
        .jitter_ms = line_jitter_ms(monitor),
        .battery_percent = monitor->battery_percent,
        .is_low_battery = monitor->is_low_battery,
        .gyro_noise_deg_s = is_inertial ? monitor->noise_main : (double)NAN,
        .accel_noise_mg = is_inertial ? monitor->noise_second : (double)NAN,
        .analog_noise = is_inertial ? (double)NAN : monitor->noise_main,
        .analog_unit = is_inertial ? NULL : stream->units[monitor->channel],
    };
    period_begin(monitor);
}

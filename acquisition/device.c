#include "acquisition/device.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/units.h"

/* A step longer than this many periods means that samples were lost in between. */
static const double GAP_PERIODS = 1.5;
/* Shorter steps are no evidence of the true period (two frames at once, doubled frames). */
static const double EVEN_PERIODS_MIN = 0.5;
/* Steps needed before their mean counts lost samples better than the nominal rate does:
 * free running clocks are off by 0.3 %, a step of one sample in a gap of 330. */
static const uint64_t EVEN_COUNT_MIN = 64;
/* An estimated period needs this many of the watched steps within half of their median: the
 * rest are gaps; wide because stamps in whole milliseconds alternate (2 ms, 3 ms at 400
 * Hz). */
static const unsigned WINDOW_AGREE_MIN = 12;
static const double WINDOW_TOLERANCE = 0.5;
/* A longer step forward in a format without checksum is believed only when confirmed. */
static const double FAR_STEP_S = 10.0;
/* So many samples of a stream are passed on whatever their ticks: nothing is known yet that
 * they could contradict. The clock still follows only what is confirmed. */
static const uint32_t EARLY_COUNT = 8;

/* Later on no clock is believed (127 years): sums of two such times still fit. */
static const int64_t TIME_MAX_NS = 4000000000000000000;

static double period_ticks(const struct device *device)
{
    return 1.0 / (device->rate_hz * device->tick_s);
}

static int64_t seconds_to_ns(double time_s)
{
    return llround(fmin(time_s * (double)NS_PER_S, (double)TIME_MAX_NS));
}

/* Both within TIME_MAX_NS, the result too. */
static int64_t time_add(int64_t time_ns, int64_t step_ns)
{
    int64_t sum_ns = time_ns + step_ns;
    return sum_ns < TIME_MAX_NS ? sum_ns : TIME_MAX_NS;
}

static int64_t period_ns(const struct device *device)
{
    return seconds_to_ns(1.0 / device->rate_hz);
}

static void gap_note(struct device *device, struct sample *sample, uint64_t lost)
{
    sample->flags |= SAMPLE_GAP_BEFORE;
    if (sample->stream == 0) {
        device->counters.gap_count++;
        device->counters.lost_count += lost;
    }
}

/* Samples that fit between two that are step ticks apart. */
static uint64_t lost_in_step(const struct device *device, double step)
{
    double period = device->even_count >= EVEN_COUNT_MIN
                        ? device->even_ticks / (double)device->even_count
                        : period_ticks(device);
    double lost = round(step / period) - 1.0;
    return lost > 0.0 ? (uint64_t)lost : 0;
}

static void sort_ticks(uint64_t *values, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        uint64_t value = values[i];
        unsigned j = i;
        for (; j > 0 && values[j - 1] > value; j--) {
            values[j] = values[j - 1];
        }
        values[j] = value;
    }
}

/* The rate of a device that nobody stated: the mean of the steps that agree with their
 * median. The gaps among the steps that were watched are counted now; their samples are
 * gone unflagged. */
static void window_evaluate(struct device *device)
{
    uint64_t *steps = device->window;
    sort_ticks(steps, DEVICE_PERIOD_WINDOW);
    double median = (double)steps[DEVICE_PERIOD_WINDOW / 2];
    double sum = 0.0;
    unsigned agree = 0;
    for (unsigned i = 0; i < DEVICE_PERIOD_WINDOW; i++) {
        if (fabs((double)steps[i] - median) <= WINDOW_TOLERANCE * median) {
            sum += (double)steps[i];
            agree++;
        }
    }
    device->window_count = 0;
    if (agree < WINDOW_AGREE_MIN) {
        return;
    }
    device->rate_hz = agree / (sum * device->tick_s);
    device->is_rate_known = true;
    for (unsigned i = 0; i < DEVICE_PERIOD_WINDOW; i++) {
        double step = (double)steps[i];
        if (step > GAP_PERIODS * period_ticks(device)) {
            device->counters.gap_count++;
            device->counters.lost_count += lost_in_step(device, step);
        }
    }
}

static void step_check(struct device *device, struct device_clock *clock,
                       struct sample *sample, uint64_t step_ticks)
{
    if (device->is_rate_new) {
        /* A step that began at one rate and ended at another. */
        device->is_rate_new = false;
        return;
    }
    if (!device->is_rate_known) {
        device->window[device->window_count++] = step_ticks;
        if (device->window_count == DEVICE_PERIOD_WINDOW) {
            window_evaluate(device);
        }
        return;
    }
    double step = (double)step_ticks;
    double period = period_ticks(device);
    if (step > GAP_PERIODS * period) {
        clock->is_jumped = true;
        clock->jumped_ticks = sample->device_ticks - step_ticks;
        clock->jumped_count = lost_in_step(device, step);
        gap_note(device, sample, clock->jumped_count);
    } else if (step >= EVEN_PERIODS_MIN * period) {
        device->even_ticks += step;
        device->even_count++;
    }
}

/* The sample before seemed to follow a gap, this one lies in that gap: its ticks were
 * damaged. */
static void jump_take_back(struct device *device, struct device_clock *clock,
                           struct sample *sample)
{
    device->counters.bad_count++;
    device->counters.gap_count--;
    device->counters.lost_count -= clock->jumped_count;
    clock->is_jumped = false;
    sample->flags |= SAMPLE_GAP_BEFORE;
    step_check(device, clock, sample, sample->device_ticks - clock->jumped_ticks);
}

/* The clock of the device went back: it restarted. Session time goes on from the newest. */
static void restart_note(struct device *device, struct sample *sample)
{
    sample->flags |= SAMPLE_CLOCK_RESTARTED | SAMPLE_GAP_BEFORE;
    if (sample->stream == 0) {
        device->counters.restart_count++;
        device->counters.gap_count++;
        device->first_ticks = sample->device_ticks;
        device->base_ns = time_add(device->newest_ns, period_ns(device));
        device->window_count = 0;
    }
}

static void sequence_check(struct device *device, const struct device_clock *clock,
                           struct sample *sample)
{
    /* Unsigned: a counter that starts again gives a step too large to be a loss. */
    uint32_t step = sample->sequence - clock->last_sequence;
    if (step > 1 && step < UINT32_MAX / 2) {
        gap_note(device, sample, step - 1);
    }
}

static void newest_update(struct device *device, const struct device_clock *clock,
                          const struct sample *sample)
{
    bool has_clock =
        device->tick_s > 0.0 && (sample->device_ticks != 0 || clock->last_ticks != 0);
    if (has_clock) {
        double run_s =
            (double)(sample->device_ticks - device->first_ticks) * device->tick_s;
        int64_t newest_ns = time_add(device->base_ns, seconds_to_ns(run_s));
        device->newest_ns = newest_ns > device->newest_ns ? newest_ns : device->newest_ns;
    } else if (clock->is_seen) {
        device->newest_ns = time_add(device->newest_ns, period_ns(device));
    }
}

static void clock_check(struct device *device, struct device_clock *clock,
                        struct sample *sample)
{
    if (!clock->is_seen) {
        if (sample->stream == 0) {
            device->first_ticks = sample->device_ticks;
        }
        return;
    }
    bool is_jumped = clock->is_jumped;
    clock->is_jumped = false;
    bool has_ticks = device->tick_s > 0.0;
    if (has_ticks && sample->device_ticks < clock->last_ticks) {
        if (is_jumped && sample->device_ticks > clock->jumped_ticks) {
            jump_take_back(device, clock, sample);
        } else {
            restart_note(device, sample);
        }
    } else if (clock->is_sequenced && !(clock->is_resumed && has_ticks)) {
        sequence_check(device, clock, sample);
    } else if (has_ticks && sample->stream == 0
               && sample->device_ticks > clock->last_ticks) {
        step_check(device, clock, sample, sample->device_ticks - clock->last_ticks);
    }
}

/* Whether the ticks of a sample are absurd and the sample before does not confirm them. */
static bool ticks_are_doubtful(const struct device *device, struct device_clock *clock,
                               const struct sample *sample)
{
    bool was_doubted = clock->is_doubted;
    clock->is_doubted = false;
    if (!clock->is_seen || clock->is_resumed || device->driver->has_checksum
        || device->tick_s <= 0.0) {
        return false;
    }
    const uint64_t far_ticks = (uint64_t)(FAR_STEP_S / device->tick_s);
    uint64_t ticks = sample->device_ticks;
    bool is_back =
        ticks < clock->last_ticks && !(clock->is_jumped && ticks > clock->jumped_ticks);
    bool is_far = ticks > clock->last_ticks && ticks - clock->last_ticks > far_ticks;
    bool is_confirmed = was_doubted && ticks >= clock->doubted_ticks
                        && ticks - clock->doubted_ticks <= far_ticks;
    if ((!is_back && !is_far) || is_confirmed) {
        return false;
    }
    clock->is_doubted = true;
    clock->doubted_ticks = ticks;
    return true;
}

static void sample_count(struct device *device, struct device_clock *clock,
                         struct sample *sample)
{
    if (!clock->is_sequenced) {
        sample->sequence = clock->sample_count;
    }
    clock->last_sequence = sample->sequence;
    clock->sample_count++;
    device->counters.sample_count++;
}

/* A device that gave no time begins to, or its ticks become others: those before say
 * nothing of those to come. */
static void clock_begin(struct device *device)
{
    if (device->clocks[0].is_seen) {
        device->base_ns = time_add(device->newest_ns, period_ns(device));
    }
    for (unsigned i = 0; i < STREAM_MAX; i++) {
        device->clocks[i].is_seen = false;
    }
}

/* @return false when the sample must not be used. */
static bool sample_finish(struct device *device, struct sample *sample, int64_t host_ns)
{
    assert(sample->stream < STREAM_MAX);
    struct device_clock *clock = &device->clocks[sample->stream];
    sample->host_ns = host_ns;
    bool is_doubtful = ticks_are_doubtful(device, clock, sample);
    if (is_doubtful && clock->sample_count >= EARLY_COUNT) {
        device->counters.bad_count++;
        return false;
    }
    clock->is_sequenced = clock->is_sequenced || sample->sequence != 0;
    if (is_doubtful) {
        sample->flags |= SAMPLE_GAP_BEFORE;
        sample_count(device, clock, sample);
        return true;
    }
    clock_check(device, clock, sample);
    if (sample->stream == 0) {
        newest_update(device, clock, sample);
    }
    sample_count(device, clock, sample);
    clock->last_ticks = sample->device_ticks;
    clock->is_seen = true;
    clock->is_resumed = false;
    return true;
}

/* The device itself may say the rate and the unit of its clock. */
static void rates_update(struct device *device)
{
    double tick_s = driver_tick_s(device->driver, &device->context);
    if (tick_s > 0.0 && tick_s != device->tick_s) {
        clock_begin(device);
    }
    device->tick_s = tick_s;
    double rate_hz = driver_rate_hz(device->driver, &device->context);
    if (rate_hz > 0.0 && rate_hz != device->rate_hz) {
        device->rate_hz = rate_hz;
        device->even_ticks = 0.0;
        device->even_count = 0;
        device->is_rate_new = true;
    }
    device->is_rate_known = device->is_rate_known || rate_hz > 0.0;
}

static void frame_take(struct device *device, const uint8_t *frame, size_t size,
                       int64_t host_ns, device_sample_fn *emit, void *user)
{
    struct sample *samples = device->samples;
    int count = device->driver->decode(&device->context, frame, size, samples);
    if (count < 0) {
        device->counters.bad_count++;
        memset(samples, 0, sizeof device->samples);
        return;
    }
    assert(count <= DRIVER_SAMPLE_MAX);
    device->counters.frame_count++;
    rates_update(device);
    for (int i = 0; i < count; i++) {
        if (sample_finish(device, &samples[i], host_ns) && emit) {
            emit(user, &samples[i]);
        }
    }
    /* Cleared after use: the few that were used, not all for each frame. */
    memset(samples, 0, (size_t)count * sizeof samples[0]);
}

/* Take all frames at the front.
 * @return Bytes done with; the rest, fewer than frame_max, waits for more. */
static size_t bytes_take(struct device *device, const uint8_t *bytes, size_t size,
                         int64_t host_ns, device_sample_fn *emit, void *user)
{
    const size_t frame_max = device->driver->frame_max;
    size_t done = 0;
    while (done < size) {
        /* The view is bounded so that the verdict does not depend on how much has arrived.
         */
        size_t view = size - done < frame_max ? size - done : frame_max;
        size_t step = 0;
        enum frame_verdict verdict =
            device->driver->frame_next(&device->context, bytes + done, view, &step);
        if (verdict == FRAME_NEED_MORE) {
            if (view < frame_max) {
                break;
            }
            /* As long as a frame can be and still none: it is none. */
            verdict = FRAME_SKIP;
            step = 1;
        }
        assert(step > 0 && step <= view);
        if (verdict == FRAME_FOUND) {
            frame_take(device, bytes + done, step, host_ns, emit, user);
        } else {
            device->counters.skipped_size += step;
        }
        done += step;
    }
    return done;
}

/* Complete the frame that waits in the buffer.
 * @return Bytes of the chunk that were taken into the buffer. */
static size_t buffer_feed(struct device *device, const uint8_t *bytes, size_t size,
                          int64_t host_ns, device_sample_fn *emit, void *user)
{
    size_t room = sizeof device->buffer - device->buffer_size;
    size_t taken = size < room ? size : room;
    memcpy(device->buffer + device->buffer_size, bytes, taken);
    device->buffer_size += taken;
    size_t done =
        bytes_take(device, device->buffer, device->buffer_size, host_ns, emit, user);
    device->buffer_size -= done;
    memmove(device->buffer, device->buffer + done, device->buffer_size);
    return taken;
}

double driver_tick_s(const struct driver *driver, const struct driver_context *context)
{
    return driver->tick_s_get ? driver->tick_s_get(context) : driver->tick_s;
}

enum status device_init(struct device *device, const struct driver *driver,
                        const struct driver_settings *settings)
{
    assert(driver->frame_max > 0 && driver->frame_max <= DRIVER_FRAME_MAX);
    memset(device, 0, sizeof *device);
    device->driver = driver;
    device->settings = *settings;
    /* What was asked for is not yet what the device does, where it will say so itself. */
    device->is_rate_known = settings->rate_hz > 0.0 && !driver->rate_hz_get;
    device->rate_hz = settings->rate_hz > 0.0 ? settings->rate_hz : driver->rate_hz;
    assert(device->rate_hz > 0.0);
    enum status status = driver->init(&device->context, settings);
    if (status) {
        return status;
    }
    device->tick_s = driver_tick_s(driver, &device->context);
    return STATUS_OK;
}

void device_interrupt(struct device *device)
{
    device->counters.skipped_size += device->buffer_size;
    device->buffer_size = 0;
    for (unsigned i = 0; i < STREAM_MAX; i++) {
        device->clocks[i].is_resumed = true;
    }
    memset(device->context.memory, 0, sizeof device->context.memory);
    /* Cannot fail: the same settings were accepted before. */
    enum status status = device->driver->init(&device->context, &device->settings);
    assert(status == STATUS_OK);
    (void)status;
}

void device_feed(struct device *device, const uint8_t *bytes, size_t size, int64_t host_ns,
                 device_sample_fn *emit, void *user)
{
    device->counters.byte_count += size;
    while (size > 0) {
        if (device->buffer_size > 0) {
            size_t taken = buffer_feed(device, bytes, size, host_ns, emit, user);
            bytes += taken;
            size -= taken;
            continue;
        }
        size_t done = bytes_take(device, bytes, size, host_ns, emit, user);
        memcpy(device->buffer, bytes + done, size - done);
        device->buffer_size = size - done;
        return;
    }
}

void device_finish(struct device *device, int64_t host_ns, device_sample_fn *emit,
                   void *user)
{
    const size_t frame_max = device->driver->frame_max;
    uint8_t view[DRIVER_FRAME_MAX];
    size_t size = device->buffer_size;
    size_t done = 0;
    device->buffer_size = 0;
    while (done < size) {
        /* Zeros stand for what does not come: a driver that waits only to see what follows
         * decides, and a frame that needs them is none. */
        size_t left = size - done;
        memset(view, 0, frame_max);
        memcpy(view, device->buffer + done, left < frame_max ? left : frame_max);
        size_t step = 0;
        enum frame_verdict verdict =
            device->driver->frame_next(&device->context, view, frame_max, &step);
        bool is_whole = verdict != FRAME_NEED_MORE && step <= left;
        if (verdict == FRAME_FOUND && is_whole) {
            frame_take(device, view, step, host_ns, emit, user);
        } else {
            step = verdict == FRAME_SKIP && is_whole ? step : 1;
            device->counters.cut_size += step;
        }
        done += step;
    }
}

const struct stream_info *device_streams(const struct device *device,
                                         unsigned *stream_count)
{
    if (device->driver->streams_get) {
        return device->driver->streams_get(&device->context, stream_count);
    }
    *stream_count = device->driver->stream_count;
    return device->driver->streams;
}

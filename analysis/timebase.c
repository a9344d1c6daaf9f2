#include "analysis/timebase.h"

#include <math.h>
#include <string.h>

/* A first length that gives a slope within the first seconds; it doubles whenever the table
 * is full, up to the longest: 32 segments of 4 s hold two minutes, over which a quartz is
 * steady. */
static const double SEGMENT_FIRST_S = 0.25;
static const double SEGMENT_LONGEST_S = 4.0;

/* Below this baseline a slope says more about arrival jitter than about the clock. */
static const double SKEW_TRUST_S = 1.5;
static const unsigned SKEW_SEGMENT_MIN = 4;

/* Rate of a device without a clock may be off by this much. */
static const double RATE_ERROR_MAX = 0.06;

static const double SLEW = 0.01; /* share of passing time by which answers are moved */
static const double SLEW_LIMIT_S = 0.1; /* corrections above are jumps */
static const double RESTART_S = 0.5;    /* ticks this far back: the device restarted */
static const double GAP_S = 0.25;       /* later than this: not jitter */
static const double LATE_PATIENCE_S = 5.0;

const struct timebase_settings timebase_default_settings = {
    .tick_s = 0.0, .rate_hz = 100.0, .skew_max = 0.01};

static double clamp(double value, double limit)
{
    return fmax(-limit, fmin(limit, value));
}

static bool has_clock(const struct timebase *timebase)
{
    return timebase->settings.tick_s > 0.0;
}

static double skew_limit(const struct timebase *timebase)
{
    double limit = timebase->settings.skew_max;
    return has_clock(timebase) ? limit : fmax(limit, RATE_ERROR_MAX);
}

/* Lateness that the line expects at a device time. */
static double line_late_s(const struct timebase *timebase, double device_s)
{
    return timebase->offset_s + timebase->skew * device_s;
}

static void segment_open(struct timebase *timebase)
{
    timebase->segment_start_s = timebase->device_s;
    timebase->open_late_s = INFINITY;
}

static void fit_forget(struct timebase *timebase, double late_s)
{
    timebase->offset_s = late_s;
    timebase->skew = 0.0;
    timebase->segment_count = 0;
    timebase->segment_length_s = SEGMENT_FIRST_S;
    timebase->late_since_s = (double)NAN;
    segment_open(timebase);
}

static void start(struct timebase *timebase, uint64_t ticks, double host_s)
{
    timebase->started = true;
    timebase->last_ticks = ticks;
    timebase->device_s = 0.0;
    timebase->even_s = 0.0;
    timebase->last_time_s = fmax(host_s, timebase->last_time_s);
    fit_forget(timebase, host_s);
}

/* Join pairs of segments, so that the table covers twice the time. */
static void segments_merge(struct timebase *timebase)
{
    unsigned kept = 0;
    for (unsigned i = 0; i + 1 < timebase->segment_count; i += 2) {
        unsigned from =
            timebase->segment_late_s[i] <= timebase->segment_late_s[i + 1] ? i : i + 1;
        timebase->segment_late_s[kept] = timebase->segment_late_s[from];
        timebase->segment_device_s[kept] = timebase->segment_device_s[from];
        kept++;
    }
    timebase->segment_count = kept;
    timebase->segment_length_s *= 2.0;
}

static void segments_drop_oldest(struct timebase *timebase)
{
    size_t size = (TIMEBASE_SEGMENT_COUNT - 1) * sizeof(double);
    memmove(timebase->segment_late_s, timebase->segment_late_s + 1, size);
    memmove(timebase->segment_device_s, timebase->segment_device_s + 1, size);
    timebase->segment_count--;
}

static void segment_append(struct timebase *timebase)
{
    if (timebase->segment_count == TIMEBASE_SEGMENT_COUNT) {
        if (timebase->segment_length_s < SEGMENT_LONGEST_S) {
            segments_merge(timebase);
        } else {
            segments_drop_oldest(timebase);
        }
    }
    timebase->segment_device_s[timebase->segment_count] = timebase->open_device_s;
    timebase->segment_late_s[timebase->segment_count] = timebase->open_late_s;
    timebase->segment_count++;
}

/* True when point b lies on or above the chord from a to c. */
static bool is_above_chord(const struct timebase *timebase, unsigned a, unsigned b,
                           unsigned c)
{
    const double *x = timebase->segment_device_s;
    const double *y = timebase->segment_late_s;
    return (y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]);
}

/* Slope of the edge of the lower convex hull under the mean of the abscissas: of all lines
 * under the points, the one with the least sum of distances (Moon, Skelly, Towsley, INFOCOM
 * 1999). */
static double hull_slope(const struct timebase *timebase)
{
    unsigned hull[TIMEBASE_SEGMENT_COUNT];
    unsigned count = 0;
    double mean_s = 0.0;
    for (unsigned i = 0; i < timebase->segment_count; i++) {
        while (count >= 2
               && is_above_chord(timebase, hull[count - 2], hull[count - 1], i)) {
            count--;
        }
        hull[count++] = i;
        mean_s += timebase->segment_device_s[i] / timebase->segment_count;
    }
    unsigned right = 1;
    while (right + 1 < count && timebase->segment_device_s[hull[right]] < mean_s) {
        right++;
    }
    unsigned a = hull[right - 1];
    unsigned b = hull[right];
    double run_s = timebase->segment_device_s[b] - timebase->segment_device_s[a];
    return run_s > 0.0 ? (timebase->segment_late_s[b] - timebase->segment_late_s[a]) / run_s
                       : 0.0;
}

static void fit(struct timebase *timebase)
{
    unsigned count = timebase->segment_count;
    if (count >= SKEW_SEGMENT_MIN) {
        double span_s =
            timebase->segment_device_s[count - 1] - timebase->segment_device_s[0];
        double trust = 1.0 / (1.0 + pow(SKEW_TRUST_S / fmax(span_s, 1e-3), 3.0));
        timebase->skew = clamp(trust * hull_slope(timebase), skew_limit(timebase));
    }
    double offset_s = INFINITY;
    for (unsigned i = 0; i < count; i++) {
        offset_s = fmin(offset_s, timebase->segment_late_s[i]
                                      - timebase->skew * timebase->segment_device_s[i]);
    }
    timebase->offset_s = offset_s;
}

/* A line that stays far under all arrivals is a line of the past: the device slept, say. */
static void watch_lateness(struct timebase *timebase, double late_s, double host_s)
{
    if (late_s - line_late_s(timebase, timebase->device_s) < GAP_S) {
        timebase->late_since_s = (double)NAN;
    } else if (isnan(timebase->late_since_s)) {
        timebase->late_since_s = host_s;
    } else if (host_s - timebase->late_since_s > LATE_PATIENCE_S) {
        fit_forget(timebase, late_s);
    }
}

static void observe(struct timebase *timebase, double host_s)
{
    double late_s = host_s - timebase->device_s;
    double above_s = late_s - line_late_s(timebase, timebase->device_s);
    if (above_s < 0.0 && timebase->gap_credit_s > 0.0) {
        /* What looked lost was only late, as after a frozen host: the count was right. */
        double back_s = fmin(-above_s, timebase->gap_credit_s);
        timebase->device_s -= back_s;
        timebase->gap_credit_s -= back_s;
        above_s += back_s;
        late_s += back_s;
    }
    if (above_s < 0.0) {
        timebase->offset_s += above_s;
    }
    if (late_s < timebase->open_late_s) {
        timebase->open_late_s = late_s;
        timebase->open_device_s = timebase->device_s;
    }
    if (timebase->device_s - timebase->segment_start_s >= timebase->segment_length_s) {
        segment_append(timebase);
        segment_open(timebase);
        fit(timebase);
    }
    watch_lateness(timebase, late_s, host_s);
}

/* Device seconds since the sample before; below 0 = restarted. */
static double step_s(struct timebase *timebase, uint64_t ticks, double host_s)
{
    if (!has_clock(timebase)) {
        double even_s = 1.0 / timebase->settings.rate_hz;
        double late_s =
            host_s - timebase->device_s - line_late_s(timebase, timebase->device_s);
        if (late_s <= GAP_S + even_s) {
            return even_s;
        }
        timebase->gap_credit_s = late_s - even_s;
        return late_s;
    }
    double step = ticks >= timebase->last_ticks
                      ? (double)(ticks - timebase->last_ticks) * timebase->settings.tick_s
                      : -(double)(timebase->last_ticks - ticks) * timebase->settings.tick_s;
    if (step < -RESTART_S) {
        return step;
    }
    if (step < 0.0) {
        return 0.0; /* streams of one device may overtake each other a little */
    }
    timebase->last_ticks = ticks;
    return step;
}

void timebase_init(struct timebase *timebase, const struct timebase_settings *settings)
{
    *timebase = (struct timebase){.settings = *settings, .last_time_s = -INFINITY};
}

void timebase_reset(struct timebase *timebase)
{
    struct timebase_settings settings = timebase->settings;
    timebase_init(timebase, &settings);
}

double timebase_update(struct timebase *timebase, uint64_t ticks, int64_t host_ns)
{
    double host_s = (double)host_ns * 1e-9;
    double step = timebase->started ? step_s(timebase, ticks, host_s) : -1.0;
    if (step < 0.0) {
        start(timebase, ticks, host_s);
        return timebase->last_time_s;
    }
    timebase->device_s += step;
    timebase->even_s += step * (1.0 + timebase->skew);
    observe(timebase, host_s);
    double time_s = timebase->last_time_s + step * (1.0 + timebase->skew);
    double target_s = timebase->device_s + line_late_s(timebase, timebase->device_s);
    double error_s = target_s - time_s;
    time_s += fabs(error_s) > SLEW_LIMIT_S ? error_s : clamp(error_s, SLEW * step);
    timebase->last_time_s = fmax(timebase->last_time_s, fmin(time_s, host_s));
    return timebase->last_time_s;
}

double timebase_even_s(const struct timebase *timebase)
{
    return timebase->even_s;
}

void timebase_get(const struct timebase *timebase, double *offset_s, double *skew)
{
    *offset_s = timebase->offset_s;
    *skew = timebase->skew;
}

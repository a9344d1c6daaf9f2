/* Device ticks to session seconds: offset and skew from the lower envelope of arrival times.
 * Pure, no allocation; any thread. */
#ifndef LIMBER_ANALYSIS_TIMEBASE_H
#define LIMBER_ANALYSIS_TIMEBASE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TIMEBASE_SEGMENT_COUNT = 32
};

struct timebase_settings {
    double tick_s;  /* seconds per tick; 0 = no device clock: arrival fitted evenly at rate_hz */
    double rate_hz; /* nominal rate, for devices without a clock */
    double skew_max;/* largest believed clock error, default 0.01 */
};

struct timebase {
    struct timebase_settings settings;
    /* private: */
    bool started;
    uint64_t first_ticks;
    uint64_t last_ticks;
    uint64_t count;
    double device_s; /* newest device time since first */
    double last_time_s;
    double offset_s;
    double skew;
    double segment_device_s[TIMEBASE_SEGMENT_COUNT]; /* least late arrival of each segment */
    double segment_late_s[TIMEBASE_SEGMENT_COUNT];
    unsigned segment_count;
    unsigned segment_next;
    double segment_end_s;
};

void timebase_init(struct timebase *timebase, const struct timebase_settings *settings);

/* The device restarted or was away: keep no memory of its clock. */
void timebase_reset(struct timebase *timebase);

/* Session time of a sample: never decreases between resets, never after its arrival.
 * @param ticks    Unwrapped device clock; ignored without one.
 * @param host_ns  Arrival, session time.
 * @return Seconds of session time. */
double timebase_update(struct timebase *timebase, uint64_t ticks, int64_t host_ns);

/* Offset (s) and skew (1 = 100 %) now: session = offset + (1 + skew) * device. */
void timebase_get(const struct timebase *timebase, double *offset_s, double *skew);

#endif

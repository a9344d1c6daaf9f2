/* Device ticks to session seconds: offset and skew from the lower envelope of arrival
 * times. Pure, no allocation; any thread. */
#ifndef LIMBER_ANALYSIS_TIMEBASE_H
#define LIMBER_ANALYSIS_TIMEBASE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TIMEBASE_SEGMENT_COUNT = 32
};

struct timebase_settings {
    double tick_s;   /* seconds per tick; 0 = no device clock: arrival fitted evenly at
                        rate_hz */
    double rate_hz;  /* nominal rate, for devices without a clock */
    double skew_max; /* largest believed clock error, default 0.01 */
};

extern const struct timebase_settings timebase_default_settings;

struct timebase {
    struct timebase_settings settings;
    /* private: */
    bool started;
    uint64_t last_ticks;
    double device_s;    /* newest device time since the first sample */
    double even_s;      /* the same, freed of skew as it was known at each step */
    double last_time_s; /* newest answer */
    double offset_s;
    double skew;
    /* Least late arrival of each closed segment. */
    double segment_device_s[TIMEBASE_SEGMENT_COUNT];
    double segment_late_s[TIMEBASE_SEGMENT_COUNT];
    unsigned segment_count;
    double segment_length_s;
    double segment_start_s; /* device time at which the open segment began */
    double open_device_s;   /* least late arrival of the open segment */
    double open_late_s;
    double gap_credit_s; /* no clock: time skipped as lost, until samples come after all */
    double late_since_s; /* host time since when arrivals lie far above the line, or NaN */
};

void timebase_init(struct timebase *timebase, const struct timebase_settings *settings);

/* The device restarted or was away: keep no memory of its clock. */
void timebase_reset(struct timebase *timebase);

/* Session time of a sample: never decreases between resets, never after its arrival.
 * Corrections are slewed in at 1 % of the passing time. Ticks more than 0.5 s backwards are
 * a restart.
 * @param ticks    Unwrapped device clock; ignored without one.
 * @param host_ns  Arrival, session time.
 * @return Seconds of session time. */
double timebase_update(struct timebase *timebase, uint64_t ticks, int64_t host_ns);

/* Seconds of the device's own clock since the first sample after the last reset, freed of
 * skew. Steps are as even as the device samples, whatever the arrival does: integrate over
 * these. */
double timebase_even_s(const struct timebase *timebase);

/* Offset (s) and skew (1 = 100 %) now: session = offset + (1 + skew) * device. */
void timebase_get(const struct timebase *timebase, double *offset_s, double *skew);

#endif

/* How well one sensor is doing while it is watched: rate, jitter, battery and noise at rest
 * from its samples, losses from its counters. Pure; any thread, one at a time. */
#ifndef LIMBER_ACQUISITION_MONITOR_H
#define LIMBER_ACQUISITION_MONITOR_H

#include "acquisition/device.h"

/* Running mean and sum of squared distances from it (Welford 1962). */
struct monitor_spread {
    double mean;
    double square_sum;
};

struct monitor {
    const struct device *device; /* borrowed */
    /* private: */
    unsigned channel; /* analog: the one that the sensor file names */
    struct device_counters before;
    /* Of the period that runs, stream 0: */
    uint64_t sample_count;
    uint64_t first_ticks;
    uint32_t first_sequence;
    int64_t first_ns;
    uint64_t line_count; /* sums of the line of arrival over the device's even clock */
    double even_mean_s;
    double arrival_mean_s;
    double even_square_sum;
    double arrival_square_sum;
    double product_sum;
    struct monitor_spread spreads[SAMPLE_CHANNEL_MAX];
    bool is_broken; /* a gap or a restart: no evidence of rest */
    /* Since monitor_init: */
    double quietest;
    double noise_main;
    double noise_second;
    double battery_percent;
    bool is_low_battery;
};

/* One period (usually a second), NaN = not known. */
struct monitor_report {
    double rate_hz; /* samples of stream 0 that came */
    uint64_t lost_count;
    uint64_t bad_count;
    uint64_t skipped_size;
    double jitter_ms; /* rms distance of arrival from the device's even clock */
    double battery_percent;
    bool is_low_battery;
    /* Of the quietest whole period so far. Inertial sensors: gyroscope deg/s and
     * accelerometer mg, rms over the axes; others: the watched channel, in its unit. */
    double gyro_noise_deg_s;
    double accel_noise_mg;
    double analog_noise;
    const char *analog_unit; /* borrowed; NULL where the sensor has no analog stream 0 */
};

/* @param device  Borrowed while the monitor is used; already initialised. */
void monitor_init(struct monitor *monitor, const struct device *device);

/* Every sample of the device, in order. */
void monitor_update(struct monitor *monitor, const struct sample *sample);

/* Close the period and begin the next.
 * @param period_s  Its length, > 0. */
void monitor_take(struct monitor *monitor, double period_s, struct monitor_report *report);

#endif

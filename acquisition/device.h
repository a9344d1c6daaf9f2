/* One connected sensor: owns the byte buffer, resynchronisation, loss check and counters for all
 * drivers. Pure (no I/O, no clock); any thread, one at a time. */
#ifndef LIMBER_ACQUISITION_DEVICE_H
#define LIMBER_ACQUISITION_DEVICE_H

#include "acquisition/driver.h"

struct device_counters {
    uint64_t byte_count;
    uint64_t frame_count;    /* good frames */
    uint64_t sample_count;   /* of all streams */
    uint64_t bad_count;      /* frames that failed their check */
    uint64_t skipped_size;   /* bytes that belong to no frame */
    uint64_t lost_count;     /* samples of stream 0 that never came, from clock or sequence */
    uint64_t gap_count;      /* times that happened */
    uint64_t restart_count;  /* device clock jumped back */
};

struct device {
    const struct driver *driver;
    struct driver_context context;
    struct device_counters counters;
    double rate_hz;          /* nominal rate of stream 0 */
    int64_t newest_ns;       /* newest sample of stream 0 on the device's own clock, ns since its
                              * first; counted at the nominal rate where it has no clock */
    /* private: */
    uint64_t first_ticks;
    uint8_t buffer[2 * DRIVER_FRAME_MAX];
    size_t buffer_size;
    uint64_t last_ticks[STREAM_MAX];
    uint32_t last_sequence[STREAM_MAX];
    uint32_t sample_sequence[STREAM_MAX];
    uint32_t seen; /* bit per stream */
};

/* Called for each sample, in order. */
typedef void device_sample_fn(void *user, const struct sample *sample);

/* @param driver    Borrowed, const table.
 * @return What driver->init says. */
enum status device_init(struct device *device, const struct driver *driver,
                        const struct driver_settings *settings);

/* Bytes after an interruption are not the continuation of those before: drop the partial frame
 * and, where the device restarted, its clock. Counters stay. */
void device_interrupt(struct device *device);

/* Take bytes in any chunking; gives the same samples for every chunking (host_ns aside).
 * @param host_ns  Arrival of this chunk.
 * @param emit     Called for each sample; may be NULL. */
void device_feed(struct device *device, const uint8_t *bytes, size_t size, int64_t host_ns,
                 device_sample_fn *emit, void *user);

/* Streams of this device (the driver's, or those its settings define). */
const struct stream_info *device_streams(const struct device *device, unsigned *stream_count);

#endif

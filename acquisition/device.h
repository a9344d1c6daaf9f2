/* One connected sensor: owns the byte buffer, resynchronisation, loss check and counters
 * for all drivers. Pure (no I/O, no clock); any thread, one at a time. */
#ifndef LIMBER_ACQUISITION_DEVICE_H
#define LIMBER_ACQUISITION_DEVICE_H

#include <stdbool.h>

#include "acquisition/driver.h"

struct device_counters {
    uint64_t byte_count;
    uint64_t frame_count;  /* good frames */
    uint64_t sample_count; /* of all streams */
    uint64_t bad_count;    /* frames that failed their check, or whose time is absurd
                            * after the first samples of a stream */
    uint64_t skipped_size; /* bytes that belong to no frame */
    uint64_t cut_size;     /* bytes of what was cut off at the end (device_finish) */
    uint64_t lost_count;   /* samples of stream 0 that never came, from clock or sequence */
    uint64_t gap_count;    /* times that happened */
    uint64_t restart_count; /* device clock jumped back */
};

enum {
    DEVICE_PERIOD_WINDOW = 16 /* intervals from which an unknown rate is estimated */
};

/* The clock of one stream. Private to device.c. */
struct device_clock {
    uint64_t last_ticks;
    uint32_t last_sequence;
    uint32_t sample_count; /* since device_init */
    bool is_seen;
    bool is_sequenced; /* the driver fills in sequence */
    bool is_resumed;   /* after an interruption any ticks may follow */
    bool is_doubted;   /* the ticks of the sample before were not believed */
    bool is_jumped;    /* the sample before came after a gap */
    uint64_t doubted_ticks;
    uint64_t jumped_ticks; /* the last before that gap */
    uint64_t jumped_count; /* lost in it */
};

struct device {
    const struct driver *driver;
    struct driver_context context;
    struct device_counters counters;
    double
        rate_hz; /* nominal rate of stream 0: as set, else the driver's until the device's
                  * own clock shows another after DEVICE_PERIOD_WINDOW samples */
    int64_t newest_ns; /* newest sample of stream 0 on the device's own clock, ns since its
                        * first; counted at the nominal rate where it has no clock; never
                        * decreases, not even when the device restarts */
    double tick_s;     /* of its clock as known now, 0 = it has none */
    /* private: */
    struct driver_settings settings;
    uint8_t buffer[DRIVER_FRAME_MAX]; /* bytes of a frame that is not complete */
    size_t buffer_size;
    struct sample samples[DRIVER_SAMPLE_MAX]; /* of the frame in hand; all zero between */
    struct device_clock clocks[STREAM_MAX];
    bool is_rate_known;
    bool is_rate_new;     /* the device told another since the sample before */
    uint64_t first_ticks; /* of the run of the clock that base_ns belongs to */
    int64_t base_ns;
    uint64_t window[DEVICE_PERIOD_WINDOW];
    unsigned window_count;
    double even_ticks; /* sum and count of the intervals without a gap: the true period */
    uint64_t even_count;
};

/* Called for each sample, in order. */
typedef void device_sample_fn(void *user, const struct sample *sample);

/* @param driver    Borrowed, const table.
 * @param settings  Copied; its strings are borrowed until the last call.
 * @return What driver->init says. */
enum status device_init(struct device *device, const struct driver *driver,
                        const struct driver_settings *settings);

/* Bytes after an interruption are not the continuation of those before: drop the partial
 * frame and prepare the driver afresh (it may have to configure the device again). The
 * clock goes on: ticks that went on count as a gap, ticks that start again as a restart.
 * Counters stay. */
void device_interrupt(struct device *device);

/* Take bytes in any chunking; frames are looked for in views of at most driver->frame_max
 * bytes; gives the same samples for every chunking (host_ns aside).
 * @param host_ns  Arrival of this chunk.
 * @param emit     Called for each sample; may be NULL. */
void device_feed(struct device *device, const uint8_t *bytes, size_t size, int64_t host_ns,
                 device_sample_fn *emit, void *user);

/* No more bytes will come: take the frames that still wait for what follows them.
 * Only for bytes that surely end here: a live port goes on. */
void device_finish(struct device *device, int64_t host_ns, device_sample_fn *emit,
                   void *user);

/* Streams of this device (the driver's, or those its settings define). */
const struct stream_info *device_streams(const struct device *device,
                                         unsigned *stream_count);

#endif

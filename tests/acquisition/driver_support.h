/* Feeds bytes to a driver through device_feed and keeps the samples; for the driver tests.
 */
#ifndef LIMBER_TESTS_ACQUISITION_DRIVER_SUPPORT_H
#define LIMBER_TESTS_ACQUISITION_DRIVER_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acquisition/device.h"

/* Check compares floats as double; said here once for -Wdouble-promotion. */
#define check_float_eq(a, b) ck_assert_double_eq((double)(a), (double)(b))

struct collected {
    struct device device;
    struct sample *samples;
    size_t count;
    size_t capacity;
};

/* Prepare; settings may be NULL. Check fails if the driver refuses. */
void collected_init(struct collected *collected, const char *driver,
                    const struct driver_settings *settings);
void collected_free(struct collected *collected);

/* @param chunk_size  0 = all at once. */
void collected_feed(struct collected *collected, const void *bytes, size_t size,
                    size_t chunk_size);
void collected_feed_hex(struct collected *collected, const char *hex);

/* Samples of one stream. */
size_t collected_count(const struct collected *collected, unsigned stream);

/* Index of a stream by name; Check fails if there is none. */
unsigned collected_stream(const struct collected *collected, const char *name);

/* Bytes of "C9 40 42 ..."; spaces are allowed. */
size_t hex_decode(const char *hex, uint8_t *bytes, size_t capacity);

/* Check that every chunk size from 1 to chunk_max gives the same samples and counters. */
void check_chunk_invariance(const char *driver, const struct driver_settings *settings,
                            const void *bytes, size_t size, size_t chunk_max);

/* Check that flipped bits, cuts and doubled bytes at random places never break anything:
 * every byte is taken, and what comes out is in range of the stream table. */
void check_damage_is_survived(const char *driver, const struct driver_settings *settings,
                              const void *bytes, size_t size, unsigned round_count);

/* Bytes of a recording of the shared data, or NULL after printing "skipped: ...".
 * The caller frees. */
uint8_t *shared_read(const char *name, size_t *size);

/* Deterministic random numbers (xorshift64*; Vigna 2016). */
uint64_t random_next(uint64_t *state);

#endif

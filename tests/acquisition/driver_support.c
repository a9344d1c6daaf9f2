#include "tests/acquisition/driver_support.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void collected_init(struct collected *collected, const char *driver,
                    const struct driver_settings *settings)
{
    const struct driver_settings none = {0};
    memset(collected, 0, sizeof *collected);
    const struct driver *found = driver_find(driver);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(device_init(&collected->device, found, settings ? settings : &none),
                     STATUS_OK);
}

void collected_free(struct collected *collected)
{
    free(collected->samples);
}

static void sample_keep(void *user, const struct sample *sample)
{
    struct collected *collected = user;
    if (collected->count == collected->capacity) {
        collected->capacity = collected->capacity ? 2 * collected->capacity : 64;
        collected->samples =
            realloc(collected->samples, collected->capacity * sizeof *collected->samples);
        ck_assert_ptr_nonnull(collected->samples);
    }
    collected->samples[collected->count++] = *sample;
}

void collected_feed(struct collected *collected, const void *bytes, size_t size,
                    size_t chunk_size)
{
    const uint8_t *next = bytes;
    chunk_size = chunk_size ? chunk_size : size;
    while (size > 0) {
        size_t step = size < chunk_size ? size : chunk_size;
        device_feed(&collected->device, next, step, 0, sample_keep, collected);
        next += step;
        size -= step;
    }
}

void collected_feed_hex(struct collected *collected, const char *hex)
{
    uint8_t bytes[1024];
    size_t size = hex_decode(hex, bytes, sizeof bytes);
    collected_feed(collected, bytes, size, 0);
}

size_t collected_count(const struct collected *collected, unsigned stream)
{
    size_t count = 0;
    for (size_t index = 0; index < collected->count; index++) {
        count += collected->samples[index].stream == stream;
    }
    return count;
}

unsigned collected_stream(const struct collected *collected, const char *name)
{
    unsigned count = 0;
    const struct stream_info *streams = device_streams(&collected->device, &count);
    for (unsigned stream = 0; stream < count; stream++) {
        if (strcmp(streams[stream].name, name) == 0) {
            return stream;
        }
    }
    ck_abort_msg("no stream %s", name);
    return 0;
}

size_t hex_decode(const char *hex, uint8_t *bytes, size_t capacity)
{
    static const char digits[] = "0123456789abcdef";
    size_t nibbles = 0;
    for (; *hex; hex++) {
        const char *digit = strchr(digits, tolower((unsigned char)*hex));
        if (*hex == ' ' || !digit) {
            continue;
        }
        ck_assert_uint_lt(nibbles / 2, capacity);
        uint8_t value = (uint8_t)(digit - digits);
        bytes[nibbles / 2] =
            (uint8_t)(nibbles % 2 ? bytes[nibbles / 2] | value : value << 4);
        nibbles++;
    }
    ck_assert_uint_eq(nibbles % 2, 0);
    return nibbles / 2;
}

static void samples_check_equal(const struct collected *a, const struct collected *b,
                                size_t chunk_size)
{
    ck_assert_msg(a->count == b->count, "chunks of %zu: %zu samples instead of %zu",
                  chunk_size, b->count, a->count);
    bool is_equal = true;
    for (size_t index = 0; index < a->count; index++) {
        const struct sample *one = &a->samples[index];
        const struct sample *other = &b->samples[index];
        /* Bit for bit, also for NaN. */
        is_equal = is_equal && one->device_ticks == other->device_ticks
                   && one->sequence == other->sequence && one->flags == other->flags
                   && one->stream == other->stream
                   && one->channel_count == other->channel_count
                   && memcmp(one->values, other->values, sizeof one->values) == 0;
    }
    ck_assert_msg(is_equal, "chunks of %zu: a sample differs", chunk_size);
    ck_assert_mem_eq(&a->device.counters, &b->device.counters, sizeof a->device.counters);
}

void check_chunk_invariance(const char *driver, const struct driver_settings *settings,
                            const void *bytes, size_t size, size_t chunk_max)
{
    struct collected whole;
    collected_init(&whole, driver, settings);
    collected_feed(&whole, bytes, size, 0);
    /* All sizes to 64, then about every eighth part more. */
    for (size_t chunk_size = 1; chunk_size <= chunk_max;
         chunk_size += chunk_size < 64 ? 1 : chunk_size / 8) {
        struct collected cut;
        collected_init(&cut, driver, settings);
        collected_feed(&cut, bytes, size, chunk_size);
        samples_check_equal(&whole, &cut, chunk_size);
        collected_free(&cut);
    }
    collected_free(&whole);
}

uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

/* Flip, cut or double at a few places.
 * @return New size. */
static size_t damage(uint8_t *bytes, size_t size, uint64_t *random)
{
    for (unsigned hit = 0; hit < 8; hit++) {
        size_t place = random_next(random) % size;
        switch (random_next(random) % 3) {
        case 0:
            bytes[place] ^= (uint8_t)(1u << random_next(random) % 8);
            break;
        case 1:
            memmove(bytes + place, bytes + place + 1, size - place - 1);
            break;
        default:
            memmove(bytes + place + 1, bytes + place, size - place - 1);
            break;
        }
    }
    return size - random_next(random) % (size / 2);
}

void check_damage_is_survived(const char *driver, const struct driver_settings *settings,
                              const void *bytes, size_t size, unsigned round_count)
{
    uint64_t random = 0x9E3779B97F4A7C15u;
    uint8_t *damaged = malloc(size);
    ck_assert_ptr_nonnull(damaged);
    for (unsigned round = 0; round < round_count; round++) {
        memcpy(damaged, bytes, size);
        size_t damaged_size = damage(damaged, size, &random);
        struct collected collected;
        collected_init(&collected, driver, settings);
        collected_feed(&collected, damaged, damaged_size, 1 + random_next(&random) % 100);
        ck_assert_uint_eq(collected.device.counters.byte_count, damaged_size);
        unsigned stream_count = 0;
        const struct stream_info *streams =
            device_streams(&collected.device, &stream_count);
        bool is_sound = true;
        for (size_t index = 0; index < collected.count; index++) {
            const struct sample *sample = &collected.samples[index];
            is_sound = is_sound && sample->stream < stream_count
                       && sample->channel_count <= streams[sample->stream].channel_count;
        }
        ck_assert(is_sound);
        collected_free(&collected);
    }
    free(damaged);
}

uint8_t *shared_read(const char *name, size_t *size)
{
    const char *folder = getenv("LIMBER_SHARED");
    char path[512];
    if (folder) {
        snprintf(path, sizeof path, "%s/data/%s", folder, name);
    } else {
        snprintf(path, sizeof path, "%s/../shared/data/%s", TEST_SOURCE_DIR, name);
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        printf("skipped: no recording %s (set LIMBER_SHARED)\n", name);
        return NULL;
    }
    const size_t capacity = (size_t)1 << 20;
    uint8_t *bytes = malloc(capacity);
    ck_assert_ptr_nonnull(bytes);
    *size = fread(bytes, 1, capacity, file);
    fclose(file);
    return bytes;
}

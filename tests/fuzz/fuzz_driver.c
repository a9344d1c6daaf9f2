#include "tests/fuzz/fuzz_driver.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/device.h"

enum {
    FLIP_FRAME_MAX = 4 /* frames of an input whose bits are flipped */
};

struct digest {
    struct device device;
    uint64_t hash;
    uint64_t count;
};

/* FNV-1a (Fowler, Noll, Vo). */
static void hash_add(uint64_t *hash, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    for (size_t index = 0; index < size; index++) {
        *hash = (*hash ^ next[index]) * 0x100000001B3u;
    }
}

static void sample_take(void *user, const struct sample *sample)
{
    struct digest *digest = user;
    unsigned stream_count = 0;
    const struct stream_info *streams = device_streams(&digest->device, &stream_count);
    if (sample->stream >= stream_count
        || sample->channel_count > streams[sample->stream].channel_count) {
        abort();
    }
    hash_add(&digest->hash, &sample->device_ticks, sizeof sample->device_ticks);
    hash_add(&digest->hash, &sample->sequence, sizeof sample->sequence);
    hash_add(&digest->hash, &sample->flags, sizeof sample->flags);
    hash_add(&digest->hash, &sample->stream, sizeof sample->stream);
    hash_add(&digest->hash, sample->values,
             sample->channel_count * sizeof sample->values[0]);
    digest->count++;
}

static void digest_init(struct digest *digest, const char *name,
                        const struct driver_settings *settings)
{
    digest->hash = 0xCBF29CE484222325u;
    digest->count = 0;
    if (device_init(&digest->device, driver_find(name), settings)) {
        abort();
    }
}

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Commands depend on what the device answered; the input says how long that took. */
static void command_run(struct digest *digest, uint8_t choice, int64_t *now_ns)
{
    static const int64_t pauses_ns[] = {0, 10000000, 200000000, 600000000};
    const struct driver *driver = digest->device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    *now_ns += pauses_ns[choice / 64];
    if (driver->command_next) {
        demand(driver->command_next(&digest->device.context, *now_ns, bytes)
               <= sizeof bytes);
    }
}

static void command_end(struct digest *digest)
{
    const struct driver *driver = digest->device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    unsigned count = 0;
    for (size_t size = 1; driver->command_stop && size > 0; count++) {
        size = driver->command_stop(&digest->device.context, bytes);
        demand(size <= sizeof bytes && count <= DRIVER_STOP_MAX);
    }
}

/* Where the device is unplugged; behind the end = never. */
static size_t cut_choose(const uint8_t *data, size_t size)
{
    bool has_cut = size >= 8 && data[size - 1] < 32;
    return has_cut ? data[size / 2] * size / 256 : size;
}

static void whole_feed(struct digest *digest, const uint8_t *data, size_t size)
{
    const size_t cut = cut_choose(data, size);
    device_feed(&digest->device, data, cut, 0, sample_take, digest);
    if (cut < size) {
        device_interrupt(&digest->device);
        device_feed(&digest->device, data + cut, size - cut, 0, sample_take, digest);
    }
}

/* Pieces of 1 .. 64 bytes, chosen by the input itself, with the dialogue between them. */
static void pieces_feed(struct digest *digest, const uint8_t *data, size_t size)
{
    const size_t cut = cut_choose(data, size);
    int64_t now_ns = 0;
    for (size_t used = 0; used < size;) {
        size_t step = 1 + data[used] % 64;
        size_t end = used < cut ? cut : size;
        if (used == cut) {
            device_interrupt(&digest->device);
        }
        step = step < end - used ? step : end - used;
        device_feed(&digest->device, data + used, step, 0, sample_take, digest);
        command_run(digest, data[used], &now_ns);
        used += step;
    }
    command_end(digest);
}

static int frame_decode(const struct driver *driver, struct driver_context *context,
                        const uint8_t *frame, size_t size, struct sample *samples)
{
    memset(samples, 0, DRIVER_SAMPLE_MAX * sizeof *samples);
    return driver->decode(context, frame, size, samples);
}

/* With one bit of its first frame flipped the same bytes are no longer that frame, or the
 * bit belonged to bytes left over before it and changes nothing. */
static void flip_check(const struct driver *driver, const struct driver_context *context,
                       uint8_t *bytes, size_t view, size_t frame_size)
{
    struct sample whole[DRIVER_SAMPLE_MAX];
    struct sample flipped[DRIVER_SAMPLE_MAX];
    struct driver_context first = *context;
    struct driver_context second = *context;
    const size_t bit = (bytes[frame_size - 1] * 7u + frame_size) % (8 * frame_size);
    const int whole_count = frame_decode(driver, &first, bytes, frame_size, whole);
    size_t size = 0;
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (driver->frame_next(&second, bytes, view, &size) == FRAME_FOUND
        && size == frame_size) {
        int count = frame_decode(driver, &second, bytes, size, flipped);
        demand(count <= 0
               || (count == whole_count
                   && memcmp(whole, flipped, (size_t)count * sizeof *whole) == 0));
    }
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Formats with a checksum: flip one bit in each of the first frames. */
static void flips_check(const struct driver *driver, const struct driver_settings *settings,
                        const uint8_t *data, size_t size)
{
    struct driver_context context = {0};
    struct sample samples[DRIVER_SAMPLE_MAX];
    uint8_t *bytes = malloc(size + 1);
    demand(bytes && driver->init(&context, settings) == STATUS_OK);
    memcpy(bytes, data, size);
    unsigned frame_count = 0;
    for (size_t done = 0; done < size && frame_count < FLIP_FRAME_MAX;) {
        size_t view = size - done < driver->frame_max ? size - done : driver->frame_max;
        size_t step = 1;
        enum frame_verdict verdict =
            driver->frame_next(&context, bytes + done, view, &step);
        if (verdict == FRAME_NEED_MORE) {
            break;
        }
        if (verdict == FRAME_FOUND) {
            flip_check(driver, &context, bytes + done, view, step);
            frame_decode(driver, &context, bytes + done, step, samples);
            frame_count++;
        }
        done += step;
    }
    free(bytes);
}

void fuzz_driver_run(const char *name, const struct driver_settings *settings,
                     const uint8_t *data, size_t size)
{
    struct digest *digests = malloc(2 * sizeof *digests);
    if (!digests) {
        return;
    }
    digest_init(&digests[0], name, settings);
    whole_feed(&digests[0], data, size);
    digest_init(&digests[1], name, settings);
    pieces_feed(&digests[1], data, size);
    demand(digests[0].count == digests[1].count && digests[0].hash == digests[1].hash);
    demand(digests[0].device.counters.byte_count == size);
    demand(memcmp(&digests[0].device.counters, &digests[1].device.counters,
                  sizeof digests[0].device.counters)
           == 0);
    if (digests[0].device.driver->has_checksum) {
        flips_check(digests[0].device.driver, settings, data, size);
    }
    free(digests);
}

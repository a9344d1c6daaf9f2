#include "tests/fuzz/fuzz_driver.h"

#include <stdlib.h>
#include <string.h>

#include "acquisition/device.h"

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

/* Commands depend on what the device answered. */
static void command_run(struct digest *digest, int64_t now_ns)
{
    const struct driver *driver = digest->device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    if (driver->command_next
        && driver->command_next(&digest->device.context, now_ns, bytes) > sizeof bytes) {
        abort();
    }
    if (driver->command_stop
        && driver->command_stop(&digest->device.context, bytes) > sizeof bytes) {
        abort();
    }
}

void fuzz_driver_run(const char *name, const struct driver_settings *settings,
                     const uint8_t *data, size_t size)
{
    struct digest *digests = malloc(2 * sizeof *digests);
    if (!digests) {
        return;
    }
    digest_init(&digests[0], name, settings);
    device_feed(&digests[0].device, data, size, 0, sample_take, &digests[0]);
    digest_init(&digests[1], name, settings);
    /* Pieces of 1 .. 64 bytes, chosen by the input itself. */
    for (size_t used = 0; used < size;) {
        size_t step = 1 + data[used] % 64;
        step = step < size - used ? step : size - used;
        device_feed(&digests[1].device, data + used, step, 0, sample_take, &digests[1]);
        command_run(&digests[1], (int64_t)used * 100000000);
        used += step;
    }
    if (digests[0].count != digests[1].count || digests[0].hash != digests[1].hash
        || digests[0].device.counters.byte_count != size
        || memcmp(&digests[0].device.counters, &digests[1].device.counters,
                  sizeof digests[0].device.counters)
               != 0) {
        abort();
    }
    free(digests);
}

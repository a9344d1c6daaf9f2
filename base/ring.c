#include "base/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_LINE_SIZE = 64,
    RING_SIZE_MIN = 4096
};

/* Indices count bytes since the start and wrap with size_t; index & mask is the position.
 * Each thread's index has a cache line of its own, so that neither slows the other down. */
struct ring {
    _Alignas(CACHE_LINE_SIZE) atomic_size_t written; /* moved by the producer */
    atomic_size_t peak;
    _Alignas(CACHE_LINE_SIZE) atomic_size_t taken; /* moved by the consumer */
    _Alignas(CACHE_LINE_SIZE) size_t mask;
    uint8_t *bytes;
};

static void bytes_put(struct ring *ring, size_t index, const void *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    size_t position = index & ring->mask;
    size_t first = ring->mask + 1 - position;
    if (first > size) {
        first = size;
    }
    memcpy(ring->bytes + position, bytes, first);
    memcpy(ring->bytes, (const uint8_t *)bytes + first, size - first);
}

enum status ring_create(size_t size, struct ring **ring)
{
    assert(size >= RING_SIZE_MIN && (size & (size - 1)) == 0);
    struct ring *created = aligned_alloc(CACHE_LINE_SIZE, sizeof *created);
    uint8_t *bytes = calloc(1, size);
    if (!created || !bytes) {
        free(bytes);
        free(created);
        return STATUS_NO_MEMORY;
    }
    atomic_init(&created->written, 0);
    atomic_init(&created->peak, 0);
    atomic_init(&created->taken, 0);
    created->mask = size - 1;
    created->bytes = bytes;
    *ring = created;
    return STATUS_OK;
}

void ring_destroy(struct ring *ring)
{
    if (ring) {
        free(ring->bytes);
        free(ring);
    }
}

bool ring_push(struct ring *ring, const void *head, size_t head_size, const void *body,
               size_t body_size)
{
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    /* Acquire: the consumer has finished reading the bytes that are overwritten below. */
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    size_t used = written - taken;
    size_t room = ring->mask + 1 - used;
    if (head_size > room || body_size > room - head_size) {
        return false;
    }
    bytes_put(ring, written, head, head_size);
    bytes_put(ring, written + head_size, body, body_size);
    used += head_size + body_size;
    if (used > atomic_load_explicit(&ring->peak, memory_order_relaxed)) {
        atomic_store_explicit(&ring->peak, used, memory_order_relaxed);
    }
    atomic_store_explicit(&ring->written, written + head_size + body_size,
                          memory_order_release);
    return true;
}

size_t ring_peek(const struct ring *ring, const uint8_t **bytes)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    size_t position = taken & ring->mask;
    size_t until_wrap = ring->mask + 1 - position;
    size_t used = written - taken;
    *bytes = ring->bytes + position;
    return used < until_wrap ? used : until_wrap;
}

void ring_release(struct ring *ring, size_t size)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    assert(size <= atomic_load_explicit(&ring->written, memory_order_relaxed) - taken);
    atomic_store_explicit(&ring->taken, taken + size, memory_order_release);
}

size_t ring_used_size(const struct ring *ring)
{
    /* taken first: it never passes written, so the difference cannot turn negative. */
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    size_t used = written - taken;
    return used <= ring->mask + 1 ? used : ring->mask + 1;
}

size_t ring_peak_size(const struct ring *ring)
{
    return atomic_load_explicit(&ring->peak, memory_order_relaxed);
}

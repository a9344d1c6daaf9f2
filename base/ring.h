/* Lock-free ring of variable-length records between exactly one producer thread and one
 * consumer thread. The capture thread pushes, the recorder thread pops; nothing blocks. */
#ifndef LIMBER_BASE_RING_H
#define LIMBER_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct ring;

/* @param size  Capacity in bytes, a power of two from 4096.
 * @param ring  Out: gives the ring; the caller calls ring_destroy after both threads ended.
 * @return STATUS_OK or STATUS_NO_MEMORY. */
enum status ring_create(size_t size, struct ring **ring);
void ring_destroy(struct ring *ring);

/* Producer only: append a record made of two parts (head then body), all or nothing.
 * @return false when there is no room: nothing was written. */
bool ring_push(struct ring *ring, const void *head, size_t head_size, const void *body,
               size_t body_size);

/* Consumer only: contiguous bytes ready to be taken, at most up to the end of the buffer.
 * @param bytes  Out: borrowed until ring_release.
 * @return Count of bytes, 0 when empty. Records follow each other without padding. */
size_t ring_peek(const struct ring *ring, const uint8_t **bytes);

/* Consumer only: give back the first size bytes returned by ring_peek. */
void ring_release(struct ring *ring, size_t size);

/* Any thread: bytes in use now. */
size_t ring_used_size(const struct ring *ring);

/* Any thread: largest ring_used_size ever seen by the producer. */
size_t ring_peak_size(const struct ring *ring);

#endif

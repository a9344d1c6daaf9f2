#include "acquisition/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/units.h"

/* Pause between two looks at the ring: what a SIGKILL can cost beyond what the system
 * already has, against 100 wake-ups per second. */
static const long DRAIN_INTERVAL_NS = 10 * 1000 * 1000;
static const int64_t NS_PER_MS = 1000 * 1000;

const struct recorder_settings recorder_default_settings = {
    .ring_size = (size_t)16 << 20,
    .sync_interval_ms = 250,
    .reserve_size = 0,
};

/* Finds the ends of frames in the bytes written, so that a torn one can be cut off. */
struct frame_walk {
    uint64_t whole_size; /* size of the file up to the last whole frame */
    uint8_t head[JOURNAL_HEAD_SIZE];
    size_t head_fill;
    size_t payload_size;
    size_t payload_left;
};

struct recorder {
    char *path;
    struct ring *ring;
    int descriptor;
    int64_t sync_interval_ns;
    pthread_t thread;
    atomic_bool is_stopping;

    /* Written by the capture thread. */
    atomic_uint_least64_t frame_count;
    atomic_uint_least64_t dropped_count;
    uint32_t sequence;

    /* Written by the recorder thread. */
    atomic_uint_least64_t written_size;
    atomic_uint_least64_t sync_count;
    atomic_int error;
    struct frame_walk walk;
    uint64_t synced_size;
    int64_t synced_ns;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void walk_frame_end(struct frame_walk *walk)
{
    walk->whole_size += JOURNAL_HEAD_SIZE + walk->payload_size;
    walk->head_fill = 0;
}

static size_t walk_head(struct frame_walk *walk, const uint8_t *bytes, size_t size)
{
    size_t step = smaller(JOURNAL_HEAD_SIZE - walk->head_fill, size);
    memcpy(walk->head + walk->head_fill, bytes, step);
    walk->head_fill += step;
    if (walk->head_fill == JOURNAL_HEAD_SIZE) {
        walk->payload_size = journal_head_payload_size(walk->head);
        walk->payload_left = walk->payload_size;
        if (walk->payload_left == 0) {
            walk_frame_end(walk);
        }
    }
    return step;
}

static void walk_bytes(struct frame_walk *walk, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t step;
        if (walk->head_fill < JOURNAL_HEAD_SIZE) {
            step = walk_head(walk, bytes, size);
        } else {
            step = smaller(walk->payload_left, size);
            walk->payload_left -= step;
            if (walk->payload_left == 0) {
                walk_frame_end(walk);
            }
        }
        bytes += step;
        size -= step;
    }
}

/* The disk said no: keep the whole frames, cut the torn one, tell once. */
static void failure_note(struct recorder *recorder, int error)
{
    int expected = 0;
    if (!atomic_compare_exchange_strong(&recorder->error, &expected, error)) {
        return;
    }
    log_error(
        "%s: cannot record on: %s; everything up to here (%llu kB) is kept: free some "
        "space, then run 'limber recover' on it",
        recorder->path, strerror(error),
        (unsigned long long)(recorder->walk.whole_size >> 10));
    /* A second failure changes nothing: the reader cuts a torn tail as well. */
    if (ftruncate(recorder->descriptor, (off_t)recorder->walk.whole_size) == 0) {
        fdatasync(recorder->descriptor);
    }
}

static bool bytes_write(struct recorder *recorder, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(recorder->descriptor, bytes, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            failure_note(recorder, count < 0 ? errno : ENOSPC);
            return false;
        }
        walk_bytes(&recorder->walk, bytes, (size_t)count);
        atomic_fetch_add_explicit(&recorder->written_size, (uint64_t)count,
                                  memory_order_relaxed);
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

static bool ring_drain(struct recorder *recorder)
{
    const uint8_t *bytes;
    size_t size;
    while ((size = ring_peek(recorder->ring, &bytes)) > 0) {
        if (!bytes_write(recorder, bytes, size)) {
            return false;
        }
        ring_release(recorder->ring, size);
    }
    return true;
}

static bool file_sync(struct recorder *recorder)
{
    uint64_t written = atomic_load_explicit(&recorder->written_size, memory_order_relaxed);
    recorder->synced_ns = clock_host_ns();
    if (written == recorder->synced_size) {
        return true;
    }
    int result;
    do {
        result = fdatasync(recorder->descriptor);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        failure_note(recorder, errno);
        return false;
    }
    recorder->synced_size = written;
    atomic_fetch_add_explicit(&recorder->sync_count, 1, memory_order_relaxed);
    return true;
}

static void *recorder_thread(void *argument)
{
    struct recorder *recorder = argument;
    recorder->synced_ns = clock_host_ns();
    bool is_last = false;
    while (!is_last) {
        /* Read before draining: what was appended before the stop is then in the ring. */
        is_last = atomic_load(&recorder->is_stopping);
        if (!ring_drain(recorder)) {
            break;
        }
        bool is_sync_due =
            clock_host_ns() - recorder->synced_ns >= recorder->sync_interval_ns;
        if ((is_last || is_sync_due) && !file_sync(recorder)) {
            break;
        }
        if (!is_last) {
            struct timespec pause = {.tv_nsec = DRAIN_INTERVAL_NS};
            nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

/* Signals are for the capture thread's loop: the new thread inherits a full mask. */
static enum status thread_start(struct recorder *recorder)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&recorder->thread, NULL, recorder_thread, recorder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static void recorder_free(struct recorder *recorder)
{
    if (recorder->descriptor >= 0) {
        close(recorder->descriptor);
    }
    ring_destroy(recorder->ring);
    free(recorder->path);
    free(recorder);
}

enum status recorder_open(const char *path, const struct recorder_settings *settings,
                          struct recorder **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) {
        return status;
    }
    recorder->descriptor = -1;
    recorder->sync_interval_ns = settings->sync_interval_ms * NS_PER_MS;
    recorder->path = strdup(path);
    if (!recorder->path) {
        goto fail;
    }
    status = ring_create(settings->ring_size, &recorder->ring);
    if (status) {
        goto fail;
    }
    status = journal_create(path, settings->reserve_size, &recorder->descriptor);
    if (status) {
        goto fail;
    }
    status = thread_start(recorder);
    if (status) {
        unlink(path);
        goto fail;
    }
    *out = recorder;
    return STATUS_OK;
fail:
    recorder_free(recorder);
    return status;
}

static enum status drop_note(struct recorder *recorder)
{
    uint64_t dropped = atomic_fetch_add(&recorder->dropped_count, 1);
    if (dropped == 0) {
        log_error("%s: the disk has taken nothing for too long and the buffer is full; the "
                  "session stops, everything before is kept: check the disk",
                  recorder->path);
    }
    return STATUS_IO;
}

enum status recorder_append(struct recorder *recorder, struct journal_frame *frame)
{
    if (atomic_load_explicit(&recorder->error, memory_order_relaxed) != 0) {
        return STATUS_IO;
    }
    frame->sequence = recorder->sequence;
    uint8_t head[JOURNAL_HEAD_SIZE];
    journal_head_encode(frame, head);
    if (!ring_push(recorder->ring, head, sizeof head, frame->payload, frame->size)) {
        return drop_note(recorder);
    }
    recorder->sequence++;
    atomic_fetch_add_explicit(&recorder->frame_count, 1, memory_order_relaxed);
    return STATUS_OK;
}

void recorder_counters_get(const struct recorder *recorder,
                           struct recorder_counters *counters)
{
    *counters = (struct recorder_counters){
        .frame_count = atomic_load(&recorder->frame_count),
        .dropped_count = atomic_load(&recorder->dropped_count),
        .written_size = atomic_load(&recorder->written_size),
        .sync_count = atomic_load(&recorder->sync_count),
        .ring_peak_size = ring_peak_size(recorder->ring),
        .error = atomic_load(&recorder->error),
    };
}

enum status recorder_close(struct recorder *recorder)
{
    if (!recorder) {
        return STATUS_OK;
    }
    atomic_store(&recorder->is_stopping, true);
    pthread_join(recorder->thread, NULL);
    /* Gives back the room reserved behind the end; the size stays as it is. */
    if (ftruncate(recorder->descriptor, (off_t)recorder->walk.whole_size) != 0) {
        failure_note(recorder, errno);
    }
    bool is_failed = atomic_load(&recorder->error) != 0;
    recorder_free(recorder);
    return is_failed ? STATUS_IO : STATUS_OK;
}

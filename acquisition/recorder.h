/* The disk thread: drains a ring of encoded frames into the journal and syncs it four times
 * a second. recorder_append belongs to the capture thread; the rest to the thread that made
 * it. */
#ifndef LIMBER_ACQUISITION_RECORDER_H
#define LIMBER_ACQUISITION_RECORDER_H

#include "acquisition/journal.h"

struct recorder;

struct recorder_settings {
    size_t ring_size;      /* bytes, power of two */
    int sync_interval_ms;  /* between fdatasync calls */
    uint64_t reserve_size; /* bytes of disk to reserve at start; 0 = none */
};

extern const struct recorder_settings recorder_default_settings; /* 16 MiB, 250 ms, 0 */

struct recorder_counters {
    uint64_t frame_count;   /* appended */
    uint64_t dropped_count; /* frames refused because the ring was full */
    uint64_t written_size;  /* bytes the system took */
    uint64_t sync_count;
    size_t ring_peak_size;
    int error; /* errno of the first failed write, 0 = none */
};

/* Create the journal and start the thread.
 * @return STATUS_OK; STATUS_IO after one logged line; STATUS_NO_MEMORY. */
enum status recorder_open(const char *path, const struct recorder_settings *settings,
                          struct recorder **out);

/* Hand over one frame; sets frame->sequence. Never blocks.
 * @return STATUS_OK; STATUS_IO when the disk failed or the ring is full (counted): the
 * caller must stop the session cleanly; nothing already appended is lost. */
enum status recorder_append(struct recorder *recorder, struct journal_frame *frame);

/* Counters so far; any thread. */
void recorder_counters_get(const struct recorder *recorder,
                           struct recorder_counters *counters);

/* Write out everything, sync, close, join. NULL is allowed.
 * @return STATUS_OK or STATUS_IO (logged when it happened). */
enum status recorder_close(struct recorder *recorder);

#endif

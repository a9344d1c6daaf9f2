/* Append-only file of frames: everything that can change an outcome, in the order it was
 * handled. Encoding and decoding are pure; the file functions belong to the recorder thread
 * (writing) or to any one thread (reading).
 *
 * Frame, little endian: magic "LBJ1" (4), type u8, device u8, reserved u16 = 0, sequence
 * u32, payload size u32, host_ns i64, CRC-32C u32 over the 24 bytes before it and the
 * payload; then the payload. A torn or damaged tail is cut at the last whole frame. */
#ifndef LIMBER_ACQUISITION_JOURNAL_H
#define LIMBER_ACQUISITION_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    JOURNAL_HEAD_SIZE = 28,
    JOURNAL_PAYLOAD_MAX = 1 << 20,
    JOURNAL_NO_DEVICE = 255
};

enum journal_type {
    JOURNAL_HEADER = 1, /* JSON: session, sensors, protocols, calibration; always first */
    JOURNAL_BYTES = 2,  /* what a sensor sent; device = index in the header's sensors */
    JOURNAL_EVENT = 3,  /* JSON: what the program decided; for comparison, never replayed */
    JOURNAL_INPUT = 4,  /* text: what the operator or patient did, "pause", "pain 4" */
    JOURNAL_TICK = 5,   /* no payload: the clock moved on */
    JOURNAL_LINK = 6,   /* one byte: 0 = unplugged, 1 = (re)opened */
    JOURNAL_END =
        7 /* JSON: counters of the recorder; a journal without it is "recovered" */
};

struct journal_frame {
    enum journal_type type;
    uint8_t device;
    uint32_t sequence;      /* running number of frames, from 0 */
    int64_t host_ns;        /* session time: ns since the header frame */
    const uint8_t *payload; /* borrowed */
    size_t size;
};

/* Write the head of a frame; the payload follows it in the file.
 * @param head  Out: JOURNAL_HEAD_SIZE bytes. */
void journal_head_encode(const struct journal_frame *frame,
                         uint8_t head[JOURNAL_HEAD_SIZE]);

/* Payload size that a head made by journal_head_encode announces. */
size_t journal_head_payload_size(const uint8_t head[JOURNAL_HEAD_SIZE]);

/* Decode the frame at the front of bytes.
 * @param frame       Out: payload points into bytes.
 * @param frame_size  Out: head and payload.
 * @return STATUS_OK; STATUS_NOT_READY: more bytes needed; STATUS_CORRUPT: no good frame
 * here. */
enum status journal_frame_decode(const uint8_t *bytes, size_t size,
                                 struct journal_frame *frame, size_t *frame_size);

/* Create a new journal file for appending, mode 0600, refusing to overwrite, with room
 * reserved on disk. The reserved room lies behind the end of the file.
 * @param reserve_size  Bytes to reserve, 0 = none.
 * @param descriptor    Out.
 * @return STATUS_OK; STATUS_IO after one logged line (full, not writable, exists). */
enum status journal_create(const char *path, uint64_t reserve_size, int *descriptor);

struct journal_reader;

/* Map a journal for reading.
 * @return STATUS_OK; STATUS_NOT_FOUND, STATUS_IO or STATUS_CORRUPT (no header frame) after
 * one logged line. */
enum status journal_reader_open(const char *path, struct journal_reader **out);

/* The same over bytes in memory (borrowed), as kept in a session file. */
enum status journal_reader_open_bytes(const uint8_t *bytes, size_t size,
                                      struct journal_reader **out);

/* Next frame in order. STATUS_END at the end or at the first torn frame. */
enum status journal_reader_next(struct journal_reader *reader, struct journal_frame *frame);

/* Bytes after the last whole frame (0 for a clean file); zeros at the end of the file do
 * not count. Valid after STATUS_END. */
size_t journal_reader_torn_size(const struct journal_reader *reader);

/* All whole frames as stored, for keeping and hashing; valid after STATUS_END. */
const uint8_t *journal_reader_bytes(const struct journal_reader *reader, size_t *size);

/* NULL is allowed. */
void journal_reader_close(struct journal_reader *reader);

#endif

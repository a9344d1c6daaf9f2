/* Which of two overlapping candidates is the frame: for formats of fixed size whose check
 * is one byte, so that one false start in 256 passes it. Pure; any thread. */
#ifndef LIMBER_ACQUISITION_OVERLAP_H
#define LIMBER_ACQUISITION_OVERLAP_H

#include "acquisition/driver.h"

enum {
    OVERLAP_DEPTH = 3 /* frames that are looked ahead at where two candidates overlap */
};

struct overlap_format {
    size_t frame_size; /* frame_max of the driver must be at least 5 frames */
    /* Whether a frame stands at the front: FOUND, SKIP, or NEED_MORE (then the bytes could
     * still become one). */
    enum frame_verdict (*check)(const uint8_t *bytes, size_t size);
    /* Whether a frame that passes the check is also what had to come next. NULL = nothing
     * is known of that. */
    bool (*is_next)(const struct driver_context *context, const uint8_t *frame);
    /* Whether what decode took last was a good frame. NULL = not known. */
    bool (*is_in_step)(const struct driver_context *context);
};

/* frame_next of such a format. Where another candidate overlaps the one at the front, the
 * one that had to come next wins; else the one that is followed by more good frames; only
 * then are bytes beyond the frame waited for. The first head behind a good frame that
 * fails the check with all its bytes there is a damaged frame: its first byte alone is
 * FOUND, for decode to call it bad, so that nothing that begins inside is lost. */
enum frame_verdict overlap_frame_next(const struct overlap_format *format,
                                      const struct driver_context *context,
                                      const uint8_t *bytes, size_t size,
                                      size_t *frame_size);

#endif

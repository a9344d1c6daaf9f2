#include "acquisition/overlap.h"

static enum frame_verdict check_at(const struct overlap_format *format,
                                   const uint8_t *bytes, size_t size, size_t place)
{
    return place < size ? format->check(bytes + place, size - place) : FRAME_NEED_MORE;
}

/* Whether the frame at the front (good) or the one at place (good too) is the true one: the
 * one whose row of good frames is longer; the front where both are equal.
 * @return FOUND = the front, SKIP = the other, NEED_MORE = too early to tell. */
static enum frame_verdict rows_compare(const struct overlap_format *format,
                                       const uint8_t *bytes, size_t size, size_t place)
{
    for (size_t depth = 1; depth <= OVERLAP_DEPTH; depth++) {
        size_t ahead = depth * format->frame_size;
        enum frame_verdict front = check_at(format, bytes, size, ahead);
        enum frame_verdict other = check_at(format, bytes, size, place + ahead);
        if (other == FRAME_SKIP) {
            return FRAME_FOUND;
        }
        if (front == FRAME_NEED_MORE || other == FRAME_NEED_MORE) {
            return FRAME_NEED_MORE;
        }
        if (front == FRAME_SKIP) {
            return FRAME_SKIP;
        }
    }
    return FRAME_FOUND;
}

/* Whether a head with bytes enough behind it fails the check since the last good frame. */
static bool is_damaged(const struct overlap_format *format,
                       const struct driver_context *context, const uint8_t *bytes,
                       size_t size)
{
    return format->is_in_step && format->is_in_step(context) && size >= format->frame_size
           && format->check(bytes, format->frame_size - 1) == FRAME_NEED_MORE;
}

/* Bytes before the next place where a frame may start, or a damaged one. */
static size_t junk_size(const struct overlap_format *format,
                        const struct driver_context *context, const uint8_t *bytes,
                        size_t size)
{
    size_t place = 1;
    while (place < size && check_at(format, bytes, size, place) == FRAME_SKIP
           && !is_damaged(format, context, bytes + place, size - place)) {
        place++;
    }
    return place;
}

static bool is_next(const struct overlap_format *format,
                    const struct driver_context *context, const uint8_t *frame)
{
    return format->is_next && format->is_next(context, frame);
}

/* The front and the candidate at place are both good.
 * @return As rows_compare. */
static enum frame_verdict candidates_compare(const struct overlap_format *format,
                                             const struct driver_context *context,
                                             const uint8_t *bytes, size_t size,
                                             size_t place)
{
    bool is_front_next = is_next(format, context, bytes);
    if (is_front_next != is_next(format, context, bytes + place)) {
        return is_front_next ? FRAME_FOUND : FRAME_SKIP;
    }
    return rows_compare(format, bytes, size, place);
}

enum frame_verdict overlap_frame_next(const struct overlap_format *format,
                                      const struct driver_context *context,
                                      const uint8_t *bytes, size_t size, size_t *frame_size)
{
    enum frame_verdict verdict = format->check(bytes, size);
    if (verdict == FRAME_SKIP && is_damaged(format, context, bytes, size)) {
        *frame_size = 1;
        return FRAME_FOUND;
    }
    if (verdict == FRAME_SKIP) {
        *frame_size = junk_size(format, context, bytes, size);
    }
    if (verdict != FRAME_FOUND) {
        return verdict;
    }
    for (size_t place = 1; place < format->frame_size; place++) {
        verdict = check_at(format, bytes, size, place);
        if (verdict == FRAME_SKIP) {
            continue;
        }
        if (verdict == FRAME_FOUND) {
            verdict = candidates_compare(format, context, bytes, size, place);
        }
        if (verdict != FRAME_FOUND) {
            *frame_size = place;
            return verdict;
        }
    }
    *frame_size = format->frame_size;
    return FRAME_FOUND;
}

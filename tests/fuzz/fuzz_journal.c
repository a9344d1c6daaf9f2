/* Journals from anywhere: any bytes are read to an end, and what is read as a frame encodes
 * to the same bytes again. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/journal.h"
#include "tests/fuzz/fuzz_driver.h"

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void frame_look(const uint8_t *bytes, size_t size, const struct journal_frame *frame)
{
    uint8_t head[JOURNAL_HEAD_SIZE];
    demand(frame->size <= size - JOURNAL_HEAD_SIZE);
    demand(frame->payload == bytes + JOURNAL_HEAD_SIZE);
    journal_head_encode(frame, head);
    demand(memcmp(head, bytes, sizeof head) == 0);
}

/* The reader wants a header first; frames are looked at from every position as well. */
static void frames_look(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        struct journal_frame frame;
        size_t frame_size = 0;
        if (journal_frame_decode(bytes + at, size - at, &frame, &frame_size) == STATUS_OK) {
            demand(frame_size == JOURNAL_HEAD_SIZE + frame.size);
            frame_look(bytes + at, size - at, &frame);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frames_look(data, size);
    /* Opening logs a line for each input without a header: look at the first frame first.
     */
    struct journal_reader *reader;
    struct journal_frame frame;
    size_t whole = 0;
    if (journal_frame_decode(data, size, &frame, &whole) != STATUS_OK
        || frame.type != JOURNAL_HEADER) {
        return 0;
    }
    demand(journal_reader_open_bytes(data, size, &reader) == STATUS_OK);
    size_t read = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        frame_look(data + read, size - read, &frame);
        read += JOURNAL_HEAD_SIZE + frame.size;
    }
    demand(journal_reader_bytes(reader, &whole) == data && whole == read);
    demand(journal_reader_torn_size(reader) <= size - read);
    journal_reader_close(reader);
    return 0;
}

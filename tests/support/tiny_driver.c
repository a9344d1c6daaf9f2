#include "tests/support/tiny_driver.h"

#include <string.h>

#include "acquisition/crc32c.h"

enum {
    START = 0xA5
};

static const struct stream_info STREAMS[] = {
    {.name = "angle",
     .kind = STREAM_ANALOG,
     .channel_count = 1,
     .channels = {"angle_deg"},
     .units = {"deg"}},
};

static uint16_t frame_check(const uint8_t *frame)
{
    return (uint16_t)crc32c(0, frame, TINY_FRAME_SIZE - 2);
}

void tiny_encode(uint32_t ticks, int16_t value, uint8_t frame[TINY_FRAME_SIZE])
{
    frame[0] = START;
    for (unsigned i = 0; i < 4; i++) {
        frame[1 + i] = (uint8_t)(ticks >> (8 * i));
    }
    frame[5] = (uint8_t)value;
    frame[6] = (uint8_t)((uint16_t)value >> 8);
    frame[7] = (uint8_t)frame_check(frame);
    frame[8] = (uint8_t)(frame_check(frame) >> 8);
}

static enum status tiny_init(struct driver_context *context,
                             const struct driver_settings *settings)
{
    memset(context, 0, sizeof *context);
    return settings->baud == 1 ? STATUS_BAD_INPUT : STATUS_OK;
}

static enum frame_verdict plain_frame_next(const struct driver_context *context,
                                           const uint8_t *bytes, size_t size,
                                           size_t *frame_size)
{
    (void)context;
    if (bytes[0] != START) {
        *frame_size = 1;
        return FRAME_SKIP;
    }
    *frame_size = TINY_FRAME_SIZE;
    return size < TINY_FRAME_SIZE ? FRAME_NEED_MORE : FRAME_FOUND;
}

static enum frame_verdict tiny_frame_next(const struct driver_context *context,
                                          const uint8_t *bytes, size_t size,
                                          size_t *frame_size)
{
    enum frame_verdict verdict = plain_frame_next(context, bytes, size, frame_size);
    if (verdict == FRAME_FOUND && (bytes[7] | bytes[8] << 8) != frame_check(bytes)) {
        *frame_size = 1; /* a true frame may start inside */
        return FRAME_SKIP;
    }
    return verdict;
}

static int tiny_decode(struct driver_context *context, const uint8_t *frame,
                       size_t frame_size, struct sample *samples)
{
    (void)context;
    int16_t value = (int16_t)(uint16_t)(frame[5] | frame[6] << 8);
    if (frame_size != TINY_FRAME_SIZE || value == INT16_MIN) {
        return -1;
    }
    samples[0].device_ticks = (uint64_t)frame[1] | (uint64_t)frame[2] << 8
                              | (uint64_t)frame[3] << 16 | (uint64_t)frame[4] << 24;
    samples[0].channel_count = 1;
    samples[0].values[0] = (float)value;
    return 1;
}

static int clockless_decode(struct driver_context *context, const uint8_t *frame,
                            size_t frame_size, struct sample *samples)
{
    int count = tiny_decode(context, frame, frame_size, samples);
    samples[0].device_ticks = 0;
    return count;
}

static size_t tiny_command_next(struct driver_context *context, int64_t now_ns,
                                uint8_t *bytes)
{
    (void)now_ns;
    if (context->memory[0]) {
        return 0;
    }
    context->memory[0] = 1;
    memcpy(bytes, "go\n", 3);
    return 3;
}

static size_t tiny_command_stop(struct driver_context *context, uint8_t *bytes)
{
    uint8_t *is_told = context->kept;
    if (*is_told) {
        return 0;
    }
    *is_told = 1;
    memcpy(bytes, "halt\n", 5);
    return 5;
}

const struct driver tiny_driver = {
    .name = "tiny",
    .title = "Tiny",
    .streams = STREAMS,
    .stream_count = 1,
    .frame_max = TINY_FRAME_SIZE,
    .baud = 115200,
    .rate_hz = TINY_RATE_HZ,
    .tick_s = 1e-3,
    .has_checksum = true,
    .init = tiny_init,
    .frame_next = tiny_frame_next,
    .decode = tiny_decode,
    .command_next = tiny_command_next,
    .command_stop = tiny_command_stop,
};

const struct driver tiny_plain_driver = {
    .name = "tiny-plain",
    .title = "Tiny without checksum",
    .streams = STREAMS,
    .stream_count = 1,
    .frame_max = TINY_FRAME_SIZE,
    .rate_hz = TINY_RATE_HZ,
    .tick_s = 1e-3,
    .init = tiny_init,
    .frame_next = plain_frame_next,
    .decode = tiny_decode,
};

const struct driver tiny_clockless_driver = {
    .name = "tiny-clockless",
    .title = "Tiny without clock",
    .streams = STREAMS,
    .stream_count = 1,
    .frame_max = TINY_FRAME_SIZE,
    .rate_hz = TINY_RATE_HZ,
    .has_checksum = true,
    .init = tiny_init,
    .frame_next = tiny_frame_next,
    .decode = clockless_decode,
};

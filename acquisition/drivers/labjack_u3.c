#include "acquisition/driver.h"

static const struct stream_info STREAMS[] = {
    {"inertial", STREAM_INERTIAL, 1, {"x"}, {"1"}, {0}}};

static enum status skeleton_init(struct driver_context *context,
                                 const struct driver_settings *settings)
{
    (void)context;
    (void)settings;
    return STATUS_OK;
}

static enum frame_verdict skeleton_frame_next(const struct driver_context *context,
                                              const uint8_t *bytes, size_t size,
                                              size_t *frame_size)
{
    (void)context;
    (void)bytes;
    *frame_size = size;
    return FRAME_SKIP;
}

static int skeleton_decode(struct driver_context *context, const uint8_t *frame,
                           size_t frame_size, struct sample *samples)
{
    (void)context;
    (void)frame;
    (void)frame_size;
    (void)samples;
    return -1;
}

extern const struct driver driver_labjack_u3;

const struct driver driver_labjack_u3 = {
    .name = "labjack-u3",
    .title = "LabJack U3",
    .streams = STREAMS,
    .stream_count = 1,
    .frame_max = 64,
    .baud = 115200,
    .rate_hz = 100.0,
    .init = skeleton_init,
    .frame_next = skeleton_frame_next,
    .decode = skeleton_decode,
};

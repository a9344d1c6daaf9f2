/* CEVA BNO080/085/086 in UART-RVC mode: 100 reports a second of 19 bytes, AA AA index,
 * three angles, three accelerations, three reserved bytes, sum (data sheet 1.3.5.2). It
 * starts by itself and cannot be told anything.
 *
 * It sends no angular rate. The inertial stream carries the rate that turns the orientation
 * of the report before into that of this one within the time between them, flagged as
 * derived: summed up it gives the orientation back, but one step of the angles (0.01 deg)
 * shows as 1 deg/s. A report that has none before it, or only one further back than
 * GAP_STEPS_MAX, gives angles but no inertial sample.
 *
 * Axes. The data sheet says only "yaw, then pitch, then roll". Its worked example (pitch
 * -1.10, roll 20.85 deg; -371, -20, 977 mg) shows what turns: x = -sin(roll) cos(pitch),
 * y = sin(pitch) of 1.045 g, so roll turns about the y axis that the accelerations have,
 * pitch about x. That is the aircraft convention with y forward, x right and z down, in
 * which yaw grows clockwise as seen from above; field reports use it so, too. In the
 * board's own axes: turn by -yaw about z, by pitch about x, by roll about y.
 *
 * The index is the only clock (10 ms each, nominally) and counts losses, mod 256: a gap of
 * 256 reports (2.56 s) or a multiple of it more looks shorter by that, and a restart of the
 * sensor looks like a gap. */
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "acquisition/overlap.h"
#include "base/quaternion.h"
#include "base/units.h"

enum {
    HEAD = 0xAA,
    FRAME_SIZE = 19,
    FRAME_MAX = 128, /* so much that overlapping candidates can be told apart */
    SUM_FIRST = 2,   /* the sum leaves the head out */
    RAIL = INT16_MAX,
    GAP_STEPS_MAX = 10, /* 0.1 s: at 1800 deg/s it has turned no more than half round */
    NEXT_STEPS_MAX = 4,
    INDEX_COUNT = 256
};

static const double STEP_S = 0.01;
static const double ANGLE_DEG = 0.01;
static const double ACCELERATION_G = 0.001;

enum rvc_stream {
    INERTIAL,
    ANGLES,
    MOTION,
    RVC_STREAM_COUNT
};

static const struct stream_info STREAMS[RVC_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {0}},
    [ANGLES] = {"angles",
                STREAM_ORIENTATION,
                3,
                {"yaw_deg", "pitch_deg", "roll_deg"},
                {"deg", "deg", "deg"},
                {0}},
    /* BNO086 alone; zero on the others, which give no such sample. */
    [MOTION] =
        {"motion", STREAM_STATUS, 2, {"motion_intent", "motion_request"}, {"1", "1"}, {0}},
};

struct rvc {
    uint64_t ticks; /* reports since the first, lost ones too */
    uint8_t index;
    uint8_t motion[2];
    bool is_seen;
    bool is_in_step;               /* what came last was a good frame */
    struct quaternion orientation; /* of the last report, board to earth */
};

_Static_assert(sizeof(struct rvc) <= DRIVER_CONTEXT_SIZE, "context too small");

static struct rvc *rvc_of(struct driver_context *context)
{
    return (struct rvc *)(void *)context->memory;
}

static const struct rvc *rvc_look(const struct driver_context *context)
{
    return (const struct rvc *)(const void *)context->memory;
}

/* ---- frames ---- */

static enum frame_verdict frame_check(const uint8_t *bytes, size_t size)
{
    if (bytes[0] != HEAD || (size > 1 && bytes[1] != HEAD)) {
        return FRAME_SKIP;
    }
    if (size < FRAME_SIZE) {
        return FRAME_NEED_MORE;
    }
    uint8_t sum = framing_sum8(bytes + SUM_FIRST, FRAME_SIZE - SUM_FIRST - 1);
    return sum == bytes[FRAME_SIZE - 1] ? FRAME_FOUND : FRAME_SKIP;
}

/* Its index follows the last one, with few reports lost between. */
static bool frame_is_next(const struct driver_context *context, const uint8_t *frame)
{
    const struct rvc *rvc = rvc_look(context);
    unsigned steps = (uint8_t)(frame[2] - rvc->index);
    return rvc->is_seen && steps >= 1 && steps <= NEXT_STEPS_MAX;
}

static bool is_in_step(const struct driver_context *context)
{
    return rvc_look(context)->is_in_step;
}

static const struct overlap_format FORMAT = {.frame_size = FRAME_SIZE,
                                             .check = frame_check,
                                             .is_next = frame_is_next,
                                             .is_in_step = is_in_step};

static enum frame_verdict rvc_frame_next(const struct driver_context *context,
                                         const uint8_t *bytes, size_t size,
                                         size_t *frame_size)
{
    return overlap_frame_next(&FORMAT, context, bytes, size, frame_size);
}

/* ---- meaning of a frame ---- */

static int16_t word_get(const uint8_t *frame, unsigned index)
{
    return framing_i16(frame + 3 + (size_t)2 * index);
}

static double angle_rad(const uint8_t *frame, unsigned index)
{
    return word_get(frame, index) * ANGLE_DEG * RAD_PER_DEG;
}

static struct quaternion orientation_get(const uint8_t *frame)
{
    const struct vector3 x = {1.0, 0.0, 0.0};
    const struct vector3 y = {0.0, 1.0, 0.0};
    const struct vector3 z = {0.0, 0.0, 1.0};
    struct quaternion yaw = quaternion_from_axis_angle(z, -angle_rad(frame, 0));
    struct quaternion pitch = quaternion_from_axis_angle(x, angle_rad(frame, 1));
    struct quaternion roll = quaternion_from_axis_angle(y, angle_rad(frame, 2));
    return quaternion_multiply(quaternion_multiply(yaw, pitch), roll);
}

static struct sample *sample_start(const struct rvc *rvc, enum rvc_stream stream,
                                   struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = (uint8_t)stream;
    sample->channel_count = (uint8_t)STREAMS[stream].channel_count;
    sample->device_ticks = rvc->ticks;
    sample->sequence = (uint32_t)rvc->ticks;
    return sample;
}

static void angles_fill(const uint8_t *frame, struct sample *sample)
{
    for (unsigned index = 0; index < 3; index++) {
        sample->values[index] = (float)(word_get(frame, index) * ANGLE_DEG);
    }
}

static void inertial_fill(const uint8_t *frame, struct quaternion change, unsigned steps,
                          struct sample *sample)
{
    struct vector3 rotation_rad = quaternion_to_rotation(change);
    struct vector3 rate =
        vector3_scale(rotation_rad, DEG_PER_RAD / ((double)steps * STEP_S));
    sample->values[0] = (float)rate.x;
    sample->values[1] = (float)rate.y;
    sample->values[2] = (float)rate.z;
    sample->flags = SAMPLE_DERIVED;
    for (unsigned index = 0; index < 3; index++) {
        int word = word_get(frame, 3 + index);
        sample->values[3 + index] = (float)(word * ACCELERATION_G);
        if (word >= RAIL || word <= -RAIL) {
            sample->flags |= SAMPLE_CLIPPED;
        }
    }
}

/* Reports since the last one. The same index again can only be a whole round later. */
static unsigned steps_count(const struct rvc *rvc, uint8_t index)
{
    unsigned steps = (uint8_t)(index - rvc->index);
    return steps == 0 ? INDEX_COUNT : steps;
}

static int rvc_decode(struct driver_context *context, const uint8_t *frame,
                      size_t frame_size, struct sample *samples)
{
    struct rvc *rvc = rvc_of(context);
    rvc->is_in_step =
        frame_size == FRAME_SIZE && frame_check(frame, frame_size) == FRAME_FOUND;
    if (!rvc->is_in_step) {
        return -1;
    }
    struct quaternion orientation = orientation_get(frame);
    unsigned steps = rvc->is_seen ? steps_count(rvc, frame[2]) : 0;
    /* From 1: a sequence of 0 would mean that the device does not count. */
    rvc->ticks = rvc->is_seen ? rvc->ticks + steps : frame[2] + 1u;
    int count = 0;
    if (steps > 0 && steps <= GAP_STEPS_MAX) {
        struct quaternion change =
            quaternion_multiply(quaternion_conjugate(rvc->orientation), orientation);
        inertial_fill(frame, change, steps, sample_start(rvc, INERTIAL, &samples[count++]));
    }
    angles_fill(frame, sample_start(rvc, ANGLES, &samples[count++]));
    if (memcmp(frame + 15, rvc->motion, sizeof rvc->motion) != 0) {
        struct sample *sample = sample_start(rvc, MOTION, &samples[count++]);
        sample->sequence = 0; /* only changes come */
        sample->values[0] = (float)frame[15];
        sample->values[1] = (float)frame[16];
    }
    memcpy(rvc->motion, frame + 15, sizeof rvc->motion);
    rvc->orientation = orientation;
    rvc->index = frame[2];
    rvc->is_seen = true;
    return count;
}

/* ---- the driver ---- */

static enum status rvc_init(struct driver_context *context,
                            const struct driver_settings *settings)
{
    (void)context;
    (void)settings;
    return STATUS_OK;
}

/* It knows no other rate. */
static double rvc_rate_hz_get(const struct driver_context *context)
{
    return rvc_look(context)->is_seen ? 1.0 / STEP_S : 0.0;
}

static const struct usb_id USB_IDS[] = {
    {0x1A86, 0x7523, true}, {0x10C4, 0xEA60, true}, {0x0403, 0x6001, true}};

extern const struct driver driver_bno08x_rvc;

const struct driver driver_bno08x_rvc = {
    .name = "bno08x-rvc",
    .title = "BNO085/086 in UART-RVC mode",
    .streams = STREAMS,
    .stream_count = RVC_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 0.01,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .init = rvc_init,
    .frame_next = rvc_frame_next,
    .decode = rvc_decode,
    .rate_hz_get = rvc_rate_hz_get,
};

/* VectorNav VN-100: binary output frames and ASCII register lines on one wire (user manual
 * UM001, chapters on binary output and on the ASCII protocol; field sizes also as in the
 * maker's SDK 0.99). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "base/units.h"

enum {
    SYNC = 0xFA,
    GROUP_BYTE_MAX = 2, /* a second one follows where bit 7 is set */
    GROUP_COUNT = 5,
    FIELD_BITS = 15, /* of a mask word; bit 15: another word follows */
    MORE_GROUPS = 1 << 7,
    MORE_FIELDS = 1 << 15,
    CRC_SIZE = 2,
    FRAME_MAX = 640,          /* all known fields with extension words are 636 bytes */
    VIEW_MAX = 2 * FRAME_MAX, /* a doubted frame and one that begins inside */
    LINE_MAX = 256,
    TEXT_SIZE = 24,
    REGISTER_SIZE = 96, /* text of a register as found */
    NOTICE_SIZE = 128,
    IDENTITY_SIZE = 96,
    COMMAND_TRY_MAX = 3,
    TIMELESS_MAX = 100, /* more than another output sends between two frames */
    BASE_RATE_HZ = 800, /* output rate is this over the divisor */
    DIVISOR_MAX = 800
};

static const int64_t COMMAND_TIMEOUT_NS = 500000000;
static const double TICK_S = 1e-9;
/* Behind damage a frame is believed at once if its time is so near that of the last. */
static const uint64_t NEAR_TICKS = 10000000000u;
static const double DEFAULT_RATE_HZ = 100.0;
/* A difference that a person should know of. */
static const double RATE_TOLERANCE = 0.01;
/* Factory scaling moves a saturated reading by up to a hundredth. */
static const float CLIP_SHARE = 0.99F;

enum vn100_stream {
    INERTIAL,
    MAGNETIC,
    QUATERNION,
    YAW_PITCH_ROLL,
    MATRIX,
    MAGNETIC_EARTH,
    ACCELERATION_EARTH,
    LINEAR,
    LINEAR_EARTH,
    UNCERTAINTY,
    TEMPERATURE,
    PRESSURE,
    VN100_STREAM_COUNT
};

/* Full scales: VN-100 data sheet, 16 g, 2000 deg/s, 2.5 gauss. */
static const struct stream_info STREAMS[VN100_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {2000.0F, 2000.0F, 2000.0F, 16.0F, 16.0F, 16.0F}},
    [MAGNETIC] = {"magnetic",
                  STREAM_MAGNETIC,
                  3,
                  {"magnetometer_x_gauss", "magnetometer_y_gauss", "magnetometer_z_gauss"},
                  {"G", "G", "G"},
                  {2.5F, 2.5F, 2.5F}},
    [QUATERNION] = {"quaternion",
                    STREAM_ORIENTATION,
                    4,
                    {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z"},
                    {"1", "1", "1", "1"},
                    {0}},
    [YAW_PITCH_ROLL] = {"ypr",
                        STREAM_ORIENTATION,
                        3,
                        {"yaw_deg", "pitch_deg", "roll_deg"},
                        {"deg", "deg", "deg"},
                        {0}},
    /* In the order of the frame. */
    [MATRIX] = {"matrix",
                STREAM_ORIENTATION,
                9,
                {"matrix_1", "matrix_2", "matrix_3", "matrix_4", "matrix_5", "matrix_6",
                 "matrix_7", "matrix_8", "matrix_9"},
                {"1", "1", "1", "1", "1", "1", "1", "1", "1"},
                {0}},
    [MAGNETIC_EARTH] = {"magnetic_earth",
                        STREAM_ORIENTATION,
                        3,
                        {"magnetic_north_gauss", "magnetic_east_gauss",
                         "magnetic_down_gauss"},
                        {"G", "G", "G"},
                        {0}},
    [ACCELERATION_EARTH] = {"acceleration_earth",
                            STREAM_ORIENTATION,
                            3,
                            {"acceleration_north_m_s2", "acceleration_east_m_s2",
                             "acceleration_down_m_s2"},
                            {"m/s2", "m/s2", "m/s2"},
                            {0}},
    [LINEAR] = {"linear_acceleration",
                STREAM_ORIENTATION,
                3,
                {"linear_acceleration_x_m_s2", "linear_acceleration_y_m_s2",
                 "linear_acceleration_z_m_s2"},
                {"m/s2", "m/s2", "m/s2"},
                {0}},
    [LINEAR_EARTH] = {"linear_acceleration_earth",
                      STREAM_ORIENTATION,
                      3,
                      {"linear_acceleration_north_m_s2", "linear_acceleration_east_m_s2",
                       "linear_acceleration_down_m_s2"},
                      {"m/s2", "m/s2", "m/s2"},
                      {0}},
    [UNCERTAINTY] = {"ypr_uncertainty",
                     STREAM_STATUS,
                     3,
                     {"yaw_uncertainty_deg", "pitch_uncertainty_deg",
                      "roll_uncertainty_deg"},
                     {"deg", "deg", "deg"},
                     {0}},
    [TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
    [PRESSURE] = {"pressure", STREAM_STATUS, 1, {"pressure_kpa"}, {"kPa"}, {0}},
};

/* What a field holds; some fields hold several parts in a row. */
enum part {
    PART_NONE,
    PART_TIME,
    PART_RATE,
    PART_ACCELERATION,
    PART_MAGNETIC,
    PART_RATE_UNCOMPENSATED, /* without the estimate of the bias */
    PART_ACCELERATION_UNCOMPENSATED,
    PART_MAGNETIC_UNCOMPENSATED,
    PART_QUATERNION,
    PART_YPR,
    PART_MATRIX,
    PART_MAGNETIC_EARTH,
    PART_ACCELERATION_EARTH,
    PART_LINEAR,
    PART_LINEAR_EARTH,
    PART_UNCERTAINTY,
    PART_TEMPERATURE,
    PART_PRESSURE,
    PART_SATURATION,
    PART_COUNT
};

enum {
    FIELD_PARTS_MAX = 3
};

struct field {
    uint8_t size; /* bytes; 0 = unknown */
    uint8_t parts[FIELD_PARTS_MAX];
};

static const uint8_t PART_SIZES[PART_COUNT] = {
    [PART_TIME] = 8,
    [PART_RATE] = 12,
    [PART_ACCELERATION] = 12,
    [PART_MAGNETIC] = 12,
    [PART_RATE_UNCOMPENSATED] = 12,
    [PART_ACCELERATION_UNCOMPENSATED] = 12,
    [PART_MAGNETIC_UNCOMPENSATED] = 12,
    [PART_QUATERNION] = 16,
    [PART_YPR] = 12,
    [PART_MATRIX] = 36,
    [PART_MAGNETIC_EARTH] = 12,
    [PART_ACCELERATION_EARTH] = 12,
    [PART_LINEAR] = 12,
    [PART_LINEAR_EARTH] = 12,
    [PART_UNCERTAINTY] = 12,
    [PART_TEMPERATURE] = 4,
    [PART_PRESSURE] = 4,
    [PART_SATURATION] = 2,
};

/* Fields in the order of the bits of their mask. Groups that are all zero (position,
 * satellites) are of other devices: a frame with them is none. */
static const struct field FIELDS[GROUP_COUNT][FIELD_BITS] = {
    /* common */
    [0] = {{8, {PART_TIME}},
           {8, {0}},
           {8, {0}},
           {12, {PART_YPR}},
           {16, {PART_QUATERNION}},
           {12, {PART_RATE}},
           {24, {0}},
           {12, {0}},
           {12, {PART_ACCELERATION}},
           {24, {PART_ACCELERATION_UNCOMPENSATED, PART_RATE_UNCOMPENSATED}},
           {20, {PART_MAGNETIC, PART_TEMPERATURE, PART_PRESSURE}},
           {28, {0}},
           {2, {0}},
           {4, {0}},
           {8, {0}}},
    /* time */
    [1] = {{8, {PART_TIME}},
           {8, {0}},
           {8, {0}},
           {2, {0}},
           {8, {0}},
           {8, {0}},
           {8, {0}},
           {4, {0}},
           {4, {0}},
           {1, {0}}},
    /* inertial */
    [2] = {{2, {0}},
           {12, {PART_MAGNETIC_UNCOMPENSATED}},
           {12, {PART_ACCELERATION_UNCOMPENSATED}},
           {12, {PART_RATE_UNCOMPENSATED}},
           {4, {PART_TEMPERATURE}},
           {4, {PART_PRESSURE}},
           {16, {0}},
           {12, {0}},
           {12, {PART_MAGNETIC}},
           {12, {PART_ACCELERATION}},
           {12, {PART_RATE}},
           {2, {PART_SATURATION}},
           {40, {0}}},
    /* attitude */
    [4] = {{2, {0}},
           {12, {PART_YPR}},
           {16, {PART_QUATERNION}},
           {36, {PART_MATRIX}},
           {12, {PART_MAGNETIC_EARTH}},
           {12, {PART_ACCELERATION_EARTH}},
           {12, {PART_LINEAR}},
           {12, {PART_LINEAR_EARTH}},
           {12, {PART_UNCERTAINTY}},
           {12, {0}},
           {28, {0}},
           {24, {0}},
           {12, {0}},
           {4, {0}}},
};

/* What is sent, one after the other's answer. An answer repeats the command and the number
 * of the register. */
enum step {
    STEP_MODEL,
    STEP_SERIAL,
    STEP_FIRMWARE,
    STEP_ASCII_READ,
    STEP_OUTPUT_READ,
    STEP_ASCII_OFF,
    STEP_OUTPUT_WRITE,
    STEP_OUTPUT_CHECK,
    STEP_DONE
};

static const char *const STEP_TEXTS[STEP_DONE] = {
    [STEP_MODEL] = "VNRRG,01",        [STEP_SERIAL] = "VNRRG,03",
    [STEP_FIRMWARE] = "VNRRG,04",     [STEP_ASCII_READ] = "VNRRG,06",
    [STEP_OUTPUT_READ] = "VNRRG,75",  [STEP_ASCII_OFF] = "VNWRG,06,0",
    [STEP_OUTPUT_WRITE] = "VNWRG,75", /* and its values */
    [STEP_OUTPUT_CHECK] = "VNRRG,75",
};

/* Common group: time, quaternion, rate, acceleration. */
static const char OUTPUT_FIELDS[] = "01,0131";

enum {
    STEP_KEY_SIZE = 8 /* "VNRRG,01" */
};

enum stop_step {
    STOP_OUTPUT_OFF,
    STOP_OUTPUT_RESTORE,
    STOP_ASCII_RESTORE,
    STOP_DONE
};

struct vn100 {
    bool is_timeless;        /* inertial frames have no time */
    uint32_t timeless_count; /* such frames in a row */
    bool has_inertial;       /* seen since the start */
    uint64_t newest_ticks;   /* 0 = no time so far */
    bool is_doubting;        /* what came last was damaged */
    bool has_left;           /* the last frame left a byte to the next */

    double asked_hz;
    double rate_hz;         /* as the device says; 0 = not said */
    bool is_output_written; /* the device confirmed a binary output */
    bool is_left;           /* something is left as found, because it is not known */

    unsigned divisor;
    unsigned step; /* of enum step */
    unsigned try_count;
    bool is_waiting;
    int64_t sent_ns;
    bool is_stopping;
    unsigned stop_step;

    char model[TEXT_SIZE];
    char serial[TEXT_SIZE];
    char firmware[TEXT_SIZE];
    char identity[IDENTITY_SIZE];
    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

/* Registers as found, text after "75,". */
struct kept {
    bool is_output_changed;
    bool is_ascii_changed;
    char output[REGISTER_SIZE];
    char ascii[REGISTER_SIZE];
    char serial[TEXT_SIZE];
};

_Static_assert(sizeof(struct vn100) <= DRIVER_CONTEXT_SIZE, "context too small");
_Static_assert(sizeof(struct kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct vn100 *vn100_of(struct driver_context *context)
{
    return (struct vn100 *)(void *)context->memory;
}

static const struct vn100 *vn100_look(const struct driver_context *context)
{
    return (const struct vn100 *)(const void *)context->memory;
}

static struct kept *kept_of(struct driver_context *context)
{
    return (struct kept *)(void *)context->kept;
}

/* ---- binary frames ---- */

struct header {
    uint16_t masks[GROUP_COUNT];
    size_t size; /* of the header */
};

/* Group bytes behind the sync byte.
 * @param groups  Out: one bit a group. */
static enum frame_verdict groups_read(const uint8_t *bytes, size_t size,
                                      struct header *header, unsigned *groups)
{
    *groups = 0;
    header->size = 1;
    for (unsigned index = 0; index < GROUP_BYTE_MAX; index++) {
        if (header->size == size) {
            return FRAME_NEED_MORE;
        }
        unsigned byte = bytes[header->size++];
        *groups |= (byte & ~(unsigned)MORE_GROUPS) << 8 * index;
        if (!(byte & MORE_GROUPS)) {
            return FRAME_FOUND;
        }
    }
    return FRAME_SKIP;
}

static bool is_mask_known(unsigned group, unsigned mask)
{
    for (unsigned bit = 0; bit < FIELD_BITS && mask >> bit; bit++) {
        if ((mask >> bit & 1) && FIELDS[group][bit].size == 0) {
            return false;
        }
    }
    return true;
}

static enum frame_verdict mask_read(const uint8_t *bytes, size_t size, unsigned group,
                                    struct header *header)
{
    if (size < header->size + 2) {
        return FRAME_NEED_MORE;
    }
    unsigned mask = framing_u16(bytes + header->size);
    header->size += 2;
    header->masks[group] = (uint16_t)(mask & ~(unsigned)MORE_FIELDS);
    if (!is_mask_known(group, mask)) {
        return FRAME_SKIP;
    }
    if (!(mask & MORE_FIELDS)) {
        return mask == 0 ? FRAME_SKIP : FRAME_FOUND;
    }
    if (size < header->size + 2) {
        return FRAME_NEED_MORE;
    }
    /* No field of these groups is known in the extension word. */
    unsigned extension = framing_u16(bytes + header->size);
    header->size += 2;
    return extension == 0 ? FRAME_FOUND : FRAME_SKIP;
}

static enum frame_verdict header_read(const uint8_t *bytes, size_t size,
                                      struct header *header)
{
    memset(header, 0, sizeof *header);
    unsigned groups = 0;
    enum frame_verdict verdict = groups_read(bytes, size, header, &groups);
    if (verdict != FRAME_FOUND) {
        return verdict;
    }
    if (groups == 0 || groups >> GROUP_COUNT) {
        return FRAME_SKIP;
    }
    for (unsigned group = 0; group < GROUP_COUNT && verdict == FRAME_FOUND; group++) {
        if (groups >> group & 1) {
            verdict = mask_read(bytes, size, group, header);
        }
    }
    return verdict;
}

static size_t payload_size(const struct header *header)
{
    size_t size = 0;
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        unsigned mask = header->masks[group];
        for (unsigned bit = 0; mask >> bit; bit++) {
            size += (mask >> bit & 1) ? FIELDS[group][bit].size : 0u;
        }
    }
    return size;
}

/* A frame that is damaged takes its sync byte alone: an intact one may begin inside.
 * decode calls it bad by its size. */
static enum frame_verdict binary_next(const uint8_t *bytes, size_t size, size_t *frame_size)
{
    struct header header;
    enum frame_verdict verdict = header_read(bytes, size, &header);
    *frame_size = 1;
    if (verdict != FRAME_FOUND) {
        return verdict;
    }
    size_t whole = header.size + payload_size(&header) + CRC_SIZE;
    if (size < whole) {
        return FRAME_NEED_MORE;
    }
    if (framing_crc16(bytes + 1, whole - 1) == 0) {
        *frame_size = whole;
    }
    return FRAME_FOUND;
}

/* Where each part stands in a frame; NULL = it is not there. Of two that say the same the
 * later one, of the more special group, counts. */
static void parts_find(const uint8_t *frame, const struct header *header,
                       const uint8_t *parts[PART_COUNT])
{
    const uint8_t *next = frame + header->size;
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        unsigned mask = header->masks[group];
        for (unsigned bit = 0; mask >> bit; bit++) {
            if (!(mask >> bit & 1)) {
                continue;
            }
            const struct field *field = &FIELDS[group][bit];
            const uint8_t *part = next;
            for (unsigned index = 0;
                 index < FIELD_PARTS_MAX && field->parts[index] != PART_NONE; index++) {
                parts[field->parts[index]] = part;
                part += PART_SIZES[field->parts[index]];
            }
            next += field->size;
        }
    }
    parts[PART_NONE] = NULL;
}

enum frame_time {
    TIME_NONE,
    TIME_NEAR, /* follows the newest */
    TIME_FAR
};

/* @param frame  As binary_next found it. */
static enum frame_time frame_time(const struct vn100 *vn100, const uint8_t *frame,
                                  size_t size)
{
    struct header header;
    const uint8_t *parts[PART_COUNT] = {NULL};
    (void)header_read(frame, size, &header);
    parts_find(frame, &header, parts);
    if (!parts[PART_TIME]) {
        return TIME_NONE;
    }
    uint64_t step = framing_u64(parts[PART_TIME]) - vn100->newest_ticks;
    return step > 0 && step <= NEAR_TICKS ? TIME_NEAR : TIME_FAR;
}

/* One damaged frame in 65536 that has a start inside gives a frame whose checksum fits by
 * chance. Behind damage, one whose time does not follow is therefore compared with those
 * that begin inside it.
 * @return FRAME_SKIP when one of these is the true one, FRAME_NEED_MORE when that is not
 * known yet. */
static enum frame_verdict rival_find(const struct vn100 *vn100, const uint8_t *bytes,
                                     size_t size, size_t frame_size)
{
    for (size_t start = 1; start < frame_size; start++) {
        if (bytes[start] != SYNC) {
            continue;
        }
        size_t rival_size = 0;
        const uint8_t *rival = bytes + start;
        enum frame_verdict verdict = binary_next(rival, size - start, &rival_size);
        if (verdict == FRAME_NEED_MORE) {
            return FRAME_NEED_MORE;
        }
        if (verdict == FRAME_FOUND && start + rival_size > frame_size
            && frame_time(vn100, rival, rival_size) == TIME_NEAR) {
            return FRAME_SKIP;
        }
    }
    return FRAME_FOUND;
}

/* A frame that lost its last byte takes the sync byte of the next one for it when the two
 * are equal. A sync byte at the end is therefore left there, so that neither reading loses
 * a frame. */
static size_t left_count(const uint8_t *bytes, size_t size)
{
    return size > 1 && bytes[size - 1] == SYNC ? 1 : 0;
}

static enum frame_verdict binary_judge(const struct vn100 *vn100, const uint8_t *bytes,
                                       size_t size, size_t *frame_size)
{
    enum frame_verdict verdict = binary_next(bytes, size, frame_size);
    if (verdict != FRAME_FOUND || *frame_size == 1) {
        return verdict;
    }
    size_t whole = *frame_size;
    *frame_size -= left_count(bytes, whole);
    if (!vn100->is_doubting || vn100->newest_ticks == 0
        || frame_time(vn100, bytes, whole) != TIME_FAR) {
        return verdict;
    }
    verdict = rival_find(vn100, bytes, size, *frame_size);
    if (verdict == FRAME_SKIP) {
        *frame_size = 1;
        return FRAME_FOUND; /* and bad */
    }
    return verdict;
}

/* What the frame before left, when the start of another stands behind it: no header has two
 * sync bytes, nor one and a dollar sign, at its start. */
static size_t lead_size(const uint8_t *bytes, size_t size)
{
    return size > 1 && bytes[0] == SYNC && (bytes[1] == SYNC || bytes[1] == '$') ? 1 : 0;
}

/* ---- samples ---- */

static struct sample *sample_add(struct sample *samples, int *count,
                                 enum vn100_stream stream, uint64_t ticks)
{
    struct sample *sample = &samples[(*count)++];
    memset(sample, 0, sizeof *sample);
    sample->device_ticks = ticks;
    sample->stream = (uint8_t)stream;
    sample->channel_count = (uint8_t)STREAMS[stream].channel_count;
    return sample;
}

static void floats_read(const uint8_t *bytes, unsigned count, double scale, float *values)
{
    for (unsigned index = 0; index < count; index++) {
        values[index] = (float)(scale * (double)framing_f32(bytes + (size_t)4 * index));
    }
}

static void clip_note(struct sample *sample)
{
    const float *full_scale = STREAMS[sample->stream].full_scale;
    for (unsigned index = 0; index < sample->channel_count; index++) {
        if (fabsf(sample->values[index]) >= CLIP_SHARE * full_scale[index]) {
            sample->flags |= SAMPLE_CLIPPED;
        }
    }
}

static void finite_keep(const struct sample *sample, int *count)
{
    for (unsigned index = 0; index < sample->channel_count; index++) {
        if (!isfinite(sample->values[index])) {
            (*count)--;
            return;
        }
    }
}

static void inertial_add(const uint8_t *rate, const uint8_t *acceleration,
                         const uint8_t *saturation, uint64_t ticks, struct sample *samples,
                         int *count)
{
    /* SensSat: bits 3 to 5 accelerometer, 6 to 8 gyroscope. */
    static const unsigned saturation_mask = 0x1F8;
    struct sample *sample = sample_add(samples, count, INERTIAL, ticks);
    floats_read(rate, 3, DEG_PER_RAD, sample->values);
    floats_read(acceleration, 3, 1.0 / GRAVITY_M_S2, sample->values + 3);
    clip_note(sample);
    if (saturation && (framing_u16(saturation) & saturation_mask)) {
        sample->flags |= SAMPLE_CLIPPED;
    }
    finite_keep(sample, count);
}

struct part_stream {
    enum part part;
    enum vn100_stream stream;
};

static const struct part_stream PLAIN_PARTS[] = {
    {PART_YPR, YAW_PITCH_ROLL},
    {PART_MATRIX, MATRIX},
    {PART_MAGNETIC_EARTH, MAGNETIC_EARTH},
    {PART_ACCELERATION_EARTH, ACCELERATION_EARTH},
    {PART_LINEAR, LINEAR},
    {PART_LINEAR_EARTH, LINEAR_EARTH},
    {PART_UNCERTAINTY, UNCERTAINTY},
    {PART_TEMPERATURE, TEMPERATURE},
    {PART_PRESSURE, PRESSURE},
};

static void quaternion_add(const uint8_t *bytes, uint64_t ticks, struct sample *samples,
                           int *count)
{
    struct sample *sample = sample_add(samples, count, QUATERNION, ticks);
    /* On the wire: x y z w. */
    floats_read(bytes + 12, 1, 1.0, sample->values);
    floats_read(bytes, 3, 1.0, sample->values + 1);
}

static int parts_decode(const uint8_t *const parts[PART_COUNT], uint64_t ticks,
                        struct sample *samples)
{
    /* The compensated reading where there is one. */
    const uint8_t *rate =
        parts[PART_RATE] ? parts[PART_RATE] : parts[PART_RATE_UNCOMPENSATED];
    const uint8_t *acceleration = parts[PART_ACCELERATION]
                                      ? parts[PART_ACCELERATION]
                                      : parts[PART_ACCELERATION_UNCOMPENSATED];
    const uint8_t *magnetic =
        parts[PART_MAGNETIC] ? parts[PART_MAGNETIC] : parts[PART_MAGNETIC_UNCOMPENSATED];
    int count = 0;
    if (rate && acceleration) {
        inertial_add(rate, acceleration, parts[PART_SATURATION], ticks, samples, &count);
    }
    if (magnetic) {
        struct sample *sample = sample_add(samples, &count, MAGNETIC, ticks);
        floats_read(magnetic, 3, 1.0, sample->values);
        clip_note(sample);
    }
    if (parts[PART_QUATERNION]) {
        quaternion_add(parts[PART_QUATERNION], ticks, samples, &count);
    }
    for (size_t index = 0; index < sizeof PLAIN_PARTS / sizeof PLAIN_PARTS[0]; index++) {
        const uint8_t *part = parts[PLAIN_PARTS[index].part];
        if (part) {
            struct sample *sample =
                sample_add(samples, &count, PLAIN_PARTS[index].stream, ticks);
            floats_read(part, sample->channel_count, 1.0, sample->values);
        }
    }
    return count;
}

/* The time of a frame. Of a frame between timed ones, lesser or from another of the three
 * outputs, the newest time is known; there is none when so many inertial ones in a row had
 * none. */
static uint64_t ticks_of(struct vn100 *vn100, const uint8_t *const parts[PART_COUNT])
{
    bool is_inertial =
        (parts[PART_RATE] || parts[PART_RATE_UNCOMPENSATED])
        && (parts[PART_ACCELERATION] || parts[PART_ACCELERATION_UNCOMPENSATED]);
    if (is_inertial) {
        vn100->timeless_count = parts[PART_TIME] ? 0 : vn100->timeless_count + 1;
    }
    if (parts[PART_TIME] ? is_inertial || !vn100->has_inertial
                         : !vn100->has_inertial || vn100->timeless_count >= TIMELESS_MAX) {
        vn100->is_timeless = !parts[PART_TIME];
    }
    vn100->has_inertial = vn100->has_inertial || is_inertial;
    if (parts[PART_TIME]) {
        vn100->newest_ticks = framing_u64(parts[PART_TIME]);
    }
    return vn100->is_timeless ? 0 : vn100->newest_ticks;
}

static int binary_decode(struct vn100 *vn100, const uint8_t *frame, size_t size,
                         struct sample *samples)
{
    struct header header;
    if (header_read(frame, size, &header) != FRAME_FOUND
        || size < header.size + payload_size(&header) + CRC_SIZE - 1) {
        return -1; /* one byte may be left to the next */
    }
    vn100->has_left = size < header.size + payload_size(&header) + CRC_SIZE;
    const uint8_t *parts[PART_COUNT] = {NULL};
    parts_find(frame, &header, parts);
    return parts_decode(parts, ticks_of(vn100, parts), samples);
}

/* ---- ASCII lines ---- */

static int hex_digit(char character)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *found = character ? strchr(digits, character & ~0x20) : NULL;
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    return found && *found >= 'A' ? (int)(found - digits) : -1;
}

/* @return The number, -1 when there is none. */
static int hex_read(const char *text, size_t size)
{
    int value = size > 0 && size <= 4 ? 0 : -1;
    for (size_t index = 0; index < size && value >= 0; index++) {
        int digit = hex_digit(text[index]);
        value = digit < 0 ? -1 : value << 4 | digit;
    }
    return value;
}

static int xor_sum(const char *text, size_t size)
{
    int sum = 0;
    for (size_t index = 0; index < size; index++) {
        sum ^= (uint8_t)text[index];
    }
    return sum;
}

/* "$VN...*CS": two digits are an exclusive or, four a CRC.
 * @param text  Out: what stands between; its size is returned, 0 = the line is damaged. */
static size_t line_open(const uint8_t *line, size_t size, const char **text)
{
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
        size--;
    }
    const uint8_t *star = memchr(line, '*', size);
    if (!star) {
        return 0;
    }
    *text = (const char *)line + 1;
    size_t text_size = (size_t)(star - line) - 1;
    size_t digits = size - text_size - 2;
    int sum = hex_read((const char *)star + 1, digits);
    bool is_good = (digits == 2 && sum == xor_sum(*text, text_size))
                   || (digits == 4 && sum == framing_crc16(line + 1, text_size));
    return is_good ? text_size : 0;
}

static enum frame_verdict line_next(const uint8_t *bytes, size_t size, size_t *frame_size)
{
    static const char start[] = "$VN";
    *frame_size = 1;
    for (size_t index = 0; index < LINE_MAX; index++) {
        if (index == size) {
            return FRAME_NEED_MORE;
        }
        uint8_t byte = bytes[index];
        if (index < 3 && byte != (uint8_t)start[index]) {
            return FRAME_SKIP;
        }
        if (byte == '\n') {
            const char *text = NULL;
            *frame_size = line_open(bytes, index + 1, &text) > 0 ? index + 1 : 1;
            return FRAME_FOUND;
        }
        if ((byte < ' ' || byte > '~') && byte != '\r') {
            return FRAME_SKIP;
        }
    }
    return FRAME_SKIP;
}

/* ---- what the device answers ---- */

static void notice_set(struct vn100 *vn100, const char *text)
{
    (void)snprintf(vn100->notice, sizeof vn100->notice, "%s", text);
    vn100->notice_count++;
}

static void text_keep(char *out, size_t capacity, const char *text, size_t size)
{
    (void)snprintf(out, capacity, "%.*s", (int)size, text);
}

static void identity_make(struct vn100 *vn100)
{
    (void)snprintf(vn100->identity, sizeof vn100->identity, "%s%s%s%s%s",
                   vn100->model[0] ? vn100->model : "VectorNav",
                   vn100->serial[0] ? " " : "", vn100->serial,
                   vn100->firmware[0] ? ", firmware " : "", vn100->firmware);
}

/* Register 75, "1,8,01,0131": mode, divisor, groups, masks.
 * @return Divisor, 0 = nothing is put out. */
static unsigned output_divisor(const char *values, size_t size)
{
    uint64_t mode = 0;
    uint64_t divisor = 0;
    size_t used = framing_integer(values, size, &mode);
    if (used == 0 || mode == 0 || used == size || values[used] != ',') {
        return 0;
    }
    used++;
    used = framing_integer(values + used, size - used, &divisor);
    return used > 0 && divisor <= UINT16_MAX ? (unsigned)divisor : 0;
}

static void output_note(struct vn100 *vn100, const char *values, size_t size, bool is_write)
{
    unsigned divisor = output_divisor(values, size);
    if (divisor == 0) {
        return;
    }
    vn100->rate_hz = (double)BASE_RATE_HZ / divisor;
    if (is_write) {
        vn100->is_output_written = true;
        return;
    }
    bool is_other =
        fabs(vn100->rate_hz - vn100->asked_hz) > RATE_TOLERANCE * vn100->asked_hz;
    if (vn100->is_output_written && is_other) {
        (void)snprintf(vn100->notice, sizeof vn100->notice,
                       "asked for %g Hz, the sensor set %.4g Hz", vn100->asked_hz,
                       vn100->rate_hz);
        vn100->notice_count++;
    }
}

static void step_next(struct vn100 *vn100)
{
    vn100->step++;
    vn100->try_count = 0;
    vn100->is_waiting = false;
}

/* Settings as found; what a replugged device says is no longer that. */
static void found_keep(char *out, size_t capacity, const char *values, size_t size)
{
    if (!out[0] && size < capacity) {
        text_keep(out, capacity, values, size);
    }
}

/* What was found in another unit is nothing to put back into this one. */
static void unit_note(const struct vn100 *vn100, struct kept *kept)
{
    if (kept->serial[0] && strcmp(kept->serial, vn100->serial) != 0) {
        memset(kept, 0, sizeof *kept);
    }
    memcpy(kept->serial, vn100->serial, sizeof kept->serial);
}

static void step_answer(struct driver_context *context, const char *values, size_t size)
{
    struct vn100 *vn100 = vn100_of(context);
    struct kept *kept = kept_of(context);
    if (vn100->step == STEP_SERIAL) {
        unit_note(vn100, kept);
    } else if (vn100->step == STEP_ASCII_READ && !kept->is_ascii_changed) {
        found_keep(kept->ascii, sizeof kept->ascii, values, size);
    } else if (vn100->step == STEP_OUTPUT_READ && !kept->is_output_changed) {
        found_keep(kept->output, sizeof kept->output, values, size);
    }
    step_next(vn100);
}

/* "VNRRG,75,1,8,01,0131" or what a write gives back. */
static void register_decode(struct driver_context *context, const char *text, size_t size)
{
    struct vn100 *vn100 = vn100_of(context);
    if (size < STEP_KEY_SIZE + 2 || text[STEP_KEY_SIZE] != ',') {
        return;
    }
    const char *values = text + STEP_KEY_SIZE + 1;
    size_t values_size = size - STEP_KEY_SIZE - 1;
    if (memcmp(text, "VNRRG,01", STEP_KEY_SIZE) == 0) {
        text_keep(vn100->model, sizeof vn100->model, values, values_size);
    } else if (memcmp(text, "VNRRG,03", STEP_KEY_SIZE) == 0) {
        text_keep(vn100->serial, sizeof vn100->serial, values, values_size);
    } else if (memcmp(text, "VNRRG,04", STEP_KEY_SIZE) == 0) {
        text_keep(vn100->firmware, sizeof vn100->firmware, values, values_size);
    } else if (memcmp(text + 5, ",75", 3) == 0) {
        output_note(vn100, values, values_size, text[2] == 'W');
    }
    identity_make(vn100);
    if (vn100->is_waiting && memcmp(text, STEP_TEXTS[vn100->step], STEP_KEY_SIZE) == 0) {
        step_answer(context, values, values_size);
    }
}

/* Error codes of the maker's SDK; they come as hexadecimal digits. */
static const char *const ERROR_TEXTS[] = {
    NULL,
    "hard fault",
    "serial buffer overflow",
    "invalid checksum",
    "invalid command",
    "not enough parameters",
    "too many parameters",
    "invalid parameter",
    "invalid register",
    "unauthorised access",
    "watchdog reset",
    "output buffer overflow",
    "baud rate too low for this output",
};

enum {
    ERROR_HARD_FAULT = 1,
    ERROR_CHECKSUM = 3,
    ERROR_WATCHDOG = 10,
    ERROR_OVERFLOW = 11,
    ERROR_BAUD = 12,
    ERROR_COUNT = sizeof ERROR_TEXTS / sizeof ERROR_TEXTS[0]
};

static void error_step(struct vn100 *vn100, int code)
{
    bool is_answer = code != ERROR_HARD_FAULT && code != ERROR_WATCHDOG
                     && code != ERROR_OVERFLOW && code < ERROR_COUNT;
    if (!vn100->is_waiting || !is_answer) {
        return;
    }
    if (code == ERROR_CHECKSUM) {
        vn100->is_waiting = false; /* damaged on its way: send again */
    } else if (code == ERROR_BAUD && vn100->step == STEP_OUTPUT_WRITE
               && vn100->divisor <= DIVISOR_MAX / 2) {
        vn100->divisor *= 2;
        vn100->try_count = 0;
        vn100->is_waiting = false;
    } else {
        step_next(vn100);
    }
}

static void error_decode(struct vn100 *vn100, const char *text, size_t size)
{
    size_t digits = size > 6 ? size - 6 : 0;
    const char *comma = digits ? memchr(text + 6, ',', digits) : NULL;
    digits = comma ? (size_t)(comma - text) - 6 : digits;
    int code = digits ? hex_read(text + 6, digits) : -1;
    if (code < 0) {
        return;
    }
    /* Written in decimal by some firmware: no such code in hexadecimal. */
    code = code >= 0x10 && code <= 0x12 ? code - 6 : code;
    const char *meaning = code > 0 && code < ERROR_COUNT ? ERROR_TEXTS[code] : NULL;
    char notice[NOTICE_SIZE];
    (void)snprintf(notice, sizeof notice, "the sensor reports error %d: %s", code,
                   meaning ? meaning : "see its manual");
    notice_set(vn100, notice);
    error_step(vn100, code);
}

static int line_decode(struct driver_context *context, const uint8_t *line, size_t size)
{
    const char *text = NULL;
    size_t text_size = line_open(line, size, &text);
    if (text_size == 0) {
        return -1;
    }
    if (text_size >= 6 && memcmp(text, "VNERR,", 6) == 0) {
        error_decode(vn100_of(context), text, text_size);
    } else if (text_size >= 6
               && (memcmp(text, "VNRRG,", 6) == 0 || memcmp(text, "VNWRG,", 6) == 0)) {
        register_decode(context, text, text_size);
    }
    return 0;
}

/* ---- what the device is told ---- */

static size_t command_make(uint8_t *bytes, const char *text)
{
    int sum = xor_sum(text, strlen(text));
    int size = snprintf((char *)bytes, DRIVER_COMMAND_MAX, "$%s*%02X\r\n", text, sum);
    return (size_t)size;
}

static size_t output_command(uint8_t *bytes, unsigned mode, unsigned divisor)
{
    char text[64];
    (void)snprintf(text, sizeof text, "VNWRG,75,%u,%u,%s", mode, divisor, OUTPUT_FIELDS);
    return command_make(bytes, text);
}

/* What cannot be put back later is not changed.
 * @return Whether the register that the step changes or checks is known as it was found. */
static bool is_step_possible(const struct vn100 *vn100, const struct kept *kept)
{
    switch ((enum step)vn100->step) {
    case STEP_ASCII_OFF:
        return kept->ascii[0];
    case STEP_OUTPUT_WRITE:
    case STEP_OUTPUT_CHECK:
        return kept->output[0];
    case STEP_MODEL:
    case STEP_SERIAL:
    case STEP_FIRMWARE:
    case STEP_ASCII_READ:
    case STEP_OUTPUT_READ:
    case STEP_DONE:
        break;
    }
    return true;
}

static void impossible_skip(struct vn100 *vn100, const struct kept *kept)
{
    while (!is_step_possible(vn100, kept)) {
        if (!vn100->is_left) {
            vn100->is_left = true;
            notice_set(vn100, "settings could not be read: the sensor is read as it is");
        }
        step_next(vn100);
    }
}

static size_t vn100_command_next(struct driver_context *context, int64_t now_ns,
                                 uint8_t *bytes)
{
    struct vn100 *vn100 = vn100_of(context);
    struct kept *kept = kept_of(context);
    if (vn100->is_stopping
        || (vn100->is_waiting && now_ns - vn100->sent_ns < COMMAND_TIMEOUT_NS)) {
        return 0;
    }
    if (vn100->step < STEP_DONE && vn100->try_count == COMMAND_TRY_MAX) {
        step_next(vn100);
    }
    impossible_skip(vn100, kept);
    if (vn100->step >= STEP_DONE) {
        return 0;
    }
    vn100->try_count++;
    vn100->is_waiting = true;
    vn100->sent_ns = now_ns;
    kept->is_ascii_changed = kept->is_ascii_changed || vn100->step == STEP_ASCII_OFF;
    if (vn100->step == STEP_OUTPUT_WRITE) {
        kept->is_output_changed = true;
        return output_command(bytes, 1, vn100->divisor);
    }
    return command_make(bytes, STEP_TEXTS[vn100->step]);
}

static size_t restore_command(uint8_t *bytes, const char *head, const char *values)
{
    char text[REGISTER_SIZE + 16];
    if (!values[0]) {
        return 0;
    }
    (void)snprintf(text, sizeof text, "%s%s", head, values);
    return command_make(bytes, text);
}

static size_t stop_command(struct vn100 *vn100, const struct kept *kept, uint8_t *bytes)
{
    switch ((enum stop_step)vn100->stop_step++) {
    case STOP_OUTPUT_OFF:
        return kept->is_output_changed ? output_command(bytes, 0, vn100->divisor) : 0;
    case STOP_OUTPUT_RESTORE:
        return kept->is_output_changed ? restore_command(bytes, "VNWRG,75,", kept->output)
                                       : 0;
    case STOP_ASCII_RESTORE:
        return kept->is_ascii_changed ? restore_command(bytes, "VNWRG,06,", kept->ascii)
                                      : 0;
    case STOP_DONE:
        break;
    }
    return 0;
}

static size_t vn100_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct vn100 *vn100 = vn100_of(context);
    vn100->is_stopping = true;
    while (vn100->stop_step < STOP_DONE) {
        size_t size = stop_command(vn100, kept_of(context), bytes);
        if (size > 0) {
            return size;
        }
    }
    memset(context->kept, 0, sizeof context->kept);
    return 0;
}

/* ---- the driver ---- */

static enum status vn100_init(struct driver_context *context,
                              const struct driver_settings *settings)
{
    struct vn100 *vn100 = vn100_of(context);
    vn100->asked_hz =
        settings && settings->rate_hz > 0.0 ? settings->rate_hz : DEFAULT_RATE_HZ;
    double divisor = round(BASE_RATE_HZ / vn100->asked_hz);
    vn100->divisor = divisor < 1.0           ? 1
                     : divisor > DIVISOR_MAX ? DIVISOR_MAX
                                             : (unsigned)divisor;
    return STATUS_OK;
}

static enum frame_verdict start_judge(const struct vn100 *vn100, const uint8_t *bytes,
                                      size_t size, size_t *frame_size)
{
    return bytes[0] == SYNC ? binary_judge(vn100, bytes, size, frame_size)
                            : line_next(bytes, size, frame_size);
}

static enum frame_verdict vn100_frame_next(const struct driver_context *context,
                                           const uint8_t *bytes, size_t size,
                                           size_t *frame_size)
{
    const struct vn100 *vn100 = vn100_look(context);
    size_t lead = vn100->has_left ? lead_size(bytes, size) : 0;
    if (lead > 0) {
        /* Not stray, unless what follows is damaged. */
        enum frame_verdict verdict =
            start_judge(vn100, bytes + lead, size - lead, frame_size);
        if (verdict == FRAME_NEED_MORE || (verdict == FRAME_FOUND && *frame_size > 1)) {
            *frame_size += lead;
            return verdict;
        }
    }
    if (bytes[0] == SYNC || bytes[0] == '$') {
        return start_judge(vn100, bytes, size, frame_size);
    }
    size_t skip = 1;
    while (skip < size && bytes[skip] != SYNC && bytes[skip] != '$') {
        skip++;
    }
    *frame_size = skip;
    return FRAME_SKIP;
}

static int vn100_decode(struct driver_context *context, const uint8_t *frame,
                        size_t frame_size, struct sample *samples)
{
    struct vn100 *vn100 = vn100_of(context);
    vn100->is_doubting = frame_size < 2;
    vn100->has_left = false;
    if (frame_size < 2) {
        return -1;
    }
    size_t lead = lead_size(frame, frame_size);
    frame += lead;
    frame_size -= lead;
    if (frame[0] == '$') {
        return line_decode(context, frame, frame_size);
    }
    return binary_decode(vn100, frame, frame_size, samples);
}

static double vn100_rate_hz_get(const struct driver_context *context)
{
    return vn100_look(context)->rate_hz;
}

static double vn100_tick_s_get(const struct driver_context *context)
{
    return vn100_look(context)->is_timeless ? 0.0 : TICK_S;
}

static const char *vn100_identity_get(const struct driver_context *context)
{
    return vn100_look(context)->identity;
}

static const char *vn100_notice_get(const struct driver_context *context, unsigned *count)
{
    *count = vn100_look(context)->notice_count;
    return vn100_look(context)->notice;
}

/* The cable of the rugged unit holds an FTDI chip. */
static const struct usb_id USB_IDS[] = {{0x0403, 0x6001, true}};
static const unsigned BAUDS[] = {921600, 460800, 230400, 57600, 0};
static const uint8_t QUESTION[] = "$VNRRG,01*72\r\n";

extern const struct driver driver_vectornav_vn100;

const struct driver driver_vectornav_vn100 = {
    .name = "vectornav-vn100",
    .title = "VectorNav VN-100",
    .streams = STREAMS,
    .stream_count = VN100_STREAM_COUNT,
    .frame_max = VIEW_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 1e-9,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .bauds = BAUDS,
    .question = QUESTION,
    .question_size = sizeof QUESTION - 1,
    .init = vn100_init,
    .frame_next = vn100_frame_next,
    .decode = vn100_decode,
    .command_next = vn100_command_next,
    .command_stop = vn100_command_stop,
    .rate_hz_get = vn100_rate_hz_get,
    .identity_get = vn100_identity_get,
    .tick_s_get = vn100_tick_s_get,
    .notice_get = vn100_notice_get,
};

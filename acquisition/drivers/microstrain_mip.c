/* MicroStrain inertial sensors (CV7, CX5, GX5 and others): packets of the MIP protocol, as
 * in the maker's MIP SDK (definitions of data sets and commands). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "base/units.h"

enum {
    SYNC_1 = 0x75,
    SYNC_2 = 0x65,
    HEAD_SIZE = 4, /* two sync bytes, descriptor set, payload size */
    SUM_SIZE = 2,
    FIELD_HEAD_SIZE = 2, /* size of the field with this head, descriptor */
    PACKET_MAX = HEAD_SIZE + 255 + SUM_SIZE,
    VIEW_MAX = 2 * PACKET_MAX, /* a doubted packet and one that begins inside */
    TEXT_SIZE = 17,            /* 16 characters of the device's texts */
    NOTICE_SIZE = 128,
    IDENTITY_SIZE = 80,
    COMMAND_TRY_MAX = 3,
    FORMAT_MAX = 243, /* 81 descriptors: what one command here can carry */
    DECIMATION_MAX = 0xFFFF
};

static const int64_t COMMAND_TIMEOUT_NS = 500000000;
static const double TICK_S = 1e-9;
/* Behind damage a packet is believed at once if its time is so near that of the last. */
static const uint64_t NEAR_TICKS = 10000000000u;
static const double DEFAULT_RATE_HZ = 100.0;
/* A difference that a person should know of. */
static const double RATE_TOLERANCE = 0.01;

enum descriptor_set {
    SET_BASE = 0x01,
    SET_3DM = 0x0C,
    SET_SENSOR = 0x80,
    SET_FILTER = 0x82,
    SET_DATA_FIRST = 0x80 /* lower sets are commands and their answers */
};

/* In data sets. */
enum data_descriptor {
    DATA_ACCELERATION = 0x04,
    DATA_RATE = 0x05,
    DATA_OVERRANGE = 0x18,
    DATA_REFERENCE_TIME = 0xD5
};

enum mip_stream {
    INERTIAL,
    MAGNETIC,
    QUATERNION,
    EULER,
    MATRIX,
    DELTA_THETA,
    DELTA_VELOCITY,
    UP_VECTOR,
    NORTH_VECTOR,
    TEMPERATURE,
    PRESSURE,
    FILTER_QUATERNION,
    FILTER_EULER,
    MIP_STREAM_COUNT
};

/* Ranges are ordered with the device (2 to 40 g, 300 to 1000 deg/s) and not said in its
 * data: full scales are unknown, the device's own overrange field tells. */
static const struct stream_info STREAMS[MIP_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {0}},
    [MAGNETIC] = {"magnetic",
                  STREAM_MAGNETIC,
                  3,
                  {"magnetometer_x_gauss", "magnetometer_y_gauss", "magnetometer_z_gauss"},
                  {"G", "G", "G"},
                  {0}},
    [QUATERNION] = {"quaternion",
                    STREAM_ORIENTATION,
                    4,
                    {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z"},
                    {"1", "1", "1", "1"},
                    {0}},
    [EULER] = {"euler",
               STREAM_ORIENTATION,
               3,
               {"roll_deg", "pitch_deg", "yaw_deg"},
               {"deg", "deg", "deg"},
               {0}},
    [MATRIX] = {"matrix",
                STREAM_ORIENTATION,
                9,
                {"matrix_xx", "matrix_xy", "matrix_xz", "matrix_yx", "matrix_yy",
                 "matrix_yz", "matrix_zx", "matrix_zy", "matrix_zz"},
                {"1", "1", "1", "1", "1", "1", "1", "1", "1"},
                {0}},
    [DELTA_THETA] = {"delta_theta",
                     STREAM_ORIENTATION,
                     3,
                     {"delta_theta_x_deg", "delta_theta_y_deg", "delta_theta_z_deg"},
                     {"deg", "deg", "deg"},
                     {0}},
    [DELTA_VELOCITY] = {"delta_velocity",
                        STREAM_ORIENTATION,
                        3,
                        {"delta_velocity_x_g_s", "delta_velocity_y_g_s",
                         "delta_velocity_z_g_s"},
                        {"g.s", "g.s", "g.s"},
                        {0}},
    [UP_VECTOR] = {"up_vector",
                   STREAM_ORIENTATION,
                   3,
                   {"up_x_g", "up_y_g", "up_z_g"},
                   {"g", "g", "g"},
                   {0}},
    [NORTH_VECTOR] = {"north_vector",
                      STREAM_ORIENTATION,
                      3,
                      {"north_x_gauss", "north_y_gauss", "north_z_gauss"},
                      {"G", "G", "G"},
                      {0}},
    [TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
    [PRESSURE] = {"pressure", STREAM_STATUS, 1, {"pressure_mbar"}, {"mbar"}, {0}},
    [FILTER_QUATERNION] = {"filter_quaternion",
                           STREAM_ORIENTATION,
                           5,
                           {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z",
                            "valid"},
                           {"1", "1", "1", "1", "1"},
                           {0}},
    [FILTER_EULER] = {"filter_euler",
                      STREAM_ORIENTATION,
                      4,
                      {"roll_deg", "pitch_deg", "yaw_deg", "valid"},
                      {"deg", "deg", "deg", "1"},
                      {0}},
};

/* A field whose numbers become one sample of one stream. */
struct content {
    uint8_t set;
    uint8_t descriptor;
    uint8_t size;  /* of its data, bytes */
    uint8_t first; /* byte at which the wanted numbers begin */
    uint8_t float_count;
    bool has_valid; /* a u16 of valid flags follows: the last channel */
    enum mip_stream stream;
    double scale;
};

static const struct content CONTENTS[] = {
    {SET_SENSOR, 0x06, 12, 0, 3, false, MAGNETIC, 1.0},
    {SET_SENSOR, 0x07, 12, 0, 3, false, DELTA_THETA, DEG_PER_RAD},
    {SET_SENSOR, 0x08, 12, 0, 3, false, DELTA_VELOCITY, 1.0},
    {SET_SENSOR, 0x09, 36, 0, 9, false, MATRIX, 1.0},
    {SET_SENSOR, 0x0A, 16, 0, 4, false, QUATERNION, 1.0},
    {SET_SENSOR, 0x0C, 12, 0, 3, false, EULER, DEG_PER_RAD},
    {SET_SENSOR, 0x10, 12, 0, 3, false, NORTH_VECTOR, 1.0},
    {SET_SENSOR, 0x11, 12, 0, 3, false, UP_VECTOR, 1.0},
    {SET_SENSOR, 0x14, 12, 8, 1, false, TEMPERATURE, 1.0}, /* minimum, maximum, mean */
    {SET_SENSOR, 0x17, 4, 0, 1, false, PRESSURE, 1.0},
    {SET_FILTER, 0x03, 18, 0, 4, true, FILTER_QUATERNION, 1.0},
    {SET_FILTER, 0x05, 14, 0, 3, true, FILTER_EULER, DEG_PER_RAD},
};

enum {
    CONTENT_COUNT = sizeof CONTENTS / sizeof CONTENTS[0]
};

/* In answers to commands. */
enum {
    REPLY_ACK = 0xF1,
    REPLY_INFO = 0x81,
    REPLY_INFO_SIZE = 82,
    REPLY_BASE_RATE = 0x8E,
    REPLY_FORMAT = 0x8F,
    REPLY_STREAM = 0x85
};

/* What is sent, one after the other's answer. */
enum step {
    STEP_IDLE,
    STEP_PING,
    STEP_INFO,
    STEP_BASE_RATE,
    STEP_FORMAT_READ,
    STEP_STREAM_READ,
    STEP_FORMAT_WRITE,
    STEP_FORMAT_CHECK,
    STEP_STREAM_ON,
    STEP_RESUME,
    STEP_DONE
};

enum {
    FUNCTION_WRITE = 1,
    FUNCTION_READ = 2,
    COMMAND_FORMAT = 0x0F,
    COMMAND_STREAM = 0x11,
    COMMAND_IDLE = 0x02,
    COMMAND_RESUME = 0x06
};

struct command {
    uint8_t set;
    uint8_t descriptor;
    uint8_t argument_size;
    uint8_t arguments[3];
    uint8_t reply; /* field that must come with the acknowledgement, 0 = none may */
};

static const struct command COMMANDS[STEP_DONE] = {
    [STEP_IDLE] = {SET_BASE, COMMAND_IDLE, 0, {0}, 0},
    [STEP_PING] = {SET_BASE, 0x01, 0, {0}, 0},
    [STEP_INFO] = {SET_BASE, 0x03, 0, {0}, REPLY_INFO},
    [STEP_BASE_RATE] = {SET_3DM, 0x0E, 1, {SET_SENSOR}, REPLY_BASE_RATE},
    [STEP_FORMAT_READ] =
        {SET_3DM, COMMAND_FORMAT, 2, {FUNCTION_READ, SET_SENSOR}, REPLY_FORMAT},
    [STEP_STREAM_READ] =
        {SET_3DM, COMMAND_STREAM, 2, {FUNCTION_READ, SET_SENSOR}, REPLY_STREAM},
    [STEP_FORMAT_WRITE] =
        {SET_3DM, COMMAND_FORMAT, 2, {FUNCTION_WRITE, SET_SENSOR}, 0}, /* and the format */
    [STEP_FORMAT_CHECK] =
        {SET_3DM, COMMAND_FORMAT, 2, {FUNCTION_READ, SET_SENSOR}, REPLY_FORMAT},
    [STEP_STREAM_ON] = {SET_3DM, COMMAND_STREAM, 3, {FUNCTION_WRITE, SET_SENSOR, 1}, 0},
    [STEP_RESUME] = {SET_BASE, COMMAND_RESUME, 0, {0}, 0},
};

/* Asked of the device: time, acceleration, rate. */
static const uint8_t FORMAT_DESCRIPTORS[] = {DATA_REFERENCE_TIME, DATA_ACCELERATION,
                                             DATA_RATE};

enum {
    FORMAT_COUNT = sizeof FORMAT_DESCRIPTORS
};

enum stop_step {
    STOP_FORMAT,
    STOP_STREAM,
    STOP_RESUME,
    STOP_DONE
};

struct mip {
    bool is_timeless;      /* the newest inertial packet had no time */
    bool has_inertial;     /* seen since the start */
    uint64_t newest_ticks; /* 0 = no time so far */
    bool is_doubting;      /* what came last was damaged */
    bool has_left;         /* the last packet left a byte to the next */

    double asked_hz;
    unsigned base_rate_hz;  /* 0 = not said */
    double rate_hz;         /* as the device says; 0 = not said */
    bool is_format_written; /* the device confirmed a format */
    bool is_left;           /* something is left as found, because it is not known */

    unsigned coarseness; /* by what the decimation is multiplied after refusals */
    unsigned step;       /* of enum step */
    unsigned try_count;
    bool is_waiting;
    int64_t sent_ns;
    bool is_stopping;
    unsigned stop_step;

    char identity[IDENTITY_SIZE];
    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

/* Settings as found. */
struct kept {
    bool is_told; /* anything was sent that changes the device */
    bool is_format_changed;
    bool is_stream_changed;
    bool has_format;
    bool has_stream;
    uint8_t is_streaming;
    uint8_t format_size;
    uint8_t format[FORMAT_MAX]; /* descriptor u8, decimation u16, each */
    char identity[IDENTITY_SIZE];
};

_Static_assert(sizeof(struct mip) <= DRIVER_CONTEXT_SIZE, "context too small");
_Static_assert(sizeof(struct kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct mip *mip_of(struct driver_context *context)
{
    return (struct mip *)(void *)context->memory;
}

static const struct mip *mip_look(const struct driver_context *context)
{
    return (const struct mip *)(const void *)context->memory;
}

static struct kept *kept_of(struct driver_context *context)
{
    return (struct kept *)(void *)context->kept;
}

/* ---- packets ---- */

/* Whether the fields fill the payload, as far as it has arrived. */
static bool is_tiled(const uint8_t *payload, size_t payload_size, size_t arrived)
{
    size_t used = 0;
    while (used < payload_size && used < arrived) {
        size_t field_size = payload[used];
        if (field_size < FIELD_HEAD_SIZE || field_size > payload_size - used) {
            return false;
        }
        used += field_size;
    }
    return true;
}

static uint16_t packet_sum(const uint8_t *packet, size_t size)
{
    return framing_fletcher8(packet, size - SUM_SIZE);
}

/* A packet that is damaged takes its first byte alone: an intact one may begin inside.
 * decode calls it bad by its size. The size of a packet is bounded: one whose size was
 * damaged can hold back at most 255 bytes. */
static enum frame_verdict packet_next(const uint8_t *bytes, size_t size, size_t *frame_size)
{
    *frame_size = 1;
    if (size >= 2 && bytes[1] != SYNC_2) {
        return FRAME_SKIP;
    }
    if (size < HEAD_SIZE) {
        return FRAME_NEED_MORE;
    }
    size_t payload_size = bytes[3];
    if (!is_tiled(bytes + HEAD_SIZE, payload_size, size - HEAD_SIZE)) {
        return FRAME_SKIP;
    }
    size_t whole = HEAD_SIZE + payload_size + SUM_SIZE;
    if (size < whole) {
        return FRAME_NEED_MORE;
    }
    if (packet_sum(bytes, whole) == framing_u16_be(bytes + whole - SUM_SIZE)) {
        *frame_size = whole;
    }
    return FRAME_FOUND;
}

struct mip_field {
    uint8_t descriptor;
    const uint8_t *data;
    size_t size; /* of the data */
};

/* Step through the fields of a packet that packet_next found.
 * @param used  Bytes of the payload done; start with 0. */
static bool field_next(const uint8_t *packet, size_t *used, struct mip_field *field)
{
    const uint8_t *payload = packet + HEAD_SIZE;
    size_t payload_size = packet[3];
    if (*used >= payload_size) {
        return false;
    }
    field->descriptor = payload[*used + 1];
    field->data = payload + *used + FIELD_HEAD_SIZE;
    field->size = payload[*used] - (size_t)FIELD_HEAD_SIZE;
    *used += payload[*used];
    return true;
}

/* Data of the last field with this descriptor and size, or NULL. */
static const uint8_t *field_find(const uint8_t *packet, uint8_t descriptor, size_t size)
{
    const uint8_t *found = NULL;
    struct mip_field field;
    for (size_t used = 0; field_next(packet, &used, &field);) {
        if (field.descriptor == descriptor && field.size == size) {
            found = field.data;
        }
    }
    return found;
}

enum packet_time {
    TIME_NONE,
    TIME_NEAR, /* follows the newest, or is the same: sets share an instant */
    TIME_FAR
};

/* @param packet  As packet_next found it. */
static enum packet_time packet_time(const struct mip *mip, const uint8_t *packet)
{
    const uint8_t *time =
        packet[2] >= SET_DATA_FIRST ? field_find(packet, DATA_REFERENCE_TIME, 8) : NULL;
    if (!time) {
        return TIME_NONE;
    }
    return framing_u64_be(time) - mip->newest_ticks <= NEAR_TICKS ? TIME_NEAR : TIME_FAR;
}

/* One damaged packet in 65536 that has a start inside gives a packet whose checksum fits by
 * chance. Behind damage, one whose time does not follow is therefore compared with those
 * that begin inside it.
 * @return FRAME_SKIP when one of these is the true one, FRAME_NEED_MORE when that is not
 * known yet. */
static enum frame_verdict rival_find(const struct mip *mip, const uint8_t *bytes,
                                     size_t size, size_t packet_size)
{
    for (size_t start = 1; start < packet_size; start++) {
        if (bytes[start] != SYNC_1) {
            continue;
        }
        size_t rival_size = 0;
        const uint8_t *rival = bytes + start;
        enum frame_verdict verdict = packet_next(rival, size - start, &rival_size);
        if (verdict == FRAME_NEED_MORE) {
            return FRAME_NEED_MORE;
        }
        if (verdict == FRAME_FOUND && start + rival_size > packet_size
            && packet_time(mip, rival) == TIME_NEAR) {
            return FRAME_SKIP;
        }
    }
    return FRAME_FOUND;
}

/* A packet that lost its last byte takes the first byte of the next one for it when the two
 * are equal. Such a byte at the end is therefore left there, so that neither reading loses
 * a packet. */
static size_t left_count(const uint8_t *bytes, size_t size)
{
    return bytes[size - 1] == SYNC_1 ? 1 : 0;
}

/* What the packet before left, when the start of another stands behind it. */
static size_t lead_size(const uint8_t *bytes, size_t size)
{
    return size > 1 && bytes[0] == SYNC_1 && bytes[1] == SYNC_1 ? 1 : 0;
}

static enum frame_verdict packet_judge(const struct mip *mip, const uint8_t *bytes,
                                       size_t size, size_t *frame_size)
{
    enum frame_verdict verdict = packet_next(bytes, size, frame_size);
    if (verdict != FRAME_FOUND || *frame_size == 1) {
        return verdict;
    }
    *frame_size -= left_count(bytes, *frame_size);
    if (!mip->is_doubting || mip->newest_ticks == 0
        || packet_time(mip, bytes) == TIME_NEAR) {
        return verdict;
    }
    verdict = rival_find(mip, bytes, size, *frame_size);
    if (verdict == FRAME_SKIP) {
        *frame_size = 1;
        return FRAME_FOUND; /* and bad */
    }
    return verdict;
}

/* ---- samples ---- */

static struct sample *sample_add(struct sample *samples, int *count, enum mip_stream stream,
                                 uint64_t ticks)
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
        values[index] = (float)(scale * (double)framing_f32_be(bytes + (size_t)4 * index));
    }
}

static bool is_finite(const float *values, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        if (!isfinite(values[index])) {
            return false;
        }
    }
    return true;
}

/* One sample of the inertial stream if the packet has both of its halves. */
static int inertial_decode(const uint8_t *packet, uint64_t ticks, struct sample *samples)
{
    /* Overrange status: bits 0 to 2 accelerometer, 4 to 6 gyroscope. */
    static const unsigned overrange_mask = 0x0077;
    const uint8_t *rate = field_find(packet, DATA_RATE, 12);
    const uint8_t *acceleration = field_find(packet, DATA_ACCELERATION, 12);
    if (!rate || !acceleration) {
        return 0;
    }
    int count = 0;
    struct sample *sample = sample_add(samples, &count, INERTIAL, ticks);
    floats_read(rate, 3, DEG_PER_RAD, sample->values);
    floats_read(acceleration, 3, 1.0, sample->values + 3);
    const uint8_t *overrange = field_find(packet, DATA_OVERRANGE, 2);
    if (overrange && (framing_u16_be(overrange) & overrange_mask)) {
        sample->flags |= SAMPLE_CLIPPED;
    }
    return is_finite(sample->values, 6) ? 1 : 0;
}

static void content_decode(const struct content *content, const uint8_t *data,
                           uint64_t ticks, struct sample *samples, int *count)
{
    struct sample *sample = sample_add(samples, count, content->stream, ticks);
    floats_read(data + content->first, content->float_count, content->scale,
                sample->values);
    if (content->has_valid) {
        const uint8_t *valid = data + content->first + (size_t)4 * content->float_count;
        sample->values[content->float_count] = framing_u16_be(valid) ? 1.0F : 0.0F;
    }
}

/* The time of a packet. One without time has none if it carries the inertial stream; of a
 * lesser one between timed ones (a magnetometer at a rate of its own) the newest time is
 * known. */
static uint64_t ticks_of(struct mip *mip, const uint8_t *packet, bool is_inertial)
{
    const uint8_t *time = field_find(packet, DATA_REFERENCE_TIME, 8);
    if (is_inertial || !mip->has_inertial) {
        mip->is_timeless = !time;
    }
    mip->has_inertial = mip->has_inertial || is_inertial;
    if (time) {
        mip->newest_ticks = framing_u64_be(time);
    }
    return mip->is_timeless ? 0 : mip->newest_ticks;
}

static int data_decode(struct mip *mip, const uint8_t *packet, struct sample *samples)
{
    uint8_t set = packet[2];
    bool is_sensor = set == SET_SENSOR;
    bool is_inertial = is_sensor && field_find(packet, DATA_RATE, 12)
                       && field_find(packet, DATA_ACCELERATION, 12);
    uint64_t ticks = ticks_of(mip, packet, is_inertial);
    int count = is_inertial ? inertial_decode(packet, ticks, samples) : 0;
    for (unsigned index = 0; index < CONTENT_COUNT; index++) {
        const struct content *content = &CONTENTS[index];
        const uint8_t *data = content->set == set
                                  ? field_find(packet, content->descriptor, content->size)
                                  : NULL;
        if (data) {
            content_decode(content, data, ticks, samples, &count);
        }
    }
    return count;
}

/* ---- what the device answers ---- */

static void text_read(const uint8_t *bytes, char out[TEXT_SIZE])
{
    size_t first = 0;
    while (first < TEXT_SIZE - 1 && bytes[first] == ' ') {
        first++;
    }
    size_t size = 0;
    for (size_t index = first; index < TEXT_SIZE - 1; index++) {
        if (bytes[index] < ' ' || bytes[index] > '~') {
            break;
        }
        out[size++] = (char)bytes[index];
    }
    while (size > 0 && out[size - 1] == ' ') {
        size--;
    }
    out[size] = '\0';
}

/* Firmware u16, then 16 characters each: model name, model number, serial number, lot,
 * options. */
static void info_decode(struct mip *mip, const uint8_t *data)
{
    char model[TEXT_SIZE];
    char serial[TEXT_SIZE];
    unsigned firmware = framing_u16_be(data);
    text_read(data + 2, model);
    text_read(data + 34, serial);
    (void)snprintf(mip->identity, sizeof mip->identity, "%s %s, firmware %u.%u.%02u",
                   model[0] ? model : "MicroStrain", serial, firmware / 1000,
                   firmware / 100 % 10, firmware % 100);
}

static void rate_note(struct mip *mip)
{
    bool is_other = fabs(mip->rate_hz - mip->asked_hz) > RATE_TOLERANCE * mip->asked_hz;
    if (mip->is_format_written && is_other) {
        (void)snprintf(mip->notice, sizeof mip->notice,
                       "asked for %g Hz, the sensor set %.4g Hz", mip->asked_hz,
                       mip->rate_hz);
        mip->notice_count++;
    }
}

/* @return Decimation of a descriptor in a format, 0 = it is not sent. */
static unsigned format_decimation(const uint8_t *format, size_t size, uint8_t descriptor)
{
    for (size_t used = 0; used + 3 <= size; used += 3) {
        if (format[used] == descriptor) {
            return framing_u16_be(format + used + 1);
        }
    }
    return 0;
}

/* Set, count, then count times descriptor u8, decimation u16. */
static void format_decode(struct driver_context *context, const uint8_t *data, size_t size)
{
    struct mip *mip = mip_of(context);
    struct kept *kept = kept_of(context);
    if (size < 2 || data[0] != SET_SENSOR || size - 2 != (size_t)3 * data[1]
        || size - 2 > FORMAT_MAX) {
        return;
    }
    const uint8_t *format = data + 2;
    unsigned rate = format_decimation(format, size - 2, DATA_RATE);
    unsigned acceleration = format_decimation(format, size - 2, DATA_ACCELERATION);
    if (rate > 0 && acceleration > 0 && mip->base_rate_hz > 0) {
        unsigned slower = rate > acceleration ? rate : acceleration;
        mip->rate_hz = (double)mip->base_rate_hz / slower;
        rate_note(mip);
    }
    /* What a replugged device says is no longer what was found. */
    if (mip->is_waiting && mip->step == STEP_FORMAT_READ && !kept->is_format_changed) {
        kept->has_format = true;
        kept->format_size = (uint8_t)(size - 2);
        memcpy(kept->format, format, size - 2);
    }
}

static void reply_decode(struct driver_context *context, const struct mip_field *field)
{
    struct mip *mip = mip_of(context);
    struct kept *kept = kept_of(context);
    const uint8_t *data = field->data;
    if (field->descriptor == REPLY_FORMAT) {
        format_decode(context, data, field->size);
    } else if (field->descriptor == REPLY_BASE_RATE && field->size == 3
               && data[0] == SET_SENSOR) {
        mip->base_rate_hz = framing_u16_be(data + 1);
    } else if (field->descriptor == REPLY_STREAM && field->size == 2
               && data[0] == SET_SENSOR && mip->is_waiting && mip->step == STEP_STREAM_READ
               && !kept->is_stream_changed) {
        kept->has_stream = true;
        kept->is_streaming = data[1];
    }
}

static const char *const ERROR_TEXTS[] = {
    NULL, "unknown", "damaged on its way", "a parameter is wrong", "failed", "timed out",
};

enum {
    ERROR_CHECKSUM = 2,
    ERROR_PARAMETER = 3,
    ERROR_FAILED = 4,
    ERROR_TIMEOUT = 5,
    ERROR_COUNT = sizeof ERROR_TEXTS / sizeof ERROR_TEXTS[0]
};

static void refusal_note(struct mip *mip, uint8_t set, uint8_t command, uint8_t code)
{
    (void)snprintf(mip->notice, sizeof mip->notice,
                   "the sensor refused command %02X,%02X: %s (code %u)", set, command,
                   code < ERROR_COUNT ? ERROR_TEXTS[code] : "see its manual", code);
    mip->notice_count++;
}

static void step_next(struct mip *mip)
{
    mip->step++;
    mip->try_count = 0;
    mip->is_waiting = false;
}

static unsigned decimation_choose(const struct mip *mip)
{
    double decimation = round(mip->base_rate_hz / mip->asked_hz);
    decimation = (decimation < 1.0 ? 1.0 : decimation) * mip->coarseness;
    return decimation > DECIMATION_MAX ? DECIMATION_MAX : (unsigned)decimation;
}

static void step_refused(struct mip *mip, uint8_t code)
{
    bool is_rate =
        mip->step == STEP_FORMAT_WRITE && (code == ERROR_PARAMETER || code == ERROR_FAILED);
    if (code == ERROR_CHECKSUM || code == ERROR_TIMEOUT) {
        mip->is_waiting = false; /* damaged on its way: send again */
    } else if (is_rate && decimation_choose(mip) < mip->base_rate_hz) {
        mip->coarseness *= 2; /* slower, down to 1 Hz */
        mip->try_count = 0;
        mip->is_waiting = false;
    } else {
        step_next(mip);
    }
}

static bool has_field(const uint8_t *packet, uint8_t descriptor)
{
    struct mip_field field;
    for (size_t used = 0; field_next(packet, &used, &field);) {
        if (field.descriptor == descriptor) {
            return true;
        }
    }
    return false;
}

/* Whether an acknowledgement without error is that of the command sent last. Reading and
 * writing echo the same command: a late answer to the one is none to the other. */
static bool is_answer(const struct command *command, const uint8_t *packet)
{
    if (command->reply) {
        return has_field(packet, command->reply);
    }
    return !has_field(packet, REPLY_FORMAT) && !has_field(packet, REPLY_STREAM);
}

static void ack_decode(struct mip *mip, const uint8_t *packet, const uint8_t *data)
{
    uint8_t set = packet[2];
    uint8_t code = data[1];
    bool is_format = set == SET_3DM && data[0] == COMMAND_FORMAT;
    if (code != 0) {
        refusal_note(mip, set, data[0], code);
    } else if (is_format && !has_field(packet, REPLY_FORMAT)) {
        mip->is_format_written = true;
    }
    if (!mip->is_waiting) {
        return;
    }
    const struct command *command = &COMMANDS[mip->step];
    if (command->set != set || command->descriptor != data[0]) {
        return;
    }
    if (code != 0) {
        step_refused(mip, code);
    } else if (is_answer(command, packet)) {
        step_next(mip);
    }
}

/* What was found in another unit is nothing to put back into this one, which was told to
 * be idle before it said who it is. */
static void unit_note(const struct mip *mip, struct kept *kept)
{
    if (kept->identity[0] && strcmp(kept->identity, mip->identity) != 0) {
        memset(kept, 0, sizeof *kept);
        kept->is_told = true;
    }
    memcpy(kept->identity, mip->identity, sizeof kept->identity);
}

static void answer_decode(struct driver_context *context, const uint8_t *packet)
{
    struct mip *mip = mip_of(context);
    struct mip_field field;
    uint8_t set = packet[2];
    for (size_t used = 0; field_next(packet, &used, &field);) {
        if (set == SET_3DM) {
            reply_decode(context, &field);
        } else if (set == SET_BASE && field.descriptor == REPLY_INFO
                   && field.size == REPLY_INFO_SIZE) {
            info_decode(mip, field.data);
            if (mip->is_waiting && mip->step == STEP_INFO) {
                unit_note(mip, kept_of(context));
            }
        }
    }
    for (size_t used = 0; field_next(packet, &used, &field);) {
        if (field.descriptor == REPLY_ACK && field.size == 2) {
            if (!mip->identity[0]) {
                (void)snprintf(mip->identity, sizeof mip->identity, "MicroStrain MIP");
            }
            ack_decode(mip, packet, field.data);
        }
    }
}

/* ---- what the device is told ---- */

static size_t packet_make(uint8_t *packet, uint8_t set, uint8_t descriptor,
                          const uint8_t *arguments, size_t size)
{
    size_t field_size = FIELD_HEAD_SIZE + size;
    packet[0] = SYNC_1;
    packet[1] = SYNC_2;
    packet[2] = set;
    packet[3] = (uint8_t)field_size;
    packet[4] = (uint8_t)field_size;
    packet[5] = descriptor;
    memcpy(packet + 6, arguments, size);
    size_t whole = HEAD_SIZE + field_size + SUM_SIZE;
    uint16_t sum = packet_sum(packet, whole);
    packet[whole - 2] = (uint8_t)(sum >> 8);
    packet[whole - 1] = (uint8_t)sum;
    return whole;
}

static size_t format_command(uint8_t *bytes, const uint8_t *format, size_t size)
{
    uint8_t arguments[3 + FORMAT_MAX] = {FUNCTION_WRITE, SET_SENSOR, (uint8_t)(size / 3)};
    memcpy(arguments + 3, format, size);
    return packet_make(bytes, SET_3DM, COMMAND_FORMAT, arguments, 3 + size);
}

static size_t wanted_format_command(const struct mip *mip, uint8_t *bytes)
{
    unsigned decimation = decimation_choose(mip);
    uint8_t format[(size_t)3 * FORMAT_COUNT];
    for (size_t index = 0; index < FORMAT_COUNT; index++) {
        format[3 * index] = FORMAT_DESCRIPTORS[index];
        format[3 * index + 1] = (uint8_t)(decimation >> 8);
        format[3 * index + 2] = (uint8_t)decimation;
    }
    return format_command(bytes, format, sizeof format);
}

static size_t step_command(struct mip *mip, struct kept *kept, uint8_t *bytes)
{
    kept->is_told = true;
    if (mip->step == STEP_FORMAT_WRITE) {
        kept->is_format_changed = true;
        return wanted_format_command(mip, bytes);
    }
    kept->is_stream_changed = kept->is_stream_changed || mip->step == STEP_STREAM_ON;
    const struct command *command = &COMMANDS[mip->step];
    return packet_make(bytes, command->set, command->descriptor, command->arguments,
                       command->argument_size);
}

/* What cannot be put back later is not changed: without the format as found, or without a
 * base rate by which a decimation can be told, the format stays; without its state as
 * found, the stream does. */
static void impossible_skip(struct mip *mip, const struct kept *kept)
{
    bool is_unread = false;
    if (mip->step == STEP_FORMAT_WRITE && (mip->base_rate_hz == 0 || !kept->has_format)) {
        is_unread = !kept->has_format;
        mip->step = STEP_STREAM_ON;
    }
    if (mip->step == STEP_STREAM_ON && !kept->has_stream) {
        is_unread = true;
        mip->step = STEP_RESUME;
    }
    if (is_unread && !mip->is_left) {
        mip->is_left = true;
        (void)snprintf(mip->notice, sizeof mip->notice,
                       "settings could not be read: the sensor is read as it is");
        mip->notice_count++;
    }
}

static size_t mip_command_next(struct driver_context *context, int64_t now_ns,
                               uint8_t *bytes)
{
    struct mip *mip = mip_of(context);
    if (mip->is_stopping
        || (mip->is_waiting && now_ns - mip->sent_ns < COMMAND_TIMEOUT_NS)) {
        return 0;
    }
    if (mip->step < STEP_DONE && mip->try_count == COMMAND_TRY_MAX) {
        step_next(mip);
    }
    impossible_skip(mip, kept_of(context));
    if (mip->step >= STEP_DONE) {
        return 0;
    }
    mip->try_count++;
    mip->is_waiting = true;
    mip->sent_ns = now_ns;
    return step_command(mip, kept_of(context), bytes);
}

static size_t stop_command(struct mip *mip, const struct kept *kept, uint8_t *bytes)
{
    switch ((enum stop_step)mip->stop_step++) {
    case STOP_FORMAT:
        return kept->is_format_changed && kept->has_format
                   ? format_command(bytes, kept->format, kept->format_size)
                   : 0;
    case STOP_STREAM: {
        const uint8_t arguments[] = {FUNCTION_WRITE, SET_SENSOR, kept->is_streaming};
        return kept->is_stream_changed ? packet_make(bytes, SET_3DM, COMMAND_STREAM,
                                                     arguments, sizeof arguments)
                                       : 0;
    }
    case STOP_RESUME: {
        /* It may have been stopped between idle and resume. */
        const struct command *command = &COMMANDS[STEP_RESUME];
        return kept->is_told ? packet_make(bytes, command->set, command->descriptor,
                                           command->arguments, 0)
                             : 0;
    }
    case STOP_DONE:
        break;
    }
    return 0;
}

static size_t mip_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct mip *mip = mip_of(context);
    mip->is_stopping = true;
    while (mip->stop_step < STOP_DONE) {
        size_t size = stop_command(mip, kept_of(context), bytes);
        if (size > 0) {
            return size;
        }
    }
    memset(context->kept, 0, sizeof context->kept);
    return 0;
}

/* ---- the driver ---- */

static enum status mip_init(struct driver_context *context,
                            const struct driver_settings *settings)
{
    struct mip *mip = mip_of(context);
    mip->asked_hz =
        settings && settings->rate_hz > 0.0 ? settings->rate_hz : DEFAULT_RATE_HZ;
    mip->coarseness = 1;
    return STATUS_OK;
}

static enum frame_verdict mip_frame_next(const struct driver_context *context,
                                         const uint8_t *bytes, size_t size,
                                         size_t *frame_size)
{
    const struct mip *mip = mip_look(context);
    size_t lead = mip->has_left ? lead_size(bytes, size) : 0;
    if (lead > 0) {
        /* Not stray, unless what follows is damaged. */
        enum frame_verdict verdict =
            packet_judge(mip, bytes + lead, size - lead, frame_size);
        if (verdict == FRAME_NEED_MORE || (verdict == FRAME_FOUND && *frame_size > 1)) {
            *frame_size += lead;
            return verdict;
        }
    }
    if (bytes[0] == SYNC_1) {
        return packet_judge(mip, bytes, size, frame_size);
    }
    const uint8_t *next = memchr(bytes, SYNC_1, size);
    *frame_size = next ? (size_t)(next - bytes) : size;
    return FRAME_SKIP;
}

static int mip_decode(struct driver_context *context, const uint8_t *frame,
                      size_t frame_size, struct sample *samples)
{
    struct mip *mip = mip_of(context);
    size_t lead = lead_size(frame, frame_size);
    frame += lead;
    frame_size -= lead;
    /* One byte may be left to the next. */
    mip->has_left = false;
    mip->is_doubting = frame_size < HEAD_SIZE + SUM_SIZE - 1;
    if (mip->is_doubting || frame_size < (size_t)HEAD_SIZE + frame[3] + SUM_SIZE - 1
        || !is_tiled(frame + HEAD_SIZE, frame[3], frame[3])) {
        return -1;
    }
    mip->has_left = frame_size < (size_t)HEAD_SIZE + frame[3] + SUM_SIZE;
    if (frame[2] >= SET_DATA_FIRST) {
        return data_decode(mip, frame, samples);
    }
    answer_decode(context, frame);
    return 0;
}

static double mip_rate_hz_get(const struct driver_context *context)
{
    return mip_look(context)->rate_hz;
}

static double mip_tick_s_get(const struct driver_context *context)
{
    return mip_look(context)->is_timeless ? 0.0 : TICK_S;
}

static const char *mip_identity_get(const struct driver_context *context)
{
    return mip_look(context)->identity;
}

static const char *mip_notice_get(const struct driver_context *context, unsigned *count)
{
    *count = mip_look(context)->notice_count;
    return mip_look(context)->notice;
}

static const struct usb_id USB_IDS[] = {{0x199B, 0, false}};
static const unsigned BAUDS[] = {921600, 460800, 230400, 0};
static const uint8_t QUESTION[] = {SYNC_1, SYNC_2, SET_BASE, 0x02, 0x02, 0x01, 0xE0, 0xC6};

extern const struct driver driver_microstrain_mip;

const struct driver driver_microstrain_mip = {
    .name = "microstrain-mip",
    .title = "MicroStrain MIP (CV7, CX5, GX5)",
    .streams = STREAMS,
    .stream_count = MIP_STREAM_COUNT,
    .frame_max = VIEW_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 1e-9,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .bauds = BAUDS,
    .question = QUESTION,
    .question_size = sizeof QUESTION,
    .init = mip_init,
    .frame_next = mip_frame_next,
    .decode = mip_decode,
    .command_next = mip_command_next,
    .command_stop = mip_command_stop,
    .rate_hz_get = mip_rate_hz_get,
    .identity_get = mip_identity_get,
    .tick_s_get = mip_tick_s_get,
    .notice_get = mip_notice_get,
};

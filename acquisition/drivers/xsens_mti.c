/* Xsens / Movella MTi: Xbus messages with MTData2 content, after the maker's "MT low level
 * communication protocol" (MT0101P) and family manuals. An 8 bit sum guards each message;
 * what it lets pass must also divide into whole data items. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "base/units.h"

enum {
    PREAMBLE = 0xFA,
    MASTER = 0xFF,    /* bus identifier of a unit that stands alone */
    EXTENDED = 0xFF,  /* length byte: two bytes of length follow */
    DATA_MAX = 2048,  /* longest data field (MT0101P) */
    START_SIZE = 3,   /* preamble, bus identifier, message identifier */
    HEAD_MAX = 6,     /* with an extended length */
    LEFT_MAX = 2,     /* bytes of the start that the end of a message may look like */
    FRAME_MAX = 4096, /* a longest message and the one that may begin inside it */
    ITEM_HEAD_SIZE = 3,
    CONFIG_MAX = 240, /* bytes of an output configuration that can be sent back at once */
    ENTRY_SIZE = 4,   /* identifier and rate */
    NOTICE_SIZE = 128,
    IDENTITY_SIZE = 96,
    PRODUCT_SIZE = 32
};

enum message_id {
    MESSAGE_REQUEST_DEVICE = 0x00,
    MESSAGE_DEVICE = 0x01,
    MESSAGE_GO_TO_MEASUREMENT = 0x10,
    MESSAGE_IN_MEASUREMENT = 0x11,
    MESSAGE_REQUEST_FIRMWARE = 0x12,
    MESSAGE_FIRMWARE = 0x13,
    MESSAGE_REQUEST_PRODUCT = 0x1C,
    MESSAGE_PRODUCT = 0x1D,
    MESSAGE_GO_TO_CONFIG = 0x30,
    MESSAGE_IN_CONFIG = 0x31,
    MESSAGE_DATA = 0x36,
    MESSAGE_WAKE_UP = 0x3E,
    MESSAGE_WAKE_UP_HEARD = 0x3F,
    MESSAGE_RESET = 0x40,
    MESSAGE_RESET_HEARD = 0x41,
    MESSAGE_ERROR = 0x42,
    MESSAGE_REQUEST_CONFIG = 0xC0,
    MESSAGE_CONFIG = 0xC1
};

enum mti_stream {
    INERTIAL,
    QUATERNION,
    MATRIX,
    EULER,
    FREE_ACCELERATION,
    DELTA_V,
    DELTA_Q,
    MAGNETIC,
    TEMPERATURE,
    PRESSURE,
    STATUS_WORD,
    UTC,
    PACKET,
    FAST_ACCELERATION,
    FAST_TURN,
    POSITION,
    ALTITUDE,
    VELOCITY,
    MTI_STREAM_COUNT
};

/* Which way the axes of the Earth point, as the last channel of what is told in them. */
#define EARTH_FRAME "_frame_enu0_ned1_nwu2"

/* Full scales differ by model and order: unknown; the status word tells of clipping. */
static const struct stream_info STREAMS[MTI_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {0}},
    [QUATERNION] = {"quaternion",
                    STREAM_ORIENTATION,
                    5,
                    {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z",
                     "quaternion" EARTH_FRAME},
                    {"1", "1", "1", "1", "1"},
                    {0}},
    /* In the order of the wire; the maker names the elements a to i, column by column. */
    [MATRIX] = {"matrix",
                STREAM_ORIENTATION,
                10,
                {"matrix_a", "matrix_b", "matrix_c", "matrix_d", "matrix_e", "matrix_f",
                 "matrix_g", "matrix_h", "matrix_i", "matrix" EARTH_FRAME},
                {"1", "1", "1", "1", "1", "1", "1", "1", "1", "1"},
                {0}},
    [EULER] = {"euler",
               STREAM_ORIENTATION,
               4,
               {"roll_deg", "pitch_deg", "yaw_deg", "euler" EARTH_FRAME},
               {"deg", "deg", "deg", "1"},
               {0}},
    [FREE_ACCELERATION] = {"free_acceleration",
                           STREAM_ORIENTATION,
                           4,
                           {"free_acceleration_x_m_s2", "free_acceleration_y_m_s2",
                            "free_acceleration_z_m_s2", "free_acceleration" EARTH_FRAME},
                           {"m/s2", "m/s2", "m/s2", "1"},
                           {0}},
    [DELTA_V] = {"delta_v",
                 STREAM_STATUS,
                 3,
                 {"delta_v_x_m_s", "delta_v_y_m_s", "delta_v_z_m_s"},
                 {"m/s", "m/s", "m/s"},
                 {0}},
    [DELTA_Q] = {"delta_q",
                 STREAM_STATUS,
                 4,
                 {"delta_q_w", "delta_q_x", "delta_q_y", "delta_q_z"},
                 {"1", "1", "1", "1"},
                 {0}},
    [MAGNETIC] = {"magnetometer",
                  STREAM_MAGNETIC,
                  3,
                  {"magnetometer_x_au", "magnetometer_y_au", "magnetometer_z_au"},
                  {"1", "1", "1"},
                  {0}},
    [TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
    [PRESSURE] = {"pressure", STREAM_STATUS, 1, {"pressure_pa"}, {"Pa"}, {0}},
    /* A float holds 24 bits exactly: words are kept in two halves. */
    [STATUS_WORD] = {"status",
                     STREAM_STATUS,
                     2,
                     {"status_bits_0_15", "status_bits_16_31"},
                     {"1", "1"},
                     {0}},
    [UTC] = {"utc",
             STREAM_STATUS,
             9,
             {"utc_year", "utc_month", "utc_day", "utc_hour", "utc_minute", "utc_second",
              "utc_microsecond", "utc_nanosecond", "utc_flags"},
             {"a", "mo", "d", "h", "min", "s", "us", "ns", "1"},
             {0}},
    /* What each message says of itself, GNSS messages too. */
    [PACKET] = {"packet",
                STREAM_STATUS,
                3,
                {"packet_counter", "sample_time_bits_0_15", "sample_time_bits_16_31"},
                {"1", "1", "1"},
                {0}},
    [FAST_ACCELERATION] = {"acceleration_high_rate",
                           STREAM_STATUS,
                           3,
                           {"acceleration_high_rate_x_m_s2",
                            "acceleration_high_rate_y_m_s2",
                            "acceleration_high_rate_z_m_s2"},
                           {"m/s2", "m/s2", "m/s2"},
                           {0}},
    [FAST_TURN] = {"rate_of_turn_high_rate",
                   STREAM_STATUS,
                   3,
                   {"rate_of_turn_high_rate_x_rad_s", "rate_of_turn_high_rate_y_rad_s",
                    "rate_of_turn_high_rate_z_rad_s"},
                   {"rad/s", "rad/s", "rad/s"},
                   {0}},
    [POSITION] = {"position",
                  STREAM_STATUS,
                  2,
                  {"latitude_deg", "longitude_deg"},
                  {"deg", "deg"},
                  {0}},
    [ALTITUDE] = {"altitude", STREAM_STATUS, 1, {"altitude_m"}, {"m"}, {0}},
    [VELOCITY] = {"velocity",
                  STREAM_STATUS,
                  4,
                  {"velocity_x_m_s", "velocity_y_m_s", "velocity_z_m_s",
                   "velocity" EARTH_FRAME},
                  {"m/s", "m/s", "m/s", "1"},
                  {0}},
};

/* Identifiers of data items, format nibble zero. */
enum item_id {
    ITEM_COUNTER = 0x1020,
    ITEM_FINE_TIME = 0x1060,
    ITEM_TEMPERATURE = 0x0810,
    ITEM_ACCELERATION = 0x4020,
    ITEM_TURN = 0x8020,
    ITEM_MAGNETIC = 0xC020,
    ITEM_STATUS_WORD = 0xE020
};

enum item_kind {
    ITEM_REALS,       /* size = count of numbers in the precision of the format nibble */
    ITEM_EARTH_REALS, /* the same, told in Earth axes */
    ITEM_INERTIAL,    /* three numbers that make one half of an inertial sample */
    ITEM_PLAIN        /* size = bytes; integers with a meaning of their own */
};

struct item {
    uint16_t id;
    enum item_kind kind;
    enum mti_stream stream;
    uint8_t size;
    bool is_motion; /* measured at the sample time that the message states */
};

static const struct item ITEMS[] = {
    {ITEM_TEMPERATURE, ITEM_REALS, TEMPERATURE, 1, false},
    {0x1010, ITEM_PLAIN, UTC, 12, false},
    {ITEM_COUNTER, ITEM_PLAIN, PACKET, 2, false},
    {ITEM_FINE_TIME, ITEM_PLAIN, PACKET, 4, false},
    {0x1070, ITEM_PLAIN, MTI_STREAM_COUNT, 4, false}, /* sample time in whole seconds */
    {0x2010, ITEM_EARTH_REALS, QUATERNION, 4, true},
    {0x2020, ITEM_EARTH_REALS, MATRIX, 9, true},
    {0x2030, ITEM_EARTH_REALS, EULER, 3, true},
    {0x3010, ITEM_PLAIN, PRESSURE, 4, false},
    {0x4010, ITEM_REALS, DELTA_V, 3, true},
    {ITEM_ACCELERATION, ITEM_INERTIAL, INERTIAL, 3, true},
    {0x4030, ITEM_EARTH_REALS, FREE_ACCELERATION, 3, true},
    {0x4040, ITEM_REALS, FAST_ACCELERATION, 3, true},
    {0x5020, ITEM_REALS, ALTITUDE, 1, false},
    {0x5040, ITEM_REALS, POSITION, 2, false},
    {0x7010, ITEM_PLAIN, MTI_STREAM_COUNT, 94, false}, /* GNSS receiver's solution */
    {ITEM_TURN, ITEM_INERTIAL, INERTIAL, 3, true},
    {0x8030, ITEM_REALS, DELTA_Q, 4, true},
    {0x8040, ITEM_REALS, FAST_TURN, 3, true},
    {ITEM_MAGNETIC, ITEM_REALS, MAGNETIC, 3, true},
    {0xD010, ITEM_EARTH_REALS, VELOCITY, 3, false},
    {0xE010, ITEM_PLAIN, STATUS_WORD, 1, false},
    {ITEM_STATUS_WORD, ITEM_PLAIN, STATUS_WORD, 4, false},
};

/* Groups of identifiers that exist: bits 11 to 15, one bit each (MT0101P, and 9000 to B000
 * for raw and analog data of some models). */
static const uint32_t ITEM_GROUPS =
    1u << 0x01 | 1u << 0x02 | 1u << 0x04 | 1u << 0x06 | 1u << 0x08 | 1u << 0x09 | 1u << 0x0A
    | 1u << 0x0B | 1u << 0x0E | 1u << 0x10 | 1u << 0x11 | 1u << 0x12 | 1u << 0x14
    | 1u << 0x16 | 1u << 0x18 | 1u << 0x1A | 1u << 0x1C;

/* Bytes of a number by the two lowest bits: float, 12.20, 16.32, double. */
static const uint8_t PRECISION_SIZES[4] = {4, 4, 6, 8};

/* Status word: clipped axes of accelerometer, gyroscope (8 .. 13) and magnetometer (14 ..
 * 16), and any of them (19). */
static const uint32_t CLIPPED_INERTIAL = 0x3F00;
static const uint32_t CLIPPED_MAGNETIC = 0x1C000;
static const uint32_t CLIPPED_ANY = 0x80000;

/* The clock of the MTi-10 and MTi-100 series starts again after a day, that of the others
 * with its 32 bits. */
static const uint64_t WRAP_TICKS[] = {864000000, (uint64_t)1 << 32};
/* A clock that starts again later than so much after one of them is a restart: 60 s. */
static const uint64_t WRAP_SPAN_TICKS = 600000;

/* Steps of the start: requests in this order, each waits for its answer. */
enum step {
    STEP_CONFIG,
    STEP_DEVICE,
    STEP_PRODUCT,
    STEP_FIRMWARE,
    STEP_AS_FOUND,
    STEP_SET,
    STEP_READ_BACK,
    STEP_MEASURE,
    STEP_DONE
};

struct request {
    uint8_t message;
    uint8_t answer;
    unsigned try_max;
    int64_t timeout_ns;
};

/* GoToConfig every 100 ms is the maker's way to a unit in a bad state. */
static const struct request REQUESTS[STEP_DONE] = {
    [STEP_CONFIG] = {MESSAGE_GO_TO_CONFIG, MESSAGE_IN_CONFIG, 30, 100000000},
    [STEP_DEVICE] = {MESSAGE_REQUEST_DEVICE, MESSAGE_DEVICE, 3, 500000000},
    [STEP_PRODUCT] = {MESSAGE_REQUEST_PRODUCT, MESSAGE_PRODUCT, 3, 500000000},
    [STEP_FIRMWARE] = {MESSAGE_REQUEST_FIRMWARE, MESSAGE_FIRMWARE, 3, 500000000},
    [STEP_AS_FOUND] = {MESSAGE_REQUEST_CONFIG, MESSAGE_CONFIG, 3, 500000000},
    [STEP_SET] = {MESSAGE_REQUEST_CONFIG, MESSAGE_CONFIG, 3, 500000000},
    [STEP_READ_BACK] = {MESSAGE_REQUEST_CONFIG, MESSAGE_CONFIG, 3, 500000000},
    [STEP_MEASURE] = {MESSAGE_GO_TO_MEASUREMENT, MESSAGE_IN_MEASUREMENT, 3, 500000000},
};

enum {
    BAUD_DEFAULT = 115200,
    RATE_DEFAULT_HZ = 100,
    RATE_MAX_HZ = 2000,
    BASE_RATE_HZ = 400,      /* rates are whole parts of this */
    LINE_SHARE_PERCENT = 95, /* of a serial line that data may take: answers need room */
    MAGNETIC_MAX_HZ = 100,
    TEMPERATURE_HZ = 1,
    RATE_EACH = 0xFFFF /* with every message */
};

/* An output configuration as it goes over the wire. */
struct configuration {
    uint8_t size;
    bool is_known;
    uint8_t entries[CONFIG_MAX];
};

/* What outlives an unplugging. */
struct mti_kept {
    struct configuration found;
    bool is_changed; /* another configuration was sent */
};

/* One stream as it comes: what a loss of messages means for it. */
struct track {
    bool is_seen;
    uint32_t sequence;
    uint32_t lost_before; /* messages lost up to its newest sample */
    uint64_t ticks;
    uint64_t period_ticks; /* between two samples with no message lost between; 0 unknown */
};

struct mti {
    /* clock */
    bool has_ticks;
    uint32_t newest_raw;
    uint64_t wrapped_ticks;
    /* counter */
    bool has_counter;
    uint16_t newest_counter;
    uint32_t lost_count;
    uint8_t left_size; /* bytes of the newest frame that stand before the next */
    struct track tracks[MTI_STREAM_COUNT];

    /* what the unit said */
    struct configuration said;
    unsigned rate_hz;
    char product[PRODUCT_SIZE];
    char device[32]; /* 8 bytes in hex and what stands before them */
    char firmware[24];
    char identity[IDENTITY_SIZE];
    unsigned notice_count;
    char notice[NOTICE_SIZE];

    /* what it is told */
    unsigned asked_hz;
    unsigned baud;
    struct configuration wanted;
    unsigned wanted_hz;
    enum step step;
    unsigned try_count;
    unsigned stop_count;
    int64_t sent_ns;
    bool is_waiting;
    bool is_answered;
    bool is_refused;
    bool is_awake; /* it waits 0.5 s for an answer to its WakeUp */
    bool was_reset;
    bool is_minimal; /* the full list was refused */
};

_Static_assert(sizeof(struct mti) <= DRIVER_CONTEXT_SIZE, "context too small");
_Static_assert(sizeof(struct mti_kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct mti *mti_of(struct driver_context *context)
{
    return (struct mti *)(void *)context->memory;
}

static const struct mti *mti_look(const struct driver_context *context)
{
    return (const struct mti *)(const void *)context->memory;
}

static struct mti_kept *kept_of(struct driver_context *context)
{
    return (struct mti_kept *)(void *)context->kept;
}

/* ---- splitting a message into items ---- */

static bool is_real(const struct item *item)
{
    return item->kind != ITEM_PLAIN;
}

/* The item with this identifier, or NULL. They stand in rising order and differ in more
 * than the lowest digit, which says the form of real numbers: only the last one that is not
 * above can be it. */
static const struct item *item_find(uint16_t id)
{
    size_t first = 0;
    size_t end = sizeof ITEMS / sizeof ITEMS[0];
    while (end - first > 1) {
        size_t middle = (first + end) / 2;
        bool is_above = ITEMS[middle].id > id;
        first = is_above ? first : middle;
        end = is_above ? middle : end;
    }
    const struct item *item = &ITEMS[first];
    uint16_t mask = is_real(item) ? 0xFFF0 : 0xFFFF;
    return (id & mask) == item->id ? item : NULL;
}

static size_t item_size(const struct item *item, uint16_t id)
{
    return is_real(item) ? (size_t)item->size * PRECISION_SIZES[id & 3] : item->size;
}

/* How much is asked of the items of a message. */
enum care {
    CARE_SIZES,  /* what is not known is skipped by size */
    CARE_GROUPS, /* it belongs to a group that exists */
    CARE_KNOWN   /* nothing is unknown */
};

static bool is_item(uint16_t id, size_t size, enum care care)
{
    bool is_strict = care == CARE_KNOWN;
    const struct item *item = item_find(id);
    /* What is not read may be longer in other firmware. */
    bool is_read = item && item->stream < MTI_STREAM_COUNT;
    if (item && (is_read || is_strict)) {
        /* Frames are 0, 4 and 8. */
        return size == item_size(item, id) && (!is_real(item) || (id & 0xC) != 0xC);
    }
    return care == CARE_SIZES || (!is_strict && (ITEM_GROUPS >> (id >> 11) & 1));
}

/* Whether data divide into whole items as far as they have arrived.
 * @param size  Of all data. @param here  Of those that have arrived. */
static bool is_items(const uint8_t *data, size_t size, size_t here, enum care care)
{
    size_t used = 0;
    while (used < size) {
        if (size - used < ITEM_HEAD_SIZE) {
            return false;
        }
        if (here < used + ITEM_HEAD_SIZE) {
            return true;
        }
        size_t payload_size = data[used + 2];
        if (payload_size > size - used - ITEM_HEAD_SIZE
            || !is_item(framing_u16_be(data + used), payload_size, care)) {
            return false;
        }
        used += ITEM_HEAD_SIZE + payload_size;
    }
    return true;
}

/* ---- finding messages ---- */

enum look {
    LOOK_BAD,
    LOOK_PART,
    LOOK_WHOLE
};

/* A message taken apart. */
struct frame {
    uint8_t message;
    const uint8_t *data;
    size_t data_size;
    size_t size; /* with head and checksum */
};

/* @param size  At least 1.
 * @return LOOK_WHOLE when the head is: frame is filled but its end may be missing. */
static enum look head_look(const uint8_t *bytes, size_t size, struct frame *frame)
{
    if (bytes[0] != PREAMBLE || (size > 1 && bytes[1] != MASTER)) {
        return LOOK_BAD;
    }
    size_t head_size = START_SIZE + 1;
    if (size < head_size) {
        return LOOK_PART;
    }
    size_t data_size = bytes[START_SIZE];
    if (data_size == EXTENDED) {
        head_size += 2;
        if (size < head_size) {
            return LOOK_PART;
        }
        data_size = framing_u16_be(bytes + START_SIZE + 1);
        if (data_size < EXTENDED || data_size > DATA_MAX) {
            return LOOK_BAD;
        }
    }
    frame->message = bytes[2];
    frame->data = bytes + head_size;
    frame->data_size = data_size;
    frame->size = head_size + data_size + 1;
    return LOOK_WHOLE;
}

/* Short answers that may stand in the place of data that were cut off. */
static bool is_short_answer(const struct frame *frame)
{
    switch ((enum message_id)frame->message) {
    case MESSAGE_IN_MEASUREMENT:
    case MESSAGE_IN_CONFIG:
    case MESSAGE_WAKE_UP:
    case MESSAGE_RESET_HEARD:
        return frame->data_size == 0;
    case MESSAGE_DEVICE:
        return frame->data_size == 4 || frame->data_size == 8;
    case MESSAGE_ERROR:
        return frame->data_size == 1;
    case MESSAGE_FIRMWARE:
        return frame->data_size == 3 || frame->data_size == 11;
    case MESSAGE_PRODUCT:
        return frame->data_size == 20;
    case MESSAGE_CONFIG:
        return frame->data_size % ENTRY_SIZE == 0 && frame->data_size <= CONFIG_MAX;
    case MESSAGE_REQUEST_DEVICE:
    case MESSAGE_GO_TO_MEASUREMENT:
    case MESSAGE_REQUEST_FIRMWARE:
    case MESSAGE_REQUEST_PRODUCT:
    case MESSAGE_GO_TO_CONFIG:
    case MESSAGE_DATA:
    case MESSAGE_WAKE_UP_HEARD:
    case MESSAGE_RESET:
    case MESSAGE_REQUEST_CONFIG:
        break;
    }
    return false;
}

/* Whether a message stands at the front. */
static enum look frame_look(const uint8_t *bytes, size_t size, enum care care,
                            struct frame *frame)
{
    enum look look = head_look(bytes, size, frame);
    if (look != LOOK_WHOLE) {
        return look;
    }
    if (frame->message == MESSAGE_DATA) {
        size_t here = size - (size_t)(frame->data - bytes);
        here = here < frame->data_size ? here : frame->data_size;
        if (!is_items(frame->data, frame->data_size, here, care)) {
            return LOOK_BAD;
        }
    } else if (care == CARE_KNOWN && !is_short_answer(frame)) {
        return LOOK_BAD;
    }
    if (size < frame->size) {
        return LOOK_PART;
    }
    return framing_sum8(bytes + 1, frame->size - 1) == 0 ? LOOK_WHOLE : LOOK_BAD;
}

/* The end of a message may be cut off and the next one taken for its rest: of 256 such, one
 * sum fits. Then the message that begins inside is the true one.
 * @param inner_size  Bytes in which it may begin.
 * @return LOOK_WHOLE one is inside, LOOK_PART one may be, LOOK_BAD none. */
static enum look inner_look(const uint8_t *bytes, size_t inner_size, size_t size)
{
    enum look found = LOOK_BAD;
    for (size_t start = 1; start < inner_size; start++) {
        const uint8_t *next = memchr(bytes + start, PREAMBLE, inner_size - start);
        if (!next) {
            break;
        }
        start = (size_t)(next - bytes);
        struct frame inner = {0};
        enum look look = frame_look(next, size - start, CARE_KNOWN, &inner);
        if (look == LOOK_WHOLE) {
            return LOOK_WHOLE;
        }
        /* What would reach beyond the view is never waited for. */
        if (look == LOOK_PART && start + inner.size < FRAME_MAX) {
            found = LOOK_PART;
        }
    }
    return found;
}

/* Bytes at the end of a message that may as well begin the next: FA, or FA FF. They are
 * left there, so that neither reading loses a message. */
static size_t left_count(const uint8_t *bytes, size_t size)
{
    if (bytes[size - 1] == PREAMBLE) {
        return 1;
    }
    return bytes[size - 2] == PREAMBLE && bytes[size - 1] == MASTER ? 2 : 0;
}

/* A message with items of groups that are not listed is believed when the next one stands
 * behind it. */
static enum look unlisted_look(const uint8_t *bytes, size_t size, struct frame *frame)
{
    static const uint8_t start[START_SIZE] = {PREAMBLE, MASTER, MESSAGE_DATA};
    enum look look = frame_look(bytes, size, CARE_SIZES, frame);
    if (look != LOOK_WHOLE) {
        return look;
    }
    size_t left = size - frame->size;
    size_t here = left < START_SIZE ? left : START_SIZE;
    if (memcmp(bytes + frame->size, start, here) != 0) {
        return LOOK_BAD;
    }
    return here == START_SIZE ? LOOK_WHOLE : LOOK_PART;
}

/* A whole message at the front that no other one contradicts.
 * @param frame_size  Out for LOOK_WHOLE: without what is left to the next one. */
static enum look front_look(const uint8_t *bytes, size_t size, size_t *frame_size)
{
    struct frame frame = {0};
    enum look look = frame_look(bytes, size, CARE_GROUPS, &frame);
    if (look == LOOK_BAD) {
        look = unlisted_look(bytes, size, &frame);
    }
    if (look == LOOK_BAD) {
        return LOOK_BAD;
    }
    bool is_whole = look == LOOK_WHOLE;
    enum look inner = inner_look(bytes, is_whole ? frame.size - LEFT_MAX : size, size);
    if (inner == LOOK_WHOLE) {
        return LOOK_BAD;
    }
    if (!is_whole || inner == LOOK_PART) {
        return LOOK_PART;
    }
    *frame_size = frame.size - left_count(bytes, frame.size);
    return LOOK_WHOLE;
}

static bool is_data_start(const uint8_t *bytes, size_t size)
{
    return size >= START_SIZE && bytes[1] == MASTER && bytes[2] == MESSAGE_DATA;
}

static enum frame_verdict mti_frame_next(const struct driver_context *context,
                                         const uint8_t *bytes, size_t size,
                                         size_t *frame_size)
{
    /* What the message before left here is not stray when a start stands behind it. */
    size_t lead = mti_look(context)->left_size;
    lead = lead < size && bytes[0] == PREAMBLE && bytes[lead] == PREAMBLE ? lead : 0;
    enum look look =
        bytes[0] == PREAMBLE ? front_look(bytes + lead, size - lead, frame_size) : LOOK_BAD;
    if (look == LOOK_PART) {
        return FRAME_NEED_MORE;
    }
    if (look == LOOK_WHOLE) {
        *frame_size += lead;
        return FRAME_FOUND;
    }
    if (lead == 0 && bytes[0] == PREAMBLE && is_data_start(bytes, size)) {
        /* A damaged message: decode refuses it, so that it is counted. */
        *frame_size = START_SIZE;
        return FRAME_FOUND;
    }
    const uint8_t *next = memchr(bytes + 1, PREAMBLE, size - 1);
    *frame_size = next ? (size_t)(next - bytes) : size;
    return FRAME_SKIP;
}

/* ---- numbers ---- */

static double real_read(const uint8_t *bytes, unsigned precision)
{
    switch (precision) {
    case 0:
        return (double)framing_f32_be(bytes);
    case 1: /* 12.20 */
        return (double)(int32_t)framing_u32_be(bytes) / 1048576.0;
    case 2: /* 16.32: the fraction comes first */
        return (double)(int16_t)framing_u16_be(bytes + 4)
               + (double)framing_u32_be(bytes) / 4294967296.0;
    default:
        return framing_f64_be(bytes);
    }
}

static void reals_read(const uint8_t *bytes, uint16_t id, unsigned count, double *values)
{
    for (unsigned index = 0; index < count; index++) {
        values[index] = real_read(bytes, id & 3);
        bytes += PRECISION_SIZES[id & 3];
    }
}

/* ---- meaning of a message ---- */

/* What one MTData2 message holds. */
struct content {
    struct sample slots[MTI_STREAM_COUNT];
    bool has_counter;
    bool has_time;
    bool has_turn;
    bool has_acceleration;
    bool is_motion;
    uint16_t counter;
    uint32_t time;
    uint32_t status;
};

/* Room for one sample of a stream; a second one in the same message replaces it. */
static float *slot_fill(struct content *content, enum mti_stream stream)
{
    content->slots[stream].channel_count = (uint8_t)STREAMS[stream].channel_count;
    return content->slots[stream].values;
}

static void word_split(uint32_t word, float halves[2])
{
    halves[0] = (float)(word & 0xFFFF);
    halves[1] = (float)(word >> 16);
}

static void inertial_take(struct content *content, uint16_t id, const double reals[3])
{
    bool is_turn = (id & 0xFFF0) == ITEM_TURN;
    float *values = slot_fill(content, INERTIAL) + (is_turn ? 0 : 3);
    for (unsigned axis = 0; axis < 3; axis++) {
        double value = is_turn ? reals[axis] * DEG_PER_RAD : reals[axis] / GRAVITY_M_S2;
        if (!isfinite(value)) {
            return; /* no number, no inertial sample */
        }
        values[axis] = (float)value;
    }
    content->has_turn = content->has_turn || is_turn;
    content->has_acceleration = content->has_acceleration || !is_turn;
}

static void reals_take(struct content *content, const struct item *item, uint16_t id,
                       const uint8_t *payload)
{
    double reals[SAMPLE_CHANNEL_MAX];
    reals_read(payload, id, item->size, reals);
    if (item->kind == ITEM_INERTIAL) {
        inertial_take(content, id, reals);
        return;
    }
    float *values = slot_fill(content, item->stream);
    for (unsigned index = 0; index < item->size; index++) {
        values[index] = (float)reals[index];
    }
    if (item->kind == ITEM_EARTH_REALS) {
        values[item->size] = (float)(id >> 2 & 3);
    }
}

static void utc_take(struct content *content, const uint8_t *payload)
{
    float *values = slot_fill(content, UTC);
    uint32_t ns = framing_u32_be(payload);
    values[0] = (float)framing_u16_be(payload + 4);
    for (unsigned index = 0; index < 5; index++) {
        values[1 + index] = (float)payload[6 + index];
    }
    values[6] = (float)(ns / 1000);
    values[7] = (float)(ns % 1000);
    values[8] = (float)payload[11];
}

static void status_take(struct content *content, const uint8_t *payload, size_t size)
{
    float *values = slot_fill(content, STATUS_WORD);
    if (size == 1) {
        values[0] = (float)payload[0];
        values[1] = NAN; /* the status byte is the lowest of the word */
        return;
    }
    content->status = framing_u32_be(payload);
    word_split(content->status, values);
}

static void plain_take(struct content *content, const struct item *item,
                       const uint8_t *payload)
{
    if (item->id == ITEM_COUNTER) {
        content->counter = framing_u16_be(payload);
        content->has_counter = true;
    } else if (item->id == ITEM_FINE_TIME) {
        content->time = framing_u32_be(payload);
        content->has_time = true;
    } else if (item->stream == UTC) {
        utc_take(content, payload);
    } else if (item->stream == PRESSURE) {
        slot_fill(content, PRESSURE)[0] = (float)framing_u32_be(payload);
    } else if (item->stream == STATUS_WORD) {
        status_take(content, payload, item->size);
    }
}

static void packet_take(struct content *content)
{
    if (!content->has_counter) {
        return;
    }
    float *values = slot_fill(content, PACKET);
    values[0] = (float)content->counter;
    if (content->has_time) {
        word_split(content->time, values + 1);
    } else {
        values[1] = NAN;
        values[2] = NAN;
    }
}

static void items_take(const uint8_t *data, size_t size, struct content *content)
{
    for (size_t used = 0; used < size; used += ITEM_HEAD_SIZE + (size_t)data[used + 2]) {
        uint16_t id = framing_u16_be(data + used);
        const uint8_t *payload = data + used + ITEM_HEAD_SIZE;
        const struct item *item = item_find(id);
        if (!item) {
            continue;
        }
        content->is_motion = content->is_motion || item->is_motion;
        if (is_real(item)) {
            reals_take(content, item, id, payload);
        } else {
            plain_take(content, item, payload);
        }
    }
    packet_take(content);
    if (!content->has_turn || !content->has_acceleration) {
        content->slots[INERTIAL].channel_count = 0;
    }
}

/* ---- clock and counter ---- */

/* The clock went back: whether it came to its end and began anew.
 * @param wrap_ticks  Out: the end that it has. */
static bool is_wrap(uint32_t newest, uint32_t raw, uint64_t *wrap_ticks)
{
    for (size_t index = 0; index < sizeof WRAP_TICKS / sizeof WRAP_TICKS[0]; index++) {
        uint64_t wrap = WRAP_TICKS[index];
        if (newest < wrap && wrap - newest + raw <= WRAP_SPAN_TICKS) {
            *wrap_ticks = wrap;
            return true;
        }
    }
    return false;
}

/* Sample times of messages without motion jump back: those are not the clock. */
static void clock_update(struct mti *mti, const struct content *content)
{
    if (!content->is_motion || !content->has_time) {
        return;
    }
    uint64_t wrap_ticks = 0;
    if (mti->has_ticks && content->time < mti->newest_raw) {
        if (is_wrap(mti->newest_raw, content->time, &wrap_ticks)) {
            mti->wrapped_ticks += wrap_ticks;
        } else {
            mti->wrapped_ticks = 0;
            memset(mti->tracks, 0, sizeof mti->tracks);
        }
    }
    mti->has_ticks = true;
    mti->newest_raw = content->time;
}

static uint64_t newest_ticks(const struct mti *mti)
{
    return mti->wrapped_ticks + mti->newest_raw;
}

/* Every message counts, those of the GNSS receiver too: what is missing was lost. */
static void counter_update(struct mti *mti, const struct content *content)
{
    if (!content->has_counter) {
        return;
    }
    uint16_t step = (uint16_t)(content->counter - mti->newest_counter);
    /* A longer step is a counter that starts again. */
    if (mti->has_counter && step > 1 && step <= INT16_MAX) {
        mti->lost_count += step - 1u;
    }
    mti->has_counter = true;
    mti->newest_counter = content->counter;
}

/* How many of the lost messages held a sample of this stream: as many as fit in the time.
 */
static uint32_t samples_lost(const struct mti *mti, enum mti_stream stream)
{
    const struct track *track = &mti->tracks[stream];
    uint32_t missing = mti->lost_count - track->lost_before;
    if (missing == 0 || stream == PACKET) {
        return missing;
    }
    uint64_t step = newest_ticks(mti) - track->ticks;
    if (step == 0 || track->period_ticks == 0) {
        return stream == INERTIAL ? missing : 0;
    }
    uint64_t steps = (step + track->period_ticks / 2) / track->period_ticks;
    uint64_t fitting = steps > 0 ? steps - 1 : 0;
    /* After so long the counter may have come round. */
    if (fitting > INT16_MAX) {
        return fitting < UINT32_MAX / 4 ? (uint32_t)fitting : missing;
    }
    return fitting < missing ? (uint32_t)fitting : missing;
}

/* Running number of a stream's samples, those that were lost included: begins with the
 * counter of the device and stays the same for all streams that come with each sample. */
static void track_update(struct mti *mti, enum mti_stream stream, struct sample *sample)
{
    struct track *track = &mti->tracks[stream];
    uint64_t ticks = newest_ticks(mti);
    if (track->is_seen) {
        bool is_even = track->lost_before == mti->lost_count && ticks > track->ticks;
        track->sequence += 1 + samples_lost(mti, stream);
        track->period_ticks = is_even ? ticks - track->ticks : track->period_ticks;
    } else {
        const struct track *lead = &mti->tracks[INERTIAL];
        track->sequence = lead->is_seen ? lead->sequence : mti->newest_counter;
    }
    track->is_seen = true;
    track->lost_before = mti->lost_count;
    track->ticks = ticks;
    sample->sequence = mti->has_counter ? track->sequence : 0;
}

static uint16_t clip_flags(enum mti_stream stream, uint32_t status)
{
    uint32_t axes = 0;
    if (stream == INERTIAL) {
        axes = CLIPPED_INERTIAL;
    } else if (stream == MAGNETIC) {
        axes = CLIPPED_MAGNETIC;
    } else {
        return 0;
    }
    bool is_somewhere =
        (status & CLIPPED_ANY) && !(status & (CLIPPED_INERTIAL | CLIPPED_MAGNETIC));
    return (status & axes) || is_somewhere ? SAMPLE_CLIPPED : 0;
}

static int data_decode(struct mti *mti, const struct frame *frame, struct sample *samples)
{
    struct content content = {0};
    items_take(frame->data, frame->data_size, &content);
    clock_update(mti, &content);
    counter_update(mti, &content);
    int count = 0;
    for (unsigned stream = 0; stream < MTI_STREAM_COUNT; stream++) {
        struct sample *sample = &content.slots[stream];
        if (sample->channel_count == 0) {
            continue;
        }
        sample->stream = (uint8_t)stream;
        sample->device_ticks = newest_ticks(mti);
        sample->flags = clip_flags((enum mti_stream)stream, content.status);
        track_update(mti, (enum mti_stream)stream, sample);
        samples[count++] = *sample;
    }
    return count;
}

/* ---- what the unit says of itself ---- */

static void notice_set(struct mti *mti, const char *text)
{
    (void)snprintf(mti->notice, sizeof mti->notice, "%s", text);
    mti->notice_count++;
}

struct error_meaning {
    uint8_t code;
    const char *text;
};

/* Codes of message 42 (MT0101P and family manuals). */
static const struct error_meaning ERRORS[] = {
    {3, "period out of range"},
    {4, "message not known, or not in this state"},
    {30, "timer overflow: too much to do at this rate"},
    {32, "baud rate out of range"},
    {33, "parameter not valid or out of range"},
    {40, "fault of the unit: restart it, and have it serviced if it stays"},
    {41, "data lost: baud rate too low for what is sent"},
    {42, "buffer overflow: data lost"},
};

static void error_decode(struct mti *mti, const struct frame *frame)
{
    uint8_t code = frame->data_size > 0 ? frame->data[0] : 0;
    const char *text = "see the maker's manual";
    for (size_t index = 0; index < sizeof ERRORS / sizeof ERRORS[0]; index++) {
        text = ERRORS[index].code == code ? ERRORS[index].text : text;
    }
    (void)snprintf(mti->notice, sizeof mti->notice, "Xsens MTi error %u: %s",
                   (unsigned)code, text);
    mti->notice_count++;
    mti->is_refused = mti->is_waiting;
}

static void device_decode(struct mti *mti, const struct frame *frame)
{
    /* Longer identifiers of the MTi-600 begin with zeros on older units. */
    int used = snprintf(mti->device, sizeof mti->device, ", device ");
    size_t size = frame->data_size < 8 ? frame->data_size : 8;
    for (size_t index = 0; index < size; index++) {
        used += snprintf(mti->device + used, sizeof mti->device - (size_t)used, "%02X",
                         frame->data[index]);
    }
}

static void product_decode(struct mti *mti, const struct frame *frame)
{
    size_t size = 0;
    while (size < frame->data_size && size < sizeof mti->product - 1
           && frame->data[size] > ' ' && frame->data[size] < 0x7F) {
        mti->product[size] = (char)frame->data[size];
        size++;
    }
    mti->product[size] = '\0';
}

static void firmware_decode(struct mti *mti, const struct frame *frame)
{
    if (frame->data_size >= 3) {
        (void)snprintf(mti->firmware, sizeof mti->firmware, ", firmware %u.%u.%u",
                       (unsigned)frame->data[0], (unsigned)frame->data[1],
                       (unsigned)frame->data[2]);
    }
}

static void identity_write(struct mti *mti)
{
    (void)snprintf(mti->identity, sizeof mti->identity, "Xsens %s%s%s",
                   mti->product[0] ? mti->product : "MTi", mti->device, mti->firmware);
}

/* Rate of an item in a configuration; 0 = it is not there or not stated. */
static unsigned entry_rate_hz(const struct configuration *configuration, uint16_t wanted)
{
    for (size_t used = 0; used + ENTRY_SIZE <= configuration->size; used += ENTRY_SIZE) {
        uint16_t id = framing_u16_be(configuration->entries + used);
        unsigned rate_hz = framing_u16_be(configuration->entries + used + 2);
        if ((id & 0xFFF0) == wanted) {
            return rate_hz < RATE_EACH ? rate_hz : 0;
        }
    }
    return 0;
}

static void config_decode(struct mti *mti, const struct frame *frame)
{
    bool is_usable = frame->data_size % ENTRY_SIZE == 0 && frame->data_size <= CONFIG_MAX;
    mti->said = (struct configuration){0};
    if (is_usable) {
        memcpy(mti->said.entries, frame->data, frame->data_size);
        mti->said.size = (uint8_t)frame->data_size;
        mti->said.is_known = true;
    }
    unsigned turn_hz = entry_rate_hz(&mti->said, ITEM_TURN);
    unsigned acceleration_hz = entry_rate_hz(&mti->said, ITEM_ACCELERATION);
    mti->rate_hz = turn_hz < acceleration_hz ? turn_hz : acceleration_hz;
}

static void answer_decode(struct mti *mti, const struct frame *frame)
{
    switch ((enum message_id)frame->message) {
    case MESSAGE_DEVICE:
        device_decode(mti, frame);
        identity_write(mti);
        break;
    case MESSAGE_PRODUCT:
        product_decode(mti, frame);
        identity_write(mti);
        break;
    case MESSAGE_FIRMWARE:
        firmware_decode(mti, frame);
        identity_write(mti);
        break;
    case MESSAGE_CONFIG:
        config_decode(mti, frame);
        break;
    case MESSAGE_ERROR:
        error_decode(mti, frame);
        break;
    case MESSAGE_WAKE_UP:
        mti->is_awake = mti->is_waiting;
        break;
    case MESSAGE_IN_MEASUREMENT:
    case MESSAGE_IN_CONFIG:
    case MESSAGE_RESET_HEARD:
    case MESSAGE_REQUEST_DEVICE:
    case MESSAGE_GO_TO_MEASUREMENT:
    case MESSAGE_REQUEST_FIRMWARE:
    case MESSAGE_REQUEST_PRODUCT:
    case MESSAGE_GO_TO_CONFIG:
    case MESSAGE_DATA:
    case MESSAGE_WAKE_UP_HEARD:
    case MESSAGE_RESET:
    case MESSAGE_REQUEST_CONFIG:
        break;
    }
    if (mti->is_waiting && frame->message == REQUESTS[mti->step].answer) {
        mti->is_answered = true;
    }
}

/* Take a frame apart as frame_next gave it: behind what the one before left, and without
 * what it leaves itself, which is put back.
 * @param room  Where it is put together when something is missing.
 * @return Bytes put back, -1 = damaged. */
static int frame_restore(const uint8_t *bytes, size_t size,
                         uint8_t room[DATA_MAX + HEAD_MAX + 1], struct frame *frame)
{
    static const uint8_t start[LEFT_MAX] = {PREAMBLE, MASTER};
    size_t lead = 0;
    for (size_t place = 1; place <= LEFT_MAX && place < size; place++) {
        lead = bytes[place] == PREAMBLE ? place : lead;
    }
    bytes += lead;
    size -= lead;
    if (head_look(bytes, size, frame) != LOOK_WHOLE || size > frame->size
        || size + LEFT_MAX < frame->size) {
        return -1;
    }
    size_t missing = frame->size - size;
    if (missing > 0) {
        memcpy(room, bytes, size);
        memcpy(room + size, start, missing);
        bytes = room;
        (void)head_look(bytes, frame->size, frame);
    }
    return framing_sum8(bytes + 1, frame->size - 1) == 0 ? (int)missing : -1;
}

static int mti_decode(struct driver_context *context, const uint8_t *bytes, size_t size,
                      struct sample *samples)
{
    struct mti *mti = mti_of(context);
    struct frame frame = {0};
    uint8_t room[DATA_MAX + HEAD_MAX + 1];
    int left = frame_restore(bytes, size, room, &frame);
    if (left < 0) {
        return -1;
    }
    mti->left_size = (uint8_t)left;
    if (frame.message != MESSAGE_DATA) {
        answer_decode(mti, &frame);
        return 0;
    }
    if (!is_items(frame.data, frame.data_size, frame.data_size, CARE_SIZES)) {
        return -1;
    }
    /* Data prove that it measures, should the answer get lost. */
    mti->is_answered = mti->is_answered || (mti->is_waiting && mti->step == STEP_MEASURE);
    return data_decode(mti, &frame, samples);
}

/* ---- what the unit is told ---- */

static size_t message_write(uint8_t message, const uint8_t *data, size_t size,
                            uint8_t *bytes)
{
    bytes[0] = PREAMBLE;
    bytes[1] = MASTER;
    bytes[2] = message;
    bytes[3] = (uint8_t)size;
    if (size > 0) {
        memcpy(bytes + START_SIZE + 1, data, size);
    }
    uint8_t sum = framing_sum8(bytes + 1, START_SIZE + size);
    bytes[START_SIZE + 1 + size] = (uint8_t)-sum;
    return START_SIZE + 2 + size;
}

static void entry_add(struct configuration *configuration, enum item_id id,
                      unsigned rate_hz)
{
    uint8_t *entry = configuration->entries + configuration->size;
    entry[0] = (uint8_t)(id >> 8);
    entry[1] = (uint8_t)(id & 0xFF);
    entry[2] = (uint8_t)(rate_hz >> 8);
    entry[3] = (uint8_t)(rate_hz & 0xFF);
    configuration->size = (uint8_t)(configuration->size + ENTRY_SIZE);
}

/* Bytes a second that the line carries with room to spare; USB carries more, which the
 * driver cannot know: there a higher baud in the sensor file says so. */
static unsigned line_room(const struct mti *mti)
{
    return mti->baud / (10 * 100) * LINE_SHARE_PERCENT;
}

/* What Limber needs at the wanted rate, as far as the line carries it. */
static void wanted_fill(struct mti *mti)
{
    enum {
        /* Message with counter, time, acceleration, rate of turn and status. */
        MESSAGE_SIZE = 5 + 5 + 7 + 15 + 15 + 7,
        MAGNETIC_SIZE = 15
    };

    unsigned rate_hz = mti->asked_hz;
    for (unsigned divisor = 1; rate_hz * MESSAGE_SIZE > line_room(mti) && rate_hz > 1;
         divisor++) {
        rate_hz = BASE_RATE_HZ / divisor;
    }
    rate_hz = rate_hz < mti->asked_hz ? rate_hz : mti->asked_hz;
    mti->wanted_hz = rate_hz;
    mti->wanted = (struct configuration){.is_known = true};
    entry_add(&mti->wanted, ITEM_COUNTER, RATE_EACH);
    entry_add(&mti->wanted, ITEM_FINE_TIME, RATE_EACH);
    entry_add(&mti->wanted, ITEM_ACCELERATION, rate_hz);
    entry_add(&mti->wanted, ITEM_TURN, rate_hz);
    if (!mti->is_minimal) {
        unsigned magnetic_hz = rate_hz < MAGNETIC_MAX_HZ ? rate_hz : MAGNETIC_MAX_HZ;
        if (rate_hz * MESSAGE_SIZE + magnetic_hz * MAGNETIC_SIZE <= line_room(mti)) {
            entry_add(&mti->wanted, ITEM_MAGNETIC, magnetic_hz);
        }
        entry_add(&mti->wanted, ITEM_TEMPERATURE, TEMPERATURE_HZ);
    }
    entry_add(&mti->wanted, ITEM_STATUS_WORD, RATE_EACH);
}

static bool is_same(const struct configuration *a, const struct configuration *b)
{
    return a->is_known && b->is_known && a->size == b->size
           && memcmp(a->entries, b->entries, a->size) == 0;
}

static void step_go(struct mti *mti, enum step step)
{
    mti->step = step;
    mti->try_count = 0;
    mti->is_waiting = false;
    mti->is_answered = false;
    mti->is_refused = false;
}

/* The configuration it was found with has been told. What cannot be put back later is not
 * changed. */
static void found_take(struct mti *mti, struct mti_kept *kept)
{
    /* To send an empty one would be to ask for it. */
    if (!mti->said.is_known || mti->said.size == 0) {
        notice_set(mti, mti->said.is_known
                            ? "Xsens MTi: its output configuration is empty and could not "
                              "be put back; left so, set one with the maker's program"
                            : "Xsens MTi: its output configuration is not understood; left "
                              "so");
        step_go(mti, STEP_MEASURE);
        return;
    }
    if (!kept->found.is_known) {
        kept->found = mti->said;
    }
    wanted_fill(mti);
    step_go(mti, is_same(&mti->said, &mti->wanted) ? STEP_READ_BACK : STEP_SET);
}

static void rate_compare(struct mti *mti)
{
    char text[NOTICE_SIZE];
    if (mti->rate_hz == 0) {
        notice_set(mti, "Xsens MTi: gives no acceleration or no rate of turn; choose a "
                        "model or setting with both");
    } else if (mti->rate_hz != mti->asked_hz) {
        (void)snprintf(text, sizeof text, "asked for %u Hz, the sensor set %u Hz%s",
                       mti->asked_hz, mti->rate_hz,
                       mti->wanted_hz < mti->asked_hz ? ": the line carries no more, set "
                                                        "a higher baud"
                                                      : "");
        notice_set(mti, text);
    }
}

static void step_answered(struct mti *mti, struct mti_kept *kept)
{
    switch (mti->step) {
    case STEP_AS_FOUND:
        found_take(mti, kept);
        return;
    case STEP_READ_BACK:
        rate_compare(mti);
        break;
    case STEP_CONFIG:
    case STEP_DEVICE:
    case STEP_PRODUCT:
    case STEP_FIRMWARE:
    case STEP_SET:
    case STEP_MEASURE:
    case STEP_DONE:
        break;
    }
    step_go(mti, mti->step + 1);
}

/* No answer, or an error. */
static void step_failed(struct mti *mti)
{
    switch (mti->step) {
    case STEP_CONFIG:
        notice_set(mti, "Xsens MTi does not answer; it is read as it was set up before");
        step_go(mti, STEP_MEASURE);
        return;
    case STEP_AS_FOUND:
        notice_set(mti, "Xsens MTi does not tell its output configuration: left as it is");
        step_go(mti, STEP_MEASURE);
        return;
    case STEP_SET:
        if (!mti->is_minimal) {
            mti->is_minimal = true;
            wanted_fill(mti);
            step_go(mti, STEP_SET);
            return;
        }
        notice_set(mti, "Xsens MTi does not take the output configuration");
        break;
    case STEP_MEASURE:
        if (mti->said.is_known) {
            notice_set(mti, "Xsens MTi does not confirm the start of measurement");
        }
        break;
    case STEP_DEVICE:
    case STEP_PRODUCT:
    case STEP_FIRMWARE:
    case STEP_READ_BACK:
    case STEP_DONE:
        break;
    }
    step_go(mti, mti->step + 1);
}

static size_t step_write(struct mti *mti, struct mti_kept *kept, uint8_t *bytes)
{
    const struct request *request = &REQUESTS[mti->step];
    if (mti->step == STEP_CONFIG && mti->try_count == request->try_max) {
        /* The documented way out of a bad state; then GoToConfig as before. */
        mti->was_reset = true;
        mti->try_count = 0;
        return message_write(MESSAGE_RESET, NULL, 0, bytes);
    }
    mti->try_count++;
    if (mti->step == STEP_SET) {
        kept->is_changed = true;
        return message_write(request->message, mti->wanted.entries, mti->wanted.size,
                             bytes);
    }
    return message_write(request->message, NULL, 0, bytes);
}

static size_t mti_command_next(struct driver_context *context, int64_t now_ns,
                               uint8_t *bytes)
{
    struct mti *mti = mti_of(context);
    struct mti_kept *kept = kept_of(context);
    if (mti->step == STEP_DONE || mti->stop_count > 0) {
        return 0;
    }
    if (mti->is_awake) {
        mti->is_awake = false;
        return message_write(MESSAGE_WAKE_UP_HEARD, NULL, 0, bytes);
    }
    const struct request *request = &REQUESTS[mti->step];
    /* While it still measures, errors belong to something else. */
    bool is_refused = mti->is_refused && mti->step != STEP_CONFIG;
    bool is_late = mti->is_waiting && now_ns - mti->sent_ns >= request->timeout_ns;
    bool may_reset = mti->step == STEP_CONFIG && !mti->was_reset;
    if (mti->is_answered) {
        step_answered(mti, kept);
    } else if (is_refused
               || (is_late && mti->try_count == request->try_max && !may_reset)) {
        step_failed(mti);
    } else if (mti->is_waiting && !is_late) {
        return 0;
    }
    if (mti->step == STEP_DONE) {
        return 0;
    }
    mti->is_waiting = true;
    mti->sent_ns = now_ns;
    return step_write(mti, kept, bytes);
}

/* Back to what was found; nothing to put back when nothing was changed. */
static size_t mti_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct mti *mti = mti_of(context);
    struct mti_kept *kept = kept_of(context);
    bool is_left_in_config =
        mti->step < STEP_DONE && (mti->step > STEP_CONFIG || mti->is_waiting);
    unsigned turn = mti->stop_count++;
    if (!kept->is_changed) {
        return turn == 0 && is_left_in_config
                   ? message_write(MESSAGE_GO_TO_MEASUREMENT, NULL, 0, bytes)
                   : 0;
    }
    switch (turn) {
    case 0:
        return message_write(MESSAGE_GO_TO_CONFIG, NULL, 0, bytes);
    case 1:
        return message_write(MESSAGE_REQUEST_CONFIG, kept->found.entries, kept->found.size,
                             bytes);
    case 2:
        return message_write(MESSAGE_GO_TO_MEASUREMENT, NULL, 0, bytes);
    default:
        return 0;
    }
}

/* ---- the driver ---- */

static enum status mti_init(struct driver_context *context,
                            const struct driver_settings *settings)
{
    struct mti *mti = mti_of(context);
    double rate_hz = settings->rate_hz > 0.0 ? settings->rate_hz : RATE_DEFAULT_HZ;
    rate_hz = fmin(fmax(rate_hz, 1.0), RATE_MAX_HZ);
    mti->asked_hz = (unsigned)lround(rate_hz);
    mti->baud = settings->baud > 0 ? settings->baud : BAUD_DEFAULT;
    return STATUS_OK;
}

static double mti_rate_hz_get(const struct driver_context *context)
{
    return mti_look(context)->rate_hz;
}

static const char *mti_identity_get(const struct driver_context *context)
{
    return mti_look(context)->identity;
}

static const char *mti_notice_get(const struct driver_context *context, unsigned *count)
{
    *count = mti_look(context)->notice_count;
    return mti_look(context)->notice;
}

/* MTi-10, -20, -30, -100, -200, -300 and MTi-G-700/710, as the kernel's own driver lists
 * them. */
static const struct usb_id USB_IDS[] = {
    {0x2639, 0x0001, false}, {0x2639, 0x0002, false}, {0x2639, 0x0003, false},
    {0x2639, 0x0011, false}, {0x2639, 0x0012, false}, {0x2639, 0x0013, false},
    {0x2639, 0x0017, false},
};

/* One interface of the maker's own, bulk both ways, no class requests. */
static const struct transport_usb_profile USB = {
    .kind = TRANSPORT_USB_BULK, .transfer_size = 2048, .transfer_count = 4};

static const unsigned BAUDS[] = {921600, 460800, 230400, 57600, 0};

/* Asks for the device identifier: answered in config state, refused while measuring, where
 * the data speak for themselves. Changes nothing in either. */
static const uint8_t QUESTION[] = {PREAMBLE, MASTER, MESSAGE_REQUEST_DEVICE, 0x00, 0x01};

extern const struct driver driver_xsens_mti;

const struct driver driver_xsens_mti = {
    .name = "xsens-mti",
    .title = "Xsens MTi (MTData2)",
    .streams = STREAMS,
    .stream_count = MTI_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = BAUD_DEFAULT,
    .rate_hz = RATE_DEFAULT_HZ,
    .tick_s = 1e-4,
    .has_checksum = true,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .usb = &USB,
    .bauds = BAUDS,
    .question = QUESTION,
    .question_size = sizeof QUESTION,
    .init = mti_init,
    .frame_next = mti_frame_next,
    .decode = mti_decode,
    .command_next = mti_command_next,
    .command_stop = mti_command_stop,
    .rate_hz_get = mti_rate_hz_get,
    .identity_get = mti_identity_get,
    .notice_get = mti_notice_get,
};

/* x-io x-IMU3: binary and ASCII messages of the user manual (communication protocol
 * section). Messages carry no checksum: length, number and clock must all be believable.
 * Multiplexed messages ("^", channel, message) are those of other units with clocks of
 * their own, passed on by this one: counted as frames, never decoded, since one device here
 * is one clock; such a unit is connected to the computer itself. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"

enum {
    TERMINATOR = 0x0A,
    BINARY_BIT = 0x80,
    FRAME_MAX = 4096,  /* the maker's receive buffer */
    HEAD_SIZE = 9,     /* id and timestamp of a binary message */
    VALUE_MAX = 9,     /* values of the longest message, the rotation matrix */
    TAIL_MAX = 160,    /* longest message of numbers, stuffed or ASCII */
    NOTICE_SIZE = 128, /* notes are up to 127 characters */
    NAME_SIZE = 32,    /* device names are up to 31 characters */
    IDENTITY_SIZE = 3 * NAME_SIZE + 16,
    KEY_SIZE = 48,
    ACCESSORY_CHANNEL_COUNT = 8,
    COMMAND_TRY_MAX = 3, /* the maker's policy: two retries, 0.5 s each */
    BASE_RATE_HZ = 400,
    LOW_BATTERY_PERCENT = 10
};

static const int64_t COMMAND_TIMEOUT_NS = 500000000;
static const uint64_t RESCUE_SPAN_US = 10000000;

static const struct framing_stuffing STUFFING = {
    .escape = 0xDB, .end = TERMINATOR, .end_code = 0xDC, .escape_code = 0xDD};

enum ximu3_stream {
    INERTIAL,
    MAGNETOMETER,
    HIGH_G,
    QUATERNION,
    MATRIX,
    EULER,
    LINEAR,
    EARTH,
    AHRS_STATUS,
    TEMPERATURE,
    BATTERY,
    RSSI,
    SERIAL_ACCESSORY,
    SYNC,
    BUTTON,
    TIMECODE,
    XIMU3_STREAM_COUNT
};

/* Full scales: 0.061 deg/s and 732 ug per count over 16 bits (technical specification). */
static const struct stream_info STREAMS[XIMU3_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {2000.0F, 2000.0F, 2000.0F, 24.0F, 24.0F, 24.0F}},
    [MAGNETOMETER] = {"magnetometer",
                      STREAM_MAGNETIC,
                      3,
                      {"magnetometer_x_au", "magnetometer_y_au", "magnetometer_z_au"},
                      {"1", "1", "1"},
                      {0}},
    [HIGH_G] = {"high_g",
                STREAM_HIGH_G,
                3,
                {"high_g_x_g", "high_g_y_g", "high_g_z_g"},
                {"g", "g", "g"},
                {200.0F, 200.0F, 200.0F}},
    [QUATERNION] = {"quaternion",
                    STREAM_ORIENTATION,
                    4,
                    {"quaternion_w", "quaternion_x", "quaternion_y", "quaternion_z"},
                    {"1", "1", "1", "1"},
                    {0}},
    [MATRIX] = {"matrix",
                STREAM_ORIENTATION,
                9,
                {"matrix_xx", "matrix_xy", "matrix_xz", "matrix_yx", "matrix_yy",
                 "matrix_yz", "matrix_zx", "matrix_zy", "matrix_zz"},
                {"1", "1", "1", "1", "1", "1", "1", "1", "1"},
                {0}},
    [EULER] = {"euler",
               STREAM_ORIENTATION,
               3,
               {"roll_deg", "pitch_deg", "yaw_deg"},
               {"deg", "deg", "deg"},
               {0}},
    [LINEAR] = {"linear_acceleration",
                STREAM_ORIENTATION,
                3,
                {"linear_acceleration_x_g", "linear_acceleration_y_g",
                 "linear_acceleration_z_g"},
                {"g", "g", "g"},
                {0}},
    [EARTH] = {"earth_acceleration",
               STREAM_ORIENTATION,
               3,
               {"earth_acceleration_x_g", "earth_acceleration_y_g",
                "earth_acceleration_z_g"},
               {"g", "g", "g"},
               {0}},
    [AHRS_STATUS] = {"ahrs_status",
                     STREAM_STATUS,
                     4,
                     {"initialising", "angular_rate_recovery", "acceleration_recovery",
                      "magnetic_recovery"},
                     {"1", "1", "1", "1"},
                     {0}},
    [TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
    [BATTERY] = {"battery",
                 STREAM_BATTERY,
                 3,
                 {"battery_percent", "battery_v", "charging_state"},
                 {"%", "V", "1"},
                 {0}},
    [RSSI] = {"rssi", STREAM_STATUS, 2, {"rssi_percent", "rssi_dbm"}, {"%", "dB[mW]"}, {0}},
    [SERIAL_ACCESSORY] = {"serial_accessory",
                          STREAM_ANALOG,
                          8,
                          {"analog_0_v", "analog_1_v", "analog_2_v", "analog_3_v",
                           "analog_4_v", "analog_5_v", "analog_6_v", "analog_7_v"},
                          {"V", "V", "V", "V", "V", "V", "V", "V"},
                          {3.0F, 3.0F, 3.0F, 3.0F, 3.0F, 3.0F, 3.0F, 3.0F}},
    [SYNC] = {"sync", STREAM_STATUS, 1, {"sync_edge"}, {"1"}, {0}},
    [BUTTON] = {"button", STREAM_MARKER, 1, {"button_state"}, {"1"}, {0}},
    [TIMECODE] = {"timecode",
                  STREAM_STATUS,
                  4,
                  {"timecode_h", "timecode_min", "timecode_s", "timecode_frame"},
                  {"h", "min", "s", "1"},
                  {0}},
};

/* What stands in a message after its timestamp. */
enum content {
    CONTENT_UNKNOWN,
    CONTENT_VALUES,         /* a fixed count of numbers */
    CONTENT_MAYBE_ROTATION, /* older firmware puts w x y z in front of the numbers */
    CONTENT_MAYBE_TEXT,     /* newer firmware sends text instead of the numbers */
    CONTENT_NOTICE,         /* text for people */
    CONTENT_SERIAL,         /* bytes of the serial accessory */
    CONTENT_TIMECODE        /* "hh:mm:ss:ff" */
};

struct message {
    enum content content;
    enum ximu3_stream stream;
    unsigned value_count;
    float limits[2]; /* largest believable size: of the first three values, of the rest */
};

/* Larger numbers are never sent: the ASCII form clamps here. */
#define VALUE_LIMIT 1000000.0F

static const struct message MESSAGES['Z' - 'A' + 1] = {
    ['I' - 'A'] = {CONTENT_VALUES, INERTIAL, 6, {5000.0F, 200.0F}},
    ['M' - 'A'] = {CONTENT_VALUES, MAGNETOMETER, 3, {1000.0F, 0.0F}},
    ['H' - 'A'] = {CONTENT_VALUES, HIGH_G, 3, {2000.0F, 0.0F}},
    ['Q' - 'A'] = {CONTENT_VALUES, QUATERNION, 4, {1.01F, 1.01F}},
    ['R' - 'A'] = {CONTENT_VALUES, MATRIX, 9, {1.01F, 1.01F}},
    ['A' - 'A'] = {CONTENT_VALUES, EULER, 3, {360.0F, 0.0F}},
    ['L' - 'A'] = {CONTENT_MAYBE_ROTATION, LINEAR, 3, {200.0F, 0.0F}},
    ['E' - 'A'] = {CONTENT_MAYBE_ROTATION, EARTH, 3, {200.0F, 0.0F}},
    ['U' - 'A'] = {CONTENT_MAYBE_TEXT, AHRS_STATUS, 4, {1.0F, 1.0F}},
    ['T' - 'A'] = {CONTENT_VALUES, TEMPERATURE, 1, {200.0F, 0.0F}},
    ['B' - 'A'] = {CONTENT_VALUES, BATTERY, 3, {VALUE_LIMIT, 0.0F}},
    ['W' - 'A'] = {CONTENT_VALUES, RSSI, 2, {VALUE_LIMIT, 0.0F}},
    ['S' - 'A'] = {CONTENT_SERIAL, SERIAL_ACCESSORY, 8, {VALUE_LIMIT, VALUE_LIMIT}},
    ['Y' - 'A'] = {CONTENT_VALUES, SYNC, 1, {VALUE_LIMIT, 0.0F}},
    ['O' - 'A'] = {CONTENT_VALUES, BUTTON, 1, {VALUE_LIMIT, 0.0F}},
    ['C' - 'A'] = {CONTENT_TIMECODE, TIMECODE, 4, {VALUE_LIMIT, VALUE_LIMIT}},
    ['N' - 'A'] = {CONTENT_NOTICE, XIMU3_STREAM_COUNT, 0, {0}},
    ['F' - 'A'] = {CONTENT_NOTICE, XIMU3_STREAM_COUNT, 0, {0}},
};

static const struct message ROTATION = {CONTENT_VALUES, QUATERNION, 4, {1.01F, 1.01F}};

/* A message taken apart: its timestamp and either numbers or text. */
struct parsed {
    const struct message *message;
    uint64_t ticks;
    float values[VALUE_MAX];
    unsigned value_count;
    const char *text; /* NULL = numbers */
    size_t text_size;
    uint8_t plain[FRAME_MAX]; /* un-stuffed bytes, where stuffing was used */
};

/* Settings of the unit that matter here; all are numbers or switches. */
enum setting {
    BINARY_MODE,
    INERTIAL_DIVISOR,
    AHRS_DIVISOR,
    USB_DATA,
    SERIAL_DATA,
    SERIAL_MODE,
    SERIAL_BAUD,
    ACCESSORY_SIZE,
    ACCESSORY_END,
    ACCESSORY_TIMEOUT,
    SETTING_COUNT
};

/* The interface that the unit is spoken to on, as it says. */
enum interface {
    INTERFACE_UNKNOWN,
    INTERFACE_USB,
    INTERFACE_SERIAL,
    INTERFACE_OTHER
};

struct ximu3 {
    uint64_t newest_us; /* of any message with numbers; 0 before the first */

    /* From the unit's own words alone. */
    int32_t told[SETTING_COUNT];
    uint32_t told_mask;   /* settings that it has told */
    double rate_hz;       /* of inertial messages, 0 = not told */
    bool is_next_pending; /* the next divisor it tells is not in effect yet */
    enum interface interface;
    char name[NAME_SIZE];
    char number[NAME_SIZE];
    char firmware[NAME_SIZE];
    char identity[IDENTITY_SIZE];

    /* What is asked of it. */
    double asked_hz; /* 0 = the default is good */
    unsigned divisor;
    bool has_accessory;
    unsigned step; /* see STEP_PING */
    unsigned try_count;
    bool is_waiting;
    bool is_mute;     /* answered nothing */
    bool has_written; /* something has to be applied */
    int64_t sent_ns;
    bool has_restored;

    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

_Static_assert(sizeof(struct ximu3) <= DRIVER_CONTEXT_SIZE, "context too small");

/* The settings as they were found, before any was changed. */
struct ximu3_kept {
    uint32_t found_mask;
    uint32_t changed_mask;
    int32_t found[SETTING_COUNT];
    char number[NAME_SIZE]; /* of the unit */
};

_Static_assert(sizeof(struct ximu3_kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct ximu3_kept *kept_of(struct driver_context *context)
{
    return (struct ximu3_kept *)(void *)context->kept;
}

static struct ximu3 *ximu3_of(struct driver_context *context)
{
    return (struct ximu3 *)(void *)context->memory;
}

static const struct ximu3 *ximu3_look(const struct driver_context *context)
{
    return (const struct ximu3 *)(const void *)context->memory;
}

/* The message that starts with this byte, or NULL. */
static const struct message *message_find(uint8_t first)
{
    uint8_t letter = first & (uint8_t)~BINARY_BIT;
    if (letter < 'A' || letter > 'Z') {
        return NULL;
    }
    const struct message *message = &MESSAGES[letter - 'A'];
    return message->content == CONTENT_UNKNOWN ? NULL : message;
}

/* ---- splitting a message ---- */

/* Counts of numbers that a message may carry. */
static bool is_value_count(const struct message *message, size_t count)
{
    if (message->content == CONTENT_MAYBE_ROTATION && count == message->value_count + 4) {
        return true;
    }
    return count == message->value_count;
}

static bool is_number_message(const struct message *message)
{
    return message->content == CONTENT_VALUES || message->content == CONTENT_MAYBE_ROTATION
           || message->content == CONTENT_MAYBE_TEXT;
}

/* @param bytes  Un-stuffed, without the terminator. */
static bool binary_parse(const uint8_t *bytes, size_t size, struct parsed *parsed)
{
    if (size < HEAD_SIZE) {
        return false;
    }
    const struct message *message = parsed->message;
    const uint8_t *payload = bytes + HEAD_SIZE;
    size_t payload_size = size - HEAD_SIZE;
    parsed->ticks = framing_u64(bytes + 1);
    if (is_number_message(message) && payload_size % 4 == 0
        && is_value_count(message, payload_size / 4)) {
        parsed->value_count = (unsigned)(payload_size / 4);
        for (unsigned index = 0; index < parsed->value_count; index++) {
            parsed->values[index] = framing_f32(payload + (size_t)4 * index);
        }
        return true;
    }
    parsed->text = (const char *)payload;
    parsed->text_size = payload_size;
    return !is_number_message(message) || message->content == CONTENT_MAYBE_TEXT;
}

/* Numbers separated by one character.
 * @return Count, or -1 when anything else stands there or there are more than capacity. */
static int numbers_read(const char *text, size_t size, char separator, float *values,
                        unsigned capacity)
{
    unsigned count = 0;
    size_t used = 0;
    for (;;) {
        double value = 0.0;
        size_t length = framing_number(text + used, size - used, &value);
        if (length == 0 || count == capacity || fabs(value) > (double)VALUE_LIMIT) {
            return -1;
        }
        values[count++] = (float)value;
        used += length;
        if (used == size) {
            return (int)count;
        }
        if (text[used++] != separator) {
            return -1;
        }
    }
}

/* "I,1000000,0.0000,..." without the terminator. */
static bool ascii_parse(const char *text, size_t size, struct parsed *parsed)
{
    if (size < 4 || text[1] != ',') {
        return false;
    }
    size_t used = framing_integer(text + 2, size - 2, &parsed->ticks);
    if (used == 0 || used + 2 == size || text[used + 2] != ',') {
        return false;
    }
    parsed->text = text + used + 3;
    parsed->text_size = size - used - 3;
    if (!is_number_message(parsed->message)) {
        return true;
    }
    int count =
        numbers_read(parsed->text, parsed->text_size, ',', parsed->values, VALUE_MAX);
    if (count > 0 && is_value_count(parsed->message, (size_t)count)) {
        parsed->text = NULL;
        parsed->value_count = (unsigned)count;
        return true;
    }
    return parsed->message->content == CONTENT_MAYBE_TEXT;
}

/* @param size  With the terminator. */
static bool message_parse(const uint8_t *bytes, size_t size, struct parsed *parsed)
{
    parsed->message = message_find(bytes[0]);
    parsed->ticks = 0;
    parsed->value_count = 0;
    parsed->text = NULL;
    parsed->text_size = 0;
    if (!parsed->message || size < 2 || size > FRAME_MAX || bytes[size - 1] != TERMINATOR) {
        return false;
    }
    size--;
    if (!(bytes[0] & BINARY_BIT)) {
        return ascii_parse((const char *)bytes, size, parsed);
    }
    if (!memchr(bytes, STUFFING.escape, size)) {
        return binary_parse(bytes, size, parsed);
    }
    int plain_size = framing_unstuff(&STUFFING, bytes, size, parsed->plain);
    return plain_size > 0 && binary_parse(parsed->plain, (size_t)plain_size, parsed);
}

/* ---- believing a message ---- */

static bool is_in_limits(const struct message *message, const float *values)
{
    for (unsigned index = 0; index < message->value_count; index++) {
        float size = fabsf(values[index]);
        /* Also false for NaN. */
        if (!(size <= message->limits[index >= 3])) {
            return false;
        }
    }
    return true;
}

/* Fill one sample; false when a number is beyond belief. */
static bool sample_fill(const struct message *message, uint64_t ticks, const float *values,
                        struct sample *sample)
{
    if (!is_in_limits(message, values)) {
        return false;
    }
    sample->device_ticks = ticks;
    sample->stream = (uint8_t)message->stream;
    sample->channel_count = (uint8_t)message->value_count;
    memcpy(sample->values, values, message->value_count * sizeof values[0]);
    return true;
}

static bool is_clipped(const struct sample *sample)
{
    /* The unit's own gain correction may move a saturated reading by up to 1 %. */
    const float *full_scale = STREAMS[INERTIAL].full_scale;
    for (unsigned index = 0; index < 6; index++) {
        if (fabsf(sample->values[index]) >= 0.99F * full_scale[index]) {
            return true;
        }
    }
    return false;
}

/* ---- meaning of a message ---- */

static int values_decode(const struct parsed *parsed, struct sample *samples)
{
    const float *values = parsed->values;
    int count = 0;
    if (parsed->value_count > parsed->message->value_count) {
        if (!sample_fill(&ROTATION, parsed->ticks, values, &samples[count++])) {
            return -1;
        }
        values += 4;
    }
    struct sample *sample = &samples[count++];
    if (!sample_fill(parsed->message, parsed->ticks, values, sample)) {
        return -1;
    }
    if (parsed->message->stream == BATTERY && values[0] < (float)LOW_BATTERY_PERCENT) {
        sample->flags |= SAMPLE_LOW_BATTERY;
    }
    if (parsed->message->stream == INERTIAL) {
        sample->flags |= is_clipped(sample) ? SAMPLE_CLIPPED : 0;
    }
    return count;
}

/* A line of numbers from the accessory board; its start-up text gives nothing. */
static int serial_decode(const struct parsed *parsed, struct sample *samples)
{
    size_t size = parsed->text_size;
    /* The ASCII form shows the line's own end as '?'. */
    while (size > 0 && strchr("\r\n? ", parsed->text[size - 1])) {
        size--;
    }
    float values[SAMPLE_CHANNEL_MAX];
    unsigned capacity = parsed->message->value_count;
    int count = numbers_read(parsed->text, size, ',', values, capacity);
    if (count <= 0) {
        return 0;
    }
    struct sample *sample = &samples[0];
    sample->device_ticks = parsed->ticks;
    sample->stream = SERIAL_ACCESSORY;
    sample->channel_count = (uint8_t)capacity;
    for (unsigned index = 0; index < capacity; index++) {
        sample->values[index] = index < (unsigned)count ? values[index] : NAN;
    }
    return 1;
}

static int timecode_decode(const struct parsed *parsed, struct sample *samples)
{
    float values[4];
    int count = numbers_read(parsed->text, parsed->text_size, ':', values, 4);
    if (count != 4 || !sample_fill(parsed->message, parsed->ticks, values, &samples[0])) {
        return -1;
    }
    return 1;
}

static int notice_decode(struct ximu3 *ximu3, const struct parsed *parsed)
{
    size_t size = parsed->text_size;
    if (size == 0 || size >= NOTICE_SIZE) {
        return -1;
    }
    for (size_t index = 0; index < size; index++) {
        if (parsed->text[index] < ' ' || parsed->text[index] > '~') {
            return -1;
        }
    }
    memcpy(ximu3->notice, parsed->text, size);
    ximu3->notice[size] = '\0';
    ximu3->notice_count++;
    return 0;
}

static int content_decode(struct ximu3 *ximu3, const struct parsed *parsed,
                          struct sample *samples)
{
    switch (parsed->message->content) {
    case CONTENT_VALUES:
    case CONTENT_MAYBE_ROTATION:
        return values_decode(parsed, samples);
    case CONTENT_MAYBE_TEXT:
        return parsed->text ? 0 : values_decode(parsed, samples);
    case CONTENT_NOTICE:
        return notice_decode(ximu3, parsed);
    case CONTENT_SERIAL:
        return serial_decode(parsed, samples);
    case CONTENT_TIMECODE:
        return timecode_decode(parsed, samples);
    case CONTENT_UNKNOWN:
        break;
    }
    return -1;
}

/* ---- settings sent to the device ---- */

/* On which interface a setting is touched. Never "factory", "erase", "format" or
 * "bootloader". The magnetometer and the high-g sensor stay as found: they are recorded,
 * and nothing here needs them. */
enum need {
    NEED_ALWAYS,
    NEED_USB,
    NEED_SERIAL,
    NEED_ACCESSORY /* on USB alone: the accessory takes the place of the serial interface */
};

static const struct {
    const char *key; /* as the device spells it, and as sent */
    enum need need;
    bool is_switch;
    int32_t wanted;
} SETTINGS[SETTING_COUNT] = {
    [BINARY_MODE] = {"binary_mode_enabled", NEED_ALWAYS, true, 1},
    [INERTIAL_DIVISOR] = {"inertial_message_rate_divisor", NEED_ALWAYS, false, 4},
    /* Its own estimate is not used. */
    [AHRS_DIVISOR] = {"ahrs_message_rate_divisor", NEED_ALWAYS, false, 0},
    [USB_DATA] = {"usb_data_messages_enabled", NEED_USB, true, 1},
    [SERIAL_DATA] = {"serial_data_messages_enabled", NEED_SERIAL, true, 1},
    /* Send conditions of the accessory board: one message a line. */
    [SERIAL_MODE] = {"serial_mode", NEED_ACCESSORY, false, 2},
    [SERIAL_BAUD] = {"serial_baud_rate", NEED_ACCESSORY, false, 115200},
    [ACCESSORY_SIZE] = {"serial_accessory_number_of_bytes", NEED_ACCESSORY, false, 1024},
    [ACCESSORY_END] = {"serial_accessory_termination_byte", NEED_ACCESSORY, false, 10},
    [ACCESSORY_TIMEOUT] = {"serial_accessory_timeout", NEED_ACCESSORY, false, 100},
};

/* The dialogue, one command after the other; those that are not needed are left out. */
enum {
    STEP_PING,
    STEP_FIRMWARE,
    STEP_READ,                               /* each setting as found */
    STEP_WRITE = STEP_READ + SETTING_COUNT,  /* each that differs */
    STEP_APPLY = STEP_WRITE + SETTING_COUNT, /* else settings take 2 s to take effect */
    STEP_CHECK,                              /* the rate that was really set */
    STEP_DONE,                               /* all is said: look at what came out */
    STEP_OVER
};

static const unsigned DIVISORS[] = {1,  2,  4,  5,  8,   10,  16, 20,
                                    25, 40, 50, 80, 100, 200, 400};

static unsigned divisor_choose(double rate_hz)
{
    unsigned best = DIVISORS[0];
    for (size_t index = 1; index < sizeof DIVISORS / sizeof DIVISORS[0]; index++) {
        double error = fabs((double)BASE_RATE_HZ / DIVISORS[index] - rate_hz);
        if (error < fabs((double)BASE_RATE_HZ / best - rate_hz)) {
            best = DIVISORS[index];
        }
    }
    return best;
}

static int32_t wanted_value(const struct ximu3 *ximu3, enum setting setting)
{
    return setting == INERTIAL_DIVISOR ? (int32_t)ximu3->divisor : SETTINGS[setting].wanted;
}

static bool is_told(const struct ximu3 *ximu3, enum setting setting)
{
    return ximu3->told_mask >> setting & 1u;
}

static bool is_as_wanted(const struct ximu3 *ximu3, enum setting setting)
{
    return is_told(ximu3, setting) && ximu3->told[setting] == wanted_value(ximu3, setting);
}

/* ---- answers: {"key":value} ---- */

struct span {
    const char *text;
    size_t size;
};

static void span_skip(struct span *span, size_t size)
{
    span->text += size;
    span->size -= size;
}

static void spaces_skip(struct span *span)
{
    while (span->size > 0 && span->text[0] == ' ') {
        span_skip(span, 1);
    }
}

/* Take a string; what stands before it is passed over. */
static bool string_take(struct span *rest, struct span *string)
{
    const char *start = memchr(rest->text, '"', rest->size);
    if (!start) {
        return false;
    }
    span_skip(rest, (size_t)(start - rest->text) + 1);
    size_t size = 0;
    while (size < rest->size && rest->text[size] != '"') {
        size += rest->text[size] == '\\' && size + 1 < rest->size ? 2 : 1;
    }
    if (size >= rest->size) {
        return false;
    }
    *string = (struct span){rest->text, size};
    span_skip(rest, size + 1);
    return true;
}

/* Bytes of an object with all its braces, or of a word. */
static size_t value_size(const struct span *rest)
{
    size_t size = 0;
    unsigned depth = 0;
    for (; size < rest->size; size++) {
        char character = rest->text[size];
        bool is_end = character == '}' || character == ']';
        if (depth == 0 && (is_end || character == ',')) {
            break;
        }
        depth += character == '{' || character == '[';
        depth -= is_end ? 1 : 0;
    }
    while (size > 0 && rest->text[size - 1] == ' ') {
        size--;
    }
    return size;
}

/* Take "key":value; the value without its quotes. */
static bool pair_take(struct span *rest, struct span *key, struct span *value)
{
    if (!string_take(rest, key)) {
        return false;
    }
    spaces_skip(rest);
    if (rest->size == 0 || rest->text[0] != ':') {
        return false;
    }
    span_skip(rest, 1);
    spaces_skip(rest);
    if (rest->size > 0 && rest->text[0] == '"') {
        return string_take(rest, value);
    }
    *value = (struct span){rest->text, value_size(rest)};
    span_skip(rest, value->size);
    return true;
}

/* Letters and digits alone count, in any case. */
static char key_next(const char **text, const char *end)
{
    while (*text < end) {
        char character = *(*text)++;
        if (character >= 'A' && character <= 'Z') {
            return (char)(character - 'A' + 'a');
        }
        if ((character >= 'a' && character <= 'z')
            || (character >= '0' && character <= '9')) {
            return character;
        }
    }
    return '\0';
}

static bool key_equals(const struct span *key, const char *expected)
{
    const char *a = key->text;
    const char *a_end = key->text + key->size;
    const char *b_end = expected + strlen(expected);
    char character = '\0';
    do {
        character = key_next(&a, a_end);
        if (character != key_next(&expected, b_end)) {
            return false;
        }
    } while (character != '\0');
    return true;
}

/* Member of an object by key. */
static bool member_find(struct span object, const char *key, struct span *value)
{
    struct span found;
    while (pair_take(&object, &found, value)) {
        if (key_equals(&found, key)) {
            return true;
        }
    }
    return false;
}

static void text_take(const struct span *span, char *text, size_t capacity)
{
    size_t size = span->size < capacity - 1 ? span->size : capacity - 1;
    for (size_t index = 0; index < size; index++) {
        char character = span->text[index];
        text[index] = (char)(character >= ' ' && character <= '~' ? character : '?');
    }
    text[size] = '\0';
}

static bool value_take(const struct span *value, int32_t *number)
{
    uint64_t integer = 0;
    bool is_true = value->size == 4 && memcmp(value->text, "true", 4) == 0;
    if (is_true || (value->size == 5 && memcmp(value->text, "false", 5) == 0)) {
        *number = is_true;
        return true;
    }
    if (value->size == 0
        || framing_integer(value->text, value->size, &integer) != value->size
        || integer > INT32_MAX) {
        return false;
    }
    *number = (int32_t)integer;
    return true;
}

/* Who it is: from the answers to the ping and to the question for its firmware. */
static void identity_make(struct ximu3 *ximu3)
{
    (void)snprintf(ximu3->identity, sizeof ximu3->identity, "%s%s%s%s%s", ximu3->name,
                   ximu3->number[0] ? " " : "", ximu3->number,
                   ximu3->firmware[0] ? ", firmware " : "", ximu3->firmware);
}

static void ping_decode(struct ximu3 *ximu3, struct span object)
{
    struct span value;
    if (member_find(object, "name", &value)) {
        text_take(&value, ximu3->name, sizeof ximu3->name);
    }
    if (member_find(object, "sn", &value) || member_find(object, "serial_number", &value)) {
        text_take(&value, ximu3->number, sizeof ximu3->number);
    }
    if (member_find(object, "interface", &value)) {
        ximu3->interface = key_equals(&value, "usb")      ? INTERFACE_USB
                           : key_equals(&value, "serial") ? INTERFACE_SERIAL
                                                          : INTERFACE_OTHER;
    }
    if (ximu3->has_accessory && ximu3->interface == INTERFACE_SERIAL) {
        (void)snprintf(ximu3->notice, sizeof ximu3->notice,
                       "the accessory needs the serial interface: connect the unit by USB");
        ximu3->notice_count++;
    }
    identity_make(ximu3);
}

static void rate_update(struct ximu3 *ximu3)
{
    int32_t divisor = ximu3->told[INERTIAL_DIVISOR];
    ximu3->rate_hz = divisor > 0 ? (double)BASE_RATE_HZ / divisor : 0.0;
}

/* A divisor takes effect when it is applied. The first that is told, and the first after
 * applying, are in effect: they answer questions; and so is one that is told twice. */
static void setting_decode(struct ximu3 *ximu3, enum setting setting, int32_t value)
{
    bool is_repeated = is_told(ximu3, setting) && ximu3->told[setting] == value;
    ximu3->told[setting] = value;
    ximu3->told_mask |= 1u << setting;
    if (setting != INERTIAL_DIVISOR) {
        return;
    }
    if (!ximu3->is_next_pending || is_repeated) {
        rate_update(ximu3);
    }
    ximu3->is_next_pending = true;
}

static enum setting setting_find(const struct span *key)
{
    unsigned setting = 0;
    while (setting < SETTING_COUNT && !key_equals(key, SETTINGS[setting].key)) {
        setting++;
    }
    return (enum setting)setting;
}

/* The setting that a step reads or writes, SETTING_COUNT = none. */
static enum setting step_setting(unsigned step)
{
    if (step == STEP_CHECK) {
        return INERTIAL_DIVISOR;
    }
    if (step < STEP_READ || step >= STEP_APPLY) {
        return SETTING_COUNT;
    }
    return (enum setting)((step - STEP_READ) % SETTING_COUNT);
}

static const char *step_key(unsigned step)
{
    enum setting setting = step_setting(step);
    if (setting != SETTING_COUNT) {
        return SETTINGS[setting].key;
    }
    return step == STEP_PING       ? "ping"
           : step == STEP_FIRMWARE ? "firmware_version"
                                   : "apply";
}

static bool is_write(unsigned step)
{
    return step >= STEP_WRITE && step < STEP_APPLY;
}

static void step_finish(struct ximu3 *ximu3)
{
    ximu3->step++;
    ximu3->try_count = 0;
    ximu3->is_waiting = false;
}

/* "key: reason" for people, unless a question alone was refused: older firmware does not
 * know every key. */
static void refusal_note(struct ximu3 *ximu3, const struct span *key,
                         const struct span *reason)
{
    char name[KEY_SIZE];
    char text[NAME_SIZE * 2];
    bool is_question =
        ximu3->is_waiting && ximu3->step >= STEP_FIRMWARE && ximu3->step < STEP_WRITE;
    if (is_question) {
        return;
    }
    text_take(key, name, sizeof name);
    text_take(reason, text, sizeof text);
    (void)snprintf(ximu3->notice, sizeof ximu3->notice, "%s: %s", name, text);
    ximu3->notice_count++;
}

/* The device answers a command by repeating its key, with the value that it has now. */
static void reply_decode(struct ximu3 *ximu3, const char *text, size_t size)
{
    struct span rest = {text, size};
    struct span key;
    struct span value;
    struct span reason;
    int32_t number = 0;
    if (!pair_take(&rest, &key, &value)) {
        return;
    }
    enum setting setting = setting_find(&key);
    bool is_refused =
        value.size > 0 && value.text[0] == '{' && member_find(value, "error", &reason);
    if (is_refused) {
        refusal_note(ximu3, &key, &reason);
    } else if (setting != SETTING_COUNT && value_take(&value, &number)) {
        setting_decode(ximu3, setting, number);
    } else if (key_equals(&key, "ping")) {
        ping_decode(ximu3, value);
    } else if (key_equals(&key, "firmware_version")) {
        text_take(&value, ximu3->firmware, sizeof ximu3->firmware);
        identity_make(ximu3);
    } else if (key_equals(&key, "apply") && is_told(ximu3, INERTIAL_DIVISOR)) {
        rate_update(ximu3);
        ximu3->is_next_pending = false;
    }
    /* A late answer to the question is none to the write. */
    bool is_answer = ximu3->is_waiting && key_equals(&key, step_key(ximu3->step));
    if (is_answer
        && (is_refused || !is_write(ximu3->step) || is_as_wanted(ximu3, setting))) {
        step_finish(ximu3);
    }
}

/* ---- commands ---- */

static bool is_used(const struct ximu3 *ximu3, enum setting setting)
{
    switch (SETTINGS[setting].need) {
    case NEED_ALWAYS:
        return true;
    case NEED_USB:
        return ximu3->interface == INTERFACE_USB;
    case NEED_SERIAL:
        return ximu3->interface == INTERFACE_SERIAL;
    case NEED_ACCESSORY:
        return ximu3->has_accessory && ximu3->interface == INTERFACE_USB;
    }
    return false;
}

/* What has not answered the ping may be another device: it is told nothing. What was not
 * read cannot be put back later: it is not changed. */
static bool is_step_needed(const struct ximu3 *ximu3, unsigned step)
{
    enum setting setting = step_setting(step);
    if (step == STEP_PING) {
        return true;
    }
    if (ximu3->is_mute) {
        return false;
    }
    if (is_write(step)) {
        return is_used(ximu3, setting) && is_told(ximu3, setting)
               && !is_as_wanted(ximu3, setting);
    }
    if (step == STEP_APPLY || step == STEP_CHECK) {
        return ximu3->has_written;
    }
    return setting == SETTING_COUNT || is_used(ximu3, setting);
}

static size_t setting_write(enum setting setting, int32_t value, uint8_t *bytes)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%ld", (long)value);
    const char *word = value ? "true" : "false";
    return (size_t)snprintf((char *)bytes, DRIVER_COMMAND_MAX, "{\"%s\":%s}\n",
                            SETTINGS[setting].key,
                            SETTINGS[setting].is_switch ? word : number);
}

/* Remember what a setting was before it is changed. */
static void found_keep(const struct ximu3 *ximu3, struct ximu3_kept *kept,
                       enum setting setting)
{
    uint32_t bit = 1u << setting;
    if (is_told(ximu3, setting) && !((kept->found_mask | kept->changed_mask) & bit)) {
        kept->found_mask |= bit;
        kept->found[setting] = ximu3->told[setting];
    }
    kept->changed_mask |= bit;
}

static size_t step_send(struct ximu3 *ximu3, struct ximu3_kept *kept, uint8_t *bytes)
{
    enum setting setting = step_setting(ximu3->step);
    if (!is_write(ximu3->step)) {
        return (size_t)snprintf((char *)bytes, DRIVER_COMMAND_MAX, "{\"%s\":null}\n",
                                step_key(ximu3->step));
    }
    found_keep(ximu3, kept, setting);
    ximu3->has_written = true;
    return setting_write(setting, wanted_value(ximu3, setting), bytes);
}

/* Three tries were in vain. */
static void step_give_up(struct ximu3 *ximu3)
{
    enum setting setting = step_setting(ximu3->step);
    if (ximu3->step == STEP_PING) {
        ximu3->is_mute = true;
        (void)snprintf(
            ximu3->notice, sizeof ximu3->notice,
            "the sensor does not answer: its rate may be another than asked for");
        ximu3->notice_count++;
    } else if (setting != SETTING_COUNT && !is_told(ximu3, setting)) {
        (void)snprintf(ximu3->notice, sizeof ximu3->notice,
                       "settings could not be read: the sensor is read as it is");
        ximu3->notice_count++;
    } else if (is_write(ximu3->step)) {
        (void)snprintf(ximu3->notice, sizeof ximu3->notice,
                       "%s: asked for %ld, the sensor says %ld", SETTINGS[setting].key,
                       (long)wanted_value(ximu3, setting), (long)ximu3->told[setting]);
        ximu3->notice_count++;
    }
    step_finish(ximu3);
}

/* Does the sensor measure as fast as was asked for? */
static void rate_check(struct ximu3 *ximu3)
{
    bool is_other = ximu3->asked_hz > 0.0 && ximu3->rate_hz > 0.0
                    && fabs(ximu3->rate_hz - ximu3->asked_hz) > 0.01 * ximu3->asked_hz;
    if (is_other) {
        (void)snprintf(ximu3->notice, sizeof ximu3->notice,
                       "asked for %g Hz, the sensor set %g Hz", ximu3->asked_hz,
                       ximu3->rate_hz);
        ximu3->notice_count++;
    }
}

/* What was found in another unit is nothing to put back into this one. */
static void unit_note(const struct ximu3 *ximu3, struct ximu3_kept *kept)
{
    if (!ximu3->number[0]) {
        return;
    }
    if (kept->number[0] && strcmp(kept->number, ximu3->number) != 0) {
        memset(kept, 0, sizeof *kept);
    }
    memcpy(kept->number, ximu3->number, sizeof kept->number);
}

static size_t ximu3_command_next(struct driver_context *context, int64_t now_ns,
                                 uint8_t *bytes)
{
    struct ximu3 *ximu3 = ximu3_of(context);
    bool is_patient = ximu3->is_waiting && now_ns - ximu3->sent_ns < COMMAND_TIMEOUT_NS;
    if (is_patient || ximu3->step == STEP_OVER) {
        return 0;
    }
    unit_note(ximu3, kept_of(context));
    if (ximu3->try_count == COMMAND_TRY_MAX) {
        step_give_up(ximu3);
    }
    while (ximu3->step < STEP_DONE && !is_step_needed(ximu3, ximu3->step)) {
        ximu3->step++;
    }
    if (ximu3->step == STEP_DONE) {
        rate_check(ximu3);
        ximu3->step = STEP_OVER;
        return 0;
    }
    ximu3->is_waiting = true;
    ximu3->try_count++;
    ximu3->sent_ns = now_ns;
    return step_send(ximu3, kept_of(context), bytes);
}

/* There is no command that stops the messages; what was changed goes back, the last first.
 */
static size_t ximu3_command_stop(struct driver_context *context, uint8_t *bytes)
{
    static const char APPLY[] = "{\"apply\":null}\n";
    struct ximu3 *ximu3 = ximu3_of(context);
    struct ximu3_kept *kept = kept_of(context);
    ximu3->step = STEP_OVER;
    ximu3->is_waiting = false;
    for (unsigned setting = SETTING_COUNT; setting-- > 0;) {
        uint32_t bit = 1u << setting;
        bool is_ours = kept->changed_mask & kept->found_mask & bit;
        kept->changed_mask &= ~bit;
        if (is_ours) {
            ximu3->has_restored = true;
            return setting_write((enum setting)setting, kept->found[setting], bytes);
        }
    }
    if (!ximu3->has_restored) {
        return 0;
    }
    ximu3->has_restored = false;
    memcpy(bytes, APPLY, sizeof APPLY - 1);
    return sizeof APPLY - 1;
}

/* ---- the driver ---- */

static enum status ximu3_init(struct driver_context *context,
                              const struct driver_settings *settings)
{
    struct ximu3 *ximu3 = ximu3_of(context);
    ximu3->asked_hz = settings->rate_hz > 0.0 ? settings->rate_hz : 0.0;
    ximu3->divisor = divisor_choose(ximu3->asked_hz > 0.0 ? ximu3->asked_hz : 100.0);
    ximu3->has_accessory = settings->channel && settings->channel[0] != '\0';
    unsigned channel = 0;
    return ximu3->has_accessory
               ? driver_channel_parse(settings->channel, ACCESSORY_CHANNEL_COUNT, &channel)
               : STATUS_OK;
}

static bool is_start(const uint8_t *bytes, size_t size)
{
    if (bytes[0] == '{' || bytes[0] == '^') {
        return true;
    }
    if (!message_find(bytes[0])) {
        return false;
    }
    return (bytes[0] & BINARY_BIT) || (size > 1 && bytes[1] == ',');
}

static size_t escape_count(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    const uint8_t *end = bytes + size;
    const uint8_t *next = bytes;
    while ((next = memchr(next, STUFFING.escape, (size_t)(end - next))) != NULL) {
        next++;
        count++;
    }
    return count;
}

static bool is_plain_text(const uint8_t *bytes, size_t size)
{
    for (size_t index = HEAD_SIZE; index < size; index++) {
        if (bytes[index] >= BINARY_BIT) {
            return false;
        }
    }
    return true;
}

static bool is_binary_whole(const struct message *message, const uint8_t *bytes,
                            size_t size)
{
    size_t used = escape_count(bytes + 1, size - 1) + HEAD_SIZE + 1;
    if (size < used) {
        return false;
    }
    if (is_number_message(message) && (size - used) % 4 == 0
        && is_value_count(message, (size - used) / 4)) {
        return true;
    }
    if (message->content == CONTENT_SERIAL) {
        return true;
    }
    bool may_be_text =
        !is_number_message(message) || message->content == CONTENT_MAYBE_TEXT;
    return may_be_text && is_plain_text(bytes, size);
}

/* Looks as one message does from end to end; decode looks closer. */
static bool is_whole(const uint8_t *bytes, size_t size)
{
    if (bytes[0] == '^') {
        return true;
    }
    if (bytes[0] == '{') {
        return bytes[size - 2] == '}' || bytes[size - 2] == '\r';
    }
    const struct message *message = message_find(bytes[0]);
    if (bytes[0] & BINARY_BIT) {
        size_t usual = HEAD_SIZE + (size_t)4 * message->value_count + 1;
        return (size == usual && !memchr(bytes, STUFFING.escape, size))
               || is_binary_whole(message, bytes, size);
    }
    struct parsed parsed;
    return message_parse(bytes, size, &parsed);
}

/* Where the terminator of a message was damaged, the next one hangs at its end: find a good
 * message of numbers, of about the present time, that ends here.
 * @return Where it starts, 0 = there is none. */
static size_t tail_find(const struct ximu3 *ximu3, const uint8_t *bytes, size_t size)
{
    if (ximu3->newest_us == 0) {
        return 0;
    }
    struct parsed parsed;
    size_t first = size > TAIL_MAX ? size - TAIL_MAX : 1;
    for (size_t start = first; start + HEAD_SIZE < size; start++) {
        if (!is_start(bytes + start, size - start)
            || !message_parse(bytes + start, size - start, &parsed) || parsed.text) {
            continue;
        }
        const float *numbers =
            parsed.values + (parsed.value_count - parsed.message->value_count);
        if (is_in_limits(parsed.message, numbers)
            && parsed.ticks + RESCUE_SPAN_US - ximu3->newest_us < 2 * RESCUE_SPAN_US) {
            return start;
        }
    }
    return 0;
}

static enum frame_verdict ximu3_frame_next(const struct driver_context *context,
                                           const uint8_t *bytes, size_t size,
                                           size_t *frame_size)
{
    size_t span = size < FRAME_MAX ? size : FRAME_MAX;
    const uint8_t *end = memchr(bytes, TERMINATOR, span);
    if (!end && size < FRAME_MAX) {
        return FRAME_NEED_MORE;
    }
    if (!end) {
        *frame_size = FRAME_MAX;
        return FRAME_SKIP;
    }
    *frame_size = (size_t)(end - bytes) + 1;
    bool is_known = is_start(bytes, *frame_size);
    if (!is_known || !is_whole(bytes, *frame_size)) {
        size_t tail = tail_find(ximu3_look(context), bytes, *frame_size);
        *frame_size = tail ? tail : *frame_size;
    }
    return is_known ? FRAME_FOUND : FRAME_SKIP;
}

static int ximu3_decode(struct driver_context *context, const uint8_t *frame,
                        size_t frame_size, struct sample *samples)
{
    struct ximu3 *ximu3 = ximu3_of(context);
    if (frame_size < 2 || frame[frame_size - 1] != TERMINATOR) {
        return -1;
    }
    if (frame[0] == '{') {
        reply_decode(ximu3, (const char *)frame, frame_size);
        return 0;
    }
    if (frame[0] == '^') {
        return 0; /* another sensor's message, passed on by this one */
    }
    struct parsed parsed;
    if (!message_parse(frame, frame_size, &parsed)) {
        return -1;
    }
    int count = content_decode(ximu3, &parsed, samples);
    if (count > 0) {
        ximu3->newest_us = parsed.ticks;
    }
    return count;
}

static double ximu3_rate_hz_get(const struct driver_context *context)
{
    return ximu3_look(context)->rate_hz;
}

static const char *ximu3_identity_get(const struct driver_context *context)
{
    return ximu3_look(context)->identity;
}

static const char *ximu3_notice_get(const struct driver_context *context, unsigned *count)
{
    const struct ximu3 *ximu3 = ximu3_look(context);
    *count = ximu3->notice_count;
    return ximu3->notice;
}

/* The chip maker's example number: other devices bear it too, so only an answer proves it.
 */
static const struct usb_id USB_IDS[] = {{0x04D8, 0x0057, false}};
static const uint8_t QUESTION[] = "{\"ping\":null}\n";
/* Its serial interface may have been set to these. */
static const unsigned BAUDS[] = {460800, 921600, 0};

extern const struct driver driver_xio_ximu3;

const struct driver driver_xio_ximu3 = {
    .name = "xio-ximu3",
    .title = "x-io x-IMU3",
    .streams = STREAMS,
    .stream_count = XIMU3_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 1e-6,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .bauds = BAUDS,
    .question = QUESTION,
    .question_size = sizeof QUESTION - 1,
    .init = ximu3_init,
    .frame_next = ximu3_frame_next,
    .decode = ximu3_decode,
    .command_next = ximu3_command_next,
    .command_stop = ximu3_command_stop,
    .rate_hz_get = ximu3_rate_hz_get,
    .identity_get = ximu3_identity_get,
    .notice_get = ximu3_notice_get,
};

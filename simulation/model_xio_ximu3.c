/* An x-IMU3 with an SA-A8 board (8 analog inputs) on its serial accessory port. Source: the
 * maker's user manual, sections communication protocol, individual settings, sample rates;
 * SA-A8 firmware; USB descriptors as read out of firmware 2.5.4. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/device_model.h"

enum {
    END = 0x0A,
    ESCAPE = 0xDB,
    ESCAPED_END = 0xDC,
    ESCAPED_ESCAPE = 0xDD,
    BINARY_BIT = 0x80,
    FLOAT_MAX = 9,
    MESSAGE_MAX = 256, /* bytes of any message */
    COMMAND_MAX = 256,
    NOTE_MAX = 127,
    BASE_HZ = 400, /* inertial sampling, the clock that all messages are counted by */
    MEASURE_DIVISOR = 25, /* temperature and battery of a unit set up for measuring */
    SERIAL_ACCESSORY = 2,
    APPLY_US = 2000000,
    LINE_US = 10000, /* the accessory prints about 100 lines a second (project estimate) */
    ADC_STEPS = 4095 * 64 /* 12 bits, 64 conversions added up */
};

/* Technical specification: 0.061 deg/s, 732 ug per count; 2000 deg/s, 24 g, 200 g. */
static const double GYRO_STEP_DEG_S = 0.061;
static const double GYRO_LIMIT_DEG_S = 2000.0;
static const double ACCEL_STEP_G = 732e-6;
static const double ACCEL_LIMIT_G = 24.0;
static const double HIGH_G_STEP_G = 0.049;
static const double HIGH_G_LIMIT_G = 200.0;
/* One arbitrary unit is the field at calibration, about 50 uT. */
static const double FIELD_UNIT_UT = 50.0;
static const double ADC_FULL_V = 3.0;
/* A lithium cell, roughly linear. */
static const double CELL_EMPTY_V = 3.0;
static const double CELL_SPAN_V = 1.2;
static const double ASCII_LIMIT = 999999.9999;

enum setting {
    BINARY_MODE,
    USB_DATA,
    SERIAL_DATA,
    SERIAL_MODE,
    SERIAL_BAUD,
    ACCESSORY_COUNT,
    ACCESSORY_END,
    ACCESSORY_TIMEOUT,
    AHRS_TYPE,
    AHRS_IGNORES_FIELD,
    INERTIAL,
    MAGNETOMETER,
    AHRS,
    HIGH_G,
    TEMPERATURE,
    BATTERY,
    RSSI,
    AXES_ALIGNMENT,
    SETTING_COUNT
};

enum range {
    RANGE_SWITCH,  /* true or false */
    RANGE_DIVISOR, /* 0 or one of the divisors */
    RANGE_NUMBER   /* 0 .. limit */
};

static const struct {
    const char *key;
    enum range range;
    int32_t usual; /* after {"default":null} */
    int32_t limit;
} SETTINGS[SETTING_COUNT] = {
    [BINARY_MODE] = {"binary_mode_enabled", RANGE_SWITCH, 1, 1},
    [USB_DATA] = {"usb_data_messages_enabled", RANGE_SWITCH, 1, 1},
    [SERIAL_DATA] = {"serial_data_messages_enabled", RANGE_SWITCH, 1, 1},
    [SERIAL_MODE] = {"serial_mode", RANGE_NUMBER, 0, 2},
    [SERIAL_BAUD] = {"serial_baud_rate", RANGE_NUMBER, 115200, 12000000},
    [ACCESSORY_COUNT] = {"serial_accessory_number_of_bytes", RANGE_NUMBER, 1024, 1024},
    [ACCESSORY_END] = {"serial_accessory_termination_byte", RANGE_NUMBER, 10, 256},
    [ACCESSORY_TIMEOUT] = {"serial_accessory_timeout", RANGE_NUMBER, 100, 10000},
    [AHRS_TYPE] = {"ahrs_message_type", RANGE_NUMBER, 0, 4},
    [AHRS_IGNORES_FIELD] = {"ahrs_ignore_magnetometer", RANGE_SWITCH, 0, 1},
    [INERTIAL] = {"inertial_message_rate_divisor", RANGE_DIVISOR, 8, 400},
    [MAGNETOMETER] = {"magnetometer_message_rate_divisor", RANGE_DIVISOR, 1, 400},
    [AHRS] = {"ahrs_message_rate_divisor", RANGE_DIVISOR, 8, 400},
    [HIGH_G] = {"high_g_accelerometer_message_rate_divisor", RANGE_NUMBER, 32, 3200},
    [TEMPERATURE] = {"temperature_message_rate_divisor", RANGE_DIVISOR, 5, 400},
    [BATTERY] = {"battery_message_rate_divisor", RANGE_DIVISOR, 5, 400},
    [RSSI] = {"rssi_message_rate_divisor", RANGE_DIVISOR, 1, 400},
    [AXES_ALIGNMENT] = {"axes_alignment", RANGE_NUMBER, 0, 23},
};

static const int32_t DIVISORS[] = {1,  2,  4,  5,  8,   10,  16, 20,
                                   25, 40, 50, 80, 100, 200, 400};

struct ximu3 {
    uint32_t serial;
    int32_t told[SETTING_COUNT];   /* as written, takes effect later */
    int32_t active[SETTING_COUNT]; /* as in effect */
    uint64_t apply_us;             /* when what was written takes effect by itself */
    uint64_t ticks;                /* inertial conversions so far, at BASE_HZ */
    uint64_t line_us;              /* next line of the accessory */
    bool has_banner;               /* of the accessory, printed */
    bool is_pressed;
    char command[COMMAND_MAX]; /* not ended yet */
    size_t command_size;
    bool is_too_long;
};

_Static_assert(sizeof(struct ximu3) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct ximu3 *ximu3_of(struct device_model *model)
{
    return (struct ximu3 *)(void *)model->state;
}

static const struct ximu3 *ximu3_look(const struct device_model *model)
{
    return (const struct ximu3 *)(const void *)model->state;
}

/* ---- data messages ---- */

static size_t stuff(uint8_t byte, uint8_t *bytes)
{
    if (byte != END && byte != ESCAPE) {
        bytes[0] = byte;
        return 1;
    }
    bytes[0] = ESCAPE;
    bytes[1] = byte == END ? ESCAPED_END : ESCAPED_ESCAPE;
    return 2;
}

static size_t binary_head(char letter, uint64_t time_us, uint8_t *bytes)
{
    size_t size = stuff((uint8_t)((unsigned char)letter | BINARY_BIT), bytes);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size += stuff((uint8_t)(time_us >> shift), bytes + size);
    }
    return size;
}

static size_t binary_message(char letter, uint64_t time_us, const double *values,
                             unsigned count, uint8_t *bytes)
{
    size_t size = binary_head(letter, time_us, bytes);
    for (unsigned i = 0; i < count; i++) {
        float value = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            size += stuff((uint8_t)(bits >> shift), bytes + size);
        }
    }
    bytes[size++] = END;
    return size;
}

static size_t ascii_message(char letter, uint64_t time_us, const double *values,
                            unsigned count, uint8_t *bytes)
{
    char *text = (char *)bytes;
    size_t size =
        (size_t)snprintf(text, MESSAGE_MAX, "%c,%llu", letter, (unsigned long long)time_us);
    for (unsigned i = 0; i < count; i++) {
        double value = fmax(-ASCII_LIMIT, fmin(ASCII_LIMIT, (double)(float)values[i]));
        size += (size_t)snprintf(text + size, MESSAGE_MAX - size, ",%.4f", value);
    }
    bytes[size++] = END;
    return size;
}

static size_t message(const struct ximu3 *ximu3, char letter, uint64_t time_us,
                      const double *values, unsigned count, uint8_t *bytes)
{
    return ximu3->active[BINARY_MODE]
               ? binary_message(letter, time_us, values, count, bytes)
               : ascii_message(letter, time_us, values, count, bytes);
}

/* Notes, errors and accessory bytes; what cannot be printed becomes '?' in ASCII. */
static size_t text_message(const struct ximu3 *ximu3, char letter, uint64_t time_us,
                           const char *text, size_t text_size, uint8_t *bytes)
{
    bool is_binary = ximu3->active[BINARY_MODE];
    size_t size = is_binary ? binary_head(letter, time_us, bytes)
                            : (size_t)snprintf((char *)bytes, MESSAGE_MAX, "%c,%llu,",
                                               letter, (unsigned long long)time_us);
    for (size_t i = 0; i < text_size; i++) {
        bool is_printable = text[i] >= ' ' && text[i] <= '~';
        if (is_binary) {
            size += stuff((uint8_t)text[i], bytes + size);
        } else {
            bytes[size++] = (uint8_t)(is_printable ? text[i] : '?');
        }
    }
    bytes[size++] = END;
    return size;
}

/* ---- what is measured ---- */

static double stepped(double value, double step, double limit)
{
    return step * round(fmax(-limit, fmin(limit, value)) / step);
}

static size_t inertial_say(const struct ximu3 *ximu3, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *bytes)
{
    double values[6];
    for (unsigned i = 0; i < 3; i++) {
        values[i] = stepped(reading->gyro_deg_s[i], GYRO_STEP_DEG_S, GYRO_LIMIT_DEG_S);
        values[i + 3] = stepped(reading->accel_g[i], ACCEL_STEP_G, ACCEL_LIMIT_G);
    }
    return message(ximu3, 'I', time_us, values, 6, bytes);
}

static size_t magnetometer_say(const struct ximu3 *ximu3, uint64_t time_us,
                               const struct device_reading *reading, uint8_t *bytes)
{
    double values[3];
    for (unsigned i = 0; i < 3; i++) {
        values[i] = reading->field_ut[i] / FIELD_UNIT_UT;
    }
    return message(ximu3, 'M', time_us, values, 3, bytes);
}

static size_t high_g_say(const struct ximu3 *ximu3, uint64_t time_us,
                         const struct device_reading *reading, uint8_t *bytes)
{
    double values[3];
    for (unsigned i = 0; i < 3; i++) {
        values[i] = stepped(reading->accel_g[i], HIGH_G_STEP_G, HIGH_G_LIMIT_G);
    }
    return message(ximu3, 'H', time_us, values, 3, bytes);
}

static void euler_fill(const double matrix[3][3], double values[3])
{
    const double degrees = 180.0 / acos(-1.0);
    values[0] = degrees * atan2(matrix[2][1], matrix[2][2]);
    values[1] = -degrees * asin(fmax(-1.0, fmin(1.0, matrix[2][0])));
    values[2] = degrees * atan2(matrix[1][0], matrix[0][0]);
}

/* Acceleration without gravity in sensor axes (letter L) or in earth axes (E). */
static void acceleration_fill(const struct device_reading *reading, bool in_earth,
                              double values[3])
{
    struct vector3 felt = {reading->accel_g[0], reading->accel_g[1], reading->accel_g[2]};
    struct vector3 earth = quaternion_rotate(reading->orientation, felt);
    earth.z -= 1.0;
    if (!in_earth) {
        earth = quaternion_rotate(quaternion_conjugate(reading->orientation), earth);
    }
    values[0] = earth.x;
    values[1] = earth.y;
    values[2] = earth.z;
}

static size_t ahrs_say(const struct ximu3 *ximu3, uint64_t time_us,
                       const struct device_reading *reading, uint8_t *bytes)
{
    static const struct {
        char letter;
        unsigned count;
    } FORMS[] = {{'Q', 4}, {'R', 9}, {'A', 3}, {'L', 7}, {'E', 7}};

    int32_t type = ximu3->active[AHRS_TYPE];
    const struct quaternion *q = &reading->orientation;
    /* Linear and earth acceleration come with the quaternion in front. */
    double values[FLOAT_MAX] = {q->w, q->x, q->y, q->z};
    double matrix[3][3];
    quaternion_to_matrix(*q, matrix);
    if (type == 1) {
        memcpy(values, matrix, sizeof matrix);
    } else if (type == 2) {
        euler_fill((const double(*)[3])matrix, values);
    } else if (type > 2) {
        acceleration_fill(reading, type == 4, values + 4);
    }
    return message(ximu3, FORMS[type].letter, time_us, values, FORMS[type].count, bytes);
}

static size_t temperature_say(const struct ximu3 *ximu3, uint64_t time_us,
                              const struct device_reading *reading, uint8_t *bytes)
{
    return message(ximu3, 'T', time_us, &reading->temperature_deg_c, 1, bytes);
}

static size_t battery_say(const struct ximu3 *ximu3, uint64_t time_us,
                          const struct device_reading *reading, uint8_t *bytes)
{
    const double values[3] = {reading->battery_percent,
                              CELL_EMPTY_V + CELL_SPAN_V * reading->battery_percent / 100.0,
                              0.0};
    return message(ximu3, 'B', time_us, values, 3, bytes);
}

/* Which message is due how often: every divisor * ticks conversions of the inertial sensor;
 * those that come rarely, half a period after switching on. */
static const struct {
    enum setting divisor;
    double ticks;
    bool is_late;
    size_t (*say)(const struct ximu3 *ximu3, uint64_t time_us,
                  const struct device_reading *reading, uint8_t *bytes);
} MESSAGES[] = {
    {MAGNETOMETER, BASE_HZ / 20.0, false, magnetometer_say},
    {AHRS, 1.0, false, ahrs_say},
    {HIGH_G, BASE_HZ / 3200.0, false, high_g_say},
    {TEMPERATURE, BASE_HZ / 5.0, true, temperature_say},
    {BATTERY, BASE_HZ / 5.0, true, battery_say},
};

/* Conversions from one instant to the next: as the fastest message that is on. */
static int32_t instant_ticks(const struct ximu3 *ximu3)
{
    if (ximu3->active[INERTIAL] > 0) {
        return ximu3->active[INERTIAL];
    }
    return ximu3->active[AHRS] > 0 ? ximu3->active[AHRS] : BASE_HZ / 20;
}

static bool is_due(const struct ximu3 *ximu3, size_t index)
{
    double period = MESSAGES[index].ticks * ximu3->active[MESSAGES[index].divisor];
    double phase = MESSAGES[index].is_late ? floor(period / 2.0) : 0.0;
    return period > 0.0
           && fmod((double)ximu3->ticks + phase, period) < instant_ticks(ximu3);
}

/* One line of the accessory board as it arrives, its line end too. */
static size_t accessory_say(struct ximu3 *ximu3, uint64_t time_us,
                            const struct device_reading *reading, uint8_t *bytes)
{
    static const char BANNER[] = "x-IMU3-SA-A8 v1.0.3\n";
    if (ximu3->active[SERIAL_MODE] != SERIAL_ACCESSORY || time_us < ximu3->line_us) {
        return 0;
    }
    bool is_late = time_us - ximu3->line_us > LINE_US;
    ximu3->line_us = (is_late ? time_us : ximu3->line_us) + LINE_US;
    if (!ximu3->has_banner) {
        ximu3->has_banner = true;
        return text_message(ximu3, 'S', time_us, BANNER, sizeof BANNER - 1, bytes);
    }
    char line[96];
    size_t size = 0;
    for (unsigned i = 0; i < DEVICE_MODEL_ANALOG_COUNT; i++) {
        double share = fmax(0.0, fmin(1.0, reading->analog_share[i]));
        double volts = ADC_FULL_V * round(share * ADC_STEPS) / ADC_STEPS;
        size += (size_t)snprintf(line + size, sizeof line - size, "%s%.4f", i ? "," : "",
                                 volts);
    }
    line[size++] = '\n';
    return text_message(ximu3, 'S', time_us, line, size, bytes);
}

static size_t button_say(struct ximu3 *ximu3, uint64_t time_us, bool is_pressed,
                         uint8_t *bytes)
{
    if (is_pressed == ximu3->is_pressed) {
        return 0;
    }
    const double state = is_pressed ? 1.0 : 0.0;
    ximu3->is_pressed = is_pressed;
    return message(ximu3, 'O', time_us, &state, 1, bytes);
}

static void settings_apply(struct ximu3 *ximu3)
{
    memcpy(ximu3->active, ximu3->told, sizeof ximu3->active);
    ximu3->apply_us = UINT64_MAX;
}

static size_t ximu3_sample(struct device_model *model, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *bytes)
{
    struct ximu3 *ximu3 = ximu3_of(model);
    if (time_us >= ximu3->apply_us) {
        settings_apply(ximu3);
    }
    size_t size = 0;
    if (ximu3->active[USB_DATA]) {
        if (ximu3->active[INERTIAL] > 0) {
            size += inertial_say(ximu3, time_us, reading, bytes);
        }
        for (size_t i = 0; i < sizeof MESSAGES / sizeof MESSAGES[0]; i++) {
            if (is_due(ximu3, i)) {
                size += MESSAGES[i].say(ximu3, time_us, reading, bytes + size);
            }
        }
        size += accessory_say(ximu3, time_us, reading, bytes + size);
        size += button_say(ximu3, time_us, reading->is_pressed, bytes + size);
    }
    ximu3->ticks += (uint64_t)instant_ticks(ximu3);
    return size;
}

static double ximu3_period_s(const struct device_model *model)
{
    return (double)instant_ticks(ximu3_look(model)) / BASE_HZ;
}

/* ---- commands ---- */

/* A command taken apart: {"key":value}. */
struct command {
    char key[64]; /* letters and digits only, small */
    const char *value;
    size_t value_size;
};

static char plain(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return (char)(character - 'A' + 'a');
    }
    bool is_kept =
        (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
    return (char)(is_kept ? character : '\0');
}

static void key_copy(const char *text, size_t size, char *key, size_t capacity)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + 1 < capacity; i++) {
        if (plain(text[i])) {
            key[used++] = plain(text[i]);
        }
    }
    key[used] = '\0';
}

static bool command_parse(const char *text, struct command *command)
{
    const char *start = strchr(text, '"');
    const char *end = start ? strchr(start + 1, '"') : NULL;
    const char *colon = end ? strchr(end, ':') : NULL;
    const char *brace = colon ? strrchr(colon, '}') : NULL;
    if (text[0] != '{' || !brace) {
        return false;
    }
    key_copy(start + 1, (size_t)(end - start - 1), command->key, sizeof command->key);
    colon++;
    while (colon < brace && *colon == ' ') {
        colon++;
    }
    while (brace > colon && brace[-1] == ' ') {
        brace--;
    }
    command->value = colon;
    command->value_size = (size_t)(brace - colon);
    return true;
}

static bool value_is(const struct command *command, const char *text)
{
    return command->value_size == strlen(text)
           && memcmp(command->value, text, command->value_size) == 0;
}

static bool is_divisor(long value)
{
    bool is_good = value == 0;
    for (size_t i = 0; i < sizeof DIVISORS / sizeof DIVISORS[0]; i++) {
        is_good = is_good || value == DIVISORS[i];
    }
    return is_good;
}

/* @return False when the setting does not take the value. */
static bool value_read(const struct command *command, enum setting setting, int32_t *value)
{
    if (SETTINGS[setting].range == RANGE_SWITCH) {
        *value = value_is(command, "true");
        return *value || value_is(command, "false");
    }
    char *end = NULL;
    long number = strtol(command->value, &end, 10);
    if (end != command->value + command->value_size || number < 0
        || number > SETTINGS[setting].limit
        || (SETTINGS[setting].range == RANGE_DIVISOR && !is_divisor(number))) {
        return false;
    }
    *value = (int32_t)number;
    return true;
}

static size_t reply_error(const char *key, const char *why, char *reply)
{
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"%s\":{\"error\":\"%s\"}}\n", key, why);
}

static size_t reply_setting(const struct ximu3 *ximu3, enum setting setting, char *reply)
{
    int32_t value = ximu3->told[setting];
    if (SETTINGS[setting].range == RANGE_SWITCH) {
        return (size_t)snprintf(reply, MESSAGE_MAX, "{\"%s\":%s}\n", SETTINGS[setting].key,
                                value ? "true" : "false");
    }
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"%s\":%ld}\n", SETTINGS[setting].key,
                            (long)value);
}

static size_t setting_obey(struct ximu3 *ximu3, uint64_t time_us, enum setting setting,
                           const struct command *command, char *reply)
{
    if (!value_is(command, "null")) {
        int32_t value = 0;
        if (!value_read(command, setting, &value)) {
            return reply_error(SETTINGS[setting].key, "Invalid value", reply);
        }
        ximu3->told[setting] = value;
        ximu3->apply_us = time_us + APPLY_US;
    }
    return reply_setting(ximu3, setting, reply);
}

static size_t ping(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                   char *reply)
{
    (void)time_us;
    (void)command;
    return (size_t)snprintf(
        reply, MESSAGE_MAX,
        "{\"ping\":{\"interface\":\"USB\",\"name\":\"x-IMU3\",\"sn\":\"%08lX\"}}\n",
        (unsigned long)ximu3->serial);
}

static size_t apply(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                    char *reply)
{
    (void)time_us;
    (void)command;
    settings_apply(ximu3);
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"apply\":null}\n");
}

static size_t defaults(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                       char *reply)
{
    (void)command;
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        ximu3->told[i] = SETTINGS[i].usual;
    }
    ximu3->apply_us = time_us + APPLY_US;
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"default\":null}\n");
}

/* The text comes back as a time-stamped notification after the acknowledgement. */
static size_t note(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                   char *reply)
{
    size_t size = command->value_size > 2 ? command->value_size - 2 : 0;
    size = size < NOTE_MAX ? size : NOTE_MAX;
    size_t used = (size_t)snprintf(reply, MESSAGE_MAX, "{\"note\":\"%.*s\"}\n", (int)size,
                                   command->value + 1);
    return used
           + text_message(ximu3, 'N', time_us, command->value + 1, size,
                          (uint8_t *)reply + used);
}

static size_t read_only(const struct command *command, const char *key, const char *value,
                        char *reply)
{
    if (!value_is(command, "null")) {
        return reply_error(key, "Unable to write read-only setting", reply);
    }
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"%s\":\"%s\"}\n", key, value);
}

static size_t firmware(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                       char *reply)
{
    (void)ximu3;
    (void)time_us;
    return read_only(command, "firmware_version", "v2.5.4", reply);
}

static size_t number(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                     char *reply)
{
    (void)time_us;
    char text[24];
    snprintf(text, sizeof text, "0000-0000-%04X-%04X", (unsigned)(ximu3->serial >> 16),
             (unsigned)(ximu3->serial & 0xFFFF));
    return read_only(command, "serial_number", text, reply);
}

/* Acknowledged; nothing that can be seen on the line follows. */
static size_t quiet(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                    char *reply)
{
    (void)ximu3;
    (void)time_us;
    return (size_t)snprintf(reply, MESSAGE_MAX, "{\"%s\":%.*s}\n", command->key,
                            command->value_size < 64 ? (int)command->value_size : 64,
                            command->value);
}

static const struct {
    const char *key; /* plain: letters and digits */
    size_t (*obey)(struct ximu3 *ximu3, uint64_t time_us, const struct command *command,
                   char *reply);
} ACTIONS[] = {
    {"ping", ping},
    {"apply", apply},
    {"default", defaults},
    {"note", note},
    {"firmwareversion", firmware},
    {"serialnumber", number},
    {"save", quiet},
    {"blink", quiet},
    {"strobe", quiet},
    {"initialise", quiet},
    {"heading", quiet},
};

static size_t command_obey(struct ximu3 *ximu3, uint64_t time_us, char *reply)
{
    struct command command;
    if (!command_parse(ximu3->command, &command)) {
        return 0;
    }
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        char key[64];
        key_copy(SETTINGS[i].key, strlen(SETTINGS[i].key), key, sizeof key);
        if (strcmp(key, command.key) == 0) {
            return setting_obey(ximu3, time_us, (enum setting)i, &command, reply);
        }
    }
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        if (strcmp(ACTIONS[i].key, command.key) == 0) {
            return ACTIONS[i].obey(ximu3, time_us, &command, reply);
        }
    }
    return reply_error(command.key, "Unknown command", reply);
}

/* Room for an acknowledgement and a notification. */
static const size_t ANSWER_MAX = 2 * MESSAGE_MAX;

static size_t line_take(struct ximu3 *ximu3, uint64_t time_us, uint8_t *reply)
{
    bool is_whole = !ximu3->is_too_long;
    ximu3->command[ximu3->command_size] = '\0';
    ximu3->command_size = 0;
    ximu3->is_too_long = false;
    return is_whole ? command_obey(ximu3, time_us, (char *)reply) : 0;
}

static size_t ximu3_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                         size_t size, uint8_t *reply)
{
    struct ximu3 *ximu3 = ximu3_of(model);
    size_t reply_size = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == END && reply_size + ANSWER_MAX <= DEVICE_MODEL_OUT_MAX) {
            reply_size += line_take(ximu3, time_us, reply + reply_size);
        } else if (bytes[i] != END && ximu3->command_size + 1 < sizeof ximu3->command) {
            ximu3->command[ximu3->command_size++] = (char)bytes[i];
        } else {
            ximu3->is_too_long = bytes[i] != END;
            ximu3->command_size = bytes[i] == END ? 0 : ximu3->command_size;
        }
    }
    return reply_size;
}

/* ---- switching on ---- */

static int32_t nearest_divisor(double rate_hz)
{
    int32_t best = DIVISORS[0];
    for (size_t i = 1; i < sizeof DIVISORS / sizeof DIVISORS[0]; i++) {
        double error_hz = fabs((double)BASE_HZ / DIVISORS[i] - rate_hz);
        if (error_hz < fabs((double)BASE_HZ / best - rate_hz)) {
            best = DIVISORS[i];
        }
    }
    return best;
}

/* As a clinic leaves it after measuring: inertial messages alone, and now and then the
 * temperature and the battery. */
static void measuring_init(struct ximu3 *ximu3, double rate_hz)
{
    ximu3->told[INERTIAL] = nearest_divisor(rate_hz);
    ximu3->told[MAGNETOMETER] = 0;
    ximu3->told[AHRS] = 0;
    ximu3->told[HIGH_G] = 0;
    ximu3->told[TEMPERATURE] = MEASURE_DIVISOR;
    ximu3->told[BATTERY] = MEASURE_DIVISOR;
    ximu3->told[RSSI] = 0;
}

static void ximu3_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct ximu3 *ximu3 = ximu3_of(model);
    memset(ximu3, 0, sizeof *ximu3);
    ximu3->serial = serial;
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        ximu3->told[i] = SETTINGS[i].usual;
    }
    if (rate_hz > 0.0) {
        measuring_init(ximu3, rate_hz);
    }
    settings_apply(ximu3);
}

/* ---- USB ---- */

/* Device, then configuration: interfaces 0 and 1 are CDC ACM, 2 is the card (mass storage).
 */
static const uint8_t DESCRIPTORS[] = {
    /* device: USB 2.00, EF/02/01, 64, 04D8:0057, 0100, strings 1, 2, 0, one configuration
     */
    0x12, 0x01, 0x00, 0x02, 0xEF, 0x02, 0x01, 0x40, 0xD8, 0x04, 0x57, 0x00, 0x00, 0x01,
    0x01, 0x02, 0x00, 0x01,
    /* configuration: 98 bytes, 3 interfaces, self-powered, 100 mA */
    0x09, 0x02, 0x62, 0x00, 0x03, 0x01, 0x00, 0xC0, 0x32,
    /* association of interfaces 0 and 1: CDC ACM */
    0x08, 0x0B, 0x00, 0x02, 0x02, 0x02, 0x01, 0x00,
    /* interface 0: 02/02/01, one endpoint */
    0x09, 0x04, 0x00, 0x00, 0x01, 0x02, 0x02, 0x01, 0x00,
    /* header 1.20, ACM 02, union 0 1, call management 00 on 1 */
    0x05, 0x24, 0x00, 0x20, 0x01, 0x04, 0x24, 0x02, 0x02, 0x05, 0x24, 0x06, 0x00, 0x01,
    0x05, 0x24, 0x01, 0x00, 0x01,
    /* endpoint 81: interrupt, 16 bytes */
    0x07, 0x05, 0x81, 0x03, 0x10, 0x00, 0x02,
    /* interface 1: 0A/00/00, two endpoints: bulk OUT 02, bulk IN 82, 512 bytes */
    0x09, 0x04, 0x01, 0x00, 0x02, 0x0A, 0x00, 0x00, 0x00, 0x07, 0x05, 0x02, 0x02, 0x00,
    0x02, 0x00, 0x07, 0x05, 0x82, 0x02, 0x00, 0x02, 0x00,
    /* interface 2: 08/06/50, bulk IN 83, bulk OUT 03, 512 bytes */
    0x09, 0x04, 0x02, 0x00, 0x02, 0x08, 0x06, 0x50, 0x00, 0x07, 0x05, 0x83, 0x02, 0x00,
    0x02, 0x00, 0x07, 0x05, 0x03, 0x02, 0x00, 0x02, 0x00};

static const struct device_model_usb USB = {
    .descriptors = DESCRIPTORS,
    .descriptors_size = sizeof DESCRIPTORS,
    .strings = {NULL, "x-io Technologies", "x-IMU3"},
    .speed_mbit = 480,
    .sample_endpoint = 0x82,
    .reply_endpoint = 0x82,
    .command_endpoint = 0x02,
    .control = device_model_cdc_control,
};

extern const struct device_model_type model_xio_ximu3;

const struct device_model_type model_xio_ximu3 = {
    .driver = "xio-ximu3",
    .has_inertial = true,
    .has_analog = true,
    .rate_hz = 50.0,
    .init = ximu3_init,
    .hear = ximu3_hear,
    .sample = ximu3_sample,
    .period_s = ximu3_period_s,
    .usb = &USB,
};

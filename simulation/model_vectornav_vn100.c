/* A VN-100 as seen from its serial line: registers, ASCII and binary output (user manual
 * UM001). */
#include "simulation/device_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum {
    LINE_SIZE = 128,
    GROUP_COUNT = 5,
    FIELD_COUNT = 15,
    IMU_RATE_HZ = 800,
    BAUD = 115200,
    ASCII_YMR = 14, /* yaw pitch roll, magnetic, acceleration, rate: the factory's choice */
    ASCII_RATE_HZ = 40
};

enum error_code {
    ERROR_NONE = 0,
    ERROR_CHECKSUM = 3,
    ERROR_COMMAND = 4,
    ERROR_FEW = 5,
    ERROR_MANY = 6,
    ERROR_PARAMETER = 7,
    ERROR_REGISTER = 8,
    ERROR_BAUD = 12
};

/* Binary output 1 as register 75 has it. */
struct output {
    unsigned mode;
    unsigned divisor;
    unsigned groups;
    unsigned masks[GROUP_COUNT];
};

struct vn100 {
    uint32_t serial;
    unsigned ascii_type;
    unsigned ascii_rate_hz;
    struct output output;
    uint64_t ascii_next_us;
    char line[LINE_SIZE];
    size_t line_size;
};

_Static_assert(sizeof(struct vn100) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct vn100 *vn100_of(struct device_model *model)
{
    return (struct vn100 *)(void *)model->state;
}

/* ---- what it measures ---- */

enum quantity {
    QUANTITY_NONE,
    QUANTITY_TIME,
    QUANTITY_YPR,
    QUANTITY_QUATERNION,
    QUANTITY_RATE,
    QUANTITY_ACCELERATION,
    QUANTITY_MAGNETIC,
    QUANTITY_TEMPERATURE,
    QUANTITY_PRESSURE,
    QUANTITY_MATRIX,
    QUANTITY_COUNT
};

struct quantity_values {
    unsigned count;
    float values[9];
};

struct measured {
    uint64_t time_ns;
    struct quantity_values of[QUANTITY_COUNT];
};

static double quantised(double value, double range, double step)
{
    double clipped = fmin(fmax(value, -range), range);
    return round(clipped / step) * step;
}

static void attitude_measure(const struct quaternion *q, struct measured *measured)
{
    struct quantity_values *quaternion = &measured->of[QUANTITY_QUATERNION];
    *quaternion =
        (struct quantity_values){4, {(float)q->x, (float)q->y, (float)q->z, (float)q->w}};
    double rows[3][3] = {{1 - 2 * (q->y * q->y + q->z * q->z),
                          2 * (q->x * q->y + q->w * q->z), 2 * (q->x * q->z - q->w * q->y)},
                         {2 * (q->x * q->y - q->w * q->z),
                          1 - 2 * (q->x * q->x + q->z * q->z),
                          2 * (q->y * q->z + q->w * q->x)},
                         {2 * (q->x * q->z + q->w * q->y), 2 * (q->y * q->z - q->w * q->x),
                          1 - 2 * (q->x * q->x + q->y * q->y)}};
    struct quantity_values *matrix = &measured->of[QUANTITY_MATRIX];
    matrix->count = 9;
    for (unsigned index = 0; index < 9; index++) {
        matrix->values[index] = (float)rows[index / 3][index % 3];
    }
    double pitch = -asin(fmax(-1.0, fmin(1.0, rows[0][2])));
    measured->of[QUANTITY_YPR] = (struct quantity_values){
        3,
        {(float)(atan2(rows[0][1], rows[0][0]) * DEG_PER_RAD), (float)(pitch * DEG_PER_RAD),
         (float)(atan2(rows[1][2], rows[2][2]) * DEG_PER_RAD)}};
}

/* Ranges: 16 g, 2000 deg/s, 2.5 gauss; resolution 0.5 mg, 0.02 deg/s, 1.5 mgauss (data
 * sheet). */
static void measure(uint64_t time_us, const struct device_reading *reading,
                    struct measured *measured)
{
    memset(measured, 0, sizeof *measured);
    measured->time_ns = time_us * 1000u;
    struct quantity_values *rate = &measured->of[QUANTITY_RATE];
    struct quantity_values *acceleration = &measured->of[QUANTITY_ACCELERATION];
    struct quantity_values *magnetic = &measured->of[QUANTITY_MAGNETIC];
    rate->count = acceleration->count = magnetic->count = 3;
    for (unsigned axis = 0; axis < 3; axis++) {
        rate->values[axis] =
            (float)(quantised(reading->gyro_deg_s[axis], 2000.0, 0.02) * RAD_PER_DEG);
        acceleration->values[axis] =
            (float)(quantised(reading->accel_g[axis], 16.0, 0.0005) * GRAVITY_M_S2);
        magnetic->values[axis] =
            (float)quantised(reading->field_ut[axis] * 0.01, 2.5, 0.0015);
    }
    attitude_measure(&reading->orientation, measured);
    measured->of[QUANTITY_TEMPERATURE] =
        (struct quantity_values){1, {(float)reading->temperature_deg_c}};
    measured->of[QUANTITY_PRESSURE] = (struct quantity_values){1, {101.325F}};
}

/* ---- binary output ---- */

struct field {
    uint8_t quantities[3];
};

static const struct field FIELDS[GROUP_COUNT][FIELD_COUNT] = {
    [0] = {[0] = {{QUANTITY_TIME}},
           [3] = {{QUANTITY_YPR}},
           [4] = {{QUANTITY_QUATERNION}},
           [5] = {{QUANTITY_RATE}},
           [8] = {{QUANTITY_ACCELERATION}},
           [9] = {{QUANTITY_ACCELERATION, QUANTITY_RATE}},
           [10] = {{QUANTITY_MAGNETIC, QUANTITY_TEMPERATURE, QUANTITY_PRESSURE}}},
    [1] = {[0] = {{QUANTITY_TIME}}},
    [2] = {[1] = {{QUANTITY_MAGNETIC}},
           [2] = {{QUANTITY_ACCELERATION}},
           [3] = {{QUANTITY_RATE}},
           [4] = {{QUANTITY_TEMPERATURE}},
           [5] = {{QUANTITY_PRESSURE}},
           [8] = {{QUANTITY_MAGNETIC}},
           [9] = {{QUANTITY_ACCELERATION}},
           [10] = {{QUANTITY_RATE}}},
    [4] =
        {[1] = {{QUANTITY_YPR}}, [2] = {{QUANTITY_QUATERNION}}, [3] = {{QUANTITY_MATRIX}}},
};

/* Bit by bit, as the manual gives it. */
static uint16_t crc16(const uint8_t *bytes, size_t size)
{
    unsigned crc = 0;
    for (size_t index = 0; index < size; index++) {
        crc ^= (unsigned)bytes[index] << 8;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000u ? (crc << 1 ^ 0x1021u) & 0xFFFFu : crc << 1 & 0xFFFFu;
        }
    }
    return (uint16_t)crc;
}

static size_t le_put(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)(value >> 8 * index);
    }
    return size;
}

static size_t quantity_put(const struct measured *measured, enum quantity quantity,
                           uint8_t *bytes)
{
    if (quantity == QUANTITY_TIME) {
        return le_put(bytes, measured->time_ns, 8);
    }
    size_t size = 0;
    const struct quantity_values *values = &measured->of[quantity];
    for (unsigned index = 0; index < values->count; index++) {
        uint32_t bits = 0;
        memcpy(&bits, &values->values[index], sizeof bits);
        size += le_put(bytes + size, bits, 4);
    }
    return size;
}

static size_t fields_put(const struct measured *measured, unsigned group, unsigned mask,
                         uint8_t *bytes)
{
    size_t size = 0;
    for (unsigned bit = 0; bit < FIELD_COUNT; bit++) {
        for (unsigned index = 0; index < 3 && (mask >> bit & 1); index++) {
            size +=
                quantity_put(measured, (enum quantity)FIELDS[group][bit].quantities[index],
                             bytes + size);
        }
    }
    return size;
}

static size_t frame_put(const struct output *output, const struct measured *measured,
                        uint8_t *bytes)
{
    size_t size = 0;
    bytes[size++] = 0xFA;
    bytes[size++] = (uint8_t)output->groups;
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        if (output->groups >> group & 1) {
            size += le_put(bytes + size, output->masks[group], 2);
        }
    }
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        size += fields_put(measured, group, output->masks[group], bytes + size);
    }
    uint16_t crc = crc16(bytes + 1, size - 1);
    bytes[size++] = (uint8_t)(crc >> 8);
    bytes[size++] = (uint8_t)crc;
    return size;
}

/* ---- ASCII lines ---- */

static size_t line_put(const char *text, uint8_t *bytes)
{
    unsigned sum = 0;
    for (const char *next = text; *next; next++) {
        sum ^= (uint8_t)*next;
    }
    return (size_t)snprintf((char *)bytes, LINE_SIZE + 16, "$%s*%02X\r\n", text, sum);
}

struct ymr_part {
    enum quantity quantity;
    int width;
    int decimals;
};

static size_t ymr_put(const struct measured *measured, uint8_t *bytes)
{
    static const struct ymr_part parts[] = {{QUANTITY_YPR, 8, 3},
                                            {QUANTITY_MAGNETIC, 8, 4},
                                            {QUANTITY_ACCELERATION, 7, 3},
                                            {QUANTITY_RATE, 10, 6}};
    char text[LINE_SIZE] = "VNYMR";
    int size = 5;
    for (size_t index = 0; index < sizeof parts / sizeof parts[0]; index++) {
        for (unsigned axis = 0; axis < 3; axis++) {
            double value = (double)measured->of[parts[index].quantity].values[axis];
            size += snprintf(text + size, sizeof text - (size_t)size, ",%+0*.*f",
                             parts[index].width, parts[index].decimals, value);
        }
    }
    return line_put(text, bytes);
}

/* ---- registers ---- */

/* Text of a register, without its number. */
static bool register_read(const struct vn100 *vn100, unsigned number, char *text,
                          size_t capacity)
{
    const struct output *output = &vn100->output;
    switch (number) {
    case 1:
        (void)snprintf(text, capacity, "VN-100S-CR");
        return true;
    case 2:
        (void)snprintf(text, capacity, "7");
        return true;
    case 3:
        (void)snprintf(text, capacity, "%010u", (unsigned)vn100->serial);
        return true;
    case 4:
        (void)snprintf(text, capacity, "2.1.0.0");
        return true;
    case 5:
        (void)snprintf(text, capacity, "%u", (unsigned)BAUD);
        return true;
    case 6:
        (void)snprintf(text, capacity, "%u", vn100->ascii_type);
        return true;
    case 7:
        (void)snprintf(text, capacity, "%u", vn100->ascii_rate_hz);
        return true;
    case 75: {
        int size = snprintf(text, capacity, "%u,%u,%02X", output->mode, output->divisor,
                            output->groups);
        for (unsigned group = 0; group < GROUP_COUNT; group++) {
            if (output->groups >> group & 1) {
                size += snprintf(text + size, capacity - (size_t)size, ",%04X",
                                 output->masks[group]);
            }
        }
        return true;
    }
    default:
        return false;
    }
}

/* Next parameter of "a,b,c".
 * @return false when there is none or it is no number. */
static bool parameter_next(char **text, int base, unsigned *value)
{
    if (**text != ',') {
        return false;
    }
    char *end = NULL;
    unsigned long parsed = strtoul(*text + 1, &end, base);
    if (end == *text + 1 || parsed > 0xFFFF) {
        return false;
    }
    *text = end;
    *value = (unsigned)parsed;
    return true;
}

static bool is_mask_offered(unsigned group, unsigned mask)
{
    for (unsigned bit = 0; bit < 16; bit++) {
        if ((mask >> bit & 1)
            && (bit >= FIELD_COUNT || FIELDS[group][bit].quantities[0] == QUANTITY_NONE)) {
            return false;
        }
    }
    return mask != 0;
}

static enum error_code output_write(struct vn100 *vn100, char *parameters)
{
    struct output output = {0};
    if (!parameter_next(&parameters, 10, &output.mode)
        || !parameter_next(&parameters, 10, &output.divisor)
        || !parameter_next(&parameters, 16, &output.groups)) {
        return ERROR_FEW;
    }
    if (output.mode > 3 || output.divisor == 0 || output.groups >> GROUP_COUNT) {
        return ERROR_PARAMETER;
    }
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        if (!(output.groups >> group & 1)) {
            continue;
        }
        if (!parameter_next(&parameters, 16, &output.masks[group])) {
            return ERROR_FEW;
        }
        if (!is_mask_offered(group, output.masks[group])) {
            return ERROR_PARAMETER;
        }
    }
    if (*parameters) {
        return ERROR_MANY;
    }
    struct measured measured;
    const struct device_reading none = {0};
    uint8_t frame[512];
    measure(0, &none, &measured);
    size_t size = frame_put(&output, &measured, frame);
    if (output.mode != 0 && size * 10 * IMU_RATE_HZ / output.divisor > BAUD) {
        return ERROR_BAUD;
    }
    vn100->output = output;
    return ERROR_NONE;
}

static enum error_code register_write(struct vn100 *vn100, unsigned number,
                                      char *parameters)
{
    unsigned value = 0;
    if (number == 75) {
        return output_write(vn100, parameters);
    }
    if (number != 6 && number != 7) {
        return number >= 1 && number <= 5 ? ERROR_PARAMETER : ERROR_REGISTER;
    }
    if (!parameter_next(&parameters, 10, &value)) {
        return ERROR_FEW;
    }
    if (number == 6 && value != 0 && value != ASCII_YMR) {
        return ERROR_PARAMETER;
    }
    if (number == 7 && (value == 0 || value > 200)) {
        return ERROR_PARAMETER;
    }
    *(number == 6 ? &vn100->ascii_type : &vn100->ascii_rate_hz) = value;
    return ERROR_NONE;
}

static enum error_code command_run(struct vn100 *vn100, char *command, char *answer,
                                   size_t capacity)
{
    bool is_write = strncmp(command, "VNWRG", 5) == 0;
    if (!is_write && strncmp(command, "VNRRG", 5) != 0) {
        return ERROR_COMMAND;
    }
    char *parameters = command + 5;
    unsigned number = 0;
    if (!parameter_next(&parameters, 10, &number)) {
        return ERROR_FEW;
    }
    enum error_code error =
        is_write ? register_write(vn100, number, parameters) : ERROR_NONE;
    char text[LINE_SIZE / 2];
    if (error == ERROR_NONE && !register_read(vn100, number, text, sizeof text)) {
        error = ERROR_REGISTER;
    }
    if (error == ERROR_NONE) {
        (void)snprintf(answer, capacity, "%.5s,%02u,%s", command, number, text);
    }
    return error;
}

/* Whether "...*CS" holds; cuts the line at the star. */
static bool checksum_take(char *line)
{
    char *star = strchr(line, '*');
    if (!star) {
        return false;
    }
    *star = '\0';
    unsigned sum = 0;
    for (const char *next = line; *next; next++) {
        sum ^= (uint8_t)*next;
    }
    size_t digits = strlen(star + 1);
    unsigned long given = strtoul(star + 1, NULL, 16);
    return (digits == 2 && given == sum)
           || (digits == 4 && given == crc16((const uint8_t *)line, strlen(line)));
}

/* @param line  What came after '$', without the line end. */
static size_t line_answer(struct vn100 *vn100, char *line, uint8_t *reply)
{
    char answer[LINE_SIZE];
    enum error_code error = ERROR_CHECKSUM;
    if (checksum_take(line)) {
        error = command_run(vn100, line, answer, sizeof answer);
    }
    if (error != ERROR_NONE) {
        (void)snprintf(answer, sizeof answer, "VNERR,%02X", (unsigned)error);
    }
    return line_put(answer, reply);
}

/* ---- the model ---- */

static void vn100_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct vn100 *vn100 = vn100_of(model);
    memset(vn100, 0, sizeof *vn100);
    vn100->serial = serial;
    vn100->ascii_rate_hz = ASCII_RATE_HZ;
    vn100->output.divisor = 8;
    if (rate_hz <= 0.0) {
        vn100->ascii_type = ASCII_YMR;
        return;
    }
    double divisor = fmax(1.0, round(IMU_RATE_HZ / rate_hz));
    vn100->output = (struct output){
        .mode = 1, .divisor = (unsigned)divisor, .groups = 1, .masks = {0x0131}};
}

static size_t vn100_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                         size_t size, uint8_t *reply)
{
    (void)time_us;
    struct vn100 *vn100 = vn100_of(model);
    size_t reply_size = 0;
    for (size_t index = 0; index < size; index++) {
        char character = (char)bytes[index];
        if (character == '$') {
            vn100->line_size = 1;
            vn100->line[0] = '$';
        } else if (vn100->line_size > 0 && (character == '\n' || character == '\r')) {
            vn100->line[vn100->line_size] = '\0';
            if (reply_size + LINE_SIZE + 16 <= DEVICE_MODEL_OUT_MAX) {
                reply_size += line_answer(vn100, vn100->line + 1, reply + reply_size);
            }
            vn100->line_size = 0;
        } else if (vn100->line_size > 0 && vn100->line_size < LINE_SIZE - 1) {
            vn100->line[vn100->line_size++] = character;
        }
    }
    return reply_size;
}

static size_t vn100_sample(struct device_model *model, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *bytes)
{
    struct vn100 *vn100 = vn100_of(model);
    struct measured measured;
    size_t size = 0;
    measure(time_us, reading, &measured);
    if (vn100->output.mode & 1) {
        size += frame_put(&vn100->output, &measured, bytes);
    }
    if (vn100->ascii_type != 0 && time_us >= vn100->ascii_next_us) {
        size += ymr_put(&measured, bytes + size);
        vn100->ascii_next_us = time_us + 1000000u / vn100->ascii_rate_hz;
    }
    return size;
}

static double vn100_period_s(const struct device_model *model)
{
    const struct vn100 *vn100 = (const struct vn100 *)(const void *)model->state;
    if (vn100->output.mode & 1) {
        return (double)vn100->output.divisor / IMU_RATE_HZ;
    }
    return 1.0 / vn100->ascii_rate_hz;
}

extern const struct device_model_type model_vectornav_vn100;

const struct device_model_type model_vectornav_vn100 = {
    .driver = "vectornav-vn100",
    .has_inertial = true,
    .rate_hz = ASCII_RATE_HZ,
    .init = vn100_init,
    .hear = vn100_hear,
    .sample = vn100_sample,
    .period_s = vn100_period_s,
};

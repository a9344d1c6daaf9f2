/* Sony DualSense (054C:0CE6) and DualShock 4 (054C:05C4) on USB: input reports at 250 Hz by
 * themselves, calibration and firmware on request. Each serial number has a factory
 * calibration of its own. Serial numbers from C0000000 on are clones, as seen of the
 * DualShock 4: no calibration, no firmware text, a counter that stands still. */
#include "simulation/device_model.h"

#include <math.h>
#include <string.h>

#include "simulation/random.h"

enum {
    AXES = 3,
    INPUT_SIZE = 64,
    FEATURE_MAX = 64,
    CALIBRATION_COUNT = 17, /* int16 after the report's number */
    GYRO_SPEED_DEG_S = 540, /* of the maker's turntable, each way */
    FEATURE_REQUEST = 3,    /* type of report in GET_REPORT */
    DUALSENSE_INTERFACE = 3,
    DUALSHOCK4_INTERFACE = 0
};

static const uint32_t CLONE_SERIAL_MIN = 0xC0000000u;
static const double PERIOD_S = 0.004;

struct controller {
    uint32_t serial;
    uint32_t report_count;
    uint64_t clock_offset; /* ticks; it runs on battery and was on before */
    int16_t calibration[CALIBRATION_COUNT];
    double gyro_count_per_deg_s[AXES];
    double accel_count_per_g[AXES];
    double accel_zero[AXES]; /* counts */
    struct random noise;     /* signature bytes, resting sticks */
};

_Static_assert(sizeof(struct controller) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct controller *controller_of(struct device_model *model)
{
    return (struct controller *)(void *)model->state;
}

static bool is_clone(const struct controller *controller)
{
    return controller->serial >= CLONE_SERIAL_MIN;
}

static void put_u16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    put_u16(bytes, value & 0xFFFF);
    put_u16(bytes + 2, value >> 16);
}

/* Rounded, at the rails when out of range. */
static void put_count(uint8_t *bytes, double value)
{
    double count = fmin(fmax(round(value), INT16_MIN), INT16_MAX);
    put_u16(bytes, (unsigned)(int)count & 0xFFFF);
}

static int16_t around(struct random *random, double middle, double spread)
{
    return (int16_t)lround(random_uniform(random, middle - spread, middle + spread));
}

/* What the factory measured on the turntable and on six faces. Spread as between the few
 * published calibrations. */
static void calibration_make(struct controller *controller, struct random *random)
{
    int16_t *values = controller->calibration;
    for (int axis = 0; axis < AXES; axis++) {
        int16_t zero = around(random, 0.0, 30.0);
        int16_t plus = around(random, 8850.0, 60.0);
        int16_t minus = around(random, -8850.0, 60.0);
        values[axis] = zero;
        values[3 + 2 * axis] = plus;
        values[4 + 2 * axis] = minus;
        controller->gyro_count_per_deg_s[axis] = (plus - minus) / (2.0 * GYRO_SPEED_DEG_S);
    }
    values[9] = GYRO_SPEED_DEG_S;
    values[10] = GYRO_SPEED_DEG_S;
    for (int axis = 0; axis < AXES; axis++) {
        int16_t plus = around(random, 8190.0, 400.0);
        int16_t minus = around(random, -8190.0, 400.0);
        values[11 + 2 * axis] = plus;
        values[12 + 2 * axis] = minus;
        controller->accel_count_per_g[axis] = (plus - minus) / 2.0;
        controller->accel_zero[axis] = (plus + minus) / 2.0;
    }
}

/* A clone has the nominal scales in its hardware. */
static void calibration_nominal(struct controller *controller)
{
    for (int axis = 0; axis < AXES; axis++) {
        controller->gyro_count_per_deg_s[axis] = 32767.0 / 2048.0;
        controller->accel_count_per_g[axis] = 32767.0 / 4.0;
    }
}

static void controller_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)rate_hz; /* it has one rate */
    struct controller *controller = controller_of(model);
    memset(controller, 0, sizeof *controller);
    struct random random;
    random_init(&random, serial, 1);
    random_init(&controller->noise, serial, 2);
    controller->serial = serial;
    controller->clock_offset = random_bits(&random) >> 32;
    if (is_clone(controller)) {
        calibration_nominal(controller);
    } else {
        calibration_make(controller, &random);
    }
}

static double controller_period_s(const struct device_model *model)
{
    (void)model;
    return PERIOD_S;
}

/* ---- input reports ---- */

static void motion_put(const struct controller *controller,
                       const struct device_reading *reading, uint8_t *gyro, uint8_t *accel)
{
    for (size_t axis = 0; axis < AXES; axis++) {
        put_count(gyro + 2 * axis,
                  reading->gyro_deg_s[axis] * controller->gyro_count_per_deg_s[axis]);
        put_count(accel + 2 * axis,
                  reading->accel_g[axis] * controller->accel_count_per_g[axis]
                      + controller->accel_zero[axis]);
    }
}

/* Sticks rest a little off the middle. */
static void sticks_put(struct controller *controller, uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(0x7E + random_bits(&controller->noise) % 5);
    }
}

static uint8_t buttons_byte(const struct device_reading *reading)
{
    const uint8_t hat_released = 8;
    const uint8_t cross = 0x20;
    return reading->is_pressed ? hat_released | cross : hat_released;
}

static uint8_t battery_tenths(const struct device_reading *reading)
{
    return (uint8_t)lround(fmin(fmax(reading->battery_percent, 0.0), 100.0) / 10.0);
}

static uint8_t temperature_byte(const struct device_reading *reading)
{
    double degrees = fmin(fmax(reading->temperature_deg_c, INT8_MIN), INT8_MAX);
    return (uint8_t)(int8_t)lround(degrees);
}

static size_t dualsense_sample(struct device_model *model, uint64_t time_us,
                               const struct device_reading *reading, uint8_t *bytes)
{
    struct controller *controller = controller_of(model);
    const uint32_t time = (uint32_t)(controller->clock_offset + 3 * time_us);
    memset(bytes, 0, INPUT_SIZE);
    bytes[0] = 0x01;
    sticks_put(controller, bytes + 1);
    bytes[7] = is_clone(controller) ? 0 : (uint8_t)controller->report_count;
    controller->report_count++;
    bytes[8] = buttons_byte(reading);
    put_u32(bytes + 12, 0x14AF0AACu ^ controller->serial);
    motion_put(controller, reading, bytes + 16, bytes + 22);
    put_u32(bytes + 28, time);
    bytes[32] = temperature_byte(reading);
    bytes[33] = 0x80; /* no finger */
    bytes[37] = 0x80;
    bytes[41] = 0x09;
    bytes[42] = 0x09;
    put_u32(bytes + 49, time + 4280); /* a second clock, as captured */
    const uint8_t tenths = battery_tenths(reading);
    bytes[53] = (uint8_t)((tenths == 10 ? 0x20 : 0x10) | tenths); /* full, or charging */
    bytes[54] = 0x08;
    put_u32(bytes + 56, (uint32_t)random_bits(&controller->noise)); /* signature */
    put_u32(bytes + 60, (uint32_t)random_bits(&controller->noise));
    return INPUT_SIZE;
}

static size_t dualshock4_sample(struct device_model *model, uint64_t time_us,
                                const struct device_reading *reading, uint8_t *bytes)
{
    struct controller *controller = controller_of(model);
    memset(bytes, 0, INPUT_SIZE);
    bytes[0] = 0x01;
    sticks_put(controller, bytes + 1);
    bytes[5] = buttons_byte(reading);
    bytes[7] = is_clone(controller) ? 0 : (uint8_t)(controller->report_count << 2);
    controller->report_count++;
    put_u16(bytes + 10, (unsigned)(controller->clock_offset + 3 * time_us / 16) & 0xFFFF);
    bytes[12] = temperature_byte(reading);
    motion_put(controller, reading, bytes + 13, bytes + 19);
    const uint8_t tenths = battery_tenths(reading);
    const uint8_t cable = 0x10;
    bytes[30] = (uint8_t)(cable | (tenths == 10 ? 11 : tenths)); /* 11 = charged */
    for (size_t touch = 35; touch < INPUT_SIZE; touch += 9) {
        bytes[touch] = 0x80; /* no finger */
        if (touch + 4 < INPUT_SIZE) {
            bytes[touch + 4] = 0x80;
        }
    }
    return INPUT_SIZE;
}

/* ---- requests ---- */

/* @return Size, 0 = a clone, which refuses. */
static size_t calibration_put(const struct controller *controller, uint8_t number,
                              size_t size, uint8_t *bytes)
{
    if (is_clone(controller)) {
        return 0;
    }
    memset(bytes, 0, size);
    bytes[0] = number;
    for (size_t i = 0; i < CALIBRATION_COUNT; i++) {
        put_u16(bytes + 1 + 2 * i, (unsigned)controller->calibration[i] & 0xFFFF);
    }
    return size;
}

/* Date, time and version words of the build. */
static size_t firmware_put(const struct controller *controller, uint8_t number,
                           size_t time_offset, size_t size, uint8_t *bytes)
{
    if (is_clone(controller)) {
        return 0;
    }
    memset(bytes, 0, size);
    bytes[0] = number;
    memcpy(bytes + 1, "Mar  7 2023", 11);
    memcpy(bytes + time_offset, "14:05:52", 8);
    put_u16(bytes + 35, 0x0100);
    put_u16(bytes + 41, 0x0317);
    return size;
}

static size_t dualsense_feature(const struct controller *controller, uint8_t number,
                                uint8_t *bytes)
{
    if (number == 0x05) {
        return calibration_put(controller, number, 41, bytes);
    }
    return number == 0x20 ? firmware_put(controller, number, 12, 64, bytes) : 0;
}

static size_t dualshock4_feature(const struct controller *controller, uint8_t number,
                                 uint8_t *bytes)
{
    if (number == 0x02) {
        return calibration_put(controller, number, 37, bytes);
    }
    return number == 0xA3 ? firmware_put(controller, number, 17, 49, bytes) : 0;
}

/* GET_REPORT of a feature report from the HID interface; all else stalls. */
static int feature_get(const struct controller *controller, const uint8_t setup[8],
                       unsigned interface,
                       size_t (*feature)(const struct controller *, uint8_t, uint8_t *),
                       uint8_t *reply)
{
    const uint8_t get_report[2] = {0xA1, 0x01};
    if (memcmp(setup, get_report, sizeof get_report) != 0 || setup[3] != FEATURE_REQUEST
        || (unsigned)(setup[4] | setup[5] << 8) != interface) {
        return -1;
    }
    uint8_t bytes[FEATURE_MAX];
    size_t size = feature(controller, setup[2], bytes);
    size_t wanted = (size_t)(setup[6] | setup[7] << 8);
    size = wanted < size ? wanted : size;
    if (size == 0) {
        return -1;
    }
    memcpy(reply, bytes, size);
    return (int)size;
}

static int dualsense_control(struct device_model *model, uint64_t time_us,
                             const uint8_t setup[8], const uint8_t *data, uint8_t *reply)
{
    (void)time_us;
    (void)data;
    return feature_get(controller_of(model), setup, DUALSENSE_INTERFACE, dualsense_feature,
                       reply);
}

static int dualshock4_control(struct device_model *model, uint64_t time_us,
                              const uint8_t setup[8], const uint8_t *data, uint8_t *reply)
{
    (void)time_us;
    (void)data;
    return feature_get(controller_of(model), setup, DUALSHOCK4_INTERFACE,
                       dualshock4_feature, reply);
}

/* ---- descriptors (USB 2.0 chapter 9, Audio 1.0, HID 1.11) ---- */

static const uint8_t DUALSENSE_DESCRIPTORS[] = {
    /* device: USB 2.0, 054C:0CE6 */
    18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x4C, 0x05, 0xE6, 0x0C, 0x00, 0x01, 1, 2, 0, 1,
    /* configuration: 4 interfaces, self powered, 500 mA */
    9, 2, 192, 0, 4, 1, 0, 0xC0, 250,
    /* interface 0: audio control; its header names the two streams */
    9, 4, 0, 0, 0, 1, 1, 0, 0, /**/
    10, 0x24, 1, 0x00, 0x01, 52, 0, 2, 1, 2,
    /* USB stream -> speaker */
    12, 0x24, 2, 1, 0x01, 0x01, 0, 4, 0x33, 0x00, 0, 0, /**/
    9, 0x24, 3, 2, 0x01, 0x03, 0, 1, 0,
    /* microphone -> USB stream */
    12, 0x24, 2, 3, 0x02, 0x04, 0, 2, 0x03, 0x00, 0, 0, /**/
    9, 0x24, 3, 4, 0x01, 0x01, 0, 3, 0,
    /* interface 1: playing, silent and 48 kHz, 4 channels of 16 bits */
    9, 4, 1, 0, 0, 1, 2, 0, 0,                     /**/
    9, 4, 1, 1, 1, 1, 2, 0, 0,                     /**/
    7, 0x24, 1, 1, 1, 0x01, 0x00,                  /**/
    11, 0x24, 2, 1, 4, 2, 16, 1, 0x80, 0xBB, 0x00, /**/
    9, 5, 0x01, 0x09, 0x88, 0x01, 4, 0, 0,
    /* interface 2: recording, silent and 48 kHz, 2 channels of 16 bits */
    9, 4, 2, 0, 0, 1, 2, 0, 0,                     /**/
    9, 4, 2, 1, 1, 1, 2, 0, 0,                     /**/
    7, 0x24, 1, 4, 1, 0x01, 0x00,                  /**/
    11, 0x24, 2, 1, 2, 2, 16, 1, 0x80, 0xBB, 0x00, /**/
    9, 5, 0x82, 0x05, 0xC4, 0x00, 4, 0, 0,
    /* interface 3: HID, endpoints of 64 bytes every 4 ms */
    9, 4, 3, 0, 2, 3, 0, 0, 0,                   /**/
    9, 0x21, 0x11, 0x01, 0, 1, 0x22, 0x11, 0x01, /**/
    7, 5, 0x84, 3, 64, 0, 6,                     /**/
    7, 5, 0x03, 3, 64, 0, 6};

static const uint8_t DUALSHOCK4_DESCRIPTORS[] = {
    /* device: USB 2.0, 054C:05C4 */
    18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x4C, 0x05, 0xC4, 0x05, 0x00, 0x01, 1, 2, 0, 1,
    /* configuration: 1 interface, self powered, 500 mA */
    9, 2, 41, 0, 1, 1, 0, 0xC0, 250,
    /* interface 0: HID, endpoints of 64 bytes */
    9, 4, 0, 0, 2, 3, 0, 0, 0,                   /**/
    9, 0x21, 0x11, 0x01, 0, 1, 0x22, 0xD3, 0x01, /**/
    7, 5, 0x84, 3, 64, 0, 5,                     /**/
    7, 5, 0x03, 3, 64, 0, 5};

static const struct device_model_usb DUALSENSE_USB = {
    .descriptors = DUALSENSE_DESCRIPTORS,
    .descriptors_size = sizeof DUALSENSE_DESCRIPTORS,
    .strings = {NULL, "Sony Interactive Entertainment", "DualSense Wireless Controller"},
    .speed_mbit = 480,
    .sample_endpoint = 0x84,
    .reply_endpoint = 0x84,
    .interface = DUALSENSE_INTERFACE,
    .control = dualsense_control,
};

static const struct device_model_usb DUALSHOCK4_USB = {
    .descriptors = DUALSHOCK4_DESCRIPTORS,
    .descriptors_size = sizeof DUALSHOCK4_DESCRIPTORS,
    .strings = {NULL, "Sony Computer Entertainment", "Wireless Controller"},
    .speed_mbit = 12,
    .sample_endpoint = 0x84,
    .reply_endpoint = 0x84,
    .interface = DUALSHOCK4_INTERFACE,
    .control = dualshock4_control,
};

extern const struct device_model_type model_sony_dualsense;

const struct device_model_type model_sony_dualsense = {
    .driver = "sony-dualsense",
    .has_inertial = true,
    .rate_hz = 250.0,
    .init = controller_init,
    .sample = dualsense_sample,
    .period_s = controller_period_s,
    .usb = &DUALSENSE_USB,
};

extern const struct device_model_type model_sony_dualshock4;

const struct device_model_type model_sony_dualshock4 = {
    .driver = "sony-dualshock4",
    .has_inertial = true,
    .rate_hz = 250.0,
    .init = controller_init,
    .sample = dualshock4_sample,
    .period_s = controller_period_s,
    .usb = &DUALSHOCK4_USB,
};

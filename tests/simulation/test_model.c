/* Device models against the makers' documents and captures of real devices. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "simulation/device_model.h"

/* "C9 DB DC" -> bytes; spaces are skipped. */
static size_t bytes_of(const char *hex, uint8_t *bytes)
{
    size_t size = 0;
    unsigned byte;
    while (sscanf(hex, " %2x", &byte) == 1) {
        bytes[size++] = (uint8_t)byte;
        hex += strspn(hex, " ") + 2;
    }
    return size;
}

static void expect_bytes(const uint8_t *bytes, size_t size, const char *hex)
{
    uint8_t expected[512];
    size_t expected_size = bytes_of(hex, expected);
    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected, expected_size);
}

static void model_start(struct device_model *model, const char *driver, double rate_hz,
                        uint32_t serial)
{
    model->type = device_model_find(driver);
    ck_assert_ptr_nonnull(model->type);
    model->type->init(model, rate_hz, serial);
}

/* Tell it something in text; what it answers as text. */
static const char *tell(struct device_model *model, uint64_t time_us, const char *text,
                        char reply[DEVICE_MODEL_OUT_MAX + 1])
{
    size_t size = model->type->hear(model, time_us, (const uint8_t *)text, strlen(text),
                                    (uint8_t *)reply);
    ck_assert_uint_le(size, DEVICE_MODEL_OUT_MAX);
    reply[size] = '\0';
    return reply;
}

static const struct device_reading STILL = {.accel_g = {0.0, 0.0, 1.0},
                                            .field_ut = {50.0, 0.0, 0.0},
                                            .orientation = {1.0, 0.0, 0.0, 0.0},
                                            .temperature_deg_c = 25.0,
                                            .battery_percent = 100.0};

/* One message alone, of a still unit at 1,000,000 us: vectors of the user manual; the
 * accelerometer rounded to its step gives 0.999912 g, the charging state is 0. */
static const struct {
    const char *settings;
    const char *hex;
} XIMU3[] = {
    {"{\"inertial_message_rate_divisor\":1}\n",
     "C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 3CFA7F3F 0A"},
    {"{\"ahrs_message_rate_divisor\":1}\n{\"ahrs_message_type\":0}\n",
     "D1 40420F0000000000 0000803F 00000000 00000000 00000000 0A"},
    {"{\"ahrs_message_rate_divisor\":1}\n{\"ahrs_message_type\":1}\n",
     "d240420f0000000000 0000803f 00000000 00000000 00000000 0000803f 00000000 00000000 "
     "00000000 0000803f 0a"},
    {"{\"ahrs_message_rate_divisor\":1}\n{\"ahrs_message_type\":2}\n",
     "c140420f0000000000 00000000 00000080 00000000 0a"},
    {"{\"ahrs_message_rate_divisor\":1}\n{\"ahrs_message_type\":3}\n",
     "cc40420f0000000000 0000803f 00000000 00000000 00000000 00000000 00000000 00000000 "
     "0a"},
    {"{\"magnetometer_message_rate_divisor\":1}\n",
     "cd40420f0000000000 0000803f 00000000 00000000 0a"},
};

static void ximu3_quiet(struct device_model *model)
{
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    static const char *const KEYS[] = {"inertial",    "magnetometer",
                                       "ahrs",        "high_g_accelerometer",
                                       "temperature", "battery"};
    model_start(model, "xio-ximu3", 0.0, 0x51D00001);
    for (unsigned i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        char command[64];
        snprintf(command, sizeof command, "{\"%s_message_rate_divisor\":0}\n", KEYS[i]);
        tell(model, 0, command, reply);
        ck_assert_str_eq(reply, command);
    }
    tell(model, 0, "{\"apply\":null}\n", reply);
}

START_TEST(ximu3_messages_are_those_of_the_manual)
{
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    ximu3_quiet(&model);
    ck_assert_uint_eq(model.type->sample(&model, 1000000, &STILL, bytes), 0);
    tell(&model, 0, XIMU3[_i].settings, reply);
    tell(&model, 0, "{\"apply\":null}\n", reply);
    /* The magnetometer is due every 20th conversion at 400 Hz. */
    size_t size = 0;
    for (unsigned i = 0; i < 20 && size == 0; i++) {
        size = model.type->sample(&model, 1000000, &STILL, bytes);
    }
    expect_bytes(bytes, size, XIMU3[_i].hex);
}

END_TEST

START_TEST(ximu3_battery_and_temperature_come_now_and_then)
{
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    ximu3_quiet(&model);
    tell(&model, 0,
         "{\"temperature_message_rate_divisor\":1}\n{\"battery_message_rate_divisor\":5}\n"
         "{\"apply\":null}\n",
         reply);
    unsigned temperatures = 0;
    unsigned batteries = 0;
    /* Nothing faster is on: instants at 20 Hz; 10 s. */
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.05, 1e-12);
    for (unsigned i = 0; i < 200; i++) {
        size_t size = model.type->sample(&model, 1000000, &STILL, bytes);
        temperatures += size > 0 && bytes[0] == 0xD4;
        batteries += size > 14 && bytes[14] == 0xC2;
    }
    ck_assert_uint_eq(temperatures, 50);
    ck_assert_uint_eq(batteries, 10);
}

END_TEST

START_TEST(ximu3_stuffs_line_feeds_and_escapes_everywhere)
{
    /* Time full of 0A and DB (vector of the manual's stuffing table, made longer). */
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    const struct device_reading reading = {.gyro_deg_s = {0.0, 0.0, 0.0}};
    model_start(&model, "xio-ximu3", 100.0, 1);
    size_t size = model.type->sample(&model, 168549130, &reading, bytes);
    expect_bytes(bytes, size,
                 "C9 DBDC DBDD 0B DBDC 00000000 00000000 00000000 00000000 00000000 "
                 "00000000 00000000 0A");
}

END_TEST

START_TEST(ximu3_ascii_is_that_of_the_manual)
{
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, "xio-ximu3", 400.0, 1);
    tell(&model, 0, "{\"binary_mode_enabled\":false}\n{\"apply\":null}\n", reply);
    const struct device_reading reading = {.gyro_deg_s = {3000.0, 0.061, -0.061},
                                           .accel_g = {-30.0, 0.0, 0.0}};
    size_t size = model.type->sample(&model, 1000000, &reading, bytes);
    /* Clipped at 2000 deg/s and 24 g, in steps. */
    const char *expected = "I,1000000,2000.0070,0.0610,-0.0610,-24.0001,0.0000,0.0000\n";
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_mem_eq(bytes, expected, size);
}

END_TEST

START_TEST(ximu3_answers_commands_in_any_chunks)
{
    static const char COMMANDS[] =
        "{\"Inertial Message-Rate DIVISOR\": 16 }\n{\"binary_mode_enabled\":null}\n"
        "{\"ping\":null}\nnonsense\n{\"firmware_version\":null}\n{\"note\":\"Hi.\"}\n";
    struct device_model model;
    uint8_t reply[DEVICE_MODEL_OUT_MAX + 1];
    size_t size = 0;
    model_start(&model, "xio-ximu3", 100.0, 0x51D00001);
    for (const char *at = COMMANDS; *at; at++) {
        size += model.type->hear(&model, 1000000, (const uint8_t *)at, 1, reply + size);
    }
    static const char EXPECTED[] =
        "{\"inertial_message_rate_divisor\":16}\n{\"binary_mode_enabled\":true}\n"
        "{\"ping\":{\"interface\":\"USB\",\"name\":\"x-IMU3\",\"sn\":\"51D00001\"}}\n"
        "{\"firmware_version\":\"v2.5.4\"}\n{\"note\":\"Hi.\"}\n"
        "\xCE\x40\x42\x0F\x00\x00\x00\x00\x00Hi.\n";
    ck_assert_uint_eq(size, sizeof EXPECTED - 1);
    ck_assert_mem_eq(reply, EXPECTED, size);
}

END_TEST

START_TEST(ximu3_settings_wait_to_be_applied)
{
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, "xio-ximu3", 100.0, 1);
    tell(&model, 1000000, "{\"inertial_message_rate_divisor\":8}\n", reply);
    model.type->sample(&model, 2999999, &STILL, bytes);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.01, 1e-12);
    /* Two seconds after the last write. */
    model.type->sample(&model, 3000000, &STILL, bytes);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.02, 1e-12);
    tell(&model, 4000000, "{\"inertial_message_rate_divisor\":1}\n{\"apply\":null}\n",
         reply);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.0025, 1e-12);
    tell(&model, 4000000, "{\"default\":null}\n{\"apply\":null}\n", reply);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.02, 1e-12);
}

END_TEST

START_TEST(ximu3_refuses_what_cannot_be)
{
    static const char *const REFUSED[] = {
        "{\"inertial_message_rate_divisor\":3}\n",
        "{\"inertial_message_rate_divisor\":-1}\n",
        "{\"inertial_message_rate_divisor\":\"4\"}\n",
        "{\"binary_mode_enabled\":1}\n",
        "{\"serial_mode\":3}\n",
        "{\"firmware_version\":\"v9\"}\n",
        "{\"dance\":null}\n",
    };
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    model_start(&model, "xio-ximu3", 100.0, 1);
    tell(&model, 0, REFUSED[_i], reply);
    ck_assert_ptr_nonnull(strstr(reply, "\":{\"error\":\""));
    tell(&model, 0, "{\"inertial_message_rate_divisor\":null}\n", reply);
    ck_assert_str_eq(reply, "{\"inertial_message_rate_divisor\":4}\n");
    /* A line longer than its buffer is forgotten, the next one heard. */
    char flood[600];
    memset(flood, 'x', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    tell(&model, 0, flood, reply);
    tell(&model, 0, "\n{\"serial_mode\":null}\n", reply);
    ck_assert_str_eq(reply, "{\"serial_mode\":0}\n");
}

END_TEST

START_TEST(ximu3_passes_the_accessory_on)
{
    struct device_model model;
    char reply[DEVICE_MODEL_OUT_MAX + 1];
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct device_reading reading = STILL;
    reading.analog_share[2] = 0.5;
    model_start(&model, "xio-ximu3", 100.0, 1);
    tell(&model, 0,
         "{\"serial_mode\":2}\n{\"binary_mode_enabled\":false}\n"
         "{\"apply\":null}\n",
         reply);
    size_t size = model.type->sample(&model, 1000000, &reading, bytes);
    bytes[size] = '\0';
    ck_assert_ptr_nonnull(strstr((char *)bytes, "S,1000000,x-IMU3-SA-A8 v1.0.3?\n"));
    size = model.type->sample(&model, 1010000, &reading, bytes);
    bytes[size] = '\0';
    ck_assert_ptr_nonnull(
        strstr((char *)bytes,
               "S,1010000,0.0000,0.0000,1.5000,0.0000,0.0000,0.0000,0.0000,0.0000?\n"));
}

END_TEST

START_TEST(firmata_boots_like_a_real_board)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, "arduino-firmata", 0.0, 1);
    size_t size = model.type->open(&model, 0, bytes);
    expect_bytes(
        bytes, size,
        "f90205 f079 0205 5300 7400 6100 6e00 6400 6100 7200 6400 4600 6900 7200 6d00 "
        "6100 7400 6100 2e00 6900 6e00 6f00 f7");
    ck_assert_uint_eq(model.type->sample(&model, 0, &STILL, bytes), 0);
}

END_TEST

static size_t firmata_ask(struct device_model *model, const char *hex, uint8_t *reply)
{
    uint8_t bytes[64];
    size_t size = bytes_of(hex, bytes);
    return model->type->hear(model, 0, bytes, size, reply);
}

/* An Uno and a Mega: pins, first analog pin. */
static const struct {
    uint32_t serial;
    unsigned pin_count;
    unsigned first;
} BOARDS[] = {{1, 20, 14}, {0x70000000, 70, 54}};

START_TEST(firmata_answers_the_handshake)
{
    struct device_model model;
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    model_start(&model, "arduino-firmata", 0.0, BOARDS[_i].serial);
    expect_bytes(reply, firmata_ask(&model, "F9", reply), "F90205");
    size_t size = firmata_ask(&model, "F069F7", reply);
    ck_assert_uint_eq(size, BOARDS[_i].pin_count + 3);
    for (unsigned pin = 0; pin < BOARDS[_i].pin_count; pin++) {
        ck_assert_uint_eq(reply[2 + pin],
                          pin < BOARDS[_i].first ? 0x7F : pin - BOARDS[_i].first);
    }
    size = firmata_ask(&model, "F06BF7", reply);
    const uint8_t pin_14[] = {0x00, 1, 0x0B, 1, 0x01, 1, 0x02, 10, 0x04, 14, 0x7F};
    ck_assert_uint_eq(reply[0], 0xF0);
    ck_assert_uint_eq(reply[1], 0x6C);
    ck_assert_uint_eq(reply[2], 0x7F);
    ck_assert_uint_eq(reply[size - 1], 0xF7);
    unsigned analog = 0;
    unsigned pins = 0;
    for (size_t i = 2; i + 1 < size; i++) {
        pins += reply[i] == 0x7F ? 1 : 0;
        analog += i + sizeof pin_14 < size && memcmp(reply + i, pin_14, sizeof pin_14) == 0;
        ck_assert_uint_lt(reply[i], 0x80);
    }
    /* Two pins of an Uno speak I2C as well and differ. */
    ck_assert_uint_eq(analog, BOARDS[_i].serial == 1 ? 4 : 16);
    ck_assert_uint_eq(pins, BOARDS[_i].pin_count);
}

END_TEST

START_TEST(firmata_reports_only_channels_switched_on)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    const struct device_reading reading = {
        .analog_share = {321.0 / 1023.0, 1.0 / 1023.0, 511.0 / 1023.0}};
    model_start(&model, "arduino-firmata", 0.0, 1);
    ck_assert_uint_eq(model.type->sample(&model, 0, &reading, bytes), 0);
    ck_assert_uint_eq(firmata_ask(&model, "F40E02 F07A0A00F7 C001 C201", bytes), 0);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.01, 1e-12);
    expect_bytes(bytes, model.type->sample(&model, 0, &reading, bytes), "E04102 E27F03");
    firmata_ask(&model, "C000", bytes);
    expect_bytes(bytes, model.type->sample(&model, 0, &reading, bytes), "E27F03");
    firmata_ask(&model, "FF", bytes);
    ck_assert_uint_eq(model.type->sample(&model, 0, &reading, bytes), 0);
    /* Opening the port resets the sketch, the interval too. */
    model.type->open(&model, 0, bytes);
    firmata_ask(&model, "C001", bytes);
    ck_assert_double_eq_tol(model.type->period_s(&model), 0.019, 1e-12);
}

END_TEST

START_TEST(firmata_survives_nonsense)
{
    struct device_model model;
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    model_start(&model, "arduino-firmata", 0.0, 1);
    /* Stray data, a sysex longer than the buffer, a channel that is not there, a new
     * command inside a message. */
    ck_assert_uint_eq(firmata_ask(&model, "010203 CF01 F0 F7", reply), 0);
    uint8_t flood[300];
    memset(flood, 0x11, sizeof flood);
    flood[0] = 0xF0;
    ck_assert_uint_eq(model.type->hear(&model, 0, flood, sizeof flood, reply), 0);
    expect_bytes(reply, firmata_ask(&model, "F9", reply), "F90205");
    ck_assert_uint_eq(model.type->sample(&model, 0, &STILL, reply), 0);
}

END_TEST

START_TEST(text_prints_titles_and_lines)
{
    struct device_model model;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    const struct device_reading reading = {.gyro_deg_s = {1.5, -2.25, 0.125},
                                           .accel_g = {0.01, -0.02, 0.99},
                                           .analog_share = {512.0 / 1023.0}};
    model_start(&model, "text", 100.0, 1);
    model.type->open(&model, 0, bytes);
    size_t size = model.type->sample(&model, 1000000, &reading, bytes);
    bytes[size] = '\0';
    ck_assert_str_eq((char *)bytes,
                     "time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
                     "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g\r\n"
                     "1000000,1.5000,-2.2500,0.1250,0.01000,-0.02000,0.99000\r\n");
    model_start(&model, "text", 100.0, DEVICE_MODEL_SERIAL_ANALOG);
    size = model.type->sample(&model, 0, &reading, bytes);
    size += model.type->sample(&model, 0, &reading, bytes + size);
    bytes[size] = '\0';
    ck_assert_str_eq((char *)bytes, "analog_0_count\r\n512\r\n512\r\n");
}

END_TEST

/* Every model: any bytes and any requests are survived, answers fit. */
START_TEST(models_survive_anything)
{
    size_t count = 0;
    const struct device_model_type *const *types = device_model_list(&count);
    uint32_t random = 12345;
    for (size_t type = 0; type < count; type++) {
        struct device_model model = {.type = types[type]};
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        types[type]->init(&model, 0.0, 7);
        for (unsigned round = 0; round < 2000; round++) {
            uint8_t told[40];
            for (unsigned i = 0; i < sizeof told; i++) {
                random = random * 1664525u + 1013904223u;
                told[i] = (uint8_t)(random >> 24);
            }
            size_t size = 0;
            if (types[type]->hear) {
                size = types[type]->hear(&model, round, told, sizeof told, bytes);
            }
            bool is_bad = size > DEVICE_MODEL_OUT_MAX;
            is_bad |=
                types[type]->sample(&model, round, &STILL, bytes) > DEVICE_MODEL_OUT_MAX;
            if (types[type]->usb && types[type]->usb->control) {
                told[6] = 32; /* wLength: no more than told holds */
                told[7] = 0;
                is_bad |= types[type]->usb->control(&model, round, told, told + 8, bytes)
                          > (int)DEVICE_MODEL_OUT_MAX;
            }
            if (is_bad || (types[type]->period_s && !(types[type]->period_s(&model) > 0))) {
                ck_abort_msg("%s, round %u", types[type]->driver, round);
            }
        }
    }
}

END_TEST

/* Every USB face: lengths add up, endpoints of the table are in the descriptors. */
START_TEST(usb_descriptors_are_whole)
{
    size_t count = 0;
    const struct device_model_type *const *types = device_model_list(&count);
    for (size_t type = 0; type < count; type++) {
        const struct device_model_usb *usb = types[type]->usb;
        if (!usb) {
            continue;
        }
        const uint8_t *bytes = usb->descriptors;
        ck_assert_uint_eq(bytes[0], 18);
        ck_assert_uint_eq(bytes[20] | bytes[21] << 8, usb->descriptors_size - 18);
        unsigned interfaces = 0;
        unsigned endpoints = 0;
        unsigned wanted = 0;
        unsigned has_samples = 0;
        for (size_t at = 18; at < usb->descriptors_size; at += bytes[at]) {
            ck_assert_uint_gt(bytes[at], 1);
            ck_assert_uint_le(at + bytes[at], usb->descriptors_size);
            interfaces += bytes[at + 1] == 4 && bytes[at + 3] == 0;
            wanted += bytes[at + 1] == 4 ? bytes[at + 4] : 0;
            endpoints += bytes[at + 1] == 5;
            has_samples += bytes[at + 1] == 5 && bytes[at + 2] == usb->sample_endpoint;
        }
        ck_assert_uint_eq(interfaces, bytes[22]);
        ck_assert_uint_eq(endpoints, wanted);
        ck_assert_uint_ge(has_samples, 1);
    }
}

END_TEST

START_TEST(cdc_requests_are_answered)
{
    const uint8_t get[8] = {0xA1, 0x21, 0, 0, 0, 0, 7, 0};
    const uint8_t set[8] = {0x21, 0x20, 0, 0, 0, 0, 7, 0};
    const uint8_t dtr[8] = {0x21, 0x22, 3, 0, 0, 0, 0, 0};
    const uint8_t other[8] = {0xC0, 0x01, 0, 0, 0, 0, 8, 0};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    struct device_model model;
    model_start(&model, "xio-ximu3", 0.0, 1);
    const struct device_model_usb *usb = model.type->usb;
    ck_assert_int_eq(usb->control(&model, 0, get, NULL, reply), 7);
    ck_assert_uint_eq(reply[6], 8);
    ck_assert_int_eq(usb->control(&model, 0, set, reply, reply), 0);
    ck_assert_int_eq(usb->control(&model, 0, dtr, NULL, reply), 0);
    ck_assert_int_eq(usb->control(&model, 0, other, NULL, reply), -1);
}

END_TEST

Suite *model_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("wire");
    tcase_add_loop_test(tests, ximu3_messages_are_those_of_the_manual, 0,
                        sizeof XIMU3 / sizeof XIMU3[0]);
    tcase_add_test(tests, ximu3_battery_and_temperature_come_now_and_then);
    tcase_add_test(tests, ximu3_stuffs_line_feeds_and_escapes_everywhere);
    tcase_add_test(tests, ximu3_ascii_is_that_of_the_manual);
    tcase_add_test(tests, ximu3_answers_commands_in_any_chunks);
    tcase_add_test(tests, ximu3_settings_wait_to_be_applied);
    tcase_add_loop_test(tests, ximu3_refuses_what_cannot_be, 0, 7);
    tcase_add_test(tests, ximu3_passes_the_accessory_on);
    tcase_add_test(tests, firmata_boots_like_a_real_board);
    tcase_add_loop_test(tests, firmata_answers_the_handshake, 0,
                        sizeof BOARDS / sizeof BOARDS[0]);
    tcase_add_test(tests, firmata_reports_only_channels_switched_on);
    tcase_add_test(tests, firmata_survives_nonsense);
    tcase_add_test(tests, text_prints_titles_and_lines);
    suite_add_tcase(suite, tests);
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 30.0);
    tcase_add_test(all, models_survive_anything);
    tcase_add_test(all, usb_descriptors_are_whole);
    tcase_add_test(all, cdc_requests_are_answered);
    suite_add_tcase(suite, all);
    return suite;
}

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "acquisition/text_columns.h"
#include "base/units.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "text";

static void feed(struct collected *collected, const char *text)
{
    collected_feed(collected, text, strlen(text), 0);
}

static void init(struct collected *collected, const char *columns)
{
    const struct driver_settings settings = {.columns = columns, .rate_hz = 100.0};
    collected_init(collected, DRIVER, &settings);
}

/* ---- numbers ---- */

START_TEST(number_is_read)
{
    static const struct {
        const char *text;
        size_t used;
        double value;
    } cases[] = {
        {"0", 1, 0.0},
        {"-0.5", 4, -0.5},
        {"+12", 3, 12.0},
        {".5", 2, 0.5},
        {"5.", 2, 5.0},
        {"1e3", 3, 1000.0},
        {"1E-3", 4, 0.001},
        {"1e", 1, 1.0},
        {"1e+", 1, 1.0},
        {"12abc", 2, 12.0},
        {"", 0, 0.0},
        {"-", 0, 0.0},
        {".", 0, 0.0},
        {"abc", 0, 0.0},
        {"nan", 0, 0.0},
        {"inf", 0, 0.0},
        {"1e999", 0, 0.0},
        {"0x10", 1, 0.0},
        {"1,5", 1, 1.0},
        {"9007199254740993", 16, 9007199254740992.0},
        {"0.000000000000000000001", 23, 1e-21},
        {"123456789012345678901234567890", 30, 1.2345678901234568e29},
    };

    double value = 0.0;
    ck_assert_uint_eq(framing_number(cases[_i].text, strlen(cases[_i].text), &value),
                      cases[_i].used);
    /* 1e-15 of the value: the two roundings of digits times a power of ten. */
    ck_assert_double_le(fabs(value - cases[_i].value), 1e-15 * fabs(cases[_i].value));
}

END_TEST

START_TEST(numbers_equal_those_of_the_c_library)
{
    uint64_t random = 99;
    for (unsigned round = 0; round < 100000; round++) {
        char text[64];
        double number = ldexp((double)(int64_t)random_next(&random),
                              (int)(random_next(&random) % 60) - 90);
        int size = 0;
        switch (round % 4) {
        case 0:
            size = snprintf(text, sizeof text, "%.9g", number);
            break;
        case 1:
            size = snprintf(text, sizeof text, "%.4f", number);
            break;
        case 2:
            size = snprintf(text, sizeof text, "%.0f", number);
            break;
        default:
            size = snprintf(text, sizeof text, "%.17g", number);
            break;
        }
        double value = NAN;
        bool is_whole = framing_number(text, (size_t)size, &value) == (size_t)size;
        double exact = strtod(text, NULL);
        if (!is_whole || !(fabs(value - exact) <= 1e-15 * fabs(exact))) {
            ck_abort_msg("%s: read as %.17g", text, value);
        }
    }
}

END_TEST

START_TEST(integer_is_read)
{
    uint64_t value = 7;
    ck_assert_uint_eq(framing_integer("18446744073709551615,", 21, &value), 20);
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert_uint_eq(framing_integer("18446744073709551616", 20, &value), 0);
    ck_assert_uint_eq(framing_integer("-1", 2, &value), 0);
    ck_assert_uint_eq(framing_integer("", 0, &value), 0);
    ck_assert_uint_eq(value, UINT64_MAX);
}

END_TEST

/* ---- columns ---- */

START_TEST(units_are_converted)
{
    struct collected collected;
    init(&collected, "time_ms, gyroscope_x_rad_s,gyroscope_y_rad_s,gyroscope_z_deg_s,"
                     "accelerometer_x_m_s2,accelerometer_y_mg,accelerometer_z_g,note,"
                     "analog_0_count,temperature_deg_c");
    feed(&collected, "hello\n1000,1,-1,90,9.80665,500,-1,free text,512,36.5\n");
    ck_assert_uint_eq(collected.count, 3);
    const float *inertial = collected.samples[0].values;
    /* 1e-6 of the value: float. */
    ck_assert_double_eq_tol((double)inertial[0], DEG_PER_RAD, 6e-5);
    ck_assert_double_eq_tol((double)inertial[1], -DEG_PER_RAD, 6e-5);
    check_float_eq(inertial[2], 90.0F);
    ck_assert_double_eq_tol((double)inertial[3], 1.0, 1e-6);
    check_float_eq(inertial[4], 0.5F);
    check_float_eq(inertial[5], -1.0F);
    ck_assert_uint_eq(collected.samples[0].device_ticks, 1000000);
    ck_assert_uint_eq(collected.samples[1].stream, collected_stream(&collected, "analog"));
    check_float_eq(collected.samples[1].values[0], 512.0F);
    ck_assert_uint_eq(collected.samples[2].stream,
                      collected_stream(&collected, "temperature"));
    check_float_eq(collected.samples[2].values[0], 36.5F);
    collected_free(&collected);
}

END_TEST

START_TEST(columns_that_cannot_be_are_refused)
{
    static const char *const columns[] = {
        "bogus",
        "a,b,c",
        "gyroscope_x_deg_s",
        "analog_0_count,analog_0_v",
        "time_s,time_ms,analog_0_v",
        "magnetometer_x_ut,analog_0_v",
        "time_ms",
        ",",
        "analog_16_count",
        "gyroscope_x,gyroscope_y,gyroscope_z",
    };
    const struct driver_settings settings = {.columns = columns[_i]};
    struct device device;
    ck_assert_int_eq(device_init(&device, driver_find(DRIVER), &settings),
                     STATUS_BAD_INPUT);
}

END_TEST

START_TEST(profile_decodes)
{
    static const struct {
        const char *name;
        const char *lines; /* text first: the line of numbers is then known to be whole */
        unsigned sample_count;
        const char *stream;
        unsigned channel;
        double value;
    } cases[] = {
        {"x-imu3-sa-a8", "x-IMU3-SA-A8\r\n0.1000,0.2000,0.3,0.4,0.5,0.6,0.7,2.9000\r\n", 1,
         "analog", 7, 2.9},
        {"razor-m0",
         "9DoF Razor\r\n1234, 0.01, -0.02, 0.99, 1.5, -2.25, 0.125, 10, 20, -30\r\n", 2,
         "inertial", 5, 0.99},
        {"razor-m0",
         "9DoF Razor\r\n1234, 0.01, -0.02, 0.99, 1.5, -2.25, 0.125, 10, 20, -30\r\n", 2,
         "magnetometer", 2, -30.0},
        {"openlog-artemis",
         "rtcDate,rtcTime,micros,analog_11,aX,aY,aZ,gX,gY,gZ,mX,mY,mZ,imu_degC,\r\n"
         "11/22/2026,10:45:00.00,5000000,1.25,10,-20,990,1,2,3,4,5,6,25.5,\r\n",
         4, "inertial", 5, 0.99},
        {"openlog-artemis",
         "rtcDate,rtcTime,micros,analog_11,aX,aY,aZ,gX,gY,gZ,mX,mY,mZ,imu_degC,\r\n"
         "11/22/2026,10:45:00.00,5000000,1.25,10,-20,990,1,2,3,4,5,6,25.5,\r\n",
         4, "analog", 11, 1.25},
        {"openlog-artemis",
         "hello\n11/22/2026,10:45:00.00,10,-20,990,1,2,3,4,5,6,25.5,\r\n", 3, "temperature",
         0, 25.5},
        {"bend-labs", "One Axis ADS initialization succeeded...\r\n-12.5\r\n", 1, "analog",
         0, -12.5},
    };
    struct collected collected;
    init(&collected, cases[_i].name);
    feed(&collected, cases[_i].lines);
    ck_assert_uint_eq(collected.count, cases[_i].sample_count);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    unsigned stream = collected_stream(&collected, cases[_i].stream);
    bool is_found = false;
    for (size_t index = 0; index < collected.count; index++) {
        if (collected.samples[index].stream == stream) {
            is_found = true;
            /* 1e-6: float. */
            ck_assert_double_eq_tol(
                (double)collected.samples[index].values[cases[_i].channel], cases[_i].value,
                1e-6);
        }
    }
    ck_assert(is_found);
    collected_free(&collected);
}

END_TEST

START_TEST(plain_counts_need_no_setting)
{
    struct collected collected;
    init(&collected, _i == 0 ? NULL : "plain");
    feed(&collected,
         "512,498,503\n513,499,504\n514;500;505\r\n515\t501\t506\n516 , 502, 507\n");
    ck_assert_uint_eq(collected.count, 5);
    unsigned count = 0;
    const struct stream_info *streams = device_streams(&collected.device, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(streams[0].channel_count, 3);
    ck_assert_str_eq(streams[0].channels[2], "analog_2_count");
    for (unsigned index = 0; index < 5; index++) {
        check_float_eq(collected.samples[index].values[0], (float)(512 + index));
        check_float_eq(collected.samples[index].values[2], (float)(503 + index));
    }
    ck_assert_double_eq(driver_tick_s(collected.device.driver, &collected.device.context),
                        0.0);
    collected_free(&collected);
}

END_TEST

START_TEST(titles_name_the_columns)
{
    struct collected collected;
    init(&collected, NULL);
    feed(&collected,
         "Time (s),Gyroscope X (deg/s),Gyroscope Y (deg/s),Gyroscope Z (deg/s),"
         "Accelerometer X (g),Accelerometer Y (g),Accelerometer Z (g),Magnetometer X (uT),"
         "Magnetometer Y (uT),Magnetometer Z (uT)\n"
         "0.010078907,1,2,3,0.1,0.2,0.3,15,0.5,-41\n");
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.samples[0].stream,
                      collected_stream(&collected, "inertial"));
    check_float_eq(collected.samples[0].values[2], 3.0F);
    check_float_eq(collected.samples[0].values[3], 0.1F);
    ck_assert_uint_eq(collected.samples[0].device_ticks, 10079);
    check_float_eq(collected.samples[1].values[2], -41.0F);
    ck_assert_double_eq(driver_tick_s(collected.device.driver, &collected.device.context),
                        1e-6);
    collected_free(&collected);
}

END_TEST

/* ---- profiles of a person's own ---- */

static struct text_lines lines_make(void)
{
    struct text_lines lines = {0};
    for (unsigned index = 0; index < TEXT_COLUMN_MAX; index++) {
        lines.scales[index] = 1.0;
    }
    return lines;
}

static void lines_init(struct collected *collected, const char *columns,
                       const struct text_lines *lines)
{
    const struct driver_settings settings = {.columns = columns, .lines = lines};
    collected_init(collected, DRIVER, &settings);
}

START_TEST(scales_make_units_of_counts)
{
    struct text_lines lines = lines_make();
    /* 16384 counts a g, 16.4 counts a deg/s, 4 us a tick, 10 bits of 5 V with an offset. */
    lines.scales[0] = 0.004;
    lines.scales[1] = lines.scales[2] = lines.scales[3] = 1000.0 / 16384.0;
    lines.scales[4] = lines.scales[5] = lines.scales[6] = -1.0 / 16.4;
    lines.scales[7] = 5.0 / 1023.0;
    lines.offsets[7] = -0.5;
    lines.header_line_count = 2;
    struct collected collected;
    lines_init(&collected,
               "time_ms,accelerometer_x_mg,accelerometer_y_mg,accelerometer_z_mg,"
               "gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,analog_2_v,unused",
               &lines);
    feed(&collected,
         "1,2,3,4,5,6,7,8,9\n3 sensors\n250000,0,8192,16384,164,0,-1640,1023,x\n"
         "252500,0,8192,16384,164,0,-1640,0,x\n");
    ck_assert_uint_eq(collected.count, 4);
    const struct sample *sample = &collected.samples[0];
    ck_assert_uint_eq(sample->device_ticks, 1000000);
    ck_assert_uint_eq(collected.samples[2].device_ticks, 1010000);
    /* 1e-5: float. */
    ck_assert_double_eq_tol((double)sample->values[0], -10.0, 1e-5);
    ck_assert_double_eq_tol((double)sample->values[2], 100.0, 1e-5);
    ck_assert_double_eq_tol((double)sample->values[4], 0.5, 1e-5);
    ck_assert_double_eq_tol((double)sample->values[5], 1.0, 1e-5);
    ck_assert_double_eq_tol((double)collected.samples[1].values[2], 4.5, 1e-5);
    ck_assert_double_eq_tol((double)collected.samples[3].values[2], -0.5, 1e-5);
    ck_assert(isnan(collected.samples[1].values[0]));
    collected_free(&collected);
}

END_TEST

/* Form of the lines, lines, and the samples that must come of them (first channel 12.5). */
static const struct {
    char separator;
    bool has_decimal_comma;
    bool has_trailing_separator;
    const char *lines;
    unsigned count;
    unsigned bad_count;
} FORMS[] = {
    {' ', false, false, "hello\n12.5 2\n12.5   2  \n  12.5 2\n12.5\n", 3, 1},
    {' ', false, false, "hello\n12.5,2\n12.5 2\n", 1, 0},
    {';', false, false, "hello\n12.5;2\n12.5 ; 2\n12.5,2\n12.5\t2\n", 2, 2},
    {'\t', false, false, "hello\n12.5\t2\n12.5,2\n12.5\t\t2\n", 1, 2},
    {',', false, false, "hello\n12.5,2\n12.5;2\n", 1, 1},
    {',', false, true, "hello\n12.5,2,\n12.5,2\n12.5,2,,\n12.5,2,3\n", 2, 2},
    {'\0', true, false, "hello\n12,5;2\n12,5\t2,25\n12,5,2\n12.5;2\n1.2,5;2\n", 2, 3},
    {' ', true, false, "hello\n12,5 2,25\n12.5 2\n", 1, 1},
    {';', true, false, "hello\n+12,5e0;-,25\n12,5,0;1\n,;1\n", 1, 2},
};

START_TEST(form_of_the_lines_is_kept_to)
{
    struct text_lines lines = lines_make();
    lines.separator = FORMS[_i].separator;
    lines.has_decimal_comma = FORMS[_i].has_decimal_comma;
    lines.has_trailing_separator = FORMS[_i].has_trailing_separator;
    struct collected collected;
    lines_init(&collected, "analog_0_v,analog_1_v", &lines);
    feed(&collected, FORMS[_i].lines);
    ck_assert_uint_eq(collected.count, FORMS[_i].count);
    ck_assert_uint_eq(collected.device.counters.bad_count, FORMS[_i].bad_count);
    for (size_t index = 0; index < collected.count; index++) {
        check_float_eq(collected.samples[index].values[0], 12.5F);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(lines_that_cannot_be_are_refused)
{
    static const char columns[] = "time_ms,analog_0_v";
    struct text_lines lines = lines_make();
    switch (_i) {
    case 0:
        lines.separator = '|';
        break;
    case 1:
        lines.separator = ',';
        lines.has_decimal_comma = true;
        break;
    case 2:
        lines.scales[1] = 0.0;
        break;
    case 3:
        lines.offsets[1] = NAN;
        break;
    case 4:
        lines.scales[0] = -1.0;
        break;
    case 5:
        lines.offsets[0] = 5.0;
        break;
    case 6:
        lines.scales[1] = INFINITY;
        break;
    case 7:
        lines.header_line_count = 100000;
        break;
    case 8:
        lines.separator = ' ';
        lines.has_trailing_separator = true;
        break;
    default:
        lines.scales[0] = 1e11;
        break;
    }
    const struct driver_settings settings = {.columns = columns, .lines = &lines};
    struct device device;
    ck_assert_int_eq(device_init(&device, driver_find(DRIVER), &settings),
                     STATUS_BAD_INPUT);
}

END_TEST

START_TEST(form_survives_every_chunking)
{
    struct text_lines lines = lines_make();
    lines.has_decimal_comma = true;
    lines.header_line_count = 3;
    const struct driver_settings settings = {.columns = "time_ms,analog_0_v",
                                             .lines = &lines};
    char text[4000];
    size_t size = 0;
    for (unsigned line = 0; line < 200; line++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%u;%u,5\r\n", 10 * line,
                                 line % 7);
    }
    struct collected collected;
    collected_init(&collected, DRIVER, &settings);
    collected_feed(&collected, text, size, 0);
    ck_assert_uint_eq(collected.count, 197);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, &settings, text, size, 200);
}

END_TEST

/* What the makers' boards send besides good lines. */
static const struct {
    const char *profile;
    const char *lines;
    unsigned count;
    unsigned bad_count;
} BOARDS[] = {
    /* The accessory board says its name when the line is opened. */
    {"x-imu3-sa-a8",
     "x-IMU3-SA-A8 v1.0\r\n0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\r\n"
     "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\r\n",
     2, 0},
    {"x-imu3-sa-a8", "x\n0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\n0.1,0.2,0.3\n", 1, 1},
    /* Toggles of the Razor: magnetometer off, Euler angles on, raw numbers. */
    {"razor-m0", "x\n10, 0, 0, 1, 1, 2, 3, 4, 5, 6\n20, 0, 0, 1, 1, 2, 3\n", 2, 1},
    {"razor-m0",
     "x\n10, 0, 0, 1, 1, 2, 3, 4, 5, 6\n20, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9\n", 2, 1},
    {"razor-m0", "x\n10, 0, 0, 1, 1, 2, 3, 4, 5, 6\n20, 3, -12, 16384, 1, 2, 3, 4, 5, 6\n",
     2, 1},
    /* Bend Labs: what it says of itself comes first. */
    {"bend-labs",
     "Initializing One Axis sensor\r\nOne Axis ADS initialization succeeded...\r\n"
     "0.00\r\n-12.48\r\n",
     2, 0},
    /* A garment of ten strips: an empty field, a line cut after one number. */
    {"analog_0_count,analog_1_count,analog_2_count,analog_3_count",
     "x\n520,490,41,454\n490,41,,454\n490\n520,490,41,454\n", 2, 2},
};

START_TEST(board_is_read)
{
    struct collected collected;
    init(&collected, BOARDS[_i].profile);
    feed(&collected, BOARDS[_i].lines);
    ck_assert_uint_eq(collected.count, BOARDS[_i].count);
    ck_assert_uint_eq(collected.device.counters.bad_count, BOARDS[_i].bad_count);
    collected_free(&collected);
}

END_TEST

/* ---- lines ---- */

START_TEST(broken_line_is_rejected_whole)
{
    static const char *const broken[] = {
        "490,41,,454\n",      "490\n",
        "490,41,454,387,1\n", "490,41,4x4,387\n",
        "490,41,454,\n",      ",41,454,387\n",
        "490,41,454,387,\n",  "490 41 454 387\n",
        "490,41,nan,387\n",   "490,41,1e99,387\n",
        "restart\n",          "490,41,454,38\a7\n",
    };
    struct collected collected;
    init(&collected, "analog_0_count,analog_1_count,analog_2_count,analog_3_count");
    feed(&collected, "hello\n490,41,454,387\n");
    feed(&collected, broken[_i]);
    feed(&collected, "491,42,455,388\n");
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    check_float_eq(collected.samples[1].values[3], 388.0F);
    ck_assert_uint_eq(collected.samples[1].flags & SAMPLE_GAP_BEFORE, SAMPLE_GAP_BEFORE);
    collected_free(&collected);
}

END_TEST

START_TEST(first_line_may_be_cut)
{
    static const struct {
        const char *first;
        unsigned count;
    } cases[] = {
        {"98,503\n", 2},      /* fewer fields: cut */
        {"2,498,503\n", 2},   /* first field shorter than its neighbour: perhaps cut */
        {"512,498,503\n", 3}, /* whole */
        {"\n", 2},            /* cut to nothing */
        {"hello\n", 2},
    };
    struct collected collected;
    init(&collected, "analog_0_count,analog_1_count,analog_2_count");
    feed(&collected, cases[_i].first);
    feed(&collected, "513,499,504\n514,500,505\n");
    ck_assert_uint_eq(collected.count, cases[_i].count);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    check_float_eq(collected.samples[collected.count - 1].values[0], 514.0F);
    collected_free(&collected);
}

END_TEST

START_TEST(text_before_the_first_numbers_is_for_people)
{
    struct collected collected;
    init(&collected, "bend-labs");
    feed(&collected, "Starting\r\nsensor \x01 ok\r\n");
    unsigned count = 0;
    ck_assert_str_eq(collected.device.driver->notice_get(&collected.device.context, &count),
                     "sensor ? ok");
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(overlong_line_and_its_end_give_nothing)
{
    struct collected collected;
    init(&collected, "analog_0_count,analog_1_count");
    feed(&collected, "hello\n1,2\n");
    static char line[1200];
    memset(line, '7', sizeof line - 1);
    feed(&collected, line);
    feed(&collected, ",8\n3,4\n");
    ck_assert_uint_eq(collected.count, 2);
    check_float_eq(collected.samples[1].values[0], 3.0F);
    ck_assert_uint_ge(collected.device.counters.bad_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(counter_of_the_board_wraps)
{
    struct collected collected;
    init(&collected, _i == 0 ? "time_us,analog_0_v" : "time_ms,analog_0_v");
    feed(&collected, "hello\n4294967290,1\n4294967295,1\n4,1\n");
    ck_assert_uint_eq(collected.count, 3);
    uint64_t tick = _i == 0 ? 1 : 1000;
    ck_assert_uint_eq(collected.samples[1].device_ticks - collected.samples[0].device_ticks,
                      5 * tick);
    ck_assert_uint_eq(collected.samples[2].device_ticks - collected.samples[1].device_ticks,
                      5 * tick);
    collected_free(&collected);
}

END_TEST

/* Lines of a board at 100 Hz with its time in us. @return Size. */
static size_t timed_lines_make(char *text, size_t capacity, uint64_t first_us,
                               unsigned count)
{
    size_t size = 0;
    for (unsigned line = 0; line < count; line++) {
        size += (size_t)snprintf(text + size, capacity - size, "%llu,1\n",
                                 (unsigned long long)(first_us + line * 10000u));
    }
    return size;
}

/* The rest of a line and the next one together are one time that is far too large. */
START_TEST(cut_line_leaves_the_clock_alone)
{
    static char text[6000 * 16];
    size_t size = timed_lines_make(text, sizeof text, 0, 6000);
    char *cut = strstr(text, "\n30000000,") + 1;
    const size_t kept = 3;
    const char *next = strchr(cut, '\n') + 1;
    memmove(cut + kept, next, size - (size_t)(next - text) + 1);
    struct collected collected;
    init(&collected, "time_us,analog_0_v");
    feed(&collected, text);
    ck_assert_uint_eq(collected.count, 5997); /* first, the cut one, the one behind it */
    ck_assert_uint_eq(collected.samples[collected.count - 1].device_ticks, 59990000);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    ck_assert_uint_eq(collected.device.counters.lost_count, 2);
    collected_free(&collected);
}

END_TEST

/* In the last minute before its end a time that lost its head looks like a wrap. */
START_TEST(cut_time_is_no_wrap_for_long)
{
    struct collected collected;
    init(&collected, "time_us,analog_0_v");
    feed(&collected, "hello\n4294927296,1\n4294937296,1\n7296,1\n4294957296,1\n"
                     "4294967290,1\n9994,1\n");
    ck_assert_uint_eq(collected.samples[collected.count - 1].device_ticks, 4294977290);
    collected_free(&collected);
}

END_TEST

START_TEST(board_that_starts_again_is_told)
{
    static char text[400 * 16];
    size_t size = timed_lines_make(text, sizeof text, 3000000000, 200);
    (void)timed_lines_make(text + size, sizeof text - size, 0, 200);
    struct collected collected;
    init(&collected, "time_us,analog_0_v");
    feed(&collected, text);
    ck_assert_uint_eq(collected.device.counters.restart_count, 1);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(collected.samples[collected.count - 1].device_ticks, 1990000);
    collected_free(&collected);
}

END_TEST

START_TEST(unbelievable_motion_is_bad)
{
    struct collected collected;
    init(&collected, "gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
                     "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g");
    feed(&collected, "hello\n0,0,0,0,0,1\n0,0,50000,0,0,1\n0,0,0,0,900,1\n0,0,0,0,0,1\n");
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.device.counters.bad_count, 2);
    collected_free(&collected);
}

END_TEST

START_TEST(other_locale_changes_nothing)
{
    /* The comma of many locales must not become the decimal sign. */
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        printf("skipped: no locale de_DE.UTF-8\n");
        return;
    }
    double value = 0.0;
    ck_assert_uint_eq(framing_number("1.5,2", 5, &value), 3);
    ck_assert_double_eq(value, 1.5);
    setlocale(LC_NUMERIC, "C");
}

END_TEST

/* ---- streams ---- */

static size_t stream_make(char *text, size_t capacity, unsigned line_count)
{
    size_t size = (size_t)snprintf(text, capacity, "2,501,33\nrestarted\n");
    for (unsigned line = 0; line < line_count; line++) {
        size += (size_t)snprintf(text + size, capacity - size,
                                 line % 7 == 3 ? "%u\t%u;  %u.5\r\n" : "%u,%u,%u.25\n",
                                 10 * line + 1000, line % 900, line);
        ck_assert_uint_lt(size, capacity);
    }
    return size;
}

static const struct driver_settings STREAM_SETTINGS = {
    .columns = "time_ms,analog_0_count,analog_1_count", .rate_hz = 100.0};

START_TEST(stream_survives_every_chunking)
{
    static char text[16000];
    size_t size = stream_make(text, sizeof text, 500);
    struct collected collected;
    collected_init(&collected, DRIVER, &STREAM_SETTINGS);
    collected_feed(&collected, text, size, 0);
    ck_assert_uint_eq(collected.count, 500);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, &STREAM_SETTINGS, text, size, 700);
    check_chunk_invariance(DRIVER, NULL, text, size, 700);
}

END_TEST

START_TEST(damage_is_survived)
{
    static char text[8000];
    size_t size = stream_make(text, sizeof text, 200);
    check_damage_is_survived(DRIVER, &STREAM_SETTINGS, text, size, 300);
    check_damage_is_survived(DRIVER, NULL, text, size, 300);
}

END_TEST

START_TEST(recording_of_an_inertial_unit)
{
    size_t size = 0;
    uint8_t *bytes = shared_read("captures/xio_fusion_sensor_data_head1500.csv", &size);
    if (!bytes) {
        return;
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    unsigned line_count = 0;
    for (size_t index = 0; index < size; index++) {
        line_count += bytes[index] == '\n';
    }
    ck_assert_uint_eq(collected_count(&collected, 0), line_count - 1);
    ck_assert_uint_eq(collected.count, 2 * (line_count - 1));
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    check_float_eq(collected.samples[0].values[0], 0.01644619F);
    check_float_eq(collected.samples[0].values[5], 0.9970807F);
    check_float_eq(collected.samples[1].values[2], -41.06483F);
    check_chunk_invariance(DRIVER, NULL, bytes, 20000, 150);
    free(bytes);
    collected_free(&collected);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *numbers = tcase_create("numbers");
    tcase_add_loop_test(numbers, number_is_read, 0, 22);
    tcase_add_test(numbers, numbers_equal_those_of_the_c_library);
    tcase_add_test(numbers, integer_is_read);
    tcase_add_test(numbers, other_locale_changes_nothing);
    suite_add_tcase(suite, numbers);
    TCase *columns = tcase_create("columns");
    tcase_add_test(columns, units_are_converted);
    tcase_add_loop_test(columns, columns_that_cannot_be_are_refused, 0, 10);
    tcase_add_loop_test(columns, profile_decodes, 0, 7);
    tcase_add_loop_test(columns, plain_counts_need_no_setting, 0, 2);
    tcase_add_test(columns, titles_name_the_columns);
    suite_add_tcase(suite, columns);
    TCase *profiles = tcase_create("profiles");
    tcase_add_test(profiles, scales_make_units_of_counts);
    tcase_add_loop_test(profiles, form_of_the_lines_is_kept_to, 0,
                        sizeof FORMS / sizeof FORMS[0]);
    tcase_add_loop_test(profiles, lines_that_cannot_be_are_refused, 0, 10);
    tcase_add_test(profiles, form_survives_every_chunking);
    tcase_add_loop_test(profiles, board_is_read, 0, sizeof BOARDS / sizeof BOARDS[0]);
    suite_add_tcase(suite, profiles);
    TCase *lines = tcase_create("lines");
    tcase_add_loop_test(lines, broken_line_is_rejected_whole, 0, 12);
    tcase_add_loop_test(lines, first_line_may_be_cut, 0, 5);
    tcase_add_test(lines, text_before_the_first_numbers_is_for_people);
    tcase_add_test(lines, overlong_line_and_its_end_give_nothing);
    tcase_add_loop_test(lines, counter_of_the_board_wraps, 0, 2);
    tcase_add_test(lines, cut_line_leaves_the_clock_alone);
    tcase_add_test(lines, cut_time_is_no_wrap_for_long);
    tcase_add_test(lines, board_that_starts_again_is_told);
    tcase_add_test(lines, unbelievable_motion_is_bad);
    suite_add_tcase(suite, lines);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 60);
    tcase_add_test(streams, stream_survives_every_chunking);
    tcase_add_test(streams, damage_is_survived);
    tcase_add_test(streams, recording_of_an_inertial_unit);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

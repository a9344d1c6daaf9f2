#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"
#include "tests/support/rig_device.h"

static const char DRIVER[] = "arduino-firmata";
static const int64_t MS = 1000000;

enum {
    SCAN = 0,
    EARLY = 1
};

static void feed(struct collected *collected, const char *hex)
{
    collected_feed_hex(collected, hex);
}

START_TEST(analog_message_value)
{
    static const struct {
        const char *hex;
        float value;
    } cases[] = {
        {"E0 41 02", 321}, {"E0 7F 03", 511}, {"E0 00 00", 0}, {"E0 7F 7F", 16383}};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, cases[_i].hex);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.samples[0].stream, EARLY);
    check_float_eq(collected.samples[0].values[0], 0.0F);
    check_float_eq(collected.samples[0].values[1], cases[_i].value);
    collected_free(&collected);
}

END_TEST

START_TEST(nothing_is_measured_before_the_version)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "E0 41 02 E1 42 02 E0 41 02 E1 42 02 E0 41 02");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    ck_assert_uint_eq(collected_count(&collected, EARLY), 5);
    feed(&collected, "F9 02 05");
    feed(&collected, "E0 41 02 E1 42 02 E0 43 02");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    const struct sample *sample = &collected.samples[collected.count - 1];
    check_float_eq(sample->values[0], 321.0F);
    check_float_eq(sample->values[1], 322.0F);
    ck_assert(isnan(sample->values[2]));
    collected_free(&collected);
}

END_TEST

START_TEST(scan_is_given_when_it_is_whole)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "F9 02 05 E0 01 00 E1 02 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    /* The lowest channel repeats: now the set is known ... */
    feed(&collected, "E0 03 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    /* ... and the next scan need not wait. */
    feed(&collected, "E1 04 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    const struct sample *sample = &collected.samples[collected.count - 1];
    check_float_eq(sample->values[0], 3.0F);
    check_float_eq(sample->values[1], 4.0F);
    collected_free(&collected);
}

END_TEST

START_TEST(scan_with_a_lost_report_is_lost_and_counted)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "F9 02 05 E0 01 00 E1 01 00 E2 01 00"
                     "E0 02 00 E1 02 00 E2 02 00"
                     "E0 03 00          E2 03 00" /* channel 1 never came */
                     "E0 04 00 E1 04 00 E2 04 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 3);
    const struct sample *sample = &collected.samples[collected.count - 1];
    check_float_eq(sample->values[1], 4.0F);
    ck_assert_uint_eq(sample->flags & SAMPLE_GAP_BEFORE, SAMPLE_GAP_BEFORE);
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(channels_may_be_switched_on_and_off)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "F9 02 05 E0 01 00 E0 02 00 E0 03 00"); /* channel 0 alone */
    ck_assert_uint_eq(collected_count(&collected, SCAN), 3);
    feed(&collected, "E1 03 00 E0 04 00 E1 04 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 4);
    const struct sample *sample = &collected.samples[collected.count - 1];
    check_float_eq(sample->values[1], 4.0F);
    feed(&collected, "E1 05 00 E1 06 00 E1 07 00 E1 08 00"); /* channel 0 is off */
    sample = &collected.samples[collected.count - 1];
    check_float_eq(sample->values[1], 8.0F);
    ck_assert(isnan(sample->values[0]));
    collected_free(&collected);
}

END_TEST

START_TEST(stray_and_abandoned_bytes_are_counted)
{
    static const struct {
        const char *hex;
        unsigned skipped;
        unsigned frames;
    } cases[] = {
        {"42 02 E0 41 02", 2, 1},    /* data outside a message */
        {"E0 40 E0 41 02", 2, 1},    /* message abandoned by the next */
        {"E0 F9 02 05", 1, 1},       /* the same, at once */
        {"F0 79 02 E0 41 02", 3, 1}, /* sysex aborted by a command */
        {"F0 79 02 F0 79 F7", 3, 1}, /* sysex aborted by a sysex */
        {"F7 E0 41 02", 1, 1},       /* an end without a start */
        {"81 01 E0 41 02", 2, 1},    /* no such command */
        {"90 01 00 D0 01 C0 01 FF F4 0E 02", 0, 5},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, cases[_i].hex);
    ck_assert_uint_eq(collected.device.counters.skipped_size, cases[_i].skipped);
    ck_assert_uint_eq(collected.device.counters.frame_count, cases[_i].frames);
    collected_free(&collected);
}

END_TEST

/* Start-up of an Uno, as in the capture: version, firmware, capabilities of one digital and
 * one analog pin, analog map. */
static const char START_UP[] =
    "f90205 f079 0205 5300 7400 6100 6e00 f7 f06c 7f 7f 00010b010101040e7f"
    "00010b010101020a040e7f f7 f06a 7f7f7f7f7f7f7f7f7f7f7f7f7f7f 00 01 02 03 04 05 f7";

START_TEST(resolution_comes_from_the_board)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    unsigned count = 0;
    check_float_eq(device_streams(&collected.device, &count)[SCAN].full_scale[0], 1023.0F);
    feed(&collected, "F9 02 05 F0 6C 7F 00 01 02 0C 7F F7");
    check_float_eq(device_streams(&collected.device, &count)[SCAN].full_scale[0], 4095.0F);
    feed(&collected, "E0 7F 1F E0 00 20"); /* 4095 may be, 4096 not */
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    feed(&collected, "E0 10 00");
    ck_assert_uint_ge(collected.count, 2);
    ck_assert_uint_eq(collected.samples[1].stream, SCAN);
    ck_assert_uint_eq(collected.samples[1].flags, SAMPLE_CLIPPED);
    ck_assert_uint_eq(collected.samples[2].flags, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(text_of_the_board_is_kept)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "F0 71 48 00 69 00 F7");
    unsigned count = 0;
    ck_assert_str_eq(collected.device.driver->notice_get(&collected.device.context, &count),
                     "Hi");
    ck_assert_uint_eq(count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(channel_setting)
{
    static const struct {
        const char *channel;
        enum status status;
        unsigned channel_count;
    } cases[] = {
        {NULL, STATUS_OK, 6},         {"", STATUS_OK, 6},
        {"A0", STATUS_OK, 6},         {"A5", STATUS_OK, 6},
        {"A15", STATUS_OK, 16},       {"7", STATUS_OK, 8},
        {"A16", STATUS_BAD_INPUT, 0}, {"B1", STATUS_BAD_INPUT, 0},
        {"A1x", STATUS_BAD_INPUT, 0}, {"A", STATUS_BAD_INPUT, 0},
        {"A-1", STATUS_BAD_INPUT, 0},
    };
    struct device device;
    const struct driver_settings settings = {.channel = cases[_i].channel};
    ck_assert_int_eq(device_init(&device, driver_find(DRIVER), &settings),
                     cases[_i].status);
    if (cases[_i].status == STATUS_OK) {
        unsigned count = 0;
        ck_assert_uint_eq(device_streams(&device, &count)[SCAN].channel_count,
                          cases[_i].channel_count);
    }
}

END_TEST

/* ---- commands ---- */

static void command_expect(struct collected *collected, int64_t now_ns, const char *hex)
{
    uint8_t expected[DRIVER_COMMAND_MAX];
    uint8_t bytes[DRIVER_COMMAND_MAX];
    size_t expected_size = hex_decode(hex, expected, sizeof expected);
    size_t size =
        collected->device.driver->command_next(&collected->device.context, now_ns, bytes);
    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected, size);
}

static const char QUESTIONS[] = "F9 F079F7 F06BF7 F069F7";

static const char *notice(const struct collected *collected, unsigned *count)
{
    return collected->device.driver->notice_get(&collected->device.context, count);
}

START_TEST(handshake_starts_reporting)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    command_expect(&collected, 0, QUESTIONS);
    command_expect(&collected, 499 * MS, "");
    command_expect(&collected, 500 * MS, QUESTIONS);
    feed(&collected, START_UP);
    command_expect(&collected, 600 * MS, "F07A 0A00 F7");
    command_expect(&collected, 610 * MS,
                   "F40E02 C001 F40F02 C101 F41002 C201 F41102 C301"
                   "F41202 C401 F41302 C501");
    command_expect(&collected, 620 * MS, "");
    command_expect(&collected, 99000 * MS, "");
    uint8_t bytes[DRIVER_COMMAND_MAX];
    size_t size = collected.device.driver->command_stop(&collected.device.context, bytes);
    uint8_t expected[DRIVER_COMMAND_MAX];
    ck_assert_uint_eq(size, hex_decode("C000 C100 C200 C300 C400 C500 F07A 1300 F7 FF",
                                       expected, sizeof expected));
    ck_assert_mem_eq(bytes, expected, size);
    collected_free(&collected);
}

END_TEST

START_TEST(mute_board_is_asked_for_five_seconds)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 2.0};
    collected_init(&collected, DRIVER, &settings);
    for (int64_t try = 0; try <= 10; try++) {
        command_expect(&collected, 500 * MS * try, QUESTIONS);
    }
    unsigned count = 0;
    ck_assert_str_eq(notice(&collected, &count), "");
    /* Nothing answered: say what can be said without the map. 500 ms = 0x1F4. */
    command_expect(&collected, 5500 * MS, "F07A 7403 F7");
    command_expect(&collected, 5500 * MS, "C001 C101 C201 C301 C401 C501");
    command_expect(&collected, 6000 * MS, "");
    ck_assert_str_eq(notice(&collected, &count),
                     "the board does not answer: load StandardFirmata onto it");
    collected_free(&collected);
}

END_TEST

/* All six channels of the map. */
#define WHOLE_SCAN "E0 01 00 E1 02 00 E2 03 00 E3 04 00 E4 05 00 E5 06 00 "

/* StandardFirmata 2.4 on an Uno, six channels switched on in one write: each is reported at
 * once, while the interval's scans report those that are on by then. */
START_TEST(channels_switched_on_one_by_one_are_no_loss)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, START_UP);
    feed(&collected,
         "E0 01 00 E0 01 00 E1 02 00 E1 02 00 E0 01 00 E1 02 00 E2 03 00 E2 03 00 "
         "E3 04 00 E3 04 00 E4 05 00 E4 05 00 E5 06 00 E5 06 00");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    feed(&collected, WHOLE_SCAN WHOLE_SCAN);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    /* From then on a missing report costs its scan, and is told. */
    feed(&collected, "E0 01 00 E1 02 00 E3 04 00 E4 05 00 E5 06 00 " WHOLE_SCAN);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 3);
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(handshake_begins_again_after_an_unplug)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, START_UP);
    feed(&collected, WHOLE_SCAN WHOLE_SCAN);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    device_interrupt(&collected.device);
    feed(&collected, WHOLE_SCAN WHOLE_SCAN);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    command_expect(&collected, 0, QUESTIONS);
    collected_free(&collected);
}

END_TEST

START_TEST(resolution_is_that_of_each_pin)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    /* Pins 0: digital, 1: analog 10 bits, 2: analog 12 bits; channels 1 and 0. */
    feed(&collected, "F9 02 05 F0 6C 00 01 7F 02 0A 7F 02 0C 7F F7 F0 6A 7F 01 00 F7");
    unsigned count = 0;
    const struct stream_info *streams = device_streams(&collected.device, &count);
    check_float_eq(streams[SCAN].full_scale[0], 4095.0F);
    check_float_eq(streams[SCAN].full_scale[1], 1023.0F);
    feed(&collected, "E0 7F 1F E1 00 08"); /* 4095; 1024 is too much */
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(channels_above_15_come_in_the_long_form)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "F0 6F 10 7F 03 F7"); /* before the version: left over */
    ck_assert_uint_eq(collected.count, 0);
    feed(&collected, "F9 02 05 F0 6F 10 7F 03 F7 F0 6F 11 00 00 01 F7");
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.samples[0].stream,
                      collected_stream(&collected, "extended_analog"));
    check_float_eq(collected.samples[0].values[0], 16.0F);
    check_float_eq(collected.samples[0].values[1], 511.0F);
    check_float_eq(collected.samples[1].values[1], 16384.0F);
    feed(&collected, "F0 6F F7 F0 6F 10 F7 F0 6F 05 01 00 F7 F0 6F 10 00 00 00 00 F7");
    ck_assert_uint_eq(collected.count, 2);
    collected_free(&collected);
}

END_TEST

START_TEST(sketch_says_who_it_is)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    const struct driver *driver = collected.device.driver;
    ck_assert_str_eq(driver->identity_get(&collected.device.context), "");
    feed(&collected, "F0 79 F7 F0 79 02 F7");
    ck_assert_str_eq(driver->identity_get(&collected.device.context), "");
    feed(&collected, "F079 0205 5300 6100 F7");
    ck_assert_str_eq(driver->identity_get(&collected.device.context), "Sa 2.5");
    collected_free(&collected);
}

END_TEST

START_TEST(rate_between_milliseconds_is_told)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 60.0};
    collected_init(&collected, DRIVER, &settings);
    command_expect(&collected, 0, QUESTIONS);
    feed(&collected, START_UP);
    command_expect(&collected, 1, "F07A 1100 F7");
    unsigned count = 0;
    ck_assert_str_eq(notice(&collected, &count),
                     "asked for 60 Hz, the board can do 58.82 Hz");
    ck_assert_uint_eq(count, 1);
    feed(&collected, "E00102 E10102 E20102 E30102 E40102 E50102"
                     "E00102 E10102 E20102 E30102 E40102 E50102");
    ck_assert_uint_ge(collected.count, 1);
    ck_assert_double_eq(collected.device.rate_hz, 1000.0 / 17.0);
    /* Ended before the channels were switched on: its interval is put back all the same. */
    uint8_t bytes[DRIVER_COMMAND_MAX];
    const struct driver *driver = collected.device.driver;
    ck_assert_uint_gt(driver->command_stop(&collected.device.context, bytes), 0);
    ck_assert_uint_eq(driver->command_stop(&collected.device.context, bytes), 0);
    collected_free(&collected);
}

END_TEST

/* ---- the driver against the device model ---- */

/* A board on a line in memory: loses the first answers, samples by its own clock. */
struct line {
    struct collected collected;
    struct device_model model;
    double time_s;
    unsigned lost_count; /* answers still to lose */
};

static void line_tell(struct line *line, const uint8_t *bytes, size_t size)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = line->model.type->hear(&line->model, (uint64_t)(line->time_s * 1e6),
                                               bytes, size, reply);
    if (reply_size > 0 && line->lost_count > 0) {
        line->lost_count--;
        return;
    }
    collected_feed(&line->collected, reply, reply_size, 5);
}

static void line_open(struct line *line, const struct driver_settings *settings,
                      uint32_t serial)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    memset(line, 0, sizeof *line);
    collected_init(&line->collected, DRIVER, settings);
    line->model.type = device_model_find(DRIVER);
    line->model.type->init(&line->model, 0.0, serial);
    size_t size = line->model.type->open(&line->model, 0, bytes);
    collected_feed(&line->collected, bytes, size, 3);
}

static void line_run(struct line *line, double until_s)
{
    const struct device_model_type *type = line->model.type;
    while (line->time_s < until_s) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        struct device_reading reading;
        uint64_t time_us = (uint64_t)llround(line->time_s * 1e6);
        rig_device_reading(time_us, &reading);
        size_t size = type->sample(&line->model, time_us, &reading, bytes);
        collected_feed(&line->collected, bytes, size, 0);
        size = line->collected.device.driver->command_next(
            &line->collected.device.context, (int64_t)(line->time_s * 1e9), bytes);
        line_tell(line, bytes, size);
        line->time_s += type->period_s(&line->model);
    }
}

static const struct {
    uint32_t serial;
    const char *channel;
    unsigned channel_count;
    unsigned lost_count;
} BOARDS[] = {
    {1, NULL, 6, 0},
    {1, "A3", 6, 3},
    {0x70000000, "A15", 16, 0},
    {0x70000000, "A15", 16, 5},
};

START_TEST(board_is_set_up_and_left_as_it_starts)
{
    struct line line;
    const struct driver_settings settings = {.rate_hz = 50.0,
                                             .channel = BOARDS[_i].channel};
    line_open(&line, &settings, BOARDS[_i].serial);
    line.lost_count = BOARDS[_i].lost_count;
    line_run(&line, 4.0);
    ck_assert_double_eq_tol(line.model.type->period_s(&line.model), 0.02, 1e-12);
    ck_assert_str_eq(
        line.collected.device.driver->identity_get(&line.collected.device.context),
        "StandardFirmata.ino 2.5");
    size_t before = line.collected.count;
    line_run(&line, 14.0);
    /* The last step may end behind the time. */
    ck_assert_double_eq_tol((double)(line.collected.count - before), 500.0, 1.5);
    ck_assert_uint_eq(line.collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(line.collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(line.collected.device.counters.skipped_size, 0);
    const struct sample *sample = &line.collected.samples[line.collected.count - 1];
    ck_assert_uint_eq(sample->channel_count, BOARDS[_i].channel_count);
    struct device_reading reading;
    rig_device_reading((uint64_t)llround((line.time_s - 0.02) * 1e6), &reading);
    for (unsigned i = 0; i < BOARDS[_i].channel_count; i++) {
        /* Half a count. */
        ck_assert_double_eq_tol((double)sample->values[i],
                                1023.0 * reading.analog_share[i % 8], 0.501);
    }
    uint8_t bytes[DRIVER_COMMAND_MAX];
    const struct driver *driver = line.collected.device.driver;
    size_t size = driver->command_stop(&line.collected.device.context, bytes);
    line_tell(&line, bytes, size);
    ck_assert_uint_eq(driver->command_stop(&line.collected.device.context, bytes), 0);
    ck_assert_uint_eq(line.model.type->sample(&line.model, 0, &reading, bytes), 0);
    const uint8_t on[] = {0xC0, 1};
    line_tell(&line, on, sizeof on);
    ck_assert_double_eq_tol(line.model.type->period_s(&line.model), 0.019, 1e-12);
    collected_free(&line.collected);
}

END_TEST

/* ---- streams ---- */

/* Stale reports, start-up, then scans of three channels. */
static size_t stream_make(uint8_t *bytes, size_t capacity, unsigned scan_count)
{
    static const char stale[] = "42 02 E0 41 02 E0 40 02 41 02 E0 42 02";
    size_t size = hex_decode(stale, bytes, capacity);
    size += hex_decode(START_UP, bytes + size, capacity - size);
    for (unsigned scan = 0; scan < scan_count; scan++) {
        for (unsigned channel = 0; channel < 3; channel++) {
            unsigned value = (scan * 7 + channel * 100) % 1000;
            ck_assert_uint_lt(size + 3, capacity);
            bytes[size++] = (uint8_t)(0xE0 | channel);
            bytes[size++] = (uint8_t)(value & 0x7F);
            bytes[size++] = (uint8_t)(value >> 7);
        }
    }
    return size;
}

START_TEST(stream_survives_every_chunking)
{
    static uint8_t bytes[4096];
    size_t size = stream_make(bytes, sizeof bytes, 200);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    /* Fewer channels than the map has: the first seven scans are only looked at. */
    ck_assert_uint_eq(collected_count(&collected, SCAN), 193);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 4);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
}

END_TEST

START_TEST(damage_is_survived)
{
    static uint8_t bytes[4096];
    size_t size = stream_make(bytes, sizeof bytes, 200);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 500);
}

END_TEST

START_TEST(endless_sysex_is_given_up)
{
    static uint8_t bytes[3 * 4096] = {0xF0};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, sizeof bytes, 64);
    feed(&collected, "E0 41 02");
    ck_assert_uint_eq(collected.device.counters.skipped_size, sizeof bytes);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(recording_of_a_real_board)
{
    size_t size = 0;
    uint8_t *bytes = shared_read("captures/firmata_stale_stream_then_handshake.bin", &size);
    if (!bytes) {
        return;
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    /* 79 analog messages, 78 of them left over from an earlier session; version, firmware,
     * capabilities, map; two stray pairs of data bytes. */
    ck_assert_uint_eq(collected.count, 79);
    ck_assert_uint_eq(collected_count(&collected, EARLY), 79);
    ck_assert_uint_eq(collected.device.counters.frame_count, 79 + 4);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 4);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    for (size_t index = 0; index + 1 < collected.count; index++) {
        check_float_eq(collected.samples[index].values[0], 0.0F);
        ck_assert_int_ge((int)collected.samples[index].values[1], 319);
        ck_assert_int_le((int)collected.samples[index].values[1], 324);
    }
    check_float_eq(collected.samples[78].values[1], 511.0F);
    unsigned count = 0;
    check_float_eq(device_streams(&collected.device, &count)[SCAN].full_scale[0], 1023.0F);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
    free(bytes);
    collected_free(&collected);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("arduino_firmata");
    TCase *messages = tcase_create("messages");
    tcase_add_loop_test(messages, analog_message_value, 0, 4);
    tcase_add_test(messages, nothing_is_measured_before_the_version);
    tcase_add_test(messages, scan_is_given_when_it_is_whole);
    tcase_add_test(messages, scan_with_a_lost_report_is_lost_and_counted);
    tcase_add_test(messages, channels_may_be_switched_on_and_off);
    tcase_add_loop_test(messages, stray_and_abandoned_bytes_are_counted, 0, 8);
    tcase_add_test(messages, resolution_comes_from_the_board);
    tcase_add_test(messages, resolution_is_that_of_each_pin);
    tcase_add_test(messages, channels_above_15_come_in_the_long_form);
    tcase_add_test(messages, sketch_says_who_it_is);
    tcase_add_test(messages, text_of_the_board_is_kept);
    tcase_add_loop_test(messages, channel_setting, 0, 11);
    suite_add_tcase(suite, messages);
    TCase *commands = tcase_create("commands");
    tcase_add_test(commands, handshake_starts_reporting);
    tcase_add_test(commands, mute_board_is_asked_for_five_seconds);
    tcase_add_test(commands, handshake_begins_again_after_an_unplug);
    tcase_add_test(commands, channels_switched_on_one_by_one_are_no_loss);
    tcase_add_test(commands, rate_between_milliseconds_is_told);
    tcase_add_loop_test(commands, board_is_set_up_and_left_as_it_starts, 0,
                        sizeof BOARDS / sizeof BOARDS[0]);
    suite_add_tcase(suite, commands);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 60);
    tcase_add_test(streams, stream_survives_every_chunking);
    tcase_add_test(streams, damage_is_survived);
    tcase_add_test(streams, endless_sysex_is_given_up);
    tcase_add_test(streams, recording_of_a_real_board);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

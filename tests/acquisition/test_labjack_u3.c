#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "labjack-u3";
static const int64_t MS = 1000000;

enum {
    SCAN = 0,
    BACKLOG = 1,
    EARLY = 2,
    SINGLE = 3,
    SERIAL_LV = 320000123,
    SERIAL_HV = 330000123,
    SERIAL_SLOW = 320009000
};

/* Volts: float has 24 bits, the largest is 20 V. */
static const double VOLT_TOLERANCE = 2e-6;

static void feed(struct collected *collected, const char *hex)
{
    collected_feed_hex(collected, hex);
}

/* ---- packets made by hand ---- */

static uint8_t fold_twice(unsigned sum)
{
    sum = (sum & 0xFF) + sum / 256;
    return (uint8_t)((sum & 0xFF) + sum / 256);
}

static void packet_seal(uint8_t *packet, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 6; index < size; index++) {
        sum += packet[index];
    }
    packet[4] = (uint8_t)sum;
    packet[5] = (uint8_t)(sum >> 8);
    sum = 0;
    for (size_t index = 1; index < 6; index++) {
        sum += packet[index];
    }
    packet[0] = fold_twice(sum);
}

struct packet_text {
    unsigned counter;
    unsigned error;
    unsigned lost;
    unsigned count;
    uint16_t counts[25];
};

static size_t packet_make(const struct packet_text *text, uint8_t *packet)
{
    size_t size = 14 + 2 * (size_t)text->count;
    memset(packet, 0, size);
    packet[1] = 0xF9;
    packet[2] = (uint8_t)(4 + text->count);
    packet[3] = 0xC0;
    packet[6] = (uint8_t)text->lost;
    packet[7] = (uint8_t)(text->lost >> 8);
    packet[10] = (uint8_t)text->counter;
    packet[11] = (uint8_t)text->error;
    for (unsigned index = 0; index < text->count; index++) {
        packet[12 + 2 * index] = (uint8_t)text->counts[index];
        packet[13 + 2 * index] = (uint8_t)(text->counts[index] >> 8);
    }
    packet_seal(packet, size);
    return size;
}

static void packet_feed(struct collected *collected, const struct packet_text *text)
{
    uint8_t packet[64];
    collected_feed(collected, packet, packet_make(text, packet), 0);
}

/* What command_next sends for inputs 0 .. count-1, 8 or 25 samples a packet. */
static void plan_feed(struct collected *collected, unsigned input_count,
                      unsigned packet_samples)
{
    uint8_t command[64] = {0, 0xF8, (uint8_t)(3 + input_count), 0x11};
    command[6] = (uint8_t)input_count;
    command[7] = (uint8_t)packet_samples;
    command[10] = 0x40; /* 4 MHz / 40000 = 100 Hz */
    command[11] = 0x9C;
    for (unsigned input = 0; input < input_count; input++) {
        command[12 + 2 * input] = (uint8_t)input;
        command[13 + 2 * input] = 31;
    }
    packet_seal(command, 12 + 2 * (size_t)input_count);
    collected_feed(collected, command, 12 + 2 * (size_t)input_count, 0);
    feed(collected, "0AF801110000 0000");
}

static const char STARTED[] = "A9A90000";

static const struct sample *scan_at(const struct collected *collected, size_t wanted)
{
    for (size_t index = 0; index < collected->count; index++) {
        if (collected->samples[index].stream == SCAN && wanted-- == 0) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("too few scans");
    return NULL;
}

/* ---- the published vectors ---- */

START_TEST(published_frames_are_found)
{
    /* LabJackPython's documentation; the last one sealed by its own checksums. */
    static const char *const frames[] = {
        "47f8030b4000000040000000",
        "56f8030b4f00000040000f00",
        "93f8030b8c000d0040003f00",
        "86f8030b7f00000040003f00",
        "1bf8020020000001001f",
        "abf80300af00000000208f00",
        "05f802000a0000090100",
        "faf80200000000000000",
        "14f801001a00001a",
        "ebf80300ee01000000e0ff0f",
        "26f803002a00002a00000000",
        "fcf80400fe0100000063dd4c7200",
        "46F805113601021800 01409C 001F 011F",
        "BDF906C0FC000000000007 00 208F34120000",
        "A8A8",
        "A9A90000",
        "B0B0",
        "B1B10000",
        "B8B8",
        "0BF80A080000 0000000000000000000000000000000000000000",
        "27F8012D00000000",
        "2BF8012D04000004",
        "54F8030B4C010D004000FF00",
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (size_t index = 0; index < sizeof frames / sizeof frames[0]; index++) {
        feed(&collected, frames[index]);
        ck_assert_uint_eq(collected.device.counters.frame_count, index + 1);
    }
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(single_reading_in_a_capture)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "1bf8020020000001001f abf80300af00000000208f00");
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.samples[0].stream, SINGLE);
    ck_assert_uint_eq(collected.samples[0].flags, SAMPLE_UNCALIBRATED);
    check_float_eq(collected.samples[0].values[0], 36640.0F);
    /* 36640 x 3.7231e-5 V, nominal. */
    ck_assert_double_eq_tol((double)collected.samples[0].values[1], 1.36414, 1e-5);
    /* Which input a reply alone is about cannot be known. */
    feed(&collected, "abf80300af00000000208f00");
    ck_assert(isnan(collected.samples[1].values[1]));
    /* Port states are no readings. */
    feed(&collected, "ebf80300ee01000000e0ff0f");
    ck_assert_uint_eq(collected.count, 2);
    collected_free(&collected);
}

END_TEST

/* All captured transactions, both directions in their order.
 * @return Count of lines. */
static unsigned transactions_read(const char *text, size_t text_size, uint8_t *bytes,
                                  size_t *size)
{
    unsigned count = 0;
    *size = 0;
    for (const char *line = text; line < text + text_size;) {
        const char *end = memchr(line, '\n', (size_t)(text + text_size - line));
        ck_assert_ptr_nonnull(end);
        char hex[200] = {0};
        ck_assert_uint_lt((size_t)(end - line), sizeof hex);
        memcpy(hex, line, (size_t)(end - line));
        if (hex[0] == 't' || hex[0] == 'r') {
            *size += hex_decode(hex + 3, bytes + *size, 4096 - *size);
            count++;
        }
        line = end + 1;
    }
    return count;
}

START_TEST(captured_transactions_verify)
{
    size_t text_size = 0;
    uint8_t *text = shared_read("captures/labjack_u3_transactions.hex.txt", &text_size);
    if (!text) {
        return;
    }
    uint8_t bytes[4096];
    size_t size = 0;
    ck_assert_uint_eq(transactions_read((const char *)text, text_size, bytes, &size), 118);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 118);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.count, 1);
    check_chunk_invariance(DRIVER, NULL, bytes, size, size);
    free(text);
    collected_free(&collected);
}

END_TEST

/* ---- the stream ---- */

START_TEST(vector_of_a_stream_packet)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "BDF906C0FC00 00000000 07 00 208F3412 0000");
    /* Two samples cannot hold a scan of the four that Limber asks for: a scan of two. The
     * packets 0 to 6 are missing. */
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    const struct sample *sample = scan_at(&collected, 0);
    ck_assert_uint_eq(sample->device_ticks, 7);
    ck_assert_uint_eq(sample->flags, SAMPLE_UNCALIBRATED);
    ck_assert_double_eq_tol((double)sample->values[0], 0x8F20 * 3.7231e-5, VOLT_TOLERANCE);
    ck_assert_double_eq_tol((double)sample->values[1], 0x1234 * 3.7231e-5, VOLT_TOLERANCE);
    ck_assert(isnan(sample->values[2]));
    collected_free(&collected);
}

END_TEST

START_TEST(inputs_run_on_over_packets)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    plan_feed(&collected, 3, 4); /* four samples a packet, three inputs */
    feed(&collected, STARTED);
    for (unsigned packet = 0; packet < 300; packet++) {
        struct packet_text text = {.counter = packet & 0xFF, .count = 4};
        for (unsigned place = 0; place < 4; place++) {
            unsigned position = 4 * packet + place;
            text.counts[place] = (uint16_t)(16 * (position / 3 % 1000) + position % 3 + 1);
        }
        packet_feed(&collected, &text);
    }
    ck_assert_uint_eq(collected_count(&collected, SCAN), 400);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    for (unsigned scan = 0; scan < 400; scan++) {
        const struct sample *sample = scan_at(&collected, scan);
        ck_assert_uint_eq(sample->device_ticks, scan);
        for (unsigned input = 0; input < 3; input++) {
            double count = 16.0 * (scan % 1000) + input + 1;
            ck_assert_double_eq_tol((double)sample->values[input], count * 3.7231e-5,
                                    VOLT_TOLERANCE);
        }
    }
    collected_free(&collected);
}

END_TEST

START_TEST(lost_packets_are_a_gap_of_exact_length)
{
    /* A gap over the end of the counter; the scan that is cut by it is not given. */
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    plan_feed(&collected, 3, 4);
    feed(&collected, STARTED);
    for (unsigned packet = 0; packet < 512; packet++) {
        struct packet_text text = {.counter = packet & 0xFF, .count = 4};
        for (unsigned place = 0; place < 4; place++) {
            text.counts[place] = (uint16_t)(100 * ((4 * packet + place) % 3) + 100);
        }
        if (packet < 251 || packet >= 260) {
            packet_feed(&collected, &text);
        }
    }
    /* Samples 1004 to 1039 are missing: scans 334 (2 of 3 there) to 346 (1 of 3). */
    size_t before = 334;
    const struct sample *sample = scan_at(&collected, before);
    ck_assert_uint_eq(scan_at(&collected, before - 1)->device_ticks, 333);
    ck_assert_uint_eq(sample->device_ticks, 347);
    ck_assert(sample->flags & SAMPLE_GAP_BEFORE);
    ck_assert_double_eq_tol((double)sample->values[0], 100 * 3.7231e-5, VOLT_TOLERANCE);
    ck_assert_uint_eq(collected.device.counters.lost_count, 13);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    collected_free(&collected);
}

END_TEST

/* Scans of two inputs, four samples a packet: 0 and 1 are there, 59 is told, 60 reports. */
static void overflow_feed(struct collected *collected, const struct packet_text *report)
{
    plan_feed(collected, 2, 4);
    feed(collected, STARTED);
    packet_feed(collected, &(struct packet_text){.count = 4, .counts = {16, 32, 48, 64}});
    packet_feed(collected,
                &(struct packet_text){
                    .counter = 1, .error = 59, .count = 4, .counts = {80, 96, 112, 128}});
    packet_feed(collected, report);
}

START_TEST(dropped_scans_are_a_gap_of_exact_length)
{
    static const struct {
        struct packet_text report;
        unsigned ticks[2]; /* of the scans of the report, 0 = none */
    } cases[] = {
        /* The dummy scan at the beginning, at the end, and none. */
        {{2, 60, 1000, 4, {0xFFFF, 0xFFFF, 160, 176}}, {1004, 0}},
        {{2, 60, 1000, 4, {144, 160, 0xFFFF, 0xFFFF}}, {4, 0}},
        {{2, 60, 1000, 4, {144, 160, 176, 192}}, {1004, 1005}},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    overflow_feed(&collected, &cases[_i].report);
    packet_feed(&collected, &(struct packet_text){.counter = 3, .count = 4});
    ck_assert_uint_eq(scan_at(&collected, 3)->device_ticks, 3);
    ck_assert_uint_eq(scan_at(&collected, 4)->device_ticks, cases[_i].ticks[0]);
    ck_assert_uint_eq(collected.device.counters.lost_count, 1000);
    ck_assert_uint_eq(collected.device.counters.gap_count, 1);
    size_t next = cases[_i].ticks[1] ? 6 : 5;
    ck_assert_uint_eq(scan_at(&collected, next)->device_ticks,
                      cases[_i].ticks[1] ? 1006 : 1005);
    unsigned count = 0;
    const char *notice =
        collected.device.driver->notice_get(&collected.device.context, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_ptr_nonnull(strstr(notice, "scans are lost"));
    collected_free(&collected);
}

END_TEST

START_TEST(dummy_scan_may_reach_into_the_next_packet)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    plan_feed(&collected, 2, 3);
    feed(&collected, STARTED);
    packet_feed(&collected,
                &(struct packet_text){
                    .error = 60, .lost = 10, .count = 3, .counts = {16, 32, 0xFFFF}});
    packet_feed(&collected, &(struct packet_text){
                                .counter = 1, .count = 3, .counts = {0xFFFF, 48, 64}});
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    ck_assert_uint_eq(scan_at(&collected, 0)->device_ticks, 0);
    ck_assert_uint_eq(scan_at(&collected, 1)->device_ticks, 11);
    ck_assert_uint_eq(collected.device.counters.lost_count, 10);
    collected_free(&collected);
}

END_TEST

START_TEST(rails_are_clipped)
{
    static const struct {
        uint16_t count;
        bool is_clipped;
    } cases[] = {{0, true}, {1, false}, {65519, false}, {65520, true}, {65535, true}};
    struct collected collected;
    const struct driver_settings settings = {.channel = "A1"};
    collected_init(&collected, DRIVER, &settings);
    feed(&collected, STARTED);
    /* The sensor is at A1; what stands at A0 is of no interest. */
    packet_feed(&collected,
                &(struct packet_text){.count = 4, .counts = {0, cases[_i].count, 0, 0}});
    ck_assert_int_eq((scan_at(&collected, 0)->flags & SAMPLE_CLIPPED) != 0,
                     cases[_i].is_clipped);
    collected_free(&collected);
}

END_TEST

START_TEST(status_of_the_stream)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, STARTED);
    uint8_t packet[64];
    size_t size = packet_make(&(struct packet_text){.count = 4}, packet);
    packet[size - 2] = 64;
    packet_seal(packet, size);
    collected_feed(&collected, packet, size, 0);
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.samples[1].stream, BACKLOG);
    check_float_eq(collected.samples[1].values[0], 25.0F);
    /* A stream that failed is told, gives nothing, and is missed in what follows. */
    packet_feed(&collected, &(struct packet_text){.counter = 1, .error = 54, .count = 4});
    ck_assert_uint_eq(collected.count, 2);
    unsigned count = 0;
    ck_assert_ptr_nonnull(
        strstr(collected.device.driver->notice_get(&collected.device.context, &count),
               "error 54"));
    packet_feed(&collected, &(struct packet_text){.counter = 2, .count = 4});
    ck_assert_uint_eq(collected.device.counters.lost_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(packets_of_an_earlier_run_are_not_measured)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    struct packet_text text = {.counter = 200, .count = 4, .counts = {16, 16, 16, 16}};
    packet_feed(&collected, &text); /* before anything was said */
    feed(&collected, "B1B10000");
    text.counter = 3;
    packet_feed(&collected, &text); /* stopped: still none of this run */
    feed(&collected, STARTED);
    text.counter = 201;
    packet_feed(&collected, &text); /* under way when the new run began */
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    ck_assert_uint_eq(collected_count(&collected, EARLY), 12);
    text.counter = 0;
    packet_feed(&collected, &text);
    text.counter = 1;
    packet_feed(&collected, &text);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    ck_assert_uint_eq(scan_at(&collected, 1)->device_ticks, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(replies_inside_damaged_packets_end_nothing)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, STARTED);
    for (unsigned packet = 0; packet < 40; packet++) {
        struct packet_text text = {.counter = packet, .count = 4};
        uint8_t bytes[64];
        text.counts[0] = packet % 2 ? 0xA9A9 : 0xB1B1;
        size_t size = packet_make(&text, bytes);
        bytes[0] ^= packet % 4 == 2 || packet % 4 == 3; /* damaged, with a false reply */
        collected_feed(&collected, bytes, size, 0);
    }
    ck_assert_uint_eq(collected_count(&collected, SCAN), 20);
    ck_assert_uint_eq(collected_count(&collected, EARLY), 0);
    ck_assert_uint_eq(collected.device.counters.restart_count, 0);
    /* Packets 2, 3, 6, 7, ... 38, 39; the last two have no packet after them. */
    ck_assert_uint_eq(collected.device.counters.lost_count, 18);
    collected_free(&collected);
}

END_TEST

START_TEST(frame_after_half_a_reply_is_found)
{
    /* Half of "B8 B8" is lost; the packet after it happens to begin with B8. */
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, STARTED);
    struct packet_text text = {.count = 4};
    uint8_t packet[64];
    do {
        text.counts[3]++;
        packet_make(&text, packet);
        ck_assert_uint_lt(text.counts[3], 65535);
    } while (packet[0] != 0xB8);
    feed(&collected, "B8");
    packet_feed(&collected, &text);
    text.counter = 1;
    packet_feed(&collected, &text);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(supply_makes_a_ratio)
{
    static const struct {
        double excitation_v;
        const char *name;
        double value;
    } cases[] = {{0.0, "analog_0_ratio", 0.25}, {2.0, "analog_0_v", 0.59570}};
    const struct driver_settings settings = {.channel = "A0/A3",
                                             .excitation_v = cases[_i].excitation_v};
    struct collected collected;
    collected_init(&collected, DRIVER, &settings);
    feed(&collected, STARTED);
    packet_feed(&collected,
                &(struct packet_text){.count = 4, .counts = {16000, 1, 2, 64000}});
    unsigned count = 0;
    ck_assert_str_eq(device_streams(&collected.device, &count)[SCAN].channels[0],
                     cases[_i].name);
    ck_assert_double_eq_tol((double)scan_at(&collected, 0)->values[0], cases[_i].value,
                            1e-5); /* as written above */
    ck_assert_int_eq((scan_at(&collected, 0)->flags & SAMPLE_DERIVED) != 0, _i == 0);
    /* No supply, no ratio. */
    packet_feed(&collected, &(struct packet_text){
                                .counter = 1, .count = 4, .counts = {16000, 1, 2, 100}});
    ck_assert_int_eq(isnan(scan_at(&collected, 1)->values[0]) != 0, _i == 0);
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
        {NULL, STATUS_OK, 4},
        {"", STATUS_OK, 4},
        {"A0", STATUS_OK, 4},
        {"A7", STATUS_OK, 8},
        {"5", STATUS_OK, 6},
        {"A0/A5", STATUS_OK, 6},
        {"A8", STATUS_BAD_INPUT, 0},
        {"A0/A8", STATUS_BAD_INPUT, 0},
        {"A1/A1", STATUS_BAD_INPUT, 0},
        {"A1/", STATUS_BAD_INPUT, 0},
        {"B1", STATUS_BAD_INPUT, 0},
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

/* ---- with the model of the device ---- */

/* Driver and model, and the bytes that went to the host. */
struct session {
    struct collected collected;
    struct device_model *model;
    int64_t now_ns;
    double next_s; /* of the model's next scan */
    uint8_t *wire;
    size_t wire_size;
    size_t wire_capacity;
};

static void session_open(struct session *session, struct device_model *model,
                         const struct driver_settings *settings)
{
    memset(session, 0, sizeof *session);
    collected_init(&session->collected, DRIVER, settings);
    session->model = model;
    session->wire_capacity = (size_t)1 << 22;
    session->wire = malloc(session->wire_capacity);
    ck_assert_ptr_nonnull(session->wire);
}

static void session_close(struct session *session)
{
    free(session->wire);
    collected_free(&session->collected);
}

static void session_hear(struct session *session, const uint8_t *bytes, size_t size)
{
    ck_assert_uint_le(session->wire_size + size, session->wire_capacity);
    memcpy(session->wire + session->wire_size, bytes, size);
    session->wire_size += size;
    collected_feed(&session->collected, bytes, size, 0);
}

static void session_say(struct session *session, const uint8_t *bytes, size_t size)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = session->model->type->hear(
        session->model, (uint64_t)session->now_ns / 1000, bytes, size, reply);
    session_hear(session, reply, reply_size);
}

/* What stands at the inputs, as shares of full scale. */
static double share_at(unsigned input, double time_s)
{
    return 0.5 + 0.4 * sin(time_s + input);
}

static void session_scan(struct session *session)
{
    struct device_reading reading = {0};
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    for (unsigned input = 0; input < DEVICE_MODEL_ANALOG_COUNT; input++) {
        reading.analog_share[input] = share_at(input, session->next_s);
    }
    size_t size = session->model->type->sample(
        session->model, (uint64_t)(session->next_s * 1e6), &reading, bytes);
    session_hear(session, bytes, size);
    session->next_s += session->model->type->period_s(session->model);
}

/* Let time pass in steps of 1 ms; commands go as they come. */
static void session_run(struct session *session, int64_t duration_ns)
{
    const struct driver *driver = session->collected.device.driver;
    for (int64_t end_ns = session->now_ns + duration_ns; session->now_ns < end_ns;
         session->now_ns += MS) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        size_t size = driver->command_next(&session->collected.device.context,
                                           session->now_ns, bytes);
        if (size > 0) {
            session_say(session, bytes, size);
        }
        while (session->next_s * 1e9 <= (double)session->now_ns) {
            session_scan(session);
        }
    }
}

static void model_init(struct device_model *model, uint32_t serial)
{
    model->type = device_model_find(DRIVER);
    ck_assert_ptr_nonnull(model->type);
    model->type->init(model, 0.0, serial);
}

static const char *notice_of(const struct session *session)
{
    unsigned count = 0;
    return session->collected.device.driver->notice_get(&session->collected.device.context,
                                                        &count);
}

START_TEST(session_with_the_model)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = 200.0};
    model_init(&model, SERIAL_LV);
    session_open(&session, &model, &settings);
    const struct driver *driver = session.collected.device.driver;
    const struct driver_context *context = &session.collected.device.context;
    session_run(&session, 5000 * MS);
    ck_assert_str_eq(driver->identity_get(context),
                     "LabJack U3-LV 320000123, firmware 1.46");
    ck_assert_double_eq(driver_rate_hz(driver, context), 200.0);
    ck_assert_double_eq(driver_tick_s(driver, context), 1.0 / 200.0);
    ck_assert_str_eq(notice_of(&session), "");
    const struct device_counters *counters = &session.collected.device.counters;
    ck_assert_uint_eq(counters->skipped_size, 0);
    ck_assert_uint_eq(counters->lost_count, 0);
    /* 0.1 s of draining and a few steps for the dialogue. */
    size_t count = collected_count(&session.collected, SCAN);
    ck_assert_uint_ge(count, 960);
    ck_assert_uint_le(count, 980);
    const struct sample *sample = scan_at(&session.collected, 500);
    ck_assert_uint_eq(sample->flags, 0);
    ck_assert_uint_eq(sample->device_ticks, 500);
    session_close(&session);
}

END_TEST

/* The unit's own constants, as the model has them: slope and offset of each input. */
static const double LOW[2] = {3.7305e-5, 0.0004};
static const double HIGH[4][2] = {
    {3.1432e-4, -10.312}, {3.1387e-4, -10.287}, {3.1401e-4, -10.301}, {3.1415e-4, -10.295}};

START_TEST(own_constants_are_used)
{
    bool is_hv = _i == 1;
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.channel = "A4"};
    model_init(&model, is_hv ? SERIAL_HV : SERIAL_LV);
    session_open(&session, &model, &settings);
    session_run(&session, 1000 * MS);
    unsigned stream_count = 0;
    const struct stream_info *streams =
        device_streams(&session.collected.device, &stream_count);
    ck_assert_double_eq_tol((double)streams[SCAN].full_scale[0], is_hv ? 10.3 : 2.44, 1e-6);
    ck_assert_double_eq_tol((double)streams[SCAN].full_scale[4], 2.44, 1e-6);
    /* The counts are read from the wire behind the driver's back: the last packet. */
    const uint8_t *packet = session.wire + session.wire_size - (14 + 2 * 10);
    ck_assert_uint_eq(packet[1], 0xF9);
    size_t count = collected_count(&session.collected, SCAN);
    const struct sample *sample = scan_at(&session.collected, count - 1);
    ck_assert_uint_eq(sample->flags, 0);
    /* Constants are rounded to 2^-32: half of that times 65535, and the float's rounding.
     */
    for (unsigned input = 0; input < 5; input++) {
        const double *constants = is_hv && input < 4 ? HIGH[input] : LOW;
        const uint8_t *place = packet + 12 + 2 * (size_t)(5 + input);
        double value_v = constants[0] * (place[0] | place[1] << 8) + constants[1];
        ck_assert_double_eq_tol((double)sample->values[input], value_v, 1e-5);
    }
    session_close(&session);
}

END_TEST

START_TEST(empty_calibration_memory_is_told)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    uint8_t reply[40] = {0, 0xF8, 0x11, 0x2D};
    memset(reply + 8, 0xFF, 32);
    packet_seal(reply, sizeof reply);
    for (unsigned block = 0; block < 5; block++) {
        collected_feed(&collected, reply, sizeof reply, 0);
    }
    feed(&collected, STARTED);
    packet_feed(&collected, &(struct packet_text){.count = 4, .counts = {1000, 0, 0, 0}});
    ck_assert(scan_at(&collected, 0)->flags & SAMPLE_UNCALIBRATED);
    ck_assert_double_eq_tol((double)scan_at(&collected, 0)->values[0], 0.037231,
                            VOLT_TOLERANCE);
    collected_free(&collected);
}

END_TEST

START_TEST(io_is_left_as_found)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.channel = "A6"};
    model_init(&model, SERIAL_LV);
    session_open(&session, &model, &settings);
    session_run(&session, 1000 * MS);
    ck_assert_uint_gt(collected_count(&session.collected, SCAN), 50);
    /* FIO4 .. 6 became analog. */
    ck_assert_double_gt((double)scan_at(&session.collected, 10)->values[6], 0.1);
    const struct driver *driver = session.collected.device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    static const char *const expected[] = {"B0B0", "5AF8030B53000400 40000F00", ""};
    for (unsigned index = 0; index < 3; index++) {
        uint8_t wanted[16];
        size_t wanted_size = hex_decode(expected[index], wanted, sizeof wanted);
        size_t size = driver->command_stop(&session.collected.device.context, bytes);
        ck_assert_uint_eq(size, wanted_size);
        ck_assert_mem_eq(bytes, wanted, size);
        session_say(&session, bytes, size);
    }
    size_t count = session.collected.count;
    session_scan(&session);
    ck_assert_uint_eq(session.collected.count, count);
    session_close(&session);
}

END_TEST

/* Let 1 s pass; of what sets the lines every answer gets lost. */
static void session_run_unanswered(struct session *session)
{
    const struct driver *driver = session->collected.device.driver;
    for (unsigned step = 0; step < 1000; step++, session->now_ns += MS) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        size_t size = driver->command_next(&session->collected.device.context,
                                           session->now_ns, bytes);
        if (size == 12 && bytes[3] == 0x0B && bytes[6] != 0) {
            uint8_t reply[DEVICE_MODEL_OUT_MAX];
            session->model->type->hear(session->model, 0, bytes, size, reply);
        } else if (size > 0) {
            session_say(session, bytes, size);
        }
    }
}

START_TEST(io_is_left_as_found_without_an_answer)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.channel = "A6"};
    model_init(&model, SERIAL_LV);
    session_open(&session, &model, &settings);
    session_run_unanswered(&session);
    const struct driver *driver = session.collected.device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    uint8_t wanted[16];
    size_t wanted_size = hex_decode("5AF8030B53000400 40000F00", wanted, sizeof wanted);
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), 2);
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes),
                      wanted_size);
    ck_assert_mem_eq(bytes, wanted, wanted_size);
    session_close(&session);
}

END_TEST

/* After a replugging another unit is there: what was found in the first is not its. */
START_TEST(other_unit_keeps_its_own_lines)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.channel = "A6"};
    model_init(&model, SERIAL_LV);
    session_open(&session, &model, &settings);
    session_run(&session, 1000 * MS);
    struct device_model other;
    model_init(&other, SERIAL_LV + 1);
    static const char lines[] = "5DF8030B56000400 40001200"; /* FIO1 and FIO4 analog */
    uint8_t command[16];
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t size = hex_decode(lines, command, sizeof command);
    ck_assert_uint_gt(other.type->hear(&other, 0, command, size, reply), 2);
    session.model = &other;
    device_interrupt(&session.collected.device);
    session_run(&session, 1000 * MS);
    const struct driver *driver = session.collected.device.driver;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), 2);
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), size);
    ck_assert_mem_eq(bytes, command, size);
    session_close(&session);
}

END_TEST

START_TEST(stream_of_a_crashed_session_is_stopped)
{
    struct device_model model;
    struct session crashed;
    struct session session;
    model_init(&model, SERIAL_LV);
    session_open(&crashed, &model, NULL);
    session_run(&crashed, 3000 * MS); /* and is not told to stop */
    ck_assert_uint_gt(collected_count(&crashed.collected, SCAN), 100);
    session_open(&session, &model, NULL);
    session.next_s = 0.0;
    for (unsigned scan = 0; scan < 20; scan++) {
        session_scan(&session); /* what waits in the host's transfers */
    }
    session_run(&session, 2000 * MS);
    ck_assert_uint_eq(collected_count(&session.collected, EARLY), 20 * 4);
    ck_assert_uint_gt(collected_count(&session.collected, SCAN), 150);
    ck_assert_uint_eq(scan_at(&session.collected, 0)->device_ticks, 0);
    ck_assert_uint_eq(session.collected.device.counters.lost_count, 0);
    ck_assert_uint_eq(session.collected.device.counters.restart_count, 0);
    session_close(&session);
    session_close(&crashed);
}

END_TEST

START_TEST(full_buffer_of_the_model)
{
    /* Its host falls behind at scan 1000; what is lost is counted to the scan and the
     * readings after it stand at their time. */
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = 500.0};
    model_init(&model, SERIAL_SLOW);
    session_open(&session, &model, &settings);
    session_run(&session, 3500 * MS);
    const struct device_counters *counters = &session.collected.device.counters;
    ck_assert_uint_eq(counters->gap_count, 1);
    ck_assert_uint_ge(counters->lost_count, 37);
    size_t count = collected_count(&session.collected, SCAN);
    const struct sample *last = scan_at(&session.collected, count - 1);
    ck_assert_uint_eq(last->device_ticks + 1, count + counters->lost_count);
    /* Scan 0 was taken at the time at which the first one was heard: the wave before and
     * after the gap fits the same times. 12 bits of 2.44 V: 0.0006 V. */
    double start_s = NAN;
    const struct sample *first = scan_at(&session.collected, 0);
    for (double time_s = 0.0; time_s < 1.0; time_s += 0.002) {
        double value_v = LOW[0] * 65520.0 * share_at(0, time_s) + LOW[1];
        if (fabs(value_v - (double)first->values[0]) < 0.0004) {
            start_s = time_s;
            break;
        }
    }
    double last_s = start_s + (double)last->device_ticks / 500.0;
    ck_assert_double_eq_tol((double)last->values[0],
                            LOW[0] * 65520.0 * share_at(0, last_s) + LOW[1], 0.003);
    ck_assert_ptr_nonnull(strstr(notice_of(&session), "scans are lost"));
    session_close(&session);
}

END_TEST

START_TEST(rate_is_read_back)
{
    static const struct {
        double asked_hz;
        double set_hz;
        const char *notice;
    } cases[] = {
        {100.0, 100.0, ""},
        {1.0, 1.0, ""},
        {0.1, 15625.0 / 65535.0, "asked for 0.1 Hz"},
        {333.0, 4e6 / 12012.0, ""},
        {1000.0, 1000.0, ""},
        {40000.0, 12500.0, "asked for 40000 Hz, the LabJack U3 takes 12500 Hz"},
    };
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = cases[_i].asked_hz};
    model_init(&model, SERIAL_LV);
    session_open(&session, &model, &settings);
    session_run(&session, 300 * MS);
    const struct driver *driver = session.collected.device.driver;
    double rate_hz = driver_rate_hz(driver, &session.collected.device.context);
    ck_assert_double_eq_tol(rate_hz, cases[_i].set_hz, 1e-9 * rate_hz); /* rounding */
    ck_assert_double_eq_tol(model.type->period_s(&model) * rate_hz, 1.0, 1e-12);
    ck_assert_int_eq(
        strncmp(notice_of(&session), cases[_i].notice, strlen(cases[_i].notice)), 0);
    ck_assert_int_eq(notice_of(&session)[0] == '\0', cases[_i].notice[0] == '\0');
    session_close(&session);
}

END_TEST

static size_t command_of(struct collected *collected, int64_t now_ns, uint8_t *bytes)
{
    return collected->device.driver->command_next(&collected->device.context, now_ns,
                                                  bytes);
}

START_TEST(mute_device_is_asked_again)
{
    struct collected collected;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    collected_init(&collected, DRIVER, NULL);
    for (int64_t try = 0; try < 3; try++) {
        ck_assert_uint_eq(command_of(&collected, 500 * MS * try, bytes), 2);
        ck_assert_uint_eq(command_of(&collected, 500 * MS * try + 499 * MS, bytes), 0);
    }
    ck_assert_uint_eq(command_of(&collected, 1500 * MS, bytes), 0);
    unsigned count = 0;
    ck_assert_ptr_nonnull(
        strstr(collected.device.driver->notice_get(&collected.device.context, &count),
               "does not answer"));
    ck_assert_uint_eq(command_of(&collected, 6499 * MS, bytes), 0);
    ck_assert_uint_eq(command_of(&collected, 6500 * MS, bytes), 2);
    collected_free(&collected);
}

END_TEST

START_TEST(damaged_command_is_sent_again_at_once)
{
    struct collected collected;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    collected_init(&collected, DRIVER, NULL);
    ck_assert_uint_eq(command_of(&collected, 0, bytes), 2);
    feed(&collected, "B8B8");
    ck_assert_uint_eq(command_of(&collected, MS, bytes), 2);
    ck_assert_uint_eq(command_of(&collected, 2 * MS, bytes), 0);
    /* "Was not running" is an answer too: then packets under way are let pass. */
    feed(&collected, "E5B13400");
    ck_assert_uint_eq(command_of(&collected, 3 * MS, bytes), 0);
    ck_assert_uint_eq(command_of(&collected, 102 * MS, bytes), 0);
    ck_assert_uint_eq(command_of(&collected, 103 * MS, bytes), 26);
    collected_free(&collected);
}

END_TEST

START_TEST(model_refuses_what_changes_flash)
{
    static const struct {
        const char *command;
        const char *reply;
    } cases[] = {
        {"24F8012A00000000", NULL},
        {"22F8012800000000", "3BF80128190019 00"},
        {"23F8012900000000", "3CF80129190019 00"},
        {"25F8012B00000000", "3EF8012B190019 00"},
        {"26F8012C00000000", "3FF8012C190019 00"},
        {"27F8012D00000001", "B8B8"}, /* its checksum is wrong */
    };
    struct device_model model;
    model_init(&model, SERIAL_LV);
    uint8_t bytes[64];
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    uint8_t wanted[64];
    size_t size = hex_decode(cases[_i].command, bytes, sizeof bytes);
    size_t reply_size = model.type->hear(&model, 0, bytes, size, reply);
    if (cases[_i].reply) {
        ck_assert_uint_eq(reply_size, hex_decode(cases[_i].reply, wanted, sizeof wanted));
        ck_assert_mem_eq(reply, wanted, reply_size);
    } else {
        ck_assert_uint_eq(reply_size, 8);
        ck_assert_uint_eq(reply[6], 5); /* not built: function invalid */
    }
}

END_TEST

/* ---- streams ---- */

/* What a session of some seconds put on the wire. */
static void wire_make(struct session *session, struct device_model *model, uint32_t serial,
                      double rate_hz, int64_t duration_ns)
{
    const struct driver_settings settings = {.rate_hz = rate_hz};
    model_init(model, serial);
    session_open(session, model, &settings);
    session_run(session, duration_ns);
}

START_TEST(stream_survives_every_chunking)
{
    struct device_model model;
    struct session session;
    wire_make(&session, &model, SERIAL_SLOW, 1000.0, 1600 * MS);
    const struct driver_settings settings = {.rate_hz = 1000.0};
    check_chunk_invariance(DRIVER, &settings, session.wire, session.wire_size, 200);
    check_damage_is_survived(DRIVER, &settings, session.wire, session.wire_size, 100);
    /* The same samples as with commands. */
    struct collected replay;
    collected_init(&replay, DRIVER, &settings);
    collected_feed(&replay, session.wire, session.wire_size, 0);
    ck_assert_uint_eq(replay.count, session.collected.count);
    ck_assert_mem_eq(replay.samples, session.collected.samples,
                     replay.count * sizeof *replay.samples);
    collected_free(&replay);
    session_close(&session);
}

END_TEST

START_TEST(flipped_bit_gives_no_sample)
{
    struct packet_text text = {.count = 8};
    uint8_t packet[64];
    for (unsigned index = 0; index < 8; index++) {
        text.counts[index] = (uint16_t)(4096 * index + 0xF9);
    }
    size_t size = packet_make(&text, packet);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        feed(&collected, STARTED);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        collected_feed(&collected, packet, size, 0);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(collected.count == 0, "bit %zu", bit);
        /* And takes nothing of what follows. */
        text.counter = 1;
        packet_feed(&collected, &text);
        text.counter = 0;
        ck_assert_msg(collected_count(&collected, SCAN) == 2, "bit %zu", bit);
        collected_free(&collected);
    }
}

END_TEST

/* One packet with a random content that is full of what begins frames. */
static size_t hostile_make(unsigned counter, uint64_t *random, uint8_t *packet)
{
    static const uint16_t words[] = {0xF8F8, 0xF9F9, 0xC0F9, 0xA9A9, 0xB8B8, 0xB1B1,
                                     0x05F8, 0x08F9, 0x0000, 0xA8A8, 0xB0B0, 0x1234};
    struct packet_text text = {.counter = counter & 0xFF, .count = 8};
    for (unsigned index = 0; index < 8; index++) {
        text.counts[index] = words[random_next(random) % (sizeof words / sizeof words[0])];
    }
    size_t size = packet_make(&text, packet);
    packet[size - 2] = (uint8_t)(1 + random_next(random) % 200); /* backlog */
    packet_seal(packet, size);
    return size;
}

/* Flip a bit, cut bytes out of the end or the beginning, or double one. */
static size_t packet_damage(uint8_t *packet, size_t size, uint64_t *random)
{
    size_t place = random_next(random) % size;
    switch (random_next(random) % 4) {
    case 0:
        packet[place] ^= (uint8_t)(1u << random_next(random) % 8);
        return size;
    case 1:
        return place;
    case 2:
        memmove(packet, packet + place + 1, size - place - 1);
        return size - place - 1;
    default:
        memmove(packet + place + 1, packet + place, size - place);
        return size + 1;
    }
}

struct intact {
    struct device device;
    uint64_t good_count;
};

static void intact_count(void *user, const struct sample *sample)
{
    struct intact *intact = user;
    intact->good_count += sample->stream == BACKLOG;
}

START_TEST(every_intact_packet_is_found)
{
    const unsigned packet_count = 40000;
    static struct intact intact;
    const struct driver_settings settings = {0};
    memset(&intact, 0, sizeof intact);
    ck_assert_int_eq(device_init(&intact.device, driver_find(DRIVER), &settings),
                     STATUS_OK);
    uint64_t random = 20240607;
    uint64_t intact_sent = 0;
    for (unsigned counter = 0; counter < packet_count; counter++) {
        uint8_t packet[80];
        size_t size = hostile_make(counter, &random, packet);
        if (counter > 0 && random_next(&random) % 100 == 0) {
            uint8_t before[80];
            memcpy(before, packet, size);
            size_t damaged = packet_damage(packet, size, &random);
            /* Doubled bytes at either end leave a packet as it was. */
            intact_sent += damaged >= size
                           && (memcmp(packet, before, size) == 0
                               || memcmp(packet + damaged - size, before, size) == 0);
            size = damaged;
        } else {
            intact_sent++;
        }
        device_feed(&intact.device, packet, size, 0, intact_count, &intact);
    }
    ck_assert_uint_ge(intact_sent, packet_count * 98 / 100);
    ck_assert_uint_eq(intact.good_count, intact_sent);
    /* Each scan lost was in a damaged packet: two scans each. */
    ck_assert_uint_le(intact.device.counters.lost_count, 2 * (packet_count - intact_sent));
    ck_assert_uint_eq(intact.device.counters.restart_count, 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("labjack_u3");
    TCase *frames = tcase_create("frames");
    tcase_add_test(frames, published_frames_are_found);
    tcase_add_test(frames, single_reading_in_a_capture);
    tcase_add_test(frames, captured_transactions_verify);
    tcase_add_test(frames, frame_after_half_a_reply_is_found);
    suite_add_tcase(suite, frames);
    TCase *stream = tcase_create("stream");
    tcase_add_test(stream, vector_of_a_stream_packet);
    tcase_add_test(stream, inputs_run_on_over_packets);
    tcase_add_test(stream, lost_packets_are_a_gap_of_exact_length);
    tcase_add_loop_test(stream, dropped_scans_are_a_gap_of_exact_length, 0, 3);
    tcase_add_test(stream, dummy_scan_may_reach_into_the_next_packet);
    tcase_add_loop_test(stream, rails_are_clipped, 0, 5);
    tcase_add_test(stream, status_of_the_stream);
    tcase_add_test(stream, packets_of_an_earlier_run_are_not_measured);
    tcase_add_test(stream, replies_inside_damaged_packets_end_nothing);
    tcase_add_loop_test(stream, supply_makes_a_ratio, 0, 2);
    tcase_add_loop_test(stream, channel_setting, 0, 11);
    tcase_add_test(stream, empty_calibration_memory_is_told);
    suite_add_tcase(suite, stream);
    TCase *dialogue = tcase_create("dialogue");
    tcase_set_timeout(dialogue, 60);
    tcase_add_test(dialogue, session_with_the_model);
    tcase_add_loop_test(dialogue, own_constants_are_used, 0, 2);
    tcase_add_test(dialogue, io_is_left_as_found);
    tcase_add_test(dialogue, io_is_left_as_found_without_an_answer);
    tcase_add_test(dialogue, other_unit_keeps_its_own_lines);
    tcase_add_test(dialogue, stream_of_a_crashed_session_is_stopped);
    tcase_add_test(dialogue, full_buffer_of_the_model);
    tcase_add_loop_test(dialogue, rate_is_read_back, 0, 6);
    tcase_add_test(dialogue, mute_device_is_asked_again);
    tcase_add_test(dialogue, damaged_command_is_sent_again_at_once);
    tcase_add_loop_test(dialogue, model_refuses_what_changes_flash, 0, 6);
    suite_add_tcase(suite, dialogue);
    TCase *damage = tcase_create("damage");
    tcase_set_timeout(damage, 120);
    tcase_add_test(damage, stream_survives_every_chunking);
    tcase_add_test(damage, flipped_bit_gives_no_sample);
    tcase_add_test(damage, every_intact_packet_is_found);
    suite_add_tcase(suite, damage);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

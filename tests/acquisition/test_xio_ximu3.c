#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"
#include "tests/support/rig_device.h"

static const char DRIVER[] = "xio-ximu3";

/* Vectors of the user manual, 1,000,000 us. Floats go over the wire as they are, so values
 * are compared exactly. */
struct vector {
    const char *hex;
    const char *stream;
    unsigned value_count;
    float values[9];
};

static const struct vector VECTORS[] = {
    {"C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 0000803F 0A",
     "inertial",
     6,
     {0, 0, 0, 0, 0, 1}},
    {"cd40420f00000000000000803f00000000000000000a", "magnetometer", 3, {1, 0, 0}},
    {"c840420f000000000000000000000000000000803f0a", "high_g", 3, {0, 0, 1}},
    {"D1 40420F0000000000 0000803F 00000000 00000000 00000000 0A",
     "quaternion",
     4,
     {1, 0, 0, 0}},
    {"d240420f00000000000000803f0000000000000000000000000000803f000000000000000000000000"
     "0000803f0a",
     "matrix",
     9,
     {1, 0, 0, 0, 1, 0, 0, 0, 1}},
    {"c140420f00000000000000000000000000000000000a", "euler", 3, {0, 0, 0}},
    {"cc40420f00000000000000000000000000000000000a", "linear_acceleration", 3, {0, 0, 0}},
    {"c540420f00000000000000000000000000000000000a", "earth_acceleration", 3, {0, 0, 0}},
    {"d540420f0000000000 0000803f 00000000 00000000 0000803f 0a",
     "ahrs_status",
     4,
     {1, 0, 0, 1}},
    {"D4 40420F0000000000 0000C841 0A", "temperature", 1, {25}},
    {"C2 40420F0000000000 0000C842 66668640 00000040 0A", "battery", 3, {100, 4.2F, 2}},
    {"d740420f00000000000000c842000048c20a", "rssi", 2, {100, -50}},
    {"d940420f00000000000000803f0a", "sync", 1, {1}},
    {"cf40420f00000000000000803f0a", "button", 1, {1}},
};

START_TEST(vector_decodes)
{
    const struct vector *vector = &VECTORS[_i];
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, vector->hex);
    ck_assert_uint_eq(collected.count, 1);
    const struct sample *sample = &collected.samples[0];
    ck_assert_uint_eq(sample->stream, collected_stream(&collected, vector->stream));
    ck_assert_uint_eq(sample->device_ticks, 1000000);
    ck_assert_uint_eq(sample->channel_count, vector->value_count);
    for (unsigned channel = 0; channel < vector->value_count; channel++) {
        check_float_eq(sample->values[channel], vector->values[channel]);
    }
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(older_firmware_sends_rotation_with_acceleration)
{
    static const char *const forms[] = {
        "cc40420f00000000000000803f0000000000000000000000000000000000000000000000000a",
        "c540420f00000000000000803f0000000000000000000000000000000000000000000000000a"};
    static const char *const streams[] = {"linear_acceleration", "earth_acceleration"};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, forms[_i]);
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.samples[0].stream,
                      collected_stream(&collected, "quaternion"));
    check_float_eq(collected.samples[0].values[0], 1.0F);
    ck_assert_uint_eq(collected.samples[1].stream,
                      collected_stream(&collected, streams[_i]));
    ck_assert_uint_eq(collected.samples[1].channel_count, 3);
    check_float_eq(collected.samples[1].values[0], 0.0F);
    collected_free(&collected);
}

END_TEST

START_TEST(newer_status_is_text)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, "d540420f0000000000 4f6b2e 0a");
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(stuffing_table_of_the_manual)
{
    static const struct framing_stuffing stuffing = {0xDB, 0x0A, 0xDC, 0xDD};

    static const struct {
        const char *wire;
        const char *plain; /* NULL = damaged */
    } cases[] = {
        {"45DBDC414D504C45", "450A414D504C45"},
        {"4558414D50DBDDDBDC", "4558414D50DB0A"},
        {"DBDDDBDD", "DBDB"},
        {"4558", "4558"},
        {"45DB", NULL},
        {"45DB0045", NULL},
    };

    uint8_t wire[32];
    uint8_t plain[32];
    uint8_t out[32];
    size_t size = hex_decode(cases[_i].wire, wire, sizeof wire);
    int written = framing_unstuff(&stuffing, wire, size, out);
    if (!cases[_i].plain) {
        ck_assert_int_eq(written, -1);
        return;
    }
    size_t wanted = hex_decode(cases[_i].plain, plain, sizeof plain);
    ck_assert_int_eq(written, (int)wanted);
    ck_assert_mem_eq(out, plain, wanted);
}

END_TEST

START_TEST(stuffed_message_decodes)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected,
                       "C9 DBDC DBDD 0B DBDC 00000000 0000C03F 000010C0 0000003E "
                       "DBDC D7233C DBDC D7A3BC A4707D3F 0A");
    ck_assert_uint_eq(collected.count, 1);
    static const float expected[] = {1.5F, -2.25F, 0.125F, 0.01F, -0.02F, 0.99F};
    ck_assert_uint_eq(collected.samples[0].device_ticks, 168549130);
    for (unsigned channel = 0; channel < 6; channel++) {
        check_float_eq(collected.samples[0].values[channel], expected[channel]);
    }
    collected_free(&collected);
}

END_TEST

/* All vectors in one buffer: those at 1 s, the stressed one at 168 s, then 1 s again. */
START_TEST(vectors_in_a_row_decode)
{
    enum {
        VECTOR_COUNT = sizeof VECTORS / sizeof VECTORS[0]
    };

    static const char stressed[] =
        "C9 DBDC DBDD 0B DBDC 00000000 0000C03F 000010C0 0000003E DBDC D7233C DBDC D7A3BC "
        "A4707D3F 0A";
    static const char ascii[] = "I,1000000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n"
                                "Q,1000000,1.0000,0.0000,0.0000,0.0000\n";
    static const char no_samples[] = "d340420f0000000000616263313233f1f2f30a"
                                     "ce40420f0000000000427574746f6e20707265737365642e0a";
    uint8_t bytes[2048];
    size_t size = hex_decode(no_samples, bytes, sizeof bytes);
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        size += hex_decode(VECTORS[vector].hex, bytes + size, sizeof bytes - size);
    }
    size += hex_decode(stressed, bytes + size, sizeof bytes - size);
    memcpy(bytes + size, ascii, sizeof ascii - 1);
    size += sizeof ascii - 1;
    for (size_t chunk_size = 1; chunk_size <= size; chunk_size++) {
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        collected_feed(&collected, bytes, size, chunk_size);
        ck_assert_uint_eq(collected.count, VECTOR_COUNT + 3);
        ck_assert_uint_eq(collected.samples[VECTOR_COUNT].device_ticks, 168549130);
        check_float_eq(collected.samples[VECTOR_COUNT].values[5], 0.99F);
        ck_assert_uint_eq(collected.samples[VECTOR_COUNT + 1].device_ticks, 1000000);
        ck_assert_uint_eq(collected.device.counters.bad_count, 0);
        collected_free(&collected);
    }
}

END_TEST

START_TEST(ascii_decodes)
{
    static const struct {
        const char *text;
        const char *stream;
        unsigned count;
        float values[8];
    } cases[] = {
        {"I,1000000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n",
         "inertial",
         6,
         {0, 0, 0, 0, 0, 1}},
        {"Q,1000000,1.0000,0.0000,0.0000,0.0000\n", "quaternion", 4, {1, 0, 0, 0}},
        {"I,1000000,-1.5000,2.2500,0.1250,0.0100,-0.0200,0.9900\n",
         "inertial",
         6,
         {-1.5F, 2.25F, 0.125F, 0.01F, -0.02F, 0.99F}},
        {"T,1000000,25.0000\n", "temperature", 1, {25}},
        {"B,1000000,9.0000,3.4000,0.0000\n", "battery", 3, {9, 3.4F, 0}},
        {"E,1000000,0.1000,0.2000,0.3000\n", "earth_acceleration", 3, {0.1F, 0.2F, 0.3F}},
        {"C,1000000,01:02:03:04\n", "timecode", 4, {1, 2, 3, 4}},
        {"S,1000000,0.1000,0.2000,0.3000,0.4000,0.5000,0.6000,0.7000,2.9999?\n",
         "serial_accessory",
         8,
         {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 2.9999F}},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, cases[_i].text, strlen(cases[_i].text), 0);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.samples[0].stream,
                      collected_stream(&collected, cases[_i].stream));
    ck_assert_uint_eq(collected.samples[0].device_ticks, 1000000);
    for (unsigned channel = 0; channel < cases[_i].count; channel++) {
        check_float_eq(collected.samples[0].values[channel], cases[_i].values[channel]);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(accessory_line_becomes_analog_sample)
{
    uint8_t message[128] = {0xD3, 0x40, 0x42, 0x0F};
    /* The line's own terminator travels stuffed. */
    static const char line[] = "0.1000,1.5000,2.9000\r\xDB\xDC\n";
    memcpy(message + 9, line, sizeof line - 1);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, message, 9 + sizeof line - 1, 0);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.samples[0].stream,
                      collected_stream(&collected, "serial_accessory"));
    ck_assert_uint_eq(collected.samples[0].channel_count, 8);
    check_float_eq(collected.samples[0].values[1], 1.5F);
    ck_assert(isnan(collected.samples[0].values[3]));
    collected_free(&collected);
}

END_TEST

START_TEST(other_messages_give_no_sample)
{
    static const char *const messages[] = {
        "d340420f0000000000616263313233f1f2f30a",    /* accessory bytes, no numbers */
        "5e 41 c9 40420f00000000000a",               /* multiplexed */
        "7b 22 70 69 6e 67 22 3a 6e 75 6c 6c 7d 0a", /* {"ping":null} */
        "ce40420f0000000000427574746f6e20707265737365642e0a", /* note */
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, messages[_i]);
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(notice_is_kept_for_people)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    const struct driver *driver = collected.device.driver;
    unsigned count = 7;
    ck_assert_str_eq(driver->notice_get(&collected.device.context, &count), "");
    ck_assert_uint_eq(count, 0);
    collected_feed_hex(&collected, "ce40420f0000000000427574746f6e20707265737365642e0a");
    ck_assert_str_eq(driver->notice_get(&collected.device.context, &count),
                     "Button pressed.");
    ck_assert_uint_eq(count, 1);
    static const char text[] = "F,1000000,Battery empty.\n";
    collected_feed(&collected, text, sizeof text - 1, 0);
    ck_assert_str_eq(driver->notice_get(&collected.device.context, &count),
                     "Battery empty.");
    ck_assert_uint_eq(count, 2);
    collected_free(&collected);
}

END_TEST

START_TEST(bad_messages_are_counted)
{
    static const char *const messages[] = {
        "C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 0A", /* short
                                                                                */
        "C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 0000C07F "
        "0A", /* NaN */
        "C9 40420F0000000000 00409C45 00000000 00000000 00000000 00000000 0000803F "
        "0A", /* 5000.. */
        "C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 00009643 "
        "0A", /* 300 g */
        "C9 40420F00000000DB 00 00000000 00000000 00000000 00000000 00000000 "
        "0000803F 0A",
        "C9 40420F000000 0A",           /* no whole timestamp */
        "CE 40420F0000000000 FF FE 0A", /* text that is none */
        "49 2C 31 2C 61 2C 62 0A",      /* I,1,a,b */
        "D1 40420F0000000000 00000040 00000000 00000000 00000000 0A", /* no unit
                                                                         quaternion
                                                                       */
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    /* 00409C45 is 5000.0: just allowed; one step more is not. */
    char hex[256];
    snprintf(hex, sizeof hex, "%s", messages[_i]);
    char *limit = strstr(hex, "00409C45");
    if (limit) {
        memcpy(limit, "01409C45", 8);
    }
    collected_feed_hex(&collected, hex);
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(unknown_bytes_are_skipped_to_the_terminator)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, "0F 00 00 00 80 3F 0A"
                                   "D4 40420F0000000000 0000C841 0A"
                                   "FF 01 02 0A 0A");
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 7 + 4 + 1);
    collected_free(&collected);
}

END_TEST

START_TEST(endless_message_is_given_up)
{
    static uint8_t bytes[3 * 4096];
    memset(bytes, 0xC9, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, sizeof bytes, 100);
    ck_assert_uint_ge(collected.device.counters.skipped_size, 2 * 4096);
    collected_feed_hex(&collected, "0A D4 40420F0000000000 0000C841 0A");
    ck_assert_uint_eq(collected.count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(full_scale_is_flagged)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    static const char text[] = "I,1000000,2000.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n"
                               "I,1010000,1900.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n"
                               "I,1020000,0.0000,0.0000,0.0000,0.0000,0.0000,-24.0000\n"
                               "B,1020000,5.0000,3.2000,0.0000\n";
    collected_feed(&collected, text, sizeof text - 1, 0);
    ck_assert_uint_eq(collected.count, 4);
    ck_assert_uint_eq(collected.samples[0].flags & SAMPLE_CLIPPED, SAMPLE_CLIPPED);
    ck_assert_uint_eq(collected.samples[1].flags & SAMPLE_CLIPPED, 0);
    ck_assert_uint_eq(collected.samples[2].flags & SAMPLE_CLIPPED, SAMPLE_CLIPPED);
    ck_assert_uint_eq(collected.samples[3].flags & SAMPLE_LOW_BATTERY, SAMPLE_LOW_BATTERY);
    collected_free(&collected);
}

END_TEST

/* An independent encoder, written from the manual. */
static size_t message_encode(uint8_t id, uint64_t ticks, const float *values,
                             unsigned count, uint8_t *wire)
{
    uint8_t plain[64];
    size_t size = 0;
    plain[size++] = id;
    for (unsigned byte = 0; byte < 8; byte++) {
        plain[size++] = (uint8_t)(ticks >> 8 * byte);
    }
    for (unsigned value = 0; value < count; value++) {
        uint32_t bits;
        memcpy(&bits, &values[value], 4);
        for (unsigned byte = 0; byte < 4; byte++) {
            plain[size++] = (uint8_t)(bits >> 8 * byte);
        }
    }
    size_t written = 0;
    for (size_t index = 0; index < size; index++) {
        if (plain[index] == 0x0A || plain[index] == 0xDB) {
            wire[written++] = 0xDB;
            wire[written++] = plain[index] == 0x0A ? 0xDC : 0xDD;
        } else {
            wire[written++] = plain[index];
        }
    }
    wire[written++] = 0x0A;
    return written;
}

static float value_random(uint64_t *random, float limit)
{
    return limit * ((float)(random_next(random) >> 40) / 8388608.0F - 1.0F);
}

/* A stream with stuffing in plenty: messages of several kinds at 100 Hz. */
static size_t stream_make(uint8_t *bytes, size_t capacity, unsigned message_count)
{
    uint64_t random = 42;
    size_t size = 0;
    for (unsigned message = 0; message < message_count; message++) {
        uint64_t ticks = 0x0ADB0A0000u + 10000u * message;
        float values[7] = {0};
        for (unsigned channel = 0; channel < 6; channel++) {
            values[channel] = value_random(&random, channel < 3 ? 500.0F : 4.0F);
        }
        uint32_t bits = 0x3FDB0ADB;
        memcpy(&values[message % 6], &bits, 4);
        ck_assert_uint_lt(size + 256, capacity);
        size += message_encode(0xC9, ticks, values, 6, bytes + size);
        if (message % 10 == 0) {
            values[0] = 30.5F;
            size += message_encode(0xD4, ticks, values, 1, bytes + size);
            size += (size_t)sprintf((char *)bytes + size, "T,%llu,30.5000\n",
                                    (unsigned long long)ticks);
        }
        if (message % 16 == 5) {
            size += (size_t)sprintf((char *)bytes + size, "{\"apply\":null}\n");
        }
    }
    return size;
}

START_TEST(stuffed_stream_survives_every_chunking)
{
    static uint8_t bytes[40000];
    size_t size = stream_make(bytes, sizeof bytes, 300);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 300);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 200);
    check_chunk_invariance(DRIVER, NULL, bytes + 17, 3000, 3000);
}

END_TEST

START_TEST(damage_is_survived)
{
    static uint8_t bytes[8192];
    size_t size = stream_make(bytes, sizeof bytes, 100);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 500);
}

END_TEST

/* 10^5 messages, one in a hundred damaged at one byte: every other one must come out. */
enum {
    MANY_COUNT = 100000
};

static bool is_damaged_message(unsigned message)
{
    return message % 100 == 57;
}

START_TEST(damaged_message_costs_only_itself)
{
    const size_t capacity = (size_t)MANY_COUNT * 70;
    uint8_t *bytes = malloc(capacity);
    ck_assert_ptr_nonnull(bytes);
    uint64_t random = 7;
    size_t size = 0;
    for (unsigned message = 0; message < MANY_COUNT; message++) {
        float values[6];
        for (unsigned channel = 0; channel < 6; channel++) {
            values[channel] = value_random(&random, channel < 3 ? 500.0F : 4.0F);
        }
        size_t written = message_encode(0xC9, 1000000u + 10000u * (uint64_t)message, values,
                                        6, bytes + size);
        if (is_damaged_message(message)) {
            size_t place = random_next(&random) % written;
            bytes[size + place] ^= (uint8_t)(1 + random_next(&random) % 255);
        }
        size += written;
    }
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    collected_feed(&collected, bytes, size, 4096);
    uint8_t *is_found = calloc(MANY_COUNT, 1);
    ck_assert_ptr_nonnull(is_found);
    for (size_t index = 0; index < collected.count; index++) {
        uint64_t ticks = collected.samples[index].device_ticks - 1000000u;
        if (collected.samples[index].stream == 0 && ticks % 10000 == 0
            && ticks / 10000 < MANY_COUNT) {
            is_found[ticks / 10000] = 1;
        }
    }
    unsigned missing = 0;
    for (unsigned message = 0; message < MANY_COUNT; message++) {
        missing += !is_found[message] && !is_damaged_message(message);
    }
    ck_assert_uint_eq(missing, 0);
    free(is_found);
    free(bytes);
    collected_free(&collected);
}

END_TEST

START_TEST(lost_terminator_does_not_swallow_the_next_message)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, "D4 40420F0000000000 0000C841 0A"
                                   "D4 41420F0000000000 0000C841 0B"
                                   "D4 42420F0000000000 0000C841 0A");
    ck_assert_uint_eq(collected.count, 2);
    ck_assert_uint_eq(collected.samples[1].device_ticks, 0x0F4242);
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    collected_free(&collected);
}

END_TEST

/* ---- commands ---- */

static void command_expect(struct collected *collected, int64_t now_ns,
                           const char *expected)
{
    uint8_t bytes[DRIVER_COMMAND_MAX + 1] = {0};
    const struct driver *driver = collected->device.driver;
    size_t size = driver->command_next(&collected->device.context, now_ns, bytes);
    ck_assert_uint_le(size, DRIVER_COMMAND_MAX);
    bytes[size] = 0;
    ck_assert_str_eq((const char *)bytes, expected);
}

static void reply_feed(struct collected *collected, const char *text)
{
    collected_feed(collected, text, strlen(text), 0);
}

static const int64_t MS = 1000000;

/* One command and its answer. */
static void exchange(struct collected *collected, int64_t now_ns, const char *command,
                     const char *reply)
{
    command_expect(collected, now_ns, command);
    reply_feed(collected, reply);
}

static const char *notice(const struct collected *collected, unsigned *count)
{
    return collected->device.driver->notice_get(&collected->device.context, count);
}

static double rate_hz(const struct collected *collected)
{
    return collected->device.driver->rate_hz_get(&collected->device.context);
}

START_TEST(settings_are_read_and_sent_one_by_one)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 50.0};
    collected_init(&collected, DRIVER, &settings);
    command_expect(&collected, 0, "{\"ping\":null}\n");
    command_expect(&collected, 100 * MS, "");
    reply_feed(&collected, "{\"time\":\"2024\"}\n");
    command_expect(&collected, 110 * MS, "");
    reply_feed(
        &collected,
        "{\"ping\":{\"interface\":\"USB\",\"name\":\"hip\",\"sn\":\"51D00001\"}}\r\n");
    exchange(&collected, 120 * MS, "{\"firmware_version\":null}\n",
             "{\"firmware_version\":\"v2.5.4\"}\n");
    ck_assert_str_eq(collected.device.driver->identity_get(&collected.device.context),
                     "hip 51D00001, firmware v2.5.4");
    exchange(&collected, 130 * MS, "{\"binary_mode_enabled\":null}\n",
             "{\"Binary Mode Enabled\":false}\n");
    ck_assert_double_eq(rate_hz(&collected), 0.0);
    exchange(&collected, 140 * MS, "{\"inertial_message_rate_divisor\":null}\n",
             "{\"inertial_message_rate_divisor\":4}\n");
    ck_assert_double_eq(rate_hz(&collected), 100.0);
    exchange(&collected, 150 * MS, "{\"ahrs_message_rate_divisor\":null}\n",
             "{\"ahrs_message_rate_divisor\":0}\n");
    exchange(&collected, 160 * MS, "{\"usb_data_messages_enabled\":null}\n",
             "{\"usb_data_messages_enabled\":true}\n");
    /* Two of the four differ. */
    exchange(&collected, 170 * MS, "{\"binary_mode_enabled\":true}\n",
             "{\"binary_mode_enabled\":true}\n");
    exchange(&collected, 180 * MS, "{\"inertial_message_rate_divisor\":8}\n",
             "{\"inertial_message_rate_divisor\":8}\n");
    ck_assert_double_eq(rate_hz(&collected), 100.0);
    exchange(&collected, 190 * MS, "{\"apply\":null}\n", "{\"apply\":null}\n");
    ck_assert_double_eq(rate_hz(&collected), 50.0);
    exchange(&collected, 200 * MS, "{\"inertial_message_rate_divisor\":null}\n",
             "{\"inertial_message_rate_divisor\":8}\n");
    command_expect(&collected, 210 * MS, "");
    command_expect(&collected, 99000 * MS, "");
    unsigned count = 0;
    notice(&collected, &count);
    ck_assert_uint_eq(count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(mute_device_is_asked_three_times)
{
    static const char ping[] = "{\"ping\":null}\n";
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    int64_t now_ns = 5000 * MS;
    for (unsigned repeat = 0; repeat < 3; repeat++) {
        command_expect(&collected, now_ns, ping);
        command_expect(&collected, now_ns + 499 * MS, "");
        now_ns += 500 * MS;
    }
    /* It may be another device: nothing is set. */
    command_expect(&collected, now_ns, "");
    command_expect(&collected, now_ns + 60000 * MS, "");
    unsigned count = 0;
    ck_assert_str_eq(notice(&collected, &count),
                     "the sensor does not answer: its rate may be another than asked for");
    ck_assert_uint_eq(count, 1);
    ck_assert_double_eq(rate_hz(&collected), 0.0);
    uint8_t bytes[DRIVER_COMMAND_MAX];
    const struct driver *driver = collected.device.driver;
    ck_assert_uint_eq(driver->command_stop(&collected.device.context, bytes), 0);
    /* A port that was lost may come back with a device that forgot. */
    device_interrupt(&collected.device);
    command_expect(&collected, now_ns, ping);
    collected_free(&collected);
}

END_TEST

/* Ping and firmware, then whatever is asked answers itself, up to a command. */
static void dialogue_until(struct collected *collected, const char *interface,
                           const char *until)
{
    char command[DRIVER_COMMAND_MAX + 1];
    const struct driver *driver = collected->device.driver;
    for (unsigned round = 0; round < 30; round++) {
        size_t size = driver->command_next(&collected->device.context, round * 10 * MS,
                                           (uint8_t *)command);
        command[size] = '\0';
        if (size == 0 || strcmp(command, until) == 0) {
            ck_assert_str_eq(command, until);
            return;
        }
        char reply[DRIVER_COMMAND_MAX + 8];
        char *value = strstr(command, "null");
        /* In effect whatever is asked for: 400 Hz / 8. */
        snprintf(reply, sizeof reply, "%.*s8}\n", (int)(value ? value - command : 0),
                 command);
        if (strstr(command, "ping")) {
            snprintf(reply, sizeof reply, "{\"ping\":{\"interface\":\"%s\"}}\n", interface);
        } else if (strstr(command, "apply") || !value) {
            snprintf(reply, sizeof reply, "%s", command);
        }
        reply_feed(collected, reply);
    }
    ck_abort_msg("never asked: %s", until);
}

START_TEST(refusals_and_other_values_are_told)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    unsigned count = 0;
    dialogue_until(&collected, "USB", "{\"inertial_message_rate_divisor\":4}\n");
    reply_feed(&collected,
               "{\"inertial_message_rate_divisor\":{\"error\":\"Invalid value\"}}\n");
    ck_assert_str_eq(notice(&collected, &count),
                     "inertial_message_rate_divisor: Invalid value");
    ck_assert_uint_eq(count, 1);
    /* Another value is no confirmation: asked again, then told. */
    for (unsigned repeat = 0; repeat < 3; repeat++) {
        exchange(&collected, 1000 * MS + 500 * MS * repeat,
                 "{\"ahrs_message_rate_divisor\":0}\n",
                 "{\"ahrs_message_rate_divisor\":8}\n");
    }
    command_expect(&collected, 2500 * MS, "{\"usb_data_messages_enabled\":true}\n");
    ck_assert_str_eq(notice(&collected, &count),
                     "ahrs_message_rate_divisor: asked for 0, the sensor says 8");
    ck_assert_uint_eq(count, 2);
    collected_free(&collected);
}

END_TEST

START_TEST(unknown_keys_of_older_firmware_are_passed_over)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    exchange(&collected, 0, "{\"ping\":null}\n", "{\"ping\":{\"interface\":\"USB\"}}\n");
    exchange(&collected, 0, "{\"firmware_version\":null}\n",
             "{\"firmware_version\":{\"error\":\"Unknown\"}}\n");
    command_expect(&collected, 0, "{\"binary_mode_enabled\":null}\n");
    unsigned count = 0;
    notice(&collected, &count);
    ck_assert_uint_eq(count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(impossible_rate_is_told)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 60.0};
    collected_init(&collected, DRIVER, &settings);
    dialogue_until(&collected, "USB", "");
    unsigned count = 0;
    ck_assert_str_eq(notice(&collected, &count), "asked for 60 Hz, the sensor set 50 Hz");
    ck_assert_uint_eq(count, 1);
    collected_free(&collected);
}

END_TEST

START_TEST(accessory_is_left_alone_on_its_own_interface)
{
    struct collected collected;
    const struct driver_settings settings = {.channel = "A2"};
    collected_init(&collected, DRIVER, &settings);
    dialogue_until(&collected, "Serial", "{\"serial_data_messages_enabled\":true}\n");
    reply_feed(&collected, "{\"serial_data_messages_enabled\":true}\n");
    dialogue_until(&collected, "Serial", "");
    unsigned count = 0;
    ck_assert_str_eq(notice(&collected, &count),
                     "the accessory needs the serial interface: connect the unit by USB");
    collected_free(&collected);
}

END_TEST

START_TEST(channel_is_checked)
{
    static const struct {
        const char *channel;
        enum status status;
    } cases[] = {{"A0", STATUS_OK},
                 {"A7", STATUS_OK},
                 {"A8", STATUS_BAD_INPUT},
                 {"B", STATUS_BAD_INPUT},
                 {"", STATUS_OK}};
    struct device device;
    const struct driver_settings settings = {.channel = cases[_i].channel};
    ck_assert_int_eq(device_init(&device, driver_find(DRIVER), &settings),
                     cases[_i].status);
}

END_TEST

START_TEST(broken_answers_are_survived)
{
    static const char *const answers[] = {
        "{\n",
        "{}\n",
        "{\"\n",
        "{\"ping\n",
        "{\"ping\"}\n",
        "{\"ping\":\n",
        "{\"ping\":{\n",
        "{\"ping\":{\"sn\":\"\\\n",
        "{\"ping\":{\"sn\":}}\n",
        "{:}\n",
        "{\"inertial_message_rate_divisor\":99999999999999999999}\n",
        "{\"inertial_message_rate_divisor\":-4}\n",
        "{\"inertial_message_rate_divisor\":4.5}\n",
        "{\"inertial_message_rate_divisor\":[4]}\n",
        "{\"inertial_message_rate_divisor\":0}\n",
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    command_expect(&collected, 0, "{\"ping\":null}\n");
    reply_feed(&collected, answers[_i]);
    ck_assert_double_eq(rate_hz(&collected), 0.0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    collected_free(&collected);
}

END_TEST

/* ---- the driver against the device model ---- */

/* A line in memory: every answer_lost-th answer gets lost (0 = none). */
struct line {
    struct collected collected;
    struct device_model model;
    double time_s;
    unsigned answer_lost;
    unsigned answer_count;
};

static void line_open(struct line *line, const struct driver_settings *settings,
                      double rate_hz)
{
    memset(line, 0, sizeof *line);
    collected_init(&line->collected, DRIVER, settings);
    line->model.type = device_model_find(DRIVER);
    line->model.type->init(&line->model, rate_hz, 0x51D00001);
}

static void line_tell(struct line *line, const uint8_t *bytes, size_t size)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = line->model.type->hear(&line->model, (uint64_t)(line->time_s * 1e6),
                                               bytes, size, reply);
    line->answer_count += reply_size > 0;
    if (line->answer_lost == 0 || line->answer_count % line->answer_lost != 0) {
        collected_feed(&line->collected, reply, reply_size, 7);
    }
}

static void line_run(struct line *line, double until_s)
{
    const struct device_model_type *type = line->model.type;
    struct driver_context *context = &line->collected.device.context;
    while (line->time_s < until_s) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        struct device_reading reading;
        uint64_t time_us = (uint64_t)llround(line->time_s * 1e6);
        rig_device_reading(time_us, &reading);
        size_t size = type->sample(&line->model, 1000000 + time_us, &reading, bytes);
        collected_feed(&line->collected, bytes, size, 0);
        size = line->collected.device.driver->command_next(
            context, (int64_t)(line->time_s * 1e9), bytes);
        if (size > 0) {
            line_tell(line, bytes, size);
        }
        line->time_s += type->period_s(&line->model);
    }
}

static void line_stop(struct line *line)
{
    for (unsigned i = 0; i <= DRIVER_STOP_MAX; i++) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        size_t size = line->collected.device.driver->command_stop(
            &line->collected.device.context, bytes);
        if (size == 0) {
            return;
        }
        line_tell(line, bytes, size);
    }
    ck_abort_msg("the end has no end");
}

/* What the unit says of a setting. */
static void setting_expect(struct line *line, const char *key, const char *value)
{
    char command[96];
    char expected[96];
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    int size = snprintf(command, sizeof command, "{\"%s\":null}\n", key);
    snprintf(expected, sizeof expected, "{\"%s\":%s}\n", key, value);
    size_t reply_size = line->model.type->hear(&line->model, 0, (const uint8_t *)command,
                                               (size_t)size, reply);
    reply[reply_size] = '\0';
    ck_assert_str_eq((char *)reply, expected);
}

START_TEST(unit_is_set_up_and_left_as_found)
{
    static const unsigned lost[] = {0, 2, 3, 5};
    struct line line;
    const struct driver_settings settings = {.rate_hz = 200.0};
    line_open(&line, &settings, 0.0);
    line.answer_lost = lost[_i];
    ck_assert_double_eq_tol(line.model.type->period_s(&line.model), 0.02, 1e-12);
    line_run(&line, 20.0);
    setting_expect(&line, "inertial_message_rate_divisor", "2");
    setting_expect(&line, "ahrs_message_rate_divisor", "0");
    setting_expect(&line, "magnetometer_message_rate_divisor", "1");
    ck_assert_double_eq(rate_hz(&line.collected), 200.0);
    ck_assert_double_eq_tol(line.model.type->period_s(&line.model), 0.005, 1e-12);
    uint64_t lost_before = line.collected.device.counters.lost_count;
    size_t count = collected_count(&line.collected, 0);
    line_run(&line, 30.0);
    /* The last step may end behind the time. */
    ck_assert_double_eq_tol((double)(collected_count(&line.collected, 0) - count), 2000.0,
                            1.5);
    ck_assert_uint_eq(line.collected.device.counters.lost_count, lost_before);
    ck_assert_uint_eq(line.collected.device.counters.bad_count, 0);
    line_stop(&line);
    setting_expect(&line, "inertial_message_rate_divisor", "8");
    setting_expect(&line, "ahrs_message_rate_divisor", "8");
    ck_assert_double_eq_tol(line.model.type->period_s(&line.model), 0.02, 1e-12);
    /* Only once. */
    line_stop(&line);
    collected_free(&line.collected);
}

END_TEST

START_TEST(unread_settings_are_left_alone)
{
    struct line line;
    const struct driver_settings settings = {.rate_hz = 100.0};
    line_open(&line, &settings, 0.0);
    /* Ping and firmware are answered, no setting is. */
    while (line.answer_count < 2) {
        line_run(&line, line.time_s + 0.001);
    }
    line.answer_lost = 1;
    line_run(&line, 20.0);
    line.answer_lost = 0;
    unsigned count = 0;
    ck_assert_str_eq(notice(&line.collected, &count),
                     "settings could not be read: the sensor is read as it is");
    setting_expect(&line, "inertial_message_rate_divisor", "8");
    setting_expect(&line, "ahrs_message_rate_divisor", "8");
    line_stop(&line);
    setting_expect(&line, "inertial_message_rate_divisor", "8");
    setting_expect(&line, "ahrs_message_rate_divisor", "8");
    ck_assert_uint_gt(collected_count(&line.collected, 0), 900);
    collected_free(&line.collected);
}

END_TEST

START_TEST(replugged_unit_is_left_as_first_found)
{
    struct line line;
    const struct driver_settings settings = {.rate_hz = 100.0};
    line_open(&line, &settings, 0.0);
    line_run(&line, 3.0);
    setting_expect(&line, "inertial_message_rate_divisor", "4");
    device_interrupt(&line.collected.device);
    line_run(&line, 6.0);
    ck_assert_double_eq(rate_hz(&line.collected), 100.0);
    line_stop(&line);
    setting_expect(&line, "inertial_message_rate_divisor", "8");
    collected_free(&line.collected);
}

END_TEST

START_TEST(other_unit_keeps_its_own_settings)
{
    struct line line;
    const struct driver_settings settings = {.rate_hz = 100.0};
    line_open(&line, &settings, 0.0);
    line_run(&line, 3.0);
    device_interrupt(&line.collected.device);
    line.model.type->init(&line.model, 25.0, 0x51D00002);
    line_run(&line, 6.0);
    setting_expect(&line, "inertial_message_rate_divisor", "4");
    line_stop(&line);
    setting_expect(&line, "inertial_message_rate_divisor", "16");
    collected_free(&line.collected);
}

END_TEST

START_TEST(unit_that_is_as_wanted_is_left_alone)
{
    struct line line;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    line_open(&line, NULL, 100.0);
    line_run(&line, 3.0);
    ck_assert_double_eq(rate_hz(&line.collected), 100.0);
    ck_assert_uint_eq(
        line.collected.device.driver->command_stop(&line.collected.device.context, bytes),
        0);
    collected_free(&line.collected);
}

END_TEST

START_TEST(accessory_carries_a_strip_on_the_unit_s_clock)
{
    struct line line;
    const struct driver_settings settings = {.rate_hz = 100.0, .channel = "A2"};
    line_open(&line, &settings, 0.0);
    line_run(&line, 10.0);
    setting_expect(&line, "serial_mode", "2");
    unsigned stream = collected_stream(&line.collected, "serial_accessory");
    size_t count = collected_count(&line.collected, stream);
    ck_assert_uint_gt(count, 800);
    for (size_t i = 0; i < line.collected.count; i++) {
        const struct sample *sample = &line.collected.samples[i];
        if (sample->stream == stream) {
            struct device_reading reading;
            rig_device_reading(sample->device_ticks - 1000000, &reading);
            /* Four decimals of a volt; 3 V over 4095 * 64 steps. */
            bool is_close =
                fabs((double)sample->values[2] - 3.0 * reading.analog_share[2]) < 7e-5;
            ck_assert(is_close);
        }
    }
    line_stop(&line);
    setting_expect(&line, "serial_mode", "0");
    collected_free(&line.collected);
}

END_TEST

/* Values of every message against what the unit felt; binary and ASCII. */
START_TEST(model_and_driver_agree)
{
    static const char *const MODES[] = {"true", "false"};
    static const char *const STREAMS[] = {"quaternion", "matrix", "euler",
                                          "linear_acceleration", "earth_acceleration"};
    struct line line;
    char command[160];
    line_open(&line, NULL, 400.0);
    int size = snprintf(command, sizeof command,
                        "{\"binary_mode_enabled\":%s}\n{\"ahrs_message_type\":%d}\n"
                        "{\"ahrs_message_rate_divisor\":1}\n{\"apply\":null}\n",
                        MODES[_i % 2], _i / 2);
    line_tell(&line, (const uint8_t *)command, (size_t)size);
    unsigned stream = collected_stream(&line.collected, STREAMS[_i / 2]);
    for (unsigned i = 0; i < 500; i++) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        struct device_reading reading;
        rig_device_reading(10000u * i, &reading);
        size_t used =
            line.model.type->sample(&line.model, 1000000 + 10000u * i, &reading, bytes);
        collected_feed(&line.collected, bytes, used, 11);
    }
    ck_assert_uint_eq(collected_count(&line.collected, 0), 500);
    ck_assert_uint_eq(collected_count(&line.collected, stream), 500);
    ck_assert_uint_eq(line.collected.device.counters.bad_count, 0);
    for (size_t i = 0; i < line.collected.count; i++) {
        const struct sample *sample = &line.collected.samples[i];
        struct device_reading reading;
        rig_device_reading(sample->device_ticks - 1000000, &reading);
        /* Half a step, and half of the last decimal. */
        bool is_close =
            sample->stream != 0
            || (fabs((double)sample->values[0] - reading.gyro_deg_s[0]) < 0.0306
                && fabs((double)sample->values[4] - reading.accel_g[1]) < 4.2e-4);
        bool is_level = sample->stream != stream || _i / 2 < 3
                        || fabs((double)sample->values[2]) < 1e-4;
        ck_assert(is_close && is_level);
    }
    collected_free(&line.collected);
}

END_TEST

/* ---- recordings ---- */

START_TEST(recordings_of_a_person_decode_whole)
{
    static const char *const names[] = {
        "human/human.hip.ximu3", "human/human.lower_back.ximu3",
        "human/human.upper_back.ximu3", "human/human.upper_leg_left.ximu3",
        "human/human.upper_leg_right.ximu3"};
    size_t size = 0;
    uint8_t *bytes = shared_read(names[_i], &size);
    if (!bytes) {
        return;
    }
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    collected_feed(&collected, bytes, size, 4096);
    ck_assert_uint_eq(collected.count, 10000);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    double gravity_g = 0.0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        ck_assert_uint_eq(sample->device_ticks,
                          collected.samples[0].device_ticks + 10000 * index);
        const float *accel = &sample->values[3];
        gravity_g +=
            (double)sqrtf(accel[0] * accel[0] + accel[1] * accel[1] + accel[2] * accel[2]);
    }
    /* A person on average feels gravity; steps add up to 0.26 g at the thighs. */
    ck_assert_double_eq_tol(gravity_g / 10000.0, 1.0, 0.3);
    check_chunk_invariance(DRIVER, &settings, bytes, 20000, 100);
    free(bytes);
    collected_free(&collected);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("xio_ximu3");
    TCase *messages = tcase_create("messages");
    tcase_add_loop_test(messages, vector_decodes, 0, sizeof VECTORS / sizeof VECTORS[0]);
    tcase_add_loop_test(messages, older_firmware_sends_rotation_with_acceleration, 0, 2);
    tcase_add_test(messages, newer_status_is_text);
    tcase_add_loop_test(messages, stuffing_table_of_the_manual, 0, 6);
    tcase_add_test(messages, stuffed_message_decodes);
    tcase_add_test(messages, vectors_in_a_row_decode);
    tcase_add_loop_test(messages, ascii_decodes, 0, 8);
    tcase_add_test(messages, accessory_line_becomes_analog_sample);
    tcase_add_loop_test(messages, other_messages_give_no_sample, 0, 4);
    tcase_add_test(messages, notice_is_kept_for_people);
    tcase_add_loop_test(messages, bad_messages_are_counted, 0, 9);
    tcase_add_test(messages, unknown_bytes_are_skipped_to_the_terminator);
    tcase_add_test(messages, endless_message_is_given_up);
    tcase_add_test(messages, full_scale_is_flagged);
    suite_add_tcase(suite, messages);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 60);
    tcase_add_test(streams, stuffed_stream_survives_every_chunking);
    tcase_add_test(streams, damage_is_survived);
    tcase_add_test(streams, damaged_message_costs_only_itself);
    tcase_add_test(streams, lost_terminator_does_not_swallow_the_next_message);
    suite_add_tcase(suite, streams);
    TCase *commands = tcase_create("commands");
    tcase_add_test(commands, settings_are_read_and_sent_one_by_one);
    tcase_add_test(commands, mute_device_is_asked_three_times);
    tcase_add_test(commands, refusals_and_other_values_are_told);
    tcase_add_test(commands, unknown_keys_of_older_firmware_are_passed_over);
    tcase_add_test(commands, impossible_rate_is_told);
    tcase_add_test(commands, accessory_is_left_alone_on_its_own_interface);
    tcase_add_loop_test(commands, channel_is_checked, 0, 5);
    tcase_add_loop_test(commands, broken_answers_are_survived, 0, 15);
    suite_add_tcase(suite, commands);
    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 60);
    tcase_add_loop_test(model, unit_is_set_up_and_left_as_found, 0, 4);
    tcase_add_test(model, unread_settings_are_left_alone);
    tcase_add_test(model, replugged_unit_is_left_as_first_found);
    tcase_add_test(model, other_unit_keeps_its_own_settings);
    tcase_add_test(model, unit_that_is_as_wanted_is_left_alone);
    tcase_add_test(model, accessory_carries_a_strip_on_the_unit_s_clock);
    tcase_add_loop_test(model, model_and_driver_agree, 0, 10);
    suite_add_tcase(suite, model);
    TCase *recordings = tcase_create("recordings");
    tcase_set_timeout(recordings, 60);
    tcase_add_loop_test(recordings, recordings_of_a_person_decode_whole, 0, 5);
    suite_add_tcase(suite, recordings);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

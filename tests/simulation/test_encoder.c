/* Bytes on the wire against the makers' documents and captures of real devices. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "simulation/encoder_arduino_firmata.h"
#include "simulation/encoder_text.h"
#include "simulation/encoder_xio_ximu3.h"

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

/* Vectors of the x-IMU3 user manual, time 1,000,000 us. */
static const struct {
    char letter;
    unsigned count;
    float values[9];
    const char *hex;
} XIMU3[] = {
    {'I',
     6,
     {0, 0, 0, 0, 0, 1},
     "C9 40420F0000000000 00000000 00000000 00000000 00000000 00000000 0000803F 0A"},
    {'Q', 4, {1, 0, 0, 0}, "D1 40420F0000000000 0000803F 00000000 00000000 00000000 0A"},
    {'B', 3, {100.0F, 4.2F, 2.0F}, "C2 40420F0000000000 0000C842 66668640 00000040 0A"},
    {'T', 1, {25.0F}, "D4 40420F0000000000 0000C841 0A"},
    {'M', 3, {1, 0, 0}, "cd40420f00000000000000803f00000000000000000a"},
    {'R',
     9,
     {1, 0, 0, 0, 1, 0, 0, 0, 1},
     "d240420f00000000000000803f0000000000000000000000000000803f000000000000000000000000000"
     "0"
     "803f0a"},
    {'A', 3, {0, 0, 0}, "c140420f00000000000000000000000000000000000a"},
    {'W', 2, {100.0F, -50.0F}, "d740420f00000000000000c842000048c20a"},
};

START_TEST(ximu3_messages_are_those_of_the_manual)
{
    uint8_t bytes[ENCODER_XIMU3_SIZE_MAX];
    size_t size = encoder_ximu3_binary(XIMU3[_i].letter, 1000000, XIMU3[_i].values,
                                       XIMU3[_i].count, bytes);
    expect_bytes(bytes, size, XIMU3[_i].hex);
}

END_TEST

START_TEST(ximu3_stuffs_line_feeds_and_escapes_everywhere)
{
    /* Time and floats full of 0A and DB; a value of every byte position. */
    const uint32_t words[6] = {0x00000000, 0x3FC00000, 0xC0100000,
                               0x3E000000, 0x3C23D70A, 0xBCA3D70A};
    const float last = 0.99F;
    float values[7];
    memcpy(values, words, sizeof words);
    values[6] = last;
    uint8_t bytes[ENCODER_XIMU3_SIZE_MAX];
    size_t size = encoder_ximu3_binary('I', 168549130, values + 1, 6, bytes);
    expect_bytes(
        bytes, size,
        "C9 DBDC DBDD 0B DBDC 00000000 0000C03F 000010C0 0000003E DBDC D7233C DBDC "
        "D7A3BC A4707D3F 0A");
    for (size_t i = 0; i + 1 < size; i++) {
        ck_assert_uint_ne(bytes[i], 0x0A);
    }
}

END_TEST

START_TEST(ximu3_ascii_is_that_of_the_manual)
{
    uint8_t bytes[ENCODER_XIMU3_SIZE_MAX];
    const float values[6] = {0, 0, 0, 0, 0, 1};
    size_t size = encoder_ximu3_ascii('I', 1000000, values, 6, bytes);
    const char *expected = "I,1000000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n";
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_mem_eq(bytes, expected, size);
}

END_TEST

START_TEST(ximu3_answers_commands_in_any_chunks)
{
    struct encoder_ximu3 encoder;
    encoder_ximu3_init(&encoder);
    const char *commands =
        "{\"inertial_message_rate_divisor\":8}\n{\"binary_mode_enabled\":"
        "false}\n{\"ping\":null}\nnonsense\n";
    uint8_t reply[512];
    size_t size = 0;
    for (const char *at = commands; *at; at++) {
        size += encoder_ximu3_hear(&encoder, (const uint8_t *)at, 1, reply + size,
                                   sizeof reply - size);
    }
    reply[size] = '\0';
    ck_assert_uint_eq(encoder.divisor, 8);
    ck_assert(!encoder.is_binary);
    ck_assert_ptr_nonnull(strstr((char *)reply, "{\"inertial_message_rate_divisor\":8}\n"));
    ck_assert_ptr_nonnull(strstr((char *)reply, "{\"ping\":{\"interface\":\"USB\""));
    ck_assert_ptr_null(strstr((char *)reply, "nonsense"));
}

END_TEST

START_TEST(firmata_boots_like_a_real_board)
{
    struct encoder_firmata encoder;
    uint8_t bytes[ENCODER_FIRMATA_REPLY_MAX];
    size_t size = encoder_firmata_boot(&encoder, bytes);
    expect_bytes(
        bytes, size,
        "f90205 f079 0205 5300 7400 6100 6e00 6400 6100 7200 6400 4600 6900 7200 6d00 "
        "6100 7400 6100 2e00 6900 6e00 6f00 f7");
    ck_assert(!encoder_firmata_is_reporting(&encoder));
}

END_TEST

static size_t firmata_ask(struct encoder_firmata *encoder, const char *hex, uint8_t *reply)
{
    uint8_t bytes[64];
    size_t size = bytes_of(hex, bytes);
    return encoder_firmata_hear(encoder, bytes, size, reply, ENCODER_FIRMATA_REPLY_MAX);
}

START_TEST(firmata_answers_the_handshake)
{
    struct encoder_firmata encoder;
    uint8_t reply[ENCODER_FIRMATA_REPLY_MAX];
    encoder_firmata_init(&encoder);
    expect_bytes(reply, firmata_ask(&encoder, "F9", reply), "F90205");
    expect_bytes(reply, firmata_ask(&encoder, "F069F7", reply),
                 "F06A 7F7F7F7F7F7F7F7F7F7F7F7F7F7F 000102030405 F7");
    size_t size = firmata_ask(&encoder, "F06BF7", reply);
    const uint8_t pin_14[] = {0x00, 1, 0x0B, 1, 0x01, 1, 0x02, 10, 0x04, 14, 0x7F};
    ck_assert_uint_eq(reply[0], 0xF0);
    ck_assert_uint_eq(reply[1], 0x6C);
    ck_assert_uint_eq(reply[2], 0x7F);
    ck_assert_uint_eq(reply[size - 1], 0xF7);
    bool has_pin = false;
    unsigned pins = 0;
    for (size_t i = 2; i + 1 < size; i++) {
        pins += reply[i] == 0x7F ? 1 : 0;
        has_pin |=
            i + sizeof pin_14 < size && memcmp(reply + i, pin_14, sizeof pin_14) == 0;
        ck_assert_uint_lt(reply[i], 0x80);
    }
    ck_assert(has_pin);
    ck_assert_uint_eq(pins, 20);
}

END_TEST

START_TEST(firmata_reports_only_channels_switched_on)
{
    struct encoder_firmata encoder;
    uint8_t bytes[ENCODER_FIRMATA_REPLY_MAX];
    const unsigned counts[ENCODER_FIRMATA_CHANNEL_COUNT] = {321, 1, 511, 3, 4, 5};
    encoder_firmata_init(&encoder);
    ck_assert_uint_eq(encoder_firmata_scan(&encoder, counts, bytes), 0);
    ck_assert_uint_eq(firmata_ask(&encoder, "F40E02 F07A0A00F7 C001 C201", bytes), 0);
    ck_assert_uint_eq(encoder.interval_ms, 10);
    expect_bytes(bytes, encoder_firmata_scan(&encoder, counts, bytes), "E04102 E27F03");
    firmata_ask(&encoder, "C000", bytes);
    expect_bytes(bytes, encoder_firmata_scan(&encoder, counts, bytes), "E27F03");
    firmata_ask(&encoder, "FF", bytes);
    ck_assert(!encoder_firmata_is_reporting(&encoder));
}

END_TEST

START_TEST(firmata_survives_nonsense)
{
    struct encoder_firmata encoder;
    uint8_t reply[ENCODER_FIRMATA_REPLY_MAX];
    encoder_firmata_init(&encoder);
    /* Stray data, a sysex longer than the buffer, a channel that is not there, a new
     * command inside a message. */
    ck_assert_uint_eq(firmata_ask(&encoder, "010203 CF01 F0 F7", reply), 0);
    uint8_t flood[300];
    memset(flood, 0x11, sizeof flood);
    flood[0] = 0xF0;
    ck_assert_uint_eq(
        encoder_firmata_hear(&encoder, flood, sizeof flood, reply, sizeof reply), 0);
    expect_bytes(reply, firmata_ask(&encoder, "F9", reply), "F90205");
    ck_assert(!encoder_firmata_is_reporting(&encoder));
}

END_TEST

START_TEST(text_lines_have_as_many_fields_as_titles)
{
    uint8_t bytes[ENCODER_TEXT_SIZE_MAX];
    const double gyro[3] = {1.5, -2.25, 0.125};
    const double accel[3] = {0.01, -0.02, 0.99};
    size_t size = encoder_text_inertial(1000000, gyro, accel, bytes);
    const char *expected = "1000000,1.5000,-2.2500,0.1250,0.01000,-0.02000,0.99000\r\n";
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_mem_eq(bytes, expected, size);
    size = encoder_text_inertial_titles(bytes);
    unsigned commas = 0;
    for (size_t i = 0; i < size; i++) {
        commas += bytes[i] == ',' ? 1 : 0;
    }
    ck_assert_uint_eq(commas, 6);
    size = encoder_text_flex(512, bytes);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(bytes, "512\r\n", 5);
}

END_TEST

Suite *encoder_suite(void)
{
    Suite *suite = suite_create("encoder");
    TCase *tests = tcase_create("wire");
    tcase_add_loop_test(tests, ximu3_messages_are_those_of_the_manual, 0,
                        sizeof XIMU3 / sizeof XIMU3[0]);
    tcase_add_test(tests, ximu3_stuffs_line_feeds_and_escapes_everywhere);
    tcase_add_test(tests, ximu3_ascii_is_that_of_the_manual);
    tcase_add_test(tests, ximu3_answers_commands_in_any_chunks);
    tcase_add_test(tests, firmata_boots_like_a_real_board);
    tcase_add_test(tests, firmata_answers_the_handshake);
    tcase_add_test(tests, firmata_reports_only_channels_switched_on);
    tcase_add_test(tests, firmata_survives_nonsense);
    tcase_add_test(tests, text_lines_have_as_many_fields_as_titles);
    suite_add_tcase(suite, tests);
    return suite;
}

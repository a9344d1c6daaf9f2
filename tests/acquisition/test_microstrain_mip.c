#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/units.h"
#include "tests/acquisition/dialogue_support.h"

static const char DRIVER[] = "microstrain-mip";

/* First packets of the public recording mip_data.bin (MIP SDK), and the SDK's example. */
static const char ACK[] = "7565010404f10600da74";
static const char FIRST_PACKET[] =
    "756580300ad500000041d8bae0400ad600000000007a12000e043c8eaf72bbda6818bf7c52e80e05bb46"
    "9ccf39a34c8bbb8be12fd771";
static const char MAGNETIC_PACKET[] = "7565800e0e063d7affd63e919fe83e79ffd6eac9";
static const char FOURTH_PACKET[] =
    "756580300ad500000041d934f2400ad600000000007a12000e043c8d232abbf0c43cbf7c5ef40e05bb5b"
    "4572ba08e007bb9e054eeaed";
static const char SDK_EXAMPLE[] =
    "7565804c0ad5000000055ee67cc00ad6000000014e434a000e043d9ee88d387fdb00bf7aaf030e05bb0c"
    "1e30bb572e68bbaa24ae0e07bc8aac80bc72c50ebcc4e2c10e083eee3d9fbd66daddc0afdef59196";

enum {
    PACKET_BUFFER = 512
};

/* ---- an encoder of the tests ---- */

/* @param payload  Fields as they stand in the packet. */
static size_t packet_make(uint8_t set, const uint8_t *payload, size_t payload_size,
                          uint8_t *packet)
{
    static const uint8_t sync[] = {0x75, 0x65};
    memcpy(packet, sync, 2);
    packet[2] = set;
    packet[3] = (uint8_t)payload_size;
    memcpy(packet + 4, payload, payload_size);
    unsigned first = 0;
    unsigned second = 0;
    for (size_t index = 0; index < payload_size + 4; index++) {
        first = (first + packet[index]) % 256;
        second = (second + first) % 256;
    }
    packet[payload_size + 4] = (uint8_t)first;
    packet[payload_size + 5] = (uint8_t)second;
    return payload_size + 6;
}

static void packet_feed(struct collected *collected, uint8_t set, const char *fields)
{
    uint8_t payload[256];
    uint8_t packet[PACKET_BUFFER];
    size_t size = hex_decode(fields, payload, sizeof payload);
    collected_feed(collected, packet, packet_make(set, payload, size, packet), 0);
}

static const struct sample *sample_of(const struct collected *collected, const char *stream)
{
    unsigned wanted = collected_stream(collected, stream);
    for (size_t index = 0; index < collected->count; index++) {
        if (collected->samples[index].stream == wanted) {
            return &collected->samples[index];
        }
    }
    ck_abort_msg("no sample of %s", stream);
    return NULL;
}

static void check_near(double value, double wanted, double tolerance)
{
    ck_assert_double_eq_tol(value, wanted, tolerance);
}

/* Values as printed by the maker's program, six digits behind the point. */
static void check_inertial(const struct sample *sample, const double acceleration_g[3],
                           const double rate_rad_s[3])
{
    for (unsigned axis = 0; axis < 3; axis++) {
        check_near((double)sample->values[axis] * RAD_PER_DEG, rate_rad_s[axis], 6e-7);
        check_near((double)sample->values[3 + axis], acceleration_g[axis], 6e-7);
    }
}

/* ---- packets ---- */

START_TEST(first_packets_of_a_recording_decode)
{
    static const double acceleration_g[] = {0.017418, -0.006665, -0.985640};
    static const double rate_rad_s[] = {-0.003031, 0.000311, -0.004269};
    static const double magnetic_gauss[] = {0.061279, 0.284423, 0.244140};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, ACK);
    collected_feed_hex(&collected, FIRST_PACKET);
    collected_feed_hex(&collected, MAGNETIC_PACKET);
    collected_feed_hex(&collected, FOURTH_PACKET);
    ck_assert_uint_eq(collected.device.counters.frame_count, 4);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.count, 3);
    ck_assert_uint_eq(collected_count(&collected, 0), 2);
    check_inertial(&collected.samples[0], acceleration_g, rate_rad_s);
    ck_assert_uint_eq(collected.samples[0].device_ticks, 282809000000u);
    ck_assert_uint_eq(collected.samples[2].device_ticks, 282817000000u);
    const struct sample *magnetic = sample_of(&collected, "magnetic");
    for (unsigned axis = 0; axis < 3; axis++) {
        check_near((double)magnetic->values[axis], magnetic_gauss[axis], 6e-7);
    }
    /* Without a time of its own: it came after this one. */
    ck_assert_uint_eq(magnetic->device_ticks, 282809000000u);
    collected_free(&collected);
}

END_TEST

START_TEST(example_of_the_maker_decodes)
{
    static const double acceleration_g[] = {0.077592, 0.000061, -0.979233};
    static const double rate_rad_s[] = {-0.002138, -0.003283, -0.005192};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, SDK_EXAMPLE);
    check_inertial(sample_of(&collected, "inertial"), acceleration_g, rate_rad_s);
    ck_assert_uint_eq(collected.samples[0].device_ticks, 23067000000u);
    /* BC8AAC80 and 3EEE3D9F. */
    check_near((double)sample_of(&collected, "delta_theta")->values[0],
               -0.016928 * DEG_PER_RAD, 6e-7 * DEG_PER_RAD);
    check_near((double)sample_of(&collected, "delta_velocity")->values[0], 0.465314, 6e-7);
    ck_assert_uint_eq(collected.count, 3);
    collected_feed_hex(&collected, "75650100db05");
    ck_assert_uint_eq(collected.device.counters.frame_count, 2);
    ck_assert_uint_eq(collected.count, 3);
    collected_free(&collected);
}

END_TEST

/* "... chk=valid [7565...]" of the maker's example program. */
START_TEST(examples_of_the_maker_have_their_verdicts)
{
    size_t size = 0;
    uint8_t *text = shared_read("captures/mip_packet_examples.txt", &size);
    if (!text) {
        return;
    }
    text[size] = '\0'; /* shared_read leaves room */
    unsigned count = 0;
    for (char *next = strstr((char *)text, "chk="); next; next = strstr(next, "chk=")) {
        bool is_valid = strncmp(next, "chk=valid", 9) == 0;
        char hex[PACKET_BUFFER];
        ck_assert_int_eq(sscanf(next, "chk=%*[a-z] [%511[0-9A-F]]", hex), 1);
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        collected_feed_hex(&collected, hex);
        ck_assert_uint_eq(collected.device.counters.frame_count, is_valid);
        collected_free(&collected);
        next += 4;
        count++;
    }
    ck_assert_uint_ge(count, 10);
    free(text);
}

END_TEST

START_TEST(flipped_bit_gives_no_sample)
{
    static const char *const packets[] = {FIRST_PACKET, MAGNETIC_PACKET, SDK_EXAMPLE};
    uint8_t packet[PACKET_BUFFER];
    static const uint8_t filler[PACKET_BUFFER] = {0};
    size_t size = hex_decode(packets[_i], packet, sizeof packet);
    struct collected intact;
    collected_init(&intact, DRIVER, NULL);
    collected_feed(&intact, packet, size, 0);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct collected collected;
        collected_init(&collected, DRIVER, NULL);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        collected_feed(&collected, packet, size, 0);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_eq(collected.count, 0);
        /* Nor does it cost the next one, whatever length it claimed. */
        collected_feed(&collected, packet, size, 0);
        collected_feed(&collected, filler, sizeof filler, 0);
        ck_assert_uint_eq(collected.count, intact.count);
        collected_free(&collected);
    }
    collected_free(&intact);
}

END_TEST

struct field_case {
    uint8_t set;
    const char *fields;
    const char *stream; /* NULL = no sample at all */
    unsigned channel;
    double value;
};

static const struct field_case FIELD_CASES[] = {
    {0x80, "0E06 3F800000 40000000 40400000", "magnetic", 2, 3.0},
    {0x80, "120A 3F000000 3F000000 3F000000 BF000000", "quaternion", 3, -0.5},
    {0x80, "0E0C 00000000 3FC90FDB 00000000", "euler", 1, 90.0},
    {0x80,
     "2609 3F800000 00000000 00000000 00000000 3F800000 00000000 00000000 00000000 "
     "BF800000",
     "matrix", 8, -1.0},
    {0x80, "0E10 3E800000 00000000 00000000", "north_vector", 0, 0.25},
    {0x80, "0E11 00000000 00000000 BF800000", "up_vector", 2, -1.0},
    {0x80, "0E14 41A00000 41B00000 41A80000", "temperature", 0, 21.0},
    {0x80, "0617 447D5000", "pressure", 0, 1013.25},
    {0x82, "1403 3F800000 00000000 00000000 00000000 0001", "filter_quaternion", 4, 1.0},
    {0x82, "1405 3FC90FDB 00000000 00000000 00000000 0000", NULL, 0, 0.0}, /* too long */
    {0x82, "1005 3FC90FDB 00000000 00000000 0000", "filter_euler", 0, 90.0},
    {0x80, "0E04 3F800000 00000000 00000000", NULL, 0, 0.0}, /* half of the inertial */
    {0x80, "0E05 3F800000 00000000 00000000", NULL, 0, 0.0},
    {0x80, "0E04 3F800000 00000000 00000000 0605 3F800000", NULL, 0, 0.0},
    {0x80, "0E04 7FC00000 00000000 00000000 0E05 00000000 00000000 00000000", NULL, 0, 0.0},
    {0x80, "0ED3 0000000000000000 0001 0002", NULL, 0, 0.0},
    {0x80, "02FF", NULL, 0, 0.0},
    {0xA0, "0AD5 00000000 00000001 0504 010203", NULL, 0, 0.0}, /* system data */
    {0x82, "0E06 3F800000 40000000 40400000", NULL, 0, 0.0},    /* another set's magnetic */
};

START_TEST(fields_go_to_their_streams)
{
    const struct field_case *wanted = &FIELD_CASES[_i];
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    packet_feed(&collected, wanted->set, wanted->fields);
    ck_assert_uint_eq(collected.device.counters.frame_count, 1);
    ck_assert_uint_eq(collected.count, wanted->stream != NULL);
    if (wanted->stream) {
        const struct sample *sample = sample_of(&collected, wanted->stream);
        /* One float after a conversion to degrees. */
        check_near((double)sample->values[wanted->channel], wanted->value, 1e-5);
    }
    collected_free(&collected);
}

END_TEST

START_TEST(fields_must_fill_the_payload)
{
    static const char *const payloads[] = {
        "01", "00", "0104", "0304", "02D5 05", "0AD5 00000000", "02D5 00 02"};
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    packet_feed(&collected, 0x80, payloads[_i]);
    ck_assert_uint_eq(collected.device.counters.frame_count, 0);
    ck_assert_uint_gt(collected.device.counters.skipped_size, 0);
    /* Nothing is held back. */
    collected_feed_hex(&collected, FIRST_PACKET);
    ck_assert_uint_eq(collected_count(&collected, 0), 1);
    collected_free(&collected);
}

END_TEST

START_TEST(overrange_is_flagged)
{
    static const struct {
        const char *field;
        bool is_clipped;
    } cases[] = {
        {"0418 0000", false}, {"0418 0001", true},    {"0418 0004", true},
        {"0418 0010", true},  {"0418 0040", true},    {"0418 0100", false},
        {"0418 1000", false}, {"0518 000100", false},
    };

    char fields[256];
    (void)snprintf(fields, sizeof fields,
                   "0E04 3F800000 00000000 00000000 0E05 00000000 00000000 00000000 %s",
                   cases[_i].field);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    packet_feed(&collected, 0x80, fields);
    ck_assert_uint_eq(collected.count, 1);
    ck_assert_uint_eq((collected.samples[0].flags & SAMPLE_CLIPPED) != 0,
                      cases[_i].is_clipped);
    collected_free(&collected);
}

END_TEST

/* ---- time ---- */

static void inertial_feed(struct collected *collected, uint64_t ticks, bool has_time)
{
    char fields[256];
    char time[32] = "";
    if (has_time) {
        (void)snprintf(time, sizeof time, "0AD5 %016llX", (unsigned long long)ticks);
    }
    (void)snprintf(fields, sizeof fields,
                   "%s 0E04 3F800000 00000000 00000000 0E05 00000000 00000000 00000000",
                   time);
    packet_feed(collected, 0x80, fields);
}

START_TEST(packets_without_time_have_no_clock)
{
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    const struct device *device = &collected.device;
    for (unsigned index = 0; index < 20; index++) {
        inertial_feed(&collected, 0, false);
        collected_feed_hex(&collected, MAGNETIC_PACKET);
    }
    check_float_eq(driver_tick_s(device->driver, &device->context), 0.0);
    for (unsigned index = 0; index < 20; index++) {
        inertial_feed(&collected, 50000000000u + 10000000u * (uint64_t)index, true);
        collected_feed_hex(&collected, MAGNETIC_PACKET);
    }
    ck_assert(driver_tick_s(device->driver, &device->context) > 0.0);
    ck_assert_uint_eq(device->counters.gap_count, 0);
    ck_assert_uint_eq(device->counters.restart_count, 0);
    ck_assert_int_eq(device->newest_ns, 39 * 10000000LL);
    for (size_t index = 0; index < collected.count; index++) {
        ck_assert_uint_eq(collected.samples[index].flags, 0);
    }
    ck_assert_uint_eq(collected.samples[39].device_ticks, 0);
    inertial_feed(&collected, 50290000000u, true);
    ck_assert_uint_eq(device->counters.lost_count, 9);
    inertial_feed(&collected, 1000000u, true);
    ck_assert_uint_eq(device->counters.restart_count, 1);
    collected_free(&collected);
}

END_TEST

/* ---- recordings ---- */

START_TEST(recording_decodes_whole)
{
    size_t size = 0;
    uint8_t *bytes = shared_read("captures/mip_cv7_like_head.bin", &size);
    if (!bytes) {
        return;
    }
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 125.0};
    collected_init(&collected, DRIVER, &settings);
    collected_feed(&collected, bytes, size, 0);
    const struct device_counters *counters = &collected.device.counters;
    ck_assert_uint_eq(counters->frame_count, 886);
    ck_assert_uint_eq(counters->bad_count, 0);
    ck_assert_uint_eq(counters->skipped_size, 0);
    ck_assert_uint_eq(counters->lost_count, 0);
    /* Fields counted by an independent script. */
    ck_assert_uint_eq(collected_count(&collected, 0), 504);
    ck_assert_uint_eq(collected_count(&collected, collected_stream(&collected, "magnetic")),
                      403);
    ck_assert_uint_eq(collected_count(&collected, collected_stream(&collected, "euler")),
                      201);
    ck_assert_uint_eq(
        collected_count(&collected, collected_stream(&collected, "filter_euler")), 79);
    uint64_t last_ticks = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        ck_assert_uint_eq(sample->flags, 0);
        if (sample->stream == 0) {
            ck_assert(last_ticks == 0 || sample->device_ticks == last_ticks + 8000000u);
            last_ticks = sample->device_ticks;
        }
    }
    check_chunk_invariance(DRIVER, &settings, bytes, size, size);
    free(bytes);
    collected_free(&collected);
}

END_TEST

/* ---- streams of the model ---- */

static size_t model_say(struct device_model *model, uint8_t set, const char *field)
{
    uint8_t payload[256];
    uint8_t packet[PACKET_BUFFER];
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    size_t size = hex_decode(field, payload, sizeof payload);
    size = packet_make(set, payload, size, packet);
    return model->type->hear(model, 0, packet, size, answer);
}

/* Constant fields that look like the start of a packet of this very form. */
static void model_prepare(struct device_model *model, struct device_reading *reading)
{
    static const uint8_t sync[] = {0x75, 0x65, 0x80, 0x3C};
    static const uint8_t small[] = {0x0A, 0xD5, 0x75, 0x65};
    memset(reading, 0, sizeof *reading);
    model->type = device_model_find(DRIVER);
    model->type->init(model, 100.0, 1);
    /* Time, acceleration, quaternion, rate, overrange. */
    ck_assert_uint_gt(
        model_say(model, 0x0C, "140F 0180 05 D5000A 04000A 0A000A 05000A 18000A"), 0);
    reading->orientation.w = (double)framing_f32_be(sync);
    reading->orientation.x = (double)framing_f32_be(small);
    reading->orientation.y = (double)framing_f32_be(sync);
    reading->accel_g[2] = 1.0;
    reading->gyro_deg_s[1] = -35.0;
    uint8_t packet[DEVICE_MODEL_OUT_MAX];
    ck_assert_uint_eq(model->type->sample(model, 0, reading, packet),
                      6 + 10 + 14 + 18 + 14 + 4);
    ck_assert_mem_eq(packet + 4 + 10 + 14 + 2, sync, 4);
}

enum {
    MANY_COUNT = 40000
};

enum injury {
    INJURY_FLIP,
    INJURY_CUT,
    INJURY_BYTE,
    INJURY_INSERT,
    INJURY_COUNT
};

static size_t packet_injure(uint8_t *packet, size_t size, uint64_t *random)
{
    size_t place = random_next(random) % size;
    switch ((enum injury)(random_next(random) % INJURY_COUNT)) {
    case INJURY_FLIP:
        packet[place] ^= (uint8_t)(1u << random_next(random) % 8);
        break;
    case INJURY_CUT: {
        /* A lost last byte that equals the next first one is no damage: tested below. */
        place = place == size - 1 ? 0 : place;
        size_t gone = 1 + random_next(random) % (size - place);
        memmove(packet + place, packet + place + gone, size - place - gone);
        return size - gone;
    }
    case INJURY_BYTE:
        packet[place] ^= (uint8_t)(1 + random_next(random) % 255);
        break;
    case INJURY_INSERT:
        memmove(packet + 5, packet + 4, size - 4);
        packet[4] = 0x75;
        return size + 1;
    case INJURY_COUNT:
        break;
    }
    return size;
}

START_TEST(every_intact_packet_is_found)
{
    struct device_model model;
    struct device_reading reading;
    struct collected collected;
    const struct driver_settings settings = {.rate_hz = 100.0};
    collected_init(&collected, DRIVER, &settings);
    model_prepare(&model, &reading);
    uint8_t *is_intact = calloc(MANY_COUNT, 1);
    ck_assert_ptr_nonnull(is_intact);
    uint64_t random = 12;
    size_t wanted = 0;
    for (unsigned index = 0; index < MANY_COUNT; index++) {
        uint8_t packet[DEVICE_MODEL_OUT_MAX];
        size_t size =
            model.type->sample(&model, 10000u * (uint64_t)(index + 1), &reading, packet);
        is_intact[index] = random_next(&random) % 100 != 0 || index + 20 > MANY_COUNT;
        wanted += is_intact[index];
        size = is_intact[index] ? size : packet_injure(packet, size, &random);
        collected_feed(&collected, packet, size, 0);
    }
    size_t found = 0;
    size_t false_count = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != 0) {
            continue;
        }
        uint64_t number = sample->device_ticks / 10000000u - 1;
        bool is_true = sample->device_ticks % 10000000u == 0 && number < MANY_COUNT
                       && is_intact[number];
        found += is_true;
        false_count += !is_true;
    }
    ck_assert_uint_eq(found, wanted);
    ck_assert_uint_eq(false_count, 0);
    free(is_intact);
    collected_free(&collected);
}

END_TEST

/* The borrowed byte belongs to both: neither packet may be lost, nor is anything stray when
 * nothing is lost. */
START_TEST(first_sync_byte_at_the_end_is_shared)
{
    unsigned variant = (unsigned)_i;
    struct device_model model;
    struct device_reading reading;
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    model_prepare(&model, &reading);
    uint8_t packet[DEVICE_MODEL_OUT_MAX];
    size_t size = 0;
    uint64_t index = 0;
    do {
        size = model.type->sample(&model, 10000u * ++index, &reading, packet);
    } while (packet[size - 1] != 0x75);
    size_t lost = variant % 2;
    collected_feed(&collected, packet, size - lost, variant / 2);
    size = model.type->sample(&model, 10000u * ++index, &reading, packet);
    collected_feed(&collected, packet, size, variant / 2);
    ck_assert_uint_eq(collected_count(&collected, 0), 2);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    collected_free(&collected);
}

END_TEST

/* Data, answers and refusals on one line. */
static size_t mixed_make(uint8_t *bytes, unsigned count)
{
    struct device_model model;
    struct device_reading reading;
    model_prepare(&model, &reading);
    size_t size = 0;
    for (unsigned index = 0; index < count; index++) {
        size +=
            model.type->sample(&model, 10000u * (uint64_t)index, &reading, bytes + size);
        if (index % 10 == 3) {
            uint8_t commands[PACKET_BUFFER];
            /* Info, format, and a damaged command, which is refused. */
            size_t used = hex_decode(
                "75650102 0203 E2C8 75650C04 040F0280 7F88 75650C04 04110280 8180",
                commands, sizeof commands);
            size += model.type->hear(&model, 0, commands, used, bytes + size);
        }
    }
    return size;
}

START_TEST(mixed_stream_survives_every_chunking)
{
    static uint8_t bytes[20000];
    size_t size = mixed_make(bytes, 50);
    ck_assert_uint_lt(size, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 50);
    ck_assert_uint_gt(collected.device.counters.frame_count, 50);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 2000);
    check_chunk_invariance(DRIVER, NULL, bytes + 17, 3000, 3000);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 200);
}

END_TEST

/* ---- commands ---- */

/* What the model answers to a command, as hex. */
static void check_setting(struct dialogue *dialogue, const char *command,
                          const char *wanted)
{
    uint8_t bytes[PACKET_BUFFER];
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    uint8_t expected[PACKET_BUFFER];
    size_t size = hex_decode(command, bytes, sizeof bytes);
    size = dialogue_ask(dialogue, bytes, size, answer);
    size_t expected_size = hex_decode(wanted, expected, sizeof expected);
    ck_assert_uint_eq(size, 4 + expected_size + 2);
    ck_assert_mem_eq(answer + 4, expected, expected_size);
}

static const char READ_FORMAT[] = "75650C04 040F0280 7F88";
static const char READ_STREAM[] = "75650C04 04110280 818E";

START_TEST(commands_are_those_of_the_manual)
{
    static const char *const wanted[] = {
        "7565010202 02 E1C7",
        "7565010202 01 E0C6",
        "7565010202 03 E2C8",
        "75650C03 030E80",
        "75650C04 040F0280 7F88",
        "75650C04 04110280 818E",
        "75650C0E0E 0F 01 80 03 D5000A 04000A 05000A 91CE",
        "75650C04 040F0280 7F88",
        "75650C0505 11 01 80 01 8318",
        "7565010202 06 E5CB",
    };

    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    for (unsigned index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        while (dialogue.command_count == index) {
            dialogue_run(&dialogue, 1);
        }
        uint8_t expected[64];
        size_t size = hex_decode(wanted[index], expected, sizeof expected);
        ck_assert_mem_eq(dialogue.command, expected, size);
    }
    dialogue_run(&dialogue, 2000);
    ck_assert_uint_eq(dialogue.command_count, sizeof wanted / sizeof wanted[0]);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(device_is_configured_and_restored)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 125.0, 50.0);
    if (_i) {
        model_say(&dialogue.model, 0x0C, "0511 018000"); /* found silent */
    }
    struct device *device = &dialogue.collected.device;
    dialogue_run(&dialogue, 2000);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50008 040008 050008");
    check_setting(&dialogue, READ_STREAM, "04F11100 04858001");
    check_float_eq(driver_rate_hz(device->driver, &device->context), 125.0);
    ck_assert_str_eq(device->driver->identity_get(&device->context),
                     "3DM-CV7-AHRS 6286.004711, firmware 1.1.04");
    unsigned notice_count = 0;
    dialogue_notice(&dialogue, &notice_count);
    ck_assert_uint_eq(notice_count, 0);
    /* 2 s less the dialogue. */
    ck_assert_uint_ge(collected_count(&dialogue.collected, 0), 240);
    ck_assert_uint_eq(device->counters.skipped_size, 0);
    ck_assert_uint_eq(device->counters.bad_count, 0);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 3);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50014 040014 050014");
    check_setting(&dialogue, READ_STREAM, _i ? "04F11100 04858000" : "04F11100 04858001");
    unsigned command_count = dialogue.command_count;
    dialogue_run(&dialogue, 2000);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 0);
    ck_assert_uint_eq(dialogue.command_count, command_count);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(lower_rate_is_accepted_and_told)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 1000.0, 0.0);
    const struct device *device = &dialogue.collected.device;
    dialogue_run(&dialogue, 2000);
    /* The model's line carries 11520 bytes a second: 44 bytes 250 times. */
    check_float_eq(driver_rate_hz(device->driver, &device->context), 250.0);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "asked for 1000 Hz, the sensor set 250 Hz");
    ck_assert_uint_eq(notice_count, 3); /* two refusals, then this */
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(rate_between_the_steps_is_told)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 150.0, 0.0);
    dialogue_run(&dialogue, 1000);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "asked for 150 Hz, the sensor set 142.9 Hz");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(lost_answers_and_commands_are_repeated)
{
    for (unsigned before = 0; before < 10; before++) {
        struct dialogue dialogue;
        dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
        while (dialogue.command_count < before) {
            dialogue_run(&dialogue, 1);
        }
        *(_i ? &dialogue.answers_lost : &dialogue.commands_lost) = 2;
        dialogue_run(&dialogue, 4000);
        check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D5000A 04000A 05000A");
        ck_assert_uint_eq(dialogue.command_count, 10 + 2);
        dialogue_stop(&dialogue);
        check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50014 040014 050014");
        dialogue_free(&dialogue);
    }
}

END_TEST

START_TEST(late_answer_is_none_to_the_next_command)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    while (dialogue.command_count < 6) {
        dialogue_run(&dialogue, 1);
    }
    /* The format is being written, but not heard; a second answer to its reading comes. */
    dialogue.commands_lost = 1;
    while (dialogue.command_count < 7) {
        dialogue_run(&dialogue, 1);
    }
    packet_feed(&dialogue.collected, 0x0C, "04F10F00 0D8F8003 D50014 040014 050014");
    dialogue_run(&dialogue, 2000);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D5000A 04000A 05000A");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(mute_device_is_asked_three_times_each)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue.commands_lost = 1000;
    dialogue_run(&dialogue, 499);
    ck_assert_uint_eq(dialogue.command_count, 1);
    dialogue_run(&dialogue, 60000);
    /* Without format and stream as found neither is changed: six questions, resume. */
    ck_assert_uint_eq(dialogue.command_count, 7 * 3);
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "settings could not be read: the sensor is read as it is");
    ck_assert_uint_eq(notice_count, 1);
    /* Resume. */
    ck_assert_uint_eq(dialogue_stop(&dialogue), 1);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(unread_setting_is_left_alone)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 125.0, 50.0);
    /* The answers to the reading of the format, or of the stream, are lost. */
    while (dialogue.command_count < (_i ? 5 : 4)) {
        dialogue_run(&dialogue, 1);
    }
    dialogue.answers_lost = 3;
    dialogue_run(&dialogue, 5000);
    check_setting(&dialogue, READ_FORMAT,
                  _i ? "04F10F00 0D8F8003 D50008 040008 050008"
                     : "04F10F00 0D8F8003 D50014 040014 050014");
    check_setting(&dialogue, READ_STREAM, "04F11100 04858001");
    unsigned notice_count = 0;
    ck_assert_str_eq(dialogue_notice(&dialogue, &notice_count),
                     "settings could not be read: the sensor is read as it is");
    dialogue_stop(&dialogue);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50014 040014 050014");
    check_setting(&dialogue, READ_STREAM, "04F11100 04858001");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(replugged_device_keeps_its_first_settings)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 1000);
    device_interrupt(&dialogue.collected.device);
    dialogue_run(&dialogue, 1000);
    dialogue_stop(&dialogue);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50014 040014 050014");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(other_unit_keeps_its_own_settings)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 1000);
    device_interrupt(&dialogue.collected.device);
    dialogue.model.type->init(&dialogue.model, 25.0, 4712);
    dialogue_run(&dialogue, 1000);
    dialogue_stop(&dialogue);
    check_setting(&dialogue, READ_FORMAT, "04F10F00 0D8F8003 D50028 040028 050028");
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(stop_between_idle_and_resume_resumes)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 0);
    dialogue_free(&dialogue);
    dialogue_init(&dialogue, DRIVER, 100.0, 50.0);
    dialogue_run(&dialogue, 2);
    ck_assert_uint_eq(dialogue_stop(&dialogue), 1);
    size_t count = dialogue.collected.count;
    dialogue_run(&dialogue, 1000);
    ck_assert_uint_ge(dialogue.collected.count, count + 49);
    dialogue_free(&dialogue);
}

END_TEST

START_TEST(refusals_are_told_to_people)
{
    static const struct {
        uint8_t set;
        const char *field;
        const char *notice;
    } cases[] = {
        {0x0C, "04F10F03",
         "the sensor refused command 0C,0F: a parameter is wrong (code 3)"},
        {0x01, "04F10301", "the sensor refused command 01,03: unknown (code 1)"},
        {0x01, "04F10377", "the sensor refused command 01,03: see its manual (code 119)"},
        {0x01, "04F10300", ""},
        {0x80, "04F10303", ""}, /* data, no answer */
        {0x01, "05F1030300", ""},
    };

    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    packet_feed(&collected, cases[_i].set, cases[_i].field);
    unsigned count = 0;
    const struct device *device = &collected.device;
    ck_assert_str_eq(device->driver->notice_get(&device->context, &count),
                     cases[_i].notice);
    ck_assert_uint_eq(count, cases[_i].notice[0] != '\0');
    collected_free(&collected);
}

END_TEST

START_TEST(model_answers_as_the_maker_says)
{
    const struct driver *driver = driver_find(DRIVER);
    struct dialogue dialogue;
    dialogue_init(&dialogue, DRIVER, 100.0, 0.0);
    const struct device *device = &dialogue.collected.device;
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    uint8_t wanted[16];
    size_t size = dialogue_ask(&dialogue, driver->question, driver->question_size, answer);
    /* Vector of the maker's manual. */
    ck_assert_uint_eq(size, hex_decode("75650104 04F10100 D56A", wanted, sizeof wanted));
    ck_assert_mem_eq(answer, wanted, size);
    ck_assert_str_eq(driver->identity_get(&device->context), "");
    collected_feed(&dialogue.collected, answer, size, 0);
    ck_assert_str_ne(driver->identity_get(&device->context), "");
    /* Damaged, unknown, of another set. */
    check_setting(&dialogue, "7565010202 01 E0C7", "04F10102");
    check_setting(&dialogue, "7565010202 55 341A", "04F15501");
    dialogue_free(&dialogue);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("microstrain_mip");
    TCase *packets = tcase_create("packets");
    tcase_add_test(packets, first_packets_of_a_recording_decode);
    tcase_add_test(packets, example_of_the_maker_decodes);
    tcase_add_test(packets, examples_of_the_maker_have_their_verdicts);
    tcase_add_loop_test(packets, flipped_bit_gives_no_sample, 0, 3);
    tcase_add_loop_test(packets, fields_go_to_their_streams, 0,
                        sizeof FIELD_CASES / sizeof FIELD_CASES[0]);
    tcase_add_loop_test(packets, fields_must_fill_the_payload, 0, 7);
    tcase_add_loop_test(packets, overrange_is_flagged, 0, 8);
    tcase_add_test(packets, packets_without_time_have_no_clock);
    suite_add_tcase(suite, packets);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 120);
    tcase_add_test(streams, recording_decodes_whole);
    tcase_add_test(streams, every_intact_packet_is_found);
    tcase_add_loop_test(streams, first_sync_byte_at_the_end_is_shared, 0, 4);
    tcase_add_test(streams, mixed_stream_survives_every_chunking);
    suite_add_tcase(suite, streams);
    TCase *commands = tcase_create("commands");
    tcase_add_test(commands, commands_are_those_of_the_manual);
    tcase_add_loop_test(commands, device_is_configured_and_restored, 0, 2);
    tcase_add_test(commands, lower_rate_is_accepted_and_told);
    tcase_add_test(commands, rate_between_the_steps_is_told);
    tcase_add_loop_test(commands, lost_answers_and_commands_are_repeated, 0, 2);
    tcase_add_test(commands, late_answer_is_none_to_the_next_command);
    tcase_add_test(commands, mute_device_is_asked_three_times_each);
    tcase_add_loop_test(commands, unread_setting_is_left_alone, 0, 2);
    tcase_add_test(commands, replugged_device_keeps_its_first_settings);
    tcase_add_test(commands, other_unit_keeps_its_own_settings);
    tcase_add_test(commands, stop_between_idle_and_resume_resumes);
    tcase_add_loop_test(commands, refusals_are_told_to_people, 0, 6);
    tcase_add_test(commands, model_answers_as_the_maker_says);
    suite_add_tcase(suite, commands);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "simulation/model_witmotion.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "witmotion";

enum {
    FRAME_SIZE = 11
};

static const struct device_model_type *model_type(void)
{
    const struct device_model_type *type = device_model_find(DRIVER);
    ck_assert_ptr_nonnull(type);
    return type;
}

static void model_start(struct device_model *model, uint16_t content, uint16_t rate)
{
    memset(model, 0, sizeof *model);
    model->type = model_type();
    model->type->init(model, 0.0, 1);
    model_witmotion_register_set(model, 0x02, content);
    model_witmotion_register_set(model, 0x03, rate);
}

/* A movement in which every cycle differs from the others. */
static void reading_make(unsigned cycle, struct device_reading *reading)
{
    double angle_rad = 0.5 * sin(0.01 * cycle);
    memset(reading, 0, sizeof *reading);
    reading->gyro_deg_s[0] = 20.0 + (cycle % 30000) * 2000.0 / 32768.0;
    reading->gyro_deg_s[1] = -3.0;
    reading->accel_g[0] = sin(angle_rad);
    reading->accel_g[2] = cos(angle_rad);
    reading->orientation =
        (struct quaternion){cos(angle_rad / 2), 0.0, sin(angle_rad / 2), 0.0};
    reading->field_ut[0] = 20.0;
    reading->temperature_deg_c = 31.5;
}

/* ---- frames ---- */

struct vector {
    const char *hex;
    const char *stream;
    unsigned count;
    double values[7];
    double tolerance;
};

/* Real frames, by their sources in the device notes (HWT905, JY61P, WT901); the tolerance
 * is half of the last digit quoted there. */
static const struct vector VECTORS[] = {
    {"55 53 04 0C E1 FF 6F F2 CC 46 0B", "angle", 3, {16.897, -0.170, -19.078}, 5e-4},
    {"55 59 23 83 84 ED 5F 03 F1 14 2C",
     "quaternion",
     4,
     {-0.97549, -0.14441, 0.02634, 0.16360},
     5.1e-6},
    {"55 50 18 05 11 0E 34 11 79 00 9F", "time", 7, {2024, 5, 17, 14, 52, 17, 121}, 1e-9},
    {"55 53 69 21 7D F8 E8 C4 82 46 1B", "angle", 3, {46.983, -10.563, -83.101}, 5e-4},
    {"55 51 0C 00 93 02 6D 08 B7 07 7A", "temperature", 1, {19.75}, 1e-5},
    {"55 51 9F FD E8 FF A5 07 35 0B 15", "temperature", 1, {28.69}, 1e-5},
    {"55 51 0C 00 93 02 6D 08 B7 07 7A 55 52 00 00 00 00 00 00 B7 07 65",
     "inertial",
     6,
     {0, 0, 0, 0.0059, 0.3218, 1.0532},
     5.1e-5},
    {"55 51 9F FD E8 FF A5 07 35 0B 15 55 52 00 00 00 00 00 00 35 0B E7",
     "inertial",
     6,
     {0, 0, 0, -0.2974, -0.0117, 0.9556},
     5.1e-5},
    {"55 56 00 00 00 00 00 00 00 00 AB", "pressure", 2, {0, 0}, 1e-9},
    {"55 54 AC F9 3B 0B 86 E7 00 00 01", "magnetometer", 3, {-1620, 2875, -6266}, 1e-9},
};

START_TEST(vector_decodes)
{
    const struct vector *vector = &VECTORS[_i];
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed_hex(&collected, vector->hex);
    unsigned stream = collected_stream(&collected, vector->stream);
    ck_assert_uint_eq(collected_count(&collected, stream), 1);
    ck_assert_uint_eq(collected.device.counters.bad_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, 0);
    const struct sample *sample = &collected.samples[collected.count - 1];
    ck_assert_uint_eq(sample->stream, stream);
    ck_assert_uint_eq(sample->channel_count, vector->count);
    for (unsigned index = 0; index < vector->count; index++) {
        ck_assert_double_eq_tol((double)sample->values[index], vector->values[index],
                                vector->tolerance);
    }
    ck_assert_uint_eq(sample->flags, 0);
    collected_free(&collected);
}

END_TEST

/* All quoted frames: good, none skipped; as one stream and each alone. */
START_TEST(recorded_frames_are_good)
{
    size_t size = 0;
    uint8_t *text = shared_read("captures/witmotion_frames.hex.txt", &size);
    if (!text) {
        return;
    }
    struct collected all;
    collected_init(&all, DRIVER, NULL);
    unsigned frame_count = 0;
    char line[256];
    size_t used = 0;
    for (size_t index = 0; index < size; index++) {
        if (text[index] != '\n' && used + 1 < sizeof line) {
            line[used++] = (char)text[index];
            continue;
        }
        line[used] = '\0';
        if (used == (size_t)2 * FRAME_SIZE && line[0] == '5') {
            struct collected one;
            collected_init(&one, DRIVER, NULL);
            collected_feed_hex(&one, line);
            ck_assert_uint_eq(one.device.counters.frame_count, 1);
            collected_free(&one);
            collected_feed_hex(&all, line);
            frame_count++;
        }
        used = 0;
    }
    ck_assert_uint_eq(frame_count, 18);
    ck_assert_uint_eq(all.device.counters.frame_count, 18);
    ck_assert_uint_eq(all.device.counters.skipped_size, 0);
    ck_assert_uint_eq(collected_count(&all, collected_stream(&all, "inertial")), 3);
    ck_assert_str_eq(all.device.driver->identity_get(&all.device.context),
                     "WitMotion, firmware 18124");
    collected_free(&all);
    free(text);
}

END_TEST

START_TEST(flipped_bit_gives_no_sample)
{
    struct device_model model;
    struct device_reading reading;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, 0x25F, 9);
    reading_make(17, &reading);
    size_t size = model.type->sample(&model, 0, &reading, bytes);
    ck_assert_uint_eq(size, 7 * FRAME_SIZE);
    struct collected whole;
    collected_init(&whole, DRIVER, NULL);
    collected_feed(&whole, bytes, size, 0);
    ck_assert_uint_eq(whole.device.counters.frame_count, 7);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct collected flipped;
        collected_init(&flipped, DRIVER, NULL);
        collected_feed(&flipped, bytes, size, 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* The other six, and never another in place of the damaged one. */
        ck_assert_uint_eq(flipped.device.counters.frame_count, 6);
        ck_assert_uint_lt(flipped.count, whole.count);
        /* Counted where it follows a good frame and is still seen to be one. */
        bool is_counted = bit / 8 >= FRAME_SIZE && bit / 8 % FRAME_SIZE >= 2;
        ck_assert_uint_ge(flipped.device.counters.bad_count, is_counted);
        ck_assert_uint_le(flipped.device.counters.bad_count, bit / 8 >= FRAME_SIZE);
        collected_free(&flipped);
    }
    collected_free(&whole);
}

END_TEST

static size_t stream_make(uint16_t content, unsigned cycle_count, uint8_t *bytes,
                          size_t capacity)
{
    struct device_model model;
    model_start(&model, content, 9);
    size_t size = 0;
    for (unsigned cycle = 0; cycle < cycle_count; cycle++) {
        struct device_reading reading;
        reading_make(cycle, &reading);
        ck_assert_uint_lt(size + DEVICE_MODEL_OUT_MAX, capacity);
        size += model.type->sample(&model, 10000u * cycle, &reading, bytes + size);
    }
    return size;
}

START_TEST(stream_survives_every_chunking)
{
    static uint8_t bytes[40000];
    size_t size = stream_make(0x20F, 600, bytes, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 600);
    ck_assert_uint_eq(collected.device.counters.lost_count, 0);
    collected_free(&collected);
    check_chunk_invariance(DRIVER, NULL, bytes, size, 300);
    for (size_t place = 0; place < size; place += 97) {
        bytes[place] ^= 0x55;
    }
    check_chunk_invariance(DRIVER, NULL, bytes, size, 300);
}

END_TEST

START_TEST(damage_is_survived)
{
    static uint8_t bytes[20000];
    size_t size = stream_make(0x20F, 200, bytes, sizeof bytes);
    check_damage_is_survived(DRIVER, NULL, bytes, size, 300);
}

END_TEST

/* ---- cycles ---- */

/* One frame type of one cycle does not come: what needs it is a gap of one. */
START_TEST(missing_frame_counts)
{
    static const uint8_t types[] = {0x51, 0x52, 0x53, 0x59};
    static const char *const streams[] = {"inertial", "inertial", "angle", "quaternion"};
    static uint8_t bytes[8000];
    size_t size = stream_make(0x20E, 30, bytes, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (size_t place = 0; place < size; place += FRAME_SIZE) {
        size_t cycle = place / FRAME_SIZE / 4;
        if (cycle != 12 || bytes[place + 1] != types[_i]) {
            collected_feed(&collected, bytes + place, FRAME_SIZE, 0);
        }
    }
    unsigned stream = collected_stream(&collected, streams[_i]);
    unsigned seen = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        if (sample->stream != stream) {
            continue;
        }
        ck_assert_uint_eq(sample->sequence, seen < 12 ? seen + 1 : seen + 2);
        ck_assert_uint_eq(sample->flags, seen == 12 ? SAMPLE_GAP_BEFORE : 0);
        seen++;
    }
    ck_assert_uint_eq(seen, 29);
    ck_assert_uint_eq(collected.device.counters.lost_count, stream == 0 ? 1 : 0);
    collected_free(&collected);
}

END_TEST

START_TEST(start_within_a_cycle_is_no_gap)
{
    static uint8_t bytes[8000];
    size_t size = stream_make(0x20E, 30, bytes, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes + FRAME_SIZE + 4, size - FRAME_SIZE - 4, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 29);
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    ck_assert_uint_eq(collected.device.counters.skipped_size, FRAME_SIZE - 4);
    collected_free(&collected);
}

END_TEST

START_TEST(no_gyroscope_no_inertial_sample)
{
    static uint8_t bytes[8000];
    size_t size = stream_make(0x0A, 30, bytes, sizeof bytes);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, size, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 0);
    ck_assert_uint_eq(collected_count(&collected, collected_stream(&collected, "angle")),
                      30);
    collected_free(&collected);
}

END_TEST

START_TEST(full_scale_is_clipped)
{
    static const struct {
        double accel_g;
        double gyro_deg_s;
        bool is_clipped;
    } cases[] = {{0.9, 10.0, false},  {17.0, 10.0, true},   {-17.0, 10.0, true},
                 {0.9, 2100.0, true}, {0.9, -2100.0, true}, {15.9, 1990.0, false}};
    struct device_model model;
    struct device_reading reading;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, 0x06, 9);
    reading_make(0, &reading);
    reading.accel_g[1] = cases[_i].accel_g;
    reading.gyro_deg_s[2] = cases[_i].gyro_deg_s;
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, bytes, model.type->sample(&model, 0, &reading, bytes), 0);
    size_t place = collected.count - 1;
    ck_assert_uint_eq(collected.samples[place].stream, 0);
    ck_assert_uint_eq(collected.samples[place].flags,
                      cases[_i].is_clipped ? SAMPLE_CLIPPED : 0);
    collected_free(&collected);
}

END_TEST

/* ---- what people are told ---- */

START_TEST(zeroed_gyroscope_is_told_once)
{
    struct device_model model;
    struct device_reading reading;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, 0x06, 9);
    if (_i == 1) {
        model_witmotion_auto_zero_set(&model, false);
    }
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned cycle = 0; cycle < 400; cycle++) {
        reading_make(0, &reading);
        bool is_still = cycle % 200 > 20;
        reading.gyro_deg_s[0] = is_still ? 0.2 : 30.0;
        reading.gyro_deg_s[1] = 0.1;
        size_t size = model.type->sample(&model, 10000u * cycle, &reading, bytes);
        collected_feed(&collected, bytes, size, 0);
    }
    unsigned count = 0;
    const char *notice =
        collected.device.driver->notice_get(&collected.device.context, &count);
    ck_assert_uint_eq(count, _i == 1 ? 0 : 1);
    ck_assert_int_eq(strstr(notice, "0 deg/s") != NULL, _i != 1);
    unsigned zeros = 0;
    for (size_t index = 0; index < collected.count; index++) {
        const struct sample *sample = &collected.samples[index];
        ck_assert_uint_eq(sample->flags, 0);
        zeros += sample->stream == 0 && sample->values[0] == 0.0F
                 && sample->values[1] == 0.0F && sample->values[2] == 0.0F;
    }
    ck_assert_int_eq(zeros > 300, _i != 1);
    collected_free(&collected);
}

END_TEST

START_TEST(bluetooth_frames_are_told)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    uint8_t frame[20] = {0x55, 0x61};
    for (unsigned index = 2; index < sizeof frame; index++) {
        frame[index] = (uint8_t)(7 * index);
    }
    unsigned count = 0;
    const struct driver *driver = collected.device.driver;
    for (unsigned round = 0; round < 20; round++) {
        driver->notice_get(&collected.device.context, &count);
        ck_assert_uint_eq(count, round < 8 ? 0 : 1);
        collected_feed(&collected, frame, sizeof frame, 3);
    }
    ck_assert_ptr_nonnull(
        strstr(driver->notice_get(&collected.device.context, &count), "55 61"));
    ck_assert_uint_eq(collected.count, 0);
    ck_assert_uint_eq(collected.device.counters.frame_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(bluetooth_mark_in_good_frames_is_nothing)
{
    /* 55 61 as an acceleration: 0x6155 = 12.166 g. */
    struct device_model model;
    struct device_reading reading;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    model_start(&model, 0x06, 9);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    for (unsigned cycle = 0; cycle < 50; cycle++) {
        reading_make(cycle, &reading);
        reading.accel_g[1] = 0x6155 / 2048.0;
        size_t size = model.type->sample(&model, 0, &reading, bytes);
        if (cycle % 2 == 0) {
            bytes[3] ^= 0x10;
        }
        collected_feed(&collected, bytes, size, 0);
    }
    unsigned count = 7;
    collected.device.driver->notice_get(&collected.device.context, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(collected_count(&collected, 0), 25);
    collected_free(&collected);
}

END_TEST

/* ---- resynchronisation ---- */

enum {
    LONG_CYCLES = 13000, /* of three frames */
    LONG_SIZE = LONG_CYCLES * 3 * (FRAME_SIZE + 8)
};

/* What must come out: stream and a number that no other cycle has. */
struct expected {
    uint8_t stream;
    float value;
};

struct long_stream {
    uint8_t *bytes;
    size_t size;
    struct expected *expected;
    size_t count;
    unsigned damaged_count;
};

/* Damage one frame: a bit, a cut, or junk behind a cut.
 * @return Its new size. */
static size_t frame_damage(uint8_t *frame, uint64_t *random)
{
    size_t size = FRAME_SIZE;
    switch (random_next(random) % 3) {
    case 0:
        frame[random_next(random) % FRAME_SIZE] ^= (uint8_t)(1u << random_next(random) % 8);
        break;
    case 1:
        size = 1 + random_next(random) % (FRAME_SIZE - 1);
        break;
    default:
        size = 1 + random_next(random) % (FRAME_SIZE - 1);
        for (unsigned index = 0; index < 5; index++) {
            frame[size++] = (uint8_t)(random_next(random) % 3 ? 0x55 : 0x51);
        }
        break;
    }
    return size;
}

static void frame_add(struct long_stream *stream, const uint8_t *frame, unsigned cycle,
                      bool *has_accelerometer, uint64_t *random)
{
    uint8_t copy[2 * FRAME_SIZE];
    memcpy(copy, frame, FRAME_SIZE);
    size_t size = FRAME_SIZE;
    bool is_damaged = random_next(random) % 100 == 0;
    if (is_damaged) {
        size = frame_damage(copy, random);
        stream->damaged_count++;
    }
    memcpy(stream->bytes + stream->size, copy, size);
    stream->size += size;
    if (frame[1] == 0x51) {
        *has_accelerometer = !is_damaged;
        return;
    }
    if (is_damaged || (frame[1] == 0x52 && !*has_accelerometer)) {
        return;
    }
    bool is_inertial = frame[1] == 0x52;
    double scale = is_inertial ? 2000.0 / 32768.0 : 180.0 / 32768.0;
    stream->expected[stream->count++] =
        (struct expected){is_inertial ? 0 : 1, (float)(cycle % 30000 * scale)};
}

static void long_stream_make(struct long_stream *stream)
{
    struct device_model model;
    uint64_t random = 0xC0FFEE;
    memset(stream, 0, sizeof *stream);
    stream->bytes = malloc(LONG_SIZE);
    stream->expected = malloc(sizeof *stream->expected * 3 * LONG_CYCLES);
    ck_assert(stream->bytes && stream->expected);
    model_start(&model, 0x0E, 9);
    bool has_accelerometer = false;
    for (unsigned cycle = 0; cycle < LONG_CYCLES; cycle++) {
        struct device_reading reading;
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        reading_make(cycle, &reading);
        reading.gyro_deg_s[0] -= 20.0;
        double roll_rad = (cycle % 30000) / 32768.0 * PI_RAD;
        reading.orientation =
            (struct quaternion){cos(roll_rad / 2), sin(roll_rad / 2), 0.0, 0.0};
        /* Bytes 55 51, 55 53 and 55 52 in every frame, always at the same places. */
        reading.accel_g[1] = 0x5155 / 2048.0;
        reading.temperature_deg_c = 0x5255 / 100.0;
        reading.gyro_deg_s[2] = 0x5355 * 2000.0 / 32768.0;
        size_t size = model.type->sample(&model, 0, &reading, bytes);
        ck_assert_uint_eq(size, 3 * FRAME_SIZE);
        for (size_t place = 0; place < size; place += FRAME_SIZE) {
            frame_add(stream, bytes + place, cycle, &has_accelerometer, &random);
        }
    }
}

static bool is_expected(const struct sample *sample, const struct expected *expected)
{
    return sample->stream == expected->stream && sample->values[0] == expected->value;
}

/* The expected samples all come, in order, and next to none besides. */
START_TEST(every_intact_frame_is_found)
{
    struct long_stream stream;
    long_stream_make(&stream);
    ck_assert_uint_gt(stream.damaged_count, LONG_CYCLES * 3 / 200);
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    collected_feed(&collected, stream.bytes, stream.size, 4096);
    size_t next = 0;
    size_t missing = 0;
    size_t extra = 0;
    for (size_t index = 0; index < collected.count; index++) {
        if (collected.samples[index].stream > 1) {
            continue;
        }
        size_t place = next;
        while (place < stream.count && place < next + 30
               && !is_expected(&collected.samples[index], &stream.expected[place])) {
            place++;
        }
        bool is_found = place < stream.count && place < next + 30;
        missing += is_found ? place - next : 0;
        extra += !is_found;
        next = is_found ? place + 1 : next;
    }
    /* The last frame may wait for what follows it. */
    ck_assert_uint_ge(next + 1, stream.count);
    ck_assert_uint_eq(missing, 0);
    /* A flipped bit is always seen; of frames cut and filled with junk, one in 256 has the
     * right sum by chance: four times that leaves room for it. */
    ck_assert_uint_le(extra, stream.damaged_count / 64);
    free(stream.bytes);
    free(stream.expected);
    collected_free(&collected);
}

END_TEST

/* ---- the dialogue ---- */

struct dialogue {
    struct collected collected;
    struct device_model model;
    uint64_t now_us;
    uint64_t next_us;
    unsigned sent_count; /* commands */
    double slowest_hz;   /* lowest rate that the driver told; 0 = none yet */
};

static void dialogue_init(struct dialogue *dialogue, double rate_hz)
{
    const struct driver_settings settings = {.rate_hz = rate_hz};
    memset(dialogue, 0, sizeof *dialogue);
    collected_init(&dialogue->collected, DRIVER, &settings);
    model_start(&dialogue->model, 0x1E, 6);
}

static void dialogue_hear(struct dialogue *dialogue, const uint8_t *bytes, size_t size)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size =
        dialogue->model.type->hear(&dialogue->model, dialogue->now_us, bytes, size, reply);
    collected_feed(&dialogue->collected, reply, reply_size, 0);
}

static void rate_watch(struct dialogue *dialogue)
{
    const struct device *device = &dialogue->collected.device;
    double rate_hz = driver_rate_hz(device->driver, &device->context);
    bool is_slowest = dialogue->slowest_hz == 0.0 || rate_hz < dialogue->slowest_hz;
    if (rate_hz > 0.0 && is_slowest) {
        dialogue->slowest_hz = rate_hz;
    }
}

static void dialogue_run(struct dialogue *dialogue, double seconds)
{
    struct device *device = &dialogue->collected.device;
    const struct device_model_type *type = dialogue->model.type;
    uint64_t end_us = dialogue->now_us + (uint64_t)(seconds * 1e6);
    for (; dialogue->now_us < end_us; dialogue->now_us += 1000) {
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        if (dialogue->now_us >= dialogue->next_us) {
            struct device_reading reading;
            reading_make((unsigned)(dialogue->now_us / 10000), &reading);
            size_t size = type->sample(&dialogue->model, dialogue->now_us, &reading, bytes);
            collected_feed(&dialogue->collected, bytes, size, 0);
            dialogue->next_us += (uint64_t)llround(type->period_s(&dialogue->model) * 1e6);
        }
        size_t size = device->driver->command_next(&device->context,
                                                   (int64_t)dialogue->now_us * 1000, bytes);
        if (size > 0) {
            dialogue->sent_count++;
            dialogue_hear(dialogue, bytes, size);
        }
        rate_watch(dialogue);
    }
}

static void dialogue_stop(struct dialogue *dialogue)
{
    struct device *device = &dialogue->collected.device;
    for (unsigned call = 0; call < DRIVER_STOP_MAX; call++) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        size_t size = device->driver->command_stop(&device->context, bytes);
        ck_assert_uint_le(size, sizeof bytes);
        if (size == 0) {
            return;
        }
        ck_assert_uint_eq(size, 5); /* one command, no filler */
        dialogue_hear(dialogue, bytes, size);
        dialogue->now_us += 25000; /* as capture.c waits */
    }
    uint8_t bytes[DRIVER_COMMAND_MAX];
    ck_assert_uint_eq(device->driver->command_stop(&device->context, bytes), 0);
}

static const char *dialogue_notice(struct dialogue *dialogue, unsigned *count)
{
    struct device *device = &dialogue->collected.device;
    return device->driver->notice_get(&device->context, count);
}

/* Baud code, wanted rate; content, rate code and rate that must result. */
static const struct {
    uint16_t baud;
    double wanted_hz;
    unsigned content;
    unsigned rate;
    double rate_hz;
    const char *notice; /* "" = none */
} SETUPS[] = {
    {6, 100.0, 0x20E, 9, 100.0, ""},
    {6, 200.0, 0x20E, 11, 200.0, ""},
    {6, 0.0, 0x20E, 9, 100.0, ""},
    {6, 400.0, 0x20E, 11, 200.0, "asked for 400 Hz, the sensor sends 200 Hz"},
    {6, 60.0, 0x20E, 8, 50.0, "asked for 60 Hz, the sensor sends 50 Hz"},
    {2, 100.0, 0x206, 7, 20.0, "asked for 100 Hz, the sensor sends 20 Hz; its baud rate"},
    {2, 10.0, 0x20E, 6, 10.0, ""},
    {5, 200.0, 0x06, 11, 200.0, ""},
    {9, 200.0, 0x20E, 11, 200.0, ""},
};

START_TEST(sensor_is_set_and_restored)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, SETUPS[_i].wanted_hz);
    model_witmotion_register_set(&dialogue.model, 0x04, SETUPS[_i].baud);
    dialogue_run(&dialogue, 3.0);
    struct device *device = &dialogue.collected.device;
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x02),
                      SETUPS[_i].content);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), SETUPS[_i].rate);
    ck_assert_double_eq(driver_rate_hz(device->driver, &device->context),
                        SETUPS[_i].rate_hz);
    ck_assert_double_eq(device->rate_hz, SETUPS[_i].rate_hz);
    unsigned count = 0;
    const char *notice = dialogue_notice(&dialogue, &count);
    ck_assert_uint_eq(count, SETUPS[_i].notice[0] != '\0');
    ck_assert_ptr_nonnull(strstr(notice, SETUPS[_i].notice));
    ck_assert_str_eq(device->driver->identity_get(&device->context),
                     "WitMotion, firmware 18124");
    dialogue_stop(&dialogue);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x02), 0x1E);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), 6);
    collected_free(&dialogue.collected);
}

END_TEST

START_TEST(sensor_that_is_set_already_is_left_alone)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 100.0);
    model_start(&dialogue.model, 0x20E, 9);
    dialogue_run(&dialogue, 3.0);
    ck_assert_uint_eq(dialogue.sent_count, 2); /* questions */
    uint8_t bytes[DRIVER_COMMAND_MAX];
    struct device *device = &dialogue.collected.device;
    ck_assert_uint_eq(device->driver->command_stop(&device->context, bytes), 0);
    collected_free(&dialogue.collected);
}

END_TEST

/* Other registers may look like content, rate and baud. */
START_TEST(rate_is_only_told_by_the_rate_register)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 100.0);
    dialogue_run(&dialogue, 3.0);
    ck_assert_double_eq(dialogue.slowest_hz, 10.0); /* as found */
    collected_free(&dialogue.collected);
}

END_TEST

START_TEST(refusal_is_told)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 100.0);
    model_witmotion_lock_set(&dialogue.model, true);
    dialogue_run(&dialogue, 5.0);
    unsigned count = 0;
    const char *notice = dialogue_notice(&dialogue, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_ptr_nonnull(strstr(notice, "refuses settings"));
    ck_assert_ptr_nonnull(strstr(notice, "10 Hz"));
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), 6);
    struct device *device = &dialogue.collected.device;
    ck_assert_double_eq(driver_rate_hz(device->driver, &device->context), 10.0);
    collected_free(&dialogue.collected);
}

END_TEST

START_TEST(silence_is_told_and_nothing_written)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 100.0);
    model_witmotion_mute_set(&dialogue.model, true);
    dialogue_run(&dialogue, 5.0);
    ck_assert_uint_eq(dialogue.sent_count, 3);
    unsigned count = 0;
    ck_assert_ptr_nonnull(strstr(dialogue_notice(&dialogue, &count), "does not answer"));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x02), 0x1E);
    struct device *device = &dialogue.collected.device;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    ck_assert_uint_eq(device->driver->command_stop(&device->context, bytes), 0);
    ck_assert_uint_gt(collected_count(&dialogue.collected, 0), 40);
    collected_free(&dialogue.collected);
}

END_TEST

/* Unplugged and plugged in while powered: it is asked again, yet what was found first is
 * what is put back. */
START_TEST(replugged_sensor_is_restored_to_the_first_state)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 50.0);
    dialogue_run(&dialogue, 2.0);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), 8);
    device_interrupt(&dialogue.collected.device);
    dialogue_run(&dialogue, 2.0);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), 8);
    dialogue_stop(&dialogue);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x02), 0x1E);
    ck_assert_uint_eq(model_witmotion_register_get(&dialogue.model, 0x03), 6);
    collected_free(&dialogue.collected);
}

END_TEST

START_TEST(question_gets_an_answer)
{
    struct dialogue dialogue;
    dialogue_init(&dialogue, 100.0);
    const struct driver *driver = dialogue.collected.device.driver;
    dialogue_hear(&dialogue, driver->question, driver->question_size);
    ck_assert_uint_eq(dialogue.collected.device.counters.frame_count, 1);
    const struct sample *sample = &dialogue.collected.samples[0];
    ck_assert_uint_eq(sample->stream, collected_stream(&dialogue.collected, "registers"));
    check_float_eq(sample->values[0], 0x1E);
    check_float_eq(sample->values[1], 6);
    check_float_eq(sample->values[2], 6);
    collected_free(&dialogue.collected);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("witmotion");
    TCase *frames = tcase_create("frames");
    tcase_add_loop_test(frames, vector_decodes, 0, sizeof VECTORS / sizeof VECTORS[0]);
    tcase_add_test(frames, recorded_frames_are_good);
    tcase_add_test(frames, flipped_bit_gives_no_sample);
    tcase_add_test(frames, stream_survives_every_chunking);
    tcase_add_test(frames, damage_is_survived);
    tcase_add_test(frames, every_intact_frame_is_found);
    tcase_set_timeout(frames, 60);
    suite_add_tcase(suite, frames);
    TCase *cycles = tcase_create("cycles");
    tcase_add_loop_test(cycles, missing_frame_counts, 0, 4);
    tcase_add_test(cycles, start_within_a_cycle_is_no_gap);
    tcase_add_test(cycles, no_gyroscope_no_inertial_sample);
    tcase_add_loop_test(cycles, full_scale_is_clipped, 0, 6);
    tcase_add_loop_test(cycles, zeroed_gyroscope_is_told_once, 0, 2);
    tcase_add_test(cycles, bluetooth_frames_are_told);
    tcase_add_test(cycles, bluetooth_mark_in_good_frames_is_nothing);
    suite_add_tcase(suite, cycles);
    TCase *dialogue = tcase_create("dialogue");
    tcase_add_loop_test(dialogue, sensor_is_set_and_restored, 0,
                        sizeof SETUPS / sizeof SETUPS[0]);
    tcase_add_test(dialogue, sensor_that_is_set_already_is_left_alone);
    tcase_add_test(dialogue, rate_is_only_told_by_the_rate_register);
    tcase_add_test(dialogue, refusal_is_told);
    tcase_add_test(dialogue, silence_is_told_and_nothing_written);
    tcase_add_test(dialogue, replugged_sensor_is_restored_to_the_first_state);
    tcase_add_test(dialogue, question_gets_an_answer);
    suite_add_tcase(suite, dialogue);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Whatever damage surrounds it, an intact frame is never lost: for every driver whose
 * frames carry a checksum, many frames of the model of its device, 1 % of them damaged,
 * with the format's own start bytes in fields that stay the same. What the driver decodes
 * from the undamaged stream is what must come out.
 *
 * LIMBER_RESYNC_FRAMES: frames of each driver (default 40000); LIMBER_RESYNC_SEED: other
 * frames and other damage (default 0); LIMBER_RESYNC_TABLE: prints a table of what
 * happened.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/units.h"
#include "tests/acquisition/driver_support.h"
#include "tests/support/model_line.h"

enum {
    FRAMES_DEFAULT = 40000,
    DAMAGED_ONE_IN = 100,
    VALUE_COUNT = 6,
    STREAM_SEEN_MAX = 2,
    RING_SIZE = 256,
    TAIL_FRAMES = 64, /* the last are not judged: they may wait for what follows */
    OPENING_MS = 3000,
    GROWTH_MAX = 8, /* bytes that damage adds at most */
    CLEAN_SIZE = 1 << 18
};

/* ---- the formats ---- */

/* A stream that is compared. */
struct seen_stream {
    const char *name; /* NULL = no further one */
    bool needs_burst; /* its samples need the earlier frames of the instant, too */
};

struct format {
    const char *driver;
    struct driver_settings settings;
    struct seen_stream streams[STREAM_SEEN_MAX];
    /* Make some readings such that they look like the start of a frame on the wire. */
    void (*disguise)(struct device_reading *reading);
    /* What no reading can do, on the wire; NULL = nothing. */
    void (*patch)(uint8_t *burst, size_t size);
    uint8_t start[2]; /* those bytes */
    /* Share of the damaged frames that may give something wrong: 1 / (values of its
     * checksum), with room for chance. */
    double false_share;
    /* Frames of which one may be lost, or give something wrong though single bits flipped:
     * an intact frame beside damage cannot always be told from one whose checksum fits by
     * chance. */
    unsigned frames_per_accident;
};

static void disguise_witmotion(struct device_reading *reading)
{
    reading->accel_g[1] = 0x5155 / 2048.0;
    reading->temperature_deg_c = 0x5255 / 100.0;
    reading->gyro_deg_s[2] = 0x5355 * 2000.0 / 32768.0;
}

/* Magnetometer: FA FF 36 40 10 20, as the messages begin. */
static void patch_mti(uint8_t *burst, size_t size)
{
    static const uint8_t field[8] = {0x0A, 0xFA, 0xFF, 0x36, 0x40, 0x10, 0x20, 0x02};
    memcpy(burst + 53, field, sizeof field);
    burst[size - 1] = (uint8_t)-framing_sum8(burst + 1, size - 2);
}

/* Quaternion, which the sensor does not measure with. */
static void patch_vn100(uint8_t *burst, size_t size)
{
    static const uint8_t start[4] = {0xFA, 0x01, 0x31, 0x01};
    memcpy(burst + 12, start, sizeof start);
    memcpy(burst + 20, start, sizeof start);
    uint16_t crc = framing_crc16(burst + 1, size - 3);
    burst[size - 2] = (uint8_t)(crc >> 8);
    burst[size - 1] = (uint8_t)crc;
}

/* Accelerometer y and z: 75 65 80 26 0A D5, as the packets begin. */
static void patch_mip(uint8_t *burst, size_t size)
{
    static const uint8_t axes[8] = {0x0A, 0x75, 0x65, 0x80, 0x26, 0x0A, 0xD5, 0x00};
    memcpy(burst + 20, axes, sizeof axes);
    uint16_t sums = framing_fletcher8(burst, size - 2);
    burst[size - 2] = (uint8_t)(sums >> 8);
    burst[size - 1] = (uint8_t)sums;
}

/* Inputs 2 and 3 of each scan: F9 and what follows it at the start of a packet, or F8,
 * which begins most answers. */
static void patch_u3(uint8_t *burst, size_t size)
{
    static const uint8_t words[2][4] = {{0xF8, 0xF8, 0xF8, 0xF8}, {0xA9, 0xF9, 0x0C, 0xC0}};
    for (size_t place = 12; place + 8 < size; place += 8) {
        memcpy(burst + place + 4, words[burst[place + 1] % 4 > 0], 4);
    }
    unsigned sum = 0;
    for (size_t place = 6; place < size; place++) {
        sum += burst[place];
    }
    burst[4] = (uint8_t)sum;
    burst[5] = (uint8_t)(sum >> 8);
    /* The 8 bit sum adds its own carries (user's guide 5.1). */
    sum = 0;
    for (size_t place = 1; place < 6; place++) {
        sum += burst[place];
    }
    sum = (sum & 0xFF) + (sum >> 8);
    burst[0] = (uint8_t)((sum & 0xFF) + (sum >> 8));
}

/* More than 8 g, which the sensor does not give: AA in five places in a row. */
static void patch_rvc(uint8_t *burst, size_t size)
{
    memset(burst + 9, 0xAA, 5);
    burst[size - 1] = framing_sum8(burst + 2, size - 3);
}

#define SHARE_8_BIT  0.01
#define SHARE_16_BIT 0.0002

enum {
    ACCIDENT_8_BIT = 500000,
    ACCIDENT_16_BIT = 1000000
};

static const struct format FORMATS[] = {
    {.driver = "xsens-mti",
     .settings = {.rate_hz = 100.0},
     .streams = {{"inertial", false}},
     .patch = patch_mti,
     .start = {0xFA, 0xFF},
     .false_share = SHARE_8_BIT,
     .frames_per_accident = ACCIDENT_8_BIT},
    {.driver = "vectornav-vn100",
     .settings = {.rate_hz = 100.0},
     .streams = {{"inertial", false}},
     .patch = patch_vn100,
     .start = {0xFA, 0x01},
     .false_share = SHARE_16_BIT,
     .frames_per_accident = ACCIDENT_16_BIT},
    {.driver = "microstrain-mip",
     .settings = {.rate_hz = 100.0},
     .streams = {{"inertial", false}},
     .patch = patch_mip,
     .start = {0x75, 0x65},
     .false_share = SHARE_16_BIT,
     .frames_per_accident = ACCIDENT_16_BIT},
    {.driver = "witmotion",
     .settings = {.rate_hz = 100.0},
     .streams = {{"inertial", true}, {"angle", false}},
     .disguise = disguise_witmotion,
     .start = {0x55, 0x51},
     .false_share = SHARE_8_BIT,
     .frames_per_accident = ACCIDENT_8_BIT},
    {.driver = "bno08x-rvc",
     .settings = {.rate_hz = 100.0},
     .streams = {{"angles", false}},
     .patch = patch_rvc,
     .start = {0xAA, 0xAA},
     .false_share = SHARE_8_BIT,
     .frames_per_accident = ACCIDENT_8_BIT},
    {.driver = "labjack-u3",
     .settings = {.rate_hz = 100.0},
     .streams = {{"analog", false}},
     .patch = patch_u3,
     .start = {0xF9, 0x0C},
     .false_share = SHARE_8_BIT,
     .frames_per_accident = ACCIDENT_8_BIT},
};

enum {
    FORMAT_COUNT = sizeof FORMATS / sizeof FORMATS[0]
};

/* ---- readings ---- */

/* @return Uniform in -limit .. limit. */
static double random_within(uint64_t *random, double limit)
{
    return ((double)(random_next(random) >> 11) / 4503599627370496.0 - 1.0) * limit;
}

static void reading_make(const struct format *format, uint64_t *random,
                         struct device_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    for (unsigned axis = 0; axis < 3; axis++) {
        reading->gyro_deg_s[axis] = random_within(random, 300.0);
        reading->accel_g[axis] = random_within(random, 3.0);
        reading->field_ut[axis] = random_within(random, 50.0);
    }
    for (unsigned input = 0; input < DEVICE_MODEL_ANALOG_COUNT; input++) {
        reading->analog_share[input] = 0.5 + random_within(random, 0.4);
    }
    reading->temperature_deg_c = 31.5;
    reading->battery_percent = 85.0;
    struct vector3 axis = {random_within(random, 1.0), random_within(random, 1.0), 1.0};
    reading->orientation =
        quaternion_from_axis_angle(vector3_normalise(axis), random_within(random, PI_RAD));
    if (format->disguise) {
        format->disguise(reading);
    }
}

/* ---- what must come out ---- */

enum fate {
    FATE_MUST,
    FATE_MAY,  /* of a damaged frame: some damage leaves a frame whole */
    FATE_NEVER /* of a frame with a flipped bit */
};

struct expected {
    float values[VALUE_COUNT];
    uint8_t stream;
    enum fate fate;
};

struct storm {
    const struct format *format;
    bool is_flips_only;
    unsigned frames_wanted;
    uint64_t random;
    struct model_line line;
    struct driver_context clean_context; /* reads the undamaged stream */
    struct device device;                /* reads the damaged one */
    unsigned streams[STREAM_SEEN_MAX];
    unsigned stream_count;
    uint8_t *clean;
    bool *is_burst_start; /* of each byte of clean */
    size_t clean_first;
    size_t clean_end;
    size_t opening_left; /* bytes of the opening, which is not damaged */
    enum fate burst_fate;
    struct expected ring[RING_SIZE]; /* did not come out yet, in order */
    unsigned ring_first;
    unsigned ring_count;
    unsigned frame_count;
    unsigned damaged_count;
    unsigned disguised_count; /* bursts with the start bytes inside */
    unsigned burst_count;
    unsigned sample_count; /* that had to come out */
    unsigned lost_count;
    unsigned leaked_count; /* of frames with a flipped bit */
    unsigned false_count;  /* that nothing sent */
};

static int seen_index(const struct storm *storm, unsigned stream)
{
    for (unsigned index = 0; index < storm->stream_count; index++) {
        if (storm->streams[index] == stream) {
            return (int)index;
        }
    }
    return -1;
}

static void ring_drop(struct storm *storm, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        const struct expected *expected =
            &storm->ring[(storm->ring_first + index) % RING_SIZE];
        storm->lost_count += expected->fate == FATE_MUST;
    }
    storm->ring_first = (storm->ring_first + count) % RING_SIZE;
    storm->ring_count -= count;
}

static void expected_push(struct storm *storm, const struct sample *sample, enum fate fate)
{
    if (storm->ring_count == RING_SIZE) {
        ring_drop(storm, 1);
    }
    struct expected *expected =
        &storm->ring[(storm->ring_first + storm->ring_count++) % RING_SIZE];
    expected->stream = sample->stream;
    expected->fate = fate;
    memcpy(expected->values, sample->values, sizeof expected->values);
    storm->sample_count += fate == FATE_MUST;
}

static void storm_take(void *user, const struct sample *sample)
{
    struct storm *storm = user;
    if (seen_index(storm, sample->stream) < 0) {
        return;
    }
    for (unsigned index = 0; index < storm->ring_count; index++) {
        const struct expected *expected =
            &storm->ring[(storm->ring_first + index) % RING_SIZE];
        if (expected->stream != sample->stream
            || memcmp(expected->values, sample->values, sizeof expected->values) != 0) {
            continue;
        }
        storm->leaked_count += expected->fate == FATE_NEVER;
        ring_drop(storm, index);
        storm->ring_first = (storm->ring_first + 1) % RING_SIZE;
        storm->ring_count--;
        return;
    }
    storm->false_count++;
}

/* ---- damage ---- */

enum injury {
    INJURY_FLIP,
    INJURY_END_CUT,
    INJURY_START_CUT,
    INJURY_LOST,   /* a byte within */
    INJURY_INSERT, /* a byte, often one that starts frames */
    INJURY_JUNK,   /* cut, and what starts frames behind the cut */
    INJURY_NOISE,  /* up to eight bytes are others */
    INJURY_COUNT
};

static uint8_t start_byte(const struct storm *storm, uint64_t random)
{
    return random % 3 == 0 ? (uint8_t)(random >> 8) : storm->format->start[random % 2];
}

/* @return New size: up to GROWTH_MAX more. */
static size_t injure(struct storm *storm, enum injury injury, uint8_t *bytes, size_t size)
{
    uint64_t random = random_next(&storm->random);
    size_t place = (random >> 8) % size;
    switch (injury) {
    case INJURY_FLIP:
        bytes[place] ^= (uint8_t)(1u << (random >> 40) % 8);
        return size;
    case INJURY_END_CUT:
        return place;
    case INJURY_START_CUT:
        memmove(bytes, bytes + place, size - place);
        return size - place;
    case INJURY_LOST:
        memmove(bytes + place, bytes + place + 1, size - place - 1);
        return size - 1;
    case INJURY_INSERT:
        memmove(bytes + place + 1, bytes + place, size - place);
        bytes[place] = start_byte(storm, random >> 32);
        return size + 1;
    case INJURY_JUNK:
        for (unsigned index = 0; index < GROWTH_MAX / 2; index++) {
            bytes[place++] = start_byte(storm, random_next(&storm->random) >> 16);
        }
        return place;
    case INJURY_NOISE:
        for (size_t index = place; index < size && index < place + 8; index++) {
            bytes[index] = (uint8_t)(random_next(&storm->random) >> 24);
        }
        return size;
    case INJURY_COUNT:
        break;
    }
    return size;
}

/* Whether the damage might as well have hit a neighbour: together with its bytes the frame
 * is whole again, at the neighbour's cost. No decoder can tell these two apart. */
static bool is_neighbours(const uint8_t *original, size_t size, const uint8_t *damaged,
                          size_t damaged_size)
{
    if (damaged_size >= size) {
        return false;
    }
    size_t gone = size - damaged_size;
    bool is_nexts = memcmp(damaged, original, damaged_size) == 0
                    && memcmp(original + size, original + damaged_size, gone) == 0;
    bool is_lasts = memcmp(damaged, original + gone, damaged_size) == 0
                    && memcmp(original - gone, original, gone) == 0;
    return is_nexts || is_lasts;
}

static enum injury injury_choose(struct storm *storm)
{
    uint64_t random = random_next(&storm->random) >> 16;
    return storm->is_flips_only ? INJURY_FLIP : (enum injury)(random % INJURY_COUNT);
}

/* Bytes at the front that the device sent as the end of the frame before: a decoder may
 * leave there what could begin the next. */
static size_t lead_size(const struct storm *storm, size_t size)
{
    const bool *is_start = storm->is_burst_start + storm->clean_first;
    for (size_t lead = 1; lead < size; lead++) {
        if (is_start[lead]) {
            return lead;
        }
    }
    return 0;
}

/* @param damaged  Out. @param size  In and out. @return What may become of its samples. */
static enum fate frame_damage(struct storm *storm, const uint8_t *frame, uint8_t *damaged,
                              size_t *size)
{
    const size_t lead = lead_size(storm, *size);
    const size_t whole_size = *size - lead;
    size_t left_size;
    enum injury injury;
    do {
        memcpy(damaged, frame, *size);
        injury = injury_choose(storm);
        left_size = injure(storm, injury, damaged + lead, whole_size);
    } while (is_neighbours(frame + lead, whole_size, damaged + lead, left_size));
    *size = lead + left_size;
    storm->damaged_count++;
    return injury == INJURY_FLIP ? FATE_NEVER : FATE_MAY;
}

/* ---- the stream ---- */

static unsigned long number_of(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static void storm_open(struct storm *storm)
{
    const struct format *format = storm->format;
    size_t size = 0;
    storm->clean = malloc(CLEAN_SIZE + MODEL_LINE_OPENING_MAX);
    storm->is_burst_start = calloc(CLEAN_SIZE + MODEL_LINE_OPENING_MAX, 1);
    ck_assert(storm->clean && storm->is_burst_start);
    ck_assert(model_line_open(&storm->line, format->driver, &format->settings, 7,
                              OPENING_MS, storm->clean, &size));
    storm->clean_end = size;
    storm->opening_left = size;
    storm->random = 0x9E3779B97F4A7C15u * (2 * number_of("LIMBER_RESYNC_SEED", 0) + 1);
    const struct driver *driver = storm->line.device.driver;
    ck_assert(driver->has_checksum);
    ck_assert_int_eq(driver->init(&storm->clean_context, &format->settings), STATUS_OK);
    ck_assert_int_eq(device_init(&storm->device, driver, &format->settings), STATUS_OK);
    unsigned count = 0;
    const struct stream_info *streams = device_streams(&storm->device, &count);
    for (unsigned index = 0; index < STREAM_SEEN_MAX && format->streams[index].name;
         index++) {
        unsigned stream = 0;
        while (stream < count
               && strcmp(streams[stream].name, format->streams[index].name) != 0) {
            stream++;
        }
        ck_assert_uint_lt(stream, count);
        storm->streams[storm->stream_count++] = stream;
    }
}

static bool has_start_within(const struct storm *storm, const uint8_t *bytes, size_t size)
{
    for (size_t place = 2; place + 1 < size; place++) {
        if (memcmp(bytes + place, storm->format->start, 2) == 0) {
            return true;
        }
    }
    return false;
}

static void burst_add(struct storm *storm)
{
    struct device_reading reading;
    uint8_t *burst = storm->clean + storm->clean_end;
    reading_make(storm->format, &storm->random, &reading);
    size_t size = model_line_sample(&storm->line, &reading, burst);
    if (size == 0) {
        return;
    }
    if (storm->format->patch) {
        storm->format->patch(burst, size);
    }
    memset(storm->is_burst_start + storm->clean_end, 0, size);
    storm->is_burst_start[storm->clean_end] = true;
    storm->disguised_count += has_start_within(storm, burst, size);
    storm->burst_count++;
    storm->clean_end += size;
}

/* So much that a frame, what its verdict needs and its neighbour are there; the frame
 * before stays, too. */
static void clean_fill(struct storm *storm)
{
    const size_t wanted = 2 * storm->device.driver->frame_max + DEVICE_MODEL_OUT_MAX;
    const size_t kept = DRIVER_FRAME_MAX;
    if (storm->clean_first > CLEAN_SIZE / 2) {
        size_t from = storm->clean_first - kept;
        storm->clean_end -= from;
        memmove(storm->clean, storm->clean + from, storm->clean_end);
        memmove(storm->is_burst_start, storm->is_burst_start + from, storm->clean_end);
        storm->clean_first = kept;
    }
    while (storm->clean_end - storm->clean_first < wanted) {
        burst_add(storm);
    }
}

static void device_tell(struct storm *storm, const uint8_t *bytes, size_t size)
{
    size_t first = (random_next(&storm->random) >> 8) % (size + 1);
    device_feed(&storm->device, bytes, first, 0, storm_take, storm);
    device_feed(&storm->device, bytes + first, size - first, 0, storm_take, storm);
}

static void expect(struct storm *storm, const struct sample *samples, int count,
                   enum fate fate)
{
    for (int index = 0; index < count; index++) {
        int seen = seen_index(storm, samples[index].stream);
        if (seen >= 0) {
            bool needs_burst = storm->format->streams[seen].needs_burst;
            expected_push(storm, &samples[index], needs_burst ? storm->burst_fate : fate);
        }
    }
}

/* One frame of the undamaged stream: what it gives is expected, then it is told to the
 * device, perhaps damaged. */
static void frame_pass(struct storm *storm, const uint8_t *frame, size_t size)
{
    const struct driver *driver = storm->device.driver;
    struct sample samples[DRIVER_SAMPLE_MAX];
    uint8_t damaged[DRIVER_FRAME_MAX + GROWTH_MAX];
    memset(samples, 0, sizeof samples);
    int count = driver->decode(&storm->clean_context, frame, size, samples);
    ck_assert_int_ge(count, 0);
    bool is_judged =
        storm->opening_left == 0 && storm->frame_count + TAIL_FRAMES < storm->frames_wanted;
    bool is_hit = is_judged && (random_next(&storm->random) >> 16) % DAMAGED_ONE_IN == 0;
    enum fate fate = is_judged ? FATE_MUST : FATE_MAY;
    size_t told_size = size;
    if (is_hit) {
        fate = frame_damage(storm, frame, damaged, &told_size);
    }
    storm->burst_fate = fate > storm->burst_fate ? fate : storm->burst_fate;
    expect(storm, samples, count, fate);
    device_tell(storm, is_hit ? damaged : frame, told_size);
    storm->frame_count += storm->opening_left == 0;
}

static void clean_step(struct storm *storm)
{
    const struct driver *driver = storm->device.driver;
    const uint8_t *front = storm->clean + storm->clean_first;
    size_t step = 0;
    clean_fill(storm);
    front = storm->clean + storm->clean_first;
    if (storm->is_burst_start[storm->clean_first]) {
        storm->burst_fate = FATE_MUST;
    }
    enum frame_verdict verdict =
        driver->frame_next(&storm->clean_context, front, driver->frame_max, &step);
    if (verdict == FRAME_FOUND) {
        frame_pass(storm, front, step);
    } else {
        /* Only the opening may hold bytes that belong to nothing. */
        ck_assert_uint_gt(storm->opening_left, 0);
        step = verdict == FRAME_SKIP ? step : 1;
        device_tell(storm, front, step);
    }
    storm->clean_first += step;
    storm->opening_left -= step < storm->opening_left ? step : storm->opening_left;
}

static struct storm *storm_run(const struct format *format, bool is_flips_only)
{
    struct storm *storm = calloc(1, sizeof *storm);
    ck_assert_ptr_nonnull(storm);
    storm->format = format;
    storm->is_flips_only = is_flips_only;
    storm->frames_wanted = (unsigned)number_of("LIMBER_RESYNC_FRAMES", FRAMES_DEFAULT);
    storm_open(storm);
    while (storm->frame_count < storm->frames_wanted) {
        clean_step(storm);
    }
    if (getenv("LIMBER_RESYNC_TABLE")) {
        fprintf(stderr, "| %s | %s | %u | %u | %u | %u | %u | %u |\n", format->driver,
                is_flips_only ? "flipped bits" : "all", storm->frame_count,
                storm->damaged_count, storm->sample_count, storm->lost_count,
                storm->leaked_count, storm->false_count);
    }
    return storm;
}

static unsigned accidents_max(const struct storm *storm)
{
    return storm->frames_wanted / storm->format->frames_per_accident;
}

static void storm_check(struct storm *storm)
{
    ck_assert_uint_le(storm->lost_count, accidents_max(storm));
    ck_assert_uint_eq(storm->leaked_count, 0);
    ck_assert_uint_gt(storm->damaged_count, storm->frames_wanted / 200);
    ck_assert_uint_gt(storm->sample_count, storm->frames_wanted / 8);
    ck_assert_uint_gt(storm->disguised_count, storm->burst_count / 2);
    ck_assert_uint_eq(storm->device.counters.restart_count, 0);
    free(storm->clean);
    free(storm->is_burst_start);
    free(storm);
}

/* ---- the tests ---- */

START_TEST(no_intact_frame_is_lost)
{
    struct storm *storm = storm_run(&FORMATS[_i], false);
    double limit = storm->format->false_share * storm->damaged_count;
    ck_assert_double_le((double)storm->false_count, limit);
    storm_check(storm);
}

END_TEST

START_TEST(flipped_bits_give_nothing)
{
    struct storm *storm = storm_run(&FORMATS[_i], true);
    ck_assert_uint_le(storm->false_count, accidents_max(storm));
    storm_check(storm);
}

END_TEST

START_TEST(every_checksum_is_tested)
{
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t index = 0; index < count; index++) {
        bool is_tested = false;
        for (unsigned format = 0; format < FORMAT_COUNT; format++) {
            is_tested =
                is_tested || strcmp(FORMATS[format].driver, drivers[index]->name) == 0;
        }
        ck_assert_msg(is_tested == drivers[index]->has_checksum, "%s",
                      drivers[index]->name);
    }
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("resync");
    TCase *storms = tcase_create("storms");
    tcase_set_timeout(storms, 1200);
    tcase_add_loop_test(storms, no_intact_frame_is_lost, 0, FORMAT_COUNT);
    tcase_add_loop_test(storms, flipped_bits_give_nothing, 0, FORMAT_COUNT);
    tcase_add_test(storms, every_checksum_is_tested);
    suite_add_tcase(suite, storms);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

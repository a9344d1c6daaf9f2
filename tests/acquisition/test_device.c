#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/device.h"
#include "tests/support/tiny_driver.h"

enum {
    SAMPLE_CAPACITY = 4096,
    WIRE_CAPACITY = 65536
};

struct sink {
    struct sample samples[SAMPLE_CAPACITY];
    unsigned count;
};

struct wire {
    uint8_t bytes[WIRE_CAPACITY];
    size_t size;
};

static void sink_take(void *user, const struct sample *sample)
{
    struct sink *sink = user;
    ck_assert_uint_lt(sink->count, SAMPLE_CAPACITY);
    sink->samples[sink->count++] = *sample;
}

static void wire_put(struct wire *wire, uint32_t ticks, int16_t value)
{
    tiny_encode(ticks, value, wire->bytes + wire->size);
    wire->size += TINY_FRAME_SIZE;
}

static struct device *device_make(const struct driver *driver, double rate_hz)
{
    struct device *device = malloc(sizeof *device);
    ck_assert_ptr_nonnull(device);
    const struct driver_settings settings = {.rate_hz = rate_hz};
    ck_assert_int_eq(device_init(device, driver, &settings), STATUS_OK);
    return device;
}

/* Feed all of wire in chunks whose size varies from 1 to chunk_max. */
static void feed(struct device *device, const struct wire *wire, size_t chunk_max,
                 struct sink *sink)
{
    size_t chunk = 1;
    for (size_t done = 0; done < wire->size;) {
        size_t left = wire->size - done;
        size_t size = chunk < left ? chunk : left;
        device_feed(device, wire->bytes + done, size, 42, sink ? sink_take : NULL, sink);
        done += size;
        chunk = (chunk * 7 + 3) % chunk_max + 1;
    }
}

/* Ticks: regular, a gap, a restart; between the frames: garbage with false starts. */
static void wire_make_bad(struct wire *wire)
{
    uint32_t ticks = 5000;
    for (int i = 0; i < 600; i++) {
        ticks += TINY_PERIOD_TICKS;
        ticks += i == 300 ? 50 * TINY_PERIOD_TICKS : 0;
        ticks = i == 400 ? 17 : ticks;
        wire_put(wire, ticks, (int16_t)(i * 0xA5));
        if (i % 7 == 0) {
            wire->bytes[wire->size++] = 0xA5;
            wire->bytes[wire->size++] = (uint8_t)i;
        }
        if (i % 50 == 49) {
            wire->bytes[wire->size - 5] ^= 0x10;
        }
    }
}

START_TEST(test_any_chunking_gives_the_same)
{
    static const size_t CHUNKS[] = {1, 2, 3, 8, 9, 10, 64, 1000, WIRE_CAPACITY};
    struct wire *wire = calloc(1, sizeof *wire);
    struct sink *whole = calloc(1, sizeof *whole);
    struct sink *pieces = calloc(1, sizeof *pieces);
    wire_make_bad(wire);
    struct device *reference = device_make(&tiny_driver, 0);
    device_feed(reference, wire->bytes, wire->size, 42, sink_take, whole);
    ck_assert_uint_gt(whole->count, 500);
    for (size_t i = 0; i < sizeof CHUNKS / sizeof CHUNKS[0]; i++) {
        struct device *device = device_make(&tiny_driver, 0);
        pieces->count = 0;
        feed(device, wire, CHUNKS[i], pieces);
        ck_assert_uint_eq(pieces->count, whole->count);
        ck_assert_mem_eq(pieces->samples, whole->samples,
                         whole->count * sizeof whole->samples[0]);
        ck_assert_mem_eq(&device->counters, &reference->counters, sizeof device->counters);
        ck_assert_int_eq(device->newest_ns, reference->newest_ns);
        free(device);
    }
    free(reference);
    free(pieces);
    free(whole);
    free(wire);
}

END_TEST

START_TEST(test_gap_is_counted_to_the_sample_and_flagged)
{
    struct wire *wire = calloc(1, sizeof *wire);
    struct sink *sink = calloc(1, sizeof *sink);
    for (uint32_t i = 0; i < 300; i++) {
        if (i < 100 || (i > 100 && i < 200) || i >= 237) {
            wire_put(wire, 1000 + i * TINY_PERIOD_TICKS, 1);
        }
    }
    struct device *device = device_make(&tiny_driver, TINY_RATE_HZ);
    feed(device, wire, 64, sink);
    ck_assert_uint_eq(device->counters.lost_count, 1 + 37);
    ck_assert_uint_eq(device->counters.gap_count, 2);
    ck_assert_uint_eq(device->counters.restart_count, 0);
    ck_assert_uint_eq(sink->samples[0].flags, 0);
    ck_assert_uint_eq(sink->samples[99].flags, 0);
    ck_assert_uint_eq(sink->samples[100].flags, SAMPLE_GAP_BEFORE);
    ck_assert_uint_eq(sink->samples[101].flags, 0);
    ck_assert_uint_eq(sink->samples[199].flags, SAMPLE_GAP_BEFORE);
    ck_assert_int_eq(device->newest_ns, 299 * 10000000LL);
    ck_assert_int_eq(sink->samples[5].host_ns, 42);
    ck_assert_uint_eq(sink->samples[5].sequence, 5);
    free(device);
    free(sink);
    free(wire);
}

END_TEST

/* A clock 0.3 % fast makes a gap of 5,000 periods 15 samples longer by the nominal rate. */
START_TEST(test_loss_in_a_long_gap_follows_the_true_rate)
{
    struct wire *wire = calloc(1, sizeof *wire);
    for (uint32_t i = 0; i < 500; i++) {
        wire_put(wire, (uint32_t)(i * 10.03 + 0.5), 1);
    }
    wire_put(wire, (uint32_t)((499 + 5001) * 10.03 + 0.5), 1);
    struct device *device = device_make(&tiny_driver, TINY_RATE_HZ);
    feed(device, wire, 64, NULL);
    ck_assert_uint_eq(device->counters.lost_count, 5000);
    free(device);
    free(wire);
}

END_TEST

START_TEST(test_unknown_rate_is_found_from_the_clock)
{
    struct wire *wire = calloc(1, sizeof *wire);
    for (uint32_t i = 0; i < 200; i++) {
        if (i != 5 && i != 120) {
            wire_put(wire, i * 5 / 2, 1); /* 400 Hz in whole ms: 2, 3, 2, 3 */
        }
    }
    struct device *device = device_make(&tiny_driver, 0);
    ck_assert_double_eq(device->rate_hz, TINY_RATE_HZ);
    feed(device, wire, 64, NULL);
    /* Whole milliseconds over 16 steps: at most 1 ms in 40. */
    ck_assert_double_eq_tol(device->rate_hz, 400.0, 400.0 / 40.0);
    ck_assert_uint_eq(device->counters.lost_count, 2);
    ck_assert_uint_eq(device->counters.gap_count, 2);
    free(device);
    free(wire);
}

END_TEST

START_TEST(test_absurd_times_end_at_the_limit)
{
    struct driver centuries = tiny_driver;
    centuries.tick_s = 1.0;
    struct wire *wire = calloc(1, sizeof *wire);
    struct device *device = device_make(&centuries, TINY_RATE_HZ);
    for (int run = 0; run < 4; run++) {
        wire_put(wire, 0, 0);
        wire_put(wire, UINT32_MAX, 0);
    }
    feed(device, wire, 64, NULL);
    ck_assert_uint_eq(device->counters.sample_count, 8);
    ck_assert_uint_eq(device->counters.restart_count, 3);
    /* 127 years; one run alone has 136. */
    ck_assert_int_eq(device->newest_ns, 4000000000000000000);
    free(device);
    free(wire);
}

END_TEST

START_TEST(test_restart_of_the_clock)
{
    struct wire *wire = calloc(1, sizeof *wire);
    struct sink *sink = calloc(1, sizeof *sink);
    wire_put(wire, 90000, 1);
    wire_put(wire, 90010, 1);
    wire_put(wire, 0, 1);
    wire_put(wire, 10, 1);
    struct device *device = device_make(&tiny_driver, TINY_RATE_HZ);
    feed(device, wire, 8, sink);
    ck_assert_uint_eq(device->counters.restart_count, 1);
    ck_assert_uint_eq(device->counters.lost_count, 0);
    ck_assert_uint_eq(sink->samples[2].flags, SAMPLE_CLOCK_RESTARTED | SAMPLE_GAP_BEFORE);
    ck_assert_uint_eq(sink->samples[3].flags, 0);
    ck_assert_int_eq(device->newest_ns, 30000000); /* goes on, never back */
    free(device);
    free(sink);
    free(wire);
}

END_TEST

/* Without a checksum a damaged stamp must cost its own sample only. */
START_TEST(test_damaged_ticks_cost_only_their_sample)
{
    static const uint32_t DAMAGE[] = {0, 3, 1200, 0x00ffffff, 0xffffffff};
    for (size_t k = 0; k < sizeof DAMAGE / sizeof DAMAGE[0]; k++) {
        struct wire *wire = calloc(1, sizeof *wire);
        struct sink *sink = calloc(1, sizeof *sink);
        for (uint32_t i = 0; i < 100; i++) {
            uint32_t ticks = 500 + i * TINY_PERIOD_TICKS;
            wire_put(wire, i == 50 ? DAMAGE[k] : ticks, (int16_t)i);
        }
        struct device *device = device_make(&tiny_plain_driver, TINY_RATE_HZ);
        feed(device, wire, 64, sink);
        ck_assert_uint_eq(device->counters.restart_count, 0);
        ck_assert_uint_eq(device->counters.bad_count, 1);
        ck_assert_uint_eq(device->counters.lost_count, 1);
        ck_assert_uint_ge(sink->count, 99);
        ck_assert_int_eq((int)sink->samples[sink->count - 1].values[0], 99);
        ck_assert_int_eq(device->newest_ns, 99 * 10000000LL);
        free(device);
        free(sink);
        free(wire);
    }
}

END_TEST

START_TEST(test_true_restart_without_checksum_costs_one_sample)
{
    struct wire *wire = calloc(1, sizeof *wire);
    struct sink *sink = calloc(1, sizeof *sink);
    for (uint32_t i = 0; i < 20; i++) {
        wire_put(wire, (i < 10 ? 70000 : 0) + i * TINY_PERIOD_TICKS, (int16_t)i);
    }
    struct device *device = device_make(&tiny_plain_driver, TINY_RATE_HZ);
    feed(device, wire, 64, sink);
    ck_assert_uint_eq(device->counters.restart_count, 1);
    ck_assert_uint_eq(device->counters.bad_count, 1);
    ck_assert_uint_eq(sink->count, 19);
    ck_assert(sink->samples[10].flags & SAMPLE_CLOCK_RESTARTED);
    free(device);
    free(sink);
    free(wire);
}

END_TEST

/* Vectors one after the other are no stream: the third is 168 s later, then time goes back.
 * None may be dropped, and the device's time must not follow. */
START_TEST(test_first_samples_are_passed_on_whatever_their_ticks)
{
    static const uint32_t TICKS[] = {1000, 168549, 1000, 90000, 1010, 1020};

    enum {
        COUNT = sizeof TICKS / sizeof TICKS[0]
    };
    struct wire *wire = calloc(1, sizeof *wire);
    for (unsigned i = 0; i < COUNT; i++) {
        wire_put(wire, TICKS[i], (int16_t)i);
    }
    for (size_t chunk = 1; chunk <= wire->size; chunk++) {
        struct sink *sink = calloc(1, sizeof *sink);
        struct device *device = device_make(&tiny_plain_driver, TINY_RATE_HZ);
        feed(device, wire, chunk, sink);
        ck_assert_uint_eq(sink->count, COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
            ck_assert_uint_eq(sink->samples[i].device_ticks, TICKS[i]);
            ck_assert_uint_eq(sink->samples[i].sequence, i);
        }
        ck_assert_uint_eq(sink->samples[1].flags, SAMPLE_GAP_BEFORE);
        ck_assert_uint_eq(device->counters.bad_count, 0);
        ck_assert_uint_eq(device->counters.restart_count, 0);
        ck_assert_int_eq(device->newest_ns, 20000000);
        free(device);
        free(sink);
    }
    free(wire);
}

END_TEST

START_TEST(test_refused_frame_is_bad_and_gives_nothing)
{
    struct wire *wire = calloc(1, sizeof *wire);
    wire_put(wire, 0, 1);
    wire_put(wire, 10, INT16_MIN);
    wire_put(wire, 20, 3);
    struct device *device = device_make(&tiny_plain_driver, TINY_RATE_HZ);
    feed(device, wire, 5, NULL);
    ck_assert_uint_eq(device->counters.bad_count, 1);
    ck_assert_uint_eq(device->counters.frame_count, 2);
    ck_assert_uint_eq(device->counters.sample_count, 2);
    ck_assert_uint_eq(device->counters.lost_count, 1);
    ck_assert_uint_eq(device->counters.byte_count, wire->size);
    free(device);
    free(wire);
}

END_TEST

/* 1 frame in 100 is damaged, and the payload is full of false starts: no other is lost. */
START_TEST(test_damaged_frames_cost_only_themselves)
{
    struct device *device = device_make(&tiny_driver, TINY_RATE_HZ);
    struct wire *wire = calloc(1, sizeof *wire);
    unsigned damaged = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        wire_put(wire, i * TINY_PERIOD_TICKS, (int16_t)0xA5A5);
        if (i % 100 == 50) {
            wire->bytes[wire->size - 1 - i / 100 % 8] ^= (uint8_t)(1U << i / 800 % 8);
            damaged++;
        }
        if (wire->size > WIRE_CAPACITY - 16) {
            feed(device, wire, 999, NULL);
            wire->size = 0;
        }
    }
    feed(device, wire, 999, NULL);
    ck_assert_uint_eq(device->counters.frame_count, 100000 - damaged);
    ck_assert_uint_eq(device->counters.lost_count, damaged);
    free(device);
    free(wire);
}

END_TEST

START_TEST(test_interrupt_drops_the_partial_frame_only)
{
    struct wire *wire = calloc(1, sizeof *wire);
    struct sink *sink = calloc(1, sizeof *sink);
    wire_put(wire, 100, 1);
    wire_put(wire, 110, 2);
    struct device *device = device_make(&tiny_driver, TINY_RATE_HZ);
    device_feed(device, wire->bytes, 13, 1, sink_take, sink);
    device_interrupt(device);
    device_interrupt(device); /* a second time changes nothing */
    wire->size = 0;
    wire_put(wire, 140, 3);
    feed(device, wire, 8, sink);
    ck_assert_uint_eq(sink->count, 2);
    ck_assert_uint_eq(sink->samples[1].flags, SAMPLE_GAP_BEFORE);
    ck_assert_uint_eq(device->counters.lost_count, 3);
    ck_assert_uint_eq(device->counters.skipped_size, 4);
    uint8_t command[DRIVER_COMMAND_MAX]; /* the device is configured again */
    ck_assert_uint_eq(tiny_driver.command_next(&device->context, 0, command), 3);
    free(device);
    free(sink);
    free(wire);
}

END_TEST

START_TEST(test_the_end_gives_what_waited)
{
    /* BNO08x RVC, index AA, all else zero: the sum is AA as well, so the frame ends like
     * the start of another. */
    uint8_t frame[19] = {0xAA, 0xAA, 0xAA};
    frame[18] = 0xAA;
    struct device *device = device_make(driver_find("bno08x-rvc"), 0.0);
    struct sink *sink = calloc(1, sizeof *sink);
    device_feed(device, frame, sizeof frame, 1, sink_take, sink);
    ck_assert_uint_eq(device->counters.frame_count, 0);
    device_finish(device, 1, sink_take, sink);
    ck_assert_uint_eq(device->counters.frame_count, 1);
    ck_assert_uint_gt(sink->count, 0);
    ck_assert_uint_eq(device->counters.cut_size, 0);
    /* A frame that is not whole is none, whatever it could have become. */
    device_feed(device, frame, sizeof frame - 1, 2, sink_take, sink);
    device_finish(device, 2, sink_take, sink);
    ck_assert_uint_eq(device->counters.frame_count, 1);
    /* Its start may be told as a damaged frame of its own. */
    ck_assert_uint_eq(device->counters.cut_size + device->counters.bad_count,
                      sizeof frame - 1);
    ck_assert_uint_eq(device->counters.skipped_size, 0);
    free(sink);
    free(device);
}

END_TEST

START_TEST(test_device_without_clock_counts_at_the_nominal_rate)
{
    struct wire *wire = calloc(1, sizeof *wire);
    for (uint32_t i = 0; i < 51; i++) {
        wire_put(wire, i, 1);
    }
    struct device *device = device_make(&tiny_clockless_driver, 50.0);
    feed(device, wire, 8, NULL);
    ck_assert_int_eq(device->newest_ns, 1000000000);
    ck_assert_uint_eq(device->counters.lost_count, 0);
    free(device);
    free(wire);
}

END_TEST

static enum frame_verdict never_whole(const struct driver_context *context,
                                      const uint8_t *bytes, size_t size, size_t *frame_size)
{
    (void)context;
    (void)bytes;
    (void)size;
    *frame_size = 0;
    return FRAME_NEED_MORE;
}

START_TEST(test_endless_frame_does_not_fill_the_buffer)
{
    struct driver driver = tiny_driver;
    driver.frame_next = never_whole;
    driver.frame_max = DRIVER_FRAME_MAX;
    struct device *device = device_make(&driver, 0);
    uint8_t *bytes = calloc(1, 100000);
    device_feed(device, bytes, 100000, 0, NULL, NULL);
    for (size_t i = 0; i < 10000; i++) {
        device_feed(device, bytes, 1, 0, NULL, NULL);
    }
    ck_assert_uint_eq(device->counters.skipped_size, 110000 - DRIVER_FRAME_MAX + 1);
    free(bytes);
    free(device);
}

END_TEST

START_TEST(test_bad_settings_are_passed_up)
{
    struct device *device = malloc(sizeof *device);
    const struct driver_settings settings = {.baud = 1};
    ck_assert_int_eq(device_init(device, &tiny_driver, &settings), STATUS_BAD_INPUT);
    free(device);
}

END_TEST

START_TEST(test_streams_are_the_drivers)
{
    struct device *device = device_make(&tiny_driver, 0);
    unsigned count = 0;
    ck_assert_str_eq(device_streams(device, &count)[0].name, "angle");
    ck_assert_uint_eq(count, 1);
    free(device);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");
    tcase_add_test(tests, test_any_chunking_gives_the_same);
    tcase_add_test(tests, test_gap_is_counted_to_the_sample_and_flagged);
    tcase_add_test(tests, test_loss_in_a_long_gap_follows_the_true_rate);
    tcase_add_test(tests, test_unknown_rate_is_found_from_the_clock);
    tcase_add_test(tests, test_restart_of_the_clock);
    tcase_add_test(tests, test_absurd_times_end_at_the_limit);
    tcase_add_test(tests, test_damaged_ticks_cost_only_their_sample);
    tcase_add_test(tests, test_true_restart_without_checksum_costs_one_sample);
    tcase_add_test(tests, test_first_samples_are_passed_on_whatever_their_ticks);
    tcase_add_test(tests, test_refused_frame_is_bad_and_gives_nothing);
    tcase_add_test(tests, test_damaged_frames_cost_only_themselves);
    tcase_add_test(tests, test_interrupt_drops_the_partial_frame_only);
    tcase_add_test(tests, test_the_end_gives_what_waited);
    tcase_add_test(tests, test_device_without_clock_counts_at_the_nominal_rate);
    tcase_add_test(tests, test_endless_frame_does_not_fill_the_buffer);
    tcase_add_test(tests, test_bad_settings_are_passed_up);
    tcase_add_test(tests, test_streams_are_the_drivers);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* No bytes of a real unit are public: everything here is checked against the layouts of a
 * public driver and the model written from them. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/transport.h"
#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"

static const char DRIVER[] = "mcc-usb1208fs-plus";
static const int64_t MS = 1000000;

enum {
    SCAN = 0,
    EARLY = 1,
    STATUS = 2,
    SERIAL = 1234,
    SERIAL_SLOW = 9000
};

/* Float has 24 bits, the largest is 10 V. */
static const double VOLT_TOLERANCE = 2e-6;

/* Start accepted: the reply to request 11 is its setup alone. */
static const char STARTED[] = "A5 80 00 0800 4011000000000E00";

static void feed(struct collected *collected, const char *hex)
{
    collected_feed_hex(collected, hex);
}

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

/* ---- records made by hand ---- */

START_TEST(codes_become_volts)
{
    static const struct {
        const char *hex;
        double value_v;
        bool is_clipped;
    } cases[] = {
        {"0008", 0.0, false},
        {"0000", -10.0, true},
        {"FF0F", 10.0 * 2047 / 2048, true},
        {"000C", 5.0, false},
        {"0100", -10.0 * 2047 / 2048, false},
        {"FE0F", 10.0 * 2046 / 2048, false},
    };
    struct collected collected;
    const struct driver_settings settings = {.channel = "A1"};
    collected_init(&collected, DRIVER, &settings);
    feed(&collected, STARTED);
    feed(&collected, "A5 81 00 0800 0000"); /* A0: at its rail, of no interest */
    feed(&collected, cases[_i].hex);
    feed(&collected, "00080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    ck_assert_double_eq_tol((double)scan_at(&collected, 0)->values[1], cases[_i].value_v,
                            VOLT_TOLERANCE);
    ck_assert_uint_eq(scan_at(&collected, 0)->flags,
                      SAMPLE_UNCALIBRATED | (cases[_i].is_clipped ? SAMPLE_CLIPPED : 0));
    collected_free(&collected);
}

END_TEST

START_TEST(inputs_run_on_over_transfers)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, STARTED);
    feed(&collected, "A581000600 0108 0208 0308 A581000000 A581000400 0408 1108"
                     "A581000600 1208 1308 1408");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    for (unsigned scan = 0; scan < 2; scan++) {
        ck_assert_uint_eq(scan_at(&collected, scan)->device_ticks, scan);
        for (unsigned input = 0; input < 4; input++) {
            double value_v = 10.0 / 2048.0 * (16 * scan + input + 1);
            ck_assert_double_eq_tol((double)scan_at(&collected, scan)->values[input],
                                    value_v, VOLT_TOLERANCE);
        }
    }
    ck_assert_uint_eq(collected.device.counters.gap_count, 0);
    collected_free(&collected);
}

END_TEST

START_TEST(what_is_no_record_is_skipped)
{
    static const struct {
        const char *hex;
        unsigned skipped;
        unsigned frames;
    } cases[] = {
        {"00112233", 4, 0},
        {"A5 82 00 0200 0008", 7, 0},              /* no such endpoint */
        {"A5 81 03 0200 0008", 7, 0},              /* no such status */
        {"A5 81 00 0300 000800", 8, 0},            /* half a sample */
        {"A5 81 00 4200 0008", 7, 0},              /* longer than a packet */
        {"A5 80 00 0400 40120000", 9, 0},          /* no setup */
        {"A5 80 00 0800 2112000000000000", 13, 0}, /* not the vendor's */
        {"A5 A5 81 00 0200 0008", 1, 1},
        /* A record that was cut does not take the next one with it. */
        {"A5 81 00 0800 0008 A5 81 00 0800 0008000800080008", 7, 1},
        {"A5 81 00 0600 000800 A5 81 00 0800 0008000800080008", 8, 1},
        {"A5 81 00 0400 000800 A5 81 00 0800 0008000800080008", 8, 1},
        {"A5 80 00 1000 C048000000000800 3030 A5 81 00 0800 0008000800080008", 15, 1},
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, cases[_i].hex);
    ck_assert_uint_eq(collected.device.counters.skipped_size + collected.device.buffer_size,
                      cases[_i].skipped);
    ck_assert_uint_eq(collected.device.counters.frame_count, cases[_i].frames);
    collected_free(&collected);
}

END_TEST

START_TEST(impossible_code_is_a_gap)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, STARTED);
    feed(&collected, "A581000800 0008000800080008");
    feed(&collected, "A581000800 0008001000080008"); /* 13 bits */
    feed(&collected, "A581000800 0008000800080008");
    ck_assert_uint_eq(collected.device.counters.bad_count, 1);
    ck_assert_uint_eq(collected_count(&collected, SCAN), 2);
    ck_assert_uint_eq(scan_at(&collected, 1)->device_ticks, 2);
    ck_assert(scan_at(&collected, 1)->flags & SAMPLE_GAP_BEFORE);
    collected_free(&collected);
}

END_TEST

START_TEST(scans_of_an_earlier_run_are_not_measured)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "A580000800 4012000000000000");
    feed(&collected, "A581000800 0008000800080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    ck_assert_uint_eq(collected_count(&collected, EARLY), 4);
    feed(&collected, "A580010800 4011000000000E00"); /* start refused */
    feed(&collected, "A581000800 0008000800080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 0);
    feed(&collected, STARTED);
    feed(&collected, "A581000800 0008000800080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    collected_free(&collected);
}

END_TEST

START_TEST(scans_alone_are_read_too)
{
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "A581000800 0008000800080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    collected_free(&collected);
}

END_TEST

START_TEST(bad_constants_are_not_used)
{
    static const char *const constants[] = {
        "FFFFFFFFFFFFFFFF",                     /* not a number */
        "0000000000000000", "0000803F00007F44", /* 1, 1020 */
        "0000C03F00000000",                     /* 1.5, 0 */
    };
    struct collected collected;
    collected_init(&collected, DRIVER, NULL);
    feed(&collected, "A580004800 C030000100004000");
    for (unsigned input = 0; input < 8; input++) {
        feed(&collected, input == 7 ? constants[_i] : "0000803F00000000");
    }
    feed(&collected, STARTED);
    feed(&collected, "A581000800 000C000800080008");
    ck_assert_uint_eq(collected_count(&collected, SCAN), 1);
    ck_assert(scan_at(&collected, 0)->flags & SAMPLE_UNCALIBRATED);
    check_float_eq(scan_at(&collected, 0)->values[0], 5.0F);
    unsigned count = 0;
    ck_assert_ptr_nonnull(strstr(
        collected.device.driver->notice_get(&collected.device.context, &count), "nominal"));
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
        {NULL, STATUS_OK, 4},       {"", STATUS_OK, 4},  {"A3", STATUS_OK, 4},
        {"A4", STATUS_OK, 8},       {"7", STATUS_OK, 8}, {"A8", STATUS_BAD_INPUT, 0},
        {"x", STATUS_BAD_INPUT, 0},
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

/* Driver, model, and what a transport does in between: records of what the bus carried. */
struct session {
    struct collected collected;
    struct device_model *model;
    int64_t now_ns;
    double next_s;
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

static void session_hear(struct session *session, uint8_t endpoint,
                         enum transport_packet_status status, const uint8_t *data,
                         size_t data_size)
{
    uint8_t record[DEVICE_MODEL_OUT_MAX];
    size_t size = transport_packet_encode(endpoint, status, data, data_size, record);
    ck_assert_uint_le(session->wire_size + size, session->wire_capacity);
    memcpy(session->wire + session->wire_size, record, size);
    session->wire_size += size;
    collected_feed(&session->collected, record, size, 0);
}

/* @return Size of the answer, -1 = refused. */
static int model_control(struct device_model *model, const uint8_t *request, uint8_t *reply)
{
    return model->type->usb->control(model, 0, request, request + 8, reply);
}

static void session_say(struct session *session, const uint8_t *request)
{
    uint8_t data[DEVICE_MODEL_OUT_MAX];
    memcpy(data, request, 8);
    int size = model_control(session->model, request, data + 8);
    session_hear(session, 0x80, size < 0 ? TRANSPORT_PACKET_STALL : TRANSPORT_PACKET_OK,
                 data, 8 + (size_t)(size > 0 ? size : 0));
}

/* A halted endpoint is told once and cleared, as the transport does. */
static void halt_look(struct session *session)
{
    static const uint8_t look[8] = {0x82, 0, 0, 0, 0x81, 0, 2, 0};
    static const uint8_t clear[8] = {0x02, 1, 0, 0, 0x81, 0, 0, 0};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    ck_assert_int_eq(model_control(session->model, look, reply), 2);
    if (reply[0]) {
        session_hear(session, 0x81, TRANSPORT_PACKET_STALL, NULL, 0);
        ck_assert_int_eq(model_control(session->model, clear, reply), 0);
    }
}

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
    if (size > 0) {
        session_hear(session, 0x81, TRANSPORT_PACKET_OK, bytes, size);
    }
    halt_look(session);
    session->next_s += session->model->type->period_s(session->model);
}

static void session_run(struct session *session, int64_t duration_ns)
{
    const struct driver *driver = session->collected.device.driver;
    for (int64_t end_ns = session->now_ns + duration_ns; session->now_ns < end_ns;
         session->now_ns += MS) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        if (driver->command_next(&session->collected.device.context, session->now_ns,
                                 bytes)) {
            session_say(session, bytes);
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

/* The unit's own constants, as the model has them. */
static const double CONSTANTS[8][2] = {{1.0021, -3.25}, {0.9987, 1.5},  {1.0009, 0.75},
                                       {0.9994, -2.0},  {1.0013, 2.25}, {0.9979, -1.0},
                                       {1.0002, -0.25}, {0.9991, 3.0}};

START_TEST(session_with_the_model)
{
    static const struct driver_settings settings[] = {
        {.rate_hz = 250.0, .channel = "A5"}, {.rate_hz = 50.0}, {.rate_hz = 2000.0}};
    struct device_model model;
    struct session session;
    model_init(&model, SERIAL);
    session_open(&session, &model, &settings[_i]);
    const struct driver *driver = session.collected.device.driver;
    session_run(&session, 2000 * MS);
    ck_assert_str_eq(driver->identity_get(&session.collected.device.context),
                     "MCC USB-1208FS-Plus 00001234");
    ck_assert_double_eq(driver_rate_hz(driver, &session.collected.device.context),
                        settings[_i].rate_hz);
    ck_assert_str_eq(notice_of(&session), "");
    const struct device_counters *counters = &session.collected.device.counters;
    ck_assert_uint_eq(counters->skipped_size, 0);
    ck_assert_uint_eq(counters->lost_count, 0);
    ck_assert_uint_eq(collected_count(&session.collected, EARLY), 0);
    ck_assert_uint_eq(collected_count(&session.collected, STATUS), 1);
    /* 0.1 s of draining, a few steps of the dialogue, the packet not yet full. */
    size_t count = collected_count(&session.collected, SCAN);
    ck_assert_double_ge((double)count, 1.85 * settings[_i].rate_hz - 8.0);
    ck_assert_double_le((double)count, 1.90 * settings[_i].rate_hz);
    session_close(&session);
}

END_TEST

START_TEST(own_constants_are_used)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = 50.0, .channel = "A7"};
    model_init(&model, SERIAL);
    session_open(&session, &model, &settings);
    session_run(&session, 500 * MS);
    /* At 50 Hz each scan is a packet of its own: the last one, behind the driver's back. */
    const uint8_t *packet = session.wire + session.wire_size - 16;
    size_t count = collected_count(&session.collected, SCAN);
    const struct sample *sample = scan_at(&session.collected, count - 1);
    ck_assert_uint_eq(sample->flags, 0);
    for (unsigned input = 0; input < 8; input++) {
        double code = packet[2 * input] | packet[2 * input + 1] << 8;
        double value_v =
            (code * CONSTANTS[input][0] + CONSTANTS[input][1] - 2048.0) * 10.0 / 2048.0;
        /* Constants are floats: 2^-24 of 20 V. */
        ck_assert_double_eq_tol((double)sample->values[input], value_v, 4e-6);
    }
    session_close(&session);
}

END_TEST

START_TEST(ranges_are_left_as_found)
{
    struct device_model model;
    struct session session;
    static const uint8_t found[16] = {0x40, 0x14, 0, 0, 0, 0, 8, 0, 2, 2, 3, 3, 4, 4, 5, 0};
    static const uint8_t look[8] = {0xC0, 0x14, 0, 0, 0, 0, 8, 0};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    uint8_t bytes[DRIVER_COMMAND_MAX];
    model_init(&model, SERIAL);
    ck_assert_int_eq(model_control(&model, found, reply), 0);
    session_open(&session, &model, NULL);
    session_run(&session, 1000 * MS);
    ck_assert_int_eq(model_control(&model, look, reply), -1); /* it runs */
    const struct driver *driver = session.collected.device.driver;
    for (unsigned index = 0; index < 2; index++) {
        ck_assert_uint_gt(driver->command_stop(&session.collected.device.context, bytes),
                          0);
        session_say(&session, bytes);
    }
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), 0);
    ck_assert_int_eq(model_control(&model, look, reply), 8);
    ck_assert_mem_eq(reply, found + 8, 8);
    session_close(&session);
}

END_TEST

/* Let 1 s pass. @return Count of requests that set the ranges. */
static unsigned ranges_written(struct session *session, bool is_read_refused)
{
    const struct driver *driver = session->collected.device.driver;
    unsigned count = 0;
    for (unsigned step = 0; step < 1000; step++, session->now_ns += MS) {
        uint8_t bytes[DRIVER_COMMAND_MAX];
        if (!driver->command_next(&session->collected.device.context, session->now_ns,
                                  bytes)) {
            continue;
        }
        count += bytes[0] == 0x40 && bytes[1] == 0x14;
        if (is_read_refused && bytes[0] == 0xC0 && bytes[1] == 0x14) {
            session_hear(session, 0x80, TRANSPORT_PACKET_STALL, bytes, 8);
        } else {
            session_say(session, bytes);
        }
    }
    return count;
}

START_TEST(ranges_that_are_right_or_unknown_are_left_alone)
{
    static const uint8_t right[16] = {0x40, 0x14, 0, 0, 0, 0, 8, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    static const uint8_t other[16] = {0x40, 0x14, 0, 0, 0, 0, 8, 0, 2, 2, 2, 2, 2, 2, 2, 2};
    struct device_model model;
    struct session session;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    model_init(&model, SERIAL);
    ck_assert_int_eq(model_control(&model, _i ? other : right, bytes), 0);
    session_open(&session, &model, NULL);
    ck_assert_uint_eq(ranges_written(&session, _i == 1), 0);
    ck_assert_int_eq(strstr(notice_of(&session), "ranges cannot be read") != NULL, _i);
    const struct driver *driver = session.collected.device.driver;
    ck_assert_uint_gt(driver->command_stop(&session.collected.device.context, bytes), 0);
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), 0);
    session_close(&session);
}

END_TEST

/* After a replugging another unit is there: what was found in the first is not its. */
START_TEST(other_unit_keeps_its_own_ranges)
{
    static const uint8_t found[2][16] = {
        {0x40, 0x14, 0, 0, 0, 0, 8, 0, 2, 2, 2, 2, 2, 2, 2, 2},
        {0x40, 0x14, 0, 0, 0, 0, 8, 0, 3, 3, 3, 3, 3, 3, 3, 3}};
    struct device_model models[2];
    struct session session;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    for (unsigned unit = 0; unit < 2; unit++) {
        model_init(&models[unit], SERIAL + unit);
        ck_assert_int_eq(model_control(&models[unit], found[unit], bytes), 0);
    }
    session_open(&session, &models[0], NULL);
    ck_assert_uint_eq(ranges_written(&session, false), 1);
    session.model = &models[1];
    device_interrupt(&session.collected.device);
    ck_assert_uint_eq(ranges_written(&session, false), 1);
    const struct driver *driver = session.collected.device.driver;
    ck_assert_uint_gt(driver->command_stop(&session.collected.device.context, bytes), 0);
    ck_assert_uint_eq(driver->command_stop(&session.collected.device.context, bytes), 16);
    ck_assert_mem_eq(bytes, found[1], 16);
    session_close(&session);
}

END_TEST

START_TEST(overrun_is_a_gap_and_starts_again)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = 1000.0};
    model_init(&model, SERIAL_SLOW);
    session_open(&session, &model, &settings);
    session_run(&session, 1900 * MS);
    const struct device_counters *counters = &session.collected.device.counters;
    ck_assert_uint_eq(counters->restart_count, 1);
    ck_assert_uint_eq(counters->gap_count, 1);
    ck_assert_ptr_nonnull(strstr(notice_of(&session), "ran over"));
    /* It said so itself when asked: overrun, not running. */
    unsigned asked = 0;
    for (size_t index = 0; index < session.collected.count; index++) {
        const struct sample *sample = &session.collected.samples[index];
        if (sample->stream == STATUS && asked++ == 1) {
            check_float_eq(sample->values[0], 4.0F);
        }
    }
    ck_assert_uint_eq(asked, 3);
    /* The packet in hand is lost. Without a checksum the device waits for a second sample
     * before it believes that a clock went back: the first of the new run is not given. */
    ck_assert_uint_eq(scan_at(&session.collected, 991)->device_ticks, 991);
    const struct sample *first = scan_at(&session.collected, 992);
    ck_assert_uint_eq(first->device_ticks, 1);
    ck_assert_uint_eq(first->flags, SAMPLE_GAP_BEFORE | SAMPLE_CLOCK_RESTARTED);
    ck_assert_uint_gt(collected_count(&session.collected, SCAN), 1600);
    session_close(&session);
}

END_TEST

START_TEST(scan_of_a_crashed_session_is_stopped)
{
    struct device_model model;
    struct session crashed;
    struct session session;
    model_init(&model, SERIAL);
    session_open(&crashed, &model, NULL);
    session_run(&crashed, 1000 * MS);
    session_open(&session, &model, NULL);
    session_run(&session, 1000 * MS);
    ck_assert_uint_gt(collected_count(&session.collected, SCAN), 70);
    ck_assert_uint_eq(scan_at(&session.collected, 0)->device_ticks, 0);
    ck_assert_str_eq(notice_of(&session), "");
    session_close(&session);
    session_close(&crashed);
}

END_TEST

START_TEST(rate_is_what_the_pacer_can)
{
    static const struct {
        double asked_hz;
        double set_hz;
        const char *notice;
    } cases[] = {
        {100.0, 100.0, ""},
        {0.1, 0.1, ""},
        {7000.0, 60e6 / 8571.0, ""},
        {50000.0, 12500.0, "asked for 50000 Hz, the MCC USB-1208FS-Plus takes 12500 Hz"},
    };
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = cases[_i].asked_hz};
    model_init(&model, SERIAL);
    session_open(&session, &model, &settings);
    session_run(&session, 200 * MS);
    double rate_hz =
        driver_rate_hz(session.collected.device.driver, &session.collected.device.context);
    ck_assert_double_eq_tol(rate_hz, cases[_i].set_hz, 1e-9 * rate_hz); /* rounding */
    ck_assert_double_eq_tol(model.type->period_s(&model) * rate_hz, 1.0, 1e-12);
    ck_assert_int_eq(
        strncmp(notice_of(&session), cases[_i].notice, strlen(cases[_i].notice)), 0);
    ck_assert_int_eq(notice_of(&session)[0] == '\0', cases[_i].notice[0] == '\0');
    session_close(&session);
}

END_TEST

START_TEST(mute_device_is_asked_again)
{
    struct collected collected;
    uint8_t bytes[DRIVER_COMMAND_MAX];
    collected_init(&collected, DRIVER, NULL);
    const struct driver *driver = collected.device.driver;
    struct driver_context *context = &collected.device.context;
    for (int64_t try = 0; try < 3; try++) {
        ck_assert_uint_eq(driver->command_next(context, 500 * MS * try, bytes), 8);
        ck_assert_uint_eq(driver->command_next(context, 500 * MS * try + 499 * MS, bytes),
                          0);
    }
    ck_assert_uint_eq(driver->command_next(context, 1500 * MS, bytes), 0);
    unsigned count = 0;
    ck_assert_ptr_nonnull(strstr(driver->notice_get(context, &count), "does not answer"));
    ck_assert_uint_eq(driver->command_next(context, 6499 * MS, bytes), 0);
    ck_assert_uint_eq(driver->command_next(context, 6500 * MS, bytes), 8);
    collected_free(&collected);
}

END_TEST

START_TEST(model_refuses_what_changes_memory)
{
    static const uint8_t requests[][16] = {
        {0x40, 0x30, 0x00, 0x03, 0, 0, 2, 0, 0x55, 0xAA}, /* unlock calibration */
        {0x40, 0x30, 0x00, 0x01, 0, 0, 4, 0},             /* write it */
        {0x40, 0x48, 0, 0, 0, 0, 8, 0},                   /* serial number */
        {0x40, 0x50, 0xAD, 0xAD, 0, 0, 0, 0},             /* new firmware */
        {0x40, 0x14, 0, 0, 0, 0, 8, 0, 8},                /* no such range */
        {0xC0, 0x30, 0x00, 0x03, 0, 0, 4, 0},             /* beyond the memory */
        {0x21, 0x09, 0, 0, 0, 0, 0, 0},                   /* another class */
    };
    struct device_model model;
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    model_init(&model, SERIAL);
    ck_assert_int_eq(model_control(&model, requests[_i], reply), -1);
}

END_TEST

/* ---- streams ---- */

START_TEST(stream_survives_every_chunking)
{
    struct device_model model;
    struct session session;
    const struct driver_settings settings = {.rate_hz = 1000.0};
    model_init(&model, SERIAL_SLOW);
    session_open(&session, &model, &settings);
    session_run(&session, 1900 * MS);
    check_chunk_invariance(DRIVER, &settings, session.wire, session.wire_size, 200);
    check_damage_is_survived(DRIVER, &settings, session.wire, session.wire_size, 100);
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

/* A record of 32 codes.
 * @param first  The first code: which record it is. */
static size_t record_make(uint16_t first, uint64_t *random, uint8_t *record)
{
    uint8_t data[64];
    for (unsigned index = 0; index < 32; index++) {
        unsigned code = index == 0 ? first : (unsigned)(random_next(random) >> 52);
        data[2 * index] = (uint8_t)code;
        data[2 * index + 1] = (uint8_t)(code >> 8);
    }
    return transport_packet_encode(0x81, TRANSPORT_PACKET_OK, data, sizeof data, record);
}

struct found {
    struct device device;
    uint64_t total;
};

static void found_note(void *user, const struct sample *sample)
{
    struct found *found = user;
    found->total += sample->stream == SCAN;
}

START_TEST(every_intact_record_is_found)
{
    /* One in a hundred is cut at either end; scans of intact ones all come. (A flipped bit
     * in a code cannot be seen: records carry no checksum, USB does.) */
    const unsigned record_count = 60000;
    static struct found found;
    const struct driver_settings settings = {0};
    memset(&found, 0, sizeof found);
    ck_assert_int_eq(device_init(&found.device, driver_find(DRIVER), &settings), STATUS_OK);
    uint64_t random = 77;
    uint64_t intact = 0;
    bool was_cut = false;
    for (unsigned index = 0; index < record_count; index++) {
        uint8_t record[80];
        size_t size = record_make((uint16_t)(index % 4096), &random, record);
        size_t begin = 0;
        /* Never two in a row: the halves of two can be one whole. */
        was_cut = !was_cut && (random_next(&random) >> 32) % 100 == 0;
        if (was_cut) {
            size_t place = 1 + (random_next(&random) >> 32) % (size - 1);
            bool is_head_cut = (random_next(&random) >> 32) % 2;
            begin = is_head_cut ? place : 0;
            size = is_head_cut ? size - place : place;
        } else {
            intact++;
        }
        device_feed(&found.device, record + begin, size, 0, found_note, &found);
    }
    ck_assert_uint_ge(intact, record_count * 98 / 100);
    ck_assert_uint_eq(found.device.counters.frame_count, intact);
    ck_assert_uint_eq(found.total, 8 * intact);
    ck_assert_uint_eq(found.device.counters.bad_count, 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("mcc_usb1208fs_plus");
    TCase *records = tcase_create("records");
    tcase_add_loop_test(records, codes_become_volts, 0, 6);
    tcase_add_test(records, inputs_run_on_over_transfers);
    tcase_add_loop_test(records, what_is_no_record_is_skipped, 0, 12);
    tcase_add_test(records, impossible_code_is_a_gap);
    tcase_add_test(records, scans_of_an_earlier_run_are_not_measured);
    tcase_add_test(records, scans_alone_are_read_too);
    tcase_add_loop_test(records, bad_constants_are_not_used, 0, 4);
    tcase_add_loop_test(records, channel_setting, 0, 7);
    suite_add_tcase(suite, records);
    TCase *dialogue = tcase_create("dialogue");
    tcase_set_timeout(dialogue, 60);
    tcase_add_loop_test(dialogue, session_with_the_model, 0, 3);
    tcase_add_test(dialogue, own_constants_are_used);
    tcase_add_test(dialogue, ranges_are_left_as_found);
    tcase_add_loop_test(dialogue, ranges_that_are_right_or_unknown_are_left_alone, 0, 2);
    tcase_add_test(dialogue, other_unit_keeps_its_own_ranges);
    tcase_add_test(dialogue, overrun_is_a_gap_and_starts_again);
    tcase_add_test(dialogue, scan_of_a_crashed_session_is_stopped);
    tcase_add_loop_test(dialogue, rate_is_what_the_pacer_can, 0, 4);
    tcase_add_test(dialogue, mute_device_is_asked_again);
    tcase_add_loop_test(dialogue, model_refuses_what_changes_memory, 0, 7);
    suite_add_tcase(suite, dialogue);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 120);
    tcase_add_test(streams, stream_survives_every_chunking);
    tcase_add_test(streams, every_intact_record_is_found);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

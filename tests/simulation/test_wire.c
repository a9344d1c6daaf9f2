/* The line between a device model and its reader: any model, with or without USB. */
#include "suites.h"

#include <math.h>
#include <string.h>

#include "acquisition/transport.h"
#include "simulation/wire.h"

/* A device that counts: one byte a sample; commands come back, requests are answered. */
static void counter_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)rate_hz;
    memset(model->state, 0, sizeof model->state);
    memcpy(model->state + 4, &serial, sizeof serial);
}

static size_t counter_sample(struct device_model *model, uint64_t time_us,
                             const struct device_reading *reading, uint8_t *bytes)
{
    (void)time_us;
    (void)reading;
    bytes[0] = model->state[0]++;
    return 1;
}

static size_t counter_hear(struct device_model *model, uint64_t time_us,
                           const uint8_t *bytes, size_t size, uint8_t *reply)
{
    (void)model;
    (void)time_us;
    memcpy(reply, bytes, size);
    return size;
}

/* Request 1 gives two bytes, 2 takes data, others stall, and all to another interface. */
static int counter_control(struct device_model *model, uint64_t time_us,
                           const uint8_t setup[8], const uint8_t *data, uint8_t *reply)
{
    (void)time_us;
    if (setup[4] != model->type->usb->interface) {
        return -1;
    }
    if (setup[1] == 1) {
        reply[0] = 0xAB;
        reply[1] = model->state[1];
        return 2;
    }
    if (setup[1] == 2) {
        model->state[1] = data[0];
        return 0;
    }
    return -1;
}

static const struct device_model_usb RAW = {
    .sample_endpoint = 0x81, .reply_endpoint = 0x81, .control = counter_control};
static const struct device_model_usb RECORDS = {.sample_endpoint = 0x81,
                                                .reply_endpoint = 0x82,
                                                .interface = 5,
                                                .is_packeted = true,
                                                .control = counter_control};
static const struct device_model_usb BULK_RECORDS = {.sample_endpoint = 0x83,
                                                     .reply_endpoint = 0x82,
                                                     .command_endpoint = 0x01,
                                                     .is_packeted = true};

static struct device_model_type counter_type(const struct device_model_usb *usb)
{
    return (struct device_model_type){.driver = "counter",
                                      .has_inertial = true,
                                      .rate_hz = 100.0,
                                      .init = counter_init,
                                      .hear = counter_hear,
                                      .sample = counter_sample,
                                      .usb = usb};
}

/* A person without faults or jitter. */
static const struct patient PATIENT = {
    .name = "test",
    .movement = {.range_left = 1.0, .range_right = 1.0, .speed = 1.0, .hold_effort = 1.0},
    .steadiness = {.breathing_hz = 0.25}};

struct rig {
    struct device_model_type type;
    struct person person;
    struct wire wire;
};

static void rig_open(struct rig *rig, const struct device_model_usb *usb)
{
    memset(rig, 0, sizeof *rig);
    rig->type = counter_type(usb);
    person_init(&rig->person, &PATIENT, 1);
    const struct wire_settings settings = {
        .role = ROLE_STERNUM, .type = &rig->type, .rate_hz = 100.0, .seed = 1};
    ck_assert(wire_init(&rig->wire, &rig->person, &settings));
    ck_assert_int_eq(wire_open(&rig->wire, 0), STATUS_OK);
}

/* Bytes up to a time; returns their count. */
static size_t rig_read(struct rig *rig, double until_s, uint8_t *bytes, size_t capacity)
{
    size_t total = 0;
    while (wire_next_ns(&rig->wire) <= (int64_t)(until_s * 1e9)) {
        size_t size = 0;
        person_advance(&rig->person, (double)wire_next_ns(&rig->wire) * 1e-9);
        enum status status = wire_read(&rig->wire, bytes + total, capacity - total, &size);
        ck_assert(status == STATUS_OK || status == STATUS_NOT_READY);
        total += status == STATUS_OK ? size : 0;
    }
    return total;
}

START_TEST(serial_line_is_cut_at_its_opening)
{
    struct rig rig;
    uint8_t bytes[512];
    rig_open(&rig, NULL);
    size_t cut = rig.wire.cut_size;
    ck_assert_uint_ge(cut, 1);
    size_t size = rig_read(&rig, 1.0, bytes, sizeof bytes);
    /* 100 samples less the first 60 ms and those cut. */
    ck_assert_double_eq_tol((double)(size + cut), 97.0, 4.0);
    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(bytes[i], cut + i);
    }
}

END_TEST

START_TEST(requests_answer_into_the_stream)
{
    static const uint8_t SET[] = {0x21, 2, 0, 0, 0, 0, 1, 0, 0x77};
    static const uint8_t GET[] = {0xA1, 1, 0, 0, 0, 0, 2, 0};
    static const uint8_t BAD[] = {0xA1, 9, 0, 0, 0, 0, 2, 0};
    struct rig rig;
    uint8_t bytes[512];
    rig_open(&rig, &RAW);
    ck_assert_uint_eq(rig.wire.cut_size, 0);
    wire_hear(&rig.wire, SET, sizeof SET, 0);
    wire_hear(&rig.wire, BAD, sizeof BAD, 0);
    wire_hear(&rig.wire, GET, 5, 0); /* no whole request */
    wire_hear(&rig.wire, GET, sizeof GET, 0);
    size_t size = rig_read(&rig, 0.5, bytes, sizeof bytes);
    ck_assert_uint_gt(size, 40);
    ck_assert_uint_eq(bytes[0], 0xAB);
    ck_assert_uint_eq(bytes[1], 0x77);
    ck_assert_uint_eq(bytes[2], 0);
}

END_TEST

START_TEST(packets_become_records)
{
    static const uint8_t SET[] = {0x21, 2, 0, 0, 0, 0, 1, 0, 0x77};
    static const uint8_t GET[] = {0xA1, 1, 0, 0, 0, 0, 2, 0};
    static const uint8_t BAD[] = {0xA1, 9, 0, 0, 0, 0, 2, 0};
    static const uint8_t EXPECTED[] = {
        0xA5, 0x80, 0, 8,  0, 0x21, 2, 0, 0, 0, 0, 1, 0,             /* taken */
        0xA5, 0x80, 1, 8,  0, 0xA1, 9, 0, 0, 0, 0, 2, 0,             /* refused */
        0xA5, 0x80, 0, 10, 0, 0xA1, 1, 0, 0, 0, 0, 2, 0, 0xAB, 0x77, /* given */
        0xA5, 0x81, 0, 1,  0, 0,                                     /* a sample */
    };
    struct rig rig;
    uint8_t bytes[1024];
    rig_open(&rig, &RECORDS);
    wire_hear(&rig.wire, SET, sizeof SET, 0);
    wire_hear(&rig.wire, BAD, sizeof BAD, 0);
    wire_hear(&rig.wire, GET, sizeof GET, 0);
    size_t size = rig_read(&rig, 0.5, bytes, sizeof bytes);
    ck_assert_uint_gt(size, sizeof EXPECTED);
    ck_assert_mem_eq(bytes, EXPECTED, sizeof EXPECTED);
}

END_TEST

START_TEST(bulk_commands_answer_on_their_endpoint)
{
    static const uint8_t COMMAND[] = {1, 2, 3};
    static const uint8_t EXPECTED[] = {0xA5, 0x82, 0, 3, 0, 1, 2, 3};
    struct rig rig;
    uint8_t bytes[1024];
    rig_open(&rig, &BULK_RECORDS);
    wire_hear(&rig.wire, COMMAND, sizeof COMMAND, 0);
    size_t size = rig_read(&rig, 0.5, bytes, sizeof bytes);
    ck_assert_uint_gt(size, sizeof EXPECTED + 6);
    ck_assert_mem_eq(bytes, EXPECTED, sizeof EXPECTED);
    ck_assert_uint_eq(bytes[sizeof EXPECTED + 1], 0x83);
}

END_TEST

START_TEST(counters_go_on_while_samples_are_lost)
{
    struct rig rig;
    uint8_t bytes[512];
    const struct patient_fault fault = {.kind = FAULT_DROP_OUT, .duration_s = 0.5};
    rig_open(&rig, &RAW);
    wire_fault_add(&rig.wire, &fault, 0.5);
    size_t size = rig_read(&rig, 1.5, bytes, sizeof bytes);
    unsigned gaps = 0;
    for (size_t i = 1; i < size; i++) {
        if (bytes[i] != bytes[i - 1] + 1) {
            /* 50 samples, one more or less by the edges. */
            ck_assert_double_eq_tol(bytes[i] - bytes[i - 1] - 1, 50.0, 1.1);
            gaps++;
        }
    }
    ck_assert_uint_eq(gaps, 1);
}

END_TEST

Suite *wire_suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("lines");
    tcase_add_test(tests, serial_line_is_cut_at_its_opening);
    tcase_add_test(tests, requests_answer_into_the_stream);
    tcase_add_test(tests, packets_become_records);
    tcase_add_test(tests, bulk_commands_answer_on_their_endpoint);
    tcase_add_test(tests, counters_go_on_while_samples_are_lost);
    suite_add_tcase(suite, tests);
    return suite;
}

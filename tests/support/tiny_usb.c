#include "tests/support/tiny_usb.h"

#include <string.h>

struct tiny {
    uint32_t number; /* of the next report */
    bool is_coded;   /* CDC: speed set */
    bool is_streaming;
};

/* ---- descriptors: device (18 bytes), then configuration ---- */

#define DEVICE(product, class, subclass, protocol)                                         \
    18, 1, 0x00, 0x02, class, subclass, protocol, 64, 0x09, 0x12, product, 0, 0, 1, 1, 2,  \
        3, 1
#define CONFIGURATION(size, interfaces) 9, 2, size, 0, interfaces, 1, 0, 0x80, 50
#define INTERFACE(number, alternate, endpoints, class, subclass)                           \
    9, 4, number, alternate, endpoints, class, subclass, 0, 0
#define ENDPOINT(address, type, size) 7, 5, address, type, size, 0, 1

enum {
    INTERRUPT = 3,
    BULK = 2,
    ISOCHRONOUS = 1
};

/* As a game controller: audio with an alternate setting in front of the reports. */
static const uint8_t HID_DESCRIPTORS[] = {
    DEVICE(1, 0, 0, 0),
    CONFIGURATION(75, 3),
    INTERFACE(0, 0, 0, 1, 1),
    INTERFACE(1, 0, 0, 1, 2),
    INTERFACE(1, 1, 1, 1, 2),
    ENDPOINT(0x01, ISOCHRONOUS, 64),
    INTERFACE(2, 0, 2, 3, 0),
    9,
    0x21,
    0x11,
    0x01,
    0,
    1,
    0x22,
    0,
    1, /* HID */
    ENDPOINT(0x03, INTERRUPT, 64),
    ENDPOINT(0x84, INTERRUPT, 64),
};

/* As a composite sensor: a memory card in front, then the line. */
static const uint8_t CDC_DESCRIPTORS[] = {
    DEVICE(2, 0xEF, 2, 1),
    CONFIGURATION(76, 3),
    INTERFACE(0, 0, 2, 8, 6),
    ENDPOINT(0x83, BULK, 64),
    ENDPOINT(0x03, BULK, 64),
    INTERFACE(1, 0, 1, 2, 2),
    5,
    0x24,
    6,
    1,
    2, /* union */
    ENDPOINT(0x81, INTERRUPT, 16),
    INTERFACE(2, 0, 2, 0x0A, 0),
    ENDPOINT(0x02, BULK, 64),
    ENDPOINT(0x82, BULK, 64),
};

static const uint8_t BULK_DESCRIPTORS[] = {
    DEVICE(3, 0xFF, 0, 0),    CONFIGURATION(39, 1),     INTERFACE(0, 0, 3, 0xFF, 0),
    ENDPOINT(0x01, BULK, 64), ENDPOINT(0x82, BULK, 64), ENDPOINT(0x83, BULK, 64),
};

static const uint8_t REQUEST_DESCRIPTORS[] = {
    DEVICE(4, 0xFF, 0, 0),
    CONFIGURATION(25, 1),
    INTERFACE(0, 0, 1, 0xFF, 0),
    ENDPOINT(0x81, BULK, 64),
};

/* ---- what they do ---- */

static struct tiny *tiny_of(struct device_model *model)
{
    return (struct tiny *)(void *)model->state;
}

uint8_t tiny_report_sum(const uint8_t report[TINY_REPORT_SIZE])
{
    unsigned sum = 0;
    for (unsigned i = 0; i < TINY_REPORT_SIZE - 1; i++) {
        sum += report[i];
    }
    return (uint8_t)sum;
}

static void stopped_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)rate_hz;
    (void)serial;
    memset(model->state, 0, sizeof model->state);
}

static void streaming_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    stopped_init(model, rate_hz, serial);
    tiny_of(model)->is_streaming = true;
}

static size_t tiny_sample(struct device_model *model, uint64_t time_us,
                          const struct device_reading *reading, uint8_t *bytes)
{
    struct tiny *tiny = tiny_of(model);
    (void)reading;
    if (!tiny->is_streaming) {
        return 0;
    }
    bytes[0] = TINY_REPORT_MARK;
    for (unsigned i = 0; i < 4; i++) {
        bytes[TINY_NUMBER_OFFSET + i] = (uint8_t)(tiny->number >> (8 * i));
    }
    for (unsigned i = 0; i < 8; i++) {
        bytes[5 + i] = (uint8_t)(time_us >> (8 * i));
    }
    for (unsigned i = 13; i < TINY_REPORT_SIZE - 1; i++) {
        bytes[i] = (uint8_t)(tiny->number * 7 + i);
    }
    bytes[TINY_REPORT_SIZE - 1] = tiny_report_sum(bytes);
    tiny->number++;
    return TINY_REPORT_SIZE;
}

/* A8 A8 starts, B0 B0 stops, anything else comes back. */
static size_t bulk_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                        size_t size, uint8_t *reply)
{
    (void)time_us;
    memcpy(reply, bytes, size);
    if (size == 2 && (bytes[0] == 0xA8 || bytes[0] == 0xB0) && bytes[0] == bytes[1]) {
        tiny_of(model)->is_streaming = bytes[0] == 0xA8;
        reply[0]++;
        reply[1]++;
    }
    return size;
}

static size_t line_hear(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                        size_t size, uint8_t *reply)
{
    (void)model;
    (void)time_us;
    memcpy(reply, bytes, size);
    return size;
}

/* Report 5 tells to which interface the request was sent. */
static int hid_control(struct device_model *model, uint64_t time_us, const uint8_t setup[8],
                       const uint8_t *data, uint8_t *reply)
{
    (void)model;
    (void)time_us;
    (void)data;
    if (setup[0] != 0xA1 || setup[1] != 0x01 || setup[2] != 5 || setup[3] != 3) {
        return -1;
    }
    memset(reply, 0, 41);
    reply[0] = 5;
    reply[1] = setup[4];
    return 41;
}

/* Talks at 115200 8N1 and while DTR is up only. */
static int cdc_control(struct device_model *model, uint64_t time_us, const uint8_t setup[8],
                       const uint8_t *data, uint8_t *reply)
{
    static const uint8_t CODING[] = {0x00, 0xC2, 0x01, 0x00, 0, 0, 8};
    struct tiny *tiny = tiny_of(model);
    (void)time_us;
    (void)reply;
    if (setup[0] != 0x21 || setup[4] != 1) {
        return -1;
    }
    if (setup[1] == 0x20) {
        tiny->is_coded = memcmp(data, CODING, sizeof CODING) == 0;
        return 0;
    }
    if (setup[1] == 0x22) {
        tiny->is_streaming = tiny->is_coded && (setup[2] & 1) != 0;
        return 0;
    }
    return -1;
}

/* 17 starts, 18 stops, 44 asks whether it runs. */
static int request_control(struct device_model *model, uint64_t time_us,
                           const uint8_t setup[8], const uint8_t *data, uint8_t *reply)
{
    struct tiny *tiny = tiny_of(model);
    (void)time_us;
    (void)data;
    if (setup[0] == 0x40 && (setup[1] == 17 || setup[1] == 18)) {
        tiny->is_streaming = setup[1] == 17;
        return 0;
    }
    if (setup[0] == 0xC0 && setup[1] == 44) {
        reply[0] = tiny->is_streaming ? 2 : 0;
        reply[1] = 0;
        return 2;
    }
    return -1;
}

static const struct device_model_usb HID = {
    .descriptors = HID_DESCRIPTORS,
    .descriptors_size = sizeof HID_DESCRIPTORS,
    .strings = {NULL, "Limber tests", "Tiny controller", NULL},
    .speed_mbit = 480,
    .sample_endpoint = 0x84,
    .reply_endpoint = 0x84,
    .control = hid_control,
};

static const struct device_model_usb CDC = {
    .descriptors = CDC_DESCRIPTORS,
    .descriptors_size = sizeof CDC_DESCRIPTORS,
    .strings = {NULL, "Limber tests", "Tiny line", "TINY-2"},
    .speed_mbit = 12,
    .sample_endpoint = 0x82,
    .reply_endpoint = 0x82,
    .command_endpoint = 0x02,
    .control = cdc_control,
};

static const struct device_model_usb VENDOR_BULK = {
    .descriptors = BULK_DESCRIPTORS,
    .descriptors_size = sizeof BULK_DESCRIPTORS,
    .strings = {NULL, "Limber tests", "Tiny converter", "TINY 3 (spaces)"},
    .speed_mbit = 12,
    .sample_endpoint = 0x83,
    .reply_endpoint = 0x82,
    .command_endpoint = 0x01,
};

static const struct device_model_usb REQUEST = {
    .descriptors = REQUEST_DESCRIPTORS,
    .descriptors_size = sizeof REQUEST_DESCRIPTORS,
    .strings = {NULL, "Limber tests", "Tiny scanner", "TINY-4"},
    .speed_mbit = 480,
    .sample_endpoint = 0x81,
    .reply_endpoint = 0x81,
    .control = request_control,
};

static const struct device_model_type TYPES[] = {
    {.driver = "tiny-hid",
     .rate_hz = 250.0,
     .init = streaming_init,
     .sample = tiny_sample,
     .usb = &HID},
    {.driver = "tiny-cdc",
     .rate_hz = 250.0,
     .init = stopped_init,
     .hear = line_hear,
     .sample = tiny_sample,
     .usb = &CDC},
    {.driver = "tiny-bulk",
     .rate_hz = 250.0,
     .init = stopped_init,
     .hear = bulk_hear,
     .sample = tiny_sample,
     .usb = &VENDOR_BULK},
    {.driver = "tiny-request",
     .rate_hz = 250.0,
     .init = stopped_init,
     .sample = tiny_sample,
     .usb = &REQUEST},
};

const struct device_model_type *tiny_usb_find(const char *name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(TYPES[i].driver, name) == 0) {
            return &TYPES[i];
        }
    }
    return NULL;
}

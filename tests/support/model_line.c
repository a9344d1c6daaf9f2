#include "tests/support/model_line.h"

#include <string.h>

enum {
    REPLY_ENDPOINT = 0x80,
    SETUP_SIZE = 8,
    STEP_US = 1000
};

/* Bytes of the opening so far. */
struct opening {
    uint8_t *bytes;
    size_t size;
    bool is_full;
};

static bool is_told_by_requests(const struct driver *driver)
{
    return driver->usb
           && (driver->usb->kind == TRANSPORT_USB_HID
               || driver->usb->kind == TRANSPORT_USB_REQUEST);
}

static size_t record_make(const struct model_line *line, uint8_t endpoint,
                          enum transport_packet_status status, const uint8_t *data,
                          size_t size, uint8_t *bytes)
{
    const struct driver *driver = line->device.driver;
    if (driver->usb && driver->usb->is_packeted) {
        return transport_packet_encode(endpoint, status, data, size, bytes);
    }
    memcpy(bytes, data, size);
    return size;
}

/* A control request and its reply, as the transport hands it on.
 * @return Size. */
static size_t request_pass(struct model_line *line, const uint8_t *request, uint8_t *bytes)
{
    uint8_t data[SETUP_SIZE + DEVICE_MODEL_OUT_MAX];
    bool is_packeted = line->device.driver->usb->is_packeted;
    size_t head_size = is_packeted ? SETUP_SIZE : 0;
    memcpy(data, request, SETUP_SIZE);
    int size = line->model.type->usb->control(&line->model, line->now_us, request,
                                              request + SETUP_SIZE, data + head_size);
    enum transport_packet_status status =
        size < 0 ? TRANSPORT_PACKET_STALL : TRANSPORT_PACKET_OK;
    return record_make(line, REPLY_ENDPOINT, status, data,
                       head_size + (size_t)(size > 0 ? size : 0), bytes);
}

static void opening_take(struct model_line *line, struct opening *opening,
                         const uint8_t *bytes, size_t size)
{
    if (opening->size + size > MODEL_LINE_OPENING_MAX) {
        opening->is_full = true;
        return;
    }
    memcpy(opening->bytes + opening->size, bytes, size);
    opening->size += size;
    device_feed(&line->device, bytes, size, 0, NULL, NULL);
}

static void command_pass(struct model_line *line, struct opening *opening)
{
    const struct driver *driver = line->device.driver;
    uint8_t command[DRIVER_COMMAND_MAX];
    uint8_t bytes[SETUP_SIZE + MODEL_LINE_OUT_MAX];
    size_t size = driver->command_next ? driver->command_next(
                      &line->device.context, (int64_t)line->now_us * 1000, command)
                                       : 0;
    if (size > 0 && is_told_by_requests(driver)) {
        opening_take(line, opening, bytes, request_pass(line, command, bytes));
    } else if (size > 0 && line->model.type->hear) {
        size = line->model.type->hear(&line->model, line->now_us, command, size, bytes);
        opening_take(line, opening, bytes, size);
    }
}

static void opening_run(struct model_line *line, struct opening *opening,
                        unsigned duration_ms)
{
    const struct device_reading rest = {.orientation = QUATERNION_IDENTITY,
                                        .accel_g = {0.0, 0.0, 1.0},
                                        .temperature_deg_c = 31.5,
                                        .battery_percent = 85.0};
    uint8_t bytes[MODEL_LINE_OUT_MAX];
    if (line->model.type->open) {
        size_t size = line->model.type->open(&line->model, line->now_us, bytes);
        opening_take(line, opening, bytes, size);
    }
    for (unsigned step = 0; step < duration_ms; step++) {
        command_pass(line, opening);
        line->now_us += STEP_US;
        while (line->next_us <= (double)line->now_us) {
            size_t size = model_line_sample(line, &rest, bytes);
            opening_take(line, opening, bytes, size);
        }
    }
}

bool model_line_open(struct model_line *line, const char *driver,
                     const struct driver_settings *settings, uint32_t serial,
                     unsigned duration_ms, uint8_t *bytes, size_t *size)
{
    const struct driver_settings none = {0};
    const struct driver *found = driver_find(driver);
    settings = settings ? settings : &none;
    memset(line, 0, sizeof *line);
    line->model.type = device_model_find(driver);
    if (!found || !line->model.type
        || device_init(&line->device, found, settings) != STATUS_OK) {
        return false;
    }
    line->rate_hz = settings->rate_hz > 0.0 ? settings->rate_hz : line->model.type->rate_hz;
    line->model.type->init(&line->model, settings->rate_hz, serial);
    struct opening opening = {.bytes = bytes};
    opening_run(line, &opening, duration_ms);
    *size = opening.size;
    return !opening.is_full;
}

size_t model_line_sample(struct model_line *line, const struct device_reading *reading,
                         uint8_t *bytes)
{
    const struct device_model_type *type = line->model.type;
    uint8_t data[DEVICE_MODEL_OUT_MAX];
    size_t size = type->sample(&line->model, (uint64_t)line->next_us, reading, data);
    double period_s = type->period_s ? type->period_s(&line->model) : 1.0 / line->rate_hz;
    line->next_us += period_s * 1e6;
    uint8_t endpoint = type->usb ? type->usb->sample_endpoint : 0;
    return size > 0 ? record_make(line, endpoint, TRANSPORT_PACKET_OK, data, size, bytes)
                    : 0;
}

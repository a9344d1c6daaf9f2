/* A driver and the model of its device as the two ends of a line, with what the transport
 * puts in between (records of packeted USB, replies to control requests): gives the bytes
 * that the driver reads. Pure; one thread a line. */
#ifndef LIMBER_TESTS_SUPPORT_MODEL_LINE_H
#define LIMBER_TESTS_SUPPORT_MODEL_LINE_H

#include "acquisition/device.h"
#include "simulation/device_model.h"

enum {
    MODEL_LINE_OUT_MAX = DEVICE_MODEL_OUT_MAX + TRANSPORT_PACKET_HEAD_SIZE,
    MODEL_LINE_OPENING_MAX = 1 << 19 /* bytes of an opening */
};

struct model_line {
    struct device_model model;
    struct device device; /* has read the opening */
    double rate_hz;       /* of the model where it cannot be told another */
    uint64_t now_us;
    double next_us; /* next sampling instant of the model */
};

/* Let the driver set its device up as a session would, and read while it does.
 * @param settings  NULL = the driver's defaults. Strings borrowed as device_init does.
 * @param serial    Of the model: its variant.
 * @param duration_ms  Of the opening.
 * @param bytes     Out: all that the driver read, room for MODEL_LINE_OPENING_MAX.
 * @param size      Out.
 * @return false when there is no such driver or model, the settings are refused or the
 * bytes find no room. */
bool model_line_open(struct model_line *line, const char *driver,
                     const struct driver_settings *settings, uint32_t serial,
                     unsigned duration_ms, uint8_t *bytes, size_t *size);

/* The next sampling instant; the driver's end sees nothing of it.
 * @param bytes  Out: room for MODEL_LINE_OUT_MAX. @return Size, 0 = nothing was sent. */
size_t model_line_sample(struct model_line *line, const struct device_reading *reading,
                         uint8_t *bytes);

#endif

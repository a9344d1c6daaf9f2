/* A sensor as seen from its wire: bytes in, bytes out, by its own clock. The one encoder of
 * each device, used by simulated persons and by every test rig; written apart from the
 * decoders on purpose. Pure: no I/O, no clock, no allocation; one thread a model. */
#ifndef LIMBER_SIMULATION_DEVICE_MODEL_H
#define LIMBER_SIMULATION_DEVICE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/quaternion.h"

enum {
    DEVICE_MODEL_STATE_SIZE = 2048,
    DEVICE_MODEL_OUT_MAX = 2048, /* bytes of any one call below */
    DEVICE_MODEL_ANALOG_COUNT = 8,
    /* Serial numbers from here on: the variant with analog inputs alone, where a model has
     * variants (text); models may have more, as their comment says. */
    DEVICE_MODEL_SERIAL_ANALOG = 0x60000000
};

/* What the sensor feels at one instant. */
struct device_reading {
    double gyro_deg_s[3];
    double accel_g[3];
    double field_ut[3];            /* magnetic, in sensor axes */
    struct quaternion orientation; /* sensor to earth, for devices that estimate it */
    double analog_share[DEVICE_MODEL_ANALOG_COUNT]; /* of each input's full scale, 0 .. 1 */
    double temperature_deg_c;
    double battery_percent;
    bool is_pressed; /* its button */
};

struct device_model_type;

struct device_model {
    const struct device_model_type *type;
    _Alignas(16) uint8_t state[DEVICE_MODEL_STATE_SIZE];
};

/* The device on USB. Standard requests (descriptors, addresses) are the rig's work. */
struct device_model_usb {
    const uint8_t *descriptors; /* device descriptor, then the whole configuration */
    size_t descriptors_size;
    const char *strings[4];   /* by index; [0] unused, NULL = none */
    unsigned speed_mbit;      /* 12 or 480 */
    uint8_t sample_endpoint;  /* IN: where the bytes of sample() appear */
    uint8_t reply_endpoint;   /* IN: where the bytes of hear() appear, may be the same */
    uint8_t command_endpoint; /* OUT: what hear() is given; 0 = none: the host's commands
                               * are control requests */
    uint8_t interface;        /* number of the one that its driver uses */
    bool is_packeted;         /* its driver reads records of transport_packet_encode */
    /* Class and vendor requests. NULL = all stall.
     * @param data   Of an OUT request.
     * @param reply  Out: of an IN request, room for DEVICE_MODEL_OUT_MAX.
     * @return Size of the reply (0 for OUT), -1 = stall. */
    int (*control)(struct device_model *model, uint64_t time_us, const uint8_t setup[8],
                   const uint8_t *data, uint8_t *reply);
};

/* One const table a device. Times are the device's own clock, us since it was switched on.
 */
struct device_model_type {
    const char *driver; /* name of the driver that reads it */
    bool has_inertial;
    bool has_analog;
    double rate_hz; /* when nothing was configured */

    /* Switched on, with default settings.
     * @param rate_hz  At which it was set up before; 0 = its default.
     * @param serial   Its serial number. */
    void (*init)(struct device_model *model, double rate_hz, uint32_t serial);

    /* What it says by itself when the line is opened. NULL = nothing.
     * @param bytes  Out: room for DEVICE_MODEL_OUT_MAX, also below. @return Size. */
    size_t (*open)(struct device_model *model, uint64_t time_us, uint8_t *bytes);

    /* Take bytes sent to it, in any chunking. NULL = deaf.
     * @return Size of the answer; answers that find no room are not given. */
    size_t (*hear)(struct device_model *model, uint64_t time_us, const uint8_t *bytes,
                   size_t size, uint8_t *reply);

    /* One sampling instant.
     * @return Size of what it sends; 0 while it is not streaming. */
    size_t (*sample)(struct device_model *model, uint64_t time_us,
                     const struct device_reading *reading, uint8_t *bytes);

    /* Time between sampling instants as configured now, s; NULL = as init was told. */
    double (*period_s)(const struct device_model *model);

    const struct device_model_usb *usb; /* NULL = serial line only */
};

/* Class requests of a CDC ACM device that takes any line coding: fits
 * device_model_usb.control. */
int device_model_cdc_control(struct device_model *model, uint64_t time_us,
                             const uint8_t setup[8], const uint8_t *data, uint8_t *reply);

/* Model of the device that a driver reads, or NULL. */
const struct device_model_type *device_model_find(const char *driver);

/* All models.
 * @param count  Out. */
const struct device_model_type *const *device_model_list(size_t *count);

#endif

/* A device model driven by a clock: what every rig (serial line, USB, kernel) puts behind
 * its wire. Moves in a known way; keeps what it has sent so that a test can compare. */
#ifndef LIMBER_TESTS_SUPPORT_RIG_DEVICE_H
#define LIMBER_TESTS_SUPPORT_RIG_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulation/device_model.h"

enum {
    RIG_DEVICE_QUEUE_SIZE = 1 << 16
};

/* Bytes that wait to be taken by the host, packet by packet. */
struct rig_queue {
    uint8_t bytes[RIG_DEVICE_QUEUE_SIZE];
    size_t sizes[4096]; /* of each packet */
    unsigned first;
    unsigned count;
    size_t used;
};

/* A turn about x from one angle to another, then rest. */
struct rig_pose {
    bool is_set; /* else the device swings */
    double from_rad;
    double to_rad;
    uint64_t start_us;
    uint64_t duration_us;
};

struct rig_device {
    struct device_model model;
    struct rig_pose pose;
    double rate_hz;      /* forced sampling rate, 0 = as the model is configured */
    uint64_t now_us;     /* its own clock */
    uint64_t next_us;    /* next sampling instant */
    bool is_pressed;     /* its button */
    uint64_t sent_count; /* samples put on the wire */
    uint64_t lost_count; /* samples that found the queue full: what a real device drops */
    struct rig_queue samples; /* from its sample endpoint */
    struct rig_queue replies; /* from its reply endpoint; the same wire on serial lines */
};

/* @param driver  Whose device; false when there is no model of it.
 * @param rate_hz 0 = as configured over the wire. */
bool rig_device_init(struct rig_device *device, const char *driver, double rate_hz,
                     uint32_t serial);

/* The same with a model that is in no list. */
void rig_device_start(struct rig_device *device, const struct device_model_type *type,
                      double rate_hz, uint32_t serial);

/* Opened by the host: what it says by itself. */
void rig_device_open(struct rig_device *device);

/* Let its time pass until now_us and sample meanwhile. */
void rig_device_advance(struct rig_device *device, uint64_t now_us);

void rig_device_hear(struct rig_device *device, const uint8_t *bytes, size_t size);

/* Turn to an angle about x, and stay. The first time it comes from 0. */
void rig_device_pose(struct rig_device *device, double angle_rad, double duration_s);

/* Take one packet; 0 = none. What does not fit in capacity is lost, as on USB. */
size_t rig_queue_take(struct rig_queue *queue, uint8_t *bytes, size_t capacity);
bool rig_queue_put(struct rig_queue *queue, const uint8_t *bytes, size_t size);
void rig_queue_clear(struct rig_queue *queue);

/* The movement: 30 deg about x at 0.2 Hz, gravity as it then is; analog inputs follow it.
 */
void rig_device_reading(uint64_t time_us, struct device_reading *reading);

#endif

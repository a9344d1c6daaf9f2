/* One simulated sensor and its line: when it samples, when the bytes arrive, what goes
 * wrong on the way. What the bytes are is its device model's work. Plain value; one thread.
 */
#ifndef LIMBER_SIMULATION_WIRE_H
#define LIMBER_SIMULATION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/body.h"
#include "base/status.h"
#include "simulation/device_model.h"
#include "simulation/sensor_flex.h"
#include "simulation/sensor_imu.h"

enum {
    WIRE_FAULT_MAX = 16,
    WIRE_BUFFER_SIZE = 16384,
    WIRE_REPLY_SIZE = 8192
};

/* A fault that will happen, is happening or has happened. */
struct wire_fault {
    enum fault_kind kind;
    double start_s;
    double end_s;
    double probability;
};

struct wire_settings {
    enum role role;
    const struct device_model_type *type;
    double rate_hz;   /* nominal, at which the device was set up before */
    unsigned channel; /* analog input of a strip, below DEVICE_MODEL_ANALOG_COUNT */
    uint64_t seed;
};

struct wire {
    enum role role;
    unsigned channel;
    double rate_hz;          /* nominal */
    double rate_error;       /* share by which samples come late */
    double clock_error;      /* share by which the device's clock runs fast */
    uint64_t clock_start_us; /* of the device at session start */
    double jitter_s;
    struct random random;
    struct sensor_imu imu;
    struct sensor_flex flex;
    struct device_model model;
    struct device_reading reading; /* newest */
    bool is_talking;               /* sent something at its last sampling instant */
    struct wire_fault faults[WIRE_FAULT_MAX];
    unsigned fault_count;
    double next_sample_s;
    int64_t next_arrival_ns;
    size_t cut_size;  /* bytes to lose: the line was opened in the middle of a message */
    int64_t boot_ns;  /* deaf before: it was reset when opened */
    int64_t reply_ns; /* arrival of the reply, INT64_MAX = none */
    uint8_t reply[WIRE_REPLY_SIZE];
    size_t reply_size;
    uint8_t buffer[WIRE_BUFFER_SIZE]; /* arrived, not read */
    size_t buffer_size;
    int64_t buffer_ns;
};

/* @return False when the device cannot carry the role's kind of sensor. */
bool wire_init(struct wire *wire, const struct person *person,
               const struct wire_settings *settings);

/* The port was opened at now_ns. @return STATUS_OK, or STATUS_GONE while unplugged. */
enum status wire_open(struct wire *wire, int64_t now_ns);

/* When the next bytes arrive (or, for a silent device, when to look again). */
int64_t wire_next_ns(const struct wire *wire);

/* Read what arrives at wire_next_ns, up to which the person must have advanced.
 * @return STATUS_OK with *size > 0; STATUS_NOT_READY; STATUS_GONE. */
enum status wire_read(struct wire *wire, uint8_t *bytes, size_t capacity, size_t *size);

/* Bytes sent to the device at now_ns; one control request (8 setup bytes, then the data of
 * an OUT request) where the device takes those. */
void wire_hear(struct wire *wire, const uint8_t *bytes, size_t size, int64_t now_ns);

/* @param start_s  Not yet reached by any sample. */
void wire_fault_add(struct wire *wire, const struct patient_fault *fault, double start_s);

#endif

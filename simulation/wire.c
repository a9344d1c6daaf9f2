#include "simulation/wire.h"

#include <math.h>
#include <string.h>

#include "acquisition/transport.h"
#include "base/units.h"

/* Base delay of a USB-serial line, and its latency timer when bytes are held for a burst.
 */
static const double DELAY_S = 0.0015;
static const double BURST_S = 0.016;
static const double BURST_CHANCE = 0.04;
static const double BOOT_S = 0.35; /* of an Uno after its port was opened */
static const double REPLY_S = 0.002;
static const double PERIOD_MIN_S = 1e-4; /* whatever a device was told */
static const uint32_t FIRST_SERIAL = 0x51D00001;

enum {
    SETUP_SIZE = 8,
    RECIPIENT_MASK = 0x1F, /* of the first setup byte: USB 2.0, table 9-2 */
    RECIPIENT_INTERFACE = 1,
    REPLY_ENDPOINT = 0x80,
    /* A call of a model as records. */
    WRAPPED_MAX = DEVICE_MODEL_OUT_MAX
                  + (DEVICE_MODEL_OUT_MAX / TRANSPORT_PACKET_DATA_MAX + 1)
                        * TRANSPORT_PACKET_HEAD_SIZE
};

/* How the device is reached: as on a serial line wherever it can be. */
static bool takes_requests(const struct device_model_type *type)
{
    return type->usb && type->usb->command_endpoint == 0;
}

static bool is_packeted(const struct device_model_type *type)
{
    return type->usb && type->usb->is_packeted;
}

static int64_t to_ns(double time_s)
{
    return (int64_t)llround(time_s * (double)NS_PER_S);
}

static double to_s(int64_t time_ns)
{
    return (double)time_ns / (double)NS_PER_S;
}

/* The fault of a kind that rules at a time, or NULL. */
static const struct wire_fault *fault_at(const struct wire *wire, enum fault_kind kind,
                                         double time_s)
{
    unsigned count =
        wire->fault_count < WIRE_FAULT_MAX ? wire->fault_count : WIRE_FAULT_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct wire_fault *fault = &wire->faults[i];
        if (fault->kind == kind && time_s >= fault->start_s && time_s < fault->end_s) {
            return fault;
        }
    }
    return NULL;
}

static double period_s(const struct wire *wire)
{
    const struct device_model_type *type = wire->model.type;
    double nominal_s = type->period_s ? type->period_s(&wire->model) : 1.0 / wire->rate_hz;
    return fmax(nominal_s, PERIOD_MIN_S) * (1.0 + wire->rate_error);
}

static uint64_t device_time_us(const struct wire *wire, double time_s)
{
    return wire->clock_start_us
           + (uint64_t)llround(time_s * (1.0 + wire->clock_error) * 1e6);
}

/* When the bytes of the next sample arrive: late by a little, sometimes held, never before
 * those of the sample before. */
static void arrival_draw(struct wire *wire)
{
    double late_s = DELAY_S + random_uniform(&wire->random, 0.0, wire->jitter_s);
    if (random_uniform(&wire->random, 0.0, 1.0) < BURST_CHANCE && wire->jitter_s > 0.0) {
        late_s += BURST_S;
    }
    double arrival_s = wire->next_sample_s + late_s;
    const struct wire_fault *stall = fault_at(wire, FAULT_STALL, wire->next_sample_s);
    if (stall) {
        arrival_s = fmax(arrival_s, stall->end_s);
    }
    int64_t arrival_ns = to_ns(arrival_s);
    if (arrival_ns > wire->next_arrival_ns) {
        wire->next_arrival_ns = arrival_ns;
    }
}

/* Inputs without a strip pick up something, too. */
static void reading_init(struct device_reading *reading)
{
    static const double PICKED_UP[DEVICE_MODEL_ANALOG_COUNT] = {
        0.330,          321.0 / 1023.0, 288.0 / 1023.0, 267.0 / 1023.0,
        250.0 / 1023.0, 241.0 / 1023.0, 0.229,          0.225};
    memset(reading, 0, sizeof *reading);
    reading->accel_g[2] = 1.0;
    reading->field_ut[1] = 20.0;
    reading->field_ut[2] = -44.0;
    reading->orientation = QUATERNION_IDENTITY;
    memcpy(reading->analog_share, PICKED_UP, sizeof PICKED_UP);
    reading->temperature_deg_c = 31.5;
    reading->battery_percent = 85.0;
}

bool wire_init(struct wire *wire, const struct person *person,
               const struct wire_settings *settings)
{
    const struct patient_sensors *quality = &person->patient->sensors;
    const struct device_model_type *type = settings->type;
    bool is_flex = role_is_flex(settings->role);
    if (!(is_flex ? type->has_analog : type->has_inertial)
        || settings->channel >= DEVICE_MODEL_ANALOG_COUNT) {
        return false;
    }
    memset(wire, 0, sizeof *wire);
    wire->role = settings->role;
    wire->channel = settings->channel;
    wire->rate_hz = settings->rate_hz;
    wire->jitter_s = quality->arrival_jitter_s;
    wire->reply_ns = INT64_MAX;
    random_init(&wire->random, settings->seed, 200u + (unsigned)settings->role);
    wire->rate_error =
        random_uniform(&wire->random, -quality->clock_error, quality->clock_error);
    wire->clock_error =
        random_uniform(&wire->random, -quality->clock_error, quality->clock_error);
    wire->clock_start_us = (uint64_t)random_uniform(&wire->random, 5e6, 3e9);
    wire->next_sample_s =
        random_uniform(&wire->random, 0.0, 0.05) + 1.0 / settings->rate_hz;
    reading_init(&wire->reading);
    if (is_flex) {
        sensor_flex_init(&wire->flex, person, settings->role, settings->seed);
    } else {
        sensor_imu_init(&wire->imu, person, settings->role, settings->seed);
    }
    uint32_t first = is_flex ? (uint32_t)DEVICE_MODEL_SERIAL_ANALOG : FIRST_SERIAL;
    wire->model.type = type;
    type->init(&wire->model, settings->rate_hz, first + (uint32_t)settings->role);
    arrival_draw(wire);
    return true;
}

/* On USB transfers come whole; devices with something to say at opening begin with it. */
static bool is_cut_at_opening(const struct device_model_type *type)
{
    return !type->open && !takes_requests(type) && !is_packeted(type);
}

static size_t opening_say(struct wire *wire, int64_t now_ns)
{
    const struct device_model_type *type = wire->model.type;
    return type->open
               ? type->open(&wire->model, device_time_us(wire, to_s(now_ns)), wire->reply)
               : 0;
}

enum status wire_open(struct wire *wire, int64_t now_ns)
{
    if (fault_at(wire, FAULT_UNPLUG, to_s(now_ns))) {
        return STATUS_GONE;
    }
    wire->buffer_size = 0;
    wire->reply_ns = INT64_MAX;
    wire->boot_ns = now_ns;
    wire->cut_size = is_cut_at_opening(wire->model.type)
                         ? (size_t)random_uniform(&wire->random, 1.0, 30.0)
                         : 0;
    while (wire->next_arrival_ns <= now_ns) {
        wire->next_sample_s += period_s(wire);
        arrival_draw(wire);
    }
    wire->reply_size = opening_say(wire, now_ns);
    if (wire->reply_size > 0) {
        wire->boot_ns = now_ns + to_ns(BOOT_S);
        wire->reply_ns = wire->boot_ns;
    }
    return STATUS_OK;
}

int64_t wire_next_ns(const struct wire *wire)
{
    if (wire->buffer_size > 0) {
        return wire->buffer_ns;
    }
    return wire->reply_ns < wire->next_arrival_ns ? wire->reply_ns : wire->next_arrival_ns;
}

static void reading_update(struct wire *wire)
{
    struct device_reading *reading = &wire->reading;
    if (role_is_flex(wire->role)) {
        reading->analog_share[wire->channel] =
            sensor_flex_read(&wire->flex, wire->next_sample_s);
        return;
    }
    struct sensor_imu_reading felt;
    sensor_imu_read(&wire->imu, wire->next_sample_s, period_s(wire), &felt);
    memcpy(reading->gyro_deg_s, felt.gyro_deg_s, sizeof felt.gyro_deg_s);
    memcpy(reading->accel_g, felt.accel_g, sizeof felt.accel_g);
    memcpy(reading->field_ut, felt.field_ut, sizeof felt.field_ut);
    reading->orientation = felt.orientation;
}

/* Append to what has arrived. */
static void arrive(struct wire *wire, const uint8_t *bytes, size_t size)
{
    size_t cut = size < wire->cut_size ? size : wire->cut_size;
    wire->cut_size -= cut;
    memcpy(wire->buffer + wire->buffer_size, bytes + cut, size - cut);
    wire->buffer_size += size - cut;
}

/* What the host reads of a transfer: its bytes, or records of them. */
static size_t transfer_wrap(const struct wire *wire, uint8_t endpoint, const uint8_t *bytes,
                            size_t size, uint8_t *wrapped)
{
    if (!is_packeted(wire->model.type)) {
        memcpy(wrapped, bytes, size);
        return size;
    }
    size_t wrapped_size = 0;
    for (size_t done = 0; done < size; done += TRANSPORT_PACKET_DATA_MAX) {
        size_t left = size - done;
        size_t step = left < TRANSPORT_PACKET_DATA_MAX ? left : TRANSPORT_PACKET_DATA_MAX;
        wrapped_size += transport_packet_encode(endpoint, TRANSPORT_PACKET_OK, bytes + done,
                                                step, wrapped + wrapped_size);
    }
    return wrapped_size;
}

static void bytes_spoil(struct wire *wire, double time_s, uint8_t *bytes, size_t size)
{
    const struct wire_fault *corrupt = fault_at(wire, FAULT_CORRUPT, time_s);
    for (size_t i = 0; corrupt && i < size; i++) {
        if (random_uniform(&wire->random, 0.0, 1.0) < corrupt->probability) {
            bytes[i] ^= (uint8_t)(1u << (random_bits(&wire->random) & 7u));
        }
    }
}

/* Whether the device, silent until now, stays so: nothing has to be felt for it then. Tried
 * on a copy. */
static bool stays_silent(const struct wire *wire, uint64_t time_us)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    struct device_model copy = wire->model;
    return !wire->is_talking
           && copy.type->sample(&copy, time_us, &wire->reading, bytes) == 0;
}

/* The device samples also while its samples get lost: its counters go on. */
static void sample_take(struct wire *wire)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    uint8_t wrapped[WRAPPED_MAX];
    const struct device_model_type *type = wire->model.type;
    double time_s = wire->next_sample_s;
    uint64_t time_us = device_time_us(wire, time_s);
    bool is_lost = fault_at(wire, FAULT_DROP_OUT, time_s);
    if (!is_lost && !stays_silent(wire, time_us)) {
        reading_update(wire);
    }
    size_t size = type->sample(&wire->model, time_us, &wire->reading, bytes);
    wire->is_talking = size > 0;
    if (!is_lost && size > 0) {
        bytes_spoil(wire, time_s, bytes, size);
        uint8_t endpoint = type->usb ? type->usb->sample_endpoint : 0;
        arrive(wire, wrapped, transfer_wrap(wire, endpoint, bytes, size, wrapped));
    }
    wire->next_sample_s += period_s(wire);
    arrival_draw(wire);
}

/* Collect all that arrives at the next time. */
static void chunk_collect(struct wire *wire)
{
    int64_t chunk_ns = wire_next_ns(wire);
    wire->buffer_ns = chunk_ns;
    if (wire->reply_ns <= chunk_ns) {
        arrive(wire, wire->reply, wire->reply_size);
        wire->reply_size = 0;
        wire->reply_ns = INT64_MAX;
    }
    while (wire->next_arrival_ns <= chunk_ns
           && wire->buffer_size + WRAPPED_MAX <= sizeof wire->buffer) {
        sample_take(wire);
    }
}

enum status wire_read(struct wire *wire, uint8_t *bytes, size_t capacity, size_t *size)
{
    if (fault_at(wire, FAULT_UNPLUG, to_s(wire_next_ns(wire)))) {
        return STATUS_GONE;
    }
    if (wire->buffer_size == 0) {
        chunk_collect(wire);
    }
    size_t taken = wire->buffer_size < capacity ? wire->buffer_size : capacity;
    if (taken == 0) {
        return STATUS_NOT_READY;
    }
    memcpy(bytes, wire->buffer, taken);
    wire->buffer_size -= taken;
    memmove(wire->buffer, wire->buffer + taken, wire->buffer_size);
    *size = taken;
    return STATUS_OK;
}

/* Drivers leave it to the transport which interface a request is meant for. */
static void setup_complete(const struct device_model_usb *usb, const uint8_t *bytes,
                           uint8_t setup[SETUP_SIZE])
{
    memcpy(setup, bytes, SETUP_SIZE);
    if ((setup[0] & RECIPIENT_MASK) == RECIPIENT_INTERFACE) {
        setup[4] = usb->interface;
        setup[5] = 0;
    }
}

/* A control request: the reply begins with the setup bytes where records are read.
 * @return Size of what the host reads. */
static size_t request_answer(struct wire *wire, uint64_t time_us, const uint8_t *bytes,
                             size_t size, uint8_t *wrapped)
{
    const struct device_model_usb *usb = wire->model.type->usb;
    uint8_t setup[SETUP_SIZE];
    uint8_t data[SETUP_SIZE + DEVICE_MODEL_OUT_MAX];
    if (size < SETUP_SIZE) {
        return 0;
    }
    setup_complete(usb, bytes, setup);
    int reply_size = usb->control ? usb->control(&wire->model, time_us, setup,
                                                 bytes + SETUP_SIZE, data + SETUP_SIZE)
                                  : -1;
    size_t given = reply_size > 0 ? (size_t)reply_size : 0;
    if (!usb->is_packeted) {
        memcpy(wrapped, data + SETUP_SIZE, given);
        return given;
    }
    memcpy(data, bytes, SETUP_SIZE);
    given = given < TRANSPORT_PACKET_DATA_MAX - SETUP_SIZE
                ? given
                : TRANSPORT_PACKET_DATA_MAX - SETUP_SIZE;
    return transport_packet_encode(
        REPLY_ENDPOINT, reply_size < 0 ? TRANSPORT_PACKET_STALL : TRANSPORT_PACKET_OK, data,
        SETUP_SIZE + given, wrapped);
}

static size_t answer(struct wire *wire, const uint8_t *bytes, size_t size, int64_t now_ns,
                     uint8_t *wrapped)
{
    const struct device_model_type *type = wire->model.type;
    uint64_t time_us = device_time_us(wire, to_s(now_ns));
    if (takes_requests(type)) {
        return request_answer(wire, time_us, bytes, size, wrapped);
    }
    if (!type->hear) {
        return 0;
    }
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t reply_size = type->hear(&wire->model, time_us, bytes, size, reply);
    uint8_t endpoint = type->usb ? type->usb->reply_endpoint : 0;
    return transfer_wrap(wire, endpoint, reply, reply_size, wrapped);
}

void wire_hear(struct wire *wire, const uint8_t *bytes, size_t size, int64_t now_ns)
{
    uint8_t wrapped[WRAPPED_MAX];
    if (now_ns < wire->boot_ns) {
        return;
    }
    size_t wrapped_size = answer(wire, bytes, size, now_ns, wrapped);
    if (wrapped_size == 0 || wire->reply_size + wrapped_size > sizeof wire->reply) {
        return;
    }
    memcpy(wire->reply + wire->reply_size, wrapped, wrapped_size);
    wire->reply_size += wrapped_size;
    if (wire->reply_ns == INT64_MAX) {
        wire->reply_ns = now_ns + to_ns(REPLY_S);
    }
}

void wire_fault_add(struct wire *wire, const struct patient_fault *fault, double start_s)
{
    if (fault->kind == FAULT_SLIP) {
        double turned_rad = motion_value(&wire->imu.slip, INFINITY);
        if (!role_is_flex(wire->role)) {
            motion_move(&wire->imu.slip, start_s, fmax(0.05, fault->duration_s),
                        turned_rad + fault->angle_deg * RAD_PER_DEG);
        }
        return;
    }
    wire->faults[wire->fault_count++ % WIRE_FAULT_MAX] =
        (struct wire_fault){.kind = fault->kind,
                            .start_s = start_s,
                            .end_s = start_s + fault->duration_s,
                            .probability = fault->probability};
}

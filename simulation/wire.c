#include "simulation/wire.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "simulation/encoder_text.h"

/* Base delay of a USB-serial line, and its latency timer when bytes are held for a burst.
 */
static const double DELAY_S = 0.0015;
static const double BURST_S = 0.016;
static const double BURST_CHANCE = 0.04;
static const double BOOT_S = 0.35; /* of an Uno after its port was opened */
static const double REPLY_S = 0.002;
static const double LOOK_AGAIN_S = 0.02;

enum {
    SAMPLE_SIZE_MAX = 3 * ENCODER_XIMU3_SIZE_MAX,
    XIMU3_RATE_HZ = 400,
    BATTERY_S = 5
};

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

static bool is_silent(const struct wire *wire)
{
    return wire->format == WIRE_FIRMATA && !encoder_firmata_is_reporting(&wire->firmata);
}

static double period_s(const struct wire *wire)
{
    double nominal_s = 1.0 / wire->rate_hz;
    if (wire->format == WIRE_XIMU3 && wire->ximu3.divisor > 0) {
        nominal_s = (double)wire->ximu3.divisor / XIMU3_RATE_HZ;
    } else if (wire->format == WIRE_FIRMATA) {
        nominal_s = is_silent(wire) ? LOOK_AGAIN_S : wire->firmata.interval_ms / 1000.0;
    }
    return nominal_s * (1.0 + wire->rate_error);
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

bool wire_init(struct wire *wire, const struct person *person, enum role role,
               enum wire_format format, double rate_hz, uint64_t seed)
{
    const struct patient_sensors *quality = &person->patient->sensors;
    bool is_flex = role_is_flex(role);
    if ((format == WIRE_XIMU3 && is_flex) || (format == WIRE_FIRMATA && !is_flex)) {
        return false;
    }
    memset(wire, 0, sizeof *wire);
    wire->role = role;
    wire->format = format;
    wire->rate_hz = rate_hz;
    wire->jitter_s = quality->arrival_jitter_s;
    wire->reply_ns = INT64_MAX;
    random_init(&wire->random, seed, 200u + (unsigned)role);
    wire->rate_error =
        random_uniform(&wire->random, -quality->clock_error, quality->clock_error);
    wire->clock_error =
        random_uniform(&wire->random, -quality->clock_error, quality->clock_error);
    wire->clock_start_us = (uint64_t)random_uniform(&wire->random, 5e6, 3e9);
    wire->next_sample_s = random_uniform(&wire->random, 0.0, 0.05) + 1.0 / rate_hz;
    if (is_flex) {
        sensor_flex_init(&wire->flex, person, role, seed);
    } else {
        sensor_imu_init(&wire->imu, person, role, seed);
    }
    encoder_ximu3_init(&wire->ximu3);
    encoder_firmata_init(&wire->firmata);
    arrival_draw(wire);
    return true;
}

enum status wire_open(struct wire *wire, int64_t now_ns)
{
    if (fault_at(wire, FAULT_UNPLUG, to_s(now_ns))) {
        return STATUS_GONE;
    }
    wire->buffer_size = 0;
    wire->reply_size = 0;
    wire->reply_ns = INT64_MAX;
    wire->has_titles = false;
    wire->cut_size =
        wire->format == WIRE_XIMU3 ? (size_t)random_uniform(&wire->random, 1.0, 30.0) : 0;
    while (wire->next_arrival_ns <= now_ns) {
        wire->next_sample_s += period_s(wire);
        arrival_draw(wire);
    }
    if (wire->format == WIRE_FIRMATA) {
        wire->boot_ns = now_ns + to_ns(BOOT_S);
        wire->reply_size = encoder_firmata_boot(&wire->firmata, wire->reply);
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

static uint64_t device_time_us(const struct wire *wire, double time_s)
{
    return wire->clock_start_us
           + (uint64_t)llround(time_s * (1.0 + wire->clock_error) * 1e6);
}

static size_t ximu3_message(const struct wire *wire, char letter, uint64_t time_us,
                            const float *values, unsigned count, uint8_t *bytes)
{
    return wire->ximu3.is_binary
               ? encoder_ximu3_binary(letter, time_us, values, count, bytes)
               : encoder_ximu3_ascii(letter, time_us, values, count, bytes);
}

static size_t ximu3_sample(struct wire *wire, uint64_t time_us,
                           const struct sensor_imu_reading *reading, uint8_t *bytes)
{
    const float inertial[6] = {
        (float)reading->gyro_deg_s[0], (float)reading->gyro_deg_s[1],
        (float)reading->gyro_deg_s[2], (float)reading->accel_g[0],
        (float)reading->accel_g[1],    (float)reading->accel_g[2],
    };
    size_t size = ximu3_message(wire, 'I', time_us, inertial, 6, bytes);
    uint64_t interval = (uint64_t)llround(BATTERY_S * wire->rate_hz);
    if (interval > 0 && wire->sample_count % interval == interval / 2) {
        const float temperature = 31.5F;
        const float battery[3] = {85.0F, 4.02F, 0.0F};
        size += ximu3_message(wire, 'T', time_us, &temperature, 1, bytes + size);
        size += ximu3_message(wire, 'B', time_us, battery, 3, bytes + size);
    }
    return size;
}

static size_t inertial_sample(struct wire *wire, uint8_t *bytes)
{
    struct sensor_imu_reading reading;
    sensor_imu_read(&wire->imu, wire->next_sample_s, period_s(wire), &reading);
    uint64_t time_us = device_time_us(wire, wire->next_sample_s);
    if (wire->format == WIRE_XIMU3) {
        return ximu3_sample(wire, time_us, &reading, bytes);
    }
    size_t size = wire->has_titles ? 0 : encoder_text_inertial_titles(bytes);
    wire->has_titles = true;
    return size
           + encoder_text_inertial(time_us, reading.gyro_deg_s, reading.accel_g,
                                   bytes + size);
}

static size_t flex_sample(struct wire *wire, uint8_t *bytes)
{
    /* Channels without a strip pick up something, too. */
    unsigned counts[ENCODER_FIRMATA_CHANNEL_COUNT] = {0, 321, 288, 267, 250, 241};
    if (is_silent(wire)) {
        return 0;
    }
    counts[0] = sensor_flex_read(&wire->flex, wire->next_sample_s);
    if (wire->format == WIRE_FIRMATA) {
        return encoder_firmata_scan(&wire->firmata, counts, bytes);
    }
    size_t size = wire->has_titles ? 0 : encoder_text_flex_titles(bytes);
    wire->has_titles = true;
    return size + encoder_text_flex(counts[0], bytes + size);
}

/* Append to what has arrived. */
static void arrive(struct wire *wire, const uint8_t *bytes, size_t size)
{
    size_t cut = size < wire->cut_size ? size : wire->cut_size;
    wire->cut_size -= cut;
    memcpy(wire->buffer + wire->buffer_size, bytes + cut, size - cut);
    wire->buffer_size += size - cut;
}

static void sample_take(struct wire *wire)
{
    uint8_t bytes[SAMPLE_SIZE_MAX];
    double time_s = wire->next_sample_s;
    if (!fault_at(wire, FAULT_DROP_OUT, time_s)) {
        size_t size = role_is_flex(wire->role) ? flex_sample(wire, bytes)
                                               : inertial_sample(wire, bytes);
        const struct wire_fault *corrupt = fault_at(wire, FAULT_CORRUPT, time_s);
        for (size_t i = 0; corrupt && i < size; i++) {
            if (random_uniform(&wire->random, 0.0, 1.0) < corrupt->probability) {
                bytes[i] ^= (uint8_t)(1u << (random_bits(&wire->random) & 7u));
            }
        }
        arrive(wire, bytes, size);
    }
    wire->sample_count++;
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
           && wire->buffer_size + SAMPLE_SIZE_MAX + WIRE_REPLY_SIZE
                  <= sizeof wire->buffer) {
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

void wire_hear(struct wire *wire, const uint8_t *bytes, size_t size, int64_t now_ns)
{
    uint8_t *room = wire->reply + wire->reply_size;
    size_t capacity = sizeof wire->reply - wire->reply_size;
    size_t reply_size = 0;
    if (wire->format == WIRE_XIMU3) {
        reply_size = encoder_ximu3_hear(&wire->ximu3, bytes, size, room, capacity);
    } else if (wire->format == WIRE_FIRMATA && now_ns >= wire->boot_ns) {
        reply_size = encoder_firmata_hear(&wire->firmata, bytes, size, room, capacity);
    }
    wire->reply_size += reply_size;
    if (reply_size > 0 && wire->reply_ns == INT64_MAX) {
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

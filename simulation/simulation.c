#include "simulation/simulation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "simulation/patient.h"
#include "simulation/person.h"
#include "simulation/truth.h"
#include "simulation/wire.h"

enum {
    FAULT_RULE_MAX = 32
};

/* Sensors fall silent so long after the last cue. */
static const int64_t AFTER_END_NS = 3 * NS_PER_S;
static const double RATE_MAX_HZ = 2000.0;

static const char *const PATIENTS[] = {
    "comfortable", "stiff",    "asymmetric", "hypermobile", "hurried",
    "poor_holder", "drop_out", "stall",      "slip",        "corrupted",
};

struct simulation {
    struct patient *patient;
    struct person person;
    struct truth *truth; /* NULL = none */
    uint64_t seed;
    struct wire *wires[ROLE_COUNT]; /* NULL = not worn */
    unsigned channels[ROLE_COUNT];  /* analog inputs of the strips */
    unsigned open_count;
    unsigned
        fault_counts[FAULT_RULE_MAX]; /* how often each of the patient's faults began */
    int64_t now_ns;
    int64_t end_ns; /* INT64_MAX = not yet known */
};

struct simulated_transport {
    struct transport base;
    struct simulation *simulation;
    struct wire *wire;
};

const char *const *simulation_patients(size_t *count)
{
    *count = sizeof PATIENTS / sizeof PATIENTS[0];
    return PATIENTS;
}

static void time_advance(struct simulation *simulation, int64_t time_ns)
{
    if (time_ns <= simulation->now_ns) {
        return;
    }
    simulation->now_ns = time_ns;
    double time_s = (double)time_ns / (double)NS_PER_S;
    person_advance(&simulation->person, time_s);
    if (simulation->truth) {
        truth_advance(simulation->truth, &simulation->person, time_s);
    }
}

enum status simulation_create(const struct simulation_settings *settings,
                              struct simulation **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct simulation *simulation = calloc(1, sizeof *simulation);
    if (!simulation) {
        return status;
    }
    simulation->end_ns = INT64_MAX;
    simulation->seed = settings->seed;
    status = patient_find(settings->patient, &simulation->patient);
    if (status) {
        goto fail;
    }
    person_init(&simulation->person, simulation->patient, settings->seed);
    if (settings->truth_path) {
        status = truth_create(settings->truth_path, &simulation->truth);
        if (status) {
            goto fail;
        }
    }
    *out = simulation;
    return STATUS_OK;
fail:
    simulation_destroy(simulation);
    return status;
}

static int64_t simulated_next_ns(const struct transport *transport)
{
    /* The base is the first member. */
    const struct simulated_transport *simulated =
        (const struct simulated_transport *)transport;
    int64_t next_ns = wire_next_ns(simulated->wire);
    return next_ns > simulated->simulation->end_ns ? INT64_MAX : next_ns;
}

static enum status simulated_read(struct transport *transport, uint8_t *bytes,
                                  size_t capacity, size_t *size)
{
    struct simulated_transport *simulated = (struct simulated_transport *)transport;
    int64_t next_ns = simulated_next_ns(transport);
    if (next_ns == INT64_MAX) {
        return STATUS_END;
    }
    time_advance(simulated->simulation, next_ns);
    return wire_read(simulated->wire, bytes, capacity, size);
}

static enum status simulated_write(struct transport *transport, const uint8_t *bytes,
                                   size_t size)
{
    struct simulated_transport *simulated = (struct simulated_transport *)transport;
    wire_hear(simulated->wire, bytes, size, simulated->simulation->now_ns);
    return STATUS_OK;
}

static void simulated_close(struct transport *transport)
{
    struct simulated_transport *simulated = (struct simulated_transport *)transport;
    simulated->simulation->open_count--;
    free(simulated);
}

static const struct transport_ops SIMULATED_OPS = {
    .read = simulated_read,
    .write = simulated_write,
    .next_ns = simulated_next_ns,
    .close = simulated_close,
};

/* Put a sensor on that was not worn before. */
static enum status wire_add(struct simulation *simulation, enum role role,
                            const char *driver, double rate_hz)
{
    struct wire *wire = calloc(1, sizeof *wire);
    if (!wire) {
        return STATUS_NO_MEMORY;
    }
    const struct wire_settings settings = {.role = role,
                                           .type = device_model_find(driver),
                                           .rate_hz = rate_hz,
                                           .channel = simulation->channels[role],
                                           .seed = simulation->seed};
    if (!settings.type || !(rate_hz >= 1.0 && rate_hz <= RATE_MAX_HZ)
        || !wire_init(wire, &simulation->person, &settings)) {
        log_error("simulated %s: cannot be a '%s' at %g Hz; needs a driver of %s, 1 to %g "
                  "Hz",
                  role_text(role), driver, rate_hz,
                  role_is_flex(role) ? "analog inputs" : "inertial units", RATE_MAX_HZ);
        free(wire);
        return STATUS_BAD_INPUT;
    }
    simulation->wires[role] = wire;
    return STATUS_OK;
}

void simulation_channel_set(struct simulation *simulation, enum role role, unsigned channel)
{
    assert((unsigned)role < ROLE_COUNT && channel < DEVICE_MODEL_ANALOG_COUNT);
    simulation->channels[role] = channel;
}

enum status simulation_transport_open(struct simulation *simulation, enum role role,
                                      const char *driver, double rate_hz,
                                      struct transport **out)
{
    assert((unsigned)role < ROLE_COUNT);
    if (!simulation->wires[role]) {
        enum status status = wire_add(simulation, role, driver, rate_hz);
        if (status) {
            return status;
        }
    }
    enum status status = wire_open(simulation->wires[role], simulation->now_ns);
    if (status) {
        return status;
    }
    struct simulated_transport *simulated = calloc(1, sizeof *simulated);
    if (!simulated) {
        return STATUS_NO_MEMORY;
    }
    simulated->base.ops = &SIMULATED_OPS;
    simulated->base.pace = TRANSPORT_VIRTUAL;
    snprintf(simulated->base.name, sizeof simulated->base.name, "simulated:%.60s:%s",
             simulation->patient->name, role_text(role));
    simulated->simulation = simulation;
    simulated->wire = simulation->wires[role];
    simulation->open_count++;
    *out = &simulated->base;
    return STATUS_OK;
}

static bool fault_matches(const struct patient_fault *fault,
                          const struct simulation_cue *cue)
{
    return !cue->is_practice && strcmp(fault->phase, cue->phase) == 0
           && (!fault->stretch
               || (cue->stretch && strcmp(fault->stretch, cue->stretch) == 0));
}

static bool fault_hits(const struct patient_fault *fault, enum role role)
{
    return strcmp(fault->role, "all") == 0 || strcmp(fault->role, role_text(role)) == 0;
}

/* What goes wrong because of this cue. */
static void faults_begin(struct simulation *simulation, const struct simulation_cue *cue)
{
    const struct patient *patient = simulation->patient;
    double start_s = (double)cue->time_ns / (double)NS_PER_S;
    for (unsigned i = 0; i < patient->faults_count && i < FAULT_RULE_MAX; i++) {
        const struct patient_fault *fault = &patient->faults[i];
        unsigned times = fault->times > 0 ? fault->times : 1;
        if (!fault_matches(fault, cue) || simulation->fault_counts[i] >= times) {
            continue;
        }
        simulation->fault_counts[i]++;
        for (unsigned role = 0; role < ROLE_COUNT; role++) {
            if (simulation->wires[role] && fault_hits(fault, (enum role)role)) {
                wire_fault_add(simulation->wires[role], fault, start_s + fault->after_s);
            }
        }
    }
}

void simulation_cue(struct simulation *simulation, const struct simulation_cue *cue)
{
    assert(cue->phase && cue->stage);
    time_advance(simulation, cue->time_ns);
    person_cue(&simulation->person, cue);
    faults_begin(simulation, cue);
    if (strcmp(cue->phase, "DONE") == 0 || strcmp(cue->phase, "ABORTED") == 0) {
        simulation->end_ns = simulation->now_ns + AFTER_END_NS;
    }
}

enum status simulation_destroy(struct simulation *simulation)
{
    if (!simulation) {
        return STATUS_OK;
    }
    assert(simulation->open_count == 0);
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        free(simulation->wires[role]);
    }
    enum status status = truth_destroy(simulation->truth);
    patient_destroy(simulation->patient);
    free(simulation);
    return status;
}

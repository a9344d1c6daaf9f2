/* Who is simulated: how far, how fast and how steadily the person moves, how the sensors
 * sit, and what goes wrong. Read from YAML; plain values after that; any thread. */
#ifndef LIMBER_SIMULATION_PATIENT_H
#define LIMBER_SIMULATION_PATIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct patient_movement {
    double range_left;  /* share of the usual range, 1 = usual; movements to the left */
    double range_right; /* to the right, and of movements without a side */
    double speed;       /* 1 = usual; 1.6 = hurried */
    double reaction_s;
    double countdown_s; /* waits so long after the start cue */
    double range_cv;    /* relative SD of the range from repetition to repetition */
    double tempo_cv;    /* relative SD of the times */
    double hold_effort; /* share of the practised range taken in holds, 0.97 = just short of
                           it */
};

struct patient_steadiness {
    double sway_deg;      /* slow sway in holds, peak */
    double breathing_deg; /* of the trunk, peak */
    double breathing_hz;
    double tremor_deg; /* peak, near 9 Hz */
    double drift_out; /* chance per hold to sag out of the position and come back, 0 .. 1 */
    double leave_early; /* chance per hold to come back too soon, 0 .. 1 */
};

struct patient_sensors {
    double mounting_deg;     /* each unit sits up to so far askew about each axis */
    double gyro_bias_deg_s;  /* up to, each axis */
    double accel_bias_g;     /* up to, each axis */
    double scale_error;      /* up to, share: 0.003 */
    double clock_error;      /* up to, share: 0.003 */
    double arrival_jitter_s; /* up to, each chunk */
    double noise;            /* 1 = as the data sheet says, 0 = none at all */
};

enum fault_kind {
    FAULT_DROP_OUT, /* samples are lost, the link stays */
    FAULT_STALL,    /* bytes are held back and come in one burst */
    FAULT_UNPLUG,   /* the port disappears for the time */
    FAULT_SLIP,     /* the unit turns on the skin and stays so */
    FAULT_CORRUPT   /* bits flip on the wire */
};

struct patient_fault {
    enum fault_kind kind;
    const char *role;    /* role text, or "all" */
    const char *stretch; /* NULL = any */
    const char *phase;   /* phase text: starts after_s after it was asked for */
    double after_s;
    double duration_s;
    double angle_deg;   /* slip */
    double probability; /* corrupt: per byte */
    unsigned times;     /* how often it may happen, 0 = once */
};

struct patient {
    const char *name;
    const char *title;
    struct patient_movement movement;
    struct patient_steadiness steadiness;
    struct patient_sensors sensors;
    struct patient_fault *faults;
    unsigned faults_count;
};

/* Read YAML text.
 * @param path     For messages: every error is one line "FILE:LINE: what; what to do".
 * @param patient  Out: gives the patient.
 * @return STATUS_OK; STATUS_BAD_INPUT after logging; STATUS_NO_MEMORY. */
enum status patient_parse(const char *path, const char *text, size_t size,
                          struct patient **patient);

/* A built-in patient by name, or a file when the name holds '/' or ends in ".yaml".
 * @return As patient_parse, or STATUS_NOT_FOUND, STATUS_IO after one logged line. */
enum status patient_find(const char *name, struct patient **patient);

/* NULL is allowed. */
void patient_destroy(struct patient *patient);

#endif

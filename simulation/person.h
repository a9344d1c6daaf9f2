/* The simulated person: hears cues, reacts after a moment, and moves the body. Knows where
 * every coordinate is at any time up to person_advance. Plain value; one thread. */
#ifndef LIMBER_SIMULATION_PERSON_H
#define LIMBER_SIMULATION_PERSON_H

#include <stdbool.h>

#include "simulation/body.h"
#include "simulation/choreography.h"
#include "simulation/motion.h"
#include "simulation/patient.h"
#include "simulation/random.h"
#include "simulation/simulation.h"

enum {
    PERSON_STEP_MAX = 24,
    PERSON_MARK_MAX = 32,
    PERSON_LABEL_SIZE = 112
};

/* A move that is planned. */
struct person_step {
    double start_s;
    double duration_s;
    double target[CHANNEL_COUNT];
    bool is_stop;             /* brake instead of going to target */
    const char *action;       /* while moving: "move_in" */
    const char *action_after; /* from then on: "hold" */
    char label[PERSON_LABEL_SIZE];
};

/* What the body does from a time on: "bridge/hold/both/3/move_in". */
struct person_mark {
    double start_s;
    char text[PERSON_LABEL_SIZE];
};

struct person_wave {
    double rate_rad_s;
    double phase_rad;
};

struct person {
    const struct patient *patient; /* borrowed */
    struct random random;
    double heading_rad;
    double speed; /* of movements, as the patient has it; less after a pause */
    double advanced_s;
    struct motion motions[CHANNEL_COUNT];
    struct person_wave waves[4];               /* two of sway, breathing, tremor */
    struct person_step steps[PERSON_STEP_MAX]; /* planned, in time order */
    unsigned step_count;
    double running_end_s; /* end of the newest move begun */
    struct person_mark marks[PERSON_MARK_MAX];
    unsigned mark_count;
    /* what was asked for */
    const struct choreography *choreography;
    enum side side;
    char label[PERSON_LABEL_SIZE];
    bool is_known; /* planned holds where the plan ends */
    double planned[CHANNEL_COUNT];
    bool is_paused;
    bool is_practice;
    unsigned practice_count;
    double leave_s; /* planned way back from the peak; INFINITY = none, -INFINITY = not
                       there */
    /* repeated movement */
    bool is_cycling;
    bool next_is_high;
    bool is_first_half;
    double next_half_s;
    double stop_s; /* asked to end by then; INFINITY = not asked */
    unsigned cycle_count;
};

/* @param patient  Borrowed. */
void person_init(struct person *person, const struct patient *patient, uint64_t seed);

/* Hear a cue. Plans begin after person_advance has been. */
void person_cue(struct person *person, const struct simulation_cue *cue);

/* Let time pass: plans that are due become moves. Times before are ignored. */
void person_advance(struct person *person, double time_s);

/* Coordinates of the body at a time up to person_advance. */
void person_channels(const struct person *person, double time_s,
                     double channels[CHANNEL_COUNT]);

/* What the body does at a time; "" before the first move. Borrowed. */
const char *person_label(const struct person *person, double time_s);

#endif

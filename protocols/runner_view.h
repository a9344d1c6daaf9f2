/* What a session shows now: phase, cue, angle against its zone, time, and why it stopped.
 * Plain values, made by the runner; any thread. */
#ifndef LIMBER_PROTOCOLS_RUNNER_VIEW_H
#define LIMBER_PROTOCOLS_RUNNER_VIEW_H

#include "analysis/measure.h"
#include "analysis/pipeline.h"
#include "protocols/guard.h"

enum phase {
    PHASE_ALIGN, /* neutral pose, then functional moves; once per session */
    PHASE_SETUP, /* take the start posture, be still */
    PHASE_READY, /* countdown, cue; waits for movement */
    PHASE_MOVE_IN,
    PHASE_HOLD,
    PHASE_MOVE_OUT,
    PHASE_CYCLE,
    PHASE_REST,
    PHASE_PAUSED,
    PHASE_ABORTED,
    PHASE_DONE,
    PHASE_COUNT
};

/* "ALIGN", "SETUP", "READY", "MOVE_IN" ... as in files and on the page. */
const char *phase_text(enum phase phase);

enum sensor_state {
    SENSOR_STARTING, /* no sample yet */
    SENSOR_OK,
    SENSOR_STALLED, /* silent for 0.5 s */
    SENSOR_UNPLUGGED
};

const char *sensor_state_text(enum sensor_state state);

enum zone_state {
    ZONE_NONE, /* no data */
    ZONE_BELOW,
    ZONE_NEAR,
    ZONE_IN,
    ZONE_OVER
};

/* What to show now. Texts are borrowed from the protocols, from the runner, or static.
 * Practice runs READY, MOVE_IN, MOVE_OUT, REST: the person goes as far as is easy and comes
 * back. */
struct runner_view {
    enum phase phase;
    enum phase phase_before; /* PAUSED: where it will go on */
    unsigned stretch;
    unsigned part;
    unsigned repetition; /* from 1; 0 = practice */
    unsigned repetition_count;
    unsigned practice; /* practice repetition from 1; 0 = not practising */
    enum side side;
    const char *cue;
    const char *next; /* what comes next, plain words */
    enum measure measure;
    double angle_deg; /* of the primary measure, signed so that further is larger; NaN */
    double rate_deg_s;
    enum zone_state zone;
    double zone_low_deg; /* NaN until the zone is known */
    double zone_high_deg;
    double hold_credited_s;
    double hold_target_s;
    double rest_left_s;
    unsigned cycle_done;
    unsigned cycle_target;
    enum guard_level guard;
    const char *reason;        /* why paused or aborted, plain words; "" otherwise */
    enum pipeline_stage stage; /* what the pipeline should do now */
};

#endif

/* The phase machine of a session: guides through the stretches, detects holds and repetitions as
 * they happen, credits time only while there is data, and says what to show. Pure: time comes in
 * with poses and ticks; no allocation after init. One thread. (Clinical reference 2.2.) */
#ifndef LIMBER_PROTOCOLS_RUNNER_H
#define LIMBER_PROTOCOLS_RUNNER_H

#include "analysis/hold.h"
#include "analysis/pipeline.h"
#include "analysis/pose.h"
#include "analysis/repetition.h"
#include "protocols/event.h"
#include "protocols/guard.h"
#include "protocols/protocol.h"

enum {
    RUNNER_STRETCH_MAX = 8,
    RUNNER_EVENT_MAX = 64, /* waiting events; drained after every call */
    RUNNER_PRACTICE_MAX = 8
};

enum phase {
    PHASE_ALIGN,     /* neutral pose, then functional moves; once per session */
    PHASE_SETUP,     /* take the start posture, be still */
    PHASE_READY,     /* countdown, cue; waits for movement */
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

struct runner_settings {
    const struct protocol *protocols; /* borrowed; in the order to do them */
    unsigned protocol_count;
    unsigned worn;            /* bits 1u << role */
    bool align;               /* true: guided alignment first; false: nominal placement only
                               * (a neutral still pose is still taken) */
    double stall_s;           /* default 0.5 */
    double pause_s;           /* default 2.0: a stalled required sensor pauses */
    double setup_timeout_s;   /* give up waiting for a still start posture; 0 = never */
    double onset_timeout_s;   /* no movement after READY for so long: the repetition is skipped;
                               * 0 = never (recorded data need a limit, people do not) */
};

extern const struct runner_settings runner_default_settings;

/* What to show now. Texts are borrowed from the protocols or static. */
struct runner_view {
    enum phase phase;
    enum phase phase_before; /* PAUSED: where it will go on */
    unsigned stretch;
    unsigned part;
    unsigned repetition;     /* from 1; 0 = practice */
    unsigned repetition_count;
    unsigned practice;       /* practice repetition from 1; 0 = not practising */
    enum side side;
    const char *cue;
    const char *next;        /* what comes next, plain words */
    enum measure measure;
    double angle_deg;        /* of the primary measure, signed so that further is larger; NaN */
    double rate_deg_s;
    enum zone_state zone;
    double zone_low_deg;     /* NaN until the zone is known */
    double zone_high_deg;
    double hold_credited_s;
    double hold_target_s;
    double rest_left_s;
    unsigned cycle_done;
    unsigned cycle_target;
    enum guard_level guard;
    const char *reason;      /* why paused or aborted, plain words; "" otherwise */
    enum pipeline_stage stage; /* what the pipeline should do now */
};

/* A completed part of a stretch, kept for the session record. */
struct runner_zone {
    double peak_deg; /* personal comfortable peak P, NaN = not measured */
    double low_deg;
    double high_deg;
    double start_deg; /* primary angle in the start posture */
};

struct runner {
    struct runner_settings settings;
    struct runner_view view;
    struct event events[RUNNER_EVENT_MAX];
    unsigned event_count;
    struct runner_zone zones[RUNNER_STRETCH_MAX][PROTOCOL_PART_MAX][SIDE_COUNT];
    /* private: */
    struct guard guard;
    struct hold hold;
    struct repetition repetition;
    enum sensor_state sensors[ROLE_COUNT];
    double sensor_since_s[ROLE_COUNT];
    double now_s;
    double phase_since_s;
    double condition_since_s; /* start of the run of good samples the phase waits for */
    double stage_since_s;
    unsigned stage_step;
    double practice_peaks[RUNNER_PRACTICE_MAX];
    unsigned practice_count;
    double peak_deg;
    double start_deg;
    double credited_before_s; /* credited before a pause */
    int pain_first;
    int pain_last;
    unsigned caution_count;
    enum phase paused_phase;
    char reason[96];
    char next[PROTOCOL_TEXT_SIZE];
    char cue[PROTOCOL_TEXT_SIZE];
};

/* @return STATUS_OK; STATUS_BAD_INPUT after one logged line: a protocol needs a role that nobody
 *         wears, or there are too many protocols. */
enum status runner_init(struct runner *runner, const struct runner_settings *settings);

/* Take one pose. */
void runner_pose(struct runner *runner, const struct pose *pose);

/* The clock moved on: watchdog, rests, time-outs.
 * @param time_s       Session time.
 * @param newest_s     By role: session time of the newest sample; NaN = none yet. */
void runner_tick(struct runner *runner, double time_s, const double newest_s[ROLE_COUNT]);

/* The port of a role was lost (false) or opened (true). */
void runner_link(struct runner *runner, double time_s, enum role role, bool is_open);

/* Operator or patient: "pause", "resume", "stop", "skip", "redo", "undo", "sharp_pain", "pain N",
 * "note TEXT", "guard_ack".
 * @return STATUS_OK; STATUS_REFUSED when not allowed now; STATUS_BAD_INPUT when unknown. */
enum status runner_input(struct runner *runner, double time_s, const char *text);

/* The pipeline answered a SOLVE or START stage. */
void runner_aligned(struct runner *runner, double time_s, enum status status);

/* The data ended: close what is running. */
void runner_finish(struct runner *runner, double time_s);

/* True in DONE and ABORTED. */
bool runner_is_over(const struct runner *runner);

/* Take the waiting events: copies up to capacity, oldest first, and removes them. */
unsigned runner_events_take(struct runner *runner, struct event *events, unsigned capacity);

#endif

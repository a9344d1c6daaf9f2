/* The phase machine of a session: guides through the stretches, detects holds and
 * repetitions as they happen, credits time only while there is data, and says what to show.
 * Pure: time comes in with poses and ticks; no allocation after init. One thread. (Clinical
 * reference 2.2.) */
#ifndef LIMBER_PROTOCOLS_RUNNER_H
#define LIMBER_PROTOCOLS_RUNNER_H

#include "analysis/hold.h"
#include "analysis/pipeline.h"
#include "analysis/pose.h"
#include "analysis/repetition.h"
#include "protocols/event.h"
#include "protocols/guard.h"
#include "protocols/protocol.h"
#include "protocols/runner_view.h"

enum {
    RUNNER_STRETCH_MAX = 8,
    RUNNER_EVENT_MAX = 64, /* waiting events; drained after every call */
    RUNNER_PRACTICE_MAX = 8
};

struct runner_settings {
    const struct protocol *protocols; /* borrowed; in the order to do them */
    unsigned protocol_count;
    unsigned worn;    /* bits 1u << role */
    bool align;       /* true: guided alignment first; false: nominal placement only
                       * (a neutral still pose is still taken) */
    bool auto_resume; /* default true: a pause for a silent sensor ends by itself after 2 s
                       * of good data, one for speed after 10 s; others need "resume" */
    bool hypermobile; /* default false; true: no zone reaches over 80 % of the personal peak
                       * (clinical reference 2.6) */
    int pain_start;   /* 0 .. 10 before the session; default -1: the first mark counts */
    double stall_s;   /* default 0.5 */
    double pause_s;   /* default 2.0: a stalled required sensor pauses */
    double setup_timeout_s; /* give up waiting for a still start posture; 0 = never */
    double
        onset_timeout_s; /* no movement after READY for so long: the repetition is skipped;
                          * 0 = never (recorded data need a limit, people do not) */
};

extern const struct runner_settings runner_default_settings;

/* A completed part of a stretch, kept for the session record. */
struct runner_zone {
    double peak_deg; /* personal comfortable peak P, NaN = not measured */
    double low_deg;
    double high_deg;
    double start_deg; /* primary angle in the start posture */
};

/* Private: why the session is paused. */
enum runner_pause {
    RUNNER_PAUSE_NONE,
    RUNNER_PAUSE_OPERATOR,
    RUNNER_PAUSE_SENSOR,
    RUNNER_PAUSE_GUARD,
    RUNNER_PAUSE_PAIN
};

/* Private: what follows a rest. */
enum runner_step {
    RUNNER_STEP_REPETITION,
    RUNNER_STEP_SIDE,
    RUNNER_STEP_PART,
    RUNNER_STEP_STRETCH,
    RUNNER_STEP_DONE
};

/* Private: a sensor as the watchdog sees it. */
struct runner_sensor {
    enum sensor_state state;
    double newest_s;   /* newest sample seen */
    double ok_since_s; /* start of the present run of data */
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
    struct runner_sensor sensors[ROLE_COUNT];
    bool started;
    double pose_s; /* time of the newest pose; NaN = none */
    double tick_s; /* time of the first tick; NaN = none */
    double phase_since_s;
    double stage_since_s; /* alignment: since when this step runs */
    double still_since_s; /* start of the present still run; NaN = moving */
    double back_since_s;  /* start of the run back in the start posture; NaN = away */
    double out_since_s;   /* HOLD: since when out of the zone; NaN = in */
    unsigned align_step;
    unsigned align_retries;
    unsigned excursions; /* alignment moves counted */
    bool is_out;         /* inside an alignment move */
    double neutral_rad[MEASURE_COUNT];
    bool is_armed;  /* READY: movement may begin */
    bool has_fix;   /* headings were made equal in the start posture of this stretch */
    bool has_start; /* start_deg is known for this part and side */
    double start_deg;
    double peak_deg; /* of this movement */
    double peak_s;
    double practice_peaks[RUNNER_PRACTICE_MAX];
    unsigned practice_count;
    double credited_before_s; /* of finished holds of this repetition */
    unsigned cycles_before;   /* counted before a pause */
    enum runner_step step;    /* after the present rest */
    bool is_finish;           /* the rest that ends a stretch */
    bool is_returning;        /* MOVE_OUT after a pause: then the repetition begins anew */
    enum runner_pause pause;
    unsigned guard_pauses; /* since the last finished movement */
    unsigned cautions;     /* since the last pause for speed */
    int pain_first;
    int pain_last;
    int pain_before; /* what undo goes back to */
    bool can_undo;
    char reason[96];
    char next[PROTOCOL_TEXT_SIZE];
    char cue[PROTOCOL_TEXT_SIZE];
};

/* @return STATUS_OK; STATUS_BAD_INPUT after one logged line: a protocol needs a role that
 * nobody wears, or there are too many protocols. */
enum status runner_init(struct runner *runner, const struct runner_settings *settings);

/* Take one pose. */
void runner_pose(struct runner *runner, const struct pose *pose);

/* The clock moved on: watchdog, rests, time-outs.
 * @param time_s       Session time.
 * @param newest_s     By role: session time of the newest sample; NaN = none yet. */
void runner_tick(struct runner *runner, double time_s, const double newest_s[ROLE_COUNT]);

/* The port of a role was lost (false) or opened (true). */
void runner_link(struct runner *runner, double time_s, enum role role, bool is_open);

/* A person pressed the button of a worn sensor.
 * @param button  Name of its stream. */
void runner_marker(struct runner *runner, double time_s, enum role role,
                   const char *button);

/* Operator or patient: "pause", "resume" (refused until all required sensors have sent for
 * 2 s), "stop", "skip" (this step), "redo" (in a rest: the last repetition again), "undo"
 * (the last pain mark), "sharp_pain" (ends the session), "pain N" (6 or more ends it, 2
 * more than at the start pauses), "note TEXT", "guard_ack" (ends a pause for speed).
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

/* Detects a hold: angle in its zone, nearly still, long enough; start and end are
 * back-dated so that debouncing never shortens it, and a gap is never credited (clinical
 * reference 3.4). Pure, no allocation; any thread. */
#ifndef LIMBER_ANALYSIS_HOLD_H
#define LIMBER_ANALYSIS_HOLD_H

#include <stdbool.h>

struct hold_settings {
    double zone_low_rad;
    double zone_high_rad;
    double hysteresis_rad; /* default 3 deg */
    double enter_time_s;   /* default 0.5 */
    double exit_time_s;    /* default 0.5 */
    double still_rad_s;    /* entry limit of rate, default 5 deg/s */
    double break_rad_s;    /* exit limit of rate, default 15 deg/s */
    double break_time_s;   /* default 0.3 */
    double gap_bridge_s;   /* gaps up to this are credited, default 0.25 */
    double gap_keep_s;     /* gaps up to this keep the hold open uncredited, default 1.0 */
    double merge_time_s;   /* breaks shorter than this join two holds, default 1.0 */
};

/* Zone 0 .. 0 must be set by the caller. */
extern const struct hold_settings hold_default_settings;

enum hold_state {
    HOLD_OUT,
    HOLD_IN
};

enum hold_cause {
    HOLD_CAUSE_NONE,
    HOLD_CAUSE_ZONE,      /* left the zone */
    HOLD_CAUSE_RATE,      /* moved */
    HOLD_CAUSE_DATA_LOSS, /* gap over gap_keep_s */
    HOLD_CAUSE_END        /* the caller closed it */
};

const char *hold_cause_text(enum hold_cause cause);

struct hold_result {
    double start_s;      /* first sample of the still run in the zone */
    double end_s;        /* first sample that was not good any more */
    double uncredited_s; /* gaps inside */
    unsigned exit_count; /* merged breaks; they had data, so they are credited */
    enum hold_cause cause;
};

struct hold {
    struct hold_settings settings;
    enum hold_state state;
    struct hold_result result; /* of the running or last hold */
    /* private: */
    double run_start_s;
    double bad_since_s;
    double rate_since_s;
    double last_time_s;   /* of the newest sample with data */
    double gap_pending_s; /* gaps in a break: uncredited if the hold goes on */
    double lowest_rad;    /* since the break began */
    bool closed;          /* a finished hold waits for merging */
};

void hold_init(struct hold *hold, const struct hold_settings *settings);

/* Take one grid instant. NaN angle or rate = no data, and so is an instant left out. An
 * instant that is not newer than the one before is ignored.
 * @return true at the update that (after merging time) finished a hold: hold->result is
 * final. */
bool hold_update(struct hold *hold, double time_s, double angle_rad, double rate_rad_s);

/* Close a running hold at its last good sample. @return true if there was one. */
bool hold_finish(struct hold *hold);

/* Credited seconds so far of the running hold (or of one that may still be merged); 0 when
 * out. Never grows while there is no data, nor in a break that may become the end. */
double hold_credited_s(const struct hold *hold);

#endif

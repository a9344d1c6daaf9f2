/* Watches for movement that is too fast; runs on the raw-rate path. A gap never clears it.
 * Pure, no allocation; any thread. (Clinical reference 2.5, project defaults.) */
#ifndef LIMBER_PROTOCOLS_GUARD_H
#define LIMBER_PROTOCOLS_GUARD_H

#include "analysis/pose.h"
#include "protocols/protocol.h"

enum guard_level {
    GUARD_CLEAR,
    GUARD_CAUTION,
    GUARD_STOP,
    GUARD_UNKNOWN /* no data: the level before still holds underneath */
};

const char *guard_level_text(enum guard_level level);

struct guard {
    struct protocol_guard limits;
    enum guard_level level; /* latched: STOP until guard_reset */
    unsigned caution_count;
    int axis;           /* enum plane, 3 = segment; of the newest trip */
    double value_deg_s; /* rate that tripped */
    double limit_deg_s;
    /* private: */
    enum guard_level held; /* level as known from data, also while level is UNKNOWN */
    double over_caution_since_s[4];
    double over_stop_since_s[4];
    double clear_since_s;
    double last_time_s;
    bool is_watched[4]; /* axes that have had data: their silence is a gap */
};

void guard_init(struct guard *guard, const struct protocol_guard *limits);

/* Take one instant. @return true when the level changed. CAUTION clears after 1 s of data
 * below the limit. STOP is shown also while there are no data. */
bool guard_update(struct guard *guard, const struct pose_guard *rates);

/* A clinician let the session go on after a stop, or a new movement begins. The count of
 * cautions stays. */
void guard_reset(struct guard *guard);

#endif

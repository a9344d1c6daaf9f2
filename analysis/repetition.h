/* Counts movement cycles low, high, low by a Schmitt trigger round a running middle;
 * boundaries are the extrema between crossings (clinical reference 3.5). A movement that
 * begins or ends in its middle (neutral) counts one cycle per visit of the high side. Pure,
 * no allocation; any thread. */
#ifndef LIMBER_ANALYSIS_REPETITION_H
#define LIMBER_ANALYSIS_REPETITION_H

#include <stdbool.h>

struct repetition_settings {
    double middle_rad;      /* from practice; NaN = learn from the first cycle */
    double half_range_rad;  /* from practice; NaN = learn */
    double update_weight;   /* default 0.2 */
    double time_min_s;      /* default 1.5 */
    double time_max_s;      /* default 20 */
    double range_min;       /* smallest share of the expected range, default 0.4 */
    double range_floor_rad; /* smallest range while learning, default 5 deg */
};

extern const struct repetition_settings repetition_default_settings;

struct repetition_result {
    double start_s; /* time of the valley before */
    double peak_s;
    double end_s; /* time of the valley after */
    double start_rad;
    double peak_rad;
    double end_rad;
    double missing_s; /* seconds without data inside */
};

/* Private: a low point and how long the movement rested there. */
struct repetition_valley {
    double angle_rad;
    double time_s;
    double near_first_s; /* first and last time close to it */
    double near_last_s;
    double near_first_rad;
    double near_next_s; /* takes the place of near_first when that is no longer close */
    double near_next_rad;
    double missing_s; /* sum of missing time when the movement left it */
};

struct repetition {
    struct repetition_settings settings;
    struct repetition_result result; /* of the last counted cycle */
    unsigned count;
    unsigned
        partial_count; /* moves that turned back too early, or were too small, fast, slow */
    /* private: */
    int state;
    bool pending; /* a cycle waits for the low point that ends it */
    bool learned; /* false until one full cycle fixed middle and half range */
    double middle_rad;
    double half_range_rad;
    struct repetition_valley start; /* low point before the cycle */
    struct repetition_valley end;   /* low point after the peak */
    double top_rad;                 /* highest since the low point, while still low */
    double peak_rad;
    double peak_s;
    double last_time_s;
    double missing_s; /* of all time */
};

void repetition_init(struct repetition *repetition,
                     const struct repetition_settings *settings);

/* Take one grid instant; NaN = no data, and so is an instant left out. A gap of time_min_s
 * or more, in which a whole cycle could hide, breaks off the cycle in progress.
 * @return true when a cycle was counted: repetition->result is final. That is known once
 * the movement leaves its low point again, or has rested there (1 s or 0.65 of
 *         the time of the way back, whichever is longer). */
bool repetition_update(struct repetition *repetition, double time_s, double angle_rad);

/* The data ended: counts a last cycle that has come back to its low point, or to its
 * middle.
 * @return true if there was one. */
bool repetition_finish(struct repetition *repetition);

#endif

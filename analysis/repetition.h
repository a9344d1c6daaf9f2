/* Counts movement cycles by a Schmitt trigger round a running middle; boundaries are the extrema
 * between crossings (clinical reference 3.5). Pure, no allocation; any thread. */
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

struct repetition {
    struct repetition_settings settings;
    struct repetition_result result; /* of the last counted cycle */
    unsigned count;
    unsigned partial_count;
    /* private: */
    int state;
    double middle_rad;
    double half_range_rad;
    double low_rad;
    double low_s;
    double peak_rad;
    double peak_s;
    double valley_rad;
    double valley_s;
    double last_time_s;
    double missing_s;
    double min_rad;
    double max_rad;
    double min_s;
    double max_s;
};

void repetition_init(struct repetition *repetition, const struct repetition_settings *settings);

/* Take one grid instant; NaN = no data.
 * @return true when a cycle was counted: repetition->result is final. */
bool repetition_update(struct repetition *repetition, double time_s, double angle_rad);

/* The data ended: counts a last cycle that has come back within a quarter of its range. */
bool repetition_finish(struct repetition *repetition);

#endif

/* Smooths all angles of the grid at once: symmetric Gaussian kernel of 13 taps (SD 22 ms,
 * half power at 6 Hz), no phase shift, so it answers six instants late. Pure, no
 * allocation; any thread. */
#ifndef LIMBER_ANALYSIS_SMOOTHER_H
#define LIMBER_ANALYSIS_SMOOTHER_H

#include <stdbool.h>

#include "analysis/measure.h"

enum {
    SMOOTHER_REACH = 6, /* instants on either side of the centre */
    SMOOTHER_TAP_COUNT = 2 * SMOOTHER_REACH + 1
};

struct smoother {
    double angle_rad[SMOOTHER_TAP_COUNT][MEASURE_COUNT]; /* ring */
    unsigned long count;                                 /* instants taken */
};

struct smoother_result {
    double angle_rad[MEASURE_COUNT];
    double rate_rad_s[MEASURE_COUNT];
    double raw_angle_rad[MEASURE_COUNT];
};

void smoother_init(struct smoother *smoother);

/* Take the angles of one grid instant, NaN = no data.
 * @param result  Out: the instant SMOOTHER_REACH before this one. A line fitted with the
 * kernel as weights: its value and slope at the centre. NaN where the centre is, or where
 * fewer than 5 taps have data.
 * @return false for the first SMOOTHER_REACH instants: result untouched. */
bool smoother_update(struct smoother *smoother, const double angle_rad[MEASURE_COUNT],
                     struct smoother_result *result);

#endif

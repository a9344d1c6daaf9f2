/* All angles of the body at one instant of the common 100 Hz grid. Plain value; any thread.
 */
#ifndef LIMBER_ANALYSIS_POSE_H
#define LIMBER_ANALYSIS_POSE_H

#include <stdbool.h>

#include "analysis/measure.h"

#define POSE_RATE_HZ 100.0

/* Unsmoothed angular rates of the guard path: median of three samples,
 * gyroscope difference, low pass 10 Hz. NaN = no data. */
struct pose_guard {
    double time_s;              /* newer than pose.time_s by the delay of the smoothing */
    double joint_rate_rad_s[3]; /* by enum plane: low back (or trunk) relative to pelvis */
    double segment_rate_rad_s;  /* fastest of the trunk and pelvis units, total rate */
};

struct pose {
    double time_s;                       /* session time of the smoothed angles */
    double angle_rad[MEASURE_COUNT];     /* NaN where not worn or no data within 0.25 s */
    double rate_rad_s[MEASURE_COUNT];    /* derivative of the smoothed angle */
    double raw_angle_rad[MEASURE_COUNT]; /* before smoothing, at the same instant */
    double tilt_error_rad;    /* standard error of inclinations now, worst worn unit */
    double heading_error_rad; /* standard error of relative heading since the last
                               * start posture, worst worn unit */
    double still_rate_rad_s;  /* RMS rate of all worn units over the last 0.5 s */
    struct pose_guard guard;
};

#endif

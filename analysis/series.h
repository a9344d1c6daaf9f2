/* Statistics over stored angle series, all by GSL (clinical reference 3.3 to 3.6).
 * Functions take arrays on the 100 Hz grid, NaN = no data; they allocate work space and
 * free it. Any thread. */
#ifndef LIMBER_ANALYSIS_SERIES_H
#define LIMBER_ANALYSIS_SERIES_H

#include <stddef.h>

#include "base/status.h"

/* Range of one movement window (3.3). */
struct series_range {
    double peak_rad;     /* 98th percentile */
    double valley_rad;   /* 2nd percentile */
    double peak_raw_rad; /* plain maximum */
    double valley_raw_rad;
    double coverage; /* share of samples with data, 0 .. 1 */
};

/* STATUS_NOT_READY under 10 valid samples. */
enum status series_range_get(const double *angle_rad, size_t count,
                             struct series_range *range);

/* Anatomy of one hold (3.4). */
struct series_hold {
    double mean_rad;
    double deviation_rad;   /* SD, n-1 */
    double wobble_rad;      /* RMS after taking out the straight line */
    double stillness_rad_s; /* RMS of rate */
    double slope_rad_s;     /* robust (bisquare) slope after the first 3 s */
    double slope_low_rad_s; /* 95 % interval */
    double slope_high_rad_s;
    double coverage;
};

enum status series_hold_get(const double *time_s, const double *angle_rad,
                            const double *rate_rad_s, size_t count,
                            struct series_hold *hold);

/* Mean, SD (n-1), coefficient of variation in % (NaN if the mean is below 8 deg and unit is
 * an angle: pass mean_min), median of n values. */
struct series_summary {
    double mean;
    double deviation;
    double variation_percent;
    double median;
    double best;
    size_t count;
};

enum status series_summary_get(const double *values, size_t count, double mean_min,
                               struct series_summary *summary);

/* Spectral arc length and log dimensionless jerk of a speed profile (3.5; Balasubramanian
 * 2015). Both negative, nearer 0 = smoother. STATUS_NOT_READY under 20 samples or no
 * movement. */
enum status series_sparc(const double *speed, size_t count, double rate_hz, double *sparc);
enum status series_ldlj(const double *speed, size_t count, double rate_hz, double *ldlj);

/* Breathing rate (breaths per minute) from trunk tilt in a hold: strongest 0.1 to 0.5 Hz
 * line. STATUS_NOT_READY under 30 s or when no line stands 4 times over the median (3.6).
 */
enum status series_breathing(const double *angle_rad, size_t count, double rate_hz,
                             double *breaths_per_min);

#endif

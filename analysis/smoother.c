#include "analysis/smoother.h"

#include <math.h>
#include <string.h>

#include "analysis/pose.h"
#include "base/units.h"

/* exp(-k^2 / (2 * 2.2^2)): SD of 2.2 instants. */
static const double WEIGHTS[SMOOTHER_REACH + 1] = {
    1.0,
    0.901851158645,
    0.661514655649,
    0.394651545733,
    0.191495195015,
    0.075573874713,
    0.024258013454,
};

static const int TAP_COUNT_MIN = 5;

struct line {
    double value;
    double slope; /* per instant */
};

/* Weighted straight line through the taps with data; with all 13 its value is the Gaussian
 * mean and its slope the derivative of the Gaussian.
 * @param taps  Oldest first. */
static struct line line_fit(const double taps[SMOOTHER_TAP_COUNT])
{
    double centre = taps[SMOOTHER_REACH];
    double sums[5] = {0.0};
    int count = 0;
    for (int i = 0; i < SMOOTHER_TAP_COUNT; i++) {
        if (!isfinite(taps[i])) {
            continue;
        }
        double x = i - SMOOTHER_REACH;
        double weight =
            WEIGHTS[i < SMOOTHER_REACH ? SMOOTHER_REACH - i : i - SMOOTHER_REACH];
        /* Relative to the centre, so that a turn past the cut at 180 deg is no jump. */
        double y = remainder(taps[i] - centre, 2.0 * PI_RAD);
        sums[0] += weight;
        sums[1] += weight * x;
        sums[2] += weight * x * x;
        sums[3] += weight * y;
        sums[4] += weight * x * y;
        count++;
    }
    if (!isfinite(centre) || count < TAP_COUNT_MIN) {
        return (struct line){(double)NAN, (double)NAN};
    }
    double determinant = sums[0] * sums[2] - sums[1] * sums[1];
    double slope = (sums[0] * sums[4] - sums[1] * sums[3]) / determinant;
    return (struct line){centre + (sums[3] - slope * sums[1]) / sums[0], slope};
}

void smoother_init(struct smoother *smoother)
{
    smoother->count = 0;
    for (unsigned tap = 0; tap < SMOOTHER_TAP_COUNT; tap++) {
        for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
            smoother->angle_rad[tap][measure] = (double)NAN;
        }
    }
}

bool smoother_update(struct smoother *smoother, const double angle_rad[MEASURE_COUNT],
                     struct smoother_result *result)
{
    memcpy(smoother->angle_rad[smoother->count % SMOOTHER_TAP_COUNT], angle_rad,
           sizeof smoother->angle_rad[0]);
    smoother->count++;
    if (smoother->count <= SMOOTHER_REACH) {
        return false;
    }
    for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
        double taps[SMOOTHER_TAP_COUNT];
        for (unsigned tap = 0; tap < SMOOTHER_TAP_COUNT; tap++) {
            unsigned long slot = (smoother->count + tap) % SMOOTHER_TAP_COUNT;
            taps[tap] = smoother->angle_rad[slot][measure];
        }
        struct line line = line_fit(taps);
        result->angle_rad[measure] = line.value;
        result->rate_rad_s[measure] = line.slope * POSE_RATE_HZ;
        result->raw_angle_rad[measure] = taps[SMOOTHER_REACH];
    }
    return true;
}

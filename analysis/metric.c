#include "analysis/metric.h"

#include <math.h>
#include <string.h>

#define PROJECT_DEFAULT "project default"
#define VERIFIED        "verified"

/* MDC95 = 1.19 MDC90: both are a multiple of the same standard error (clinical
 * reference 3.9). */
static const double MDC95_PER_MDC90 = 1.19;

/* Changes are differences of decimal numbers: rounding must not move one off a limit. */
static const double CHANGE_EPSILON = 1e-9;

/* How a number is computed stands in protocols/evaluation*.c; its version changes with it.
 */
static const struct metric_definition DEFINITIONS[METRIC_COUNT] = {
    [METRIC_PEAK_ANGLE] = {"peak_angle", "Peak angle", "deg",
                           "98th percentile of the angle from the start of the move in to "
                           "the end of the move "
                           "out (holds) or between the low points (cycles), further "
                           "positive. Over all: mean of "
                           "the repetitions. Secondary angles: the 98th or 2nd percentile, "
                           "whichever is larger "
                           "in size, over all repetitions, with its anatomical sign.",
                           "98th percentile against single outliers", PROJECT_DEFAULT, 1},
    [METRIC_RANGE_OF_MOTION] =
        {"range_of_motion", "Range of motion", "deg",
         "Holds: distance of the peak angle from the angle in the start posture. Cycles "
         "and "
         "secondary angles: 98th minus 2nd percentile. Over all: mean of the repetitions.",
         "98th percentile against single outliers", PROJECT_DEFAULT, 1},
    [METRIC_HOLD_TIME] =
        {"hold_time", "Hold time, credited", "s",
         "From the first still sample in the zone to the first that was not good any more, "
         "less all gaps in the data over 0.25 s; parts of an interrupted hold are added.",
         "hold rule with back-dated start and end", PROJECT_DEFAULT, 1},
    [METRIC_HOLD_MEAN_ANGLE] =
        {"hold_mean_angle", "Mean angle in the hold", "deg",
         "Mean of the angle over the longest hold of the repetition, "
         "further positive.",
         "arithmetic mean", PROJECT_DEFAULT, 1},
    [METRIC_HOLD_WOBBLE] = {"hold_wobble", "Wobble in the hold", "deg",
                            "Root mean square of the angle in the longest hold after the "
                            "straight line through it is taken out.",
                            "least squares line", PROJECT_DEFAULT, 1},
    [METRIC_HOLD_STILLNESS] = {"hold_stillness", "Movement in the hold", "deg/s",
                               "Root mean square of the angle's rate in the longest hold.",
                               "root mean square", PROJECT_DEFAULT, 1},
    [METRIC_HOLD_SLOPE] =
        {"hold_slope", "Slope in the hold", "deg/min",
         "Robust (bisquare) line through half-second means of the longest hold after its "
         "first "
         "3 s; the uncertainty is half of the line's 95 % interval. Above about 2 deg/min "
         "it "
         "is a change of posture, a slipping sensor or drift, not lengthening of tissue.",
         "creep is smaller: McGill and Brown, Clinical Biomechanics 7, 1992", VERIFIED, 1},
    [METRIC_REPETITION_COUNT] =
        {"repetition_count", "Repetitions done", "1",
         "Holds: repetitions with a hold. Cycles: movements from low over high to low with "
         "at "
         "least 40 % of the expected range, lasting 1.5 to 20 s.",
         "Schmitt trigger at the middle plus and minus half of the half range",
         PROJECT_DEFAULT, 1},
    [METRIC_CYCLE_TIME] = {"cycle_time", "Time of one cycle", "s",
                           "From the low point before to the low point after; a rest there "
                           "belongs to neither. Over all: mean of the counted cycles.",
                           "extrema between crossings", PROJECT_DEFAULT, 1},
    [METRIC_CYCLE_VARIATION] =
        {"cycle_variation", "Variation of the range", "%",
         "Coefficient of variation (standard deviation with n - 1 over "
         "mean) of the range of the counted cycles.",
         "withheld when the mean is below 8 deg", PROJECT_DEFAULT, 1},
    [METRIC_TEMPO_VARIATION] =
        {"tempo_variation", "Variation of the tempo", "%",
         "Coefficient of variation (standard deviation with n - 1 over "
         "mean) of the time of the counted cycles.",
         "coefficient of variation", PROJECT_DEFAULT, 1},
    [METRIC_MOVE_IN_TIME] = {"move_in_time", "Time of the move in", "s",
                             "From the onset of movement to the start of the hold.",
                             "onset: 5 deg from neutral and over 3 deg/s", PROJECT_DEFAULT,
                             1},
    [METRIC_MOVE_OUT_TIME] =
        {"move_out_time", "Time of the move out", "s",
         "From the end of the hold until the angle is back at the start posture: within 8 "
         "deg, or what the protocol says, but at most 35 % of the way.",
         "return limit of the phase rules", PROJECT_DEFAULT, 1},
    [METRIC_MOVE_PEAK_RATE] = {"move_peak_rate", "Fastest rate of the moves", "deg/s",
                               "Largest rate of the angle in the move in and the move out "
                               "(holds) or in the cycle.",
                               "derivative of the smoothed angle", PROJECT_DEFAULT, 1},
    [METRIC_SMOOTHNESS_SPARC] =
        {"smoothness_sparc", "Smoothness of the move in (SPARC)", "1",
         "Spectral arc length of the speed of the move in, up to 10 Hz and down to 5 % of "
         "the "
         "largest amplitude; negative, nearer 0 = smoother.",
         "Balasubramanian, Melendez-Calderon, Roby-Brami and Burdet 2015", VERIFIED, 1},
    [METRIC_SMOOTHNESS_LDLJ] =
        {"smoothness_ldlj", "Smoothness of the move in (LDLJ)", "1",
         "Log dimensionless jerk of the speed of the move in; negative, nearer 0 = "
         "smoother; "
         "sensitive to noise, for research.",
         "Balasubramanian, Melendez-Calderon, Roby-Brami and Burdet 2015", VERIFIED, 1},
    [METRIC_SIDE_DIFFERENCE] =
        {"side_difference", "Right minus left", "deg",
         "Mean peak angle to the right minus mean peak angle to the left.",
         "difference in degrees, not a percentage", PROJECT_DEFAULT, 1},
    [METRIC_LUMBAR_SHARE] =
        {"lumbar_share", "Share of the low back in the bend", "%",
         "Change of the low back's flexion over the change of low back plus pelvis, from "
         "the "
         "start of the move in to the mean of the hold. Withheld under 15 deg together.",
         "definitions differ: Vazirian 2016; compare with the same definition only",
         VERIFIED, 1},
    [METRIC_BREATHING_RATE] =
        {"breathing_rate", "Breathing rate in the hold", "/min",
         "Strongest line of the trunk's tilt between 0.1 and 0.5 Hz in the longest hold "
         "(mean "
         "power spectrum of 30 s segments), if it stands 4 times over the median.",
         "peak over median power", PROJECT_DEFAULT, 1},
    [METRIC_OFF_AXIS_RATIO] =
        {"off_axis_ratio", "Movement off the axis", "%",
         "Range of a secondary angle in another plane over the range of the primary angle, "
         "both 98th minus 2nd percentile. Secondary, low confidence.",
         "planes beside the primary are less reliable: Bailes 2024", VERIFIED, 1},
    [METRIC_OBSERVED_RANGE] =
        {"observed_range", "Range seen in the whole session", "deg",
         "98th minus 2nd percentile of an angle over the whole recording, guided or not; "
         "belongs to the session, not to a stretch.",
         "98th percentile against single outliers", PROJECT_DEFAULT, 1},
    [METRIC_PAIN_BEFORE] = {"pain_before", "Pain before", "1",
                            "Number from 0 (none) to 10 that the person gave before the "
                            "session.",
                            "numeric rating scale", VERIFIED, 1},
    [METRIC_PAIN_HIGHEST] = {"pain_highest", "Highest pain", "1",
                             "Largest number from 0 to 10 that the person gave in the "
                             "session.",
                             "numeric rating scale", VERIFIED, 1},
    [METRIC_PAIN_AFTER] = {"pain_after", "Pain after", "1",
                           "Number from 0 to 10 that the person gave after the session.",
                           "numeric rating scale", VERIFIED, 1},
    [METRIC_GUARD_CAUTION_COUNT] = {"guard_caution_count", "Too fast: cautions", "1",
                                    "Times that the guard asked to slow down in a stretch.",
                                    "speed limits of the protocol", PROJECT_DEFAULT, 1},
    [METRIC_GUARD_STOP_COUNT] = {"guard_stop_count", "Too fast: stops", "1",
                                 "Times that the guard stopped a stretch.",
                                 "speed limits of the protocol", PROJECT_DEFAULT, 1},
};

const struct metric_definition *metric_definition_get(enum metric_id id)
{
    return (unsigned)id < METRIC_COUNT ? &DEFINITIONS[id] : NULL;
}

bool metric_parse(const char *id, enum metric_id *metric)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (strcmp(id, DEFINITIONS[i].id) == 0) {
            *metric = (enum metric_id)i;
            return true;
        }
    }
    return false;
}

/* Smallest detectable change of an angle (3.9): flexion 10, side bend 8, rotation 10,
 * extension 8 deg. What the reference gives no default for has none here. */
static const double MEASURE_MDC95_DEG[MEASURE_COUNT] = {
    [MEASURE_LUMBAR_FLEXION] = 10.0, [MEASURE_LUMBAR_LATERAL] = 8.0,
    [MEASURE_TRUNK_FLEXION] = 10.0,  [MEASURE_TRUNK_LATERAL] = 8.0,
    [MEASURE_TRUNK_ROTATION] = 10.0, [MEASURE_HIP_FLEXION_L] = 10.0,
    [MEASURE_HIP_FLEXION_R] = 10.0,  [MEASURE_HIP_EXTENSION] = 10.0,
    [MEASURE_FLEX_LUMBAR] = 10.0,
};

static const double HOLD_TIME_MDC95_S = 2.0;

double metric_mdc95(enum metric_id id, enum measure measure)
{
    if (id == METRIC_HOLD_TIME) {
        return HOLD_TIME_MDC95_S;
    }
    if ((id != METRIC_PEAK_ANGLE && id != METRIC_RANGE_OF_MOTION
         && id != METRIC_HOLD_MEAN_ANGLE && id != METRIC_OBSERVED_RANGE)
        || (unsigned)measure >= MEASURE_COUNT || MEASURE_MDC95_DEG[measure] == 0.0) {
        return NAN;
    }
    return MEASURE_MDC95_DEG[measure];
}

enum metric_verdict metric_compare(double baseline, double value, double mdc95)
{
    const double change = fabs(value - baseline) + CHANGE_EPSILON;

    if (!isfinite(change) || !isfinite(mdc95)) {
        return METRIC_CANNOT_COMPARE;
    }
    if (change >= mdc95) {
        return METRIC_CHANGED;
    }
    return change >= mdc95 / MDC95_PER_MDC90 ? METRIC_MAY_HAVE_CHANGED
                                             : METRIC_NO_CLEAR_CHANGE;
}

const char *metric_verdict_text(enum metric_verdict verdict)
{
    static const char *const TEXTS[] = {
        [METRIC_CANNOT_COMPARE] = "cannot compare",
        [METRIC_NO_CLEAR_CHANGE] = "no clear change yet",
        [METRIC_MAY_HAVE_CHANGED] = "may have changed",
        [METRIC_CHANGED] = "changed",
    };

    return (unsigned)verdict < sizeof TEXTS / sizeof *TEXTS ? TEXTS[verdict] : "";
}

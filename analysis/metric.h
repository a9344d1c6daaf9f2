/* The numbers that Limber reports: one registry of definitions, one struct per value. Plain
 * values; any thread. */
#ifndef LIMBER_ANALYSIS_METRIC_H
#define LIMBER_ANALYSIS_METRIC_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/measure.h"

enum metric_id {
    METRIC_PEAK_ANGLE, /* deg: robust peak of the primary measure in a repetition or hold */
    METRIC_RANGE_OF_MOTION,  /* deg: peak minus start posture (holds) or valley (cycles) */
    METRIC_HOLD_TIME,        /* s: credited */
    METRIC_HOLD_MEAN_ANGLE,  /* deg */
    METRIC_HOLD_WOBBLE,      /* deg */
    METRIC_HOLD_STILLNESS,   /* deg/s */
    METRIC_HOLD_SLOPE,       /* deg/min */
    METRIC_REPETITION_COUNT, /* 1 */
    METRIC_CYCLE_TIME,       /* s: mean of counted cycles */
    METRIC_CYCLE_VARIATION,  /* %: CV of peak-to-peak */
    METRIC_TEMPO_VARIATION,  /* %: CV of cycle time */
    METRIC_MOVE_IN_TIME,     /* s */
    METRIC_MOVE_OUT_TIME,    /* s */
    METRIC_MOVE_PEAK_RATE,   /* deg/s */
    METRIC_SMOOTHNESS_SPARC, /* 1 */
    METRIC_SMOOTHNESS_LDLJ,  /* 1 */
    METRIC_SIDE_DIFFERENCE,  /* deg: right minus left of mean peaks */
    METRIC_LUMBAR_SHARE,     /* %: lumbar part of lumbar plus pelvis in a forward bend */
    METRIC_BREATHING_RATE,   /* 1/min */
    METRIC_OFF_AXIS_RATIO,   /* %: secondary range over primary range */
    METRIC_OBSERVED_RANGE,   /* deg: whole recorded range of a measure, guided or not */
    METRIC_PAIN_BEFORE,      /* 1, 0 to 10 */
    METRIC_PAIN_HIGHEST,
    METRIC_PAIN_AFTER,
    METRIC_GUARD_CAUTION_COUNT,
    METRIC_GUARD_STOP_COUNT,
    METRIC_COUNT
};

struct metric_definition {
    const char *id;         /* "hold_time" */
    const char *title;      /* "Hold time, credited" */
    const char *unit;       /* UCUM: "deg", "s", "deg/s", "deg/min", "%", "1", "/min" */
    const char *definition; /* one or two sentences, how it is computed */
    const char *source;     /* paper or "project default" */
    const char *evidence;   /* "seed", "verified", "project default" */
    unsigned version;       /* changes with every change of the computation */
};

const struct metric_definition *metric_definition_get(enum metric_id id);
bool metric_parse(const char *id, enum metric_id *metric);

enum {
    METRIC_REASON_SIZE = 96
};

/* One value. Angles are stored in degrees here: a metric is output, its unit stands beside
 * it. */
struct metric {
    enum metric_id id;
    enum measure measure; /* MEASURE_COUNT = none */
    enum side side;
    unsigned stretch;    /* index in the session */
    unsigned part;       /* index in the protocol */
    unsigned repetition; /* from 1; 0 = over all of the part */
    double value;        /* NaN when withheld */
    double uncertainty;  /* half width of the 95 % interval, same unit; NaN = not known */
    double coverage;     /* share of samples with data, 0 .. 1 */
    double quality;      /* score of the repetition 0 .. 100; NaN = not scored */
    char withheld[METRIC_REASON_SIZE]; /* why there is no value, or "" */
    char remark[METRIC_REASON_SIZE];   /* why the quality is below 100, or "" */
};

/* Smallest detectable change, 95 %, of a metric and measure until a lab has its own figures
 * (clinical reference 3.9, project defaults): NaN = none defined. */
double metric_mdc95(enum metric_id id, enum measure measure);

enum metric_verdict {
    METRIC_CANNOT_COMPARE,
    METRIC_NO_CLEAR_CHANGE,
    METRIC_MAY_HAVE_CHANGED,
    METRIC_CHANGED
};

/* The progress rule of 3.9; MDC90 = MDC95 / 1.19. NaN in any input: cannot compare. */
enum metric_verdict metric_compare(double baseline, double value, double mdc95);

/* "changed", "may have changed", "no clear change yet", "cannot compare". */
const char *metric_verdict_text(enum metric_verdict verdict);

#endif

/* One worn sensor on its way from samples to segment orientations: clock, calibration,
 * orientation, alignment, and a short history to interpolate in. Private to the pipeline.
 * Pure, no allocation; one thread. */
#ifndef LIMBER_ANALYSIS_TRACK_H
#define LIMBER_ANALYSIS_TRACK_H

#include "analysis/orientation.h"
#include "analysis/pipeline.h"
#include "calibration/alignment.h"

enum {
    TRACK_HISTORY_COUNT = 256 /* the pipeline never looks back more than 0.12 s */
};

/* What a sensor knew at one instant. */
struct track_state {
    double time_s;
    struct quaternion orientation; /* sensor to earth, heading free */
    struct vector3 rate_rad_s; /* sensor frame, freed of bias; median of three samples */
    double flex_rad;           /* NaN unless it is a calibrated strip */
    double tilt_error_rad;
    double heading_error_rad;
};

/* Where a sensor was in the start posture. */
struct track_fix {
    bool is_known;
    double time_s;      /* middle of the still window */
    double heading_rad; /* of the segment, before it was made equal */
    struct vector3 up;  /* sensor frame */
};

struct track {
    struct pipeline_sensor config; /* with the alignment in use */
    struct quaternion nominal;     /* placement as told at first */
    struct timebase timebase;
    struct orientation orientation;
    struct alignment alignment; /* of the neutral pose and the functional move */
    struct quaternion neutral;  /* orientation in the neutral pose */
    struct alignment start;     /* still samples of the start posture */
    struct quaternion start_sum;
    struct track_fix fix;          /* of the newest start posture */
    struct track_fix fix_before;   /* of the one before it */
    struct quaternion heading_fix; /* earth to common earth */
    struct quaternion heading_before;
    bool heading_known;
    bool has_heading_before;
    struct inertial newest;
    struct vector3 rates_before[2]; /* of the two samples before, newest first */
    double
        newest_s; /* session time of the newest usable sample; -infinity before the first */
    double even_s;
    struct track_state history[TRACK_HISTORY_COUNT]; /* ring, oldest at first */
    unsigned first;
    unsigned count;
};

void track_init(struct track *track, const struct pipeline_sensor *config);

/* Take a sample of any stream. @return its session time. */
double track_push(struct track *track, const struct sample *sample,
                  enum pipeline_stage stage);

/* The sensor was away: clock and orientation start again, heading goes on as it was. */
void track_interrupt(struct track *track);

enum track_answer {
    TRACK_KNOWN,
    TRACK_WAIT, /* no sample after this instant yet */
    TRACK_NONE  /* before the first sample, or in a gap of more than 0.25 s */
};

/* State at an instant, interpolated between the samples round it; state untouched
 * otherwise. */
enum track_answer track_at(const struct track *track, double time_s,
                           struct track_state *state);

/* Newest state at or before an instant, NULL if none is kept. Borrowed. */
const struct track_state *track_before(const struct track *track, double time_s);

/* Drop what no instant from time_s on needs. */
void track_forget(struct track *track, double time_s);

/* Sensor orientation to segment orientation, heading fixed. */
struct quaternion track_segment(const struct track *track, struct quaternion orientation);

void track_neutral_begin(struct track *track);

/* Alignment and bias from the samples of the stages so far. Status of alignment_solve. */
enum status track_solve(struct track *track);

void track_start_begin(struct track *track);

/* Bias and heading from the still samples of the start posture.
 * @return STATUS_OK, or STATUS_NOT_READY when it was not still for 0.5 s: heading and bias
 * unchanged.
 */
enum status track_start_finish(struct track *track);

/* How the heading ran between the two newest start postures.
 * @param turn_rad  Out, -pi .. pi.
 * @param span_s    Out.
 * @return false when there were no two, a gap lies between, they are more than 300 s apart,
 * or gravity says that the postures differ; outputs untouched then. */
bool track_closure_get(const struct track *track, double *turn_rad, double *span_s);

/* Take the part of that turn which is drift into the gyroscope bias. */
void track_closure_learn(struct track *track, double drift_rad, double span_s);

#endif

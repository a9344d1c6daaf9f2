/* Private to the evaluation of a session: what its files share. Finds the repetitions of a
 * part, applies the rules of each metric, grades the data. Reads events and angles, writes
 * metrics. Not for other layers. One thread. */
#ifndef LIMBER_PROTOCOLS_EVALUATION_H
#define LIMBER_PROTOCOLS_EVALUATION_H

#include "protocols/session.h"

enum {
    EVALUATION_REPETITION_MAX = 64
};

/* A stretch of session time; NaN = unknown. */
struct evaluation_span {
    double start_s;
    double end_s;
};

/* One repetition as done. */
struct evaluation_repetition {
    unsigned number;                 /* from 1 */
    bool has_result;                 /* a hold or a counted cycle */
    struct evaluation_span whole;    /* first movement to return; cycles: low to low */
    struct evaluation_span move_in;  /* holds only, as the two below */
    struct evaluation_span hold;     /* the longest of the repetition */
    struct evaluation_span move_out; /* end: back near the start posture; NaN = never */
    double credited_s;               /* of all its holds */
    unsigned hold_count;
    double coverage; /* share of the whole span with data of the primary angle */
    bool is_void;    /* not used over all: too little data, or stopped by the guard */
    double quality;  /* 0 .. 100 */
    char remark[METRIC_REASON_SIZE];
};

/* A session being evaluated and the part and side at hand. */
struct evaluation {
    struct session *session;
    unsigned worn; /* bits 1u << role */
    unsigned stretch;
    unsigned part;
    enum side side;
    const struct protocol_part *rule;
    enum measure measure; /* primary */
    double sign;
    double start_deg; /* primary angle in the start posture, signed; NaN = not taken */
    struct evaluation_repetition repetitions[EVALUATION_REPETITION_MAX];
    unsigned repetition_count;
    struct metric
        rows[EVALUATION_REPETITION_MAX]; /* of the metric at hand, by repetition */
    /* Work space as long as the angles. */
    double *angle_rad;
    double *rate_rad_s;
};

/* The samples of a measure in a span, signed. Pointers into the work space: valid until the
 * next slice. */
struct evaluation_slice {
    const double *time_s;
    const double *angle_rad;
    const double *rate_rad_s;
    size_t count;
    double coverage; /* share of the instants of the span with data, 0 .. 1 */
};

struct evaluation_slice evaluation_slice(struct evaluation *evaluation,
                                         enum measure measure, double sign,
                                         struct evaluation_span span);

/* Fill repetitions from the events of the part and side (evaluation_window.c). */
void evaluation_repetitions_find(struct evaluation *evaluation);

/* Number of events of a type and label of a stretch in a span; label NULL = any. */
unsigned evaluation_event_count(const struct session *session, enum event_type type,
                                const char *label, unsigned stretch,
                                struct evaluation_span span);

/* A metric of the part and side at hand with nothing known: all NaN, every byte defined. */
struct metric evaluation_metric(const struct evaluation *evaluation, enum metric_id id,
                                enum measure measure);

/* Say why there is no value. */
void evaluation_withhold(struct metric *metric, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reason why a measure has no data at all: a role that nobody wears, or "". */
void evaluation_missing_reason(const struct evaluation *evaluation, enum measure measure,
                               char reason[METRIC_REASON_SIZE]);

/* Half width of the 95 % interval of an angle in the stretch at hand, deg. Sensor noise,
 * alignment, heading drift and skin movement are taken as independent; for the difference
 * of two angles of one trial alignment and noise cancel in part, which is not used: the
 * figure is on the safe side there. */
double evaluation_angle_error_deg(const struct evaluation *evaluation,
                                  enum measure measure);

/* Score the repetitions: quality, remark, void (evaluation_quality.c). */
void evaluation_quality(struct evaluation *evaluation);

/* Largest range of a secondary measure of another plane over the range of the primary one
 * in a span, %; NaN = none or too little movement. */
double evaluation_off_axis_percent(struct evaluation *evaluation, enum measure secondary,
                                   struct evaluation_span span);

/* True for secondary measures whose movement is off the axis of the primary one. */
bool evaluation_is_off_axis(const struct evaluation *evaluation, enum measure secondary);

/* Add the metrics of every repetition and over all (evaluation_rules.c). */
enum status evaluation_rules_apply(struct evaluation *evaluation);

/* Letter and reason of the session's data (grade.c). Needs the metrics. */
void evaluation_grade(struct session *session);

#endif

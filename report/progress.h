/* Whether a value has changed since the baseline: the rule of clinical reference 3.9. Pure;
 * any thread. */
#ifndef LIMBER_REPORT_PROGRESS_H
#define LIMBER_REPORT_PROGRESS_H

#include "protocols/session.h"

enum progress_reason {
    PROGRESS_COMPARABLE,
    PROGRESS_FIRST_TIME, /* no earlier session has this value */
    PROGRESS_PLACEMENT,  /* sensors were placed differently */
    PROGRESS_VERSION,    /* another version of the protocol */
    PROGRESS_QUALITY,    /* a grade below C, or low coverage */
    PROGRESS_WITHHELD,   /* no value today */
    PROGRESS_NO_LIMIT    /* no smallest detectable change is defined */
};

/* For clinicians: "other placement"; stands in brackets behind "cannot compare". */
const char *progress_reason_text(enum progress_reason reason);

struct progress {
    double baseline; /* mean of the first two comparable sessions; NaN = none */
    double change;   /* NaN = none */
    double mdc95;    /* NaN = none defined */
    enum metric_verdict verdict;
    enum progress_reason reason;
    size_t baseline_count; /* sessions in the baseline: 0, 1 or 2 */
};

/* Value of an earlier session that may be compared with a metric of the last.
 * @param sessions  Oldest first; the last is today's.
 * @param reason    Out: why there is none, PROGRESS_COMPARABLE otherwise.
 * @return NULL if there is none. */
const struct metric *progress_find(const struct session *session,
                                   const struct session *today, const struct metric *metric,
                                   enum progress_reason *reason);

/* @param metric  Of the last session. */
struct progress progress_compare(const struct session *const *sessions, size_t count,
                                 const struct metric *metric);

/* Main value of a part and side (repetition 0): NULL if there is none. */
const struct metric *progress_primary(const struct session *session, enum metric_id id,
                                      unsigned stretch, unsigned part, enum side side);

/* The range of a part and side that can be followed: of the primary angle, or in a hold of
 * its companion when the primary has no smallest detectable change. NULL if there is none.
 */
const struct metric *progress_range(const struct session *session, unsigned stretch,
                                    unsigned part, enum side side);

#endif

/* Sessions made by hand for the tests of reports: two stretches (a hold with two sides that
 * share a measure, a cycle), gaps, withheld values, pain. */
#ifndef LIMBER_TESTS_REPORT_SAMPLE_H
#define LIMBER_TESTS_REPORT_SAMPLE_H

#include "protocols/session.h"

enum {
    SAMPLE_SESSION_COUNT = 3
};

/* @param number     From 0; decides the date and how far the person goes.
 * @param duration_s Length of each of both stretches, at least 100.
 * @return The session, or NULL when there is no memory. */
struct session *sample_session_create(unsigned number, double duration_s);

void sample_session_destroy(struct session *session);

#endif

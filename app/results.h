/* Results of a session on standard output: a table for people, JSON for programs. One
 * thread. */
#ifndef LIMBER_APP_RESULTS_H
#define LIMBER_APP_RESULTS_H

#include "protocols/session.h"

/* The table of results over all repetitions, stretch by stretch. */
void results_print_table(const struct session *session);

/* Every metric: a list of {id, joint, side, repetition, value, unit, uncertainty, coverage,
 * quality, withheld, definition_version} and where it belongs (stretch, part, measure). */
enum status results_print_json(const struct session *session);

/* Read a session file and print its results and path, or only JSON. */
enum status results_show(const char *path, bool json);

/* Count of metrics whose stored value differs from the other session's, bit by bit; a
 * metric that only one of them has counts too. */
size_t results_difference_count(const struct session *a, const struct session *b);

#endif

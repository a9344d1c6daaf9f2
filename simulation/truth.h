/* The file of true angles, which only tests read: 200 rows a second on session time,
 * degrees, columns named like the measures of analysis/measure.h, and what the body does.
 * One thread. */
#ifndef LIMBER_SIMULATION_TRUTH_H
#define LIMBER_SIMULATION_TRUTH_H

#include "base/status.h"
#include "simulation/person.h"

#define TRUTH_RATE_HZ 200.0

enum {
    TRUTH_COLUMN_COUNT = 19
};

struct truth;

/* @return STATUS_OK; STATUS_IO after one logged line; STATUS_NO_MEMORY. */
enum status truth_create(const char *path, struct truth **out);

/* Write rows up to time_s, to which the person must have advanced. */
void truth_advance(struct truth *truth, const struct person *person, double time_s);

/* Close. NULL is allowed.
 * @return STATUS_OK, or STATUS_IO after one logged line when a row could not be written. */
enum status truth_destroy(struct truth *truth);

/* Ids of the columns after time_s, and their values in deg. */
const char *truth_column_text(unsigned column);
void truth_values(const struct person *person, double time_s,
                  double values_deg[TRUTH_COLUMN_COUNT]);

#endif

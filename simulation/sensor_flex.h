/* A flex strip in a voltage divider: play, creep, gain error and noise.
 * Plain value; one thread. */
#ifndef LIMBER_SIMULATION_SENSOR_FLEX_H
#define LIMBER_SIMULATION_SENSOR_FLEX_H

#include "base/body.h"
#include "simulation/person.h"

struct sensor_flex {
    const struct person *person; /* borrowed */
    enum channel channel;        /* the angle that bends the strip */
    double noise;
    double gain;
    double flat_ohm;
    double bend_deg; /* after play */
    double creep_fast_deg;
    double creep_slow_deg;
    bool has_last;
    double last_s;
    struct random random;
};

/* @param person  Borrowed.
 * @param role    A flex strip. */
void sensor_flex_init(struct sensor_flex *sensor, const struct person *person,
                      enum role role, uint64_t seed);

/* Share of the divider's supply at time_s, to which the person must have advanced.
 * @return 0 .. 1. */
double sensor_flex_read(struct sensor_flex *sensor, double time_s);

#endif

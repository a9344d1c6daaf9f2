/* Small repeatable source of chance (splitmix64): the same seed gives the same numbers on
 * every machine. Plain value; one thread. */
#ifndef LIMBER_SIMULATION_RANDOM_H
#define LIMBER_SIMULATION_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

/* @param seed    Of the session.
 * @param stream  Different users of one seed take different streams. */
void random_init(struct random *random, uint64_t seed, uint64_t stream);

uint64_t random_bits(struct random *random);

/* Even over low .. high. */
double random_uniform(struct random *random, double low, double high);

/* Normal with mean 0 and standard deviation 1. */
double random_normal(struct random *random);

#endif

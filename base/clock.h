/* The only door to the machine's clocks. Pure code never calls these: time comes in with
 * the samples. Any thread. */
#ifndef LIMBER_BASE_CLOCK_H
#define LIMBER_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in ns; unaffected by changes of the wall clock. */
int64_t clock_host_ns(void);

/* Wall clock, microseconds since 1970-01-01 UTC. */
int64_t clock_utc_us(void);

/* ISO 8601 UTC with microseconds, "2026-11-22T10:45:00.000000Z".
 * @param text  Out, at least 28 bytes with the terminator. */
enum {
    CLOCK_TEXT_SIZE = 32
};

void clock_utc_text(int64_t utc_us, char text[CLOCK_TEXT_SIZE]);

#endif

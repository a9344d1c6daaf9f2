/* Numbers as decimal text, many times faster than printf and the same in every locale: for
 * tables of millions of rows. Pure; any thread. */
#ifndef LIMBER_BASE_DECIMAL_H
#define LIMBER_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum {
    DECIMAL_SIZE_MAX = 32 /* room for any number below, no terminator */
};

/* Nine significant digits, trailing zeros dropped: what "%.9g" prints, which reads back as
 * the same float.
 * @param text  Out: room for DECIMAL_SIZE_MAX; not terminated.
 * @return Characters written. */
size_t decimal_float(float value, char *text);

/* Digits of a whole number. */
size_t decimal_count(uint64_t value, char *text);

/* Six decimals, as "%.6f" but for ties.
 * @param value  Size below 1e12. */
size_t decimal_micro(double value, char *text);

#endif

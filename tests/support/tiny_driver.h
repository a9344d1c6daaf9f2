/* The smallest driver that exercises the core of acquisition/: one stream, one channel.
 * Frame, 9 bytes: 0xA5, ticks u32 LE (ms), value i16 LE, low 16 bits of the CRC-32C of
 * those. */
#ifndef LIMBER_TESTS_SUPPORT_TINY_DRIVER_H
#define LIMBER_TESTS_SUPPORT_TINY_DRIVER_H

#include "acquisition/driver.h"

enum {
    TINY_FRAME_SIZE = 9,
    TINY_RATE_HZ = 100,
    TINY_PERIOD_TICKS = 10
};

/* Checks the CRC. Says "go\n" after each initialisation and "halt\n" at the end. */
extern const struct driver tiny_driver;

/* The same frames, CRC not checked: as a format without checksum. A value of -32768 is
 * refused by decode. */
extern const struct driver tiny_plain_driver;

/* No clock and no counter. */
extern const struct driver tiny_clockless_driver;

void tiny_encode(uint32_t ticks, int16_t value, uint8_t frame[TINY_FRAME_SIZE]);

#endif

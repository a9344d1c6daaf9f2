/* What all driver fuzz targets do: feed the bytes whole and in pieces, and demand the same
 * samples, every byte taken, and samples that fit the stream table. */
#ifndef LIMBER_TESTS_FUZZ_FUZZ_DRIVER_H
#define LIMBER_TESTS_FUZZ_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "acquisition/driver.h"

/* Called by libFuzzer or by replay_main.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts when a promise is broken. */
void fuzz_driver_run(const char *name, const struct driver_settings *settings,
                     const uint8_t *data, size_t size);

#endif

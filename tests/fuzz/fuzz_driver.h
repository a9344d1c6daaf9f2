/* What all driver fuzz targets do: feed the bytes whole and in pieces with the dialogue
 * between them, unplugged once where the input says so; demand the same samples, every byte
 * taken, samples that fit the stream table, commands that fit and end, and of formats with
 * a checksum no sample from a frame with a flipped bit. */
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

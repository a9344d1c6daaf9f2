/* Bytes under a path, for readers of files: a pipe, nothing is written anywhere. */
#ifndef LIMBER_TESTS_FUZZ_FUZZ_FILE_H
#define LIMBER_TESTS_FUZZ_FUZZ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_file {
    char path[32];
    int descriptor;
};

/* @return false for more than fits into a pipe; nothing to close then. */
bool fuzz_file_open(struct fuzz_file *file, const uint8_t *data, size_t size);
void fuzz_file_close(const struct fuzz_file *file);

/* Aborts when a promise is broken. */
void fuzz_demand(bool holds);

#endif

#include "tests/fuzz/fuzz_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILE_SIZE_MAX = 32768 /* a pipe takes 64 KiB without anyone reading */
};

void fuzz_demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

bool fuzz_file_open(struct fuzz_file *file, const uint8_t *data, size_t size)
{
    int ends[2];
    if (size > FILE_SIZE_MAX) {
        return false;
    }
    fuzz_demand(pipe(ends) == 0);
    fuzz_demand(size == 0 || write(ends[1], data, size) == (ssize_t)size);
    close(ends[1]);
    file->descriptor = ends[0];
    snprintf(file->path, sizeof file->path, "/dev/fd/%d", ends[0]);
    return true;
}

void fuzz_file_close(const struct fuzz_file *file)
{
    close(file->descriptor);
}

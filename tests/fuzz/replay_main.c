/* Runs a fuzz target over all files of the folders named, without libFuzzer: the seeds and
 * every crash that was fixed stay ordinary unit tests. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz_driver.h"

enum {
    SEED_MAX = 1 << 20,
    PATH_SIZE = 1024
};

static int file_run(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(SEED_MAX);
    if (!file || !bytes) {
        fprintf(stderr, "%s: cannot read\n", path);
        free(bytes);
        if (file) {
            fclose(file);
        }
        return -1;
    }
    size_t size = fread(bytes, 1, SEED_MAX, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 0;
}

/* @return Files run, -1 when one could not be read. */
static int folder_run(const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) {
        fprintf(stderr, "%s: cannot open\n", folder);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(directory));) {
        char path[PATH_SIZE];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count = file_run(path) ? -1 : count + 1;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++) {
        int count = folder_run(argv[index]);
        if (count <= 0) {
            fprintf(stderr, "%s: no seeds\n", argv[index]);
            return EXIT_FAILURE;
        }
        printf("%s: %d seeds\n", argv[index], count);
    }
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

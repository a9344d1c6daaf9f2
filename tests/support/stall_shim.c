/* Preloaded library that freezes the disk for journals: between START and START + LENGTH
 * seconds after the first write, write and fdatasync on a file named *.journal wait for the
 * end of that time. Set by LIMBER_STALL_START_S and LIMBER_STALL_LENGTH_S; again every
 * LIMBER_STALL_EVERY_S if that is set. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef ssize_t write_fn(int descriptor, const void *bytes, size_t size);
typedef int sync_fn(int descriptor);

/* A preloaded library has no other place for what it finds out once. */
static double first_s;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double setting_s(const char *name)
{
    const char *text = getenv(name);
    return text ? strtod(text, NULL) : 0.0;
}

static int is_journal(int descriptor)
{
    char link[64];
    char path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path);
    return size > 8 && memcmp(path + size - 8, ".journal", 8) == 0;
}

static void stall(int descriptor)
{
    if (!is_journal(descriptor)) {
        return;
    }
    if (first_s <= 0.0) {
        first_s = now_s();
    }
    double start_s = first_s + setting_s("LIMBER_STALL_START_S");
    double length_s = setting_s("LIMBER_STALL_LENGTH_S");
    double every_s = setting_s("LIMBER_STALL_EVERY_S");
    if (every_s > 0.0 && now_s() > start_s) {
        start_s += every_s * (double)(long)((now_s() - start_s) / every_s);
    }
    while (now_s() >= start_s && now_s() < start_s + length_s) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    stall(descriptor);
    /* The only way POSIX offers to turn dlsym's result into a function. */
    write_fn *next;
    *(void **)&next = dlsym(RTLD_NEXT, "write");
    return next(descriptor, bytes, size);
}

int fdatasync(int descriptor)
{
    stall(descriptor);
    sync_fn *next;
    *(void **)&next = dlsym(RTLD_NEXT, "fdatasync");
    return next(descriptor);
}

/* A device model behind a descriptor of this machine: the far end of a serial gadget, or a
 * socket that an emulated adapter listens at.
 * usage: rig_peer PATH DRIVER RATE_HZ SECONDS */
#define _DEFAULT_SOURCE /* cfmakeraw is no POSIX */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/rig_device.h"

enum {
    RETRY_MAX = 100 /* ms that the rest of a packet may wait for room */
};

static int socket_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

static int tty_open(const char *path)
{
    int descriptor = open(path, O_RDWR | O_NOCTTY);
    struct termios raw;
    if (descriptor >= 0 && tcgetattr(descriptor, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(descriptor, TCSANOW, &raw);
    }
    return descriptor;
}

static int path_open(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return -1;
    }
    int descriptor = S_ISSOCK(info.st_mode) ? socket_open(path) : tty_open(path);
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFL, O_NONBLOCK);
    }
    return descriptor;
}

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Whole packets or none: a device drops what its line has no room for.
 * @return Bytes that were dropped. */
static size_t queue_write(struct rig_queue *queue, int descriptor)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    size_t dropped = 0;
    for (size_t size = rig_queue_take(queue, bytes, sizeof bytes); size > 0;
         size = rig_queue_take(queue, bytes, sizeof bytes)) {
        ssize_t count = write(descriptor, bytes, size);
        size_t done = count > 0 ? (size_t)count : 0;
        for (int i = 0; i < RETRY_MAX && done > 0 && done < size; i++) {
            poll(NULL, 0, 1);
            count = write(descriptor, bytes + done, size - done);
            done += count > 0 ? (size_t)count : 0;
        }
        dropped += size - done;
    }
    return dropped;
}

int main(int argc, char **argv)
{
    struct rig_device *device = calloc(1, sizeof *device);
    int descriptor = -1;
    if (argc != 5 || !device || !rig_device_init(device, argv[2], atof(argv[3]), 1)) {
        fputs("usage: rig_peer PATH DRIVER RATE_HZ SECONDS\n", stderr);
        return 2;
    }
    uint64_t start_us = clock_us();
    uint64_t end_us = start_us + (uint64_t)(atof(argv[4]) * 1e6);
    while (descriptor < 0 && clock_us() < end_us) {
        descriptor = path_open(argv[1]);
        poll(NULL, 0, 50);
    }
    if (descriptor < 0) {
        fprintf(stderr, "rig_peer: cannot open %s\n", argv[1]);
        return 1;
    }
    rig_device_open(device);
    size_t dropped = 0;
    bool is_up = true;
    while (is_up && clock_us() < end_us) {
        uint8_t bytes[512];
        struct pollfd wait = {.fd = descriptor, .events = POLLIN};
        if (poll(&wait, 1, 1) > 0) {
            ssize_t count = read(descriptor, bytes, sizeof bytes);
            is_up = count != 0;
            if (count > 0) {
                rig_device_hear(device, bytes, (size_t)count);
            }
        }
        rig_device_advance(device, clock_us() - start_us);
        dropped += queue_write(&device->replies, descriptor);
        dropped += queue_write(&device->samples, descriptor);
    }
    fprintf(stderr, "rig_peer: sent %llu, dropped %zu bytes\n",
            (unsigned long long)device->sent_count, dropped);
    close(descriptor);
    free(device);
    return 0;
}

#include "acquisition/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

struct file_transport {
    struct transport base;
    int descriptor;
};

static enum status file_read(struct transport *transport, uint8_t *bytes, size_t capacity,
                             size_t *size)
{
    const struct file_transport *file = (const struct file_transport *)transport;
    ssize_t count;
    do {
        count = read(file->descriptor, bytes, capacity);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        log_error("%s: cannot be read on: %s; check the disk", transport->name,
                  strerror(errno));
        return STATUS_IO;
    }
    if (count == 0) {
        return STATUS_END;
    }
    *size = (size_t)count;
    return STATUS_OK;
}

static void file_close(struct transport *transport)
{
    struct file_transport *file = (struct file_transport *)transport;
    close(file->descriptor);
    free(file);
}

static const struct transport_ops FILE_OPS = {
    .read = file_read,
    .close = file_close,
};

/* Open descriptor of a regular file, or -1 with *status set after one logged line. */
static int regular_file_open(const char *path, enum status *status)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        bool is_missing = errno == ENOENT || errno == ENOTDIR;
        log_error("%s: cannot open the file of sensor bytes: %s; check the path", path,
                  strerror(errno));
        *status = is_missing ? STATUS_NOT_FOUND : STATUS_IO;
        return -1;
    }
    struct stat info;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        log_error("%s: not a regular file; 'file:' ports need the raw bytes of one sensor",
                  path);
        close(descriptor);
        *status = STATUS_IO;
        return -1;
    }
    return descriptor;
}

enum status transport_file_open(const char *path, struct transport **out)
{
    enum status status = STATUS_OK;
    int descriptor = regular_file_open(path, &status);
    if (descriptor < 0) {
        return status;
    }
    struct file_transport *file = calloc(1, sizeof *file);
    if (!file) {
        close(descriptor);
        return STATUS_NO_MEMORY;
    }
    file->base.ops = &FILE_OPS;
    file->base.pace = TRANSPORT_RECORDED;
    snprintf(file->base.name, sizeof file->base.name, "file:%s", path);
    file->descriptor = descriptor;
    *out = &file->base;
    return STATUS_OK;
}

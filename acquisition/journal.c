/* fallocate with FALLOC_FL_KEEP_SIZE reserves room without moving the end of the file, so
 * that appending still starts where the data end; posix_fallocate would move it. */
#define _GNU_SOURCE
#include "acquisition/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acquisition/crc32c.h"
#include "base/log.h"

enum {
    MAGIC_SIZE = 4,
    TYPE_OFFSET = 4,
    DEVICE_OFFSET = 5,
    RESERVED_OFFSET = 6,
    SEQUENCE_OFFSET = 8,
    SIZE_OFFSET = 12,
    HOST_NS_OFFSET = 16,
    CRC_OFFSET = 24
};

static const uint8_t MAGIC[MAGIC_SIZE] = {'L', 'B', 'J', '1'};

struct journal_reader {
    const uint8_t *bytes;
    size_t size;
    size_t next;   /* offset of the frame to read */
    bool is_ended; /* nothing good at next */
    bool is_mapped;
};

static void u32_put(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t u32_get(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16
           | (uint32_t)bytes[3] << 24;
}

void journal_head_encode(const struct journal_frame *frame, uint8_t head[JOURNAL_HEAD_SIZE])
{
    assert(frame->size <= JOURNAL_PAYLOAD_MAX);
    memcpy(head, MAGIC, MAGIC_SIZE);
    head[TYPE_OFFSET] = (uint8_t)frame->type;
    head[DEVICE_OFFSET] = frame->device;
    head[RESERVED_OFFSET] = 0;
    head[RESERVED_OFFSET + 1] = 0;
    u32_put(head + SEQUENCE_OFFSET, frame->sequence);
    u32_put(head + SIZE_OFFSET, (uint32_t)frame->size);
    uint64_t host_ns = (uint64_t)frame->host_ns;
    u32_put(head + HOST_NS_OFFSET, (uint32_t)host_ns);
    u32_put(head + HOST_NS_OFFSET + 4, (uint32_t)(host_ns >> 32));
    uint32_t crc = crc32c(0, head, CRC_OFFSET);
    if (frame->size > 0) {
        crc = crc32c(crc, frame->payload, frame->size);
    }
    u32_put(head + CRC_OFFSET, crc);
}

size_t journal_head_payload_size(const uint8_t head[JOURNAL_HEAD_SIZE])
{
    return u32_get(head + SIZE_OFFSET);
}

static bool head_is_plausible(const uint8_t *head)
{
    return head[TYPE_OFFSET] >= JOURNAL_HEADER && head[TYPE_OFFSET] <= JOURNAL_END
           && head[RESERVED_OFFSET] == 0 && head[RESERVED_OFFSET + 1] == 0
           && u32_get(head + SIZE_OFFSET) <= JOURNAL_PAYLOAD_MAX;
}

enum status journal_frame_decode(const uint8_t *bytes, size_t size,
                                 struct journal_frame *frame, size_t *frame_size)
{
    if (memcmp(bytes, MAGIC, size < MAGIC_SIZE ? size : MAGIC_SIZE) != 0) {
        return STATUS_CORRUPT;
    }
    if (size < JOURNAL_HEAD_SIZE) {
        return STATUS_NOT_READY;
    }
    if (!head_is_plausible(bytes)) {
        return STATUS_CORRUPT;
    }
    size_t payload_size = u32_get(bytes + SIZE_OFFSET);
    if (size - JOURNAL_HEAD_SIZE < payload_size) {
        return STATUS_NOT_READY;
    }
    uint32_t crc = crc32c(0, bytes, CRC_OFFSET);
    crc = crc32c(crc, bytes + JOURNAL_HEAD_SIZE, payload_size);
    if (crc != u32_get(bytes + CRC_OFFSET)) {
        return STATUS_CORRUPT;
    }
    frame->type = (enum journal_type)bytes[TYPE_OFFSET];
    frame->device = bytes[DEVICE_OFFSET];
    frame->sequence = u32_get(bytes + SEQUENCE_OFFSET);
    frame->host_ns = (int64_t)((uint64_t)u32_get(bytes + HOST_NS_OFFSET)
                               | (uint64_t)u32_get(bytes + HOST_NS_OFFSET + 4) << 32);
    frame->payload = bytes + JOURNAL_HEAD_SIZE;
    frame->size = payload_size;
    *frame_size = JOURNAL_HEAD_SIZE + payload_size;
    return STATUS_OK;
}

/* Room is wanted, not needed: only a disk that is too small is refused. */
static enum status room_reserve(const char *path, int descriptor, uint64_t size)
{
    int result;
    do {
        result = fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    } while (result != 0 && errno == EINTR);
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) {
        return STATUS_OK;
    }
    log_error(
        "%s: cannot reserve %llu MB for the recording: %s; free some space or record to "
        "another disk",
        path, (unsigned long long)(size >> 20), strerror(errno));
    return STATUS_IO;
}

/* A new name lasts over a power cut only once its folder is synced. Best effort. */
static void folder_sync(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int descriptor = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

enum status journal_create(const char *path, uint64_t reserve_size, int *descriptor)
{
    int created = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (created < 0) {
        log_error(
            "%s: cannot create the journal: %s; choose a folder that can be written and "
            "a name that is free",
            path, strerror(errno));
        return STATUS_IO;
    }
    if (reserve_size > 0) {
        enum status status = room_reserve(path, created, reserve_size);
        if (status) {
            close(created);
            unlink(path);
            return status;
        }
    }
    folder_sync(path);
    *descriptor = created;
    return STATUS_OK;
}

static enum status reader_create(const uint8_t *bytes, size_t size,
                                 struct journal_reader **out)
{
    struct journal_frame frame;
    size_t frame_size;
    if (size == 0 || journal_frame_decode(bytes, size, &frame, &frame_size) != STATUS_OK
        || frame.type != JOURNAL_HEADER) {
        return STATUS_CORRUPT;
    }
    struct journal_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        return STATUS_NO_MEMORY;
    }
    reader->bytes = bytes;
    reader->size = size;
    *out = reader;
    return STATUS_OK;
}

enum status journal_reader_open_bytes(const uint8_t *bytes, size_t size,
                                      struct journal_reader **out)
{
    enum status status = reader_create(bytes, size, out);
    if (status == STATUS_CORRUPT) {
        log_error(
            "the journal kept in the session does not start with a whole header frame");
    }
    return status;
}

static enum status file_map(const char *path, int descriptor, struct journal_reader **out)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        log_error("%s: not a regular file; give the .journal of a session", path);
        return STATUS_IO;
    }
    size_t size = (size_t)info.st_size;
    void *bytes = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : NULL;
    if (bytes == MAP_FAILED) {
        log_error("%s: cannot be mapped for reading: %s", path, strerror(errno));
        return STATUS_IO;
    }
    enum status status = reader_create(bytes, size, out);
    if (status == STATUS_CORRUPT) {
        log_error("%s: no whole header frame at the start; not a journal, or nothing of it "
                  "reached the disk",
                  path);
    }
    if (status && bytes) {
        munmap(bytes, size);
    }
    if (!status) {
        (*out)->is_mapped = true;
    }
    return status;
}

enum status journal_reader_open(const char *path, struct journal_reader **out)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        bool is_missing = errno == ENOENT || errno == ENOTDIR;
        log_error("%s: cannot open the journal: %s; check the path", path, strerror(errno));
        return is_missing ? STATUS_NOT_FOUND : STATUS_IO;
    }
    enum status status = file_map(path, descriptor, out);
    close(descriptor);
    return status;
}

enum status journal_reader_next(struct journal_reader *reader, struct journal_frame *frame)
{
    struct journal_frame found;
    size_t frame_size = 0;
    size_t left = reader->size - reader->next;
    if (reader->is_ended || left == 0
        || journal_frame_decode(reader->bytes + reader->next, left, &found, &frame_size)
               != STATUS_OK) {
        reader->is_ended = true;
        return STATUS_END;
    }
    reader->next += frame_size;
    *frame = found;
    return STATUS_OK;
}

size_t journal_reader_torn_size(const struct journal_reader *reader)
{
    /* Zeros at the end are room the disk had reserved, not data that were lost. */
    size_t end = reader->size;
    while (end > reader->next && reader->bytes[end - 1] == 0) {
        end--;
    }
    return end - reader->next;
}

const uint8_t *journal_reader_bytes(const struct journal_reader *reader, size_t *size)
{
    *size = reader->next;
    return reader->bytes;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (!reader) {
        return;
    }
    if (reader->is_mapped) {
        /* munmap takes a pointer to what may be changed; the mapping itself is private. */
        munmap((void *)(uintptr_t)reader->bytes, reader->size);
    }
    free(reader);
}

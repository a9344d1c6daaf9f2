#include "archive/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/folder.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    AUDIT_PATH_SIZE = 1024,
    AUDIT_HEAD_SIZE = 128,
    AUDIT_SIZE_MAX = 1 << 28
};

/* What the first line gives as the hash of the line before it. */
static const char AUDIT_FIRST[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

_Static_assert(sizeof AUDIT_FIRST == SESSION_HASH_SIZE, "hex of SHA-256");

/* The whole trail in memory. */
struct trail {
    char *text;
    size_t size;       /* all bytes */
    size_t whole_size; /* up to and with the last newline */
    unsigned count;    /* whole lines */
    char last_hash[SESSION_HASH_SIZE];
};

/* DIR/audit.head names how many lines there were and the hash of the last one: without it
 * lines could be cut off the end unseen. */
struct audit_head {
    unsigned count;
    char hash[SESSION_HASH_SIZE];
};

static bool path_make(char path[AUDIT_PATH_SIZE], const char *directory, const char *name)
{
    if (snprintf(path, AUDIT_PATH_SIZE, "%s/%s", directory, name) >= AUDIT_PATH_SIZE) {
        log_error("%s: the path is too long; use a shorter archive folder", directory);
        return false;
    }
    return true;
}

static bool bytes_read(int descriptor, char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(descriptor, bytes + done, size - done, (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* Count whole lines and hash the last one. */
static void trail_scan(struct trail *trail)
{
    size_t start = 0;
    memcpy(trail->last_hash, AUDIT_FIRST, sizeof AUDIT_FIRST);
    for (size_t index = 0; index < trail->size; index++) {
        if (trail->text[index] == '\n') {
            trail->count++;
            archive_hash_bytes(trail->text + start, index - start, trail->last_hash);
            start = index + 1;
        }
    }
    trail->whole_size = start;
}

/* @param trail  Out: free trail->text. */
static enum status trail_read(int descriptor, const char *path, struct trail *trail)
{
    struct stat info;
    *trail = (struct trail){.text = NULL};
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)
        || info.st_size > AUDIT_SIZE_MAX) {
        log_error("%s: is no audit trail: not a file, or too large", path);
        return STATUS_IO;
    }
    trail->size = (size_t)info.st_size;
    trail->text = malloc(trail->size + 1);
    if (!trail->text) {
        return STATUS_NO_MEMORY;
    }
    if (!bytes_read(descriptor, trail->text, trail->size)) {
        log_error("%s: cannot read it: %s", path, strerror(errno));
        free(trail->text);
        return STATUS_IO;
    }
    trail->text[trail->size] = '\0';
    trail_scan(trail);
    return STATUS_OK;
}

/* The line of an entry with its newline; for free(). NULL when a text is no UTF-8. */
static char *line_encode(const struct audit_entry *entry, unsigned number,
                         const char *previous)
{
    char time[CLOCK_TEXT_SIZE];
    clock_utc_text(clock_utc_us(), time);
    json_t *object = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "number", (int)number, "time", time,
        "actor", entry->actor, "action", entry->action, "object", entry->object, "digest",
        entry->digest, "reason", entry->reason, "previous", previous);
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(object);
    size_t size = text ? strlen(text) : 0;
    char *line = text ? malloc(size + 2) : NULL;
    if (line) {
        memcpy(line, text, size);
        memcpy(line + size, "\n", 2);
    }
    free(text);
    return line;
}

/* Add one line at the end; what a full disk wrote of it is taken back. */
static enum status line_append(int descriptor, const char *path, const char *line,
                               struct trail *trail)
{
    size_t size = strlen(line);
    ssize_t written = write(descriptor, line, size);
    if (written == (ssize_t)size && fdatasync(descriptor) == 0) {
        trail->whole_size += size;
        trail->count++;
        archive_hash_bytes(line, size - 1, trail->last_hash);
        return STATUS_OK;
    }
    int error = errno;
    bool undone = ftruncate(descriptor, (off_t)trail->whole_size) == 0;
    log_error("%s: cannot add to the audit trail: %s%s; free some space or check the disk",
              path,
              written >= 0 && written < (ssize_t)size ? "no space left" : strerror(error),
              undone ? "" : ", and a part of a line stands at its end");
    return STATUS_IO;
}

static enum status entry_append(int descriptor, const char *path,
                                const struct audit_entry *entry, struct trail *trail)
{
    char *line = line_encode(entry, trail->count + 1, trail->last_hash);
    if (!line) {
        log_error("%s: an audit entry holds text that is not UTF-8; nothing was added",
                  path);
        return STATUS_BAD_INPUT;
    }
    enum status status = line_append(descriptor, path, line, trail);
    free(line);
    return status;
}

/* A power cut may leave half a line: it is cut off, and the trail says so. */
static enum status trail_repair(int descriptor, const char *path, struct trail *trail)
{
    char reason[80];
    if (trail->whole_size == trail->size) {
        return STATUS_OK;
    }
    snprintf(reason, sizeof reason, "%zu bytes of an unfinished line were cut off",
             trail->size - trail->whole_size);
    if (ftruncate(descriptor, (off_t)trail->whole_size) != 0) {
        log_error("%s: cannot cut off an unfinished line: %s", path, strerror(errno));
        return STATUS_IO;
    }
    const struct audit_entry entry = {"limber", "audit_repaired", "audit.jsonl", "",
                                      reason};
    return entry_append(descriptor, path, &entry, trail);
}

static enum status head_write(const char *directory, const struct trail *trail)
{
    char path[AUDIT_PATH_SIZE];
    char part[AUDIT_PATH_SIZE];
    char text[AUDIT_HEAD_SIZE];
    if (!path_make(path, directory, "audit.head")
        || !path_make(part, directory, "audit.head.part")) {
        return STATUS_IO;
    }
    int size = snprintf(text, sizeof text, "%u %s\n", trail->count, trail->last_hash);
    int descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = descriptor >= 0 && write(descriptor, text, (size_t)size) == size
                && fdatasync(descriptor) == 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (!good || rename(part, path) != 0) {
        log_error("%s: cannot write it: %s; free some space or check the disk", path,
                  strerror(errno));
        return STATUS_IO;
    }
    return folder_sync_parent(path);
}

/* Only one process adds at a time; the lock goes with the descriptor. */
static bool trail_lock(int descriptor)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int code = 0;
    do {
        code = fcntl(descriptor, F_SETLKW, &lock);
    } while (code != 0 && errno == EINTR);
    return code == 0;
}

enum status audit_append(const char *directory, const struct audit_entry *entry)
{
    char path[AUDIT_PATH_SIZE];
    struct trail trail = {.text = NULL};
    if (!path_make(path, directory, "audit.jsonl")) {
        return STATUS_IO;
    }
    int descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || !trail_lock(descriptor)) {
        log_error("%s: cannot open the audit trail: %s; check the folder", path,
                  strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
        }
        return STATUS_IO;
    }
    enum status status = trail_read(descriptor, path, &trail);
    if (status == STATUS_OK) {
        status = trail_repair(descriptor, path, &trail);
    }
    if (status == STATUS_OK) {
        status = entry_append(descriptor, path, entry, &trail);
    }
    if (status == STATUS_OK) {
        status = head_write(directory, &trail);
    }
    free(trail.text);
    close(descriptor);
    return status;
}

/* Check one line; false with a finding. */
static bool line_check(const char *line, size_t size, unsigned number, const char *previous,
                       char finding[256])
{
    static const char *const KEYS[] = {"time",   "actor",  "action",
                                       "object", "digest", "reason"};
    json_error_t error;
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    bool good = json_is_object(object);
    for (size_t index = 0; good && index < sizeof KEYS / sizeof KEYS[0]; index++) {
        good = json_is_string(json_object_get(object, KEYS[index]));
    }
    const char *stored = json_string_value(json_object_get(object, "previous"));
    json_int_t stored_number = json_integer_value(json_object_get(object, "number"));
    if (!good || !stored) {
        snprintf(finding, 256, "line %u: is no audit entry", number);
    } else if (stored_number != (json_int_t)number) {
        snprintf(finding, 256,
                 "line %u: is numbered %" JSON_INTEGER_FORMAT
                 ": a line was removed, added or moved",
                 number, stored_number);
        good = false;
    } else if (strcmp(stored, previous) != 0) {
        snprintf(finding, 256, "line %u: the line before it was changed, removed or moved",
                 number);
        good = false;
    }
    json_decref(object);
    return good && stored;
}

/* Walk the chain. @param head  In and out: hash is set to "" once its line was found right.
 */
static bool chain_check(const struct trail *trail, struct audit_head *head,
                        char finding[256], unsigned *count)
{
    char previous[SESSION_HASH_SIZE];
    memcpy(previous, AUDIT_FIRST, sizeof previous);
    const char *line = trail->text;
    for (*count = 0; *count < trail->count; (*count)++) {
        size_t size = (size_t)(strchr(line, '\n') - line);
        if (!line_check(line, size, *count + 1, previous, finding)) {
            return false;
        }
        archive_hash_bytes(line, size, previous);
        if (*count + 1 == head->count && strcmp(previous, head->hash) != 0) {
            snprintf(finding, 256, "line %u: was changed", *count + 1);
            return false;
        }
        line += size + 1;
    }
    if (head->count > trail->count) {
        snprintf(finding, 256, "the last %u of %u lines are missing",
                 head->count - trail->count, head->count);
        return false;
    }
    if (trail->whole_size != trail->size) {
        snprintf(finding, 256, "line %u: is cut off", trail->count + 1);
        return false;
    }
    return true;
}

/* @return STATUS_OK, STATUS_NOT_FOUND, or STATUS_CORRUPT when it cannot be understood. */
static enum status head_read(const char *directory, struct audit_head *head)
{
    char path[AUDIT_PATH_SIZE];
    char text[AUDIT_HEAD_SIZE] = "";
    if (!path_make(path, directory, "audit.head")) {
        return STATUS_IO;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return STATUS_NOT_FOUND;
    }
    ssize_t size = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    return size > 0 && sscanf(text, "%u %64s", &head->count, head->hash) == 2
               ? STATUS_OK
               : STATUS_CORRUPT;
}

/* The trail could not be opened. */
static enum status absence_explain(const char *path, bool has_head, char finding[256])
{
    if (errno == ENOENT && has_head) {
        snprintf(finding, 256, "audit.jsonl is missing, but audit.head says there was one");
        return STATUS_CORRUPT;
    }
    enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    log_error("%s: cannot read the audit trail: %s; name the folder of an archive", path,
              strerror(errno));
    return status;
}

enum status audit_verify(const char *directory, char finding[256], unsigned *count)
{
    char path[AUDIT_PATH_SIZE];
    struct audit_head head = {.count = 0};
    struct trail trail = {.text = NULL};
    finding[0] = '\0';
    *count = 0;
    if (!path_make(path, directory, "audit.jsonl")) {
        return STATUS_IO;
    }
    enum status head_status = head_read(directory, &head);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return absence_explain(path, head_status != STATUS_NOT_FOUND, finding);
    }
    enum status status = trail_read(descriptor, path, &trail);
    if (status == STATUS_OK && memchr(trail.text, '\0', trail.size)) {
        snprintf(finding, 256, "holds zero bytes");
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK && !chain_check(&trail, &head, finding, count)) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK && head_status != STATUS_OK && trail.count > 0) {
        snprintf(finding, 256,
                 "audit.head is missing or damaged: lines may have been cut off "
                 "the end");
        status = STATUS_CORRUPT;
    }
    free(trail.text);
    close(descriptor);
    return status;
}

#include "archive/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum {
    SEAL_HASH_SIZE = 32,
    SEAL_READ_SIZE = 1 << 16
};

static const char SEAL_MAGIC[] = "limber-session ";

/* What follows the block: its hash in hex and its size. STATUS_IO with errno set. */
static enum status content_hash(int descriptor, char hex[2 * SEAL_HASH_SIZE + 1],
                                uint64_t *size)
{
    crypto_generichash_state state;
    uint8_t bytes[SEAL_READ_SIZE];
    uint8_t hash[SEAL_HASH_SIZE];
    if (sodium_init() < 0 || crypto_generichash_init(&state, NULL, 0, sizeof hash) != 0) {
        return STATUS_NO_MEMORY;
    }
    *size = 0;
    for (;;) {
        ssize_t got = pread(descriptor, bytes, sizeof bytes, (off_t)(SEAL_SIZE + *size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return STATUS_IO;
        }
        if (got == 0) {
            break;
        }
        crypto_generichash_update(&state, bytes, (size_t)got);
        *size += (uint64_t)got;
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(hex, 2 * SEAL_HASH_SIZE + 1, hash, sizeof hash);
    return STATUS_OK;
}

static void seal_encode(const char *hex, uint64_t size, char seal[SEAL_SIZE])
{
    memset(seal, 0, SEAL_SIZE);
    snprintf(seal, SEAL_SIZE, "%s%s\nblake2b-256 %s\nsize %" PRIu64 "\n", SEAL_MAGIC,
             SEAL_FORMAT_VERSION, hex, size);
}

enum status seal_write(const char *path)
{
    char hex[2 * SEAL_HASH_SIZE + 1];
    char seal[SEAL_SIZE];
    uint64_t size = 0;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    enum status status = descriptor < 0 ? STATUS_IO : content_hash(descriptor, hex, &size);
    if (status == STATUS_OK) {
        seal_encode(hex, size, seal);
        if (pwrite(descriptor, seal, sizeof seal, 0) != (ssize_t)sizeof seal
            || fsync(descriptor) != 0) {
            status = STATUS_IO;
        }
    }
    if (status == STATUS_IO) {
        log_error("%s: cannot seal the file: %s; free some space or check the disk", path,
                  strerror(errno));
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return status;
}

/* Sizes and text of the first line; the rest is compared byte by byte. */
static enum status front_check(const char seal[SEAL_SIZE], ssize_t got, char finding[256])
{
    if (got < (ssize_t)sizeof SEAL_MAGIC - 1
        || memcmp(seal, SEAL_MAGIC, sizeof SEAL_MAGIC - 1) != 0) {
        snprintf(finding, 256, "not a Limber session file");
        return STATUS_BAD_INPUT;
    }
    if (got < SEAL_SIZE) {
        snprintf(finding, 256, "cut off inside its first %d bytes", SEAL_SIZE);
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

/* Say which of the seal's lines differs. */
static enum status seal_compare(const char stored[SEAL_SIZE], const char *hex,
                                uint64_t size, char finding[256])
{
    char expected[SEAL_SIZE];
    uint64_t stored_size = 0;
    char version[16] = "";
    seal_encode(hex, size, expected);
    if (memcmp(stored, expected, SEAL_SIZE) == 0) {
        return STATUS_OK;
    }
    char text[SEAL_SIZE + 1];
    memcpy(text, stored, SEAL_SIZE);
    text[SEAL_SIZE] = '\0';
    int found = sscanf(text, "limber-session %15s blake2b-256 %*64s size %" SCNu64, version,
                       &stored_size);
    if (found >= 1 && strncmp(version, "1.", 2) != 0) {
        snprintf(finding, 256, "format version %s; this program reads 1.x", version);
        return STATUS_BAD_INPUT;
    }
    if (found == 2 && stored_size > size) {
        snprintf(finding, 256, "cut off: %" PRIu64 " of %" PRIu64 " bytes are missing",
                 stored_size - size, stored_size + SEAL_SIZE);
    } else {
        snprintf(finding, 256, "changed since it was written: its checksum does not match");
    }
    return STATUS_CORRUPT;
}

enum status seal_check(const char *path, char finding[256])
{
    char stored[SEAL_SIZE] = "";
    char hex[2 * SEAL_HASH_SIZE + 1];
    uint64_t size = 0;
    struct stat info;
    finding[0] = '\0';
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        snprintf(finding, 256, "cannot open it: %s", strerror(errno));
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    enum status status = STATUS_OK;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        snprintf(finding, 256, "not a file");
        status = STATUS_BAD_INPUT;
    }
    if (status == STATUS_OK) {
        ssize_t got = pread(descriptor, stored, sizeof stored, 0);
        status = front_check(stored, got, finding);
    }
    if (status == STATUS_OK) {
        status = content_hash(descriptor, hex, &size);
        if (status == STATUS_IO) {
            snprintf(finding, 256, "cannot read it: %s", strerror(errno));
        }
    }
    if (status == STATUS_OK) {
        status = seal_compare(stored, hex, size, finding);
    }
    close(descriptor);
    return status;
}

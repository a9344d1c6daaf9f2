#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/log.h"

enum {
    DIGEST_READ_SIZE = 1 << 16
};

_Static_assert(SESSION_HASH_SIZE == 2 * crypto_hash_sha256_BYTES + 1, "hex of SHA-256");

static void hash_text(crypto_hash_sha256_state *state, char hash[SESSION_HASH_SIZE])
{
    uint8_t bytes[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state, bytes);
    sodium_bin2hex(hash, SESSION_HASH_SIZE, bytes, sizeof bytes);
}

void archive_hash_bytes(const void *bytes, size_t size, char hash[SESSION_HASH_SIZE])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    if (size > 0) {
        crypto_hash_sha256_update(&state, bytes, size);
    }
    hash_text(&state, hash);
}

enum status archive_hash_file(const char *path, char hash[SESSION_HASH_SIZE])
{
    crypto_hash_sha256_state state;
    uint8_t bytes[DIGEST_READ_SIZE];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
        log_error("%s: cannot read it: %s", path, strerror(errno));
        return status;
    }
    ssize_t got = 0;
    crypto_hash_sha256_init(&state);
    do {
        got = read(descriptor, bytes, sizeof bytes);
        if (got > 0) {
            crypto_hash_sha256_update(&state, bytes, (size_t)got);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        log_error("%s: cannot read it: %s", path, strerror(errno));
    } else {
        hash_text(&state, hash);
    }
    close(descriptor);
    return got < 0 ? STATUS_IO : STATUS_OK;
}

void archive_uuid(char uuid[SESSION_UUID_SIZE])
{
    uint8_t b[16];
    /* Where the system has no randomness, randombytes ends the process: uuids that repeat
     * would mix up people. */
    randombytes_buf(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0fU) | 0x40U); /* version 4 (RFC 4122, 4.4) */
    b[8] = (uint8_t)((b[8] & 0x3fU) | 0x80U);
    snprintf(uuid, SESSION_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

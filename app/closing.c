#include "app/closing.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/assembly.h"
#include "archive/archive.h"
#include "archive/audit.h"
#include "base/log.h"

static const char JOURNAL_SUFFIX[] = ".journal";

/* More than one frame of a port's largest read cannot be torn by a crash. */
static const uint64_t TORN_FRAME_SIZE_MAX = 64 * 1024;

static void progress_show(void *user, double share)
{
    (void)user;
    fprintf(stderr, "\rclosing the session %3.0f %%", share * 100.0);
}

/* Replay and write; runs in the child. */
static enum status session_close(const char *journal, const char *path)
{
    struct journal_reader *reader = NULL;
    struct session *session = NULL;
    bool on_terminal = isatty(STDERR_FILENO) == 1;
    const struct assembly_settings settings = {
        .with_samples = true,
        .progress = on_terminal ? progress_show : NULL,
    };
    enum status status = journal_reader_open(journal, &reader);
    if (status) {
        return status;
    }
    status = assembly_build(reader, &settings, NULL, &session);
    if (!status) {
        archive_hash_bytes(session->journal, session->journal_size, session->journal_hash);
        status = archive_write(session, path);
    }
    if (on_terminal) {
        fputs("\r\033[K", stderr);
    }
    session_destroy(session);
    journal_reader_close(reader);
    return status;
}

/* Exit codes of the child carry the status as its magnitude. */
static enum status child_wait(pid_t child, const char *path)
{
    int code = 0;
    while (waitpid(child, &code, 0) < 0) {
        if (errno != EINTR) {
            log_error("%s: could not wait for the closing process: %s", path,
                      strerror(errno));
            return STATUS_IO;
        }
    }
    if (!WIFEXITED(code)) {
        log_error("%s: the closing process ended by signal %d; the journal is kept, "
                  "run 'limber recover'",
                  path, WTERMSIG(code));
        return STATUS_IO;
    }
    return (enum status)(-WEXITSTATUS(code));
}

static enum status child_start(pid_t *child)
{
    fflush(NULL);
    *child = fork();
    if (*child < 0) {
        log_error("could not start the closing process: %s", strerror(errno));
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status closing_write(const struct session *session, const char *path)
{
    pid_t child = 0;
    enum status status = child_start(&child);
    if (status) {
        return status;
    }
    if (child == 0) {
        _exit(-(int)archive_write(session, path));
    }
    return child_wait(child, path);
}

/* A clinician's override belongs into the trail, also when the program died in between. */
static enum status override_enter(const char *directory, const struct session *session)
{
    if (!session->screening.override_role[0]) {
        return STATUS_OK;
    }
    const struct audit_entry entry = {
        .actor = session->screening.override_role,
        .action = "screening_override",
        .object = session->uuid,
        .digest = "",
        .reason = session->screening.override_reason,
    };
    return audit_append(directory, &entry);
}

/* Make the finished file known: catalogue, audit trail.
 * @param torn_size  Out: bytes of the journal that could not be read. */
static enum status session_enter(const char *directory, const char *path,
                                 uint64_t *torn_size)
{
    const struct archive_read_settings settings = {0};
    struct session *session = NULL;
    struct catalogue *catalogue = NULL;
    char hash[SESSION_HASH_SIZE] = "";
    enum status status = archive_read(path, &settings, &session);
    if (!status) {
        status = catalogue_open(directory, &catalogue);
    }
    if (!status) {
        status = catalogue_add(catalogue, path, session);
    }
    if (!status) {
        status = archive_hash_file(path, hash);
    }
    if (!status) {
        const struct audit_entry entry = {
            .actor = session->operator_code[0] ? session->operator_code : "limber",
            .action = session->recovered ? "session_recovered" : "session_closed",
            .object = session->uuid,
            .digest = hash,
            .reason = "",
        };
        status = audit_append(directory, &entry);
        *torn_size = session->journal_torn_size;
    }
    if (!status) {
        status = override_enter(directory, session);
    }
    catalogue_close(catalogue);
    session_destroy(session);
    return status;
}

/* SHA-256 of all whole frames of a journal. */
static enum status journal_hash(const char *journal, char hash[SESSION_HASH_SIZE])
{
    struct journal_reader *reader = NULL;
    struct journal_frame frame;
    size_t size = 0;
    enum status status = journal_reader_open(journal, &reader);
    if (status) {
        return status;
    }
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        continue;
    }
    const uint8_t *bytes = journal_reader_bytes(reader, &size);
    archive_hash_bytes(bytes, size, hash);
    journal_reader_close(reader);
    return STATUS_OK;
}

/* A whole session file of this very journal is there already: the program ended between
 * writing the file and removing the journal. */
static bool session_is_written(const char *journal, const char *path)
{
    const struct archive_read_settings settings = {0};
    struct session *session = NULL;
    struct stat facts;
    char finding[256];
    char hash[SESSION_HASH_SIZE];
    if (stat(path, &facts) != 0 || archive_verify(path, finding) != STATUS_OK
        || archive_read(path, &settings, &session) != STATUS_OK) {
        return false;
    }
    bool is_same = journal_hash(journal, hash) == STATUS_OK
                   && strcmp(hash, session->journal_hash) == 0;
    session_destroy(session);
    return is_same;
}

/* The journal has done its work. One whose tail is more than a torn frame is kept aside: it
 * may hold what only a person can save. */
static void journal_retire(const char *journal, const char *path, uint64_t torn_size)
{
    char kept[CATALOGUE_PATH_SIZE + 16];
    if (torn_size > TORN_FRAME_SIZE_MAX) {
        snprintf(kept, sizeof kept, "%s.damaged", journal);
        if (rename(journal, kept) == 0) {
            log_warning(
                "%s: %llu bytes behind a damaged place could not be read; they are kept "
                "in this file",
                kept, (unsigned long long)torn_size);
            return;
        }
    } else if (unlink(journal) == 0) {
        return;
    }
    log_warning("%s: could not remove the journal (%s); it is kept inside %s", journal,
                strerror(errno), path);
}

static enum status session_make(const char *journal, const char *path)
{
    pid_t child = 0;
    enum status status = child_start(&child);
    if (!status && child == 0) {
        _exit(-(int)session_close(journal, path));
    }
    return status ? status : child_wait(child, path);
}

enum status closing_run(const char *directory, const char *journal,
                        char path[CATALOGUE_PATH_SIZE])
{
    size_t stem = strlen(journal) - (sizeof JOURNAL_SUFFIX - 1);
    int size = snprintf(path, CATALOGUE_PATH_SIZE, "%.*s.h5", (int)stem, journal);
    if (size < 0 || size >= CATALOGUE_PATH_SIZE) {
        log_error("%s: path too long", journal);
        path[0] = '\0';
        return STATUS_IO;
    }
    /* An impatient Ctrl-C must not end what is nearly done. */
    void (*interrupt)(int) = signal(SIGINT, SIG_IGN);
    uint64_t torn_size = 0;
    enum status status =
        session_is_written(journal, path) ? STATUS_OK : session_make(journal, path);
    if (!status) {
        status = session_enter(directory, path, &torn_size);
    }
    if (status) {
        path[0] = '\0';
    } else {
        journal_retire(journal, path, torn_size);
    }
    signal(SIGINT, interrupt);
    return status;
}

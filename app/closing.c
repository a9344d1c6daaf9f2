#include "app/closing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/assembly.h"
#include "archive/archive.h"
#include "archive/audit.h"
#include "base/log.h"

static const char JOURNAL_SUFFIX[] = ".journal";

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

/* Make the finished file known: catalogue, audit trail. */
static enum status session_enter(const char *directory, const char *path)
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
    }
    catalogue_close(catalogue);
    session_destroy(session);
    return status;
}

enum status closing_run(const char *directory, const char *journal,
                        char path[CATALOGUE_PATH_SIZE])
{
    size_t stem = strlen(journal) - (sizeof JOURNAL_SUFFIX - 1);
    int size = snprintf(path, CATALOGUE_PATH_SIZE, "%.*s.h5", (int)stem, journal);
    if (size < 0 || size >= CATALOGUE_PATH_SIZE) {
        log_error("%s: path too long", journal);
        return STATUS_IO;
    }
    pid_t child = 0;
    enum status status = child_start(&child);
    if (status) {
        return status;
    }
    if (child == 0) {
        _exit(-(int)session_close(journal, path));
    }
    status = child_wait(child, path);
    if (!status) {
        status = session_enter(directory, path);
    }
    if (!status && unlink(journal) != 0) {
        log_warning("%s: could not remove the journal (%s); it is kept inside %s", journal,
                    strerror(errno), path);
    }
    return status;
}

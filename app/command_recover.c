#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/closing.h"
#include "app/command.h"
#include "app/options.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber recover DIR | FILE.journal\n\n"
    "Finishes recordings that were cut off (a crash, a power cut): closes every journal of "
    "an\n"
    "archive, or one journal, into its session file. What was recorded is kept to the "
    "last\n"
    "whole message. A recording that is still running is left alone.\n\n"
    "example: limber recover clinic\n";

struct recovery {
    const char *archive;
    unsigned done_count;
    unsigned busy_count;
    enum status status; /* first failure */
};

static bool name_is_journal(const char *name)
{
    size_t size = strlen(name);
    return size > 8 && strcmp(name + size - 8, ".journal") == 0;
}

/* Whoever records holds the lock. */
static int journal_lock(const char *path)
{
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        close(lock);
        return -1;
    }
    return lock;
}

static void journal_recover(struct recovery *recovery, const char *path)
{
    int lock = journal_lock(path);
    if (lock < 0) {
        if (errno == EWOULDBLOCK) {
            printf("%s: still in use, left alone\n", path);
            recovery->busy_count++;
            return;
        }
        enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
        log_error("%s: %s", path, strerror(errno));
        recovery->status = recovery->status ? recovery->status : status;
        return;
    }
    char session[CATALOGUE_PATH_SIZE];
    struct stat facts;
    if (fstat(lock, &facts) == 0 && facts.st_nlink == 0) {
        close(lock); /* another recover has just finished it */
        return;
    }
    if (facts.st_size == 0 && unlink(path) == 0) {
        printf("%s: held nothing, removed\n", path);
        close(lock);
        return;
    }
    enum status status = closing_run(recovery->archive, path, session);
    if (status) {
        recovery->status = recovery->status ? recovery->status : status;
    } else {
        printf("recovered %s\n", session);
        recovery->done_count++;
    }
    close(lock);
}

static void folder_recover(struct recovery *recovery, const char *folder)
{
    DIR *stream = opendir(folder);
    if (!stream) {
        log_error("%s: could not open the folder: %s", folder, strerror(errno));
        recovery->status = STATUS_NOT_FOUND;
        return;
    }
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        char path[CATALOGUE_PATH_SIZE];
        if (name_is_journal(entry->d_name)
            && snprintf(path, sizeof path, "%s/%s", folder, entry->d_name)
                   < (int)sizeof path) {
            journal_recover(recovery, path);
        }
    }
    closedir(stream);
}

/* Every subject's folder below the archive. */
static void archive_recover(struct recovery *recovery)
{
    DIR *stream = opendir(recovery->archive);
    if (!stream) {
        log_error("%s: could not open the archive: %s", recovery->archive, strerror(errno));
        recovery->status = STATUS_NOT_FOUND;
        return;
    }
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        char path[CATALOGUE_PATH_SIZE];
        struct stat facts;
        if (entry->d_name[0] != '.'
            && snprintf(path, sizeof path, "%s/%s", recovery->archive, entry->d_name)
                   < (int)sizeof path
            && stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
            folder_recover(recovery, path);
        }
    }
    closedir(stream);
}

int command_recover(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option = getopt_long(argc, argv, "", OPTIONS, NULL);
    if (option == 'h') {
        fputs(HELP, stdout);
        return EXIT_CODE_OK;
    }
    if (option != -1 || optind + 1 != argc) {
        log_error("recover: name one archive folder or one journal; see 'limber recover "
                  "--help'");
        return EXIT_CODE_USAGE;
    }
    char archive[CATALOGUE_PATH_SIZE];
    struct recovery recovery = {.archive = argv[optind]};
    if (name_is_journal(argv[optind])) {
        recovery.archive = archive;
        if (access(argv[optind], F_OK) == 0 && !options_archive_of(argv[optind], archive)) {
            log_error(
                "%s: lies in no archive; put it into ARCHIVE/SUBJECT/ and recover it there",
                argv[optind]);
            return EXIT_CODE_DATA;
        }
        journal_recover(&recovery, argv[optind]);
    } else {
        archive_recover(&recovery);
    }
    printf("%u recovered, %u still in use\n", recovery.done_count, recovery.busy_count);
    return options_exit_code(recovery.status);
}

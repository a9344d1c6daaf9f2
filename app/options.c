/* realpath belongs to the X/Open part of POSIX. */
#define _XOPEN_SOURCE 700

#include "app/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

enum status options_protocols(const char *names, struct header *header)
{
    const char *start = names;
    while (*start != '\0') {
        size_t size = strcspn(start, ",");
        char name[256];
        if (size == 0 || size >= sizeof name) {
            log_error("--protocol %s: a name is empty or too long", names);
            return STATUS_BAD_INPUT;
        }
        if (header->protocol_count == RUNNER_STRETCH_MAX) {
            log_error("--protocol %s: at most %d stretches in one session", names,
                      RUNNER_STRETCH_MAX);
            return STATUS_BAD_INPUT;
        }
        memcpy(name, start, size);
        name[size] = '\0';
        enum status status =
            protocol_find(name, &header->protocols[header->protocol_count]);
        if (status) {
            return status;
        }
        header->protocol_count++;
        start += size + (start[size] == ',');
    }
    if (header->protocol_count == 0) {
        log_error("--protocol: no stretch named; 'limber protocols list' shows them");
        return STATUS_BAD_INPUT;
    }
    return STATUS_OK;
}

enum status options_subject(const char *subject, struct header *header)
{
    if (!catalogue_subject_is_valid(subject)) {
        log_error("--subject '%s': use 1 to 32 letters, digits, '-' or '_', "
                  "starting with a letter or digit; a code, not a name",
                  subject);
        return STATUS_BAD_INPUT;
    }
    snprintf(header->subject, sizeof header->subject, "%s", subject);
    return STATUS_OK;
}

bool options_archive_of(const char *path, char archive[CATALOGUE_PATH_SIZE])
{
    char mark[CATALOGUE_PATH_SIZE + 32];
    struct stat facts;
    char *whole = realpath(path, NULL);
    bool fits = whole && strlen(whole) < CATALOGUE_PATH_SIZE;
    if (fits) {
        memcpy(archive, whole, strlen(whole) + 1);
    }
    free(whole);
    for (int up = 0; up < 2 && fits; up++) {
        char *slash = strrchr(archive, '/');
        fits = slash && slash != archive;
        if (fits) {
            *slash = '\0';
        }
    }
    if (!fits) {
        return false;
    }
    snprintf(mark, sizeof mark, "%s/catalogue.sqlite", archive);
    return stat(mark, &facts) == 0;
}

enum status options_operator(const char *code, struct header *header)
{
    if (!catalogue_subject_is_valid(code)) {
        log_error("--operator '%s': use 1 to 32 letters, digits, '-' or '_'", code);
        return STATUS_BAD_INPUT;
    }
    snprintf(header->operator_code, sizeof header->operator_code, "%s", code);
    return STATUS_OK;
}

bool options_seed(const char *text, unsigned long long *seed)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0') {
        log_error("--seed %s: give a whole number", text);
        return false;
    }
    *seed = value;
    return true;
}

int options_exit_code(enum status status)
{
    if (status == STATUS_NO_MEMORY) {
        log_error("out of memory");
    }
    return (int)status_exit_code(status);
}

#include "app/options.h"

#include <stdio.h>
#include <string.h>

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

void options_archive_of(const char *path, char archive[CATALOGUE_PATH_SIZE])
{
    snprintf(archive, CATALOGUE_PATH_SIZE, "%s", path);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(archive, '/');
        if (!slash) {
            snprintf(archive, CATALOGUE_PATH_SIZE, up == 0 ? ".." : ".");
            return;
        }
        *slash = '\0';
    }
    if (!archive[0]) {
        snprintf(archive, CATALOGUE_PATH_SIZE, "/");
    }
}

/* A person's own profile of lines of numbers, read from YAML: names, units and scales of
 * the columns, for the text driver. Plain values; any thread. */
#ifndef LIMBER_APP_TEXT_PROFILE_H
#define LIMBER_APP_TEXT_PROFILE_H

#include <jansson.h>

#include "acquisition/driver.h"
#include "acquisition/text_columns.h"
#include "base/status.h"

struct text_profile {
    bool is_set; /* false = none, the rest is zero */
    char title[64];
    unsigned baud;                                         /* 0 = the driver's default */
    double rate_hz;                                        /* 0 = what the clock shows */
    char columns[TEXT_COLUMN_MAX * TEXT_COLUMN_NAME_SIZE]; /* names with commas between */
    struct text_lines lines;
};

/* Whether `columns` of a sensor file names a profile file: it ends in .yaml or .yml. */
bool text_profile_is_file(const char *columns);

/* Read and check a profile.
 * @return STATUS_OK; STATUS_BAD_INPUT, STATUS_NOT_FOUND or STATUS_IO after one logged line
 * with file and line. The profile is untouched on failure. */
enum status text_profile_read(const char *path, struct text_profile *profile);

/* Let the settings take from the profile what they leave open, and its columns; borrowed
 * from it. */
void text_profile_apply(const struct text_profile *profile,
                        struct driver_settings *settings);

/* All of it as JSON, for journals. NULL = no memory, or a text is not UTF-8. */
json_t *text_profile_encode(const struct text_profile *profile);

/* @return false when a member is missing or wrong. */
bool text_profile_decode(const json_t *object, struct text_profile *profile);

#endif

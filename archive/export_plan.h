/* Which sessions an export takes, and under which names: shared by all formats. With
 * de-identification (clinical reference 5.5) people become S001, S002 ..., dates become
 * days from the person's first session with a time of day in words. Private to archive/.
 * One thread. */
#ifndef LIMBER_ARCHIVE_EXPORT_PLAN_H
#define LIMBER_ARCHIVE_EXPORT_PLAN_H

#include "archive/export.h"

enum {
    EXPORT_NAME_SIZE = 80
};

/* One session of the export. */
struct export_item {
    struct catalogue_entry entry;
    char session_id[EXPORT_NAME_SIZE]; /* key of all tables; safe in file names */
    char parent_id[EXPORT_NAME_SIZE];  /* "" = an original, or its origin is not exported */
    char subject[SESSION_SUBJECT_SIZE];
    int64_t day;             /* days since the subject's first session, local time */
    const char *time_of_day; /* "night", "morning", "afternoon", "evening" */
    size_t first;            /* index of the subject's first session */
};

struct export_plan {
    struct export_item *items; /* oldest first */
    size_t count;
};

/* @param plan  Out: release with export_plan_release.
 * @return STATUS_OK; STATUS_REFUSED after one logged line when there is nothing to export;
 *         STATUS_BAD_INPUT for a wrong subject; else as catalogue_open. */
enum status export_plan_make(const struct export_settings *settings,
                             struct export_plan *plan);
void export_plan_release(struct export_plan *plan);

#endif

/* One CSV export under way, shared by the files that write its parts. Private to archive/.
 * One thread. */
#ifndef LIMBER_ARCHIVE_EXPORT_CSV_H
#define LIMBER_ARCHIVE_EXPORT_CSV_H

#include "archive/csv.h"
#include "archive/export_plan.h"
#include "archive/export_table.h"

enum {
    EXPORT_PATH_SIZE = 768
};

struct export_run {
    const struct export_settings *settings;
    const char *folder;
    struct csv tables[EXPORT_TABLE_COUNT];
    struct csv sums; /* SHA256SUMS, as sha256sum -c reads it */
};

/* Close a file and note its checksum. */
enum status export_file_finish(struct export_run *run, struct csv *csv);

/* Rows of all tables for one session, and its protocol texts. */
enum status export_rows_write(struct export_run *run, const struct export_item *item,
                              const struct session *session);

/* Time series of one session. */
enum status export_series_write(struct export_run *run, const struct export_item *item,
                                const struct session *session);

/* data_dictionary.csv and README.txt. @param count  Sessions in the export. */
enum status export_notes_write(struct export_run *run, size_t count);

#endif

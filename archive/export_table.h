/* The tables of the CSV export and what their columns mean: the header lines and the data
 * dictionary come from here. Private to archive/. Any thread. */
#ifndef LIMBER_ARCHIVE_EXPORT_TABLE_H
#define LIMBER_ARCHIVE_EXPORT_TABLE_H

enum {
    EXPORT_COLUMN_MAX = 32
};

/* A column of a table: the header line and the data dictionary come from the same entry. */
struct export_column {
    const char *name;
    const char *unit;
    const char *definition;
};

enum export_table {
    EXPORT_TABLE_SESSIONS,
    EXPORT_TABLE_PROTOCOLS,
    EXPORT_TABLE_DEVICES,
    EXPORT_TABLE_METRICS,
    EXPORT_TABLE_EVENTS,
    EXPORT_TABLE_HOLDS,
    EXPORT_TABLE_REPETITIONS,
    EXPORT_TABLE_COUNT
};

struct export_table_info {
    const char *file;
    const char *title;                               /* for the README */
    struct export_column columns[EXPORT_COLUMN_MAX]; /* ends with a NULL name */
};

const struct export_table_info *export_table_info_get(enum export_table table);

#endif

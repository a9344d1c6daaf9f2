/* Exporters, one file per format, all of the same shape. One thread. */
#ifndef LIMBER_ARCHIVE_EXPORT_H
#define LIMBER_ARCHIVE_EXPORT_H

#include "archive/catalogue.h"

struct export_settings {
    const char *archive; /* folder */
    const char *subject; /* NULL = all */
    bool deidentify;     /* no serials, dates, free text, ports */
    const char *out;     /* folder to create; must not exist or be empty */
};

struct export_format {
    const char *name; /* "csv" */
    const char *title;
    enum status (*write)(const struct export_settings *settings);
};

const struct export_format *export_find(const char *name);
const struct export_format *const *export_list(size_t *count);

extern const struct export_format export_csv;

#endif

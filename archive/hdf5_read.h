/* Reading HDF5 that somebody else may have written: every type and size is checked before
 * memory is taken. After the first failure every call does nothing; the reader keeps one
 * finding that says what and where. Private to archive/. One thread. */
#ifndef LIMBER_ARCHIVE_HDF5_READ_H
#define LIMBER_ARCHIVE_HDF5_READ_H

#include <stdint.h>

#include "archive/hdf5_table.h"
#include "base/status.h"

struct hdf5_reader {
    hid_t file;
    enum status status; /* first failure */
    char finding[224];  /* what and where, "" while all is well */
};

void hdf5_reader_open(struct hdf5_reader *reader, const char *path);
void hdf5_reader_close(struct hdf5_reader *reader);

/* Record a failure of the content. The first one stays. */
void hdf5_reader_fail(struct hdf5_reader *reader, hid_t object, const char *name,
                      const char *what);
bool hdf5_reader_is_good(const struct hdf5_reader *reader);

/* Group or dataset by name; -1 on failure. Close with hdf5_reader_end. */
hid_t hdf5_object_open(struct hdf5_reader *reader, hid_t parent, const char *name);
void hdf5_reader_end(struct hdf5_reader *reader, hid_t object);
bool hdf5_object_has(struct hdf5_reader *reader, hid_t parent, const char *name);

/* Names in a group, sorted. @param names  Gives an array of strings; free with
 * hdf5_names_free. */
size_t hdf5_names_get(struct hdf5_reader *reader, hid_t group, char ***names);
void hdf5_names_free(char **names, size_t count);

/* Attributes into a struct; a text longer than its member is a failure. */
void hdf5_fields_get(struct hdf5_reader *reader, hid_t object,
                     const struct hdf5_field *fields, size_t count, void *base);

/* Array of texts. @param texts  Gives an array of strings; free with hdf5_names_free. */
size_t hdf5_texts_get(struct hdf5_reader *reader, hid_t object, const char *name,
                      char ***texts);

/* Exactly count doubles. */
void hdf5_doubles_get(struct hdf5_reader *reader, hid_t object, const char *name,
                      double *values, size_t count);

/* What the caller expects of a numeric dataset. */
struct hdf5_expected {
    const char *name;
    enum hdf5_number number;
    size_t rows;    /* HDF5_ANY_ROWS = whatever is there */
    size_t columns; /* 0 = one-dimensional */
};

#define HDF5_ANY_ROWS SIZE_MAX

/* @param rows  Out: row count; NULL allowed.
 * @return Gives the values for free(), NULL on failure and for no rows. */
void *hdf5_dataset_get(struct hdf5_reader *reader, hid_t parent,
                       const struct hdf5_expected *expected, size_t *rows);

/* Rows of a compound table; columns that the table of fields does not name are left out.
 * @return Gives the rows for free(), NULL on failure and for no rows. */
void *hdf5_rows_get(struct hdf5_reader *reader, hid_t parent, const char *name,
                    const struct hdf5_field *fields, size_t field_count, size_t row_size,
                    size_t *row_count);

/* Text of a dataset of its own. @param size  Out, without the terminator that is added.
 * @return Gives the text for free(), NULL on failure. */
char *hdf5_document_get(struct hdf5_reader *reader, hid_t parent, const char *name,
                        size_t *size);

#endif

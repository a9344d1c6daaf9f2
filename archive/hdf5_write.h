/* Writing HDF5 with one error to check: after the first failure every call does nothing and
 * returns -1, and the writer remembers where it was. Private to archive/. One thread. */
#ifndef LIMBER_ARCHIVE_HDF5_WRITE_H
#define LIMBER_ARCHIVE_HDF5_WRITE_H

#include <stdint.h>

#include "archive/hdf5_table.h"

struct hdf5_writer {
    hid_t file;
    bool failed;
    char where[96]; /* name of the object that failed */
};

/* Replace the file at path; an existing file keeps its mode. Objects carry no times, so
 * equal content gives equal bytes.
 * @param userblock_size  Bytes left free at the front: 0, or a power of two from 512. */
void hdf5_writer_open(struct hdf5_writer *writer, const char *path,
                      unsigned userblock_size);

/* Close, and fail if anything was left open inside or any call failed before. */
bool hdf5_writer_close(struct hdf5_writer *writer);

/* Groups and datasets are closed by hdf5_writer_end. */
hid_t hdf5_group_create(struct hdf5_writer *writer, hid_t parent, const char *name);
void hdf5_writer_end(struct hdf5_writer *writer, hid_t object);

/* Attributes. Texts are of variable length, UTF-8. */
void hdf5_text_set(struct hdf5_writer *writer, hid_t object, const char *name,
                   const char *text);
void hdf5_texts_set(struct hdf5_writer *writer, hid_t object, const char *name,
                    const char *const *texts, size_t count);
void hdf5_integer_set(struct hdf5_writer *writer, hid_t object, const char *name,
                      int64_t value);
void hdf5_doubles_set(struct hdf5_writer *writer, hid_t object, const char *name,
                      const double *values, size_t count);

/* All fields of a struct as attributes. */
void hdf5_fields_set(struct hdf5_writer *writer, hid_t object,
                     const struct hdf5_field *fields, size_t count, const void *base);

/* A numeric dataset: compressed with checksum when it has rows. */
struct hdf5_dataset {
    const char *name;
    enum hdf5_number number;
    size_t rows;
    size_t columns;    /* 0 = one-dimensional */
    const void *data;  /* borrowed; row by row */
    const char *units; /* UCUM */
    const char *description;
    const char *components; /* names of the columns, NULL = none */
    hid_t scale;            /* dataset that gives the first dimension, 0 = none */
};

/* @return The open dataset, for further attributes. */
hid_t hdf5_dataset_create(struct hdf5_writer *writer, hid_t parent,
                          const struct hdf5_dataset *dataset);

/* Make a dataset the scale of its own dimension ("time"). */
void hdf5_scale_set(struct hdf5_writer *writer, hid_t dataset, const char *name);

/* Rows of structs as a compound table. @return The open dataset. */
struct hdf5_rows {
    const char *name;
    const struct hdf5_field *fields;
    size_t field_count;
    size_t row_size; /* of the struct */
    const void *rows;
    size_t row_count;
    const char *description;
};

hid_t hdf5_rows_create(struct hdf5_writer *writer, hid_t parent,
                       const struct hdf5_rows *rows);

/* One text as a dataset of its own, byte for byte. */
hid_t hdf5_document_create(struct hdf5_writer *writer, hid_t parent, const char *name,
                           const char *text, size_t size);

#endif

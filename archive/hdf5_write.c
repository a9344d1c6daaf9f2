#include "archive/hdf5_write.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a chunk: measured best of size against time with gzip 1. */
static const hsize_t CHUNK_ROWS = 4096;
/* Byte series have tiny rows. */
static const hsize_t CHUNK_BYTES = 1 << 18;
static const unsigned GZIP_LEVEL = 1;

static void writer_fail(struct hdf5_writer *writer, const char *name)
{
    if (!writer->failed) {
        snprintf(writer->where, sizeof writer->where, "%s", name);
    }
    writer->failed = true;
}

/* Properties of a new object that carries no times; -1 on failure. */
static hid_t properties_create(hid_t class)
{
    hid_t properties = H5Pcreate(class);
    if (properties >= 0 && H5Pset_obj_track_times(properties, false) < 0) {
        H5Pclose(properties);
        return -1;
    }
    return properties;
}

void hdf5_writer_open(struct hdf5_writer *writer, const char *path, unsigned userblock_size)
{
    *writer = (struct hdf5_writer){.file = -1};
    if (!hdf5_start()) {
        writer_fail(writer, "library");
        return;
    }
    hid_t creation = properties_create(H5P_FILE_CREATE);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* Both bounds V18: every reader since 2008 opens it, and object headers carry
     * checksums. */
    if (creation >= 0 && access >= 0 && H5Pset_userblock(creation, userblock_size) >= 0
        && H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0
        && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0) {
        writer->file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    }
    if (writer->file < 0) {
        writer_fail(writer, "file");
    }
    if (access >= 0) {
        H5Pclose(access);
    }
    if (creation >= 0) {
        H5Pclose(creation);
    }
}

bool hdf5_writer_close(struct hdf5_writer *writer)
{
    if (writer->file < 0) {
        return false;
    }
    /* Only the file itself may be open now: a forgotten handle would hide errors of
     * closing. */
    if (H5Fget_obj_count(writer->file, H5F_OBJ_ALL) != 1) {
        writer_fail(writer, "handle left open");
    }
    if (H5Fclose(writer->file) < 0) {
        writer_fail(writer, "closing");
    }
    writer->file = -1;
    return !writer->failed;
}

hid_t hdf5_group_create(struct hdf5_writer *writer, hid_t parent, const char *name)
{
    if (writer->failed) {
        return -1;
    }
    hid_t group = -1;
    hid_t properties = properties_create(H5P_GROUP_CREATE);
    if (properties >= 0) {
        group = H5Gcreate2(parent, name, H5P_DEFAULT, properties, H5P_DEFAULT);
        H5Pclose(properties);
    }
    if (group < 0) {
        writer_fail(writer, name);
    }
    return group;
}

void hdf5_writer_end(struct hdf5_writer *writer, hid_t object)
{
    if (object >= 0 && H5Oclose(object) < 0) {
        writer_fail(writer, "closing an object");
    }
}

/* An attribute of any type; dims NULL = a single value. */
static void attribute_set(struct hdf5_writer *writer, hid_t object, const char *name,
                          hid_t file_type, hid_t memory_type, const void *data, int rank,
                          const hsize_t *dims)
{
    if (writer->failed) {
        return;
    }
    bool good = false;
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
    hid_t attribute = -1;
    if (space >= 0) {
        attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    }
    if (attribute >= 0) {
        good = H5Awrite(attribute, memory_type, data) >= 0;
        good = H5Aclose(attribute) >= 0 && good;
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    if (!good) {
        writer_fail(writer, name);
    }
}

void hdf5_texts_set(struct hdf5_writer *writer, hid_t object, const char *name,
                    const char *const *texts, size_t count)
{
    hid_t type = writer->failed ? -1 : hdf5_text_type(0);
    if (type < 0) {
        writer_fail(writer, name);
        return;
    }
    attribute_set(writer, object, name, type, type, texts, 1, (const hsize_t[]){count});
    H5Tclose(type);
}

void hdf5_text_set(struct hdf5_writer *writer, hid_t object, const char *name,
                   const char *text)
{
    hid_t type = writer->failed ? -1 : hdf5_text_type(0);
    if (type < 0) {
        writer_fail(writer, name);
        return;
    }
    attribute_set(writer, object, name, type, type, &text, 0, NULL);
    H5Tclose(type);
}

void hdf5_integer_set(struct hdf5_writer *writer, hid_t object, const char *name,
                      int64_t value)
{
    attribute_set(writer, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, 0, NULL);
}

void hdf5_doubles_set(struct hdf5_writer *writer, hid_t object, const char *name,
                      const double *values, size_t count)
{
    attribute_set(writer, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values, 1,
                  (const hsize_t[]){count});
}

static void field_set(struct hdf5_writer *writer, hid_t object,
                      const struct hdf5_field *field, const void *member)
{
    switch (field->kind) {
    case HDF5_FIELD_TEXT:
        hdf5_text_set(writer, object, field->name, member);
        return;
    case HDF5_FIELD_LETTER: {
        const char text[2] = {*(const char *)member, '\0'};
        hdf5_text_set(writer, object, field->name, text);
        return;
    }
    case HDF5_FIELD_DOUBLE: {
        const hsize_t dims[2] = {field->size == 9 ? 3 : field->size, 3};
        attribute_set(writer, object, field->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                      member,
                      field->size == 1   ? 0
                      : field->size == 9 ? 2
                                         : 1,
                      dims);
        return;
    }
    case HDF5_FIELD_BOOL: {
        const uint8_t value = *(const bool *)member ? 1 : 0;
        attribute_set(writer, object, field->name, H5T_STD_U8LE, H5T_NATIVE_UINT8, &value,
                      0, NULL);
        return;
    }
    case HDF5_FIELD_INT:
    case HDF5_FIELD_UNSIGNED:
    case HDF5_FIELD_U64:
    case HDF5_FIELD_I64:
        attribute_set(writer, object, field->name, hdf5_field_file_type(field->kind),
                      hdf5_field_memory_type(field->kind), member, 0, NULL);
        return;
    }
}

void hdf5_fields_set(struct hdf5_writer *writer, hid_t object,
                     const struct hdf5_field *fields, size_t count, const void *base)
{
    for (size_t index = 0; index < count; index++) {
        field_set(writer, object, &fields[index],
                  (const char *)base + fields[index].offset);
    }
}

/* Chunks, byte shuffle, gzip, Fletcher-32: filters that every HDF5 has. */
static bool filters_set(hid_t properties, int rank, const hsize_t *dims, size_t row_size)
{
    hsize_t most = row_size == 1 ? CHUNK_BYTES : CHUNK_ROWS;
    const hsize_t chunk[2] = {dims[0] < most ? dims[0] : most, dims[1]};
    return H5Pset_chunk(properties, rank, chunk) >= 0 && H5Pset_shuffle(properties) >= 0
           && H5Pset_deflate(properties, GZIP_LEVEL) >= 0
           && H5Pset_fletcher32(properties) >= 0;
}

/* Dataset of any type with its data; rows may be 0, rank 0 is a single value (unfiltered).
 */
static hid_t dataset_write(struct hdf5_writer *writer, hid_t parent, const char *name,
                           hid_t file_type, hid_t memory_type, const void *data, int rank,
                           const hsize_t *dims)
{
    if (writer->failed) {
        return -1;
    }
    hid_t dataset = -1;
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t properties = properties_create(H5P_DATASET_CREATE);
    size_t row_size = H5Tget_size(file_type) * (rank == 2 ? dims[1] : 1);
    if (space >= 0 && properties >= 0
        && (rank == 0 || dims[0] == 0 || filters_set(properties, rank, dims, row_size))) {
        dataset = H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, properties,
                             H5P_DEFAULT);
    }
    if (dataset < 0
        || (dims[0] > 0
            && H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)) {
        writer_fail(writer, name);
    }
    if (properties >= 0) {
        H5Pclose(properties);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    return dataset;
}

hid_t hdf5_dataset_create(struct hdf5_writer *writer, hid_t parent,
                          const struct hdf5_dataset *what)
{
    const hsize_t dims[2] = {what->rows, what->columns};
    hid_t dataset = dataset_write(
        writer, parent, what->name, hdf5_number_file_type(what->number),
        hdf5_number_memory_type(what->number), what->data, what->columns > 0 ? 2 : 1, dims);
    hdf5_text_set(writer, dataset, "units", what->units);
    hdf5_text_set(writer, dataset, "description", what->description);
    if (what->components) {
        hdf5_text_set(writer, dataset, "components", what->components);
    }
    if (what->scale > 0 && !writer->failed
        && H5DSattach_scale(dataset, what->scale, 0) < 0) {
        writer_fail(writer, what->name);
    }
    return dataset;
}

void hdf5_scale_set(struct hdf5_writer *writer, hid_t dataset, const char *name)
{
    if (!writer->failed && H5DSset_scale(dataset, name) < 0) {
        writer_fail(writer, name);
    }
}

hid_t hdf5_rows_create(struct hdf5_writer *writer, hid_t parent,
                       const struct hdf5_rows *rows)
{
    if (writer->failed) {
        return -1;
    }
    hid_t file_type = hdf5_compound_type(rows->fields, rows->field_count, 0, true);
    hid_t memory_type =
        hdf5_compound_type(rows->fields, rows->field_count, rows->row_size, false);
    hid_t dataset = -1;
    if (file_type >= 0 && memory_type >= 0) {
        dataset = dataset_write(writer, parent, rows->name, file_type, memory_type,
                                rows->rows, 1, (const hsize_t[2]){rows->row_count, 0});
        hdf5_text_set(writer, dataset, "description", rows->description);
    } else {
        writer_fail(writer, rows->name);
    }
    if (memory_type >= 0) {
        H5Tclose(memory_type);
    }
    if (file_type >= 0) {
        H5Tclose(file_type);
    }
    return dataset;
}

hid_t hdf5_document_create(struct hdf5_writer *writer, hid_t parent, const char *name,
                           const char *text, size_t size)
{
    if (writer->failed) {
        return -1;
    }
    /* A text type of no bytes does not exist; one zero byte is read back as an empty text.
     */
    hid_t type = hdf5_text_type(size > 0 ? size : 1);
    hid_t dataset = -1;
    if (type >= 0) {
        dataset = dataset_write(writer, parent, name, type, type, size > 0 ? text : "", 0,
                                (const hsize_t[2]){1, 0});
        H5Tclose(type);
    } else {
        writer_fail(writer, name);
    }
    return dataset;
}

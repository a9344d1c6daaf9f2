#include "archive/hdf5_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deflate never shrinks more than 1032 to 1 (RFC 1951: 258 bytes for 2 bits), so a dataset
 * that claims more rows than its stored bytes can hold is damaged and must not take memory.
 */
static const uint64_t SHRINK_MAX = 1032;
static const size_t TEXT_MAX = 4 << 20;
static const size_t TEXTS_MAX = 4096;

bool hdf5_reader_is_good(const struct hdf5_reader *reader)
{
    return reader->status == STATUS_OK;
}

static void reader_set(struct hdf5_reader *reader, enum status status, const char *text)
{
    if (reader->status == STATUS_OK) {
        reader->status = status;
        snprintf(reader->finding, sizeof reader->finding, "%s", text);
    }
}

void hdf5_reader_fail(struct hdf5_reader *reader, hid_t object, const char *name,
                      const char *what)
{
    char path[96] = "";
    if (object >= 0 && H5Iget_name(object, path, sizeof path) < 0) {
        path[0] = '\0';
    }
    char text[sizeof reader->finding];
    bool has_both = path[0] != '\0' && path[1] != '\0' && name[0] != '\0';
    snprintf(text, sizeof text, "%s%s%.48s: %s", path, has_both ? "/" : "", name, what);
    reader_set(reader, STATUS_CORRUPT, text);
}

void hdf5_reader_open(struct hdf5_reader *reader, const char *path)
{
    *reader = (struct hdf5_reader){.file = -1};
    if (hdf5_start()) {
        hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        if (access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0) {
            reader->file = H5Fopen(path, H5F_ACC_RDONLY, access);
        }
        if (access >= 0) {
            H5Pclose(access);
        }
    }
    if (reader->file < 0) {
        reader_set(reader, STATUS_CORRUPT, "HDF5 cannot open it: cut off or damaged");
    }
}

void hdf5_reader_close(struct hdf5_reader *reader)
{
    if (reader->file >= 0) {
        H5Fclose(reader->file);
    }
    reader->file = -1;
}

hid_t hdf5_object_open(struct hdf5_reader *reader, hid_t parent, const char *name)
{
    if (!hdf5_reader_is_good(reader)) {
        return -1;
    }
    hid_t object = -1;
    if (H5Lexists(parent, name, H5P_DEFAULT) > 0) {
        object = H5Oopen(parent, name, H5P_DEFAULT);
    }
    if (object < 0) {
        hdf5_reader_fail(reader, parent, name, "missing or unreadable");
    }
    return object;
}

void hdf5_reader_end(struct hdf5_reader *reader, hid_t object)
{
    (void)reader;
    if (object >= 0) {
        H5Oclose(object);
    }
}

bool hdf5_object_has(struct hdf5_reader *reader, hid_t parent, const char *name)
{
    return hdf5_reader_is_good(reader) && H5Lexists(parent, name, H5P_DEFAULT) > 0;
}

void hdf5_names_free(char **names, size_t count)
{
    for (size_t index = 0; names && index < count; index++) {
        free(names[index]);
    }
    free(names);
}

/* Name number index of a group, NULL on failure. */
static char *link_name(hid_t group, hsize_t index)
{
    char name[256];
    ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, index, name,
                                      sizeof name, H5P_DEFAULT);
    return size > 0 && (size_t)size < sizeof name ? strdup(name) : NULL;
}

size_t hdf5_names_get(struct hdf5_reader *reader, hid_t group, char ***names)
{
    H5G_info_t info;
    *names = NULL;
    if (!hdf5_reader_is_good(reader)) {
        return 0;
    }
    if (H5Gget_info(group, &info) < 0 || info.nlinks > TEXTS_MAX) {
        hdf5_reader_fail(reader, group, "", "not a readable group");
        return 0;
    }
    size_t count = (size_t)info.nlinks;
    *names = calloc(count + 1, sizeof **names);
    if (!*names) {
        reader_set(reader, STATUS_NO_MEMORY, "out of memory");
    }
    for (size_t index = 0; *names && index < count; index++) {
        (*names)[index] = link_name(group, index);
        if (!(*names)[index]) {
            hdf5_reader_fail(reader, group, "", "a name in it is unreadable");
            hdf5_names_free(*names, count);
            *names = NULL;
        }
    }
    return *names ? count : 0;
}

/* Open attribute with exactly count values of one class; -1 on failure. */
static hid_t attribute_open(struct hdf5_reader *reader, hid_t object, const char *name,
                            H5T_class_t class, size_t count)
{
    if (!hdf5_reader_is_good(reader)) {
        return -1;
    }
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : -1;
    hid_t space = attribute >= 0 ? H5Aget_space(attribute) : -1;
    bool good = type >= 0 && space >= 0 && H5Tget_class(type) == class
                && H5Sget_simple_extent_npoints(space) == (hssize_t)count
                && (class != H5T_STRING || H5Tis_variable_str(type) > 0);
    if (space >= 0) {
        H5Sclose(space);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    if (!good) {
        if (attribute >= 0) {
            H5Aclose(attribute);
        }
        hdf5_reader_fail(reader, object, name, "attribute missing or of the wrong type");
        return -1;
    }
    return attribute;
}

/* Texts of an attribute with exactly count of them: the library's memory, NULL entries
 * possible.
 * @return false on failure. */
static bool texts_read(struct hdf5_reader *reader, hid_t object, const char *name,
                       char **texts, size_t count)
{
    hid_t attribute = attribute_open(reader, object, name, H5T_STRING, count);
    if (attribute < 0) {
        return false;
    }
    hid_t type = hdf5_text_type(0);
    bool good = type >= 0 && H5Aread(attribute, type, texts) >= 0;
    if (type >= 0) {
        H5Tclose(type);
    }
    H5Aclose(attribute);
    if (!good) {
        hdf5_reader_fail(reader, object, name, "unreadable text");
    }
    return good;
}

/* Copy into a member of size bytes; longer is a failure. */
static void text_get(struct hdf5_reader *reader, hid_t object, const char *name,
                     char *member, size_t size)
{
    char *text = NULL;
    if (!texts_read(reader, object, name, &text, 1)) {
        return;
    }
    size_t length = text ? strlen(text) : 0;
    if (length >= size) {
        hdf5_reader_fail(reader, object, name, "text too long");
    } else {
        memcpy(member, text ? text : "", length + 1);
    }
    H5free_memory(text);
}

static void number_get(struct hdf5_reader *reader, hid_t object, const char *name,
                       H5T_class_t class, hid_t memory_type, void *member, size_t count)
{
    hid_t attribute = attribute_open(reader, object, name, class, count);
    if (attribute < 0) {
        return;
    }
    if (H5Aread(attribute, memory_type, member) < 0) {
        hdf5_reader_fail(reader, object, name, "unreadable number");
    }
    H5Aclose(attribute);
}

void hdf5_doubles_get(struct hdf5_reader *reader, hid_t object, const char *name,
                      double *values, size_t count)
{
    number_get(reader, object, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, values, count);
}

static void field_get(struct hdf5_reader *reader, hid_t object,
                      const struct hdf5_field *field, void *member)
{
    switch (field->kind) {
    case HDF5_FIELD_TEXT:
        text_get(reader, object, field->name, member, field->size);
        return;
    case HDF5_FIELD_LETTER: {
        char text[2] = "";
        text_get(reader, object, field->name, text, sizeof text);
        *(char *)member = text[0];
        return;
    }
    case HDF5_FIELD_DOUBLE:
        hdf5_doubles_get(reader, object, field->name, member, field->size);
        return;
    case HDF5_FIELD_BOOL: {
        uint8_t value = 0;
        number_get(reader, object, field->name, H5T_INTEGER, H5T_NATIVE_UINT8, &value, 1);
        *(bool *)member = value != 0;
        return;
    }
    case HDF5_FIELD_INT:
    case HDF5_FIELD_UNSIGNED:
    case HDF5_FIELD_U64:
    case HDF5_FIELD_I64:
        number_get(reader, object, field->name, H5T_INTEGER,
                   hdf5_field_memory_type(field->kind), member, 1);
        return;
    }
}

void hdf5_fields_get(struct hdf5_reader *reader, hid_t object,
                     const struct hdf5_field *fields, size_t count, void *base)
{
    for (size_t index = 0; index < count && hdf5_reader_is_good(reader); index++) {
        field_get(reader, object, &fields[index], (char *)base + fields[index].offset);
    }
}

/* How many texts an attribute holds; TEXTS_MAX + 1 when it cannot be told. */
static size_t texts_count(hid_t object, const char *name)
{
    hssize_t count = -1;
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (attribute >= 0) {
        hid_t space = H5Aget_space(attribute);
        count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
        H5Sclose(space);
        H5Aclose(attribute);
    }
    return count >= 0 && (size_t)count <= TEXTS_MAX ? (size_t)count : TEXTS_MAX + 1;
}

/* Own copies of the library's texts; frees those. */
static bool texts_copy(char **texts, size_t count)
{
    bool good = true;
    for (size_t index = 0; index < count; index++) {
        char *copy = strdup(texts[index] ? texts[index] : "");
        H5free_memory(texts[index]);
        texts[index] = copy;
        good = good && copy;
    }
    return good;
}

size_t hdf5_texts_get(struct hdf5_reader *reader, hid_t object, const char *name,
                      char ***texts)
{
    *texts = NULL;
    if (!hdf5_reader_is_good(reader)) {
        return 0;
    }
    size_t count = texts_count(object, name);
    if (count > TEXTS_MAX) {
        hdf5_reader_fail(reader, object, name, "attribute missing or too long");
        return 0;
    }
    char **read = calloc(count + 1, sizeof *read);
    if (!read) {
        reader_set(reader, STATUS_NO_MEMORY, "out of memory");
        return 0;
    }
    if (!texts_read(reader, object, name, read, count)) {
        free(read);
        return 0;
    }
    if (!texts_copy(read, count)) {
        reader_set(reader, STATUS_NO_MEMORY, "out of memory");
        hdf5_names_free(read, count);
        return 0;
    }
    *texts = read;
    return count;
}

/* Extent of an open dataset; false if it is no simple space of this rank. */
static bool extent_get(hid_t dataset, int rank, hsize_t dims[2])
{
    hid_t space = H5Dget_space(dataset);
    bool good = space >= 0 && H5Sget_simple_extent_ndims(space) == rank
                && H5Sget_simple_extent_dims(space, dims, NULL) == rank;
    if (space >= 0) {
        H5Sclose(space);
    }
    return good;
}

/* Whether rows of that size can be in the bytes the dataset has on disk. */
static bool extent_is_plausible(hid_t dataset, uint64_t rows, uint64_t row_size)
{
    uint64_t stored = H5Dget_storage_size(dataset);
    return row_size > 0 && stored < UINT64_MAX / SHRINK_MAX
           && rows <= stored * SHRINK_MAX / row_size;
}

/* Read all of an open dataset; NULL on failure and for no rows. */
static void *data_read(struct hdf5_reader *reader, hid_t dataset, const char *name,
                       hid_t memory_type, uint64_t rows, uint64_t row_size)
{
    if (rows == 0) {
        return NULL;
    }
    if (!extent_is_plausible(dataset, rows, row_size)) {
        hdf5_reader_fail(reader, dataset, "", "more rows than its stored bytes can hold");
        return NULL;
    }
    void *data = calloc(rows, row_size);
    if (!data) {
        reader_set(reader, STATUS_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        hdf5_reader_fail(reader, -1, name,
                         "data damaged: a chunk or its checksum is wrong");
        free(data);
        return NULL;
    }
    return data;
}

static bool number_matches(hid_t dataset, enum hdf5_number number)
{
    hid_t type = H5Dget_type(dataset);
    bool good = type >= 0 && H5Tequal(type, hdf5_number_file_type(number)) > 0;
    if (type >= 0) {
        H5Tclose(type);
    }
    return good;
}

/* Dataset by name; -1 when it is missing or something else. */
static hid_t dataset_open(struct hdf5_reader *reader, hid_t parent, const char *name)
{
    hid_t dataset = hdf5_object_open(reader, parent, name);
    if (dataset >= 0 && H5Iget_type(dataset) != H5I_DATASET) {
        hdf5_reader_fail(reader, dataset, "", "not a dataset");
        H5Oclose(dataset);
        return -1;
    }
    return dataset;
}

void *hdf5_dataset_get(struct hdf5_reader *reader, hid_t parent,
                       const struct hdf5_expected *expected, size_t *rows)
{
    hid_t dataset = dataset_open(reader, parent, expected->name);
    if (dataset < 0) {
        return NULL;
    }
    void *data = NULL;
    hsize_t dims[2] = {0, 0};
    size_t columns = expected->columns > 0 ? expected->columns : 1;
    if (!number_matches(dataset, expected->number)) {
        hdf5_reader_fail(reader, dataset, "", "wrong number type");
    } else if (!extent_get(dataset, expected->columns > 0 ? 2 : 1, dims)
               || (expected->columns > 0 && dims[1] != expected->columns)
               || (expected->rows != HDF5_ANY_ROWS && dims[0] != expected->rows)) {
        hdf5_reader_fail(reader, dataset, "", "wrong number of rows or columns");
    } else {
        data = data_read(reader, dataset, expected->name,
                         hdf5_number_memory_type(expected->number), dims[0],
                         columns * hdf5_number_size(expected->number));
        if (rows && hdf5_reader_is_good(reader)) {
            *rows = (size_t)dims[0];
        }
    }
    H5Oclose(dataset);
    return data;
}

/* Whether the file's compound has every field with a class that converts safely. */
static bool compound_matches(hid_t type, const struct hdf5_field *fields, size_t count)
{
    if (H5Tget_class(type) != H5T_COMPOUND) {
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        const struct hdf5_field *field = &fields[index];
        H5T_class_t class = field->kind == HDF5_FIELD_TEXT     ? H5T_STRING
                            : field->kind == HDF5_FIELD_DOUBLE ? H5T_FLOAT
                                                               : H5T_INTEGER;
        int member = H5Tget_member_index(type, field->name);
        if (member < 0 || H5Tget_member_class(type, (unsigned)member) != class) {
            return false;
        }
        hid_t member_type = H5Tget_member_type(type, (unsigned)member);
        bool good = member_type >= 0
                    && (class != H5T_STRING || H5Tis_variable_str(member_type) == 0);
        if (member_type >= 0) {
            H5Tclose(member_type);
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Texts from a file need not be terminated. */
static void rows_terminate(void *rows, size_t row_count, size_t row_size,
                           const struct hdf5_field *fields, size_t field_count)
{
    for (size_t row = 0; rows && row < row_count; row++) {
        char *base = (char *)rows + row * row_size;
        for (size_t index = 0; index < field_count; index++) {
            if (fields[index].kind == HDF5_FIELD_TEXT) {
                base[fields[index].offset + fields[index].size - 1] = '\0';
            }
        }
    }
}

void *hdf5_rows_get(struct hdf5_reader *reader, hid_t parent, const char *name,
                    const struct hdf5_field *fields, size_t field_count, size_t row_size,
                    size_t *row_count)
{
    hid_t dataset = dataset_open(reader, parent, name);
    if (dataset < 0) {
        return NULL;
    }
    void *rows = NULL;
    hsize_t dims[2] = {0, 0};
    hid_t file_type = H5Dget_type(dataset);
    hid_t memory_type = hdf5_compound_type(fields, field_count, row_size, false);
    if (file_type < 0 || memory_type < 0
        || !compound_matches(file_type, fields, field_count)
        || !extent_get(dataset, 1, dims)) {
        hdf5_reader_fail(reader, dataset, "", "not the expected table");
    } else {
        size_t size = H5Tget_size(file_type);
        rows = data_read(reader, dataset, name, memory_type, dims[0],
                         size > row_size ? size : row_size);
        rows_terminate(rows, dims[0], row_size, fields, field_count);
        if (hdf5_reader_is_good(reader)) {
            *row_count = (size_t)dims[0];
        }
    }
    if (memory_type >= 0) {
        H5Tclose(memory_type);
    }
    if (file_type >= 0) {
        H5Tclose(file_type);
    }
    H5Oclose(dataset);
    return rows;
}

char *hdf5_document_get(struct hdf5_reader *reader, hid_t parent, const char *name,
                        size_t *size)
{
    hid_t dataset = dataset_open(reader, parent, name);
    if (dataset < 0) {
        return NULL;
    }
    char *text = NULL;
    hsize_t dims[2] = {0, 0};
    hid_t type = H5Dget_type(dataset);
    if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0
        || !extent_get(dataset, 0, dims) || H5Tget_size(type) > TEXT_MAX
        || !extent_is_plausible(dataset, 1, H5Tget_size(type))) {
        hdf5_reader_fail(reader, dataset, "", "not the expected text");
    } else {
        text = calloc(1, H5Tget_size(type) + 1);
        if (!text) {
            reader_set(reader, STATUS_NO_MEMORY, "out of memory");
        } else if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0) {
            hdf5_reader_fail(reader, -1, name, "text damaged");
            free(text);
            text = NULL;
        } else {
            *size = strlen(text);
        }
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    H5Oclose(dataset);
    return text;
}

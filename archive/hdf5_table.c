#include "archive/hdf5_table.h"

#include <stdint.h>

hid_t hdf5_number_file_type(enum hdf5_number number)
{
    switch (number) {
    case HDF5_F8:
        return H5T_IEEE_F64LE;
    case HDF5_F4:
        return H5T_IEEE_F32LE;
    case HDF5_U8:
        return H5T_STD_U64LE;
    case HDF5_U4:
        return H5T_STD_U32LE;
    case HDF5_U2:
        return H5T_STD_U16LE;
    case HDF5_U1:
        return H5T_STD_U8LE;
    }
    return -1;
}

hid_t hdf5_number_memory_type(enum hdf5_number number)
{
    switch (number) {
    case HDF5_F8:
        return H5T_NATIVE_DOUBLE;
    case HDF5_F4:
        return H5T_NATIVE_FLOAT;
    case HDF5_U8:
        return H5T_NATIVE_UINT64;
    case HDF5_U4:
        return H5T_NATIVE_UINT32;
    case HDF5_U2:
        return H5T_NATIVE_UINT16;
    case HDF5_U1:
        return H5T_NATIVE_UINT8;
    }
    return -1;
}

size_t hdf5_number_size(enum hdf5_number number)
{
    static const size_t SIZES[] = {
        [HDF5_F8] = 8, [HDF5_F4] = 4, [HDF5_U8] = 8,
        [HDF5_U4] = 4, [HDF5_U2] = 2, [HDF5_U1] = 1,
    };
    return SIZES[number];
}

hid_t hdf5_field_memory_type(enum hdf5_field_kind kind)
{
    switch (kind) {
    case HDF5_FIELD_DOUBLE:
        return H5T_NATIVE_DOUBLE;
    case HDF5_FIELD_INT:
        return H5T_NATIVE_INT;
    case HDF5_FIELD_UNSIGNED:
        return H5T_NATIVE_UINT;
    case HDF5_FIELD_U64:
        return H5T_NATIVE_UINT64;
    case HDF5_FIELD_I64:
        return H5T_NATIVE_INT64;
    case HDF5_FIELD_BOOL:
        return H5T_NATIVE_UINT8;
    case HDF5_FIELD_TEXT:
    case HDF5_FIELD_LETTER:
        break;
    }
    return -1;
}

hid_t hdf5_field_file_type(enum hdf5_field_kind kind)
{
    switch (kind) {
    case HDF5_FIELD_DOUBLE:
        return H5T_IEEE_F64LE;
    case HDF5_FIELD_INT:
        return H5T_STD_I32LE;
    case HDF5_FIELD_UNSIGNED:
        return H5T_STD_U32LE;
    case HDF5_FIELD_U64:
        return H5T_STD_U64LE;
    case HDF5_FIELD_I64:
        return H5T_STD_I64LE;
    case HDF5_FIELD_BOOL:
        return H5T_STD_U8LE;
    case HDF5_FIELD_TEXT:
    case HDF5_FIELD_LETTER:
        break;
    }
    return -1;
}

hid_t hdf5_text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) {
        return -1;
    }
    if (H5Tset_size(type, size == 0 ? H5T_VARIABLE : size) < 0
        || H5Tset_cset(type, H5T_CSET_UTF8) < 0
        || (size > 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static bool member_insert(hid_t compound, const struct hdf5_field *field, size_t offset,
                          bool packed)
{
    if (field->kind != HDF5_FIELD_TEXT) {
        hid_t type = packed ? hdf5_field_file_type(field->kind)
                            : hdf5_field_memory_type(field->kind);
        return H5Tinsert(compound, field->name, offset, type) >= 0;
    }
    hid_t type = hdf5_text_type(field->size);
    bool good = type >= 0 && H5Tinsert(compound, field->name, offset, type) >= 0;
    if (type >= 0) {
        H5Tclose(type);
    }
    return good;
}

static size_t member_size(const struct hdf5_field *field)
{
    return field->kind == HDF5_FIELD_TEXT ? field->size
                                          : H5Tget_size(hdf5_field_file_type(field->kind));
}

hid_t hdf5_compound_type(const struct hdf5_field *fields, size_t count, size_t struct_size,
                         bool packed)
{
    size_t size = struct_size;
    if (packed) {
        size = 0;
        for (size_t index = 0; index < count; index++) {
            size += member_size(&fields[index]);
        }
    }
    hid_t compound = H5Tcreate(H5T_COMPOUND, size);
    size_t offset = 0;
    for (size_t index = 0; compound >= 0 && index < count; index++) {
        const struct hdf5_field *field = &fields[index];
        if (!member_insert(compound, field, packed ? offset : field->offset, packed)) {
            H5Tclose(compound);
            return -1;
        }
        offset += member_size(field);
    }
    return compound;
}

bool hdf5_start(void)
{
    H5dont_atexit();
    return H5open() >= 0 && H5Eset_auto2(H5E_DEFAULT, NULL, NULL) >= 0;
}

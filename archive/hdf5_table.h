/* Tables that describe plain C structs to HDF5: the same table writes and reads, so what is
 * kept comes back. Private to archive/. One thread. */
#ifndef LIMBER_ARCHIVE_HDF5_TABLE_H
#define LIMBER_ARCHIVE_HDF5_TABLE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* Number formats in the file, all little endian; the digit counts bytes. */
enum hdf5_number {
    HDF5_F8,
    HDF5_F4,
    HDF5_U8,
    HDF5_U4,
    HDF5_U2,
    HDF5_U1
};

/* How a member of a struct is kept as an attribute or as a column of a compound. */
enum hdf5_field_kind {
    HDF5_FIELD_TEXT,     /* char[size], UTF-8, terminated */
    HDF5_FIELD_DOUBLE,   /* double[size]; size 9 is kept as 3 x 3 */
    HDF5_FIELD_INT,      /* int */
    HDF5_FIELD_UNSIGNED, /* unsigned */
    HDF5_FIELD_U64,      /* uint64_t */
    HDF5_FIELD_I64,      /* int64_t */
    HDF5_FIELD_BOOL,     /* bool, kept as 0 or 1 */
    HDF5_FIELD_LETTER    /* char, kept as a text of one letter; 0 = empty text */
};

struct hdf5_field {
    const char *name;
    enum hdf5_field_kind kind;
    size_t offset; /* in the struct */
    size_t size;   /* text: bytes with the terminator; double: how many; else 1 */
};

/* Entry of a field table for a member of a struct. */
#define HDF5_TEXT(type, member, name)                                                      \
    {                                                                                      \
        name, HDF5_FIELD_TEXT, offsetof(struct type, member),                              \
            sizeof((const struct type *)0)->member                                         \
    }
#define HDF5_NUMBER(type, member, name, kind)                                              \
    {                                                                                      \
        name, kind, offsetof(struct type, member), 1                                       \
    }
#define HDF5_NUMBERS(type, member, name)                                                   \
    {                                                                                      \
        name, HDF5_FIELD_DOUBLE, offsetof(struct type, member),                            \
            sizeof((const struct type *)0)->member / sizeof(double)                        \
    }

/* The library's types; owned by the library. */
hid_t hdf5_number_file_type(enum hdf5_number number);
hid_t hdf5_number_memory_type(enum hdf5_number number);
size_t hdf5_number_size(enum hdf5_number number);

/* Memory type of a single number field; owned by the library. -1 for text and letter. */
hid_t hdf5_field_memory_type(enum hdf5_field_kind kind);

/* The same in the file. */
hid_t hdf5_field_file_type(enum hdf5_field_kind kind);

/* New text types, to be closed; -1 on failure. size 0 = of variable length. */
hid_t hdf5_text_type(size_t size);

/* New compound type over a struct with text and number fields, to be closed; -1 on failure.
 * @param packed  false: as in memory; true: little endian, without holes, as in the file.
 */
hid_t hdf5_compound_type(const struct hdf5_field *fields, size_t count, size_t struct_size,
                         bool packed);

/* Before any other call: no messages of the library on standard error, and no exit handler
 * (it crashes after a full disk; reference: h5py issue 914). Harmless when called again. */
bool hdf5_start(void);

#endif

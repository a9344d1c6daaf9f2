/* A small session made by hand with every field set, and scratch folders, for the tests of
 * archive/. One thread. */
#ifndef LIMBER_TESTS_ARCHIVE_SAMPLE_H
#define LIMBER_TESTS_ARCHIVE_SAMPLE_H

#include "protocols/session.h"

enum {
    SAMPLE_ROW_COUNT = 5000, /* more than one chunk */
    SAMPLE_PATH_SIZE = 512
};

/* @param number  Varies subject-independent facts: uuid, start time, values. */
struct session *sample_session(const char *subject, unsigned number);

/* A fresh private folder; removed with everything in it by scratch_remove. */
void scratch_make(char folder[SAMPLE_PATH_SIZE]);
void scratch_remove(const char *folder);

/* Whole file; for free(). */
char *file_read(const char *path, size_t *size);
void file_write(const char *path, const void *bytes, size_t size);

#endif

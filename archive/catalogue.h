/* Index of an archive folder in SQLite: a convenience that can always be rebuilt from the
 * session files. Layout: DIR/catalogue.sqlite, DIR/audit.jsonl, DIR/SUBJECT/STAMP_UUID8.h5
 * and, while a session runs, DIR/SUBJECT/STAMP_UUID8.journal. One thread. */
#ifndef LIMBER_ARCHIVE_CATALOGUE_H
#define LIMBER_ARCHIVE_CATALOGUE_H

#include "protocols/session.h"

struct catalogue;

enum {
    CATALOGUE_PATH_SIZE = 512
};

struct catalogue_entry {
    char path[CATALOGUE_PATH_SIZE]; /* of the session file */
    char uuid[SESSION_UUID_SIZE];
    char parent_uuid[SESSION_UUID_SIZE];
    char subject[SESSION_SUBJECT_SIZE];
    int64_t start_utc_us;
    double duration_s;
    char protocols[256]; /* ids joined by commas */
    char grade;
};

/* Open or create (folder 0700, files 0600).
 * @return STATUS_OK; STATUS_IO after one logged line that says what to do. */
enum status catalogue_open(const char *directory, struct catalogue **out);
void catalogue_close(struct catalogue *catalogue);

/* Add or replace the entry of a session file. */
enum status catalogue_add(struct catalogue *catalogue, const char *path,
                          const struct session *session);

/* Sessions of a subject (NULL = all), oldest first.
 * @param entries  Out: gives an array for free(). */
enum status catalogue_list(struct catalogue *catalogue, const char *subject,
                           struct catalogue_entry **entries, size_t *count);

/* Read every session file of the folder again. */
enum status catalogue_rebuild(struct catalogue *catalogue);

/* 1 to 32 letters, digits, '-' or '_', starting with a letter or digit: a pseudonym that is
 * a safe folder name. */
bool catalogue_subject_is_valid(const char *subject);

#endif

/* The index of an archive folder: sorted lists, safe names, rebuilt from the files alone.
 */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/catalogue.h"
#include "archive/folder.h"
#include "sample.h"

enum {
    PATH_SIZE = SAMPLE_PATH_SIZE + 128
};

static char scratch[SAMPLE_PATH_SIZE];

static void setup(void)
{
    scratch_make(scratch);
}

static void teardown(void)
{
    scratch_remove(scratch);
}

/* A session file in its place. @param path  Out. */
static struct session *put(const char *subject, unsigned number, char path[PATH_SIZE])
{
    struct session *session = sample_session(subject, number);
    snprintf(path, PATH_SIZE, "%s/%s", scratch, subject);
    ck_assert_int_eq(folder_create(path), STATUS_OK);
    snprintf(path, PATH_SIZE, "%s/%s/20261122T1045%02u_%.8s.h5", scratch, subject, number,
             session->uuid);
    ck_assert_int_eq(archive_write(session, path), STATUS_OK);
    return session;
}

static struct catalogue *opened(void)
{
    struct catalogue *catalogue = NULL;
    ck_assert_int_eq(catalogue_open(scratch, &catalogue), STATUS_OK);
    return catalogue;
}

static size_t listed(struct catalogue *catalogue, const char *subject,
                     struct catalogue_entry **entries)
{
    size_t count = 99;
    *entries = NULL;
    ck_assert_int_eq(catalogue_list(catalogue, subject, entries, &count), STATUS_OK);
    return count;
}

START_TEST(test_subject_names)
{
    static const char *const GOOD[] = {"A", "7", "K7Q2M9XW4D", "a-b_c",
                                       "12345678901234567890123456789012"};
    static const char *const BAD[] = {"",
                                      "-a",
                                      "_a",
                                      "a/b",
                                      "..",
                                      "a b",
                                      "a.h5",
                                      "a\nb",
                                      "\xc3\xa4",
                                      "a'b",
                                      "123456789012345678901234567890123"};
    for (size_t index = 0; index < sizeof GOOD / sizeof GOOD[0]; index++) {
        ck_assert_msg(catalogue_subject_is_valid(GOOD[index]), "%s", GOOD[index]);
    }
    for (size_t index = 0; index < sizeof BAD / sizeof BAD[0]; index++) {
        ck_assert_msg(!catalogue_subject_is_valid(BAD[index]), "%s", BAD[index]);
    }
}

END_TEST

START_TEST(test_empty)
{
    struct catalogue_entry *entries = NULL;
    struct stat info;
    char path[PATH_SIZE];
    struct catalogue *catalogue = opened();
    ck_assert_uint_eq(listed(catalogue, NULL, &entries), 0);
    free(entries);
    catalogue_close(catalogue);
    catalogue_close(NULL);
    snprintf(path, sizeof path, "%s/catalogue.sqlite", scratch);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
}

END_TEST

START_TEST(test_add_and_list)
{
    char path[3][PATH_SIZE];
    struct session *sessions[3];
    struct catalogue_entry *entries = NULL;
    struct catalogue *catalogue = opened();
    sessions[0] = put("B2", 5, path[0]);
    sessions[1] = put("A1", 9, path[1]);
    sessions[2] = put("B2", 2, path[2]);
    for (unsigned index = 0; index < 3; index++) {
        ck_assert_int_eq(catalogue_add(catalogue, path[index], sessions[index]), STATUS_OK);
    }
    /* Again: replaced, not doubled. */
    ck_assert_int_eq(catalogue_add(catalogue, path[0], sessions[0]), STATUS_OK);
    ck_assert_uint_eq(listed(catalogue, NULL, &entries), 3);
    ck_assert_str_eq(entries[0].uuid, sessions[2]->uuid);
    ck_assert_str_eq(entries[2].uuid, sessions[1]->uuid);
    free(entries);
    ck_assert_uint_eq(listed(catalogue, "B2", &entries), 2);
    ck_assert_str_eq(entries[0].path, path[2]);
    ck_assert_str_eq(entries[1].path, path[0]);
    ck_assert_str_eq(entries[1].subject, "B2");
    ck_assert_str_eq(entries[1].protocols, "standing_forward_bend,cat_cow");
    ck_assert_int_eq(entries[1].start_utc_us, sessions[0]->start_utc_us);
    ck_assert_double_eq(entries[1].duration_s, sessions[0]->duration_s);
    ck_assert_int_eq(entries[1].grade, 'B');
    ck_assert_str_eq(entries[1].parent_uuid, "");
    free(entries);
    ck_assert_uint_eq(listed(catalogue, "nobody", &entries), 0);
    free(entries);
    ck_assert_uint_eq(listed(catalogue, "x' OR '1'='1", &entries), 0);
    free(entries);
    for (unsigned index = 0; index < 3; index++) {
        session_destroy(sessions[index]);
    }
    catalogue_close(catalogue);
}

END_TEST

/* Delete the index, spoil it, or leave an older version: the files bring it back. */
static void spoil(unsigned how)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/catalogue.sqlite", scratch);
    switch (how) {
    case 0:
        ck_assert_int_eq(unlink(path), 0);
        break;
    case 1:
        file_write(path, "this is no database, but long enough to be looked at ....", 57);
        break;
    default: {
        sqlite3 *database = NULL;
        ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
        ck_assert_int_eq(
            sqlite3_exec(database, "PRAGMA user_version = 77", NULL, NULL, NULL),
            SQLITE_OK);
        sqlite3_close(database);
        break;
    }
    }
}

START_TEST(test_rebuild)
{
    char path[2][PATH_SIZE];
    char junk[PATH_SIZE];
    struct catalogue_entry *before = NULL;
    struct catalogue_entry *after = NULL;
    struct catalogue *catalogue = opened();
    for (unsigned index = 0; index < 2; index++) {
        struct session *session = put(index == 0 ? "A1" : "B2", index + 1, path[index]);
        ck_assert_int_eq(catalogue_add(catalogue, path[index], session), STATUS_OK);
        session_destroy(session);
    }
    ck_assert_uint_eq(listed(catalogue, NULL, &before), 2);
    catalogue_close(catalogue);
    /* A damaged file is named and left out, a journal and others are not looked at. */
    snprintf(junk, sizeof junk, "%s/A1/damaged.h5", scratch);
    file_write(junk, "limber-session 1.0\n", 19);
    snprintf(junk, sizeof junk, "%s/A1/running.journal", scratch);
    file_write(junk, "LBJ1", 4);
    spoil((unsigned)_i);
    catalogue = opened();
    ck_assert_uint_eq(listed(catalogue, NULL, &after), 2);
    ck_assert_mem_eq(before, after, 2 * sizeof *before);
    catalogue_close(catalogue);
    free(before);
    free(after);
}

END_TEST

START_TEST(test_rebuild_forgets_deleted)
{
    char path[PATH_SIZE];
    struct catalogue_entry *entries = NULL;
    struct catalogue *catalogue = opened();
    struct session *session = put("A1", 1, path);
    ck_assert_int_eq(catalogue_add(catalogue, path, session), STATUS_OK);
    session_destroy(session);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(catalogue_rebuild(catalogue), STATUS_OK);
    ck_assert_uint_eq(listed(catalogue, NULL, &entries), 0);
    free(entries);
    catalogue_close(catalogue);
}

END_TEST

START_TEST(test_moved_archive)
{
    char path[PATH_SIZE];
    char moved[PATH_SIZE];
    struct catalogue_entry *entries = NULL;
    struct catalogue *catalogue = opened();
    struct session *session = put("A1", 1, path);
    ck_assert_int_eq(catalogue_add(catalogue, path, session), STATUS_OK);
    session_destroy(session);
    catalogue_close(catalogue);
    snprintf(moved, sizeof moved, "%s-moved", scratch);
    ck_assert_int_eq(rename(scratch, moved), 0);
    ck_assert_int_eq(catalogue_open(moved, &catalogue), STATUS_OK);
    ck_assert_uint_eq(listed(catalogue, "A1", &entries), 1);
    ck_assert_int_eq(access(entries[0].path, R_OK), 0);
    free(entries);
    catalogue_close(catalogue);
    ck_assert_int_eq(rename(moved, scratch), 0);
}

END_TEST

START_TEST(test_bad_folder)
{
    struct catalogue *catalogue = NULL;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/file", scratch);
    file_write(path, "x", 1);
    ck_assert_int_eq(catalogue_open(path, &catalogue), STATUS_IO);
    ck_assert_int_eq(catalogue_open("", &catalogue), STATUS_IO);
    ck_assert_int_eq(catalogue_open("/proc/no/such", &catalogue), STATUS_IO);
    ck_assert_ptr_null(catalogue);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("catalogue");
    TCase *tests = tcase_create("catalogue");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_subject_names);
    tcase_add_test(tests, test_empty);
    tcase_add_test(tests, test_add_and_list);
    tcase_add_loop_test(tests, test_rebuild, 0, 3);
    tcase_add_test(tests, test_rebuild_forgets_deleted);
    tcase_add_test(tests, test_moved_archive);
    tcase_add_test(tests, test_bad_folder);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

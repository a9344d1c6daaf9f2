/* The audit trail: whatever is done to its lines is found. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/audit.h"
#include "sample.h"

enum {
    PATH_SIZE = SAMPLE_PATH_SIZE + 64,
    ENTRY_COUNT = 5
};

static char scratch[SAMPLE_PATH_SIZE];
static char trail[PATH_SIZE];
static char head[PATH_SIZE];

static void setup(void)
{
    scratch_make(scratch);
    snprintf(trail, sizeof trail, "%s/audit.jsonl", scratch);
    snprintf(head, sizeof head, "%s/audit.head", scratch);
}

static void teardown(void)
{
    scratch_remove(scratch);
}

static void entries_append(void)
{
    for (unsigned number = 0; number < ENTRY_COUNT; number++) {
        char object[16];
        snprintf(object, sizeof object, "session-%u", number);
        const struct audit_entry entry = {"OP-7", "session_closed", object, "00ff",
                                          "said \"yes\"\nand \xc3\xa4"};
        ck_assert_int_eq(audit_append(scratch, &entry), STATUS_OK);
    }
}

static enum status verified(char finding[256], unsigned *count)
{
    finding[0] = '?';
    return audit_verify(scratch, finding, count);
}

START_TEST(test_whole)
{
    char finding[256];
    unsigned count = 0;
    struct stat info;
    entries_append();
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
    ck_assert_str_eq(finding, "");
    ck_assert_uint_eq(count, ENTRY_COUNT);
    ck_assert_int_eq(stat(trail, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
}

END_TEST

/* Lines of the trail, for changing them. */
static char *lines[ENTRY_COUNT];

static void lines_read(void)
{
    size_t size = 0;
    char *text = file_read(trail, &size);
    char *rest = text;
    for (unsigned number = 0; number < ENTRY_COUNT; number++) {
        lines[number] = strdup(strtok_r(rest, "\n", &rest));
    }
    free(text);
}

/* Write the lines in this order; -1 ends the list. */
static void lines_write(const int *order)
{
    FILE *stream = fopen(trail, "w");
    ck_assert_ptr_nonnull(stream);
    for (; *order >= 0; order++) {
        fprintf(stream, "%s\n", lines[*order]);
    }
    ck_assert_int_eq(fclose(stream), 0);
    for (unsigned number = 0; number < ENTRY_COUNT; number++) {
        free(lines[number]);
    }
}

static const struct {
    int order[ENTRY_COUNT + 2];
    const char *finding;
} TAMPERED[] = {
    {{1, 2, 3, 4, -1}, "line 1: is numbered 2"},
    {{0, 1, 3, 4, -1}, "line 3: is numbered 4"},
    {{0, 2, 1, 3, 4, -1}, "line 2: is numbered 3"},
    {{0, 1, 1, 2, 3, 4, -1}, "line 3: is numbered 2"},
    {{0, 1, 2, 3, -1}, "the last 1 of 5 lines are missing"},
    {{-1}, "the last 5 of 5 lines are missing"},
};

START_TEST(test_lines_moved)
{
    char finding[256];
    unsigned count = 0;
    entries_append();
    lines_read();
    lines_write(TAMPERED[_i].order);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    ck_assert_msg(strstr(finding, TAMPERED[_i].finding) != NULL, "%s", finding);
}

END_TEST

/* Change one letter of one line; the last one is held by audit.head alone. */
START_TEST(test_line_changed)
{
    static const int ORDER[] = {0, 1, 2, 3, 4, -1};
    char finding[256];
    char expected[32];
    unsigned count = 0;
    entries_append();
    lines_read();
    char *letter = strstr(lines[_i], "OP-7");
    ck_assert_ptr_nonnull(letter);
    letter[3] = '8';
    lines_write(ORDER);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    snprintf(expected, sizeof expected,
             "line %d: ", _i + 1 < ENTRY_COUNT ? _i + 2 : ENTRY_COUNT);
    ck_assert_msg(strstr(finding, expected) == finding, "%s", finding);
}

END_TEST

START_TEST(test_no_json)
{
    static const int ORDER[] = {0, 1, 2, 3, 4, -1};
    char finding[256];
    unsigned count = 0;
    entries_append();
    lines_read();
    lines[2][0] = '[';
    lines_write(ORDER);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    ck_assert_str_eq(finding, "line 3: is no audit entry");
    ck_assert_uint_eq(count, 2);
}

END_TEST

START_TEST(test_files_removed)
{
    char finding[256];
    unsigned count = 0;
    ck_assert_int_eq(verified(finding, &count), STATUS_NOT_FOUND);
    entries_append();
    ck_assert_int_eq(unlink(head), 0);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(finding, "audit.head is missing"));
    const struct audit_entry entry = {"limber", "x", "y", "", ""};
    ck_assert_int_eq(audit_append(scratch, &entry), STATUS_OK);
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
    ck_assert_int_eq(unlink(trail), 0);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(finding, "audit.jsonl is missing"));
}

END_TEST

/* A power cut in the middle of a line: found, and repaired by the next entry, which says
 * so. */
START_TEST(test_torn_line)
{
    char finding[256];
    unsigned count = 0;
    size_t size = 0;
    entries_append();
    char *text = file_read(trail, &size);
    file_write(trail, text, size);
    FILE *stream = fopen(trail, "a");
    fputs("{\"number\":6,\"ti", stream);
    fclose(stream);
    ck_assert_int_eq(verified(finding, &count), STATUS_CORRUPT);
    ck_assert_str_eq(finding, "line 6: is cut off");
    free(text);
    const struct audit_entry entry = {"limber", "x", "y", "", ""};
    ck_assert_int_eq(audit_append(scratch, &entry), STATUS_OK);
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
    ck_assert_uint_eq(count, ENTRY_COUNT + 2);
    text = file_read(trail, &size);
    ck_assert_ptr_nonnull(strstr(text, "15 bytes of an unfinished line were cut off"));
    free(text);
}

END_TEST

START_TEST(test_full_disk)
{
    char finding[256];
    unsigned count = 0;
    struct stat before;
    struct stat after;
    entries_append();
    ck_assert_int_eq(stat(trail, &before), 0);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {(rlim_t)before.st_size + 20,
                                     (rlim_t)before.st_size + 20};
        const struct audit_entry entry = {"limber", "x", "y", "", ""};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(-(int)audit_append(scratch, &entry));
    }
    int state = -1;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == -(int)STATUS_IO);
    ck_assert_int_eq(stat(trail, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
}

END_TEST

/* Two processes add at once: every line stands, in one chain. */
START_TEST(test_two_writers)
{
    char finding[256];
    unsigned count = 0;
    const struct audit_entry entry = {"limber", "x", "y", "", ""};
    pid_t child = fork();
    for (unsigned number = 0; number < 40; number++) {
        enum status status = audit_append(scratch, &entry);
        if (child == 0 && status != STATUS_OK) {
            _exit(1);
        }
    }
    if (child == 0) {
        _exit(0);
    }
    int state = -1;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_int_eq(state, 0);
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
    ck_assert_uint_eq(count, 80);
}

END_TEST

START_TEST(test_bad_text)
{
    const struct audit_entry entry = {"\xff\xfe", "x", "y", "", ""};
    char finding[256];
    unsigned count = 0;
    entries_append();
    ck_assert_int_eq(audit_append(scratch, &entry), STATUS_BAD_INPUT);
    ck_assert_int_eq(verified(finding, &count), STATUS_OK);
    ck_assert_uint_eq(count, ENTRY_COUNT);
    ck_assert_int_eq(audit_append("/no/such/folder", &entry), STATUS_IO);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *tests = tcase_create("audit");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_whole);
    tcase_add_loop_test(tests, test_lines_moved, 0,
                        (int)(sizeof TAMPERED / sizeof TAMPERED[0]));
    tcase_add_loop_test(tests, test_line_changed, 0, ENTRY_COUNT);
    tcase_add_test(tests, test_no_json);
    tcase_add_test(tests, test_files_removed);
    tcase_add_test(tests, test_torn_line);
    tcase_add_test(tests, test_full_disk);
    tcase_add_test(tests, test_two_writers);
    tcase_add_test(tests, test_bad_text);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

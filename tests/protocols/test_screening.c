#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocols/screening.h"
#include "tests/protocols/log_capture.h"

static struct screening screening;
static char reason[160];

static void setup(void)
{
    screening_init(&screening);
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        screening.answers[index] = SCREENING_NO;
    }
}

/* Clinical reference 2.3, column "Yes". */
static const enum screening_outcome IF_YES[SCREENING_QUESTION_COUNT] = {
    SCREENING_EMERGENCY, SCREENING_REFER,     SCREENING_REFER,   SCREENING_REFER,
    SCREENING_REFER,     SCREENING_EMERGENCY, SCREENING_REFER,   SCREENING_REFER,
    SCREENING_REFER,     SCREENING_REFER,     SCREENING_CAUTION, SCREENING_CAUTION,
    SCREENING_CAUTION,   SCREENING_CAUTION,   SCREENING_CLEAR,   SCREENING_REFER,
};

START_TEST(each_question_has_its_outcome)
{
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_CLEAR);
    ck_assert(screening_may_start(&screening, reason));
    ck_assert_str_eq(reason, "");
    screening.answers[_i] = SCREENING_YES;
    ck_assert_int_eq(screening_evaluate(&screening), IF_YES[_i]);
    ck_assert_str_ne(screening_question((unsigned)_i + 1), "");
    bool may_start = IF_YES[_i] == SCREENING_CLEAR;
    ck_assert_int_eq(screening_may_start(&screening, reason), may_start);
    ck_assert_int_eq(reason[0] == '\0', may_start);
}

END_TEST

START_TEST(pain_in_both_legs_is_an_emergency)
{
    screening.answers[1] = SCREENING_BOTH;
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_EMERGENCY);
}

END_TEST

START_TEST(worst_outcome_wins)
{
    screening.answers[10] = SCREENING_YES;
    screening.answers[2] = SCREENING_YES;
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_REFER);
    screening.answers[5] = SCREENING_YES;
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_EMERGENCY);
}

END_TEST

static void override(void)
{
    snprintf(screening.override_role, sizeof screening.override_role, "physiotherapist");
    snprintf(screening.override_reason, sizeof screening.override_reason,
             "seen by a doctor");
    screening.acknowledged = true;
}

START_TEST(emergency_cannot_be_overridden)
{
    screening.answers[0] = SCREENING_YES;
    override();
    ck_assert(!screening_may_start(&screening, reason));
    ck_assert_str_eq(reason, "Stop. This can be an emergency. Get medical help now.");
}

END_TEST

START_TEST(refer_needs_role_and_reason)
{
    screening.answers[3] = SCREENING_YES;
    screening.acknowledged = true;
    ck_assert(!screening_may_start(&screening, reason));
    ck_assert_ptr_nonnull(strstr(reason, "Question 4"));
    ck_assert_ptr_nonnull(strstr(reason, "a professional should check this"));
    override();
    screening.override_reason[0] = '\0';
    ck_assert(!screening_may_start(&screening, reason));
    override();
    screening.override_role[0] = '\0';
    ck_assert(!screening_may_start(&screening, reason));
    override();
    ck_assert(screening_may_start(&screening, reason));
}

END_TEST

START_TEST(sharp_pain_never_starts)
{
    screening.answers[15] = SCREENING_YES;
    override();
    ck_assert(!screening_may_start(&screening, reason));
}

END_TEST

START_TEST(caution_needs_acknowledgement)
{
    screening.answers[10] = SCREENING_YES;
    ck_assert(!screening_may_start(&screening, reason));
    screening.acknowledged = true;
    ck_assert(screening_may_start(&screening, reason));
}

END_TEST

START_TEST(pain_of_six_is_caution)
{
    screening.pain_now = 5;
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_CLEAR);
    screening.pain_now = 6;
    ck_assert_int_eq(screening_evaluate(&screening), SCREENING_CAUTION);
    ck_assert(!screening_may_start(&screening, reason));
    ck_assert_ptr_nonnull(strstr(reason, "6 of 10"));
}

END_TEST

/* Writes a file, reads it, gives the status and what was said. */
static enum status read_text(const char *text, char *said, size_t size)
{
    char path[] = "answers-XXXXXX";
    int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, text, strlen(text)), (long)strlen(text));
    close(descriptor);
    struct log_capture capture;
    log_capture_begin(&capture);
    enum status status = screening_read(path, &screening);
    log_capture_end(&capture, said, size);
    unlink(path);
    return status;
}

START_TEST(answers_file_is_read)
{
    char said[1024];
    enum status status =
        read_text("all: no\nanswers: {2: both, 11: yes, 15: yes}\npain_now: 3\n"
                  "pain_after: 2\nacknowledged: true\n"
                  "override: {role: doctor, reason: known}\n",
                  said, sizeof said);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(screening.answers[0], SCREENING_NO);
    ck_assert_int_eq(screening.answers[1], SCREENING_BOTH);
    ck_assert_int_eq(screening.answers[10], SCREENING_YES);
    ck_assert_int_eq(screening.pain_now, 3);
    ck_assert_int_eq(screening.pain_after, 2);
    ck_assert(screening.acknowledged);
    ck_assert(screening.hypermobile);
    ck_assert_str_eq(screening.override_role, "doctor");
    ck_assert_str_eq(screening.override_reason, "known");
}

END_TEST

START_TEST(unasked_stays_unasked)
{
    char said[1024];
    ck_assert_int_eq(read_text("answers: {1: no}\n", said, sizeof said), STATUS_OK);
    ck_assert_int_eq(screening.answers[0], SCREENING_NO);
    ck_assert_int_eq(screening.answers[1], SCREENING_NOT_ASKED);
    ck_assert_int_eq(screening.pain_now, -1);
}

END_TEST

struct bad_file {
    const char *text;
    const char *where; /* ":LINE:" */
    const char *word;
};

static const struct bad_file BAD_FILES[] = {
    {"all: no\nanswrs: {1: no}\n", ":2:", "did you mean 'answers'?"},
    {"answers:\n  1: no\n  17: yes\n", ":3:", "17"},
    {"answers:\n  1: perhaps\n", ":2:", "no, yes, both"},
    {"answers:\n  1: no\n  3: both\n", ":3:", "question 2"},
    {"all: no\npain_now: 11\n", ":2:", "0 (no pain) to 10"},
    {"all: no\npain_now: -1\n", ":2:", "whole number"},
    {"all: no\n\nacknowledged: maybe\n", ":3:", "true or false"},
    {"override: {role: doctor}\n", ":1:", "reason"},
    {"all: no\nall: no\n", ":2:", "twice"},
    {"- a\n- b\n", ":1:", "group of keys"},
    {"answers: {1: no\n", ":", "not YAML"},
    {"", ":1:", "empty"},
};

START_TEST(bad_answers_file_gives_one_line)
{
    const struct bad_file *bad = &BAD_FILES[_i];
    char said[1024];
    ck_assert_int_eq(read_text(bad->text, said, sizeof said), STATUS_BAD_INPUT);
    ck_assert_uint_eq(log_capture_lines(said), 1);
    ck_assert_msg(strstr(said, bad->where) != NULL, "no line number %s: %s", bad->where,
                  said);
    ck_assert_msg(strstr(said, bad->word) != NULL, "no '%s': %s", bad->word, said);
    ck_assert_int_eq(screening.pain_now, -1); /* untouched */
}

END_TEST

START_TEST(absent_file_is_not_found)
{
    struct log_capture capture;
    char said[1024];
    log_capture_begin(&capture);
    enum status status = screening_read("no/such/answers.yaml", &screening);
    log_capture_end(&capture, said, sizeof said);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ck_assert_uint_eq(log_capture_lines(said), 1);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("screening");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, each_question_has_its_outcome, 0, SCREENING_QUESTION_COUNT);
    tcase_add_test(tcase, pain_in_both_legs_is_an_emergency);
    tcase_add_test(tcase, worst_outcome_wins);
    tcase_add_test(tcase, emergency_cannot_be_overridden);
    tcase_add_test(tcase, refer_needs_role_and_reason);
    tcase_add_test(tcase, sharp_pain_never_starts);
    tcase_add_test(tcase, caution_needs_acknowledgement);
    tcase_add_test(tcase, pain_of_six_is_caution);
    tcase_add_test(tcase, answers_file_is_read);
    tcase_add_test(tcase, unasked_stays_unasked);
    tcase_add_loop_test(tcase, bad_answers_file_gives_one_line, 0,
                        sizeof BAD_FILES / sizeof BAD_FILES[0]);
    tcase_add_test(tcase, absent_file_is_not_found);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

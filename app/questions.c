#include "app/questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    ANSWER_SIZE = 128
};

static enum status line_read(char answer[ANSWER_SIZE])
{
    fflush(stdout);
    if (!fgets(answer, ANSWER_SIZE, stdin)) {
        log_error("screening: the input ended before all questions were answered");
        return STATUS_REFUSED;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return STATUS_OK;
}

/* Ask until the answer is one of yes, no, both, skip. */
static enum status answer_ask(unsigned number, enum screening_answer *out)
{
    for (;;) {
        char answer[ANSWER_SIZE];
        printf("%2u. %s [y/n%s, s = not asked] ", number, screening_question(number),
               number == 2 ? ", b = both legs" : "");
        enum status status = line_read(answer);
        if (status) {
            return status;
        }
        if (answer[0] == 'y' || answer[0] == 'n' || answer[0] == 's'
            || (answer[0] == 'b' && number == 2)) {
            *out = answer[0] == 'y'   ? SCREENING_YES
                   : answer[0] == 'n' ? SCREENING_NO
                   : answer[0] == 'b' ? SCREENING_BOTH
                                      : SCREENING_NOT_ASKED;
            return STATUS_OK;
        }
        puts("    Please answer y or n.");
    }
}

static enum status pain_ask(int *pain)
{
    for (;;) {
        char answer[ANSWER_SIZE];
        char *end = answer;
        fputs("    Pain now, 0 to 10: ", stdout);
        enum status status = line_read(answer);
        if (status) {
            return status;
        }
        long value = strtol(answer, &end, 10);
        if (end != answer && value >= 0 && value <= 10) {
            *pain = (int)value;
            return STATUS_OK;
        }
        puts("    Please give a number from 0 to 10.");
    }
}

/* CAUTION and REFER may go on when a clinician says so, with role and reason on record. */
static enum status confirmation_ask(struct screening *screening)
{
    enum screening_outcome outcome = screening_evaluate(screening);
    char answer[ANSWER_SIZE];
    if (outcome == SCREENING_CAUTION) {
        fputs("Caution: a clinician must confirm. Go on? [y/n] ", stdout);
        enum status status = line_read(answer);
        screening->acknowledged = !status && answer[0] == 'y';
        return status;
    }
    if (outcome != SCREENING_REFER) {
        return STATUS_OK;
    }
    fputs(
        "A professional should check this first. To go on all the same, a clinician gives\n"
        "a role (empty = stop here): ",
        stdout);
    enum status status = line_read(answer);
    if (status || !answer[0]) {
        return status;
    }
    snprintf(screening->override_role, sizeof screening->override_role, "%.31s", answer);
    fputs("and a reason: ", stdout);
    status = line_read(answer);
    snprintf(screening->override_reason, sizeof screening->override_reason, "%.127s",
             answer);
    return status;
}

enum status questions_ask(struct screening *screening)
{
    puts("Before we start, a few questions.");
    for (unsigned number = 1; number <= SCREENING_QUESTION_COUNT; number++) {
        enum status status = answer_ask(number, &screening->answers[number - 1]);
        if (status) {
            return status;
        }
        if (screening_evaluate(screening) == SCREENING_EMERGENCY) {
            return STATUS_OK; /* the caller shows the fixed words and stops */
        }
    }
    enum status status = pain_ask(&screening->pain_now);
    return status ? status : confirmation_ask(screening);
}

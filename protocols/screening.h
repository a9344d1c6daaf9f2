/* Questions before every session and what follows from the answers (clinical
 * reference 2.3). Pure; any thread. */
#ifndef LIMBER_PROTOCOLS_SCREENING_H
#define LIMBER_PROTOCOLS_SCREENING_H

#include <stdbool.h>

#include "base/status.h"

enum {
    SCREENING_QUESTION_COUNT = 16
};

enum screening_answer {
    SCREENING_NOT_ASKED,
    SCREENING_NO,
    SCREENING_YES,
    SCREENING_BOTH /* question 2: both legs */
};

enum screening_outcome {
    SCREENING_CLEAR,
    SCREENING_CAUTION,
    SCREENING_REFER,
    SCREENING_EMERGENCY
};

const char *screening_outcome_text(enum screening_outcome outcome);

/* The plain words of question 1 .. 16. */
const char *screening_question(unsigned number);

struct screening {
    enum screening_answer
        answers[SCREENING_QUESTION_COUNT]; /* index = number - 1; 16 = sharp pain */
    int pain_now;                          /* 0 .. 10, -1 = not asked */
    int pain_after;                        /* 0 .. 10, -1 = not asked */
    bool acknowledged;                     /* a clinician confirmed CAUTION */
    char override_role[32];                /* REFER overridden by, "" = not */
    char override_reason[128];
    bool hypermobile; /* question 15 or a clinician's tick */
};

void screening_init(struct screening *screening);

/* Answers from YAML: `answers: {1: no, 2: both, ...}` or `all: no`, `pain_now`,
 * `pain_after`, `acknowledged`, `override: {role, reason}`.
 * @return STATUS_OK; STATUS_BAD_INPUT or STATUS_NOT_FOUND after one logged line with file
 * and line. */
enum status screening_read(const char *path, struct screening *screening);

enum screening_outcome screening_evaluate(const struct screening *screening);

/* Whether the session may start.
 * @param reason  Out, at least 160 bytes: why not, in plain words; "" when it may. */
bool screening_may_start(const struct screening *screening, char reason[160]);

#endif

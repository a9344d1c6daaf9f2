#include "protocols/screening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/yaml_text.h"

enum {
    QUESTION_LEGS = 2,
    QUESTION_HYPERMOBILE = 15,
    QUESTION_SHARP = 16,
    PAIN_MAX = 10,
    PAIN_CAUTION = 6, /* the red zone of the pain traffic light, clinical reference 2.5 */
    REASON_SIZE = 160,
    KEY_SIZE = 32
};

struct question {
    const char *words;
    enum screening_outcome if_yes;
};

/* Clinical reference 2.3. Question 14 is CAUTION here; a device label may ask for more. */
static const struct question QUESTIONS[SCREENING_QUESTION_COUNT] = {
    {"Have you lost control of your bladder or bowel?", SCREENING_EMERGENCY},
    {"Does pain shoot down one or both legs?", SCREENING_REFER},
    {"Do you have numbness, tingling or weakness in your legs or feet?", SCREENING_REFER},
    {"Did this pain start after an accident or fall?", SCREENING_REFER},
    {"Does the pain stay the same even with rest or gentle stretching?", SCREENING_REFER},
    {"Do you feel numb between the legs, or has passing urine, your bowel or sexual "
     "feeling "
     "changed?",
     SCREENING_EMERGENCY},
    {"Have you ever had cancer, or do you have weight loss, fever or feel ill with the "
     "back pain?",
     SCREENING_REFER},
    {"Do you have weak bones, long steroid use, or a spine fracture?", SCREENING_REFER},
    {"Have you had spine surgery in the last 3 months?", SCREENING_REFER},
    {"Do you have an unstable spine, a slipped vertebra, a bone infection or acute "
     "arthritis?",
     SCREENING_REFER},
    {"Do you have long-lasting back pain, or have you had sciatica or any nerve symptom?",
     SCREENING_CAUTION},
    {"Do you have arthritis of the spine, or ankylosing spondylitis?", SCREENING_CAUTION},
    {"Are you pregnant? Do you have dizzy spells, high blood pressure, glaucoma or recent "
     "eye "
     "surgery?",
     SCREENING_CAUTION},
    {"Do you have a pacemaker or other active implant, sore skin where sensors go, or a "
     "tape "
     "allergy?",
     SCREENING_CAUTION},
    {"Do you have very flexible joints (\"double-jointed\")?", SCREENING_CLEAR},
    {"Is your pain sharp right now?", SCREENING_REFER},
};

const char *screening_outcome_text(enum screening_outcome outcome)
{
    static const char *const TEXTS[] = {"CLEAR", "CAUTION", "REFER", "EMERGENCY"};
    return (unsigned)outcome < sizeof TEXTS / sizeof TEXTS[0] ? TEXTS[outcome] : "";
}

const char *screening_question(unsigned number)
{
    return number >= 1 && number <= SCREENING_QUESTION_COUNT ? QUESTIONS[number - 1].words
                                                             : "";
}

void screening_init(struct screening *screening)
{
    *screening = (struct screening){.pain_now = -1, .pain_after = -1};
}

static enum screening_outcome answer_outcome(const struct screening *screening,
                                             unsigned number)
{
    enum screening_answer answer = screening->answers[number - 1];
    if (number == QUESTION_LEGS && answer == SCREENING_BOTH) {
        return SCREENING_EMERGENCY;
    }
    /* "Both" to any other question can only mean yes. */
    bool is_yes = answer == SCREENING_YES || answer == SCREENING_BOTH;
    return is_yes ? QUESTIONS[number - 1].if_yes : SCREENING_CLEAR;
}

enum screening_outcome screening_evaluate(const struct screening *screening)
{
    enum screening_outcome worst =
        screening->pain_now >= PAIN_CAUTION ? SCREENING_CAUTION : SCREENING_CLEAR;
    for (unsigned number = 1; number <= SCREENING_QUESTION_COUNT; number++) {
        enum screening_outcome outcome = answer_outcome(screening, number);
        worst = outcome > worst ? outcome : worst;
    }
    return worst;
}

/* The first question that led to the outcome; 0 when it was the pain score. */
static unsigned question_behind(const struct screening *screening,
                                enum screening_outcome outcome)
{
    for (unsigned number = 1; number <= SCREENING_QUESTION_COUNT; number++) {
        if (answer_outcome(screening, number) == outcome) {
            return number;
        }
    }
    return 0;
}

static bool has_sharp_pain(const struct screening *screening)
{
    return answer_outcome(screening, QUESTION_SHARP) != SCREENING_CLEAR;
}

static bool refer_may_start(const struct screening *screening, char reason[REASON_SIZE])
{
    if (has_sharp_pain(screening)) {
        snprintf(reason, REASON_SIZE,
                 "Sharp pain: do not start. A professional should check this.");
        return false;
    }
    if (screening->override_role[0] && screening->override_reason[0]) {
        return true;
    }
    snprintf(
        reason, REASON_SIZE,
        "Question %u: a professional should check this. A clinician may override with role "
        "and reason.",
        question_behind(screening, SCREENING_REFER));
    return false;
}

static bool caution_may_start(const struct screening *screening, char reason[REASON_SIZE])
{
    if (screening->acknowledged) {
        return true;
    }
    unsigned number = question_behind(screening, SCREENING_CAUTION);
    if (number > 0) {
        snprintf(reason, REASON_SIZE,
                 "Question %u: a clinician must confirm before the start (acknowledged).",
                 number);
    } else {
        snprintf(
            reason, REASON_SIZE,
            "Pain is %d of 10: a clinician must confirm before the start (acknowledged).",
            screening->pain_now);
    }
    return false;
}

bool screening_may_start(const struct screening *screening, char reason[160])
{
    reason[0] = '\0';
    switch (screening_evaluate(screening)) {
    case SCREENING_CLEAR:
        return true;
    case SCREENING_CAUTION:
        return caution_may_start(screening, reason);
    case SCREENING_REFER:
        return refer_may_start(screening, reason);
    case SCREENING_EMERGENCY:
        break;
    }
    snprintf(reason, REASON_SIZE, "Stop. This can be an emergency. Get medical help now.");
    return false;
}

/* The answers file. */
struct answer_entries {
    enum screening_answer answers[SCREENING_QUESTION_COUNT];
};

struct override_entry {
    char role[32];
    char reason[128];
};

struct screening_entry {
    struct answer_entries answers;
    enum screening_answer all;
    unsigned pain_now;
    unsigned pain_after;
    bool acknowledged;
    bool hypermobile;
    struct override_entry override;
};

static const cyaml_strval_t ANSWER_WORDS[] = {
    {"no", SCREENING_NO},
    {"yes", SCREENING_YES},
    {"both", SCREENING_BOTH},
    {"not_asked", SCREENING_NOT_ASKED},
};

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define ANSWER_FIELD(number)                                                               \
    CYAML_FIELD_ENUM(#number, OPTIONAL, struct answer_entries, answers[(number)-1],        \
                     ANSWER_WORDS, CYAML_ARRAY_LEN(ANSWER_WORDS))

static const cyaml_schema_field_t ANSWER_FIELDS[] = {
    ANSWER_FIELD(1),  ANSWER_FIELD(2),  ANSWER_FIELD(3),  ANSWER_FIELD(4),
    ANSWER_FIELD(5),  ANSWER_FIELD(6),  ANSWER_FIELD(7),  ANSWER_FIELD(8),
    ANSWER_FIELD(9),  ANSWER_FIELD(10), ANSWER_FIELD(11), ANSWER_FIELD(12),
    ANSWER_FIELD(13), ANSWER_FIELD(14), ANSWER_FIELD(15), ANSWER_FIELD(16),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t OVERRIDE_FIELDS[] = {
    CYAML_FIELD_STRING("role", 0, struct override_entry, role, 1),
    CYAML_FIELD_STRING("reason", 0, struct override_entry, reason, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t SCREENING_FIELDS[] = {
    CYAML_FIELD_MAPPING("answers", OPTIONAL, struct screening_entry, answers,
                        ANSWER_FIELDS),
    CYAML_FIELD_ENUM("all", OPTIONAL, struct screening_entry, all, ANSWER_WORDS,
                     CYAML_ARRAY_LEN(ANSWER_WORDS)),
    CYAML_FIELD_UINT("pain_now", OPTIONAL, struct screening_entry, pain_now),
    CYAML_FIELD_UINT("pain_after", OPTIONAL, struct screening_entry, pain_after),
    CYAML_FIELD_BOOL("acknowledged", OPTIONAL, struct screening_entry, acknowledged),
    CYAML_FIELD_BOOL("hypermobile", OPTIONAL, struct screening_entry, hypermobile),
    CYAML_FIELD_MAPPING("override", OPTIONAL, struct screening_entry, override,
                        OVERRIDE_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t SCREENING_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct screening_entry, SCREENING_FIELDS),
};

static enum status pain_read(const struct yaml_text *yaml, const char *key, unsigned value,
                             int *pain)
{
    if (!yaml_text_has(yaml, key)) {
        return STATUS_OK;
    }
    if (value > PAIN_MAX) {
        yaml_text_error(yaml, key, "%s is %u; write 0 (no pain) to 10", key, value);
        return STATUS_BAD_INPUT;
    }
    *pain = (int)value;
    return STATUS_OK;
}

static enum status answers_read(const struct yaml_text *yaml,
                                const struct screening_entry *entry,
                                struct screening *screening)
{
    for (unsigned number = 1; number <= SCREENING_QUESTION_COUNT; number++) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "answers.%u", number);
        bool is_given = yaml_text_has(yaml, key);
        enum screening_answer answer =
            is_given ? entry->answers.answers[number - 1] : entry->all;
        if (answer == SCREENING_BOTH && number != QUESTION_LEGS) {
            yaml_text_error(yaml, is_given ? key : "all",
                            "only question 2 asks about both legs; write yes or no for %u",
                            number);
            return STATUS_BAD_INPUT;
        }
        screening->answers[number - 1] = answer;
    }
    return STATUS_OK;
}

static enum status entry_read(const struct yaml_text *yaml,
                              const struct screening_entry *entry,
                              struct screening *screening)
{
    enum status status = answers_read(yaml, entry, screening);
    if (!status) {
        status = pain_read(yaml, "pain_now", entry->pain_now, &screening->pain_now);
    }
    if (!status) {
        status = pain_read(yaml, "pain_after", entry->pain_after, &screening->pain_after);
    }
    screening->acknowledged = entry->acknowledged;
    screening->hypermobile =
        entry->hypermobile || screening->answers[QUESTION_HYPERMOBILE - 1] == SCREENING_YES;
    memcpy(screening->override_role, entry->override.role, sizeof screening->override_role);
    memcpy(screening->override_reason, entry->override.reason,
           sizeof screening->override_reason);
    return status;
}

static enum status screening_parse(const char *path, const char *text, size_t size,
                                   struct screening *screening)
{
    struct yaml_text *yaml = NULL;
    struct screening draft;
    void *data = NULL;
    screening_init(&draft);
    enum status status = yaml_text_create(path, text, size, &yaml);
    if (!status) {
        status = yaml_text_load(yaml, &SCREENING_VALUE, &data);
    }
    if (!status) {
        status = entry_read(yaml, data, &draft);
    }
    if (!status) {
        *screening = draft;
    }
    yaml_text_destroy(yaml);
    return status;
}

enum status screening_read(const char *path, struct screening *screening)
{
    char *text = NULL;
    size_t size = 0;
    enum status status = yaml_text_read_file(path, &text, &size);
    if (!status) {
        status = screening_parse(path, text, size, screening);
    }
    free(text);
    return status;
}

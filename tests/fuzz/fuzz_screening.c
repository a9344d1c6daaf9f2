/* Answers to the screening questions from a file: refused, or within their ranges. */
#include <string.h>

#include "protocols/screening.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

enum {
    REASON_SIZE = 160,
    PAIN_MAX = 10
};

static void screening_look(const struct screening *screening)
{
    char reason[REASON_SIZE];
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        fuzz_demand(screening->answers[index] <= SCREENING_BOTH);
    }
    fuzz_demand(screening->pain_now >= -1 && screening->pain_now <= PAIN_MAX);
    fuzz_demand(screening->pain_after >= -1 && screening->pain_after <= PAIN_MAX);
    bool may_start = screening_may_start(screening, reason);
    fuzz_demand(may_start == (reason[0] == '\0'));
    /* Nobody starts by default with a sign of an emergency. */
    fuzz_demand(!may_start || screening_evaluate(screening) != SCREENING_EMERGENCY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    struct screening screening;
    if (!fuzz_file_open(&file, data, size)) {
        return 0;
    }
    screening_init(&screening);
    if (screening_read(file.path, &screening) == STATUS_OK) {
        screening_look(&screening);
    }
    fuzz_file_close(&file);
    return 0;
}

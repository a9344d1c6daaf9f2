/* Headers of journals from anywhere: refused, or written again the same, and the engine is
 * built from them or refuses. */
#include <stdlib.h>
#include <string.h>

#include "app/engine.h"
#include "app/header.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

static void again_look(const struct header *header)
{
    char *first = NULL;
    char *second = NULL;
    struct header *again = NULL;
    fuzz_demand(header_encode(header, &first) == STATUS_OK);
    fuzz_demand(header_decode(first, strlen(first), &again) == STATUS_OK);
    fuzz_demand(header_encode(again, &second) == STATUS_OK);
    fuzz_demand(strcmp(first, second) == 0);
    header_destroy(again);
    free(first);
    free(second);
}

static void engine_look(const struct header *header)
{
    static const struct engine_sink sink = {0};
    struct engine *engine = NULL;
    if (engine_create(header, &sink, &engine) != STATUS_OK) {
        return;
    }
    for (unsigned second = 0; second < 3; second++) {
        const struct journal_frame tick = {.type = JOURNAL_TICK,
                                           .host_ns = (int64_t)second * 1000000000};
        engine_frame(engine, &tick);
    }
    engine_finish(engine, 3000000000);
    engine_destroy(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header *header = NULL;
    if (header_decode((const char *)data, size, &header) == STATUS_OK) {
        char reason[160];
        screening_may_start(&header->screening, reason);
        again_look(header);
        engine_look(header);
        header_destroy(header);
    }
    return 0;
}

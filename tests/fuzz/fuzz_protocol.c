/* Protocol files from strangers: any bytes are either refused or give a protocol that the
 * runner can begin. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/protocol.h"
#include "protocols/runner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void part_look(const struct protocol_part *part)
{
    demand(part->reps > 0 && part->reps_min <= part->reps && part->reps <= part->reps_max);
    demand(part->kind == PROTOCOL_HOLD ? part->hold_s > 0.0 : part->cycle_s > 0.0);
    demand(isfinite(part->expected_min_deg) && isfinite(part->expected_max_deg));
    demand(part->measure[part->has_sides ? SIDE_LEFT : SIDE_BOTH] < MEASURE_COUNT);
}

static void protocol_look(const struct protocol *protocol)
{
    demand(protocol->part_count >= 1 && protocol->part_count <= PROTOCOL_PART_MAX);
    for (unsigned part = 0; part < protocol->part_count; part++) {
        part_look(&protocol->parts[part]);
    }
    struct runner *runner = malloc(sizeof *runner);
    struct runner_settings settings = runner_default_settings;
    settings.protocols = protocol;
    settings.protocol_count = 1;
    settings.worn = (1U << ROLE_COUNT) - 1;
    demand(runner && runner_init(runner, &settings) == STATUS_OK);
    free(runner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct protocol protocol;
    if (protocol_parse("fuzz", (const char *)data, size, &protocol) == STATUS_OK) {
        demand(protocol.text_size == size && memcmp(protocol.text, data, size) == 0);
        protocol_look(&protocol);
        protocol_release(&protocol);
    }
    return 0;
}

/* The seven built-in stretches and what the seed says about their doses. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "protocol_files.h"
#include "protocols/protocol.h"

enum {
    LIBRARY_COUNT = 7
};

/* Order of clinical reference 2.8. Ranges marked [seed] in 2.9; 0 = the seed says nothing.
 */
static const struct protocol_seed SEEDS[LIBRARY_COUNT] = {
    {"knee_to_chest_rock", "bring one knee to chest, grasp with both hands, hold 30 s", 30,
     30, 0, 0},
    {"seated_spinal_twist", "20-30 s per side, both sides", 20, 30, 0, 0},
    {"cat_cow", "10-15 repetitions, alternate slowly", 0, 0, 10, 15},
    {"bridge", "hold 5 s, slowly lower, 10-12 times", 5, 5, 10, 12},
    {"couch_decompression", "legs hang off the edge, 1-2 minutes", 60, 120, 0, 0},
    {"standing_forward_bend", "upper body hangs, gently sway side to side", 0, 0, 0, 0},
    {"childs_pose", "forehead on floor, breathe deeply, 1-3 minutes", 60, 180, 0, 0},
};

static const char *const IDS[LIBRARY_COUNT] = {
    "knee_to_chest_rock",  "seated_spinal_twist",   "cat_cow",     "bridge",
    "couch_decompression", "standing_forward_bend", "childs_pose",
};

const char *const *protocol_library(size_t *count)
{
    *count = LIBRARY_COUNT;
    return IDS;
}

const struct protocol_seed *protocol_seed_find(const char *id)
{
    for (size_t index = 0; index < LIBRARY_COUNT; index++) {
        if (strcmp(SEEDS[index].id, id) == 0) {
            return &SEEDS[index];
        }
    }
    return NULL;
}

static bool is_file_name(const char *name)
{
    size_t length = strlen(name);
    return strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".yaml") == 0);
}

enum status protocol_find(const char *name, struct protocol *protocol)
{
    if (is_file_name(name)) {
        return protocol_read(name, protocol);
    }
    for (size_t index = 0; index < protocol_files_count; index++) {
        const struct embedded_file *file = &protocol_files[index];
        size_t length = strlen(file->name) - strlen(".yaml");
        if (strlen(name) == length && strncmp(file->name, name, length) == 0) {
            return protocol_parse(file->name, file->text, file->size, protocol);
        }
    }
    log_error(
        "no built-in protocol '%s'; 'limber protocols list' names them, a file needs .yaml",
        name);
    return STATUS_NOT_FOUND;
}

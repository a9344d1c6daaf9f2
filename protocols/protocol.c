#include "protocols/protocol.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "protocols/protocol_check.h"
#include "protocols/yaml_text.h"

enum {
    WORD_SIZE = 40,
    WORD_COUNT_MAX = 16,
    KEY_SIZE = 80
};

#define OPTIONAL CYAML_FLAG_OPTIONAL

/* The file as written; what has the same shape in struct protocol is read in place. */
struct primary_entry {
    char measure[WORD_SIZE];
    int sign;
};

struct primary_entries {
    struct primary_entry both;
    struct primary_entry left;
    struct primary_entry right;
};

struct cue_entries {
    struct protocol_cues both;
    struct protocol_cues left;
    struct protocol_cues right;
};

struct fallback_entry {
    struct protocol_fallback values;
    struct primary_entries primary;
    char **secondary;
    unsigned secondary_count;
};

struct part_entry {
    struct protocol_part part;
    struct primary_entries primary;
    struct cue_entries cues;
    char **secondary;
    unsigned secondary_count;
    struct fallback_entry fallback;
};

struct role_entries {
    char **required;
    unsigned required_count;
    char **optional;
    unsigned optional_count;
};

struct protocol_entry {
    struct protocol protocol;
    struct role_entries roles;
    struct part_entry *parts;
    unsigned parts_count;
};

static const cyaml_strval_t KIND_WORDS[] = {
    {"hold", PROTOCOL_HOLD},
    {"cycle", PROTOCOL_CYCLE},
};

static const cyaml_strval_t ZONE_WORDS[] = {
    {"percent", PROTOCOL_ZONE_PERCENT},
    {"below_peak", PROTOCOL_ZONE_BELOW_PEAK},
    {"absolute", PROTOCOL_ZONE_ABSOLUTE},
};

static const cyaml_strval_t POSTURE_WORDS[] = {
    {"standing", POSTURE_STANDING}, {"sitting", POSTURE_SITTING},
    {"supine", POSTURE_SUPINE},     {"quadruped", POSTURE_QUADRUPED},
    {"kneeling", POSTURE_KNEELING},
};

static const cyaml_schema_value_t WORD_VALUE = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, WORD_SIZE - 1),
};

static const cyaml_schema_field_t PRIMARY_ENTRY_FIELDS[] = {
    CYAML_FIELD_STRING("measure", 0, struct primary_entry, measure, 1),
    CYAML_FIELD_INT("sign", 0, struct primary_entry, sign),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t PRIMARY_FIELDS[] = {
    CYAML_FIELD_MAPPING("both", OPTIONAL, struct primary_entries, both,
                        PRIMARY_ENTRY_FIELDS),
    CYAML_FIELD_MAPPING("left", OPTIONAL, struct primary_entries, left,
                        PRIMARY_ENTRY_FIELDS),
    CYAML_FIELD_MAPPING("right", OPTIONAL, struct primary_entries, right,
                        PRIMARY_ENTRY_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t CUE_FIELDS[] = {
    CYAML_FIELD_STRING("setup", OPTIONAL, struct protocol_cues, setup, 1),
    CYAML_FIELD_STRING("move_in", OPTIONAL, struct protocol_cues, move_in, 1),
    CYAML_FIELD_STRING("hold", OPTIONAL, struct protocol_cues, hold, 1),
    CYAML_FIELD_STRING("move_out", OPTIONAL, struct protocol_cues, move_out, 1),
    CYAML_FIELD_STRING("rest", OPTIONAL, struct protocol_cues, rest, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t CUES_FIELDS[] = {
    CYAML_FIELD_MAPPING("both", OPTIONAL, struct cue_entries, both, CUE_FIELDS),
    CYAML_FIELD_MAPPING("left", OPTIONAL, struct cue_entries, left, CUE_FIELDS),
    CYAML_FIELD_MAPPING("right", OPTIONAL, struct cue_entries, right, CUE_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t ZONE_FIELDS[] = {
    CYAML_FIELD_ENUM("kind", 0, struct protocol_zone, kind, ZONE_WORDS,
                     CYAML_ARRAY_LEN(ZONE_WORDS)),
    CYAML_FIELD_FLOAT("low", OPTIONAL, struct protocol_zone, low),
    CYAML_FIELD_FLOAT("high", OPTIONAL, struct protocol_zone, high),
    CYAML_FIELD_FLOAT("over_deg", OPTIONAL, struct protocol_zone, over_deg),
    CYAML_FIELD_FLOAT("hysteresis_deg", OPTIONAL, struct protocol_zone, hysteresis_deg),
    CYAML_FIELD_FLOAT("approach", OPTIONAL, struct protocol_zone, approach),
    CYAML_FIELD_END,
};

#define FALLBACK_NUMBER(name)                                                              \
    CYAML_FIELD_FLOAT(#name, OPTIONAL, struct fallback_entry, values.name)

static const cyaml_schema_field_t FALLBACK_FIELDS[] = {
    CYAML_FIELD_MAPPING("primary", 0, struct fallback_entry, primary, PRIMARY_FIELDS),
    CYAML_FIELD_SEQUENCE("secondary", CYAML_FLAG_POINTER | OPTIONAL, struct fallback_entry,
                         secondary, &WORD_VALUE, 0, PROTOCOL_SECONDARY_MAX),
    FALLBACK_NUMBER(expected_min_deg),
    FALLBACK_NUMBER(expected_max_deg),
    FALLBACK_NUMBER(onset_deg),
    FALLBACK_NUMBER(return_deg),
    CYAML_FIELD_MAPPING("zone", OPTIONAL, struct fallback_entry, values.zone, ZONE_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t PART_FIELDS[] = {
    CYAML_FIELD_STRING("id", 0, struct part_entry, part.id, 1),
    CYAML_FIELD_STRING("title", 0, struct part_entry, part.title, 1),
    CYAML_FIELD_ENUM("kind", 0, struct part_entry, part.kind, KIND_WORDS,
                     CYAML_ARRAY_LEN(KIND_WORDS)),
    CYAML_FIELD_MAPPING("primary", 0, struct part_entry, primary, PRIMARY_FIELDS),
    CYAML_FIELD_SEQUENCE("secondary", CYAML_FLAG_POINTER | OPTIONAL, struct part_entry,
                         secondary, &WORD_VALUE, 0, PROTOCOL_SECONDARY_MAX),
    CYAML_FIELD_UINT("practice_reps", OPTIONAL, struct part_entry, part.practice_reps),
    CYAML_FIELD_UINT("reps", 0, struct part_entry, part.reps),
    CYAML_FIELD_UINT("reps_min", OPTIONAL, struct part_entry, part.reps_min),
    CYAML_FIELD_UINT("reps_max", OPTIONAL, struct part_entry, part.reps_max),
    CYAML_FIELD_FLOAT("hold_s", OPTIONAL, struct part_entry, part.hold_s),
    CYAML_FIELD_FLOAT("hold_min_s", OPTIONAL, struct part_entry, part.hold_min_s),
    CYAML_FIELD_FLOAT("hold_max_s", OPTIONAL, struct part_entry, part.hold_max_s),
    CYAML_FIELD_FLOAT("cycle_s", OPTIONAL, struct part_entry, part.cycle_s),
    CYAML_FIELD_FLOAT("cycle_min_s", OPTIONAL, struct part_entry, part.cycle_min_s),
    CYAML_FIELD_FLOAT("cycle_max_s", OPTIONAL, struct part_entry, part.cycle_max_s),
    CYAML_FIELD_FLOAT("move_s", OPTIONAL, struct part_entry, part.move_s),
    CYAML_FIELD_FLOAT("rest_s", OPTIONAL, struct part_entry, part.rest_s),
    CYAML_FIELD_FLOAT("rest_side_s", OPTIONAL, struct part_entry, part.rest_side_s),
    CYAML_FIELD_FLOAT("expected_min_deg", 0, struct part_entry, part.expected_min_deg),
    CYAML_FIELD_FLOAT("expected_max_deg", 0, struct part_entry, part.expected_max_deg),
    CYAML_FIELD_FLOAT("onset_deg", OPTIONAL, struct part_entry, part.onset_deg),
    CYAML_FIELD_FLOAT("return_deg", OPTIONAL, struct part_entry, part.return_deg),
    CYAML_FIELD_MAPPING("zone", OPTIONAL, struct part_entry, part.zone, ZONE_FIELDS),
    CYAML_FIELD_MAPPING("cues", 0, struct part_entry, cues, CUES_FIELDS),
    CYAML_FIELD_MAPPING("fallback", OPTIONAL, struct part_entry, fallback, FALLBACK_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t PART_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct part_entry, PART_FIELDS),
};

static const cyaml_schema_field_t ROLE_FIELDS[] = {
    CYAML_FIELD_SEQUENCE("required", CYAML_FLAG_POINTER, struct role_entries, required,
                         &WORD_VALUE, 0, WORD_COUNT_MAX),
    CYAML_FIELD_SEQUENCE("optional", CYAML_FLAG_POINTER | OPTIONAL, struct role_entries,
                         optional, &WORD_VALUE, 0, WORD_COUNT_MAX),
    CYAML_FIELD_END,
};

#define GUARD_FIELD(name) CYAML_FIELD_FLOAT(#name, OPTIONAL, struct protocol_guard, name)

static const cyaml_schema_field_t GUARD_FIELDS[] = {
    GUARD_FIELD(sagittal_caution_deg_s),
    GUARD_FIELD(sagittal_stop_deg_s),
    GUARD_FIELD(axial_caution_deg_s),
    GUARD_FIELD(axial_stop_deg_s),
    GUARD_FIELD(segment_caution_deg_s),
    GUARD_FIELD(segment_stop_deg_s),
    GUARD_FIELD(caution_time_s),
    GUARD_FIELD(stop_time_s),
    CYAML_FIELD_END,
};

#define TEXT_FIELD(name, flags)                                                            \
    CYAML_FIELD_STRING(#name, flags, struct protocol_entry, protocol.name, 1)

static const cyaml_schema_field_t PROTOCOL_FIELDS[] = {
    TEXT_FIELD(id, 0),
    TEXT_FIELD(title, 0),
    TEXT_FIELD(version, 0),
    TEXT_FIELD(placement, 0),
    CYAML_FIELD_ENUM("posture", 0, struct protocol_entry, protocol.posture, POSTURE_WORDS,
                     CYAML_ARRAY_LEN(POSTURE_WORDS)),
    CYAML_FIELD_MAPPING("roles", 0, struct protocol_entry, roles, ROLE_FIELDS),
    CYAML_FIELD_FLOAT("countdown_s", OPTIONAL, struct protocol_entry, protocol.countdown_s),
    CYAML_FIELD_BOOL("drop_if_pregnant_or_dizzy", OPTIONAL, struct protocol_entry,
                     protocol.drop_if_pregnant_or_dizzy),
    TEXT_FIELD(setup, 0),
    TEXT_FIELD(finish, 0),
    TEXT_FIELD(can_tell, OPTIONAL),
    TEXT_FIELD(cannot_tell, OPTIONAL),
    TEXT_FIELD(watch_for, OPTIONAL),
    TEXT_FIELD(source, 0),
    TEXT_FIELD(override_reason, OPTIONAL),
    CYAML_FIELD_MAPPING("guard", OPTIONAL, struct protocol_entry, protocol.guard,
                        GUARD_FIELDS),
    CYAML_FIELD_SEQUENCE("parts", CYAML_FLAG_POINTER, struct protocol_entry, parts,
                         &PART_VALUE, 1, PROTOCOL_PART_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t PROTOCOL_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct protocol_entry, PROTOCOL_FIELDS),
};

/* Numbers that a file may leave out (project defaults of clinical reference 2.5, 2.7, 2.8).
 */
struct number_default {
    const char *key;
    size_t offset;
    double value;
};

#define PART_DEFAULT(name, value)                                                          \
    {                                                                                      \
#name, offsetof(struct protocol_part, name), value                                 \
    }
#define ZONE_DEFAULT(name, value)                                                          \
    {                                                                                      \
        "zone." #name, offsetof(struct protocol_part, zone.name), value                    \
    }
#define GUARD_DEFAULT(name, value)                                                         \
    {                                                                                      \
        "guard." #name, offsetof(struct protocol, guard.name), value                       \
    }

static const struct number_default PART_DEFAULTS[] = {
    PART_DEFAULT(move_s, 4.0),         PART_DEFAULT(rest_s, 10.0),
    PART_DEFAULT(rest_side_s, 20.0),   PART_DEFAULT(onset_deg, 5.0),
    PART_DEFAULT(return_deg, 8.0),     ZONE_DEFAULT(low, 75.0),
    ZONE_DEFAULT(high, 100.0),         ZONE_DEFAULT(over_deg, 5.0),
    ZONE_DEFAULT(hysteresis_deg, 3.0), ZONE_DEFAULT(approach, 60.0),
};

#define FALLBACK_DEFAULT(name, value)                                                      \
    {                                                                                      \
        "zone." #name, offsetof(struct protocol_fallback, zone.name), value                \
    }

static const struct number_default FALLBACK_DEFAULTS[] = {
    FALLBACK_DEFAULT(low, 75.0),      FALLBACK_DEFAULT(high, 100.0),
    FALLBACK_DEFAULT(over_deg, 5.0),  FALLBACK_DEFAULT(hysteresis_deg, 3.0),
    FALLBACK_DEFAULT(approach, 60.0),
};

static const struct number_default PROTOCOL_DEFAULTS[] = {
    {"countdown_s", offsetof(struct protocol, countdown_s), 3.0},
    GUARD_DEFAULT(sagittal_caution_deg_s, 30.0),
    GUARD_DEFAULT(sagittal_stop_deg_s, 60.0),
    GUARD_DEFAULT(axial_caution_deg_s, 20.0),
    GUARD_DEFAULT(axial_stop_deg_s, 40.0),
    GUARD_DEFAULT(segment_caution_deg_s, 60.0),
    GUARD_DEFAULT(segment_stop_deg_s, 120.0),
    GUARD_DEFAULT(caution_time_s, 0.1),
    GUARD_DEFAULT(stop_time_s, 0.05),
};

enum {
    PRACTICE_REPS_DEFAULT = 3
};

static void defaults_apply(const struct yaml_text *yaml, const char *prefix,
                           const struct number_default *defaults, size_t count, void *base)
{
    for (size_t index = 0; index < count; index++) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "%s%s", prefix, defaults[index].key);
        if (!yaml_text_has(yaml, key)) {
            memcpy((char *)base + defaults[index].offset, &defaults[index].value,
                   sizeof defaults[index].value);
        }
    }
}

static bool part_has(const struct yaml_text *yaml, unsigned index, const char *name)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "parts[%u].%s", index, name);
    return yaml_text_has(yaml, key);
}

/* Accepted ranges that a file leaves out are the target itself. */
static void part_defaults_apply(const struct yaml_text *yaml, unsigned index,
                                struct protocol_part *part)
{
    char prefix[KEY_SIZE];
    snprintf(prefix, sizeof prefix, "parts[%u].", index);
    defaults_apply(yaml, prefix, PART_DEFAULTS,
                   sizeof PART_DEFAULTS / sizeof PART_DEFAULTS[0], part);
    if (part->kind == PROTOCOL_HOLD && !part_has(yaml, index, "practice_reps")) {
        part->practice_reps = PRACTICE_REPS_DEFAULT;
    }
    part->reps_min = part_has(yaml, index, "reps_min") ? part->reps_min : part->reps;
    part->reps_max = part_has(yaml, index, "reps_max") ? part->reps_max : part->reps;
    part->hold_min_s =
        part_has(yaml, index, "hold_min_s") ? part->hold_min_s : part->hold_s;
    part->hold_max_s =
        part_has(yaml, index, "hold_max_s") ? part->hold_max_s : part->hold_s;
    part->cycle_min_s =
        part_has(yaml, index, "cycle_min_s") ? part->cycle_min_s : part->cycle_s;
    part->cycle_max_s =
        part_has(yaml, index, "cycle_max_s") ? part->cycle_max_s : part->cycle_s;
}

static const char *measure_nearest(const char *word)
{
    const char *best = "";
    unsigned best_distance = (unsigned)-1;
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const char *id = measure_info_get((enum measure)index)->id;
        unsigned distance = yaml_text_distance(word, id);
        if (distance < best_distance) {
            best_distance = distance;
            best = id;
        }
    }
    return best;
}

static enum status measure_read(const struct yaml_text *yaml, const char *key,
                                const char *word, enum measure *measure)
{
    if (measure_parse(word, measure)) {
        return STATUS_OK;
    }
    yaml_text_error(yaml, key, "unknown measure '%s'; did you mean '%s'?", word,
                    measure_nearest(word));
    return STATUS_BAD_INPUT;
}

static const char *role_nearest(const char *word)
{
    const char *best = "";
    unsigned best_distance = (unsigned)-1;
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        unsigned distance = yaml_text_distance(word, role_text((enum role)role));
        if (distance < best_distance) {
            best_distance = distance;
            best = role_text((enum role)role);
        }
    }
    return best;
}

static enum status roles_read(const struct yaml_text *yaml, const char *name, char **words,
                              unsigned count, unsigned *roles)
{
    for (unsigned index = 0; index < count; index++) {
        enum role role = ROLE_COUNT;
        if (!role_parse(words[index], &role)) {
            char key[KEY_SIZE];
            snprintf(key, sizeof key, "roles.%s[%u]", name, index);
            yaml_text_error(yaml, key, "unknown role '%s'; did you mean '%s'?",
                            words[index], role_nearest(words[index]));
            return STATUS_BAD_INPUT;
        }
        *roles |= 1U << role;
    }
    return STATUS_OK;
}

/* A part has either one side "both", or left and right; cues follow the same pattern. */
static enum status sides_read(const struct yaml_text *yaml, unsigned index,
                              const struct part_entry *entry, struct protocol_part *part)
{
    bool has_both = entry->primary.both.measure[0] != '\0';
    bool has_left = entry->primary.left.measure[0] != '\0';
    bool has_right = entry->primary.right.measure[0] != '\0';
    if (has_left != has_right || has_both == has_left) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "parts[%u].primary", index);
        yaml_text_error(yaml, key, "primary names %s; write 'both', or 'left' and 'right'",
                        has_both ? "both and a side" : "not both sides");
        return STATUS_BAD_INPUT;
    }
    part->has_sides = has_left;
    part->cues[SIDE_BOTH] = entry->cues.both;
    part->cues[SIDE_LEFT] = entry->cues.left;
    part->cues[SIDE_RIGHT] = entry->cues.right;
    return STATUS_OK;
}

/* @param prefix  Where the primary stands: "parts[0].". */
static enum status primary_read(const struct yaml_text *yaml, const char *prefix,
                                const struct primary_entries *primary,
                                enum measure measure[SIDE_COUNT], double sign[SIDE_COUNT])
{
    const struct primary_entry *const entries[SIDE_COUNT] = {&primary->both, &primary->left,
                                                             &primary->right};
    for (unsigned side = 0; side < SIDE_COUNT; side++) {
        measure[side] = MEASURE_COUNT;
        sign[side] = entries[side]->sign;
        if (entries[side]->measure[0]) {
            char key[KEY_SIZE];
            snprintf(key, sizeof key, "%sprimary.%s.measure", prefix,
                     side_text((enum side)side));
            enum status status =
                measure_read(yaml, key, entries[side]->measure, &measure[side]);
            if (status) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

static enum status secondary_read(const struct yaml_text *yaml, const char *prefix,
                                  char **words, unsigned count,
                                  enum measure secondary[PROTOCOL_SECONDARY_MAX])
{
    for (unsigned word = 0; word < count; word++) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "%ssecondary[%u]", prefix, word);
        enum status status = measure_read(yaml, key, words[word], &secondary[word]);
        if (status) {
            return status;
        }
    }
    return STATUS_OK;
}

/* What a fallback leaves out is as in the part. */
static void fallback_defaults_apply(const struct yaml_text *yaml, const char *prefix,
                                    const struct protocol_part *part,
                                    struct protocol_fallback *fallback)
{
    char key[KEY_SIZE + 20];

    const struct {
        const char *name;
        double *value;
        double usual;
    } numbers[] = {
        {"expected_min_deg", &fallback->expected_min_deg, part->expected_min_deg},
        {"expected_max_deg", &fallback->expected_max_deg, part->expected_max_deg},
        {"onset_deg", &fallback->onset_deg, part->onset_deg},
        {"return_deg", &fallback->return_deg, part->return_deg},
    };

    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        snprintf(key, sizeof key, "%s%s", prefix, numbers[index].name);
        if (!yaml_text_has(yaml, key)) {
            *numbers[index].value = numbers[index].usual;
        }
    }
    snprintf(key, sizeof key, "%szone", prefix);
    if (!yaml_text_has(yaml, key)) {
        fallback->zone = part->zone;
    } else {
        defaults_apply(yaml, prefix, FALLBACK_DEFAULTS,
                       sizeof FALLBACK_DEFAULTS / sizeof FALLBACK_DEFAULTS[0], fallback);
    }
}

static enum status fallback_read(const struct yaml_text *yaml, unsigned index,
                                 const struct fallback_entry *entry,
                                 struct protocol_part *part)
{
    char prefix[KEY_SIZE];
    struct protocol_fallback *fallback = &part->fallback;
    snprintf(prefix, sizeof prefix, "parts[%u].fallback", index);
    if (!yaml_text_has(yaml, prefix)) {
        return STATUS_OK;
    }
    const struct primary_entries *primary = &entry->primary;
    bool has_sides = primary->left.measure[0] && primary->right.measure[0];
    bool has_both = primary->both.measure[0] != '\0';
    if (part->has_sides ? !has_sides || has_both : !has_both || has_sides) {
        yaml_text_error(yaml, prefix, "fallback has other sides than the part; name %s",
                        part->has_sides ? "left and right" : "both");
        return STATUS_BAD_INPUT;
    }
    snprintf(prefix, sizeof prefix, "parts[%u].fallback.", index);
    *fallback = entry->values;
    fallback->is_given = true;
    fallback->secondary_count = entry->secondary_count;
    fallback_defaults_apply(yaml, prefix, part, fallback);
    enum status status =
        primary_read(yaml, prefix, primary, fallback->measure, fallback->sign);
    if (!status) {
        status = secondary_read(yaml, prefix, entry->secondary, entry->secondary_count,
                                fallback->secondary);
    }
    return status;
}

static enum status part_read(const struct yaml_text *yaml, unsigned index,
                             const struct part_entry *entry, struct protocol_part *part)
{
    *part = entry->part;
    part_defaults_apply(yaml, index, part);
    enum status status = sides_read(yaml, index, entry, part);
    char prefix[KEY_SIZE];
    snprintf(prefix, sizeof prefix, "parts[%u].", index);
    part->secondary_count = entry->secondary_count;
    if (!status) {
        status = primary_read(yaml, prefix, &entry->primary, part->measure, part->sign);
    }
    if (!status) {
        status = secondary_read(yaml, prefix, entry->secondary, entry->secondary_count,
                                part->secondary);
    }
    if (!status) {
        status = fallback_read(yaml, index, &entry->fallback, part);
    }
    return status;
}

static enum status entry_read(const struct yaml_text *yaml,
                              const struct protocol_entry *entry, struct protocol *protocol)
{
    *protocol = entry->protocol;
    defaults_apply(yaml, "", PROTOCOL_DEFAULTS,
                   sizeof PROTOCOL_DEFAULTS / sizeof PROTOCOL_DEFAULTS[0], protocol);
    enum status status = roles_read(yaml, "required", entry->roles.required,
                                    entry->roles.required_count, &protocol->roles_required);
    if (!status) {
        status = roles_read(yaml, "optional", entry->roles.optional,
                            entry->roles.optional_count, &protocol->roles_optional);
    }
    protocol->part_count = entry->parts_count;
    for (unsigned index = 0; index < entry->parts_count && !status; index++) {
        status = part_read(yaml, index, &entry->parts[index], &protocol->parts[index]);
    }
    return status;
}

static enum status text_copy(const char *text, size_t size, struct protocol *protocol)
{
    protocol->text = malloc(size + 1);
    if (!protocol->text) {
        return STATUS_NO_MEMORY;
    }
    memcpy(protocol->text, text, size);
    protocol->text[size] = '\0';
    protocol->text_size = size;
    return STATUS_OK;
}

static enum status protocol_build(struct yaml_text *yaml, struct protocol *protocol)
{
    void *data = NULL;
    enum status status = yaml_text_load(yaml, &PROTOCOL_VALUE, &data);
    if (!status) {
        status = entry_read(yaml, data, protocol);
    }
    if (!status) {
        status = protocol_check(protocol, yaml);
    }
    return status;
}

enum status protocol_parse(const char *path, const char *text, size_t size,
                           struct protocol *protocol)
{
    struct yaml_text *yaml = NULL;
    struct protocol *draft = calloc(1, sizeof *draft);
    enum status status =
        draft ? yaml_text_create(path, text, size, &yaml) : STATUS_NO_MEMORY;
    if (!status) {
        status = protocol_build(yaml, draft);
    }
    if (!status) {
        status = text_copy(text, size, draft);
    }
    if (!status) {
        *protocol = *draft;
    }
    yaml_text_destroy(yaml);
    free(draft);
    return status;
}

enum status protocol_read(const char *path, struct protocol *protocol)
{
    char *text = NULL;
    size_t size = 0;
    enum status status = yaml_text_read_file(path, &text, &size);
    if (!status) {
        status = protocol_parse(path, text, size, protocol);
    }
    free(text);
    return status;
}

/* Every measure of the part can be had from these roles. */
static bool part_is_available(const struct protocol_part *part, unsigned worn)
{
    for (unsigned side = 0; side < SIDE_COUNT; side++) {
        enum measure measure = part->measure[side];
        if (measure != MEASURE_COUNT && !measure_is_available(measure, worn)) {
            return false;
        }
    }
    return true;
}

static void fallback_take(struct protocol_part *part)
{
    const struct protocol_fallback *fallback = &part->fallback;
    memcpy(part->measure, fallback->measure, sizeof part->measure);
    memcpy(part->sign, fallback->sign, sizeof part->sign);
    memcpy(part->secondary, fallback->secondary, sizeof part->secondary);
    part->secondary_count = fallback->secondary_count;
    part->expected_min_deg = fallback->expected_min_deg;
    part->expected_max_deg = fallback->expected_max_deg;
    part->onset_deg = fallback->onset_deg;
    part->return_deg = fallback->return_deg;
    part->zone = fallback->zone;
}

/* Roles without which the measures of a part cannot be had, of those worn. */
static unsigned part_roles(const struct protocol_part *part, unsigned required,
                           unsigned worn)
{
    unsigned roles = required;
    for (unsigned side = 0; side < SIDE_COUNT; side++) {
        if (part->measure[side] == MEASURE_COUNT) {
            continue;
        }
        const struct measure_info *info = measure_info_get(part->measure[side]);
        for (unsigned index = 0; index < sizeof info->roles / sizeof info->roles[0];
             index++) {
            roles |= info->roles[index] & required ? 0 : info->roles[index] & worn;
        }
    }
    return roles;
}

void protocol_adapt(struct protocol *protocol, unsigned worn)
{
    for (unsigned index = 0; index < protocol->part_count; index++) {
        struct protocol_part *part = &protocol->parts[index];
        if (!part->fallback.is_given) {
            continue;
        }
        if (part_is_available(part, worn)) {
            protocol->roles_required = part_roles(part, protocol->roles_required, worn);
        } else {
            fallback_take(part);
        }
        part->fallback.is_given = false;
    }
}

void protocol_release(struct protocol *protocol)
{
    free(protocol->text);
    protocol->text = NULL;
    protocol->text_size = 0;
}

#include "protocols/yaml_text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"

enum {
    PATH_SIZE = 512,
    SMALL_SIZE = 16384,
    MESSAGE_SIZE = 480,
    WORD_SIZE = 48,    /* longest word that is compared for "did you mean" */
    SEGMENT_SIZE = 64, /* longest part of a key path */
    SHOWN_SIZE = 40,   /* longest piece of a person's text in a message */
    COUNT_MAX = 1000000
};

struct yaml_text {
    char path[PATH_SIZE];
    const char *text;
    size_t size;
    yaml_document_t document;
    bool has_document;
    const cyaml_schema_value_t *schema;
    void *data;
};

/* What a failing check wants to say; the first one wins. */
struct finding {
    unsigned line;
    char message[MESSAGE_SIZE];
};

static void finding_set(struct finding *finding, unsigned line, const char *format, ...)
    YAML_TEXT_FORMAT_CHECK(3, 4);

static void finding_set(struct finding *finding, unsigned line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    finding->line = line;
    vsnprintf(finding->message, sizeof finding->message, format, arguments);
    va_end(arguments);
}

static unsigned node_line(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

static const char *node_scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* The document API wants a mutable document even to look at it. */
static yaml_node_t *node_get(const struct yaml_text *yaml, int index)
{
    struct yaml_text *mutable = (struct yaml_text *)(uintptr_t)yaml;
    return yaml_document_get_node(&mutable->document, index);
}

static yaml_node_t *mapping_find(const struct yaml_text *yaml, const yaml_node_t *mapping,
                                 const char *key, yaml_node_t **key_node)
{
    if (mapping->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        yaml_node_t *candidate = node_get(yaml, pair->key);
        if (candidate->type == YAML_SCALAR_NODE
            && strcmp(node_scalar(candidate), key) == 0) {
            *key_node = candidate;
            return node_get(yaml, pair->value);
        }
    }
    return NULL;
}

static yaml_node_t *sequence_find(const struct yaml_text *yaml, const yaml_node_t *sequence,
                                  unsigned long index)
{
    if (sequence->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }
    size_t count =
        (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
    return index < count ? node_get(yaml, sequence->data.sequence.items.start[index])
                         : NULL;
}

/* Follow a key path as far as it exists. @return true when all of it does. */
static bool path_follow(const struct yaml_text *yaml, const char *key, unsigned *line)
{
    yaml_node_t *node = node_get(yaml, 1);
    *line = node ? node_line(node) : 1;
    while (node && *key) {
        yaml_node_t *where = NULL;
        if (*key == '[') {
            char *end = NULL;
            unsigned long index = strtoul(key + 1, &end, 10);
            key = *end == ']' ? end + 1 : end;
            where = node = sequence_find(yaml, node, index);
        } else {
            char segment[SEGMENT_SIZE];
            size_t length = strcspn(key, ".[");
            snprintf(segment, sizeof segment, "%.*s", (int)length, key);
            key += length;
            node = mapping_find(yaml, node, segment, &where);
        }
        if (node) {
            *line = node_line(where);
        }
        key += *key == '.';
    }
    return node != NULL;
}

unsigned yaml_text_line(const struct yaml_text *yaml, const char *key)
{
    unsigned line = 1;
    path_follow(yaml, key, &line);
    return line;
}

bool yaml_text_has(const struct yaml_text *yaml, const char *key)
{
    unsigned line = 1;
    return path_follow(yaml, key, &line);
}

void yaml_text_error(const struct yaml_text *yaml, const char *key, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log_error("%s:%u: %s", yaml->path, yaml_text_line(yaml, key), message);
}

void yaml_text_warning(const struct yaml_text *yaml, const char *key, const char *format,
                       ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log_warning("%s:%u: %s", yaml->path, yaml_text_line(yaml, key), message);
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned yaml_text_distance(const char *a, const char *b)
{
    size_t length_a = strlen(a);
    size_t length_b = strlen(b);
    if (length_a >= WORD_SIZE || length_b >= WORD_SIZE) {
        return WORD_SIZE;
    }
    unsigned row[WORD_SIZE];
    for (size_t j = 0; j <= length_b; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= length_a; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= length_b; j++) {
            unsigned above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length_b];
}

/* Far words help nobody: two changes, or a third of the word. */
static bool is_near(unsigned distance, const char *word)
{
    return distance < WORD_SIZE && (distance <= 2 || distance * 3 <= strlen(word));
}

static const cyaml_schema_field_t *field_find(const cyaml_schema_field_t *fields,
                                              const char *key)
{
    for (; fields->key; fields++) {
        if (strcmp(fields->key, key) == 0) {
            return fields;
        }
    }
    return NULL;
}

static void unknown_key(const cyaml_schema_field_t *fields, const yaml_node_t *key,
                        struct finding *finding)
{
    const char *word = node_scalar(key);
    const char *best = "";
    unsigned best_distance = WORD_SIZE;
    for (; fields->key; fields++) {
        unsigned distance = yaml_text_distance(word, fields->key);
        if (distance < best_distance) {
            best_distance = distance;
            best = fields->key;
        }
    }
    if (is_near(best_distance, word)) {
        finding_set(finding, node_line(key), "unknown key '%.*s'; did you mean '%s'?",
                    SHOWN_SIZE, word, best);
    } else {
        finding_set(finding, node_line(key), "unknown key '%.*s'; remove it", SHOWN_SIZE,
                    word);
    }
}

static bool check_float(const char *key, const yaml_node_t *node, struct finding *finding)
{
    const char *text = node_scalar(node);
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value)) {
        finding_set(finding, node_line(node), "%s is '%.*s'; write a number", key,
                    SHOWN_SIZE, text);
        return false;
    }
    return true;
}

static bool check_uint(const char *key, const yaml_node_t *node, struct finding *finding)
{
    const char *text = node_scalar(node);
    bool is_digits = *text != '\0' && text[strspn(text, "0123456789")] == '\0';
    /* A leading zero would be read as octal. */
    bool is_plain = text[0] != '0' || text[1] == '\0';
    if (!is_digits || !is_plain || strlen(text) > 7
        || strtoul(text, NULL, 10) > COUNT_MAX) {
        finding_set(finding, node_line(node),
                    "%s is '%.*s'; write a whole number that is not negative", key,
                    SHOWN_SIZE, text);
        return false;
    }
    return true;
}

static bool check_int(const char *key, const yaml_node_t *node, struct finding *finding)
{
    const char *text = node_scalar(node);
    const char *digits = text + (*text == '-');
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0'
        || strlen(digits) > 7) {
        finding_set(finding, node_line(node), "%s is '%.*s'; write a whole number", key,
                    SHOWN_SIZE, text);
        return false;
    }
    return true;
}

static bool check_bool(const char *key, const yaml_node_t *node, struct finding *finding)
{
    const char *text = node_scalar(node);
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        finding_set(finding, node_line(node), "%s is '%.*s'; write true or false", key,
                    SHOWN_SIZE, text);
        return false;
    }
    return true;
}

static bool check_enum(const cyaml_schema_value_t *schema, const char *key,
                       const yaml_node_t *node, struct finding *finding)
{
    const char *text = node_scalar(node);
    char known[MESSAGE_SIZE / 2] = "";
    for (uint32_t index = 0; index < schema->enumeration.count; index++) {
        const char *word = schema->enumeration.strings[index].str;
        if (strcmp(word, text) == 0) {
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", word);
    }
    finding_set(finding, node_line(node), "%s is '%.*s'; write one of %s", key, SHOWN_SIZE,
                text, known);
    return false;
}

static bool check_string(const cyaml_schema_value_t *schema, const char *key,
                         const yaml_node_t *node, struct finding *finding)
{
    size_t length = node->data.scalar.length;
    if (length > schema->string.max) {
        finding_set(finding, node_line(node), "%s has %zu letters; use at most %u", key,
                    length, (unsigned)schema->string.max);
        return false;
    }
    if (length < schema->string.min) {
        finding_set(finding, node_line(node), "%s is empty; write at least %u letters", key,
                    (unsigned)schema->string.min);
        return false;
    }
    if (strlen(node_scalar(node)) != length) {
        finding_set(finding, node_line(node), "%s holds a zero byte; remove it", key);
        return false;
    }
    return true;
}

static bool check_node(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                       const char *key, const yaml_node_t *node, struct finding *finding);

static bool check_missing(const struct yaml_text *yaml, const cyaml_schema_field_t *fields,
                          const char *name, const yaml_node_t *node,
                          struct finding *finding)
{
    for (; fields->key; fields++) {
        yaml_node_t *where = NULL;
        if (!(fields->value.flags & CYAML_FLAG_OPTIONAL)
            && !mapping_find(yaml, node, fields->key, &where)) {
            finding_set(finding, node_line(node), "%s has no key '%s'; add it", name,
                        fields->key);
            return false;
        }
    }
    return true;
}

static bool check_mapping(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                          const char *name, const yaml_node_t *node,
                          struct finding *finding)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_get(yaml, pair->key);
        const cyaml_schema_field_t *field =
            field_find(schema->mapping.fields, node_scalar(key));
        yaml_node_t *first = NULL;
        if (!field) {
            unknown_key(schema->mapping.fields, key, finding);
            return false;
        }
        mapping_find(yaml, node, field->key, &first);
        if (first != key) {
            finding_set(finding, node_line(key), "key '%s' stands twice; remove one",
                        field->key);
            return false;
        }
        if (!check_node(yaml, &field->value, field->key, node_get(yaml, pair->value),
                        finding)) {
            return false;
        }
    }
    return check_missing(yaml, schema->mapping.fields, name, node, finding);
}

static bool check_sequence(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                           const char *key, const yaml_node_t *node,
                           struct finding *finding)
{
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    if (count < schema->sequence.min || count > schema->sequence.max) {
        finding_set(finding, node_line(node), "%s has %zu entries; write %u to %u", key,
                    count, (unsigned)schema->sequence.min, (unsigned)schema->sequence.max);
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        if (!check_node(yaml, schema->sequence.entry, key, node_get(yaml, items[index]),
                        finding)) {
            return false;
        }
    }
    return true;
}

static bool check_scalar(const cyaml_schema_value_t *schema, const char *key,
                         const yaml_node_t *node, struct finding *finding)
{
    switch (schema->type) {
    case CYAML_FLOAT:
        return check_float(key, node, finding);
    case CYAML_UINT:
        return check_uint(key, node, finding);
    case CYAML_INT:
        return check_int(key, node, finding);
    case CYAML_BOOL:
        return check_bool(key, node, finding);
    case CYAML_ENUM:
        return check_enum(schema, key, node, finding);
    case CYAML_STRING:
        return check_string(schema, key, node, finding);
    case CYAML_FLAGS:
    case CYAML_MAPPING:
    case CYAML_BITFIELD:
    case CYAML_SEQUENCE:
    case CYAML_SEQUENCE_FIXED:
    case CYAML_IGNORE:
    case CYAML__TYPE_COUNT:
        break;
    }
    return true;
}

static bool check_node(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                       const char *key, const yaml_node_t *node, struct finding *finding)
{
    if (schema->type == CYAML_MAPPING) {
        if (node->type == YAML_MAPPING_NODE) {
            return check_mapping(yaml, schema, key, node, finding);
        }
        finding_set(finding, node_line(node),
                    "%s is no group of keys; write 'key: value' lines", key);
        return false;
    }
    if (schema->type == CYAML_SEQUENCE) {
        if (node->type == YAML_SEQUENCE_NODE) {
            return check_sequence(yaml, schema, key, node, finding);
        }
        finding_set(finding, node_line(node),
                    "%s is no list; write '- entry' lines or [a, b]", key);
        return false;
    }
    if (node->type != YAML_SCALAR_NODE) {
        finding_set(finding, node_line(node), "%s is a list or a group; write one value",
                    key);
        return false;
    }
    return check_scalar(schema, key, node, finding);
}

static enum status document_parse(struct yaml_text *yaml)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return STATUS_NO_MEMORY;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->text, yaml->size);
    enum status status = STATUS_OK;
    if (!yaml_parser_load(&parser, &yaml->document)) {
        log_error("%s:%zu: not YAML: %s; correct the line", yaml->path,
                  parser.problem_mark.line + 1,
                  parser.problem ? parser.problem : "unreadable");
        status = STATUS_BAD_INPUT;
    } else {
        yaml->has_document = true;
    }
    yaml_parser_delete(&parser);
    return status;
}

enum status yaml_text_create(const char *path, const char *text, size_t size,
                             struct yaml_text **out)
{
    if (size > YAML_TEXT_SIZE_MAX) {
        log_error("%s:1: longer than 1 MiB; this is not a file for Limber", path);
        return STATUS_BAD_INPUT;
    }
    struct yaml_text *yaml = calloc(1, sizeof *yaml);
    if (!yaml) {
        return STATUS_NO_MEMORY;
    }
    snprintf(yaml->path, sizeof yaml->path, "%s", path);
    yaml->text = text;
    yaml->size = size;
    enum status status = document_parse(yaml);
    if (!status && !node_get(yaml, 1)) {
        log_error("%s:1: empty; write the keys of a Limber file", path);
        status = STATUS_BAD_INPUT;
    }
    if (status) {
        yaml_text_destroy(yaml);
        return status;
    }
    *out = yaml;
    return STATUS_OK;
}

static const cyaml_config_t CONFIG = {
    .log_fn = NULL,
    .mem_fn = cyaml_mem,
    .log_level = CYAML_LOG_ERROR,
};

enum status yaml_text_load(struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                           void **data)
{
    struct finding finding = {0};
    if (!check_node(yaml, schema, "the file", node_get(yaml, 1), &finding)) {
        log_error("%s:%u: %s", yaml->path, finding.line, finding.message);
        return STATUS_BAD_INPUT;
    }
    cyaml_err_t error = cyaml_load_data((const uint8_t *)yaml->text, yaml->size, &CONFIG,
                                        schema, &yaml->data, NULL);
    if (error == CYAML_ERR_OOM) {
        return STATUS_NO_MEMORY;
    }
    if (error) {
        log_error("%s:1: cannot be read (%s); compare with a file of the library",
                  yaml->path, cyaml_strerror(error));
        return STATUS_BAD_INPUT;
    }
    yaml->schema = schema;
    *data = yaml->data;
    return STATUS_OK;
}

void yaml_text_destroy(struct yaml_text *yaml)
{
    if (!yaml) {
        return;
    }
    if (yaml->data) {
        cyaml_free(&CONFIG, yaml->schema, yaml->data, 0);
    }
    if (yaml->has_document) {
        yaml_document_delete(&yaml->document);
    }
    free(yaml);
}

static enum status file_read_all(FILE *file, const char *path, char **text, size_t *size)
{
    /* Nearly all files are small. */
    static const size_t rooms[] = {SMALL_SIZE, YAML_TEXT_SIZE_MAX + 1};
    char *buffer = NULL;
    size_t count = 0;
    enum status status = STATUS_OK;
    for (size_t index = 0; index < 2 && (index == 0 || count == SMALL_SIZE); index++) {
        char *larger = realloc(buffer, rooms[index] + 1);
        if (!larger) {
            free(buffer);
            return STATUS_NO_MEMORY;
        }
        buffer = larger;
        count += fread(buffer + count, 1, rooms[index] - count, file);
    }
    if (ferror(file)) {
        log_error("%s: cannot be read: %s; is it a folder?", path, strerror(errno));
        status = STATUS_IO;
    } else if (count > YAML_TEXT_SIZE_MAX) {
        log_error("%s:1: longer than 1 MiB; this is not a file for Limber", path);
        status = STATUS_BAD_INPUT;
    }
    if (status) {
        free(buffer);
        return status;
    }
    buffer[count] = '\0';
    *text = buffer;
    *size = count;
    return STATUS_OK;
}

enum status yaml_text_read_file(const char *path, char **text, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        bool is_absent = errno == ENOENT || errno == ENOTDIR;
        log_error("%s: cannot be opened: %s; check the name and the rights", path,
                  strerror(errno));
        return is_absent ? STATUS_NOT_FOUND : STATUS_IO;
    }
    enum status status = file_read_all(file, path, text, size);
    fclose(file);
    return status;
}

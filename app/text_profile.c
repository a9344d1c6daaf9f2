#include "app/text_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/yaml_text.h"

enum {
    KEY_SIZE = 48
};

/* The file as written; texts owned by the YAML reader. */
struct column_entry {
    char *name;
    double scale;
    double offset;
};

enum separator_word {
    SEPARATOR_AUTO,
    SEPARATOR_COMMA,
    SEPARATOR_TAB,
    SEPARATOR_SEMICOLON,
    SEPARATOR_SPACE
};

struct profile_root {
    char *title;
    unsigned baud;
    double rate_hz;
    enum separator_word separator;
    bool decimal_comma;
    bool trailing_separator;
    unsigned header_lines;
    struct column_entry *columns;
    unsigned columns_count;
};

static const cyaml_strval_t SEPARATOR_WORDS[] = {
    {"auto", SEPARATOR_AUTO},           {"comma", SEPARATOR_COMMA}, {"tab", SEPARATOR_TAB},
    {"semicolon", SEPARATOR_SEMICOLON}, {"space", SEPARATOR_SPACE},
};

static const char SEPARATORS[] = {
    [SEPARATOR_AUTO] = '\0',     [SEPARATOR_COMMA] = ',', [SEPARATOR_TAB] = '\t',
    [SEPARATOR_SEMICOLON] = ';', [SEPARATOR_SPACE] = ' ',
};

static const cyaml_schema_field_t COLUMN_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct column_entry, name, 1,
                           TEXT_COLUMN_NAME_SIZE - 1),
    CYAML_FIELD_FLOAT("scale", CYAML_FLAG_OPTIONAL, struct column_entry, scale),
    CYAML_FIELD_FLOAT("offset", CYAML_FLAG_OPTIONAL, struct column_entry, offset),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t COLUMN_SCHEMA = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct column_entry, COLUMN_FIELDS),
};

static const cyaml_schema_field_t ROOT_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct profile_root, title, 1, 63),
    CYAML_FIELD_UINT("baud", CYAML_FLAG_OPTIONAL, struct profile_root, baud),
    CYAML_FIELD_FLOAT("rate_hz", CYAML_FLAG_OPTIONAL, struct profile_root, rate_hz),
    CYAML_FIELD_ENUM("separator", CYAML_FLAG_OPTIONAL, struct profile_root, separator,
                     SEPARATOR_WORDS, CYAML_ARRAY_LEN(SEPARATOR_WORDS)),
    CYAML_FIELD_BOOL("decimal_comma", CYAML_FLAG_OPTIONAL, struct profile_root,
                     decimal_comma),
    CYAML_FIELD_BOOL("trailing_separator", CYAML_FLAG_OPTIONAL, struct profile_root,
                     trailing_separator),
    CYAML_FIELD_UINT("header_lines", CYAML_FLAG_OPTIONAL, struct profile_root,
                     header_lines),
    CYAML_FIELD_SEQUENCE("columns", CYAML_FLAG_POINTER, struct profile_root, columns,
                         &COLUMN_SCHEMA, 1, TEXT_COLUMN_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ROOT_SCHEMA = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct profile_root, ROOT_FIELDS),
};

/* ---- the file ---- */

static bool has_ending(const char *text, const char *ending)
{
    size_t size = strlen(text);
    size_t ending_size = strlen(ending);
    return size > ending_size && strcmp(text + size - ending_size, ending) == 0;
}

bool text_profile_is_file(const char *columns)
{
    return has_ending(columns, ".yaml") || has_ending(columns, ".yml");
}

static enum status column_take(const struct yaml_text *yaml, unsigned index,
                               const struct column_entry *from,
                               struct text_profile *profile)
{
    char key[KEY_SIZE];
    if (strpbrk(from->name, ",;\t")) {
        snprintf(key, sizeof key, "columns[%u].name", index);
        yaml_text_error(yaml, key, "'%s' is more than one name; write one entry a column",
                        from->name);
        return STATUS_BAD_INPUT;
    }
    size_t used = strlen(profile->columns);
    snprintf(profile->columns + used, sizeof profile->columns - used, "%s%s",
             index > 0 ? "," : "", from->name);
    snprintf(key, sizeof key, "columns[%u].scale", index);
    profile->lines.scales[index] = yaml_text_has(yaml, key) ? from->scale : 1.0;
    profile->lines.offsets[index] = from->offset;
    return STATUS_OK;
}

/* Tell what the driver says of the columns, at the line of the one it means. */
static enum status columns_check(const struct yaml_text *yaml,
                                 const struct text_profile *profile, unsigned count)
{
    unsigned column = count;
    const char *problem = text_columns_check(profile->columns, &column);
    if (!problem) {
        problem = text_lines_check(&profile->lines, profile->columns, &column);
    }
    if (!problem) {
        return STATUS_OK;
    }
    char key[KEY_SIZE] = "columns";
    if (column < count) {
        snprintf(key, sizeof key, "columns[%u].name", column);
    } else if (profile->lines.has_decimal_comma && profile->lines.separator == ',') {
        snprintf(key, sizeof key, "separator");
    }
    yaml_text_error(yaml, key, "%s", problem);
    return STATUS_BAD_INPUT;
}

static enum status numbers_check(const struct yaml_text *yaml,
                                 const struct profile_root *root)
{
    if (root->rate_hz < 0.0 || root->rate_hz > 10000.0) {
        yaml_text_error(yaml, "rate_hz", "rate %g is impossible; give 1 to 10000 Hz",
                        root->rate_hz);
        return STATUS_BAD_INPUT;
    }
    if (root->header_lines > TEXT_HEADER_LINE_MAX) {
        yaml_text_error(yaml, "header_lines", "%u header lines; give at most %d",
                        root->header_lines, (int)TEXT_HEADER_LINE_MAX);
        return STATUS_BAD_INPUT;
    }
    return STATUS_OK;
}

static enum status profile_take(const struct yaml_text *yaml,
                                const struct profile_root *root,
                                struct text_profile *profile)
{
    enum status status = numbers_check(yaml, root);
    profile->is_set = true;
    snprintf(profile->title, sizeof profile->title, "%s", root->title ? root->title : "");
    profile->baud = root->baud;
    profile->rate_hz = root->rate_hz;
    profile->lines.separator = SEPARATORS[root->separator];
    profile->lines.has_decimal_comma = root->decimal_comma;
    profile->lines.has_trailing_separator = root->trailing_separator;
    profile->lines.header_line_count = root->header_lines;
    for (unsigned index = 0; index < root->columns_count && !status; index++) {
        status = column_take(yaml, index, &root->columns[index], profile);
    }
    return status ? status : columns_check(yaml, profile, root->columns_count);
}

enum status text_profile_read(const char *path, struct text_profile *profile)
{
    char *text = NULL;
    size_t size = 0;
    struct yaml_text *yaml = NULL;
    void *data = NULL;
    struct text_profile taken = {0};
    enum status status = yaml_text_read_file(path, &text, &size);
    if (!status) {
        status = yaml_text_create(path, text, size, &yaml);
    }
    if (!status) {
        status = yaml_text_load(yaml, &ROOT_SCHEMA, &data);
    }
    if (!status) {
        status = profile_take(yaml, data, &taken);
    }
    if (!status) {
        *profile = taken;
    }
    yaml_text_destroy(yaml);
    free(text);
    return status;
}

void text_profile_apply(const struct text_profile *profile,
                        struct driver_settings *settings)
{
    if (!profile->is_set) {
        return;
    }
    settings->columns = profile->columns;
    settings->lines = &profile->lines;
    settings->baud = settings->baud > 0 ? settings->baud : profile->baud;
    settings->rate_hz = settings->rate_hz > 0.0 ? settings->rate_hz : profile->rate_hz;
}

/* ---- journals ---- */

static unsigned columns_count(const char *columns)
{
    unsigned count = 1;
    for (; *columns; columns++) {
        count += *columns == ',';
    }
    return count;
}

static json_t *numbers_encode(const double *values, unsigned count)
{
    json_t *array = json_array();
    for (unsigned index = 0; index < count; index++) {
        json_array_append_new(array, json_real(values[index]));
    }
    return array;
}

json_t *text_profile_encode(const struct text_profile *profile)
{
    const struct text_lines *lines = &profile->lines;
    unsigned count = columns_count(profile->columns);
    return json_pack("{s:s, s:i, s:f, s:s, s:i, s:b, s:b, s:i, s:o, s:o}", "title",
                     profile->title, "baud", (int)profile->baud, "rate_hz",
                     profile->rate_hz, "columns", profile->columns, "separator",
                     (int)lines->separator, "decimal_comma", (int)lines->has_decimal_comma,
                     "trailing_separator", (int)lines->has_trailing_separator,
                     "header_lines", (int)lines->header_line_count, "scales",
                     numbers_encode(lines->scales, count), "offsets",
                     numbers_encode(lines->offsets, count));
}

static bool text_take(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (!value || strlen(value) >= size) {
        return false;
    }
    memcpy(text, value, strlen(value) + 1);
    return true;
}

static bool numbers_take(const json_t *array, unsigned count, double *values)
{
    if (json_array_size(array) != count || count > TEXT_COLUMN_MAX) {
        return false;
    }
    for (unsigned index = 0; index < count; index++) {
        const json_t *number = json_array_get(array, index);
        if (!json_is_number(number)) {
            return false;
        }
        values[index] = json_number_value(number);
    }
    return true;
}

static bool unsigned_take(const json_t *object, const char *key, unsigned *value)
{
    const json_t *number = json_object_get(object, key);
    json_int_t integer = json_integer_value(number);
    *value = (unsigned)integer;
    return json_is_integer(number) && integer >= 0 && integer <= INT32_MAX;
}

bool text_profile_decode(const json_t *object, struct text_profile *profile)
{
    struct text_profile taken = {.is_set = true};
    struct text_lines *lines = &taken.lines;
    unsigned separator = 0;
    bool is_good = text_take(object, "title", taken.title, sizeof taken.title)
                   && text_take(object, "columns", taken.columns, sizeof taken.columns)
                   && unsigned_take(object, "baud", &taken.baud)
                   && unsigned_take(object, "separator", &separator) && separator < 128
                   && unsigned_take(object, "header_lines", &lines->header_line_count);
    unsigned count = columns_count(taken.columns);
    is_good = is_good
              && numbers_take(json_object_get(object, "scales"), count, lines->scales)
              && numbers_take(json_object_get(object, "offsets"), count, lines->offsets);
    if (!is_good) {
        return false;
    }
    taken.rate_hz = json_number_value(json_object_get(object, "rate_hz"));
    lines->separator = (char)separator;
    lines->has_decimal_comma = json_is_true(json_object_get(object, "decimal_comma"));
    lines->has_trailing_separator =
        json_is_true(json_object_get(object, "trailing_separator"));
    *profile = taken;
    return true;
}

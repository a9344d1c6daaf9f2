/* A YAML text with line numbers: checks it against a libcyaml schema and says in one line
 * what is wrong, where and what to do. Used while reading files, never in the live path.
 * One thread. */
#ifndef LIMBER_PROTOCOLS_YAML_TEXT_H
#define LIMBER_PROTOCOLS_YAML_TEXT_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#if defined(__GNUC__)
#define YAML_TEXT_FORMAT_CHECK(text, first) __attribute__((format(printf, text, first)))
#else
#define YAML_TEXT_FORMAT_CHECK(text, first)
#endif

enum {
    YAML_TEXT_SIZE_MAX = 1024 * 1024
};

struct yaml_text;

/* @param path  For messages; copied.
 * @param text  Borrowed until destroy.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line (not YAML, empty, over 1 MiB);
 *         STATUS_NO_MEMORY. */
enum status yaml_text_create(const char *path, const char *text, size_t size,
                             struct yaml_text **out);

/* Read a whole file into memory that the caller frees; a zero follows the last byte.
 * @return STATUS_OK; STATUS_NOT_FOUND, STATUS_IO or STATUS_BAD_INPUT after one logged line.
 */
enum status yaml_text_read_file(const char *path, char **text, size_t *size);

/* Check against the schema and convert.
 * @param schema  A mapping behind a pointer (CYAML_FLAG_POINTER).
 * @param data    Out: owned by yaml; freed by yaml_text_destroy.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line: unknown key (with the nearest
 * known one), key twice, missing key, wrong type, text too long. */
enum status yaml_text_load(struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                           void **data);

/* Line (from 1) of a key such as "parts[1].zone.low"; of the nearest existing parent when
 * the key itself is absent. */
unsigned yaml_text_line(const struct yaml_text *yaml, const char *key);

bool yaml_text_has(const struct yaml_text *yaml, const char *key);

/* Log "PATH:LINE: message" for a key. */
void yaml_text_error(const struct yaml_text *yaml, const char *key, const char *format, ...)
    YAML_TEXT_FORMAT_CHECK(3, 4);

/* The same as a warning. */
void yaml_text_warning(const struct yaml_text *yaml, const char *key, const char *format,
                       ...) YAML_TEXT_FORMAT_CHECK(3, 4);

/* Edit distance of two words, for "did you mean": small is near. */
unsigned yaml_text_distance(const char *a, const char *b);

/* NULL is allowed. */
void yaml_text_destroy(struct yaml_text *yaml);

#endif

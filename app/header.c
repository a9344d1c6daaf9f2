#include "app/header.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Raised when a reader of older programs could misread the text. */
static const int HEADER_SCHEMA = 1;

enum status header_create(struct header **out)
{
    struct header *header = calloc(1, sizeof *header);
    if (!header) {
        return STATUS_NO_MEMORY;
    }
    screening_init(&header->screening);
    *out = header;
    return STATUS_OK;
}

void header_destroy(struct header *header)
{
    if (!header) {
        return;
    }
    for (unsigned index = 0; index < header->protocol_count; index++) {
        protocol_release(&header->protocols[index]);
    }
    free(header);
}

static json_t *doubles_encode(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t index = 0; index < count; index++) {
        json_array_append_new(array, json_real(values[index]));
    }
    return array;
}

static json_t *flex_encode(const struct calibration_flex *flex)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "offset", flex->offset, "scale",
                     flex->scale, "low", flex->low, "high", flex->high, "residual_rad",
                     flex->residual_rad, "terms_rad",
                     doubles_encode(flex->terms_rad, flex->term_count));
}

static json_t *sensor_encode(const struct sensor_entry *entry)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:f, s:i, s:s, s:s}", "role", role_text(entry->role), "driver",
        entry->driver, "port", entry->port, "rate_hz", entry->rate_hz, "baud",
        (int)entry->baud, "columns", entry->columns, "channel", entry->channel);
    if (object && entry->flex.term_count > 0) {
        json_object_set_new(object, "flex", flex_encode(&entry->flex));
    }
    /* Whole: the file it was read from may be gone when the journal is read. */
    if (object && entry->profile.is_set
        && json_object_set_new(object, "profile", text_profile_encode(&entry->profile))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *screening_encode(const struct screening *screening)
{
    json_t *answers = json_array();
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        json_array_append_new(answers, json_integer(screening->answers[index]));
    }
    return json_pack("{s:o, s:i, s:i, s:b, s:b, s:s, s:s}", "answers", answers, "pain_now",
                     screening->pain_now, "pain_after", screening->pain_after,
                     "acknowledged", (int)screening->acknowledged, "hypermobile",
                     (int)screening->hypermobile, "override_role", screening->override_role,
                     "override_reason", screening->override_reason);
}

static json_t *sensors_encode(const struct sensor_list *list)
{
    json_t *array = json_array();
    for (unsigned index = 0; index < list->count; index++) {
        if (json_array_append_new(array, sensor_encode(&list->entries[index]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *protocols_encode(const struct header *header)
{
    json_t *array = json_array();
    for (unsigned index = 0; index < header->protocol_count; index++) {
        const struct protocol *protocol = &header->protocols[index];
        json_array_append_new(array, json_pack("{s:s, s:s%}", "id", protocol->id, "text",
                                               protocol->text, protocol->text_size));
    }
    return array;
}

enum status header_encode(const struct header *header, char **text)
{
    json_t *root = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:o, s:o, s:o}", "format",
        "limber-journal", "schema", HEADER_SCHEMA, "uuid", header->uuid, "visit_uuid",
        header->visit_uuid, "subject", header->subject, "operator", header->operator_code,
        "software", header->software, "commit", header->commit, "start_utc_us",
        (json_int_t)header->start_utc_us, "align", (int)header->align, "is_recorded",
        (int)header->is_recorded, "screening", screening_encode(&header->screening),
        "sensors", sensors_encode(&header->sensors), "protocols", protocols_encode(header));
    if (!root) {
        log_error(
            "session header: a text is not UTF-8; use plain letters in the sensor file and "
            "answers");
        return STATUS_BAD_INPUT;
    }
    char *dump = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (!dump) {
        return STATUS_NO_MEMORY;
    }
    *text = dump;
    return STATUS_OK;
}

/* Copy a string member; absent or too long counts as damage. */
static bool text_decode(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (!value || strlen(value) >= size) {
        return false;
    }
    memcpy(text, value, strlen(value) + 1);
    return true;
}

static double number_decode(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void flex_decode(const json_t *object, struct calibration_flex *flex)
{
    flex->offset = number_decode(object, "offset");
    flex->scale = number_decode(object, "scale");
    flex->low = number_decode(object, "low");
    flex->high = number_decode(object, "high");
    flex->residual_rad = number_decode(object, "residual_rad");
    const json_t *terms = json_object_get(object, "terms_rad");
    for (size_t index = 0;
         index < json_array_size(terms) && index < CALIBRATION_FLEX_TERM_MAX; index++) {
        flex->terms_rad[index] = json_number_value(json_array_get(terms, index));
        flex->term_count = (unsigned)index + 1;
    }
}

static bool sensor_decode(const json_t *object, struct sensor_entry *entry)
{
    char role[32];
    bool good = text_decode(object, "role", role, sizeof role)
                && role_parse(role, &entry->role)
                && text_decode(object, "driver", entry->driver, sizeof entry->driver)
                && text_decode(object, "port", entry->port, sizeof entry->port)
                && text_decode(object, "columns", entry->columns, sizeof entry->columns)
                && text_decode(object, "channel", entry->channel, sizeof entry->channel);
    entry->rate_hz = number_decode(object, "rate_hz");
    entry->baud = (unsigned)json_integer_value(json_object_get(object, "baud"));
    flex_decode(json_object_get(object, "flex"), &entry->flex);
    const json_t *profile = json_object_get(object, "profile");
    return good && (!profile || text_profile_decode(profile, &entry->profile));
}

static bool sensors_decode(const json_t *array, struct sensor_list *list)
{
    size_t count = json_array_size(array);
    if (count == 0 || count > CAPTURE_DEVICE_MAX) {
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        if (!sensor_decode(json_array_get(array, index), &list->entries[index])) {
            return false;
        }
    }
    list->count = (unsigned)count;
    return true;
}

static bool screening_decode(const json_t *object, struct screening *screening)
{
    const json_t *answers = json_object_get(object, "answers");
    if (json_array_size(answers) != SCREENING_QUESTION_COUNT) {
        return false;
    }
    for (size_t index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        screening->answers[index] =
            (enum screening_answer)json_integer_value(json_array_get(answers, index));
    }
    screening->pain_now = (int)json_integer_value(json_object_get(object, "pain_now"));
    screening->pain_after = (int)json_integer_value(json_object_get(object, "pain_after"));
    screening->acknowledged = json_is_true(json_object_get(object, "acknowledged"));
    screening->hypermobile = json_is_true(json_object_get(object, "hypermobile"));
    return text_decode(object, "override_role", screening->override_role,
                       sizeof screening->override_role)
           && text_decode(object, "override_reason", screening->override_reason,
                          sizeof screening->override_reason);
}

static bool protocols_decode(const json_t *array, struct header *header)
{
    size_t count = json_array_size(array);
    if (count > RUNNER_STRETCH_MAX) {
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        const json_t *object = json_array_get(array, index);
        const json_t *text = json_object_get(object, "text");
        const char *id = json_string_value(json_object_get(object, "id"));
        if (!id || !json_is_string(text)
            || protocol_parse(id, json_string_value(text), json_string_length(text),
                              &header->protocols[index])) {
            return false;
        }
        header->protocol_count++;
    }
    return true;
}

void header_protocols_adapt(struct header *header)
{
    for (unsigned index = 0; index < header->protocol_count; index++) {
        protocol_adapt(&header->protocols[index], sensor_list_worn(&header->sensors));
    }
}

bool header_is_simulated(const struct header *header)
{
    const char *patient = NULL;
    for (unsigned index = 0; index < header->sensors.count; index++) {
        if (sensor_entry_is_simulated(&header->sensors.entries[index], &patient)) {
            return true;
        }
    }
    return false;
}

static bool root_decode(const json_t *root, struct header *header)
{
    header->start_utc_us = json_integer_value(json_object_get(root, "start_utc_us"));
    header->align = json_is_true(json_object_get(root, "align"));
    header->is_recorded = json_is_true(json_object_get(root, "is_recorded"));
    return json_integer_value(json_object_get(root, "schema")) == HEADER_SCHEMA
           && text_decode(root, "uuid", header->uuid, sizeof header->uuid)
           && text_decode(root, "visit_uuid", header->visit_uuid, sizeof header->visit_uuid)
           && text_decode(root, "subject", header->subject, sizeof header->subject)
           && text_decode(root, "operator", header->operator_code,
                          sizeof header->operator_code)
           && text_decode(root, "software", header->software, sizeof header->software)
           && text_decode(root, "commit", header->commit, sizeof header->commit)
           && screening_decode(json_object_get(root, "screening"), &header->screening)
           && sensors_decode(json_object_get(root, "sensors"), &header->sensors)
           && protocols_decode(json_object_get(root, "protocols"), header);
}

enum status header_decode(const char *text, size_t size, struct header **out)
{
    struct header *header = NULL;
    enum status status = header_create(&header);
    if (status) {
        return status;
    }
    json_error_t error;
    json_t *root = json_loadb(text, size, 0, &error);
    if (!root || !root_decode(root, header)) {
        log_error("journal header: not readable by this version of Limber (%s)",
                  root ? "a field is missing or wrong" : error.text);
        status = STATUS_CORRUPT;
        header_destroy(header);
    } else {
        header_protocols_adapt(header);
        *out = header;
    }
    json_decref(root);
    return status;
}

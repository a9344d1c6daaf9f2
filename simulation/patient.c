#include "simulation/patient.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "base/log.h"
#include "simulation_patients_yaml.h"

enum {
    PATIENT_FAULT_MAX = 32,
    PATIENT_FILE_MAX = 1 << 20,
    MESSAGE_SIZE = 200
};

static const cyaml_schema_field_t MOVEMENT_FIELDS[] = {
    CYAML_FIELD_FLOAT("range_left", CYAML_FLAG_DEFAULT, struct patient_movement,
                      range_left),
    CYAML_FIELD_FLOAT("range_right", CYAML_FLAG_DEFAULT, struct patient_movement,
                      range_right),
    CYAML_FIELD_FLOAT("speed", CYAML_FLAG_DEFAULT, struct patient_movement, speed),
    CYAML_FIELD_FLOAT("reaction_s", CYAML_FLAG_DEFAULT, struct patient_movement,
                      reaction_s),
    CYAML_FIELD_FLOAT("countdown_s", CYAML_FLAG_DEFAULT, struct patient_movement,
                      countdown_s),
    CYAML_FIELD_FLOAT("range_cv", CYAML_FLAG_DEFAULT, struct patient_movement, range_cv),
    CYAML_FIELD_FLOAT("tempo_cv", CYAML_FLAG_DEFAULT, struct patient_movement, tempo_cv),
    CYAML_FIELD_FLOAT("hold_effort", CYAML_FLAG_DEFAULT, struct patient_movement,
                      hold_effort),
    CYAML_FIELD_END};

static const cyaml_schema_field_t STEADINESS_FIELDS[] = {
    CYAML_FIELD_FLOAT("sway_deg", CYAML_FLAG_DEFAULT, struct patient_steadiness, sway_deg),
    CYAML_FIELD_FLOAT("breathing_deg", CYAML_FLAG_DEFAULT, struct patient_steadiness,
                      breathing_deg),
    CYAML_FIELD_FLOAT("breathing_hz", CYAML_FLAG_DEFAULT, struct patient_steadiness,
                      breathing_hz),
    CYAML_FIELD_FLOAT("tremor_deg", CYAML_FLAG_DEFAULT, struct patient_steadiness,
                      tremor_deg),
    CYAML_FIELD_FLOAT("drift_out", CYAML_FLAG_DEFAULT, struct patient_steadiness,
                      drift_out),
    CYAML_FIELD_FLOAT("leave_early", CYAML_FLAG_DEFAULT, struct patient_steadiness,
                      leave_early),
    CYAML_FIELD_END};

static const cyaml_schema_field_t SENSOR_FIELDS[] = {
    CYAML_FIELD_FLOAT("mounting_deg", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      mounting_deg),
    CYAML_FIELD_FLOAT("gyro_bias_deg_s", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      gyro_bias_deg_s),
    CYAML_FIELD_FLOAT("accel_bias_g", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      accel_bias_g),
    CYAML_FIELD_FLOAT("scale_error", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      scale_error),
    CYAML_FIELD_FLOAT("clock_error", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      clock_error),
    CYAML_FIELD_FLOAT("arrival_jitter_s", CYAML_FLAG_DEFAULT, struct patient_sensors,
                      arrival_jitter_s),
    CYAML_FIELD_FLOAT("noise", CYAML_FLAG_DEFAULT, struct patient_sensors, noise),
    CYAML_FIELD_END};

static const cyaml_strval_t FAULT_KINDS[] = {
    {"drop_out", FAULT_DROP_OUT}, {"stall", FAULT_STALL},     {"unplug", FAULT_UNPLUG},
    {"slip", FAULT_SLIP},         {"corrupt", FAULT_CORRUPT},
};

static const cyaml_schema_field_t FAULT_FIELDS[] = {
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct patient_fault, kind, FAULT_KINDS,
                     sizeof FAULT_KINDS / sizeof FAULT_KINDS[0]),
    CYAML_FIELD_STRING_PTR("role", CYAML_FLAG_POINTER, struct patient_fault, role, 1, 32),
    CYAML_FIELD_STRING_PTR("stretch", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct patient_fault, stretch, 1, 64),
    CYAML_FIELD_STRING_PTR("phase", CYAML_FLAG_POINTER, struct patient_fault, phase, 1, 16),
    CYAML_FIELD_FLOAT("after_s", CYAML_FLAG_DEFAULT, struct patient_fault, after_s),
    CYAML_FIELD_FLOAT("duration_s", CYAML_FLAG_DEFAULT, struct patient_fault, duration_s),
    CYAML_FIELD_FLOAT("angle_deg", CYAML_FLAG_OPTIONAL, struct patient_fault, angle_deg),
    CYAML_FIELD_FLOAT("probability", CYAML_FLAG_OPTIONAL, struct patient_fault,
                      probability),
    CYAML_FIELD_UINT("times", CYAML_FLAG_OPTIONAL, struct patient_fault, times),
    CYAML_FIELD_END};

static const cyaml_schema_value_t FAULT_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct patient_fault, FAULT_FIELDS)};

static const cyaml_schema_field_t PATIENT_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct patient, name, 1, 40),
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, struct patient, title, 1, 200),
    CYAML_FIELD_MAPPING("movement", CYAML_FLAG_DEFAULT, struct patient, movement,
                        MOVEMENT_FIELDS),
    CYAML_FIELD_MAPPING("steadiness", CYAML_FLAG_DEFAULT, struct patient, steadiness,
                        STEADINESS_FIELDS),
    CYAML_FIELD_MAPPING("sensors", CYAML_FLAG_DEFAULT, struct patient, sensors,
                        SENSOR_FIELDS),
    CYAML_FIELD_SEQUENCE("faults", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct patient,
                         faults, &FAULT_VALUE, 0, PATIENT_FAULT_MAX),
    CYAML_FIELD_END};

static const cyaml_schema_value_t PATIENT_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct patient, PATIENT_FIELDS)};

/* First message of the reader and the first line it names. */
struct complaint {
    char text[MESSAGE_SIZE];
    unsigned line;
};

static void complaint_take(cyaml_log_t level, void *user, const char *format,
                           va_list arguments)
{
    struct complaint *complaint = user;
    char text[MESSAGE_SIZE];
    (void)level;
    vsnprintf(text, sizeof text, format, arguments);
    const char *line = strstr(text, "line: ");
    if (line && complaint->line == 0) {
        complaint->line = (unsigned)strtoul(line + strlen("line: "), NULL, 10);
    }
    if (complaint->text[0] == '\0') {
        const char *start = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text;
        snprintf(complaint->text, sizeof complaint->text, "%.*s", (int)strcspn(start, "\n"),
                 start);
    }
}

/* Line of the first "key:" in text at or after a line, counted from 1; that line if none.
 */
static unsigned key_line(const char *text, const char *key, unsigned from_line)
{
    size_t key_size = strlen(key);
    unsigned line = 1;
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n' ? 1 : 0;
        const char *word = at + strspn(at, " -\t\"'");
        if (line >= from_line && strncmp(word, key, key_size) == 0
            && strspn(word + key_size, " \"'") + key_size < strlen(word)
            && word[key_size + strspn(word + key_size, " \"'")] == ':') {
            return line;
        }
        line++;
    }
    return from_line;
}

static void complaint_log(struct complaint *complaint, const char *path, const char *text)
{
    static const char UNEXPECTED[] = "Unexpected key: ";
    if (complaint->line == 0) {
        complaint->line = 1;
    }
    if (strncmp(complaint->text, UNEXPECTED, strlen(UNEXPECTED)) == 0) {
        /* The reader names the line before; the key itself is easier to find. */
        const char *key = complaint->text + strlen(UNEXPECTED);
        log_error(
            "%s:%u: unknown key '%s'; remove it, or see a built-in patient for the keys",
            path, key_line(text, key, complaint->line), key);
        return;
    }
    log_error("%s:%u: %s; correct this line or the one after it", path, complaint->line,
              complaint->text[0] ? complaint->text : "not readable as YAML");
}

/* Limits of the numbers, for plain messages and so that no formula meets nonsense. */
struct limit {
    const char *key;
    double value;
    double low;
    double high;
};

static enum status limits_check(const char *path, const char *text,
                                const struct limit *limits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct limit *limit = &limits[i];
        if (!(limit->value >= limit->low && limit->value <= limit->high)) {
            log_error("%s:%u: %s is %g; allowed is %g to %g", path,
                      key_line(text, limit->key, 1), limit->key, limit->value, limit->low,
                      limit->high);
            return STATUS_BAD_INPUT;
        }
    }
    return STATUS_OK;
}

static enum status numbers_check(const char *path, const char *text,
                                 const struct patient *patient)
{
    const struct patient_movement *movement = &patient->movement;
    const struct patient_steadiness *steadiness = &patient->steadiness;
    const struct patient_sensors *sensors = &patient->sensors;
    const struct limit limits[] = {
        {"range_left", movement->range_left, 0.1, 1.6},
        {"range_right", movement->range_right, 0.1, 1.6},
        {"speed", movement->speed, 0.3, 4.0},
        {"reaction_s", movement->reaction_s, 0.25, 5.0},
        {"countdown_s", movement->countdown_s, 0.0, 30.0},
        {"range_cv", movement->range_cv, 0.0, 0.3},
        {"tempo_cv", movement->tempo_cv, 0.0, 0.3},
        {"hold_effort", movement->hold_effort, 0.1, 1.5},
        {"sway_deg", steadiness->sway_deg, 0.0, 10.0},
        {"breathing_deg", steadiness->breathing_deg, 0.0, 10.0},
        {"breathing_hz", steadiness->breathing_hz, 0.05, 1.0},
        {"tremor_deg", steadiness->tremor_deg, 0.0, 1.0},
        {"drift_out", steadiness->drift_out, 0.0, 1.0},
        {"leave_early", steadiness->leave_early, 0.0, 1.0},
        {"mounting_deg", sensors->mounting_deg, 0.0, 60.0},
        {"gyro_bias_deg_s", sensors->gyro_bias_deg_s, 0.0, 20.0},
        {"accel_bias_g", sensors->accel_bias_g, 0.0, 0.2},
        {"scale_error", sensors->scale_error, 0.0, 0.1},
        {"clock_error", sensors->clock_error, 0.0, 0.02},
        {"arrival_jitter_s", sensors->arrival_jitter_s, 0.0, 0.2},
        {"noise", sensors->noise, 0.0, 20.0},
    };
    return limits_check(path, text, limits, sizeof limits / sizeof limits[0]);
}

static enum status faults_check(const char *path, const char *text,
                                const struct patient *patient)
{
    for (unsigned i = 0; i < patient->faults_count; i++) {
        const struct patient_fault *fault = &patient->faults[i];
        const struct limit limits[] = {
            {"after_s", fault->after_s, 0.3, 3600.0},
            {"duration_s", fault->duration_s, 0.0, 60.0},
            {"angle_deg", fault->angle_deg, -90.0, 90.0},
            {"probability", fault->probability, 0.0, 1.0},
        };
        enum role role;
        if (strcmp(fault->role, "all") != 0 && !role_parse(fault->role, &role)) {
            log_error("%s:%u: no role '%s'; use \"all\" or a role like pelvis_dorsal", path,
                      key_line(text, "faults", 1), fault->role);
            return STATUS_BAD_INPUT;
        }
        enum status status =
            limits_check(path, text, limits, sizeof limits / sizeof limits[0]);
        if (status) {
            return status;
        }
    }
    return STATUS_OK;
}

static cyaml_config_t reader_config(struct complaint *complaint)
{
    return (cyaml_config_t){.log_fn = complaint_take,
                            .log_ctx = complaint,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_WARNING,
                            .flags = CYAML_CFG_NO_ALIAS};
}

enum status patient_parse(const char *path, const char *text, size_t size,
                          struct patient **patient)
{
    struct complaint complaint = {.line = 0};
    const cyaml_config_t config = reader_config(&complaint);
    struct patient *read = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, size, &config,
                                        &PATIENT_VALUE, (cyaml_data_t **)&read, NULL);
    if (error == CYAML_ERR_OOM) {
        return STATUS_NO_MEMORY;
    }
    if (error || !read) {
        complaint_log(&complaint, path, text);
        return STATUS_BAD_INPUT;
    }
    enum status status = numbers_check(path, text, read);
    if (!status) {
        status = faults_check(path, text, read);
    }
    if (status) {
        patient_destroy(read);
        return status;
    }
    *patient = read;
    return STATUS_OK;
}

static enum status file_read(const char *path, char **text, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        log_error("%s: cannot be opened: %s; check the path of the simulated patient", path,
                  strerror(errno));
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    char *bytes = malloc(PATIENT_FILE_MAX);
    size_t count = bytes ? fread(bytes, 1, PATIENT_FILE_MAX - 1, file) : 0;
    int failed = ferror(file);
    fclose(file);
    if (!bytes) {
        return STATUS_NO_MEMORY;
    }
    if (failed) {
        log_error("%s: cannot be read; is it a file?", path);
        free(bytes);
        return STATUS_IO;
    }
    bytes[count] = '\0';
    *text = bytes;
    *size = count;
    return STATUS_OK;
}

static bool is_path(const char *name)
{
    size_t length = strlen(name);
    return strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".yaml") == 0);
}

enum status patient_find(const char *name, struct patient **patient)
{
    if (is_path(name)) {
        char *text = NULL;
        size_t size = 0;
        enum status status = file_read(name, &text, &size);
        if (!status) {
            status = patient_parse(name, text, size, patient);
        }
        free(text);
        return status;
    }
    for (size_t i = 0; i < simulation_patients_yaml_count; i++) {
        const struct embedded_file *file = &simulation_patients_yaml[i];
        size_t length = strlen(file->name) - strlen(".yaml");
        if (strlen(name) == length && strncmp(file->name, name, length) == 0) {
            return patient_parse(file->name, file->text, file->size, patient);
        }
    }
    log_error("no simulated patient '%s'; built in are comfortable, stiff, asymmetric, "
              "hypermobile, hurried, poor_holder, drop_out, stall, slip, corrupted",
              name);
    return STATUS_NOT_FOUND;
}

void patient_destroy(struct patient *patient)
{
    struct complaint complaint = {.line = 0};
    const cyaml_config_t config = reader_config(&complaint);
    if (patient) {
        cyaml_free(&config, &PATIENT_VALUE, patient, 0);
    }
}

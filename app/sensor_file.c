#include "app/sensor_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/driver.h"
#include "app/sensor_port.h"
#include "base/log.h"
#include "base/units.h"
#include "protocols/yaml_text.h"

enum {
    PATH_SIZE = 4096
};

/* The file as written; texts owned by the YAML reader. */
struct flex_point {
    double reading;
    double deg;
};

struct file_entry {
    char *role;
    char *driver;
    char *port;
    double rate_hz;
    unsigned baud;
    char *columns;
    char *channel;
    struct flex_point *flex;
    unsigned flex_count;
};

struct file_root {
    struct file_entry *sensors;
    unsigned sensors_count;
};

static const cyaml_schema_field_t FLEX_FIELDS[] = {
    CYAML_FIELD_FLOAT("reading", CYAML_FLAG_DEFAULT, struct flex_point, reading),
    CYAML_FIELD_FLOAT("deg", CYAML_FLAG_DEFAULT, struct flex_point, deg),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t FLEX_SCHEMA = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct flex_point, FLEX_FIELDS),
};

static const cyaml_schema_field_t ENTRY_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("role", CYAML_FLAG_POINTER, struct file_entry, role, 1, 31),
    CYAML_FIELD_STRING_PTR("driver", CYAML_FLAG_POINTER, struct file_entry, driver, 1, 31),
    CYAML_FIELD_STRING_PTR("port", CYAML_FLAG_POINTER, struct file_entry, port, 1,
                           SENSOR_TEXT_SIZE - 1),
    CYAML_FIELD_FLOAT("rate_hz", CYAML_FLAG_OPTIONAL, struct file_entry, rate_hz),
    CYAML_FIELD_UINT("baud", CYAML_FLAG_OPTIONAL, struct file_entry, baud),
    CYAML_FIELD_STRING_PTR("columns", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct file_entry, columns, 1, SENSOR_TEXT_SIZE - 1),
    CYAML_FIELD_STRING_PTR("channel", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct file_entry, channel, 1, 15),
    CYAML_FIELD_SEQUENCE("flex", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                         struct file_entry, flex, &FLEX_SCHEMA, 2, 2),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ENTRY_SCHEMA = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_entry, ENTRY_FIELDS),
};

static const cyaml_schema_field_t ROOT_FIELDS[] = {
    CYAML_FIELD_SEQUENCE("sensors", CYAML_FLAG_POINTER, struct file_root, sensors,
                         &ENTRY_SCHEMA, 1, CAPTURE_DEVICE_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ROOT_SCHEMA = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_root, ROOT_FIELDS),
};

static void text_copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

/* Two points say nothing about the curve between them: acceptance limit of a strip
 * calibrated on the body (project default). */
static const double FLEX_TWO_POINT_ERROR_RAD = 5.0 * RAD_PER_DEG;

/* A line through two points of (reading, angle): quick calibration of a strip. */
static bool flex_fit(const struct flex_point *points, struct calibration_flex *flex)
{
    double span = points[1].reading - points[0].reading;
    if (span == 0.0) {
        return false;
    }
    *flex = (struct calibration_flex){
        .offset = points[0].reading,
        .scale = span,
        .terms_rad = {points[0].deg * RAD_PER_DEG,
                      (points[1].deg - points[0].deg) * RAD_PER_DEG},
        .term_count = 2,
        .low = span > 0.0 ? points[0].reading : points[1].reading,
        .high = span > 0.0 ? points[1].reading : points[0].reading,
        .residual_rad = FLEX_TWO_POINT_ERROR_RAD,
    };
    return true;
}

/* A profile file that `columns` names; relative names start at the sensor file. */
static enum status profile_read(const char *sensor_path, struct sensor_entry *entry)
{
    if (strcmp(entry->driver, "text") != 0 || !text_profile_is_file(entry->columns)) {
        return STATUS_OK;
    }
    char path[PATH_SIZE];
    const char *slash = strrchr(sensor_path, '/');
    bool is_relative = entry->columns[0] != '/' && slash;
    int folder_size = is_relative ? (int)(slash - sensor_path) + 1 : 0;
    int size =
        snprintf(path, sizeof path, "%.*s%s", folder_size, sensor_path, entry->columns);
    if (size < 0 || (size_t)size >= sizeof path) {
        log_error("%s: the path of the profile %s is too long; move it nearer", sensor_path,
                  entry->columns);
        return STATUS_BAD_INPUT;
    }
    enum status status = text_profile_read(path, &entry->profile);
    if (!status) {
        entry->baud = entry->baud > 0 ? entry->baud : entry->profile.baud;
        entry->rate_hz = entry->rate_hz > 0.0 ? entry->rate_hz : entry->profile.rate_hz;
    }
    return status;
}

static enum status entry_read(const char *path, const struct yaml_text *yaml,
                              unsigned index, const struct file_entry *from,
                              struct sensor_entry *to)
{
    char key[48];
    snprintf(key, sizeof key, "sensors[%u].role", index);
    if (!role_parse(from->role, &to->role)) {
        yaml_text_error(yaml, key,
                        "no role '%s'; roles are thorax_dorsal, pelvis_dorsal, "
                        "sternum, pelvis_ventral, thigh_l, thigh_r, shank_l, "
                        "shank_r, flex_lumbar, flex_knee_l, flex_knee_r",
                        from->role);
        return STATUS_BAD_INPUT;
    }
    snprintf(key, sizeof key, "sensors[%u].driver", index);
    const struct driver *driver = driver_find(from->driver);
    if (!driver) {
        yaml_text_error(yaml, key, "no driver '%s'; 'limber devices' lists them",
                        from->driver);
        return STATUS_BAD_INPUT;
    }
    snprintf(key, sizeof key, "sensors[%u].port", index);
    char problem[512];
    if (!sensor_port_fits(from->port, driver, problem, sizeof problem)) {
        yaml_text_error(yaml, key, "%s", problem);
        return STATUS_BAD_INPUT;
    }
    snprintf(key, sizeof key, "sensors[%u].rate_hz", index);
    if (from->rate_hz < 0.0 || from->rate_hz > 10000.0) {
        yaml_text_error(yaml, key, "rate %g is impossible; give 1 to 10000 Hz",
                        from->rate_hz);
        return STATUS_BAD_INPUT;
    }
    snprintf(key, sizeof key, "sensors[%u].flex", index);
    if (from->flex_count == 2 && !flex_fit(from->flex, &to->flex)) {
        yaml_text_error(yaml, key,
                        "both readings are equal; bend the strip for the second");
        return STATUS_BAD_INPUT;
    }
    to->rate_hz = from->rate_hz;
    to->baud = from->baud;
    text_copy(to->driver, sizeof to->driver, from->driver);
    text_copy(to->port, sizeof to->port, from->port);
    text_copy(to->columns, sizeof to->columns, from->columns);
    text_copy(to->channel, sizeof to->channel, from->channel);
    return profile_read(path, to);
}

static enum status roles_check(const struct yaml_text *yaml, const struct sensor_list *list)
{
    for (unsigned index = 1; index < list->count; index++) {
        for (unsigned before = 0; before < index; before++) {
            if (list->entries[before].role == list->entries[index].role) {
                char key[48];
                snprintf(key, sizeof key, "sensors[%u].role", index);
                yaml_text_error(yaml, key, "%s is worn twice; every role takes one sensor",
                                role_text(list->entries[index].role));
                return STATUS_BAD_INPUT;
            }
        }
    }
    return STATUS_OK;
}

static enum status list_read(const char *path, const struct yaml_text *yaml,
                             const struct file_root *root, struct sensor_list *list)
{
    for (unsigned index = 0; index < root->sensors_count; index++) {
        enum status status =
            entry_read(path, yaml, index, &root->sensors[index], &list->entries[index]);
        if (status) {
            return status;
        }
        list->count++;
    }
    return roles_check(yaml, list);
}

enum status sensor_file_read(const char *path, struct sensor_list *list)
{
    char *text = NULL;
    size_t size = 0;
    struct yaml_text *yaml = NULL;
    void *data = NULL;
    memset(list, 0, sizeof *list);
    enum status status = yaml_text_read_file(path, &text, &size);
    if (!status) {
        status = yaml_text_create(path, text, size, &yaml);
    }
    if (!status) {
        status = yaml_text_load(yaml, &ROOT_SCHEMA, &data);
    }
    if (!status) {
        status = list_read(path, yaml, data, list);
    }
    yaml_text_destroy(yaml);
    free(text);
    return status;
}

struct driver_settings sensor_entry_settings(const struct sensor_entry *entry)
{
    struct driver_settings settings = {
        .rate_hz = entry->rate_hz,
        .baud = entry->baud,
        .columns = entry->columns[0] ? entry->columns : NULL,
        .channel = entry->channel[0] ? entry->channel : NULL,
    };
    text_profile_apply(&entry->profile, &settings);
    return settings;
}

bool sensor_entry_is_simulated(const struct sensor_entry *entry, const char **patient)
{
    return sensor_port_kind_of(entry->port, patient) == SENSOR_PORT_SIMULATED;
}

unsigned sensor_list_worn(const struct sensor_list *list)
{
    unsigned worn = 0;
    for (unsigned index = 0; index < list->count; index++) {
        worn |= 1u << list->entries[index].role;
    }
    return worn;
}

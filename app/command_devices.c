/* limber devices: what is plugged in, what it is, and how well it does. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acquisition/driver.h"
#include "app/command.h"
#include "app/device_list.h"
#include "app/device_probe.h"
#include "app/device_watch.h"
#include "app/options.h"
#include "app/sensor_port.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber devices [--json]\n"
    "       limber devices --probe [PORT] [--driver NAME] [--json]\n"
    "       limber devices --watch [PORT [--driver NAME] | --sensors FILE] [--seconds N]\n"
    "                      [--json]\n\n"
    "Lists serial ports and USB devices, the drivers that would take them, and what to "
    "write\n"
    "as 'port:' in a sensor file.\n\n"
    "  --probe         listen at each port for what it sends, then ask those that bear "
    "the USB\n"
    "                  number of a sensor who they are; nothing is sent to any other\n"
    "  --watch         open and set up sensors as an assessment would, and show every "
    "second\n"
    "                  rate, losses, jitter, battery and noise at rest; Ctrl-C ends it "
    "and\n"
    "                  leaves the sensors as they were found; without PORT: all sensors\n"
    "                  that are known by their USB number\n"
    "  --driver NAME   the sensor is of this kind (this one is asked, too)\n"
    "  --sensors FILE  the sensors of a sensor file\n"
    "  --rate HZ       set the watched sensor to this rate\n"
    "  --baud N        speed of its serial line\n"
    "  --seconds N     watch for so long\n"
    "  --json          print JSON; while watching one object a line\n"
    "  --help          print this\n\n"
    "examples: limber devices\n"
    "          limber devices --probe /dev/ttyUSB0 --driver witmotion\n"
    "          limber devices --watch /dev/ttyACM0 --driver xio-ximu3 --rate 100\n"
    "          limber devices --watch --sensors sensors.yaml --seconds 60 --json\n";

struct devices_options {
    const char *port;
    const struct driver *driver;
    const char *sensors;
    double rate_hz;
    unsigned baud;
    double seconds;
    bool is_probing;
    bool is_watching;
    bool is_json;
};

/* ---- the list ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *names_json(const struct driver *const *drivers, unsigned first, unsigned end)
{
    json_t *names = json_array();
    for (unsigned i = first; i < end; i++) {
        json_array_append_new(names, json_string(drivers[i]->name));
    }
    return names;
}

static json_t *entry_json(const struct device_entry *entry)
{
    bool is_usb = entry->vendor_id >= 0;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "port",
        entry->port, "name", entry->name, "kind", entry->is_serial ? "serial" : "usb",
        "description", entry->product, "maker", entry->maker, "serial_number",
        entry->serial_number, "vendor_id",
        is_usb ? json_integer(entry->vendor_id) : json_null(), "product_id",
        is_usb ? json_integer(entry->product_id) : json_null(), "by_id",
        text_or_null(entry->by_id), "usb", text_or_null(entry->twin), "driver",
        entry->sure_count > 0 ? json_string(entry->drivers[0]->name) : json_null(),
        "drivers", names_json(entry->drivers, 0, entry->sure_count), "possible_drivers",
        names_json(entry->drivers, entry->sure_count, entry->driver_count), "problem",
        text_or_null(entry->problem));
}

static json_t *drivers_json(void)
{
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:i, s:f, s:b}", "name", drivers[i]->name, "title",
                            drivers[i]->title, "baud", (int)drivers[i]->baud, "rate_hz",
                            drivers[i]->rate_hz, "is_usb_only", drivers[i]->is_usb_only));
    }
    return list;
}

static void root_print(json_t *root)
{
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static void entry_title(const struct device_entry *entry)
{
    printf("%s", entry->name);
    if (entry->vendor_id >= 0) {
        printf("  %04X:%04X", (unsigned)entry->vendor_id, (unsigned)entry->product_id);
    }
    printf("%s%s%s%s", entry->maker[0] ? "  " : "", entry->maker,
           entry->product[0] ? "  " : "", entry->product);
    printf("%s%s\n", entry->serial_number[0] ? "  serial " : "", entry->serial_number);
}

static void names_print(const struct device_entry *entry, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        printf("%s%s", i > first ? ", " : "", entry->drivers[i]->name);
    }
}

static void entry_print(const struct device_entry *entry)
{
    entry_title(entry);
    printf("    driver: ");
    if (entry->sure_count > 0) {
        names_print(entry, 0, entry->sure_count);
    } else if (entry->driver_count > 0) {
        printf("possibly ");
        names_print(entry, 0, entry->driver_count);
        printf(" (its adapter comes with many things)");
    } else {
        printf("none known by this number%s",
               entry->is_serial ? "; any may be behind it" : "");
    }
    printf("\n    port:   %s", entry->port);
    printf("%s%s\n", entry->twin[0] ? ", or without the serial port " : "", entry->twin);
    if (entry->problem[0]) {
        printf("    %s\n", entry->problem);
    }
}

static void list_print(const struct device_list *list)
{
    if (list->count == 0) {
        puts("nothing is plugged in that could be a sensor");
    }
    for (unsigned i = 0; i < list->count; i++) {
        entry_print(&list->entries[i]);
    }
    puts("\ndrivers for a sensor file:");
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t i = 0; i < count; i++) {
        printf("  %-18s %s", drivers[i]->name, drivers[i]->title);
        if (drivers[i]->is_usb_only) {
            puts(" (USB)");
        } else {
            printf(" (%u baud)\n", drivers[i]->baud);
        }
    }
}

static int list_show(const struct device_list *list, bool is_json)
{
    if (!is_json) {
        list_print(list);
        return EXIT_CODE_OK;
    }
    json_t *ports = json_array();
    for (unsigned i = 0; i < list->count; i++) {
        json_array_append_new(ports, entry_json(&list->entries[i]));
    }
    root_print(json_pack("{s:o, s:o}", "ports", ports, "drivers", drivers_json()));
    return EXIT_CODE_OK;
}

/* ---- probing ---- */

/* On a terminal only: one line that is written over. */
static void progress_show(void *user, const char *doing)
{
    const struct device_entry *entry = user;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K%s: %s", entry->name, doing);
    }
}

static void progress_clear(void)
{
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
}

static json_t *probe_json(const struct device_entry *entry, enum status status,
                          const struct probe_result *result)
{
    json_t *object = entry_json(entry);
    const struct driver *driver = result->driver;
    json_object_set_new(object, "probe",
                        json_pack("{s:b, s:o, s:o, s:f, s:f, s:I, s:I, s:b, s:b, s:o}",
                                  "was_opened", status == STATUS_OK, "driver",
                                  driver ? json_string(driver->name) : json_null(), "baud",
                                  result->baud ? json_integer(result->baud) : json_null(),
                                  "rate_hz", result->rate_hz, "share", result->share,
                                  "bytes", (json_int_t)result->byte_count, "frames",
                                  (json_int_t)result->frame_count, "was_asked",
                                  result->was_asked, "has_answered", result->has_answered,
                                  "identity", text_or_null(result->identity)));
    return object;
}

static void heard_print(const struct probe_result *result)
{
    if (!result->driver && result->byte_count == 0) {
        printf("    heard:  nothing%s\n",
               result->was_asked ? ", and no answer when asked" : "");
    } else if (!result->driver) {
        printf("    heard:  %llu bytes at up to %u baud that no driver understands; if you "
               "know what it is, name it with --driver\n",
               (unsigned long long)result->byte_count, result->baud);
    } else {
        printf("    found:  %s", result->driver->title);
        printf("%s%s%s", result->identity[0] ? " (" : "", result->identity,
               result->identity[0] ? ")" : "");
        if (result->baud > 0) {
            printf(" at %u baud", result->baud);
        }
        if (result->frame_count > 0) {
            printf(", about %.0f samples/s, %.0f %% of %llu bytes in good frames",
                   result->rate_hz, 100.0 * result->share,
                   (unsigned long long)result->byte_count);
        }
        putchar('\n');
    }
    if (result->driver) {
        printf("    write:  driver: %s%s", result->driver->name,
               result->baud > 0 && result->baud != result->driver->baud ? ", baud: " : "");
        if (result->baud > 0 && result->baud != result->driver->baud) {
            printf("%u", result->baud);
        }
        putchar('\n');
    }
}

static enum status entry_probe(const struct device_entry *entry,
                               const struct devices_options *options, json_t *list)
{
    struct probe_result result = {0};
    struct device_entry shown = *entry;
    enum status status =
        device_probe(entry, options->driver, progress_show, &shown, &result);
    progress_clear();
    if (options->is_json) {
        json_array_append_new(list, probe_json(entry, status, &result));
    } else {
        entry_print(entry);
        if (!status) {
            heard_print(&result);
        }
    }
    return status;
}

static enum status all_probe(const struct device_list *list,
                             const struct devices_options *options, json_t *found)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < list->count; i++) {
        const struct device_entry *entry = &list->entries[i];
        /* A USB device that no driver knows is none of our business. */
        if (entry->is_serial || entry->sure_count > 0) {
            enum status probed = entry_probe(entry, options, found);
            status = status ? status : probed;
        }
    }
    return status;
}

/* A terminal that no list has, such as that of an emulator: nothing is known of it. */
static bool entry_make(const char *path, struct device_entry *entry)
{
    if (strncmp(path, "usb:", 4) == 0 || access(path, F_OK) != 0) {
        return false;
    }
    memset(entry, 0, sizeof *entry);
    snprintf(entry->port, sizeof entry->port, "%s", path);
    snprintf(entry->name, sizeof entry->name, "%s", path);
    entry->vendor_id = -1;
    entry->product_id = -1;
    entry->is_serial = true;
    return true;
}

static int probe_run(const struct device_list *list, const struct devices_options *options)
{
    struct device_entry unlisted;
    const struct device_entry *entry =
        options->port ? device_list_find(list, options->port) : NULL;
    if (options->port && !entry && entry_make(options->port, &unlisted)) {
        entry = &unlisted;
    }
    if (options->port && !entry) {
        log_error("devices: %s is not plugged in; 'limber devices' lists what is",
                  options->port);
        return EXIT_CODE_DEVICE;
    }
    json_t *found = json_array();
    enum status status =
        entry ? entry_probe(entry, options, found) : all_probe(list, options, found);
    if (options->is_json) {
        root_print(json_pack("{s:o}", "ports", found));
    } else {
        json_decref(found);
    }
    return options_exit_code(status);
}

/* ---- watching ---- */

static bool sensor_add(struct sensor_list *sensors, const char *port,
                       const struct driver *driver, const struct devices_options *options)
{
    if (sensors->count == CAPTURE_DEVICE_MAX) {
        return false;
    }
    struct sensor_entry *entry = &sensors->entries[sensors->count++];
    snprintf(entry->driver, sizeof entry->driver, "%s", driver->name);
    snprintf(entry->port, sizeof entry->port, "%.255s", port);
    entry->rate_hz = options->rate_hz;
    entry->baud = options->baud;
    return true;
}

static enum status sensor_name(const struct device_list *list,
                               const struct devices_options *options,
                               struct sensor_list *sensors)
{
    const struct device_entry *entry = device_list_find(list, options->port);
    const struct driver *driver = options->driver;
    if (!driver && entry && entry->sure_count == 1) {
        driver = entry->drivers[0];
    }
    if (!driver) {
        log_error("devices: what is at %s? name it with --driver, or see 'limber devices "
                  "--probe %s'",
                  options->port, options->port);
        return STATUS_BAD_INPUT;
    }
    char problem[512];
    if (!sensor_port_fits(options->port, driver, problem, sizeof problem)) {
        log_error("devices: %s", problem);
        return STATUS_BAD_INPUT;
    }
    sensor_add(sensors, options->port, driver, options);
    return STATUS_OK;
}

static enum status sensors_choose(const struct device_list *list,
                                  const struct devices_options *options,
                                  struct sensor_list *sensors)
{
    if (options->sensors) {
        return sensor_file_read(options->sensors, sensors);
    }
    if (options->port) {
        return sensor_name(list, options, sensors);
    }
    for (unsigned i = 0; i < list->count; i++) {
        const struct device_entry *entry = &list->entries[i];
        if (entry->sure_count > 0) {
            sensor_add(sensors, entry->port, entry->drivers[0], options);
        }
    }
    if (sensors->count == 0) {
        log_error("devices: no sensor is known by its USB number; name a PORT and its "
                  "--driver");
        return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

static int watch_run(const struct device_list *list, const struct devices_options *options)
{
    struct sensor_list *sensors = calloc(1, sizeof *sensors);
    if (!sensors) {
        return options_exit_code(STATUS_NO_MEMORY);
    }
    enum status status = sensors_choose(list, options, sensors);
    if (!status) {
        const struct device_watch_settings settings = {
            .sensors = sensors,
            .has_roles = options->sensors != NULL,
            .seconds = options->seconds,
            .is_json = options->is_json,
        };
        status = device_watch_run(&settings);
    }
    free(sensors);
    return options_exit_code(status);
}

/* ---- options ---- */

static bool number_read(const char *name, const char *text, double max, double *value)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number > 0.0 && number <= max)) {
        log_error("devices: --%s %s: give a number above 0, at most %g", name, text, max);
        return false;
    }
    *value = number;
    return true;
}

static bool driver_read(const char *name, struct devices_options *options)
{
    options->driver = driver_find(name);
    if (!options->driver) {
        log_error("devices: no driver '%s'; 'limber devices' lists them", name);
    }
    return options->driver != NULL;
}

static bool option_take(int option, struct devices_options *options)
{
    double baud = 0.0;
    bool is_good = true;
    switch (option) {
    case 'j':
        options->is_json = true;
        break;
    case 'p':
        options->is_probing = true;
        break;
    case 'w':
        options->is_watching = true;
        break;
    case 'd':
        return driver_read(optarg, options);
    case 's':
        options->sensors = optarg;
        break;
    case 'n':
        return number_read("seconds", optarg, 1e6, &options->seconds);
    case 'r':
        return number_read("rate", optarg, 10000.0, &options->rate_hz);
    case 'b':
        is_good = number_read("baud", optarg, 1e7, &baud);
        options->baud = (unsigned)baud;
        break;
    default:
        return false;
    }
    return is_good;
}

/* @return What is wrong with the options together, or NULL. */
static const char *conflict(const struct devices_options *options)
{
    bool is_doing = options->is_probing || options->is_watching;
    return options->is_probing && options->is_watching ? "choose --probe or --watch"
           : !is_doing && (options->port || options->driver || options->sensors)
               ? "a port, --driver and --sensors go with --probe or --watch"
           : options->sensors && options->is_probing ? "--sensors goes with --watch"
           : options->sensors && (options->port || options->driver)
               ? "give --sensors or a port, not both"
           : options->driver && !options->port ? "--driver says what is at a port: name it"
           : !options->is_watching
                   && (options->seconds > 0.0 || options->rate_hz > 0.0
                       || options->baud > 0)
               ? "--seconds, --rate and --baud go with --watch"
               : NULL;
}

int command_devices(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"probe", no_argument, NULL, 'p'},
        {"watch", no_argument, NULL, 'w'},
        {"driver", required_argument, NULL, 'd'},
        {"sensors", required_argument, NULL, 's'},
        {"seconds", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},
        {"baud", required_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct devices_options options = {0};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        }
        if (!option_take(option, &options)) {
            return EXIT_CODE_USAGE;
        }
    }
    options.port = optind < argc ? argv[optind++] : NULL;
    const char *problem = conflict(&options);
    if (problem || optind < argc) {
        log_error("devices: %s%s; see 'limber devices --help'",
                  problem ? problem : argv[optind], problem ? "" : " is not expected");
        return EXIT_CODE_USAGE;
    }
    struct device_list *list = calloc(1, sizeof *list);
    if (!list) {
        return options_exit_code(STATUS_NO_MEMORY);
    }
    enum status status = device_list_read(list);
    int code = status                ? options_exit_code(status)
               : options.is_probing  ? probe_run(list, &options)
               : options.is_watching ? watch_run(list, &options)
                                     : list_show(list, options.is_json);
    free(list);
    return code;
}

/* limber devices: serial ports, and which driver would take each. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

#include "acquisition/driver.h"
#include "acquisition/transport.h"
#include "app/command.h"
#include "app/options.h"
#include "base/log.h"

enum {
    PORT_MAX = 64
};

static const char HELP[] = "usage: limber devices [--json]\n"
                           "\n"
                           "Lists the serial ports of this computer, the driver that fits "
                           "each by its USB number,\n"
                           "and the drivers there are.\n"
                           "\n"
                           "  --json   print JSON\n"
                           "  --help   print this\n"
                           "\n"
                           "example: limber devices --json\n";

static bool id_matches(const struct usb_id *id, const struct serial_port_info *port)
{
    return id->vendor_id == port->vendor_id
           && (id->product_id == 0 || id->product_id == port->product_id);
}

/* Driver that the USB number of a port fits, or NULL. */
static const struct driver *driver_match(const struct serial_port_info *port)
{
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t index = 0; index < count; index++) {
        const struct driver *driver = drivers[index];
        for (unsigned i = 0; i < driver->usb_id_count; i++) {
            if (!driver->usb_ids[i].is_adapter && id_matches(&driver->usb_ids[i], port)) {
                return driver;
            }
        }
    }
    return NULL;
}

static json_t *port_json(const struct serial_port_info *port)
{
    const struct driver *driver = driver_match(port);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "port", port->name, "description",
                               port->description, "maker", port->maker, "serial_number",
                               port->serial_number);
    bool is_usb = port->vendor_id >= 0;
    json_object_set_new(object, "vendor_id",
                        is_usb ? json_integer(port->vendor_id) : json_null());
    json_object_set_new(object, "product_id",
                        is_usb ? json_integer(port->product_id) : json_null());
    json_object_set_new(object, "driver", driver ? json_string(driver->name) : json_null());
    return object;
}

static void json_print(const struct serial_port_info *ports, size_t port_count)
{
    json_t *port_list = json_array();
    for (size_t index = 0; index < port_count; index++) {
        json_array_append_new(port_list, port_json(&ports[index]));
    }
    json_t *names = json_array();
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t index = 0; index < count; index++) {
        json_array_append_new(
            names, json_pack("{s:s, s:s, s:i, s:f}", "name", drivers[index]->name, "title",
                             drivers[index]->title, "baud", (int)drivers[index]->baud,
                             "rate_hz", drivers[index]->rate_hz));
    }
    json_t *root = json_pack("{s:o, s:o}", "ports", port_list, "drivers", names);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static void port_print(const struct serial_port_info *port)
{
    const struct driver *driver = driver_match(port);
    printf("%-16s %-16s ", port->name, driver ? driver->name : "(any driver)");
    if (port->vendor_id >= 0) {
        printf("%04X:%04X  ", (unsigned)port->vendor_id, (unsigned)port->product_id);
    }
    printf("%s%s%s", port->maker, port->maker[0] ? " " : "", port->description);
    printf("%s%s\n", port->serial_number[0] ? "  serial " : "", port->serial_number);
}

static void text_print(const struct serial_port_info *ports, size_t port_count)
{
    if (port_count == 0) {
        puts("no serial port found; plug the sensor in, and see that you may open it "
             "(group dialout)");
    }
    for (size_t index = 0; index < port_count; index++) {
        port_print(&ports[index]);
    }
    puts("\ndrivers for a sensor file:");
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t index = 0; index < count; index++) {
        printf("  %-16s %s (%u baud)\n", drivers[index]->name, drivers[index]->title,
               drivers[index]->baud);
    }
}

int command_devices(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool is_json = false;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'j':
            is_json = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            fputs(HELP, stderr);
            return EXIT_CODE_USAGE;
        }
    }
    if (optind < argc) {
        log_error("devices: '%s' is not expected; see 'limber devices --help'",
                  argv[optind]);
        return EXIT_CODE_USAGE;
    }
    struct serial_port_info ports[PORT_MAX];
    size_t count = 0;
    enum status status = transport_serial_list(ports, PORT_MAX, &count);
    if (status) {
        return (int)options_exit_code(status);
    }
    if (is_json) {
        json_print(ports, count);
    } else {
        text_print(ports, count);
    }
    return EXIT_CODE_OK;
}

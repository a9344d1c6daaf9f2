#include "app/sensor_port.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    USB_NUMBER_SIZE = 4 /* hex digits */
};

struct prefix {
    const char *text;
    enum sensor_port_kind kind;
};

static const struct prefix PREFIXES[] = {
    {"usb:", SENSOR_PORT_USB},
    {"file:", SENSOR_PORT_FILE},
    {"simulated:", SENSOR_PORT_SIMULATED},
};

static bool is_number(const char *text)
{
    return strspn(text, "0123456789ABCDEFabcdef") >= USB_NUMBER_SIZE;
}

/* "1-2.3": bus, then ports. */
static bool is_path(const char *text)
{
    size_t bus = strspn(text, "0123456789");
    return bus > 0 && text[bus] == '-' && text[bus + 1] >= '1' && text[bus + 1] <= '9'
           && strspn(text + bus + 1, "0123456789.") == strlen(text + bus + 1);
}

/* "054C:0CE6", then nothing, ":SERIAL" or "@1-2.3". */
static bool is_usb_address(const char *text)
{
    if (!is_number(text) || text[USB_NUMBER_SIZE] != ':'
        || !is_number(text + USB_NUMBER_SIZE + 1)) {
        return false;
    }
    const char *rest = text + 2 * USB_NUMBER_SIZE + 1;
    return rest[0] == '\0' || (rest[0] == ':' && rest[1] != '\0')
           || (rest[0] == '@' && is_path(rest + 1));
}

enum sensor_port_kind sensor_port_kind_of(const char *port, const char **rest)
{
    *rest = port;
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        size_t size = strlen(PREFIXES[i].text);
        if (strncmp(port, PREFIXES[i].text, size) != 0) {
            continue;
        }
        *rest = port + size;
        bool is_good =
            PREFIXES[i].kind == SENSOR_PORT_USB ? is_usb_address(*rest) : **rest != '\0';
        return is_good ? PREFIXES[i].kind : SENSOR_PORT_BAD;
    }
    return SENSOR_PORT_SERIAL;
}

/* What to write for a driver that has no serial line. */
static void usb_advise(const struct driver *driver, const char *port, char *problem,
                       size_t size)
{
    if (driver->usb_id_count == 0) {
        snprintf(problem, size, "%s is no USB device: write 'usb:VENDOR:PRODUCT'", port);
        return;
    }
    const struct usb_id *id = &driver->usb_ids[0];
    snprintf(problem, size,
             "the %s has no serial line: write 'usb:%04X:%04X', or with its serial number "
             "as 'limber devices' shows it",
             driver->title, id->vendor_id, id->product_id);
}

bool sensor_port_fits(const char *port, const struct driver *driver, char *problem,
                      size_t size)
{
    const char *rest = NULL;
    switch (sensor_port_kind_of(port, &rest)) {
    case SENSOR_PORT_SERIAL:
        if (driver->is_usb_only) {
            usb_advise(driver, port, problem, size);
            return false;
        }
        return true;
    case SENSOR_PORT_USB:
    case SENSOR_PORT_FILE:
    case SENSOR_PORT_SIMULATED:
        return true;
    case SENSOR_PORT_BAD:
        break;
    }
    snprintf(problem, size,
             "'%s' names nothing: write 'usb:054C:0CE6' (vendor and product, four hex "
             "digits each), 'usb:054C:0CE6:SERIAL', 'usb:054C:0CE6@1-2' (bus and ports), "
             "'file:PATH' or 'simulated:PATIENT'",
             port);
    return false;
}

bool sensor_port_is_present(const char *port)
{
    const char *rest = NULL;
    switch (sensor_port_kind_of(port, &rest)) {
    case SENSOR_PORT_SERIAL:
        return transport_serial_is_present(port);
    case SENSOR_PORT_USB:
        return transport_usb_is_present(rest);
    case SENSOR_PORT_FILE:
    case SENSOR_PORT_SIMULATED:
    case SENSOR_PORT_BAD:
        break;
    }
    return true;
}

bool sensor_port_exists(const char *port)
{
    const char *rest = NULL;
    return sensor_port_kind_of(port, &rest) == SENSOR_PORT_SERIAL
               ? access(port, F_OK) == 0
               : sensor_port_is_present(port);
}

enum status sensor_port_open(const struct sensor_entry *entry, const struct driver *driver,
                             bool is_again, struct simulation *simulation,
                             struct transport **out)
{
    const char *rest = NULL;
    enum sensor_port_kind kind = sensor_port_kind_of(entry->port, &rest);
    if (is_again && !sensor_port_is_present(entry->port)) {
        return STATUS_GONE;
    }
    switch (kind) {
    case SENSOR_PORT_SERIAL:
    case SENSOR_PORT_BAD:
        break;
    case SENSOR_PORT_USB:
        return transport_usb_open(rest, driver_usb_profile(driver), out);
    case SENSOR_PORT_FILE:
        return transport_file_open(rest, out);
    case SENSOR_PORT_SIMULATED:
        return simulation_transport_open(
            simulation, entry->role, entry->driver,
            entry->rate_hz > 0.0 ? entry->rate_hz : driver->rate_hz, out);
    }
    return transport_serial_open(entry->port, entry->baud ? entry->baud : driver->baud,
                                 out);
}

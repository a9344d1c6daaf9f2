/* What is plugged in: serial ports and USB devices as one list, which drivers would take
 * each, whether it may be opened, and what to write for it in a sensor file. Main thread.
 */
#ifndef LIMBER_APP_DEVICE_LIST_H
#define LIMBER_APP_DEVICE_LIST_H

#include "acquisition/driver.h"
#include "acquisition/transport.h"

enum {
    DEVICE_LIST_MAX = 96,
    DEVICE_DRIVER_MAX = 16,
    DEVICE_PORT_SIZE = 256
};

struct device_entry {
    char port[DEVICE_PORT_SIZE]; /* what to write as `port:` */
    char name[128];              /* "/dev/ttyACM0" or "usb:054C:0CE6" */
    char maker[64];
    char product[128];
    char serial_number[64];
    int vendor_id; /* -1 = not on USB */
    int product_id;
    bool is_serial;
    char by_id[DEVICE_PORT_SIZE]; /* lasting name of a serial port, "" = none */
    char twin[64];                /* USB device that is also this serial port */
    char problem[384];            /* why it cannot be opened and what to do, "" = it can */
    /* Drivers whose own USB number it bears, then those it may come with as an adapter. */
    const struct driver *drivers[DEVICE_DRIVER_MAX];
    unsigned sure_count;
    unsigned driver_count;
};

struct device_list {
    struct device_entry entries[DEVICE_LIST_MAX];
    unsigned count;
};

/* @return STATUS_OK (also for none), or what the listing of ports or devices said. */
enum status device_list_read(struct device_list *list);

/* The entry of a port as a person names it: its name, its lasting name or any link to it;
 * "usb:..." also without the serial number. NULL = not plugged in. */
const struct device_entry *device_list_find(const struct device_list *list,
                                            const char *port);

/* Whether the driver's own USB number is on the device; adapters prove nothing. */
bool device_entry_is_sure(const struct device_entry *entry, const struct driver *driver);

#endif

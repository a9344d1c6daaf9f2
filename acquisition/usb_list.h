/* USB devices as sysfs shows them: no permission is needed and nothing is opened. Reads a
 * few small files a call; any thread. transport_usb_list and transport_usb_is_present of
 * transport.h are here too. */
#ifndef LIMBER_ACQUISITION_USB_LIST_H
#define LIMBER_ACQUISITION_USB_LIST_H

#include <stdint.h>

#include "acquisition/transport.h"

enum {
    USB_NODE_SIZE = 64
};

/* A taken apart address; empty strings = not said. */
struct usb_address {
    uint16_t vendor_id;
    uint16_t product_id;
    char serial_number[64];
    char path[64];
};

struct usb_entry {
    struct usb_device_info info; /* address is left empty */
    unsigned bus;
    unsigned number; /* of the device on its bus; another after each plugging in */
};

/* @param out  Untouched on failure.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line. */
enum status usb_address_parse(const char *address, struct usb_address *out);

/* Devices that are plugged in now, hubs left out, sorted by path.
 * @param wanted   NULL = all.
 * @param entries  Out: room for capacity.
 * @return Count written. */
size_t usb_scan(const struct usb_address *wanted, struct usb_entry *entries,
                size_t capacity);

/* "/dev/bus/usb/001/005". */
void usb_entry_node(const struct usb_entry *entry, char node[USB_NODE_SIZE]);

#endif

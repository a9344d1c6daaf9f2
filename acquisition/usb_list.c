#include "acquisition/usb_list.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const char *const DEVICES_FOLDER = "/sys/bus/usb/devices";
/* Class code of hubs (USB 2.0, table 11-4). */
static const unsigned long HUB_CLASS = 0x09;

enum {
    LIST_MAX = 128,
    PATH_SIZE = 512,
    ID_SIZE = 9 /* "054C:0CE6" */
};

/* First line of a file of sysfs, without its end.
 * @return Whether there is one. */
static bool attribute_read(const char *device, const char *name, char *text, size_t size)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s/%s", DEVICES_FOLDER, device, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        return false;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t count = read(file, text, size - 1);
    close(file);
    text[count > 0 ? count : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return count > 0;
}

static bool attribute_number(const char *device, const char *name, int base,
                             unsigned long *number)
{
    char text[32];
    char *end = NULL;
    if (!attribute_read(device, name, text, sizeof text)) {
        return false;
    }
    *number = strtoul(text, &end, base);
    return end != text && *end == '\0';
}

/* Names with a colon are interfaces, "usb1" are root hubs. */
static bool name_is_device(const char *name)
{
    return isdigit((unsigned char)name[0]) && !strchr(name, ':');
}

static bool ids_fit(const char *device, const struct usb_address *wanted,
                    struct usb_device_info *info)
{
    unsigned long vendor_id;
    unsigned long product_id;
    if (!attribute_number(device, "idVendor", 16, &vendor_id)
        || !attribute_number(device, "idProduct", 16, &product_id)) {
        return false;
    }
    info->vendor_id = (uint16_t)vendor_id;
    info->product_id = (uint16_t)product_id;
    return !wanted
           || (wanted->vendor_id == info->vendor_id
               && wanted->product_id == info->product_id);
}

static bool entry_read(const char *device, const struct usb_address *wanted,
                       struct usb_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    struct usb_device_info *info = &entry->info;
    if (!ids_fit(device, wanted, info)
        || (wanted && wanted->path[0] && strcmp(wanted->path, device) != 0)) {
        return false;
    }
    unsigned long class = 0;
    if (attribute_number(device, "bDeviceClass", 16, &class) && class == HUB_CLASS) {
        return false;
    }
    unsigned long bus;
    unsigned long number;
    if (!attribute_number(device, "busnum", 10, &bus)
        || !attribute_number(device, "devnum", 10, &number)) {
        return false;
    }
    entry->bus = (unsigned)bus;
    entry->number = (unsigned)number;
    snprintf(info->path, sizeof info->path, "%.*s", (int)sizeof info->path - 1, device);
    attribute_read(device, "serial", info->serial_number, sizeof info->serial_number);
    if (wanted && wanted->serial_number[0]) {
        return strcmp(wanted->serial_number, info->serial_number) == 0;
    }
    return true;
}

static int entry_compare(const void *first, const void *second)
{
    const struct usb_entry *a = first;
    const struct usb_entry *b = second;
    return strcmp(a->info.path, b->info.path);
}

size_t usb_scan(const struct usb_address *wanted, struct usb_entry *entries,
                size_t capacity)
{
    DIR *folder = opendir(DEVICES_FOLDER);
    if (!folder) {
        return 0;
    }
    size_t count = 0;
    for (const struct dirent *item = readdir(folder); item && count < capacity;
         item = readdir(folder)) {
        if (name_is_device(item->d_name)
            && entry_read(item->d_name, wanted, &entries[count])) {
            count++;
        }
    }
    closedir(folder);
    qsort(entries, count, sizeof *entries, entry_compare);
    return count;
}

void usb_entry_node(const struct usb_entry *entry, char node[USB_NODE_SIZE])
{
    snprintf(node, USB_NODE_SIZE, "/dev/bus/usb/%03u/%03u", entry->bus, entry->number);
}

/* ---- addresses ---- */

/* Four hexadecimal digits, no less and no more. */
static bool id_parse(const char *text, uint16_t *id)
{
    for (unsigned i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    char digits[5] = {text[0], text[1], text[2], text[3], '\0'};
    *id = (uint16_t)strtoul(digits, NULL, 16);
    return true;
}

static bool rest_parse(const char *rest, struct usb_address *address)
{
    size_t size = strlen(rest);
    if (size == 0) {
        return true;
    }
    if (size == 1 || size > sizeof address->serial_number) {
        return false;
    }
    if (rest[0] == ':') {
        memcpy(address->serial_number, rest + 1, size);
        return true;
    }
    if (rest[0] == '@') {
        memcpy(address->path, rest + 1, size);
        return true;
    }
    return false;
}

enum status usb_address_parse(const char *address, struct usb_address *out)
{
    struct usb_address parsed;
    memset(&parsed, 0, sizeof parsed);
    if (!id_parse(address, &parsed.vendor_id) || address[4] != ':'
        || !id_parse(address + 5, &parsed.product_id)
        || !rest_parse(address + ID_SIZE, &parsed)) {
        log_error("usb:%.80s: not an address; write usb:VENDOR:PRODUCT, each four digits, "
                  "as in usb:054C:0CE6, with :SERIAL or @BUS-PORT behind it where there "
                  "are several; 'limber devices' lists them",
                  address);
        return STATUS_BAD_INPUT;
    }
    *out = parsed;
    return STATUS_OK;
}

/* Serial numbers that can stand in a sensor file without a second thought. */
static bool serial_is_plain(const char *serial)
{
    for (const char *c = serial; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) {
            return false;
        }
    }
    return serial[0] != '\0';
}

static bool is_equal_device(const struct usb_device_info *a,
                            const struct usb_device_info *b)
{
    return a->vendor_id == b->vendor_id && a->product_id == b->product_id
           && strcmp(a->serial_number, b->serial_number) == 0;
}

static void address_name(const struct usb_entry *entries, size_t count,
                         struct usb_device_info *info)
{
    size_t same_kind = 0;
    size_t equal = 0;
    for (size_t i = 0; i < count; i++) {
        const struct usb_device_info *other = &entries[i].info;
        same_kind +=
            info->vendor_id == other->vendor_id && info->product_id == other->product_id;
        equal += is_equal_device(info, other);
    }
    const unsigned vendor_id = info->vendor_id;
    const unsigned product_id = info->product_id;
    const size_t size = sizeof info->address;
    if (equal == 1 && serial_is_plain(info->serial_number)) {
        snprintf(info->address, size, "%04X:%04X:%s", vendor_id, product_id,
                 info->serial_number);
    } else if (same_kind == 1) {
        snprintf(info->address, size, "%04X:%04X", vendor_id, product_id);
    } else {
        snprintf(info->address, size, "%04X:%04X@%s", vendor_id, product_id, info->path);
    }
}

enum status transport_usb_list(struct usb_device_info *devices, size_t capacity,
                               size_t *count)
{
    struct usb_entry *entries = calloc(LIST_MAX, sizeof *entries);
    if (!entries) {
        return STATUS_NO_MEMORY;
    }
    size_t found = usb_scan(NULL, entries, LIST_MAX);
    size_t listed = found < capacity ? found : capacity;
    for (size_t i = 0; i < listed; i++) {
        struct usb_device_info *info = &entries[i].info;
        address_name(entries, found, info);
        attribute_read(info->path, "manufacturer", info->maker, sizeof info->maker);
        attribute_read(info->path, "product", info->product, sizeof info->product);
        devices[i] = *info;
    }
    free(entries);
    *count = listed;
    return STATUS_OK;
}

bool transport_usb_is_present(const char *address)
{
    struct usb_address wanted;
    struct usb_entry entry;
    char node[USB_NODE_SIZE];
    if (usb_address_parse(address, &wanted) || usb_scan(&wanted, &entry, 1) == 0) {
        return false;
    }
    /* The node comes a moment after the device, its permissions another moment later. */
    usb_entry_node(&entry, node);
    return access(node, R_OK | W_OK) == 0;
}

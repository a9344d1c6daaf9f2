#include "app/device_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "acquisition/access.h"

static const char BY_ID_FOLDER[] = "/dev/serial/by-id";

enum {
    LINK_STEPS_MAX = 8,
    SERIAL_MAX = 64,
    USB_MAX = 64
};

/* Bytes of the sequence that a first byte of UTF-8 announces, 0 = it is none (RFC 3629). */
static size_t sequence_size(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* A device may call itself anything: what is no text, or was cut in the middle of a letter,
 * becomes '?', since JSON takes text only and a terminal obeys control characters. */
static void text_clean(char *out, size_t capacity, const char *text)
{
    size_t used = 0;
    for (size_t i = 0; text[i] != '\0' && used + 4 < capacity;) {
        size_t size = sequence_size((unsigned char)text[i]);
        bool is_good = size > 0 && (unsigned char)text[i] >= ' ' && text[i] != 0x7F;
        for (size_t k = 1; is_good && k < size; k++) {
            is_good = ((unsigned char)text[i + k] & 0xC0) == 0x80;
        }
        size = is_good ? size : 1;
        for (size_t k = 0; k < size; k++) {
            out[used++] = is_good ? text[i + k] : '?';
        }
        i += size;
    }
    out[used] = '\0';
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- drivers ---- */

static bool id_matches(const struct usb_id *id, const struct device_entry *entry)
{
    return id->vendor_id == entry->vendor_id
           && (id->product_id == 0 || id->product_id == entry->product_id);
}

static bool driver_matches(const struct driver *driver, const struct device_entry *entry,
                           bool is_adapter)
{
    for (unsigned i = 0; i < driver->usb_id_count; i++) {
        if (driver->usb_ids[i].is_adapter == is_adapter
            && id_matches(&driver->usb_ids[i], entry)) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct device_entry *entry, const struct driver *driver)
{
    for (unsigned i = 0; i < entry->driver_count; i++) {
        if (entry->drivers[i] == driver) {
            return true;
        }
    }
    return false;
}

static void drivers_add(struct device_entry *entry, bool is_adapter)
{
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t i = 0; i < count && entry->driver_count < DEVICE_DRIVER_MAX; i++) {
        bool fits = driver_matches(drivers[i], entry, is_adapter)
                    && !(entry->is_serial && drivers[i]->is_usb_only);
        if (fits && !is_listed(entry, drivers[i])) {
            entry->drivers[entry->driver_count++] = drivers[i];
        }
    }
}

static void drivers_find(struct device_entry *entry)
{
    drivers_add(entry, false);
    entry->sure_count = entry->driver_count;
    drivers_add(entry, true);
}

bool device_entry_is_sure(const struct device_entry *entry, const struct driver *driver)
{
    for (unsigned i = 0; i < entry->sure_count; i++) {
        if (entry->drivers[i] == driver) {
            return true;
        }
    }
    return false;
}

/* ---- lasting names ---- */

/* One step along a link. @return false when path is no link. */
static bool link_step(char path[DEVICE_PORT_SIZE])
{
    char target[DEVICE_PORT_SIZE];
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) {
        return false;
    }
    target[size] = '\0';
    size_t folder_size = target[0] == '/' ? 0 : (size_t)(name_of(path) - path);
    if (folder_size + (size_t)size >= DEVICE_PORT_SIZE) {
        return false;
    }
    memcpy(path + folder_size, target, (size_t)size + 1);
    return true;
}

/* Whether a path is a port or leads to it. The last name that the kernel lists counts: what
 * lies behind it is of no interest (in containers it can be anything). */
static bool leads_to(const char *path, const char *port)
{
    char current[DEVICE_PORT_SIZE];
    if (snprintf(current, sizeof current, "%s", path) >= (int)sizeof current) {
        return false;
    }
    for (unsigned i = 0; i < LINK_STEPS_MAX; i++) {
        if (strcmp(name_of(current), name_of(port)) == 0) {
            return true;
        }
        if (!link_step(current)) {
            return false;
        }
    }
    return false;
}

static void by_id_find(struct device_entry *entry)
{
    DIR *folder = opendir(BY_ID_FOLDER);
    if (!folder) {
        return; /* no udev, or no USB port: no lasting names */
    }
    for (const struct dirent *file = readdir(folder); file && !entry->by_id[0];
         file = readdir(folder)) {
        char path[sizeof BY_ID_FOLDER + sizeof file->d_name];
        snprintf(path, sizeof path, "%s/%s", BY_ID_FOLDER, file->d_name);
        if (file->d_name[0] != '.' && strlen(path) < sizeof entry->by_id
            && leads_to(path, entry->name)) {
            memcpy(entry->by_id, path, strlen(path) + 1);
        }
    }
    closedir(folder);
}

/* ---- permission ---- */

static void access_check(struct device_entry *entry, const char *node)
{
    char advice[ACCESS_TEXT_SIZE];
    if (access(node, R_OK | W_OK) != 0 && errno == EACCES) {
        access_explain(node, advice);
        snprintf(entry->problem, sizeof entry->problem, "no permission to open it: %s",
                 advice);
    }
}

static bool text_read(const char *path, char *text, int size)
{
    FILE *file = fopen(path, "r");
    bool is_read = file && fgets(text, size, file);
    if (file) {
        fclose(file);
    }
    return is_read;
}

/* Node of a USB device, from the numbers that sysfs gives for its bus and ports. */
static bool usb_node(const char *path, char node[64])
{
    static const char *const NUMBERS[] = {"busnum", "devnum"};
    unsigned values[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        char file[160];
        char text[16];
        snprintf(file, sizeof file, "/sys/bus/usb/devices/%s/%s", path, NUMBERS[i]);
        if (!text_read(file, text, sizeof text) || sscanf(text, "%3u", &values[i]) != 1) {
            return false;
        }
    }
    snprintf(node, 64, "/dev/bus/usb/%03u/%03u", values[0], values[1]);
    return true;
}

/* ---- the list ---- */

static void serial_add(struct device_list *list, const struct serial_port_info *info)
{
    if (list->count == DEVICE_LIST_MAX) {
        return;
    }
    struct device_entry *entry = &list->entries[list->count++];
    *entry = (struct device_entry){
        .vendor_id = info->vendor_id, .product_id = info->product_id, .is_serial = true};
    snprintf(entry->name, sizeof entry->name, "%s", info->name);
    text_clean(entry->maker, sizeof entry->maker, info->maker);
    text_clean(entry->product, sizeof entry->product, info->description);
    text_clean(entry->serial_number, sizeof entry->serial_number, info->serial_number);
    by_id_find(entry);
    snprintf(entry->port, sizeof entry->port, "%s",
             entry->by_id[0] ? entry->by_id : entry->name);
    access_check(entry, entry->name);
    drivers_find(entry);
}

/* A USB device that the kernel has made a serial port of is listed as that port already.
 */
static struct device_entry *twin_find(struct device_list *list,
                                      const struct usb_device_info *info)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct device_entry *entry = &list->entries[i];
        if (entry->is_serial && !entry->twin[0] && entry->vendor_id == info->vendor_id
            && entry->product_id == info->product_id
            && strcmp(entry->serial_number, info->serial_number) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void usb_add(struct device_list *list, const struct usb_device_info *info)
{
    struct device_entry *twin = twin_find(list, info);
    if (twin) {
        snprintf(twin->twin, sizeof twin->twin, "usb:%.59s", info->address);
        return;
    }
    if (list->count == DEVICE_LIST_MAX) {
        return;
    }
    struct device_entry *entry = &list->entries[list->count++];
    *entry =
        (struct device_entry){.vendor_id = info->vendor_id, .product_id = info->product_id};
    snprintf(entry->port, sizeof entry->port, "usb:%s", info->address);
    snprintf(entry->name, sizeof entry->name, "usb:%.120s", info->address);
    text_clean(entry->maker, sizeof entry->maker, info->maker);
    text_clean(entry->product, sizeof entry->product, info->product);
    text_clean(entry->serial_number, sizeof entry->serial_number, info->serial_number);
    char node[64];
    if (usb_node(info->path, node)) {
        access_check(entry, node);
    }
    drivers_find(entry);
}

/* ttyACM2 before ttyACM10. */
static int name_compare(const void *left, const void *right)
{
    const char *a = ((const struct serial_port_info *)left)->name;
    const char *b = ((const struct serial_port_info *)right)->name;
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size != b_size) {
        return a_size < b_size ? -1 : 1;
    }
    return strcmp(a, b);
}

enum status device_list_read(struct device_list *list)
{
    struct serial_port_info ports[SERIAL_MAX];
    struct usb_device_info devices[USB_MAX];
    size_t port_count = 0;
    size_t device_count = 0;
    list->count = 0;
    enum status status = transport_serial_list(ports, SERIAL_MAX, &port_count);
    if (!status) {
        status = transport_usb_list(devices, USB_MAX, &device_count);
    }
    if (status) {
        return status;
    }
    qsort(ports, port_count, sizeof ports[0], name_compare);
    for (size_t i = 0; i < port_count; i++) {
        serial_add(list, &ports[i]);
    }
    for (size_t i = 0; i < device_count; i++) {
        usb_add(list, &devices[i]);
    }
    return STATUS_OK;
}

/* "usb:054c:0ce6" also means the one device of that number that is listed with more. */
static bool is_usb_name(const char *listed, const char *port)
{
    const size_t number_size = sizeof "usb:054C:0CE6" - 1;
    size_t size = strlen(port);
    return size >= number_size && strncasecmp(listed, port, size) == 0;
}

const struct device_entry *device_list_find(const struct device_list *list,
                                            const char *port)
{
    for (unsigned i = 0; i < list->count; i++) {
        const struct device_entry *entry = &list->entries[i];
        if (is_usb_name(entry->is_serial ? entry->twin : entry->port, port)
            || (entry->is_serial && leads_to(port, entry->name))) {
            return entry;
        }
    }
    return NULL;
}

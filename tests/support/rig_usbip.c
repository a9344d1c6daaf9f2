/* A USB device that the real kernel enumerates: a device model exported through vhci_hcd
 * (USB/IP) over a socket pair, without network and without the usbip tools. Needs the
 * module vhci_hcd. usage: rig_usbip DRIVER RATE_HZ SECONDS plugs the device in, pulls it
 * out after SECONDS; rate 0 = as it is configured. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/rig_usbfs.h"

/* Documentation/usb/usbip_protocol.rst of the kernel: all fields big-endian. */
enum {
    HEADER_SIZE = 48,
    SUBMIT = 1,
    UNLINK = 2,
    RETURN_SUBMIT = 3,
    RETURN_UNLINK = 4,
    DIRECTION_IN = 1,
    SPEED_FULL = 2,
    SPEED_HIGH = 3,
    INTERFACE_COUNT = 8,
    DATA_MAX = RIG_URB_BYTES_MAX
};

struct link {
    int socket;
    struct rig_usbfs *usb;
    uint8_t data[DATA_MAX];
};

static uint32_t field_get(const uint8_t *header, unsigned offset)
{
    uint32_t value;
    memcpy(&value, header + offset, sizeof value);
    return ntohl(value);
}

static void field_set(uint8_t *header, unsigned offset, uint32_t value)
{
    value = htonl(value);
    memcpy(header + offset, &value, sizeof value);
}

static bool all_read(int descriptor, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = read(descriptor, bytes, size);
        if (count <= 0) {
            return false;
        }
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

static void all_write(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(descriptor, bytes, size);
        if (count <= 0) {
            return;
        }
        bytes += count;
        size -= (size_t)count;
    }
}

/* The kernel's number of the request is the address of the URB. */
static void urb_return(struct link *link, struct rig_urb *urb)
{
    uint8_t header[HEADER_SIZE] = {0};
    bool is_control = urb->type == USBDEVFS_URB_TYPE_CONTROL;
    bool is_in = is_control ? (urb->bytes[0] & 0x80) != 0 : (urb->endpoint & 0x80) != 0;
    /* A request that was taken back is answered by RETURN_UNLINK alone. */
    if (urb->status != -ENOENT) {
        field_set(header, 0, RETURN_SUBMIT);
        field_set(header, 4, (uint32_t)urb->address);
        field_set(header, 20, (uint32_t)urb->status);
        field_set(header, 24, (uint32_t)urb->actual_size);
        all_write(link->socket, header, sizeof header);
        if (is_in && urb->actual_size > 0) {
            all_write(link->socket, urb->bytes + (is_control ? 8 : 0), urb->actual_size);
        }
    }
    free(urb->bytes);
    free(urb);
}

static void done_return(struct link *link)
{
    for (struct rig_urb *urb = rig_usbfs_reap(link->usb); urb;
         urb = rig_usbfs_reap(link->usb)) {
        urb_return(link, urb);
    }
}

/* Configuration, interface, feature: there is one of each. */
static bool is_standard_out(const uint8_t setup[8])
{
    return (setup[0] & 0xE0) == 0;
}

static void request_done(struct link *link, uint32_t number, const uint8_t *reply,
                         size_t size)
{
    uint8_t header[HEADER_SIZE] = {0};
    field_set(header, 0, RETURN_SUBMIT);
    field_set(header, 4, number);
    field_set(header, 24, (uint32_t)size);
    all_write(link->socket, header, sizeof header);
    if (size > 0) {
        all_write(link->socket, reply, size);
    }
}

static bool urb_make(struct link *link, const uint8_t *header, struct rig_urb **out)
{
    uint32_t endpoint = field_get(header, 16);
    bool is_in = field_get(header, 12) == DIRECTION_IN;
    size_t size = field_get(header, 24);
    size_t head = endpoint == 0 ? 8 : 0;
    if (size > DATA_MAX - head) {
        return false;
    }
    struct rig_urb *urb = calloc(1, sizeof *urb);
    uint8_t *bytes = calloc(1, size + head + 1);
    if (!urb || !bytes) {
        free(urb);
        free(bytes);
        return false;
    }
    memcpy(bytes, header + 40, head);
    if (!is_in && size > 0 && !all_read(link->socket, bytes + head, size)) {
        free(urb);
        free(bytes);
        return false;
    }
    urb->address = field_get(header, 4);
    urb->type = endpoint == 0 ? USBDEVFS_URB_TYPE_CONTROL : USBDEVFS_URB_TYPE_BULK;
    urb->endpoint = (uint8_t)(endpoint | (is_in ? 0x80 : 0));
    urb->bytes = bytes;
    urb->size = size + head;
    *out = urb;
    return true;
}

static bool submit_take(struct link *link, const uint8_t *header)
{
    static const uint8_t ZEROS[2] = {0};
    struct rig_urb *urb = NULL;
    if (!urb_make(link, header, &urb)) {
        return false;
    }
    const uint8_t *setup = header + 40;
    bool is_control = urb->type == USBDEVFS_URB_TYPE_CONTROL;
    if (is_control && (is_standard_out(setup) || (setup[0] == 0x80 && setup[1] == 0))) {
        bool is_status = (setup[0] & 0x80) != 0;
        request_done(link, field_get(header, 4), ZEROS, is_status ? sizeof ZEROS : 0);
        free(urb->bytes);
        free(urb);
        return true;
    }
    int result = rig_usbfs_submit(link->usb, urb);
    if (result != 0) {
        urb->status = result;
        urb_return(link, urb);
    }
    return true;
}

static void unlink_take(struct link *link, const uint8_t *header)
{
    uint8_t reply[HEADER_SIZE] = {0};
    int result = rig_usbfs_discard(link->usb, field_get(header, 20));
    field_set(reply, 0, RETURN_UNLINK);
    field_set(reply, 4, field_get(header, 4));
    field_set(reply, 20, (uint32_t)(result == 0 ? -ECONNRESET : 0));
    done_return(link);
    all_write(link->socket, reply, sizeof reply);
}

static bool header_take(struct link *link)
{
    uint8_t header[HEADER_SIZE];
    if (!all_read(link->socket, header, sizeof header)) {
        return false;
    }
    switch (field_get(header, 0)) {
    case SUBMIT:
        return submit_take(link, header);
    case UNLINK:
        unlink_take(link, header);
        return true;
    default:
        return false;
    }
}

static int kernel_attach(unsigned speed_mbit)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return -1;
    }
    FILE *attach = fopen("/sys/devices/platform/vhci_hcd.0/attach", "w");
    if (!attach) {
        perror("rig_usbip: vhci_hcd");
        return -1;
    }
    fprintf(attach, "0 %d %d %d", ends[1], 1 << 16 | 2,
            speed_mbit > 12 ? SPEED_HIGH : SPEED_FULL);
    if (fclose(attach) != 0) {
        perror("rig_usbip: attach");
        return -1;
    }
    close(ends[1]);
    return ends[0];
}

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int main(int argc, char **argv)
{
    const struct device_model_type *type = argc == 4 ? device_model_find(argv[1]) : NULL;
    struct link *link = calloc(1, sizeof *link);
    struct rig_usbfs *usb = calloc(1, sizeof *usb);
    if (!type || !type->usb || !link || !usb) {
        fputs("usage: rig_usbip DRIVER RATE_HZ SECONDS\n", stderr);
        return 2;
    }
    rig_usbfs_init(usb, type, atof(argv[2]), 1);
    /* The kernel keeps its own books of interfaces. */
    for (unsigned i = 0; i < INTERFACE_COUNT; i++) {
        rig_usbfs_driver(usb, i, false);
        rig_usbfs_claim(usb, i);
    }
    link->usb = usb;
    link->socket = kernel_attach(type->usb->speed_mbit);
    if (link->socket < 0) {
        return 1;
    }
    uint64_t start_us = clock_us();
    uint64_t end_us = start_us + (uint64_t)(atof(argv[3]) * 1e6);
    for (uint64_t now_us = start_us; now_us < end_us; now_us = clock_us()) {
        struct pollfd wait = {.fd = link->socket, .events = POLLIN};
        if (poll(&wait, 1, 1) > 0 && !header_take(link)) {
            break;
        }
        rig_usbfs_advance(usb, clock_us() - start_us);
        done_return(link);
    }
    fprintf(stderr, "rig_usbip: sent %llu, late %llu\n",
            (unsigned long long)usb->device.sent_count,
            (unsigned long long)usb->late_count);
    shutdown(link->socket, SHUT_RDWR);
    close(link->socket);
    free(link);
    free(usb);
    return 0;
}

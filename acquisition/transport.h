/* An open stream of bytes from (and to) one sensor: serial line, USB, file of raw bytes or
 * simulated body. Belongs to the capture thread; nothing here is thread-safe. */
#ifndef LIMBER_ACQUISITION_TRANSPORT_H
#define LIMBER_ACQUISITION_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct transport;

/* How a kind of transport does its work. Every function may assume a live transport.
 * Kinds embed struct transport as their first member. */
struct transport_ops {
    /* Never blocks. STATUS_OK with *size > 0 = bytes; STATUS_NOT_READY = none yet;
     * STATUS_END = a file or simulation is over; STATUS_GONE = unplugged. */
    enum status (*read)(struct transport *transport, uint8_t *bytes, size_t capacity,
                        size_t *size);
    /* Never blocks; all or nothing for up to 256 bytes. STATUS_OK, STATUS_NOT_READY,
     * STATUS_GONE. NULL = nothing can be sent (files). */
    enum status (*write)(struct transport *transport, const uint8_t *bytes, size_t size);
    /* Descriptor that becomes readable, or -1. NULL = -1. */
    int (*descriptor)(const struct transport *transport);
    /* Paced transports only (simulation): session time in ns at which the next bytes
     * arrive, INT64_MAX when over; the capture advances its virtual clock to the least of
     * these. NULL = not paced (hardware) or paced by the device's own clock (files). */
    int64_t (*next_ns)(const struct transport *transport);
    /* Frees everything, the transport too. */
    void (*close)(struct transport *transport);
};

enum transport_pace {
    TRANSPORT_LIVE,    /* bytes arrive when they arrive: host clock */
    TRANSPORT_VIRTUAL, /* next_ns tells when: simulation */
    TRANSPORT_RECORDED /* bytes are all there: the device's own clock tells */
};

struct transport {
    const struct transport_ops *ops;
    enum transport_pace pace;
    char name[128]; /* what a person reads: "/dev/ttyACM0", "file:a.bin" */
};

enum status transport_read(struct transport *transport, uint8_t *bytes, size_t capacity,
                           size_t *size);

/* STATUS_REFUSED where the transport cannot send. */
enum status transport_write(struct transport *transport, const uint8_t *bytes, size_t size);
int transport_descriptor(const struct transport *transport);
int64_t transport_next_ns(const struct transport *transport);

/* NULL is allowed. */
void transport_close(struct transport *transport);

/* Open a serial line, raw 8N1, no flow control, DTR raised, through libserialport. By-id
 * links are resolved step by step until libserialport knows the name; a terminal it does
 * not list (a pseudo-terminal of an emulator) is opened directly.
 * @param path    "/dev/ttyACM0" or a link to it.
 * @param baud    Bits per second.
 * @param out     Gives the transport.
 * @return STATUS_OK; STATUS_DEVICE after one logged line naming the port and what to do. */
enum status transport_serial_open(const char *path, unsigned baud, struct transport **out);

/* Whether a port is there and may be used: asked before opening an unplugged one again, so
 * that a missing port is not logged each time. */
bool transport_serial_is_present(const char *path);

/* ---- USB without a tty (libusb) ---- */

struct usb_id {
    uint16_t vendor_id;
    uint16_t product_id; /* 0 = any of the vendor */
    bool is_adapter;     /* a converter that many makers use: no proof of what is behind */
};

enum transport_usb_kind {
    TRANSPORT_USB_CDC,    /* class 02 and 0A interfaces: line coding, DTR, bulk both ways */
    TRANSPORT_USB_BULK,   /* the interface with a bulk OUT and bulk IN endpoints: commands
                           * go out, all its IN endpoints are read */
    TRANSPORT_USB_HID,    /* the interface of class 03: its interrupt IN endpoint is read,
                           * commands are control requests */
    TRANSPORT_USB_REQUEST /* the interface with a bulk IN endpoint, which is read; commands
                           * are control requests */
};

/* How a device is spoken to. Const tables of the drivers. */
struct transport_usb_profile {
    enum transport_usb_kind kind;
    size_t transfer_size;    /* of each IN transfer: a multiple of the packet size */
    unsigned transfer_count; /* in flight on each IN endpoint, 4 .. 256 */
    bool is_packeted; /* reads give records (transport_packet_encode), for devices whose
                       * answers and data cannot be told apart by their bytes; else the
                       * bytes of all transfers as they came, replies to requests too */
};

extern const struct transport_usb_profile transport_usb_cdc;

/* One USB transfer as a record in a stream of bytes: A5, endpoint (80 = reply to a control
 * request), status, size u16 LE, data. The data of a reply begin with the 8 setup bytes. */
enum {
    TRANSPORT_PACKET_MARK = 0xA5,
    TRANSPORT_PACKET_HEAD_SIZE = 5,
    TRANSPORT_PACKET_DATA_MAX = 1024
};

enum transport_packet_status {
    TRANSPORT_PACKET_OK,
    TRANSPORT_PACKET_STALL,   /* the request was refused, or the endpoint had halted and was
                               * cleared */
    TRANSPORT_PACKET_OVERFLOW /* the device sent more than fits: data lost */
};

/* @param bytes  Out: room for size + TRANSPORT_PACKET_HEAD_SIZE.
 * @return Size of the record. */
size_t transport_packet_encode(uint8_t endpoint, enum transport_packet_status status,
                               const uint8_t *data, size_t size, uint8_t *bytes);

/* Open a USB device: claims only the interfaces it needs; a kernel driver of those is put
 * back at close. STATUS_GONE from read or write once it is unplugged, whichever sign comes
 * first. Writes of request profiles: one control request each (8 setup bytes, OUT data);
 * those to an interface are sent to the one that was claimed. Writes wait in a short queue,
 * one is on its way at a time; close gives them 200 ms. Records of replies have the setup
 * bytes as they were written; an OUT request that was taken gives a record without data.
 * @param address  "054C:0CE6", "054C:0CE6:SERIAL" or "054C:0CE6@1-2.3" (bus and ports).
 * @param profile  Borrowed for the life of the transport.
 * @return STATUS_OK; STATUS_DEVICE after one logged line that says what to do;
 * STATUS_BAD_INPUT after one logged line for an address that is none. */
enum status transport_usb_open(const char *address,
                               const struct transport_usb_profile *profile,
                               struct transport **out);

/* Whether such a device is plugged in and its node may be used: asked before opening it
 * again. Opens nothing. */
bool transport_usb_is_present(const char *address);

struct usb_device_info {
    char address[128]; /* as transport_usb_open takes it, unique among those listed */
    char path[64];     /* bus and ports: "1-2.3" */
    char maker[64];
    char product[128];
    char serial_number[64];
    uint16_t vendor_id;
    uint16_t product_id;
};

/* List USB devices, hubs left out.
 * @return STATUS_OK (also for none); STATUS_DEVICE after one logged line. */
enum status transport_usb_list(struct usb_device_info *devices, size_t capacity,
                               size_t *count);

/* Open a file of raw bytes as captured.
 * @return STATUS_OK; STATUS_NOT_FOUND or STATUS_IO after one logged line. */
enum status transport_file_open(const char *path, struct transport **out);

/* One serial port as listed by libserialport. */
struct serial_port_info {
    char name[64];
    char description[128];
    char maker[64];
    char serial_number[64];
    int vendor_id;  /* -1 = not a USB port */
    int product_id; /* -1 = not a USB port */
};

/* List serial ports.
 * @param ports     Out: up to capacity entries.
 * @param count     Out: entries written.
 * @return STATUS_OK (also for none) or STATUS_DEVICE. */
enum status transport_serial_list(struct serial_port_info *ports, size_t capacity,
                                  size_t *count);

#endif

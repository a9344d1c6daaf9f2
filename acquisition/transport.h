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
    /* Never blocks; all or nothing for up to 256 bytes. STATUS_OK, STATUS_NOT_READY, STATUS_GONE.
     * NULL = nothing can be sent (files). */
    enum status (*write)(struct transport *transport, const uint8_t *bytes, size_t size);
    /* Descriptor that becomes readable, or -1. NULL = -1. */
    int (*descriptor)(const struct transport *transport);
    /* Paced transports only (simulation): session time in ns at which the next bytes arrive,
     * INT64_MAX when over; the capture advances its virtual clock to the least of these.
     * NULL = not paced (hardware) or paced by the device's own clock (files). */
    int64_t (*next_ns)(const struct transport *transport);
    /* Frees everything, the transport too. */
    void (*close)(struct transport *transport);
};

enum transport_pace {
    TRANSPORT_LIVE,     /* bytes arrive when they arrive: host clock */
    TRANSPORT_VIRTUAL,  /* next_ns tells when: simulation */
    TRANSPORT_RECORDED  /* bytes are all there: the device's own clock tells */
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

/* Open a serial line, raw 8N1, no flow control, DTR raised, through libserialport. By-id links
 * are resolved step by step until libserialport knows the name; a terminal it does not list
 * (a pseudo-terminal of an emulator) is opened directly.
 * @param path    "/dev/ttyACM0" or a link to it.
 * @param baud    Bits per second.
 * @param out     Gives the transport.
 * @return STATUS_OK; STATUS_DEVICE after one logged line naming the port and what to do. */
enum status transport_serial_open(const char *path, unsigned baud, struct transport **out);

/* Whether a port is there and may be used: asked before opening an unplugged one again, so that
 * a missing port is not logged each time. */
bool transport_serial_is_present(const char *path);

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

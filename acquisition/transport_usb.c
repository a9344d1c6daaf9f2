/* Transfers are kept in flight by libusb and the kernel; callbacks only run inside read,
 * write and close of this transport, which has a libusb context of its own: nothing here is
 * shared and nothing needs a lock. */
#include <assert.h>
#include <libusb-1.0/libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/access.h"
#include "acquisition/transport.h"
#include "acquisition/usb_list.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    CLAIM_MAX = 2,
    ENDPOINT_MAX = 8,
    TRANSFER_COUNT_MIN = 4,
    TRANSFER_COUNT_MAX = 256,
    SETUP_SIZE = 8,
    COMMAND_SIZE_MAX = 256, /* as transport_ops.write promises */
    COMMAND_COUNT_MAX = 20, /* DRIVER_STOP_MAX and what opening and closing add */
    REPLY_SIZE_MAX = TRANSPORT_PACKET_DATA_MAX - SETUP_SIZE,
    REPLY_RECORD_MAX = TRANSPORT_PACKET_HEAD_SIZE + TRANSPORT_PACKET_DATA_MAX,
    REPLY_ENDPOINT = 0x80,
    RING_SIZE_MIN = 64 * 1024,
    EVENT_ROUNDS_MAX = 8,     /* libusb takes up to 25 transfers a round */
    COMMAND_TIMEOUT_MS = 1000 /* a device that does not take one is asked again anyway */
};

/* Failed transfers are sent out again after this, so that an endless error costs nothing.
 */
static const int64_t FAILURE_MEMORY_NS = 1000000000;
static const int64_t RETRY_NS = 5 * 1000 * 1000;
/* A hub needs up to 255 ms to tell that a device was pulled out of it (its status endpoint
 * is polled that slowly); until then all transfers fail. Fewer rounds than that would take,
 * more than a disturbance on the cable lasts. */
static const unsigned FAILED_ROUNDS_MAX = 8;
/* An endpoint that halts again each time may wait for a command: half a second of patience
 * at least. */
static const unsigned HALTED_ROUNDS_MAX = 100;
static const int64_t COMMANDS_FINISH_NS = 200 * 1000 * 1000;
static const int64_t REAP_NS = 500 * 1000 * 1000;
static const int64_t REAP_GONE_NS = 50 * 1000 * 1000;

/* Requests of USB CDC 1.2, PSTN subclass table 13. */
static const uint8_t CDC_LINE_CODING[] = {0x21, 0x20, 0, 0, 0, 0, 7, 0,
                                          /* 115200 baud, 1 stop bit, no parity, 8 bits */
                                          0x00, 0xC2, 0x01, 0x00, 0, 0, 8};
static const uint8_t CDC_LINES_ON[] = {0x21, 0x22, 0x03, 0, 0, 0, 0, 0}; /* DTR, RTS */
static const uint8_t CDC_LINES_OFF[] = {0x21, 0x22, 0x00, 0, 0, 0, 0, 0};

const struct transport_usb_profile transport_usb_cdc = {
    .kind = TRANSPORT_USB_CDC, .transfer_size = 4096, .transfer_count = 8};

struct usb_transport;

struct in_endpoint {
    struct usb_transport *usb;
    uint8_t address;
    uint8_t type; /* bulk or interrupt */
    size_t transfer_size;
    unsigned flying_count;
    bool is_halted;
};

struct in_transfer {
    struct in_endpoint *endpoint;
    struct libusb_transfer *transfer;
    uint8_t *bytes;
    bool is_flying;
};

struct command {
    uint8_t bytes[COMMAND_SIZE_MAX];
    size_t size;
    bool is_request; /* a control request, else bytes for the OUT endpoint */
};

/* Interfaces and endpoints of a device that a profile uses, by its descriptors. */
struct usb_layout {
    uint8_t interfaces[CLAIM_MAX]; /* the first is the one that requests are meant for */
    uint8_t alternates[CLAIM_MAX];
    unsigned interface_count;
    const struct libusb_endpoint_descriptor *ins[ENDPOINT_MAX];
    unsigned in_count;
    uint8_t out_endpoint; /* 0 = none */
    bool has_line_requests;
};

struct usb_transport {
    struct transport base;
    const struct transport_usb_profile *profile;
    libusb_context *context;
    libusb_device_handle *handle;
    uint8_t interfaces[CLAIM_MAX];
    unsigned claimed_count;
    uint8_t out_endpoint;
    bool has_line_requests;

    struct in_endpoint endpoints[ENDPOINT_MAX];
    unsigned endpoint_count;
    struct in_transfer *transfers;
    unsigned transfer_count;
    uint8_t *transfer_bytes;

    struct libusb_transfer *out_transfer;
    uint8_t out_bytes[SETUP_SIZE + TRANSPORT_PACKET_DATA_MAX];
    struct command commands[COMMAND_COUNT_MAX]; /* a ring; the first may be in flight */
    unsigned command_first;
    unsigned command_count;
    bool is_command_flying;
    bool is_out_halted;

    uint8_t *ring;
    size_t ring_size;
    size_t ring_first;
    size_t ring_count;
    size_t ring_reserved; /* what the transfers in flight can bring */

    bool is_gone;
    bool is_closing; /* nothing is sent out any more */
    bool has_good;   /* since the last judgement */
    bool has_failed;
    bool has_halted;
    unsigned failed_rounds;
    int64_t failed_ns; /* of the last failure */
    uint64_t overflow_count;
    unsigned halted_rounds;
    int64_t retry_ns;       /* transfers that failed wait until then */
    uint64_t done_count;    /* transfers that ended, of any kind */
    uint64_t crowded_count; /* transfers held back because nobody read */
};

/* ---- what was received ---- */

static void ring_put(struct usb_transport *usb, const uint8_t *bytes, size_t size)
{
    assert(usb->ring_count + size <= usb->ring_size);
    size_t end = (usb->ring_first + usb->ring_count) % usb->ring_size;
    size_t part = usb->ring_size - end < size ? usb->ring_size - end : size;
    memcpy(usb->ring + end, bytes, part);
    memcpy(usb->ring, bytes + part, size - part);
    usb->ring_count += size;
}

static size_t ring_take(struct usb_transport *usb, uint8_t *bytes, size_t capacity)
{
    size_t size = usb->ring_count < capacity ? usb->ring_count : capacity;
    size_t part =
        usb->ring_size - usb->ring_first < size ? usb->ring_size - usb->ring_first : size;
    memcpy(bytes, usb->ring + usb->ring_first, part);
    memcpy(bytes + part, usb->ring, size - part);
    usb->ring_first = (usb->ring_first + size) % usb->ring_size;
    usb->ring_count -= size;
    return size;
}

static bool ring_reserve(struct usb_transport *usb, size_t size)
{
    if (usb->ring_count + usb->ring_reserved + size > usb->ring_size) {
        return false;
    }
    usb->ring_reserved += size;
    return true;
}

static void packet_put(struct usb_transport *usb, uint8_t endpoint,
                       enum transport_packet_status status, const uint8_t *data,
                       size_t size)
{
    if (usb->profile->is_packeted) {
        uint8_t record[REPLY_RECORD_MAX];
        ring_put(usb, record,
                 transport_packet_encode(endpoint, status, data, size, record));
    } else if (status == TRANSPORT_PACKET_OK) {
        ring_put(usb, data, size);
    } else if (status == TRANSPORT_PACKET_OVERFLOW && usb->overflow_count++ == 0) {
        log_warning("%s: the device sent more than it may: bytes are lost", usb->base.name);
    }
}

/* Room that one transfer needs: its data in one record and one of a trouble with it. */
static size_t record_room(const struct in_endpoint *endpoint)
{
    return endpoint->transfer_size + 2 * TRANSPORT_PACKET_HEAD_SIZE;
}

/* ---- IN transfers ---- */

static void failure_note(struct usb_transport *usb, int error)
{
    if (error == LIBUSB_ERROR_NO_DEVICE) {
        usb->is_gone = true;
        return;
    }
    usb->has_failed = true;
    usb->retry_ns = clock_host_ns() + RETRY_NS;
}

static void in_submit(struct in_transfer *slot)
{
    struct in_endpoint *endpoint = slot->endpoint;
    struct usb_transport *usb = endpoint->usb;
    if (!ring_reserve(usb, record_room(endpoint))) {
        if (usb->crowded_count++ == 0) {
            log_warning("%s: read too slowly: the device has to wait", usb->base.name);
        }
        return;
    }
    int error = libusb_submit_transfer(slot->transfer);
    if (error) {
        usb->ring_reserved -= record_room(endpoint);
        failure_note(usb, error);
        return;
    }
    slot->is_flying = true;
    endpoint->flying_count++;
}

/* All transfers of an endpoint must be back before a halt is cleared. */
static void endpoint_halt(struct in_endpoint *endpoint)
{
    struct usb_transport *usb = endpoint->usb;
    usb->has_halted = true;
    if (endpoint->is_halted) {
        return;
    }
    endpoint->is_halted = true;
    if (usb->halted_rounds > 0) {
        usb->retry_ns = clock_host_ns() + RETRY_NS;
    }
    packet_put(usb, endpoint->address, TRANSPORT_PACKET_STALL, NULL, 0);
    for (unsigned i = 0; i < usb->transfer_count; i++) {
        if (usb->transfers[i].endpoint == endpoint && usb->transfers[i].is_flying) {
            libusb_cancel_transfer(usb->transfers[i].transfer);
        }
    }
}

static void in_take(struct usb_transport *usb, const struct in_transfer *slot)
{
    if (slot->transfer->actual_length > 0) {
        packet_put(usb, slot->endpoint->address, TRANSPORT_PACKET_OK, slot->bytes,
                   (size_t)slot->transfer->actual_length);
    }
}

static void LIBUSB_CALL in_done(struct libusb_transfer *transfer)
{
    struct in_transfer *slot = transfer->user_data;
    struct in_endpoint *endpoint = slot->endpoint;
    struct usb_transport *usb = endpoint->usb;
    slot->is_flying = false;
    endpoint->flying_count--;
    usb->ring_reserved -= record_room(endpoint);
    usb->done_count++;
    bool is_at_once = false;
    switch (transfer->status) {
    case LIBUSB_TRANSFER_COMPLETED:
        in_take(usb, slot);
        usb->has_good = true;
        is_at_once = true;
        break;
    case LIBUSB_TRANSFER_OVERFLOW:
        packet_put(usb, endpoint->address, TRANSPORT_PACKET_OVERFLOW, NULL, 0);
        is_at_once = true;
        break;
    case LIBUSB_TRANSFER_STALL:
        in_take(usb, slot);
        endpoint_halt(endpoint);
        break;
    case LIBUSB_TRANSFER_CANCELLED:
    case LIBUSB_TRANSFER_TIMED_OUT:
        in_take(usb, slot);
        break;
    case LIBUSB_TRANSFER_NO_DEVICE:
        usb->is_gone = true;
        break;
    case LIBUSB_TRANSFER_ERROR:
        failure_note(usb, LIBUSB_ERROR_IO);
        break;
    }
    if (is_at_once && !usb->is_closing && !endpoint->is_halted) {
        in_submit(slot);
    }
}

static void halts_clear(struct usb_transport *usb)
{
    for (unsigned i = 0; i < usb->endpoint_count; i++) {
        struct in_endpoint *endpoint = &usb->endpoints[i];
        if (!endpoint->is_halted || endpoint->flying_count > 0) {
            continue;
        }
        /* The one call here that waits, up to seconds for a device that hangs: one that
         * cannot be cleared is given up rather than asked again. */
        int error = libusb_clear_halt(usb->handle, endpoint->address);
        if (error) {
            log_warning("%s: a halt cannot be cleared: %s; taken for unplugged",
                        usb->base.name, libusb_strerror(error));
            usb->is_gone = true;
            return;
        }
        endpoint->is_halted = false;
    }
}

/* Send out what stays behind: after errors, halts, or while there was no room. */
static void transfers_revive(struct usb_transport *usb)
{
    if (usb->is_gone || clock_host_ns() < usb->retry_ns) {
        return;
    }
    halts_clear(usb);
    for (unsigned i = 0; i < usb->transfer_count && !usb->is_gone; i++) {
        struct in_transfer *slot = &usb->transfers[i];
        if (slot->is_flying || slot->endpoint->is_halted) {
            continue;
        }
        in_submit(slot);
        if (!slot->is_flying) {
            return;
        }
    }
}

/* ---- commands ---- */

static struct command *command_first(struct usb_transport *usb)
{
    return &usb->commands[usb->command_first];
}

static void command_drop(struct usb_transport *usb)
{
    usb->command_first = (usb->command_first + 1) % COMMAND_COUNT_MAX;
    usb->command_count--;
}

static void reply_put(struct usb_transport *usb, const struct command *command,
                      enum transport_packet_status status, const uint8_t *data, size_t size)
{
    if (!command->is_request) {
        packet_put(usb, usb->out_endpoint, status, NULL, 0);
        return;
    }
    if (!usb->profile->is_packeted) {
        packet_put(usb, REPLY_ENDPOINT, status, data, size);
        return;
    }
    uint8_t reply[TRANSPORT_PACKET_DATA_MAX];
    memcpy(reply, command->bytes, SETUP_SIZE);
    if (size > 0) {
        memcpy(reply + SETUP_SIZE, data, size);
    }
    packet_put(usb, REPLY_ENDPOINT, status, reply, SETUP_SIZE + size);
}

static bool request_is_in(const struct command *command)
{
    return command->is_request && (command->bytes[0] & LIBUSB_ENDPOINT_IN) != 0;
}

static void LIBUSB_CALL command_done(struct libusb_transfer *transfer)
{
    struct usb_transport *usb = transfer->user_data;
    const struct command *command = command_first(usb);
    usb->is_command_flying = false;
    usb->ring_reserved -= REPLY_RECORD_MAX;
    usb->done_count++;
    size_t reply_size = request_is_in(command) ? (size_t)transfer->actual_length : 0;
    switch (transfer->status) {
    case LIBUSB_TRANSFER_COMPLETED:
        if (command->is_request) {
            reply_put(usb, command, TRANSPORT_PACKET_OK, usb->out_bytes + SETUP_SIZE,
                      reply_size);
        }
        break;
    case LIBUSB_TRANSFER_STALL:
        reply_put(usb, command, TRANSPORT_PACKET_STALL, NULL, 0);
        usb->is_out_halted = !command->is_request;
        break;
    case LIBUSB_TRANSFER_OVERFLOW:
        reply_put(usb, command, TRANSPORT_PACKET_OVERFLOW, NULL, 0);
        break;
    case LIBUSB_TRANSFER_NO_DEVICE:
        usb->is_gone = true;
        break;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_TIMED_OUT:
    case LIBUSB_TRANSFER_CANCELLED:
        break; /* lost, as on a serial line; drivers ask again */
    }
    command_drop(usb);
}

/* @return Length of the transfer. */
static int request_prepare(struct usb_transport *usb, const struct command *command)
{
    uint8_t *bytes = usb->out_bytes;
    memcpy(bytes, command->bytes, command->size);
    if ((bytes[0] & 0x1F) == LIBUSB_RECIPIENT_INTERFACE) {
        bytes[4] = usb->interfaces[0];
        bytes[5] = 0;
    }
    size_t data_size = (size_t)bytes[6] | (size_t)bytes[7] << 8;
    assert(request_is_in(command) ? data_size <= REPLY_SIZE_MAX
                                  : data_size == command->size - SETUP_SIZE);
    return (int)(SETUP_SIZE + data_size);
}

/* One at a time, so that they arrive in order and each reply follows its request. */
static void commands_send(struct usb_transport *usb)
{
    if (usb->is_command_flying || usb->command_count == 0 || usb->is_gone) {
        return;
    }
    if (usb->is_out_halted) {
        libusb_clear_halt(usb->handle, usb->out_endpoint);
        usb->is_out_halted = false;
    }
    if (!ring_reserve(usb, REPLY_RECORD_MAX)) {
        return;
    }
    const struct command *command = command_first(usb);
    struct libusb_transfer *transfer = usb->out_transfer;
    if (command->is_request) {
        int size = request_prepare(usb, command);
        libusb_fill_control_transfer(transfer, usb->handle, usb->out_bytes, command_done,
                                     usb, COMMAND_TIMEOUT_MS);
        assert(transfer->length == size);
        (void)size;
    } else {
        memcpy(usb->out_bytes, command->bytes, command->size);
        libusb_fill_bulk_transfer(transfer, usb->handle, usb->out_endpoint, usb->out_bytes,
                                  (int)command->size, command_done, usb,
                                  COMMAND_TIMEOUT_MS);
    }
    int error = libusb_submit_transfer(transfer);
    usb->is_command_flying = error == 0;
    if (error) {
        usb->ring_reserved -= REPLY_RECORD_MAX;
        failure_note(usb, error);
        command_drop(usb);
    }
}

static bool command_put(struct usb_transport *usb, const uint8_t *bytes, size_t size,
                        bool is_request)
{
    assert(size <= COMMAND_SIZE_MAX && (!is_request || size >= SETUP_SIZE));
    if (usb->command_count == COMMAND_COUNT_MAX) {
        return false;
    }
    unsigned end = (usb->command_first + usb->command_count++) % COMMAND_COUNT_MAX;
    memcpy(usb->commands[end].bytes, bytes, size);
    usb->commands[end].size = size;
    usb->commands[end].is_request = is_request;
    return true;
}

/* ---- events ---- */

/* Round after round without one good transfer: the device is gone, whatever the system
 * says of it. */
static void health_judge(struct usb_transport *usb)
{
    if (usb->has_good) {
        usb->failed_rounds = 0;
        usb->halted_rounds = 0;
    } else {
        /* Single errors of a device that has nothing to say add up to nothing. */
        int64_t now_ns = usb->has_failed ? clock_host_ns() : usb->failed_ns;
        if (now_ns - usb->failed_ns > FAILURE_MEMORY_NS) {
            usb->failed_rounds = 0;
        }
        usb->failed_ns = now_ns;
        usb->failed_rounds += usb->has_failed;
        usb->halted_rounds += usb->has_halted;
    }
    if (usb->failed_rounds > FAILED_ROUNDS_MAX || usb->halted_rounds > HALTED_ROUNDS_MAX) {
        log_warning("%s: every transfer fails; taken for unplugged", usb->base.name);
        usb->is_gone = true;
    }
    usb->has_good = false;
    usb->has_failed = false;
    usb->has_halted = false;
}

static void events_take(struct usb_transport *usb)
{
    for (unsigned i = 0; i < EVENT_ROUNDS_MAX; i++) {
        uint64_t before = usb->done_count;
        struct timeval none = {0, 0};
        libusb_handle_events_timeout_completed(usb->context, &none, NULL);
        if (usb->done_count == before) {
            return;
        }
    }
}

static int LIBUSB_CALL device_left(libusb_context *context, libusb_device *device,
                                   libusb_hotplug_event event, void *user)
{
    struct usb_transport *usb = user;
    (void)context;
    (void)event;
    if (device == libusb_get_device(usb->handle)) {
        usb->is_gone = true;
    }
    return 0;
}

/* ---- operations ---- */

static enum status usb_read(struct transport *transport, uint8_t *bytes, size_t capacity,
                            size_t *size)
{
    struct usb_transport *usb = (struct usb_transport *)transport;
    if (!usb->is_gone) {
        events_take(usb);
        health_judge(usb);
    }
    size_t count = ring_take(usb, bytes, capacity);
    transfers_revive(usb);
    commands_send(usb);
    if (count > 0) {
        *size = count;
        return STATUS_OK;
    }
    return usb->is_gone ? STATUS_GONE : STATUS_NOT_READY;
}

static enum status usb_write(struct transport *transport, const uint8_t *bytes, size_t size)
{
    struct usb_transport *usb = (struct usb_transport *)transport;
    if (usb->is_gone) {
        return STATUS_GONE;
    }
    if (!command_put(usb, bytes, size, usb->out_endpoint == 0)) {
        return STATUS_NOT_READY;
    }
    commands_send(usb);
    return usb->is_gone ? STATUS_GONE : STATUS_OK;
}

/* ---- closing ---- */

static void events_wait(struct usb_transport *usb)
{
    struct timeval pause = {0, 5000};
    libusb_handle_events_timeout_completed(usb->context, &pause, NULL);
}

/* Last commands reach the device before it is let go; what it answers is not read. */
static void commands_finish(struct usb_transport *usb)
{
    int64_t end_ns = clock_host_ns() + COMMANDS_FINISH_NS;
    if (usb->has_line_requests && !usb->is_gone) {
        command_put(usb, CDC_LINES_OFF, sizeof CDC_LINES_OFF, true);
    }
    while (usb->command_count > 0 && !usb->is_gone && clock_host_ns() < end_ns) {
        commands_send(usb);
        if (usb->command_count > 0) {
            events_wait(usb);
        }
        usb->ring_count = 0;
    }
}

static bool has_flying(const struct usb_transport *usb)
{
    for (unsigned i = 0; i < usb->endpoint_count; i++) {
        if (usb->endpoints[i].flying_count > 0) {
            return true;
        }
    }
    return usb->is_command_flying;
}

static void transfers_reap(struct usb_transport *usb)
{
    usb->is_closing = true;
    usb->ring_count = 0;
    for (unsigned i = 0; i < usb->transfer_count; i++) {
        if (usb->transfers[i].is_flying) {
            libusb_cancel_transfer(usb->transfers[i].transfer);
        }
    }
    if (usb->is_command_flying) {
        libusb_cancel_transfer(usb->out_transfer);
    }
    int64_t end_ns = clock_host_ns() + (usb->is_gone ? REAP_GONE_NS : REAP_NS);
    while (has_flying(usb) && clock_host_ns() < end_ns) {
        events_wait(usb);
        usb->ring_count = 0;
    }
}

/* Also of one that was opened half. */
static void usb_destroy(struct usb_transport *usb)
{
    for (unsigned i = usb->claimed_count; i > 0; i--) {
        libusb_release_interface(usb->handle, usb->interfaces[i - 1]);
    }
    if (usb->handle) {
        libusb_close(usb->handle);
    }
    /* Closed: libusb knows of no transfer any more, back or not. */
    for (unsigned i = 0; i < usb->transfer_count; i++) {
        libusb_free_transfer(usb->transfers[i].transfer);
    }
    libusb_free_transfer(usb->out_transfer);
    if (usb->context) {
        libusb_exit(usb->context);
    }
    free(usb->ring);
    free(usb->transfer_bytes);
    free(usb->transfers);
    free(usb);
}

static void usb_close(struct transport *transport)
{
    struct usb_transport *usb = (struct usb_transport *)transport;
    if (usb->crowded_count > 0) {
        log_warning("%s: read too slowly, transfers were held back %llu times; samples may "
                    "be missing",
                    usb->base.name, (unsigned long long)usb->crowded_count);
    }
    commands_finish(usb);
    transfers_reap(usb);
    usb_destroy(usb);
}

static const struct transport_ops USB_OPS = {
    .read = usb_read,
    .write = usb_write,
    .close = usb_close,
};

/* ---- opening: what the descriptors say ---- */

static bool endpoint_is(const struct libusb_endpoint_descriptor *endpoint, uint8_t type,
                        uint8_t direction)
{
    return (endpoint->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) == type
           && (endpoint->bEndpointAddress & LIBUSB_ENDPOINT_DIR_MASK) == direction;
}

static const struct libusb_endpoint_descriptor *
endpoint_find(const struct libusb_interface_descriptor *interface, uint8_t type,
              uint8_t direction)
{
    for (unsigned i = 0; i < interface->bNumEndpoints; i++) {
        if (endpoint_is(&interface->endpoint[i], type, direction)) {
            return &interface->endpoint[i];
        }
    }
    return NULL;
}

static bool interface_fits(const struct libusb_interface_descriptor *interface,
                           enum transport_usb_kind kind)
{
    const uint8_t bulk = LIBUSB_TRANSFER_TYPE_BULK;
    bool has_in = endpoint_find(interface, bulk, LIBUSB_ENDPOINT_IN) != NULL;
    bool has_out = endpoint_find(interface, bulk, LIBUSB_ENDPOINT_OUT) != NULL;
    /* Nobody speaks to a sensor through its memory card. */
    bool is_disk = interface->bInterfaceClass == LIBUSB_CLASS_MASS_STORAGE;
    switch (kind) {
    case TRANSPORT_USB_CDC:
        return interface->bInterfaceClass == LIBUSB_CLASS_DATA && has_in && has_out;
    case TRANSPORT_USB_BULK:
        return has_in && has_out && !is_disk;
    case TRANSPORT_USB_REQUEST:
        return has_in && !is_disk;
    case TRANSPORT_USB_HID:
        return interface->bInterfaceClass == LIBUSB_CLASS_HID
               && endpoint_find(interface, LIBUSB_TRANSFER_TYPE_INTERRUPT,
                                LIBUSB_ENDPOINT_IN);
    }
    return false;
}

static const struct libusb_interface_descriptor *
interface_find(const struct libusb_config_descriptor *config, enum transport_usb_kind kind)
{
    for (unsigned i = 0; i < config->bNumInterfaces; i++) {
        const struct libusb_interface *interface = &config->interface[i];
        for (int j = 0; j < interface->num_altsetting; j++) {
            if (interface_fits(&interface->altsetting[j], kind)) {
                return &interface->altsetting[j];
            }
        }
    }
    return NULL;
}

/* Whether the union descriptor of a communication interface (CDC 1.2, 5.2.3.2) names the
 * data interface. */
static bool union_names(const struct libusb_interface_descriptor *interface, uint8_t data)
{
    const unsigned char *extra = interface->extra;
    int left = interface->extra_length;
    while (left >= 2 && extra[0] >= 2 && extra[0] <= left) {
        if (extra[0] >= 5 && extra[1] == 0x24 && extra[2] == 0x06 && extra[4] == data) {
            return true;
        }
        left -= extra[0];
        extra += extra[0];
    }
    return false;
}

/* The communication interface of a data interface: by its union descriptor, else the last
 * in front of it. */
static const struct libusb_interface_descriptor *
control_find(const struct libusb_config_descriptor *config, uint8_t data)
{
    const struct libusb_interface_descriptor *found = NULL;
    for (unsigned i = 0; i < config->bNumInterfaces; i++) {
        const struct libusb_interface *interface = &config->interface[i];
        if (interface->num_altsetting < 1
            || interface->altsetting[0].bInterfaceClass != LIBUSB_CLASS_COMM) {
            continue;
        }
        if (union_names(&interface->altsetting[0], data)) {
            return &interface->altsetting[0];
        }
        if (interface->altsetting[0].bInterfaceNumber < data) {
            found = &interface->altsetting[0];
        }
    }
    return found;
}

static void layout_claim(struct usb_layout *layout,
                         const struct libusb_interface_descriptor *interface)
{
    layout->interfaces[layout->interface_count] = interface->bInterfaceNumber;
    layout->alternates[layout->interface_count++] = interface->bAlternateSetting;
}

static bool endpoint_is_read(const struct libusb_endpoint_descriptor *endpoint,
                             enum transport_usb_kind kind)
{
    bool is_bulk = endpoint_is(endpoint, LIBUSB_TRANSFER_TYPE_BULK, LIBUSB_ENDPOINT_IN);
    bool is_interrupt =
        endpoint_is(endpoint, LIBUSB_TRANSFER_TYPE_INTERRUPT, LIBUSB_ENDPOINT_IN);
    switch (kind) {
    case TRANSPORT_USB_CDC:
    case TRANSPORT_USB_REQUEST:
        return is_bulk;
    case TRANSPORT_USB_HID:
        return is_interrupt;
    case TRANSPORT_USB_BULK:
        return is_bulk || is_interrupt;
    }
    return false;
}

static bool layout_find(const struct libusb_config_descriptor *config,
                        enum transport_usb_kind kind, struct usb_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    const struct libusb_interface_descriptor *interface = interface_find(config, kind);
    if (!interface) {
        return false;
    }
    if (kind == TRANSPORT_USB_CDC) {
        const struct libusb_interface_descriptor *control =
            control_find(config, interface->bInterfaceNumber);
        layout->has_line_requests = control != NULL;
        if (control) {
            layout_claim(layout, control);
        }
    }
    layout_claim(layout, interface);
    for (unsigned i = 0; i < interface->bNumEndpoints; i++) {
        const struct libusb_endpoint_descriptor *endpoint = &interface->endpoint[i];
        bool is_single = kind != TRANSPORT_USB_BULK && layout->in_count > 0;
        if (endpoint_is_read(endpoint, kind) && !is_single
            && layout->in_count < ENDPOINT_MAX) {
            layout->ins[layout->in_count++] = endpoint;
        }
    }
    if (kind == TRANSPORT_USB_CDC || kind == TRANSPORT_USB_BULK) {
        layout->out_endpoint =
            endpoint_find(interface, LIBUSB_TRANSFER_TYPE_BULK, LIBUSB_ENDPOINT_OUT)
                ->bEndpointAddress;
    }
    return true;
}

/* ---- opening: steps ---- */

static enum status refused(const struct usb_transport *usb, int error, const char *what,
                           const char *advice)
{
    log_error("%s: cannot %s: %s; %s", usb->base.name, what, libusb_strerror(error),
              advice);
    return error == LIBUSB_ERROR_NO_MEM ? STATUS_NO_MEMORY : STATUS_DEVICE;
}

static const char *const ADVICE_REPLUG = "unplug the sensor, plug it in and try again";

/* Which of the devices that are plugged in is meant. */
static enum status entry_choose(const struct usb_transport *usb, const char *address,
                                struct usb_entry *entry)
{
    struct usb_address wanted;
    struct usb_entry found[2];
    enum status status = usb_address_parse(address, &wanted);
    if (status) {
        return status;
    }
    size_t count = usb_scan(&wanted, found, 2);
    if (count == 0) {
        log_error("%s: not plugged in; 'limber devices' lists what is", usb->base.name);
        return STATUS_DEVICE;
    }
    if (count > 1) {
        log_error("%s: more than one is plugged in; write usb:%.9s@%s or usb:%.9s@%s",
                  usb->base.name, address, found[0].info.path, address, found[1].info.path);
        return STATUS_DEVICE;
    }
    *entry = found[0];
    return STATUS_OK;
}

static enum status handle_open(struct usb_transport *usb, const struct usb_entry *entry)
{
    libusb_device **devices = NULL;
    ssize_t count = libusb_get_device_list(usb->context, &devices);
    int error = LIBUSB_ERROR_NO_DEVICE;
    for (ssize_t i = 0; i < count; i++) {
        if (libusb_get_bus_number(devices[i]) == entry->bus
            && libusb_get_device_address(devices[i]) == entry->number) {
            error = libusb_open(devices[i], &usb->handle);
            break;
        }
    }
    if (count >= 0) {
        libusb_free_device_list(devices, 1);
    }
    if (error == LIBUSB_ERROR_ACCESS) {
        char node[USB_NODE_SIZE];
        char text[ACCESS_TEXT_SIZE];
        usb_entry_node(entry, node);
        access_explain(node, text);
        log_error("%s: no permission for %s; %s", usb->base.name, node, text);
        return STATUS_DEVICE;
    }
    return error ? refused(usb, error, "open it", ADVICE_REPLUG) : STATUS_OK;
}

static enum status interfaces_claim(struct usb_transport *usb,
                                    const struct usb_layout *layout)
{
    /* Fails only where the system has no kernel drivers to put aside. */
    libusb_set_auto_detach_kernel_driver(usb->handle, 1);
    for (unsigned i = 0; i < layout->interface_count; i++) {
        int error = libusb_claim_interface(usb->handle, layout->interfaces[i]);
        if (error == LIBUSB_ERROR_BUSY) {
            log_error("%s: another program uses it; close that program and try again",
                      usb->base.name);
            return STATUS_DEVICE;
        }
        if (error) {
            return refused(usb, error, "take its interface", ADVICE_REPLUG);
        }
        usb->interfaces[usb->claimed_count++] = layout->interfaces[i];
        if (layout->alternates[i] == 0) {
            continue;
        }
        error = libusb_set_interface_alt_setting(usb->handle, layout->interfaces[i],
                                                 layout->alternates[i]);
        if (error) {
            return refused(usb, error, "set up its interface", ADVICE_REPLUG);
        }
    }
    return STATUS_OK;
}

/* A transfer that is no multiple of the packet size ends in an overflow. */
static size_t transfer_size(const struct usb_transport *usb,
                            const struct libusb_endpoint_descriptor *endpoint)
{
    size_t packet_size = endpoint->wMaxPacketSize & 0x7FF;
    size_t size = usb->profile->transfer_size;
    packet_size = packet_size > 0 ? packet_size : 1;
    size = (size + packet_size - 1) / packet_size * packet_size;
    assert(!usb->profile->is_packeted || size <= TRANSPORT_PACKET_DATA_MAX);
    return size;
}

static void endpoints_set(struct usb_transport *usb, const struct usb_layout *layout)
{
    for (unsigned i = 0; i < layout->in_count; i++) {
        usb->endpoints[i] = (struct in_endpoint){
            .usb = usb,
            .address = layout->ins[i]->bEndpointAddress,
            .type = layout->ins[i]->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK,
            .transfer_size = transfer_size(usb, layout->ins[i]),
        };
    }
    usb->endpoint_count = layout->in_count;
    usb->out_endpoint = layout->out_endpoint;
    usb->has_line_requests = layout->has_line_requests;
}

static enum status layout_use(struct usb_transport *usb)
{
    struct libusb_config_descriptor *config = NULL;
    int error =
        libusb_get_active_config_descriptor(libusb_get_device(usb->handle), &config);
    if (error) {
        return refused(usb, error, "read its description", ADVICE_REPLUG);
    }
    struct usb_layout layout;
    enum status status = STATUS_DEVICE;
    if (layout_find(config, usb->profile->kind, &layout)) {
        endpoints_set(usb, &layout);
        status = interfaces_claim(usb, &layout);
    } else {
        log_error("%s: this device has no interface of the kind that the driver speaks to; "
                  "check 'driver' in the sensor file, 'limber devices' names the right one",
                  usb->base.name);
    }
    libusb_free_config_descriptor(config);
    return status;
}

static enum status slot_create(struct usb_transport *usb, struct in_endpoint *endpoint,
                               uint8_t *bytes)
{
    struct in_transfer *slot = &usb->transfers[usb->transfer_count];
    slot->transfer = libusb_alloc_transfer(0);
    if (!slot->transfer) {
        return STATUS_NO_MEMORY;
    }
    usb->transfer_count++;
    slot->endpoint = endpoint;
    slot->bytes = bytes;
    libusb_fill_bulk_transfer(slot->transfer, usb->handle, endpoint->address, bytes,
                              (int)endpoint->transfer_size, in_done, slot, 0);
    slot->transfer->type = endpoint->type;
    return STATUS_OK;
}

/* All memory that the transport will ever use. */
static enum status transfers_create(struct usb_transport *usb)
{
    const unsigned count = usb->profile->transfer_count;
    assert(count >= TRANSFER_COUNT_MIN && count <= TRANSFER_COUNT_MAX);
    size_t bytes_size = 0;
    size_t room = 0;
    for (unsigned i = 0; i < usb->endpoint_count; i++) {
        bytes_size += count * usb->endpoints[i].transfer_size;
        room += count * record_room(&usb->endpoints[i]);
    }
    usb->ring_size = RING_SIZE_MIN + 2 * room;
    usb->ring = malloc(usb->ring_size);
    usb->transfer_bytes = malloc(bytes_size);
    usb->transfers = calloc((size_t)count * usb->endpoint_count, sizeof *usb->transfers);
    usb->out_transfer = libusb_alloc_transfer(0);
    if (!usb->ring || !usb->transfer_bytes || !usb->transfers || !usb->out_transfer) {
        return STATUS_NO_MEMORY;
    }
    uint8_t *bytes = usb->transfer_bytes;
    for (unsigned i = 0; i < usb->endpoint_count * count; i++) {
        struct in_endpoint *endpoint = &usb->endpoints[i / count];
        enum status status = slot_create(usb, endpoint, bytes);
        if (status) {
            return status;
        }
        bytes += endpoint->transfer_size;
    }
    return STATUS_OK;
}

static enum status usb_setup(struct usb_transport *usb, const char *address)
{
    struct usb_entry entry;
    enum status status = entry_choose(usb, address, &entry);
    if (status) {
        return status;
    }
    int error = libusb_init(&usb->context);
    if (error) {
        usb->context = NULL;
        return refused(usb, error, "start libusb", "too many open files?");
    }
    status = handle_open(usb, &entry);
    if (!status) {
        status = layout_use(usb);
    }
    if (!status) {
        status = transfers_create(usb);
    }
    if (!status) {
        /* Where it is refused, failing transfers tell as well. */
        libusb_hotplug_register_callback(usb->context, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, 0,
                                         LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
                                         LIBUSB_HOTPLUG_MATCH_ANY, device_left, usb, NULL);
    }
    return status;
}

enum status transport_usb_open(const char *address,
                               const struct transport_usb_profile *profile,
                               struct transport **out)
{
    struct usb_transport *usb = calloc(1, sizeof *usb);
    if (!usb) {
        return STATUS_NO_MEMORY;
    }
    usb->base.ops = &USB_OPS;
    usb->base.pace = TRANSPORT_LIVE;
    usb->profile = profile;
    snprintf(usb->base.name, sizeof usb->base.name, "usb:%s", address);
    enum status status = usb_setup(usb, address);
    if (status) {
        usb_destroy(usb);
        return status;
    }
    transfers_revive(usb);
    if (usb->has_line_requests) {
        command_put(usb, CDC_LINE_CODING, sizeof CDC_LINE_CODING, true);
        command_put(usb, CDC_LINES_ON, sizeof CDC_LINES_ON, true);
        commands_send(usb);
    }
    *out = &usb->base;
    return STATUS_OK;
}

#include "tests/support/rig_usbfs.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <string.h>

enum {
    SETUP_SIZE = 8,
    DEVICE_DESCRIPTOR_SIZE = 18,
    STRING_COUNT = 4,
    DEPTH_MAX = 32, /* what a chip's buffer holds */
    SAMPLES = 0,
    REPLIES = 1
};

/* ---- URBs ---- */

static void queue_put(struct rig_urb_queue *queue, struct rig_urb *urb)
{
    urb->next = NULL;
    if (queue->last) {
        queue->last->next = urb;
    } else {
        queue->first = urb;
    }
    queue->last = urb;
}

static struct rig_urb *queue_get(struct rig_urb_queue *queue)
{
    struct rig_urb *urb = queue->first;
    if (urb) {
        queue->first = urb->next;
        queue->last = queue->first ? queue->last : NULL;
    }
    return urb;
}

static struct rig_urb *queue_remove(struct rig_urb_queue *queue, unsigned long address)
{
    struct rig_urb_queue kept = {NULL, NULL};
    struct rig_urb *found = NULL;
    for (struct rig_urb *urb = queue_get(queue); urb; urb = queue_get(queue)) {
        if (!found && urb->address == address) {
            found = urb;
        } else {
            queue_put(&kept, urb);
        }
    }
    *queue = kept;
    return found;
}

static void urb_finish(struct rig_usbfs *usb, struct rig_urb *urb, int status,
                       const uint8_t *bytes, size_t size)
{
    size_t head = urb->type == USBDEVFS_URB_TYPE_CONTROL ? SETUP_SIZE : 0;
    size_t room = urb->size > head ? urb->size - head : 0;
    urb->actual_size = size < room ? size : room;
    urb->status = status;
    if (bytes && urb->actual_size > 0) {
        memcpy(urb->bytes + head, bytes, urb->actual_size);
    }
    queue_put(&usb->done, urb);
}

struct rig_urb *rig_usbfs_reap(struct rig_usbfs *usb)
{
    struct rig_urb *urb = queue_get(&usb->done);
    usb->urb_count -= urb != NULL;
    return urb;
}

/* ---- requests ---- */

/* @return Size of the answer, -1 = none of the standard ones. */
static int descriptor_give(const struct device_model_usb *face, const uint8_t setup[8],
                           uint8_t *reply)
{
    if (setup[3] == 1) {
        memcpy(reply, face->descriptors, DEVICE_DESCRIPTOR_SIZE);
        return DEVICE_DESCRIPTOR_SIZE;
    }
    if (setup[3] == 2) {
        size_t size = face->descriptors_size - DEVICE_DESCRIPTOR_SIZE;
        memcpy(reply, face->descriptors + DEVICE_DESCRIPTOR_SIZE, size);
        return (int)size;
    }
    if (setup[3] != 3 || setup[2] >= STRING_COUNT) {
        return -1;
    }
    if (setup[2] == 0) {
        memcpy(reply, (const uint8_t[]){4, 3, 9, 4}, 4); /* English */
        return 4;
    }
    const char *text = face->strings[setup[2]];
    size_t length = text ? strlen(text) : 0;
    reply[0] = (uint8_t)(2 + 2 * length);
    reply[1] = 3;
    for (size_t i = 0; i < length; i++) {
        reply[2 + 2 * i] = (uint8_t)text[i];
        reply[3 + 2 * i] = 0;
    }
    return text ? reply[0] : -1;
}

static int request_answer(struct rig_usbfs *usb, const uint8_t setup[8],
                          const uint8_t *data, uint8_t *reply)
{
    const struct device_model_usb *face = usb->device.model.type->usb;
    if (setup[0] == 0x80 && setup[1] == 6) {
        return descriptor_give(face, setup, reply);
    }
    if (setup[0] == 0x21 && setup[1] == 0x22) {
        usb->line_requests = setup[2];
    }
    if (!face->control) {
        return -1;
    }
    return face->control(&usb->device.model, usb->device.now_us, setup, data, reply);
}

static void request_take(struct rig_usbfs *usb, struct rig_urb *urb)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    const uint8_t *setup = urb->bytes;
    int size = request_answer(usb, setup, setup + SETUP_SIZE, reply);
    size_t wanted = (size_t)setup[6] | (size_t)setup[7] << 8;
    if (size < 0) {
        urb_finish(usb, urb, -EPIPE, NULL, 0);
    } else if (setup[0] & 0x80) {
        urb_finish(usb, urb, 0, reply, (size_t)size < wanted ? (size_t)size : wanted);
    } else {
        urb_finish(usb, urb, 0, NULL, wanted);
    }
}

int rig_usbfs_ask(struct rig_usbfs *usb, const uint8_t *bytes, size_t size, uint8_t *reply)
{
    const struct device_model_type *type = usb->device.model.type;
    if (type->usb->command_endpoint == 0) {
        return size < SETUP_SIZE ? -1
                                 : request_answer(usb, bytes, bytes + SETUP_SIZE, reply);
    }
    return type->hear
               ? (int)type->hear(&usb->device.model, usb->device.now_us, bytes, size, reply)
               : -1;
}

/* ---- IN endpoints ---- */

/* Next packet of a queue, whole or what is left of it. */
static bool packet_load(struct rig_usbfs *usb, unsigned which)
{
    if (usb->packet_done[which] < usb->packet_size[which]) {
        return true;
    }
    struct rig_queue *queue =
        which == SAMPLES ? &usb->device.samples : &usb->device.replies;
    usb->packet_done[which] = 0;
    usb->packet_size[which] =
        rig_queue_take(queue, usb->packet[which], sizeof usb->packet[which]);
    return usb->packet_size[which] > 0;
}

static void packet_give(struct rig_usbfs *usb, unsigned which, struct rig_urb *urb)
{
    const uint8_t *bytes = usb->packet[which] + usb->packet_done[which];
    size_t size = usb->packet_size[which] - usb->packet_done[which];
    size = size < urb->size ? size : urb->size;
    usb->packet_done[which] += size;
    urb_finish(usb, urb, 0, bytes, size);
}

static bool count_down(int *count)
{
    if (*count == 0) {
        return false;
    }
    *count -= *count > 0;
    return true;
}

/* @return Whether the packet was spoiled by a fault that was ordered. */
static bool packet_spoil(struct rig_usbfs *usb, unsigned which, struct rig_urb *urb)
{
    struct rig_faults *faults = &usb->faults;
    if (count_down(&faults->error_count)) {
        urb_finish(usb, urb, faults->error, NULL, 0);
    } else if (which == REPLIES) {
        return false;
    } else if (count_down(&faults->empty_count)) {
        urb_finish(usb, urb, 0, NULL, 0);
    } else if (count_down(&faults->short_count)) {
        urb_finish(usb, urb, 0, usb->packet[which], usb->packet_size[which] / 2);
    } else {
        return false;
    }
    usb->packet_done[which] = usb->packet_size[which];
    return true;
}

static void endpoint_serve(struct rig_usbfs *usb, unsigned which)
{
    const struct device_model_usb *face = usb->device.model.type->usb;
    uint8_t endpoint = which == SAMPLES ? face->sample_endpoint : face->reply_endpoint;
    struct rig_urb_queue *waiting = &usb->waiting[endpoint];
    while (waiting->first && !usb->is_halted[endpoint] && packet_load(usb, which)) {
        struct rig_urb *urb = queue_get(waiting);
        if (!packet_spoil(usb, which, urb)) {
            packet_give(usb, which, urb);
        }
    }
}

static void endpoints_serve(struct rig_usbfs *usb)
{
    if (!usb->faults.is_held && !usb->is_gone) {
        endpoint_serve(usb, REPLIES);
        endpoint_serve(usb, SAMPLES);
    }
}

void rig_usbfs_stall(struct rig_usbfs *usb)
{
    uint8_t endpoint = usb->device.model.type->usb->sample_endpoint;
    usb->is_halted[endpoint] = true;
    struct rig_urb *urb = queue_get(&usb->waiting[endpoint]);
    if (urb) {
        urb_finish(usb, urb, -EPIPE, NULL, 0);
    }
}

/* A device may halt its endpoint itself; it says so when asked (USB 2.0, 9.4.5). What it
 * sent before comes first. */
static void device_halts_look(struct rig_usbfs *usb)
{
    const struct device_model_usb *face = usb->device.model.type->usb;
    const uint8_t endpoint = face->sample_endpoint;
    const uint8_t get_status[SETUP_SIZE] = {0x82, 0, 0, 0, endpoint, 0, 2, 0};
    uint8_t reply[DEVICE_MODEL_OUT_MAX] = {0};
    bool has_packets = usb->device.samples.count > 0
                       || usb->packet_done[SAMPLES] < usb->packet_size[SAMPLES];
    if (!face->control || usb->is_halted[endpoint] || has_packets) {
        return;
    }
    if (face->control(&usb->device.model, usb->device.now_us, get_status, NULL, reply) == 2
        && reply[0] & 1) {
        rig_usbfs_stall(usb);
    }
}

int rig_usbfs_clear_halt(struct rig_usbfs *usb, uint8_t endpoint)
{
    const struct device_model_usb *face = usb->device.model.type->usb;
    const uint8_t clear_feature[SETUP_SIZE] = {0x02, 1, 0, 0, endpoint, 0, 0, 0};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    if (usb->is_gone) {
        return -ENODEV;
    }
    if (face->control) {
        face->control(&usb->device.model, usb->device.now_us, clear_feature, NULL, reply);
    }
    usb->is_halted[endpoint] = usb->faults.is_stubborn;
    endpoints_serve(usb);
    return 0;
}

/* ---- interfaces ---- */

static bool any_is_claimed(const struct rig_usbfs *usb)
{
    for (unsigned i = 0; i < RIG_INTERFACE_MAX; i++) {
        if (usb->is_claimed[i]) {
            return true;
        }
    }
    return false;
}

int rig_usbfs_claim(struct rig_usbfs *usb, unsigned interface)
{
    if (usb->is_gone) {
        return -ENODEV;
    }
    if (usb->faults.claim_error) {
        return -usb->faults.claim_error;
    }
    if (interface >= RIG_INTERFACE_MAX) {
        return -ENOENT;
    }
    if (usb->has_kernel_driver[interface]) {
        return -EBUSY;
    }
    if (!any_is_claimed(usb)) {
        rig_device_open(&usb->device);
    }
    usb->is_claimed[interface] = true;
    return 0;
}

int rig_usbfs_release(struct rig_usbfs *usb, unsigned interface)
{
    if (usb->is_gone) {
        return -ENODEV;
    }
    if (interface >= RIG_INTERFACE_MAX || !usb->is_claimed[interface]) {
        return -EINVAL;
    }
    usb->is_claimed[interface] = false;
    return 0;
}

int rig_usbfs_driver(struct rig_usbfs *usb, unsigned interface, bool is_bound)
{
    if (usb->is_gone) {
        return -ENODEV;
    }
    if (interface >= RIG_INTERFACE_MAX) {
        return -EINVAL;
    }
    if (!is_bound && !usb->has_kernel_driver[interface]) {
        return -ENODATA;
    }
    if (is_bound && usb->is_claimed[interface]) {
        return -EBUSY;
    }
    usb->has_kernel_driver[interface] = is_bound;
    return 0;
}

/* ---- the whole ---- */

void rig_usbfs_init(struct rig_usbfs *usb, const struct device_model_type *type,
                    double rate_hz, uint32_t serial)
{
    memset(usb, 0, sizeof *usb);
    usb->depth_max = DEPTH_MAX;
    for (unsigned i = 0; i < RIG_INTERFACE_MAX; i++) {
        usb->has_kernel_driver[i] = true;
    }
    rig_device_start(&usb->device, type, rate_hz, serial);
}

static void out_take(struct rig_usbfs *usb, struct rig_urb *urb)
{
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL) {
        request_take(usb, urb);
    } else if (urb->endpoint == usb->device.model.type->usb->command_endpoint) {
        rig_device_hear(&usb->device, urb->bytes, urb->size);
        urb_finish(usb, urb, 0, NULL, urb->size);
    } else {
        urb_finish(usb, urb, -EPIPE, NULL, 0);
    }
}

int rig_usbfs_submit(struct rig_usbfs *usb, struct rig_urb *urb)
{
    if (usb->is_gone) {
        return -ENODEV;
    }
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL && urb->size < SETUP_SIZE) {
        return -EINVAL;
    }
    usb->urb_count++;
    bool is_in = urb->type != USBDEVFS_URB_TYPE_CONTROL && (urb->endpoint & 0x80) != 0;
    if (is_in && usb->is_halted[urb->endpoint]) {
        urb_finish(usb, urb, -EPIPE, NULL, 0);
    } else if (is_in) {
        queue_put(&usb->waiting[urb->endpoint], urb);
    } else if (usb->faults.is_deaf) {
        queue_put(&usb->deaf, urb);
    } else {
        out_take(usb, urb);
    }
    endpoints_serve(usb);
    return 0;
}

int rig_usbfs_discard(struct rig_usbfs *usb, unsigned long address)
{
    struct rig_urb *urb = NULL;
    if (usb->is_gone) {
        return -ENODEV;
    }
    for (unsigned i = 0; i < 256 && !urb; i++) {
        urb = queue_remove(&usb->waiting[i], address);
    }
    if (!urb) {
        urb = queue_remove(&usb->deaf, address);
    }
    if (!urb) {
        return -EINVAL;
    }
    urb_finish(usb, urb, -ENOENT, NULL, 0);
    return 0;
}

/* A device keeps only so much for a host that does not come. */
static void depth_limit(struct rig_usbfs *usb)
{
    uint8_t lost[DEVICE_MODEL_OUT_MAX];
    usb->is_draining = usb->is_draining && usb->device.samples.count > usb->depth_max;
    while (!usb->is_draining && usb->device.samples.count > usb->depth_max) {
        rig_queue_take(&usb->device.samples, lost, sizeof lost);
        usb->late_count++;
    }
}

void rig_usbfs_advance(struct rig_usbfs *usb, uint64_t now_us)
{
    if (usb->is_gone) {
        return;
    }
    if (usb->faults.is_silent) {
        usb->device.next_us = now_us;
        usb->device.now_us = now_us;
        return;
    }
    rig_device_advance(&usb->device, now_us);
    endpoints_serve(usb);
    device_halts_look(usb);
    if (!any_is_claimed(usb)) {
        rig_queue_clear(&usb->device.samples);
    } else if (!usb->faults.is_held) {
        depth_limit(usb);
    }
}

static void urbs_end(struct rig_usbfs *usb, struct rig_urb_queue *queue, int status)
{
    for (struct rig_urb *urb = queue_get(queue); urb; urb = queue_get(queue)) {
        urb_finish(usb, urb, status, NULL, 0);
    }
}

static void all_urbs_end(struct rig_usbfs *usb, int status)
{
    for (unsigned i = 0; i < 256; i++) {
        urbs_end(usb, &usb->waiting[i], status);
    }
    urbs_end(usb, &usb->deaf, status);
}

void rig_usbfs_unplug(struct rig_usbfs *usb, bool is_handed_back)
{
    usb->is_gone = true;
    if (is_handed_back) {
        all_urbs_end(usb, -ESHUTDOWN);
    }
}

void rig_usbfs_abandon(struct rig_usbfs *usb)
{
    all_urbs_end(usb, -ENOENT);
    memset(usb->is_claimed, 0, sizeof usb->is_claimed);
}

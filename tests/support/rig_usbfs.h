/* A device model behind the ioctls of Linux usbfs, whoever brings them: endpoints, URBs,
 * halts, kernel drivers, and the faults that tests order. No I/O and no clock; the owner
 * locks. */
#ifndef LIMBER_TESTS_SUPPORT_RIG_USBFS_H
#define LIMBER_TESTS_SUPPORT_RIG_USBFS_H

#include "tests/support/rig_device.h"

enum {
    RIG_INTERFACE_MAX = 16,
    RIG_URB_BYTES_MAX = 1 << 16
};

/* One URB of the host; memory belongs to the owner of the rig. */
struct rig_urb {
    struct rig_urb *next;
    unsigned long address; /* the host's name of it */
    uint8_t type;          /* USBDEVFS_URB_TYPE_* */
    uint8_t endpoint;
    uint8_t *bytes; /* may be NULL when size is 0 */
    size_t size;
    size_t actual_size;
    int status;  /* 0 or -errno */
    void *owner; /* for the owner of the rig */
};

struct rig_urb_queue {
    struct rig_urb *first;
    struct rig_urb *last;
};

/* What is wrong with the device now. Counts go down to 0; -1 = always. */
struct rig_faults {
    bool is_silent;   /* samples are not taken */
    bool is_held;     /* packets wait in the device */
    int error_count;  /* IN transfers end with error */
    int error;        /* -errno */
    int short_count;  /* reports are cut to half */
    int empty_count;  /* empty packets in place of reports */
    int claim_error;  /* errno of claims, 0 = none */
    bool is_deaf;     /* OUT transfers and requests are never finished */
    bool is_stubborn; /* a halt cannot be cleared for good */
};

struct rig_usbfs {
    struct rig_device device;
    struct rig_faults faults;
    struct rig_urb_queue waiting[256]; /* IN URBs by endpoint */
    struct rig_urb_queue deaf;         /* OUT URBs while it does not take them */
    struct rig_urb_queue done;
    bool is_halted[256];
    bool is_claimed[RIG_INTERFACE_MAX];
    bool has_kernel_driver[RIG_INTERFACE_MAX]; /* bound to one now */
    bool is_gone;
    uint8_t packet[2][DEVICE_MODEL_OUT_MAX]; /* taken, given in parts: samples, replies */
    size_t packet_size[2];
    size_t packet_done[2];
    uint64_t late_count;    /* reports that found no waiting URB in time */
    unsigned depth_max;     /* packets that the device keeps for a slow host */
    bool is_draining;       /* what was held may be more */
    unsigned urb_count;     /* in the hands of the rig */
    unsigned line_requests; /* bits: last value of SET_CONTROL_LINE_STATE */
};

/* @param type  With a usb face.
 * @param rate_hz As rig_device_init. */
void rig_usbfs_init(struct rig_usbfs *usb, const struct device_model_type *type,
                    double rate_hz, uint32_t serial);

/* Each returns 0 or -errno. */
int rig_usbfs_claim(struct rig_usbfs *usb, unsigned interface);
int rig_usbfs_release(struct rig_usbfs *usb, unsigned interface);
int rig_usbfs_clear_halt(struct rig_usbfs *usb, uint8_t endpoint);

/* Put aside (false) or bind again (true) the kernel's driver of an interface. */
int rig_usbfs_driver(struct rig_usbfs *usb, unsigned interface, bool is_bound);
int rig_usbfs_submit(struct rig_usbfs *usb, struct rig_urb *urb);
int rig_usbfs_discard(struct rig_usbfs *usb, unsigned long address);

/* A URB that is done, or NULL. */
struct rig_urb *rig_usbfs_reap(struct rig_usbfs *usb);

/* Let time pass: samples are taken and given to the URBs that wait. */
void rig_usbfs_advance(struct rig_usbfs *usb, uint64_t now_us);

/* Ask the device past the host, between two of its commands: a control request (8 setup
 * bytes, then OUT data) where it takes those.
 * @param reply  Out: room for DEVICE_MODEL_OUT_MAX. @return Size, -1 = refused. */
int rig_usbfs_ask(struct rig_usbfs *usb, const uint8_t *bytes, size_t size, uint8_t *reply);

/* Halt the endpoint of the samples. */
void rig_usbfs_stall(struct rig_usbfs *usb);

/* @param is_handed_back  Waiting URBs end with -ESHUTDOWN; else they are never heard of. */
void rig_usbfs_unplug(struct rig_usbfs *usb, bool is_handed_back);

/* The host closed its descriptor: waiting URBs come back, claims end. */
void rig_usbfs_abandon(struct rig_usbfs *usb);

#endif

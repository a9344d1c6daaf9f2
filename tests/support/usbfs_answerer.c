/* For rates that no rig in another process can keep up with: preloaded into the program
 * under test, in front of umockdev's own library, it answers the ioctls of usbfs inside
 * that process from a thread that lets a device model live. umockdev (rig_usb with the same
 * model) still gives the sysfs and the node. One device, opened by one transport at a time.
 * Environment: RIG_MODEL, RIG_RATE_HZ (0 = as configured), RIG_SERIAL. Prints its counters
 * when the program ends. */
#define _GNU_SOURCE /* RTLD_NEXT, syscall */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/rig_usbfs.h"
#include "tests/support/tiny_usb.h"

/* A preloaded library has nowhere to put its state but here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rig_usbfs usb;
static int gate_descriptor = -1;
static bool is_gate_open;
static bool is_alive;
static atomic_bool is_ending;
static pthread_t life;

static const long STEP_NS = 250000; /* one report at 4000 a second */

/* Straight to the kernel: umockdev would send it to the rig, and nothing would wake. */
static void gate_set(void)
{
    bool is_open = usb.done.first != NULL;
    if (is_open != is_gate_open) {
        is_gate_open = is_open;
        syscall(SYS_ioctl, gate_descriptor, TCXONC, is_open ? TCOON : TCOOFF);
    }
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *device_live(void *unused)
{
    int64_t start_ns = now_ns();
    while (!is_ending) {
        pthread_mutex_lock(&lock);
        rig_usbfs_advance(&usb, (uint64_t)(now_ns() - start_ns) / 1000);
        gate_set();
        pthread_mutex_unlock(&lock);
        struct timespec pause = {.tv_nsec = STEP_NS};
        nanosleep(&pause, NULL);
    }
    return unused;
}

static void device_start(void)
{
    const char *name = getenv("RIG_MODEL");
    const char *rate = getenv("RIG_RATE_HZ");
    const char *serial = getenv("RIG_SERIAL");
    const struct device_model_type *type = name ? tiny_usb_find(name) : NULL;
    type = type || !name ? type : device_model_find(name);
    if (!type || !type->usb) {
        fprintf(stderr, "usbfs_answerer: no model '%s' with a USB face\n",
                name ? name : "");
        abort();
    }
    rig_usbfs_init(&usb, type, rate ? strtod(rate, NULL) : 0.0,
                   serial ? (uint32_t)strtoul(serial, NULL, 0) : 1);
    is_alive = pthread_create(&life, NULL, device_live, NULL) == 0;
}

__attribute__((destructor)) static void device_end(void)
{
    if (!is_alive) {
        return;
    }
    is_ending = true;
    pthread_join(life, NULL);
    printf("rig: fast sent=%" PRIu64 " late=%" PRIu64 " lost=%" PRIu64 "\n",
           usb.device.sent_count, usb.late_count, usb.device.lost_count);
    fflush(stdout);
}

static int urb_submit(struct usbdevfs_urb *record)
{
    struct rig_urb *urb = calloc(1, sizeof *urb);
    if (!urb) {
        return -ENOMEM;
    }
    urb->owner = record;
    urb->address = (unsigned long)record;
    urb->type = record->type;
    urb->endpoint = record->endpoint;
    urb->bytes = record->buffer;
    urb->size = (size_t)record->buffer_length;
    int result = rig_usbfs_submit(&usb, urb);
    if (result) {
        free(urb);
    }
    return result;
}

static int urb_reap(void **place)
{
    struct rig_urb *urb = rig_usbfs_reap(&usb);
    if (!urb) {
        return usb.is_gone ? -ENODEV : -EAGAIN;
    }
    struct usbdevfs_urb *record = urb->owner;
    record->status = urb->status;
    record->actual_length = (int)urb->actual_size;
    *place = record;
    free(urb);
    return 0;
}

static int usbfs_answer(unsigned long request, void *argument)
{
    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        *(uint32_t *)argument = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM
                                | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
        return 0;
    case USBDEVFS_CLAIMINTERFACE:
        return rig_usbfs_claim(&usb, *(const unsigned *)argument);
    case USBDEVFS_DISCONNECT_CLAIM: {
        const struct usbdevfs_disconnect_claim *claim = argument;
        rig_usbfs_driver(&usb, claim->interface, false);
        return rig_usbfs_claim(&usb, claim->interface);
    }
    case USBDEVFS_RELEASEINTERFACE:
        return rig_usbfs_release(&usb, *(const unsigned *)argument);
    case USBDEVFS_CLEAR_HALT:
        return rig_usbfs_clear_halt(&usb, (uint8_t) * (const unsigned *)argument);
    case USBDEVFS_SUBMITURB:
        return urb_submit(argument);
    case USBDEVFS_REAPURB:
    case USBDEVFS_REAPURBNDELAY:
        return urb_reap(argument);
    case USBDEVFS_DISCARDURB:
        return rig_usbfs_discard(&usb, (unsigned long)argument);
    default:
        return -ENOTTY;
    }
}

/* Takes the place of the C library's. */
int ioctl(int descriptor, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (_IOC_TYPE(request) != 'U') {
        int (*next)(int, unsigned long, ...) = NULL;
        *(void **)&next = dlsym(RTLD_NEXT, "ioctl");
        return next(descriptor, request, argument);
    }
    pthread_mutex_lock(&lock);
    if (gate_descriptor < 0) {
        gate_descriptor = descriptor;
        device_start();
    }
    int result = usbfs_answer(request, argument);
    gate_set();
    pthread_mutex_unlock(&lock);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

/* Simulated USB devices that the real libusb accepts: a umockdev testbed whose device nodes
 * are pseudo-terminals, with the ioctls of usbfs answered here by device models. The node
 * is a pseudo-terminal because that one can sleep, wake and hang up: output is stopped
 * while no URB is ready (poll for writing waits), and closing the master gives the hang-up
 * of a device that is pulled out.
 *
 * Runs one program as its child and takes orders, one a line, on standard input; N is the
 * index of the device:
 *     plug N, unplug N, unplug-silent N    the last: URBs are never handed back
 *     unplug-left N, unplug-hangup N       only the event of the removal; only the hang-up
 *     node-gone N, node-closed N           between list and open: no node, no permission
 *     silence N 0|1, hold N 0|1            no samples; samples wait and then come at once
 *     stall N, stubborn N 0|1              halt; a halt that cannot be cleared
 *     error N ERRNO COUNT                  transfers that fail, -1 = all
 *     short N COUNT, empty N COUNT         reports cut to half, of no bytes
 *     claim N ERRNO                        claims are refused, 0 = no more
 *     deaf N 0|1                           commands are never finished
 *     pose N DEG MS                        turn about x to an angle within a time, stay
 *     press N 0|1                          its button
 *     ask N HEX                            past the host; " reply=HEX" or " refused"
 *     status N                             counters
 *     kill SIGNAL                          to the child
 * Each order answers "rig: ORDER N CLOCK_MONOTONIC_ns ..." when it is done. At the end of
 * input it waits for the child.
 * RATE_HZ 0 is the model's own; a SERIAL of 0 the index of the device + 1.
 * usage: umockdev-wrapper rig_usb MODEL[:RATE_HZ[:SERIAL]],... -- program arguments... */
#define _GNU_SOURCE /* openpty, tcflow on a terminal of our own */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <umockdev.h>
#include <unistd.h>

#include "base/units.h"
#include "tests/support/rig_usbfs.h"
#include "tests/support/tiny_usb.h"

#define HUB_PATH "/devices/pci0000:00/0000:00:14.0/usb1"

enum {
    PORT_MAX = 8,
    LINE_SIZE = 256,
    PATH_SIZE = 512,
    FIRST_NUMBER = 5,
    STEP_MS = 1
};

struct rig;

struct port {
    struct rig *rig;
    const struct device_model_type *type;
    double rate_hz;
    uint32_t serial;
    struct rig_usbfs usb;
    int64_t plugged_ns;
    UMockdevIoctlClient *client; /* who opened it as it is plugged in now; only compared */
    int master; /* of the pseudo-terminal behind the node; -1 = unplugged */
    int slave;
    bool is_gate_open;
    bool is_left; /* removed, but the old node lives until it is plugged in again */
    int number;   /* on the bus */
    char node[PATH_SIZE];
};

struct rig {
    UMockdevTestbed *testbed;
    UMockdevIoctlBase *ioctls[PORT_MAX];
    struct port ports[PORT_MAX];
    int port_count;
    int next_number;
    pid_t child; /* 0 = has ended */
    int child_code;
    pthread_mutex_t lock; /* ports: the testbed answers ioctls in a thread of its own */
};

/* A URB and where it lies in the client. */
struct host_urb {
    struct rig_urb urb;
    UMockdevIoctlData *record;
    UMockdevIoctlData *buffer;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void gate_set(struct port *port)
{
    bool is_open = port->usb.done.first != NULL;
    if (port->slave >= 0 && is_open != port->is_gate_open) {
        port->is_gate_open = is_open;
        tcflow(port->slave, is_open ? TCOON : TCOOFF);
    }
}

static void port_advance(struct port *port)
{
    if (port->master >= 0) {
        rig_usbfs_advance(&port->usb, (uint64_t)(now_ns() - port->plugged_ns) / 1000);
        gate_set(port);
    }
}

/* ---- ioctls ---- */

static void host_urb_free(struct host_urb *host)
{
    if (host->buffer) {
        g_object_unref(host->buffer);
    }
    g_object_unref(host->record);
    free(host);
}

static void urbs_free(struct port *port)
{
    for (struct rig_urb *urb = rig_usbfs_reap(&port->usb); urb;
         urb = rig_usbfs_reap(&port->usb)) {
        host_urb_free(urb->owner);
    }
}

static int urb_submit(struct port *port, UMockdevIoctlData *argument)
{
    UMockdevIoctlData *record =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(struct usbdevfs_urb), NULL);
    if (!record) {
        return -EFAULT;
    }
    const struct usbdevfs_urb *urb = (const void *)record->data;
    struct host_urb *host = calloc(1, sizeof *host);
    if (!host) {
        return -ENOMEM;
    }
    host->record = g_object_ref(record);
    host->buffer = umockdev_ioctl_data_resolve(
        record, offsetof(struct usbdevfs_urb, buffer), (gsize)urb->buffer_length, NULL);
    if (host->buffer) {
        g_object_ref(host->buffer);
    }
    host->urb.owner = host;
    host->urb.address = record->client_addr;
    host->urb.type = urb->type;
    host->urb.endpoint = urb->endpoint;
    host->urb.size = host->buffer ? (size_t)urb->buffer_length : 0;
    host->urb.bytes = host->buffer ? host->buffer->data : NULL;
    int result = rig_usbfs_submit(&port->usb, &host->urb);
    if (result) {
        host_urb_free(host);
    }
    return result;
}

static int urb_reap(struct port *port, UMockdevIoctlData *argument)
{
    struct rig_urb *urb = rig_usbfs_reap(&port->usb);
    if (!urb) {
        return port->usb.is_gone ? -ENODEV : -EAGAIN;
    }
    struct host_urb *host = urb->owner;
    struct usbdevfs_urb *record = (void *)host->record->data;
    record->status = urb->status;
    record->actual_length = (int)urb->actual_size;
    UMockdevIoctlData *place =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(void *), NULL);
    if (place) {
        umockdev_ioctl_data_set_ptr(place, 0, host->record);
    }
    host_urb_free(host);
    return 0;
}

static int number_of(UMockdevIoctlData *argument, unsigned *number)
{
    UMockdevIoctlData *data =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(unsigned), NULL);
    if (!data) {
        return -EFAULT;
    }
    memcpy(number, data->data, sizeof *number);
    return 0;
}

static int driver_name_get(struct port *port, UMockdevIoctlData *argument)
{
    UMockdevIoctlData *data =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(struct usbdevfs_getdriver), NULL);
    struct usbdevfs_getdriver *driver = data ? (void *)data->data : NULL;
    if (!driver || driver->interface >= RIG_INTERFACE_MAX) {
        return -EFAULT;
    }
    if (!port->usb.has_kernel_driver[driver->interface]) {
        return -ENODATA;
    }
    snprintf(driver->driver, sizeof driver->driver, "rigdrv");
    return 0;
}

static int detach_and_claim(struct port *port, UMockdevIoctlData *argument)
{
    UMockdevIoctlData *data = umockdev_ioctl_data_resolve(
        argument, 0, sizeof(struct usbdevfs_disconnect_claim), NULL);
    if (!data) {
        return -EFAULT;
    }
    const struct usbdevfs_disconnect_claim *claim = (const void *)data->data;
    rig_usbfs_driver(&port->usb, claim->interface, false);
    return rig_usbfs_claim(&port->usb, claim->interface);
}

static int driver_bind(struct port *port, UMockdevIoctlData *argument)
{
    UMockdevIoctlData *data =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(struct usbdevfs_ioctl), NULL);
    if (!data) {
        return -EFAULT;
    }
    const struct usbdevfs_ioctl *order = (const void *)data->data;
    bool is_bound = order->ioctl_code == (int)USBDEVFS_CONNECT;
    int result = rig_usbfs_driver(&port->usb, (unsigned)order->ifno, is_bound);
    return result ? result : 1;
}

static int capabilities_get(UMockdevIoctlData *argument)
{
    UMockdevIoctlData *data =
        umockdev_ioctl_data_resolve(argument, 0, sizeof(uint32_t), NULL);
    const uint32_t capabilities = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM
                                  | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
    if (!data) {
        return -EFAULT;
    }
    memcpy(data->data, &capabilities, sizeof capabilities);
    return 0;
}

static int ioctl_answer(struct port *port, gulong request, UMockdevIoctlData *argument)
{
    struct rig_usbfs *usb = &port->usb;
    unsigned number = 0;
    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        return capabilities_get(argument);
    case USBDEVFS_CLAIMINTERFACE:
        return number_of(argument, &number) ? -EFAULT : rig_usbfs_claim(usb, number);
    case USBDEVFS_RELEASEINTERFACE:
        return number_of(argument, &number) ? -EFAULT : rig_usbfs_release(usb, number);
    case USBDEVFS_CLEAR_HALT:
        return number_of(argument, &number) ? -EFAULT
                                            : rig_usbfs_clear_halt(usb, (uint8_t)number);
    case USBDEVFS_GETDRIVER:
        return driver_name_get(port, argument);
    case USBDEVFS_DISCONNECT_CLAIM:
        return detach_and_claim(port, argument);
    case USBDEVFS_IOCTL:
        return driver_bind(port, argument);
    case USBDEVFS_SUBMITURB:
        return urb_submit(port, argument);
    case USBDEVFS_REAPURB:
    case USBDEVFS_REAPURBNDELAY:
        return urb_reap(port, argument);
    case USBDEVFS_DISCARDURB: {
        gulong address = 0;
        memcpy(&address, argument->data, sizeof address);
        return rig_usbfs_discard(usb, address);
    }
    default:
        return -ENOTTY;
    }
}

static gboolean on_ioctl(UMockdevIoctlBase *base, UMockdevIoctlClient *client,
                         gpointer user)
{
    struct port *port = user;
    gulong request = umockdev_ioctl_client_get_request(client);
    UMockdevIoctlData *argument = umockdev_ioctl_client_get_arg(client);
    (void)base;
    pthread_mutex_lock(&port->rig->lock);
    /* A descriptor from before the last unplugging. */
    bool is_stale = port->client != client;
    int result = is_stale ? -ENODEV : ioctl_answer(port, request, argument);
    gate_set(port);
    pthread_mutex_unlock(&port->rig->lock);
    umockdev_ioctl_client_complete(client, result < 0 ? -1 : result,
                                   result < 0 ? -result : 0);
    return TRUE;
}

static void on_connected(UMockdevIoctlBase *base, UMockdevIoctlClient *client,
                         gpointer user)
{
    struct port *port = user;
    (void)base;
    pthread_mutex_lock(&port->rig->lock);
    port->client = client;
    pthread_mutex_unlock(&port->rig->lock);
}

/* The program closed its descriptor: the kernel takes everything back. */
static void on_vanished(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer user)
{
    struct port *port = user;
    (void)base;
    pthread_mutex_lock(&port->rig->lock);
    if (port->client == client) {
        port->client = NULL;
        rig_usbfs_abandon(&port->usb);
        urbs_free(port);
    }
    gate_set(port);
    pthread_mutex_unlock(&port->rig->lock);
}

/* ---- testbed ---- */

static bool testbed_add(const struct rig *rig, const char *text)
{
    GError *error = NULL;
    if (umockdev_testbed_add_from_string(rig->testbed, text, &error)) {
        return true;
    }
    fprintf(stderr, "rig: %s\n", error->message);
    g_error_free(error);
    return false;
}

static void hex_append(GString *text, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        g_string_append_printf(text, "%02X", bytes[i]);
    }
}

static void string_append(GString *text, const struct device_model_usb *face,
                          const char *attribute, unsigned offset)
{
    unsigned index = face->descriptors[offset];
    if (index > 0 && index < 4 && face->strings[index]) {
        g_string_append_printf(text, "A: %s=%s\\n\n", attribute, face->strings[index]);
    }
}

static bool device_add(const struct rig *rig, const struct port *port)
{
    const struct device_model_usb *face = port->type->usb;
    const uint8_t *descriptor = face->descriptors;
    int index = (int)(port - rig->ports);
    GString *text = g_string_new(NULL);
    g_string_append_printf(
        text,
        "P: " HUB_PATH "/1-%d\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
        "E: DEVNAME=/dev/bus/usb/001/%03d\nE: BUSNUM=001\nE: DEVNUM=%03d\nE: MAJOR=189\n"
        "E: MINOR=%d\nA: busnum=1\\n\nA: devnum=%d\\n\nA: speed=%u\\n\n"
        "A: bConfigurationValue=1\\n\nA: bDeviceClass=%02x\\n\nA: idVendor=%02x%02x\\n\n"
        "A: idProduct=%02x%02x\\n\n",
        index + 1, port->number, port->number, port->number - 1, port->number,
        face->speed_mbit, descriptor[4], descriptor[9], descriptor[8], descriptor[11],
        descriptor[10]);
    string_append(text, face, "manufacturer", 14);
    string_append(text, face, "product", 15);
    string_append(text, face, "serial", 16);
    g_string_append(text, "H: descriptors=");
    hex_append(text, face->descriptors, face->descriptors_size);
    g_string_append(text, "\n\n");
    bool is_added = testbed_add(rig, text->str);
    g_string_free(text, TRUE);
    return is_added;
}

static bool node_create(struct rig *rig, struct port *port)
{
    char slave_path[64];
    char folder[PATH_SIZE];
    struct termios raw;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    if (openpty(&port->master, &port->slave, slave_path, &raw, NULL) != 0) {
        return false;
    }
    /* Inherited by the child they would keep the line up after an unplug. */
    fcntl(port->master, F_SETFD, FD_CLOEXEC);
    fcntl(port->slave, F_SETFD, FD_CLOEXEC);
    tcflow(port->slave, TCOOFF);
    port->is_gate_open = false;
    gchar *root = umockdev_testbed_get_root_dir(rig->testbed);
    snprintf(folder, sizeof folder, "%s/dev/bus/usb/001", root);
    g_mkdir_with_parents(folder, 0755);
    snprintf(port->node, sizeof port->node, "%s/dev/bus/usb/001/%03d", root, port->number);
    g_free(root);
    unlink(port->node);
    return symlink(slave_path, port->node) == 0;
}

static void node_close(struct port *port)
{
    if (port->master >= 0) {
        close(port->slave);
        close(port->master);
    }
    port->slave = -1;
    port->master = -1;
}

static bool port_plug(struct rig *rig, struct port *port)
{
    char name[64];
    int index = (int)(port - rig->ports);
    if (port->master >= 0 && !port->is_left) {
        return true;
    }
    pthread_mutex_lock(&rig->lock);
    node_close(port);
    port->is_left = false;
    port->number = rig->next_number++;
    rig_usbfs_abandon(&port->usb);
    urbs_free(port);
    port->client = NULL;
    rig_usbfs_init(&port->usb, port->type, port->rate_hz, port->serial);
    port->plugged_ns = now_ns();
    bool is_made = node_create(rig, port);
    pthread_mutex_unlock(&rig->lock);
    snprintf(name, sizeof name, "/dev/bus/usb/001/%03d", port->number);
    return is_made
           && umockdev_testbed_attach_ioctl(rig->testbed, name, rig->ioctls[index], NULL)
           && device_add(rig, port);
}

enum unplug_sign {
    SIGN_EVENT = 1,
    SIGN_HANGUP = 2,
    SIGN_URBS = 4 /* they come back */
};

static void port_unplug(struct rig *rig, struct port *port, unsigned signs)
{
    char device[64];
    if (port->master < 0) {
        return;
    }
    snprintf(device, sizeof device, "/sys" HUB_PATH "/1-%d", (int)(port - rig->ports) + 1);
    if (signs & SIGN_HANGUP) {
        pthread_mutex_lock(&rig->lock);
        rig_usbfs_unplug(&port->usb, (signs & SIGN_URBS) != 0);
        node_close(port);
        pthread_mutex_unlock(&rig->lock);
    }
    unlink(port->node);
    if (signs & SIGN_EVENT) {
        umockdev_testbed_uevent(rig->testbed, device, "remove");
    }
    umockdev_testbed_remove_device(rig->testbed, device);
    port->is_left = (signs & SIGN_HANGUP) == 0;
}

static const struct {
    const char *order;
    unsigned signs;
} UNPLUGS[] = {
    {"unplug", SIGN_EVENT | SIGN_HANGUP | SIGN_URBS},
    {"unplug-silent", SIGN_EVENT | SIGN_HANGUP},
    {"unplug-left", SIGN_EVENT},
    {"unplug-hangup", SIGN_HANGUP},
};

static bool unplug_order(struct rig *rig, struct port *port, const char *order)
{
    for (size_t i = 0; i < sizeof UNPLUGS / sizeof UNPLUGS[0]; i++) {
        if (strcmp(order, UNPLUGS[i].order) == 0) {
            port_unplug(rig, port, UNPLUGS[i].signs);
            return true;
        }
    }
    return false;
}

/* No permission: nobody gets as far as an ioctl. */
static void node_forbid(const struct rig *rig, const struct port *port)
{
    char name[64];
    snprintf(name, sizeof name, "/dev/bus/usb/001/%03d", port->number);
    umockdev_testbed_detach_ioctl(rig->testbed, name, NULL);
    chmod(port->node, 0);
}

/* ---- orders ---- */

static void status_print(const struct port *port)
{
    unsigned claimed = 0;
    unsigned bound = 0;
    for (unsigned i = 0; i < RIG_INTERFACE_MAX; i++) {
        claimed |= (unsigned)port->usb.is_claimed[i] << i;
        bound |= (unsigned)port->usb.has_kernel_driver[i] << i;
    }
    printf(" sent=%" PRIu64 " late=%" PRIu64 " lost=%" PRIu64
           " urbs=%u claimed=%x bound=%x lines=%x",
           port->usb.device.sent_count, port->usb.late_count, port->usb.device.lost_count,
           port->usb.urb_count, claimed, bound, port->usb.line_requests);
}

static void fault_order(struct port *port, const char *order, int first, int second)
{
    struct rig_faults *faults = &port->usb.faults;
    if (strcmp(order, "silence") == 0) {
        faults->is_silent = first != 0;
    } else if (strcmp(order, "hold") == 0) {
        faults->is_held = first != 0;
        port->usb.is_draining = first == 0;
    } else if (strcmp(order, "stall") == 0) {
        rig_usbfs_stall(&port->usb);
    } else if (strcmp(order, "stubborn") == 0) {
        faults->is_stubborn = first != 0;
    } else if (strcmp(order, "error") == 0) {
        faults->error = -first;
        faults->error_count = second;
    } else if (strcmp(order, "short") == 0) {
        faults->short_count = first;
    } else if (strcmp(order, "empty") == 0) {
        faults->empty_count = first;
    } else if (strcmp(order, "claim") == 0) {
        faults->claim_error = first;
    } else if (strcmp(order, "deaf") == 0) {
        faults->is_deaf = first != 0;
    } else if (strcmp(order, "pose") == 0) {
        rig_device_pose(&port->usb.device, first * RAD_PER_DEG, second * 1e-3);
    } else if (strcmp(order, "press") == 0) {
        port->usb.device.is_pressed = first != 0;
    } else if (strcmp(order, "node-gone") == 0) {
        unlink(port->node);
    } else if (strcmp(order, "status") == 0) {
        status_print(port);
    } else {
        printf(" unknown");
    }
}

/* @param text  Hex digits. */
static void ask_order(struct port *port, const char *text)
{
    uint8_t bytes[LINE_SIZE / 2];
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    size_t size = 0;
    for (unsigned value = 0; sscanf(text + 2 * size, "%2x", &value) == 1; size++) {
        bytes[size] = (uint8_t)value;
    }
    int reply_size = rig_usbfs_ask(&port->usb, bytes, size, reply);
    printf(reply_size < 0 ? " refused" : " reply=");
    for (int i = 0; i < reply_size; i++) {
        printf("%02x", reply[i]);
    }
}

static void order_follow(struct rig *rig, const char *line)
{
    char order[32] = "";
    char hex[LINE_SIZE] = "";
    int values[3] = {0, 0, 0};
    sscanf(line, "%31s %d %d %d", order, &values[0], &values[1], &values[2]);
    printf("rig: %s %d %" PRId64, order, values[0], now_ns());
    if (strcmp(order, "kill") == 0) {
        if (rig->child > 0) {
            kill(rig->child, values[0]);
        }
    } else if (values[0] < 0 || values[0] >= rig->port_count) {
        printf(" no such device");
    } else if (strcmp(order, "plug") == 0) {
        if (!port_plug(rig, &rig->ports[values[0]])) {
            printf(" failed");
        }
    } else if (strcmp(order, "node-closed") == 0) {
        node_forbid(rig, &rig->ports[values[0]]);
    } else if (sscanf(line, "ask %*d %255s", hex) == 1) {
        pthread_mutex_lock(&rig->lock);
        ask_order(&rig->ports[values[0]], hex);
        pthread_mutex_unlock(&rig->lock);
    } else if (!unplug_order(rig, &rig->ports[values[0]], order)) {
        pthread_mutex_lock(&rig->lock);
        fault_order(&rig->ports[values[0]], order, values[1], values[2]);
        gate_set(&rig->ports[values[0]]);
        pthread_mutex_unlock(&rig->lock);
    }
    printf("\n");
    fflush(stdout);
}

/* @return false at the end of the input. */
static bool orders_read(struct rig *rig, char line[LINE_SIZE], size_t *size)
{
    ssize_t count = read(STDIN_FILENO, line + *size, LINE_SIZE - 1 - *size);
    if (count <= 0) {
        return false;
    }
    *size += (size_t)count;
    line[*size] = '\0';
    for (char *end = strchr(line, '\n'); end; end = strchr(line, '\n')) {
        *end = '\0';
        order_follow(rig, line);
        *size -= (size_t)(end + 1 - line);
        memmove(line, end + 1, *size + 1);
    }
    return *size < LINE_SIZE - 1;
}

static void child_watch(struct rig *rig)
{
    int status = 0;
    if (rig->child > 0 && waitpid(rig->child, &status, WNOHANG) == rig->child) {
        rig->child = 0;
        rig->child_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        printf("rig: child %d %" PRId64 "\n", rig->child_code, now_ns());
        fflush(stdout);
    }
}

static void rig_run(struct rig *rig)
{
    char line[LINE_SIZE] = "";
    size_t size = 0;
    bool has_input = true;
    while (has_input || rig->child > 0) {
        struct pollfd input = {.fd = has_input ? STDIN_FILENO : -1, .events = POLLIN};
        if (poll(&input, 1, STEP_MS) > 0) {
            has_input = orders_read(rig, line, &size);
        }
        pthread_mutex_lock(&rig->lock);
        for (int i = 0; i < rig->port_count; i++) {
            port_advance(&rig->ports[i]);
        }
        pthread_mutex_unlock(&rig->lock);
        child_watch(rig);
    }
}

/* ---- start ---- */

static bool models_parse(struct rig *rig, char *text)
{
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        struct port *port = &rig->ports[rig->port_count];
        char *rate = strchr(name, ':');
        if (rate) {
            char *serial = NULL;
            *rate++ = '\0';
            port->rate_hz = strtod(rate, &serial);
            port->serial = *serial == ':' ? (uint32_t)strtoul(serial + 1, NULL, 0) : 0;
        }
        port->serial = port->serial > 0 ? port->serial : (uint32_t)rig->port_count + 1;
        port->type = tiny_usb_find(name);
        port->type = port->type ? port->type : device_model_find(name);
        if (!port->type || !port->type->usb || rig->port_count == PORT_MAX - 1) {
            fprintf(stderr, "rig: no model '%s' with a USB face\n", name);
            return false;
        }
        port->rig = rig;
        port->master = -1;
        port->slave = -1;
        rig->port_count++;
    }
    return rig->port_count > 0;
}

static bool rig_start(struct rig *rig)
{
    rig->testbed = umockdev_testbed_new();
    if (!testbed_add(rig,
                     "P: " HUB_PATH "\nN: bus/usb/001/001\nE: SUBSYSTEM=usb\n"
                     "E: DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/001\n"
                     "E: BUSNUM=001\nE: DEVNUM=001\nA: busnum=1\\n\nA: devnum=1\\n\n"
                     "A: speed=480\\n\nA: bConfigurationValue=1\\n\nA: bDeviceClass=09\\n\n"
                     "A: idVendor=1d6b\\n\nA: idProduct=0002\\n\n"
                     "H: descriptors=12010002090001406B1D02000106030201010902190001010"
                     "0E0000904000001090000000705810304000C\n\n")) {
        return false;
    }
    for (int i = 0; i < rig->port_count; i++) {
        rig->ioctls[i] = umockdev_ioctl_base_new();
        g_signal_connect(rig->ioctls[i], "handle-ioctl", G_CALLBACK(on_ioctl),
                         &rig->ports[i]);
        g_signal_connect(rig->ioctls[i], "client-connected", G_CALLBACK(on_connected),
                         &rig->ports[i]);
        g_signal_connect(rig->ioctls[i], "client-vanished", G_CALLBACK(on_vanished),
                         &rig->ports[i]);
        if (!port_plug(rig, &rig->ports[i])) {
            return false;
        }
    }
    return true;
}

static void child_start(struct rig *rig, char **arguments)
{
    /* A child that is not root needs sysfs, a place for its socket of device events, and
     * the socket for devices without an ioctl handler. */
    gchar *root = umockdev_testbed_get_root_dir(rig->testbed);
    gchar *socket = g_strdup_printf("%s/ioctl/_default", root);
    chmod(root, 0777);
    chmod(socket, 0777);
    g_free(socket);
    g_free(root);
    rig->child = fork();
    if (rig->child == 0) {
        int quiet = open("/dev/null", O_RDONLY);
        dup2(quiet, STDIN_FILENO);
        execvp(arguments[0], arguments);
        _exit(127);
    }
}

int main(int argc, char **argv)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig || argc < 4 || !models_parse(rig, argv[1])) {
        fputs("usage: rig_usb MODEL[:RATE_HZ[:SERIAL]],... -- program arguments...\n",
              stderr);
        free(rig);
        return 2;
    }
    pthread_mutex_init(&rig->lock, NULL);
    rig->next_number = FIRST_NUMBER;
    if (!rig_start(rig)) {
        return 2;
    }
    child_start(rig, argv + 3);
    rig_run(rig);
    for (int i = 0; i < rig->port_count; i++) {
        node_close(&rig->ports[i]);
        g_object_unref(rig->ioctls[i]);
    }
    g_object_unref(rig->testbed);
    int code = rig->child_code;
    free(rig);
    return code;
}

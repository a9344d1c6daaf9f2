/* Simulated serial ports that the real libserialport accepts: a umockdev testbed with USB
 * tty devices backed by pseudo-terminals, modem-line ioctls answered here. Runs one program
 * as its child; behind each port is either the test itself, which writes bytes, or a live
 * device (rig_device) that answers what the program sends. Takes orders on standard input:
 *     'W' port size16 bytes   write to the port's wire (a port without a live device)
 *     'U' port                unplug: the node and its device disappear
 *     'P' port                plug in again under the same name
 *     'N' port number         plug in again as ttyACM<number>; the by-id link follows
 *     'K' signal              send a signal to the child
 *     'F' port fault n16      fault on the wire of a live device, see FAULT_* below
 *     'Q' port                print what the live device has sent
 * End of input waits for the child. Prints "child PID", "unplugged PORT NS" with the time
 * on CLOCK_MONOTONIC, "sent PORT SAMPLES BYTES DAMAGED". usage: umockdev-wrapper rig_serial
 * PORTS -- program arguments... PORTS is a number, or a list as "xio-ximu3:250,-,text:100":
 * DRIVER:RATE_HZ is a live device forced to that rate (0 = as the program configures it),
 * "-" none. */
#define _DEFAULT_SOURCE /* TIOCM* and openpty are no POSIX */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
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

#include "acquisition/driver.h"
#include "tests/support/rig_device.h"

enum {
    PORT_MAX = 24,
    TEXT_SIZE = 2048,
    LOOP_MS = 1,
    HELD_SIZE = 1 << 16,
    FRAME_SIZE = 4096,
    /* Kernel buffer of a pseudo-terminal whose reader is away (measured); a real adapter's
     * is smaller. More is lost, as there. */
    LINE_SIZE = 16384
};

/* What is done to the frames of a live device on their way; the number is n of the order.
 */
enum fault {
    FAULT_NONE,
    FAULT_MUTE,      /* nothing is sent (the samples are lost) for n ms */
    FAULT_STALL,     /* held back for n ms, then all at once, 16 kB at most */
    FAULT_BYTES,     /* one byte at a time, one each ms */
    FAULT_SPLIT,     /* each frame in two parts, 8 ms apart, cut one byte later each time */
    FAULT_JOIN,      /* two frames in one write */
    FAULT_GARBAGE,   /* n random bytes before and after every frame */
    FAULT_INSIDE,    /* n random bytes inside every fourth frame */
    FAULT_BIT,       /* one bit of every n-th frame is flipped */
    FAULT_UNDRAINED, /* nothing that the program writes is taken, for n ms */
    FAULT_IOCTL,     /* the next n modem-line ioctls of any port give EIO */
    FAULT_COUNT
};

struct port {
    int master; /* -1 = unplugged */
    int number; /* of its name */
    char slave_path[64];
    bool is_live;
    bool is_open;
    const char *driver;
    struct rig_device device;
    enum fault fault;
    unsigned fault_number;
    uint64_t fault_end_us; /* 0 = until another order */
    unsigned frame_count;  /* since the fault began */
    uint64_t sent_bytes;
    uint64_t damaged_count; /* frames that cannot be read any more */
    uint8_t held[HELD_SIZE];
    size_t held_size;
    uint64_t held_until_us;
};

struct rig {
    UMockdevTestbed *testbed;
    struct port ports[PORT_MAX];
    int port_count;
    int modem_lines;
    volatile gint ioctl_errors; /* the handler runs in a thread of umockdev's */
    uint64_t start_us;
    uint32_t random;
    pid_t child;
    /* Wires have a thread of their own: the testbed takes long to add a device, and the
     * others must go on meanwhile. The lock guards all ports. */
    pthread_t wires;
    pthread_mutex_t lock;
    bool is_over;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static gboolean ioctl_answer(UMockdevIoctlBase *base, UMockdevIoctlClient *client,
                             gpointer user)
{
    (void)base;
    struct rig *rig = user;
    gulong request = umockdev_ioctl_client_get_request(client);
    if (request != TIOCMGET && request != TIOCMSET && request != TIOCMBIS
        && request != TIOCMBIC) {
        int error = 0;
        int result = umockdev_ioctl_client_execute(client, &error, NULL);
        umockdev_ioctl_client_complete(client, result, error);
        return TRUE;
    }
    UMockdevIoctlData *data = umockdev_ioctl_data_resolve(
        umockdev_ioctl_client_get_arg(client), 0, sizeof(int), NULL);
    if (!data) {
        umockdev_ioctl_client_complete(client, -1, EFAULT);
        return TRUE;
    }
    if (g_atomic_int_get(&rig->ioctl_errors) > 0) {
        g_atomic_int_add(&rig->ioctl_errors, -1);
        umockdev_ioctl_client_complete(client, -1, EIO);
        return TRUE;
    }
    int lines = 0;
    memcpy(&lines, data->data, sizeof lines);
    if (request == TIOCMGET) {
        memcpy(data->data, &rig->modem_lines, sizeof rig->modem_lines);
    } else if (request == TIOCMSET) {
        rig->modem_lines = lines;
    } else if (request == TIOCMBIS) {
        rig->modem_lines |= lines;
    } else {
        rig->modem_lines &= ~lines;
    }
    umockdev_ioctl_client_complete(client, 0, 0);
    return TRUE;
}

/* ---- the testbed ---- */

/* USB number of the device behind a port: its driver's own, or its adapter's. */
static struct usb_id port_usb_id(const struct port *port)
{
    static const struct usb_id XIMU3 = {0x04D8, 0x0057, false};
    const struct driver *driver = port->is_live ? driver_find(port->driver) : NULL;
    bool has_id = driver && driver->usb_id_count > 0;
    return has_id ? driver->usb_ids[0] : XIMU3;
}

/* Sysfs of one USB tty: libserialport looks for the USB facts of the port in its parents.
 */
static int device_add(const struct rig *rig, int index)
{
    const struct port *port = &rig->ports[index];
    struct usb_id id = port_usb_id(port);
    char text[TEXT_SIZE];
    snprintf(text, sizeof text,
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: BUSNUM=001\nE: DEVNUM=%03d\n"
             "A: busnum=1\\n\nA: devnum=%d\\n\nA: idVendor=%04x\\n\nA: idProduct=%04x\\n\n"
             "A: manufacturer=Simulated\\n\nA: product=Inertial unit\\n\n"
             "A: serial=SIM%04d\\n\nA: speed=12\\n\n\n"
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d/1-%d:1.0\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nE: DRIVER=cdc_acm\n"
             "A: bInterfaceNumber=00\\n\n\n"
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d/1-%d:1.0/tty/ttyACM%d\n"
             "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyACM%d\nE: MAJOR=166\nE: MINOR=%d\n"
             "A: dev=166:%d\\n\nL: device=../../../1-%d:1.0\n\n",
             index + 1, index + 5, index + 5, id.vendor_id, id.product_id, index, index + 1,
             index + 1, index + 1, index + 1, port->number, port->number, port->number,
             port->number, index + 1);
    GError *error = NULL;
    if (!umockdev_testbed_add_from_string(rig->testbed, text, &error)) {
        fprintf(stderr, "rig: %s\n", error->message);
        g_error_free(error);
        return -1;
    }
    return 0;
}

static void node_path(const struct rig *rig, int number, char path[512])
{
    gchar *root = umockdev_testbed_get_root_dir(rig->testbed);
    snprintf(path, 512, "%s/dev", root);
    mkdir(path, 0755);
    snprintf(path, 512, "%s/dev/ttyACM%d", root, number);
    g_free(root);
}

/* The link that udev makes: it keeps its name whatever the port is called today. */
static void link_path(const struct rig *rig, int index, char path[512])
{
    gchar *root = umockdev_testbed_get_root_dir(rig->testbed);
    snprintf(path, 512, "%s/dev/serial", root);
    mkdir(path, 0755);
    snprintf(path, 512, "%s/dev/serial/by-id", root);
    mkdir(path, 0755);
    snprintf(path, 512, "%s/dev/serial/by-id/usb-Simulated_SIM%04d-if00", root, index);
    g_free(root);
}

static int names_make(const struct rig *rig, int index, const char *slave_path)
{
    char path[512];
    char target[32];
    node_path(rig, rig->ports[index].number, path);
    unlink(path);
    if (symlink(slave_path, path) != 0) {
        return -1;
    }
    link_path(rig, index, path);
    unlink(path);
    snprintf(target, sizeof target, "../../ttyACM%d", rig->ports[index].number);
    return symlink(target, path);
}

static int port_plug(struct rig *rig, int index)
{
    struct port *port = &rig->ports[index];
    int master = -1;
    int slave = -1;
    struct termios raw;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    if (openpty(&master, &slave, port->slave_path, &raw, NULL) != 0) {
        return -1;
    }
    close(slave);
    /* A master inherited by the child would keep the line up after an unplug. */
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(master, F_SETFL, O_NONBLOCK);
    pthread_mutex_lock(&rig->lock);
    port->is_open = false;
    port->master = master;
    pthread_mutex_unlock(&rig->lock);
    /* As the kernel does: the node comes when sysfs knows the port. */
    return device_add(rig, index) ? -1 : names_make(rig, index, port->slave_path);
}

static void port_unplug(struct rig *rig, int index)
{
    struct port *port = &rig->ports[index];
    char tty[192];
    char interface[128];
    char device[64];
    char path[512];
    struct timespec now;
    snprintf(device, sizeof device, "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-%d",
             index + 1);
    snprintf(interface, sizeof interface, "%s/1-%d:1.0", device, index + 1);
    snprintf(tty, sizeof tty, "%s/tty/ttyACM%d", interface, port->number);
    clock_gettime(CLOCK_MONOTONIC, &now);
    umockdev_testbed_uevent(rig->testbed, tty, "remove");
    pthread_mutex_lock(&rig->lock);
    close(port->master);
    port->master = -1;
    port->held_size = 0;
    pthread_mutex_unlock(&rig->lock);
    /* Leaf to root: links of children are left behind otherwise. */
    umockdev_testbed_remove_device(rig->testbed, tty);
    umockdev_testbed_remove_device(rig->testbed, interface);
    umockdev_testbed_remove_device(rig->testbed, device);
    node_path(rig, port->number, path);
    unlink(path);
    link_path(rig, index, path);
    unlink(path);
    printf("unplugged %d %" PRId64 "\n", index,
           (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
}

/* ---- wires of live devices ---- */

static uint8_t random_byte(struct rig *rig)
{
    /* Linear congruence of Numerical Recipes, highest bits. */
    rig->random = rig->random * 1664525U + 1013904223U;
    return (uint8_t)(rig->random >> 24);
}

static void hold(struct port *port, const uint8_t *bytes, size_t size)
{
    if (port->held_size + size > sizeof port->held) {
        port->damaged_count++;
        return;
    }
    memcpy(port->held + port->held_size, bytes, size);
    port->held_size += size;
}

static void garbage_hold(struct rig *rig, struct port *port, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t byte = random_byte(rig);
        hold(port, &byte, 1);
    }
}

static void wire_write(struct port *port, size_t size)
{
    ssize_t written = write(port->master, port->held, size);
    if (written <= 0) {
        return; /* full: held until there is room */
    }
    port->sent_bytes += (uint64_t)written;
    port->held_size -= (size_t)written;
    memmove(port->held, port->held + written, port->held_size);
}

/* One frame enters the wire, with what the fault does to it. */
static void frame_hold(struct rig *rig, struct port *port, uint8_t *frame, size_t size)
{
    unsigned count = port->frame_count++;
    bool is_hurt = false;
    switch (port->fault) {
    case FAULT_MUTE:
        port->damaged_count++;
        return;
    case FAULT_GARBAGE:
        garbage_hold(rig, port, port->fault_number);
        hold(port, frame, size);
        garbage_hold(rig, port, port->fault_number);
        return;
    case FAULT_INSIDE:
        is_hurt = count % 4 == 3;
        hold(port, frame, size / 2);
        garbage_hold(rig, port, is_hurt ? port->fault_number : 0);
        hold(port, frame + size / 2, size - size / 2);
        break;
    case FAULT_BIT:
        is_hurt = port->fault_number > 0 && count % port->fault_number == 0;
        if (is_hurt) {
            frame[random_byte(rig) % size] ^= (uint8_t)(1 << random_byte(rig) % 8);
        }
        hold(port, frame, size);
        break;
    case FAULT_NONE:
    case FAULT_STALL:
    case FAULT_BYTES:
    case FAULT_SPLIT:
    case FAULT_JOIN:
    case FAULT_UNDRAINED:
    case FAULT_IOCTL:
    case FAULT_COUNT:
        hold(port, frame, size);
        break;
    }
    port->damaged_count += is_hurt;
}

/* Let out what may go now. */
static void wire_flush(struct port *port, uint64_t time_us)
{
    if (port->held_size == 0) {
        if (port->fault == FAULT_BYTES) {
            port->held_until_us = time_us; /* the line was idle: nothing to make up for */
        }
        return;
    }
    switch (port->fault) {
    case FAULT_STALL:
        if (port->held_size > LINE_SIZE) {
            port->held_size = LINE_SIZE;
        }
        return; /* its end lets it out */
    case FAULT_BYTES:
        /* One write each; a rig that was late makes up for it. */
        while (port->held_size > 0 && port->held_until_us <= time_us) {
            wire_write(port, 1);
            port->held_until_us += 1000;
        }
        return;
    case FAULT_SPLIT:
        if (port->held_until_us == 0) {
            port->held_until_us = time_us + 8000;
            wire_write(port, port->frame_count % port->held_size);
        } else if (time_us >= port->held_until_us) {
            port->held_until_us = 0;
            wire_write(port, port->held_size);
        }
        return;
    case FAULT_JOIN:
        if (port->frame_count % 2 == 0) {
            wire_write(port, port->held_size);
        }
        return;
    case FAULT_NONE:
    case FAULT_MUTE:
    case FAULT_GARBAGE:
    case FAULT_INSIDE:
    case FAULT_BIT:
    case FAULT_UNDRAINED:
    case FAULT_IOCTL:
    case FAULT_COUNT:
        wire_write(port, port->held_size);
        return;
    }
}

/* Whether what the program writes is taken: a stopped terminal gives it EAGAIN, as a full
 * buffer does. */
static void drain_set(const struct port *port, bool is_drained)
{
    int slave = open(port->slave_path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (slave >= 0) {
        tcflow(slave, is_drained ? TCOON : TCOOFF);
        close(slave);
    }
}

/* What the program sends; a closed port is seen by the same read. */
static void commands_take(struct port *port)
{
    uint8_t bytes[FRAME_SIZE];
    ssize_t size = read(port->master, bytes, sizeof bytes);
    bool is_closed = size < 0 && errno == EIO;
    if (!is_closed && !port->is_open) {
        port->is_open = true;
        rig_queue_clear(&port->device.samples);
        rig_queue_clear(&port->device.replies);
        rig_device_open(&port->device);
    }
    port->is_open = !is_closed;
    if (size > 0) {
        rig_device_hear(&port->device, bytes, (size_t)size);
    }
}

static void live_step(struct rig *rig, struct port *port, uint64_t time_us)
{
    uint8_t frame[FRAME_SIZE];
    size_t size;
    if (port->fault_end_us > 0 && time_us >= port->fault_end_us) {
        if (port->fault == FAULT_UNDRAINED) {
            drain_set(port, true);
        }
        port->fault = FAULT_NONE;
        port->fault_end_us = 0;
    }
    rig_device_advance(&port->device, time_us - rig->start_us);
    commands_take(port);
    if (!port->is_open) {
        rig_queue_clear(&port->device.samples);
        port->held_size = 0;
        return;
    }
    while ((size = rig_queue_take(&port->device.replies, frame, sizeof frame)) > 0) {
        hold(port, frame, size);
    }
    while ((size = rig_queue_take(&port->device.samples, frame, sizeof frame)) > 0) {
        frame_hold(rig, port, frame, size);
    }
    wire_flush(port, time_us);
}

/* ---- orders ---- */

static int byte_read(void)
{
    unsigned char byte;
    ssize_t count;
    do {
        count = read(STDIN_FILENO, &byte, 1);
    } while (count < 0 && errno == EINTR);
    return count == 1 ? byte : EOF;
}

static unsigned number_read(void)
{
    int low = byte_read();
    int high = byte_read();
    return (unsigned)low | (unsigned)high << 8;
}

static void port_write(const struct port *port)
{
    static unsigned char bytes[65536];
    size_t size = number_read();
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)byte_read();
    }
    if (port->master < 0) {
        return;
    }
    unsigned char dropped[4096];
    while (read(port->master, dropped, sizeof dropped) > 0) {
        continue; /* commands of the program: this unit never answers */
    }
    if (write(port->master, bytes, size) < 0 && errno != EAGAIN && errno != EIO) {
        perror("rig: write");
    }
}

static void port_fault(struct rig *rig, struct port *port)
{
    int fault = byte_read();
    port->fault = fault > 0 && fault < FAULT_COUNT ? (enum fault)fault : FAULT_NONE;
    port->fault_number = number_read();
    bool is_timed = port->fault == FAULT_MUTE || port->fault == FAULT_STALL
                    || port->fault == FAULT_UNDRAINED;
    port->fault_end_us = is_timed ? now_us() + 1000 * (uint64_t)port->fault_number : 0;
    port->frame_count = 0;
    port->held_until_us = port->fault == FAULT_BYTES ? now_us() : 0;
    if (port->fault == FAULT_UNDRAINED) {
        drain_set(port, false);
    }
    if (port->fault == FAULT_IOCTL) {
        g_atomic_int_set(&rig->ioctl_errors, (int)port->fault_number);
        port->fault = FAULT_NONE;
    }
}

static int port_order(struct rig *rig, int order, int index)
{
    struct port *port = &rig->ports[index];
    switch (order) {
    case 'W':
        port_write(port);
        return 0;
    case 'U':
        port_unplug(rig, index);
        return 0;
    case 'P':
        return port_plug(rig, index);
    case 'N':
        port->number = byte_read();
        return port_plug(rig, index);
    case 'F':
        pthread_mutex_lock(&rig->lock);
        port_fault(rig, port);
        pthread_mutex_unlock(&rig->lock);
        return 0;
    case 'Q':
        printf("sent %d %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", index,
               port->device.sent_count, port->sent_bytes, port->damaged_count);
        fflush(stdout);
        return 0;
    default:
        fprintf(stderr, "rig: no order %d\n", order);
        return -1;
    }
}

/* @return 1 to go on, 0 at the end of the orders, -1 when one is wrong. */
static int order_follow(struct rig *rig)
{
    int order = byte_read();
    int index = order == EOF ? EOF : byte_read();
    if (index == EOF) {
        return 0;
    }
    if (order == 'K') {
        kill(rig->child, index);
        return 1;
    }
    if (index >= rig->port_count) {
        fprintf(stderr, "rig: no port %d\n", index);
        return -1;
    }
    return port_order(rig, order, index) ? -1 : 1;
}

static void *wires_run(void *user)
{
    struct rig *rig = user;
    bool is_over = false;
    while (!is_over) {
        poll(NULL, 0, LOOP_MS);
        pthread_mutex_lock(&rig->lock);
        for (int i = 0; i < rig->port_count; i++) {
            if (rig->ports[i].is_live && rig->ports[i].master >= 0) {
                live_step(rig, &rig->ports[i], now_us());
            }
        }
        is_over = rig->is_over;
        pthread_mutex_unlock(&rig->lock);
    }
    return NULL;
}

/* Orders until their end, wires until that of the child. */
static int rig_run(struct rig *rig)
{
    int result = 1;
    if (pthread_create(&rig->wires, NULL, wires_run, rig) != 0) {
        return -1;
    }
    while (result == 1) {
        result = order_follow(rig);
    }
    if (result < 0) {
        kill(rig->child, SIGTERM);
    }
    siginfo_t facts;
    waitid(P_PID, (id_t)rig->child, &facts, WEXITED | WNOWAIT);
    pthread_mutex_lock(&rig->lock);
    rig->is_over = true;
    pthread_mutex_unlock(&rig->lock);
    pthread_join(rig->wires, NULL);
    return result;
}

/* ---- start ---- */

/* "4", or "xio-ximu3:250,-". */
static int ports_read(struct rig *rig, char *text)
{
    char *end = NULL;
    long count = strtol(text, &end, 10);
    if (*end == '\0') {
        rig->port_count = (int)count;
        return count >= 1 && count <= PORT_MAX ? 0 : -1;
    }
    for (char *item = strtok(text, ","); item; item = strtok(NULL, ",")) {
        if (rig->port_count == PORT_MAX) {
            return -1;
        }
        struct port *port = &rig->ports[rig->port_count++];
        char *colon = strchr(item, ':');
        if (!colon) {
            continue;
        }
        *colon = '\0';
        port->is_live = true;
        port->driver = item;
        if (!rig_device_init(&port->device, item, strtod(colon + 1, NULL),
                             0x51D00000U + (uint32_t)rig->port_count)) {
            fprintf(stderr, "rig: no model of %s\n", item);
            return -1;
        }
    }
    return 0;
}

static int ports_make(struct rig *rig, UMockdevIoctlBase *ioctls)
{
    for (int number = 0; number < PORT_MAX; number++) {
        char name[32];
        snprintf(name, sizeof name, "/dev/ttyACM%d", number);
        if (!umockdev_testbed_attach_ioctl(rig->testbed, name, ioctls, NULL)) {
            return -1;
        }
    }
    for (int i = 0; i < rig->port_count; i++) {
        rig->ports[i].number = i;
        if (port_plug(rig, i) != 0) {
            return -1;
        }
    }
    /* Without one more tty the whole class would vanish with the last unplug. */
    umockdev_testbed_add_from_string(
        rig->testbed, "P: /devices/virtual/tty/tty0\nE: SUBSYSTEM=tty\n\n", NULL);
    return 0;
}

static void child_start(struct rig *rig, char **arguments)
{
    rig->child = fork();
    if (rig->child == 0) {
        int quiet = open("/dev/null", O_RDONLY);
        dup2(quiet, STDIN_FILENO);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    printf("child %d\n", (int)rig->child);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct rig rig = {.modem_lines = TIOCM_CTS | TIOCM_DSR | TIOCM_CAR,
                             .lock = PTHREAD_MUTEX_INITIALIZER};
    if (argc < 4 || ports_read(&rig, argv[1]) != 0) {
        fputs("usage: rig_serial PORTS -- program arguments...\n", stderr);
        return 2;
    }
    rig.start_us = now_us();
    rig.testbed = umockdev_testbed_new();
    UMockdevIoctlBase *ioctls = umockdev_ioctl_base_new();
    g_signal_connect(ioctls, "handle-ioctl", G_CALLBACK(ioctl_answer), &rig);
    if (ports_make(&rig, ioctls) != 0) {
        fputs("rig: could not make the ports\n", stderr);
        return 2;
    }
    child_start(&rig, argv + 3);
    int orders = rig_run(&rig);
    int status = 0;
    waitpid(rig.child, &status, 0);
    g_object_unref(ioctls);
    g_object_unref(rig.testbed);
    return orders == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

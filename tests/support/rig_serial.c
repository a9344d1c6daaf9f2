/* Simulated serial ports that the real libserialport accepts: a umockdev testbed with USB tty
 * devices backed by pseudo-terminals, modem-line ioctls answered here. Runs one program as its
 * child and takes orders on standard input:
 *     'W' port size16 bytes   write to the port's wire
 *     'U' port                unplug: the node and its device disappear
 *     'P' port                plug in again under the same name
 *     'K' signal              send a signal to the child
 * End of input waits for the child. Each unplug prints its CLOCK_MONOTONIC time in ns.
 * usage: umockdev-wrapper rig_serial PORTS -- program arguments... */
#define _DEFAULT_SOURCE /* TIOCM* and openpty are no POSIX */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pty.h>
#include <signal.h>
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

enum {
    PORT_MAX = 8,
    TEXT_SIZE = 2048
};

struct rig {
    UMockdevTestbed *testbed;
    int masters[PORT_MAX]; /* -1 = unplugged */
    int port_count;
    int modem_lines;
    pid_t child;
};

static gboolean ioctl_answer(UMockdevIoctlBase *base, UMockdevIoctlClient *client,
                             gpointer user)
{
    (void)base;
    struct rig *rig = user;
    gulong request = umockdev_ioctl_client_get_request(client);
    if (request != TIOCMGET && request != TIOCMSET && request != TIOCMBIS &&
        request != TIOCMBIC) {
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

/* Sysfs of one USB tty: libserialport looks for the USB facts of the port in its parents. */
static int device_add(const struct rig *rig, int port)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text,
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: BUSNUM=001\nE: DEVNUM=%03d\n"
             "A: busnum=1\\n\nA: devnum=%d\\n\nA: idVendor=04d8\\n\nA: idProduct=0057\\n\n"
             "A: manufacturer=Simulated\\n\nA: product=Inertial unit\\n\nA: serial=SIM%04d\\n\n"
             "A: speed=12\\n\n\n"
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d/1-%d:1.0\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nE: DRIVER=cdc_acm\n"
             "A: bInterfaceNumber=00\\n\n\n"
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-%d/1-%d:1.0/tty/ttyACM%d\n"
             "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyACM%d\nE: MAJOR=166\nE: MINOR=%d\n"
             "A: dev=166:%d\\n\nL: device=../../../1-%d:1.0\n\n",
             port + 1, port + 5, port + 5, port, port + 1, port + 1, port + 1, port + 1, port,
             port, port, port, port + 1);
    GError *error = NULL;
    if (!umockdev_testbed_add_from_string(rig->testbed, text, &error)) {
        fprintf(stderr, "rig: %s\n", error->message);
        g_error_free(error);
        return -1;
    }
    return 0;
}

static void node_path(const struct rig *rig, int port, char path[512])
{
    gchar *root = umockdev_testbed_get_root_dir(rig->testbed);
    snprintf(path, 512, "%s/dev", root);
    mkdir(path, 0755);
    snprintf(path, 512, "%s/dev/ttyACM%d", root, port);
    g_free(root);
}

static int port_plug(struct rig *rig, int port)
{
    char node[512];
    char slave_path[64];
    int slave = -1;
    struct termios raw;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    if (openpty(&rig->masters[port], &slave, slave_path, &raw, NULL) != 0) {
        return -1;
    }
    close(slave);
    /* A master inherited by the child would keep the line up after an unplug. */
    fcntl(rig->masters[port], F_SETFD, FD_CLOEXEC);
    fcntl(rig->masters[port], F_SETFL, O_NONBLOCK);
    node_path(rig, port, node);
    unlink(node);
    if (symlink(slave_path, node) != 0) {
        return -1;
    }
    return device_add(rig, port);
}

static void port_unplug(struct rig *rig, int port)
{
    char tty[192];
    char interface[128];
    char device[64];
    char node[512];
    struct timespec now;
    snprintf(device, sizeof device, "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-%d", port + 1);
    snprintf(interface, sizeof interface, "%s/1-%d:1.0", device, port + 1);
    snprintf(tty, sizeof tty, "%s/tty/ttyACM%d", interface, port);
    clock_gettime(CLOCK_MONOTONIC, &now);
    umockdev_testbed_uevent(rig->testbed, tty, "remove");
    close(rig->masters[port]);
    rig->masters[port] = -1;
    /* Leaf to root: links of children are left behind otherwise. */
    umockdev_testbed_remove_device(rig->testbed, tty);
    umockdev_testbed_remove_device(rig->testbed, interface);
    umockdev_testbed_remove_device(rig->testbed, device);
    node_path(rig, port, node);
    unlink(node);
    printf("unplugged %d %" PRId64 "\n", port,
           (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
}

static void port_write(const struct rig *rig, int port)
{
    unsigned char size_bytes[2];
    static unsigned char bytes[65536];
    if (fread(size_bytes, 1, 2, stdin) != 2) {
        return;
    }
    size_t size = (size_t)size_bytes[0] | (size_t)size_bytes[1] << 8;
    if (fread(bytes, 1, size, stdin) != size || rig->masters[port] < 0) {
        return;
    }
    unsigned char dropped[4096];
    while (read(rig->masters[port], dropped, sizeof dropped) > 0) {
        continue; /* commands of the program: this unit never answers */
    }
    if (write(rig->masters[port], bytes, size) < 0 && errno != EAGAIN && errno != EIO) {
        perror("rig: write");
    }
}

static int orders_follow(struct rig *rig)
{
    for (int order = getchar(); order != EOF; order = getchar()) {
        int port = getchar();
        if (order == 'K') {
            kill(rig->child, port);
        } else if (port < 0 || port >= rig->port_count) {
            fprintf(stderr, "rig: no port %d\n", port);
            return -1;
        } else if (order == 'W') {
            port_write(rig, port);
        } else if (order == 'U') {
            port_unplug(rig, port);
        } else if (order == 'P' && port_plug(rig, port) != 0) {
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct rig rig = {.modem_lines = TIOCM_CTS | TIOCM_DSR | TIOCM_CAR};
    if (argc < 4 || (rig.port_count = atoi(argv[1])) < 1 || rig.port_count > PORT_MAX) {
        fputs("usage: rig_serial PORTS -- program arguments...\n", stderr);
        return 2;
    }
    rig.testbed = umockdev_testbed_new();
    UMockdevIoctlBase *ioctls = umockdev_ioctl_base_new();
    g_signal_connect(ioctls, "handle-ioctl", G_CALLBACK(ioctl_answer), &rig);
    for (int port = 0; port < rig.port_count; port++) {
        char name[32];
        snprintf(name, sizeof name, "/dev/ttyACM%d", port);
        if (!umockdev_testbed_attach_ioctl(rig.testbed, name, ioctls, NULL) ||
            port_plug(&rig, port) != 0) {
            fprintf(stderr, "rig: could not make %s\n", name);
            return 2;
        }
    }
    /* Without one more tty the whole class would vanish with the last unplug. */
    umockdev_testbed_add_from_string(
        rig.testbed, "P: /devices/virtual/tty/tty0\nE: SUBSYSTEM=tty\n\n", NULL);
    rig.child = fork();
    if (rig.child == 0) {
        int quiet = open("/dev/null", O_RDONLY);
        dup2(quiet, STDIN_FILENO);
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    int orders = orders_follow(&rig);
    int status = 0;
    waitpid(rig.child, &status, 0);
    g_object_unref(ioctls);
    g_object_unref(rig.testbed);
    return orders == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

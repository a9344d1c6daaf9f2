/* CRTSCTS and TIOCM lines are left to libserialport; the descriptor is read here because
 * its read returns 0 both for "nothing yet" and for "unplugged". */
#include "acquisition/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "acquisition/access.h"
#include "base/log.h"

enum {
    PATH_SIZE = 512,
    LINK_STEPS_MAX = 8,
    DRAIN_STEP_MS = 10,
    DRAIN_STEPS_MAX = 25
};

struct serial_transport {
    struct transport base;
    struct sp_port *port; /* NULL for a terminal opened directly */
    int descriptor;
};

/* Bytes that wait, or -1 once the device is gone: the only sign libserialport gives. */
static int waiting_count(const struct serial_transport *serial)
{
    if (serial->port) {
        return (int)sp_input_waiting(serial->port);
    }
    /* Without VMIN a live terminal says EAGAIN; a read of 0 is the hang-up itself. */
    return -1;
}

static enum status serial_read(struct transport *transport, uint8_t *bytes, size_t capacity,
                               size_t *size)
{
    const struct serial_transport *serial = (const struct serial_transport *)transport;
    ssize_t count = read(serial->descriptor, bytes, capacity);
    if (count > 0) {
        *size = (size_t)count;
        return STATUS_OK;
    }
    if (count < 0) {
        bool is_idle = errno == EAGAIN || errno == EINTR;
        return is_idle ? STATUS_NOT_READY : STATUS_GONE;
    }
    return waiting_count(serial) < 0 ? STATUS_GONE : STATUS_NOT_READY;
}

static enum status serial_write(struct transport *transport, const uint8_t *bytes,
                                size_t size)
{
    const struct serial_transport *serial = (const struct serial_transport *)transport;
    ssize_t count = write(serial->descriptor, bytes, size);
    if (count == (ssize_t)size) {
        return STATUS_OK;
    }
    if (count < 0) {
        bool is_busy = errno == EAGAIN || errno == EINTR;
        return is_busy ? STATUS_NOT_READY : STATUS_GONE;
    }
    /* A command cut in the middle: end it by waiting for room rather than repeating its
     * front. 256 bytes fit in every driver's buffer, so this is as good as never. */
    size_t done = (size_t)count;
    for (int i = 0; i < 100 && done < size; i++) {
        count = write(serial->descriptor, bytes + done, size - done);
        done += count > 0 ? (size_t)count : 0;
    }
    return done == size ? STATUS_OK : STATUS_GONE;
}

static int serial_descriptor(const struct transport *transport)
{
    return ((const struct serial_transport *)transport)->descriptor;
}

/* The last commands put the device back as it was found: give them time to go out, but not
 * for ever, since a device may take nothing more. */
static void output_wait(struct sp_port *port)
{
    for (int i = 0; i < DRAIN_STEPS_MAX && sp_output_waiting(port) > 0; i++) {
        poll(NULL, 0, DRAIN_STEP_MS);
    }
    /* What is left would hold up the close: the kernel waits for it up to 30 s. */
    sp_flush(port, SP_BUF_OUTPUT);
}

static void serial_close(struct transport *transport)
{
    struct serial_transport *serial = (struct serial_transport *)transport;
    if (serial->port) {
        output_wait(serial->port);
        sp_close(serial->port);
        sp_free_port(serial->port);
    } else {
        close(serial->descriptor);
    }
    free(serial);
}

static const struct transport_ops SERIAL_OPS = {
    .read = serial_read,
    .write = serial_write,
    .descriptor = serial_descriptor,
    .close = serial_close,
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Whether path lies in /dev itself, however it is spelled ("/dev/serial/by-id/../../x"): a
 * link elsewhere may bear the name of a port without being one. */
static bool is_in_dev(const char *path)
{
    char folder[PATH_SIZE];
    int size = snprintf(folder, sizeof folder, "%.*s.", (int)(name_of(path) - path), path);
    struct stat dev;
    struct stat found;
    return size > 0 && (size_t)size < sizeof folder && stat("/dev", &dev) == 0
           && stat(folder, &found) == 0 && dev.st_dev == found.st_dev
           && dev.st_ino == found.st_ino;
}

static bool tty_is_listed(const char *path)
{
    char entry[PATH_SIZE];
    int size = snprintf(entry, sizeof entry, "/sys/class/tty/%s", name_of(path));
    return size > 0 && (size_t)size < sizeof entry && name_of(path)[0] != '\0'
           && access(entry, F_OK) == 0 && is_in_dev(path);
}

/* One step along a link, relative to its folder.
 * @return false when path is no link or the result is too long. */
static bool link_step(char path[PATH_SIZE])
{
    char target[PATH_SIZE];
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) {
        return false;
    }
    target[size] = '\0';
    if (target[0] == '/') {
        memcpy(path, target, (size_t)size + 1);
        return true;
    }
    size_t folder_size = (size_t)(name_of(path) - path);
    if (folder_size + (size_t)size + 1 > PATH_SIZE) {
        return false;
    }
    memcpy(path + folder_size, target, (size_t)size + 1);
    return true;
}

/* Follow links only until the kernel knows the name: libserialport needs that name, and the
 * end of the chain may be something it refuses.
 * @param resolved  Out: a name in /dev when listed, else the path as given.
 * @return Whether libserialport will know it. */
static bool path_resolve(const char *path, char resolved[PATH_SIZE])
{
    char current[PATH_SIZE];
    snprintf(current, sizeof current, "%s", path);
    for (int i = 0; i < LINK_STEPS_MAX; i++) {
        if (tty_is_listed(current)) {
            snprintf(resolved, PATH_SIZE, "/dev/%.*s", PATH_SIZE - 8, name_of(current));
            return true;
        }
        if (!link_step(current)) {
            break;
        }
    }
    snprintf(resolved, PATH_SIZE, "%s", path);
    return false;
}

/* What a person can do about an open that failed. */
static const char *advice(int error)
{
    switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case ENOTDIR:
        return "plug the sensor in, or see 'limber devices' for the ports there are";
    case EBUSY:
    case EWOULDBLOCK:
        return "another program has it open: close that one";
    case ELOOP:
        return "the link leads back to itself: see 'limber devices' for the ports there "
               "are";
    case ENOTTY:
        return "it is no serial port: see 'limber devices'";
    default:
        return "unplug the sensor, plug it in and try again";
    }
}

static enum status open_refused(const char *path, int error)
{
    char text[ACCESS_TEXT_SIZE];
    if (error == EACCES || error == EPERM) {
        access_explain(path, text);
    } else {
        snprintf(text, sizeof text, "%s", advice(error));
    }
    log_error("%s: cannot open the port: %s; %s", path, strerror(error), text);
    return STATUS_DEVICE;
}

static enum status configure_refused(const char *path, unsigned baud)
{
    log_error(
        "%s: refuses %u baud 8N1: check 'baud' in the sensor file against the sensor's "
        "manual",
        path, baud);
    return STATUS_DEVICE;
}

static bool port_configure(struct sp_port *port, unsigned baud)
{
    return sp_set_baudrate(port, (int)baud) == SP_OK && sp_set_bits(port, 8) == SP_OK
           && sp_set_parity(port, SP_PARITY_NONE) == SP_OK
           && sp_set_stopbits(port, 1) == SP_OK
           && sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE) == SP_OK
           && sp_set_dtr(port, SP_DTR_ON) == SP_OK;
}

/* Two readers of one port would each get a part of the bytes, and neither would know. */
static bool line_lock(int descriptor)
{
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

/* @return SP_OK with the port open and set; SP_ERR_ARG: libserialport does not know it. */
static enum status port_open(const char *path, const char *resolved, unsigned baud,
                             struct sp_port **out)
{
    struct sp_port *port = NULL;
    enum sp_return result = sp_get_port_by_name(resolved, &port);
    if (result == SP_ERR_MEM) {
        return STATUS_NO_MEMORY;
    }
    if (result != SP_OK) {
        return open_refused(path, ENOENT);
    }
    if (sp_open(port, SP_MODE_READ_WRITE) != SP_OK) {
        int error = sp_last_error_code();
        sp_free_port(port);
        return open_refused(path, error);
    }
    int descriptor = -1;
    if (sp_get_port_handle(port, &descriptor) != SP_OK || !line_lock(descriptor)) {
        int error = descriptor < 0 ? EIO : errno;
        sp_close(port);
        sp_free_port(port);
        return open_refused(path, error);
    }
    if (!port_configure(port, baud)) {
        sp_close(port);
        sp_free_port(port);
        return configure_refused(path, baud);
    }
    *out = port;
    return STATUS_OK;
}

/* Raw 8N1 by the flags of POSIX; a pseudo-terminal has no baud rate worth setting. */
static bool terminal_configure(int descriptor)
{
    struct termios settings;
    if (tcgetattr(descriptor, &settings) != 0) {
        return false;
    }
    settings.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR
                                    | ICRNL | IXON | IXOFF | IXANY | INPCK);
    settings.c_oflag &= ~(tcflag_t)OPOST;
    settings.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    settings.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | CSTOPB);
    settings.c_cflag |= CS8 | CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    return tcsetattr(descriptor, TCSANOW, &settings) == 0;
}

static enum status terminal_open(const char *path, int *out)
{
    int descriptor = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        return open_refused(path, errno);
    }
    if (!line_lock(descriptor) || !terminal_configure(descriptor)) {
        enum status status = open_refused(path, errno);
        close(descriptor);
        return status;
    }
    *out = descriptor;
    return STATUS_OK;
}

enum status transport_serial_open(const char *path, unsigned baud, struct transport **out)
{
    struct serial_transport *serial = calloc(1, sizeof *serial);
    if (!serial) {
        return STATUS_NO_MEMORY;
    }
    char resolved[PATH_SIZE];
    enum status status;
    if (path_resolve(path, resolved)) {
        status = port_open(path, resolved, baud, &serial->port);
        if (!status && sp_get_port_handle(serial->port, &serial->descriptor) != SP_OK) {
            sp_close(serial->port);
            sp_free_port(serial->port);
            status = open_refused(path, EIO);
        }
    } else {
        status = terminal_open(path, &serial->descriptor);
    }
    if (status) {
        free(serial);
        return status;
    }
    serial->base.ops = &SERIAL_OPS;
    serial->base.pace = TRANSPORT_LIVE;
    snprintf(serial->base.name, sizeof serial->base.name, "%s", path);
    *out = &serial->base;
    return STATUS_OK;
}

bool transport_serial_is_present(const char *path)
{
    return access(path, R_OK | W_OK) == 0;
}

static void text_take(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void port_describe(const struct sp_port *port, struct serial_port_info *info)
{
    text_take(info->name, sizeof info->name, sp_get_port_name(port));
    text_take(info->description, sizeof info->description, sp_get_port_description(port));
    text_take(info->maker, sizeof info->maker, sp_get_port_usb_manufacturer(port));
    text_take(info->serial_number, sizeof info->serial_number,
              sp_get_port_usb_serial(port));
    info->vendor_id = -1;
    info->product_id = -1;
    int vendor_id;
    int product_id;
    if (sp_get_port_usb_vid_pid(port, &vendor_id, &product_id) == SP_OK) {
        info->vendor_id = vendor_id;
        info->product_id = product_id;
    }
}

enum status transport_serial_list(struct serial_port_info *ports, size_t capacity,
                                  size_t *count)
{
    struct sp_port **list = NULL;
    enum sp_return result = sp_list_ports(&list);
    if (result == SP_ERR_MEM) {
        return STATUS_NO_MEMORY;
    }
    if (result != SP_OK) {
        /* A machine without any terminal in sysfs (a container) answers so: none. */
        *count = 0;
        return access("/sys/class/tty", F_OK) == 0 ? STATUS_DEVICE : STATUS_OK;
    }
    size_t listed = 0;
    for (; list[listed] && listed < capacity; listed++) {
        port_describe(list[listed], &ports[listed]);
    }
    sp_free_port_list(list);
    *count = listed;
    return STATUS_OK;
}

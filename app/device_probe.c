#include "app/device_probe.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "acquisition/device.h"
#include "base/clock.h"
#include "base/units.h"

enum {
    BAUD_MAX = 16,
    DRIVER_MAX = 24,
    READ_SIZE = 4096,
    READ_WAIT_MS = 5,
    FRAME_COUNT_MIN = 2, /* one may be chance */
    ASK_COUNT = 4
};

static const int64_t LISTEN_NS = NS_PER_S / 2;
/* Time for an answer; the vendors' own programs wait as long (x-io, Xsens, Firmata). */
static const int64_t ANSWER_NS = NS_PER_S / 2;
/* Less of the bytes in frames is chance: a checksum of 8 bits fits one time in 256. */
static const double SHARE_MIN = 0.5;

struct listener {
    struct device device;
    uint64_t main_count; /* samples of stream 0 */
    bool is_ready;
};

struct probe {
    const struct device_entry *entry;
    const struct driver *named;
    probe_progress_fn *progress;
    void *user;
    const struct driver *drivers[DRIVER_MAX];
    unsigned driver_count;
    struct listener listeners[DRIVER_MAX];
    unsigned bauds[BAUD_MAX];
    unsigned baud_count;
    uint64_t byte_count; /* heard since the port was opened */
    int64_t listened_ns;
    uint8_t bytes[READ_SIZE];
};

static void tell(const struct probe *probe, const char *doing)
{
    if (probe->progress) {
        probe->progress(probe->user, doing);
    }
}

/* ---- candidates ---- */

static void driver_add(struct probe *probe, const struct driver *driver)
{
    bool has_way = probe->entry->is_serial
                       ? !driver->is_usb_only
                       : device_entry_is_sure(probe->entry, driver) || probe->named;
    for (unsigned i = 0; i < probe->driver_count; i++) {
        has_way = has_way && probe->drivers[i] != driver;
    }
    if (has_way && probe->driver_count < DRIVER_MAX) {
        probe->drivers[probe->driver_count++] = driver;
    }
}

/* Those whose number it bears come first, so that their speeds are tried first. */
static void drivers_choose(struct probe *probe)
{
    if (probe->named) {
        driver_add(probe, probe->named);
        return;
    }
    for (unsigned i = 0; i < probe->entry->driver_count; i++) {
        driver_add(probe, probe->entry->drivers[i]);
    }
    size_t count = 0;
    const struct driver *const *all = driver_list(&count);
    for (size_t i = 0; i < count; i++) {
        driver_add(probe, all[i]);
    }
}

static void baud_add(struct probe *probe, unsigned baud)
{
    for (unsigned i = 0; i < probe->baud_count; i++) {
        if (probe->bauds[i] == baud) {
            return;
        }
    }
    if (baud > 0 && probe->baud_count < BAUD_MAX) {
        probe->bauds[probe->baud_count++] = baud;
    }
}

static void bauds_choose(struct probe *probe)
{
    if (!probe->entry->is_serial) {
        probe->bauds[probe->baud_count++] = 0;
        return;
    }
    for (unsigned i = 0; i < probe->driver_count; i++) {
        const struct driver *driver = probe->drivers[i];
        baud_add(probe, driver->baud);
        for (const unsigned *baud = driver->bauds; baud && *baud; baud++) {
            baud_add(probe, *baud);
        }
    }
}

static void listeners_init(struct probe *probe)
{
    for (unsigned i = 0; i < probe->driver_count; i++) {
        const struct driver_settings settings = {0};
        struct listener *listener = &probe->listeners[i];
        listener->main_count = 0;
        listener->is_ready =
            device_init(&listener->device, probe->drivers[i], &settings) == STATUS_OK;
    }
    probe->byte_count = 0;
    probe->listened_ns = 0;
}

/* ---- listening ---- */

static void sample_take(void *user, const struct sample *sample)
{
    struct listener *listener = user;
    listener->main_count += sample->stream == 0;
}

static enum status port_open(const struct probe *probe, const struct driver *driver,
                             unsigned baud, struct transport **out)
{
    if (probe->entry->is_serial) {
        return transport_serial_open(probe->entry->name, baud, out);
    }
    return transport_usb_open(probe->entry->port + strlen("usb:"),
                              driver_usb_profile(driver), out);
}

static void wait_for_bytes(const struct transport *transport)
{
    struct pollfd wanted = {.fd = transport_descriptor(transport), .events = POLLIN};
    poll(&wanted, wanted.fd >= 0 ? 1 : 0, READ_WAIT_MS);
    if (wanted.revents & (POLLHUP | POLLERR)) {
        poll(NULL, 0, READ_WAIT_MS); /* it would come back at once for ever */
    }
}

static void bytes_take(struct probe *probe, size_t size)
{
    probe->byte_count += size;
    for (unsigned i = 0; i < probe->driver_count; i++) {
        struct listener *listener = &probe->listeners[i];
        if (listener->is_ready) {
            device_feed(&listener->device, probe->bytes, size, clock_host_ns(), sample_take,
                        listener);
        }
    }
}

static enum status listen_for(struct probe *probe, struct transport *transport,
                              int64_t duration_ns)
{
    const int64_t start_ns = clock_host_ns();
    enum status status = STATUS_OK;
    while (clock_host_ns() - start_ns < duration_ns) {
        size_t size = 0;
        status = transport_read(transport, probe->bytes, sizeof probe->bytes, &size);
        if (status == STATUS_OK) {
            bytes_take(probe, size);
        } else if (status == STATUS_NOT_READY) {
            wait_for_bytes(transport);
        } else {
            break;
        }
    }
    probe->listened_ns += clock_host_ns() - start_ns;
    return status == STATUS_NOT_READY ? STATUS_OK : status;
}

/* Share of the bytes that lay in good frames; what waits for its end does not count. */
static double listener_share(const struct listener *listener)
{
    const struct device_counters *counters = &listener->device.counters;
    double whole = (double)(counters->byte_count - listener->device.buffer_size);
    double frames = (double)(counters->frame_count + counters->bad_count);
    if (whole <= 0.0 || frames <= 0.0) {
        return 0.0;
    }
    return (whole - (double)counters->skipped_size) / whole * (double)counters->frame_count
           / frames;
}

static bool has_name(const struct listener *listener)
{
    const struct driver *driver = listener->device.driver;
    return driver->identity_get && driver->identity_get(&listener->device.context)[0];
}

/* A checksum, or its name, is worth more than a good fit. Without one frames must give
 * samples: any bytes with line ends among them are lines of text. */
static double listener_rank(const struct listener *listener)
{
    bool has_checksum = listener->device.driver->has_checksum || has_name(listener);
    uint64_t evidence = has_checksum ? listener->device.counters.frame_count
                                     : listener->device.counters.sample_count;
    double share = listener_share(listener);
    if (!listener->is_ready || evidence < FRAME_COUNT_MIN || share < SHARE_MIN) {
        return 0.0;
    }
    return share + (has_checksum ? 1.0 : 0.0);
}

/* @return The driver that understands best, or NULL. */
static const struct listener *listener_best(const struct probe *probe)
{
    const struct listener *best = NULL;
    for (unsigned i = 0; i < probe->driver_count; i++) {
        const struct listener *listener = &probe->listeners[i];
        if (listener_rank(listener) > (best ? listener_rank(best) : 0.0)) {
            best = listener;
        }
    }
    return best;
}

static void identity_take(const struct listener *listener, struct probe_result *result)
{
    const struct driver *driver = listener->device.driver;
    if (driver->identity_get) {
        snprintf(result->identity, sizeof result->identity, "%s",
                 driver->identity_get(&listener->device.context));
    }
}

static void heard_take(const struct probe *probe, const struct listener *listener,
                       unsigned baud, struct probe_result *result)
{
    result->driver = listener->device.driver;
    result->baud = baud;
    result->share = listener_share(listener);
    result->byte_count = probe->byte_count;
    result->frame_count = listener->device.counters.frame_count;
    result->rate_hz =
        (double)listener->main_count * (double)NS_PER_S / (double)probe->listened_ns;
    identity_take(listener, result);
}

/* ---- asking ---- */

static bool may_ask(const struct probe *probe, const struct driver *driver)
{
    return driver->question
           && (driver == probe->named || device_entry_is_sure(probe->entry, driver));
}

/* A driver that was heard and cannot say more is left in peace. */
static bool is_worth_asking(const struct driver *driver, const struct probe_result *result)
{
    return result->driver != driver || (driver->identity_get && !result->identity[0]);
}

static bool has_answered(const struct listener *listener, uint64_t frame_count)
{
    const struct driver *driver = listener->device.driver;
    return driver->identity_get ? driver->identity_get(&listener->device.context)[0] != '\0'
                                : listener->device.counters.frame_count > frame_count;
}

static void ask(struct probe *probe, struct transport *transport,
                const struct listener *listener, unsigned baud, struct probe_result *result)
{
    const struct driver *driver = listener->device.driver;
    const uint64_t frame_count = listener->device.counters.frame_count;
    result->was_asked = true;
    for (unsigned i = 0; i < ASK_COUNT && !result->has_answered; i++) {
        (void)transport_write(transport, driver->question, driver->question_size);
        if (listen_for(probe, transport, ANSWER_NS)) {
            return;
        }
        result->has_answered = has_answered(listener, frame_count);
    }
    if (result->has_answered) {
        result->driver = driver;
        result->baud = baud;
        identity_take(listener, result);
    }
}

static bool uses_baud(const struct driver *driver, unsigned baud)
{
    bool is_used = driver->baud == baud || baud == 0;
    for (const unsigned *other = driver->bauds; other && *other && !is_used; other++) {
        is_used = *other == baud;
    }
    return is_used;
}

/* What was heard tells whom to ask; in silence all that may be asked are. A driver whose
 * own number the port bears is asked even if the bytes looked like another's, unless those
 * were proved by checksums. */
static bool is_meant(const struct probe *probe, const struct listener *listener,
                     const struct driver *heard, unsigned baud)
{
    const struct driver *driver = listener->device.driver;
    if (!heard) {
        return listener->is_ready && uses_baud(driver, baud);
    }
    return driver == heard
           || (listener->is_ready && !heard->has_checksum
               && device_entry_is_sure(probe->entry, driver));
}

static void ask_all(struct probe *probe, struct transport *transport, unsigned baud,
                    struct probe_result *result)
{
    for (unsigned i = 0; i < probe->driver_count && !result->has_answered; i++) {
        const struct driver *driver = probe->drivers[i];
        bool is_wanted = is_meant(probe, &probe->listeners[i], result->driver, baud);
        if (is_wanted && may_ask(probe, driver) && is_worth_asking(driver, result)) {
            char doing[96];
            snprintf(doing, sizeof doing, "asking as %s", driver->name);
            tell(probe, doing);
            ask(probe, transport, &probe->listeners[i], baud, result);
        }
    }
}

/* ---- the whole ---- */

/* Keeps a serial port open between the speeds, so that boards which restart when it is
 * opened do so once, and puts its settings back. */
struct port_hold {
    int descriptor; /* -1 = nothing to put back */
    struct termios found;
};

static void hold_begin(struct port_hold *hold, const struct device_entry *entry)
{
    hold->descriptor = -1;
    if (!entry->is_serial) {
        return;
    }
    hold->descriptor = open(entry->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (hold->descriptor < 0) {
        return;
    }
    /* A port that another program reads is none of ours; what is typed to us is not sent
     * back while the port is held. */
    if (flock(hold->descriptor, LOCK_EX | LOCK_NB) != 0
        || tcgetattr(hold->descriptor, &hold->found) != 0) {
        close(hold->descriptor);
        hold->descriptor = -1;
        return;
    }
    struct termios quiet = hold->found;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    tcsetattr(hold->descriptor, TCSANOW, &quiet);
    flock(hold->descriptor, LOCK_UN);
}

static void hold_end(const struct port_hold *hold)
{
    if (hold->descriptor >= 0) {
        tcflush(hold->descriptor, TCIFLUSH);
        tcsetattr(hold->descriptor, TCSANOW, &hold->found);
        close(hold->descriptor);
    }
}

static enum status baud_try(struct probe *probe, unsigned baud, bool is_asking,
                            struct probe_result *result)
{
    char doing[64];
    struct transport *transport = NULL;
    enum status status = port_open(probe, probe->drivers[0], baud, &transport);
    if (status) {
        return status;
    }
    listeners_init(probe);
    if (baud > 0) {
        snprintf(doing, sizeof doing, "listening at %u baud", baud);
    } else {
        snprintf(doing, sizeof doing, "listening");
    }
    tell(probe, doing);
    status = listen_for(probe, transport, LISTEN_NS);
    const struct listener *best = listener_best(probe);
    if (best) {
        heard_take(probe, best, baud, result);
    } else if (probe->byte_count > result->byte_count) {
        result->byte_count = probe->byte_count;
        result->baud = baud;
    }
    if (!status && (best || is_asking)) {
        ask_all(probe, transport, baud, result);
    }
    transport_close(transport);
    return status;
}

/* All speeds are listened at before anything is asked. */
static enum status bauds_try(struct probe *probe, struct probe_result *result)
{
    enum status status = STATUS_OK;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < probe->baud_count && !status && !result->driver; i++) {
            bool has_question = round == 0;
            for (unsigned j = 0; j < probe->driver_count; j++) {
                has_question = has_question
                               || (may_ask(probe, probe->drivers[j])
                                   && uses_baud(probe->drivers[j], probe->bauds[i]));
            }
            if (has_question) {
                status = baud_try(probe, probe->bauds[i], round == 1, result);
            }
        }
    }
    return status;
}

enum status device_probe(const struct device_entry *entry, const struct driver *named,
                         probe_progress_fn *progress, void *user,
                         struct probe_result *result)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        return STATUS_NO_MEMORY;
    }
    *result = (struct probe_result){0};
    probe->entry = entry;
    probe->named = named;
    probe->progress = progress;
    probe->user = user;
    drivers_choose(probe);
    bauds_choose(probe);
    enum status status = STATUS_OK;
    if (probe->driver_count > 0) {
        struct port_hold hold;
        hold_begin(&hold, entry);
        status = bauds_try(probe, result);
        hold_end(&hold);
    }
    free(probe);
    return status;
}

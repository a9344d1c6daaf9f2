/* Stands in for the capture: opens USB devices through the transport, reads every 5 ms,
 * opens them again when they return, and prints what it saw, one line an event.
 * usage: usb_client list
 *        usb_client present ADDRESS
 *        usb_client read SECONDS PROTOCOL ADDRESS [COMMAND_HEX...]
 * PROTOCOL is hid, cdc, bulk or request (reports of the tiny devices), any of them with
 * "-raw" behind, or the name of a driver. Commands are sent one after the other. */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "acquisition/device.h"
#include "acquisition/framing.h"
#include "acquisition/transport.h"
#include "base/clock.h"
#include "tests/support/tiny_usb.h"

enum {
    READ_SIZE = 16384,
    SLOW_SIZE = 64,
    PIECE_SIZE = 1 << 17,
    COMMAND_MAX = 16,
    COMMAND_SIZE = 256,
    REOPEN_NS = 500000000,
    ROUND_NS = 5000000
};

struct command {
    uint8_t bytes[COMMAND_SIZE];
    size_t size;
};

struct client {
    const char *address;
    const struct transport_usb_profile *profile;
    struct transport *transport;
    size_t read_size;
    struct device *device; /* NULL = tiny reports */
    struct command commands[COMMAND_MAX];
    unsigned command_count;
    unsigned command_sent;
    uint8_t pending[DRIVER_COMMAND_MAX];
    size_t pending_size;
    int64_t reopen_ns;
    uint8_t piece[PIECE_SIZE]; /* what is not a whole report or record yet */
    size_t piece_size;
    uint32_t number; /* of the last report */
    bool is_numbered;
    uint64_t byte_count;
    uint64_t report_count;
    uint64_t lost_count;
    uint64_t bad_count;
    uint64_t short_count;
    uint64_t empty_count;
    uint64_t status_counts[3]; /* records by status */
    unsigned open_count;
    int64_t away_cpu_ns; /* while the device was missing */
    int64_t away_ns;
};

#define PROFILE(kind_, packeted)                                                           \
    {                                                                                      \
        .kind = kind_, .transfer_size = 64, .transfer_count = 32, .is_packeted = packeted  \
    }

static const struct {
    const char *name;
    struct transport_usb_profile profile;
} PROFILES[] = {
    {"hid", PROFILE(TRANSPORT_USB_HID, true)},
    {"hid-raw", PROFILE(TRANSPORT_USB_HID, false)},
    {"cdc", PROFILE(TRANSPORT_USB_CDC, true)},
    {"cdc-raw", PROFILE(TRANSPORT_USB_CDC, false)},
    {"bulk", PROFILE(TRANSPORT_USB_BULK, true)},
    {"bulk-raw", PROFILE(TRANSPORT_USB_BULK, false)},
    {"request", PROFILE(TRANSPORT_USB_REQUEST, true)},
    {"request-raw", PROFILE(TRANSPORT_USB_REQUEST, false)},
    /* 4000 reports a second on a machine that pauses 30 ms now and then. */
    {"fast", {TRANSPORT_USB_HID, 64, 128, true}},
    /* Read by a program that takes 64 bytes a round. */
    {"slow", {TRANSPORT_USB_HID, 64, 128, true}},
};

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static unsigned descriptor_count(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        closedir(folder);
    }
    return count;
}

static void say(const char *what)
{
    printf("client: %s %" PRId64 " descriptors %u\n", what, clock_host_ns(),
           descriptor_count());
    fflush(stdout);
}

static void hex_say(const char *what, unsigned detail, const uint8_t *bytes, size_t size)
{
    printf("client: %s %02x", what, detail);
    for (size_t i = 0; i < size && i < 64; i++) {
        printf(" %02x", bytes[i]);
    }
    printf("\n");
    fflush(stdout);
}

/* ---- what arrives ---- */

static void report_take(struct client *client, const uint8_t *report)
{
    uint32_t number = framing_u32(report + TINY_NUMBER_OFFSET);
    if (report[TINY_REPORT_SIZE - 1] != tiny_report_sum(report)) {
        client->bad_count++;
        return;
    }
    if (client->is_numbered && number != client->number + 1) {
        client->lost_count += number - client->number - 1;
    }
    client->is_numbered = true;
    client->number = number;
    client->report_count++;
}

static void record_take(struct client *client, const uint8_t *record, size_t size)
{
    unsigned status = record[2];
    client->status_counts[status]++;
    if (status != TRANSPORT_PACKET_OK) {
        hex_say(status == TRANSPORT_PACKET_STALL ? "stall" : "overflow", record[1],
                record + TRANSPORT_PACKET_HEAD_SIZE, size);
    } else if (size == TINY_REPORT_SIZE && record[TRANSPORT_PACKET_HEAD_SIZE] == 1
               && record[1] != 0x80) {
        report_take(client, record + TRANSPORT_PACKET_HEAD_SIZE);
    } else if (size == TINY_REPORT_SIZE / 2) {
        client->short_count++;
    } else {
        hex_say("answer", record[1], record + TRANSPORT_PACKET_HEAD_SIZE, size);
    }
}

/* @return Bytes done with. */
static size_t records_take(struct client *client)
{
    size_t done = 0;
    while (client->piece_size - done >= TRANSPORT_PACKET_HEAD_SIZE) {
        const uint8_t *record = client->piece + done;
        size_t size = framing_u16(record + 3);
        if (record[0] != TRANSPORT_PACKET_MARK || record[2] > 2) {
            client->bad_count++;
            return client->piece_size;
        }
        if (client->piece_size - done < TRANSPORT_PACKET_HEAD_SIZE + size) {
            break;
        }
        record_take(client, record, size);
        done += TRANSPORT_PACKET_HEAD_SIZE + size;
    }
    return done;
}

static size_t reports_take(struct client *client)
{
    size_t done = 0;
    while (client->piece_size - done >= TINY_REPORT_SIZE) {
        const uint8_t *report = client->piece + done;
        if (report[0] == TINY_REPORT_MARK
            && report[TINY_REPORT_SIZE - 1] == tiny_report_sum(report)) {
            report_take(client, report);
            done += TINY_REPORT_SIZE;
        } else {
            client->bad_count++;
            done++;
        }
    }
    return done;
}

static void bytes_take(struct client *client, const uint8_t *bytes, size_t size)
{
    client->byte_count += size;
    if (client->device) {
        device_feed(client->device, bytes, size, clock_host_ns(), NULL, NULL);
        return;
    }
    memcpy(client->piece + client->piece_size, bytes, size);
    client->piece_size += size;
    size_t done =
        client->profile->is_packeted ? records_take(client) : reports_take(client);
    client->piece_size -= done;
    memmove(client->piece, client->piece + done, client->piece_size);
}

/* ---- commands ---- */

static void driver_commands_send(struct client *client)
{
    const struct driver *driver = client->device->driver;
    if (client->pending_size == 0 && driver->command_next) {
        client->pending_size = driver->command_next(&client->device->context,
                                                    clock_host_ns(), client->pending);
    }
    if (client->pending_size > 0
        && transport_write(client->transport, client->pending, client->pending_size)
               != STATUS_NOT_READY) {
        client->pending_size = 0;
    }
}

static void commands_send(struct client *client)
{
    if (client->device) {
        driver_commands_send(client);
        return;
    }
    while (client->command_sent < client->command_count) {
        const struct command *command = &client->commands[client->command_sent];
        enum status status =
            transport_write(client->transport, command->bytes, command->size);
        if (status) {
            return;
        }
        client->command_sent++;
    }
}

static void stop_send(struct client *client)
{
    uint8_t bytes[DRIVER_COMMAND_MAX];
    if (!client->device || !client->device->driver->command_stop || !client->transport) {
        return;
    }
    for (unsigned i = 0; i < DRIVER_STOP_MAX; i++) {
        size_t size = client->device->driver->command_stop(&client->device->context, bytes);
        if (size == 0) {
            return;
        }
        transport_write(client->transport, bytes, size);
    }
}

/* ---- the loop ---- */

static bool client_open(struct client *client)
{
    if (transport_usb_open(client->address, client->profile, &client->transport)) {
        client->transport = NULL;
        return false;
    }
    client->open_count++;
    client->command_sent = 0;
    client->pending_size = 0;
    client->piece_size = 0;
    client->is_numbered = false;
    say("open");
    commands_send(client);
    return true;
}

static void client_read(struct client *client)
{
    uint8_t bytes[READ_SIZE];
    size_t size = 0;
    enum status status = transport_read(client->transport, bytes, client->read_size, &size);
    if (status == STATUS_GONE) {
        say("gone");
        transport_close(client->transport);
        client->transport = NULL;
        client->reopen_ns = clock_host_ns() + REOPEN_NS;
        if (client->device) {
            device_interrupt(client->device);
        }
        say("closed");
        return;
    }
    if (status == STATUS_OK) {
        bytes_take(client, bytes, size);
    }
    commands_send(client);
}

static void client_away(struct client *client)
{
    if (clock_host_ns() >= client->reopen_ns) {
        client->reopen_ns = clock_host_ns() + REOPEN_NS;
        if (transport_usb_is_present(client->address)) {
            client_open(client);
        }
    }
}

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

static void client_run(struct client *client, double seconds)
{
    int64_t end_ns = clock_host_ns() + (int64_t)(seconds * 1e9);
    int64_t round_ns = clock_host_ns();
    while (round_ns < end_ns && !is_stopped) {
        int64_t before_ns = cpu_ns();
        bool is_away = !client->transport;
        if (is_away) {
            client_away(client);
        } else {
            client_read(client);
        }
        if (is_away && !client->transport) {
            client->away_cpu_ns += cpu_ns() - before_ns;
            client->away_ns += ROUND_NS;
        }
        round_ns += ROUND_NS;
        struct timespec next = {.tv_sec = round_ns / 1000000000,
                                .tv_nsec = round_ns % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    stop_send(client);
    say("closing");
    transport_close(client->transport);
    say("end");
}

static void counts_say(const struct client *client)
{
    struct device_counters none = {0};
    const struct device_counters *counters =
        client->device ? &client->device->counters : &none;
    printf("client: counts bytes=%" PRIu64 " reports=%" PRIu64 " lost=%" PRIu64
           " bad=%" PRIu64 " short=%" PRIu64 " ok=%" PRIu64 " stalls=%" PRIu64
           " overflows=%" PRIu64 " opens=%u cpu_us=%" PRId64 " away_cpu_us=%" PRId64
           " away_us=%" PRId64 "\n",
           client->byte_count, client->report_count + counters->sample_count,
           client->lost_count + counters->lost_count,
           client->bad_count + counters->bad_count + counters->skipped_size,
           client->short_count, client->status_counts[0], client->status_counts[1],
           client->status_counts[2], client->open_count, cpu_ns() / 1000,
           client->away_cpu_ns / 1000, client->away_ns / 1000);
    if (client->device && client->device->driver->identity_get) {
        printf("client: identity %s\n",
               client->device->driver->identity_get(&client->device->context));
    }
    fflush(stdout);
}

/* ---- arguments ---- */

static void command_parse(struct client *client, const char *hex)
{
    struct command *command = &client->commands[client->command_count++];
    for (; hex[0] && hex[1] && command->size < COMMAND_SIZE; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        command->bytes[command->size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static bool protocol_parse(struct client *client, const char *name)
{
    for (size_t i = 0; i < sizeof PROFILES / sizeof PROFILES[0]; i++) {
        if (strcmp(PROFILES[i].name, name) == 0) {
            client->profile = &PROFILES[i].profile;
            return true;
        }
    }
    const struct driver *driver = driver_find(name);
    const struct driver_settings settings = {0};
    client->device = driver ? calloc(1, sizeof *client->device) : NULL;
    if (!client->device || device_init(client->device, driver, &settings)) {
        return false;
    }
    client->profile = driver_usb_profile(driver);
    return true;
}

static int list_say(void)
{
    struct usb_device_info devices[32];
    size_t count = 0;
    if (transport_usb_list(devices, 32, &count)) {
        return 3;
    }
    for (size_t i = 0; i < count; i++) {
        printf("client: device %s|%s|%s|%s|%s|%d\n", devices[i].address, devices[i].path,
               devices[i].maker, devices[i].product, devices[i].serial_number,
               transport_usb_is_present(devices[i].address));
    }
    return 0;
}

static int read_run(int argc, char **argv)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client || !protocol_parse(client, argv[3])) {
        fprintf(stderr, "usb_client: no protocol '%s'\n", argv[3]);
        free(client);
        return 2;
    }
    client->address = argv[4];
    client->read_size = strcmp(argv[3], "slow") == 0 ? SLOW_SIZE : READ_SIZE;
    for (int i = 5; i < argc && i < 5 + COMMAND_MAX; i++) {
        command_parse(client, argv[i]);
    }
    say("start");
    bool is_open = client_open(client);
    if (is_open) {
        client_run(client, strtod(argv[2], NULL));
        counts_say(client);
    } else {
        say("refused");
    }
    free(client->device);
    free(client);
    return is_open ? 0 : 3;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_signal);
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return list_say();
    }
    if (argc == 3 && strcmp(argv[1], "present") == 0) {
        printf("client: present %d\n", transport_usb_is_present(argv[2]));
        return 0;
    }
    if (argc < 5 || strcmp(argv[1], "read") != 0) {
        fputs("usage: usb_client list | present ADDRESS | read SECONDS PROTOCOL ADDRESS "
              "[COMMAND_HEX...]\n",
              stderr);
        return 2;
    }
    return read_run(argc, argv);
}

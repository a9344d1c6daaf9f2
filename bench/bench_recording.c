/* Recording load: N pseudo-terminals, each fed with x-IMU3 inertial messages at 1 kHz, are
 * read first by a bare poll + read loop, then by the same loop with 10 ms of sleep per
 * round, then by Limber (capture, decode, journal). Each reader runs in a process of its
 * own; what counts is the ratio of their CPU time in this run, since the machine's own
 * speed varies by a quarter.
 *
 * bench_recording [--seconds S] [--ports N] [--stall-disk S] [--stop-process S]
 *                 [--orientation] [--stall-every S]
 *   --stall-disk    the disk takes nothing for S seconds (preloaded stall_shim); no sample
 * may be lost
 *   --stall-every   and again every S seconds (scripts/soak)
 *   --stop-process  the reader is stopped for S seconds; the loss that Limber counts must
 * be the frames that did not fit into the ports, give or take the cut ones
 *   --orientation   every inertial sample also goes through time base, calibration and
 * orientation, as in the pipeline of an assessment (that one has eleven places on a body,
 * not twenty) */
#define _GNU_SOURCE /* MAP_ANONYMOUS, posix_openpt */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "acquisition/capture.h"
#include "acquisition/journal.h"
#include "analysis/orientation.h"
#include "analysis/timebase.h"
#include "base/clock.h"
#include "base/units.h"

enum {
    PORT_MAX = 64,
    RATE_HZ = 1000,
    MESSAGE_MAX = 80, /* 34 bytes, all of them stuffed, and some */
    READ_SIZE = 65536,
    BATCH_US = 10000
};

/* CPU of Limber per CPU of the bare loop. */
static const double RATIO_MAX = 1.5;
/* The same with orientation, in seconds: half of what the quickest peer takes that computes
 * nothing at all (docs/performance.md). */
static const double ORIENTATION_MAX_S = 12.0;
static const double STOP_MAX_S = 0.5;
static const double MEMORY_MAX_MB = 32.0;

enum reader_kind {
    READER_POLL,
    READER_BATCHED,
    READER_LIMBER,
    READER_COUNT
};

static const char *const READER_NAMES[READER_COUNT] = {
    "bare poll + read",
    "bare, 10 ms batches",
    "Limber",
};

struct options {
    double seconds;
    unsigned ports;
    double stall_disk_s;
    double stall_every_s; /* 0 = once */
    double stop_process_s;
    bool has_orientation;
};

/* What the processes tell each other. */
struct shared {
    atomic_bool is_ready;
    atomic_bool is_stopping;
    /* feeder */
    uint64_t fed_count; /* per port */
    uint64_t refused_count[PORT_MAX];
    uint64_t cut_count[PORT_MAX];
    double feeder_late_s; /* longest; it then sends what is due in one burst */
    /* reader */
    double cpu_s;
    uint64_t byte_count;
    uint64_t row_count;
    uint64_t lost_count[PORT_MAX];
    uint64_t bad_count;
    uint64_t replayed_count;
    size_t ring_peak_size;
    uint64_t frame_count; /* of the journal */
    double early_mb;      /* resident memory beside the ring */
    double late_mb;
    double loop_pause_s; /* longest time between two ticks, which are due every 20 ms */
    double stop_s;
    int status;
};

struct ports {
    unsigned count;
    int masters[PORT_MAX];
    char names[PORT_MAX][64];
};

/* ---- feeder ---- */

static void pause_until(int64_t host_ns)
{
    struct timespec until = {.tv_sec = host_ns / NS_PER_S,
                             .tv_nsec = (long)(host_ns % NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void pause_s(double seconds)
{
    pause_until(clock_host_ns() + (int64_t)(seconds * 1e9));
}

static size_t byte_stuff(uint8_t byte, uint8_t *out)
{
    if (byte == 0x0A || byte == 0xDB) {
        out[0] = 0xDB;
        out[1] = byte == 0x0A ? 0xDC : 0xDD;
        return 2;
    }
    out[0] = byte;
    return 1;
}

/* An inertial message of the x-IMU3, from its manual: id, u64 us, six float32, newline. */
static size_t message_encode(uint64_t time_us, const float values[6], uint8_t *out)
{
    uint8_t plain[32];
    for (unsigned i = 0; i < 8; i++) {
        plain[i] = (uint8_t)(time_us >> (8 * i));
    }
    memcpy(plain + 8, values, 24);
    size_t size = 0;
    out[size++] = 0xC9;
    for (unsigned i = 0; i < sizeof plain; i++) {
        size += byte_stuff(plain[i], out + size);
    }
    out[size++] = 0x0A;
    return size;
}

static void port_feed(struct shared *shared, const struct ports *ports, unsigned port,
                      const uint8_t *message, size_t size)
{
    ssize_t count = write(ports->masters[port], message, size);
    if (count < 0) {
        shared->refused_count[port]++;
    } else if ((size_t)count < size) {
        shared->cut_count[port]++;
    }
}

static void feeder_run(struct shared *shared, const struct ports *ports, double seconds)
{
    const uint64_t total = (uint64_t)(seconds * RATE_HZ);
    const int64_t start_ns = clock_host_ns();
    for (uint64_t i = 0; i < total; i++) {
        int64_t due_ns = start_ns + (int64_t)(i + 1) * NS_PER_S / RATE_HZ;
        pause_until(due_ns);
        double late_s = (double)(clock_host_ns() - due_ns) * 1e-9;
        shared->feeder_late_s =
            late_s > shared->feeder_late_s ? late_s : shared->feeder_late_s;
        float phase = (float)(i % 5000) * 0.01f;
        const float values[6] = {phase, -phase, 0.5f * phase, 0.01f, -0.02f, 0.99f};
        uint8_t message[MESSAGE_MAX];
        size_t size = message_encode(1000000 + i * 1000, values, message);
        for (unsigned port = 0; port < ports->count; port++) {
            port_feed(shared, ports, port, message, size);
        }
    }
    shared->fed_count = total;
}

/* ---- readers ---- */

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double resident_mb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void bare_run(struct shared *shared, const struct ports *ports, bool is_batched)
{
    struct pollfd polls[PORT_MAX];
    uint8_t *bytes = malloc(READ_SIZE);
    for (unsigned i = 0; i < ports->count; i++) {
        polls[i] = (struct pollfd){
            .fd = open(ports->names[i], O_RDWR | O_NOCTTY | O_NONBLOCK),
            .events = POLLIN,
        };
    }
    atomic_store(&shared->is_ready, true);
    double before_s = cpu_seconds();
    while (!atomic_load(&shared->is_stopping)) {
        if (is_batched) {
            pause_s(BATCH_US * 1e-6);
        }
        int ready = poll(polls, ports->count, 100);
        for (unsigned i = 0; i < ports->count && ready > 0; i++) {
            ssize_t count = polls[i].revents ? read(polls[i].fd, bytes, READ_SIZE) : 0;
            shared->byte_count += count > 0 ? (uint64_t)count : 0;
        }
    }
    shared->cpu_s = cpu_seconds() - before_s;
    free(bytes);
}

/* What the pipeline does with a sample before angles are asked for. */
struct tracker {
    struct timebase timebase;
    struct orientation orientation;
};

struct limber {
    struct shared *shared;
    const struct ports *ports;
    struct tracker *trackers; /* one a port, or NULL */
    struct capture *capture;
    struct recorder *recorder;
    struct device *devices;
    int64_t stop_ns;
    int64_t tick_ns;
    double seconds;
};

static void row_count(void *user, const struct sample *sample)
{
    struct limber *limber = user;
    limber->shared->row_count += sample->stream == 0;
}

/* One port of the running program and where its samples go. */
struct row_target {
    struct limber *limber;
    unsigned device;
};

static void trackers_init(struct limber *limber)
{
    struct timebase_settings settings = timebase_default_settings;
    settings.tick_s = driver_find("xio-ximu3")->tick_s;
    settings.rate_hz = RATE_HZ;
    for (unsigned i = 0; i < limber->ports->count; i++) {
        timebase_init(&limber->trackers[i].timebase, &settings);
        orientation_init(&limber->trackers[i].orientation, &orientation_default_settings);
    }
}

static void row_track(void *user, const struct sample *sample)
{
    const struct row_target *target = user;
    row_count(target->limber, sample);
    if (sample->stream != 0 || !target->limber->trackers) {
        return;
    }
    struct tracker *tracker = &target->limber->trackers[target->device];
    timebase_update(&tracker->timebase, sample->device_ticks, sample->host_ns);
    struct inertial inertial = calibration_apply_imu(&calibration_imu_default, sample);
    inertial.time_s = timebase_even_s(&tracker->timebase);
    orientation_update(&tracker->orientation, &inertial);
}

static double memory_beside_ring(const struct limber *limber)
{
    struct recorder_counters counters;
    recorder_counters_get(limber->recorder, &counters);
    /* The pages of the ring that were ever written to. */
    uint64_t touched = counters.written_size;
    if (touched > recorder_default_settings.ring_size) {
        touched = recorder_default_settings.ring_size;
    }
    return resident_mb() - (double)touched / (1 << 20);
}

static void tick_watch(struct limber *limber)
{
    int64_t now_ns = clock_host_ns();
    double tick_s = (double)(now_ns - limber->tick_ns) * 1e-9;
    if (limber->tick_ns > 0 && tick_s > limber->shared->loop_pause_s) {
        limber->shared->loop_pause_s = tick_s;
    }
    limber->tick_ns = now_ns;
}

static enum status frame_handle(void *user, const struct journal_frame *frame)
{
    struct limber *limber = user;
    struct shared *shared = limber->shared;
    if (frame->type == JOURNAL_BYTES) {
        struct row_target target = {limber, frame->device};
        device_feed(&limber->devices[frame->device], frame->payload, frame->size,
                    frame->host_ns, row_track, &target);
        return STATUS_OK;
    }
    if (frame->type == JOURNAL_TICK) {
        tick_watch(limber);
        if (shared->early_mb <= 0.0
            && (double)frame->host_ns * 1e-9 > limber->seconds / 4) {
            shared->early_mb = memory_beside_ring(limber);
        }
        if (atomic_load(&shared->is_stopping) && limber->stop_ns == 0) {
            limber->stop_ns = clock_host_ns();
            capture_stop(limber->capture);
        }
    }
    return STATUS_OK;
}

static enum status port_open(void *user, unsigned device, struct transport **out)
{
    struct limber *limber = user;
    enum status status = transport_serial_open(limber->ports->names[device], 115200, out);
    if (!status && device + 1 == limber->ports->count) {
        atomic_store(&limber->shared->is_ready, true);
    }
    return status;
}

static enum status limber_start(struct limber *limber)
{
    const struct capture_settings settings = {
        .recorder = limber->recorder,
        .handle = frame_handle,
        .handle_user = limber,
        .open = port_open,
        .open_user = limber,
    };
    enum status status = capture_create(&settings, &limber->capture);
    const struct driver_settings driver_settings = {0};
    for (unsigned i = 0; i < limber->ports->count && !status; i++) {
        status =
            device_init(&limber->devices[i], driver_find("xio-ximu3"), &driver_settings);
        if (!status) {
            status = capture_add(limber->capture, &limber->devices[i]);
        }
    }
    return status ? status : capture_header(limber->capture, "{}");
}

/* Everything in the file again: the rows must be those seen live. */
static void journal_replay(struct limber *limber, const char *path)
{
    struct journal_reader *reader;
    if (journal_reader_open(path, &reader) != STATUS_OK) {
        return;
    }
    const struct driver_settings settings = {0};
    for (unsigned i = 0; i < limber->ports->count; i++) {
        device_init(&limber->devices[i], driver_find("xio-ximu3"), &settings);
    }
    uint64_t live_count = limber->shared->row_count;
    struct journal_frame frame;
    limber->shared->row_count = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        if (frame.type == JOURNAL_BYTES) {
            device_feed(&limber->devices[frame.device], frame.payload, frame.size,
                        frame.host_ns, row_count, limber);
        }
    }
    limber->shared->replayed_count = limber->shared->row_count;
    limber->shared->row_count = live_count;
    journal_reader_close(reader);
}

static void limber_report(struct limber *limber)
{
    struct shared *shared = limber->shared;
    struct recorder_counters counters;
    recorder_counters_get(limber->recorder, &counters);
    shared->ring_peak_size = counters.ring_peak_size;
    shared->frame_count = counters.frame_count;
    shared->late_mb = memory_beside_ring(limber);
    for (unsigned i = 0; i < limber->ports->count; i++) {
        shared->lost_count[i] = limber->devices[i].counters.lost_count;
        shared->bad_count += limber->devices[i].counters.bad_count;
        shared->byte_count += limber->devices[i].counters.byte_count;
    }
}

static enum status limber_run(struct limber *limber, const char *path)
{
    enum status status = recorder_open(path, &recorder_default_settings, &limber->recorder);
    if (status) {
        return status;
    }
    status = limber_start(limber);
    if (!status) {
        double before_s = cpu_seconds();
        status = capture_run(limber->capture);
        limber_report(limber);
        enum status close_status = recorder_close(limber->recorder);
        limber->shared->stop_s = (double)(clock_host_ns() - limber->stop_ns) * 1e-9;
        limber->shared->cpu_s = cpu_seconds() - before_s;
        status = status ? status : close_status;
    }
    capture_destroy(limber->capture);
    return status;
}

static void limber_process(struct shared *shared, const struct ports *ports,
                           const struct options *options)
{
    struct limber limber = {.shared = shared, .ports = ports, .seconds = options->seconds};
    limber.devices = calloc(ports->count, sizeof *limber.devices);
    char folder[] = "/var/tmp/bench_recording_XXXXXX"; /* /tmp may be memory, not disk */
    if (!limber.devices || !mkdtemp(folder)) {
        shared->status = STATUS_IO;
        return;
    }
    if (options->has_orientation) {
        limber.trackers = calloc(ports->count, sizeof *limber.trackers);
        if (!limber.trackers) {
            shared->status = STATUS_NO_MEMORY;
            return;
        }
        trackers_init(&limber);
    }
    char path[sizeof folder + 16];
    snprintf(path, sizeof path, "%s/a.journal", folder);
    shared->status = limber_run(&limber, path);
    journal_replay(&limber, path);
    unlink(path);
    rmdir(folder);
    free(limber.trackers);
    free(limber.devices);
}

/* ---- one phase: ports, reader, feeder ---- */

static bool port_create(struct ports *ports, unsigned i, int *slave)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        return false;
    }
    const char *name = ptsname(master);
    snprintf(ports->names[i], sizeof ports->names[i], "%s", name ? name : "");
    *slave = open(ports->names[i], O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios settings;
    if (*slave < 0 || tcgetattr(*slave, &settings) != 0) {
        return false;
    }
    cfmakeraw(&settings);
    ports->masters[i] = master;
    return tcsetattr(*slave, TCSANOW, &settings) == 0;
}

static void masters_close(const struct ports *ports)
{
    for (unsigned i = 0; i < ports->count; i++) {
        close(ports->masters[i]);
    }
}

static pid_t reader_start(enum reader_kind kind, struct shared *shared,
                          const struct ports *ports, const struct options *options)
{
    pid_t reader = fork();
    if (reader != 0) {
        return reader;
    }
    masters_close(ports);
    switch (kind) {
    case READER_POLL:
    case READER_BATCHED:
        bare_run(shared, ports, kind == READER_BATCHED);
        break;
    case READER_LIMBER:
    case READER_COUNT:
        limber_process(shared, ports, options);
        break;
    }
    _exit(0);
}

static pid_t feeder_start(struct shared *shared, const struct ports *ports, double seconds)
{
    pid_t feeder = fork();
    if (feeder == 0) {
        feeder_run(shared, ports, seconds);
        _exit(0);
    }
    return feeder;
}

static void reader_freeze(pid_t reader, const struct options *options)
{
    pause_s(options->seconds / 3);
    kill(reader, SIGSTOP);
    pause_s(options->stop_process_s);
    kill(reader, SIGCONT);
}

static bool phase_run(enum reader_kind kind, const struct options *options,
                      struct shared *shared)
{
    memset(shared, 0, sizeof *shared);
    struct ports ports = {.count = options->ports};
    int slaves[PORT_MAX];
    for (unsigned i = 0; i < ports.count; i++) {
        if (!port_create(&ports, i, &slaves[i])) {
            perror("pseudo-terminal");
            return false;
        }
    }
    pid_t reader = reader_start(kind, shared, &ports, options);
    for (int i = 0; i < 1000 && !atomic_load(&shared->is_ready); i++) {
        pause_s(0.005);
    }
    for (unsigned i = 0; i < ports.count; i++) {
        close(slaves[i]);
    }
    pid_t feeder = feeder_start(shared, &ports, options->seconds);
    if (options->stop_process_s > 0.0) {
        reader_freeze(reader, options);
    }
    waitpid(feeder, NULL, 0);
    pause_s(0.1); /* the newest bytes reach the readers' side */
    atomic_store(&shared->is_stopping, true);
    waitpid(reader, NULL, 0);
    masters_close(&ports);
    return shared->status == STATUS_OK && shared->cpu_s > 0.0;
}

/* ---- the verdict ---- */

static double cpu_per_million(const struct shared *shared, unsigned ports)
{
    return shared->cpu_s * 1e6 / ((double)shared->fed_count * ports);
}

static bool expect(bool is_good, const char *what)
{
    printf("  %-6s %s\n", is_good ? "ok" : "MISSED", what);
    return is_good;
}

static bool loss_check(const struct shared *shared, const struct options *options)
{
    uint64_t unfed = 0;
    uint64_t lost = 0;
    uint64_t worst = 0;
    for (unsigned i = 0; i < options->ports; i++) {
        uint64_t refused = shared->refused_count[i] + shared->cut_count[i];
        uint64_t found = shared->lost_count[i];
        uint64_t difference = found > refused ? found - refused : refused - found;
        unfed += refused;
        lost += found;
        worst = difference > worst ? difference : worst;
    }
    uint64_t missing = shared->fed_count * options->ports - shared->row_count;
    printf("  frames the ports refused or cut %llu, samples missing %llu, counted as lost "
           "%llu, worst difference of a port %llu\n",
           (unsigned long long)unfed, (unsigned long long)missing, (unsigned long long)lost,
           (unsigned long long)worst);
    printf(
        "  longest pauses: feeder late by %.3f s, loop without a tick %.3f s (a port holds "
        "about 0.4 s)\n",
        shared->feeder_late_s, shared->loop_pause_s);
    if (options->stop_process_s > 0.0) {
        bool is_good =
            expect(worst <= 1, "loss counted to the sample, give or take the cut one");
        return expect(lost == missing, "what is counted is what is missing") && is_good;
    }
    return expect(missing == 0 && lost == 0 && shared->bad_count == 0, "no sample lost");
}

static bool limber_check(const struct shared *shared, const struct options *options)
{
    printf(
        "  rows %llu, replayed from the journal %llu, journal %.3f bytes per byte, ring at "
        "most %.1f %%, memory beside the ring %.1f MB (%.1f MB at a quarter), stop %.3f "
        "s\n",
        (unsigned long long)shared->row_count, (unsigned long long)shared->replayed_count,
        1.0 + (double)shared->frame_count * JOURNAL_HEAD_SIZE / (double)shared->byte_count,
        100.0 * (double)shared->ring_peak_size
            / (double)recorder_default_settings.ring_size,
        shared->late_mb, shared->early_mb, shared->stop_s);
    bool is_good = loss_check(shared, options);
    is_good &=
        expect(shared->replayed_count == shared->row_count, "journal gives the same rows");
    is_good &= expect(shared->stop_s < STOP_MAX_S, "stop within 0.5 s");
    is_good &= expect(shared->late_mb <= MEMORY_MAX_MB, "memory beside the ring <= 32 MB");
    return is_good;
}

static bool is_load_run(const struct options *options)
{
    return options->stall_disk_s <= 0.0 && options->stop_process_s <= 0.0;
}

static bool load_check(const struct options *options, double cpu, double bare)
{
    if (!is_load_run(options)) {
        return true;
    }
    return options->has_orientation
               ? expect(cpu <= ORIENTATION_MAX_S, "with orientation <= 12 CPU s")
               : expect(cpu <= RATIO_MAX * bare, "CPU <= 1.5 x bare loop");
}

static bool all_run(const struct options *options, struct shared *shared)
{
    bool is_load = is_load_run(options);
    double bare = 0.0;
    bool is_good = true;
    for (int kind = is_load ? READER_POLL : READER_LIMBER; kind < READER_COUNT; kind++) {
        if (!phase_run((enum reader_kind)kind, options, shared)) {
            printf("%s: did not run\n", READER_NAMES[kind]);
            return false;
        }
        double cpu = cpu_per_million(shared, options->ports);
        bare = kind == READER_POLL ? cpu : bare;
        printf("%-20s %6.2f CPU s per million rows", READER_NAMES[kind], cpu);
        printf(is_load ? ", %.2f x the bare loop\n" : "\n", is_load ? cpu / bare : 0.0);
        if (kind == READER_LIMBER) {
            is_good = limber_check(shared, options);
            is_good &= load_check(options, cpu, bare);
        }
    }
    return is_good;
}

static bool option_set(struct options *options, const char *name, const char *text)
{
    double value = text ? strtod(text, NULL) : -1.0;
    if (value < 0.0) {
        return false;
    }
    if (strcmp(name, "--seconds") == 0) {
        options->seconds = value;
    } else if (strcmp(name, "--ports") == 0) {
        options->ports = (unsigned)value;
    } else if (strcmp(name, "--stall-disk") == 0) {
        options->stall_disk_s = value;
    } else if (strcmp(name, "--stall-every") == 0) {
        options->stall_every_s = value;
    } else if (strcmp(name, "--stop-process") == 0) {
        options->stop_process_s = value;
    } else {
        return false;
    }
    return true;
}

static bool options_parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--orientation") == 0) {
            options->has_orientation = true;
        } else if (!option_set(options, arguments[i],
                               i + 1 < count ? arguments[i + 1] : NULL)) {
            return false;
        } else {
            i++;
        }
    }
    return options->ports > 0 && options->ports <= PORT_MAX
           && options->seconds > options->stall_disk_s + 1.0
           && options->seconds > 1.5 * options->stop_process_s;
}

/* Not at the end of a run, where the clean stop is measured. */
static double stall_start_s(const struct options *options)
{
    return options->stall_every_s > 0.0 ? options->stall_every_s / 2 : options->seconds / 4;
}

/* The shim must be there before the program starts: start again with it. */
static void stall_exec(const struct options *options, char **arguments)
{
    char start[32];
    char length[32];
    if (options->stall_disk_s <= 0.0 || getenv("LIMBER_STALL_LENGTH_S")) {
        return;
    }
    snprintf(length, sizeof length, "%f", options->stall_disk_s);
    if (options->stall_every_s > 0.0) {
        char every[32];
        snprintf(every, sizeof every, "%f", options->stall_every_s);
        setenv("LIMBER_STALL_EVERY_S", every, 1);
    }
    snprintf(start, sizeof start, "%f", stall_start_s(options));
    setenv("LIMBER_STALL_START_S", start, 1);
    setenv("LIMBER_STALL_LENGTH_S", length, 1);
    setenv("LD_PRELOAD", BENCH_STALL_SHIM, 1);
    execv("/proc/self/exe", arguments);
    perror("cannot start again with the stall shim");
}

int main(int count, char **arguments)
{
    struct options options = {.seconds = 10.0, .ports = 20};
    if (!options_parse(count, arguments, &options)) {
        fprintf(stderr,
                "usage: bench_recording [--seconds S] [--ports 1..64] "
                "[--stall-disk S [--stall-every S]] [--stop-process S] [--orientation]\n");
        return 2;
    }
    if (!driver_find("xio-ximu3")) {
        printf("skipped: no driver xio-ximu3\n");
        return 0;
    }
    stall_exec(&options, arguments);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("%u ports, %d messages/s each, %.0f s per reader\n", options.ports, RATE_HZ,
           options.seconds);
    return all_run(&options, shared) ? 0 : 1;
}

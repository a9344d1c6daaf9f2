/* posix_openpt and its kin are XSI. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "acquisition/capture.h"
#include "base/clock.h"
#include "tests/support/tiny_driver.h"

enum {
    DEVICE_COUNT = 2,
    LOG_MAX = 20000
};

static const int64_t MS = 1000000;

/* ---- a simulated sensor: one frame every period, from offset on ---- */

struct simulated {
    struct transport base;
    int64_t next_ns;
    int64_t period_ns;
    int64_t end_ns;  /* over from here on */
    int64_t gone_ns; /* unplugged from here on; 0 = never */
    uint32_t number;
    unsigned busy_count; /* so many writes find no room; UINT_MAX = all */
    char *heard;         /* what it was told; borrowed */
    size_t heard_size;
};

static enum status simulated_read(struct transport *transport, uint8_t *bytes,
                                  size_t capacity, size_t *size)
{
    struct simulated *sensor = (struct simulated *)transport;
    ck_assert_uint_ge(capacity, TINY_FRAME_SIZE);
    if (sensor->gone_ns > 0 && sensor->next_ns >= sensor->gone_ns) {
        return STATUS_GONE;
    }
    if (sensor->next_ns >= sensor->end_ns) {
        return STATUS_END;
    }
    tiny_encode((uint32_t)(sensor->next_ns / MS), (int16_t)sensor->number++, bytes);
    sensor->next_ns += sensor->period_ns;
    *size = TINY_FRAME_SIZE;
    return STATUS_OK;
}

static enum status simulated_write(struct transport *transport, const uint8_t *bytes,
                                   size_t size)
{
    struct simulated *sensor = (struct simulated *)transport;
    if (sensor->busy_count > 0) {
        sensor->busy_count -= sensor->busy_count != UINT_MAX;
        return STATUS_NOT_READY;
    }
    if (sensor->heard) {
        size_t used = strlen(sensor->heard);
        ck_assert_uint_lt(used + size, sensor->heard_size);
        memcpy(sensor->heard + used, bytes, size);
        sensor->heard[used + size] = '\0';
    }
    return STATUS_OK;
}

static int64_t simulated_next_ns(const struct transport *transport)
{
    return ((const struct simulated *)transport)->next_ns;
}

static void simulated_close(struct transport *transport)
{
    free(transport);
}

static const struct transport_ops SIMULATED_OPS = {
    .read = simulated_read,
    .write = simulated_write,
    .next_ns = simulated_next_ns,
    .close = simulated_close,
};

/* ---- a session that writes down what it is given ---- */

struct entry {
    enum journal_type type;
    uint8_t device;
    int64_t host_ns;
    size_t size;
};

struct session {
    struct capture *capture;
    struct device devices[DEVICE_COUNT];
    struct entry log[LOG_MAX];
    unsigned log_count;
    unsigned sample_counts[DEVICE_COUNT];
    unsigned open_counts[DEVICE_COUNT];
    int64_t stop_at_ns;      /* 0 = never */
    unsigned fail_at;        /* entry at which the handler fails; 0 = never */
    const char *input_at_20; /* made while the entry 20 is handled */
    bool is_late;            /* bytes came before the device time of their samples */
    /* what the opener gives */
    struct simulated sensors[DEVICE_COUNT];
    char heard[DEVICE_COUNT][256];
    char paths[DEVICE_COUNT][96]; /* file, or terminal; "" = simulated */
    bool is_serial;
    enum status open_status;
};

static void sample_count(void *user, const struct sample *sample)
{
    (void)sample;
    (*(unsigned *)user)++;
}

static void bytes_handle(struct session *session, const struct journal_frame *frame)
{
    struct device *device = &session->devices[frame->device];
    device_feed(device, frame->payload, frame->size, frame->host_ns, sample_count,
                &session->sample_counts[frame->device]);
    session->is_late |= device->newest_ns > frame->host_ns;
}

static enum status session_handle(void *user, const struct journal_frame *frame)
{
    struct session *session = user;
    ck_assert_uint_lt(session->log_count, LOG_MAX);
    session->log[session->log_count++] = (struct entry){
        .type = frame->type,
        .device = frame->device,
        .host_ns = frame->host_ns,
        .size = frame->size,
    };
    if (frame->type == JOURNAL_BYTES) {
        bytes_handle(session, frame);
    }
    if (session->input_at_20 && session->log_count == 20) {
        ck_assert_int_eq(capture_input(session->capture, session->input_at_20), STATUS_OK);
        ck_assert_uint_eq(session->log_count, 20); /* not inside this call */
    }
    if (session->stop_at_ns > 0 && frame->host_ns >= session->stop_at_ns) {
        capture_stop(session->capture);
    }
    return session->fail_at == session->log_count ? STATUS_CORRUPT : STATUS_OK;
}

static enum status session_open(void *user, unsigned device, struct transport **out)
{
    struct session *session = user;
    session->open_counts[device]++;
    if (session->open_status) {
        return session->open_status;
    }
    const char *path = session->paths[device];
    if (session->is_serial) {
        return access(path, F_OK) == 0 ? transport_serial_open(path, 115200, out)
                                       : STATUS_GONE;
    }
    if (path[0] != '\0') {
        return transport_file_open(path, out);
    }
    struct simulated *sensor = malloc(sizeof *sensor);
    *sensor = session->sensors[device];
    sensor->base.ops = &SIMULATED_OPS;
    sensor->base.pace = TRANSPORT_VIRTUAL;
    sensor->heard = session->heard[device];
    sensor->heard_size = sizeof session->heard[device];
    if (session->open_counts[device] > 1) { /* plugged in again: still moving */
        sensor->gone_ns = 0;
        sensor->next_ns = capture_now_ns(session->capture) + 3 * MS;
    }
    *out = &sensor->base;
    return STATUS_OK;
}

static struct session *session_make(struct recorder *recorder, double pace)
{
    struct session *session = calloc(1, sizeof *session);
    const struct capture_settings settings = {
        .recorder = recorder,
        .handle = session_handle,
        .handle_user = session,
        .open = session_open,
        .open_user = session,
        .pace = pace,
    };
    ck_assert_int_eq(capture_create(&settings, &session->capture), STATUS_OK);
    const struct driver_settings driver_settings = {.rate_hz = TINY_RATE_HZ};
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        ck_assert_int_eq(device_init(&session->devices[i], &tiny_driver, &driver_settings),
                         STATUS_OK);
        ck_assert_int_eq(capture_add(session->capture, &session->devices[i]), STATUS_OK);
        session->sensors[i] = (struct simulated){
            .next_ns = (int64_t)i * 7 * MS,
            .period_ns = 10 * MS,
            .end_ns = 1000 * MS,
        };
    }
    return session;
}

static void session_free(struct session *session)
{
    capture_destroy(session->capture);
    free(session);
}

static void times_verify(const struct session *session)
{
    for (unsigned i = 1; i < session->log_count; i++) {
        ck_assert_int_ge(session->log[i].host_ns, session->log[i - 1].host_ns);
    }
}

static unsigned entries_count(const struct session *session, enum journal_type type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < session->log_count; i++) {
        count += session->log[i].type == type;
    }
    return count;
}

/* ---- simulated ports ---- */

START_TEST(test_simulated_time_goes_from_packet_to_packet)
{
    struct session *session = session_make(NULL, 0);
    ck_assert_int_eq(capture_header(session->capture, "{}"), STATUS_OK);
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    times_verify(session);
    ck_assert_uint_eq(session->sample_counts[0], 100);
    ck_assert_uint_eq(session->sample_counts[1], 100);
    /* The last thing is the packet due at 1.007 s that turns out to be the end. */
    ck_assert_uint_eq(entries_count(session, JOURNAL_TICK), 50);
    ck_assert_int_eq(session->log[0].host_ns, 0);
    ck_assert_uint_eq(session->log[0].device, 0);
    ck_assert_int_eq(session->log[1].host_ns, 7 * MS);
    ck_assert_uint_eq(session->log[1].device, 1);
    ck_assert_int_eq(session->log[2].host_ns, 10 * MS);
    ck_assert_int_eq(session->log[4].host_ns, 20 * MS);
    ck_assert_int_eq(session->log[4].type, JOURNAL_BYTES); /* bytes before the tick */
    ck_assert_int_eq(session->log[5].type, JOURNAL_TICK);
    ck_assert_int_eq(session->log[5].host_ns, 20 * MS);
    ck_assert_str_eq(session->heard[0], "go\nhalt\n");
    session_free(session);
}

END_TEST

static void journal_of_run(const char *path)
{
    struct recorder *recorder;
    ck_assert_int_eq(recorder_open(path, &recorder_default_settings, &recorder), STATUS_OK);
    struct session *session = session_make(recorder, 0);
    session->sensors[1].gone_ns = 300 * MS;
    session->input_at_20 = "pause";
    ck_assert_int_eq(capture_header(session->capture, "{\"a\":1}"), STATUS_OK);
    ck_assert_int_eq(capture_event(session->capture, "{\"b\":2}"), STATUS_OK);
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    session_free(session);
}

START_TEST(test_same_simulation_same_journal)
{
    char folder[] = "limber_capture_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char paths[2][64];
    struct journal_reader *readers[2];
    const uint8_t *bytes[2];
    size_t sizes[2];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%u.journal", folder, i);
        journal_of_run(paths[i]);
        ck_assert_int_eq(journal_reader_open(paths[i], &readers[i]), STATUS_OK);
        struct journal_frame frame;
        while (journal_reader_next(readers[i], &frame) == STATUS_OK) {
        }
        bytes[i] = journal_reader_bytes(readers[i], &sizes[i]);
        ck_assert_uint_eq(journal_reader_torn_size(readers[i]), 0);
    }
    ck_assert_uint_gt(sizes[0], 5000);
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], sizes[0]);
    for (unsigned i = 0; i < 2; i++) {
        journal_reader_close(readers[i]);
        unlink(paths[i]);
    }
    rmdir(folder);
}

END_TEST

START_TEST(test_simulated_unplug_and_replug)
{
    struct session *session = session_make(NULL, 0);
    session->sensors[1].gone_ns = 300 * MS;
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    times_verify(session);
    ck_assert_uint_eq(entries_count(session, JOURNAL_LINK), 2);
    int64_t link_ns[2];
    for (unsigned i = 0, k = 0; i < session->log_count; i++) {
        if (session->log[i].type == JOURNAL_LINK) {
            ck_assert_uint_eq(session->log[i].device, 1);
            link_ns[k++] = session->log[i].host_ns;
        }
    }
    ck_assert_int_eq(link_ns[0], 307 * MS);
    ck_assert_int_eq(link_ns[1], 807 * MS);
    ck_assert_uint_eq(session->sample_counts[0], 100); /* the other goes on */
    ck_assert_uint_eq(session->sample_counts[1], 30 + 19);
    ck_assert_uint_eq(session->devices[1].counters.gap_count, 1);
    ck_assert_str_eq(session->heard[1], "go\ngo\nhalt\n"); /* configured again */
    session_free(session);
}

END_TEST

START_TEST(test_stop_is_repeated_until_it_is_taken)
{
    struct session *session = session_make(NULL, 0);
    session->sensors[0].busy_count = 150; /* commands find no room, nor the first stops */
    session->sensors[1].busy_count = UINT_MAX;
    session->stop_at_ns = 300 * MS;
    int64_t start_ns = clock_host_ns();
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    ck_assert_str_eq(session->heard[0], "halt\n");
    ck_assert_str_eq(session->heard[1], "");
    /* The bound for all sensors together, and slack for a busy machine. */
    ck_assert_int_ge(clock_host_ns() - start_ns, 500 * MS);
    ck_assert_int_le(clock_host_ns() - start_ns, 1500 * MS);
    session_free(session);
}

END_TEST

START_TEST(test_input_of_the_handler_comes_after_its_frame)
{
    struct session *session = session_make(NULL, 0);
    session->input_at_20 = "pain 4";
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    ck_assert_int_eq(session->log[20].type, JOURNAL_INPUT);
    ck_assert_uint_eq(session->log[20].size, 6);
    ck_assert_int_eq(session->log[20].host_ns, session->log[19].host_ns);
    session_free(session);
}

END_TEST

START_TEST(test_overlong_input_is_refused)
{
    struct session *session = session_make(NULL, 0);
    char text[1024];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(capture_input(session->capture, text), STATUS_REFUSED);
    ck_assert_uint_eq(session->log_count, 0);
    text[511] = '\0';
    ck_assert_int_eq(capture_input(session->capture, text), STATUS_OK);
    ck_assert_uint_eq(session->log_count, 1);
    session_free(session);
}

END_TEST

START_TEST(test_stop_and_failure_of_the_handler_end_the_run)
{
    struct session *session = session_make(NULL, 0);
    session->stop_at_ns = 500 * MS;
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    ck_assert_int_eq(session->log[session->log_count - 1].host_ns, 500 * MS);
    ck_assert_str_eq(session->heard[1], "go\nhalt\n");
    session_free(session);

    session = session_make(NULL, 0);
    session->fail_at = 7;
    ck_assert_int_eq(capture_run(session->capture), STATUS_CORRUPT);
    ck_assert_uint_eq(session->log_count, 7); /* nothing is handled after a failure */
    ck_assert_str_eq(session->heard[1], "go\nhalt\n");
    session_free(session);
}

END_TEST

START_TEST(test_opener_that_fails_ends_the_start)
{
    struct session *session = session_make(NULL, 0);
    session->open_status = STATUS_DEVICE;
    ck_assert_int_eq(capture_run(session->capture), STATUS_DEVICE);
    ck_assert_uint_eq(session->log_count, 0);
    session_free(session);
}

END_TEST

START_TEST(test_pace_holds_time_back)
{
    struct session *session = session_make(NULL, 10.0);
    int64_t before_ns = clock_host_ns();
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    int64_t taken_ns = clock_host_ns() - before_ns;
    ck_assert_int_ge(taken_ns, 100 * MS);  /* 1.007 s ten times as fast */
    ck_assert_int_lt(taken_ns, 2000 * MS); /* generous: the machine may be busy */
    ck_assert_uint_eq(session->sample_counts[0], 100);
    session_free(session);
}

END_TEST

static void on_timer(uv_timer_t *timer)
{
    unsigned *count = timer->data;
    (*count)++;
}

START_TEST(test_callbacks_run_while_time_is_flat_out)
{
    struct session *session = session_make(NULL, 0);
    session->sensors[0].end_ns = INT64_MAX - 1; /* never over */
    session->sensors[0].period_ns = 100 * MS;
    unsigned count = 0;
    uv_timer_t timer;
    uv_timer_init(capture_loop(session->capture), &timer);
    timer.data = &count;
    uv_timer_start(&timer, on_timer, 5, 5);
    int64_t before_ns = clock_host_ns();
    session->stop_at_ns = 80000LL * MS; /* keeps the log within its room */
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    int64_t taken_ns = clock_host_ns() - before_ns;
    /* A turn lasts 10 ms. */
    ck_assert_int_ge(count, taken_ns / (40 * MS));
    uv_close((uv_handle_t *)&timer, NULL);
    session_free(session);
}

END_TEST

/* ---- recorded ports ---- */

static void file_make(const char *path, unsigned count, uint32_t period_ticks)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < count; i++) {
        uint8_t frame[TINY_FRAME_SIZE];
        tiny_encode(5000 + i * period_ticks, (int16_t)i, frame);
        ck_assert_uint_eq(fwrite(frame, 1, sizeof frame, file), sizeof frame);
    }
    fclose(file);
}

START_TEST(test_files_interleave_by_the_devices_clocks)
{
    char folder[] = "limber_capture_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    struct session *session = session_make(NULL, 0);
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        snprintf(session->paths[i], sizeof session->paths[i], "%s/%u.bin", folder, i);
    }
    file_make(session->paths[0], 1000, TINY_PERIOD_TICKS);    /* 10 s */
    file_make(session->paths[1], 300, 4 * TINY_PERIOD_TICKS); /* 12 s */
    ck_assert_int_eq(capture_run(session->capture), STATUS_OK);
    times_verify(session);
    ck_assert(!session->is_late);
    ck_assert_uint_eq(session->sample_counts[0], 1000);
    ck_assert_uint_eq(session->sample_counts[1], 300);
    ck_assert_int_eq(session->log[session->log_count - 1].host_ns, 299 * 40 * MS);
    /* No piece is much longer than a tick, so that no sensor seems silent. */
    int64_t last_ns[DEVICE_COUNT] = {0};
    for (unsigned i = 0; i < session->log_count; i++) {
        const struct entry *entry = &session->log[i];
        if (entry->type == JOURNAL_BYTES) {
            ck_assert_int_le(entry->host_ns - last_ns[entry->device], 80 * MS);
            last_ns[entry->device] = entry->host_ns;
        }
    }
    unsigned ticks = entries_count(session, JOURNAL_TICK);
    ck_assert_uint_eq(ticks,
                      299 * 40 / CAPTURE_TICK_MS - (299 * 40 % CAPTURE_TICK_MS == 0));
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        unlink(session->paths[i]);
    }
    rmdir(folder);
    session_free(session);
}

END_TEST

START_TEST(test_kinds_of_ports_do_not_mix)
{
    char path[] = "limber_capture_XXXXXX";
    close(mkstemp(path));
    struct session *session = session_make(NULL, 0);
    snprintf(session->paths[1], sizeof session->paths[1], "%s", path);
    ck_assert_int_eq(capture_run(session->capture), STATUS_BAD_INPUT);
    ck_assert_uint_eq(session->log_count, 0);
    session_free(session);
    unlink(path);
}

END_TEST

/* ---- live ports ---- */

struct live {
    struct session *session;
    uv_timer_t timer; /* lives until the capture is destroyed */
    int masters[DEVICE_COUNT];
    uint32_t numbers[DEVICE_COUNT];
    int64_t unplug_ns;
    int64_t unplugged_ns; /* when it happened */
    int64_t replug_ns;
    int64_t stop_ns;
    char folder[32];
};

static int master_open(struct live *live, unsigned device)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    unlink(live->session->paths[device]);
    ck_assert_int_eq(symlink(ptsname(master), live->session->paths[device]), 0);
    return master;
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

static void live_put(struct live *live, unsigned device)
{
    uint8_t frame[TINY_FRAME_SIZE];
    tiny_encode(live->numbers[device] * TINY_PERIOD_TICKS, 1, frame);
    live->numbers[device]++;
    if (live->masters[device] >= 0) {
        ck_assert_int_eq(write(live->masters[device], frame, sizeof frame), sizeof frame);
    }
}

static void on_live_timer(uv_timer_t *timer)
{
    struct live *live = timer->data;
    int64_t now_ns = capture_now_ns(live->session->capture);
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        live_put(live, i);
    }
    if (live->unplug_ns > 0 && now_ns >= live->unplug_ns) {
        live->unplug_ns = 0;
        close(live->masters[1]);
        live->masters[1] = -1;
        live->unplugged_ns = now_ns;
    }
    if (live->replug_ns > 0 && now_ns >= live->replug_ns) {
        live->replug_ns = 0;
        live->masters[1] = master_open(live, 1);
    }
    if (now_ns >= live->stop_ns) {
        live_put(live, 0); /* nobody reads it before the stop */
        pause_ms(20);      /* the kernel passes bytes on in a thread of its own */
        capture_stop(live->session->capture);
    }
}

static void live_setup(struct live *live, struct session *session)
{
    live->session = session;
    session->is_serial = true;
    snprintf(live->folder, sizeof live->folder, "limber_capture_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(live->folder));
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        snprintf(session->paths[i], sizeof session->paths[i], "%s/tty%u", live->folder, i);
        live->masters[i] = master_open(live, i);
    }
}

static void live_run(struct live *live, enum status expected)
{
    uv_timer_init(capture_loop(live->session->capture), &live->timer);
    live->timer.data = live;
    uv_timer_start(&live->timer, on_live_timer, 10, 10);
    ck_assert_int_eq(capture_run(live->session->capture), expected);
    uv_close((uv_handle_t *)&live->timer, NULL);
}

static void live_remove(struct live *live)
{
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        close(live->masters[i]);
        unlink(live->session->paths[i]);
    }
    rmdir(live->folder);
}

static int64_t entry_time_ns(const struct session *session, enum journal_type type,
                             unsigned index)
{
    for (unsigned i = 0; i < session->log_count; i++) {
        if (session->log[i].type == type && index-- == 0) {
            return session->log[i].host_ns;
        }
    }
    ck_abort_msg("no such entry");
    return 0;
}

START_TEST(test_live_ports_unplug_replug_and_stop)
{
    struct session *session = session_make(NULL, 0);
    struct live live = {
        .unplug_ns = 300 * MS,
        .replug_ns = 500 * MS,
        .stop_ns = 1500 * MS,
    };
    live_setup(&live, session);
    ck_assert_int_eq(capture_header(session->capture, "{}"), STATUS_OK);
    live_run(&live, STATUS_OK);
    times_verify(session);
    /* A clean stop loses nothing, not even what came in the same instant. */
    ck_assert_uint_eq(session->sample_counts[0], live.numbers[0]);
    ck_assert_uint_eq(session->devices[0].counters.lost_count, 0);
    ck_assert_uint_eq(entries_count(session, JOURNAL_LINK), 2);
    /* The read interval, and slack for a busy machine. */
    ck_assert_int_le(entry_time_ns(session, JOURNAL_LINK, 0) - live.unplugged_ns, 50 * MS);
    /* Every 0.5 s it is tried again. */
    int64_t back_ns = entry_time_ns(session, JOURNAL_LINK, 1);
    ck_assert_int_ge(back_ns, 500 * MS);
    ck_assert_int_le(back_ns, 1200 * MS);
    ck_assert_uint_gt(session->sample_counts[1], 40);
    ck_assert_uint_le(session->open_counts[1], 4);
    ck_assert_uint_eq(session->open_counts[0], 1);
    char commands[64] = "";
    size_t heard = 0;
    ssize_t size;
    while ((size = read(live.masters[0], commands + heard, sizeof commands - 1 - heard))
           > 0) {
        heard += (size_t)size;
    }
    ck_assert_str_eq(commands, "go\nhalt\n");
    /* Ticks keep their rate within the jitter of a busy machine. */
    unsigned ticks = entries_count(session, JOURNAL_TICK);
    ck_assert_uint_ge(ticks, 40);
    ck_assert_uint_le(ticks, 76);
    live_remove(&live);
    session_free(session);
}

END_TEST

START_TEST(test_recorder_that_fails_ends_the_run)
{
    char path[] = "limber_capture_XXXXXX";
    close(mkstemp(path));
    unlink(path);
    struct recorder_settings settings = recorder_default_settings;
    settings.ring_size = 4096;
    struct recorder *recorder;
    ck_assert_int_eq(recorder_open(path, &settings, &recorder), STATUS_OK);
    struct session *session = session_make(recorder, 0);
    ck_assert_int_eq(capture_header(session->capture, "{}"), STATUS_OK);
    session->sensors[0].period_ns = 1; /* flat out against a small ring */
    session->sensors[0].end_ns = 20 * MS;
    ck_assert_int_eq(capture_run(session->capture), STATUS_IO);
    unsigned handled = session->log_count;
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    /* What was handled is in the file, and nothing else. */
    struct journal_reader *reader;
    ck_assert_int_eq(journal_reader_open(path, &reader), STATUS_OK);
    struct journal_frame frame;
    unsigned count = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        count++;
    }
    ck_assert_uint_eq(count, handled + 1); /* and the header */
    journal_reader_close(reader);
    ck_assert_str_eq(session->heard[0], "go\nhalt\n");
    session_free(session);
    unlink(path);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("capture");
    TCase *tests = tcase_create("capture");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_simulated_time_goes_from_packet_to_packet);
    tcase_add_test(tests, test_same_simulation_same_journal);
    tcase_add_test(tests, test_simulated_unplug_and_replug);
    tcase_add_test(tests, test_stop_is_repeated_until_it_is_taken);
    tcase_add_test(tests, test_input_of_the_handler_comes_after_its_frame);
    tcase_add_test(tests, test_overlong_input_is_refused);
    tcase_add_test(tests, test_stop_and_failure_of_the_handler_end_the_run);
    tcase_add_test(tests, test_opener_that_fails_ends_the_start);
    tcase_add_test(tests, test_pace_holds_time_back);
    tcase_add_test(tests, test_callbacks_run_while_time_is_flat_out);
    tcase_add_test(tests, test_files_interleave_by_the_devices_clocks);
    tcase_add_test(tests, test_kinds_of_ports_do_not_mix);
    tcase_add_test(tests, test_live_ports_unplug_replug_and_stop);
    tcase_add_test(tests, test_recorder_that_fails_ends_the_run);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

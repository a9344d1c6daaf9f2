#include "acquisition/capture.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

enum {
    READ_SIZE = 16384,
    READS_PER_ROUND_MAX = 4, /* a babbling port must not starve the others */
    RECORDED_BLOCK_SIZE = 512,
    RECORDED_PIECE_SIZE = 16,
    INPUT_MAX = 8,
    INPUT_SIZE = 512,
    READ_INTERVAL_DEFAULT_MS = 5,
    CLOSE_TRIES = 8,
    STEPS_PER_LOOK = 16, /* simulated steps between two looks at the real clock */
    /* Between two commands that stop a live sensor: some chips ignore what comes within 20
     * ms of a command (WitMotion's protocol description). */
    STOP_PAUSE_MS = 25
};

static const int64_t TICK_NS = CAPTURE_TICK_MS * 1000 * 1000LL;
static const int64_t REOPEN_NS = 500 * 1000 * 1000LL;
/* A port that is there and refuses is logged each time it is tried: less and less often. */
static const int64_t REOPEN_REFUSED_MAX_NS = 8000 * 1000 * 1000LL;
/* All sensors together have so long to take what stops and restores them. */
static const int64_t STOP_NS = 500 * 1000 * 1000LL;
/* A simulation that says "now" and gives nothing is asked again after this. */
static const int64_t STUCK_NS = 1000 * 1000;
/* How long simulated time may run before the loop's callbacks get their turn. */
static const int64_t TURN_NS = 10 * 1000 * 1000LL;

/* A file of bytes knows no arrival times. A second decoder of the same driver runs one
 * piece ahead and tells the device time of the newest sample in it: that is when it
 * "arrives". */
struct recorded_ahead {
    struct device probe;
    uint8_t block[RECORDED_BLOCK_SIZE];
    size_t block_size;
    size_t block_done;
    size_t piece_size; /* of the piece from block_done on; 0 = none */
};

struct port {
    struct device *device;
    struct transport *transport; /* NULL while gone */
    struct recorded_ahead *ahead;
    int64_t due_ns;    /* simulated and recorded: next bytes */
    int64_t reopen_ns; /* while gone */
    int64_t reopen_wait_ns;
    bool is_over;
    bool is_stopped; /* all that stops it was sent, or it cannot be */
    unsigned stop_count;
    uint8_t command[DRIVER_COMMAND_MAX]; /* not sent yet */
    size_t command_size;
};

struct capture {
    struct capture_settings settings;
    uv_loop_t loop;
    uv_timer_t timer;
    struct port ports[CAPTURE_DEVICE_MAX];
    unsigned port_count;
    enum transport_pace pace; /* of all ports; known once they are open */
    bool has_host_clock;
    int64_t start_ns; /* host clock at session time 0 */
    int64_t now_ns;   /* session time of simulated and recorded ports */
    int64_t next_tick_ns;
    bool is_running;
    bool is_stopping;
    enum status status; /* why the run ends */
    bool is_handling;
    unsigned input_count;
    char inputs[INPUT_MAX][INPUT_SIZE];
    uint8_t bytes[READ_SIZE];
};

/* ---- frames ---- */

static void run_end(struct capture *capture, enum status status)
{
    capture->is_stopping = true;
    if (!capture->status) {
        capture->status = status;
    }
}

static enum status frame_record(struct capture *capture, struct journal_frame *frame)
{
    if (!capture->settings.recorder) {
        return STATUS_OK;
    }
    enum status status = recorder_append(capture->settings.recorder, frame);
    if (status) {
        run_end(capture, status);
    }
    return status;
}

/* What is not on its way to the disk is not handled: replay could not repeat it. */
static enum status frame_give(struct capture *capture, struct journal_frame *frame)
{
    enum status status = frame_record(capture, frame);
    if (status) {
        return status;
    }
    capture->is_handling = true;
    status = capture->settings.handle(capture->settings.handle_user, frame);
    capture->is_handling = false;
    if (status) {
        run_end(capture, status);
    }
    return status;
}

static struct journal_frame text_frame(const struct capture *capture,
                                       enum journal_type type, const char *text)
{
    return (struct journal_frame){
        .type = type,
        .device = JOURNAL_NO_DEVICE,
        .host_ns = capture_now_ns(capture),
        .payload = (const uint8_t *)text,
        .size = strlen(text),
    };
}

/* Inputs that the handler made wait until it has returned, so that the journal has them
 * after the frame that was being handled and replay handles both in the same order. */
static void inputs_give(struct capture *capture)
{
    for (unsigned i = 0; i < capture->input_count; i++) {
        struct journal_frame frame = text_frame(capture, JOURNAL_INPUT, capture->inputs[i]);
        if (frame_give(capture, &frame)) {
            break;
        }
    }
    capture->input_count = 0;
}

static enum status frame_take(struct capture *capture, struct journal_frame *frame)
{
    enum status status = frame_give(capture, frame);
    if (!status && capture->input_count > 0) {
        inputs_give(capture);
        status = capture->status;
    }
    return status;
}

static unsigned port_index(const struct capture *capture, const struct port *port)
{
    return (unsigned)(port - capture->ports);
}

static enum status bytes_take(struct capture *capture, const struct port *port,
                              const uint8_t *bytes, size_t size)
{
    struct journal_frame frame = {
        .type = JOURNAL_BYTES,
        .device = (uint8_t)port_index(capture, port),
        .host_ns = capture_now_ns(capture),
        .payload = bytes,
        .size = size,
    };
    return frame_take(capture, &frame);
}

static enum status link_take(struct capture *capture, const struct port *port, bool is_up)
{
    const uint8_t payload = is_up;
    struct journal_frame frame = {
        .type = JOURNAL_LINK,
        .device = (uint8_t)port_index(capture, port),
        .host_ns = capture_now_ns(capture),
        .payload = &payload,
        .size = 1,
    };
    return frame_take(capture, &frame);
}

/* ---- commands ---- */

static void pending_send(struct port *port)
{
    if (transport_write(port->transport, port->command, port->command_size)
        != STATUS_NOT_READY) {
        port->command_size = 0;
    }
}

static void commands_send(struct capture *capture, struct port *port)
{
    const struct driver *driver = port->device->driver;
    if (!driver->command_next || !port->transport || !port->transport->ops->write) {
        return;
    }
    if (port->command_size == 0) {
        port->command_size = driver->command_next(&port->device->context,
                                                  capture_now_ns(capture), port->command);
    }
    if (port->command_size > 0) {
        pending_send(port);
    }
}

/* Send the next command that stops a sensor. One that its port cannot take now stays for
 * the next round. */
static void stop_send(struct port *port)
{
    const struct driver *driver = port->device->driver;
    if (!driver->command_stop || !port->transport || !port->transport->ops->write) {
        port->is_stopped = true;
        return;
    }
    if (port->command_size == 0) {
        port->command_size = driver->command_stop(&port->device->context, port->command);
        port->is_stopped = port->command_size == 0 || ++port->stop_count > DRIVER_STOP_MAX;
    }
    if (!port->is_stopped) {
        pending_send(port);
    }
}

/* What still arrives belongs to no session; left unread it could keep the sensor from
 * listening. */
static void bytes_drop(struct capture *capture, const struct port *port)
{
    size_t size = 0;
    for (unsigned i = 0; i < READS_PER_ROUND_MAX && port->transport; i++) {
        if (transport_read(port->transport, capture->bytes, sizeof capture->bytes, &size)) {
            return;
        }
    }
}

/* @return Whether all are stopped. */
static bool stops_send(struct capture *capture)
{
    bool is_done = true;
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        if (!port->is_stopped) {
            stop_send(port);
            is_done = is_done && port->is_stopped;
        }
    }
    return is_done;
}

/* Every sensor gets its turn before any gets a second, so that the pauses are shared. */
static void ports_stop(struct capture *capture)
{
    const int64_t end_ns = clock_host_ns() + STOP_NS;
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        port->command_size = 0; /* what was not sent by now does not matter any more */
        port->is_stopped = false;
        port->stop_count = 0;
    }
    while (!stops_send(capture) && clock_host_ns() < end_ns) {
        if (capture->has_host_clock) {
            uv_sleep(STOP_PAUSE_MS);
            for (unsigned i = 0; i < capture->port_count; i++) {
                bytes_drop(capture, &capture->ports[i]);
            }
        }
    }
}

static enum status tick_take(struct capture *capture)
{
    struct journal_frame frame = {
        .type = JOURNAL_TICK,
        .device = JOURNAL_NO_DEVICE,
        .host_ns = capture_now_ns(capture),
    };
    enum status status = frame_take(capture, &frame);
    for (unsigned i = 0; i < capture->port_count && !status; i++) {
        commands_send(capture, &capture->ports[i]);
    }
    return status;
}

/* ---- opening and losing ports ---- */

static enum status port_open(struct capture *capture, struct port *port)
{
    struct transport *transport = NULL;
    enum status status = capture->settings.open(capture->settings.open_user,
                                                port_index(capture, port), &transport);
    if (status) {
        return status;
    }
    port->transport = transport;
    port->command_size = 0;
    return STATUS_OK;
}

static void port_reopen(struct capture *capture, struct port *port)
{
    enum status status = port_open(capture, port);
    bool is_refused = status && status != STATUS_GONE;
    port->reopen_wait_ns = is_refused ? 2 * port->reopen_wait_ns : REOPEN_NS;
    if (port->reopen_wait_ns > REOPEN_REFUSED_MAX_NS) {
        port->reopen_wait_ns = REOPEN_REFUSED_MAX_NS;
    }
    port->reopen_ns = capture_now_ns(capture) + port->reopen_wait_ns;
    if (status) {
        return;
    }
    if (!link_take(capture, port, true)) {
        commands_send(capture, port);
    }
}

static void port_lose(struct capture *capture, struct port *port)
{
    transport_close(port->transport);
    port->transport = NULL;
    port->reopen_wait_ns = REOPEN_NS;
    port->reopen_ns = capture_now_ns(capture) + port->reopen_wait_ns;
    link_take(capture, port, false);
    device_interrupt(port->device);
}

static void ports_close(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        transport_close(port->transport);
        port->transport = NULL;
        free(port->ahead);
        port->ahead = NULL;
    }
}

static enum status pace_check(struct capture *capture)
{
    const struct transport *first = NULL;
    bool is_mixed = false;
    bool is_missing = false;
    for (unsigned i = 0; i < capture->port_count; i++) {
        const struct transport *other = capture->ports[i].transport;
        first = first ? first : other;
        is_missing = is_missing || !other;
        is_mixed = is_mixed || (other && other->pace != first->pace);
    }
    /* A port that is not there yet can only be a live one. */
    capture->pace = first ? first->pace : TRANSPORT_LIVE;
    capture->has_host_clock = capture->pace == TRANSPORT_LIVE;
    if (is_mixed || (is_missing && !capture->has_host_clock)) {
        log_error(
            "%s: live, simulated and recorded sensors cannot be mixed in one session: "
            "use one kind for all",
            first->name);
        return STATUS_BAD_INPUT;
    }
    return STATUS_OK;
}

static enum status ports_open(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        enum status status = port_open(capture, port);
        if (status && status != STATUS_GONE) {
            return status;
        }
        port->reopen_wait_ns = REOPEN_NS;
        port->reopen_ns = capture_now_ns(capture) + REOPEN_NS;
    }
    return pace_check(capture);
}

/* ---- live ports ---- */

static void port_drain(struct capture *capture, struct port *port, unsigned reads_max)
{
    size_t size = sizeof capture->bytes;
    /* A short read emptied the port: asking again would cost a call for nothing. */
    for (unsigned i = 0; i < reads_max && size == sizeof capture->bytes; i++) {
        size = 0;
        enum status status =
            transport_read(port->transport, capture->bytes, sizeof capture->bytes, &size);
        if (status == STATUS_NOT_READY) {
            return;
        }
        if (status) {
            port_lose(capture, port);
            return;
        }
        if (bytes_take(capture, port, capture->bytes, size)) {
            return;
        }
    }
    commands_send(capture, port);
}

static void live_round(uv_timer_t *timer)
{
    struct capture *capture = timer->data;
    for (unsigned i = 0; i < capture->port_count && !capture->is_stopping; i++) {
        struct port *port = &capture->ports[i];
        if (port->transport) {
            port_drain(capture, port, READS_PER_ROUND_MAX);
        } else if (capture_now_ns(capture) >= port->reopen_ns) {
            port_reopen(capture, port);
        }
    }
    int64_t now_ns = capture_now_ns(capture);
    if (now_ns >= capture->next_tick_ns && !capture->is_stopping) {
        capture->next_tick_ns += TICK_NS;
        if (capture->next_tick_ns <= now_ns) {
            capture->next_tick_ns = now_ns + TICK_NS;
        }
        tick_take(capture);
    }
}

/* What arrived before the stop belongs to the session, unless the session ends by an error.
 */
static void live_finish(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count && !capture->status; i++) {
        if (capture->ports[i].transport) {
            port_drain(capture, &capture->ports[i], READS_PER_ROUND_MAX);
        }
    }
}

static void live_run(struct capture *capture)
{
    uint64_t interval_ms = (uint64_t)capture->settings.read_interval_ms;
    uv_timer_start(&capture->timer, live_round, interval_ms, interval_ms);
    while (!capture->is_stopping) {
        uv_run(&capture->loop, UV_RUN_ONCE);
    }
    live_finish(capture);
}

/* ---- recorded ports ---- */

/* Grow the piece until its newest sample is a tick away from the last piece's, so that the
 * session's clock moves in steps as it does live, whatever the rate of the sensor. */
static void piece_grow(struct recorded_ahead *ahead)
{
    int64_t enough_ns = ahead->probe.newest_ns + TICK_NS;
    const uint8_t *piece = ahead->block + ahead->block_done;
    size_t left = ahead->block_size - ahead->block_done;
    ahead->piece_size = 0;
    while (ahead->piece_size < left && ahead->probe.newest_ns < enough_ns) {
        size_t rest = left - ahead->piece_size;
        size_t step = rest < RECORDED_PIECE_SIZE ? rest : RECORDED_PIECE_SIZE;
        device_feed(&ahead->probe, piece + ahead->piece_size, step, 0, NULL, NULL);
        ahead->piece_size += step;
    }
}

static void piece_prepare(struct capture *capture, struct port *port)
{
    struct recorded_ahead *ahead = port->ahead;
    if (ahead->block_done == ahead->block_size) {
        ahead->block_done = 0;
        ahead->block_size = 0;
        enum status status = transport_read(port->transport, ahead->block,
                                            sizeof ahead->block, &ahead->block_size);
        if (status) {
            port->is_over = true;
            port->due_ns = INT64_MAX;
            if (status != STATUS_END) {
                run_end(capture, status);
            }
            return;
        }
    }
    piece_grow(ahead);
    port->due_ns = ahead->probe.newest_ns;
}

static void piece_take(struct capture *capture, struct port *port)
{
    struct recorded_ahead *ahead = port->ahead;
    const uint8_t *piece = ahead->block + ahead->block_done;
    ahead->block_done += ahead->piece_size;
    if (!bytes_take(capture, port, piece, ahead->piece_size)) {
        piece_prepare(capture, port);
    }
}

static enum status recorded_start(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        port->ahead = calloc(1, sizeof *port->ahead);
        if (!port->ahead) {
            return STATUS_NO_MEMORY;
        }
        enum status status =
            device_init(&port->ahead->probe, port->device->driver, &port->device->settings);
        if (status) {
            return status;
        }
        piece_prepare(capture, port);
    }
    return capture->status;
}

/* ---- simulated ports ---- */

static void virtual_due_update(struct capture *capture, struct port *port, bool is_stuck)
{
    port->due_ns = transport_next_ns(port->transport);
    if (port->due_ns == INT64_MAX) {
        port->is_over = true;
    } else if (is_stuck && port->due_ns <= capture->now_ns) {
        port->due_ns = capture->now_ns + STUCK_NS;
    }
}

/* Read what is due by now; a simulation may always have a next packet, so not until empty.
 */
static void virtual_take(struct capture *capture, struct port *port)
{
    do {
        size_t size = 0;
        enum status status =
            transport_read(port->transport, capture->bytes, sizeof capture->bytes, &size);
        if (status == STATUS_NOT_READY) {
            virtual_due_update(capture, port, true);
            return;
        }
        if (status == STATUS_END) {
            port->is_over = true;
            port->due_ns = INT64_MAX;
            return;
        }
        if (status) {
            port_lose(capture, port);
            return;
        }
        if (bytes_take(capture, port, capture->bytes, size)) {
            return;
        }
        commands_send(capture, port);
        virtual_due_update(capture, port, false);
    } while (port->due_ns <= capture->now_ns && !capture->is_stopping);
}

static void virtual_start(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count; i++) {
        virtual_due_update(capture, &capture->ports[i], false);
    }
}

static void virtual_reopen(struct capture *capture, struct port *port)
{
    port_reopen(capture, port);
    if (port->transport) {
        virtual_due_update(capture, port, false);
    }
}

/* ---- session time that is not the host's ---- */

static int64_t port_due_ns(const struct port *port)
{
    if (port->is_over) {
        return INT64_MAX;
    }
    return port->transport ? port->due_ns : port->reopen_ns;
}

/* @return The port with the earliest bytes, the first of equals; NULL when all are over. */
static struct port *port_earliest(struct capture *capture)
{
    struct port *earliest = NULL;
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        if (!port->is_over && (!earliest || port_due_ns(port) < port_due_ns(earliest))) {
            earliest = port;
        }
    }
    return earliest;
}

static void clock_advance(struct capture *capture, int64_t time_ns)
{
    if (time_ns > capture->now_ns) {
        capture->now_ns = time_ns;
    }
}

static void port_serve(struct capture *capture, struct port *port)
{
    if (!port->transport) {
        virtual_reopen(capture, port);
    } else if (capture->pace == TRANSPORT_RECORDED) {
        piece_take(capture, port);
    } else {
        virtual_take(capture, port);
    }
}

/* Do the earliest thing unless it lies behind limit_ns. Bytes come before a tick of the
 * same time.
 * @return false when nothing was due. */
static bool step_take(struct capture *capture, int64_t limit_ns)
{
    struct port *port = port_earliest(capture);
    if (!port) {
        capture->is_stopping = true;
        return false;
    }
    int64_t due_ns = port_due_ns(port);
    bool is_tick = capture->next_tick_ns < due_ns;
    int64_t next_ns = is_tick ? capture->next_tick_ns : due_ns;
    if (next_ns > limit_ns) {
        return false;
    }
    clock_advance(capture, next_ns);
    if (is_tick) {
        capture->next_tick_ns += TICK_NS;
        tick_take(capture);
    } else {
        port_serve(capture, port);
    }
    return true;
}

static void turn_run(struct capture *capture, int64_t limit_ns)
{
    int64_t turn_end_ns = clock_host_ns() + TURN_NS;
    do {
        for (unsigned i = 0; i < STEPS_PER_LOOK; i++) {
            if (capture->is_stopping || !step_take(capture, limit_ns)) {
                return;
            }
        }
    } while (clock_host_ns() < turn_end_ns);
}

/* The timer only wakes the loop. */
static void pace_wake(uv_timer_t *timer)
{
    (void)timer;
}

/* What had arrived by the time of the stop; recorded and simulated bytes due later have
 * not. */
static void paced_finish(struct capture *capture)
{
    for (unsigned i = 0; i < capture->port_count; i++) {
        struct port *port = &capture->ports[i];
        while (!capture->status && port->transport
               && port_due_ns(port) <= capture->now_ns) {
            port_serve(capture, port);
        }
    }
}

static enum status paced_start(struct capture *capture)
{
    if (capture->pace == TRANSPORT_RECORDED) {
        return recorded_start(capture);
    }
    virtual_start(capture);
    return STATUS_OK;
}

static void paced_run(struct capture *capture)
{
    enum status status = paced_start(capture);
    if (status) {
        run_end(capture, status);
    }
    const double pace = capture->settings.pace;
    const int64_t host_ns = clock_host_ns();
    const int64_t session_ns = capture->now_ns;
    uint64_t interval_ms = (uint64_t)capture->settings.read_interval_ms;
    if (pace > 0.0) {
        uv_timer_start(&capture->timer, pace_wake, interval_ms, interval_ms);
    }
    while (!capture->is_stopping) {
        int64_t limit_ns = INT64_MAX - 1;
        if (pace > 0.0) {
            limit_ns = session_ns + (int64_t)((double)(clock_host_ns() - host_ns) * pace);
        }
        turn_run(capture, limit_ns);
        if (!capture->is_stopping) {
            uv_run(&capture->loop, pace > 0.0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        }
    }
    paced_finish(capture);
}

/* ---- public ---- */

enum status capture_create(const struct capture_settings *settings, struct capture **out)
{
    assert(settings->handle && settings->open);
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture) {
        return STATUS_NO_MEMORY;
    }
    capture->settings = *settings;
    if (capture->settings.read_interval_ms <= 0) {
        capture->settings.read_interval_ms = READ_INTERVAL_DEFAULT_MS;
    }
    int result = uv_loop_init(&capture->loop);
    if (result != 0) {
        log_error("cannot start the event loop: %s; too many open files?",
                  uv_strerror(result));
        free(capture);
        return STATUS_IO;
    }
    uv_timer_init(&capture->loop, &capture->timer);
    capture->timer.data = capture;
    capture->start_ns = clock_host_ns();
    *out = capture;
    return STATUS_OK;
}

enum status capture_add(struct capture *capture, struct device *device)
{
    assert(!capture->is_running);
    if (capture->port_count == CAPTURE_DEVICE_MAX) {
        log_error("more than %d sensors: remove some from the sensor file",
                  CAPTURE_DEVICE_MAX);
        return STATUS_REFUSED;
    }
    capture->ports[capture->port_count++].device = device;
    return STATUS_OK;
}

enum status capture_run(struct capture *capture)
{
    capture->status = STATUS_OK;
    capture->is_stopping = false;
    enum status status = ports_open(capture);
    if (status) {
        ports_close(capture);
        return status;
    }
    capture->is_running = true;
    capture->next_tick_ns = capture_now_ns(capture) + TICK_NS;
    for (unsigned i = 0; i < capture->port_count; i++) {
        commands_send(capture, &capture->ports[i]);
    }
    if (capture->has_host_clock) {
        live_run(capture);
    } else {
        paced_run(capture);
    }
    uv_timer_stop(&capture->timer);
    ports_stop(capture);
    ports_close(capture);
    capture->is_running = false;
    return capture->status;
}

void capture_stop(struct capture *capture)
{
    capture->is_stopping = true;
}

enum status capture_input(struct capture *capture, const char *text)
{
    size_t size = strlen(text);
    if (size >= INPUT_SIZE || capture->input_count == INPUT_MAX) {
        log_error("input '%.40s' not taken: at most %d inputs of %d bytes at once", text,
                  INPUT_MAX, INPUT_SIZE - 1);
        return STATUS_REFUSED;
    }
    memcpy(capture->inputs[capture->input_count++], text, size + 1);
    if (!capture->is_handling) {
        inputs_give(capture);
    }
    return capture->status;
}

static enum status text_record(struct capture *capture, enum journal_type type,
                               const char *text)
{
    struct journal_frame frame = text_frame(capture, type, text);
    if (frame.size > JOURNAL_PAYLOAD_MAX) {
        log_error("journal: a text of %zu bytes is too long to record, at most %d",
                  frame.size, JOURNAL_PAYLOAD_MAX);
        return STATUS_BAD_INPUT;
    }
    return frame_record(capture, &frame);
}

enum status capture_event(struct capture *capture, const char *json)
{
    return text_record(capture, JOURNAL_EVENT, json);
}

enum status capture_header(struct capture *capture, const char *json)
{
    capture->start_ns = clock_host_ns();
    capture->now_ns = 0;
    return text_record(capture, JOURNAL_HEADER, json);
}

int64_t capture_now_ns(const struct capture *capture)
{
    return capture->has_host_clock ? clock_host_ns() - capture->start_ns : capture->now_ns;
}

struct uv_loop_s *capture_loop(struct capture *capture)
{
    return &capture->loop;
}

void capture_destroy(struct capture *capture)
{
    if (!capture) {
        return;
    }
    ports_close(capture);
    uv_close((uv_handle_t *)&capture->timer, NULL);
    /* Busy only while handles are closing, or when the owner of one forgot to close it. */
    int result = UV_EBUSY;
    for (int i = 0; i < CLOSE_TRIES && result == UV_EBUSY; i++) {
        uv_run(&capture->loop, UV_RUN_NOWAIT);
        result = uv_loop_close(&capture->loop);
    }
    assert(result == 0);
    (void)result;
    free(capture);
}

/* All connected sensors on one libuv loop: reads bytes, stamps them, gives them to the
 * recorder and then to the handler, one journal frame at a time, in the order of the
 * journal. Reopens what was unplugged. Runs in the thread that calls capture_run; nothing
 * here may be called from another.
 *
 * Session time is the host's clock for live ports. For simulated ones it jumps from packet
 * to packet. Recorded bytes carry no arrival times: a piece of them, about a tick long,
 * arrives at the device time of its newest sample, so the devices' clocks are taken to
 * start together. */
#ifndef LIMBER_ACQUISITION_CAPTURE_H
#define LIMBER_ACQUISITION_CAPTURE_H

#include "acquisition/device.h"
#include "acquisition/recorder.h"
#include "acquisition/transport.h"

enum {
    CAPTURE_DEVICE_MAX = 64,
    CAPTURE_TICK_MS = 20
};

struct uv_loop_s;
struct capture;

/* Handle one frame after it was recorded. frame->payload is borrowed for the call.
 * @return STATUS_OK to go on; anything else ends capture_run with that status. */
typedef enum status capture_frame_fn(void *user, const struct journal_frame *frame);

/* Open (again) the transport of a device; called at start and every 0.5 s while it is gone,
 * less and less often (up to 8 s) while it refuses.
 * @return STATUS_OK; STATUS_GONE: not plugged in, nothing was logged; else why not, after
 * one logged line. At the start everything but STATUS_GONE ends the run. */
typedef enum status capture_open_fn(void *user, unsigned device, struct transport **out);

struct capture_settings {
    struct recorder *recorder; /* borrowed; NULL = nothing is recorded */
    capture_frame_fn *handle;
    void *handle_user;
    capture_open_fn *open;
    void *open_user;
    double pace; /* simulated, recorded ports: session seconds per second; 0 = flat out */
    int read_interval_ms; /* live ports are drained this often; default 5 */
};

/* @param settings  Copied. */
enum status capture_create(const struct capture_settings *settings, struct capture **out);

/* Add a sensor before capture_run; devices are numbered in the order of these calls.
 * @param device  Borrowed until capture_destroy. The handler feeds it the bytes
 * (device_feed); the capture reads its clock and counters, sends its driver's commands, and
 * calls device_interrupt when the port was lost. */
enum status capture_add(struct capture *capture, struct device *device);

/* Open all ports and run until capture_stop, an error, or the end of all files. Reads what
 * has already arrived before it returns: a clean stop loses nothing. A port that is lost
 * gives a JOURNAL_LINK frame of 0 and is then interrupted (device_interrupt: replay must do
 * the same after that frame); opened again, one of 1; the first opening gives none, unless
 * the port was missing then. Kinds of ports (live, simulated, recorded) cannot be mixed:
 * STATUS_BAD_INPUT. At the end live sensors get up to 0.5 s for the commands that stop and
 * restore them. Closes all ports.
 * @return STATUS_OK after capture_stop or the end of recorded data; the opener's error; the
 *         handler's status. */
enum status capture_run(struct capture *capture);

/* Ask capture_run to return; from the handler or a libuv callback. */
void capture_stop(struct capture *capture);

/* Record and handle an operator input ("pause", "pain 4"); from the handler or a callback.
 * Made by the handler, it is recorded and handled after the frame in hand.
 * @param text  At most 511 bytes, else STATUS_REFUSED after one logged line. */
enum status capture_input(struct capture *capture, const char *text);

/* Record an event of the program for later comparison (not handled). */
enum status capture_event(struct capture *capture, const char *json);

/* Write the header frame; must be the first. Session time starts here. Not handled. */
enum status capture_header(struct capture *capture, const char *json);

/* Session time now, ns: host clock since the header, or the virtual clock. */
int64_t capture_now_ns(const struct capture *capture);

/* The loop, for signals, keyboard and the page's server. Borrowed: close your own handles,
 * and let the loop run once, before capture_destroy. */
struct uv_loop_s *capture_loop(struct capture *capture);

/* NULL is allowed. */
void capture_destroy(struct capture *capture);

#endif

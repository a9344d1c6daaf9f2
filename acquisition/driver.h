/* A sensor family: how its bytes split into frames and what they mean. One const table per
 * family, all listed in driver_list.c. frame_next, decode and command_next are pure: no
 * I/O, no clock, no allocation; any thread may use its own context. */
#ifndef LIMBER_ACQUISITION_DRIVER_H
#define LIMBER_ACQUISITION_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acquisition/transport.h"
#include "base/sample.h"
#include "base/status.h"

enum {
    DRIVER_CONTEXT_SIZE = 4096, /* bytes of decoder state a driver may keep */
    DRIVER_KEPT_SIZE = 512,     /* bytes that outlive an unplugging */
    DRIVER_FRAME_MAX = 4096,    /* longest frame of any driver */
    DRIVER_SAMPLE_MAX = 32,     /* samples one frame can give */
    DRIVER_COMMAND_MAX = 256,   /* bytes one command_next call may give */
    DRIVER_STOP_MAX = 16        /* commands that command_stop may give */
};

struct text_lines; /* acquisition/text_columns.h */

enum frame_verdict {
    FRAME_FOUND,     /* *size bytes at the front are one frame (valid by its own checks) */
    FRAME_NEED_MORE, /* the front may become a frame */
    FRAME_SKIP       /* the first *size bytes are no frame: step over them (at least 1) */
};

/* What a sensor file says about one sensor; strings borrowed, NULL = driver's default. */
struct driver_settings {
    double rate_hz;      /* wanted and nominal rate; 0 = driver's default */
    unsigned baud;       /* 0 = driver's default */
    const char *columns; /* text driver: profile name or comma list of column names */
    const struct text_lines *lines; /* text driver: how the lines of that list are written,
                                     * borrowed; NULL = as usual */
    /* Analog drivers: channel that carries this sensor, "A0"; the number after the A is the
     * channel's index in the stream. "A0/A3": A3 measures the supply, and unless
     * excitation_v says it the reading is divided by it (drivers that have no use for it
     * ignore it). */
    const char *channel;
    double excitation_v;       /* flex divider: supply voltage, 0 = ratiometric */
    double fixed_resistor_ohm; /* flex divider: resistor to ground, 0 = unknown */
};

/* Decoder state of one sensor. Opaque outside drivers. */
struct driver_context {
    _Alignas(16) uint8_t memory[DRIVER_CONTEXT_SIZE]; /* zeroed before each driver.init */
    /* Zeroed once: what must outlive an unplugging, such as the settings that the device
     * had when it was found. Changes only what is sent, never what is decoded: a replay
     * does not have it. */
    _Alignas(16) uint8_t kept[DRIVER_KEPT_SIZE];
};

struct driver {
    const char *name;  /* "xio-ximu3": stands in sensor files */
    const char *title; /* "x-io x-IMU3" */
    const struct stream_info *streams;
    unsigned stream_count;
    size_t frame_max;
    unsigned baud;     /* default of serial lines */
    double rate_hz;    /* default nominal rate of its main stream (stream 0) */
    double tick_s;     /* seconds per device tick; 0 = the device has no clock */
    bool has_checksum; /* frames carry one: a damaged frame never gives a sample */
    const struct usb_id *usb_ids; /* it, or the adapter it usually comes with, on USB */
    unsigned usb_id_count;
    /* How it is spoken to on a port "usb:..."; NULL = as a CDC serial device. */
    const struct transport_usb_profile *usb;
    bool is_usb_only;      /* has no serial line */
    const unsigned *bauds; /* further speeds it may be found at, 0 ends; NULL = none */
    /* What asks it who it is and changes nothing in it; one command, as command_next gives
     * them. NULL = it can only be listened to. */
    const uint8_t *question;
    size_t question_size;

    /* Prepare a context. STATUS_BAD_INPUT after one logged line when settings are wrong. */
    enum status (*init)(struct driver_context *context,
                        const struct driver_settings *settings);

    /* Look at the front of the received bytes.
     * @param size      Bytes available, at least 1.
     * @param frame_size Out for FOUND and SKIP: bytes to take. */
    enum frame_verdict (*frame_next)(const struct driver_context *context,
                                     const uint8_t *bytes, size_t size, size_t *frame_size);

    /* Decode one frame found by frame_next. Fills device_ticks (unwrapped), stream,
     * channel_count, values, flags and, where the device counts, sequence; the caller adds
     * host_ns, gap flags and counters.
     * @param samples  Out: room for DRIVER_SAMPLE_MAX, all zero; those beyond the count
     * stay so, unless -1 is returned.
     * @return Count of samples; 0 is normal (acknowledgements, text); -1 = the frame is
     * damaged: it is counted as bad and gives nothing. */
    int (*decode)(struct driver_context *context, const uint8_t *frame, size_t frame_size,
                  struct sample *samples);

    /* Bytes to send now, called after opening, after each decoded chunk and on each tick:
     * reads the settings as found (into kept), sets rate and outputs, reads back what was
     * really set, starts. What USB profiles of requests send is one control request: 8
     * setup bytes, then the data of an OUT request.
     * @param now_ns  Time of the tick or chunk; for retries.
     * @param bytes   Out: room for DRIVER_COMMAND_MAX.
     * @return Count of bytes, 0 = nothing now. NULL pointer = the device is never told
     * anything. */
    size_t (*command_next)(struct driver_context *context, int64_t now_ns, uint8_t *bytes);

    /* What stops the device and leaves it as it was found: called until it gives 0, at most
     * DRIVER_STOP_MAX times, without waiting for answers. NULL = nothing to send. */
    size_t (*command_stop)(struct driver_context *context, uint8_t *bytes);

    /* Rate that the device itself says stream 0 has (confirmed setting), 0 = not said yet.
     * From decoded bytes alone. NULL = it never says. */
    double (*rate_hz_get)(const struct driver_context *context);

    /* Who the device says it is ("x-IMU3 51D00001, firmware 2.5"), "" = not said yet.
     * Borrowed from the context until the next decode. NULL = it never says. */
    const char *(*identity_get)(const struct driver_context *context);

    /* The stream table as this context has it (text columns are set by the person).
     * NULL = the const table above. Borrowed from the context. */
    const struct stream_info *(*streams_get)(const struct driver_context *context,
                                             unsigned *stream_count);

    /* Seconds per device tick as this context has it (a text line may carry a time column
     * or none). NULL = the constant above; callers use driver_tick_s. */
    double (*tick_s_get)(const struct driver_context *context);

    /* Newest text that a person should read: from the device ("Battery low") or about it
     * ("asked for 200 Hz, the sensor set 100 Hz"), "" before the first. NULL = the device
     * never talks. Borrowed from the context until the next decode.
     * @param count  Out: texts so far; a changed count means a new text. */
    const char *(*notice_get)(const struct driver_context *context, unsigned *count);
};

/* Index of an analog channel from its name in a sensor file ("A0", "a15", "3"; of "A0/A3"
 * the first).
 * @param channel_count  The index must be less.
 * @param index          Out.
 * @return STATUS_OK, or STATUS_BAD_INPUT after one logged line. */
enum status driver_channel_parse(const char *channel, unsigned channel_count,
                                 unsigned *index);

/* Seconds per device tick of a sensor, 0 = it has no clock. */
double driver_tick_s(const struct driver *driver, const struct driver_context *context);

/* The rate that the device says it has, 0 = not said. */
double driver_rate_hz(const struct driver *driver, const struct driver_context *context);

/* How the driver's device is reached on "usb:" ports: its own way, else CDC. */
const struct transport_usb_profile *driver_usb_profile(const struct driver *driver);

/* Driver by name, or NULL. */
const struct driver *driver_find(const char *name);

/* All drivers.
 * @param count  Out. */
const struct driver *const *driver_list(size_t *count);

#endif

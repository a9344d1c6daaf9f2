/* What one sensor said at one instant, in the units of its datasheet, and the description
 * of the stream it belongs to. Plain values, passed from drivers up to calibration; any
 * thread. */
#ifndef LIMBER_BASE_SAMPLE_H
#define LIMBER_BASE_SAMPLE_H

#include <stdint.h>

enum {
    SAMPLE_CHANNEL_MAX = 16,
    STREAM_MAX = 24 /* streams of one driver */
};

/* What the channels of a stream mean; decides which calibration applies. */
enum stream_kind {
    STREAM_INERTIAL,    /* gyroscope x y z in deg/s, accelerometer x y z in g */
    STREAM_MAGNETIC,    /* x y z, units as the stream says */
    STREAM_HIGH_G,      /* accelerometer x y z in g, high range */
    STREAM_ORIENTATION, /* the device's own estimate, any form; kept, never used for metrics
                         */
    STREAM_ANALOG,      /* flex strips: raw counts, volts or degrees, as the stream says */
    STREAM_TEMPERATURE, /* degC */
    STREAM_BATTERY,     /* first channel percent */
    STREAM_STATUS,      /* anything else worth keeping */
    STREAM_MARKER       /* first channel 1 while a button is pressed: a person's mark */
};

/* Facts about a sample that its user must know; bits combine. */
enum sample_flag {
    SAMPLE_GAP_BEFORE = 1 << 0, /* samples were lost between the one before and this one */
    SAMPLE_CLIPPED = 1 << 1,    /* a channel stands at its full scale */
    SAMPLE_UNCALIBRATED = 1 << 2, /* the device said so, or gives raw counts */
    SAMPLE_LOW_BATTERY = 1 << 3,
    SAMPLE_CLOCK_RESTARTED =
        1 << 4, /* device ticks jumped backwards (the device restarted), or a silence was
                 * longer than they can tell */
    SAMPLE_DERIVED = 1 << 5 /* the driver computed channels from others of the device */
};

struct stream_info {
    const char
        *name; /* "inertial"; unique within the driver, used in file layouts and CSV */
    enum stream_kind kind;
    unsigned channel_count;                   /* 1 .. SAMPLE_CHANNEL_MAX */
    const char *channels[SAMPLE_CHANNEL_MAX]; /* "gyroscope_x_deg_s", unit in the name */
    const char *units[SAMPLE_CHANNEL_MAX];    /* UCUM: "deg/s", "g", "V", "1" */
    float full_scale[SAMPLE_CHANNEL_MAX];     /* 0 = unknown */
};

struct sample {
    uint64_t
        device_ticks;  /* device clock, unwrapped; see driver.tick_s; 0 if it has none */
    int64_t host_ns;   /* arrival of the bytes that completed the frame */
    uint32_t sequence; /* running number of the frame as the device or the decoder counts */
    uint16_t flags;    /* of enum sample_flag */
    uint8_t stream;    /* index into the driver's stream table */
    uint8_t channel_count;
    float values[SAMPLE_CHANNEL_MAX];
};

#endif

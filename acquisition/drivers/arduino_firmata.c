/* Arduino StandardFirmata (protocol 2.x): analog channels of any Arduino, for flex strips.
 * The board sends all enabled channels of an interval back to back, lowest first, without
 * clock, number or checksum; a scan of them is one sample. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"

enum {
    ANALOG = 0xE0,         /* | channel, lsb, msb */
    DIGITAL = 0x90,        /* | port, lsb, msb */
    REPORT_ANALOG = 0xC0,  /* | channel, on */
    REPORT_DIGITAL = 0xD0, /* | port, on */
    SYSEX_START = 0xF0,
    PIN_MODE = 0xF4,
    PIN_VALUE = 0xF5,
    SYSEX_END = 0xF7,
    VERSION = 0xF9,
    SYSTEM_RESET = 0xFF,
    COMMAND_BIT = 0x80,

    SYSEX_EXTENDED_ANALOG = 0x6F, /* channel, 7 bits each, lowest first */
    SYSEX_ANALOG_MAP = 0x69,
    SYSEX_ANALOG_MAP_REPLY = 0x6A,
    SYSEX_CAPABILITY = 0x6B,
    SYSEX_CAPABILITY_REPLY = 0x6C,
    SYSEX_STRING = 0x71,
    SYSEX_FIRMWARE = 0x79,
    SYSEX_INTERVAL = 0x7A,

    MODE_ANALOG = 0x02,
    NO_CHANNEL = 0x7F, /* a pin without analog input; also ends a pin's modes */
    CHANNEL_MAX = 16,
    CHANNEL_DEFAULT = 6, /* A0 .. A5 of an Uno */
    PIN_MAX = 128,
    FRAME_MAX = 4096, /* capabilities of a Mega take about 1,400 bytes */
    NOTICE_SIZE = 128,
    IDENTITY_SIZE = 64,
    INTERVAL_DEFAULT_MS = 19, /* of the sketch; it cannot be asked what it was set to */
    RETRY_MAX = 11,      /* first try and every 0.5 s for 5 s: an Uno boots for up to 2 s */
    MAP_DOUBT_COUNT = 8, /* equal scans that are believed against the map */
    DEFAULT_BITS = 10
};

static const int64_t RETRY_NS = 500000000;

enum firmata_stream {
    ANALOG_SCAN,
    EARLY_ANALOG,
    EXTENDED_ANALOG,
    FIRMATA_STREAM_COUNT
};

#define FULL_SCALE_10_BIT 1023.0F
#define EACH_CHANNEL(item)                                                                 \
    {                                                                                      \
        item, item, item, item, item, item, item, item, item, item, item, item, item,      \
            item, item, item                                                               \
    }

static const struct stream_info STREAMS[FIRMATA_STREAM_COUNT] = {
    [ANALOG_SCAN] = {"analog",
                     STREAM_ANALOG,
                     CHANNEL_DEFAULT,
                     {"analog_0_count", "analog_1_count", "analog_2_count",
                      "analog_3_count", "analog_4_count", "analog_5_count",
                      "analog_6_count", "analog_7_count", "analog_8_count",
                      "analog_9_count", "analog_10_count", "analog_11_count",
                      "analog_12_count", "analog_13_count", "analog_14_count",
                      "analog_15_count"},
                     EACH_CHANNEL("1"),
                     EACH_CHANNEL(FULL_SCALE_10_BIT)},
    /* Reports that came before the board said its version (left over from an earlier
     * session) or before the set of channels was known: kept to be seen, never measured
     * with. */
    [EARLY_ANALOG] = {"early_analog",
                      STREAM_STATUS,
                      2,
                      {"early_analog_channel", "early_analog_count"},
                      {"1", "1"},
                      {0}},
    /* Channels above 15, which only the long form can carry. */
    [EXTENDED_ANALOG] = {"extended_analog",
                         STREAM_STATUS,
                         2,
                         {"extended_analog_channel", "extended_analog_count"},
                         {"1", "1"},
                         {0}},
};

/* What the host has to ask for, in order. */
enum step {
    STEP_ASK, /* version, firmware, capabilities, analog map: until all were answered */
    STEP_INTERVAL,
    STEP_CHANNEL, /* pin mode and reporting, channel by channel */
    STEP_DONE,
    STEP_STOPPED
};

struct firmata {
    struct stream_info streams[FIRMATA_STREAM_COUNT];
    unsigned channel; /* that carries the sensor */
    unsigned interval_ms;
    double asked_hz; /* 0 = the default is good */

    /* From the board's own bytes alone, so that a replay decodes the same. */
    bool has_version;
    bool has_capability;
    bool has_map;
    uint8_t pins[CHANNEL_MAX]; /* pin of each analog channel, NO_CHANNEL = none */
    uint8_t pin_bits[PIN_MAX]; /* resolution of each pin's analog input, 0 = none */
    char identity[IDENTITY_SIZE];

    /* The scan that is being filled. */
    float values[CHANNEL_MAX];
    uint16_t seen_mask;
    uint16_t last_mask;   /* channels of the scan before */
    uint16_t full_mask;   /* channels of a whole scan; 0 = not known yet */
    unsigned agree_count; /* scans in a row with the channels of last_mask */
    bool is_settled;      /* a whole scan came: from now on a missing report is a loss */
    uint32_t sequence;    /* scans so far, lost ones too */

    enum step step;
    unsigned try_count;
    unsigned next_channel;
    int64_t sent_ns;

    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

_Static_assert(sizeof(struct firmata) <= DRIVER_CONTEXT_SIZE, "context too small");

static struct firmata *firmata_of(struct driver_context *context)
{
    return (struct firmata *)(void *)context->memory;
}

static const struct firmata *firmata_look(const struct driver_context *context)
{
    return (const struct firmata *)(const void *)context->memory;
}

/* ---- frames ---- */

/* Data bytes after a command byte, or -1 for a command that does not exist. */
static int data_count(uint8_t command)
{
    switch (command & 0xF0) {
    case ANALOG:
    case DIGITAL:
        return 2;
    case REPORT_ANALOG:
    case REPORT_DIGITAL:
        return 1;
    default:
        break;
    }
    switch (command) {
    case PIN_MODE:
    case PIN_VALUE:
    case VERSION:
        return 2;
    case SYSTEM_RESET:
        return 0;
    default:
        return -1;
    }
}

/* Bytes from first on that are data, up to size. */
static size_t data_span(const uint8_t *bytes, size_t first, size_t size)
{
    size_t index = first;
    while (index < size && bytes[index] < COMMAND_BIT) {
        index++;
    }
    return index;
}

static enum frame_verdict sysex_next(const uint8_t *bytes, size_t size, size_t *frame_size)
{
    size_t end = data_span(bytes, 1, size);
    if (end == size) {
        *frame_size = size;
        return size < FRAME_MAX ? FRAME_NEED_MORE : FRAME_SKIP;
    }
    if (bytes[end] != SYSEX_END) {
        *frame_size = end;
        return FRAME_SKIP;
    }
    *frame_size = end + 1;
    return FRAME_FOUND;
}

static enum frame_verdict firmata_frame_next(const struct driver_context *context,
                                             const uint8_t *bytes, size_t size,
                                             size_t *frame_size)
{
    (void)context;
    if (bytes[0] < COMMAND_BIT) {
        *frame_size = data_span(bytes, 0, size);
        return FRAME_SKIP;
    }
    if (bytes[0] == SYSEX_START) {
        return sysex_next(bytes, size, frame_size);
    }
    int count = data_count(bytes[0]);
    if (count < 0) {
        *frame_size = 1;
        return FRAME_SKIP;
    }
    size_t wanted = (size_t)count + 1;
    size_t end = data_span(bytes, 1, size < wanted ? size : wanted);
    *frame_size = end;
    if (end == wanted) {
        return FRAME_FOUND;
    }
    /* A command byte inside abandons the message. */
    return end == size ? FRAME_NEED_MORE : FRAME_SKIP;
}

/* ---- analog reports ---- */

static bool is_rail(const struct firmata *firmata, float value)
{
    return value <= 0.0F
           || value >= firmata->streams[ANALOG_SCAN].full_scale[firmata->channel];
}

/* Give the scan as a sample and begin the next. */
static void scan_finish(struct firmata *firmata, struct sample *sample)
{
    const struct stream_info *stream = &firmata->streams[ANALOG_SCAN];
    memset(sample, 0, sizeof *sample);
    sample->sequence = ++firmata->sequence;
    sample->stream = ANALOG_SCAN;
    sample->channel_count = (uint8_t)stream->channel_count;
    for (unsigned index = 0; index < stream->channel_count; index++) {
        bool is_seen = firmata->seen_mask & (1u << index);
        sample->values[index] = is_seen ? firmata->values[index] : NAN;
    }
    if (is_rail(firmata, sample->values[firmata->channel])) {
        sample->flags |= SAMPLE_CLIPPED;
    }
    firmata->is_settled = true;
    firmata->last_mask = firmata->seen_mask;
    firmata->seen_mask = 0;
}

/* A channel that does not rise begins a new scan: close the one before.
 * @return Count of samples given. */
static int scan_close(struct firmata *firmata, struct sample *sample)
{
    uint16_t mask = firmata->seen_mask;
    if (mask == 0) {
        return 0;
    }
    /* The set of channels is what the board's map says, else what the first scan says,
     * until scans in a row agree on another: while channels are switched on one by one a
     * board reports each at once, between those of the interval. */
    firmata->agree_count = mask == firmata->last_mask ? firmata->agree_count + 1 : 1;
    unsigned needed_count = firmata->has_map ? MAP_DOUBT_COUNT : 2;
    if (firmata->full_mask == 0 || firmata->agree_count >= needed_count) {
        firmata->full_mask = mask;
    }
    if (mask == firmata->full_mask) {
        scan_finish(firmata, sample);
        return 1;
    }
    if (firmata->is_settled) {
        firmata->sequence++; /* a report was lost, and the scan with it */
    }
    firmata->last_mask = mask;
    firmata->seen_mask = 0;
    return 0;
}

static void single_fill(enum firmata_stream stream, unsigned channel, float value,
                        struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = (uint8_t)stream;
    sample->channel_count = 2;
    sample->flags = stream == EARLY_ANALOG ? SAMPLE_UNCALIBRATED : 0;
    sample->values[0] = (float)channel;
    sample->values[1] = value;
}

static int analog_decode(struct firmata *firmata, const uint8_t *frame,
                         struct sample *samples)
{
    unsigned channel = frame[0] & 0x0F;
    float value = (float)(frame[1] | frame[2] << 7);
    if (firmata->has_capability
        && value > firmata->streams[ANALOG_SCAN].full_scale[channel]) {
        return -1;
    }
    if (!firmata->has_version) {
        single_fill(EARLY_ANALOG, channel, value, &samples[0]);
        return 1;
    }
    if (channel >= firmata->streams[ANALOG_SCAN].channel_count) {
        return 0;
    }
    int count = 0;
    uint16_t bit = (uint16_t)(1u << channel);
    if (firmata->seen_mask >= bit) {
        count = scan_close(firmata, samples);
    } else if (firmata->seen_mask == 0 && firmata->full_mask && bit > firmata->full_mask) {
        /* A channel above those of the scan just given was switched on: from now on more.
         */
        firmata->full_mask |= bit;
        return 0;
    }
    firmata->seen_mask |= bit;
    firmata->values[channel] = value;
    if (firmata->seen_mask == firmata->full_mask) {
        scan_finish(firmata, &samples[count++]);
    } else if (!firmata->is_settled) {
        single_fill(EARLY_ANALOG, channel, value, &samples[count++]);
    }
    return count;
}

/* ---- what the board says about itself ---- */

/* Full scale of each channel: by its pin, or the highest there is while the pins are not
 * known. */
static void full_scales_update(struct firmata *firmata)
{
    unsigned highest = 0;
    for (unsigned pin = 0; pin < PIN_MAX; pin++) {
        highest = firmata->pin_bits[pin] > highest ? firmata->pin_bits[pin] : highest;
    }
    for (unsigned channel = 0; channel < CHANNEL_MAX && highest > 0; channel++) {
        unsigned pin = firmata->has_map ? firmata->pins[channel] : NO_CHANNEL;
        bool is_known = pin != NO_CHANNEL && firmata->pin_bits[pin] > 0;
        unsigned bits = is_known ? firmata->pin_bits[pin] : highest;
        firmata->streams[ANALOG_SCAN].full_scale[channel] = (float)((1u << bits) - 1u);
    }
}

/* Pins one after the other: (mode, bits)* 7F. */
static void capability_decode(struct firmata *firmata, const uint8_t *data, size_t size)
{
    unsigned pin = 0;
    bool has_analog = false;
    memset(firmata->pin_bits, 0, sizeof firmata->pin_bits);
    for (size_t index = 0; index < size && pin < PIN_MAX;) {
        if (data[index] == NO_CHANNEL) {
            pin++;
            index++;
            continue;
        }
        bool is_analog = data[index] == MODE_ANALOG && index + 1 < size
                         && data[index + 1] > 0 && data[index + 1] <= 14;
        if (is_analog) {
            firmata->pin_bits[pin] = data[index + 1];
        }
        has_analog = has_analog || is_analog;
        index += 2;
    }
    firmata->has_capability = firmata->has_capability || has_analog;
    full_scales_update(firmata);
}

/* Channels that are asked for and exist; 0 = the map is not known. */
static uint16_t mapped_mask(const struct firmata *firmata)
{
    unsigned mask = 0;
    for (unsigned channel = 0;
         firmata->has_map && channel < firmata->streams[ANALOG_SCAN].channel_count;
         channel++) {
        mask |= firmata->pins[channel] == NO_CHANNEL ? 0u : 1u << channel;
    }
    return (uint16_t)mask;
}

static void map_decode(struct firmata *firmata, const uint8_t *data, size_t size)
{
    memset(firmata->pins, NO_CHANNEL, sizeof firmata->pins);
    for (size_t pin = 0; pin < size && pin < PIN_MAX; pin++) {
        if (data[pin] < CHANNEL_MAX) {
            firmata->pins[data[pin]] = (uint8_t)pin;
        }
    }
    firmata->has_map = true;
    firmata->full_mask = mapped_mask(firmata);
    full_scales_update(firmata);
}

/* Text in halves of 7 bits. */
static void text_take(const uint8_t *data, size_t size, char *text, size_t capacity)
{
    size_t length = 0;
    for (size_t index = 0; index + 1 < size && length + 1 < capacity; index += 2) {
        int character = data[index] | data[index + 1] << 7;
        text[length++] = (char)(character >= ' ' && character <= '~' ? character : '?');
    }
    text[length] = '\0';
}

/* What the board wants people to read. */
static void string_decode(struct firmata *firmata, const uint8_t *data, size_t size)
{
    text_take(data, size, firmata->notice, NOTICE_SIZE);
    firmata->notice_count++;
}

/* The sketch and its version: "StandardFirmata.ino 2.5". */
static void firmware_decode(struct firmata *firmata, const uint8_t *data, size_t size)
{
    if (size < 2) {
        return;
    }
    char name[IDENTITY_SIZE - 16];
    text_take(data + 2, size - 2, name, sizeof name);
    (void)snprintf(firmata->identity, sizeof firmata->identity, "%s %u.%u", name, data[0],
                   data[1]);
}

/* A channel above 15 by the long form; lower ones come in the short form.
 * @return Count of samples. */
static int extended_decode(const struct firmata *firmata, const uint8_t *data, size_t size,
                           struct sample *samples)
{
    uint32_t value = 0;
    if (!firmata->has_version || size < 2 || size > 4 || data[0] < CHANNEL_MAX) {
        return 0;
    }
    for (size_t index = 1; index < size; index++) {
        value |= (uint32_t)data[index] << 7 * (index - 1);
    }
    single_fill(EXTENDED_ANALOG, data[0], (float)value, &samples[0]);
    return 1;
}

static void version_decode(struct firmata *firmata)
{
    /* The board has started: what came before belongs to another session. */
    firmata->has_version = true;
    firmata->seen_mask = 0;
    firmata->last_mask = 0;
    firmata->full_mask = mapped_mask(firmata);
    firmata->agree_count = 0;
    firmata->is_settled = false;
}

/* @param data  Between the sysex command and its end.
 * @return Count of samples. */
static int sysex_decode(struct firmata *firmata, uint8_t command, const uint8_t *data,
                        size_t size, struct sample *samples)
{
    switch (command) {
    case SYSEX_CAPABILITY_REPLY:
        capability_decode(firmata, data, size);
        return 0;
    case SYSEX_ANALOG_MAP_REPLY:
        map_decode(firmata, data, size);
        return 0;
    case SYSEX_STRING:
        string_decode(firmata, data, size);
        return 0;
    case SYSEX_FIRMWARE:
        firmware_decode(firmata, data, size);
        return 0;
    case SYSEX_EXTENDED_ANALOG:
        return extended_decode(firmata, data, size, samples);
    default:
        return 0;
    }
}

static int firmata_decode(struct driver_context *context, const uint8_t *frame,
                          size_t frame_size, struct sample *samples)
{
    struct firmata *firmata = firmata_of(context);
    if ((frame[0] & 0xF0) == ANALOG) {
        return analog_decode(firmata, frame, samples);
    }
    if (frame[0] == VERSION) {
        version_decode(firmata);
    } else if (frame[0] == SYSEX_START && frame_size > 2) {
        return sysex_decode(firmata, frame[1], frame + 2, frame_size - 3, samples);
    }
    return 0;
}

/* ---- commands ---- */

static const uint8_t QUESTIONS[] = {
    VERSION,          SYSEX_START, SYSEX_FIRMWARE, SYSEX_END,        SYSEX_START,
    SYSEX_CAPABILITY, SYSEX_END,   SYSEX_START,    SYSEX_ANALOG_MAP, SYSEX_END};

/* Ask until everything was answered, then go on with what is known. */
static size_t ask(struct firmata *firmata, int64_t now_ns, uint8_t *bytes)
{
    bool is_answered = firmata->has_version && firmata->has_capability && firmata->has_map;
    if (!is_answered && firmata->try_count > 0 && now_ns - firmata->sent_ns < RETRY_NS) {
        return 0;
    }
    if (!is_answered && firmata->try_count == RETRY_MAX) {
        (void)snprintf(firmata->notice, sizeof firmata->notice,
                       "the board does not answer: load StandardFirmata onto it");
        firmata->notice_count++;
    }
    if (is_answered || firmata->try_count == RETRY_MAX) {
        firmata->step = STEP_INTERVAL;
        return 0;
    }
    firmata->try_count++;
    firmata->sent_ns = now_ns;
    memcpy(bytes, QUESTIONS, sizeof QUESTIONS);
    return sizeof QUESTIONS;
}

static size_t interval_put(unsigned interval_ms, uint8_t *bytes)
{
    const uint8_t command[] = {SYSEX_START, SYSEX_INTERVAL, (uint8_t)(interval_ms & 0x7F),
                               (uint8_t)(interval_ms >> 7), SYSEX_END};
    memcpy(bytes, command, sizeof command);
    return sizeof command;
}

static size_t interval_send(struct firmata *firmata, uint8_t *bytes)
{
    double rate_hz = 1000.0 / firmata->interval_ms;
    if (firmata->asked_hz > 0.0
        && fabs(rate_hz - firmata->asked_hz) > 0.01 * firmata->asked_hz) {
        (void)snprintf(firmata->notice, sizeof firmata->notice,
                       "asked for %g Hz, the board can do %.4g Hz", firmata->asked_hz,
                       rate_hz);
        firmata->notice_count++;
    }
    firmata->step = STEP_CHANNEL;
    return interval_put(firmata->interval_ms, bytes);
}

/* All channels in one write: they start in the same interval. */
static size_t channels_send(struct firmata *firmata, uint8_t *bytes)
{
    size_t size = 0;
    for (unsigned channel = 0; channel < firmata->streams[ANALOG_SCAN].channel_count;
         channel++) {
        uint8_t pin = firmata->pins[channel];
        if (firmata->has_map && pin == NO_CHANNEL) {
            continue;
        }
        const uint8_t command[] = {PIN_MODE, pin, MODE_ANALOG,
                                   (uint8_t)(REPORT_ANALOG | channel), 1};
        /* Without a map the pin is not known; reporting alone sets the mode on most boards.
         */
        size_t skipped = firmata->has_map ? 0 : 3;
        memcpy(bytes + size, command + skipped, sizeof command - skipped);
        size += sizeof command - skipped;
    }
    firmata->step = STEP_DONE;
    return size;
}

static size_t firmata_command_next(struct driver_context *context, int64_t now_ns,
                                   uint8_t *bytes)
{
    struct firmata *firmata = firmata_of(context);
    size_t size = 0;
    if (firmata->step == STEP_ASK) {
        size = ask(firmata, now_ns, bytes);
    }
    if (firmata->step == STEP_INTERVAL) {
        size = interval_send(firmata, bytes);
    } else if (firmata->step == STEP_CHANNEL) {
        size = channels_send(firmata, bytes);
    }
    return size;
}

/* As the sketch is after starting: nothing reported, its own interval. */
static size_t firmata_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct firmata *firmata = firmata_of(context);
    size_t size = 0;
    bool is_interval_set = firmata->step == STEP_CHANNEL || firmata->step == STEP_DONE;
    if (!is_interval_set) {
        return 0;
    }
    for (unsigned channel = 0; channel < firmata->streams[ANALOG_SCAN].channel_count;
         channel++) {
        bytes[size++] = (uint8_t)(REPORT_ANALOG | channel);
        bytes[size++] = 0;
    }
    size += interval_put(INTERVAL_DEFAULT_MS, bytes + size);
    bytes[size++] = SYSTEM_RESET;
    firmata->step = STEP_STOPPED;
    return size;
}

/* ---- the driver ---- */

static enum status firmata_init(struct driver_context *context,
                                const struct driver_settings *settings)
{
    struct firmata *firmata = firmata_of(context);
    memcpy(firmata->streams, STREAMS, sizeof STREAMS);
    memset(firmata->pins, NO_CHANNEL, sizeof firmata->pins);
    firmata->asked_hz = settings->rate_hz > 0.0 ? settings->rate_hz : 0.0;
    double rate_hz = firmata->asked_hz > 0.0 ? firmata->asked_hz : 100.0;
    double interval_ms = round(1000.0 / rate_hz);
    /* The interval has 14 bits; the sketch knows no less than 1 ms. */
    firmata->interval_ms = (unsigned)fmin(fmax(interval_ms, 1.0), 16383.0);
    if (!settings->channel || settings->channel[0] == '\0') {
        return STATUS_OK;
    }
    enum status status =
        driver_channel_parse(settings->channel, CHANNEL_MAX, &firmata->channel);
    if (status == STATUS_OK && firmata->channel >= CHANNEL_DEFAULT) {
        firmata->streams[ANALOG_SCAN].channel_count = firmata->channel + 1;
    }
    return status;
}

static const struct stream_info *firmata_streams_get(const struct driver_context *context,
                                                     unsigned *stream_count)
{
    *stream_count = FIRMATA_STREAM_COUNT;
    return firmata_look(context)->streams;
}

/* The board says nothing of its interval: the whole milliseconds that it is told, from the
 * settings alone, once it sends scans. */
static double firmata_rate_hz_get(const struct driver_context *context)
{
    const struct firmata *firmata = firmata_look(context);
    return firmata->is_settled ? 1000.0 / firmata->interval_ms : 0.0;
}

static const char *firmata_identity_get(const struct driver_context *context)
{
    return firmata_look(context)->identity;
}

static const char *firmata_notice_get(const struct driver_context *context, unsigned *count)
{
    const struct firmata *firmata = firmata_look(context);
    *count = firmata->notice_count;
    return firmata->notice;
}

/* Arduino's own boards, of both companies, then the converters of clones. */
/* Any sketch may be on an Arduino: only an answer proves Firmata. */
static const struct usb_id USB_IDS[] = {{0x2341, 0, true},
                                        {0x2A03, 0, true},
                                        {0x1A86, 0x7523, true},
                                        {0x0403, 0x6001, true},
                                        {0x10C4, 0xEA60, true}};
/* Sketches changed by their owners. */
static const unsigned BAUDS[] = {115200, 0};

extern const struct driver driver_arduino_firmata;

const struct driver driver_arduino_firmata = {
    .name = "arduino-firmata",
    .title = "Arduino with StandardFirmata",
    .streams = STREAMS,
    .stream_count = FIRMATA_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 57600,
    .rate_hz = 100.0,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .bauds = BAUDS,
    .question = QUESTIONS,
    .question_size = sizeof QUESTIONS,
    .init = firmata_init,
    .frame_next = firmata_frame_next,
    .decode = firmata_decode,
    .command_next = firmata_command_next,
    .command_stop = firmata_command_stop,
    .rate_hz_get = firmata_rate_hz_get,
    .streams_get = firmata_streams_get,
    .identity_get = firmata_identity_get,
    .notice_get = firmata_notice_get,
};

/* Measurement Computing USB-1208FS-Plus: eight analog inputs, +-10 V, sampled by its own
 * pacer. Commands are control requests, scans come over a bulk endpoint; both arrive as
 * records of transfers (transport.h). Layouts: W. Jasper's public driver, never compared
 * with bytes of a real unit. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"

enum {
    ENDPOINT_REPLY = 0x80,
    ENDPOINT_SCAN = 0x81,
    SETUP_SIZE = 8,
    PACKET_SIZE = 64,
    REPLY_DATA_MAX = 64,
    FRAME_MAX = TRANSPORT_PACKET_HEAD_SIZE + SETUP_SIZE + REPLY_DATA_MAX,

    TYPE_OUT = 0x40, /* vendor, to the device */
    TYPE_IN = 0xC0,
    REQUEST_SCAN_START = 0x11,
    REQUEST_SCAN_STOP = 0x12,
    REQUEST_RANGES = 0x14,
    REQUEST_CLEAR_FIFO = 0x15,
    REQUEST_CALIBRATION = 0x30,
    REQUEST_STATUS = 0x44,
    REQUEST_SERIAL = 0x48,

    CALIBRATION_SINGLE_ENDED = 0x100, /* slope and intercept of each input, float32 */
    RANGE_10_V = 1,
    OPTION_IMMEDIATE = 0x01, /* each scan is sent at once */
    STATUS_RUNNING = 0x02,
    STATUS_OVERRUN = 0x04,

    /* A packet holds 32 samples: with 4 or 8 inputs a lost one never shifts them. */
    CHANNEL_DEFAULT = 4,
    CHANNEL_MAX = 8,
    SAMPLE_MAX = PACKET_SIZE / 2,
    CODE_MAX = 0xFFF,
    CODE_ZERO = 0x800,

    NOTICE_SIZE = 160,
    IDENTITY_SIZE = 64,
    RETRY_MAX = 3
};

static const int64_t RETRY_NS = 500000000;
/* Scans of an earlier run leave the host's transfers meanwhile. */
static const int64_t DRAIN_NS = 100000000;
static const int64_t REST_NS = 5000000000;
static const double PACER_HZ = 60e6;
static const double SAMPLE_RATE_MAX_HZ = 50000.0;
/* From here on sending each scan at once overruns. */
static const double IMMEDIATE_RATE_MAX_HZ = 100.0;
static const double RANGE_V = 10.0;
/* Constants of a real unit lie closer to 1 and 0. */
static const float SLOPE_DEVIATION_MAX = 0.2F;
static const float INTERCEPT_MAX = 200.0F;
static const double RATE_TOLERANCE = 0.001;

enum mcc_stream {
    ANALOG_SCAN,
    EARLY_ANALOG,
    DEVICE_STATUS,
    MCC_STREAM_COUNT
};

static const struct stream_info STREAMS[MCC_STREAM_COUNT] = {
    [ANALOG_SCAN] = {"analog",
                     STREAM_ANALOG,
                     CHANNEL_DEFAULT,
                     {"analog_0_v", "analog_1_v", "analog_2_v", "analog_3_v", "analog_4_v",
                      "analog_5_v", "analog_6_v", "analog_7_v"},
                     {"V", "V", "V", "V", "V", "V", "V", "V"},
                     {10.0F, 10.0F, 10.0F, 10.0F, 10.0F, 10.0F, 10.0F, 10.0F}},
    /* Of a run that began before this session: kept to be seen, never measured with. */
    [EARLY_ANALOG] =
        {"early_analog", STREAM_STATUS, 1, {"early_analog_count"}, {"1"}, {4095.0F}},
    [DEVICE_STATUS] =
        {"device_status", STREAM_STATUS, 1, {"status_bits"}, {"1"}, {65535.0F}},
};

enum step {
    STEP_STOP,
    STEP_CLEAR,
    STEP_DRAIN,
    STEP_SERIAL,
    STEP_CALIBRATION,
    STEP_RANGES_READ,
    STEP_RANGES_WRITE,
    STEP_START,
    STEP_CHECK, /* whether it runs */
    STEP_RUNNING,
    STEP_OVERRUN, /* what it says about it */
    STEP_REST,
    STEP_COUNT
};

struct dialogue {
    enum step step;
    bool is_set_up; /* all but starting was done */
    unsigned try_count;
    unsigned seen_count;    /* replies to the request before it was sent */
    unsigned overrun_count; /* before the scan was started */
    int64_t sent_ns;
    unsigned stop_step;
};

/* What outlives an unplugging. */
struct mcc_kept {
    bool has_ranges;
    bool is_changed;             /* ranges were told, heard or not */
    uint8_t ranges[CHANNEL_MAX]; /* as found */
    char identity[IDENTITY_SIZE];
};

struct mcc {
    struct stream_info streams[MCC_STREAM_COUNT];
    double asked_hz;
    unsigned channel;
    uint32_t pacer;
    uint8_t options;

    /* From the device's own bytes alone. */
    bool has_heard; /* replies came: a session is being set up */
    bool is_on;
    bool is_rate_known;
    bool is_calibrated;
    bool is_first; /* no scan of this run was given yet */
    bool is_again; /* and it is not the first run */
    float slopes[CHANNEL_MAX];
    float intercepts[CHANNEL_MAX];
    uint64_t position; /* samples of the run so far */
    uint8_t filled;    /* inputs of the scan in hand, without a hole */
    uint16_t codes[CHANNEL_MAX];
    uint16_t status;
    uint8_t ranges[CHANNEL_MAX]; /* in force */
    unsigned overrun_count;

    unsigned reply_counts[256]; /* by request */
    bool reply_refused[256];
    struct dialogue dialogue;

    unsigned notice_count;
    char notice[NOTICE_SIZE];
    char identity[IDENTITY_SIZE];
};

_Static_assert(sizeof(struct mcc) <= DRIVER_CONTEXT_SIZE, "context too small");
_Static_assert(sizeof(struct mcc_kept) <= DRIVER_KEPT_SIZE, "kept too small");

static struct mcc *mcc_of(struct driver_context *context)
{
    return (struct mcc *)(void *)context->memory;
}

static const struct mcc *mcc_look(const struct driver_context *context)
{
    return (const struct mcc *)(const void *)context->memory;
}

static struct mcc_kept *kept_of(struct driver_context *context)
{
    return (struct mcc_kept *)(void *)context->kept;
}

static unsigned channel_count(const struct mcc *mcc)
{
    return mcc->streams[ANALOG_SCAN].channel_count;
}

static void notice_set(struct mcc *mcc, const char *text)
{
    snprintf(mcc->notice, sizeof mcc->notice, "%s", text);
    mcc->notice_count++;
}

/* ---- frames ---- */

/* Whether the first bytes can begin a record of this device; size up to the whole head and
 * the first byte of a reply. */
static bool is_head(const uint8_t *bytes, size_t size)
{
    if (size > 1 && bytes[1] != ENDPOINT_REPLY && bytes[1] != ENDPOINT_SCAN) {
        return false;
    }
    if (size > 2 && bytes[2] > TRANSPORT_PACKET_OVERFLOW) {
        return false;
    }
    if (size < TRANSPORT_PACKET_HEAD_SIZE) {
        return true;
    }
    unsigned data_size = framing_u16(bytes + 3);
    if (bytes[1] == ENDPOINT_SCAN) {
        return data_size <= PACKET_SIZE && data_size % 2 == 0;
    }
    bool is_sized = data_size >= SETUP_SIZE && data_size <= SETUP_SIZE + REPLY_DATA_MAX;
    return is_sized
           && (size == TRANSPORT_PACKET_HEAD_SIZE || (bytes[5] & 0x7F) == TYPE_OUT);
}

/* Whether a record was cut and swallows the next one. Codes have 12 bits: no two bytes of
 * scans look like even the beginning of a record; replies hold anything. */
static bool has_head_inside(const uint8_t *frame, size_t size)
{
    const size_t whole = TRANSPORT_PACKET_HEAD_SIZE;
    bool is_scan = frame[1] == ENDPOINT_SCAN;
    for (size_t first = whole; first < size; first++) {
        size_t left = size - first < whole ? size - first : whole;
        if (frame[first] == TRANSPORT_PACKET_MARK && (is_scan || left == whole)
            && is_head(frame + first, left)) {
            return true;
        }
    }
    return false;
}

static enum frame_verdict mcc_frame_next(const struct driver_context *context,
                                         const uint8_t *bytes, size_t size,
                                         size_t *frame_size)
{
    (void)context;
    if (bytes[0] != TRANSPORT_PACKET_MARK) {
        const uint8_t *mark = memchr(bytes, TRANSPORT_PACKET_MARK, size);
        *frame_size = mark ? (size_t)(mark - bytes) : size;
        return FRAME_SKIP;
    }
    if (!is_head(bytes, size)) {
        *frame_size = 1;
        return FRAME_SKIP;
    }
    if (size < TRANSPORT_PACKET_HEAD_SIZE) {
        return FRAME_NEED_MORE;
    }
    *frame_size = TRANSPORT_PACKET_HEAD_SIZE + (size_t)framing_u16(bytes + 3);
    if (size < *frame_size) {
        return FRAME_NEED_MORE;
    }
    if (has_head_inside(bytes, *frame_size)) {
        *frame_size = 1;
        return FRAME_SKIP;
    }
    return FRAME_FOUND;
}

/* ---- scans ---- */

static void scan_fill(struct mcc *mcc, uint64_t index, struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = ANALOG_SCAN;
    sample->channel_count = (uint8_t)channel_count(mcc);
    sample->device_ticks = index;
    sample->flags = mcc->is_calibrated ? 0 : SAMPLE_UNCALIBRATED;
    for (unsigned input = 0; input < channel_count(mcc); input++) {
        double code = (double)mcc->codes[input] * (double)mcc->slopes[input]
                      + (double)mcc->intercepts[input];
        sample->values[input] = (float)((code - CODE_ZERO) * RANGE_V / CODE_ZERO);
    }
    uint16_t code = mcc->codes[mcc->channel];
    if (code == 0 || code == CODE_MAX) {
        sample->flags |= SAMPLE_CLIPPED;
    }
    if (mcc->is_first && mcc->is_again) {
        sample->flags |= SAMPLE_GAP_BEFORE;
    }
    mcc->is_first = false;
}

/* @return Count of samples given. */
static int code_take(struct mcc *mcc, uint16_t code, struct sample *sample)
{
    unsigned place = (unsigned)(mcc->position % channel_count(mcc));
    uint64_t index = mcc->position / channel_count(mcc);
    mcc->position++;
    mcc->filled = place == 0 ? 0 : mcc->filled;
    if (mcc->filled != place) {
        return 0; /* the beginning of this scan was damaged */
    }
    mcc->codes[place] = code;
    mcc->filled++;
    if (place + 1 < channel_count(mcc)) {
        return 0;
    }
    scan_fill(mcc, index, sample);
    return 1;
}

static void run_begin(struct mcc *mcc)
{
    mcc->is_again = mcc->is_again || mcc->position > 0;
    mcc->is_first = true;
    mcc->is_on = true;
    mcc->position = 0;
    mcc->filled = 0;
}

static int early_fill(uint16_t code, struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    sample->stream = EARLY_ANALOG;
    sample->channel_count = 1;
    sample->flags = SAMPLE_UNCALIBRATED;
    sample->values[0] = code;
    return 1;
}

static bool has_impossible(const uint8_t *data, size_t size)
{
    bool is_any = false;
    for (size_t index = 0; index < size; index += 2) {
        is_any = is_any || framing_u16(data + index) > CODE_MAX;
    }
    return is_any;
}

static void overrun_note(struct mcc *mcc)
{
    mcc->overrun_count++;
    mcc->is_on = false;
    mcc->has_heard = true;
    notice_set(mcc,
               "MCC USB-1208FS-Plus: its buffer ran over and it is started again; set a "
               "lower rate or close other programs");
}

static int packet_decode(struct mcc *mcc, uint8_t status, const uint8_t *data, size_t size,
                         struct sample *samples)
{
    if (status != TRANSPORT_PACKET_OK) {
        overrun_note(mcc);
        return 0;
    }
    if (!mcc->is_on && !mcc->has_heard) {
        run_begin(mcc); /* a capture of the scans alone */
    }
    if (has_impossible(data, size)) {
        mcc->position += size / 2;
        mcc->filled = CHANNEL_MAX + 1;
        return -1;
    }
    int count = 0;
    for (size_t index = 0; index < size; index += 2) {
        uint16_t code = framing_u16(data + index);
        count += mcc->is_on ? code_take(mcc, code, &samples[count])
                            : early_fill(code, &samples[count]);
    }
    return count;
}

/* ---- replies ---- */

static void calibration_decode(struct mcc *mcc, const uint8_t *data)
{
    float slopes[CHANNEL_MAX];
    float intercepts[CHANNEL_MAX];
    bool is_plausible = true;
    for (unsigned input = 0; input < CHANNEL_MAX; input++) {
        slopes[input] = framing_f32(data + 8 * (size_t)input);
        intercepts[input] = framing_f32(data + 8 * (size_t)input + 4);
        /* Also false for what is not a number. */
        is_plausible = is_plausible && fabsf(slopes[input] - 1.0F) <= SLOPE_DEVIATION_MAX
                       && fabsf(intercepts[input]) <= INTERCEPT_MAX;
    }
    if (!is_plausible) {
        notice_set(mcc,
                   "MCC USB-1208FS-Plus: its calibration memory is empty; readings are "
                   "nominal");
        return;
    }
    memcpy(mcc->slopes, slopes, sizeof slopes);
    memcpy(mcc->intercepts, intercepts, sizeof intercepts);
    mcc->is_calibrated = true;
}

static void serial_decode(struct mcc *mcc, const uint8_t *data)
{
    char serial[9] = {0};
    for (unsigned index = 0; index < 8; index++) {
        serial[index] = (char)(data[index] > ' ' && data[index] <= '~' ? data[index] : '?');
    }
    snprintf(mcc->identity, sizeof mcc->identity, "MCC USB-1208FS-Plus %s", serial);
}

static int status_decode(struct mcc *mcc, const uint8_t *data, struct sample *sample)
{
    mcc->status = framing_u16(data);
    memset(sample, 0, sizeof *sample);
    sample->stream = DEVICE_STATUS;
    sample->channel_count = 1;
    sample->values[0] = mcc->status;
    return 1;
}

static double plan_rate_hz(const struct mcc *mcc)
{
    return PACER_HZ / ((double)mcc->pacer + 1.0);
}

static void started_note(struct mcc *mcc)
{
    run_begin(mcc);
    double rate_hz = plan_rate_hz(mcc);
    if (!mcc->is_rate_known
        && fabs(rate_hz - mcc->asked_hz) > RATE_TOLERANCE * mcc->asked_hz) {
        snprintf(mcc->notice, sizeof mcc->notice,
                 "asked for %g Hz, the MCC USB-1208FS-Plus takes %g Hz with %u inputs",
                 mcc->asked_hz, rate_hz, channel_count(mcc));
        mcc->notice_count++;
    }
    mcc->is_rate_known = true;
}

/* @param data  After the setup bytes. */
static int answer_decode(struct mcc *mcc, const uint8_t *setup, const uint8_t *data,
                         size_t size, struct sample *samples)
{
    bool is_in = setup[0] == TYPE_IN;
    switch (setup[1]) {
    case REQUEST_SCAN_START:
        started_note(mcc);
        return 0;
    case REQUEST_SCAN_STOP:
        mcc->is_on = false;
        return 0;
    case REQUEST_RANGES:
        if (is_in && size == CHANNEL_MAX) {
            memcpy(mcc->ranges, data, CHANNEL_MAX);
        }
        return 0;
    case REQUEST_CALIBRATION:
        if (is_in && size == REPLY_DATA_MAX
            && framing_u16(setup + 2) == CALIBRATION_SINGLE_ENDED) {
            calibration_decode(mcc, data);
        }
        return 0;
    case REQUEST_STATUS:
        return is_in && size == 2 ? status_decode(mcc, data, samples) : 0;
    case REQUEST_SERIAL:
        if (is_in && size == 8) {
            serial_decode(mcc, data);
        }
        return 0;
    default:
        return 0;
    }
}

static int reply_decode(struct mcc *mcc, uint8_t status, const uint8_t *setup, size_t size,
                        struct sample *samples)
{
    mcc->has_heard = true;
    mcc->reply_counts[setup[1]]++;
    mcc->reply_refused[setup[1]] = status != TRANSPORT_PACKET_OK;
    if (status != TRANSPORT_PACKET_OK) {
        return 0;
    }
    return answer_decode(mcc, setup, setup + SETUP_SIZE, size - SETUP_SIZE, samples);
}

static int mcc_decode(struct driver_context *context, const uint8_t *frame,
                      size_t frame_size, struct sample *samples)
{
    struct mcc *mcc = mcc_of(context);
    const uint8_t *data = frame + TRANSPORT_PACKET_HEAD_SIZE;
    size_t size = frame_size - TRANSPORT_PACKET_HEAD_SIZE;
    return frame[1] == ENDPOINT_SCAN ? packet_decode(mcc, frame[2], data, size, samples)
                                     : reply_decode(mcc, frame[2], data, size, samples);
}

/* ---- commands ---- */

/* The request of a step: setup bytes as they stand on the wire. */
struct request {
    uint8_t type;
    uint8_t request;
    uint16_t value;
    uint16_t size;
};

static const struct request REQUESTS[STEP_COUNT] = {
    [STEP_STOP] = {TYPE_OUT, REQUEST_SCAN_STOP, 0, 0},
    [STEP_CLEAR] = {TYPE_OUT, REQUEST_CLEAR_FIFO, 0, 0},
    [STEP_SERIAL] = {TYPE_IN, REQUEST_SERIAL, 0, 8},
    [STEP_CALIBRATION] = {TYPE_IN, REQUEST_CALIBRATION, CALIBRATION_SINGLE_ENDED, 64},
    [STEP_RANGES_READ] = {TYPE_IN, REQUEST_RANGES, 0, CHANNEL_MAX},
    [STEP_RANGES_WRITE] = {TYPE_OUT, REQUEST_RANGES, 0, CHANNEL_MAX},
    [STEP_START] = {TYPE_OUT, REQUEST_SCAN_START, 0, 14},
    [STEP_CHECK] = {TYPE_IN, REQUEST_STATUS, 0, 2},
    [STEP_OVERRUN] = {TYPE_IN, REQUEST_STATUS, 0, 2},
};

static const uint8_t QUESTION[SETUP_SIZE] = {TYPE_IN, REQUEST_SERIAL, 0, 0, 0, 0, 8, 0};

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (unsigned index = 0; index < 4; index++) {
        bytes[index] = (uint8_t)(value >> 8 * index);
    }
}

static size_t setup_put(const struct request *request, uint8_t *bytes)
{
    const uint8_t setup[SETUP_SIZE] = {request->type,
                                       request->request,
                                       (uint8_t)request->value,
                                       (uint8_t)(request->value >> 8),
                                       0,
                                       0,
                                       (uint8_t)request->size,
                                       (uint8_t)(request->size >> 8)};
    memcpy(bytes, setup, sizeof setup);
    return SETUP_SIZE + (request->type == TYPE_OUT ? (size_t)request->size : 0);
}

/* The request of the step, with its data. */
static size_t step_send(const struct mcc *mcc, enum step step, uint8_t *bytes)
{
    size_t size = setup_put(&REQUESTS[step], bytes);
    uint8_t *data = bytes + SETUP_SIZE;
    if (step == STEP_RANGES_WRITE) {
        memset(data, RANGE_10_V, CHANNEL_MAX);
    } else if (step == STEP_START) {
        put_u32(data, 0);     /* until it is stopped */
        put_u32(data + 4, 0); /* no trigger */
        put_u32(data + 8, mcc->pacer);
        data[12] = (uint8_t)((1u << channel_count(mcc)) - 1);
        data[13] = mcc->options;
    }
    return size;
}

static void step_enter(struct mcc *mcc, enum step step, int64_t now_ns)
{
    mcc->dialogue.step = step;
    mcc->dialogue.try_count = 0;
    mcc->dialogue.sent_ns = now_ns;
}

static enum step step_after_start(struct mcc *mcc, bool is_refused)
{
    mcc->dialogue.overrun_count = mcc->overrun_count;
    if (is_refused) {
        notice_set(mcc, "MCC USB-1208FS-Plus refused to start; it is tried again");
    }
    return is_refused ? STEP_REST : STEP_CHECK;
}

static enum step step_after_check(struct mcc *mcc)
{
    bool is_running = mcc->status & STATUS_RUNNING;
    if (!is_running && mcc->overrun_count == mcc->dialogue.overrun_count) {
        notice_set(mcc, "MCC USB-1208FS-Plus does not run after its start; it is tried "
                        "again");
        return STEP_REST;
    }
    return STEP_RUNNING;
}

/* What was found in another unit is nothing to put back into this one. */
static void unit_note(const struct mcc *mcc, struct mcc_kept *kept)
{
    if (strcmp(kept->identity, mcc->identity) != 0) {
        memset(kept, 0, sizeof *kept);
        memcpy(kept->identity, mcc->identity, sizeof kept->identity);
    }
}

/* Only what is known is changed, so that it can be put back; and only if it differs. */
static enum step step_after_ranges_read(struct mcc *mcc, struct mcc_kept *kept,
                                        bool is_refused)
{
    bool is_right = true;
    for (unsigned input = 0; input < CHANNEL_MAX; input++) {
        is_right = is_right && mcc->ranges[input] == RANGE_10_V;
    }
    if (!kept->has_ranges && !is_refused) {
        memcpy(kept->ranges, mcc->ranges, CHANNEL_MAX);
        kept->has_ranges = true;
    }
    if (is_refused) {
        notice_set(mcc, "MCC USB-1208FS-Plus: its ranges cannot be read; readings hold "
                        "if they are +-10 V");
    }
    if (is_right || is_refused) {
        mcc->dialogue.is_set_up = true;
        return STEP_START;
    }
    return STEP_RANGES_WRITE;
}

/* The step was answered: keep what was found, choose the next. */
static enum step step_after(struct mcc *mcc, struct mcc_kept *kept, bool is_refused)
{
    switch (mcc->dialogue.step) {
    case STEP_STOP:
        return STEP_CLEAR;
    case STEP_CLEAR:
        return mcc->dialogue.is_set_up ? STEP_START : STEP_DRAIN;
    case STEP_SERIAL:
        unit_note(mcc, kept);
        return STEP_CALIBRATION;
    case STEP_CALIBRATION:
        if (is_refused) {
            notice_set(mcc, "MCC USB-1208FS-Plus: its calibration memory cannot be read; "
                            "readings are nominal");
        }
        return STEP_RANGES_READ;
    case STEP_RANGES_READ:
        return step_after_ranges_read(mcc, kept, is_refused);
    case STEP_RANGES_WRITE:
        mcc->dialogue.is_set_up = true;
        return STEP_START;
    case STEP_START:
        return step_after_start(mcc, is_refused);
    case STEP_CHECK:
        return step_after_check(mcc);
    case STEP_OVERRUN:
        return STEP_STOP;
    case STEP_DRAIN:
    case STEP_RUNNING:
    case STEP_REST:
    case STEP_COUNT:
        break;
    }
    return mcc->dialogue.step;
}

/* Steps that wait for time or for an event.
 * @return Whether there is nothing to send. */
static bool step_waits(struct mcc *mcc, int64_t now_ns)
{
    const struct dialogue *dialogue = &mcc->dialogue;
    int64_t waited_ns = now_ns - dialogue->sent_ns;
    if (dialogue->step == STEP_RUNNING && mcc->overrun_count != dialogue->overrun_count) {
        step_enter(mcc, STEP_OVERRUN, now_ns);
    } else if (dialogue->step == STEP_DRAIN && waited_ns >= DRAIN_NS) {
        step_enter(mcc, STEP_SERIAL, now_ns);
    } else if (dialogue->step == STEP_REST && waited_ns >= REST_NS) {
        mcc->dialogue.is_set_up = false;
        step_enter(mcc, STEP_STOP, now_ns);
    }
    return dialogue->step == STEP_RUNNING || dialogue->step == STEP_DRAIN
           || dialogue->step == STEP_REST;
}

/* Send the request of the step, again when it was not answered. */
static size_t step_try(struct mcc *mcc, int64_t now_ns, uint8_t *bytes)
{
    struct dialogue *dialogue = &mcc->dialogue;
    if (dialogue->try_count > 0 && now_ns - dialogue->sent_ns < RETRY_NS) {
        return 0;
    }
    if (dialogue->try_count == RETRY_MAX) {
        notice_set(mcc, "MCC USB-1208FS-Plus does not answer; unplug it and plug it in");
        step_enter(mcc, STEP_REST, now_ns);
        return 0;
    }
    dialogue->try_count++;
    dialogue->sent_ns = now_ns;
    dialogue->seen_count = mcc->reply_counts[REQUESTS[dialogue->step].request];
    return step_send(mcc, dialogue->step, bytes);
}

static size_t mcc_command_next(struct driver_context *context, int64_t now_ns,
                               uint8_t *bytes)
{
    struct mcc *mcc = mcc_of(context);
    struct dialogue *dialogue = &mcc->dialogue;
    if (step_waits(mcc, now_ns)) {
        return 0;
    }
    uint8_t request = REQUESTS[dialogue->step].request;
    if (dialogue->try_count > 0 && mcc->reply_counts[request] != dialogue->seen_count) {
        step_enter(mcc, step_after(mcc, kept_of(context), mcc->reply_refused[request]),
                   now_ns);
        if (step_waits(mcc, now_ns)) {
            return 0;
        }
    }
    size_t size = step_try(mcc, now_ns, bytes);
    if (size > 0 && dialogue->step == STEP_RANGES_WRITE) {
        kept_of(context)->is_changed = true; /* also when its answer gets lost */
    }
    return size;
}

static size_t mcc_command_stop(struct driver_context *context, uint8_t *bytes)
{
    struct mcc *mcc = mcc_of(context);
    struct mcc_kept *kept = kept_of(context);
    unsigned stop_step = mcc->dialogue.stop_step++;
    if (stop_step == 0) {
        return step_send(mcc, STEP_STOP, bytes);
    }
    if (stop_step == 1 && kept->has_ranges && kept->is_changed) {
        kept->is_changed = false;
        size_t size = step_send(mcc, STEP_RANGES_WRITE, bytes);
        memcpy(bytes + SETUP_SIZE, kept->ranges, CHANNEL_MAX);
        return size;
    }
    mcc->dialogue = (struct dialogue){.step = STEP_STOP};
    return 0;
}

/* ---- the driver ---- */

static void plan_make(struct mcc *mcc)
{
    double rate_hz = fmin(mcc->asked_hz, SAMPLE_RATE_MAX_HZ / channel_count(mcc));
    double pacer = round(PACER_HZ / rate_hz) - 1.0;
    mcc->pacer = (uint32_t)fmin(pacer, (double)UINT32_MAX);
    /* At 100 Hz a packet holds 8 scans of 4 inputs: a scan comes up to 80 ms late. With 8
     * inputs (channel A4 or above) it is 40 ms, below 100 Hz none. */
    mcc->options = rate_hz < IMMEDIATE_RATE_MAX_HZ ? OPTION_IMMEDIATE : 0;
}

static enum status mcc_init(struct driver_context *context,
                            const struct driver_settings *settings)
{
    struct mcc *mcc = mcc_of(context);
    memcpy(mcc->streams, STREAMS, sizeof STREAMS);
    for (unsigned input = 0; input < CHANNEL_MAX; input++) {
        mcc->slopes[input] = 1.0F;
    }
    if (settings->channel && settings->channel[0] != '\0') {
        enum status status =
            driver_channel_parse(settings->channel, CHANNEL_MAX, &mcc->channel);
        if (status) {
            return status;
        }
    }
    if (mcc->channel >= CHANNEL_DEFAULT) {
        mcc->streams[ANALOG_SCAN].channel_count = CHANNEL_MAX;
    }
    mcc->asked_hz = settings->rate_hz > 0.0 ? settings->rate_hz : 100.0;
    plan_make(mcc);
    return STATUS_OK;
}

static const struct stream_info *mcc_streams_get(const struct driver_context *context,
                                                 unsigned *stream_count)
{
    *stream_count = MCC_STREAM_COUNT;
    return mcc_look(context)->streams;
}

static double mcc_tick_s_get(const struct driver_context *context)
{
    return 1.0 / plan_rate_hz(mcc_look(context));
}

static double mcc_rate_hz_get(const struct driver_context *context)
{
    const struct mcc *mcc = mcc_look(context);
    return mcc->is_rate_known ? plan_rate_hz(mcc) : 0.0;
}

static const char *mcc_identity_get(const struct driver_context *context)
{
    return mcc_look(context)->identity;
}

static const char *mcc_notice_get(const struct driver_context *context, unsigned *count)
{
    const struct mcc *mcc = mcc_look(context);
    *count = mcc->notice_count;
    return mcc->notice;
}

static const struct usb_id USB_IDS[] = {{0x09DB, 0x00E8, false}};

/* One packet a transfer: it comes as soon as it is full. */
static const struct transport_usb_profile USB = {.kind = TRANSPORT_USB_REQUEST,
                                                 .transfer_size = PACKET_SIZE,
                                                 .transfer_count = 128,
                                                 .is_packeted = true};

extern const struct driver driver_mcc_usb1208fs_plus;

const struct driver driver_mcc_usb1208fs_plus = {
    .name = "mcc-usb1208fs-plus",
    .title = "MCC USB-1208FS-Plus",
    .streams = STREAMS,
    .stream_count = MCC_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 0.01,
    .usb_ids = USB_IDS,
    .usb_id_count = sizeof USB_IDS / sizeof USB_IDS[0],
    .usb = &USB,
    .is_usb_only = true,
    .question = QUESTION,
    .question_size = sizeof QUESTION,
    .init = mcc_init,
    .frame_next = mcc_frame_next,
    .decode = mcc_decode,
    .command_next = mcc_command_next,
    .command_stop = mcc_command_stop,
    .rate_hz_get = mcc_rate_hz_get,
    .identity_get = mcc_identity_get,
    .streams_get = mcc_streams_get,
    .tick_s_get = mcc_tick_s_get,
    .notice_get = mcc_notice_get,
};

/* Sony DualSense and DualShock 4 as inertial sensors over USB: 64-byte input reports, with
 * replies to GET_REPORT (factory calibration, firmware) in between. Nothing marks a report
 * but its first byte, so what tells one from chance is that counter and clock go on from
 * the report before. Layouts: Linux drivers/hid/hid-playstation.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"

enum {
    REPORT_ID = 0x01,
    REPORT_SIZE = 64,
    CHAIN_MAX = 3,     /* reports in a row that vouch for each other */
    REPLY_RUN_MAX = 2, /* replies that may stand between two reports */
    FRAME_MAX = (CHAIN_MAX + (CHAIN_MAX - 1) * REPLY_RUN_MAX) * REPORT_SIZE,
    AXIS_COUNT = 3,
    ZERO_MAX = 4000,    /* largest offset of a sound sensor, counts: 0.5 g */
    HAT_MAX = 8,        /* directions of the hat, 8 = released */
    CROSS_BIT = 1 << 5, /* in the byte that has the hat in its low half */
    BATTERY_LOW_PERCENT = 10,
    STRIDE_UNKNOWN = -1,
    LEARN_MAX = 2,     /* reports that the step may have from which a pace is learned */
    PACE_SURE = 8,     /* steps that prove a pace */
    RATE_REPORTS = 64, /* steps whose mean is the rate */
    CALIBRATION_TRIES = 3,
    FIRMWARE_TRIES = 2,
    REQUEST_SIZE = 8,
    TEXT_SIZE = 96
};

static const int64_t REPLY_TIMEOUT_NS = 1000000000;
static const double RATE_HZ = 250.0;
/* Steps of clones that do not count differ by less. */
static const double EVEN_SHARE = 1.0 / 8.0;
/* A measured rate this near to 250 Hz is 250 Hz: the host polls every 4 ms. */
static const double RATE_TOLERANCE = 0.02;
/* Scales of a controller without usable calibration (hid-playstation.c): 2048 deg/s and 4 g
 * over int16. */
static const double NOMINAL_GYRO_DEG_S = 2048.0 / 32767.0;
static const double NOMINAL_ACCEL_G = 4.0 / 32767.0;

enum gamepad_stream {
    INERTIAL,
    BATTERY,
    BUTTON,
    TEMPERATURE, /* DualShock 4 only */
    GAMEPAD_STREAM_COUNT
};

enum charge {
    CHARGE_DISCHARGING,
    CHARGE_CHARGING,
    CHARGE_FULL,
    CHARGE_FAULT
};

static const struct stream_info STREAMS[GAMEPAD_STREAM_COUNT] = {
    [INERTIAL] = {"inertial",
                  STREAM_INERTIAL,
                  6,
                  {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                   "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                  {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                  {2000, 2000, 2000, 4, 4, 4}},
    [BATTERY] = {"battery",
                 STREAM_BATTERY,
                 2,
                 {"battery_percent", "battery_charging_state"},
                 {"%", "1"},
                 {100}},
    [BUTTON] = {"button", STREAM_MARKER, 1, {"marker_pressed"}, {"1"}, {1}},
    /* Its scale is not published. */
    [TEMPERATURE] = {"temperature", STREAM_STATUS, 1, {"temperature_count"}, {"1"}, {0}},
};

struct battery {
    double percent;
    enum charge charge;
    bool is_legal;
};

/* Where things stand in the reports of one kind of controller. */
struct layout {
    const char *title;
    uint8_t calibration_id;
    uint8_t calibration_size;
    uint8_t firmware_id;
    uint8_t firmware_size;
    uint8_t firmware_time; /* offset of "06:20:29"; the date stands at 1 */
    uint8_t counter;       /* offset */
    uint8_t counter_shift;
    uint32_t counter_wrap;
    uint8_t buttons; /* offset of the byte with hat and cross */
    uint8_t gyro;
    uint8_t accel;
    uint8_t time;
    uint64_t time_wrap;
    uint8_t time_wraps_max; /* a silence may span so many, when the counter tells them */
    uint8_t temperature;    /* offset, 0 = none */
    double nominal_ticks;   /* of 4 ms */
    uint32_t run_max; /* most reports in one step that counter and clock alone vouch for */
    struct battery (*battery_read)(const uint8_t *report);
    uint8_t requests[2][REQUEST_SIZE]; /* calibration, firmware */
};

/* What orders reports in time. */
struct mark {
    uint32_t counter;
    uint32_t time;
};

/* How a controller counts: genuine ones by one, clones by two or not at all. */
struct pace {
    int stride;
    double period_ticks;
    uint32_t step_count; /* that fitted, one report each */
};

struct calibration {
    double gyro_deg_s[AXIS_COUNT]; /* per count */
    double accel_g[AXIS_COUNT];    /* per count */
    double accel_bias[AXIS_COUNT]; /* counts */
    bool is_factory;
};

struct gamepad {
    const struct layout *layout;
    double wanted_hz;

    struct mark last;
    bool is_running; /* last is of a report */
    struct pace pace;
    uint64_t ticks;
    bool is_clock_lost; /* ticks before the newest report say nothing of those from it on */
    uint32_t sequence;
    double even_ticks; /* of the steps without loss, until the rate is known */
    uint32_t even_count;
    double rate_hz;

    /* The newest frame: where bytes were lost at its end, the next report began in it. */
    uint8_t tail[REPORT_SIZE];
    size_t tail_size;

    struct calibration calibration;
    bool is_calibration_told;
    struct battery battery;
    bool is_battery_told;
    bool is_pressed;
    uint8_t temperature;

    unsigned step; /* of the requests */
    unsigned try_count;
    int64_t sent_ns;

    char identity[TEXT_SIZE];
    bool is_firmware_told;
    char notice[TEXT_SIZE];
    unsigned notice_count;
};

_Static_assert(sizeof(struct gamepad) <= DRIVER_CONTEXT_SIZE, "context too small");

static struct gamepad *gamepad_of(struct driver_context *context)
{
    return (struct gamepad *)(void *)context->memory;
}

static const struct gamepad *gamepad_look(const struct driver_context *context)
{
    return (const struct gamepad *)(const void *)context->memory;
}

static void notice_set(struct gamepad *gamepad, const char *text)
{
    (void)snprintf(gamepad->notice, sizeof gamepad->notice, "%s", text);
    gamepad->notice_count++;
}

/* ---- counter and clock ---- */

static struct mark mark_read(const struct layout *layout, const uint8_t *report)
{
    const uint8_t *time = report + layout->time;
    return (struct mark){
        .counter = (uint32_t)report[layout->counter] >> layout->counter_shift,
        .time = layout->time_wrap > UINT16_MAX + 1u ? framing_u32(time) : framing_u16(time),
    };
}

/* From one report to a later one, each within one wrap. */
static struct mark mark_step(const struct layout *layout, struct mark before,
                             struct mark after)
{
    return (struct mark){
        .counter = (after.counter - before.counter) & (layout->counter_wrap - 1),
        .time = (uint32_t)((after.time - before.time) & (layout->time_wrap - 1)),
    };
}

static struct pace pace_unknown(const struct layout *layout)
{
    return (struct pace){STRIDE_UNKNOWN, layout->nominal_ticks, 0};
}

/* Which way of counting explains a step best: the one whose period is nearest to 4 ms.
 * Clones have been seen at 10 and 20 ms; a host that polls each microframe of high speed
 * gets 0.25 ms, as far as the controller follows.
 * @return Reports in the step, 0 = none explains it. */
static uint32_t pace_learn(const struct layout *layout, struct mark step, struct pace *pace)
{
    const double span = 20.0;
    double best = log(span);
    uint32_t best_count = 0;
    for (uint32_t stride = 0; stride <= 2; stride++) {
        bool is_still = stride == 0;
        if (is_still != (step.counter == 0) || (!is_still && step.counter % stride != 0)) {
            continue;
        }
        uint32_t count = is_still ? 1 : step.counter / stride;
        double period_ticks = (double)step.time / count;
        double distance = fabs(log(fmax(period_ticks, 1.0) / layout->nominal_ticks));
        if (count <= LEARN_MAX && distance <= best) {
            best = distance;
            best_count = count;
            *pace = (struct pace){(int)stride, period_ticks, 0};
        }
    }
    return best_count;
}

static bool is_about(double ticks, double wanted, double share)
{
    return fabs(ticks - wanted) <= wanted * share;
}

/* Clones that do not count are even, but skip a period now and then. With a counter, steps
 * may be uneven, but never so far ahead that the next report would seem to go back: the
 * time of this one may be damaged.
 * @return Reports in the step, 0 = this is not how the controller goes on. */
static uint32_t pace_count(const struct layout *layout, struct mark step,
                           const struct pace *pace)
{
    const double period = pace->period_ticks;
    if (pace->stride == 0) {
        bool is_even = is_about(step.time, period, EVEN_SHARE)
                       || is_about(step.time, 2.0 * period, EVEN_SHARE / 4.0);
        return step.counter == 0 && is_even ? 1 : 0;
    }
    bool is_single = step.time >= period / 2.0 && step.time <= 2.0 * period;
    uint32_t count = step.counter / (uint32_t)pace->stride;
    if (step.counter % (uint32_t)pace->stride != 0 || count > layout->run_max) {
        return 0;
    }
    if (count <= 1) {
        return count == 1 && is_single ? 1 : 0;
    }
    return fabs(step.time - count * period) <= period ? count : 0;
}

/* Reports in a step; an unknown pace is learned from it. 0 = they do not follow. */
static uint32_t pace_step(const struct layout *layout, struct mark before,
                          struct mark after, struct pace *pace)
{
    struct mark step = mark_step(layout, before, after);
    return pace->stride == STRIDE_UNKNOWN ? pace_learn(layout, step, pace)
                                          : pace_count(layout, step, pace);
}

/* ---- frames ---- */

static int axis_read(const uint8_t *bytes, int axis)
{
    return framing_i16(bytes + (size_t)2 * (size_t)axis);
}

/* A controller that is worn feels gravity. */
static bool has_gravity(const struct layout *layout, const uint8_t *report)
{
    double sum = 0.0;
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        double accel_g = axis_read(report + layout->accel, axis) * NOMINAL_ACCEL_G;
        sum += accel_g * accel_g;
    }
    const double norm_min_g = 0.5;
    const double norm_max_g = 2.0;
    return sum >= norm_min_g * norm_min_g && sum <= norm_max_g * norm_max_g;
}

static bool is_believable(const struct layout *layout, const uint8_t *report)
{
    return has_gravity(layout, report) && layout->battery_read(report).is_legal;
}

static bool is_report(const struct layout *layout, const uint8_t *report)
{
    return report[0] == REPORT_ID && (report[layout->buttons] & 0x0F) <= HAT_MAX;
}

/* Whether a scale is what any such controller may have. */
static bool is_near(double scale, double nominal)
{
    return scale >= nominal / 2.0 && scale <= nominal * 2.0;
}

/* Scales of one calibration report; those left empty are the nominal ones.
 * @return false when no controller can have such a calibration. */
static bool calibration_read(const uint8_t *bytes, struct calibration *calibration)
{
    const uint8_t *values = bytes + 1;
    const int speed = axis_read(values, 9) + axis_read(values, 10);
    bool is_sound = true;
    calibration->is_factory = true;
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        int zero = axis_read(values, axis);
        int gyro = abs(axis_read(values, 3 + 2 * axis) - zero)
                   + abs(axis_read(values, 4 + 2 * axis) - zero);
        int plus = axis_read(values, 11 + 2 * axis);
        int range = plus - axis_read(values, 12 + 2 * axis);
        double gyro_deg_s = gyro ? (double)speed / gyro : 0.0;
        double accel_g = range ? 2.0 / range : 0.0;
        /* Whole numbers, as the maker's driver has it; without a range there is none. */
        double bias = range ? plus - range / 2 : 0;
        is_sound = is_sound && abs(zero) <= ZERO_MAX && fabs(bias) <= ZERO_MAX
                   && (gyro == 0 || is_near(gyro_deg_s, NOMINAL_GYRO_DEG_S))
                   && (range == 0 || is_near(accel_g, NOMINAL_ACCEL_G));
        bool is_factory = gyro_deg_s > 0.0 && accel_g > 0.0;
        calibration->gyro_deg_s[axis] = gyro_deg_s > 0.0 ? gyro_deg_s : NOMINAL_GYRO_DEG_S;
        calibration->accel_g[axis] = accel_g > 0.0 ? accel_g : NOMINAL_ACCEL_G;
        calibration->accel_bias[axis] = bias;
        calibration->is_factory = calibration->is_factory && is_factory;
    }
    return is_sound;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* "Aug 18 2020" at 1 and "06:20:29" further on. */
static bool is_firmware(const struct layout *layout, const uint8_t *bytes)
{
    const uint8_t *time = bytes + layout->firmware_time;
    for (int i = 1; i <= 11; i++) {
        if (bytes[i] < ' ' || bytes[i] > '~') {
            return false;
        }
    }
    return bytes[4] == ' ' && is_digit(bytes[6]) && bytes[7] == ' ' && is_digit(bytes[8])
           && is_digit(bytes[11]) && is_digit(time[0]) && time[2] == ':'
           && is_digit(time[4]) && time[5] == ':';
}

/* @param reply_size  Out for FOUND. */
static enum frame_verdict reply_check(const struct layout *layout, const uint8_t *bytes,
                                      size_t size, size_t *reply_size)
{
    bool is_calibration = bytes[0] == layout->calibration_id;
    if (!is_calibration && bytes[0] != layout->firmware_id) {
        return FRAME_SKIP;
    }
    size_t wanted = is_calibration ? layout->calibration_size : layout->firmware_size;
    if (size < wanted) {
        return FRAME_NEED_MORE;
    }
    struct calibration unused;
    bool is_sound =
        is_calibration ? calibration_read(bytes, &unused) : is_firmware(layout, bytes);
    *reply_size = wanted;
    return is_sound ? FRAME_FOUND : FRAME_SKIP;
}

/* Step over replies to the next report.
 * @param offset  In and out. FOUND = a whole report stands there. */
static enum frame_verdict report_next(const struct layout *layout, const uint8_t *bytes,
                                      size_t size, size_t *offset)
{
    for (int i = 0; i < REPLY_RUN_MAX && *offset < size; i++) {
        size_t reply_size = 0;
        enum frame_verdict verdict =
            reply_check(layout, bytes + *offset, size - *offset, &reply_size);
        if (verdict == FRAME_NEED_MORE) {
            return verdict;
        }
        *offset += reply_size;
        if (verdict == FRAME_SKIP) {
            break;
        }
    }
    if (*offset < size && bytes[*offset] != REPORT_ID) {
        return FRAME_SKIP;
    }
    if (size - *offset < REPORT_SIZE) {
        return FRAME_NEED_MORE;
    }
    return is_report(layout, bytes + *offset) ? FRAME_FOUND : FRAME_SKIP;
}

/* One period apart, and gravity in both. */
static bool is_even(const struct layout *layout, const uint8_t *report, const uint8_t *next,
                    double period_ticks)
{
    struct mark step =
        mark_step(layout, mark_read(layout, report), mark_read(layout, next));
    return is_about(step.time, period_ticks, EVEN_SHARE) && has_gravity(layout, report)
           && has_gravity(layout, next);
}

/* Whether those behind a report go on from it, whatever came before: one where the pace is
 * known, else two.
 * @param pace  Known for sure, or unknown. */
static enum frame_verdict chain_check(const struct layout *layout, struct pace pace,
                                      const uint8_t *bytes, size_t size)
{
    const bool is_known = pace.stride != STRIDE_UNKNOWN;
    const int wanted = is_known ? CHAIN_MAX - 1 : CHAIN_MAX;
    size_t offset = 0;
    for (int length = 1; length < wanted; length++) {
        size_t next = offset + REPORT_SIZE;
        enum frame_verdict verdict =
            next <= size ? report_next(layout, bytes, size, &next) : FRAME_NEED_MORE;
        if (verdict != FRAME_FOUND) {
            return verdict;
        }
        uint32_t count = pace_step(layout, mark_read(layout, bytes + offset),
                                   mark_read(layout, bytes + next), &pace);
        bool must_be_even = is_known || pace.stride == 0;
        if (count != 1
            || (must_be_even
                && !is_even(layout, bytes + offset, bytes + next, pace.period_ticks))) {
            return FRAME_SKIP;
        }
        offset = next;
    }
    return FRAME_FOUND;
}

/* @return Reports from the newest to this one, 0 = it does not go on from there. */
static uint32_t goes_on(const struct gamepad *gamepad, const uint8_t *report)
{
    struct pace pace = gamepad->pace;
    return pace_step(gamepad->layout, gamepad->last, mark_read(gamepad->layout, report),
                     &pace);
}

/* Goes on where chance had many tries to make it seem so: only the next or, where the next
 * may be damaged, the one after it. */
static bool goes_on_surely(const struct gamepad *gamepad, const uint8_t *report,
                           uint32_t count_max)
{
    const struct layout *layout = gamepad->layout;
    if (!is_report(layout, report) || gamepad->pace.stride == STRIDE_UNKNOWN) {
        return false;
    }
    uint32_t count = goes_on(gamepad, report);
    return count > 0 && count <= count_max
           && (gamepad->pace.stride > 0 || has_gravity(layout, report));
}

/* First place from start on where a report begins that surely goes on; size = none. */
static size_t sure_find(const struct gamepad *gamepad, const uint8_t *bytes, size_t size,
                        size_t start)
{
    for (; start + REPORT_SIZE <= size; start++) {
        if (bytes[start] == REPORT_ID && goes_on_surely(gamepad, bytes + start, 2)) {
            return start;
        }
    }
    return size;
}

/* Begins a run of reports: in the pace known for sure, or in a new one. */
static enum frame_verdict run_check(const struct gamepad *gamepad, const uint8_t *bytes,
                                    size_t size)
{
    const struct layout *layout = gamepad->layout;
    enum frame_verdict verdict = FRAME_SKIP;
    if (!is_report(layout, bytes)) {
        return FRAME_SKIP;
    }
    if (gamepad->pace.step_count >= PACE_SURE) {
        verdict = chain_check(layout, gamepad->pace, bytes, size);
    }
    return verdict == FRAME_SKIP ? chain_check(layout, pace_unknown(layout), bytes, size)
                                 : verdict;
}

/* Out of step: find a report that begins at the front or, where the newest frame had lost
 * bytes, inside that. One that seems to begin a run is none if a sure one begins in it.
 * @param frame_size  Out for FOUND: bytes of it at the front. */
static enum frame_verdict search(const struct gamepad *gamepad, const uint8_t *bytes,
                                 size_t size, size_t *frame_size)
{
    uint8_t joined[REPORT_SIZE + FRAME_MAX];
    const size_t tail_size = gamepad->tail_size;
    const size_t joined_size = tail_size + (size < FRAME_MAX ? size : FRAME_MAX);
    memcpy(joined, gamepad->tail, tail_size);
    memcpy(joined + tail_size, bytes, joined_size - tail_size);
    size_t sure = 0;
    /* The tail's first byte began the newest frame itself. */
    for (size_t start = tail_size > 0 ? 1 : 0; start <= tail_size; start++) {
        if (joined[start] != REPORT_ID) {
            continue;
        }
        if (start + REPORT_SIZE > joined_size) {
            return FRAME_NEED_MORE;
        }
        *frame_size = start + REPORT_SIZE - tail_size;
        if (goes_on_surely(gamepad, joined + start, 1)) {
            return FRAME_FOUND;
        }
        sure = sure > start ? sure : sure_find(gamepad, joined, joined_size, start + 1);
        if (sure < joined_size && sure < start + REPORT_SIZE) {
            continue;
        }
        enum frame_verdict verdict =
            run_check(gamepad, joined + start, joined_size - start);
        if (verdict != FRAME_SKIP) {
            return verdict;
        }
    }
    *frame_size = 1;
    return FRAME_SKIP;
}

static enum frame_verdict gamepad_frame_next(const struct driver_context *context,
                                             const uint8_t *bytes, size_t size,
                                             size_t *frame_size)
{
    const struct gamepad *gamepad = gamepad_look(context);
    const struct layout *layout = gamepad->layout;
    enum frame_verdict verdict = reply_check(layout, bytes, size, frame_size);
    if (verdict != FRAME_SKIP) {
        return verdict;
    }
    *frame_size = REPORT_SIZE;
    bool is_start = bytes[0] == REPORT_ID;
    if (is_start && size < REPORT_SIZE) {
        return FRAME_NEED_MORE;
    }
    /* In step, a report is given as soon as it is whole; else the next has to confirm it.
     * The very first is believed if its values are. */
    if (is_start && is_report(layout, bytes)
        && (gamepad->is_running ? goes_on(gamepad, bytes) > 0
                                : is_believable(layout, bytes))) {
        return FRAME_FOUND;
    }
    return search(gamepad, bytes, size, frame_size);
}

/* ---- reports ---- */

static void pace_forget(struct gamepad *gamepad)
{
    gamepad->pace = pace_unknown(gamepad->layout);
    if (gamepad->even_count < RATE_REPORTS) {
        gamepad->even_count = 0;
        gamepad->even_ticks = 0.0;
    }
}

/* A silence too long for one step. The wraps of the clock that passed are those for which
 * the counter fits; without a counter, or when none fits, none is assumed and the pace is
 * learned anew. A short clock with a short counter says the same after 1.2 s and after 5 s:
 * where it wrapped at all, the count is the least that fits, and the clock begins anew.
 * @param count  Out: reports, lost ones too. @return Ticks that passed. */
static uint64_t silence_measure(struct gamepad *gamepad, struct mark step, uint32_t *count)
{
    const struct layout *layout = gamepad->layout;
    const double period = gamepad->pace.period_ticks;
    const int stride = gamepad->pace.stride;
    uint64_t ticks = step.time;
    for (int turn = 0; turn < layout->time_wraps_max && stride > 0; turn++) {
        double reports = round((double)ticks / period);
        double wrap = (double)(layout->counter_wrap / (uint32_t)stride);
        double miss = remainder((double)step.counter / stride - reports, wrap);
        if (fabs(miss) <= 1.0 + reports / 128.0 && reports + miss >= 1.0) {
            *count = (uint32_t)(reports + miss);
            gamepad->is_clock_lost = turn > 0 && layout->time_wraps_max > 1;
            return ticks;
        }
        ticks += layout->time_wrap;
    }
    pace_forget(gamepad);
    /* Without a counter a loss shows in time alone. */
    bool is_lost = stride > 0 || step.time > 3.5 * period;
    gamepad->is_clock_lost = is_lost && layout->time_wraps_max > 1;
    *count = is_lost ? (uint32_t)fmax(round(step.time / period), 2.0) : 1;
    return step.time;
}

/* After a silence or a restart.
 * @return Reports passed. */
static uint32_t report_resume(struct gamepad *gamepad, struct mark mark)
{
    const struct layout *layout = gamepad->layout;
    struct mark step = mark_step(layout, gamepad->last, mark);
    uint32_t count = 1;
    if (layout->time_wrap > UINT32_MAX && step.time > UINT32_MAX / 2) {
        gamepad->ticks = mark.time; /* a clock that went back: switched off and on */
        pace_forget(gamepad);
    } else {
        gamepad->ticks += silence_measure(gamepad, step, &count);
    }
    return count;
}

static void rate_measure(struct gamepad *gamepad, double step_ticks)
{
    gamepad->even_ticks += step_ticks;
    gamepad->even_count++;
    if (gamepad->even_count != RATE_REPORTS) {
        return;
    }
    /* nominal_ticks are those of 250 Hz. */
    double rate_hz =
        RATE_HZ * gamepad->layout->nominal_ticks * RATE_REPORTS / gamepad->even_ticks;
    bool is_nominal = fabs(rate_hz / RATE_HZ - 1.0) <= RATE_TOLERANCE;
    gamepad->rate_hz = is_nominal ? RATE_HZ : round(rate_hz);
    if (gamepad->wanted_hz > 0.0
        && fabs(gamepad->rate_hz / gamepad->wanted_hz - 1.0) > RATE_TOLERANCE) {
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text,
                       "asked for %.0f Hz; the controller always sends %.0f Hz",
                       gamepad->wanted_hz, gamepad->rate_hz);
        notice_set(gamepad, text);
    }
}

/* Unwrap counter and clock.
 * @return false for a report that came before already. */
static bool report_time(struct gamepad *gamepad, struct mark mark)
{
    const struct layout *layout = gamepad->layout;
    gamepad->is_clock_lost = false;
    if (!gamepad->is_running) {
        gamepad->is_running = true;
        gamepad->ticks = mark.time;
        gamepad->sequence = mark.counter;
        gamepad->last = mark;
        return true;
    }
    struct mark step = mark_step(layout, gamepad->last, mark);
    if (step.time == 0 && step.counter == 0) {
        return false;
    }
    uint32_t count = pace_step(layout, gamepad->last, mark, &gamepad->pace);
    if (count == 0) {
        count = report_resume(gamepad, mark);
    } else {
        gamepad->ticks += step.time;
    }
    if (count == 1 && gamepad->pace.stride != STRIDE_UNKNOWN) {
        /* The clocks of host and controller drift slowly. */
        const double period = gamepad->pace.period_ticks;
        if (step.time < 1.5 * period) {
            gamepad->pace.period_ticks += (step.time - period) / 32.0;
        }
        gamepad->pace.step_count++;
        rate_measure(gamepad, step.time);
    }
    gamepad->sequence += count;
    gamepad->last = mark;
    return true;
}

static struct sample *sample_begin(const struct gamepad *gamepad, struct sample *sample,
                                   enum gamepad_stream stream)
{
    const struct battery *battery = &gamepad->battery;
    memset(sample, 0, sizeof *sample);
    sample->device_ticks = gamepad->ticks;
    sample->stream = (uint8_t)stream;
    sample->channel_count = (uint8_t)STREAMS[stream].channel_count;
    if (battery->charge == CHARGE_DISCHARGING && battery->percent <= BATTERY_LOW_PERCENT) {
        sample->flags |= SAMPLE_LOW_BATTERY;
    }
    return sample;
}

static void inertial_fill(const struct gamepad *gamepad, const uint8_t *report,
                          struct sample *sample)
{
    const struct calibration *calibration = &gamepad->calibration;
    sample_begin(gamepad, sample, INERTIAL);
    sample->sequence = gamepad->sequence;
    sample->flags |= calibration->is_factory ? 0 : SAMPLE_UNCALIBRATED;
    sample->flags |= gamepad->is_clock_lost ? SAMPLE_CLOCK_RESTARTED : 0;
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        int gyro = axis_read(report + gamepad->layout->gyro, axis);
        int accel = axis_read(report + gamepad->layout->accel, axis);
        sample->values[axis] = (float)(gyro * calibration->gyro_deg_s[axis]);
        sample->values[AXIS_COUNT + axis] =
            (float)((accel - calibration->accel_bias[axis]) * calibration->accel_g[axis]);
        if (abs(gyro) >= INT16_MAX || abs(accel) >= INT16_MAX) {
            sample->flags |= SAMPLE_CLIPPED;
        }
    }
}

/* What changes seldom is told when it does.
 * @return Samples given. */
static int changes_fill(struct gamepad *gamepad, const uint8_t *report,
                        bool is_battery_changed, struct sample *samples)
{
    const struct layout *layout = gamepad->layout;
    int count = 0;
    if (is_battery_changed) {
        struct sample *sample = sample_begin(gamepad, &samples[count++], BATTERY);
        sample->values[0] = (float)gamepad->battery.percent;
        sample->values[1] = (float)gamepad->battery.charge;
    }
    bool is_pressed = report[layout->buttons] & CROSS_BIT;
    if (is_pressed != gamepad->is_pressed) {
        gamepad->is_pressed = is_pressed;
        sample_begin(gamepad, &samples[count++], BUTTON)->values[0] = is_pressed;
    }
    if (layout->temperature && report[layout->temperature] != gamepad->temperature) {
        gamepad->temperature = report[layout->temperature];
        sample_begin(gamepad, &samples[count++], TEMPERATURE)->values[0] =
            gamepad->temperature;
    }
    return count;
}

static int report_decode(struct gamepad *gamepad, const uint8_t *report,
                         struct sample *samples)
{
    if (!report_time(gamepad, mark_read(gamepad->layout, report))) {
        return 0;
    }
    struct battery battery = gamepad->layout->battery_read(report);
    bool is_changed = !gamepad->is_battery_told || battery.charge != gamepad->battery.charge
                      || battery.percent != gamepad->battery.percent;
    gamepad->battery = battery;
    gamepad->is_battery_told = true;
    inertial_fill(gamepad, report, &samples[0]);
    int count = 1 + changes_fill(gamepad, report, is_changed, samples + 1);
    return count;
}

static void reply_decode(struct gamepad *gamepad, const uint8_t *bytes)
{
    if (bytes[0] == gamepad->layout->firmware_id) {
        (void)snprintf(gamepad->identity, sizeof gamepad->identity, "%s, firmware of %.11s",
                       gamepad->layout->title, (const char *)bytes + 1);
        gamepad->is_firmware_told = true;
        return;
    }
    struct calibration calibration;
    calibration_read(bytes, &calibration);
    gamepad->is_calibration_told = true;
    if (calibration.is_factory || !gamepad->calibration.is_factory) {
        gamepad->calibration = calibration;
    }
    if (!gamepad->calibration.is_factory) {
        notice_set(gamepad, "factory calibration is empty: angles are of less quality");
    }
}

static int gamepad_decode(struct driver_context *context, const uint8_t *frame,
                          size_t frame_size, struct sample *samples)
{
    struct gamepad *gamepad = gamepad_of(context);
    size_t reply_size = 0;
    if (reply_check(gamepad->layout, frame, frame_size, &reply_size) == FRAME_FOUND
        && reply_size == frame_size) {
        reply_decode(gamepad, frame);
        memcpy(gamepad->tail, frame, frame_size);
        gamepad->tail_size = frame_size;
        return 0;
    }
    /* Shorter: it began in the frame before. */
    size_t begun = frame_size <= REPORT_SIZE ? REPORT_SIZE - frame_size : REPORT_SIZE;
    if (begun > 0 && begun >= gamepad->tail_size) {
        return -1;
    }
    uint8_t report[REPORT_SIZE];
    memcpy(report, gamepad->tail + gamepad->tail_size - begun, begun);
    memcpy(report + begun, frame, frame_size);
    memcpy(gamepad->tail, report, REPORT_SIZE);
    gamepad->tail_size = REPORT_SIZE;
    return report_decode(gamepad, report, samples);
}

/* ---- requests ---- */

/* A request that is refused gives no bytes: time tells. */
static size_t gamepad_command_next(struct driver_context *context, int64_t now_ns,
                                   uint8_t *bytes)
{
    static const unsigned tries[] = {CALIBRATION_TRIES, FIRMWARE_TRIES};
    struct gamepad *gamepad = gamepad_of(context);
    const bool is_told[] = {gamepad->is_calibration_told, gamepad->is_firmware_told};
    while (gamepad->step < sizeof tries / sizeof tries[0]) {
        unsigned step = gamepad->step;
        bool is_waiting =
            gamepad->try_count > 0 && now_ns - gamepad->sent_ns < REPLY_TIMEOUT_NS;
        if (!is_told[step] && is_waiting) {
            return 0;
        }
        if (!is_told[step] && gamepad->try_count < tries[step]) {
            gamepad->try_count++;
            gamepad->sent_ns = now_ns;
            memcpy(bytes, gamepad->layout->requests[step], REQUEST_SIZE);
            return REQUEST_SIZE;
        }
        if (!is_told[step] && step == 0) {
            notice_set(gamepad, "no factory calibration: angles are of less quality");
        }
        gamepad->step++;
        gamepad->try_count = 0;
    }
    return 0;
}

static double gamepad_rate_hz_get(const struct driver_context *context)
{
    return gamepad_look(context)->rate_hz;
}

static const char *gamepad_identity_get(const struct driver_context *context)
{
    return gamepad_look(context)->identity;
}

static const char *gamepad_notice_get(const struct driver_context *context, unsigned *count)
{
    const struct gamepad *gamepad = gamepad_look(context);
    *count = gamepad->notice_count;
    return gamepad->notice;
}

/* ---- the two controllers ---- */

static enum status gamepad_init(struct driver_context *context,
                                const struct driver_settings *settings,
                                const struct layout *layout)
{
    struct gamepad *gamepad = gamepad_of(context);
    gamepad->layout = layout;
    gamepad->wanted_hz = settings->rate_hz;
    gamepad->pace = pace_unknown(layout);
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        gamepad->calibration.gyro_deg_s[axis] = NOMINAL_GYRO_DEG_S;
        gamepad->calibration.accel_g[axis] = NOMINAL_ACCEL_G;
    }
    return STATUS_OK;
}

static double battery_percent(unsigned tenths)
{
    return fmin(10.0 * tenths, 100.0);
}

static struct battery dualsense_battery_read(const uint8_t *report)
{
    const uint8_t status = report[53];
    struct battery battery = {.percent = battery_percent(status & 0x0F)};
    const unsigned charge = status >> 4;
    battery.charge = charge <= CHARGE_FULL ? (enum charge)charge : CHARGE_FAULT;
    bool is_fault = charge == 0x0A || charge == 0x0B || charge == 0x0F;
    battery.is_legal = (charge <= CHARGE_FULL || is_fault) && (status & 0x0F) <= 10;
    return battery;
}

static struct battery dualshock4_battery_read(const uint8_t *report)
{
    const uint8_t status = report[30];
    const unsigned level = status & 0x0F;
    const bool has_cable = status & 0x10;
    struct battery battery = {.percent = battery_percent(level), .is_legal = status < 0x80};
    if (!has_cable) {
        battery.charge = CHARGE_DISCHARGING;
    } else if (level <= 10) {
        battery.charge = CHARGE_CHARGING;
    } else {
        battery.charge = level == 11 ? CHARGE_FULL : CHARGE_FAULT;
    }
    return battery;
}

/* GET_REPORT of a feature report; the transport fills in the interface. */
#define GET_FEATURE(id, size)                                                              \
    {                                                                                      \
        0xA1, 0x01, id, 0x03, 0x00, 0x00, size, 0x00                                       \
    }

static const struct layout DUALSENSE = {
    .title = "DualSense",
    .calibration_id = 0x05,
    .calibration_size = 41,
    .firmware_id = 0x20,
    .firmware_size = 64,
    .firmware_time = 12,
    .counter = 7,
    .counter_wrap = 256,
    .buttons = 8,
    .gyro = 16,
    .accel = 22,
    .time = 28,
    .time_wrap = (uint64_t)1 << 32,
    .time_wraps_max = 1,
    .nominal_ticks = 12000.0,
    .run_max = 250,
    .battery_read = dualsense_battery_read,
    .requests = {GET_FEATURE(0x05, 41), GET_FEATURE(0x20, 64)},
};

static const struct layout DUALSHOCK4 = {
    .title = "DualShock 4",
    .calibration_id = 0x02,
    .calibration_size = 37,
    .firmware_id = 0xA3,
    .firmware_size = 49,
    .firmware_time = 17,
    .counter = 7,
    .counter_shift = 2,
    .counter_wrap = 64,
    .buttons = 5,
    .gyro = 13,
    .accel = 19,
    .time = 10,
    .time_wrap = (uint64_t)1 << 16,
    /* 1.4 s: beyond, every wrap finds a counter that fits. */
    .time_wraps_max = 4,
    .temperature = 12,
    .nominal_ticks = 750.0,
    .run_max = 16,
    .battery_read = dualshock4_battery_read,
    .requests = {GET_FEATURE(0x02, 37), GET_FEATURE(0xA3, 49)},
};

static enum status dualsense_init(struct driver_context *context,
                                  const struct driver_settings *settings)
{
    return gamepad_init(context, settings, &DUALSENSE);
}

static enum status dualshock4_init(struct driver_context *context,
                                   const struct driver_settings *settings)
{
    return gamepad_init(context, settings, &DUALSHOCK4);
}

static const struct transport_usb_profile USB_PROFILE = {
    .kind = TRANSPORT_USB_HID,
    .transfer_size = REPORT_SIZE,
    /* Reports that find no transfer are lost: time for a program that is held up, 0.25 s at
     * 250 a second, 16 ms at 4000. */
    .transfer_count = 64,
};

static const struct usb_id DUALSENSE_IDS[] = {
    {0x054C, 0x0CE6, false}, {0x054C, 0x0DF2, false}, /* DualSense Edge */
};

static const struct usb_id DUALSHOCK4_IDS[] = {
    {0x054C, 0x05C4, false}, {0x054C, 0x09CC, false}, /* second generation */
};

static const uint8_t DUALSENSE_QUESTION[] = GET_FEATURE(0x20, 64);
static const uint8_t DUALSHOCK4_QUESTION[] = GET_FEATURE(0xA3, 49);

extern const struct driver driver_sony_dualsense;

const struct driver driver_sony_dualsense = {
    .name = "sony-dualsense",
    .title = "Sony DualSense",
    .streams = STREAMS,
    .stream_count = TEMPERATURE,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 250.0,
    .tick_s = 1.0 / 3e6,
    .usb_ids = DUALSENSE_IDS,
    .usb_id_count = sizeof DUALSENSE_IDS / sizeof DUALSENSE_IDS[0],
    .usb = &USB_PROFILE,
    .is_usb_only = true,
    .question = DUALSENSE_QUESTION,
    .question_size = sizeof DUALSENSE_QUESTION,
    .init = dualsense_init,
    .frame_next = gamepad_frame_next,
    .decode = gamepad_decode,
    .command_next = gamepad_command_next,
    .rate_hz_get = gamepad_rate_hz_get,
    .identity_get = gamepad_identity_get,
    .notice_get = gamepad_notice_get,
};

extern const struct driver driver_sony_dualshock4;

const struct driver driver_sony_dualshock4 = {
    .name = "sony-dualshock4",
    .title = "Sony DualShock 4",
    .streams = STREAMS,
    .stream_count = GAMEPAD_STREAM_COUNT,
    .frame_max = FRAME_MAX,
    .baud = 115200,
    .rate_hz = 250.0,
    .tick_s = 16.0 / 3e6,
    .usb_ids = DUALSHOCK4_IDS,
    .usb_id_count = sizeof DUALSHOCK4_IDS / sizeof DUALSHOCK4_IDS[0],
    .usb = &USB_PROFILE,
    .is_usb_only = true,
    .question = DUALSHOCK4_QUESTION,
    .question_size = sizeof DUALSHOCK4_QUESTION,
    .init = dualshock4_init,
    .frame_next = gamepad_frame_next,
    .decode = gamepad_decode,
    .command_next = gamepad_command_next,
    .rate_hz_get = gamepad_rate_hz_get,
    .identity_get = gamepad_identity_get,
    .notice_get = gamepad_notice_get,
};

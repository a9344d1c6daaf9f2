/* What one sample costs: decoding of every driver's wire format, orientation, the whole
 * pipeline, and reading a journal. CPU time of this thread, the best of several rounds,
 * since other work on the machine only ever adds. Samples are those of the main stream; the
 * bytes are those of all streams that the device sends, from its model.
 *
 * bench_decode [--case NAME] [--count N] [--rounds N]
 *   --case   only this one; with --rounds 1 for counting instructions under callgrind,
 * which collects inside the functions run_* (scripts/bench) */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acquisition/device.h"
#include "acquisition/journal.h"
#include "analysis/orientation.h"
#include "analysis/pipeline.h"
#include "base/units.h"
#include "simulation/device_model.h"
#include "tests/support/model_line.h"

enum {
    CHUNK_SIZE = 512,  /* what a read of a serial line gives, about */
    OPENING_MS = 1500, /* in which a device is set up */
    SENSOR_COUNT = 6,
    RATE_HZ = 100,
    SAMPLE_SIZE_MAX = 128, /* bytes on the wire */
    JOURNAL_PAYLOAD_SIZE = 340
};

struct bytes {
    uint8_t *data;
    size_t size;
};

struct bench_case;

struct work {
    const struct bench_case *bench;
    unsigned count; /* samples wanted */
    struct bytes wire;
    struct sample *samples;
    uint64_t done_count; /* what came out */
};

/* ---- input ---- */

/* A slow wave, different on every axis. */
static void values_make(unsigned i, float values[6])
{
    double phase = i / (double)RATE_HZ;
    for (unsigned axis = 0; axis < 3; axis++) {
        values[axis] = (float)(40.0 * sin(phase * (1.0 + 0.1 * axis)));
        values[axis + 3] = (float)(0.05 * sin(phase * (2.0 + 0.1 * axis)));
    }
    values[5] += 1.0F;
}

static void reading_make(unsigned i, struct device_reading *reading)
{
    float values[6];
    memset(reading, 0, sizeof *reading);
    values_make(i, values);
    for (unsigned axis = 0; axis < 3; axis++) {
        reading->gyro_deg_s[axis] = (double)values[axis];
        reading->accel_g[axis] = (double)values[axis + 3];
    }
    double angle_rad = 0.5 * sin(i / (double)RATE_HZ);
    reading->orientation.w = cos(angle_rad);
    reading->orientation.x = sin(angle_rad);
    reading->field_ut[1] = 20.0;
    reading->field_ut[2] = -44.0;
    reading->temperature_deg_c = 31.5;
    reading->battery_percent = 85.0;
    for (unsigned input = 0; input < DEVICE_MODEL_ANALOG_COUNT; input++) {
        reading->analog_share[input] = (400 + (i + 7 * input) % 200) / 1023.0;
    }
}

/* What a device sends at RATE_HZ after a command, nothing else told. */
static bool wire_make(struct work *work, const char *driver, const void *command,
                      size_t command_size)
{
    struct device_model model = {.type = device_model_find(driver)};
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    model.type->init(&model, RATE_HZ, 1);
    if (model.type->open) {
        work->wire.size = model.type->open(&model, 0, work->wire.data);
    }
    if (command_size > 0) {
        model.type->hear(&model, 0, command, command_size, reply);
    }
    for (unsigned i = 0; i < work->count; i++) {
        struct device_reading reading;
        reading_make(i, &reading);
        work->wire.size += model.type->sample(&model, 1000000 + 10000ULL * i, &reading,
                                              work->wire.data + work->wire.size);
    }
    return true;
}

static bool wire_make_binary(struct work *work)
{
    return wire_make(work, "xio-ximu3", NULL, 0);
}

static bool wire_make_ascii(struct work *work)
{
    static const char COMMANDS[] = "{\"binary_mode_enabled\":false}\n{\"apply\":null}\n";
    return wire_make(work, "xio-ximu3", COMMANDS, sizeof COMMANDS - 1);
}

static bool wire_make_text(struct work *work)
{
    return wire_make(work, "text", NULL, 0);
}

static bool wire_make_firmata(struct work *work)
{
    static const uint8_t REPORT_ON[] = {0xC0, 1, 0xC1, 1};
    return wire_make(work, "arduino-firmata", REPORT_ON, sizeof REPORT_ON);
}

/* What a device sends once its driver has set it up as in a session. */
static bool wire_make_session(struct work *work);

static bool samples_make(struct work *work)
{
    for (unsigned i = 0; i < work->count; i++) {
        struct sample *sample = &work->samples[i];
        memset(sample, 0, sizeof *sample);
        sample->device_ticks = 10000ULL * (i / SENSOR_COUNT);
        sample->host_ns = (int64_t)sample->device_ticks * 1000;
        sample->channel_count = 6;
        values_make(i / SENSOR_COUNT, sample->values);
    }
    return true;
}

static bool journal_make(struct work *work)
{
    uint8_t payload[JOURNAL_PAYLOAD_SIZE];
    memset(payload, 0x5A, sizeof payload);
    struct journal_frame frame = {
        .type = JOURNAL_HEADER, .payload = payload, .size = sizeof payload};
    for (unsigned i = 0; i < work->count; i += 10) {
        frame.sequence = i / 10;
        frame.host_ns = 10000000LL * i;
        journal_head_encode(&frame, work->wire.data + work->wire.size);
        memcpy(work->wire.data + work->wire.size + JOURNAL_HEAD_SIZE, payload,
               sizeof payload);
        work->wire.size += JOURNAL_HEAD_SIZE + sizeof payload;
        frame.type = JOURNAL_BYTES;
    }
    return true;
}

/* ---- what is measured ---- */

static void sample_count(void *user, const struct sample *sample)
{
    struct work *work = user;
    work->done_count += sample->stream == 0;
}

static void decode(struct work *work, size_t chunk_size);

static void run_decode(struct work *work)
{
    decode(work, CHUNK_SIZE);
}

static void run_decode_file(struct work *work)
{
    decode(work, work->wire.size); /* as one chunk */
}

static void run_orientation(struct work *work)
{
    struct orientation orientation;
    orientation_init(&orientation, &orientation_default_settings);
    for (unsigned i = 0; i < work->count; i++) {
        struct inertial inertial =
            calibration_apply_imu(&calibration_imu_default, &work->samples[i]);
        inertial.time_s = i / (double)RATE_HZ;
        orientation_update(&orientation, &inertial);
        work->done_count++;
    }
}

static struct pipeline *pipeline_make(void)
{
    static const enum role ROLES[SENSOR_COUNT] = {
        ROLE_THORAX_DORSAL,  ROLE_PELVIS_DORSAL, ROLE_STERNUM,
        ROLE_PELVIS_VENTRAL, ROLE_THIGH_L,       ROLE_THIGH_R,
    };
    struct pipeline_sensor sensors[SENSOR_COUNT];
    memset(sensors, 0, sizeof sensors);
    for (unsigned i = 0; i < SENSOR_COUNT; i++) {
        sensors[i].role = ROLES[i];
        sensors[i].timebase = timebase_default_settings;
        sensors[i].timebase.tick_s = 1e-6;
        sensors[i].imu = calibration_imu_default;
    }
    struct pipeline *pipeline = NULL;
    return pipeline_create(sensors, SENSOR_COUNT, &pipeline) == STATUS_OK ? pipeline : NULL;
}

static void run_pipeline(struct work *work)
{
    struct pipeline *pipeline = pipeline_make();
    if (!pipeline) {
        return;
    }
    for (unsigned i = 0; i < work->count; i++) {
        double time_s;
        struct pose pose;
        pipeline_push(pipeline, i % SENSOR_COUNT, &work->samples[i], &time_s);
        while (pipeline_pop(pipeline, &pose) == STATUS_OK) {
            work->done_count += SENSOR_COUNT;
        }
    }
    pipeline_destroy(pipeline);
}

static void run_journal(struct work *work)
{
    struct journal_reader *reader;
    struct journal_frame frame;
    if (journal_reader_open_bytes(work->wire.data, work->wire.size, &reader) != STATUS_OK) {
        return;
    }
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        work->done_count += 10;
    }
    journal_reader_close(reader);
}

/* ---- the table ---- */

struct bench_case {
    const char *name;
    const char *title;
    bool (*make)(struct work *work);
    void (*run)(struct work *work);
    const char *driver; /* NULL = nothing is decoded */
    double rate_hz;     /* 0 = RATE_HZ */
};

static const struct bench_case CASES[] = {
    {"ximu3-binary", "x-IMU3, binary", wire_make_binary, run_decode, "xio-ximu3", 0},
    {"ximu3-file", "x-IMU3, binary, from a file", wire_make_binary, run_decode_file,
     "xio-ximu3", 0},
    {"ximu3-ascii", "x-IMU3, ASCII", wire_make_ascii, run_decode, "xio-ximu3", 0},
    {"text", "text lines, 7 columns", wire_make_text, run_decode, "text", 0},
    {"firmata", "Firmata, 2 channels", wire_make_firmata, run_decode, "arduino-firmata", 0},
    {"mti", "Xsens MTi", wire_make_session, run_decode, "xsens-mti", 0},
    {"vn100", "VectorNav VN-100", wire_make_session, run_decode, "vectornav-vn100", 0},
    {"mip", "MicroStrain MIP", wire_make_session, run_decode, "microstrain-mip", 0},
    {"witmotion", "WitMotion", wire_make_session, run_decode, "witmotion", 0},
    {"rvc", "BNO08x RVC", wire_make_session, run_decode, "bno08x-rvc", 0},
    {"dualsense", "Sony DualSense", wire_make_session, run_decode, "sony-dualsense", 250},
    {"dualshock4", "Sony DualShock 4", wire_make_session, run_decode, "sony-dualshock4",
     250},
    {"u3", "LabJack U3, 4 inputs", wire_make_session, run_decode, "labjack-u3", 0},
    {"mcc", "MCC USB-1208FS-Plus, 8 inputs", wire_make_session, run_decode,
     "mcc-usb1208fs-plus", 1000},
    {"orientation", "calibration and orientation", samples_make, run_orientation, NULL, 0},
    {"pipeline", "pipeline, 6 sensors at 100 Hz", samples_make, run_pipeline, NULL, 0},
    {"journal", "journal: scan with CRC", journal_make, run_journal, NULL, 0},
};

/* ---- the cases that decode ---- */

static struct driver_settings settings_of(const struct bench_case *bench)
{
    struct driver_settings settings = {.rate_hz =
                                           bench->rate_hz > 0.0 ? bench->rate_hz : RATE_HZ};
    if (strcmp(bench->driver, "text") == 0) {
        settings.columns = "time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
                           "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g";
    }
    return settings;
}

static bool wire_make_session(struct work *work)
{
    struct model_line *line = calloc(1, sizeof *line);
    const struct driver_settings settings = settings_of(work->bench);
    bool is_good = line
                   && model_line_open(line, work->bench->driver, &settings, 7, OPENING_MS,
                                      work->wire.data, &work->wire.size);
    for (unsigned i = 0; i < work->count && is_good; i++) {
        struct device_reading reading;
        reading_make(i, &reading);
        work->wire.size +=
            model_line_sample(line, &reading, work->wire.data + work->wire.size);
    }
    free(line);
    return is_good;
}

static void decode(struct work *work, size_t chunk_size)
{
    struct device device;
    const struct driver_settings settings = settings_of(work->bench);
    if (device_init(&device, driver_find(work->bench->driver), &settings) != STATUS_OK) {
        return;
    }
    for (size_t done = 0; done < work->wire.size;) {
        size_t left = work->wire.size - done;
        size_t size = left < chunk_size ? left : chunk_size;
        device_feed(&device, work->wire.data + done, size, 0, sample_count, work);
        done += size;
    }
}

enum {
    CASE_COUNT = sizeof CASES / sizeof CASES[0]
};

struct options {
    const char *only;
    unsigned count;
    unsigned rounds;
};

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What came out may lack the newest poses, which wait for the smoother. */
static bool is_complete(const struct work *work)
{
    return work->done_count + RATE_HZ >= work->count;
}

static void result_print(const struct work *work, double best_s)
{
    printf("%-30s %8.0f ns per sample", work->bench->title,
           best_s * 1e9 / (double)work->done_count);
    if (work->wire.size > 0) {
        printf(" %8.0f MB/s %6.1f bytes per sample",
               (double)work->wire.size * 1e-6 / best_s,
               (double)work->wire.size / (double)work->done_count);
    }
    printf("\n");
}

static bool case_run(const struct bench_case *bench, const struct options *options)
{
    struct work work = {.bench = bench, .count = options->count};
    work.wire.data =
        malloc((size_t)options->count * SAMPLE_SIZE_MAX + MODEL_LINE_OPENING_MAX);
    work.samples = malloc(options->count * sizeof *work.samples);
    bool is_good = work.wire.data && work.samples && bench->make(&work);
    double best_s = INFINITY;
    for (unsigned round = 0; round < options->rounds && is_good; round++) {
        work.done_count = 0;
        double before_s = cpu_s();
        bench->run(&work);
        best_s = fmin(best_s, cpu_s() - before_s);
        is_good = is_complete(&work);
    }
    if (is_good) {
        result_print(&work, best_s);
    } else {
        printf("%-30s FAILED: %llu of %u samples came out\n", bench->title,
               (unsigned long long)work.done_count, work.count);
    }
    free(work.samples);
    free(work.wire.data);
    return is_good;
}

static bool options_parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "--case") == 0) {
            options->only = arguments[i + 1];
        } else if (strcmp(arguments[i], "--count") == 0) {
            options->count = (unsigned)strtoul(arguments[i + 1], NULL, 10);
        } else if (strcmp(arguments[i], "--rounds") == 0) {
            options->rounds = (unsigned)strtoul(arguments[i + 1], NULL, 10);
        } else {
            return false;
        }
    }
    return count % 2 == 1 && options->count >= RATE_HZ && options->rounds > 0;
}

int main(int count, char **arguments)
{
    struct options options = {.count = 200000, .rounds = 7};
    if (!options_parse(count, arguments, &options)) {
        fprintf(stderr, "usage: bench_decode [--case NAME] [--count N] [--rounds N]\n");
        return 2;
    }
    bool is_good = true;
    bool is_any = false;
    for (unsigned i = 0; i < CASE_COUNT; i++) {
        if (!options.only || strcmp(options.only, CASES[i].name) == 0) {
            is_good &= case_run(&CASES[i], &options);
            is_any = true;
        }
    }
    if (!is_any) {
        fprintf(stderr, "no case %s\n", options.only);
        return 2;
    }
    return is_good ? 0 : 1;
}

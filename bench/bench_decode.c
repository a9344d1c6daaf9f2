/* What one sample costs: decoding of each wire format, orientation, the whole pipeline, and
 * reading a journal. CPU time of this thread, the best of several rounds, since other work
 * on the machine only ever adds.
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

enum {
    CHUNK_SIZE = 512, /* what a read of a serial line gives, about */
    SENSOR_COUNT = 6,
    RATE_HZ = 100,
    SAMPLE_SIZE_MAX = 128, /* bytes on the wire */
    JOURNAL_PAYLOAD_SIZE = 340
};

struct bytes {
    uint8_t *data;
    size_t size;
};

struct work {
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

/* What a device sends at RATE_HZ after a command. */
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
        struct device_reading reading = {.orientation = QUATERNION_IDENTITY,
                                         .temperature_deg_c = 31.5,
                                         .battery_percent = 85.0};
        float values[6];
        values_make(i, values);
        for (unsigned axis = 0; axis < 3; axis++) {
            reading.gyro_deg_s[axis] = (double)values[axis];
            reading.accel_g[axis] = (double)values[axis + 3];
        }
        reading.analog_share[0] = (400 + i % 200) / 1023.0;
        reading.analog_share[1] = 500 / 1023.0;
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

static void decode(struct work *work, const char *driver, const char *columns)
{
    struct device device;
    const struct driver_settings settings = {.rate_hz = RATE_HZ, .columns = columns};
    if (device_init(&device, driver_find(driver), &settings) != STATUS_OK) {
        return;
    }
    for (size_t done = 0; done < work->wire.size;) {
        size_t left = work->wire.size - done;
        size_t size = left < CHUNK_SIZE ? left : CHUNK_SIZE;
        device_feed(&device, work->wire.data + done, size, 0, sample_count, work);
        done += size;
    }
}

static void run_ximu3(struct work *work)
{
    decode(work, "xio-ximu3", NULL);
}

static void run_text(struct work *work)
{
    decode(work, "text",
           "time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
           "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g");
}

static void run_firmata(struct work *work)
{
    decode(work, "arduino-firmata", NULL);
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
    bool is_throughput; /* MB/s rather than ns per sample */
};

static const struct bench_case CASES[] = {
    {"ximu3-binary", "decode x-IMU3, binary", wire_make_binary, run_ximu3, false},
    {"ximu3-ascii", "decode x-IMU3, ASCII", wire_make_ascii, run_ximu3, false},
    {"text", "decode text lines, 7 columns", wire_make_text, run_text, false},
    {"firmata", "decode Firmata, 2 channels", wire_make_firmata, run_firmata, false},
    {"orientation", "calibration and orientation", samples_make, run_orientation, false},
    {"pipeline", "pipeline, 6 sensors at 100 Hz", samples_make, run_pipeline, false},
    {"journal", "journal: scan with CRC", journal_make, run_journal, true},
};

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

static bool case_run(const struct bench_case *bench, const struct options *options)
{
    struct work work = {.count = options->count};
    work.wire.data = malloc((size_t)options->count * SAMPLE_SIZE_MAX + 4096);
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
    if (!is_good) {
        printf("%-30s FAILED: %llu of %u samples came out\n", bench->title,
               (unsigned long long)work.done_count, work.count);
    } else if (bench->is_throughput) {
        printf("%-30s %8.0f MB/s\n", bench->title, (double)work.wire.size * 1e-6 / best_s);
    } else {
        printf("%-30s %8.0f ns per sample\n", bench->title, best_s * 1e9 / work.count);
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

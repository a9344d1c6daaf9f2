/* limber decode: captured bytes of one sensor to a table of samples. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acquisition/device.h"
#include "app/command.h"
#include "app/hex_text.h"
#include "app/options.h"
#include "app/text_profile.h"
#include "base/decimal.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber decode --driver NAME FILE [-o OUT.csv] [options]\n"
    "\n"
    "Turns the bytes of one sensor, as captured, into a table: one row a sample, one "
    "column\n"
    "a channel, units in the names. Counters go to standard error.\n"
    "\n"
    "  --driver NAME     the format of the bytes; 'limber devices' lists the drivers\n"
    "  -o, --output CSV  where the table goes; default standard output\n"
    "  --columns LIST    text driver: profile, names of the columns in order, or a\n"
    "                    profile file (.yaml)\n"
    "  --rate HZ         nominal rate; default the driver's, or what the clock shows\n"
    "  --hex             FILE holds the bytes as hex digits; # comments and words that\n"
    "                    are no pairs of hex digits are left out\n"
    "  --json            print the counters as JSON; the table only where -o says\n"
    "  --help            print this\n"
    "\n"
    "example: limber decode --driver xio-ximu3 hip.ximu3 -o hip.csv\n"
    "example: limber decode --driver text --columns time_ms,analog_0_count knee.txt\n";

enum {
    OUTPUT_BUFFER_SIZE = 1 << 18,
    /* Name, time, ticks, sequence, flags; commas of all columns; numbers of one stream. */
    ROW_SIZE = 256 + STREAM_MAX * SAMPLE_CHANNEL_MAX + SAMPLE_CHANNEL_MAX * DECIMAL_SIZE_MAX
};

struct decode_options {
    const char *driver;
    const char *input;
    const char *output; /* NULL = standard output */
    struct driver_settings settings;
    struct text_profile profile; /* that settings may borrow from */
    bool is_json;
    bool is_hex;
};

struct captured {
    uint8_t *bytes; /* private to the process: may be written */
    size_t size;
    size_t mapped_size;
};

/* One decoding of all bytes. */
struct decode {
    struct device device;
    uint64_t sample_counts[STREAM_MAX];
    FILE *table; /* NULL = only count */
    unsigned first_columns[STREAM_MAX];
    unsigned column_count;
    bool has_first;
    uint64_t first_ticks;
};

/* ---- the table ---- */

static void table_head_write(struct decode *decode)
{
    unsigned stream_count = 0;
    const struct stream_info *streams = device_streams(&decode->device, &stream_count);
    fputs("stream,time_s,device_ticks,sequence", decode->table);
    for (unsigned stream = 0; stream < stream_count; stream++) {
        decode->first_columns[stream] = decode->column_count;
        decode->column_count += streams[stream].channel_count;
        for (unsigned channel = 0; channel < streams[stream].channel_count; channel++) {
            fprintf(decode->table, ",%s", streams[stream].channels[channel]);
        }
    }
    fputs(",flags\n", decode->table);
}

/* Seconds since the first sample, on the device's own clock where it has one. */
static double sample_time_s(struct decode *decode, const struct sample *sample)
{
    double tick_s = driver_tick_s(decode->device.driver, &decode->device.context);
    if (tick_s <= 0.0) {
        return (double)decode->device.newest_ns * 1e-9;
    }
    if (!decode->has_first) {
        decode->has_first = true;
        decode->first_ticks = sample->device_ticks;
    }
    bool is_before = sample->device_ticks < decode->first_ticks;
    uint64_t ticks = is_before ? decode->first_ticks - sample->device_ticks
                               : sample->device_ticks - decode->first_ticks;
    return (is_before ? -1.0 : 1.0) * (double)ticks * tick_s;
}

static size_t row_head_write(struct decode *decode, const struct sample *sample,
                             const char *stream, char *row)
{
    size_t size = strlen(stream);
    memcpy(row, stream, size);
    row[size++] = ',';
    size += decimal_micro(sample_time_s(decode, sample), row + size);
    row[size++] = ',';
    size += decimal_count(sample->device_ticks, row + size);
    row[size++] = ',';
    return size + decimal_count(sample->sequence, row + size);
}

static void sample_write(struct decode *decode, const struct sample *sample)
{
    unsigned stream_count = 0;
    const struct stream_info *streams = device_streams(&decode->device, &stream_count);
    const struct stream_info *stream = &streams[sample->stream];
    char row[ROW_SIZE];
    size_t size = row_head_write(decode, sample, stream->name, row);
    unsigned first = decode->first_columns[sample->stream];
    memset(row + size, ',', first);
    size += first;
    for (unsigned channel = 0; channel < stream->channel_count; channel++) {
        row[size++] = ',';
        if (channel < sample->channel_count && !isnan(sample->values[channel])) {
            size += decimal_float(sample->values[channel], row + size);
        }
    }
    unsigned behind = decode->column_count - first - stream->channel_count;
    memset(row + size, ',', behind);
    size += behind;
    row[size++] = ',';
    size += decimal_count(sample->flags, row + size);
    row[size++] = '\n';
    fwrite(row, 1, size, decode->table);
}

static void sample_take(void *user, const struct sample *sample)
{
    struct decode *decode = user;
    decode->sample_counts[sample->stream]++;
    if (decode->table) {
        sample_write(decode, sample);
    }
}

/* ---- decoding ---- */

/* @param table  Where rows go; NULL = only count. */
static enum status decode_run(struct decode *decode, const struct driver *driver,
                              const struct driver_settings *settings,
                              const struct captured *captured)
{
    enum status status = device_init(&decode->device, driver, settings);
    if (!status) {
        device_feed(&decode->device, captured->bytes, captured->size, 0, sample_take,
                    decode);
        device_finish(&decode->device, 0, sample_take, decode);
    }
    return status;
}

/* Frames that are proved by a checksum may all be answers, without any sample. */
static bool is_understood(const struct decode *decode)
{
    const struct device_counters *counters = &decode->device.counters;
    return counters->sample_count > 0
           || (decode->device.driver->has_checksum && counters->frame_count > 0);
}

/* Share of the bytes that stand in good frames, by the counters' light. */
static double decode_share(const struct decode *decode)
{
    const struct device_counters *counters = &decode->device.counters;
    if (!is_understood(decode)) {
        return 0.0;
    }
    double framed = 1.0 - (double)counters->skipped_size / (double)counters->byte_count;
    double good = (double)counters->frame_count
                  / (double)(counters->frame_count + counters->bad_count);
    return framed * good;
}

/* The driver whose frames fill most of the bytes. */
static const struct driver *driver_guess(const struct captured *captured,
                                         struct decode *scratch, double *best_share)
{
    const struct driver_settings settings = {0};
    const struct driver *best = NULL;
    size_t count = 0;
    const struct driver *const *drivers = driver_list(&count);
    for (size_t index = 0; index < count; index++) {
        memset(scratch, 0, sizeof *scratch);
        if (decode_run(scratch, drivers[index], &settings, captured)) {
            continue;
        }
        double share = decode_share(scratch);
        if (share > *best_share) {
            *best_share = share;
            best = drivers[index];
        }
    }
    return best;
}

/* Tell a person who named the wrong driver. The measure: less than half of the bytes make
 * sense, and another driver makes clearly more of them. */
static enum status plausibility_check(const struct decode_options *options,
                                      const struct decode *decode,
                                      const struct captured *captured,
                                      struct decode *scratch)
{
    double share = decode_share(decode);
    if (share >= 0.5) {
        return STATUS_OK;
    }
    double best_share = share + 0.25;
    const struct driver *better = driver_guess(captured, scratch, &best_share);
    if (better) {
        log_error("%s: %.0f %% of the bytes make sense to driver %s, %.0f %% to %s; "
                  "wrong driver for the bytes? try --driver %s",
                  options->input, 100.0 * share, options->driver, 100.0 * best_share,
                  better->name, better->name);
        return STATUS_CORRUPT;
    }
    if (!is_understood(decode) && !options->is_hex
        && hex_text_is(captured->bytes, captured->size)) {
        log_error("%s: driver %s finds no sample; if the file spells bytes as hex digits, "
                  "add --hex",
                  options->input, options->driver);
        return STATUS_CORRUPT;
    }
    if (!is_understood(decode)) {
        log_error("%s: driver %s finds no sample in %llu bytes, nor does any other; "
                  "wrong driver for the bytes, or not a capture",
                  options->input, options->driver, (unsigned long long)captured->size);
        return STATUS_CORRUPT;
    }
    log_warning("%s: only %.0f %% of the bytes make sense to driver %s", options->input,
                100.0 * share, options->driver);
    return STATUS_OK;
}

/* ---- counters ---- */

static void counters_print(const struct decode *decode)
{
    const struct device_counters *counters = &decode->device.counters;
    unsigned stream_count = 0;
    const struct stream_info *streams = device_streams(&decode->device, &stream_count);
    fprintf(
        stderr,
        "bytes %llu, frames %llu, samples %llu, bad frames %llu, skipped bytes %llu, "
        "cut off at the end %llu, lost samples %llu in %llu gaps, clock restarts %llu, "
        "rate %.6g Hz\n",
        (unsigned long long)counters->byte_count, (unsigned long long)counters->frame_count,
        (unsigned long long)counters->sample_count, (unsigned long long)counters->bad_count,
        (unsigned long long)counters->skipped_size, (unsigned long long)counters->cut_size,
        (unsigned long long)counters->lost_count, (unsigned long long)counters->gap_count,
        (unsigned long long)counters->restart_count, decode->device.rate_hz);
    for (unsigned stream = 0; stream < stream_count; stream++) {
        if (decode->sample_counts[stream] > 0) {
            fprintf(stderr, "  %s: %llu samples\n", streams[stream].name,
                    (unsigned long long)decode->sample_counts[stream]);
        }
    }
}

static void counters_json_print(const struct decode *decode)
{
    const struct device_counters *counters = &decode->device.counters;
    unsigned stream_count = 0;
    const struct stream_info *streams = device_streams(&decode->device, &stream_count);
    json_t *samples = json_object();
    for (unsigned stream = 0; stream < stream_count; stream++) {
        json_object_set_new(samples, streams[stream].name,
                            json_integer((json_int_t)decode->sample_counts[stream]));
    }
    json_t *root = json_pack(
        "{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "byte_count",
        (json_int_t)counters->byte_count, "frame_count", (json_int_t)counters->frame_count,
        "sample_count", (json_int_t)counters->sample_count, "samples", samples, "bad_count",
        (json_int_t)counters->bad_count, "skipped_size", (json_int_t)counters->skipped_size,
        "lost_count", (json_int_t)counters->lost_count, "gap_count",
        (json_int_t)counters->gap_count, "restart_count",
        (json_int_t)counters->restart_count, "cut_size", (json_int_t)counters->cut_size,
        "rate_hz", decode->device.rate_hz);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static void notice_print(const struct decode *decode)
{
    const struct driver *driver = decode->device.driver;
    if (!driver->notice_get) {
        return;
    }
    unsigned count = 0;
    const char *notice = driver->notice_get(&decode->device.context, &count);
    if (count > 0) {
        fprintf(stderr, "  texts from the device: %u, the last: \"%s\"\n", count, notice);
    }
}

/* ---- files ---- */

static enum status captured_open(const char *path, struct captured *captured)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (descriptor < 0 || fstat(descriptor, &info) != 0) {
        log_error("%s: cannot open: %s", path, strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
        }
        return STATUS_NOT_FOUND;
    }
    if (!S_ISREG(info.st_mode) || info.st_size == 0) {
        log_error("%s: %s; give a file of captured bytes", path,
                  S_ISREG(info.st_mode) ? "is empty" : "is not a file");
        close(descriptor);
        return STATUS_NOT_FOUND;
    }
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
                       descriptor, 0);
    close(descriptor);
    if (bytes == MAP_FAILED) {
        log_error("%s: cannot read: %s", path, strerror(errno));
        return STATUS_NOT_FOUND;
    }
    captured->bytes = bytes;
    captured->size = (size_t)info.st_size;
    captured->mapped_size = captured->size;
    return STATUS_OK;
}

/* Write the table to its file; a table that is not whole is an error. */
static enum status table_write(const struct decode_options *options,
                               const struct captured *captured, struct decode *decode)
{
    /* The streams of text are known only at the end: take them from the counting run. */
    FILE *table = options->output ? fopen(options->output, "w") : stdout;
    if (!table) {
        log_error("%s: cannot write: %s", options->output, strerror(errno));
        return STATUS_IO;
    }
    char *buffer = malloc(OUTPUT_BUFFER_SIZE);
    if (buffer) {
        setvbuf(table, buffer, _IOFBF, OUTPUT_BUFFER_SIZE);
    }
    const struct driver *driver = decode->device.driver;
    decode->table = table;
    table_head_write(decode);
    memset(decode->sample_counts, 0, sizeof decode->sample_counts);
    enum status status = decode_run(decode, driver, &options->settings, captured);
    errno = 0;
    bool is_bad = fflush(table) != 0 || ferror(table);
    int error = errno;
    if (options->output) {
        is_bad = fclose(table) != 0 || is_bad;
    } else {
        setvbuf(table, NULL, _IOLBF, BUFSIZ);
    }
    free(buffer);
    if (is_bad) {
        log_error("%s: could not write all of the table: %s; the file is not whole",
                  options->output ? options->output : "standard output",
                  strerror(error ? error : EIO));
        return STATUS_IO;
    }
    return status;
}

/* ---- the command ---- */

static bool rate_parse(const char *text, double *rate_hz)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0.0) || value > 1e6) {
        log_error("--rate %s: must be a number of Hz above 0, such as 100", text);
        return false;
    }
    *rate_hz = value;
    return true;
}

/* @return EXIT_CODE_OK to go on, -1 after --help, else the exit code. */
static int options_read(int argc, char **argv, struct decode_options *options)
{
    static const struct option known[] = {
        {"driver", required_argument, NULL, 'd'},  {"output", required_argument, NULL, 'o'},
        {"columns", required_argument, NULL, 'c'}, {"rate", required_argument, NULL, 'r'},
        {"hex", no_argument, NULL, 'x'},           {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "o:", known, NULL)) != -1;) {
        switch (option) {
        case 'd':
            options->driver = optarg;
            break;
        case 'o':
            options->output = optarg;
            break;
        case 'c':
            options->settings.columns = optarg;
            break;
        case 'r':
            if (!rate_parse(optarg, &options->settings.rate_hz)) {
                return EXIT_CODE_USAGE;
            }
            break;
        case 'x':
            options->is_hex = true;
            break;
        case 'j':
            options->is_json = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return -1;
        default:
            fputs(HELP, stderr);
            return EXIT_CODE_USAGE;
        }
    }
    if (!options->driver || optind + 1 != argc) {
        log_error("decode: needs --driver NAME and one FILE; see 'limber decode --help'");
        return EXIT_CODE_USAGE;
    }
    options->input = argv[optind];
    return EXIT_CODE_OK;
}

static enum status decode_file(const struct decode_options *options,
                               const struct driver *driver, struct decode *decode,
                               struct decode *scratch)
{
    struct captured captured = {0};
    enum status status = captured_open(options->input, &captured);
    if (status) {
        return status;
    }
    if (options->is_hex) {
        captured.size = hex_text_decode(captured.bytes, captured.size);
    }
    status = decode_run(decode, driver, &options->settings, &captured);
    if (!status) {
        counters_print(decode);
        notice_print(decode);
        status = plausibility_check(options, decode, &captured, scratch);
    }
    if (!status && options->is_json) {
        counters_json_print(decode);
    }
    if (!status && (options->output || !options->is_json)) {
        status = table_write(options, &captured, decode);
    }
    munmap(captured.bytes, captured.mapped_size);
    return status;
}

int command_decode(int argc, char **argv)
{
    struct decode_options options = {0};
    int code = options_read(argc, argv, &options);
    if (code != EXIT_CODE_OK) {
        return code < 0 ? EXIT_CODE_OK : code;
    }
    const struct driver *driver = driver_find(options.driver);
    if (!driver) {
        log_error("no driver '%s'; 'limber devices' lists them", options.driver);
        return EXIT_CODE_USAGE;
    }
    const char *columns = options.settings.columns;
    if (columns && text_profile_is_file(columns)) {
        enum status status = text_profile_read(columns, &options.profile);
        if (status) {
            return (int)options_exit_code(status);
        }
        text_profile_apply(&options.profile, &options.settings);
    }
    struct decode *decodes = calloc(2, sizeof *decodes);
    if (!decodes) {
        log_error("decode: no memory");
        return EXIT_CODE_DISK;
    }
    enum status status = decode_file(&options, driver, &decodes[0], &decodes[1]);
    free(decodes);
    return (int)options_exit_code(status);
}

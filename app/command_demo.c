#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/assessment.h"
#include "app/command.h"
#include "app/options.h"
#include "app/results.h"
#include "base/log.h"
#include "base/units.h"

static const char HELP[] =
    "usage: limber demo [--protocol ID[,ID]] [--patient NAME] [--archive DIR] [--fast]\n"
    "                   [--seed N] [--truth FILE] [--json]\n\n"
    "A guided assessment with simulated sensors on a simulated person, recorded into an\n"
    "archive like a real one. Without --protocol: all seven stretches.\n\n"
    "  --protocol ID    one or more stretches; 'limber protocols list' shows them\n"
    "  --patient NAME   comfortable, stiff, asymmetric, hypermobile, hurried, "
    "poor_holder,\n"
    "                   one with faulty sensors, or a YAML file; default comfortable\n"
    "  --archive DIR    where to keep it; default limber-demo, made new\n"
    "  --fast           do not slow down for watching\n"
    "  --seed N         another person of the same kind; default 1\n"
    "  --truth FILE     write what the body really did (CSV), to compare with\n"
    "  --json           results as JSON, no guide\n\n"
    "example: limber demo --protocol cat_cow,bridge --patient stiff\n";

/* Watching: a session of 25 minutes in about one minute. */
static const double WATCH_PACE = 30.0;

struct demo_options {
    const char *protocols;
    const char *patient;
    const char *archive;
    const char *truth;
    unsigned long long seed;
    bool fast;
    bool json;
};

struct demo_sensor {
    enum role role;
    const char *driver;
};

/* Strip of 10 kOhm flat that doubles at 180 deg, pre-bent by 30 deg, over a fixed 11.5
 * kOhm, read with 10 bits (Spectra Symbol data sheet 2014): 508 counts at 0 deg, 444 at 60
 * deg. */
static const struct calibration_flex FLEX_NOMINAL = {
    .offset = 508.0,
    .scale = -64.0,
    .terms_rad = {0.0, 60.0 * RAD_PER_DEG},
    .term_count = 2,
    .low = 400.0,
    .high = 540.0,
    .residual_rad = 8.0 * RAD_PER_DEG, /* parts differ by 15 % flat and 5 % in gain */
};

/* Both placement sets at once, so that every stretch can run. */
static const struct demo_sensor DEMO_SENSORS[] = {
    {ROLE_THORAX_DORSAL, "xio-ximu3"},     {ROLE_PELVIS_DORSAL, "xio-ximu3"},
    {ROLE_STERNUM, "xio-ximu3"},           {ROLE_PELVIS_VENTRAL, "xio-ximu3"},
    {ROLE_THIGH_L, "xio-ximu3"},           {ROLE_THIGH_R, "xio-ximu3"},
    {ROLE_FLEX_LUMBAR, "arduino-firmata"},
};

static enum status sensors_make(const char *patient, struct sensor_list *list)
{
    for (size_t index = 0; index < sizeof DEMO_SENSORS / sizeof DEMO_SENSORS[0]; index++) {
        struct sensor_entry *entry = &list->entries[list->count++];
        entry->role = DEMO_SENSORS[index].role;
        entry->rate_hz = 100.0;
        snprintf(entry->driver, sizeof entry->driver, "%s", DEMO_SENSORS[index].driver);
        int size = snprintf(entry->port, sizeof entry->port, "simulated:%s", patient);
        if (size < 0 || (size_t)size >= sizeof entry->port) {
            log_error("--patient %s: name too long", patient);
            return STATUS_BAD_INPUT;
        }
        if (role_is_flex(entry->role)) {
            entry->flex = FLEX_NOMINAL;
        }
    }
    return STATUS_OK;
}

static enum status protocols_make(const char *names, struct header *header)
{
    if (names) {
        return options_protocols(names, header);
    }
    size_t count = 0;
    const char *const *library = protocol_library(&count);
    enum status status = STATUS_OK;
    for (size_t index = 0; index < count && !status; index++) {
        status = options_protocols(library[index], header);
    }
    return status;
}

/* A healthy person's answers: nothing to report, no pain. */
static void screening_make(struct screening *screening)
{
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        screening->answers[index] = SCREENING_NO;
    }
    screening->pain_now = 2;
    screening->pain_after = 1;
}

static enum status demo_run(const struct demo_options *options)
{
    struct header *header = NULL;
    enum status status = header_create(&header);
    if (status) {
        return status;
    }
    header->align = true;
    screening_make(&header->screening);
    snprintf(header->operator_code, sizeof header->operator_code, "demo");
    status = options_subject("DEMO000001", header);
    if (!status) {
        status = sensors_make(options->patient, &header->sensors);
    }
    if (!status) {
        status = protocols_make(options->protocols, header);
    }
    if (!status) {
        const struct assessment_settings settings = {
            .archive = options->archive,
            .header = header,
            .pace =
                options->fast || options->json || !isatty(STDOUT_FILENO) ? 0.0 : WATCH_PACE,
            .seed = options->seed,
            .truth_path = options->truth,
            .show_guide = !options->json,
            .read_keys = !options->json,
        };
        struct assessment_result result = {0};
        status = assessment_run(&settings, &result);
        if (!status) {
            status = results_show(result.path, options->json);
        }
        if (!status && !options->json) {
            printf("Archive:      %s\nNext:         limber report clinician %s -o "
                   "report.html\n",
                   options->archive, result.path);
        }
    }
    header_destroy(header);
    return status;
}

/* "limber-demo", or with a number behind it when that is taken. */
static const char *archive_name(char name[64])
{
    struct stat facts;
    snprintf(name, 64, "limber-demo");
    for (unsigned number = 2; stat(name, &facts) == 0 && number < 10000; number++) {
        snprintf(name, 64, "limber-demo-%u", number);
    }
    return name;
}

int command_demo(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"protocol", required_argument, NULL, 'p'},
        {"patient", required_argument, NULL, 'q'},
        {"archive", required_argument, NULL, 'a'},
        {"seed", required_argument, NULL, 's'},
        {"truth", required_argument, NULL, 't'},
        {"fast", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char name[64];
    struct demo_options options = {.patient = "comfortable", .seed = 1};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'p':
            options.protocols = optarg;
            break;
        case 'q':
            options.patient = optarg;
            break;
        case 'a':
            options.archive = optarg;
            break;
        case 's':
            if (!options_seed(optarg, &options.seed)) {
                return EXIT_CODE_USAGE;
            }
            break;
        case 't':
            options.truth = optarg;
            break;
        case 'f':
            options.fast = true;
            break;
        case 'j':
            options.json = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (optind < argc) {
        log_error("demo: '%s' is not an option; see 'limber demo --help'", argv[optind]);
        return EXIT_CODE_USAGE;
    }
    if (!options.archive) {
        options.archive = archive_name(name);
    }
    return options_exit_code(demo_run(&options));
}

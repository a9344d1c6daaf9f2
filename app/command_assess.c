#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/assessment.h"
#include "app/command.h"
#include "app/options.h"
#include "app/questions.h"
#include "app/results.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber assess --archive DIR --subject CODE --protocol ID[,ID] --sensors FILE\n"
    "                     [--answers FILE] [--operator CODE] [--no-align] [--json]\n\n"
    "Guides a person through stretches in the terminal, records every byte, and closes "
    "the\n"
    "session into the archive.\n\n"
    "  --archive DIR    folder of sessions, made if missing\n"
    "  --subject CODE   pseudonym: letters, digits, '-' and '_'; never a name\n"
    "  --protocol ID    one or more stretches, or YAML files\n"
    "  --sensors FILE   YAML: sensors: [{role, driver, port, rate_hz}]; port is a tty,\n"
    "                   file:PATH (raw bytes) or simulated:PATIENT\n"
    "  --answers FILE   YAML: screening answers and pain, instead of asking\n"
    "  --operator CODE  who guides, for the record\n"
    "  --no-align       trust the printed placement; no bends at the start\n"
    "  --seed N         of simulated persons; default 1\n"
    "  --truth FILE     of simulated persons: what the body really did (CSV)\n"
    "  --json           results as JSON, no guide\n\n"
    "keys: space pause or go on, s stop, x sharp pain, 0-9 and t pain now, k skip, r "
    "redo,\n"
    "u undo\n\n"
    "example: limber assess --archive clinic --subject K7Q2M9XW4D --protocol cat_cow \\\n"
    "                       --sensors sensors.yaml --answers answers.yaml\n";

struct assess_options {
    const char *archive;
    const char *subject;
    const char *protocols;
    const char *sensors;
    const char *answers;
    const char *operator_code;
    const char *truth;
    unsigned long long seed;
    bool no_align;
    bool json;
};

static bool list_is_recorded(const struct sensor_list *list)
{
    for (unsigned index = 0; index < list->count; index++) {
        if (strncmp(list->entries[index].port, "file:", 5) != 0) {
            return false;
        }
    }
    return true;
}

/* Nobody moves while files are read: questions are only asked of a person who is there. */
static enum status screening_make(const struct assess_options *options,
                                  struct header *header)
{
    if (options->answers) {
        enum status status = screening_read(options->answers, &header->screening);
        if (status) {
            return status;
        }
    } else if (header->is_recorded) {
        return STATUS_OK;
    } else if (isatty(STDIN_FILENO) == 1 && !options->json) {
        enum status status = questions_ask(&header->screening);
        if (status) {
            return status;
        }
    } else {
        log_error("assess: the screening questions are not answered; give --answers FILE");
        return STATUS_REFUSED;
    }
    char reason[160];
    if (!screening_may_start(&header->screening, reason)) {
        log_error("assess: not started: %s", reason);
        return STATUS_REFUSED;
    }
    return STATUS_OK;
}

static enum status header_make(const struct assess_options *options, struct header *header)
{
    enum status status = options_subject(options->subject, header);
    if (!status && options->operator_code) {
        status = options_operator(options->operator_code, header);
    }
    if (!status) {
        status = sensor_file_read(options->sensors, &header->sensors);
    }
    if (!status) {
        status = options_protocols(options->protocols, header);
    }
    if (!status) {
        header->is_recorded = list_is_recorded(&header->sensors);
        header->align = !options->no_align && !header->is_recorded;
        status = screening_make(options, header);
    }
    return status;
}

static enum status assess_run(const struct assess_options *options)
{
    struct header *header = NULL;
    enum status status = header_create(&header);
    if (!status) {
        status = header_make(options, header);
    }
    if (!status) {
        const struct assessment_settings settings = {
            .archive = options->archive,
            .header = header,
            .seed = options->seed,
            .truth_path = options->truth,
            .show_guide = !options->json,
            .read_keys = true,
        };
        struct assessment_result result = {0};
        status = assessment_run(&settings, &result);
        if (result.path[0]) {
            enum status show_status = results_show(result.path, options->json);
            status = status ? status : show_status;
        }
    }
    header_destroy(header);
    return status;
}

/* The four things nobody can guess. */
static const char *missing_option(const struct assess_options *options)
{
    return !options->archive     ? "--archive"
           : !options->subject   ? "--subject"
           : !options->protocols ? "--protocol"
           : !options->sensors   ? "--sensors"
                                 : NULL;
}

int command_assess(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"archive", required_argument, NULL, 'a'},
        {"subject", required_argument, NULL, 'u'},
        {"protocol", required_argument, NULL, 'p'},
        {"sensors", required_argument, NULL, 'd'},
        {"answers", required_argument, NULL, 'w'},
        {"operator", required_argument, NULL, 'o'},
        {"truth", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"no-align", no_argument, NULL, 'n'},
        {"no-page", no_argument, NULL, 'g'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct assess_options options = {.seed = 1};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'a':
            options.archive = optarg;
            break;
        case 'u':
            options.subject = optarg;
            break;
        case 'p':
            options.protocols = optarg;
            break;
        case 'd':
            options.sensors = optarg;
            break;
        case 'w':
            options.answers = optarg;
            break;
        case 'o':
            options.operator_code = optarg;
            break;
        case 't':
            options.truth = optarg;
            break;
        case 's':
            if (!options_seed(optarg, &options.seed)) {
                return EXIT_CODE_USAGE;
            }
            break;
        case 'n':
            options.no_align = true;
            break;
        case 'g':
            break; /* the terminal is the only guide so far */
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
    const char *missing = missing_option(&options);
    if (missing || optind < argc) {
        log_error("assess: %s %s; see 'limber assess --help'",
                  missing ? missing : argv[optind],
                  missing ? "is needed" : "is not an option");
        return EXIT_CODE_USAGE;
    }
    return options_exit_code(assess_run(&options));
}

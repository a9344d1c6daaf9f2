/* The program: finds the command and runs it. */
#include <gsl/gsl_errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/log.h"
#include "base/status.h"
#include "report/report.h"

struct command {
    const char *name;
    command_fn *run;
    const char *summary;
};

static const struct command COMMANDS[] = {
    {"demo", command_demo, "the whole job with simulated sensors, into a fresh archive"},
    {"devices", command_devices, "what is plugged in, and which driver would take it"},
    {"protocols", command_protocols, "list, show or check the stretches"},
    {"assess", command_assess, "guide a person through stretches and record them"},
    {"recover", command_recover, "finish recordings that were cut off"},
    {"analyse", command_analyse, "compute a session again from its bytes"},
    {"verify", command_verify, "check a session file"},
    {"report", command_report, "write a report for a clinician or a patient"},
    {"export", command_export, "write tables for other programs"},
    {"metrics", command_metrics,
     "list every metric: id, unit, definition, version, source"},
    {"decode", command_decode, "captured bytes of one sensor to a table of samples"},
    {"audit", command_audit, "check who did what in an archive"},
};

enum {
    COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0]
};

static void help_print(FILE *stream)
{
    fputs("Limber guides and measures stretches of the lower back with worn sensors.\n\n"
          "usage: limber COMMAND [options]      limber COMMAND --help\n\n",
          stream);
    for (size_t index = 0; index < COMMAND_COUNT; index++) {
        fprintf(stream, "  %-10s %s\n", COMMANDS[index].name, COMMANDS[index].summary);
    }
    fputs("\nexample: limber demo --protocol cat_cow --fast\n"
          "exit codes: 0 ok, 1 finding or refusal, 2 usage, 3 device, 4 data, 5 disk\n",
          stream);
}

static void version_print(void)
{
    printf("limber %s\n\n%s\n", LIMBER_VERSION, report_disclaimer());
}

int main(int argc, char **argv)
{
    /* The default handler of GSL ends the process; every return is checked instead. */
    gsl_set_error_handler_off();
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        help_print(stderr);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help_print(stdout);
        return EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        version_print();
        return EXIT_CODE_OK;
    }
    for (size_t index = 0; index < COMMAND_COUNT; index++) {
        if (strcmp(argv[1], COMMANDS[index].name) == 0) {
            int code = COMMANDS[index].run(argc - 1, argv + 1);
            if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK) {
                log_error("standard output: could not write all of the result");
                return EXIT_CODE_DISK;
            }
            return code;
        }
    }
    log_error("unknown command '%s'; 'limber --help' lists them", argv[1]);
    return EXIT_CODE_USAGE;
}

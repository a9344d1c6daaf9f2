#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/options.h"
#include "archive/export.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber export FORMAT --archive DIR [--subject CODE] [--deidentify] OUT\n\n"
    "Writes the sessions of an archive for other programs into the new folder OUT.\n\n"
    "  --archive DIR    the archive to read\n"
    "  --subject CODE   only this person\n"
    "  --deidentify     people become S001, S002 ..., dates become days since the first "
    "session;\n"
    "                   serial numbers, ports, operators, notes and own protocol texts are "
    "left\n"
    "                   out\n\n";

static const char HELP_END[] =
    "\nexit codes: 0 ok, 1 nothing to export or OUT not empty, 2 usage, 4 a session could "
    "not be\n"
    "read, 5 disk\n\n"
    "example: limber export csv --archive clinic --deidentify study-2026\n";

static void help_print(void)
{
    size_t count = 0;
    const struct export_format *const *formats = export_list(&count);
    fputs(HELP, stdout);
    for (size_t index = 0; index < count; index++) {
        printf("  %-8s %s\n", formats[index]->name, formats[index]->title);
    }
    fputs(HELP_END, stdout);
}

static int export_run(const char *name, const struct export_settings *settings)
{
    const struct export_format *format = export_find(name);
    if (!format) {
        log_error("export: unknown format '%s'; 'limber export --help' lists them", name);
        return EXIT_CODE_USAGE;
    }
    enum status status = format->write(settings);
    if (status == STATUS_OK) {
        printf("%s: written\n", settings->out);
    }
    return options_exit_code(status);
}

int command_export(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"archive", required_argument, NULL, 'a'},
        {"subject", required_argument, NULL, 's'},
        {"deidentify", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct export_settings settings = {.archive = NULL};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'a':
            settings.archive = optarg;
            break;
        case 's':
            settings.subject = optarg;
            break;
        case 'd':
            settings.deidentify = true;
            break;
        case 'h':
            help_print();
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (optind + 2 != argc || !settings.archive) {
        log_error(
            "export: give a format, --archive DIR and the folder OUT; see 'limber export "
            "--help'");
        return EXIT_CODE_USAGE;
    }
    settings.out = argv[optind + 1];
    return export_run(argv[optind], &settings);
}

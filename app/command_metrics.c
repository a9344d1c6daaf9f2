#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/metric.h"
#include "app/command.h"
#include "app/options.h"
#include "base/log.h"
#include "base/status.h"

static const char HELP[] =
    "usage: limber metrics [--json]\n\n"
    "Every metric that Limber reports: id, unit, definition, version of\n"
    "the definition, source and how well it is backed.\n\n"
    "example: limber metrics --json\n";

static void list_print(void)
{
    for (unsigned id = 0; id < METRIC_COUNT; id++) {
        const struct metric_definition *definition =
            metric_definition_get((enum metric_id)id);
        printf("%s  [%s]  version %u\n  %s\n  %s\n  source: %s [%s]\n\n", definition->id,
               definition->unit, definition->version, definition->title,
               definition->definition, definition->source, definition->evidence);
    }
}

static enum status list_print_json(void)
{
    json_t *list = json_array();
    for (unsigned id = 0; id < METRIC_COUNT; id++) {
        const struct metric_definition *definition =
            metric_definition_get((enum metric_id)id);
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "id", definition->id, "title",
                      definition->title, "unit", definition->unit, "definition",
                      definition->definition, "version", (int)definition->version, "source",
                      definition->source, "evidence", definition->evidence));
    }
    char *text = json_dumps(list, JSON_INDENT(1));
    json_decref(list);
    if (!text) {
        return STATUS_NO_MEMORY;
    }
    puts(text);
    free(text);
    return STATUS_OK;
}

int command_metrics(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        }
        if (option != 'j') {
            return EXIT_CODE_USAGE;
        }
        json = true;
    }
    if (optind < argc) {
        log_error("metrics: '%s' is not an option; see 'limber metrics --help'",
                  argv[optind]);
        return EXIT_CODE_USAGE;
    }
    if (json) {
        return options_exit_code(list_print_json());
    }
    list_print();
    return EXIT_CODE_OK;
}

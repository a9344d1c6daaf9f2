#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/options.h"
#include "archive/archive.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber verify SESSION.h5 [SESSION.h5 ...] [--json]\n\n"
    "Checks session files without changing them: nothing cut off, no byte changed since it "
    "was\n"
    "written (checksum over the whole file), layout complete, row counts agree, every "
    "data\n"
    "block readable, and the recorded bytes match their SHA-256.\n\n"
    "  --json   a list of {file, ok, finding}\n\n"
    "exit codes: 0 all whole, 1 a file is damaged, 4 a file is missing or no session "
    "file\n\n"
    "example: limber verify clinic/K7Q2M9XW4D/20261122T104500Z_1a2b3c4d.h5\n";

/* @return One element of the JSON list, NULL without memory. */
static json_t *result_make(const char *path, enum status status, const char *finding)
{
    return json_pack("{s:s, s:b, s:s}", "file", path, "ok", status == STATUS_OK, "finding",
                     finding);
}

static void result_print(const char *path, enum status status, const char *finding)
{
    if (status == STATUS_OK) {
        printf("%s: whole\n", path);
    } else {
        log_error("%s: %s%s", path, finding[0] ? finding : status_text(status),
                  status == STATUS_CORRUPT ? "; restore it from a backup" : "");
    }
}

/* Damage is the finding this command looks for; all else keeps its usual code. */
static int result_code(enum status status)
{
    return status == STATUS_CORRUPT ? EXIT_CODE_FINDING : (int)options_exit_code(status);
}

static int files_verify(char **paths, int count, bool json)
{
    int worst = EXIT_CODE_OK;
    json_t *list = json ? json_array() : NULL;
    for (int index = 0; index < count; index++) {
        char finding[256] = "";
        enum status status = archive_verify(paths[index], finding);
        int code = result_code(status);
        worst = code > worst ? code : worst;
        if (json) {
            json_array_append_new(list, result_make(paths[index], status, finding));
        } else {
            result_print(paths[index], status, finding);
        }
    }
    if (json) {
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(list);
    return worst;
}

int command_verify(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool json = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (optind >= argc) {
        log_error("verify: give at least one SESSION.h5; see 'limber verify --help'");
        return EXIT_CODE_USAGE;
    }
    return files_verify(argv + optind, argc - optind, json);
}

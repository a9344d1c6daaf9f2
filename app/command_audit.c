#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/options.h"
#include "archive/audit.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber audit verify DIR\n\n"
    "Checks the audit trail of an archive (DIR/audit.jsonl): every line carries the "
    "SHA-256 of\n"
    "the line before it, and DIR/audit.head the count and hash of the last one, so a line "
    "that\n"
    "was changed, removed or moved is found.\n\n"
    "exit codes: 0 whole, 1 tampered with or damaged, 4 no audit trail there\n\n"
    "example: limber audit verify clinic\n";

static int trail_verify(const char *directory)
{
    char finding[256] = "";
    unsigned count = 0;
    enum status status = audit_verify(directory, finding, &count);
    if (status == STATUS_OK) {
        printf("%s: audit trail whole, %u %s\n", directory, count,
               count == 1 ? "entry" : "entries");
        return EXIT_CODE_OK;
    }
    if (status == STATUS_CORRUPT) {
        log_error("%s/audit.jsonl: %s (%u good before it); compare it with a backup",
                  directory, finding, count);
        return EXIT_CODE_FINDING;
    }
    return options_exit_code(status);
}

int command_audit(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (optind + 2 != argc || strcmp(argv[optind], "verify") != 0) {
        log_error("audit: give 'verify DIR'; see 'limber audit --help'");
        return EXIT_CODE_USAGE;
    }
    return trail_verify(argv[optind + 1]);
}

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/assembly.h"
#include "app/closing.h"
#include "app/command.h"
#include "app/options.h"
#include "app/results.h"
#include "archive/archive.h"
#include "base/log.h"

static const char HELP[] =
    "usage: limber analyse SESSION.h5 [--json] [-o NEW.h5]\n\n"
    "Computes a session again from the bytes kept inside it and compares every number "
    "with\n"
    "the stored one, bit by bit.\n\n"
    "  --json     the new results as JSON\n"
    "  -o NEW.h5  write a new session file that names this one as its parent\n\n"
    "exit code 1 when any number differs.\n"
    "example: limber analyse clinic/K7Q2M9XW4D/20261122T104500Z_1a2b3c4d.h5\n";

struct analysis {
    const char *path;
    const char *out;
    bool json;
};

static enum status session_rebuild(const struct session *stored, bool with_samples,
                                   struct assembly_report *report, struct session **out)
{
    struct journal_reader *reader = NULL;
    const struct assembly_settings settings = {.with_samples = with_samples};
    enum status status =
        journal_reader_open_bytes(stored->journal, stored->journal_size, &reader);
    if (!status) {
        status = assembly_build(reader, &settings, report, out);
    }
    journal_reader_close(reader);
    return status;
}

/* A new file never replaces the old one: it has its own uuid and names its parent. */
static enum status session_write(struct session *session, const struct session *parent,
                                 const char *path)
{
    memcpy(session->parent_uuid, parent->uuid, sizeof session->parent_uuid);
    archive_uuid(session->uuid);
    snprintf(session->software, sizeof session->software, "limber %s", LIMBER_VERSION);
    snprintf(session->software_commit, sizeof session->software_commit, "%s",
             LIMBER_COMMIT);
    archive_hash_bytes(session->journal, session->journal_size, session->journal_hash);
    return closing_write(session, path);
}

static enum status results_compare(const struct analysis *analysis,
                                   const struct session *stored,
                                   const struct session *again,
                                   const struct assembly_report *report)
{
    size_t difference_count = results_difference_count(stored, again);
    if (analysis->json) {
        enum status status = results_print_json(again);
        if (status) {
            return status;
        }
    } else {
        results_print_table(again);
        printf("\n%zu metrics computed again, %zu differ from the file\n"
               "%llu events decided again, %llu differ from the recording\n",
               again->metric_count, difference_count,
               (unsigned long long)report->event_count,
               (unsigned long long)report->event_mismatch_count);
    }
    return difference_count + report->event_mismatch_count > 0 ? STATUS_REFUSED : STATUS_OK;
}

static enum status analysis_run(const struct analysis *analysis)
{
    const struct archive_read_settings settings = {.with_journal = true};
    struct session *stored = NULL;
    struct session *again = NULL;
    struct assembly_report report = {0};
    enum status status = archive_read(analysis->path, &settings, &stored);
    if (!status) {
        status = session_rebuild(stored, analysis->out != NULL, &report, &again);
    }
    if (!status) {
        status = results_compare(analysis, stored, again, &report);
    }
    if (analysis->out && again && (status == STATUS_OK || status == STATUS_REFUSED)) {
        enum status write_status = session_write(again, stored, analysis->out);
        status = write_status ? write_status : status;
    }
    session_destroy(again);
    session_destroy(stored);
    return status;
}

int command_analyse(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct analysis analysis = {0};
    int option = 0;
    while ((option = getopt_long(argc, argv, "o:", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'o':
            analysis.out = optarg;
            break;
        case 'j':
            analysis.json = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (optind + 1 != argc) {
        log_error("analyse: name one session file; see 'limber analyse --help'");
        return EXIT_CODE_USAGE;
    }
    analysis.path = argv[optind];
    return options_exit_code(analysis_run(&analysis));
}

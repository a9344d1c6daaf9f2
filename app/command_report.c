#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/options.h"
#include "archive/archive.h"
#include "archive/catalogue.h"
#include "base/log.h"
#include "report/report.h"

static const char HELP[] =
    "usage: limber report clinician SESSION.h5 [--archive DIR] [-o FILE.html] [--text]\n"
    "       limber report patient --archive DIR --subject CODE [-o FILE.html] [--text]\n\n"
    "Writes a report: one session for a clinician, or the progress of a person in plain "
    "words.\n"
    "The HTML is one file without scripts or outside requests and prints on A4.\n\n"
    "  --archive DIR   earlier sessions of the person, for change and trend; default: the\n"
    "                  archive that the session file lies in\n"
    "  -o FILE         default: standard output\n"
    "  --text          plain text instead of HTML\n\n"
    "example: limber report clinician clinic/K7Q2M9XW4D/20261122T104500Z_1a2b3c4d.h5 -o "
    "a.html\n";

struct report_options {
    bool for_patient;
    const char *session;
    const char *archive;
    const char *subject;
    const char *out;
    bool text;
};

struct session_list {
    struct session **sessions;
    size_t count;
    char last_path[CATALOGUE_PATH_SIZE];
};

static void session_list_release(struct session_list *list)
{
    for (size_t index = 0; index < list->count; index++) {
        session_destroy(list->sessions[index]);
    }
    free(list->sessions);
}

static enum status session_list_add(struct session_list *list, const char *path)
{
    const struct archive_read_settings settings = {0};
    struct session **grown =
        realloc(list->sessions, (list->count + 1) * sizeof *list->sessions);
    if (!grown) {
        return STATUS_NO_MEMORY;
    }
    list->sessions = grown;
    enum status status = archive_read(path, &settings, &list->sessions[list->count]);
    if (!status) {
        list->count++;
        snprintf(list->last_path, sizeof list->last_path, "%s", path);
    }
    return status;
}

/* All sessions of a subject up to (not including) the given one; NULL = all. Re-analysed
 * copies are left out: the original counts. */
static enum status history_read(const char *archive, const char *subject,
                                const struct session *until, struct session_list *list)
{
    struct catalogue *catalogue = NULL;
    struct catalogue_entry *entries = NULL;
    size_t count = 0;
    enum status status = catalogue_open(archive, &catalogue);
    if (!status) {
        status = catalogue_list(catalogue, subject, &entries, &count);
    }
    for (size_t index = 0; index < count && !status; index++) {
        bool is_before = !until
                         || (entries[index].start_utc_us < until->start_utc_us
                             && strcmp(entries[index].uuid, until->uuid) != 0);
        if (is_before && !entries[index].parent_uuid[0]) {
            status = session_list_add(list, entries[index].path);
        }
    }
    free(entries);
    catalogue_close(catalogue);
    return status;
}

static enum status clinician_sessions(const struct report_options *options,
                                      struct session_list *list)
{
    const struct archive_read_settings settings = {0};
    struct session *session = NULL;
    char guess[CATALOGUE_PATH_SIZE];
    enum status status = archive_read(options->session, &settings, &session);
    if (status) {
        return status;
    }
    const char *archive = options->archive                              ? options->archive
                          : options_archive_of(options->session, guess) ? guess
                                                                        : NULL;
    if (archive) {
        status = history_read(archive, session->subject, session, list);
    }
    session_destroy(session);
    return status ? status : session_list_add(list, options->session);
}

/* Reports are about a person: only the owner may read the file. */
static FILE *output_open(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!stream) {
        log_error("%s: could not write the report: %s", path, strerror(errno));
    }
    return stream;
}

static enum status document_output(const struct report_options *options,
                                   const struct document *document)
{
    FILE *stream = options->out ? output_open(options->out) : stdout;
    if (!stream) {
        return STATUS_IO;
    }
    enum status status = options->text ? document_write_text(document, stream)
                                       : document_write_html(document, stream);
    if (options->out && fclose(stream) != 0 && !status) {
        log_error("%s: could not write all of the report: %s", options->out,
                  strerror(errno));
        status = STATUS_IO;
    }
    return status;
}

static enum status report_build(const struct report_options *options,
                                const struct session_list *list)
{
    char hash[SESSION_HASH_SIZE];
    struct document *document = NULL;
    const struct session *const *sessions = (const struct session *const *)list->sessions;
    enum status status = archive_hash_file(list->last_path, hash);
    if (!status) {
        status = options->for_patient
                     ? report_patient(sessions, list->count, hash, &document)
                     : report_clinician(sessions, list->count, hash, &document);
    }
    if (!status) {
        status = document_output(options, document);
    }
    document_destroy(document);
    return status;
}

static enum status report_run(const struct report_options *options)
{
    struct session_list list = {0};
    enum status status = options->for_patient
                             ? history_read(options->archive, options->subject, NULL, &list)
                             : clinician_sessions(options, &list);
    if (!status && list.count == 0) {
        log_error("%s: no session of subject '%s'; 'limber assess' makes one",
                  options->archive, options->subject);
        status = STATUS_NOT_FOUND;
    }
    if (!status) {
        status = report_build(options, &list);
    }
    session_list_release(&list);
    return status;
}

/* Which report, and whether all it needs is there. */
static bool options_complete(struct report_options *options, int argc, char **argv)
{
    if (optind >= argc) {
        return false;
    }
    options->for_patient = strcmp(argv[optind], "patient") == 0;
    if (options->for_patient) {
        return optind + 1 == argc && options->archive && options->subject;
    }
    if (strcmp(argv[optind], "clinician") != 0 || optind + 2 != argc) {
        return false;
    }
    options->session = argv[optind + 1];
    return true;
}

int command_report(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"archive", required_argument, NULL, 'a'},
                                            {"subject", required_argument, NULL, 's'},
                                            {"text", no_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct report_options options = {0};
    int option = 0;
    while ((option = getopt_long(argc, argv, "o:", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'a':
            options.archive = optarg;
            break;
        case 's':
            options.subject = optarg;
            break;
        case 'o':
            options.out = optarg;
            break;
        case 't':
            options.text = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        default:
            return EXIT_CODE_USAGE;
        }
    }
    if (!options_complete(&options, argc, argv)) {
        log_error("report: give 'clinician SESSION.h5' or 'patient --archive DIR --subject "
                  "CODE'; see 'limber report --help'");
        return EXIT_CODE_USAGE;
    }
    return options_exit_code(report_run(&options));
}

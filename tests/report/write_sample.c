/* write_sample FOLDER: writes reports of made-up sessions for the check in a browser. */
#include <stdio.h>
#include <stdlib.h>

#include "report/report.h"
#include "sample.h"

typedef enum status (*report_function)(const struct session *const *, size_t, const char *,
                                       struct document **);

static const char HASH[] =
    "b7e149c20d5f8a13b7e149c20d5f8a13b7e149c20d5f8a13b7e149c20d5f8a13";

static int write_one(report_function report, const struct session *const *sessions,
                     size_t count, const char *folder, const char *name)
{
    char path[512];
    struct document *document = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (report(sessions, count, HASH, &document)) {
        return 1;
    }
    FILE *stream = fopen(path, "w");
    int failed = !stream || document_write_html(document, stream) != STATUS_OK;
    if (stream && fclose(stream) != 0) {
        failed = 1;
    }
    document_destroy(document);
    return failed;
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 2) {
        fputs("usage: write_sample FOLDER\n", stderr);
        return 2;
    }
    struct session *made[SAMPLE_SESSION_COUNT] = {0};
    const struct session *sessions[SAMPLE_SESSION_COUNT];
    int failed = 0;
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        made[i] = sample_session_create(i, 140.0);
        sessions[i] = made[i];
        failed |= !made[i];
    }
    if (!failed) {
        failed |= write_one(report_clinician, sessions, 3, arguments[1], "clinician.html");
        failed |=
            write_one(report_clinician, sessions, 1, arguments[1], "clinician-first.html");
        /* The fullest page. */
        made[2]->simulated = true;
        failed |= write_one(report_patient, sessions, 3, arguments[1], "patient.html");
        failed |=
            write_one(report_patient, sessions, 1, arguments[1], "patient-first.html");
    }
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        sample_session_destroy(made[i]);
    }
    return failed;
}

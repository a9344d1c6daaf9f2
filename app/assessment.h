/* One assessment from start to closed session file: capture, engine, guide, simulated
 * person, recorder, closing. Main thread. */
#ifndef LIMBER_APP_ASSESSMENT_H
#define LIMBER_APP_ASSESSMENT_H

#include "app/guide.h"
#include "app/header.h"
#include "archive/catalogue.h"

struct assessment_settings {
    const char *archive; /* folder, created if missing */
    struct header
        *header; /* borrowed: subject, sensors, protocols, screening; the rest is set */
    double pace; /* simulated persons and files: session seconds per second; 0 = flat out */
    uint64_t seed;          /* of simulated persons */
    const char *truth_path; /* where the simulation writes the truth; NULL = nowhere */
    bool show_guide;
    bool read_keys; /* keyboard of the terminal */
};

struct assessment_result {
    char path[CATALOGUE_PATH_SIZE]; /* of the closed session file */
};

/* @return STATUS_OK also for an assessment that was stopped or aborted: all is kept. */
enum status assessment_run(const struct assessment_settings *settings,
                           struct assessment_result *result);

#endif

/* A session record out of a journal: replays every frame through the engine, keeps samples,
 * angles and events, and computes the metrics. The one way from bytes to results, used when
 * a session closes, when one is recovered, and by `limber analyse`. One thread. */
#ifndef LIMBER_APP_ASSEMBLY_H
#define LIMBER_APP_ASSEMBLY_H

#include "acquisition/journal.h"
#include "protocols/session.h"

/* What replay found out about the recording itself. */
struct assembly_report {
    uint64_t event_count;          /* events of the replay */
    uint64_t event_mismatch_count; /* events that the live program decided differently */
    bool has_end;                  /* the journal was closed properly */
};

/* Told about progress, 0 .. 1; may be NULL. */
typedef void assembly_progress_fn(void *user, double share);

struct assembly_settings {
    bool with_samples; /* keep samples and orientations (large) */
    assembly_progress_fn *progress;
    void *progress_user;
};

/* @param reader   Borrowed, at its start.
 * @param report   Out, may be NULL.
 * @param out      Gives the session, evaluated.
 * @return STATUS_OK; STATUS_CORRUPT when the header cannot be read; STATUS_NO_MEMORY. */
enum status assembly_build(struct journal_reader *reader,
                           const struct assembly_settings *settings,
                           struct assembly_report *report, struct session **out);

#endif

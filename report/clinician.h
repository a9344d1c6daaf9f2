/* Parts of the clinician report that live in files of their own. One thread. */
#ifndef LIMBER_REPORT_CLINICIAN_H
#define LIMBER_REPORT_CLINICIAN_H

#include "protocols/session.h"
#include "report/document.h"

/* One plot for each part of each stretch. */
void clinician_plots(struct document *document, const struct session *session);

/* Trend charts and the table of their values; nothing with fewer than two sessions to
 * compare. */
void clinician_trend(struct document *document, const struct session *const *sessions,
                     size_t count);

/* The last session's key values with change and verdict; holds and rounds; where the doubt
 * comes from; what is withheld; all other values. */
void clinician_key_table(struct document *document, const struct session *const *sessions,
                         size_t count);
void clinician_round_table(struct document *document, const struct session *session);
void clinician_error_table(struct document *document, const struct session *session);
void clinician_withheld_table(struct document *document, const struct session *session);
void clinician_other_table(struct document *document, const struct session *session);

#endif

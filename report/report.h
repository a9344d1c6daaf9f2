/* The reports people take away. One thread. */
#ifndef LIMBER_REPORT_REPORT_H
#define LIMBER_REPORT_REPORT_H

#include "protocols/session.h"
#include "report/document.h"

/* Fixed disclaimer (clinical reference 5.6); also printed by --version. */
const char *report_disclaimer(void);

/* Report of one session for clinicians.
 * @param sessions  All sessions of the subject, oldest first, the last is the one reported;
 * those before serve as baseline and trend. Angles are needed of the last only.
 * @param file_hash SHA-256 of the session file, for the footer.
 * @param out       Gives the document. */
enum status report_clinician(const struct session *const *sessions, size_t count,
                             const char *file_hash, struct document **out);

/* Progress report for the patient over all sessions, oldest first. */
enum status report_patient(const struct session *const *sessions, size_t count,
                           const char *file_hash, struct document **out);

#endif

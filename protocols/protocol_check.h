/* Whether a protocol makes sense: doses against the seed, zones, roles, cues, and tempo
 * against its own speed guard. Pure apart from the logged line; any thread. */
#ifndef LIMBER_PROTOCOLS_PROTOCOL_CHECK_H
#define LIMBER_PROTOCOLS_PROTOCOL_CHECK_H

#include "protocols/protocol.h"
#include "protocols/yaml_text.h"

enum {
    PROTOCOL_ADVICE_SIZE = 240
};

/* @param yaml  Where the protocol was read from, for line numbers.
 * @return STATUS_OK, or STATUS_BAD_INPUT after one logged line. */
enum status protocol_check(const struct protocol *protocol, const struct yaml_text *yaml);

/* What a clinician should know though the protocol is accepted: a part whose largest
 * expected movement would trip the caution limit of its own guard.
 * @param part    Index of the part.
 * @param advice  Out: one line, "" when there is nothing to say.
 * @return true when there is something. */
bool protocol_advice(const struct protocol *protocol, unsigned part,
                     char advice[PROTOCOL_ADVICE_SIZE]);

/* Fastest rate (deg/s) of a smooth movement over range_deg: 1.875 A/T for a move of T
 * seconds (minimum jerk), pi R/T for a cycle (sinusoid). Clinical reference 2.5. */
double protocol_peak_rate_deg_s(const struct protocol_part *part, double range_deg);

/* Speed limits that the guard holds a measure to; false when the guard does not watch it
 * (thighs).
 */
bool protocol_guard_limits(const struct protocol *protocol, enum measure measure,
                           double *caution_deg_s, double *stop_deg_s);

#endif

/* The first frame of every journal, as JSON: all that is decided before the first byte
 * arrives. Live and replay build the engine from this text, so both start equal. One
 * thread. */
#ifndef LIMBER_APP_HEADER_H
#define LIMBER_APP_HEADER_H

#include "app/sensor_file.h"
#include "protocols/protocol.h"
#include "protocols/screening.h"
#include "protocols/session.h"

struct header {
    char uuid[SESSION_UUID_SIZE];
    char visit_uuid[SESSION_UUID_SIZE];
    char subject[SESSION_SUBJECT_SIZE];
    char operator_code[SESSION_SUBJECT_SIZE];
    char software[32];
    char commit[48];
    int64_t start_utc_us;
    bool align;       /* guided alignment first */
    bool is_recorded; /* raw files: nobody follows the cues */
    struct screening screening;
    struct sensor_list sensors;
    struct protocol protocols[RUNNER_STRETCH_MAX]; /* own their texts */
    unsigned protocol_count;
};

/* Zeroed header. @return STATUS_OK or STATUS_NO_MEMORY. */
enum status header_create(struct header **out);

/* @param text  Gives a string for free(). */
enum status header_encode(const struct header *header, char **text);

/* Read back what header_encode wrote.
 * @return STATUS_OK; STATUS_CORRUPT after one logged line. */
enum status header_decode(const char *text, size_t size, struct header **out);

/* Fit every protocol to the sensors (protocol_adapt); once, when both are known. Done by
 * header_decode. */
void header_protocols_adapt(struct header *header);

/* Whether any sensor is a simulated one. */
bool header_is_simulated(const struct header *header);

/* NULL is allowed. */
void header_destroy(struct header *header);

#endif

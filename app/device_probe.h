/* Find out what is behind a port without disturbing it: listen first, ask only what is
 * known to understand the question, leave the port as it was found. Main thread. */
#ifndef LIMBER_APP_DEVICE_PROBE_H
#define LIMBER_APP_DEVICE_PROBE_H

#include "app/device_list.h"

struct probe_result {
    const struct driver *driver; /* that reads it; NULL = not recognised */
    unsigned baud;               /* heard or answered at; 0 = not a serial line */
    double rate_hz;              /* samples of its main stream a second while listening */
    double share;                /* of the heard bytes that were in good frames, 0 .. 1 */
    uint64_t byte_count;         /* heard at that speed */
    uint64_t frame_count;
    bool was_asked;
    bool has_answered;
    char identity[160]; /* "" = it did not say */
};

/* Told what is being done ("listening at 115200 baud"); may be NULL. */
typedef void probe_progress_fn(void *user, const char *doing);

/* Listen at every speed that the fitting drivers use, 0.5 s each, until one is understood;
 * then ask who it is. Only drivers whose own USB number the device bears are asked, or the
 * named one; nothing is ever written to any other port.
 * @param named     Only this driver; NULL = all.
 * @param result    Out.
 * @return STATUS_OK, also when nothing is recognised; what opening said after one logged
 * line. */
enum status device_probe(const struct device_entry *entry, const struct driver *named,
                         probe_progress_fn *progress, void *user,
                         struct probe_result *result);

#endif

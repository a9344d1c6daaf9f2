/* The session in the terminal: cue, angle against its zone, hold countdown, repetitions,
 * what comes next. Redraws a few lines on a terminal; writes one line per change elsewhere.
 * One thread. */
#ifndef LIMBER_APP_GUIDE_H
#define LIMBER_APP_GUIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "protocols/runner.h"

struct guide {
    FILE *stream;
    bool is_terminal;
    unsigned drawn_lines; /* on the screen now, to be drawn over */
    int64_t drawn_ns;     /* host time of the last drawing */
    enum phase phase;     /* of the last line written */
    unsigned stretch;
    unsigned part;
    unsigned repetition;
    unsigned practice;
    enum side side;
    char cue[PROTOCOL_TEXT_SIZE];
    bool started;
};

/* @param stream  Borrowed. */
void guide_init(struct guide *guide, FILE *stream, bool is_terminal);

/* Show what the runner says now.
 * @param time_s   Session time.
 * @param host_ns  Real time, to draw at most ten times a second. */
void guide_update(struct guide *guide, const struct runner *runner, double time_s,
                  int64_t host_ns);

/* Leave the screen as it is and go on below. */
void guide_finish(struct guide *guide);

#endif

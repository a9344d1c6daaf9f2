/* Something that happened in a session: the rows of the event table. Plain value; any
 * thread. */
#ifndef LIMBER_PROTOCOLS_EVENT_H
#define LIMBER_PROTOCOLS_EVENT_H

#include "base/body.h"

enum event_type {
    EVENT_PHASE,      /* label = phase entered, cause = why */
    EVENT_HOLD,       /* start and duration of a finished hold; value = credited s */
    EVENT_REPETITION, /* start and duration of a counted cycle; value = range, deg */
    EVENT_PEAK,       /* practice repetition; value = peak, deg */
    EVENT_ZONE,       /* zone fixed for a part; value = low deg, value2 = high deg */
    EVENT_PAIN,       /* value = 0 .. 10; label "sharp" for sharp pain */
    EVENT_SCREENING,  /* label = outcome */
    EVENT_GUARD,      /* label caution, stop, clear; value = deg/s, value2 = limit */
    EVENT_SENSOR, /* label = stalled, returned, unplugged; source = role; duration = gap */
    EVENT_ALIGNMENT, /* label = grade, source = role */
    EVENT_OPERATOR,  /* label = the key or command */
    EVENT_NOTE,
    EVENT_MARKER, /* a button of a sensor was pressed; label = its stream, source = role */
    EVENT_TYPE_COUNT
};

const char *event_type_text(enum event_type type);

/* -1 if unknown. */
int event_type_parse(const char *text);

struct event {
    enum event_type type;
    double time_s;     /* session time; of the start where it has a duration */
    double duration_s; /* 0 = an instant */
    unsigned stretch;  /* index in the session */
    unsigned part;
    unsigned repetition; /* from 1; 0 = none or practice */
    enum side side;
    double value;  /* NaN = none */
    double value2; /* NaN = none */
    char label[32];
    char source[24]; /* role, "runner", "operator", "patient", "guard" */
    char cause[64];
};

#endif

/* One event as one line of JSON, always the same bytes for the same event: live recordings
 * keep it, replay compares it. Pure; any thread. */
#ifndef LIMBER_APP_EVENT_TEXT_H
#define LIMBER_APP_EVENT_TEXT_H

#include <stddef.h>

#include "protocols/event.h"

enum {
    EVENT_TEXT_SIZE = 640
};

/* @return Length of the text. Control characters and quotes in labels become spaces. */
size_t event_text_encode(const struct event *event, char text[EVENT_TEXT_SIZE]);

#endif

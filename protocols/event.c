#include "protocols/event.h"

#include <string.h>

static const char *const TYPE_TEXTS[EVENT_TYPE_COUNT] = {
    "phase", "hold",   "repetition", "peak",     "zone", "pain",   "screening",
    "guard", "sensor", "alignment",  "operator", "note", "marker",
};

const char *event_type_text(enum event_type type)
{
    return (unsigned)type < EVENT_TYPE_COUNT ? TYPE_TEXTS[type] : "";
}

int event_type_parse(const char *text)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (strcmp(TYPE_TEXTS[type], text) == 0) {
            return type;
        }
    }
    return -1;
}

#include "app/event_text.h"

#include <math.h>
#include <stdio.h>

/* A label that needs no escaping. */
static void text_clean(const char *from, char *to, size_t size)
{
    size_t index = 0;
    for (; from[index] != '\0' && index < size - 1; index++) {
        unsigned char byte = (unsigned char)from[index];
        to[index] = byte < 0x20 || byte == '"' || byte == '\\' ? ' ' : (char)byte;
    }
    to[index] = '\0';
}

static void number_text(double value, char text[32])
{
    if (isfinite(value)) {
        snprintf(text, 32, "%.17g", value);
    } else {
        snprintf(text, 32, "null");
    }
}

size_t event_text_encode(const struct event *event, char text[EVENT_TEXT_SIZE])
{
    char label[sizeof event->label];
    char source[sizeof event->source];
    char cause[sizeof event->cause];
    char value[32];
    char value2[32];
    text_clean(event->label, label, sizeof label);
    text_clean(event->source, source, sizeof source);
    text_clean(event->cause, cause, sizeof cause);
    number_text(event->value, value);
    number_text(event->value2, value2);
    int size = snprintf(text, EVENT_TEXT_SIZE,
                        "{\"type\":\"%s\",\"time_s\":%.17g,\"duration_s\":%.17g,"
                        "\"stretch\":%u,\"part\":%u,\"repetition\":%u,\"side\":\"%s\","
                        "\"value\":%s,\"value2\":%s,\"label\":\"%s\",\"source\":\"%s\","
                        "\"cause\":\"%s\"}",
                        event_type_text(event->type), event->time_s, event->duration_s,
                        event->stretch, event->part, event->repetition,
                        side_text(event->side), value, value2, label, source, cause);
    return size < 0 ? 0 : (size_t)size;
}

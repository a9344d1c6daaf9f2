#include <stdlib.h>
#include <string.h>

#include "protocols/session.h"

static size_t texts_size(const struct stream_info *info)
{
    size_t size = strlen(info->name) + 1;
    for (unsigned index = 0; index < info->channel_count; index++) {
        size += strlen(info->channels[index]) + strlen(info->units[index]) + 2;
    }
    return size;
}

/* Copy a text to *next and move on behind it. */
static const char *text_keep(char **next, const char *text)
{
    char *kept = *next;
    size_t size = strlen(text) + 1;
    memcpy(kept, text, size);
    *next += size;
    return kept;
}

enum status session_stream_describe(struct session_stream *stream,
                                    const struct stream_info *info)
{
    char *next = malloc(texts_size(info));
    if (!next) {
        return STATUS_NO_MEMORY;
    }
    stream->texts = next;
    stream->info = *info;
    stream->info.name = text_keep(&next, info->name);
    for (unsigned index = 0; index < info->channel_count; index++) {
        stream->info.channels[index] = text_keep(&next, info->channels[index]);
        stream->info.units[index] = text_keep(&next, info->units[index]);
    }
    return STATUS_OK;
}

#include "report/markup.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char REPLACEMENT[] = "\xEF\xBF\xBD";

struct code_range {
    uint32_t first;
    uint32_t last;
};

/* Characters that are never shown: C0 and C1 controls, direction marks and overrides,
 * separators of lines, byte order mark, the surrogates, and what Unicode calls
 * noncharacters. */
static const struct code_range FORBIDDEN[] = {
    {0x0001, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C}, {0x200E, 0x200F},
    {0x2028, 0x202E}, {0x2066, 0x2069}, {0xD800, 0xDFFF}, {0xFDD0, 0xFDEF},
    {0xFEFF, 0xFEFF}, {0xFFFE, 0xFFFF},
};

static bool code_is_forbidden(uint32_t code)
{
    for (size_t i = 0; i < sizeof FORBIDDEN / sizeof FORBIDDEN[0]; i++) {
        if (code >= FORBIDDEN[i].first && code <= FORBIDDEN[i].last) {
            return true;
        }
    }
    return code > 0x10FFFF;
}

/* Length a first byte promises; 0 = cannot start a character. */
static size_t sequence_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* One character. @return Its bytes, or 0 when they are no UTF-8. */
static size_t decode(const char *text, uint32_t *code)
{
    /* Bits of the first byte, and the smallest code that may need so many bytes. */
    static const uint32_t masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = sequence_length((unsigned char)text[0]);
    uint32_t value = (unsigned char)text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte & 0x3FU);
    }
    if (length == 0 || value < smallest[length]) {
        return 0;
    }
    *code = value;
    return length;
}

char *markup_clean(const char *text)
{
    /* The replacement is three bytes long: the worst case for each byte. */
    char *clean = malloc(3 * strlen(text) + 1);
    if (!clean) {
        return NULL;
    }
    size_t size = 0;
    for (size_t i = 0; text[i] != '\0';) {
        uint32_t code = 0;
        size_t length = decode(text + i, &code);
        if (text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
            clean[size++] = ' ';
        } else if (length == 0 || code_is_forbidden(code)) {
            memcpy(clean + size, REPLACEMENT, 3);
            size += 3;
        } else {
            memcpy(clean + size, text + i, length);
            size += length;
        }
        i += length > 0 ? length : 1;
    }
    clean[size] = '\0';
    return clean;
}

void markup_write(const char *text, FILE *stream)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", stream);
            break;
        case '<':
            fputs("&lt;", stream);
            break;
        case '>':
            fputs("&gt;", stream);
            break;
        case '"':
            fputs("&quot;", stream);
            break;
        case '\'':
            fputs("&#39;", stream);
            break;
        default:
            fputc(*text, stream);
            break;
        }
    }
}

size_t markup_length(const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text++) {
        length += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return length;
}

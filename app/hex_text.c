#include "app/hex_text.h"

#include <ctype.h>

enum {
    LOOK_SIZE = 4096 /* bytes looked at to tell what a file is */
};

static int digit_value(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    int letter = character | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool is_end(uint8_t character)
{
    return isspace(character) || character == '#' || character == ',';
}

/* End of the word that starts at start. */
static size_t word_end(const uint8_t *text, size_t start, size_t size)
{
    size_t end = start;
    while (end < size && !is_end(text[end])) {
        end++;
    }
    return end;
}

static bool is_pairs(const uint8_t *word, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (digit_value(word[i]) < 0) {
            return false;
        }
    }
    return size > 0 && size % 2 == 0;
}

/* First byte of the next word, comments and spaces stepped over; size when there is none.
 */
static size_t word_start(const uint8_t *text, size_t from, size_t size)
{
    bool is_comment = false;
    size_t index = from;
    while (index < size && (is_comment || is_end(text[index]))) {
        is_comment = text[index] == '#' || (is_comment && text[index] != '\n');
        index++;
    }
    return index;
}

size_t hex_text_decode(uint8_t *bytes, size_t size)
{
    size_t written = 0;
    for (size_t start = word_start(bytes, 0, size); start < size;) {
        size_t end = word_end(bytes, start, size);
        bool is_taken = is_pairs(bytes + start, end - start);
        for (size_t i = start; is_taken && i < end; i += 2) {
            bytes[written++] =
                (uint8_t)(digit_value(bytes[i]) << 4 | digit_value(bytes[i + 1]));
        }
        start = word_start(bytes, end, size);
    }
    return written;
}

bool hex_text_is(const uint8_t *bytes, size_t size)
{
    size_t look = size < LOOK_SIZE ? size : LOOK_SIZE;
    unsigned pair_count = 0;
    for (size_t index = 0; index < look; index++) {
        if (!isprint(bytes[index]) && !isspace(bytes[index])) {
            return false;
        }
    }
    for (size_t start = word_start(bytes, 0, look); start < look;) {
        size_t end = word_end(bytes, start, look);
        pair_count += is_pairs(bytes + start, end - start);
        start = word_start(bytes, end, look);
    }
    return pair_count > 0;
}

/* Bytes written as hex digits, as logs and documents have them. Pure; any thread. */
#ifndef LIMBER_APP_HEX_TEXT_H
#define LIMBER_APP_HEX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replace text by the bytes it spells. Words of pairs of hex digits count ("FA FF 30", "fa
 * ff30"); other words (names of lines) and comments from '#' to the end of a line are left
 * out.
 * @param bytes  In: text; out: bytes.
 * @return Bytes written, never more than size. */
size_t hex_text_decode(uint8_t *bytes, size_t size);

/* Whether it is printable text with such words in it: captured binary bytes are not. */
bool hex_text_is(const uint8_t *bytes, size_t size);

#endif

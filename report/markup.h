/* The one place where text meets markup: cleaning on the way into the model, escaping on
 * the way out. Pure but for the stream; any thread. */
#ifndef LIMBER_REPORT_MARKUP_H
#define LIMBER_REPORT_MARKUP_H

#include <stddef.h>
#include <stdio.h>

/* Copy of a text with only valid UTF-8 that is safe to show: bytes that are no UTF-8,
 * control characters, and characters that turn the writing direction become U+FFFD; tabs
 * and line ends become spaces. @return A new string (free it), or NULL when there is no
 * memory. */
char *markup_clean(const char *text);

/* Write with & < > " ' escaped, fit for content and for quoted attributes of HTML and SVG.
 */
void markup_write(const char *text, FILE *stream);

/* Number of characters, not bytes, of valid UTF-8. */
size_t markup_length(const char *text);

#endif

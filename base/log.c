#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_SIZE = 1024
};

static void line_write(const char *prefix, const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    int size = snprintf(line, sizeof line, "limber: %s", prefix);
    int added = vsnprintf(line + size, sizeof line - (size_t)size - 1, format, arguments);
    if (added < 0) {
        return;
    }
    size += added;
    if (size > LINE_SIZE - 2) {
        size = LINE_SIZE - 2;
    }
    line[size++] = '\n';
    /* Nothing can be done when even standard error is closed. */
    ssize_t written = write(STDERR_FILENO, line, (size_t)size);
    (void)written;
}

void log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_write("", format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_write("warning: ", format, arguments);
    va_end(arguments);
}

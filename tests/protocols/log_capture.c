#include "tests/protocols/log_capture.h"

#include <stdlib.h>
#include <unistd.h>

void log_capture_begin(struct log_capture *capture)
{
    fflush(stderr);
    capture->saved = dup(STDERR_FILENO);
    capture->file = tmpfile();
    if (!capture->file || capture->saved < 0
        || dup2(fileno(capture->file), STDERR_FILENO) < 0) {
        abort();
    }
}

void log_capture_end(struct log_capture *capture, char *text, size_t size)
{
    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    rewind(capture->file);
    size_t count = fread(text, 1, size - 1, capture->file);
    text[count] = '\0';
    fclose(capture->file);
}

unsigned log_capture_lines(const char *text)
{
    unsigned count = 0;
    for (; *text; text++) {
        count += *text == '\n';
    }
    return count;
}

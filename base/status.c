#include "base/status.h"

const char *status_text(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_NO_MEMORY:
        return "out of memory";
    case STATUS_BAD_INPUT:
        return "wrong input";
    case STATUS_NOT_FOUND:
        return "not found";
    case STATUS_IO:
        return "disk error";
    case STATUS_DEVICE:
        return "device error";
    case STATUS_GONE:
        return "unplugged";
    case STATUS_NOT_READY:
        return "not ready";
    case STATUS_END:
        return "end of data";
    case STATUS_REFUSED:
        return "refused";
    case STATUS_CORRUPT:
        return "damaged data";
    }
    return "unknown status";
}

enum exit_code status_exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_END:
        return EXIT_CODE_OK;
    case STATUS_REFUSED:
    case STATUS_NOT_READY:
        return EXIT_CODE_FINDING;
    case STATUS_DEVICE:
    case STATUS_GONE:
        return EXIT_CODE_DEVICE;
    case STATUS_BAD_INPUT:
    case STATUS_NOT_FOUND:
    case STATUS_CORRUPT:
        return EXIT_CODE_DATA;
    case STATUS_IO:
    case STATUS_NO_MEMORY:
        return EXIT_CODE_DISK;
    }
    return EXIT_CODE_FINDING;
}

/* Text files built into the program (library protocols, patients, pages); made at build
 * time by limber_embed of cmake/embed.cmake. Constant data; any thread. */
#ifndef LIMBER_BASE_EMBEDDED_H
#define LIMBER_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* file name without folder: "bridge.yaml" */
    const char *text; /* the bytes of the file, then a terminating zero */
    size_t size;      /* bytes without the terminating zero */
};

#endif

#include "archive/export.h"

#include <string.h>

static const struct export_format *const FORMATS[] = {&export_csv};

enum {
    FORMAT_COUNT = sizeof FORMATS / sizeof FORMATS[0]
};

const struct export_format *export_find(const char *name)
{
    for (size_t index = 0; index < FORMAT_COUNT; index++) {
        if (strcmp(FORMATS[index]->name, name) == 0) {
            return FORMATS[index];
        }
    }
    return NULL;
}

const struct export_format *const *export_list(size_t *count)
{
    *count = FORMAT_COUNT;
    return FORMATS;
}

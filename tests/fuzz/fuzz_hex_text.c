/* Bytes written as hex digits: what is read, written again and read again is the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/hex_text.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

static void again_look(const uint8_t *bytes, size_t size)
{
    char *text = malloc(3 * size + 1);
    fuzz_demand(text);
    text[0] = '\0';
    for (size_t index = 0; index < size; index++) {
        snprintf(text + 3 * index, 4, "%02X%c", bytes[index],
                 index % 16 == 15 ? '\n' : ' ');
    }
    fuzz_demand(size == 0 || hex_text_is((const uint8_t *)text, 3 * size));
    fuzz_demand(hex_text_decode((uint8_t *)text, 3 * size) == size);
    fuzz_demand(memcmp(text, bytes, size) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    fuzz_demand(bytes);
    memcpy(bytes, data, size);
    bool is_text = hex_text_is(bytes, size);
    size_t count = hex_text_decode(bytes, size);
    fuzz_demand(2 * count <= size && (count > 0 || !is_text));
    again_look(bytes, count);
    free(bytes);
    return 0;
}

/* Profiles of lines of numbers, as people write them: refused, or kept whole by a journal
 * and taken by the driver. */
#include <stdlib.h>
#include <string.h>

#include "acquisition/device.h"
#include "app/text_profile.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

static void journal_look(const struct text_profile *profile)
{
    json_t *object = text_profile_encode(profile);
    struct text_profile again = {0};
    if (!object) {
        return;
    }
    fuzz_demand(text_profile_decode(object, &again));
    fuzz_demand(strcmp(again.title, profile->title) == 0
                && strcmp(again.columns, profile->columns) == 0
                && again.baud == profile->baud && again.rate_hz == profile->rate_hz);
    fuzz_demand(memcmp(&again.lines, &profile->lines, sizeof again.lines) == 0);
    json_decref(object);
}

static void driver_look(const struct text_profile *profile)
{
    static const uint8_t lines[] = "1;2;3\n1,5;2,5;3,5\n4 5 6\n7\t8\t9\n10,11,12,\n";
    struct driver_settings settings = {0};
    struct device *device = malloc(sizeof *device);
    fuzz_demand(device);
    text_profile_apply(profile, &settings);
    fuzz_demand(device_init(device, driver_find("text"), &settings) == STATUS_OK);
    device_feed(device, lines, sizeof lines - 1, 0, NULL, NULL);
    free(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    struct text_profile profile;
    memset(&profile, 0, sizeof profile);
    if (!fuzz_file_open(&file, data, size)) {
        return 0;
    }
    if (text_profile_read(file.path, &profile) == STATUS_OK) {
        journal_look(&profile);
        driver_look(&profile);
    } else {
        fuzz_demand(!profile.is_set);
    }
    fuzz_file_close(&file);
    return 0;
}

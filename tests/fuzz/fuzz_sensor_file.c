/* Sensor files, as people write them: refused, or settings that the drivers can judge. */
#include <stdlib.h>
#include <string.h>

#include "acquisition/device.h"
#include "app/sensor_file.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

static void entry_look(const struct sensor_entry *entry)
{
    struct device *device = malloc(sizeof *device);
    const struct driver *driver = driver_find(entry->driver);
    const struct driver_settings settings = sensor_entry_settings(entry);
    fuzz_demand(device && driver && entry->role < ROLE_COUNT);
    enum status status = device_init(device, driver, &settings);
    fuzz_demand(status == STATUS_OK || status == STATUS_BAD_INPUT);
    free(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    struct sensor_list *list = malloc(sizeof *list);
    fuzz_demand(list);
    if (fuzz_file_open(&file, data, size)) {
        if (sensor_file_read(file.path, list) == STATUS_OK) {
            fuzz_demand(list->count > 0 && list->count <= CAPTURE_DEVICE_MAX);
            for (unsigned index = 0; index < list->count; index++) {
                entry_look(&list->entries[index]);
            }
        }
        fuzz_file_close(&file);
    }
    free(list);
    return 0;
}

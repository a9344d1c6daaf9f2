#include "archive/export_csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/folder.h"
#include "base/log.h"

enum status export_file_finish(struct export_run *run, struct csv *csv)
{
    char hash[SESSION_HASH_SIZE];
    enum status status = csv_close(csv);
    if (status == STATUS_OK) {
        status = archive_hash_file(csv->path, hash);
    }
    if (status == STATUS_OK) {
        fprintf(run->sums.stream, "%s  %s\n", hash, csv->path + strlen(run->folder) + 1);
    }
    return status;
}

static enum status table_open(struct export_run *run, enum export_table table)
{
    char path[EXPORT_PATH_SIZE];
    struct csv *csv = &run->tables[table];
    const struct export_table_info *info = export_table_info_get(table);
    const struct export_column *column = info->columns;
    snprintf(path, sizeof path, "%s/%s", run->folder, info->file);
    enum status status = csv_open(csv, path);
    for (; status == STATUS_OK && column->name; column++) {
        csv_text(csv, column->name);
    }
    if (status == STATUS_OK) {
        csv_row_end(csv);
    }
    return status;
}

static enum status run_open(struct export_run *run)
{
    static const char *const FOLDERS[] = {"", "/timeseries", "/protocols"};
    char path[EXPORT_PATH_SIZE];
    enum status status = STATUS_OK;
    for (unsigned index = 0; index < 3 && status == STATUS_OK; index++) {
        snprintf(path, sizeof path, "%s%s", run->folder, FOLDERS[index]);
        status = folder_create(path);
    }
    if (status == STATUS_OK) {
        snprintf(path, sizeof path, "%s/SHA256SUMS", run->folder);
        status = csv_open(&run->sums, path);
    }
    for (unsigned table = 0; table < EXPORT_TABLE_COUNT && status == STATUS_OK; table++) {
        status = table_open(run, (enum export_table)table);
    }
    return status;
}

/* Close everything; on success with checksums. */
static enum status run_close(struct export_run *run, enum status status)
{
    for (unsigned table = 0; table < EXPORT_TABLE_COUNT; table++) {
        struct csv *csv = &run->tables[table];
        enum status closed =
            status == STATUS_OK ? export_file_finish(run, csv) : csv_close(csv);
        status = status == STATUS_OK ? closed : status;
    }
    enum status closed = csv_close(&run->sums);
    return status == STATUS_OK ? closed : status;
}

/* Export what can be read. @param written  Out: sessions in the export. */
static enum status sessions_write(struct export_run *run, const struct export_plan *plan,
                                  size_t *written)
{
    static const struct archive_read_settings SAMPLES = {.with_samples = true};
    enum status status = STATUS_OK;
    *written = 0;
    for (size_t index = 0; index < plan->count && status == STATUS_OK; index++) {
        struct session *session = NULL;
        if (archive_read(plan->items[index].entry.path, &SAMPLES, &session) == STATUS_OK) {
            status = export_rows_write(run, &plan->items[index], session);
            if (status == STATUS_OK) {
                status = export_series_write(run, &plan->items[index], session);
            }
            session_destroy(session);
            (*written)++;
        }
    }
    return status;
}

static enum status tables_write(const struct export_settings *settings,
                                const struct export_plan *plan, const char *folder,
                                size_t *written)
{
    struct export_run run = {.settings = settings, .folder = folder};
    enum status status = run_open(&run);
    if (status == STATUS_OK) {
        status = sessions_write(&run, plan, written);
    }
    if (status == STATUS_OK) {
        status = export_notes_write(&run, *written);
    }
    return run_close(&run, status);
}

/* Say what an export with gaps lacks. */
static enum status result_check(const struct export_settings *settings,
                                const struct export_plan *plan, size_t written)
{
    if (written == plan->count) {
        return STATUS_OK;
    }
    log_error(
        "%s: %zu of %zu sessions could not be read and are not in it; see the lines above",
        settings->out, plan->count - written, plan->count);
    return STATUS_CORRUPT;
}

static enum status export_csv_write(const struct export_settings *settings)
{
    char part[EXPORT_PATH_SIZE / 2];
    struct export_plan plan = {.items = NULL};
    size_t written = 0;
    if (!folder_is_free(settings->out)) {
        log_error("%s: exists and is not empty; name a new folder", settings->out);
        return STATUS_REFUSED;
    }
    size_t size = strlen(settings->out);
    while (size > 1 && settings->out[size - 1] == '/') {
        size--;
    }
    if (snprintf(part, sizeof part, "%.*s.part", (int)size, settings->out)
        >= (int)sizeof part) {
        log_error("%s: the path is too long; use a shorter folder", settings->out);
        return STATUS_IO;
    }
    enum status status = export_plan_make(settings, &plan);
    if (status == STATUS_OK) {
        /* Under another name until it is whole: half an export must not look like one. */
        folder_remove(part);
        status = tables_write(settings, &plan, part, &written);
        if (status == STATUS_OK && written > 0 && rename(part, settings->out) != 0) {
            log_error("%s: cannot rename %s to it: %s", settings->out, part,
                      strerror(errno));
            status = STATUS_IO;
        }
        if (status != STATUS_OK || written == 0) {
            folder_remove(part);
        }
    }
    if (status == STATUS_OK) {
        status = result_check(settings, &plan, written);
    }
    export_plan_release(&plan);
    return status;
}

const struct export_format export_csv = {
    .name = "csv",
    .title = "tidy tables and time series, one folder",
    .write = export_csv_write,
};

#include "archive/export_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

static const int64_t US_PER_S = 1000000;
static const int64_t S_PER_DAY = 86400;

/* Seconds since 1970 as the clocks on the wall showed them. */
static int64_t wall_s(int64_t utc_us)
{
    time_t time = (time_t)(utc_us / US_PER_S);
    struct tm local;
    if (!localtime_r(&time, &local)) {
        return utc_us / US_PER_S;
    }
    /* Days from the civil date: no timegm in POSIX. Shifted so that the year begins in
     * March. */
    int64_t year = local.tm_year + 1900 - (local.tm_mon < 2 ? 1 : 0);
    int64_t month = (local.tm_mon + 10) % 12;
    int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10
                   + local.tm_mday;
    return days * S_PER_DAY + local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec;
}

static const char *time_of_day_text(int64_t utc_us)
{
    static const char *const TEXTS[] = {"night", "morning", "afternoon", "evening"};
    return TEXTS[wall_s(utc_us) % S_PER_DAY / (S_PER_DAY / 4)];
}

/* "20261122T104500" */
static void stamp_make(int64_t utc_us, char stamp[CLOCK_TEXT_SIZE])
{
    char text[CLOCK_TEXT_SIZE];
    size_t used = 0;
    clock_utc_text(utc_us, text);
    for (const char *letter = text; *letter && *letter != '.' && *letter != 'Z'; letter++) {
        if (*letter != '-' && *letter != ':') {
            stamp[used++] = *letter;
        }
    }
    stamp[used] = '\0';
}

/* First item of the same person; the list is sorted by time, so it is the oldest. */
static size_t first_of_subject(const struct export_plan *plan, size_t index)
{
    size_t first = 0;
    while (strcmp(plan->items[first].entry.subject, plan->items[index].entry.subject)
           != 0) {
        first++;
    }
    return first;
}

static void item_identify(struct export_item *item)
{
    char stamp[CLOCK_TEXT_SIZE];
    stamp_make(item->entry.start_utc_us, stamp);
    memcpy(item->subject, item->entry.subject, sizeof item->subject);
    snprintf(item->session_id, sizeof item->session_id, "%s_%s_%.8s", item->subject, stamp,
             item->entry.uuid);
}

/* Running codes: not derived from the name, the pseudonym or the date itself. */
static void item_rename(struct export_plan *plan, size_t index)
{
    struct export_item *item = &plan->items[index];
    unsigned subject_number = 1;
    unsigned session_number = 1;
    for (size_t other = 0; other < index; other++) {
        if (plan->items[other].first == item->first) {
            session_number++;
        } else if (other < item->first && plan->items[other].first == other) {
            subject_number++;
        }
    }
    snprintf(item->subject, sizeof item->subject, "S%03u", subject_number);
    snprintf(item->session_id, sizeof item->session_id, "%s_%02u", item->subject,
             session_number);
}

static void plan_name(struct export_plan *plan, bool deidentify)
{
    for (size_t index = 0; index < plan->count; index++) {
        struct export_item *item = &plan->items[index];
        item->first = first_of_subject(plan, index);
        const struct export_item *first = &plan->items[item->first];
        item->day = wall_s(item->entry.start_utc_us) / S_PER_DAY
                    - wall_s(first->entry.start_utc_us) / S_PER_DAY;
        item->time_of_day = time_of_day_text(item->entry.start_utc_us);
        if (deidentify) {
            item_rename(plan, index);
        } else {
            item_identify(item);
        }
    }
    for (size_t index = 0; index < plan->count; index++) {
        struct export_item *item = &plan->items[index];
        for (size_t other = 0; item->entry.parent_uuid[0] && other < plan->count; other++) {
            if (strcmp(plan->items[other].entry.uuid, item->entry.parent_uuid) == 0) {
                memcpy(item->parent_id, plan->items[other].session_id,
                       sizeof item->parent_id);
            }
        }
    }
}

/* An archive that does not exist must not be made by exporting from it. */
static enum status archive_check(const struct export_settings *settings)
{
    struct stat info;
    if (stat(settings->archive, &info) != 0 || !S_ISDIR(info.st_mode)) {
        log_error(
            "%s: is no archive folder; name the one given to --archive when recording",
            settings->archive);
        return STATUS_NOT_FOUND;
    }
    if (settings->subject && !catalogue_subject_is_valid(settings->subject)) {
        log_error("subject '%s': 1 to 32 letters, digits, '-' or '_'", settings->subject);
        return STATUS_BAD_INPUT;
    }
    return STATUS_OK;
}

enum status export_plan_make(const struct export_settings *settings,
                             struct export_plan *plan)
{
    struct catalogue *catalogue = NULL;
    struct catalogue_entry *entries = NULL;
    size_t count = 0;
    enum status status = archive_check(settings);
    if (status == STATUS_OK) {
        status = catalogue_open(settings->archive, &catalogue);
    }
    if (status == STATUS_OK) {
        status = catalogue_list(catalogue, settings->subject, &entries, &count);
    }
    catalogue_close(catalogue);
    if (status == STATUS_OK && count == 0) {
        log_error(
            "%s: holds no finished session%s%s; record one with 'limber assess', or finish "
            "a cut-off one with 'limber recover'",
            settings->archive, settings->subject ? " of " : "",
            settings->subject ? settings->subject : "");
        status = STATUS_REFUSED;
    }
    struct export_item *items = status == STATUS_OK ? calloc(count, sizeof *items) : NULL;
    if (status == STATUS_OK && !items) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        tzset();
        for (size_t index = 0; index < count; index++) {
            items[index].entry = entries[index];
        }
        *plan = (struct export_plan){.items = items, .count = count};
        plan_name(plan, settings->deidentify);
    }
    free(entries);
    return status;
}

void export_plan_release(struct export_plan *plan)
{
    free(plan->items);
    *plan = (struct export_plan){.items = NULL};
}

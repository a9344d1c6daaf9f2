/* Tables for other programs: read back cell by cell, complete, and silent about people when
 * asked. */
#include <check.h>
#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/csv.h"
#include "archive/export.h"
#include "archive/folder.h"
#include "base/units.h"
#include "sample.h"

enum {
    PATH_SIZE = SAMPLE_PATH_SIZE + 256,
    COLUMN_MAX = 48
};

static char scratch[SAMPLE_PATH_SIZE];
static char archive[SAMPLE_PATH_SIZE + 32];
static char out[SAMPLE_PATH_SIZE + 32];

/* Two people with three sessions between them. */
static void setup(void)
{
    static const char *const SUBJECTS[] = {"JANE-DOE", "JOHN", "JANE-DOE"};
    setenv("TZ", "UTC", 1);
    scratch_make(scratch);
    snprintf(archive, sizeof archive, "%s/archive", scratch);
    snprintf(out, sizeof out, "%s/out", scratch);
    for (unsigned number = 0; number < 3; number++) {
        char path[PATH_SIZE];
        struct session *session = sample_session(SUBJECTS[number], number);
        if (number == 2) {
            snprintf(session->parent_uuid, sizeof session->parent_uuid,
                     "00000000-0000-4000-8000-0123456789ab");
        }
        snprintf(path, sizeof path, "%s/%s", archive, SUBJECTS[number]);
        ck_assert_int_eq(folder_create(path), STATUS_OK);
        snprintf(path, sizeof path, "%s/%s/%u.h5", archive, SUBJECTS[number], number);
        ck_assert_int_eq(archive_write(session, path), STATUS_OK);
        session_destroy(session);
    }
}

static void teardown(void)
{
    scratch_remove(scratch);
}

static enum status export(bool deidentify, const char *subject) {
    const struct export_settings settings = {.archive = archive,
                                             .subject = subject,
                                             .deidentify = deidentify,
                                             .out = out};
        const struct export_format *format = export_find("csv");
        ck_assert_ptr_nonnull(format); return format->write(&settings);
}

/* A table in memory: cells point into text. */
struct table {
    char *text;
    char **cells; /* row by row, header first */
    size_t columns;
    size_t rows; /* without the header */
};

/* One cell as RFC 4180 has it, unquoted in place. @return What follows the cell. */
static char *cell_parse(char *at, char **cell, char *end_mark)
{
    char *to = at;
    *cell = at;
    if (*at == '"') {
        *cell = to = ++at;
        while (*at && !(at[0] == '"' && at[1] != '"')) {
            at += at[0] == '"' ? 1 : 0;
            *to++ = *at++;
        }
        ck_assert_int_eq(*at, '"');
        at++;
    } else {
        at += strcspn(at, ",\n");
        to = at;
    }
    *end_mark = *at;
    *to = '\0';
    return at + 1;
}

static struct table table_read(const char *folder, const char *name)
{
    char path[PATH_SIZE + 128];
    size_t size = 0;
    size_t count = 0;
    struct table table = {.text = NULL};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    table.text = file_read(path, &size);
    ck_assert_uint_gt(size, 0);
    ck_assert_int_eq(table.text[size - 1], '\n');
    table.cells = calloc(size + 1, sizeof *table.cells);
    for (char *at = table.text; at < table.text + size;) {
        char mark = 0;
        at = cell_parse(at, &table.cells[count++], &mark);
        if (mark == '\n') {
            table.columns = table.columns > 0 ? table.columns : count;
            ck_assert_msg(count % table.columns == 0, "%s: row of other length", name);
        } else {
            ck_assert_int_eq(mark, ',');
        }
    }
    table.rows = count / table.columns - 1;
    return table;
}

static void table_release(struct table *table)
{
    free(table->text);
    free(table->cells);
}

static const char *cell(const struct table *table, size_t row, const char *column)
{
    for (size_t index = 0; index < table->columns; index++) {
        if (strcmp(table->cells[index], column) == 0) {
            return table->cells[(row + 1) * table->columns + index];
        }
    }
    ck_abort_msg("no column %s", column);
    return "";
}

/* The number in a cell, NA = NaN. */
static double number(const struct table *table, size_t row, const char *column)
{
    const char *text = cell(table, row, column);
    char *end = NULL;
    if (strcmp(text, "NA") == 0) {
        return (double)NAN;
    }
    double value = strtod(text, &end);
    ck_assert_msg(*text && !*end, "%s is no number", text);
    return value;
}

static void same_double(double a, double b)
{
    ck_assert((isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0);
}

START_TEST(test_metrics)
{
    ck_assert_int_eq(export(false, NULL), STATUS_OK);
    struct session *session = sample_session("JANE-DOE", 0);
    struct table table = table_read(out, "metrics.csv");
    ck_assert_uint_eq(table.rows, 3 * session->metric_count);
    for (size_t row = 0; row < session->metric_count; row++) {
        const struct metric *metric = &session->metrics[row];
        const struct metric_definition *definition = metric_definition_get(metric->id);
        ck_assert_str_eq(cell(&table, row, "session_id"),
                         "JANE-DOE_20261122T104500_00000000");
        ck_assert_str_eq(cell(&table, row, "subject"), "JANE-DOE");
        ck_assert_str_eq(cell(&table, row, "metric"), definition->id);
        ck_assert_str_eq(cell(&table, row, "unit"), definition->unit);
        same_double(number(&table, row, "value"), metric->value);
        same_double(number(&table, row, "uncertainty_95"), metric->uncertainty);
        same_double(number(&table, row, "coverage"), metric->coverage);
        same_double(number(&table, row, "quality"), metric->quality);
        ck_assert_str_eq(cell(&table, row, "withheld"),
                         metric->withheld[0] ? metric->withheld : "NA");
        ck_assert_str_eq(cell(&table, row, "remark"),
                         metric->remark[0] ? metric->remark : "NA");
    }
    ck_assert_str_eq(cell(&table, 0, "protocol"), "standing_forward_bend");
    ck_assert_str_eq(cell(&table, 0, "measure"), "lumbar_flexion");
    ck_assert_str_eq(cell(&table, 3, "measure"), "NA");
    table_release(&table);
    session_destroy(session);
}

END_TEST

START_TEST(test_events_and_holds)
{
    ck_assert_int_eq(export(false, "JOHN"), STATUS_OK);
    struct session *session = sample_session("JOHN", 1);
    struct table events = table_read(out, "events.csv");
    ck_assert_uint_eq(events.rows, session->event_count);
    for (size_t row = 0; row < events.rows; row++) {
        const struct event *event = &session->events[row];
        same_double(number(&events, row, "onset_s"), event->time_s);
        same_double(number(&events, row, "duration_s"), event->duration_s);
        same_double(number(&events, row, "value"), event->value);
        ck_assert_str_eq(cell(&events, row, "type"), event_type_text(event->type));
        ck_assert_str_eq(cell(&events, row, "cause"),
                         event->cause[0] ? event->cause : "NA");
    }
    table_release(&events);
    struct table holds = table_read(out, "holds.csv");
    ck_assert_uint_eq(holds.rows, 1);
    same_double(number(&holds, 0, "credited_s"), 29.875);
    same_double(number(&holds, 0, "peak_angle_deg"), session->metrics[1].value);
    same_double(number(&holds, 0, "zone_high_deg"), 3);
    ck_assert_str_eq(cell(&holds, 0, "end_cause"), "zone");
    same_double(number(&holds, 0, "quality"), 88);
    ck_assert_str_eq(cell(&holds, 0, "wobble_deg"), "NA");
    table_release(&holds);
    struct table repetitions = table_read(out, "repetitions.csv");
    ck_assert_uint_eq(repetitions.rows, 1);
    ck_assert_str_eq(cell(&repetitions, 0, "protocol"), "cat_cow");
    same_double(number(&repetitions, 0, "range_of_motion_deg"), session->metrics[2].value);
    table_release(&repetitions);
    session_destroy(session);
}

END_TEST

START_TEST(test_time_series)
{
    /* Printed with 4 decimals: half of the last one. */
    const double angle_tolerance_deg = 0.5e-4 + 1e-12;
    const char *prefix = "timeseries/JOHN_20261123T224500_00000001";
    char name[160];
    ck_assert_int_eq(export(false, "JOHN"), STATUS_OK);
    struct session *session = sample_session("JOHN", 1);
    snprintf(name, sizeof name, "%s_angles.csv", prefix);
    struct table angles = table_read(out, name);
    ck_assert_uint_eq(angles.rows, SAMPLE_ROW_COUNT);
    ck_assert_uint_eq(angles.columns, 5);
    for (size_t row = 0; row < angles.rows; row += 7) {
        double expected_deg =
            session->angles.angle_rad[MEASURE_LUMBAR_FLEXION][row] * DEG_PER_RAD;
        double value_deg = number(&angles, row, "lumbar_flexion_deg");
        ck_assert((isnan(expected_deg) && isnan(value_deg))
                  || fabs(expected_deg - value_deg) <= angle_tolerance_deg);
    }
    table_release(&angles);
    snprintf(name, sizeof name, "%s_thorax_dorsal_inertial.csv", prefix);
    struct table inertial = table_read(out, name);
    const struct session_stream *stream = &session->sensors[0].streams[0];
    ck_assert_uint_eq(inertial.rows, stream->count);
    for (size_t row = 0; row < inertial.rows; row += 11) {
        float value = (float)number(&inertial, row, "accelerometer_z_g");
        ck_assert_mem_eq(&value, &stream->values[row * 6 + 5], sizeof value);
        ck_assert_uint_eq(strtoull(cell(&inertial, row, "device_ticks"), NULL, 10),
                          stream->device_ticks[row]);
        ck_assert_uint_eq(strtoul(cell(&inertial, row, "sequence"), NULL, 10),
                          stream->sequence[row]);
    }
    table_release(&inertial);
    snprintf(name, sizeof name, "%s_flex_lumbar_analog.csv", prefix);
    struct table flex = table_read(out, name);
    ck_assert_uint_eq(flex.rows, 17);
    table_release(&flex);
    snprintf(name, sizeof name, "%s_thorax_dorsal_derived_orientation.csv", prefix);
    struct table orientation = table_read(out, name);
    ck_assert_uint_eq(orientation.rows, SAMPLE_ROW_COUNT);
    table_release(&orientation);
    session_destroy(session);
}

END_TEST

START_TEST(test_sessions)
{
    ck_assert_int_eq(export(false, NULL), STATUS_OK);
    struct table table = table_read(out, "sessions.csv");
    ck_assert_uint_eq(table.rows, 3);
    ck_assert_str_eq(cell(&table, 0, "start_time_utc"), "2026-11-22T10:45:00.123456Z");
    ck_assert_str_eq(cell(&table, 0, "time_of_day"), "morning");
    ck_assert_str_eq(cell(&table, 1, "time_of_day"), "evening");
    ck_assert_str_eq(cell(&table, 2, "day"), "3");
    ck_assert_str_eq(cell(&table, 1, "day"), "0");
    ck_assert_str_eq(cell(&table, 2, "parent_session"),
                     "JANE-DOE_20261122T104500_00000000");
    ck_assert_str_eq(cell(&table, 0, "pain_after"), "NA");
    ck_assert_str_eq(cell(&table, 0, "grade"), "B");
    table_release(&table);
    struct table protocols = table_read(out, "protocols.csv");
    ck_assert_uint_eq(protocols.rows, 6);
    char path[2 * PATH_SIZE];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", out, cell(&protocols, 0, "text_file"));
    char *text = file_read(path, &size);
    struct session *session = sample_session("JOHN", 1);
    ck_assert_uint_eq(size, session->stretches[0].protocol.text_size);
    ck_assert_mem_eq(text, session->stretches[0].protocol.text, size);
    session_destroy(session);
    free(text);
    table_release(&protocols);
    struct table devices = table_read(out, "devices.csv");
    ck_assert_uint_eq(devices.rows, 6);
    ck_assert_str_eq(cell(&devices, 0, "serial_number"), "SN-thorax_dorsal-4711");
    table_release(&devices);
}

END_TEST

START_TEST(test_dictionary)
{
    static const char *const TABLES[] = {"sessions.csv",   "protocols.csv", "devices.csv",
                                         "metrics.csv",    "events.csv",    "holds.csv",
                                         "repetitions.csv"};
    ck_assert_int_eq(export(false, NULL), STATUS_OK);
    struct table dictionary = table_read(out, "data_dictionary.csv");
    for (size_t index = 0; index < sizeof TABLES / sizeof TABLES[0]; index++) {
        struct table table = table_read(out, TABLES[index]);
        for (size_t column = 0; column < table.columns; column++) {
            bool found = false;
            for (size_t row = 0; row < dictionary.rows; row++) {
                found = found
                        || (strcmp(cell(&dictionary, row, "table"), TABLES[index]) == 0
                            && strcmp(cell(&dictionary, row, "name"), table.cells[column])
                                   == 0);
            }
            ck_assert_msg(found, "%s: %s has no definition", TABLES[index],
                          table.cells[column]);
        }
        table_release(&table);
    }
    for (size_t row = 0; row < dictionary.rows; row++) {
        ck_assert_str_ne(cell(&dictionary, row, "definition"), "NA");
        ck_assert_str_ne(cell(&dictionary, row, "unit"), "NA");
    }
    table_release(&dictionary);
}

END_TEST

START_TEST(test_checksums)
{
    char command[2 * PATH_SIZE];
    ck_assert_int_eq(export(true, NULL), STATUS_OK);
    snprintf(command, sizeof command, "cd %s && sha256sum --quiet -c SHA256SUMS", out);
    ck_assert_int_eq(system(command), 0);
}

END_TEST

/* Look for words in every file and file name below a folder. @return Files looked at. */
static unsigned search(const char *folder, const char *const *words)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        char path[2 * PATH_SIZE];
        struct stat info;
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ck_assert_int_eq(stat(path, &info), 0);
        if (S_ISDIR(info.st_mode)) {
            count += search(path, words);
            continue;
        }
        size_t size = 0;
        char *text = file_read(path, &size);
        for (const char *const *word = words; *word; word++) {
            ck_assert_msg(!strstr(text, *word), "'%s' in %s", *word, path);
            ck_assert_msg(!strstr(entry->d_name, *word), "'%s' in the name %s", *word,
                          path);
        }
        free(text);
        count++;
    }
    closedir(entries);
    return count;
}

START_TEST(test_deidentified)
{
    static const char *const FORBIDDEN[] = {
        "JANE",  "JOHN",      "Jane",    "jane",     "SN-",      "OP-7",       "Dr. Ex",
        "/dev/", "file:",     "2026-11", "20261122", "17953443", "00000000-0", "feedbeef",
        "her, ", "_calendar", "UTC+",    scratch,    NULL};
    ck_assert_int_eq(export(true, NULL), STATUS_OK);
    /* 10 at the top, 2 protocols, 4 series of each session. */
    ck_assert_uint_eq(search(out, FORBIDDEN), 10 + 2 + 3 * 4);
    struct table table = table_read(out, "sessions.csv");
    ck_assert_str_eq(cell(&table, 0, "session_id"), "S001_01");
    ck_assert_str_eq(cell(&table, 1, "session_id"), "S002_01");
    ck_assert_str_eq(cell(&table, 2, "session_id"), "S001_02");
    ck_assert_str_eq(cell(&table, 2, "parent_session"), "S001_01");
    ck_assert_str_eq(cell(&table, 2, "day"), "3");
    ck_assert_str_eq(cell(&table, 2, "start_time_utc"), "NA");
    table_release(&table);
    struct table events = table_read(out, "events.csv");
    ck_assert_uint_eq(events.rows, 3 * 5);
    table_release(&events);
    struct table inertial =
        table_read(out, "timeseries/S002_01_thorax_dorsal_inertial.csv");
    ck_assert_str_eq(cell(&inertial, 0, "device_ticks"), "0");
    ck_assert_str_eq(cell(&inertial, 2, "device_ticks"), "20000");
    table_release(&inertial);
}

END_TEST

START_TEST(test_own_protocol_stays)
{
    char path[PATH_SIZE];
    size_t size = 0;
    static const char *const FORBIDDEN[] = {"Clinic of", NULL};
    struct session *session = sample_session("JOHN", 7);
    struct protocol *protocol = &session->stretches[0].protocol;
    protocol->text = realloc(protocol->text, protocol->text_size + 64);
    size = (size_t)snprintf(protocol->text + protocol->text_size, 64,
                            "\n# Clinic of Dr. Example\n");
    protocol->text_size += size;
    snprintf(path, sizeof path, "%s/JOHN/7.h5", archive);
    ck_assert_int_eq(archive_write(session, path), STATUS_OK);
    session_destroy(session);
    ck_assert_int_eq(export(true, "JOHN"), STATUS_OK);
    search(out, FORBIDDEN);
    struct table table = table_read(out, "protocols.csv");
    ck_assert_uint_eq(table.rows, 4);
    ck_assert_str_eq(cell(&table, 2, "text_file"), "NA");
    ck_assert_str_ne(cell(&table, 0, "text_file"), "NA");
    table_release(&table);
}

END_TEST

START_TEST(test_refusals)
{
    char keep[2 * PATH_SIZE];
    ck_assert_int_eq(export(false, "NOBODY"), STATUS_REFUSED);
    ck_assert_int_ne(access(out, F_OK), 0);
    ck_assert_int_eq(export(false, "no/body"), STATUS_BAD_INPUT);
    ck_assert_int_eq(folder_create(out), STATUS_OK);
    ck_assert_int_eq(export(false, NULL), STATUS_OK);
    snprintf(keep, sizeof keep, "%s/mine.txt", out);
    file_write(keep, "mine", 4);
    ck_assert_int_eq(export(false, NULL), STATUS_REFUSED);
    ck_assert_int_eq(access(keep, F_OK), 0);
    snprintf(archive, sizeof archive, "%s/none", scratch);
    snprintf(out, sizeof out, "%s/other", scratch);
    ck_assert_int_eq(export(false, NULL), STATUS_NOT_FOUND);
    ck_assert_int_ne(access(archive, F_OK), 0);
    ck_assert_ptr_null(export_find("xlsx"));
}

END_TEST

START_TEST(test_damaged_session)
{
    char path[PATH_SIZE];
    size_t size = 0;
    struct catalogue *catalogue = NULL;
    ck_assert_int_eq(catalogue_open(archive, &catalogue), STATUS_OK);
    catalogue_close(catalogue);
    snprintf(path, sizeof path, "%s/JOHN/1.h5", archive);
    char *bytes = file_read(path, &size);
    file_write(path, bytes, size / 2);
    free(bytes);
    ck_assert_int_eq(export(false, NULL), STATUS_CORRUPT);
    struct table table = table_read(out, "sessions.csv");
    ck_assert_uint_eq(table.rows, 2);
    table_release(&table);
}

END_TEST

START_TEST(test_full_disk)
{
    char part[PATH_SIZE + 8];
    struct catalogue *catalogue = NULL;
    ck_assert_int_eq(catalogue_open(archive, &catalogue), STATUS_OK);
    catalogue_close(catalogue);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {100000, 100000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(-(int)export(false, NULL));
    }
    int state = -1;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == -(int)STATUS_IO);
    snprintf(part, sizeof part, "%s.part", out);
    ck_assert_int_ne(access(out, F_OK), 0);
    ck_assert_int_ne(access(part, F_OK), 0);
}

END_TEST

/* Decimal commas of the caller's language must not reach the tables. */
START_TEST(test_locale)
{
    static const char *const NAMES[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                        "de_DE"};
    bool found = false;
    for (size_t index = 0; index < sizeof NAMES / sizeof NAMES[0]; index++) {
        found = found || setlocale(LC_NUMERIC, NAMES[index]) != NULL;
    }
    if (!found) {
        printf("skipped: test_locale needs a locale with decimal commas\n");
        return;
    }
    ck_assert_int_eq(export(false, "JOHN"), STATUS_OK);
    setlocale(LC_NUMERIC, "C");
    struct table table = table_read(out, "metrics.csv");
    same_double(number(&table, 0, "coverage"), 0.99);
    table_release(&table);
}

END_TEST

START_TEST(test_csv_quoting)
{
    static const char *const TEXTS[] = {"plain", "a,b",     "say \"hi\"", "two\nlines",
                                        "\"",    " blank ", "\xc3\xa4",   "a\r\nb"};
    struct csv csv;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/cells.csv", scratch);
    ck_assert_int_eq(csv_open(&csv, path), STATUS_OK);
    csv_text(&csv, "cell");
    csv_row_end(&csv);
    for (size_t row = 0; row < sizeof TEXTS / sizeof TEXTS[0]; row++) {
        csv_text(&csv, TEXTS[row]);
        csv_row_end(&csv);
    }
    csv_text(&csv, "");
    csv_row_end(&csv);
    csv_double(&csv, (double)INFINITY);
    csv_row_end(&csv);
    ck_assert_int_eq(csv_close(&csv), STATUS_OK);
    ck_assert_int_eq(csv_open(&csv, path), STATUS_IO);
    struct table table = table_read(scratch, "cells.csv");
    for (size_t row = 0; row < sizeof TEXTS / sizeof TEXTS[0]; row++) {
        ck_assert_str_eq(cell(&table, row, "cell"), TEXTS[row]);
    }
    ck_assert_str_eq(cell(&table, table.rows - 2, "cell"), "NA");
    ck_assert_str_eq(cell(&table, table.rows - 1, "cell"), "NA");
    table_release(&table);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("export");
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_metrics);
    tcase_add_test(tests, test_events_and_holds);
    tcase_add_test(tests, test_time_series);
    tcase_add_test(tests, test_sessions);
    tcase_add_test(tests, test_dictionary);
    tcase_add_test(tests, test_checksums);
    tcase_add_test(tests, test_deidentified);
    tcase_add_test(tests, test_own_protocol_stays);
    tcase_add_test(tests, test_refusals);
    tcase_add_test(tests, test_damaged_session);
    tcase_add_test(tests, test_full_disk);
    tcase_add_test(tests, test_locale);
    tcase_add_test(tests, test_csv_quoting);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

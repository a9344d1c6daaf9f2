#include "archive/catalogue.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/folder.h"
#include "base/log.h"

/* Another process may be closing a session into the same archive. */
static const int BUSY_TIMEOUT_MS = 10000;

/* Changes with every change of the tables; an older index is dropped and built again. */
static const int SCHEMA_VERSION = 1;

static const char SCHEMA[] =
    "CREATE TABLE subject ("
    "  id TEXT PRIMARY KEY) STRICT;"
    "CREATE TABLE session ("
    "  uuid TEXT PRIMARY KEY,"
    "  path TEXT NOT NULL UNIQUE," /* from the archive folder */
    "  parent_uuid TEXT NOT NULL,"
    "  subject TEXT NOT NULL REFERENCES subject (id),"
    "  start_utc_us INTEGER NOT NULL,"
    "  duration_s REAL NOT NULL,"
    "  grade TEXT NOT NULL) STRICT;"
    "CREATE INDEX session_subject ON session (subject, start_utc_us);"
    "CREATE TABLE session_protocol ("
    "  uuid TEXT NOT NULL REFERENCES session (uuid) ON DELETE CASCADE,"
    "  position INTEGER NOT NULL,"
    "  protocol TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  PRIMARY KEY (uuid, position)) STRICT;"
    "PRAGMA user_version = 1;";

struct catalogue {
    sqlite3 *database;
    char directory[CATALOGUE_PATH_SIZE];
    char path[CATALOGUE_PATH_SIZE + 24];
};

bool catalogue_subject_is_valid(const char *subject)
{
    size_t size = strlen(subject);
    if (size < 1 || size >= SESSION_SUBJECT_SIZE || !isalnum((unsigned char)subject[0])) {
        return false;
    }
    for (size_t index = 0; index < size; index++) {
        unsigned char letter = (unsigned char)subject[index];
        if (letter > 127 || !(isalnum(letter) || letter == '-' || letter == '_')) {
            return false;
        }
    }
    return true;
}

static enum status database_fail(const struct catalogue *catalogue, const char *what)
{
    log_error(
        "%s: cannot %s: %s; if it stays so, delete the file: it is built again from the "
        "session files",
        catalogue->path, what,
        catalogue->database ? sqlite3_errmsg(catalogue->database) : "out of memory");
    return STATUS_IO;
}

static bool run(struct catalogue *catalogue, const char *sql)
{
    return sqlite3_exec(catalogue->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* First column of the first row, or otherwise. */
static int number_get(struct catalogue *catalogue, const char *sql, int otherwise)
{
    sqlite3_stmt *statement = NULL;
    int number = otherwise;
    if (sqlite3_prepare_v2(catalogue->database, sql, -1, &statement, NULL) == SQLITE_OK
        && sqlite3_step(statement) == SQLITE_ROW) {
        number = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    return number;
}

/* Create the file before SQLite does, so that it and its side files are private. */
static enum status file_create(const struct catalogue *catalogue)
{
    int descriptor = open(catalogue->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        log_error(
            "%s: cannot open the catalogue: %s; choose an archive folder you may write to",
            catalogue->path, strerror(errno));
        return STATUS_IO;
    }
    close(descriptor);
    return STATUS_OK;
}

static bool database_open(struct catalogue *catalogue)
{
    return sqlite3_open_v2(catalogue->path, &catalogue->database, SQLITE_OPEN_READWRITE,
                           NULL)
               == SQLITE_OK
           && sqlite3_busy_timeout(catalogue->database, BUSY_TIMEOUT_MS) == SQLITE_OK
           && run(catalogue, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;"
                             "PRAGMA synchronous = NORMAL;");
}

/* The index is not the truth: one that is damaged or of another version is thrown away. */
static enum status database_replace(struct catalogue *catalogue)
{
    char side[sizeof catalogue->path + 8];
    sqlite3_close(catalogue->database);
    catalogue->database = NULL;
    unlink(catalogue->path);
    snprintf(side, sizeof side, "%s-wal", catalogue->path);
    unlink(side);
    snprintf(side, sizeof side, "%s-shm", catalogue->path);
    unlink(side);
    enum status status = file_create(catalogue);
    if (status == STATUS_OK && !database_open(catalogue)) {
        status = database_fail(catalogue, "create the catalogue");
    }
    return status;
}

/* Whether an error means that the file's content is wrong, not that the disk is. */
static bool is_damaged(const struct catalogue *catalogue)
{
    int code = sqlite3_errcode(catalogue->database);
    return code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
}

static enum status schema_create(struct catalogue *catalogue)
{
    if (!run(catalogue, "BEGIN IMMEDIATE")) {
        return database_fail(catalogue, "write the catalogue");
    }
    /* Another process may have made it while this one waited. */
    if (number_get(catalogue, "PRAGMA user_version", -1) == SCHEMA_VERSION) {
        return run(catalogue, "COMMIT") ? STATUS_OK
                                        : database_fail(catalogue, "write the catalogue");
    }
    if (!run(catalogue, SCHEMA) || !run(catalogue, "COMMIT")) {
        enum status status = database_fail(catalogue, "create the catalogue's tables");
        run(catalogue, "ROLLBACK");
        return status;
    }
    return catalogue_rebuild(catalogue);
}

static enum status catalogue_prepare(struct catalogue *catalogue)
{
    enum status status = file_create(catalogue);
    if (status != STATUS_OK) {
        return status;
    }
    if (!database_open(catalogue) || number_get(catalogue, "PRAGMA user_version", -1) < 0) {
        if (!is_damaged(catalogue)) {
            return database_fail(catalogue, "open the catalogue");
        }
        log_warning("%s: is damaged; built again from the session files", catalogue->path);
        status = database_replace(catalogue);
    }
    int version =
        status == STATUS_OK ? number_get(catalogue, "PRAGMA user_version", -1) : -1;
    if (status == STATUS_OK && version != 0 && version != SCHEMA_VERSION) {
        log_warning("%s: is of another version; built again from the session files",
                    catalogue->path);
        status = database_replace(catalogue);
        version = 0;
    }
    if (status == STATUS_OK && version == 0) {
        status = schema_create(catalogue);
    }
    return status;
}

enum status catalogue_open(const char *directory, struct catalogue **out)
{
    enum status status = folder_create(directory);
    if (status != STATUS_OK) {
        return status;
    }
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);
    if (!catalogue) {
        return STATUS_NO_MEMORY;
    }
    size_t size = strlen(directory);
    while (size > 1 && directory[size - 1] == '/') {
        size--;
    }
    /* Room for SUBJECT/STAMP_UUID8.journal below it. */
    if (size + SESSION_SUBJECT_SIZE + 64 >= sizeof catalogue->directory) {
        log_error("%s: the path is too long; use a shorter archive folder", directory);
        status = STATUS_IO;
    } else {
        memcpy(catalogue->directory, directory, size);
        snprintf(catalogue->path, sizeof catalogue->path, "%s/catalogue.sqlite",
                 catalogue->directory);
        status = catalogue_prepare(catalogue);
    }
    if (status != STATUS_OK) {
        catalogue_close(catalogue);
        return status;
    }
    *out = catalogue;
    return STATUS_OK;
}

void catalogue_close(struct catalogue *catalogue)
{
    if (!catalogue) {
        return;
    }
    sqlite3_close(catalogue->database);
    free(catalogue);
}

/* One value of a statement. */
struct binding {
    const char *text; /* NULL = number, or real when is_real */
    int64_t number;
    double real;
    bool is_real;
};

static bool statement_run(struct catalogue *catalogue, const char *sql,
                          const struct binding *bindings, int count)
{
    sqlite3_stmt *statement = NULL;
    bool good =
        sqlite3_prepare_v2(catalogue->database, sql, -1, &statement, NULL) == SQLITE_OK;
    for (int index = 0; good && index < count; index++) {
        const struct binding *binding = &bindings[index];
        int code = binding->text ? sqlite3_bind_text(statement, index + 1, binding->text,
                                                     -1, SQLITE_TRANSIENT)
                   : binding->is_real
                       ? sqlite3_bind_double(statement, index + 1, binding->real)
                       : sqlite3_bind_int64(statement, index + 1, binding->number);
        good = code == SQLITE_OK;
    }
    good = good && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return good;
}

/* Path as kept: from the archive folder, so that the folder can be moved. */
static const char *path_inside(const struct catalogue *catalogue, const char *path)
{
    size_t size = strlen(catalogue->directory);
    if (strncmp(path, catalogue->directory, size) != 0 || path[size] != '/') {
        return path;
    }
    path += size;
    while (*path == '/') {
        path++;
    }
    return path;
}

static bool session_insert(struct catalogue *catalogue, const char *path,
                           const struct session *session)
{
    const char grade[2] = {session->grade, '\0'};
    const char *inside = path_inside(catalogue, path);
    const struct binding subject[] = {{.text = session->subject}};
    const struct binding replaced[] = {{.text = session->uuid}, {.text = inside}};
    const struct binding row[] = {
        {.text = session->uuid},
        {.text = inside},
        {.text = session->parent_uuid},
        {.text = session->subject},
        {.number = session->start_utc_us},
        {.real = session->duration_s, .is_real = true},
        {.text = grade},
    };
    bool good =
        statement_run(catalogue, "INSERT OR IGNORE INTO subject VALUES (?)", subject, 1)
        && statement_run(catalogue, "DELETE FROM session WHERE uuid = ? OR path = ?",
                         replaced, 2)
        && statement_run(catalogue, "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)", row,
                         7);
    for (unsigned index = 0; good && index < session->stretch_count; index++) {
        const struct protocol *protocol = &session->stretches[index].protocol;
        const struct binding done[] = {
            {.text = session->uuid},
            {.number = index},
            {.text = protocol->id},
            {.text = protocol->version},
        };
        good = statement_run(catalogue, "INSERT INTO session_protocol VALUES (?, ?, ?, ?)",
                             done, 4);
    }
    return good;
}

enum status catalogue_add(struct catalogue *catalogue, const char *path,
                          const struct session *session)
{
    if (!run(catalogue, "BEGIN IMMEDIATE")) {
        return database_fail(catalogue, "write the catalogue");
    }
    if (!session_insert(catalogue, path, session) || !run(catalogue, "COMMIT")) {
        enum status status = database_fail(catalogue, "add the session");
        run(catalogue, "ROLLBACK");
        return status;
    }
    return STATUS_OK;
}

static void column_copy(sqlite3_stmt *statement, int column, char *text, size_t size)
{
    const unsigned char *value = sqlite3_column_text(statement, column);
    snprintf(text, size, "%s", value ? (const char *)value : "");
}

static void entry_fill(const struct catalogue *catalogue, sqlite3_stmt *statement,
                       struct catalogue_entry *entry)
{
    char inside[CATALOGUE_PATH_SIZE];
    char grade[2];
    column_copy(statement, 0, entry->uuid, sizeof entry->uuid);
    column_copy(statement, 1, inside, sizeof inside);
    column_copy(statement, 2, entry->parent_uuid, sizeof entry->parent_uuid);
    column_copy(statement, 3, entry->subject, sizeof entry->subject);
    entry->start_utc_us = sqlite3_column_int64(statement, 4);
    entry->duration_s = sqlite3_column_double(statement, 5);
    column_copy(statement, 6, grade, sizeof grade);
    entry->grade = grade[0];
    column_copy(statement, 7, entry->protocols, sizeof entry->protocols);
    bool is_whole = inside[0] == '/';
    if (snprintf(entry->path, sizeof entry->path, "%s%s%s",
                 is_whole ? "" : catalogue->directory, is_whole ? "" : "/", inside)
        >= (int)sizeof entry->path) {
        entry->path[0] = '\0';
    }
}

static const char LIST[] =
    "SELECT uuid, path, parent_uuid, subject, start_utc_us, duration_s, grade,"
    "  (SELECT coalesce(group_concat(protocol, ','), '') FROM"
    "    (SELECT protocol FROM session_protocol AS p WHERE p.uuid = session.uuid"
    "     ORDER BY position))"
    " FROM session WHERE ?1 = '' OR subject = ?1 ORDER BY start_utc_us, uuid";

/* Append the current row to a growing array. */
static bool entry_add(const struct catalogue *catalogue, sqlite3_stmt *statement,
                      struct catalogue_entry **entries, size_t *count)
{
    /* Doubled whenever the count is a power of two. */
    if ((*count & (*count - 1)) == 0) {
        size_t capacity = *count > 0 ? *count * 2 : 1;
        struct catalogue_entry *grown = realloc(*entries, capacity * sizeof **entries);
        if (!grown) {
            return false;
        }
        *entries = grown;
    }
    memset(&(*entries)[*count], 0, sizeof **entries);
    entry_fill(catalogue, statement, &(*entries)[*count]);
    (*count)++;
    return true;
}

enum status catalogue_list(struct catalogue *catalogue, const char *subject,
                           struct catalogue_entry **entries, size_t *count)
{
    sqlite3_stmt *statement = NULL;
    struct catalogue_entry *rows = NULL;
    size_t row_count = 0;
    if (sqlite3_prepare_v2(catalogue->database, LIST, -1, &statement, NULL) != SQLITE_OK
        || sqlite3_bind_text(statement, 1, subject ? subject : "", -1, SQLITE_TRANSIENT)
               != SQLITE_OK) {
        sqlite3_finalize(statement);
        return database_fail(catalogue, "read the catalogue");
    }
    int code = sqlite3_step(statement);
    while (code == SQLITE_ROW && entry_add(catalogue, statement, &rows, &row_count)) {
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) {
        free(rows);
        return code == SQLITE_ROW ? STATUS_NO_MEMORY
                                  : database_fail(catalogue, "read the catalogue");
    }
    *entries = rows;
    *count = row_count;
    return STATUS_OK;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t size = strlen(name);
    size_t ending_size = strlen(ending);
    return size > ending_size && strcmp(name + size - ending_size, ending) == 0;
}

/* Add every readable session file of one subject's folder; the others are named and left
 * out. */
static bool folder_index(struct catalogue *catalogue, const char *subject)
{
    static const struct archive_read_settings LITTLE = {false, false};
    char path[CATALOGUE_PATH_SIZE + 256];
    bool good = true;
    snprintf(path, sizeof path, "%s/%s", catalogue->directory, subject);
    DIR *folder = opendir(path);
    if (!folder) {
        return true;
    }
    for (const struct dirent *entry = readdir(folder); entry && good;
         entry = readdir(folder)) {
        struct session *session = NULL;
        if (!has_ending(entry->d_name, ".h5")
            || snprintf(path, sizeof path, "%s/%s/%s", catalogue->directory, subject,
                        entry->d_name)
                   >= CATALOGUE_PATH_SIZE) {
            continue;
        }
        if (archive_read(path, &LITTLE, &session) == STATUS_OK) {
            good = session_insert(catalogue, path, session);
            session_destroy(session);
        }
    }
    closedir(folder);
    return good;
}

enum status catalogue_rebuild(struct catalogue *catalogue)
{
    DIR *folder = opendir(catalogue->directory);
    if (!folder) {
        log_error("%s: cannot read the archive folder: %s", catalogue->directory,
                  strerror(errno));
        return STATUS_IO;
    }
    bool good = run(catalogue, "BEGIN IMMEDIATE") && run(catalogue, "DELETE FROM session")
                && run(catalogue, "DELETE FROM subject");
    for (const struct dirent *entry = readdir(folder); entry && good;
         entry = readdir(folder)) {
        if (catalogue_subject_is_valid(entry->d_name)) {
            good = folder_index(catalogue, entry->d_name);
        }
    }
    closedir(folder);
    if (!good || !run(catalogue, "COMMIT")) {
        enum status status = database_fail(catalogue, "build the catalogue again");
        run(catalogue, "ROLLBACK");
        return status;
    }
    return STATUS_OK;
}

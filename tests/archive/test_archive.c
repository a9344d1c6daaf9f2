/* Session files: every field comes back, equal sessions give equal bytes, full disks and
 * damaged files are one clear answer. */
#include <check.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/archive.h"
#include "sample.h"

static const struct archive_read_settings ALL = {.with_samples = true,
                                                 .with_journal = true};

static char scratch[SAMPLE_PATH_SIZE];

static void setup(void)
{
    scratch_make(scratch);
}

static void teardown(void)
{
    scratch_remove(scratch);
}

static void path_make(char path[SAMPLE_PATH_SIZE + 32], const char *name)
{
    snprintf(path, SAMPLE_PATH_SIZE + 32, "%s/%s", scratch, name);
}

/* Equal bit by bit, NaN included. */
static void same_double(double a, double b)
{
    ck_assert_mem_eq(&a, &b, sizeof a);
}

static struct session *round_trip(const char *name)
{
    char path[SAMPLE_PATH_SIZE + 32];
    struct session *read = NULL;
    struct session *session = sample_session("A7", 1);
    path_make(path, name);
    ck_assert_int_eq(archive_write(session, path), STATUS_OK);
    session_destroy(session);
    ck_assert_int_eq(archive_read(path, &ALL, &read), STATUS_OK);
    return read;
}

START_TEST(test_root)
{
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    ck_assert_str_eq(a->uuid, b->uuid);
    ck_assert_str_eq(a->parent_uuid, b->parent_uuid);
    ck_assert_str_eq(a->visit_uuid, b->visit_uuid);
    ck_assert_str_eq(a->subject, b->subject);
    ck_assert_str_eq(a->operator_code, b->operator_code);
    ck_assert_int_eq(a->start_utc_us, b->start_utc_us);
    ck_assert_str_eq(a->software, b->software);
    ck_assert_str_eq(a->software_commit, b->software_commit);
    ck_assert_str_eq(a->journal_hash, b->journal_hash);
    ck_assert_uint_eq(a->journal_frame_count, b->journal_frame_count);
    ck_assert_uint_eq(a->journal_torn_size, b->journal_torn_size);
    ck_assert(a->recovered == b->recovered && a->simulated == b->simulated);
    ck_assert_uint_eq(a->journal_size, b->journal_size);
    ck_assert_mem_eq(a->journal, b->journal, a->journal_size);
    ck_assert_str_eq(a->header_json, b->header_json);
    same_double(a->duration_s, b->duration_s);
    ck_assert_int_eq(a->pain_before, b->pain_before);
    ck_assert_int_eq(a->pain_highest, b->pain_highest);
    ck_assert_int_eq(a->pain_after, b->pain_after);
    ck_assert_int_eq(a->grade, b->grade);
    ck_assert_str_eq(a->grade_reason, b->grade_reason);
    session_destroy(a);
    session_destroy(b);
}

END_TEST

START_TEST(test_screening)
{
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    const struct screening *x = &a->screening;
    const struct screening *y = &b->screening;
    for (unsigned index = 0; index < SCREENING_QUESTION_COUNT; index++) {
        ck_assert_int_eq(x->answers[index], y->answers[index]);
    }
    ck_assert_int_eq(x->pain_now, y->pain_now);
    ck_assert_int_eq(x->pain_after, y->pain_after);
    ck_assert(x->acknowledged == y->acknowledged && x->hypermobile == y->hypermobile);
    ck_assert_str_eq(x->override_role, y->override_role);
    ck_assert_str_eq(x->override_reason, y->override_reason);
    session_destroy(a);
    session_destroy(b);
}

END_TEST

START_TEST(test_stretches)
{
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    ck_assert_uint_eq(a->stretch_count, b->stretch_count);
    for (unsigned index = 0; index < a->stretch_count; index++) {
        const struct session_stretch *x = &a->stretches[index];
        const struct session_stretch *y = &b->stretches[index];
        ck_assert_uint_eq(x->protocol.text_size, y->protocol.text_size);
        ck_assert_mem_eq(x->protocol.text, y->protocol.text, x->protocol.text_size);
        ck_assert_str_eq(x->protocol.id, y->protocol.id);
        ck_assert_uint_eq(x->protocol.part_count, y->protocol.part_count);
        ck_assert_str_eq(x->protocol.parts[0].title, y->protocol.parts[0].title);
        same_double(x->start_s, y->start_s);
        same_double(x->end_s, y->end_s);
        ck_assert(x->completed == y->completed);
        same_double(x->gyro_drift_removed_rad, y->gyro_drift_removed_rad);
        ck_assert_mem_eq(x->zones, y->zones, sizeof x->zones);
        ck_assert_mem_eq(x->errors, y->errors, sizeof x->errors);
    }
    session_destroy(a);
    session_destroy(b);
}

END_TEST

static void same_sensor(const struct session_sensor *x, const struct session_sensor *y)
{
    ck_assert_int_eq(x->role, y->role);
    ck_assert_str_eq(x->driver, y->driver);
    ck_assert_str_eq(x->port, y->port);
    ck_assert_str_eq(x->model, y->model);
    ck_assert_str_eq(x->serial_number, y->serial_number);
    same_double(x->rate_hz, y->rate_hz);
    same_double(x->rate_measured_hz, y->rate_measured_hz);
    same_double(x->clock_offset_s, y->clock_offset_s);
    same_double(x->clock_skew, y->clock_skew);
    ck_assert_uint_eq(x->lost_count, y->lost_count);
    ck_assert_uint_eq(x->bad_count, y->bad_count);
    ck_assert_uint_eq(x->sample_count, y->sample_count);
    ck_assert_mem_eq(&x->imu, &y->imu, sizeof x->imu);
    same_double(x->flex.scale, y->flex.scale);
    ck_assert_mem_eq(x->flex.terms_rad, y->flex.terms_rad, sizeof x->flex.terms_rad);
    ck_assert_uint_eq(x->flex.term_count, y->flex.term_count);
    ck_assert_mem_eq(&x->alignment.sensor_to_segment, &y->alignment.sensor_to_segment,
                     sizeof(struct quaternion));
    ck_assert_mem_eq(x->alignment.uncertainty_rad, y->alignment.uncertainty_rad,
                     sizeof x->alignment.uncertainty_rad);
    same_double(x->alignment.explained, y->alignment.explained);
    ck_assert_int_eq(x->alignment.grade, y->alignment.grade);
    ck_assert_str_eq(x->alignment.reason, y->alignment.reason);
}

static void same_stream(const struct session_stream *x, const struct session_stream *y)
{
    ck_assert_str_eq(x->info.name, y->info.name);
    ck_assert_int_eq(x->info.kind, y->info.kind);
    ck_assert_uint_eq(x->info.channel_count, y->info.channel_count);
    for (unsigned channel = 0; channel < x->info.channel_count; channel++) {
        ck_assert_str_eq(x->info.channels[channel], y->info.channels[channel]);
        ck_assert_str_eq(x->info.units[channel], y->info.units[channel]);
        same_double((double)x->info.full_scale[channel],
                    (double)y->info.full_scale[channel]);
    }
    ck_assert_uint_eq(x->count, y->count);
    ck_assert_mem_eq(x->time_s, y->time_s, x->count * sizeof *x->time_s);
    ck_assert_mem_eq(x->device_ticks, y->device_ticks, x->count * sizeof *x->device_ticks);
    ck_assert_mem_eq(x->sequence, y->sequence, x->count * sizeof *x->sequence);
    ck_assert_mem_eq(x->flags, y->flags, x->count * sizeof *x->flags);
    ck_assert_mem_eq(x->values, y->values,
                     x->count * x->info.channel_count * sizeof *x->values);
}

START_TEST(test_sensors)
{
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    ck_assert_uint_eq(a->sensor_count, b->sensor_count);
    for (unsigned index = 0; index < a->sensor_count; index++) {
        const struct session_sensor *x = &a->sensors[index];
        const struct session_sensor *y = &b->sensors[index];
        same_sensor(x, y);
        ck_assert_uint_eq(x->stream_count, y->stream_count);
        for (unsigned stream = 0; stream < x->stream_count; stream++) {
            same_stream(&x->streams[stream], &y->streams[stream]);
        }
        ck_assert_uint_eq(x->orientation_count, y->orientation_count);
        if (x->orientation_count > 0) {
            ck_assert_mem_eq(x->orientation_time_s, y->orientation_time_s,
                             x->orientation_count * sizeof(double));
            ck_assert_mem_eq(x->orientation, y->orientation,
                             x->orientation_count * 4 * sizeof(float));
        }
    }
    session_destroy(a);
    session_destroy(b);
}

END_TEST

START_TEST(test_results)
{
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    ck_assert_uint_eq(a->metric_count, b->metric_count);
    for (size_t index = 0; index < a->metric_count; index++) {
        const struct metric *x = &a->metrics[index];
        const struct metric *y = &b->metrics[index];
        ck_assert(x->id == y->id && x->measure == y->measure && x->side == y->side);
        ck_assert(x->stretch == y->stretch && x->part == y->part);
        ck_assert_uint_eq(x->repetition, y->repetition);
        same_double(x->value, y->value);
        same_double(x->uncertainty, y->uncertainty);
        same_double(x->coverage, y->coverage);
        same_double(x->quality, y->quality);
        ck_assert_str_eq(x->withheld, y->withheld);
        ck_assert_str_eq(x->remark, y->remark);
    }
    ck_assert_uint_eq(a->event_count, b->event_count);
    for (size_t index = 0; index < a->event_count; index++) {
        const struct event *x = &a->events[index];
        const struct event *y = &b->events[index];
        ck_assert(x->type == y->type && x->side == y->side && x->stretch == y->stretch);
        ck_assert(x->part == y->part && x->repetition == y->repetition);
        same_double(x->time_s, y->time_s);
        same_double(x->duration_s, y->duration_s);
        same_double(x->value, y->value);
        same_double(x->value2, y->value2);
        ck_assert_str_eq(x->label, y->label);
        ck_assert_str_eq(x->source, y->source);
        ck_assert_str_eq(x->cause, y->cause);
    }
    session_destroy(a);
    session_destroy(b);
}

END_TEST

START_TEST(test_angles)
{
    /* Radians are kept as degrees: one rounding there and one back, each half a unit in the
     * last place (1.1e-16 of the value), plus that of the factor. */
    const double tolerance = 4e-16;
    struct session *a = sample_session("A7", 1);
    struct session *b = round_trip("a.h5");
    ck_assert_uint_eq(a->angles.count, b->angles.count);
    ck_assert_mem_eq(a->angles.time_s, b->angles.time_s, a->angles.count * sizeof(double));
    for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
        const double *x = a->angles.angle_rad[measure];
        const double *y = b->angles.angle_rad[measure];
        ck_assert((x == NULL) == (y == NULL));
        for (size_t row = 0; x && row < a->angles.count; row++) {
            ck_assert((isnan(x[row]) && isnan(y[row]))
                      || fabs(x[row] - y[row]) <= tolerance * fabs(x[row]));
        }
    }
    ck_assert_double_eq_tol(a->angles.rate_rad_s[MEASURE_LUMBAR_FLEXION][100],
                            b->angles.rate_rad_s[MEASURE_LUMBAR_FLEXION][100], tolerance);
    session_destroy(a);
    session_destroy(b);
}

END_TEST

START_TEST(test_light_read)
{
    static const struct archive_read_settings LITTLE = {false, false};
    char path[SAMPLE_PATH_SIZE + 32];
    struct session *session = NULL;
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    ck_assert_int_eq(archive_read(path, &LITTLE, &session), STATUS_OK);
    ck_assert_uint_eq(session->sensors[0].stream_count, 0);
    ck_assert_uint_eq(session->sensors[0].orientation_count, 0);
    ck_assert_uint_eq(session->journal_size, 0);
    ck_assert_ptr_null(session->journal);
    ck_assert_uint_eq(session->angles.count, SAMPLE_ROW_COUNT);
    ck_assert_uint_eq(session->metric_count, 4);
    session_destroy(session);
}

END_TEST

START_TEST(test_empty_session)
{
    char path[SAMPLE_PATH_SIZE + 32];
    struct session *session = NULL;
    struct session *read = NULL;
    char finding[256];
    ck_assert_int_eq(session_create(&session), STATUS_OK);
    path_make(path, "empty.h5");
    ck_assert_int_eq(archive_write(session, path), STATUS_OK);
    ck_assert_int_eq(archive_verify(path, finding), STATUS_OK);
    ck_assert_int_eq(archive_read(path, &ALL, &read), STATUS_OK);
    ck_assert_uint_eq(read->sensor_count + read->event_count + read->metric_count, 0);
    session_destroy(session);
    session_destroy(read);
}

END_TEST

START_TEST(test_same_bytes)
{
    char path[2][SAMPLE_PATH_SIZE + 32];
    char *bytes[2];
    size_t size[2];
    for (unsigned index = 0; index < 2; index++) {
        struct session *session = sample_session("A7", 1);
        path_make(path[index], index == 0 ? "a.h5" : "b.h5");
        ck_assert_int_eq(archive_write(session, path[index]), STATUS_OK);
        bytes[index] = file_read(path[index], &size[index]);
        session_destroy(session);
        /* Times of objects have a resolution of one second. */
        sleep(index == 0 ? 1 : 0);
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

END_TEST

START_TEST(test_private_and_clean)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char part[SAMPLE_PATH_SIZE + 32];
    struct stat info;
    mode_t before = umask(0);
    session_destroy(round_trip("a.h5"));
    umask(before);
    path_make(path, "a.h5");
    path_make(part, "a.h5.part");
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_ne(access(part, F_OK), 0);
}

END_TEST

START_TEST(test_never_overwrites)
{
    char path[SAMPLE_PATH_SIZE + 32];
    size_t size = 0;
    struct session *session = sample_session("A7", 1);
    path_make(path, "taken.h5");
    file_write(path, "mine", 4);
    ck_assert_int_eq(archive_write(session, path), STATUS_IO);
    char *bytes = file_read(path, &size);
    ck_assert_uint_eq(size, 4);
    ck_assert_mem_eq(bytes, "mine", 4);
    free(bytes);
    session_destroy(session);
}

END_TEST

START_TEST(test_refuses_role_twice)
{
    char path[SAMPLE_PATH_SIZE + 32];
    struct session *session = sample_session("A7", 1);
    path_make(path, "a.h5");
    session->sensors[1].role = session->sensors[0].role;
    ck_assert_int_eq(archive_write(session, path), STATUS_BAD_INPUT);
    ck_assert_int_ne(access(path, F_OK), 0);
    session_destroy(session);
}

END_TEST

START_TEST(test_missing_folder)
{
    char path[SAMPLE_PATH_SIZE + 32];
    struct session *session = sample_session("A7", 1);
    path_make(path, "no/such/a.h5");
    ck_assert_int_eq(archive_write(session, path), STATUS_IO);
    session_destroy(session);
}

END_TEST

/* Write in a child whose files may not grow over limit bytes, as on a full disk.
 * @return The child's wait status. */
static int write_limited(const struct session *session, const char *path, rlim_t limit)
{
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit rule = {limit, limit};
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &rule) != 0) {
            _exit(100);
        }
        _exit(-(int)archive_write(session, path));
    }
    int state = -1;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    return state;
}

START_TEST(test_full_disk)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char part[SAMPLE_PATH_SIZE + 32];
    struct stat info;
    struct session *session = sample_session("A7", 1);
    path_make(path, "whole.h5");
    ck_assert_int_eq(archive_write(session, path), STATUS_OK);
    ck_assert_int_eq(stat(path, &info), 0);
    path_make(path, "full.h5");
    path_make(part, "full.h5.part");
    /* At the start, in the middle, and at the very end. */
    const off_t limits[] = {0, 600, info.st_size / 4, info.st_size / 2, info.st_size - 1};
    for (size_t index = 0; index < sizeof limits / sizeof limits[0]; index++) {
        int state = write_limited(session, path, (rlim_t)limits[index]);
        ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == -(int)STATUS_IO,
                      "limit %ld: state %x", (long)limits[index], (unsigned)state);
        ck_assert_int_ne(access(path, F_OK), 0);
        ck_assert_int_ne(access(part, F_OK), 0);
    }
    /* HDF5 reserves a little more than it keeps; the same check with room must pass. */
    int state = write_limited(session, path, (rlim_t)info.st_size + 65536);
    ck_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0);
    session_destroy(session);
}

END_TEST

START_TEST(test_cut_file)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char cut[SAMPLE_PATH_SIZE + 32];
    char finding[256];
    size_t size = 0;
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    path_make(cut, "cut.h5");
    char *bytes = file_read(path, &size);
    for (size_t keep = 0; keep < size; keep += 1 + size / 41) {
        struct session *session = NULL;
        file_write(cut, bytes, keep);
        enum status status = archive_verify(cut, finding);
        ck_assert(status == STATUS_CORRUPT || (keep < 15 && status == STATUS_BAD_INPUT));
        ck_assert_str_ne(finding, "");
        ck_assert_int_eq(archive_read(cut, &ALL, &session), status);
        ck_assert_ptr_null(session);
    }
    free(bytes);
}

END_TEST

START_TEST(test_flipped_bytes)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char bad[SAMPLE_PATH_SIZE + 32];
    char finding[256];
    size_t size = 0;
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    path_make(bad, "bad.h5");
    char *bytes = file_read(path, &size);
    for (size_t at = 0; at < size; at += 1 + size / 61) {
        bytes[at] = (char)(bytes[at] ^ 0x10);
        file_write(bad, bytes, size);
        ck_assert_int_ne(archive_verify(bad, finding), STATUS_OK);
        ck_assert_str_ne(finding, "");
        bytes[at] = (char)(bytes[at] ^ 0x10);
    }
    file_write(bad, bytes, size);
    ck_assert_int_eq(archive_verify(bad, finding), STATUS_OK);
    ck_assert_str_eq(finding, "");
    free(bytes);
}

END_TEST

/* Put the right seal on changed content, by the rule in the documents and not by our code.
 */
static void reseal(const char *path)
{
    uint8_t hash[32];
    char hex[65];
    char seal[512] = "";
    size_t size = 0;
    char *bytes = file_read(path, &size);
    ck_assert_uint_gt(size, sizeof seal);
    crypto_generichash(hash, sizeof hash, (uint8_t *)bytes + 512, size - 512, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(seal, sizeof seal, "limber-session 1.0\nblake2b-256 %s\nsize %zu\n", hex,
             size - 512);
    memcpy(bytes, seal, sizeof seal);
    file_write(path, bytes, size);
    free(bytes);
}

/* What a person with an HDF5 editor may do to a file. */
static void edit_nothing(hid_t file)
{
    (void)file;
}

static void edit_delete_events(hid_t file)
{
    ck_assert_int_ge(H5Ldelete(file, "events", H5P_DEFAULT), 0);
}

static void edit_delete_group(hid_t file)
{
    ck_assert_int_ge(H5Ldelete(file, "derived/angles", H5P_DEFAULT), 0);
}

static void replace(hid_t file, const char *name, hid_t type, int rank, hsize_t rows,
                    hsize_t columns)
{
    const hsize_t dims[2] = {rows, columns};
    ck_assert_int_ge(H5Ldelete(file, name, H5P_DEFAULT), 0);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[2] = {4, columns};
    H5Pset_chunk(properties, rank, chunk);
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t dataset =
        H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_int_ge(dataset, 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(properties);
}

static void edit_row_count(hid_t file)
{
    replace(file, "streams/thorax_dorsal/inertial/flags", H5T_STD_U16LE, 1, 100, 0);
}

static void edit_huge_rows(hid_t file)
{
    replace(file, "streams/thorax_dorsal/inertial/time", H5T_IEEE_F64LE, 1,
            (hsize_t)1 << 50, 0);
}

static void edit_type(hid_t file)
{
    replace(file, "derived/angles/time", H5T_STD_I32LE, 1, SAMPLE_ROW_COUNT, 0);
}

static void edit_columns(hid_t file)
{
    replace(file, "derived/orientation/thorax_dorsal/quaternion", H5T_IEEE_F32LE, 2,
            SAMPLE_ROW_COUNT, 3);
}

static void edit_metrics_plain(hid_t file)
{
    replace(file, "derived/metrics", H5T_IEEE_F64LE, 1, 4, 0);
}

static void edit_journal_byte(hid_t file)
{
    const hsize_t at = 1000;
    const hsize_t one = 1;
    const uint8_t value = 0xee;
    hid_t dataset = H5Dopen2(file, "raw/journal", H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    hid_t memory = H5Screate_simple(1, &one, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &one, NULL);
    ck_assert_int_ge(
        H5Dwrite(dataset, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, &value), 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
}

static void edit_attribute(hid_t file, const char *object, const char *name,
                           const char *text)
{
    hid_t where = H5Oopen(file, object, H5P_DEFAULT);
    hid_t type = H5Tcopy(H5T_C_S1);
    hid_t space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    ck_assert_int_ge(H5Adelete(where, name), 0);
    hid_t attribute = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(attribute, type, &text), 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(where);
}

static void edit_long_text(hid_t file)
{
    edit_attribute(
        file, "/", "session_uuid",
        "0123456789012345678901234567890123456789012345678901234567890123456789");
}

static void edit_number_as_text(hid_t file)
{
    edit_attribute(file, "devices/thorax_dorsal", "rate_hz", "one hundred");
}

static void edit_index(hid_t file)
{
    const int64_t index = 70;
    hid_t where = H5Oopen(file, "devices/thorax_dorsal", H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    ck_assert_int_ge(H5Adelete(where, "index"), 0);
    hid_t attribute =
        H5Acreate2(where, "index", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(attribute, H5T_NATIVE_INT64, &index), 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Oclose(where);
}

static void edit_role(hid_t file)
{
    ck_assert_int_ge(H5Lmove(file, "devices/thorax_dorsal", file, "devices/left_ear",
                             H5P_DEFAULT, H5P_DEFAULT),
                     0);
}

static void edit_cycle(hid_t file)
{
    ck_assert_int_ge(H5Ldelete(file, "raw", H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_soft("/raw", file, "raw", H5P_DEFAULT, H5P_DEFAULT), 0);
}

static void edit_dataset_to_group(hid_t file)
{
    ck_assert_int_ge(H5Ldelete(file, "derived/angles/time", H5P_DEFAULT), 0);
    hid_t group =
        H5Gcreate2(file, "derived/angles/time", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(group, 0);
    H5Gclose(group);
}

static const struct {
    void (*edit)(hid_t file);
    const char *finding; /* part of it; "" = the file stays good */
} EDITS[] = {
    {edit_nothing, ""},
    {edit_delete_events, "events: missing"},
    {edit_delete_group, "/derived/angles: missing"},
    {edit_row_count, "flags: wrong number of rows"},
    {edit_huge_rows, "time: more rows than its stored bytes can hold"},
    {edit_type, "/derived/angles/time"},
    {edit_columns, "quaternion: wrong number of rows or columns"},
    {edit_metrics_plain, "metrics: not the expected table"},
    {edit_journal_byte, "journal: its SHA-256 does not match"},
    {edit_long_text, "session_uuid: text too long"},
    {edit_number_as_text, "rate_hz: attribute missing or of the wrong type"},
    {edit_index, "index: out of range"},
    {edit_role, "left_ear: no known role"},
    {edit_cycle, "raw: missing or unreadable"},
    {edit_dataset_to_group, "/derived/angles/time: not a dataset"},
};

START_TEST(test_edited_file)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char finding[256];
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    EDITS[_i].edit(file);
    ck_assert_int_ge(H5Fclose(file), 0);
    reseal(path);
    enum status status = archive_verify(path, finding);
    ck_assert_int_eq(status, EDITS[_i].finding[0] ? STATUS_CORRUPT : STATUS_OK);
    ck_assert_msg(strstr(finding, EDITS[_i].finding) != NULL, "'%s' has no '%s'", finding,
                  EDITS[_i].finding);
}

END_TEST

START_TEST(test_other_files)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char finding[256];
    struct session *session = NULL;
    path_make(path, "none.h5");
    ck_assert_int_eq(archive_read(path, &ALL, &session), STATUS_NOT_FOUND);
    path_make(path, "text.h5");
    file_write(path, "hello", 5);
    ck_assert_int_eq(archive_read(path, &ALL, &session), STATUS_BAD_INPUT);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    ck_assert_int_eq(archive_verify(path, finding), STATUS_BAD_INPUT);
    ck_assert_str_eq(finding, "not a Limber session file");
    ck_assert_int_eq(archive_read(scratch, &ALL, &session), STATUS_BAD_INPUT);
    ck_assert_ptr_null(session);
}

END_TEST

START_TEST(test_newer_version)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char finding[256];
    size_t size = 0;
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    char *bytes = file_read(path, &size);
    bytes[strlen("limber-session ")] = '2';
    file_write(path, bytes, size);
    free(bytes);
    ck_assert_int_eq(archive_verify(path, finding), STATUS_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(finding, "version 2.0"));
}

END_TEST

START_TEST(test_hashes)
{
    /* FIPS 180-2, appendix B.1. */
    static const char ABC[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char path[SAMPLE_PATH_SIZE + 32];
    char hash[SESSION_HASH_SIZE];
    archive_hash_bytes("abc", 3, hash);
    ck_assert_str_eq(hash, ABC);
    path_make(path, "abc");
    file_write(path, "abc", 3);
    memset(hash, 0, sizeof hash);
    ck_assert_int_eq(archive_hash_file(path, hash), STATUS_OK);
    ck_assert_str_eq(hash, ABC);
    path_make(path, "missing");
    ck_assert_int_eq(archive_hash_file(path, hash), STATUS_NOT_FOUND);
}

END_TEST

START_TEST(test_uuid)
{
    char a[SESSION_UUID_SIZE];
    char b[SESSION_UUID_SIZE];
    archive_uuid(a);
    archive_uuid(b);
    ck_assert_uint_eq(strlen(a), 36);
    ck_assert_int_eq(a[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", a[19]));
    ck_assert_str_ne(a, b);
}

END_TEST

/* A researcher's view: the documented example, and the promises of the layout, in h5py. */
static const char PYTHON[] =
    "import sys, h5py\n"
    "f = h5py.File(sys.argv[1], 'r')\n"
    "assert f.attrs['format'] == 'limber-session' and f.attrs['format_version'] == '1.0'\n"
    "assert f.attrs['start_time'] == '2026-11-23T22:45:00.123456Z', f.attrs['start_time']\n"
    "missing = []\n"
    "def look(name, item):\n"
    "    if isinstance(item, h5py.Dataset) and item.dtype.kind in 'fiu':\n"
    "        for key in ('units', 'description'):\n"
    "            if not isinstance(item.attrs.get(key), str): missing.append((name, key))\n"
    "f.visititems(look)\n"
    "assert not missing, missing\n"
    "g = f['streams/thorax_dorsal/inertial']\n"
    "assert g['gyroscope'].shape == (5000, 3) and g['gyroscope'].attrs['units'] == "
    "'deg/s'\n"
    "assert g['accelerometer'].attrs['units'] == 'g'\n"
    "assert g['gyroscope'].dims[0][0] == g['time']\n"
    "assert g['gyroscope'].chunks == (4096, 3) and g['gyroscope'].fletcher32\n"
    "assert g['gyroscope'].shuffle and g['gyroscope'].compression_opts == 1\n"
    "assert f['derived/angles/lumbar_flexion'].attrs['units'] == 'deg'\n"
    "m = f['derived/metrics'][0]\n"
    "assert m['id'] == b'hold_time' and m['unit'] == b's' and m['value'] == 29.975\n"
    "assert f['events'][1]['type'] == b'hold'\n"
    "text = f['protocols/0_standing_forward_bend/text'][()].decode()\n"
    "assert 'standing_forward_bend' in text\n";

START_TEST(test_h5py)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char script[SAMPLE_PATH_SIZE + 32];
    char command[3 * SAMPLE_PATH_SIZE];
    if (system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) {
        printf("skipped: test_h5py needs python3-h5py\n");
        return;
    }
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    path_make(script, "look.py");
    file_write(script, PYTHON, strlen(PYTHON));
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s", script, path);
    ck_assert_int_eq(system(command), 0);
}

END_TEST

START_TEST(test_documented_example)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char picture[SAMPLE_PATH_SIZE + 32];
    char command[4 * SAMPLE_PATH_SIZE];
    if (system("MPLBACKEND=Agg /usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null")
        != 0) {
        printf(
            "skipped: test_documented_example needs python3-h5py and python3-matplotlib\n");
        return;
    }
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    path_make(picture, "a.png");
    snprintf(command, sizeof command,
             "MPLBACKEND=Agg MPLCONFIGDIR=%s /usr/bin/python3 "
             "%s/docs/examples/plot_session.py %s %s",
             scratch, TEST_SOURCE_DIR, path, picture);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(access(picture, R_OK), 0);
}

END_TEST

START_TEST(test_seal_by_hand)
{
    char path[SAMPLE_PATH_SIZE + 32];
    char command[3 * SAMPLE_PATH_SIZE];
    session_destroy(round_trip("a.h5"));
    path_make(path, "a.h5");
    snprintf(command, sizeof command,
             "test \"$(sed -n 's/^blake2b-256 //p;2q' %s)\" = "
             "\"$(tail -c +513 %s | b2sum -l 256 | cut -c1-64)\"",
             path, path);
    ck_assert_int_eq(system(command), 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("archive");
    TCase *tests = tcase_create("session file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_root);
    tcase_add_test(tests, test_screening);
    tcase_add_test(tests, test_stretches);
    tcase_add_test(tests, test_sensors);
    tcase_add_test(tests, test_results);
    tcase_add_test(tests, test_angles);
    tcase_add_test(tests, test_light_read);
    tcase_add_test(tests, test_empty_session);
    tcase_add_test(tests, test_same_bytes);
    tcase_add_test(tests, test_private_and_clean);
    tcase_add_test(tests, test_never_overwrites);
    tcase_add_test(tests, test_refuses_role_twice);
    tcase_add_test(tests, test_missing_folder);
    tcase_add_test(tests, test_full_disk);
    tcase_add_test(tests, test_cut_file);
    tcase_add_test(tests, test_flipped_bytes);
    tcase_add_loop_test(tests, test_edited_file, 0, (int)(sizeof EDITS / sizeof EDITS[0]));
    tcase_add_test(tests, test_other_files);
    tcase_add_test(tests, test_newer_version);
    tcase_add_test(tests, test_hashes);
    tcase_add_test(tests, test_uuid);
    tcase_add_test(tests, test_h5py);
    tcase_add_test(tests, test_documented_example);
    tcase_add_test(tests, test_seal_by_hand);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "suites.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report/report.h"
#include "sample.h"

static const char HASH[] =
    "b7e149c20d5f8a13b7e149c20d5f8a13b7e149c20d5f8a13b7e149c20d5f8a13";

typedef enum status (*report_function)(const struct session *const *, size_t, const char *,
                                       struct document **);

static struct session *sessions[SAMPLE_SESSION_COUNT];
static const struct session *views[SAMPLE_SESSION_COUNT];

static void setup(void)
{
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        sessions[i] = sample_session_create(i, 100.0);
        ck_assert_ptr_nonnull(sessions[i]);
        views[i] = sessions[i];
    }
}

static void teardown(void)
{
    for (unsigned i = 0; i < SAMPLE_SESSION_COUNT; i++) {
        sample_session_destroy(sessions[i]);
    }
}

static char *html_of(report_function report, size_t count)
{
    struct document *document = NULL;
    ck_assert_int_eq(report(views, count, HASH, &document), STATUS_OK);
    char *html = rendered_html(document);
    document_destroy(document);
    return html;
}

static char *text_of(report_function report, size_t count)
{
    struct document *document = NULL;
    ck_assert_int_eq(report(views, count, HASH, &document), STATUS_OK);
    char *text = rendered_text(document);
    document_destroy(document);
    return text;
}

/* All white space becomes single spaces, so that sentences can be looked for. */
static char *flowing(char *text)
{
    char *end = text;
    for (const char *at = text; *at != '\0'; at++) {
        char character = *at == '\n' ? ' ' : *at;
        if (character != ' ' || end == text || end[-1] != ' ') {
            *end++ = character;
        }
    }
    *end = '\0';
    return text;
}

static void check_structure(const char *html)
{
    ck_assert_uint_eq(occurrences(html, "<h1"), 1);
    ck_assert_uint_eq(occurrences(html, "<html lang=\"en\">"), 1);
    ck_assert_uint_eq(occurrences(html, "<script"), 0);
    ck_assert_uint_eq(occurrences(html, "http:"), 0);
    ck_assert_uint_eq(occurrences(html, "https:"), 0);
    ck_assert_uint_eq(occurrences(html, "src="), 0);
    ck_assert_uint_eq(occurrences(html, "url(") - occurrences(html, "url(#hatch"), 0);
    ck_assert_uint_eq(occurrences(html, "role=\"img\""), occurrences(html, "<title id="));
    ck_assert_uint_eq(occurrences(html, "role=\"img\""), occurrences(html, "<desc id="));
    ck_assert_uint_eq(occurrences(html, "<section"), occurrences(html, "</section>"));
    ck_assert_uint_eq(occurrences(html, "<div"), occurrences(html, "</div>"));
    ck_assert_uint_eq(occurrences(html, ">nan<") + occurrences(html, "\"nan"), 0);
    for (const char *table = strstr(html, "<table"); table;
         table = strstr(table + 1, "<table")) {
        const char *end = strstr(table, "</table>");
        const char *scope = strstr(table, "<th scope=\"col\"");
        ck_assert(scope && scope < end);
        scope = strstr(table, "<th scope=\"row\"");
        ck_assert(scope && scope < end);
    }
}

START_TEST(reports_have_the_structure_of_a_page)
{
    char *html = html_of(report_clinician, (size_t)_i);
    check_structure(html);
    free(html);
    html = html_of(report_patient, (size_t)_i);
    check_structure(html);
    free(html);
}

END_TEST

START_TEST(disclaimer_is_exact)
{
    static const char disclaimer[] = "Limber is research and education software. It "
                                     "measures movement and time. It is not a "
                                     "medical device, does not diagnose or treat, and its "
                                     "results are informative only. A "
                                     "qualified professional must interpret them. Stop and "
                                     "seek help if you have the warning "
                                     "signs listed.";
    ck_assert_str_eq(report_disclaimer(), disclaimer);
    char *html = html_of(report_clinician, 3);
    ck_assert_uint_eq(occurrences(html, disclaimer), 1);
    free(html);
    html = html_of(report_patient, 3);
    ck_assert_uint_eq(occurrences(html, disclaimer), 1);
    free(html);
}

END_TEST

START_TEST(clinician_report_says_all_it_must)
{
    static const char *const musts[] = {
        "K7Q2M9XW4D",
        "PT-02",
        "11 November 2026, 10:45 UTC",
        "DORSAL",
        "limber 0.1.0",
        "definitions 1",
        "Speed guard: cautions 1, stops 0.",
        "Pain before 3, highest 3, after 2.",
        "Data quality: grade B",
        "One sensor was silent",
        "Lost samples: 240 of 60240",
        "Sensor stalls: 1",
        "alignment B, sensor 6 deg off the guide",
        "MDC95",
        "changed, more",
        "no clear change yet",
        "21.0 / 25 s",
        "guard caution, hold short",
        "hold shorter than 30 s: no breathing rate",
        "Twists with a round back on the left.",
        "Forward and back 30 / 60 deg/s, turning and side 20 / 40 deg/s, any segment 60 / "
        "120",
        "Which vertebra turned.",
        "Signature",
        HASH,
        "12 / 12",
        "6.1 s each, CV 7 %",
        "Drift removed in Seated Spinal Twist: 1.8 deg",
        "gyroscope only: can drift",
    };
    char *text = flowing(text_of(report_clinician, 3));
    for (size_t i = 0; i < sizeof musts / sizeof musts[0]; i++) {
        if (!strstr(text, musts[i])) {
            ck_abort_msg("missing: %s", musts[i]);
        }
    }
    free(text);
}

END_TEST

/* The two lines "no data" in the plot, the pain mark and the holds. */
START_TEST(plot_shows_holds_zones_pain_and_gaps)
{
    char *html = html_of(report_clinician, 1);
    ck_assert_uint_eq(occurrences(html, "url(#hatch"), 1);
    ck_assert_ptr_nonnull(strstr(html, ">R 30.0 s</text>"));
    ck_assert_ptr_nonnull(strstr(html, ">L 26.0 s</text>"));
    ck_assert_ptr_nonnull(strstr(html, ">pain 3</text>"));
    /* One green band for each side. */
    ck_assert_uint_eq(occurrences(html, "fill=\"#009e73\""), 2);
    ck_assert_ptr_nonnull(strstr(html, "Zone left 27 to 36. Zone right 34 to 46."));
    free(html);
}

END_TEST

START_TEST(reference_values_only_with_their_source)
{
    char *html = html_of(report_clinician, 3);
    ck_assert_ptr_null(strstr(html, "Laird"));
    free(html);
    strcpy(sessions[2]->stretches[1].protocol.id, "standing_forward_bend");
    html = html_of(report_clinician, 3);
    ck_assert_ptr_nonnull(strstr(html, "52 / 46 [1]"));
    ck_assert_ptr_nonnull(strstr(html, "[1] Laird 2019"));
    free(html);
}

END_TEST

START_TEST(trend_needs_two_sessions)
{
    char *html = html_of(report_clinician, 1);
    ck_assert_ptr_null(strstr(html, "Values of the trend"));
    free(html);
    html = html_of(report_clinician, 2);
    ck_assert_ptr_nonnull(strstr(html, "Values of the trend"));
    free(html);
}

END_TEST

START_TEST(simulated_and_recovered_are_told)
{
    char *text = text_of(report_clinician, 3);
    ck_assert_ptr_null(strstr(text, "imulated"));
    free(text);
    sessions[2]->simulated = true;
    sessions[2]->recovered = true;
    sessions[2]->journal_torn_size = 17;
    text = text_of(report_clinician, 3);
    ck_assert_ptr_nonnull(strstr(text, "Simulated sensors"));
    ck_assert_ptr_nonnull(strstr(text, "17 bytes"));
    free(text);
    text = text_of(report_patient, 3);
    ck_assert_ptr_nonnull(strstr(text, "the sensors were not real."));
    free(text);
}

END_TEST

START_TEST(hostile_names_and_notes_stay_text)
{
    snprintf(sessions[2]->subject, sizeof sessions[2]->subject,
             "<script>'\"\x1B\xE2\x80\xAE");
    for (size_t i = 0; i < sessions[2]->event_count; i++) {
        struct event *event = &sessions[2]->events[i];
        if (event->type == EVENT_NOTE) {
            snprintf(event->cause, sizeof event->cause,
                     "next time <img src=x onerror=\"a\">&\xFF");
        }
    }
    snprintf(sessions[2]->grade_reason, sizeof sessions[2]->grade_reason,
             "</style><script>");
    const report_function reports[] = {report_clinician, report_patient};
    for (size_t i = 0; i < 2; i++) {
        char *html = html_of(reports[i], 3);
        ck_assert_ptr_null(strstr(html, "<script"));
        ck_assert_ptr_null(strstr(html, "<img"));
        ck_assert_ptr_null(strstr(html, "\x1B"));
        ck_assert_ptr_null(strstr(html, "\xE2\x80\xAE"));
        ck_assert_ptr_null(strstr(html, "\xFF"));
        ck_assert_ptr_nonnull(strstr(html, "&lt;script&gt;"));
        ck_assert_ptr_nonnull(strstr(html, "&lt;img"));
        free(html);
    }
}

END_TEST

START_TEST(report_of_a_long_session_stays_small)
{
    sample_session_destroy(sessions[2]);
    sessions[2] = sample_session_create(2, 750.0); /* 25 minutes */
    views[2] = sessions[2];
    char *html = html_of(report_clinician, 3);
    ck_assert_uint_lt(strlen(html), 400000);
    free(html);
}

END_TEST

START_TEST(empty_session_gives_a_report)
{
    struct session *session = sessions[0];
    session->stretch_count = 0;
    session->metric_count = 0;
    session->event_count = 0;
    session->sensor_count = 0;
    session->angles.count = 0;
    session->subject[0] = '\0';
    session->operator_code[0] = '\0';
    session->grade = '\0';
    session->pain_before = session->pain_highest = session->pain_after = -1;
    struct document *document = NULL;
    ck_assert_int_eq(report_clinician(views, 1, NULL, &document), STATUS_OK);
    document_destroy(document);
    ck_assert_int_eq(report_patient(views, 1, NULL, &document), STATUS_OK);
    char *text = flowing(rendered_text(document));
    ck_assert_ptr_nonnull(
        strstr(text, "This is your first visit. Next time we can compare."));
    ck_assert_ptr_nonnull(strstr(text, "not asked"));
    ck_assert_ptr_nonnull(strstr(text, "Ask your clinician what to do next."));
    free(text);
    document_destroy(document);
}

END_TEST

START_TEST(patient_report_uses_the_agreed_sentences)
{
    char *text = flowing(text_of(report_patient, 3));
    ck_assert_ptr_nonnull(strstr(text,
                                 "Your left twist went from 23 to 36 degrees. That is more "
                                 "than normal day-to-day variation."));
    ck_assert_ptr_nonnull(
        strstr(text, "Your cat-cow is about the same. Small differences are normal."));
    ck_assert_ptr_nonnull(strstr(text,
                                 "You have come 3 times. Today you did 2 stretches in 3 "
                                 "minutes."));
    ck_assert_ptr_nonnull(strstr(text, "Sit tall. Turn slowly to the left."));
    ck_assert_ptr_nonnull(strstr(text, "Pain at the start: 3 of 10"));
    /* At most three messages. */
    size_t lines = occurrences(text, " went from ") + occurrences(text, "about the same")
                   + occurrences(text, "We could not compare");
    ck_assert_uint_le(lines, 3);
    free(text);
}

END_TEST

/* "May have changed" gives no false hope: 41.5 is between MDC90 and MDC95. */
START_TEST(patient_is_told_of_sure_changes_only)
{
    for (size_t i = 0; i < sessions[2]->metric_count; i++) {
        struct metric *metric = &sessions[2]->metrics[i];
        if (metric->id == METRIC_RANGE_OF_MOTION && metric->stretch == 0) {
            metric->value = metric->side == SIDE_RIGHT ? 41.5 : 31.5;
        }
    }
    char *text = flowing(text_of(report_patient, 3));
    ck_assert_ptr_null(strstr(text, "went from"));
    ck_assert_ptr_nonnull(strstr(text, "Your right twist is about the same."));
    free(text);
}

END_TEST

START_TEST(patient_reads_why_nothing_was_compared)
{
    for (unsigned i = 0; i < sessions[2]->stretch_count; i++) {
        strcpy(sessions[2]->stretches[i].protocol.placement, "VENTRAL");
    }
    char *text = flowing(text_of(report_patient, 3));
    ck_assert_ptr_nonnull(strstr(text,
                                 "We could not compare your left twist. The sensors were "
                                 "placed in another way."));
    ck_assert_ptr_null(strstr(text, "Chart"));
    free(text);
}

END_TEST

START_TEST(first_visit_compares_nothing)
{
    char *text = flowing(text_of(report_patient, 1));
    ck_assert_ptr_nonnull(
        strstr(text, "This is your first visit. Next time we can compare."));
    ck_assert_ptr_null(strstr(text, "went from"));
    ck_assert_ptr_null(strstr(text, "about the same"));
    free(text);
}

END_TEST

START_TEST(more_range_is_no_success_for_the_hypermobile)
{
    sessions[2]->screening.hypermobile = true;
    char *text = flowing(text_of(report_patient, 3));
    ck_assert_ptr_null(strstr(text, "degrees"));
    ck_assert_ptr_nonnull(strstr(text, "more is not the goal"));
    free(text);
}

END_TEST

/* Syllables as groups of vowels, without a silent e at the end. */
static unsigned syllables(const char *word, size_t size)
{
    unsigned count = 0;
    bool was_vowel = false;
    for (size_t i = 0; i < size; i++) {
        bool is_vowel = strchr("aeiouy", tolower((unsigned char)word[i])) != NULL;
        count += is_vowel && !was_vowel;
        was_vowel = is_vowel;
    }
    bool is_silent = size > 2 && tolower((unsigned char)word[size - 1]) == 'e'
                     && tolower((unsigned char)word[size - 2]) != 'l';
    if (is_silent && count > 1) {
        count--;
    }
    return count > 0 ? count : 1;
}

/* A sentence ends at . ? ! : before a space, at an empty line and before an item of a list.
 */
static bool is_sentence_end(const char *at)
{
    return (strchr(".?!:", *at) && isspace((unsigned char)at[1]))
           || (at[0] == '\n' && (at[1] == '\n' || at[1] == '-'));
}

/* Grade of Flesch and Kincaid: 0.39 words per sentence + 11.8 syllables per word - 15.59.
 */
static double reading_grade(const char *text)
{
    unsigned words = 0;
    unsigned sentences = 0;
    unsigned parts = 0;
    unsigned words_before = 0;
    for (const char *at = text; *at != '\0'; at++) {
        size_t size = 0;
        while (isalpha((unsigned char)at[size]) || (size > 0 && at[size] == '\'')) {
            size++;
        }
        if (size > 0) {
            words++;
            parts += syllables(at, size);
            at += size - 1;
        }
        if (is_sentence_end(at) && words > words_before) {
            sentences++;
            words_before = words;
        }
    }
    sentences += words > words_before;
    return 0.39 * words / sentences + 11.8 * parts / words - 15.59;
}

/* Take the disclaimer out; it is fixed. */
static void without_disclaimer(char *text)
{
    char *start = strstr(text, "Limber is research");
    ck_assert_ptr_nonnull(start);
    char *end = strstr(start, "listed.");
    ck_assert_ptr_nonnull(end);
    end += strlen("listed.");
    memmove(start, end, strlen(end) + 1);
}

START_TEST(reading_grade_knows_easy_from_hard)
{
    /* By hand: 6 words, 1 sentence, 6 syllables: 2.34 + 11.8 - 15.59 = -1.45. */
    ck_assert_double_eq_tol(reading_grade("The cat sat on the mat."), -1.45, 1e-9);
    ck_assert_double_gt(
        reading_grade("Quantitative characterisation necessitates considerable "
                      "interdisciplinary collaboration."),
        12.0);
}

END_TEST

START_TEST(patient_report_is_easy_to_read)
{
    for (size_t count = 1; count <= SAMPLE_SESSION_COUNT; count++) {
        char *text = text_of(report_patient, count);
        without_disclaimer(text);
        ck_assert_double_le(reading_grade(text), 6.0);
        free(text);
    }
}

END_TEST

static void check_words(char *text)
{
    static const char *const forbidden[] = {"cure",      "heal",         "treat",
                                            "diagnose",  "decompressed", "adjusted",
                                            "realigned", "abnormal"};
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        for (const char *at = text; *at != '\0'; at++) {
            bool is_start = at == text || !isalpha((unsigned char)at[-1]);
            if (is_start && strncasecmp(at, forbidden[i], strlen(forbidden[i])) == 0) {
                ck_abort_msg("forbidden word: %.40s", at);
            }
        }
    }
}

START_TEST(no_forbidden_word_outside_the_disclaimer)
{
    const report_function reports[] = {report_clinician, report_patient};
    for (size_t i = 0; i < 2; i++) {
        char *text = flowing(text_of(reports[i], (size_t)_i));
        without_disclaimer(text);
        check_words(text);
        free(text);
    }
}

END_TEST

Suite *reports_suite(void)
{
    Suite *suite = suite_create("reports");
    TCase *tests = tcase_create("reports");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, reports_have_the_structure_of_a_page, 1, 4);
    tcase_add_test(tests, disclaimer_is_exact);
    tcase_add_test(tests, clinician_report_says_all_it_must);
    tcase_add_test(tests, plot_shows_holds_zones_pain_and_gaps);
    tcase_add_test(tests, reference_values_only_with_their_source);
    tcase_add_test(tests, trend_needs_two_sessions);
    tcase_add_test(tests, simulated_and_recovered_are_told);
    tcase_add_test(tests, hostile_names_and_notes_stay_text);
    tcase_add_test(tests, report_of_a_long_session_stays_small);
    tcase_add_test(tests, empty_session_gives_a_report);
    tcase_add_test(tests, patient_report_uses_the_agreed_sentences);
    tcase_add_test(tests, patient_is_told_of_sure_changes_only);
    tcase_add_test(tests, patient_reads_why_nothing_was_compared);
    tcase_add_test(tests, first_visit_compares_nothing);
    tcase_add_test(tests, more_range_is_no_success_for_the_hypermobile);
    tcase_add_test(tests, reading_grade_knows_easy_from_hard);
    tcase_add_test(tests, patient_report_is_easy_to_read);
    tcase_add_loop_test(tests, no_forbidden_word_outside_the_disclaimer, 1, 4);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "report/words.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report/report.h"

static const char *const MONTHS[12] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};

struct stretch_name {
    const char *protocol_id;
    const char *brief; /* for tables */
    const char *plain; /* for patients, in the middle of a sentence */
};

static const struct stretch_name STRETCH_NAMES[] = {
    {"knee_to_chest_rock", "Knee to chest", "knee hug"},
    {"seated_spinal_twist", "Twist", "twist"},
    {"cat_cow", "Cat-cow", "cat-cow"},
    {"bridge", "Bridge", "bridge"},
    {"couch_decompression", "Couch", "couch rest"},
    {"standing_forward_bend", "Forward bend", "forward bend"},
    {"childs_pose", "Child's pose", "child's pose"},
};

struct reference {
    const char *protocol_id;
    enum metric_id metric;
    enum measure measure; /* MEASURE_COUNT = any */
    const char *text;
    const char *source;
};

static const char LAIRD_2019[] = "Laird 2019 (126 people without, 140 with long-lasting "
                                 "back pain; sensors at T12 and S2, knees "
                                 "straight): without / with back pain";
static const char LAIRD_2016[] =
    "Laird 2016 (63 people, sensors at T12 and S2): without / with back pain";
static const char TROKE_2001[] = "Troke 2001 (405 people without pain, 16 to 90 years): "
                                 "about 7 deg each way at all ages";

/* Clinical reference 3.7 and 3.6, values read in their sources only. */
static const struct reference REFERENCES[] = {
    {"standing_forward_bend", METRIC_RANGE_OF_MOTION, MEASURE_THORAX_INCLINATION,
     "111 / 93", LAIRD_2019},
    {"standing_forward_bend", METRIC_RANGE_OF_MOTION, MEASURE_LUMBAR_FLEXION, "52 / 46",
     LAIRD_2019},
    {"standing_forward_bend", METRIC_RANGE_OF_MOTION, MEASURE_PELVIS_INCLINATION, "59 / 48",
     LAIRD_2019},
    {"standing_forward_bend", METRIC_LUMBAR_SHARE, MEASURE_COUNT, "51.3 / 45.8",
     LAIRD_2016},
    {"seated_spinal_twist", METRIC_RANGE_OF_MOTION, MEASURE_LUMBAR_ROTATION, "about 7",
     TROKE_2001},
};

const char *report_disclaimer(void)
{
    return "Limber is research and education software. It measures movement and time. It "
           "is not a "
           "medical device, does not diagnose or treat, and its results are informative "
           "only. A "
           "qualified professional must interpret them. Stop and seek help if you have the "
           "warning signs listed.";
}

const char *words_number(double value, int decimals, bool sign, char out[WORDS_NUMBER_SIZE])
{
    if (!isfinite(value)) {
        snprintf(out, WORDS_NUMBER_SIZE, "\xE2\x80\x93");
        return out;
    }
    snprintf(out, WORDS_NUMBER_SIZE, "%.*f", decimals, fabs(value));
    /* What rounds to nothing has no sign. */
    if (strspn(out, "0.") == strlen(out)) {
        return out;
    }
    snprintf(out, WORDS_NUMBER_SIZE, "%s%.*f",
             value < 0.0 ? "\xE2\x88\x92" : (sign ? "+" : ""), decimals, fabs(value));
    return out;
}

static struct tm utc_parts(int64_t utc_us)
{
    int64_t seconds = utc_us / 1000000 - (utc_us % 1000000 < 0);
    time_t time = (time_t)seconds;
    struct tm parts = {.tm_mday = 1, .tm_year = 70};
    gmtime_r(&time, &parts);
    return parts;
}

const char *words_date(int64_t utc_us, char out[WORDS_DATE_SIZE])
{
    struct tm parts = utc_parts(utc_us);
    snprintf(out, WORDS_DATE_SIZE, "%d %s %d", parts.tm_mday, MONTHS[parts.tm_mon % 12],
             parts.tm_year + 1900);
    return out;
}

const char *words_day(int64_t utc_us, char out[WORDS_DATE_SIZE])
{
    struct tm parts = utc_parts(utc_us);
    snprintf(out, WORDS_DATE_SIZE, "%d %.3s", parts.tm_mday, MONTHS[parts.tm_mon % 12]);
    return out;
}

const char *words_date_time(int64_t utc_us, char out[WORDS_DATE_SIZE])
{
    struct tm parts = utc_parts(utc_us);
    words_date(utc_us, out);
    words_append(out, WORDS_DATE_SIZE, ", %02d:%02d UTC", parts.tm_hour, parts.tm_min);
    return out;
}

void words_append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* The text up to a bracket, which only explains. */
static void copy_before_bracket(const char *text, char out[WORDS_LABEL_SIZE])
{
    size_t length = strcspn(text, "(");
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    snprintf(out, WORDS_LABEL_SIZE, "%.*s", (int)length, text);
}

const char *words_stretch(const struct protocol *protocol, char out[WORDS_LABEL_SIZE])
{
    copy_before_bracket(protocol->title[0] != '\0' ? protocol->title : protocol->id, out);
    return out;
}

static const struct stretch_name *name_find(const struct protocol *protocol)
{
    for (size_t i = 0; i < sizeof STRETCH_NAMES / sizeof STRETCH_NAMES[0]; i++) {
        if (strcmp(STRETCH_NAMES[i].protocol_id, protocol->id) == 0) {
            return &STRETCH_NAMES[i];
        }
    }
    return NULL;
}

const char *words_stretch_brief(const struct protocol *protocol, char out[WORDS_LABEL_SIZE])
{
    const struct stretch_name *name = name_find(protocol);
    if (!name) {
        return words_stretch(protocol, out);
    }
    snprintf(out, WORDS_LABEL_SIZE, "%s", name->brief);
    return out;
}

const char *words_stretch_plain(const struct protocol *protocol, char out[WORDS_LABEL_SIZE])
{
    const struct stretch_name *name = name_find(protocol);
    if (!name) {
        return words_stretch(protocol, out);
    }
    snprintf(out, WORDS_LABEL_SIZE, "%s", name->plain);
    return out;
}

const char *words_measure(enum measure measure, char out[WORDS_LABEL_SIZE])
{
    copy_before_bracket(measure_info_get(measure)->title, out);
    out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}

const char *words_side(enum side side)
{
    return side == SIDE_BOTH ? "" : side_text(side);
}

const char *words_reference(const char *protocol_id, const struct metric *metric,
                            const char **source)
{
    for (size_t i = 0; i < sizeof REFERENCES / sizeof REFERENCES[0]; i++) {
        const struct reference *reference = &REFERENCES[i];
        bool is_measure =
            reference->measure == MEASURE_COUNT || reference->measure == metric->measure;
        if (reference->metric == metric->id && is_measure
            && strcmp(reference->protocol_id, protocol_id) == 0) {
            *source = reference->source;
            return reference->text;
        }
    }
    return NULL;
}

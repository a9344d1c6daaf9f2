/* Lines of delimited numbers, one scan a line, with named columns: plain Arduino sketches,
 * accessory boards and loggers. Lines carry no check but their shape: a line whose count of
 * fields or whose numbers are wrong is rejected whole, never shifted. */
#include <math.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "acquisition/text_columns.h"
#include "base/log.h"
#include "base/units.h"

enum {
    LINE_MAX_SIZE = 512,
    FIELD_MAX = TEXT_COLUMN_MAX,
    NAME_SIZE = TEXT_COLUMN_NAME_SIZE,
    NUMBER_SIZE = 64, /* longest number that is read */
    NOTICE_SIZE = 128,
    ANALOG_MAX = SAMPLE_CHANNEL_MAX
};

/* Larger numbers are no measurement. */
static const double VALUE_LIMIT = 1e12;
/* A counter wraps only from so near below its end to so near above 0: a minute. */
static const double WRAP_SPAN_US = 60e6;
static const float GYROSCOPE_LIMIT_DEG_S = 5000.0F;
static const float ACCELEROMETER_LIMIT_G = 200.0F;

/* Streams a line can carry, in the order of the stream table: the first one there is, is
 * the main one. */
enum slot {
    SLOT_INERTIAL,
    SLOT_ANALOG,
    SLOT_MAGNETIC,
    SLOT_TEMPERATURE,
    SLOT_COUNT,
    SLOT_TIME,  /* the time column */
    SLOT_UNUSED /* a column that is kept out */
};

#define ANALOG_NAMES(unit)                                                                 \
    {                                                                                      \
        "analog_0_" unit, "analog_1_" unit, "analog_2_" unit, "analog_3_" unit,            \
            "analog_4_" unit, "analog_5_" unit, "analog_6_" unit, "analog_7_" unit,        \
            "analog_8_" unit, "analog_9_" unit, "analog_10_" unit, "analog_11_" unit,      \
            "analog_12_" unit, "analog_13_" unit, "analog_14_" unit, "analog_15_" unit     \
    }
#define EACH_CHANNEL(item)                                                                 \
    {                                                                                      \
        item, item, item, item, item, item, item, item, item, item, item, item, item,      \
            item, item, item                                                               \
    }

static const struct stream_info STREAMS[SLOT_COUNT] = {
    [SLOT_INERTIAL] = {"inertial",
                       STREAM_INERTIAL,
                       6,
                       {"gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
                        "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g"},
                       {"deg/s", "deg/s", "deg/s", "g", "g", "g"},
                       {0}},
    [SLOT_ANALOG] = {"analog",
                     STREAM_ANALOG,
                     ANALOG_MAX,
                     ANALOG_NAMES("count"),
                     EACH_CHANNEL("1"),
                     {0}},
    [SLOT_MAGNETIC] = {"magnetometer",
                       STREAM_MAGNETIC,
                       3,
                       {"magnetometer_x_ut", "magnetometer_y_ut", "magnetometer_z_ut"},
                       {"uT", "uT", "uT"},
                       {0}},
    [SLOT_TEMPERATURE] =
        {"temperature", STREAM_TEMPERATURE, 1, {"temperature_deg_c"}, {"Cel"}, {0}},
};

/* Units of analog channels: names and UCUM. */
struct analog_unit {
    const char *suffix;
    const char *ucum;
    const char *names[ANALOG_MAX];
};

static const struct analog_unit ANALOG_UNITS[] = {
    {"count", "1", ANALOG_NAMES("count")},
    {"v", "V", ANALOG_NAMES("v")},
    {"deg", "deg", ANALOG_NAMES("deg")},
    {"ohm", "Ohm", ANALOG_NAMES("ohm")},
};

enum {
    ANALOG_UNIT_COUNT = sizeof ANALOG_UNITS / sizeof ANALOG_UNITS[0]
};

/* Columns with an axis, "gyroscope_x_deg_s": what they are and the factor of their unit. */
struct axis_column {
    const char *quantity;
    const char *unit;
    enum slot slot;
    unsigned first_channel;
    double scale;
};

static const struct axis_column AXIS_COLUMNS[] = {
    {"gyroscope", "deg_s", SLOT_INERTIAL, 0, 1.0},
    {"gyroscope", "rad_s", SLOT_INERTIAL, 0, DEG_PER_RAD},
    {"accelerometer", "g", SLOT_INERTIAL, 3, 1.0},
    {"accelerometer", "mg", SLOT_INERTIAL, 3, 1e-3},
    {"accelerometer", "m_s2", SLOT_INERTIAL, 3, 1.0 / GRAVITY_M_S2},
    {"accelerometer", "m_s_2", SLOT_INERTIAL, 3, 1.0 / GRAVITY_M_S2}, /* m/s^2 */
    {"magnetometer", "ut", SLOT_MAGNETIC, 0, 1.0},
    {"magnetometer", "nt", SLOT_MAGNETIC, 0, 1e-3},
    {"magnetometer", "gauss", SLOT_MAGNETIC, 0, 100.0},
};

/* Columns without an axis. The scale of time is ticks (us) per unit. */
struct plain_column {
    const char *name;
    enum slot slot;
    double scale;
};

static const struct plain_column PLAIN_COLUMNS[] = {
    {"time_s", SLOT_TIME, 1e6},
    {"time_ms", SLOT_TIME, 1e3},
    {"time_us", SLOT_TIME, 1.0},
    {"temperature_deg_c", SLOT_TEMPERATURE, 1.0},
};

struct profile {
    const char *name;
    const char *columns;
    bool has_trailing_separator;
    float analog_full_scale;
};

/* Sources: the makers' firmware as listed in docs/driver-guide.md. */
static const struct profile PROFILES[] = {
    {"x-imu3-sa-a8",
     "analog_0_v,analog_1_v,analog_2_v,analog_3_v,analog_4_v,analog_5_v,analog_6_v,analog_"
     "7_v",
     false, 3.0F},
    {"razor-m0",
     "time_ms,accelerometer_x_g,accelerometer_y_g,accelerometer_z_g,gyroscope_x_deg_s,"
     "gyroscope_y_deg_s,gyroscope_z_deg_s,magnetometer_x_ut,magnetometer_y_ut,"
     "magnetometer_z_ut",
     false, 0.0F},
    {"openlog-artemis",
     "rtc_date,rtc_time,accelerometer_x_mg,accelerometer_y_mg,accelerometer_z_mg,"
     "gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,magnetometer_x_ut,"
     "magnetometer_y_ut,magnetometer_z_ut,temperature_deg_c",
     true, 0.0F},
    {"bend-labs", "analog_0_deg", false, 0.0F},
};

/* Column titles of loggers, as normalised by name_normalise. */
struct alias {
    const char *title;
    const char *name;
};

static const struct alias ALIASES[] = {
    {"micros", "time_us"},
    {"ax", "accelerometer_x_mg"},
    {"ay", "accelerometer_y_mg"},
    {"az", "accelerometer_z_mg"},
    {"gx", "gyroscope_x_deg_s"},
    {"gy", "gyroscope_y_deg_s"},
    {"gz", "gyroscope_z_deg_s"},
    {"mx", "magnetometer_x_ut"},
    {"my", "magnetometer_y_ut"},
    {"mz", "magnetometer_z_ut"},
    {"imu_degc", "temperature_deg_c"},
    {"analog_11", "analog_11_v"},
    {"analog_12", "analog_12_v"},
    {"analog_13", "analog_13_v"},
};

struct field {
    uint8_t slot;
    uint8_t channel;
    double scale;
    double offset;
};

/* How fields are told apart and numbers are written. */
struct form {
    char separator; /* 0 = comma, tab or semicolon */
    bool has_decimal_comma;
};

static const struct form USUAL_FORM = {0};

/* How the fields of a line are used. */
struct layout {
    struct field fields[FIELD_MAX];
    unsigned field_count;       /* 0 = not known yet */
    uint16_t masks[SLOT_COUNT]; /* channels there are */
    int time_field;             /* -1 = none */
    double tick_scale;
    const struct analog_unit *analog_units[ANALOG_MAX];
};

struct text {
    struct layout layout;
    struct form form;
    unsigned header_line_count; /* lines that are not looked at */
    struct stream_info streams[SLOT_COUNT];
    uint8_t stream_of[SLOT_COUNT];
    unsigned stream_count;
    bool reads_header; /* a line of titles says what the columns are */
    bool has_aliases;
    bool has_trailing_separator;
    float analog_full_scale;

    bool has_good; /* a good line was seen: from now on others are bad */
    bool is_overlong;
    uint64_t line_count;
    uint32_t sequence;
    double last_time; /* in units of the column */
    double wrap_offset;

    /* First line of numbers, kept until the second shows whether it was whole. */
    char held[LINE_MAX_SIZE];
    size_t held_size;
    bool is_held_cut;

    unsigned notice_count;
    char notice[NOTICE_SIZE];
};

_Static_assert(sizeof(struct text) <= DRIVER_CONTEXT_SIZE, "context too small");

static struct text *text_of(struct driver_context *context)
{
    return (struct text *)(void *)context->memory;
}

static const struct text *text_look(const struct driver_context *context)
{
    return (const struct text *)(const void *)context->memory;
}

/* ---- fields ---- */

static bool is_separator(const struct form *form, char character)
{
    if (form->separator != '\0') {
        return character == form->separator;
    }
    return (character == ',' && !form->has_decimal_comma) || character == '\t'
           || character == ';';
}

/* One field without the spaces around it. */
struct cell {
    const char *text;
    size_t size;
};

static size_t spaces_skip(const char *line, size_t size, size_t place)
{
    while (place < size && line[place] == ' ') {
        place++;
    }
    return place;
}

/* Cut the next field off a line.
 * @param used  In and out: characters done with; size + 1 after the last field. */
static struct cell cell_next(const struct form *form, const char *line, size_t size,
                             size_t *used)
{
    size_t first = spaces_skip(line, size, *used);
    size_t end = first;
    while (end < size && !is_separator(form, line[end])) {
        end++;
    }
    *used = end + 1;
    if (form->separator == ' ') {
        /* Any run of spaces is one separator, at the end of the line it is none. */
        size_t next = spaces_skip(line, size, end);
        *used = next < size ? next : size + 1;
    }
    while (end > first && line[end - 1] == ' ') {
        end--;
    }
    return (struct cell){line + first, end - first};
}

/* "12,5" as "12.5"; a point in it would be read as that, too.
 * @return The cell to read: in text, or empty if it is none. */
static struct cell cell_point(struct cell cell, char text[NUMBER_SIZE])
{
    if (cell.size > NUMBER_SIZE || memchr(cell.text, '.', cell.size)) {
        return (struct cell){text, 0};
    }
    for (size_t index = 0; index < cell.size; index++) {
        text[index] = cell.text[index];
        if (text[index] == ',') {
            text[index] = '.';
        }
    }
    return (struct cell){text, cell.size};
}

static bool cell_number(const struct form *form, struct cell cell, double *value)
{
    char text[NUMBER_SIZE];
    if (form->has_decimal_comma) {
        cell = cell_point(cell, text);
    }
    return cell.size > 0 && framing_number(cell.text, cell.size, value) == cell.size
           && fabs(*value) <= VALUE_LIMIT;
}

/* Fields of a line that is nothing but numbers, 0 if it is not. */
static unsigned numbers_count(const struct form *form, const char *line, size_t size)
{
    unsigned count = 0;
    double value = 0.0;
    for (size_t used = 0; used <= size;) {
        if (!cell_number(form, cell_next(form, line, size, &used), &value)) {
            return 0;
        }
        count++;
    }
    return count;
}

/* ---- column names ---- */

/* "Gyroscope X (deg/s)" -> "gyroscope_x_deg_s". */
static void name_normalise(struct cell title, char name[NAME_SIZE])
{
    size_t size = 0;
    for (size_t index = 0; index < title.size && size < NAME_SIZE - 1; index++) {
        char character = title.text[index];
        if (character >= 'A' && character <= 'Z') {
            character = (char)(character - 'A' + 'a');
        }
        bool is_word = (character >= 'a' && character <= 'z')
                       || (character >= '0' && character <= '9');
        if (is_word) {
            name[size++] = character;
        } else if (size > 0 && name[size - 1] != '_') {
            name[size++] = '_';
        }
    }
    while (size > 0 && name[size - 1] == '_') {
        size--;
    }
    name[size] = '\0';
}

/* "gyroscope_x_deg_s" against quantity and unit. */
static bool axis_column_match(const char *name, const struct axis_column *column,
                              struct field *field)
{
    size_t quantity_size = strlen(column->quantity);
    if (strlen(name) < quantity_size + 4
        || strncmp(name, column->quantity, quantity_size) != 0) {
        return false;
    }
    const char *rest = name + quantity_size;
    if (rest[0] != '_' || rest[1] < 'x' || rest[1] > 'z' || rest[2] != '_'
        || strcmp(rest + 3, column->unit) != 0) {
        return false;
    }
    *field = (struct field){(uint8_t)column->slot,
                            (uint8_t)(column->first_channel + (unsigned)(rest[1] - 'x')),
                            column->scale, 0.0};
    return true;
}

/* "analog_3_v" */
static const struct analog_unit *analog_column_match(const char *name, struct field *field)
{
    for (size_t unit = 0; unit < ANALOG_UNIT_COUNT; unit++) {
        for (unsigned channel = 0; channel < ANALOG_MAX; channel++) {
            if (strcmp(name, ANALOG_UNITS[unit].names[channel]) == 0) {
                *field = (struct field){SLOT_ANALOG, (uint8_t)channel, 1.0, 0.0};
                return &ANALOG_UNITS[unit];
            }
        }
    }
    return NULL;
}

static struct field plain_column_match(const char *name)
{
    for (size_t index = 0; index < sizeof PLAIN_COLUMNS / sizeof PLAIN_COLUMNS[0];
         index++) {
        if (strcmp(name, PLAIN_COLUMNS[index].name) == 0) {
            return (struct field){(uint8_t)PLAIN_COLUMNS[index].slot, 0,
                                  PLAIN_COLUMNS[index].scale, 0.0};
        }
    }
    return (struct field){SLOT_UNUSED, 0, 0.0, 0.0};
}

/* Add the column of this name at the end of a layout.
 * @return false when there are too many or this one is there already. */
static bool layout_add(struct layout *layout, const char *name)
{
    if (layout->field_count == FIELD_MAX) {
        return false;
    }
    unsigned index = layout->field_count++;
    struct field *field = &layout->fields[index];
    const struct analog_unit *unit = analog_column_match(name, field);
    bool is_found = unit != NULL;
    if (unit) {
        layout->analog_units[field->channel] = unit;
    }
    for (size_t axis = 0; !is_found && axis < sizeof AXIS_COLUMNS / sizeof AXIS_COLUMNS[0];
         axis++) {
        is_found = axis_column_match(name, &AXIS_COLUMNS[axis], field);
    }
    if (!is_found) {
        *field = plain_column_match(name);
    }
    if (field->slot == SLOT_TIME) {
        bool is_first = layout->time_field < 0;
        layout->time_field = (int)index;
        layout->tick_scale = field->scale;
        return is_first;
    }
    if (field->slot == SLOT_UNUSED) {
        return true;
    }
    uint16_t bit = (uint16_t)(1u << field->channel);
    bool is_new = !(layout->masks[field->slot] & bit);
    layout->masks[field->slot] |= bit;
    return is_new;
}

static const char *alias_resolve(const char *name)
{
    for (size_t index = 0; index < sizeof ALIASES / sizeof ALIASES[0]; index++) {
        if (strcmp(name, ALIASES[index].title) == 0) {
            return ALIASES[index].name;
        }
    }
    return name;
}

/* What is wrong with the columns together, or NULL. */
static const char *layout_check(const struct layout *layout)
{
    if (layout->masks[SLOT_INERTIAL] != 0 && layout->masks[SLOT_INERTIAL] != 0x3F) {
        return "an inertial unit needs all six of gyroscope_x_deg_s .. accelerometer_z_g";
    }
    if (layout->masks[SLOT_MAGNETIC] != 0 && layout->masks[SLOT_MAGNETIC] != 0x07) {
        return "a magnetometer needs all three of magnetometer_x_ut .. magnetometer_z_ut";
    }
    bool has_any = false;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        has_any = has_any || layout->masks[slot] != 0;
    }
    return has_any ? NULL : "no column of a known name, such as analog_0_count";
}

/* What is wrong with a list of columns, or NULL. */
static const char *layout_parse(const struct text *text, const struct form *form,
                                const char *line, size_t size, struct layout *layout)
{
    *layout = (struct layout){.time_field = -1};
    for (size_t used = 0; used <= size;) {
        struct cell title = cell_next(form, line, size, &used);
        if (title.size == 0 && used > size && text->has_trailing_separator) {
            break;
        }
        char name[NAME_SIZE];
        name_normalise(title, name);
        if (!layout_add(layout, text->has_aliases ? alias_resolve(name) : name)) {
            return "a column is named twice, or there are more than 40";
        }
    }
    return layout_check(layout);
}

/* Put a person's own scales and offsets on top of those of the units. */
static void layout_scale(struct layout *layout, const struct text_lines *lines)
{
    for (unsigned index = 0; index < layout->field_count; index++) {
        struct field *field = &layout->fields[index];
        field->offset = lines->offsets[index] * field->scale;
        field->scale *= lines->scales[index];
    }
    if (layout->time_field >= 0) {
        layout->tick_scale *= lines->scales[layout->time_field];
    }
}

/* Columns of plain counts. */
static void layout_set_counts(struct layout *layout, unsigned count)
{
    *layout = (struct layout){.time_field = -1};
    for (unsigned index = 0; index < count; index++) {
        layout_add(layout, ANALOG_UNITS[0].names[index]);
    }
}

static void analog_describe(const struct text *text, struct stream_info *stream)
{
    unsigned mask = text->layout.masks[SLOT_ANALOG];
    stream->channel_count = 0;
    for (unsigned channel = 0; channel < ANALOG_MAX && mask >> channel != 0; channel++) {
        const struct analog_unit *unit = text->layout.analog_units[channel];
        if (unit) {
            stream->channels[channel] = unit->names[channel];
            stream->units[channel] = unit->ucum;
        }
        stream->full_scale[channel] = text->analog_full_scale;
        stream->channel_count = channel + 1;
    }
}

/* Build the stream table that goes with the layout. */
static void layout_use(struct text *text)
{
    text->stream_count = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (text->layout.masks[slot] == 0) {
            continue;
        }
        struct stream_info *stream = &text->streams[text->stream_count];
        *stream = STREAMS[slot];
        if (slot == SLOT_ANALOG) {
            analog_describe(text, stream);
        }
        text->stream_of[slot] = (uint8_t)text->stream_count++;
    }
}

/* ---- lines ---- */

/* The numbers of one line, by slot and channel. */
struct scan {
    double time; /* in units of the column */
    float values[SLOT_COUNT][SAMPLE_CHANNEL_MAX];
};

static bool scan_is_believable(const struct layout *layout, const struct scan *scan)
{
    for (unsigned channel = 0; layout->masks[SLOT_INERTIAL] && channel < 6; channel++) {
        float limit = channel < 3 ? GYROSCOPE_LIMIT_DEG_S : ACCELEROMETER_LIMIT_G;
        if (!(fabsf(scan->values[SLOT_INERTIAL][channel]) <= limit)) {
            return false;
        }
    }
    return layout->time_field < 0 || scan->time >= 0.0;
}

static bool field_read(const struct form *form, const struct field *field, struct cell cell,
                       struct scan *scan)
{
    if (field->slot == SLOT_UNUSED) {
        return cell.size > 0;
    }
    double value = 0.0;
    if (!cell_number(form, cell, &value)) {
        return false;
    }
    if (field->slot == SLOT_TIME) {
        scan->time = value;
    } else {
        scan->values[field->slot][field->channel] =
            (float)(value * field->scale + field->offset);
    }
    return true;
}

static bool scan_parse(const struct text *text, const char *line, size_t size,
                       struct scan *scan)
{
    const struct layout *layout = &text->layout;
    const struct form *form = &text->form;
    unsigned count = 0;
    size_t used = 0;
    while (used <= size && count < layout->field_count) {
        if (!field_read(form, &layout->fields[count], cell_next(form, line, size, &used),
                        scan)) {
            return false;
        }
        count++;
    }
    if (used <= size && text->has_trailing_separator) {
        struct cell last = cell_next(form, line, size, &used);
        if (last.size > 0) {
            return false;
        }
    }
    return count == layout->field_count && used == size + 1
           && scan_is_believable(layout, scan);
}

/* Device ticks (us), counting on where a 32-bit counter of the board wraps. A step back
 * from elsewhere is damage or a restart: whose it is, the caller tells by the lines that
 * follow.
 */
static uint64_t ticks_unwrap(struct text *text, double time)
{
    const double wrap = 4294967296.0;
    const double span = fmin(WRAP_SPAN_US / text->layout.tick_scale, wrap / 4.0);
    bool was_late = text->last_time >= wrap - span;
    bool is_late = time >= wrap - span && time < wrap;
    if (was_late && time <= span) {
        text->wrap_offset += wrap;
    } else if (is_late && text->last_time <= span && text->wrap_offset > 0.0) {
        /* The wrap was a damaged field. */
        text->wrap_offset -= wrap;
    }
    if (time < wrap) {
        text->last_time = time;
    }
    return (uint64_t)llround((time + text->wrap_offset) * text->layout.tick_scale);
}

static int scan_give(struct text *text, const struct scan *scan, struct sample *samples)
{
    bool has_clock = text->layout.time_field >= 0;
    uint64_t ticks = has_clock ? ticks_unwrap(text, scan->time) : 0;
    int count = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        unsigned mask = text->layout.masks[slot];
        if (mask == 0) {
            continue;
        }
        struct sample *sample = &samples[count++];
        memset(sample, 0, sizeof *sample);
        sample->device_ticks = ticks;
        /* Without a clock the lines are counted, rejected ones too. */
        sample->sequence = has_clock ? 0 : text->sequence;
        sample->stream = text->stream_of[slot];
        sample->channel_count = (uint8_t)text->streams[sample->stream].channel_count;
        for (unsigned channel = 0; channel < sample->channel_count; channel++) {
            bool is_there = mask & (1u << channel);
            sample->values[channel] = is_there ? scan->values[slot][channel] : NAN;
        }
    }
    return count;
}

static void notice_set(struct text *text, const char *line, size_t size)
{
    size = size < NOTICE_SIZE - 1 ? size : NOTICE_SIZE - 1;
    for (size_t index = 0; index < size; index++) {
        bool is_printable = line[index] >= ' ' && line[index] <= '~';
        text->notice[index] = '?';
        if (is_printable) {
            text->notice[index] = line[index];
        }
    }
    text->notice[size] = '\0';
    text->notice_count++;
}

static size_t first_cell_size(const struct form *form, const char *line, size_t size)
{
    size_t used = 0;
    return cell_next(form, line, size, &used).size;
}

static void line_hold(struct text *text, const char *line, size_t size)
{
    memcpy(text->held, line, size);
    text->held_size = size;
    text->is_held_cut = text->line_count == 1;
}

/* The line held back, now that the next is known. A line cut at its head has a shorter
 * first field than its neighbour, whose value is near; where in doubt it is dropped. */
static int held_give(struct text *text, const char *line, size_t size,
                     struct sample *samples)
{
    size_t held_size = text->held_size;
    text->held_size = 0;
    if (held_size == 0
        || (text->is_held_cut
            && first_cell_size(&text->form, text->held, held_size)
                   < first_cell_size(&text->form, line, size))) {
        return 0;
    }
    struct scan scan = {0};
    if (!scan_parse(text, text->held, held_size, &scan)) {
        return 0;
    }
    text->sequence++;
    return scan_give(text, &scan, samples);
}

/* Lines before the columns are known: titles, or plain counts when two lines agree.
 * @return true when they are known now. */
static bool layout_learn(struct text *text, const char *line, size_t size)
{
    unsigned count = numbers_count(&text->form, line, size);
    if (count == 0) {
        struct layout layout;
        text->held_size = 0;
        if (layout_parse(text, &text->form, line, size, &layout)) {
            notice_set(text, line, size);
            return false;
        }
        text->layout = layout;
        layout_use(text);
        return false;
    }
    if (count > ANALOG_MAX) {
        return false;
    }
    if (text->held_size == 0
        || numbers_count(&text->form, text->held, text->held_size) != count) {
        line_hold(text, line, size);
        return false;
    }
    layout_set_counts(&text->layout, count);
    layout_use(text);
    return true;
}

/* Titles before the first data.
 * @return Whether they name the columns that there are, or those that are read from them.
 */
static bool titles_take(struct text *text, const char *line, size_t size)
{
    struct layout layout;
    if (numbers_count(&text->form, line, size) != 0
        || layout_parse(text, &text->form, line, size, &layout)) {
        return false;
    }
    if (text->reads_header) {
        text->layout = layout;
        layout_use(text);
        return true;
    }
    return layout.field_count == text->layout.field_count
           && memcmp(layout.masks, text->layout.masks, sizeof layout.masks) == 0;
}

/* A line that is not what it should be. */
static int line_refuse(struct text *text, const char *line, size_t size)
{
    if (!text->has_good) {
        if (!titles_take(text, line, size)) {
            notice_set(text, line, size);
        }
        return 0;
    }
    text->sequence++;
    return -1;
}

static int line_decode(struct text *text, const char *line, size_t size,
                       struct sample *samples)
{
    if (text->layout.field_count == 0 && !layout_learn(text, line, size)) {
        return 0;
    }
    struct scan scan = {0};
    if (!scan_parse(text, line, size, &scan)) {
        return line_refuse(text, line, size);
    }
    if (text->line_count == text->header_line_count + 1u) {
        line_hold(text, line, size);
        return 0;
    }
    int count = held_give(text, line, size, samples);
    text->has_good = true;
    text->sequence++;
    return count + scan_give(text, &scan, samples + count);
}

/* ---- the driver ---- */

static enum frame_verdict text_frame_next(const struct driver_context *context,
                                          const uint8_t *bytes, size_t size,
                                          size_t *frame_size)
{
    (void)context;
    size_t span = size < LINE_MAX_SIZE ? size : LINE_MAX_SIZE;
    const uint8_t *end = memchr(bytes, '\n', span);
    if (!end && size < LINE_MAX_SIZE) {
        return FRAME_NEED_MORE;
    }
    *frame_size = end ? (size_t)(end - bytes) + 1 : LINE_MAX_SIZE;
    return FRAME_FOUND;
}

static int text_decode(struct driver_context *context, const uint8_t *frame,
                       size_t frame_size, struct sample *samples)
{
    struct text *text = text_of(context);
    bool was_overlong = text->is_overlong;
    text->is_overlong = frame_size == 0 || frame[frame_size - 1] != '\n';
    if (text->is_overlong || was_overlong) {
        return -1;
    }
    size_t size = frame_size - 1;
    if (size > 0 && frame[size - 1] == '\r') {
        size--;
    }
    text->line_count++;
    if (size == 0 || text->line_count <= text->header_line_count) {
        return 0;
    }
    return line_decode(text, (const char *)frame, size, samples);
}

static const struct profile *profile_find(const char *name)
{
    for (size_t index = 0; index < sizeof PROFILES / sizeof PROFILES[0]; index++) {
        if (strcmp(PROFILES[index].name, name) == 0) {
            return &PROFILES[index];
        }
    }
    return NULL;
}

const char *text_columns_check(const char *columns, unsigned *column)
{
    const size_t size = strlen(columns);
    struct layout layout = {.time_field = -1};
    unsigned index = 0;
    for (size_t used = 0; used <= size; index++) {
        struct cell title = cell_next(&USUAL_FORM, columns, size, &used);
        char name[NAME_SIZE];
        name_normalise(title, name);
        bool is_new = layout_add(&layout, name);
        bool is_known = is_new && layout.fields[index].slot != SLOT_UNUSED;
        if (!is_known && strcmp(name, "unused") != 0) {
            *column = index;
            return is_new ? "no such column; use a name such as analog_0_count, or unused"
                          : "a column is named twice, or there are more than 40";
        }
    }
    return layout_check(&layout);
}

static const char *form_check(const struct text_lines *lines)
{
    if (lines->separator != '\0' && !strchr(",\t; ", lines->separator)) {
        return "the separator must be a comma, a tab, a semicolon or spaces";
    }
    if (lines->has_decimal_comma && lines->separator == ',') {
        return "a comma cannot be decimal sign and separator; write separator: semicolon";
    }
    if (lines->has_trailing_separator && lines->separator == ' ') {
        return "spaces at the end of a line mean nothing; leave trailing_separator out";
    }
    return lines->header_line_count <= TEXT_HEADER_LINE_MAX ? NULL
                                                            : "too many header lines";
}

const char *text_lines_check(const struct text_lines *lines, const char *columns,
                             unsigned *column)
{
    const size_t size = strlen(columns);
    unsigned index = 0;
    for (size_t used = 0; used <= size && index < TEXT_COLUMN_MAX; index++) {
        char name[NAME_SIZE];
        name_normalise(cell_next(&USUAL_FORM, columns, size, &used), name);
        double scale = lines->scales[index];
        double offset = lines->offsets[index];
        bool is_time = plain_column_match(name).slot == SLOT_TIME;
        const char *problem = NULL;
        if (!isfinite(scale) || !isfinite(offset) || fabs(scale) > VALUE_LIMIT
            || fabs(offset) > VALUE_LIMIT || scale == 0.0) {
            problem = "scale must be a number other than 0, scale and offset below 1e12";
        } else if (is_time && (scale < 0.0 || scale > 1.0 || offset != 0.0)) {
            problem = "time needs a scale above 0 and up to 1, and no offset";
        }
        if (problem) {
            *column = index;
            return problem;
        }
    }
    return form_check(lines);
}

/* What is wrong with a person's own profile, or NULL. */
static const char *lines_use(struct text *text, const char *columns,
                             const struct text_lines *lines)
{
    unsigned column = 0;
    const char *problem = text_lines_check(lines, columns, &column);
    if (problem) {
        return problem;
    }
    text->form = (struct form){lines->separator, lines->has_decimal_comma};
    text->has_trailing_separator = lines->has_trailing_separator;
    text->header_line_count = lines->header_line_count;
    layout_scale(&text->layout, lines);
    return NULL;
}

static enum status text_init(struct driver_context *context,
                             const struct driver_settings *settings)
{
    struct text *text = text_of(context);
    const char *columns = settings->columns;
    if (!columns || columns[0] == '\0' || strcmp(columns, "plain") == 0) {
        /* Until the first lines are seen: any count of plain counts. */
        text->reads_header = true;
        text->streams[0] = STREAMS[SLOT_ANALOG];
        text->stream_count = 1;
        return STATUS_OK;
    }
    const struct profile *profile = profile_find(columns);
    if (profile) {
        columns = profile->columns;
        text->has_trailing_separator = profile->has_trailing_separator;
        text->reads_header = profile->has_trailing_separator;
        text->has_aliases = profile->has_trailing_separator;
        text->analog_full_scale = profile->analog_full_scale;
    }
    const char *problem =
        layout_parse(text, &USUAL_FORM, columns, strlen(columns), &text->layout);
    if (!problem && settings->lines) {
        problem = lines_use(text, columns, settings->lines);
    }
    if (problem) {
        log_error("text driver, columns '%s': %s (profiles: plain, x-imu3-sa-a8, razor-m0, "
                  "openlog-artemis, bend-labs)",
                  columns, problem);
        return STATUS_BAD_INPUT;
    }
    layout_use(text);
    return STATUS_OK;
}

static const struct stream_info *text_streams_get(const struct driver_context *context,
                                                  unsigned *stream_count)
{
    const struct text *text = text_look(context);
    *stream_count = text->stream_count;
    return text->streams;
}

static double text_tick_s_get(const struct driver_context *context)
{
    return text_look(context)->layout.time_field >= 0
                   && text_look(context)->layout.field_count > 0
               ? 1e-6
               : 0.0;
}

static const char *text_notice_get(const struct driver_context *context, unsigned *count)
{
    *count = text_look(context)->notice_count;
    return text_look(context)->notice;
}

extern const struct driver driver_text;

const struct driver driver_text = {
    .name = "text",
    .title = "Lines of delimited numbers",
    .streams = STREAMS,
    .stream_count = SLOT_COUNT,
    .frame_max = LINE_MAX_SIZE,
    .baud = 115200,
    .rate_hz = 100.0,
    .tick_s = 1e-6,
    .init = text_init,
    .frame_next = text_frame_next,
    .decode = text_decode,
    .streams_get = text_streams_get,
    .tick_s_get = text_tick_s_get,
    .notice_get = text_notice_get,
};

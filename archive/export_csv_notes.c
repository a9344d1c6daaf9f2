#include <stdio.h>

#include "archive/export_csv.h"

static void dictionary_row(struct csv *csv, const char *name, const char *unit,
                           const char *definition, unsigned version, const char *source,
                           const char *table)
{
    csv_text(csv, name);
    csv_text(csv, unit);
    csv_text(csv, definition);
    if (version > 0) {
        csv_unsigned(csv, version);
    } else {
        csv_text(csv, NULL);
    }
    csv_text(csv, source);
    csv_text(csv, table);
    csv_row_end(csv);
}

static void dictionary_measures(struct csv *csv)
{
    for (unsigned index = 0; index < MEASURE_COUNT; index++) {
        const struct measure_info *info = measure_info_get((enum measure)index);
        char name[64];
        char definition[192];
        snprintf(name, sizeof name, "%s_deg", info->id);
        snprintf(definition, sizeof definition, "%s; smoothed, 100 Hz", info->title);
        dictionary_row(csv, name, "deg", definition, 0, NULL, "timeseries/*_angles.csv");
        snprintf(name, sizeof name, "%s_deg_s", info->id);
        snprintf(definition, sizeof definition, "rate of change of %s", info->id);
        dictionary_row(csv, name, "deg/s", definition, 0, NULL, "timeseries/*_angles.csv");
    }
}

static void dictionary_series(struct csv *csv)
{
    static const struct export_column COLUMNS[] = {
        {"time_s", "s", "seconds since the session began"},
        {"device_ticks", "1", "the device's own clock"},
        {"sequence", "1", "running number of the frame"},
        {"flags", "1",
         "sum of: 1 samples were lost before this one, 2 clipped at full scale, 4 not "
         "calibrated, 8 low battery, 16 the device restarted"},
        {"gyroscope_x_deg_s", "deg/s",
         "angular rate in the sensor's axes, as sent; y and z alike"},
        {"accelerometer_x_g", "g",
         "specific force in the sensor's axes, as sent, in standard gravities (UCUM [g]); "
         "y and z alike"},
        {"w", "1", "orientation quaternion w,x,y,z: sensor to earth, Z up, heading free"},
    };
    for (size_t index = 0; index < sizeof COLUMNS / sizeof COLUMNS[0]; index++) {
        dictionary_row(csv, COLUMNS[index].name, COLUMNS[index].unit,
                       COLUMNS[index].definition, 0, NULL, "timeseries/*.csv");
    }
}

static void dictionary_table(struct csv *csv, const struct export_table_info *info)
{
    for (const struct export_column *column = info->columns; column->name; column++) {
        dictionary_row(csv, column->name, column->unit, column->definition, 0, NULL,
                       info->file);
    }
}

static enum status dictionary_write(struct export_run *run)
{
    static const char *const HEADER[] = {"name",    "unit",   "definition",
                                         "version", "source", "table"};
    struct csv csv;
    char path[EXPORT_PATH_SIZE];
    snprintf(path, sizeof path, "%s/data_dictionary.csv", run->folder);
    enum status status = csv_open(&csv, path);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t index = 0; index < sizeof HEADER / sizeof HEADER[0]; index++) {
        csv_text(&csv, HEADER[index]);
    }
    csv_row_end(&csv);
    for (unsigned table = 0; table < EXPORT_TABLE_COUNT; table++) {
        dictionary_table(&csv, export_table_info_get((enum export_table)table));
    }
    for (unsigned index = 0; index < METRIC_COUNT; index++) {
        const struct metric_definition *metric =
            metric_definition_get((enum metric_id)index);
        dictionary_row(&csv, metric->id, metric->unit, metric->definition, metric->version,
                       metric->source, "metrics.csv: metric");
    }
    dictionary_measures(&csv);
    dictionary_series(&csv);
    return export_file_finish(run, &csv);
}

static void readme_text(const struct export_run *run, FILE *stream, size_t count)
{
    const struct export_settings *settings = run->settings;
    bool deidentify = settings->deidentify;
    fprintf(stream, "Movement data exported by limber %s: %zu session%s.\n\n",
            LIMBER_VERSION, count, count == 1 ? "" : "s");
    for (unsigned table = 0; table < EXPORT_TABLE_COUNT; table++) {
        const struct export_table_info *info =
            export_table_info_get((enum export_table)table);
        fprintf(stream, "  %-20s %s\n", info->file, info->title);
    }
    fputs(
        "  data_dictionary.csv  every column, metric and angle: unit, definition, version, "
        "source\n"
        "  protocols/           exact text of the stretches\n"
        "  timeseries/          SESSION_angles.csv: joint angles, 100 Hz, degrees\n"
        "                       SESSION_ROLE_STREAM.csv: samples as the sensor sent them\n"
        "                       SESSION_ROLE_derived_orientation.csv: quaternions w,x,y,z\n"
        "  SHA256SUMS           check with: sha256sum -c SHA256SUMS\n\n"
        "Tables are UTF-8, comma separated, quoted as in RFC 4180, one header line, "
        "decimal "
        "point.\n"
        "NA means: no value; the column withheld of metrics.csv says why. Join tables by "
        "session_id,\n"
        "then stretch, part, side and repetition. Times are seconds since the session "
        "began.\n\n"
        "Angles are those of the thorax (or sternum) relative to the pelvis, Cardan ZXY; "
        "bending forward,\n"
        "bending right and turning right are positive; left and right are the person's. "
        "The "
        "earth frame has\n"
        "Z up and a free heading. uncertainty_95 is the half width of the 95 % "
        "interval.\n\n",
        stream);
    fprintf(stream, "Made with: limber export csv --archive DIR%s%s OUT\n",
            settings->subject && !deidentify ? " --subject " : "",
            settings->subject && !deidentify ? settings->subject : "");
    fputs(deidentify
              ? "           with --deidentify: pseudonyms, dates, serial numbers, ports, "
                "operators, notes and\n"
                "           protocol texts that are not built in were left out.\n"
              : "           Results can be computed again from each session file: limber "
                "analyse SESSION.h5\n",
          stream);
    fputs("\nThis remains data about people. Movement can be as personal as a face: "
          "recordings of "
          "it may be\n"
          "recognised by who has others of the same person. Treat it as health data.\n"
          "Licence: set by the owner of the archive; none is granted by this file.\n"
          "Limber is research and education software, not a medical device.\n",
          stream);
}

static enum status readme_write(struct export_run *run, size_t count)
{
    struct csv file;
    char path[EXPORT_PATH_SIZE];
    snprintf(path, sizeof path, "%s/README.txt", run->folder);
    enum status status = csv_open(&file, path);
    if (status == STATUS_OK) {
        readme_text(run, file.stream, count);
        status = export_file_finish(run, &file);
    }
    return status;
}

enum status export_notes_write(struct export_run *run, size_t count)
{
    enum status status = dictionary_write(run);
    return status == STATUS_OK ? readme_write(run, count) : status;
}

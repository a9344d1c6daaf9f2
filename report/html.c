/* Renders a document as one self-contained HTML page: no script, no request. */
#include <stdint.h>
#include <string.h>

#include "report/layout.h"
#include "report/markup.h"
#include "report_files.h"

struct writer {
    FILE *stream;
    const struct document *document;
    unsigned chart_count;
    unsigned table_count;
    unsigned section_count;
    size_t row_first; /* rows of a split table to write now */
    size_t row_end;
};

static void write_node(struct writer *writer, const struct node *node);

static void write_children(struct writer *writer, const struct node *node)
{
    for (const struct node *child = node->first; child; child = child->next) {
        write_node(writer, child);
    }
}

/* Text between constant markup. */
static void write_between(struct writer *writer, const char *before, const char *text,
                          const char *after)
{
    fputs(before, writer->stream);
    markup_write(text, writer->stream);
    fputs(after, writer->stream);
}

static const struct embedded_file *file_find(const char *name, const char *ending)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < report_files_count; i++) {
        if (strncmp(report_files[i].name, name, length) == 0
            && strcmp(report_files[i].name + length, ending) == 0) {
            return &report_files[i];
        }
    }
    return NULL;
}

static void write_run(struct writer *writer, const struct node *node)
{
    switch (node->tone) {
    case DOCUMENT_STRONG:
        write_between(writer, "<b>", node->text, "</b>");
        break;
    case DOCUMENT_QUIET:
        write_between(writer, "<span class=\"pm\">", node->text, "</span>");
        break;
    case DOCUMENT_PLAIN:
    case DOCUMENT_GOOD:
    case DOCUMENT_CAUTION:
    case DOCUMENT_STOP:
        markup_write(node->text, writer->stream);
        break;
    }
}

static void write_paragraph(struct writer *writer, const struct node *node)
{
    fputs(node->tone == DOCUMENT_QUIET ? "<p class=\"cap\">" : "<p>", writer->stream);
    write_children(writer, node);
    fputs("</p>\n", writer->stream);
}

static void write_section(struct writer *writer, const struct node *node)
{
    bool is_continued = writer->row_first > 0;
    if (is_continued) {
        /* No landmark: its name would stand twice. */
        write_between(writer, "<div><h2>", node->text, " (continued)</h2>");
    } else {
        unsigned number = ++writer->section_count;
        fprintf(writer->stream, "<section aria-labelledby=\"s%u\"><h2 id=\"s%u\">", number,
                number);
        write_between(writer, "", node->text, "</h2>");
    }
    bool is_behind_table = false;
    for (const struct node *child = node->first; child; child = child->next) {
        bool is_table = child->kind == NODE_TABLE;
        bool is_cut =
            is_table
            || (is_behind_table ? writer->row_end == SIZE_MAX : writer->row_first == 0);
        if (is_cut) {
            write_node(writer, child);
        }
        is_behind_table = is_behind_table || is_table;
    }
    fputs(is_continued ? "</div>\n" : "</section>\n", writer->stream);
}

static void write_columns(struct writer *writer, const struct node *node)
{
    fputs("<div class=\"two\">", writer->stream);
    write_children(writer, node);
    fputs("</div>\n", writer->stream);
}

static const char *tone_class(enum document_tone tone)
{
    switch (tone) {
    case DOCUMENT_GOOD:
        return "ok";
    case DOCUMENT_CAUTION:
        return "cau";
    case DOCUMENT_STOP:
        return "stop";
    case DOCUMENT_PLAIN:
    case DOCUMENT_QUIET:
    case DOCUMENT_STRONG:
        break;
    }
    return "plain";
}

static void write_notice(struct writer *writer, const struct node *node)
{
    static const char octagon[] =
        "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"M8 2h8l6 6v8l-6 "
        "6H8l-6-6V8Z\" "
        "fill=\"#d55e00\"/><path d=\"M12 6.500v7\" stroke=\"#fff\" stroke-width=\"2.600\" "
        "stroke-linecap=\"round\"/><circle cx=\"12\" cy=\"17.200\" r=\"1.600\" "
        "fill=\"#fff\"/>"
        "</svg>";
    unsigned number = ++writer->section_count;
    fprintf(writer->stream,
            "<section class=\"line %s\" aria-labelledby=\"s%u\"><h2 id=\"s%u\">",
            tone_class(node->tone), number, number);
    write_between(writer, node->tone == DOCUMENT_STOP ? octagon : "", node->text, "</h2>");
    write_children(writer, node);
    fputs("</section>\n", writer->stream);
}

static void write_fine(struct writer *writer, const struct node *node)
{
    fputs("<div class=\"method\">", writer->stream);
    write_children(writer, node);
    fputs("</div>\n", writer->stream);
}

static void write_details(struct writer *writer, const struct node *node)
{
    write_between(writer, "<details><summary>", node->text, "</summary>");
    write_children(writer, node);
    fputs("</details>\n", writer->stream);
}

static void write_facts(struct writer *writer, const struct node *node)
{
    fputs("<dl class=\"meta\">", writer->stream);
    write_children(writer, node);
    fputs("</dl>\n", writer->stream);
}

static void write_fact(struct writer *writer, const struct node *node)
{
    write_between(writer, "<div><dt>", node->text, "</dt><dd>");
    write_children(writer, node);
    fputs("</dd></div>", writer->stream);
}

static void write_list(struct writer *writer, const struct node *node)
{
    bool has_marks = node->first && node->first->mark != DOCUMENT_MARK_DOT;
    fprintf(writer->stream, "<ul class=\"%s\">", has_marks ? "chg" : "dots");
    write_children(writer, node);
    fputs("</ul>\n", writer->stream);
}

static void write_item(struct writer *writer, const struct node *node)
{
    static const char *const marks[] = {
        [DOCUMENT_MARK_DOT] = "",
        [DOCUMENT_MARK_MORE] =
            "<circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#e4f0f8\" stroke=\"#0072b2\" "
            "stroke-width=\"2.500\"/><path d=\"M16 24V9M9.500 15 16 8.500 22.500 15\" "
            "stroke=\"#0072b2\"/>",
        [DOCUMENT_MARK_LESS] =
            "<circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#e4f0f8\" stroke=\"#0072b2\" "
            "stroke-width=\"2.500\"/><path d=\"M16 8V23M9.500 17 16 23.500 22.500 17\" "
            "stroke=\"#0072b2\"/>",
        [DOCUMENT_MARK_SAME] =
            "<circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#f1f4f5\" stroke=\"#566874\" "
            "stroke-width=\"2.500\"/><path d=\"M9.500 12.800h13M9.500 19.200h13\" "
            "stroke=\"#41525e\"/>",
        [DOCUMENT_MARK_UNKNOWN] =
            "<circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#fff\" stroke=\"#566874\" "
            "stroke-width=\"2.500\" stroke-dasharray=\"4 3\"/><path d=\"M10 16h12\" "
            "stroke=\"#41525e\"/>",
    };
    fputs("<li>", writer->stream);
    if (node->mark != DOCUMENT_MARK_DOT) {
        fprintf(
            writer->stream,
            "<svg class=\"i\" viewBox=\"0 0 32 32\" aria-hidden=\"true\">%s</svg><span>",
            marks[node->mark]);
    }
    write_children(writer, node);
    fputs(node->mark != DOCUMENT_MARK_DOT ? "</span></li>" : "</li>", writer->stream);
}

/* Alignment of a column by its index. */
static bool column_is_numeric(const struct node *table, size_t index)
{
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index-- == 0) {
            return column->is_numeric;
        }
    }
    return false;
}

static void write_row(struct writer *writer, const struct node *row)
{
    fputs("<tr>", writer->stream);
    size_t index = 0;
    for (const struct node *cell = row->first; cell; cell = cell->next, index++) {
        const char *style = column_is_numeric(row->parent, index) ? " class=\"r\"" : "";
        fprintf(writer->stream, index == 0 ? "<th scope=\"row\"%s>" : "<td%s>", style);
        write_children(writer, cell);
        fputs(index == 0 ? "</th>" : "</td>", writer->stream);
    }
    fputs("</tr>\n", writer->stream);
}

static void write_table_body(struct writer *writer, const struct node *node)
{
    size_t index = 0;
    fputs("<tbody>\n", writer->stream);
    for (const struct node *row = node->first; row; row = row->next) {
        if (row->kind != NODE_ROW) {
            continue;
        }
        if (index >= writer->row_first && index < writer->row_end) {
            write_row(writer, row);
        }
        index++;
    }
    fputs("</tbody></table></div>\n", writer->stream);
}

/* The widths that the layout counted on. */
static void write_column_widths(struct writer *writer, const struct node *table)
{
    double widths[LAYOUT_COLUMN_MAX];
    size_t count = layout_columns(table, LAYOUT_WIDTH_MM, widths);
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += widths[i];
    }
    fputs("<colgroup>", writer->stream);
    for (size_t i = 0; i < count; i++) {
        fprintf(writer->stream, "<col style=\"width:%.1f%%\">", 100.0 * widths[i] / sum);
    }
    fputs("</colgroup>", writer->stream);
}

static void write_table(struct writer *writer, const struct node *node)
{
    fprintf(
        writer->stream,
        "<div class=\"ts\" tabindex=\"0\" role=\"region\" aria-label=\"Table %u\"><table>",
        ++writer->table_count);
    write_between(writer, "<caption>", node->text, "</caption>");
    if (writer->document->style == DOCUMENT_DENSE) {
        write_column_widths(writer, node);
    }
    fputs("<thead><tr>", writer->stream);
    for (const struct node *column = node->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN) {
            write_between(writer,
                          column->is_numeric ? "<th scope=\"col\" class=\"r\">"
                                             : "<th scope=\"col\">",
                          column->text, "</th>");
        }
    }
    fputs("</tr></thead>", writer->stream);
    write_table_body(writer, node);
}

static void write_figure(struct writer *writer, const struct node *node)
{
    const struct embedded_file *file = file_find(node->text, ".svg");
    if (file) {
        fputs(file->text, writer->stream);
    }
}

static void write_figures(struct writer *writer, const struct node *node)
{
    fputs("<div class=\"figs\">", writer->stream);
    write_children(writer, node);
    fputs("</div>\n", writer->stream);
}

static void write_chart(struct writer *writer, const struct node *node)
{
    unsigned number = ++writer->chart_count;
    fputs("<figure class=\"ch\"><div class=\"capn\"><figcaption>", writer->stream);
    if (node->text[0] != '\0') {
        write_between(writer, "<h2>", node->text, "</h2>");
    }
    write_between(writer, "<span class=\"cap\">", node->caption, "</span></figcaption>");
    write_children(writer, node);
    if (chart_shape_get(node->chart) == CHART_LARGE) {
        fputs("</div><div>", writer->stream);
    } else {
        fprintf(writer->stream,
                "</div><div class=\"ts\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"Chart %u\">",
                number);
    }
    chart_write_svg(node->chart, number, writer->stream);
    fputs("</div></figure>\n", writer->stream);
}

static void write_signature(struct writer *writer, const struct node *node)
{
    (void)node;
    fputs("<div class=\"sign\"><div>Signature</div><div>Name and role (on paper only)</div>"
          "<div>Date</div></div>\n",
          writer->stream);
}

static void write_nothing(struct writer *writer, const struct node *node)
{
    (void)writer;
    (void)node;
}

static void write_node(struct writer *writer, const struct node *node)
{
    static void (*const writers[NODE_KIND_COUNT])(struct writer *, const struct node *) = {
        [NODE_ROOT] = write_children,
        [NODE_SECTION] = write_section,
        [NODE_COLUMNS] = write_columns,
        [NODE_NOTICE] = write_notice,
        [NODE_FINE] = write_fine,
        [NODE_DETAILS] = write_details,
        [NODE_FACTS] = write_facts,
        [NODE_FACT] = write_fact,
        [NODE_LIST] = write_list,
        [NODE_ITEM] = write_item,
        [NODE_TABLE] = write_table,
        [NODE_COLUMN] = write_nothing,
        [NODE_ROW] = write_row,
        [NODE_CELL] = write_children,
        [NODE_PARAGRAPH] = write_paragraph,
        [NODE_RUN] = write_run,
        [NODE_CHART] = write_chart,
        [NODE_FIGURES] = write_figures,
        [NODE_FIGURE] = write_figure,
        [NODE_SIGNATURE] = write_signature,
    };
    writers[node->kind](writer, node);
}

static void write_brand(struct writer *writer)
{
    fputs(
        "<div class=\"brand\"><svg width=\"20\" height=\"20\" viewBox=\"0 0 28 28\" "
        "aria-hidden=\"true\"><rect width=\"28\" height=\"28\" rx=\"8\" fill=\"#0072b2\"/>"
        "<path d=\"M7 21c0-8 3.500-12.500 13-13.500\" fill=\"none\" stroke=\"#fff\" "
        "stroke-width=\"3.200\" stroke-linecap=\"round\"/><circle cx=\"20.500\" "
        "cy=\"7.500\" "
        "r=\"2.600\" fill=\"#fff\"/></svg>Limber</div>",
        writer->stream);
}

static void write_sheet_head(struct writer *writer, unsigned sheet)
{
    const struct document *document = writer->document;
    if (sheet == 0) {
        fputs("<section class=\"sheet\" aria-labelledby=\"rt\">\n<div class=\"hd\"><div>",
              writer->stream);
        write_brand(writer);
        write_between(writer, "<h1 id=\"rt\">", document->title, "</h1></div>");
    } else {
        fprintf(writer->stream,
                "<section class=\"sheet\" aria-label=\"Page %u\">\n<div class=\"hd\">",
                sheet + 1);
        write_between(writer, "<p class=\"h\">", document->title, ", continued</p>");
    }
    write_between(writer, "<div><p class=\"id\">", document->code, "</p>");
    write_between(writer, "<p class=\"k r\">", document->line, "</p></div></div>\n");
}

static void write_sheet_foot(struct writer *writer, unsigned sheet, unsigned count)
{
    write_between(writer, "<p class=\"ft\"><span>", writer->document->foot_left, "</span>");
    write_between(writer, "<span class=\"hash\">", writer->document->foot_middle,
                  "</span>");
    fprintf(writer->stream, "<span>Page %u of %u</span></p></section>\n", sheet + 1, count);
}

static void write_head(struct writer *writer)
{
    const struct document *document = writer->document;
    const struct embedded_file *style = file_find("report", ".css");
    write_between(writer, "<!doctype html>\n<html lang=\"", document->language,
                  "\">\n<head>\n");
    fputs("<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, "
          "initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
          writer->stream);
    write_between(writer, "<title>", document->title, ", ");
    write_between(writer, "", document->code, " - Limber</title>\n");
    fputs("<link rel=\"icon\" href=\"data:,\">\n<style>\n", writer->stream);
    fputs(style ? style->text : "", writer->stream);
    fprintf(writer->stream, "</style>\n</head>\n<body class=\"%s\">\n<main>\n",
            document->style == DOCUMENT_DENSE ? "dense" : "large");
}

static void write_body(struct writer *writer, const struct layout *layout)
{
    size_t piece = 0;
    for (unsigned sheet = 0; sheet < layout->sheet_count; sheet++) {
        write_sheet_head(writer, sheet);
        for (; piece < layout->piece_count && layout->pieces[piece].sheet == sheet;
             piece++) {
            writer->row_first = layout->pieces[piece].row_first;
            writer->row_end = layout->pieces[piece].row_end;
            write_node(writer, layout->pieces[piece].node);
        }
        write_sheet_foot(writer, sheet, layout->sheet_count);
    }
    fputs("</main>\n</body>\n</html>\n", writer->stream);
}

enum status document_write_html(const struct document *document, FILE *stream)
{
    if (document->status) {
        return document->status;
    }
    struct layout layout;
    enum status status = layout_create(document, &layout);
    if (status) {
        return status;
    }
    struct writer writer = {.stream = stream, .document = document, .row_end = SIZE_MAX};
    write_head(&writer);
    write_body(&writer, &layout);
    layout_release(&layout);
    return ferror(stream) ? STATUS_IO : STATUS_OK;
}

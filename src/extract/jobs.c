/* The tables of jobs and of the programs they start: one row each. */
#include "base/sandbox.h"
#include "extract/job_priv.h"
#include "extract/pdf_jobs.h"
#include "extract/pdf_layout.h"
#include "extract/zygote.h"

#define TEXT_TABLE_BYTES_MAX (256 * MIB) /* of 200 dense pages: 30 MiB */
#define FONTS_FILE_BYTES_MAX (32 * MIB)  /* a larger one is read as it is */
#define PDF_RESULT_BYTES_MAX (10 * MIB)
#define PICTURE_BYTES_MAX (64 * MIB) /* A3 at 300 dpi, grey: 17 MiB */

/* CPU and memory are what hostile files cost, so they are held near what good
 * ones take: 200 dense pages 2.4 s and less than 96 MiB (6,400 pages of manuals),
 * a page at 300 dpi 1.6 s and 160 MiB in tesseract. Memory is address space,
 * half of which is libraries. */
#define TEXT_MEMORY_BYTES_MAX (160 * MIB)
#define OUTLINE_MEMORY_BYTES_MAX (128 * MIB)
#define PICTURE_MEMORY_BYTES_MAX (192 * MIB)

#define VERSION(i, program, option)                        \
    [JOB_VERSIONS + (i)] = {.name = program "-version",    \
                            .argv = {{program, option}},   \
                            .cpu_s_max = 10,               \
                            .memory_bytes_max = 512 * MIB, \
                            .result_bytes_max = 64 * KIB}
const struct job_row JOBS[JOB_KIND_COUNT] = {
    [JOB_PDF_INFO] = {.name = "pdf-info",
                      .argv = {{"pdfinfo", "-isodates", "@input"}},
                      .work = pdf_about_work,
                      .cpu_s_max = 10,
                      .memory_bytes_max = OUTLINE_MEMORY_BYTES_MAX,
                      .pipe_bytes_max = 1 * MIB,
                      .result_bytes_max = 1 * MIB},
    [JOB_PDF_TEXT] = {.name = "pdf-text",
                      .argv = {{"pdftotext", "-tsv", "-f", "@first", "-l",
                                "@last", "@input", "-"}},
                      .work = pdf_text_work,
                      .cpu_s_max = 10,
                      .memory_bytes_max = TEXT_MEMORY_BYTES_MAX,
                      .pipe_bytes_max = TEXT_TABLE_BYTES_MAX,
                      .result_bytes_max = PDF_RESULT_BYTES_MAX},
    [JOB_PDF_OUTLINE] = {.name = "pdf-outline",
                         .argv = {{"pdftohtml", "-xml", "-i", "-stdout", "-f",
                                   "@first", "-l", "@last", "@input", "none"}},
                         .work = pdf_outline_work,
                         .cpu_s_max = 5,
                         .memory_bytes_max = OUTLINE_MEMORY_BYTES_MAX,
                         .pipe_bytes_max = 64 * MIB,
                         .result_bytes_max = PDF_RESULT_BYTES_MAX},
    [JOB_PDF_FONTS] = {.name = "pdf-fonts",
                       .work = pdf_fonts_work,
                       .cpu_s_max = 5,
                       .pipe_bytes_max = FONTS_FILE_BYTES_MAX,
                       .result_bytes_max = PDF_RESULT_BYTES_MAX},
    [JOB_PDF_FILES] = {.name = "pdf-files",
                       .work = pdf_files_work,
                       .cpu_s_max = 10,
                       .pipe_bytes_max = INPUT_BYTES_MAX,
                       .result_bytes_max = KIB},
    [JOB_PDF_LAYOUT] = {.name = "pdf-layout",
                        .work = pdf_layout_work,
                        .cpu_s_max = 20,
                        .pipe_bytes_max = PDF_PARTS_BYTES_MAX,
                        .result_bytes_max = STREAM_BYTES_MAX},
    [JOB_PAGE_INK] = {.name = "page-ink",
                      .argv = {{"pdftoppm", "-gray", "-r", "@dpi", "-f",
                                "@first", "-l", "@last", "@input"}},
                      .work = pdf_ink_work,
                      .cpu_s_max = 10,
                      .memory_bytes_max = PICTURE_MEMORY_BYTES_MAX,
                      .pipe_bytes_max = PICTURE_BYTES_MAX,
                      .result_bytes_max = MIB},
    [JOB_PAGE_PICTURE] = {.name = "page-picture",
                          .argv = {{"pdftoppm", "-gray", "-r", "@dpi", "-f",
                                    "@first", "-l", "@last", "@input"}},
                          .cpu_s_max = 10,
                          .memory_bytes_max = PICTURE_MEMORY_BYTES_MAX,
                          .pipe_bytes_max = PICTURE_BYTES_MAX,
                          .result_bytes_max = PICTURE_BYTES_MAX},
    [JOB_PAGE_OCR] = {.name = "page-ocr",
                      .argv = {{"pdftoppm", "-gray", "-r", "@dpi", "-f",
                                "@first", "-l", "@first", "@input"},
                               {"tesseract", "stdin", "stdout", "--dpi", "@dpi",
                                "-l", "@language", "tsv"}},
                      .work = pdf_ocr_work,
                      .cpu_s_max = 30,
                      .memory_bytes_max = PICTURE_MEMORY_BYTES_MAX,
                      .pipe_bytes_max = 32 * MIB,
                      .result_bytes_max = PDF_RESULT_BYTES_MAX},
    [JOB_PICTURE_OCR] = {.name = "picture-ocr",
                         .argv = {{"tesseract", "stdin", "stdout", "--dpi",
                                   "@dpi", "-l", "@language", "tsv"}},
                         .cpu_s_max = 30,
                         .memory_bytes_max = PICTURE_MEMORY_BYTES_MAX,
                         .pipe_bytes_max = 32 * MIB,
                         .result_bytes_max = 32 * MIB},
    VERSION(0, "pdfinfo", "-v"),
    VERSION(1, "pdftotext", "-v"),
    VERSION(2, "pdftohtml", "-v"),
    VERSION(3, "pdftoppm", "-v"),
    VERSION(4, "tesseract", "--version"),
};

#define POPPLER_DATA "/usr/share/poppler"
#define FONTS                                                   \
    "/usr/share/fonts", "/usr/local/share/fonts", "/etc/fonts", \
        "/usr/share/fontconfig", "/var/cache/fontconfig"
const struct program_row PROGRAMS[] = {
    {"pdfinfo", "poppler-utils", 0, {POPPLER_DATA}},
    {"pdftotext", "poppler-utils", 0, {POPPLER_DATA}},
    {"pdftohtml", "poppler-utils", SANDBOX_FONTS, {POPPLER_DATA, FONTS}},
    {"pdftoppm", "poppler-utils", SANDBOX_FONTS, {POPPLER_DATA, FONTS}},
    {"tesseract",
     "tesseract-ocr",
     SANDBOX_MACHINE,
     {"/usr/share/tesseract-ocr", "/usr/share/tessdata"}},
    {NULL, NULL, 0, {NULL}},
};

size_t job_programs(const struct job_row *row)
{
    size_t n = 0;

    while (n < JOB_PROGRAMS_MAX && row->argv[n][0] != NULL)
        n++;
    return n;
}

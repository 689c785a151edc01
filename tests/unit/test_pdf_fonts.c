/* What is appended to a PDF file so that its fonts are not read: only to files
 * of the plain kind, and never anything but heads of fonts. */
#include "extract/pdf_fonts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/arena.h"

#define HEAD                                                         \
    "%!PS-AdobeFont-1.0: T\n/FontName /T def\n/Encoding 256 array\n" \
    "dup 65 /B put\nreadonly def\ncurrentfile eexec\n"
#define FONT HEAD "\x80\x81 what is encrypted"
#define ROOT "/Root 1 0 R/Size 12"

static struct arena *a;
static struct buf got;

static int begin(void **state)
{
    (void)state;
    a = arena_open();
    got = (struct buf){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_close(&got);
    arena_close(a);
    return 0;
}

/* "7 0 obj" with a font packed, whose dictionary has this beside its length.*/
static str font_object(const char *dictionary, str font)
{
    unsigned char packed[1024];
    uLongf n = sizeof packed;
    struct buf b = {0};
    str s;

    assert_int_equal(
        compress(packed, &n, (const unsigned char *)font.p, (uLong)font.n),
        Z_OK);
    buf_fmt(&b, "7 0 obj\n<</Length %lu %s>>\nstream\n", (unsigned long)n,
            dictionary);
    buf_put(&b, (str){(const char *)packed, (size_t)n});
    buf_put(&b, STR("\nendstream\nendobj\n"));
    s = arena_str(a, buf_str(&b));
    buf_close(&b);
    return s;
}

static str plain_font(void)
{
    return font_object(
        arena_fmt(a, "/Filter/FlateDecode/Length1 %zu/Length2 9", STR(HEAD).n)
            .p,
        STR(FONT));
}

/* The file of an object and what leads to it. */
static str file_with(str object, const char *before, const char *trailer,
                     size_t *table)
{
    str body =
        arena_fmt(a, "%%PDF-1.5\n%s1 0 obj<</Type/Catalog>>endobj\n", before);
    struct buf b = {0};
    str s;

    buf_put(&b, body);
    buf_put(&b, object);
    *table = b.n;
    buf_fmt(&b,
            "xref\n0 1\n0000000000 65535 f \ntrailer\n<<%s>>\n"
            "startxref\n%zu\n%%%%EOF\n",
            trailer, *table);
    s = arena_str(a, buf_str(&b));
    buf_close(&b);
    return s;
}

static void update(str file)
{
    buf_close(&got);
    assert_int_equal(pdf_fonts_update(file, &got, NULL), RC_OK);
}

static void a_font_is_replaced_by_its_head(void **state)
{
    size_t table, at;
    str file = file_with(plain_font(), "", ROOT, &table), want;

    (void)state;
    update(file);
    want = arena_fmt(a,
                     "\n7 0 obj\n<</Length %zu/Length1 %zu/Length2 0/Length3 "
                     "0>>\nstream\n" STR_FMT "\nendstream\nendobj\n",
                     STR(HEAD).n, STR(HEAD).n, STR_ARG(STR(HEAD)));
    at = file.n + want.n;
    want =
        arena_fmt(a,
                  STR_FMT "xref\n7 1\n%010zu 00000 n \ntrailer\n<</Size 12"
                          "/Root 1 0 R/Prev %zu>>\nstartxref\n%zu\n%%%%EOF\n",
                  STR_ARG(want), file.n + 1, table, at);
    assert_true(str_eq(buf_str(&got), want));
}

static void a_table_may_be_a_stream(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_put(&b, STR("%PDF-1.5\n"));
    buf_put(&b, plain_font());
    buf_fmt(&b,
            "11 0 obj\n<</Type/XRef" ROOT "/W[1 2 1]>>stream\n\nendstream\n"
            "endobj\nstartxref\n%zu\n%%%%EOF\n",
            b.n);
    update(buf_str(&b));
    assert_true(str_find(buf_str(&got), STR("/Root 1 0 R/Prev ")) < got.n);
    buf_close(&b);
}

static void assert_untouched(str file)
{
    update(file);
    if (got.n > 0)
        fail_msg("an update of " STR_FMT, STR_ARG(file));
}

static void other_files_stay_as_they_are(void **state)
{
    size_t table;
    str font = plain_font(), file = file_with(font, "", ROOT, &table);

    (void)state;
    assert_untouched(STR(""));
    assert_untouched(STR("startxref"));
    assert_untouched(file_with(font, "", ROOT "/Encrypt 9 0 R", &table));
    assert_untouched(file_with(font, "", "/Size 12", &table));
    assert_untouched(file_with(font, "", "/Root 1 0 R", &table));
    assert_untouched(file_with(font, "", "/Size 12/Root 1", &table));
    /* changed since it was written */
    assert_untouched(file_with(font, "startxref\n5\n%%EOF\n", ROOT, &table));
    assert_untouched(file_with(font, "7 0 obj null endobj\n", ROOT, &table));
    /* cut anywhere */
    for (size_t n = 0; n + 8 < file.n; n++)
        assert_untouched(str_sub(file, 0, n));
}

static void other_streams_stay_as_they_are(void **state)
{
    static const char *const DICTIONARIES[] = {
        "/Filter/FlateDecode",
        "/Filter/FlateDecode/Length1 7 0 R",
        "/Filter/FlateDecode/Length1 0",
        "/Filter/FlateDecode/Length1 900",
        "/Filter/FlateDecode/Length1 99999999",
        "/Filter[/FlateDecode/FlateDecode]/Length1 90",
        "/Filter/ASCII85Decode/Length1 90",
        "/Filter/FlateDecode/DecodeParms<</Predictor 12>>/Length1 90",
        "/Length1 90",
        "/Filter/FlateDecode/Length12 90",
    };
    size_t table;
    str bytes = font_object("/Filter[/FlateDecode]/Length1 90", STR(FONT));

    (void)state;
    update(file_with(bytes, "", ROOT, &table));
    assert_true(got.n > 0); /* so it is those dictionaries that matter */
    for (size_t i = 0; i < NELEMS(DICTIONARIES); i++)
        assert_untouched(file_with(font_object(DICTIONARIES[i], STR(FONT)), "",
                                   ROOT, &table));
    assert_untouched(
        file_with(font_object("/Filter/FlateDecode/Length1 8",
                              STR("\1\0\0\0 no /Encoding, and no Type 1")),
                  "", ROOT, &table));
    assert_untouched(file_with(
        STR("7 0 obj<</Filter/FlateDecode/Length1 9>>stream\nnot packed\n"), "",
        ROOT, &table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_font_is_replaced_by_its_head, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_table_may_be_a_stream, begin, end),
        cmocka_unit_test_setup_teardown(other_files_stay_as_they_are, begin,
                                        end),
        cmocka_unit_test_setup_teardown(other_streams_stay_as_they_are, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

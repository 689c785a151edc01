#include "extract/package.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "extract/extract.h"
#include "zip_fix.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static str of_two(void)
{
    struct zip z = {0};

    zip_put(&z, "b/Two.xml", STR("two two two two two two two two"));
    zip_add(&z, (struct zip_entry){.name = STR("a"), .bytes = STR("one")});
    return zip_end(&z, arena);
}

static rc open_one(str bytes, struct package *p)
{
    return package_open(bytes, arena, p, NULL);
}

static void parts_are_found_by_name_and_unpacked(void **state)
{
    struct package p;
    str s;

    (void)state;
    assert_int_equal(open_one(of_two(), &p), RC_OK);
    assert_int_equal(p.parts_n, 2);
    assert_null(package_find(&p, STR("c")));
    assert_int_equal(package_read(&p, package_find(&p, STR("B/two.xml")), 100,
                                  arena, &s, NULL),
                     RC_OK);
    assert_true(str_eq(s, STR("two two two two two two two two")));
    assert_int_equal(
        package_read(&p, package_find(&p, STR("a")), 3, arena, &s, NULL),
        RC_OK);
    assert_true(str_eq(s, STR("one")));
    assert_int_equal(
        package_read(&p, package_find(&p, STR("a")), 2, arena, &s, NULL),
        RC_LIMIT);
    assert_int_equal(p.bytes_left, PACKAGE_BYTES_MAX - 31 - 3 - 3);
}

static void an_empty_archive_has_no_parts(void **state)
{
    struct zip z = {0};
    struct package p;

    (void)state;
    assert_int_equal(open_one(zip_end(&z, arena), &p), RC_OK);
    assert_null(package_find(&p, STR("a")));
}

/* What a reader of the first and one of the last byte of it both get. */
static void cut_anywhere_it_is_refused(void **state)
{
    str whole = of_two();
    struct package p;

    (void)state;
    for (size_t n = 0; n < whole.n; n++)
        assert_int_equal(open_one(str_sub(whole, 0, n), &p), RC_FORMAT);
}

static void any_byte_changed_is_refused_or_harmless(void **state)
{
    str whole = of_two(), s;
    char *copy = arena_alloc(arena, whole.n);
    struct package p;

    (void)state;
    for (size_t i = 0; i < whole.n; i++) {
        memcpy(copy, whole.p, whole.n);
        copy[i] ^= 0x40;
        if (open_one((str){copy, whole.n}, &p) != RC_OK ||
            package_find(&p, STR("a")) == NULL)
            continue;
        if (package_read(&p, package_find(&p, STR("a")), 100, arena, &s,
                         NULL) == RC_OK)
            assert_true(str_eq(s, STR("one")));
    }
}

static void lies_about_a_part_are_found_when_it_is_read(void **state)
{
    static const struct zip_entry LIES[] = {
        {.name = STR_INIT("a"),
         .bytes = STR_INIT("one"),
         .deflate = true,
         .crc_off = 1},
        {.name = STR_INIT("a"),
         .bytes = STR_INIT("one"),
         .deflate = true,
         .size_off = 1},
        {.name = STR_INIT("a"),
         .bytes = STR_INIT("one"),
         .deflate = true,
         .size_off = -1},
        {.name = STR_INIT("a"), .bytes = STR_INIT("one"), .size_off = 1},
        {.name = STR_INIT("a"), .bytes = STR_INIT("one"), .method = 8},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(LIES); i++) {
        struct zip z = {0};
        struct package p;
        str s;

        zip_add(&z, LIES[i]);
        assert_int_equal(open_one(zip_end(&z, arena), &p), RC_OK);
        assert_int_equal(package_read(&p, &p.parts[0], 100, arena, &s, NULL),
                         RC_FORMAT);
    }
}

static void entries_that_share_bytes_are_refused(void **state)
{
    struct zip z = {0};
    struct package p;
    struct err e;

    (void)state;
    /* The first one's directory entry says it starts where the other does,
     * whose name is the same length and is the first one's there. */
    zip_put(&z, "a", STR("one"));
    zip_add(&z, (struct zip_entry){.name = STR("a"),
                                   .bytes = STR("kernel"),
                                   .header_off = -34});
    assert_int_equal(package_open(zip_end(&z, arena), arena, &p, &e),
                     RC_FORMAT);
}

static void two_parts_of_one_name_are_refused(void **state)
{
    struct zip z = {0};
    struct package p;
    struct err e;

    (void)state;
    zip_put(&z, "word/document.xml", STR("one"));
    zip_put(&z, "word/Document.xml", STR("two"));
    assert_int_equal(package_open(zip_end(&z, arena), arena, &p, &e),
                     RC_FORMAT);
    assert_true(str_find(str_of(e.text), STR("one name")) < str_of(e.text).n);
}

static void a_million_entries_are_refused_by_their_number(void **state)
{
    struct buf b = {0};
    struct package p;

    (void)state;
    buf_put(&b, STR("PK\6\6"));
    buf_put_u64(&b, 44);
    buf_put_u32(&b, 0);
    buf_put_u64(&b, 0);
    buf_put_u64(&b, 1000000);
    buf_put_u64(&b, 1000000);
    buf_put_u64(&b, 0);
    buf_put_u64(&b, 0);
    buf_put(&b, STR("PK\6\7"));
    buf_put_u32(&b, 0);
    buf_put_u64(&b, 0); /* where the first record is */
    buf_put_u32(&b, 1);
    buf_put(&b, STR("PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                    "\xff\xff\0\0"));
    assert_int_equal(open_one(buf_str(&b), &p), RC_LIMIT);
    buf_close(&b);
}

static void encrypted_parts_are_seen(void **state)
{
    struct zip z = {0};
    struct package p;

    (void)state;
    zip_put(&z, "b", STR("plain"));
    zip_add(&z, (struct zip_entry){
                    .name = STR("a"), .bytes = STR("one"), .flags = 1});
    assert_int_equal(open_one(zip_end(&z, arena), &p), RC_OK);
    assert_true(p.encrypted);
}

static void other_ways_of_packing_are_unsupported(void **state)
{
    struct zip z = {0};
    struct package p;
    str s;

    (void)state;
    zip_add(&z, (struct zip_entry){
                    .name = STR("a"), .bytes = STR("one"), .method = 14});
    assert_int_equal(open_one(zip_end(&z, arena), &p), RC_OK);
    assert_int_equal(package_read(&p, &p.parts[0], 10, arena, &s, NULL),
                     RC_UNSUPPORTED);
}

static void all_parts_share_one_budget(void **state)
{
    static char zeros[4 * MIB];
    struct zip z = {0};
    struct package p;
    str s;
    size_t reads = 0;
    rc code = RC_OK;

    (void)state;
    zip_put(&z, "a", (str){zeros, sizeof zeros});
    assert_int_equal(open_one(zip_end(&z, arena), &p), RC_OK);
    while (code == RC_OK) {
        code = package_read(&p, &p.parts[0], sizeof zeros, arena, &s, NULL);
        reads++;
    }
    assert_int_equal(code, RC_LIMIT);
    assert_int_equal(reads, PACKAGE_BYTES_MAX / sizeof zeros + 1);
}

/* ---- what the files are taken for ---- */

static struct doc extract(str bytes)
{
    struct doc d;
    const char *why;

    assert_int_equal(extract_bytes(bytes,
                                   (struct said){.filename = STR("a.docx")},
                                   arena, &d, NULL),
                     RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static void archives_that_are_no_documents_are_named(void **state)
{
    struct zip z = {0};
    struct doc d;

    (void)state;
    d = extract(of_two());
    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_true(
        str_eq(d.note, STR("This is a ZIP archive, which is not read")));
    zip_put(&z, "META-INF/MANIFEST.MF", STR("x"));
    d = extract(zip_end(&z, arena));
    assert_true(
        str_eq(d.note, STR("This is a Java archive, which is not read")));
}

#define TYPES(type)                                                     \
    STR("<Types xmlns='http://schemas.openxmlformats.org/package/2006/" \
        "content-types'><Default Extension='xml' ContentType='" type    \
        "'/></Types>")

static void other_office_files_are_named(void **state)
{
    struct zip z = {0};
    struct doc d;

    (void)state;
    zip_put(&z, "_rels/.rels",
            STR("<Relationships xmlns='http://schemas.openxmlformats.org/"
                "package/2006/relationships'><Relationship Id='a' "
                "Target='/x/../xl/workbook.xml' Type='http://schemas."
                "openxmlformats.org/officeDocument/2006/relationships/"
                "officeDocument'/></Relationships>"));
    zip_put(&z, "xl/workbook.xml", STR("<x/>"));
    zip_put(&z, "[Content_Types].xml",
            TYPES("application/vnd.openxmlformats-officedocument."
                  "spreadsheetml.sheet.main+xml"));
    d = extract(zip_end(&z, arena));
    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_true(
        str_eq(d.note, STR("This is an Excel workbook, which is not read")));
    assert_true(str_eq(d.mime, STR("application/vnd.openxmlformats-"
                                   "officedocument.spreadsheetml.sheet")));
}

static str ole_with(const char *name)
{
    struct buf b = {0};
    str s = str_of(name), all;

    buf_put(&b, STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"));
    while (b.n < 1024)
        buf_put_char(&b, 0);
    for (size_t i = 0; i < s.n; i++)
        buf_put_u16(&b, (uint8_t)s.p[i]);
    while (b.n < 1024 + 64)
        buf_put_char(&b, 0);
    buf_put_u16(&b, (uint16_t)(2 * s.n + 2));
    while (b.n < 1024 + 128)
        buf_put_char(&b, 0);
    all = arena_str(arena, buf_str(&b));
    buf_close(&b);
    return all;
}

static void old_and_encrypted_office_files_are_named(void **state)
{
    struct doc d = extract(ole_with("EncryptedPackage"));

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_ENCRYPTED);
    d = extract(ole_with("WordDocument"));
    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_true(str_find(d.note, STR("old Word file")) < d.note.n);
    d = extract(ole_with("WordDocuments"));
    assert_true(str_find(d.note, STR("old Office file")) < d.note.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_by_name_and_unpacked),
        cmocka_unit_test(an_empty_archive_has_no_parts),
        cmocka_unit_test(cut_anywhere_it_is_refused),
        cmocka_unit_test(any_byte_changed_is_refused_or_harmless),
        cmocka_unit_test(lies_about_a_part_are_found_when_it_is_read),
        cmocka_unit_test(entries_that_share_bytes_are_refused),
        cmocka_unit_test(two_parts_of_one_name_are_refused),
        cmocka_unit_test(a_million_entries_are_refused_by_their_number),
        cmocka_unit_test(encrypted_parts_are_seen),
        cmocka_unit_test(other_ways_of_packing_are_unsupported),
        cmocka_unit_test(all_parts_share_one_budget),
        cmocka_unit_test(archives_that_are_no_documents_are_named),
        cmocka_unit_test(other_office_files_are_named),
        cmocka_unit_test(old_and_encrypted_office_files_are_named),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

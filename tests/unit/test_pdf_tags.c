/* The tags of poppler's programs, and what texts between them stand for. */
#include "extract/pdf_tags.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Each tag as "before|name|attributes;". */
static bool take(void *user, const struct pdf_tag *tag)
{
    buf_fmt(user, STR_FMT "|" STR_FMT "|" STR_FMT ";", STR_ARG(tag->before),
            STR_ARG(tag->name), STR_ARG(tag->attributes));
    return !str_eq(tag->name, STR("/html"));
}

static void assert_tags(str bytes, size_t piece, const char *tags)
{
    struct buf seen = {0};
    struct pdf_tags t = {.take = take, .user = &seen};

    for (size_t at = 0; at < bytes.n; at += piece)
        pdf_tags_put(&t, str_sub(bytes, at, piece));
    buf_put_char(&seen, '\0');
    assert_string_equal(seen.p, tags);
    pdf_tags_close(&t);
    buf_close(&seen);
}

static void tags_come_with_the_text_before_them(void **state)
{
    static const str BYTES =
        STR_INIT("<?xml version=\"1.0\"?><a b=\"c d\">e\nf</a> <g/>h<i");

    (void)state;
    for (size_t piece = 1; piece <= BYTES.n; piece++)
        assert_tags(BYTES, piece,
                    "|?xml|version=\"1.0\"?;|a|b=\"c d\";e\nf|/a|; |g/|;");
    assert_tags(STR(">a>b<c>"), 3, ">a>b|c|;");
    assert_tags(STR("<><<>"), 2, "||;|<|;");
}

static void who_has_enough_gets_no_more(void **state)
{
    (void)state;
    assert_tags(STR("<a></html><b>"), 100, "|a|;|/html|;");
    assert_tags(STR("<a></html><b>"), 1, "|a|;|/html|;");
}

static void values_come_in_their_order(void **state)
{
    str s = STR("a=\"1\" bc=\"2 <\" d=\"3\"/");

    (void)state;
    assert_int_equal(pdf_tag_value(&s, STR("b")).n, 0);
    assert_true(str_eq(pdf_tag_value(&s, STR("a")), STR("1")));
    assert_int_equal(pdf_tag_value(&s, STR("b")).n, 0); /* it is bc */
    assert_true(str_eq(pdf_tag_value(&s, STR("bc")), STR("2 <")));
    assert_true(str_eq(pdf_tag_value(&s, STR("d")), STR("3")));
    assert_int_equal(pdf_tag_value(&s, STR("d")).n, 0);
    s = STR("a=\"without end");
    assert_true(str_eq(pdf_tag_value(&s, STR("a")), STR("without end")));
    assert_int_equal(s.n, 0);
}

static void texts_are_what_they_stand_for(void **state)
{
    static const str CASES[][2] = {
        {STR_INIT("plain"), STR_INIT("plain")},
        {STR_INIT("\xc3\xa4\xf0\x9f\x98\x80"),
         STR_INIT("\xc3\xa4\xf0\x9f\x98\x80")},
        {STR_INIT("&lt;&gt;&amp;amp;&quot;&apos;"), STR_INIT("<>&amp;\"'")},
        {STR_INIT("&#228;&#8364;"), STR_INIT("\xc3\xa4\xe2\x82\xac")},
        {STR_INIT("&;&x;& &#;&#x41;&lt"), STR_INIT("&;&x;& &#;&#x41;&lt")},
        {STR_INIT("&#0;&#1;&#55296;&#65535;&#1114112;a"), STR_INIT("a")},
        {STR_INIT("a\x01\x1f\r\n\tb"), STR_INIT("a\n\tb")},
        {STR_INIT("a\xff\xed\xa0\x80\xc3z\xef\xbf\xbe"), STR_INIT("az")},
        {STR_INIT("\xef\xbc\xa1\xe2\x82"), STR_INIT("\xef\xbc\xa1")},
        {STR_INIT(""), STR_INIT("")},
    };
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        str s = pdf_tag_text(CASES[i][0], &b);

        if (!str_eq(s, CASES[i][1]))
            fail_msg("\"%.*s\" became \"%.*s\"", STR_ARG(CASES[i][0]),
                     STR_ARG(s));
    }
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_come_with_the_text_before_them),
        cmocka_unit_test(who_has_enough_gets_no_more),
        cmocka_unit_test(values_come_in_their_order),
        cmocka_unit_test(texts_are_what_they_stand_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

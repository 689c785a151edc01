/* HTML: bytes to blocks. Its chapters and their order are in html_priv.h. */
#include "base/mem.h"
#include "extract/extract_priv.h"
#include "extract/html_priv.h"
#include "extract/html_token.h"
#include "extract/said.h"
#include "text/utf8.h"

/* ---- is it HTML? ---- */

#define SNIFF_BYTES (64 * KIB)

/* Starts with a tag, as a fragment does that is said to be HTML. */
static bool is_fragment(str text, str type)
{
    static const str TYPES[] = {STR_INIT("text/html"),
                                STR_INIT("application/xhtml+xml")};
    str start = str_sub(str_trim(str_sub(text, 0, SNIFF_BYTES)), 0, 2);
    char c = start.n == 2 ? start.p[1] : '\0';

    if (start.n < 2 || start.p[0] != '<' ||
        !(c == '!' || c == '/' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')))
        return false;
    return said_type_is(type, TYPES[0]) || said_type_is(type, TYPES[1]);
}

/* A page starts with what only a page starts with: a doctype or one of its
 * outer elements, comments and instructions before them aside. Markdown may
 * start with any other element, so those take somebody's word. */
bool is_html(str text, const struct said *said)
{
    struct html_token t;
    size_t at = 0;

    if (is_fragment(text, said->type))
        return true;
    text = str_sub(text, 0, SNIFF_BYTES);
    for (;;) {
        static const str OUTER[] = {STR_INIT("html"), STR_INIT("head"),
                                    STR_INIT("body"), STR_INIT("frameset")};
        str rest = str_sub(text, at, text.n);

        if (str_eq_nocase(str_sub(rest, 0, 14), STR("<!doctype html")) ||
            str_eq_nocase(str_sub(rest, 0, 14), STR("<!doctype\nhtml")))
            return true;
        html_token_next(text, &at, &t);
        if (t.kind == HTML_TOKEN_TEXT && str_blank(t.text))
            continue;
        for (size_t i = 0; t.kind == HTML_TOKEN_START && i < NELEMS(OUTER);
             i++) {
            if (str_eq_nocase(t.name, OUTER[i]))
                return true;
        }
        if (t.kind != HTML_TOKEN_NOTHING)
            return false;
    }
}

/* ---- what is said of it ---- */

static void add_note(struct doc *d, str note, struct arena *out)
{
    d->note = d->note.n == 0 ? note
                             : arena_fmt(out, STR_FMT "; " STR_FMT,
                                         STR_ARG(d->note), STR_ARG(note));
}

static void note_limits(const struct html_facts *f, struct doc *d,
                        struct arena *out)
{
    if (f->cut) {
        d->outcome = EXTRACT_PARTIAL;
        add_note(d,
                 STR("The page has more elements than are read; what comes "
                     "after them was left out"),
                 out);
    }
    if (f->deep) {
        d->outcome = EXTRACT_PARTIAL;
        add_note(d,
                 STR("Elements are nested deeper than 256 levels; what is "
                     "deeper was read without its structure"),
                 out);
    }
}

/* What a shell shows is no text of the page. */
static void empty_shell(struct doc *d, struct arena *out)
{
    d->outcome = EXTRACT_UNSUPPORTED;
    d->text = STR_NONE;
    d->text_cp = 0;
    d->blocks_n = 0;
    add_note(d,
             STR("The page's text is made by JavaScript, which knowd does not "
                 "run"),
             out);
}

static rc read_page(str html, struct arena *out, struct doc *d, struct err *e)
{
    struct html_tree t;
    struct html_choice c = {0};
    rc code = html_tree_open(&t, html, e);

    if (code == RC_OK) {
        c.fate = mem_alloc(t.nodes_n);
        html_hide(&t, d, out, &c);
        html_main(&t, d, out, &c);
        html_meta(&t, &c, d, out);
        code = html_write(&t, &c, d, out, e);
    }
    if (code == RC_OK) {
        if (t.facts.scripts > 0)
            doc_flag_add(d,
                         (struct doc_flag){.kind = FLAG_SCRIPT,
                                           .dropped = true,
                                           .count = (uint32_t)t.facts.scripts},
                         out);
        note_limits(&t.facts, d, out);
        if (html_is_shell(&t, &c))
            empty_shell(d, out);
    }
    mem_free(c.fate);
    html_tree_close(&t);
    return code;
}

rc extract_html(str bytes, struct said said, struct arena *out, struct doc *d,
                struct err *e)
{
    struct buf text;
    struct charset_how how;
    rc code;

    d->text = STR_NONE;
    buf_open(&text, TEXT_BYTES_MAX);
    code = html_decode(bytes, said_charset(said.type), &text, &how, e);
    if (code == RC_OK && how.unread.n > 0) {
        d->outcome = EXTRACT_UNSUPPORTED;
        d->note = arena_fmt(out,
                            "The page is written in the character set " STR_FMT
                            ", which is not read",
                            STR_ARG(how.unread));
    } else if (code == RC_OK) {
        if (how.replaced) {
            d->outcome = EXTRACT_PARTIAL;
            d->note = STR("Some bytes are no valid text and were replaced");
        } else if (how.guessed && how.charset == CHARSET_CP1252) {
            d->note = STR("The text is not UTF-8 and was read as Windows-1252");
        }
        code = read_page(buf_str(&text), out, d, e);
    }
    buf_close(&text);
    return code;
}

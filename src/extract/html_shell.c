/*
 * Whether a page is the shell of a program: its text is made by scripts, and
 * what it shows without them says nothing (docs/html.md, "Shells").
 *
 * Losing a short page is worse than keeping an empty one, so three things must
 * come together: a script that runs, next to no text, and a sign that text is
 * to come (a place for it that is empty, words that ask for JavaScript or to
 * wait). Words alone count only where nothing else is said.
 */
#include "extract/html_priv.h"
#include "extract/html_token.h"

/* Letters of its own a shell may show beside an empty mount: a sentence of some
 * 18 words. Shells show a name, a slogan, a line of law; what answers a
 * question is longer, or stands in the mount. */
#define OWN_LETTERS_MAX 100
/* With navigation, head and foot of the site. */
#define ALL_LETTERS_MAX 400
#define RUNS_MAX ALL_LETTERS_MAX /* each has a letter */
#define PHRASE_LETTERS_MAX 300   /* of one that asks for JavaScript */
#define WAITING_WORDS_MAX 12
/* Words between "JavaScript" and what is asked of it. */
#define NEAR_WORDS 4

/* ---- words ---- */

static bool part_of_word(str s, size_t at)
{
    char c = s.p[at], low = (char)(c | 0x20);

    return (uint8_t)c >= 0x80 || (low >= 'a' && low <= 'z') ||
           (c >= '0' && c <= '9');
}

/* Bytes of a sign that parts words and isn't ASCII: an ellipsis, a dash, a
 * quotation mark (U+2010 to U+203F), a space; 0: none is there. */
static size_t odd_sign(str s, size_t at)
{
    const uint8_t *p = (const uint8_t *)s.p + at;

    if (s.n - at >= 2 && p[0] == 0xc2 && (p[1] == 0xa0 || p[1] == 0xa9))
        return 2;
    return s.n - at >= 3 && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x90 ? 3
                                                                         : 0;
}

/* The next word in lower case (of ASCII), cut to what `to` holds; empty: there
 * is none. */
static str word_next(str s, size_t *at, char to[32])
{
    size_t n = 0;

    while (*at < s.n && (odd_sign(s, *at) > 0 || !part_of_word(s, *at)))
        *at += odd_sign(s, *at) > 0 ? odd_sign(s, *at) : 1;
    while (*at < s.n && odd_sign(s, *at) == 0 && part_of_word(s, *at)) {
        char c = s.p[(*at)++];

        if (n < 32)
            to[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return (str){to, n};
}

static bool is_one_of(str word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(word, str_of(list[i])))
            return true;
    }
    return false;
}

static bool starts_with_one_of(str word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_starts(word, str_of(list[i])))
            return true;
    }
    return false;
}

static bool holds_one_of(str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_find(s, str_of(list[i])) < s.n)
            return true;
    }
    return false;
}

/* "Loading…", "Bitte warten": every word is one of these, and one says so. */
static bool is_waiting(str s)
{
    static const char *const WAIT[] = {
        "loading",      "wait",         "moment",     "momento",
        "initializing", "initialising", "starting",   "redirecting",
        "connecting",   "laden",        "lädt",       "geladen",
        "warten",       "augenblick",   "chargement", "patienter",
        "patientez",    "instant",      "cargando",   "espere",
        "espera",       "carregando",   "aguarde",    "caricamento",
        "attendere",    "attendi",      "загрузка",   "Загрузка",
        "подождите",    "ładowanie",    "czekać",     "czekaj",
        "načítání",     "yükleniyor",   "bekleyin",   "memuat"};
    static const char *const FILLER[] = {
        "please",  "app",       "application", "page",      "site",  "website",
        "content", "data",      "the",         "your",      "this",  "is",
        "are",     "a",         "an",          "one",       "just",  "second",
        "seconds", "few",       "while",       "we",        "it",    "up",
        "and",     "for",       "to",          "in",        "load",  "loads",
        "bitte",   "wird",      "werden",      "die",       "der",   "das",
        "seite",   "anwendung", "inhalt",      "inhalte",   "einen", "wir",
        "en",      "cours",     "veuillez",    "un",        "de",    "la",
        "le",      "s",         "il",          "vous",      "plaît", "por",
        "favor",   "página",    "o",           "corso",     "prego", "proszę",
        "lütfen",  "bezig",     "met",         "пожалуйста"};
    static const char *const PHRASES[] = {
        "読み込み中", "ロード中", "加载中",   "正在加载", "載入中",
        "로딩",       "로드 중",  "불러오는", "đang tải", "Đang tải"};
    size_t at = 0, words = 0, waits = 0;
    char to[32];

    if (s.n <= 48 && holds_one_of(s, PHRASES, NELEMS(PHRASES)))
        return true;
    for (;;) {
        str w = word_next(s, &at, to);

        if (w.n == 0)
            return waits > 0;
        if (is_one_of(w, WAIT, NELEMS(WAIT)))
            waits++;
        else if (!is_one_of(w, FILLER, NELEMS(FILLER)) &&
                 (w.p[0] < '0' || w.p[0] > '9'))
            return false;
        if (++words > WAITING_WORDS_MAX)
            return false;
    }
}

/* "Please enable JavaScript to run this app.": the word, and close to it what
 * is asked. "How to …" explains. */
static bool asks_for_scripts(str s)
{
    static const char *const ASKS[] = {
        "enabl",     "disabl",   "requir",    "need",       "activ",
        "aktiv",     "turn",     "allow",     "without",    "deaktiv",
        "erforder",  "benötig",  "einschalt", "ohne",       "désactiv",
        "nécess",    "requis",   "habilit",   "deshabilit", "desactiv",
        "necesit",   "necessit", "requier",   "richied",    "abilit",
        "disabilit", "attiv",    "включ",     "отключ",     "требу",
        "włącz",     "wymaga"};
    static const char *const PHRASES[] = {"有効", "启用", "啟用",
                                          "필요", "활성", "オン"};
    size_t at = 0, words = 0, script = SIZE_MAX, ask = SIZE_MAX;
    bool named = false;
    char to[32];

    if (html_letters(s) > PHRASE_LETTERS_MAX)
        return false;
    for (;; words++) {
        str w = word_next(s, &at, to);

        if (w.n == 0 || (words == 0 && str_eq(w, STR("how"))))
            return w.n == 0 && named &&
                   holds_one_of(s, PHRASES, NELEMS(PHRASES));
        if (str_starts(w, STR("javascript")) || str_eq(w, STR("js")))
            script = words;
        else if (starts_with_one_of(w, ASKS, NELEMS(ASKS)))
            ask = words;
        named = named || script != SIZE_MAX;
        if (script != SIZE_MAX && ask != SIZE_MAX &&
            (script > ask ? script - ask : ask - script) <= NEAR_WORDS)
            return true;
    }
}

bool html_asks_for_scripts(str html)
{
    static const str NAMES[] = {STR_INIT("javascript"),
                                STR_INIT("java script")};
    struct html_token t;
    size_t at = 0;

    html = str_sub(html, 0, HTML_VALUE_BYTES_MAX);
    for (;;) {
        html_token_next(html, &at, &t);
        if (t.kind == HTML_TOKEN_EOF)
            return false;
        for (size_t i = 0; t.kind == HTML_TOKEN_TEXT && i < t.text.n; i++) {
            for (size_t k = 0; k < NELEMS(NAMES); k++) {
                if (str_eq_nocase(str_sub(t.text, i, NAMES[k].n), NAMES[k]))
                    return true;
            }
        }
    }
}

/* ---- runs ---- */

struct shell {
    const struct html_tree *t;
    const struct html_choice *c;
    str title;
    struct buf run; /* text of one block so far */
    uint32_t run_at, run_block;
    bool run_site;           /* in what is the site's by its element */
    uint32_t said[RUNS_MAX]; /* where runs begin that say something */
    size_t said_n, own, all;
    bool waits, asks;
};

static bool is_notice(str s)
{
    return str_starts(s, STR("\xc2\xa9")) ||
           str_eq_nocase(str_sub(s, 0, 3), STR("(c)")) ||
           str_eq_nocase(str_sub(s, 0, 9), STR("copyright"));
}

static void run_end(struct shell *h)
{
    str s = str_trim(buf_str(&h->run));

    if (s.n == 0)
        return;
    if (is_waiting(s)) {
        h->waits = true;
    } else if (asks_for_scripts(s)) {
        h->asks = true;
    } else if (str_find(h->title, s) == h->title.n) {
        if (!h->run_site && !is_notice(s))
            h->own += html_letters(s);
        if (h->said_n < RUNS_MAX)
            h->said[h->said_n++] = h->run_at;
    }
    buf_clear(&h->run);
}

static bool is_site(const struct html_node *n)
{
    return n->tag == HTML_NAV || n->tag == HTML_HEADER || n->tag == HTML_FOOTER;
}

/* false: there is too much. */
static bool text_take(struct shell *h, uint32_t i)
{
    const struct html_node *nodes = h->t->nodes;
    uint32_t up = nodes[i].parent, block = UINT32_MAX;
    bool site = false;

    if (h->c->fate[i] != FATE_KEPT || nodes[up].tag == HTML_TITLE)
        return true;
    h->all += html_letters(nodes[i].text);
    if (h->all > ALL_LETTERS_MAX)
        return false;
    for (; up > 0; up = nodes[up].parent) {
        if (block == UINT32_MAX && html_is_block((enum html_tag)nodes[up].tag))
            block = up;
        site = site || is_site(&nodes[up]);
    }
    if (h->run.n > 0 && block != h->run_block)
        run_end(h);
    if (str_blank(buf_str(&h->run)))
        h->run_at = i;
    h->run_block = block;
    h->run_site = site;
    buf_put(&h->run, nodes[i].text);
    return true;
}

/* Whether a place that a script is to fill has nothing in it. */
static bool mount_is_empty(const struct shell *h)
{
    for (uint32_t i = 1; i < h->t->nodes_n; i++) {
        bool said = false;

        if ((h->t->nodes[i].hints & HINT_MOUNT) == 0)
            continue;
        for (size_t k = 0; k < h->said_n; k++)
            said = said || (h->said[k] > i && h->said[k] < h->t->nodes[i].end);
        if (!said)
            return true;
    }
    return false;
}

static str title_of(const struct html_tree *t)
{
    for (uint32_t i = 1; i < t->nodes_n; i++) {
        if (t->nodes[i].tag == HTML_TITLE)
            return t->nodes[i].end > i + 1 ? t->nodes[i + 1].text : STR_NONE;
    }
    return STR_NONE;
}

bool html_is_shell(const struct html_tree *t, const struct html_choice *c)
{
    struct shell h = {.t = t, .c = c};
    bool little = true, is;

    if (t->facts.runs == 0 || t->facts.cut)
        return false;
    buf_open(&h.run, 0);
    h.title = title_of(t);
    for (uint32_t i = 1; i < t->nodes_n && little; i++) {
        if (t->nodes[i].tag == HTML_TEXT)
            little = text_take(&h, i);
        else if (t->nodes[i].tag == HTML_BR)
            buf_put_char(&h.run, ' ');
    }
    run_end(&h);
    is = little && ((h.own == 0 && (t->facts.asks || h.asks || h.waits)) ||
                    (h.own <= OWN_LETTERS_MAX && mount_is_empty(&h)));
    buf_close(&h.run);
    return is;
}

/* Lines typed in a fixed pitch: each word is as wide as its letters are many,
 * and gaps are whole numbers of letters. That is how code is known. */
#include "extract/pdf_layout_priv.h"
#include "text/utf8.h"

/* Of the pitch, in thousandths. */
#define WORD_TOLERANCE 12
#define GAP_TOLERANCE 60
#define SAME_PITCH 20
/* A single line needs more to be believed. */
#define SURE_CHARS_MIN 6
#define ALONE_CHARS_MIN 12
/* In a pitch that code of the document has, to so many thousandths. */
#define PITCHES_MAX 8
#define KNOWN_PITCH 6
#define KNOWN_CHARS_MIN 4
/* A document typed in a fixed pitch for the most part holds no code by that. */
#define TYPED_PERCENT_MAX 60

static bool close_to(int64_t a, int64_t b, int64_t pitch, int64_t thousandths)
{
    int64_t d = a > b ? a - b : b - a;

    return d * 1000 <= pitch * thousandths + 2000; /* units are rounded */
}

/* Whether the gap is a whole number of letters, one at least. */
static bool gap_fits(int64_t gap, int64_t pitch)
{
    int64_t n = (gap + pitch / 2) / pitch;

    return n >= 1 && close_to(gap, n * pitch, pitch, GAP_TOLERANCE);
}

void find_pitch(const struct layout *l, struct line *line)
{
    struct words w = line_words(l, line);
    struct pdf_word word;
    uint32_t longest = 0;
    int64_t extent = 0, pitch;

    if (line->from_picture || line->upright)
        return;
    while (words_next(&w, &word)) {
        uint32_t n = (uint32_t)utf8_count(word.text);

        if (n > longest) {
            longest = n;
            extent = word.extent;
        }
    }
    if (longest == 0 || extent <= 0)
        return;
    pitch = extent / longest;
    if (pitch < PDF_UNIT)
        return;
    w = line_words(l, line);
    for (uint32_t i = 0; words_next(&w, &word); i++) {
        int64_t n = (int64_t)utf8_count(word.text);

        /* n letters of the longest word's, whose extent has fewer digits lost
         * than the pitch has. */
        if (!close_to(word.extent, n * extent / longest, n * pitch,
                      WORD_TOLERANCE) ||
            (i > 0 && !gap_fits(word.gap, pitch)))
            return;
    }
    line->pitch = (int32_t)pitch;
    line->sure = line->words_n >= 2 && line->chars >= SURE_CHARS_MIN;
}

static bool same_pitch(const struct line *a, const struct line *b)
{
    return a->pitch > 0 && b->pitch > 0 && a->page == b->page &&
           close_to(a->pitch, b->pitch, a->pitch, SAME_PITCH) &&
           close_to(a->height, b->height, a->height, SAME_PITCH);
}

static bool is_body(const struct line *line)
{
    return line->role == ROLE_BODY && line->level == 0;
}

/* Pitches of lines that are code for certain, with the height of the type. */
struct pitches {
    struct {
        int32_t pitch, height;
    } v[PITCHES_MAX];
    size_t n;
};

static bool pitch_known(const struct pitches *p, const struct line *line)
{
    for (size_t i = 0; i < p->n; i++) {
        if (close_to(line->pitch, p->v[i].pitch, line->pitch, KNOWN_PITCH) &&
            close_to(line->height, p->v[i].height, line->height, KNOWN_PITCH))
            return true;
    }
    return false;
}

/* Lines of one pitch that follow each other, of which one is sure. */
static void mark_run(struct layout *l, size_t from, size_t to,
                     struct pitches *known)
{
    const struct line *first = &l->lines[from];
    size_t sure = 0, chars = 0;

    for (size_t i = from; i < to; i++) {
        sure += l->lines[i].sure;
        chars += l->lines[i].chars;
    }
    if (sure == 0 || (to - from == 1 && chars < ALONE_CHARS_MIN))
        return;
    for (size_t i = from; i < to; i++)
        l->lines[i].code = 1;
    if (sure > 1 && known->n < PITCHES_MAX && !pitch_known(known, first)) {
        known->v[known->n].pitch = first->pitch;
        known->v[known->n++].height = first->height;
    }
}

static bool is_typed(const struct layout *l)
{
    uint64_t typed = 0, all = 0;

    for (size_t i = 0; i < l->lines_n; i++) {
        all += l->lines[i].chars;
        typed += l->lines[i].sure ? l->lines[i].chars : 0;
    }
    return typed * 100 > all * TYPED_PERCENT_MAX;
}

/* One word alone must look like code as well. */
static bool looks_like_code(struct layout *l, const struct line *line)
{
    static const str SIGNS = STR_INIT("()[]{}<>=$_/\\");
    str s = line_text(l, line, &l->scratch);

    for (size_t i = 0; i < s.n; i++) {
        if (str_find_char(SIGNS, s.p[i]) < SIGNS.n)
            return true;
    }
    return line->words_n > 1;
}

/* Short lines in the type that is known for code by now. */
static void mark_known(struct layout *l, const struct pitches *known)
{
    for (size_t i = 0; i < l->lines_n; i++) {
        struct line *line = &l->lines[i];

        if (is_body(line) && line->pitch > 0 && !line->code &&
            line->chars >= KNOWN_CHARS_MIN && pitch_known(known, line) &&
            looks_like_code(l, line))
            line->code = 1;
    }
}

void find_code(struct layout *l)
{
    struct pitches known = {.n = 0};

    if (is_typed(l))
        return;
    for (size_t i = 0, k; i < l->lines_n; i = k) {
        k = i + 1;
        if (!is_body(&l->lines[i]) || l->lines[i].pitch == 0)
            continue;
        while (k < l->lines_n && is_body(&l->lines[k]) &&
               same_pitch(&l->lines[k - 1], &l->lines[k]))
            k++;
        mark_run(l, i, k, &known);
    }
    mark_known(l, &known);
}

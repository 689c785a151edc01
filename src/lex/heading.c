#include "lex/lex_priv.h"

/* Without the signs that part a number from what it counts. */
static str number_bare(str word)
{
    while (word.n > 1 &&
           (word.p[word.n - 1] == '.' || word.p[word.n - 1] == ':' ||
            word.p[word.n - 1] == ')'))
        word.n--;
    return word;
}

/* "3", "2.10", "A.1"; with a name before it ("Appendix") also "A", "IV". Of
 * Roman numbers alone those of two letters and more, to 39: "C" and "CD" are
 * words. */
static bool is_number(str word, bool named)
{
    bool digit = false, roman = true;

    word = number_bare(word);
    if (word.n == 1 && named && word.p[0] >= 'A' && word.p[0] <= 'Z')
        return true;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        bool letter = i == 0 && c >= 'A' && c <= 'Z';

        roman = roman && (c == 'I' || c == 'V' || c == 'X');
        digit = digit || (c >= '0' && c <= '9');
        if (!roman && !letter && c != '.' && !(c >= '0' && c <= '9'))
            return false;
    }
    return digit || (roman && (named ? word.n > 0 : word.n > 1));
}

static bool is_name(str word)
{
    static const str NAMES[] = {STR_INIT("chapter"), STR_INIT("appendix"),
                                STR_INIT("section"), STR_INIT("part"),
                                STR_INIT("annex")};

    for (size_t i = 0; i < NELEMS(NAMES); i++)
        if (str_eq_nocase(word, NAMES[i]))
            return true;
    return false;
}

size_t heading_bare(str heading)
{
    str s = str_trim(heading), rest = s, word;
    bool named;

    (void)str_cut(rest, ' ', &word, &rest);
    named = is_name(word);
    if (named)
        (void)str_cut(str_trim(rest), ' ', &word, &rest);
    rest = str_trim(rest);
    return is_number(word, named) && rest.n > 0 ? (size_t)(rest.p - heading.p)
                                                : 0;
}

void heading_term_add(struct heading_term *h, str term)
{
    size_t n = h->n + 1 + term.n;

    if (h->full || term.n == 0)
        return;
    if (n > sizeof h->bytes) {
        h->full = true;
        return;
    }
    h->bytes[h->n] = h->n == 0 ? HEADING_SIGN : ' ';
    memcpy(h->bytes + h->n + 1, term.p, term.n);
    h->n = n;
}

#include "text/wordpiece_priv.h"

#include <utf8proc.h>

#include "base/err.h"

struct range {
    uint32_t first, last;
};

/* The reference tells kinds of characters by Unicode 8 and puts marks in order
 * by Unicode 9. Of what came since (as far as utf8proc 2.8, Unicode 15, knows
 * it) the marks, punctuation and format characters are in these ranges; there
 * the reference has none of them. Sorted. */
static const struct range YOUNG[] = {
    {0x061d, 0x061d},   {0x07fd, 0x07fd},   {0x0890, 0x08e2},
    {0x09fd, 0x09fe},   {0x0a76, 0x0a76},   {0x0afa, 0x0aff},
    {0x0b55, 0x0b55},   {0x0c04, 0x0c3c},   {0x0c77, 0x0c77},
    {0x0c84, 0x0c84},   {0x0d00, 0x0d00},   {0x0d3b, 0x0d3c},
    {0x0d81, 0x0d81},   {0x0eba, 0x0eba},   {0x0ece, 0x0ece},
    {0x1715, 0x1715},   {0x180f, 0x1886},   {0x1abf, 0x1ace},
    {0x1b7d, 0x1b7e},   {0x1df6, 0x1dfb},   {0x2e43, 0x2e5d},
    {0xa82c, 0xa82c},   {0xa8c5, 0xa8c5},   {0xa8ff, 0xa8ff},
    {0xa9bd, 0xa9bd},   {0x10d24, 0x10f89}, {0x11070, 0x11074},
    {0x110c2, 0x110cd}, {0x111cf, 0x111cf}, {0x1123e, 0x11241},
    {0x1133b, 0x1133b}, {0x11438, 0x1145e}, {0x11660, 0x1166c},
    {0x116b9, 0x116b9}, {0x1182f, 0x11fff}, {0x12ff1, 0x13455},
    {0x16e97, 0x16f4f}, {0x16fe2, 0x16ff1}, {0x1cf00, 0x1cf46},
    {0x1e000, 0x1e4ef}, {0x1e944, 0x1e95f}};

/* Of those the marks of Unicode 9, which it knows how to order. */
static const struct range YOUNG_ORDERED[] = {
    {0x08d4, 0x08e1},   {0x1dfb, 0x1dfb},   {0x11442, 0x11446},
    {0x11c3f, 0x11c3f}, {0x1e000, 0x1e02a}, {0x1e944, 0x1e94a}};

/* As the reference has them, with its own gap from U+2B820 to U+2B91F. */
static const struct range IDEOGRAPHS[] = {
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
    {0x20000, 0x2a6df}, {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf},
    {0x2f800, 0x2fa1f}};

static bool in_ranges(const struct range *r, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (cp > r[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && cp >= r[low].first;
}

static bool young(uint32_t cp)
{
    return in_ranges(YOUNG, NELEMS(YOUNG), cp);
}

#define KIND(category) (1u << UTF8PROC_CATEGORY_##category)

/* Whether Unicode's general category of cp is one of kinds. */
static bool is_of(uint32_t cp, uint32_t kinds)
{
    return (kinds >> utf8proc_category((utf8proc_int32_t)cp) & 1) != 0;
}

bool char_dropped(uint32_t cp)
{
    if (cp < 0x80)
        return (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') ||
               cp == 0x7f;
    return cp == 0xfffd || is_of(cp, KIND(CC) | KIND(CO)) ||
           (is_of(cp, KIND(CF)) && !young(cp));
}

bool char_space(uint32_t cp)
{
    if (cp < 0x80)
        return cp == ' ' || (cp >= '\t' && cp <= '\r');
    return cp == 0x85 || is_of(cp, KIND(ZS) | KIND(ZL) | KIND(ZP));
}

bool char_punctuation(uint32_t cp)
{
    if (cp < 0x80) /* signs that Unicode calls symbols too */
        return cp > ' ' && cp < 0x7f && !(cp >= '0' && cp <= '9') &&
               !((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z');
    if (is_of(cp, KIND(PC) | KIND(PD) | KIND(PS) | KIND(PE) | KIND(PI) |
                      KIND(PF) | KIND(PO)))
        return !young(cp);
    return cp == 0x166d || cp == 0x111c9; /* now a symbol and a mark */
}

bool char_ideograph(uint32_t cp)
{
    return cp >= 0x3400 && in_ranges(IDEOGRAPHS, NELEMS(IDEOGRAPHS), cp);
}

bool char_accent(uint32_t cp)
{
    if (cp < 0x300)
        return false;
    if (is_of(cp, KIND(MN)))
        return !young(cp) && cp != 0x111c9;
    return cp == 0x1734; /* now a spacing mark */
}

unsigned char_order(uint32_t cp)
{
    int order;

    if (cp < 0x300)
        return 0;
    order = utf8proc_get_property((utf8proc_int32_t)cp)->combining_class;
    if (order != 0 && young(cp) &&
        !in_ranges(YOUNG_ORDERED, NELEMS(YOUNG_ORDERED), cp))
        return 0;
    return (unsigned)order;
}

size_t char_decompose(uint32_t cp, uint32_t parts[CHAR_PARTS_MAX])
{
    utf8proc_int32_t to[CHAR_PARTS_MAX];
    utf8proc_ssize_t n;
    int boundclass = 0;

    parts[0] = cp;
    if (cp < 0xc0 || cp == 0x11938) /* the latter is of Unicode 13 */
        return 1;
    n = utf8proc_decompose_char((utf8proc_int32_t)cp, to, CHAR_PARTS_MAX,
                                UTF8PROC_DECOMPOSE, &boundclass);
    ASSERT(n > 0 && n <= CHAR_PARTS_MAX);
    for (utf8proc_ssize_t i = 0; i < n; i++)
        parts[i] = (uint32_t)to[i];
    return (size_t)n;
}

size_t char_lower(uint32_t cp, uint32_t lower[CHAR_LOWER_MAX])
{
    if (cp < 0x80) {
        lower[0] = cp >= 'A' && cp <= 'Z' ? cp | 0x20 : cp;
        return 1;
    }
    if (cp == 0x130) { /* the one whose lower case is two */
        lower[0] = 'i';
        lower[1] = 0x307;
        return 2;
    }
    lower[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    return 1;
}

#include "app/app_priv.h"

/* A cursor is base64url of
 *
 *   u8 kind | 16 bytes place | 12 bytes of HMAC-SHA-256(secret, what follows)
 *   "cursor" | kind | tenant | list | place
 *
 * so one of another tenant, another list or another kind doesn't fit. */
#define TAG_BYTES 12
#define CURSOR_BYTES (1 + 16 + TAG_BYTES)

static sha256 cursor_tag(struct app *a, enum cursor_kind kind, uuid tenant,
                         uuid list, uuid at)
{
    char m[6 + 1 + 3 * 16] = {'c', 'u', 'r', 's', 'o', 'r', (char)kind};

    memcpy(m + 7, tenant.b, 16);
    memcpy(m + 23, list.b, 16);
    memcpy(m + 39, at.b, 16);
    return hmac_sha256(store_secret(a->store), (str){m, sizeof m});
}

str cursor_make(struct app *a, enum cursor_kind kind, uuid tenant, uuid list,
                uuid at, struct arena *out)
{
    sha256 tag = cursor_tag(a, kind, tenant, list, at);
    char raw[CURSOR_BYTES];

    raw[0] = (char)kind;
    memcpy(raw + 1, at.b, 16);
    memcpy(raw + 17, tag.b, TAG_BYTES);
    return base64url(out, (str){raw, sizeof raw});
}

static bool cursor_fits(struct app *a, enum cursor_kind kind, uuid tenant,
                        uuid list, str raw, uuid *at)
{
    sha256 tag;

    if (raw.n != CURSOR_BYTES || (unsigned char)raw.p[0] != (unsigned)kind)
        return false;
    memcpy(at->b, raw.p + 1, 16);
    tag = cursor_tag(a, kind, tenant, list, *at);
    return crypto_eq(str_sub(raw, 17, TAG_BYTES),
                     (str){(const char *)tag.b, TAG_BYTES});
}

rc cursor_parse(struct app *a, enum cursor_kind kind, uuid tenant, uuid list,
                str text, uuid *at, struct err *e)
{
    struct arena *tmp;
    bool fits;
    str raw;

    *at = UUID_NIL;
    if (text.n == 0)
        return RC_OK;
    tmp = arena_open();
    fits = text.n < (size_t)2 * CURSOR_BYTES &&
           base64url_parse(tmp, text, &raw) &&
           cursor_fits(a, kind, tenant, list, raw, at);
    arena_close(tmp);
    if (fits)
        return RC_OK;
    *at = UUID_NIL;
    (void)err_set(e, RC_INVALID, "the cursor is not one of this list");
    return err_name(e, "bad_request");
}

size_t page_limit(const struct app_page *page)
{
    if (page->limit == 0)
        return PAGE_ITEMS_DEFAULT;
    return page->limit > PAGE_ITEMS_MAX ? PAGE_ITEMS_MAX : page->limit;
}

#include "net/unpack.h"

#include <zlib.h>

#include "base/limits.h"
#include "base/mem.h"

#define PIECE_BYTES (16 * KIB)
/* Window bits: gzip's head, zlib's, none. */
#define GZIP_BITS (15 + 16)
#define ZLIB_BITS 15
#define RAW_BITS (-15)

struct unpack {
    z_stream z;
    bool deflate; /* which of two is told by its first bytes */
    bool begun, fed, ended;
    bool last;             /* nothing more comes behind the end */
    unsigned char head[2]; /* of a stream of deflate, of gzip's next member */
    size_t head_n;
    char piece[PIECE_BYTES];
};

bool unpack_knows(str coding)
{
    return str_eq_nocase(coding, STR("gzip")) ||
           str_eq_nocase(coding, STR("x-gzip")) ||
           str_eq_nocase(coding, STR("deflate"));
}

static rc begin(struct unpack *u, int bits, struct err *e)
{
    if (inflateInit2(&u->z, bits) != Z_OK)
        return err_set(e, RC_NOMEM, "no memory to unpack an answer");
    u->begun = true;
    return RC_OK;
}

rc unpack_open(str coding, struct unpack **u, struct err *e)
{
    struct unpack *made = mem_alloc(sizeof *made);
    rc code = RC_OK;

    made->deflate = made->last = str_eq_nocase(coding, STR("deflate"));
    if (!made->deflate)
        code = begin(made, GZIP_BITS, e);
    if (code != RC_OK) {
        mem_free(made);
        made = NULL;
    }
    *u = made;
    return code;
}

void unpack_close(struct unpack *u)
{
    if (u == NULL)
        return;
    if (u->begun)
        (void)inflateEnd(&u->z);
    mem_free(u);
}

static rc inflate_all(struct unpack *u, unsigned char *p, size_t n,
                      unpack_take *take, void *arg, struct err *e)
{
    u->z.next_in = p;
    u->z.avail_in = (uInt)n;
    while (!u->ended && (u->z.avail_in > 0 || u->z.avail_out == 0)) {
        int got;
        rc code;

        u->z.next_out = (unsigned char *)u->piece;
        u->z.avail_out = sizeof u->piece;
        got = inflate(&u->z, Z_NO_FLUSH);
        if (got == Z_MEM_ERROR)
            return err_set(e, RC_NOMEM, "no memory to unpack an answer");
        if (got != Z_OK && got != Z_STREAM_END && got != Z_BUF_ERROR)
            return err_set(e, RC_FORMAT, "the answer is not packed as it says");
        u->ended = got == Z_STREAM_END;
        if (u->z.avail_out == sizeof u->piece)
            break;
        code = take(arg, (str){u->piece, sizeof u->piece - u->z.avail_out}, e);
        if (code != RC_OK)
            return code;
    }
    return RC_OK;
}

/* zlib's head is a method, and a sum that 31 divides. */
static int deflate_bits(const unsigned char head[2])
{
    unsigned sum = (unsigned)head[0] << 8 | head[1];

    return (head[0] & 15) == 8 && sum % 31 == 0 ? ZLIB_BITS : RAW_BITS;
}

static str head_take(struct unpack *u, str bytes)
{
    while (bytes.n > 0 && u->head_n < sizeof u->head) {
        u->head[u->head_n++] = (unsigned char)bytes.p[0];
        bytes = str_sub(bytes, 1, bytes.n);
    }
    return bytes;
}

/* Behind a member of gzip's may follow another (RFC 1952, 2.2); anything else
 * there is passed over. */
static rc member_begin(struct unpack *u, str *bytes, unpack_take *take,
                       void *arg, struct err *e)
{
    *bytes = head_take(u, *bytes);
    if (u->head_n < sizeof u->head)
        return RC_OK;
    u->head_n = 0;
    u->last = u->head[0] != 0x1f || u->head[1] != 0x8b;
    if (u->last)
        return RC_OK;
    ASSERT(inflateReset(&u->z) == Z_OK);
    u->ended = false;
    return inflate_all(u, u->head, sizeof u->head, take, arg, e);
}

rc unpack_put(struct unpack *u, str bytes, unpack_take *take, void *arg,
              struct err *e)
{
    rc code = RC_OK;

    u->fed = u->fed || bytes.n > 0;
    if (!u->begun)
        bytes = head_take(u, bytes);
    if (!u->begun && u->head_n == sizeof u->head) {
        code = begin(u, deflate_bits(u->head), e);
        if (code == RC_OK)
            code = inflate_all(u, u->head, u->head_n, take, arg, e);
    }
    if (!u->begun)
        return code;
    while (code == RC_OK && bytes.n > 0 && !(u->ended && u->last)) {
        if (u->ended) {
            code = member_begin(u, &bytes, take, arg, e);
            continue;
        }
        /* zlib takes what it only reads as not const. */
        code = inflate_all(u, (unsigned char *)(uintptr_t)bytes.p, bytes.n,
                           take, arg, e);
        bytes = str_sub(bytes, bytes.n - u->z.avail_in, bytes.n);
    }
    return code;
}

rc unpack_end(const struct unpack *u, struct err *e)
{
    if (u->ended || !u->fed)
        return RC_OK;
    return err_set(e, RC_FORMAT, "the answer was cut off");
}

#include "base/crypto.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>

#include "base/mem.h"
#include "base/rng.h"

static_assert(AEAD_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
              "the key of the cipher");

/* Fetched once: looking an algorithm up costs more than hashing a page. */
static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static EVP_MD *md_sha256;
static bool started;

static void start(void)
{
    md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    started = sodium_init() >= 0 && md_sha256 != NULL;
}

static void need_start(void)
{
    (void)pthread_once(&start_once, start);
    ASSERT(started);
}

rc crypto_start(struct err *e)
{
    (void)pthread_once(&start_once, start);
    if (!started)
        return err_set(e, RC_UNSUPPORTED, "libsodium or OpenSSL won't start");
    return RC_OK;
}

sha256 sha256_of(str s)
{
    sha256 h;

    need_start();
    ASSERT(EVP_Digest(s.p, s.n, h.b, NULL, md_sha256, NULL) == 1);
    return h;
}

sha256 sha256_of_both(str a, str b)
{
    struct sha256_stream *s = sha256_open();
    sha256 h;

    sha256_put(s, a.p, a.n);
    sha256_put(s, b.p, b.n);
    h = sha256_end(s);
    sha256_close(s);
    return h;
}

bool sha256_eq(const sha256 *a, const sha256 *b)
{
    return sodium_memcmp(a->b, b->b, sizeof a->b) == 0;
}

str sha256_hex(struct arena *out, const sha256 *h)
{
    char *to = arena_alloc(out, 2 * sizeof h->b + 1);

    (void)sodium_bin2hex(to, 2 * sizeof h->b + 1, h->b, sizeof h->b);
    return (str){to, 2 * sizeof h->b};
}

bool sha256_from_hex(str s, sha256 *h)
{
    size_t n;

    return s.n == 2 * sizeof h->b &&
           sodium_hex2bin(h->b, sizeof h->b, s.p, s.n, NULL, &n, NULL) == 0 &&
           n == sizeof h->b;
}

struct sha256_stream {
    EVP_MD_CTX *ctx;
};

struct sha256_stream *sha256_open(void)
{
    struct sha256_stream *s = mem_alloc(sizeof *s);

    need_start();
    s->ctx = EVP_MD_CTX_new();
    ASSERT(s->ctx != NULL);
    ASSERT(EVP_DigestInit_ex2(s->ctx, md_sha256, NULL) == 1);
    return s;
}

void sha256_put(struct sha256_stream *s, const void *p, size_t n)
{
    ASSERT(EVP_DigestUpdate(s->ctx, p, n) == 1);
}

sha256 sha256_end(struct sha256_stream *s)
{
    sha256 h;

    ASSERT(EVP_DigestFinal_ex(s->ctx, h.b, NULL) == 1);
    return h;
}

void sha256_close(struct sha256_stream *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->ctx);
    mem_free(s);
}

static const unsigned char *bytes_of(str s)
{
    return (const unsigned char *)s.p;
}

sha256 hmac_sha256(str key, str message)
{
    crypto_auth_hmacsha256_state st;
    sha256 h;

    need_start();
    (void)crypto_auth_hmacsha256_init(&st, bytes_of(key), key.n);
    (void)crypto_auth_hmacsha256_update(&st, bytes_of(message), message.n);
    (void)crypto_auth_hmacsha256_final(&st, h.b);
    sodium_memzero(&st, sizeof st);
    return h;
}

bool crypto_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

str aead_seal(struct arena *out, const uint8_t key[AEAD_KEY_BYTES], str context,
              str plain)
{
    size_t n;
    unsigned char *to;

    need_start();
    ASSERT(!__builtin_add_overflow(plain.n, NONCE_BYTES + TAG_BYTES, &n));
    to = arena_alloc(out, n);
    /* 24 random bytes don't meet twice under one key. */
    rng_bytes(to, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        to + NONCE_BYTES, NULL, bytes_of(plain), plain.n, bytes_of(context),
        context.n, NULL, to, key);
    return (str){(const char *)to, n};
}

bool aead_open(struct arena *out, const uint8_t key[AEAD_KEY_BYTES],
               str context, str sealed, str *plain)
{
    const unsigned char *nonce = bytes_of(sealed);
    unsigned char *to;
    size_t n;

    need_start();
    if (sealed.n < NONCE_BYTES + TAG_BYTES)
        return false;
    n = sealed.n - NONCE_BYTES - TAG_BYTES;
    to = arena_alloc(out, n + 1);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            to, NULL, NULL, nonce + NONCE_BYTES, sealed.n - NONCE_BYTES,
            bytes_of(context), context.n, nonce, key) != 0)
        return false;
    *plain = (str){(const char *)to, n};
    return true;
}

str base64url(struct arena *out, str bytes)
{
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t room;
    char *to;

    ASSERT(bytes.n < SIZE_MAX / 2);
    room = sodium_base64_encoded_len(bytes.n, variant);
    to = arena_alloc(out, room);
    (void)sodium_bin2base64(to, room, bytes_of(bytes), bytes.n, variant);
    return (str){to, room - 1};
}

/* libsodium 1.0.18 takes bytes from 0x80 up for digits. */
static bool all_base64url(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

bool base64url_parse(struct arena *out, str text, str *bytes)
{
    size_t room = text.n / 4 * 3 + 3, n;
    unsigned char *to = arena_alloc(out, room);

    if (!all_base64url(text) ||
        sodium_base642bin(to, room, text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    *bytes = (str){(const char *)to, n};
    return true;
}

str crypto_random_text(struct arena *out, size_t n)
{
    static const char CHARS[] = "0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";
    const size_t chars_n = sizeof CHARS - 1;
    char *to = arena_alloc(out, n + 1);

    for (size_t i = 0; i < n;) {
        uint8_t chance[64];

        rng_bytes(chance, sizeof chance);
        for (size_t k = 0; k < sizeof chance && i < n; k++) {
            /* The last bytes below 256 would make some likelier. */
            if (chance[k] < 256 / chars_n * chars_n)
                to[i++] = CHARS[chance[k] % chars_n];
        }
    }
    return (str){to, n};
}

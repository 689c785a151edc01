/*
 * crypto: the edge to libsodium (and OpenSSL for speed of SHA-256).
 *
 * Threads: any; crypto_start once, to hear why it can't.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/arena.h"
#include "base/err.h"

rc crypto_start(struct err *e) MUST_CHECK;

typedef struct sha256 {
    uint8_t b[32];
} sha256;
sha256 sha256_of(str s);
sha256 sha256_of_both(str a, str b);              /* of b behind a */
bool sha256_eq(const sha256 *a, const sha256 *b); /* constant time */
str sha256_hex(struct arena *out, const sha256 *h);
bool sha256_from_hex(str s, sha256 *h);

struct sha256_stream; /* hashing as the bytes come */
struct sha256_stream *sha256_open(void);
void sha256_put(struct sha256_stream *s, const void *p, size_t n);
sha256 sha256_end(struct sha256_stream *s); /* once; then close */
void sha256_close(struct sha256_stream *s); /* NULL is fine */

/* HMAC-SHA-256, for signed links and cursors. */
sha256 hmac_sha256(str key, str message);
/* Constant time in the contents (the lengths may show). */
bool crypto_eq(str a, str b);

/* XChaCha20-Poly1305. The context (whose secret, which field, which key) is not
 * stored but must be the same again: what was sealed for one place does not
 * open in another. Sealed: 24 bytes of nonce, the text, 16 bytes of tag. */
#define AEAD_KEY_BYTES 32
str aead_seal(struct arena *out, const uint8_t key[AEAD_KEY_BYTES], str context,
              str plain);
/* false: another key or context, or not as it was sealed. */
bool aead_open(struct arena *out, const uint8_t key[AEAD_KEY_BYTES],
               str context, str sealed, str *plain) MUST_CHECK;

/* URL-safe base64 without padding. */
str base64url(struct arena *out, str bytes);
bool base64url_parse(struct arena *out, str text, str *bytes);
/* n random characters of [0-9A-Za-z]. */
str crypto_random_text(struct arena *out, size_t n);

#endif

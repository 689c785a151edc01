#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *a;

static int open_arena(void **state)
{
    struct err e;

    (void)state;
    a = arena_open();
    return crypto_start(&e) != RC_OK;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(a);
    return 0;
}

/* FIPS 180-4 examples. */
static void hashes_are_sha256(void **state)
{
    sha256 h = sha256_of(STR("abc")), back;

    (void)state;
    assert_true(
        str_eq(sha256_hex(a, &h), STR("ba7816bf8f01cfea414140de5dae2223"
                                      "b00361a396177a9cb410ff61f20015ad")));
    assert_true(sha256_from_hex(sha256_hex(a, &h), &back));
    assert_true(sha256_eq(&h, &back));
    h = sha256_of(STR_NONE);
    assert_false(sha256_eq(&h, &back));
    assert_true(
        str_eq(sha256_hex(a, &h), STR("e3b0c44298fc1c149afbf4c8996fb924"
                                      "27ae41e4649b934ca495991b7852b855")));
    assert_false(sha256_from_hex(STR("e3b0"), &back));
    assert_false(sha256_from_hex(STR("g3b0c44298fc1c149afbf4c8996fb924"
                                     "27ae41e4649b934ca495991b7852b855"),
                                 &back));
}

static void a_stream_hashes_like_the_whole(void **state)
{
    struct sha256_stream *s = sha256_open();
    sha256 whole = sha256_of(STR("hello world")), parts;

    (void)state;
    sha256_put(s, "hello", 5);
    sha256_put(s, NULL, 0);
    sha256_put(s, " world", 6);
    parts = sha256_end(s);
    sha256_close(s);
    sha256_close(NULL);
    assert_true(sha256_eq(&whole, &parts));
}

/* RFC 4231, cases 2 and 6 (a key longer than a block). */
static void macs_are_hmac_sha256(void **state)
{
    char key[131];
    sha256 h = hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"));

    (void)state;
    assert_true(
        str_eq(sha256_hex(a, &h), STR("5bdcc146bf60754e6a042426089575c7"
                                      "5a003f089d2739839dec58b964ec3843")));
    memset(key, 0xaa, sizeof key);
    h = hmac_sha256((str){key, sizeof key},
                    STR("Test Using Larger Than Block-Size Key - "
                        "Hash Key First"));
    assert_true(
        str_eq(sha256_hex(a, &h), STR("60e431591ee0b67f0d8a26aacbf5b77f"
                                      "8e0bc6213728c5140546040f0ee37f54")));
}

static void equal_texts_are_equal(void **state)
{
    (void)state;
    assert_true(crypto_eq(STR("abc"), STR("abc")));
    assert_false(crypto_eq(STR("abc"), STR("abd")));
    assert_false(crypto_eq(STR("abc"), STR("ab")));
    assert_true(crypto_eq(STR_NONE, STR("")));
}

static void base64_comes_back(void **state)
{
    char bytes[70];
    str back;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 251);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        str text = base64url(a, (str){bytes, n});

        assert_int_equal(text.n, (n * 4 + 2) / 3);
        assert_true(base64url_parse(a, text, &back));
        assert_true(str_eq(back, (str){bytes, n}));
    }
    assert_true(str_eq(base64url(a, STR("\xfb\xff")), STR("-_8")));
}

static void other_base64_is_refused(void **state)
{
    str back;

    (void)state;
    assert_false(base64url_parse(a, STR("-_8="), &back));
    assert_false(base64url_parse(a, STR("+/8"), &back));
    assert_false(base64url_parse(a, STR("-_9"), &back));
    assert_false(base64url_parse(a, STR("A"), &back));
    assert_false(base64url_parse(a, STR("AA A"), &back));
    assert_false(base64url_parse(a, STR("AAA\xff"), &back));
    assert_true(base64url_parse(a, STR_NONE, &back));
    assert_int_equal(back.n, 0);
}

static void what_is_sealed_opens_only_where_it_belongs(void **state)
{
    uint8_t key[AEAD_KEY_BYTES] = {1}, other[AEAD_KEY_BYTES] = {2};
    str sealed = aead_seal(a, key, STR("tenant 1"), STR("secret"));
    str again = aead_seal(a, key, STR("tenant 1"), STR("secret")), plain;

    (void)state;
    assert_false(str_eq(sealed, again));
    assert_true(aead_open(a, key, STR("tenant 1"), sealed, &plain));
    assert_true(str_eq(plain, STR("secret")));
    assert_false(aead_open(a, other, STR("tenant 1"), sealed, &plain));
    assert_false(aead_open(a, key, STR("tenant 2"), sealed, &plain));
    assert_true(aead_open(a, key, STR_NONE,
                          aead_seal(a, key, STR_NONE, STR_NONE), &plain));
    assert_int_equal(plain.n, 0);
}

static void a_changed_byte_does_not_open(void **state)
{
    uint8_t key[AEAD_KEY_BYTES] = {1};
    str sealed = aead_seal(a, key, STR("c"), STR("secret")), plain;

    (void)state;
    for (size_t i = 0; i < sealed.n; i++) {
        char *bad = arena_cstr(a, sealed);

        bad[i] ^= 1;
        assert_false(aead_open(a, key, STR("c"), (str){bad, sealed.n}, &plain));
        assert_false(
            aead_open(a, key, STR("c"), str_sub(sealed, 0, i), &plain));
    }
}

static void random_texts_are_letters_and_digits(void **state)
{
    bool seen[256] = {0};
    size_t kinds = 0;
    str s = crypto_random_text(a, 5000);

    (void)state;
    assert_int_equal(s.n, 5000);
    for (size_t i = 0; i < s.n; i++)
        seen[(unsigned char)s.p[i]] = true;
    for (size_t i = 0; i < sizeof seen; i++) {
        bool may = (i >= '0' && i <= '9') || (i >= 'A' && i <= 'Z') ||
                   (i >= 'a' && i <= 'z');

        assert_true(may || !seen[i]);
        kinds += seen[i];
    }
    assert_int_equal(kinds, 62);
    assert_int_equal(crypto_random_text(a, 0).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_sha256),
        cmocka_unit_test(a_stream_hashes_like_the_whole),
        cmocka_unit_test(macs_are_hmac_sha256),
        cmocka_unit_test(equal_texts_are_equal),
        cmocka_unit_test(base64_comes_back),
        cmocka_unit_test(other_base64_is_refused),
        cmocka_unit_test(what_is_sealed_opens_only_where_it_belongs),
        cmocka_unit_test(a_changed_byte_does_not_open),
        cmocka_unit_test(random_texts_are_letters_and_digits),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}

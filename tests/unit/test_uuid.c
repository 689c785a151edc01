#include "base/uuid.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

#define CANONICAL "01890a5d-ac96-774b-bcce-b302099a8057"

static struct arena *a;

static int open_arena(void **state)
{
    (void)state;
    a = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(a);
    return 0;
}

static void new_ids_rise(void **state)
{
    uuid last = uuid_new();

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uuid u = uuid_new();

        assert_true(uuid_cmp(u, last) > 0);
        assert_int_equal(u.b[6] >> 4, 7);
        assert_int_equal(u.b[8] >> 6, 2);
        last = u;
    }
}

static void an_id_holds_its_time(void **state)
{
    int64_t now = clock_wall_ms();
    uuid u;

    (void)state;
    assert_true(uuid_parse(STR(CANONICAL), STR_NONE, &u, a, NULL));
    assert_int_equal(uuid_wall_ms(u), 0x01890a5dac96);
    /* New ones may run ahead of the clock, but not far. */
    assert_in_range(uuid_wall_ms(uuid_new()), now, now + 5000);
}

static void *make_ids(void *to)
{
    uuid *v = to;

    for (int i = 0; i < 1000; i++)
        v[i] = uuid_new();
    return NULL;
}

static int cmp(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(uuid));
}

static void threads_never_make_the_same(void **state)
{
    static uuid v[4000];
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, make_ids, v + i * 1000), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    qsort(v, NELEMS(v), sizeof *v, cmp);
    for (size_t i = 1; i < NELEMS(v); i++)
        assert_false(uuid_eq(v[i], v[i - 1]));
}

static void every_accepted_form_gives_the_same_id(void **state)
{
    static const str FORMS[] = {
        STR_INIT(CANONICAL),
        STR_INIT("01890A5D-AC96-774B-BCCE-B302099A8057"),
        STR_INIT("01890a5dac96774bbcceb302099a8057"),
        STR_INIT("{" CANONICAL "}"),
        STR_INIT("urn:uuid:" CANONICAL),
        STR_INIT("kb_01h455vb4pex5vsknk084sn02q"), /* TypeID's own example */
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(FORMS); i++) {
        uuid u;

        assert_true(uuid_parse(FORMS[i], STR("kb"), &u, a, NULL));
        assert_true(str_eq(uuid_str(a, u), STR(CANONICAL)));
    }
}

/* The words are those of Pydantic 2.13; those of prefixed ids are ours. */
static void refusals_say_what_is_wrong(void **state)
{
    static const struct {
        str text, why;
    } BAD[] = {
#define BAD_ID(text, why) {STR_INIT(text), STR_INIT(why)}
        BAD_ID("",
               "invalid length: expected length 32 for simple format, found 0"),
        BAD_ID("abc",
               "invalid length: expected length 32 for simple format, found 3"),
        BAD_ID("not-a-uuid", "invalid character: found `n` at 1"),
        BAD_ID("01890a5d-ag96-774b-bcce-b302099a8057",
               "invalid character: found `g` at 11"),
        BAD_ID("0189\xc3\xa9"
               "5d-ac96-774b-bcce-b302099a8057",
               "invalid character: found `\xc3\xa9` at 5"),
        BAD_ID("0\xff", "invalid character: found `\xef\xbf\xbd` at 2"),
        BAD_ID(
            "01890a5dac96774bbcceb302099a805",
            "invalid length: expected length 32 for simple format, found 31"),
        BAD_ID(
            "0000000000000000000000000000000000000000000000",
            "invalid length: expected length 32 for simple format, found 46"),
        BAD_ID("1-2", "invalid group count: expected 5, found 2"),
        BAD_ID("{01890a5dac96774bbcceb302099a8057}",
               "invalid group count: expected 5, found 1"),
        BAD_ID(
            "000000000000000000000000000000000000",
            "invalid length: expected length 32 for simple format, found 36"),
        BAD_ID("01890a5-ac96-774b-bcce-b302099a8057",
               "invalid group length in group 0: expected 8, found 7"),
        BAD_ID("01890a5d-ac9-774b-bcce-b302099a8057",
               "invalid group length in group 1: expected 4, found 3"),
        BAD_ID("01890a5d-ac96-774b-bcce-b302099a805",
               "invalid group length in group 4: expected 12, found 11"),
        BAD_ID("urn:uuid:01890a5d-ac96-774b-bcce-b302099a805",
               "invalid group length in group 4: expected 12, found 20"),
        BAD_ID("{gggggggggggggggggggggggggggggggggggg}",
               "invalid character: found `g` at 1"),
        BAD_ID("URN:UUID:" CANONICAL, "invalid character: found `U` at 1"),
        BAD_ID("{", "invalid character: found `{` at 1"),
        BAD_ID("{}", "invalid group count: expected 5, found 1"),
        BAD_ID("doc_01h455vb4pex5vsknk084sn02q",
               "invalid character: found `o` at 2"),
        BAD_ID("kb_01h455vb4pex5vsknk084sn02", "invalid length: found 28"),
        BAD_ID("kb_01h455vb4pex5vsknk084sn02qq", "invalid length: found 30"),
        BAD_ID("kb_81h455vb4pex5vsknk084sn02q",
               "invalid character: found `8` at 4"),
        BAD_ID("kb_01H455vb4pex5vsknk084sn02q",
               "invalid character: found `H` at 6"),
        BAD_ID("kb_01h455vb4pex5vsknk084sn02u",
               "invalid character: found `u` at 29"),
        BAD_ID("kb_", "invalid length: found 3"),
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++) {
        uuid u;
        str why;

        assert_false(uuid_parse(BAD[i].text, STR("kb"), &u, a, &why));
        if (!str_eq(why, BAD[i].why))
            print_error(STR_FMT ": " STR_FMT "\n", STR_ARG(BAD[i].text),
                        STR_ARG(why));
        assert_true(str_eq(why, BAD[i].why));
        assert_false(uuid_parse(BAD[i].text, STR("kb"), &u, a, NULL));
    }
}

static void without_a_prefix_none_is_taken(void **state)
{
    uuid u;

    (void)state;
    assert_false(uuid_parse(STR("kb_01h455vb4pex5vsknk084sn02q"), STR_NONE, &u,
                            a, NULL));
    assert_false(
        uuid_parse(STR("_01h455vb4pex5vsknk084sn02q"), STR_NONE, &u, a, NULL));
}

static void nil_is_nil(void **state)
{
    uuid u = UUID_NIL;

    (void)state;
    assert_true(uuid_is_nil(u));
    assert_false(uuid_is_nil(uuid_new()));
    assert_true(
        str_eq(uuid_str(a, u), STR("00000000-0000-0000-0000-000000000000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ids_rise),
        cmocka_unit_test(an_id_holds_its_time),
        cmocka_unit_test(threads_never_make_the_same),
        cmocka_unit_test(every_accepted_form_gives_the_same_id),
        cmocka_unit_test(refusals_say_what_is_wrong),
        cmocka_unit_test(without_a_prefix_none_is_taken),
        cmocka_unit_test(nil_is_nil),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}

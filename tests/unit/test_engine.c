#include "engine/engine.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/rng.h"
#include "engine_fix.h"

/* ---- what is found ---- */

static void a_committed_batch_is_found(void **state)
{
    struct fix f;
    struct put p;
    struct engine_result r;

    (void)state;
    fix_make(&f, false);
    p = fix_put(&f, f.base, "Boats", "# Sails\nthe red sail tears\ncalm water");
    r = fix_search(&f, (struct engine_query){.text = STR("torn sails tear")});
    assert_int_equal(r.hits_n, 2); /* the second by its heading */
    assert_true(uuid_eq(r.hits[0].base, f.base));
    assert_true(uuid_eq(r.hits[0].document, p.document));
    assert_true(uuid_eq(r.hits[0].version, p.version));
    assert_int_equal(r.hits[0].version_number, 1);
    assert_int_equal(r.hits[0].chunk_index, 0);
    assert_int_equal(r.hits[0].start, 8);
    assert_int_equal(r.hits[0].end, 26);
    assert_int_equal(r.hits[0].start_cp, 8);
    assert_int_equal(r.hits[0].page, 1);
    assert_true(r.hits[0].box[3] == 4);
    assert_int_equal(r.hits[0].headings_n, 1);
    assert_true(str_eq(r.hits[0].headings[0], STR("Sails")));
    assert_int_equal(r.hits[1].chunk_index, 1);
    assert_true(r.hits[0].score == 1);
    assert_true(r.hits[1].score < 1 && r.hits[1].score > 0);
    assert_int_equal(r.candidates, 2);
    assert_int_equal(fix_count(&f, "boat"), 2);
    assert_int_equal(fix_count(&f, "unheard"), 0);
    assert_int_equal(fix_count(&f, "?!"), 0);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static void a_batch_that_is_not_committed_leaves_nothing(void **state)
{
    struct fix f;
    struct put p;
    struct err e = {0};
    struct engine_stats st;
    str *names;
    char dir[200], name[UUID_TEXT];
    size_t n;

    (void)state;
    fix_make(&f, false);
    p = put_of(&f, f.base, "Boats", "red sail");
    p.gone = true;
    assert_int_equal(put_try(&p, &e), RC_CONFLICT);
    assert_int_equal(fix_count(&f, "sail"), 0);
    engine_stats(f.engine, &st);
    assert_int_equal(st.segments, 0);
    uuid_text(f.base, name);
    (void)snprintf(dir, sizeof dir, "%s/index/%s", f.dir, name);
    must(file_list(dir, 10, f.a, &names, &n, &e), &e);
    assert_int_equal(n, 0);
    fix_end(&f);
}

static void a_deleted_document_is_gone_at_the_next_search(void **state)
{
    struct fix f;
    struct put p, q;

    (void)state;
    fix_make(&f, true);
    p = fix_put(&f, f.base, "A", "red sail\nred keel");
    q = fix_put(&f, f.base, "B", "red mast");
    assert_int_equal(fix_count(&f, "red"), 3);
    fix_delete(&p);
    assert_int_equal(fix_count(&f, "red"), 1);
    fix_delete(&q);
    assert_int_equal(fix_count(&f, "red"), 0);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static void a_new_version_replaces_the_former(void **state)
{
    struct fix f;
    struct put p, q;
    struct engine_result r;

    (void)state;
    fix_make(&f, true);
    p = fix_put(&f, f.base, "A", "red sail");
    q = fix_update(&p, "red keel", VERSION_ACTIVE);
    r = fix_search(&f, (struct engine_query){.text = STR("red")});
    assert_int_equal(r.hits_n, 1);
    assert_true(uuid_eq(r.hits[0].version, q.version));
    assert_int_equal(r.hits[0].version_number, 2);
    fix_reopen(&f);
    assert_int_equal(fix_count(&f, "sail"), 0);
    assert_int_equal(fix_count(&f, "keel"), 1);
    fix_end(&f);
}

static void pins_put_a_version_in_place_of_the_active_one(void **state)
{
    struct fix f;
    struct put p, q, draft, other;
    struct engine_result r;
    struct engine_pin pins[2];

    (void)state;
    fix_make(&f, false);
    other = fix_put(&f, f.base, "B", "red flag");
    p = fix_put(&f, f.base, "A", "red sail");
    q = fix_update(&p, "red keel", VERSION_ACTIVE);
    draft = fix_update(&q, "red mast", VERSION_DRAFT);
    assert_int_equal(fix_count(&f, "red"), 2);
    pins[0] = (struct engine_pin){p.document, p.version};
    r = fix_search(&f, (struct engine_query){
                           .text = STR("red"), .pins = pins, .pins_n = 1});
    assert_int_equal(r.hits_n, 2);
    r = fix_search(&f, (struct engine_query){
                           .text = STR("sail"), .pins = pins, .pins_n = 1});
    assert_int_equal(r.hits_n, 1);
    assert_true(uuid_eq(r.hits[0].version, p.version));
    pins[0].version = draft.version;
    r = fix_search(&f, (struct engine_query){
                           .text = STR("mast"), .pins = pins, .pins_n = 1});
    assert_int_equal(r.hits_n, 1);
    r = fix_search(&f, (struct engine_query){
                           .text = STR("keel"), .pins = pins, .pins_n = 1});
    assert_int_equal(r.hits_n, 0);
    /* A pin to another document's version hides the document. */
    pins[0].version = other.version;
    pins[1] = (struct engine_pin){other.document, other.version};
    r = fix_search(&f, (struct engine_query){
                           .text = STR("red"), .pins = pins, .pins_n = 2});
    assert_int_equal(r.hits_n, 1);
    assert_true(uuid_eq(r.hits[0].version, other.version));
    /* Merges keep versions that only pins reach. */
    fix_settle(&f);
    pins[0].version = p.version;
    r = fix_search(&f, (struct engine_query){
                           .text = STR("sail"), .pins = pins, .pins_n = 1});
    assert_int_equal(r.hits_n, 1);
    fix_end(&f);
}

static void a_version_without_text_counts_as_indexed(void **state)
{
    struct fix f;
    struct put p;
    struct err e = {0};
    uuid *v;
    size_t n;

    (void)state;
    fix_make(&f, false);
    p = fix_put(&f, f.base, "Empty", "");
    must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
    assert_int_equal(n, 0);
    fix_delete(&p);
    fix_settle(&f);
    assert_int_equal(fix_check(&f, true), 0);
    fix_reopen(&f);
    assert_int_equal(fix_count(&f, "empty"), 0);
    fix_end(&f);
}

static void several_bases_make_one_ranking(void **state)
{
    struct fix f;
    uuid bases[3];
    struct engine_result one, two;

    (void)state;
    fix_make(&f, true);
    bases[0] = f.base;
    bases[1] = fix_base(&f, false);
    bases[2] = f.base; /* asked for twice: counts once */
    (void)fix_put(&f, bases[0], "A", "red sail\nblue keel\nred mast and sail");
    (void)fix_put(&f, bases[1], "B", "red sail red\ngreen\nblue keel");
    /* The same documents in one base score the same. */
    uuid whole = fix_base(&f, false);
    (void)fix_put(&f, whole, "A", "red sail\nblue keel\nred mast and sail");
    (void)fix_put(&f, whole, "B", "red sail red\ngreen\nblue keel");
    two = fix_search(&f, (struct engine_query){.text = STR("red keel"),
                                               .bases = bases,
                                               .bases_n = 3});
    one = fix_search(&f, (struct engine_query){.text = STR("red keel"),
                                               .bases = &whole,
                                               .bases_n = 1});
    assert_int_equal(two.hits_n, 5);
    assert_int_equal(one.hits_n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(one.hits[i].score == two.hits[i].score);
    fix_end(&f);
}

static void an_unknown_base_is_not_found(void **state)
{
    struct fix f;
    uuid base = uuid_new();
    struct engine_query q = {
        .bases = &base, .bases_n = 1, .text = STR("a"), .hits_max = 3};
    struct engine_result r;
    struct engine_batch *b;
    struct err e = {0};

    (void)state;
    fix_make(&f, false);
    assert_int_equal(search_try(&f, &q, &r, &e), RC_NOTFOUND);
    assert_int_equal(engine_batch_open(f.engine, base, &b, &e), RC_NOTFOUND);
    assert_int_equal(fix_count(&f, "a"), 0); /* an empty one is fine */
    fix_end(&f);
}

/* ---- scores ---- */

static const char *const WORDS[] = {
    "red",  "sail", "keel", "mast",  "wind",  "calm", "storm",  "harbour",
    "rope", "gull", "tide", "chart", "north", "lamp", "anchor", "crew"};

static char *random_lines(struct fix *f, struct rng *r, size_t lines,
                          const char *extra)
{
    struct buf b = {0};
    char *text;

    for (size_t i = 0; i < lines; i++) {
        size_t n = 3 + (size_t)rng_below(r, 12);

        for (size_t k = 0; k < n; k++) {
            /* The first words are the most frequent. */
            uint64_t w = rng_below(r, 16), x = rng_below(r, 16);

            buf_put(&b, str_of(WORDS[w < x ? w : x]));
            buf_put_char(&b, ' ');
        }
        if (i == 0)
            buf_put(&b, str_of(extra));
        buf_put_char(&b, '\n');
    }
    text = arena_cstr(f->a, buf_str(&b));
    buf_close(&b);
    return text;
}

static void fill(struct fix *f, size_t docs, size_t lines)
{
    struct rng r = rng_seeded(7);

    for (size_t i = 0; i < docs; i++)
        (void)fix_put(f, f->base, "doc", random_lines(f, &r, lines, ""));
}

static void what_explain_says_adds_up(void **state)
{
    struct fix f;
    struct engine_result r;

    (void)state;
    fix_make(&f, true);
    fill(&f, 6, 20);
    r = fix_search(&f, (struct engine_query){.text = STR("storm anchor red"),
                                             .explain = true});
    assert_int_equal(r.hits_n, 30);
    for (size_t i = 0; i < r.hits_n; i++) {
        const struct engine_leg_score *leg = &r.hits[i].legs[0];
        float raw = 0, score = 0;

        assert_int_equal(r.hits[i].legs_n, 1);
        assert_string_equal(leg->leg, "lexical");
        assert_int_equal(leg->rank, i + 1);
        for (size_t k = 0; k < leg->terms_n; k++)
            raw += leg->terms[k].weight;
        assert_true(raw == leg->raw);
        for (size_t k = 0; k < r.hits[i].legs_n; k++)
            score += r.hits[i].legs[k].contribution;
        assert_true(score == r.hits[i].score);
        assert_true(leg->normalized * leg->weight == leg->contribution);
    }
    assert_true(r.stages_n == 3);
    r = fix_search(&f, (struct engine_query){.text = STR("storm")});
    assert_int_equal(r.hits[0].legs_n, 0);
    fix_end(&f);
}

static void scores_dont_depend_on_how_many_are_asked_for(void **state)
{
    struct fix f;
    struct engine_result few, many, oracle;

    (void)state;
    fix_make(&f, true);
    fill(&f, 10, 40);
    many = fix_search(&f, (struct engine_query){.text = STR("gull rope red"),
                                                .hits_max = 300});
    assert_true(many.hits_n > 200);
    for (size_t n = 1; n < 130; n += 7) {
        few = fix_search(&f, (struct engine_query){.text = STR("gull rope red"),
                                                   .hits_max = n});
        assert_int_equal(few.hits_n, n);
        assert_int_equal(few.candidates, n < 100 ? 100 : n);
        for (size_t i = 0; i < n; i++) {
            assert_true(few.hits[i].score == many.hits[i].score);
            assert_true(uuid_eq(few.hits[i].document, many.hits[i].document));
            assert_int_equal(few.hits[i].chunk_index, many.hits[i].chunk_index);
        }
    }
    oracle = fix_search(&f, (struct engine_query){.text = STR("gull rope red"),
                                                  .hits_max = 300,
                                                  .exhaustive = true});
    assert_int_equal(oracle.hits_n, many.hits_n);
    for (size_t i = 0; i < many.hits_n; i++)
        assert_true(oracle.hits[i].score == many.hits[i].score);
    fix_end(&f);
}

static void ties_are_cut_by_chunk_id(void **state)
{
    struct fix f;
    struct put p[150];
    struct engine_result r;

    (void)state;
    fix_make(&f, true);
    for (size_t i = 0; i < NELEMS(p); i++) {
        p[i] = put_of(&f, f.base, "same", "red sail");
        /* So that ids don't ascend with places. */
        p[i].document.b[0] = (uint8_t)(i * 37);
    }
    for (size_t i = 0; i < NELEMS(p); i++) {
        struct err e = {0};

        must(put_try(&p[i], &e), &e);
    }
    r = fix_search(&f,
                   (struct engine_query){.text = STR("sail"), .hits_max = 20});
    assert_int_equal(r.hits_n, 20);
    assert_int_equal(r.candidates, 100);
    for (size_t i = 1; i < r.hits_n; i++)
        assert_true(uuid_cmp(r.hits[i - 1].document, r.hits[i].document) < 0);
    for (size_t i = 0; i < NELEMS(p); i++) /* none below the last is left out*/
        if (uuid_cmp(p[i].document, r.hits[19].document) <= 0) {
            size_t k = 0;

            while (k < 20 && !uuid_eq(r.hits[k].document, p[i].document))
                k++;
            assert_true(k < 20);
        }
    fix_end(&f);
}

static void by_document_gives_the_best_chunk_of_each(void **state)
{
    struct fix f;
    struct engine_result all, docs;
    size_t seen = 0;

    (void)state;
    fix_make(&f, true);
    fill(&f, 25, 30);
    all = fix_search(
        &f, (struct engine_query){.text = STR("red storm"), .hits_max = 1000});
    docs = fix_search(&f, (struct engine_query){.text = STR("red storm"),
                                                .hits_max = 20,
                                                .by_document = true});
    assert_int_equal(docs.hits_n, 20);
    for (size_t i = 0; i < all.hits_n && seen < docs.hits_n; i++) {
        bool before = false;

        for (size_t k = 0; k < i; k++)
            before |= uuid_eq(all.hits[k].document, all.hits[i].document);
        if (before)
            continue;
        assert_true(uuid_eq(all.hits[i].document, docs.hits[seen].document));
        assert_true(all.hits[i].score == docs.hits[seen].score);
        seen++;
    }
    assert_int_equal(seen, 20);
    fix_end(&f);
}

/* ---- merges ---- */

static void merges_change_no_answer(void **state)
{
    struct fix f;
    struct put p[40];
    struct rng r = rng_seeded(3);
    struct engine_result was, is;
    struct engine_stats before, after;

    (void)state;
    fix_make(&f, true);
    for (size_t i = 0; i < NELEMS(p); i++)
        p[i] = fix_put(&f, f.base, "doc", random_lines(&f, &r, 5, ""));
    was = fix_search(&f, (struct engine_query){.text = STR("red gull storm"),
                                               .hits_max = 100,
                                               .explain = true});
    engine_stats(f.engine, &before);
    assert_int_equal(before.segments, 40);
    f.quiet = false;
    fix_reopen(&f);
    assert_int_equal(fix_count(&f, "red") > 0, 1);
    fix_settle(&f);
    engine_stats(f.engine, &after);
    assert_true(after.segments < 8);
    assert_true(after.merges > 0);
    assert_int_equal(after.rows, before.rows);
    is = fix_search(&f, (struct engine_query){.text = STR("red gull storm"),
                                              .hits_max = 100,
                                              .explain = true});
    assert_int_equal(was.hits_n, is.hits_n);
    for (size_t i = 0; i < was.hits_n; i++) {
        assert_true(was.hits[i].score == is.hits[i].score);
        assert_true(uuid_eq(was.hits[i].version, is.hits[i].version));
        assert_int_equal(was.hits[i].chunk_index, is.hits[i].chunk_index);
        assert_int_equal(was.hits[i].start, is.hits[i].start);
    }
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static size_t files_with(const char *dir, const char *text)
{
    char path[600];
    DIR *d = opendir(dir);
    struct dirent *entry;
    struct arena *a = arena_open();
    size_t n = 0;

    if (d == NULL) {
        arena_close(a);
        return 0;
    }
    while ((entry = readdir(d)) != NULL) {
        str bytes;

        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (file_read(path, 1 << 20, a, &bytes, NULL) == RC_OK &&
            str_find(bytes, str_of(text)) < bytes.n)
            n++;
    }
    (void)closedir(d);
    arena_close(a);
    return n;
}

static void what_was_deleted_leaves_every_file(void **state)
{
    struct fix f;
    struct put p;
    char dir[200], name[UUID_TEXT];
    struct engine_stats st;
    int64_t until = clock_mono_ns() + (int64_t)120 * 1000000000;

    (void)state;
    fix_make(&f, false);
    uuid_text(f.base, name);
    (void)snprintf(dir, sizeof dir, "%s/index/%s", f.dir, name);
    p = fix_put(&f, f.base, "Secret", "# Qqqheading\nzzzsecret word");
    (void)fix_put(&f, f.base, "Other", "plain word");
    assert_int_equal(files_with(dir, "zzzsecret"), 1);
    fix_delete(&p);
    /* By itself, in a quiet moment. */
    do {
        clock_test_advance(500);
        engine_stats(f.engine, &st);
    } while (st.rows_dead > 0 && clock_mono_ns() < until);
    fix_settle(&f);
    assert_int_equal(files_with(dir, "zzzsecret"), 0);
    assert_int_equal(files_with(dir, "Qqqheading"), 0);
    assert_int_equal(fix_count(&f, "word"), 1);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static void what_was_deleted_in_a_closed_base_leaves_too(void **state)
{
    struct fix f;
    struct put p;
    char dir[200], name[UUID_TEXT];

    (void)state;
    fix_make(&f, false);
    uuid_text(f.base, name);
    (void)snprintf(dir, sizeof dir, "%s/index/%s", f.dir, name);
    p = fix_put(&f, f.base, "Secret", "zzzsecret word\nplain");
    (void)fix_put(&f, f.base, "Other", "plain word");
    fix_reopen(&f); /* nothing is open now */
    fix_delete(&p);
    fix_settle(&f);
    assert_int_equal(files_with(dir, "zzzsecret"), 0);
    assert_int_equal(fix_count(&f, "word"), 1);
    fix_end(&f);
}

static void a_deleted_base_leaves_no_folder(void **state)
{
    struct fix f;
    uuid other;
    struct engine_query q;
    struct engine_result r;
    struct err e = {0};
    char dir[200], name[UUID_TEXT];

    (void)state;
    fix_make(&f, false);
    other = fix_base(&f, false);
    q = (struct engine_query){
        .bases = &other, .bases_n = 1, .text = STR("red"), .hits_max = 3};
    (void)fix_put(&f, other, "A", "red sail");
    (void)fix_put(&f, f.base, "A", "red sail");
    uuid_text(other, name);
    (void)snprintf(dir, sizeof dir, "%s/index/%s", f.dir, name);
    assert_true(file_exists(dir));
    fix_base_delete(&f, other);
    assert_int_equal(search_try(&f, &q, &r, &e), RC_NOTFOUND);
    fix_settle(&f);
    assert_false(file_exists(dir));
    assert_int_equal(search_try(&f, &q, &r, &e), RC_NOTFOUND);
    assert_int_equal(fix_count(&f, "sail"), 1);
    /* One that was deleted while nobody looked goes at the next start. */
    assert_int_equal(mkdir(dir, 0700), 0);
    fix_reopen(&f);
    fix_settle(&f);
    assert_false(file_exists(dir));
    fix_end(&f);
}

/* ---- damage ---- */

static void first_segment(struct fix *f, char path[600])
{
    char dir[200], name[UUID_TEXT];
    struct err e = {0};
    str *names;
    size_t n;

    uuid_text(f->base, name);
    (void)snprintf(dir, sizeof dir, "%s/index/%s", f->dir, name);
    must(file_list(dir, 100, f->a, &names, &n, &e), &e);
    assert_true(n > 0);
    (void)snprintf(path, 600, "%s/%.*s", dir, STR_ARG(names[0]));
}

enum damage { FLIP, TRUNCATE, EMPTY, REMOVE, SWAP, DAMAGES };

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t b;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x10;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    (void)close(fd);
}

static void damage(struct fix *f, enum damage d, uint64_t where)
{
    char path[600];
    uint64_t bytes;
    struct err e = {0};

    first_segment(f, path);
    must(file_size(path, &bytes, &e), &e);
    switch (d) {
    case FLIP:
        flip(path, (off_t)(where % bytes));
        break;
    case TRUNCATE:
        assert_int_equal(truncate(path, (off_t)(where % bytes)), 0);
        break;
    case EMPTY:
        assert_int_equal(truncate(path, 0), 0);
        break;
    case REMOVE:
        assert_int_equal(unlink(path), 0);
        break;
    case SWAP: { /* another whole segment in its place */
        char from[600], name[UUID_TEXT];
        uuid other = fix_base(f, false);
        str text;

        (void)fix_put(f, other, "X", "wrong wrong");
        uuid_text(other, name);
        (void)snprintf(from, sizeof from, "%s/index/%s/1.seg", f->dir, name);
        must(file_read(from, 1 << 20, f->a, &text, &e), &e);
        must(file_write_atomic(path, text, 0600, &e), &e);
        break;
    }
    case DAMAGES:
        break;
    }
}

static void damage_is_not_served_and_heals(void **state)
{
    (void)state;
    for (int d = FLIP; d < DAMAGES; d++) {
        struct fix f;
        struct put p, q;
        struct err e = {0};
        struct engine_stats st;
        uuid *v;
        size_t n;

        fix_make(&f, true);
        p = fix_put(&f, f.base, "A", "red sail\nblue keel");
        q = fix_put(&f, f.base, "B", "red mast");
        fix_close(&f);
        if (d == SWAP) {
            fix_open(&f);
            damage(&f, SWAP, 0);
            fix_close(&f);
        } else {
            damage(&f, (enum damage)d, 80); /* in SEGI */
        }
        fix_open(&f);
        assert_true(fix_check(&f, false) > 0);
        assert_int_equal(fix_count(&f, "red"), 1);
        assert_int_equal(fix_count(&f, "wrong"), 0);
        must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
        assert_int_equal(n, 1);
        assert_true(uuid_eq(v[0], p.version));
        engine_stats(f.engine, &st);
        assert_int_equal(st.rebuilt, 1);
        p.again = true;
        must(put_try(&p, &e), &e);
        assert_int_equal(fix_count(&f, "red"), 2);
        assert_int_equal(fix_count(&f, "keel"), 1);
        must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
        assert_int_equal(n, 0);
        fix_settle(&f);
        assert_int_equal(fix_check(&f, true), 0);
        fix_reopen(&f);
        assert_int_equal(fix_count(&f, "red"), 2);
        fix_delete(&q);
        fix_end(&f);
    }
}

static void no_single_damage_is_served(void **state)
{
    struct rng r = rng_seeded(11);
    struct fix f;
    struct put p;
    size_t served = 0;

    (void)state;
    fix_make(&f, true);
    p = fix_put(&f, f.base, "A", "red sail\nblue keel\nred mast");
    log_level_set(LOG_ERROR + 0);
    for (size_t i = 0; i < 60; i++) {
        struct err e = {0};
        uuid *v;
        size_t n;

        fix_close(&f);
        damage(&f, i % 4 == 3 ? TRUNCATE : FLIP, rng_next(&r) >> 1);
        fix_open(&f);
        must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
        /* A flip in the padding between sections harms nothing. */
        if (n == 0) {
            assert_int_equal(fix_count(&f, "red"), 2);
            served++;
            continue;
        }
        assert_int_equal(fix_count(&f, "red"), 0);
        p.again = true;
        must(put_try(&p, &e), &e);
        assert_int_equal(fix_count(&f, "red"), 2);
        fix_settle(&f); /* the lost file is dropped */
    }
    assert_true(served < 30);
    fix_end(&f);
}

static uuid told_base;
static size_t told_n;

static void on_missing(void *arg, uuid base)
{
    pthread_mutex_t *lock = arg;

    (void)pthread_mutex_lock(lock);
    told_base = base;
    told_n++;
    (void)pthread_mutex_unlock(lock);
}

static void the_owner_is_told_of_what_is_missing(void **state)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct fix f;
    struct err e = {0};

    (void)state;
    fix_make(&f, true);
    (void)fix_put(&f, f.base, "A", "red sail");
    fix_close(&f);
    damage(&f, REMOVE, 0);
    told_n = 0;
    must(store_open(&(struct store_opts){.dir = f.dir}, &f.store, &e), &e);
    must(engine_open(&(struct engine_opts){.store = f.store,
                                           .on_missing = on_missing,
                                           .arg = &lock},
                     &f.engine, &e),
         &e);
    assert_int_equal(fix_count(&f, "red"), 0);
    fix_settle(&f);
    (void)pthread_mutex_lock(&lock);
    assert_int_equal(told_n, 1);
    assert_true(uuid_eq(told_base, f.base));
    (void)pthread_mutex_unlock(&lock);
    fix_end(&f);
}

static size_t missing_n(struct fix *f, uuid version)
{
    struct err e = {0};
    uuid *v;
    size_t n;

    must(engine_missing(f->engine, f->base, f->a, &v, &n, &e), &e);
    if (n > 0)
        assert_true(uuid_eq(v[0], version));
    return n;
}

/* The keeper looks at it while it is open. */
static void damage_of_an_open_segment_heals(void **state)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    (void)state;
    for (int d = FLIP; d < DAMAGES; d++) {
        struct fix f;
        struct put p;
        struct err e = {0};
        struct engine_stats st;

        fix_make(&f, true);
        f.verify_ns = 1;
        f.on_missing = on_missing;
        f.arg = &lock;
        fix_reopen(&f);
        p = fix_put(&f, f.base, "A", "red sail\nblue keel");
        (void)fix_put(&f, f.base, "B", "red mast");
        assert_int_equal(fix_count(&f, "red"), 2);
        fix_settle(&f);
        told_n = 0;
        damage(&f, (enum damage)d, 80); /* in SEGI */
        fix_settle(&f);
        (void)pthread_mutex_lock(&lock);
        assert_int_equal(told_n, 1);
        assert_true(uuid_eq(told_base, f.base));
        (void)pthread_mutex_unlock(&lock);
        assert_int_equal(fix_count(&f, "red"), 1);
        assert_int_equal(fix_count(&f, "wrong"), 0);
        assert_int_equal(missing_n(&f, p.version), 1);
        p.again = true;
        must(put_try(&p, &e), &e);
        assert_int_equal(fix_count(&f, "red"), 2);
        assert_int_equal(missing_n(&f, p.version), 0);
        fix_settle(&f);
        engine_stats(f.engine, &st);
        assert_int_equal(st.rebuilt, 1);
        assert_int_equal(fix_check(&f, true), 0);
        fix_reopen(&f);
        assert_int_equal(fix_count(&f, "red"), 2);
        fix_end(&f);
    }
}

static void what_an_open_segment_held_keeps_its_state(void **state)
{
    struct fix f;
    struct put p, q;
    struct err e = {0};

    (void)state;
    fix_make(&f, true);
    f.verify_ns = 1;
    fix_reopen(&f);
    p = put_of(&f, f.base, "A", "red sail");
    p.state = VERSION_DRAFT;
    must(put_try(&p, &e), &e);
    damage(&f, EMPTY, 0);
    fix_settle(&f);
    assert_int_equal(missing_n(&f, p.version), 1);
    p.again = true;
    must(put_try(&p, &e), &e);
    assert_int_equal(missing_n(&f, p.version), 0);
    assert_int_equal(fix_count(&f, "red"), 0);
    fix_delete(&p);
    /* what is deleted is not missing, before and after */
    q = fix_put(&f, f.base, "B", "red mast");
    fix_delete(&q);
    damage(&f, EMPTY, 0);
    fix_settle(&f);
    assert_int_equal(missing_n(&f, p.version), 0);
    q = fix_put(&f, f.base, "C", "red mast");
    damage(&f, EMPTY, 0);
    fix_settle(&f);
    fix_delete(&q);
    assert_int_equal(missing_n(&f, q.version), 0);
    fix_end(&f);
}

enum { LOST = 8 };

struct busy {
    struct write write;
    struct fix f;
    struct put p[LOST];
    size_t i;
    atomic_bool stop;
};

static rc turn_run(struct write *w, struct db *db, struct err *e)
{
    struct busy *b = (struct busy *)w;
    const struct put *p = &b->p[b->i % LOST];
    struct version_row v;
    rc code =
        db_version_get(db, b->f.tenant, b->f.base, p->version, b->f.a, &v, e);

    if (code != RC_OK)
        return code;
    v.state = v.state == VERSION_ACTIVE ? VERSION_ARCHIVED : VERSION_ACTIVE;
    return db_version_update(db, &v, e);
}

/* Versions that are being lost change their states. */
static void *busy_run(void *arg)
{
    struct busy *b = arg;
    struct err e = {0};

    for (b->i = 0; !atomic_load(&b->stop); b->i++) {
        b->write = (struct write){.run = turn_run};
        must(store_write(b->f.store, &b->write, &e), &e);
    }
    return NULL;
}

/* Whatever changes while the versions of a lost segment are looked up, the base
 * is as if it had been opened afterwards. */
static void a_segment_is_lost_while_changes_come(void **state)
{
    struct fix f;
    struct busy b = {0};
    struct err e = {0};
    struct engine_stats st;
    pthread_t thread;
    char path[600], name[UUID_TEXT];
    size_t found, n;
    uuid *v;

    (void)state;
    fix_make(&f, true);
    f.verify_ns = 1;
    fix_reopen(&f);
    for (size_t i = 0; i < LOST; i++)
        b.p[i] = fix_put(&f, f.base, "A", "red sail");
    b.f = f;
    b.f.a = arena_open();
    uuid_text(f.base, name);
    assert_int_equal(pthread_create(&thread, NULL, busy_run, &b), 0);
    for (int i = 1; i <= LOST; i++) {
        (void)snprintf(path, sizeof path, "%s/index/%s/%d.seg", f.dir, name, i);
        flip(path, 80);
        fix_settle(&f);
    }
    atomic_store(&b.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    engine_stats(f.engine, &st);
    assert_int_equal(st.rebuilt, LOST);
    must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
    assert_int_equal(n, LOST);
    for (size_t i = 0; i < LOST; i++) {
        b.p[i].again = true;
        must(put_try(&b.p[i], &e), &e);
    }
    must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
    assert_int_equal(n, 0);
    found = fix_count(&f, "red");
    fix_reopen(&f);
    assert_int_equal(fix_count(&f, "red"), found);
    arena_close(b.f.a);
    fix_end(&f);
}

static void a_file_noted_as_unreadable_is_rebuilt(void **state)
{
    struct fix f;
    char path[600], note[200];
    struct err e = {0};
    uuid *v;
    size_t n;

    (void)state;
    fix_make(&f, true);
    (void)fix_put(&f, f.base, "A", "red sail");
    fix_close(&f);
    first_segment(&f, path);
    (void)snprintf(note, sizeof note, "%s/index/bad-map", f.dir);
    must(file_write_atomic(note, str_of(path), 0600, &e), &e);
    fix_open(&f);
    assert_false(file_exists(note));
    assert_false(file_exists(path));
    must(engine_missing(f.engine, f.base, f.a, &v, &n, &e), &e);
    assert_int_equal(n, 1);
    fix_end(&f);
}

static void reopened_it_answers_as_before(void **state)
{
    struct fix f;
    struct engine_result was, is;

    (void)state;
    fix_make(&f, false);
    fill(&f, 12, 10);
    fix_settle(&f);
    was = fix_search(
        &f, (struct engine_query){.text = STR("calm tide"), .hits_max = 100});
    fix_reopen(&f);
    is = fix_search(
        &f, (struct engine_query){.text = STR("calm tide"), .hits_max = 100});
    assert_true(was.hits_n > 10);
    assert_int_equal(was.hits_n, is.hits_n);
    for (size_t i = 0; i < was.hits_n; i++) {
        assert_true(was.hits[i].score == is.hits[i].score);
        assert_true(uuid_eq(was.hits[i].version, is.hits[i].version));
        assert_int_equal(was.hits[i].chunk_index, is.hits[i].chunk_index);
    }
    fix_end(&f);
}

static void the_newest_copy_of_a_version_counts(void **state)
{
    struct fix f;
    struct put p;
    struct err e = {0};

    (void)state;
    fix_make(&f, false);
    p = fix_put(&f, f.base, "Old title", "red sail");
    p.title = STR("New name");
    p.again = true;
    must(put_try(&p, &e), &e);
    assert_int_equal(fix_count(&f, "red"), 1);
    assert_int_equal(fix_count(&f, "name"), 1);
    assert_int_equal(fix_count(&f, "title"), 0);
    fix_reopen(&f);
    assert_int_equal(fix_count(&f, "name"), 1);
    assert_int_equal(fix_count(&f, "title"), 0);
    fix_settle(&f);
    assert_int_equal(fix_count(&f, "name"), 1);
    assert_int_equal(fix_check(&f, true), 0);
    fix_delete(&p);
    assert_int_equal(fix_count(&f, "red"), 0);
    fix_end(&f);
}

/* ---- many bases ---- */

static uint64_t rss_bytes(void)
{
    unsigned long pages = 0, rss = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &pages, &rss), 2);
    (void)fclose(file);
    return (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void small_bases_cost_files_not_memory(void **state)
{
    enum { BASES = BASES_OPEN_MAX + 100 };
    struct fix f;
    uuid bases[BASES];
    struct engine_stats st;
    uint64_t before, after;

    (void)state;
    fix_make(&f, false);
    for (size_t i = 0; i < BASES; i++) {
        bases[i] = fix_base(&f, false);
        (void)fix_put(&f, bases[i], "A", "red sail\nblue keel");
    }
    fix_reopen(&f);
    before = rss_bytes();
    for (size_t i = 0; i < BASES; i++) {
        struct engine_result r = fix_search(
            &f, (struct engine_query){
                    .text = STR("sail"), .bases = &bases[i], .bases_n = 1});

        assert_int_equal(r.hits_n, 1);
        engine_stats(f.engine, &st);
        assert_true(st.bases_open <= BASES_OPEN_MAX + 2);
    }
    after = rss_bytes();
    print_message("%d bases searched: %llu KiB more\n", BASES,
                  (unsigned long long)(after - before) / 1024);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !(defined(__clang__))
    assert_true(after < before + 24 * MIB);
#endif
    fix_end(&f);
}

/* ---- sessions ---- */

static void an_old_session_gets_no_old_answer(void **state)
{
    struct fix f;
    struct put p;
    struct db *db;
    struct err e = {0};
    struct engine_result r;
    struct engine_query q = {.bases_n = 1, .text = STR("sail"), .hits_max = 3};
    uint64_t generation;

    (void)state;
    fix_make(&f, true);
    q.bases = &f.base;
    p = fix_put(&f, f.base, "A", "red sail");
    (void)fix_put(&f, f.base, "B", "blue sail");
    fix_reopen(&f);
    must(store_read_begin(f.store, &db, &e), &e);
    must(db_generation(db, f.base, &generation, &e), &e);
    fix_delete(&p); /* of a base that is not open */
    must(engine_search(f.engine, db, NULL, &q, f.a, &r, &e), &e);
    assert_int_equal(r.hits_n, 1);
    store_read_end(db);
    fix_end(&f);
}

static void what_a_hit_names_is_in_the_session(void **state)
{
    struct fix f;
    struct db *db;
    struct err e = {0};
    struct engine_result r;
    struct engine_query q = {.bases_n = 1, .text = STR("sail"), .hits_max = 3};
    struct hit_row row;
    uint64_t generation;

    (void)state;
    fix_make(&f, true);
    q.bases = &f.base;
    must(store_read_begin(f.store, &db, &e), &e);
    must(db_generation(db, f.base, &generation, &e), &e);
    (void)fix_put(&f, f.base, "A", "red sail");
    must(engine_search(f.engine, db, NULL, &q, f.a, &r, &e), &e);
    assert_int_equal(r.hits_n, 1);
    must(db_hit(db, f.base, r.hits[0].version, f.a, &row, &e), &e);
    assert_true(str_eq(row.title, STR("A")));
    store_read_end(db);
    fix_end(&f);
}

static void a_caller_who_left_gets_no_answer(void **state)
{
    struct fix f;
    struct db *db;
    struct err e = {0};
    struct engine_result r;
    struct engine_query q = {.bases_n = 1, .text = STR("sail"), .hits_max = 3};
    atomic_bool cancel = true;
    struct caller left = {.cancel = &cancel}, late = {.deadline_ns = 1};

    (void)state;
    fix_make(&f, true);
    q.bases = &f.base;
    (void)fix_put(&f, f.base, "A", "red sail");
    must(store_read_begin(f.store, &db, &e), &e);
    assert_int_equal(engine_search(f.engine, db, &left, &q, f.a, &r, &e),
                     RC_CANCELLED);
    assert_int_equal(engine_search(f.engine, db, &late, &q, f.a, &r, &e),
                     RC_TIMEOUT);
    store_read_end(db);
    fix_end(&f);
}

/* ---- marks ---- */

static void marks_are_where_the_words_are(void **state)
{
    struct arena *a = arena_open();
    struct engine_mark *v;
    size_t n;

    (void)state;
    engine_marks(STR("running boats"), STR("\xc3\xa9 Run, boat; the runs."), a,
                 &v, &n);
    assert_int_equal(n, 3);
    assert_int_equal(v[0].start_cp, 2);
    assert_int_equal(v[0].end_cp, 5);
    assert_int_equal(v[1].start_cp, 7);
    assert_int_equal(v[1].end_cp, 11);
    assert_int_equal(v[2].start_cp, 17);
    assert_int_equal(v[2].end_cp, 21);
    engine_marks(STR(""), STR("boat"), a, &v, &n);
    assert_int_equal(n, 0);
    engine_marks(STR("boat"), STR(""), a, &v, &n);
    assert_int_equal(n, 0);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committed_batch_is_found),
        cmocka_unit_test(a_batch_that_is_not_committed_leaves_nothing),
        cmocka_unit_test(a_deleted_document_is_gone_at_the_next_search),
        cmocka_unit_test(a_new_version_replaces_the_former),
        cmocka_unit_test(pins_put_a_version_in_place_of_the_active_one),
        cmocka_unit_test(a_version_without_text_counts_as_indexed),
        cmocka_unit_test(several_bases_make_one_ranking),
        cmocka_unit_test(an_unknown_base_is_not_found),
        cmocka_unit_test(what_explain_says_adds_up),
        cmocka_unit_test(scores_dont_depend_on_how_many_are_asked_for),
        cmocka_unit_test(ties_are_cut_by_chunk_id),
        cmocka_unit_test(by_document_gives_the_best_chunk_of_each),
        cmocka_unit_test(merges_change_no_answer),
        cmocka_unit_test(what_was_deleted_leaves_every_file),
        cmocka_unit_test(what_was_deleted_in_a_closed_base_leaves_too),
        cmocka_unit_test(a_deleted_base_leaves_no_folder),
        cmocka_unit_test(damage_is_not_served_and_heals),
        cmocka_unit_test(no_single_damage_is_served),
        cmocka_unit_test(the_owner_is_told_of_what_is_missing),
        cmocka_unit_test(damage_of_an_open_segment_heals),
        cmocka_unit_test(what_an_open_segment_held_keeps_its_state),
        cmocka_unit_test(a_segment_is_lost_while_changes_come),
        cmocka_unit_test(a_file_noted_as_unreadable_is_rebuilt),
        cmocka_unit_test(reopened_it_answers_as_before),
        cmocka_unit_test(the_newest_copy_of_a_version_counts),
        cmocka_unit_test(small_bases_cost_files_not_memory),
        cmocka_unit_test(an_old_session_gets_no_old_answer),
        cmocka_unit_test(what_a_hit_names_is_in_the_session),
        cmocka_unit_test(a_caller_who_left_gets_no_answer),
        cmocka_unit_test(marks_are_where_the_words_are),
    };

    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

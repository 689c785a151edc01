/* Keys, scopes, and tenants that don't see each other. */
#include "app_fixture.h"

struct made {
    struct key_new in;
    struct key key;
    str text;
    uuid tenant;
};

static rc key_add_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct made *m = arg;

    return app_key_add(f->app, &f->who, db, &m->in, f->out, &m->key, &m->text,
                       &m->tenant, e);
}

static rc key_revoke_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    return app_key_revoke(f->app, &f->who, db, *(uuid *)arg, e);
}

struct login {
    str text;
    struct caller who;
};

static rc login_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct login *l = arg;

    return app_authenticate(f->app, db, l->text, &l->who, e);
}

static rc logs_in(struct fx *f, str text, struct caller *who, struct err *e)
{
    struct login l = {.text = text};
    rc code = fx_read(f, login_op, &l, e);

    if (who != NULL)
        *who = l.who;
    return code;
}

static struct made key_made(struct fx *f, unsigned scopes, const char *tenant)
{
    struct made m = {.in = {.name = STR("key"),
                            .scopes = scopes,
                            .tenant_name = str_of(tenant)}};
    struct err e = {0};

    fx_ok(fx_write(f, key_add_op, &m, &e), &e);
    return m;
}

static void a_key_is_a_prefix_and_forty_characters(void **state)
{
    struct fx *f = *state;
    struct made m = key_made(f, SCOPE_KB_READ, "");
    struct caller who = {0};
    struct err e = {0};

    assert_int_equal(m.text.n, 51);
    assert_true(str_starts(m.text, STR("knowd_live_")));
    assert_int_equal(m.key.prefix.n, 15);
    assert_true(str_starts(m.text, m.key.prefix));
    fx_ok(logs_in(f, m.text, &who, &e), &e);
    assert_true(uuid_eq(who.tenant, f->who.tenant));
    assert_true(uuid_eq(who.key, m.key.id));
    assert_int_equal(who.scopes, SCOPE_KB_READ);
}

static str spelled(struct fx *f, const char *prefix, str key)
{
    return arena_fmt(f->out, "%s" STR_FMT, prefix,
                     STR_ARG(str_sub(key, sizeof "knowd_live_" - 1, key.n)));
}

static void a_key_has_the_spellings_of_other_dialects(void **state)
{
    static const char *const PREFIXES[] = {"exec_live_", "fth_live_"};
    struct fx *f = *state;
    struct made m = key_made(f, SCOPE_KB_READ, "");
    struct caller who;
    struct err e = {0};

    for (size_t i = 0; i < NELEMS(PREFIXES); i++) {
        who = (struct caller){0};
        fx_ok(logs_in(f, spelled(f, PREFIXES[i], m.text), &who, &e), &e);
        assert_true(uuid_eq(who.key, m.key.id));
        assert_int_equal(who.scopes, SCOPE_KB_READ);
    }
    assert_int_equal(logs_in(f, spelled(f, "api_live_", m.text), NULL, &e),
                     RC_UNAUTHENTICATED);
    assert_int_equal(logs_in(f, spelled(f, "", m.text), NULL, &e),
                     RC_UNAUTHENTICATED);
    assert_int_equal(logs_in(f, STR("exec_live_"), NULL, &e),
                     RC_UNAUTHENTICATED);
    fx_ok(fx_write(f, key_revoke_op, &m.key.id, &e), &e);
    assert_int_equal(logs_in(f, spelled(f, "exec_live_", m.text), NULL, &e),
                     RC_UNAUTHENTICATED);
}

static void unknown_revoked_and_expired_keys_get_the_same_answer(void **state)
{
    struct fx *f = *state;
    struct made m = key_made(f, SCOPE_KB_READ, ""), old = {0};
    struct err unknown = {0}, revoked = {0}, expired = {0}, e = {0};

    assert_int_equal(logs_in(f, STR("knowd_live_x"), NULL, &unknown),
                     RC_UNAUTHENTICATED);
    fx_ok(fx_write(f, key_revoke_op, &m.key.id, &e), &e);
    assert_int_equal(logs_in(f, m.text, NULL, &revoked), RC_UNAUTHENTICATED);
    old.in = (struct key_new){.name = STR("old"),
                              .expires_ms = clock_wall_ms() + 60000};
    fx_ok(fx_write(f, key_add_op, &old, &e), &e);
    fx_ok(logs_in(f, old.text, NULL, &e), &e);
    clock_test_advance(60001);
    assert_int_equal(logs_in(f, old.text, NULL, &expired), RC_UNAUTHENTICATED);
    assert_string_equal(unknown.text, revoked.text);
    assert_string_equal(unknown.text, expired.text);
}

static void a_key_grants_no_scope_it_lacks(void **state)
{
    struct fx *f = *state;
    struct made m = {.in = {.name = STR("key"), .scopes = SCOPE_KB_MANAGE}};
    struct caller admin = f->who;
    struct err e = {0};

    f->who.scopes = SCOPE_KB_READ | SCOPE_KB_MANAGE;
    assert_int_equal(fx_write(f, key_add_op, &m, &e), RC_DENIED);
    f->who.scopes = SCOPE_ORG_MANAGE; /* without its closure */
    assert_int_equal(fx_write(f, key_add_op, &m, &e), RC_DENIED);
    f->who = admin;
    fx_ok(fx_write(f, key_add_op, &m, &e), &e);
}

static void only_the_first_tenant_makes_others(void **state)
{
    struct fx *f = *state;
    struct made m = key_made(f, SCOPE_ORG_MANAGE, "other"), again;
    struct err e = {0};

    assert_false(uuid_eq(m.tenant, f->who.tenant));
    again = key_made(f, SCOPE_KB_READ, "other");
    assert_true(uuid_eq(m.tenant, again.tenant));
    fx_ok(logs_in(f, m.text, &f->who, &e), &e);
    m.in.tenant_name = STR("third");
    assert_int_equal(fx_write(f, key_add_op, &m, &e), RC_DENIED);
}

static rc whoami_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    return app_whoami(f->app, &f->who, db, f->out, arg, e);
}

static void whoami_names_key_and_tenant(void **state)
{
    struct fx *f = *state;
    struct identity id;
    struct err e = {0};

    fx_ok(fx_read(f, whoami_op, &id, &e), &e);
    assert_true(uuid_eq(id.tenant, f->who.tenant));
    assert_true(uuid_eq(id.key, f->who.key));
    assert_true(id.key_name.n > 0);
    assert_int_equal(id.clearance, 30);
    assert_int_equal(id.scopes,
                     SCOPE_KB_READ | SCOPE_KB_MANAGE | SCOPE_ORG_MANAGE);
}

static void the_first_key_survives_a_restart(void **state)
{
    struct fx *f = *state;
    struct caller before = f->who;

    fx_stop(f);
    fx_start(f);
    assert_true(uuid_eq(before.tenant, f->who.tenant));
    assert_true(uuid_eq(before.key, f->who.key));
}

/* ---- what each operation answers to a stranger ---- */

struct target {
    uuid base, document, version, job, key;
};

typedef rc target_op(struct fx *f, struct db *db, struct target *t,
                     struct err *e);

static rc op_base_get(struct fx *f, struct db *db, struct target *t,
                      struct err *e)
{
    struct base b;

    return app_base_get(f->app, &f->who, db, t->base, f->out, &b, e);
}

static rc op_base_update(struct fx *f, struct db *db, struct target *t,
                         struct err *e)
{
    struct base_in in = {.set = {.name = true}, .name = STR("mine now")};
    struct base b;

    return app_base_update(f->app, &f->who, db, t->base, &in, f->out, &b, e);
}

static rc op_base_delete(struct fx *f, struct db *db, struct target *t,
                         struct err *e)
{
    return app_base_delete(f->app, &f->who, db, t->base, e);
}

static rc op_base_counts(struct fx *f, struct db *db, struct target *t,
                         struct err *e)
{
    struct base_counts c;

    return app_base_counts(f->app, &f->who, db, t->base, &c, e);
}

static rc op_document_get(struct fx *f, struct db *db, struct target *t,
                          struct err *e)
{
    struct document d;

    return app_document_get(f->app, &f->who, db, t->document, f->out, &d, e);
}

static rc op_document_list(struct fx *f, struct db *db, struct target *t,
                           struct err *e)
{
    struct app_page_end end;
    struct document *v;
    size_t n;

    return app_document_list(f->app, &f->who, db, t->base,
                             &(struct app_page){0}, f->out, &v, &n, &end, e);
}

static rc op_document_update(struct fx *f, struct db *db, struct target *t,
                             struct err *e)
{
    struct document_in in = {.set_title = true, .title = STR("x")};
    struct document d;

    return app_document_update(f->app, &f->who, db, t->document, &in, f->out,
                               &d, e);
}

static rc op_document_delete(struct fx *f, struct db *db, struct target *t,
                             struct err *e)
{
    return app_document_delete(f->app, &f->who, db, t->document, e);
}

static rc op_version_list(struct fx *f, struct db *db, struct target *t,
                          struct err *e)
{
    struct version *v;
    size_t n;

    return app_version_list(f->app, &f->who, db, t->document, f->out, &v, &n,
                            e);
}

static rc op_version_get(struct fx *f, struct db *db, struct target *t,
                         struct err *e)
{
    struct version v;

    return app_version_get(f->app, &f->who, db, t->document, STR("1"), f->out,
                           &v, e);
}

static rc op_version_delete(struct fx *f, struct db *db, struct target *t,
                            struct err *e)
{
    return app_version_delete(f->app, &f->who, db, t->document, t->version, e);
}

static rc op_version_promote(struct fx *f, struct db *db, struct target *t,
                             struct err *e)
{
    uuid previous;

    return app_version_promote(f->app, &f->who, db, t->document, t->version,
                               &previous, e);
}

static rc op_job_get(struct fx *f, struct db *db, struct target *t,
                     struct err *e)
{
    struct job j;

    return app_job_get(f->app, &f->who, db, t->job, f->out, &j, e);
}

static rc op_job_list(struct fx *f, struct db *db, struct target *t,
                      struct err *e)
{
    struct app_page_end end;
    struct job *v;
    size_t n;

    return app_job_list(f->app, &f->who, db, t->base, STR(""),
                        &(struct app_page){0}, f->out, &v, &n, &end, e);
}

static rc op_job_items(struct fx *f, struct db *db, struct target *t,
                       struct err *e)
{
    struct app_page_end end;
    struct job_item *v;
    size_t n;

    return app_job_items(f->app, &f->who, db, t->job, &(struct app_page){0},
                         f->out, &v, &n, &end, e);
}

static rc op_job_logs(struct fx *f, struct db *db, struct target *t,
                      struct err *e)
{
    struct app_page_end end;
    struct job_item *v;
    size_t n;

    return app_job_logs(f->app, &f->who, db, t->job, &(struct app_page){0},
                        f->out, &v, &n, &end, e);
}

static rc op_job_retry(struct fx *f, struct db *db, struct target *t,
                       struct err *e)
{
    uint64_t n;

    return app_job_retry(f->app, &f->who, db, t->job, &n, e);
}

static rc op_key_revoke(struct fx *f, struct db *db, struct target *t,
                        struct err *e)
{
    return app_key_revoke(f->app, &f->who, db, t->key, e);
}

static rc op_search(struct fx *f, struct db *db, struct target *t,
                    struct err *e)
{
    struct search_in in = {.query = STR("walrus"),
                           .bases = &t->base,
                           .bases_n = 1,
                           .limit = 10,
                           .alpha = -1};
    struct search_out out;

    return app_search(f->app, &f->who, db, &in, f->out, &out, e);
}

/* What the owner, a stranger, and the owner without the scope get. */
static const struct {
    const char *name;
    target_op *op;
    bool writes;
    unsigned scope;
    rc owner, stranger;
} OPS[] = {
    {"base get", op_base_get, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"base update", op_base_update, true, SCOPE_KB_MANAGE, RC_OK, RC_NOTFOUND},
    {"base counts", op_base_counts, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"document get", op_document_get, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"document list", op_document_list, false, SCOPE_KB_READ, RC_OK,
     RC_NOTFOUND},
    {"document update", op_document_update, true, SCOPE_KB_MANAGE, RC_OK,
     RC_NOTFOUND},
    {"version list", op_version_list, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"version get", op_version_get, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"version delete", op_version_delete, true, SCOPE_KB_MANAGE, RC_INVALID,
     RC_NOTFOUND},
    {"version promote", op_version_promote, true, SCOPE_KB_MANAGE, RC_OK,
     RC_NOTFOUND},
    {"job get", op_job_get, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"job list", op_job_list, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"job items", op_job_items, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"job logs", op_job_logs, false, SCOPE_KB_READ, RC_OK, RC_NOTFOUND},
    {"job retry", op_job_retry, true, SCOPE_KB_MANAGE, RC_INVALID, RC_NOTFOUND},
    {"search", op_search, false, SCOPE_KB_READ, RC_OK, RC_INVALID},
    {"document delete", op_document_delete, true, SCOPE_KB_MANAGE, RC_OK,
     RC_NOTFOUND},
    {"base delete", op_base_delete, true, SCOPE_KB_MANAGE, RC_OK, RC_NOTFOUND},
    {"key revoke", op_key_revoke, true, SCOPE_ORG_MANAGE, RC_OK, RC_NOTFOUND},
};

struct asked {
    target_op *op;
    struct target *t;
};

static rc asked_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct asked *a = arg;

    return a->op(f, db, a->t, e);
}

static rc ask(struct fx *f, size_t i, struct target *t, struct err *e)
{
    struct asked a = {OPS[i].op, t};

    *e = (struct err){0};
    return OPS[i].writes ? fx_write(f, asked_op, &a, e)
                         : fx_read(f, asked_op, &a, e);
}

static void check(size_t i, const char *who, rc want, rc got)
{
    if (want != got)
        fail_msg("%s as %s: %s, not %s", OPS[i].name, who, rc_name(got),
                 rc_name(want));
}

static void a_stranger_finds_nothing_and_a_missing_thing_looks_the_same(
    void **state)
{
    struct fx *f = *state;
    struct intake_item it = fx_item("t", "walrus");
    struct made theirs = key_made(f, SCOPE_ORG_MANAGE, "other"),
                mine = key_made(f, SCOPE_KB_READ, "");
    struct caller owner = f->who, stranger = {0};
    struct target t = {.base = fx_base(f), .key = mine.key.id}, missing;
    struct err foreign, absent, e = {0};
    struct fx_ingest i;

    fx_ok(logs_in(f, theirs.text, &stranger, &e), &e);
    fx_ingest_items(f, t.base, &it, 1, &i);
    fx_settle(f);
    t.job = i.call.job;
    t.document = i.call.results[0].document;
    t.version = fx_document(f, t.document).active_version;
    missing = (struct target){uuid_new(), uuid_new(), uuid_new(), uuid_new(),
                              uuid_new()};
    for (size_t k = 0; k < NELEMS(OPS); k++) {
        f->who = stranger;
        check(k, "a stranger", OPS[k].stranger, ask(f, k, &t, &foreign));
        check(k, "nobody", OPS[k].stranger, ask(f, k, &missing, &absent));
        if (OPS[k].op != op_search) /* that one names the id */
            assert_string_equal(foreign.text, absent.text);
        f->who = owner;
        f->who.scopes &= ~OPS[k].scope;
        check(k, "without scope", RC_DENIED, ask(f, k, &t, &e));
        f->who = owner;
    }
    for (size_t k = 0; k < NELEMS(OPS); k++)
        check(k, "the owner", OPS[k].owner, ask(f, k, &t, &e));
}

static void a_stranger_can_neither_ingest_nor_add_a_version(void **state)
{
    struct fx *f = *state;
    struct made theirs = key_made(f, SCOPE_ORG_MANAGE, "other");
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus"), own;
    struct intake_item it = fx_item("t", "narwhal");
    struct intake in = {.base = base, .items = &it, .items_n = 1};
    struct fx_ingest i;
    struct err e = {0};

    fx_ok(logs_in(f, theirs.text, &f->who, &e), &e);
    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_NOTFOUND);
    own = fx_base(f);
    in.base = own;
    it.has_document = true;
    it.document = doc;
    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_NOTFOUND);
    /* equal text in another tenant is no duplicate */
    it.has_document = false;
    it.content = STR("walrus");
    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    assert_false(i.call.results[0].duplicate);
    fx_settle(f);
    f->who.scopes = SCOPE_KB_READ;
    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_DENIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_open, fx_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_a_prefix_and_forty_characters),
        TEST(a_key_has_the_spellings_of_other_dialects),
        TEST(unknown_revoked_and_expired_keys_get_the_same_answer),
        TEST(a_key_grants_no_scope_it_lacks),
        TEST(only_the_first_tenant_makes_others),
        TEST(whoami_names_key_and_tenant),
        TEST(the_first_key_survives_a_restart),
        TEST(a_stranger_finds_nothing_and_a_missing_thing_looks_the_same),
        TEST(a_stranger_can_neither_ingest_nor_add_a_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

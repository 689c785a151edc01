/* A hub: folders, articles and who works with it, as its callers see them. */
#include "app_fixture.h"

#include "app/hub_priv.h"

#define IDS(...) ((const str[]){__VA_ARGS__})

/* One operation and what it gives, for the fixture's sessions. */
struct call {
    str id, shown;
    struct hub_folder_in folder_in;
    struct hub_folder folder;
    struct hub_article_in article_in;
    struct hub_article article;
};

#define OP(name, does)                                                    \
    static rc name(struct fx *f, struct db *db, void *arg, struct err *e) \
    {                                                                     \
        struct call *c = arg;                                             \
                                                                          \
        return does;                                                      \
    }
OP(op_folder_add,
   app_folder_add(f->app, &f->who, db, &c->folder_in, f->out, &c->folder, e))
OP(op_folder_update, app_folder_update(f->app, &f->who, db, c->id,
                                       &c->folder_in, f->out, &c->folder, e))
OP(op_folder_delete,
   app_folder_delete(f->app, &f->who, db, c->id, f->out, &c->shown, e))
OP(op_folder_get,
   app_folder_get(f->app, &f->who, db, c->id, f->out, &c->folder, e))
OP(op_article_add,
   app_article_add(f->app, &f->who, db, &c->article_in, f->out, &c->article, e))
OP(op_article_update,
   app_article_update(f->app, &f->who, db, c->id, &c->article_in, f->out,
                      &c->article, e))
OP(op_article_archive,
   app_article_archive(f->app, &f->who, db, c->id, f->out, &c->shown, e))
OP(op_article_get,
   app_article_get(f->app, &f->who, db, c->id, f->out, &c->article, e))

static void assert_text(str is, const char *should)
{
    if (!str_eq(is, str_of(should)))
        fail_msg("is \"" STR_FMT "\", not \"%s\"", STR_ARG(is), should);
}

static struct hub_folder folder_add(struct fx *f, const char *name, str parent)
{
    struct call c = {.folder_in = {.name = str_of(name), .parent = parent}};
    struct err e = {0};

    fx_ok(fx_write(f, op_folder_add, &c, &e), &e);
    return c.folder;
}

static struct hub_folder folder_get(struct fx *f, str id)
{
    struct call c = {.id = id};
    struct err e = {0};

    fx_ok(fx_read(f, op_folder_get, &c, &e), &e);
    return c.folder;
}

static struct hub_article article_add(struct fx *f, struct hub_article_in in)
{
    struct call c = {.article_in = in};
    struct err e = {0};

    fx_ok(fx_write(f, op_article_add, &c, &e), &e);
    return c.article;
}

static struct hub_article article_change(struct fx *f, str id,
                                         struct hub_article_in in)
{
    struct call c = {.id = id, .article_in = in};
    struct err e = {0};

    fx_ok(fx_write(f, op_article_update, &c, &e), &e);
    return c.article;
}

static struct hub_article article_get(struct fx *f, str id)
{
    struct call c = {.id = id};
    struct err e = {0};

    fx_ok(fx_read(f, op_article_get, &c, &e), &e);
    return c.article;
}

/* An operation is refused with this name and sentence. */
static void refused(struct fx *f, fx_op *op, struct call c, const char *name,
                    const char *text)
{
    struct err e = {0};

    assert_int_equal(fx_write(f, op, &c, &e), RC_INVALID);
    assert_string_equal(e.name, name);
    assert_non_null(strstr(e.text, text));
}

static void not_there(struct fx *f, fx_op *op, struct call c)
{
    struct err e = {0};

    assert_int_equal(fx_write(f, op, &c, &e), RC_NOTFOUND);
    assert_non_null(strstr(e.text, "not found: "));
}

/* ---- looking ---- */

struct listing {
    struct hub_article_filter by;
    struct hub_article *v;
    size_t n;
    uint64_t total;
};

static rc op_article_list(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct listing *l = arg;

    return app_article_list(f->app, &f->who, db, &l->by,
                            (struct hub_window){1, 50}, f->out, &l->v, &l->n,
                            &l->total, e);
}

static size_t articles(struct fx *f, struct hub_article_filter by)
{
    struct listing l = {.by = by};
    struct err e = {0};

    fx_ok(fx_read(f, op_article_list, &l, &e), &e);
    assert_int_equal(l.n, l.total);
    return l.n;
}

struct history {
    str id;
    struct hub_article_version *v;
    size_t n;
};

static rc op_versions(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct history *h = arg;
    uint64_t total;

    return app_article_versions(f->app, &f->who, db, h->id,
                                (struct hub_window){1, 50}, f->out, &h->v,
                                &h->n, &total, e);
}

static struct history versions(struct fx *f, str id)
{
    struct history h = {.id = id};
    struct err e = {0};

    fx_ok(fx_read(f, op_versions, &h, &e), &e);
    return h;
}

struct found {
    const char *query;
    str folder;
    struct search_out out;
    str *ids;
};

static rc op_search(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct found *s = arg;

    return app_hub_search(f->app, &f->who, db, str_of(s->query), s->folder, 10,
                          f->out, &s->out, &s->ids, e);
}

static struct found search(struct fx *f, const char *query, str folder)
{
    struct found s = {.query = query, .folder = folder};
    struct err e = {0};

    fx_settle(f);
    fx_ok(fx_read(f, op_search, &s, &e), &e);
    return s;
}

struct sources {
    struct hub_source *v;
    size_t n;
};

static rc op_sources(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct hub_source_filter none = {0};
    struct sources *s = arg;
    uint64_t total;

    return app_source_list(f->app, &f->who, db, &none,
                           (struct hub_window){1, 50}, f->out, &s->v, &s->n,
                           &total, e);
}

static struct sources sources(struct fx *f)
{
    struct sources s = {0};
    struct err e = {0};

    fx_settle(f);
    fx_ok(fx_read(f, op_sources, &s, &e), &e);
    return s;
}

/* As another dialect deletes one. */
static rc op_document_delete(struct fx *f, struct db *db, void *arg,
                             struct err *e)
{
    const uuid *id = arg;

    return app_document_delete(f->app, &f->who, db, *id, e);
}

/* ---- folders ---- */

static void a_folder_is_made_moved_and_deleted(void **state)
{
    struct fx *f = *state;
    struct hub_folder top = folder_add(f, "Sales", STR_NONE),
                      low = folder_add(f, "Pricing", top.id);
    struct call c = {.id = low.id,
                     .folder_in = {.set_name = true,
                                   .set_emoji = true,
                                   .set_parent = true,
                                   .set_visibility = true,
                                   .name = STR("Prices"),
                                   .emoji = STR("\xF0\x9F\x92\xBC"),
                                   .visibility = STR("private")}};
    struct err e = {0};

    assert_null(top.parent.p);
    assert_null(top.emoji.p);
    assert_string_equal(top.visibility, "workspace");
    assert_true(str_eq(low.parent, top.id));
    assert_int_equal(folder_get(f, top.id).folder_count, 1);
    fx_ok(fx_write(f, op_folder_update, &c, &e), &e);
    assert_text(c.folder.name, "Prices");
    assert_text(c.folder.emoji, "\xF0\x9F\x92\xBC");
    assert_null(c.folder.parent.p);
    assert_string_equal(c.folder.visibility, "private");
    fx_ok(fx_delete(f, op_folder_delete, &c, &e), &e);
    assert_true(str_eq(c.shown, low.id));
    not_there(f, op_folder_delete, c);
    not_there(f, op_folder_update, c);
}

static void a_folder_is_refused_with_a_reason(void **state)
{
    struct fx *f = *state;
    char many[TITLE_CHARS_MAX + 2] = "";
    struct hub_folder top = folder_add(f, "top", STR_NONE);

    memset(many, 'x', sizeof many - 1);
    refused(f, op_folder_add, (struct call){.folder_in = {.name = STR(" ")}},
            "missing_field", "name is required");
    refused(f, op_folder_add,
            (struct call){.folder_in = {.name = {many, sizeof many - 1}}},
            "name_too_long", "500 characters");
    refused(f, op_folder_add,
            (struct call){.folder_in = {.name = STR("x"),
                                        .set_emoji = true,
                                        .emoji = {many, EMOJI_CHARS_MAX + 1}}},
            "emoji_too_long", "32 characters");
    refused(f, op_folder_add,
            (struct call){
                .folder_in = {.name = STR("x"), .visibility = STR("secret")}},
            "invalid_visibility", "must be");
    refused(f, op_folder_add,
            (struct call){
                .folder_in = {.name = STR("x"), .parent = STR("f00000000000")}},
            "folder_not_found", "Folder not found: f00000000000");
    refused(f, op_folder_update,
            (struct call){.id = top.id,
                          .folder_in = {.set_parent = true, .parent = top.id}},
            "folder_cycle", "below itself");
}

static void a_tree_has_no_rings_and_a_depth(void **state)
{
    struct fx *f = *state;
    str top = STR_NONE, at = STR_NONE;
    struct hub_folder aside = folder_add(f, "aside", STR_NONE);

    for (size_t i = 0; i < FOLDER_DEPTH_MAX; i++) {
        at = folder_add(f, "level", at).id;
        if (i == 0)
            top = at;
    }
    refused(f, op_folder_add,
            (struct call){.folder_in = {.name = STR("x"), .parent = at}},
            "folder_too_deep", "64 levels");
    refused(f, op_folder_update,
            (struct call){.id = top,
                          .folder_in = {.set_parent = true, .parent = at}},
            "folder_cycle", "below itself");
    refused(
        f, op_folder_update,
        (struct call){.id = top,
                      .folder_in = {.set_parent = true, .parent = aside.id}},
        "folder_too_deep", "64 levels");
}

/* ---- articles ---- */

static void a_draft_is_not_found_until_it_is_published(void **state)
{
    struct fx *f = *state;
    struct hub_article p = article_add(
        f, (struct hub_article_in){.title = STR("Refunds"),
                                   .content = STR("Zebras get refunds.")});
    struct found s;

    assert_string_equal(p.status, "draft");
    assert_string_equal(p.visibility, "workspace");
    assert_int_equal(p.version, 0);
    assert_int_equal(p.published_ms, 0);
    assert_null(p.content.p);
    assert_text(p.draft_title, "Refunds");
    assert_text(p.draft_content, "Zebras get refunds.");
    assert_text(p.cover, "");
    assert_true(p.has_owner);
    assert_int_equal(search(f, "zebras", STR_NONE).out.hits_n, 0);
    p = article_change(f, p.id,
                       (struct hub_article_in){.status = STR("published")});
    assert_string_equal(p.status, "published");
    assert_int_equal(p.version, 1);
    assert_true(p.published_ms > 0);
    assert_text(p.content, "Zebras get refunds.");
    assert_null(p.draft_title.p);
    s = search(f, "zebras", STR_NONE);
    assert_int_equal(s.out.hits_n, 1);
    assert_text(s.out.hits[0].document_title, "Refunds");
    assert_int_equal(sources(f).n, 1);
    assert_int_equal(sources(f).v[0].type, HUB_PAGE);
    assert_string_equal(sources(f).v[0].content_format, "markdown");
}

static void an_edit_is_a_draft_beside_what_is_published(void **state)
{
    struct fx *f = *state;
    struct hub_article p = article_add(
        f, (struct hub_article_in){.title = STR("Refunds"),
                                   .content = STR("Zebras get refunds."),
                                   .status = STR("published")});
    struct history h;

    assert_int_equal(p.version, 1);
    p = article_change(
        f, p.id,
        (struct hub_article_in){.set_title = true, .title = STR("Returns")});
    assert_text(p.title, "Refunds");
    assert_text(p.draft_title, "Returns");
    assert_text(p.draft_content, "Zebras get refunds.");
    p = article_change(
        f, p.id,
        (struct hub_article_in){.set_content = true,
                                .content = STR("Walruses get returns."),
                                .status = STR("draft")});
    assert_string_equal(p.status, "published"); /* version 1 stands */
    assert_text(p.content, "Zebras get refunds.");
    assert_text(p.draft_title, "Returns");
    assert_int_equal(search(f, "walruses", STR_NONE).out.hits_n, 0);
    p = article_change(f, p.id,
                       (struct hub_article_in){.status = STR("published")});
    assert_int_equal(p.version, 2);
    assert_text(p.title, "Returns");
    assert_text(p.content, "Walruses get returns.");
    assert_int_equal(search(f, "walruses", STR_NONE).out.hits_n, 1);
    assert_int_equal(search(f, "zebras", STR_NONE).out.hits_n, 0);
    assert_int_equal(sources(f).n, 1); /* the same document */
    assert_text(sources(f).v[0].title, "Returns");
    h = versions(f, p.id);
    assert_int_equal(h.n, 2);
    assert_int_equal(h.v[0].number, 2);
    assert_string_equal(h.v[0].change, "manual_edit");
    assert_string_equal(h.v[1].change, "created");
    assert_text(h.v[1].title, "Refunds");
    assert_true(h.v[1].has_creator);
}

static void publishing_nothing_new_makes_no_version(void **state)
{
    struct fx *f = *state;
    struct hub_article p =
        article_add(f, (struct hub_article_in){.title = STR("t"),
                                               .content = STR("Zebras."),
                                               .status = STR("published")});
    uuid document = sources(f).v[0].document;
    struct err e = {0};

    p = article_change(f, p.id,
                       (struct hub_article_in){.status = STR("published")});
    assert_int_equal(p.version, 1);
    assert_int_equal(fx_versions(f, document).n, 1);
    /* But a document that was deleted comes back. */
    fx_ok(fx_delete(f, op_document_delete, &document, &e), &e);
    assert_int_equal(search(f, "zebras", STR_NONE).out.hits_n, 0);
    p = article_change(f, p.id,
                       (struct hub_article_in){.status = STR("published")});
    assert_int_equal(p.version, 1);
    assert_int_equal(search(f, "zebras", STR_NONE).out.hits_n, 1);
    assert_false(uuid_eq(sources(f).v[0].document, document));
}

static void an_edit_after_its_document_was_deleted_makes_a_new_one(void **state)
{
    struct fx *f = *state;
    struct hub_article p =
        article_add(f, (struct hub_article_in){.title = STR("t"),
                                               .content = STR("Zebras."),
                                               .status = STR("published")});
    uuid document = sources(f).v[0].document;
    struct err e = {0};

    fx_ok(fx_delete(f, op_document_delete, &document, &e), &e);
    p = article_change(f, p.id,
                       (struct hub_article_in){.set_content = true,
                                               .content = STR("Walruses."),
                                               .status = STR("published")});
    assert_int_equal(p.version, 2);
    assert_int_equal(search(f, "walruses", STR_NONE).out.hits_n, 1);
    assert_int_equal(sources(f).n, 1);
}

static void an_archived_article_is_shown_and_no_more(void **state)
{
    struct fx *f = *state;
    struct hub_folder folder = folder_add(f, "folder", STR_NONE);
    struct hub_article p =
        article_add(f, (struct hub_article_in){.set_folders = true,
                                               .title = STR("t"),
                                               .content = STR("Zebras."),
                                               .status = STR("published"),
                                               .folders = IDS(folder.id),
                                               .folders_n = 1});
    struct call c = {.id = p.id};
    struct err e = {0};

    assert_int_equal(folder_get(f, folder.id).article_count, 1);
    assert_int_equal(search(f, "zebras", folder.id).out.hits_n, 1);
    fx_ok(fx_delete(f, op_article_archive, &c, &e), &e);
    assert_true(str_eq(c.shown, p.id));
    assert_int_equal(search(f, "zebras", STR_NONE).out.hits_n, 0);
    p = article_get(f, p.id);
    assert_string_equal(p.status, "archived");
    assert_text(p.content, "Zebras.");
    assert_int_equal(p.folders_n, 1);
    assert_int_equal(versions(f, p.id).n, 1);
    assert_int_equal(folder_get(f, folder.id).article_count, 0);
    assert_int_equal(articles(f, (struct hub_article_filter){0}), 0);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.status = STR("archived")}), 1);
    not_there(f, op_article_archive, c);
    not_there(f, op_article_update, c);
}

static void lists_of_an_article_replace_those_it_had(void **state)
{
    struct fx *f = *state;
    str a = folder_add(f, "a", STR_NONE).id, b = folder_add(f, "b", a).id;
    struct hub_article source =
        article_add(f, (struct hub_article_in){.title = STR("source"),
                                               .content = STR("Zebras."),
                                               .status = STR("published")});
    str id = sources(f).v[0].id;
    struct hub_article p =
        article_add(f, (struct hub_article_in){.set_folders = true,
                                               .set_sources = true,
                                               .title = STR("t"),
                                               .folders = IDS(a, b, a),
                                               .folders_n = 3,
                                               .sources = IDS(id),
                                               .sources_n = 1});

    assert_int_equal(p.folders_n, 2);
    assert_text(p.folders[0].name, "a");
    assert_int_equal(p.source_count, 1);
    assert_int_equal(p.sources_n, 1);
    assert_true(str_eq(p.sources[0].id, id));
    p = article_change(f, p.id,
                       (struct hub_article_in){.set_folders = true,
                                               .folders = IDS(b),
                                               .folders_n = 1});
    assert_int_equal(p.folders_n, 1);
    assert_text(p.folders[0].name, "b");
    assert_int_equal(p.sources_n, 1); /* not given, not touched */
    assert_int_equal(articles(f, (struct hub_article_filter){.folder = b}), 1);
    assert_int_equal(articles(f, (struct hub_article_filter){.folder = a}), 0);
    p = article_change(f, p.id,
                       (struct hub_article_in){.set_folders = true,
                                               .set_sources = true,
                                               .set_skills = true});
    assert_int_equal(p.folders_n, 0);
    assert_int_equal(p.sources_n, 0);
    (void)source;
}

static void an_article_is_refused_with_a_reason(void **state)
{
    struct fx *f = *state;
    const str unknown = STR("0190a8c0-0000-7000-8000-000000000000");
    struct hub_article p = article_add(
        f, (struct hub_article_in){.title = STR("draft without a text")});

#define ADD(...) ((struct call){.article_in = {.title = STR("t"), __VA_ARGS__}})
    refused(f, op_article_add, (struct call){.article_in = {.title = STR("")}},
            "missing_field", "title is required");
    refused(f, op_article_add, ADD(.status = STR("archived")), "invalid_status",
            "must be draft or published");
    refused(f, op_article_add, ADD(.visibility = STR("all")),
            "invalid_visibility", "must be");
    refused(f, op_article_add, ADD(.status = STR("published")), "missing_field",
            "content is required to publish");
    refused(f, op_article_add,
            ADD(.set_folders = true, .folders = &unknown, .folders_n = 1),
            "folder_not_found", "Folder not found: 0190a8c0");
    refused(f, op_article_add,
            ADD(.set_sources = true, .sources = &unknown, .sources_n = 1),
            "source_not_found", "Source not found: 0190a8c0");
    refused(f, op_article_add,
            ADD(.set_skills = true, .skills = &unknown, .skills_n = 1),
            "skill_not_found", "Skill not found: 0190a8c0");
    refused(f, op_article_update,
            (struct call){.id = p.id,
                          .article_in = {.set_title = true,
                                         .title = STR("new"),
                                         .status = STR("published")}},
            "missing_field", "content is required to publish");
    /* Nothing of what was refused is there. */
    assert_text(article_get(f, p.id).draft_title, "draft without a text");
    assert_int_equal(articles(f, (struct hub_article_filter){0}), 1);
    not_there(f, op_article_update, (struct call){.id = unknown});
}

static void articles_are_listed_by_owner_status_and_skill(void **state)
{
    struct fx *f = *state;
    struct hub_article p =
        article_add(f, (struct hub_article_in){.title = STR("\xC3\x84rger")});

    assert_int_equal(
        articles(f, (struct hub_article_filter){.owner = p.owner.id}), 1);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.owner = STR("u00000000000")}),
        0);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.status = STR("draft")}), 1);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.status = STR("published")}),
        0);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.skill = STR("any")}), 0);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.folder = STR("any")}), 0);
    assert_int_equal(
        articles(f, (struct hub_article_filter){.query = STR("\xC3\xA4RG")}),
        1);
}

static void who_only_reads_changes_nothing(void **state)
{
    struct fx *f = *state;
    struct hub_article p =
        article_add(f, (struct hub_article_in){.title = STR("t")});
    struct call c = {.id = p.id,
                     .article_in = {.title = STR("x")},
                     .folder_in = {.name = STR("x")}};
    struct err e = {0};

    f->who.scopes = SCOPE_KB_READ;
    assert_int_equal(fx_write(f, op_article_add, &c, &e), RC_DENIED);
    assert_int_equal(fx_write(f, op_article_update, &c, &e), RC_DENIED);
    assert_int_equal(fx_write(f, op_article_archive, &c, &e), RC_DENIED);
    assert_int_equal(fx_write(f, op_folder_add, &c, &e), RC_DENIED);
    assert_int_equal(fx_write(f, op_folder_update, &c, &e), RC_DENIED);
    assert_int_equal(fx_write(f, op_folder_delete, &c, &e), RC_DENIED);
    fx_ok(fx_read(f, op_article_get, &c, &e), &e);
    f->who.scopes = 0;
    assert_int_equal(fx_read(f, op_article_get, &c, &e), RC_DENIED);
    f->who.scopes = SCOPE_KB_READ;
    f->who.tenant = uuid_new(); /* somebody else */
    assert_int_equal(fx_read(f, op_article_get, &c, &e), RC_NOTFOUND);
}

static void short_ids_and_long_ones_lead_to_the_same(void **state)
{
    struct fx *f = *state;
    struct hub_folder folder = folder_add(f, "folder", STR_NONE);
    struct hub_article p =
        article_add(f, (struct hub_article_in){.title = STR("t"),
                                               .content = STR("Zebras."),
                                               .status = STR("published")});
    struct hub_article q;

    f->app->short_ids = true;
    q = article_get(f, p.id);
    assert_int_equal(q.id.n, 12);
    assert_int_equal(q.id.p[0], 'p');
    assert_int_equal(q.owner.id.p[0], 'u');
    assert_text(article_get(f, q.id).title, "t");
    folder = folder_get(f, folder.id);
    assert_int_equal(folder.id.p[0], 'f');
    assert_int_equal(sources(f).v[0].id.p[0], 's');
    assert_int_equal(
        articles(f, (struct hub_article_filter){.owner = q.owner.id}), 1);
    q = article_change(f, q.id,
                       (struct hub_article_in){.set_folders = true,
                                               .folders = IDS(folder.id),
                                               .folders_n = 1});
    f->app->short_ids = false;
    q = article_get(f, q.id);
    assert_true(str_eq(q.id, p.id));
    assert_int_equal(q.folders_n, 1);
}

/* ---- the workspace ---- */

struct people {
    struct hub_workspace w;
    struct hub_member *members;
    struct hub_group *groups;
    size_t members_n, groups_n, by_n;
    uint64_t total;
    const str *by; /* ids of groups */
};

static rc op_people(struct fx *f, struct db *db, void *arg, struct err *e)
{
    const struct hub_window w = {1, 50};
    struct people *p = arg;
    rc code;

    if ((code = app_workspace_get(f->app, &f->who, db, f->out, &p->w, e)) !=
            RC_OK ||
        (code = app_group_list(f->app, &f->who, db, w, f->out, &p->groups,
                               &p->groups_n, &p->total, e)) != RC_OK)
        return code;
    return app_member_list(f->app, &f->who, db, p->by, p->by_n, w, f->out,
                           &p->members, &p->members_n, &p->total, e);
}

static struct people people(struct fx *f, const str *groups, size_t n)
{
    struct people p = {.by = groups, .by_n = n};
    struct err e = {0};

    fx_ok(fx_read(f, op_people, &p, &e), &e);
    assert_int_equal(p.members_n, p.total);
    return p;
}

static rc op_key_add(struct fx *f, struct db *db, void *arg, struct err *e)
{
    const struct key_new *in = arg;
    struct key k;
    uuid tenant;
    str text;

    return app_key_add(f->app, &f->who, db, in, f->out, &k, &text, &tenant, e);
}

static void keys_are_members_and_scopes_are_groups(void **state)
{
    struct fx *f = *state;
    struct key_new reader = {.name = STR("Reader"), .scopes = SCOPE_KB_READ};
    char key[UUID_TEXT], email[64];
    struct people p;
    struct err e = {0};

    fx_ok(fx_write(f, op_key_add, &reader, &e), &e);
    for (unsigned i = 0; i < 2; i++) { /* by long ids and by short ones */
        f->app->short_ids = i == 1;
        p = people(f, NULL, 0);
        assert_text(p.w.name, "default");
        assert_text(p.w.slug, "default");
        assert_int_equal(p.members_n, 2);
        assert_text(p.members[0].user.first_name, "Reader");
        assert_text(p.members[0].user.last_name, "");
        assert_string_equal(p.members[0].role, "member");
        assert_string_equal(p.members[1].role, "admin");
        uuid_text(f->who.key, key);
        (void)snprintf(email, sizeof email, "key-%s@default.invalid", key + 24);
        assert_text(p.members[1].user.email, email);
        assert_int_equal(p.groups_n, 3);
        assert_text(p.groups[0].name, "Administrators");
        p = people(f, IDS(p.groups[2].id), 1);
        assert_int_equal(p.members_n, 1);
        assert_string_equal(p.members[0].role, "member");
        assert_int_equal(people(f, IDS(p.groups[1].id), 1).members_n, 0);
        assert_int_equal(people(f, IDS(STR("nobody")), 1).members_n, 0);
        assert_int_equal(
            people(f, IDS(p.groups[0].id, p.groups[2].id), 2).members_n, 2);
    }
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, fx_open, fx_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_folder_is_made_moved_and_deleted),
        FACT(a_folder_is_refused_with_a_reason),
        FACT(a_tree_has_no_rings_and_a_depth),
        FACT(a_draft_is_not_found_until_it_is_published),
        FACT(an_edit_is_a_draft_beside_what_is_published),
        FACT(publishing_nothing_new_makes_no_version),
        FACT(an_edit_after_its_document_was_deleted_makes_a_new_one),
        FACT(an_archived_article_is_shown_and_no_more),
        FACT(lists_of_an_article_replace_those_it_had),
        FACT(an_article_is_refused_with_a_reason),
        FACT(articles_are_listed_by_owner_status_and_skill),
        FACT(who_only_reads_changes_nothing),
        FACT(short_ids_and_long_ones_lead_to_the_same),
        FACT(keys_are_members_and_scopes_are_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

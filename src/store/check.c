/* The folder against itself: what `knowd check` asks of the database and the
 * bodies. One query a rule; each row that comes back is a finding. */
#include "store/store_priv.h"

#include <stdio.h>

struct check {
    struct db *db;
    bool deep;
    check_report *report;
    void *arg;
    uint64_t found;
};

static void tell(struct check *c, const char *line)
{
    c->found++;
    c->report(c->arg, line);
}

/* Rows of bases that are being purged go table by table; they are no damage.
 * `t` is the table. */
#define LIVE(t) \
    " AND " t ".base NOT IN (SELECT base FROM base_state WHERE deleted = 1)"

#define ID(column) "lower(hex(" column "))"

static const char *const RULES[] = {
    "SELECT 'key ' || " ID("k.id") " || ' has no tenant' FROM api_key k"
                                   " WHERE NOT EXISTS(SELECT 1 FROM tenant t "
                                   "WHERE t.id = k.tenant)",

    "SELECT 'knowledge base ' || " ID(
        "b.id") " || ' has no tenant'"
                " FROM base b WHERE NOT EXISTS(SELECT 1 FROM tenant t"
                "  WHERE t.id = b.tenant)",

    "SELECT 'knowledge base ' || " ID(
        "b.id") " || ' has no counters'"
                " FROM base b WHERE NOT EXISTS(SELECT 1 FROM base_state s"
                "  WHERE s.base = b.id AND s.tenant = b.tenant)",

    "SELECT 'counters of ' || " ID(
        "s.base") " || ' have no knowledge base'"
                  " FROM base_state s WHERE NOT EXISTS(SELECT 1 FROM base b"
                  "  WHERE b.id = s.base AND b.tenant = s.tenant)",

    "SELECT 'document ' || " ID(
        "d.id") " || ' has no knowledge base'"
                " FROM document d WHERE NOT EXISTS(SELECT 1 FROM base_state s"
                "  WHERE s.base = d.base AND s.tenant = d.tenant)",

    "SELECT 'document ' || " ID(
        "d.id") " || ' has no version'"
                " FROM document d WHERE NOT EXISTS(SELECT 1 FROM version v"
                "  WHERE v.base = d.base AND v.document = d.id)",

    "SELECT 'document ' || " ID(
        "d.id") " || ' names an active version that"
                " is not there' FROM document d WHERE d.active_version IS NOT "
                "NULL"
                " AND NOT EXISTS(SELECT 1 FROM version v WHERE v.base = d.base"
                "  AND v.id = d.active_version AND v.document = d.id)",

    "SELECT 'version ' || " ID(
        "v.id") " || ' has no document'"
                " FROM version v WHERE NOT EXISTS(SELECT 1 FROM document d"
                "  WHERE d.base = v.base AND d.id = v.document AND d.tenant = "
                "v.tenant)",

    "SELECT 'job ' || " ID(
        "j.id") " || ' has no knowledge base'"
                " FROM job j WHERE NOT EXISTS(SELECT 1 FROM base_state s"
                "  WHERE s.base = j.base AND s.tenant = j.tenant)",

    "SELECT 'item ' || i.idx || ' of job ' || " ID(
        "i.job") " || ' has no job'"
                 " FROM item i WHERE NOT EXISTS(SELECT 1 FROM job j"
                 "  WHERE j.base = i.base AND j.id = i.job)" LIVE("i"),

    "SELECT 'log ' || " ID(
        "l.id") " || ' has no job' FROM log l"
                " WHERE NOT EXISTS(SELECT 1 FROM job j"
                "  WHERE j.base = l.base AND j.id = l.job)" LIVE("l"),

    "SELECT 'segment ' || g.id || ' of ' || " ID(
        "g.base") " || ' has no knowledge base' FROM segment g"
                  " WHERE NOT EXISTS(SELECT 1 FROM base_state s WHERE s.base = "
                  "g.base)",

    "SELECT 'address of ' || " ID(
        "w.document") " || ' has no document'"
                      " FROM web w WHERE NOT EXISTS(SELECT 1 FROM document d"
                      "  WHERE d.base = w.base AND d.id = w.document AND "
                      "d.tenant = w.tenant)" LIVE("w"),

    "SELECT 'folder ' || " ID(
        "f.id") " || ' has no knowledge base'"
                " FROM folder f WHERE NOT EXISTS(SELECT 1 FROM base_state s"
                "  WHERE s.base = f.base AND s.tenant = f.tenant)",

    "SELECT 'folder ' || " ID(
        "f.id") " || ' is not reached from the top'"
                " FROM folder f WHERE (base, id) NOT IN (WITH RECURSIVE "
                "tree(base, id) AS"
                "  (SELECT base, id FROM folder WHERE parent IS NULL"
                "   UNION SELECT c.base, c.id FROM tree t"
                "    JOIN folder c ON c.base = t.base AND c.parent = t.id)"
                "  SELECT base, id FROM tree)" LIVE("f"),

    /* Kinds as in enum object_kind, as below. */
    "SELECT 'item ' || " ID("i.item") " || ' of folder ' || " ID(
        "i.folder") " || ' leads nowhere' FROM folder_item i"
                    " WHERE NOT (EXISTS(SELECT 1 FROM folder f"
                    "  WHERE f.base = i.base AND f.id = i.folder) AND CASE "
                    "i.kind"
                    "  WHEN 4 THEN EXISTS(SELECT 1 FROM document d"
                    "   WHERE d.base = i.base AND d.id = i.item)"
                    "  WHEN 8 THEN EXISTS(SELECT 1 FROM article a"
                    "   WHERE a.base = i.base AND a.id = i.item)"
                    "  ELSE 0 END)" LIVE("i"),

    "SELECT 'article ' || " ID(
        "a.id") " || ' has no knowledge base'"
                " FROM article a WHERE NOT EXISTS(SELECT 1 FROM base_state s"
                "  WHERE s.base = a.base AND s.tenant = a.tenant)",

    "SELECT 'article ' || " ID(
        "a.id") " || ' names a document that is not"
                " there' FROM article a WHERE a.document IS NOT NULL"
                " AND NOT EXISTS(SELECT 1 FROM document d"
                "  WHERE d.base = a.base AND d.id = a.document)" LIVE("a"),

    "SELECT 'article ' || " ID(
        "a.id") " || ' has no version ' || a.version"
                " FROM article a WHERE a.version > 0"
                " AND NOT EXISTS(SELECT 1 FROM article_version v WHERE v.base "
                "= a.base"
                "  AND v.article = a.id AND v.number = a.version)" LIVE("a"),

    "SELECT 'version ' || v.number || ' of article ' || " ID(
        "v.article") " || ' has no article' FROM article_version v"
                     " WHERE NOT EXISTS(SELECT 1 FROM article a"
                     "  WHERE a.base = v.base AND a.id = v.article)" LIVE("v"),

    "SELECT 'draft of article ' || " ID(
        "a.id") " || ' has no text' FROM article a"
                " WHERE a.draft_content IS NOT NULL"
                " AND NOT EXISTS(SELECT 1 FROM article_text t"
                "  WHERE t.id = a.draft_content AND t.base = a.base)" LIVE("a"),

    "SELECT 'version ' || v.number || ' of article ' || " ID(
        "v.article") " || ' has no text' FROM article_version v"
                     " WHERE NOT EXISTS(SELECT 1 FROM article_text t"
                     "  WHERE t.id = v.content AND t.base = v.base)" LIVE("v"),

    "SELECT 'text ' || t.id || ' of an article has ' || coalesce(u.n, 0)"
    " || ' rows' FROM article_text t LEFT JOIN"
    " (SELECT id, count(*) AS n FROM (SELECT draft_content AS id FROM article"
    "   WHERE draft_content IS NOT NULL"
    "   UNION ALL SELECT content FROM article_version)"
    "  GROUP BY id) u ON u.id = t.id WHERE coalesce(u.n, 0) <> 1" LIVE("t"),

    "SELECT 'source ' || " ID("s.document") " || ' of article ' || " ID(
        "s.article") " || ' leads nowhere' FROM article_source s"
                     " WHERE NOT (EXISTS(SELECT 1 FROM article a"
                     "  WHERE a.base = s.base AND a.id = s.article)"
                     " AND EXISTS(SELECT 1 FROM document d"
                     "  WHERE d.base = s.base AND d.id = s.document))" LIVE(
                         "s"),

    /* Kinds as in enum object_kind. */
    "SELECT 'id ' || " ID(
        "o.id") " || ' of kind ' || o.kind ||"
                " ' leads nowhere' FROM object o WHERE NOT CASE o.kind"
                " WHEN 1 THEN EXISTS(SELECT 1 FROM tenant WHERE id = o.id)"
                " WHEN 2 THEN EXISTS(SELECT 1 FROM api_key WHERE id = o.id)"
                " WHEN 3 THEN EXISTS(SELECT 1 FROM base"
                "  WHERE tenant = o.tenant AND id = o.id)"
                " WHEN 4 THEN EXISTS(SELECT 1 FROM document"
                "  WHERE base = o.base AND id = o.id AND tenant = o.tenant)"
                " WHEN 5 THEN EXISTS(SELECT 1 FROM version"
                "  WHERE base = o.base AND id = o.id AND tenant = o.tenant)"
                " WHEN 6 THEN EXISTS(SELECT 1 FROM job"
                "  WHERE base = o.base AND id = o.id AND tenant = o.tenant)"
                " WHEN 7 THEN EXISTS(SELECT 1 FROM folder"
                "  WHERE base = o.base AND id = o.id AND tenant = o.tenant)"
                " WHEN 8 THEN EXISTS(SELECT 1 FROM article"
                "  WHERE base = o.base AND id = o.id AND tenant = o.tenant)"
                " ELSE 0 END",

    "SELECT kind || ' ' || " ID(
        "id") " || ' cannot be found by its id' FROM"
              " (SELECT 'tenant' AS kind, id FROM tenant"
              "  UNION ALL SELECT 'key', id FROM api_key"
              "  UNION ALL SELECT 'knowledge base', id FROM base"
              "  UNION ALL SELECT 'document', id FROM document"
              "  UNION ALL SELECT 'version', id FROM version"
              "  UNION ALL SELECT 'job', id FROM job"
              "  UNION ALL SELECT 'folder', id FROM folder"
              "  UNION ALL SELECT 'article', id FROM article) r"
              " WHERE NOT EXISTS(SELECT 1 FROM object o WHERE o.id = r.id)",

    "SELECT 'counters of ' || " ID(
        "s.base") " || ' do not match its documents'"
                  " FROM base_state s LEFT JOIN (SELECT base,"
                  "  sum(state = 0) AS c0, sum(state = 1) AS c1, sum(state = "
                  "2) AS c2,"
                  "  sum(state = 3) AS c3, sum(state = 4) AS c4, sum(state = "
                  "5) AS c5,"
                  "  sum(state = 6) AS c6 FROM document GROUP BY base) d ON "
                  "d.base = s.base"
                  " WHERE s.deleted = 0 AND (s.n0, s.n1, s.n2, s.n3, s.n4, "
                  "s.n5, s.n6) <>"
                  "  (coalesce(c0, 0), coalesce(c1, 0), coalesce(c2, 0), "
                  "coalesce(c3, 0),"
                  "   coalesce(c4, 0), coalesce(c5, 0), coalesce(c6, 0))",

    "SELECT 'counters of job ' || " ID(
        "j.id") " || ' do not match its items'"
                " FROM job j LEFT JOIN (SELECT base, job,"
                "  sum(status = 0) AS c0, sum(status = 1) AS c1, sum(status = "
                "2) AS c2,"
                "  sum(status = 3) AS c3, sum(status = 4) AS c4, sum(status = "
                "5) AS c5,"
                "  sum(status = 6) AS c6 FROM item GROUP BY base, job) i"
                " ON i.base = j.base AND i.job = j.id"
                " WHERE (j.n0, j.n1, j.n2, j.n3, j.n4, j.n5, j.n6) <>"
                "  (coalesce(c0, 0), coalesce(c1, 0), coalesce(c2, 0), "
                "coalesce(c3, 0),"
                "   coalesce(c4, 0), coalesce(c5, 0), coalesce(c6, 0))" LIVE(
                    "j"),

    "SELECT 'body ' || " ID(
        "sha") " || ' is missing: ' || count(*) ||"
               " ' uses' FROM (SELECT original_sha AS sha FROM version"
               "  UNION ALL SELECT text_sha FROM version WHERE text_sha IS NOT "
               "NULL"
               "  UNION ALL SELECT blocks_sha FROM version WHERE blocks_sha IS "
               "NOT NULL)"
               " WHERE sha NOT IN (SELECT sha FROM blob) GROUP BY sha",

    "SELECT 'body ' || " ID(
        "b.sha") " || ' counts ' || b.uses ||"
                 " ' uses and has ' || coalesce(u.n, 0) FROM blob b LEFT JOIN"
                 " (SELECT sha, count(*) AS n FROM (SELECT original_sha AS sha "
                 "FROM version"
                 "  UNION ALL SELECT text_sha FROM version WHERE text_sha IS "
                 "NOT NULL"
                 "  UNION ALL SELECT blocks_sha FROM version WHERE blocks_sha "
                 "IS NOT NULL)"
                 "  GROUP BY sha) u ON u.sha = b.sha WHERE b.uses <> "
                 "coalesce(u.n, 0)",

    "SELECT 'body ' || " ID(
        "b.sha") " || ' has no bytes in the database'"
                 " FROM blob b WHERE b.body IS NOT NULL"
                 " AND NOT EXISTS(SELECT 1 FROM body y WHERE y.id = b.body)",

    "SELECT 'bytes ' || y.id || ' in the database belong to no body'"
    " FROM body y WHERE y.id NOT IN"
    " (SELECT body FROM blob WHERE body IS NOT NULL)",
};

/* Damage met on the way is a finding, not an end. */
static rc take_damage(struct check *c, rc code, struct err *e)
{
    if (code != RC_CORRUPT)
        return code;
    tell(c, e->text);
    return RC_OK;
}

static rc check_rule(struct check *c, const char *rule, struct err *e)
{
    struct arena *tmp = arena_open();
    struct q q = q_open(c->db, rule);
    rc code;

    while (q_row(&q)) {
        str line = q_get_text(&q, tmp);

        tell(c, line.p == NULL ? "a row without a name" : line.p);
    }
    code = q_end(&q, e);
    arena_close(tmp);
    return take_damage(c, code, e);
}

static rc check_pages(struct check *c, struct err *e)
{
    struct arena *tmp = arena_open();
    struct q q = q_open(c->db, c->deep ? "PRAGMA integrity_check"
                                       : "PRAGMA quick_check");
    rc code;

    while (q_row(&q)) {
        str line = q_get_text(&q, tmp);

        if (!str_eq(line, STR("ok")))
            tell(c, arena_fmt(tmp, "database: " STR_FMT, STR_ARG(line)).p);
    }
    code = q_end(&q, e);
    arena_close(tmp);
    return take_damage(c, code, e);
}

/* The stored status of a job against the rule, which is code. */
static rc check_jobs(struct check *c, struct err *e)
{
    struct q q = q_open(c->db, "SELECT id, status, n0, n1, n2, n3, n4, n5, n6"
                               " FROM job");
    char line[UUID_TEXT + 64], id_text[UUID_TEXT];
    rc code;

    while (q_row(&q)) {
        uint64_t counts[JOB_STATUS_COUNT];
        uuid id = q_get_uuid(&q);
        uint32_t status = q_get_u32(&q);

        for (size_t i = 0; i < JOB_STATUS_COUNT; i++)
            counts[i] = q_get_uint(&q);
        if (status == job_status_of(counts))
            continue;
        uuid_text(id, id_text);
        (void)snprintf(line, sizeof line, "job %s has the wrong status",
                       id_text);
        tell(c, line);
    }
    code = q_end(&q, e);
    return take_damage(c, code, e);
}

static rc check_bodies(struct check *c, struct err *e)
{
    struct arena *tmp = arena_open();
    struct q q = q_open(c->db, c->deep ? "SELECT sha FROM blob"
                                       : "SELECT sha FROM blob"
                                         " WHERE body IS NULL");
    rc code = RC_OK;

    while (code == RC_OK && q_row(&q)) {
        sha256 sha = q_get_sha(&q);
        struct err why;

        code = blob_check(c->db, &sha, c->deep, &why);
        if (code == RC_NOTFOUND) {
            code = RC_OK; /* released since the snapshot */
        } else if (code == RC_CORRUPT) {
            struct arena_mark m = arena_mark(tmp);
            str hex = sha256_hex(tmp, &sha);

            tell(c,
                 arena_fmt(tmp, "body " STR_FMT ": %s", STR_ARG(hex), why.text)
                     .p);
            arena_rewind(tmp, m);
            code = RC_OK;
        } else if (code != RC_OK && e != NULL) {
            *e = why;
        }
    }
    arena_close(tmp);
    if (code != RC_OK) {
        (void)!q_end(&q, NULL);
        return code;
    }
    code = q_end(&q, e);
    return take_damage(c, code, e);
}

rc store_check(struct store *s, bool deep, check_report *report, void *arg,
               uint64_t *found, struct err *e)
{
    struct check c = {.deep = deep, .report = report, .arg = arg};
    rc code = store_read_begin(s, &c.db, e);

    if (code == RC_OK) {
        code = check_pages(&c, e);
        for (size_t i = 0; code == RC_OK && i < NELEMS(RULES); i++)
            code = check_rule(&c, RULES[i], e);
        if (code == RC_OK)
            code = check_jobs(&c, e);
        if (code == RC_OK)
            code = check_bodies(&c, e);
        store_read_end(c.db);
    }
    *found = c.found;
    return code;
}

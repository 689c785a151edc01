// Xapian with its English stemmer: stems with positions, titles counted twice,
// BM25 with our parameters, database compacted after the build.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <xapian.h>

#include "peers.h"

namespace
{

struct index {
    std::string path;
    Xapian::WritableDatabase building;
    Xapian::Database db;
    Xapian::TermGenerator generator;
    Xapian::Stem stem{"english"};
};

void *xapian_open(const char *path)
{
    index *x = new index;

    x->path = path;
    x->building = Xapian::WritableDatabase(x->path + ".build",
                                           Xapian::DB_CREATE_OR_OVERWRITE |
                                               Xapian::DB_NO_SYNC);
    x->generator.set_stemmer(x->stem);
    x->generator.set_stemming_strategy(Xapian::TermGenerator::STEM_ALL);
    return x;
}

void xapian_add(void *peer, uint32_t row, const char *title, size_t title_n,
                const char *body, size_t body_n)
{
    index *x = static_cast<index *>(peer);
    Xapian::Document doc;

    x->generator.set_document(doc);
    x->generator.index_text(std::string(title, title_n), 2);
    x->generator.increase_termpos();
    x->generator.index_text(std::string(body, body_n));
    x->building.replace_document(row + 1, doc);
}

void xapian_ready(void *peer)
{
    index *x = static_cast<index *>(peer);

    x->building.commit();
    x->building.compact(x->path, Xapian::DBCOMPACT_NO_RENUMBER);
    x->building.close();
    x->db = Xapian::Database(x->path);
}

size_t xapian_ask(void *peer, const char *const *words, size_t words_n,
                  uint32_t *rows, size_t k)
{
    index *x = static_cast<index *>(peer);
    std::string terms[64];
    size_t n = 0;

    for (size_t i = 0; i < words_n; i++)
        terms[i] = x->stem(words[i]);
    Xapian::Enquire enquire(x->db);
    enquire.set_query(
        Xapian::Query(Xapian::Query::OP_OR, terms, terms + words_n));
    enquire.set_weighting_scheme(Xapian::BM25Weight(1.2, 0, 1, 0.75, 0.5));
    Xapian::MSet hits = enquire.get_mset(0, Xapian::doccount(k));
    for (Xapian::MSetIterator i = hits.begin(); i != hits.end(); ++i)
        rows[n++] = *i - 1;
    return n;
}

void xapian_close(void *peer)
{
    delete static_cast<index *>(peer);
}

} // namespace

extern "C" const struct peer peer_xapian = {
    "Xapian", xapian_open, xapian_add, xapian_ready, xapian_ask, xapian_close};

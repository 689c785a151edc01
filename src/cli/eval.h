/*
 * eval: how good a ranking is, judged by people.
 *
 * nDCG@10 with linear gain and log2 discount, the ideal over all judged
 * positives (trec_eval's ndcg_cut); recall@100; reciprocal rank within 10.
 * Judgments of 0 and below count as not relevant.
 *
 * Owns:    in the arena it was read into.
 * Errors:  RC_INVALID  a line that is neither a judgment nor a header
 * Source:  Järvelin & Kekäläinen 2002, with trec_eval 9's linear gain.
 */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

struct judgment {
    str document;
    double gain; /* above 0 */
};
struct judged { /* of one query */
    struct judgment *v;
    size_t n, cap;
};
struct qrels {
    struct map *queries; /* id to index of v */
    struct judged *v;
    size_t n, cap;
};
/* BEIR's lines query, document, score (a header is fine) or trec's query, 0,
 * document, score; separated by tabs or blanks. */
rc qrels_parse(str text, struct arena *out, struct qrels *q,
               struct err *e) MUST_CHECK;
void qrels_close(struct qrels *q);
/* NULL: nothing is relevant to this query. */
const struct judged *qrels_find(const struct qrels *q, str query);

struct figures {
    double ndcg10, recall100, mrr10;
};
/* ranked: documents, best first. */
struct figures eval_ranking(const struct judged *judged, const str *ranked,
                            size_t n);

#endif

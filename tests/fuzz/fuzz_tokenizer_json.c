/* Any bytes as each file of a tokenizer, and as the small files of a folder:
 * what is read is within its bounds. */
#include <stdint.h>

#include "embed/config_priv.h"
#include "embed/tokenizer_priv.h"
#include "text/wordpiece.h"

static void check(const struct tokenizer *t)
{
    bool unknown = false;

    ASSERT(t->tokens_n <= WORDPIECE_TOKENS_MAX);
    for (size_t i = 0; i < t->tokens_n; i++) {
        ASSERT(t->tokens[i].n <= WORDPIECE_TOKEN_BYTES_MAX);
        unknown = unknown || str_eq(t->tokens[i], STR("[UNK]"));
    }
    ASSERT(unknown);
}

static void read_configs(str text, struct arena *a)
{
    struct bert_shape shape = {0};
    struct sentence_config sentence;
    struct dense_config dense;
    struct prefixes prefixes;
    struct modules modules;
    enum bert_pooling pooling;
    enum bert_names names;

    if (config_read(text, &shape, &names, NULL) == RC_OK)
        ASSERT(shape.layers <= BERT_LAYERS_MAX &&
               shape.hidden <= BERT_HIDDEN_MAX);
    if (modules_read(text, a, &modules, NULL) == RC_OK)
        ASSERT(modules.pooling.n > 0 && modules.pooling.p[0] != '/');
    if (dense_read("x", text, &dense, NULL) == RC_OK)
        ASSERT(dense.out <= BERT_DIMS_MAX);
    (void)!pooling_read("x", text, &pooling, NULL);
    (void)!sentence_read(text, &sentence, NULL);
    (void)!prefixes_read(text, a, &prefixes, NULL);
    ASSERT(license_of_card(text).n <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    str text = {(const char *)data, size};
    struct arena_mark m;
    struct tokenizer t;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    if (tokenizer_read(text, a, &t, NULL) == RC_OK)
        check(&t);
    if (tokenizer_read_vocab(text, a, &t, NULL) == RC_OK)
        check(&t);
    (void)!tokenizer_read_config(text, &t, NULL);
    read_configs(text, a);
    arena_rewind(a, m);
    return 0;
}

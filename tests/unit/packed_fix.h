/* A tiny model packed and opened: the smallest that the integer form runs. */
#ifndef PACKED_FIX_H
#define PACKED_FIX_H

#include "embed/folder.h"

#define MODEL_SHAPE                                                        \
    {                                                                      \
        .vocab = 10, .hidden = 64, .layers = 2, .heads = 2,                \
        .intermediate = 64, .positions = 16, .types = 2, .tokens_max = 16, \
        .dims = 64, .norm_eps = 1e-12f                                     \
    }
#define MODEL_CONFIG                                                      \
    "{\"model_type\": \"bert\", \"vocab_size\": 10, \"hidden_size\": 64," \
    " \"num_hidden_layers\": 2, \"num_attention_heads\": 2,"              \
    " \"intermediate_size\": 64, \"max_position_embeddings\": 16,"        \
    " \"type_vocab_size\": 2, \"hidden_act\": \"gelu\","                  \
    " \"layer_norm_eps\": 1e-12"
#include "model_fix.h"

/* dir/name.model, of the folder dir/name. */
static inline struct model *packed_model(const char *dir, const char *name)
{
    char folder_path[512], path[520];
    struct folder *folder = NULL;
    struct model *m = NULL;
    struct err e = {0};

    (void)snprintf(folder_path, sizeof folder_path, "%s/%s", dir, name);
    (void)snprintf(path, sizeof path, "%s/%s.model", dir, name);
    model_folder(folder_path);
    ASSERT(folder_open(&(struct folder_opts){.path = folder_path}, &folder,
                       &e) == RC_OK);
    ASSERT(model_pack(folder_bert(folder), path, &e) == RC_OK);
    folder_close(folder);
    ASSERT(model_open(path, &m, &e) == RC_OK);
    return m;
}

#endif

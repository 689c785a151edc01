/* peers: other word indexes behind one face, each in its own file. Made for
 * measuring: what fails ends the program with a line that says so. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer {
    const char *name;
    /* Makes the index in a fresh folder or file of that path. */
    void *(*open)(const char *path);
    void (*add)(void *peer, uint32_t row, const char *title, size_t title_n,
                const char *body, size_t body_n);
    /* Durable and as small and quick as it can be made, ready to be asked. */
    void (*ready)(void *peer);
    /* The best rows for any of the words; returns how many. */
    size_t (*ask)(void *peer, const char *const *words, size_t words_n,
                  uint32_t *rows, size_t k);
    void (*close)(void *peer);
};

extern const struct peer peer_fts5, peer_xapian;

#ifdef __cplusplus
}
#endif

#endif

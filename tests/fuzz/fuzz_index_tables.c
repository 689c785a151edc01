/*
 * The tables of versions and chunks in a segment, with checksums ignored: what
 * opens is read as a search, a merge and a check would read it; nothing may
 * leave the file's bytes. Input: the file; base and id are its own.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What the file says it is, so that it passes for it. */
static struct info_rec info_of(const uint8_t *bytes, size_t n)
{
    struct info_rec info = {0};
    struct seg *s;
    str found;

    if (seg_open_bytes((str){(const char *)bytes, n}, true, &s, NULL) != RC_OK)
        return info;
    found = seg_find(s, SECTION_INFO);
    if (found.n == sizeof info)
        memcpy(&info, found.p, sizeof info);
    seg_close(s);
    return info;
}

static void read_all(struct segment *s)
{
    size_t bytes = 0;
    uint32_t at;

    for (uint32_t i = 0; i < s->versions_n; i++) {
        if (!segment_find(s, s->versions[i].version, &at))
            continue;
        segment_state_set(s, at, VERSION_ACTIVE);
        segment_state_set(s, at, VERSION_SUPERSEDED);
        segment_state_set(s, at, VERSION_ACTIVE);
    }
    for (uint32_t row = 0; row < s->rows; row++) {
        str path[HEADING_DEPTH_MAX + 1];
        size_t depth = segment_headings(s, row, path);

        for (size_t i = 0; i < depth; i++)
            for (size_t k = 0; k < path[i].n; k++)
                bytes += (unsigned char)path[i].p[k];
        bytes += s->versions[s->chunks[row].version].rows;
    }
    ASSERT(bytes < SIZE_MAX && s->rows_live <= s->rows && s->rows_dead == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct segment *s;
    struct info_rec info;
    uint8_t *bytes = malloc(n + 1); /* aligned as a mapping is */

    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, n);
    info = info_of(bytes, n);
    if (segment_open_bytes((str){(const char *)bytes, n}, info.base, info.id,
                           true, &s, NULL) == RC_OK) {
        read_all(s);
        segment_unref(s);
    }
    free(bytes);
    return 0;
}

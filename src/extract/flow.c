#include "extract/flow.h"

void flow_open(struct flow *f, struct writer *w)
{
    *f = (struct flow){.w = w};
}

void flow_close(struct flow *f)
{
    for (size_t i = 0; i < FLOW_ASIDES_MAX; i++)
        buf_close(&f->asides[i]);
}

static struct buf *innermost(struct flow *f)
{
    size_t n = f->asides_n > FLOW_ASIDES_MAX ? FLOW_ASIDES_MAX : f->asides_n;

    return n == 0 ? NULL : &f->asides[n - 1];
}

void flow_text(struct flow *f, str s)
{
    struct buf *aside = innermost(f);

    if (aside == NULL) {
        writer_text(f->w, s);
    } else if (s.n > TEXT_BYTES_MAX - f->aside_bytes) {
        f->w->full = true;
    } else {
        f->aside_bytes += s.n;
        buf_put(aside, s);
    }
}

void flow_break(struct flow *f)
{
    if (f->asides_n > 0)
        flow_text(f, STR("\n"));
    else
        writer_break(f->w);
}

static bool flagged(const struct doc *d, enum doc_flag_kind kind)
{
    for (size_t i = 0; i < d->flags_n; i++) {
        if (d->flags[i].kind == kind && d->flags[i].dropped)
            return true;
    }
    return false;
}

void flow_drop(struct flow *f, enum doc_flag_kind why, str s)
{
    struct doc_flag flag = {
        .kind = why, .dropped = true, .count = 1, .page = f->w->page};
    char sample[DOC_FLAG_SAMPLE_BYTES_MAX + 4]; /* and what is cut of a sign */

    s = str_trim(s);
    if (s.n == 0)
        return;
    if (!flagged(f->w->d, why)) { /* only the first one's is kept */
        s = str_sub(s, 0, sizeof sample);
        for (size_t i = 0; i < s.n; i++)
            sample[i] = (uint8_t)s.p[i] < ' ' ? ' ' : s.p[i];
        flag.sample = (str){sample, s.n};
    }
    doc_flag_add(f->w->d, flag, f->w->out);
}

void flow_aside(struct flow *f)
{
    f->asides_n++;
    if (f->asides_n <= FLOW_ASIDES_MAX)
        buf_clear(innermost(f));
}

str flow_aside_end(struct flow *f)
{
    str s = STR_NONE;

    ASSERT(f->asides_n > 0);
    if (f->asides_n <= FLOW_ASIDES_MAX)
        s = arena_str(f->w->out, str_trim(buf_str(innermost(f))));
    f->asides_n--;
    return s;
}

void flow_later(struct flow *f, uint32_t note, str text)
{
    struct flow_later l = {.note = note, .text = text};

    if (text.n > 0)
        ARENA_PUSH(f->w->out, f->later, f->later_n, f->later_cap, l);
}

void flow_note_mark(struct flow *f, uint32_t note)
{
    struct buf mark = {0};

    buf_fmt(&mark, "[^%u]", note);
    flow_text(f, buf_str(&mark));
    buf_close(&mark);
}

void flow_flush(struct flow *f)
{
    ASSERT(f->asides_n == 0);
    if (f->later_n == 0)
        return;
    for (size_t i = 0; i < f->later_n; i++) {
        writer_block(f->w, BLOCK_PARAGRAPH, 0);
        if (f->later[i].note > 0) {
            flow_note_mark(f, f->later[i].note);
            writer_text(f->w, STR(": "));
        }
        writer_text(f->w, f->later[i].text);
    }
    writer_break_block(f->w);
    f->later_n = 0;
}

/*
 * docx_body: what is open while a part of text is read, and what is said in it.
 * docx_body.c follows the tags: tables, boxes, changes, properties; docx_text.c
 * decides what of the text they hold is seen, and writes it.
 *
 * Owns:    all lives in docx.out.
 */
#ifndef EXTRACT_DOCX_BODY_PRIV_H
#define EXTRACT_DOCX_BODY_PRIV_H

#include "extract/docx.h"

#define TABLES_MAX FLOW_TABLES_MAX
#define BOXES_MAX 8 /* open at a time; deeper ones are as the last */
#define FIELDS_MAX 64
#define INSTRUCTION_BYTES 16 /* enough to know a field by */

struct docx_para {
    bool open; /* its block has begun */
    const struct docx_style *style;
    uint32_t outline, list, list_level, ground;
    bool mark_deleted;
};

/* What of a table decides how text in it looks, and whether it is there. */
struct table {
    uint32_t ground, cell_ground;
    bool row_deleted, cell_deleted;
    uint32_t span, before;
};

struct box {
    struct docx_para around;
    enum doc_flag_kind drops; /* as the run does in which it stands */
    uint32_t fill;
    bool aside;
};

struct field {
    bool result, contents;
    char instruction[INSTRUCTION_BYTES];
    size_t instruction_n;
};

struct body {
    struct docx *x;
    struct docx_notes *notes; /* not NULL: they are what is read */
    str note_id;
    unsigned depth;
    unsigned skip;    /* depth at which what is left out began; 0: nothing is */
    unsigned deleted; /* open deletions */
    unsigned contents; /* depth of the table of contents' container */
    unsigned tables_n, boxes_n;
    size_t fields_n;
    struct docx_para para;
    bool joins; /* the mark between the paragraphs is deleted */
    bool title_done;
    struct look look; /* of the run, as it sets it itself */
    const struct docx_style *run_style;
    bool look_known;
    enum doc_flag_kind run_drops; /* DOC_FLAG_COUNT: it can be read */
    uint32_t page, fill;
    struct table tables[TABLES_MAX];
    struct box boxes[BOXES_MAX];
    struct field fields[FIELDS_MAX];
    unsigned tags[MARKUP_DEPTH_MAX + 1]; /* by depth */
    bool taken[MARKUP_DEPTH_MAX + 1];    /* one alternative of those here */
};

/* Why text that comes now is left out; DOC_FLAG_COUNT: it is not. */
enum doc_flag_kind body_drops(struct body *b);

void body_para_begin(struct body *b);
void body_para_end(struct body *b);
void body_run_begin(struct body *b);

void body_show(struct body *b, str s);
void body_show_break(struct body *b);
void body_show_symbol(struct body *b, const struct markup_tag *t);
/* The mark of a foot- or endnote; its text comes behind the paragraph. */
void body_show_note(struct body *b, const struct markup_tag *t,
                    struct docx_notes *notes);

/* Fields: what they are made with is no text, only what they show. */
void body_field_char(struct body *b, const struct markup_tag *t);
void body_field_simple(struct body *b, const struct markup_tag *t);
void body_instruction(struct body *b, str s);

#endif

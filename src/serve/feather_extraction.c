/* What reading a document came to: an addition of knowd to the answers about one
 * document or version. Lists leave it out: samples may take kilobytes. */
#include "serve/feather_priv.h"

static const struct field FLAG_FIELDS[] = {
    OUT_STR("kind"),
    {.name = "dropped",
     .type = FIELD_BOOL,
     .required = true,
     .doc = "Left out of the text; else it is in it."},
    OUT_INT("count"),
    {.name = "page",
     .type = FIELD_INT,
     .required = true,
     .nullable = true,
     .doc = "Of the first."},
    {.name = "sample",
     .type = FIELD_STRING,
     .required = true,
     .doc = "The start of the first; may be empty."},
    OUT_END,
};
static const struct model FLAG = {.name = "KnowdExtractionFlag",
                                  .fields = FLAG_FIELDS};
static const struct field FLAG_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &FLAG};

static const struct field EXTRACTION_FIELDS[] = {
    {.name = "outcome",
     .type = FIELD_STRING,
     .required = true,
     .doc = "ok, partial, encrypted, unsupported, malformed, limit or "
            "crashed"},
    OUT_STR_OR_NULL("note"),
    OUT_STR_OR_NULL("mime"),
    {.name = "title",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "Found in the document; its own title stays what it was given."},
    OUT_STR_OR_NULL("language"),
    OUT_INT_OR_NULL("pages"),
    {.name = "created",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "As the document says: a date, or a date and time."},
    OUT_STR_OR_NULL("modified"),
    {.name = "ocr_confidence",
     .type = FIELD_INT,
     .nullable = true,
     .min = BOUND(1),
     .max = BOUND(100),
     .doc = "Mean over the pages read from pictures."},
    {.name = "canonical_url",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "The address a web page names as its own; it is never fetched."},
    {.name = "images",
     .type = FIELD_INT,
     .required = true,
     .doc = "Pictures it shows."},
    OUT_INT("extractor_version"),
    OUT_LIST("flags", &FLAG_ITEM),
    OUT_END,
};
const struct model FEATHER_EXTRACTION = {.name = "KnowdExtraction",
                                         .fields = EXTRACTION_FIELDS};

static void put_number(struct out *o, const char *name, uint32_t n)
{
    if (n > 0)
        out_uint(o, name, n);
    else
        out_null(o, name);
}

void feather_put_extraction(struct out *o, const struct extraction *x)
{
    if (x->outcome.n == 0) {
        out_null(o, "extraction");
        return;
    }
    out_begin(o, "extraction");
    out_str(o, "outcome", x->outcome);
    out_str_or_null(o, "note", x->note);
    out_str_or_null(o, "mime", x->mime);
    out_str_or_null(o, "title", x->title);
    out_str_or_null(o, "language", x->language);
    put_number(o, "pages", x->pages);
    out_str_or_null(o, "created", x->created);
    out_str_or_null(o, "modified", x->modified);
    put_number(o, "ocr_confidence", x->ocr_confidence);
    out_str_or_null(o, "canonical_url", x->canonical);
    out_uint(o, "images", x->images);
    out_uint(o, "extractor_version", x->extractor_version);
    out_json(o, "flags", x->flags);
    out_end(o);
}

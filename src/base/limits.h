/*
 * limits: every bound that stands between the outside and memory, by name.
 * Those with an option beside them can be set: the upload's to anything, the
 * others to less. The rest are fixed.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* HTTP: spec S8. */
#define REQUEST_LINE_BYTES_MAX (8 * KIB)
#define HEADER_BLOCK_BYTES_MAX (32 * KIB)
#define HEADERS_MAX 100
#define JSON_BODY_BYTES_MAX (1 * MIB) /* --json-bytes-max */
#define UPLOAD_BYTES_MAX (512 * MIB)  /* --upload-bytes-max */
#define DRAIN_BYTES_MAX (1 * MIB)     /* of a refused body */
#define DRAIN_MS_MAX 1000
#define URL_TEXT_BYTES_MAX (4 * KIB)

/* JSON */
#define JSON_DEPTH_MAX 64
#define JSON_KEYS_MAX 10000
#define JSON_NUMBER_BYTES_MAX 64
#define JSON_STRING_BYTES_MAX (1 * MIB)

/* Multipart and manifest */
#define MULTIPART_PARTS_MAX 100
#define PART_HEADER_BYTES_MAX (8 * KIB)
#define BOUNDARY_BYTES_MAX 70
#define FILENAME_BYTES_MAX 255
#define MANIFEST_BYTES_MAX (64 * MIB)       /* --manifest-bytes-max */
#define MANIFEST_ITEMS_MAX 10000            /* --manifest-items-max */
#define INLINE_CONTENT_BYTES_MAX (16 * MIB) /* --content-bytes-max */

#define MODEL_BYTES_MAX (1024 * MIB) /* a packed model */
#define MODEL_NAME_BYTES_MAX 100

/* Documents */
/* Of what reads and indexes them: below what answers requests. */
#define READING_NICENESS 5
/* Of what embeds them: below what makes them found by words. */
#define REFINING_NICENESS 7
#define BLOB_INLINE_BYTES_MAX (64 * KIB) /* larger ones are files */
/* Normalised, of one document; --text-bytes-max. */
#define TEXT_BYTES_MAX (32 * MIB)
#define TITLE_CHARS_MAX 500
#define EXTERNAL_ID_BYTES_MAX 512
#define METADATA_BYTES_MAX (64 * KIB)
#define BLOCKS_MAX ((size_t)256 << 10) /* of one document */
#define LINES_MAX ((size_t)1 << 20)    /* of one document's pages */
#define HEADING_DEPTH_MAX 6
#define CHUNKS_MAX ((size_t)1 << 20) /* of one document */

#define FOLDER_DEPTH_MAX 64 /* of a hub: a folder at the top is 1 */

/* Search */
#define QUERY_BYTES_MAX (4 * KIB)
#define QUERY_TERMS_MAX 64
#define SEARCH_BASES_MAX 100
#define SEARCH_LIMIT_MAX 100        /* Feather's */
#define SEARCH_WIDE_LIMIT_MAX 10000 /* /knowd/v1/search */

/* Lists */
#define PAGE_ITEMS_MAX 200
#define PAGE_ITEMS_DEFAULT 50

/* Exec's dialect */
#define EXEC_PAGE_NUMBER_MAX 1000000000
#define EXEC_PAGE_ITEMS_MAX 100
#define EXEC_IDS_MAX 1000    /* of one list in a body */
#define EXEC_ID_CHARS_MAX 64 /* of one of them */
#define EMOJI_CHARS_MAX 32   /* of one emoji */
#define COVER_CHARS_MAX 4096

#endif

/* Rows of the tables of answers, as every dialect writes them. */
#ifndef SERVE_ROWS_PRIV_H
#define SERVE_ROWS_PRIV_H

#include "serve/fields.h"

#define OUT_UUID(n)                                       \
    {                                                     \
        .name = (n), .type = FIELD_UUID, .required = true \
    }
#define OUT_UUID_OR_NULL(n)                               \
    {                                                     \
        .name = (n), .type = FIELD_UUID, .nullable = true \
    }
#define OUT_STR(n)                                          \
    {                                                       \
        .name = (n), .type = FIELD_STRING, .required = true \
    }
#define OUT_STR_OR_NULL(n)                                  \
    {                                                       \
        .name = (n), .type = FIELD_STRING, .nullable = true \
    }
#define OUT_INT(n)                                       \
    {                                                    \
        .name = (n), .type = FIELD_INT, .required = true \
    }
#define OUT_INT_OR_NULL(n)                               \
    {                                                    \
        .name = (n), .type = FIELD_INT, .nullable = true \
    }
#define OUT_NUM(n)                                          \
    {                                                       \
        .name = (n), .type = FIELD_NUMBER, .required = true \
    }
#define OUT_BOOL(n)                                       \
    {                                                     \
        .name = (n), .type = FIELD_BOOL, .required = true \
    }
#define OUT_TIME(n)                                       \
    {                                                     \
        .name = (n), .type = FIELD_TIME, .required = true \
    }
#define OUT_TIME_OR_NULL(n)                               \
    {                                                     \
        .name = (n), .type = FIELD_TIME, .nullable = true \
    }
#define OUT_OBJECT(n)                                       \
    {                                                       \
        .name = (n), .type = FIELD_OBJECT, .required = true \
    }
#define OUT_OBJECT_OR_NULL(n)                               \
    {                                                       \
        .name = (n), .type = FIELD_OBJECT, .nullable = true \
    }
#define OUT_LIST(n, of)                                                 \
    {                                                                   \
        .name = (n), .type = FIELD_LIST, .required = true, .item = (of) \
    }
#define OUT_END \
    {           \
        0       \
    }

#endif

/*
 * log: one line an event on stderr: time level part message key=value …
 * No secrets, no document text. Values with white space are quoted, control
 * bytes escaped, a line ends at 4 KiB.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_level_set(enum log_level level); /* default LOG_INFO */
void log_line(enum log_level level, const char *part, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
#define log_error(part, ...) log_line(LOG_ERROR, (part), __VA_ARGS__)
#define log_warn(part, ...) log_line(LOG_WARN, (part), __VA_ARGS__)
#define log_info(part, ...) log_line(LOG_INFO, (part), __VA_ARGS__)
#define log_debug(part, ...) log_line(LOG_DEBUG, (part), __VA_ARGS__)

#endif

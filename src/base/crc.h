/* crc: CRC-32C (Castagnoli; RFC 3720, appendix B.4), by the SSE4.2
 * instruction where there is one; the table form pins it in a test. */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include "base/str.h"

/* Of the bytes; crc32c_more continues one: crc32c_more(crc32c(a), b) is
 * crc32c of a and b joined. */
uint32_t crc32c(const void *p, size_t n);
uint32_t crc32c_more(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n); /* reference */

#endif

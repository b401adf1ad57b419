/* CRC-32 as in IEEE 802.3, zip and zlib. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_INITIAL 0u

/* Continues the check value of what came before (CRC32_INITIAL at the start) with more bytes. */
uint32_t crc32_update(uint32_t check, const void *bytes, size_t count);

#endif

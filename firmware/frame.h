/* The frames that host and firmware exchange on the UART. All numbers are little-endian.
 *
 *   offset  size
 *        0     2  magic 0xE5 0x7A
 *        2     1  type
 *        3     1  sequence number: a reply carries that of its request
 *        4     4  length of the payload
 *        8     4  CRC-32 of the 8 bytes above: a damaged length is never believed
 *       12     n  payload
 *     12+n     4  CRC-32 of everything above
 *
 * Bytes between frames belong to nobody; the parser steps over them until the next valid header.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FRAME_MAGIC_0 = 0xE5,
    FRAME_MAGIC_1 = 0x7A,
    FRAME_HEADER_BYTES = 12,
    FRAME_CHECK_BYTES = 4,
};

enum frame_event {
    FRAME_NOTHING,   /* more bytes are needed */
    FRAME_COMPLETE,  /* type, sequence, length and payload are valid until the next byte */
    FRAME_TOO_LONG,  /* a valid header, but its payload does not fit; looking for the next header */
    FRAME_DAMAGED,   /* the payload's check failed; looking for the next header */
};

struct frame_parser {
    uint8_t *payload; /* where payloads go */
    size_t capacity;  /* and how large one may be */
    uint8_t type;
    uint8_t sequence;
    uint32_t length;
    uint32_t received; /* bytes after the header */
    uint32_t check;
    uint8_t trailer[FRAME_CHECK_BYTES];
    uint8_t header[FRAME_HEADER_BYTES];
    uint32_t header_fill;
};

void frame_parser_start(struct frame_parser *parser, uint8_t *payload, size_t capacity);

/* Takes in one byte. */
enum frame_event frame_parser_push(struct frame_parser *parser, uint8_t byte);

/* Whether a header was accepted and its payload is still on the way. */
static inline int frame_parser_in_payload(const struct frame_parser *parser)
{
    return parser->header_fill == FRAME_HEADER_BYTES;
}

/* Takes a whole frame that lies in memory, its payload where the parser puts payloads: FRAME_COMPLETE or FRAME_DAMAGED.
 * The sequence number is 0 where the header cannot be believed. */
enum frame_event frame_parser_take(struct frame_parser *parser, const uint8_t *frame, uint32_t length);

/* Forgets a frame that was begun. */
void frame_parser_reset(struct frame_parser *parser);

struct frame_writer {
    void (*write)(const void *bytes, size_t count);
    uint32_t check;
};

/* A frame is written in pieces whose sizes add up to the length announced. */
void frame_begin(struct frame_writer *writer, uint8_t type, uint8_t sequence, uint32_t length);
void frame_write(struct frame_writer *writer, const void *bytes, size_t count);
void frame_end(struct frame_writer *writer);

void frame_write_u16(struct frame_writer *writer, uint16_t value);
void frame_write_u32(struct frame_writer *writer, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif

#include "frame.h"

#include <string.h>

#include "crc32.h"

static uint32_t load_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void store_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void frame_parser_start(struct frame_parser *parser, uint8_t *payload, size_t capacity)
{
    memset(parser, 0, sizeof *parser);
    parser->payload = payload;
    parser->capacity = capacity;
}

void frame_parser_reset(struct frame_parser *parser)
{
    parser->header_fill = 0;
    parser->received = 0;
}

/* Keeps only what may be the beginning of a header: the longest end of the window that starts like one. */
static void resynchronise(struct frame_parser *parser)
{
    uint32_t start = 1;
    while (start < parser->header_fill
           && (parser->header[start] != FRAME_MAGIC_0
               || (start + 1 < parser->header_fill && parser->header[start + 1] != FRAME_MAGIC_1))) {
        start++;
    }
    parser->header_fill -= start;
    memmove(parser->header, parser->header + start, parser->header_fill);
}

/* Whether the header is one; what it says of the frame is taken over. */
static int take_header(struct frame_parser *parser, const uint8_t *header)
{
    if (crc32_update(CRC32_INITIAL, header, 8) != load_u32(header + 8)) {
        return 0;
    }
    parser->type = header[2];
    parser->sequence = header[3];
    parser->length = load_u32(header + 4);
    parser->received = 0;
    parser->check = crc32_update(CRC32_INITIAL, header, FRAME_HEADER_BYTES);
    return 1;
}

static enum frame_event push_header(struct frame_parser *parser, uint8_t byte)
{
    parser->header[parser->header_fill++] = byte;
    if (parser->header[0] != FRAME_MAGIC_0 || (parser->header_fill > 1 && parser->header[1] != FRAME_MAGIC_1)) {
        resynchronise(parser);
        return FRAME_NOTHING;
    }
    if (parser->header_fill < FRAME_HEADER_BYTES) {
        return FRAME_NOTHING;
    }
    if (!take_header(parser, parser->header)) {
        resynchronise(parser);
        return FRAME_NOTHING;
    }
    if (parser->length > parser->capacity) {
        frame_parser_reset(parser);
        return FRAME_TOO_LONG;
    }
    return FRAME_NOTHING;
}

enum frame_event frame_parser_push(struct frame_parser *parser, uint8_t byte)
{
    if (!frame_parser_in_payload(parser)) {
        return push_header(parser, byte);
    }
    if (parser->received < parser->length) {
        parser->payload[parser->received++] = byte;
        return FRAME_NOTHING;
    }
    parser->trailer[parser->received++ - parser->length] = byte;
    if (parser->received < parser->length + FRAME_CHECK_BYTES) {
        return FRAME_NOTHING;
    }
    uint32_t check = crc32_update(parser->check, parser->payload, parser->length);
    frame_parser_reset(parser);
    return check == load_u32(parser->trailer) ? FRAME_COMPLETE : FRAME_DAMAGED;
}

enum frame_event frame_parser_take(struct frame_parser *parser, const uint8_t *frame, uint32_t length)
{
    uint8_t header[FRAME_HEADER_BYTES]; /* a copy: whoever wrote it may still do so */
    memcpy(header, frame, sizeof header);
    frame_parser_reset(parser);
    parser->sequence = 0;
    if (header[0] != FRAME_MAGIC_0 || header[1] != FRAME_MAGIC_1 || !take_header(parser, header)) {
        return FRAME_DAMAGED;
    }
    if (parser->length > parser->capacity || length != FRAME_HEADER_BYTES + parser->length + FRAME_CHECK_BYTES) {
        return FRAME_DAMAGED;
    }
    uint32_t check = crc32_update(parser->check, parser->payload, parser->length);
    return check == load_u32(parser->payload + parser->length) ? FRAME_COMPLETE : FRAME_DAMAGED;
}

void frame_begin(struct frame_writer *writer, uint8_t type, uint8_t sequence, uint32_t length)
{
    uint8_t header[FRAME_HEADER_BYTES] = { FRAME_MAGIC_0, FRAME_MAGIC_1, type, sequence };
    store_u32(header + 4, length);
    store_u32(header + 8, crc32_update(CRC32_INITIAL, header, 8));
    writer->check = CRC32_INITIAL;
    frame_write(writer, header, sizeof header);
}

void frame_write(struct frame_writer *writer, const void *bytes, size_t count)
{
    if (count > 0) {
        writer->check = crc32_update(writer->check, bytes, count);
        writer->write(bytes, count);
    }
}

void frame_end(struct frame_writer *writer)
{
    uint8_t trailer[FRAME_CHECK_BYTES];
    store_u32(trailer, writer->check);
    writer->write(trailer, sizeof trailer);
}

void frame_write_u16(struct frame_writer *writer, uint16_t value)
{
    uint8_t bytes[2] = { (uint8_t)value, (uint8_t)(value >> 8) };
    frame_write(writer, bytes, sizeof bytes);
}

void frame_write_u32(struct frame_writer *writer, uint32_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, value);
    frame_write(writer, bytes, sizeof bytes);
}

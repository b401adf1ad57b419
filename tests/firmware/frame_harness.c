/* Hands the C parser and writer to a test. */
#include <string.h>

#include "frame.h"

static struct frame_parser parser;
static uint8_t payload[1024];
static uint8_t *written;
static size_t written_bytes;

void harness_start(size_t capacity)
{
    frame_parser_start(&parser, payload, capacity);
}

int harness_push(uint8_t byte)
{
    return frame_parser_push(&parser, byte);
}

uint32_t harness_frame(uint8_t *type, uint8_t *sequence, uint8_t *copy)
{
    *type = parser.type;
    *sequence = parser.sequence;
    memcpy(copy, payload, parser.length);
    return parser.length;
}

static void collect(const void *bytes, size_t count)
{
    memcpy(written + written_bytes, bytes, count);
    written_bytes += count;
}

size_t harness_encode(uint8_t type, uint8_t sequence, const uint8_t *bytes, uint32_t count, uint8_t *output)
{
    struct frame_writer writer = { .write = collect };
    written = output;
    written_bytes = 0;
    frame_begin(&writer, type, sequence, count);
    for (uint32_t i = 0; i < count; i += 7) {
        frame_write(&writer, bytes + i, count - i < 7 ? count - i : 7);
    }
    frame_end(&writer);
    return written_bytes;
}

#include "mailbox.h"

#include <string.h>

#include "host_files.h"
#include "protocol.h"
#include "uart.h"

#define REQUEST_FRAME_BYTES (FRAME_HEADER_BYTES + MAILBOX_REQUEST_BYTES + FRAME_CHECK_BYTES)
/* A result's, and never less than an input, as there is to be room for one. */
enum { REPLY_FIXED_BYTES = 64 };
#define REPLY_PAYLOAD_BYTES                                          \
    (NETWORK_INPUT_BYTES > REPLY_FIXED_BYTES + NETWORK_OUTPUT_BYTES  \
         ? NETWORK_INPUT_BYTES                                       \
         : REPLY_FIXED_BYTES + NETWORK_OUTPUT_BYTES)
#define REPLY_FRAME_BYTES (FRAME_HEADER_BYTES + REPLY_PAYLOAD_BYTES + FRAME_CHECK_BYTES)

/* The host writes to the former and reads the latter while the processor waits for the doorbell. */
static struct {
    uint32_t length;
    uint8_t frame[REQUEST_FRAME_BYTES];
} request __attribute__((aligned(16), section(".protocol_buffer")));

static struct {
    uint32_t length;
    uint8_t frame[REPLY_FRAME_BYTES];
} reply __attribute__((aligned(16), section(".protocol_buffer")));

static uint32_t reply_fill;
static bool in_files;

uint8_t *mailbox_payload(void)
{
    return request.frame + FRAME_HEADER_BYTES;
}

uint8_t *mailbox_scratch(void)
{
    return reply.frame + FRAME_HEADER_BYTES;
}

enum frame_event mailbox_take(struct frame_parser *parser)
{
    if (in_files) {
        size_t count = 0;
        (void)host_files_read(PROTOCOL_REQUEST_FILE, request.frame, sizeof request.frame, &count);
        request.length = (uint32_t)count;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return frame_parser_take(parser, request.frame, *(volatile uint32_t *)&request.length);
}

bool mailbox_fits(uint32_t length)
{
    return length <= REPLY_PAYLOAD_BYTES;
}

void mailbox_begin(void)
{
    reply_fill = 0;
}

void mailbox_write(const void *bytes, size_t count)
{
    if (count <= sizeof reply.frame - reply_fill) {
        memcpy(reply.frame + reply_fill, bytes, count);
        reply_fill += (uint32_t)count;
    }
}

void mailbox_end(void)
{
    reply.length = reply_fill;
    if (in_files && !host_files_write(PROTOCOL_REPLY_FILE, reply.frame, reply_fill)) {
        return; /* the host waits in vain, as for a reply that was lost */
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uart_write((const uint8_t[]){ PROTOCOL_DOORBELL }, 1);
}

bool mailbox_open_files(void)
{
    uint8_t proof[MAILBOX_PROOF_BYTES];
    size_t count = 0;
    in_files = host_files_read(PROTOCOL_REQUEST_FILE, proof, sizeof proof, &count)
               && host_files_write(PROTOCOL_REPLY_FILE, proof, count);
    return in_files;
}

void mailbox_close_files(void)
{
    in_files = false;
}

static void write_address(struct frame_writer *writer, const void *address)
{
    uint64_t number = (uintptr_t)address;
    frame_write_u32(writer, (uint32_t)number);
    frame_write_u32(writer, (uint32_t)(number >> 32));
}

void mailbox_place(struct frame_writer *writer)
{
    write_address(writer, &request);
    write_address(writer, &reply);
    frame_write_u32(writer, REQUEST_FRAME_BYTES);
    frame_write_u32(writer, REPLY_FRAME_BYTES);
}

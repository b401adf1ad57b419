#include "server.h"

#include <stdbool.h>
#include <string.h>

#include "frame.h"
#include "mailbox.h"
#include "message.h"
#include "network.h"
#include "notice.h"
#include "protocol.h"
#include "runtime.h"
#include "uart.h"

/* Payloads begin with fixed parts of these sizes; what follows is described where it is written. */
enum { HELLO_FIXED_BYTES = 56, TENSOR_FIXED_BYTES = 16, RESULT_FIXED_BYTES = 44 };

static struct frame_parser parser;
static const char *not_ready;
static bool mailbox_open; /* a host has asked where it is */
static bool by_mailbox;   /* the request that is being served lies there, so does its reply */

static struct frame_writer begin_reply(uint8_t type, uint8_t sequence, uint32_t length)
{
    struct frame_writer writer = { .write = by_mailbox && mailbox_fits(length) ? mailbox_write : uart_write };
    mailbox_begin();
    frame_begin(&writer, type, sequence, length);
    return writer;
}

static void end_reply(struct frame_writer *writer)
{
    frame_end(writer);
    if (writer->write == mailbox_write) {
        mailbox_end();
    }
}

static void send_empty(uint8_t type, uint8_t sequence)
{
    struct frame_writer writer = begin_reply(type, sequence, 0);
    end_reply(&writer);
}

static uint32_t table_bytes(const struct network_tensor *tensors, unsigned count)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        bytes += (uint32_t)(TENSOR_FIXED_BYTES + 4 * tensors[i].rank + strlen(tensors[i].name));
    }
    return bytes;
}

/* Per tensor: dtype u8, rank u8, length of the name u16, bytes u32, scale f32, zero point i32, shape u32 each, name. */
static void write_table(struct frame_writer *writer, const struct network_tensor *tensors, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct network_tensor *tensor = &tensors[i];
        uint16_t name_length = (uint16_t)strlen(tensor->name);
        uint32_t scale;
        memcpy(&scale, &tensor->scale, sizeof scale);
        frame_write(writer, (const uint8_t[]){ tensor->dtype, tensor->rank }, 2);
        frame_write_u16(writer, name_length);
        frame_write_u32(writer, tensor->bytes);
        frame_write_u32(writer, scale);
        frame_write_u32(writer, (uint32_t)tensor->zero_point);
        for (unsigned k = 0; k < tensor->rank; k++) {
            frame_write_u32(writer, tensor->shape[k]);
        }
        frame_write(writer, tensor->name, name_length);
    }
}

/* Version u16, runtime u8, 0, SHA-256 of the model, build id of 8 bytes, largest request u32, inputs u8, outputs u8,
 * 0 u16, arena u32; then the tensors, inputs first. */
static void send_hello(uint8_t sequence)
{
    uint32_t length = HELLO_FIXED_BYTES + table_bytes(network_inputs, NETWORK_INPUTS)
                      + table_bytes(network_outputs, NETWORK_OUTPUTS);
    struct frame_writer writer = begin_reply(TYPE_HELLO_REPLY, sequence, length);
    frame_write_u16(&writer, PROTOCOL_VERSION);
    frame_write_u16(&writer, (uint16_t)runtime_kind());
    frame_write(&writer, network_sha256, 32);
    frame_write(&writer, network_build_id, 8);
    frame_write_u32(&writer, MAILBOX_REQUEST_BYTES);
    frame_write(&writer, (const uint8_t[]){ NETWORK_INPUTS, NETWORK_OUTPUTS, 0, 0 }, 4);
    frame_write_u32(&writer, NETWORK_ARENA_BYTES);
    write_table(&writer, network_inputs, NETWORK_INPUTS);
    write_table(&writer, network_outputs, NETWORK_OUTPUTS);
    end_reply(&writer);
}

static void greet(uint8_t sequence)
{
    if (not_ready != NULL) {
        notice_error(sequence, PROTOCOL_NOT_READY, not_ready);
    } else {
        send_hello(sequence);
    }
}

/* Status u32 (0), arena in use u32, NPU cycles u64, four events u16, four counters u32, command streams that ran u32;
 * then the outputs. */
static void send_result(uint8_t sequence, const struct runtime_report *report)
{
    const struct npu_counters *counters = &report->counters;
    struct frame_writer writer = begin_reply(TYPE_RESULT, sequence, RESULT_FIXED_BYTES + NETWORK_OUTPUT_BYTES);
    frame_write_u32(&writer, 0);
    frame_write_u32(&writer, report->arena_used);
    frame_write_u32(&writer, (uint32_t)counters->cycles);
    frame_write_u32(&writer, (uint32_t)(counters->cycles >> 32));
    for (unsigned i = 0; i < NPU_COUNTERS; i++) {
        frame_write_u16(&writer, counters->events[i]);
    }
    for (unsigned i = 0; i < NPU_COUNTERS; i++) {
        frame_write_u32(&writer, counters->values[i]);
    }
    frame_write_u32(&writer, counters->streams);
    for (unsigned i = 0; i < NETWORK_OUTPUTS; i++) {
        frame_write(&writer, runtime_output(i), network_outputs[i].bytes);
    }
    end_reply(&writer);
}

/* Inputs may come run-length coded, as the UART is what takes longest. A control byte c and what it stands for:
 * 0 to 127: the c + 1 bytes that follow; 129 to 255: the next byte 257 - c times; 128: not used.
 * Returns the length; more than NETWORK_INPUT_BYTES or 0 if there is no sense in it. */
static uint32_t unpack(const uint8_t *packed, uint32_t count)
{
    uint8_t *unpacked = mailbox_scratch();
    uint32_t length = 0;
    for (uint32_t at = 0; at < count;) {
        uint32_t control = packed[at++];
        bool repeated = control > 128;
        uint32_t bytes = repeated ? 257 - control : control + 1;
        if (control == 128 || count - at < (repeated ? 1 : bytes)) {
            return 0;
        }
        if (length + bytes > NETWORK_INPUT_BYTES) {  /* both are small: this cannot wrap */
            return NETWORK_INPUT_BYTES + 1;
        }
        if (repeated) {
            memset(unpacked + length, packed[at], bytes);
        } else {
            memcpy(unpacked + length, packed + at, bytes);
        }
        at += repeated ? 1 : bytes;
        length += bytes;
    }
    return length;
}

static void infer(uint8_t sequence, const uint8_t *inputs, uint32_t length)
{
    if (not_ready != NULL) {
        notice_error(sequence, PROTOCOL_NOT_READY, not_ready);
        return;
    }
    if (length != NETWORK_INPUT_BYTES) {
        struct message text;
        message_clear(&text);
        message_text(&text, "the inputs are ");
        message_decimal(&text, length);
        message_text(&text, " bytes, the network takes ");
        message_decimal(&text, NETWORK_INPUT_BYTES);
        notice_error(sequence, PROTOCOL_SIZE, message_get(&text));
        return;
    }
    const uint8_t *next = inputs;
    for (unsigned i = 0; i < NETWORK_INPUTS; i++) {
        memcpy(runtime_input(i), next, network_inputs[i].bytes);
        next += network_inputs[i].bytes;
    }
    struct runtime_report report;
    memset(&report, 0, sizeof report);
    const char *problem = runtime_infer(&report);
    if (problem != NULL) {
        notice_error(sequence, PROTOCOL_INFERENCE, problem);
    } else {
        send_result(sequence, &report);
    }
}

static uint32_t request_u32(unsigned number)
{
    const uint8_t *bytes = mailbox_payload() + 4 * number;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Words of the command stream u32, after which the NPU stops in the next inference; UINT32_MAX: it does not. */
static void stop_after(uint8_t sequence, uint32_t length)
{
    const char *problem = length == 4 ? runtime_stop_after(request_u32(0)) : "a number of words was expected";
    if (problem != NULL) {
        notice_error(sequence, PROTOCOL_UNKNOWN_REQUEST, problem);
        return;
    }
    send_empty(TYPE_STOP_REPLY, sequence);
}

/* Region u32, offset in it u32, bytes u32. The reply is the bytes. */
static void read_memory(uint8_t sequence, uint32_t length)
{
    size_t size = 0;
    const uint8_t *memory = length == 12 ? runtime_memory(request_u32(0), &size) : NULL;
    uint32_t offset = request_u32(1), bytes = request_u32(2);
    if (memory == NULL || offset > size || bytes > size - offset) {
        notice_error(sequence, PROTOCOL_SIZE, "there is no such memory to be read");
        return;
    }
    struct frame_writer writer = begin_reply(TYPE_MEMORY, sequence, bytes);
    frame_write(&writer, memory + offset, bytes);
    end_reply(&writer);
}

/* No payload, neither of the request nor of the reply. */
static void reset(uint8_t sequence)
{
    const char *problem = not_ready != NULL ? not_ready : runtime_reset();
    if (problem != NULL) {
        notice_error(sequence, PROTOCOL_NOT_READY, problem);
        return;
    }
    send_empty(TYPE_RESET_REPLY, sequence);
}

static void hello(uint8_t sequence, uint32_t length)
{
    const uint8_t *version = mailbox_payload();
    if (length < 2 || (version[0] | version[1] << 8) != PROTOCOL_VERSION) {
        notice_error(sequence, PROTOCOL_VERSION_DIFFERS, "this firmware speaks version 1 of the protocol");
    } else {
        (void)runtime_stop_after(RUNTIME_WHOLE); /* what an earlier conversation asked for is over */
        mailbox_open = false;
        mailbox_close_files();
        greet(sequence);
    }
}

/* From then on the mailbox is looked into when the doorbell rings. */
static void send_place(uint8_t type, uint8_t sequence)
{
    struct frame_writer writer = begin_reply(type, sequence, MAILBOX_PLACE_BYTES);
    mailbox_place(&writer);
    end_reply(&writer);
    mailbox_open = true;
}

/* No payload. The reply is where the mailbox is. */
static void open_mailbox(uint8_t sequence)
{
    mailbox_close_files();
    send_place(TYPE_MAILBOX_REPLY, sequence);
}

/* No payload. The reply is where the mailbox is; its frames are exchanged in files from then on. */
static void open_files(uint8_t sequence)
{
    if (!mailbox_open_files()) {
        notice_error(sequence, PROTOCOL_UNKNOWN_REQUEST, "nobody serves files here");
        return;
    }
    send_place(TYPE_FILES_REPLY, sequence);
}

static void serve(uint8_t type, uint8_t sequence, uint32_t length)
{
    switch (type) {
    case TYPE_HELLO:
        hello(sequence, length);
        break;
    case TYPE_INFER:
        infer(sequence, mailbox_payload(), length);
        break;
    case TYPE_INFER_PACKED:
        infer(sequence, mailbox_scratch(), unpack(mailbox_payload(), length));
        break;
    case TYPE_STOP_AFTER:
        stop_after(sequence, length);
        break;
    case TYPE_READ:
        read_memory(sequence, length);
        break;
    case TYPE_RESET:
        reset(sequence);
        break;
    case TYPE_BYE:
        send_empty(TYPE_BYE_REPLY, sequence);
        break;
    case TYPE_MAILBOX:
        open_mailbox(sequence);
        break;
    case TYPE_FILES:
        open_files(sequence);
        break;
    default:
        notice_error(sequence, PROTOCOL_UNKNOWN_REQUEST, "unknown request");
        break;
    }
}

static void refuse_long(void)
{
    struct message text;
    message_clear(&text);
    message_text(&text, "a request of ");
    message_decimal(&text, parser.length);
    message_text(&text, " bytes, the network takes ");
    message_decimal(&text, NETWORK_INPUT_BYTES);
    notice_error(parser.sequence, PROTOCOL_SIZE, message_get(&text));
}

void server_start(void)
{
    frame_parser_start(&parser, mailbox_payload(), MAILBOX_REQUEST_BYTES);
    not_ready = runtime_start();
    greet(0); /* unasked, with sequence number 0: the host learns that the target has (re)started */
}

/* The next byte from the UART; the frame in the mailbox where it is the doorbell. */
static enum frame_event take(unsigned char byte)
{
    by_mailbox = mailbox_open && byte == PROTOCOL_DOORBELL && parser.header_fill == 0;
    return by_mailbox ? mailbox_take(&parser) : frame_parser_push(&parser, byte);
}

void server_push(unsigned char byte)
{
    switch (take(byte)) {
    case FRAME_NOTHING:
        break;
    case FRAME_COMPLETE:
        serve(parser.type, parser.sequence, parser.length);
        break;
    case FRAME_TOO_LONG:
        refuse_long();
        break;
    case FRAME_DAMAGED:
        notice_error(parser.sequence, PROTOCOL_DAMAGED, "a request arrived damaged (CRC-32 differs)");
        break;
    }
}

void server_idle(void)
{
    if (!frame_parser_in_payload(&parser)) {
        return;
    }
    struct message text;
    message_clear(&text);
    message_text(&text, "a request ended after ");
    message_decimal(&text, parser.received);
    message_text(&text, " of ");
    message_decimal(&text, parser.length + FRAME_CHECK_BYTES);
    message_text(&text, " bytes");
    frame_parser_reset(&parser);
    notice_error(parser.sequence, PROTOCOL_TRUNCATED, message_get(&text));
}

void server_run(void)
{
    server_start();
    for (;;) {
        uint8_t byte;
        if (uart_read(&byte, PROTOCOL_IDLE_MS)) {
            server_push(byte);
        } else {
            server_idle();
        }
    }
}

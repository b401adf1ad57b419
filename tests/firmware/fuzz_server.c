/* Hostile bytes into the protocol server. With libFuzzer as it is; with -DFUZZ_MAIN a fixed sequence of mutated
 * conversations, the same on every computer. Sanitizers judge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "mailbox.h"
#include "network.h"
#include "protocol.h"
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
void harness_push(const uint8_t *bytes, size_t count);
size_t harness_take(uint8_t *copy);

static uint8_t sink[1 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const uint8_t doorbell = PROTOCOL_DOORBELL;
    uint8_t *mailbox = mailbox_payload() - FRAME_HEADER_BYTES - sizeof(uint32_t);
    uint32_t length = (uint32_t)count;
    size_t room = FRAME_HEADER_BYTES + MAILBOX_REQUEST_BYTES + FRAME_CHECK_BYTES;
    server_start();
    harness_push(bytes, count);
    /* The same bytes once more in the mailbox, which is looked into if they asked for it. */
    memcpy(mailbox, &length, sizeof length);
    memcpy(mailbox + sizeof length, bytes, count < room ? count : room);
    harness_push(&doorbell, 1);
    server_idle();
    harness_take(sink);
    return 0;
}

#ifdef FUZZ_MAIN
static uint8_t conversation[1 << 16];
static size_t length;
static uint32_t state = 1;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void append(const void *bytes, size_t count)
{
    memcpy(conversation + length, bytes, count);
    length += count;
}

static void append_frame(uint8_t type, uint32_t payload_bytes)
{
    static uint8_t payload[NETWORK_INPUT_BYTES + 64];
    struct frame_writer writer = { .write = append };
    for (uint32_t i = 0; i < payload_bytes; i++) {
        payload[i] = (uint8_t)next_random();
    }
    payload[0] = PROTOCOL_VERSION;
    payload[1] = 0;
    if (type == TYPE_READ) { /* regions, offsets and sizes that are nearly right */
        payload[2] = payload[3] = payload[6] = payload[7] = payload[10] = payload[11] = 0;
    }
    frame_begin(&writer, type, (uint8_t)next_random(), payload_bytes);
    frame_write(&writer, payload, payload_bytes);
    frame_end(&writer);
}

int main(int argc, char **argv)
{
    static const uint8_t types[] = { TYPE_HELLO, TYPE_INFER, TYPE_INFER_PACKED, TYPE_STOP_AFTER, TYPE_READ, TYPE_BYE, TYPE_MAILBOX, TYPE_FILES, 0x42 };
    static const uint32_t sizes[] = { 0, 2, 4, 12, 16, NETWORK_INPUT_BYTES, NETWORK_INPUT_BYTES + 1, NETWORK_INPUT_BYTES + 60 };
    long rounds = argc > 1 ? atol(argv[1]) : 1000;
    for (long i = 0; i < rounds; i++) {
        length = 0;
        for (uint32_t k = 0; k < 1 + next_random() % 4; k++) {
            append_frame(types[next_random() % 9], sizes[next_random() % 8]);
        }
        for (uint32_t k = next_random() % 8; k > 0; k--) {
            conversation[next_random() % (next_random() % 2 ? length : 14)] = (uint8_t)next_random();
        }
        size_t start = next_random() % 4 ? 0 : next_random() % length;
        size_t end = next_random() % 4 ? length : start + next_random() % (length - start + 1);
        LLVMFuzzerTestOneInput(conversation + start, end - start);
    }
    printf("%ld conversations\n", rounds);
    return 0;
}
#endif

/* The protocol server on this computer: the test is the UART, and a made-up runtime computes the outputs. */
#include <stdio.h>
#include <string.h>

#include "host_call.h"
#include "network.h"
#include "runtime.h"
#include "server.h"
#include "uart.h"

static uint8_t output[1 << 20];
static size_t output_bytes;
static uint8_t inputs[NETWORK_INPUT_BYTES];
static uint8_t outputs[NETWORK_OUTPUT_BYTES];
static uint32_t stopped_after = RUNTIME_WHOLE;
static uint32_t resets;
static const char *start_problem;
static const char *infer_problem;

static const char *folder;
static FILE *file;
static int calls;

/* Where the host's files are; NULL where it serves none. */
void harness_folder(const char *path)
{
    folder = path;
}

/* Semihosting as a simulator has it: SYS_OPEN (rb, wb), SYS_CLOSE, SYS_WRITE, SYS_READ, one file at a time. */
intptr_t host_call(uint32_t operation, const void *arguments)
{
    const uintptr_t *words = arguments;
    char path[4096];
    if (folder == NULL) {
        return -1;
    }
    calls++;
    if (operation == 1) {
        snprintf(path, sizeof path, "%s/%s", folder, (const char *)words[0]);
        file = strlen((const char *)words[0]) == words[2] ? fopen(path, words[1] == 1 ? "rb" : "wb") : NULL;
        return file == NULL ? -1 : 5;
    }
    if (file == NULL || words[0] != 5) {
        return -1;
    }
    if (operation == 2) {
        FILE *closed = file;
        file = NULL;
        return fclose(closed);
    }
    if (operation == 5) {
        return (intptr_t)(words[2] - fwrite((const void *)words[1], 1, words[2], file));
    }
    return operation == 6 ? (intptr_t)(words[2] - fread((void *)words[1], 1, words[2], file)) : -1;
}

int harness_host_calls(void)
{
    return calls;
}

void harness_problems(const char *at_start, const char *at_inference)
{
    start_problem = at_start;
    infer_problem = at_inference;
}

/* Takes what the server has sent since the last call. */
size_t harness_take(uint8_t *copy)
{
    size_t count = output_bytes;
    memcpy(copy, output, count);
    output_bytes = 0;
    return count;
}

void harness_push(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        server_push(bytes[i]);
    }
}

void uart_write(const void *bytes, size_t count)
{
    if (output_bytes + count <= sizeof output) {
        memcpy(output + output_bytes, bytes, count);
        output_bytes += count;
    }
}

bool uart_read(uint8_t *byte, uint32_t timeout_ms)
{
    (void)byte;
    (void)timeout_ms;
    return false;
}

enum runtime_kind runtime_kind(void)
{
    return RUNTIME_OTHER;
}

const char *runtime_start(void)
{
    return start_problem;
}

const char *runtime_reset(void)
{
    resets++;
    return infer_problem;
}

uint32_t harness_resets(void)
{
    return resets;
}

static uint32_t place(const struct network_tensor *tensors, unsigned number)
{
    uint32_t offset = 0;
    for (unsigned i = 0; i < number; i++) {
        offset += tensors[i].bytes;
    }
    return offset;
}

void *runtime_input(unsigned number)
{
    return inputs + place(network_inputs, number);
}

const void *runtime_output(unsigned number)
{
    return outputs + place(network_outputs, number);
}

const char *runtime_stop_after(uint32_t words)
{
    stopped_after = words;
    return words == 7 ? "not there" : NULL;
}

uint32_t harness_stopped_after(void)
{
    return stopped_after;
}

const void *runtime_memory(unsigned region, size_t *bytes)
{
    *bytes = region == 1 ? sizeof outputs : 0;
    return region == 1 ? outputs : NULL;
}

const char *runtime_infer(struct runtime_report *report)
{
    for (size_t i = 0; i < sizeof outputs; i++) {
        outputs[i] = (uint8_t)(inputs[i % sizeof inputs] + i);
    }
    report->arena_used = 1234;
    report->counters = (struct npu_counters){
        .cycles = 0x123456789,
        .events = { 0x23, 0x82, 0x87, 0x3FF },
        .values = { 1, 2, 3, 4 },
        .streams = 1,
    };
    return infer_problem;
}

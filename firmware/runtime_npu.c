/* Runs a network that is a single ethos-u operator, besides what only moves its state: the driver and an arena are all
 * it takes. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ethosu_driver.h"
#include "ethosu_platform.h"
#include "network.h"
#include "runtime.h"

/* Regions of Vela's command stream, besides its read-only data. */
enum { REGION_ARENA = 1, REGION_FAST = 2 };

static struct message problem;

static uint8_t arena[NETWORK_ARENA_BYTES] __attribute__((aligned(16), section(".tensor_arena")));
#if NETWORK_FAST_MEMORY_BYTES > 0
static uint8_t fast_memory[NETWORK_FAST_MEMORY_BYTES] __attribute__((aligned(16), section(".fast_memory")));
#else
static uint8_t *const fast_memory = NULL;
#endif

/* Room for any beginning of the command stream and for what stops the NPU behind it. */
static uint32_t part[NETWORK_COMMANDS_BYTES / 4 + ETHOSU_STOP_WORDS]
    __attribute__((aligned(16), section(".protocol_buffer")));

enum runtime_kind runtime_kind(void)
{
    return RUNTIME_NPU;
}

static const char *driver_problem(void)
{
    message_clear(&problem);
    if (!ethosu_platform_problem(&problem)) {
        message_text(&problem, "the NPU driver failed");
    }
    return message_get(&problem);
}

const char *runtime_start(void)
{
    if (ethosu_platform_start(fast_memory, NETWORK_FAST_MEMORY_BYTES, NETWORK_REGION_CONFIG, NPU_TIMEOUT_MS) != 0
        || ethosu_platform_check_payload(network_commands, NETWORK_COMMANDS_BYTES) != 0) {
        return driver_problem();
    }
    return runtime_reset();
}

const char *runtime_reset(void)
{
#if NETWORK_STATES > 0
    for (unsigned i = 0; i < NETWORK_STATES; i++) {
        const struct network_state *state = &network_states[i];
        if (state->initial != NULL) {
            memcpy(arena + state->arena_offset, state->initial, state->bytes);
        } else {
            memset(arena + state->arena_offset, state->fill, state->bytes);
        }
    }
#endif
    return NULL;
}

#if NETWORK_MOVES > 0
static void move(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        memcpy(arena + network_moves[i].to, arena + network_moves[i].from, network_moves[i].bytes);
    }
}
#endif

void *runtime_input(unsigned number)
{
    return arena + network_inputs[number].arena_offset;
}

const void *runtime_output(unsigned number)
{
    return arena + network_outputs[number].arena_offset;
}

const char *runtime_stop_after(uint32_t words)
{
    if (words != RUNTIME_WHOLE && words > NETWORK_COMMANDS_BYTES / 4) {
        return "the command stream is shorter than that";
    }
    ethosu_platform_stop_after(words, part, sizeof part / sizeof part[0]);
    return NULL;
}

const void *runtime_memory(unsigned region, size_t *bytes)
{
    bool shown = region == REGION_ARENA || (region == REGION_FAST && NETWORK_FAST_MEMORY_BYTES > 0);
    *bytes = !shown ? 0 : region == REGION_ARENA ? sizeof arena : NETWORK_FAST_MEMORY_BYTES;
    return !shown ? NULL : region == REGION_ARENA ? arena : fast_memory;
}

const char *runtime_infer(struct runtime_report *report)
{
    /* Regions of Vela's command stream: read-only data, arena, fast memory (part of the arena if there is none). */
    uint64_t base[3] = { (uintptr_t)network_weights, (uintptr_t)arena, (uintptr_t)arena };
    const size_t bytes[3] = {
        NETWORK_WEIGHTS_BYTES,
        sizeof arena,
        NETWORK_FAST_MEMORY_BYTES > 0 ? NETWORK_FAST_MEMORY_BYTES : sizeof arena,
    };
#if NETWORK_MOVES > 0
    move(0, NETWORK_MOVES_BEFORE);
#endif
    npu_counters_clear();
    struct ethosu_driver *reserved = ethosu_reserve_driver();
    int result = ethosu_invoke_v3(reserved, network_commands, (int)NETWORK_COMMANDS_BYTES, base, bytes, 3, NULL);
    ethosu_release_driver(reserved);
    ethosu_platform_stop_after(RUNTIME_WHOLE, NULL, 0);
    if (result != 0) {
        return driver_problem();
    }
#if NETWORK_MOVES > 0
    move(NETWORK_MOVES_BEFORE, NETWORK_MOVES);
#endif
    report->arena_used = sizeof arena;
    npu_counters_get(&report->counters);
    return NULL;
}

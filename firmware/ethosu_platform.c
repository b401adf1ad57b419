/* This project's NPU driver on this board. */
#include "ethosu_platform.h"

#include "board.h"
#include "cpu.h"
#include "ethosu_driver.h"
#include "ethosu_message.h"

static struct ethosu_driver driver_state;

int ethosu_platform_start(void *fast_memory, size_t fast_memory_bytes, uint32_t region_config, uint32_t timeout_ms)
{
    void *base = (void *)(uintptr_t)BOARD_NPU_BASE;
    if (ethosu_init(&driver_state, base, fast_memory, fast_memory_bytes, 1, 1) != 0) {
        return -1;
    }
    driver_state.region_config = region_config;
    driver_state.timeout_ms = timeout_ms;
    cpu_enable_fresh_irq(BOARD_NPU_IRQ);
    return 0;
}

bool ethosu_platform_problem(struct message *text)
{
    const struct ethosu_failure *failure = ethosu_last_failure(&driver_state);
    if (failure->error == ETHOSU_OK) {
        return false;
    }
    if (text->length > 0) {
        message_text(text, ": ");
    }
    ethosu_describe(failure, text);
    return true;
}

void ethosu_platform_forget_problem(void)
{
    driver_state.failure.error = ETHOSU_OK;
}

int ethosu_platform_check_payload(const void *payload, size_t bytes)
{
    return ethosu_check_payload(&driver_state, payload, bytes);
}

void ethosu_platform_stop_after(uint32_t words, uint32_t *buffer, size_t buffer_words)
{
    ethosu_stop_after(&driver_state, words, buffer, buffer_words);
}

void NPU_Handler(void);
void NPU_Handler(void)
{
    ethosu_irq_handler(&driver_state);
}

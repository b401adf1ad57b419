/* Connects the NPU driver to this board: time, caches, interrupt. */
#include "board.h"
#include "cpu.h"
#include "ethosu_platform.h"

static struct ethosu_driver *interrupted;

void NPU_Handler(void);
void NPU_Handler(void)
{
    ethosu_irq_handler(interrupted);
}

int ethosu_platform_start(struct ethosu_driver *driver, void *fast_memory, size_t fast_memory_bytes)
{
    interrupted = driver;
    if (ethosu_init(driver, (void *)(uintptr_t)BOARD_NPU_BASE, fast_memory, fast_memory_bytes, 1, 1) != 0) {
        return -1;
    }
    NVIC_ICPR(BOARD_NPU_IRQ / 32) = 1u << (BOARD_NPU_IRQ % 32);
    cpu_enable_irq(BOARD_NPU_IRQ);
    return 0;
}

uint32_t ethosu_platform_milliseconds(void)
{
    return cpu_milliseconds();
}

void ethosu_platform_wait_for_interrupt(struct ethosu_driver *driver)
{
    /* With interrupts off, one that comes between the question and WFI still ends WFI. */
    cpu_disable_interrupts();
    if (!driver->done) {
        cpu_wait_for_interrupt();
    }
    cpu_enable_interrupts();
}

void ethosu_platform_clean_and_invalidate(const void *address, size_t bytes)
{
    cpu_clean_and_invalidate(address, bytes);
}

/* Arm's driver, by the part of its interface that its versions share, on this board. They differ in the size of their
 * state, so there is room for more than any of them has. */
#include "ethosu_platform.h"

#include "board.h"
#include "cpu.h"
#include "ethosu_system_arm.h"

int ethosu_init(struct ethosu_driver *driver, void *const base_address, const void *fast_memory,
                const size_t fast_memory_size, uint32_t secure_enable, uint32_t privilege_enable);
void ethosu_irq_handler(struct ethosu_driver *driver);

static uint64_t driver_state[128];
#define DRIVER ((struct ethosu_driver *)driver_state)

int ethosu_platform_start(void *fast_memory, size_t fast_memory_bytes, uint32_t region_config, uint32_t timeout_ms)
{
    (void)region_config; /* Arm's driver is configured when it is built */
    void *base = (void *)(uintptr_t)BOARD_NPU_BASE;
    ethosu_system_limit(timeout_ms);
    cpu_enable_fresh_irq(BOARD_NPU_IRQ); /* its soft reset may raise one */
    return ethosu_init(DRIVER, base, fast_memory, fast_memory_bytes, 1, 1) == 0 ? 0 : -1;
}

bool ethosu_platform_problem(struct message *text)
{
    (void)text;
    return false;
}

void ethosu_platform_forget_problem(void) {}

int ethosu_platform_check_payload(const void *payload, size_t bytes)
{
    (void)payload;
    (void)bytes;
    return 0;
}

void NPU_Handler(void);
void NPU_Handler(void)
{
    ethosu_irq_handler(DRIVER);
}

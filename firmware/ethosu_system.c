#include "ethosu_system.h"

#include "cpu.h"
#include "npu_counters.h"

uint32_t ethosu_system_milliseconds(void)
{
    return cpu_milliseconds();
}

void ethosu_system_wait(const volatile bool *done)
{
    /* With interrupts off, one that comes between the question and WFI still ends WFI. */
    cpu_disable_interrupts();
    if (!*done) {
        cpu_wait_for_interrupt();
    }
    cpu_enable_interrupts();
}

void ethosu_system_clean_and_invalidate(const void *address, size_t bytes)
{
    cpu_clean_and_invalidate(address, bytes);
}

void ethosu_inference_begin(struct ethosu_driver *driver, void *user_arg)
{
    (void)driver;
    (void)user_arg;
    npu_counters_begin();
}

void ethosu_inference_end(struct ethosu_driver *driver, void *user_arg)
{
    (void)driver;
    (void)user_arg;
    npu_counters_end();
}

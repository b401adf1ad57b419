/* The versions of Arm's driver differ in the parameters of the cache hooks, so the caches are written back around
 * every command stream here. */
#include "ethosu_system_arm.h"

#include <stddef.h>

#include "cpu.h"
#include "npu_counters.h"

static uint32_t time_limit_ms;

/* Semaphores in place of the driver's own, which come from the heap and wait without end. Two are in use: one for
 * the list of drivers, one for the end of an inference, which the interrupt handler gives. */
static volatile int semaphores[4];
static unsigned semaphores_used;

void ethosu_system_limit(uint32_t timeout_ms)
{
    time_limit_ms = timeout_ms;
}

void *ethosu_semaphore_create(void)
{
    const unsigned count = sizeof semaphores / sizeof semaphores[0];
    return semaphores_used < count ? (void *)&semaphores[semaphores_used++] : NULL;
}

void ethosu_semaphore_destroy(void *semaphore)
{
    (void)semaphore;
}

int ethosu_semaphore_take(void *semaphore, uint64_t timeout)
{
    (void)timeout;
    volatile int *count = semaphore;
    uint32_t start = cpu_milliseconds();
    while (*count == 0) {
        if (cpu_milliseconds() - start > time_limit_ms) {
            return -1;
        }
    }
    cpu_disable_interrupts();
    *count -= 1;
    cpu_enable_interrupts();
    return 0;
}

int ethosu_semaphore_give(void *semaphore)
{
    *(volatile int *)semaphore += 1;
    return 0;
}

void *ethosu_mutex_create(void)
{
    return &time_limit_ms; /* one thread: any address that is not NULL will do */
}

int ethosu_mutex_lock(void *mutex)
{
    (void)mutex;
    return 0;
}

int ethosu_mutex_unlock(void *mutex)
{
    (void)mutex;
    return 0;
}

void ethosu_inference_begin(struct ethosu_driver *driver, void *user_arg)
{
    (void)driver;
    (void)user_arg;
    cpu_clean_and_invalidate(NULL, SIZE_MAX);
    npu_counters_begin();
}

void ethosu_inference_end(struct ethosu_driver *driver, void *user_arg)
{
    (void)driver;
    (void)user_arg;
    npu_counters_end();
    cpu_clean_and_invalidate(NULL, SIZE_MAX);
}

/* Connects the NPU driver to this board: registers, interrupt, time, caches, counters. */
#include "ethosu_platform.h"

#include "board.h"
#include "cpu.h"
#include "npu_counters.h"

void NPU_Handler(void);

static void enable_interrupt(void)
{
    NVIC_ICPR(BOARD_NPU_IRQ / 32) = 1u << (BOARD_NPU_IRQ % 32);
    cpu_enable_irq(BOARD_NPU_IRQ);
}

#ifdef ETHOSU_ARM_DRIVER

/* Arm's driver, by the part of its interface that its versions share. They differ in the size of their state, so
 * there is room for more than any of them has, and in the parameters of the cache hooks, so the caches are written
 * back around every command stream here. */
struct ethosu_driver;
int ethosu_init(struct ethosu_driver *driver, void *const base_address, const void *fast_memory,
                const size_t fast_memory_size, uint32_t secure_enable, uint32_t privilege_enable);
void ethosu_irq_handler(struct ethosu_driver *driver);
void ethosu_inference_begin(struct ethosu_driver *driver, void *user_arg);
void ethosu_inference_end(struct ethosu_driver *driver, void *user_arg);

void *ethosu_semaphore_create(void);
void ethosu_semaphore_destroy(void *semaphore);
int ethosu_semaphore_take(void *semaphore, uint64_t timeout);
int ethosu_semaphore_give(void *semaphore);
void *ethosu_mutex_create(void);
int ethosu_mutex_lock(void *mutex);
int ethosu_mutex_unlock(void *mutex);

static uint32_t time_limit_ms;

/* Semaphores in place of the driver's own, which come from the heap and wait without end. Two are in use: one for
 * the list of drivers, one for the end of an inference, which the interrupt handler gives. */
static volatile int semaphores[4];
static unsigned semaphores_used;

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

static uint64_t driver_state[128];
#define DRIVER ((struct ethosu_driver *)driver_state)

int ethosu_platform_start(void *fast_memory, size_t fast_memory_bytes, uint32_t region_config, uint32_t timeout_ms)
{
    (void)region_config; /* Arm's driver is configured when it is built */
    time_limit_ms = timeout_ms;
    enable_interrupt(); /* its soft reset may raise one */
    return ethosu_init(DRIVER, (void *)(uintptr_t)BOARD_NPU_BASE, fast_memory, fast_memory_bytes, 1, 1) == 0 ? 0 : -1;
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

void NPU_Handler(void)
{
    ethosu_irq_handler(DRIVER);
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

#else

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
    enable_interrupt();
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

void NPU_Handler(void)
{
    ethosu_irq_handler(&driver_state);
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

#endif

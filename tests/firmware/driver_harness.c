/* Lets a test be the NPU's registers, the clock and the interrupt controller. */
#include "ethosu_driver.h"
#include "ethosu_message.h"
#include "ethosu_registers.h"
#include "ethosu_system.h"

static uint32_t (*on_read)(uint32_t offset);
static void (*on_write)(uint32_t offset, uint32_t value);
static uint32_t (*on_time)(void);
static void (*on_wait)(void);
static void (*on_clean)(uint64_t address, uint64_t bytes);
static struct ethosu_driver driver;
static struct message text;

void harness_start(uint32_t (*read)(uint32_t), void (*write)(uint32_t, uint32_t), uint32_t (*time)(void),
                   void (*wait)(void), void (*clean)(uint64_t, uint64_t))
{
    on_read = read;
    on_write = write;
    on_time = time;
    on_wait = wait;
    on_clean = clean;
}

uint32_t ethosu_register_read(uintptr_t base, uint32_t offset)
{
    (void)base;
    return on_read(offset);
}

void ethosu_register_write(uintptr_t base, uint32_t offset, uint32_t value)
{
    (void)base;
    on_write(offset, value);
}

uint32_t ethosu_system_milliseconds(void)
{
    return on_time();
}

void ethosu_system_wait(const volatile bool *done)
{
    (void)done;
    on_wait();
}

void ethosu_system_clean_and_invalidate(const void *address, size_t bytes)
{
    on_clean((uintptr_t)address, bytes);
}

void ethosu_inference_begin(struct ethosu_driver *running, void *user_arg)
{
    (void)running;
    (void)user_arg;
}

void ethosu_inference_end(struct ethosu_driver *running, void *user_arg)
{
    (void)running;
    (void)user_arg;
}

struct ethosu_driver *harness_driver(void)
{
    return &driver;
}

int harness_init(void *fast_memory, size_t fast_memory_bytes, uint32_t secure, uint32_t privileged)
{
    return ethosu_init(&driver, (void *)0x58102000, fast_memory, fast_memory_bytes, secure, privileged);
}

const char *harness_message(void)
{
    message_clear(&text);
    ethosu_describe(ethosu_last_failure(&driver), &text);
    return message_get(&text);
}

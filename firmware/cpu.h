/* The few registers of Arm's v8.1-M architecture that this firmware uses (Armv8-M Architecture Reference Manual). */
#ifndef CPU_H
#define CPU_H

#include <stddef.h>
#include <stdint.h>

#define CPU_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYST_CSR CPU_REGISTER(0xE000E010)
#define SYST_RVR CPU_REGISTER(0xE000E014)
#define SYST_CVR CPU_REGISTER(0xE000E018)
#define NVIC_ISER(n) CPU_REGISTER(0xE000E100 + 4 * (n))
#define NVIC_ICPR(n) CPU_REGISTER(0xE000E280 + 4 * (n))
#define SCB_VTOR CPU_REGISTER(0xE000ED08)
#define SCB_CCR CPU_REGISTER(0xE000ED14)
#define SCB_SHCSR CPU_REGISTER(0xE000ED24)
#define SCB_CFSR CPU_REGISTER(0xE000ED28)
#define SCB_HFSR CPU_REGISTER(0xE000ED2C)
#define SCB_MMFAR CPU_REGISTER(0xE000ED34)
#define SCB_BFAR CPU_REGISTER(0xE000ED38)
#define SCB_CCSIDR CPU_REGISTER(0xE000ED80)
#define SCB_CSSELR CPU_REGISTER(0xE000ED84)
#define SCB_CPACR CPU_REGISTER(0xE000ED88)
#define MPU_CTRL CPU_REGISTER(0xE000ED94)
#define MPU_RNR CPU_REGISTER(0xE000ED98)
#define MPU_RBAR CPU_REGISTER(0xE000ED9C)
#define MPU_RLAR CPU_REGISTER(0xE000EDA0)
#define MPU_MAIR0 CPU_REGISTER(0xE000EDC0)
#define CACHE_ICIALLU CPU_REGISTER(0xE000EF50)
#define CACHE_DCISW CPU_REGISTER(0xE000EF60)
#define CACHE_DCCIMVAC CPU_REGISTER(0xE000EF70)
#define CACHE_DCCISW CPU_REGISTER(0xE000EF74)

#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)

static inline void cpu_data_sync(void) { __asm volatile("dsb 0xF" ::: "memory"); }
static inline void cpu_instruction_sync(void) { __asm volatile("isb 0xF" ::: "memory"); }
static inline void cpu_wait_for_interrupt(void) { __asm volatile("wfi" ::: "memory"); }
static inline void cpu_disable_interrupts(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void cpu_enable_interrupts(void) { __asm volatile("cpsie i" ::: "memory"); }

static inline void cpu_enable_irq(unsigned number)
{
    NVIC_ISER(number / 32) = 1u << (number % 32);
}

/* Enables an interrupt and forgets one that came before. */
static inline void cpu_enable_fresh_irq(unsigned number)
{
    NVIC_ICPR(number / 32) = 1u << (number % 32);
    cpu_enable_irq(number);
}

/* A part of the address space, by its first and last address, and what it is for. */
enum cpu_region_kind { CPU_CODE, CPU_MEMORY, CPU_DEVICE };
struct cpu_region {
    uint32_t first;
    uint32_t last;
    enum cpu_region_kind kind;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Supplied by the board: all that the processor may touch. */
extern const struct cpu_region cpu_regions[];
extern const uint32_t cpu_region_count;

/* Milliseconds since the start; wraps around. */
uint32_t cpu_milliseconds(void);

/* Writes back and forgets what the data cache holds of a range, so that CPU and NPU see the same memory. */
void cpu_clean_and_invalidate(const void *address, size_t bytes);

/* Enables memory protection, caches and the millisecond tick. */
void cpu_start(void);

#ifdef __cplusplus
}
#endif

#endif

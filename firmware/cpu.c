/* Memory protection, caches and the millisecond tick of the Cortex-M55. */
#include "cpu.h"

#include "board.h"

#define CACHE_LINE 32u

/* Memory attributes, by number. */
#define MAIR_NORMAL_WRITE_BACK 0xFFu
#define MAIR_DEVICE 0x04u
enum { ATTRIBUTE_NORMAL = 0, ATTRIBUTE_DEVICE = 1 };

/* Bits of MPU_RBAR: access permission [2:1], execute never [0]. */
enum { READ_ONLY = 2 << 1, READ_WRITE = 0 << 1, NO_CODE = 1 };

static volatile uint32_t milliseconds;

void SysTick_Handler(void);
void SysTick_Handler(void)
{
    milliseconds++;
}

uint32_t cpu_milliseconds(void)
{
    return milliseconds;
}

static void protect_memory(void)
{
    MPU_MAIR0 = MAIR_NORMAL_WRITE_BACK << (8 * ATTRIBUTE_NORMAL) | MAIR_DEVICE << (8 * ATTRIBUTE_DEVICE);
    for (uint32_t i = 0; i < cpu_region_count; i++) {
        const struct cpu_region *region = &cpu_regions[i];
        uint32_t access = region->kind == CPU_CODE ? READ_ONLY : READ_WRITE | NO_CODE;
        uint32_t attribute = region->kind == CPU_DEVICE ? ATTRIBUTE_DEVICE : ATTRIBUTE_NORMAL;
        MPU_RNR = i;
        MPU_RBAR = region->first | access;
        MPU_RLAR = (region->last & ~31u) | attribute << 1 | 1u;
    }
    MPU_CTRL = 1u; /* no default map behind it: a stray pointer faults instead of reading something */
    cpu_data_sync();
    cpu_instruction_sync();
}

/* Size of the level 1 data cache: sets and ways, each minus 1, as CCSIDR gives them. */
static void data_cache_shape(uint32_t *last_set, uint32_t *last_way)
{
    SCB_CSSELR = 0;
    cpu_data_sync();
    uint32_t shape = SCB_CCSIDR;
    *last_set = (shape >> 13) & 0x7FFF;
    *last_way = (shape >> 3) & 0x3FF;
}

static void for_every_line(volatile uint32_t *operation)
{
    uint32_t last_set, last_way;
    data_cache_shape(&last_set, &last_way);
    uint32_t way_shift = last_way ? (uint32_t)__builtin_clz(last_way) : 0;
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            *operation = way << way_shift | set << 5;
        }
    }
}

static void enable_caches(void)
{
    CACHE_ICIALLU = 0;
    for_every_line(&CACHE_DCISW);
    cpu_data_sync();
    SCB_CCR |= CCR_IC | CCR_DC;
    cpu_data_sync();
    cpu_instruction_sync();
}

void cpu_clean_and_invalidate(const void *address, size_t bytes)
{
    cpu_data_sync();
    if (bytes != 0 && (SCB_CCR & CCR_DC) != 0) {
        uint32_t last_set, last_way;
        data_cache_shape(&last_set, &last_way);
        if (bytes >= (last_set + 1) * (last_way + 1) * CACHE_LINE) {
            for_every_line(&CACHE_DCCISW); /* fewer lines than the range has */
        } else {
            uintptr_t line = (uintptr_t)address & ~(uintptr_t)(CACHE_LINE - 1);
            for (; line < (uintptr_t)address + bytes; line += CACHE_LINE) {
                CACHE_DCCIMVAC = (uint32_t)line;
            }
        }
    }
    cpu_data_sync();
    cpu_instruction_sync();
}

void cpu_start(void)
{
    protect_memory();
    enable_caches();
    SYST_RVR = BOARD_CPU_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7; /* processor clock, interrupt, on */
    cpu_enable_interrupts();
}

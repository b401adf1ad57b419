#include "npu_counters.h"

#include "board.h"
#include "ethosu_registers.h"

static struct npu_counters total;

static const uint16_t counted[NPU_COUNTERS] = {
    ETHOSU_EVENT_NPU_ACTIVE,
    ETHOSU_EVENT_AXI0_RD_DATA_BEAT_RECEIVED,
    ETHOSU_EVENT_AXI0_WR_DATA_BEAT_WRITTEN,
    ETHOSU_EVENT_AXI1_RD_DATA_BEAT_RECEIVED,
};

void npu_counters_clear(void)
{
    total = (struct npu_counters){ 0 };
    for (uint32_t i = 0; i < NPU_COUNTERS; i++) {
        total.events[i] = counted[i];
    }
}

void npu_counters_get(struct npu_counters *counters)
{
    *counters = total;
}

void npu_counters_begin(void)
{
    for (uint32_t i = 0; i < NPU_COUNTERS; i++) {
        ethosu_register_write(BOARD_NPU_BASE, ETHOSU_PMEVTYPER(i), counted[i]);
    }
    /* The cycle counter runs all the time, not between two events. */
    ethosu_register_write(BOARD_NPU_BASE, ETHOSU_PMCCNTR_CFG, 0);
    ethosu_register_write(BOARD_NPU_BASE, ETHOSU_PMCNTENSET, ETHOSU_PM_CYCLES | ((1u << NPU_COUNTERS) - 1));
    ethosu_register_write(BOARD_NPU_BASE, ETHOSU_PMCR,
                          ETHOSU_PMCR_ENABLE | ETHOSU_PMCR_RESET_EVENTS | ETHOSU_PMCR_RESET_CYCLES);
}

void npu_counters_end(void)
{
    ethosu_register_write(BOARD_NPU_BASE, ETHOSU_PMCR, 0);
    uint32_t low = ethosu_register_read(BOARD_NPU_BASE, ETHOSU_PMCCNTR_LO);
    uint32_t high = ethosu_register_read(BOARD_NPU_BASE, ETHOSU_PMCCNTR_HI) & 0xFFFF;
    total.cycles += (uint64_t)high << 32 | low;
    for (uint32_t i = 0; i < NPU_COUNTERS; i++) {
        total.values[i] += ethosu_register_read(BOARD_NPU_BASE, ETHOSU_PMEVCNTR(i));
    }
    total.streams++;
}

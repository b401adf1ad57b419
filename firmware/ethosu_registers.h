/* Registers of Ethos-U that the driver uses. Offsets and fields as in Arm's technical reference manuals and in the
 * register descriptions that come with the Vela compiler. */
#ifndef ETHOSU_REGISTERS_H
#define ETHOSU_REGISTERS_H

#include <stdint.h>

#include "ethosu_family.h"

#define ETHOSU_ID 0x000u
#define ETHOSU_STATUS 0x004u
#define ETHOSU_CMD 0x008u
#define ETHOSU_RESET 0x00Cu
#define ETHOSU_QBASE_LO 0x010u
#define ETHOSU_QBASE_HI 0x014u
#define ETHOSU_QREAD 0x018u
#define ETHOSU_QCONFIG 0x01Cu
#define ETHOSU_QSIZE 0x020u
#define ETHOSU_PROT 0x024u
#define ETHOSU_CONFIG 0x028u
#define ETHOSU_REGIONCFG 0x03Cu
#define ETHOSU_BASEP_LO(n) (0x080u + 8u * (n))
#define ETHOSU_BASEP_HI(n) (0x084u + 8u * (n))
#define ETHOSU_PMCR (ETHOSU_PMU + 0x000u)
#define ETHOSU_PMCNTENSET (ETHOSU_PMU + 0x004u)
#define ETHOSU_PMCCNTR_LO (ETHOSU_PMU + 0x020u)
#define ETHOSU_PMCCNTR_HI (ETHOSU_PMU + 0x024u)
#define ETHOSU_PMCCNTR_CFG (ETHOSU_PMU + 0x028u)
#define ETHOSU_PMEVCNTR(n) (ETHOSU_PMU + 0x180u + 4u * (n))
#define ETHOSU_PMEVTYPER(n) (ETHOSU_PMU + 0x200u + 4u * (n))

/* ID: architecture major [31:28], minor [27:20], patch [19:16], product major [15:12]. */
#define ETHOSU_ID_ARCH_MAJOR(id) ((id) >> 28)
#define ETHOSU_ID_ARCH_MINOR(id) (((id) >> 20) & 0xFFu)

/* CONFIG: log2 of the MACs [3:0], command stream version [7:4], product [31:28]; of U55 and U65 SHRAM in KB [15:8]. */
#define ETHOSU_CONFIG_MACS(config) (1u << ((config) & 0xFu))
#define ETHOSU_CONFIG_SHRAM_KB(config) (((config) >> 8) & 0xFFu)
#define ETHOSU_CONFIG_PRODUCT(config) ((config) >> 28)

#define ETHOSU_STATUS_RUNNING (1u << 0)
#define ETHOSU_STATUS_IRQ (1u << 1)
#define ETHOSU_STATUS_BUS_ERROR (1u << 2)
#define ETHOSU_STATUS_IN_RESET (1u << 3)
#define ETHOSU_STATUS_PARSE_ERROR (1u << 4)
#define ETHOSU_STATUS_END_REACHED (1u << 5)
#define ETHOSU_STATUS_WEIGHT_ERROR (1u << 7) /* U55 and U65; the branch error is U85's */
#define ETHOSU_STATUS_ECC_ERROR (1u << 8)
#define ETHOSU_STATUS_BRANCH_ERROR (1u << 9)
/* Which AXI port [11] and channel [15:12] a bus error came from. */
#define ETHOSU_STATUS_FAULT_PORT(status) (((status) >> 11) & 1u)
#define ETHOSU_STATUS_FAULT_CHANNEL(status) (((status) >> 12) & 0xFu)

#define ETHOSU_CMD_RUN (1u << 0)
#define ETHOSU_CMD_CLEAR_IRQ (1u << 1)
#define ETHOSU_CMD_CLOCK_Q (1u << 2)
#define ETHOSU_CMD_POWER_Q (1u << 3)
#define ETHOSU_CMD_STOP (1u << 4)

/* RESET (requested) and PROT (active): privileged [0], non-secure [1]. */
#define ETHOSU_PRIVILEGED (1u << 0)
#define ETHOSU_NON_SECURE (1u << 1)

#define ETHOSU_PM_CYCLES (1u << 31)
#define ETHOSU_PMCR_ENABLE (1u << 0)
#define ETHOSU_PMCR_RESET_EVENTS (1u << 1)
#define ETHOSU_PMCR_RESET_CYCLES (1u << 2)

/* U85 calls port 0 SRAM and port 1 EXT. */
#define ETHOSU_EVENT_NPU_ACTIVE 0x23u
#define ETHOSU_EVENT_AXI0_RD_DATA_BEAT_RECEIVED 0x82u
#define ETHOSU_EVENT_AXI0_WR_DATA_BEAT_WRITTEN 0x87u
#define ETHOSU_EVENT_AXI1_RD_DATA_BEAT_RECEIVED 0x182u

#ifdef ETHOSU_REGISTERS_EXTERNAL
/* A test supplies the registers. */
uint32_t ethosu_register_read(uintptr_t base, uint32_t offset);
void ethosu_register_write(uintptr_t base, uint32_t offset, uint32_t value);
#else
static inline uint32_t ethosu_register_read(uintptr_t base, uint32_t offset)
{
    return *(volatile uint32_t *)(base + offset);
}

static inline void ethosu_register_write(uintptr_t base, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(base + offset) = value;
}
#endif

#endif

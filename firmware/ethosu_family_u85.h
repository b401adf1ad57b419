/* What Ethos-U85 has otherwise than Ethos-U55 and Ethos-U65; ethosu_registers.h has what is common to all. */
#ifndef ETHOSU_FAMILY_H
#define ETHOSU_FAMILY_H

#define ETHOSU_FAMILY_NAME "Ethos-U85"
#define ETHOSU_FAMILY_ARCH_MAJOR 2u
#define ETHOSU_FAMILY_PRODUCT(product) ((product) == 2u)
#define ETHOSU_FAMILY_MIN_MACS 128u
#define ETHOSU_FAMILY_MAX_MACS 2048u

/* What a model's CONFIG must have as the NPU has it: all but the custom DMA, which no compiled model uses. */
#define ETHOSU_FAMILY_CONFIG_MASK 0xF7FFFFFFu

/* The performance counters. */
#define ETHOSU_PMU 0x1180u

/* REGIONCFG and QCONFIG choose one of the four words MEM_ATTR; these make their numbers mean what they mean for the
 * other products: 0 and 1 the SRAM's port, 2 and 3 the external one. Normal non-cacheable memory.
 * AXI_SRAM, AXI_EXT: as many reads and writes outstanding and as long bursts (256 bytes) as there may be; the hardware
 * does less where it can do less. POWER_CTRL: the MAC units start at once. */
#define ETHOSU_MEM_ATTR(port) ((port) << 2 | 2u << 4)
#define ETHOSU_AXI_LIMITS(reads, writes) (((reads) - 1u) | ((writes) - 1u) << 8 | 2u << 16)
#define ETHOSU_FAMILY_SETTINGS                                                                                        \
    {                                                                                                                 \
        { 0x038u, 0u },                                                                                               \
        { 0x040u, ETHOSU_MEM_ATTR(0u) },                                                                              \
        { 0x044u, ETHOSU_MEM_ATTR(0u) },                                                                              \
        { 0x048u, ETHOSU_MEM_ATTR(1u) },                                                                              \
        { 0x04Cu, ETHOSU_MEM_ATTR(1u) },                                                                              \
        { 0x050u, ETHOSU_AXI_LIMITS(12u, 16u) },                                                                      \
        { 0x054u, ETHOSU_AXI_LIMITS(64u, 32u) },                                                                      \
    }

#endif

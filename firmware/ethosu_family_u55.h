/* What Ethos-U55 and Ethos-U65 have otherwise than Ethos-U85; ethosu_registers.h has what is common to all. */
#ifndef ETHOSU_FAMILY_H
#define ETHOSU_FAMILY_H

#define ETHOSU_FAMILY_NAME "Ethos-U55 or U65"
#define ETHOSU_FAMILY_ARCH_MAJOR 1u
#define ETHOSU_FAMILY_PRODUCT(product) ((product) <= 1u)
#define ETHOSU_FAMILY_MIN_MACS 32u
#define ETHOSU_FAMILY_MAX_MACS 512u

/* What a model's CONFIG must have as the NPU has it: all but the command stream version, which the compiler leaves 0
 * and the architecture version tells. */
#define ETHOSU_FAMILY_CONFIG_MASK 0xFFFFFF0Fu

/* The performance counters. */
#define ETHOSU_PMU 0x0180u

/* AXI_LIMIT0 to 3, each for a counter: 64-byte bursts, normal non-cacheable memory, 32 reads and 16 writes
 * outstanding: what both products can do. */
#define ETHOSU_AXI_LIMIT (0u | 2u << 4 | 31u << 16 | 15u << 24)
#define ETHOSU_FAMILY_SETTINGS                                                                                        \
    {                                                                                                                 \
        { 0x040u, ETHOSU_AXI_LIMIT },                                                                                 \
        { 0x044u, ETHOSU_AXI_LIMIT },                                                                                 \
        { 0x048u, ETHOSU_AXI_LIMIT },                                                                                 \
        { 0x04Cu, ETHOSU_AXI_LIMIT },                                                                                 \
    }

#endif

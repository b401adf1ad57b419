/* A small driver for one Ethos-U55, U65 or U85; which family it is, ethosu_family.h says.
 *
 * ethosu_reserve_driver, ethosu_invoke_v3 and ethosu_release_driver are what TFLM's ethos-u kernel calls, with the
 * names and types of Arm's core driver, so that either of the two can be linked. What it needs from the system stands
 * in ethosu_system.h.
 */
#ifndef ETHOSU_DRIVER_H
#define ETHOSU_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ethosu_error {
    ETHOSU_OK = 0,
    ETHOSU_ERROR_NOT_INITIALISED, /* no driver, or ethosu_init failed */
    ETHOSU_ERROR_NOT_AN_NPU,      /* ID and CONFIG describe no NPU of this family */
    ETHOSU_ERROR_RESET,           /* the NPU does not come out of reset */
    ETHOSU_ERROR_PROTECTION,      /* it came out with other rights than asked for */
    ETHOSU_ERROR_PAYLOAD,         /* what Vela calls the command stream tensor is damaged */
    ETHOSU_ERROR_CONFIGURATION,   /* the model was compiled for another NPU: other MACs, SHRAM or product */
    ETHOSU_ERROR_ARCHITECTURE,    /* the model was compiled for another architecture version */
    ETHOSU_ERROR_ADDRESS,         /* a base address cannot be used */
    ETHOSU_ERROR_FAST_MEMORY,     /* the model wants more fast memory than there is */
    ETHOSU_ERROR_TIMEOUT,         /* no interrupt */
    ETHOSU_ERROR_BUS,             /* status: bus error */
    ETHOSU_ERROR_PARSE,           /* status: the command stream cannot be parsed */
    ETHOSU_ERROR_WEIGHTS,         /* status: the weight stream cannot be decoded */
    ETHOSU_ERROR_ECC,             /* status: memory of the NPU is damaged */
    ETHOSU_ERROR_BRANCH,          /* status: a branch leads out of the command stream */
    ETHOSU_ERROR_INCOMPLETE,      /* it stopped before the end of the command stream */
};

/* What the last failure was. Not every field means something for every error. */
struct ethosu_failure {
    enum ethosu_error error;
    uint32_t status;   /* STATUS register */
    uint32_t position; /* QREAD register: bytes of the command stream that were read */
    uint32_t expected; /* compiled for, asked for, or the size of the command stream */
    uint32_t found;
};

struct ethosu_driver {
    uintptr_t base;
    void *fast_memory;
    size_t fast_memory_bytes;
    bool secure;
    bool privileged;
    uint32_t id; /* ID and CONFIG registers */
    uint32_t config;
    bool ready;
    bool reserved;
    uint32_t region_config;
    uint32_t timeout_ms;
    uint32_t kept_words;      /* of a command stream, see ethosu_stop_after */
    uint32_t *part;
    size_t part_words;
    volatile bool done;       /* set by the interrupt handler */
    volatile uint32_t status; /* as the interrupt handler saw it */
    struct ethosu_failure failure;
};

/* AXI port and counter of each region, two bits each: 0 and 1 use port 0, 2 and 3 use port 1.
 * Read-only data (region 0) on port 1, the arena (region 1) on port 0, everything else on port 0. */
#define ETHOSU_REGIONCFG_DEFAULT 0x5553u
#define ETHOSU_TIMEOUT_MS_DEFAULT 5000u

/* Prepares the NPU at an address and makes it the one that ethosu_reserve_driver gives out.
 * fast_memory: the dedicated SRAM of Vela's Dedicated_Sram modes, else NULL. 0 on success, -1 on failure. */
int ethosu_init(struct ethosu_driver *driver, void *base_address, const void *fast_memory, size_t fast_memory_size,
                uint32_t secure_enable, uint32_t privilege_enable);

/* Must be called by the handler of the NPU's interrupt. */
void ethosu_irq_handler(struct ethosu_driver *driver);

/* The driver that was initialised last, NULL if there is none. */
struct ethosu_driver *ethosu_reserve_driver(void);
void ethosu_release_driver(struct ethosu_driver *driver);

/* Runs the payload of one ethos-u operator and waits for its end. 0 on success, -1 on failure. */
int ethosu_invoke_v3(struct ethosu_driver *driver, const void *custom_data_ptr, const int custom_data_size,
                     uint64_t *const base_addr, const size_t *base_addr_size, const int num_base_addr,
                     void *user_arg);

/* Whether the NPU is the one that a payload was compiled for; needs no inference. 0 if it is, -1 if not. */
int ethosu_check_payload(struct ethosu_driver *driver, const void *payload, size_t bytes);

/* From now on runs only the first words of a command stream, whole commands, copied into a buffer: what the operations
 * among them leave in memory can be looked at then. UINT32_MAX: whole streams again.
 * buffer: aligned to 16 bytes and valid until then; has to have room for the words and ETHOSU_STOP_WORDS more. */
#define ETHOSU_STOP_WORDS 3u
void ethosu_stop_after(struct ethosu_driver *driver, uint32_t words, uint32_t *buffer, size_t buffer_words);

/* What the last call that returned -1 failed from. */
const struct ethosu_failure *ethosu_last_failure(const struct ethosu_driver *driver);

#ifdef __cplusplus
}
#endif

#endif

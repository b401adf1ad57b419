#include "ethosu_driver.h"

#include <string.h>

#include "ethosu_registers.h"
#include "ethosu_system.h"

enum {
    PAYLOAD_MAGIC = 0x31504F43, /* "COP1" */
    ACTION_CONFIGURATION = 1,
    ACTION_COMMAND_STREAM = 2,
    ACTION_NOTHING = 5,
};
enum { MAX_BASE_ADDRESSES = 8, ALIGNMENT = 16, RESET_TIMEOUT_MS = 200 };
enum { QUEUE_ON_PORT_1 = 2 };

/* Commands: wait for all operations, wait for all transfers, stop (with the parameter that the compiler writes). */
static const uint32_t stop_commands[ETHOSU_STOP_WORDS] = { 0x00000012, 0x00000011, 0xFFFF0000 };

/* What a reset forgets: how memory is reached. */
static const struct {
    uint32_t offset;
    uint32_t value;
} settings[] = ETHOSU_FAMILY_SETTINGS;

static struct ethosu_driver *registered;

static uint32_t get(const struct ethosu_driver *driver, uint32_t offset)
{
    return ethosu_register_read(driver->base, offset);
}

static void set(const struct ethosu_driver *driver, uint32_t offset, uint32_t value)
{
    ethosu_register_write(driver->base, offset, value);
}

static int fail(struct ethosu_driver *driver, enum ethosu_error error, uint32_t expected, uint32_t found)
{
    driver->failure.error = error;
    driver->failure.expected = expected;
    driver->failure.found = found;
    return -1;
}

/* Puts the NPU into a known state with the rights it shall have. */
static int reset(struct ethosu_driver *driver)
{
    uint32_t rights = (driver->privileged ? ETHOSU_PRIVILEGED : 0) | (driver->secure ? 0 : ETHOSU_NON_SECURE);
    uint32_t start = ethosu_system_milliseconds();

    set(driver, ETHOSU_RESET, rights);
    while ((get(driver, ETHOSU_STATUS) & ETHOSU_STATUS_IN_RESET) != 0) {
        if (ethosu_system_milliseconds() - start > RESET_TIMEOUT_MS) {
            driver->failure.status = get(driver, ETHOSU_STATUS);
            return fail(driver, ETHOSU_ERROR_RESET, 0, driver->failure.status);
        }
    }
    uint32_t active = get(driver, ETHOSU_PROT);
    if (active != rights) {
        return fail(driver, ETHOSU_ERROR_PROTECTION, rights, active);
    }
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        set(driver, settings[i].offset, settings[i].value);
    }
    return 0;
}

int ethosu_init(struct ethosu_driver *driver, void *base_address, const void *fast_memory, size_t fast_memory_size,
                uint32_t secure_enable, uint32_t privilege_enable)
{
    *driver = (struct ethosu_driver){
        .base = (uintptr_t)base_address,
        .fast_memory = (void *)(uintptr_t)fast_memory,
        .fast_memory_bytes = fast_memory_size,
        .secure = secure_enable != 0,
        .privileged = privilege_enable != 0,
        .region_config = ETHOSU_REGIONCFG_DEFAULT,
        .timeout_ms = ETHOSU_TIMEOUT_MS_DEFAULT,
        .kept_words = UINT32_MAX,
    };
    registered = driver;
    driver->id = get(driver, ETHOSU_ID);
    driver->config = get(driver, ETHOSU_CONFIG);
    uint32_t macs = ETHOSU_CONFIG_MACS(driver->config);
    if (ETHOSU_ID_ARCH_MAJOR(driver->id) != ETHOSU_FAMILY_ARCH_MAJOR
        || !ETHOSU_FAMILY_PRODUCT(ETHOSU_CONFIG_PRODUCT(driver->config)) || macs < ETHOSU_FAMILY_MIN_MACS
        || macs > ETHOSU_FAMILY_MAX_MACS) {
        return fail(driver, ETHOSU_ERROR_NOT_AN_NPU, driver->id, driver->config);
    }
    if (reset(driver) != 0) {
        return -1;
    }
    set(driver, ETHOSU_CMD, ETHOSU_CMD_CLOCK_Q | ETHOSU_CMD_POWER_Q);
    driver->ready = true;
    return 0;
}

void ethosu_irq_handler(struct ethosu_driver *driver)
{
    driver->status = get(driver, ETHOSU_STATUS);
    /* Clock and power stay requested until the result has been looked at. */
    set(driver, ETHOSU_CMD, ETHOSU_CMD_CLEAR_IRQ);
    if ((driver->status & ETHOSU_STATUS_IRQ) != 0) {
        driver->done = true;
    }
}

struct ethosu_driver *ethosu_reserve_driver(void)
{
    if (registered == NULL || registered->reserved) {
        return NULL;
    }
    registered->reserved = true;
    return registered;
}

void ethosu_release_driver(struct ethosu_driver *driver)
{
    if (driver != NULL) {
        driver->reserved = false;
    }
}

const struct ethosu_failure *ethosu_last_failure(const struct ethosu_driver *driver)
{
    return &driver->failure;
}

static int check_configuration(struct ethosu_driver *driver, uint32_t config, uint32_t id)
{
    if (((config ^ driver->config) & ETHOSU_FAMILY_CONFIG_MASK) != 0) {
        return fail(driver, ETHOSU_ERROR_CONFIGURATION, config, driver->config);
    }
    if (ETHOSU_ID_ARCH_MAJOR(id) != ETHOSU_ID_ARCH_MAJOR(driver->id)
        || ETHOSU_ID_ARCH_MINOR(id) > ETHOSU_ID_ARCH_MINOR(driver->id)) {
        return fail(driver, ETHOSU_ERROR_ARCHITECTURE, id, driver->id);
    }
    return 0;
}

static int decode_status(struct ethosu_driver *driver)
{
    static const struct {
        uint32_t bit;
        enum ethosu_error error;
    } errors[] = {
        { ETHOSU_STATUS_BUS_ERROR, ETHOSU_ERROR_BUS },
        { ETHOSU_STATUS_PARSE_ERROR, ETHOSU_ERROR_PARSE },
        { ETHOSU_STATUS_WEIGHT_ERROR, ETHOSU_ERROR_WEIGHTS },
        { ETHOSU_STATUS_ECC_ERROR, ETHOSU_ERROR_ECC },
        { ETHOSU_STATUS_BRANCH_ERROR, ETHOSU_ERROR_BRANCH },
    };
    uint32_t size = driver->failure.expected;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if ((driver->failure.status & errors[i].bit) != 0) {
            return fail(driver, errors[i].error, size, driver->failure.status);
        }
    }
    if ((driver->failure.status & ETHOSU_STATUS_END_REACHED) == 0) {
        return fail(driver, ETHOSU_ERROR_INCOMPLETE, size, driver->failure.status);
    }
    return 0;
}

static int wait_for_end(struct ethosu_driver *driver, uint32_t stream_bytes)
{
    uint32_t start = ethosu_system_milliseconds();
    while (!driver->done) {
        if (ethosu_system_milliseconds() - start > driver->timeout_ms) {
            driver->failure.status = get(driver, ETHOSU_STATUS);
            driver->failure.position = get(driver, ETHOSU_QREAD);
            set(driver, ETHOSU_CMD, ETHOSU_CMD_STOP);
            return fail(driver, ETHOSU_ERROR_TIMEOUT, stream_bytes, driver->timeout_ms);
        }
        ethosu_system_wait(&driver->done);
    }
    driver->failure.status = driver->status;
    driver->failure.expected = stream_bytes;
    if (decode_status(driver) != 0) {
        driver->failure.position = get(driver, ETHOSU_QREAD);
        return -1;
    }
    return 0;
}

static void keep_caches_coherent(const uint64_t *base, const size_t *bytes, int count)
{
    for (int i = 0; i < count; i++) {
        ethosu_system_clean_and_invalidate((const void *)(uintptr_t)base[i], bytes[i]);
    }
}

static int run_stream(struct ethosu_driver *driver, const uint32_t *stream, uint32_t bytes, const uint64_t *base,
                      const size_t *base_bytes, int count, void *user_arg)
{
    if (((uintptr_t)stream & (ALIGNMENT - 1)) != 0) {
        return fail(driver, ETHOSU_ERROR_ADDRESS, ALIGNMENT, (uint32_t)(uintptr_t)stream);
    }
    if (reset(driver) != 0) {
        return -1;
    }
    ethosu_system_clean_and_invalidate(stream, bytes);
    keep_caches_coherent(base, base_bytes, count);

    bool wide = ETHOSU_CONFIG_PRODUCT(driver->config) != 0; /* all but U55 address more than 4 GB */
    uint64_t address = (uintptr_t)stream;
    set(driver, ETHOSU_CMD, 0); /* keep clock and power */
    set(driver, ETHOSU_QBASE_LO, (uint32_t)address);
    if (wide) {
        set(driver, ETHOSU_QBASE_HI, (uint32_t)(address >> 32));
    }
    set(driver, ETHOSU_QSIZE, bytes);
    set(driver, ETHOSU_QCONFIG, QUEUE_ON_PORT_1);
    for (int i = 0; i < count; i++) {
        set(driver, ETHOSU_BASEP_LO((uint32_t)i), (uint32_t)base[i]);
        if (wide) {
            set(driver, ETHOSU_BASEP_HI((uint32_t)i), (uint32_t)(base[i] >> 32));
        }
    }
    set(driver, ETHOSU_REGIONCFG, driver->region_config);

    driver->done = false;
    driver->status = 0;
    ethosu_inference_begin(driver, user_arg);
    set(driver, ETHOSU_CMD, ETHOSU_CMD_RUN);
    int result = wait_for_end(driver, bytes);
    ethosu_inference_end(driver, user_arg);
    set(driver, ETHOSU_CMD, ETHOSU_CMD_CLOCK_Q | ETHOSU_CMD_POWER_Q);

    /* What a speculative read brought back in the meantime is old. Nothing was written here since. */
    keep_caches_coherent(base, base_bytes, count);
    return result;
}

void ethosu_stop_after(struct ethosu_driver *driver, uint32_t words, uint32_t *buffer, size_t buffer_words)
{
    driver->kept_words = words;
    driver->part = buffer;
    driver->part_words = buffer_words;
}

/* Puts the beginning of a stream that is to be run in the place of all of it. */
static int shorten(struct ethosu_driver *driver, const uint32_t **stream, uint32_t *bytes)
{
    size_t words = driver->kept_words;
    if (words >= *bytes / 4) {
        return 0;
    }
    if (driver->part == NULL || driver->part_words < ETHOSU_STOP_WORDS || words > driver->part_words - ETHOSU_STOP_WORDS) {
        return fail(driver, ETHOSU_ERROR_ADDRESS, (uint32_t)driver->part_words, (uint32_t)words);
    }
    memcpy(driver->part, *stream, 4 * words);
    memcpy(driver->part + words, stop_commands, sizeof stop_commands);
    *stream = driver->part;
    *bytes = (uint32_t)(4 * (words + ETHOSU_STOP_WORDS));
    return 0;
}

/* Walks through the driver actions of a payload to its command stream. There is one: what a second would mean is open,
 * and the compiler writes none. The whole payload is looked at before any of it runs. */
static int find_stream(struct ethosu_driver *driver, const void *payload, size_t bytes, const uint32_t **stream,
                       uint32_t *stream_bytes)
{
    const uint32_t *words = payload;
    size_t count = bytes / 4;
    if (words == NULL || ((uintptr_t)words & 3) != 0 || bytes % 4 != 0 || count < 2 || words[0] != PAYLOAD_MAGIC) {
        return fail(driver, ETHOSU_ERROR_PAYLOAD, 0, words != NULL && count > 0 ? words[0] : 0);
    }
    size_t at = 1;
    *stream = NULL;
    while (at < count) {
        uint32_t word = words[at];
        uint32_t length = ((word >> 8) & 0xFFu) << 16 | word >> 16;
        switch (word & 0xFFu) {
        case ACTION_CONFIGURATION:
            if (count - at < 3) {
                return fail(driver, ETHOSU_ERROR_PAYLOAD, (uint32_t)at, word);
            }
            if (check_configuration(driver, words[at + 1], words[at + 2]) != 0) {
                return -1;
            }
            at += 3;
            break;
        case ACTION_COMMAND_STREAM:
            if (*stream != NULL || length == 0 || count - at - 1 < length) {
                return fail(driver, ETHOSU_ERROR_PAYLOAD, (uint32_t)at, word);
            }
            *stream = words + at + 1;
            *stream_bytes = 4 * length;
            at += 1 + length;
            break;
        case ACTION_NOTHING:
            at++;
            break;
        default:
            return fail(driver, ETHOSU_ERROR_PAYLOAD, (uint32_t)at, word);
        }
    }
    return *stream != NULL ? 0 : fail(driver, ETHOSU_ERROR_PAYLOAD, (uint32_t)count, 0);
}

int ethosu_check_payload(struct ethosu_driver *driver, const void *payload, size_t bytes)
{
    if (driver == NULL) {
        return -1;
    }
    if (!driver->ready) {
        return driver->failure.error != ETHOSU_OK ? -1 : fail(driver, ETHOSU_ERROR_NOT_INITIALISED, 0, 0);
    }
    const uint32_t *stream;
    uint32_t stream_bytes;
    return find_stream(driver, payload, bytes, &stream, &stream_bytes);
}

int ethosu_invoke_v3(struct ethosu_driver *driver, const void *custom_data_ptr, const int custom_data_size,
                     uint64_t *const base_addr, const size_t *base_addr_size, const int num_base_addr,
                     void *user_arg)
{
    if (driver == NULL) {
        return -1; /* TFLM does not look at what it reserved */
    }
    if (!driver->ready) {
        return fail(driver, ETHOSU_ERROR_NOT_INITIALISED, 0, 0);
    }
    driver->failure = (struct ethosu_failure){ .error = ETHOSU_OK };
    if (custom_data_size < 0 || num_base_addr < 0 || num_base_addr > MAX_BASE_ADDRESSES) {
        return fail(driver, ETHOSU_ERROR_ADDRESS, MAX_BASE_ADDRESSES, (uint32_t)num_base_addr);
    }
    uint64_t base[MAX_BASE_ADDRESSES];
    for (int i = 0; i < num_base_addr; i++) {
        base[i] = base_addr[i];
        if (i == 2 && driver->fast_memory != NULL) {
            if (base_addr_size[i] > driver->fast_memory_bytes) {
                return fail(driver, ETHOSU_ERROR_FAST_MEMORY, (uint32_t)base_addr_size[i],
                            (uint32_t)driver->fast_memory_bytes);
            }
            base[i] = (uintptr_t)driver->fast_memory;
        }
        if ((base[i] & (ALIGNMENT - 1)) != 0) {
            return fail(driver, ETHOSU_ERROR_ADDRESS, ALIGNMENT, (uint32_t)base[i]);
        }
    }
    const uint32_t *stream;
    uint32_t stream_bytes;
    if (find_stream(driver, custom_data_ptr, (size_t)custom_data_size, &stream, &stream_bytes) != 0
        || shorten(driver, &stream, &stream_bytes) != 0) {
        return -1;
    }
    return run_stream(driver, stream, stream_bytes, base, base_addr_size, num_base_addr, user_arg);
}

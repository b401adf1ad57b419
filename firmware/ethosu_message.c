#include "ethosu_message.h"

#include "ethosu_registers.h"

static void append_npu(struct message *text, uint32_t config)
{
    static const char *const products[] = { "Ethos-U55-", "Ethos-U65-", "Ethos-U85-" };
    uint32_t product = ETHOSU_CONFIG_PRODUCT(config);
    message_text(text, product < sizeof products / sizeof products[0] ? products[product] : "an unknown NPU with ");
    message_decimal(text, ETHOSU_CONFIG_MACS(config));
    message_text(text, " (");
    if (product <= 1) {
        message_decimal(text, ETHOSU_CONFIG_SHRAM_KB(config));
        message_text(text, " KB SHRAM, ");
    }
    message_text(text, "config ");
    message_hex(text, config);
    message_text(text, ")");
}

static void append_position(struct message *text, const struct ethosu_failure *failure)
{
    message_text(text, "; STATUS ");
    message_hex(text, failure->status);
    message_text(text, ", QREAD ");
    message_decimal(text, failure->position);
    message_text(text, " of ");
    message_decimal(text, failure->expected);
    message_text(text, " bytes of command stream");
}

static void append_pair(struct message *text, const char *first, uint32_t expected, const char *second,
                        uint32_t found)
{
    message_text(text, first);
    message_hex(text, expected);
    message_text(text, second);
    message_hex(text, found);
}

void ethosu_describe(const struct ethosu_failure *failure, struct message *text)
{
    message_text(text, "NPU: ");
    switch (failure->error) {
    case ETHOSU_OK:
        message_text(text, "no error");
        break;
    case ETHOSU_ERROR_NOT_INITIALISED:
        message_text(text, "the driver is not initialised");
        break;
    case ETHOSU_ERROR_NOT_AN_NPU:
        append_pair(text, "no " ETHOSU_FAMILY_NAME " answers at this address: ID ", failure->expected, ", CONFIG ",
                    failure->found);
        break;
    case ETHOSU_ERROR_RESET:
        message_text(text, "it does not come out of reset: STATUS ");
        message_hex(text, failure->found);
        break;
    case ETHOSU_ERROR_PROTECTION:
        append_pair(text, "it came out of reset with other rights: asked for ", failure->expected, ", PROT is ",
                    failure->found);
        break;
    case ETHOSU_ERROR_PAYLOAD:
        message_text(text, "the command stream tensor is damaged: word ");
        message_decimal(text, failure->expected);
        message_text(text, " is ");
        message_hex(text, failure->found);
        break;
    case ETHOSU_ERROR_ARCHITECTURE:
        append_pair(text, "the model was compiled for architecture ", failure->expected, ", this NPU has ",
                    failure->found);
        break;
    case ETHOSU_ERROR_CONFIGURATION:
        message_text(text, "the model was compiled for ");
        append_npu(text, failure->expected);
        message_text(text, ", this is ");
        append_npu(text, failure->found);
        break;
    case ETHOSU_ERROR_ADDRESS:
        append_pair(text, "a base address or count cannot be used: limit or alignment ", failure->expected, ", got ",
                    failure->found);
        break;
    case ETHOSU_ERROR_FAST_MEMORY:
        message_text(text, "the model needs ");
        message_decimal(text, failure->expected);
        message_text(text, " bytes of fast memory, there are ");
        message_decimal(text, failure->found);
        break;
    case ETHOSU_ERROR_TIMEOUT:
        message_text(text, "no interrupt within ");
        message_decimal(text, failure->found);
        message_text(text, " ms");
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_BUS:
        message_text(text, "bus error on AXI port ");
        message_decimal(text, ETHOSU_STATUS_FAULT_PORT(failure->status));
        message_text(text, ", channel ");
        message_decimal(text, ETHOSU_STATUS_FAULT_CHANNEL(failure->status));
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_PARSE:
        message_text(text, "the command stream cannot be parsed");
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_WEIGHTS:
        message_text(text, "the weight stream cannot be decoded");
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_ECC:
        message_text(text, "ECC error in the NPU's memory");
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_BRANCH:
        message_text(text, "a branch of the command stream leads out of it");
        append_position(text, failure);
        break;
    case ETHOSU_ERROR_INCOMPLETE:
        message_text(text, "it stopped before the end of the command stream");
        append_position(text, failure);
        break;
    }
}

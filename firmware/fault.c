#include "fault.h"

#include "cpu.h"
#include "message.h"
#include "notice.h"

enum { MMARVALID = 1u << 7, BFARVALID = 1u << 15 };

static const char *name_of(uint32_t exception)
{
    switch (exception) {
    case 2:
        return "NMI";
    case 3:
        return "HardFault";
    case 4:
        return "MemManage fault";
    case 5:
        return "BusFault";
    case 6:
        return "UsageFault";
    case 7:
        return "SecureFault";
    default:
        return "unexpected exception ";
    }
}

void fault_report(uint32_t exception, uint32_t program_counter)
{
    static struct message text;
    uint32_t status = SCB_CFSR;

    cpu_disable_interrupts();
    message_clear(&text);
    message_text(&text, name_of(exception));
    if (exception < 2 || exception > 7) {
        message_decimal(&text, exception);
    }
    message_text(&text, " at pc ");
    message_hex(&text, program_counter);
    message_text(&text, ", CFSR ");
    message_hex(&text, status);
    message_text(&text, ", HFSR ");
    message_hex(&text, SCB_HFSR);
    if ((status & MMARVALID) != 0) {
        message_text(&text, ", address ");
        message_hex(&text, SCB_MMFAR);
    } else if ((status & BFARVALID) != 0) {
        message_text(&text, ", address ");
        message_hex(&text, SCB_BFAR);
    }
    notice_error(0, PROTOCOL_FAULT, message_get(&text));
    for (;;) {
        cpu_wait_for_interrupt();
    }
}

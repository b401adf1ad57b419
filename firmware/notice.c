#include "notice.h"

#include <string.h>

#include "frame.h"
#include "uart.h"

void notice_log(const char *text, size_t length)
{
    struct frame_writer writer = { .write = uart_write };
    frame_begin(&writer, TYPE_LOG, 0, (uint32_t)length);
    frame_write(&writer, text, length);
    frame_end(&writer);
}

void notice_error(uint8_t sequence, enum protocol_error error, const char *text)
{
    const uint8_t code[2] = { (uint8_t)error, 0 };
    size_t length = strlen(text);
    struct frame_writer writer = { .write = uart_write };
    frame_begin(&writer, TYPE_ERROR, sequence, (uint32_t)(sizeof code + length));
    frame_write(&writer, code, sizeof code);
    frame_write(&writer, text, length);
    frame_end(&writer);
}

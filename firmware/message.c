#include "message.h"

void message_clear(struct message *message)
{
    message->length = 0;
    message->text[0] = '\0';
}

static void append(struct message *message, char character)
{
    if (message->length + 1 < sizeof message->text) {
        message->text[message->length++] = character;
        message->text[message->length] = '\0';
    }
}

void message_text(struct message *message, const char *text)
{
    while (*text != '\0') {
        append(message, *text++);
    }
}

void message_decimal(struct message *message, uint32_t value)
{
    char digits[10];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        append(message, digits[--count]);
    }
}

void message_hex(struct message *message, uint32_t value)
{
    message_text(message, "0x");
    for (int shift = 28; shift >= 0; shift -= 4) {
        append(message, "0123456789abcdef"[(value >> shift) & 0xF]);
    }
}

const char *message_get(const struct message *message)
{
    return message->text;
}

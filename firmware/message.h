/* Builds short texts in a fixed buffer: this firmware has neither printf nor a heap. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct message {
    size_t length;
    char text[240];
};

void message_clear(struct message *message);
/* What does not fit is left out. */
void message_text(struct message *message, const char *text);
void message_decimal(struct message *message, uint32_t value);
void message_hex(struct message *message, uint32_t value);
const char *message_get(const struct message *message);

#ifdef __cplusplus
}
#endif

#endif

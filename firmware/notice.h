/* Frames that carry a text: what libraries print, and errors. */
#ifndef NOTICE_H
#define NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sends a text for people. */
void notice_log(const char *text, size_t length);

/* Sends why a request failed, or with sequence 0 why nothing goes on. */
void notice_error(uint8_t sequence, enum protocol_error error, const char *text);

#ifdef __cplusplus
}
#endif

#endif

/* What libraries print, line by line, as log frames. */
#ifndef DEBUG_TEXT_H
#define DEBUG_TEXT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void debug_text(const char *text);
void debug_text_bytes(const char *text, size_t length);

/* The last whole line. */
const char *debug_text_last(void);

#ifdef __cplusplus
}
#endif

#endif

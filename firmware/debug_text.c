#include "debug_text.h"

#include <string.h>

#include "notice.h"

static char line[160];
static char last[sizeof line];
static size_t length;

static void end_line(void)
{
    if (length > 0) {
        line[length] = '\0';
        memcpy(last, line, length + 1);
        notice_log(line, length);
        length = 0;
    }
}

void debug_text_bytes(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '\n' || text[i] == '\r') {
            end_line();
        } else {
            line[length++] = text[i];
            if (length == sizeof line - 1) {
                end_line();
            }
        }
    }
}

void debug_text(const char *text)
{
    debug_text_bytes(text, strlen(text));
}

const char *debug_text_last(void)
{
    return last;
}

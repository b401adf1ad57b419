#include "host_files.h"

#include <string.h>

#include "host_call.h"

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_READ = 0x06 };
enum { OPEN_TO_READ = 1, OPEN_TO_WRITE = 5 }; /* binary */

static intptr_t open_file(const char *name, uintptr_t mode)
{
    return host_call(SYS_OPEN, (const uintptr_t[]){ (uintptr_t)name, mode, strlen(name) });
}

/* Reads or writes, and closes; the number of bytes that were not. */
static size_t transfer(uint32_t operation, intptr_t file, const void *bytes, size_t count)
{
    intptr_t left = host_call(operation, (const uintptr_t[]){ (uintptr_t)file, (uintptr_t)bytes, count });
    intptr_t closed = host_call(SYS_CLOSE, (const uintptr_t[]){ (uintptr_t)file });
    return closed != 0 || left < 0 || (size_t)left > count ? count : (size_t)left;
}

bool host_files_read(const char *name, void *bytes, size_t room, size_t *count)
{
    intptr_t file = open_file(name, OPEN_TO_READ);
    *count = file < 0 ? 0 : room - transfer(SYS_READ, file, bytes, room);
    return *count > 0;
}

bool host_files_write(const char *name, const void *bytes, size_t count)
{
    intptr_t file = open_file(name, OPEN_TO_WRITE);
    return file >= 0 && transfer(SYS_WRITE, file, bytes, count) == 0;
}

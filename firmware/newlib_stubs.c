/* What newlib asks of the system. There are no files; output becomes log frames. */
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cpu.h"
#include "debug_text.h"
#include "notice.h"

void _init(void);
void _fini(void);
void *_sbrk(ptrdiff_t increment);
int _write(int file, const char *bytes, int count);
int _read(int file, char *bytes, int count);
int _close(int file);
off_t _lseek(int file, off_t offset, int whence);
int _fstat(int file, struct stat *status);
int _isatty(int file);
int _getpid(void);
int _kill(int process, int signal);
__attribute__((noreturn)) void _exit(int status);

void _init(void) {}
void _fini(void) {}

/* Memory for newlib's own three streams, without which fprintf would crash, and for nothing else to speak of. */
static uint64_t stream_memory[2048 / sizeof(uint64_t)];
static size_t stream_memory_used;

void *_sbrk(ptrdiff_t increment)
{
    if (increment < 0 || (size_t)increment > sizeof stream_memory - stream_memory_used) {
        errno = ENOMEM;
        return (void *)-1;
    }
    void *memory = (uint8_t *)stream_memory + stream_memory_used;
    stream_memory_used += (size_t)increment;
    return memory;
}

int _write(int file, const char *bytes, int count)
{
    (void)file;
    debug_text_bytes(bytes, (size_t)count);
    return count;
}

int _read(int file, char *bytes, int count)
{
    (void)file;
    (void)bytes;
    (void)count;
    return 0;
}

int _close(int file)
{
    (void)file;
    return -1;
}

off_t _lseek(int file, off_t offset, int whence)
{
    (void)file;
    (void)offset;
    (void)whence;
    return 0;
}

int _fstat(int file, struct stat *status)
{
    (void)file;
    status->st_mode = S_IFCHR;
    return 0;
}

int _isatty(int file)
{
    (void)file;
    return 1;
}

int _getpid(void)
{
    return 1;
}

int _kill(int process, int signal)
{
    (void)process;
    (void)signal;
    errno = EINVAL;
    return -1;
}

/* abort() and failed assertions of a library end here. */
void _exit(int status)
{
    (void)status;
    debug_text("\n");
    const char *last = debug_text_last();
    notice_error(0, PROTOCOL_FAULT, last[0] != '\0' ? last : "a library ended the program");
    for (;;) {
        cpu_wait_for_interrupt();
    }
}

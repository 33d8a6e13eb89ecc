/* System calls and functions on the environment of its own, with the names of libc's, each of which refuses and
   counts: nobody else has called them, before main or for an answer. */
#include <stdio.h>

/* Its header declares some of them otherwise. */
char *getenv(const char *name);

static volatile int calls;

#define REFUSED(name)                                                                              \
    long name(void) {                                                                              \
        calls++;                                                                                   \
        return -1;                                                                                 \
    }

REFUSED(open)
REFUSED(open64)
REFUSED(openat)
REFUSED(openat64)
REFUSED(read)
REFUSED(pread)
REFUSED(pread64)
REFUSED(pwrite)
REFUSED(pwrite64)
REFUSED(close)
REFUSED(fstat)
REFUSED(fstat64)
REFUSED(readlink)
REFUSED(readlinkat)
REFUSED(getdents64)
REFUSED(mmap)
REFUSED(mmap64)
REFUSED(munmap)
REFUSED(mprotect)
REFUSED(madvise)
REFUSED(poll)
REFUSED(ppoll)
REFUSED(syscall)
REFUSED(gettid)
REFUSED(getpid)
REFUSED(sigprocmask)
REFUSED(pthread_sigmask)
REFUSED(sigaltstack)
REFUSED(pthread_mutex_lock)
REFUSED(dlopen)
REFUSED(dlsym)
REFUSED(dladdr)
REFUSED(setenv)
REFUSED(unsetenv)
REFUSED(putenv)
REFUSED(clearenv)

int main(void) {
    int before = calls;
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    int after = calls;
    printf("calls: %d and %d\n", before, after);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

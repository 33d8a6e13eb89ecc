/* An executable with a copy of libc's __libc_single_threaded, as C++ ones with shared pointers have;
   with THREADS it says, before any constructor, that there are threads. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/single_threaded.h>

#ifdef THREADS
static void set(void) { __libc_single_threaded = 0; }
__attribute__((section(".preinit_array"), used)) static void (*const before)(void) = set;
#endif

int main(void) {
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    printf("%d watched: %s\n", __libc_single_threaded, value ? value : "(null)");
    return 0;
}

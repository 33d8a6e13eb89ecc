/* An empty entry of the environment that ends right before memory that may not be read. (glibc itself
   reads a byte behind it up to 2.40.) */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

int main(void) {
    long page = sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0) return 1;
    char *own[] = {memory + page - 1, "NAME=value", memory + page - 1, NULL};
    environ = own;
    const char *value = getenv("NAME");
    const char *none = getenv("N");
    printf("%s %s\n", value ? value : "(null)", none ? none : "(null)");
    return 0;
}

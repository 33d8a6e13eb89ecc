// Prints the variable in its argument as it is answered while every address is mapped, and once more
// when they are free again. (qemu-user does not limit a program's memory by RLIMIT_AS.)
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 4096 };
static struct { void *start; size_t size; } taken[MOST];
static int count_taken;

static int take_everything(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t size = (size_t)1 << 40; size >= page; size /= 2) {
        void *start;
        while ((start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) != MAP_FAILED) {
            if (count_taken == MOST) return 0;
            taken[count_taken].start = start;
            taken[count_taken++].size = size;
        }
    }
    return 1;
}

int main(int count, char **arguments) {
    if (count != 2 || !take_everything()) return 2;
    const char *without = getenv(arguments[1]);
    for (int i = 0; i < count_taken; i++) munmap(taken[i].start, taken[i].size);
    printf("%s\n%s\n", without, getenv(arguments[1]));
    return 0;
}

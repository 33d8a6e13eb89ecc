/* A library whose constructor maps all addresses but 4 MiB. (qemu-user does not limit a program's memory by RLIMIT_AS.) */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

static void *take(size_t size) {
    return mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

__attribute__((constructor)) static void leave_little(void) {
    enum { LEFT = 4 << 20 };
    void *left = take(LEFT);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t size = (size_t)1 << 40; size >= page; size /= 2)
        while (take(size) != MAP_FAILED) {
        }
    if (left == MAP_FAILED || munmap(left, LEFT)) _exit(3);
}

/* Another library's hook: its constructor makes libc's getenv, or another function, jump to a function of its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef FUNCTION
#define FUNCTION "getenv"
#endif

static char *own_getenv(const char *name) {
    return strcmp(name, "HOME") ? (char *)0 : "/foreign";
}

__attribute__((constructor)) static void hook(void) {
    unsigned char *target = dlsym(dlopen("libc.so.6", RTLD_LAZY), FUNCTION);
#ifdef __aarch64__
    /* ldr x16, #8; br x16; and the address. */
    uint32_t near[4] = {0x58000050, 0xd61f0200};
    uintptr_t own = (uintptr_t)own_getenv;
    memcpy(near + 2, &own, 8);
#else
    /* jmp to an island within reach of a near jump, and from there anywhere; or at once through the
       address that the island has; or through an address behind the jump itself. */
    unsigned char *island = mmap(target - (1 << 28), 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char far[14] = {0xff, 0x25};
    uintptr_t own = (uintptr_t)own_getenv;
    memcpy(far + 6, &own, 8);
    memcpy(island, far, sizeof far);
#if defined IN_PLACE
    unsigned char near[sizeof far];
    memcpy(near, far, sizeof far);
#elif defined THROUGH_POINTER
    unsigned char near[6] = {0xff, 0x25};
    int32_t distance = (int32_t)(island + 6 - (target + 6));
    memcpy(near + 2, &distance, 4);
#else
    unsigned char near[5] = {0xe9};
    int32_t distance = (int32_t)(island - (target + 5));
    memcpy(near + 1, &distance, 4);
#endif
#endif
    int memory = open("/proc/self/mem", O_RDWR);
    if (pwrite(memory, near, sizeof near, (off_t)(uintptr_t)target) != sizeof near) _exit(3);
    close(memory);
}

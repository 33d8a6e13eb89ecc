/* Functions of its own with the names of libc's, each of which asks for a variable and counts its calls:
   nobody else has called them before main. */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

static volatile int calls, inside;

static void called(void) {
    calls++;
    if (inside++ == 0) getenv("JAVA_TOOL_OPTIONS");
    inside--;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    called();
    volatile char *next = to;
    const char *source = from;
    while (length--) *next++ = *source++;
    return to;
}

void *memset(void *to, int byte, size_t length) {
    called();
    volatile char *next = to;
    while (length--) *next++ = byte;
    return to;
}

int bcmp(const void *one, const void *other, size_t length) {
    called();
    const volatile char *a = one, *b = other;
    while (length--) {
        if (*a++ != *b++) return 1;
    }
    return 0;
}

int memcmp(const void *one, const void *other, size_t length) {
    return bcmp(one, other, length);
}

size_t strlen(const char *text) {
    called();
    const volatile char *end = text;
    while (*end) end++;
    return end - text;
}

unsigned long getauxval(unsigned long kind) {
    called();
    return kind == AT_SECURE;
}

int dl_iterate_phdr(int (*each)(struct dl_phdr_info *, size_t, void *), void *data) {
    (void)each, (void)data;
    called();
    return 0;
}

int *__errno_location(void) {
    static int own;
    called();
    return &own;
}

int main(void) {
    int before = calls;
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    int after = calls;
    printf("calls: %d and %d\n", before, after);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

/* Functions on memory and strings of its own, chosen by resolvers, which must not run before the program
   is relocated: what binds these names would make the loader refuse the program. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static void *copy(void *to, const void *from, size_t length) {
    volatile char *next = to;
    const char *source = from;
    while (length--) *next++ = *source++;
    return to;
}

static int compare(const void *one, const void *other, size_t length) {
    const volatile unsigned char *a = one, *b = other;
    for (; length--; a++, b++) {
        if (*a != *b) return *a - *b;
    }
    return 0;
}

static size_t count(const char *text) {
    const volatile char *end = text;
    while (*end) end++;
    return end - text;
}

#define CHOSEN(name, result, arguments, choice)                                                    \
    static result(*choose_##name(void)) arguments { return choice; }                               \
    result name arguments __attribute__((ifunc("choose_" #name)));

CHOSEN(memcpy, void *, (void *to, const void *from, size_t length), copy)
CHOSEN(memmove, void *, (void *to, const void *from, size_t length), copy)
CHOSEN(memcmp, int, (const void *one, const void *other, size_t length), compare)
CHOSEN(bcmp, int, (const void *one, const void *other, size_t length), compare)
CHOSEN(strlen, size_t, (const char *text), count)

int main(void) {
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

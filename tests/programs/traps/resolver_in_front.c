/* An object that is preloaded in front: its memcpy is chosen by a resolver that reads what has to be
   relocated first. */
#include <stddef.h>

static void *copy(void *to, const void *from, size_t length) {
    volatile char *next = to;
    const char *source = from;
    while (length--) *next++ = *source++;
    return to;
}

typedef void *(*function)(void *, const void *, size_t);
static int number = 7;
static int *volatile relocated = &number;

static function choose(void) {
    return *relocated == 7 ? copy : 0;
}

void *memcpy(void *, const void *, size_t) __attribute__((ifunc("choose")));

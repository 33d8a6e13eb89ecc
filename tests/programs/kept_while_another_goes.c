/* Threads ask for variables that stay while others are unset and set again. libc moves the entries
   behind one that goes; since glibc 2.41 its own getenv looks again where it may have missed one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES = 16, ROUNDS = 1000000 };

static char names[NAMES][4];
static atomic_long round_number;
static atomic_long missed;

static void *ask(void *seed) {
    unsigned next = (unsigned)(size_t)seed;
    for (;;) {
        long before = atomic_load(&round_number);
        if (before >= ROUNDS) return NULL;
        int index = rand_r(&next) % NAMES;
        int found = getenv(names[index]) != NULL;
        long after = atomic_load(&round_number);
        /* Not one of those that went meanwhile. */
        int went = after - before >= NAMES - 1;
        for (long round = before; !went && round <= after; round++) went = round % NAMES == index;
        if (!found && !went) atomic_fetch_add(&missed, 1);
    }
}

int main(void) {
    pthread_t threads[3];
    clearenv();
    for (int i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "N%d", i);
        setenv(names[i], "1", 1);
    }
    for (size_t i = 0; i < 3; i++) pthread_create(&threads[i], NULL, ask, (void *)i);
    /* The first one goes each time, and all others move. */
    while (atomic_load(&round_number) < ROUNDS) {
        const char *name = names[atomic_load(&round_number) % NAMES];
        unsetenv(name);
        setenv(name, "1", 1);
        atomic_fetch_add(&round_number, 1);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    printf("missed: %ld\n", atomic_load(&missed));
    return 0;
}

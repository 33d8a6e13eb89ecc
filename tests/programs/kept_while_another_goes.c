/* Threads ask for a variable that stays, while one sets and unsets the one before it. libc moves the
   later entries when one goes; since glibc 2.41 its own getenv never misses one of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int stop;
static atomic_long missed;

static void *ask(void *unused) {
    (void)unused;
    while (!atomic_load(&stop))
        if (!getenv("STAYS")) atomic_fetch_add(&missed, 1);
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    clearenv();
    for (int i = 0; i < 3000000; i++) {
        if (i == 0) {
            setenv("GOES", "1", 1);
            setenv("STAYS", "1", 1);
            for (int t = 0; t < 4; t++) pthread_create(&threads[t], NULL, ask, NULL);
        }
        unsetenv("GOES");
        setenv("GOES", "1", 1);
        unsetenv("STAYS_NOT");
    }
    atomic_store(&stop, 1);
    for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    printf("missed: %ld\n", atomic_load(&missed));
    return 0;
}

/* 64 threads ask while one sets and unsets. libc itself never frees a value that setenv made. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "JAVA_TOOL_OPTIONS"

static atomic_int stop;
static atomic_long wrong;

static void *ask(void *agent) {
    while (!atomic_load(&stop)) {
        const char *value = getenv(NAME);
        if (!value || strncmp(value, agent, strlen(agent)) != 0) atomic_fetch_add(&wrong, 1);
        if (getenv("NOT_THERE")) atomic_fetch_add(&wrong, 1);
        const char *home = getenv("HOME");
        if (!home || strcmp(home, "/here")) atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[64];
    char *wanted = getenv("WANTED");
    if (!wanted) return 1;
    /* Once more than will ever be set, so that setenv does not move the array, which would race
       in libc as well. */
    setenv("HOME", "/here", 1);
    setenv(NAME, "-Dzero", 1);
    for (int i = 0; i < 64; i++) pthread_create(&threads[i], NULL, ask, wanted);
    for (int i = 0; i < 20000; i++) {
        setenv(NAME, i % 2 ? "-Dodd" : "-Deven", 1);
        if (i % 16 == 0) unsetenv(NAME);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 64; i++) pthread_join(threads[i], NULL);
    printf("wrong answers: %ld\n", atomic_load(&wrong));
    return atomic_load(&wrong) != 0;
}

/* 300 threads ask at the same moment for a value that was never asked for, again and again. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 300
#define ROUNDS 40

static char entry[64] = "JAVA_TOOL_OPTIONS=";
static pthread_barrier_t together;
static atomic_int lost;

static void *ask(void *unused) {
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&together);
        pthread_barrier_wait(&together);
        const char *value = getenv("JAVA_TOOL_OPTIONS");
        if (!value || !strstr(value, entry + strlen("JAVA_TOOL_OPTIONS="))) atomic_fetch_add(&lost, 1);
        const char *watched = getenv("JAVA_TOOL_OPTIONS");
        if (value != watched) atomic_fetch_add(&lost, 1);
    }
    return unused;
}

int main(void) {
    static pthread_t threads[THREADS];
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    putenv(entry);
    pthread_barrier_init(&together, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, ask, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&together);
        sprintf(entry, "JAVA_TOOL_OPTIONS=-Dround=%d", round);
        pthread_barrier_wait(&together);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("lost: %d\n", atomic_load(&lost));
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

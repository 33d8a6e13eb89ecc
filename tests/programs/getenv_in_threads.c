/* What one getenv costs each of several threads that ask at once: the mean of their processor time per call,
   in nanoseconds. Arguments: the name, the number of threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 200000 };
static const char *name;
static pthread_barrier_t ready;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void *ask(void *cost) {
    getenv(name);
    pthread_barrier_wait(&ready);
    double start = now();
    for (int call = 0; call < CALLS; call++) getenv(name);
    *(double *)cost = (now() - start) / CALLS;
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    name = arguments[1];
    int threads = atoi(arguments[2]);
    if (threads < 1 || threads > 64) return 2;
    pthread_t started[64];
    double costs[64], sum = 0;
    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    for (int index = 0; index < threads; index++)
        if (pthread_create(&started[index], NULL, ask, &costs[index]) != 0) return 1;
    for (int index = 0; index < threads; index++) {
        pthread_join(started[index], NULL);
        sum += costs[index];
    }
    printf("%.2f\n", sum / threads);
    return 0;
}

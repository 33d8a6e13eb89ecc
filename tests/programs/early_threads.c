/* A library whose constructor starts threads that ask all the time, before ours could hook. */
#include <pthread.h>
#include <stdlib.h>

static void *ask(void *unused) {
    (void)unused;
    for (;;) getenv("NOT_THERE");
    return NULL;
}

__attribute__((constructor)) static void start(void) {
    pthread_t thread;
    for (int i = 0; i < 2; i++) pthread_create(&thread, NULL, ask, NULL);
}

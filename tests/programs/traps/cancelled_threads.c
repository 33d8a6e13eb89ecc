/* Threads that may be cancelled at any instruction ask, and are cancelled, 300 times. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char originals[4][32];

static void *ask(void *index) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) {
        getenv("JAVA_TOOL_OPTIONS");
        getenv("HOME");
    }
    return index;
}

int main(void) {
    for (int i = 0; i < 300; i++) {
        sprintf(originals[i % 4], "JAVA_TOOL_OPTIONS=-D%d", i);
        putenv(originals[i % 4]);
        pthread_t threads[4];
        for (int t = 0; t < 4; t++) pthread_create(&threads[t], NULL, ask, NULL);
        usleep(i % 7 * 50);
        for (int t = 0; t < 4; t++) pthread_cancel(threads[t]);
        for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    }
    unsetenv("JAVA_TOOL_OPTIONS");
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("cancelled\n");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

/* Two threads ask for the same watched names at once, for a sanitizer to look at. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *ask(void *last) {
    for (int i = 0; i < 100; i++) {
        getenv("JAVA_TOOL_OPTIONS");
        getenv("OTEL_SERVICE_NAME");
        getenv("HOME");
    }
    *(const char **)last = getenv("JAVA_TOOL_OPTIONS");
    return NULL;
}

int main(void) {
    pthread_t threads[2];
    const char *values[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, ask, &values[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) printf("watched: %s\n", values[i] ? values[i] : "(null)");
    return 0;
}

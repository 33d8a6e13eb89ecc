// Threads ask while one changes the environment without end, and children of fork ask meanwhile.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int is_over;

static void *ask(void *wrong) {
    while (!is_over) {
        const char *home = getenv("HOME");
        if (!home || strcmp(home, "/here")) *(atomic_int *)wrong = 1;
    }
    return NULL;
}

int main(void) {
    atomic_int wrong = 0;
    // libc must not need a longer array while others read it.
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "OF_ROUND_%d", i);
        setenv(name, "first", 1);
    }
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, ask, &wrong);
    for (int round = 0; round < 3000; round++) {
        char name[32];
        snprintf(name, sizeof name, "OF_ROUND_%d", round % 100);
        setenv(name, round % 2 ? "odd" : "even", 1);
        if (round % 7 == 0) unsetenv(name);
        if (round % 300 == 0) {
            pid_t child = fork();
            if (child == 0) {
                setenv("IN_CHILD", "1", 1);
                _exit(getenv("IN_CHILD") == NULL);
            }
            int status;
            waitpid(child, &status, 0);
            if (status) wrong = 1;
        }
    }
    is_over = 1;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    puts(wrong ? "wrong" : "right");
    return wrong;
}

/* The first question comes in a child: after fork, after vfork, and after fork beside threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *wanted;

static int answers(void) {
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    return value && strcmp(value, wanted) == 0 && getenv("NOT_THERE") == NULL;
}

static void *keep_asking(void *unused) {
    (void)unused;
    for (;;) getenv("JAVA_TOOL_OPTIONS");
    return NULL;
}

static void expect_zero(pid_t child, const char *what) {
    int status;
    waitpid(child, &status, 0);
    printf("%s: %d\n", what, status);
    fflush(stdout);
    if (status) exit(1);
}

int main(void) {
    wanted = getenv("WANTED");
    if (!wanted) return 2;
    pid_t child = fork();
    if (child == 0) _exit(!answers());
    expect_zero(child, "fork");
    child = vfork();
    if (child == 0) _exit(!answers());
    expect_zero(child, "vfork");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, keep_asking, NULL);
    for (int i = 0; i < 200; i++) {
        child = fork();
        if (child == 0) _exit(!answers());
        int status;
        waitpid(child, &status, 0);
        if (status) return 1;
    }
    printf("fork beside threads: 0\n");
    return 0;
}

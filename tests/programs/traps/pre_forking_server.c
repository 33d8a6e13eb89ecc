/* Forks its workers before anything was asked for, as servers do; workers fork once more, ask,
   set, and end by signal, by exit and by _exit. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(int number) {
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    if (!getenv("HOME") || getenv("NOT_THERE")) return 100;
    pid_t child = fork();
    if (child == 0) {
        setenv("NUMBER", "child", 1);
        const char *again = getenv("JAVA_TOOL_OPTIONS");
        int same = watched ? again && !strcmp(watched, again) : !again;
        _exit(same ? 0 : 101);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status) return 102;
    if (number % 3 == 0) raise(SIGTERM);
    if (number % 3 == 1) _exit(number);
    return number;
}

int main(void) {
    pid_t workers[12];
    for (int i = 0; i < 12; i++) {
        workers[i] = fork();
        if (workers[i] == 0) exit(work(i));
    }
    for (int i = 0; i < 12; i++) {
        int status;
        waitpid(workers[i], &status, 0);
        printf("%d: %x\n", i, status);
    }
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

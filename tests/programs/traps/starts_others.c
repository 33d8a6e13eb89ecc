/* Starts the program that it is given a hundred times in a row by vfork and exec, by posix_spawn,
   and by fork and exec. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    if (count < 2) return 2;
    int failed = 0;
    for (int i = 0; i < 300; i++) {
        pid_t child;
        if (i % 3 == 0) {
            if (posix_spawn(&child, arguments[1], NULL, NULL, arguments + 1, environ)) return 3;
        } else {
            child = i % 3 == 1 ? vfork() : fork();
            if (child == 0) {
                execv(arguments[1], arguments + 1);
                _exit(126);
            }
        }
        int status;
        if (waitpid(child, &status, 0) != child || status) failed++;
    }
    printf("failed: %d\n", failed);
    return failed != 0;
}

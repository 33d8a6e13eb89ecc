// Changes its environment in every way there is, with a question after each change.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void ask(void) { getenv("NOBODY"); }

int main(void) {
    secure_getenv("OTEL_SECURE");
    getenv("OTEL_LATE");
    setenv("OTEL_LATE", "1", 1);
    ask();
    setenv("OTEL_LATE", "2", 1);
    ask();
    // The same value again is no change.
    setenv("OTEL_LATE", "2", 1);
    ask();
    unsetenv("OTEL_UNSEEN");
    ask();
    static char token[] = "API_TOKEN=geheim";
    putenv(token);
    ask();
    // The same texts in other places, and one more.
    static char *entries[1000];
    int count = 0;
    for (; environ[count] && count < 990; count++) entries[count] = strdup(environ[count]);
    entries[count] = "DIRECT=here";
    environ = entries;
    ask();
    pid_t child = fork();
    if (child == 0) {
        setenv("IN_CHILD", "1", 1);
        ask();
        return 0;
    }
    waitpid(child, NULL, 0);
    ask();
    clearenv();
    ask();
    return 0;
}

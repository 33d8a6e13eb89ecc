/* Children that share this thread's memory and thread pointer (clone(CLONE_VM)) ask for ever new values
   and are killed in the midst of it. Then the thread itself asks for one more. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *own[2];
static char entries[4000][40];
static volatile int next;

static int ask(void *nothing) {
    (void)nothing;
    while (next < 3990) {
        snprintf(entries[next], sizeof entries[0], "JAVA_TOOL_OPTIONS=-Dx=%d", next);
        own[0] = entries[next++];
        getenv("JAVA_TOOL_OPTIONS");
    }
    for (;;) {
        pause();
    }
    return 0;
}

int main(void) {
    static char stack[1 << 16];
    environ = own;
    for (int i = 0; i < 60; i++) {
        int before = next;
        pid_t child = clone(ask, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
        while (next == before) sched_yield();
        usleep(i * 7);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (next > 900) break;
    }
    own[0] = "JAVA_TOOL_OPTIONS=-Dlast=1";
    puts(getenv("JAVA_TOOL_OPTIONS"));
    return 0;
}

/* Asks in a signal handler on a small alternate stack while the main program allocates and asks. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t asked;

static void handler(int number) {
    (void)number;
    const char *home = getenv("HOME");
    if (!home || getenv("NOT_THERE") || !getenv("JAVA_TOOL_OPTIONS")) abort();
    asked++;
}

int main(void) {
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    if (!getenv("JAVA_TOOL_OPTIONS")) return 1;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &often, NULL);
    while (asked < 2000) {
        free(malloc(100));
        if (!getenv("HOME")) return 2;
    }
    printf("asked\n");
    return 0;
}

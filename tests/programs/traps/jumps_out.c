/* A timer's handler jumps out of whatever is running, again and again, while values are computed
   that were never asked for before. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static sigjmp_buf start;
static volatile int jumps, armed;

static void handler(int number) {
    (void)number;
    jumps++;
    if (armed) siglongjmp(start, 1);
}

int main(void) {
    static char original[32] = "JAVA_TOOL_OPTIONS=";
    static volatile int value;
    /* putenv, because setenv takes a lock, which a jump would leave held. */
    putenv(original);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 150}, {0, 150}};
    sigsetjmp(start, 1);
    armed = 1;
    setitimer(ITIMER_REAL, &often, NULL);
    while (jumps < 2000) {
        sprintf(original, "JAVA_TOOL_OPTIONS=-D%d", value++ % 400);
        if (!getenv("JAVA_TOOL_OPTIONS") || !getenv("HOME")) return 1;
    }
    armed = 0;
    memset(&often, 0, sizeof often);
    setitimer(ITIMER_REAL, &often, NULL);
    strcpy(original, "JAVA_TOOL_OPTION=x");
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("jumped\n");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

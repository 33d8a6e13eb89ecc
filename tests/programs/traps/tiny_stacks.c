/* Asks where there is hardly any stack: in a signal handler on an alternate stack of the smallest
   size that this processor needs, and in a thread of the smallest size that there is. What lies
   below each stack must stay as it was. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
/* What a handler that calls getenv needs for itself, in bytes. */
#define OWN 1024
#define BELOW 65536

static const char *watched[3];
static const char *home;

static void handler(int number) {
    watched[number == SIGUSR2] = getenv("JAVA_TOOL_OPTIONS");
    home = getenv("HOME");
}

static void *in_thread(void *unused) {
    watched[2] = getenv("JAVA_TOOL_OPTIONS");
    return unused;
}

static int is_untouched(const char *from, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (from[i] != 0x5a) return 0;
    }
    return 1;
}

int main(void) {
    size_t smallest = getauxval(AT_MINSIGSTKSZ) ? getauxval(AT_MINSIGSTKSZ) : 2048;
    size_t size = (smallest + OWN + 15) & ~(size_t)15;
    static char memory[BELOW + 65536] __attribute__((aligned(64)));
    memset(memory, 0x5a, sizeof memory);
    stack_t alternate = {.ss_sp = memory + BELOW, .ss_size = size};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&alternate, NULL)) return 2;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR1);
    /* Another original value: computed anew, in the handler again. */
    setenv("JAVA_TOOL_OPTIONS", "-Dother", 1);
    raise(SIGUSR2);
    unsetenv("JAVA_TOOL_OPTIONS");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, in_thread, NULL)) return 3;
    pthread_join(thread, NULL);
    printf("HOME %s, untouched below: %d\n", home, is_untouched(memory, BELOW));
    printf("in the thread as in the handler: %d\n", watched[0] == watched[2]);
    printf("ends with -Dother: %d\n", !strcmp(watched[1] + strlen(watched[1]) - 7, "-Dother"));
    printf("watched: %s\n", watched[0] ? watched[0] : "(null)");
    return 0;
}

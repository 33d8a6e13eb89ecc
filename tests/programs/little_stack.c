// Asks for the first variable in a signal handler on the smallest alternate stack that there may be,
// for the second one in a thread with the smallest stack, and prints both answers.
//
// Below the alternate stack lies a pattern that an overflow would destroy.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BELOW (256 * 1024)

static const char *name, *answer;

static void ask(int signal) {
    (void)signal;
    answer = getenv(name);
}

static void *ask_in_thread(void *unused) {
    ask(0);
    return unused;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    // What the kernel puts there, and a little for the handler.
    long smallest = sysconf(_SC_MINSIGSTKSZ) + 512;
    unsigned char *memory = mmap(NULL, BELOW + smallest, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    memset(memory, 0xa5, BELOW);
    stack_t stack = {.ss_sp = memory + BELOW, .ss_size = smallest};
    if (sigaltstack(&stack, NULL) != 0) fail("sigaltstack");
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_ONSTACK};
    if (sigaction(SIGUSR1, &action, NULL) != 0) fail("sigaction");

    // The loader's own work for a first call takes stack, too.
    if (getenv("no such variable")) return 2;
    name = arguments[1];
    raise(SIGUSR1);
    for (int i = 0; i < BELOW; i++) {
        if (memory[i] != 0xa5) {
            printf("the alternate stack overflowed by %d bytes\n", BELOW - i);
            return 1;
        }
    }
    printf("%s=%s\n", name, answer ? answer : "(null)");

    name = arguments[2];
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0) fail("stacksize");
    if (pthread_create(&thread, &attributes, ask_in_thread, NULL) != 0) fail("thread");
    pthread_join(thread, NULL);
    printf("%s=%s\n", name, answer ? answer : "(null)");
    return 0;
}

/* From before any constructor until main, a signal handler asks after every single instruction
   (x86-64's trap flag). */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static volatile sig_atomic_t over;
static volatile long steps, lost;

static void ask(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    /* Before libc's own constructor there is no environment. */
    static int begun;
    const char *home = getenv("HOME");
    if (home) begun = 1;
    int found = home && !strcmp(home, "/here") && secure_getenv("HOME") == home;
    if (getenv("NOT_THERE") || (begun && !found)) lost++;
    getenv("JAVA_TOOL_OPTIONS");
    steps++;
    if (over) ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void start(void) {
    struct sigaction action = {.sa_sigaction = ask, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "memory", "cc");
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = start;

int main(void) {
    over = 1;
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("stepped: %s\n", steps > 10 ? "yes" : "no");
    printf("lost: %ld\n", lost);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

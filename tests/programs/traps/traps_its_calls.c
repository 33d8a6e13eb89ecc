/* Asks under a filter of its own that makes a signal of openat (SECCOMP_RET_TRAP), as sandboxes do:
   its handler refuses the call, or makes it in another way. With a second argument, both handlers are
   on a signal stack: the one that asks, and the one of the filter. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifdef __x86_64__
#define ARGUMENT(context, number) (context)->uc_mcontext.gregs[(int[]){REG_RDI, REG_RSI, REG_RDX}[number]]
#define RESULT(context) (context)->uc_mcontext.gregs[REG_RAX]
#else
#define ARGUMENT(context, number) (context)->uc_mcontext.regs[number]
#define RESULT(context) (context)->uc_mcontext.regs[0]
#endif

static int refuses;
static char signal_stack[512 * 1024];
static const char *watched;
static int overwritten;

static void ask(int number) {
    volatile char mine[64 * 1024];
    (void)number;
    memset((char *)mine, 'x', sizeof mine);
    watched = getenv("JAVA_TOOL_OPTIONS");
    for (size_t i = 0; i < sizeof mine; i++) overwritten += mine[i] != 'x';
}

static void handle(int number, siginfo_t *info, void *data) {
    ucontext_t *context = data;
    int before = errno;
    unsigned long long how[3] = {ARGUMENT(context, 2)};
    long result = -1;
    (void)number, (void)info;
    errno = EACCES;
    if (!refuses) result = syscall(SYS_openat2, (int)ARGUMENT(context, 0), (const char *)ARGUMENT(context, 1), how, sizeof how);
    RESULT(context) = result < 0 ? -errno : result;
    errno = before;
}

int main(int count, char **arguments) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    int on_stack = count > 2 ? SA_ONSTACK : 0;
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | on_stack};
    struct sigaction asker = {.sa_handler = ask, .sa_flags = on_stack};
    refuses = count > 1 && !strcmp(arguments[1], "refuses");
    if (sigaltstack(&stack, NULL) || sigaction(SIGSYS, &action, NULL) || sigaction(SIGUSR1, &asker, NULL)) return 1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 77;
    const char *home = getenv("HOME");
    raise(SIGUSR1);
    stack_t now;
    sigaltstack(NULL, &now);
    printf("overwritten: %d, signal stack: %d\n", overwritten, now.ss_sp == signal_stack && !now.ss_flags);
    printf("HOME: %s\nwatched: %s\n", home ? home : "(null)", watched ? watched : "(null)");
    return 0;
}

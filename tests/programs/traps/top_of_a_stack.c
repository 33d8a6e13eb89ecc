// Asks with next to nothing above the stack pointer but memory that may not be read: on a stack made by hand, in a
// cloned process that shares memory, and in a handler on a signal stack.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int asked;

static void ask(void) {
    const char *home = getenv("HOME");
    asked += home && !strcmp(home, "/here");
}

static int in_clone(void *unused) {
    (void)unused;
    int before = asked;
    ask();
    int has_failed = asked == before;
    asked = before;
    return has_failed;
}

static void in_handler(int number) {
    (void)number;
    ask();
}

// The end of a stack of some pages, with a page behind it that may not be read.
static char *stack(size_t length) {
    char *start = mmap(NULL, length + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start + length, 65536, PROT_NONE)) exit(2);
    return start;
}

int main(void) {
    const size_t length = 1 << 16;
    ucontext_t main_context, made;
    getcontext(&made);
    made.uc_stack.ss_sp = stack(length);
    made.uc_stack.ss_size = length;
    made.uc_link = &main_context;
    makecontext(&made, ask, 0);
    swapcontext(&main_context, &made);

    int status;
    pid_t child = clone(in_clone, stack(length) + length, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (child < 0 || waitpid(child, &status, 0) != child) return 3;
    asked += status == 0;

    stack_t alternate = {.ss_sp = stack(length), .ss_size = length};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    printf("asked %d times\n", asked);
    return 0;
}

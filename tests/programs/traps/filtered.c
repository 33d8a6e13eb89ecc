/* Executes a program under a filter for system calls (seccomp(2)) that is in force from its first
   instruction: filtered refuse|kill CALL,... PROGRAM... with calls by number or by kind, or filtered
   plain PROGRAM... for one that kills on everything but what a start without any preload object
   needs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_rseq
#define SYS_rseq 334
#endif
#define KILL SECCOMP_RET_KILL_PROCESS
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define IF(operation, value, yes, no) BPF_JUMP(BPF_JMP | operation | BPF_K, value, yes, no)

static struct sock_filter program[512];
static int length;

static void add(const struct sock_filter *instructions, int count) {
    memcpy(program + length, instructions, count * sizeof *instructions);
    length += count;
}
#define ADD(...) add((struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))

/* Every call that this C library's loader and its stdio make, and the way out. */
static const int plain_calls[] = {
    SYS_execve, SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_read, SYS_pread64, SYS_close, SYS_newfstatat,
    SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_getrandom, SYS_write, SYS_exit_group,
#ifdef __x86_64__
    SYS_access, SYS_arch_prctl,
#else
    SYS_faccessat,
#endif
};

static void only_plain_calls(void) {
    ADD(LOAD(nr));
    for (size_t i = 0; i < sizeof plain_calls / sizeof *plain_calls; i++) {
        ADD(IF(BPF_JEQ, plain_calls[i], 0, 1), RETURN(SECCOMP_RET_ALLOW));
    }
    /* Opening for reading alone. */
    ADD(IF(BPF_JEQ, SYS_openat, 1, 0), RETURN(KILL), LOAD(args[2]), IF(BPF_JSET, O_WRONLY | O_RDWR | O_CREAT, 0, 1),
        RETURN(KILL), RETURN(SECCOMP_RET_ALLOW));
}

static void one_call(const char *name, unsigned int action) {
    char *end;
    long number = strtol(name, &end, 10);
    if (!*end) {
        ADD(LOAD(nr), IF(BPF_JEQ, number, 0, 1), RETURN(action));
        return;
    }
    if (!strcmp(name, "writable_code")) {
        ADD(LOAD(nr), IF(BPF_JEQ, SYS_mprotect, 0, 4), LOAD(args[2]), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC),
            IF(BPF_JEQ, PROT_WRITE | PROT_EXEC, 0, 1), RETURN(action));
    } else if (!strcmp(name, "open_for_writing")) {
        ADD(LOAD(nr), IF(BPF_JEQ, SYS_openat, 0, 3), LOAD(args[2]), IF(BPF_JSET, O_WRONLY | O_RDWR, 0, 1), RETURN(action));
    } else {
        exit(2);
    }
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    int is_plain = !strcmp(arguments[1], "plain");
    char **command = arguments + (is_plain ? 2 : 3);
    if (is_plain) {
        only_plain_calls();
    } else {
        unsigned int action = strcmp(arguments[1], "kill") ? SECCOMP_RET_ERRNO | EPERM : KILL;
        for (char *name = strtok(arguments[2], ","); name; name = strtok(NULL, ",")) one_call(name, action);
        ADD(RETURN(SECCOMP_RET_ALLOW));
    }
    struct sock_fprog filter = {.len = length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 77;
    execv(command[0], command);
    return 126;
}

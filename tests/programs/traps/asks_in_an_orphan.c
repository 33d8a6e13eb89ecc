/* A process whose parent is gone, and never asked, asks for ASKED where a filter ends it for asking who its parent
 * is: sandboxes of servers end it for more. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends_for_getppid(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(void)
{
    // The orphan closes it at its end, or says that it can set no filter.
    int of_orphan[2];
    if (pipe(of_orphan))
        return 1;
    pid_t silent = fork();
    if (silent == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            while (getppid() == parent)
                usleep(1000);
            if (!ends_for_getppid())
                _exit(write(of_orphan[1], "x", 1) != 1);
            const char *value = getenv("ASKED");
            printf("%s\n", value ? value : "(null)");
            fflush(stdout);
        }
        _exit(0);
    }
    waitpid(silent, NULL, 0);
    close(of_orphan[1]);
    char byte;
    return read(of_orphan[0], &byte, 1) == 0 ? 0 : 77;
}

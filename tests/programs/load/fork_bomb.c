/* fork_bomb PROCESSES: every process forks others until there are so many, all of them alive at the
   same time; each asks before and after it forks. Prints `PROCESSES WRONG-ANSWERS LOST`. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shared {
    atomic_int started, alive, wrong, lost;
} *shared;

static void ask(void) {
    const char *watched = getenv("JAVA_TOOL_OPTIONS"), *wanted = getenv("WANTED");
    if (!watched || !wanted || strcmp(watched, wanted) || getenv("NOT_THERE")) atomic_fetch_add(&shared->wrong, 1);
}

/* Forks until there are `most`, waits until all of them are there, then for its children. */
static void explode(int most) {
    int children = 0;
    while (atomic_fetch_add(&shared->started, 1) < most) {
        pid_t child = fork();
        if (child < 0) {
            atomic_fetch_add(&shared->lost, 1);
            atomic_fetch_add(&shared->alive, 1);
        } else if (child == 0) {
            ask();
            children = 0;
            atomic_fetch_add(&shared->alive, 1);
        } else {
            children++;
        }
    }
    while (atomic_load(&shared->alive) < most) usleep(1000);
    ask();
    int status;
    while (children-- > 0) {
        if (wait(&status) < 0 || status) atomic_fetch_add(&shared->lost, 1);
    }
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    pid_t root = getpid();
    int most = atoi(arguments[1]);
    explode(most);
    if (getpid() != root) _exit(0);
    printf("%d %d %d\n", atomic_load(&shared->alive), atomic_load(&shared->wrong), atomic_load(&shared->lost));
    return atomic_load(&shared->wrong) || atomic_load(&shared->lost);
}

/* A thread is in dl_iterate_phdr, whose lock glibc does not give to a child of fork. Meanwhile another
   thread asks (`thread`), or a child (`child`). */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t inside, asked;

static int wait_there(struct dl_phdr_info *info, size_t size, void *data) {
    (void)info, (void)size, (void)data;
    sem_post(&inside);
    sem_wait(&asked);
    return 1;
}

static void *hold(void *nothing) {
    dl_iterate_phdr(wait_there, nothing);
    return NULL;
}

static void ask(void) {
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    printf("answer: %s\n", value ? value : "(null)");
    fflush(stdout);
}

int main(int count, char **arguments) {
    pthread_t thread;
    int status = 0;
    sem_init(&inside, 0, 0);
    sem_init(&asked, 0, 0);
    pthread_create(&thread, NULL, hold, NULL);
    sem_wait(&inside);
    if (count > 1 && !strcmp(arguments[1], "child")) {
        pid_t child = fork();
        if (!child) {
            ask();
            _exit(0);
        }
        /* Signals wait in an attempt: only this ends one that hangs. */
        for (int i = 0; i < 100 && !waitpid(child, &status, WNOHANG); i++) usleep(100000);
        if (kill(child, SIGKILL) == 0) waitpid(child, &status, 0);
    } else {
        ask();
    }
    sem_post(&asked);
    pthread_join(thread, NULL);
    return status != 0;
}

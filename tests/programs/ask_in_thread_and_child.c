// Asks in its main thread, in another one, and in a child of fork.
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *ask(void *nothing) {
    getenv("IN_THREAD");
    return nothing;
}

int main(void) {
    getenv("IN_MAIN");
    pthread_t thread;
    pthread_create(&thread, NULL, ask, NULL);
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) {
        getenv("IN_CHILD");
        return 0;
    }
    return waitpid(child, NULL, 0) != child;
}

// Asks at the end of some calls: in main, through a library that is loaded late, in a thread, in a child of fork.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

// The value is looked at after each call, so that none is a jump.
APART int innermost(const char *name) { return getenv(name) != NULL; }
APART int middle(const char *name) { return innermost(name) + 1; }
APART int outer(const char *name) { return middle(name) + 1; }

static void *in_thread(void *nothing) {
    if (outer("IN_THREAD") != 2) exit(1);
    return nothing;
}

int main(int count, char **arguments) {
    int sum = outer("IN_MAIN") + middle("IN_MAIN");
    if (count > 1) {
        void *library = dlopen(arguments[1], RTLD_NOW);
        if (!library) return 3;
        sleep(1);
        int (*pass_on)(int (*)(const char *)) = (int (*)(int (*)(const char *)))dlsym(library, "pass_on");
        sum += pass_on(outer);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) _exit(outer("IN_CHILD") != 2);
    int status;
    waitpid(child, &status, 0);
    return sum < 3 || status;
}

/* Forks while other threads ask. Threads of the children get the stacks, and so the pointers, of
   those threads, and ask for values that were never asked for. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASKERS 4
#define FORKS 50

static char entry[64] = "JAVA_TOOL_OPTIONS=";
static char *const value = entry + sizeof "JAVA_TOOL_OPTIONS=" - 1;
static const char *watched;
static atomic_int over, lost;
static pthread_barrier_t together;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *ask(void *unused) {
    while (!atomic_load(&over)) getenv("HOME");
    return unused;
}

static void *ask_anew(void *number) {
    pthread_barrier_wait(&together);
    pthread_mutex_lock(&turn);
    sprintf(value, "-Dnumber=%d", *(int *)number);
    const char *answer = getenv("JAVA_TOOL_OPTIONS");
    int added = answer && strstr(answer, value) && strlen(answer) > strlen(value);
    if (added != (watched != NULL)) atomic_fetch_add(&lost, 1);
    pthread_mutex_unlock(&turn);
    return NULL;
}

static int child(void) {
    static int numbers[ASKERS];
    pthread_t threads[ASKERS];
    pthread_barrier_init(&together, NULL, ASKERS);
    for (int i = 0; i < ASKERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, ask_anew, &numbers[i]);
    }
    for (int i = 0; i < ASKERS; i++) pthread_join(threads[i], NULL);
    return atomic_load(&lost);
}

int main(void) {
    pthread_t threads[ASKERS];
    int failed = 0;
    watched = getenv("JAVA_TOOL_OPTIONS");
    putenv(entry);
    for (int i = 0; i < ASKERS; i++) pthread_create(&threads[i], NULL, ask, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t process = fork();
        if (process == 0) _exit(child());
        int status;
        if (waitpid(process, &status, 0) != process || status) failed++;
    }
    atomic_store(&over, 1);
    for (int i = 0; i < ASKERS; i++) pthread_join(threads[i], NULL);
    printf("failed: %d\n", failed);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

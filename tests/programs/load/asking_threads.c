/* asking_threads THREADS CALLS: each thread asks CALLS times, every 64th time for the watched name,
   while one more sets and unsets. Prints
   `WRONG-ANSWERS SECONDS MEMORY-BEFORE MEMORY-AFTER DESCRIPTORS-BEFORE DESCRIPTORS-AFTER`, memory in
   kilobytes, as resident after the first hundredth of the calls and after the last. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME "JAVA_TOOL_OPTIONS"

static long calls;
static const char *wanted;
static size_t length;
static atomic_long wrong;
static atomic_int stop;
static pthread_barrier_t together;

static void ask(long count) {
    for (long i = 0; i < count; i += 64) {
        const char *watched = getenv(NAME);
        if (!watched || strncmp(watched, wanted, length)) atomic_fetch_add(&wrong, 1);
        for (int k = 0; k < 32; k++) {
            const char *home = getenv("HOME");
            if (!home || home[1] != 'h') atomic_fetch_add(&wrong, 1);
            if (k < 31 && getenv("NOT_THERE")) atomic_fetch_add(&wrong, 1);
        }
    }
}

static void *work(void *unused) {
    ask(calls / 100);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    ask(calls - calls / 100);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    return unused;
}

static void *change(void *unused) {
    for (long i = 0; !atomic_load(&stop); i++) {
        setenv(NAME, i % 2 ? "-Dodd" : "-Deven", 1);
        setenv("BESIDE", i % 2 ? "odd" : "even", 1);
        if (i % 16 == 0) unsetenv(NAME);
        usleep(100);
    }
    return unused;
}

static long resident(void) {
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmRSS: %ld", &kilobytes);
    if (status) fclose(status);
    return kilobytes;
}

static int descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int threads = atoi(arguments[1]);
    calls = atol(arguments[2]);
    wanted = getenv("WANTED");
    if (!wanted || threads < 1) return 2;
    length = strlen(wanted);
    /* Once more than will ever be set, so that setenv does not move the array, which would race in
       libc as well. */
    setenv(NAME, "-Dzero", 1);
    setenv("BESIDE", "even", 1);
    pthread_barrier_init(&together, NULL, threads + 1);
    pthread_t changing, *asking = calloc(threads, sizeof *asking);
    pthread_create(&changing, NULL, change, NULL);
    for (int i = 0; i < threads; i++) pthread_create(&asking[i], NULL, work, NULL);
    pthread_barrier_wait(&together);
    long memory = resident();
    int open = descriptors();
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    clock_gettime(CLOCK_MONOTONIC, &end);
    long memory_after = resident();
    int open_after = descriptors();
    pthread_barrier_wait(&together);
    for (int i = 0; i < threads; i++) pthread_join(asking[i], NULL);
    atomic_store(&stop, 1);
    pthread_join(changing, NULL);
    double seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%ld %.3f %ld %ld %d %d\n", atomic_load(&wrong), seconds, memory, memory_after, open, open_after);
    return atomic_load(&wrong) != 0;
}

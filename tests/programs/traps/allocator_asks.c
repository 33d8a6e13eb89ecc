/* An allocator that asks for a variable under its own lock, in several threads and in children of fork: whatever
   asks it for memory inside of getenv, waits for itself. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Alignas(64) char heap[64 << 20];
static size_t used;

static void *take(size_t alignment, size_t size) {
    pthread_mutex_lock(&lock);
    getenv("HOME");
    size_t start = (used + 16 + alignment - 1) / alignment * alignment;
    if (size > sizeof heap - start) abort();
    used = start + size;
    memcpy(heap + start - 8, &size, sizeof size);
    pthread_mutex_unlock(&lock);
    return heap + start;
}

void *malloc(size_t size) { return take(16, size); }
void *memalign(size_t alignment, size_t size) { return take(alignment < 16 ? 16 : alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **to, size_t alignment, size_t size) { return *to = memalign(alignment, size), 0; }
void *calloc(size_t count, size_t size) { return memset(take(16, count * size), 0, count * size); }
void free(void *block) { (void)block; }
void *realloc(void *block, size_t size) {
    size_t before = 0;
    if (block) memcpy(&before, (char *)block - 8, sizeof before);
    void *after = take(16, size);
    return block ? memcpy(after, block, before < size ? before : size) : after;
}

static void *allocate(void *unused) {
    for (int i = 0; i < 100; i++) {
        char *volatile block = malloc(10);
        getenv("NOT_THERE");
        free(block);
    }
    return unused;
}

int main(void) {
    /* What waits for itself shall end. */
    alarm(60);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, allocate, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    int status = 1;
    pid_t process = fork();
    if (process == 0) _exit(allocate(NULL) != NULL);
    waitpid(process, &status, 0);
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("allocated: %d\n", status == 0);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}

// Stops its tracer, which is its parent, asks until the trace has no room, and forks. The child asks for LATE at once,
// and again when the tracer goes on.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t tracer = getppid();
    kill(tracer, SIGSTOP);
    for (int call = 0; call < 100000; call++) getenv("EARLY");
    pid_t child = fork();
    if (child == 0) {
        getenv("LATE");
        kill(tracer, SIGCONT);
        usleep(500000);
        for (int call = 0; call < 5; call++) getenv("LATE");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return 0;
}

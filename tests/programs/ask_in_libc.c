/* libc asks for TZ itself; the hook must not be in its way. */
#include <stdio.h>
#include <time.h>

int main(void) {
    time_t noon = 12 * 3600;
    printf("%d\n", localtime(&noon)->tm_hour);
    return 0;
}

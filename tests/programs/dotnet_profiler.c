// A stand-in for a profiler's library: says that the CLR has asked for the profiler, and has none.
#include <unistd.h>

int DllGetClassObject(const void *identity, const void *interface, void **object) {
    static const char text[] = "the profiler is asked for\n";
    (void)identity;
    (void)interface;
    *object = 0;
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0) {
        return -1;
    }
    return (int)0x80040111; // CLASS_E_CLASSNOTAVAILABLE
}

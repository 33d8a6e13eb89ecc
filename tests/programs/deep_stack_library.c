// Calls back.
int pass_on(int (*ask)(const char *)) {
    return ask("THROUGH_LIBRARY") + 1;
}

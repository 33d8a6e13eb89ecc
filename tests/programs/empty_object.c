/* The preload object that does nothing: what no preload object can be cheaper than. */
static int nothing;
int *opentelemetry_injector_empty_object(void) { return &nothing; }

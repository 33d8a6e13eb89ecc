// Passes for another vendor's extension: it has the name, and nothing else.
#include <php.h>

zend_module_entry ddtrace_module_entry = {
    STANDARD_MODULE_HEADER, "ddtrace", NULL, NULL, NULL, NULL, NULL, NULL, "1", STANDARD_MODULE_PROPERTIES,
};

ZEND_GET_MODULE(ddtrace)

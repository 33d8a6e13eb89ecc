/* Needs no libc and exports nothing: linked to have a hash table with nothing but empty buckets. */
__attribute__((visibility("hidden"))) int nothing;

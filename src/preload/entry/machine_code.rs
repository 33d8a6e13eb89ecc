//! What both architectures provide in machine code (`x86_64.rs`, `aarch64.rs`).

use core::ffi::c_void;

unsafe extern "C" {
    /// The hook's entry, with `getenv`'s signature.
    #[link_name = "opentelemetry_injector_entry"]
    pub fn entry();

    /// The same for `secure_getenv`; a trace tells the two apart.
    #[link_name = "opentelemetry_injector_secure_entry"]
    pub fn secure_entry();

    /// Calls `work(data)` and returns 0; returns 1 where `way_out` was taken instead. `saved` gets
    /// what `way_out` wants. `stack` is where the stack for `work` ends, a multiple of 16; 0 for the
    /// caller's own.
    #[link_name = "opentelemetry_injector_call"]
    pub fn call_with_way_out(
        work: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
        saved: *mut usize,
        stack: usize,
    ) -> usize;

    /// Leaves everything that `call_with_way_out` called, from below it.
    #[link_name = "opentelemetry_injector_way_out"]
    pub fn way_out(saved: usize) -> !;
}

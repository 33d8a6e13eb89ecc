//! What both architectures provide in machine code (`x86_64.rs`, `aarch64.rs`).

use alloc::vec::Vec;
use core::ffi::c_void;
use core::slice;

unsafe extern "C" {
    /// The hook's entry, with `getenv`'s signature.
    #[link_name = "opentelemetry_injector_entry"]
    pub fn entry();

    /// The same for `secure_getenv`; a trace tells the two apart.
    #[link_name = "opentelemetry_injector_secure_entry"]
    pub fn secure_entry();

    /// The part of [`entry`] that takes names from a [`NearFilter`].
    #[link_name = "opentelemetry_injector_detour"]
    fn detour();

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

    #[link_name = "opentelemetry_injector_near_filter"]
    static NEAR_FILTER: u8;
    #[link_name = "opentelemetry_injector_near_filter_code"]
    static NEAR_FILTER_CODE: u8;
    #[link_name = "opentelemetry_injector_near_filter_end"]
    static NEAR_FILTER_END: u8;
}

/// A filter that lies right before the code of a function like `getenv`. Names that begin like no watched one
/// ([`filter`](super::filter)) run on into that code: nothing is saved, and most of them jump nowhere. All others go
/// to the entry.
pub struct NearFilter {
    /// Its bytes, which may lie anywhere: three words (the slots, and where the beginnings and the entry are) and code.
    pub bytes: Vec<u8>,
    /// Where its code begins among them.
    pub code: usize,
}

impl NearFilter {
    /// `slots` has a bit for each slot that has something watched; `beginnings` is where what that begins with is, eight
    /// bytes for each slot.
    pub fn new(slots: u64, beginnings: usize) -> Self {
        let start = &raw const NEAR_FILTER;
        let offset = |label: *const u8| label as usize - start as usize;
        let end = offset(&raw const NEAR_FILTER_END);
        // SAFETY: the labels are the beginning and the end of one piece of read-only data, which the object has for good.
        let template = unsafe { slice::from_raw_parts(start, end) };
        let words = [slots, beginnings as u64, detour as *const () as u64];
        let mut bytes = words.map(u64::to_ne_bytes).concat();
        bytes.extend_from_slice(template.get(bytes.len()..).unwrap_or_default());
        Self {
            bytes,
            code: offset(&raw const NEAR_FILTER_CODE),
        }
    }
}

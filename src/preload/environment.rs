//! The process's environment as libc holds it. Read only: `environ` is never written.

use core::ffi::{CStr, c_char};
use core::ptr;

unsafe extern "C" {
    /// libc's own pointer (environ(7)); by this name, so that a copy relocation of `environ` in
    /// the executable and libc's own uses mean the same one.
    static mut __environ: *const *const c_char;
}

/// What libc's own `getenv` answers: the value of the first `name=value`, or null.
///
/// A name of one character and an empty one take no path of their own: the first bytes of an
/// entry and of the name are compared as libc does.
///
/// # Safety
/// As for getenv(3): `name` is a C string (or, as in libc, whatever crashes), and nothing frees
/// the environment meanwhile.
#[inline(always)]
pub unsafe fn scan(name: *const c_char) -> *const c_char {
    // SAFETY: reading one word that libc only ever replaces as a whole.
    let mut entry = unsafe { ptr::read_volatile(&raw const __environ) };
    if entry.is_null() {
        return ptr::null();
    }
    let name = name.cast::<u8>();
    // SAFETY: `name` is a C string.
    let first = unsafe { *name };
    if first == 0 {
        return ptr::null();
    }
    // SAFETY: the string has a first character, hence a second byte.
    let second = match unsafe { *name.add(1) } {
        0 => b'=',
        byte => byte,
    };
    let start = u16::from_ne_bytes([first, second]);
    // SAFETY: entries are C strings, and the array ends with null.
    unsafe {
        loop {
            let text = ptr::read_volatile(entry).cast::<u8>();
            if text.is_null() {
                return ptr::null();
            }
            // Like libc: even an empty entry has a byte behind it that may be read.
            if text.cast::<u16>().read_unaligned() == start
                && let Some(value) = after_name(text, name)
            {
                return value.cast();
            }
            entry = entry.add(1);
        }
    }
}

/// The value in `text` where its name is `name`; the first byte is known to be the same.
///
/// # Safety
/// Both are C strings.
#[inline(always)]
unsafe fn after_name(text: *const u8, name: *const u8) -> Option<*const u8> {
    let mut index = 1;
    loop {
        // SAFETY: both strings were equal and without an end up to here.
        let (ours, theirs) = unsafe { (*name.add(index), *text.add(index)) };
        if ours == 0 {
            // SAFETY: `theirs` is no end, so one more byte belongs to the string.
            return (theirs == b'=').then(|| unsafe { text.add(index + 1) });
        }
        if ours != theirs {
            return None;
        }
        index += 1;
    }
}

/// The value of a variable, as long as nobody changes it.
pub fn value(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a C string; the same race with setenv(3) as in libc.
    let value = unsafe { scan(name.as_ptr()) };
    // SAFETY: not null, so it is the rest of a C string of the environment.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

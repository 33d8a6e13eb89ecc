//! The process's environment as libc holds it.
//!
//! Two functions write to it, both for runtimes that read only a copy of `environ`: [`add`] when the agent
//! is injected into such a process, and [`restore`] in its children.

use crate::attempt::permanent;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use opentelemetry_injector_policy::settings::ByName;
use opentelemetry_injector_policy::settings::added::{Added, MARKER, Restore, split};

unsafe extern "C" {
    /// libc's own pointer (environ(7)); by this name, so that a copy relocation of `environ` in
    /// the executable and libc's own uses mean the same one.
    static mut __environ: *const *const c_char;
}

/// Whether a name that holds `=` is never found: musl's `getenv` looks at it no further, glibc's
/// finds `c` for `A=B` in the entry `A=B=c`.
pub static IS_EQUALS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether libc's own `getenv` looks again where it may have missed an entry that another thread's
/// unsetenv(3) was moving: glibc since 2.41.
pub static LOOKS_AGAIN: AtomicBool = AtomicBool::new(false);

/// The array as it was when the hooks were put in place, its last entry's slot and what was there.
/// While they are the same, nothing has been moved.
pub static FIRST_ARRAY: AtomicPtr<*const c_char> = AtomicPtr::new(ptr::null_mut());
pub static LAST_SLOT: AtomicPtr<*const c_char> = AtomicPtr::new(ptr::null_mut());
pub static LAST_ENTRY: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// glibc's `__libc_single_threaded`; null before [`look_again_where`].
static SINGLE_THREADED: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// How often [`look_again`] looks while others keep changing the environment.
const LOOKS: usize = 10_000;

/// The array, and its first entry where it has one.
pub fn array() -> (*const *const c_char, Option<*const c_char>) {
    // SAFETY: reading one word that libc only ever replaces as a whole.
    let array = unsafe { ptr::read_volatile(&raw const __environ) };
    (array, entries().next())
}

/// From now on names that are not found are looked for again, as glibc does, where entries may have
/// been moved and `single_threaded` is 0. An environment without entries stays as it is.
pub fn look_again_where(single_threaded: *const c_char) {
    // SAFETY: reading one word that libc only ever replaces as a whole.
    let array = unsafe { ptr::read_volatile(&raw const __environ) }.cast_mut();
    let Some((last, (entry, _))) = current().enumerate().last() else {
        return;
    };
    FIRST_ARRAY.store(array, Ordering::Relaxed);
    LAST_SLOT.store(array.wrapping_add(last), Ordering::Relaxed);
    LAST_ENTRY.store(entry.cast_mut(), Ordering::Relaxed);
    SINGLE_THREADED.store(single_threaded.cast_mut(), Ordering::Relaxed);
    LOOKS_AGAIN.store(true, Ordering::Release);
}

/// What libc's own `getenv` answers, in threads that change the environment too.
///
/// # Safety
/// As for [`scan`].
pub unsafe fn get(name: *const c_char) -> *const c_char {
    // SAFETY: the caller's promise.
    let value = unsafe { scan(name) };
    if value.is_null() && !name.is_null() && LOOKS_AGAIN.load(Ordering::Relaxed) {
        // SAFETY: the caller's promise.
        return unsafe { look_again(name) };
    }
    value
}

/// Looks for a name that was not found, until it is found or two looks in a row have seen the same
/// entries in the same places: nothing was moved from behind the reader to before it.
///
/// # Safety
/// As for [`scan`].
pub unsafe extern "C" fn look_again(name: *const c_char) -> *const c_char {
    let single = SINGLE_THREADED.load(Ordering::Relaxed);
    // SAFETY: null or a `char` of libc's.
    if single.is_null() || unsafe { single.read_volatile() } != 0 {
        return ptr::null();
    }
    let mut before = order_checksum();
    for _ in 0..LOOKS {
        // SAFETY: the caller's promise.
        let value = unsafe { scan(name) };
        let after = order_checksum();
        if !value.is_null() || before == after {
            return value;
        }
        before = after;
    }
    ptr::null()
}

/// A checksum over the entries' pointers in their order: it changes if entries are moved.
fn order_checksum() -> usize {
    let add = |sum: usize, entry: usize| sum.wrapping_mul(31).wrapping_add(entry);
    entries().map(|entry| entry as usize).fold(0, add)
}

/// What libc's own `getenv` answers: the value of the first `name=value`, or null. The hook's entry
/// does the same in machine code.
///
/// Nothing behind an entry's end is read: an empty one may be the last byte before memory that may
/// not be read.
///
/// # Safety
/// As for getenv(3): `name` is a C string (or, as in libc, whatever crashes), and nothing frees
/// the environment meanwhile.
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
    loop {
        // SAFETY: the array ends with null, which has not come yet.
        let text = unsafe { ptr::read_volatile(entry) }.cast::<u8>();
        if text.is_null() {
            return ptr::null();
        }
        // SAFETY: entries are C strings.
        if unsafe { *text } == first {
            // SAFETY: two C strings with the same first character.
            let value = unsafe { after_name(text, name) };
            if !value.is_null() {
                return value.cast();
            }
        }
        // SAFETY: this entry was not the end.
        entry = unsafe { entry.add(1) };
    }
}

/// The value in `text` where its name is `name`, else null; their first characters are the same.
///
/// # Safety
/// Both are C strings.
unsafe fn after_name(text: *const u8, name: *const u8) -> *const u8 {
    let is_equals_refused = IS_EQUALS_REFUSED.load(Ordering::Relaxed);
    let mut index = 0;
    loop {
        // SAFETY: both strings were equal and without an end up to here.
        let (ours, theirs) = unsafe { (*name.add(index), *text.add(index)) };
        index += 1;
        if ours == 0 && theirs == b'=' {
            // SAFETY: `=` is not the end, so one more byte belongs to the string.
            return unsafe { text.add(index) };
        }
        if ours == 0 || ours != theirs || ours == b'=' && is_equals_refused {
            return ptr::null();
        }
    }
}

/// The value of a variable, as long as nobody changes it.
pub fn value(name: &[u8]) -> Option<&'static CStr> {
    let first = name.first()?;
    // The cheapest look first: a start asks for many names.
    // SAFETY: entries are C strings; the same race with setenv(3) as in libc.
    let mut alike = entries().filter(|entry| unsafe { *entry.cast::<u8>() } == *first);
    // SAFETY: as above.
    alike.find_map(|entry| unsafe { after_bytes(entry, name) })
}

/// The rest of `text` behind `name` and `=`.
///
/// # Safety
/// `text` is a C string that lives on.
unsafe fn after_bytes(text: *const c_char, name: &[u8]) -> Option<&'static CStr> {
    for (index, byte) in name.iter().chain(b"=").enumerate() {
        // SAFETY: the string was the same, without an end, up to here.
        if unsafe { *text.cast::<u8>().add(index) } != *byte {
            return None;
        }
    }
    // SAFETY: the string goes on behind `=`.
    Some(unsafe { CStr::from_ptr(text.add(name.len() + 1)) })
}

/// Every variable with its value, the first of each name: for who asks for many.
pub fn by_name() -> ByName<'static> {
    let mut variables = ByName::new();
    for (name, value) in current().filter_map(|(_, text)| split(text.to_bytes())) {
        if !variables.contains_key(name) {
            variables.insert(name, value);
        }
    }
    variables
}

/// Gives the environment further entries, which take the place of those with the same names. None
/// of them is there where memory is short.
///
/// The new array takes the old one's place as a whole, so that whoever is reading goes on with the
/// old one.
pub fn add(entries: &[Vec<u8>]) -> Option<()> {
    let mut names = ByName::new();
    for (name, value) in entries.iter().filter_map(|entry| split(entry)) {
        names.insert(name, value);
    }
    let is_replaced = |old: &CStr| {
        let old = split(old.to_bytes());
        old.is_some_and(|(name, _)| names.contains_key(name))
    };
    let kept = current().filter(|(_, text)| !is_replaced(text));
    let mut all: Vec<_> = kept.map(|(entry, _)| entry).collect();
    for entry in entries {
        all.push(permanent::c_string(entry)?);
    }
    // The block is zeroed: it ends with null.
    let array = permanent::allocate((all.len() + 1) * size_of::<*const c_char>())?.cast();
    // SAFETY: the block is long enough, aligned, and known to nobody else yet.
    unsafe { ptr::copy_nonoverlapping(all.as_ptr(), array, all.len()) };
    // SAFETY: one word, which readers take as a whole; the same race with setenv(3) as in libc.
    unsafe { ptr::write_volatile(&raw mut __environ, array) };
    Some(())
}

/// Removes the entries that were added to the parent's environment and that this process has inherited. Only in
/// the constructor, before there is another thread.
///
/// The array stays the same one: musl hands the kernel's to `main`. Every place that becomes free
/// is null: Go takes what follows the first null for the auxiliary vector (runtime/os_linux.go,
/// `sysargs`), and turns to `/proc/self/auxv` where that vector is empty.
pub fn restore(marker: &CStr) {
    // It takes memory before anything is written.
    let added = Added::of(marker.to_bytes());
    // SAFETY: reading one word.
    let mut next = unsafe { ptr::read_volatile(&raw const __environ) }.cast_mut();
    let mut free = 0;
    for (entry, text) in current() {
        let kept = match added.restore(text.to_bytes()) {
            Restore::Remove => {
                free += 1;
                continue;
            }
            Restore::Keep => entry,
            Restore::Shorten(part) => permanent::c_string(part).unwrap_or(entry),
        };
        // SAFETY: the array exists and is writable: it is the one from the kernel's stack or of the program, and it
        // has the marker. `next` never passes the entry that was read last, so it stays inside the array.
        next = unsafe {
            next.write(kept);
            next.add(1)
        };
    }
    for place in 0..free {
        // SAFETY: these places had entries.
        unsafe { next.add(place).write(ptr::null()) };
    }
}

/// The entries one after the other with their texts.
pub fn current() -> impl Iterator<Item = (*const c_char, &'static CStr)> {
    // SAFETY: entries are C strings.
    entries().map(|entry| (entry, unsafe { CStr::from_ptr(entry) }))
}

/// The entries one after the other, as they are found when it is their turn.
pub fn entries() -> impl Iterator<Item = *const c_char> {
    // SAFETY: reading one word that libc only ever replaces as a whole.
    let mut next = unsafe { ptr::read_volatile(&raw const __environ) };
    core::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the array ends with null, which has not come yet.
        let entry = unsafe { ptr::read_volatile(next) };
        if entry.is_null() {
            return None;
        }
        // SAFETY: this entry was not the end.
        next = unsafe { next.add(1) };
        Some(entry)
    })
}

/// What a parent's marker says, where there is one.
pub fn marker() -> Option<&'static CStr> {
    value(MARKER.to_bytes())
}

//! The auxiliary vector (getauxval(3)): what the kernel tells every program about itself.
//!
//! A program may define getauxval, so the vector is read where the kernel put it: on the initial stack,
//! behind the environment. glibc passes that address to constructors. musl does not, but there the
//! environment is still the kernel's. Otherwise the kernel is asked: in an object that is loaded later, or
//! under musl after a constructor has replaced the environment.

use crate::sys::{environment, kernel};
use core::ffi::{CStr, c_char};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The most pairs that are read; kernels give about 25.
const PAIRS: usize = 64;

/// The most words of a command line that are passed over to its first one.
const WORDS: usize = 1024;

/// Numbers of pairs are below it, pointers above.
const LARGEST_TYPE: usize = 1024;

/// The longest distance of an initial environment's array from its texts: a fourth of the stack's limit,
/// and no more than 6 MiB (execve(2)).
const REACH: usize = 8 << 20;

/// The smallest page of any architecture here, in bytes.
pub const SMALLEST_PAGE: usize = 4096;

/// The length of a page in bytes; 0 before it is read.
static PAGE: AtomicUsize = AtomicUsize::new(0);
static HEADERS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// The effective user (AT_EUID).
static USER: AtomicUsize = AtomicUsize::new(0);
static EXECUTED: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static FIRST_ARGUMENT: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// What the constructor needs of the vector; 0 for what is missing.
#[derive(Clone, Copy, Default)]
pub struct Auxiliary {
    /// Whether this program has rights that its starter lacks (AT_SECURE).
    pub is_secure: bool,
    /// Where the loader is (AT_BASE).
    pub loader: usize,
    /// The processor's newer features (AT_HWCAP2).
    pub features: usize,
    /// Where the kernel has mapped code of its own (AT_SYSINFO_EHDR, vdso(7)).
    pub kernels_object: usize,
}

type Pair = [usize; 2];

/// Reads the vector; in the constructor, with the three arguments that its caller may have passed:
/// glibc's loader passes those of `main`, musl's passes none. `None` where the vector is not found.
pub fn read(arguments: [usize; 3]) -> Option<Auxiliary> {
    let on_stack = initial_environment(arguments).and_then(|environment| {
        // SAFETY: the initial environment.
        let first = unsafe { first_word(environment) };
        FIRST_ARGUMENT.store(first.cast_mut(), Ordering::Relaxed);
        // SAFETY: the initial environment, behind which the vector lies.
        let mut pair = unsafe { behind(environment) };
        interpret(|| {
            // SAFETY: the pair of zeroes that ends the vector has not come yet.
            let read = unsafe { pair.read() };
            pair = pair.wrapping_add(1);
            read
        })
    });
    on_stack.or_else(|| {
        let mut pairs = [[0; 2]; PAIRS + 1];
        let file = kernel::open(c"/proc/self/auxv", libc::O_RDONLY, 0).ok()?;
        // SAFETY: numbers, any bytes are valid; one pair less, so that zeroes end them.
        let (_, bytes, _) = unsafe { pairs[..PAIRS].align_to_mut::<u8>() };
        kernel::read(&file, bytes).ok()?;
        let mut pairs = pairs.into_iter();
        interpret(|| pairs.next().unwrap_or_default())
    })
}

/// Where the array of the environment lies that the kernel has made.
fn initial_environment([count, arguments, environment]: [usize; 3]) -> Option<*const usize> {
    let here = (&raw const count) as usize;
    let is_above = |address: usize| address > here && address.is_multiple_of(size_of::<usize>());
    // An `int` is passed, whose upper half may be anything.
    let length = (count as u32 as usize + 1) * size_of::<usize>();
    if is_above(arguments) && arguments.checked_add(length) == Some(environment) {
        return Some(environment as *const usize);
    }
    let (array, first) = environment::array();
    let is_near = first.is_none_or(|first| {
        let distance = (first as usize).checked_sub(array as usize);
        distance.is_some_and(|distance| distance < REACH)
    });
    (is_above(array as usize) && is_near).then_some(array.cast())
}

/// The first pair behind an environment. Entries may have been taken out: then more than one word behind
/// the end is null or a pointer that was left.
///
/// # Safety
/// It is the initial environment.
unsafe fn behind(mut word: *const usize) -> *const Pair {
    let mut has_ended = false;
    loop {
        // SAFETY: the vector has not come yet.
        match unsafe { word.read() } {
            0 => has_ended = true,
            value if has_ended && value < LARGEST_TYPE => return word.cast(),
            _ => {}
        }
        word = word.wrapping_add(1);
    }
}

/// The first word of the command line: in front of the environment are a null, the words, and their
/// number. Null where there are none, or more than [`WORDS`].
///
/// # Safety
/// It is the initial environment.
unsafe fn first_word(environment: *const usize) -> *const c_char {
    // SAFETY: no further than to the number, or by far less than what the loader has used of the stack.
    let before = |distance: usize| unsafe { environment.wrapping_sub(distance).read() };
    // A word is an address, and no number is as large.
    match (0..WORDS).find(|count| before(count + 2) == *count) {
        Some(count @ 1..) => before(count + 1) as *const c_char,
        _ => ptr::null(),
    }
}

/// What pairs say up to one of type 0; `None` where that is no auxiliary vector.
fn interpret(mut next: impl FnMut() -> Pair) -> Option<Auxiliary> {
    let mut found = Auxiliary::default();
    let (mut page, mut executed, mut secure) = (0, 0, None);
    // Real and effective user, real and effective group.
    let mut ids = [0; 4];
    let mut headers = [0; 2];
    for _ in 0..PAIRS {
        let [kind, value] = next();
        match kind as libc::c_ulong {
            libc::AT_NULL => break,
            libc::AT_PAGESZ => page = value,
            libc::AT_EXECFN => executed = value,
            libc::AT_SECURE => secure = Some(value != 0),
            libc::AT_PHDR => headers[0] = value,
            libc::AT_PHNUM => headers[1] = value,
            libc::AT_BASE => found.loader = value,
            libc::AT_HWCAP2 => found.features = value,
            libc::AT_SYSINFO_EHDR => found.kernels_object = value,
            libc::AT_UID => ids[0] = value,
            libc::AT_EUID => ids[1] = value,
            libc::AT_GID => ids[2] = value,
            libc::AT_EGID => ids[3] = value,
            kind if kind >= LARGEST_TYPE as libc::c_ulong => return None,
            _ => {}
        }
    }
    if !page.is_power_of_two() || headers[0] == 0 {
        return None;
    }
    // As glibc's loader does where the kernel does not say.
    found.is_secure = secure.unwrap_or(ids[0] != ids[1] || ids[2] != ids[3]);
    for (place, value) in HEADERS.iter().zip(headers) {
        place.store(value, Ordering::Relaxed);
    }
    PAGE.store(page, Ordering::Relaxed);
    USER.store(ids[1], Ordering::Relaxed);
    EXECUTED.store(executed as *mut c_char, Ordering::Relaxed);
    Some(found)
}

/// The length of a page in bytes (AT_PAGESZ).
pub fn page() -> usize {
    PAGE.load(Ordering::Relaxed).max(SMALLEST_PAGE)
}

/// Where the executable's program headers are (AT_PHDR), and how many (AT_PHNUM).
pub fn program_headers() -> Option<(usize, usize)> {
    let [address, count] = HEADERS
        .each_ref()
        .map(|place| place.load(Ordering::Relaxed));
    (address != 0).then_some((address, count))
}

/// The effective user at the start (AT_EUID).
pub fn started_by() -> usize {
    USER.load(Ordering::Relaxed)
}

/// The path that the program was started by (AT_EXECFN); empty where the kernel has told none.
pub fn started_as() -> &'static [u8] {
    text(&EXECUTED)
}

/// The first word of the command line; empty where it was not found, and once the constructor has ended:
/// the program may write over it.
pub fn first_argument() -> &'static [u8] {
    text(&FIRST_ARGUMENT)
}

/// The constructor ends.
pub fn forget_first_argument() {
    FIRST_ARGUMENT.store(ptr::null_mut(), Ordering::Relaxed);
}

fn text(place: &AtomicPtr<c_char>) -> &'static [u8] {
    let text = place.load(Ordering::Relaxed);
    if text.is_null() {
        b""
    } else {
        // SAFETY: the kernel put a C string there, which lives as long as the process.
        unsafe { CStr::from_ptr(text) }.to_bytes()
    }
}

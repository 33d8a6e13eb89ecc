//! The built-in engine: a jump over a function's first bytes. The Gum engine writes its jump in the same way.

use crate::constructor::at_start::AtStart;
use crate::entry::machine::{self, PATCH_LENGTH};
use crate::entry::machine_code;
use crate::hook::elf::{Function, Image};
use crate::hook::loaded_objects::{self, Libc};
use crate::session;
use crate::sys::{environment, kernel};
use alloc::vec::Vec;
use core::ffi::c_char;
use core::slice;
use core::sync::atomic::Ordering;
use opentelemetry_injector_policy::reason::EngineProblem;

/// A function of libc's, and the entry that is to answer in its place.
pub struct Target {
    name: &'static str,
    /// The function, which can be read.
    pub function: Function,
    /// The address of the entry.
    pub entry: usize,
}

impl Target {
    fn code(&self) -> &'static [u8] {
        let Function { address, size } = self.function;
        // SAFETY: `Image::function` has checked that the whole function lies in an executable segment of libc, and
        // `Hooks::find` that it may be read (`is_readable`). Libc is never unloaded, and nobody writes it meanwhile.
        unsafe { slice::from_raw_parts(address as *const u8, size) }
    }

    /// How many bytes at its start stay in place.
    pub fn landing_pad(&self) -> usize {
        machine::landing_pad(self.code())
    }

    fn behind_landing_pad(&self) -> &'static [u8] {
        self.code().get(self.landing_pad()..).unwrap_or_default()
    }

    /// Where a patch begins.
    fn start(&self) -> usize {
        self.function.address + self.landing_pad()
    }

    /// The bytes that a patch replaces.
    fn before(&self) -> Result<&'static [u8; PATCH_LENGTH], EngineProblem> {
        let before = self.behind_landing_pad().first_chunk();
        before.ok_or(EngineProblem::TooShort)
    }

    /// Whether the function begins with a jump, another hook's or another copy's of this object.
    pub fn is_patched(&self) -> bool {
        machine::is_patched(self.behind_landing_pad())
    }

    /// Whether the bytes that a patch replaces are all libc's own.
    ///
    /// # Errors
    /// Another hook is there, or a breakpoint: whoever has set it puts one byte of the function's back one day.
    pub fn check(&self, libc: &Libc) -> Result<(), EngineProblem> {
        let before = self.before()?;
        // The same byte may be a part of another instruction. Then libc's file has it, too.
        let has_breakpoint =
            || machine::may_have_breakpoint(before) && !libc.has_in_file(self.start(), before);
        if self.is_patched() || has_breakpoint() {
            return Err(EngineProblem::AlreadyPatched);
        }
        Ok(())
    }

    /// The patch by which the function jumps to its entry, wherever that is.
    fn patch(&self, libc: &Libc) -> Result<Patch, EngineProblem> {
        self.check(libc)?;
        let before = self.before()?;
        Ok(self.patch_to(before, machine::patch(self.entry, before)))
    }

    /// The patch by which the function jumps to a place near it.
    ///
    /// # Errors
    /// The function is too short, or the place is not near.
    pub fn near_patch(&self, place: usize) -> Result<Patch, EngineProblem> {
        let before = self.before()?;
        let after = machine::near_patch(self.start(), place, before);
        Ok(self.patch_to(before, after.ok_or(EngineProblem::GumFailed)?))
    }

    fn patch_to(&self, before: &[u8; PATCH_LENGTH], after: [u8; PATCH_LENGTH]) -> Patch {
        Patch {
            name: self.name,
            start: self.start(),
            before: *before,
            after,
        }
    }
}

/// One function's first bytes, as they are to become.
pub struct Patch {
    name: &'static str,
    start: usize,
    before: [u8; PATCH_LENGTH],
    after: [u8; PATCH_LENGTH],
}

/// Puts patches into their places, all of them or none, for the rest of the process's life.
///
/// There are two ways, and the second one is tried if the first one fails:
///
/// - mprotect: pages become writable and stay executable, so that no refusal can leave unusable code behind.
///   This makes only system calls that every start makes, so no filter kills the process (seccomp(2)).
/// - `/proc/self/mem`: this changes no protection, and works where memory may not be both writable and
///   executable (PR_SET_MDWE, SELinux).
///
/// The order is reversed in two cases: with SELinux, which logs each refused mprotect, and on arm64 with landing
/// pads (BTI), because mprotect would switch the check of landing pads off in these pages.
///
/// # Safety
/// Each destination behaves as its function does, and no thread is inside the first bytes of one.
unsafe fn write(start: &AtStart, patches: &[Patch]) -> Result<(), EngineProblem> {
    // SAFETY: the caller's promise.
    let with_protection = || unsafe { write_with_protection(patches) };
    #[expect(
        clippy::if_same_then_else,
        reason = "the order of the two ways differs"
    )]
    let written = if has_selinux() || machine::loses_landing_pads_by_mprotect(start) {
        write_through_proc(patches) || with_protection()
    } else {
        with_protection() || write_through_proc(patches)
    };
    if !written {
        return Err(EngineProblem::MemoryRefused);
    }
    for patch in patches {
        // SAFETY: the patched bytes are mapped: `Target::patch` and `Target::near_patch` have read as many there.
        unsafe { machine::synchronize_code(patch.start, PATCH_LENGTH) };
    }
    Ok(())
}

/// Whether SELinux is on: then the kernel makes this directory. Containers do not show it, and
/// their processes may have such memory.
fn has_selinux() -> bool {
    // O_PATH needs no right to what it names.
    kernel::open(c"/sys/fs/selinux", libc::O_PATH, 0).is_ok()
}

/// # Safety
/// As for [`write`].
unsafe fn write_with_protection(patches: &[Patch]) -> bool {
    let code = libc::PROT_READ | libc::PROT_EXEC;
    // One range for all: they are functions of one object.
    let starts = || patches.iter().map(|patch| patch.start);
    let (Some(first), Some(last)) = (starts().min(), starts().max()) else {
        return false;
    };
    let length = last + PATCH_LENGTH - first;
    // SAFETY: the range lies in libc's code segment, whose pages were readable and executable and stay so. To be
    // writable for a moment harms nothing: no other thread is running.
    let opened = unsafe { kernel::protect(first, length, code | libc::PROT_WRITE) };
    if opened.is_ok() {
        for patch in patches {
            // SAFETY: the page is writable now.
            unsafe { machine::store(patch.start, &patch.after) };
        }
    }
    // Even if refused: perhaps only for a part of the range.
    // SAFETY: this is the protection that the pages had before. If it is refused, they stay writable, which
    // changes nothing for code that runs there.
    let _ = unsafe { kernel::protect(first, length, code) };
    opened.is_ok()
}

fn write_through_proc(patches: &[Patch]) -> bool {
    let Ok(memory) = kernel::open(c"/proc/self/mem", libc::O_RDWR, 0) else {
        return false;
    };
    // In a process that an emulator runs (qemu-user), the file may have the emulator's memory.
    let is_ours = |patch: &Patch| {
        let mut there = [0; PATCH_LENGTH];
        kernel::read_at(&memory, &mut there, patch.start) == Ok(PATCH_LENGTH)
            && there == patch.before
    };
    if !patches.iter().all(is_ours) {
        return false;
    }
    let put =
        |patch: &Patch, bytes| kernel::write_at(&memory, bytes, patch.start) == Ok(PATCH_LENGTH);
    if patches.iter().all(|patch| put(patch, &patch.after)) {
        return true;
    }
    // The code is never left half patched.
    for patch in patches {
        put(patch, &patch.before);
    }
    false
}

/// Whether a function of libc's can be read, and jumps to where another one begins.
pub fn jumps(libc: &Image<'_>, function: Function, target: usize) -> bool {
    libc.is_readable(function) && {
        // SAFETY: `is_readable` has found the whole function in a readable segment of libc, which is never
        // unloaded.
        let code = unsafe { slice::from_raw_parts(function.address as *const u8, function.size) };
        machine::jumps_to(code, function.address, target)
    }
}

/// Whether other threads exist, which may be inside a function that is to be patched.
fn threads_are_running(libc: &Libc) -> bool {
    // glibc 2.32 and later tell (__libc_single_threaded(3)). An executable that has a copy of the
    // variable comes first in the loader's order, and up to glibc 2.35 that copy alone is set.
    let name = c"__libc_single_threaded";
    if let Some(own) = libc.image.variable::<c_char>(name) {
        let single = loaded_objects::executables_variable(name).unwrap_or(own);
        // SAFETY: a `char` of libc's.
        return unsafe { single.read_volatile() } == 0;
    }
    // A link for each thread, two for the directory itself; without /proc nothing tells.
    let tasks = kernel::open(c"/proc/self/task", libc::O_RDONLY, 0);
    let status = tasks.and_then(|tasks| kernel::status(tasks.number()));
    status.is_ok_and(|status| status.st_nlink > 3)
}

/// glibc's `__libc_single_threaded`, where its `getenv` looks again for what it may have missed: since
/// 2.41, which has brought `sched_getattr` as well.
fn looks_again(libc: &Libc) -> Option<*const c_char> {
    libc.image.function(c"sched_getattr")?;
    libc.image.variable(c"__libc_single_threaded")
}

/// What is to be hooked: libc's `getenv`, and a `secure_getenv` that does not end there.
pub struct Hooks<'a> {
    start: &'a AtStart,
    /// Libc.
    pub libc: &'a Libc,
    /// `getenv`.
    pub getenv: Target,
    /// `secure_getenv`, where it needs a patch of its own.
    pub secure_getenv: Option<Target>,
}

impl<'a> Hooks<'a> {
    /// Finds the functions; nothing is changed.
    ///
    /// # Errors
    /// There are none that can be hooked.
    pub fn find(start: &'a AtStart) -> Result<Self, EngineProblem> {
        let libc = start.libc().ok_or(EngineProblem::NoLibc)?;
        if threads_are_running(libc) {
            return Err(EngineProblem::Threads);
        }
        let getenv = libc.image.function(c"getenv");
        let getenv = getenv.ok_or(EngineProblem::NoFunction)?;
        if !libc.image.is_readable(getenv) {
            return Err(EngineProblem::MemoryRefused);
        }
        let secure_getenv = libc.image.function(c"secure_getenv");
        // glibc's ends in a jump to getenv: one page of libc's less to copy in every process. A trace tells the
        // two apart.
        let asks_getenv = |function: &Function| {
            !session::is_on() && jumps(&libc.image, *function, getenv.address)
        };
        let secure_getenv = secure_getenv.filter(|function| libc.image.is_readable(*function));
        let secure_getenv = secure_getenv.filter(|function| !asks_getenv(function));
        Ok(Self {
            start,
            libc,
            getenv: Target {
                name: "getenv",
                function: getenv,
                entry: machine_code::entry as *const () as usize,
            },
            secure_getenv: secure_getenv.map(|function| Target {
                name: "secure_getenv",
                function,
                entry: machine_code::secure_entry as *const () as usize,
            }),
        })
    }

    /// Puts the patches of `getenv` and of `secure_getenv` in place, and tells their names and addresses. If
    /// `secure_getenv` cannot be patched, that is not an error: it calls `getenv` (glibc and musl), so its callers
    /// get the hook's answers all the same.
    ///
    /// # Errors
    /// Then nothing is patched.
    pub fn put_in_place(
        &self,
        getenv: Patch,
        secure_getenv: Option<Result<Patch, EngineProblem>>,
        mut hooked: impl FnMut(&str, usize),
    ) -> Result<(), EngineProblem> {
        let mut patches = Vec::from([getenv]);
        patches.extend(secure_getenv.and_then(Result::ok));
        // SAFETY: the entry answers as getenv does, and without AT_SECURE as secure_getenv does
        // (secure_getenv(3)); no other thread is running.
        unsafe { write(self.start, &patches) }?;
        for patch in &patches {
            hooked(patch.name, patch.start);
        }
        Ok(())
    }
}

/// Hooks with the entry's own scan of the environment; in an attempt.
///
/// # Errors
/// Then nothing is patched.
pub fn hook(start: &AtStart, hooked: impl FnMut(&str, usize)) -> Result<(), EngineProblem> {
    let hooks = Hooks::find(start)?;
    // Before the hook is in place.
    environment::IS_EQUALS_REFUSED.store(!hooks.libc.is_glibc, Ordering::Relaxed);
    if let Some(single_threaded) = looks_again(hooks.libc) {
        environment::look_again_where(single_threaded);
    }
    let secure_getenv = hooks.secure_getenv.as_ref();
    let secure_getenv = secure_getenv.map(|target| target.patch(hooks.libc));
    hooks.put_in_place(hooks.getenv.patch(hooks.libc)?, secure_getenv, hooked)
}

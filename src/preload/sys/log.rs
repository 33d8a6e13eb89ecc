//! The debug log: one line, one write (except for very long lines), to stderr or to `log.file`. It is
//! silent unless requested.

use crate::attempt::permanent;
use crate::sys::{append, kernel};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::fmt::{self, Write};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use opentelemetry_injector_policy::Process;
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::config::{Level, Log};
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;

static LEVEL: AtomicU8 = AtomicU8::new(Level::Off as u8);
static FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static PROGRAM: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// What descriptor 2 was at the start, device and inode (0: not open): what is opened later under
/// this number is not stderr.
static STDERR: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Writes a line where the level is at least `debug`; inside of an attempt.
macro_rules! debug {
    ($($part:tt)*) => {
        if $crate::sys::log::is_on() {
            $crate::sys::log::line(format_args!($($part)*));
        }
    };
}
pub(crate) use debug;

/// Whether anything is told.
pub fn is_on() -> bool {
    LEVEL.load(Ordering::Relaxed) >= Level::Debug as u8
}

/// Takes the level from the environment.
pub fn start(process: &impl Process) {
    raise(overrides::level(process), process);
}

/// Takes level and file from the configuration; returns the level that holds.
pub fn configure(log: &Log, process: &impl Process) -> Level {
    if let Some(path) = log
        .file
        .as_deref()
        .and_then(|path| permanent::c_string(path.as_bytes()))
    {
        FILE.store(path.cast_mut(), Ordering::Release);
    }
    raise(log.level, process);
    match LEVEL.load(Ordering::Relaxed) {
        level if level == Level::Trace as u8 => Level::Trace,
        level if level == Level::Debug as u8 => Level::Debug,
        _ => Level::Off,
    }
}

fn raise(level: Level, process: &impl Process) {
    if level == Level::Off {
        return;
    }
    for (place, value) in STDERR.iter().zip(stderr()) {
        place.store(value, Ordering::Relaxed);
    }
    if let Some(name) = permanent::c_string(file_name(process.started_as())) {
        PROGRAM.store(name.cast_mut(), Ordering::Release);
    }
    LEVEL.fetch_max(level as u8, Ordering::Release);
}

/// Writes one line: who, and what.
pub fn line(what: fmt::Arguments<'_>) {
    let mut line = Line(Vec::new());
    let process = kernel::process_id();
    let program = Lossy(text(&PROGRAM).map(CStr::to_bytes).unwrap_or_default());
    let _ = write!(line, "opentelemetry-injector[{process} {program}]: {what}");
    // A value may hold a line's end: one message stays one line.
    for byte in &mut line.0 {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
    line.0.push(b'\n');
    match text(&FILE) {
        Some(path) => append::to_file(path, &line.0, None),
        None if stderr() == STDERR.each_ref().map(|place| place.load(Ordering::Relaxed)) => {
            append::write(libc::STDERR_FILENO, &line.0);
        }
        None => {}
    }
}

/// What descriptor 2 is, or zeroes.
fn stderr() -> [u64; 2] {
    let status = kernel::status(libc::STDERR_FILENO);
    status.map_or([0; 2], |status| [status.st_dev, status.st_ino])
}

fn text(pointer: &AtomicPtr<c_char>) -> Option<&'static CStr> {
    let pointer = pointer.load(Ordering::Acquire);
    // SAFETY: null or a permanent C string.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

struct Line(Vec<u8>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

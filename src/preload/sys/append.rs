//! Writes lines of the injector's own so that the host never waits for them, gets no signal from them and
//! keeps no descriptor.

use crate::sys::kernel;
use core::ffi::CStr;

/// Writes a line. Signals are blocked meanwhile, and SIGPIPE or SIGXFSZ that the write itself has raised is
/// removed. If there is no room, the rest of the line is dropped, because the host must not wait for a reader.
pub fn write(number: libc::c_int, line: &[u8]) {
    let Ok(signals) = kernel::block_signals() else {
        return;
    };
    // A pipe that has room has it for this much (pipe(7)).
    for part in line.chunks(libc::PIPE_BUF) {
        if !kernel::has_room(number) {
            break;
        }
        match kernel::write(number, part) {
            Ok(count) if count == part.len() => continue,
            Err(libc::EPIPE) => kernel::take_signal(libc::SIGPIPE),
            Err(libc::EFBIG) => kernel::take_signal(libc::SIGXFSZ),
            _ => {}
        }
        break;
    }
    kernel::unblock_signals(signals);
}

/// Appends to a file, which is made where there is none and never reached through a link. With `most` only
/// to a regular file, and only as long as that has at most so many bytes.
///
/// It is opened anew for each line: a descriptor that is kept would be one that the host may close or
/// inherit to others.
pub fn to_file(path: &CStr, line: &[u8], most: Option<u64>) {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW;
    let Ok(file) = kernel::open(path, flags, 0o640) else {
        return;
    };
    let Ok(status) = kernel::status(file.number()) else {
        return;
    };
    // Somebody may have made it to read what is told of processes of others.
    let is_trusted = status.st_uid == 0 || status.st_uid == kernel::effective_user();
    if is_trusted && most.is_none_or(|most| has_room(&status, line, most)) {
        write(file.number(), line);
    }
}

fn has_room(status: &libc::stat, line: &[u8], most: u64) -> bool {
    let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    let used = u64::try_from(status.st_size).unwrap_or(u64::MAX);
    is_regular && used.saturating_add(line.len() as u64) <= most
}

//! Where a trace's result and its lines go.

use crate::output::{self, Style};
use crate::trace::TraceError;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A place for the result.
pub struct Sink {
    place: Place,
    /// How text is dressed there.
    pub style: Style,
    /// How many columns it has; `None` where they are not limited.
    pub width: Option<usize>,
    problem: Option<io::Error>,
}

enum Place {
    Stderr,
    Stdout,
    File(PathBuf, File),
}

impl Sink {
    /// Where the program's own output is not in the way, unless that is a terminal.
    pub fn stderr() -> Self {
        Self::of(Place::Stderr, Style::of_stderr(), output::stderr_width())
    }

    /// A file, stdout for `-`, stderr where nothing is named.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: Option<&Path>) -> Result<Self, TraceError> {
        match path {
            None => Ok(Self::stderr()),
            Some(path) if path.as_os_str() == "-" => Ok(Self::of(
                Place::Stdout,
                Style::of_stdout(),
                output::terminal_width(),
            )),
            Some(path) => match File::create(path) {
                Ok(file) => Ok(Self::of(
                    Place::File(path.to_owned(), file),
                    Style::plain(),
                    None,
                )),
                Err(error) => Err(TraceError::Output(path.to_owned(), error)),
            },
        }
    }

    fn of(place: Place, style: Style, width: Option<usize>) -> Self {
        Self {
            place,
            style,
            width,
            problem: None,
        }
    }

    /// Whether this is stderr.
    pub fn is_stderr(&self) -> bool {
        matches!(self.place, Place::Stderr)
    }

    /// Writes; what cannot be written is told of by [`finish`](Self::finish).
    pub fn write(&mut self, bytes: &[u8]) {
        let written = match &mut self.place {
            Place::Stderr => write_all(io::stderr(), bytes),
            Place::Stdout => write_all(io::stdout(), bytes),
            Place::File(_, file) => write_all(file, bytes),
        };
        if let Err(error) = written {
            self.problem.get_or_insert(error);
        }
    }

    /// Whether all was written. A reader who has seen enough is no error, and there is no place to tell of stderr's.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn finish(self) -> Result<(), TraceError> {
        let path = match self.place {
            Place::Stderr => return Ok(()),
            Place::Stdout => "stdout".into(),
            Place::File(path, _) => path,
        };
        match self.problem {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(TraceError::Output(path, error))
            }
            _ => Ok(()),
        }
    }
}

/// Writes all, also where a program that shares the descriptor has made it non-blocking.
fn write_all(mut place: impl Write + AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match place.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&place, PollFlags::OUT)], None);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    place.flush()
}

/// How many calls there were so far, on a terminal where the result goes elsewhere: otherwise it would
/// stand between the program's own lines.
pub struct Progress {
    is_shown: bool,
    last: Instant,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_millis(500);

    /// For a session whose result goes there.
    pub fn new(result: &Sink) -> Self {
        Self {
            is_shown: !result.is_stderr() && io::stderr().is_terminal(),
            last: Instant::now(),
        }
    }

    /// Shows the number from time to time.
    pub fn show(&mut self, calls: usize) {
        if self.is_shown && self.last.elapsed() >= Self::INTERVAL {
            self.last = Instant::now();
            let _ = write!(io::stderr(), "\r\x1b[K{calls} calls\r");
        }
    }

    /// Leaves no trace of it.
    pub fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn a_slow_reader_of_a_non_blocking_descriptor_gets_all() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let bytes = vec![b'x'; 4 << 20];
        let length = bytes.len();
        let written = thread::spawn(move || write_all(&writer, &bytes));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), length);
        written.join().unwrap().unwrap();
    }
}

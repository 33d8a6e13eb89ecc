//! What runtimes tell of the code that they have made: `/tmp/perf-PID.map` (Linux,
//! tools/perf/Documentation/jit-interface.txt).

use crate::trace::symbols::Function;
use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How many bytes of a file are read at once. No line is as long.
const PIECE: usize = 1 << 20;

/// How many bytes of a file are read in all: what is behind has no names.
const LIMIT: u64 = 128 << 20;

/// The files of a session's processes.
#[derive(Default)]
pub struct PerfMaps(HashMap<u32, PerfMap>);

/// One file, as far as it was read.
#[derive(Default)]
struct PerfMap {
    /// End and name by start.
    functions: BTreeMap<u64, (u64, String)>,
    /// How many bytes were read.
    read: u64,
    /// How long the file was then.
    length: u64,
}

impl PerfMaps {
    /// The function of a process at an address. What was written before the session began, `since`, is of another
    /// process with this number.
    pub fn function(&mut self, process: u32, address: u64, since: SystemTime) -> Option<Function> {
        let path = format!("/tmp/perf-{process}.map");
        let map = self.0.entry(process).or_default();
        // Runtimes write on while they run.
        let _ = map.read_on(Path::new(&path), since);
        map.function(address)
    }
}

impl PerfMap {
    fn read_on(&mut self, path: &Path, since: SystemTime) -> Option<()> {
        // This is asked for each address.
        let is_known = |length: u64| length > 0 && length == self.length;
        if path
            .symlink_metadata()
            .is_ok_and(|about| is_known(about.len()))
        {
            return Some(());
        }
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, OFlags::RDONLY | flags, Mode::empty()).ok()?;
        let file = File::from(file);
        let about = file.metadata().ok()?;
        // Anybody may write to /tmp, and a pipe may have no writer.
        let owners = [0, rustix::process::geteuid().as_raw()];
        let is_ours = about.is_file() && owners.contains(&about.uid());
        if !is_ours || about.modified().ok()? < since {
            return None;
        }
        if about.len() < self.read {
            *self = Self::default();
        }
        self.length = about.len();
        let mut bytes = vec![0; PIECE];
        while self.read < LIMIT {
            let length = file.read_at(&mut bytes, self.read).ok()?;
            let read = &bytes[..length];
            let whole = match memchr::memrchr(b'\n', read) {
                Some(end) => end + 1,
                None if length == PIECE => length,
                // The last line is not whole yet.
                None => break,
            };
            self.read += whole as u64;
            let text = String::from_utf8_lossy(&read[..whole]);
            for (start, length, name) in text.lines().filter_map(line) {
                self.add(start, length, name);
            }
        }
        Some(())
    }

    /// What was made last is what is there.
    fn add(&mut self, start: u64, length: u64, name: &str) {
        let end = start.saturating_add(length);
        while let Some((gone, _)) = self.functions.range(start..end).next() {
            let gone = *gone;
            self.functions.remove(&gone);
        }
        self.functions.insert(start, (end, name.to_owned()));
    }

    fn function(&self, address: u64) -> Option<Function> {
        let (start, (end, name)) = self.functions.range(..=address).next_back()?;
        (address < *end).then(|| Function {
            name: name.clone(),
            offset: address - start,
        })
    }
}

/// The moment of a CLOCK_MONOTONIC time in nanoseconds, or a little before: files have times by a coarser clock.
pub fn moment(time: u64) -> SystemTime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = Duration::from_secs(now.tv_sec.unsigned_abs());
    let ago = (seconds + Duration::from_nanos(now.tv_nsec.unsigned_abs()))
        .saturating_sub(Duration::from_nanos(time));
    let coarse = Duration::from_secs(1);
    SystemTime::now()
        .checked_sub(ago + coarse)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A line `START LENGTH NAME`, the numbers in hexadecimal; the JVM writes `0x` before them.
fn line(line: &str) -> Option<(u64, u64, &str)> {
    let mut parts = line.splitn(3, ' ');
    let mut number = || {
        let text = parts.next()?;
        u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
    };
    Some((number()?, number()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::time::Instant;

    #[test]
    fn lines_are_read_as_node_and_as_the_jvm_write_them() {
        assert_eq!(
            line("7f00 1c LazyCompile:~main /a b.js:1"),
            Some((0x7f00, 0x1c, "LazyCompile:~main /a b.js:1"))
        );
        assert_eq!(
            line("0x00007f00 0x000000000000001c void jm.main(java.lang.String[])"),
            Some((0x7f00, 0x1c, "void jm.main(java.lang.String[])"))
        );
        assert_eq!(line("x 1 y"), None);
        assert_eq!(line(""), None);
    }

    #[test]
    fn a_file_is_read_on_while_it_grows_and_new_code_takes_the_place_of_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        let mut file = File::create(&path).unwrap();
        let mut map = PerfMap::default();
        let name = |map: &PerfMap, address| map.function(address).map(|function| function.name);
        write!(file, "1000 10 old\n1020 10 other\n1040 ").unwrap();
        map.read_on(&path, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(name(&map, 0x100f).as_deref(), Some("old"));
        assert_eq!(name(&map, 0x1010), None);
        write!(file, "8 late\nff8 10 new\n").unwrap();
        map.read_on(&path, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(name(&map, 0x1001).as_deref(), Some("new"));
        assert_eq!(name(&map, 0x1047).as_deref(), Some("late"));
        assert_eq!(name(&map, 0x102f).as_deref(), Some("other"));
    }

    #[test]
    fn files_of_any_length_are_read_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        let name = |map: &PerfMap, address| map.function(address).map(|function| function.name);
        let lines: String = (1..100_000)
            .map(|number| format!("{:x} 10 function-{number}\n", number * 0x10))
            .collect();
        assert!(lines.len() > 2 * PIECE);
        fs::write(&path, &lines).unwrap();
        let mut map = PerfMap::default();
        map.read_on(&path, SystemTime::UNIX_EPOCH).unwrap();
        for number in [1, 50_000, 99_999] {
            let expected = format!("function-{number}");
            assert_eq!(name(&map, number * 0x10), Some(expected));
        }
        // A file with holes.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 43).unwrap();
        map.read_on(&path, SystemTime::UNIX_EPOCH).unwrap();
        assert!(map.read < LIMIT + PIECE as u64);
        assert_eq!(name(&map, 0x10).as_deref(), Some("function-1"));
        // A file that was written anew.
        fs::write(&path, "10 10 new\n").unwrap();
        map.read_on(&path, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(name(&map, 0x10).as_deref(), Some("new"));
    }

    #[test]
    fn old_files_pipes_and_links_are_left_alone_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let begun = Instant::now();
        let read = |path: &Path, since| PerfMap::default().read_on(path, since);
        let old = folder.join("old");
        fs::write(&old, "1000 10 old\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(read(&old, later), None);
        assert_eq!(read(&old, moment(0)), Some(()));
        let link = folder.join("link");
        std::os::unix::fs::symlink(&old, &link).unwrap();
        assert_eq!(read(&link, SystemTime::UNIX_EPOCH), None);
        let pipe = folder.join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert_eq!(read(&pipe, SystemTime::UNIX_EPOCH), None);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

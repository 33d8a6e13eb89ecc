//! The channel between traced processes and this command: a file in memory, by its path in /proc.

use opentelemetry_injector_policy::formats::trace_channel::{
    self as layout, HEADER, Kind, SLOT, Step,
};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{io, process, thread};

/// How much memory is made sure of at a time, in bytes.
const STEP: u64 = 128 << 10;

/// How much before the command starts, which waits for it: 2,000 calls.
const FIRST_STEP: u64 = 128 << 10;

/// How far ahead of the processes at most, in bytes: a quarter of a million calls.
const AHEAD: u64 = 16 << 20;

/// How many times as much memory calls with their stacks take.
const STACKS: u64 = 4;

/// How often the channel is looked after, and how far ahead of a program that has told little so far. If its processes
/// write more between two looks, they wait for the next one.
struct Pace {
    interval: Duration,
    /// In bytes.
    ahead: u64,
}

/// Memory takes time to be had and to be given back, which a program that ends soon would feel.
const AT_START: Pace = Pace {
    interval: Duration::from_millis(2),
    ahead: 512 << 10,
};

/// A program that runs on feels each look.
const LATER: Pace = Pace {
    interval: Duration::from_millis(10),
    ahead: 4 << 20,
};

/// How long a program is starting.
const START: Duration = Duration::from_millis(250);

/// Memory that is given back in less time than a thread takes to start, in bytes.
const LITTLE: u64 = 8 << 20;

/// How much is read at a time, in bytes.
const CHUNK: u64 = 1 << 20;

/// The channel as the command has it.
pub struct Channel {
    file: File,
    length: u64,
    limit: u64,
    has_stacks: bool,
    begun: Instant,
}

/// What the processes' side has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that found no room.
    pub dropped: u64,
    /// Whether that was because all of it was taken; else the command was too slow to make some.
    pub is_full: bool,
    /// Processes that could not take part, because their memory is limited.
    pub refused: u64,
}

impl Channel {
    /// A channel that takes up to `length` bytes, for which each call records `stack` bytes of its stack.
    ///
    /// # Errors
    /// The system has no memory for it, or no such files.
    pub fn new(length: u64, stack: u64) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create(
            "opentelemetry-injector trace",
            flags,
        )?);
        let length = length.min(longest_file() / STEP * STEP);
        if length == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        file.set_len(length)?;
        // If it became shorter, every process that has it mapped would end.
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        let mut channel = Self {
            file,
            length,
            limit: 0,
            has_stacks: stack > 0,
            begun: Instant::now(),
        };
        channel.set(layout::LENGTH_AT, length)?;
        channel.set(layout::STACK_AT, stack)?;
        channel.set(layout::NEXT_AT, HEADER as u64)?;
        channel.set(layout::MAGIC_AT, layout::MAGIC)?;
        channel.extend(FIRST_STEP)?;
        Ok(channel)
    }

    /// The path by which processes of the same user find it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd()).into()
    }

    /// Makes sure of memory ahead of the processes: where there is none they drop what they have to
    /// say, and are not ended (SIGBUS).
    ///
    /// # Errors
    /// There is no more memory.
    pub fn make_room(&mut self) -> io::Result<()> {
        let next = self.next()?;
        let times = if self.has_stacks { STACKS } else { 1 };
        let (least, most) = (self.pace().ahead * times, AHEAD * times);
        let ahead = next.saturating_mul(4).clamp(least, most);
        while self.limit < self.length && next + ahead > self.limit {
            self.extend(STEP - self.limit % STEP)?;
        }
        Ok(())
    }

    /// After what time to look after it again.
    pub fn interval(&self) -> Duration {
        self.pace().interval
    }

    fn pace(&self) -> &'static Pace {
        if self.begun.elapsed() < START {
            &AT_START
        } else {
            &LATER
        }
    }

    fn extend(&mut self, by: u64) -> io::Result<()> {
        rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.limit, by)?;
        self.limit += by;
        self.set(layout::LIMIT_AT, self.limit)
    }

    /// What was counted.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn counts(&self) -> io::Result<Counts> {
        Ok(Counts {
            dropped: self.word(layout::DROPPED_AT)?,
            is_full: self.next()? + (layout::LONGEST_STACK * 2) as u64 > self.length,
            refused: self.word(layout::REFUSED_AT)?,
        })
    }

    /// Has the kernel take its memory while the caller goes on. Where there is little, a thread costs more than it saves.
    pub fn give_back(self) {
        if self.limit > LITTLE {
            // If there can be no thread, it goes at once.
            let _ = thread::Builder::new().spawn(move || drop(self));
        }
    }

    fn next(&self) -> io::Result<u64> {
        Ok(self.word(layout::NEXT_AT)?.min(self.length))
    }

    fn word(&self, at: usize) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at as u64)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn set(&self, at: usize, value: u64) -> io::Result<()> {
        self.file.write_all_at(&value.to_ne_bytes(), at as u64)
    }
}

/// To make a longer file than this, in bytes, would end this command (setrlimit(2), RLIMIT_FSIZE).
fn longest_file() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Reads a channel from its beginning on.
pub struct Reader {
    at: u64,
    /// Records that were begun and never finished: their processes were killed.
    pub unfinished: u64,
}

impl Reader {
    /// One that has read nothing.
    pub fn new() -> Self {
        Self {
            at: HEADER as u64,
            unfinished: 0,
        }
    }

    /// Hands every record on that is there, and makes room meanwhile, as that takes its time. A record that is being
    /// written is waited for, unless everything `is_over`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(
        &mut self,
        channel: &mut Channel,
        is_over: bool,
        mut take: impl FnMut(Kind, &[u8]),
    ) -> io::Result<()> {
        let end = channel.next()?;
        while self.at < end {
            let length = usize::try_from((end - self.at).min(CHUNK)).unwrap_or(0);
            let mut bytes = vec![0; length];
            channel.file.read_exact_at(&mut bytes, self.at)?;
            let used = self.take_from(&bytes, is_over, &mut take);
            if !is_over {
                // What finds no room is counted.
                let _ = channel.make_room();
            }
            self.at += used as u64;
            if used < length.saturating_sub(layout::LONGEST_STACK * 2) || used == 0 {
                break;
            }
        }
        Ok(())
    }

    /// How many bytes were used.
    fn take_from(
        &mut self,
        bytes: &[u8],
        is_over: bool,
        take: &mut impl FnMut(Kind, &[u8]),
    ) -> usize {
        let mut used = 0;
        loop {
            match layout::read(&bytes[used..]) {
                Step::Record(kind, payload, count) => {
                    take(kind, &payload);
                    used += count * SLOT;
                }
                Step::Unfilled if is_over => {
                    self.unfinished += 1;
                    used += SLOT;
                }
                Step::Orphan => used += SLOT,
                Step::Unfilled | Step::End => return used.min(bytes.len()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layout::{CONTINUED, PAYLOAD, head};

    fn append(channel: &Channel, kind: Kind, payload: &[u8], is_finished: bool) {
        let slots = payload.len().div_ceil(PAYLOAD);
        let mut at = channel.next().unwrap();
        channel
            .set(layout::NEXT_AT, at + (slots * SLOT) as u64)
            .unwrap();
        for (index, part) in payload.chunks(PAYLOAD).enumerate() {
            let word = match index {
                0 if is_finished => head(kind, slots, payload.len()),
                0 => 0,
                _ => CONTINUED,
            };
            let slot = [&word.to_ne_bytes()[..], part].concat();
            channel.file.write_all_at(&slot, at).unwrap();
            at += SLOT as u64;
        }
    }

    #[test]
    fn records_are_read_in_order_and_what_was_killed_is_counted() {
        let mut channel = Channel::new(8 << 20, 0).unwrap();
        append(&channel, Kind::Note, &[b'a'; 100], true);
        append(&channel, Kind::Note, &[b'b'; 100], false);
        append(&channel, Kind::Note, b"c", true);
        let mut reader = Reader::new();
        let mut read = Vec::new();
        let mut take = |_, payload: &[u8]| read.push((payload[0], payload.len()));
        reader.read(&mut channel, false, &mut take).unwrap();
        reader.read(&mut channel, true, &mut take).unwrap();
        assert_eq!(read, [(b'a', 100), (b'c', 1)]);
        assert_eq!(reader.unfinished, 1);
        assert_eq!(channel.counts().unwrap(), Counts::default());
    }

    #[test]
    fn many_records_are_read_over_the_ends_of_chunks() {
        let mut channel = Channel::new(8 << 20, 0).unwrap();
        let count = 3 * CHUNK as usize / (2 * SLOT);
        for _ in 0..count {
            append(&channel, Kind::Note, &[b'a'; 60], true);
        }
        let (mut reader, mut read) = (Reader::new(), 0);
        reader.read(&mut channel, true, |_, _| read += 1).unwrap();
        assert_eq!((read, reader.unfinished), (count, 0));
    }

    #[test]
    fn nobody_can_make_it_shorter_and_room_is_made_ahead() {
        let mut channel = Channel::new(3 * AHEAD, 0).unwrap();
        assert!(channel.file.set_len(100).is_err());
        let limit = |channel: &Channel| channel.word(layout::LIMIT_AT).unwrap();
        assert_eq!(limit(&channel), FIRST_STEP);
        // However long this test takes.
        let ages = [(START * 1000, AT_START), (Duration::ZERO, LATER)];
        for (left, pace) in ages {
            channel.begun = Instant::now() + left - START;
            assert_eq!(channel.interval(), pace.interval);
            channel.make_room().unwrap();
            assert_eq!(limit(&channel), pace.ahead + STEP);
        }
        channel.set(layout::NEXT_AT, 8 << 20).unwrap();
        channel.make_room().unwrap();
        assert_eq!(limit(&channel), AHEAD + (8 << 20));
        channel.set(layout::NEXT_AT, u64::MAX).unwrap();
        channel.make_room().unwrap();
        assert_eq!(channel.word(layout::LIMIT_AT).unwrap(), 3 * AHEAD);
    }
}

//! A trace session: every call of a hooked function goes into the channel of
//! `opentelemetry-injector trace` (`policy/formats/trace_channel.rs`).
//!
//! A traced call allocates nothing, and makes no system call where the environment is as at the call before. It
//! waits only where a program asks faster than the command makes room, and then for about ten milliseconds at most.
//! Where files are mapped is read from /proc only once for each file: in the constructor, or, if the file is loaded
//! later, in an attempt at its first call. With stacks, it is read again from time to time, and each page of a stack
//! is asked for. Without a session, none of this memory is allocated.
//!
//! Not to be confused with `answer::call_log`, which writes calls to the debug log.

mod channel;
mod clock;
mod entries;
mod known;
mod stack;
mod thread;

use crate::attempt::attempt;
use crate::constructor::at_start::AtStart;
use crate::entry::machine::Frame;
use crate::session::channel::Channel;
use crate::session::clock::Clock;
use crate::session::entries::{Change, Entries, Turn};
use crate::session::known::{Places, Texts};
use crate::session::stack::Stacks;
use crate::session::thread::Threads;
use crate::sys::auxiliary::SMALLEST_PAGE;
use crate::sys::{environment, kernel, memory_map};
use alloc::string::ToString;
use core::ffi::{CStr, c_char};
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use opentelemetry_injector_policy::Process;
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::formats::mappings::{self, Mapped};
use opentelemetry_injector_policy::formats::trace_channel::{
    BEFORE_STACK, Kind, LONGEST_NAME, Outcome, PAGE,
};

/// What one process knows of its session. Lives as long as the process, and in its children of fork.
struct Session {
    channel: Channel,
    clock: Clock,
    threads: Threads,
    own: &'static OwnToProcess,
    /// The process that has told of itself last, of those whose memory this was.
    told: AtomicUsize,
    places: Places,
    texts: Texts,
    entries: Entries,
    stacks: Stacks,
}

/// What a child of fork does not inherit: it has zeroes.
struct OwnToProcess {
    /// This process; 0 in a child of fork, which then has not told of itself yet.
    process: AtomicUsize,
    turn: Turn,
}

static SESSION: AtomicPtr<Session> = AtomicPtr::new(ptr::null_mut());

fn session() -> Option<&'static Session> {
    // SAFETY: null, or a session that lives for ever.
    unsafe { SESSION.load(Ordering::Acquire).as_ref() }
}

/// Whether this process takes part in a session.
pub fn is_on() -> bool {
    session().is_some()
}

/// Takes part in the session that the environment names, if it does; in the constructor's attempt.
pub fn join(start: &AtStart, host: &impl Process) -> Option<()> {
    let path = environment::value(overrides::TRACE.as_bytes())?;
    let channel = Channel::open(path)?;
    let page = kernel::map(size_of::<OwnToProcess>()).ok()?;
    // SAFETY: fresh memory; a child writes its own number where it finds none.
    unsafe { kernel::wipe_on_fork(page, size_of::<OwnToProcess>()) };
    let fresh = kernel::map(size_of::<Session>()).ok()?.cast::<Session>();
    // SAFETY: fresh memory, long enough, zeroed, which is right for the tables; the rest is
    // written before anybody sees it.
    let session = unsafe {
        (&raw mut (*fresh).stacks).write(Stacks::new(channel.stack_length()));
        (&raw mut (*fresh).channel).write(channel);
        (&raw mut (*fresh).clock).write(Clock::new(start));
        (&raw mut (*fresh).threads).write(Threads::new(start));
        (&raw mut (*fresh).own).write(&*page.cast::<OwnToProcess>());
        &*fresh
    };
    if !session.tell_process(host) {
        // Nobody would know whose the rest is.
        return None;
    }
    session.tell_variables();
    // What is loaded already; nothing is accepted, so all are looked at.
    session.tell_modules(&memory_map::content());
    SESSION.store(fresh, Ordering::Release);
    Some(())
}

/// A call of a hooked function.
pub struct Call<'f> {
    /// What is asked for.
    pub name: *const c_char,
    /// What libc answers.
    pub original: *const c_char,
    /// What is answered.
    pub answer: *const c_char,
    /// Where it comes from.
    pub frame: &'f Frame,
    /// The number of the [`Function`](opentelemetry_injector_policy::formats::trace_channel::Function).
    pub function: u8,
}

/// Records one call in the channel.
pub fn call(call: Call<'_>) {
    let Some(session) = session() else {
        return;
    };
    let outcome = match (call.original.is_null(), ptr::eq(call.original, call.answer)) {
        (_, false) => Outcome::Injected,
        (false, true) => Outcome::Hit,
        (true, true) => Outcome::Miss,
    };
    let process = session.process();
    let caller = call.frame.return_address;
    session.learn_place(caller);
    let text = session.text(bytes(call.name), bytes(call.answer));
    let thread = session.threads.current();
    session.tell_changes(thread);
    let time = session.clock.now();
    if session.stacks.are_on() {
        session.learn_late_places(time);
        session.tell_stack([process, thread], time, call.frame);
    }
    session.channel.append(Kind::Call, CALL, |record| {
        record.numbers(process, thread);
        record.put(&time.to_ne_bytes());
        record.put(&caller.to_ne_bytes());
        record.put(&text.to_ne_bytes());
        record.put(&[call.function, outcome as u8]);
    });
}

/// The injector itself has changed the environment; inside of an attempt.
pub fn environment_was_added_to() {
    if let Some(session) = session() {
        session.tell_changes(INJECTOR);
    }
}

/// In a thread's place.
const INJECTOR: usize = 0;

/// The length of a call's payload.
const CALL: usize = 34;

/// A text for people about what the object has decided; inside of an attempt.
pub fn note(text: impl fmt::Display) {
    let Some(session) = session() else {
        return;
    };
    let text = text.to_string();
    session.tell(Kind::Note, [text.as_bytes()]);
}

/// The text of a C string; nothing for null.
fn bytes<'t>(text: *const c_char) -> &'t [u8] {
    if text.is_null() {
        return b"";
    }
    // SAFETY: a C string, which the caller of getenv owns or the environment has.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

impl Session {
    /// This process's number. A child of fork tells of itself when it asks for it.
    fn process(&self) -> usize {
        match self.own.process.load(Ordering::Relaxed) {
            0 => self.begin_in_child(),
            process => process,
        }
    }

    fn begin_in_child(&self) -> usize {
        // Its parent may have been silent, or be gone: both are of no use here.
        let origin = self.told.load(Ordering::Acquire);
        // Where another thread has told meanwhile, the origin may be this process.
        let known = self.own.process.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let process = kernel::process_id();
        if self.tell_fork(process, origin) {
            self.own.process.store(process, Ordering::Relaxed);
            self.told.store(process, Ordering::Release);
        }
        process
    }

    fn tell_fork(&self, process: usize, origin: usize) -> bool {
        let time = self.clock.now();
        self.channel.append(Kind::Fork, 16, |record| {
            record.numbers(process, origin);
            record.put(&time.to_ne_bytes());
        })
    }

    /// A record of one process with some texts one after the other.
    fn tell<const N: usize>(&self, kind: Kind, texts: [&[u8]; N]) {
        let process = self.process();
        let length = texts.iter().map(|text| text.len()).sum::<usize>();
        self.channel.append(kind, 8 + length, |record| {
            record.numbers(process, 0);
            texts.iter().for_each(|text| record.put(text));
        });
    }

    fn tell_process(&self, host: &impl Process) -> bool {
        let (process, parent) = (kernel::process_id(), kernel::parent_id());
        self.own.process.store(process, Ordering::Relaxed);
        self.told.store(process, Ordering::Relaxed);
        let time = self.clock.now();
        let (path, arguments) = (host.executable(), host.command_line());
        let has_own = host.exports(c"getenv");
        let length = arguments.iter().map(|text| text.len() + 1).sum::<usize>();
        let length = 17 + path.len() + 1 + length;
        self.channel.append(Kind::Process, length, |record| {
            record.numbers(process, parent);
            record.put(&time.to_ne_bytes());
            record.put(&[has_own.into()]);
            record.put(path);
            record.put(b"\0");
            for text in &arguments {
                record.put(text);
                record.put(b"\0");
            }
        })
    }

    /// What the environment is at the start.
    fn tell_variables(&self) {
        for (entry, text) in environment::current() {
            let place = (entry as usize).to_ne_bytes();
            self.tell(Kind::Variable, [&place, text.to_bytes()]);
            self.entries.add(entry as usize);
        }
    }

    /// Tells what has changed in the environment since the last call.
    fn tell_changes(&self, thread: usize) {
        if self.entries.are_current() {
            return;
        }
        let process = self.process();
        let time = self.clock.now();
        self.own.turn.take(|| {
            self.entries.update(|change| {
                let (kind, entry, text) = match change {
                    Change::Set(entry, text) => (Kind::Set, entry, text),
                    Change::Unset(entry) => (Kind::Unset, entry, &b""[..]),
                };
                self.channel.append(kind, 24 + text.len(), |record| {
                    record.numbers(process, thread);
                    record.put(&time.to_ne_bytes());
                    record.put(&entry.to_ne_bytes());
                    record.put(text);
                });
            });
        });
    }

    /// Tells all mapped files that are not known yet.
    fn tell_modules(&self, mappings: &[u8]) {
        // Nothing is accepted, so all are looked at.
        mappings::find(mappings, |mapped| {
            if !self.places.have(mapped.start, mapped.end) {
                self.tell_module(mapped);
            }
            false
        });
    }

    /// With stacks, files between the caller and the stack's end count as well, and those may be loaded at any
    /// time. The loader's list may only be walked in the constructor.
    fn learn_late_places(&self, time: u64) {
        if self.stacks.begin_look(time) {
            attempt(|| self.tell_modules(&memory_map::content()));
            self.stacks.end_look(time, self.clock.now());
        }
    }

    fn tell_stack(&self, [process, thread]: [usize; 2], time: u64, frame: &Frame) {
        let start = frame.stack_pointer();
        let length = self.stacks.readable(start);
        self.channel
            .append(Kind::Stack, BEFORE_STACK + length, |record| {
                record.numbers(process, thread);
                record.put(&time.to_ne_bytes());
                record.put(&frame.return_address.to_ne_bytes());
                record.put(&start.to_ne_bytes());
                record.put(&frame.frame_pointer().to_ne_bytes());
                // SAFETY: `readable` has asked for each page.
                unsafe { record.put_memory(start as *const u8, length) };
            });
    }

    fn tell_module(&self, mapped: &Mapped) {
        if !self.places.add(mapped.start, mapped.end) {
            return;
        }
        let process = self.process();
        self.channel
            .append(Kind::Module, 24 + mapped.path.len(), |record| {
                record.numbers(process, mapped.offset / PAGE);
                record.put(&mapped.start.to_ne_bytes());
                record.put(&mapped.end.to_ne_bytes());
                record.put(&mapped.path);
            });
    }

    /// Tells what is mapped at an address, where that is not known yet.
    fn learn_place(&self, address: usize) {
        if self.places.knows(address) {
            return;
        }
        attempt(|| match memory_map::at(address) {
            Some(mapped) => {
                self.tell_module(&mapped);
                if self.stacks.are_on() {
                    self.tell_modules(&memory_map::content());
                }
            }
            // Code that was made while the program runs: its page is not asked for again.
            None => {
                let page = address & SMALLEST_PAGE.wrapping_neg();
                self.places.add(page, page.wrapping_add(SMALLEST_PAGE));
            }
        });
    }

    /// The number of a name and its value, of which the channel has been told.
    fn text(&self, name: &[u8], value: &[u8]) -> u64 {
        let number = known::number(name, value);
        if self.texts.add(number) {
            let name = &name[..name.len().min(LONGEST_NAME)];
            let length = 8 + name.len() + 1 + value.len();
            let is_told = self.channel.append(Kind::Text, length, |record| {
                record.put(&number.to_ne_bytes());
                record.put(name);
                record.put(b"\0");
                record.put(value);
            });
            if !is_told {
                self.texts.remove(number);
            }
        }
        number
    }
}

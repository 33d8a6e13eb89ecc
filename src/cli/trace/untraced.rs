//! Programs of the session that took no part, and why. They tell nothing themselves, so the command looks at its
//! descendants from time to time; what starts and ends between two looks is not seen.

use crate::machine::process_status::ProcessStatus;
use crate::machine::program_file::{self, Loader, first_page};
use crate::output::printable;
use crate::trace::recording::{Program, Recording};
use crate::trace::share::Share;
use opentelemetry_injector_policy::config::overrides;
use opentelemetry_injector_policy::process::file_name;
use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long there is at least between the first two looks; between the next ones it is twice as long each time.
const SHORTEST: Duration = Duration::from_millis(10);

/// How long it is at least between two looks in the end.
const LONGEST: Duration = Duration::from_millis(100);

/// A program that ends within this time ends soon.
const SOON: Duration = Duration::from_millis(100);

/// How many programs are remembered, of all processes together.
const MOST: usize = 10_000;

/// How much of a program's name the kernel keeps (TASK_COMM_LEN without the zero).
const LONGEST_NAME: usize = 15;

/// Why a program takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has no loader.
    Static,
    /// It is for another machine.
    Foreign,
    /// Its file gives it the rights of another user or group.
    SetId,
    /// Another user runs it.
    OtherUser,
    /// It runs in another namespace of processes or users.
    OtherNamespace,
    /// It has another root directory.
    OtherRoot,
    /// It has fewer capabilities than the command.
    FewerCapabilities,
    /// `LD_PRELOAD` or the session's own variable is not in its environment.
    Environment,
    /// AddressSanitizer's library wants to be the first one.
    AddressSanitizer,
    /// Something else.
    Unknown,
}

/// A program that took no part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untraced {
    /// The process's number.
    pub process: u32,
    /// The executable's path, or its name where that is all that is known.
    pub executable: String,
    /// Why.
    pub why: Why,
}

/// What was seen of the command and its descendants.
#[derive(Default)]
pub struct Untracing {
    /// By process and executable. `None`: nothing keeps the program from taking part.
    seen: HashMap<(u32, PathBuf), Option<Why>>,
    share: Share,
    /// When the first look was.
    begun: Option<Instant>,
    distance: Duration,
    own: OnceCell<Own>,
}

/// Whose children are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    /// Those of each process's first thread. The kernel keeps an entry for each thread that was looked at, until the
    /// thread ends (Linux 6.18, fs/proc/base.c, `proc_flush_pid`). If many threads end together, the command's wait(2)
    /// then takes up to 3 ms, which is much for a program that ends soon.
    First,
    /// Those of all threads.
    All,
}

/// What this command is itself.
#[derive(Default)]
struct Own {
    status: Status,
    namespaces: [Option<PathBuf>; 2],
    root: Option<PathBuf>,
}

/// What `/proc/PID/status` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    name: String,
    user: Option<u32>,
    capabilities: Option<u64>,
}

impl Untracing {
    /// Looks at a process and its descendants, unless that was too short a time ago.
    pub fn look(&mut self, first: u32) {
        let mut share = core::mem::take(&mut self.share);
        let distance = (self.distance * 2).clamp(SHORTEST, LONGEST);
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let threads = if begun.elapsed() < SOON {
            Threads::First
        } else {
            Threads::All
        };
        if share.run(distance, || self.look_now(first, threads)) {
            self.distance = distance;
        }
        self.share = share;
    }

    fn look_now(&mut self, first: u32, threads: Threads) {
        let own = self.own.get_or_init(Own::read);
        let mut processes = vec![(first, PathBuf::new())];
        while let Some((process, parents)) = processes.pop() {
            let executable = executable(process);
            // A child of fork that has not become another program is what its parent is.
            if executable != parents && self.seen.len() < MOST {
                let key = (process, executable.clone());
                if let Entry::Vacant(unseen) = self.seen.entry(key) {
                    let why = why(process, own);
                    // What was found may be of the program that the process has just become.
                    let is_same = self::executable(process) == executable;
                    if let (Ok(why), true) = (why, is_same) {
                        unseen.insert(why);
                    }
                }
            }
            let children = children(process, threads).into_iter();
            processes.extend(children.map(|child| (child, executable.clone())));
        }
    }

    /// The programs that took no part. `last` is what `/proc/PID/status` said of the command's own process when it
    /// had ended, and `command` its own name, which it was started with.
    pub fn list(
        &self,
        recording: &Recording,
        first: u32,
        last: &ProcessStatus,
        command: &OsStr,
    ) -> Vec<Untraced> {
        let name = |program: &Program| undeleted(program.name().as_bytes()).to_vec();
        let programs = recording.programs.iter();
        let told: HashSet<_> = programs
            .map(|program| (program.process, name(program)))
            .collect();
        let names: HashSet<_> = told.iter().map(|(_, name)| name.as_slice()).collect();
        let mut list = Vec::new();
        for ((process, executable), why) in &self.seen {
            let name = file_name(executable.as_os_str().as_bytes());
            let Some(why) = *why else { continue };
            // What takes part from another namespace tells the number that it has there.
            let has_told = if why == Why::OtherNamespace {
                names.contains(name)
            } else {
                told.contains(&(*process, name.to_vec()))
            };
            if !has_told {
                list.push(Untraced {
                    process: *process,
                    executable: executable.to_string_lossy().into_owned(),
                    why,
                });
            }
        }
        list.sort_by_key(|untraced| untraced.process);
        if !list.iter().any(|untraced| untraced.process == first) {
            let programs = &recording.programs;
            let before = programs.iter().rfind(|program| program.process == first);
            list.extend(match before {
                Some(before) => self.unseen(before, &Status::of(last)),
                None => of_command(first, command),
            });
        }
        list
    }

    /// The program that the command's own process was in the end, where it started and ended between two looks: the
    /// kernel still has its name, and the program before had it among its arguments.
    fn unseen(&self, before: &Program, last: &Status) -> Option<Untraced> {
        let short = |name: &[u8]| name[..name.len().min(LONGEST_NAME)].to_vec();
        let name = last.name.as_bytes();
        if name.is_empty() || short(before.name().as_bytes()) == name {
            return None;
        }
        let words = before.arguments.iter().flat_map(|a| a.split_whitespace());
        let mut words = words.filter(|word| short(file_name(word.as_bytes())) == name);
        let (path, start) = words.find_map(|word| {
            let path = found(word)?;
            // A link has another name than what it leads to.
            let is_before = fs::canonicalize(&path)
                .is_ok_and(|path| path.as_os_str() == before.executable.as_str());
            if is_before {
                return None;
            }
            let start = first_page(&path);
            start.starts_with(b"\x7fELF").then_some((path, start))
        })?;
        let why =
            of_file(&path, &start).or_else(|| self.own.get_or_init(Own::read).of_status(last));
        Some(Untraced {
            process: before.process,
            executable: path.to_string_lossy().into_owned(),
            why: why.unwrap_or(Why::Unknown),
        })
    }
}

/// The program of a command, where its file keeps it from taking part.
fn of_command(process: u32, command: &OsStr) -> Option<Untraced> {
    let path = found(command.to_str()?)?;
    let why = of_file(&path, &first_page(&path)).or_else(|| wants_to_be_first(&path))?;
    let executable = path.to_string_lossy().into_owned();
    Some(Untraced {
        process,
        executable,
        why,
    })
}

impl Untraced {
    /// What people call it.
    pub fn name(&self) -> String {
        let name = file_name(self.executable.as_bytes());
        printable(&String::from_utf8_lossy(name))
    }
}

impl Why {
    /// The end of a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Static => "it is statically linked",
            Self::Foreign => "it is for another kind of machine",
            Self::SetId => "it is set-user-ID or set-group-ID",
            Self::OtherUser => "it runs as another user",
            Self::OtherNamespace => "it runs in another PID or user namespace",
            Self::OtherRoot => "it has another root directory",
            Self::FewerCapabilities => "it has fewer capabilities than this command",
            Self::Environment => "its environment lacks LD_PRELOAD or OPENTELEMETRY_INJECTOR_TRACE",
            Self::AddressSanitizer => {
                "AddressSanitizer's library has to be the first one (docs/limits.md)"
            }
            Self::Unknown => {
                "it runs as another user, in another namespace, or without LD_PRELOAD in its environment"
            }
        }
    }
}

impl Own {
    fn read() -> Self {
        Self {
            status: Status::of(&ProcessStatus::of("self").unwrap_or_default()),
            namespaces: namespaces("self"),
            root: fs::read_link("/proc/self/root").ok(),
        }
    }

    /// What keeps a process out that has other rights.
    fn of_status(&self, status: &Status) -> Option<Why> {
        if status.user.is_some() && status.user != self.status.user {
            return Some(Why::OtherUser);
        }
        let lacks = self.status.capabilities? & !status.capabilities? != 0;
        lacks.then_some(Why::FewerCapabilities)
    }
}

impl Status {
    fn of(status: &ProcessStatus) -> Self {
        let users = status.field("Uid");
        // Real, effective, saved, of the file system (proc(5)).
        let user = users.and_then(|users| users.split_whitespace().nth(1));
        Self {
            name: status.field("Name").unwrap_or_default().into(),
            user: user.and_then(|user| user.parse().ok()),
            capabilities: status.set("CapPrm"),
        }
    }
}

/// What keeps a process from taking part.
///
/// # Errors
/// It cannot be known now: the process has ended, may not be read, or is becoming another program.
fn why(process: u32, own: &Own) -> io::Result<Option<Why>> {
    let path = format!("/proc/{process}/exe");
    let of_file = of_file(Path::new(&path), &first_page(Path::new(&path)));
    if of_file.is_some() {
        return Ok(of_file);
    }
    let status = ProcessStatus::of(process)?;
    let their = namespaces(&process.to_string());
    let pairs = own.namespaces.iter().zip(&their);
    let is_other = |(own, their): (&Option<PathBuf>, &Option<PathBuf>)| {
        own.is_some() && their.is_some() && own != their
    };
    if pairs.into_iter().any(is_other) {
        return Ok(Some(Why::OtherNamespace));
    }
    if let Some(why) = own.of_status(&Status::of(&status)) {
        return Ok(Some(why));
    }
    let root = fs::read_link(format!("/proc/{process}/root"));
    if root.is_ok_and(|root| own.root.as_ref() != Some(&root)) {
        return Ok(Some(Why::OtherRoot));
    }
    // A process that becomes another program, or has ended, shows no arguments and no environment (proc(5)); no
    // environment alone is one that is empty.
    if fs::read(format!("/proc/{process}/cmdline"))?.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let environment = fs::read(format!("/proc/{process}/environ"))?;
    let has = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        entries.any(|entry| {
            entry
                .strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"="))
        })
    };
    let is_told = has("LD_PRELOAD") && has(overrides::TRACE);
    Ok((!is_told).then_some(Why::Environment))
}

/// What a program's file and its first page tell.
fn of_file(path: &Path, start: &[u8]) -> Option<Why> {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    match program_file::without_loader(start) {
        Some(Loader::Nobody) => Some(Why::Static),
        Some(_) => Some(Why::Foreign),
        None => (mode & 0o6000 != 0).then_some(Why::SetId),
    }
}

/// AddressSanitizer's library ends a program where another one is loaded before it.
fn wants_to_be_first(path: &Path) -> Option<Why> {
    let program = program_file::read(program_file::open(path)?).ok()??;
    let mut needed = program.needed.iter();
    let is_needed = needed.any(|library| library.starts_with(b"libasan.so"));
    is_needed.then_some(Why::AddressSanitizer)
}

/// The file that a word names as a command.
fn found(word: &str) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(word.into());
    }
    let folders = env::var_os("PATH")?;
    let mut paths = env::split_paths(&folders).map(|folder| folder.join(word));
    paths.find(|path| path.is_file())
}

/// The executable's path; of a process that may not be looked at, its name.
fn executable(process: u32) -> PathBuf {
    match fs::read_link(format!("/proc/{process}/exe")) {
        Ok(path) => OsStr::from_bytes(undeleted(path.as_os_str().as_bytes())).into(),
        Err(_) => {
            let name = fs::read_to_string(format!("/proc/{process}/comm"));
            name.unwrap_or_default().trim_end().into()
        }
    }
}

/// A path without the mark that the kernel sets behind a file that is gone (proc(5)).
fn undeleted(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
}

fn namespaces(process: &str) -> [Option<PathBuf>; 2] {
    ["pid", "user"].map(|kind| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok())
}

/// A process's children: each thread has its own (proc(5)).
fn children(process: u32, threads: Threads) -> Vec<u32> {
    let task = PathBuf::from(format!("/proc/{process}/task"));
    let threads = match threads {
        Threads::First => vec![task.join(process.to_string())],
        Threads::All => {
            let threads = fs::read_dir(task).into_iter().flatten().flatten();
            threads.map(|thread| thread.path()).collect()
        }
    };
    let children = threads.iter().map(|thread| {
        let children = fs::read_to_string(thread.join("children"));
        children.unwrap_or_default()
    });
    let children: Vec<_> = children.collect();
    let children = children.iter().flat_map(|list| list.split_whitespace());
    children.filter_map(|child| child.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;
    use std::process::{Command, Stdio};

    #[test]
    fn children_of_other_threads_are_seen_unless_the_program_ends_soon() {
        // A test runs in a thread of its own.
        let mut child = Command::new("sleep").arg("60").env_clear().spawn().unwrap();
        let mut untracing = Untracing::default();
        let mut look = || {
            untracing.look(std::process::id());
            untracing
                .seen
                .keys()
                .any(|(process, _)| *process == child.id())
        };
        let is_seen_at_first = look();
        let begun = Instant::now();
        let mut is_seen = false;
        while !is_seen && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
            is_seen = look();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_seen_at_first && is_seen && begun.elapsed() > SOON / 2);
    }

    #[test]
    fn descendants_that_lack_the_variables_are_seen() {
        let mut command = Command::new("sh");
        command.args(["-c", "env -i sleep 60; true"]);
        command.envs([("LD_PRELOAD", ""), (overrides::TRACE, "x")]);
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut untracing = Untracing::default();
        let nothing = Recording::default();
        let mut list = Vec::new();
        for _ in 0..500 {
            untracing.look(child.id());
            list = untracing.list(
                &nothing,
                child.id(),
                &ProcessStatus::default(),
                OsStr::new(""),
            );
            if list.iter().any(|untraced| untraced.name() == "sleep") {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let sleeping = children(child.id(), Threads::All);
        for process in sleeping {
            let process = rustix::process::Pid::from_raw(process as i32).unwrap();
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
        let sleep = list.iter().find(|untraced| untraced.name() == "sleep");
        assert_eq!(
            sleep.map(|sleep| sleep.why),
            Some(Why::Environment),
            "{list:?}"
        );
    }

    #[test]
    fn a_program_that_has_told_is_not_listed() {
        let recording = fixture::of(&[(7, "A", None, false)]);
        let mut untracing = Untracing::default();
        let mut see = |process, path: &str, why| {
            untracing.seen.insert((process, path.into()), why);
        };
        see(7, "/usr/bin/p", Some(Why::Environment));
        see(7, "/usr/bin/q", Some(Why::Static));
        see(8, "/usr/bin/p", None);
        see(9, "/usr/bin/p", Some(Why::OtherNamespace));
        see(9, "/usr/bin/q", Some(Why::OtherNamespace));
        let list = untracing.list(&recording, 1, &ProcessStatus::default(), OsStr::new(""));
        let told: Vec<_> = list
            .iter()
            .map(|one| (one.name(), one.process, one.why))
            .collect();
        let wanted = [
            ("q".into(), 7, Why::Static),
            ("q".into(), 9, Why::OtherNamespace),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_program_whose_file_is_gone_is_the_one_that_has_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        // What this process writes, another test's child may hold open (ETXTBSY).
        let copied = Command::new("cp").arg("/bin/sleep").arg(&path).status();
        assert!(copied.unwrap().success());
        let mut child = Command::new(&path).arg("60").env_clear().spawn().unwrap();
        fs::remove_file(&path).unwrap();
        let mut untracing = Untracing::default();
        // For a moment it is between two programs.
        while untracing.seen.is_empty() {
            untracing.look(child.id());
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        let list =
            |recording: &_| untracing.list(recording, 1, &ProcessStatus::default(), OsStr::new(""));
        let mut recording = fixture::of(&[(child.id(), "A", None, false)]);
        assert_eq!(list(&recording), []);
        recording.programs[0].executable = "/bin/p (deleted)".into();
        assert_eq!(list(&recording), []);
        let untraced = list(&Recording::default());
        assert_eq!(untraced[0].executable, path.to_str().unwrap());
        // It has ended, and nobody has waited for it: nothing is known of it.
        let has_ended = || {
            fs::read(format!("/proc/{}/cmdline", child.id()))
                .unwrap()
                .is_empty()
        };
        while !has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(why(child.id(), &Own::read()).is_err());
        let _ = child.wait();
    }

    #[test]
    fn a_script_names_programs_that_may_never_run() {
        let mut recording = fixture::of(&[(7, "A", None, false)]);
        let script = "false && /usr/bin/su root; echo 'x; /sbin/ldconfig y'";
        recording.programs[0].arguments = ["sh", "-c", script].map(Into::into).into();
        let list =
            Untracing::default().list(&recording, 7, &ProcessStatus::default(), OsStr::new("sh"));
        assert_eq!(list, []);
    }

    #[test]
    fn a_program_that_came_and_went_between_two_looks_is_known_by_its_last_name() {
        let mut recording = fixture::of(&[(7, "A", None, false)]);
        recording.programs[0].arguments = ["sh", "-c", "true; exec env x"].map(Into::into).into();
        let untracing = Untracing::default();
        let told = |recording: &Recording, last: &str| {
            let list = untracing.list(recording, 7, &last.into(), OsStr::new(""));
            list.iter()
                .map(|one| (one.name(), one.why))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(&recording, "Name:\tenv\n"),
            [("env".into(), Why::Unknown)]
        );
        recording.programs[0].executable = fs::canonicalize("/usr/bin/env")
            .unwrap()
            .display()
            .to_string();
        assert_eq!(told(&recording, "Name:\tenv\n"), []);
        recording.programs[0].executable = "/bin/p".into();
        // Its own name; none of the words; no program; nothing is known.
        for last in ["Name:\tp\n", "Name:\tMainThread\n", "Name:\tx\n", ""] {
            assert_eq!(told(&recording, last), [], "{last}");
        }
    }

    #[test]
    fn status_tells_name_user_and_capabilities() {
        let text = "Name:\tsh\nUid:\t1\t2\t3\t4\nCapPrm:\t00000000000000ff\n";
        let wanted = Status {
            name: "sh".into(),
            user: Some(2),
            capabilities: Some(0xff),
        };
        assert_eq!(Status::of(&text.into()), wanted);
    }
}

//! A process that is explained: what is known of it, and whether the preload object is in it.

use crate::explain::shell_scripts;
use crate::machine::preload_sources::{PRELOAD_FILE, Source};
use crate::machine::process_facts::ProcessFacts;
use crate::machine::process_state::ProcessState;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::runtimes::boot::StoodDown;
use opentelemetry_injector_policy::{Process, Runtime};
use std::fmt;
use std::time::SystemTime;

/// What is known.
pub struct ExplainedProcess {
    /// The facts that the policy decides by.
    pub facts: ProcessFacts,
    /// Whether its rights differ from its user's (AT_SECURE); `None` where that is not
    /// told.
    pub is_secure: Option<bool>,
    /// Whether the object is in it.
    pub loading: Loading,
    /// Whether it is written in Go.
    pub is_go: bool,
    /// What is known of a process that runs.
    pub live: Option<Live>,
}

/// What is known of a process that runs.
pub struct Live {
    /// Its number.
    pub process: u32,
    /// Whose rights it has, by number.
    pub user: u32,
    /// When it was started.
    pub started: SystemTime,
    /// Whether libc's `getenv` is hooked in its memory; `None` where that cannot be read.
    pub is_hooked: Option<bool>,
    /// Whether Gum's object is in it.
    pub has_gum: bool,
    /// What has come of it inside; `None` where that cannot be read.
    pub state: Option<ProcessState>,
}

impl Live {
    /// Why a boot file has given up inside.
    pub fn stood_down(&self) -> Option<StoodDown> {
        self.state?.stood_down
    }

    /// Whether an agent has been injected and is not taken back; `None` where that cannot be told.
    pub fn is_injected(&self) -> Option<bool> {
        let state = self.state?;
        Some(state.activated.is_some() && state.stood_down.is_none())
    }
}

/// Whether the preload object is in a process.
pub enum Loading {
    /// It is, or will be.
    Loaded(Object),
    /// It is not, or will not be.
    NotLoaded(NotLoaded),
}

/// A loaded object.
pub struct Object {
    /// Its path, as the process sees it.
    pub path: Vec<u8>,
    /// Its version, where that can be read.
    pub version: Option<String>,
    /// Who names it; `None` where nobody does any more.
    pub source: Option<Source>,
    /// The version of the file that has the path now, where it is another file.
    pub replacement: Option<Replacement>,
}

/// What has a loaded object's path now.
#[derive(Debug, PartialEq, Eq)]
pub enum Replacement {
    /// No file.
    Nothing,
    /// Another file; its version, where it has one.
    Object(Option<String>),
}

/// Why the object is not in a process.
#[derive(Debug, PartialEq, Eq)]
pub enum NotLoaded {
    /// The program is linked statically.
    Static,
    /// The program is for another machine, or has 32-bit words.
    Foreign,
    /// Nobody names the object.
    NotNamed {
        /// Whether the program's loader reads no preload file.
        is_musl: bool,
    },
    /// The process was started before this was there, or as it is.
    StartedBefore(Vec<u8>),
    /// The object is named, and this process cannot open it.
    Unreadable {
        /// Who names it.
        source: Source,
        /// What is named.
        path: Vec<u8>,
    },
    /// The object is named, and lies on a file system that is mounted noexec.
    Noexec {
        /// Who names it.
        source: Source,
        /// What is named.
        path: Vec<u8>,
    },
    /// The loader does not take the variable's word in a process with other rights.
    Secure,
    /// The object is named and is there, and the loader has not loaded it.
    Refused {
        /// Who names it.
        source: Source,
        /// What is named.
        path: Vec<u8>,
    },
}

impl NotLoaded {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::Static => "nothing can be injected from outside: link the program \
             dynamically, or instrument it by hand"
                .into(),
            Self::Foreign => "use an object that was built for this kind of program".into(),
            Self::NotNamed { is_musl: true } => {
                "set LD_PRELOAD where the program is started".into()
            }
            Self::NotNamed { is_musl: false } => "`opentelemetry-injector install`, or set \
                                                  LD_PRELOAD where the program is started"
                .into(),
            Self::StartedBefore(_) => "restart the process".into(),
            Self::Unreadable { path, .. } => format!(
                "put the object there; every user must be able to read it and to search its \
                 folders (namei -l {})",
                Lossy(path)
            ),
            Self::Noexec { .. } => "move the object: no program can load it there".into(),
            Self::Secure => "nothing: a program whose rights differ from its user's is never \
             injected"
                .into(),
            Self::Refused { .. } => "start the program with LD_DEBUG=libs in its environment \
             and search for the object's name"
                .into(),
        }
    }
}

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("the program is linked statically: no dynamic loader runs"),
            Self::Foreign => f.write_str("the program is 32-bit, or built for another machine"),
            Self::NotNamed { is_musl: true } => {
                f.write_str("LD_PRELOAD does not name it, and musl's loader reads nothing else")
            }
            Self::NotNamed { is_musl: false } => {
                write!(f, "neither LD_PRELOAD nor {PRELOAD_FILE} names it")
            }
            Self::StartedBefore(path) => {
                write!(f, "the process was started before {} changed", Lossy(path))
            }
            Self::Unreadable { source, path } => write!(
                f,
                "{} names {}, which is missing or not readable by this process",
                source.name(),
                Lossy(path)
            ),
            Self::Noexec { source, path } => write!(
                f,
                "{} names {}, which lies on a file system that is mounted noexec",
                source.name(),
                Lossy(path)
            ),
            Self::Secure => f.write_str("the loader ignores LD_PRELOAD with AT_SECURE"),
            Self::Refused { source, path } => write!(
                f,
                "{} names {}, and the loader has not loaded it",
                source.name(),
                Lossy(path)
            ),
        }
    }
}

/// Libraries that only a runtime loads, by how their names begin.
const LIBRARIES: [(&[u8], Runtime); 8] = [
    (b"libjli.so", Runtime::Jvm),
    (b"libjvm.so", Runtime::Jvm),
    (b"libhostfxr.so", Runtime::Dotnet),
    (b"libcoreclr.so", Runtime::Dotnet),
    (b"libnode.so", Runtime::Nodejs),
    (b"libpython", Runtime::Python),
    (b"libruby", Runtime::Ruby),
    (b"libphp", Runtime::Php),
];

/// The runtime that a process is, or has inside. The preload object recognises by name only what
/// has to be told apart before it asks for anything; whatever else asks for a runtime's variable is
/// answered. So the program's content counts where its name tells nothing.
pub fn runtime(facts: &ProcessFacts) -> Option<Runtime> {
    let launched = |name: &[u8]| {
        Runtime::ALL
            .into_iter()
            .find(|runtime| runtime.launches(name))
    };
    let loaded = || {
        let names = facts.libraries.iter().map(|path| file_name(path));
        let mut runtimes = names.filter_map(|name| {
            let mut libraries = LIBRARIES.into_iter();
            libraries.find_map(|(begin, runtime)| name.starts_with(begin).then_some(runtime))
        });
        runtimes.next()
    };
    // A script is started by its own name, and may be called like a runtime: a shell is none.
    Runtime::of(facts)
        .filter(|_| !shell_scripts::is_shell(facts))
        .or_else(|| launched(file_name(facts.executable())))
        .or_else(loaded)
        .or(facts.linked)
}

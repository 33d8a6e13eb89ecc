//! Which processes get an injected value: only those that provably run the runtime ([`Runtime::proof`]).
//!
//! Other programs also read a runtime's variable, to pass it to their children: CMake, launchers written in C,
//! or Node.js. They get the value of their environment.

use crate::matching::beginnings::Beginnings;
use crate::matching::{glob, texts};
use crate::process::{Process, file_name, is_loader};
use crate::{Configuration, Reason, Runtime};
use alloc::string::String;
use core::ffi::CStr;

/// What proves that a process runs a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its executable is the runtime's own launcher.
    Launcher,
    /// The runtime is inside of it: its library is mapped, or the executable exports its functions.
    Inside,
    /// `processes.include` names its executable.
    Included,
}

/// How the names of launchers begin.
static BEGINNINGS: Beginnings = {
    let mut beginnings = Beginnings::none();
    let mut runtime = 0;
    while runtime < Runtime::ALL.len() {
        beginnings.add(Runtime::ALL[runtime].launchers());
        runtime += 1;
    }
    beginnings
};

impl Runtime {
    /// What proves that a process runs this runtime: the name of its executable, a loaded library, a function that
    /// the executable exports, or `processes.include`. This is expensive, so it is called only when a process
    /// reads one of the runtime's variables.
    ///
    /// # Errors
    /// Why the process is left alone: nothing proves it, or it cannot load an agent in this way.
    pub fn proof(
        self,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Proof, Reason> {
        if self.is_launched(process) {
            return Ok(Proof::Launcher);
        }
        let is_foreign = Self::ALL
            .into_iter()
            .any(|other| other.is_launched(process));
        if self.is_inside(process) {
            return match self {
                // Startup hooks belong to the CLR that runs an application of its own.
                Self::Dotnet if is_foreign || hosts_clr(process) => Err(Reason::Hosted),
                _ => Ok(Proof::Inside),
            };
        }
        if is_foreign {
            return Err(Reason::OtherInterpreter);
        }
        if is_included(process, configuration) {
            Ok(Proof::Included)
        } else {
            Err(Reason::NotProven(self.title()))
        }
    }

    /// The runtime of a process, guessed from the path with which it was started, before it has read any variable.
    /// Programs that embed a runtime cannot be recognised that early: `None`.
    pub fn of(process: &impl Process) -> Option<Self> {
        let name = file_name(process.started_as());
        let mut runtimes = Self::ALL.into_iter();
        runtimes.find(|runtime| runtime.launches(name) || runtime.is_hosted_by(name))
    }

    /// The same, where the first word of the command line counts as well: scripts are started by a path
    /// of their own.
    pub fn at_start(process: &impl Process) -> Option<Self> {
        Self::of(process).or_else(|| {
            let first = process.first_argument();
            let mut runtimes = Self::ALL.into_iter();
            runtimes.find(|runtime| runtime.launches(file_name(&first)))
        })
    }

    /// Whether the executable is one of the runtime's launchers. The path that it was started by
    /// counts as well: of a link, and behind the dynamic loader called by name. A script is started
    /// by a path of its own, but its interpreter's name stands first on the command line.
    pub fn is_launched(self, process: &impl Process) -> bool {
        let executable = file_name(process.executable());
        let started_as = file_name(process.started_as());
        if self.launches(executable) {
            return true;
        }
        self.launches(started_as)
            && (executable.is_empty()
                || is_loader(executable)
                || process
                    .arguments()
                    .first()
                    .is_some_and(|own| self.launches(file_name(own))))
    }

    /// Whether a program is one of the launchers of this runtime, by its file name.
    pub fn launches(self, name: &[u8]) -> bool {
        // How Nixpkgs renames what it wraps (`wrapProgram` in its make-wrapper.sh).
        let wrapped = name
            .strip_prefix(b".")
            .and_then(|name| name.strip_suffix(b"-wrapped"));
        let name = wrapped.unwrap_or(name);
        // Every program that starts comes here, and most names end here.
        if !BEGINNINGS.may_have(name) {
            return false;
        }
        let is_version = |rest: &[u8]| rest.first().is_none_or(u8::is_ascii_digit);
        match self {
            Self::Jvm | Self::Dotnet => texts::has(self.launchers(), name),
            Self::Erlang => {
                texts::has(self.launchers(), name)
                    || name.starts_with(b"beam.") && name.ends_with(b"smp")
            }
            Self::Nodejs | Self::Python | Self::Ruby | Self::Php => {
                let mut rests = texts::words(self.launchers())
                    .filter_map(|own| name.strip_prefix(own.as_bytes()));
                rests.any(|rest| is_version(rest.strip_prefix(b"-").unwrap_or(rest)))
            }
        }
    }

    /// The file names of its launchers, without a version behind them.
    const fn launchers(self) -> &'static str {
        match self {
            Self::Jvm => "java",
            Self::Nodejs => "node nodejs",
            Self::Python => "python pypy pypy3-c pypy-c",
            // Fedora's and openSUSE's names.
            Self::Ruby => "ruby ruby-mri ruby.ruby",
            Self::Php => "php php-cgi php-fpm phpdbg lsphp",
            Self::Erlang => "erlexec beam",
            Self::Dotnet => "dotnet",
        }
    }

    /// Whether a program of this name often has the runtime inside: it is only told from others once
    /// the library is there.
    fn is_hosted_by(self, name: &[u8]) -> bool {
        self == Self::Php && (name == b"apache2" || name == b"httpd")
    }

    /// Whether the runtime's library is mapped, or the executable brings it along.
    pub fn is_inside(self, process: &impl Process) -> bool {
        let mut libraries = texts::words(self.libraries());
        libraries.any(|name| process.loaded_library(name).is_some())
            || self.function().is_some_and(|name| process.exports(name))
    }

    /// What the file names of the runtime's library begin with, separated by blanks.
    const fn libraries(self) -> &'static str {
        match self {
            Self::Jvm => "libjvm.so",
            Self::Nodejs => "libnode.so",
            Self::Python => "libpython2 libpython3 libpypy",
            Self::Ruby => "libruby.so libruby-",
            Self::Php => "libphp.so libphp5 libphp7 libphp8",
            Self::Erlang => "",
            Self::Dotnet => "libhostfxr.so",
        }
    }

    /// A function that an executable exports for extensions where it has the runtime inside (Python's
    /// C API, `node::Start`, `ruby.h`, `main/php.h`).
    pub const fn function(self) -> Option<&'static CStr> {
        match self {
            Self::Python => Some(c"Py_Main"),
            Self::Nodejs => Some(c"_ZN4node5StartEiPPc"),
            Self::Ruby => Some(c"ruby_sysinit"),
            Self::Php => Some(c"php_module_startup"),
            Self::Jvm | Self::Erlang | Self::Dotnet => None,
        }
    }
}

/// Whether something else than the .NET host's own launcher has loaded it: libnethost is what
/// programs find it by, and another runtime's library is there before.
fn hosts_clr(process: &impl Process) -> bool {
    let is_other = |runtime: &Runtime| *runtime != Runtime::Dotnet;
    let mut others = Runtime::ALL.into_iter().filter(is_other);
    process.loaded_library("libnethost.so").is_some()
        || others.any(|other| other.is_inside(process))
}

/// Whether `processes.include` names the executable. A pattern for a whole folder says only which
/// runtimes are wanted.
fn is_included(process: &impl Process, configuration: &Configuration) -> bool {
    let names = |pattern: &&String| {
        let pattern = pattern.as_bytes();
        let is_literal = |byte: &u8| !b"*?".contains(byte);
        file_name(pattern).iter().any(is_literal)
            && glob::matches_path(pattern, process.executable())
    };
    let include = configuration.processes.include.as_deref();
    include
        .unwrap_or_default()
        .iter()
        .any(|pattern| names(&pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::vec;

    fn process(executable: &str, libraries: &[&str]) -> Fixture {
        Fixture {
            executable: executable.into(),
            libraries: libraries.iter().map(|l| String::from(*l)).collect(),
            ..Fixture::default()
        }
    }

    fn proof(runtime: Runtime, process: &Fixture) -> Result<Proof, Reason> {
        runtime.proof(process, &Configuration::default())
    }

    #[test]
    fn launchers_are_known_by_name_and_others_are_not() {
        for (runtime, launchers, others) in [
            (Runtime::Jvm, "java", "javaws java-helper"),
            (
                Runtime::Nodejs,
                "node nodejs node-20 node22 .node-wrapped",
                "node_exporter nodemon node-gyp noded",
            ),
            (
                Runtime::Python,
                "python python3 python3.11 python3.13t python-2.7 pypy pypy3 pypy3.9 pypy3-c",
                "python-config pythonize pypyserver gdb",
            ),
            (
                Runtime::Ruby,
                "ruby ruby3.1 ruby-mri ruby.ruby3.2",
                "rubymine ruby-build",
            ),
            (
                Runtime::Php,
                "php php8.2 php82 php-cgi8.2 php-fpm php-fpm8.2 phpdbg lsphp",
                "phpunit php-config phpstorm apache2",
            ),
            (
                Runtime::Erlang,
                "erlexec beam.smp beam.debug.smp beam",
                "beamer erl",
            ),
            (Runtime::Dotnet, "dotnet", "dotnet-watch"),
        ] {
            for name in launchers.split(' ') {
                let path = String::from("/usr/bin/") + name;
                assert_eq!(
                    proof(runtime, &process(&path, &[])),
                    Ok(Proof::Launcher),
                    "{name}"
                );
            }
            for name in others.split(' ') {
                let path = String::from("/usr/bin/") + name;
                let outcome = proof(runtime, &process(&path, &[]));
                assert_eq!(outcome, Err(Reason::NotProven(runtime.title())), "{name}");
            }
        }
    }

    #[test]
    fn a_runtime_inside_of_a_program_is_known_by_its_library_or_its_functions() {
        for (runtime, library) in [
            (Runtime::Jvm, "/jdk/lib/server/libjvm.so"),
            (Runtime::Nodejs, "/lib/libnode.so.108"),
            (Runtime::Python, "/lib/libpython3.11.so.1.0"),
            (Runtime::Python, "/lib/libpypy3-c.so"),
            (Runtime::Ruby, "/lib/libruby-3.1.so.3.1"),
            (Runtime::Php, "/usr/lib/apache2/modules/libphp8.2.so"),
            (Runtime::Dotnet, "/dotnet/host/fxr/8.0.4/libhostfxr.so"),
        ] {
            let embedder = process("/srv/server", &["/lib/libc.so.6", library]);
            assert_eq!(proof(runtime, &embedder), Ok(Proof::Inside), "{library}");
        }
        let mut renamed = process("/srv/server", &["/lib/libpythonista.so"]);
        assert!(proof(Runtime::Python, &renamed).is_err());
        renamed.exports.push("Py_Main".into());
        assert_eq!(proof(Runtime::Python, &renamed), Ok(Proof::Inside));
        assert!(proof(Runtime::Ruby, &renamed).is_err());
    }

    #[test]
    fn another_runtime_hands_a_value_on_unless_it_has_this_one_inside() {
        let node = process("/usr/bin/node", &[]);
        for runtime in Runtime::ALL {
            let wanted = match runtime {
                Runtime::Nodejs => Ok(Proof::Launcher),
                _ => Err(Reason::OtherInterpreter),
            };
            assert_eq!(proof(runtime, &node), wanted, "{runtime:?}");
        }
        let with_jvm = process("/usr/bin/python3.11", &["/jdk/lib/server/libjvm.so"]);
        assert_eq!(proof(Runtime::Jvm, &with_jvm), Ok(Proof::Inside));
    }

    #[test]
    fn a_clr_inside_of_another_runtime_is_left_alone() {
        let host = "/dotnet/host/fxr/8.0.4/libhostfxr.so";
        for (executable, library) in [
            ("/usr/bin/node", ""),
            ("/usr/bin/python3.11", ""),
            ("/usr/bin/uwsgi", "/lib/libpython3.11.so.1.0"),
            ("/opt/app/electron", "/opt/app/libnode.so"),
            ("/srv/native", "/dotnet/libnethost.so"),
        ] {
            let hosting = process(executable, &[host, library]);
            assert_eq!(
                proof(Runtime::Dotnet, &hosting),
                Err(Reason::Hosted),
                "{executable}"
            );
        }
        let application = process("/srv/shop", &[host]);
        assert_eq!(proof(Runtime::Dotnet, &application), Ok(Proof::Inside));
        let launcher = process("/usr/bin/dotnet", &[host]);
        assert_eq!(proof(Runtime::Dotnet, &launcher), Ok(Proof::Launcher));
    }

    #[test]
    fn a_link_is_told_from_a_script() {
        let started = |executable: &str, started_as: &str, own_name: &str| Fixture {
            executable: executable.into(),
            started_as: Some(started_as.into()),
            arguments: vec![own_name.into()],
            ..Fixture::default()
        };
        let python = Runtime::Python;
        for (executable, started_as, own_name, wanted) in [
            ("/opt/x/interpreter", "/usr/bin/python3", "python3", true),
            (
                "/usr/bin/lua5.4",
                "/usr/local/bin/python3",
                "/usr/bin/lua",
                false,
            ),
            (
                "/lib64/ld-linux-x86-64.so.2",
                "/usr/bin/python3",
                "/lib64/ld.so",
                true,
            ),
            ("/usr/bin/node", "/usr/local/bin/python3", "node", false),
            ("", "/usr/bin/python3", "", true),
        ] {
            let process = started(executable, started_as, own_name);
            assert_eq!(python.is_launched(&process), wanted, "{executable}");
        }
    }

    #[test]
    fn the_configuration_may_name_a_program_but_no_folder_proves_it() {
        let mut configuration = Configuration::default();
        let cmake = process("/usr/bin/cmake", &[]);
        for (pattern, wanted) in [
            ("cmake", Ok(Proof::Included)),
            ("/usr/*/cm*", Ok(Proof::Included)),
            ("/usr/bin/*", Err(Reason::NotProven("Python"))),
            ("*", Err(Reason::NotProven("Python"))),
            ("make", Err(Reason::NotProven("Python"))),
        ] {
            configuration.processes.include = Some(vec![pattern.into()]);
            assert_eq!(
                Runtime::Python.proof(&cmake, &configuration),
                wanted,
                "{pattern}"
            );
        }
        configuration.processes.include = Some(vec!["node".into()]);
        let node = process("/usr/bin/node", &[]);
        let foreign = Runtime::Python.proof(&node, &configuration);
        assert_eq!(foreign, Err(Reason::OtherInterpreter));
    }
}

//! The programs: each asks for an address, which every agent makes a span of, or makes one by hand where
//! the runtime's agent instruments nothing by itself.

use opentelemetry_injector_policy::Runtime;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A program in a folder of its own.
pub struct Program {
    /// The runtime's launcher.
    pub launcher: PathBuf,
    /// The arguments in front of the address.
    pub arguments: Vec<OsString>,
    /// Where it is.
    pub folder: TempDir,
}

/// Writes the program of a runtime.
///
/// # Errors
/// There is no room for temporary files.
pub fn of(runtime: Runtime, launcher: &Path) -> io::Result<Program> {
    let folder = tempfile::Builder::new()
        .prefix("opentelemetry-injector-")
        .tempdir()?;
    let (files, arguments) = parts(runtime);
    for (name, content) in files {
        fs::write(folder.path().join(name), content)?;
    }
    let arguments = arguments.iter().map(|word| match word.strip_prefix("./") {
        Some(file) => folder.path().join(file).into(),
        None => OsString::from(word),
    });
    Ok(Program {
        launcher: launcher.into(),
        arguments: arguments.collect(),
        folder,
    })
}

type File = (&'static str, &'static [u8]);

/// Files, and arguments; those that begin with `./` are files.
fn parts(runtime: Runtime) -> (&'static [File], &'static [&'static str]) {
    match runtime {
        Runtime::Jvm => (
            &[("Request.class", include_bytes!("programs/Request.class"))],
            &["-cp", "./", "Request"],
        ),
        Runtime::Nodejs => (
            &[("request.js", include_bytes!("programs/request.js"))],
            &["./request.js"],
        ),
        Runtime::Python => (
            &[("request.py", include_bytes!("programs/request.py"))],
            &["./request.py"],
        ),
        Runtime::Ruby => (
            &[("request.rb", include_bytes!("programs/request.rb"))],
            &["./request.rb"],
        ),
        Runtime::Php => (
            &[("request.php", include_bytes!("programs/request.php"))],
            &["./request.php"],
        ),
        Runtime::Erlang => (
            &[],
            &[
                "-noshell",
                "-noinput",
                "-eval",
                include_str!("programs/request.erl"),
                "-extra",
            ],
        ),
        Runtime::Dotnet => (
            &[
                ("Request.dll", include_bytes!("programs/Request.dll")),
                (
                    "Request.runtimeconfig.json",
                    include_bytes!("programs/Request.runtimeconfig.json"),
                ),
            ],
            &["./Request.dll"],
        ),
    }
}

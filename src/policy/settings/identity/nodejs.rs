//! Node.js: `package.json` above the script.

use super::application_files::Reader;
use super::{Named, Told, names, paths};
use crate::Process;
use crate::process::directory;
use crate::runtimes::nodejs::is_single_executable;
use crate::runtimes::nodejs::options::command_line;
use alloc::vec::Vec;

const MANIFEST: &str = "package.json";
const MODULES: &[u8] = b"/node_modules/";

/// How Passenger loads an application, in the folder of which it starts.
const PASSENGER: &[u8] = b"/helper-scripts/node-loader.js";

/// The name of what a Node.js process runs.
pub fn named(process: &impl Process) -> Option<Named> {
    if is_single_executable(process) {
        return Some((
            paths::of_program(&process.program(), process, "program")?,
            None,
        ));
    }
    let arguments = process.arguments();
    let script = command_line(&arguments).script?;
    // `--entry-url` takes an address.
    let script = script.strip_prefix(b"file://").unwrap_or(script);
    let script = paths::absolute(script, process);
    // pm2 starts its own script, which loads the application's.
    let script = match process.variable("pm_exec_path") {
        Some(path) if ends_with_module(&script, b"pm2") => path,
        _ => script,
    };
    let reader = Reader::new(process);
    match position(&script) {
        // A tool that is installed runs the project that it is started in.
        Some(at) => {
            let folder = process.working_directory();
            let project = reader.manifest(&folder, MANIFEST);
            project.or_else(|| {
                // Where it is installed in a folder of the project, that one is meant.
                let above = script.get(..at).unwrap_or_default();
                if paths::is_within(&folder, above)
                    && let Some(name) = paths::of_folder(above, "project")
                {
                    return Some((name, None));
                }
                let module = script.get(at + MODULES.len()..).unwrap_or_default();
                Some((of_module(module)?, None))
            })
        }
        None if script.ends_with(PASSENGER) => {
            let folder = process.working_directory();
            let alone = || Some((paths::of_folder(&folder, "application folder")?, None));
            reader.manifest(&folder, MANIFEST).or_else(alone)
        }
        None => {
            // `node .` runs what the folder's manifest names.
            let is_folder = process.is_folder(&script);
            let folder = if is_folder {
                script.as_slice()
            } else {
                directory(&script)
            };
            let found = reader.manifest(folder, MANIFEST);
            let alone = || Some((paths::of_program(&script, process, "script")?, None));
            found.or_else(alone)
        }
    }
}

/// Where the last folder of installed modules is in a path.
fn position(script: &[u8]) -> Option<usize> {
    let mut windows = script.windows(MODULES.len());
    windows.rposition(|window| window == MODULES)
}

fn ends_with_module(script: &[u8], module: &[u8]) -> bool {
    let rest = position(script).and_then(|at| script.get(at + MODULES.len()..));
    rest.is_some_and(|rest| rest.split(|byte| *byte == b'/').next() == Some(module))
}

/// The name of an installed module: `serve/bin/serve.js`, `@scope/name/cli.js`, `.bin/serve`.
fn of_module(path: &[u8]) -> Option<Told> {
    let mut parts = path.split(|byte| *byte == b'/');
    let first = parts.next()?;
    let name = if first.starts_with(b"@") || first == b".bin" {
        parts.next()?
    } else {
        first
    };
    Some(Told::new(names::usable(name)?, "module", Vec::from(path)))
}

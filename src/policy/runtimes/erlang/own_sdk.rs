//! Whether the application brings the SDK (the application `opentelemetry`) itself. Its own configuration
//! would be lost behind ours.

use super::services;
use crate::process::file_name;
use crate::{Process, Reason};
use alloc::vec::Vec;

/// Says where the application's own SDK was found.
///
/// `given` is what Erlang's launcher reads, `extra` what stands behind `-extra`. A code path that is made later
/// cannot be seen from here: the boot file then leaves out every application that the node already has.
///
/// # Errors
/// [`Reason::OwnSdk`].
pub fn is_absent(
    given: &[Vec<u8>],
    extra: &[Vec<u8>],
    process: &impl Process,
) -> Result<(), Reason> {
    let found = in_release(given, process)
        .or_else(|| in_code_path(given, process))
        .or_else(|| in_libraries(process))
        .or_else(|| in_project(extra, process));
    found.map_or(Ok(()), |place| Err(Reason::OwnSdk { place }))
}

/// The boot script of a release has the folder of each of its applications.
fn in_release(given: &[Vec<u8>], process: &impl Process) -> Option<Vec<u8>> {
    let script = services::values(given, b"-boot").next()?;
    let path = [script, b".boot".as_slice()].concat();
    let content = process.content(&path)?;
    let is_its_folder = |rest: &[u8]| {
        rest.strip_prefix(b"/opentelemetry").is_some_and(|rest| {
            let version = rest.strip_prefix(b"-").and_then(<[u8]>::first);
            rest.starts_with(b"/ebin") || version.is_some_and(u8::is_ascii_digit)
        })
    };
    let starts = content
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/');
    let mut folders = starts.map(|(start, _)| content.get(start..).unwrap_or_default());
    folders.any(is_its_folder).then_some(path)
}

fn in_code_path(given: &[Vec<u8>], process: &impl Process) -> Option<Vec<u8>> {
    let folders = services::values(given, b"-pa").chain(services::values(given, b"-pz"));
    first_readable(
        folders.map(|folder| [folder, b"/opentelemetry.app"].concat()),
        process,
    )
}

fn in_libraries(process: &impl Process) -> Option<Vec<u8>> {
    let folders = process.variable("ERL_LIBS")?;
    let folders = folders.split(|byte| *byte == b':');
    let file = b"/opentelemetry/ebin/opentelemetry.app".as_slice();
    first_readable(folders.map(|folder| [folder, file].concat()), process)
}

/// A project of Mix tells its dependencies in `mix.lock`; their code path is made by a task.
fn in_project(extra: &[Vec<u8>], process: &impl Process) -> Option<Vec<u8>> {
    extra.iter().find(|word| file_name(word) == b"mix")?;
    let lock = process.content(b"mix.lock")?;
    let mut lines = lock.split(|byte| *byte == b'\n');
    let is_the_sdk = |line: &[u8]| line.trim_ascii_start().starts_with(b"\"opentelemetry\":");
    lines.any(is_the_sdk).then(|| b"mix.lock".to_vec())
}

fn first_readable(
    mut files: impl Iterator<Item = Vec<u8>>,
    process: &impl Process,
) -> Option<Vec<u8>> {
    files.find(|file| process.is_readable_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_ascii_whitespace().map(Vec::from).collect()
    }

    #[test]
    fn an_sdk_is_found_where_the_node_will_find_it() {
        let boot = "..$ROOT/lib/opentelemetry-1.4.0/ebin..";
        let lock = "%{\n  \"opentelemetry\": {:hex, :opentelemetry, \"1.4.0\"},\n}\n";
        let process = Fixture {
            readable: [
                "/own/ebin/opentelemetry.app",
                "/libs/opentelemetry/ebin/opentelemetry.app",
            ]
            .map(Into::into)
            .into(),
            contents: [("/r/1/start.boot", boot), ("mix.lock", lock)]
                .map(|(path, text)| (path.into(), text.into()))
                .into(),
            ..Fixture::default()
        };
        let place = |given: &str, extra: &str, process: &Fixture| match is_absent(
            &words(given),
            &words(extra),
            process,
        ) {
            Err(Reason::OwnSdk { place }) => alloc::string::String::from_utf8(place).unwrap(),
            outcome => alloc::format!("{outcome:?}"),
        };
        assert_eq!(place("-boot /r/1/start", "", &process), "/r/1/start.boot");
        let path = "-s x -pa /a /own/ebin +P 1";
        assert_eq!(place(path, "", &process), "/own/ebin/opentelemetry.app");
        let mix = "-extra /usr/bin/mix phx.server";
        assert_eq!(place("", mix, &process), "mix.lock");
        assert_eq!(
            place("-boot /r/2/start -pa /a", "-extra x", &process),
            "Ok(())"
        );
        let mut with_libraries = process;
        with_libraries
            .variables
            .insert("ERL_LIBS".into(), "/a:/libs".into());
        let found = "/libs/opentelemetry/ebin/opentelemetry.app";
        assert_eq!(place("", "", &with_libraries), found);
    }

    #[test]
    fn the_api_alone_is_no_sdk() {
        let boot = "/lib/opentelemetry_api-1.3.0/ebin /x/opentelemetry-experimental/ebin";
        let lock = "  \"opentelemetry_api\": {:hex},\n  # \"opentelemetry\":\n";
        let process = Fixture {
            contents: [("/r/start.boot", boot), ("mix.lock", lock)]
                .map(|(path, text)| (path.into(), text.into()))
                .into(),
            ..Fixture::default()
        };
        let outcome = is_absent(&words("-boot /r/start"), &words("-extra mix"), &process);
        assert_eq!(outcome, Ok(()));
    }
}

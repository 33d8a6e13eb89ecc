//! Files that contain Node.js options. Node.js reads them only if `getenv` returns no `NODE_OPTIONS`, not
//! even an empty one. An answer of ours would discard their options, including `--permission`.

use crate::runtimes::nodejs::options::{is_option, own_value};
use crate::{Process, Reason};
use alloc::vec::Vec;

/// What a file of variables has to have in it to give options.
const NAME: &[u8] = b"NODE_OPTIONS";

/// Options that name a file of variables (`Dotenv::GetDataFromArgs` in `src/node_dotenv.cc`): Node
/// looks for them up to `--`, behind the script as well. Those that end with `?` may be missing.
const VARIABLES: &str = "--env-file --env-file-if-exists?";

/// Options by which a configuration in JSON is read (`ConfigReader::GetDataFromArgs` in
/// `src/node_config_file.cc`). What it may say grows with each version.
const CONFIGURATIONS: &str = "--experimental-config-file --experimental-default-config-file";

/// Leaves the process alone where a file may give options.
///
/// # Errors
/// [`Reason::NodeOptionsInFile`], with the option or the file.
pub fn refuse(arguments: &[Vec<u8>], process: &impl Process) -> Result<(), Reason> {
    for (index, argument) in arguments.iter().enumerate() {
        if CONFIGURATIONS
            .split(' ')
            .any(|name| is_option(argument, name))
        {
            return Err(Reason::NodeOptionsInFile(argument.clone()));
        }
        for option in VARIABLES.split(' ') {
            let name = option.trim_end_matches('?');
            if !is_option(argument, name) {
                continue;
            }
            let next = || arguments.get(index + 1).map(Vec::as_slice);
            let path = own_value(argument).or_else(next).unwrap_or_default();
            if may_give_options(path, option != name, process) {
                return Err(Reason::NodeOptionsInFile(path.into()));
            }
        }
    }
    Ok(())
}

/// A name cannot be written in another way in such a file. What is no regular file, or too long to
/// be looked at, may have anything in it, and a pipe is not to be read before Node reads it.
fn may_give_options(path: &[u8], may_be_missing: bool, process: &impl Process) -> bool {
    if may_be_missing && process.is_absent(path) {
        return false;
    }
    // The kernel tells no length of its files, and so they would seem to be empty.
    let is_regular = !path.starts_with(b"/proc/") && process.is_readable_file(path);
    let content = is_regular.then(|| process.content(path)).flatten();
    content.is_none_or(|content| content.windows(NAME.len()).any(|window| window == NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::vec;

    fn refused(line: &str) -> bool {
        let mut process = Fixture::default();
        for (path, content) in [
            (".env", "PORT=1\nOTEL_SERVICE_NAME=shop\n"),
            ("options", "PORT=1\n  export NODE_OPTIONS = '--permission'"),
        ] {
            process.contents.insert(path.into(), content.into());
        }
        process.readable = vec![".env".into(), "options".into()];
        process.folders.push("pipe".into());
        let words: Vec<_> = line.split(' ').map(Vec::from).collect();
        refuse(&words, &process).is_err()
    }

    #[test]
    fn a_file_with_options_keeps_ours_out() {
        for line in [
            "node --env-file=options app.js",
            "node --env-file options app.js",
            "node --env-file=.env --env-file-if-exists=options app.js",
            "node app.js --env-file options",
            "node --env-file=missing app.js",
            "node --env-file",
            "node --env-file-if-exists=pipe app.js",
            "node --experimental-config-file=x.json app.js",
            "node --experimental-default-config-file app.js",
        ] {
            assert!(refused(line), "{line}");
        }
    }

    #[test]
    fn others_do_not() {
        for line in [
            "node --env-file=.env app.js",
            "node --env-file-if-exists missing app.js",
            "node app.js --env-files options",
        ] {
            assert!(!refused(line), "{line}");
        }
    }
}

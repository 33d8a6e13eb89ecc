//! Values of ours that a parent process has passed on.
//!
//! A program that is no runtime gets nothing to pass on, but a runtime may: Nixpkgs' wrappers in C have
//! the interpreter's name, and Node.js builds a child's environment from `getenv`'s answers. Then the
//! child finds our part in its environment. It activates the agent once, like an answer, and a boot file
//! restores the user's part, so that the child's own children see nothing of it.

use crate::{Process, Runtime, Variable};
use alloc::vec::Vec;

/// The user's part of a value in which our boot files stand; `None` where they do not, and for runtimes
/// without a boot file that could put it back.
pub fn users_part(variable: Variable, value: &[u8], process: &impl Process) -> Option<Vec<u8>> {
    let folder = |name: &str| [process.boot_folder(), b"/", name.as_bytes()].concat();
    let users = match variable.runtime() {
        Runtime::Python => without_items(value, b":", |item| item == folder("python")),
        Runtime::Php => without_items(value, b":", |item| item == folder("php/ini")),
        Runtime::Ruby => {
            let beginning = [b"-r", folder("ruby/").as_slice()].concat();
            without_items(value, b" ", |item| item.starts_with(&beginning))
        }
        Runtime::Nodejs => without_requires(value, &folder("nodejs/")),
        Runtime::Jvm | Runtime::Erlang | Runtime::Dotnet => return None,
    };
    (users != value).then_some(users)
}

fn without_items(value: &[u8], separator: &[u8], is_ours: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let items = value.split(|byte| separator.contains(byte));
    let kept: Vec<_> = items.filter(|item| !is_ours(item)).collect();
    kept.join(separator)
}

/// Without each `--require` of a file in `folder`, and the blank behind it; all other bytes stay.
fn without_requires(value: &[u8], folder: &[u8]) -> Vec<u8> {
    const OPTION: &[u8] = b"--require ";
    let mut kept = Vec::new();
    let mut rest = value;
    while let Some(byte) = rest.first() {
        let behind = rest.strip_prefix(OPTION).map(|behind| {
            let end = word_end(behind);
            behind.split_at(end)
        });
        match behind {
            Some((word, behind)) if is_in(word, folder) => {
                rest = behind.strip_prefix(b" ").unwrap_or(behind);
            }
            _ => {
                kept.push(*byte);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    kept
}

/// Where a word of `NODE_OPTIONS` ends: at a blank outside of quotes.
fn word_end(text: &[u8]) -> usize {
    let mut quoted = false;
    let end = text.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b' ' && !quoted
    });
    end.unwrap_or(text.len())
}

fn is_in(word: &[u8], folder: &[u8]) -> bool {
    let plain: Vec<u8> = word
        .iter()
        .copied()
        .filter(|byte| !b"\"\\".contains(byte))
        .collect();
    plain.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    #[test]
    fn the_users_part_is_what_is_left() {
        let users = |variable: Variable, value: &str| {
            let part = users_part(variable, value.as_bytes(), &Fixture::default());
            part.map(|part| String::from_utf8(part).unwrap())
        };
        for (variable, value, wanted) in [
            (
                Variable::Pythonpath,
                "/mylib:/boot/python:/a",
                Some("/mylib:/a"),
            ),
            (Variable::Pythonpath, "/boot/python", Some("")),
            (Variable::Pythonpath, "/boot/pythonista", None),
            (Variable::PhpIniScanDir, ":/boot/php/ini", Some("")),
            (
                Variable::Rubyopt,
                "-w -r/boot/ruby/boot.rb -d",
                Some("-w -d"),
            ),
            (
                Variable::NodeOptions,
                "--require /boot/nodejs/register.cjs --title=x",
                Some("--title=x"),
            ),
            (
                Variable::NodeOptions,
                "-r a --require \"/boot/nodejs/x y.cjs\"",
                Some("-r a "),
            ),
            (Variable::NodeOptions, "--require /boots/nodejs/a", None),
            (
                Variable::JavaToolOptions,
                "-javaagent:/otel/agent.jar",
                None,
            ),
        ] {
            assert_eq!(users(variable, value).as_deref(), wanted, "{value}");
        }
    }
}

//! The script that an interpreter was started with, by its command line.

use crate::process::file_name;
use crate::{Configuration, Reason};
use alloc::vec::Vec;

/// How a runtime's command line is read.
pub struct CommandLine {
    /// Options whose value is the next argument, such as `-I`.
    pub with_value: &'static [&'static str],
    /// Options that bring the program along, so that there is no script, such as `-e`.
    pub instead: &'static [&'static str],
}

impl CommandLine {
    /// The script and what follows it; empty where there is none.
    pub fn script<'a>(&self, arguments: &'a [Vec<u8>]) -> &'a [Vec<u8>] {
        let is = |names: &[&str], argument: &[u8]| names.iter().any(|n| n.as_bytes() == argument);
        let mut rest = arguments.get(1..).unwrap_or_default();
        while let [argument, after @ ..] = rest {
            if is(self.instead, argument) {
                return &[];
            }
            if !argument.starts_with(b"-") || argument == b"-" {
                return rest;
            }
            let skipped = usize::from(is(self.with_value, argument));
            rest = after.get(skipped..).unwrap_or_default();
        }
        &[]
    }
}

/// Leaves a runtime's own tools alone, unless the configuration itself says by
/// `processes.include_arguments` which command lines are wanted.
///
/// # Errors
/// The script is one of `tools`. A version behind the name (`gem3.1`, `phar8.2`) belongs to none.
pub fn is_no_tool(
    script: &[u8],
    tools: &[&'static str],
    configuration: &Configuration,
) -> Result<(), Reason> {
    let name = file_name(script);
    let end = name.iter().rposition(|b| !b.is_ascii_digit() && *b != b'.');
    let name = name.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
    let tool = tools.iter().find(|tool| tool.as_bytes() == name);
    match (tool, &configuration.processes.include_arguments) {
        (Some(tool), None) => Err(Reason::BuiltInArgumentDenial(tool)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_behind_options() {
        let line = CommandLine {
            with_value: &["-I"],
            instead: &["-e"],
        };
        let script = |text: &str| {
            let words: Vec<_> = text.split(' ').map(Vec::from).collect();
            line.script(&words).join(&b' ')
        };
        assert_eq!(script("ruby -w -I lib a.rb -e"), b"a.rb -e");
        assert_eq!(script("ruby - x"), b"- x");
        assert_eq!(script("ruby -e 1 a.rb"), b"");
        assert_eq!(script("ruby -I"), b"");
        assert_eq!(script("ruby"), b"");
    }

    #[test]
    fn tools_are_told_with_and_without_a_version() {
        let configuration = Configuration::default();
        let outcome = |script: &str| is_no_tool(script.as_bytes(), &["gem"], &configuration);
        for script in ["gem", "/usr/bin/gem3.1", "/x/gem3"] {
            assert_eq!(
                outcome(script),
                Err(Reason::BuiltInArgumentDenial("gem")),
                "{script}"
            );
        }
        for script in ["gems", "/gem/x", "3.1", ""] {
            assert_eq!(outcome(script), Ok(()), "{script}");
        }
    }
}

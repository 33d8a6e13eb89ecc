//! Rules that cannot have the intended effect.

use super::{Match, Rule};
use crate::Runtime;
use crate::matching::glob;
use crate::process::file_name;
use alloc::{string::String, vec::Vec};
use core::fmt;

/// What is wrong with a rule as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No process can match: the key of `match`, and why.
    NeverMatches {
        /// For example `unit`.
        key: &'static str,
        /// Why.
        why: &'static str,
    },
    /// An earlier rule matches whatever this one matches, and gives the same keys.
    Shadowed {
        /// The place of the earlier one.
        by: super::Place,
        /// The keys that are never taken from this rule.
        keys: Vec<String>,
        /// Whether it has no other keys.
        wholly: bool,
    },
    /// It says nothing of the processes that match.
    SaysNothing,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverMatches { key, why } => {
                write!(f, "this rule never matches: `match.{key}` {why}")
            }
            Self::Shadowed { by, keys, wholly } => {
                if *wholly {
                    f.write_str("this rule")?
                } else {
                    write!(f, "`{}` of this rule", keys.join("`, `"))?
                }
                write!(
                    f,
                    " has no effect: the rule at {by} comes first and matches all that it does"
                )
            }
            Self::SaysNothing => f.write_str("this rule has nothing beside `match`"),
        }
    }
}

/// What is wrong with each rule, by its index.
pub fn flaws(rules: &[Rule]) -> Vec<(usize, Flaw)> {
    let mut flaws = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.keys().is_empty() {
            flaws.push((index, Flaw::SaysNothing));
        } else if let Some((key, why)) = never_matches(&rule.matches) {
            flaws.push((index, Flaw::NeverMatches { key, why }));
        } else {
            let earlier = rules.get(..index).unwrap_or_default();
            flaws.extend(shadowed(rule, earlier).map(|flaw| (index, flaw)));
        }
    }
    flaws
}

fn never_matches(matches: &Match) -> Option<(&'static str, &'static str)> {
    let has_slash = |pattern: &str| pattern.contains('/');
    let is_free = |pattern: &str| pattern.starts_with(['/', '*', '?']);
    let all = |patterns: &[String], never: &dyn Fn(&str) -> bool| {
        !patterns.is_empty() && patterns.iter().all(|pattern| never(pattern))
    };
    let is_relative = |pattern: &str| has_slash(pattern) && !is_free(pattern);
    let has_unit_type = |pattern: &str| {
        let types = [
            ".timer", ".socket", ".target", ".mount", ".path", ".slice", ".device",
        ];
        pattern.is_empty() || has_slash(pattern) || types.iter().any(|kind| pattern.ends_with(kind))
    };
    let is_no_user = |pattern: &str| pattern.is_empty() || pattern.contains(['/', ':']);
    let is_no_name = |name: &String| name.is_empty() || name.contains(['=', '\0']);
    match () {
        () if all(&matches.executable, &|p| {
            p.is_empty() || is_relative(p) || p.ends_with('/')
        }) =>
        {
            Some(("executable", "takes a file's name or an absolute path"))
        }
        () if all(&matches.working_directory, &|p| {
            !is_free(p) || p.len() > 1 && p.ends_with('/')
        }) =>
        {
            Some((
                "working_directory",
                "takes an absolute path, without `/` at its end",
            ))
        }
        () if all(&matches.unit, &has_unit_type) => Some((
            "unit",
            "takes the name of a service or scope: no other unit has processes",
        )),
        () if all(&matches.user, &is_no_user) => Some(("user", "takes a name or a number")),
        () if all(&matches.container, &|p| p.is_empty() || has_slash(p)) => {
            Some(("container", "takes a name or an identifier"))
        }
        () if matches.environment.keys().any(is_no_name) => {
            Some(("environment", "names a variable that cannot be set"))
        }
        () if is_of_other_runtime(matches) => {
            Some(("runtime", "is another one than the executable's"))
        }
        () => None,
    }
}

/// Whether every executable is a launcher, and of none of the runtimes.
fn is_of_other_runtime(matches: &Match) -> bool {
    let launched = |pattern: &String| {
        let name = file_name(pattern.as_bytes());
        Runtime::ALL
            .into_iter()
            .find(|runtime| !name.contains(&b'*') && runtime.launches(name))
    };
    let is_other = |pattern: &String| {
        launched(pattern).is_some_and(|runtime| !matches.runtime.contains(&runtime))
    };
    !matches.runtime.is_empty()
        && !matches.executable.is_empty()
        && matches.executable.iter().all(is_other)
}

fn shadowed(rule: &Rule, earlier: &[Rule]) -> Option<Flaw> {
    let own = rule.keys();
    earlier.iter().find_map(|other| {
        let theirs = other.keys();
        let keys: Vec<_> = own
            .iter()
            .filter(|key| theirs.contains(key))
            .cloned()
            .collect();
        (!keys.is_empty() && covers(&other.matches, &rule.matches)).then(|| Flaw::Shadowed {
            by: other.place.clone(),
            wholly: keys.len() == own.len(),
            keys,
        })
    })
}

/// Whether everything that `narrow` matches is matched by `wide`, as far as the patterns tell.
fn covers(wide: &Match, narrow: &Match) -> bool {
    let lists = |matches: &'_ Match| {
        [
            matches.executable.clone(),
            matches.arguments.clone(),
            matches.user.clone(),
            matches.unit.clone(),
            matches.working_directory.clone(),
            matches.container.clone(),
        ]
    };
    let all = lists(wide)
        .iter()
        .zip(&lists(narrow))
        .all(|(wide, narrow)| covers_list(wide, narrow));
    let variables = wide.environment.iter().all(|(name, patterns)| {
        let narrow = narrow.environment.get(name);
        narrow.is_some_and(|narrow| covers_list(patterns, narrow))
    });
    let runtimes = wide.runtime.is_empty()
        || !narrow.runtime.is_empty() && narrow.runtime.iter().all(|r| wide.runtime.contains(r));
    all && variables && runtimes
}

fn covers_list(wide: &[String], narrow: &[String]) -> bool {
    let is_covered = |narrow: &String| wide.iter().any(|wide| covers_pattern(wide, narrow));
    wide.is_empty() || !narrow.is_empty() && narrow.iter().all(is_covered)
}

/// A pattern's stars are matched by stars alone, its question marks by both.
fn covers_pattern(wide: &str, narrow: &str) -> bool {
    let has_wildcards = narrow.contains(['*', '?']);
    let is_subtle = wide.contains('?') && has_wildcards;
    wide == narrow || !is_subtle && glob::matches(wide.as_bytes(), narrow.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Configuration;
    use crate::config::keys::read;
    use alloc::string::ToString;

    fn found(text: &str) -> Vec<(usize, String)> {
        let mut configuration = Configuration::default();
        assert_eq!(read(text, &mut configuration), []);
        let flaws = flaws(&configuration.rules).into_iter();
        flaws
            .map(|(index, flaw)| (index, flaw.to_string()))
            .collect()
    }

    #[test]
    fn rules_that_never_match_are_found() {
        for (matches, key) in [
            ("executable = 'bin/java'", "executable"),
            ("executable = ''", "executable"),
            ("working_directory = 'srv/shop'", "working_directory"),
            ("working_directory = '/srv/shop/'", "working_directory"),
            ("unit = 'shop.timer'", "unit"),
            ("unit = '/system.slice/shop.service'", "unit"),
            ("user = 'a:b'", "user"),
            ("container = '/x'", "container"),
            ("environment = { 'A=B' = '*' }", "environment"),
            ("executable = 'java', runtime = 'python'", "runtime"),
        ] {
            let found = found(&["[[rule]]\nenabled = false\nmatch = { ", matches, " }"].concat());
            let wanted = ["this rule never matches: `match.", key, "`"].concat();
            assert!(
                found
                    .first()
                    .is_some_and(|(_, text)| text.starts_with(&wanted)),
                "{matches}: {found:?}"
            );
        }
        for matches in [
            "executable = ['bin/java', 'java']",
            "executable = '/usr/bin/*'",
            "working_directory = '/'",
            "unit = 'shop'",
            "executable = 'gunicorn', runtime = 'python'",
            "executable = ['java', 'node'], runtime = 'jvm'",
        ] {
            let found = found(&["[[rule]]\nenabled = false\nmatch = { ", matches, " }"].concat());
            assert_eq!(found, [], "{matches}");
        }
    }

    #[test]
    fn rules_behind_wider_ones_are_shadowed() {
        let rule = |matches: &str, keys: &str| {
            ["[[rule]]\nmatch = { ", matches, " }\n", keys, "\n"].concat()
        };
        for (first, second, is_shadowed) in [
            ("", "user = 'a'", true),
            ("executable = '*'", "executable = 'java'", true),
            (
                "executable = 'java'",
                "executable = 'java', user = 'a'",
                true,
            ),
            ("executable = ['java', 'node']", "executable = 'node'", true),
            (
                "environment = { A = '*' }",
                "environment = { A = 'x', B = 'y' }",
                true,
            ),
            ("runtime = ['jvm', 'php']", "runtime = 'php'", true),
            ("executable = 'java'", "", false),
            ("executable = 'java'", "executable = 'j*'", false),
            ("executable = 'j?va'", "executable = 'j*va'", false),
            (
                "executable = 'java', user = 'a'",
                "executable = 'java'",
                false,
            ),
            (
                "environment = { B = '*' }",
                "environment = { A = 'x' }",
                false,
            ),
            ("runtime = 'php'", "executable = 'php'", false),
        ] {
            let text = rule(first, "service_name = 'a'") + &rule(second, "service_name = 'b'");
            assert_eq!(!found(&text).is_empty(), is_shadowed, "{first} / {second}");
        }
        let partly = rule("", "service_name = 'a'")
            + &rule("user = 'x'", "service_name = 'b'\nenabled = true");
        let wanted = "`service_name` of this rule has no effect: the rule at :1 comes first and \
                      matches all that it does";
        assert_eq!(found(&partly), [(1, String::from(wanted))]);
        let apart = rule("", "service_name = 'a'") + &rule("user = 'x'", "enabled = true");
        assert_eq!(found(&apart), []);
        assert_eq!(
            found("[[rule]]\nmatch.user = 'x'"),
            [(0, String::from("this rule has nothing beside `match`"))]
        );
    }
}

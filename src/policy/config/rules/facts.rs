//! The facts that rules ask for. Each is read once, and only when a rule gets far enough to ask.

use crate::matching::glob::Effort;
use crate::settings::identity::{cgroup, container};
use crate::{Process, Runtime};
use alloc::vec::Vec;
use core::cell::OnceCell;

/// Where users' names are (passwd(5)). Names that only a directory service knows are not found.
const USERS: &[u8] = b"/etc/passwd";

/// One process's facts.
pub struct Facts<'p, P> {
    process: &'p P,
    /// What it runs, where that is known yet.
    pub runtime: Option<Runtime>,
    /// What holding patterns against them may take.
    pub effort: Effort,
    arguments: OnceCell<Vec<Vec<u8>>>,
    user: OnceCell<Vec<u8>>,
    working_directory: OnceCell<Vec<u8>>,
    control_groups: OnceCell<Vec<u8>>,
    container: OnceCell<Vec<Vec<u8>>>,
}

impl<'p, P: Process> Facts<'p, P> {
    /// Nothing is read yet.
    pub fn new(process: &'p P, runtime: Option<Runtime>) -> Self {
        Self {
            process,
            runtime,
            effort: Effort::default(),
            arguments: OnceCell::new(),
            user: OnceCell::new(),
            working_directory: OnceCell::new(),
            control_groups: OnceCell::new(),
            container: OnceCell::new(),
        }
    }

    /// Whether the program has a path that matches. The one that it was started by costs nothing.
    pub fn has_executable(&self, pattern: &[u8]) -> bool {
        let matches = |path| self.effort.matches_path(pattern, path);
        matches(self.process.started_as()) || matches(self.process.executable())
    }

    /// Whether an argument matches.
    pub fn has_argument(&self, pattern: &[u8]) -> bool {
        let arguments = self.arguments.get_or_init(|| self.process.arguments());
        arguments
            .iter()
            .any(|argument| self.effort.matches(pattern, argument))
    }

    /// Whether a variable is set to what matches.
    pub fn has_variable(&self, name: &str, pattern: &[u8]) -> bool {
        let value = self.process.variable(name);
        value.is_some_and(|value| {
            self.effort.take(value.len());
            self.effort.matches(pattern, &value)
        })
    }

    /// Whether the user's number or name matches.
    pub fn has_user(&self, pattern: &[u8]) -> bool {
        let Some(number) = self.process.user() else {
            return false;
        };
        let number = decimal(number);
        if pattern.iter().all(u8::is_ascii_digit) {
            return pattern == number.as_slice();
        }
        let name = self.user.get_or_init(|| {
            let users = self.process.content(USERS).unwrap_or_default();
            user_name(&users, &number).unwrap_or_default().to_vec()
        });
        !name.is_empty() && self.effort.matches(pattern, name)
    }

    /// Whether the systemd unit matches, with or without `.service`.
    pub fn has_unit(&self, pattern: &[u8]) -> bool {
        let Some(unit) = cgroup::unit(self.control_groups()) else {
            return false;
        };
        let short = unit.strip_suffix(b".service");
        self.effort.matches(pattern, unit)
            || short.is_some_and(|unit| self.effort.matches(pattern, unit))
    }

    /// Whether the working directory matches.
    pub fn has_working_directory(&self, pattern: &[u8]) -> bool {
        let folder = self
            .working_directory
            .get_or_init(|| self.process.working_directory());
        !folder.is_empty() && self.effort.matches(pattern, folder)
    }

    /// Whether the container's name or identifier matches; of no container nothing does.
    pub fn has_container(&self, pattern: &[u8]) -> bool {
        let names = self.container.get_or_init(|| {
            let name = container::name(self.process);
            let name = name.map(|told| told.value.into_bytes());
            let identifier = cgroup::container_identifier(self.control_groups());
            name.into_iter().chain(identifier.map(Vec::from)).collect()
        });
        names.iter().any(|name| self.effort.matches(pattern, name))
    }

    fn control_groups(&self) -> &[u8] {
        self.control_groups
            .get_or_init(|| self.process.control_groups())
    }
}

/// The name of the user of a number: the third field counts (passwd(5)).
pub fn user_name<'u>(users: &'u [u8], number: &[u8]) -> Option<&'u [u8]> {
    users.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        let is_it = fields.nth(1)? == number;
        (is_it && !name.is_empty()).then_some(name)
    })
}

fn decimal(number: u32) -> Vec<u8> {
    alloc::string::ToString::to_string(&number).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn users_have_numbers_and_names() {
        let users = "root:x:0:0::/root:/bin/sh\nshop:x:990:990:::\nbroken\n:x:7::\n";
        let mut process = Fixture::default();
        process.contents.insert("/etc/passwd".into(), users.into());
        let has = |process: &Fixture, pattern: &str| {
            Facts::new(process, None).has_user(pattern.as_bytes())
        };
        assert!(!has(&process, "*"));
        process.user = Some(990);
        for pattern in ["990", "shop", "sh*", "*"] {
            assert!(has(&process, pattern), "{pattern}");
        }
        for pattern in ["99", "root", "", "0"] {
            assert!(!has(&process, pattern), "{pattern}");
        }
        process.user = Some(7);
        assert!(!has(&process, "*") && has(&process, "7"));
    }

    #[test]
    fn units_folders_and_containers() {
        let process = Fixture {
            working_directory: "/srv/shop/current".into(),
            control_groups: "0::/system.slice/shop@1.service\n".into(),
            ..Fixture::default()
        };
        let facts = Facts::new(&process, None);
        assert!(facts.has_unit(b"shop@*") && facts.has_unit(b"shop@1.service"));
        assert!(!facts.has_unit(b"shop"));
        assert!(facts.has_working_directory(b"/srv/shop*"));
        assert!(!facts.has_working_directory(b"/srv/shop"));
        assert!(!facts.has_container(b"*"));
    }

    #[test]
    fn a_fact_is_read_once_and_only_by_a_rule_that_got_that_far() {
        let text = "[[rule]]\nmatch = { environment = { NO = '*' }, unit = '*', user = 'x', \
                    working_directory = '*', arguments = '*', executable = '*', container = '*' }\n\
                    enabled = false\n";
        let asked = |text: &str, runtime| {
            let mut configuration = crate::Configuration::default();
            assert_eq!(crate::config::keys::read(text, &mut configuration), []);
            let process = Fixture::default();
            let facts = Facts::new(&process, runtime);
            for rule in &configuration.rules {
                rule.matches.holds(&facts);
            }
            process.asked.get()
        };
        assert_eq!(asked(text, None), 0, "the variable is not set");
        let runtime = text.replace("environment = { NO = '*' }", "runtime = 'jvm'");
        assert_eq!(asked(&runtime, Some(Runtime::Ruby)), 0, "another runtime");
        let program = text
            .replace("environment = { NO = '*' }, ", "")
            .replace("executable = '*'", "executable = 'x'");
        assert_eq!(asked(&program, None), 1, "another program");
        let units = "[[rule]]\nmatch.unit = 'a'\n".repeat(9);
        assert_eq!(asked(&units, None), 1, "control groups are read once");
    }
}

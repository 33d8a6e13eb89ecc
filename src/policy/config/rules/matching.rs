//! Whether a rule applies to a process.

use super::Match;
use super::facts::Facts;
use crate::Process;
use alloc::string::String;

impl Match {
    /// Whether all that is given matches; `None` where that depends on the runtime, which is not known
    /// yet. What is free is looked at first, what costs a system call last.
    pub fn holds<P: Process>(&self, facts: &Facts<'_, P>) -> Option<bool> {
        let is_runtime = match facts.runtime {
            _ if self.runtime.is_empty() => Some(true),
            Some(runtime) => Some(self.runtime.contains(&runtime)),
            None => None,
        };
        if is_runtime == Some(false) || !self.holds_without_runtime(facts) {
            return Some(false);
        }
        is_runtime
    }

    fn holds_without_runtime<P: Process>(&self, facts: &Facts<'_, P>) -> bool {
        let mut variables = self.environment.iter();
        variables.all(|(name, patterns)| any(patterns, |pattern| facts.has_variable(name, pattern)))
            && any(&self.executable, |pattern| facts.has_executable(pattern))
            && any(&self.user, |pattern| facts.has_user(pattern))
            && any(&self.arguments, |pattern| facts.has_argument(pattern))
            && any(&self.working_directory, |pattern| {
                facts.has_working_directory(pattern)
            })
            && any(&self.unit, |pattern| facts.has_unit(pattern))
            && any(&self.container, |pattern| facts.has_container(pattern))
    }
}

/// Whether one of the patterns matches, or none is given.
fn any(patterns: &[String], matches: impl Fn(&[u8]) -> bool) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern.as_bytes()))
}

//! How programs change their own environment. A process tells, at a call, which entries have come and which have
//! gone since the call before; all that it tells of one moment is one change for each name.

use crate::trace::redaction;
use std::collections::{BTreeMap, BTreeSet};

/// A change that a program has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The index of its program.
    pub program: usize,
    /// The thread whose call has shown it.
    pub thread: u32,
    /// When that was, in nanoseconds of CLOCK_MONOTONIC.
    pub time: u64,
    /// How many of the recording's calls came before.
    pub calls_before: usize,
    /// What has become of the variable.
    pub event: Event,
    /// The variable; empty where all of them are gone.
    pub name: String,
    /// The value before; `None` where it was not set.
    pub old: Option<String>,
    /// The value now.
    pub new: Option<String>,
}

impl Change {
    /// The values before and now as they may be shown.
    pub fn shown(&self) -> [Option<String>; 2] {
        [&self.old, &self.new].map(|value| {
            let value = value.as_ref()?;
            Some(redaction::shown(&self.name, value))
        })
    }
}

/// What has become of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was not set before.
    Set,
    /// It has another value.
    Changed,
    /// It is not set any more.
    Unset,
    /// None of the variables that were set is set any more.
    Cleared,
}

impl Event {
    /// Its name in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Changed => "changed",
            Self::Unset => "unset",
            Self::Cleared => "cleared",
        }
    }
}

/// Thread and time of what is told together. The thread 0 stands for the injector itself.
pub type Moment = (u32, u64);

/// The names of an environment, each with all its values.
type ByName = BTreeMap<String, Vec<String>>;

/// A program's environment as it has told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NAME=value` by where it lies.
    entries: BTreeMap<u64, String>,
    /// What is being told: its moment, and what was set before.
    open: Option<(Moment, ByName)>,
}

impl Environment {
    /// Adds an entry of the start.
    pub fn begin_with(&mut self, place: u64, entry: String) {
        self.entries.insert(place, entry);
    }

    /// Whether something is being told in a thread.
    pub fn is_telling(&self, thread: u32) -> bool {
        let moment = self.open.as_ref().map(|(moment, _)| moment.0);
        moment.is_some_and(|teller| teller == thread || teller == 0)
    }

    /// An entry has come (`Some`) or gone. Returns what was told of an earlier moment.
    pub fn tell(&mut self, moment: Moment, place: u64, entry: Option<String>) -> Vec<Change> {
        let is_other = self.open.as_ref().is_some_and(|(open, _)| *open != moment);
        let settled = if is_other { self.settle() } else { Vec::new() };
        if self.open.is_none() {
            self.open = Some((moment, self.by_name()));
        }
        match entry {
            Some(entry) => self.entries.insert(place, entry),
            None => self.entries.remove(&place),
        };
        settled
    }

    /// What was told of the last moment, which is over. The program and its calls are for the caller to fill in.
    pub fn settle(&mut self) -> Vec<Change> {
        let Some(((thread, time), before)) = self.open.take() else {
            return Vec::new();
        };
        if thread == 0 {
            return Vec::new();
        }
        let after = self.by_name();
        let change = |event, name: &str, old, new| Change {
            program: 0,
            thread,
            time,
            calls_before: 0,
            event,
            name: name.to_owned(),
            old,
            new,
        };
        let is_cleared = before.len() > 1 && !before.keys().any(|name| after.contains_key(name));
        let mut changes = Vec::new();
        if is_cleared {
            changes.push(change(Event::Cleared, "", None, None));
        }
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name), after.get(name));
            let event = match (old, new) {
                (None, _) => Event::Set,
                (Some(_), None) if is_cleared => continue,
                (Some(_), None) => Event::Unset,
                (old, new) if old == new => continue,
                _ => Event::Changed,
            };
            let first = |values: Option<&'_ Vec<String>>| values.and_then(|v| v.first()).cloned();
            changes.push(change(event, name, first(old), first(new)));
        }
        changes
    }

    fn by_name(&self) -> ByName {
        let mut names = ByName::new();
        for (name, value) in self
            .entries
            .values()
            .filter_map(|entry| entry.split_once('='))
        {
            names.entry(name.into()).or_default().push(value.into());
        }
        names.values_mut().for_each(|values| values.sort_unstable());
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[&str]) -> Environment {
        let mut environment = Environment::default();
        for (place, entry) in entries.iter().enumerate() {
            environment.begin_with(place as u64, (*entry).into());
        }
        environment
    }

    fn told(environment: &mut Environment) -> Vec<String> {
        let line = |c: Change| format!("{} {} {:?} {:?}", c.event.name(), c.name, c.old, c.new);
        environment.settle().into_iter().map(line).collect()
    }

    #[test]
    fn what_comes_and_goes_at_one_moment_is_one_change() {
        let mut environment = environment(&["A=1", "B=2", "C=3"]);
        assert!(environment.tell((7, 1), 10, Some("A=9".into())).is_empty());
        assert!(environment.is_telling(7) && !environment.is_telling(8));
        environment.tell((7, 1), 11, Some("D=4".into()));
        environment.tell((7, 1), 0, None);
        environment.tell((7, 1), 1, None);
        // Twice, as two threads may tell it; the same text elsewhere is no change.
        environment.tell((7, 1), 1, None);
        environment.tell((7, 1), 12, Some("C=3".into()));
        environment.tell((7, 1), 2, None);
        let wanted = [
            r#"changed A Some("1") Some("9")"#,
            r#"unset B Some("2") None"#,
            r#"set D None Some("4")"#,
        ];
        assert_eq!(told(&mut environment), wanted);
        assert_eq!(told(&mut environment), [""; 0]);
        let earlier = environment.tell((7, 2), 10, None);
        assert!(earlier.is_empty());
        let earlier = environment.tell((7, 3), 11, None);
        assert_eq!((earlier.len(), earlier[0].time), (1, 2));
    }

    #[test]
    fn an_environment_that_is_gone_was_cleared_and_the_injectors_own_changes_are_no_news() {
        let mut environment = environment(&["A=1", "B=2"]);
        environment.tell((7, 1), 0, None);
        environment.tell((7, 1), 1, None);
        environment.tell((7, 1), 5, Some("X=1".into()));
        let wanted = ["cleared  None None", r#"set X None Some("1")"#];
        assert_eq!(told(&mut environment), wanted);
        environment.tell((0, 2), 6, Some("Y=1".into()));
        assert!(environment.is_telling(7));
        assert_eq!(told(&mut environment), [""; 0]);
        environment.tell((7, 3), 6, None);
        assert_eq!(told(&mut environment), [r#"unset Y Some("1") None"#]);
    }
}

//! Which calls are told of.

use crate::trace::callers::Caller;
use crate::trace::recording::{Call, Outcome, Program, Recording};
use clap::ValueEnum;
use opentelemetry_injector_policy::matching::glob;
use opentelemetry_injector_policy::runtimes::boot;

/// The filters; where several are given, a call passes all of them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filters {
    /// Only names that match, for example 'OTEL_*' (may be repeated)
    #[arg(long = "name", value_name = "PATTERN")]
    names: Vec<String>,
    /// Only calls from files, or functions, that match: by name or path (may be repeated); with whole stacks, any
    /// function of the stack counts
    #[arg(long = "caller", value_name = "PATTERN")]
    callers: Vec<String>,
    /// No calls from files, or functions, that match, for example 'libc.so*' (may be repeated)
    #[arg(long = "not-caller", value_name = "PATTERN")]
    not_callers: Vec<String>,
    /// Only calls with this result
    #[arg(long, value_name = "RESULT")]
    only: Option<Only>,
    /// Tell of the processes that the command starts, too: the default
    #[arg(long, overrides_with = "no_children")]
    children: bool,
    /// Tell of the command's own process alone
    #[arg(long)]
    no_children: bool,
}

/// A result that calls are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The variable was not set
    Misses,
    /// The variable's own value was answered
    Hits,
    /// The injector's value was answered
    Injected,
}

impl Filters {
    /// Those that choose names alone.
    #[cfg(test)]
    pub fn of_names(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Whether callers have to be known to decide.
    pub fn need_callers(&self) -> bool {
        !self.callers.is_empty() || !self.not_callers.is_empty()
    }

    /// Whether a call passes, by all but its caller. `first` is the command's own process. What the injector's boot
    /// files ask the injector never passes.
    pub fn accept_call(&self, recording: &Recording, call: &Call, first: u32) -> bool {
        let name = &recording.text(call).name;
        let program = &recording.programs[call.program];
        self.accept(name, call.outcome, program, first)
    }

    fn accept(&self, name: &str, outcome: Outcome, program: &Program, first: u32) -> bool {
        let is_named = |pattern: &String| glob::matches(pattern.as_bytes(), name.as_bytes());
        let has_outcome = match self.only {
            None => true,
            Some(Only::Misses) => outcome == Outcome::Miss,
            Some(Only::Hits) => outcome == Outcome::Hit,
            Some(Only::Injected) => outcome == Outcome::Injected,
        };
        has_outcome
            && !name.starts_with(boot::PREFIX)
            && (self.names.is_empty() || self.names.iter().any(is_named))
            && (!self.no_children || program.process == first)
    }

    /// Whether names are told of that match.
    pub fn accept_name(&self, name: &str) -> bool {
        let is_it = |pattern: &String| glob::matches(pattern.as_bytes(), name.as_bytes());
        self.names.is_empty() || self.names.iter().any(is_it)
    }

    /// Whether a name is asked after, with some letters of its own.
    pub fn is_named(&self, name: &str) -> bool {
        let is_it = |pattern: &String| {
            !pattern.starts_with('*') && glob::matches(pattern.as_bytes(), name.as_bytes())
        };
        self.names.iter().any(is_it)
    }

    /// Whether a name is asked after as it is written.
    pub fn spells_out(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| pattern == name)
    }

    /// Whether a change that a program has made passes; an empty name stands for all names. Filters that choose
    /// among results or callers leave changes out, which have neither.
    pub fn accept_change(&self, name: &str, program: &Program, first: u32) -> bool {
        let is_named = |pattern: &String| glob::matches(pattern.as_bytes(), name.as_bytes());
        self.only.is_none()
            && self.callers.is_empty()
            && (self.names.is_empty() || name.is_empty() || self.names.iter().any(is_named))
            && (!self.no_children || program.process == first)
    }

    /// Whether a call passes by its stack, the caller first: one of all its functions is wanted, and the caller
    /// is not unwanted. (What is unwanted at the root, libc above all, is in every stack.)
    pub fn accept_stack(&self, stack: &[Caller]) -> bool {
        let is_unwanted = |caller| matches(&self.not_callers, caller);
        (self.callers.is_empty() || stack.iter().any(|caller| matches(&self.callers, caller)))
            && !stack.first().is_some_and(is_unwanted)
    }
}

/// Whether a pattern matches a caller's file or function.
fn matches(patterns: &[String], caller: &Caller) -> bool {
    let path = caller.module.as_deref().unwrap_or_default();
    let function = caller
        .function
        .as_ref()
        .map_or("", |function| &function.name);
    let texts = [caller.module_name(), path, function];
    patterns.iter().any(|pattern| {
        let mut texts = texts.iter();
        texts.any(|text| glob::matches(pattern.as_bytes(), text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::symbols::Function;

    fn program(process: u32) -> Program {
        Program {
            process,
            ..Program::default()
        }
    }

    #[test]
    fn a_call_passes_all_filters() {
        let mut filters = Filters::default();
        assert!(filters.accept("HOME", Outcome::Miss, &program(2), 1));
        let own = format!("{}SETTINGS", boot::PREFIX);
        assert!(!filters.accept(&own, Outcome::Injected, &program(2), 1));
        filters.names = vec!["OTEL_*".into(), "HOME".into()];
        assert!(filters.accept("OTEL_A", Outcome::Hit, &program(2), 1));
        assert!(!filters.accept("HOMER", Outcome::Hit, &program(2), 1));
        filters.only = Some(Only::Injected);
        assert!(!filters.accept("HOME", Outcome::Hit, &program(1), 1));
        assert!(filters.accept("HOME", Outcome::Injected, &program(1), 1));
        filters.no_children = true;
        assert!(!filters.accept("HOME", Outcome::Injected, &program(2), 1));
    }

    #[test]
    fn callers_are_matched_by_file_path_or_function() {
        let caller = Caller {
            module: Some("/usr/bin/node".into()),
            address: 0,
            function: Some(Function {
                name: "main".into(),
                offset: 0,
            }),
            line: None,
        };
        let root = Caller {
            module: Some("/lib/libroot.so".into()),
            function: None,
            ..caller.clone()
        };
        let stack = [caller, root];
        let with = |callers: &[&str], not_callers: &[&str]| {
            let owned = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
            let filters = Filters {
                callers: owned(callers),
                not_callers: owned(not_callers),
                ..Filters::default()
            };
            filters.accept_stack(&stack)
        };
        assert!(with(&["node"], &[]) && with(&["/usr/*"], &[]) && with(&["main"], &[]));
        assert!(!with(&["python*"], &[]) && !with(&[], &["n*"]) && !with(&["node"], &["main"]));
        assert!(with(&[], &["libc.so*"]));
        assert!(with(&["libroot.so"], &[]) && with(&[], &["libroot.so"]));
    }
}

//! Rules: whatever they say, a process gets one configuration, and rules that cannot match match
//! nothing.
//!
//! An input is a configuration, the executable, the command line, the working directory, the control
//! groups, the users, and a variable's value ([`Fields`]).

use super::fields::Fields;
use super::process::Plain;
use opentelemetry_injector_policy::config::keys;
use opentelemetry_injector_policy::config::rules::checks::{Flaw, flaws};
use opentelemetry_injector_policy::config::rules::{applied, matching, may_inject};
use opentelemetry_injector_policy::{Configuration, Reason, Runtime};

/// Looks at one configuration and one process, which may run any runtime.
///
/// # Panics
/// Where rules contradict each other.
pub fn look_at(input: &[u8]) {
    let mut fields = Fields::of(input);
    let mut configuration = Configuration::default();
    let problems = keys::read(&fields.text(), &mut configuration);
    if problems.iter().any(|problem| problem.kind.is_fatal()) {
        return;
    }
    let mut process = Plain {
        executable: fields.bytes().to_vec(),
        arguments: fields.list(),
        working_directory: fields.bytes().to_vec(),
        control_groups: fields.bytes().to_vec(),
        content: Some(fields.bytes().to_vec()),
        user: Some(33),
        ..Plain::default()
    };
    process
        .variables
        .insert("STAGE".into(), fields.bytes().to_vec());
    for runtime in Runtime::ALL {
        look_at_process(&configuration, runtime, &process);
    }
    for (index, flaw) in flaws(&configuration.rules) {
        assert!(index < configuration.rules.len() && !flaw.to_string().is_empty());
        if let Flaw::Shadowed { keys, .. } = flaw {
            assert!(
                keys.iter()
                    .all(|key| configuration.rules[index].keys().contains(key))
            );
        }
    }
}

fn look_at_process(configuration: &Configuration, runtime: Runtime, process: &Plain) {
    let Ok(matching) = matching(configuration, runtime, process) else {
        assert_eq!(
            applied(configuration, runtime, process),
            Err(Reason::TooMuchToCompare)
        );
        return;
    };
    let switch = matching.iter().find_map(|rule| rule.enabled);
    match applied(configuration, runtime, process) {
        Ok(applied) => {
            assert!(switch.unwrap_or(configuration.enabled));
            for rule in matching.iter().rev().take(1) {
                let is_there = |name: &String| applied.environment.contains_key(name);
                let others = rule
                    .environment
                    .keys()
                    .filter(|name| *name != "OTEL_SERVICE_NAME");
                assert!(others.into_iter().all(is_there));
            }
        }
        Err(Reason::Rule(place)) => {
            let first = matching.iter().find(|rule| rule.enabled.is_some());
            assert!(first.is_some_and(|rule| rule.place == place && rule.enabled == Some(false)));
        }
        Err(_) => assert!(!configuration.enabled && switch.is_none()),
    }
    // What is decided before the runtime is known lets nothing out that a rule for it lets in.
    if may_inject(process, configuration).is_err() && Runtime::of(process).is_none() {
        assert!(applied(configuration, runtime, process).is_err());
    }
}

//! Whether a program was given its agent, as the debug log tells it.

use crate::output::names;
use opentelemetry_injector_policy::{Configuration, Reason, Runtime, Variable};

/// Why nothing is injected whatever the program; none where a configuration says what to inject.
pub fn why_none(runtime: Runtime, configuration: &Result<Configuration, Reason>) -> Option<String> {
    let configuration = match configuration {
        Ok(configuration) if configuration.enabled => configuration,
        Ok(_) => return Some(Reason::DisabledBy("enabled").to_string()),
        Err(reason) => return Some(format!("the configuration cannot be used: {reason}")),
    };
    match runtime.agent(configuration) {
        Ok(_) => None,
        Err(Reason::NoAgentConfigured) => Some(format!(
            "no agent is configured for {}",
            names::runtime(runtime)
        )),
        Err(reason) => Some(reason.to_string()),
    }
}

/// The variable by which the agent was given.
///
/// # Errors
/// Why it was not.
pub fn arrival(runtime: Runtime, log: &[String]) -> Result<&'static str, String> {
    let variables = Variable::ALL.into_iter();
    let variables = variables.filter(|variable| variable.runtime() == runtime);
    for name in variables.map(Variable::name) {
        let about = |line: &&String| line.starts_with(name);
        if log
            .iter()
            .any(|line| line.starts_with(&format!("{name} is now ")))
        {
            return Ok(name);
        }
        let stays = format!("{name} stays as it was: ");
        let mut lines = log.iter().filter(about);
        if let Some(reason) = lines.find_map(|line| line.strip_prefix(&stays)) {
            return Err(reason.into());
        }
    }
    let mut refusals = log.iter().rev();
    let refusal = refusals.find_map(|line| line.strip_prefix("nothing is injected: "));
    Err(refusal.unwrap_or("it did not ask for the variable").into())
}

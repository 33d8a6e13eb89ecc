//! Which engine puts the hooks in place.

use crate::config::Engine;
use crate::config::overrides;
use crate::runtimes::default_agents;
use crate::{Configuration, Process, Runtime};

/// The engine that is tried, and what happens if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The built-in engine.
    Direct,
    /// Frida Gum; where it cannot be used nothing is injected.
    Gum,
    /// Frida Gum; where it cannot be used, the built-in engine.
    GumOrDirect,
}

/// The engine for a process that is given an agent. Whether it is traced makes no difference.
///
/// `has_gum` says whether Gum is installed. An agent that the configuration does not name is looked for in the file
/// system only then, and only in runtimes.
pub fn choose(
    process: &impl Process,
    configuration: &Configuration,
    has_gum: impl FnOnce() -> bool,
) -> Choice {
    let wanted = process.variable(overrides::ENGINE);
    let wanted = wanted.and_then(|name| Engine::from_name(&name));
    match wanted.unwrap_or(configuration.engine) {
        Engine::Direct => Choice::Direct,
        Engine::Gum => Choice::Gum,
        Engine::Auto => {
            let runtime = Runtime::of(process);
            let enabled = runtime.filter(|runtime| configuration.agent(*runtime).enabled);
            let has_agent = |runtime| default_agents::has_agent(runtime, process, configuration);
            if enabled.is_some_and(|runtime| has_gum() && has_agent(runtime)) {
                Choice::GumOrDirect
            } else {
                Choice::Direct
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn auto_takes_gum_for_runtimes_with_an_enabled_agent() {
        let mut configuration = Configuration::default();
        let mut process = Fixture::default();
        assert_eq!(choose(&process, &configuration, || true), Choice::Direct);
        process.executable = "/usr/bin/java".into();
        assert_eq!(choose(&process, &configuration, || true), Choice::Direct);
        let agent = configuration.agent_mut(Runtime::Jvm);
        agent.agent_path = Some("/agent.jar".into());
        assert_eq!(
            choose(&process, &configuration, || true),
            Choice::GumOrDirect
        );
        assert_eq!(choose(&process, &configuration, || false), Choice::Direct);
        configuration.agent_mut(Runtime::Jvm).enabled = false;
        assert_eq!(choose(&process, &configuration, || true), Choice::Direct);
        configuration.agent_mut(Runtime::Jvm).enabled = true;
        configuration.engine = Engine::Direct;
        assert_eq!(choose(&process, &configuration, || true), Choice::Direct);
        let variables = &mut process.variables;
        variables.insert(overrides::ENGINE.into(), "gum".into());
        assert_eq!(choose(&process, &configuration, || true), Choice::Gum);
        let variables = &mut process.variables;
        variables.insert(overrides::ENGINE.into(), "zydis".into());
        assert_eq!(choose(&process, &configuration, || true), Choice::Direct);
    }
}

//! Which engine puts the hooks in place.

use crate::config::overrides;
use crate::config::{Engine, Level};
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

/// The engine for a process; `level` is that of its debug log.
pub fn choose(process: &impl Process, configuration: &Configuration, level: Level) -> Choice {
    let wanted = process.variable(overrides::ENGINE);
    let wanted = wanted.and_then(|name| Engine::from_name(&name));
    match wanted.unwrap_or(configuration.engine) {
        Engine::Direct => Choice::Direct,
        Engine::Gum => Choice::Gum,
        Engine::Auto if level == Level::Trace || Runtime::of(process).is_some() => {
            Choice::GumOrDirect
        }
        Engine::Auto => Choice::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn auto_takes_gum_for_runtimes_and_traced_processes() {
        let mut configuration = Configuration::default();
        let mut process = Fixture::default();
        let choice = |p: &Fixture, c: &Configuration, level| choose(p, c, level);
        assert_eq!(
            choice(&process, &configuration, Level::Debug),
            Choice::Direct
        );
        assert_eq!(
            choice(&process, &configuration, Level::Trace),
            Choice::GumOrDirect
        );
        process.executable = "/usr/bin/java".into();
        assert_eq!(
            choice(&process, &configuration, Level::Off),
            Choice::GumOrDirect
        );
        configuration.engine = Engine::Direct;
        assert_eq!(choice(&process, &configuration, Level::Off), Choice::Direct);
        process
            .variables
            .insert(overrides::ENGINE.into(), "gum".into());
        assert_eq!(choice(&process, &configuration, Level::Off), Choice::Gum);
        process
            .variables
            .insert(overrides::ENGINE.into(), "zydis".into());
        assert_eq!(choice(&process, &configuration, Level::Off), Choice::Direct);
    }
}

//! The agents of this machine that count where the configuration names none.

use crate::machine::configuration_files::FileSystem;
use crate::machine::possible_process::PossibleProcess;
use opentelemetry_injector_policy::config::{overrides, sources};
use opentelemetry_injector_policy::runtimes::default_agents::{find, has_agent};
use opentelemetry_injector_policy::{Configuration, Reason, Runtime};

/// Reads the configuration as processes of any runtime do, the agents that are there included.
///
/// # Errors
/// Why no process can use it.
pub fn load(path: &[u8]) -> Result<Configuration, Reason> {
    let mut configuration = sources::load(&FileSystem, path, |configuration| {
        may_lack_its_file(path, configuration)
    })?;
    name(&mut configuration);
    Ok(*configuration)
}

/// Lets a configuration name the agents that are there, where it says nothing of them.
pub fn name(configuration: &mut Configuration) {
    for runtime in Runtime::ALL {
        let agent = configuration.agent_mut(runtime);
        if agent.agent_path.is_none() {
            agent.agent_path = find(runtime, &PossibleProcess::Of(runtime));
        }
    }
}

/// Whether processes do without the file `path` itself, where there is none.
pub fn may_lack_its_file(path: &[u8], configuration: &Configuration) -> bool {
    let mut runtimes = Runtime::ALL.into_iter();
    path == overrides::DEFAULT_CONFIGURATION.as_bytes()
        && runtimes.any(|runtime| has_agent(runtime, &PossibleProcess::Of(runtime), configuration))
}

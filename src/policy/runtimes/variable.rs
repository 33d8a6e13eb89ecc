//! The watched names: [`Variable`] lists the runtimes' variables, [`watched`] all others (`OTEL_…`, and the names
//! that boot files ask for). [`Variable::value`] computes the value of one, with all checks in their order.

use crate::config;
use crate::matching::other_injectors;
use crate::runtimes::{boot, dotnet, erlang, jvm, nodejs, php, python, ruby};
use crate::settings::{self, declarative, resource_attributes};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// A variable by which a runtime is made to load something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Read by every JVM when it is created.
    JavaToolOptions,
    /// Read by Node.js when it starts.
    NodeOptions,
    /// Read by CPython when it starts.
    Pythonpath,
    /// Read by CRuby when it starts.
    Rubyopt,
    /// Read by PHP when it starts.
    PhpIniScanDir,
    /// Read by Erlang's launcher.
    ErlAflags,
    /// Read by the .NET host.
    DotnetStartupHooks,
    /// Read by the .NET host.
    DotnetAdditionalDeps,
    /// Read by the .NET host.
    DotnetSharedStore,
}

impl Variable {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 9] = [
        Self::JavaToolOptions,
        Self::NodeOptions,
        Self::Pythonpath,
        Self::Rubyopt,
        Self::PhpIniScanDir,
        Self::ErlAflags,
        Self::DotnetStartupHooks,
        Self::DotnetAdditionalDeps,
        Self::DotnetSharedStore,
    ];

    /// The variable's name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JavaToolOptions => "JAVA_TOOL_OPTIONS",
            Self::NodeOptions => "NODE_OPTIONS",
            Self::Pythonpath => "PYTHONPATH",
            Self::Rubyopt => "RUBYOPT",
            Self::PhpIniScanDir => "PHP_INI_SCAN_DIR",
            Self::ErlAflags => "ERL_AFLAGS",
            Self::DotnetStartupHooks => "DOTNET_STARTUP_HOOKS",
            Self::DotnetAdditionalDeps => "DOTNET_ADDITIONAL_DEPS",
            Self::DotnetSharedStore => "DOTNET_SHARED_STORE",
        }
    }

    /// The runtime that reads it.
    pub const fn runtime(self) -> Runtime {
        match self {
            Self::JavaToolOptions => Runtime::Jvm,
            Self::NodeOptions => Runtime::Nodejs,
            Self::Pythonpath => Runtime::Python,
            Self::Rubyopt => Runtime::Ruby,
            Self::PhpIniScanDir => Runtime::Php,
            Self::ErlAflags => Runtime::Erlang,
            Self::DotnetStartupHooks | Self::DotnetAdditionalDeps | Self::DotnetSharedStore => {
                Runtime::Dotnet
            }
        }
    }

    /// The value that the process gets instead of `original`.
    ///
    /// # Errors
    /// The reason for which the process gets the original.
    pub fn value(
        self,
        original: Option<&[u8]>,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Vec<u8>, Reason> {
        self.runtime().proof(process, configuration)?;
        let configuration = &*config::of_process(configuration, self.runtime(), process)?;
        self.runtime().agent(configuration)?;
        other_injectors::is_absent(self.runtime(), process, configuration)?;
        declarative::is_usable(process, configuration)?;
        match self {
            Self::JavaToolOptions => jvm::value(original, process, configuration),
            Self::NodeOptions => nodejs::value(original, process, configuration),
            Self::Pythonpath => python::value(original, process, configuration),
            Self::Rubyopt => ruby::value(original, process, configuration),
            Self::PhpIniScanDir => php::value(original, process, configuration),
            Self::ErlAflags => erlang::value(original, process, configuration),
            Self::DotnetStartupHooks => dotnet::startup_hooks(original, process, configuration),
            Self::DotnetAdditionalDeps => dotnet::additional_deps(original, process, configuration),
            Self::DotnetSharedStore => dotnet::shared_store(original, process, configuration),
        }
    }

    /// Entries (`NAME=value`) that the process's environment gets when this variable has been
    /// answered with the agent, for runtimes that read nothing but their own copy of `environ`.
    pub fn entries(self, process: &impl Process, configuration: &Configuration) -> Vec<Vec<u8>> {
        if !matches!(self, Self::JavaToolOptions | Self::DotnetStartupHooks) {
            return Vec::new();
        }
        match config::of_process(configuration, self.runtime(), process) {
            Ok(configuration) if self == Self::JavaToolOptions => {
                jvm::entries(process, &configuration)
            }
            Ok(configuration) => dotnet::entries(process, &configuration),
            Err(_) => Vec::new(),
        }
    }
}

/// A name that is looked at more closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched<'n> {
    /// A variable that activates an agent; answered until the runtime has started.
    Activation(Variable),
    /// A setting of the agent (`OTEL_…`, or a name that the configuration spells out); answered once an agent has been injected here.
    Setting(&'n str),
    /// A question of our own boot files; answered once an agent has been injected here.
    Question(boot::BootQuestion),
    /// The folder of the application that is about to run, where each request may run another one.
    ServiceOf(&'n [u8]),
    /// The boot files' word that the runtime has started.
    Started,
    /// The boot files' word that the agent has read its settings.
    Loaded,
    /// The boot files' word that they have given up.
    StoodDown(boot::StoodDown),
}

/// Every name, or beginning of names, that may be watched: what the hook looks for first.
pub const BEGINNINGS: [&str; Variable::ALL.len() + 2] = {
    let mut beginnings = [settings::PREFIX; Variable::ALL.len() + 2];
    beginnings[1] = boot::PREFIX;
    let mut index = 0;
    while index < Variable::ALL.len() {
        beginnings[index + 2] = Variable::ALL[index].name();
        index += 1;
    }
    beginnings
};

/// What a name is watched for.
pub fn watched(name: &[u8]) -> Option<Watched<'_>> {
    let is = |variable: &Variable| variable.name().as_bytes() == name;
    if let Some(variable) = Variable::ALL.into_iter().find(is) {
        return Some(Watched::Activation(variable));
    }
    if name == boot::STARTED.as_bytes() {
        return Some(Watched::Started);
    }
    if name == boot::LOADED.as_bytes() {
        return Some(Watched::Loaded);
    }
    if let Some(reason) = boot::StoodDown::from_name(name) {
        return Some(Watched::StoodDown(reason));
    }
    if let Some(folder) = name.strip_prefix(boot::SERVICE_OF.as_bytes()) {
        return Some(Watched::ServiceOf(folder));
    }
    if let Some(question) = boot::BootQuestion::from_name(name) {
        return Some(Watched::Question(question));
    }
    let name = core::str::from_utf8(name).ok()?;
    name.starts_with(settings::PREFIX)
        .then_some(Watched::Setting(name))
}

impl Watched<'_> {
    /// The value that the process gets instead of `original`. `activated` is the runtime whose
    /// agent has been injected here, if one has.
    ///
    /// # Errors
    /// The reason for which the process gets the original.
    pub fn value(
        self,
        original: Option<&[u8]>,
        activated: Option<Runtime>,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Vec<u8>, Reason> {
        let runtime = match (self, activated) {
            (Self::Activation(variable), _) => {
                return variable.value(original, process, configuration);
            }
            (_, Some(runtime)) => runtime,
            (_, None) => return Err(Reason::NotActivated),
        };
        let configuration = &*config::of_process(configuration, runtime, process)?;
        match self {
            Self::Setting(name) => settings::value(name, original, runtime, process, configuration),
            Self::ServiceOf(folder) => {
                resource_attributes::name_of_folder(folder, runtime, process, configuration)
            }
            Self::Question(question) => question.answer(runtime, process, configuration),
            _ => Err(Reason::NotActivated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn names_are_told_apart() {
        let activation = Watched::Activation(Variable::Rubyopt);
        assert_eq!(watched(b"RUBYOPT"), Some(activation));
        assert_eq!(watched(b"OTEL_X"), Some(Watched::Setting("OTEL_X")));
        assert_eq!(watched(boot::STARTED.as_bytes()), Some(Watched::Started));
        assert_eq!(watched(boot::LOADED.as_bytes()), Some(Watched::Loaded));
        for reason in boot::StoodDown::ALL {
            let name = [boot::STOOD_DOWN, reason.code()].concat();
            assert_eq!(watched(name.as_bytes()), Some(Watched::StoodDown(reason)));
        }
        assert_eq!(watched(b"OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_"), None);
        let name = [boot::SERVICE_OF.as_bytes(), b"/srv/shop"].concat();
        assert_eq!(watched(&name), Some(Watched::ServiceOf(b"/srv/shop")));
        for name in [&b"RUBY"[..], b"RUBYOPTS", b"PATH", b"", b"OTEL"] {
            assert_eq!(watched(name), None);
        }
    }

    #[test]
    fn whoever_is_no_runtime_gets_nothing_to_hand_on() {
        let mut configuration = Configuration::default();
        for runtime in Runtime::ALL {
            configuration.agent_mut(runtime).agent_path = Some("/agent".into());
        }
        let process = Fixture {
            executable: "/usr/bin/cmake".into(),
            ..Fixture::default()
        };
        for variable in Variable::ALL {
            let outcome = variable.value(None, &process, &configuration);
            let wanted = Reason::NotProven(variable.runtime().title());
            assert_eq!(outcome, Err(wanted), "{variable:?}");
        }
    }

    #[test]
    fn discriminants_are_indexes() {
        let mut variables = Variable::ALL.into_iter().enumerate();
        assert!(variables.all(|(index, variable)| variable as usize == index));
        let mut runtimes = Runtime::ALL.into_iter().enumerate();
        assert!(runtimes.all(|(index, runtime)| runtime as usize == index));
        let mut reasons = boot::StoodDown::ALL.into_iter().enumerate();
        assert!(reasons.all(|(index, reason)| reason as usize == index));
    }
}

//! Our boot files (src/boot), and the questions that they may ask the preload object.
//!
//! A boot file runs inside a runtime, before the application, and checks what only the runtime knows (its
//! version). It asks through libc's `getenv`, so that nothing has to be in the environment. Names that
//! begin with [`PREFIX`] are answered only in a process into which an agent has been injected.
//!
//! A value of ours may also be in the environment itself, because a parent has handed it on. It
//! activates the agent like an answer, and the boot file takes our part out of the environment, so that
//! the process's own children see nothing of it.

use crate::{Configuration, Process, Reason, Runtime, settings};
use alloc::vec::Vec;
use core::fmt;

/// How the names of questions begin.
pub const PREFIX: &str = "OPENTELEMETRY_INJECTOR_BOOT_";

/// A boot file calls `getenv` with this name to report that the runtime has read its own variables. (getenv is
/// the only channel between them; the result is not used.) From then on these variables are answered as they are
/// in the environment, so that no injected value reaches a child.
pub const STARTED: &str = "OPENTELEMETRY_INJECTOR_BOOT_STARTED";

/// Asked when the agent has read its settings: from then on variables that stand in the
/// environment are answered as they stand. A runtime that builds its children's environment from
/// `getenv`'s answers (Node.js) would else hand ours on.
pub const LOADED: &str = "OPENTELEMETRY_INJECTOR_BOOT_LOADED";

/// How the names begin by which a boot file tells that it has given up. The code of the reason follows
/// ([`StoodDown`]), because getenv(3) takes a name and nothing else.
pub const STOOD_DOWN: &str = "OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_";

/// How the names begin by which PHP's boot file tells the document root of a request; the folder follows, or
/// nothing where the user has named the service. The answer is the name of the service, and from then on
/// that of `OTEL_SERVICE_NAME`, where nothing else names it.
pub const SERVICE_OF: &str = "OPENTELEMETRY_INJECTOR_BOOT_SERVICE_OF_";

/// PHP's boot file, which `auto_prepend_file` names.
pub const PHP_PREPEND: &str = "php/prepend.php";

/// Why a boot file has given up: what only the runtime could see. From then on the process is answered
/// what its environment holds, as if no agent had been injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoodDown {
    /// `…OWN_SDK`: the application brings an OpenTelemetry SDK of its own.
    OwnSdk,
    /// `…VERSION`: the agent does not support the runtime's version.
    Version,
    /// `…CONFLICT`: something in the process does not go together with the agent.
    Conflict,
    /// `…FAILED`: the agent could not be loaded.
    Failed,
    /// `…CLOSED`: the process may not open the boot file (PHP's `open_basedir`, chroot), or loads
    /// another one.
    Closed,
}

impl StoodDown {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 5] = [
        Self::OwnSdk,
        Self::Version,
        Self::Conflict,
        Self::Failed,
        Self::Closed,
    ];

    /// What follows [`STOOD_DOWN`] in the name that is asked for.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OwnSdk => "OWN_SDK",
            Self::Version => "VERSION",
            Self::Conflict => "CONFLICT",
            Self::Failed => "FAILED",
            Self::Closed => "CLOSED",
        }
    }

    /// The reason that a name tells.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let code = name.strip_prefix(STOOD_DOWN.as_bytes())?;
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.code().as_bytes() == code)
    }
}

impl fmt::Display for StoodDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnSdk => "the application brings an OpenTelemetry SDK of its own",
            Self::Version => "the agent does not support this version of the runtime",
            Self::Conflict => "something in the process does not go together with the agent",
            Self::Failed => "the agent could not be loaded",
            Self::Closed => "the boot file may not be opened here, or another one is loaded",
        })
    }
}

/// What a boot file asks the preload object for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootQuestion {
    /// `…AGENT_PATH`: the runtime's `agent_path`.
    AgentPath,
    /// `…SETTINGS`: all settings that the user has not set, and the merged resource attributes, as lines
    /// `NAME=value`, each ended by a line feed.
    Settings,
    /// `…ESM`: `1` where `nodejs.esm` is true.
    Esm,
    /// `…ALLOW_OTHER_AGENTS`: `1` where the runtime's `allow_other_agents` is true, for agents that
    /// only a boot file can see.
    AllowOtherAgents,
    /// `…ALLOW_OWN_SDK`: `1` where the runtime's `allow_own_sdk` is true, for applications whose
    /// libraries only a boot file can see.
    AllowOwnSdk,
    /// `…PHP_PREPEND`: the path of PHP's boot file.
    PhpPrepend,
}

impl BootQuestion {
    /// The question of that name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name.strip_prefix(PREFIX.as_bytes())? {
            b"AGENT_PATH" => Some(Self::AgentPath),
            b"SETTINGS" => Some(Self::Settings),
            b"ESM" => Some(Self::Esm),
            b"ALLOW_OTHER_AGENTS" => Some(Self::AllowOtherAgents),
            b"ALLOW_OWN_SDK" => Some(Self::AllowOwnSdk),
            b"PHP_PREPEND" => Some(Self::PhpPrepend),
            _ => None,
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// There is none.
    pub fn answer(
        self,
        runtime: Runtime,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Vec<u8>, Reason> {
        match self {
            Self::AgentPath => Ok(runtime.agent(configuration)?.1.into()),
            Self::Settings => Ok(settings::lines(runtime, process, configuration)),
            Self::Esm if configuration.nodejs_esm => Ok(b"1".to_vec()),
            Self::Esm => Err(Reason::DisabledBy("nodejs.esm")),
            Self::AllowOtherAgents if runtime.agent(configuration)?.0.allow_other_agents => {
                Ok(b"1".to_vec())
            }
            Self::AllowOtherAgents => Err(Reason::DisabledBy("allow_other_agents")),
            Self::AllowOwnSdk if runtime.agent(configuration)?.0.allow_own_sdk => Ok(b"1".to_vec()),
            Self::AllowOwnSdk => Err(Reason::DisabledBy("allow_own_sdk")),
            Self::PhpPrepend => file(process, PHP_PREPEND),
        }
    }
}

/// Whether a runtime asks for settings that it does not use: Node.js sets what its `--env-file` says
/// where `getenv` tells of no other value (`Dotenv::SetEnvironment` in its `src/node_dotenv.cc`).
/// Until it says [`STARTED`] it is answered as the environment has it, and the file's value counts.
pub const fn asks_for_settings_itself(runtime: Runtime) -> bool {
    matches!(runtime, Runtime::Nodejs)
}

/// The path of a boot file, for example `nodejs/register.cjs`.
///
/// # Errors
/// It is not installed beside the preload object.
pub fn file(process: &impl Process, name: &str) -> Result<Vec<u8>, Reason> {
    let path = [process.boot_folder(), b"/", name.as_bytes()].concat();
    if process.is_readable_file(&path) {
        Ok(path)
    } else {
        Err(Reason::BootFileMissing(path))
    }
}

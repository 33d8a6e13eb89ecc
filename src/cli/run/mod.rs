//! `opentelemetry-injector run`: one command with the preload object, without an installation.

pub mod launch;

use crate::complain;
use crate::run::launch::{Launch, LaunchError};
use opentelemetry_injector_policy::config::overrides::DEBUG;
use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Run a command with the injector, without installing it.
///
/// The preload object is loaded into the command and into every program that it starts.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write the decisions and every call of a hooked function to stderr (or to `log.file`)
    #[arg(long)]
    trace: bool,
    /// Write the decisions to stderr (or to `log.file`)
    #[arg(long)]
    debug: bool,
    #[command(flatten)]
    launch: Launch,
}

const AFTER_HELP: &str = "\
Exit status:
  that of the command, or
  2    the command was not started: the object or the file that --config names is unusable
  126  the command cannot be executed
  127  the command was not found

If nothing is injected, --debug says why.

Examples:
  opentelemetry-injector run -- java -jar shop.jar
  opentelemetry-injector run --debug --config ./configuration.toml -- java -jar shop.jar
  opentelemetry-injector run --trace --engine direct -- ./start-shop.sh";

/// Runs the command: returns only where it cannot be started.
///
/// The command finds SIGPIPE at its default even where the caller ignores it: Rust's runtime takes
/// it over before `main`, and to hand it on as it was needs unsafe code.
pub fn run(arguments: &Arguments) -> ExitCode {
    let problem = match prepare(arguments) {
        Ok(mut command) => {
            let Err(problem) =
                launch::start(&mut command, |command| Err::<Infallible, _>(command.exec()));
            problem
        }
        Err(problem) => problem,
    };
    complain(&problem);
    problem.exit_code().into()
}

fn prepare(arguments: &Arguments) -> Result<Command, LaunchError> {
    let mut command = arguments.launch.prepare()?;
    match (arguments.trace, arguments.debug) {
        (true, _) => command.env(DEBUG, "trace"),
        (false, true) => command.env(DEBUG, "true"),
        (false, false) => &mut command,
    };
    Ok(command)
}

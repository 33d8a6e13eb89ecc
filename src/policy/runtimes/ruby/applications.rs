//! Whether a Ruby script is an application. Rails and Rake start servers and workers, but also
//! everything else.

use crate::matching::tools::{self, By};
use crate::matching::{commands, texts};
use crate::process::file_name;
use crate::{Configuration, Reason, Runtime};
use alloc::vec::Vec;

/// Rails' command that starts a server, and its short form.
const SERVERS: &str = "server s";

/// Tasks of Rake that are workers: they last.
const WORKERS: &str = "jobs:work resque:work resque:workers resque:scheduler sneakers:run \
                       solid_queue:start";

/// What a script and its arguments start.
///
/// `bundle exec` is what it executes: a Ruby program runs in Bundler's own process.
///
/// # Errors
/// A tool, or a task of Rails or Rake.
pub fn is_application(script: &[Vec<u8>], configuration: &Configuration) -> Result<(), Reason> {
    let [program, arguments @ ..] = script else {
        return Ok(());
    };
    let mut words = arguments.iter().map(Vec::as_slice);
    let is_worker = |word: &[u8]| {
        let end = word.iter().position(|byte| *byte == b'[');
        texts::has(
            WORKERS,
            word.get(..end.unwrap_or(word.len())).unwrap_or(word),
        )
    };
    match file_name(program) {
        b"bundle" | b"bundler" => match words.position(|word| word == b"exec") {
            Some(exec) => {
                let executed = arguments.get(exec + 1..).unwrap_or_default();
                let is_option = |word: &&Vec<u8>| word.starts_with(b"-");
                let options = executed.iter().take_while(is_option).count();
                is_application(executed.get(options..).unwrap_or_default(), configuration)
            }
            None => tools::refuse(Runtime::Ruby, By::Script, program, configuration),
        },
        b"rails" => {
            let command = words.next().unwrap_or_default();
            let lasts = texts::has(SERVERS, command) || is_worker(command);
            unless(lasts, "a task of Rails", configuration)
        }
        b"rake" => unless(words.any(is_worker), "a task of Rake", configuration),
        _ => {
            tools::refuse(Runtime::Ruby, By::Script, program, configuration)?;
            commands::refuse(Runtime::Ruby, program, arguments, configuration)
        }
    }
}

fn unless(
    is_application: bool,
    kind: &'static str,
    configuration: &Configuration,
) -> Result<(), Reason> {
    tools::deny(configuration, || (!is_application).then_some(kind))
}

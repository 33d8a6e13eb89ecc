//! Ruby: the application's folder, Rails' module, the tag of puma or sidekiq.

use super::application_files::Reader;
use super::servers::value_of;
use super::{Told, names, paths};
use crate::Process;
use crate::matching::texts;
use crate::process::{directory, file_name};
use crate::runtimes::ruby::command_line;
use alloc::string::String;
use alloc::vec::Vec;

/// Programs that run the application of the working directory; the last three are Passenger's.
const SERVERS: &str = "puma rails rackup unicorn unicorn_rails thin falcon pitchfork iodine passenger \
                       sidekiq resque resque-pool delayed_job good_job solid_queue shoryuken karafka \
                       clockwork sneakers spring rake bundle puma-wild hanami racecar hutch que \
                       backburner rack-preloader.rb rack-loader.rb preloader-wrapper.rb";

/// Where Rails' application is defined.
const RAILS: &[u8] = b"/config/application.rb";

/// The name of what a Ruby process runs.
pub fn name(process: &impl Process) -> Option<Told> {
    let arguments = process.arguments();
    let mut command = command_line::read(&arguments).script;
    // Bundler runs what it is given in its own process.
    if command
        .first()
        .is_some_and(|program| file_name(program) == b"bundle")
    {
        let exec = command.iter().position(|word| word == b"exec")?;
        command = command.get(exec + 1..)?;
        let options = command.iter().take_while(|word| word.starts_with(b"-"));
        command = command.get(options.count()..)?;
    }
    let (program, rest) = command.split_first()?;
    let kind = file_name(program);
    if !is_server(kind) {
        return paths::of_program(program, process, "script");
    }
    let tag_option = match kind {
        b"puma" => "--tag",
        b"sidekiq" => "-g --tag",
        _ => "",
    };
    if let Some(tag) = value_of(rest, tag_option)
        && let Some(name) = names::usable(tag)
    {
        return Some(Told::new(name, "tag", tag));
    }
    let folder = application_folder(program, rest, process);
    let rails = [&folder, RAILS].concat();
    let module = Reader::new(process).read(&rails);
    let module = module.and_then(|content| names::usable(module_of(&content)?.as_bytes()));
    match module {
        Some(name) => Some(Told::new(name, "Rails' module in", rails)),
        None => paths::of_folder(&folder, "application folder"),
    }
}

fn is_server(name: &[u8]) -> bool {
    texts::has(SERVERS, name)
}

/// `bin/rails` stands in its application; a server that is installed runs that of the working
/// directory, or of the folder that it is given.
fn application_folder(program: &[u8], rest: &[Vec<u8>], process: &impl Process) -> Vec<u8> {
    if let Some(folder) = value_of(rest, "--dir --directory") {
        return paths::absolute(folder, process);
    }
    if file_name(program) == b"rails" && matches!(file_name(directory(program)), b"bin" | b"script")
    {
        let path = paths::absolute(program, process);
        let folder = directory(directory(&path)).to_vec();
        // A system's own bin holds the gem's program.
        if process.is_readable_file(&[&folder, RAILS].concat()) {
            return folder;
        }
    }
    process.working_directory()
}

/// The first module of a Ruby file as Rails writes it in names: `ShopFront` is `shop_front`
/// (`ActiveSupport::Inflector#underscore`).
fn module_of(content: &[u8]) -> Option<String> {
    let mut lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let module = lines.find_map(|line| line.strip_prefix(b"module "))?;
    let module = core::str::from_utf8(module.trim_ascii()).ok()?;
    let module = module.split("::").next()?;
    let mut name = String::new();
    let mut before = None::<char>;
    for character in module.chars().take_while(|c| c.is_ascii_alphanumeric()) {
        let follows_small = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if character.is_ascii_uppercase() && follows_small {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
        before = Some(character);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rails_modules_are_written_as_rails_does() {
        for (content, wanted) in [
            (
                "require 'x'\n\nmodule ShopFront\n  class Application",
                "shop_front",
            ),
            ("module API\nend", "api"),
            ("  module Shop::Web # x", "shop"),
            ("# module\nmodules x", "(none)"),
        ] {
            let name = module_of(content.as_bytes());
            assert_eq!(name.as_deref().unwrap_or("(none)"), wanted, "{content}");
        }
    }
}

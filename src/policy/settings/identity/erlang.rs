//! Erlang and Elixir: the release's name, else the node's.

use super::application_files::Reader;
use super::{Named, Told, names, paths};
use crate::Process;
use crate::process::file_name;
use alloc::vec::Vec;

/// A release's name and version: Mix's scripts, then relx's.
const RELEASES: [(&str, &str); 2] = [("RELEASE_NAME", "RELEASE_VSN"), ("REL_NAME", "REL_VSN")];

/// Where Mix's project is defined.
const PROJECT: &[u8] = b"mix.exs";

/// The name of what an Erlang node runs.
pub fn named(process: &impl Process) -> Option<Named> {
    for (name, version) in RELEASES {
        let value = process.variable(name).unwrap_or_default();
        if let Some(found) = names::usable(&value) {
            let version = process.variable(version).and_then(|value| {
                let value = alloc::string::String::from_utf8(value).ok()?;
                (!value.is_empty()).then(|| Told::new(value, version, ""))
            });
            return Some((Told::new(found, name, ""), version));
        }
    }
    let arguments = process.arguments();
    let given = arguments.split(|argument| argument == b"-extra").next()?;
    let extra = arguments.get(given.len() + 1..).unwrap_or_default();
    let found = started(given)
        .or_else(|| node(given))
        .or_else(|| booted(given))
        .or_else(|| project(extra, process));
    Some((found?, None))
}

/// RabbitMQ's node is called `rabbit`, and its application starts with `-s rabbit boot`.
fn started(arguments: &[Vec<u8>]) -> Option<Told> {
    let is_rabbit = |words: &[Vec<u8>]| words == [&b"-s"[..], b"rabbit", b"boot"];
    let is_there = arguments.windows(3).any(is_rabbit);
    is_there.then(|| Told::new("rabbitmq".into(), "argument", "-s rabbit boot"))
}

/// `-sname shop`, `-name shop@10.0.0.1`.
fn node(arguments: &[Vec<u8>]) -> Option<Told> {
    let is_name = |word: &Vec<u8>| word == b"-sname" || word == b"-name";
    let at = arguments.iter().position(is_name)?;
    let node = arguments.get(at + 1)?;
    let name = node.split(|byte| *byte == b'@').next()?;
    Some(Told::new(
        names::usable(name)?,
        "node name",
        node.as_slice(),
    ))
}

/// `-boot /srv/shop/releases/0.1.0/start`.
fn booted(arguments: &[Vec<u8>]) -> Option<Told> {
    let at = arguments.iter().position(|word| word == b"-boot")?;
    let boot = arguments
        .get(at + 1)
        .filter(|path| path.starts_with(b"/"))?;
    let is_release = boot.windows(10).any(|window| window == b"/releases/");
    is_release.then(|| paths::of_folder(boot, "release"))?
}

/// `mix phx.server` runs the project of the working directory.
fn project(extra: &[Vec<u8>], process: &impl Process) -> Option<Told> {
    extra.iter().find(|word| file_name(word) == b"mix")?;
    let path = paths::absolute(PROJECT, process);
    let content = Reader::new(process).read(&path);
    let application = content.as_deref().and_then(application_in);
    match application.and_then(names::usable) {
        Some(name) => Some(Told::new(name, "project", path)),
        None => paths::of_working_directory(process),
    }
}

/// The atom behind the first `app:` (Mix's documentation, "Mix.Project").
fn application_in(content: &[u8]) -> Option<&[u8]> {
    let mut lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let value = lines.find_map(|line| line.strip_prefix(b"app:"))?;
    let atom = value.trim_ascii().strip_prefix(b":")?;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = atom.iter().take_while(|byte| is_letter(byte)).count();
    atom.get(..length)
}

//! Erlang and Elixir: the release's name, else the node's.

use super::{Named, Told, names, paths};
use crate::Process;
use alloc::vec::Vec;

/// A release's name and version: Mix's scripts, then relx's.
const RELEASES: [(&str, &str); 2] = [("RELEASE_NAME", "RELEASE_VSN"), ("REL_NAME", "REL_VSN")];

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
    let found = started(given)
        .or_else(|| node(given))
        .or_else(|| booted(given));
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

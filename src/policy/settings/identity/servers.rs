//! Command lines of application servers: options and their values.

use crate::matching::texts;
use alloc::vec::Vec;

/// The value of the last of these options, a text of words: `--name shop`, `--name=shop`, `-n shop`, `-nshop`.
pub fn value_of<'a>(arguments: &'a [Vec<u8>], options: &'static str) -> Option<&'a [u8]> {
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        for option in texts::words(options) {
            let Some(rest) = argument.strip_prefix(option.as_bytes()) else {
                continue;
            };
            let is_long = option.starts_with("--");
            match rest {
                [] => found = arguments.get(index + 1).map(Vec::as_slice).or(found),
                [b'=', value @ ..] if is_long => found = Some(value),
                value if !is_long && option.len() == 2 => found = Some(value),
                _ => {}
            }
        }
    }
    found
}

/// Long options that take no value, of the Python servers that are known: what follows one of them
/// may be the application.
const FLAGS: &str = "--reload --preload --daemon --factory --proxy-headers --no-proxy-headers \
                     --no-access-log --use-colors --capture-output --no-sendfile --debug --headless \
                     --access-log -D";

/// The application among a server's arguments: what looks like `module:attribute`, a file, or a
/// module, and is no option's value.
pub fn application(arguments: &[Vec<u8>]) -> Option<&[u8]> {
    let is_value = |index: usize| {
        let before = index.checked_sub(1).and_then(|index| arguments.get(index));
        before.is_some_and(|before| {
            let is_flag = texts::has(FLAGS, before);
            before.starts_with(b"-") && before != b"-" && !before.contains(&b'=') && !is_flag
        })
    };
    let free = arguments.iter().enumerate();
    let free = free.filter(|(index, argument)| !argument.starts_with(b"-") && !is_value(*index));
    let free = || free.clone().map(|(_, argument)| argument.as_slice());
    let named = free().find(|argument| is_object(argument));
    let file = || free().find(|argument| argument.ends_with(b".py"));
    let dotted = || free().find(|argument| is_module(argument) && argument.contains(&b'.'));
    let plain = || free().rfind(|argument| is_module(argument) && !is_command(argument));
    // Even behind an option that is not known: no value looks like it.
    let anywhere = || {
        arguments
            .iter()
            .map(Vec::as_slice)
            .find(|argument| is_object(argument))
    };
    named
        .or_else(file)
        .or_else(dotted)
        .or_else(plain)
        .or_else(anywhere)
}

/// `shop.wsgi:application`, `shop:create_app()`; not `unix:/run/x` nor `localhost:8000`.
fn is_object(argument: &[u8]) -> bool {
    let mut parts = argument.splitn(2, |byte| *byte == b':');
    let module = parts.next().is_some_and(is_module);
    let attribute = parts.next().and_then(|rest| rest.first());
    module && attribute.is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
}

/// A module's name, dots in it.
fn is_module(argument: &[u8]) -> bool {
    let is_identifier = |part: &[u8]| {
        let first = part.first().is_some_and(|first| !first.is_ascii_digit());
        first
            && part
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    argument.split(|byte| *byte == b'.').all(is_identifier)
}

/// What comes before the application: `run`, `worker`.
fn is_command(argument: &[u8]) -> bool {
    matches!(
        argument,
        b"run" | b"dev" | b"worker" | b"serve" | b"start" | b"server" | b"scheduler" | b"debug"
    )
}

//! What was added to a process's environment, so that its children can remove it.
//!
//! The CLR, and a Java agent with a declarative configuration, read only their own copy of `environ`, and pass it
//! to every child. So the injector adds settings to `environ`, and with them a marker, a variable that lists them.
//! The constructor in a child removes what the marker lists, unless somebody has changed it in the meantime.

use crate::Process;
use crate::runtimes::dotnet;
use crate::settings::ByName;
use alloc::vec::Vec;
use core::ffi::CStr;

/// The marker: `NAME:KEPT:HASH` for every variable, separated by commas. `KEPT` is the length of
/// the user's value, with which ours begins; empty where the user had not set the variable. `HASH`
/// is that of our value. Both numbers are hexadecimal.
pub const MARKER: &CStr = c"OPENTELEMETRY_INJECTOR_ADDED";

/// What is to be done with an entry of a child's environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore<'e> {
    /// Nothing.
    Keep,
    /// It was not there before.
    Remove,
    /// This much of it was.
    Shorten(&'e [u8]),
}

/// The marker for entries that are about to be added to a process's environment.
pub fn marker(entries: &[Vec<u8>], process: &impl Process) -> Vec<u8> {
    let mut marker = MARKER.to_bytes().to_vec();
    for (name, value) in entries.iter().filter_map(|entry| split(entry)) {
        let is_first = marker.len() == MARKER.count_bytes();
        marker.push(if is_first { b'=' } else { b',' });
        marker.extend(name);
        marker.push(b':');
        let name = core::str::from_utf8(name).unwrap_or_default();
        if let Some(kept) = process.variable(name) {
            push_number(&mut marker, kept.len() as u64);
        }
        marker.push(b':');
        push_number(&mut marker, hash(value));
    }
    marker
}

/// What a marker tells of, by name: so that many entries and a long marker take no longer than both.
pub struct Added<'m>(ByName<'m>);

impl<'m> Added<'m> {
    /// What the marker's value tells; of two items for one name the first counts.
    pub fn of(marker: &'m [u8]) -> Self {
        let mut items = ByName::new();
        // The first one is inserted last.
        for item in marker.rsplit(|byte| *byte == b',') {
            if let Some(end) = item.iter().position(|byte| *byte == b':') {
                let (name, rest) = item.split_at(end);
                items.insert(name, rest);
            }
        }
        Self(items)
    }

    /// What is to be done with an entry.
    pub fn restore<'e>(&self, entry: &'e [u8]) -> Restore<'e> {
        let Some((name, value)) = split(entry) else {
            return Restore::Keep;
        };
        if name == MARKER.to_bytes() {
            return Restore::Remove;
        }
        // Whoever sets the marker must not get at variables that others have cleaned, such as PATH.
        if !dotnet::may_add(name) {
            return Restore::Keep;
        }
        let kept = self.0.get(name).and_then(|item| {
            let item = core::str::from_utf8(item).ok()?;
            let (kept, recorded) = item.strip_prefix(':')?.split_once(':')?;
            (number(recorded) == Some(hash(value))).then_some(kept)
        });
        let shortened = |kept| {
            let kept = usize::try_from(number(kept)?).ok()?;
            entry.get(..(name.len() + 1).checked_add(kept)?)
        };
        match kept {
            None => Restore::Keep,
            Some("") => Restore::Remove,
            Some(kept) => shortened(kept).map_or(Restore::Keep, Restore::Shorten),
        }
    }
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = 16 - (number | 1).leading_zeros() / 4;
    for place in (0..digits).rev() {
        text.push(DIGITS[(number >> (place * 4)) as usize & 15]);
    }
}

fn number(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The name and value of an entry.
pub fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = entry.iter().position(|byte| *byte == b'=')?;
    Some((entry.get(..end)?, entry.get(end + 1..)?))
}

/// FNV-1a, 64 bits (draft-eastlake-fnv, section 2).
fn hash(value: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    value.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    #[test]
    fn numbers_are_hexadecimal() {
        for (value, wanted) in [
            (0, "0"),
            (10, "a"),
            (16, "10"),
            (u64::MAX, "ffffffffffffffff"),
        ] {
            let mut text = Vec::new();
            push_number(&mut text, value);
            let text = core::str::from_utf8(&text).unwrap();
            assert_eq!((text, number(text)), (wanted, Some(value)));
        }
    }

    #[test]
    fn what_was_added_is_taken_back_and_what_was_changed_is_not() {
        let mut process = Fixture::default();
        process.variables.insert("OTEL_B".into(), "x=1".into());
        process.variables.insert("OTEL_C".into(), String::new());
        let long = "0123456789abcdef";
        process.variables.insert("OTEL_D".into(), long.into());
        let ours = [
            "OTEL_A=1",
            "OTEL_B=x=1,y=2",
            "OTEL_C=ours",
            "OTEL_D=0123456789abcdefg",
        ];
        let entries = ours.map(Vec::from);
        let marker = marker(&entries, &process);
        let (name, marker) = split(&marker).unwrap();
        assert_eq!(name, MARKER.to_bytes());
        for (entry, wanted) in [
            ("OTEL_A=1", Restore::Remove),
            ("OTEL_A=2", Restore::Keep),
            ("OTEL_B=x=1,y=2", Restore::Shorten(b"OTEL_B=x=1")),
            ("OTEL_B=x=1", Restore::Keep),
            ("OTEL_C=ours", Restore::Shorten(b"OTEL_C=")),
            (ours[3], Restore::Shorten(b"OTEL_D=0123456789abcdef")),
            ("OTEL=1", Restore::Keep),
            ("OTEL_=1", Restore::Keep),
            ("PATH=1", Restore::Keep),
            ("=", Restore::Keep),
            ("", Restore::Keep),
            ("OPENTELEMETRY_INJECTOR_ADDED=", Restore::Remove),
        ] {
            let outcome = Added::of(marker).restore(entry.as_bytes());
            assert_eq!(outcome, wanted, "{entry}");
        }
    }

    #[test]
    fn a_marker_gets_at_no_variable_that_is_never_added() {
        let entries = ["PATH=/bin", "CORECLR_PROFILER=x", "CORECLR_ELSE=x"].map(Vec::from);
        let marker = marker(&entries, &Fixture::default());
        let (_, marker) = split(&marker).unwrap();
        let outcomes = entries
            .each_ref()
            .map(|entry| Added::of(marker).restore(entry));
        let wanted = [Restore::Keep, Restore::Remove, Restore::Keep];
        assert_eq!(outcomes, wanted);
    }

    #[test]
    fn a_marker_that_is_not_ours_takes_nothing() {
        for marker in [
            "",
            "OTEL_A",
            "OTEL_A:",
            "OTEL_A::",
            "OTEL_A:9:af63ac4c86019afc",
            // With the name before it, longer than any number.
            "OTEL_A:fffffffffffffffe:af63ac4c86019afc",
            "OTEL_A:ffffffffffffffff:af63ac4c86019afc",
        ] {
            assert_eq!(
                Added::of(marker.as_bytes()).restore(b"OTEL_A=1"),
                Restore::Keep,
                "{marker}"
            );
        }
    }
}

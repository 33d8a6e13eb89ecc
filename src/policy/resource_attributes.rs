//! `OTEL_RESOURCE_ATTRIBUTES`: the user's list with what the configuration adds.
//!
//! The list is `key=value,key=value`; values outside the W3C Baggage octets are percent-encoded
//! (OpenTelemetry specification, resource SDK, "Specifying resource information via an
//! environment variable"). The user's part is kept to the byte.

use crate::Configuration;
use alloc::{string::String, vec::Vec};

/// The variable that holds the list.
pub const VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// The user's list with the configuration's attributes behind it, those left out whose key the
/// user has. `None` where the configuration adds nothing.
pub fn merge(user: &[u8], configuration: &Configuration) -> Option<Vec<u8>> {
    let mut list = user.to_vec();
    let attributes = &configuration.resource_attributes;
    for (key, value) in attributes {
        if !has_key(&list, key) {
            append(&mut list, key.as_bytes(), &encode(value));
        }
    }
    // A list under [environment] is a default, too, and already encoded.
    let defaults = configuration.environment.get(VARIABLE);
    for item in defaults.into_iter().flat_map(|list| list.split(',')) {
        if let Some((key, value)) = item.split_once('=')
            && !has_key(&list, key.trim())
        {
            append(&mut list, key.trim().as_bytes(), value.trim().as_bytes());
        }
    }
    (list.len() > user.len()).then_some(list)
}

/// Whether a list has a value for `key`.
pub fn has_key(list: &[u8], key: &str) -> bool {
    list.split(|byte| *byte == b',').any(|item| {
        let name = item.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii() == key.as_bytes()
    })
}

fn append(list: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if !list.trim_ascii_end().is_empty() && !list.trim_ascii_end().ends_with(b",") {
        list.push(b',');
    }
    list.extend(key);
    list.push(b'=');
    list.extend(value);
}

/// Percent-encodes what is not a Baggage octet, `%` and `=` included; `+` as well, which Java agents
/// of before 2026 take for a blank.
fn encode(value: &str) -> Vec<u8> {
    let mut encoded = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_graphic() && !b"\",;\\%='+".contains(&byte);
        if plain {
            encoded.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(attributes: &[(&str, &str)]) -> Configuration {
        let mut configuration = Configuration::default();
        for (key, value) in attributes {
            let attributes = &mut configuration.resource_attributes;
            attributes.insert((*key).into(), (*value).into());
        }
        configuration
    }

    #[test]
    fn the_users_keys_win_and_stay_as_they_are() {
        let ours = configuration(&[("a", "ours"), ("b", "ours")]);
        assert_eq!(merge(b" a = x%20y", &ours).unwrap(), b" a = x%20y,b=ours");
        assert_eq!(merge(b"a=1,b=2", &ours), None);
        assert_eq!(merge(b"", &ours).unwrap(), b"a=ours,b=ours");
        assert_eq!(merge(b"c=1,", &ours).unwrap(), b"c=1,a=ours,b=ours");
    }

    #[test]
    fn values_are_encoded() {
        let ours = configuration(&[("k", "a,b=c d%\"\u{e4}'/:+")]);
        assert_eq!(
            merge(b"", &ours).unwrap(),
            b"k=a%2Cb%3Dc%20d%25%22%C3%A4%27/:%2B"
        );
    }

    #[test]
    fn a_list_under_environment_is_the_weakest() {
        let mut ours = configuration(&[("a", "table")]);
        let list = "a=list, b=list,broken,c=list";
        ours.environment.insert(VARIABLE.into(), list.into());
        assert_eq!(merge(b"c=user", &ours).unwrap(), b"c=user,a=table,b=list");
    }
}

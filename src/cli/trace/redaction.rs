//! Values that may be secrets are not shown.

/// What stands in a secret's place.
pub const HIDDEN: &str = "(hidden)";

/// What a name has in it whose value may be a secret.
const SECRET: [&str; 7] = [
    "KEY",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "HEADERS",
    "CREDENTIAL",
];

/// What is before a secret within a value: options and settings in JAVA_TOOL_OPTIONS and its like.
const WITHIN: [&str; 6] = [
    "key",
    "token",
    "password",
    "secret",
    "headers",
    "credential",
];

/// A value as it may be shown.
pub fn shown(name: &str, value: &str) -> String {
    let upper = name.to_uppercase();
    if SECRET.iter().any(|secret| upper.contains(secret)) && !value.is_empty() {
        return HIDDEN.into();
    }
    let words = value.split_inclusive(|character: char| character.is_whitespace());
    words
        .map(|word| without_secret(&without_userinfo(word)))
        .collect()
}

/// `name=value` where the name tells of a secret.
fn without_secret(word: &str) -> String {
    let end = word.trim_end().len();
    match word[..end].split_once('=') {
        Some((name, value)) if !value.is_empty() => {
            let lower = name.to_lowercase();
            if WITHIN.iter().any(|secret| lower.contains(secret)) {
                format!("{name}={HIDDEN}{}", &word[end..])
            } else {
                word.into()
            }
        }
        _ => word.into(),
    }
}

/// `scheme://user:password@host` (RFC 3986, 3.2.1).
fn without_userinfo(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.into();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) if authority[..at].contains(':') => {
            format!("{scheme}://{HIDDEN}{}", &rest[at..])
        }
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_by_their_names_and_within_values() {
        let cases = [
            ("AWS_SECRET_ACCESS_KEY", "x", HIDDEN),
            ("github_token", "x", HIDDEN),
            ("DB_PASSWORD", "", ""),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b", HIDDEN),
            ("HOME", "/root", "/root"),
            (
                "JAVA_TOOL_OPTIONS",
                "-Dotel.exporter.otlp.headers=api-key=1 -Xmx1g",
                "-Dotel.exporter.otlp.headers=(hidden) -Xmx1g",
            ),
            (
                "http_proxy",
                "http://me:pass@proxy:1/x",
                "http://(hidden)@proxy:1/x",
            ),
            ("URL", "http://host/a@b:c", "http://host/a@b:c"),
        ];
        for (name, value, expected) in cases {
            assert_eq!(shown(name, value), expected, "{name}");
        }
    }
}

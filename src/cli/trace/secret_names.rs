//! Names whose values may be secrets.

/// What makes every name secret that has it in one of its words.
const PARTS: [&str; 12] = [
    "authorization",
    "credential",
    "headers",
    "key",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
    "webhook",
];

/// Words that make a name secret, unless its last word tells of something [harmless](ABOUT).
const WORDS: [&str; 11] = [
    "bearer", "cred", "creds", "dsn", "header", "jwt", "pat", "pin", "psk", "pswd", "sig",
];

/// The same for what words end with (DBPASS, ROOTPW, OAUTH).
const ENDINGS: [&str; 6] = ["auth", "cookie", "cookies", "pass", "pw", "pwd"];

/// Beginnings of words that are not secret, whatever is in them.
const HARMLESS: [&str; 18] = [
    "askpass",
    "bypass",
    "compass",
    "encompass",
    "keyboard",
    "keycloak",
    "keycode",
    "keylog",
    "keymap",
    "keyspace",
    "monkey",
    "overpass",
    "surpass",
    "tokenization",
    "tokenize",
    "trespass",
    "turkey",
    "underpass",
];

/// Last words that tell of something about a secret, as in SSH_AUTH_SOCK.
const ABOUT: [&str; 28] = [
    "algorithm",
    "class",
    "conf",
    "config",
    "dir",
    "domain",
    "enabled",
    "endpoint",
    "file",
    "folder",
    "host",
    "id",
    "method",
    "methods",
    "mode",
    "name",
    "path",
    "plugin",
    "policy",
    "port",
    "provider",
    "realm",
    "required",
    "mechanism",
    "source",
    "scheme",
    "sock",
    "version",
];

/// Last words that tell of a number or a kind, whatever else is in the name: NODE_OPTIONS' `--max-http-header-size`.
const KINDS: [&str; 7] = ["count", "length", "limit", "size", "timeout", "ttl", "type"];

/// What last words end with that tell of a place, where the value is a path (PASSWORD_FILE, KEYFILE).
const PLACES: [&str; 3] = ["dir", "file", "folder"];

/// Whether a value of this name may be a secret. A name is looked at word by word: `GITHUB_PAT` has the word `pat`,
/// and `PATH` has not.
pub fn is_secret(name: &str, value: &str) -> bool {
    let is_folder = matches!(name, "PWD" | "OLDPWD") && value.starts_with('/');
    if value.is_empty() || is_folder {
        return false;
    }
    // An option that defines a property, as the JVM takes them.
    let words = words(name.strip_prefix("-D").unwrap_or(name));
    let telling = || {
        let is_harmless = |word: &&String| HARMLESS.iter().any(|start| word.starts_with(start));
        words.iter().filter(move |word| !is_harmless(word))
    };
    let is_weak = |word: &String| {
        WORDS.contains(&word.as_str()) || ENDINGS.iter().any(|ending| word.ends_with(ending))
    };
    let last = words.last().map_or("", String::as_str);
    let is_path = || value.trim_start_matches(['"', '\'']).starts_with('/');
    let is_place = || PLACES.iter().any(|place| last.ends_with(place)) && is_path();
    if KINDS.contains(&last) || is_place() {
        return false;
    }
    let is_about = || ABOUT.contains(&last);
    telling().any(|word| PARTS.iter().any(|part| word.contains(part)))
        || (telling().any(is_weak) && !is_about())
}

/// Whether a name that is secret is that of a host as well, as `auth` is in `auth:8080`.
pub fn may_name_a_host(name: &str) -> bool {
    let is_host = |word: &String| word.ends_with("auth") || !is_secret(word, "x");
    words(name).iter().all(is_host)
}

/// A name's words in lower case: `DB_PASS2`, `db.pass` and `dbPass` are `db` and `pass`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = name.chars().peekable();
    let mut last = ' ';
    while let Some(character) = rest.next() {
        let next_is_lower = rest.peek().is_some_and(|next| next.is_lowercase());
        let begins = character.is_uppercase()
            && (last.is_lowercase() || (last.is_uppercase() && next_is_lower));
        if begins || !character.is_alphabetic() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphabetic()) {
            word.extend(character.to_lowercase());
        }
        last = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_at_word_by_word() {
        let secret = [
            "AWS_SECRET_ACCESS_KEY",
            "github_token",
            "GITHUB_PAT",
            "AUTHORIZATION",
            "DB_PASS",
            "DBPASS",
            "MYSQL_PWD",
            "LDAP_BIND_PW",
            "BINDPW",
            "SSH_PASSPHRASE",
            "RELEASE_COOKIE",
            "HTTP_COOKIE",
            "NPM_CONFIG__AUTH",
            "SENTRY_DSN",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "GOOGLE_CREDENTIALS",
            "dbPass",
            "apiKey",
            "APIKEY",
            "PASS2",
            "Pwd",
            "-Ddb.passwd",
            "-Dpat",
            "-Dpassword",
            "_authToken",
            "X-Amz-Signature",
            "SLACK_WEBHOOK_URL",
            "KEYCLOAK_ADMIN_PASSWORD",
            "BASIC_AUTH",
            "PKCS11_PIN",
            "PGPASSWORD",
            "KEY",
            "AUTH",
            "PASS",
            "PAT",
        ];
        for name in secret {
            assert!(is_secret(name, "x"), "{name}");
        }
        let harmless = [
            "PATH",
            "LD_LIBRARY_PATH",
            "CLASSPATH",
            "COMPASS",
            "COMPASS_URL",
            "KEYBOARD",
            "AUTHOR",
            "AUTHORITY",
            "GIT_AUTHOR_NAME",
            "OTEL_RESOURCE_ATTRIBUTES",
            "SSH_AUTH_SOCK",
            "XAUTHORITY",
            "GIT_ASKPASS",
            "COMPAT",
            "PATTERN",
            "PATCH",
            "PASSIVE",
            "PASSENGER_APP",
            "SPINNER",
            "HOME",
            "TOKENIZERS_PARALLELISM",
            "MONKEY",
            "KEYCLOAK_URL",
            "OTEL_BSP_SCHEDULE_DELAY",
            "SIGNAL",
            "XPath",
            "config",
            "AUTH_TYPE",
            "COOKIE_DOMAIN",
            "",
        ];
        for name in harmless {
            assert!(!is_secret(name, "x"), "{name}");
        }
        for (name, value, expected) in [
            ("--max-http-header-size", "16384", false),
            ("--tls-keylog", "/tmp/keys", false),
            ("KEYSTORE_TYPE", "PKCS12", false),
            ("TOKEN_TTL", "3600", false),
            ("KEY_FILE", "/etc/key.pem", false),
            ("SSLKEYLOGFILE", "/tmp/keys", false),
            ("PASSWORD_FILE", "\"/run/secrets/db\"", false),
            ("PASSWORD_FILE", "hunter2", true),
            ("WEBHOOK_PATH", "/services/T0/x", true),
            ("KEYLOG_TOKEN", "x", true),
        ] {
            assert_eq!(is_secret(name, value), expected, "{name}={value}");
        }
        for (name, expected) in [
            ("auth", true),
            ("my-oauth", true),
            ("auth-service", true),
            ("auth-token", false),
            ("pin", false),
            ("PASSWORD", false),
            ("db-pass", false),
        ] {
            assert_eq!(may_name_a_host(name), expected, "{name}");
        }
        assert!(!is_secret("PWD", "/root") && !is_secret("OLDPWD", "/"));
        assert!(is_secret("PWD", "x") && !is_secret("DB_PASSWORD", ""));
    }
}

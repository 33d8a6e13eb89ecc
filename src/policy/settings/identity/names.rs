//! Which words can be names of services.

use alloc::string::{String, ToString};

/// The longest name in bytes.
const LONGEST: usize = 100;

/// Endings of files that are no part of a name.
const ENDINGS: &str = ".py .pyc .pyz .js .mjs .cjs .ts .mts .cts .rb .ru .php .phar .jar .war .dll \
                       .exe .sh .ini .conf .toml .yml .yaml .json .xml .exs .git";

/// Words that say what kind of thing something is and not which: of programs, interpreters, and
/// folders (of the system, of languages, of ways to deploy).
const GENERIC: &str = "app apps application applications asgi wsgi main __main__ __init__ index \
    server start run start-server launch launcher bootstrap boot entry entrypoint docker-entrypoint \
    entry-point init cli cmd program default www web site public public_html html htdocs httpdocs \
    webroot webapp webapps manage django settings config configuration conf core base prod \
    production dev development local staging test tests my-app myapp my_app example demo root \
    workspace workspaces monorepo package packages project projects mysite module modules \
    bin sbin lib lib64 libexec usr opt srv var etc home tmp mnt media run proc sys data share cache \
    src source sources code dist build out output target release releases current shared deploy \
    deployment deployments repo repos repository git node_modules site-packages dist-packages \
    vendor venv .venv env .env virtualenv virtualenvs .next standalone publish artifacts bundle \
    bundles artisan console scripts script tools sv sites services.d \
    celery python ruby node nodejs deno bun php java dotnet erl erlexec beam beam.smp elixir \
    sh bash dash zsh ash ksh fish busybox su sudo env nohup tini dumb-init \
    laravel skeleton website-skeleton recommended-project \
    users user sources.d container containers docker kubernetes pod \
    builds workdir work webserver vhosts vhost quarkus-app";

/// Words that say which part of something it is: a name together with the word before it.
const VAGUE: &str = "api worker workers backend frontend service services scheduler client admin \
                     jobs job tasks task consumer producer gateway cron queue beat broker daemon";

/// What a word is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It names a service.
    Good,
    /// It names a part of one.
    Vague,
    /// Nothing.
    None,
}

/// A name out of words in the order of their strength: the first good one, with the part of it that a
/// vague word before it names (`worker`, `shop`: `shop-worker`); a vague one where there is no other.
pub fn best<'w>(words: impl Iterator<Item = &'w [u8]>) -> Option<String> {
    let mut part = None;
    for word in words {
        let Ok(word) = core::str::from_utf8(word) else {
            continue;
        };
        let word = without_version(stem(word.trim()));
        match (worth(word), part) {
            (Worth::Good, None) => return Some(word.to_string()),
            (Worth::Good, Some(part)) => return Some([word, "-", part].concat()),
            (Worth::Vague, None) => part = Some(word),
            _ => {}
        }
    }
    part.map(ToString::to_string)
}

/// The name, where a single word is one by itself.
pub fn usable(word: &[u8]) -> Option<String> {
    best(core::iter::once(word))
}

/// What a word is good for.
pub fn worth(word: &str) -> Worth {
    let fits = |character: char| character.is_alphanumeric() || "-_.@+~".contains(character);
    let begins = word.chars().next().is_some_and(char::is_alphanumeric);
    let is_in = |words: &str| {
        let mut words = words.split_ascii_whitespace();
        words.any(|known| known.eq_ignore_ascii_case(word))
    };
    match () {
        () if word.len() < 2 || word.len() > LONGEST => Worth::None,
        () if !begins && word != "__main__" || !word.chars().all(fits) => Worth::None,
        () if is_number(word) || is_hash(word) || is_temporary(word) => Worth::None,
        () if is_in(GENERIC) || is_interpreter(word) => Worth::None,
        () if is_in(VAGUE) => Worth::Vague,
        () => Worth::Good,
    }
}

/// A file's name without its ending.
pub fn stem(name: &str) -> &str {
    let mut endings = ENDINGS.split_ascii_whitespace();
    let stem = endings.find_map(|ending| name.strip_suffix(ending));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name)
}

/// `shop-1.2.3` is `shop`.
fn without_version(name: &str) -> &str {
    match name.rsplit_once(['-', '_']) {
        Some((before, version)) if version.contains('.') && is_number(version) => before,
        _ => name,
    }
}

/// A number, a date or a version.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('v').unwrap_or(word);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .chars()
            .all(|character| character.is_ascii_digit() || ".-_:T".contains(character))
}

/// A commit, a digest, a UUID, or an identifier that nobody made up.
fn is_hash(word: &str) -> bool {
    let mut characters = word.chars();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_hexadecimal = characters.all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_solid = word.len() >= 20 && word.chars().all(|c| c.is_ascii_alphanumeric());
    word.len() >= 7 && digits > 0 && is_hexadecimal || is_solid && digits > 2
}

/// A folder as mktemp(1) and its like make it.
fn is_temporary(word: &str) -> bool {
    let rest = word.strip_prefix("tmp");
    rest.is_some_and(|rest| rest.starts_with('.') || rest.len() >= 6)
}

/// `python3.11`, `ruby3.1`, `php8.2`, `node20`.
fn is_interpreter(word: &str) -> bool {
    let name = word.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    let interpreters = ["python", "pypy", "ruby", "php", "node", "java", "erl"];
    name != word && interpreters.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nothing_is_told() {
        for word in [
            "",
            "a",
            "app",
            "App",
            "main",
            "__main__",
            "python3.11",
            "ruby3.1",
            "4711",
            "20240131101010",
            "2024-01-31",
            "v1.2.3",
            "1.0",
            "deadbee1",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "123e4567-e89b-12d3-a456-426614174000",
            "tmp.AbCd123456",
            "tmpk3j2h_xx",
            "sh",
            "bash",
            "a b",
            "a/b",
            "../x",
            "-x",
            ".hidden",
            "x,y",
            "x=y",
            "a\nb",
            "\u{1b}[1m",
            "w7l6dsw2ydwxz2f1xhb8y3c5qk1jv0aa",
        ] {
            assert_eq!(worth(word), Worth::None, "{word}");
        }
        for word in [
            "shop",
            "Shop.Api",
            "decade",
            "b2b",
            "shop@blue",
            "größe",
            "php-fpm-shop",
            "tmpl",
        ] {
            assert_eq!(worth(word), Worth::Good, "{word}");
        }
        assert_eq!(worth(&"x".repeat(LONGEST + 1)), Worth::None);
    }

    #[test]
    fn the_first_good_word_counts_with_its_part() {
        let name = |words: &str| best(words.split(' ').map(str::as_bytes)).unwrap_or_default();
        assert_eq!(name("main.py app shop srv"), "shop");
        assert_eq!(name("worker.py shop"), "shop-worker");
        assert_eq!(name("api.py worker src shop"), "shop-api");
        assert_eq!(name("worker.rb srv"), "worker");
        assert_eq!(name("shop-1.2.3 x"), "shop");
        assert_eq!(name("shop-2 x"), "shop-2");
        assert_eq!(name("app.py"), "");
        assert_eq!(
            best([&b"\xff"[..], b"shop"].into_iter()).as_deref(),
            Some("shop")
        );
    }
}

//! PHP: `PHP_INI_SCAN_DIR` with our folder behind the user's, or behind the built-in ones.
//!
//! The folder holds an ini file that sets `auto_prepend_file` to our boot file (src/boot/php). The
//! last value counts, so our folder comes last. The boot file asks `getenv` for the agent's path;
//! PHP's own `getenv` ends in libc's each time, so that settings need no other way.

use crate::matching::scripts::{self, CommandLine};
use crate::process::directory;
use crate::reason::Lossy;
use crate::runtimes::boot;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// `php --help`, `php-fpm --help`. The value of `-f` is the script itself.
const COMMAND_LINE: CommandLine = CommandLine {
    with_value: &["-c", "-d", "-g", "-p", "-S", "-t", "-y", "-z"],
    instead: &[],
};

/// With these PHP reads no ini file or runs no prepend file.
const WITHOUT_PREPEND: &[&str] = &[
    "-n",
    "--no-php-ini",
    "-r",
    "--run",
    "-l",
    "--syntax-check",
    "-i",
    "--info",
    "--ini",
    "-m",
    "--modules",
    "-v",
    "--version",
];

/// Programs in PHP that are no applications; `pear` and `pecl` are shell scripts that start the
/// last two.
const TOOLS: &[&str] = &[
    "composer",
    "composer.phar",
    "phar",
    "phar.phar",
    "pearcmd.php",
    "peclcmd.php",
];

/// The value of `PHP_INI_SCAN_DIR` for this process.
///
/// A value that has our folder already is answered as it is: the boot file needs an activated
/// process, and a folder that is read twice loads its extensions twice.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (_, agent) = Runtime::Php.agent(configuration)?;
    runs_an_application(&process.arguments(), configuration)?;
    let autoload = String::from(agent) + "/autoload.php";
    if !process.is_readable_file(autoload.as_bytes()) {
        return Err(Reason::AgentUnreadable(autoload));
    }
    boot::file(process, boot::PHP_PREPEND)?;
    let file = boot::file(process, "php/ini/agent.ini")?;
    add(original, directory(&file))
}

fn runs_an_application(arguments: &[Vec<u8>], configuration: &Configuration) -> Result<(), Reason> {
    let script = COMMAND_LINE.script(arguments);
    let options = arguments.get(1..arguments.len() - script.len());
    for option in options.unwrap_or_default() {
        let same = |name: &&&str| name.as_bytes() == option;
        if let Some(name) = WITHOUT_PREPEND.iter().find(same) {
            return Err(Reason::Option(name));
        }
    }
    match script {
        [program, ..] => scripts::is_no_tool(program, TOOLS, configuration),
        [] => Ok(()),
    }
}

/// An empty folder between the colons stands for the built-in ones, an empty value for none at all
/// (`php_init_config` in PHP's php_ini.c).
fn add(original: Option<&[u8]>, folder: &[u8]) -> Result<Vec<u8>, Reason> {
    if folder.contains(&b':') {
        return Err(Reason::AgentPathUnusable {
            path: Lossy(folder).to_string(),
            why: "PHP splits PHP_INI_SCAN_DIR at colons",
        });
    }
    match original {
        Some(b"") => Ok(folder.to_vec()),
        Some(value)
            if value
                .split(|byte| *byte == b':')
                .any(|part| is_same(part, folder)) =>
        {
            Ok(value.to_vec())
        }
        _ => Ok([original.unwrap_or_default(), folder].join(&b':')),
    }
}

/// Whether two paths are the same but for slashes and dots that mean nothing.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
        let names = path.split(|byte| *byte == b'/');
        names.filter(|name| !matches!(*name, b"" | b"."))
    }
    one.starts_with(b"/") == other.starts_with(b"/") && names(one).eq(names(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    const FOLDER: &str = "/boot/php/ini";

    fn process(arguments: &str) -> Fixture {
        let readable = [
            "/otel/autoload.php",
            "/boot/php/prepend.php",
            "/boot/php/ini/agent.ini",
        ];
        Fixture {
            arguments: arguments.split(' ').map(String::from).collect(),
            readable: readable.map(String::from).into(),
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Php).agent_path = Some("/otel".into());
        configuration
    }

    fn started(arguments: &str) -> Result<Vec<u8>, Reason> {
        value(None, &process(arguments), &configuration())
    }

    #[test]
    fn the_folder_comes_last_and_the_built_in_ones_stay() {
        let text = |original: Option<&str>| {
            let outcome = add(original.map(str::as_bytes), FOLDER.as_bytes());
            String::from_utf8(outcome.unwrap()).unwrap()
        };
        assert_eq!(text(None), ":/boot/php/ini");
        assert_eq!(text(Some("")), "/boot/php/ini");
        assert_eq!(text(Some("/a b")), "/a b:/boot/php/ini");
        assert_eq!(text(Some(":/a")), ":/a:/boot/php/ini");
        assert_eq!(text(Some("/a:")), "/a::/boot/php/ini");
        for same in ["/boot/php/ini", ":/boot/php/ini:/a", ":/boot//php/./ini/"] {
            assert_eq!(text(Some(same)), same);
        }
        let colon = add(None, b"/a:b");
        assert!(matches!(colon, Err(Reason::AgentPathUnusable { .. })));
    }

    #[test]
    fn files_must_be_readable() {
        let mut p = process("php");
        p.readable.remove(1);
        let outcome = value(None, &p, &configuration());
        assert!(matches!(outcome, Err(Reason::BootFileMissing(_))));
        p.readable.clear();
        let outcome = value(None, &p, &configuration());
        assert!(matches!(outcome, Err(Reason::AgentUnreadable(_))));
    }

    #[test]
    fn tools_are_left_alone_and_applications_are_not() {
        for command in [
            "php /usr/bin/composer install",
            "php -d memory_limit=-1 composer.phar",
            "/usr/bin/php8.2 /usr/bin/phar8.2 list",
            "php -f /usr/share/php/peclcmd.php",
        ] {
            let outcome = started(command);
            assert!(
                matches!(outcome, Err(Reason::BuiltInArgumentDenial(_))),
                "{command}"
            );
        }
        for command in [
            "php shop.php composer",
            "php shop.phar -n",
            "php -S 127.0.0.1:80",
            "php-fpm: master process (/etc/php-fpm.conf)",
            "apache2 -k start",
        ] {
            assert!(started(command).is_ok(), "{command}");
        }
    }

    #[test]
    fn what_runs_no_prepend_file_is_left_alone() {
        assert_eq!(started("php -n a.php"), Err(Reason::Option("-n")));
        assert_eq!(started("php -d a=b -r 1;"), Err(Reason::Option("-r")));
    }
}

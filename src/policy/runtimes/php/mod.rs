//! PHP: `PHP_INI_SCAN_DIR` with our folder behind the user's folders, or behind the built-in ones.
//!
//! The folder holds an ini file that sets `auto_prepend_file` to our boot file (src/boot/php). The last
//! value wins, so our folder comes last. The boot file asks `getenv` for the agent's path. PHP's own
//! `getenv` calls libc's each time, so settings need no other way.

pub mod command_line;

use crate::matching::commands;
use crate::matching::tools::{self, By};
use crate::process::{directory, file_name};
use crate::reason::Lossy;
use crate::runtimes::boot;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use command_line::{Line, defined};

/// The file below `agent_path` that loads the agent.
pub const AUTOLOAD: &str = "/autoload.php";

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
    let arguments = process.arguments();
    let is_library = || process.loaded_library("libphp").is_some();
    let line = command_line::read(file_name(process.started_as()), is_library, &arguments)?;
    if let Some(script) = line.script {
        tools::refuse(Runtime::Php, By::Script, script, configuration)?;
        commands::refuse(Runtime::Php, script, line.rest, configuration)?;
    }
    let autoload = String::from(agent) + AUTOLOAD;
    if !process.is_readable_file(autoload.as_bytes()) {
        return Err(Reason::AgentUnreadable(autoload));
    }
    let prepend = boot::file(process, boot::PHP_PREPEND)?;
    lets_ours_run(&line, [&prepend, autoload.as_bytes()])?;
    let file = boot::file(process, "php/ini/agent.ini")?;
    add(original, directory(&file))
}

/// Entries on the command line count more than every ini file: one may name another prepend file, or
/// none, and one may forbid PHP to open ours.
fn lets_ours_run(line: &Line<'_>, files: [&[u8]; 2]) -> Result<(), Reason> {
    if defined(&line.defines, "auto_prepend_file").is_some() {
        return Err(Reason::Option("-d auto_prepend_file"));
    }
    let disabled = unquoted(defined(&line.defines, "disable_functions").unwrap_or_default());
    let mut disabled = disabled.split(|byte| matches!(byte, b',' | b' '));
    if disabled.any(|name| name == b"getenv") {
        return Err(Reason::Option("-d disable_functions"));
    }
    let folders = defined(&line.defines, "open_basedir").unwrap_or_default();
    let folders = unquoted(folders);
    if folders.is_empty() || files.iter().all(|file| is_within(folders, file)) {
        return Ok(());
    }
    Err(Reason::Option("-d open_basedir"))
}

/// A value of php.ini without the quotes around it.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

/// Whether a file is in one of the folders of `open_basedir`, without looking at links: the boot file
/// itself is only named where PHP may open it (the preload object asks PHP).
fn is_within(folders: &[u8], file: &[u8]) -> bool {
    folders.split(|byte| *byte == b':').any(|folder| {
        let rest = file.strip_prefix(folder.strip_suffix(b"/").unwrap_or(folder));
        folder.starts_with(b"/") && rest.is_some_and(|rest| rest.starts_with(b"/"))
    })
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
            executable: arguments.split(' ').next().unwrap().into(),
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
            "php vendor/bin/phpunit --filter x",
            "/usr/bin/php8.2 /usr/local/bin/phpunit-11.5.phar",
            "php -d x=1 vendor/bin/phpstan analyse",
            "php phpcs.phar",
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
            "php artisan queue:work",
            "php /srv/phpunit/index.php",
            "php -S 127.0.0.1:80",
            "php-fpm: master process (/etc/php-fpm.conf)",
        ] {
            assert!(started(command).is_ok(), "{command}");
        }
    }

    #[test]
    fn what_runs_no_prepend_file_of_ours_is_left_alone() {
        for (command, option) in [
            ("php -n a.php", "-n"),
            ("php -d a=b -r 1;", "-r"),
            ("php -r1;", "-r"),
            ("php -d auto_prepend_file= a.php", "-d auto_prepend_file"),
            ("php-fpm8.2 -dauto_prepend_file=/x", "-d auto_prepend_file"),
            (
                "php -d disable_functions=exec,getenv a.php",
                "-d disable_functions",
            ),
            ("php -d open_basedir=/srv a.php", "-d open_basedir"),
            ("php -d open_basedir=. a.php", "-d open_basedir"),
            ("php -d open_basedir=/boot:/ot a.php", "-d open_basedir"),
        ] {
            assert_eq!(started(command), Err(Reason::Option(option)), "{command}");
        }
        for command in [
            "php -d disable_functions=exec,putenv a.php",
            "php -d open_basedir= a.php",
            "php -d open_basedir=\"/srv:/boot/:/otel\" a.php",
        ] {
            assert!(started(command).is_ok(), "{command}");
        }
    }
}

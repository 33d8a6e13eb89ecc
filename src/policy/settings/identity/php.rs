//! PHP: FPM's pool, `composer.json` above a script, the script's folder.

use super::application_files::Reader;
use super::{Named, Told, names, paths};
use crate::Process;
use crate::matching::texts;
use crate::process::{directory, file_name};
use crate::runtimes::php::command_line;

const MANIFEST: &str = "composer.json";

/// What FPM writes over a worker's command line (`fpm_env_setproctitle` in fpm_env.c).
const POOL: &[u8] = b"php-fpm: pool ";

/// Where Composer installs packages, `vendor/bin` among them.
const PACKAGES: &[u8] = b"/vendor/";

/// Command lines of frameworks: Laravel, Symfony, Yii, Craft CMS, CodeIgniter, CakePHP, Hyperf, ThinkPHP.
const CONSOLES: &str = "artisan console yii craft spark cake cake.php hyperf.php think";

/// The name of what a PHP process runs.
pub fn named(process: &impl Process) -> Option<Named> {
    let arguments = process.arguments();
    let own_name = arguments.first()?;
    if let Some(pool) = own_name.strip_prefix(POOL) {
        let pool = pool.split(|byte| *byte == b'\0').next().unwrap_or_default();
        return Some((Told::new(names::usable(pool)?, "FPM's pool", pool), None));
    }
    if is_server(process) {
        return None;
    }
    let program = process.program();
    let reader = Reader::new(process);
    let folder_of = |option: &[u8]| {
        let at = arguments.iter().position(|argument| argument == option)?;
        arguments.get(at + 1)
    };
    if folder_of(b"-S").is_some() {
        let root = folder_of(b"-t").map_or(&b"."[..], |folder| folder);
        let root = paths::absolute(root, process);
        let alone = || Some((paths::of_folder(&root, "document root")?, None));
        return reader.manifest(&root, MANIFEST).or_else(alone);
    }
    // Code on the command line is no program; FPM's and Apache's lines are looked at above.
    let line = command_line::read(file_name(&program), || false, &arguments).ok()?;
    let script = line.script?;
    let script = paths::absolute(script, process);
    let alone = || Some((paths::of_program(&script, process, "script")?, None));
    // A program that is installed below a project runs that project.
    if let Some(at) = position(&script, PACKAGES) {
        let project = script.get(..at).unwrap_or_default();
        let autoload = [project, b"/vendor/autoload.php"].concat();
        let of_folder = || {
            let is_composers = process.is_readable_file(&autoload);
            let told = is_composers.then(|| paths::of_folder(project, "project"))?;
            Some((told?, None))
        };
        let found = reader.manifest(project, MANIFEST).or_else(of_folder);
        return found.or_else(alone);
    }
    let folder = directory(&script);
    let is_console = texts::has(CONSOLES, file_name(&script));
    if !is_console && names::usable(file_name(&script)).is_some() {
        return alone();
    }
    let found = reader.manifest(folder, MANIFEST);
    found.or_else(|| {
        if is_console {
            Some((paths::of_folder(folder, "project")?, None))
        } else {
            alone()
        }
    })
}

/// Whether the process serves requests. It may serve many applications: what it runs first must not name the
/// others.
pub fn is_server(process: &impl Process) -> bool {
    let program = process.program();
    let program = file_name(&program);
    let own_name = process.first_argument();
    !program.starts_with(b"php")
        || program.starts_with(b"php-fpm")
        || program.starts_with(b"php-cgi")
        || own_name.starts_with(b"php-fpm")
}

fn position(path: &[u8], part: &[u8]) -> Option<usize> {
    path.windows(part.len()).position(|window| window == part)
}

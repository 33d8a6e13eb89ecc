//! The object, and what lies beside it.

use crate::install::object_check::{self, GUM, ObjectFault};
use crate::install::trust;
use crate::machine::preload_object;
use crate::status::findings::Finding;
use std::path::Path;

const OBJECT: &str = "object";
const ENGINE: &str = "engine";
const BOOT_FILES: &str = "boot files";

/// What the runtimes are given to load (src/boot).
const BOOT: [&str; 11] = [
    "erlang/agent.script",
    "nodejs/agent.cjs",
    "nodejs/ending.cjs",
    "nodejs/imports.cjs",
    "nodejs/presence.cjs",
    "nodejs/register.cjs",
    "php/ini/agent.ini",
    "php/prepend.php",
    "python/opentelemetry_injector/__init__.py",
    "python/sitecustomize.py",
    "ruby/boot.rb",
];

/// All there is to say of the object at this place.
pub fn findings(object: Option<&Path>) -> Vec<Finding> {
    match object {
        Some(object) => vec![content(object), boot(object), engine(object)],
        None => vec![not_found()],
    }
}

fn not_found() -> Finding {
    let what = match preload_object::installed() {
        Err(problem) => problem.to_string(),
        Ok(path) => format!("{} is not used", path.display()),
    };
    Finding::problem(OBJECT, what, "install the package, or build it")
}

fn content(object: &Path) -> Finding {
    let place = object.display();
    let version = match object_check::trust(object).and_then(|()| object_check::content(object)) {
        Ok(version) => version,
        Err(ObjectFault::Distrusted(distrust)) if !object.exists() => {
            return Finding::problem(
                OBJECT,
                distrust.to_string(),
                "restore it, or run `opentelemetry-injector uninstall`",
            );
        }
        Err(ObjectFault::Distrusted(distrust)) => {
            return Finding::problem(
                OBJECT,
                distrust.to_string(),
                "correct this, or move the object",
            );
        }
        Err(fault) => {
            let what = format!("{place}: {fault}");
            return Finding::problem(OBJECT, what, "install the package again");
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    if version == own {
        Finding::ok(OBJECT, format!("{place} ({version})"))
    } else {
        Finding::note(OBJECT, format!("{place} is {version}, this command {own}"))
            .with_next("install both from one package")
    }
}

fn boot(object: &Path) -> Finding {
    let folder = object.with_file_name("boot");
    let is_missing = |name: &&&str| !folder.join(name).is_file();
    let missing: Vec<_> = BOOT.iter().filter(is_missing).copied().collect();
    let place = folder.display();
    match missing.as_slice() {
        [] => Finding::ok(BOOT_FILES, place.to_string()),
        missing => Finding::problem(
            BOOT_FILES,
            format!("{place} lacks {}", missing.join(", ")),
            "copy the folder boot beside the object: every runtime except the JVM and .NET \
             needs it",
        ),
    }
}

fn engine(object: &Path) -> Finding {
    let gum = object.with_file_name(GUM);
    let place = gum.display();
    if !gum.exists() {
        return Finding::ok(ENGINE, format!("direct (built in); {GUM} is not installed"));
    }
    match trust::file(&gum) {
        Ok(_) => Finding::ok(ENGINE, format!("direct (built in) and Gum ({place})")),
        Err(distrust) => {
            Finding::problem(ENGINE, distrust.to_string(), "correct this, or remove it")
        }
    }
}

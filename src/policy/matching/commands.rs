//! Commands of applications: an application's own program also migrates databases, prints its version, or
//! asks a running service for its state. Such a command ends by itself and is left alone like a tool.
//!
//! A row names the commands that end. What it does not name is an application: a project may add commands
//! of its own, and those are often workers.

use crate::matching::{command_line, glob, tools};
use crate::process::file_name;
use crate::{Configuration, Reason, Runtime};
use alloc::vec::Vec;

/// What a program and its commands are called. Each list is one text with blanks between its items, which
/// are patterns as [`glob`] reads them.
struct Commands {
    runtime: Runtime,
    /// The program: a script's file name, or a module.
    programs: &'static str,
    /// Options in front of the command whose value is the next argument.
    with_value: &'static str,
    /// The commands that end, and options (with their dash) with which the program does.
    ending: &'static str,
    /// What they are, for the reason that is told.
    kind: &'static str,
}

/// The table. Sources: each program's own `--help`.
const COMMANDS: &[Commands] = &[
    // Celery 5.5.
    Commands {
        runtime: Runtime::Python,
        programs: "celery",
        with_value: "-A --app -b --broker --result-backend --loader --config --workdir",
        ending: "--help --version amqp call control graph inspect list logtool migrate multi purge \
                 report result shell status upgrade",
        kind: "a command of Celery",
    },
    // Django 5.2 and django-extensions 4.1. (A project's own commands are often workers.)
    Commands {
        runtime: Runtime::Python,
        programs: "manage.py django-admin django-admin.py django",
        with_value: "--settings --pythonpath",
        ending: "--help --version changepassword check clearsessions collectstatic compilemessages \
                 createcachetable createsuperuser dbshell diffsettings dumpdata findstatic flush help \
                 inspectdb loaddata makemessages makemigrations migrate ogrinspect optimizemigration \
                 remove_stale_contenttypes sendtestemail shell shell_plus show_urls showmigrations \
                 sqlflush sqlmigrate sqlsequencereset squashmigrations startapp startproject test \
                 version",
        kind: "a command of Django",
    },
    // Flask 3.1 and Flask-Migrate 4.1.
    Commands {
        runtime: Runtime::Python,
        programs: "flask",
        with_value: "-A --app -e --env-file",
        ending: "--help --version db routes shell",
        kind: "a command of Flask",
    },
    // Airflow 2.11 and 3.0.
    Commands {
        runtime: Runtime::Python,
        programs: "airflow",
        with_value: "",
        ending: "--help assets backfill cheat-sheet config connections dags db db-manager info jobs \
                 plugins pools providers roles rotate-fernet-key sync-perm users variables version",
        kind: "a command of Airflow",
    },
    // RQ 2.3.
    Commands {
        runtime: Runtime::Python,
        programs: "rq",
        with_value: "",
        ending: "--help --version empty enqueue info requeue resume suspend",
        kind: "a command of RQ",
    },
    // Servers: gunicorn 23, uvicorn 0.35, hypercorn 0.17, daphne 4.2, waitress 3.
    Commands {
        runtime: Runtime::Python,
        programs: "gunicorn uvicorn hypercorn daphne waitress-serve waitress",
        with_value: "",
        ending: "--check-config --help --print-config --version",
        kind: "a server's check of itself",
    },
    // puma 6, unicorn 6, sidekiq 8, rackup 2, thin 2.
    Commands {
        runtime: Runtime::Ruby,
        programs: "puma unicorn sidekiq rackup thin",
        with_value: "",
        ending: "--help --version -V",
        kind: "a server's check of itself",
    },
    // Passenger 6.
    Commands {
        runtime: Runtime::Ruby,
        programs: "passenger",
        with_value: "",
        ending: "--help --version about config help package-debug status stop",
        kind: "a command of Passenger",
    },
    // Laravel 12.
    Commands {
        runtime: Runtime::Php,
        programs: "artisan",
        with_value: "--env",
        ending: "--help --version about auth:* cache:* channel:* clear-compiled completion config:* db \
                 db:* docs down env env:* event:* help install:* key:* lang:* list make:* migrate \
                 migrate:* model:* optimize optimize:* package:* queue:clear queue:failed \
                 queue:flush queue:forget queue:prune-* queue:restart queue:retry route:* \
                 schedule:list schema:* storage:* stub:* test tinker up vendor:* view:*",
        kind: "a command of Laravel",
    },
    // Symfony 7 with its bundles for Doctrine and Twig.
    Commands {
        runtime: Runtime::Php,
        programs: "console",
        with_value: "-e --env",
        ending: "--help --version about asset-map:* assets:* cache:* completion config:* dbal:* debug:* \
                 doctrine:* help importmap:* lint:* list make:* messenger:failed:* messenger:stats \
                 messenger:stop-workers router:* secrets:* security:* translation:*",
        kind: "a command of Symfony",
    },
    // Magento 2.4.
    Commands {
        runtime: Runtime::Php,
        programs: "magento",
        with_value: "",
        ending: "--help --version admin:* app:* cache:* catalog:* config:* deploy:* dev:* help i18n:* \
                 indexer:* info:* list maintenance:* module:* sampledata:* setup:* store:* theme:* \
                 varnish:*",
        kind: "a command of Magento",
    },
    // Next.js 15, Nuxt 3, Astro 5, Remix 2, React Router 7, Gatsby 5.
    Commands {
        runtime: Runtime::Nodejs,
        programs: "next nuxt nuxt.mjs nuxi nuxi.mjs astro astro.js remix react-router gatsby gatsby.js \
                   gatsby-cli.js",
        with_value: "",
        ending: "--help --version add analyze build build-module check clean cleanup create-key \
                 devtools docs export generate info init lint module new plugin prepare preferences \
                 reveal routes sync telemetry test typecheck typegen upgrade",
        kind: "a framework's build",
    },
];

/// What every program's call for its version or its help is.
const INFORMATION: &str = "a call for the version or the help";

/// Leaves a command that ends by itself alone, unless the configuration itself says by
/// `processes.include_arguments` which command lines are wanted. `program` is a script's path or a module,
/// `arguments` what stands behind it.
///
/// # Errors
/// It is such a command.
pub fn refuse(
    runtime: Runtime,
    program: &[u8],
    arguments: &[Vec<u8>],
    configuration: &Configuration,
) -> Result<(), Reason> {
    tools::deny(configuration, || kind(runtime, program, arguments))
}

fn kind(runtime: Runtime, program: &[u8], arguments: &[Vec<u8>]) -> Option<&'static str> {
    if let [only] = arguments
        && matches!(&only[..], b"--help" | b"--version")
    {
        return Some(INFORMATION);
    }
    let mut rows = COMMANDS.iter();
    let row = rows.find(|row| row.runtime == runtime && lists(row.programs, file_name(program)))?;
    row.ends(arguments).then_some(row.kind)
}

impl Commands {
    /// Whether one of the options in front of the command, or the command, ends by itself.
    fn ends(&self, arguments: &[Vec<u8>]) -> bool {
        let mut words = arguments.iter().map(Vec::as_slice);
        while let Some(word) = words.next() {
            if lists(self.ending, word) {
                return true;
            }
            if command_line::find(self.with_value, word).is_some() {
                words.next();
            } else if !word.starts_with(b"-") {
                return false;
            }
        }
        false
    }
}

fn lists(patterns: &'static str, word: &[u8]) -> bool {
    let mut patterns = patterns.split_ascii_whitespace();
    patterns.any(|pattern| glob::matches(pattern.as_bytes(), word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_left_alone(runtime: Runtime, line: &str) -> bool {
        let mut words = line.split(' ').map(Vec::from);
        let program = words.next().unwrap();
        let arguments: Vec<_> = words.collect();
        refuse(runtime, &program, &arguments, &Configuration::default()).is_err()
    }

    #[test]
    fn commands_that_end_are_left_alone() {
        for (runtime, line) in [
            (Runtime::Python, "/v/bin/celery -A shop inspect ping"),
            (Runtime::Python, "celery --app=shop status"),
            (Runtime::Python, "/srv/shop/manage.py migrate --noinput"),
            (Runtime::Python, "django check"),
            (Runtime::Python, "flask --app shop routes"),
            (Runtime::Python, "/v/bin/airflow jobs check"),
            (Runtime::Python, "/v/bin/gunicorn --check-config shop:app"),
            (Runtime::Python, "/srv/shop.py --version"),
            (Runtime::Ruby, "/usr/bin/puma -V"),
            (Runtime::Php, "/srv/artisan migrate --force"),
            (Runtime::Php, "/srv/artisan queue:restart"),
            (Runtime::Php, "bin/console cache:clear -e prod"),
            (Runtime::Nodejs, "/x/node_modules/.bin/next build"),
            (Runtime::Nodejs, "/srv/app.js --help"),
            (Runtime::Jvm, "/srv/shop.jar --version"),
        ] {
            assert!(is_left_alone(runtime, line), "{line}");
        }
    }

    #[test]
    fn applications_are_not() {
        for (runtime, line) in [
            (Runtime::Python, "/v/bin/celery -A shop worker -n inspect"),
            (Runtime::Python, "celery -A status worker"),
            (Runtime::Python, "/srv/shop/manage.py runserver"),
            (Runtime::Python, "/srv/shop/manage.py consume_orders"),
            (Runtime::Python, "flask run"),
            (Runtime::Python, "/v/bin/airflow scheduler"),
            (Runtime::Python, "/v/bin/gunicorn shop:app"),
            (Runtime::Python, "/srv/shop.py migrate"),
            (Runtime::Python, "/srv/shop.py serve --help"),
            (Runtime::Python, "/srv/shop.py"),
            (Runtime::Ruby, "/usr/bin/puma -C config/puma.rb"),
            (Runtime::Php, "/srv/artisan queue:work"),
            (Runtime::Php, "/srv/artisan shop:consume"),
            (Runtime::Php, "bin/console messenger:consume async"),
            (Runtime::Nodejs, "/x/node_modules/.bin/next start"),
            (Runtime::Nodejs, "/srv/next/server.js build"),
        ] {
            assert!(!is_left_alone(runtime, line), "{line}");
        }
    }

    #[test]
    fn who_chooses_arguments_lifts_it() {
        let mut chosen = Configuration::default();
        chosen.processes.include_arguments = Some([alloc::string::String::from("x")].into());
        let outcome = refuse(Runtime::Python, b"flask", &[b"shell".to_vec()], &chosen);
        assert_eq!(outcome, Ok(()));
    }
}

//! Commands of applications: an application's own program also migrates databases, prints its version, or
//! asks a running service for its state. Such a command ends by itself and is left alone like a tool.
//!
//! A row names the commands that end. What it does not name is an application: a project may add commands
//! of its own, and those are often workers.

use crate::matching::{glob, texts, tools};
use crate::process::file_name;
use crate::{Configuration, Reason, Runtime};
use alloc::vec::Vec;

/// The tables: rows of what the commands are, for the reason that is told, and of three lists with `|`
/// between them. Sources: each program's own `--help`.
///
/// - the program: a script's file name, or a module;
/// - options in front of the command whose value is the next argument;
/// - the commands that end, and options (with their dash) with which the program does.
///
/// Their items are patterns as [`glob`] reads them.
const fn table(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Python => concat!(
            // Celery 5.5.
            "a command of Celery: celery | -A --app -b --broker --result-backend --loader \
             --config --workdir | --help --version amqp call control graph inspect list logtool \
             migrate multi purge report result shell status upgrade\n",
            // Django 5.2 and django-extensions 4.1. (A project's own commands are often workers.)
            "a command of Django: manage.py django-admin django-admin.py django | --settings \
             --pythonpath | --help --version changepassword check clearsessions collectstatic \
             compilemessages createcachetable createsuperuser dbshell diffsettings dumpdata \
             findstatic flush help inspectdb loaddata makemessages makemigrations migrate \
             ogrinspect optimizemigration remove_stale_contenttypes sendtestemail shell \
             shell_plus show_urls showmigrations sqlflush sqlmigrate sqlsequencereset \
             squashmigrations startapp startproject test version\n",
            // Flask 3.1 and Flask-Migrate 4.1.
            "a command of Flask: flask | -A --app -e --env-file | --help --version db routes \
             shell\n",
            // Airflow 2.11 and 3.0.
            "a command of Airflow: airflow | | --help assets backfill cheat-sheet config \
             connections dags db db-manager info jobs plugins pools providers roles \
             rotate-fernet-key sync-perm users variables version\n",
            // RQ 2.3.
            "a command of RQ: rq | | --help --version empty enqueue info requeue resume \
             suspend\n",
            // Servers: gunicorn 23, uvicorn 0.35, hypercorn 0.17, daphne 4.2, waitress 3.
            "a server's check of itself: gunicorn uvicorn hypercorn daphne waitress-serve \
             waitress | | --check-config --help --print-config --version\n",
        ),
        Runtime::Ruby => concat!(
            // puma 6, unicorn 6, sidekiq 8, rackup 2, thin 2.
            "a server's check of itself: puma unicorn sidekiq rackup thin | | --help --version \
             -V\n",
            // Passenger 6.
            "a command of Passenger: passenger | | --help --version about config help \
             package-debug status stop\n",
        ),
        Runtime::Php => concat!(
            // Laravel 12.
            "a command of Laravel: artisan | --env | --help --version about auth:* cache:* \
             channel:* clear-compiled completion config:* db db:* docs down env env:* event:* \
             help install:* key:* lang:* list make:* migrate migrate:* model:* optimize \
             optimize:* package:* queue:clear queue:failed queue:flush queue:forget \
             queue:prune-* queue:restart queue:retry route:* schedule:list schema:* storage:* \
             stub:* test tinker up vendor:* view:*\n",
            // Symfony 7 with its bundles for Doctrine and Twig.
            "a command of Symfony: console | -e --env | --help --version about asset-map:* \
             assets:* cache:* completion config:* dbal:* debug:* doctrine:* help importmap:* \
             lint:* list make:* messenger:failed:* messenger:stats messenger:stop-workers \
             router:* secrets:* security:* translation:*\n",
            // Magento 2.4.
            "a command of Magento: magento | | --help --version admin:* app:* cache:* catalog:* \
             config:* deploy:* dev:* help i18n:* indexer:* info:* list maintenance:* module:* \
             sampledata:* setup:* store:* theme:* varnish:*\n",
        ),
        Runtime::Nodejs => {
            // Next.js 15, Nuxt 3, Astro 5, Remix 2, React Router 7, Gatsby 5.
            "a framework's build: next nuxt nuxt.mjs nuxi nuxi.mjs astro astro.js remix \
             react-router gatsby gatsby.js gatsby-cli.js | | --help --version add analyze build \
             build-module check clean cleanup create-key devtools docs export generate info \
             init lint module new plugin prepare preferences reveal routes sync telemetry test \
             typecheck typegen upgrade"
        }
        Runtime::Jvm | Runtime::Dotnet | Runtime::Erlang => "",
    }
}

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
    let mut rows = texts::rows(table(runtime)).filter_map(|(kind, lists)| {
        let commands = Commands::of(lists)?;
        has(commands.programs, file_name(program)).then_some((kind, commands))
    });
    let (kind, commands) = rows.next()?;
    commands.ends(arguments).then_some(kind)
}

/// A row's lists.
struct Commands {
    programs: &'static str,
    with_value: &'static str,
    ending: &'static str,
}

impl Commands {
    fn of(lists: &'static str) -> Option<Self> {
        let (programs, rest) = lists.split_once('|')?;
        let (with_value, ending) = rest.split_once('|')?;
        Some(Self {
            programs,
            with_value,
            ending,
        })
    }

    /// Whether one of the options in front of the command, or the command, ends by itself.
    fn ends(&self, arguments: &[Vec<u8>]) -> bool {
        let mut words = arguments.iter().map(Vec::as_slice);
        while let Some(word) = words.next() {
            if has(self.ending, word) {
                return true;
            }
            if texts::has(self.with_value, word) {
                words.next();
            } else if !word.starts_with(b"-") {
                return false;
            }
        }
        false
    }
}

fn has(patterns: &'static str, word: &[u8]) -> bool {
    let mut patterns = texts::words(patterns);
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

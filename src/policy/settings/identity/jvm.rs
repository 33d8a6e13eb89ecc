//! The JVM: what the Java agent does not find by itself.
//!
//! The agent (2.31) reads a jar's manifest and name, and Spring Boot's `spring.application.name`. It does
//! not look at the main class. Where the agent may know a better name, none is given here, because it
//! would win.

use super::servers::value_of;
use super::{Told, names, paths};
use crate::matching::command_line::{Grammar, Runs};
use crate::matching::{glob, texts};
use crate::process::{directory, file_name};
use crate::runtimes::jvm::launcher::{Launch, Main, launch};
use crate::{Process, Runtime};
use alloc::vec::Vec;

/// Names of servers, and their main classes.
const SERVERS: &str = "
    kafka: kafka.Kafka
    zookeeper: org.apache.zookeeper.server.quorum.QuorumPeerMain
    cassandra: org.apache.cassandra.service.CassandraDaemon
    elasticsearch: org.elasticsearch.bootstrap.Elasticsearch \
        org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch
    opensearch: org.opensearch.bootstrap.OpenSearch
    artemis: org.apache.activemq.artemis.boot.Artemis
    glassfish: com.sun.enterprise.glassfish.bootstrap.ASMain
";

/// Archives that start a server or an application of another name, and what each is called where nothing tells
/// that name. Jetty's `start.jar` (jetty.base), Jetty's and Heroku's runners (the archive behind it), WildFly's
/// modules, and Quarkus' `fast-jar`, which stands in a folder of its own.
const STARTERS: &str = "
    jetty: start.jar
    jetty-runner: jetty-runner.jar jetty-runner-*.jar webapp-runner.jar webapp-runner-*.jar
    wildfly: jboss-modules.jar
    quarkus: quarkus-run.jar
";

/// Classes that start an application of another name, which its folder tells.
const LAUNCHERS: &str = "play.core.server.ProdServerStart io.vertx.core.Launcher \
                         io.quarkus.bootstrap.runner.QuarkusEntryPoint \
                         org.apache.commons.daemon.support.DaemonWrapper";

/// How Commons Daemon's `jsvc` reads its line (its `arguments.c`, 1.4): behind the options stands the class.
const JSVC: Grammar = Grammar {
    with_value: "-cp -classpath -jvm -home -java-home -user -outfile -errfile -pidfile -procname \
                 -umask -cwd -wait -restarts",
    naming: "",
    letters: false,
    marks: b"",
};

const TOMCAT: &[u8] = b"org.apache.catalina.startup.Bootstrap";

/// Where Spring Boot has its settings, in a folder of the class path.
const SPRING: &str = "application.properties application.yml application.yaml";

/// How many folders of the class path are looked at.
const MOST_FOLDERS: usize = 8;

/// Whether the agent finds a name by itself.
pub fn is_left_to_agent(process: &impl Process) -> bool {
    if !Runtime::Jvm.is_launched(process) {
        return false;
    }
    let launch = launch(process);
    match &launch.runs {
        Main::Class(main) => is_springs(main) || has_spring_settings(&launch.options, process),
        Main::Jar(jar) => starter(jar, &launch.options, process).is_none(),
        Main::Source(_) | Main::Nothing => false,
    }
}

/// The name that a main class tells, or a program with a JVM inside.
pub fn name(process: &impl Process) -> Option<Told> {
    if Runtime::Jvm.is_launched(process) {
        return of_launcher(process);
    }
    let arguments = process.arguments();
    // Its first argument may be any name (`-procname`).
    if file_name(&process.program()).starts_with(b"jsvc") {
        return match JSVC.read(&arguments).runs {
            Runs::Script(class) => of_class(class, &arguments, process),
            _ => None,
        };
    }
    paths::of_program(&process.program(), process, "program")
}

fn of_launcher(process: &impl Process) -> Option<Told> {
    let Launch {
        options,
        runs,
        arguments,
        ..
    } = launch(process);
    let main = match runs {
        Main::Class(main) => main,
        Main::Jar(jar) => return started(&jar, &options, &arguments, process),
        Main::Source(_) | Main::Nothing => return None,
    };
    if is_left_to_agent(process) {
        return None;
    }
    of_class(&main, &options, process)
}

fn of_class(main: &[u8], options: &[Vec<u8>], process: &impl Process) -> Option<Told> {
    if main == TOMCAT {
        return tomcat(options);
    }
    if let Some(name) = texts::key(SERVERS, |class| class == main) {
        return Some(Told::new(name.into(), "main class", main));
    }
    if texts::has(LAUNCHERS, main) {
        let folder = property(options, b"-Duser.dir=").map(Vec::from);
        let folder = folder.unwrap_or_else(|| process.working_directory());
        return paths::of_folder(&folder, "application folder");
    }
    // `shop/com.acme.shop.Main`: the module, then the class.
    let class = main.rsplit(|byte| *byte == b'/').next()?;
    let mut words = class.rsplit(|byte| *byte == b'.');
    let own = words.next()?;
    // A constant is no class; whoever calls itself `java` may take anything for its argument.
    if !own.iter().any(u8::is_ascii_lowercase) {
        return None;
    }
    let is_plain = |word: &[u8]| !matches!(word, b"com" | b"org" | b"net" | b"io" | b"de");
    let words = core::iter::once(without_ending(own)).chain(words.filter(|word| is_plain(word)));
    Some(Told::new(names::best(words)?, "main class", main))
}

/// `ShopApplication` is `Shop`, `ShopServer` too.
fn without_ending(class: &[u8]) -> &[u8] {
    let endings = [
        &b"Application"[..],
        b"Main",
        b"App",
        b"Server",
        b"Launcher",
        b"Daemon",
        b"Kt",
    ];
    let mut stems = endings
        .iter()
        .filter_map(|ending| class.strip_suffix(*ending));
    stems
        .next()
        .filter(|stem| !stem.is_empty())
        .unwrap_or(class)
}

/// What an archive that starts others is called. Any archive may be called `start.jar`: Jetty's has its modules
/// beside it, or its home in a property.
fn starter(jar: &[u8], options: &[Vec<u8>], process: &impl Process) -> Option<&'static str> {
    let mut rows = texts::rows(STARTERS);
    let is_it = |pattern: &str| glob::matches(pattern.as_bytes(), file_name(jar));
    let row = rows.find(|(_, patterns)| texts::words(patterns).any(is_it));
    let (name, _) = row?;
    let beside = || {
        [
            directory(&paths::absolute(jar, process)),
            b"/modules/server.mod",
        ]
        .concat()
    };
    let is_jettys = || {
        let homes = [&b"-Djetty.home="[..], b"-Djetty.base="];
        homes.iter().any(|home| property(options, home).is_some())
            || process.is_readable_file(&beside())
    };
    (name != "jetty" || is_jettys()).then_some(name)
}

/// The name of what such an archive starts.
fn started(
    jar: &[u8],
    options: &[Vec<u8>],
    arguments: &[Vec<u8>],
    process: &impl Process,
) -> Option<Told> {
    let kind = starter(jar, options, process)?;
    let by_argument = |beginning: &[u8]| {
        let mut arguments = arguments.iter();
        arguments.find_map(|argument| argument.strip_prefix(beginning))
    };
    let folder = match kind {
        "jetty-runner" => {
            // An archive, or the folder with what would be in one.
            let is_archive = |path: &&Vec<u8>| path.ends_with(b".war") || process.is_folder(path);
            let archive = arguments.iter().rev().find(is_archive);
            let told = archive.and_then(|path| paths::of_program(path, process, "archive"));
            return Some(told.unwrap_or_else(|| Told::new(kind.into(), "archive", jar)));
        }
        "jetty" => by_argument(b"jetty.base=")
            .or_else(|| property(options, b"-Djetty.base="))
            .map(Vec::from),
        "wildfly" => property(options, b"-Djboss.server.base.dir=").map(Vec::from),
        _ => Some(directory(&paths::absolute(jar, process)).to_vec()),
    };
    // Jetty's base is the working directory where nothing says otherwise.
    let folder = folder.or_else(|| (kind == "jetty").then(|| process.working_directory()));
    let told = folder.and_then(|folder| paths::of_folder(&folder, "application folder"));
    told.or_else(|| (kind != "quarkus").then(|| Told::new(kind.into(), "archive", jar)))
}

/// The value of a system property, `option` being its whole beginning.
fn property<'o>(options: &'o [Vec<u8>], option: &[u8]) -> Option<&'o [u8]> {
    let mut options = options.iter();
    options.find_map(|given| given.strip_prefix(option))
}

fn tomcat(options: &[Vec<u8>]) -> Option<Told> {
    let base = property(options, b"-Dcatalina.base=").unwrap_or_default();
    let of_base = paths::of_folder(base, "catalina.base");
    of_base.or_else(|| Some(Told::new("tomcat".into(), "main class", TOMCAT)))
}

fn is_springs(main: &[u8]) -> bool {
    main.starts_with(b"org.springframework.boot.loader.")
}

fn has_spring_settings(options: &[Vec<u8>], process: &impl Process) -> bool {
    let is_named = |option: &Vec<u8>| option.starts_with(b"-Dspring.application.name=");
    if options.iter().any(is_named) || process.variable("SPRING_APPLICATION_NAME").is_some() {
        return true;
    }
    let on_line = value_of(options, "-cp -classpath --class-path").map(Vec::from);
    let path = on_line
        .or_else(|| process.variable("CLASSPATH"))
        .unwrap_or_default();
    let is_folder = |entry: &&[u8]| !entry.ends_with(b".jar") && !entry.ends_with(b"*");
    let folders = path.split(|byte| *byte == b':').filter(is_folder);
    folders.take(MOST_FOLDERS).any(|folder| {
        let has = |name: &str| process.is_readable_file(&[folder, b"/", name.as_bytes()].concat());
        texts::words(SPRING).any(has)
    })
}

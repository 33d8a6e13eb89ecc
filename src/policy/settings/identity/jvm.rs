//! The JVM: what the Java agent does not find by itself.
//!
//! The agent (2.31) reads a jar's manifest and name, and Spring Boot's `spring.application.name`. It does
//! not look at the main class. Where the agent may know a better name, none is given here, because it
//! would win.

use super::servers::value_of;
use super::{Told, names, paths};
use crate::Process;
use crate::matching::texts;
use crate::runtimes::jvm::launcher::{Launch, Main, launch};
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

const TOMCAT: &[u8] = b"org.apache.catalina.startup.Bootstrap";

/// Where Spring Boot has its settings, in a folder of the class path.
const SPRING: &str = "application.properties application.yml application.yaml";

/// How many folders of the class path are looked at.
const MOST_FOLDERS: usize = 8;

/// Whether the agent finds a name by itself.
pub fn is_left_to_agent(process: &impl Process) -> bool {
    let launch = launch(process);
    match &launch.runs {
        Main::Class(main) => is_springs(main) || has_spring_settings(&launch.options, process),
        Main::Jar(_) => true,
        Main::Source(_) | Main::Nothing => false,
    }
}

/// The name that a main class tells.
pub fn name(process: &impl Process) -> Option<Told> {
    let Launch { options, runs, .. } = launch(process);
    let Main::Class(main) = runs else {
        return None;
    };
    if is_left_to_agent(process) {
        return None;
    }
    let (main, options) = (main.as_slice(), options.as_slice());
    if main == TOMCAT {
        return tomcat(options);
    }
    if let Some(name) = texts::key(SERVERS, |class| class == main) {
        return Some(Told::new(name.into(), "main class", main));
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

fn tomcat(options: &[Vec<u8>]) -> Option<Told> {
    let base = options
        .iter()
        .find_map(|option| option.strip_prefix(b"-Dcatalina.base="));
    let base = base.unwrap_or_default();
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

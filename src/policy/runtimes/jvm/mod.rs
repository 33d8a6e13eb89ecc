//! The JVM: `JAVA_TOOL_OPTIONS` with the agent in front of the user's options.
//!
//! The agent's settings travel as `-Dotel.…` options in the same value, because
//! `System.getenv()` copies `environ` and sees no hook.

pub mod launcher;
mod option_files;
pub mod options;
pub mod other_agents;

use crate::matching::tools::{self, By};
use crate::matching::{commands, texts};
use crate::process::{directory, file_name};
use crate::runtimes::dotnet;
use crate::runtimes::jvm::launcher::{Launch, Main};
use crate::settings::{ByName, added, declarative, resource_attributes};
use crate::{Configuration, Process, Reason, Runtime, settings};
use alloc::{string::String, vec::Vec};

const VARIABLE: &str = "JAVA_TOOL_OPTIONS";

/// The launcher's own variable with options (JDK 9 and later); no other program reads it.
const LAUNCHERS_VARIABLE: &str = "JDK_JAVA_OPTIONS";

/// HotSpot's other variable: what is in it comes last.
const LAST_VARIABLE: &str = "_JAVA_OPTIONS";

/// JDK 8's HotSpot copies the variable into a buffer of 1024 bytes and ignores it where it does
/// not fit (`OPTION_BUFFER_SIZE` in its `arguments.cpp`).
const JDK8_LIMIT: usize = 1023;

/// The value of `JAVA_TOOL_OPTIONS` for this process.
///
/// # Errors
/// Why the JVM gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (jvm, agent) = Runtime::Jvm.agent(configuration)?;
    let original = original.unwrap_or_default();
    let library = process.loaded_library("libjvm.so");
    if agent.contains('=') {
        return Err(Reason::AgentPathUnusable {
            path: agent.into(),
            why: "the JVM takes what follows `=` for the agent's options",
        });
    }
    let options = options::split(original)?;
    let is_launched = Runtime::Jvm.is_launched(process);
    let mut is_tool = tools::kind(Runtime::Jvm, By::Executable, process.executable()).is_some();
    let on_command_line = if is_launched {
        let launch = launcher::launch(process);
        if let Some(option) = launch.information {
            return Err(Reason::InformationOnly(shown(&option)));
        }
        is_tool |= is_refused_by_agents(&launch.runs);
        no_tool(&launch, configuration)?;
        launch.options
    } else {
        // An embedder's arguments are its own, but some hand options of the JVM on.
        process.arguments()
    };
    let places = options_by_place(&options, on_command_line, is_launched, process);
    for (place, options) in &places {
        refuse_unsuitable(options, place, agent, jvm.allow_other_agents)?;
    }
    uses_no_archive(&places, library.as_deref(), process)?;
    has_no_security_manager(&places, process, configuration)?;
    if !process.is_readable_file(agent.as_bytes()) {
        return Err(Reason::AgentUnreadable(agent.into()));
    }
    if let Some(library) = &library {
        has_instrument_library(library, process)?;
    }
    let mut value = compose(original, &options, agent, process, configuration);
    if is_tool && !is_decided(ENABLED, &options, process, configuration) {
        // Whoever has named a tool in the configuration wants the agent to start in it.
        push_property(&mut value, &property_name(ENABLED), b"true");
    }
    if value.len() > JDK8_LIMIT && library.is_some_and(|library| is_jdk8(&library)) {
        return Err(Reason::TooLong(JDK8_LIMIT));
    }
    Ok(value)
}

/// What is added to the environment of a JVM whose agent runs by a file: the settings that the file refers
/// to. The agent takes them from `System.getenv()` alone, which copies `environ`, and children are rid of
/// them by the marker ([`crate::settings::added`]). The file itself is named by a property.
pub fn entries(process: &impl Process, configuration: &Configuration) -> Vec<Vec<u8>> {
    let options = process.variable(VARIABLE).unwrap_or_default();
    let mut options = options::split(&options).unwrap_or_default();
    options.extend(process.arguments());
    let by_property = property(&options, FILE_PROPERTY).map(<[u8]>::to_vec);
    let path = by_property.or_else(|| declarative::file(process, configuration));
    let content = path.and_then(|path| process.content(&path));
    let Some(text) = content.and_then(|content| String::from_utf8(content).ok()) else {
        return Vec::new();
    };
    let mut entries = settings::entries(Runtime::Jvm, process, configuration);
    entries.retain(|entry| {
        let (name, _) = added::split(entry).unwrap_or_default();
        let mut references = declarative::references(&text);
        dotnet::may_add(name) && references.any(|reference| reference.name.as_bytes() == name)
    });
    entries
}

/// The property of the same meaning as the variable that names the file.
const FILE_PROPERTY: &str = "otel.config.file";

/// The agent's switch. Since 2.31 it refuses to start in tools of the JDK, with a line on stderr, unless
/// this says otherwise (`AgentInitializer.shouldSkipJdkTool`).
const ENABLED: &str = "OTEL_JAVAAGENT_ENABLED";

/// Whether somebody has said something of a setting.
fn is_decided(
    name: &str,
    options: &[Vec<u8>],
    process: &impl Process,
    configuration: &Configuration,
) -> bool {
    process.variable(name).is_some()
        || configuration.setting(name).is_some()
        || property(options, &property_name(name)).is_some()
}

/// Whether the agent takes what is run for a tool of the JDK (`AgentInitializer.isJdkToolMainClass`):
/// the source launcher is one.
fn is_refused_by_agents(runs: &Main) -> bool {
    match runs {
        Main::Class(name) => tools::kind(Runtime::Jvm, By::MainClass, name) == Some("a JDK tool"),
        Main::Source(_) => true,
        Main::Jar(_) | Main::Nothing => false,
    }
}

/// Leaves tools alone, by what the launcher runs.
fn no_tool(launch: &Launch, configuration: &Configuration) -> Result<(), Reason> {
    let refuse = |by, text: &[u8]| tools::refuse(Runtime::Jvm, by, text, configuration);
    let definitions = launch
        .options
        .iter()
        .filter_map(|option| option.strip_prefix(b"-D"));
    for definition in definitions {
        let name = definition.split(|byte| *byte == b'=').next();
        refuse(By::Property, name.unwrap_or_default())?;
    }
    let name = match &launch.runs {
        Main::Class(class) => {
            refuse(By::MainClass, class)?;
            class.as_slice()
        }
        Main::Jar(path) => {
            refuse(By::Jar, path)?;
            file_name(path)
        }
        Main::Source(_) if configuration.processes.include_arguments.is_none() => {
            return Err(Reason::BuiltInArgumentDenial("a source file's launch"));
        }
        Main::Source(_) | Main::Nothing => return Ok(()),
    };
    commands::refuse(Runtime::Jvm, name, &launch.arguments, configuration)?;
    let invocation = [&[name.to_vec()][..], &launch.arguments].concat();
    refuse(By::Invocation, &invocation.join(&b' '))
}

/// Every place from which a JVM takes options, in the order in which it takes them, with its options and those in the
/// files that these name (the configuration of a launcher that jpackage made, `@FILE`, `-XX:VMOptionsFile=`, `-XX:Flags=`).
fn options_by_place(
    in_value: &[Vec<u8>],
    on_command_line: Vec<Vec<u8>>,
    is_launched: bool,
    process: &impl Process,
) -> [(&'static str, Vec<Vec<u8>>); 5] {
    let in_variable = |name| {
        let value = process.variable(name).unwrap_or_default();
        // With an unmatched quote the JVM stops by itself, whatever we do.
        options::split(&value).unwrap_or_default()
    };
    let (launchers, configured) = if is_launched {
        let in_variable = in_variable(LAUNCHERS_VARIABLE);
        let launchers = launcher::with_files_of_variable(in_variable, process);
        (launchers, Vec::new())
    } else {
        (Vec::new(), option_files::of_jpackage(process))
    };
    let places = [
        (VARIABLE, in_value.to_vec()),
        (LAUNCHERS_VARIABLE, launchers),
        ("the launcher's configuration file", configured),
        ("command line", on_command_line),
        (LAST_VARIABLE, in_variable(LAST_VARIABLE)),
    ];
    places.map(|(place, options)| (place, option_files::with_vm_options(options, process)))
}

/// Options of the JVM itself, from whatever place, with which it prints something and ends before it loads
/// an agent (HotSpot's `arguments.cpp`; seen with 17 and 25).
const INFORMATION: &str = "-Xinternalversion -XX:+PrintFlagsInitial";

/// Refuses the options of one place if one of them loads our agent already, forbids agents, only prints
/// information, or loads another vendor's agent. (`place` is the variable or `command line`; the options in
/// files that it names, see [`option_files`], are among them.)
fn refuse_unsuitable(
    options: &[Vec<u8>],
    place: &'static str,
    agent: &str,
    allow_others: bool,
) -> Result<(), Reason> {
    for option in options {
        if other_agents::agent_file(option) == Some(agent.as_bytes()) {
            return Err(Reason::AlreadyInjected);
        }
        if forbids_agents(option) {
            return Err(Reason::IncompatibleOption(shown(option)));
        }
        if texts::has(INFORMATION, option) {
            return Err(Reason::InformationOnly(shown(option)));
        }
        if let (Some(vendor), false) = (other_agents::vendor(option), allow_others) {
            return Err(Reason::OtherAgent { vendor, place });
        }
    }
    Ok(())
}

/// The beginnings of options that write or require an archive of classes. HotSpot refuses an agent with these
/// (JDK 17 and 25: "Must enable AllowArchivingWithJavaAgent", "Unable to use AOT cache").
/// tests/properties compares them with the flags that installed JVMs list.
pub const FORBID_AGENTS: &str = "-Xshare:dump -XX:+DumpSharedSpaces -XX:+DynamicDumpSharedSpaces \
    -XX:ArchiveClassesAtExit= -XX:+RecordDynamicDumpInfo -XX:+AutoCreateSharedArchive \
    -XX:AOTMode=on -XX:AOTMode=create -XX:AOTMode=record -XX:AOTCacheOutput= \
    -XX:AOTConfiguration=";

/// How options begin that name an archive of classes to be used.
pub const ARCHIVES: &str = "-XX:AOTCache= -XX:SharedArchiveFile=";

fn forbids_agents(option: &[u8]) -> bool {
    begins_with_one_of(option, FORBID_AGENTS)
}

fn begins_with_one_of(option: &[u8], beginnings: &str) -> bool {
    let mut beginnings = beginnings.split(' ');
    beginnings.any(|beginning| option.starts_with(beginning.as_bytes()))
}

/// Since JDK 22 an archive belongs to the modules that it was made with, and an agent adds one: the JVM
/// prints errors on stdout, and does not use the archive ("Mismatched values for property
/// jdk.module.addmods", seen with 25). 17 says and loses nothing.
fn uses_no_archive(
    places: &[(&str, Vec<Vec<u8>>)],
    library: Option<&[u8]>,
    process: &impl Process,
) -> Result<(), Reason> {
    let uses_one = |option: &&Vec<u8>| begins_with_one_of(option, ARCHIVES);
    let mut options = places.iter().flat_map(|(_, options)| options);
    match options.find(uses_one) {
        Some(option) if version(library, process).is_none_or(|version| version >= 22) => {
            Err(Reason::IncompatibleOption(shown(option)))
        }
        _ => Ok(()),
    }
}

/// The agent's switch for what it needs under a security manager. Without it, the agent prints a stack trace on
/// stderr and does not start (2.33.1, seen with 17).
const SECURITY_MANAGER_SUPPORT: &str =
    "OTEL_JAVAAGENT_EXPERIMENTAL_SECURITY_MANAGER_SUPPORT_ENABLED";

/// Refuses a JVM that starts with a security manager: with this property, unless its value only tells whether the
/// application may set one (`System.initPhase3` of JDK 17; before 12, those were names of classes).
fn has_no_security_manager(
    places: &[(&str, Vec<Vec<u8>>)],
    process: &impl Process,
    configuration: &Configuration,
) -> Result<(), Reason> {
    const MANAGER: &str = "java.security.manager";
    let is_given =
        |option: &&Vec<u8>| definition(option).is_some_and(|(name, _)| name == MANAGER.as_bytes());
    let options = || places.iter().flat_map(|(_, options)| options);
    let Some(option) = options().rev().find(is_given) else {
        return Ok(());
    };
    let in_order: Vec<_> = options().cloned().collect();
    let (_, value) = definition(option).unwrap_or_default();
    let name = property_name(SECURITY_MANAGER_SUPPORT);
    let in_option = property(&in_order, &name).map(<[u8]>::to_vec);
    let in_environment = || process.variable(SECURITY_MANAGER_SUPPORT);
    let configured = || {
        configuration
            .setting(SECURITY_MANAGER_SUPPORT)
            .map(|value| value.as_bytes().to_vec())
    };
    let support = in_option.or_else(in_environment).or_else(configured);
    if matches!(value, b"allow" | b"disallow") || support.is_some_and(|value| value == b"true") {
        Ok(())
    } else {
        Err(Reason::IncompatibleOption(shown(option)))
    }
}

/// The JDK's first number, from the file `release` that every JDK since 7 has in its folder.
fn version(library: Option<&[u8]>, process: &impl Process) -> Option<u32> {
    // HOME/lib/server/libjvm.so, of JDK 8 HOME/jre/lib/amd64/server/libjvm.so.
    let home = directory(directory(directory(library?)));
    let release = process.content(&[home, b"/release"].concat())?;
    let mut lines = release.split(|byte| *byte == b'\n');
    let version = lines.find_map(|line| line.strip_prefix(b"JAVA_VERSION=\""))?;
    let number = version.split(|byte| !byte.is_ascii_digit()).next()?;
    core::str::from_utf8(number).ok()?.parse().ok()
}

fn shown(option: &[u8]) -> String {
    String::from_utf8_lossy(option).into_owned()
}

/// A jlink image without the module `java.instrument` does not start with `-javaagent`.
fn has_instrument_library(libjvm: &[u8], process: &impl Process) -> Result<(), Reason> {
    let beside = directory(libjvm);
    let present = |folder: &[u8]| {
        let path = [folder, b"/libinstrument.so"].concat();
        process.is_readable_file(&path)
    };
    // lib/server/libjvm.so has it in lib; a client-only image may have both in one folder.
    if present(directory(beside)) || present(beside) {
        Ok(())
    } else {
        Err(Reason::NoInstrumentLibrary(libjvm.to_vec()))
    }
}

/// JDK 8 and older keep libjvm in `lib/ARCHITECTURE/server`, newer ones in `lib/server`.
fn is_jdk8(libjvm: &[u8]) -> bool {
    !directory(directory(libjvm)).ends_with(b"/lib")
}

fn compose(
    original: &[u8],
    options: &[Vec<u8>],
    agent: &str,
    process: &impl Process,
    configuration: &Configuration,
) -> Vec<u8> {
    let in_value = property(options, "otel.resource.attributes");
    let in_environment = process.variable(resource_attributes::VARIABLE);
    let user_attributes = match in_value {
        Some(list) => list.to_vec(),
        None => in_environment.unwrap_or_default(),
    };

    let mut value = options::quote(&[b"-javaagent:", agent.as_bytes()].concat());
    // Put in order: many settings are looked for among many options.
    let names = options.iter().filter_map(|option| definition(option));
    let names: Vec<_> = names.map(|(name, _)| normalised(name)).collect();
    let mut given = ByName::new();
    for name in &names {
        given.insert(name, b"");
    }
    for (name, setting) in settings::missing(process, configuration, &user_attributes) {
        let name = property_name(name);
        if !given.contains_key(normalised(name.as_bytes()).as_slice()) {
            push_property(&mut value, &name, setting.as_bytes());
        }
    }
    for name in texts::words(settings::DEFAULTS) {
        if let Some(setting) = settings::default(name, Runtime::Jvm)
            && !is_decided(name, options, process, configuration)
        {
            push_property(&mut value, &property_name(name), setting.as_bytes());
        }
    }
    let is_named = property(options, "otel.service.name").is_some();
    let attributes = resource_attributes::merge(
        &user_attributes,
        is_named,
        Runtime::Jvm,
        process,
        configuration,
    );
    if let (Some(list), None) = (&attributes, in_value) {
        push_property(&mut value, "otel.resource.attributes", list);
    }
    if !original.is_empty() {
        value.push(b' ');
        value.extend(original);
    }
    // The last of two equal properties counts: the merged list goes behind the user's.
    if let (Some(list), Some(_)) = (&attributes, in_value) {
        push_property(&mut value, "otel.resource.attributes", list);
    }
    value
}

fn push_property(value: &mut Vec<u8>, name: &str, setting: &[u8]) {
    let option = [b"-D", name.as_bytes(), b"=", setting].concat();
    value.push(b' ');
    value.extend(options::quote(&option));
}

/// Properties that the agent looks up by this very name, before anything reads `.` for `-`.
const HYPHENATED: &str = "
    otel.instrumentation.experimental.span-suppression-strategy
    otel.javaagent.configuration-file
    otel.javaagent.experimental.field-injection.enabled
    otel.javaagent.experimental.security-manager-support.enabled
    otel.javaagent.logging.application.logs-buffer-max-records
    otel.semconv-stability.opt-in
";

/// The property that the agent reads where the variable is not set: `OTEL_A_B` is `otel.a.b`.
fn property_name(variable: &str) -> String {
    let name = variable.to_ascii_lowercase().replace('_', ".");
    let mut hyphenated = texts::words(HYPHENATED);
    let hyphenated = hyphenated.find(|known| known.replace('-', ".") == name);
    hyphenated.map_or(name, String::from)
}

/// The last value of a system property among the options. The agent takes `-` for `.` in names.
fn property<'o>(options: &'o [Vec<u8>], name: &str) -> Option<&'o [u8]> {
    options.iter().rev().find_map(|option| {
        let (key, value) = definition(option)?;
        (normalised(key) == normalised(name.as_bytes())).then_some(value)
    })
}

/// The name and the value of an option that defines a property.
fn definition(option: &[u8]) -> Option<(&[u8], &[u8])> {
    let definition = option.strip_prefix(b"-D")?;
    let end = definition.iter().position(|byte| *byte == b'=');
    let (key, value) = definition.split_at(end.unwrap_or(definition.len()));
    Some((key, value.get(1..).unwrap_or_default()))
}

/// A property's name in the spelling by which the agent compares names.
fn normalised(name: &[u8]) -> Vec<u8> {
    let spelling = |byte: &u8| match byte.to_ascii_lowercase() {
        b'-' => b'.',
        other => other,
    };
    name.iter().map(spelling).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::{string::ToString, vec};

    const AGENT: &str = "/otel/agent.jar";

    fn process() -> Fixture {
        Fixture {
            executable: "/jdk/bin/java".into(),
            arguments: vec!["java".into(), "Main".into()],
            readable: vec![AGENT.into(), "/jdk/lib/libinstrument.so".into()],
            libraries: vec!["/jdk/lib/server/libjvm.so".into()],
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Jvm).agent_path = Some(AGENT.into());
        configuration
    }

    fn text(original: Option<&str>, process: &Fixture, configuration: &Configuration) -> String {
        let value = value(original.map(str::as_bytes), process, configuration).unwrap();
        let value = String::from_utf8(value).unwrap();
        assert_eq!(value.matches(DEFAULTS).count(), 1, "{value}");
        value.replace(DEFAULTS, "")
    }

    /// What every value has, unless somebody has set it.
    const DEFAULTS: &str = " -Dotel.exporter.otlp.timeout=1000";

    fn reason(original: &str, process: &Fixture, configuration: &Configuration) -> Reason {
        value(Some(original.as_bytes()), process, configuration).unwrap_err()
    }

    #[test]
    fn what_a_file_refers_to_is_in_the_environment_and_nothing_else() {
        let (mut p, mut c) = (process(), configuration());
        for (name, setting) in [
            ("OTEL_CONFIG_FILE", "/otel.yaml"),
            ("OTEL_A", "ours"),
            ("OTEL_B", "ours"),
            ("OTEL_C", "ours"),
        ] {
            c.environment.insert(name.into(), setting.into());
        }
        c.resource_attributes.insert("team".into(), "x".into());
        c.service_name = crate::config::ServiceName::Off;
        p.variables.insert("OTEL_B".into(), "theirs".into());
        let told = |p: &Fixture| -> Vec<String> {
            let entries = entries(p, &c).into_iter();
            entries
                .map(|entry| String::from_utf8(entry).unwrap())
                .collect()
        };
        assert_eq!(told(&p), [""; 0]);
        let file =
            "a: ${OTEL_A:-x}\nb: ${OTEL_B}\nc: $${OTEL_C} ${OTEL_D} ${OTEL_RESOURCE_ATTRIBUTES}";
        p.contents.insert("/otel.yaml".into(), file.into());
        assert_eq!(told(&p), ["OTEL_A=ours", "OTEL_RESOURCE_ATTRIBUTES=team=x"]);
        p.variables
            .insert("OTEL_CONFIG_FILE".into(), "/theirs.yaml".into());
        p.contents.insert("/theirs.yaml".into(), "${OTEL_C}".into());
        assert_eq!(told(&p), ["OTEL_C=ours"]);
        p.arguments
            .insert(1, "-Dotel.config.file=/otel.yaml".into());
        assert_eq!(told(&p).len(), 2);
        p.readable.push("/otel.yaml".into());
        let left = crate::Variable::JavaToolOptions.value(None, &p, &c);
        assert_eq!(left, Err(Reason::FileUnreadable(b"/theirs.yaml".to_vec())));
    }

    #[test]
    fn the_agent_comes_before_the_users_options() {
        let (p, c) = (process(), configuration());
        assert_eq!(text(None, &p, &c), "-javaagent:/otel/agent.jar");
        assert_eq!(text(Some(""), &p, &c), "-javaagent:/otel/agent.jar");
        assert_eq!(
            text(Some(" -Xmx1g "), &p, &c),
            "-javaagent:/otel/agent.jar  -Xmx1g "
        );
    }

    #[test]
    fn no_program_waits_long_for_a_collector_unless_somebody_wants_it() {
        let name = "OTEL_EXPORTER_OTLP_TIMEOUT";
        let value = |original: &str, p: &Fixture, c: &Configuration| {
            let value = value(Some(original.as_bytes()), p, c).unwrap();
            String::from_utf8(value).unwrap()
        };
        let (mut p, mut c) = (process(), configuration());
        assert!(value("", &p, &c).contains(DEFAULTS));
        let user = "-Dotel.exporter.otlp.timeout=9";
        assert!(!value(user, &p, &c).contains(DEFAULTS));
        p.variables.insert(name.into(), "9".into());
        assert!(!value("", &p, &c).contains("timeout"));
        p.variables.clear();
        c.environment.insert(name.into(), "8".into());
        assert!(value("", &p, &c).ends_with("-Dotel.exporter.otlp.timeout=8"));
    }

    #[test]
    fn applying_it_twice_changes_nothing() {
        let (mut p, mut c) = (process(), configuration());
        let agent = "/with blank/agent's.jar";
        c.agent_mut(Runtime::Jvm).agent_path = Some(agent.into());
        p.readable.push(agent.into());
        let once = text(Some("-Da=b"), &p, &c);
        assert_eq!(once, "\"-javaagent:/with blank/agent's.jar\" -Da=b");
        assert_eq!(reason(&once, &p, &c), Reason::AlreadyInjected);
    }

    #[test]
    fn what_the_jvm_would_not_survive_is_not_injected() {
        let (mut p, mut c) = (process(), configuration());
        assert_eq!(reason("-Da='b", &p, &c), Reason::UnmatchedQuote);
        p.libraries = vec!["/image/lib/server/libjvm.so".into()];
        assert!(matches!(reason("", &p, &c), Reason::NoInstrumentLibrary(_)));
        p.readable.clear();
        assert_eq!(reason("", &p, &c), Reason::AgentUnreadable(AGENT.into()));
        c.agent_mut(Runtime::Jvm).agent_path = Some("/a=b.jar".into());
        assert!(matches!(
            reason("", &p, &c),
            Reason::AgentPathUnusable { .. }
        ));
    }

    #[test]
    fn a_jvm_that_cannot_run_with_an_agent_gets_none() {
        let c = configuration();
        for option in ["-Xshare:dump", "-XX:AOTCacheOutput=x", "-XX:AOTMode=create"] {
            let wanted = Reason::IncompatibleOption(option.into());
            assert_eq!(reason(option, &process(), &c), wanted);
            let mut p = process();
            p.arguments.insert(1, option.into());
            assert_eq!(reason("", &p, &c), wanted);
        }
        for option in [
            &b"-XX:AOTMode=auto"[..],
            b"-XX:AOTMode=off",
            b"-Xshare:auto",
        ] {
            assert!(value(Some(option), &process(), &c).is_ok());
        }
    }

    #[test]
    fn options_of_a_launcher_made_by_jpackage_count() {
        let outcome = |lines: &str, arguments: &[&str]| {
            let mut p = process();
            p.executable = "/opt/shop/bin/Shop".into();
            p.arguments = arguments.iter().map(ToString::to_string).collect();
            let file = "/opt/shop/lib/app/Shop.cfg";
            p.contents.insert(file.into(), lines.into());
            for flags in [
                "/opt/shop/lib/app/options",
                "/opt/shop/bin/../lib/app/options",
            ] {
                p.contents.insert(flags.into(), "-Xshare:dump".into());
            }
            value(None, &p, &configuration())
        };
        let with = |option: &str| {
            let lines = [
                "[Application]\r\napp.mainclass=m.Main\r\n\r\n[JavaOptions]\r\njava-options=",
                option,
            ];
            outcome(&lines.concat(), &["Shop", "-version"])
        };
        let archive = "-XX:ArchiveClassesAtExit=/x";
        let refused = Err(Reason::IncompatibleOption(archive.into()));
        assert_eq!(with(archive), refused);
        let refused = Err(Reason::IncompatibleOption("-Xshare:dump".into()));
        for file in [
            "$APPDIR/options",
            "$ROOTDIR/lib/app/options",
            "$BINDIR/../lib/app/options",
        ] {
            let option = ["-XX:VMOptionsFile=", file].concat();
            assert_eq!(with(&option), refused, "{file}");
        }
        let vendor = "Datadog";
        let place = "the launcher's configuration file";
        let other = with("-javaagent:/opt/dd-java-agent.jar");
        assert_eq!(other, Err(Reason::OtherAgent { vendor, place }));
        assert!(with("-Dx=1").is_ok());
        let arguments = "[ArgOptions]\narguments=-Xshare:dump\njava-options=-Xshare:dump\n";
        assert!(outcome(arguments, &["Shop"]).is_ok());
    }

    #[test]
    fn under_a_security_manager_no_agent_starts_unless_its_support_is_switched_on() {
        let outcome = |options: &[&str], c: &Configuration| {
            let mut p = process();
            for option in options.iter().rev() {
                p.arguments.insert(1, (*option).into());
            }
            value(None, &p, c)
        };
        let none = configuration();
        for option in [
            "-Djava.security.manager",
            "-Djava.security.manager=",
            "-Djava.security.manager=default",
            "-Djava.security.manager=shop.Manager",
        ] {
            let wanted = Err(Reason::IncompatibleOption(option.into()));
            assert_eq!(outcome(&[option], &none), wanted);
            assert_eq!(
                outcome(&["-Djava.security.manager=allow", option], &none),
                wanted
            );
            let support = "-Dotel.javaagent.experimental.security-manager-support.enabled=true";
            assert!(outcome(&[option, support], &none).is_ok());
            let mut supported = configuration();
            let setting = (SECURITY_MANAGER_SUPPORT.into(), "true".into());
            supported.environment.extend([setting]);
            let value = outcome(&[option], &supported).unwrap();
            assert!(
                value
                    .windows(support.len())
                    .any(|part| part == support.as_bytes())
            );
        }
        // What the JVM takes last counts.
        let between = |last: &str, on_command_line: &str| {
            let mut p = process();
            p.variables.insert(LAST_VARIABLE.into(), last.into());
            p.arguments.insert(1, on_command_line.into());
            value(None, &p, &none)
        };
        let (manager, allow) = (
            "-Djava.security.manager=default",
            "-Djava.security.manager=allow",
        );
        let refused = Err(Reason::IncompatibleOption(manager.into()));
        assert_eq!(between(manager, allow), refused);
        assert!(between(allow, manager).is_ok());
        for option in [
            "-Djava.security.manager=allow",
            "-Djava.security.manager=disallow",
            "-Djava.security.managers",
            "-Djava.security.policy=x",
        ] {
            assert!(outcome(&[option], &none).is_ok(), "{option}");
        }
    }

    #[test]
    fn an_archive_is_used_without_agent_where_it_would_be_lost_with_one() {
        let c = configuration();
        for (version, is_kept) in [("17.0.15", true), ("25.0.3", false), ("22", false)] {
            let mut p = process();
            let release = ["A=\"b\"\nJAVA_VERSION=\"", version, "\"\n"].concat();
            p.contents.insert("/jdk/release".into(), release);
            for option in ["-XX:SharedArchiveFile=x", "-XX:AOTCache=x"] {
                let outcome = value(Some(option.as_bytes()), &p, &c);
                assert_eq!(outcome.is_ok(), is_kept, "{version} {option}");
            }
            assert!(value(None, &p, &c).is_ok());
        }
        assert!(value(Some(b"-XX:AOTCache=x"), &process(), &c).is_err());
    }

    #[test]
    fn options_are_found_in_every_file_that_names_some() {
        let c = configuration();
        let files = [
            ("args", "-Da=\"b \\\n c\" -Xshare:dump"),
            ("flags", "ArchiveClassesAtExit=x"),
            ("vm", "-javaagent:/dd-java-agent.jar"),
        ];
        let fixture = |line: &str, variable: &str| {
            let mut p = process();
            p.arguments = line.split(' ').map(String::from).collect();
            p.contents = files
                .map(|(name, content)| (name.into(), content.into()))
                .into();
            p.variables
                .insert(LAUNCHERS_VARIABLE.into(), variable.into());
            p
        };
        for (line, variable) in [
            ("java @args Main", ""),
            ("java Main", "@args"),
            ("java Main", "-Dx '@args'"),
            ("java --source 17 -XX:Flags=flags App", ""),
            ("java -XX:VMOptionsFile=vm Main", ""),
            ("java -XX:+PrintFlagsInitial Main", ""),
            ("java Main", "-Xinternalversion"),
            ("java Main", "-XX:VMOptionsFile=vm"),
        ] {
            assert!(
                value(None, &fixture(line, variable), &c).is_err(),
                "{line} {variable}"
            );
        }
        // Nobody but the launcher reads its variable.
        let mut embedder = fixture("shop", "@args");
        embedder.executable = "/opt/shop/bin/shop".into();
        assert!(value(None, &embedder, &c).is_ok());
        assert!(value(None, &fixture("java Main @args", ""), &c).is_ok());
    }

    #[test]
    fn a_launcher_that_only_informs_gets_none_and_an_embedder_has_options_of_its_own() {
        let mut p = process();
        let line = |words: &str| words.split(' ').map(String::from).collect();
        p.arguments = line("java -Da=b -version");
        let wanted = Reason::InformationOnly("-version".into());
        assert_eq!(reason("", &p, &configuration()), wanted);
        for application in ["java -jar x -version", "java Main start --version", "java"] {
            p.arguments = line(application);
            assert!(value(None, &p, &configuration()).is_ok(), "{application}");
        }
        p.executable = "/opt/shop/bin/shop".into();
        for option in ["-d", "-h", "-X", "--version"] {
            p.arguments = vec!["shop".into(), option.into()];
            assert!(value(None, &p, &configuration()).is_ok(), "{option}");
        }
    }

    #[test]
    fn tools_are_left_alone_and_agree_with_the_agent_where_they_are_wanted() {
        let mut c = configuration();
        let fixture = |line: &str| {
            let mut p = process();
            p.arguments = line.split(' ').map(String::from).collect();
            p.readable.push("App.java".into());
            p
        };
        let enabled = " -Dotel.javaagent.enabled=true";
        for (line, is_jdks) in [
            ("java App.java", true),
            ("java -m jdk.httpserver", true),
            ("java -m jdk.compiler/com.sun.tools.javac.Main x", true),
            (
                "java -Dmaven.multiModuleProjectDirectory=/x org.codehaus.Launcher",
                false,
            ),
            ("java -cp x org.apache.tools.ant.launch.Launcher", false),
            ("java -jar /x/surefirebooter1.jar", false),
            ("java org.apache.catalina.startup.Bootstrap stop", false),
        ] {
            c.processes.include_arguments = None;
            let left = value(None, &fixture(line), &c);
            assert!(
                matches!(left, Err(Reason::BuiltInArgumentDenial(_))),
                "{line}"
            );
            c.processes.include_arguments = Some(vec!["*".into()]);
            let told = text(None, &fixture(line), &c);
            assert_eq!(told.ends_with(enabled), is_jdks, "{line}");
        }
        let mut tool = fixture("javac x");
        tool.executable = "/jdk/bin/javac".into();
        assert!(text(None, &tool, &c).ends_with(enabled));
        tool.variables.insert(ENABLED.into(), "false".into());
        assert!(!text(None, &tool, &c).contains("enabled"));
        c.processes.include_arguments = None;
        for line in [
            "java org.apache.catalina.startup.Bootstrap start",
            "java App.java2",
        ] {
            assert!(value(None, &fixture(line), &c).is_ok(), "{line}");
        }
    }

    #[test]
    fn settings_keep_the_names_that_the_agent_looks_up() {
        let mut c = configuration();
        let name = "OTEL_JAVAAGENT_CONFIGURATION_FILE";
        c.environment.insert(name.into(), "/ours".into());
        let property = "-Dotel.javaagent.configuration-file=";
        let told = text(None, &process(), &c);
        assert!(told.ends_with(&(property.to_string() + "/ours")));
        let user = property.to_string() + "/user";
        assert!(!text(Some(&user), &process(), &c).contains("/ours"));
    }

    #[test]
    fn jdk8_gets_nothing_that_it_would_ignore_as_a_whole() {
        let (mut p, c) = (process(), configuration());
        p.libraries = vec!["/jdk8/jre/lib/amd64/server/libjvm.so".into()];
        p.readable
            .push("/jdk8/jre/lib/amd64/libinstrument.so".into());
        let long = "x".repeat(JDK8_LIMIT);
        assert_eq!(text(Some("-Dx"), &p, &c), "-javaagent:/otel/agent.jar -Dx");
        assert_eq!(reason(&long, &p, &c), Reason::TooLong(JDK8_LIMIT));
    }

    #[test]
    fn another_agent_keeps_ours_out_wherever_it_is() {
        let datadog = "-javaagent:/dd/dd-java-agent.jar";
        let c = configuration();
        let place = |p: &Fixture, original: &str| match reason(original, p, &c) {
            Reason::OtherAgent { vendor, place } => (vendor, place),
            other => panic!("{other}"),
        };
        assert_eq!(place(&process(), datadog), ("Datadog", VARIABLE));
        for name in [LAUNCHERS_VARIABLE, LAST_VARIABLE] {
            let mut p = process();
            p.variables.insert(name.into(), datadog.into());
            assert_eq!(place(&p, ""), ("Datadog", name));
        }
        let mut p = process();
        p.arguments.insert(1, datadog.into());
        assert_eq!(place(&p, ""), ("Datadog", "command line"));

        let mut both = configuration();
        both.agent_mut(Runtime::Jvm).allow_other_agents = true;
        assert_eq!(text(None, &p, &both), "-javaagent:/otel/agent.jar");
    }

    #[test]
    fn settings_travel_as_properties_unless_the_user_has_them() {
        let (mut p, mut c) = (process(), configuration());
        for (name, setting) in [
            ("OTEL_A", "1"),
            ("OTEL_B_C", "x y"),
            ("OTEL_D", "ours"),
            ("OTEL_E_F", "ours"),
            ("OTEL_G", "ours"),
        ] {
            c.environment.insert(name.into(), setting.into());
        }
        p.variables.insert("OTEL_D".into(), "user".into());
        p.variables.insert("OTEL_G".into(), String::new());
        assert_eq!(
            text(Some("-Dotel.e-f=user"), &p, &c),
            "-javaagent:/otel/agent.jar -Dotel.a=1 \"-Dotel.b.c=x y\" -Dotel.g=ours -Dotel.e-f=user"
        );
    }

    #[test]
    fn resource_attributes_are_merged_from_wherever_the_user_has_them() {
        let (mut p, mut c) = (process(), configuration());
        c.resource_attributes.insert("team".into(), "a b".into());
        let plain = "-javaagent:/otel/agent.jar -Dotel.resource.attributes=";
        assert_eq!(text(None, &p, &c), plain.to_string() + "team=a%20b");

        p.variables
            .insert("OTEL_RESOURCE_ATTRIBUTES".into(), "x=1".into());
        assert_eq!(text(None, &p, &c), plain.to_string() + "x=1,team=a%20b");

        let user = "-Dotel.resource.attributes=y=2";
        assert_eq!(
            text(Some(user), &p, &c),
            "-javaagent:/otel/agent.jar -Dotel.resource.attributes=y=2 \
             -Dotel.resource.attributes=y=2,team=a%20b"
        );
        let user = "-Dotel.resource.attributes=team=mine";
        assert_eq!(
            text(Some(user), &p, &c),
            "-javaagent:/otel/agent.jar -Dotel.resource.attributes=team=mine"
        );
    }

    #[test]
    fn the_users_service_name_wins_even_as_an_attribute() {
        let (mut p, mut c) = (process(), configuration());
        let name = "OTEL_SERVICE_NAME";
        c.environment.insert(name.into(), "ours".into());
        assert!(text(None, &p, &c).ends_with(" -Dotel.service.name=ours"));
        let attributes = "service.name=theirs";
        p.variables
            .insert("OTEL_RESOURCE_ATTRIBUTES".into(), attributes.into());
        assert_eq!(text(None, &p, &c), "-javaagent:/otel/agent.jar");
    }

    #[test]
    fn attributes_that_the_environment_tells_come_behind_the_users() {
        let (mut p, mut c) = (process(), configuration());
        let name = "OTEL_SERVICE_NAME";
        c.environment.insert(name.into(), "ours".into());
        for (name, value) in [
            ("OTEL_INJECTOR_SERVICE_NAME", "shop"),
            ("OTEL_INJECTOR_K8S_POD_NAME", "shop-1"),
            ("OTEL_RESOURCE_ATTRIBUTES", "x=1"),
        ] {
            p.variables.insert(name.into(), value.into());
        }
        assert_eq!(
            text(None, &p, &c),
            "-javaagent:/otel/agent.jar \
             -Dotel.resource.attributes=x=1,k8s.pod.name=shop-1,service.name=shop"
        );
    }
}

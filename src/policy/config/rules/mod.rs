//! `[[rule]]`: settings that differ between services.
//!
//! All rules that match a process apply. If two give the same key, the first one wins. The order is that
//! of the files (the configuration's own file, then `conf.d`) and of each text. A rule is stronger than
//! the rest of the configuration and weaker than the user.

pub mod checks;
pub mod facts;
mod matching;
mod reading;

use crate::config::ServiceName;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::borrow::Cow;
use alloc::{collections::BTreeMap, string::String, string::ToString, vec::Vec};
use core::fmt;
use facts::Facts;
pub(super) use reading::{read_key, table_names};

/// The variable that [`Rule::service_name`] stands for.
pub const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// The attribute of the same meaning.
const NAME_ATTRIBUTE: &str = "service.name";

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where it begins.
    pub place: Place,
    /// Which processes it is for.
    pub matches: Match,
    /// False: these are left alone. True: these are injected, whatever the other switches say.
    pub enabled: Option<bool>,
    /// What the service is called.
    pub service_name: Option<ServiceName>,
    /// The agent, of the runtime that the process runs; empty: none.
    pub agent_path: Option<String>,
    /// Defaults for the agent's settings, by name.
    pub environment: BTreeMap<String, String>,
    /// Resource attributes, by key.
    pub resource_attributes: BTreeMap<String, String>,
}

/// A rule's place. `Display` gives `FILE:LINE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Vec<u8>,
    /// From 1.
    pub line: usize,
}

/// Which processes a rule is for: all that match everything that is given; of several patterns for one
/// key, one has to match. With nothing given it is for every process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// On the path that the program was started by or that it has, as [`crate::matching::glob`] reads
    /// patterns.
    pub executable: Vec<String>,
    /// On any one argument.
    pub arguments: Vec<String>,
    /// On the name of the user at the process's start, or the number.
    pub user: Vec<String>,
    /// On the systemd unit, `.service` left out or not.
    pub unit: Vec<String>,
    /// On the path of the working directory.
    pub working_directory: Vec<String>,
    /// On the values of variables, each of which has to be set.
    pub environment: BTreeMap<String, Vec<String>>,
    /// The runtimes.
    pub runtime: Vec<Runtime>,
    /// On the container's name, or the identifier that its engine gave it.
    pub container: Vec<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", crate::reason::Lossy(&self.path), self.line)
    }
}

impl Rule {
    /// The keys that it gives, as `config show` writes them.
    pub fn keys(&self) -> Vec<String> {
        let plain = [
            ("enabled", self.enabled.is_some()),
            ("service_name", self.service_name.is_some()),
            ("agent_path", self.agent_path.is_some()),
        ];
        let plain = plain.into_iter().filter(|(_, given)| *given);
        let mut keys: Vec<_> = plain.map(|(key, _)| key.to_string()).collect();
        keys.extend(
            self.environment
                .keys()
                .map(|name| ["environment.", name].concat()),
        );
        let attributes = self.resource_attributes.keys();
        keys.extend(attributes.map(|name| ["resource_attributes.", name].concat()));
        keys
    }

    /// The service's name that it gives, in whichever way.
    pub fn names(&self) -> Option<ServiceName> {
        let given = |name: &String| ServiceName::Given(name.clone());
        let variable = || self.environment.get(SERVICE_NAME).map(given);
        let attribute = || self.resource_attributes.get(NAME_ATTRIBUTE).map(given);
        self.service_name
            .clone()
            .or_else(variable)
            .or_else(attribute)
    }

    /// Whether it gives the service a name; without a copy of it, for whom there is no memory.
    pub fn names_service(&self) -> bool {
        self.service_name.is_some()
            || self.environment.contains_key(SERVICE_NAME)
            || self.resource_attributes.contains_key(NAME_ATTRIBUTE)
    }

    /// Whether its agent is one for this runtime: an agent of another kind could not start.
    fn has_agent_for(&self, runtime: Runtime, process: &impl Process) -> bool {
        self.matches.runtime.contains(&runtime) || runtime.is_launched(process)
    }
}

/// The rules that match a process which runs `runtime`, in their order.
///
/// # Errors
/// There is more to compare than there is time for.
pub fn matching<'c>(
    configuration: &'c Configuration,
    runtime: Runtime,
    process: &impl Process,
) -> Result<Vec<&'c Rule>, Reason> {
    let facts = Facts::new(process, Some(runtime));
    let rules = configuration.rules.iter();
    let rules = rules.filter(|rule| rule.matches.holds(&facts) == Some(true));
    let rules = rules.collect();
    facts.effort.was_enough().map(|()| rules)
}

/// Whether a process is to be looked at further, before its runtime is known: the first rule that
/// says so and matches, else `enabled`.
///
/// # Errors
/// The rule, or the key, that says no.
pub fn may_inject(process: &impl Process, configuration: &Configuration) -> Result<(), Reason> {
    let facts = Facts::new(process, Runtime::of(process));
    for rule in &configuration.rules {
        let Some(enabled) = rule.enabled else {
            continue;
        };
        let holds = rule.matches.holds(&facts);
        facts.effort.was_enough()?;
        match (holds, enabled) {
            (Some(false), _) => {}
            (Some(true), false) => return Err(Reason::Rule(rule.place.clone())),
            // Whether it matches is known when the runtime asks for its variable.
            (Some(true), true) | (None, _) => return Ok(()),
        }
    }
    if configuration.enabled {
        Ok(())
    } else {
        Err(Reason::DisabledBy("enabled"))
    }
}

/// Whether any rule may bring an agent.
pub fn may_bring_agent(configuration: &Configuration) -> bool {
    let names_one = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.is_empty());
    let mut agents = Runtime::ALL
        .into_iter()
        .map(|runtime| configuration.agent(runtime));
    let has_path = agents.any(|agent| names_one(&agent.agent_path));
    let mut rules = configuration.rules.iter();
    rules.any(|rule| names_one(&rule.agent_path)) || has_path && may_enable(configuration)
}

/// Whether a rule may inject a runtime that is turned off.
pub fn may_enable(configuration: &Configuration) -> bool {
    let mut rules = configuration.rules.iter();
    rules.any(|rule| rule.enabled == Some(true))
}

/// What the configuration says of one process, rules included.
///
/// # Errors
/// The rule, or the key, by which it is left alone.
pub fn applied<'c>(
    configuration: &'c Configuration,
    runtime: Runtime,
    process: &impl Process,
) -> Result<Cow<'c, Configuration>, Reason> {
    if configuration.rules.is_empty()
        && configuration.agent(runtime).environment.is_empty()
        && !matches!(configuration.service_name, ServiceName::Given(_))
    {
        return if configuration.enabled {
            Ok(Cow::Borrowed(configuration))
        } else {
            Err(Reason::DisabledBy("enabled"))
        };
    }
    let rules = matching(configuration, runtime, process)?;
    let mut applied = configuration.clone();
    applied.rules.clear();
    match rules.iter().find(|rule| rule.enabled.is_some()) {
        Some(rule) if rule.enabled == Some(true) => applied.agent_mut(runtime).enabled = true,
        Some(rule) => return Err(Reason::Rule(rule.place.clone())),
        None if !configuration.enabled => return Err(Reason::DisabledBy("enabled")),
        None => {}
    }
    applied.enabled = true;
    let mut agents = rules.iter().filter(|rule| rule.agent_path.is_some());
    if let Some(rule) = agents.find(|rule| rule.has_agent_for(runtime, process)) {
        applied.agent_mut(runtime).agent_path = rule.agent_path.clone();
    }
    let of_runtime = configuration.agent(runtime).environment.clone();
    let name_of_runtime = of_runtime.get(SERVICE_NAME).cloned();
    applied.environment.extend(of_runtime);
    // The first rule's values are written last.
    for rule in rules.iter().rev() {
        applied.environment.extend(rule.environment.clone());
        applied
            .resource_attributes
            .extend(rule.resource_attributes.clone());
    }
    let name = rules.iter().find_map(|rule| rule.names());
    name_service(
        &mut applied,
        name.or(name_of_runtime.map(ServiceName::Given)),
    );
    Ok(Cow::Owned(applied))
}

/// Sets the service's name from the source with the highest priority, and removes the others. `closer` is the name
/// in a rule or in the runtime's section, which overrides `service_name`.
fn name_service(applied: &mut Configuration, closer: Option<ServiceName>) {
    let is_closer = closer.is_some();
    if let Some(name) = closer {
        applied.service_name = name;
    }
    match applied.service_name.clone() {
        ServiceName::Given(name) => {
            applied.resource_attributes.remove(NAME_ATTRIBUTE);
            applied.environment.insert(SERVICE_NAME.into(), name);
        }
        // A rule that says "auto" or "off" also cancels the names of the configuration.
        _ if is_closer => {
            applied.resource_attributes.remove(NAME_ATTRIBUTE);
            applied.environment.remove(SERVICE_NAME);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::read;
    use crate::process::fixture::Fixture;

    fn configuration(text: &str) -> Configuration {
        let mut configuration = Configuration::default();
        assert_eq!(read(text, &mut configuration), []);
        configuration
    }

    fn java(arguments: &str) -> Fixture {
        Fixture {
            executable: "/usr/bin/java".into(),
            arguments: arguments.split(' ').map(String::from).collect(),
            ..Fixture::default()
        }
    }

    fn of_java(c: &Configuration, arguments: &str) -> Configuration {
        applied(c, Runtime::Jvm, &java(arguments))
            .unwrap()
            .into_owned()
    }

    #[test]
    fn the_first_rule_counts_for_each_key_and_all_add_up() {
        let c = configuration(
            "environment.OTEL_A = 'base'\nenvironment.OTEL_D = 'base'\n\
             [[rule]]\nmatch.arguments = '*shop*.jar'\nservice_name = 'shop'\n\
             environment.OTEL_A = 'first'\n\
             [[rule]]\nmatch.executable = 'java'\nservice_name = 'java'\nagent_path = '/a.jar'\n\
             environment.OTEL_A = 'second'\nenvironment.OTEL_B = 'second'\n\
             resource_attributes.team.name = 'x'\n\
             [[rule]]\nmatch.executable = 'python*'\nenvironment.OTEL_C = 'third'",
        );
        let told = of_java(&c, "java -jar /srv/shop-1.jar");
        let setting = |name: &str| told.environment.get(name).map(String::as_str);
        assert_eq!(setting("OTEL_A"), Some("first"));
        assert_eq!(setting("OTEL_B"), Some("second"));
        assert_eq!(setting("OTEL_C"), None);
        assert_eq!(setting("OTEL_D"), Some("base"));
        assert_eq!(setting(SERVICE_NAME), Some("shop"));
        assert_eq!(told.resource_attributes["team.name"], "x");
        assert_eq!(
            told.agent(Runtime::Jvm).agent_path.as_deref(),
            Some("/a.jar")
        );
        let other = of_java(&c, "java Main");
        assert_eq!(other.environment[SERVICE_NAME], "java");
    }

    #[test]
    fn a_runtimes_own_settings_stand_between_those_for_all_and_those_of_rules() {
        let c = configuration(
            "service_name = 'all'\nenvironment = { OTEL_A = 'all', OTEL_B = 'all', OTEL_C = 'all' }\n\
             jvm.environment = { OTEL_B = 'jvm', OTEL_C = 'jvm', SPLUNK_D = 'jvm', OTEL_SERVICE_NAME = 'jvm' }\n\
             ruby.environment.OTEL_A = 'ruby'\n\
             [[rule]]\nmatch.arguments = 'x'\nenvironment = { OTEL_C = 'rule', SPLUNK_E = 'rule' }",
        );
        let told = of_java(&c, "java x").environment;
        let wanted = [
            ("OTEL_A", "all"),
            ("OTEL_B", "jvm"),
            ("OTEL_C", "rule"),
            ("OTEL_SERVICE_NAME", "jvm"),
            ("SPLUNK_D", "jvm"),
            ("SPLUNK_E", "rule"),
        ];
        let pairs: Vec<_> = told
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, wanted);
        let mut ruby = java("ruby x");
        ruby.executable = "/usr/bin/ruby".into();
        let told = applied(&c, Runtime::Ruby, &ruby).unwrap();
        assert_eq!(told.environment["OTEL_A"], "ruby");
        let mut spelled: Vec<_> = crate::settings::spelled_out(&c).collect();
        spelled.sort_unstable();
        assert_eq!(spelled, ["SPLUNK_D", "SPLUNK_E"]);
        for (name, wanted) in [("SPLUNK_D", true), ("SPLUNK_E", true), ("SPLUNK_F", false)] {
            assert_eq!(
                crate::settings::is_configured(name, Runtime::Jvm, &c),
                wanted
            );
        }
        assert!(!crate::settings::is_configured(
            "SPLUNK_D",
            Runtime::Ruby,
            &c
        ));
    }

    #[test]
    fn a_rule_leaves_alone_or_lifts_the_switches() {
        let c = configuration(
            "enabled = false\njvm.enabled = false\njvm.agent_path = '/a'\n\
             [[rule]]\nmatch.arguments = 'no'\nenabled = false\n\
             [[rule]]\nmatch.executable = 'java'\nenabled = true",
        );
        let left = applied(&c, Runtime::Jvm, &java("java no"));
        assert_eq!(
            left.unwrap_err().to_string(),
            "the rule at :4 has enabled = false"
        );
        let told = of_java(&c, "java yes");
        assert!(told.agent(Runtime::Jvm).enabled);
        assert!(may_inject(&java("java yes"), &c).is_ok());
        assert!(may_inject(&java("java no"), &c).is_err());
        let mut other = java("x");
        other.executable = "/usr/bin/ruby".into();
        let left = applied(&c, Runtime::Ruby, &other);
        assert_eq!(left.unwrap_err(), Reason::DisabledBy("enabled"));
        assert!(may_inject(&other, &c).is_err());
    }

    #[test]
    fn what_the_runtime_decides_waits_for_it() {
        let c = configuration("[[rule]]\nmatch.runtime = 'jvm'\nenabled = false");
        let mut embedder = java("jsvc");
        embedder.executable = "/usr/bin/jsvc".into();
        assert_eq!(may_inject(&embedder, &c), Ok(()));
        assert!(applied(&c, Runtime::Jvm, &embedder).is_err());
        assert!(applied(&c, Runtime::Python, &embedder).is_ok());
        assert!(may_inject(&java("java"), &c).is_err());
    }

    #[test]
    fn an_agent_is_for_its_runtime() {
        let c = configuration("[[rule]]\nagent_path = '/a.jar'\nmatch.executable = 'java'");
        let agent = |runtime: Runtime, process: &Fixture| {
            let told = applied(&c, runtime, process).unwrap();
            told.agent(runtime).agent_path.clone()
        };
        assert_eq!(agent(Runtime::Python, &java("java")), None);
        assert_eq!(
            agent(Runtime::Jvm, &java("java")).as_deref(),
            Some("/a.jar")
        );
        assert!(may_bring_agent(&c));
        assert!(!may_bring_agent(&Configuration::default()));
    }

    #[test]
    fn a_rules_name_beats_every_way_of_the_configuration() {
        let base = "environment.OTEL_SERVICE_NAME = 'a'\nresource_attributes.service.name = 'b'\n\
                    service_name = 'c'\n";
        assert_eq!(
            of_java(&configuration(base), "java").environment[SERVICE_NAME],
            "c"
        );
        for rule in [
            "service_name = 'shop'",
            "environment.OTEL_SERVICE_NAME = 'shop'",
            "resource_attributes.service.name = 'shop'",
        ] {
            let c = configuration(&[base, "[[rule]]\n", rule].concat());
            let told = of_java(&c, "java");
            assert_eq!(told.environment[SERVICE_NAME], "shop", "{rule}");
            assert_eq!(told.resource_attributes.get(NAME_ATTRIBUTE), None, "{rule}");
        }
        let c = configuration(&[base, "[[rule]]\nservice_name = 'auto'"].concat());
        let told = of_java(&c, "java");
        assert_eq!(told.service_name, ServiceName::Auto);
        assert_eq!(told.environment.get(SERVICE_NAME), None);
    }
}

//! Why a setting may not have counted.

use crate::trace::copies;
use crate::trace::filters::Filters;
use crate::trace::near_names;
use crate::trace::own_changes;
use crate::trace::recording::{Outcome, Program, Recording};
use crate::trace::redaction;
use opentelemetry_injector_policy::config::is_given;
use opentelemetry_injector_policy::runtimes::variable::{self, Watched};
use opentelemetry_injector_policy::settings::PREFIX;
use opentelemetry_injector_policy::{Configuration, Runtime};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How the names begin that the injector reads itself.
const OF_INJECTOR: &str = "OTEL_INJECTOR_";

/// How many programs are named.
const SHOWN: usize = 3;

/// Something to look at, in one sentence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The settings; none where it is about the whole environment.
    pub names: Vec<String>,
    /// What is odd about them, from the verb on.
    pub text: String,
}

impl Finding {
    /// One that is about one name.
    pub fn of(name: &str, text: String) -> Self {
        let names = vec![name.to_owned()];
        Self { names, text }
    }

    /// The whole sentence.
    pub fn sentence(&self) -> String {
        let subject = if self.names.is_empty() {
            "The environment".into()
        } else {
            listed(&self.names, "and")
        };
        format!("{subject} {}", self.text)
    }
}

/// What a session shows, apart from names that the filters leave out. `untraced` are programs that took no part,
/// `copies` those that read unseen.
pub fn findings(
    recording: &Recording,
    configuration: &Configuration,
    filters: &Filters,
    untraced: &[String],
    copies: &BTreeMap<usize, &'static str>,
) -> Vec<Finding> {
    let session = Session::of(recording, configuration, filters, copies);
    let mut found = Vec::new();
    // Names of which the same is said: what begins the sentence.
    let mut unread: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let names: BTreeSet<&str> = session
        .set
        .keys()
        .chain(session.configured.keys())
        .chain(&session.spelled)
        .copied()
        .collect();
    for name in names {
        let is_told = filters.accept_name(name);
        if let Some((meant, finding)) = session.misspelt(name) {
            found.extend((is_told || filters.accept_name(meant)).then_some(finding));
            continue;
        }
        if !is_told || !session.is_setting(name) {
            continue;
        }
        if let Some(state) = session.unread(name) {
            unread.entry(state).or_default().push(name.into());
        }
        found.extend(session.empty(name));
        found.extend(session.lost(name));
        found.extend(session.doubled(name).or_else(|| session.different(name)));
        found.extend(session.overridden(name));
    }
    let others = session.unseen_readers(untraced);
    found.extend(
        unread
            .into_iter()
            .map(|(state, names)| session.nobody_asked(names, &state, &others)),
    );
    let mut changed = own_changes::findings(recording, copies);
    changed.retain(|finding| finding.names.iter().all(|name| filters.accept_name(name)));
    found.extend(changed);
    found
}

/// Who has asked for a name.
#[derive(Default)]
struct Asks {
    /// Whether it was ever there.
    was_there: bool,
    /// The programs, and whether it was ever there for each.
    programs: BTreeMap<usize, bool>,
}

/// What is known of a session's settings.
struct Session<'r> {
    recording: &'r Recording,
    filters: &'r Filters,
    asked: BTreeMap<&'r str, Asks>,
    /// Names that were asked for in vain and may have been meant by others: those that the injector looks at, and
    /// those that the filters name.
    missed: Vec<&'r str>,
    /// The environments' values of each name, with the programs that have them.
    set: BTreeMap<&'r str, Vec<(usize, &'r str)>>,
    /// The configuration's settings for the runtimes into which an agent was injected.
    configured: BTreeMap<&'r str, &'r str>,
    /// The names that it has anywhere.
    spelled: BTreeSet<&'r str>,
    /// The runtimes into which an agent was injected.
    injected: Vec<Runtime>,
    /// The injector's values.
    injections: BTreeSet<&'r str>,
    copies: &'r BTreeMap<usize, &'static str>,
}

impl<'r> Session<'r> {
    fn of(
        recording: &'r Recording,
        configuration: &'r Configuration,
        filters: &'r Filters,
        copies: &'r BTreeMap<usize, &'static str>,
    ) -> Self {
        let (asked, injections) = asked(recording);
        let mut set: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        for (index, program) in recording.programs.iter().enumerate() {
            for (name, value) in &program.variables {
                set.entry(name).or_default().push((index, value));
            }
        }
        let mut injected: Vec<Runtime> = injections
            .iter()
            .filter_map(|(name, _)| match variable::watched(name.as_bytes()) {
                Some(Watched::Activation(variable)) => Some(variable.runtime()),
                _ => None,
            })
            .collect();
        injected.dedup();
        let missed = asked.iter().filter(|(_, asks)| !asks.was_there);
        let missed = missed
            .map(|(name, _)| *name)
            .filter(|name| filters.is_named(name) || variable::watched(name.as_bytes()).is_some());
        Self {
            recording,
            filters,
            missed: missed.collect(),
            asked,
            set,
            configured: configured(configuration, &injected),
            spelled: spelled(configuration),
            injected,
            injections: injections.into_iter().map(|(_, value)| value).collect(),
            copies,
        }
    }

    /// Whether a name is looked at as one of a setting.
    fn is_setting(&self, name: &str) -> bool {
        let is_agents = name.starts_with(PREFIX) && !name.starts_with(OF_INJECTOR);
        is_agents || self.filters.spells_out(name)
    }

    /// A name that may have been meant to be another one, which is not set.
    fn misspelt(&self, name: &str) -> Option<(&str, Finding)> {
        let is_watched = variable::watched(name.as_bytes()).is_some();
        if !self.is_setting(name) && is_watched || near_names::is_known(name) {
            return None;
        }
        let whence = self.whence(name);
        let (meant, text) = match self.missed_like(name) {
            Some(meant) => (
                meant,
                format!("{whence}, and {meant} was asked for and is not: is that what was meant?"),
            ),
            None => {
                let meant = near_names::known_like(name)?;
                let is_not = if self.is_given(meant) {
                    ""
                } else {
                    ", which is not"
                };
                (
                    meant,
                    format!("{whence}, and looks like {meant}{is_not}: is that what was meant?"),
                )
            }
        };
        (!self.was_asked_for(name)).then(|| (meant, Finding::of(name, text)))
    }

    /// The name that a name looks like, which was asked for and is not set.
    fn missed_like(&self, name: &str) -> Option<&'r str> {
        let is_setting = self.is_setting(name);
        let is_candidate = |missed: &&str| {
            self.filters.is_named(missed) || missed.starts_with(PREFIX) == is_setting
        };
        let missed = self.missed.iter().copied();
        near_names::nearest(name, missed.filter(is_candidate))
    }

    /// Whether a name is set anywhere, or in the configuration.
    fn is_given(&self, name: &str) -> bool {
        self.set.contains_key(name) || self.spelled.contains(name)
    }

    fn whence(&self, name: &str) -> &'static str {
        if self.set.contains_key(name) {
            "is set"
        } else {
            "is in the configuration"
        }
    }

    /// Whether a program has asked for a name itself, rather than for all that its environment has.
    fn was_asked_for(&self, name: &str) -> bool {
        let asks = self.asked.get(name);
        asks.is_some_and(|asks| {
            asks.programs
                .keys()
                .any(|program| !self.asks_for_all(*program))
        })
    }

    /// Whether a program copies its environment name by name.
    fn asks_for_all(&self, program: usize) -> bool {
        let is_hidden =
            |name: &str| name == "LD_PRELOAD" || name.starts_with("OPENTELEMETRY_INJECTOR_");
        let has_asked = |name: &str| {
            let asks = self.asked.get(name);
            asks.is_some_and(|asks| asks.programs.contains_key(&program))
        };
        let variables = &self.recording.programs[program].variables;
        variables
            .iter()
            .all(|(name, _)| is_hidden(name) || has_asked(name))
    }

    /// What begins the sentence on a setting that nobody asked for.
    fn unread(&self, name: &str) -> Option<String> {
        let is_configured = self.configured.contains_key(name);
        let is_set = self.values(name).any(|value| !value.is_empty());
        if self.asked.contains_key(name) || self.is_delivered(name) || !is_set && !is_configured {
            return None;
        }
        let whence = if is_set {
            "set"
        } else {
            "in the configuration"
        };
        Some(
            if near_names::may_be_known(name) || !name.starts_with(PREFIX) {
                whence.into()
            } else {
                format!("{whence}, {NOT_KNOWN}")
            },
        )
    }

    /// Whether the injector gives a setting to an agent in another way than by `getenv`'s answers: as an option, as
    /// a line for a boot file, or in the environment.
    fn is_delivered(&self, name: &str) -> bool {
        let is_of_injector =
            |runtime: &Runtime| matches!(runtime, Runtime::Erlang | Runtime::Dotnet);
        if self.configured.contains_key(name) && self.injected.iter().any(is_of_injector) {
            return true;
        }
        let option = format!("-d{}=", name.to_ascii_lowercase().replace('_', "."));
        let line = format!("{name}=");
        self.injections.iter().any(|value| {
            let has_option = || {
                value
                    .to_ascii_lowercase()
                    .replace('-', ".")
                    .contains(&option[1..])
            };
            value.lines().any(|own| own.starts_with(&line)) || value.contains("-D") && has_option()
        })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'r str> {
        let values = self.set.get(name).into_iter().flatten();
        values.map(|(_, value)| *value)
    }

    /// Who may have read settings unseen.
    fn unseen_readers(&self, untraced: &[String]) -> Vec<String> {
        let untraced = untraced.iter().map(|name| format!("{name} (not traced)"));
        let copies = copies::told(self.recording, self.copies);
        copies.into_iter().chain(untraced).collect()
    }

    fn nobody_asked(&self, names: Vec<String>, state: &str, others: &[String]) -> Finding {
        let (verb, pronoun) = match names.len() {
            1 => ("is", "it"),
            _ => ("are", "them"),
        };
        let programs = || {
            let programs = self.recording.programs.iter().map(Program::name);
            let programs: BTreeSet<_> = programs.collect();
            shortened(programs.into_iter().map(str::to_owned).collect())
        };
        let rest = if others.is_empty() {
            format!(": {}", programs())
        } else {
            let others = shortened(others.to_vec());
            format!("; {others} may have read {pronoun} in another way")
        };
        let text = format!(
            "{verb} {state}, and no traced program asked for {pronoun} through getenv{rest}"
        );
        Finding { names, text }
    }

    /// An empty value, which is none (OpenTelemetry specification, "Environment Variable Specification").
    fn empty(&self, name: &str) -> Option<Finding> {
        let is_empty = self.values(name).any(str::is_empty);
        let text = "is set to an empty value, which counts as not set".into();
        (is_empty && name.starts_with(PREFIX)).then(|| Finding::of(name, text))
    }

    /// A setting that a program's ancestor has, and the program, which asked for it, has not.
    fn lost(&self, name: &str) -> Option<Finding> {
        let bearers: BTreeSet<usize> = self
            .set
            .get(name)?
            .iter()
            .map(|(index, _)| *index)
            .collect();
        let missed = self.asked.get(name)?.programs.iter();
        let mut missed = missed.filter(|(_, was_there)| !**was_there);
        let (loser, bearer) = missed.find_map(|(loser, _)| {
            let mut ancestors =
                std::iter::successors(Some(*loser), |index| parent(self.recording, *index));
            // One that had it, and has removed it itself, is told of as a change.
            let first =
                ancestors.find(|index| !self.recording.programs[*index].variables.is_empty())?;
            let is_its_own = bearers.contains(&first);
            let bearer = ancestors.find(|index| bearers.contains(index))?;
            (!is_its_own).then_some((*loser, bearer))
        })?;
        let [loser, bearer] = [loser, bearer].map(|index| &self.recording.programs[index]);
        let text = format!(
            "is set in {}, and {}, which asked for it, does not have it",
            bearer.told(),
            loser.told()
        );
        Some(Finding::of(name, text))
    }

    fn different(&self, name: &str) -> Option<Finding> {
        let shown = |value: &str| format!("\"{}\"", redaction::shown(name, value));
        let set = self.set.get(name)?;
        let mut values: Vec<(usize, &str)> = Vec::new();
        for (index, value) in set {
            if !values.iter().any(|(_, known)| known == value) {
                values.push((*index, value));
            }
        }
        if values.len() < 2 {
            return None;
        }
        let told = values.iter().take(SHOWN).map(|(index, value)| {
            let program = self.recording.programs[*index].told();
            format!("{} in {program}", shown(value))
        });
        let told: Vec<_> = told.collect();
        let text = format!("has {} values: {}", values.len(), told.join(", "));
        Some(Finding::of(name, text))
    }

    /// Different values in one environment; of several programs with that the last, which the others have started.
    fn doubled(&self, name: &str) -> Option<Finding> {
        let set = self.set.get(name)?;
        let mut pairs = set.windows(2);
        let pair = pairs.rfind(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1)?;
        let index = pair[0].0;
        let (_, first) = set[set.partition_point(|(other, _)| *other < index)];
        let (_, other) = pair.iter().find(|(_, value)| *value != first)?;
        let text = format!(
            "is several times in the environment of {}: getenv answers the first, \"{}\", not \"{}\"",
            self.recording.programs[index].told(),
            redaction::shown(name, first),
            redaction::shown(name, other),
        );
        Some(Finding::of(name, text))
    }

    fn overridden(&self, name: &str) -> Option<Finding> {
        let configured = self.configured.get(name)?;
        let is_other = self
            .values(name)
            .any(|value| !value.is_empty() && value != *configured);
        let text = format!(
            "is \"{}\" in the configuration, and the environment's own value counts",
            redaction::shown(name, configured)
        );
        is_other.then(|| Finding::of(name, text))
    }
}

/// What is said of a setting that only an agent can know.
const NOT_KNOWN: &str = "not in the specification";

/// The names that were asked for; and the injector's values, each with its name.
fn asked(recording: &Recording) -> (BTreeMap<&str, Asks>, BTreeSet<(&str, &str)>) {
    let mut asked: BTreeMap<&str, Asks> = BTreeMap::new();
    let mut injections = BTreeSet::new();
    let mut seen = HashSet::new();
    for call in &recording.calls {
        if !seen.insert((call.program, call.text, call.outcome)) {
            continue;
        }
        let text = recording.text(call);
        let is_there = call.outcome != Outcome::Miss;
        let asks = asked.entry(&text.name).or_default();
        asks.was_there |= is_there;
        *asks.programs.entry(call.program).or_default() |= is_there;
        if call.outcome == Outcome::Injected {
            injections.insert((text.name.as_str(), text.value.as_str()));
        }
    }
    (asked, injections)
}

/// The settings for processes of these runtimes; those of rules count for some processes alone.
fn configured<'c>(
    configuration: &'c Configuration,
    injected: &[Runtime],
) -> BTreeMap<&'c str, &'c str> {
    let tables = injected
        .iter()
        .map(|runtime| &configuration.agent(*runtime).environment);
    let all = (!injected.is_empty()).then_some(&configuration.environment);
    let settings = all.into_iter().chain(tables).flatten();
    let mut configured = BTreeMap::new();
    for (name, value) in settings {
        if is_given(name, value) {
            configured.insert(name.as_str(), value.as_str());
        } else {
            configured.remove(name.as_str());
        }
    }
    configured
}

/// The names of all settings of a configuration.
fn spelled(configuration: &Configuration) -> BTreeSet<&str> {
    let of_runtimes = Runtime::ALL.map(|runtime| &configuration.agent(runtime).environment);
    let of_rules = configuration.rules.iter().map(|rule| &rule.environment);
    let tables = of_runtimes
        .into_iter()
        .chain(of_rules)
        .chain([&configuration.environment]);
    let settings = tables
        .flatten()
        .filter(|(name, value)| is_given(name, value));
    settings.map(|(name, _)| name.as_str()).collect()
}

/// The program that a program has come from: in the same process before exec, or in its parent.
fn parent(recording: &Recording, index: usize) -> Option<usize> {
    let program = &recording.programs[index];
    let before = &recording.programs[..index];
    let newest = |process| before.iter().rposition(|other| other.process == process);
    let forked_from = program.forked_from;
    forked_from
        .or_else(|| newest(program.process))
        .or_else(|| newest(program.parent))
}

/// The first few of some texts.
fn shortened(mut texts: Vec<String>) -> String {
    let more = texts.len().saturating_sub(SHOWN);
    texts.truncate(SHOWN);
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    listed(&texts, "and")
}

/// `a`, `a and b`, `a, b and c`.
fn listed(texts: &[String], conjunction: &str) -> String {
    match texts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::recording::fixture;

    fn sentences(recording: &Recording, configuration: &Configuration) -> Vec<String> {
        let copies = copies::copies(recording);
        let found = findings(recording, configuration, &Filters::default(), &[], &copies);
        found.iter().map(Finding::sentence).collect()
    }

    fn executable(recording: &mut Recording, index: usize, path: &str) {
        recording.programs[index].executable = path.into();
    }

    #[test]
    fn misspelt_names_of_activating_variables_are_found() {
        let mut recording = fixture::of(&[
            (1, "NODE_OPTIONS", None, false),
            (1, "ERL_AFLAGS", None, false),
            (1, "ERL_ZFLAGS", Some("x"), false),
        ]);
        for entry in [
            "NODE_OPTION=x",
            "NODE=x",
            "ERL_ZFLAGS=x",
            "NODE_OPTIONS_OF_MINE=x",
        ] {
            fixture::set(&mut recording, 1, entry);
        }
        let wanted = "NODE_OPTION is set, and NODE_OPTIONS was asked for and is not: is that what was meant?";
        assert_eq!(sentences(&recording, &Configuration::default()), [wanted]);
    }

    #[test]
    fn settings_that_a_program_changes_itself_are_found_where_that_may_be_in_the_way() {
        let mut recording = fixture::of(&[
            (1, "OTEL_A", None, false),
            (1, "OTEL_B", None, false),
            (2, "OTEL_B", None, false),
        ]);
        fixture::change(&mut recording, 1, 1, "", "OTEL_A=x");
        fixture::change(&mut recording, 1, 2, "", "OTEL_Z=x");
        fixture::change(&mut recording, 1, 3, "OTEL_Z=x", "OTEL_Z=y");
        fixture::change(&mut recording, 1, 4, "", "PATH=x");
        executable(&mut recording, 1, "/usr/bin/python3");
        fixture::change(&mut recording, 2, 5, "", "OTEL_Z=x");
        let wanted = [
            "OTEL_A was set to \"x\" by the program itself: p (1), after the last call that asked for it",
            "OTEL_Z was set to several values, last \"y\", by the program itself: p (1), and it was not \
             asked for through getenv afterwards",
        ];
        assert_eq!(sentences(&recording, &Configuration::default()), wanted);
    }

    #[test]
    fn slips_doubles_and_names_without_a_reader_are_found() {
        let mut recording = fixture::of(&[
            (1, "OTEL_EXPORTER_OTLP_ENDPOINT", None, false),
            (1, "OTEL_SERVICE_NAME", Some("a"), false),
            (1, "NODE_OPTIONS", Some("--require x"), true),
        ]);
        for entry in [
            "OTEL_EXPORTER_OTLP_ENDPONT=http://c",
            "OTEL_SERVICE_NAME=a",
            "OTEL_SERVICE_NAME=b",
            "OTEL_TRACES_SAMPLER=",
            "JAVA_TOOL_OPTIONS=-X",
            "OTEL_INJECTOR_SERVICE_NAME=a",
        ] {
            fixture::set(&mut recording, 1, entry);
        }
        let mut configuration = Configuration::default();
        let environment = &mut configuration.environment;
        environment.insert("OTEL_SERVICE_NAME".into(), "c".into());
        environment.insert("OTEL_LOG_LEVEL".into(), "debug".into());
        let of_node = &mut configuration.agent_mut(Runtime::Nodejs).environment;
        of_node.insert("OTEL_OF_NOBODY".into(), "x".into());
        // Nothing was injected into a JVM.
        let of_jvm = &mut configuration.agent_mut(Runtime::Jvm).environment;
        of_jvm.insert("OTEL_JAVAAGENT_DEBUG".into(), "true".into());
        of_jvm.insert("OTEL_PROPAGATOR".into(), "b3".into());
        let wanted = [
            "OTEL_EXPORTER_OTLP_ENDPONT is set, and OTEL_EXPORTER_OTLP_ENDPOINT was asked for and \
             is not: is that what was meant?",
            "OTEL_PROPAGATOR is in the configuration, and looks like OTEL_PROPAGATORS, which is not: is \
             that what was meant?",
            "OTEL_SERVICE_NAME is several times in the environment of p (1): getenv answers the first, \
             \"a\", not \"b\"",
            "OTEL_SERVICE_NAME is \"c\" in the configuration, and the environment's own value counts",
            "OTEL_TRACES_SAMPLER is set to an empty value, which counts as not set",
            "OTEL_LOG_LEVEL is in the configuration, and no traced program asked for it through getenv: p",
            "OTEL_OF_NOBODY is in the configuration, not in the specification, and no traced \
             program asked for it through getenv: p",
        ];
        assert_eq!(sentences(&recording, &configuration), wanted);
    }

    #[test]
    fn names_of_the_specification_are_no_slips_of_each_other_and_what_was_asked_for_is_right() {
        let mut recording = fixture::of(&[
            (1, "OTEL_BSP_SCHEDULE_DELAY", Some("5"), false),
            (1, "OTEL_BLRP_SCHEDULE_DELAY", None, false),
            (1, "OTEL_OF_MINE_A", Some("5"), false),
            (1, "OTEL_OF_MINE_B", None, false),
        ]);
        fixture::set(&mut recording, 1, "OTEL_BSP_SCHEDULE_DELAY=5");
        fixture::set(&mut recording, 1, "OTEL_OF_MINE_A=5");
        fixture::set(&mut recording, 1, "HOME=/");
        assert_eq!(sentences(&recording, &Configuration::default()), [""; 0]);
        // Now it may as well be a copy of all that is there.
        recording.programs[0].variables.pop();
        let told = sentences(&recording, &Configuration::default());
        assert!(
            told[0].starts_with("OTEL_OF_MINE_A is set, and OTEL_OF_MINE_B was"),
            "{told:?}"
        );
    }

    #[test]
    fn a_healthy_session_of_a_program_with_a_copy_has_one_line_and_a_slip_is_found_there() {
        let options = "-javaagent:/a.jar -Dotel.service.name=shop -Dotel.resource.attributes=a=b";
        let mut recording = fixture::of(&[(1, "JAVA_TOOL_OPTIONS", Some(options), true)]);
        executable(&mut recording, 0, "/usr/bin/java");
        for entry in [
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://c",
            "OTEL_TRACES_EXPORTER=otlp",
            "OTEL_JAVAAGENT_DEBUG=true",
            "OTEL_RESOURCE_ATTRIBUTES=a=b",
        ] {
            fixture::set(&mut recording, 1, entry);
        }
        let mut configuration = Configuration::default();
        let environment = &mut configuration.environment;
        environment.insert("OTEL_SERVICE_NAME".into(), "shop".into());
        let healthy = "OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_JAVAAGENT_DEBUG and OTEL_TRACES_EXPORTER are \
                       set, and no traced program asked for them through getenv; java (System.getenv) may \
                       have read them in another way";
        assert_eq!(sentences(&recording, &configuration), [healthy]);
        fixture::set(&mut recording, 1, "OTEL_EXPORTER_OTLP_TIMEOT=1");
        fixture::set(&mut recording, 1, "OTEL_SERVICE_NAM=1");
        fixture::set(&mut recording, 1, "otel_metrics_exporter=none");
        let told = sentences(&recording, &configuration);
        let wanted = [
            "OTEL_EXPORTER_OTLP_TIMEOT is set, and looks like OTEL_EXPORTER_OTLP_TIMEOUT, which is not: is \
             that what was meant?",
            "OTEL_SERVICE_NAM is set, and looks like OTEL_SERVICE_NAME: is that what was meant?",
            "otel_metrics_exporter is set, and looks like OTEL_METRICS_EXPORTER, which is not: is that what \
             was meant?",
            healthy,
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_setting_that_is_lost_on_the_way_is_found() {
        let mut recording = fixture::of(&[
            (1, "HOME", Some("/"), false),
            (2, "OTEL_SERVICE_NAME", None, false),
        ]);
        recording.programs[1].parent = 1;
        executable(&mut recording, 0, "/bin/dash");
        executable(&mut recording, 1, "/opt/c");
        fixture::set(&mut recording, 1, "OTEL_SERVICE_NAME=shop");
        fixture::set(&mut recording, 2, "HOME=/");
        let wanted =
            "OTEL_SERVICE_NAME is set in dash (1), and c (2), which asked for it, does not have it";
        assert_eq!(sentences(&recording, &Configuration::default()), [wanted]);
        // Who has it only afterwards has taken nothing away.
        recording.programs[1].parent = 9;
        assert_eq!(sentences(&recording, &Configuration::default()), [""; 0]);
    }

    #[test]
    fn names_that_are_asked_after_are_settings_and_others_are_left_out() {
        let mut recording = fixture::of(&[(1, "MYAPP_TIMEOUT", None, false)]);
        for entry in ["MYAPP_TIMEOT=5", "MYAPP_URL=x", "OTEL_SERVICE_NAME=x"] {
            fixture::set(&mut recording, 1, entry);
        }
        let told = |names: &[&str]| {
            let filters = Filters::of_names(names);
            let found = findings(
                &recording,
                &Configuration::default(),
                &filters,
                &["gost".into()],
                &copies::copies(&recording),
            );
            found.iter().map(Finding::sentence).collect::<Vec<_>>()
        };
        let wanted = "MYAPP_TIMEOT is set, and MYAPP_TIMEOUT was asked for and is not: is that what was meant?";
        assert_eq!(told(&["MYAPP_*"]), [wanted]);
        let wanted = "MYAPP_URL is set, and no traced program asked for it through getenv; gost (not traced) \
                      may have read it in another way";
        assert_eq!(told(&["MYAPP_URL"]), [wanted]);
        assert_eq!(told(&["PATH"]), [""; 0]);
    }
}

//! The keys of the configuration: what each one takes, and what is wrong with a text.
//!
//! The reader walks the spanned tree of the `toml` crate instead of deriving a deserializer. So it finds
//! every problem of a text, not only the first, each with its place.

mod problems;
mod table;
mod text;
pub(super) mod values;

pub use problems::{ConfigurationError, ConfigurationErrorKind};
pub use table::{KEYS, RULE_KEYS, SECTIONS, meaning};
pub use text::{BYTES, EACH_FILE, MOST, VALUE_BYTES, Words, line_and_column};

use crate::config::rules::{self, Rule};
use crate::config::{Engine, Level, ServiceName};
use crate::matching::texts;
use crate::runtimes::dotnet;
use crate::{Configuration, Runtime};
use alloc::{format, string::String, string::ToString, vec::Vec};
use core::ops::Range;
use table::runtime_key;
use text::{line_ends, parse};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use values::{
    absolute_path, agent_path, boolean, environment_name, is_outside_attribute_keys, number,
    one_of, patterns, prefixes, spelled_name, text, wrong_item, wrong_type,
};

/// Reads one text into `configuration`; later texts win key by key. It is the only one, as far as the limit
/// of words goes.
///
/// Returns every problem in the order of the text. Where one of them is fatal, what was read into
/// `configuration` is not to be used.
pub fn read(text: &str, configuration: &mut Configuration) -> Vec<ConfigurationError> {
    read_one_of(text, configuration, &mut Words::default())
}

/// [`read`] for one of several texts: `words` are those of the texts before it.
pub fn read_one_of(
    text: &str,
    configuration: &mut Configuration,
    words: &mut Words,
) -> Vec<ConfigurationError> {
    let mut problems = Vec::new();
    read_each(text, configuration, words, &mut |problem| {
        problems.push(problem);
    });
    problems.sort_by_key(|problem| problem.span.start);
    problems
}

/// [`read_one_of`] for a process: the fatal problem that stands first in the text. It keeps no other and sorts
/// nothing, because every constructor runs it.
///
/// # Errors
/// That problem; what was read into `configuration` is then not to be used.
pub fn read_usable(
    text: &str,
    configuration: &mut Configuration,
    words: &mut Words,
) -> Result<(), ConfigurationError> {
    let mut first: Option<ConfigurationError> = None;
    read_each(text, configuration, words, &mut |problem| {
        let is_earlier = |first: &ConfigurationError| problem.span.start < first.span.start;
        if problem.kind.is_fatal() && first.as_ref().is_none_or(is_earlier) {
            first = Some(problem);
        }
    });
    first.map_or(Ok(()), Err)
}

/// Calls `report` with every problem, in any order.
fn read_each(
    text: &str,
    configuration: &mut Configuration,
    words: &mut Words,
    report: &mut dyn FnMut(ConfigurationError),
) {
    match parse(text, words) {
        Ok(table) => {
            let mut reader = Reader {
                configuration,
                words,
                report,
            };
            // They say what may stand in the rest.
            if let Some((name, value)) = table.get_ref().get_key_value(PREFIXES) {
                reader.take(PREFIXES.into(), name.span(), value);
            }
            each_key("", table.get_ref(), &mut |key, name, value| {
                if key == "rule" {
                    reader.take_rules(text, name, value);
                } else if key != PREFIXES {
                    reader.take(key, name, value);
                }
            });
        }
        Err(problem) => report(problem),
    }
}

/// The keys that a text gives, known or not, each with the place of its name's last part; none for
/// what is not TOML.
pub fn places(text: &str) -> Vec<(String, Range<usize>)> {
    let mut places = Vec::new();
    if let Ok(table) = parse(text, &mut Words::default()) {
        each_key("", table.get_ref(), &mut |key, name, _| {
            places.push((key, name))
        });
    }
    places
}

/// The key that tells how settings may begin.
const PREFIXES: &str = "environment_prefixes";

type Set = Result<(), ConfigurationErrorKind>;

struct Reader<'c> {
    configuration: &'c mut Configuration,
    words: &'c mut Words,
    report: &'c mut dyn FnMut(ConfigurationError),
}

/// What is done with a key, the place of its name, and its value.
type Visit<'v> = dyn FnMut(String, Range<usize>, &Spanned<DeValue<'_>>) + 'v;

/// How long the name of a table may be, in bytes. It is copied in front of every key below, so that a
/// longer one would take much memory; it is read as a value of the wrong type.
const LONGEST_PREFIX: usize = 255;

/// Calls `visit` with every key of a table and of those below it, the place of its name, and its
/// value.
fn each_key(prefix: &str, table: &DeTable<'_>, visit: &mut Visit<'_>) {
    for (name, value) in table.iter() {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            _ => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref().as_table() {
            Some(inner) if key.len() <= LONGEST_PREFIX && has_names_below(&key) => {
                each_key(&key, inner, visit);
            }
            _ => visit(key, name.span(), value),
        }
    }
}

/// A bare `service.name = "x"` in TOML is a table: below `resource_attributes` it is meant as
/// one key.
fn has_names_below(key: &str) -> bool {
    texts::has(SECTIONS, key.as_bytes())
        || key == "environment"
        || key == "resource_attributes"
        || key.starts_with("resource_attributes.")
        || runtime_key(key).is_some_and(|(_, name)| name == "environment")
        || rules::table_names(key)
}

impl Reader<'_> {
    fn take(&mut self, key: String, name: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let counted = self.count_value(&key, value.get_ref());
        match counted.and_then(|()| self.set(&key, value.get_ref())) {
            Ok(()) => {}
            Err(kind) => self.add_problem(key, kind, name, value),
        }
    }

    /// Counts the value of a setting or an attribute once more: it is copied and encoded for answers.
    fn count_value(&mut self, key: &str, value: &DeValue<'_>) -> Set {
        let tables = ["environment.", "resource_attributes."];
        let is_copied = tables.iter().any(|table| key.contains(table));
        match value.as_str().filter(|_| is_copied) {
            Some(text) => self.count(text.len() / VALUE_BYTES),
            None => Ok(()),
        }
    }

    fn count(&mut self, words: usize) -> Set {
        if self.words.add(words) {
            Ok(())
        } else {
            Err(ConfigurationErrorKind::TooMany)
        }
    }

    /// Reads every rule of the list, whose places are told by the text.
    fn take_rules(&mut self, text: &str, name: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let items = value.get_ref().as_array();
        let is_table = |item: &Spanned<DeValue<'_>>| item.get_ref().is_table();
        let Some(items) = items.filter(|items| items.iter().all(is_table)) else {
            let kind = wrong_type("tables under [[rule]]", value.get_ref());
            return self.add_problem("rule".into(), kind, name, value);
        };
        // Lines are counted from one rule to the next: from the beginning, many rules would take long.
        let (mut counted, mut line) = (0, 1);
        for item in items.iter() {
            let mut rule = Rule::default();
            let start = item.span().start;
            line += text.get(counted..start).map_or(0, line_ends);
            counted = start;
            rule.place.line = line;
            if let Some(table) = item.get_ref().as_table() {
                each_key("rule", table, &mut |key, name, value| {
                    let counted = self.count_value(&key, value.get_ref());
                    let read =
                        counted.and_then(|()| rules::read_key(&mut rule, &key, value.get_ref()));
                    if let Err(kind) = read {
                        self.add_problem(key, kind, name, value);
                    }
                });
            }
            self.configuration.rules.push(rule);
        }
    }

    fn add_problem(
        &mut self,
        key: String,
        kind: ConfigurationErrorKind,
        name: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        // An unknown key is wrong itself; otherwise its value is, or an item of that.
        let span = if kind.is_about_name() {
            name
        } else {
            wrong_item(value).unwrap_or(value.span())
        };
        (self.report)(ConfigurationError { span, key, kind });
    }

    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Set {
        let configuration = &mut *self.configuration;
        match key {
            "enabled" => configuration.enabled = boolean(value)?,
            "service_name" => {
                configuration.service_name = ServiceName::from_text(text(value)?);
            }
            "injector_version" => configuration.injector_version = boolean(value)?,
            // Of several files, each adds its own.
            PREFIXES => {
                let prefixes = prefixes(value)?;
                // Each of them is held against every name.
                self.count(prefixes.len() * EACH_FILE)?;
                self.configuration.environment_prefixes.extend(prefixes);
            }
            "nodejs.esm" => configuration.nodejs_esm = boolean(value)?,
            "dotnet.profiler" => configuration.dotnet_profiler = boolean(value)?,
            // Lists of several files add up: no package takes a pattern of the administrator's away.
            "processes.include" => {
                let list = configuration.processes.include.get_or_insert_default();
                list.extend(patterns(value)?);
            }
            "processes.exclude" => configuration.processes.exclude.extend(patterns(value)?),
            "processes.include_arguments" => {
                let list = &mut configuration.processes.include_arguments;
                list.get_or_insert_default().extend(patterns(value)?);
            }
            "processes.exclude_arguments" => {
                let list = &mut configuration.processes.exclude_arguments;
                list.extend(patterns(value)?);
            }
            "hook.engine" => {
                configuration.engine = one_of(value, Engine::NAMES, Engine::from_name)?;
            }
            "log.level" => configuration.log.level = one_of(value, Level::NAMES, Level::from_name)?,
            "log.file" => configuration.log.file = Some(absolute_path(value)?),
            "report.file" => configuration.report.file = Some(absolute_path(value)?),
            "report.max_bytes" => configuration.report.max_bytes = number(value)?,
            "report.journal" => configuration.report.journal = boolean(value)?,
            _ => match runtime_key(key) {
                Some((runtime, name)) => return self.set_agent(runtime, name, value),
                None => return self.set_free_name(key, value),
            },
        }
        Ok(())
    }

    fn set_agent(&mut self, runtime: Runtime, name: &str, value: &DeValue<'_>) -> Set {
        let agent = self.configuration.agent_mut(runtime);
        match name {
            "enabled" => agent.enabled = boolean(value)?,
            "agent_path" => agent.agent_path = Some(agent_path(value)?),
            "allow_other_agents" => agent.allow_other_agents = boolean(value)?,
            // The JVM's agent bridges the application's own.
            "allow_own_sdk" if runtime != Runtime::Jvm => agent.allow_own_sdk = boolean(value)?,
            "environment" => return Err(wrong_type("a table", value)),
            _ => match name.strip_prefix("environment.") {
                Some(name) => {
                    spelled_name(name)?;
                    if runtime == Runtime::Dotnet && !dotnet::may_add(name.as_bytes()) {
                        return Err(ConfigurationErrorKind::NotForDotnet);
                    }
                    agent.environment.insert(name.into(), text(value)?);
                }
                None => return Err(ConfigurationErrorKind::UnknownKey),
            },
        }
        Ok(())
    }

    fn set_free_name(&mut self, key: &str, value: &DeValue<'_>) -> Set {
        if let Some(name) = key.strip_prefix("environment.") {
            environment_name(name, &self.configuration.environment_prefixes)?;
            let text = text(value)?;
            self.configuration.environment.insert(name.into(), text);
            return Ok(());
        }
        if let Some(name) = key.strip_prefix("resource_attributes.") {
            if name.is_empty() || name.contains(is_outside_attribute_keys) {
                return Err(ConfigurationErrorKind::BadAttributeKey);
            }
            let text = text(value)?;
            let attributes = &mut self.configuration.resource_attributes;
            attributes.insert(name.into(), text);
            return Ok(());
        }
        if key == "environment"
            || key == "resource_attributes"
            || texts::has(SECTIONS, key.as_bytes())
        {
            Err(wrong_type("a table", value))
        } else {
            Err(ConfigurationErrorKind::UnknownKey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::text::DEEPEST;
    use super::*;

    fn read_new(text: &str) -> (Configuration, Vec<ConfigurationError>) {
        let mut configuration = Configuration::default();
        let problems = read(text, &mut configuration);
        (configuration, problems)
    }

    fn only_problem(text: &str) -> ConfigurationError {
        let (_, mut problems) = read_new(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn every_key_is_read() {
        let (c, problems) = read_new(
            r#"
            enabled = false
            [jvm]
            enabled = false
            agent_path = "/a.jar"
            allow_other_agents = true
            [environment]
            OTEL_EXPORTER_OTLP_PROTOCOL = "http/protobuf"
            [resource_attributes]
            service.namespace = "shop"
            "deployment.environment.name" = "prod"
            [processes]
            include = ["a"]
            exclude = ["b"]
            include_arguments = ["c"]
            exclude_arguments = ["d"]
            [hook]
            engine = "direct"
            [log]
            level = "trace"
            file = "/l"
            [report]
            file = "/r"
            max_bytes = 1_000
            journal = true
            "#,
        );
        assert_eq!(problems, []);
        let jvm = c.agent(Runtime::Jvm);
        assert!(!c.enabled && !jvm.enabled && jvm.allow_other_agents);
        assert_eq!(c.agent(Runtime::Jvm).agent_path.as_deref(), Some("/a.jar"));
        assert_eq!(
            c.environment["OTEL_EXPORTER_OTLP_PROTOCOL"],
            "http/protobuf"
        );
        assert_eq!(c.resource_attributes["service.namespace"], "shop");
        assert_eq!(c.resource_attributes["deployment.environment.name"], "prod");
        assert_eq!(c.processes.include, Some(["a".into()].into()));
        assert_eq!(c.processes.exclude, ["b"]);
        assert_eq!(c.processes.include_arguments, Some(["c".into()].into()));
        assert_eq!(c.processes.exclude_arguments, ["d"]);
        assert_eq!((c.engine, c.log.level), (Engine::Direct, Level::Trace));
        assert_eq!(c.log.file.as_deref(), Some("/l"));
        assert_eq!(c.report.file.as_deref(), Some("/r"));
        assert_eq!((c.report.max_bytes, c.report.journal), (1000, true));
    }

    #[test]
    fn names_of_settings_are_told_by_a_prefix_or_spelled_out() {
        let (c, problems) = read_new(
            "environment.SPLUNK_A = '1'\nenvironment.OTEL_A = '1'\nenvironment.NEW_A = '1'\n\
             environment_prefixes = ['SPLUNK_']\n\
             [jvm.environment]\nSPLUNK_B = '2'\nx = '2'\nJAVA_TOOL_OPTIONS = '2'\n\"A B\" = '2'\n\
             ELASTIC_OTEL_C = '2'\n\
             [dotnet.environment]\nSIGNALFX_A = ''\nSTAGE = ''\n\
             [[rule]]\nenvironment.ANY_NAME = '3'\nenvironment.NODE_OPTIONS = '3'",
        );
        let names = c.environment.keys().collect::<Vec<_>>();
        assert_eq!(names, ["OTEL_A", "SPLUNK_A"]);
        let names = c.agent(Runtime::Jvm).environment.keys().collect::<Vec<_>>();
        assert_eq!(names, ["ELASTIC_OTEL_C", "SPLUNK_B"]);
        let names = c.rules[0].environment.keys().collect::<Vec<_>>();
        assert_eq!(names, ["ANY_NAME"]);
        let told: Vec<_> = problems
            .iter()
            .map(|problem| (problem.key.as_str(), &problem.kind))
            .collect();
        let other = &ConfigurationErrorKind::NotASetting;
        assert_eq!(
            told,
            [
                ("environment.NEW_A", &ConfigurationErrorKind::NotOtelName),
                ("jvm.environment.x", other),
                ("jvm.environment.JAVA_TOOL_OPTIONS", other),
                ("jvm.environment.A B", other),
                (
                    "dotnet.environment.STAGE",
                    &ConfigurationErrorKind::NotForDotnet
                ),
                ("rule.environment.NODE_OPTIONS", other),
            ]
        );
        // Another file may begin names in its own way, too.
        let mut c = c;
        assert_eq!(
            read(
                "environment_prefixes = ['NEW_']\nenvironment = { NEW_A = '', SPLUNK_C = '' }",
                &mut c
            ),
            []
        );
        assert_eq!(c.environment.len(), 4);
        for wrong in [
            "environment_prefixes = ['']",
            "environment_prefixes = ['*']",
        ] {
            assert_eq!(
                only_problem(wrong).kind,
                ConfigurationErrorKind::NotASetting
            );
        }
    }

    #[test]
    fn every_key_has_a_meaning_and_no_other() {
        assert!(
            KEYS.into_iter()
                .chain(texts::words(SECTIONS))
                .all(|key| !meaning(key).is_empty())
        );
        assert_eq!(meaning("jvm.agent"), "");
    }

    #[test]
    fn later_texts_win_key_by_key() {
        let (mut c, _) = read_new("[jvm]\nagent_path='/a'\n[environment]\nOTEL_A='1'\nOTEL_B='1'");
        assert_eq!(read("[environment]\nOTEL_B='2'", &mut c), []);
        assert_eq!(c.agent(Runtime::Jvm).agent_path.as_deref(), Some("/a"));
        assert_eq!(c.environment["OTEL_A"], "1");
        assert_eq!(c.environment["OTEL_B"], "2");
    }

    #[test]
    fn unknown_keys_are_not_fatal_and_their_place_is_the_name() {
        for text in [
            "jvm.agnet_path = '/a'",
            "[cobol]\nx = 1",
            "[environment]\nPATH = '/x'",
            "[environment]\n\"OTEL_A\\u0000B\" = '/x'",
        ] {
            assert!(!only_problem(text).kind.is_fatal(), "{text}");
        }
        assert_eq!(only_problem("a = 1\nenabled = true").span, 0..1);
    }

    #[test]
    fn wrong_values_are_fatal_and_their_place_is_the_value() {
        for (text, span) in [
            ("enabled = 'yes'", 10..15),
            ("jvm = 1", 6..7),
            ("environment = []", 14..16),
            ("jvm.agent_path = 'a'", 17..20),
            ("hook.engine = 'zydis'", 14..21),
            ("processes.include = 'x'", 20..23),
            ("processes.include = ['x', 1]", 26..27),
            ("environment.OTEL_X = 3", 21..22),
            ("resource_attributes.a = \"\\u0000\"", 24..32),
        ] {
            let problem = only_problem(text);
            assert!(problem.kind.is_fatal(), "{text}");
            assert_eq!(problem.span, span, "{text}");
        }
    }

    #[test]
    fn attribute_keys_must_fit_the_variable() {
        let problem = only_problem("[resource_attributes]\n'a=b' = '1'");
        assert_eq!(problem.kind, ConfigurationErrorKind::BadAttributeKey);
        assert_eq!(problem.span, 22..27);
    }

    #[test]
    fn bad_toml_is_one_fatal_problem_with_its_place() {
        let problem = only_problem("enabled = true\nenabled = ");
        assert!(matches!(problem.kind, ConfigurationErrorKind::Syntax(_)));
        assert_eq!(
            line_and_column("enabled = true\nenabled = ", problem.span.start).0,
            2
        );
    }

    #[test]
    fn texts_that_would_take_much_stack_are_refused() {
        fn refused(text: &str) -> Option<(&str, usize)> {
            let problems = read(text, &mut Configuration::default());
            let place =
                |problem: &ConfigurationError| (&text[problem.span.clone()], problem.span.start);
            match problems.as_slice() {
                [only] if only.kind == ConfigurationErrorKind::TooDeep => Some(place(only)),
                _ => None,
            }
        }
        let open = "a = ".to_string() + &"[".repeat(1 << 10);
        assert_eq!(refused(&open), Some(("[", 4 + DEEPEST)));
        let key = |parts: usize| ["a"; 80][..parts].join(".");
        assert_eq!(refused(&key(DEEPEST + 2)), Some((".", 2 * DEEPEST + 1)));
        assert_eq!(refused(&(key(DEEPEST + 1) + " = 1")), None);
        let tables = [&key(9), " = {", &key(8), " = {}}"].concat();
        assert_eq!(refused(&tables), Some(("{", 39)));
        // Brackets in texts and comments, lines and items that are no deeper than others.
        let flat = ["a = '", &"[".repeat(99), "' # ", &"{".repeat(99), "\n"].concat();
        let dots = "a.b = 1\n".repeat(99) + "c = [\n" + &"1.5, 2.5,\n".repeat(99) + "]";
        let lists = "[[a.b]]\n".repeat(99) + "c = [" + &"[],".repeat(99) + "]";
        for text in [flat, dots, lists] {
            assert_eq!(refused(&text), None, "{text}");
        }
    }

    #[test]
    fn texts_with_more_than_a_start_has_time_for_are_refused() {
        for line in [
            "a = 1\n",
            "[[rule]]\n",
            "[b]\n",
            "c.d = 1\n",
            "\n",
            "#\n",
            "]",
            "=",
        ] {
            let text = line.repeat((1 << 20) / line.len());
            assert_eq!(
                read_usable(&text, &mut Configuration::default(), &mut Words::default())
                    .unwrap_err()
                    .kind,
                ConfigurationErrorKind::TooMany,
                "{line}"
            );
        }
        let items = "a = [".to_string() + &"1,".repeat(1 << 18) + "]";
        assert_eq!(only_problem(&items).kind, ConfigurationErrorKind::TooMany);
    }

    #[test]
    fn a_long_name_is_not_copied_before_every_key() {
        for table in ["resource_attributes", "[rule.resource_attributes"] {
            let close = if table.starts_with('[') { "]]" } else { "]" };
            let text = ["[", table, ".", &"x".repeat(900_000), close, "\n"].concat()
                + &(0..5_000)
                    .map(|key| format!("k{key} = '1'\n"))
                    .collect::<String>();
            let problem = read_usable(&text, &mut Configuration::default(), &mut Words::default())
                .unwrap_err();
            assert!(
                problem.kind.is_fatal() && problem.key.len() < 1 << 20,
                "{table}"
            );
        }
    }

    #[test]
    fn a_process_gets_the_fatal_problem_that_stands_first() {
        let text = "z = 1\nlog.level = 'a'\nenabled = 1\njvm.enabled = 1";
        let mut configuration = Configuration::default();
        let first = read_usable(text, &mut configuration, &mut Words::default()).unwrap_err();
        assert_eq!(first.key, "log.level");
        let (_, problems) = read_new(text);
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, ["z", "log.level", "enabled", "jvm.enabled"]);
        let outcome = read_usable("z = 1", &mut configuration, &mut Words::default());
        assert_eq!(outcome, Ok(()));
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("ä = 1\nö = 2", 9), (2, 2));
        assert_eq!(line_and_column("\u{feff}a = 1", 3), (1, 1));
    }

    #[test]
    fn keys_have_places() {
        let text = "enabled = true\n[resource_attributes]\nservice.name = 'x'\n[cobol]\nx = 1";
        let mut places = places(text);
        places.sort_by_key(|(_, span)| span.start);
        let lines = places
            .into_iter()
            .map(|(key, span)| (key, line_and_column(text, span.start).0));
        let wanted = [
            ("enabled", 1),
            ("resource_attributes.service.name", 3),
            ("cobol", 4),
        ];
        assert_eq!(
            lines.collect::<Vec<_>>(),
            wanted.map(|(key, line)| (key.to_string(), line))
        );
        assert_eq!(super::places("="), []);
    }
}

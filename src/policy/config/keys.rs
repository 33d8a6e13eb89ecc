//! The keys of the configuration: what each one takes, and what is wrong with a text.
//!
//! The reader walks the spanned tree of the `toml` crate instead of deriving a deserializer, so
//! that it finds every problem of a text, not the first one, each with its place.

use crate::config::{Engine, Level};
use crate::{Configuration, Runtime};
use alloc::{format, string::String, string::ToString, vec::Vec};
use core::fmt;
use core::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// Every key with a fixed name. Below `environment` and `resource_attributes` names are free.
pub const KEYS: [&str; 40] = [
    "enabled",
    "jvm.enabled",
    "jvm.agent_path",
    "jvm.allow_other_agents",
    "nodejs.enabled",
    "nodejs.agent_path",
    "nodejs.allow_other_agents",
    "nodejs.allow_own_sdk",
    "nodejs.esm",
    "python.enabled",
    "python.agent_path",
    "python.allow_other_agents",
    "python.allow_own_sdk",
    "ruby.enabled",
    "ruby.agent_path",
    "ruby.allow_other_agents",
    "ruby.allow_own_sdk",
    "php.enabled",
    "php.agent_path",
    "php.allow_other_agents",
    "php.allow_own_sdk",
    "erlang.enabled",
    "erlang.agent_path",
    "erlang.allow_other_agents",
    "erlang.allow_own_sdk",
    "dotnet.enabled",
    "dotnet.agent_path",
    "dotnet.allow_other_agents",
    "dotnet.allow_own_sdk",
    "dotnet.profiler",
    "environment",
    "resource_attributes",
    "processes.include",
    "processes.exclude",
    "processes.include_arguments",
    "processes.exclude_arguments",
    "hook.engine",
    "log.level",
    "log.file",
    "log.backtrace",
];

/// The tables that hold them.
pub const SECTIONS: [&str; 10] = [
    "jvm",
    "nodejs",
    "python",
    "ruby",
    "php",
    "erlang",
    "dotnet",
    "processes",
    "hook",
    "log",
];

/// What a key means, in one line; empty for a key that does not exist.
pub fn meaning(key: &str) -> &'static str {
    match key {
        "enabled" => "false: no process is injected",
        "jvm" => "the Java virtual machine's section",
        "jvm.agent_path" => "absolute path of the OpenTelemetry Java agent's jar",
        "nodejs" => "the section of Node.js",
        "nodejs.agent_path" => "absolute path of the folder that holds the agent's node_modules",
        "nodejs.esm" => "true: load the hook for ECMAScript modules as well",
        "python" => "the section of Python",
        "python.agent_path" => {
            "absolute path of the folder with the agent's packages; {version} stands for 3.11"
        }
        "ruby" => "the section of Ruby",
        "ruby.agent_path" => "absolute path of the Ruby file that starts the agent",
        "php" => "the section of PHP",
        "php.agent_path" => "absolute path of the folder with the agent's autoload.php",
        "erlang" => "the section of Erlang and Elixir",
        "erlang.agent_path" => {
            "absolute path of the folder that holds the agent's applications, as _build/prod/lib does"
        }
        "dotnet" => "the section of .NET",
        "dotnet.agent_path" => "absolute path of the automatic instrumentation's folder",
        "dotnet.profiler" => "true: set the bytecode profiler's variables, in the environment",
        "environment" => "defaults for the agent's settings, by names that begin with OTEL_",
        "resource_attributes" => {
            "attributes added to the resource, where the user has not set them"
        }
        "processes" => "the section that says which processes are injected",
        "processes.include" => "patterns on the executable's path; only what matches is injected",
        "processes.exclude" => "patterns on the executable's path; what matches is left alone",
        "processes.include_arguments" => {
            "patterns on one argument; only processes with a match are injected"
        }
        "processes.exclude_arguments" => {
            "patterns on one argument; processes with a match are left alone"
        }
        "hook" => "the section of the hook engine",
        "hook.engine" => "which engine puts the hooks in place",
        "log" => "the section that says what is told, and where",
        "log.level" => "how much is told: off, debug (decisions), trace (every hooked call)",
        "log.file" => "absolute path of the file that lines are appended to, instead of stderr",
        "log.backtrace" => "true: with the Gum engine, hook tracing adds a backtrace to every call",
        _ if key.ends_with(".enabled") && runtime_key(key).is_some() => {
            "false: this runtime is not injected"
        }
        _ if key.ends_with(".allow_other_agents") && runtime_key(key).is_some() => {
            "true: inject even where another vendor's agent is present"
        }
        _ if key.ends_with(".allow_own_sdk") && KEYS.contains(&key) => {
            "true: inject even where the application brings an OpenTelemetry SDK of its own"
        }
        key if key.starts_with("environment.") => meaning("environment"),
        key if key.starts_with("resource_attributes.") => meaning("resource_attributes"),
        _ => "",
    }
}

/// The runtime and the name below its section, for a key of a runtime.
fn runtime_key(key: &str) -> Option<(Runtime, &str)> {
    let (section, name) = key.split_once('.')?;
    let mut runtimes = Runtime::ALL.into_iter();
    let runtime = runtimes.find(|runtime| runtime.section() == section)?;
    Some((runtime, name))
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    /// Where: bytes of the text.
    pub span: Range<usize>,
    /// The key, as far as it is known.
    pub key: String,
    /// What.
    pub kind: ConfigurationErrorKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationErrorKind {
    /// Not TOML; the parser's own words.
    Syntax(String),
    /// No such key. The only kind that a process ignores.
    UnknownKey,
    /// A name below `[environment]` that is not `OTEL_` and letters, digits or underscores. Ignored
    /// like an unknown key.
    NotOtelName,
    /// The value has another type than the key takes.
    WrongType {
        /// What the key takes.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// None of the values that the key takes.
    NotOneOf(&'static [&'static str]),
    /// A path that does not begin with `/` would mean another file in every working directory.
    NotAbsolute,
    /// No variable and no path can hold a NUL character.
    Nul,
    /// A resource attribute's key that cannot be written in `OTEL_RESOURCE_ATTRIBUTES`.
    BadAttributeKey,
    /// Lists, tables or parts of a key within one another, deeper than any key takes.
    TooDeep,
}

impl ConfigurationErrorKind {
    /// Whether a process that meets it injects nothing.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::UnknownKey | Self::NotOtelName)
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.kind {
            ConfigurationErrorKind::Syntax(message) => f.write_str(message),
            ConfigurationErrorKind::UnknownKey => write!(f, "unknown key `{key}`"),
            ConfigurationErrorKind::NotOtelName => {
                write!(f, "`{key}` is not OTEL_ and letters, digits or underscores")
            }
            ConfigurationErrorKind::WrongType { expected, found } => {
                write!(f, "`{key}` takes {expected}, not {found}")
            }
            ConfigurationErrorKind::NotOneOf(names) => {
                write!(f, "`{key}` takes ")?;
                for (index, name) in names.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}\"{name}\"")?;
                }
                Ok(())
            }
            ConfigurationErrorKind::NotAbsolute => write!(f, "`{key}` takes an absolute path"),
            ConfigurationErrorKind::TooDeep => {
                write!(f, "brackets and dots go deeper than {DEEPEST}")
            }
            ConfigurationErrorKind::Nul => write!(f, "`{key}` holds a NUL character"),
            ConfigurationErrorKind::BadAttributeKey => {
                write!(
                    f,
                    "`{key}` holds a character that no attribute's key may have (, = % blank)"
                )
            }
        }
    }
}

impl core::error::Error for ConfigurationError {}

/// Reads one text into `configuration`; later texts win key by key.
///
/// Returns every problem in the order of the text. Where one of them is fatal, what was read into
/// `configuration` is not to be used.
pub fn read(text: &str, configuration: &mut Configuration) -> Vec<ConfigurationError> {
    let mut reader = Reader {
        configuration,
        problems: Vec::new(),
    };
    match parse(text) {
        Ok(table) => each_key("", table.get_ref(), &mut |key, name, value| {
            reader.take(key, name, value);
        }),
        Err(problem) => reader.problems.push(problem),
    }
    reader.problems
}

/// The text as a table, or what keeps it from being one.
fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, ConfigurationError> {
    let problem = |span, kind| {
        let key = String::new();
        ConfigurationError { span, key, kind }
    };
    if let Some(span) = too_deep(text) {
        return Err(problem(span, ConfigurationErrorKind::TooDeep));
    }
    DeTable::parse(text).map_err(|error| {
        let message = error.message().to_string();
        problem(
            error.span().unwrap_or(0..0),
            ConfigurationErrorKind::Syntax(message),
        )
    })
}

/// How deep a header or a line may go, by brackets and by dots in keys. The parser, the reader and
/// the tree's destructor go as deep on the stack, which is the host's.
const DEEPEST: usize = 16;

/// The first token that goes deeper than [`DEEPEST`].
fn too_deep(text: &str) -> Option<Range<usize>> {
    // Brackets that are open, and the dots of the key before each of them.
    let (mut depth, mut dots) = (0, [0; DEEPEST + 1]);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                depth += 1;
                if let Some(dots) = dots.get_mut(depth) {
                    *dots = 0;
                }
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth = depth.saturating_sub(1);
                continue;
            }
            TokenKind::Dot => dots[depth] += 1,
            TokenKind::Comma | TokenKind::Newline => dots[depth] = 0,
            _ => continue,
        }
        if depth + dots.iter().take(depth + 1).sum::<usize>() > DEEPEST {
            return Some(token.span().start()..token.span().end());
        }
    }
    None
}

/// The keys that a text gives, known or not, each with the place of its name's last part; none for
/// what is not TOML.
pub fn places(text: &str) -> Vec<(String, Range<usize>)> {
    let mut places = Vec::new();
    if let Ok(table) = parse(text) {
        each_key("", table.get_ref(), &mut |key, name, _| {
            places.push((key, name))
        });
    }
    places
}

/// The line and column (both from 1, the column in characters) of a byte of the text.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.get(line_start..).unwrap_or_default();
    // A byte order mark is no character that anybody sees.
    let column = line.trim_start_matches('\u{feff}').chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

type Set = Result<(), ConfigurationErrorKind>;

struct Reader<'c> {
    configuration: &'c mut Configuration,
    problems: Vec<ConfigurationError>,
}

/// What is done with a key, the place of its name, and its value.
type Visit<'v> = dyn FnMut(String, Range<usize>, &Spanned<DeValue<'_>>) + 'v;

/// Calls `visit` with every key of a table and of those below it, the place of its name, and its
/// value.
fn each_key(prefix: &str, table: &DeTable<'_>, visit: &mut Visit<'_>) {
    for (name, value) in table.iter() {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            _ => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref().as_table() {
            Some(inner) if has_names_below(&key) => {
                each_key(&key, inner, visit);
            }
            _ => visit(key, name.span(), value),
        }
    }
}

/// A bare `service.name = "x"` in TOML is a table: below `resource_attributes` it is meant as
/// one key.
fn has_names_below(key: &str) -> bool {
    SECTIONS.contains(&key)
        || key == "environment"
        || key == "resource_attributes"
        || key.starts_with("resource_attributes.")
}

impl Reader<'_> {
    fn take(&mut self, key: String, name: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let Err(kind) = self.set(&key, value.get_ref()) else {
            return;
        };
        // An unknown key is wrong itself; otherwise its value is, or an item of that.
        let span = match kind.is_fatal() && kind != ConfigurationErrorKind::BadAttributeKey {
            true => wrong_item(value).unwrap_or(value.span()),
            false => name,
        };
        // In the order of the text; sorting code would make the object larger.
        let earlier = |problem: &ConfigurationError| problem.span.start <= span.start;
        let place = self.problems.partition_point(earlier);
        self.problems
            .insert(place, ConfigurationError { span, key, kind });
    }

    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Set {
        let configuration = &mut *self.configuration;
        match key {
            "enabled" => configuration.enabled = boolean(value)?,
            "nodejs.esm" => configuration.nodejs_esm = boolean(value)?,
            "dotnet.profiler" => configuration.dotnet_profiler = boolean(value)?,
            "processes.include" => configuration.processes.include = Some(patterns(value)?),
            "processes.exclude" => configuration.processes.exclude = patterns(value)?,
            "processes.include_arguments" => {
                configuration.processes.include_arguments = Some(patterns(value)?);
            }
            "processes.exclude_arguments" => {
                configuration.processes.exclude_arguments = patterns(value)?;
            }
            "hook.engine" => {
                configuration.engine = one_of(value, &Engine::NAMES, Engine::from_name)?;
            }
            "log.level" => {
                configuration.log.level = one_of(value, &Level::NAMES, Level::from_name)?
            }
            "log.file" => configuration.log.file = Some(absolute_path(value)?),
            "log.backtrace" => configuration.log.backtrace = boolean(value)?,
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
            "agent_path" => agent.agent_path = Some(absolute_path(value)?),
            "allow_other_agents" => agent.allow_other_agents = boolean(value)?,
            // The JVM's agent bridges the application's own.
            "allow_own_sdk" if runtime != Runtime::Jvm => agent.allow_own_sdk = boolean(value)?,
            _ => return Err(ConfigurationErrorKind::UnknownKey),
        }
        Ok(())
    }

    fn set_free_name(&mut self, key: &str, value: &DeValue<'_>) -> Set {
        if let Some(name) = key.strip_prefix("environment.") {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.starts_with("OTEL_") || !name.bytes().all(fits) {
                return Err(ConfigurationErrorKind::NotOtelName);
            }
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
        match key == "environment" || key == "resource_attributes" || SECTIONS.contains(&key) {
            true => Err(wrong_type("a table", value)),
            false => Err(ConfigurationErrorKind::UnknownKey),
        }
    }
}

/// Characters with a meaning of their own in `OTEL_RESOURCE_ATTRIBUTES` (W3C Baggage).
fn is_outside_attribute_keys(character: char) -> bool {
    character.is_whitespace() || character.is_control() || ",=%;\"\\".contains(character)
}

fn boolean(value: &DeValue<'_>) -> Result<bool, ConfigurationErrorKind> {
    value
        .as_bool()
        .ok_or_else(|| wrong_type("true or false", value))
}

fn text(value: &DeValue<'_>) -> Result<String, ConfigurationErrorKind> {
    let text = value
        .as_str()
        .ok_or_else(|| wrong_type("a string", value))?;
    match text.contains('\0') {
        true => Err(ConfigurationErrorKind::Nul),
        false => Ok(text.into()),
    }
}

fn absolute_path(value: &DeValue<'_>) -> Result<String, ConfigurationErrorKind> {
    let path = text(value)?;
    match path.starts_with('/') {
        true => Ok(path),
        false => Err(ConfigurationErrorKind::NotAbsolute),
    }
}

fn patterns(value: &DeValue<'_>) -> Result<Vec<String>, ConfigurationErrorKind> {
    let array = value.as_array();
    let array = array.ok_or_else(|| wrong_type("a list of strings", value))?;
    let item = |item: &DeValue<'_>| match text(item) {
        Err(ConfigurationErrorKind::WrongType { found, .. }) => {
            Err(ConfigurationErrorKind::WrongType {
                expected: "strings as items",
                found,
            })
        }
        other => other,
    };
    array.iter().map(|value| item(value.get_ref())).collect()
}

/// The place of the first item of a list that is no string.
fn wrong_item(value: &Spanned<DeValue<'_>>) -> Option<Range<usize>> {
    let mut items = value.get_ref().as_array()?.iter();
    items
        .find(|item| text(item.get_ref()).is_err())
        .map(Spanned::span)
}

fn one_of<T>(
    value: &DeValue<'_>,
    names: &'static [&'static str],
    from_name: fn(&[u8]) -> Option<T>,
) -> Result<T, ConfigurationErrorKind> {
    let name = text(value)?;
    from_name(name.as_bytes()).ok_or(ConfigurationErrorKind::NotOneOf(names))
}

fn wrong_type(expected: &'static str, value: &DeValue<'_>) -> ConfigurationErrorKind {
    let found = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    ConfigurationErrorKind::WrongType { expected, found }
}

#[cfg(test)]
mod tests {
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
            backtrace = true
            "#,
        );
        assert_eq!(problems, []);
        let jvm = c.agent(Runtime::Jvm);
        assert!(!c.enabled && !jvm.enabled && jvm.allow_other_agents && c.log.backtrace);
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
    }

    #[test]
    fn every_key_has_a_meaning_and_no_other() {
        assert!(
            KEYS.iter()
                .chain(&SECTIONS)
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

//! Ruby: `RUBYOPT` with our boot file in front of the user's options, or behind Bundler's.
//!
//! CRuby splits the variable at white space and knows no quotes (`moreswitches` in its ruby.c).
//! The boot file checks Ruby's version before it loads the agent. The agent's path and settings
//! reach it through `ENV[]`, which asks libc's `getenv` each time.

mod applications;
pub mod command_line;
mod own_sdk;

use crate::config::libotelinject::keys::RUBY_GEMS;
use crate::matching::{glob, texts};
use crate::reason::Lossy;
use crate::runtimes::boot;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::{string::ToString, vec::Vec};

const VARIABLE: &str = "RUBYOPT";

/// Features that start an agent of another vendor, as each vendor's guide gives them for `-r`.
const AGENTS: &str = "
    Datadog: ddtrace* ddtrace/* datadog/* */datadog/*
    New Relic: newrelic*
    Elastic: elastic?apm*
    Instana: instana*
    AppSignal: appsignal*
    Scout: scout_apm*
    Skylight: skylight*
    SolarWinds: solarwinds_apm*
    OpenTelemetry: opentelemetry-* opentelemetry/*
";

/// The value of `RUBYOPT` for this process.
///
/// A value that has our boot file already (Bundler passes `RUBYOPT` on) is answered as it is: the
/// file needs an activated process to do anything.
///
/// # Errors
/// Why the process gets the original value.
pub fn value(
    original: Option<&[u8]>,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let (ruby, agent) = Runtime::Ruby.agent(configuration)?;
    let arguments = process.arguments();
    let line = command_line::read(&arguments);
    if line.ignores_rubyopt {
        return Err(Reason::Option("--disable=rubyopt"));
    }
    if let Some(option) = line.information {
        return Err(Reason::InformationOnly(Lossy(option).to_string()));
    }
    applications::is_application(line.script, configuration)?;

    let option = option(&boot::file(process, "ruby/boot.rb")?)?;
    let original = original.unwrap_or_default();
    if !ruby.allow_other_agents {
        no_other_agent(required(original), VARIABLE)?;
        no_other_agent(line.required.iter().copied(), "command line")?;
        has_no_other_gems(process, configuration)?;
    }
    if !ruby.allow_own_sdk {
        own_sdk::is_absent(line.script, process)?;
    }
    if !process.is_readable_file(agent.as_bytes()) {
        return Err(Reason::AgentUnreadable(agent.into()));
    }
    if is_ignored(original) {
        return Err(Reason::IgnoredByRuntime);
    }
    if words(original).any(|word| word == option) {
        return Ok(original.to_vec());
    }
    Ok(match behind_bundler(original) {
        Some((before, after)) => [before, b" ", &option, after].concat(),
        None if original.is_empty() => option,
        None => [&option, b" ".as_slice(), original].concat(),
    })
}

/// Whether Ruby looks at nothing of a value because its first word is no option. Behind another one it
/// would put a dash before that word (`moreswitches`), and read on.
fn is_ignored(value: &[u8]) -> bool {
    let first = words(value).next();
    first.is_some_and(|word| word == b"-" || !word.starts_with(b"-"))
}

/// The value up to `-r…/bundler/setup`, and what follows, blanks first.
///
/// There the load path has the application's gems already: what both the agent and the application
/// ask for is then of the version that the application wants.
fn behind_bundler(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    for word in value.split(is_blank) {
        end += word.len();
        if word.ends_with(b"bundler/setup") {
            return value.split_at_checked(end);
        }
        end += 1;
    }
    None
}

fn option(file: &[u8]) -> Result<Vec<u8>, Reason> {
    if file.iter().any(is_blank) {
        Err(Reason::AgentPathUnusable {
            path: Lossy(file).to_string(),
            why: "Ruby splits RUBYOPT at blanks and knows no quotes",
        })
    } else {
        Ok([b"-r", file].concat())
    }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(is_blank).filter(|word| !word.is_empty())
}

/// As `ISSPACE` in CRuby.
fn is_blank(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == b'\x0b'
}

/// The features that the variable has loaded by `-r`.
fn required(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut words = words(value);
    core::iter::from_fn(move || {
        loop {
            match words.next()?.strip_prefix(b"-r") {
                Some(b"") => return words.next(),
                Some(feature) => return Some(feature),
                None => {}
            }
        }
    })
}

fn no_other_agent<'a>(
    mut features: impl Iterator<Item = &'a [u8]>,
    place: &'static str,
) -> Result<(), Reason> {
    let vendor = features
        .find_map(|feature| texts::key(AGENTS, |pattern| glob::matches_path(pattern, feature)));
    vendor.map_or(Ok(()), |vendor| Err(Reason::OtherAgent { vendor, place }))
}

/// The agent of the operator looks for its gems where this variable says: with the user's value it would
/// find none, or others.
fn has_no_other_gems(process: &impl Process, configuration: &Configuration) -> Result<(), Reason> {
    let ours = configuration.setting(RUBY_GEMS).map(str::as_bytes);
    let users = process.variable(RUBY_GEMS).unwrap_or_default();
    if ours.is_none() || users.is_empty() || ours == Some(&users) {
        return Ok(());
    }
    Err(Reason::OtherAgent {
        vendor: "OpenTelemetry",
        place: RUBY_GEMS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    const BOOT: &str = "-r/boot/ruby/boot.rb";

    fn process(arguments: &str) -> Fixture {
        Fixture {
            arguments: arguments.split(' ').map(String::from).collect(),
            readable: ["/otel/agent.rb", "/boot/ruby/boot.rb"]
                .map(String::from)
                .into(),
            ..Fixture::default()
        }
    }

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.agent_mut(Runtime::Ruby).agent_path = Some("/otel/agent.rb".into());
        configuration
    }

    fn text(original: &str, arguments: &str) -> Result<String, Reason> {
        let outcome = value(
            Some(original.as_bytes()),
            &process(arguments),
            &configuration(),
        );
        outcome.map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn the_boot_file_comes_before_the_users_options() {
        let alone = value(None, &process("ruby"), &configuration());
        assert_eq!(alone, Ok(BOOT.as_bytes().to_vec()));
        assert_eq!(text("", "ruby a.rb"), Ok(BOOT.to_string()));
        assert_eq!(text("-w", "ruby a.rb"), Ok(BOOT.to_string() + " -w"));
    }

    #[test]
    fn who_disables_rubyopt_opts_out() {
        for (arguments, out) in [
            ("ruby --disable=rubyopt a.rb", true),
            ("ruby --disable-rubyopt a.rb", true),
            ("ruby --disable rubyopt a.rb", true),
            ("ruby -w --disable=gems,RubyOpt a.rb", true),
            ("ruby --disable-all -e 1", true),
            ("ruby -e 1 --disable=all", true),
            ("ruby --disable=all --enable=rubyopt a.rb", false),
            ("ruby --enable=rubyopt --disable=all a.rb", true),
            ("ruby --disable=gems a.rb", false),
            ("ruby --disable= a.rb", false),
            ("ruby --disabled a.rb", false),
            ("ruby a.rb --disable=rubyopt", false),
            ("ruby -e 1 a --disable=rubyopt", false),
            ("ruby - --disable=rubyopt", false),
            ("ruby --disable", false),
        ] {
            let refused = Err(Reason::Option("--disable=rubyopt"));
            assert_eq!(text("", arguments) == refused, out, "{arguments}");
        }
    }

    #[test]
    fn the_boot_file_comes_behind_bundlers_setup() {
        for (original, wanted) in [
            ("-r/gems/bundler/setup", "-r/gems/bundler/setup BOOT"),
            ("-rbundler/setup -w", "-rbundler/setup BOOT -w"),
            ("-W1 -r bundler/setup  -w", "-W1 -r bundler/setup BOOT  -w"),
            ("-rbundler/setup.d -w", "BOOT -rbundler/setup.d -w"),
        ] {
            let wanted = wanted.replace("BOOT", BOOT);
            assert_eq!(text(original, "ruby a.rb"), Ok(wanted));
        }
    }

    #[test]
    fn a_value_that_ruby_ignores_stays_ignored() {
        for ignored in [
            "foo",
            " W0 -w",
            "\"-W0\"",
            "-",
            "- -w",
            "/a.rb -rbundler/setup",
        ] {
            assert_eq!(text(ignored, "ruby"), Err(Reason::IgnoredByRuntime));
        }
        for read in [" ", "--", "-w foo", "--enable=x"] {
            assert!(text(read, "ruby").is_ok(), "{read}");
        }
    }

    #[test]
    fn a_value_that_has_it_stays() {
        let passed_on = BOOT.to_string() + " -r/gems/bundler/setup";
        assert_eq!(text(&passed_on, "ruby"), Ok(passed_on.clone()));
    }

    #[test]
    fn files_must_be_readable_and_the_boot_file_without_blanks() {
        let mut p = process("ruby");
        p.readable.remove(0);
        let outcome = value(None, &p, &configuration());
        assert!(matches!(outcome, Err(Reason::AgentUnreadable(_))));
        p.readable.clear();
        let outcome = value(None, &p, &configuration());
        assert!(matches!(outcome, Err(Reason::BootFileMissing(_))));
        for file in [&b"/a b/boot.rb"[..], b"/a\x0bb/boot.rb"] {
            let outcome = option(file);
            assert!(matches!(outcome, Err(Reason::AgentPathUnusable { .. })));
        }
    }

    #[test]
    fn tools_are_left_alone_and_applications_under_bundler_are_not() {
        for command in [
            "ruby /usr/bin/bundle install",
            "ruby -W0 -I lib /usr/bin/gem3.1 list",
            "ruby /usr/bin/rake",
            "ruby /usr/bin/bundle",
            "ruby /usr/bin/bundle exec rake db:migrate",
            "ruby -S irb",
            "ruby /usr/bin/irb3.1",
            "ruby /usr/bin/bundle exec rails runner 1",
            "ruby bin/rails",
            "ruby bin/rails --tasks server",
            "ruby bin/rails console",
            "ruby bin/rails db:migrate server",
            "ruby /usr/bin/puppet agent --test",
            "ruby /usr/sbin/passenger-config about version",
            "ruby -wS rubocop",
        ] {
            assert!(
                matches!(text("", command), Err(Reason::BuiltInArgumentDenial(_))),
                "{command}"
            );
        }
        for command in [
            "ruby -I rake app.rb gem",
            "ruby -e 1 rake",
            "ruby -ne rake",
            "ruby - rake",
            "ruby /usr/bin/bundle exec --verbose puma",
            "ruby /usr/bin/bundle exec --verbose rails s",
            "ruby bin/rails server -p 3000",
            "ruby bin/rails solid_queue:start",
            "ruby /usr/bin/rake environment resque:work[2]",
            "ruby /usr/bin/puma",
            "ruby /usr/bin/unicorn -c x",
            "ruby /usr/bin/sidekiq",
            "ruby /usr/bin/rackup",
            "ruby myrake",
            "ruby rake.rb",
        ] {
            assert!(text("", command).is_ok(), "{command}");
        }
        let mut lifted = configuration();
        lifted.processes.include_arguments = Some(["*rake".into()].into());
        assert!(value(None, &process("ruby rake"), &lifted).is_ok());
    }

    #[test]
    fn who_asks_ruby_for_information_gets_it_without_an_agent() {
        for (command, option) in [("ruby --version", "--version"), ("ruby -wc a.rb", "-wc")] {
            let told = Reason::InformationOnly(option.into());
            assert_eq!(text("", command), Err(told));
        }
    }

    #[test]
    fn an_application_with_an_sdk_keeps_it_unless_both_are_wanted() {
        let mut p = process("ruby a.rb");
        p.readable.push("Gemfile".into());
        let lock = "    opentelemetry-sdk (1.2.0)\n";
        p.contents.insert("Gemfile.lock".into(), lock.into());
        let mut c = configuration();
        let place = b"Gemfile.lock".to_vec();
        assert_eq!(value(None, &p, &c), Err(Reason::OwnSdk { place }));
        c.agent_mut(Runtime::Ruby).allow_own_sdk = true;
        assert!(value(None, &p, &c).is_ok());
    }

    #[test]
    fn an_agent_without_its_gems_is_not_started() {
        let mut configuration = configuration();
        let with = |gems: &str, configuration: &Configuration| {
            let mut process = process("ruby app.rb");
            process.variables.insert(RUBY_GEMS.into(), gems.into());
            value(None, &process, configuration).is_ok()
        };
        assert!(with("/users", &configuration));
        let environment = &mut configuration.environment;
        environment.insert(RUBY_GEMS.into(), "/ours".into());
        assert!(with("/ours", &configuration) && with("", &configuration));
        assert!(!with("/users", &configuration));
        configuration.agent_mut(Runtime::Ruby).allow_other_agents = true;
        assert!(with("/users", &configuration));
    }

    #[test]
    fn agents_of_others_keep_ours_out() {
        let vendor = |original: &str, arguments: &str| match text(original, arguments) {
            Err(Reason::OtherAgent { vendor, place }) => Some((vendor, place)),
            _ => None,
        };
        let datadog = Some(("Datadog", VARIABLE));
        assert_eq!(vendor("-w -rdatadog/auto_instrument", "ruby"), datadog);
        assert_eq!(vendor("-r ddtrace/auto_instrument", "ruby"), datadog);
        assert_eq!(vendor("-r/opt/datadog/apm/ruby/inject.rb", "ruby"), datadog);
        let new_relic = Some(("New Relic", "command line"));
        assert_eq!(vendor("", "ruby -rnewrelic_rpm app.rb"), new_relic);
        assert_eq!(vendor("-rjson -rbundler/setup", "ruby ddtrace.rb"), None);
        let mut both = configuration();
        both.agent_mut(Runtime::Ruby).allow_other_agents = true;
        assert!(value(Some(b"-rddtrace"), &process("ruby"), &both).is_ok());
    }
}

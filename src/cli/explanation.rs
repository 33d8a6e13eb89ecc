//! What the preload object decides for a process, step by step, by the functions that it calls.

use crate::key_places::{self, Place};
use crate::live::changed_after;
use crate::remedies;
use crate::subject::{Loading, NotLoaded, Replacement, Subject, runtime};
use crate::users;
use crate::versions::{self, Check};
use opentelemetry_injector_policy::configuration_files::drop_ins;
use opentelemetry_injector_policy::engine::{self, Choice};
use opentelemetry_injector_policy::process::directory;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::{
    Configuration, Process, Reason, Runtime, Variable, decision, overrides, settings,
};
use std::time::SystemTime;

/// What there is to say.
pub struct Explanation {
    /// The runtime that the process is or has inside.
    pub runtime: Option<Runtime>,
    /// The steps, in the preload object's order.
    pub steps: Vec<Step>,
    /// What they come to.
    pub verdict: Verdict,
    /// What the runtime's variables are answered with.
    pub variables: Vec<Answer>,
    /// The agent's settings that the process lacks and gets, `NAME=value` each.
    pub settings: Vec<String>,
    /// What has changed since the process was started.
    pub changes: Vec<String>,
    /// What to do, in this order.
    pub help: Vec<String>,
}

/// One step.
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What became of it.
    pub mark: Mark,
    /// What was found.
    pub what: String,
    /// Where that stands in the configuration.
    pub place: Option<Place>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It speaks for injection.
    Passed,
    /// It keeps the process from being injected.
    Stopped,
    /// It cannot be told.
    Unknown,
    /// An earlier step has decided.
    NotReached,
}

/// What the steps come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The runtime gets the agent, or has it.
    Injected,
    /// It does not; why.
    NotInjected {
        /// The decisive step, in one line.
        why: String,
        /// Whether a restart is all it takes.
        after_restart: bool,
    },
    /// What keeps it from being told.
    Unknown(String),
}

/// What a variable is answered with.
pub struct Answer {
    /// The variable.
    pub variable: Variable,
    /// What stands in the environment.
    pub original: Option<Vec<u8>>,
    /// What the process gets, or why it gets the original.
    pub value: Result<Vec<u8>, Reason>,
}

/// The steps before and after the configuration has been read, of which the later are not reached without it.
const EARLIER: [&str; 2] = ["kill switch", "configuration"];
const LATER: [&str; 4] = ["processes", "runtime", "agent", "engine"];

/// What a live process needs, whatever else is done.
const RESTART: &str = "restart the process";

/// Explains a process.
pub fn explain(subject: &Subject) -> Explanation {
    let mut explainer = Explainer::new(subject);
    explainer.loading();
    explainer.rights();
    match subject.is_secure {
        Some(true) => {
            explainer.not_reached(&EARLIER);
            explainer.not_reached(&LATER);
        }
        _ => explainer.decision(),
    }
    explainer.changes();
    explainer.finish()
}

struct Explainer<'s> {
    subject: &'s Subject,
    runtime: Option<Runtime>,
    configuration: Configuration,
    path: Vec<u8>,
    steps: Vec<Step>,
    variables: Vec<Answer>,
    settings: Vec<String>,
    changes: Vec<String>,
    help: Vec<String>,
}

impl<'s> Explainer<'s> {
    fn new(subject: &'s Subject) -> Self {
        Self {
            subject,
            runtime: runtime(&subject.facts),
            configuration: Configuration::default(),
            path: overrides::configuration_path(&subject.facts),
            steps: Vec::new(),
            variables: Vec::new(),
            settings: Vec::new(),
            changes: Vec::new(),
            help: Vec::new(),
        }
    }

    fn step(&mut self, name: &'static str, mark: Mark, what: impl Into<String>) {
        self.steps.push(Step {
            name,
            mark,
            what: what.into(),
            place: None,
        });
    }

    fn passed(&mut self, name: &'static str, what: impl Into<String>) {
        self.step(name, Mark::Passed, what);
    }

    fn not_reached(&mut self, names: &[&'static str]) {
        for name in names {
            self.step(name, Mark::NotReached, "");
        }
    }

    /// A reason that ends the preload object's work, at one of the configuration's keys or at none.
    fn stopped(&mut self, name: &'static str, reason: &Reason) {
        let (key, item) = remedies::key(reason, self.runtime);
        let key = key.as_deref();
        let place =
            key.and_then(|key| key_places::find(&self.subject.facts.view, &self.path, key, item));
        self.help
            .extend(remedies::of(reason, self.runtime, place.as_ref()));
        self.steps.push(Step {
            name,
            mark: Mark::Stopped,
            what: reason.to_string(),
            place,
        });
    }

    fn loading(&mut self) {
        match &self.subject.loading {
            Loading::Loaded(object) => {
                let version = object.version.as_deref().unwrap_or("of unknown version");
                let source = object.source.map_or(String::new(), |source| {
                    format!(", named by {}", source.name())
                });
                self.passed(
                    "loaded",
                    format!("{} {version}{source}", Lossy(&object.path)),
                );
            }
            Loading::NotLoaded(why) => {
                self.step("loaded", Mark::Stopped, why.to_string());
                self.help.push(why.help());
            }
        }
    }

    fn rights(&mut self) {
        match self.subject.is_secure {
            Some(false) => self.passed("rights", "it runs with its user's rights"),
            Some(true) => {
                let what = "it runs with other rights than its user's (AT_SECURE)";
                self.step("rights", Mark::Stopped, what);
                self.help
                    .push("nothing: such a process is never injected".into());
            }
            None => self.step("rights", Mark::Unknown, "AT_SECURE is not told"),
        }
    }

    fn decision(&mut self) {
        let facts = &self.subject.facts;
        let mut read = None;
        let outcome = decision::prepare(facts, &facts.view, |_, configuration| {
            read = Some(configuration.clone());
        });
        if let Err(reason @ Reason::KillSwitch(_)) = &outcome {
            self.stopped("kill switch", reason);
            self.not_reached(&EARLIER[1..]);
            return self.not_reached(&LATER);
        }
        self.passed("kill switch", "none is set in its environment");
        let Some(configuration) = read else {
            if let Err(reason) = &outcome {
                self.stopped("configuration", reason);
            }
            return self.not_reached(&LATER);
        };
        self.configuration = configuration;
        let files = drop_ins(&facts.view, &self.path).map_or(0, |paths| paths.len());
        let more = match files {
            0 => String::new(),
            count => format!(" and {count} in conf.d"),
        };
        self.passed("configuration", format!("{}{more}", Lossy(&self.path)));
        match outcome {
            Ok(_) => {
                self.passed("processes", "no key keeps this process out");
                self.runtime();
            }
            Err(reason) if is_about_agents(&reason) => {
                self.passed("processes", "no key keeps this process out");
                self.not_reached(&["runtime"]);
                self.stopped("agent", &reason);
                self.not_reached(&["engine"]);
            }
            Err(reason) => {
                self.stopped("processes", &reason);
                self.not_reached(&LATER[1..]);
            }
        }
    }

    fn runtime(&mut self) {
        let Some(runtime) = self.runtime else {
            let what = match self.subject.is_go {
                true => "the program is written in Go and asks libc for nothing",
                false => "the program is no runtime that there is an agent for",
            };
            self.step("runtime", Mark::Stopped, what);
            self.help.push(remedies::NO_RUNTIME.into());
            return self.not_reached(&LATER[2..]);
        };
        self.passed("runtime", users::runtime(runtime));
        self.answer(runtime);
        match self.variables.first().map(|answer| answer.value.clone()) {
            Some(Err(reason)) if reason != Reason::AlreadyInjected => {
                self.stopped(step_of(&reason), &reason);
                self.not_reached(&["engine"]);
            }
            _ => self.agent(runtime),
        }
    }

    /// Asks for the runtime's variables as the hook would.
    fn answer(&mut self, runtime: Runtime) {
        let facts = &self.subject.facts;
        let variables = Variable::ALL.into_iter();
        for variable in variables.filter(|variable| variable.runtime() == runtime) {
            let original = facts.variable(variable.name());
            let value = variable.value(original.as_deref(), facts, &self.configuration);
            self.variables.push(Answer {
                variable,
                original,
                value,
            });
        }
    }

    fn agent(&mut self, runtime: Runtime) {
        let facts = &self.subject.facts;
        let agent = self.configuration.agent(runtime).agent_path.clone();
        let agent = agent.unwrap_or_default();
        let lines = settings::lines(runtime, facts, &self.configuration);
        let lines = String::from_utf8_lossy(&lines).into_owned();
        self.settings = lines.lines().map(String::from).collect();
        let key = format!("{}.agent_path", runtime.section());
        let place = key_places::find(&facts.view, &self.path, &key, None);
        let reader = match &self.subject.live {
            Some(live) => format!("readable by {}", users::name(live.user)),
            None => "readable by you".into(),
        };
        self.passed("agent", format!("{agent}, {reader}"));
        if let Some(step) = self.steps.last_mut() {
            step.place = place;
        }
        match versions::check(runtime, &agent, facts) {
            Check::None => {}
            Check::Passed(what) => self.passed("version", what),
            Check::Untold(what) => self.step("version", Mark::Unknown, what),
            Check::Failed(what) => {
                self.step("version", Mark::Stopped, what);
                self.help.push(remedies::VERSION.into());
                return self.not_reached(&["engine"]);
            }
        }
        self.engine();
    }

    fn engine(&mut self) {
        let facts = &self.subject.facts;
        let level = overrides::level(facts).max(self.configuration.log.level);
        let choice = match engine::choose(facts, &self.configuration, level) {
            Choice::Direct => "direct",
            Choice::Gum => "gum",
            Choice::GumOrDirect => "gum where it is installed and can do no harm, else direct",
        };
        let live = self.subject.live.as_ref();
        match live.and_then(|live| Some((live.is_hooked?, live.has_gum))) {
            Some((true, true)) => self.passed("engine", "gum: libc's getenv is hooked"),
            Some((true, false)) => self.passed("engine", "direct: libc's getenv is hooked"),
            Some((false, _)) => {
                let what = "libc's getenv is not hooked in its memory, though nothing speaks against it now";
                self.step("engine", Mark::Stopped, what);
                self.help.push(remedies::NOT_HOOKED.into());
            }
            None if live.is_some() => {
                let what = format!("its memory may not be looked at; it should be {choice}");
                self.step("engine", Mark::Unknown, what);
            }
            None => self.passed("engine", choice),
        }
    }

    /// What a running process may not know of yet.
    fn changes(&mut self) {
        let Some(live) = &self.subject.live else {
            return;
        };
        let facts = &self.subject.facts;
        if let Loading::Loaded(object) = &self.subject.loading {
            let path = Lossy(&object.path);
            let loaded = object.version.as_deref().unwrap_or("an unknown version");
            match &object.replacement {
                Some(Replacement::Nothing) => {
                    self.changes
                        .push(format!("{path}, which is loaded, is no longer there"));
                }
                Some(Replacement::Object(version)) => {
                    let version = version.as_deref().unwrap_or("an unknown version");
                    self.changes.push(format!(
                        "{path} was replaced: {loaded} is loaded, {version} is installed"
                    ));
                }
                None if changed_after(facts, &object.path, live.started) => {
                    self.changes.push(format!("{path} changed"));
                }
                None => {}
            }
        }
        for path in self.files() {
            if changed_after(facts, &path, live.started) {
                self.changes.push(format!("{} changed", Lossy(&path)));
            }
        }
    }

    /// The files that decide, besides the object.
    fn files(&self) -> Vec<Vec<u8>> {
        let facts = &self.subject.facts;
        let mut files = vec![
            self.path.clone(),
            [directory(&self.path), b"/conf.d"].concat(),
        ];
        files.extend(drop_ins(&facts.view, &self.path).unwrap_or_default());
        files.extend(facts.asked());
        files
    }

    fn finish(mut self) -> Explanation {
        let verdict = self.verdict();
        if self.subject.live.is_some() && self.takes_effect_after_restart(&verdict) {
            self.help.push(RESTART.into());
        }
        if verdict == Verdict::Injected && !self.changes.is_empty() {
            self.help
                .push("restart the process, so that it takes what changed".into());
        }
        Explanation {
            runtime: self.runtime,
            steps: self.steps,
            verdict,
            variables: self.variables,
            settings: self.settings,
            changes: self.changes,
            help: self.help,
        }
    }

    /// Whether what is to be done is done for nothing without a restart.
    fn takes_effect_after_restart(&self, verdict: &Verdict) -> bool {
        let is_for_nothing = |help: &String| {
            help == RESTART || help == remedies::NO_RUNTIME || help.starts_with("nothing")
        };
        *verdict != Verdict::Injected && !self.help.iter().any(is_for_nothing)
    }

    fn verdict(&mut self) -> Verdict {
        let stops: Vec<_> = self
            .steps
            .iter()
            .filter(|step| step.mark == Mark::Stopped)
            .collect();
        let Some(first) = stops.first() else {
            return match self.subject.is_secure {
                None => {
                    Verdict::Unknown("the process does not tell whether it has other rights".into())
                }
                Some(_) => Verdict::Injected,
            };
        };
        let why = match first.name {
            "loaded" => format!("not loaded: {}", first.what),
            _ => first.what.clone(),
        };
        let is_hooked = self.subject.live.as_ref().and_then(|live| live.is_hooked);
        let was_decided_before = !matches!(first.name, "loaded" | "rights" | "runtime" | "engine");
        if is_hooked == Some(true) && was_decided_before && !self.changes.is_empty() {
            return Verdict::Unknown(format!(
                "it was hooked before something changed; if it were started now: {why}"
            ));
        }
        let waits = match (&self.subject.loading, first.name) {
            (Loading::NotLoaded(NotLoaded::StartedBefore(_)), "loaded") => true,
            (_, "engine") => !self.changes.is_empty(),
            _ => false,
        };
        Verdict::NotInjected {
            why,
            after_restart: waits && stops.len() == 1,
        }
    }
}

/// Whether `decision::prepare` found no agent for any runtime.
fn is_about_agents(reason: &Reason) -> bool {
    match reason {
        Reason::NoAgentConfigured => true,
        Reason::DisabledBy(key) => *key != "enabled",
        _ => false,
    }
}

/// The step that a runtime's reason belongs to.
fn step_of(reason: &Reason) -> &'static str {
    match reason {
        Reason::AgentUnreadable(_)
        | Reason::AgentPathUnusable { .. }
        | Reason::BootFileMissing(_)
        | Reason::NoAgentConfigured
        | Reason::DisabledBy(_)
        | Reason::NoInstrumentLibrary(_) => "agent",
        Reason::OtherAgent { .. } => "other agents",
        _ => "command line",
    }
}

/// A moment as the number of seconds since 1970.
pub fn seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

//! Goes through the preload object's steps for a process, by the functions that it calls.

use crate::check::declarative::agents as declarative_agents;
use crate::config::key_places;
use crate::explain::boot_checks::{self, VersionCheck};
use crate::explain::changes;
use crate::explain::explained_process::{ExplainedProcess, Loading, runtime};
use crate::explain::explanation::{Answer, Check, Explanation, Mark, Step, Verdict};
use crate::explain::remedies;
use crate::explain::running_process::GUM;
use crate::explain::service::Service;
use crate::explain::shell_scripts;
use crate::explain::verdict;
use crate::output::names;
use opentelemetry_injector_policy::config::sources::drop_ins;
use opentelemetry_injector_policy::config::{self, overrides};
use opentelemetry_injector_policy::engine::{self, Choice};
use opentelemetry_injector_policy::process::directory;
use opentelemetry_injector_policy::reason::{EngineProblem, Lossy};
use opentelemetry_injector_policy::runtimes::default_agents;
use opentelemetry_injector_policy::{
    Configuration, Process, Reason, Runtime, Variable, decision, settings,
};
use std::borrow::Cow;

/// The steps that are not reached where an earlier one has decided.
const BEFORE_CONFIGURATION: [Check; 2] = [Check::KillSwitch, Check::Configuration];
const AFTER_CONFIGURATION: [Check; 3] = [Check::Processes, Check::Runtime, Check::Agent];

/// Explains a process.
pub fn explain(process: &ExplainedProcess) -> Explanation {
    let mut explainer = Explainer::new(process);
    explainer.loading();
    explainer.rights();
    match process.is_secure {
        Some(true) => {
            explainer.not_reached(&BEFORE_CONFIGURATION);
            explainer.not_reached(&AFTER_CONFIGURATION);
        }
        _ => explainer.decision(),
    }
    explainer.changes = changes::since_start(process, &explainer.path);
    explainer.engine();
    explainer.activation();
    explainer.finish()
}

struct Explainer<'s> {
    process: &'s ExplainedProcess,
    runtime: Option<Runtime>,
    configuration: Configuration,
    path: Vec<u8>,
    steps: Vec<Step>,
    variables: Vec<Answer>,
    settings: Vec<String>,
    service: Option<Service>,
    changes: Vec<String>,
    help: Vec<String>,
}

impl<'s> Explainer<'s> {
    fn new(process: &'s ExplainedProcess) -> Self {
        Self {
            process,
            runtime: runtime(&process.facts),
            configuration: Configuration::default(),
            path: overrides::configuration_path(&process.facts),
            steps: Vec::new(),
            variables: Vec::new(),
            settings: Vec::new(),
            service: None,
            changes: Vec::new(),
            help: Vec::new(),
        }
    }

    fn step(&mut self, check: Check, mark: Mark, what: impl Into<String>) {
        self.steps.push(Step {
            check,
            mark,
            what: what.into(),
            place: None,
        });
    }

    fn passed(&mut self, check: Check, what: impl Into<String>) {
        self.step(check, Mark::Passed, what);
    }

    fn not_reached(&mut self, checks: &[Check]) {
        for check in checks {
            self.step(*check, Mark::NotReached, "");
        }
    }

    /// A reason that ends the preload object's work, at one of the configuration's keys or at none.
    fn stopped(&mut self, check: Check, reason: &Reason) {
        let (key, item) = remedies::key(reason, self.runtime);
        let key = key.as_deref();
        let place = key
            .and_then(|key| key_places::find(&self.process.facts.visible, &self.path, key, item));
        self.help
            .extend(remedies::of(reason, self.runtime, place.as_ref()));
        self.steps.push(Step {
            check,
            mark: Mark::Stopped,
            what: reason.to_string(),
            place,
        });
    }

    fn loading(&mut self) {
        match &self.process.loading {
            Loading::Loaded(object) => {
                let version = object.version.as_deref().unwrap_or("of unknown version");
                let source = object.source.map_or(String::new(), |source| {
                    format!(", named by {}", source.name())
                });
                self.passed(
                    Check::Loaded,
                    format!("{} {version}{source}", Lossy(&object.path)),
                );
            }
            Loading::NotLoaded(why) => {
                self.step(Check::Loaded, Mark::Stopped, why.to_string());
                self.help.push(why.help());
            }
        }
    }

    fn rights(&mut self) {
        match self.process.is_secure {
            Some(false) => self.passed(Check::Rights, "it has its user's rights"),
            Some(true) => {
                let what = "its rights differ from its user's (AT_SECURE)";
                self.step(Check::Rights, Mark::Stopped, what);
                // The loader may have refused for the same reason.
                if !self.help.iter().any(|help| help.starts_with("nothing")) {
                    self.help
                        .push("nothing: such a process is never injected".into());
                }
            }
            None => self.step(Check::Rights, Mark::Unknown, "AT_SECURE cannot be read"),
        }
    }

    fn decision(&mut self) {
        let facts = &self.process.facts;
        let mut read = None;
        let outcome = decision::prepare(facts, &facts.visible, |_, configuration| {
            read = Some(configuration.clone());
        });
        if let Err(reason @ Reason::KillSwitch(_)) = &outcome {
            self.stopped(Check::KillSwitch, reason);
            self.not_reached(&BEFORE_CONFIGURATION[1..]);
            return self.not_reached(&AFTER_CONFIGURATION);
        }
        self.passed(Check::KillSwitch, "none is set in its environment");
        let Some(configuration) = read else {
            if let Err(reason) = &outcome {
                self.stopped(Check::Configuration, reason);
            }
            return self.not_reached(&AFTER_CONFIGURATION);
        };
        self.configuration = configuration;
        let files = drop_ins(&facts.visible, &self.path).map_or(0, |paths| paths.len());
        let more = match files {
            0 => String::new(),
            count => format!(" and {count} in conf.d"),
        };
        self.passed(Check::Configuration, format!("{}{more}", Lossy(&self.path)));
        match outcome {
            Ok(_) => {
                self.passed(Check::Processes, "no key keeps this process out");
                self.runtime();
            }
            Err(reason) if is_about_agents(&reason) => {
                self.passed(Check::Processes, "no key keeps this process out");
                self.not_reached(&[Check::Runtime]);
                // That of its own runtime says more than that of any.
                let own = self
                    .runtime
                    .and_then(|runtime| runtime.agent(&self.configuration).err());
                self.stopped(Check::Agent, &own.unwrap_or(reason));
            }
            Err(reason) => {
                self.stopped(Check::Processes, &reason);
                self.not_reached(&AFTER_CONFIGURATION[1..]);
            }
        }
    }

    fn runtime(&mut self) {
        let Some(runtime) = self.runtime else {
            self.no_runtime();
            return self.not_reached(&AFTER_CONFIGURATION[2..]);
        };
        self.passed(Check::Runtime, names::runtime(runtime));
        self.answer(runtime);
        let facts = &self.process.facts;
        self.service = Some(Service::of(runtime, facts, &self.configuration));
        match self.variables.first().map(|answer| answer.value.clone()) {
            // By hand, or by the hook in a launcher that hands its arguments on (Erlang's).
            Some(Err(reason @ Reason::AlreadyInjected)) => {
                self.passed(Check::Agent, reason.to_string());
            }
            Some(Err(reason)) => self.stopped(step_of(&reason), &reason),
            _ => self.agent(runtime),
        }
    }

    /// Why the program is none, and what to do.
    fn no_runtime(&mut self) {
        if let Some((script, runtime)) = shell_scripts::runtime(&self.process.facts) {
            let what =
                format!("a shell runs {script}, which starts {runtime}: a process of its own");
            // A live shell is only itself; a command is meant with what it starts.
            let mark = if self.process.live.is_some() {
                Mark::Stopped
            } else {
                Mark::Unknown
            };
            self.step(Check::Runtime, mark, what);
            return self.help.push(remedies::IN_A_SCRIPT.into());
        }
        let what = if self.process.is_go {
            "the program is written in Go and asks libc for nothing"
        } else {
            "the program is not a runtime that the injector has an agent for"
        };
        self.step(Check::Runtime, Mark::Stopped, what);
        self.help.push(remedies::NO_RUNTIME.into());
    }

    /// Asks for the runtime's variables as the hook would.
    fn answer(&mut self, runtime: Runtime) {
        let facts = &self.process.facts;
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
        let facts = &self.process.facts;
        let applied = config::of_process(&self.configuration, runtime, facts);
        let applied = applied.unwrap_or(Cow::Borrowed(&self.configuration));
        let agent = applied.agent(runtime).agent_path.clone();
        let agent = agent.unwrap_or_default();
        let lines = settings::lines(runtime, facts, &applied);
        let lines = String::from_utf8_lossy(&lines).into_owned();
        self.settings = lines.lines().map(String::from).collect();
        let key = format!("{}.agent_path", runtime.section());
        let place = key_places::find(&facts.visible, &self.path, &key, None);
        let reader = match &self.process.live {
            Some(live) => format!("readable by {}", names::user(live.user)),
            None => "readable by you".into(),
        };
        let refusal = settings::declarative::file(facts, &applied)
            .and_then(|_| declarative_agents::refusal(runtime, &agent));
        let refusal = refusal.map_or(String::new(), |why| format!("; OTEL_CONFIG_FILE: {why}"));
        let is_default = self.configuration.agent(runtime).agent_path.is_none()
            && default_agents::find(runtime, facts).is_some_and(|default| default == agent);
        let default = if is_default { ", the default" } else { "" };
        self.passed(Check::Agent, format!("{agent}{default}, {reader}{refusal}"));
        if let Some(step) = self.steps.last_mut() {
            step.place = place;
        }
        match boot_checks::check(runtime, &agent, facts) {
            VersionCheck::None => {}
            VersionCheck::Passed(what) => self.passed(Check::Version, what),
            VersionCheck::Untold(what) => self.step(Check::Version, Mark::Unknown, what),
            VersionCheck::Failed(what) => {
                self.step(Check::Version, Mark::Stopped, what);
                self.help.push(remedies::VERSION.into());
            }
        }
    }

    fn engine(&mut self) {
        let is_before = |step: &Step| match step.check {
            Check::Loaded => false,
            Check::Runtime => matches!(step.mark, Mark::Stopped | Mark::Unknown),
            _ => step.mark == Mark::Stopped,
        };
        if self.steps.iter().any(is_before) {
            return self.not_reached(&[Check::Engine]);
        }
        let live = self.process.live.as_ref();
        match live.and_then(|live| Some((live.is_hooked?, live.has_gum))) {
            Some((true, true)) => self.passed(Check::Engine, "gum: libc's getenv is hooked"),
            Some((true, false)) => self.passed(Check::Engine, "direct: libc's getenv is hooked"),
            Some((false, _)) if self.changes.is_empty() => {
                let what = "libc's getenv is not hooked, for an unknown reason";
                self.step(Check::Engine, Mark::Stopped, what);
                self.help.push(remedies::NOT_HOOKED.into());
            }
            Some((false, _)) => {
                let what = "libc's getenv is not hooked: the decision was made before something \
                 changed";
                self.step(Check::Engine, Mark::Stopped, what);
            }
            None => self.expected_engine(),
        }
    }

    /// What should have been tried, or would be.
    fn expected_engine(&mut self) {
        let facts = &self.process.facts;
        let gum = [directory(&facts.boot_folder), b"/", GUM].concat();
        let has_gum = facts.visible.is_readable_file(&gum);
        let choice = engine::choose(facts, &self.configuration, || has_gum);
        let engine = match (choice, has_gum) {
            (Choice::Direct, _) => "direct",
            (Choice::GumOrDirect, _) => "gum, or direct where gum could do harm",
            (Choice::Gum, true) => "gum",
            (Choice::Gum, false) => {
                return self.stopped(
                    Check::Engine,
                    &Reason::Engine(EngineProblem::GumUnavailable),
                );
            }
        };
        match (&self.process.live, &self.process.loading) {
            (Some(_), Loading::Loaded(_)) => {
                let what = format!("its memory cannot be read; the engine should be {engine}");
                self.step(Check::Engine, Mark::Unknown, what);
            }
            _ => self.passed(Check::Engine, engine),
        }
    }

    /// What is noted in a live process; nothing of one that has no hooks.
    fn activation(&mut self) {
        let Some(live) = &self.process.live else {
            return;
        };
        match (live.is_hooked, live.stood_down(), live.is_injected()) {
            (_, Some(reason), _) => {
                let what = format!("the boot file stood down: {reason}");
                self.step(Check::Activation, Mark::Stopped, what);
                self.help = vec![remedies::of_stood_down(reason, self.runtime)];
            }
            (Some(true), None, Some(true)) => {
                self.passed(Check::Activation, "it was answered with the agent");
            }
            (Some(true), None, Some(false)) => self.not_activated(),
            _ => {}
        }
    }

    /// It has its hooks and was answered with nothing: for one of the steps' reasons, because it has the
    /// agent from elsewhere, or because it has not asked.
    fn not_activated(&mut self) {
        let Some(Ok(_)) = self.variables.first().map(|answer| answer.value.as_ref()) else {
            return;
        };
        if self.steps.iter().all(|step| step.mark == Mark::Passed) && self.changes.is_empty() {
            let name = self.variables[0].variable.name();
            let what = format!("it has not asked for {name} so far");
            self.step(Check::Activation, Mark::Stopped, what);
            self.help.push(remedies::NOT_ASKED.into());
        }
    }

    fn finish(mut self) -> Explanation {
        let verdict = verdict::of(self.process, &self.steps, &self.changes);
        let is_injected = verdict == Verdict::Injected;
        if is_injected && !self.changes.is_empty() {
            self.help
                .push("restart the process, so that it uses what changed".into());
        }
        if !is_injected && self.process.live.is_some() && remedies::need_restart(&self.help) {
            self.help.push(remedies::RESTART.into());
        }
        Explanation {
            runtime: self.runtime,
            steps: self.steps,
            verdict,
            variables: self.variables,
            settings: self.settings,
            service: self.service,
            changes: self.changes,
            help: self.help,
        }
    }
}

/// Whether `decision::prepare` found no agent for any runtime.
fn is_about_agents(reason: &Reason) -> bool {
    match reason {
        Reason::NoAgentConfigured | Reason::AgentPathEmpty(_) => true,
        Reason::DisabledBy(key) => *key != "enabled",
        _ => false,
    }
}

/// The step that a runtime's reason belongs to.
fn step_of(reason: &Reason) -> Check {
    match reason {
        Reason::AgentUnreadable(_)
        | Reason::FileUnreadable(_)
        | Reason::AgentPathUnusable { .. }
        | Reason::BootFileMissing(_)
        | Reason::NoAgentConfigured
        | Reason::AgentPathEmpty(_)
        | Reason::DisabledBy(_)
        | Reason::NoInstrumentLibrary(_) => Check::Agent,
        Reason::OtherAgent { .. } | Reason::OtherInjector { .. } => Check::OtherAgents,
        _ => Check::CommandLine,
    }
}

//! The values with which watched variables are answered.
//!
//! This is the cache: a value is computed once for each name, original value and calling object, and added to
//! the list [`ANSWERS`], which only grows. Reading takes no lock, and every pointer stays valid for the life
//! of the process. Read it in this order: `answer`, `is_answered`, `find`, `compute`, `publish`.

use crate::answer::php_requests;
use crate::answer::state::STATE;
use crate::attempt::{attempt, keep, permanent};
use crate::entry::filter;
use crate::report;
use crate::session;
use crate::sys::file_system::FilesOfAnswer;
use crate::sys::host::Host;
use crate::sys::{environment, log, memory_map};
use alloc::boxed::Box;
use core::ffi::{CStr, c_char};
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use opentelemetry_injector_policy::config::rules::SERVICE_NAME;
use opentelemetry_injector_policy::reason::Lossy;
use opentelemetry_injector_policy::runtimes::boot::{self, StoodDown};
use opentelemetry_injector_policy::settings::added;
use opentelemetry_injector_policy::{
    Configuration, Reason, Runtime, Variable, Watched, decision, settings,
};

struct Answer {
    older: *const Answer,
    name: *const c_char,
    /// The address range of the object that called getenv. Calls from another object are answered separately:
    /// a program that reads JAVA_TOOL_OPTIONS itself before it loads a JVM must not decide what the JVM gets.
    callers: Range<usize>,
    /// A copy of the original value; null where the variable was not set.
    original: *const c_char,
    /// What is answered; null for the original itself.
    value: *const c_char,
}

static ANSWERS: AtomicPtr<Answer> = AtomicPtr::new(ptr::null_mut());

/// How many answers are cached in a process. Answers are never freed, so a process that keeps changing a
/// watched variable would use more and more memory and search longer and longer. Above this number, new
/// values are returned unchanged.
const MOST_ANSWERS: usize = 1000;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How many document roots are looked at in a process: clients may be able to choose them.
const MOST_FOLDERS: usize = 100;

static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// The name of the service that the running request belongs to, where nothing else names it; null otherwise. Only
/// PHP's boot file sets it, and only where no other thread serves a request.
static SERVICE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

static CONFIGURATION: AtomicPtr<Configuration> = AtomicPtr::new(ptr::null_mut());

/// Sets the configuration that values are computed with; before any hook is in place.
pub fn configure(configuration: &'static Configuration) {
    filter::watch(settings::spelled_out(configuration));
    replace(configuration);
}

fn replace(configuration: &'static Configuration) {
    let pointer = ptr::from_ref(configuration).cast_mut();
    CONFIGURATION.store(pointer, Ordering::Release);
}

/// A name that is watched only because the configuration names it (for example `SPLUNK_…`): a setting. `None`
/// before an agent has been injected.
pub fn spelled_out(name: &[u8]) -> Option<Watched<'_>> {
    if !filter::is_extended() || STATE.activated().is_none() {
        return None;
    }
    core::str::from_utf8(name).ok().map(Watched::Setting)
}

/// A question: a watched name, its original value (null: not set), the caller's address.
#[derive(Clone, Copy)]
pub struct Question<'n> {
    /// What is asked for.
    pub name: &'n CStr,
    /// What the name is watched for.
    pub watched: Watched<'n>,
    /// What libc answers.
    pub original: *const c_char,
    /// Where the call comes back to.
    pub caller: usize,
}

/// What a process gets instead.
pub fn answer(question: Question<'_>) -> *const c_char {
    // Without one the hook is there for a trace session alone.
    if configuration().is_none() || !is_answered(question.watched, question.original) {
        return of_request(question);
    }
    let newest = ANSWERS.load(Ordering::Acquire);
    let value = match find(newest, ptr::null(), question) {
        Some(answer) => answer.value,
        None if COUNT.load(Ordering::Relaxed) >= MOST_ANSWERS => ptr::null(),
        None if is_one_more_folder(question.watched) => ptr::null(),
        None => attempt(|| compute(question, newest))
            .flatten()
            .unwrap_or(ptr::null()),
    };
    if let Watched::ServiceOf(_) = question.watched {
        SERVICE.store(value.cast_mut(), Ordering::Release);
    }
    if value.is_null() {
        return of_request(question);
    }
    if let Watched::Activation(variable) = question.watched {
        if variable == Variable::PhpIniScanDir && !watches_php(question) {
            stood_down(Runtime::Php, StoodDown::Version);
            return question.original;
        }
        STATE.activate(variable.runtime());
        if let Some(configuration) = configuration() {
            report::injected(&configuration.report, variable);
        }
    }
    value
}

/// Whether a document root is one too many.
fn is_one_more_folder(watched: Watched<'_>) -> bool {
    matches!(watched, Watched::ServiceOf(_))
        && FOLDERS.fetch_add(1, Ordering::Relaxed) >= MOST_FOLDERS
}

/// What is answered where no answer of ours is: the original, or what the running request is called.
fn of_request(question: Question<'_>) -> *const c_char {
    match question.watched {
        Watched::Setting(SERVICE_NAME)
            if question.original.is_null() && !STATE.has_stood_down() =>
        {
            SERVICE.load(Ordering::Acquire)
        }
        _ => question.original,
    }
}

/// Whether the object takes part in the requests of the PHP that asks: without that nobody could tell
/// whether our prepend file may be opened.
fn watches_php(question: Question<'_>) -> bool {
    let watches = attempt(|| {
        let prepend = boot::file(&Host::default(), boot::PHP_PREPEND).ok()?;
        let watches = php_requests::watch(question.caller, &prepend);
        if !watches {
            log::debug!("PHP_INI_SCAN_DIR stays as it was: this is no PHP, or one before 7.0");
        }
        watches.then_some(())
    });
    watches.flatten().is_some()
}

/// Whether a name is to be looked at in the state that this process is in.
fn is_answered(watched: Watched<'_>, original: *const c_char) -> bool {
    match watched {
        _ if STATE.has_stood_down() => false,
        Watched::Activation(_) => !STATE.has_started(),
        Watched::Started => {
            STATE.start();
            false
        }
        Watched::Loaded => {
            STATE.load_agent();
            false
        }
        Watched::StoodDown(reason) => {
            if STATE.stand_down(reason) {
                if log::is_on() {
                    attempt(|| log::debug!("the agent has stood down: {reason}"));
                }
                STATE
                    .activated()
                    .inspect(|runtime| stood_down(*runtime, reason));
            }
            false
        }
        Watched::Setting(_) if !original.is_null() && STATE.is_agent_loaded() => false,
        Watched::ServiceOf(_) | Watched::Question(_) => STATE.activated().is_some(),
        Watched::Setting(name) => STATE.activated().is_some_and(|runtime| {
            let is_early = boot::asks_for_settings_itself(runtime) && !STATE.has_started();
            let is_configured = |c| settings::is_configured(name, runtime, c);
            !is_early && configuration().is_some_and(is_configured)
        }),
    }
}

/// Tells the report that a boot file has given up, or will not run.
pub fn stood_down(runtime: Runtime, reason: StoodDown) {
    if let Some(configuration) = configuration() {
        report::stood_down(&configuration.report, runtime, reason);
    }
}

fn configuration() -> Option<&'static Configuration> {
    // SAFETY: null, or the configuration that the constructor keeps for ever.
    unsafe { CONFIGURATION.load(Ordering::Acquire).as_ref() }
}

/// The answer to a question among those from `newest` on, down to but without `until`.
fn find(
    newest: *const Answer,
    until: *const Answer,
    question: Question<'_>,
) -> Option<&'static Answer> {
    let mut next = newest;
    while next != until {
        // SAFETY: null (the end of the list), or a published answer, which is never changed or freed.
        let answer = unsafe { next.as_ref() }?;
        let same_caller = answer.callers.contains(&question.caller);
        let same_name = text(answer.name) == Some(question.name);
        if same_caller && same_name && text(answer.original) == text(question.original) {
            return Some(answer);
        }
        next = answer.older;
    }
    None
}

fn text(value: *const c_char) -> Option<&'static CStr> {
    // SAFETY: null, a permanent C string of ours, or a string of the environment. The latter lives at least
    // during this call of getenv, as libc's own `getenv` requires too, and nothing keeps the result longer.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

/// Computes, publishes and returns an answer's value; `None` without memory.
fn compute(question: Question<'_>, newest: *const Answer) -> Option<*const c_char> {
    let before = text(question.original).map(CStr::to_bytes);
    let (host, configuration) = (Host::default(), configuration()?);
    let outcome = complete(question.watched, &host, configuration).and_then(|configuration| {
        let activated = STATE.activated();
        question
            .watched
            .value(before, activated, &host, configuration)
    });
    let name = Lossy(question.name.to_bytes());
    log::debug!("{name} was {}", Lossy(before.unwrap_or(b"(not set)")));
    match &outcome {
        Ok(value) => log::debug!("{name} is now {}", Lossy(value)),
        Err(reason) => {
            session::note(format_args!("{name} stays as it was: {reason}"));
            log::debug!("{name} stays as it was: {reason}");
            if let Watched::Activation(variable) = question.watched {
                report::left_alone(&configuration.report, &host, variable, reason);
            }
        }
    }
    let value = match outcome {
        // Decided anew each time. A library may have come meanwhile, and one at the same address must not
        // get the refusal of one that is gone. Nothing tells an answer, which may not take the loader's
        // lock, that no library came or went: `r_debug` counts nothing, and after dlclose(3) the addresses
        // of libraries and of their entries in its list are used again.
        Err(reason) if reason.may_change_later() => return Some(ptr::null()),
        Ok(value) => match published(newest, question, &value) {
            Some(value) => value,
            None => {
                add_entries(question.watched, &host)?;
                permanent::c_string(&value)?
            }
        },
        Err(_) => ptr::null(),
    };
    let original = match before {
        Some(bytes) => permanent::c_string(bytes)?,
        None => ptr::null(),
    };
    // Where nothing tells the caller's object, the very address stands for it.
    let callers = match memory_map::at(question.caller) {
        Some(object) => object.start..object.end,
        None => question.caller..question.caller + 1,
    };
    let answer = Answer {
        older: newest,
        name: permanent::c_string(question.name.to_bytes())?,
        callers,
        original,
        value,
    };
    publish(question, answer)
}

/// The configuration with everything in it. Where the program's name told no runtime, a part was left
/// out at the start; it is read when a runtime turns out to be there, and kept.
fn complete(
    watched: Watched<'_>,
    host: &Host,
    configuration: &'static Configuration,
) -> Result<&'static Configuration, Reason> {
    let is_wanted = |variable: Variable| variable.runtime().proof(host, configuration).is_ok();
    match watched {
        Watched::Activation(variable) if configuration.is_partial && is_wanted(variable) => {
            let complete = decision::complete(host, &FilesOfAnswer)?;
            keep();
            let complete = Box::leak(complete);
            replace(complete);
            Ok(complete)
        }
        _ => Ok(configuration),
    }
}

/// Puts what the runtime reads in no other way into the environment.
fn add_entries(watched: Watched<'_>, host: &Host) -> Option<()> {
    let Watched::Activation(variable) = watched else {
        return Some(());
    };
    let mut entries = variable.entries(host, configuration()?);
    if entries.is_empty() {
        return Some(());
    }
    let marker = added::marker(&entries, host);
    // It has the names: values may be secrets.
    log::debug!("environment: {}", Lossy(&marker));
    entries.push(marker);
    environment::add(&entries)?;
    session::environment_was_added_to();
    Some(())
}

/// A value that was published for the same original: other callers keep the same pointer.
fn published(
    mut newest: *const Answer,
    question: Question<'_>,
    value: &[u8],
) -> Option<*const c_char> {
    // SAFETY: published answers live for ever and end with null.
    while let Some(answer) = unsafe { newest.as_ref() } {
        let same_value = text(answer.value).map(CStr::to_bytes) == Some(value);
        let same_name = text(answer.name) == Some(question.name);
        if same_value && same_name && text(answer.original) == text(question.original) {
            return Some(answer.value);
        }
        newest = answer.older;
    }
    None
}

fn publish(question: Question<'_>, mut answer: Answer) -> Option<*const c_char> {
    let fresh = permanent::allocate(size_of::<Answer>())?.cast::<Answer>();
    let value = answer.value;
    loop {
        let older = answer.older;
        // SAFETY: the block is long enough, aligned, and known to nobody else yet.
        unsafe { fresh.write(answer) };
        let expected = older.cast_mut();
        match ANSWERS.compare_exchange(expected, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                COUNT.fetch_add(1, Ordering::Relaxed);
                return Some(value);
            }
            // Another thread was first: perhaps with the same answer.
            Err(now) => {
                if let Some(theirs) = find(now, older, question) {
                    return Some(theirs.value);
                }
                // SAFETY: written above, and published by nobody.
                answer = unsafe { fresh.read() };
                answer.older = now;
            }
        }
    }
}

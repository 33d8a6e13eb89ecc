//! The report: one line of JSON for each decision about a runtime. A process writes it, and
//! `opentelemetry-injector report` counts it.

use crate::reason::Lossy;
use crate::runtimes::boot::StoodDown;
use crate::settings::identity::cgroup;
use crate::{Process, Reason, Runtime, Variable};
use alloc::string::String;
use core::fmt::{self, Write};

/// The longest line in bytes, its end included: what is written to a file or a pipe in one piece (PIPE_BUF,
/// pipe(7)).
pub const LONGEST: usize = 4096;

/// How many bytes a text in a line may have, its escapes included. A line has three.
const LONGEST_TEXT: usize = 1000;

/// Identifies the messages in the systemd journal (`MESSAGE_ID=`, systemd.journal-fields(7)).
pub const MESSAGE_ID: &str = "5f1c86a2c9e04d6d8c2f0a7a3f4be917";

/// Names the writer in the journal (`SYSLOG_IDENTIFIER=`).
pub const IDENTIFIER: &str = "opentelemetry-injector";

/// The name of [`Decision::Injected`].
pub const INJECTED: &str = "injected";
/// That of [`Decision::LeftAlone`].
pub const LEFT_ALONE: &str = "left_alone";
/// That of [`Decision::StoodDown`].
pub const STOOD_DOWN: &str = "stood_down";

/// What was decided.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'r> {
    /// The runtime got the agent.
    Injected,
    /// It did not, and why.
    LeftAlone(&'r Reason),
    /// It got the agent, and its boot file has given up.
    StoodDown(StoodDown),
}

impl Decision<'_> {
    /// The decision's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Injected => INJECTED,
            Self::LeftAlone(_) => LEFT_ALONE,
            Self::StoodDown(_) => STOOD_DOWN,
        }
    }

    /// The kind of reason.
    const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Injected => None,
            Self::LeftAlone(reason) => Some(reason.code()),
            Self::StoodDown(reason) => Some(reason.code()),
        }
    }
}

/// One decision, and whom it is about.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l> {
    /// Seconds since 1970 (UTC).
    pub time: u64,
    /// The process, in its own namespace (pid_namespaces(7)).
    pub process: usize,
    /// The effective user.
    pub user: u32,
    /// What it runs.
    pub runtime: Runtime,
    /// What was decided.
    pub decision: Decision<'l>,
}

impl Line<'_> {
    /// The line with its end, of at most [`LONGEST`] bytes.
    pub fn text(&self, process: &impl Process) -> String {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = self.write(process, &mut text);
        text
    }

    fn write(&self, process: &impl Process, text: &mut String) -> fmt::Result {
        write!(
            text,
            "{{\"time\":\"{}\",\"pid\":{},\"uid\":{},\"runtime\":\"{}\",\"decision\":\"{}\"",
            Time(self.time),
            self.process,
            self.user,
            self.runtime.section(),
            self.decision.name()
        )?;
        if let Some(code) = self.decision.code() {
            write!(text, ",\"reason\":\"{code}\"")?;
        }
        match self.decision {
            Decision::Injected => {}
            Decision::LeftAlone(reason) => member(text, "message", format_args!("{reason}"))?,
            Decision::StoodDown(reason) => member(text, "message", format_args!("{reason}"))?,
        }
        let executable = Lossy(process.executable());
        member(text, "executable", format_args!("{executable}"))?;
        let groups = process.control_groups();
        let group = Lossy(cgroup::path(&groups).unwrap_or_default());
        member(text, "control_group", format_args!("{group}"))?;
        text.write_str("}\n")
    }
}

fn member(text: &mut String, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    write!(text, ",\"{name}\":\"")?;
    let mut escaped = Escaped {
        end: text.len() + LONGEST_TEXT,
        text,
        is_cut: false,
    };
    escaped.write_fmt(value)?;
    text.write_char('"')
}

/// Writes what stands between the quotes of a JSON string (RFC 8259, section 7), as far as there is room.
struct Escaped<'t> {
    text: &'t mut String,
    end: usize,
    is_cut: bool,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        /// The longest of an escape and the mark of what is cut.
        const MOST: usize = 9;
        for character in part.chars() {
            if self.is_cut {
                break;
            }
            if self.text.len() + MOST > self.end {
                self.is_cut = true;
                self.text.push('…');
                break;
            }
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                '\0'..'\u{20}' | '\u{7f}' => write!(self.text, "\\u{:04x}", u32::from(character))?,
                _ => self.text.push(character),
            }
        }
        Ok(())
    }
}

/// A time of day as RFC 3339 writes it, in UTC.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400;
        let (days, seconds) = (self.0 / DAY, self.0 % DAY);
        // Years are counted from March, so that a leap day is the last of its year; an era is 400 years.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + later;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// The runtime of a process that was left alone before it asked for anything; none where nothing tells
/// that it runs one, and for tools, which nobody expects to be injected.
pub fn runtime_at_start(process: &impl Process, reason: &Reason) -> Option<Runtime> {
    if matches!(reason, Reason::BuiltInDenial(_)) {
        return None;
    }
    let mut runtimes = Runtime::ALL.into_iter();
    runtimes.find(|runtime| runtime.is_launched(process))
}

/// The runtime about which the answer to a variable decides: where a runtime reads several, the first of them.
pub const fn decided_by(variable: Variable) -> Option<Runtime> {
    match variable {
        Variable::DotnetAdditionalDeps | Variable::DotnetSharedStore => None,
        _ => Some(variable.runtime()),
    }
}

/// Whether a reason decides nothing about the runtime that asks: another program asks, to pass the value
/// on, or the runtime is not there yet.
pub const fn is_undecided(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::NotProven(_) | Reason::OtherInterpreter | Reason::NotLoaded(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::ToString;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Time(seconds).to_string(), wanted);
        }
    }

    fn line(decision: Decision<'_>, process: &Fixture) -> String {
        let line = Line {
            time: 0,
            process: 7,
            user: 33,
            runtime: Runtime::Python,
            decision,
        };
        line.text(process)
    }

    #[test]
    fn a_line_is_json() {
        let process = Fixture {
            executable: "/usr/bin/\"python\n".into(),
            control_groups: "0::/system.slice/shop.service\n".into(),
            ..Fixture::default()
        };
        assert_eq!(
            line(Decision::Injected, &process),
            "{\"time\":\"1970-01-01T00:00:00Z\",\"pid\":7,\"uid\":33,\"runtime\":\"python\",\
             \"decision\":\"injected\",\"executable\":\"/usr/bin/\\\"python\\u000a\",\
             \"control_group\":\"/system.slice/shop.service\"}\n"
        );
        let reason = Reason::DisabledBy("python.enabled");
        let text = line(Decision::LeftAlone(&reason), &process);
        assert!(text.contains(
            ",\"decision\":\"left_alone\",\"reason\":\"disabled\",\
             \"message\":\"python.enabled = false in the configuration\","
        ));
        let text = line(Decision::StoodDown(StoodDown::Version), &process);
        assert!(text.contains(",\"decision\":\"stood_down\",\"reason\":\"VERSION\",\"message\":"));
    }

    #[test]
    fn no_line_is_longer_than_is_written_in_one_piece() {
        for character in ["a", "\n", "\"", "ä", "…", "𝄞"] {
            let process = Fixture {
                executable: character.repeat(5000),
                control_groups: ["0::/", &character.repeat(5000)].concat(),
                ..Fixture::default()
            };
            let reason = Reason::AgentUnreadable(character.repeat(5000));
            let text = line(Decision::LeftAlone(&reason), &process);
            assert!(text.len() <= LONGEST, "{}: {character:?}", text.len());
            assert!(text.ends_with("}\n") && text.lines().count() == 1);
        }
    }
}

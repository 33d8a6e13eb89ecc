//! Decisions, counted by runtime, unit and reason.

use crate::ps::placement::Placement;
use opentelemetry_injector_policy::{Runtime, report};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// All of them.
#[derive(Default)]
pub struct Counts {
    groups: BTreeMap<Group, Count>,
    /// What processes were counted under that are injected.
    injected: HashMap<ReportedProcess, Group>,
    /// Lines that are no decisions.
    pub unreadable: u64,
}

/// What is counted together, in the order in which it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    fate: Fate,
    unit: String,
    runtime: &'static str,
    reason: String,
}

#[derive(PartialEq, Eq, Hash)]
struct ReportedProcess {
    number: u64,
    control_group: String,
    runtime: &'static str,
}

/// What was decided, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    StoodDown,
    LeftAlone,
    Injected,
}

impl Fate {
    const ALL: [Self; 3] = [Self::StoodDown, Self::LeftAlone, Self::Injected];

    const fn name(self) -> &'static str {
        match self {
            Self::StoodDown => report::STOOD_DOWN,
            Self::LeftAlone => report::LEFT_ALONE,
            Self::Injected => report::INJECTED,
        }
    }
}

/// The decisions of one group.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// The section of the runtime.
    pub runtime: &'static str,
    /// The unit, container or pod.
    pub unit: String,
    /// The decision's name.
    pub decision: &'static str,
    /// The kind of reason; empty where nothing was left out.
    pub reason: String,
    /// How many processes.
    pub count: u64,
    /// When the last one was told of.
    pub last_time: String,
    /// What it said.
    pub last_message: String,
    /// Its program.
    pub last_executable: String,
}

impl Counts {
    /// Counts a line of the report. `control_group`: where somebody else vouches for it.
    pub fn add(&mut self, line: &[u8], control_group: Option<&str>) {
        if self.try_add(line, control_group).is_none() {
            self.unreadable += 1;
        }
    }

    fn try_add(&mut self, line: &[u8], control_group: Option<&str>) -> Option<()> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let known = |runtime: &Runtime| line["runtime"] == runtime.section();
        let runtime = Runtime::ALL.into_iter().find(known)?.section();
        let fate = Fate::ALL
            .into_iter()
            .find(|fate| line["decision"] == fate.name())?;
        let control_group = control_group.map_or_else(|| text("control_group"), String::from);
        let process = ReportedProcess {
            number: line["pid"].as_u64()?,
            control_group,
            runtime,
        };
        let group = Group {
            fate,
            unit: Placement::of_control_group(&process.control_group).name(),
            runtime,
            reason: text("reason"),
        };
        match fate {
            Fate::StoodDown => self.take_back(&process),
            Fate::Injected => {
                self.injected.insert(process, group.clone());
            }
            Fate::LeftAlone => {}
        }
        let count = self.groups.entry(group).or_default();
        count.count += 1;
        count.last_time = text("time");
        count.last_message = text("message");
        count.last_executable = text("executable");
        Some(())
    }

    /// Counts out again what a process was before: an injected one whose boot file has given up.
    fn take_back(&mut self, process: &ReportedProcess) {
        if let Some(before) = self.injected.remove(process)
            && let Some(count) = self.groups.get_mut(&before)
        {
            count.count = count.count.saturating_sub(1);
        }
    }

    /// Every group, what is not injected first.
    pub fn sorted(&self) -> Vec<Count> {
        let groups = self.groups.iter().filter(|(_, count)| count.count > 0);
        let counts = groups.map(|(group, count)| Count {
            runtime: group.runtime,
            unit: group.unit.clone(),
            decision: group.fate.name(),
            reason: group.reason.clone(),
            ..count.clone()
        });
        counts.collect()
    }
}

impl Count {
    /// The same for machines.
    pub fn json(self) -> Value {
        let or_null = |text: String| (!text.is_empty()).then_some(text);
        json!({
            "runtime": self.runtime,
            "unit": self.unit,
            "decision": self.decision,
            "reason": or_null(self.reason),
            "count": self.count,
            "last": {
                "time": or_null(self.last_time),
                "message": or_null(self.last_message),
                "executable": or_null(self.last_executable),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(process: u64, decision: &str, reason: &str, group: &str) -> Vec<u8> {
        let line = json!({
            "time": "2026-01-01T00:00:00Z", "pid": process, "runtime": "python",
            "decision": decision, "reason": reason, "control_group": group,
        });
        line.to_string().into_bytes()
    }

    fn told(counts: &Counts) -> Vec<String> {
        let told = |count: Count| {
            format!(
                "{} {} {} {}",
                count.unit, count.decision, count.reason, count.count
            )
        };
        counts.sorted().into_iter().map(told).collect()
    }

    #[test]
    fn a_process_counts_as_what_it_is_in_the_end() {
        let mut counts = Counts::default();
        let unit = "/system.slice/shop.service";
        for line in [
            line(1, "injected", "", unit),
            line(2, "injected", "", unit),
            line(2, "stood_down", "VERSION", unit),
            // A worker, whose parent was told of.
            line(3, "stood_down", "VERSION", unit),
            line(1, "stood_down", "VERSION", "/system.slice/other.service"),
            line(4, "left_alone", "rule", "/"),
        ] {
            counts.add(&line, None);
        }
        assert_eq!(
            told(&counts),
            [
                "other.service stood_down VERSION 1",
                "shop.service stood_down VERSION 2",
                "- left_alone rule 1",
                "shop.service injected  1",
            ]
        );
    }

    #[test]
    fn the_journals_word_on_the_unit_counts() {
        let mut counts = Counts::default();
        let forged = line(1, "injected", "", "/system.slice/shop.service");
        counts.add(&forged, Some("/system.slice/cron.service"));
        assert_eq!(told(&counts), ["cron.service injected  1"]);
    }

    #[test]
    fn what_is_no_decision_is_not_counted() {
        let mut counts = Counts::default();
        for line in [
            "",
            "{",
            "null",
            "[]",
            "\"text\"",
            "{\"runtime\":\"jvm\"}",
            "\u{1}",
        ] {
            counts.add(line.as_bytes(), None);
        }
        counts.add(&line(1, "odd", "", "/"), None);
        counts.add(&[0xff, b'\n'], None);
        assert_eq!((counts.unreadable, counts.sorted().len()), (9, 0));
    }
}

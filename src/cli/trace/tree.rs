//! Stacks for people: by name, or merged from the roots on.

use crate::output::{Style, printable};
use crate::trace::recording::Call;
use crate::trace::session_report::Report;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many stacks of one name are shown.
const SHOWN: usize = 5;

/// What a stack says of itself, from the caller on.
fn frames(report: &mut Report<'_>, call: &Call) -> Vec<String> {
    let recording = report.recording;
    let stack = report.callers.stack(recording, call);
    let frames = stack.iter().map(|caller| printable(&caller.to_string()));
    frames.chain(more(report, call)).collect()
}

/// What stands for the functions of a stack that are not known.
fn more(report: &Report<'_>, call: &Call) -> Option<String> {
    report.recording.is_cut(call).then(|| "…".into())
}

/// For each name its stacks, the most frequent ones first.
pub fn stacks(report: &mut Report<'_>, style: Style) -> String {
    let mut names: BTreeMap<&str, BTreeMap<Vec<String>, usize>> = BTreeMap::new();
    let recording = report.recording;
    for call in report
        .calls_with_stacks()
        .into_iter()
        .filter(|call| call.stack.is_some())
    {
        let stack = frames(report, call);
        let stacks = names.entry(&recording.text(call).name).or_default();
        *stacks.entry(stack).or_default() += 1;
    }
    let mut text = String::new();
    if !names.is_empty() {
        let _ = writeln!(text, "\n{}", style.strong("Stacks"));
    }
    for (name, stacks) in names {
        let mut stacks: Vec<_> = stacks.into_iter().collect();
        stacks.sort_by_key(|(_, count)| usize::MAX - count);
        for (stack, count) in stacks.iter().take(SHOWN) {
            let times = if *count == 1 {
                "once".into()
            } else {
                format!("{count} times")
            };
            let _ = writeln!(text, "  {}, {times}", printable(name));
            for frame in stack {
                let _ = writeln!(text, "    {}", style.faint(frame));
            }
        }
        if let Some(more @ 1..) = stacks.len().checked_sub(SHOWN) {
            let _ = writeln!(text, "  {}, and {more} other stacks", printable(name));
        }
    }
    text
}

/// A function, and what it has called.
#[derive(Default)]
struct Node {
    count: usize,
    children: BTreeMap<String, Node>,
}

/// All stacks as one tree, from the roots on, with how many calls each branch has. The leaves are names.
pub fn tree(report: &mut Report<'_>, style: Style) -> String {
    let mut root = Node::default();
    let recording = report.recording;
    for call in report.calls_with_stacks() {
        let name = printable(&recording.text(call).name);
        let mut node = &mut root;
        node.count += 1;
        let stack = report.callers.stack(recording, call);
        let functions = stack
            .iter()
            .rev()
            .map(|caller| printable(&caller.function_name()));
        let root = more(report, call).into_iter();
        for step in root.chain(functions).chain([format!("\"{name}\"")]) {
            node = node.children.entry(step).or_default();
            node.count += 1;
        }
    }
    if root.count == 0 {
        return String::new();
    }
    let mut text = format!("\n{}\n", style.strong("Tree"));
    root.write(&mut text, 1);
    text
}

impl Node {
    /// What has no branches stays in its column.
    fn write(&self, text: &mut String, depth: usize) {
        let mut children: Vec<_> = self.children.iter().collect();
        children.sort_by_key(|(_, child)| usize::MAX - child.count);
        let is_branched = children.len() > 1;
        for (function, child) in children {
            let _ = writeln!(text, "{}{} {function}", "  ".repeat(depth), child.count);
            let has_branches = child.children.len() > 1;
            child.write(text, depth + usize::from(is_branched || has_branches));
        }
    }
}

//! Who asks for what, as a picture: process, functions, name; as wide as there are calls.

use crate::output::printable;
use crate::trace::callers::Caller;
use crate::trace::session_report::Report;
use inferno::flamegraph::{self, Options};
use std::collections::BTreeMap;
use std::io;

/// The picture (SVG). Without calls it says that there is nothing to draw.
///
/// # Errors
/// The calls cannot be drawn.
pub fn svg(report: &mut Report<'_>) -> io::Result<Vec<u8>> {
    let recording = report.recording;
    let mut stacks: BTreeMap<String, usize> = BTreeMap::new();
    for call in report.calls_with_stacks() {
        let stack = report.callers.stack(recording, call);
        let program = &recording.programs[call.program];
        let process = format!("{} ({})", program.name(), program.process);
        let name = format!("{} {}", recording.text(call).name, call.outcome.name());
        let functions = stack.iter().rev().map(Caller::function_name);
        let frames = [process].into_iter().chain(functions).chain([name]);
        // `;` stands between frames.
        let stack: Vec<_> = frames
            .map(|frame| printable(&frame).replace(';', ","))
            .collect();
        *stacks.entry(stack.join(";")).or_default() += 1;
    }
    let lines: Vec<_> = stacks
        .iter()
        .map(|(stack, count)| format!("{stack} {count}"))
        .collect();
    let mut options = Options::default();
    options.title = "Who asks for what".into();
    options.count_name = "calls".into();
    let mut svg = Vec::new();
    match flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg) {
        Err(error) if !lines.is_empty() => Err(error),
        _ => Ok(svg),
    }
}

//! The counts in Prometheus' text format (version 0.0.4), for a textfile collector.

use crate::report::Outcome;
use std::fmt::Write;

/// All metrics.
pub fn text(outcome: &Outcome) -> String {
    let mut text = head(
        "opentelemetry_injector_decisions",
        "Processes in the report, by what was decided about their runtime.",
    );
    for count in outcome.counts.sorted() {
        let labels = [
            ("runtime", count.runtime),
            ("unit", &count.unit),
            ("decision", count.decision),
            ("reason", &count.reason),
        ];
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = labels.join(",");
        let _ = writeln!(
            text,
            "opentelemetry_injector_decisions{{{labels}}} {}",
            count.count
        );
    }
    let bytes: Option<u64> = outcome.sources.iter().map(|source| source.bytes()).sum();
    let single = [
        (
            "opentelemetry_injector_report_unreadable_lines",
            "Lines in the report that are no decisions.",
            Some(outcome.counts.unreadable),
        ),
        (
            "opentelemetry_injector_report_bytes",
            "Size of the report's files.",
            bytes,
        ),
        (
            "opentelemetry_injector_report_max_bytes",
            "Size at which nothing is added to the report's file.",
            outcome.most,
        ),
    ];
    for (name, help, value) in single {
        if let Some(value) = value {
            text.push_str(&head(name, help));
            let _ = writeln!(text, "{name} {value}");
        }
    }
    text
}

fn head(name: &str, help: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n")
}

/// A label's value.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}

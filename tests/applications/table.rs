//! The table of the latest results, in Markdown.

use crate::declaration::Application;
use crate::install;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// The table of these applications.
pub fn of(applications: &[Application]) -> String {
    let mut text = String::from(
        "| application | runtime | version | spans | service names | with the object |\n|---|---|---|---|---|---|\n",
    );
    for application in applications {
        let result = fs::read(install::folder(application).join("result.json")).unwrap_or_default();
        let result: Value = serde_json::from_slice(&result).unwrap_or_default();
        // Not run yet.
        if result.is_null() && application.absent.is_empty() {
            continue;
        }
        let count = |key: &str| result[key].as_array().map_or(0, Vec::len);
        let absent = result["absent"].as_str().unwrap_or(&application.absent);
        let outcome = match (absent, count("differences"), count("explained")) {
            ("", 0, 0) => "the same".to_owned(),
            ("", 0, known) => format!("the same but for {known} known lines"),
            ("", unknown, _) => format!("{unknown} differences"),
            (absent, ..) => format!("not to be had: {absent}"),
        };
        let spans = match (application.traced, absent) {
            (false, "") => "none, as expected".to_owned(),
            (_, "") => result["spans"].to_string(),
            _ => String::new(),
        };
        let services = result["services"].as_array().into_iter().flatten();
        let services: Vec<_> = services.filter_map(Value::as_str).collect();
        let services = services.join(", ");
        let version = result["version"].as_str().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {version} | {spans} | {services} | {outcome} |",
            application.title, application.runtime
        );
    }
    text
}

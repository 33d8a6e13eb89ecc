//! The agent's settings (`OTEL_…`) that a process gets: those of `[environment]` that its user has
//! not set.

use crate::{Configuration, Process, resource_attributes};
use alloc::vec::Vec;

/// Names and values of `[environment]` that this process lacks.
///
/// An empty value counts as not set (OpenTelemetry specification, "Environment Variable
/// Specification"). Resource attributes are merged elsewhere. A service name among the user's
/// resource attributes (`user_attributes`) would lose against `OTEL_SERVICE_NAME`, so it keeps
/// that one out.
pub fn missing<'c>(
    process: &impl Process,
    configuration: &'c Configuration,
    user_attributes: &[u8],
) -> Vec<(&'c str, &'c str)> {
    let is_missing = |name: &str| match name {
        resource_attributes::VARIABLE => false,
        "OTEL_SERVICE_NAME" if resource_attributes::has_key(user_attributes, "service.name") => {
            false
        }
        _ => process.variable(name).is_none_or(|value| value.is_empty()),
    };
    let settings = configuration.environment.iter();
    settings
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| is_missing(name))
        .collect()
}

//! Agents of other vendors for Node.js, by the modules they are loaded from.

use crate::matching::texts;

/// Vendors, and folders or packages as their installation guides give them for `--require` or
/// `--import`; one that ends with `/` stands for every package in its scope.
const AGENTS: &str = "
    OpenTelemetry: @opentelemetry/ otel-auto-instrumentation-nodejs
    Splunk: @splunk/otel
    Elastic: elastic-apm-node @elastic/opentelemetry-node
    AWS: @aws/aws-distro-opentelemetry-node-autoinstrumentation
    Azure Monitor: @azure/monitor-opentelemetry applicationinsights
    Honeycomb: @honeycombio/opentelemetry-node
    Datadog: dd-trace
    New Relic: newrelic
    AppDynamics: appdynamics
    Instana: @instana/
    Dynatrace: @dynatrace/ oneagent
    Sentry: @sentry/
    SolarWinds: solarwinds-apm
    SkyWalking: skywalking-backend-js
";

/// The vendor of the agent that a module belongs to, where it is a known one. `module` is a
/// package's name, a path or a `file:` address.
pub fn vendor(module: &[u8]) -> Option<&'static str> {
    texts::key(AGENTS, |name| contains(module, name))
}

/// Whether whole components of a path are `name`.
fn contains(module: &[u8], name: &[u8]) -> bool {
    let mut rest = module;
    loop {
        match rest.strip_prefix(name) {
            Some([] | [b'/', ..]) => return true,
            Some(_) if name.ends_with(b"/") => return true,
            _ => {}
        }
        match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => rest = rest.get(slash + 1..).unwrap_or_default(),
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_agents_are_recognised() {
        for (module, name) in [
            (
                "@opentelemetry/auto-instrumentations-node/register",
                "OpenTelemetry",
            ),
            (
                "file:///x/node_modules/@opentelemetry/instrumentation/hook.mjs",
                "OpenTelemetry",
            ),
            (
                "/otel-auto-instrumentation-nodejs/autoinstrumentation.js",
                "OpenTelemetry",
            ),
            ("dd-trace/init", "Datadog"),
            ("/opt/datadog/node_modules/dd-trace", "Datadog"),
            ("newrelic", "New Relic"),
            ("elastic-apm-node/start.js", "Elastic"),
            ("@splunk/otel/instrument", "Splunk"),
            ("/opt/appdynamics/index.js", "AppDynamics"),
            ("@instana/collector/src/immediate", "Instana"),
            ("/opt/dynatrace/oneagent/agent/x.js", "Dynatrace"),
        ] {
            assert_eq!(vendor(module.as_bytes()), Some(name), "{module}");
        }
    }

    #[test]
    fn other_modules_are_not() {
        for module in [
            "",
            "./newrelic.js",
            "ts-node/register",
            "my-dd-trace",
            "@splunk/otels",
        ] {
            assert_eq!(vendor(module.as_bytes()), None, "{module}");
        }
    }
}

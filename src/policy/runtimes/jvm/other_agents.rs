//! Agents of other vendors, by the files they are loaded from.

use crate::matching::{glob, texts};

/// Patterns as [`glob::matches_path`] reads them, in lower case. Names as each vendor's installation guide
/// gives them for `-javaagent` or `-agentpath`. Folders tell what a file's name does not: the OpenTelemetry
/// operator's is /otel-auto-instrumentation-java/javaagent.jar.
const AGENTS: &str = "
    OpenTelemetry: *opentelemetry-javaagent* *opentelemetry-agent* elastic-otel-javaagent* \
        grafana-opentelemetry-java* splunk-otel-javaagent* hypertrace-agent* solarwinds-apm-agent* \
        */*otel*/*agent*.jar */*opentelemetry*/*agent*.jar
    Datadog: dd-java-agent* */*datadog*/*agent*.jar
    New Relic: newrelic*.jar */*newrelic*/*agent*.jar
    Elastic: elastic-apm-agent* apm-agent-attach* */elastic/apm/*agent*.jar
    Application Insights: applicationinsights-agent*
    SkyWalking: skywalking-agent* */*skywalking*/*agent*.jar
    Dynatrace: liboneagent* oneagent*.jar */dynatrace/*agent*
    AppDynamics: */*appdynamics*/*agent*.jar */*appagent*/javaagent.jar */*appserveragent*/javaagent.jar
    Instana: instana*agent* libinstana* */instana/*agent*
    Pinpoint: pinpoint-bootstrap* pinpoint-agent*
    Glowroot: glowroot*.jar
    inspectIT: inspectit-ocelot-agent*
    Scouter: scouter.agent*.jar
    Stackify: stackify-java-apm*.jar
";

/// The path that an option loads an agent from: `-javaagent:PATH[=…]`, `-agentpath:PATH[=…]`, or the
/// name of a library, `-agentlib:NAME[=…]`.
pub fn agent_file(option: &[u8]) -> Option<&[u8]> {
    let rest = option
        .strip_prefix(b"-javaagent:")
        .or_else(|| option.strip_prefix(b"-agentpath:"))
        .or_else(|| option.strip_prefix(b"-agentlib:"))?;
    rest.split(|byte| *byte == b'=').next()
}

/// The vendor of the agent that an option loads, where it is a known one.
pub fn vendor(option: &[u8]) -> Option<&'static str> {
    let mut file = agent_file(option)?.to_ascii_lowercase();
    if option.starts_with(b"-agentlib:") {
        file = [b"lib", file.as_slice(), b".so"].concat();
    }
    texts::key(AGENTS, |pattern| glob::matches_path(pattern, &file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_agents_are_recognised() {
        for (option, name) in [
            (
                "-javaagent:/x/opentelemetry-javaagent-2.1.jar",
                "OpenTelemetry",
            ),
            ("-javaagent:dd-java-agent.jar=x=y", "Datadog"),
            ("-javaagent:/opt/newrelic/newrelic.jar", "New Relic"),
            ("-javaagent:/e/elastic-apm-agent-1.55.jar", "Elastic"),
            (
                "-javaagent:/a/applicationinsights-agent-3.jar",
                "Application Insights",
            ),
            ("-javaagent:/s/skywalking-agent.jar", "SkyWalking"),
            ("-agentpath:/o/liboneagentloader.so=server=x", "Dynatrace"),
            (
                "-javaagent:/opt/AppServerAgent-4.5/javaagent.jar",
                "AppDynamics",
            ),
            ("-javaagent:/opt/instana-java-agent.jar", "Instana"),
            ("-javaagent:/p/pinpoint-bootstrap.jar", "Pinpoint"),
            (
                "-javaagent:/otel-auto-instrumentation-java/javaagent.jar",
                "OpenTelemetry",
            ),
            ("-javaagent:/opt/OpenTelemetry/agent.jar=x", "OpenTelemetry"),
            ("-agentlib:oneagentloader=server=x", "Dynatrace"),
            (
                "-javaagent:/newrelic-instrumentation/agent.jar",
                "New Relic",
            ),
        ] {
            assert_eq!(vendor(option.as_bytes()), Some(name), "{option}");
        }
    }

    #[test]
    fn other_java_agents_are_not() {
        for option in [
            "-javaagent:/x/jacocoagent.jar",
            "-javaagent:/srv/hotel/jacoco.jar",
            "-javaagent:/hotel-agents.jar",
            "-agentlib:jdwp=transport=dt_socket",
            "-Dx=-javaagent:dd-java-agent.jar",
            "/x/dd-java-agent.jar",
        ] {
            assert_eq!(vendor(option.as_bytes()), None, "{option}");
        }
    }
}

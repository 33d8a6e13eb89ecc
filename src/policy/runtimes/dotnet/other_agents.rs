//! Agents in .NET processes: by the files of startup hooks and by the identity of the profiler.

use crate::matching::glob;
use crate::process::file_name;
use crate::{Process, Reason};

/// Vendors and the file names of startup hooks, as their installation guides give them.
const HOOKS: &str = "\
OpenTelemetry=OpenTelemetry.AutoInstrumentation.*.dll
Datadog=Datadog.*.dll
Elastic=Elastic*.dll
Application Insights=Microsoft.ApplicationInsights.*.dll
Instana=Instana.*.dll
New Relic=NewRelic.*.dll";

/// Vendors and the identities of profilers, as their installation guides give them for
/// `CORECLR_PROFILER`.
const PROFILERS: &str = "\
OpenTelemetry={918728DD-259F-4A6A-AC2B-B85E1B658318}
New Relic={36032161-FFC0-4B61-B559-F6C5D41BAE5A}
Datadog={846F5F1C-F9AE-4B07-969E-05C26BC060D8}
Elastic={FA65FE15-F085-4681-9B20-95E04F6C03CC}
Dynatrace={B7038F67-52FC-4DA2-AB02-969B3C1EDA03}
AppDynamics={57E1AA68-2229-41AA-9931-A6E93BBC64D8}
Instana={CF0D821E-299B-5307-A3D8-B283C03916DD}";

/// Refuses a process with any agent besides the hook `ours`; `hooks` are the user's.
///
/// # Errors
/// Whose agent it is, and where.
pub fn none_but(ours: &[u8], hooks: &[u8], process: &impl Process) -> Result<(), Reason> {
    let others = hooks
        .split(|byte| *byte == b':')
        .filter(|hook| *hook != ours);
    if let Some(vendor) = others.into_iter().find_map(of_hook) {
        let place = "DOTNET_STARTUP_HOOKS";
        return Err(Reason::OtherAgent { vendor, place });
    }
    let variable = |name| process.variable(name).unwrap_or_default();
    // The CLR reads a number; without one there is no profiler.
    let switch = variable("CORECLR_ENABLE_PROFILING");
    if switch.iter().any(|byte| !b"0 ".contains(byte)) {
        Err(Reason::OtherAgent {
            vendor: of_profiler(&variable("CORECLR_PROFILER")),
            place: "CORECLR_PROFILER",
        })
    } else {
        Ok(())
    }
}

fn of_hook(hook: &[u8]) -> Option<&'static str> {
    let name = file_name(hook);
    let is_of = |file: &str| glob::matches(file.as_bytes(), name);
    vendor(HOOKS, &is_of)
}

fn of_profiler(identity: &[u8]) -> &'static str {
    let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(identity);
    vendor(PROFILERS, &is).unwrap_or("another vendor")
}

/// The vendor on the first line whose other part is what is looked for.
fn vendor(lines: &'static str, is_it: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let mut lines = lines.split('\n').filter_map(|line| line.split_once('='));
    lines
        .find(|(_, sign)| is_it(sign))
        .map(|(vendor, _)| vendor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    fn vendor(hooks: &str, variables: &[(&str, &str)]) -> Option<&'static str> {
        let mut process = Fixture::default();
        for (name, value) in variables {
            process.variables.insert((*name).into(), (*value).into());
        }
        match none_but(b"/ours.dll", hooks.as_bytes(), &process) {
            Err(Reason::OtherAgent { vendor, .. }) => Some(vendor),
            _ => None,
        }
    }

    #[test]
    fn hooks_are_told_by_their_files() {
        for (hooks, wanted) in [
            ("", None),
            ("/ours.dll:/user/Metrics.dll:Simple", None),
            ("/e/ElasticApmAgentStartupHook.dll", Some("Elastic")),
            ("/user.dll:/d/Datadog.Trace.dll", Some("Datadog")),
            (
                "/x/net/OpenTelemetry.AutoInstrumentation.StartupHook.dll",
                Some("OpenTelemetry"),
            ),
        ] {
            assert_eq!(vendor(hooks, &[]), wanted, "{hooks}");
        }
    }

    #[test]
    fn a_profiler_that_is_switched_on_is_an_agent() {
        let new_relic = ("CORECLR_PROFILER", "{36032161-ffc0-4b61-b559-f6c5d41bae5a}");
        let on = ("CORECLR_ENABLE_PROFILING", "1");
        assert_eq!(vendor("", &[new_relic, on]), Some("New Relic"));
        assert_eq!(vendor("", &[on]), Some("another vendor"));
        assert_eq!(vendor("", &[new_relic]), None);
        assert_eq!(vendor("", &[new_relic, (on.0, "0")]), None);
    }
}

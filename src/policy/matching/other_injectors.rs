//! Other injectors: their objects and the marks that they leave in an environment.
//!
//! Two injectors in one process would both add an agent. This table is the only place that knows the other
//! injectors. `install`, `status`, `explain` and the decision all use it.

use crate::matching::{glob, texts};
use crate::process::directory;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// Patterns of objects' paths, as [`glob::matches_path`] reads them. Sources: what each vendor's installation
/// writes into `/etc/ld.so.preload`, `LD_PRELOAD` or a pod.
const OBJECTS: &str = concat!(
    // github.com/grafana/beyla, pkg/webhook: libotelinject.so with a mark of its own. First, so that it is
    // told by its own name.
    "Grafana Beyla: */__otel_sdk_auto_instrumentation__/*.so\n",
    // github.com/open-telemetry/opentelemetry-injector: packages and the operator's injector mode.
    "OpenTelemetry (libotelinject.so): libotelinject*.so*\n",
    // docs.datadoghq.com, "Understanding Injector Behavior with Single Step Instrumentation";
    // github.com/DataDog/datadog-agent, pkg/fleet/installer.
    "Datadog: launcher.preload*.so */datadog*/*inject*.so\n",
    // docs.dynatrace.com, "Application observability with Pod runtime injection".
    "Dynatrace: liboneagentproc.so liboneagentloader.so\n",
    // github.com/signalfx/splunk-otel-collector, instrumentation: before it used libotelinject.so.
    "Splunk: libsplunk.so */splunk-instrumentation/*.so\n",
    // No object of theirs is published; a preload object in one of their folders is one.
    "New Relic: */newrelic*/*preload*.so */newrelic*/*inject*.so\n",
    "Elastic: */elastic*/*preload*.so */elastic*/*inject*.so\n",
    // github.com/instana/instana-autotrace-webhook: `libinstana_init/libinstana_init.so`.
    "Instana: libinstana_init*.so\n",
    // docs.appdynamics.com, "Zero Agent": `libpreload.so` in its folder.
    "AppDynamics: */appdynamics*/libpreload.so */zeroagent/*libpreload.so\n",
    // github.com/odigos-io/odigos, k8sutils and tests/e2e: `/var/odigos/loader/loader.so`.
    "Odigos: */odigos/*loader*.so\n",
    // github.com/dash0hq/dash0-operator, images/instrumentation.
    "Dash0: *dash0*inject*.so\n",
);

/// Variables that an injector sets, to anything but nothing, `0` or `false`, where it has injected.
/// Datadog's is its tracers' sign that they were injected.
const MARKS: &str = "
    Grafana Beyla: BEYLA_INJECTOR_SDK_PKG_VERSION
    Datadog: DD_INJECTION_ENABLED
    Odigos: ODIGOS_DISTRO_NAME
";

/// The vendor of the injector that an object belongs to, by its path, where it is a known one.
pub fn vendor(object: &[u8]) -> Option<&'static str> {
    texts::key(OBJECTS, |pattern| glob::matches_path(pattern, object))
}

/// The first mark in an environment, and whose it is; `value` gives a variable's value.
pub fn mark(value: impl Fn(&str) -> Option<Vec<u8>>) -> Option<(&'static str, &'static str)> {
    let is_set = |name: &str| {
        value(name).is_some_and(|value| !matches!(value.as_slice(), b"" | b"0" | b"false"))
    };
    texts::rows(MARKS).find(|(_, name)| is_set(name))
}

/// Whether a process that runs `runtime` has no other injector, or the configuration allows both. It
/// is asked of a process that is about to be injected only: it costs a look at what is loaded.
///
/// # Errors
/// The other injector.
pub fn is_absent(
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<(), Reason> {
    if configuration.agent(runtime).allow_other_agents {
        return Ok(());
    }
    if let Some((vendor, name)) = mark(|name| process.variable(name)) {
        let sign = name.into();
        return Err(Reason::OtherInjector { vendor, sign });
    }
    // Our own object may have been put in the place of another one, under its name.
    let own_folder = directory(process.boot_folder());
    let is_rival = |path: &[u8]| directory(path) != own_folder && vendor(path).is_some();
    let object = process.loaded(is_rival);
    let found = object.and_then(|object| Some((vendor(&object)?, object)));
    found.map_or(Ok(()), |(vendor, sign)| {
        Err(Reason::OtherInjector { vendor, sign })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    #[test]
    fn each_is_known_by_its_object() {
        for (object, wanted) in [
            ("/usr/lib/opentelemetry/libotelinject.so", "OpenTelemetry"),
            (
                "/__otel_auto_instrumentation/injector/libotelinject.so",
                "OpenTelemetry",
            ),
            (
                "/__otel_sdk_auto_instrumentation__/injector/libotelinject.so",
                "Grafana Beyla",
            ),
            (
                "/opt/datadog-packages/datadog-apm-inject/stable/inject/launcher.preload.so",
                "Datadog",
            ),
            (
                "/opt/datadog/apm/inject/$LIB/launcher.preload.so",
                "Datadog",
            ),
            ("/$LIB/liboneagentproc.so", "Dynatrace"),
            (
                "/opt/dynatrace/oneagent/agent/lib64/liboneagentproc.so",
                "Dynatrace",
            ),
            ("/usr/lib/splunk-instrumentation/libsplunk.so", "Splunk"),
            ("/opt/newrelic/apm/newrelic_preload.so", "New Relic"),
            ("/opt/elastic/apm/libinject.so", "Elastic"),
            (
                "/opt/instana/instrumentation/libinstana_init/libinstana_init.so",
                "Instana",
            ),
            ("/opt/appdynamics/zeroagent/libpreload.so", "AppDynamics"),
            ("/var/odigos/loader/loader.so", "Odigos"),
            ("/dash0-init-container/injector/dash0_injector.so", "Dash0"),
        ] {
            let told = vendor(object.as_bytes());
            assert!(
                told.is_some_and(|told| told.starts_with(wanted)),
                "{object}: {told:?}"
            );
        }
    }

    #[test]
    fn what_is_no_injector_is_not_taken_for_one() {
        for object in [
            "/usr/lib/opentelemetry/injector/libopentelemetry_injector.so",
            "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
            "/usr/lib/libpreload.so",
            "/app/newrelic/libnewrelic.so",
            "/app/node_modules/@elastic/transport/lib.so",
            "/opt/app/loader.so",
            "/lib/x86_64-linux-gnu/libc.so.6",
        ] {
            assert_eq!(vendor(object.as_bytes()), None, "{object}");
        }
    }

    #[test]
    fn our_object_under_anothers_name_is_ours() {
        let absent = |libraries: &[&str]| {
            let libraries = libraries.iter().map(|path| String::from(*path));
            let process = Fixture {
                libraries: libraries.collect(),
                ..Fixture::default()
            };
            is_absent(Runtime::Jvm, &process, &Configuration::default()).is_ok()
        };
        // The fixture's boot files are in `/boot`.
        assert!(absent(&["/libotelinject.so"]));
        assert!(!absent(&["/libotelinject.so", "/other/libotelinject.so"]));
    }

    #[test]
    fn marks_that_say_no_are_none() {
        let with = |given: &'static str, value: &'static str| {
            mark(|name| (name == given).then(|| value.into()))
        };
        let datadog = Some(("Datadog", "DD_INJECTION_ENABLED"));
        assert_eq!(with("DD_INJECTION_ENABLED", "tracer"), datadog);
        for value in ["", "0", "false"] {
            assert_eq!(with("DD_INJECTION_ENABLED", value), None);
        }
        assert_eq!(
            with("ODIGOS_DISTRO_NAME", "java-community").unwrap().0,
            "Odigos"
        );
        assert_eq!(with("DD_SERVICE", "shop"), None);
    }
}

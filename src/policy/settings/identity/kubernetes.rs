//! What Kubernetes provides in the `OTEL_INJECTOR_K8S_…` variables (downward API).
//!
//! Source: "Specify resource attributes using Kubernetes annotations" in the semantic conventions
//! (docs/non-normative/k8s-attributes.md). What comes before the owner's name there (annotation, labels)
//! arrives as `OTEL_INJECTOR_SERVICE_NAME`, which is stronger than the configuration.

use super::{Identity, Told, names};
use crate::Process;
use crate::matching::texts;
use alloc::string::String;

const NAMESPACE: &str = "OTEL_INJECTOR_K8S_NAMESPACE_NAME";
const POD: &str = "OTEL_INJECTOR_K8S_POD_NAME";
const CONTAINER: &str = "OTEL_INJECTOR_K8S_CONTAINER_NAME";

/// The owners' names, in the order of the conventions.
const OWNERS: &str = "
    OTEL_INJECTOR_K8S_DEPLOYMENT_NAME
    OTEL_INJECTOR_K8S_REPLICASET_NAME
    OTEL_INJECTOR_K8S_STATEFULSET_NAME
    OTEL_INJECTOR_K8S_DAEMONSET_NAME
    OTEL_INJECTOR_K8S_CRONJOB_NAME
    OTEL_INJECTOR_K8S_JOB_NAME
";

/// What the variables tell.
pub fn identity(process: &impl Process) -> Identity {
    let value = |variable: &str| {
        let value = String::from_utf8(process.variable(variable)?).ok()?;
        (!value.is_empty()).then_some(value)
    };
    let told = |variable: &'static str| Some(Told::new(value(variable)?, variable, ""));
    let from_pod = || Some(Told::new(owner(&value(POD)?)?, POD, value(POD)?));
    let instance = || {
        let parts = [value(NAMESPACE)?, value(POD)?, value(CONTAINER)?];
        let source = "Kubernetes namespace, pod and container";
        Some(Told::new(parts.join("."), source, ""))
    };
    Identity {
        name: texts::words(OWNERS).find_map(told).or_else(from_pod),
        version: None,
        namespace: told(NAMESPACE),
        instance: instance(),
    }
}

/// The container's name.
pub fn container(process: &impl Process) -> Option<Told> {
    let name = names::usable(&process.variable(CONTAINER)?)?;
    Some(Told::new(name, CONTAINER, ""))
}

/// The name of what made a pod, without what it added: `shop-7d9f8b6c5d-x2k4q` of a ReplicaSet of a
/// Deployment, `shop-x2k4q` of a DaemonSet or Job, `shop-28401234-x2k4q` of a CronJob's Job, `shop-0`
/// of a StatefulSet. A pod that nobody made keeps its name.
///
/// Source: `GenerateName` and `SafeEncodeString` in k8s.io/apiserver and apimachinery; the alphabet
/// has no vowels, no 0, 1 and 3.
fn owner(pod: &str) -> Option<String> {
    let is_suffix = |part: &str, lengths: core::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len())
            && part
                .bytes()
                .all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b))
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let owner = match pod.rsplit_once('-') {
        Some((set, suffix)) if is_suffix(suffix, 5..=5) => match set.rsplit_once('-') {
            Some((name, hash)) if is_suffix(hash, 8..=10) => name,
            Some((name, time)) if is_number(time) && time.len() >= 8 => name,
            _ => set,
        },
        Some((name, ordinal)) if is_number(ordinal) => name,
        _ => pod,
    };
    names::usable(owner.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn a_pods_name_tells_its_owner() {
        for (pod, wanted) in [
            ("shop-7d9f8b6c5d-x2k4q", "shop"),
            ("shop-front-7d9f8b6c5d-x2k4q", "shop-front"),
            ("shop-x2k4q", "shop"),
            ("shop-28401234-x2k4q", "shop"),
            ("shop-0", "shop"),
            ("shop", "shop"),
            ("shop-front", "shop-front"),
            ("app-7d9f8b6c5d-x2k4q", ""),
        ] {
            assert_eq!(owner(pod).unwrap_or_default(), wanted, "{pod}");
        }
    }

    #[test]
    fn the_owner_comes_before_the_pod_and_three_names_make_the_instance() {
        let mut process = Fixture::default();
        let mut set = |name: &str, value: &str| {
            process.variables.insert(name.into(), value.into());
        };
        set(POD, "shop-0");
        set(NAMESPACE, "prod");
        set("OTEL_INJECTOR_K8S_STATEFULSET_NAME", "basket");
        let before = identity(&process);
        assert_eq!(before.name.unwrap().value, "basket");
        assert_eq!(before.instance, None);
        process.variables.insert(CONTAINER.into(), "main".into());
        let told = identity(&process);
        assert_eq!(told.instance.unwrap().value, "prod.shop-0.main");
        assert_eq!(told.namespace.unwrap().value, "prod");
    }
}

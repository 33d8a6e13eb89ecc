//! Where a process belongs: its unit, container or pod, and the command that starts it anew.

use crate::machine::process_facts::ProcessFacts;
use crate::output::names;
use crate::output::shell_word::quoted;
use opentelemetry_injector_policy::Process;
use opentelemetry_injector_policy::process::file_name;
use opentelemetry_injector_policy::settings::identity::cgroup;
use serde_json::{Value, json};

/// What restarts the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The program: the executable's file name.
    pub program: String,
    /// The systemd unit.
    pub unit: Option<String>,
    /// The user whose own systemd has the unit.
    pub manager: Option<u32>,
    /// The engine and the identifier of the container.
    pub container: Option<(&'static str, String)>,
    /// The identifier of the Kubernetes pod.
    pub pod: Option<String>,
    /// The command; `None` where there is none that is safe to name.
    pub restart: Option<String>,
}

/// What the identifier of a container stands behind in a control group's name, by the engine.
const ENGINES: [(&str, &str); 5] = [
    ("docker-", "docker"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("crio-", "cri-o"),
    ("nerdctl-", "nerdctl"),
];

/// The folder of a pod's service account, which tells its namespace.
const NAMESPACE: &[u8] = b"/var/run/secrets/kubernetes.io/serviceaccount/namespace";

impl Placement {
    /// That of a process.
    pub fn of(facts: &ProcessFacts) -> Self {
        let path = cgroup::path(&facts.control_groups).unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        let mut placement = Self::of_control_group(&path);
        placement.program = String::from_utf8_lossy(file_name(&facts.executable)).into_owned();
        placement.restart = match (&placement.pod, &placement.container) {
            (Some(_), _) => of_pod(facts),
            (None, Some((engine @ ("docker" | "podman" | "nerdctl"), id))) => {
                Some(format!("{engine} restart {}", &id[..12.min(id.len())]))
            }
            (None, Some(_)) => None,
            (None, None) => placement.of_unit(),
        };
        placement
    }

    /// What the path of a control group tells by itself.
    pub fn of_control_group(path: &str) -> Self {
        let parts = || path.split('/').filter(|part| !part.is_empty());
        let container = parts().rev().find_map(container);
        let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
        let unit = parts().rev().find(is_unit);
        let manager = parts().find_map(|part| {
            let user = part.strip_prefix("user@")?.strip_suffix(".service")?;
            user.parse().ok()
        });
        let is_manager = unit.is_some_and(|unit| unit.starts_with("user@"));
        Self {
            unit: unit.filter(|_| container.is_none()).map(String::from),
            manager: manager.filter(|_| !is_manager),
            pod: parts().find_map(pod),
            container: container.map(|(engine, id)| (engine, id.into())),
            ..Self::default()
        }
    }

    /// Only services are restarted by systemd: a scope holds what others have started. A user's systemd
    /// itself is left alone, and so is whatever logs people in.
    fn of_unit(&self) -> Option<String> {
        let unit = self.unit.as_deref()?;
        if !unit.ends_with(".service") || unit.starts_with("user@") {
            return None;
        }
        Some(match self.manager {
            None => format!("systemctl restart {}", quoted(unit)),
            Some(user) => format!(
                "systemctl --user --machine={}@.host restart {}",
                names::user(user),
                quoted(unit)
            ),
        })
    }

    /// In one word: the pod, container or unit.
    pub fn name(&self) -> String {
        match (&self.pod, &self.container, &self.unit) {
            (Some(pod), _, _) => format!("pod {pod}"),
            (None, Some((engine, id)), _) => format!("{engine} {}", &id[..12.min(id.len())]),
            (None, None, Some(unit)) => unit.clone(),
            (None, None, None) => "-".into(),
        }
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let container = self.container.as_ref();
        json!({
            "program": self.program,
            "unit": self.unit,
            "user_manager": self.manager,
            "container": container.map(|(engine, id)| json!({"engine": engine, "id": id})),
            "pod": self.pod,
            "restart": self.restart,
        })
    }
}

/// The engine and the identifier, 64 hexadecimal digits, in a part of a control group's path.
fn container(part: &str) -> Option<(&'static str, &str)> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let is_id = |id: &&str| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut engines = ENGINES.into_iter();
    let named = engines.find_map(|(prefix, engine)| {
        let id = part.strip_prefix(prefix).filter(is_id)?;
        Some((engine, id))
    });
    // `/docker/ID` and `/kubepods/…/ID` of control groups without systemd.
    named.or_else(|| Some(("container", part)).filter(|(_, id)| is_id(id)))
}

/// The pod's identifier: `podUID` of cgroupfs, `kubepods-burstable-podUID.slice` of systemd.
fn pod(part: &str) -> Option<String> {
    let part = part.strip_suffix(".slice").unwrap_or(part);
    let (_, id) = part.rsplit_once("pod")?;
    let is_id = id.len() >= 32
        && id
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b"-_".contains(&b));
    is_id.then(|| id.replace('_', "-"))
}

/// What rolls the workload of a pod, where the pod's name tells the workload: of a Deployment or of a
/// StatefulSet. Nothing is named that deletes a pod, which might be one that nobody makes again.
fn of_pod(facts: &ProcessFacts) -> Option<String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
    let pod = text(facts.variable("HOSTNAME")?)?;
    let namespace = facts.visible.content(NAMESPACE).ok().and_then(text);
    let namespace = namespace.map_or(String::new(), |name| {
        format!("--namespace {} ", quoted(name.trim()))
    });
    let (rest, last) = pod.rsplit_once('-')?;
    let workload = if last.bytes().all(|byte| byte.is_ascii_digit()) && !last.is_empty() {
        format!("statefulset/{rest}")
    } else {
        let (name, hash) = rest.rsplit_once('-')?;
        let is_made = last.len() == 5 && (8..=10).contains(&hash.len());
        is_made.then(|| format!("deployment/{name}"))?
    };
    Some(format!(
        "kubectl {namespace}rollout restart {}",
        quoted(&workload)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::visible_files::VisibleFiles;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn of(control_group: &str, hostname: &str) -> Placement {
        let mut facts = ProcessFacts::new(VisibleFiles::own());
        facts.executable = b"/usr/bin/java".to_vec();
        facts.control_groups = format!("0::{control_group}\n").into_bytes();
        facts.environment = vec![format!("HOSTNAME={hostname}").into_bytes()];
        Placement::of(&facts)
    }

    fn restart(control_group: &str) -> Option<String> {
        of(control_group, "shop-7d9f8b6c5d-x2k4q").restart
    }

    #[test]
    fn services_are_restarted_by_their_systemd() {
        let shop = of("/system.slice/shop.service", "");
        assert_eq!(shop.program, "java");
        assert_eq!(shop.name(), "shop.service");
        assert_eq!(shop.restart.unwrap(), "systemctl restart shop.service");
        let instance = restart("/system.slice/system-web.slice/web@a\\x2db.service/worker");
        assert_eq!(instance.unwrap(), r"systemctl restart 'web@a\x2db.service'");
        let users = restart("/user.slice/user-0.slice/user@0.service/app.slice/shop.service");
        let told = "systemctl --user --machine=root@.host restart shop.service";
        assert_eq!(users.unwrap(), told);
        for nobody in [
            "/user.slice/user-1000.slice/session-2.scope",
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            "/user.slice/user-1000.slice/user@1000.service",
            "/",
            "",
        ] {
            assert_eq!(restart(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn containers_are_restarted_by_their_engine() {
        for (control_group, told) in [
            (
                format!("/system.slice/docker-{ID}.scope"),
                Some("docker restart 0123456789ab"),
            ),
            (
                format!("/machine.slice/libpod-{ID}.scope/container"),
                Some("podman restart 0123456789ab"),
            ),
            (format!("/docker/{ID}"), None),
            (format!("/system.slice/cri-containerd-{ID}.scope"), None),
        ] {
            let placement = of(&control_group, "");
            assert_eq!(placement.restart.as_deref(), told, "{control_group}");
            assert_eq!(placement.unit, None, "{control_group}");
            assert_eq!(placement.container.unwrap().1, ID);
        }
    }

    #[test]
    fn pods_are_rolled_where_their_workload_is_known() {
        let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-\
                     pod01234567_89ab_cdef_0123_456789abcdef.slice";
        let group = format!("{slice}/cri-containerd-{ID}.scope");
        let deployment = of(&group, "shop-7d9f8b6c5d-x2k4q");
        assert_eq!(
            deployment.pod.as_deref(),
            Some("01234567-89ab-cdef-0123-456789abcdef")
        );
        let told = "kubectl rollout restart deployment/shop";
        assert_eq!(deployment.restart.as_deref(), Some(told));
        let told = "kubectl rollout restart statefulset/db";
        assert_eq!(of(&group, "db-0").restart.as_deref(), Some(told));
        assert_eq!(of(&group, "alone").restart, None);
        assert_eq!(of(&group, "shop-x2k4q").restart, None);
        let cgroupfs = format!("/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/{ID}");
        assert_eq!(of(&cgroupfs, "").pod, deployment.pod);
    }
}

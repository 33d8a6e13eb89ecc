//! The name of the container, if something provides it.

use super::{Told, cgroup, kubernetes, names};
use crate::Process;
use alloc::string::String;

/// Where Podman says what it runs (podman-run(1)); only of some containers it tells the name.
const PODMAN: &[u8] = b"/run/.containerenv";

/// The container's name: by Kubernetes, by LXC's or systemd-nspawn's control group, by Podman.
pub fn name(process: &impl Process) -> Option<Told> {
    let of_group = || {
        let groups = process.control_groups();
        let name = cgroup::container(&groups)?;
        Some(Told::new(names::usable(name)?, "container", name))
    };
    kubernetes::container(process)
        .or_else(of_group)
        .or_else(|| podman(process))
}

fn podman(process: &impl Process) -> Option<Told> {
    if process.variable("container")? != b"podman" {
        return None;
    }
    let content = process.content(PODMAN)?;
    let mut lines = content.split(|byte| *byte == b'\n');
    let name = lines.find_map(|line| line.strip_prefix(b"name="))?;
    let name = name.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let name: String = names::usable(name)?;
    Some(Told::new(name, "Podman's", PODMAN))
}

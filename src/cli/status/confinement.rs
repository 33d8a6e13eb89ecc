//! What on this machine may keep the object or the agents from some processes: mounts without
//! execution, SELinux, AppArmor, and what systemd forbids its services.

use crate::install::apparmor;
use crate::status::findings::Finding;
use crate::status::preload_findings::files;
use rustix::fs::StatVfsMountFlags;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of units, in the order of systemd.unit(5).
const UNITS: [&str; 3] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
];

/// The types of files that confined domains may map for execution (SELinux's reference policy).
const LIBRARY_TYPES: [&str; 3] = [":lib_t:", ":textrel_shlib_t:", ":bin_t:"];

/// Folders that ProtectHome and PrivateTmp hide (systemd.exec(5)).
const HIDDEN: [&str; 5] = ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"];

/// All there is to say of an object; `agents` are the paths of agents.
pub fn findings(object: &Path, agents: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(noexec(object));
    findings.extend(selinux(object));
    findings.extend(apparmor());
    findings.extend(write_and_execute());
    let object = object.display().to_string();
    let paths = agents.iter().chain([&object]);
    findings.extend(paths.filter_map(|path| hidden(path)));
    findings
}

/// Whether a file lies where nothing may be mapped for execution.
pub fn is_noexec(file: &Path) -> bool {
    let system = rustix::fs::statvfs(file);
    system.is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

fn noexec(object: &Path) -> Option<Finding> {
    let what = format!(
        "{} lies on a file system that is mounted noexec",
        object.display()
    );
    is_noexec(object).then(|| {
        Finding::problem(
            "noexec",
            what,
            "move the object: no program can load it there",
        )
    })
}

fn selinux(object: &Path) -> Option<Finding> {
    const SELINUX: &str = "SELinux";
    if fs::read_to_string("/sys/fs/selinux/enforce").ok()?.trim() != "1" {
        return Some(Finding::note(SELINUX, "permissive"));
    }
    let mut buffer = [0; 256];
    let length = rustix::fs::getxattr(object, "security.selinux", &mut buffer).ok()?;
    let label = String::from_utf8_lossy(buffer.get(..length)?);
    let label = label.trim_end_matches('\0');
    let what = format!("enforcing; {} is {label}", object.display());
    Some(if LIBRARY_TYPES.iter().any(|name| label.contains(name)) {
        Finding::ok(SELINUX, what)
    } else {
        Finding::problem(
            SELINUX,
            format!("{what}: confined services may not load it"),
            format!(
                "{}; look for denials with `ausearch -m avc`",
                relabel(object)
            ),
        )
    })
}

/// How the object's folder gets a label that stays. The policy has one for `/usr/lib`.
fn relabel(object: &Path) -> String {
    let folder = object.parent().unwrap_or(object);
    let restore = format!("restorecon -R {}", folder.display());
    if ["/usr/lib", "/usr/lib64"]
        .iter()
        .any(|known| folder.starts_with(known))
    {
        return restore;
    }
    // A regular expression (semanage-fcontext(8)).
    let pattern = folder.display().to_string().replace('.', "\\.");
    format!("semanage fcontext -a -t lib_t '{pattern}(/.*)?' && {restore}")
}

fn apparmor() -> Option<Finding> {
    let profiles = fs::read_to_string("/sys/kernel/security/apparmor/profiles").ok()?;
    let count = profiles
        .lines()
        .filter(|line| line.ends_with("(enforce)"))
        .count();
    let profiles = match count {
        1 => "1 profile is".into(),
        _ => format!("{count} profiles are"),
    };
    if count == 0 {
        return None;
    }
    const APPARMOR: &str = "AppArmor";
    Some(if apparmor::is_allowed() {
        let what = format!(
            "{profiles} enforced; {} allows the object",
            apparmor::SNIPPET
        );
        Finding::ok(APPARMOR, what)
    } else {
        let what = format!("{profiles} enforced; some may not let their programs load the object");
        Finding::note(APPARMOR, what).with_next(
            "where the kernel log has DENIED: `opentelemetry-injector install --apparmor`",
        )
    })
}

fn write_and_execute() -> Option<Finding> {
    let units = UNITS.iter().flat_map(|folder| files(Path::new(folder), 2));
    let mut names: Vec<_> = units.filter(denies_write_execute).collect();
    names.dedup_by_key(|unit| unit.file_name().map(ToOwned::to_owned));
    let first = names.first()?.display();
    let with = "MemoryDenyWriteExecute";
    let units = match names.len() {
        1 => format!("{first} has {with}"),
        count => format!("{count} units have {with} ({first}…)"),
    };
    let what = format!("{units}: the direct engine works there, Gum is not used");
    Some(Finding::note("systemd", what))
}

fn denies_write_execute(unit: &PathBuf) -> bool {
    let text = fs::read_to_string(unit).unwrap_or_default();
    let value = |line: &str| {
        line.trim()
            .strip_prefix("MemoryDenyWriteExecute=")
            .map(str::to_owned)
    };
    let last = text.lines().filter_map(value).next_back();
    last.is_some_and(|value| ["yes", "true", "1", "on"].contains(&value.as_str()))
}

fn hidden(path: &str) -> Option<Finding> {
    let folder = HIDDEN.into_iter().find(|folder| path.starts_with(folder))?;
    let what = format!("{path}: services with ProtectHome or PrivateTmp do not see {folder}");
    Some(Finding::note("systemd", what).with_next("put it below /opt or /usr"))
}

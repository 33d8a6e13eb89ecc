//! `/proc/PID/cgroup` (cgroups(7)): the systemd unit and the container of a process.
//!
//! A line is `NUMBER:CONTROLLERS:PATH`; systemd's own hierarchy is number 0 of version 2, or
//! `name=systemd` of version 1.

use super::names;
use alloc::string::String;
use alloc::vec::Vec;

/// Units that start what is no service of theirs, or are none: sessions, user managers, containers'
/// engines, schedulers.
const NO_SERVICES: &str = "user session init run dbus cron crond atd anacron ssh sshd dropbear getty \
    serial-getty console-getty login systemd docker containerd crio cri-containerd libpod podman \
    conmon kubelet snapd supervisor supervisord runit s6 display-manager gdm gdm3 sddm lightdm \
    rescue emergency machine nspawn tmux app vte vscode code-server jupyter lxc lxd incus k3s buildkit \
    actions.runner gitlab-runner jenkins-agent emacs";

/// The path in systemd's hierarchy, else in that of version 2.
pub fn path(content: &[u8]) -> Option<&[u8]> {
    let of = |controllers: &[u8]| {
        content.split(|byte| *byte == b'\n').find_map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let number = parts.next()?;
            let named = parts.next()?;
            let path = parts.next()?;
            let is_it = named == controllers && (!controllers.is_empty() || number == b"0");
            is_it.then_some(path)
        })
    };
    // Where both are mounted, version 1 has the units.
    let legacy = of(b"name=systemd").filter(|path| path.len() > 1);
    legacy.or_else(|| of(b""))
}

/// The unit that the process belongs to, as systemd names it: the innermost service or scope.
///
/// A container's engine may put a whole system below a scope; units inside count then.
pub fn unit(content: &[u8]) -> Option<&[u8]> {
    let path = path(content)?;
    let is_unit = |part: &&[u8]| part.ends_with(b".service") || part.ends_with(b".scope");
    path.split(|byte| *byte == b'/').rfind(is_unit)
}

/// The name of the service that a unit is. Templates are called by their own name, or by their instance
/// where that is generic (`gunicorn@shop`); a scope only where a person has named it.
pub fn service(unit: &[u8]) -> Option<String> {
    let unit = unescaped(unit);
    let unit = core::str::from_utf8(&unit).ok()?;
    let (name, is_scope) = match unit.strip_suffix(".service") {
        Some(name) => (name, false),
        None => (unit.strip_suffix(".scope")?, true),
    };
    let (name, instance) = match name.split_once('@') {
        Some((name, instance)) => (name, Some(instance)),
        None => (name, None),
    };
    if is_none(name, is_scope) {
        return None;
    }
    let runs_others = is_runner(name) || names::worth(name) != names::Worth::Good;
    match instance {
        Some(instance) if runs_others => {
            let words = [instance.as_bytes(), name.as_bytes()];
            names::best(words.into_iter().take(1))
        }
        _ => names::usable(name.as_bytes()),
    }
}

/// Whether a unit is no service. What systemd and container engines name by themselves begins with a
/// word of theirs and a dash.
fn is_none(name: &str, is_scope: bool) -> bool {
    let mut known = NO_SERVICES.split_ascii_whitespace();
    known.any(|known| {
        let rest = name.strip_prefix(known);
        rest.is_some_and(|rest| match rest.as_bytes() {
            [] => true,
            [b'-', rest @ ..] => is_scope || is_made_up(known, rest),
            _ => is_scope && rest.starts_with(['.', ':']),
        })
    })
}

/// `run-u57`, `app-firefox`, `session-2`, `user-1000`, `dbus-:1.2-org.x`: units without a file.
fn is_made_up(known: &str, rest: &[u8]) -> bool {
    matches!(
        known,
        "run" | "app" | "dbus" | "session" | "user" | "systemd" | "vte" | "docker" | "libpod"
    ) && !rest.is_empty()
}

/// Templates that are called after what they run, not after whom they run it for.
fn is_runner(name: &str) -> bool {
    const RUNNERS: &str = "gunicorn uvicorn hypercorn uwsgi puma unicorn sidekiq celery php-fpm java \
                           tomcat pm2 node dotnet python ruby service container podman docker-compose \
                           compose flask django rails nodejs thin";
    RUNNERS
        .split_ascii_whitespace()
        .any(|runner| runner == name)
}

/// `\x2d` is a dash (systemd-escape(1)).
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = unit;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let code = code.and_then(|code| core::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (byte, code) {
            (b'\\', Some(code)) => {
                plain.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    plain
}

/// The container: the name that LXC or systemd-nspawn puts into the path.
pub fn container(content: &[u8]) -> Option<&[u8]> {
    let mut parts = path(content)?.split(|byte| *byte == b'/');
    parts.find_map(|part| {
        let lxc = part.strip_prefix(b"lxc.payload.");
        let nspawn = || {
            part.strip_prefix(b"systemd-nspawn@")?
                .strip_suffix(b".service")
        };
        lxc.or_else(nspawn)
    })
}

/// The identifier that an engine gave a container: the 64 hexadecimal digits in the path.
pub fn container_identifier(content: &[u8]) -> Option<&[u8]> {
    const LENGTH: usize = 64;
    let mut parts = path(content)?.rsplit(|byte| *byte == b'/');
    parts.find_map(|part| {
        let part = part.strip_suffix(b".scope").unwrap_or(part);
        let identifier = part.get(part.len().checked_sub(LENGTH)?..)?;
        identifier
            .iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(identifier)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> Option<String> {
        service(unit(["0::", path, "\n"].concat().as_bytes())?)
    }

    #[test]
    fn units_are_services_and_sessions_are_not() {
        for (path, wanted) in [
            ("/system.slice/shop.service", "shop"),
            ("/system.slice/shop.service/payload/worker", "shop"),
            ("/system.slice/system-shop.slice/shop@blue.service", "shop"),
            (
                "/system.slice/system-gunicorn.slice/gunicorn@shop.service",
                "shop",
            ),
            ("/system.slice/system-app.slice/app@shop.service", ""),
            ("/system.slice/system-sidekiq.slice/sidekiq@1.service", ""),
            ("/system.slice/shop\\x2dfront.service", "shop-front"),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service",
                "shop",
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x-1.scope",
                "",
            ),
            ("/user.slice/user-1000.slice/user@1000.service", ""),
            ("/user.slice/user-1000.slice/session-2.scope", ""),
            ("/system.slice/shop.scope", "shop"),
            ("/system.slice/run-u57.service", ""),
            ("/system.slice/run-r9f86d081884c7d65.scope", ""),
            ("/system.slice/cron.service", ""),
            ("/system.slice/ssh.service", ""),
            ("/system.slice/docker.service", ""),
            ("/system.slice/getty@tty1.service", ""),
            ("/system.slice/systemd-journald.service", ""),
            ("/system.slice/user-portal.service", ""),
            (
                "/system.slice/docker-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.scope",
                "",
            ),
            (
                "/machine.slice/libpod-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.scope",
                "",
            ),
            (
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-9f86.scope",
                "",
            ),
            ("/init.scope", ""),
            ("/", ""),
        ] {
            assert_eq!(name(path).unwrap_or_default(), wanted, "{path}");
        }
    }

    #[test]
    fn systemds_hierarchy_of_version_1_counts() {
        let content = b"12:pids:/x\n1:name=systemd:/system.slice/shop.service\n0::/else.service\n";
        assert_eq!(unit(content), Some(&b"shop.service"[..]));
        assert_eq!(
            unit(b"1:name=systemd:/\n0::/shop.service"),
            Some(&b"shop.service"[..])
        );
        assert_eq!(unit(b"3:cpu:/shop.service"), None);
        assert_eq!(unit(b"nonsense"), None);
    }

    #[test]
    fn containers_are_told_by_name_or_identifier() {
        let lxc = b"0::/lxc.payload.shop/system.slice/x.service";
        assert_eq!(container(lxc), Some(&b"shop"[..]));
        let nspawn = b"0::/machine.slice/systemd-nspawn@shop.service/payload";
        assert_eq!(container(nspawn), Some(&b"shop"[..]));
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for path in [
            ["0::/docker/", digest, ""],
            ["0::/x.slice/docker-", digest, ".scope"],
        ] {
            let content = path.concat();
            assert_eq!(
                container_identifier(content.as_bytes()),
                Some(digest.as_bytes())
            );
        }
        assert_eq!(container_identifier(b"0::/system.slice/shop.service"), None);
    }
}

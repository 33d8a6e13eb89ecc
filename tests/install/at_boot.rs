//! `install --at-boot` and `--retry`, in small machines of their own. A script stands in for systemctl(1).

use std::fs;
use std::os::unix::fs::symlink;
use support::machine;
use support::machine::{COMMAND, Machine, OBJECT, assert_done};
use support::root;

const UNIT: &str = "etc/systemd/system/opentelemetry-injector.service";
const LINK: &str = "etc/systemd/system/basic.target.wants/opentelemetry-injector.service";
const SHIPPED: &str = "usr/lib/systemd/system/opentelemetry-injector.service";

/// Starts what a unit names, as systemd does it, and writes down what it was asked for.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> /tmp/asked
run() {
    while read -r line; do
        case "$line" in "$1="*) eval "${line#*=}" || exit 1 ;; esac
    done < /etc/systemd/system/basic.target.wants/opentelemetry-injector.service
}
case "$1" in
    restart) run ExecStart ;;
    stop)
        # The unit is stopped while it is there.
        while read -r line; do
            case "$line" in ExecStop=*) eval "${line#*=}" || exit 1 ;; esac
        done < /etc/systemd/system/opentelemetry-injector.service ;;
esac
"#;

/// A machine with systemd, which is not running unless it is `booted`.
fn with_systemd(machine: &Machine, booted: bool) {
    machine.write("usr/lib/systemd/systemd", "");
    if booted {
        fs::create_dir_all(machine.path("run/systemd/system")).unwrap();
        machine.write("usr/bin/systemctl", SYSTEMCTL);
        machine.set_mode("usr/bin/systemctl", 0o755);
    }
}

/// Where the link that enables the unit leads to.
fn enabled(machine: &Machine) -> Option<String> {
    let target = fs::read_link(machine.path(LINK)).ok()?;
    Some(target.to_str().unwrap().to_owned())
}

fn status(machine: &Machine) -> String {
    machine.injector(&["status"]).stdout
}

#[test]
fn without_systemd_it_says_what_to_run_instead() {
    let machine = machine!();
    let outcome = machine.injector(&["install", "--at-boot"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(outcome.stderr.contains("needs systemd"), "{outcome:?}");
    assert!(outcome.stderr.contains("install --retry"), "{outcome:?}");
    assert_eq!(machine.preload_file(), None);
    assert!(!machine.path("etc/systemd").exists());
}

#[test]
fn a_system_that_is_not_running_gets_the_entry_at_its_next_boot() {
    let machine = machine!();
    with_systemd(&machine, false);
    let dry = machine.injector(&["install", "--at-boot", "--dry-run"]);
    assert_done(&dry);
    assert_eq!(enabled(&machine), None);

    let installed = machine.injector(&["install", "--at-boot"]);
    assert_done(&installed);
    assert!(
        installed.stdout.starts_with("as before with the object:"),
        "{installed:?}"
    );
    assert_eq!(machine.preload_file(), None);
    assert_eq!(enabled(&machine).unwrap(), format!("/{UNIT}"));
    let text = fs::read_to_string(root().join("packaging/opentelemetry-injector.service")).unwrap();
    assert_eq!(fs::read_to_string(machine.path(UNIT)).unwrap(), text);
    let told = "ok       at boot        opentelemetry-injector.service will try the object at the next boot\n";
    assert!(status(&machine).contains(told), "{}", status(&machine));

    let kept = machine.injector(&["uninstall", "--keep-at-boot"]);
    assert_done(&kept);
    assert!(enabled(&machine).is_some());
    let dry = machine.injector(&["uninstall", "--dry-run"]);
    assert!(dry.stdout.contains("would be disabled"), "{dry:?}");
    assert!(enabled(&machine).is_some());
    let uninstalled = machine.injector(&["uninstall"]);
    assert_done(&uninstalled);
    let said = "opentelemetry-injector.service is disabled: it no longer adds the object at boot\n\
                /etc/ld.so.preload has no entry of the injector\n";
    assert_eq!(uninstalled.stdout, said);
    assert_eq!(enabled(&machine), None);
    assert!(!machine.path(UNIT).exists());
}

#[test]
fn the_unit_of_a_package_is_used_unless_it_needs_options() {
    let machine = machine!();
    with_systemd(&machine, false);
    let text = fs::read(root().join("packaging/opentelemetry-injector.service")).unwrap();
    machine.write(SHIPPED, text);
    assert_done(&machine.injector(&["install", "--at-boot"]));
    assert_eq!(enabled(&machine).unwrap(), format!("/{SHIPPED}"));
    assert!(!machine.path(UNIT).exists());

    let options = ["install", "--at-boot", "--object", OBJECT];
    assert_done(&machine.injector(&[&options[..], &["--accept-32-bit-errors"]].concat()));
    assert_eq!(enabled(&machine).unwrap(), format!("/{UNIT}"));
    let own = fs::read_to_string(machine.path(UNIT)).unwrap();
    let line =
        format!("ExecStart={COMMAND} install --retry --object {OBJECT} --accept-32-bit-errors\n");
    assert!(own.contains(&line), "{own}");
    assert_done(&machine.injector(&["uninstall"]));
    assert!(machine.path(SHIPPED).exists() && !machine.path(UNIT).exists());

    // The administrator's word counts.
    machine.write(UNIT, "[Service]\nExecStart=/bin/true\n");
    assert_done(&machine.injector(&["install", "--at-boot"]));
    assert_done(&machine.injector(&["uninstall"]));
    assert!(machine.path(UNIT).exists());
    fs::remove_file(machine.path(UNIT)).unwrap();
    symlink("/dev/null", machine.path(UNIT)).unwrap();
    let masked = machine.injector(&["install", "--at-boot"]);
    assert_eq!(masked.code, 1, "{masked:?}");
    assert!(masked.stderr.contains("is masked"), "{masked:?}");
    assert_eq!(enabled(&machine), None);
}

#[test]
fn where_systemd_runs_the_unit_adds_the_entry_and_takes_it_out() {
    let machine = machine!();
    with_systemd(&machine, true);
    machine.write("etc/ld.so.preload", "# foreign\n");
    let installed = machine.injector(&["install", "--at-boot"]);
    assert_done(&installed);
    assert!(
        installed
            .stdout
            .contains("opentelemetry-injector.service has added it to /etc/ld.so.preload"),
        "{installed:?}"
    );
    let with_entry = format!("# foreign\n{OBJECT}\n");
    assert_eq!(machine.preload_file().unwrap(), with_entry);
    assert!(machine.loads_object());
    let told = "ok       at boot        opentelemetry-injector.service tries the object before";
    assert!(status(&machine).contains(told), "{}", status(&machine));
    let again = machine.injector(&["install", "--at-boot"]);
    assert_done(&again);
    assert_eq!(machine.preload_file().unwrap(), with_entry);

    // What the unit does at shutdown.
    assert_done(&machine.injector(&["uninstall", "--keep-at-boot"]));
    assert_eq!(machine.preload_file().unwrap(), "# foreign\n");
    let told = "is enabled, but has not added the object";
    assert!(status(&machine).contains(told), "{}", status(&machine));

    assert_done(&machine.injector(&["uninstall"]));
    assert_eq!(enabled(&machine), None);
    let asked = fs::read_to_string(machine.path("tmp/asked")).unwrap();
    let asked = asked.lines().filter(|line| !line.starts_with("--"));
    let restart = ["daemon-reload", "restart opentelemetry-injector.service"];
    let expected = [
        &restart[..],
        &restart[..],
        &["stop opentelemetry-injector.service", "daemon-reload"],
    ];
    assert_eq!(asked.collect::<Vec<_>>(), expected.concat());
}

#[test]
fn an_object_that_harms_is_not_enabled() {
    let machine = machine!();
    with_systemd(&machine, true);
    machine.install_hostile_object(&["-DHARM=abort()"]);
    let outcome = machine.injector(&["install", "--at-boot"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("signal 6"), "{outcome:?}");
    assert_eq!((enabled(&machine), machine.preload_file()), (None, None));
}

#[test]
fn a_unit_that_fails_is_disabled_again() {
    let machine = machine!();
    with_systemd(&machine, true);
    let fails = "#!/bin/sh\n[ \"$1\" != restart ]\n";
    machine.write("usr/bin/systemctl", fails);
    machine.set_mode("usr/bin/systemctl", 0o755);
    let outcome = machine.injector(&["install", "--at-boot"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("`journalctl -u opentelemetry-injector.service` has the reason"),
        "{outcome:?}"
    );
    assert_eq!((enabled(&machine), machine.preload_file()), (None, None));
    assert!(!machine.path(UNIT).exists());
}

#[test]
fn a_second_trial_takes_out_what_no_longer_works_and_nothing_else() {
    let machine = machine!();
    let foreign = "# foreign\n";
    machine.write("etc/ld.so.preload", foreign);
    // Without an entry it is a first one.
    assert_done(&machine.injector(&["install", "--retry"]));
    let with_entry = format!("{foreign}{OBJECT}\n");
    assert_eq!(machine.preload_file().unwrap(), with_entry);
    let again = machine.injector(&["install", "--retry"]);
    assert_done(&again);
    assert!(again.stdout.starts_with("as before with"), "{again:?}");
    assert_eq!(machine.preload_file().unwrap(), with_entry);
    assert!(machine.loads_object());
    let working = fs::read(machine.path(OBJECT)).unwrap();
    for spoil in [
        |machine: &Machine| machine.write(OBJECT, "not an object"),
        |machine: &Machine| machine.install_hostile_object(&["-DHARM=puts(\"hello\")"]),
        |machine: &Machine| fs::remove_file(machine.path(OBJECT)).unwrap(),
    ] {
        spoil(&machine);
        let outcome = machine.injector(&["install", "--retry"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        let told = "the entry was removed from /etc/ld.so.preload\n";
        assert!(outcome.stderr.ends_with(told), "{outcome:?}");
        assert_eq!(machine.preload_file().unwrap(), foreign);
        machine.assert_programs_start();
        machine.write(OBJECT, &working);
        assert_done(&machine.injector(&["install", "--retry"]));
    }
}

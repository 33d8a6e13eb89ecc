//! Whether the object is tried at each boot before programs load it.

use crate::install::at_boot::{self, State, UNIT};
use crate::status::findings::Finding;
use crate::status::preload_findings;
use opentelemetry_injector_policy::formats::preload_file::PATH;

const AT_BOOT: &str = "at boot";

/// What there is to say: nothing where nothing is installed and no unit is enabled.
pub fn findings() -> Option<Finding> {
    let is_installed = preload_findings::is_installed();
    match at_boot::state() {
        State::Enabled if is_installed => {
            let what = format!("{UNIT} tries the object before it adds it to {PATH}");
            Some(Finding::ok(AT_BOOT, what))
        }
        State::Enabled if at_boot::is_booted() => Some(Finding::problem(
            AT_BOOT,
            format!("{UNIT} is enabled, but has not added the object to {PATH}"),
            format!("`journalctl -b -u {UNIT}` has the reason; then `systemctl restart {UNIT}`"),
        )),
        State::Enabled => {
            let what = format!("{UNIT} will try the object at the next boot");
            Some(Finding::ok(AT_BOOT, what))
        }
        State::Missing => Some(Finding::problem(
            AT_BOOT,
            format!("{UNIT} is enabled, but does not exist"),
            "opentelemetry-injector install --at-boot, or uninstall",
        )),
        State::Disabled if is_installed && at_boot::has_systemd() => {
            let what = "programs load the object from the start: it is not tried at boot";
            Some(Finding::note(AT_BOOT, what).with_next("opentelemetry-injector install --at-boot"))
        }
        State::Disabled => None,
    }
}

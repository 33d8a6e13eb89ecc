//! Who started the process: a supervisor that reveals itself, else systemd.

use super::{Told, cgroup, names};
use crate::Process;
use crate::matching::texts;
use crate::process::{directory, file_name};

/// Folders that runit and s6 keep one folder for each service in; a service starts in its own.
const SERVICE_FOLDERS: &str = "/etc/sv /etc/service /service /var/service /run/service \
                               /run/s6/services /var/run/s6/services";

/// The name that a supervisor or systemd gives.
pub fn name(process: &impl Process) -> Option<Told> {
    supervisord(process)
        .or_else(|| pm2(process))
        .or_else(|| service_folder(process))
        .or_else(|| unit(process))
}

/// Source: "Subprocess Environment" in supervisord's manual. A program with several processes is a
/// group, and its name that of the program.
fn supervisord(process: &impl Process) -> Option<Told> {
    let variables = ["SUPERVISOR_GROUP_NAME", "SUPERVISOR_PROCESS_NAME"];
    variables.into_iter().find_map(|variable| {
        let value = process.variable(variable)?;
        Some(Told::new(names::usable(&value)?, variable, ""))
    })
}

/// pm2 gives its processes their name and number in the environment.
fn pm2(process: &impl Process) -> Option<Told> {
    process.variable("pm_id")?;
    let name = process.variable("name")?;
    Some(Told::new(names::usable(&name)?, "pm2's process", name))
}

fn service_folder(process: &impl Process) -> Option<Told> {
    let folder = process.working_directory();
    let is_services = texts::has(SERVICE_FOLDERS, directory(&folder));
    is_services.then_some(())?;
    let name = names::usable(file_name(&folder))?;
    Some(Told::new(name, "service folder", folder))
}

fn unit(process: &impl Process) -> Option<Told> {
    let groups = process.control_groups();
    let unit = cgroup::unit(&groups)?;
    Some(Told::new(cgroup::service(unit)?, "systemd unit", unit))
}

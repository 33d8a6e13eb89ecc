//! .NET: the assembly.

use super::{Told, paths};
use crate::Process;
use crate::runtimes::dotnet::application::is_launcher;

/// The name of what a .NET process runs.
pub fn name(process: &impl Process) -> Option<Told> {
    let arguments = process.arguments();
    if is_launcher(process) {
        let is_assembly = |argument: &&alloc::vec::Vec<u8>| argument.ends_with(b".dll");
        let assembly = arguments.iter().skip(1).find(is_assembly)?;
        return paths::of_program(assembly, process, "assembly");
    }
    // The application's own launcher has its assembly's name.
    paths::of_program(&process.program(), process, "program")
}

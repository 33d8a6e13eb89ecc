//! .NET: the assembly.

use super::{Told, paths};
use crate::Process;
use crate::process::file_name;

/// The name of what a .NET process runs.
pub fn name(process: &impl Process) -> Option<Told> {
    let arguments = process.arguments();
    let launcher = file_name(arguments.first()?);
    if launcher == b"dotnet" {
        let is_assembly = |argument: &&alloc::vec::Vec<u8>| argument.ends_with(b".dll");
        let assembly = arguments.iter().skip(1).find(is_assembly)?;
        return paths::of_program(assembly, process, "assembly");
    }
    // The application's own launcher has its assembly's name.
    paths::of_program(&process.program(), process, "program")
}

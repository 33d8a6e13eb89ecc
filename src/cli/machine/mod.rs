//! What is read of the machine: processes, programs, loaders, and the preload object; and how files are changed.

pub mod configuration_files;
pub mod default_agents;
pub mod environment;
pub mod file_changes;
pub mod getenv_hook;
pub mod loaders;
pub mod object_notes;
pub mod possible_process;
pub mod preload_object;
pub mod preload_sources;
pub mod proc_files;
pub mod proc_formats;
pub mod process_facts;
pub mod process_state;
pub mod process_status;
pub mod processes;
pub mod program_file;
pub mod programs;
pub mod tls;
pub mod visible_files;

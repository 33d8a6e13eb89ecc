//! `install` and `uninstall` in small machines of their own.

mod agents;
mod at_boot;
mod command_alone;
mod confined;
mod failures;
mod hosts;
mod refusals;
mod rivals;
mod round_trip;

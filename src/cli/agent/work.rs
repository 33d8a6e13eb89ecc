//! What all steps of an installation need.

use crate::agent::interrupt::Interrupt;
use crate::agent::places::Places;
use crate::agent::progress::Progress;
use std::path::PathBuf;

/// Whom to tell, and when to stop.
pub struct Work {
    /// Where agents are.
    pub places: Places,
    /// The folder of the same version, where it is installed already and may lack something.
    pub present: Option<PathBuf>,
    /// Whether a signal came.
    pub interrupt: Interrupt,
    /// What is being done.
    pub progress: Progress,
}

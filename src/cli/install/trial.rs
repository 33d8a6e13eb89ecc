//! The trial before an installation: programs with the object do what they do without it.

use crate::install::error::InstallError;
use crate::install::private_etc;
use crate::install::trial_programs::{self, Kind, Program};
use crate::install::trials::{self, Circumstances, Outcome};
use crate::machine::loaders::Loaders;
use std::io;
use std::path::Path;

/// The programs that are tried, and what they do without the object.
pub struct Trial<'t> {
    object: &'t Path,
    programs: Vec<(Program, Outcome)>,
    skipped: Vec<String>,
    accept_32_bit_errors: bool,
}

impl<'t> Trial<'t> {
    /// Starts each program without the object.
    pub fn new(object: &'t Path, loaders: &Loaders, accept_32_bit_errors: bool) -> Self {
        let mut skipped = Vec::new();
        let mut programs: Vec<_> = trial_programs::all(loaders)
            .into_iter()
            .map(|program| {
                let outcome = trials::run(&program, &Circumstances::default());
                (program, outcome)
            })
            .collect();
        // An image for another machine; a kernel without programs of 32 bits.
        programs.retain(|(program, outcome)| {
            if let Outcome::NotStarted(_) = outcome {
                skipped.push(format!("{}: {outcome}", program.label));
            }
            !matches!(outcome, Outcome::NotStarted(_))
        });
        Self {
            object,
            programs,
            skipped,
            accept_32_bit_errors,
        }
    }

    /// Fails where no program can be started: on the machine that this command runs on, it is short of memory, files
    /// or processes (getrlimit(2)). (An image may be for another machine.)
    ///
    /// # Errors
    /// Why the first one could not be.
    pub fn check_that_programs_start(&self) -> Result<(), InstallError> {
        match self.skipped.first() {
            Some(skipped) if self.programs.is_empty() => {
                Err(InstallError::NothingTried(skipped.clone()))
            }
            _ => Ok(()),
        }
    }

    /// By LD_PRELOAD, which reaches the programs that are started here and no others.
    ///
    /// # Errors
    /// A program differs, or does not load the object.
    pub fn try_by_variable(&mut self) -> Result<(), InstallError> {
        let circumstances = Circumstances::with_object(self.object);
        let mut unsteady = Vec::new();
        for (program, before) in &self.programs {
            // Set-id programs take no object with a `/` from there (ld.so(8)).
            if program.kind == Kind::SetId {
                continue;
            }
            let now = trials::run(program, &circumstances);
            if let Err(problem) = self.judge(program, before, &now) {
                // It may be a program that gives different results in two runs without the object.
                let again = trials::run(program, &Circumstances::default());
                match trials::compare(before, &again) {
                    Some(_) => unsteady.push(program.label.clone()),
                    None => return Err(problem),
                }
            }
        }
        self.programs
            .retain(|(program, _)| !unsteady.contains(&program.label));
        let words = unsteady
            .iter()
            .map(|label| format!("{label}: its results differ without the object, too"));
        self.skipped.extend(words);
        Ok(())
    }

    /// By a preload file that only the programs that are started here see.
    ///
    /// # Errors
    /// A program differs, or does not load the object.
    pub fn try_by_file(&mut self, before: &[u8], after: &[u8]) -> Result<(), InstallError> {
        let tried = private_etc::with(|| -> io::Result<Result<(), InstallError>> {
            private_etc::write_preload_file(before)?;
            let run = |program| trials::run(program, &Circumstances::default());
            let programs = self.programs.iter().map(|(program, _)| program);
            let befores: Vec<_> = programs.map(run).collect();
            private_etc::write_preload_file(after)?;
            let programs = self.programs.iter().zip(befores);
            for ((program, _), before) in programs {
                if let Err(problem) = self.judge(program, &before, &run(program)) {
                    return Ok(Err(problem));
                }
            }
            Ok(self.is_loaded())
        });
        match tried.flatten() {
            Ok(result) => result,
            Err(error) => {
                let why = "there is no mount namespace for the trial of the preload file";
                self.skipped.push(format!("{why}: {error}"));
                Ok(())
            }
        }
    }

    /// With the preload file in place: new programs do what they did before, and load the object.
    ///
    /// # Errors
    /// A program differs, or does not load the object.
    pub fn verify(&self) -> Result<(), InstallError> {
        for (program, before) in &self.programs {
            // Those of the runtimes, which take long, have been tried.
            if !matches!(program.kind, Kind::Runtime(_)) {
                let now = trials::run(program, &Circumstances::default());
                self.judge(program, before, &now)?;
            }
        }
        self.is_loaded()
    }

    fn judge(
        &self,
        program: &Program,
        before: &Outcome,
        now: &Outcome,
    ) -> Result<(), InstallError> {
        match trials::compare(before, now) {
            None => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits && self.accept_32_bit_errors => Ok(()),
            Some(_) if program.kind == Kind::Of32Bits => {
                Err(InstallError::Of32Bits(program.path.clone()))
            }
            Some(difference) => Err(InstallError::Trial(program.label.clone(), difference)),
        }
    }

    /// Whether the preload file brings the object into programs: into one of root's at least, and
    /// into the same one of another user.
    fn is_loaded(&self) -> Result<(), InstallError> {
        let is_loaded = |program: &&Program| trials::is_loaded(program, Circumstances::default());
        let of = |kind| {
            let programs = self.programs.iter().map(|(program, _)| program);
            programs.filter(move |program| program.kind == kind)
        };
        let Some(root) = of(Kind::Ordinary).find(is_loaded) else {
            return if self.programs.is_empty() {
                Ok(())
            } else {
                Err(InstallError::NotLoaded)
            };
        };
        let users = of(Kind::OfUser).filter(|users| users.path == root.path);
        if users.into_iter().all(|users| is_loaded(&users)) {
            Ok(())
        } else {
            Err(InstallError::NotLoaded)
        }
    }

    /// What was tried, and what could not be.
    pub fn report(&self) -> String {
        let labels = self
            .programs
            .iter()
            .map(|(program, _)| program.label.as_str());
        let labels: Vec<_> = labels.collect();
        let mut report = if labels.is_empty() {
            String::from("no program could be tried\n")
        } else {
            format!("as before with the object: {}\n", labels.join(", "))
        };
        for skipped in &self.skipped {
            report += &format!("skipped: {skipped}\n");
        }
        report
    }
}

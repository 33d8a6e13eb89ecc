//! `load`: more of everything than a machine usually has, with the hooks in place. One line for each
//! item: its name, its figures, ok or failed. Exits with 1 where one has failed.

use clap::Parser;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;
use support::{Scene, stdout};

/// Runs programs with the hooks in place by the ten thousand, and looks for what they leave behind.
#[derive(Parser)]
struct Options {
    /// The engine: direct or gum
    #[arg(long, default_value = "direct")]
    engine: String,
    /// Programs executed one after the other
    #[arg(long, default_value_t = 100_000)]
    execs: u64,
    /// Programs alive at the same time
    #[arg(long, default_value_t = 1_000)]
    at_once: usize,
    /// Threads that ask
    #[arg(long, default_value_t = 64)]
    threads: u64,
    /// Calls of getenv in each thread
    #[arg(long, default_value_t = 100_000_000)]
    calls: u64,
    /// Processes of the fork bomb
    #[arg(long, default_value_t = 2_000)]
    processes: u64,
}

/// How much more memory may be resident after the load than after its first hundredth, in kB: what
/// the C library's and the kernel's own bookkeeping needs.
const FLAT: u64 = 256;

/// In the environment of everything that is started, so that nothing left is overlooked.
const MARK: &str = "OPENTELEMETRY_INJECTOR_TEST_LOAD";

fn main() -> ExitCode {
    let options = Options::parse();
    let load = Load::new(&options);
    println!("engine {}", options.engine);
    let outcomes = [
        load.execs_in_a_row(options.execs),
        load.programs_at_once(options.at_once),
        load.threads_asking(options.threads, options.calls),
        load.fork_bomb(options.processes),
        load.nothing_left(),
    ];
    if outcomes.iter().all(|fine| *fine) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Load {
    scene: Scene,
    engine: String,
    mark: String,
    answered: PathBuf,
}

/// Tells how an item went.
fn tell(name: &str, fine: bool, figures: &str) -> bool {
    let outcome = if fine { "ok" } else { "failed" };
    println!("{name:<22} {outcome:<7} {figures}");
    fine
}

impl Load {
    fn new(options: &Options) -> Self {
        let scene = Scene::new();
        Self {
            answered: scene.compile("load/answered"),
            mark: std::process::id().to_string(),
            engine: options.engine.clone(),
            scene,
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = self.scene.command(program, &self.engine);
        command
            .env(MARK, &self.mark)
            .env("WANTED", self.scene.injected());
        command
    }

    fn execs_in_a_row(&self, count: u64) -> bool {
        let mut command = self.command(&self.answered);
        let mut failed = 0;
        let mut before = None;
        let start = Instant::now();
        for round in 0..count {
            if round == count / 100 {
                before = Some(Own::now());
            }
            let ended = command.status();
            failed += u64::from(!ended.is_ok_and(|status| status.success()));
        }
        let seconds = start.elapsed().as_secs_f64();
        let (before, after) = (before.unwrap_or_else(Own::now), Own::now());
        let figures = format!(
            "{count} execs, {failed} failed, {:.0} µs each; {}",
            seconds * 1e6 / count.max(1) as f64,
            before.to(&after)
        );
        tell(
            "execs in a row",
            failed == 0 && before.is_flat(&after),
            &figures,
        )
    }

    fn programs_at_once(&self, count: usize) -> bool {
        let before = Own::now();
        let start = Instant::now();
        let mut running: Vec<Child> = (0..count).filter_map(|_| self.start()).collect();
        let ready = running.iter_mut().filter_map(says_ready).count();
        let memory = running
            .first()
            .map_or(0, |child| Own::of(&child.id().to_string()).memory);
        let mut ended_well = 0;
        for mut child in running.drain(..) {
            // Its standard input ends.
            drop(child.stdin.take());
            ended_well += usize::from(child.wait().is_ok_and(|status| status.success()));
        }
        let after = Own::now();
        let figures = format!(
            "{ready} of {count} alive at once, {ended_well} ended well, {:.1} s, {memory} kB each; {}",
            start.elapsed().as_secs_f64(),
            before.to(&after)
        );
        let fine = ready == count && ended_well == count && before.descriptors == after.descriptors;
        tell("programs at once", fine, &figures)
    }

    fn start(&self) -> Option<Child> {
        let mut command = self.command(&self.answered);
        command
            .arg("wait")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.spawn().ok()
    }

    fn threads_asking(&self, threads: u64, calls: u64) -> bool {
        let program = self.scene.compile("load/asking_threads");
        let arguments = [threads.to_string(), calls.to_string()];
        let figures = self.figures(&program, &arguments);
        let [wrong, seconds, before, after, open_before, open_after] = figures[..] else {
            return tell("threads asking", false, "it did not end well");
        };
        let fine = wrong == 0.0 && after <= before + FLAT as f64 && open_before == open_after;
        let figures = format!(
            "{threads} threads, {calls} calls each, {wrong} wrong, {seconds:.1} s, {:.2} ns a call; \
             {before} kB before, {after} kB after, {open_before} descriptors before, {open_after} after",
            seconds * 1e9 / (threads * calls) as f64
        );
        tell("threads asking", fine, &figures)
    }

    fn fork_bomb(&self, processes: u64) -> bool {
        let program = self.scene.compile("load/fork_bomb");
        let start = Instant::now();
        let figures = self.figures(&program, &[processes.to_string()]);
        let [alive, wrong, lost] = figures[..] else {
            return tell("fork bomb", false, "it did not end well");
        };
        let fine = alive == processes as f64 && wrong == 0.0 && lost == 0.0;
        let figures = format!(
            "{alive} processes alive at once, {wrong} wrong, {lost} lost, {:.1} s",
            start.elapsed().as_secs_f64()
        );
        tell("fork bomb", fine, &figures)
    }

    /// The numbers that a program prints.
    fn figures(&self, program: &Path, arguments: &[String]) -> Vec<f64> {
        let output = self.command(program).args(arguments).output();
        let printed = output.map(|output| stdout(&output)).unwrap_or_default();
        printed
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    }

    /// Whether every process of this run is gone, reaped, and holds no file lock (proc(5)).
    fn nothing_left(&self) -> bool {
        let mark = format!("{MARK}={}", self.mark);
        let is_ours = |process: &String| {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            let mut entries = environment.split(|byte| *byte == 0);
            entries.any(|entry| entry == mark.as_bytes())
        };
        let is_child = |process: &String| {
            let parent = format!("PPid:\t{}", self.mark);
            let status = fs::read_to_string(format!("/proc/{process}/status"));
            status.is_ok_and(|status| status.lines().any(|line| line == parent))
        };
        let all = names("/proc");
        let running = all.iter().filter(|process| is_ours(process)).count();
        let zombies = all.iter().filter(|process| is_child(process)).count();
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let holds = |line: &&str| line.split_whitespace().any(|word| word == self.mark);
        let locks = locks.lines().filter(holds).count();
        let files = names(self.scene.folder.path());
        // Sources are elsewhere: programs, the configuration and the stand-in for an agent.
        let foreign = files.iter().filter(|name| !name.ends_with("-cc")).count() - 2;
        let figures = format!(
            "{running} processes running, {zombies} zombies, {locks} file locks, {foreign} files"
        );
        let fine = running + zombies + locks + foreign == 0;
        tell("nothing left", fine, &figures)
    }
}

fn says_ready(child: &mut Child) -> Option<()> {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut()?)
        .read_line(&mut line)
        .ok()?;
    (line == "ready\n").then_some(())
}

fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// What a process holds at a moment.
struct Own {
    /// Resident memory in kB (VmRSS, proc(5)).
    memory: u64,
    descriptors: usize,
}

impl Own {
    fn now() -> Self {
        Self::of("self")
    }

    fn of(process: &str) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        Self {
            memory: memory.unwrap_or(0),
            descriptors: names(format!("/proc/{process}/fd")).len(),
        }
    }

    fn is_flat(&self, after: &Self) -> bool {
        after.memory <= self.memory + FLAT && after.descriptors == self.descriptors
    }

    fn to(&self, after: &Self) -> String {
        format!(
            "{} kB before, {} kB after, {} descriptors before, {} after",
            self.memory, after.memory, self.descriptors, after.descriptors
        )
    }
}

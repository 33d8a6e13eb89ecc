//! `bench`: what the preload object costs, as ratios taken in one run.
//!
//! Every variant of a section is measured once within each round, in an order drawn anew, so that
//! whatever else the machine does, and what the variant before has left in its caches, meets all of
//! them. Prints Markdown. `--quick` takes a tenth of the rounds, and `--rules` measures rules and derived
//! names alone.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use support::{Scene, engines, object, root, succeed};

fn main() {
    let is_given = |option: &str| std::env::args().any(|argument| argument == option);
    let quick = is_given("--quick");
    let rounds = |many: usize| if quick { many / 10 } else { many };
    let scene = Scene::new();
    let mut variants = variants(&scene);
    let gum = variants.pop_if(|variant| variant.name.ends_with("gum"));
    let title = "One exec of an empty program";
    if !is_given("--rules") {
        exec(title, &scene, rounds(3000), &variants);
        // Apart: what Gum leaves in the caches would be charged to whichever comes next.
        if let Some(gum) = gum {
            variants.truncate(2);
            variants.push(gum);
            exec(title, &scene, rounds(1000), &variants);
        }
        getenv(&scene, rounds(30).max(3));
        threads(&scene, rounds(30).max(3));
        refused(&scene, rounds(30).max(3));
        jvm(rounds(20).max(2));
    }
    variants.truncate(2);
    variants.extend(ruled(&scene, "jvm", &scene.agent));
    let title = "One exec of an empty program that is not injected, with rules";
    exec(title, &scene, rounds(2000), &variants);
    named(rounds(100));
}

/// One way to start a program.
struct Variant {
    name: String,
    environment: Vec<(&'static str, PathBuf)>,
}

fn variants(scene: &Scene) -> Vec<Variant> {
    let empty = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
    let missing = scene.path("no-such.toml");
    let mut variants = vec![
        variant("no preload object", []),
        variant("empty preload object", [("LD_PRELOAD", empty)]),
        variant("ours, no configuration", ours(scene, &missing, "direct")),
    ];
    for engine in engines() {
        let name = format!("ours, hooks in place, {engine}");
        variants.push(variant(&name, ours(scene, &scene.configuration, engine)));
    }
    variants
}

fn ours(scene: &Scene, configuration: &Path, engine: &str) -> [(&'static str, PathBuf); 3] {
    [
        ("LD_PRELOAD", installed(scene)),
        ("OPENTELEMETRY_INJECTOR_CONFIGURATION", configuration.into()),
        ("OPENTELEMETRY_INJECTOR_ENGINE", engine.into()),
    ]
}

/// The preload object, written in one go, as whoever installs it writes it. The linker writes it in pieces, and
/// what the kernel then keeps of the file costs each process more page faults.
fn installed(scene: &Scene) -> PathBuf {
    let built = object();
    for name in [
        "libopentelemetry_injector.so",
        "libopentelemetry_injector_gum.so",
    ] {
        let (from, to) = (built.with_file_name(name), scene.path(name));
        if from.exists() && !to.exists() {
            std::fs::write(to, std::fs::read(from).expect("read the object")).expect("install it");
        }
    }
    scene.path("libopentelemetry_injector.so")
}

fn variant<const N: usize>(name: &str, environment: [(&'static str, PathBuf); N]) -> Variant {
    Variant {
        name: name.to_owned(),
        environment: environment.into(),
    }
}

impl Variant {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        // As many variables as a process usually has.
        for index in 0..25 {
            command.env(format!("VARIABLE_{index}"), "some value");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }
}

/// An order of the variants for each round, from a fixed seed (xorshift64).
fn orders(rounds: usize, variants: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..rounds).map(move |_| {
        let mut order: Vec<usize> = (0..variants).collect();
        order.sort_by_cached_key(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        });
        order
    })
}

/// Measured values of one variant.
#[derive(Default)]
struct Samples(Vec<f64>);

impl Samples {
    fn median(&mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[self.0.len() / 2]
    }

    fn minimum(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The object with its hooks in place, and without and with rules and derived names. No rule matches.
fn ruled(scene: &Scene, section: &str, agent: &str) -> Vec<Variant> {
    let rules = |matches: [&str; 4]| {
        let rules = (0..20).map(|index| {
            let matched = matches[index % 4];
            format!("[[rule]]\nmatch = {{ {matched} }}\nservice_name = 'shop-{index}'\n")
        });
        rules.collect::<String>()
    };
    let plain = [
        "runtime = 'erlang'",
        "arguments = '*shop*.jar'",
        "environment = { STAGE = 'canary-*' }",
        "executable = 'beam*', arguments = 'x'",
    ];
    let asking = [
        "unit = 'shop-*.service'",
        "working_directory = '/srv/shop/*'",
        "user = 'shop'",
        "executable = '/opt/shop/*'",
    ];
    let rows = [
        (
            "names off",
            "service_name = 'off'\n".to_owned(),
            String::new(),
        ),
        ("names derived", String::new(), String::new()),
        ("20 rules on the command line", String::new(), rules(plain)),
        ("20 rules that ask the kernel", String::new(), rules(asking)),
    ];
    let variants = rows.map(|(name, before, behind)| {
        let path = scene.path(&format!("{}.toml", name.replace(' ', "-")));
        let text = format!("{before}[{section}]\nagent_path = '{agent}'\n{behind}");
        std::fs::write(&path, text).expect("write a configuration");
        variant(&format!("ours, {name}"), ours(scene, &path, "direct"))
    });
    variants.into()
}

/// A Ruby that is injected, with an agent that does nothing: what the injection itself takes.
fn named(rounds: usize) {
    if !support::has("ruby") {
        println!("skipped: an injected start, for lack of ruby");
        return;
    }
    let scene = Scene::new();
    let write = |name: &str, text: &str| {
        std::fs::write(scene.path(name), text).expect("write a file");
        scene.path(name)
    };
    let boot = object().with_file_name("boot");
    std::os::unix::fs::symlink(boot, scene.path("boot")).expect("link the boot files");
    let agent = write("agent.rb", "INJECTED = true\n");
    write("minimum_ruby_version", "1.9\n");
    std::fs::create_dir_all(scene.path("shop/config")).expect("make a folder");
    write("shop/config/application.rb", "module Shop\nend\n");
    write("shop/puma", "");
    let ruby = Path::new("/usr/bin/ruby");
    let mut variants = vec![variant("no preload object", [])];
    variants.extend(ruled(
        &scene,
        "ruby",
        agent.to_str().expect("a path in UTF-8"),
    ));
    let check = write("check.rb", "print defined?(INJECTED) ? 1 : 0\n");
    for (index, variant) in variants.iter().enumerate() {
        let told = succeed(variant.command(ruby).arg(&check));
        assert_eq!(told == "1", index > 0, "{}: {told}", variant.name);
    }
    let title = "One start of Ruby with an agent that does nothing";
    starts(title, rounds, &variants, (1, "names off"), 2, |variant| {
        let mut command = variant.command(ruby);
        command.arg("puma").current_dir(scene.path("shop"));
        command
    });
    println!();
}

/// Starts of programs that take milliseconds, as ratios to those of one of the variants: its index and what it is
/// called. Times have so many `decimals`.
fn starts(
    title: &str,
    rounds: usize,
    variants: &[Variant],
    (base, name): (usize, &str),
    decimals: usize,
    command: impl Fn(&Variant) -> Command,
) {
    let mut times: Vec<Samples> = variants.iter().map(|_| Samples::default()).collect();
    for order in orders(rounds, variants.len()) {
        for index in order {
            let (time, _) = run(&mut command(&variants[index])).expect("the program runs");
            times[index].0.push(time / 1000.0);
        }
    }
    println!("### {title} ({rounds} rounds)\n");
    println!("| | median ms | × {name} | minimum ms | × {name} |");
    println!("|---|---|---|---|---|");
    let base = (times[base].median(), times[base].minimum());
    for (variant, samples) in variants.iter().zip(&mut times) {
        let (median, minimum) = (samples.median(), samples.minimum());
        println!(
            "| {} | {median:.decimals$} | {:.3} | {minimum:.decimals$} | {:.3} |",
            variant.name,
            median / base.0,
            minimum / base.1
        );
    }
}

fn exec(title: &str, scene: &Scene, rounds: usize, variants: &[Variant]) {
    let program = scene.compile_with("cc", "empty", &[]);
    let mut times: Vec<Samples> = variants.iter().map(|_| Samples::default()).collect();
    let mut memory: Vec<Samples> = variants.iter().map(|_| Samples::default()).collect();
    for order in orders(rounds, variants.len()) {
        for index in order {
            let mut command = variants[index].command(&program);
            let (time, peak) = run(&mut command).expect("the empty program runs");
            times[index].0.push(time);
            memory[index].0.push(peak);
        }
    }
    println!("### {title} ({rounds} rounds)\n");
    println!(
        "| | median µs | over none | of an exec | × empty object | minimum µs | over none | × empty object | peak RSS KiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let none = (times[0].median(), times[0].minimum());
    let empty = (times[1].median() - none.0, times[1].minimum() - none.1);
    for (index, variant) in variants.iter().enumerate() {
        let (median, minimum) = (times[index].median(), times[index].minimum());
        let (over_median, over_minimum) = (median - none.0, minimum - none.1);
        println!(
            "| {} | {median:.0} | +{over_median:.0} | {:.1} % | {:.1} | {minimum:.0} | +{over_minimum:.0} | {:.1} | {:.0} |",
            variant.name,
            100.0 * over_median / none.0,
            over_median / empty.0,
            over_minimum / empty.1,
            memory[index].median(),
        );
    }
    println!();
}

/// Starts a program and waits for it: the time in µs, the peak resident set in KiB.
fn run(command: &mut Command) -> io::Result<(f64, f64)> {
    let start = Instant::now();
    let child = command.spawn()?;
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let id = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: two valid pointers; the child is ours and nobody else waits for it.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    let time = start.elapsed().as_secs_f64() * 1e6;
    match (waited, status) {
        (-1, _) => Err(io::Error::last_os_error()),
        (_, 0) => Ok((time, usage.ru_maxrss as f64)),
        (_, status) => Err(io::Error::other(format!("wait status {status}"))),
    }
}

fn getenv(scene: &Scene, rounds: usize) {
    let program = scene.compile_with("cc", "getenv_cost", &[]);
    let mut variants = variants(scene);
    variants.drain(1..3);
    println!("### One getenv, ns (median of {rounds} rounds, minimum; × libc's own)\n");
    println!("| variables | | hit | miss | `JAVA_HOME` (miss) | `JAVA_TOOL_OPTIONS` (watched) |");
    println!("|---|---|---|---|---|---|");
    for count in ["1", "30", "300"] {
        let mut costs: Vec<[Samples; 4]> = variants.iter().map(|_| Default::default()).collect();
        for order in orders(rounds, variants.len()) {
            for index in order {
                let line = succeed(variants[index].command(&program).arg(count));
                let values = line.split_whitespace().map(|word| word.parse::<f64>());
                for (samples, value) in costs[index].iter_mut().zip(values) {
                    samples.0.push(value.expect("a number"));
                }
            }
        }
        let libc: Vec<f64> = costs[0].iter_mut().map(Samples::median).collect();
        for (variant, samples) in variants.iter().zip(&mut costs) {
            let cells = samples.iter_mut().zip(&libc).map(|(samples, libc)| {
                let (median, minimum) = (samples.median(), samples.minimum());
                format!("{median:.1}, {minimum:.1} (×{:.2})", median / libc)
            });
            let cells: Vec<String> = cells.collect();
            println!("| {count} | {} | {} |", variant.name, cells.join(" | "));
        }
    }
    println!();
}

/// The same calls by one thread and by several: they share nothing that anybody writes.
fn threads(scene: &Scene, rounds: usize) {
    let program = scene.compile("getenv_in_threads");
    let many = std::thread::available_parallelism().map_or(2, |count| count.get().max(2));
    let mut variants = variants(scene);
    variants.drain(1..3);
    println!("### One getenv by one thread and by {many}, ns of each thread's processor time\n");
    println!("| | | 1 thread | {many} threads | × |");
    println!("|---|---|---|---|---|");
    for name in ["HOME", "JAVA_HOME", "JAVA_TOOL_OPTIONS"] {
        for variant in &variants {
            let mut costs = [1, many].map(|count| (count, Samples::default()));
            for _ in 0..rounds {
                for (count, samples) in &mut costs {
                    let mut command = variant.command(&program);
                    let line = succeed(command.args([name, &count.to_string()]));
                    samples.0.push(line.trim().parse().expect("a number"));
                }
            }
            let [one, several] = costs.map(|(_, mut samples)| samples.median());
            let ratio = several / one;
            println!(
                "| `{name}` | {} | {one:.1} | {several:.1} | {ratio:.2} |",
                variant.name
            );
        }
    }
    println!();
}

/// A watched name that a program asks for again and again, and is refused: it runs no such runtime.
fn refused(scene: &Scene, rounds: usize) {
    let java = scene.compile("getenv_in_threads");
    let program = scene.path("no-runtime");
    std::fs::copy(&java, &program).expect("copy the program");
    let mut variants = variants(scene);
    variants.drain(1..3);
    println!("### A watched name asked for again by a program that is no JVM, ns\n");
    println!("| | median | minimum |");
    println!("|---|---|---|");
    for variant in &variants {
        let mut samples = Samples::default();
        for _ in 0..rounds {
            let mut command = variant.command(&program);
            let line = succeed(command.args(["JAVA_TOOL_OPTIONS", "1"]));
            samples.0.push(line.trim().parse().expect("a number"));
        }
        let (median, minimum) = (samples.median(), samples.minimum());
        println!("| {} | {median:.1} | {minimum:.1} |", variant.name);
    }
    println!();
}

/// `java` with the agent given by hand and given by the injector.
fn jvm(rounds: usize) {
    let cache = root().join(".cache/opentelemetry-javaagent-2.33.1.jar");
    let (Ok(agent), true) = (cache.canonicalize(), support::has("javac")) else {
        println!("skipped: JVM start, for lack of javac or of the agent in .cache");
        return;
    };
    let scene = Scene::new();
    scene.configure(&format!("[jvm]\nagent_path = \"{}\"\n", agent.display()));
    let classes = scene.path("classes");
    let source = root().join("tests/programs/java/Inside.java");
    succeed(Command::new("javac").arg("-d").arg(&classes).arg(source));
    let java = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("java"))
        .find(|path| path.is_file())
        .expect("java beside javac");
    let options = PathBuf::from(format!("-javaagent:{}", agent.display()));
    let mut variants = vec![variant(
        "`-javaagent` by hand",
        [("JAVA_TOOL_OPTIONS", options)],
    )];
    for engine in engines() {
        let name = format!("ours, {engine}");
        variants.push(variant(&name, ours(&scene, &scene.configuration, engine)));
    }
    let title = "Start of a JVM with the agent";
    starts(title, rounds, &variants, (0, "by hand"), 0, |variant| {
        let mut command = variant.command(&java);
        command
            .arg("-cp")
            .arg(&classes)
            .arg("Inside")
            .env("PATH", "/usr/bin:/bin");
        for exporter in ["TRACES", "METRICS", "LOGS"] {
            command.env(format!("OTEL_{exporter}_EXPORTER"), "none");
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
}

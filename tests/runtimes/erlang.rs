//! Real nodes of Erlang/OTP and Elixir, with an agent of the project's own.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::{
    Background, Scene, Sink, allow_everybody, engines, has, is_root, root, skip, stderr, stdout,
    succeed,
};

/// What a process says of the variable on stderr, with the debug log on.
const KEPT: &str = "ERL_AFLAGS stays as it was: ";

/// Ends a test where there is no Erlang.
macro_rules! need {
    ($($program:literal),+) => {
        if let Some(missing) = [$($program),+].into_iter().find(|program| !has(program)) {
            skip!("no {missing}");
        }
    };
}

/// Compiles modules into an application `opentelemetry`; returns the agent's folder.
fn compile(folder: PathBuf, modules: &[PathBuf]) -> PathBuf {
    let ebin = folder.join("opentelemetry/ebin");
    fs::create_dir_all(&ebin).unwrap();
    succeed(Command::new("erlc").arg("-o").arg(&ebin).args(modules));
    let application = root().join("tests/agents/erlang/opentelemetry.app");
    fs::copy(application, ebin.join("opentelemetry.app")).unwrap();
    folder
}

/// The agent of the project's own, in a folder of that name.
pub fn agent(scene: &Scene, folder: &str) -> PathBuf {
    let source = |name| root().join("tests/agents/erlang").join(name);
    let modules = ["on_load.erl", "opentelemetry_app.erl"].map(source);
    compile(scene.path(folder), &modules)
}

/// An agent whose one module has this source.
fn odd_agent(scene: &Scene, folder: &str, source: &str) -> PathBuf {
    let module = scene.path("opentelemetry_app.erl");
    fs::write(&module, source).unwrap();
    compile(scene.path(folder), &[module])
}

/// A name that has to be quoted.
const FOLDER: &str = "it's an \"agent\" \\";

fn configure(scene: &Scene, agent: &Path, more: &str) {
    let agent = agent.display();
    scene.configure(&format!("[erlang]\nagent_path = '''{agent}'''\n{more}"));
}

/// A scene with the agent, and the sink that it sends to.
fn scene() -> (Scene, Sink) {
    let scene = Scene::new();
    let sink = Sink::start();
    let agent = agent(&scene, FOLDER);
    let more = format!(
        "[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\nOTEL_SERVICE_NAME = \"our shop\"\n",
        sink.endpoint
    );
    configure(&scene, &agent, &more);
    (scene, sink)
}

/// `erl` without a shell that evaluates an expression. Nobody can tell from the outside that it halts.
fn erl(scene: &Scene, engine: &str, expression: &str) -> Command {
    let mut command = scene.command("erl", engine);
    let expression = expression.trim_end_matches('.');
    let evaluated = format!("(fun() -> {expression} end)().");
    command.args(["-noshell", "-eval", &evaluated]);
    command
}

/// The next span's service and attributes.
fn next_span(sink: &Sink) -> (String, Value) {
    sink.wait_for("span", |span| {
        let service = span["service"].as_str()?.to_owned();
        Some((service, span["attributes"].clone()))
    })
}

/// Why a process was left alone.
fn kept(command: &mut Command) -> String {
    let output = command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true").output();
    let errors = stderr(&output.unwrap());
    let line = errors.lines().find_map(|line| line.split_once(KEPT));
    line.unwrap_or_else(|| panic!("injected: {errors}"))
        .1
        .to_owned()
}

fn assert_same(with: &Output, plain: &Output) {
    assert_eq!(stdout(with), stdout(plain));
    assert_eq!(stderr(with), stderr(plain));
    assert_eq!(with.status, plain.status);
}

/// Runs a command with and without the preload object: nobody may see a difference.
fn assert_unseen(command: &mut Command) -> String {
    let with = command.output().unwrap();
    let plain = command.env_remove("LD_PRELOAD").output().unwrap();
    assert_same(&with, &plain);
    stdout(&with)
}

#[test]
fn a_span_arrives_with_its_settings_in_both_modes_and_locales() {
    need!("erl");
    let motto = "a,b=c d%20 \"\u{e4}\" 'x' \\y";
    let runs = [("interactive", "C"), ("embedded", "C.UTF-8")];
    for engine in engines() {
        for (mode, locale) in runs {
            let (scene, sink) = scene();
            let agent = scene.path(FOLDER);
            let more = format!(
                "[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{}\"\n\
                 OTEL_SERVICE_NAME = \"sh\u{f6}p's \\\"own\\\"\"\nOTEL_TRACES_SAMPLER = \"traceidratio\"\n\
                 OTEL_TRACES_SAMPLER_ARG = \"0.5\"\nOTEL_BSP_SCHEDULE_DELAY = \"200\"\n\
                 [resource_attributes]\nshop.motto = '''{motto}'''\nuser.key = \"ours\"\n",
                sink.endpoint
            );
            configure(&scene, &agent, &more);
            let mut command = erl(&scene, engine, "halt(0).");
            command.args(["-mode", mode]).env("LC_ALL", locale);
            command.env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
            command.env("OTEL_INJECTOR_K8S_POD_NAME", "shop-1");
            succeed(&mut command);
            let span = sink.wait_for("span", |span| Some(span.clone()));
            assert_eq!(span["service"], "sh\u{f6}p's \"own\"");
            assert_eq!(span["resource"]["shop.motto"], motto);
            assert_eq!(span["resource"]["k8s.pod.name"], "shop-1");
            // The SDK takes it from the environment itself.
            assert!(span["resource"]["user.key"].is_null());
            let attributes = &span["attributes"];
            assert_eq!(attributes["mode"], mode);
            assert_eq!(attributes["sampler"], "{\"traceidratio\",\"0.5\"}");
            assert_eq!(attributes["delay"], "\"200\"");
        }
    }
}

#[test]
fn a_release_of_elixir_in_embedded_mode_sends_a_span() {
    need!("erl", "mix");
    let (scene, sink) = scene();
    let mix = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new("mix");
        command.args(arguments).current_dir(folder);
        command
            .env("MIX_ENV", "prod")
            .env("MIX_HOME", scene.path("mix"));
        succeed(&mut command);
    };
    mix(scene.folder.path(), &["new", "shop", "--sup"]);
    mix(&scene.path("shop"), &["release"]);
    let program = scene.path("shop/_build/prod/rel/shop/bin/shop");

    let mut command = scene.command(&program, "auto");
    command.arg("start").env("RELEASE_DISTRIBUTION", "none");
    let release = Background::start(&mut command);
    let (service, attributes) = next_span(&sink);
    assert_eq!(service, "our shop");
    assert_eq!(attributes["mode"], "embedded");
    let environ = fs::read(format!("/proc/{}/environ", release.id())).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains("ERL_AFLAGS"));
}

#[test]
fn nodes_send_a_span_and_nobody_sees_a_difference() {
    need!("erl", "elixir");
    let (scene, sink) = scene();
    let hello = "io:format(\"~p~n\", [init:get_plain_arguments()]), \
                 io:format(standard_error, \"on stderr~n\", []), halt(3).";
    let mut command = erl(&scene, "auto", hello);
    assert_unseen(command.args(["-extra", "a", "b c"]));
    assert_eq!(next_span(&sink).0, "our shop");
    let mut command = scene.command("elixir", "auto");
    let hello = "IO.puts(inspect(System.argv())); System.halt(4)";
    assert_unseen(command.args(["--no-halt", "-e", hello, "a"]));
    assert_eq!(next_span(&sink).0, "our shop");
}

#[test]
fn the_users_flags_are_kept_even_behind_extra() {
    need!("erl");
    let (scene, sink) = scene();
    let told = "io:format(\"~p ~p ~p\", [init:get_argument(a), init:get_argument(b), \
                init:get_plain_arguments()]), halt().";
    for engine in engines() {
        let mut command = erl(&scene, engine, told);
        command
            .env("ERL_AFLAGS", "-a 'x y'\\ \"z\" -extra mine 'o w n'")
            .env("ERL_FLAGS", "-b c -extra last")
            .env("ERL_ZFLAGS", "-opentelemetry_other x");
        let printed = assert_unseen(&mut command);
        assert!(
            printed.starts_with("{ok,[[\"x y z\"]]} {ok,[[\"c\"]]}"),
            "{printed}"
        );
        assert!(printed.contains("\"o w n\""), "{printed}");
        assert_eq!(next_span(&sink).0, "our shop");
    }
    // What begins with no flag is no argument of ours.
    let mut command = erl(&scene, "auto", told);
    assert_unseen(command.env("ERL_AFLAGS", "plain words"));
    assert_eq!(next_span(&sink).0, "our shop");
}

#[test]
fn the_variable_is_clean_inside_and_in_children() {
    need!("erl");
    let (scene, _sink) = scene();
    let look = "{ok, E} = file:read_file(\"/proc/self/environ\"), \
                io:format(\"~p ~p ~p\", [os:getenv(\"ERL_AFLAGS\"), \
                os:cmd(\"env | grep -e ERL_AFLAGS -e opentelemetry_injector=\"), \
                binary:matches(E, <<\"agent.script\">>)]), halt().";
    for engine in engines() {
        assert_eq!(succeed(&mut erl(&scene, engine, look)), "false [] []");
        let mut command = erl(&scene, engine, look);
        let printed = succeed(command.env("ERL_AFLAGS", "+P 4096"));
        assert_eq!(printed, "\"+P 4096\" \"ERL_AFLAGS=+P 4096\\n\" []");
        let ask = scene.compile("ask");
        let printed = succeed(scene.command(ask, engine).arg("ERL_AFLAGS"));
        assert_eq!(printed, "ERL_AFLAGS=(null)\n");
    }
}

#[test]
fn a_value_that_has_it_already_or_cannot_be_read_is_left_alone() {
    need!("erl");
    let (scene, _sink) = scene();
    let reason = |name: &str, value: &str| kept(erl(&scene, "auto", "halt().").env(name, value));
    let once = "-opentelemetry_injector /x /y -eval ok -- +P 4096";
    assert_eq!(
        reason("ERL_AFLAGS", once),
        "the value already loads the agent"
    );
    assert_eq!(
        reason("ERL_AFLAGS", "-a 'b"),
        "the value has an unmatched quote"
    );
    for name in ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS"] {
        let reason = reason(name, "-opentelemetry traces_exporter none");
        assert!(reason.starts_with("the agent of OpenTelemetry"), "{reason}");
    }
}

#[test]
fn an_application_with_an_sdk_of_its_own_gets_no_second_one() {
    need!("erl");
    for mode in ["interactive", "embedded"] {
        let (scene, sink) = scene();
        let own = agent(&scene, "own");
        let start = format!(
            "[code:load_file(M) || M <- [opentelemetry_app, on_load]], \
             application:set_env(opentelemetry_exporter, otlp_endpoint, \"{}\"), \
             ok = application:load(opentelemetry), \
             application:set_env(opentelemetry, resource, #{{<<\"service.name\">> => <<\"own\">>}}), \
             ok = application:start(opentelemetry), halt().",
            sink.endpoint
        );
        let mut command = erl(&scene, "auto", &start);
        command
            .args(["-mode", mode, "-pa"])
            .arg(own.join("opentelemetry/ebin"));
        assert_eq!(assert_unseen(&mut command), "");
        // Ours would have been first.
        assert_eq!(next_span(&sink).0, "own");
    }
}

#[test]
fn a_broken_agent_is_not_noticed() {
    need!("erl");
    let module =
        "-module(opentelemetry_app).\n-export([start/2, stop/1, init/1]).\nstop(_) -> ok.\n";
    let sources = [
        "start(_, _) -> error(broken).\ninit(_) -> ok.\n",
        "start(_, _) -> gen_server:start_link(?MODULE, [], []).\ninit(_) -> error(broken).\n",
        "start(_, _) -> {error, broken}.\ninit(_) -> ok.\n",
        "start(_, _) -> exit(kill).\ninit(_) -> ok.\n",
        "start(_, _) -> timer:sleep(infinity).\ninit(_) -> ok.\n",
    ];
    let scene = Scene::new();
    let hello = "io:format(\"hello~n\"), timer:sleep(100), halt(3).";
    let check = |agent: &Path| {
        configure(&scene, agent, "");
        for mode in ["interactive", "embedded"] {
            assert_unseen(erl(&scene, "auto", hello).args(["-mode", mode]));
        }
    };
    for (index, source) in sources.iter().enumerate() {
        check(&odd_agent(
            &scene,
            &index.to_string(),
            &[module, source].concat(),
        ));
    }
    let agent = odd_agent(&scene, "no code", &[module, sources[0]].concat());
    let ebin = agent.join("opentelemetry/ebin");
    fs::write(ebin.join("opentelemetry_app.beam"), "no code").unwrap();
    check(&agent);
    fs::write(ebin.join("opentelemetry.app"), "{no, term").unwrap();
    check(&agent);
}

#[test]
fn what_a_running_agent_logs_is_not_on_the_applications_console() {
    need!("erl");
    let scene = Scene::new();
    let source = "-module(opentelemetry_app).\n-include_lib(\"kernel/include/logger.hrl\").\n\
                  -export([start/2, stop/1]).\nstop(_) -> ok.\n\
                  start(_, _) -> {ok, spawn_link(fun() -> register(agent, self()), log() end)}.\n\
                  log() -> receive {log, From} -> ?LOG_INFO(\"initialized\"), \
                  ?LOG_ERROR(\"no collector\"), From ! logged, log() end.\n";
    configure(&scene, &odd_agent(&scene, "agent", source), "");
    let run = "[begin agent ! {log, self()}, receive logged -> ok end end \
               || whereis(agent) =/= undefined], \
               logger:info(\"of the application\"), logger_std_h:filesync(default), \
               io:format(\"~p\", [whereis(agent) =/= undefined]), halt().";
    for mode in ["interactive", "embedded"] {
        let mut command = erl(&scene, "auto", run);
        command.args(["-mode", mode, "-kernel", "logger_level", "info"]);
        let printed = succeed(&mut command);
        assert!(printed.ends_with("true"), "no agent: {printed}");
        assert!(printed.contains("of the application"), "{printed}");
        assert!(
            !printed.contains("initialized") && !printed.contains("collector"),
            "{printed}"
        );
    }
}

/// Command lines that start no service, and what the reason begins with.
fn tools<'a>(source: &'a str, escript: &'a str) -> Vec<(Vec<&'a str>, &'static str)> {
    let shell = "a shell of Erlang";
    let halts = "a node that halts by itself";
    vec![
        (vec!["erlc", source], "a tool of Erlang"),
        (vec!["escript", escript, "x"], "a tool of Erlang"),
        (vec!["erl", "-make"], "a tool of Erlang"),
        (vec!["erl", "-eval", "halt(0)."], halts),
        (vec!["erl", "-noshell", "-eval", "halt(0)."], halts),
        (vec!["erl", "-noshell", "-s", "init", "stop"], halts),
        (vec!["erl", "-noshell", "-run", "erlang", "halt"], halts),
        (vec!["erl", "+V"], "+V only prints"),
        (vec!["erl", "-version"], "-version only prints"),
        (vec!["erl", "-emu_args_exit"], "-emu_args_exit only prints"),
        (vec!["erl"], shell),
        (vec!["elixir", "--version"], "a tool of Elixir"),
        (
            vec!["elixir", "-e", "IO.puts(1)"],
            "Elixir without --no-halt",
        ),
        (vec!["iex", "--version"], "a tool of Elixir"),
        (vec!["iex", "-e", "System.halt()"], "a shell of Elixir"),
        (vec!["iex", "-S", "mix", "help"], "a tool of Elixir"),
        (vec!["mix", "--version"], "a tool of Elixir"),
        (vec!["mix", "help"], "a tool of Elixir"),
        (vec!["mix", "do", "help,", "help"], "a tool of Elixir"),
        (vec!["rabbitmqctl", "help"], "a tool of Erlang"),
        (
            vec!["rabbitmq-diagnostics", "--version"],
            "a tool of Erlang",
        ),
        (vec!["rabbitmq-plugins", "list"], "a tool of Erlang"),
        (vec!["ejabberdctl", "status"], "a tool that serves a node"),
        (vec!["yaws", "--status"], "a tool that serves a node"),
        (vec!["yaws", "--version"], "a tool that serves a node"),
    ]
}

#[test]
fn tools_and_short_lived_nodes_are_left_alone() {
    need!("erl", "erlc", "mix", "iex");
    let (scene, sink) = scene();
    let source = scene.path("empty.erl");
    fs::write(&source, "-module(empty).\n").unwrap();
    let escript = scene.path("shop");
    fs::write(&escript, "#!/usr/bin/env escript\nmain(_) -> ok.\n").unwrap();
    let tools = tools(source.to_str().unwrap(), escript.to_str().unwrap());
    for (tool, wanted) in tools {
        if !has(tool[0]) {
            println!("skipped: {}, which is absent", tool[0]);
            continue;
        }
        let mut command = scene.command(tool[0], "auto");
        command.args(&tool[1..]).current_dir(scene.folder.path());
        let reason = kept(command.env("HOME", scene.folder.path()));
        assert!(reason.starts_with(wanted), "{tool:?}: {reason}");
    }
    let mut text = fs::read_to_string(&scene.configuration).unwrap();
    text += "[processes]\ninclude_arguments = [\"*mix\"]\n";
    scene.configure(&text);
    succeed(scene.command("mix", "auto").arg("--version"));
    assert_eq!(next_span(&sink).0, "our shop");
}

#[test]
fn servers_that_mix_starts_send_a_span() {
    need!("mix");
    let (scene, sink) = scene();
    let task = "defmodule Mix.Tasks.Phx.Server do\n  use Mix.Task\n\
                def run(_), do: IO.puts(\"up\")\nend\n";
    let project = "defmodule Shop.MixProject do\n  use Mix.Project\n\
                   def project, do: [app: :shop, version: \"1.0.0\"]\nend\n";
    fs::create_dir_all(scene.path("lib")).unwrap();
    fs::write(scene.path("mix.exs"), project).unwrap();
    fs::write(scene.path("lib/server.ex"), task).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = scene.command(program, "auto");
        command.args(arguments).current_dir(scene.folder.path());
        command
            .env("MIX_HOME", scene.path("mix"))
            .env("LC_ALL", "C.UTF-8");
        assert!(succeed(&mut command).ends_with("up\n"));
        assert_eq!(next_span(&sink).0, "our shop");
    };
    run("mix", &["phx.server"]);
    run("mix", &["do", "compile,", "phx.server"]);
    run("elixir", &["-S", "mix", "phx.server"]);
    // One that brings an SDK starts its own.
    let lock = "%{\n  \"opentelemetry\": {:hex, :opentelemetry, \"1.4.0\"},\n}\n";
    fs::write(scene.path("mix.lock"), lock).unwrap();
    let mut command = scene.command("mix", "auto");
    command.arg("phx.server").current_dir(scene.folder.path());
    let reason = kept(command.env("MIX_HOME", scene.path("mix")));
    assert!(
        reason.starts_with("the application has its own OpenTelemetry SDK"),
        "{reason}"
    );
}

/// An SDK that exports when it stops, to a collector that never answers.
const HANGS_AT_ITS_END: &str = "-module(opentelemetry_app).\n\
    -export([start/2, stop/1, init/1, start_worker/0, work/0]).\nstop(_) -> ok.\n\
    start(_, _) -> supervisor:start_link(?MODULE, []).\n\
    init([]) -> {ok, {#{}, [#{id => worker, start => {?MODULE, start_worker, []}, \
    shutdown => infinity}]}}.\n\
    start_worker() -> {ok, proc_lib:spawn_link(?MODULE, work, [])}.\n\
    work() -> process_flag(trap_exit, true), timer:sleep(infinity).\n";

#[test]
fn no_node_waits_for_an_agent_longer_than_two_seconds() {
    need!("erl", "timeout");
    let scene = Scene::new();
    let slow = "-module(opentelemetry_app).\n-export([start/2, stop/1]).\nstop(_) -> ok.\n\
                start(_, _) -> timer:sleep(infinity).\n";
    let there = "lists:keymember(opentelemetry, 1, application:loaded_applications())";
    let evaluated = format!("(fun() -> io:format(\"~p~n\", [{there}]), init:stop() end)().");
    for (name, source) in [("slow", slow), ("hangs", HANGS_AT_ITS_END)] {
        configure(&scene, &odd_agent(&scene, name, source), "");
        for mode in ["interactive", "embedded"] {
            let mut command = scene.command("timeout", "auto");
            command.args(["60", "erl", "-mode", mode, "-noshell", "-eval", &evaluated]);
            let run = |command: &mut Command, wanted: &str| {
                let started = Instant::now();
                assert_eq!(assert_ended(&command.output().unwrap()), wanted, "{name}");
                started.elapsed()
            };
            let with = run(&mut command, "true\n");
            let plain = run(command.env_remove("LD_PRELOAD"), "false\n");
            // Twice, because a busy machine has less than two processors for the agent's code.
            let most = 2 * plain + Duration::from_secs(2);
            assert!(with < most, "{name}: {with:?}, plain {plain:?}");
        }
    }
}

/// What a node printed that ended well and said nothing on stderr.
fn assert_ended(output: &Output) -> String {
    assert_eq!(
        (output.status.code(), stderr(output)),
        (Some(0), String::new())
    );
    stdout(output)
}

#[test]
fn a_node_without_its_agent_runs_as_if_we_were_not_there() {
    need!("erl");
    let scene = Scene::new();
    configure(&scene, &scene.path("nowhere"), "");
    assert_unseen(&mut erl(
        &scene,
        "auto",
        "io:format(\"~p\", [init:get_arguments()]), halt().",
    ));
    let reason = kept(&mut erl(&scene, "auto", "halt()."));
    assert!(reason.contains("opentelemetry.app is missing"), "{reason}");

    if !is_root() || !has("setpriv") {
        skip!("another user needs root and setpriv");
    }
    let agent = agent(&scene, FOLDER);
    allow_everybody(scene.folder.path());
    let secret = agent.join("opentelemetry/ebin/opentelemetry.app");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    configure(&scene, &agent, "");
    let mut command = scene.command("setpriv", "auto");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let reason = kept(command.args(["erl", "-noshell", "-eval", "(fun() -> halt() end)()."]));
    assert!(reason.contains("opentelemetry.app is missing"), "{reason}");
}

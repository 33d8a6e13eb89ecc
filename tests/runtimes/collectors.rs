//! A collector that is down, hangs or refuses holds up neither the start of a program nor its end.
//! (Python's and Ruby's tests are in their own files.)

use crate::php;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::collectors::assert_soon;
use support::{Scene, Sink, has, skip, succeed};

/// A configuration of one agent that sends to `endpoint`.
fn configured(scene: &Scene, section: &str, agent: &Path, endpoint: &str) {
    scene.configure(&format!(
        "[{section}]\nagent_path = \"{}\"\n[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{endpoint}\"\n\
         OTEL_BSP_SCHEDULE_DELAY = \"200\"\n",
        agent.display()
    ));
}

/// Asserts it for a program that `command` starts.
fn assert_for(section: &str, agent: &Path, command: impl Fn(&Scene) -> Command) {
    let (scene, sink) = (Scene::new(), Sink::start());
    assert_soon(&sink.endpoint, |endpoint| {
        configured(&scene, section, agent, endpoint.unwrap_or(&sink.endpoint));
        // Killed in time, where it hangs.
        let inner = command(&scene);
        let mut command = scene.command("timeout", "auto");
        command.arg("120").arg(inner.get_program());
        command.args(inner.get_args());
        if endpoint.is_none() {
            command.env_remove("LD_PRELOAD");
        }
        command
    });
}

/// Makes a span of a client, and exports it.
const JAVA: &str = "
class Ends {
    public static void main(String[] arguments) throws Exception {
        try {
            new java.net.URL(\"http://127.0.0.1:9/\").openStream();
        } catch (java.io.IOException refused) {
        }
        Thread.sleep(500);
        System.out.println(\"done\");
    }
}
";

#[test]
fn no_jvm_waits_for_a_collector() {
    let Some(agent) = crate::jvm::agent() else {
        skip!("no agent in .cache: scripts/fetch-java-agent fetches it");
    };
    if !has("javac") {
        skip!("no javac");
    }
    let classes = Scene::new();
    let source = classes.path("Ends.java");
    fs::write(&source, JAVA).unwrap();
    succeed(
        Command::new("javac")
            .arg("-d")
            .arg(classes.folder.path())
            .arg(&source),
    );
    assert_for("jvm", &agent, |scene| {
        let mut java = scene.command("java", "auto");
        java.arg("-cp").arg(classes.folder.path()).arg("Ends");
        java
    });
}

#[test]
fn no_node_waits_for_an_export_under_way() {
    let Some(agent) = crate::nodejs::agent() else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let script = "require('http').get('http://127.0.0.1:9').on('error', () => \
                  setTimeout(() => console.log('done'), 400));";
    assert_for("nodejs", &agent, |scene| {
        let mut node = scene.command("node", "auto");
        node.args(["-e", script]);
        node
    });
}

#[test]
fn no_php_waits_for_a_collector() {
    if !has("php") {
        skip!("no php");
    }
    let scripts = Scene::new();
    let script = scripts.path("ends.php");
    fs::write(&script, "<?php echo \"done\\n\";").unwrap();
    assert_for("php", &php::agent(), |scene| {
        let mut php = scene.command("php", "auto");
        php.arg(&script);
        php
    });
}

#[test]
fn no_node_of_erlang_waits_for_a_collector() {
    if !has("erl") || !has("erlc") {
        skip!("no erl or no erlc");
    }
    let folder = Scene::new();
    let agent = crate::erlang::agent(&folder, "agent");
    let code = "(fun() -> io:format(\"done~n\"), init:stop() end)().";
    assert_for("erlang", &agent, |scene| {
        let mut erl = scene.command("erl", "auto");
        erl.args(["-noshell", "-eval", code]);
        erl
    });
}

#[test]
fn no_dotnet_waits_for_a_collector() {
    let stage = crate::dotnet::Stage::new("");
    for runtime in crate::dotnet::runtimes() {
        assert_for("dotnet", &stage.agent, |scene| {
            let mut shell = scene.command("sh", "auto");
            // The application ends with 7.
            shell.args(["-c", "\"$@\" 2>&1; [ $? = 7 ] && echo done", "sh"]);
            shell.arg(runtime.join("dotnet")).arg(&stage.application);
            shell
        });
    }
}

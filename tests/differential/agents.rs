//! A folder with a small agent for each runtime, which leaves a mark when it is loaded, and with a small
//! application for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Scene, succeed};

/// The folder.
pub struct Agents(Scene);

/// Agents and applications in languages that are not compiled.
const FILES: [(&str, &str); 15] = [
    (
        "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js",
        "require('fs').writeFileSync(process.env.DIFFERENTIAL_MARK, 'x');",
    ),
    (
        "node_modules/@opentelemetry/auto-instrumentations-node/package.json",
        "{\"name\": \"@opentelemetry/auto-instrumentations-node\", \"version\": \"0.81.2\"}",
    ),
    (
        "python/opentelemetry/instrumentation/auto_instrumentation/__init__.py",
        "import os\ndef initialize(*a, **k):\n    open(os.environ['DIFFERENTIAL_MARK'], 'w').close()\n",
    ),
    // The boot package asks it for the instrumentations; this agent has none.
    (
        "python/opentelemetry/instrumentation/auto_instrumentation/_load.py",
        "def entry_points(**_):\n    return ()\ndef _load_distro():\n    return None\n",
    ),
    (
        "python/opentelemetry_instrumentation-0.66b1.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: opentelemetry-instrumentation\nVersion: 0.66b1\nRequires-Python: >=3.8\n",
    ),
    ("agent.rb", "File.write(ENV['DIFFERENTIAL_MARK'], 'x')\n"),
    ("minimum_ruby_version", "2.7\n"),
    (
        "autoload.php",
        "<?php file_put_contents(getenv('DIFFERENTIAL_MARK'), 'x');\n",
    ),
    ("app.js", "1;\n"),
    ("app.py", "1\n"),
    ("app.rb", "1\n"),
    ("app.php", "<?php 1;\n"),
    ("app.escript", "#!/usr/bin/env escript\nmain(_) -> ok.\n"),
    ("app.exs", "1\n"),
    (
        "App.java",
        "class App { public static void main(String[] a) {} }\n",
    ),
];

const JAVA_AGENT: &str = "class Agent { public static void premain(String a) throws Exception {\n\
    java.nio.file.Files.write(java.nio.file.Paths.get(System.getenv(\"DIFFERENTIAL_MARK\")), new byte[1]); } }\n";

const ERLANG_AGENT: &str = "-module(opentelemetry_app).\n-behaviour(application).\n\
    -export([start/2, stop/1]).\n\
    start(_, _) -> ok = file:write_file(os:getenv(\"DIFFERENTIAL_MARK\"), \"x\"),\n\
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.\nstop(_) -> ok.\n";

const ERLANG_APPLICATION: &str = "{application, opentelemetry, [{vsn, \"1\"}, {modules, [opentelemetry_app]},\n\
    {registered, []}, {applications, [kernel, stdlib]}, {mod, {opentelemetry_app, []}}]}.\n";

impl Agents {
    /// Writes everything, and compiles what a runtime needs.
    pub fn new(runtime: &str) -> Self {
        let agents = Self(Scene::new());
        for (name, content) in FILES {
            agents.write(name, content);
        }
        match runtime {
            "jvm" => agents.java(),
            "erlang" => agents.erlang(),
            _ => {}
        }
        let folder = agents.folder().display().to_string();
        agents.0.configure(&format!(
            "jvm.agent_path = '{folder}/agent.jar'\nnodejs.agent_path = '{folder}'\n\
             python.agent_path = '{folder}/python'\nruby.agent_path = '{folder}/agent.rb'\n\
             php.agent_path = '{folder}'\nerlang.agent_path = '{folder}'\n"
        ));
        agents
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.0.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn java(&self) {
        self.write("agent/Agent.java", JAVA_AGENT);
        self.write("agent/MANIFEST.MF", "Premain-Class: Agent\n");
        succeed(
            Command::new("javac")
                .args(["agent/Agent.java", "App.java"])
                .current_dir(self.folder()),
        );
        let mut jar = Command::new("jar");
        jar.args([
            "cfm",
            "agent.jar",
            "agent/MANIFEST.MF",
            "-C",
            "agent",
            "Agent.class",
        ]);
        succeed(jar.current_dir(self.folder()));
        let mut jar = Command::new("jar");
        succeed(
            jar.args(["cfe", "app.jar", "App", "App.class"])
                .current_dir(self.folder()),
        );
    }

    fn erlang(&self) {
        self.write("opentelemetry/ebin/opentelemetry_app.erl", ERLANG_AGENT);
        self.write("opentelemetry/ebin/opentelemetry.app", ERLANG_APPLICATION);
        let ebin = self.0.path("opentelemetry/ebin");
        succeed(
            Command::new("erlc")
                .arg("opentelemetry_app.erl")
                .current_dir(ebin),
        );
    }

    /// The folder that lines are started in.
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// The configuration that names the agents.
    pub fn configuration(&self) -> &Path {
        &self.0.configuration
    }

    /// The file that an agent writes when it is loaded.
    pub fn mark(&self) -> PathBuf {
        self.0.path("mark")
    }

    /// Takes the mark away.
    pub fn clear(&self) {
        let _ = fs::remove_file(self.mark());
    }

    /// Whether an agent has been loaded since.
    pub fn is_loaded(&self) -> bool {
        self.mark().exists()
    }
}

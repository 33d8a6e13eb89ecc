//! A folder with a small agent for each runtime, which leaves a mark when it is loaded, and with a small
//! application for each.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Scene, root, succeed};

/// The folder.
pub struct Agents(Scene);

/// Agents and applications in languages that are not compiled.
const FILES: [(&str, &str); 16] = [
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
    ("prepend/php.ini", "auto_prepend_file = /dev/null\n"),
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

const DOTNET_AGENT: &str = "internal class StartupHook { public static void Initialize() {\n\
    System.IO.File.WriteAllText(System.Environment.GetEnvironmentVariable(\"DIFFERENTIAL_MARK\"), \"x\"); } }\n";

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
            "dotnet" => agents.dotnet(),
            _ => {}
        }
        let folder = agents.folder().display().to_string();
        agents.0.configure(&format!(
            "jvm.agent_path = '{folder}/agent.jar'\nnodejs.agent_path = '{folder}'\n\
             python.agent_path = '{folder}/python'\nruby.agent_path = '{folder}/agent.rb'\n\
             php.agent_path = '{folder}'\nerlang.agent_path = '{folder}'\ndotnet.agent_path = '{folder}'\n"
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

    /// `sdk` is the runtime; `app`, `off`, `own` and the others are copies of one application with other
    /// files beside them, and `app`, `off`, `guest` also programs that start one.
    fn dotnet(&self) {
        let home = root()
            .join(".cache/dotnet/8.0")
            .canonicalize()
            .expect("a runtime");
        symlink(home, self.0.path("sdk")).expect("a link");
        self.write("hook.cs", DOTNET_AGENT);
        self.write("app.cs", "class App { static void Main() {} }");
        fs::create_dir_all(self.0.path("net")).expect("a folder");
        let hook = "net/OpenTelemetry.AutoInstrumentation.StartupHook.dll";
        let assemblies = root().join(".cache/dotnet/3.1/shared/Microsoft.NETCore.App/3.1.23");
        for (source, assembly, target) in
            [("hook.cs", hook, "library"), ("app.cs", "app.dll", "exe")]
        {
            let mut mcs = Command::new("mcs");
            mcs.args(["-nostdlib", "-noconfig", "-nowarn:1702", source]);
            for name in [
                "System.Private.CoreLib",
                "System.Runtime",
                "System.Runtime.Extensions",
                "System.IO.FileSystem",
            ] {
                mcs.arg(format!("-r:{}/{name}.dll", assemblies.display()));
            }
            mcs.args([format!("-out:{assembly}"), format!("-target:{target}")]);
            succeed(mcs.current_dir(self.folder()));
        }
        for name in ["off", "hooks", "own", "bare"] {
            fs::copy(self.0.path("app.dll"), self.0.path(&format!("{name}.dll"))).expect("a copy");
        }
        let runtime = |properties: &str| {
            format!(
                "{{\"runtimeOptions\": {{\"framework\": {{\"name\": \"Microsoft.NETCore.App\", \"version\": \"8.0.0\"}},\n\
                 \"configProperties\": {{\"System.Globalization.Invariant\": true{properties}}}}}}}"
            )
        };
        let dependencies = |name: &str, libraries: &str| {
            format!(
                "{{\"runtimeTarget\": {{\"name\": \".NETCoreApp,Version=v8.0\"}}, \"targets\": {{\".NETCoreApp,Version=v8.0\": \
                 {{\"{name}/1.0.0\": {{\"runtime\": {{\"{name}.dll\": {{}}}}}}}}}}, \"libraries\": {{\"{name}/1.0.0\": \
                 {{\"type\": \"project\", \"serviceable\": false, \"sha512\": \"\"}}{libraries}}}}}"
            )
        };
        let sdk = ", \"OpenTelemetry/1.15.0\": {\"type\": \"package\", \"serviceable\": false, \"sha512\": \"\"}";
        for (name, properties, libraries) in [
            ("app", "", ""),
            (
                "off",
                ", \"System.StartupHookProvider.IsSupported\": false",
                "",
            ),
            ("hooks", ", \"STARTUP_HOOKS\": \"\"", ""),
            ("own", "", sdk),
        ] {
            self.write(&format!("{name}.runtimeconfig.json"), &runtime(properties));
            self.write(&format!("{name}.deps.json"), &dependencies(name, libraries));
        }
        let program = self.0.compile("dotnet_embedder");
        for name in ["app", "off", "guest"] {
            fs::copy(&program, self.0.path(name)).expect("a copy");
        }
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

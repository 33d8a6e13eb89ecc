//! The application that a .NET host runs, and what the files beside it say.
//!
//! An application is started as `dotnet APPLICATION.dll`, or by its own executable (`APPLICATION`, the
//! "apphost") beside `APPLICATION.dll`. Any other program that loads the .NET host does so to call single
//! methods (Node.js with node-api-dotnet, Python with pythonnet). Such a hosted CLR runs no startup hooks
//! (dotnet/runtime, docs/design/features/host-startup-hook.md).

use crate::matching::tools::{self, By};
use crate::matching::{commands, texts};
use crate::process::file_name;
use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// Options of `dotnet` and `dotnet exec` that take a value (dotnet/runtime,
/// `src/native/corehost/fxr/command_line.cpp`).
const OPTIONS: &[u8] = b"--additional-deps --additionalprobingpath --depsfile --fx-version \
    --roll-forward --roll-forward-on-no-candidate-fx --runtimeconfig";

/// Libraries by which a test project shows itself: the application is its own test runner.
const TEST_RUNNERS: &str = "Microsoft.NET.Test.Sdk Microsoft.Testing.Platform MSTest.TestFramework \
    TUnit.Engine xunit.v3.core";

/// The SDK's package; `OpenTelemetry.Api` is what libraries have.
const SDK: &str = "OpenTelemetry";

/// Whether the process runs .NET's own launcher, whatever link it was started by: the launcher looks at its
/// real path (dotnet/runtime, `src/native/corehost/corehost.cpp`).
pub fn is_launcher(process: &impl Process) -> bool {
    let program = process.program();
    let path = if program.is_empty() {
        process.started_as()
    } else {
        &program
    };
    file_name(path) == b"dotnet"
}

/// An application's files, by their paths.
#[derive(Debug, PartialEq, Eq)]
pub struct Application {
    assembly: Vec<u8>,
    runtime_configuration: Vec<u8>,
    dependencies: Vec<u8>,
    /// What stands behind it on the command line.
    arguments: Vec<Vec<u8>>,
}

impl Application {
    /// The application of a process; `None` where the configuration wants a process without one.
    ///
    /// # Errors
    /// None is started: one of the SDK's commands is, or the CLR is a guest of another program.
    pub fn of(
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<Option<Self>, Reason> {
        let processes = &configuration.processes;
        if is_launcher(process) {
            let arguments = process.arguments();
            let mut arguments = arguments.iter().skip(1).map(|argument| &argument[..]);
            let mut application = Self::named(&mut arguments);
            if let Some(application) = &mut application {
                application.arguments = arguments.map(Vec::from).collect();
            }
            return if application.is_some() || processes.include_arguments.is_some() {
                Ok(application)
            } else {
                Err(Reason::BuiltInArgumentDenial("the .NET SDK"))
            };
        }
        let mut application = Self::beside(process.executable());
        application.arguments = process.arguments().into_iter().skip(1).collect();
        if process.is_readable_file(&application.runtime_configuration) {
            return Ok(Some(application));
        }
        if processes.include.is_some() {
            return Ok(None);
        }
        application.is_no_tool(configuration)?;
        Err(Reason::Hosted)
    }

    /// What `dotnet` runs by these arguments.
    fn named<'a>(arguments: &mut impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (mut runtime_configuration, mut dependencies) = (None, None);
        loop {
            let argument = arguments.next()?;
            if argument == b"exec" {
                continue;
            }
            if !OPTIONS.split(|byte| *byte == b' ').any(|o| o == argument) {
                let mut found = Self::beside(without_suffix(argument)?);
                found.assembly = argument.into();
                let set = |file: &mut Vec<u8>, path: Option<&[u8]>| {
                    if let Some(path) = path {
                        *file = path.into();
                    }
                };
                set(&mut found.runtime_configuration, runtime_configuration);
                set(&mut found.dependencies, dependencies);
                return Some(found);
            }
            let value = arguments.next();
            match argument {
                b"--runtimeconfig" => runtime_configuration = value,
                b"--depsfile" => dependencies = value,
                _ => {}
            }
        }
    }

    /// The files of an application, by the path of its assembly without `.dll`.
    fn beside(stem: &[u8]) -> Self {
        let path = |suffix: &str| [stem, suffix.as_bytes()].concat();
        Self {
            assembly: path(".dll"),
            runtime_configuration: path(".runtimeconfig.json"),
            dependencies: path(".deps.json"),
            arguments: Vec::new(),
        }
    }

    /// Refuses what is there but must not, or cannot, have the agent.
    ///
    /// # Errors
    /// The application is a tool, or is missing, or its files say so.
    pub fn can_bear_the_agent(
        &self,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<(), Reason> {
        self.is_no_tool(configuration)?;
        if !process.is_readable_file(&self.assembly) {
            return Err(Reason::ApplicationMissing(self.assembly.clone()));
        }
        self.runs_startup_hooks(process)?;
        self.brings_no_sdk(process, configuration)
    }

    fn is_no_tool(&self, configuration: &Configuration) -> Result<(), Reason> {
        let path = without_suffix(&self.assembly).unwrap_or(&self.assembly);
        tools::refuse(Runtime::Dotnet, By::Assembly, path, configuration)?;
        commands::refuse(Runtime::Dotnet, path, &self.arguments, configuration)
    }

    /// The host gives its properties to the CLR: one switches startup hooks off, one names further
    /// hooks, which come after those of the environment (dotnet/runtime, `hostpolicy_context.cpp`).
    fn runs_startup_hooks(&self, process: &impl Process) -> Result<(), Reason> {
        let text = process
            .content(&self.runtime_configuration)
            .unwrap_or_default();
        let forbids = |what| Reason::ApplicationForbids {
            path: self.runtime_configuration.clone(),
            what,
        };
        let is_supported = value(&text, "System.StartupHookProvider.IsSupported");
        if is_supported.is_some_and(|value| value.eq_ignore_ascii_case(b"false")) {
            return Err(forbids("System.StartupHookProvider.IsSupported: false"));
        }
        match value(&text, "STARTUP_HOOKS") {
            Some(_) => Err(forbids("STARTUP_HOOKS")),
            None => Ok(()),
        }
    }

    fn brings_no_sdk(
        &self,
        process: &impl Process,
        configuration: &Configuration,
    ) -> Result<(), Reason> {
        let text = process.content(&self.dependencies);
        let has = |library: &str| {
            let start = ["\"", library, "/"].concat();
            text.as_deref()
                .is_some_and(|text| find(text, start.as_bytes()).is_some())
        };
        if configuration.processes.include_arguments.is_none()
            && texts::words(TEST_RUNNERS).any(has)
        {
            return Err(Reason::BuiltInArgumentDenial("a test runner"));
        }
        if configuration.agent(Runtime::Dotnet).allow_own_sdk {
            return Ok(());
        }
        if has(SDK) {
            let place = self.dependencies.clone();
            return Err(Reason::OwnSdk { place });
        }
        // Without such a file every assembly of the folder is the application's.
        let end = self.assembly.len() - file_name(&self.assembly).len();
        let folder = self.assembly.get(..end).unwrap_or_default();
        let library = [folder, SDK.as_bytes(), b".dll"].concat();
        if text.is_none() && process.is_readable_file(&library) {
            Err(Reason::OwnSdk { place: library })
        } else {
            Ok(())
        }
    }
}

/// A path without `.dll` or `.exe`; `None` where it ends with neither: the name of a command.
fn without_suffix(path: &[u8]) -> Option<&[u8]> {
    let (stem, suffix) = path.split_at_checked(path.len().checked_sub(4)?)?;
    let is_one = [b".dll", b".exe"]
        .iter()
        .any(|wanted| suffix.eq_ignore_ascii_case(*wanted));
    is_one.then_some(stem)
}

/// The value of a property in JSON, without quotes, where it is no object or array.
fn value<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let name = ["\"", name, "\""].concat();
    let rest = text.get(find(text, name.as_bytes())? + name.len()..)?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let mut parts = rest
        .trim_ascii_start()
        .split(|byte| matches!(byte, b',' | b'}' | b'\n'));
    let value = parts.next()?.trim_ascii();
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""));
    Some(inner.unwrap_or(value))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::{String, ToString};

    fn process(command: &str) -> Fixture {
        let arguments = command.split(' ').map(String::from);
        Fixture {
            executable: command.split(' ').next().unwrap().into(),
            arguments: arguments.collect(),
            ..Fixture::default()
        }
    }

    fn is_left_alone(command: &str) -> bool {
        let (mut p, c) = (process(command), Configuration::default());
        let words = p.arguments.iter().filter(|word| word.contains('/'));
        p.readable = words.cloned().collect();
        p.readable.push("shop.dll".into());
        p.readable.push("shop.exe".into());
        let own = |suffix: &str| p.executable.clone() + suffix;
        let own = [own(".dll"), own(".runtimeconfig.json")];
        p.readable.extend(own);
        let found = Application::of(&p, &c);
        found
            .and_then(|found| found.unwrap().can_bear_the_agent(&p, &c))
            .is_err()
    }

    #[test]
    fn the_sdks_commands_and_tools_are_left_alone() {
        for command in [
            "dotnet",
            "dotnet --info",
            "dotnet build shop.csproj",
            "/usr/bin/dotnet run --project shop.dll",
            "dotnet exec /usr/share/dotnet/sdk/8.0.100/MSBuild.dll /nodemode:1",
            "dotnet /sdk/Roslyn/bincore/VBCSCompiler.dll -pipename:x",
            "dotnet exec --runtimeconfig x.json --depsfile y.json /sdk/testhost.dll",
            "/usr/share/dotnet/sdk/10.0.100/Roslyn/bincore/csc x.cs",
            "/home/a/.dotnet/tools/nbgv get-version",
            "/root/.dotnet/tools/anything",
            "dotnet exec /root/.nuget/packages/x.tool/1.0.0/tools/net8.0/any/x.dll",
            "dotnet /tools/nbgv.dll",
        ] {
            assert!(is_left_alone(command), "{command}");
        }
    }

    #[test]
    fn applications_are_not() {
        for command in [
            "dotnet shop.dll",
            "dotnet exec /srv/shop.DLL build",
            "dotnet --roll-forward Major shop.exe",
            "dotnet exec --runtimeconfig /x/MSBuild.dll shop.dll",
            "/srv/shop build",
        ] {
            assert!(!is_left_alone(command), "{command}");
        }
    }

    #[test]
    fn a_clr_inside_another_program_is_left_alone() {
        for host in ["/usr/bin/node", "/usr/bin/python3.11", "/srv/host"] {
            let mut p = process(host);
            let mut c = Configuration::default();
            assert_eq!(Application::of(&p, &c), Err(Reason::Hosted), "{host}");
            p.readable.push([host, ".runtimeconfig.json"].concat());
            assert!(Application::of(&p, &c).is_ok(), "{host}");
            p.readable.clear();
            c.processes.include = Some(["*".into()].into());
            assert!(Application::of(&p, &c).is_ok(), "{host}");
        }
    }

    /// The outcome for `dotnet /a/shop.dll` with these files beside it.
    fn outcome(files: &[(&str, &str)], c: &Configuration) -> Result<(), String> {
        let mut p = process("dotnet /a/shop.dll");
        p.readable.push("/a/shop.dll".into());
        for (name, text) in files {
            p.readable.push(["/a/", name].concat());
            p.contents.insert(["/a/", name].concat(), (*text).into());
        }
        let found = Application::of(&p, c).unwrap().unwrap();
        found
            .can_bear_the_agent(&p, c)
            .map_err(|reason| reason.to_string())
    }

    #[test]
    fn the_runtime_configuration_may_forbid_the_agent() {
        let c = Configuration::default();
        let with = |text: &str| outcome(&[("shop.runtimeconfig.json", text)], &c);
        let switch = "System.StartupHookProvider.IsSupported";
        for text in [
            alloc::format!("{{\"{switch}\": false}}"),
            alloc::format!("{{\"{switch}\" :\n \"False\",\n \"x\": 1}}"),
            alloc::format!("{{\"{switch}\":false\n}}"),
            "{\"STARTUP_HOOKS\": \"/x.dll\"}".into(),
        ] {
            let reason = with(&text).unwrap_err();
            assert!(reason.starts_with("/a/shop.runtimeconfig.json"), "{reason}");
        }
        for text in [
            alloc::format!("{{\"{switch}\": true, \"y\": false}}"),
            "{\"System.StartupHookProvider\": false}".into(),
            String::new(),
        ] {
            assert_eq!(with(&text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_application_with_an_sdk_of_its_own_is_left_alone() {
        let mut c = Configuration::default();
        let sdk = [(
            "shop.deps.json",
            "{\"libraries\": {\"OpenTelemetry/1.9.0\": {}}}",
        )];
        let api = [("shop.deps.json", "{\"OpenTelemetry.Api/1.9.0\": {}}")];
        assert!(outcome(&sdk, &c).is_err());
        assert_eq!(outcome(&api, &c), Ok(()));
        assert!(outcome(&[("OpenTelemetry.dll", "")], &c).is_err());
        assert_eq!(outcome(&[api[0], ("OpenTelemetry.dll", "")], &c), Ok(()));
        c.agent_mut(Runtime::Dotnet).allow_own_sdk = true;
        assert_eq!(outcome(&sdk, &c), Ok(()));
    }

    #[test]
    fn test_projects_are_tools() {
        let tests = [("shop.deps.json", "{\"xunit.v3.core/1.0.0\": {}}")];
        let mut c = Configuration::default();
        assert!(outcome(&tests, &c).is_err());
        c.processes.include_arguments = Some(["*".into()].into());
        assert_eq!(outcome(&tests, &c), Ok(()));
    }

    #[test]
    fn without_its_assembly_nothing_starts() {
        let p = process("dotnet /a/none.dll");
        let c = Configuration::default();
        let found = Application::of(&p, &c).unwrap().unwrap();
        let missing = Reason::ApplicationMissing("/a/none.dll".into());
        assert_eq!(found.can_bear_the_agent(&p, &c), Err(missing));
    }

    #[test]
    fn options_may_name_other_files() {
        let line = ["exec", "--depsfile", "/d", "--runtimeconfig", "/r", "a.dll"];
        let found = Application::named(&mut line.iter().map(|word| word.as_bytes())).unwrap();
        assert_eq!(found.dependencies, b"/d");
        assert_eq!(found.runtime_configuration, b"/r");
        assert_eq!(found.assembly, b"a.dll");
    }
}

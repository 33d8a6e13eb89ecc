//! The .NET SDK's own commands and servers: each would report itself as a service.

use crate::process::file_name;
use crate::{Process, Reason};

/// Programs of the SDK that run as `dotnet [exec] PROGRAM.dll` or by their own name.
/// Source: the `sdk` folders of .NET 6 to 10.
const PROGRAMS: &[u8] = b"MSBuild NuGet.Build.Tasks.Console VBCSCompiler csc datacollector dotnet \
    dotnet-watch fsc testhost vbc vstest.console";

/// Options of `dotnet` and `dotnet exec` that take a value (dotnet/runtime,
/// `src/native/corehost/fxr/command_line.cpp`).
const OPTIONS: &[u8] = b"--additional-deps --additionalprobingpath --depsfile --fx-version \
    --roll-forward --roll-forward-on-no-candidate-fx --runtimeconfig";

/// Refuses a process that is one of the SDK's.
///
/// # Errors
/// It is one.
pub fn none(process: &impl Process) -> Result<(), Reason> {
    let program = file_name(process.started_as());
    let is_application = match program {
        // Without an application's file, `dotnet` starts the SDK's command of that name.
        b"dotnet" => {
            let arguments = process.arguments();
            let assembly = application(arguments.iter().skip(1).map(|argument| &argument[..]));
            assembly.is_some_and(|name| !has_word(PROGRAMS, name))
        }
        _ => !has_word(PROGRAMS, program),
    };
    match is_application {
        true => Ok(()),
        false => Err(Reason::BuiltInArgumentDenial("the .NET SDK")),
    }
}

fn has_word(words: &[u8], wanted: &[u8]) -> bool {
    words.split(|byte| *byte == b' ').any(|word| word == wanted)
}

/// The name of the application that `dotnet` runs, without its folder and `.dll`.
fn application<'a>(mut arguments: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    loop {
        let argument = arguments.next()?;
        if has_word(OPTIONS, argument) {
            arguments.next();
        } else if argument != b"exec" {
            let name = file_name(argument);
            let (stem, suffix) = name.split_at_checked(name.len().checked_sub(4)?)?;
            let is_assembly = [b".dll", b".exe"]
                .iter()
                .any(|wanted| suffix.eq_ignore_ascii_case(*wanted));
            return is_assembly.then_some(stem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    fn is_left_alone(command: &str) -> bool {
        let arguments = command.split(' ').map(String::from);
        let process = Fixture {
            executable: command.split(' ').next().unwrap().into(),
            arguments: arguments.collect(),
            ..Fixture::default()
        };
        none(&process).is_err()
    }

    #[test]
    fn the_sdks_commands_are_left_alone() {
        for command in [
            "dotnet",
            "dotnet --info",
            "dotnet build shop.csproj",
            "/usr/bin/dotnet run --project shop.dll",
            "dotnet exec /usr/share/dotnet/sdk/8.0.100/MSBuild.dll /nodemode:1",
            "dotnet /sdk/Roslyn/bincore/VBCSCompiler.dll -pipename:x",
            "dotnet exec --runtimeconfig x.json --depsfile y.json /sdk/testhost.dll",
            "/usr/share/dotnet/sdk/10.0.100/Roslyn/bincore/csc x.cs",
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
}

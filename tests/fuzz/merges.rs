//! Each runtime's merge: the value with the agent added is a value that holds the user's own,
//! byte by byte and item by item, and adding the agent to it again changes nothing.
//!
//! An input is the user's value, the agent's path, the boot folder, the command line, a setting of
//! the configuration, an attribute of it, and the user's attributes ([`Fields`]).

use super::fields::Fields;
use super::process::Plain;
use opentelemetry_injector_policy::runtimes::erlang::flags;
use opentelemetry_injector_policy::runtimes::{jvm, nodejs, python};
use opentelemetry_injector_policy::{Configuration, Reason, Runtime, Variable};

/// What a merge is given.
pub struct Scene {
    /// The user's value; `None` where the variable is not set.
    pub original: Option<Vec<u8>>,
    /// The process that asks.
    pub process: Plain,
    /// What is to be added.
    pub configuration: Configuration,
}

impl Scene {
    /// The scene that an input describes, for one runtime.
    pub fn of(input: &[u8], runtime: Runtime) -> Self {
        let mut fields = Fields::of(input);
        let original = fields.bytes();
        let mut configuration = Configuration::default();
        let agent = configuration.agent_mut(runtime);
        agent.agent_path = Some(String::from("/") + &fields.text());
        agent.allow_other_agents = true;
        let boot_folder = [b"/", fields.bytes()].concat();
        let mut process = Plain {
            executable: executable(runtime).into(),
            arguments: fields.list(),
            boot_folder,
            libraries: vec![
                "/jdk/lib/server/libjvm.so",
                "/jdk/lib/libinstrument.so",
                "/dotnet/host/fxr/8/libhostfxr.so",
            ],
            ..Plain::default()
        };
        for name in ["OTEL_SETTING", "OTEL_RESOURCE_ATTRIBUTES"] {
            let value = fields.text();
            if !value.is_empty() {
                configuration.environment.insert(name.into(), value);
            }
        }
        let attribute = fields.text();
        let attributes = &mut configuration.resource_attributes;
        attributes.insert("team".into(), attribute);
        let user = fields.bytes().to_vec();
        process
            .variables
            .insert("OTEL_RESOURCE_ATTRIBUTES".into(), user);
        Self {
            original: (original != b"(not set)").then(|| original.to_vec()),
            process,
            configuration,
        }
    }

    /// The value that the process gets.
    ///
    /// # Errors
    /// The reason for which it gets its own.
    pub fn value(&self, variable: Variable, original: Option<&[u8]>) -> Result<Vec<u8>, Reason> {
        variable.value(original, &self.process, &self.configuration)
    }
}

fn executable(runtime: Runtime) -> &'static [u8] {
    match runtime {
        Runtime::Jvm => b"/usr/bin/java",
        Runtime::Nodejs => b"/usr/bin/node",
        Runtime::Python => b"/usr/bin/python3",
        Runtime::Ruby => b"/usr/bin/ruby",
        Runtime::Php => b"/usr/bin/php",
        Runtime::Erlang => b"/usr/lib/erlang/bin/erlexec",
        Runtime::Dotnet => b"/usr/bin/dotnet",
    }
}

/// Looks at all variables of a runtime.
///
/// # Panics
/// Where the merge breaks its word.
pub fn look_at(input: &[u8], runtime: Runtime) {
    let scene = Scene::of(input, runtime);
    let variables = Variable::ALL.into_iter();
    for variable in variables.filter(|variable| variable.runtime() == runtime) {
        let original = scene.original.as_deref();
        let Ok(value) = scene.value(variable, original) else {
            continue;
        };
        assert!(!value.contains(&0), "a value that no variable can hold");
        match scene.value(variable, Some(&value)) {
            Ok(twice) => assert_eq!(twice, value, "applied twice it changes"),
            Err(Reason::AlreadyInjected) => {}
            Err(reason) => panic!("the value that we made is refused: {reason:?}"),
        }
        // What a parent handed on is no part of the user's value.
        let boot_folder = [&scene.process.boot_folder[..], b"/python"].concat();
        let users = original.map(|value| python::without_ours(value, &boot_folder));
        match variable {
            Variable::Pythonpath => holds_the_users(variable, &value, users.as_deref()),
            _ => holds_the_users(variable, &value, original),
        }
    }
    // Whatever is added to an environment: the marker takes it back.
    let variable = Variable::DotnetStartupHooks;
    if runtime == Runtime::Dotnet {
        super::added::look_at(&scene, variable);
    }
}

/// Without our own items the value is the user's, and the user's bytes stand in it as they were.
fn holds_the_users(variable: Variable, value: &[u8], original: Option<&[u8]>) {
    let user = original.unwrap_or_default();
    let before = match original {
        // To PHP an unset variable means its built-in folders, as an empty part does; an empty
        // value means none.
        Some(b"") => Vec::new(),
        _ => items(variable, user),
    };
    let after = items(variable, value);
    let is_behind = variable == Variable::PhpIniScanDir;
    let stays = match variable {
        // The merged attributes may come behind the user's options.
        Variable::JavaToolOptions => contains(value, user),
        // Ours may come behind Bundler's own option.
        Variable::Rubyopt => value.ends_with(&user[common(value, user)..]),
        _ if is_behind => value.starts_with(user),
        _ => value.ends_with(user),
    };
    assert!(stays, "the user's bytes are not in the value");
    let added = after.len() - before.len();
    let without_ours;
    let rest = match variable {
        Variable::JavaToolOptions => {
            let is_last = |option: &Vec<u8>| option.starts_with(b"-Dotel.resource.attributes=");
            let trailing = usize::from(!value.ends_with(user) && after.last().is_some_and(is_last));
            &after[added - trailing..after.len() - trailing]
        }
        Variable::Rubyopt => {
            let ours = common(&after, &before);
            without_ours = [&after[..ours], &after[ours + added..]].concat();
            &without_ours
        }
        _ if is_behind => &after[..before.len()],
        _ => &after[added..],
    };
    assert_eq!(rest, before, "the user's items are not what they were");
    let most = match variable {
        Variable::JavaToolOptions => 4,
        Variable::NodeOptions => 2,
        Variable::ErlAflags => 8,
        _ => 1,
    };
    assert!(added <= most, "{added} items are added");
}

/// How much two of them begin with in common.
fn common<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    part.is_empty() || value.windows(part.len()).any(|window| window == part)
}

/// The items of a value, as the runtime splits it.
fn items(variable: Variable, value: &[u8]) -> Vec<Vec<u8>> {
    let parts = |value: &[u8], separator: fn(&u8) -> bool| -> Vec<Vec<u8>> {
        value.split(separator).map(<[u8]>::to_vec).collect()
    };
    match variable {
        Variable::JavaToolOptions => jvm::options::split(value).expect("HotSpot can read it"),
        Variable::NodeOptions => nodejs::options::split(value).expect("Node can read it"),
        Variable::ErlAflags => flags::split(value).expect("Erlang can read it"),
        Variable::Rubyopt => {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
            let mut words = parts(value, blank);
            words.retain(|word| !word.is_empty());
            words
        }
        Variable::PhpIniScanDir => parts(value, |byte| *byte == b':'),
        _ if value.is_empty() => Vec::new(),
        _ => parts(value, |byte| *byte == b':'),
    }
}

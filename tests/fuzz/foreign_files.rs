//! Every reader of files that somebody else writes: manifests and settings of applications, and what a runtime or
//! the kernel keeps in files. Whatever is in them, nothing panics, the same file gives the same, and a name is a
//! plain word.
//!
//! An input is a byte that chooses a command line, and behind it the content of every file.

use super::identity::look_at_runtime;
use super::process::Plain;
use opentelemetry_injector_policy::formats::ancestors::strings;
use opentelemetry_injector_policy::settings::identity::{Identity, json};
use opentelemetry_injector_policy::{Configuration, Runtime, Variable};
use serde_json::Value;

/// What is run, and which file then tells a name.
const NAMED: [(Runtime, &str); 16] = [
    // package.json
    (Runtime::Nodejs, "node /srv/app/server.js"),
    (Runtime::Nodejs, "node /app/node_modules/.bin/next start"),
    // composer.json
    (Runtime::Php, "php /srv/app/artisan queue:work"),
    (Runtime::Php, "php /srv/app/vendor/bin/roadrunner-worker"),
    (Runtime::Php, "php -S 127.0.0.1:80 -t public"),
    // manage.py
    (Runtime::Python, "python3 /srv/app/manage.py runserver"),
    (Runtime::Python, "python3 -m django runserver"),
    // config/application.rb
    (Runtime::Ruby, "ruby /usr/bin/puma"),
    (Runtime::Ruby, "ruby /srv/app/bin/rails server"),
    // mix.exs
    (Runtime::Erlang, "erlexec -extra /usr/bin/mix phx.server"),
    // Podman's .containerenv, and the control groups
    (Runtime::Python, "python3 /app/main.py"),
    // Files on the class path
    (Runtime::Jvm, "java -cp /app/classes com.acme.Main"),
    // An argument file
    (Runtime::Jvm, "java @/app/arguments"),
    // The command line of a parent
    (Runtime::Python, "python3 -c HELPER"),
    // FPM's and mod_wsgi's titles
    (Runtime::Php, "TITLE"),
    (Runtime::Python, "TITLE"),
];

/// Looks at a file that tells a name.
///
/// # Panics
/// Where a reader breaks its word.
pub fn look_at_names(input: &[u8]) {
    let Some((row, content)) = choose(input, &NAMED) else {
        return;
    };
    look_at_manifest(content);
    let mut process = process(row.1, content);
    process
        .variables
        .insert("container".into(), b"podman".to_vec());
    look_at_runtime(row.0, &process);
    // A name that is given already is not looked for.
    assert_eq!(Identity::derive(row.0, &process, true).name, None);
}

/// What is run, the variable that is asked for, and what else is in the environment.
const DECIDED: [(Runtime, &str, &[&str]); 11] = [
    // `release` of the JDK, and -XX:VMOptionsFile, -XX:Flags
    (Runtime::Jvm, "java -XX:VMOptionsFile=/x Main", &[]),
    (
        Runtime::Jvm,
        "java -XX:Flags=/x -XX:+UseShenandoahGC Main",
        &[],
    ),
    // Argument files, of the variable as well
    (Runtime::Jvm, "java @/x", &[]),
    (Runtime::Jvm, "java Main", &["JDK_JAVA_OPTIONS=@/x"]),
    // A declarative configuration
    (Runtime::Jvm, "java Main", &["OTEL_CONFIG_FILE=/x"]),
    // *.runtimeconfig.json and *.deps.json
    (Runtime::Dotnet, "dotnet /srv/app/Shop.dll", &[]),
    // The boot script of a release, and mix.lock
    (
        Runtime::Erlang,
        "erlexec -boot /srv/app/releases/1/start",
        &[],
    ),
    (
        Runtime::Erlang,
        "erlexec -s elixir -extra /usr/bin/mix phx.server",
        &[],
    ),
    // Files with variables
    (Runtime::Nodejs, "node --env-file=/x server.js", &[]),
    // Gemfile.lock
    (Runtime::Ruby, "ruby app.rb", &[]),
    (Runtime::Ruby, "ruby app.rb", &["BUNDLE_GEMFILE=/x/gems.rb"]),
];

/// Looks at a file that decides whether an agent is injected.
///
/// # Panics
/// Where a reader breaks its word.
pub fn look_at_decisions(input: &[u8]) {
    let Some(((runtime, line, variables), content)) = choose(input, &DECIDED) else {
        return;
    };
    let mut process = process(line, content);
    process.libraries = vec![
        "/jdk/lib/server/libjvm.so",
        "/jdk/lib/libinstrument.so",
        "/dotnet/host/fxr/8/libhostfxr.so",
    ];
    for (name, value) in variables.iter().filter_map(|entry| entry.split_once('=')) {
        process.variables.insert(name.into(), value.into());
    }
    let mut configuration = Configuration::default();
    configuration.agent_mut(*runtime).agent_path = Some("/agent".into());
    let of_runtime = |variable: &Variable| variable.runtime() == *runtime;
    for variable in Variable::ALL.into_iter().filter(of_runtime) {
        let value = || variable.value(None, &process, &configuration);
        match value() {
            Ok(value) => assert!(!value.contains(&0), "a value that no variable can hold"),
            Err(reason) => assert!(!reason.to_string().is_empty()),
        }
        assert_eq!(value(), value());
    }
}

/// The row that the first byte chooses, and the rest of the input.
fn choose<'i, T>(input: &'i [u8], rows: &'static [T]) -> Option<(&'static T, &'i [u8])> {
    let (choice, content) = input.split_first()?;
    let row = rows.get(usize::from(*choice) % rows.len())?;
    Some((row, content))
}

fn process(line: &str, content: &[u8]) -> Plain {
    let helper = "from multiprocessing.spawn import spawn_main; spawn_main()";
    let words = line.split(' ').map(|word| match word {
        "HELPER" => helper.into(),
        "TITLE" => content
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec(),
        word => word.into(),
    });
    let arguments: Vec<Vec<u8>> = words.collect();
    Plain {
        executable: [b"/usr/bin/", &arguments[0][..]].concat(),
        arguments,
        content: Some(content.to_vec()),
        working_directory: b"/srv/app".to_vec(),
        control_groups: content.to_vec(),
        boot_folder: b"/boot".to_vec(),
        parent: strings(content),
        ..Plain::default()
    }
}

/// The reader of manifests finds what a whole reader of JSON finds.
fn look_at_manifest(content: &[u8]) {
    let count = |what: &[u8]| {
        content
            .windows(what.len())
            .filter(|part| *part == what)
            .count()
    };
    // Escapes are not read, and of two members of one name another one may count.
    if content.contains(&b'\\') || count(b"name") != 1 {
        return;
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(content) else {
        return;
    };
    let [found] = json::texts(content, ["name"]);
    let wanted = members.get("name").and_then(Value::as_str);
    assert_eq!(found.as_deref(), wanted.map(str::as_bytes));
}

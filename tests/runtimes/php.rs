//! Real PHP (CLI, FPM, Apache's module) with a small agent (agents/php), which sends one span when
//! it is loaded.

use crate::php_servers::{self, Server};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Scene, Sink, built, engines, has, root, skip, stderr, stdout, succeed};

/// The small agent's folder.
pub fn agent() -> PathBuf {
    root().join("tests/agents/php").canonicalize().unwrap()
}

/// A scene with the agent in `folder`, sending to `sink`.
pub fn scene(folder: &Path, sink: &Sink) -> Scene {
    let scene = Scene::new();
    scene.configure(&format!(
        "[php]\nagent_path = \"{}\"\n[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = '{}'\n\
         OTEL_SERVICE_NAME = 'ours'\n[resource_attributes]\nteam = 'blue'\nuser.key = 'ours'\n",
        folder.display(),
        sink.endpoint
    ));
    fs::copy(
        root().join("tests/programs/php/inside.php"),
        scene.path("inside.php"),
    )
    .unwrap();
    scene
}

/// A folder with other text in the agent's place.
fn failing_agent(scene: &Scene, text: &str) -> PathBuf {
    let folder = scene.path("agent");
    fs::create_dir_all(folder.join("composer")).unwrap();
    fs::write(folder.join("autoload.php"), text).unwrap();
    folder
}

/// PHP's command line in the scene's folder.
pub fn php(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.command("php", "direct");
    command.args(arguments).current_dir(scene.folder.path());
    command
}

/// The same without the object.
pub fn plain(mut command: Command) -> Command {
    command.env_remove("LD_PRELOAD");
    command
}

/// How a command ends, and what it prints.
pub fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    let output: Output = command.output().unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

/// Whether inside.php has found the agent.
pub fn has_agent(command: &mut Command) -> bool {
    let printed = succeed(command);
    match printed.lines().next() {
        Some("agent") => true,
        Some("none") => false,
        _ => panic!("{printed}"),
    }
}

fn span(sink: &Sink, sapi: &str) -> Value {
    let name = format!("php {sapi}");
    sink.wait_for(&name, |span| (span["name"] == *name).then(|| span.clone()))
}

fn assert_settings(span: &Value, service: &str, user_key: &str) {
    assert_eq!(span["service"], service);
    assert_eq!(span["resource"]["team"], "blue");
    assert_eq!(span["resource"]["user.key"], user_key);
}

#[test]
fn a_span_arrives_from_the_command_line_with_the_settings_and_nothing_shows() {
    if !has("php") {
        skip!("no php");
    }
    for engine in engines() {
        let sink = Sink::start();
        let scene = scene(&agent(), &sink);
        let start = || {
            let mut command = scene.command("php", engine);
            command.arg(scene.path("inside.php"));
            command
        };
        let without = succeed(&mut plain(start()));
        assert_eq!(succeed(&mut start()), without.replace("none", "agent"));
        assert_settings(&span(&sink, "cli"), "ours", "ours");

        let theirs = || {
            let mut command = start();
            command.env("OTEL_SERVICE_NAME", "theirs");
            command.env("OTEL_RESOURCE_ATTRIBUTES", "user.key=theirs");
            command
        };
        let without = succeed(&mut plain(theirs()));
        assert_eq!(succeed(&mut theirs()), without.replace("none", "agent"));
        assert_settings(&span(&sink, "cli"), "theirs", "theirs");
    }
}

#[test]
fn the_users_folders_are_kept_and_none_is_read_twice() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let folder = scene.path("ini with blanks");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("x.ini"), "memory_limit = 77M\n").unwrap();
    let script = scene.path("limit.php");
    let text = "<?php echo ini_get('memory_limit'), ' '; include 'inside.php';";
    fs::write(&script, text).unwrap();
    let (folder, ours) = (folder.display(), built().join("boot/php/ini"));
    for value in [
        String::new(),
        folder.to_string(),
        format!(":{folder}"),
        format!("{folder}:"),
        "/missing".to_owned(),
    ] {
        let start = || {
            let mut command = php(&scene, &["limit.php"]);
            command.env("PHP_INI_SCAN_DIR", &value);
            command
        };
        let (code, printed, errors) = outcome(plain(start()));
        let wanted = (code, printed.replace("none", "agent"), errors);
        assert_eq!(outcome(start()), wanted, "{value}");
    }
    // A parent may have passed our folder on, and somebody may have written it in another way.
    let ours = ours.display();
    let link = scene.path("link");
    symlink(built().join("boot/php/ini"), &link).unwrap();
    for value in [
        format!(":{ours}:{folder}"),
        format!(":{ours}/"),
        format!(":/{ours}/."),
        format!(":{}", link.display()),
    ] {
        let mut command = php(&scene, &["inside.php"]);
        command.env("PHP_INI_SCAN_DIR", &value);
        let (_, printed, errors) = outcome(command);
        assert!(printed.starts_with("agent\n"), "{value}: {printed}");
        assert_eq!(errors, "");
    }
}

#[test]
fn the_users_prepend_file_runs_with_variables_of_its_own() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let folder = scene.path("ini");
    fs::create_dir(&folder).unwrap();
    let user = scene.path("user's prepend.php");
    let text = "<?php echo \"user\\n\"; $mine = class_exists('TestAgent', false);";
    fs::write(&user, text).unwrap();
    fs::write(scene.path("mine.php"), "<?php var_dump($mine);").unwrap();
    for value in [user.display().to_string(), "user's prepend.php".to_owned()] {
        fs::write(
            folder.join("x.ini"),
            format!("auto_prepend_file = \"{value}\"\n"),
        )
        .unwrap();
        let mut command = php(&scene, &["mine.php"]);
        command.env("PHP_INI_SCAN_DIR", format!(":{}", folder.display()));
        assert_eq!(succeed(&mut command), "user\nbool(true)\n");
    }
    // One on the command line comes after every ini file: it alone counts.
    let mut command = php(
        &scene,
        &["-d", "auto_prepend_file=\"user's prepend.php\"", "mine.php"],
    );
    assert_eq!(succeed(&mut command), "user\nbool(false)\n");
}

#[test]
fn programs_end_and_print_as_without_us() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    for (name, text) in [
        (
            "hello.php",
            "hello <?php echo __FILE__, json_encode(error_get_last()), $argc;",
        ),
        ("exit.php", "<?php exit(3);"),
        ("die.php", "<?php die('over');"),
        ("throw.php", "<?php throw new Exception('no');"),
        ("fatal.php", "<?php not_there();"),
        (
            "warn.php",
            "<?php echo $x; trigger_error('y'); echo json_encode(error_get_last());",
        ),
        ("parse.php", "<?php ("),
        ("restore.php", "<?php restore_error_handler(); echo $x;"),
        ("kill.php", "<?php posix_kill(getmypid(), 15); sleep(9);"),
    ] {
        fs::write(scene.path(name), text).unwrap();
    }
    for arguments in [
        &["hello.php"][..],
        &["-f", "hello.php", "an argument"],
        &["-n", "hello.php"],
        &["-n", "inside.php"],
        &["-d", "display_errors=1", "warn.php"],
        &["exit.php"],
        &["die.php"],
        &["throw.php"],
        &["fatal.php"],
        &["parse.php"],
        &["restore.php"],
        &["kill.php"],
        &["missing.php"],
        &["-l", "hello.php"],
        &["-r", "include 'inside.php'; exit(4);"],
        &["--version"],
        &["-m"],
        &["--ini"],
        &[],
    ] {
        let run = |mut command: Command| {
            command.stdin(fs::File::open(scene.path("hello.php")).unwrap());
            outcome(command)
        };
        let without = run(plain(php(&scene, arguments)));
        assert_eq!(run(php(&scene, arguments)), without, "{arguments:?}");
    }
}

/// What stands before a `(` in our boot files: the functions that they call, and a few words.
fn called_functions() -> BTreeSet<String> {
    let read = |name: &str| fs::read_to_string(built().join("boot/php").join(name)).unwrap();
    let text = read("prepend.php") + &read("applications.php");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = text.split('(').map(|part| {
        let start = part.rfind(|c| !is_name(c)).map_or(0, |last| last + 1);
        part[start..].to_owned()
    });
    before.filter(|name| !name.is_empty()).collect()
}

#[test]
fn functions_that_are_switched_off_change_nothing() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let folder = scene.path("ini");
    fs::create_dir(&folder).unwrap();
    fs::write(scene.path("user.php"), "<?php echo 'user ', PHP_EOL;").unwrap();
    let text = "<?php echo json_encode(array_keys($GLOBALS)), $x; trigger_error('y');";
    fs::write(scene.path("hello.php"), text).unwrap();
    let mut functions = called_functions();
    assert!(functions.contains("getenv") && functions.contains("set_error_handler"));
    functions.insert("getenv,set_error_handler,restore_error_handler".into());
    for functions in functions {
        let start = || {
            let mut command = php(&scene, &["hello.php"]);
            command.env("PHP_INI_SCAN_DIR", format!(":{}", folder.display()));
            command
        };
        let switched_off = format!("disable_functions = {functions}\n");
        let with_prepend = switched_off.clone() + "auto_prepend_file = user.php\n";
        for text in [switched_off, with_prepend] {
            // Nothing else tells which file that is: told in the README.
            if functions == "get_cfg_var" && text.contains("user.php") {
                continue;
            }
            fs::write(folder.join("x.ini"), &text).unwrap();
            assert_eq!(outcome(start()), outcome(plain(start())), "{text}");
        }
    }
}

#[test]
fn an_agent_that_is_missing_or_fails_changes_nothing() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let agent = failing_agent(&folder, "");
    let scene = scene(&agent, &sink);
    let script = scene.path("handler.php");
    let text = "<?php include 'inside.php'; echo json_encode([error_get_last(), set_error_handler(null)]);";
    fs::write(&script, text).unwrap();
    let run = || outcome(php(&scene, &["-d", "display_errors=1", "handler.php"]));
    let without = outcome(plain(php(
        &scene,
        &["-d", "display_errors=1", "handler.php"],
    )));
    for text in [
        "<?php throw new Exception('no');",
        "<?php throw new TypeError('no');",
        "<?php not_there();",
        "<?php (",
        "<?php trigger_error('no', E_USER_ERROR);",
        "<?php echo $undefined; trigger_error('no', E_USER_DEPRECATED);",
        "<?php require 'missing.inc';",
    ] {
        fs::write(agent.join("autoload.php"), text).unwrap();
        assert_eq!(run(), without, "{text}");
    }
    fs::remove_file(agent.join("autoload.php")).unwrap();
    assert_eq!(run(), without);
}

#[test]
fn an_older_php_than_the_agent_needs_is_left_alone() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let text = fs::read_to_string(agent().join("autoload.php")).unwrap();
    let agent = failing_agent(&folder, &text);
    let scene = scene(&agent, &sink);
    for (floor, wanted) in [("990000", false), ("50600", true)] {
        let check = format!("<?php\n\nif (!(PHP_VERSION_ID >= {floor})) {{\n    exit(9);\n}}\n");
        fs::write(agent.join("composer/platform_check.php"), check).unwrap();
        assert_eq!(
            has_agent(&mut php(&scene, &["inside.php"])),
            wanted,
            "{floor}"
        );
    }
}

/// A vendor folder as Composer 2 leaves it, with these packages and this autoloader.
pub fn vendor(folder: &Path, packages: &[(&str, &str)], autoload: &str) {
    fs::create_dir_all(folder.join("composer")).unwrap();
    fs::write(folder.join("autoload.php"), autoload).unwrap();
    let entry = |(name, version): &(&str, &str)| {
        format!(
            "        '{name}' => array(\n            'pretty_version' => '{version}',\n            \
             'version' => '{version}',\n            'reference' => null,\n        ),\n"
        )
    };
    let entries: String = packages.iter().map(entry).collect();
    let list = format!("<?php return array(\n    'versions' => array(\n{entries}    ),\n);\n");
    fs::write(folder.join("composer/installed.php"), list).unwrap();
}

/// An agent that declares an interface, as psr/log 3 does, and an application with that of
/// version 1, which its class fits alone.
fn logging_scene(folder: &Scene, sink: &Sink) -> Scene {
    let text = fs::read_to_string(agent().join("autoload.php")).unwrap();
    let theirs = "interface Logger { public function log($text); }";
    let ours = theirs.replace("log($text)", "log(string $text): void");
    let agent = folder.path("agent");
    let packages = [("__root__", "7.0.0.0"), ("psr/log", "3.0.2.0")];
    vendor(&agent, &packages, &format!("{text}\n{ours}\n"));
    let scene = scene(&agent, sink);
    let autoload = format!("<?php if (!interface_exists('Logger')) {{ {theirs} }}");
    let packages = [("__root__", "1.0.0.0"), ("psr/log", "1.1.4.0")];
    vendor(&scene.path("vendor"), &packages, &autoload);
    let script = "<?php require __DIR__ . '/../vendor/autoload.php'; include __DIR__ . '/../inside.php';\n\
                  eval('class Mine implements Logger { public function log($text) {} } echo \"up\";');";
    fs::create_dir(scene.path("public")).unwrap();
    fs::write(scene.path("public/index.php"), script).unwrap();
    scene
}

#[test]
fn an_application_with_another_major_version_of_a_package_is_left_alone() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = logging_scene(&folder, &sink);
    let assert_left_alone = |what: &str| {
        let without = outcome(plain(php(&scene, &["public/index.php"])));
        assert!(without.1.ends_with("up"), "{}", without.1);
        let with = outcome(php(&scene, &["public/index.php"]));
        assert_eq!(with, without, "{what}");
    };
    assert_left_alone("version 1");
    // A list that says nothing, and the one of Composer 1, which is no PHP.
    let list = scene.path("vendor/composer/installed.php");
    for text in ["<?php exit('broken", "\u{feff}", "<?php return 1;"] {
        fs::write(&list, text).unwrap();
        assert_left_alone(text);
    }
    fs::remove_file(&list).unwrap();
    assert_left_alone("Composer 1");
    if let Some(fpm) = php_servers::fpm() {
        let script = scene.path("public/index.php");
        let with = Server::fpm(&scene, scene.command(fpm, "direct"), "").get(&script);
        assert!(with.contains("\nnone\n") && with.ends_with("up"), "{with}");
    }
}

#[test]
fn an_application_with_the_same_major_versions_gets_the_agent() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = logging_scene(&folder, &sink);
    let check = |packages: &[(&str, &str)], wanted: bool| {
        vendor(&scene.path("vendor"), packages, "<?php");
        let loaded = has_agent(&mut php(&scene, &["inside.php"]));
        assert_eq!(loaded, wanted, "{packages:?}");
    };
    check(&[("__root__", "1.0.0.0"), ("psr/log", "3.0.0.0")], true);
    check(&[("__root__", "1.0.0.0"), ("psr/cache", "1.0.0.0")], true);
    check(&[("__root__", "1.0.0.0"), ("psr/log", "dev-main")], false);
}

#[test]
fn the_sdk_is_told_to_log_nothing_unless_the_user_wants_it() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let told = "<?php echo getenv('OTEL_PHP_LOG_DESTINATION');";
    fs::write(scene.path("told.php"), told).unwrap();
    let mut command = php(&scene, &["told.php"]);
    assert_eq!(succeed(&mut command), "none");
    command.env("OTEL_PHP_LOG_DESTINATION", "stderr");
    assert_eq!(succeed(&mut command), "stderr");
}

#[test]
fn blanks_and_quotes_in_the_agents_path_do_no_harm() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let odd = folder.path("it's a folder: ${HOME};");
    fs::create_dir(&odd).unwrap();
    fs::copy(agent().join("autoload.php"), odd.join("autoload.php")).unwrap();
    let scene = scene(&odd, &sink);
    assert!(has_agent(&mut php(&scene, &["inside.php"])));
}

#[test]
fn tools_are_left_alone_until_the_configuration_names_them() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    for tool in ["composer", "composer.phar", "phar.phar", "peclcmd.php"] {
        fs::copy(scene.path("inside.php"), scene.path(tool)).unwrap();
        assert!(!has_agent(&mut php(&scene, &[tool])), "{tool}");
    }
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let named = "[processes]\ninclude_arguments = [\"composer\"]\n";
    scene.configure(&(configuration + named));
    assert!(has_agent(&mut php(&scene, &["composer"])));
    assert!(!has_agent(&mut php(&scene, &["inside.php"])));
}

#[test]
fn an_extension_of_another_vendor_stays_alone() {
    if !has("php") || !has("php-config") {
        skip!("no php or no php-config (php-dev)");
    }
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let includes = succeed(Command::new("php-config").arg("--includes"));
    let mut arguments: Vec<&str> = includes.split_whitespace().collect();
    arguments.extend(["-shared", "-fPIC", "-Wno-unused-parameter"]);
    let library = scene.compile_with("cc", "php_extension", &arguments);
    let option = format!("extension={}", library.display());
    let mut command = php(&scene, &["-d", &option, "inside.php"]);
    assert!(!has_agent(&mut command));
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let both = configuration.replace("[environment]", "allow_other_agents = true\n[environment]");
    scene.configure(&both);
    assert!(has_agent(&mut command));
}

#[test]
fn fpm_is_injected_whether_it_clears_the_environment_or_not() {
    let Some(fpm) = php_servers::fpm() else {
        skip!("no php-fpm");
    };
    for (pool, service) in [
        ("clear_env = yes\n", "ours"),
        ("clear_env = no\n", "theirs"),
        ("clear_env = yes\nenv[OTEL_SERVICE_NAME] = pool\n", "pool"),
    ] {
        let sink = Sink::start();
        let scene = scene(&agent(), &sink);
        let inside = scene.path("inside.php");
        let start = || {
            let mut command = scene.command(&fpm, "direct");
            command.env("OTEL_SERVICE_NAME", "theirs");
            command
        };
        let without = Server::fpm(&scene, plain(start()), pool).get(&inside);
        let server = Server::fpm(&scene, start(), pool);
        let wanted = without.replace("none\n", "agent\n");
        for _ in 0..2 {
            assert_eq!(server.get(&inside), wanted, "{pool}");
            assert_settings(&span(&sink, "fpm-fcgi"), service, "ours");
        }
        // It executes itself anew.
        server.restart(&scene, "USR2", "ready to handle connections");
        assert_eq!(server.get(&inside), wanted, "{pool}");
    }
}

#[test]
fn an_agent_that_fpms_workers_cannot_read_is_left_out() {
    let (Some(fpm), true) = (php_servers::fpm(), support::is_root()) else {
        skip!("no php-fpm, or no root whose workers are other users");
    };
    let sink = Sink::start();
    let folder = Scene::new();
    let agent = failing_agent(&folder, "<?php class TestAgent {}");
    let scene = scene(&agent, &sink);
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(agent.join("autoload.php"), mode).unwrap();
    let server = Server::fpm(&scene, scene.command(&fpm, "direct"), "");
    let answer = server.get(&scene.path("inside.php"));
    assert!(answer.contains("\nnone\n"), "{answer}");
}

#[test]
fn apaches_module_is_injected_and_stays_so_over_a_reload() {
    let Some((apache, module)) = php_servers::apache() else {
        skip!("no apache2 with PHP's module");
    };
    let sink = Sink::start();
    let scene = scene(&agent(), &sink);
    let inside = scene.path("inside.php");
    let body = |answer: String| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let start = || scene.command(&apache, "direct");
    let without = body(Server::apache(&scene, || plain(start()), &module, "").get(&inside));
    let wanted = without.replace("none\n", "agent\n");
    let server = Server::apache(&scene, start, &module, "");
    assert_eq!(body(server.get(&inside)), wanted);
    assert_settings(&span(&sink, "apache2handler"), "ours", "ours");
    server.restart(&scene, "USR1", "resuming normal operations");
    assert_eq!(body(server.get(&inside)), wanted);
    assert_settings(&span(&sink, "apache2handler"), "ours", "ours");
}

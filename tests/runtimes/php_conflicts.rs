//! Applications whose libraries the agent would break, or whose own SDK it would displace: PHP runs
//! them as without us, wherever the libraries are.

use crate::php::{agent, outcome, php, plain, scene, vendor};
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Scene, Sink, has, skip, stderr, stdout, succeed};

const TOLD: &str = "<?php echo class_exists('TestAgent', false) ? 'agent' : 'none', ' ', \
     json_encode(array_map('getenv', array('OTEL_SERVICE_NAME', 'OTEL_PHP_AUTOLOAD_ENABLED'))), \
     json_encode(error_get_last());";
const UNTOUCHED: &str = "none [false,false]null";

/// An agent with psr/log 3, and the application `told.php`.
fn conflict_scene(folder: &Scene, sink: &Sink) -> Scene {
    let text = fs::read_to_string(agent().join("autoload.php")).unwrap();
    let ours = folder.path("agent");
    let packages = [
        ("__root__", "7.0.0.0"),
        ("psr/log", "3.0.2.0"),
        ("open-telemetry/sdk", "1.9.0.0"),
    ];
    vendor(&ours, &packages, &text);
    let rules =
        "<?php\n\nreturn array(\n    'Psr\\\\Log\\\\' => array($vendorDir . '/psr/log/src'),\n);\n";
    fs::write(ours.join("composer/autoload_psr4.php"), rules).unwrap();
    let source = "<?php\nnamespace Psr\\Log;\n\n/** Version 3. */\ninterface LoggerInterface\n{\n    \
                  public function log($level, string $message): void;\n}\n";
    fs::create_dir_all(ours.join("psr/log/src")).unwrap();
    fs::write(ours.join("psr/log/src/LoggerInterface.php"), source).unwrap();
    let scene = scene(&ours, sink);
    fs::write(scene.path("told.php"), TOLD).unwrap();
    scene
}

/// What a script says, without the libraries of this machine unless `options` name some.
fn told(scene: &Scene, script: &str, options: &[&str]) -> String {
    let mut arguments = vec!["-d", "include_path=."];
    arguments.extend(options);
    arguments.push(script);
    succeed(&mut php(scene, &arguments))
}

fn assert_injected(scene: &Scene, script: &str, options: &[&str]) {
    let text = told(scene, script, options);
    assert!(text.starts_with("agent [\"ours\",\"true\"]"), "{text}");
}

#[test]
fn libraries_below_the_application_count() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    for place in [
        "vendor",
        "3rdparty",
        "lib/vendor",
        "plugins/mailer/vendor",
        "wp-content/plugins/mailer/vendor",
    ] {
        let scene = conflict_scene(&folder, &sink);
        let list = scene.path(place);
        vendor(&list, &[("psr/log", "3.1.0.0")], "<?php");
        assert_injected(&scene, "told.php", &[]);
        vendor(&list, &[("psr/log", "1.1.4.0")], "<?php");
        assert_eq!(told(&scene, "told.php", &[]), UNTOUCHED, "{place}");
        // From a script in a folder of the application's.
        fs::create_dir(scene.path("wp-admin")).unwrap();
        fs::copy(scene.path("told.php"), scene.path("wp-admin/told.php")).unwrap();
        fs::write(scene.path("index.php"), "").unwrap();
        assert_eq!(told(&scene, "wp-admin/told.php", &[]), UNTOUCHED, "{place}");
    }
}

#[test]
fn a_neighbours_libraries_do_not_count() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = conflict_scene(&folder, &sink);
    vendor(
        &scene.path("blog/vendor"),
        &[("psr/log", "1.0.0.0")],
        "<?php",
    );
    fs::create_dir(scene.path("shop")).unwrap();
    fs::copy(scene.path("told.php"), scene.path("shop/told.php")).unwrap();
    assert_injected(&scene, "shop/told.php", &[]);
}

#[test]
fn libraries_in_the_include_path_count_where_they_differ() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = conflict_scene(&folder, &sink);
    let library = scene.path("share/Psr/Log");
    fs::create_dir_all(&library).unwrap();
    let path = format!("include_path=.:{}", scene.path("share").display());
    let option = ["-d", &*path];
    let file = library.join("LoggerInterface.php");
    let same = "<?php // Packaged.\nnamespace Psr\\Log;\ninterface LoggerInterface {\n\
                public function log($level, string $message): void;\n}";
    fs::write(&file, same).unwrap();
    fs::write(library.join("autoload.php"), "<?php").unwrap();
    assert_injected(&scene, "told.php", &option);
    fs::write(&file, same.replace("string ", "").replace(": void", "")).unwrap();
    assert_injected(&scene, "told.php", &option);

    // An application that names the library, by itself or where it loads its classes.
    let uses = "<?php require_once 'Psr/Log/autoload.php'; ?>";
    fs::write(scene.path("uses.php"), [uses, TOLD].concat()).unwrap();
    assert_eq!(told(&scene, "uses.php", &option), UNTOUCHED);
    fs::remove_file(scene.path("uses.php")).unwrap();
    for (script, loader) in [
        ("web/told.php", "web/loader.php"),
        ("web/told.php", "web/include/autoload.php"),
        ("web/told.php", "src/autoloader.php"),
    ] {
        for name in [script, loader] {
            fs::create_dir_all(scene.path(name).parent().unwrap()).unwrap();
        }
        fs::copy(scene.path("told.php"), scene.path(script)).unwrap();
        assert_injected(&scene, script, &option);
        fs::write(scene.path(loader), uses).unwrap();
        assert_eq!(told(&scene, script, &option), UNTOUCHED, "{loader}");
        fs::remove_file(scene.path(loader)).unwrap();
    }
    // Its packages are Composer's: it does not take them from there.
    fs::write(scene.path("web/uses.php"), [uses, TOLD].concat()).unwrap();
    vendor(&scene.path("vendor"), &[("psr/log", "3.1.0.0")], "<?php");
    assert_injected(&scene, "web/told.php", &option);
}

/// Makes a phar with these packages in its list.
fn phar(scene: &Scene, name: &str, version: &str, compressed: bool) {
    vendor(&scene.path("packed"), &[("psr/log", version)], "<?php");
    fs::copy(scene.path("told.php"), scene.path("packed/told.php")).unwrap();
    let (path, packed) = (scene.path(name), scene.path("packed"));
    let compress = if compressed {
        "$p->compressFiles(Phar::GZ);"
    } else {
        ""
    };
    let code = format!(
        "$p = new Phar('{0}', 0, 'x.phar'); $p['told.php'] = file_get_contents('{1}/told.php');\n\
         $p['big.txt'] = str_repeat('x', 9999);\n\
         $p['vendor/composer/installed.php'] = file_get_contents('{1}/composer/installed.php');\n\
         $p->setMetadata(array('a' => 1)); $p->setStub(\"#!/usr/bin/env php\\n<?php \
         Phar::mapPhar('x.phar'); require 'phar://x.phar/told.php'; __HALT_COMPILER();\"); {compress}",
        path.display(),
        packed.display()
    );
    succeed(Command::new("php").args(["-d", "phar.readonly=0", "-r", &code]));
    fs::remove_dir_all(packed).unwrap();
}

#[test]
fn libraries_in_a_phar_count() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = conflict_scene(&folder, &sink);
    for compressed in [false, true] {
        phar(&scene, "three.phar", "3.0.0.0", compressed);
        assert_injected(&scene, "three.phar", &[]);
        phar(&scene, "one.phar", "1.0.0.0", compressed);
        assert_eq!(told(&scene, "one.phar", &[]), UNTOUCHED);
        // As programs are installed: without the end of the name.
        fs::copy(scene.path("one.phar"), scene.path("one")).unwrap();
        assert_eq!(told(&scene, "one", &[]), UNTOUCHED);
        for name in ["one.phar", "one", "three.phar"] {
            fs::remove_file(scene.path(name)).unwrap();
        }
    }
    // A list that cannot be found in what is no phar after all.
    for text in [
        "<?php __HALT_COMPILER(); GBMB",
        "PK\u{3}\u{4}",
        "<?php // GBMB",
    ] {
        fs::write(scene.path("odd.phar"), text).unwrap();
        let without = outcome(plain(php(&scene, &["odd.phar"])));
        assert_eq!(outcome(php(&scene, &["odd.phar"])), without, "{text}");
    }
}

#[test]
fn an_application_with_its_own_sdk_keeps_it() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = conflict_scene(&folder, &sink);
    let vendor_with = |package| vendor(&scene.path("vendor"), &[(package, "1.2.0.0")], "<?php");
    vendor_with("open-telemetry/api");
    assert_injected(&scene, "told.php", &[]);
    vendor_with("open-telemetry/sdk");
    assert_eq!(told(&scene, "told.php", &[]), UNTOUCHED);
    let mut command = php(&scene, &["-d", "include_path=.", "told.php"]);
    let output = command
        .env("OPENTELEMETRY_INJECTOR_DEBUG", "1")
        .output()
        .unwrap();
    let reason = "the agent has stood down: the application brings an OpenTelemetry SDK of its own";
    assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    assert_eq!(stdout(&output), UNTOUCHED);
    let configuration = fs::read_to_string(&scene.configuration).unwrap();
    let both = configuration.replace("[environment]", "allow_own_sdk = true\n[environment]");
    scene.configure(&both);
    assert_injected(&scene, "told.php", &[]);
}

/// The unmodified applications of Debian bring their libraries in /usr/share/php.
#[test]
fn debians_libraries_count() {
    if !has("php") || !Path::new("/usr/share/php/Psr/Log").is_dir() {
        skip!("no php, or no php-psr-log");
    }
    let sink = Sink::start();
    let folder = Scene::new();
    let scene = conflict_scene(&folder, &sink);
    let told = |script| succeed(&mut php(&scene, &[script]));
    // A machine with the library is no reason to leave all its applications alone.
    assert!(told("told.php").starts_with("agent "));
    let uses = "<?php require_once 'Psr/Log/autoload.php'; ?>";
    fs::write(scene.path("uses.php"), [uses, TOLD].concat()).unwrap();
    assert_eq!(told("uses.php"), UNTOUCHED);
}

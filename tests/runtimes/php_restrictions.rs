//! Workers that may not open our prepend file (`open_basedir`, chroot): they run as without us, and
//! what is said by php.ini, a pool, a virtual host, `.user.ini`, `.htaccess` or FastCGI counts.

use crate::php::{agent, outcome, php, plain, scene};
use crate::php_servers::{self, Server, fast_cgi};
use std::fs;
use std::path::Path;
use support::{Scene, Sink, has, is_root, skip};

/// Prints what there is of us, the settings among it.
const TOLD: &str = "<?php echo class_exists('TestAgent', false) ? 'agent' : 'none', isset($mine) ? ' mine' : '', \
     ' ', json_encode(array_map('getenv', array('OTEL_SERVICE_NAME', 'OTEL_PHP_AUTOLOAD_ENABLED', \
     'PHP_INI_SCAN_DIR'))), json_encode(error_get_last());";
const UNTOUCHED: &str = "none [false,false,false]null";

fn restricted(sink: &Sink) -> Scene {
    let scene = scene(&agent(), sink);
    fs::write(scene.path("told.php"), TOLD).unwrap();
    scene
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect(answer).1
}

#[test]
fn a_pool_that_may_not_open_the_prepend_file_runs_untouched() {
    let (Some(fpm), true) = (php_servers::fpm(), is_root()) else {
        skip!("no php-fpm, or no root for chroot");
    };
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.folder.path().display();
    let told = scene.path("told.php");
    for (pool, script) in [
        (format!("php_admin_value[open_basedir] = {folder}"), &*told),
        (
            format!("php_value[open_basedir] = {folder}:/nowhere"),
            &*told,
        ),
        (format!("chroot = {folder}"), Path::new("/told.php")),
        ("php_admin_value[auto_prepend_file] = none".into(), &*told),
    ] {
        // With the cache that php.ini switches on, and without it.
        for cache in ["", "php_admin_value[opcache.enable] = 0\n"] {
            // A pool without restrictions may have filled the cache that all of them share.
            let open = format!(
                "[open]\nlisten = {}\nuser = www-data\ngroup = www-data\npm = static\n\
                 pm.max_children = 1\n{cache}",
                scene.path("open").display()
            );
            let pools = format!("{pool}\n{cache}{open}");
            let server = Server::fpm(&scene, scene.command(&fpm, "direct"), &pools);
            for round in 0..3 {
                let with = fast_cgi(&scene.path("open"), &told, &[]);
                assert!(body(&with).starts_with("agent [\"ours\""), "{with}");
                for _ in 0..3 {
                    let answer = server.get(script);
                    assert_eq!(body(&answer), UNTOUCHED, "{pool} {cache} {round}");
                }
                if round < 2 {
                    server.restart(&scene, "USR2", "ready to handle connections");
                }
            }
        }
    }
}

#[test]
fn a_request_that_may_not_open_the_prepend_file_runs_untouched() {
    let Some(fpm) = php_servers::fpm() else {
        skip!("no php-fpm");
    };
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.folder.path().display().to_string();
    let told = scene.path("told.php");
    let root = ("DOCUMENT_ROOT", &*folder);
    let limit = format!("open_basedir = {folder}\n");
    let server = Server::fpm(&scene, scene.command(&fpm, "direct"), "");
    assert!(body(&server.get(&told)).starts_with("agent ["));
    let answer = server.get_with(&told, &[root, ("PHP_VALUE", &limit)]);
    assert_eq!(body(&answer), UNTOUCHED);

    drop(server);
    fs::write(scene.path(".user.ini"), limit).unwrap();
    let server = Server::fpm(&scene, scene.command(&fpm, "direct"), "");
    // The same worker, for an application in another folder. (What `.user.ini` forbids, FPM forbids
    // from then on.)
    let other = Scene::new();
    let free = other.path("told.php");
    fs::write(&free, TOLD).unwrap();
    let answer = server.get(&free);
    assert!(body(&answer).starts_with("agent [\"ours\""), "{answer}");
    for _ in 0..2 {
        assert_eq!(body(&server.get_with(&told, &[root])), UNTOUCHED);
    }
}

#[test]
fn the_users_prepend_file_runs_where_ours_may_not() {
    let Some(fpm) = php_servers::fpm() else {
        skip!("no php-fpm");
    };
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.path("ini");
    fs::create_dir(&folder).unwrap();
    let user = scene.path("user.php");
    fs::write(&user, "<?php $mine = 1;").unwrap();
    let line = format!("auto_prepend_file = {}\n", user.display());
    fs::write(folder.join("x.ini"), line).unwrap();
    let scan = format!(":{}", folder.display());
    let start = || {
        let mut command = scene.command(&fpm, "direct");
        command.env("PHP_INI_SCAN_DIR", &scan);
        command
    };
    let pool = format!(
        "php_admin_value[open_basedir] = {}\n",
        scene.folder.path().display()
    );
    let told = scene.path("told.php");
    let without = Server::fpm(&scene, plain(start()), &pool).get(&told);
    assert!(body(&without).starts_with("none mine"), "{without}");
    let server = Server::fpm(&scene, start(), &pool);
    for _ in 0..2 {
        assert_eq!(server.get(&told), without);
    }
}

#[test]
fn apache_forbids_by_its_own_configuration_and_by_htaccess() {
    let Some((apache, module)) = php_servers::apache() else {
        skip!("no apache2 with PHP's module");
    };
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.folder.path();
    for name in ["free", "admin", "htaccess"] {
        fs::write(folder.join(format!("{name}.php")), TOLD).unwrap();
    }
    let root = folder.display();
    fs::write(
        folder.join(".htaccess"),
        format!("<Files htaccess.php>\nphp_value open_basedir {root}\n</Files>\n"),
    )
    .unwrap();
    let more = format!(
        "<Directory {root}>\nAllowOverride All\n</Directory>\n\
         <Files admin.php>\nphp_admin_value open_basedir {root}\n</Files>\n"
    );
    let start = || scene.command(&apache, "direct");
    let server = Server::apache(&scene, start, &module, &more);
    for round in 0..3 {
        for _ in 0..2 {
            let answer = server.get(&folder.join("free.php"));
            assert!(body(&answer).starts_with("agent [\"ours\""), "{answer}");
            for name in ["admin.php", "htaccess.php"] {
                let answer = server.get(&folder.join(name));
                assert_eq!(body(&answer), UNTOUCHED, "{name} {round}");
            }
        }
        if round < 2 {
            server.restart(&scene, "USR1", "resuming normal operations");
        }
    }
}

#[test]
fn apache_in_a_chroot_runs_untouched() {
    let (Some((apache, module)), true) = (php_servers::apache(), is_root()) else {
        skip!("no apache2 with PHP's module, or no root for chroot");
    };
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.folder.path().display();
    // Names of files are those inside from then on.
    let more = format!("ChrootDir {folder}\nDocumentRoot /\n");
    let server = Server::apache(&scene, || scene.command(&apache, "direct"), &module, &more);
    for _ in 0..3 {
        assert_eq!(body(&server.get(&scene.path("told.php"))), UNTOUCHED);
    }
}

#[test]
fn the_command_line_runs_untouched_where_php_ini_forbids() {
    if !has("php") {
        skip!("no php");
    }
    let sink = Sink::start();
    let scene = restricted(&sink);
    let folder = scene.path("ini");
    fs::create_dir(&folder).unwrap();
    let inside = scene.folder.path().display().to_string();
    let run = |preload: bool, value: &str, option: Option<String>| {
        fs::write(folder.join("x.ini"), value).unwrap();
        let mut command = php(&scene, &[]);
        command.env("PHP_INI_SCAN_DIR", format!(":{}", folder.display()));
        command.args(option.iter().flat_map(|option| ["-d", option]));
        command.arg("told.php");
        outcome(if preload { command } else { plain(command) })
    };
    for (value, option) in [
        (format!("open_basedir = {inside}\n"), None),
        (String::new(), Some(format!("open_basedir={inside}"))),
    ] {
        let without = run(false, &value, option.clone());
        assert_eq!(without.0, Some(0), "{without:?}");
        assert_eq!(run(true, &value, option), without, "{value}");
    }
}

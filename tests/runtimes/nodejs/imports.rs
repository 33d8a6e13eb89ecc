//! ECMAScript modules with `esm = true`: what the agent does not instrument stays as it is.

use super::{nodes, real_scene};
use std::fs;
use support::{skip, succeed};

/// One name by two ways, as in date-fns: a loader that wraps every module loses it.
#[test]
fn modules_that_are_not_instrumented_keep_all_their_names() {
    let Some(scene) = real_scene(None, true) else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let package = scene.path("app/node_modules/twice");
    fs::create_dir_all(&package).unwrap();
    for (name, text) in [
        ("package.json", r#"{"type": "module", "main": "index.js"}"#),
        (
            "index.js",
            "export * from './one.js'; export * from './two.js';",
        ),
        (
            "one.js",
            "import { value } from './value.js'; export { value };",
        ),
        (
            "two.js",
            "import { value } from './value.js'; export { value };",
        ),
        ("value.js", "export const value = 42;"),
    ] {
        fs::write(package.join(name), text).unwrap();
    }
    let script = scene.path("app/main.mjs");
    let text = "import { value } from 'twice'; import express from 'express'; import fs from 'fs';\n\
                console.log(value, express.application.use.__wrapped, typeof fs.readFileSync);";
    fs::write(&script, text).unwrap();
    for node in nodes() {
        let mut command = scene.command(&node, "auto");
        // A deprecated way in (DEP0205 from 26 on) would end it.
        let output = command
            .arg("--throw-deprecation")
            .arg(&script)
            .output()
            .unwrap();
        let printed = support::stdout(&output);
        assert_eq!(
            printed,
            "42 true function\n",
            "{node:?}: {}",
            support::stderr(&output)
        );
        assert_eq!(support::stderr(&output), "", "{node:?}");
    }
    let alone = scene
        .command("node", "auto")
        .args(["-p", "process.noDeprecation"])
        .output();
    assert_eq!(support::stdout(&alone.unwrap()), "undefined\n");
    succeed(
        scene
            .command("node", "auto")
            .args(["--input-type=module", "-e", "import 'fs'"]),
    );
}

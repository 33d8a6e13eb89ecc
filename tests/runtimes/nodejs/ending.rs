//! How a process with the real agent ends: as without it, and soon, whatever the collector does.

use super::{agent, configure, nodes};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use support::collectors::useless;
use support::{Scene, skip, stderr, stdout};

/// Makes a span, has `beforeExit` told, and tells at its end how long that took, in milliseconds.
const ENDS: &str = "
const http = require('http');
const server = http.createServer((request, response) => response.end()).listen(0, () => {
  http.get({ port: server.address().port, agent: false }, (response) => {
    response.resume();
    response.on('end', () => { server.close(); done(); });
  });
});
let start;
const done = () => { start = Date.now(); FINISH };
process.on('beforeExit', () => console.log('beforeExit'));
process.on('exit', (code) => console.log('exit', code, Date.now() - start));
";

/// How long the end may take, in milliseconds: one second for the collector, and time for a busy machine.
/// The agent by itself takes ten seconds.
const LIMIT: u64 = 6000;

/// What a program printed, with the milliseconds of its last line taken away and returned.
fn end(scene: &Scene, node: &Path, finish: &str) -> (String, u64) {
    let mut command = scene.command(node, "auto");
    command.args(["-e", &ENDS.replace("FINISH", finish)]);
    let output = command.stdout(Stdio::piped()).output().unwrap();
    let printed = stdout(&output);
    assert_eq!(stderr(&output), "");
    let (text, milliseconds) = printed.trim_end().rsplit_once(' ').unwrap();
    (text.into(), milliseconds.parse().unwrap())
}

#[test]
fn no_collector_holds_up_the_end() {
    let Some(agent) = agent() else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    for (what, endpoint) in useless() {
        let scene = Scene::new();
        let more = format!("[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{endpoint}\"\n");
        configure(&scene, agent.to_str().unwrap(), &more);
        for node in nodes() {
            let (text, milliseconds) = end(&scene, &node, "");
            assert_eq!(text, "beforeExit\nexit 0", "{what} {node:?}");
            assert!(milliseconds < LIMIT, "{what} {node:?}: {milliseconds} ms");
        }
        // The application decides by itself when a signal ends it: it closes what it has.
        let closes = "process.once('SIGTERM', () => {}); process.kill(process.pid, 'SIGTERM'); \
                      setTimeout(() => {}, 100)";
        let (text, milliseconds) = end(&scene, Path::new("node"), closes);
        assert_eq!(text, "beforeExit\nexit 0", "{what}");
        assert!(
            milliseconds < LIMIT,
            "{what}, with a handler: {milliseconds} ms"
        );
    }
}

#[test]
fn a_signal_ends_the_process_soon_where_the_collector_hangs() {
    let Some(agent) = agent() else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let [_, (_, endpoint), _] = useless();
    let scene = Scene::new();
    let more = format!("[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{endpoint}\"\n");
    configure(&scene, agent.to_str().unwrap(), &more);
    let waits = ENDS.replace(
        "FINISH",
        "setInterval(() => {}, 1000); console.log('waits'); setTimeout(() => console.log('late'), 4000)",
    );
    let mut command = scene.command("node", "auto");
    let mut child = command
        .args(["-e", &waits])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = child.stdout.take().unwrap();
    let mut line = [0; 6];
    printed.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"waits\n");
    // Nothing is in flight yet: the agent exports every five seconds.
    thread::sleep(Duration::from_millis(100));
    let id = i32::try_from(child.id()).unwrap();
    // SAFETY: a signal to a child of this test that has not been waited for.
    assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
    let status = child.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGTERM)
    );
    let mut rest = String::new();
    printed.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// The application's own work before its end goes on as without the agent, and is asked for as often.
#[test]
fn work_before_the_end_is_done_as_without_the_agent() {
    let Some(agent) = agent() else {
        skip!("no agent in .cache/nodejs: scripts/fetch-nodejs-agent fetches it");
    };
    let [(_, endpoint), ..] = useless();
    let scene = Scene::new();
    let more = format!("[environment]\nOTEL_EXPORTER_OTLP_ENDPOINT = \"{endpoint}\"\n");
    configure(&scene, agent.to_str().unwrap(), &more);
    let works = "let rounds = 0;
        process.on('beforeExit', (code) => {
          console.log('beforeExit', code, rounds);
          if (rounds++ < 2) setTimeout(() => console.log('worked'), 50);
          process.exitCode = 7;
        });
        process.once('beforeExit', () => console.log('once'));
        process.on('exit', (code) => console.log('exit', code));";
    for node in nodes() {
        let printed = |with: bool| {
            let mut command = scene.command(&node, "auto");
            if !with {
                command.env_remove("LD_PRELOAD");
            }
            let output = command.args(["-e", works]).output().unwrap();
            (stdout(&output), stderr(&output), output.status.code())
        };
        assert_eq!(printed(true), printed(false), "{node:?}");
    }
}

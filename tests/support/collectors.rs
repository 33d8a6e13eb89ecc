//! Collectors that are of no use, and how long programs take with them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The line that a program prints before it ends.
pub const LAST_LINE: &str = "done";

/// How much longer a start or an end may take.
const LIMIT: Duration = Duration::from_secs(2);

/// How often a program may try: a busy machine makes one run slow, not each of them.
const TRIES: usize = 4;

/// What they do, and their endpoints: one refuses connections, one accepts them and never answers, one
/// answers 503.
pub fn useless() -> [(&'static str, String); 3] {
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let refuses = address(&listen());
    let silent = listen();
    let hangs = address(&silent);
    thread::spawn(move || silent.incoming().map(Result::unwrap).collect::<Vec<_>>());
    let busy = listen();
    let unavailable = address(&busy);
    thread::spawn(move || {
        for connection in busy.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_503(connection));
        }
    });
    [
        ("refuses", refuses),
        ("hangs", hangs),
        ("answers 503", unavailable),
    ]
}

fn answer_503(mut connection: TcpStream) {
    let mut buffer = [0; 65536];
    while connection.read(&mut buffer).is_ok_and(|length| length > 0) {
        let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        if connection.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// How long a program takes until it prints [`LAST_LINE`], and from there to its end. It has to succeed.
pub fn times(command: &mut Command) -> (Duration, Duration) {
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line == LAST_LINE), "{command:?}");
    let start = begin.elapsed();
    assert!(child.wait().expect("it ends").success(), "{command:?}");
    (start, begin.elapsed() - start)
}

/// Asserts that a program with an agent ends at most two seconds later than without, whatever the
/// collector does, and starts at most two seconds later than with one that works (an agent takes time
/// to start by itself). `with` gets the endpoint, or `None` for a run without the object.
pub fn assert_soon(works: &str, mut with: impl FnMut(Option<&str>) -> Command) {
    for (what, endpoint) in useless() {
        let mut seen = Vec::new();
        let is_soon = (0..TRIES).any(|_| {
            let (_, plain) = times(&mut with(None));
            let (best, _) = times(&mut with(Some(works)));
            let (start, end) = times(&mut with(Some(&endpoint)));
            seen.push((best, start, plain, end));
            // Twice, because a busy machine may have been less busy before.
            start < 2 * best + LIMIT && end < plain + LIMIT
        });
        println!("a collector that {what}: {seen:?}");
        assert!(is_soon, "a collector that {what}: {seen:?}");
    }
}

//! Downloads, each compared with the checksum that is published beside it.

use crate::agent::error::AgentError;
use crate::agent::work::Work;
use crate::machine::tls;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::CONTENT_LENGTH;

/// How long a server may take to accept a connection, and to begin its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time between two looks for a signal.
const PACE: Duration = Duration::from_millis(50);

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 16;

/// The longest file with checksums.
const LONGEST_CHECKSUM: u64 = 1 << 16;

/// Files with the checksums of all that lies beside them, as sha256sum(1) writes them.
const LISTS: [&str; 2] = ["checksums.txt", "SHA256SUMS"];

/// What is said of a checksum.
pub enum Checked {
    /// It is the published one.
    Yes,
    /// None is published beside the file.
    No,
}

/// Downloads `url` to a file and compares it with `url` + `.sha512`, `.sha256` or `.sha1`, or with what a
/// list of checksums beside it says.
///
/// Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`, …), certificates from the system.
///
/// # Errors
/// It cannot be downloaded, or it is not what the checksum says.
pub fn to_file(url: &str, file: &Path, work: &mut Work) -> Result<Checked, AgentError> {
    let (sender, copied) = mpsc::channel();
    let (of_thread, to) = (url.to_owned(), file.to_owned());
    // A thread of its own, which may wait for a server while a signal comes.
    let download = thread::spawn(move || download(&of_thread, &to, &sender));
    loop {
        work.interrupt.check()?;
        match copied.recv_timeout(PACE) {
            Ok((copied, length)) => work.progress.advance(&amount(copied, length)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let downloaded = download.join();
    downloaded.unwrap_or_else(|_| Err(AgentError::Download(url.into(), "failed".into())))
}

/// The same for a file that is not used without a checksum.
///
/// # Errors
/// As [`to_file`], or none is published.
pub fn checked(url: &str, file: &Path, work: &mut Work) -> Result<(), AgentError> {
    match to_file(url, file, work)? {
        Checked::Yes => Ok(()),
        Checked::No => {
            let why = "no checksum is published beside it: it is not used";
            Err(AgentError::Download(url.into(), why.into()))
        }
    }
}

/// The bytes that have come, and how many there will be.
type Amount = (u64, Option<u64>);

fn download(url: &str, file: &Path, sender: &Sender<Amount>) -> Result<Checked, AgentError> {
    let agent = agent();
    let failed = |error: String| AgentError::Download(url.into(), error);
    let answer = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let length = answer.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut target = File::create(file).map_err(AgentError::file("write it", file))?;
    let mut body = answer.into_body().into_reader();
    let mut block = vec![0; BLOCK];
    let mut sum = 0;
    loop {
        let count = body
            .read(&mut block)
            .map_err(|error| failed(error.to_string()))?;
        if count == 0 {
            break;
        }
        let bytes = block.get(..count).unwrap_or_default();
        target
            .write_all(bytes)
            .map_err(AgentError::file("write it", file))?;
        sum += count as u64;
        // Who listens no longer has been interrupted, and takes the file away.
        if sender.send((sum, length)).is_err() {
            break;
        }
    }
    for digest in DIGESTS {
        if let Some(published) = published(&agent, &format!("{url}.{}", digest.ending))? {
            return digest.compare(url, file, &published);
        }
    }
    let (folder, name) = url.rsplit_once('/').unwrap_or_default();
    for list in LISTS {
        let list = published(&agent, &format!("{folder}/{list}"))?;
        if let Some(sum) = list.as_deref().and_then(|list| listed(list, name)) {
            return SHA256.compare(url, file, sum);
        }
    }
    Ok(Checked::No)
}

/// The checksum of a file in a list.
fn listed<'l>(list: &'l str, name: &str) -> Option<&'l str> {
    list.lines().find_map(|line| {
        let (sum, file) = line.split_once(char::is_whitespace)?;
        // An asterisk stands for a binary file.
        let file = file.trim().trim_start_matches('*');
        (file.trim_start_matches("./") == name).then_some(sum)
    })
}

/// Compares a file with what lies beside it, where something does.
///
/// # Errors
/// It is not what the checksum says.
pub fn check_beside(file: &Path) -> Result<Checked, AgentError> {
    for digest in DIGESTS {
        let mut name = file.as_os_str().to_owned();
        name.push(".");
        name.push(digest.ending);
        if let Ok(published) = std::fs::read_to_string(&name) {
            return digest.compare(&file.to_string_lossy(), file, &published);
        }
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    for list in LISTS {
        let list = std::fs::read_to_string(file.with_file_name(list)).unwrap_or_default();
        if let Some(sum) = listed(&list, &name) {
            return SHA256.compare(&file.to_string_lossy(), file, sum);
        }
    }
    Ok(Checked::No)
}

/// A way to compute checksums.
struct Digest {
    ending: &'static str,
    algorithm: &'static ring::digest::Algorithm,
}

const SHA256: Digest = Digest {
    ending: "sha256",
    algorithm: &ring::digest::SHA256,
};

const DIGESTS: [Digest; 3] = [
    Digest {
        ending: "sha512",
        algorithm: &ring::digest::SHA512,
    },
    SHA256,
    // Maven repositories have no other for many files.
    Digest {
        ending: "sha1",
        algorithm: &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
    },
];

impl Digest {
    /// The published text is a checksum, or a line of `sha256sum`.
    fn compare(&self, name: &str, file: &Path, published: &str) -> Result<Checked, AgentError> {
        let failed = || AgentError::file("read it", file);
        let mut content = File::open(file).map_err(failed())?;
        let mut context = ring::digest::Context::new(self.algorithm);
        let mut block = vec![0; BLOCK];
        loop {
            match content.read(&mut block).map_err(failed())? {
                0 => break,
                length => context.update(block.get(..length).unwrap_or_default()),
            }
        }
        let digest = context.finish();
        let actual: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = published.split_whitespace().next().unwrap_or_default();
        if expected.eq_ignore_ascii_case(&actual) {
            Ok(Checked::Yes)
        } else {
            let (expected, name) = (expected.to_owned(), name.to_owned());
            Err(AgentError::Checksum(name, expected, actual))
        }
    }
}

/// The text of a checksum; none where the server has none.
fn published(agent: &Agent, url: &str) -> Result<Option<String>, AgentError> {
    let failed = |error: ureq::Error| AgentError::Download(url.into(), error.to_string());
    match agent.get(url).call() {
        Ok(mut answer) => {
            let text = answer.body_mut().with_config().limit(LONGEST_CHECKSUM);
            text.read_to_string().map(Some).map_err(failed)
        }
        Err(ureq::Error::StatusCode(403 | 404 | 410)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .tls_config(tls::config())
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .user_agent(concat!(
            "opentelemetry-injector/",
            env!("CARGO_PKG_VERSION")
        ))
        .build()
        .into()
}

fn amount(copied: u64, length: Option<u64>) -> String {
    const MEGA: u64 = 1_000_000;
    let tenths = |bytes: u64| format!("{}.{}", bytes / MEGA, bytes % MEGA / (MEGA / 10));
    match length {
        Some(length) => format!("({} of {} MB)", tenths(copied), tenths(length)),
        None => format!("({} MB)", tenths(copied)),
    }
}

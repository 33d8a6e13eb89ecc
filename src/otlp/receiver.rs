//! The HTTP server: what is asked, and how it is answered.

use crate::spans::{self, Span};
use flate2::read::MultiGzDecoder;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tiny_http::{Header, Method, Request, Response, Server};

/// The longest body that is decoded, counted after decompression.
const LONGEST_BODY: u64 = 64 << 20;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// A server that listens, on a thread of its own for each request.
pub struct Receiver {
    server: Arc<Server>,
}

/// Why it does not listen: the address, and what the system says.
#[derive(Debug)]
pub struct ReceiverError(String, String);

type Answer = Response<Cursor<Vec<u8>>>;

impl Receiver {
    /// Listens on `ADDRESS:PORT`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn listen(address: &str) -> Result<Self, ReceiverError> {
        let server = Server::http(address)
            .map_err(|error| ReceiverError(address.into(), error.to_string()))?;
        Ok(Self {
            server: Arc::new(server),
        })
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it listens on no socket of the file system.
    pub fn address(&self) -> SocketAddr {
        let address = self.server.server_addr().to_ip();
        address.expect("an address of the internet protocol")
    }

    /// Lets `serve` end.
    pub fn stop(&self) {
        self.server.unblock();
    }

    /// Hands the spans of each request to `take`, one request a thread, until `take` has enough of them,
    /// which its error says; whoever sent those is not answered.
    ///
    /// # Errors
    /// The first of `take`'s, or the server's own.
    pub fn serve(
        &self,
        take: impl Fn(Vec<Span>) -> io::Result<()> + Clone + Send + 'static,
    ) -> io::Result<()> {
        let (failed, failures) = std::sync::mpsc::channel();
        loop {
            let mut request = self.server.recv()?;
            if let Ok(failure) = failures.try_recv() {
                return Err(failure);
            }
            let take = take.clone();
            let failed = failed.clone();
            let server = Arc::clone(&self.server);
            // A thread each: a sender that stalls in its body holds up nobody else.
            thread::spawn(move || match answer(&mut request, take) {
                // Who hung up before the answer needs none.
                Ok(answer) => drop(request.respond(answer)),
                Err(failure) => {
                    // Nobody may be left to hear of it.
                    let _ = failed.send(failure);
                    server.unblock();
                }
            });
        }
    }
}

/// Handles one request.
fn answer(request: &mut Request, take: impl Fn(Vec<Span>) -> io::Result<()>) -> io::Result<Answer> {
    let path = match (request.method(), request.url()) {
        (Method::Post, path @ ("/v1/traces" | "/v1/metrics" | "/v1/logs")) => path.to_owned(),
        (_, "/v1/traces" | "/v1/metrics" | "/v1/logs") => return Ok(refusal(405, "POST only")),
        (Method::Get, "/") => return Ok(Response::from_string("a receiver of OTLP\n")),
        _ => return Ok(refusal(404, "no such path")),
    };
    let encoding = request_header(request, "Content-Encoding");
    let body = match read_body(encoding.as_deref(), request.as_reader()) {
        Ok(body) => body,
        Err(error) => return Ok(refusal(400, &error.to_string())),
    };
    let content_type = request_header(request, "Content-Type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = match content_type {
        PROTOBUF => false,
        JSON => true,
        _ => {
            return Ok(refusal(
                415,
                "application/x-protobuf or application/json only",
            ));
        }
    };
    if path == "/v1/traces" {
        match spans::decode(&body, is_json) {
            Ok(spans) => take(spans)?,
            Err(problem) => return Ok(refusal(400, &problem.to_string())),
        }
    }
    Ok(success(is_json))
}

/// The body as it was before compression.
fn read_body(encoding: Option<&str>, body: impl Read) -> io::Result<Vec<u8>> {
    match encoding {
        None | Some("identity") => read_at_most(LONGEST_BODY, body),
        Some("gzip") => read_at_most(LONGEST_BODY, MultiGzDecoder::new(body)),
        Some(other) => Err(io::Error::other(format!("unknown encoding {other}"))),
    }
}

fn read_at_most(limit: u64, body: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = body.take(limit + 1).read_to_end(&mut bytes)?;
    if read as u64 > limit {
        return Err(io::Error::other(format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}

fn request_header(request: &Request, name: &'static str) -> Option<String> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str().to_owned())
}

/// An empty message, which is each signal's response to a request taken in full.
fn success(is_json: bool) -> Answer {
    let (content_type, body) = if is_json {
        (JSON, "{}")
    } else {
        (PROTOBUF, "")
    };
    let header =
        Header::from_bytes("Content-Type", content_type).expect("a constant header is valid");
    Response::from_data(body).with_header(header)
}

fn refusal(status: u16, reason: &str) -> Answer {
    Response::from_string(reason).with_status_code(status)
}

impl fmt::Display for ReceiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, error) = self;
        write!(f, "cannot listen on {address}: {error}")
    }
}

impl core::error::Error for ReceiverError {}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_is_read_plain_or_unzipped() {
        assert_eq!(read_body(None, &b"plain"[..]).unwrap(), b"plain");
        assert_eq!(
            read_body(Some("identity"), &b"plain"[..]).unwrap(),
            b"plain"
        );
        assert_eq!(
            read_body(Some("gzip"), &gzip(b"zipped")[..]).unwrap(),
            b"zipped"
        );
    }

    #[test]
    fn a_damaged_or_unknown_encoding_is_an_error() {
        let mut damaged = gzip(b"zipped");
        damaged.truncate(damaged.len() - 4);
        assert!(read_body(Some("gzip"), &damaged[..]).is_err());
        assert!(read_body(Some("gzip"), &b"not gzip"[..]).is_err());
        assert!(read_body(Some("br"), &b"brotli"[..]).is_err());
    }

    #[test]
    fn the_limit_counts_unzipped_bytes() {
        let zipped = gzip(&[0; 1000]);
        assert!(zipped.len() < 100);
        let unzipped = |limit| read_at_most(limit, MultiGzDecoder::new(&zipped[..]));
        assert_eq!(unzipped(1000).unwrap(), [0; 1000]);
        assert!(unzipped(999).is_err());
    }
}

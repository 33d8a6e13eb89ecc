//! `otlp-sink` receives traces by OTLP (http/protobuf), prints one JSON line per span and, when
//! asked to, passes them on to Zipkin.
//!
//! The first line on stdout says where it listens: `{"listening":"127.0.0.1:4318"}`.

mod spans;
mod zipkin;

use clap::Parser;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, Read, Write};
use std::{process, thread};
use tiny_http::{Header, Method, Request, Response, Server};
use zipkin::Zipkin;

/// The longest body the sink decodes, counted after decompression.
const LONGEST_BODY: u64 = 64 << 20;

/// Receives traces by OTLP and prints one JSON line per span.
#[derive(Parser)]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Also post every span to this Zipkin collector, such as
    /// http://127.0.0.1:9411/api/v2/spans.
    #[arg(long, value_name = "URL")]
    forward_zipkin: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let zipkin = arguments.forward_zipkin.map(Zipkin::new);
    let server = Server::http(&arguments.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    print_line(&json!({ "listening": server.server_addr().to_string() }))?;
    loop {
        let mut request = server.recv()?;
        let zipkin = zipkin.clone();
        // A thread each: a sender that stalls in its body holds up nobody else.
        thread::spawn(move || {
            let Ok(answer) = answer(&mut request, zipkin.as_ref()) else {
                process::exit(1);
            };
            // Who hung up before the answer needs none.
            let _ = request.respond(answer);
        });
    }
}

/// Handles one request. An error means that nobody reads stdout any more.
fn answer(
    request: &mut Request,
    zipkin: Option<&Zipkin>,
) -> io::Result<Response<io::Cursor<Vec<u8>>>> {
    let path = match (request.method(), request.url()) {
        (Method::Post, path @ ("/v1/traces" | "/v1/metrics" | "/v1/logs")) => path.to_owned(),
        (_, "/v1/traces" | "/v1/metrics" | "/v1/logs") => return Ok(refusal(405, "POST only")),
        _ => return Ok(refusal(404, "no such path")),
    };
    let body = match read_body(
        request_header(request, "Content-Encoding").as_deref(),
        request.as_reader(),
    ) {
        Ok(body) => body,
        Err(error) => return Ok(refusal(400, &error.to_string())),
    };
    if path != "/v1/traces" {
        return Ok(success());
    }
    let content_type = request_header(request, "Content-Type").unwrap_or_default();
    if !content_type.starts_with("application/x-protobuf") {
        return Ok(refusal(415, "application/x-protobuf only"));
    }
    let spans = match spans::decode(&body) {
        Ok(spans) => spans,
        Err(error) => return Ok(refusal(400, &error.to_string())),
    };
    for span in &spans {
        print_line(&span.to_json())?;
    }
    if let Some(zipkin) = zipkin
        && let Err(error) = zipkin.post(&spans)
    {
        eprintln!("otlp-sink: cannot pass {} spans on: {error}", spans.len());
    }
    Ok(success())
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

/// An empty protobuf message, which is each signal's response to a request taken in full.
fn success() -> Response<io::Cursor<Vec<u8>>> {
    let protobuf = Header::from_bytes("Content-Type", "application/x-protobuf")
        .expect("a constant header is valid");
    Response::from_data(Vec::new()).with_header(protobuf)
}

fn refusal(status: u16, reason: &str) -> Response<io::Cursor<Vec<u8>>> {
    Response::from_string(reason).with_status_code(status)
}

/// Prints one line and flushes it: readers wait for each.
fn print_line(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{value}")?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

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

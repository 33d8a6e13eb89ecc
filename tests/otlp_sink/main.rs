//! `otlp-sink` receives traces by OTLP over HTTP, prints one JSON line per span and, when asked to,
//! passes them on to Zipkin.
//!
//! The first line on stdout says where it listens: `{"listening":"127.0.0.1:4318"}`.

mod zipkin;

use clap::Parser;
use opentelemetry_injector_otlp::{Receiver, Span};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, Write};
use zipkin::Zipkin;

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
    let receiver = Receiver::listen(&arguments.listen)?;
    print_line(&json!({ "listening": receiver.address().to_string() }))?;
    receiver.serve(move |spans: Vec<Span>| {
        for span in &spans {
            print_line(&span.to_json())?;
        }
        if let Some(zipkin) = &zipkin
            && let Err(error) = zipkin.post(&spans)
        {
            eprintln!("otlp-sink: cannot pass {} spans on: {error}", spans.len());
        }
        Ok(())
    })?;
    Ok(())
}

/// Prints one line and flushes it: readers wait for each. An error means that nobody reads any more.
fn print_line(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{value}")?;
    stdout.flush()
}

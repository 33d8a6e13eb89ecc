//! Whether something answers where the agents send to: TCP, TLS, HTTP. Nothing of an application is sent.

use crate::machine::tls;
use crate::status::findings::Finding;
use opentelemetry_injector_policy::{Configuration, Runtime};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::Command;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The settings that name an endpoint, and the path that agents add to it.
const ENDPOINTS: [(&str, &str); 4] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", ""),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", ""),
];

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// Where agents send to when nothing is configured (the OTLP exporter's specification).
const DEFAULT: &str = "http://localhost:4318";

/// The port of OTLP over gRPC.
const GRPC_PORT: u16 = 4317;

/// An endpoint that the configuration names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Endpoint {
    url: String,
    setting: &'static str,
    path: &'static str,
    is_grpc: bool,
}

/// What there is to say of every endpoint that is configured, or of the default.
pub fn findings(configuration: &Configuration) -> Vec<Finding> {
    let endpoints = endpoints(configuration);
    if endpoints.is_empty() {
        return vec![of_default()];
    }
    endpoints.iter().map(judged).collect()
}

/// Every section of settings: the rules', the runtimes' and the one for all.
pub fn environments(
    configuration: &Configuration,
) -> impl Iterator<Item = &BTreeMap<String, String>> {
    let rules = configuration.rules.iter().map(|rule| &rule.environment);
    let runtimes = Runtime::ALL.into_iter();
    let runtimes = runtimes.map(|runtime| &configuration.agent(runtime).environment);
    rules.chain(runtimes).chain([&configuration.environment])
}

fn endpoints(configuration: &Configuration) -> BTreeSet<Endpoint> {
    let mut endpoints = BTreeSet::new();
    for environment in environments(configuration) {
        let is_grpc = environment
            .get(PROTOCOL)
            .is_some_and(|protocol| protocol == "grpc");
        for (setting, path) in ENDPOINTS {
            let url = environment.get(setting).filter(|url| !url.is_empty());
            endpoints.extend(url.map(|url| Endpoint {
                url: url.clone(),
                setting,
                path,
                is_grpc,
            }));
        }
    }
    endpoints
}

/// Nobody has said that there is something.
fn of_default() -> Finding {
    let (setting, path) = ENDPOINTS[0];
    let endpoint = Endpoint {
        url: DEFAULT.into(),
        setting,
        path,
        is_grpc: false,
    };
    let answer = match look(&endpoint) {
        Ok(answer) => answer,
        Err(why) => why,
    };
    let what = format!("none is configured; {DEFAULT}, the agents' default: {answer}");
    Finding::note("endpoint", what)
}

fn judged(endpoint: &Endpoint) -> Finding {
    let Endpoint { url, setting, .. } = endpoint;
    match look(endpoint) {
        Ok(answer) => Finding::ok("endpoint", format!("{url}: {answer}")),
        Err(why) => Finding::problem(
            "endpoint",
            format!("{url}: {why}"),
            format!("correct {setting}, or what listens there"),
        ),
    }
}

/// What answers, or why nothing does.
fn look(endpoint: &Endpoint) -> Result<String, String> {
    let uri: Uri = endpoint
        .url
        .parse()
        .map_err(|_| "not a URL, such as http://collector:4318".to_owned())?;
    let (Some(scheme @ ("http" | "https")), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err("not a URL with http:// or https://".into());
    };
    let default_port = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default_port);
    let address = connect(host.trim_matches(['[', ']']), port)?;
    let is_grpc = endpoint.is_grpc || port == GRPC_PORT;
    if is_grpc && scheme == "http" {
        return Ok("accepts connections (gRPC)".into());
    }
    let url = endpoint.url.trim_end_matches('/');
    match ask(&format!("{url}{}", endpoint.path), address) {
        // An HTTP/1.1 request is none to a server of gRPC: what counts is that there was TLS.
        Err(ureq::Error::Protocol(_) | ureq::Error::Io(_)) if is_grpc => {
            Ok("accepts TLS connections (gRPC)".into())
        }
        Err(error) => Err(error.to_string()),
        Ok(status) => judge_status(status, scheme),
    }
}

/// The address that answers.
fn connect(host: &str, port: u16) -> Result<SocketAddr, String> {
    let addresses = (host, port).to_socket_addrs().map(Iterator::collect);
    let addresses: Vec<_> = addresses
        .or_else(|error| known_to_the_system(host, port).ok_or(error))
        .map_err(|error| format!("the name {host} is not known: {error}"))?;
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(format!("no connection: {last}"))
}

/// The addresses of a name as applications find them: a command that is linked with musl does not look where
/// nsswitch.conf(5) says, and does not search domains for a name with a dot in it.
fn known_to_the_system(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let told = Command::new("getent")
        .args(["ahosts", "--", host])
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let words = told
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut addresses: Vec<_> = words
        .filter_map(|word| Some(SocketAddr::new(word.parse().ok()?, port)))
        .collect();
    addresses.dedup();
    (!addresses.is_empty()).then_some(addresses)
}

/// The status of an answer to an export request without any data.
fn ask(url: &str, address: SocketAddr) -> Result<u16, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .tls_config(tls::config())
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Known(address));
    let answer = agent
        .post(url)
        .content_type("application/x-protobuf")
        .send_empty()?;
    Ok(answer.status().as_u16())
}

/// The address of the one name that is asked for.
#[derive(Debug)]
struct Known(SocketAddr);

impl Resolver for Known {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

fn judge_status(status: u16, scheme: &str) -> Result<String, String> {
    let tls = if scheme == "https" { " over TLS" } else { "" };
    let answer = format!("answers an empty request with HTTP {status}{tls}");
    match status {
        200..=299 | 400 | 405 | 415 | 429 => Ok(answer),
        401 | 403 => Err(format!(
            "{answer}: it wants credentials (OTEL_EXPORTER_OTLP_HEADERS are not tried)"
        )),
        404 => Err(format!("{answer}: it takes no traces at this path")),
        _ => Err(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_names_and_no_others() {
        if Command::new("getent").arg("--version").output().is_err() {
            println!("skipped: no getent");
            return;
        }
        let addresses = known_to_the_system("localhost", 4318).unwrap();
        let is_own = |address: &SocketAddr| address.ip().is_loopback() && address.port() == 4318;
        assert!(addresses.iter().all(is_own), "{addresses:?}");
        assert_eq!(known_to_the_system("no-such-name.invalid", 4318), None);
        assert_eq!(known_to_the_system("--help", 4318), None);
    }
}

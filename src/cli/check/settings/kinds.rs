//! What agents take as the value of each kind of setting (OpenTelemetry specification, "Environment
//! Variable Specification" and "OpenTelemetry Protocol Exporter", 1.58, and the names that the agents'
//! SDKs have besides).

use opentelemetry_injector_policy::Runtime;
use std::path::Path;

/// What is wrong with a value.
pub struct Fault {
    /// What.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What a setting takes.
#[derive(Clone, Copy)]
enum Kind {
    Url,
    /// One of these names, separated by blanks.
    Word(&'static str),
    /// A list of them.
    Words(&'static str),
    /// A number that is not negative, what it counts.
    Number(&'static str),
    Duration,
    Ratio,
    Boolean,
    /// `key=value` separated by commas.
    Pairs,
    File,
    /// Anything.
    Text,
}

const EXPORTERS: &str = "otlp console none logging logging-otlp otlp/stdout experimental-otlp/stdout \
    otlp_proto_http otlp_proto_grpc otlp_json_file memory";
const SAMPLERS: &str = "always_on always_off traceidratio parentbased_always_on parentbased_always_off \
    parentbased_traceidratio jaeger_remote parentbased_jaeger_remote xray";
const PROPAGATORS: &str = "tracecontext baggage b3 b3multi jaeger xray xray-lambda ottrace none";

/// The part of a name for all signals or for one.
const SIGNALS: [&str; 5] = ["", "TRACES_", "METRICS_", "LOGS_", "PROFILES_"];

/// What is wrong with the value of a setting. `other` gives other settings of the same table.
pub fn fault<'t>(
    name: &str,
    value: &str,
    runtime: Option<Runtime>,
    other: &dyn Fn(&str) -> Option<&'t str>,
) -> Option<Fault> {
    if !name.starts_with("OTEL_") {
        return None;
    }
    if value.is_empty() {
        return Some(Fault {
            message: format!("`{name}` is empty, which counts as not set"),
            help: "remove it, or give it a value".into(),
        });
    }
    let kind = kind(name, other)?;
    let wanted = unmet(kind, value, runtime)?;
    Some(Fault {
        message: format!("`{value}` is no {}", wanted.what),
        help: format!(
            "write {}: agents refuse to start with another value, or ignore it",
            wanted.how
        ),
    })
}

/// What a value should have been.
struct Wanted {
    what: String,
    how: String,
}

fn wanted(what: &str, how: &str) -> Wanted {
    Wanted {
        what: what.into(),
        how: how.into(),
    }
}

/// The settings that are for no one signal, and what they take.
const KINDS: &[(&str, Kind)] = &[
    ("OTEL_SERVICE_NAME", Kind::Text),
    ("OTEL_CONFIG_FILE", Kind::Text),
    ("OTEL_LOG_LEVEL", Kind::Text),
    ("OTEL_ENTITIES", Kind::Text),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", Kind::Url),
    ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", Kind::Duration),
    ("OTEL_EXPORTER_JAEGER_ENDPOINT", Kind::Url),
    ("OTEL_EXPORTER_JAEGER_TIMEOUT", Kind::Duration),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", Kind::Text),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", Kind::Number("port")),
    ("OTEL_TRACES_EXPORTER", Kind::Words("zipkin jaeger")),
    ("OTEL_METRICS_EXPORTER", Kind::Words("prometheus")),
    ("OTEL_LOGS_EXPORTER", Kind::Words("")),
    ("OTEL_TRACES_SAMPLER", Kind::Word(SAMPLERS)),
    ("OTEL_TRACES_SAMPLER_ARG", Kind::Text),
    ("OTEL_PROPAGATORS", Kind::Words(PROPAGATORS)),
    (
        "OTEL_METRICS_EXEMPLAR_FILTER",
        Kind::Word("always_on always_off trace_based"),
    ),
    ("OTEL_METRIC_EXPORT_INTERVAL", Kind::Duration),
    ("OTEL_METRIC_EXPORT_TIMEOUT", Kind::Duration),
    ("OTEL_SDK_DISABLED", Kind::Boolean),
    ("OTEL_RESOURCE_ATTRIBUTES", Kind::Pairs),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", LIMIT),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", LIMIT),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", LIMIT),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", LIMIT),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", LIMIT),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", LIMIT),
    ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT),
    ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", LIMIT),
    ("OTEL_BSP_SCHEDULE_DELAY", Kind::Duration),
    ("OTEL_BSP_EXPORT_TIMEOUT", Kind::Duration),
    ("OTEL_BSP_MAX_QUEUE_SIZE", Kind::Number("number")),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Kind::Number("number")),
    ("OTEL_BLRP_SCHEDULE_DELAY", Kind::Duration),
    ("OTEL_BLRP_EXPORT_TIMEOUT", Kind::Duration),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", Kind::Number("number")),
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", Kind::Number("number")),
];

const LIMIT: Kind = Kind::Number("limit");

/// How the names begin that each signal has, and all of them together.
const OTLP: &str = "OTEL_EXPORTER_OTLP_";

/// What stands behind [`OTLP`] and the signal.
const OF_OTLP: &[(&str, Kind)] = &[
    ("ENDPOINT", Kind::Url),
    ("PROTOCOL", Kind::Word("grpc http/protobuf http/json")),
    ("COMPRESSION", Kind::Word("gzip none")),
    ("TIMEOUT", Kind::Duration),
    ("HEADERS", Kind::Pairs),
    ("INSECURE", Kind::Boolean),
    ("CERTIFICATE", Kind::File),
    ("CLIENT_CERTIFICATE", Kind::File),
    ("CLIENT_KEY", Kind::File),
    (
        "TEMPORALITY_PREFERENCE",
        Kind::Word("cumulative delta lowmemory"),
    ),
    (
        "DEFAULT_HISTOGRAM_AGGREGATION",
        Kind::Word("explicit_bucket_histogram base2_exponential_bucket_histogram"),
    ),
];

/// The names of the settings that the specification has.
pub fn names() -> impl Iterator<Item = String> {
    let others = KINDS.iter().map(|(name, _)| (*name).to_owned());
    let of_otlp = OF_OTLP.iter().flat_map(|(name, _)| {
        let of_signal = move |signal| format!("{OTLP}{signal}{name}");
        SIGNALS.into_iter().map(of_signal)
    });
    others.chain(of_otlp)
}

fn kind<'t>(name: &str, other: &dyn Fn(&str) -> Option<&'t str>) -> Option<Kind> {
    let of = |kinds: &[(&str, Kind)], name: &str| {
        let known = kinds.iter().find(|(known, _)| *known == name);
        known.map(|(_, kind)| *kind)
    };
    if let Some(rest) = name.strip_prefix(OTLP) {
        let mut signals = SIGNALS.iter().rev();
        return of(
            OF_OTLP,
            signals.find_map(|signal| rest.strip_prefix(signal))?,
        );
    }
    if name == "OTEL_TRACES_SAMPLER_ARG" {
        let sampler = other("OTEL_TRACES_SAMPLER")?;
        return sampler.ends_with("traceidratio").then_some(Kind::Ratio);
    }
    of(KINDS, name).or_else(|| name.ends_with("_LIMIT").then_some(LIMIT))
}

/// What a value is not and should be; none where it is right.
fn unmet(kind: Kind, value: &str, runtime: Option<Runtime>) -> Option<Wanted> {
    let value = value.trim();
    match kind {
        Kind::Url => (!is_url(value)).then(|| wanted("URL", "`http://HOST:4318`, or https")),
        Kind::Word(names) => unknown([value].into_iter(), &[names]),
        Kind::Words(names) if names == PROPAGATORS => unknown(items(value), &[names]),
        Kind::Words(names) => unknown(items(value), &[EXPORTERS, names]),
        Kind::Number(what) => {
            let is_right = value.parse::<u64>().is_ok();
            (!is_right).then(|| wanted(what, "a number without a sign, such as `512`"))
        }
        Kind::Duration => (!is_duration(value, runtime))
            .then(|| wanted("time in milliseconds", "a number alone, such as `5000`")),
        Kind::Ratio => {
            let ratio = value.parse::<f64>();
            let is_right = ratio.is_ok_and(|ratio| (0.0..=1.0).contains(&ratio));
            (!is_right).then(|| wanted("share", "a number from 0 to 1, such as `0.25`"))
        }
        Kind::Boolean => {
            let is_right = ["true", "false"]
                .iter()
                .any(|name| value.eq_ignore_ascii_case(name));
            (!is_right).then(|| wanted("truth value", "`true` or `false`"))
        }
        Kind::Pairs => {
            let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| !key.is_empty());
            (!items(value).all(is_pair)).then(|| wanted("list of pairs", "`key=value,key=value`"))
        }
        Kind::File => {
            let path = Path::new(value);
            let is_right = path.is_absolute() && path.exists();
            (!is_right).then(|| wanted("file that is there", "the absolute path of a file"))
        }
        Kind::Text => None,
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// The first item that is none of the names; of these the first list is told where there are two.
fn unknown<'v>(mut items: impl Iterator<Item = &'v str>, names: &[&str]) -> Option<Wanted> {
    let known: Vec<_> = names
        .iter()
        .flat_map(|names| names.split_whitespace())
        .collect();
    let is_known = |item: &str| known.iter().any(|name| item.eq_ignore_ascii_case(name));
    items.find(|item| !is_known(item))?;
    Some(Wanted {
        what: "name that agents know here".into(),
        how: format!("one of {}", known.join(", ")),
    })
}

/// Java's SDK alone reads a unit behind the number (`DefaultConfigProperties.getDuration`).
fn is_duration(value: &str, runtime: Option<Runtime>) -> bool {
    let number = value.trim_end_matches(|unit: char| unit.is_ascii_lowercase());
    let unit = value.get(number.len()..).unwrap_or_default();
    let is_unit = match runtime {
        Some(Runtime::Jvm) => ["", "ms", "s", "m", "h", "d"].contains(&unit),
        _ => unit.is_empty(),
    };
    is_unit && number.trim_end().parse::<u64>().is_ok()
}

/// Whether a text is a URL that an exporter sends to: http or https, and a host.
pub fn is_url(address: &str) -> bool {
    let (scheme, rest) = address.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let has_host = !host.is_empty() && !host.starts_with(':') && !host.contains(' ');
    ["http", "https"].contains(&scheme) && has_host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(name: &str, value: &str) -> bool {
        fault(name, value, None, &|_| Some("parentbased_traceidratio")).is_none()
    }

    #[test]
    fn what_agents_take_is_right() {
        let file = file!();
        let here = std::env::current_exe().unwrap();
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "https://[::1]/v1/traces",
            ),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_EXPORTER", "otlp, zipkin"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus,otlp"),
            ("OTEL_LOGS_EXPORTER", "console"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
            ("OTEL_PROPAGATORS", "tracecontext,baggage,b3"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "128"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x,b="),
            ("OTEL_SDK_DISABLED", "False"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", here.to_str().unwrap()),
            ("OTEL_SOMETHING_ELSE", file),
            ("SPLUNK_EMPTY", ""),
        ] {
            assert!(is_right(name, value), "{name} {value}");
        }
        let jvm = Some(Runtime::Jvm);
        assert!(fault("OTEL_BSP_SCHEDULE_DELAY", "5s", jvm, &|_| None).is_none());
        assert!(fault("OTEL_TRACES_SAMPLER_ARG", "endpoint=x", None, &|_| None).is_none());
    }

    #[test]
    fn what_they_do_not_take_is_not() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", " "),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://:4318"),
            ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "/api"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
            ("OTEL_TRACES_EXPORTER", "otlp,oltp"),
            ("OTEL_TRACES_EXPORTER", "prometheus"),
            ("OTEL_TRACES_SAMPLER", "always"),
            ("OTEL_TRACES_SAMPLER_ARG", "10%"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_PROPAGATORS", "w3c"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1.5"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Bearer x"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team"),
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such.pem"),
        ] {
            assert!(!is_right(name, value), "{name} {value}");
        }
    }
}

//! Spans in Zipkin's v2 JSON, and their delivery.

use opentelemetry_injector_otlp::Span;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A trace viewer that takes Zipkin's v2 JSON.
#[derive(Clone)]
pub struct Zipkin {
    agent: ureq::Agent,
    url: String,
}

impl Zipkin {
    /// The viewer whose collector is at `url`.
    pub fn new(url: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .into();
        Self { agent, url }
    }

    /// Posts the spans to the viewer.
    pub fn post(&self, spans: &[Span]) -> Result<(), ureq::Error> {
        let body: Value = spans.iter().map(span).collect();
        self.agent
            .post(&self.url)
            .content_type("application/json")
            .send(body.to_string())
            .map(drop)
    }
}

/// One span as Zipkin takes it, by OpenTelemetry's own rules for a Zipkin exporter.
fn span(span: &Span) -> Value {
    let mut zipkin = Map::new();
    let mut set = |name: &str, value: Value| {
        zipkin.insert(name.to_owned(), value);
    };
    set("traceId", span.trace_id.as_str().into());
    set("id", span.span_id.as_str().into());
    if !span.parent_span_id.is_empty() {
        set("parentId", span.parent_span_id.as_str().into());
    }
    set("name", span.name.as_str().into());
    // Zipkin knows these four kinds and refuses any other.
    if matches!(span.kind, "CLIENT" | "SERVER" | "PRODUCER" | "CONSUMER") {
        set("kind", span.kind.into());
    }
    set("timestamp", (span.start_unix_nano / 1_000).into());
    set("duration", duration_in_microseconds(span).into());
    set("localEndpoint", json!({ "serviceName": span.service }));
    set("tags", tags(span).into());
    zipkin.into()
}

fn duration_in_microseconds(span: &Span) -> u64 {
    // Zipkin takes 0 for "unknown", so that the shortest duration it can show is 1.
    (span.end_unix_nano.saturating_sub(span.start_unix_nano) / 1_000).max(1)
}

fn tags(span: &Span) -> Map<String, Value> {
    let mut tags: Map<String, Value> = span
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), text(value).into()))
        .collect();
    tags.insert("otel.scope.name".to_owned(), span.scope.as_str().into());
    if let Some(message) = &span.error {
        tags.insert("error".to_owned(), message.as_str().into());
    }
    tags
}

/// Tags are strings: a string stays what it is, everything else becomes its JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_span() -> Span {
        Span {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: "b7ad6b7169203331".to_owned(),
            parent_span_id: "00f067aa0ba902b7".to_owned(),
            name: "GET /orders".to_owned(),
            kind: "SERVER",
            service: "shop".to_owned(),
            resource: Map::new(),
            attributes: Map::from_iter([
                ("http.request.method".to_owned(), "GET".into()),
                ("http.response.status_code".to_owned(), 500.into()),
                ("tags".to_owned(), json!(["a", 1])),
            ]),
            scope: "io.opentelemetry.java-http-server".to_owned(),
            start_unix_nano: 1_700_000_000_123_456_789,
            end_unix_nano: 1_700_000_000_125_000_000,
            error: None,
        }
    }

    #[test]
    fn a_server_span_keeps_everything_zipkin_has_a_place_for() {
        assert_eq!(
            span(&server_span()),
            json!({
                "traceId": "0af7651916cd43dd8448eb211c80319c",
                "id": "b7ad6b7169203331",
                "parentId": "00f067aa0ba902b7",
                "name": "GET /orders",
                "kind": "SERVER",
                "timestamp": 1_700_000_000_123_456_u64,
                "duration": 1_543,
                "localEndpoint": { "serviceName": "shop" },
                "tags": {
                    "http.request.method": "GET",
                    "http.response.status_code": "500",
                    "tags": "[\"a\",1]",
                    "otel.scope.name": "io.opentelemetry.java-http-server",
                },
            })
        );
    }

    #[test]
    fn a_root_span_has_no_parent_and_an_internal_one_no_kind() {
        let zipkin = span(&Span {
            parent_span_id: String::new(),
            kind: "INTERNAL",
            ..server_span()
        });
        assert_eq!(zipkin.get("parentId"), None);
        assert_eq!(zipkin.get("kind"), None);
    }

    #[test]
    fn only_a_failed_span_has_the_error_tag() {
        let failed = Span {
            error: Some("no such order".to_owned()),
            ..server_span()
        };
        assert_eq!(span(&failed)["tags"]["error"], "no such order");
        assert_eq!(span(&server_span())["tags"].get("error"), None);
    }

    #[test]
    fn a_span_shorter_than_a_microsecond_is_still_one_long() {
        let start = server_span().start_unix_nano;
        for end in [start, start + 10, start - 10] {
            let zipkin = span(&Span {
                end_unix_nano: end,
                ..server_span()
            });
            assert_eq!(zipkin["duration"], 1, "end {end}");
        }
    }
}

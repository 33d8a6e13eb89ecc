//! Spans as they are reported, decoded from an OTLP export request.

use crate::json;
use core::fmt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Status, span::SpanKind, status::StatusCode};
use prost::Message;
use serde_json::{Map, Value, json};

/// One span with what its resource and its instrumentation scope say about it.
pub struct Span {
    /// Trace id, in hexadecimal.
    pub trace_id: String,
    /// Span id, in hexadecimal.
    pub span_id: String,
    /// The parent's span id, in hexadecimal; empty for a root span.
    pub parent_span_id: String,
    /// Name of the span.
    pub name: String,
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER`, `INTERNAL` or `UNSPECIFIED`.
    pub kind: &'static str,
    /// `service.name` of the resource; empty where it has none.
    pub service: String,
    /// All attributes of the resource.
    pub resource: Map<String, Value>,
    /// All attributes of the span.
    pub attributes: Map<String, Value>,
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Start, in nanoseconds since the epoch.
    pub start_unix_nano: u64,
    /// End, in nanoseconds since the epoch.
    pub end_unix_nano: u64,
    /// The status message of a span that failed, which may be empty; `None` for all others.
    pub error: Option<String>,
}

/// Why a body is no export request.
#[derive(Debug)]
pub enum SpansError {
    /// No message of this type.
    Protobuf(prost::DecodeError),
    /// No JSON.
    Json(serde_json::Error),
    /// JSON, and no object.
    NoObject,
}

/// Decodes the body of a `POST /v1/traces`.
///
/// # Errors
/// It is no export request.
pub fn decode(body: &[u8], is_json: bool) -> Result<Vec<Span>, SpansError> {
    if is_json {
        json::decode(body)
    } else {
        protobuf(body).map_err(SpansError::Protobuf)
    }
}

fn protobuf(body: &[u8]) -> Result<Vec<Span>, prost::DecodeError> {
    let request = ExportTraceServiceRequest::decode(body)?;
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = object(of_resource.resource.unwrap_or_default().attributes);
        let service = resource
            .get("service.name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        for of_scope in of_resource.scope_spans {
            let scope = of_scope.scope.unwrap_or_default().name;
            for span in of_scope.spans {
                spans.push(Span {
                    trace_id: hexadecimal(&span.trace_id),
                    span_id: hexadecimal(&span.span_id),
                    parent_span_id: hexadecimal(&span.parent_span_id),
                    kind: kind_name(span.kind()),
                    name: span.name,
                    service: service.clone(),
                    resource: resource.clone(),
                    attributes: object(span.attributes),
                    scope: scope.clone(),
                    start_unix_nano: span.start_time_unix_nano,
                    end_unix_nano: span.end_time_unix_nano,
                    error: span.status.and_then(error_message),
                });
            }
        }
    }
    Ok(spans)
}

impl fmt::Display for SpansError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protobuf(error) => error.fmt(f),
            Self::Json(error) => error.fmt(f),
            Self::NoObject => f.write_str("not an object"),
        }
    }
}

impl core::error::Error for SpansError {}

impl Span {
    /// The span as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "name": self.name,
            "kind": self.kind,
            "service": self.service,
            "resource": self.resource,
            "attributes": self.attributes,
            "scope": self.scope,
            "start_unix_nano": self.start_unix_nano,
            "end_unix_nano": self.end_unix_nano,
        })
    }
}

fn error_message(status: Status) -> Option<String> {
    (status.code() == StatusCode::Error).then_some(status.message)
}

/// The name of a kind by its number; `UNSPECIFIED` where it is none.
pub fn kind_of(number: i32) -> &'static str {
    kind_name(SpanKind::try_from(number).unwrap_or_default())
}

fn kind_name(kind: SpanKind) -> &'static str {
    kind.as_str_name()
        .strip_prefix("SPAN_KIND_")
        .unwrap_or_default()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn object(attributes: Vec<KeyValue>) -> Map<String, Value> {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, value(attribute.value)))
        .collect()
}

fn value(any: Option<AnyValue>) -> Value {
    match any.and_then(|any| any.value) {
        Some(any_value::Value::StringValue(text)) => text.into(),
        Some(any_value::Value::BoolValue(flag)) => flag.into(),
        Some(any_value::Value::IntValue(number)) => number.into(),
        Some(any_value::Value::DoubleValue(number)) => number.into(),
        Some(any_value::Value::ArrayValue(array)) => array
            .values
            .into_iter()
            .map(|item| value(Some(item)))
            .collect(),
        Some(any_value::Value::KvlistValue(list)) => object(list.values).into(),
        Some(any_value::Value::BytesValue(bytes)) => hexadecimal(&bytes).into(),
        // A reference into a string table belongs to profiles; a span has none.
        Some(any_value::Value::StringValueStrindex(_)) | None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{
        ArrayValue, InstrumentationScope, KeyValueList, any_value::Value as Any,
    };
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{self as otlp, ResourceSpans, ScopeSpans};

    fn attribute(key: &str, value: Any) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }
    }

    fn text(value: &str) -> Any {
        Any::StringValue(value.to_owned())
    }

    fn client_span() -> otlp::Span {
        otlp::Span {
            trace_id: (0..16).collect(),
            span_id: (0xf8..=0xff).collect(),
            name: "GET".to_owned(),
            kind: SpanKind::Client as i32,
            start_time_unix_nano: 1_700_000_000_000_000_001,
            end_time_unix_nano: 1_700_000_000_000_000_002,
            attributes: vec![attribute("http.response.status_code", Any::IntValue(200))],
            ..otlp::Span::default()
        }
    }

    fn decoded(service: Option<&str>, spans: Vec<otlp::Span>) -> Vec<Span> {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: service.map(|name| Resource {
                    attributes: vec![
                        attribute("service.name", text(name)),
                        attribute("process.pid", Any::IntValue(42)),
                    ],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "io.opentelemetry.java-http-client".to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        protobuf(&request.encode_to_vec()).unwrap()
    }

    #[test]
    fn a_span_is_printed_with_its_resource_and_scope() {
        let spans = decoded(Some("shop"), vec![client_span()]);
        assert_eq!(spans.len(), 1);
        assert_eq!(
            spans[0].to_json(),
            json!({
                "trace_id": "000102030405060708090a0b0c0d0e0f",
                "span_id": "f8f9fafbfcfdfeff",
                "parent_span_id": "",
                "name": "GET",
                "kind": "CLIENT",
                "service": "shop",
                "resource": { "service.name": "shop", "process.pid": 42 },
                "attributes": { "http.response.status_code": 200 },
                "scope": "io.opentelemetry.java-http-client",
                "start_unix_nano": 1_700_000_000_000_000_001_u64,
                "end_unix_nano": 1_700_000_000_000_000_002_u64,
            })
        );
    }

    #[test]
    fn every_span_of_a_request_comes_in_its_order() {
        let child = otlp::Span {
            parent_span_id: client_span().span_id,
            kind: SpanKind::Server as i32,
            name: "GET /".to_owned(),
            ..client_span()
        };
        let spans = decoded(None, vec![client_span(), child]);
        let kinds: Vec<_> = spans.iter().map(|span| span.kind).collect();
        assert_eq!(kinds, ["CLIENT", "SERVER"]);
        assert_eq!(spans[1].parent_span_id, spans[0].span_id);
        assert_eq!(spans[0].service, "");
    }

    #[test]
    fn an_unknown_kind_is_unspecified() {
        let spans = decoded(
            None,
            vec![otlp::Span {
                kind: 99,
                ..client_span()
            }],
        );
        assert_eq!(spans[0].kind, "UNSPECIFIED");
    }

    #[test]
    fn only_the_status_error_makes_an_error() {
        let with = |code: StatusCode| {
            let status = Some(Status {
                code: code as i32,
                message: "refused".to_owned(),
            });
            let spans = decoded(
                None,
                vec![otlp::Span {
                    status,
                    ..client_span()
                }],
            );
            spans[0].error.clone()
        };
        assert_eq!(with(StatusCode::Error).as_deref(), Some("refused"));
        assert_eq!(with(StatusCode::Ok), None);
        assert_eq!(decoded(None, vec![client_span()])[0].error, None);
    }

    #[test]
    fn values_of_all_types_become_json() {
        let list = |values: Vec<Any>| {
            Any::ArrayValue(ArrayValue {
                values: values
                    .into_iter()
                    .map(|value| AnyValue { value: Some(value) })
                    .collect(),
            })
        };
        let attributes = vec![
            attribute("text", text("a\"b")),
            attribute("flag", Any::BoolValue(true)),
            attribute("number", Any::DoubleValue(0.5)),
            attribute("bytes", Any::BytesValue(vec![0, 255])),
            attribute("list", list(vec![text("a"), Any::IntValue(-1)])),
            attribute(
                "map",
                Any::KvlistValue(KeyValueList {
                    values: vec![attribute("inner", Any::BoolValue(false))],
                }),
            ),
            KeyValue {
                key: "nothing".to_owned(),
                ..KeyValue::default()
            },
        ];
        assert_eq!(
            Value::from(object(attributes)),
            json!({
                "text": "a\"b",
                "flag": true,
                "number": 0.5,
                "bytes": "00ff",
                "list": ["a", -1],
                "map": { "inner": false },
                "nothing": null,
            })
        );
    }

    #[test]
    fn bytes_that_are_no_export_request_are_an_error() {
        assert!(protobuf(b"{\"resourceSpans\":[]}").is_err());
        assert!(protobuf(&[0x0a, 0xff]).is_err());
        assert_eq!(protobuf(b"").unwrap().len(), 0);
    }
}

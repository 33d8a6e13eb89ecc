//! OTLP's JSON (opentelemetry-proto 1.10, "JSON Protobuf Encoding"): names in lowerCamelCase, identifiers
//! in hexadecimal, 64-bit numbers as text or numbers.

use crate::spans::{Span, SpansError, kind_of};
use serde_json::{Map, Value};

/// Decodes the body of an export request.
///
/// # Errors
/// It is no JSON, or no object.
pub fn decode(body: &[u8]) -> Result<Vec<Span>, SpansError> {
    let request: Value = serde_json::from_slice(body).map_err(SpansError::Json)?;
    if !request.is_object() {
        return Err(SpansError::NoObject);
    }
    let mut spans = Vec::new();
    for of_resource in list(&request, "resourceSpans") {
        let resource = attributes(&of_resource["resource"]);
        let service = resource.get("service.name").and_then(Value::as_str);
        let service = service.unwrap_or_default().to_owned();
        for of_scope in list(of_resource, "scopeSpans") {
            let scope = text(&of_scope["scope"], "name");
            for span in list(of_scope, "spans") {
                spans.push(Span {
                    trace_id: text(span, "traceId").to_lowercase(),
                    span_id: text(span, "spanId").to_lowercase(),
                    parent_span_id: text(span, "parentSpanId").to_lowercase(),
                    name: text(span, "name"),
                    kind: kind_of(number(span, "kind").try_into().unwrap_or_default()),
                    service: service.clone(),
                    resource: resource.clone(),
                    attributes: attributes(span),
                    scope: scope.clone(),
                    start_unix_nano: number(span, "startTimeUnixNano"),
                    end_unix_nano: number(span, "endTimeUnixNano"),
                    error: (number(&span["status"], "code") == STATUS_CODE_ERROR)
                        .then(|| text(&span["status"], "message")),
                });
            }
        }
    }
    Ok(spans)
}

/// `STATUS_CODE_ERROR` of trace.proto.
const STATUS_CODE_ERROR: u64 = 2;

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    let value = &value[name];
    let text = || value.as_str().and_then(|text| text.parse().ok());
    value.as_u64().or_else(text).unwrap_or_default()
}

fn attributes(of: &Value) -> Map<String, Value> {
    object(list(of, "attributes"))
}

fn object(attributes: &[Value]) -> Map<String, Value> {
    attributes
        .iter()
        .map(|attribute| (text(attribute, "key"), plain(&attribute["value"])))
        .collect()
}

/// An `AnyValue` without its type.
fn plain(any: &Value) -> Value {
    let Some((kind, value)) = any.as_object().and_then(|any| any.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "intValue" => {
            let text = value.as_str().and_then(|text| text.parse::<i64>().ok());
            text.map_or_else(|| value.clone(), Value::from)
        }
        "arrayValue" => list(value, "values").iter().map(plain).collect(),
        "kvlistValue" => object(list(value, "values")).into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_in_json_is_read_as_one_in_protobuf() {
        let body = br#"{"resourceSpans":[{"resource":{"attributes":[
            {"key":"service.name","value":{"stringValue":"shop"}},
            {"key":"process.pid","value":{"intValue":"42"}},
            {"key":"process.command_args","value":{"arrayValue":{"values":[{"stringValue":"a"}]}}}]},
            "scopeSpans":[{"scope":{"name":"http"},"spans":[{
                "traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","name":"GET",
                "kind":3,"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":1700000000000000002,
                "status":{"code":2,"message":"no"}}]}]}]}"#;
        let spans = decode(body).unwrap();
        let [span] = &spans[..] else {
            panic!("one span");
        };
        assert_eq!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((span.name.as_str(), span.kind), ("GET", "CLIENT"));
        assert_eq!(
            (span.service.as_str(), span.scope.as_str()),
            ("shop", "http")
        );
        assert_eq!(span.start_unix_nano, 1_700_000_000_000_000_001);
        assert_eq!(span.end_unix_nano, 1_700_000_000_000_000_002);
        assert_eq!(span.error.as_deref(), Some("no"));
        let expected = json!({
            "service.name": "shop", "process.pid": 42, "process.command_args": ["a"],
        });
        assert_eq!(Value::from(span.resource.clone()), expected);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(decode(b"").is_err());
        assert!(decode(b"[]").is_err());
        assert_eq!(decode(b"{}").unwrap().len(), 0);
    }
}

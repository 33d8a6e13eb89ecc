//! The keys that the published schema of declarative configuration has (opentelemetry-configuration,
//! file_format 1.0), kind of table by kind.

/// `KIND: KEY=KIND KEY …`; a key without a kind takes a plain value, a key for a list has the kind of its
/// items, and a `*` behind a kind says that it may have further keys. A kind is indented where it goes on.
const SCHEMA: &str = "\
File: file_format disabled log_level attribute_limits=AttributeLimits
    logger_provider=LoggerProvider meter_provider=MeterProvider propagator=Propagator
    tracer_provider=TracerProvider resource=Resource instrumentation/development=Instrumentation
    distribution
Aggregation: default=DefaultAggregation drop=DropAggregation
    explicit_bucket_histogram=ExplicitBucketHistogramAggregation
    base2_exponential_bucket_histogram=Base2ExponentialBucketHistogramAggregation
    last_value=LastValueAggregation sum=SumAggregation
AlwaysOffSampler:
AlwaysOnSampler:
AttributeLimits: attribute_value_length_limit attribute_count_limit
AttributeNameValue: name value type
B3MultiPropagator:
B3Propagator:
BaggagePropagator:
Base2ExponentialBucketHistogramAggregation: max_scale max_size record_min_max
BatchLogRecordProcessor: schedule_delay export_timeout max_queue_size max_export_batch_size
    exporter=LogRecordExporter
BatchSpanProcessor: schedule_delay export_timeout max_queue_size max_export_batch_size
    exporter=SpanExporter
CardinalityLimits: default counter gauge histogram observable_counter observable_gauge
    observable_up_down_counter up_down_counter
ConsoleExporter:
ConsoleMetricExporter: temporality_preference default_histogram_aggregation
DefaultAggregation:
DropAggregation:
CodeInstrumentation: semconv=SemconvConfig
ComposableAlwaysOffSampler:
ComposableAlwaysOnSampler:
ComposableParentThresholdSampler: root=ComposableSampler
ComposableProbabilitySampler: ratio
ComposableRuleBasedSampler: rules=ComposableRuleBasedSamplerRule
ComposableRuleBasedSamplerRule: attribute_values=ComposableRuleBasedSamplerRuleAttributeValues
    attribute_patterns=ComposableRuleBasedSamplerRuleAttributePatterns span_kinds parent
    sampler=ComposableSampler
ComposableRuleBasedSamplerRuleAttributePatterns: key included excluded
ComposableRuleBasedSamplerRuleAttributeValues: key values
ComposableSampler *: always_off=ComposableAlwaysOffSampler always_on=ComposableAlwaysOnSampler
    parent_threshold=ComposableParentThresholdSampler probability=ComposableProbabilitySampler
    rule_based=ComposableRuleBasedSampler
ContainerResourceDetector:
DbInstrumentation: semconv=SemconvConfig
GenAiInstrumentation: semconv=SemconvConfig
GeneralInstrumentation: http=HttpInstrumentation code=CodeInstrumentation db=DbInstrumentation
    gen_ai=GenAiInstrumentation messaging=MessagingInstrumentation rpc=RpcInstrumentation
    sanitization=Sanitization stability_opt_in_list
HostResourceDetector:
HttpClientInstrumentation: request_captured_headers response_captured_headers known_methods
HttpInstrumentation: semconv=SemconvConfig client=HttpClientInstrumentation
    server=HttpServerInstrumentation
HttpServerInstrumentation: request_captured_headers response_captured_headers known_methods
Instrumentation: general=GeneralInstrumentation cpp dotnet erlang go java js php python ruby
    rust swift
JaegerRemoteSampler: endpoint interval initial_sampler=Sampler
LoggerConfig: enabled minimum_severity trace_based
LoggerConfigurator: default_config=LoggerConfig loggers=LoggerMatcherAndConfig
LoggerMatcherAndConfig: name config=LoggerConfig
MessagingInstrumentation: semconv=SemconvConfig
MeterConfig: enabled
MeterConfigurator: default_config=MeterConfig meters=MeterMatcherAndConfig
MeterMatcherAndConfig: name config=MeterConfig
OtlpFileExporter: output_stream
OtlpFileMetricExporter: output_stream temporality_preference default_histogram_aggregation
ProbabilitySampler: ratio
ProcessResourceDetector:
PrometheusMetricExporter: host port without_scope_info without_target_info/development
    with_resource_constant_labels=IncludeExclude translation_strategy
ResourceDetection: attributes=IncludeExclude detectors=ResourceDetector
ResourceDetector *: container=ContainerResourceDetector host=HostResourceDetector
    process=ProcessResourceDetector service=ServiceResourceDetector
RpcInstrumentation: semconv=SemconvConfig
Sanitization: url=UrlSanitization
SemconvConfig: version experimental dual_emit
ServiceResourceDetector:
TracerConfig: enabled
TracerConfigurator: default_config=TracerConfig tracers=TracerMatcherAndConfig
TracerMatcherAndConfig: name config=TracerConfig
UrlSanitization: sensitive_query_parameters
ExplicitBucketHistogramAggregation: boundaries record_min_max
GrpcTls: ca_file key_file cert_file insecure
HttpTls: ca_file key_file cert_file
IncludeExclude: included excluded
LastValueAggregation:
LoggerProvider: processors=LogRecordProcessor limits=LogRecordLimits
    logger_configurator/development=LoggerConfigurator
LogRecordExporter *: otlp_http=OtlpHttpExporter otlp_grpc=OtlpGrpcExporter
    otlp_file/development=OtlpFileExporter console=ConsoleExporter
LogRecordLimits: attribute_value_length_limit attribute_count_limit
LogRecordProcessor *: batch=BatchLogRecordProcessor simple=SimpleLogRecordProcessor
MeterProvider: readers=MetricReader views=View exemplar_filter
    meter_configurator/development=MeterConfigurator
MetricProducer *: opencensus=OpenCensusMetricProducer
MetricReader: periodic=PeriodicMetricReader pull=PullMetricReader
NameStringValuePair: name value
OpenCensusMetricProducer:
OtlpGrpcExporter: endpoint tls=GrpcTls headers=NameStringValuePair headers_list compression
    timeout
OtlpGrpcMetricExporter: endpoint tls=GrpcTls headers=NameStringValuePair headers_list
    compression timeout temporality_preference default_histogram_aggregation
OtlpHttpExporter: endpoint tls=HttpTls headers=NameStringValuePair headers_list compression
    timeout encoding
OtlpHttpMetricExporter: endpoint tls=HttpTls headers=NameStringValuePair headers_list
    compression timeout encoding temporality_preference default_histogram_aggregation
ParentBasedSampler: root=Sampler remote_parent_sampled=Sampler remote_parent_not_sampled=Sampler
    local_parent_sampled=Sampler local_parent_not_sampled=Sampler
PeriodicMetricReader: interval timeout exporter=PushMetricExporter producers=MetricProducer
    cardinality_limits=CardinalityLimits
Propagator: composite=TextMapPropagator composite_list
PullMetricExporter *: prometheus/development=PrometheusMetricExporter
PullMetricReader: exporter=PullMetricExporter producers=MetricProducer
    cardinality_limits=CardinalityLimits
PushMetricExporter *: otlp_http=OtlpHttpMetricExporter otlp_grpc=OtlpGrpcMetricExporter
    otlp_file/development=OtlpFileMetricExporter console=ConsoleMetricExporter
Resource: attributes=AttributeNameValue detection/development=ResourceDetection schema_url
    attributes_list
Sampler *: always_off=AlwaysOffSampler always_on=AlwaysOnSampler
    composite/development=ComposableSampler jaeger_remote/development=JaegerRemoteSampler
    parent_based=ParentBasedSampler probability/development=ProbabilitySampler
    trace_id_ratio_based=TraceIdRatioBasedSampler
SimpleLogRecordProcessor: exporter=LogRecordExporter
SimpleSpanProcessor: exporter=SpanExporter
SpanExporter *: otlp_http=OtlpHttpExporter otlp_grpc=OtlpGrpcExporter
    otlp_file/development=OtlpFileExporter console=ConsoleExporter
SpanLimits: attribute_value_length_limit attribute_count_limit event_count_limit
    link_count_limit event_attribute_count_limit link_attribute_count_limit
SpanProcessor *: batch=BatchSpanProcessor simple=SimpleSpanProcessor
SumAggregation:
TextMapPropagator *: tracecontext=TraceContextPropagator baggage=BaggagePropagator
    b3=B3Propagator b3multi=B3MultiPropagator
TraceContextPropagator:
TraceIdRatioBasedSampler: ratio
TracerProvider: processors=SpanProcessor limits=SpanLimits sampler=Sampler
    tracer_configurator/development=TracerConfigurator
View: selector=ViewSelector stream=ViewStream
ViewSelector: instrument_name instrument_type unit meter_name meter_version meter_schema_url
ViewStream: name description aggregation=Aggregation aggregation_cardinality_limit
    attribute_keys=IncludeExclude";

/// Where the whole file begins.
pub const FILE: &str = "File";

/// What a table may have.
pub struct Kind {
    /// Whether other keys mean something, too.
    is_open: bool,
    keys: Vec<(&'static str, Option<&'static str>)>,
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<Kind> {
    let mut lines = SCHEMA.lines().skip_while(|line| {
        let head = line.split(':').next().unwrap_or_default();
        line.starts_with(' ') || head.trim_end_matches(" *") != name
    });
    let (head, first) = lines.next()?.split_once(':')?;
    let rest = lines.take_while(|line| line.starts_with(' '));
    let words = [first]
        .into_iter()
        .chain(rest)
        .flat_map(str::split_whitespace);
    let keys = words.map(|word| match word.split_once('=') {
        Some((key, kind)) => (key, Some(kind)),
        None => (word, None),
    });
    Some(Kind {
        is_open: head.ends_with('*'),
        keys: keys.collect(),
    })
}

impl Kind {
    /// The kind of what stands at a key, where that is a table.
    pub fn below(&self, key: &str) -> Option<Kind> {
        let (_, name) = self.keys.iter().find(|(known, _)| *known == key)?;
        kind(name.as_ref()?)
    }

    /// Whether a key means something.
    pub fn knows(&self, key: &str) -> bool {
        self.is_open || self.keys.iter().any(|(known, _)| *known == key)
    }

    /// Its keys.
    pub fn keys(&self) -> Vec<&'static str> {
        self.keys.iter().map(|(key, _)| *key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_named_is_there() {
        for word in SCHEMA.split_whitespace() {
            if let Some((key, name)) = word.split_once('=') {
                assert!(kind(name).is_some(), "{key}={name}");
            }
        }
        let exporter = kind(FILE).unwrap().below("tracer_provider").unwrap();
        assert!(exporter.knows("sampler") && !exporter.knows("sampler2"));
        assert!(kind("SpanExporter").unwrap().knows("zipkin"));
        assert!(kind("Nothing").is_none());
    }
}

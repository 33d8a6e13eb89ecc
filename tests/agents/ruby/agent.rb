# Stands in for OpenTelemetry's gems: sends one span when it is loaded, with the settings read as
# the SDK reads them (ENV[] and fetch), in OTLP's protobuf (trace.proto, resource.proto).
require 'socket'

module TestAgent
  module_function

  def varint(number)
    bytes = []
    while number > 127
      bytes << (number & 127 | 128)
      number >>= 7
    end
    (bytes << number).pack('C*')
  end

  # A length-delimited field: message, string or bytes.
  def field(number, *parts)
    content = parts.map(&:b).join
    varint(number << 3 | 2) + varint(content.bytesize) + content
  end

  def attribute(key, value)
    field(1, field(1, key), field(2, field(1, value)))
  end

  def resource
    list = ENV.fetch('OTEL_RESOURCE_ATTRIBUTES', '').split(',').map { |item| item.split('=', 2) }
    name = ENV['OTEL_SERVICE_NAME'] || list.to_h['service.name'] || 'unknown_service'
    field(1, *list.map { |key, value| attribute(key, value) }, attribute('service.name', name))
  end

  def span
    now = [Time.now.to_i * 1_000_000_000].pack('Q<')
    start_and_end = varint(7 << 3 | 1) + now + varint(8 << 3 | 1) + now
    ids = field(1, Random.bytes(16)) + field(2, Random.bytes(8))
    field(2, ids, field(5, 'ruby started'), start_and_end)
  end

  def send_span
    body = field(1, resource, field(2, field(1, field(1, 'test agent')), span))
    host, port = ENV.fetch('OTEL_EXPORTER_OTLP_ENDPOINT').delete_prefix('http://').split(':')
    TCPSocket.open(host, port) do |socket|
      socket.write("POST /v1/traces HTTP/1.1\r\nHost: #{host}\r\nConnection: close\r\n",
                   "Content-Type: application/x-protobuf\r\nContent-Length: #{body.bytesize}\r\n\r\n",
                   body)
      socket.read
    end
  end
end

# As in the SDK: no start waits for a collector that does not answer.
sending = Thread.new { TestAgent.send_span }
sending.report_on_exception = false
at_exit do
  sending.join(1)
rescue SystemCallError
  # Nobody listens.
end

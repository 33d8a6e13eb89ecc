# Loads the agent (ruby.agent_path) before the application, or leaves everything as it is.
#
# The names asked here are answered by the preload object to this process alone (boot.rs). Written
# so that every CRuby since 1.9 can parse it: an old one must be left alone without a word.
lambda do
  ask = lambda { |name| ENV["OPENTELEMETRY_INJECTOR_BOOT_#{name}"] }
  # From here on settings are answered as they stand in the environment.
  stand_down = lambda { |code| ask.call("STOOD_DOWN_#{code}") }
  # Ruby has read RUBYOPT by now: from here on it is what stands in the environment.
  ask.call('STARTED')
  begin
    # What a parent has handed on to this process: its children get none of it.
    options = ENV['RUBYOPT'].to_s.split
    users = options.reject { |option| option.start_with?('-r') && File.identical?(option[2..-1], __FILE__) }
    ENV['RUBYOPT'] = users.empty? ? nil : users.join(' ') if users != options

    agent = ask.call('AGENT_PATH')
    next unless agent

    # A file beside the agent says what the agent needs. The current OpenTelemetry gems need 3.3.
    floor = File.join(File.dirname(agent), 'minimum_ruby_version')
    floor = File.file?(floor) ? File.read(floor) : '3.3'
    version = lambda { |text| text.strip.split('.').map { |part| part.to_i } }
    next stand_down.call('VERSION') if (version.call(RUBY_VERSION) <=> version.call(floor)) < 0

    # What an agent has to say is nothing that the application's output has room for: the official gems
    # log to `$stdout`, for as long as they run. Whoever sets a level wants to read it.
    output = $stdout
    silence = Object.new
    silence.singleton_class.class_eval do
      [:write, :print, :puts, :printf, :putc, :<<, :flush, :fsync, :close, :sync=].each do |name|
        define_method(name) { |*arguments| name == :write ? arguments.join.bytesize : nil }
      end
      [:sync, :closed?, :tty?, :isatty].each { |name| define_method(name) { name == :sync } }
    end

    gems = defined?(Gem::Specification.unresolved_deps)
    activated = gems ? [Gem.loaded_specs, Gem::Specification.unresolved_deps] : []
    before = activated.map { |specs| specs.keys }
    begin
      $stdout = ENV['OTEL_LOG_LEVEL'] ? STDERR : silence
      require agent
      # The API makes its logger when it is first asked for.
      OpenTelemetry.logger if defined?(OpenTelemetry.logger)
    ensure
      $stdout = output
      # RubyGems and Bundler end a program that asks for another version of a gem that is active,
      # and each gem of Ruby's own (logger, json, net-http) is active once it has been required.
      activated.zip(before) { |specs, names| specs.keep_if { |name, _| names.include?(name) } }
    end

    # From the program's end on, the SDK waits no longer than this for a collector that does not answer.
    # Handlers run in the order of their coming, the last one first: this one behind the application's,
    # and before the agent's.
    at_exit do
      now = lambda { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
      stop = now.call + 1
      limits = Module.new
      limits.send(:define_method, :opentelemetry_injector_left) { [stop - now.call, 0].max }
      [:shutdown, :force_flush].each do |name|
        limits.module_eval("def #{name}(timeout: nil)
                              super(timeout: [timeout, opentelemetry_injector_left].compact.min)
                            end")
      end
      [:tracer_provider, :meter_provider, :logger_provider].each do |name|
        next unless defined?(OpenTelemetry) && OpenTelemetry.respond_to?(name)

        provider = OpenTelemetry.send(name)
        provider.singleton_class.send(:prepend, limits) if provider.respond_to?(:shutdown)
      end
    end
  rescue SignalException
    raise
  rescue Exception # An agent that fails, or exits, is no reason to keep the application from running.
    stand_down.call('FAILED')
  end
end.call

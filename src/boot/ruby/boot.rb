# Loads the agent (ruby.agent_path) before the application, or leaves everything as it is.
#
# The names asked here are answered by the preload object to this process alone (boot.rs). Written
# so that every CRuby since 1.9 can parse it: an old one must be left alone without a word.
lambda do
  # Ruby has read RUBYOPT by now: from here on it is the user's own.
  ENV['OPENTELEMETRY_INJECTOR_BOOT_STARTED']
  begin
    agent = ENV['OPENTELEMETRY_INJECTOR_BOOT_AGENT_PATH']
    next unless agent

    # A file beside the agent says what the agent needs. The current OpenTelemetry gems need 3.3.
    floor = File.join(File.dirname(agent), 'minimum_ruby_version')
    floor = File.file?(floor) ? File.read(floor) : '3.3'
    version = lambda { |text| text.strip.split('.').map { |part| part.to_i } }
    next if (version.call(RUBY_VERSION) <=> version.call(floor)) < 0

    gems = defined?(Gem::Specification.unresolved_deps)
    activated = gems ? [Gem.loaded_specs, Gem::Specification.unresolved_deps] : []
    before = activated.map { |specs| specs.keys }
    begin
      require agent
    ensure
      # RubyGems and Bundler end a program that asks for another version of a gem that is active,
      # and each gem of Ruby's own (logger, json, net-http) is active once it has been required.
      activated.zip(before) { |specs, names| specs.keep_if { |name, _| names.include?(name) } }
    end
  rescue SignalException
    raise
  rescue Exception # An agent that fails, or exits, is no reason to keep the application from running.
  end
end.call

# The injector's image: the preload object, the Gum engine's object beside it, and the command.
# To be copied from it into a volume that the applications' containers share.
FROM rust:1-slim-bookworm AS build
# Debian 12 has no newer versions than its own: pinning them would only break the build one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /injector
COPY . .
RUN scripts/build

FROM debian:bookworm-slim
COPY --from=build /injector/target/release/opentelemetry-injector /usr/bin/
# The Gum engine's object is not there when Frida's releases could not be reached.
COPY --from=build /injector/target/release/libopentelemetry_injector*.so /usr/lib/opentelemetry/injector/
# Files that runtimes load before the agent: they belong beside the object.
COPY --from=build /injector/target/release/boot /usr/lib/opentelemetry/injector/boot
CMD ["opentelemetry-injector", "--help"]

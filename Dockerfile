# The injector's image: the preload object with its boot files, the Gum engine's object beside it, and the
# command. Its entry point copies them into a volume that the applications' containers share:
#
#   docker build --tag opentelemetry-injector .
#   docker run --rm --volume injector:/volume opentelemetry-injector copy /volume
#
# With agents of the versions that the project has tried:
#
#   docker build --target with-agents --build-arg AGENTS="java python" --tag opentelemetry-injector .
#
# For arm64 it is cross-compiled: --platform linux/arm64.
FROM --platform=$BUILDPLATFORM rust:1-slim-bookworm AS build
ARG TARGETARCH=amd64
# Debian 12 has no newer versions than its own: pinning them would only break the build one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl libclang-dev \
    && if [ "$TARGETARCH" = arm64 ] && [ "$(uname -m)" != aarch64 ]; then \
        apt-get install --yes --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        && rustup target add aarch64-unknown-linux-gnu; \
    fi \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /injector
COPY . .
RUN packaging/image/build "$TARGETARCH" /image

FROM debian:bookworm-slim AS injector
COPY --from=build /image /
ENTRYPOINT ["/usr/lib/opentelemetry/entrypoint.sh"]
CMD ["opentelemetry-injector", "--help"]

FROM injector AS agents
ARG AGENTS="java nodejs python"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && case " $AGENTS " in *" nodejs "*) apt-get install --yes --no-install-recommends npm ;; esac \
    && case " $AGENTS " in *" python "*) apt-get install --yes --no-install-recommends python3-pip ;; esac \
    && for agent in $AGENTS; do opentelemetry-injector agent install "$agent" || exit 1; done

FROM injector AS with-agents
COPY --from=agents /usr/lib/opentelemetry /usr/lib/opentelemetry

FROM injector

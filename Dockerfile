# The injector's image: the preload object with its boot files, the Gum engine's object beside it, and the
# command. Its entry point copies them into a volume that the applications' containers share:
#
#   docker build --tag opentelemetry-injector .
#   docker run --rm --volume injector:/volume opentelemetry-injector copy /volume
#
# With agents of the versions that the project has tried:
#
#   docker build --target with-agents --build-arg AGENTS="jvm python" --tag opentelemetry-injector .
#
# For another architecture it is cross-compiled: --platform linux/arm64, --platform linux/amd64.
FROM --platform=$BUILDPLATFORM rust:1-slim-bookworm AS build
# Without a default value, which would replace what the builder sets.
ARG TARGETARCH
# Debian 12 has no newer versions than its own: pinning them would only break the build one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl libclang-dev \
    && case "$(uname -m)-$TARGETARCH" in \
        x86_64-arm64) \
            apt-get install --yes --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
            && rustup target add aarch64-unknown-linux-gnu aarch64-unknown-linux-musl ;; \
        aarch64-amd64) \
            apt-get install --yes --no-install-recommends gcc-x86-64-linux-gnu libc6-dev-amd64-cross \
            && rustup target add x86_64-unknown-linux-gnu x86_64-unknown-linux-musl ;; \
        *) rustup target add "$(uname -m)-unknown-linux-musl" ;; \
    esac \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /injector
COPY . .
RUN packaging/image/build "$TARGETARCH" /image

FROM debian:bookworm-slim AS injector
COPY --from=build /image /
ENTRYPOINT ["/usr/lib/opentelemetry/entrypoint.sh"]
CMD ["opentelemetry-injector", "--help"]

FROM injector AS agents
ARG AGENTS="jvm nodejs python"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && case " $AGENTS " in *" nodejs "*) apt-get install --yes --no-install-recommends npm ;; esac \
    && case " $AGENTS " in *" python "*) apt-get install --yes --no-install-recommends python3-pip ;; esac \
    && for agent in $AGENTS; do opentelemetry-injector agent install "$agent" || exit 1; done

FROM injector AS with-agents
COPY --from=agents /usr/lib/opentelemetry /usr/lib/opentelemetry

FROM injector

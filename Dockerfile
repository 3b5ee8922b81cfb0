# The service as one image: one binary that holds the page, the migrations and the reference data.
# Where Docker Hub is out of reach: --build-arg REGISTRY=mirror.example/library
ARG REGISTRY=docker.io/library
ARG DEBIAN=bookworm

FROM ${REGISTRY}/rust:1.95-slim-${DEBIAN} AS build
WORKDIR /src
COPY . .
# The caches outlive the build, so a change to one crate compiles little more than that crate. They are not part of
# the image, hence the copy of the binary.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package zhixing-api --bin zhixing \
    && install -D --mode=0755 target/release/zhixing /out/bin/zhixing \
    && install -d --mode=0750 /out/data

# The same Debian as above, so that the binary finds the C library it was linked to. Nothing else is installed.
FROM ${REGISTRY}/debian:${DEBIAN}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Zhixing 质兴" \
      org.opencontainers.image.description="Runs a public quality programme: GraphQL over an event-sourced log" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /out/bin/zhixing /usr/local/bin/zhixing
# A number, not a name: an orchestrator that demands a user other than root can see that it is one.
COPY --from=build --chown=10001:10001 /out/data /var/lib/zhixing
USER 10001:10001

# The embedded SQLite store, unless ZHIXING_DATABASE names a PostgreSQL.
ENV ZHIXING_DATA=/var/lib/zhixing \
    ZHIXING_LISTEN=0.0.0.0:8080
VOLUME ["/var/lib/zhixing"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["zhixing", "health", "--url", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["zhixing"]
CMD ["serve"]

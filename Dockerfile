# The same image as `cargo xtask image` makes, for those who have a container engine:
#   docker build -t ecs-operator:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# A static binary: the image below holds nothing else. The `--target` keeps the flag away from build scripts and macros.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-gnu" \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --package ecs-operator --target "$target" \
    && cp "target/$target/release/ecs-operator" /ecs-operator

FROM scratch
COPY --from=build /ecs-operator /ecs-operator
USER 65532:65532
ENTRYPOINT ["/ecs-operator"]

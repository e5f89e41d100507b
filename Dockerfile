# The server and its studio on Debian 12, built from this folder.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN make build

FROM debian:12-slim
RUN apt-get update -q=2 && apt-get install -y -q=2 --no-install-recommends \
      libopus0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly \
      gstreamer1.0-libav glib-networking fonts-noto-cjk ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/huitong /src/target/release/huitong-studio /usr/local/bin/
WORKDIR /var/lib/huitong
EXPOSE 8080 8443 1935 5060/udp 5060/tcp 5061/tcp 7000-7063/udp 7000-7063/tcp 20000-29999/udp
CMD ["huitong", "serve"]

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=0.1.0
RUN make build VERSION=${VERSION}

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin pipe \
    && install -d -o pipe -g pipe /work /work/.pipe /work/storage
COPY --from=build /src/bin/pipe /usr/local/bin/pipe
COPY --chown=pipe:pipe plans /work/plans
COPY --chown=pipe:pipe configs /work/configs
COPY --chown=pipe:pipe samples /work/samples
WORKDIR /work
USER pipe
ENTRYPOINT ["pipe"]
CMD ["version"]

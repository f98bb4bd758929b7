"""The OTLP sink: events as log records of OpenTelemetry's protocol, over HTTP, to a collector or a store."""
